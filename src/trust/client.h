/* client.h -- which machine is it? The text under which a peer is counted: an IPv4 address, the /64 of an IPv6 one
 * (whoever has one address of a /64 has all), anything else as it is.
 */
#pragma once

#include <glib.h>

#define CLIENT_KEY_OCTETS 64

/* IPv4-mapped IPv6 counts as IPv4. NULL gives "". Returns ret. */
const char *client_key(const char *client, char ret[CLIENT_KEY_OCTETS]);

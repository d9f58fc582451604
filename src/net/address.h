/* address.h -- socket addresses: as text, by their kind, and as the key limits count by.
 *
 * Threads  any; plain functions without state.
 * RFC      1918, 3927, 4193, 6598, 6890 (what is private), 4291 §2.5.5.2 (IPv4-mapped).
 */
#pragma once

#include <glib.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_OCTETS 64

/* "192.0.2.1", "2001:db8::1" (IPv4-mapped ones as IPv4), "unix" for everything without an IP address. */
const char *net_address_text(const struct sockaddr_storage *address, char buffer[ADDRESS_TEXT_OCTETS]);
guint16 net_address_port(const struct sockaddr_storage *address);   /* 0 where there is none */

gboolean net_address_is_loopback(const struct sockaddr_storage *address);           /* 127/8, ::1, unix            */
gboolean net_address_is_first_loopback(const struct sockaddr_storage *address);     /* 127.0.0.1, ::1, unix        */

/* Not for strangers to point us at: loopback, private, link-local, shared (100.64/10), "this network", multicast, reserved, unix; an
 * IPv6 address that carries an IPv4 one (mapped, compatible, NAT64, 6to4) is judged by that too. */
gboolean net_address_is_private(const struct sockaddr_storage *address);

/* A numeric address and a port. FALSE when the text is not one. */
gboolean net_address_parse(const char *text, guint16 port, struct sockaddr_storage *ret, socklen_t *ret_len);

/* Who a connection is counted for: the IPv4 address, or the /64 of an IPv6 one, which is what one customer gets. */
typedef struct AddressKey {
        guint64 high, low;
} AddressKey;
AddressKey net_address_key(const struct sockaddr_storage *address);

/* local.h -- the addresses of this machine, as its interfaces have them now. Asks the kernel, and nobody else.
 *
 * Threads  any.
 */
#pragma once

#include "base/arena.h"

/* "192.0.2.1", "2001:db8::1", NULL-terminated, at most NET_LOCAL_MAX; none when the kernel does not say. NULL: no room. */
#define NET_LOCAL_MAX 256
const char *const *net_local_addresses(Arena *arena);

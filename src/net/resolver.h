/* resolver.h -- DNS through libunbound: validating, asynchronous inside, waiting for the caller with a deadline.
 *
 * Threads  any. Answers are copied into the caller's arena.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

typedef struct Resolver Resolver;

/* server: "ADDRESS" or "ADDRESS@PORT" to ask instead of resolv.conf's; NULL or "": the system's. */
Resolver *resolver_new(const char *server, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void resolver_free(Resolver *resolver);
/* Is this a `server`? */
gboolean resolver_server_is_right(const char *server);

typedef enum ResolverAnswer {
        RESOLVER_FAILED = 0,    /* could not find out (SERVFAIL, bogus, timeout): temporary, never a bounce */
        RESOLVER_NONE,          /* the name or type does not exist */
        RESOLVER_FOUND,
} ResolverAnswer;

typedef struct ResolverMx {
        guint16 preference;
        const char *host;       /* lower case, no trailing dot; "" is the null MX of RFC 7505 */
} ResolverMx;

/* MX of a domain sorted by preference; a domain without MX but with an address yields itself (RFC 5321 §5.1). */
ResolverAnswer resolver_mx(Resolver *resolver, Arena *arena, const char *domain, Usec deadline, const ResolverMx **ret,
                           gsize *ret_n, gboolean *ret_is_secure, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Addresses (A and AAAA) as text. */
ResolverAnswer resolver_addresses(Resolver *resolver, Arena *arena, const char *host, Usec deadline, const char *const **ret,
                                  gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Names of an address (PTR) confirmed by a forward look-up; RESOLVER_NONE when there is none that agrees. */
ResolverAnswer resolver_name(Resolver *resolver, Arena *arena, const char *address, Usec deadline, const char **ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

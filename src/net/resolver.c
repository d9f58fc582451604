/* resolver.c -- libunbound with its own thread (never a process: the sandbox forbids fork), and one of ours that hands answers to
 * those who wait.
 *
 *      caller -> ub_resolve_async() -> [libunbound's thread] -> ub_fd() -> resolver_main() -> query_answered() -> caller
 *
 * A Query has two references, the caller's and libunbound's. At its deadline the caller cancels: when that says the query is unknown,
 * the answer is on its way and query_answered() drops the second reference, otherwise the caller does.
 *
 * Validation needs the root's key, which is read here, before the sandbox closes. A server that was named in the settings is believed as it
 * is: behind it may be names of a private tree that no key of the root's proves.
 */
#include "net/resolver.h"

#include "base/scan.h"
#include "base/thread.h"
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

#define MX_MAX          64u
#define ADDRESSES_MAX   32u     /* of each family */
#define NAMES_MAX       4u      /* of one address that are confirmed */
#define NAME_OCTETS     256

enum {
        DNS_CLASS_IN = 1,
        DNS_A = 1,
        DNS_PTR = 12,
        DNS_MX = 15,
        DNS_AAAA = 28,
        DNS_RCODE_OK = 0,
        DNS_RCODE_NXDOMAIN = 3,
};

struct Resolver {
        struct ub_ctx *ctx;
        Mutex mutex;            /* net.resolver: of all queries */
        Cond answered;
        int stop_fd;
        Thread *thread;
};

typedef struct Query {
        gint references;
        Resolver *resolver;
        gboolean is_done;       /* under net.resolver, with the two below */
        int failure;
        struct ub_result *result;
        int id;
} Query;

static void
query_unref(Query *query)
{
        if (query == NULL || !g_atomic_int_dec_and_test(&query->references))
                return;
        ub_resolve_free(query->result);
        g_free(query);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Query, query_unref)

static void
query_answered(void *data, int failure, struct ub_result *result)
{
        Query *query = data;
        Resolver *resolver = query->resolver;

        mutex_lock(&resolver->mutex);
        query->failure = failure;
        query->result = result;
        query->is_done = TRUE;
        cond_broadcast(&resolver->answered);
        mutex_unlock(&resolver->mutex);
        query_unref(query);
}

static void
resolver_main(gpointer data)
{
        Resolver *resolver = data;
        struct pollfd fds[] = {{.fd = ub_fd(resolver->ctx), .events = POLLIN}, {.fd = resolver->stop_fd, .events = POLLIN}};

        while (fds[1].revents == 0) {
                int n = poll(fds, G_N_ELEMENTS(fds), -1);
                if (n > 0 && fds[0].revents != 0 && ub_process(resolver->ctx) != 0)
                        break;          /* its pipe is broken; queries end at their deadlines */
        }
}

/* Birth and death ------------------------------------------------------------------------------------------------- */

static void
resolver_add_root_key(struct ub_ctx *ctx)
{
        static const char *const paths[] = {"/usr/share/dns/root.key", "/var/lib/unbound/root.key", "/etc/unbound/root.key"};

        for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
                if (access(paths[i], R_OK) == 0 && ub_ctx_add_ta_file(ctx, paths[i]) == 0)
                        return;
}

gboolean
resolver_server_is_right(const char *server)
{
        g_auto(GStrv) parts = g_strsplit(server, "@", 2);
        struct sockaddr_storage address;
        socklen_t len;
        guint64 port;

        return parts[0] != NULL && net_address_parse(parts[0], 0, &address, &len) &&
               (parts[1] == NULL || (span_to_number(span_of(parts[1]), 65535, &port) && port > 0));
}

static int
resolver_use_server(struct ub_ctx *ctx, const char *server)
{
        /* Zones that libunbound answers by itself, and that a named server may well serve. */
        static const char *const zones[] = {"test.", "invalid.", "home.arpa."};
        int failure = ub_ctx_set_option(ctx, "unblock-lan-zones:", "yes");

        if (failure == 0)
                failure = ub_ctx_set_fwd(ctx, server);
        for (gsize i = 0; failure == 0 && i < G_N_ELEMENTS(zones); i++)
                failure = ub_ctx_zone_add(ctx, zones[i], "transparent");
        return failure;
}

static int
resolver_use_system(struct ub_ctx *ctx)
{
        resolver_add_root_key(ctx);
        (void) ub_ctx_resolvconf(ctx, NULL);    /* without one it asks the root servers */
        (void) ub_ctx_hosts(ctx, NULL);
        /* Adding a zone reads all files now; what it is called does not matter. */
        return ub_ctx_zone_add(ctx, "invalid.", "static");
}

Resolver *
resolver_new(const char *server, GError **error)
{
        gboolean is_named = server != NULL && *server != '\0';

        if (is_named && !resolver_server_is_right(server)) {
                fault(error, FAULT_INPUT, "%s: not the address of a DNS server (ADDRESS or ADDRESS@PORT)", server);
                return NULL;
        }
        Resolver *resolver = g_new0(Resolver, 1);
        mutex_init(&resolver->mutex, "net.resolver");
        cond_init(&resolver->answered);
        resolver->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        resolver->ctx = ub_ctx_create();
        int failure = UB_INITFAIL;
        if (resolver->ctx != NULL && resolver->stop_fd >= 0) {
                (void) ub_ctx_debugout(resolver->ctx, NULL);
                failure = ub_ctx_async(resolver->ctx, 1);
                if (failure == 0)
                        failure = ub_ctx_set_option(resolver->ctx, "do-not-query-localhost:", "no");
                if (failure == 0)
                        failure = is_named ? resolver_use_server(resolver->ctx, server) : resolver_use_system(resolver->ctx);
        }
        if (failure != 0)
                fault(error, FAULT_IO, "DNS resolver: %s", ub_strerror(failure));
        else
                resolver->thread = thread_new("resolver", resolver_main, resolver, error);
        if (resolver->thread == NULL) {
                resolver_free(resolver);
                return NULL;
        }
        return resolver;
}

void
resolver_free(Resolver *resolver)
{
        if (resolver == NULL)
                return;
        if (resolver->thread != NULL && eventfd_write(resolver->stop_fd, 1) == 0)
                thread_take_join(resolver->thread);
        ub_ctx_delete(resolver->ctx);
        if (resolver->stop_fd >= 0)
                (void) close(resolver->stop_fd);
        cond_done(&resolver->answered);
        mutex_done(&resolver->mutex);
        g_free(resolver);
}

/* Asking ----------------------------------------------------------------------------------------------------------- */

/* NULL: the query could not even be asked. */
static Query *
query_ask(Resolver *resolver, const char *name, int type, GError **error)
{
        Query *query = g_new0(Query, 1);

        query->references = 2;
        query->resolver = resolver;
        int failure = ub_resolve_async(resolver->ctx, name, type, DNS_CLASS_IN, query, query_answered, &query->id);
        if (failure == 0)
                return query;
        g_free(query);
        fault(error, FAULT_IO, "%s: %s", name, ub_strerror(failure));
        return NULL;
}

/* Wait for it. FALSE: not found out. */
static gboolean
query_wait(Query *query, const char *name, Usec deadline, GError **error)
{
        Resolver *resolver = query->resolver;
        gboolean is_done;

        mutex_lock(&resolver->mutex);
        while (!query->is_done)
                if (!cond_wait_until(&resolver->answered, &resolver->mutex, deadline))
                        break;
        is_done = query->is_done;
        mutex_unlock(&resolver->mutex);
        if (!is_done) {
                if (ub_cancel(resolver->ctx, query->id) == 0)
                        query_unref(query);
                return fault(error, FAULT_TIMEOUT, "%s: DNS did not answer in time", name);
        }
        const struct ub_result *r = query->result;
        if (query->failure != 0 || r == NULL)
                return fault(error, FAULT_IO, "%s: %s", name, ub_strerror(query->failure));
        if (r->bogus)
                return fault(error, FAULT_IO, "%s: DNSSEC: %s", name, r->why_bogus != NULL ? r->why_bogus : "bogus");
        if (r->rcode != DNS_RCODE_OK && r->rcode != DNS_RCODE_NXDOMAIN)
                return fault(error, FAULT_IO, "%s: DNS answers with failure %d", name, r->rcode);
        return TRUE;
}

/* A name that can stand in a question: labels of letters, digits, '-' and '_'. Any other exists nowhere where mail goes. */
static gboolean
is_name(const char *name)
{
        gsize label = 0, len = strlen(name);

        if (len == 0 || len > 253)
                return FALSE;
        for (const char *c = name; *c != '\0'; c++) {
                if (*c == '.') {
                        if (label == 0)
                                return FALSE;
                        label = 0;
                } else if (!g_ascii_isalnum(*c) && *c != '-' && *c != '_') {
                        return FALSE;
                } else if (++label > 63) {
                        return FALSE;
                }
        }
        return TRUE;
}

/* An uncompressed name of an answer as lower-case text without the last dot; "" is the root. FALSE: not a host's name. */
static gboolean
scan_name(Scan *s, char ret[NAME_OCTETS])
{
        gsize used = 0;
        guint8 len;
        Span label;

        while (scan_u8(s, &len) && len > 0) {
                if (len > 63 || used + len + 2 > NAME_OCTETS || !scan_take(s, len, &label))
                        return FALSE;
                if (used > 0)
                        ret[used++] = '.';
                for (gsize i = 0; i < label.len; i++)
                        ret[used++] = g_ascii_tolower((char) label.data[i]);
        }
        ret[used] = '\0';
        return scan_at_end(s) && strlen(ret) == used && (used == 0 || is_name(ret));
}

static Span
result_data(const struct ub_result *result, guint i)
{
        return span_make(result->data[i], (gsize) MAX(result->len[i], 0));
}

static gboolean
over_budget(GError **error)
{
        return fault(error, FAULT_FULL, "DNS answer does not fit into its arena");
}

/* MX --------------------------------------------------------------------------------------------------------------- */

static int
mx_compare(gconstpointer a, gconstpointer b)
{
        return (int) ((const ResolverMx *) a)->preference - (int) ((const ResolverMx *) b)->preference;
}

/* Records that can't be read are left out; a null MX among others means nothing (RFC 7505 §3). */
static gboolean
mx_read(const struct ub_result *result, Arena *arena, ResolverMx *mx, gsize *ret_n)
{
        gsize n = 0;

        for (guint i = 0; i < MX_MAX && result->data[i] != NULL; i++) {
                Scan s = scan_from(result_data(result, i));
                guint8 high, low;
                char name[NAME_OCTETS];
                if (!scan_u8(&s, &high) || !scan_u8(&s, &low) || !scan_name(&s, name))
                        continue;
                if (name[0] == '\0' && (i > 0 || result->data[1] != NULL))
                        continue;
                mx[n] = (ResolverMx){(guint16) (high << 8 | low), arena_strdup(arena, name)};
                if (mx[n++].host == NULL)
                        return FALSE;
        }
        qsort(mx, n, sizeof(*mx), mx_compare);
        *ret_n = n;
        return TRUE;
}

/* RFC 5321 §5.1: "If an empty list of MXs is returned, the address is treated as if it was associated with an implicit MX RR". */
static ResolverAnswer
mx_implicit(Resolver *resolver, Arena *arena, const char *domain, Usec deadline, const ResolverMx **ret, gsize *ret_n, GError **error)
{
        const char *const *addresses;
        gsize n;
        ResolverAnswer answer = resolver_addresses(resolver, arena, domain, deadline, &addresses, &n, error);

        if (answer != RESOLVER_FOUND)
                return answer;
        ResolverMx *mx = arena_new0(arena, ResolverMx);
        const char *host = arena_strdup(arena, domain);
        if (mx == NULL || host == NULL) {
                over_budget(error);
                return RESOLVER_FAILED;
        }
        mx->host = host;
        *ret = mx;
        *ret_n = 1;
        return RESOLVER_FOUND;
}

ResolverAnswer
resolver_mx(Resolver *resolver, Arena *arena, const char *domain, Usec deadline, const ResolverMx **ret, gsize *ret_n,
            gboolean *ret_is_secure, GError **error)
{
        if (!is_name(domain))
                return RESOLVER_NONE;
        g_autoptr(Query) query = query_ask(resolver, domain, DNS_MX, error);
        if (query == NULL || !query_wait(query, domain, deadline, error))
                return RESOLVER_FAILED;
        if (query->result->nxdomain)
                return RESOLVER_NONE;
        gboolean is_secure = query->result->secure != 0;
        if (!query->result->havedata) {
                ResolverAnswer answer = mx_implicit(resolver, arena, domain, deadline, ret, ret_n, error);
                if (answer == RESOLVER_FOUND)
                        *ret_is_secure = is_secure;
                return answer;
        }
        gsize n;
        ResolverMx *mx = arena_new_array(arena, ResolverMx, MX_MAX);
        if (mx == NULL || !mx_read(query->result, arena, mx, &n)) {
                over_budget(error);
                return RESOLVER_FAILED;
        }
        if (n == 0) {
                fault(error, FAULT_IO, "%s: no MX record names a host", domain);
                return RESOLVER_FAILED;
        }
        *ret = mx;
        *ret_n = n;
        *ret_is_secure = is_secure;
        return RESOLVER_FOUND;
}

/* Addresses -------------------------------------------------------------------------------------------------------- */

static gboolean
addresses_read(const struct ub_result *result, int family, Arena *arena, const char **list, gsize *n)
{
        gsize octets = family == AF_INET ? 4 : 16;
        char text[INET6_ADDRSTRLEN];

        for (guint i = 0; result->havedata && i < ADDRESSES_MAX && result->data[i] != NULL; i++) {
                Span data = result_data(result, i);
                if (data.len != octets || inet_ntop(family, data.data, text, sizeof(text)) == NULL)
                        continue;
                if ((list[*n] = arena_strdup(arena, text)) == NULL)
                        return FALSE;
                (*n)++;
        }
        return TRUE;
}

ResolverAnswer
resolver_addresses(Resolver *resolver, Arena *arena, const char *host, Usec deadline, const char *const **ret, gsize *ret_n,
                   GError **error)
{
        static const int types[] = {DNS_A, DNS_AAAA}, families[] = {AF_INET, AF_INET6};
        Query *queries[G_N_ELEMENTS(types)] = {NULL};
        struct sockaddr_storage numeric;
        socklen_t len;
        gsize n = 0;
        gboolean is_complete = TRUE, is_over = FALSE;
        g_autoptr(GError) why = NULL;

        const char **list = (const char **) arena_new_array(arena, const char *, 2 * ADDRESSES_MAX);
        if (list != NULL && net_address_parse(host, 0, &numeric, &len)) {
                is_over = (list[n++] = arena_strdup(arena, host)) == NULL;
        } else if (list != NULL && is_name(host)) {
                for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
                        queries[i] = query_ask(resolver, host, types[i], why == NULL ? &why : NULL);
                for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
                        if (queries[i] != NULL && query_wait(queries[i], host, deadline, why == NULL ? &why : NULL))
                                is_over |= !addresses_read(queries[i]->result, families[i], arena, list, &n);
                        else
                                is_complete = FALSE;
                        query_unref(queries[i]);
                }
        }
        if (list == NULL || is_over) {
                over_budget(error);
                return RESOLVER_FAILED;
        }
        if (n > 0) {
                *ret = list;
                *ret_n = n;
                return RESOLVER_FOUND;
        }
        if (is_complete)
                return RESOLVER_NONE;
        g_propagate_error(error, g_steal_pointer(&why));
        return RESOLVER_FAILED;
}

/* Names ------------------------------------------------------------------------------------------------------------ */

/* "4.3.2.1.in-addr.arpa" or the nibbles of RFC 3596 §2.5. */
static gboolean
reverse_name(const char *address, char ret[NAME_OCTETS])
{
        struct sockaddr_storage a;
        socklen_t len;
        gsize used = 0;

        if (!net_address_parse(address, 0, &a, &len))
                return FALSE;
        if (a.ss_family == AF_INET) {
                guint32 v4 = ntohl(((const struct sockaddr_in *) &a)->sin_addr.s_addr);
                g_snprintf(ret, NAME_OCTETS, "%u.%u.%u.%u.in-addr.arpa", v4 & 255, (v4 >> 8) & 255, (v4 >> 16) & 255, v4 >> 24);
                return TRUE;
        }
        const guint8 *octets = ((const struct sockaddr_in6 *) &a)->sin6_addr.s6_addr;
        for (int i = 15; i >= 0; i--)
                used += (gsize) g_snprintf(ret + used, (gulong) (NAME_OCTETS - used), "%x.%x.", octets[i] & 15u, octets[i] >> 4);
        g_strlcpy(ret + used, "ip6.arpa", NAME_OCTETS - used);
        return TRUE;
}

/* Does the name lead back to the address? Compared as octets: there are many ways to write one. */
static ResolverAnswer
name_confirm(Resolver *resolver, Arena *arena, const char *name, const char *address, Usec deadline, GError **error)
{
        struct sockaddr_storage wanted, found;
        socklen_t len, found_len;
        const char *const *list;
        gsize n;

        ResolverAnswer answer = resolver_addresses(resolver, arena, name, deadline, &list, &n, error);
        if (answer != RESOLVER_FOUND || !net_address_parse(address, 0, &wanted, &len))
                return answer;
        for (gsize i = 0; i < n; i++)
                if (net_address_parse(list[i], 0, &found, &found_len) && found_len == len && memcmp(&found, &wanted, len) == 0)
                        return RESOLVER_FOUND;
        return RESOLVER_NONE;
}

ResolverAnswer
resolver_name(Resolver *resolver, Arena *arena, const char *address, Usec deadline, const char **ret, GError **error)
{
        char reverse[NAME_OCTETS], name[NAME_OCTETS];
        g_autoptr(GError) why = NULL;
        gboolean is_complete = TRUE;

        if (!reverse_name(address, reverse))
                return RESOLVER_NONE;
        g_autoptr(Query) query = query_ask(resolver, reverse, DNS_PTR, error);
        if (query == NULL || !query_wait(query, reverse, deadline, error))
                return RESOLVER_FAILED;
        for (guint i = 0; query->result->havedata && i < NAMES_MAX && query->result->data[i] != NULL; i++) {
                Scan s = scan_from(result_data(query->result, i));
                if (!scan_name(&s, name) || name[0] == '\0')
                        continue;
                ResolverAnswer answer = name_confirm(resolver, arena, name, address, deadline, why == NULL ? &why : NULL);
                const char *copy = answer == RESOLVER_FOUND ? arena_strdup(arena, name) : NULL;
                if (copy != NULL) {
                        *ret = copy;
                        return RESOLVER_FOUND;
                }
                is_complete = is_complete && answer == RESOLVER_NONE;
        }
        if (is_complete)
                return RESOLVER_NONE;
        g_propagate_error(error, why != NULL ? g_steal_pointer(&why)
                                             : g_error_new(RESTANTE_ERROR, FAULT_FULL, "DNS answer does not fit into its arena"));
        return RESOLVER_FAILED;
}

/* resolver_test.c -- against a small DNS server of our own on a port the kernel chooses. */
#include "net/resolver.h"

#include "base/thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The server: names and what they have. Data is wire format; several rows of one name and type are several records. */
typedef struct Record {
        const char *name;
        guint16 type;
        const char *data;
        gsize len;
} Record;

#define WIRE(text) text, sizeof(text) - 1

enum {
        A = 1,
        PTR = 12,
        MX = 15,
        AAAA = 28,
        SERVFAIL = 1000,
        SILENCE = 1001,
};

static const Record records[] = {
        {"two.test", MX, WIRE("\0\x14\x03two\x02mx\x04test\0")},
        {"two.test", MX, WIRE("\0\x0a\x03" "ONE\x02mx\x04test\0")},
        {"implicit.test", A, WIRE("\xc0\0\x02\x07")},
        {"null.test", MX, WIRE("\0\0\0")},
        {"odd.test", MX, WIRE("\0\x0a\x03" "a b\x04test\0")},
        {"odd.test", MX, WIRE("\0\x14\x04good\x04test\0")},
        {"onlyodd.test", MX, WIRE("\0\x0a\x03" "a\0b\x04test\0")},
        {"both.test", A, WIRE("\xc0\0\x02\x01")},
        {"both.test", AAAA, WIRE("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")},
        {"fails.test", SERVFAIL, NULL, 0},
        {"silent.test", SILENCE, NULL, 0},
        {"1.2.0.192.in-addr.arpa", PTR, WIRE("\x04liar\x04test\0")},
        {"1.2.0.192.in-addr.arpa", PTR, WIRE("\x04" "both\x04TEST\0")},
        {"2.2.0.192.in-addr.arpa", PTR, WIRE("\x04liar\x04test\0")},
        {"3.2.0.192.in-addr.arpa", PTR, WIRE("\x05" "fails\x04test\0")},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", PTR, WIRE("\x04" "both\x04test\0")},
        {"liar.test", A, WIRE("\xc0\0\x02\x63")},
};

typedef struct Server {
        int fd, stop[2];
        Thread *thread;
        char address[64];
} Server;

static void
put16(GByteArray *out, guint v)
{
        const guint8 octets[] = {(guint8) (v >> 8), (guint8) v};

        g_byte_array_append(out, octets, 2);
}

/* The answer to one question, or NULL for silence. */
static GByteArray *
server_answer(const guint8 *q, gsize len)
{
        GString *name = g_string_new(NULL);
        gsize at = 12;
        guint n = 0, rcode = 3;
        gboolean is_silent = FALSE;

        while (at < len && q[at] != 0) {
                if (name->len > 0)
                        g_string_append_c(name, '.');
                g_string_append_len(name, (const char *) q + at + 1, q[at]);
                at += q[at] + 1u;
        }
        guint type = (guint) q[at + 1] << 8 | q[at + 2];
        at += 5;
        GByteArray *body = g_byte_array_new();
        for (gsize i = 0; i < G_N_ELEMENTS(records); i++) {
                const Record *r = &records[i];
                if (g_ascii_strcasecmp(r->name, name->str) != 0)
                        continue;
                rcode = r->type == SERVFAIL ? 2 : 0;
                is_silent |= r->type == SILENCE;
                if (r->type != type)
                        continue;
                put16(body, 0xc00c);
                put16(body, type);
                put16(body, 1);
                put16(body, 0);
                put16(body, 60);
                put16(body, (guint) r->len);
                g_byte_array_append(body, (const guint8 *) r->data, (guint) r->len);
                n++;
        }
        g_string_free(name, TRUE);
        GByteArray *out = NULL;
        if (!is_silent) {
                out = g_byte_array_new();
                g_byte_array_append(out, q, 2);
                put16(out, 0x8180 | rcode);
                put16(out, 1);
                put16(out, n);
                put16(out, 0);
                put16(out, 0);
                g_byte_array_append(out, q + 12, (guint) (at - 12));
                g_byte_array_append(out, body->data, body->len);
        }
        g_byte_array_unref(body);
        return out;
}

static void
server_main(gpointer data)
{
        Server *server = data;
        struct pollfd fds[] = {{.fd = server->fd, .events = POLLIN}, {.fd = server->stop[0], .events = POLLIN}};

        for (;;) {
                guint8 question[1500];
                struct sockaddr_in from;
                socklen_t len = sizeof(from);
                g_assert_cmpint(poll(fds, 2, -1), >, 0);
                if (fds[1].revents != 0)
                        return;
                ssize_t n = recvfrom(server->fd, question, sizeof(question), 0, (struct sockaddr *) &from, &len);
                if (n < 17)
                        continue;
                GByteArray *answer = server_answer(question, (gsize) n);
                if (answer == NULL)
                        continue;
                (void) sendto(server->fd, answer->data, answer->len, 0, (struct sockaddr *) &from, len);
                g_byte_array_unref(answer);
        }
}

static Server *
server_new(void)
{
        Server *server = g_new0(Server, 1);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof(address);
        g_autoptr(GError) error = NULL;

        server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(bind(server->fd, (struct sockaddr *) &address, len), ==, 0);
        g_assert_cmpint(getsockname(server->fd, (struct sockaddr *) &address, &len), ==, 0);
        g_snprintf(server->address, sizeof(server->address), "127.0.0.1@%u", ntohs(address.sin_port));
        g_assert_cmpint(pipe(server->stop), ==, 0);
        server->thread = thread_new("dns", server_main, server, &error);
        g_assert_no_error(error);
        return server;
}

static void
server_free(Server *server)
{
        g_assert_cmpint(write(server->stop[1], "x", 1), ==, 1);
        thread_take_join(server->thread);
        (void) close(server->fd);
        (void) close(server->stop[0]);
        (void) close(server->stop[1]);
        g_free(server);
}

typedef struct Fixture {
        Server *server;
        Resolver *resolver;
        Arena *arena;
        GError *error;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
        f->server = server_new();
        f->resolver = resolver_new(f->server->address, &f->error);
        g_assert_no_error(f->error);
        f->arena = arena_new(64 * 1024);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
        resolver_free(f->resolver);
        server_free(f->server);
        arena_free(f->arena);
        g_clear_error(&f->error);
}

static ResolverAnswer
ask_mx(Fixture *f, const char *domain, const ResolverMx **ret, gsize *ret_n)
{
        gboolean is_secure = FALSE;
        ResolverAnswer answer = resolver_mx(f->resolver, f->arena, domain, clock_in(20 * USEC_PER_SEC), ret, ret_n, &is_secure, &f->error);

        g_assert_false(is_secure);              /* nothing was signed */
        return answer;
}

static void
test_mx_sorted(Fixture *f, gconstpointer data)
{
        const ResolverMx *mx = NULL;
        gsize n = 0;

        g_assert_cmpint(ask_mx(f, "two.test", &mx, &n), ==, RESOLVER_FOUND);
        g_assert_cmpuint(n, ==, 2);
        g_assert_cmpstr(mx[0].host, ==, "one.mx.test");
        g_assert_cmpuint(mx[0].preference, ==, 10);
        g_assert_cmpstr(mx[1].host, ==, "two.mx.test");
        g_assert_cmpuint(mx[1].preference, ==, 20);
}

static void
test_mx_implicit(Fixture *f, gconstpointer data)
{
        const ResolverMx *mx = NULL;
        gsize n = 0;

        g_assert_cmpint(ask_mx(f, "implicit.test", &mx, &n), ==, RESOLVER_FOUND);
        g_assert_cmpuint(n, ==, 1);
        g_assert_cmpstr(mx[0].host, ==, "implicit.test");
        g_assert_cmpuint(mx[0].preference, ==, 0);
}

static void
test_mx_null(Fixture *f, gconstpointer data)
{
        const ResolverMx *mx = NULL;
        gsize n = 0;

        g_assert_cmpint(ask_mx(f, "null.test", &mx, &n), ==, RESOLVER_FOUND);
        g_assert_cmpuint(n, ==, 1);
        g_assert_cmpstr(mx[0].host, ==, "");
}

static void
test_mx_odd(Fixture *f, gconstpointer data)
{
        const ResolverMx *mx = NULL;
        gsize n = 0;

        g_assert_cmpint(ask_mx(f, "odd.test", &mx, &n), ==, RESOLVER_FOUND);
        g_assert_cmpuint(n, ==, 1);
        g_assert_cmpstr(mx[0].host, ==, "good.test");
        g_assert_cmpint(ask_mx(f, "onlyodd.test", &mx, &n), ==, RESOLVER_FAILED);
        g_assert_error(f->error, RESTANTE_ERROR, FAULT_IO);
}

static void
test_mx_none(Fixture *f, gconstpointer data)
{
        const ResolverMx *mx = NULL;
        gsize n = 0;
        g_autofree char *label = g_strnfill(64, 'a'), *too_long = g_strconcat(label, ".test", NULL);
        const char *const names[] = {"nobody.test", "", ".", "a..test", "two words.test", too_long};

        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
                g_assert_cmpint(ask_mx(f, names[i], &mx, &n), ==, RESOLVER_NONE);
                g_assert_no_error(f->error);
        }
        g_assert_null(mx);
}

static void
test_servfail(Fixture *f, gconstpointer data)
{
        const ResolverMx *mx = NULL;
        const char *const *addresses = NULL;
        gsize n = 0;

        g_assert_cmpint(ask_mx(f, "fails.test", &mx, &n), ==, RESOLVER_FAILED);
        g_assert_error(f->error, RESTANTE_ERROR, FAULT_IO);
        g_clear_error(&f->error);
        g_assert_cmpint(resolver_addresses(f->resolver, f->arena, "fails.test", clock_in(20 * USEC_PER_SEC), &addresses, &n, &f->error),
                        ==, RESOLVER_FAILED);
        g_assert_error(f->error, RESTANTE_ERROR, FAULT_IO);
}

static void
test_silence(Fixture *f, gconstpointer data)
{
        const char *const *addresses = NULL;
        gsize n = 0;

        g_assert_cmpint(resolver_addresses(f->resolver, f->arena, "silent.test", clock_in(50 * USEC_PER_MS), &addresses, &n, &f->error), ==,
                        RESOLVER_FAILED);
        g_assert_error(f->error, RESTANTE_ERROR, FAULT_TIMEOUT);
        g_clear_error(&f->error);
        /* It goes on answering others meanwhile. */
        g_assert_cmpint(resolver_addresses(f->resolver, f->arena, "both.test", clock_in(20 * USEC_PER_SEC), &addresses, &n, &f->error), ==,
                        RESOLVER_FOUND);
}

static void
test_addresses(Fixture *f, gconstpointer data)
{
        const char *const *addresses = NULL;
        gsize n = 0;
        Usec deadline = clock_in(20 * USEC_PER_SEC);

        g_assert_cmpint(resolver_addresses(f->resolver, f->arena, "both.test", deadline, &addresses, &n, &f->error), ==, RESOLVER_FOUND);
        g_assert_cmpuint(n, ==, 2);
        g_assert_cmpstr(addresses[0], ==, "192.0.2.1");
        g_assert_cmpstr(addresses[1], ==, "2001:db8::1");
        g_assert_cmpint(resolver_addresses(f->resolver, f->arena, "192.0.2.9", deadline, &addresses, &n, &f->error), ==, RESOLVER_FOUND);
        g_assert_cmpuint(n, ==, 1);
        g_assert_cmpstr(addresses[0], ==, "192.0.2.9");
        g_assert_cmpint(resolver_addresses(f->resolver, f->arena, "nobody.test", deadline, &addresses, &n, &f->error), ==, RESOLVER_NONE);
        g_assert_cmpint(resolver_addresses(f->resolver, f->arena, "two.test", deadline, &addresses, &n, &f->error), ==, RESOLVER_NONE);
}

static void
test_small_arena(Fixture *f, gconstpointer data)
{
        g_autoptr(Arena) small = arena_new(64);
        const char *const *addresses = NULL;
        gsize n = 0;

        g_assert_cmpint(resolver_addresses(f->resolver, small, "both.test", clock_in(20 * USEC_PER_SEC), &addresses, &n, &f->error), ==,
                        RESOLVER_FAILED);
        g_assert_error(f->error, RESTANTE_ERROR, FAULT_FULL);
}

static void
test_name(Fixture *f, gconstpointer data)
{
        static const struct {
                const char *address, *name;
                ResolverAnswer answer;
        } table[] = {
                {"192.0.2.1", "both.test", RESOLVER_FOUND},     /* the second of its names leads back */
                {"2001:db8::1", "both.test", RESOLVER_FOUND},
                {"192.0.2.2", NULL, RESOLVER_NONE},             /* its name belongs to another        */
                {"192.0.2.3", NULL, RESOLVER_FAILED},           /* its name can't be looked up now    */
                {"192.0.2.4", NULL, RESOLVER_NONE},
                {"unix", NULL, RESOLVER_NONE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
                const char *name = NULL;
                g_assert_cmpint(resolver_name(f->resolver, f->arena, table[i].address, clock_in(20 * USEC_PER_SEC), &name, &f->error), ==,
                                table[i].answer);
                g_assert_cmpstr(name, ==, table[i].name);
                if (table[i].answer == RESOLVER_FAILED)
                        g_assert_error(f->error, RESTANTE_ERROR, FAULT_IO);
                g_clear_error(&f->error);
        }
}

static void
test_wrong_server(void)
{
        static const char *const wrong[] = {"dns.example", "127.0.0.1@", "127.0.0.1@0", "127.0.0.1@70000", "127.0.0.1@53@54", "@53"};

        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autoptr(GError) error = NULL;
                g_assert_null(resolver_new(wrong[i], &error));
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        }
        g_autoptr(GError) error = NULL;
        Resolver *resolver = resolver_new(NULL, &error);        /* the system's: asks nobody yet */
        g_assert_no_error(error);
        resolver_free(resolver);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add("/net/resolver/mx-sorted-and-lower-case", Fixture, NULL, set_up, test_mx_sorted, tear_down);
        g_test_add("/net/resolver/domain-without-mx-yields-itself RFC 5321 §5.1", Fixture, NULL, set_up, test_mx_implicit, tear_down);
        g_test_add("/net/resolver/null-mx RFC 7505", Fixture, NULL, set_up, test_mx_null, tear_down);
        g_test_add("/net/resolver/unreadable-mx-is-left-out", Fixture, NULL, set_up, test_mx_odd, tear_down);
        g_test_add("/net/resolver/no-such-domain", Fixture, NULL, set_up, test_mx_none, tear_down);
        g_test_add("/net/resolver/servfail-is-temporary", Fixture, NULL, set_up, test_servfail, tear_down);
        g_test_add("/net/resolver/silence-ends-at-the-deadline", Fixture, NULL, set_up, test_silence, tear_down);
        g_test_add("/net/resolver/addresses-of-both-families", Fixture, NULL, set_up, test_addresses, tear_down);
        g_test_add("/net/resolver/arena-too-small-is-a-fault", Fixture, NULL, set_up, test_small_arena, tear_down);
        g_test_add("/net/resolver/name-only-when-it-leads-back", Fixture, NULL, set_up, test_name, tear_down);
        g_test_add_func("/net/resolver/wrong-server-is-refused", test_wrong_server);
        return g_test_run();
}

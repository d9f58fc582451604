/* own_test.c -- next hops and literals that are this very server (ROUTING 2.1, 3). */
#include "router/internal.h"

typedef struct Case {
        const char *text;
        gboolean is_own;
} Case;

static const RouterListener LISTENERS[] = {{"127.0.0.1", 2525}, {"0.0.0.0", 587}, {"2001:db8::1", 25}};
static const char *const LITERALS[] = {"192.0.2.1", "[IPv6:2001:DB8::2]", NULL};
static const RouterSettings OWN = {
        .hostname = "mx.ex.org", .literals = LITERALS, .listeners = LISTENERS, .n_listeners = G_N_ELEMENTS(LISTENERS)};

static void
next_hops(void)
{
        static const Case CASES[] = {
                {"[127.0.0.1]:2525", TRUE},
                {"127.0.0.1:2525", TRUE},
                {"[::ffff:127.0.0.1]:2525", TRUE},
                {"[127.0.0.1]", FALSE}, /* another server's port 25 */
                {"[127.0.0.1]:2526", FALSE},
                {"[127.0.0.2]:2525", FALSE}, /* nobody listens there */
                {"[127.0.0.2]:587", TRUE},   /* all of the machine's addresses */
                {"[192.0.2.1]:587", TRUE},
                {"[192.0.2.1]", FALSE},
                {"[192.0.2.2]:587", FALSE},
                {"[2001:db8:0::1]", TRUE},
                {"[IPv6:2001:DB8::1]:25", TRUE},
                {"[2001:db8::2]:587", FALSE}, /* 0.0.0.0 is IPv4 only */
                {"localhost:2525", TRUE},
                {"LOCALHOST:587", TRUE},
                {"a.localhost:2525", TRUE},
                {"localhost", FALSE},
                {"localhost.example:2525", FALSE},
                {"mx.ex.org", TRUE},
                {"MX.ex.org.", TRUE},
                {"mx.ex.org:26", TRUE},
                {"mx(mx.ex.org)", TRUE},
                {"mx(ex.org)", FALSE},
                {"mx.ex.org.example", FALSE},
                {"", FALSE},
                {"[", FALSE},
                {"[]", FALSE},
                {":25", FALSE},
                {"mx(", FALSE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++)
                if (router_next_hop_is_own(&OWN, CASES[i].text) != CASES[i].is_own)
                        g_error("%s: %s", CASES[i].text, CASES[i].is_own ? "is this server" : "is not this server");
}

static void
literals(void)
{
        static const Case CASES[] = {
                {"[127.0.0.1]", TRUE},        {"[127.0.0.9]", TRUE},
                {"[192.0.2.1]", TRUE},        {"[ipv6:2001:db8::2]", TRUE},
                {"[ipv6:2001:db8::1]", TRUE}, {"[ipv6:2001:db8::3]", FALSE},
                {"[192.0.2.9]", FALSE},       {"127.0.0.1", FALSE},
                {"mx.ex.org", FALSE},         {"", FALSE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++)
                if (own_literal(&OWN, span_of(CASES[i].text)) != CASES[i].is_own)
                        g_error("%s: %s", CASES[i].text, CASES[i].is_own ? "is ours" : "is not ours");
}

/* Without listeners, as a tool may have it, only names are known. */
static void
nothing_known(void)
{
        static const RouterSettings NOTHING;

        g_assert_false(router_next_hop_is_own(&NOTHING, "localhost:25"));
        g_assert_false(router_next_hop_is_own(&NOTHING, "[127.0.0.1]:25"));
        g_assert_false(own_literal(&NOTHING, span_of("[127.0.0.1]")));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/router/own/next-hops-that-are-this-server ROUTING 3", next_hops);
        g_test_add_func("/router/own/literals-of-ours RFC 5321 4.1.3, ROUTING 2.1", literals);
        g_test_add_func("/router/own/nothing-is-ours-where-nothing-is-known", nothing_known);
        return g_test_run();
}

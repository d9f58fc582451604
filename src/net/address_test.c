#include "net/address.h"

#include <netinet/in.h>
#include <string.h>

static struct sockaddr_storage
parsed(const char *text)
{
        struct sockaddr_storage a;
        socklen_t len;

        g_assert_true(net_address_parse(text, 25, &a, &len));
        return a;
}

static void
test_private(void)
{
        static const char *const inside[] = {
                "0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.9",
                "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255",
                "::", "::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:0.0.0.0", "::127.0.0.1", "64:ff9b::10.0.0.1",
                "2002:a00:1::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
        };
        static const char *const outside[] = {
                "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
                "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255",
                "2001:db8::1", "2a00::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(inside); i++) {
                struct sockaddr_storage a = parsed(inside[i]);
                g_test_message("%s", inside[i]);
                g_assert_true(net_address_is_private(&a));
        }
        for (gsize i = 0; i < G_N_ELEMENTS(outside); i++) {
                struct sockaddr_storage a = parsed(outside[i]);
                g_test_message("%s", outside[i]);
                g_assert_false(net_address_is_private(&a));
        }
        struct sockaddr_storage local = {.ss_family = AF_UNIX};
        g_assert_true(net_address_is_private(&local));
}

static void
test_loopback(void)
{
        static const struct {
                const char *text;
                gboolean is_loopback, is_first;
        } table[] = {
                {"127.0.0.1", TRUE, TRUE},  {"127.0.0.2", TRUE, FALSE},        {"126.0.0.1", FALSE, FALSE}, {"::1", TRUE, TRUE},
                {"::2", FALSE, FALSE},      {"::ffff:127.0.0.1", TRUE, TRUE},  {"::ffff:127.9.0.1", TRUE, FALSE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
                struct sockaddr_storage a = parsed(table[i].text);
                g_assert_cmpint(net_address_is_loopback(&a), ==, table[i].is_loopback);
                g_assert_cmpint(net_address_is_first_loopback(&a), ==, table[i].is_first);
        }
}

static void
test_text(void)
{
        char buffer[ADDRESS_TEXT_OCTETS];
        struct sockaddr_storage a = parsed("192.0.2.1"), b = parsed("2001:DB8:0::1"), c = parsed("::ffff:192.0.2.7");
        struct sockaddr_storage local = {.ss_family = AF_UNIX};
        socklen_t len;

        g_assert_cmpstr(net_address_text(&a, buffer), ==, "192.0.2.1");
        g_assert_cmpint(net_address_port(&a), ==, 25);
        g_assert_cmpstr(net_address_text(&b, buffer), ==, "2001:db8::1");
        g_assert_cmpstr(net_address_text(&c, buffer), ==, "192.0.2.7");
        g_assert_cmpstr(net_address_text(&local, buffer), ==, "unix");
        g_assert_cmpint(net_address_port(&local), ==, 0);
        g_assert_false(net_address_parse("localhost", 25, &a, &len));
        g_assert_false(net_address_parse("", 25, &a, &len));
        g_assert_false(net_address_parse("1.2.3", 25, &a, &len));
}

static gboolean
is_same_key(const char *a, const char *b)
{
        struct sockaddr_storage x = parsed(a), y = parsed(b);
        AddressKey k = net_address_key(&x), l = net_address_key(&y);

        return k.high == l.high && k.low == l.low;
}

static void
test_key(void)
{
        g_assert_true(is_same_key("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        g_assert_false(is_same_key("2001:db8:1:2::1", "2001:db8:1:3::1"));
        g_assert_true(is_same_key("192.0.2.1", "::ffff:192.0.2.1"));
        g_assert_false(is_same_key("192.0.2.1", "192.0.2.2"));
        g_assert_false(is_same_key("0.0.0.0", "::"));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/net/address/private-in-all-its-disguises RFC 6890", test_private);
        g_test_add_func("/net/address/loopback", test_loopback);
        g_test_add_func("/net/address/text", test_text);
        g_test_add_func("/net/address/ipv6-counts-by-its-64", test_key);
        return g_test_run();
}

#include "net/limits.h"

static AddressKey
key(guint64 n)
{
        return (AddressKey){n * 7919, n};
}

static void
test_open(void)
{
        Limits *l = limits_new(2, 100);
        Usec now = 0;

        g_assert_true(limits_enter(l, key(1), now));
        g_assert_true(limits_enter(l, key(1), now));
        g_assert_false(limits_enter(l, key(1), now));
        g_assert_true(limits_enter(l, key(2), now));
        limits_leave(l, key(1), now);
        g_assert_true(limits_enter(l, key(1), now));
        g_assert_false(limits_enter(l, key(1), now));
        limits_leave(l, key(3), now);           /* never came */
        limits_free(l);
}

static void
test_rate(void)
{
        Limits *l = limits_new(100, 3);
        Usec now = 5 * USEC_PER_SEC;

        for (int i = 0; i < 3; i++) {
                g_assert_true(limits_enter(l, key(1), now));
                limits_leave(l, key(1), now);
        }
        g_assert_false(limits_enter(l, key(1), now + USEC_PER_SEC - 1));
        g_assert_true(limits_enter(l, key(1), now + USEC_PER_SEC));
        limits_free(l);
}

static void
test_change(void)
{
        Limits *l = limits_new(1, 100);
        Usec now = 0;

        g_assert_true(limits_enter(l, key(1), now));
        g_assert_false(limits_enter(l, key(1), now));
        limits_set(l, 2, 100);
        g_assert_true(limits_enter(l, key(1), now));
        limits_set(l, 1, 100);
        g_assert_false(limits_enter(l, key(1), now));   /* those that are over it stay */
        limits_leave(l, key(1), now);
        g_assert_false(limits_enter(l, key(1), now));
        limits_free(l);
}

static void
test_memory(void)
{
        Limits *l = limits_new(10, 10);
        Usec now = 0;

        g_assert_true(limits_enter(l, key(1), now));
        for (guint64 i = 2; i < 50000; i++) {
                g_assert_true(limits_enter(l, key(i), now));
                limits_leave(l, key(i), now);
                g_assert_cmpuint(limits_n_addresses(l), <=, 4098);
        }
        /* The one that is still here has not been forgotten. */
        for (int i = 0; i < 9; i++)
                g_assert_true(limits_enter(l, key(1), now));
        g_assert_false(limits_enter(l, key(1), now + 2 * USEC_PER_SEC));
        for (int i = 0; i < 10; i++)
                limits_leave(l, key(1), now + 10 * USEC_PER_SEC);
        guint n = limits_n_addresses(l);
        g_assert_true(limits_enter(l, key(1), now + 10 * USEC_PER_SEC));
        g_assert_cmpuint(limits_n_addresses(l), ==, n + 1);
        limits_free(l);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/net/limits/open-connections", test_open);
        g_test_add_func("/net/limits/new-ones-a-second", test_rate);
        g_test_add_func("/net/limits/other-ones-while-connections-are-open", test_change);
        g_test_add_func("/net/limits/memory-is-bounded", test_memory);
        return g_test_run();
}

#include "imap/forest.h"

static void
no_loops(void)
{
        Forest f;

        forest_init(&f, 10);
        for (guint i = 1; i <= 4; i++)
                g_assert_cmpuint(forest_add(&f), ==, i);
        g_assert_false(forest_link(&f, 1, 1));
        g_assert_true(forest_link(&f, 1, 2));
        g_assert_true(forest_link(&f, 2, 3));
        g_assert_false(forest_link(&f, 3, 1));
        g_assert_cmpuint(forest_parent(&f, 3), ==, 2);
        forest_cut(&f, 2);
        g_assert_cmpuint(forest_parent(&f, 2), ==, 0);
        g_assert_true(forest_link(&f, 3, 1));
        g_assert_false(forest_link(&f, 1, 2));
        forest_done(&f);
}

static void
limit(void)
{
        Forest f;

        forest_init(&f, 2);
        g_assert_cmpuint(forest_add(&f), ==, 1);
        g_assert_cmpuint(forest_add(&f), ==, 2);
        g_assert_cmpuint(forest_add(&f), ==, 0);
        forest_done(&f);
}

/* The same by walking up. */
static gboolean
is_below(const guint32 *parent, guint32 node, guint32 above)
{
        for (; node != 0; node = parent[node])
                if (node == above)
                        return TRUE;
        return FALSE;
}

static void
as_walking_up(void)
{
        enum { N = 60, STEPS = 60000 };
        g_autoptr(GRand) random = g_rand_new_with_seed(5256);
        guint32 parent[N + 1] = {0};
        Forest f;

        forest_init(&f, N);
        for (guint i = 1; i <= N; i++)
                g_assert_cmpuint(forest_add(&f), ==, i);
        for (guint step = 0; step < STEPS; step++) {
                guint32 a = (guint32) g_rand_int_range(random, 1, N + 1),
                        b = (guint32) g_rand_int_range(random, 1, N + 1);
                if (parent[b] != 0 && g_rand_int_range(random, 0, 3) == 0) {
                        forest_cut(&f, b);
                        parent[b] = 0;
                }
                if (parent[b] != 0)
                        continue;
                gboolean is_loop = is_below(parent, a, b);
                g_assert_true(forest_link(&f, a, b) == !is_loop);
                if (!is_loop)
                        parent[b] = a;
                g_assert_cmpuint(forest_parent(&f, b), ==, parent[b]);
        }
        forest_done(&f);
}

/* Walking up would be 2 * 10^10 steps. */
static void
long_chain(void)
{
        enum { N = 200000 };
        Forest f;

        forest_init(&f, N);
        for (guint32 i = 1; i <= N; i++) {
                g_assert_cmpuint(forest_add(&f), ==, i);
                if (i > 1)
                        g_assert_true(forest_link(&f, i - 1, i));
                g_assert_false(forest_link(&f, i, 1));
        }
        forest_done(&f);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/forest/nothing is linked below itself", no_loops);
        g_test_add_func("/imap/forest/it has a limit", limit);
        g_test_add_func("/imap/forest/any links and cuts: the same as walking up", as_walking_up);
        g_test_add_func("/imap/forest/a chain of 200,000", long_chain);
        return g_test_run();
}

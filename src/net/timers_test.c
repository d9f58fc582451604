#include "net/timers.h"

enum { N = 500 };

static void
check_heap(const Timers *t)
{
        for (guint32 i = 1; i <= t->n; i++) {
                g_assert_cmpuint(t->heap[i]->place, ==, i);
                if (i > 1)
                        g_assert_cmpint(t->heap[i / 2]->at, <=, t->heap[i]->at);
        }
}

/* Against the plain way: look at all of them. */
static void
test_random(void)
{
        Timers t = {0};
        Timer *all = g_new0(Timer, N);

        for (int step = 0; step < 20000; step++) {
                Timer *timer = &all[g_test_rand_int_range(0, N)];
                if (g_test_rand_bit())
                        timers_set(&t, timer, g_test_rand_int_range(0, 1000));
                else
                        timers_remove(&t, timer);
                Usec least = USEC_NEVER;
                guint n = 0;
                for (int i = 0; i < N; i++) {
                        if (all[i].place == 0)
                                continue;
                        least = MIN(least, all[i].at);
                        n++;
                }
                g_assert_cmpuint(t.n, ==, n);
                if (n == 0)
                        g_assert_null(timers_first(&t));
                else
                        g_assert_cmpint(timers_first(&t)->at, ==, least);
                if (step % 100 == 0)
                        check_heap(&t);
        }
        timers_done(&t);
        g_free(all);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/net/timers/first-is-the-earliest", test_random);
        return g_test_run();
}

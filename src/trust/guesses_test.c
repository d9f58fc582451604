/* guesses_test.c -- ROUTING.md §7 in figures. */
#include "base/thread.h"
#include "trust/client.h"
#include "trust/internal.h"

static Usec the_time;

static Usec
read_time(void)
{
        return the_time;
}

static Guesses *
start(void)
{
        Guesses *guesses = guesses_new();

        the_time = 1000 * USEC_PER_HOUR;
        guesses_set_clock(guesses, read_time);
        return guesses;
}

/* One more unknown name, nN@ex.org. */
static GuessAnswer
guess(Guesses *guesses, const char *client, int n, guint *session, Usec *delay)
{
        g_autofree char *name = g_strdup_printf("n%d@ex.org", n);

        return guesses_unknown(guesses, client, span_of(name), session, delay);
}

static GuessAnswer
guess_many(Guesses *guesses, const char *client, int from, int n, guint *session)
{
        GuessAnswer answer = GUESS_OK;
        Usec delay;

        for (int i = from; i < from + n; i++)
                answer = guess(guesses, client, i, session, &delay);
        return answer;
}

static void
test_distinct(void)
{
        Guesses *guesses = start();
        guint session = 0;
        Usec delay, before = 0;

        for (int i = 1; i <= 10; i++)
                g_assert_cmpint(guess(guesses, "192.0.2.1", i, &session, &delay), ==, GUESS_OK);
        for (int i = 11; i <= 20; i++) {
                g_assert_cmpint(guess(guesses, "192.0.2.1", i, &session, &delay), ==, GUESS_SLOW);
                g_assert_cmpint(delay, >, before);
                before = delay;
        }
        g_assert_cmpint(guess(guesses, "192.0.2.1", 21, &session, &delay), ==, GUESS_CLOSE);
        g_assert_cmpuint(session, ==, 21);
        guesses_free(guesses);
}

static void
test_same_again(void)
{
        Guesses *guesses = start();
        guint session = 0;
        Usec delay;

        for (int i = 0; i < 30; i++)
                g_assert_cmpint(guesses_unknown(guesses, "192.0.2.1", span_of(i % 2 ? "x@ex.org" : "X@EX.org"),
                                                &session, &delay),
                                ==, GUESS_OK);
        g_assert_cmpuint(session, ==, 1);
        guesses_free(guesses);
}

static void
test_across_connections(void)
{
        Guesses *guesses = start();
        guint first = 0, second = 0;
        Usec delay;

        guess_many(guesses, "192.0.2.1", 0, 10, &first);
        g_assert_cmpint(guess(guesses, "192.0.2.1", 10, &second, &delay), ==, GUESS_SLOW);
        g_assert_cmpuint(second, ==, 1);
        g_assert_cmpint(guess(guesses, "192.0.2.2", 10, &second, &delay), ==, GUESS_OK);
        guesses_free(guesses);
}

static void
test_accepted(void)
{
        Guesses *guesses = start();
        guint session = 0;
        Usec delay;

        for (int i = 0; i < 30; i++)
                guesses_accepted(guesses, "192.0.2.1");
        g_assert_cmpint(guess_many(guesses, "192.0.2.1", 0, 30, &session), ==, GUESS_OK);
        g_assert_cmpint(guess(guesses, "192.0.2.1", 30, &session, &delay), ==, GUESS_CLOSE);
        the_time += 25 * USEC_PER_HOUR; /* a day later only what comes now counts */
        session = 0;
        g_assert_cmpint(guess_many(guesses, "192.0.2.1", 100, 10, &session), ==, GUESS_OK);
        g_assert_cmpint(guess(guesses, "192.0.2.1", 110, &session, &delay), ==, GUESS_SLOW);
        guesses_free(guesses);
}

static void
test_refused(void)
{
        Guesses *guesses = start();
        guint session = 0;

        guess_many(guesses, "192.0.2.1", 0, 99, &session);
        g_assert_false(guesses_is_refused(guesses, "192.0.2.1"));
        guess_many(guesses, "192.0.2.1", 99, 1, &session);
        g_assert_true(guesses_is_refused(guesses, "192.0.2.1"));
        g_assert_false(guesses_is_refused(guesses, "192.0.2.2"));
        the_time += 4 * USEC_PER_HOUR - 1;
        g_assert_true(guesses_is_refused(guesses, "192.0.2.1"));
        the_time += 1;
        g_assert_false(guesses_is_refused(guesses, "192.0.2.1"));
        guesses_free(guesses);
}

static void
test_slow_guessing(void)
{
        Guesses *guesses = start();
        guint session = 0;

        for (int i = 0; i < 10; i++) { /* 90 an hour */
                guess_many(guesses, "192.0.2.1", i * 90, 90, &session);
                the_time += USEC_PER_HOUR;
                g_assert_false(guesses_is_refused(guesses, "192.0.2.1"));
        }
        guesses_free(guesses);
}

static void
test_release(void)
{
        Guesses *guesses = start();
        guint session = 0;
        GuessRow *rows;

        guess_many(guesses, "192.0.2.1", 0, 100, &session);
        guess_many(guesses, "192.0.2.2", 0, 3, &session);
        guesses_accepted(guesses, "192.0.2.3");
        g_assert_cmpuint(guesses_list(guesses, 10, &rows), ==, 2);
        g_assert_cmpstr(rows[0].client, ==, "192.0.2.1");
        g_assert_cmpuint(rows[0].unknown, ==, 100);
        g_assert_cmpint(rows[0].refused_for, ==, 4 * USEC_PER_HOUR);
        g_assert_cmpint(rows[1].refused_for, ==, 0);
        g_free(rows);
        g_assert_cmpuint(guesses_list(guesses, 1, &rows), ==, 1);
        g_free(rows);
        g_assert_false(guesses_release(guesses, "192.0.2.9"));
        g_assert_true(guesses_release(guesses, "192.0.2.1"));
        g_assert_false(guesses_is_refused(guesses, "192.0.2.1"));
        g_assert_true(guesses_release(guesses, NULL));
        g_assert_false(guesses_release(guesses, NULL));
        g_assert_cmpuint(guesses_list(guesses, 10, &rows), ==, 0);
        g_free(rows);
        guesses_free(guesses);
}

static void
test_client_key(void)
{
        static const char *const CASES[][2] = {
                {"192.0.2.1", "192.0.2.1"},
                {"::ffff:192.0.2.1", "192.0.2.1"},
                {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
                {"2001:db8:1:2::9", "2001:db8:1:2::/64"},
                {"2001:db8:1:3::9", "2001:db8:1:3::/64"},
                {"unix", "unix"},
                {NULL, ""},
        };
        char key[CLIENT_KEY_OCTETS];

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++)
                g_assert_cmpstr(client_key(CASES[i][0], key), ==, CASES[i][1]);
}

static void
test_many_clients(void)
{
        Guesses *guesses = start();
        guint session = 0;
        GuessRow *rows;

        guess_many(guesses, "192.0.2.1", 0, 5, &session);
        for (int i = 0; i < 100000; i++) {
                g_autofree char *client = g_strdup_printf("10.%d.%d.%d", i >> 16, (i >> 8) & 255, i & 255);

                guess_many(guesses, client, 0, 1, &session);
        }
        gsize n = guesses_list(guesses, 200000, &rows);
        g_assert_cmpuint(n, ==, 100000);
        for (gsize i = 0; i < n; i++)
                g_assert_cmpstr(rows[i].client, !=, "192.0.2.1"); /* least recently seen */
        g_free(rows);
        guesses_free(guesses);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/trust/guesses/21-distinct-names-close-the-session", test_distinct);
        g_test_add_func("/trust/guesses/the-same-name-30-times-counts-once", test_same_again);
        g_test_add_func("/trust/guesses/counts-across-connections", test_across_connections);
        g_test_add_func("/trust/guesses/acts-only-while-more-is-unknown-than-accepted", test_accepted);
        g_test_add_func("/trust/guesses/refused-for-four-hours", test_refused);
        g_test_add_func("/trust/guesses/slow-guessing-is-not-refused-at-connect", test_slow_guessing);
        g_test_add_func("/trust/guesses/list-and-release", test_release);
        g_test_add_func("/trust/guesses/an-ipv6-client-is-its-64", test_client_key);
        g_test_add_func("/trust/guesses/100000-clients-and-not-one-more", test_many_clients);
        return g_test_run();
}

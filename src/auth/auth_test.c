/* auth_test.c -- passwords, what is remembered of them, and what guessing costs. */
#include "auth/site_test.h"

#include <sodium.h>

static AuthAnswer
check(Site *site, const char *client, const char *login, const char *password, Usec *ret_delay)
{
        const Account *account = NULL;
        GError *error = NULL;
        AuthAnswer answer = auth_check(site->auth, site->t.arena, client, span_of(login), span_of(password), &account,
                                       ret_delay, &error);

        g_assert_no_error(error);
        g_assert_true((answer == AUTH_OK) == (account != NULL));
        if (account != NULL)
                g_assert_true(span_is(account->address.local, "joe"));
        return answer;
}

static void
test_logins(void)
{
        static const char *const RIGHT[] = {"joe@ex.org", "JOE@EX.ORG", "joe@alias.org", "sales@ex.org"};
        static const char *const WRONG[] = {"joe",        "who@ex.org", "none@ex.org",      "joe@other.org",
                                            "two@ex.org", "",           "joe@ex.org@ex.org"};
        Site site;
        Usec delay;

        site_open(&site);
        test_make(&site.t, TEST_ALIAS, "sales@ex.org", "joe@ex.org");
        test_make(&site.t, TEST_ALIAS, "two@ex.org", "joe@ex.org none@ex.org");
        test_make(&site.t, TEST_BOUNCER, "joe@ex.org", NULL); /* stops mail, not the login */
        for (gsize i = 0; i < G_N_ELEMENTS(RIGHT); i++) {
                g_assert_cmpint(check(&site, "192.0.2.1", RIGHT[i], "right", &delay), ==, AUTH_OK);
                g_assert_cmpint(delay, ==, 0);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                g_assert_cmpint(check(&site, "192.0.2.1", WRONG[i], "right", &delay), ==, AUTH_WRONG);
        site_close(&site);
}

static void
test_same_answer(void)
{
        Site site;
        Usec wrong, unknown, empty, disabled;
        g_autofree char *longer = g_strnfill(2000, 'x');

        site_open(&site);
        g_assert_cmpint(crypto_pwhash_str_needs_rehash(AUTH_NOBODYS_HASH, HASH_PASSES, HASH_OCTETS), ==, 0);
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "wrong", &wrong), ==, AUTH_WRONG);
        g_assert_cmpint(check(&site, "192.0.2.2", "who@ex.org", "wrong", &unknown), ==, AUTH_WRONG);
        g_assert_cmpint(check(&site, "192.0.2.3", "joe@ex.org", "", &empty), ==, AUTH_WRONG);
        g_assert_cmpint(check(&site, "192.0.2.4", "joe@ex.org", longer, &empty), ==, AUTH_WRONG);
        test_make(&site.t, TEST_ACCOUNT_SET, "joe@ex.org", "disabled=yes");
        g_assert_cmpint(check(&site, "192.0.2.5", "joe@ex.org", "right", &disabled), ==, AUTH_WRONG);
        g_assert_cmpint(wrong, ==, USEC_PER_SEC);
        g_assert_cmpint(unknown, ==, wrong);
        g_assert_cmpint(disabled, ==, wrong);
        g_assert_cmpint(empty, ==, wrong);
        site_close(&site);
}

static void
test_delays(void)
{
        static const int SECONDS[] = {1, 2, 4, 8, 16, 30, 30};
        Delays delays;

        delays_init(&delays, USEC_PER_SEC, 30 * USEC_PER_SEC);
        for (gsize i = 0; i < G_N_ELEMENTS(SECONDS); i++)
                g_assert_cmpint(delays_failed(&delays, "2001:db8::1", the_time), ==, SECONDS[i] * USEC_PER_SEC);
        g_assert_cmpint(delays_failed(&delays, "2001:db8::2", the_time), ==, 30 * USEC_PER_SEC); /* the same /64 */
        g_assert_cmpint(delays_failed(&delays, "2001:db8:0:1::1", the_time), ==, USEC_PER_SEC);
        g_assert_cmpint(delays_failed(&delays, "2001:db8::1", the_time + 5 * DELAYS_FORGET), ==, 8 * USEC_PER_SEC);
        g_assert_cmpint(delays_failed(&delays, "2001:db8::1", the_time + 60 * DELAYS_FORGET), ==, USEC_PER_SEC);
        for (int i = 0; i < DELAYS_CLIENTS_MAX + 10; i++) {
                g_autofree char *client = g_strdup_printf("10.0.%d.%d", i >> 8, i & 255);

                (void) delays_failed(&delays, client, the_time);
        }
        g_assert_cmpuint(g_hash_table_size(delays.clients), <=, DELAYS_CLIENTS_MAX);
        delays_done(&delays);
}

static void
test_loopback(void)
{
        Site site;
        Usec delay;

        site_open(&site);
        for (int i = 0; i < 3; i++) {
                g_assert_cmpint(check(&site, "127.0.0.1", "joe@ex.org", "wrong", &delay), ==, AUTH_WRONG);
                g_assert_cmpint(delay, ==, 0);
        }
        g_assert_cmpint(check(&site, "127.0.0.2", "joe@ex.org", "wrong", &delay), ==, AUTH_WRONG);
        g_assert_cmpint(delay, ==, USEC_PER_SEC);
        g_assert_true(auth_allows_plaintext(site.auth, FALSE, TRUE));
        g_assert_false(auth_allows_plaintext(site.auth, FALSE, FALSE));
        g_assert_true(auth_allows_plaintext(site.auth, TRUE, FALSE));
        site.auth->is_loopback_site = FALSE;
        g_assert_false(auth_allows_plaintext(site.auth, FALSE, TRUE));
        g_assert_cmpint(check(&site, "127.0.0.1", "joe@ex.org", "wrong", &delay), ==, AUTH_WRONG);
        g_assert_cmpint(delay, ==, USEC_PER_SEC);
        site_close(&site);
}

/* With both turns taken and the line full only what is remembered can be answered. */
static void
fill_turns(Turns *turns)
{
        turns->working = TURNS_AT_ONCE;
        turns->waiting = TURNS_WAITING;
}

static void
empty_turns(Turns *turns)
{
        turns->working = turns->waiting = 0;
}

static void
test_remembered(void)
{
        Site site;
        Usec delay;

        site_open(&site);
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "right", &delay), ==, AUTH_OK);
        fill_turns(&site.auth->turns);
        g_assert_cmpint(check(&site, "192.0.2.2", "Joe@ex.org", "right", &delay), ==, AUTH_OK);
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "wrong", &delay), ==, AUTH_BUSY);
        g_assert_cmpint(delay, ==, 0);
        the_time += REMEMBERED_FOR - 1;
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "right", &delay), ==, AUTH_OK);
        the_time += 1;
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "right", &delay), ==, AUTH_BUSY);
        empty_turns(&site.auth->turns);
        site_close(&site);
}

static void
test_forgotten(void)
{
        Site site;
        Usec delay;

        site_open(&site);
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "right", &delay), ==, AUTH_OK);
        set_password(&site, "joe@ex.org", "other");
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "right", &delay), ==, AUTH_WRONG);
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "other", &delay), ==, AUTH_OK);
        test_make(&site.t, TEST_ACCOUNT_SET, "joe@ex.org", "disabled=yes");
        g_assert_cmpint(check(&site, "192.0.2.1", "joe@ex.org", "other", &delay), ==, AUTH_WRONG);
        site_close(&site);
}

static void
test_remembered_is_bounded(void)
{
        Remembered remembered;
        guint8 mac[MAC_OCTETS];

        remembered_init(&remembered);
        for (gint64 i = 0; i < REMEMBERED_MAX + 10; i++) {
                remembered_mac(&remembered, i, "hash", span_of("password"), mac);
                g_assert_false(remembered_has(&remembered, mac, the_time));
                remembered_add(&remembered, mac, the_time);
                g_assert_true(remembered_has(&remembered, mac, the_time));
        }
        g_assert_cmpuint(g_hash_table_size(remembered.until), <=, REMEMBERED_MAX);
        remembered_done(&remembered);
}

typedef struct Waiter {
        Turns *turns;
        Thread *thread;
        gint *inside, *most;
} Waiter;

static void
wait_in_line(gpointer data)
{
        Waiter *waiter = data;

        for (int i = 0; i < 200; i++) {
                g_assert_true(turns_take(waiter->turns));
                gint inside = g_atomic_int_add(waiter->inside, 1) + 1;
                if (inside > g_atomic_int_get(waiter->most))
                        g_atomic_int_set(waiter->most, inside);
                g_thread_yield();
                (void) g_atomic_int_add(waiter->inside, -1);
                turns_give(waiter->turns);
        }
}

static void
test_two_at_once(void)
{
        Turns turns;
        Waiter waiters[8];
        gint inside = 0, most = 0;

        turns_init(&turns);
        for (gsize i = 0; i < G_N_ELEMENTS(waiters); i++) {
                waiters[i] = (Waiter){.turns = &turns, .inside = &inside, .most = &most};
                waiters[i].thread = thread_new("waiter", wait_in_line, &waiters[i], NULL);
                g_assert_nonnull(waiters[i].thread);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(waiters); i++)
                thread_take_join(waiters[i].thread);
        g_assert_cmpint(most, <=, TURNS_AT_ONCE);
        g_assert_cmpuint(turns.working, ==, 0);
        g_assert_cmpuint(turns.waiting, ==, 0);
        turns_done(&turns);
}

static void
test_passwords(void)
{
        static const char *const WRONG[] = {"", "a\nb", "a\x7f", "\xff", NULL};
        g_autofree char *longer = g_strnfill(1001, 'a');
        GError *error = NULL;

        for (gsize i = 0; WRONG[i] != NULL; i++) {
                g_assert_null(auth_hash_password(WRONG[i], &error));
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
                g_clear_error(&error);
        }
        g_assert_null(auth_hash_password(longer, NULL));
        longer[1000] = '\0';
        g_autofree char *hash = auth_hash_password(longer, &error);
        g_assert_true(g_str_has_prefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$"));
        g_autofree char *again = auth_hash_password(longer, &error);
        g_assert_cmpstr(hash, !=, again);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/logins-by-address-and-alias", test_logins);
        g_test_add_func("/auth/unknown-wrong-and-disabled-read-the-same", test_same_answer);
        g_test_add_func("/auth/delays-double-and-heal", test_delays);
        g_test_add_func("/auth/loopback-site", test_loopback);
        g_test_add_func("/auth/a-success-is-remembered-ten-minutes-and-a-full-line-is-busy", test_remembered);
        g_test_add_func("/auth/a-changed-password-is-forgotten", test_forgotten);
        g_test_add_func("/auth/what-is-remembered-is-bounded", test_remembered_is_bounded);
        g_test_add_func("/auth/two-hashes-at-once", test_two_at_once);
        g_test_add_func("/auth/passwords-and-their-hashes RFC 9106", test_passwords);
        return g_test_run();
}

/* hold_test.c -- a session's hold on its account ends when the account is not its any more. */
#include "auth/site_test.h"

static void
count(gpointer data)
{
        ++*(guint *) data;
}

static AuthHold *
log_in(Site *site, guint *woken)
{
        GError *error = NULL;
        const Account *account;
        Usec delay;

        g_assert_cmpint(auth_check(site->auth, site->t.arena, "192.0.2.1", span_of("joe@ex.org"), span_of("right"),
                                   &account, &delay, &error),
                        ==, AUTH_OK);
        return auth_hold_new(site->auth, account, count, woken);
}

static AuthStanding
look(AuthHold *hold)
{
        GError *error = NULL;
        AuthStanding standing = auth_hold_look(hold, &error);

        g_assert_no_error(error);
        return standing;
}

static void
disable(Site *site)
{
        test_make(&site->t, TEST_ACCOUNT_SET, "joe@ex.org", "disabled=yes");
}

static void
change_password(Site *site)
{
        set_password(site, "joe@ex.org", "right"); /* the same again has another salt */
}

static void
remove_account(Site *site)
{
        GError *error = NULL;
        DbTxn *txn = db_begin(site->t.db, &error);

        g_assert_cmpint(directory_account_remove(site->t.directory, txn, "joe@ex.org", NULL, &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
}

static void
replace_account(Site *site)
{
        remove_account(site);
        test_make(&site->t, TEST_ACCOUNT, "joe@ex.org", NULL);
        set_password(site, "joe@ex.org", "right");
}

typedef void (*ChangeFn)(Site *site);

static void
test_ends(gconstpointer data)
{
        ChangeFn change = *(const ChangeFn *) data;
        guint woken = 0;
        Site site;

        site_open(&site);
        g_autoptr(AuthHold) hold = log_in(&site, &woken);
        g_assert_cmpint(look(hold), ==, AUTH_STANDING_HELD);
        change(&site);
        g_assert_cmpuint(woken, >, 0);
        g_assert_cmpint(look(hold), ==, AUTH_STANDING_ENDED);
        g_assert_cmpint(look(hold), ==, AUTH_STANDING_ENDED);
        g_clear_pointer(&hold, auth_hold_free);
        site_close(&site);
}

static void
test_race(void)
{
        guint woken = 0;
        Site site;

        site_open(&site);
        g_autoptr(AuthHold) hold = log_in(&site, &woken);
        disable(&site);
        g_assert_cmpint(look(hold), ==, AUTH_STANDING_ENDED);
        g_clear_pointer(&hold, auth_hold_free);
        site_close(&site);
}

static void
test_goes_on(void)
{
        guint woken = 0;
        Site site;

        site_open(&site);
        g_autoptr(AuthHold) hold = log_in(&site, &woken);
        test_make(&site.t, TEST_ACCOUNT, "ann@ex.org", NULL);
        set_password(&site, "ann@ex.org", "hers");
        g_assert_cmpuint(woken, ==, 0);
        g_assert_cmpint(look(hold), ==, AUTH_STANDING_HELD);
        g_assert_true(auth_hold_may_send(hold));
        test_make(&site.t, TEST_ACCOUNT_SET, "joe@ex.org", "may-send=no quota=1000");
        g_assert_cmpint(look(hold), ==, AUTH_STANDING_HELD);
        g_assert_false(auth_hold_may_send(hold));
        g_clear_pointer(&hold, auth_hold_free);
        site_close(&site);
}

int
main(int argc, char **argv)
{
        static const struct {
                const char *title;
                ChangeFn change;
        } ENDS[] = {
                {"/auth/hold/ends when the account is disabled", disable},
                {"/auth/hold/ends when its password is set", change_password},
                {"/auth/hold/ends when the account is removed", remove_account},
                {"/auth/hold/ends when another account has the address", replace_account},
        };

        g_test_init(&argc, &argv, NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(ENDS); i++)
                g_test_add_data_func(ENDS[i].title, &ENDS[i].change, test_ends);
        g_test_add_func("/auth/hold/ends when the account was disabled while its password was checked", test_race);
        g_test_add_func("/auth/hold/goes on when others change, and knows may-send as it is now", test_goes_on);
        return g_test_run();
}

/* site_test.h -- a directory with an account that can log in, for the tests of this room. */
#pragma once

#include "auth/internal.h"
#include "directory/testing.h"

static Usec the_time = 1000 * USEC_PER_HOUR;

static Usec
read_time(void)
{
        return the_time;
}

typedef struct Site {
        TestSite t;
        Auth *auth;
} Site;

G_GNUC_UNUSED static void
set_password(Site *site, const char *address, const char *password)
{
        GError *error = NULL;
        g_autofree char *hash = auth_hash_password(password, &error);
        DbTxn *txn = db_begin(site->t.db, &error);

        g_assert_cmpint(directory_account_password(site->t.directory, txn, address, hash, NULL, &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_assert_no_error(error);
}

G_GNUC_UNUSED static void
site_open(Site *site)
{
        const AuthSettings settings = {.is_loopback_site = TRUE};

        test_site_open(&site->t);
        site->auth = auth_new(site->t.directory, &settings);
        site->auth->now = read_time;
        test_make(&site->t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&site->t, TEST_DOMAIN, "alias.org", "kind=alias:ex.org");
        test_make(&site->t, TEST_ACCOUNT, "joe@ex.org", NULL);
        test_make(&site->t, TEST_ACCOUNT, "none@ex.org", NULL);
        set_password(site, "joe@ex.org", "right");
}

G_GNUC_UNUSED static void
site_close(Site *site)
{
        auth_free(site->auth);
        test_site_close(&site->t);
}

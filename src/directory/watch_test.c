/* watch_test.c -- who watches an account hears of what is changed of it, and of nothing else. */
#include "directory/testing.h"

static void
count(gpointer data)
{
        ++*(guint *) data;
}

static gint64
id_of(TestSite *site, const char *text)
{
        Address address;
        Entry entry = {0};

        g_assert_cmpint(address_parse(site->arena, span_of(text), TRUE, &address), ==, ADDRESS_OK);
        g_assert_cmpint(directory_entry(site->directory, site->arena, &address, &entry, NULL), ==, FOUND);
        return entry.account->id;
}

typedef Change (*ChangeFn)(TestSite *site, DbTxn *txn, GError **error);

static Change
new_password(TestSite *site, DbTxn *txn, GError **error)
{
        return directory_account_password(site->directory, txn, "joe@ex.org", "another", NULL, error);
}

static Change
removal(TestSite *site, DbTxn *txn, GError **error)
{
        return directory_account_remove(site->directory, txn, "joe@ex.org", NULL, error);
}

static void
change(TestSite *site, ChangeFn fn, gboolean commits)
{
        GError *error = NULL;
        g_autoptr(DbTxn) txn = db_begin(site->db, &error);

        g_assert_cmpint(fn(site, txn, &error), ==, CHANGE_DONE);
        if (commits)
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        g_assert_no_error(error);
}

static void
test_changes(void)
{
        TestSite site;
        guint n = 0, n_other = 0;

        test_site_open(&site);
        test_make(&site, TEST_DOMAIN, "ex.org", NULL);
        test_make(&site, TEST_ACCOUNT, "joe@ex.org", NULL);
        test_make(&site, TEST_ACCOUNT, "ann@ex.org", NULL);
        AccountWatch *joe = directory_watch_account(site.directory, id_of(&site, "joe@ex.org"), count, &n);
        AccountWatch *again = directory_watch_account(site.directory, id_of(&site, "joe@ex.org"), count, &n);
        AccountWatch *ann = directory_watch_account(site.directory, id_of(&site, "ann@ex.org"), count, &n_other);

        test_make(&site, TEST_ACCOUNT_SET, "joe@ex.org", "disabled=yes");
        g_assert_cmpuint(n, ==, 2);
        change(&site, new_password, FALSE);
        g_assert_cmpuint(n, ==, 2);
        change(&site, new_password, TRUE);
        g_assert_cmpuint(n, ==, 4);
        account_watch_free(again);
        change(&site, removal, TRUE);
        g_assert_cmpuint(n, ==, 5);
        g_assert_cmpuint(n_other, ==, 0);
        account_watch_free(joe);
        account_watch_free(ann);
        account_watch_free(NULL);
        test_site_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/directory/watch/committed changes of an account wake those who watch it, nobody else",
                        test_changes);
        return g_test_run();
}

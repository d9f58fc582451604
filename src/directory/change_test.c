/* change_test.c -- what administrators may say, and what they are told. */
#include "directory/testing.h"

static void
expect(TestSite *t, TestObject object, const char *name, const char *rest, Change wanted)
{
        g_autoptr(GError) error = NULL;
        Change answer = test_change(t, object, name, rest, &error);

        if (answer != wanted)
                g_error("%s %s: %d, not %d (%s)", name, rest != NULL ? rest : "", answer, wanted,
                        error != NULL ? error->message : "");
        g_assert_true((answer == CHANGE_DONE) == (error == NULL));
        if (error != NULL)
                g_assert_true(g_error_matches(error, RESTANTE_ERROR, FAULT_INPUT) && strlen(error->message) > 10);
}

static void
test_domains(void)
{
        static const char *const WRONG[] = {
                "kind=other",
                "kind=alias:",
                "kind=alias:nowhere.org",
                "kind=alias:new.org",
                "kind=alias:other.org",
                "kind=relay:",
                "envelope-header=To",
                "envelope-header=received",
                "envelope-header=a:b",
                "envelope-header=X\x7f",
                "envelope-header=Resent-To",
                "etrn=maybe",
                "source-address=here",
                "helo-name=a..b",
                "colour=red",
                "unknown=a\x01",
        };
        static const char *const NAMES[] = {"",        "a..b",  "-a.org", "[192.0.2.1]", "*",      "*.*.org",
                                            "a.*.org", "x.via", "*.via",  "via",         "a@b.org"};
        TestSite t;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_DOMAIN, "other.org", "kind=alias:ex.org");
        expect(&t, TEST_DOMAIN, "EX.org.", NULL, CHANGE_EXISTS);
        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
                expect(&t, TEST_DOMAIN, NAMES[i], NULL, CHANGE_INVALID);
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                expect(&t, TEST_DOMAIN, "new.org", WRONG[i], CHANGE_INVALID);
        expect(&t, TEST_DOMAIN_SET, "none.org", "etrn=yes", CHANGE_MISSING);
        expect(&t, TEST_DOMAIN_SET, "ex.org", "kind=hold:q", CHANGE_IN_USE); /* other.org names it */
        test_make(&t, TEST_ACCOUNT, "joe@ex.org", NULL);
        expect(&t, TEST_DOMAIN_SET, "ex.org", "kind=relay:far.org", CHANGE_IN_USE);
        expect(&t, TEST_DOMAIN_SET, "ex.org", "unknown=discard", CHANGE_DONE);
        expect(&t, TEST_DOMAIN,
               "b\xc3\xbc"
               "cher.example",
               NULL, CHANGE_DONE);
        expect(&t, TEST_DOMAIN, "xn--bcher-kva.example", NULL, CHANGE_EXISTS);
        test_site_close(&t);
}

static void
test_removing_domains(void)
{
        TestSite t;
        g_autoptr(GError) error = NULL;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_ALIAS, "a@ex.org", "b@far.org");
        DbTxn *txn = db_begin(t.db, &error);
        g_assert_cmpint(directory_domain_remove(t.directory, txn, "ex.org", &error), ==, CHANGE_IN_USE);
        g_clear_error(&error);
        g_assert_cmpint(directory_domain_remove(t.directory, txn, "no.org", &error), ==, CHANGE_MISSING);
        g_clear_error(&error);
        g_assert_cmpint(directory_alias_remove(t.directory, txn, "A@ex.org", &error), ==, CHANGE_DONE);
        g_assert_cmpint(directory_domain_remove(t.directory, txn, "EX.org", &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        const Domain *domains;
        gsize n;
        g_assert_true(directory_domains(t.directory, t.arena, &domains, &n, &error));
        g_assert_cmpuint(n, ==, 0);
        test_site_close(&t);
}

static void
test_accounts(void)
{
        static const char *const WRONG[] = {
                "joe",        "joe+x@ex.org",   "a*@ex.org",   "a%b@ex.org", "a!b@ex.org",
                "a/b@ex.org", "\"a b\"@ex.org", "@ex.org",     "joe@",       "joe@[192.0.2.1]",
                "",           "joe@alias.org",  "joe@away.org"};
        static const char *const KEYS[] = {"quota=-1",   "quota=1k",  "quota=99999999999999999999",
                                           "may-send=1", "atrn=a..b", "size=1"};
        TestSite t;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_DOMAIN, "alias.org", "kind=alias:ex.org");
        test_make(&t, TEST_DOMAIN, "away.org", "kind=relay:far.org");
        test_make(&t, TEST_ACCOUNT, "Joe@ex.org", NULL);
        expect(&t, TEST_ACCOUNT, "jOE@EX.org", NULL, CHANGE_EXISTS);
        expect(&t, TEST_ACCOUNT, "joe@none.org", NULL, CHANGE_MISSING);
        expect(&t, TEST_ACCOUNT, "jos\xc3\xa9@ex.org", NULL, CHANGE_DONE);
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                expect(&t, TEST_ACCOUNT, WRONG[i], NULL, CHANGE_INVALID);
        for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++) {
                expect(&t, TEST_ACCOUNT, "new@ex.org", KEYS[i], CHANGE_INVALID);
                expect(&t, TEST_ACCOUNT_SET, "joe@ex.org", KEYS[i], CHANGE_INVALID);
        }
        expect(&t, TEST_ACCOUNT_SET, "new@ex.org", "quota=1", CHANGE_MISSING);
        test_site_close(&t);
}

static void
test_postmaster_account(void)
{
        TestSite t;
        g_autoptr(GError) error = NULL;
        gint64 id = 0;

        test_site_open(&t);
        directory_set_postmaster(t.directory, "Boss@ex.org");
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_ACCOUNT, "boss@ex.org", NULL);
        expect(&t, TEST_ACCOUNT_SET, "boss@ex.org", "disabled=yes", CHANGE_IN_USE);
        expect(&t, TEST_ACCOUNT_SET, "boss@ex.org", "quota=5", CHANGE_DONE);
        DbTxn *txn = db_begin(t.db, &error);
        g_assert_cmpint(directory_account_remove(t.directory, txn, "BOSS@ex.org", &id, &error), ==, CHANGE_IN_USE);
        g_clear_error(&error);
        directory_set_postmaster(t.directory, "ann@ex.org");
        g_assert_cmpint(directory_account_remove(t.directory, txn, "BOSS@ex.org", &id, &error), ==, CHANGE_DONE);
        g_assert_cmpint(id, >, 0);
        g_assert_cmpint(directory_account_remove(t.directory, txn, "boss@ex.org", &id, &error), ==, CHANGE_MISSING);
        db_txn_free(txn);
        test_site_close(&t);
}

static void
test_aliases(void)
{
        static const char *const WRONG[] = {"a",         "a@",  "@ex.org", "*a@ex.org", "a*b@ex.org",
                                            "**@ex.org", "*@*", "a*@*",    "a@*.org",   "a@[192.0.2.1]"};
        static const char *const TARGETS[] = {"", "a", "postmaster", "a@", "x@host.via", "x%y@host._via", "<a@b.org>"};
        TestSite t;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                expect(&t, TEST_ALIAS, WRONG[i], "b@ex.org", CHANGE_INVALID);
        for (gsize i = 0; i < G_N_ELEMENTS(TARGETS); i++)
                expect(&t, TEST_ALIAS, "a@ex.org", TARGETS[i], CHANGE_INVALID);
        expect(&t, TEST_ALIAS, "a@ex.org", "b@ex.org", CHANGE_DONE);
        expect(&t, TEST_ALIAS, "A@ex.org", "c@ex.org", CHANGE_EXISTS);
        expect(&t, TEST_GROUP, "a@ex.org", "c@ex.org", CHANGE_EXISTS);
        expect(&t, TEST_BOUNCER, "a@ex.org", NULL, CHANGE_DONE);
        expect(&t, TEST_BOUNCER, "a@ex.org", NULL, CHANGE_EXISTS);
        expect(&t, TEST_ALIAS, "x@nothosted.org", "a@ex.org", CHANGE_MISSING);
        expect(&t, TEST_GROUP, "g*@ex.org", "a@ex.org", CHANGE_INVALID);
        expect(&t, TEST_GROUP, "g@*", "a@ex.org", CHANGE_INVALID);
        expect(&t, TEST_GROUP, "g@ex.org", "a@ex.org post=everybody", CHANGE_INVALID);
        expect(&t, TEST_GROUP, "g@ex.org", "a@ex.org colour=red", CHANGE_INVALID);
        expect(&t, TEST_BOUNCER, "*@ex.org", NULL, CHANGE_INVALID);
        expect(&t, TEST_BOUNCER, "Postmaster@ex.org", NULL, CHANGE_INVALID);
        expect(&t, TEST_BOUNCER, "b@ex.org", "code=450", CHANGE_INVALID);
        expect(&t, TEST_BOUNCER, "b@ex.org", "until=tomorrow", CHANGE_INVALID);
        expect(&t, TEST_BOUNCER, "b@ex.org", "after=0", CHANGE_INVALID);
        expect(&t, TEST_BOUNCER, "b@ex.org", "text=a\tb", CHANGE_INVALID);
        expect(&t, TEST_BOUNCER, "b@ex.org", "colour=red", CHANGE_INVALID);
        test_site_close(&t);
}

static void
test_too_many_targets(void)
{
        TestSite t;
        g_autoptr(GString) targets = g_string_new("a0@ex.org");

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        for (int i = 1; i < DIRECTORY_TARGETS_MAX; i++)
                g_string_append_printf(targets, " a%d@ex.org", i);
        expect(&t, TEST_ALIAS, "most@ex.org", targets->str, CHANGE_DONE);
        g_string_append(targets, " more@ex.org");
        expect(&t, TEST_ALIAS, "more@ex.org", targets->str, CHANGE_INVALID);
        test_site_close(&t);
}

/* Lists ----------------------------------------------------------------------------------------------------------- */

static void
test_account_pages(void)
{
        TestSite t;
        GError *error = NULL;
        const Account *at;
        const char *after = NULL;
        gsize n, total = 0;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_DOMAIN, "two.org", NULL);
        for (int i = 0; i < 7; i++) {
                g_autofree char *name = g_strdup_printf("N%d@ex.org", i);

                test_make(&t, TEST_ACCOUNT, name, NULL);
        }
        test_make(&t, TEST_ACCOUNT, "a@two.org", NULL);
        do {
                g_assert_true(directory_list_accounts(t.directory, t.arena, NULL, after, 3, &at, &n, &error));
                total += n;
                if (n > 0)
                        after = arena_strndup(t.arena, address_text(t.arena, &at[n - 1].address));
        } while (n > 0);
        g_assert_cmpuint(total, ==, 8);
        g_assert_true(directory_list_accounts(t.directory, t.arena, "TWO.org", NULL, 100, &at, &n, &error));
        g_assert_cmpuint(n, ==, 1);
        g_assert_false(directory_list_accounts(t.directory, t.arena, "a..b", NULL, 100, &at, &n, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        g_error_free(error);
        test_site_close(&t);
}

static void
test_alias_pages(void)
{
        TestSite t;
        GError *error = NULL;
        const AliasRow *at;
        const char *after = NULL;
        gsize n;
        g_autoptr(GString) all = g_string_new(NULL);

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_ALIAS, "*@ex.org", "j@ex.org");
        test_make(&t, TEST_ALIAS, "s*@ex.org", "j@ex.org");
        test_make(&t, TEST_ALIAS, "both@ex.org", "j@ex.org k@ex.org");
        test_make(&t, TEST_BOUNCER, "both@ex.org", "code=559");
        test_make(&t, TEST_GROUP, "g@ex.org", "j@ex.org post=authenticated");
        test_make(&t, TEST_ALIAS, "help@*", "j@ex.org");
        test_make(&t, TEST_ALIAS, "\"a b\"@ex.org", "j@ex.org");
        do {
                g_assert_true(directory_list_aliases(t.directory, t.arena, NULL, after, 1, &at, &n, &error));
                for (gsize i = 0; i < n; i++)
                        g_string_append_printf(all, "%s %s %zu; ", at[i].kind, at[i].address, at[i].n_targets);
                if (n > 0)
                        after = at[n - 1].address;
        } while (n > 0);
        g_assert_cmpstr(all->str, ==,
                        "alias help@* 1; catchall *@ex.org 1; alias \"a b\"@ex.org 1; alias both@ex.org 2; bouncer "
                        "both@ex.org 0; "
                        "group g@ex.org 1; prefix s*@ex.org 1; ");
        test_site_close(&t);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/directory/change/domains", test_domains);
        g_test_add_func("/directory/change/a-domain-in-use-stays", test_removing_domains);
        g_test_add_func("/directory/change/accounts", test_accounts);
        g_test_add_func("/directory/change/the-postmasters-account-stays RFC 5321 §4.5.1", test_postmaster_account);
        g_test_add_func("/directory/change/aliases-groups-bouncers", test_aliases);
        g_test_add_func("/directory/change/1000-targets-and-not-one-more", test_too_many_targets);
        g_test_add_func("/directory/list/accounts-in-pages", test_account_pages);
        g_test_add_func("/directory/list/aliases-of-one-address-on-one-page", test_alias_pages);
        return g_test_run();
}

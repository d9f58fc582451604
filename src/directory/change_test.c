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

static gint64
id_of_new(TestSite *t, const char *address)
{
        g_autoptr(GError) error = NULL;
        DbTxn *txn = db_begin(t->db, &error);
        gint64 id = 0;

        g_assert_cmpint(directory_account_add(t->directory, txn, address, NULL, NULL, 0, &id, &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        return id;
}

/* Sessions and rows of other rooms go by the id. */
static void
test_ids_are_given_once(void)
{
        TestSite t;
        g_autoptr(GError) error = NULL;
        gint64 last = 0;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        for (guint i = 0; i < 3; i++) {
                gint64 removed, id = id_of_new(&t, i == 1 ? "ann@ex.org" : "joe@ex.org");
                g_assert_cmpint(id, >, last);
                last = id;
                DbTxn *txn = db_begin(t.db, &error);
                g_assert_cmpint(directory_account_remove(t.directory, txn, i == 1 ? "ann@ex.org" : "joe@ex.org",
                                                         &removed, &error),
                                ==, CHANGE_DONE);
                g_assert_cmpint(removed, ==, id);
                g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        }
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

/* Templates and administrators ------------------------------------------------------------------------------------ */

static Change
template_change(TestSite *t, gboolean is_new, const char *name, const char *pairs, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin(t->db, error);
        gsize n;
        const KeyValue *list = test_pairs(t, pairs, &n);
        Change answer = is_new ? directory_template_add(t->directory, txn, name, list, n, error)
                               : directory_template_set(t->directory, txn, name, list, n, error);

        if (answer == CHANGE_DONE)
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), error), ==, DB_COMMITTED);
        return answer;
}

static Change
template_remove(TestSite *t, const char *name)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin(t->db, &error);
        Change answer = directory_template_remove(t->directory, txn, name, &error);

        if (answer == CHANGE_DONE)
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        return answer;
}

static gint64
quota_of(TestSite *t, const char *text)
{
        g_autoptr(GError) error = NULL;
        const Address address = test_address(t, text);
        Entry entry = {0};

        g_assert_cmpint(directory_entry(t->directory, t->arena, &address, &entry, &error), ==, FOUND);
        return entry.account->quota_octets;
}

static void
test_templates(void)
{
        static const struct {
                const char *name, *pairs;
                Change answer;
        } CASES[] = {
                {"default", NULL, CHANGE_EXISTS},
                {"", NULL, CHANGE_INVALID},
                {"a b", NULL, CHANGE_INVALID},
                {"t", "colour=red", CHANGE_INVALID},
                {"t", "quota=much", CHANGE_INVALID},
                {"t", "alias=Team", CHANGE_INVALID},
                {"t", "alias=Team:", CHANGE_INVALID},
                {"t", "alias=:~ann/Team", CHANGE_INVALID},
                {"t", "mailboxes=Sent special-use=Sent:outgoing", CHANGE_INVALID},
                {"t", "special-use=Sent:sent", CHANGE_INVALID}, /* not among its mailboxes */
                {"t", "mailboxes=Sent,Team alias=Team:~office/Team", CHANGE_INVALID}, /* one name, two mailboxes */
                {"t", "alias=inbox:~office/Team", CHANGE_INVALID},
                {"t", "mailboxes=A,,B", CHANGE_INVALID},
                {"t", "mailboxes=Sent,Work/2026 special-use=Sent:SENT alias=Team:~office/Team quota=1000", CHANGE_DONE},
                {"t", NULL, CHANGE_EXISTS},
        };
        TestSite t;
        Template template;
        g_autoptr(GError) error = NULL;

        test_site_open(&t);
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(GError) why = NULL;

                g_assert_cmpint(template_change(&t, TRUE, CASES[i].name, CASES[i].pairs, &why), ==, CASES[i].answer);
                g_assert_true((why == NULL) == (CASES[i].answer == CHANGE_DONE));
        }
        DbTxn *txn = db_begin_read(t.db, &error);
        g_assert_cmpint(directory_template(txn, t.arena, "t", &template, &error), ==, FOUND);
        g_assert_cmpuint(template.mailboxes.n, ==, 2);
        g_assert_cmpstr(template.mailboxes.at[1].name, ==, "Work/2026");
        g_assert_cmpstr(template.special_uses.at[0].value, ==, "sent");
        g_assert_cmpstr(template.aliases.at[0].value, ==, "~office/Team");
        g_assert_cmpint(directory_template(txn, t.arena, "u", &template, &error), ==, FOUND_NOT);
        g_assert_cmpint(directory_template(txn, t.arena, "default", &template, &error), ==, FOUND);
        g_assert_cmpuint(template.mailboxes.n, ==, 5);
        g_assert_cmpuint(template.special_uses.n, ==, 5);
        db_txn_free(txn);
        g_assert_cmpint(template_remove(&t, "default"), ==, CHANGE_IN_USE);
        g_assert_cmpint(template_remove(&t, "u"), ==, CHANGE_MISSING);
        g_assert_cmpint(template_remove(&t, "t"), ==, CHANGE_DONE);
        test_site_close(&t);
}

static void
test_template_quotas(void)
{
        TestSite t;
        g_autoptr(GError) error = NULL;

        test_site_open(&t);
        g_assert_cmpint(template_change(&t, TRUE, "office", "quota=1000", &error), ==, CHANGE_DONE);
        expect(&t, TEST_DOMAIN, "ex.org", "template=none", CHANGE_INVALID);
        test_make(&t, TEST_DOMAIN, "ex.org", "template=office");
        test_make(&t, TEST_ACCOUNT, "joe@ex.org", NULL);
        test_make(&t, TEST_ACCOUNT, "ann@ex.org", "quota=5");
        test_make(&t, TEST_ACCOUNT, "max@ex.org", "quota=0");
        test_make(&t, TEST_ACCOUNT, "out@ex.org", "template=default");
        expect(&t, TEST_ACCOUNT, "new@ex.org", "template=none", CHANGE_INVALID);
        g_assert_cmpint(quota_of(&t, "joe@ex.org"), ==, 1000);
        g_assert_cmpint(quota_of(&t, "ann@ex.org"), ==, 5);
        g_assert_cmpint(quota_of(&t, "max@ex.org"), ==, 0);
        g_assert_cmpint(quota_of(&t, "out@ex.org"), ==, 0);
        g_assert_cmpint(template_change(&t, FALSE, "office", "quota=2000", &error), ==, CHANGE_DONE);
        g_assert_cmpint(quota_of(&t, "joe@ex.org"), ==, 2000);
        test_make(&t, TEST_ACCOUNT_SET, "joe@ex.org", "may-send=no"); /* leaves the quota to the template */
        g_assert_cmpint(template_change(&t, FALSE, "office", "quota=3000", &error), ==, CHANGE_DONE);
        g_assert_cmpint(quota_of(&t, "joe@ex.org"), ==, 3000);
        test_make(&t, TEST_ACCOUNT_SET, "ann@ex.org", "quota=");
        g_assert_cmpint(quota_of(&t, "ann@ex.org"), ==, 3000);
        g_assert_cmpint(template_remove(&t, "office"), ==, CHANGE_IN_USE);
        test_site_close(&t);
}

static guint
admin_rights(TestSite *t, const char *account, const char *domain)
{
        g_autoptr(GError) error = NULL;
        const Address address = test_address(t, account);
        Entry entry = {0};
        guint rights = 99;

        g_assert_cmpint(directory_entry(t->directory, t->arena, &address, &entry, &error), ==, FOUND);
        g_assert_true(
                directory_admin_rights(t->directory, t->arena, entry.account->id, span_of(domain), &rights, &error));
        return rights;
}

static void
test_administrators(void)
{
        TestSite t;
        g_autoptr(GError) error = NULL;
        gint64 id = 0;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_ACCOUNT, "joe@ex.org", NULL);
        g_assert_cmpuint(admin_rights(&t, "joe@ex.org", "ex.org"), ==, 0);
        expect(&t, TEST_ACCOUNT_SET, "joe@ex.org", "admin-rights=read-mail", CHANGE_INVALID); /* to whom? */
        expect(&t, TEST_ACCOUNT_SET, "joe@ex.org", "admin=a..b", CHANGE_INVALID);
        expect(&t, TEST_ACCOUNT_SET, "joe@ex.org", "admin=server admin-rights=all", CHANGE_INVALID);
        test_make(&t, TEST_ACCOUNT_SET, "joe@ex.org", "admin=EX.org,two.org");
        g_assert_cmpuint(admin_rights(&t, "joe@ex.org", "ex.org"), ==, 0);
        test_make(&t, TEST_ACCOUNT_SET, "joe@ex.org", "admin-rights=read-mail");
        g_assert_cmpuint(admin_rights(&t, "joe@ex.org", "Two.org"), ==, ADMIN_READ_MAIL);
        g_assert_cmpuint(admin_rights(&t, "joe@ex.org", "far.org"), ==, 0);
        test_make(&t, TEST_ACCOUNT_SET, "joe@ex.org", "admin=server");
        g_assert_cmpuint(admin_rights(&t, "joe@ex.org", "far.org"), ==, ADMIN_READ_MAIL);
        test_make(&t, TEST_ACCOUNT_SET, "joe@ex.org", "admin= admin-rights=");
        g_assert_cmpuint(admin_rights(&t, "joe@ex.org", "ex.org"), ==, 0);

        /* an account that takes the id of one that is gone is no administrator */
        test_make(&t, TEST_ACCOUNT, "boss@ex.org", "admin=server admin-rights=read-mail");
        g_assert_cmpuint(admin_rights(&t, "boss@ex.org", "ex.org"), ==, ADMIN_READ_MAIL);
        DbTxn *txn = db_begin(t.db, &error);
        g_assert_cmpint(directory_account_remove(t.directory, txn, "boss@ex.org", &id, &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        test_make(&t, TEST_ACCOUNT, "new@ex.org", NULL);
        g_assert_cmpuint(admin_rights(&t, "new@ex.org", "ex.org"), ==, 0);
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
        g_test_add_func("/directory/change/an-id-of-an-account-is-given-once", test_ids_are_given_once);
        g_test_add_func("/directory/change/aliases-groups-bouncers", test_aliases);
        g_test_add_func("/directory/change/1000-targets-and-not-one-more", test_too_many_targets);
        g_test_add_func("/directory/change/templates", test_templates);
        g_test_add_func("/directory/change/quotas-of-a-template-hold-where-none-is-set", test_template_quotas);
        g_test_add_func("/directory/change/administrators", test_administrators);
        g_test_add_func("/directory/list/accounts-in-pages", test_account_pages);
        g_test_add_func("/directory/list/aliases-of-one-address-on-one-page", test_alias_pages);
        return g_test_run();
}

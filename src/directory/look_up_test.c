/* look_up_test.c -- what is found where, from the cache and after changes. */
#include "directory/internal.h"
#include "directory/testing.h"

static const Domain *
domain_of(TestSite *t, const char *name)
{
        const Domain *domain = NULL;
        GError *error = NULL;
        Found found = directory_domain(t->directory, t->arena, span_of(name), &domain, &error);

        g_assert_no_error(error);
        g_assert_cmpint(found, !=, FOUND_FAILED);
        return found == FOUND ? domain : NULL;
}

static Found
entry_of(TestSite *t, const char *text, Entry *ret)
{
        GError *error = NULL;
        Address address = test_address(t, text);

        *ret = (Entry){0};
        Found found = directory_entry(t->directory, t->arena, &address, ret, &error);
        g_assert_no_error(error);
        return found;
}

static void
test_domains(void)
{
        TestSite t;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org",
                  "unknown=bounce envelope-header=X-Envelope-To etrn=yes helo-name=MX.ex.org source-address=192.0.2.1");
        test_make(&t, TEST_DOMAIN, "*.ex.org", "kind=relay:[192.0.2.1]:26");
        test_make(&t, TEST_DOMAIN, "*.deep.ex.org", "kind=hold:slow");
        for (int round = 0; round < 2; round++) { /* from the database, then from the cache */
                const Domain *d = domain_of(&t, "EX.org");

                g_assert_cmpstr(d->name, ==, "ex.org");
                g_assert_cmpint(d->kind, ==, DOMAIN_LOCAL);
                g_assert_cmpstr(d->unknown, ==, "bounce");
                g_assert_cmpstr(d->envelope_header, ==, "X-Envelope-To");
                g_assert_cmpstr(d->helo_name, ==, "mx.ex.org");
                g_assert_cmpstr(d->source_address, ==, "192.0.2.1");
                g_assert_true(d->etrn);
                g_assert_null(d->next_hop);
                g_assert_cmpstr(domain_of(&t, "a.ex.org")->target, ==, "[192.0.2.1]:26");
                g_assert_cmpstr(domain_of(&t, "a.b.ex.org")->name, ==, "*.ex.org");
                g_assert_cmpstr(domain_of(&t, "x.deep.ex.org")->target, ==, "slow");
                g_assert_cmpstr(domain_of(&t, "deep.ex.org")->name, ==, "*.ex.org");
                g_assert_null(domain_of(&t, "xex.org"));
                g_assert_null(domain_of(&t, "org"));
                g_assert_null(domain_of(&t, ""));
        }
        test_site_close(&t);
}

static void
test_entries(void)
{
        TestSite t;
        Entry e;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_DOMAIN, "two.org", NULL);
        test_make(&t, TEST_ACCOUNT, "Joe.Doe@ex.org", "quota=1000 quota-messages=20 may-send=no atrn=A.org,b.org");
        test_make(&t, TEST_ALIAS, "joe.doe@ex.org", "ann@other.org joe.doe@ex.org");
        test_make(&t, TEST_BOUNCER, "joe.doe@ex.org", "code=553 after=3");
        test_make(&t, TEST_GROUP, "all@ex.org", "a@ex.org b@ex.org post=members");
        test_make(&t, TEST_ALIAS, "help@*", "joe.doe@ex.org");
        test_make(&t, TEST_BOUNCER, "help@two.org", NULL);
        for (int round = 0; round < 2; round++) {
                g_assert_cmpint(entry_of(&t, "JOE.DOE@ex.org", &e), ==, FOUND);
                g_assert_true(span_equal(e.account->address.local, span_of("Joe.Doe")));
                g_assert_cmpint(e.account->quota_octets, ==, 1000);
                g_assert_cmpint(e.account->quota_messages, ==, 20);
                g_assert_false(e.account->may_send);
                g_assert_false(e.account->has_password);
                g_assert_cmpstr(e.account->atrn, ==, "a.org,b.org");
                g_assert_cmpuint(e.n_alias, ==, 2);
                g_assert_true(span_is(e.alias[1].local, "joe.doe"));
                g_assert_cmpuint(e.bouncer->code, ==, 553);
                g_assert_cmpuint(e.bouncer->after, ==, 3);
                g_assert_false(e.bouncer->is_active);
                g_assert_cmpint(entry_of(&t, "all@ex.org", &e), ==, FOUND);
                g_assert_cmpuint(e.n_group, ==, 2);
                g_assert_cmpint(e.group_post, ==, POST_MEMBERS);
                g_assert_null(e.account);
                g_assert_cmpint(entry_of(&t, "help@ex.org", &e), ==, FOUND);
                g_assert_cmpuint(e.n_alias, ==, 1);
                g_assert_cmpint(entry_of(&t, "help@two.org", &e), ==, FOUND);
                g_assert_cmpuint(e.n_alias, ==, 0); /* something exact is there */
                g_assert_true(e.bouncer->is_active);
                g_assert_cmpint(entry_of(&t, "nobody@ex.org", &e), ==, FOUND_NOT);
        }
        test_site_close(&t);
}

static void
test_star_names(void)
{
        TestSite t;
        Entry e;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_ALIAS, "sales*@ex.org", "a@ex.org");
        test_make(&t, TEST_ALIAS, "*@ex.org", "b@ex.org");
        g_assert_cmpint(entry_of(&t, "sales*@ex.org", &e), ==, FOUND_NOT); /* an address, no pattern */
        g_assert_cmpint(entry_of(&t, "*@ex.org", &e), ==, FOUND_NOT);
        test_site_close(&t);
}

static void
test_patterns(void)
{
        TestSite t;
        GError *error = NULL;
        const Address *at;
        gsize n;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_DOMAIN, "two.org", NULL);
        test_make(&t, TEST_ALIAS, "Sa*@ex.org", "short@ex.org");
        test_make(&t, TEST_ALIAS, "sales-*@ex.org", "long@ex.org far@other.org");
        test_make(&t, TEST_ALIAS, "*@two.org", "all@ex.org");
        for (int round = 0; round < 2; round++) {
                Address a = test_address(&t, "SALES-1@ex.org"), b = test_address(&t, "sam@ex.org"),
                        c = test_address(&t, "s@ex.org");
                Address d = test_address(&t, "sales-1@two.org");

                g_assert_cmpint(directory_prefix(t.directory, t.arena, &a, &at, &n, &error), ==, FOUND);
                g_assert_cmpuint(n, ==, 2);
                g_assert_true(span_is(at[0].local, "long"));
                g_assert_cmpint(directory_prefix(t.directory, t.arena, &b, &at, &n, &error), ==, FOUND);
                g_assert_true(span_is(at[0].local, "short"));
                g_assert_cmpint(directory_prefix(t.directory, t.arena, &c, &at, &n, &error), ==, FOUND_NOT);
                g_assert_cmpint(directory_prefix(t.directory, t.arena, &d, &at, &n, &error), ==, FOUND_NOT);
                g_assert_cmpint(directory_catchall(t.directory, t.arena, span_of("TWO.org"), &at, &n, &error), ==,
                                FOUND);
                g_assert_true(span_is(at[0].local, "all"));
                g_assert_cmpint(directory_catchall(t.directory, t.arena, span_of("ex.org"), &at, &n, &error), ==,
                                FOUND_NOT);
        }
        test_site_close(&t);
}

static void
test_account_by_id(void)
{
        TestSite t;
        GError *error = NULL;
        Entry e;
        const Account *account = NULL;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_ACCOUNT, "joe@ex.org", NULL);
        g_assert_cmpint(entry_of(&t, "joe@ex.org", &e), ==, FOUND);
        g_assert_cmpint(directory_account_by_id(t.directory, t.arena, e.account->id, &account, &error), ==, FOUND);
        g_assert_true(span_is(account->address.local, "joe"));
        g_assert_cmpint(directory_account_by_id(t.directory, t.arena, e.account->id + 1, &account, &error), ==,
                        FOUND_NOT);
        test_site_close(&t);
}

/* Changes --------------------------------------------------------------------------------------------------------- */

static void
test_rolled_back(void)
{
        TestSite t;
        Entry e;
        GError *error = NULL;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        guint64 generation = directory_generation(t.directory);
        DbTxn *txn = db_begin(t.db, &error);
        g_assert_cmpint(directory_account_add(t.directory, txn, "joe@ex.org", NULL, NULL, 0, NULL, &error), ==,
                        CHANGE_DONE);
        g_assert_cmpint(entry_of(&t, "joe@ex.org", &e), ==, FOUND_NOT);
        db_txn_free(txn);
        g_assert_cmpint(entry_of(&t, "joe@ex.org", &e), ==, FOUND_NOT);
        g_assert_cmpuint(directory_generation(t.directory), ==, generation);
        test_make(&t, TEST_ACCOUNT, "joe@ex.org", NULL);
        g_assert_cmpuint(directory_generation(t.directory), ==, generation + 1);
        g_assert_cmpint(entry_of(&t, "joe@ex.org", &e), ==, FOUND);
        test_site_close(&t);
}

/* A reader that began before a change and ends after it. */
static void
test_stale_record(void)
{
        Cache cache;
        guint64 epoch, later;
        Span key = span_of("joe@ex.org");

        cache_init(&cache, 1024 * 1024);
        guint hash = cache_hash(&cache, RECORD_ENTRY, key);
        g_assert_null(cache_find(&cache, RECORD_ENTRY, hash, key, &epoch));
        Record *stale = record_new(RECORD_ENTRY, hash, key, NULL);
        cache_empty(&cache);
        cache_add(&cache, stale, epoch);
        g_assert_null(cache_find(&cache, RECORD_ENTRY, hash, key, &later));
        cache_add(&cache, stale, later);
        Record *found = cache_find(&cache, RECORD_ENTRY, hash, key, &later);
        g_assert_true(found == stale);
        record_unref(found);
        cache_forget(&cache, RECORD_ENTRY, key);
        g_assert_null(cache_find(&cache, RECORD_ENTRY, hash, key, &epoch));
        cache_add(&cache, stale, later); /* forgetting one is a change as well */
        g_assert_null(cache_find(&cache, RECORD_ENTRY, hash, key, &epoch));
        record_unref(stale);
        cache_done(&cache);
}

static void
test_bounded(void)
{
        Cache cache;
        guint64 epoch;
        gsize octets = 0;
        GHashTableIter iter;
        gpointer record;

        cache_init(&cache, 64 * 1024);
        for (int i = 0; i < 5000; i++) {
                g_autofree char *name = g_strdup_printf("n%d@ex.org", i);
                Span key = span_of(name), kept = span_of("joe@ex.org");
                guint hash = cache_hash(&cache, RECORD_ENTRY, key), kept_hash = cache_hash(&cache, RECORD_ENTRY, kept);

                g_assert_null(cache_find(&cache, RECORD_ENTRY, hash, key, &epoch));
                Record *made = record_new(RECORD_ENTRY, hash, key, NULL);
                cache_add(&cache, made, epoch);
                record_unref(made);
                Record *used = cache_find(&cache, RECORD_ENTRY, kept_hash, kept, &epoch);
                g_assert_true(i == 0 || used != NULL); /* what is used stays */
                if (used == NULL)
                        cache_add(&cache, used = record_new(RECORD_ENTRY, kept_hash, kept, NULL), epoch);
                record_unref(used);
        }
        g_hash_table_iter_init(&iter, cache.young);
        while (g_hash_table_iter_next(&iter, &record, NULL))
                octets += ((Record *) record)->octets;
        g_hash_table_iter_init(&iter, cache.old);
        while (g_hash_table_iter_next(&iter, &record, NULL))
                octets += ((Record *) record)->octets;
        g_assert_cmpuint(octets, <=, 64 * 1024);
        cache_done(&cache);
}

static void
test_cached_needs_no_database(void)
{
        TestSite t;
        Entry e;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_ACCOUNT, "joe@ex.org", NULL);
        g_assert_cmpint(entry_of(&t, "joe@ex.org", &e), ==, FOUND);
        g_assert_cmpint(entry_of(&t, "nobody@ex.org", &e), ==, FOUND_NOT);

        /* behind the room's back: what it remembers is what it says */
        GError *error = NULL;
        DB_SQL(REMOVE_ALL, "DELETE FROM account");
        DbTxn *txn = db_begin(t.db, &error);
        g_assert_true(db_run(txn, &REMOVE_ALL, &error, ""));
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_assert_cmpint(entry_of(&t, "JOE@ex.org", &e), ==, FOUND);
        g_assert_cmpint(entry_of(&t, "Nobody@ex.org", &e), ==, FOUND_NOT);
        txn = db_begin(t.db, &error);
        directory_touch(t.directory, txn);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_assert_cmpint(entry_of(&t, "joe@ex.org", &e), ==, FOUND_NOT);
        test_site_close(&t);
}

/* Unknown names --------------------------------------------------------------------------------------------------- */

DB_SQL(UNKNOWN_GET,
       "SELECT times, first_sender, last_sender FROM unknown_name WHERE domain = 'ex.org' AND local = 'guess'");

static void
test_unknown_names(void)
{
        TestSite t;
        GError *error = NULL;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        Address guess = test_address(&t, "Guess@ex.org"), a = test_address(&t, "a@far.org"),
                null = {SPAN_EMPTY, SPAN_EMPTY};
        directory_count_unknown(t.directory, &guess, &a);
        directory_count_unknown(t.directory, &guess, &null);
        g_assert_true(directory_flush_unknown(t.directory, &error));
        directory_count_unknown(t.directory, &guess, NULL);
        g_assert_true(directory_flush_unknown(t.directory, &error));
        g_assert_true(directory_flush_unknown(t.directory, &error));
        g_autoptr(DbTxn) txn = db_begin_read(t.db, &error);
        g_autoptr(DbRows) rows = db_query(txn, &UNKNOWN_GET, &error, "");
        g_assert_cmpint(db_rows_next(rows, &error), ==, DB_ROW);
        g_assert_cmpint(db_int(rows, 0), ==, 3);
        g_assert_cmpstr(db_text(rows, 1), ==, "a@far.org");
        g_assert_cmpstr(db_text(rows, 2), ==, "");
        g_clear_pointer(&rows, db_rows_free);
        g_clear_pointer(&txn, db_txn_free);
        test_site_close(&t);
}

DB_SQL(UNKNOWN_COUNT, "SELECT count(*) FROM unknown_name");
DB_SQL(UNKNOWN_FREQUENT, "SELECT times FROM unknown_name WHERE local = 'often'");

static void
test_unknown_bounded(void)
{
        TestSite t;
        GError *error = NULL;
        gint64 count, times;

        test_site_open(&t);
        Address often = test_address(&t, "often@ex.org");
        directory_count_unknown(t.directory, &often, NULL);
        directory_count_unknown(t.directory, &often, NULL);
        for (int i = 0; i < 11000; i++) {
                g_autofree char *local = g_strdup_printf("n%d", i);
                Address address = {span_of(local), span_of("ex.org")};

                directory_count_unknown(t.directory, &address, NULL);
                if (i % 4000 == 3999)
                        g_assert_true(directory_flush_unknown(t.directory, &error));
        }
        g_assert_true(directory_flush_unknown(t.directory, &error));
        g_assert_no_error(error);
        DbTxn *txn = db_begin_read(t.db, &error);
        g_assert_cmpint(db_get_int(txn, &UNKNOWN_COUNT, &count, &error, ""), ==, DB_ROW);
        g_assert_cmpint(count, ==, UNKNOWN_KEPT_MAX);
        g_assert_cmpint(db_get_int(txn, &UNKNOWN_FREQUENT, &times, &error, ""), ==, DB_ROW);
        g_assert_cmpint(times, ==, 2);
        db_txn_free(txn);
        test_site_close(&t);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/directory/domains-exact-then-longest-wildcard", test_domains);
        g_test_add_func("/directory/entries-without-case-and-names-everywhere", test_entries);
        g_test_add_func("/directory/a-star-in-an-address-is-no-pattern", test_star_names);
        g_test_add_func("/directory/longest-prefix-wins-and-catch-all", test_patterns);
        g_test_add_func("/directory/account-by-id", test_account_by_id);
        g_test_add_func("/directory/a-rolled-back-change-is-none", test_rolled_back);
        g_test_add_func("/directory/a-record-from-before-a-change-is-not-kept", test_stale_record);
        g_test_add_func("/directory/cache-is-bounded-and-keeps-what-is-used", test_bounded);
        g_test_add_func("/directory/what-is-cached-needs-no-database", test_cached_needs_no_database);
        g_test_add_func("/directory/unknown-names-are-counted", test_unknown_names);
        g_test_add_func("/directory/10000-unknown-names-and-the-most-frequent-stay", test_unknown_bounded);
        return g_test_run();
}

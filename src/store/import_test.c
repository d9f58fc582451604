/* import_test.c -- UIDs and UIDVALIDITY of a source are kept where that is true, and nothing comes twice (RFC 9051 §2.3.1.1). */
#include "store/import.h"
#include "store/testing.h"
#include "store/view.h"

#define SOURCE "maildir:/srv/joe"
#define MESSAGES_MAX 8

typedef struct Fixture {
        TestSite site;
        Viewer joe;
        gint64 mailbox;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
        test_site_open(&f->site);
        test_domain(&f->site, "ex.org");
        f->joe = test_account(&f->site, "joe@ex.org", "quota-messages", "5");
        test_create(&f->site, &f->joe, "Work");
        f->mailbox = test_mailbox(&f->site, &f->joe, "Work")->id;
}

static void
tear_down(Fixture *f, gconstpointer data)
{
        test_site_close(&f->site);
}

static ImportSource
begin(Fixture *f, guint32 uid_validity)
{
        g_autoptr(GError) error = NULL;
        ImportSource source;

        g_assert_cmpint(store_import_begin(f->site.store, f->mailbox, SOURCE, uid_validity, &source, &error), ==,
                        CHANGED_DONE);
        g_assert_no_error(error);
        return source;
}

/* uids: "7 9 0"; the keys are "k7" ... */
static ChangeAnswer
import(Fixture *f, const ImportSource *source, const char *uids, guint32 uid_next, ImportBatch *ret)
{
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) words = g_strsplit(uids, " ", MESSAGES_MAX);
        Append messages[MESSAGES_MAX] = {0};
        const char *keys[MESSAGES_MAX];

        *ret = (ImportBatch){
                .source = *source, .reader = f->joe.account, .messages = messages, .keys = keys, .uid_next = uid_next};
        for (; words[ret->n] != NULL; ret->n++) {
                messages[ret->n].uid = (guint32) g_ascii_strtoull(words[ret->n], NULL, 10);
                messages[ret->n].writer = store_writer_new(f->site.store);
                g_assert_true(blob_writer_add(messages[ret->n].writer, span_of("Subject: x\r\n\r\n"), &error));
                keys[ret->n] = words[ret->n];
        }
        ChangeAnswer answer = store_import_append(f->site.store, ret, &error);
        g_assert_true(answer != CHANGED_FAILED || error != NULL);
        ret->messages = NULL;
        ret->keys = NULL;
        return answer;
}

/* "VALIDITY NEXT: UID UID" */
static char *
state(Fixture *f)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(View) view = NULL;

        g_assert_cmpint(store_view_open(f->site.store, f->mailbox, f->joe.account, &view, &error), ==, STORE_DONE);
        g_autoptr(GString) s = g_string_new(NULL);
        g_string_append_printf(s, "%u %u:", view_uid_validity(view), view_uid_next(view));
        for (guint32 i = 0; i < view_count(view); i++)
                g_string_append_printf(s, " %u", view_entry(view, i)->uid);
        return g_strdup(s->str);
}

static void
expect(Fixture *f, const char *wanted)
{
        g_autofree char *is = state(f);

        g_assert_cmpstr(is, ==, wanted);
}

static void
test_kept(Fixture *f, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        ImportBatch batch;

        g_autofree char *before = state(f); /* somebody looks already */

        g_assert_true(g_str_has_suffix(before, " 1:"));
        ImportSource source = begin(f, 77);
        g_assert_true(source.keeps_uids);
        expect(f, "77 1:");
        g_assert_cmpint(import(f, &source, "3 9 0", 20, &batch), ==, CHANGED_DONE);
        g_assert_true(batch.ret_keeps_uids);
        expect(f, "77 21: 3 9 20");
        g_assert_cmpint(store_import_end(f->site.store, &source, 40, &error), ==, CHANGED_DONE);
        expect(f, "77 40: 3 9 20");
}

static void
test_taken(Fixture *f, gconstpointer data)
{
        ImportBatch batch;
        ImportSource other = begin(f, 0);

        g_assert_false(other.keeps_uids);
        g_assert_cmpint(import(f, &other, "0", 0, &batch), ==, CHANGED_DONE);
        g_assert_false(begin(f, 77).keeps_uids); /* something is in it */
        g_autofree char *is = state(f);
        g_assert_true(g_str_has_suffix(is, " 2: 1"));
        g_assert_false(g_str_has_prefix(is, "77 "));
}

static void
test_future(Fixture *f, gconstpointer data)
{
        g_assert_false(begin(f, G_MAXUINT32).keeps_uids);
}

static void
test_collision(Fixture *f, gconstpointer data)
{
        ImportSource source = begin(f, 77), none = source;
        ImportBatch batch;

        g_assert_cmpint(import(f, &source, "3", 6, &batch), ==, CHANGED_DONE);
        none.keeps_uids = FALSE;
        g_assert_cmpint(import(f, &none, "100", 0, &batch), ==, CHANGED_DONE); /* as if delivered: gets UID 4 */
        g_assert_cmpint(import(f, &source, "4 5", 6, &batch), ==, CHANGED_DONE);
        g_assert_false(batch.ret_keeps_uids);
        g_autofree char *is = state(f);
        g_assert_true(g_str_has_suffix(is, " 7: 3 4 5 6"));
        g_assert_false(g_str_has_prefix(is, "77 "));
        g_assert_false(begin(f, 77).keeps_uids);
}

static void
test_once(Fixture *f, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Arena) arena = arena_new(65536);
        ImportSource source = begin(f, 77);
        ImportBatch batch;
        const char **keys;
        gsize n;

        g_assert_cmpint(import(f, &source, "1 2", 0, &batch), ==, CHANGED_DONE);
        g_assert_cmpint(import(f, &source, "3 2", 0, &batch), ==, CHANGED_FAILED);
        g_assert_true(batch.ret_is_twice);
        expect(f, "77 3: 1 2");
        g_assert_true(store_import_keys(f->site.store, arena, source.id, "1", 10, &keys, &n, &error));
        g_assert_cmpuint(n, ==, 1);
        g_assert_cmpstr(keys[0], ==, "2");
        g_assert_cmpint(begin(f, 77).id, ==, source.id);
}

static void
test_quota(Fixture *f, gconstpointer data)
{
        ImportSource source = begin(f, 77);
        ImportBatch batch;
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(import(f, &source, "1 2 3 4 5 6", 0, &batch), ==, CHANGED_OVER_QUOTA);
        expect(f, "77 1:");
        Append message = {.writer = store_writer_new(f->site.store), .uid = 50};
        const char *key = "50";
        ImportBatch forced = {.source = source, .messages = &message, .keys = &key, .n = 1, .is_over_quota = TRUE};
        forced.reader = f->joe.account;
        g_assert_cmpint(import(f, &source, "1 2 3 4 5", 0, &batch), ==, CHANGED_DONE);
        g_assert_cmpint(store_import_append(f->site.store, &forced, &error), ==, CHANGED_DONE);
        expect(f, "77 51: 1 2 3 4 5 50");
}

static gint64
rows(Fixture *f)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(f->site.db, &error);
        g_autoptr(DbRows) found = db_query_text(
                txn, "SELECT (SELECT count(*) FROM import_seen) + (SELECT count(*) FROM import_source)", &error, "");

        g_assert_cmpint(db_rows_next(found, &error), ==, DB_ROW);
        return db_int(found, 0);
}

static void
test_forget(Fixture *f, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        ImportSource source = begin(f, 77);
        ImportBatch batch;
        guint64 n;

        g_assert_cmpint(import(f, &source, "1 2", 0, &batch), ==, CHANGED_DONE);
        g_assert_true(store_import_forget(f->site.store, f->joe.account, "maildir:/srv/x", &n, &error));
        g_assert_cmpint(rows(f), ==, 3);
        g_assert_true(store_import_forget(f->site.store, f->joe.account, "maildir:/srv/j", &n, &error));
        g_assert_cmpuint(n, ==, 2);
        g_assert_cmpint(rows(f), ==, 0);
}

static void
test_forget_with_mailbox(Fixture *f, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        ImportSource source = begin(f, 77);
        gboolean more = TRUE;
        ImportBatch batch;

        g_assert_cmpint(import(f, &source, "1 2", 0, &batch), ==, CHANGED_DONE);
        g_assert_cmpint(test_delete(&f->site, &f->joe, "Work"), ==, MAILBOX_DONE);
        g_assert_cmpint(rows(f), ==, 3); /* it can be restored */
        while (more)
                g_assert_true(store_tidy(f->site.store, clock_real() + USEC_PER_DAY, &more, &error));
        g_assert_cmpint(rows(f), ==, 0);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(title, fn) g_test_add("/store/import/" title, Fixture, NULL, set_up, fn, tear_down)
        ADD("empty-mailbox-takes-over-uids RFC 9051 §2.3.1.1", test_kept);
        ADD("a-mailbox-in-use-keeps-its-own-uidvalidity", test_taken);
        ADD("a-uidvalidity-of-the-future-is-not-taken", test_future);
        ADD("a-uid-that-was-given-meanwhile-changes-uidvalidity", test_collision);
        ADD("a-key-comes-once", test_once);
        ADD("quota-is-asked-unless-told-otherwise", test_quota);
        ADD("forgotten-by-name", test_forget);
        ADD("forgotten-with-the-mailbox", test_forget_with_mailbox);
        return g_test_run();
}

/* mailbox_tree_test.c -- mailboxes made, listed, renamed, deleted and restored (RFC 9051 §6.3). */
#include "store/change.h"
#include "store/testing.h"
#include "store/view.h"

typedef struct Fixture {
        TestSite site;
        Viewer joe, ann;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
        test_site_open(&f->site);
        test_domain(&f->site, "ex.org");
        f->joe = test_account(&f->site, "Joe@ex.org", NULL, NULL);
        f->ann = test_account(&f->site, "ann@ex.org", NULL, NULL);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
        test_site_close(&f->site);
}

static gint64
number(TestSite *site, const char *sql)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(site->db, &error);
        g_autoptr(DbRows) rows = db_query_text(txn, sql, &error, "");

        g_assert_no_error(error);
        g_assert_cmpint(db_rows_next(rows, &error), ==, DB_ROW);
        return db_int(rows, 0);
}

static void
test_inbox(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX");
        test_expect_list(t, &f->ann, "iNb", FALSE, FALSE, "INBOX");
        test_expect_list(t, &f->ann, "x", FALSE, FALSE, "");
        g_assert_cmpstr(test_mailbox(t, &f->joe, "inbox")->name, ==, "INBOX");
        g_assert_cmpint(test_create_as(t, &f->joe, "InBox", 0), ==, MAILBOX_EXISTS);
        g_assert_cmpint(test_delete(t, &f->joe, "INBOX"), ==, MAILBOX_IN_USE);
        g_assert_cmpint(test_rename(t, &f->joe, "INBOX/x", "Y"), ==, MAILBOX_MISSING);
        test_create(t, &f->joe, "inbox/a");
        test_create(t, &f->joe, "INBOXES");
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX+ INBOX/a INBOXES");
        test_expect_list(t, &f->joe, "inbox", FALSE, FALSE, "INBOX+ INBOX/a");
        test_expect_list(t, &f->joe, "inbox/", FALSE, FALSE, "INBOX/a");
        test_expect_list(t, &f->joe, "INBOX", FALSE, FALSE, "INBOX+ INBOX/a INBOXES");
}

static void
test_create_and_list(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        static const char *const BAD[] = {"", "a//b", "..", "~", "%", "a\x01", "~ann@/x"};

        test_create(t, &f->joe, "Work/2026/May");
        test_create(t, &f->joe, "Work/2026 old");
        test_create(t, &f->joe, "Later/"); /* to be the level above others */
        g_assert_cmpint(test_create_as(t, &f->joe, "Work", 0), ==, MAILBOX_EXISTS);
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX Later Work+ Work/2026+ Work/2026 old Work/2026/May");
        test_expect_list(t, &f->joe, "Work/2026/", FALSE, FALSE, "Work/2026/May");
        test_expect_list(t, &f->ann, "", FALSE, TRUE, "INBOX");
        for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++)
                g_assert_cmpint(test_create_as(t, &f->joe, BAD[i], 0), ==, MAILBOX_BAD_NAME);
        const Mailbox *m = test_mailbox(t, &f->joe, "Work/2026");
        g_assert_cmpuint(m->rights, ==, RIGHTS_ALL);
        g_assert_true(m->has_children && !m->is_subscribed && m->owner == f->joe.account);
        g_assert_cmpstr(test_mailbox(t, &f->joe, "~joe/Work")->name, ==, "Work");
        g_assert_cmpstr(test_mailbox(t, &f->joe, "~JOE@EX.org/Work")->name, ==, "Work");
}

static void
test_special_use(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        g_assert_cmpint(test_create_as(t, &f->joe, "Sent", USE_SENT), ==, MAILBOX_DONE);
        g_assert_cmpint(test_create_as(t, &f->joe, "Everything", USE_ALL), ==, MAILBOX_BAD_USE);
        g_assert_cmpuint(test_mailbox(t, &f->joe, "Sent")->special_use, ==, USE_SENT);
        g_assert_cmpint(test_rename(t, &f->joe, "Sent", "Gesendet"), ==, MAILBOX_DONE);
        g_assert_cmpuint(test_mailbox(t, &f->joe, "Gesendet")->special_use, ==, USE_SENT);
}

/* RFC 9051 §2.3.1.1, RFC 8474 §4.1 */
static void
test_numbers(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        gint64 before = 0;
        g_autofree char *id = NULL;

        for (int i = 0; i < 5; i++) { /* all within a second */
                test_create(t, &f->joe, "Again");
                const Mailbox *m = test_mailbox(t, &f->joe, "Again");
                gint64 validity = number(t, "SELECT uid_validity FROM mailbox WHERE name = 'Again'");

                g_assert_cmpint(validity, >, before);
                g_assert_cmpint(validity, <=, G_MAXUINT32);
                g_assert_cmpstr(m->mailbox_id, !=, id);
                g_assert_true(m->mailbox_id[0] != '\0');
                before = validity;
                g_free(id);
                id = g_strdup(m->mailbox_id);
                if (i < 4)
                        g_assert_cmpint(test_delete(t, &f->joe, "Again"), ==, MAILBOX_DONE);
        }
        g_assert_cmpint(test_rename(t, &f->joe, "Again", "Other"), ==, MAILBOX_DONE);
        g_assert_cmpstr(test_mailbox(t, &f->joe, "Other")->mailbox_id, ==, id);
        g_assert_cmpint(number(t, "SELECT uid_validity FROM mailbox WHERE name = 'Other'"), ==, before);
        test_create(t, &f->joe, "Again");
        g_assert_cmpstr(test_mailbox(t, &f->joe, "Again")->mailbox_id, !=, id);
}

static void
test_delete_keeps_children(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        const Mailbox *m = NULL;

        test_create(t, &f->joe, "a/b/c");
        g_assert_cmpint(test_delete(t, &f->joe, "a/b"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_delete(t, &f->joe, "a/b"), ==, MAILBOX_MISSING);
        g_assert_cmpint(test_find(t, &f->joe, "a/b", 0, &m), ==, MAILBOX_MISSING);
        test_expect_list(t, &f->joe, "a", FALSE, FALSE, "a+ a/b+- a/b/c");
        g_assert_cmpint(test_rename(t, &f->joe, "a/b", "x/y"), ==, MAILBOX_DONE); /* a level without a mailbox */
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX a x+ x/y+- x/y/c");
}

static void
test_restore_mailbox(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_create(t, &f->joe, "a/b");
        test_create(t, &f->joe, "c");
        g_assert_cmpint(test_grant(t, &f->joe, "a/b", "ann", "lr"), ==, MAILBOX_DONE);
        g_autofree char *id = g_strdup(test_mailbox(t, &f->joe, "a/b")->mailbox_id);
        g_assert_cmpint(test_restore(t, &f->joe, "a/b"), ==, MAILBOX_EXISTS);
        g_assert_cmpint(test_delete(t, &f->joe, "a/b"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_delete(t, &f->joe, "a"), ==, MAILBOX_DONE);
        test_expect_list(t, &f->ann, "~", FALSE, TRUE, "");
        g_assert_cmpint(test_restore(t, &f->joe, "never"), ==, MAILBOX_MISSING);
        g_assert_cmpint(test_restore(t, &f->ann, "~joe/a/b"), ==, MAILBOX_NO_RIGHT);
        g_assert_cmpint(test_restore(t, &f->joe, "a/b"), ==, MAILBOX_DONE);
        g_assert_cmpstr(test_mailbox(t, &f->joe, "a/b")->mailbox_id, ==, id);
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX a+ a/b c");
        test_expect_list(t, &f->ann, "~", FALSE, TRUE, "~joe+- ~joe/a+- ~joe/a/b");
        g_assert_cmpint(test_restore(t, &f->joe, "a"), ==, MAILBOX_EXISTS); /* a level was made */
}

static void
test_renaming(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_create(t, &f->joe, "B\xc3\xbcro/\xc3\xa4/z");
        test_create(t, &f->joe, "B\xc3\xbcro!");
        test_create(t, &f->joe, "taken");
        g_assert_cmpint(test_rename(t, &f->joe, "none", "x"), ==, MAILBOX_MISSING);
        g_assert_cmpint(test_rename(t, &f->joe, "taken", "taken"), ==, MAILBOX_EXISTS);
        g_assert_cmpint(test_rename(t, &f->joe, "taken", "inbox"), ==, MAILBOX_EXISTS);
        g_assert_cmpint(test_rename(t, &f->joe, "taken", "taken/below"), ==, MAILBOX_BAD_NAME);
        g_assert_cmpint(test_rename(t, &f->joe, "taken", "a//b"), ==, MAILBOX_BAD_NAME);
        g_assert_cmpint(test_rename(t, &f->joe, "taken", "~ann/taken"), ==, MAILBOX_BAD_NAME);
        g_assert_cmpint(test_rename(t, &f->joe, "B\xc3\xbcro", "deep/er/office"), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", FALSE, FALSE,
                         "B\xc3\xbcro! INBOX deep+ deep/er+ deep/er/office+ deep/er/office/\xc3\xa4+ "
                         "deep/er/office/\xc3\xa4/z taken");
        test_create(t, &f->joe, "new/office/\xc3\xa4");
        g_assert_cmpint(test_delete(t, &f->joe, "new/office"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_rename(t, &f->joe, "deep/er/office", "new/office"), ==, MAILBOX_EXISTS); /* its child */
        g_assert_cmpint(test_find(t, &f->joe, "deep/er/office/\xc3\xa4/z", 0, &(const Mailbox *){NULL}), ==,
                        MAILBOX_DONE);
}

/* What is moved below must still be a name. */
static void
deliver(TestSite *t, gint64 account, const char *text)
{
        g_autoptr(GError) error = NULL;
        BlobWriter *writer = store_writer_new(t->store);
        const gint64 inbox = number(t, "SELECT id FROM mailbox WHERE name = 'INBOX'");
        guint32 uid_validity;

        g_assert_true(blob_writer_add(writer, span_of(text), &error));
        Append message = {.writer = writer, .flags = FLAG_FLAGGED};
        g_assert_cmpint(store_append(t->store, inbox, account, &message, 1, NULL, &uid_validity, &error), ==,
                        CHANGED_DONE);
        g_assert_no_error(error);
}

/* What was in INBOX is in the new mailbox, and INBOX is there. */
static void
test_renaming_inbox(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;
        MailboxStatus status;

        test_create(t, &f->joe, "INBOX/below");
        gint64 inbox = test_mailbox(t, &f->joe, "INBOX")->id;
        deliver(t, f->joe.account, "Subject: one\r\n\r\nx\r\n");
        deliver(t, f->joe.account, "Subject: two\r\n\r\nx\r\n");
        g_assert_cmpint(test_rename(t, &f->joe, "INBOX", "INBOX/below"), ==, MAILBOX_EXISTS);
        g_assert_cmpint(test_rename(t, &f->joe, "inbox", "Old/Mail"), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX+ INBOX/below Old+ Old/Mail");
        g_assert_cmpint(test_mailbox(t, &f->joe, "INBOX")->id, ==, inbox);
        g_assert_cmpint(store_mailbox_status(t->store, inbox, f->joe.account, &status, &error), ==, STORE_DONE);
        g_assert_cmpuint(status.messages, ==, 0);
        g_assert_cmpint(store_mailbox_status(t->store, test_mailbox(t, &f->joe, "Old/Mail")->id, f->joe.account,
                                             &status, &error),
                        ==, STORE_DONE);
        g_assert_cmpuint(status.messages, ==, 2);
}

static void
test_renaming_too_long(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GString) deep = g_string_new("a");
        g_autoptr(GString) place = g_string_new("b");

        for (int i = 1; i < 30; i++) {
                g_string_append(deep, "/a");
                g_string_append(place, "/b");
        }
        test_create(t, &f->joe, deep->str);
        g_assert_cmpint(test_rename(t, &f->joe, "a", place->str), ==, MAILBOX_BAD_NAME);
        g_assert_cmpint(test_rename(t, &f->joe, "a", "c/d/e"), ==, MAILBOX_DONE);
}

static void
test_subscriptions(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_create(t, &f->joe, "a/b");
        test_create(t, &f->ann, "Team");
        g_assert_cmpint(test_grant(t, &f->ann, "Team", "joe", "l"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_subscribe(t, &f->joe, "none", TRUE), ==, MAILBOX_MISSING);
        g_assert_cmpint(test_subscribe(t, &f->joe, "a/b", TRUE), ==, MAILBOX_DONE);
        g_assert_cmpint(test_subscribe(t, &f->joe, "a/b", TRUE), ==, MAILBOX_DONE);
        g_assert_cmpint(test_subscribe(t, &f->joe, "inbox", TRUE), ==, MAILBOX_DONE);
        g_assert_cmpint(test_subscribe(t, &f->joe, "~ANN@ex.org/Team", TRUE), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", TRUE, FALSE, "INBOXs a/bs ~ann/Teams");
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOXs a+ a/bs");
        g_assert_cmpint(test_delete(t, &f->joe, "a/b"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_delete(t, &f->ann, "Team"), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", TRUE, FALSE, "INBOXs a/bs- ~ann/Teams-"); /* RFC 9051 §6.3.7: names stay */
        test_expect_list(t, &f->joe, "a", TRUE, FALSE, "a/bs-");
        g_assert_cmpint(test_subscribe(t, &f->joe, "a/b", FALSE), ==, MAILBOX_DONE);
        g_assert_cmpint(test_subscribe(t, &f->joe, "~ann/Team", FALSE), ==, MAILBOX_DONE);
        g_assert_cmpint(test_subscribe(t, &f->joe, "never", FALSE), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", TRUE, FALSE, "INBOXs");
}

static void
test_aliases(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_create(t, &f->ann, "Team");
        test_create(t, &f->joe, "Own");
        g_assert_cmpint(test_alias(t, &f->joe, "Shared/Team", "~ann/Team"), ==, MAILBOX_MISSING); /* not seen */
        g_assert_cmpint(test_grant(t, &f->ann, "Team", "joe", "lrs"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_alias(t, &f->joe, "INBOX", "~ann/Team"), ==, MAILBOX_IN_USE);
        g_assert_cmpint(test_alias(t, &f->joe, "Own", "~ann/Team"), ==, MAILBOX_EXISTS);
        g_assert_cmpint(test_alias(t, &f->joe, "~ann/x", "Own"), ==, MAILBOX_BAD_NAME);
        g_assert_cmpint(test_alias(t, &f->joe, "Shared/Team", "~ann/Team"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_alias(t, &f->joe, "Same", "Shared/Team"), ==, MAILBOX_DONE); /* what stands behind it */
        g_assert_cmpint(test_alias(t, &f->joe, "Mine", "Own"), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX Minea Own Samea Shared+- Shared/Teama");
        const Mailbox *m = test_mailbox(t, &f->joe, "Shared/Team");
        g_assert_true(m->is_alias && m->owner == f->ann.account);
        g_assert_cmpuint(m->rights, ==, RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN);
        g_assert_cmpstr(m->mailbox_id, ==, test_mailbox(t, &f->ann, "Team")->mailbox_id);
        g_assert_cmpuint(test_mailbox(t, &f->joe, "Mine")->rights, ==, RIGHTS_ALL);

        g_assert_cmpint(test_rename(t, &f->ann, "Team", "Crew"), ==, MAILBOX_DONE); /* it follows */
        g_assert_cmpint(test_rename(t, &f->joe, "Shared", "Common"), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", FALSE, TRUE, "Common+- Common/Teama INBOX Minea Own Samea ~ann+- ~ann/Crew");
        g_assert_cmpint(test_delete(t, &f->joe, "Same"), ==, MAILBOX_DONE); /* the alias, not the mailbox */
        g_assert_cmpint(test_delete(t, &f->ann, "Crew"), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX Minea Own");
        g_assert_cmpint(test_restore(t, &f->ann, "Crew"), ==, MAILBOX_DONE);
        g_assert_cmpstr(test_mailbox(t, &f->joe, "Common/Team")->name, ==, "Common/Team");
        g_assert_cmpint(test_grant(t, &f->ann, "Crew", "joe", ""), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", FALSE, TRUE, "INBOX Minea Own");
        test_create(t, &f->joe, "Common/Team"); /* where an alias leads nowhere there is room */
        g_assert_cmpint(test_alias(t, &f->joe, "Mine", ""), ==, MAILBOX_DONE);
        g_assert_cmpint(test_alias(t, &f->joe, "Mine", ""), ==, MAILBOX_MISSING);
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "Common+ Common/Team INBOX Own");
}

static void
test_limit(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;
        DB_SQL(MANY, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9998)"
                     " INSERT INTO mailbox (id, account, name, uid_validity, created)"
                     " SELECT 100000 + i, ?, 'f' || (i % 100) || '/' || i, i, 0 FROM n");
        DbTxn *txn = db_begin(t->db, &error);
        const Mailbox *at;
        gsize n;

        g_assert_true(db_run(txn, &MANY, &error, "i", f->joe.account));
        test_commit(txn);
        g_assert_cmpint(number(t, "SELECT max(id) FROM mailbox"), ==, 109998);
        test_expect_list(t, &f->joe, "INBOX", FALSE, FALSE, "INBOX");
        g_assert_cmpint(test_create_as(t, &f->joe, "one/two", 0), ==, MAILBOX_LIMIT); /* two rows */
        test_create(t, &f->joe, "one");
        g_assert_cmpint(test_create_as(t, &f->joe, "two", 0), ==, MAILBOX_LIMIT);
        g_assert_cmpint(test_delete(t, &f->joe, "one"), ==, MAILBOX_DONE);
        test_create(t, &f->joe, "two");
        g_assert_cmpint(test_restore(t, &f->joe, "one"), ==, MAILBOX_LIMIT);
        const MailboxQuery query = {.prefix = SPAN_EMPTY};
        g_assert_true(store_mailboxes(t->store, t->arena, &f->joe, &query, &at, &n, &error));
        g_assert_cmpuint(n, ==, 10000 + 100); /* and the levels above them */
}

/* Sessions that have it selected see that it is gone, and those that watch the tree are woken. */
static void
count_wake(gpointer data)
{
        (*(gint *) data)++;
}

static void
test_notice(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;
        View *view = NULL;
        gint tree = 0, mailbox = 0;

        test_create(t, &f->joe, "M");
        gint64 id = test_mailbox(t, &f->joe, "M")->id;
        g_assert_cmpint(store_view_open(t->store, id, f->joe.account, &view, &error), ==, STORE_DONE);
        view_unref(view);
        Watch *on_tree = store_watch(t->store, 0, f->joe.account, count_wake, &tree);
        Watch *on_mailbox = store_watch(t->store, id, f->joe.account, count_wake, &mailbox);
        test_create(t, &f->ann, "other");
        g_assert_cmpint(tree, ==, 0);
        test_create(t, &f->joe, "N");
        g_assert_cmpint(tree, ==, 1);
        g_assert_cmpint(test_delete(t, &f->joe, "M"), ==, MAILBOX_DONE);
        g_assert_cmpint(mailbox, >, 0);
        g_assert_cmpint(store_view_open(t->store, id, f->joe.account, &view, &error), ==, STORE_NO_MAILBOX);
        g_assert_cmpint(test_restore(t, &f->joe, "M"), ==, MAILBOX_DONE);
        g_assert_cmpint(store_view_open(t->store, id, f->joe.account, &view, &error), ==, STORE_DONE);
        view_unref(view);
        g_assert_cmpint(test_subscribe(t, &f->joe, "M", TRUE), ==, MAILBOX_DONE);
        g_assert_cmpint(test_rename(t, &f->joe, "M", "R"), ==, MAILBOX_DONE);
        g_assert_cmpint(tree, >=, 5);
        watch_free(on_tree);
        watch_free(on_mailbox);
        g_assert_no_error(error);
}

static void
test_status(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;
        MailboxStatus status;

        test_create(t, &f->joe, "M");
        gint64 id = test_mailbox(t, &f->joe, "M")->id;
        g_assert_cmpint(store_mailbox_status(t->store, id, f->joe.account, &status, &error), ==, STORE_DONE);
        g_assert_cmpuint(status.messages + status.unseen + status.deleted, ==, 0);
        g_assert_cmpuint(status.uid_next, ==, 1);
        g_assert_cmpint(status.uid_validity, ==, number(t, "SELECT uid_validity FROM mailbox WHERE name = 'M'"));
        g_assert_cmpint(store_mailbox_status(t->store, id + 9, f->joe.account, &status, &error), ==, STORE_NO_MAILBOX);
}

DB_SQL(SEEN_ADD, "INSERT INTO reader_seen (mailbox, account, data) VALUES (?, ?, x'')");

static void
has_seen_many(TestSite *t, gint64 account, gint64 n)
{
        g_autoptr(GError) error = NULL;
        DbTxn *txn = db_begin(t->db, &error);

        for (gint64 i = 0; i < n; i++)
                g_assert_true(db_run(txn, &SEEN_ADD, &error, "ii", 1000000 + i, account));
        test_commit(txn);
}

static void
test_removed_account(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;
        gboolean more = TRUE;

        test_create(t, &f->joe, "a");
        test_create(t, &f->joe, "b");
        test_create(t, &f->ann, "Team");
        g_assert_cmpint(test_grant(t, &f->joe, "a", "anyone", "lr"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_grant(t, &f->ann, "Team", "joe", "lr"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_alias(t, &f->ann, "J", "~joe/a"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_alias(t, &f->joe, "T", "~ann/Team"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_subscribe(t, &f->joe, "a", TRUE), ==, MAILBOX_DONE);
        g_assert_cmpint(test_delete(t, &f->joe, "b"), ==, MAILBOX_DONE);
        has_seen_many(t, f->joe.account, 1200);
        has_seen_many(t, f->ann.account, 1);
        while (more) {
                DbTxn *txn = db_begin(t->db, &error);
                g_assert_true(store_remove_account(t->store, txn, f->joe.account, &more, &error));
                g_assert_true(store_forget_address(t->store, txn, "JOE@ex.org", &error));
                test_commit(txn);
        }
        g_assert_cmpint(number(t, "SELECT sum(account) FROM reader_seen"), ==, f->ann.account);
        g_assert_cmpint(number(t, "SELECT count(*) FROM mailbox"), ==, 1);
        g_assert_cmpint(number(t, "SELECT (SELECT count(*) FROM acl) + (SELECT count(*) FROM subscription)"
                                  " + (SELECT count(*) FROM mailbox_alias)"),
                        ==, 0);
        test_expect_list(t, &f->ann, "", FALSE, TRUE, "INBOX Team");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(title, fn) g_test_add("/store/tree/" title, Fixture, NULL, set_up, fn, tear_down)
        ADD("inbox-is-always-there RFC 9051 §5.1", test_inbox);
        ADD("create-makes-parents RFC 9051 §6.3.4", test_create_and_list);
        ADD("special-use RFC 6154 §5.3", test_special_use);
        ADD("uidvalidity-rises-and-mailboxid-stays RFC 9051 §2.3.1.1 RFC 8474 §4.1", test_numbers);
        ADD("delete-leaves-children RFC 9051 §6.3.5", test_delete_keeps_children);
        ADD("restore", test_restore_mailbox);
        ADD("rename-takes-children-along RFC 9051 §6.3.6", test_renaming);
        ADD("renamed-inbox-is-emptied-and-stays RFC 9051 §6.3.6", test_renaming_inbox);
        ADD("rename-keeps-names-within-limits", test_renaming_too_long);
        ADD("subscriptions-outlive-mailboxes RFC 9051 §6.3.7", test_subscriptions);
        ADD("aliases-follow-mailboxes", test_aliases);
        ADD("10000-mailboxes-and-not-one-more", test_limit);
        ADD("who-looks-hears-of-it", test_notice);
        ADD("status RFC 9051 §6.3.11", test_status);
        ADD("nothing-is-left-of-a-removed-account", test_removed_account);
        return g_test_run();
}

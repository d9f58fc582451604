/* store_test.c -- mailboxes, UIDs, quotas, and the maildrop of RFC 1939. */
#include "store/fixture.h"

#include "db/schema.h"

#include <glib/gstdio.h>
#include <sqlite3.h>

/* Delivery --------------------------------------------------------------------------------------------------------- */

static void
test_uids(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 uid;
        guint64 messages, octets;

        for (gint64 i = 1; i <= 3; i++) {
                g_assert_cmpint(deliver(site, 1, "inbox", "", "x\r\n", (Quota){0}, &uid), ==, STORE_DONE);
                g_assert_cmpint(uid, ==, i);
        }
        Maildrop *drop = open_drop(site, 1);
        store_maildrop_delete(drop, 2);
        g_assert_true(store_maildrop_update(drop, &error));
        store_maildrop_close(drop);
        site_close(site);
        site_open(site);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "x\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        g_assert_cmpint(uid, ==, 4); /* the one removed last is not given out again */
        g_assert_true(store_usage(site->store, 1, &messages, &octets, &error));
        g_assert_cmpuint(messages, ==, 3);
        g_assert_cmpuint(octets, ==, 9);
        g_assert_cmpuint(complaints(site), ==, 0);
}

static void
test_quota(Site *site, gconstpointer data)
{
        gint64 uid;

        g_assert_cmpint(deliver(site, 1, "INBOX", "", "12345678\r\n", (Quota){.octets = 20}, &uid), ==, STORE_DONE);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "123456789\r\n", (Quota){.octets = 20}, &uid), ==,
                        STORE_OVER_QUOTA);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "12345678\r\n", (Quota){.octets = 20}, &uid), ==, STORE_DONE);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "\r\n", (Quota){.octets = 20}, &uid), ==, STORE_OVER_QUOTA);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "\r\n", (Quota){.messages = 2}, &uid), ==, STORE_OVER_QUOTA);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "\r\n", (Quota){.messages = 3}, &uid), ==, STORE_DONE);
        g_assert_cmpint(deliver(site, 1, "INBOX", "12345678\r\n", "12345678\r\n", (Quota){.octets = 32}, &uid), ==,
                        STORE_OVER_QUOTA);
        g_assert_cmpuint(complaints(site), ==, 0);
}

static void
test_mailbox_missing(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 uid;

        g_assert_cmpint(deliver(site, 1, "news", "", "x\r\n", (Quota){0}, &uid), ==, STORE_NO_MAILBOX);
        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'news', 5, 0)");
        g_assert_cmpint(deliver(site, 1, "news", "", "x\r\n", (Quota){0}, &uid), ==, STORE_DONE);

        g_autoptr(DbTxn) txn = db_begin_read(site->db, &error);
        g_assert_cmpint(store_has_mailbox(site->store, txn, 1, "news", &error), ==, STORE_DONE);
        g_assert_cmpint(store_has_mailbox(site->store, txn, 1, "News", &error), ==, STORE_NO_MAILBOX);
        g_assert_cmpint(store_has_mailbox(site->store, txn, 2, "news", &error), ==, STORE_NO_MAILBOX);
        g_assert_cmpint(store_has_mailbox(site->store, txn, 2, "iNbOx", &error), ==, STORE_DONE);
}

static void
test_shared_body(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 uid;

        g_assert_cmpint(deliver(site, 3, "INBOX", "P: 1\r\n", "x\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        g_assert_cmpint(number(site, "SELECT refs FROM body"), ==, 3);
        for (gint64 account = 1; account <= 3; account++) {
                Maildrop *drop = open_drop(site, account);
                g_autofree char *text = read_message(drop, 0);
                g_assert_cmpstr(text, ==, "P: 1\r\nx\r\n");
                store_maildrop_delete(drop, 0);
                g_assert_true(store_maildrop_update(drop, &error));
                store_maildrop_close(drop);
                g_assert_cmpuint(complaints(site), ==, 0);
                tidy(site);
                g_assert_cmpint(number(site, "SELECT coalesce(sum(refs), 0) FROM body"), ==, 3 - account);
                g_assert_cmpuint(complaints(site), ==, 0);
        }
        g_assert_cmpint(number(site, "SELECT count(*) FROM body"), ==, 0);
}

/* What a transaction that is not kept has remembered is forgotten: its INBOX, its UIDs, its part of the quota. */
static void
test_rolled_back(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const Quota two = {.messages = 2};
        gint64 uid;

        for (gint i = 0; i < 3; i++) {
                g_autoptr(DbTxn) txn = db_begin(site->db, &error);
                Copy copy = {.body = 1, .body_size = 5};
                const StoreDelivery delivery = {.account = 1, .mailbox = "INBOX", .copy = &copy, .quota_messages = 2};
                g_assert_cmpint(store_deliver(site->store, txn, &delivery, &uid, &error), ==, STORE_DONE);
                g_assert_cmpint(uid, ==, 1);
        }
        g_assert_cmpint(number(site, "SELECT count(*) FROM mailbox"), ==, 0);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "x\r\n", two, &uid), ==, STORE_DONE);
        g_assert_cmpint(uid, ==, 1);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "x\r\n", two, &uid), ==, STORE_DONE);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "x\r\n", two, &uid), ==, STORE_OVER_QUOTA);
        g_assert_cmpint(number(site, "SELECT max(modseq) FROM entry"), ==, 3);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* The data of the first release opens in this one. */
static void
test_version_1(Site *site, gconstpointer data)
{
        static const char FILLED[] = "PRAGMA user_version=1;"
                                     "INSERT INTO body VALUES (5, 1, 32, 64, 10, 3);"
                                     "INSERT INTO mailbox VALUES (1, 7, 'INBOX', 99, 9, 14, 3, 30, 0);"
                                     "INSERT INTO entry VALUES (1, 2, 5, 10, 1000, 0, 4, 77, x'', x''), (1, 3, 5, 10, "
                                     "1001, 0, 5, 78, x'', x''),"
                                     " (1, 7, 5, 10, 1002, 0, 9, 79, x'', x'');";
        g_autoptr(GError) error = NULL;
        g_autofree char *path = g_build_filename(site->dir, "restante.db", NULL);
        guint64 messages, octets, entries;
        guint n = 0;
        sqlite3 *old;
        gint64 uid;

        site_close(site);
        g_assert_cmpint(g_unlink(path), ==, 0);
        g_assert_cmpint(sqlite3_open(path, &old), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(old, DB_MIGRATIONS[0].sql, NULL, NULL, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(old, FILLED, NULL, NULL, NULL), ==, SQLITE_OK);
        sqlite3_close(old);
        site_open(site);
        g_assert_true(store_usage(site->store, 7, &messages, &octets, &error));
        g_assert_cmpuint(messages, ==, 3);
        g_assert_cmpuint(octets, ==, 30);
        g_assert_true(store_verify(site->store, FALSE, count_complaint, &n, &entries, &error));
        g_assert_cmpuint(n, ==, 0);
        g_assert_cmpuint(entries, ==, 3);
        Maildrop *drop = open_drop(site, 7);
        g_assert_cmpuint(store_maildrop_count(drop), ==, 3);
        store_maildrop_close(drop);

        g_autoptr(DbTxn) txn = db_begin(site->db, &error);
        Copy copy = {.body = 5, .body_size = 10};
        const StoreDelivery delivery = {.account = 7, .mailbox = "INBOX", .copy = &copy};
        g_assert_cmpint(store_deliver(site->store, txn, &delivery, &uid, &error), ==, STORE_DONE);
        g_assert_cmpint(uid, ==, 9); /* UIDNEXT of the row: 8 was given out and removed */
}

/* Maildrop --------------------------------------------------------------------------------------------------------- */

static void
test_one_session(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Maildrop *other = NULL;
        Maildrop *drop = open_drop(site, 1);

        g_assert_cmpuint(store_maildrop_count(drop), ==, 0);
        g_assert_cmpint(store_maildrop_open(site->store, 1, &other, &error), ==, MAILDROP_IN_USE);
        g_assert_no_error(error);
        g_assert_null(other);
        store_maildrop_close(open_drop(site, 2));
        store_maildrop_close(drop);
        store_maildrop_close(open_drop(site, 1));
}

static void
test_snapshot(Site *site, gconstpointer data)
{
        deliver_n(site, 2);
        Maildrop *drop = open_drop(site, 1);
        deliver_n(site, 1);
        g_assert_cmpuint(store_maildrop_count(drop), ==, 2);
        g_autofree char *text = read_message(drop, 1);
        g_assert_cmpstr(text, ==, "P: 1\r\nSubject: 1\r\n\r\nx\r\n");
        store_maildrop_close(drop);
        drop = open_drop(site, 1);
        g_assert_cmpuint(store_maildrop_count(drop), ==, 3);
        store_maildrop_close(drop);
}

static void
test_marks(Site *site, gconstpointer data)
{
        deliver_n(site, 3);
        Maildrop *drop = open_drop(site, 1);
        guint64 all = store_maildrop_octets(drop);

        g_assert_cmpuint(all, ==, 3 * store_maildrop_size(drop, 0));
        store_maildrop_delete(drop, 1);
        store_maildrop_delete(drop, 1);
        g_assert_true(store_maildrop_is_deleted(drop, 1));
        g_assert_cmpuint(store_maildrop_undeleted(drop), ==, 2);
        g_assert_cmpuint(store_maildrop_octets(drop), ==, all - store_maildrop_size(drop, 1));
        store_maildrop_reset(drop);
        g_assert_false(store_maildrop_is_deleted(drop, 1));
        g_assert_cmpuint(store_maildrop_undeleted(drop), ==, 3);
        g_assert_cmpuint(store_maildrop_octets(drop), ==, all);
        store_maildrop_delete(drop, 0);
        store_maildrop_close(drop); /* without UPDATE: nothing goes */
        drop = open_drop(site, 1);
        g_assert_cmpuint(store_maildrop_count(drop), ==, 3);
        store_maildrop_close(drop);
}

static void
test_uidl(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        char first[MAILDROP_UIDL_OCTETS], buffer[MAILDROP_UIDL_OCTETS];

        deliver_n(site, 3);
        Maildrop *drop = open_drop(site, 1);
        store_maildrop_uidl(drop, 2, first);
        g_assert_cmpstr(store_maildrop_uidl(drop, 0, buffer), !=, first);
        for (const char *at = first; *at != '\0'; at++)
                g_assert_true(*at >= 0x21 && *at <= 0x7e);
        store_maildrop_delete(drop, 0);
        store_maildrop_delete(drop, 1);
        g_assert_true(store_maildrop_update(drop, &error));
        store_maildrop_close(drop);
        site_close(site);
        site_open(site);
        drop = open_drop(site, 1);
        g_assert_cmpuint(store_maildrop_count(drop), ==, 1);
        g_assert_cmpstr(store_maildrop_uidl(drop, 0, buffer), ==, first);
        store_maildrop_close(drop);
}

/* Marks in runs and alone, over more than one slice. */
static void
test_update(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const guint n = 2300;
        gint64 uid;

        for (guint i = 0; i < n / 100; i++) {
                g_autoptr(DbTxn) txn = NULL;
                BlobPlace place = append(site, "x\r\n");
                Copy copy = {.body_size = place.size};
                txn = db_begin(site->db, &error);
                g_assert_true(blob_name(txn, &place, 100, SPAN_EMPTY, &copy.body, &error));
                for (guint j = 0; j < 100; j++) {
                        const StoreDelivery delivery = {.account = 1, .mailbox = "INBOX", .copy = &copy};
                        g_assert_cmpint(store_deliver(site->store, txn, &delivery, &uid, &error), ==, STORE_DONE);
                }
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        }
        Maildrop *drop = open_drop(site, 1);
        g_assert_cmpuint(store_maildrop_count(drop), ==, n);
        guint kept = 0;
        for (guint32 i = 0; i < n; i++) {
                if (i % 7 == 3 || (i > 500 && i < 520))
                        kept++;
                else
                        store_maildrop_delete(drop, i);
        }
        g_assert_true(store_maildrop_update(drop, &error));
        g_assert_no_error(error);
        store_maildrop_close(drop);
        drop = open_drop(site, 1);
        g_assert_cmpuint(store_maildrop_count(drop), ==, kept);
        g_assert_cmpuint(store_maildrop_octets(drop), ==, 3 * kept);
        g_assert_cmpuint(complaints(site), ==, 0);
        for (guint32 i = 0; i < kept; i++)
                store_maildrop_delete(drop, i);
        g_assert_true(store_maildrop_update(drop, &error));
        store_maildrop_close(drop);
        g_assert_cmpuint(complaints(site), ==, 0);
        tidy(site);
        g_assert_cmpuint(complaints(site), ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM body"), ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM entry"), ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM page_state"), ==, 0);
        g_assert_cmpint(number(site, "SELECT messages + octets + gone_messages + gone_octets FROM mailbox"), ==, 0);
}

static void
test_gone(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        MaildropMessage *message = NULL;

        deliver_n(site, 2);
        Maildrop *drop = open_drop(site, 1);
        change(site, "DELETE FROM entry WHERE uid = 1");
        g_assert_false(store_maildrop_message(drop, 0, &message, &error));
        g_assert_nonnull(error);
        g_autofree char *text = read_message(drop, 1);
        g_assert_nonnull(text);
        store_maildrop_close(drop);
}

/* Removing and looking --------------------------------------------------------------------------------------------- */

static void
test_remove_account(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gboolean more = TRUE;
        gint64 uid;

        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'news', 5, 0)");
        g_assert_cmpint(deliver(site, 2, "INBOX", "", "x\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        deliver_n(site, 4);
        while (more) {
                g_autoptr(DbTxn) txn = db_begin(site->db, &error);
                g_assert_true(store_remove_account(site->store, txn, 1, &more, &error));
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        }
        g_assert_cmpint(number(site, "SELECT count(*) FROM mailbox WHERE account = 1"), ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM entry"), ==, 1);
        g_assert_cmpint(number(site, "SELECT sum(refs) FROM body"), ==, 1);
        g_assert_cmpuint(complaints(site), ==, 0);
}

static void
test_rows(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const StoreRow *rows;
        gsize n;
        gint64 uid;

        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'news', 5, 0)");
        deliver_n(site, 3);
        g_assert_cmpint(deliver(site, 1, "news", "", "xyz\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        g_assert_true(store_rows(site->store, site->arena, 1, NULL, 0, 2, &rows, &n, &error));
        g_assert_cmpuint(n, ==, 2);
        g_assert_cmpint(rows[1].uid, ==, 2);
        g_assert_true(store_rows(site->store, site->arena, 1, rows[1].mailbox, rows[1].uid, 10, &rows, &n, &error));
        g_assert_cmpuint(n, ==, 2);
        g_assert_cmpstr(rows[0].mailbox, ==, "INBOX");
        g_assert_cmpint(rows[0].uid, ==, 3);
        g_assert_cmpstr(rows[1].mailbox, ==, "news");
        g_assert_cmpuint(rows[1].size, ==, 5);
        g_assert_cmpuint(rows[1].message, ==, 7);
        g_assert_true(store_rows(site->store, site->arena, 1, "news", 1, 10, &rows, &n, &error));
        g_assert_cmpuint(n, ==, 0);
}

static void
test_verify(Site *site, gconstpointer data)
{
        static const struct {
                const char *damage, *repair;
        } CASES[] = {
                {"UPDATE body SET refs = 2", "UPDATE body SET refs = 1"},
                {"UPDATE entry SET prefix = x'41' WHERE uid = 1", "UPDATE entry SET prefix = x'503A20310D0A'"},
                {"UPDATE entry SET cuts = x'7f7f' WHERE uid = 1", "UPDATE entry SET cuts = x''"},
                {"UPDATE entry SET body = -body WHERE uid = 2", "UPDATE entry SET body = -body WHERE uid = 2"},
                {"UPDATE body SET offset = offset + 8", "UPDATE body SET offset = offset - 8"},
        };

        deliver_n(site, 2);
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                change(site, CASES[i].damage);
                g_assert_cmpuint(complaints(site), >, 0);
                change(site, CASES[i].repair);
                g_assert_cmpuint(complaints(site), ==, 0);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/store/" path, Site, NULL, site_init, fn, site_done)
        ADD("uids-rise-and-never-come-back RFC 9051 §2.3.1.1", test_uids);
        ADD("quota-in-octets-and-messages-counts-the-copy", test_quota);
        ADD("only-INBOX-is-made-by-delivery", test_mailbox_missing);
        ADD("a-body-goes-with-its-last-copy", test_shared_body);
        ADD("what-is-not-kept-is-forgotten", test_rolled_back);
        ADD("data-of-version-1", test_version_1);
        ADD("maildrop/one-session-at-a-time RFC 1939 §4", test_one_session);
        ADD("maildrop/a-snapshot RFC 1939 §5", test_snapshot);
        ADD("maildrop/marks-count-and-are-taken-back RFC 1939 §5", test_marks);
        ADD("maildrop/uidl-is-stable RFC 1939 §7", test_uidl);
        ADD("maildrop/update-removes-what-is-marked RFC 1939 §6", test_update);
        ADD("maildrop/a-message-removed-meanwhile-is-an-error", test_gone);
        ADD("an-account-goes-with-its-mail", test_remove_account);
        ADD("rows-in-pages", test_rows);
        ADD("verify-finds-damage", test_verify);
        return g_test_run();
}

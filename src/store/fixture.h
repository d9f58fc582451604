/* fixture.h -- a site of its own for tests of this room: database, bodies, store; and what tests do with it again and again. */
#pragma once

#include "store/change.h"

#include "base/testing.h"

typedef struct Site {
        char *dir;
        Db *db;
        Blob *blob;
        Directory *directory;
        Store *store;
        Arena *arena;
} Site;

G_GNUC_UNUSED static void
site_open(Site *site)
{
        g_autoptr(GError) error = NULL;

        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        site->blob = blob_open(site->dir, site->db, &error);
        g_assert_no_error(error);
        site->directory = directory_new(site->db);
        site->store = store_new(site->db, site->blob, site->directory);
}

G_GNUC_UNUSED static void
site_close(Site *site)
{
        store_free(site->store);
        directory_free(site->directory);
        blob_close(site->blob);
        db_close(site->db);
}

G_GNUC_UNUSED static void
site_init(Site *site, gconstpointer data)
{
        site->dir = test_dir_make();
        site->arena = arena_new(16 * 1024 * 1024);
        site_open(site);
}

G_GNUC_UNUSED static void
site_done(Site *site, gconstpointer data)
{
        site_close(site);
        arena_free(site->arena);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

G_GNUC_UNUSED static BlobPlace
append(Site *site, const char *text)
{
        g_autoptr(GError) error = NULL;
        BlobWriter *writer = blob_writer_new(site->blob, 1 << 20);
        BlobPlace place;

        g_assert_true(blob_writer_add(writer, span_of(text), &error));
        g_assert_true(blob_take_append(writer, SPAN_EMPTY, &place, &error));
        blob_sync(site->blob, &place);
        g_assert_no_error(error);
        return place;
}

typedef struct Quota {
        guint64 octets, messages;
} Quota;

/* One message into so many accounts, from 1 on; the answer of the last. Rolled back unless it is DONE. */
G_GNUC_UNUSED static StoreAnswer
deliver(Site *site, gint64 accounts, const char *mailbox, const char *prefix, const char *text, Quota quota,
        gint64 *ret_uid)
{
        g_autoptr(GError) error = NULL;
        BlobPlace place = append(site, text);
        Copy copy = {.body_size = place.size, .prefix = span_of(prefix)};
        StoreAnswer answer = STORE_FAILED;

        g_autoptr(DbTxn) txn = db_begin(site->db, &error);
        g_assert_no_error(error);
        g_assert_true(blob_name(txn, &place, accounts, SPAN_EMPTY, &copy.body, &error));
        for (gint64 account = 1; account <= accounts; account++) {
                const StoreDelivery delivery = {
                        .account = account,
                        .mailbox = mailbox,
                        .copy = &copy,
                        .message = 7,
                        .received = 1000,
                        .quota_octets = quota.octets,
                        .quota_messages = quota.messages,
                };
                answer = store_deliver(site->store, txn, &delivery, ret_uid, &error);
                g_assert_no_error(error);
                if (answer != STORE_DONE)
                        return answer;
        }
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        return answer;
}

G_GNUC_UNUSED static void
deliver_n(Site *site, guint n)
{
        gint64 uid;

        for (guint i = 0; i < n; i++) {
                g_autofree char *text = g_strdup_printf("Subject: %u\r\n\r\nx\r\n", i);
                g_assert_cmpint(deliver(site, 1, "INBOX", "P: 1\r\n", text, (Quota){0}, &uid), ==, STORE_DONE);
        }
}

G_GNUC_UNUSED static Maildrop *
open_drop(Site *site, gint64 account)
{
        g_autoptr(GError) error = NULL;
        Maildrop *drop = NULL;

        g_assert_cmpint(store_maildrop_open(site->store, account, &drop, &error), ==, MAILDROP_OPEN);
        g_assert_no_error(error);
        return drop;
}

G_GNUC_UNUSED static char *
read_message(Maildrop *drop, guint32 i)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(MaildropMessage) message = NULL;
        g_autofree char *text = g_malloc0(store_maildrop_size(drop, i) + 1);

        g_assert_true(store_maildrop_message(drop, i, &message, &error));
        g_assert_no_error(error);
        g_assert_cmpint(store_message_read(message, text, store_maildrop_size(drop, i), &error), ==,
                        store_maildrop_size(drop, i));
        g_assert_cmpint(store_message_read(message, text, 1, &error), ==, 0);
        return g_steal_pointer(&text);
}

G_GNUC_UNUSED static gint64
number(Site *site, const char *sql)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(site->db, &error);
        g_autoptr(DbRows) rows = db_query_text(txn, sql, &error, "");

        g_assert_cmpint(db_rows_next(rows, &error), ==, DB_ROW);
        return db_int(rows, 0);
}

G_GNUC_UNUSED static void
change(Site *site, const char *sql)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin(site->db, &error);

        {
                g_autoptr(DbRows) rows = db_query_text(txn, sql, &error, "");
                g_assert_cmpint(db_rows_next(rows, &error), ==, DB_ROW_END);
        }
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
}

G_GNUC_UNUSED static void
count_complaint(const char *complaint, gpointer data)
{
        g_test_message("%s", complaint);
        ++*(guint *) data;
}

G_GNUC_UNUSED static guint
complaints(Site *site)
{
        g_autoptr(GError) error = NULL;
        guint n = 0;
        guint64 entries;

        g_assert_true(store_verify(site->store, TRUE, count_complaint, &n, &entries, &error));
        g_assert_no_error(error);
        return n;
}

/* Everything that was expunged is forgotten. */
G_GNUC_UNUSED static void
tidy(Site *site)
{
        g_autoptr(GError) error = NULL;
        gboolean more = TRUE;

        while (more) {
                g_assert_true(store_tidy(site->store, USEC_NEVER, &more, &error));
                g_assert_no_error(error);
        }
}

/* The id of an INBOX that was delivered to. */
G_GNUC_UNUSED static gint64
inbox_of(Site *site, gint64 account)
{
        g_autofree char *sql =
                g_strdup_printf("SELECT id FROM mailbox WHERE name = 'INBOX' AND account = %" G_GINT64_FORMAT, account);

        return number(site, sql);
}

G_GNUC_UNUSED static View *
open_view(Site *site, gint64 mailbox, gint64 reader)
{
        g_autoptr(GError) error = NULL;
        View *view = NULL;

        g_assert_cmpint(store_view_open(site->store, mailbox, reader, &view, &error), ==, STORE_DONE);
        g_assert_no_error(error);
        return view;
}

/* copy_stage_test.c -- COPY of many messages: slices that nobody sees before the last one. */
#include "store/fixture.h"
#include "store/internal.h"
#include "store/mailbox.h"

#define MESSAGES 1100 /* eight packs, and a rest that is not packed */
#define COPIES 1000   /* id of the target */

typedef struct Watched {
        Site *site;
        const View *before; /* of the target */
        guint calls;
        char *crash_dir; /* NULL: no image of it is made */
        gint64 delivered;
        guint64 delivered_modseq;
} Watched;

static void
set_up(Site *site)
{
        g_autoptr(GError) error = NULL;
        PackWork work = PACK_AGAIN;

        deliver_n(site, MESSAGES);
        while (work == PACK_AGAIN)
                work = mailbox_pack(site->store, inbox_of(site, 1), FALSE, &error);
        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'Copies', 5, 0)");
        site->store->stage_min = 100;
        site->store->slice_cost = 60; /* two or three pages */
}

static ChangeAnswer
copy_all(Site *site, const ChangeProgress *progress, gboolean is_move, Copied *ret)
{
        g_autoptr(GError) error = NULL;
        const UidRange all = {1, MESSAGES};
        const CopyRequest request = {.from = inbox_of(site, 1),
                                     .to = COPIES,
                                     .reader = 1,
                                     .is_move = is_move,
                                     .mask = FLAG_SYSTEM,
                                     .progress = progress};

        return store_copy(site->store, &request, &(UidSet){&all, 1}, ret, &error);
}

/* What a power loss would leave. */
static void
keep_image(Watched *w)
{
        g_autofree char *command = NULL;

        if (w->crash_dir == NULL || w->calls != 2)
                return;
        command = g_strdup_printf("cp -r '%s'/. '%s'", w->site->dir, w->crash_dir);
        g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
}

/* Between two slices. */
static void
look(guint64 done, guint64 total, gpointer data)
{
        Watched *w = data;
        g_autoptr(View) view = open_view(w->site, COPIES, 1);
        g_autoptr(GError) error = NULL;
        MailboxStatus status;

        g_assert_cmpuint(done, <=, total);
        g_assert_cmpuint(view_count(view), ==, w->calls == 0 ? 0 : 1);
        g_assert_cmpint(store_mailbox_status(w->site->store, COPIES, 1, &status, &error), ==, STORE_DONE);
        g_assert_cmpuint(status.messages, ==, view_count(view));
        g_assert_cmpuint(complaints(w->site), ==, 0);
        if (w->calls++ == 0) {
                g_assert_cmpint(
                        deliver(w->site, 1, "Copies", "", "Subject: meanwhile\r\n\r\nx\r\n", (Quota){0}, &w->delivered),
                        ==, STORE_DONE);
                tidy(w->site);
        }
        keep_image(w);
}

/* Readers see nothing of it, or all; what comes meanwhile comes before it. */
static void
test_all_at_once(Site *site, gconstpointer data)
{
        Watched w = {.site = site};
        const ChangeProgress progress = {look, &w};
        g_auto(Copied) copied = {0};

        set_up(site);
        g_autoptr(View) before = open_view(site, COPIES, 1);
        g_assert_cmpint(copy_all(site, &progress, FALSE, &copied), ==, CHANGED_DONE);
        g_assert_cmpuint(w.calls, >=, 3);
        g_assert_cmpuint(copied.n, ==, MESSAGES);
        g_autoptr(View) view = open_view(site, COPIES, 1);
        g_assert_cmpuint(view_count(view), ==, MESSAGES + 1);
        g_assert_cmpuint(view_entry(view, 0)->uid, ==, w.delivered);
        for (guint32 i = 1; i < view_count(view); i++) {
                g_assert_cmpuint(view_entry(view, i)->uid, ==, copied.first_uid + i - 1);
                g_assert_cmpuint(view_entry(view, i)->modseq, >, view_entry(view, 0)->modseq);
        }
        g_assert_cmpuint(view_highest_modseq(view), >=, view_entry(view, MESSAGES)->modseq);
        g_assert_cmpuint(view_uid_next(view), ==, copied.first_uid + MESSAGES);
        g_assert_cmpint(number(site, "SELECT count(*) FROM mailbox WHERE copying IS NOT NULL"), ==, 0);
        g_assert_cmpuint(complaints(site), ==, 0);
        copied_done(&copied);
        w.calls = 1; /* again, behind it */
        g_assert_cmpint(copy_all(site, NULL, FALSE, &copied), ==, CHANGED_DONE);
        g_assert_cmpuint(complaints(site), ==, 0);
}

DB_SQL(ACCOUNT_MADE, "INSERT INTO account (id, domain, local, local_key, quota_messages, created)"
                     " VALUES (1, 'ex.org', 'joe', 'joe', ?, 0)");

static void
test_over_quota(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_auto(Copied) copied = {0};

        set_up(site);
        DbTxn *txn = db_begin(site->db, &error);
        g_assert_true(db_run(txn, &ACCOUNT_MADE, &error, "i", (gint64) MESSAGES + 5));
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        gint64 pages = number(site, "SELECT count(*) FROM page");
        g_assert_cmpint(copy_all(site, NULL, FALSE, &copied), ==, CHANGED_OVER_QUOTA);
        g_assert_cmpuint(copied.n, ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM page"), <=, pages + 1); /* the tail was folded */
        g_assert_cmpint(number(site, "SELECT count(*) FROM mailbox WHERE copying IS NOT NULL"), ==, 0);
        g_assert_cmpint(number(site, "SELECT uid_next FROM mailbox WHERE id = 1000"), ==, 1);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* The server ended in the middle: mail still comes, and housekeeping takes away what is half done. */
static void
test_crash(Site *site, gconstpointer data)
{
        Watched w = {.site = site, .crash_dir = test_dir_make()};
        const ChangeProgress progress = {look, &w};
        Site after = {.dir = w.crash_dir};
        g_auto(Copied) copied = {0};
        gint64 uid;

        set_up(site);
        g_assert_cmpint(copy_all(site, &progress, FALSE, &copied), ==, CHANGED_DONE);
        copied_done(&copied);
        after.arena = arena_new(16 * 1024 * 1024);
        site_open(&after);
        g_assert_cmpint(number(&after, "SELECT count(*) FROM mailbox WHERE copying IS NOT NULL"), ==, 1);
        g_assert_cmpint(number(&after, "SELECT count(*) FROM page WHERE key > 1000 * 4294967296 + 262144"), >, 0);
        g_assert_cmpuint(complaints(&after), ==, 0);
        g_assert_cmpint(deliver(&after, 1, "Copies", "", "Subject: later\r\n\r\nx\r\n", (Quota){0}, &uid), ==,
                        STORE_DONE);
        g_assert_cmpint(uid, ==, w.delivered + 1);
        tidy(&after);
        g_assert_cmpint(number(&after, "SELECT count(*) FROM mailbox WHERE copying IS NOT NULL"), ==, 0);
        g_assert_cmpint(number(&after, "SELECT count(*) FROM page WHERE key > 1000 * 4294967296 + 262144"), ==, 0);
        g_assert_cmpuint(complaints(&after), ==, 0);
        after.store->stage_min = 100;
        g_assert_cmpint(copy_all(&after, NULL, FALSE, &copied), ==, CHANGED_DONE);
        g_autoptr(View) view = open_view(&after, COPIES, 1);
        g_assert_cmpuint(view_count(view), ==, MESSAGES + 2);
        g_assert_cmpuint(complaints(&after), ==, 0);
        site_close(&after);
        arena_free(after.arena);
        test_dir_remove(after.dir);
        g_free(after.dir);
}

/* The next COPY of many does not wait for housekeeping. */
static void
test_left_behind(Site *site, gconstpointer data)
{
        Watched w = {.site = site, .crash_dir = test_dir_make()};
        const ChangeProgress progress = {look, &w};
        Site after = {.dir = w.crash_dir};
        g_auto(Copied) copied = {0};

        set_up(site);
        g_assert_cmpint(copy_all(site, &progress, FALSE, &copied), ==, CHANGED_DONE);
        copied_done(&copied);
        after.arena = arena_new(16 * 1024 * 1024);
        site_open(&after);
        after.store->stage_min = 100;
        after.store->slice_cost = 60;
        g_assert_cmpint(copy_all(&after, NULL, FALSE, &copied), ==, CHANGED_DONE);
        g_autoptr(View) view = open_view(&after, COPIES, 1);
        g_assert_cmpuint(view_count(view), ==, MESSAGES + 1);
        g_assert_cmpuint(complaints(&after), ==, 0);
        site_close(&after);
        arena_free(after.arena);
        test_dir_remove(after.dir);
        g_free(after.dir);
}

/* What others may add meanwhile ends where the block begins. */
static void
test_uids_end(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Copy copy = {.body_size = 5};
        const StoreDelivery delivery = {.account = 1, .mailbox = "Copies", .copy = &copy, .received = 1};
        gint64 uid;

        set_up(site);
        change(site, "UPDATE mailbox SET copying = 3 WHERE id = 1000");
        for (guint i = 0; i < 2; i++)
                g_assert_cmpint(deliver(site, 1, "Copies", "", "x: y\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        BlobPlace place = append(site, "x: y\r\n");
        g_autoptr(DbTxn) txn = db_begin(site->db, &error);
        g_assert_true(blob_name(txn, &place, 1, SPAN_EMPTY, &copy.body, &error));
        g_assert_cmpint(store_deliver(site->store, txn, &delivery, &uid, &error), ==, STORE_FAILED);
        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
        g_clear_pointer(&txn, db_txn_free);
        g_clear_error(&error);
        tidy(site);
        g_assert_cmpint(deliver(site, 1, "Copies", "", "x: y\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        g_assert_cmpint(uid, ==, 3);
}

static void
count_here(guint64 done, guint64 total, gpointer data)
{
        Watched *w = data;
        g_autoptr(View) from = open_view(w->site, inbox_of(w->site, 1), 1);
        g_autoptr(View) to = open_view(w->site, COPIES, 1);
        gint64 uid;

        g_assert_cmpuint(view_count(from), ==, MESSAGES - done);
        g_assert_cmpuint(view_count(to), ==, done + w->calls);
        g_assert_cmpuint(complaints(w->site), ==, 0);
        w->calls++;
        g_assert_cmpint(deliver(w->site, 1, "Copies", "", "x: y\r\n", (Quota){0}, &uid), ==, STORE_DONE);
}

static void
test_move(Site *site, gconstpointer data)
{
        Watched w = {.site = site};
        const ChangeProgress progress = {count_here, &w};
        g_auto(Copied) copied = {0};
        guint n = 0;

        set_up(site);
        g_assert_cmpint(copy_all(site, &progress, TRUE, &copied), ==, CHANGED_DONE);
        g_assert_cmpuint(w.calls, >=, 3);
        g_assert_cmpuint(copied.n, ==, MESSAGES);
        g_assert_cmpuint(copied.targets->len, ==, w.calls); /* what came meanwhile stands between */
        for (guint i = 0; i < copied.targets->len; i++)
                n += g_array_index(copied.targets, UidRange, i).last -
                     g_array_index(copied.targets, UidRange, i).first + 1;
        g_assert_cmpuint(n, ==, MESSAGES);
        g_assert_cmpuint(complaints(site), ==, 0);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(title, fn) g_test_add("/store/copy/" title, Site, NULL, site_init, fn, site_done)
        ADD("many are seen all at once RFC 9051 §6.4.7", test_all_at_once);
        ADD("many over quota leave nothing RFC 9051 §6.4.7", test_over_quota);
        ADD("what a crash leaves is taken away", test_crash);
        ADD("what a crash leaves is in no way of the next", test_left_behind);
        ADD("UIDs of others end before the block", test_uids_end);
        ADD("a message that is moved is in one place RFC 6851 §3.3", test_move);
        return g_test_run();
}

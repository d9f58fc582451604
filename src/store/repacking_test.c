/* repacking_test.c -- what is left of pages and packs takes no more room than it needs, and nobody sees that it was
 * moved. */
#include "store/pack_testing.h"

/* All pages once. */
static void
sweep(Site *site)
{
        g_autoptr(GError) error = NULL;
        PackWork work = PACK_AGAIN;
        gint64 at = 0;

        while (work == PACK_AGAIN)
                work = pages_repack(site->store, &at, G_MAXINT64, &error);
        g_assert_no_error(error);
        g_assert_cmpint(work, ==, PACK_IDLE);
}

static gint64
count(Site *site, const char *table)
{
        g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM %s", table);

        return number(site, sql);
}

static void
remove_range(Site *site, gint64 mailbox, guint32 first, guint32 last)
{
        g_autoptr(GError) error = NULL;
        const UidRange range = {first, last};
        const UidSet set = {&range, 1};
        guint64 modseq;

        g_assert_cmpint(store_remove(site->store, mailbox, &set, &modseq, &error), ==, CHANGED_DONE);
        g_assert_no_error(error);
}

/* All but each 100th, that with the UID 1 among them. */
static void
thin_out(Site *site, gint64 mailbox, guint32 last)
{
        for (guint32 uid = 2; uid <= last; uid += 100)
                remove_range(site, mailbox, uid, MIN(uid + 98, last));
        tidy(site);
}

/* Message at this index is number i of deliver_n(). */
static void
assert_message(Site *site, const View *view, SummaryCursor *cursor, guint32 index, guint i)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(StoredMessage) message = NULL;
        g_autofree char *text = g_strdup_printf("P: 1\r\nSubject: %u\r\n\r\nx\r\n", i);
        g_autofree char *envelope = g_strdup_printf("(NIL \"%u\" ", i);
        StoredSummary summary;
        char read[100];

        g_assert_true(store_message_of(site->store, view, index, &message, &error));
        g_assert_no_error(error);
        g_assert_cmpint(stored_message_read(message, 0, read, sizeof(read), &error), ==, strlen(text));
        g_assert_cmpint(memcmp(read, text, strlen(text)), ==, 0);
        g_assert_true(summary_cursor_get(cursor, view, index, &summary, &error));
        g_assert_no_error(error);
        g_assert_true(span_starts_nocase(summary.envelope, span_of(envelope)));
        g_assert_true(span_is(summary.prefix, "P: 1\r\n"));
}

static void
assert_messages(Site *site, const View *view, guint step)
{
        g_autoptr(SummaryCursor) cursor = store_summary_cursor(site->store, SUMMARY_ENVELOPE | SUMMARY_COPY);

        for (guint32 i = 0; i < view_count(view); i++)
                assert_message(site, view, cursor, i, i * step);
}

/* A view from before, one that was open, and the next one show the same; nobody is woken. */
static void
test_thinned_out(Site *site, gconstpointer data)
{
        deliver_n(site, 1280);
        gint64 inbox = inbox_of(site, 1);

        (void) pack_all(site, inbox);
        thin_out(site, inbox, 1280);
        g_autoptr(View) before = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = store_summary_cursor(site->store, SUMMARY_ENVELOPE | SUMMARY_COPY);
        assert_message(site, before, cursor, 3, 300);
        g_assert_cmpint(count(site, "page"), ==, 10);
        g_assert_cmpint(count(site, "pack"), ==, 10);
        sweep(site);
        g_assert_cmpint(count(site, "page"), ==, 1);
        g_assert_cmpint(count(site, "page_state"), ==, 1);
        g_assert_cmpint(count(site, "pack"), ==, 1);
        g_assert_cmpint(count(site, "pack_part"), ==, PACK_N_PARTS);
        g_assert_cmpuint(complaints(site), ==, 0);
        assert_message(site, before, cursor, 3, 300);
        assert_messages(site, before, 100);
        g_autoptr(View) after = open_view(site, inbox, 1);
        g_assert_cmpuint(view_count(after), ==, 13);
        g_assert_cmpuint(view_highest_modseq(after), ==, view_highest_modseq(before));
        assert_messages(site, after, 100);
        gint64 pack = number(site, "SELECT max(id) FROM pack");
        sweep(site);
        g_assert_cmpint(number(site, "SELECT max(id) FROM pack"), ==, pack); /* there is nothing more to do */
        site_close(site);
        site_open(site);
        g_autoptr(View) anew = open_view(site, inbox, 1);
        assert_messages(site, anew, 100);
}

/* Messages go on coming and going; of each 128 one stays. */
static void
test_queue(Site *site, gconstpointer data)
{
        gint64 inbox = 0;
        guint32 last = 0;

        for (guint round = 0; round < 60; round++) {
                deliver_n(site, 128);
                inbox = inbox_of(site, 1);
                (void) pack_all(site, inbox);
                remove_range(site, inbox, last + 2, last + 128);
                tidy(site);
                last += 128;
                sweep(site);
                g_assert_cmpint(count(site, "page"), ==, 1);
                g_assert_cmpint(count(site, "pack"), <=, 8);
        }
        g_assert_cmpint(number(site, "SELECT sum(length(data)) FROM pack_part"), <, 16384);
        g_assert_cmpint(number(site, "SELECT max(id) FROM pack"), <, 60 * 3); /* and not each time for one more */
        g_assert_cmpint(count(site, "body"), ==, 60);
        g_assert_cmpuint(complaints(site), ==, 0);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_assert_cmpuint(view_count(view), ==, 60);
        remove_range(site, inbox, 1, last);
        tidy(site);
        g_assert_cmpint(count(site, "page") + count(site, "pack") + count(site, "pack_part") + count(site, "body"), ==,
                        0);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* Kept in another mailbox: slots of many packs are named from there, some from both. */
static void
test_kept_elsewhere(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        deliver_n(site, 1280);
        gint64 inbox = inbox_of(site, 1);
        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (77, 1, 'Kept', 5, 0)");
        (void) pack_all(site, inbox);
        for (guint i = 0; i < 13; i++) {
                const UidRange one = {i * 100 + 1, i * 100 + 1};
                const CopyRequest request = {
                        .from = inbox, .to = 77, .reader = 1, .is_move = i % 2 == 0, .mask = FLAG_SYSTEM};
                Copied copied;
                g_assert_cmpint(store_copy(site->store, &request, &(UidSet){&one, 1}, &copied, &error), ==,
                                CHANGED_DONE);
                g_array_unref(copied.sources);
        }
        thin_out(site, inbox, 1280); /* what was copied stays here too */
        sweep(site);
        g_assert_cmpuint(complaints(site), ==, 0);
        g_assert_cmpint(count(site, "page"), ==, 2);
        g_assert_cmpint(count(site, "pack"), <=, 7); /* what both name stays where it is */
        g_autoptr(View) kept = open_view(site, 77, 1), rest = open_view(site, inbox, 1);
        g_assert_cmpuint(view_count(rest), ==, 6);
        assert_messages(site, kept, 100);
        remove_range(site, inbox, 1, 1280);
        tidy(site);
        sweep(site);
        g_assert_cmpint(count(site, "page"), ==, 1);
        g_assert_cmpint(count(site, "pack"), ==, 2); /* seven, and the six that followed */
        g_assert_cmpuint(complaints(site), ==, 0);
        assert_messages(site, kept, 100);
}

/* What can be undeleted moves along, and comes back; rows that are not packed yet belong to the page they came to. */
static void
test_undelete_and_rows(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        guint32 n;

        deliver_n(site, 384);
        gint64 inbox = inbox_of(site, 1);
        (void) pack_all(site, inbox);
        thin_out(site, inbox, 384);
        remove_range(site, inbox, 101, 201);
        deliver_n(site, 5);
        remove_range(site, inbox, 385, 385); /* folds the tail */
        g_assert_cmpint(count(site, "entry"), ==, 5);
        sweep(site);
        g_assert_cmpint(count(site, "page"), ==, 1);
        g_assert_cmpint(count(site, "pack"), ==, 1);
        g_assert_cmpuint(complaints(site), ==, 0);
        g_assert_cmpint(store_undelete(site->store, inbox, 0, &n, &error), ==, CHANGED_DONE);
        g_assert_cmpuint(n, ==, 3);
        g_assert_cmpuint(complaints(site), ==, 0);
        (void) pack_all(site, inbox);
        g_assert_cmpint(count(site, "entry"), ==, 0);
        g_assert_cmpuint(complaints(site), ==, 0);
        deliver_n(site, 300);
        (void) pack_all(site, inbox);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* Damaged sections are made again on the way; damaged copies, rows and pages stay, and hold up no other. */
static void
test_damaged(Site *site, gconstpointer data)
{
        deliver_n(site, 640);
        gint64 inbox = inbox_of(site, 1);
        (void) pack_all(site, inbox);
        thin_out(site, inbox, 640);
        change(site, "UPDATE pack_part SET data = x'0100' WHERE key IN (8, 17)");
        change(site, "UPDATE pack_part SET data = x'0100' WHERE key = 29"); /* copies of the third */
        sweep(site);
        g_assert_cmpint(count(site, "page"), ==, 1);
        g_assert_cmpint(count(site, "pack"), ==, 2);
        g_assert_cmpuint(complaints(site), ==, 1);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = store_summary_cursor(site->store, SUMMARY_ENVELOPE | SUMMARY_COPY);
        assert_message(site, view, cursor, 0, 0);
        assert_message(site, view, cursor, 1, 100);
        assert_message(site, view, cursor, 6, 600);
        change(site, "UPDATE page SET data = x'0100'");
        sweep(site);
        g_assert_cmpint(count(site, "page"), ==, 1);
}

/* A pass does it when something was purged, once. */
static void
test_pass(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        deliver_n(site, 384);
        gint64 inbox = inbox_of(site, 1);
        (void) pack_all(site, inbox);
        thin_out(site, inbox, 384);
        for (guint i = 0; i < 3; i++)
                g_assert_true(store_pack(site->store, NULL, NULL, &error));
        g_assert_cmpint(count(site, "page"), ==, 1);
        g_assert_cmpint(count(site, "pack"), ==, 1);
        g_assert_cmpint(site->store->is_sparse, ==, FALSE);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/store/repacking/" path, Site, NULL, site_init, fn, site_done)
        ADD("one-page-and-one-pack-for-what-is-left-of-ten", test_thinned_out);
        ADD("a-mailbox-that-is-a-queue-does-not-grow", test_queue);
        ADD("what-is-kept-in-another-mailbox", test_kept_elsewhere);
        ADD("what-can-be-undeleted-and-what-is-not-packed-moves-along", test_undelete_and_rows);
        ADD("what-is-damaged-holds-up-no-other", test_damaged);
        ADD("a-pass-does-it-after-a-purge", test_pass);
        return g_test_run();
}

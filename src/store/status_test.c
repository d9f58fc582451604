/* status_test.c -- what is counted in the tables is what a view shows. */
#include "store/fixture.h"
#include "store/mailbox.h"

static void
assert_same(Site *site, gint64 mailbox)
{
        g_autoptr(GError) error = NULL;
        MailboxStatus counted, cached;

        /* whatever was changed has made the last view old, so this one is counted, and the next is not */
        g_assert_cmpint(store_mailbox_status(site->store, mailbox, 1, &counted, &error), ==, STORE_DONE);
        g_assert_no_error(error);
        g_autoptr(View) view = open_view(site, mailbox, 1);
        g_assert_cmpint(store_mailbox_status(site->store, mailbox, 1, &cached, &error), ==, STORE_DONE);
        for (const MailboxStatus *status = &counted; status != NULL; status = status == &counted ? &cached : NULL) {
                g_assert_cmpuint(status->messages, ==, view_count(view));
                g_assert_cmpuint(status->uid_next, ==, view_uid_next(view));
                g_assert_cmpuint(status->uid_validity, ==, view_uid_validity(view));
                g_assert_cmpuint(status->unseen, ==, view_unseen(view));
                g_assert_cmpuint(status->deleted, ==, view_deleted(view));
                g_assert_cmpuint(status->highest_modseq, ==, view_highest_modseq(view));
                g_assert_cmpuint(status->octets, ==, view_octets(view));
        }
}

static void
change_some(Site *site, gint64 mailbox, guint32 uid_next)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) modified = NULL;
        guint32 first = (guint32) g_test_rand_int_range(1, (gint32) uid_next + 1);
        const UidRange range = {first, first + (guint32) g_test_rand_int_range(0, 40)};
        const UidSet set = {&range, 1};
        const FlagChange change_wanted = {
                .action = g_test_rand_bit() ? FLAGS_ADD : FLAGS_REMOVE,
                .flags = g_test_rand_bit() ? FLAG_SEEN : FLAG_DELETED,
                .mask = FLAG_SYSTEM,
                .reader = 1,
        };
        guint64 modseq = 0;

        if (g_test_rand_int_range(0, 8) == 0)
                g_assert_cmpint(store_expunge(site->store, mailbox, NULL, &modseq, &error), ==, CHANGED_DONE);
        else
                g_assert_cmpint(
                        store_change_flags(site->store, mailbox, &set, &change_wanted, &modified, &modseq, &error), ==,
                        CHANGED_DONE);
        g_assert_no_error(error);
}

static void
test_counts(Site *site, gconstpointer data)
{
        deliver_n(site, 3);
        gint64 inbox = inbox_of(site, 1);
        guint32 uid_next = 4;

        assert_same(site, inbox);
        for (guint round = 0; round < 60; round++) {
                guint n = (guint) g_test_rand_int_range(0, 12);
                deliver_n(site, n);
                uid_next += n;
                change_some(site, inbox, uid_next);
                assert_same(site, inbox);
        }
        tidy(site);
        assert_same(site, inbox);
}

static void
test_others(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        MailboxStatus status;
        guint64 octets = 1;

        deliver_n(site, 5);
        gint64 inbox = inbox_of(site, 1);
        const UidRange range = {1, 2};
        const UidSet set = {&range, 1};
        g_autoptr(GArray) modified = NULL;
        guint64 modseq;
        const FlagChange seen = {
                .action = FLAGS_ADD, .flags = FLAG_SEEN | FLAG_DELETED, .mask = FLAG_SYSTEM, .reader = 1};
        g_assert_cmpint(store_deleted_octets(site->store, inbox, &octets, &error), ==, STORE_DONE);
        g_assert_cmpuint(octets, ==, 0);
        g_assert_cmpint(store_change_flags(site->store, inbox, &set, &seen, &modified, &modseq, &error), ==,
                        CHANGED_DONE);
        g_assert_cmpint(store_mailbox_status(site->store, inbox, 2, &status, &error), ==, STORE_DONE);
        g_assert_cmpuint(status.unseen, ==, 5); /* \Seen is each reader's own */
        g_assert_cmpuint(status.deleted, ==, 2);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_assert_cmpint(store_deleted_octets(site->store, inbox, &octets, &error), ==, STORE_DONE);
        g_assert_cmpuint(octets, ==, view_entry(view, 0)->size + view_entry(view, 1)->size);
        g_assert_cmpint(store_mailbox_status(site->store, inbox + 99, 1, &status, &error), ==, STORE_NO_MAILBOX);
        g_assert_cmpint(store_deleted_octets(site->store, inbox + 99, &octets, &error), ==, STORE_NO_MAILBOX);
        g_assert_no_error(error);
}

int
main(int argc, char *argv[])
{
        g_test_init(&argc, &argv, NULL);
        g_test_add("/store/status/counts are those of a view (RFC 9051 §6.3.11)", Site, NULL, site_init, test_counts,
                   site_done);
        g_test_add("/store/status/other readers, deleted octets (RFC 9208 §5.1), no mailbox", Site, NULL, site_init,
                   test_others, site_done);
        return g_test_run();
}

/* site_test.h -- a store with an account and messages in its INBOX, and sessions over it, for tests.
 *
 *      ImapSite site; Harness h = {0};
 *      imap_site_open(&site, 3);                  joe@ex.org with three messages, UIDs 1 to 3
 *      imap_site_log_in(&site, &h);
 */
#pragma once

#include "imap/harness.h"
#include "store/testing.h"

typedef struct ImapSite {
        TestSite site;
        Viewer joe;
        gint64 inbox; /* 0: not looked up yet */
} ImapSite;

#define IMAP_SITE_MESSAGE "From: ann@ex.org\r\nSubject: one\r\n\r\nhello\r\n"

static inline void
imap_site_put(ImapSite *s, const char *text)
{
        g_autoptr(GError) error = NULL;
        BlobWriter *writer = blob_writer_new(s->site.blob, 1 << 20);
        BlobPlace place;
        gint64 uid;

        g_assert_true(blob_writer_add(writer, span_of(text), &error));
        g_assert_true(blob_take_append(writer, SPAN_EMPTY, &place, &error));
        blob_sync(s->site.blob, &place);
        Copy copy = {.body_size = place.size};
        DbTxn *txn = db_begin(s->site.db, &error);
        g_assert_true(blob_name(txn, &place, 1, SPAN_EMPTY, &copy.body, &error));
        const StoreDelivery delivery = {.account = s->joe.account,
                                        .mailbox = "INBOX",
                                        .copy = &copy,
                                        .message = 7,
                                        .received = 1000 * USEC_PER_SEC};
        g_assert_cmpint(store_deliver(s->site.store, txn, &delivery, &uid, &error), ==, STORE_DONE);
        test_commit(txn);
        g_assert_no_error(error);
}

static inline void
imap_site_deliver(ImapSite *s, guint n)
{
        for (guint i = 0; i < n; i++)
                imap_site_put(s, IMAP_SITE_MESSAGE);
}

static inline void
imap_site_open(ImapSite *s, guint n)
{
        *s = (ImapSite){0};
        test_site_open(&s->site);
        test_domain(&s->site, "ex.org");
        s->joe = test_account(&s->site, "joe@ex.org", NULL, NULL);
        s->inbox = test_mailbox(&s->site, &s->joe, "INBOX")->id;
        imap_site_deliver(s, n);
}

static inline void
imap_site_close(ImapSite *s)
{
        test_site_close(&s->site);
}

/* As joe, or who h->account and h->local say. */
static inline void
imap_site_log_in(ImapSite *s, Harness *h)
{
        h->store = s->site.store;
        h->directory = s->site.directory;
        h->account = h->account != 0 ? h->account : s->joe.account;
        harness_open(h);
        harness_log_in(h);
}

/* What another session of joe's would do. */
static inline void
imap_site_change(ImapSite *s, guint32 first, guint32 last, const FlagChange *change)
{
        g_autoptr(GError) error = NULL;
        const UidRange range = {first, last};
        const UidSet set = {&range, 1};
        GArray *modified = NULL;
        guint64 modseq;

        g_assert_cmpint(store_change_flags(s->site.store, s->inbox, &set, change, &modified, &modseq, &error), ==,
                        CHANGED_DONE);
        g_assert_no_error(error);
}

static inline void
imap_site_flag(ImapSite *s, guint32 first, guint32 last, guint64 flags)
{
        const FlagChange change = {.action = FLAGS_REPLACE,
                                   .flags = flags,
                                   .mask = G_MAXUINT64,
                                   .may_keywords = TRUE,
                                   .reader = s->joe.account};

        imap_site_change(s, first, last, &change);
}

static inline void
imap_site_keyword(ImapSite *s, guint32 uid, const char *keyword)
{
        const Span name = span_of(keyword);
        const FlagChange change = {.action = FLAGS_ADD,
                                   .keywords = &name,
                                   .n_keywords = 1,
                                   .mask = G_MAXUINT64,
                                   .may_keywords = TRUE,
                                   .reader = s->joe.account};

        imap_site_change(s, uid, uid, &change);
}

static inline void
imap_site_expunge(ImapSite *s)
{
        g_autoptr(GError) error = NULL;
        guint64 modseq;

        g_assert_cmpint(store_expunge(s->site.store, s->inbox, NULL, &modseq, &error), ==, CHANGED_DONE);
        g_assert_no_error(error);
}

static inline guint64
imap_site_modseq(ImapSite *s)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(View) view = NULL;

        g_assert_cmpint(store_view_open(s->site.store, s->inbox, s->joe.account, &view, &error), ==, STORE_DONE);
        return view_highest_modseq(view);
}

/* Watches fire soon, not at once. */
static inline void
imap_site_wait_woken(Harness *h)
{
        for (guint i = 0; i < 5000 && g_atomic_int_get(&h->is_woken) == 0; i++)
                g_usleep(1000);
        g_assert_cmpint(g_atomic_int_get(&h->is_woken), !=, 0);
}

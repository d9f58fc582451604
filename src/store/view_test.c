/* view_test.c -- views, what changes in them, and watches. */
#include "store/fixture.h"

typedef struct Told {
        GString *text;
        const View *older, *newer;
} Told;

static void
tell_vanished(guint32 index, gpointer data)
{
        Told *told = data;

        g_string_append_printf(told->text, "-%u ", view_entry(told->older, index)->uid);
}

static void
tell_changed(guint32 index, gpointer data)
{
        Told *told = data;

        g_string_append_printf(told->text, "%u:%" G_GINT64_MODIFIER "x ", view_entry(told->newer, index)->uid,
                               view_flags(told->newer, index));
}

/* "-UID" of what vanished, "UID:flags" of what changed, "+n" of what is new; the newer view takes the older one's
 * place. */
static char *
compare(View **view, View *newer)
{
        Told told = {g_string_new(NULL), *view, newer};
        guint32 first_new;

        view_compare(*view, newer, tell_vanished, tell_changed, &told, &first_new);
        if (first_new < view_count(newer))
                g_string_append_printf(told.text, "+%u ", view_count(newer) - first_new);
        view_unref(*view);
        *view = newer;
        return g_string_free(told.text, FALSE);
}

#define assert_news(view, reader, expected)                                                                            \
        G_STMT_START                                                                                                   \
        {                                                                                                              \
                g_autofree char *news = compare(&(view), open_view(site, view_mailbox(view), (reader)));               \
                g_assert_cmpstr(news, ==, (expected));                                                                 \
        }                                                                                                              \
        G_STMT_END

#define SET(...)                                                                                                       \
        (&(const UidSet){(const UidRange[]){__VA_ARGS__}, sizeof((UidRange[]){__VA_ARGS__}) / sizeof(UidRange)})

static guint64
change_flags(Site *site, gint64 mailbox, const UidSet *set, const FlagChange *change_wanted)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) modified = NULL;
        guint64 modseq = 0;

        g_assert_cmpint(store_change_flags(site->store, mailbox, set, change_wanted, &modified, &modseq, &error), ==,
                        CHANGED_DONE);
        g_assert_no_error(error);
        return modseq;
}

static guint64
expunge(Site *site, gint64 mailbox, const UidSet *set)
{
        g_autoptr(GError) error = NULL;
        guint64 modseq = 0;

        g_assert_cmpint(store_expunge(site->store, mailbox, set, &modseq, &error), ==, CHANGED_DONE);
        g_assert_no_error(error);
        return modseq;
}

static FlagChange
flag_change(FlagAction action, guint64 flags)
{
        return (FlagChange){.action = action, .flags = flags, .mask = FLAG_SYSTEM, .may_keywords = TRUE, .reader = 1};
}

/* Views ------------------------------------------------------------------------------------------------------------ */

static void
test_views(Site *site, gconstpointer data)
{
        const FlagChange seen = flag_change(FLAGS_ADD, FLAG_SEEN), deleted = flag_change(FLAGS_ADD, FLAG_DELETED);

        deliver_n(site, 3);
        g_autoptr(View) view = open_view(site, inbox_of(site, 1), 1);
        g_autoptr(View) same = open_view(site, inbox_of(site, 1), 1);
        g_assert_true(view == same);
        g_assert_cmpuint(view_count(view), ==, 3);
        g_assert_cmpuint(view_unseen(view), ==, 3);
        g_assert_cmpuint(view_uid_next(view), ==, 4);
        g_assert_cmpuint(view_highest_modseq(view), ==, 4);
        deliver_n(site, 2);
        g_assert_cmpuint(view_count(view), ==, 3); /* a view never changes */
        assert_news(view, 1, "+2 ");
        assert_news(view, 1, "");
        g_assert_cmpuint(change_flags(site, view_mailbox(view), SET({2, 4}), &seen), ==, 7);
        assert_news(view, 1, "2:1 3:1 4:1 ");
        g_assert_cmpuint(view_highest_modseq(view), ==, 7);
        g_assert_cmpuint(view_unseen(view), ==, 2);
        g_assert_cmpuint(change_flags(site, view_mailbox(view), SET({2, 3}), &seen), ==, 0); /* as they are */
        assert_news(view, 1, "");
        change_flags(site, view_mailbox(view), SET({1, 2}, {5, 9}), &deleted);
        assert_news(view, 1, "1:8 2:9 5:8 ");
        g_assert_cmpuint(view_deleted(view), ==, 3);
        deliver_n(site, 1);
        g_assert_cmpuint(expunge(site, view_mailbox(view), SET({2, 100})), ==, 10);
        assert_news(view, 1, "-5 -2 +1 ");
        g_assert_cmpuint(expunge(site, view_mailbox(view), SET({2, 100})), ==, 0);
        g_assert_cmpuint(expunge(site, view_mailbox(view), NULL), ==, 11);
        assert_news(view, 1, "-1 ");
        g_assert_cmpuint(view_index_of(view, 0), ==, 0);
        g_assert_cmpuint(view_index_of(view, 3), ==, 0);
        g_assert_cmpuint(view_index_of(view, 5), ==, 2);
        g_assert_cmpuint(view_index_of(view, 7), ==, 3);
        g_assert_cmpuint(view_entry(view, 2)->uid, ==, 6);
        g_assert_cmpuint(complaints(site), ==, 0);
        tidy(site);
        assert_news(view, 1, "");
        g_assert_cmpuint(complaints(site), ==, 0);
        site_close(site);
        site_open(site);
        g_autoptr(View) again = open_view(site, view_mailbox(view), 1);
        g_autofree char *news = compare(&view, view_ref(again));
        g_assert_cmpstr(news, ==, "");
        g_assert_cmpuint(view_highest_modseq(view), ==, 11);
}

static void
test_many(Site *site, gconstpointer data)
{
        const FlagChange flag = flag_change(FLAGS_ADD, FLAG_FLAGGED | FLAG_DELETED);
        const FlagChange not = flag_change(FLAGS_REMOVE, FLAG_DELETED);

        deliver_n(site, 700);
        g_autoptr(View) view = open_view(site, inbox_of(site, 1), 1);
        change_flags(site, view_mailbox(view), SET({100, 400}), &flag);
        deliver_n(site, 100);
        change_flags(site, view_mailbox(view), SET({300, 600}), &not );
        change_flags(site, view_mailbox(view), SET({750, G_MAXUINT32}), &flag);
        g_autoptr(View) now = open_view(site, view_mailbox(view), 1);
        g_assert_cmpuint(view_count(now), ==, 800);
        g_assert_cmpuint(view_deleted(now), ==, 200 + 51);
        expunge(site, view_mailbox(view), NULL);
        g_autoptr(View) after = open_view(site, view_mailbox(view), 1);
        g_assert_cmpuint(view_count(after), ==, 800 - 251);
        for (guint32 i = 0; i < view_count(after); i++) {
                guint32 uid = view_entry(after, i)->uid;
                g_assert_cmpuint(view_flags(after, i), ==, uid >= 300 && uid <= 400 ? FLAG_FLAGGED : 0);
                g_assert_true(uid < 100 || (uid >= 300 && uid < 750));
                g_assert_cmpuint(view_index_of(after, uid), ==, i);
        }
        g_assert_cmpuint(complaints(site), ==, 0);
        tidy(site);
        g_autoptr(View) tidied = open_view(site, view_mailbox(view), 1);
        g_autofree char *news = compare(&after, view_ref(tidied));
        g_assert_cmpstr(news, ==, "");
        g_assert_cmpuint(complaints(site), ==, 0);
}

#define COPIES 4000

/* Many pages, by copies of a hundred messages. */
static void
fill_by_copying(Site *site)
{
        g_autoptr(GError) error = NULL;

        deliver_n(site, 100);
        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'Many', 5, 0)");
        CopyRequest request = {.from = inbox_of(site, 1), .to = 1000, .reader = 1, .mask = FLAG_SYSTEM};
        for (guint i = 0; i < COPIES / 100; i++) {
                Copied copied;
                g_assert_cmpint(store_copy(site->store, &request, SET({1, 100}), &copied, &error), ==, CHANGED_DONE);
                g_assert_no_error(error);
                g_array_unref(copied.sources);
        }
}

static void
site_again(Site *site)
{
        site_close(site);
        site_open(site);
}

/* A large mailbox that is read whole, changed nearly everywhere while its first view lasts and after that, is what it is
 * when it is read anew. */
static void
test_many_read_whole(Site *site, gconstpointer data)
{
        const FlagChange deleted = flag_change(FLAGS_ADD, FLAG_DELETED), flagged = flag_change(FLAGS_ADD, FLAG_FLAGGED);

        fill_by_copying(site);
        site_again(site);
        View *first = open_view(site, 1000, 1);
        g_assert_cmpuint(view_count(first), ==, COPIES);
        change_flags(site, 1000, SET({130, 3700}), &flagged);
        View *flags = open_view(site, 1000, 1);
        change_flags(site, 1000, SET({1, 2}, {1000, 2500}, {3999, 4000}), &deleted);
        expunge(site, 1000, NULL);
        view_unref(first);
        for (guint32 i = 0; i < view_count(flags); i++)
                g_assert_cmpuint(view_flags(flags, i), ==, i >= 129 && i < 3700 ? FLAG_FLAGGED : 0);
        View *last = open_view(site, 1000, 1);
        view_unref(flags);

        guint32 n = view_count(last);
        g_assert_cmpuint(n, ==, COPIES - 2 - 1501 - 2);
        g_autofree ViewEntry *entries = g_new(ViewEntry, n);
        for (guint32 i = 0; i < n; i++)
                entries[i] = *view_entry(last, i);
        view_unref(last);
        site_again(site);
        g_autoptr(View) anew = open_view(site, 1000, 1);
        g_assert_cmpuint(view_count(anew), ==, n);
        for (guint32 i = 0; i < n; i++)
                g_assert_cmpmem(view_entry(anew, i), sizeof(ViewEntry), &entries[i], sizeof(ViewEntry));
        g_assert_cmpuint(complaints(site), ==, 0);
}

static void
test_keywords(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const Span names[] = {span_of("$Junk"), span_of("Work")}, other[] = {span_of("work"), span_of("x")};
        FlagChange change_wanted = flag_change(FLAGS_ADD, FLAG_SEEN);
        g_autoptr(GArray) modified = NULL;
        guint64 modseq;

        deliver_n(site, 2);
        gint64 inbox = inbox_of(site, 1);
        change_wanted.keywords = names;
        change_wanted.n_keywords = 2;
        change_flags(site, inbox, SET({1, 1}), &change_wanted);
        change_wanted = flag_change(FLAGS_REPLACE, 0);
        change_wanted.keywords = other;
        change_wanted.n_keywords = 2;
        change_flags(site, inbox, SET({2, 2}), &change_wanted);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_assert_cmpint(view_keyword_bit(view, span_of("WORK")), ==, 9);
        g_assert_cmpstr(view_keyword(view, 8), ==, "$Junk");
        g_assert_cmpstr(view_keyword(view, 10), ==, "x");
        g_assert_null(view_keyword(view, 11));
        g_assert_cmpint(view_keyword_bit(view, span_of("y")), ==, -1);
        g_assert_cmpuint(view_flags(view, 0), ==, 0x301);
        g_assert_cmpuint(view_flags(view, 1), ==, 0x600);

        g_autofree char *texts[FLAG_KEYWORDS_MAX];
        Span many[FLAG_KEYWORDS_MAX];
        for (guint i = 0; i < FLAG_KEYWORDS_MAX; i++) {
                texts[i] = g_strdup_printf("k%u", i);
                many[i] = span_of(texts[i]);
        }
        change_wanted.keywords = many;
        change_wanted.n_keywords = FLAG_KEYWORDS_MAX;
        g_assert_cmpint(store_change_flags(site->store, inbox, SET({1, 9}), &change_wanted, &modified, &modseq, &error),
                        ==, CHANGED_TOO_MANY_KEYWORDS);
        g_assert_no_error(error);
        assert_news(view, 1, "");
        change_wanted.n_keywords = FLAG_KEYWORDS_MAX - 3;
        change_flags(site, inbox, SET({1, 1}), &change_wanted);
        assert_news(view, 1, "1:fffffffffffff800 ");
        for (guint i = 1; i < FLAG_KEYWORDS_MAX; i++)
                g_free(texts[i]);
}

static void
test_mask(Site *site, gconstpointer data)
{
        const Span name = span_of("word");
        FlagChange wanted = {.action = FLAGS_REPLACE,
                             .flags = FLAG_SYSTEM,
                             .mask = FLAG_SEEN | FLAG_FLAGGED,
                             .keywords = &name,
                             .n_keywords = 1,
                             .reader = 1};

        deliver_n(site, 1);
        g_autoptr(View) view = open_view(site, inbox_of(site, 1), 1);
        change_flags(site, view_mailbox(view), SET({1, 1}), &wanted);
        assert_news(view, 1, "1:5 ");
        wanted.flags = 0;
        wanted.mask = FLAG_SEEN;
        change_flags(site, view_mailbox(view), SET({1, 1}), &wanted);
        assert_news(view, 1, "1:4 ");
        g_assert_cmpint(view_keyword_bit(view, name), ==, -1);
}

static void
test_unchanged_since(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) modified = NULL;
        FlagChange wanted = flag_change(FLAGS_ADD, FLAG_FLAGGED);
        guint64 modseq;

        deliver_n(site, 5);
        gint64 inbox = inbox_of(site, 1);
        g_autoptr(View) view = open_view(site, inbox, 1);
        guint64 before = change_flags(site, inbox, SET({2, 2}, {4, 5}), &wanted);
        assert_news(view, 1, "2:4 4:4 5:4 ");
        wanted = flag_change(FLAGS_ADD, FLAG_SEEN);
        wanted.has_unchanged_since = TRUE;
        wanted.unchanged_since = before - 1;
        g_assert_cmpint(store_change_flags(site->store, inbox, SET({1, 5}), &wanted, &modified, &modseq, &error), ==,
                        CHANGED_DONE);
        g_assert_no_error(error);
        assert_news(view, 1, "1:1 3:1 ");
        g_assert_cmpuint(modseq, ==, before + 1);
        g_assert_cmpuint(modified->len, ==, 2);
        g_assert_cmpuint(g_array_index(modified, UidRange, 0).first, ==, 2);
        g_assert_cmpuint(g_array_index(modified, UidRange, 0).last, ==, 2);
        g_assert_cmpuint(g_array_index(modified, UidRange, 1).first, ==, 4);
        g_assert_cmpuint(g_array_index(modified, UidRange, 1).last, ==, 5);
}

/* What makes room, or is how clients begin to make some, works below the watermark; what takes room does not. */
static void
test_full_disk(Site *site, gconstpointer data)
{
        GError *error = NULL;
        const FlagChange deleted = flag_change(FLAGS_ADD, FLAG_DELETED | FLAG_SEEN);
        Copied copied;

        deliver_n(site, 10); /* none in a page yet */
        gint64 inbox = inbox_of(site, 1);
        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'Trash', 5, 0)");
        g_autoptr(View) view = open_view(site, inbox, 1);
        CopyRequest request = {.from = inbox, .to = 1000, .reader = 1, .mask = FLAG_SYSTEM};
        db_set_full(site->db, TRUE);
        g_assert_cmpint(store_copy(site->store, &request, SET({1, 10}), &copied, &error), ==, CHANGED_FAILED);
        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
        g_clear_error(&error);
        (void) change_flags(site, inbox, SET({2, 4}), &deleted);
        assert_news(view, 1, "2:9 3:9 4:9 ");
        request.is_move = TRUE;
        g_assert_cmpint(store_copy(site->store, &request, SET({5, 6}), &copied, &error), ==, CHANGED_DONE);
        g_assert_no_error(error);
        g_assert_cmpuint(copied.n, ==, 2);
        g_array_unref(copied.sources);
        expunge(site, inbox, NULL);
        db_set_full(site->db, FALSE);
        g_autoptr(View) after = open_view(site, inbox, 1);
        g_assert_cmpuint(view_count(after), ==, 5);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* Somebody else's \Seen is his own; other flags are everybody's. */
static void
test_readers(Site *site, gconstpointer data)
{
        FlagChange wanted = flag_change(FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED);

        deliver_n(site, 4);
        gint64 inbox = inbox_of(site, 1);
        g_autoptr(View) mine = open_view(site, inbox, 1);
        g_autoptr(View) his = open_view(site, inbox, 2);
        g_assert_true(mine != his);
        wanted.reader = 2;
        change_flags(site, inbox, SET({2, 3}), &wanted);
        assert_news(his, 2, "2:5 3:5 ");
        assert_news(mine, 1, "2:4 3:4 ");
        g_assert_cmpuint(view_unseen(his), ==, 2);
        g_assert_cmpuint(view_unseen(mine), ==, 4);
        wanted = flag_change(FLAGS_REPLACE, FLAG_SEEN);
        change_flags(site, inbox, SET({1, 2}), &wanted);
        assert_news(mine, 1, "1:1 2:1 ");
        assert_news(his, 2, "1:0 2:1 ");
        wanted = flag_change(FLAGS_REMOVE, FLAG_SEEN);
        wanted.reader = 2;
        change_flags(site, inbox, SET({1, G_MAXUINT32}), &wanted);
        assert_news(his, 2, "2:0 3:4 ");
        assert_news(mine, 1, "2:1 3:4 ");
        site_close(site);
        site_open(site);
        g_autoptr(View) again = open_view(site, inbox, 2);
        g_assert_cmpuint(view_unseen(again), ==, 4);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* "UID:flags" of every entry. */
static char *
entries_of(const View *view)
{
        GString *text = g_string_new(NULL);

        for (guint32 i = 0; i < view_count(view); i++)
                g_string_append_printf(text, "%u:%" G_GINT64_MODIFIER "x ", view_entry(view, i)->uid,
                                       view_flags(view, i));
        return g_string_free(text, FALSE);
}

#define assert_entries(view, expected)                                                                                 \
        G_STMT_START                                                                                                   \
        {                                                                                                              \
                g_autofree char *entries = entries_of(view);                                                           \
                g_assert_cmpstr(entries, ==, (expected));                                                              \
        }                                                                                                              \
        G_STMT_END

/* The newest state as one who may not be told yet what has gone: twice, as sessions do. */
static void
test_keeping(Site *site, gconstpointer data)
{
        FlagChange wanted = flag_change(FLAGS_ADD, FLAG_FLAGGED);
        g_autoptr(GError) error = NULL;
        guint64 modseq;

        deliver_n(site, 5);
        gint64 inbox = inbox_of(site, 1);
        g_autoptr(View) view = open_view(site, inbox, 1);
        guint64 before = view_highest_modseq(view);
        g_assert_cmpint(store_remove(site->store, inbox, SET({2, 2}, {5, 5}), &modseq, &error), ==, CHANGED_DONE);
        change_flags(site, inbox, SET({1, 9}), &wanted);
        deliver_n(site, 1);
        g_autoptr(View) now = open_view(site, inbox, 1);
        g_autoptr(View) kept = view_keeping(view, now);
        assert_entries(kept, "1:4 2:0 3:4 4:4 5:0 6:0 ");
        g_assert_cmpuint(view_highest_modseq(kept), ==, before);
        g_assert_cmpuint(view_uid_next(kept), ==, 7);
        g_assert_cmpint(store_remove(site->store, inbox, SET({1, 1}), &modseq, &error), ==, CHANGED_DONE);
        wanted = flag_change(FLAGS_ADD, FLAG_SEEN);
        change_flags(site, inbox, SET({1, 9}), &wanted);
        g_autoptr(View) later = open_view(site, inbox, 1);
        g_autoptr(View) still = view_keeping(kept, later);
        assert_entries(still, "1:4 2:0 3:5 4:5 5:0 6:1 ");
        g_assert_cmpuint(view_unseen(still), ==, 3);
        assert_news(still, 1, "-5 -2 -1 ");
        assert_entries(still, "3:5 4:5 6:1 ");
}

/* Of pages too, which are shared where nothing has gone; and for readers who have a \Seen of their own. */
static void
test_keeping_many(Site *site, gconstpointer data)
{
        FlagChange wanted = flag_change(FLAGS_ADD, FLAG_SEEN);
        g_autoptr(GError) error = NULL;
        guint64 modseq;

        deliver_n(site, 1000);
        tidy(site);
        gint64 inbox = inbox_of(site, 1);
        g_autoptr(View) view = open_view(site, inbox, 2);
        wanted.reader = 2;
        change_flags(site, inbox, SET({100, 300}), &wanted);
        g_assert_cmpint(store_remove(site->store, inbox, SET({200, 400}, {999, 1000}), &modseq, &error), ==,
                        CHANGED_DONE);
        deliver_n(site, 3);
        g_autoptr(View) now = open_view(site, inbox, 2);
        g_autoptr(View) kept = view_keeping(view, now);
        g_assert_cmpuint(view_count(kept), ==, 1003);
        g_assert_cmpuint(view_unseen(kept), ==, 1003 - 100);
        for (guint32 i = 0; i < 1003; i++) {
                g_assert_cmpuint(view_entry(kept, i)->uid, ==, i + 1);
                g_assert_cmpuint(view_flags(kept, i), ==, i + 1 >= 100 && i + 1 < 200 ? FLAG_SEEN : 0);
        }
        g_assert_cmpint(store_remove(site->store, inbox, SET({450, 450}), &modseq, &error), ==, CHANGED_DONE);
        g_autoptr(View) later = open_view(site, inbox, 2);
        g_autoptr(View) still = view_keeping(now, later);
        g_assert_cmpuint(view_count(still), ==, view_count(now));
        g_assert_true(view_entry(still, 600) == view_entry(now, 600));
        g_assert_true(view_entry(still, 600) == view_entry(later, 599));
}

static char *
vanished(Site *site, const View *view, guint64 modseq, const UidSet *within)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) ranges = NULL;
        GString *text = g_string_new(NULL);

        g_assert_true(store_vanished_since(site->store, view, modseq, within != NULL ? within->ranges : NULL,
                                           within != NULL ? within->n : 0, &ranges, &error));
        for (guint i = 0; i < ranges->len; i++)
                g_string_append_printf(text, "%u-%u ", g_array_index(ranges, UidRange, i).first,
                                       g_array_index(ranges, UidRange, i).last);
        return g_string_free(text, FALSE);
}

#define assert_vanished(modseq, within, expected)                                                                      \
        G_STMT_START                                                                                                   \
        {                                                                                                              \
                g_autofree char *gone = vanished(site, view, (modseq), (within));                                      \
                g_assert_cmpstr(gone, ==, (expected));                                                                 \
        }                                                                                                              \
        G_STMT_END

static void
test_vanished(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        guint64 first, second, third;

        deliver_n(site, 10);
        gint64 inbox = inbox_of(site, 1);
        g_assert_cmpint(store_remove(site->store, inbox, SET({2, 3}), &first, &error), ==, CHANGED_DONE);
        g_assert_cmpint(store_remove(site->store, inbox, SET({4, 4}, {9, 9}), &second, &error), ==, CHANGED_DONE);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_assert_cmpint(store_remove(site->store, inbox, SET({7, 7}), &third, &error), ==, CHANGED_DONE);
        assert_vanished(first - 1, NULL, "2-4 9-9 ");
        assert_vanished(first, NULL, "4-4 9-9 ");
        assert_vanished(second, NULL, "");
        assert_vanished(first - 1, SET({1, 2}, {4, 8}), "2-2 4-4 ");
        tidy(site);
        assert_vanished(second, NULL, "2-4 9-9 "); /* forgotten up to `third`: in doubt, everything */
        assert_vanished(second, SET({3, 5}, {9, 20}), "3-4 9-9 ");
        g_autoptr(View) now = open_view(site, inbox, 1);
        view_unref(view);
        view = view_ref(now);
        assert_vanished(third, NULL, "");
        assert_vanished(third - 1, NULL, "2-4 7-7 9-9 ");
}

/* REPLACE: what comes and what goes are of two mailboxes, and of one commit. */
static void
test_replaced(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Append message = {.writer = store_writer_new(site->store)};
        guint32 validity;
        gint64 uid;

        deliver_n(site, 3);
        g_assert_cmpint(deliver(site, 2, "INBOX", "", "Subject: x\r\n\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        gint64 from = inbox_of(site, 1), to = inbox_of(site, 2);
        const Replaced replaced = {from, {(const UidRange[]){{2, 2}}, 1}};
        g_autoptr(View) source = open_view(site, from, 1);
        g_autoptr(View) target = open_view(site, to, 1);
        g_assert_true(blob_writer_add(message.writer, span_of("Subject: new\r\n\r\ntext\r\n"), &error));
        g_assert_cmpint(store_append(site->store, to, 1, &message, 1, &replaced, &validity, &error), ==, CHANGED_DONE);
        g_assert_no_error(error);
        assert_news(source, 1, "-2 ");
        assert_news(target, 1, "+1 ");
        message = (Append){.writer = store_writer_new(site->store)};
        g_assert_true(blob_writer_add(message.writer, span_of("Subject: no\r\n\r\n"), &error));
        const Replaced nowhere = {4711, {(const UidRange[]){{1, 1}}, 1}};
        g_assert_cmpint(store_append(site->store, to, 1, &message, 1, &nowhere, &validity, &error), ==,
                        CHANGED_NO_MAILBOX);
        assert_news(target, 1, ""); /* all or nothing */
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* Summaries -------------------------------------------------------------------------------------------------------- */

static void
test_summaries(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 uid;
        Append appended = {.writer = store_writer_new(site->store), .flags = FLAG_SEEN};
        char a[EMAILID_OCTETS], b[EMAILID_OCTETS];
        guint32 validity;
        Copied copied;

        deliver_n(site, 200); /* without a summary: it is made when it is asked for */
        g_assert_cmpint(deliver(site, 1, "INBOX", "Q: 2\r\n", "Subject: last\r\n\r\nx\r\n", (Quota){0}, &uid), ==,
                        STORE_DONE);
        gint64 inbox = inbox_of(site, 1);
        g_assert_true(blob_writer_add(appended.writer, span_of("Subject: appended\r\n\r\ntext of it\r\n"), &error));
        g_assert_cmpint(store_append(site->store, inbox, 1, &appended, 1, NULL, &validity, &error), ==, CHANGED_DONE);
        g_assert_cmpint(number(site, "SELECT count(*) FROM body WHERE length(summary) > 0"), ==, 1);
        expunge(site, inbox, NULL); /* folds */
        const CopyRequest request = {.from = inbox, .to = inbox, .reader = 1, .mask = FLAG_SYSTEM};
        g_assert_cmpint(store_copy(site->store, &request, SET({202, 202}), &copied, &error), ==, CHANGED_DONE);
        g_assert_cmpuint(copied.n, ==, 1);
        copied_done(&copied);

        g_autoptr(View) view = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = store_summary_cursor(site->store, SUMMARY_ENVELOPE | SUMMARY_PREVIEW);
        for (guint32 step = 1; step <= 7; step += 6) {
                for (guint32 i = 0; i < view_count(view); i += step) {
                        g_autofree char *number_text = g_strdup_printf("(NIL \"%u\" ", i);
                        const char *expected = i < 200    ? number_text
                                               : i == 200 ? "(NIL \"last\" "
                                                          : "(NIL \"appended\" ";
                        StoredSummary summary;
                        g_assert_true(summary_cursor_get(cursor, view, i, &summary, &error));
                        g_assert_no_error(error);
                        g_assert_true(span_starts_nocase(summary.envelope, span_of(expected)));
                        g_assert_true(span_is(summary.prefix, i < 200 ? "P: 1\r\n" : i == 200 ? "Q: 2\r\n" : ""));
                        g_assert_true(span_is(summary.preview, i <= 200 ? "x" : "text of it"));
                        if (i % 50 == 0)
                                summary_cursor_rest(cursor);
                }
        }
        g_assert_true(store_emailid(site->store, view, 201, a, &error));
        g_assert_true(store_emailid(site->store, view, 202, b, &error));
        g_assert_cmpstr(a, ==, b);
        g_assert_true(store_emailid(site->store, view, 200, b, &error));
        g_assert_cmpstr(a, !=, b);
}

/* A header is as long in the copy as what it shows of it. */
static void
test_message(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(StoredMessage) message = NULL;
        gint64 uid;
        char text[100];

        g_assert_cmpint(deliver(site, 1, "INBOX", "Q: 2\r\n", "Subject: x\r\n\r\nbody\r\n", (Quota){0}, &uid), ==,
                        STORE_DONE);
        g_autoptr(View) view = open_view(site, inbox_of(site, 1), 1);
        g_assert_true(store_message_of(site->store, view, 0, &message, &error));
        g_assert_cmpuint(stored_message_header_size(message), ==, 6 + 14);
        g_assert_cmpuint(stored_message_offset(message, 14), ==, 20);
        g_assert_cmpint(stored_message_read(message, 20, text, sizeof(text), &error), ==, 6);
        g_assert_cmpint(memcmp(text, "body\r\n", 6), ==, 0);
        g_assert_cmpint(stored_message_read(message, 4, text, 5, &error), ==, 5);
        g_assert_cmpint(memcmp(text, "\r\nSub", 5), ==, 0);
        g_assert_cmpint(stored_message_read(message, 26, text, 5, &error), ==, 0);
}

/* Watches ---------------------------------------------------------------------------------------------------------- */

static void
count_up(gpointer data)
{
        ++*(guint *) data;
}

static void
test_watches(Site *site, gconstpointer data)
{
        const FlagChange seen = flag_change(FLAGS_ADD, FLAG_SEEN);
        guint n_inbox = 0, n_other = 0, n_tree = 0;

        Watch *tree = store_watch(site->store, 0, 1, count_up, &n_tree);
        deliver_n(site, 1);
        g_assert_cmpuint(n_tree, ==, 1); /* INBOX was made */
        gint64 inbox = inbox_of(site, 1);
        Watch *watch = store_watch(site->store, inbox, 1, count_up, &n_inbox);
        Watch *other = store_watch(site->store, inbox + 1, 1, count_up, &n_other);
        deliver_n(site, 2);
        g_assert_cmpuint(n_inbox, ==, 2);
        change_flags(site, inbox, SET({1, 3}), &seen);
        g_assert_cmpuint(n_inbox, ==, 3);
        {
                g_autoptr(GError) error = NULL;
                g_autoptr(DbTxn) txn = db_begin(site->db, &error);
                Copy copy = {.body = 1, .body_size = 5};
                const StoreDelivery delivery = {.account = 1, .mailbox = "INBOX", .copy = &copy};
                gint64 uid;
                g_assert_cmpint(store_deliver(site->store, txn, &delivery, &uid, &error), ==, STORE_DONE);
        }
        g_assert_cmpuint(n_inbox, ==, 3); /* rolled back */
        watch_free(watch);
        deliver_n(site, 1);
        g_assert_cmpuint(n_inbox, ==, 3);
        g_assert_cmpuint(n_other, ==, 0);
        g_assert_cmpuint(n_tree, ==, 1);
        watch_free(tree);
        watch_free(other);
}

static void
test_missing(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        View *view = NULL;
        guint64 modseq;

        g_assert_cmpint(store_view_open(site->store, 77, 1, &view, &error), ==, STORE_NO_MAILBOX);
        g_assert_cmpint(store_expunge(site->store, 77, NULL, &modseq, &error), ==, CHANGED_NO_MAILBOX);
        g_assert_no_error(error);
        deliver_n(site, 1);
        gint64 inbox = inbox_of(site, 1);
        view_unref(open_view(site, inbox, 1));
        gboolean more = TRUE;
        while (more) {
                g_autoptr(DbTxn) txn = db_begin(site->db, &error);
                g_assert_true(store_remove_account(site->store, txn, 1, &more, &error));
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        }
        g_assert_cmpint(store_view_open(site->store, inbox, 1, &view, &error), ==, STORE_NO_MAILBOX);
        g_assert_no_error(error);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/store/view/" path, Site, NULL, site_init, fn, site_done)
        ADD("a-view-never-changes-and-tells-what-a-newer-one-has RFC 9051 §2.3", test_views);
        ADD("many-pages", test_many);
        ADD("many-pages-read-at-once", test_many_read_whole);
        ADD("flags, MOVE and EXPUNGE work on a full disk", test_full_disk);
        ADD("keywords RFC 9051 §2.3.2", test_keywords);
        ADD("flags-that-may-not-be-changed-stay RFC 4314 §4", test_mask);
        ADD("unchanged-since RFC 7162 §3.1.3", test_unchanged_since);
        ADD("seen-is-each-readers-own", test_readers);
        ADD("what-has-vanished-is-kept-until-it-may-be-told RFC 9051 §7.5.1", test_keeping);
        ADD("what-has-vanished-is-kept-in-pages", test_keeping_many);
        ADD("vanished RFC 7162 §3.2.5.2", test_vanished);
        ADD("what-is-replaced-goes-in-the-same-commit RFC 8508 §3.1", test_replaced);
        ADD("summaries-along-a-view", test_summaries);
        ADD("a-message-is-read-as-its-copy", test_message);
        ADD("watches-hear-of-commits", test_watches);
        ADD("a-mailbox-that-is-not-there", test_missing);
        return g_test_run();
}

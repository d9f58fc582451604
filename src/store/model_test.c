/* model_test.c -- a long row of random operations on mailboxes beside a simple model of them, with the database
 * reopened in between; after each the views must show what the model has, and a session's older view must tell the
 * difference. */
#include "store/fixture.h"
#include "store/internal.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define MAILBOXES 4
#define READERS 3 /* 1 owns mailboxes 0 and 1, 2 the others; 3 only looks */
#define OPERATIONS 20000
#define KEEP_MAX 400 /* entries of a mailbox; more are expunged again */
#define KEYWORDS 3

typedef struct Item {
        guint32 uid;
        guint64 flags; /* without \Seen of readers; keywords from bit 8 on in the model's own order */
        guint64 modseq;
        guint serial;  /* of the text */
        guint readers; /* who has seen it: one bit a reader */
        gboolean is_gone;
        Usec gone_at;
} Item;

typedef struct Box {
        gint64 id, owner;
        guint32 uid_next;
        const char *name;
        GArray *items; /* of Item, with those that can be undeleted */
        View *views[READERS];
        SummaryCursor *cursor; /* goes on through all that happens */
} Box;

typedef struct Model {
        Site *site;
        GRand *random;
        Box boxes[MAILBOXES];
        guint serial;
        Usec clock;
} Model;

static const char *const KEYWORD_NAMES[KEYWORDS] = {"$Forwarded", "Work", "k3"};

static guint
pick(Model *m, guint n)
{
        return (guint) g_rand_int_range(m->random, 0, (gint32) n);
}

static char *
text_of(guint serial)
{
        return g_strdup_printf("Subject: %u\r\n\r\n%*s\r\n", serial, (int) (serial % 50), "x");
}

static Item *
item_at(Box *box, guint i)
{
        return &g_array_index(box->items, Item, i);
}

/* Comparing -------------------------------------------------------------------------------------------------------- */

static guint64
model_flags(const Box *box, const Item *item, gint64 reader)
{
        guint64 flags = item->flags & ~(guint64) FLAG_SEEN;

        if (reader == box->owner)
                return item->flags;
        return (item->readers >> reader & 1) != 0 ? flags | FLAG_SEEN : flags;
}

/* Keywords by name, in the model's order. */
static guint64
shown_flags(const View *view, guint32 index)
{
        guint64 flags = view_flags(view, index), known = flags & FLAG_SYSTEM;

        for (guint i = 0; i < KEYWORDS; i++) {
                int bit = view_keyword_bit(view, span_of(KEYWORD_NAMES[i]));
                if (bit >= 0 && (flags >> bit & 1) != 0)
                        known |= (guint64) 1 << (FLAG_KEYWORD_FIRST + i);
        }
        return known;
}

/* What a session knows after it was told the differences. */
typedef struct Client {
        GArray *uids; /* guint32 */
        GHashTable *changed;
        const View *older, *newer;
} Client;

static void
client_vanished(guint32 index, gpointer data)
{
        Client *client = data;

        g_assert_cmpuint(g_array_index(client->uids, guint32, index), ==, view_entry(client->older, index)->uid);
        g_array_remove_index(client->uids, index);
}

static void
client_changed(guint32 index, gpointer data)
{
        Client *client = data;

        g_hash_table_add(client->changed, GUINT_TO_POINTER(view_entry(client->newer, index)->uid));
}

static void
check_news(const View *older, const View *newer)
{
        g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_autoptr(GHashTable) changed = g_hash_table_new(NULL, NULL);
        Client client = {uids, changed, older, newer};
        guint32 first_new;

        for (guint32 i = 0; i < view_count(older); i++)
                g_array_append_val(uids, view_entry(older, i)->uid);
        view_compare(older, newer, client_vanished, client_changed, &client, &first_new);
        g_assert_cmpuint(first_new, ==, uids->len);
        for (guint32 i = 0; i < first_new; i++) {
                guint32 uid = g_array_index(uids, guint32, i), old = view_index_of(older, uid);
                g_assert_cmpuint(view_entry(newer, i)->uid, ==, uid);
                gboolean is_same = view_flags(older, old) == view_flags(newer, i) &&
                                   view_entry(older, old)->modseq == view_entry(newer, i)->modseq;
                g_assert_cmpint(is_same, ==, !g_hash_table_contains(changed, GUINT_TO_POINTER(uid)));
        }
        if (view_count(older) > 0 && first_new < view_count(newer))
                g_assert_cmpuint(view_entry(newer, first_new)->uid, >, view_entry(older, view_count(older) - 1)->uid);
}

static void
check_text(Model *m, const View *view, guint32 index, guint serial)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(StoredMessage) message = NULL;
        g_autofree char *expected = text_of(serial);
        char text[256];

        g_assert_true(store_message_of(m->site->store, view, index, &message, &error));
        g_assert_no_error(error);
        gssize len = stored_message_read(message, 0, text, sizeof(text), &error);
        g_assert_cmpint(len, ==, stored_message_size(message));
        g_assert_cmpint(len, ==, view_entry(view, index)->size);
        g_assert_true(len >= (gssize) strlen(expected));
        g_assert_cmpint(memcmp(text + len - strlen(expected), expected, strlen(expected)), ==, 0);
}

static const Item *
item_with_uid(Box *box, guint32 uid)
{
        for (guint i = 0; i < box->items->len; i++)
                if (item_at(box, i)->uid == uid)
                        return item_at(box, i);
        return NULL;
}

/* A row of messages of a view, perhaps an older one: packed since, expunged since. What is forgotten or moved since is
 * not known here. */
static void
check_summaries(Model *m, Box *box, const View *view)
{
        g_autoptr(GError) error = NULL;
        guint32 from = view_count(view) > 0 ? pick(m, view_count(view)) : 0;
        StoredSummary summary;

        for (guint32 i = from; i < MIN(view_count(view), from + 6); i += 1 + pick(m, 2)) {
                const Item *item = item_with_uid(box, view_entry(view, i)->uid);
                if (item == NULL)
                        continue;
                g_autofree char *expected = g_strdup_printf("(NIL \"%u\" ", item->serial);
                g_assert_true(summary_cursor_get(box->cursor, view, i, &summary, &error));
                g_assert_no_error(error);
                g_assert_true(span_starts_nocase(summary.envelope, span_of(expected)));
                g_assert_true(summary.prefix.len == 0 || span_is(summary.prefix, "P: 1\r\n"));
                g_assert_cmpuint(summary.preview.len, <=, 1);
                if (pick(m, 20) == 0)
                        summary_cursor_rest(box->cursor);
        }
        if (from < view_count(view)) {
                const Item *item = item_with_uid(box, view_entry(view, from)->uid);
                if (item != NULL)
                        check_text(m, view, from, item->serial);
        }
}

static void
check_box(Model *m, Box *box, gint64 reader)
{
        View *view = open_view(m->site, box->id, reader);
        guint32 n = 0, unseen = 0;

        for (guint i = 0; i < box->items->len; i++) {
                Item *item = item_at(box, i);
                if (item->is_gone)
                        continue;
                g_assert_cmpuint(n, <, view_count(view));
                const ViewEntry *entry = view_entry(view, n);
                guint64 flags = model_flags(box, item, reader);
                g_assert_cmpuint(entry->uid, ==, item->uid);
                g_assert_cmphex(shown_flags(view, n), ==, flags);
                g_assert_cmpuint(entry->modseq, ==, item->modseq);
                unseen += (flags & FLAG_SEEN) == 0;
                n++;
        }
        g_assert_cmpuint(view_count(view), ==, n);
        g_assert_cmpuint(view_unseen(view), ==, unseen);
        if (n > 0) {
                guint32 index = pick(m, n);
                guint k = 0, left = index;
                for (; item_at(box, k)->is_gone || left-- > 0; k++)
                        continue;
                check_text(m, view, index, item_at(box, k)->serial);
        }
        check_summaries(m, box, view);
        if (box->views[reader - 1] != NULL) {
                check_summaries(m, box, box->views[reader - 1]);
                check_news(box->views[reader - 1], view);
                g_assert_cmpuint(view_highest_modseq(view), >=, view_highest_modseq(box->views[reader - 1]));
                g_assert_cmpuint(view_uid_next(view), >=, view_uid_next(box->views[reader - 1]));
        }
        view_unref(box->views[reader - 1]);
        box->views[reader - 1] = view;
}

/* Operations ------------------------------------------------------------------------------------------------------- */

static void
add_item(Box *box, guint32 uid, guint64 flags, guint64 modseq, guint serial, guint readers)
{
        const Item item = {.uid = uid, .flags = flags, .modseq = modseq, .serial = serial, .readers = readers};

        g_assert_cmpuint(uid, >=, box->uid_next);
        box->uid_next = uid + 1;
        g_array_append_val(box->items, item);
}

/* MODSEQ and UID of what came last. */
static const ViewEntry *
last_of(Model *m, Box *box, View **ret)
{
        *ret = open_view(m->site, box->id, box->owner);
        return view_entry(*ret, view_count(*ret) - 1);
}

static void
do_deliver(Model *m, Box *box)
{
        g_autoptr(GError) error = NULL;
        guint n = 1 + pick(m, 3);

        for (guint i = 0; i < n; i++) {
                g_autofree char *text = text_of(++m->serial);
                BlobPlace place = append(m->site, text);
                Copy copy = {.body_size = place.size, .prefix = span_of("P: 1\r\n")};
                const StoreDelivery delivery = {.account = box->owner,
                                                .mailbox = box->name,
                                                .copy = &copy,
                                                .message = m->serial,
                                                .received = 5};
                gint64 uid;
                DbTxn *txn = db_begin(m->site->db, &error);
                g_assert_true(blob_name(txn, &place, 1, SPAN_EMPTY, &copy.body, &error));
                g_assert_cmpint(store_deliver(m->site->store, txn, &delivery, &uid, &error), ==, STORE_DONE);
                if (pick(m, 10) == 0) { /* thinks better of it */
                        db_txn_free(txn);
                        continue;
                }
                g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
                View *view;
                const ViewEntry *last = last_of(m, box, &view);
                g_assert_cmpuint(last->uid, ==, uid);
                add_item(box, (guint32) uid, 0, last->modseq, m->serial, 0);
                view_unref(view);
        }
}

static void
do_append(Model *m, Box *box)
{
        g_autoptr(GError) error = NULL;
        gint64 reader = 1 + pick(m, READERS);
        guint n = 1 + pick(m, 4);
        Append messages[4] = {0};
        Span word = span_of(KEYWORD_NAMES[1]);
        guint32 validity;

        for (guint i = 0; i < n; i++) {
                g_autofree char *text = text_of(m->serial + 1 + i);
                messages[i].writer = store_writer_new(m->site->store);
                messages[i].flags = pick(m, 32);
                messages[i].keywords = &word;
                messages[i].n_keywords = pick(m, 2);
                g_assert_true(blob_writer_add(messages[i].writer, span_of(text), &error));
        }
        g_assert_cmpint(store_append(m->site->store, box->id, reader, messages, n, NULL, &validity, &error), ==,
                        CHANGED_DONE);
        g_assert_no_error(error);
        g_autoptr(View) view = open_view(m->site, box->id, box->owner);
        for (guint i = 0; i < n; i++) {
                gboolean is_seen = (messages[i].flags & FLAG_SEEN) != 0;
                guint64 flags =
                        messages[i].flags | (messages[i].n_keywords > 0 ? (guint64) 2 << FLAG_KEYWORD_FIRST : 0);
                if (reader != box->owner)
                        flags &= ~(guint64) FLAG_SEEN;
                guint32 index = view_index_of(view, messages[i].ret_uid);
                add_item(box, messages[i].ret_uid, flags, view_entry(view, index)->modseq, m->serial + 1 + i,
                         is_seen && reader != box->owner ? 1u << reader : 0);
        }
        m->serial += n;
}

/* One to three ranges among the UIDs given out, and some behind. */
static guint
random_ranges(Model *m, const Box *box, UidRange ret[3])
{
        guint n = 0;
        guint32 at = 1;

        if (pick(m, 8) == 0) {
                ret[0] = (UidRange){1, G_MAXUINT32};
                return 1;
        }
        while (n < 1 + pick(m, 3) && n < 3 && at < box->uid_next) {
                guint32 first = at + pick(m, box->uid_next - at + 1);
                guint32 last = first + pick(m, pick(m, 4) == 0 ? 200 : 4);
                ret[n++] = (UidRange){first, last};
                at = last + 2;
        }
        return n;
}

static gboolean
in_ranges(const UidRange *ranges, guint n, guint32 uid)
{
        for (guint i = 0; i < n; i++)
                if (uid >= ranges[i].first && uid <= ranges[i].last)
                        return TRUE;
        return FALSE;
}

static guint64
flags_after(FlagAction action, guint64 flags, guint64 wanted, guint64 mask)
{
        if (action == FLAGS_ADD)
                return flags | (wanted & mask);
        if (action == FLAGS_REMOVE)
                return flags & ~(wanted & mask);
        return (flags & ~mask) | (wanted & mask);
}

static void
set_model_flags(Box *box, Item *item, gint64 reader, guint64 flags)
{
        guint64 seen = item->flags & FLAG_SEEN;

        item->flags = flags;
        if (reader == box->owner)
                return;
        item->flags = (flags & ~(guint64) FLAG_SEEN) | seen;
        if ((flags & FLAG_SEEN) != 0)
                item->readers |= 1u << reader;
        else
                item->readers &= ~(1u << reader);
}

static void
do_flags(Model *m, Box *box)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) modified = NULL;
        gint64 reader = 1 + pick(m, READERS);
        UidRange ranges[3];
        guint n = random_ranges(m, box, ranges), number = pick(m, KEYWORDS);
        const UidSet set = {ranges, n};
        Span word = span_of(KEYWORD_NAMES[number]);
        const FlagChange change_wanted = {
                .action = (FlagAction) (FLAGS_ADD + pick(m, 3)),
                .flags = pick(m, 32),
                .keywords = &word,
                .n_keywords = pick(m, 2),
                .mask = pick(m, 3) == 0 ? pick(m, 32) : FLAG_SYSTEM,
                .may_keywords = pick(m, 3) > 0,
                .has_unchanged_since = pick(m, 5) == 0,
                .unchanged_since = pick(m, box->uid_next * 2 + 2),
                .reader = reader,
        };
        guint64 modseq, wanted = change_wanted.flags, mask = change_wanted.mask;

        if (change_wanted.n_keywords > 0)
                wanted |= (guint64) 1 << (FLAG_KEYWORD_FIRST + number);
        if (change_wanted.may_keywords)
                mask |= ~(guint64) 0xff;
        g_assert_cmpint(store_change_flags(m->site->store, box->id, &set, &change_wanted, &modified, &modseq, &error),
                        ==, CHANGED_DONE);
        g_assert_no_error(error);
        gboolean is_changed = FALSE;
        for (guint i = 0; i < box->items->len; i++) {
                Item *item = item_at(box, i);
                if (item->is_gone || !in_ranges(ranges, n, item->uid))
                        continue;
                gboolean is_later = change_wanted.has_unchanged_since && item->modseq > change_wanted.unchanged_since;
                gboolean is_told = modified != NULL && in_ranges((const UidRange *) (gconstpointer) modified->data,
                                                                 modified->len, item->uid);
                g_assert_cmpint(is_told, ==, is_later);
                guint64 flags = model_flags(box, item, reader);
                guint64 after = flags_after(change_wanted.action, flags, wanted, mask);
                if (is_later || after == flags)
                        continue;
                set_model_flags(box, item, reader, after);
                item->modseq = modseq;
                is_changed = TRUE;
        }
        g_assert_cmpint(modseq != 0, ==, is_changed);
}

static void
do_expunge(Model *m, Box *box)
{
        g_autoptr(GError) error = NULL;
        UidRange ranges[3];
        guint n = random_ranges(m, box, ranges);
        const UidSet set = {ranges, n};
        gboolean needs_flag = pick(m, 3) > 0;
        guint64 modseq;

        m->clock = MAX(m->clock + 1, clock_real());
        g_assert_cmpint(needs_flag ? store_expunge(m->site->store, box->id, &set, &modseq, &error)
                                   : store_remove(m->site->store, box->id, &set, &modseq, &error),
                        ==, CHANGED_DONE);
        g_assert_no_error(error);
        for (guint i = 0; i < box->items->len; i++) {
                Item *item = item_at(box, i);
                if (item->is_gone || !in_ranges(ranges, n, item->uid) ||
                    (needs_flag && (item->flags & FLAG_DELETED) == 0))
                        continue;
                item->is_gone = TRUE;
                item->gone_at = m->clock;
        }
}

/* A POP3 session reads some, one after the other, and deletes some. */
static void
do_pop3(Model *m, Box *box)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Maildrop) drop = open_drop(m->site, box->owner);
        g_autoptr(View) view = open_view(m->site, box->id, box->owner);
        guint n = store_maildrop_count(drop), from = n > 0 ? pick(m, n) : 0;

        g_assert_cmpuint(n, ==, view_count(view));
        for (guint i = from; i < MIN(n, from + 20); i++) {
                g_autofree char *text = read_message(drop, i);
                Item *item = (Item *) item_with_uid(box, view_entry(view, i)->uid);
                g_autofree char *expected = text_of(item->serial);
                g_assert_true(g_str_has_suffix(text, expected));
                if (pick(m, 4) > 0)
                        continue;
                store_maildrop_delete(drop, i);
                item->is_gone = TRUE;
        }
        m->clock = MAX(m->clock + 1, clock_real());
        g_assert_true(store_maildrop_update(drop, &error));
}

static void
drop_item(Box *box, guint i)
{
        g_array_remove_index(box->items, i);
}

static void
do_copy(Model *m, Box *from, Box *to)
{
        g_autoptr(GError) error = NULL;
        gint64 reader = 1 + pick(m, READERS);
        UidRange ranges[3];
        guint n = random_ranges(m, from, ranges);
        const UidSet set = {ranges, n};
        const CopyRequest request = {
                .from = from->id,
                .to = to->id,
                .reader = reader,
                .is_move = pick(m, 2) == 0,
                .mask = pick(m, 4) == 0 ? pick(m, 32) : FLAG_SYSTEM,
                .may_keywords = pick(m, 4) > 0,
        };
        g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(Item));
        Copied copied;

        m->site->store->stage_min = pick(m, 3) == 0 ? 2 : G_MAXUINT; /* in slices, of one page or of all */
        m->site->store->slice_cost = pick(m, 2) == 0 ? 1 : 10000;
        g_assert_cmpint(store_copy(m->site->store, &request, &set, &copied, &error), ==, CHANGED_DONE);
        g_assert_no_error(error);
        for (guint i = 0; i < from->items->len; i++) {
                const Item *item = item_at(from, i);
                if (!item->is_gone && in_ranges(ranges, n, item->uid))
                        g_array_append_val(items, *item);
        }
        g_assert_cmpuint(copied.n, ==, items->len);
        for (guint i = from->items->len; request.is_move && i-- > 0;)
                if (!item_at(from, i)->is_gone && in_ranges(ranges, n, item_at(from, i)->uid))
                        drop_item(from, i);
        g_autoptr(View) view = open_view(m->site, to->id, to->owner);
        for (guint i = 0; i < items->len; i++) {
                const Item *item = &g_array_index(items, Item, i);
                guint32 uid = copied.first_uid + i, index = view_index_of(view, uid);
                guint64 flags = model_flags(from, item, reader);
                guint64 mask = request.mask | (request.may_keywords ? ~(guint64) 0xff : 0);
                gboolean is_seen = (flags & mask & FLAG_SEEN) != 0;
                g_assert_cmpuint(index, <, view_count(view));
                add_item(to, uid, flags & mask & ~(guint64) (reader != to->owner ? FLAG_SEEN : 0),
                         view_entry(view, index)->modseq, item->serial,
                         is_seen && reader != to->owner ? 1u << reader : 0);
                g_assert_true(in_ranges((const UidRange *) (gconstpointer) copied.sources->data, copied.sources->len,
                                        item->uid));
        }
        copied_done(&copied);
}

static void
do_undelete(Model *m, Box *box)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) back = g_array_new(FALSE, FALSE, sizeof(Item));
        Undeletable could;
        guint32 n;

        for (guint i = box->items->len; i-- > 0;) {
                if (!item_at(box, i)->is_gone)
                        continue;
                g_array_prepend_val(back, *item_at(box, i));
                drop_item(box, i);
        }
        g_assert_true(store_undeletable(m->site->store, box->id, &could, &error));
        g_assert_cmpuint(could.messages, ==, back->len);
        g_assert_cmpint(store_undelete(m->site->store, box->id, 0, &n, &error), ==, CHANGED_DONE);
        g_assert_no_error(error);
        g_assert_cmpuint(n, ==, back->len);
        g_autoptr(View) view = open_view(m->site, box->id, box->owner);
        for (guint i = 0; i < n; i++) {
                const Item *item = &g_array_index(back, Item, i);
                const ViewEntry *entry = view_entry(view, view_count(view) - n + i);
                add_item(box, entry->uid, item->flags & ~(guint64) FLAG_DELETED, entry->modseq, item->serial, 0);
        }
}

static void
do_tidy(Model *m)
{
        tidy(m->site);
        for (guint b = 0; b < MAILBOXES; b++)
                for (guint i = m->boxes[b].items->len; i-- > 0;)
                        if (item_at(&m->boxes[b], i)->is_gone)
                                drop_item(&m->boxes[b], i);
}

/* Some pieces of the work that goes on in the background, also of pages that are not full yet. */
static void
do_pack(Model *m, const Box *box)
{
        g_autoptr(GError) error = NULL;
        gboolean is_forced = pick(m, 2) == 0;
        PackWork work = PACK_AGAIN;

        for (guint n = pick(m, 6); n > 0 && work == PACK_AGAIN; n--) {
                work = mailbox_pack(m->site->store, box->id, is_forced, &error);
                g_assert_no_error(error);
                g_assert_cmpint(work, !=, PACK_FAILED);
        }
}

static void
forget_views(Model *m)
{
        for (guint b = 0; b < MAILBOXES; b++)
                for (guint r = 0; r < READERS; r++)
                        g_clear_pointer(&m->boxes[b].views[r], view_unref);
}

static void
boxes_close(Model *m)
{
        forget_views(m);
        for (guint b = 0; b < MAILBOXES; b++)
                g_clear_pointer(&m->boxes[b].cursor, summary_cursor_free);
}

static void
boxes_open(Model *m)
{
        for (guint b = 0; b < MAILBOXES; b++)
                m->boxes[b].cursor =
                        store_summary_cursor(m->site->store, SUMMARY_ENVELOPE | SUMMARY_PREVIEW | SUMMARY_COPY);
}

static void
do_reopen(Model *m)
{
        boxes_close(m);
        site_close(m->site);
        site_open(m->site);
        boxes_open(m);
}

static void
operate(Model *m)
{
        Box *box = &m->boxes[pick(m, MAILBOXES)];

        if (box->items->len > KEEP_MAX) {
                g_autoptr(GError) error = NULL;
                const UidRange half = {1, item_at(box, box->items->len / 2)->uid};
                const UidSet set = {&half, 1};
                guint64 modseq;
                g_assert_cmpint(store_remove(m->site->store, box->id, &set, &modseq, &error), ==, CHANGED_DONE);
                for (guint i = 0; i < box->items->len; i++)
                        if (item_at(box, i)->uid <= half.last)
                                item_at(box, i)->is_gone = TRUE;
                do_tidy(m);
        }
        switch (pick(m, 100)) {
        case 0 ... 29:
                do_deliver(m, box);
                break;
        case 30 ... 39:
                do_append(m, box);
                break;
        case 40 ... 69:
                do_flags(m, box);
                break;
        case 70 ... 79:
                do_expunge(m, box);
                break;
        case 80 ... 89:
                do_copy(m, box, &m->boxes[pick(m, MAILBOXES)]);
                break;
        case 90 ... 92:
                do_undelete(m, box);
                break;
        case 93 ... 94:
                do_tidy(m);
                break;
        case 95:
                if (pick(m, 10) == 0)
                        do_reopen(m);
                break;
        case 96 ... 98:
                do_pack(m, box);
                break;
        case 99:
                do_pop3(m, &m->boxes[0]);
                break;
        default:
                break;
        }
}

static void
test_model(Site *site, gconstpointer data)
{
        Model m = {.site = site, .random = g_rand_new_with_seed(4711)};

        for (guint b = 0; b < MAILBOXES; b++) {
                static const char *const NAMES[MAILBOXES] = {"INBOX", "box2", "box3", "box4"};
                g_autofree char *sql = g_strdup_printf("INSERT INTO mailbox (id, account, name, uid_validity, created)"
                                                       " VALUES (%u, %u, '%s', 5, 0)",
                                                       b + 1, b < 2 ? 1 : 2, NAMES[b]);
                change(site, sql);
                m.boxes[b] = (Box){.id = b + 1, .owner = b < 2 ? 1 : 2, .uid_next = 1, .name = NAMES[b]};
                m.boxes[b].items = g_array_new(FALSE, FALSE, sizeof(Item));
        }
        boxes_open(&m);
        for (guint i = 0; i < OPERATIONS; i++) {
                operate(&m);
                check_box(&m, &m.boxes[pick(&m, MAILBOXES)], 1 + pick(&m, READERS));
                if (i % 500 == 0)
                        g_assert_cmpuint(complaints(site), ==, 0);
        }
        for (guint b = 0; b < MAILBOXES; b++)
                for (gint64 reader = 1; reader <= READERS; reader++)
                        check_box(&m, &m.boxes[b], reader);
        g_assert_cmpuint(complaints(site), ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), >, 0);
        g_test_message("%d packs were made", (int) number(site, "SELECT max(id) FROM pack"));
        boxes_close(&m);
        for (guint b = 0; b < MAILBOXES; b++)
                g_array_unref(m.boxes[b].items);
        g_rand_free(m.random);
}

int
main(int argc, char **argv)
{
        if (g_access("/dev/shm", W_OK) == 0) /* thousands of commits: what they do is tested here, not the disk */
                g_setenv("TMPDIR", "/dev/shm", FALSE);
        g_test_init(&argc, &argv, NULL);
        g_test_add("/store/model/twenty-thousand-operations", Site, NULL, site_init, test_model, site_done);
        return g_test_run();
}

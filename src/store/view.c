/* view.c -- a mailbox as one reader sees it: a core, and for somebody else's mailbox what this reader has seen. */
#include "store/core.h"

struct View {
        gint refs;
        Core *core;
        gint64 reader;
        guint32 unseen;
        guint8 *seen; /* one bit an entry; NULL for the owner, whose \Seen is in the entries */
};

/* Opening ---------------------------------------------------------------------------------------------------------- */

View *
view_ref(View *view)
{
        g_atomic_int_inc(&view->refs);
        return view;
}

void
view_unref(View *view)
{
        if (view == NULL || !g_atomic_int_dec_and_test(&view->refs))
                return;
        core_unref(view->core);
        g_free(view->seen);
        g_free(view);
}

gint64
view_reader(const View *view)
{
        return view->reader;
}

gint64
view_owner(const View *view)
{
        return view->core->account;
}

gboolean
view_is_shared(const View *view)
{
        return g_atomic_int_get(&view->refs) > 1;
}

static void
mark_seen(View *view, const UidRange *range)
{
        guint32 end = range->last == UID_MAX ? view->core->count : view_index_of(view, range->last + 1);

        for (guint32 i = view_index_of(view, range->first); i < end; i++) {
                view->seen[i / 8] |= (guint8) (1 << i % 8);
                view->unseen--;
        }
}

static gboolean
read_seen(View *view, DbTxn *txn, GError **error)
{
        g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(UidRange));

        view->unseen = view->core->unseen;
        if (view->reader == view->core->account)
                return TRUE;
        if (!reader_seen_get(txn, view->core->mailbox, view->reader, ranges, error))
                return FALSE;
        view->seen = g_malloc0(view->core->count / 8 + 1);
        view->unseen = view->core->count;
        for (guint i = 0; i < ranges->len; i++)
                mark_seen(view, &g_array_index(ranges, UidRange, i));
        return TRUE;
}

static StoreAnswer
view_read(Store *store, gint64 mailbox, gint64 reader, Shown *shown, View **ret, GError **error)
{
        g_autoptr(View) view = g_new0(View, 1);
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);

        view->refs = 1;
        view->reader = reader;
        if (txn == NULL)
                return STORE_FAILED;
        StoreAnswer answer = core_read(txn, mailbox, shown, &view->core, error);
        if (answer != STORE_DONE)
                return answer;
        if (!read_seen(view, txn, error))
                return STORE_FAILED;
        *ret = g_steal_pointer(&view);
        return STORE_DONE;
}

StoreAnswer
store_view_open(Store *store, gint64 mailbox, gint64 reader, View **ret, GError **error)
{
        Shown *shown;
        View *view;
        guint64 seq;

        if (registry_find(store->registry, mailbox, reader, ret, &shown, &seq))
                return STORE_DONE;
        StoreAnswer answer = view_read(store, mailbox, reader, shown, &view, error);
        if (answer != STORE_DONE) {
                shown_give_up(shown, answer == STORE_NO_MAILBOX);
                return answer;
        }
        *ret = view_ref(view);
        shown_take_publish(shown, seq, core_ref(view->core), view);
        return STORE_DONE;
}

/* Bits of \Seen: of the newer view, and of the older one where something has gone from the newer. */
static void
keep_seen(View *view, const View *older, const View *newer)
{
        guint32 at = 0;

        view->seen = g_malloc0(view->core->count / 8 + 1);
        view->unseen = 0;
        for (guint32 i = 0; i < view->core->count; i++) {
                gboolean is_there = at < view_count(newer) && view_entry(newer, at)->uid == view_entry(view, i)->uid;
                guint64 flags = is_there ? view_flags(newer, at++) : view_flags(older, i);
                if ((flags & FLAG_SEEN) != 0)
                        view->seen[i / 8] |= (guint8) (1 << i % 8);
                else
                        view->unseen++;
        }
}

View *
view_keeping(const View *older, const View *newer)
{
        View *view = g_new0(View, 1);

        view->refs = 1;
        view->reader = newer->reader;
        view->core = core_keeping(older->core, newer->core);
        view->unseen = view->core->unseen;
        if (newer->seen != NULL)
                keep_seen(view, older, newer);
        return view;
}

Watch *
store_watch(Store *store, gint64 mailbox, gint64 account, void (*fn)(gpointer data), gpointer data)
{
        return watch_new(store->registry, mailbox, account, fn, data);
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

gint64
view_mailbox(const View *view)
{
        return view->core->mailbox;
}

guint32
view_count(const View *view)
{
        return view->core->count;
}

guint32
view_uid_validity(const View *view)
{
        return view->core->uid_validity;
}

guint32
view_uid_next(const View *view)
{
        return (guint32) MIN(view->core->uid_next, UID_MAX);
}

guint64
view_highest_modseq(const View *view)
{
        return view->core->modseq;
}

guint64
view_octets(const View *view)
{
        return view->core->octets;
}

guint32
view_unseen(const View *view)
{
        return view->unseen;
}

guint32
view_deleted(const View *view)
{
        return view->core->deleted;
}

const ViewEntry *
view_entry(const View *view, guint32 index)
{
        guint32 at;
        const Block *block = core_block_of(view->core, index, &at);

        return &block->entries[at];
}

guint64
view_flags(const View *view, guint32 index)
{
        guint64 flags = view_entry(view, index)->flags;

        if (view->seen == NULL)
                return flags;
        flags &= ~(guint64) FLAG_SEEN;
        return (view->seen[index / 8] >> index % 8 & 1) != 0 ? flags | FLAG_SEEN : flags;
}

ViewRun
view_run(const View *view, guint32 index)
{
        guint32 at;
        const Block *block = core_block_of(view->core, index, &at);
        ViewRun run = {&block->entries[at], block->n - at, block->any, block->all, view->seen == NULL};

        if (view->seen != NULL) {
                run.any |= FLAG_SEEN;
                run.all &= ~(guint64) FLAG_SEEN;
        }
        return run;
}

/* The first of the block's entries with at least this UID. */
static guint32
index_in_block(const Block *block, guint32 uid)
{
        guint32 low = 0, high = block->n;

        while (low < high) {
                guint32 middle = (low + high) / 2;
                if (block->entries[middle].uid < uid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

guint32
view_index_of(const View *view, guint32 uid)
{
        const Core *core = view->core;
        guint low = 0, high = core->blocks->len;

        while (low < high) { /* the first block whose last entry has at least this UID */
                guint middle = (low + high) / 2;
                const Block *block = core->blocks->pdata[middle];
                if (block->entries[block->n - 1].uid < uid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low == core->blocks->len ? core->count
                                        : core->starts[low] + index_in_block(core->blocks->pdata[low], uid);
}

const char *
view_keyword(const View *view, guint bit)
{
        const Keywords *keywords = view->core->keywords;

        return bit >= FLAG_KEYWORD_FIRST && bit - FLAG_KEYWORD_FIRST < keywords->n
                       ? keywords->names[bit - FLAG_KEYWORD_FIRST]
                       : NULL;
}

int
view_keyword_bit(const View *view, Span name)
{
        int number = keywords_find(view->core->keywords, name);

        return number >= 0 ? number + FLAG_KEYWORD_FIRST : -1;
}

/* Comparing -------------------------------------------------------------------------------------------------------- */

/* A place in a core. Blocks are never empty. */
typedef struct At {
        const Core *core;
        guint block;
        guint32 in_block;
} At;

static const Block *
at_block(const At *at)
{
        return at->block < at->core->blocks->len ? at->core->blocks->pdata[at->block] : NULL;
}

static guint32
at_index(const At *at)
{
        return at->core->starts[at->block] + at->in_block;
}

static void
at_skip(At *at, guint32 n)
{
        at->in_block += n;
        if (at->in_block == at_block(at)->n) {
                at->block++;
                at->in_block = 0;
        }
}

/* Of the rest of both blocks, how many entries are the same: in a block that has changed, nearly all. */
static guint32
count_same(const At *old, const At *new)
{
        const Block *a = at_block(old), *b = at_block(new);
        guint32 i = 0, n = b != NULL ? MIN(a->n - old->in_block, b->n - new->in_block) : 0;

        for (; i < n; i++) {
                const ViewEntry *was = &a->entries[old->in_block + i], *is = &b->entries[new->in_block + i];
                if (was->uid != is->uid || was->modseq != is->modseq || was->flags != is->flags)
                        break;
        }
        return i;
}

static void
tell(const GArray *indices, gboolean backwards, void (*fn)(guint32 index, gpointer data), gpointer data)
{
        for (guint i = 0; fn != NULL && i < indices->len; i++)
                fn(g_array_index(indices, guint32, backwards ? indices->len - 1 - i : i), data);
}

/* \Seen of a reader changes with the MODSEQ of the entry, so the entries tell all. */
void
view_compare(const View *older, const View *newer, void (*vanished)(guint32 index, gpointer data),
             void (*changed)(guint32 index, gpointer data), gpointer data, guint32 *ret_first_new)
{
        g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_autoptr(GArray) different = g_array_new(FALSE, FALSE, sizeof(guint32));
        At old = {.core = older->core}, new = {.core = newer->core};
        const Block *a, *b;
        guint32 same;

        while ((a = at_block(&old)) != NULL) {
                b = at_block(&new);
                if (a == b && old.in_block == 0 && new.in_block == 0) {
                        old.block++;
                        new.block++;
                        continue;
                }
                if ((same = count_same(&old, &new)) > 0) {
                        at_skip(&old, same);
                        at_skip(&new, same);
                        continue;
                }
                const ViewEntry *was = &a->entries[old.in_block], *is = b != NULL ? &b->entries[new.in_block] : NULL;
                guint32 index_old = at_index(&old), index_new = at_index(&new);
                at_skip(&old, 1);
                if (is == NULL || is->uid != was->uid) {
                        g_array_append_val(gone, index_old);
                        continue;
                }
                at_skip(&new, 1);
                if (is->modseq != was->modseq || is->flags != was->flags)
                        g_array_append_val(different, index_new);
        }
        tell(gone, TRUE, vanished, data);
        tell(different, FALSE, changed, data);
        *ret_first_new = at_index(&new);
}

/* What has vanished ------------------------------------------------------------------------------------------------ */

DB_SQL(FORGOTTEN_OF_MAILBOX, "SELECT forgotten FROM mailbox WHERE id = ?");
DB_SQL(PAGES_WITH_STATE, "SELECT p.key, p.data, s.data FROM page p JOIN page_state s ON s.key = p.key"
                         " WHERE p.key >= ? AND p.key <= ? ORDER BY p.key");

/* Rising UIDs as ranges, cut to those that the client asked about. */
typedef struct Vanished {
        GArray *ranges;
        const UidRange *within;
        gsize n_within, at;
} Vanished;

static void
vanished_put(Vanished *to, guint32 first, guint32 last)
{
        UidRange *before = to->ranges->len > 0 ? &g_array_index(to->ranges, UidRange, to->ranges->len - 1) : NULL;
        const UidRange range = {first, last};

        if (before != NULL && before->last + 1 == first)
                before->last = last;
        else
                g_array_append_val(to->ranges, range);
}

static void
vanished_add(Vanished *to, guint32 first, guint32 last)
{
        if (to->within == NULL) {
                vanished_put(to, first, last);
                return;
        }
        while (to->at < to->n_within && to->within[to->at].last < first)
                to->at++;
        for (gsize i = to->at; i < to->n_within && to->within[i].first <= last; i++)
                vanished_put(to, MAX(first, to->within[i].first), MIN(last, to->within[i].last));
}

/* Every UID given out that is not there. */
static void
vanished_in_doubt(Vanished *to, const View *view)
{
        guint64 next = 1;

        for (guint32 i = 0; i < view_count(view); i++) {
                guint32 uid = view_entry(view, i)->uid;
                if (uid > next)
                        vanished_add(to, (guint32) next, uid - 1);
                next = (guint64) uid + 1;
        }
        if (next < view->core->uid_next)
                vanished_add(to, (guint32) next, (guint32) (view->core->uid_next - 1));
}

static gboolean
vanished_from_page(Vanished *to, const DbRows *row, guint64 since, guint64 until, GError **error)
{
        gint64 key = db_int(row, 0);
        State states[PAGE_ENTRIES];
        guint32 uids[PAGE_ENTRIES];
        guint64 sizes[PAGE_ENTRIES];
        guint n, n_states;

        if (!page_get_uids(db_bytes(row, 1), (guint32) (key & G_MAXUINT32), uids, sizes, &n) ||
            !state_get(db_bytes(row, 2), states, &n_states) || n != n_states)
                return page_damaged(key, error);
        for (guint i = 0; i < n; i++)
                if (states[i].fate != FATE_HERE && states[i].modseq > since && states[i].modseq <= until)
                        vanished_add(to, uids[i], uids[i]);
        return TRUE;
}

static gboolean
read_vanished(Vanished *to, DbTxn *txn, const View *view, guint64 since, GError **error)
{
        gint64 key = view->core->mailbox << 32;
        DbStep step;

        g_autoptr(DbRows) rows = db_query(txn, &PAGES_WITH_STATE, error, "ii", key, key | (gint64) UID_MAX);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW)
                if (!vanished_from_page(to, rows, since, view->core->modseq, error))
                        return FALSE;
        return step == DB_ROW_END;
}

gboolean
store_vanished_since(Store *store, const View *view, guint64 modseq, const UidRange *within, gsize n_within,
                     GArray **ret_ranges, GError **error)
{
        g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(UidRange));
        Vanished to = {.ranges = ranges, .within = n_within > 0 ? within : NULL, .n_within = n_within};
        gint64 forgotten = G_MAXINT64; /* of a mailbox that is gone, everything is */

        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        if (txn == NULL ||
            db_get_int(txn, &FORGOTTEN_OF_MAILBOX, &forgotten, error, "i", view_mailbox(view)) == DB_ROW_FAILED)
                return FALSE;
        if (modseq < (guint64) forgotten)
                vanished_in_doubt(&to, view);
        else if (!read_vanished(&to, txn, view, modseq, error))
                return FALSE;
        *ret_ranges = g_steal_pointer(&ranges);
        return TRUE;
}

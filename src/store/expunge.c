/* expunge.c -- EXPUNGE and removal: entries leave views and quota, but stay in their pages until they are forgotten
 * (tidy.c). */
#include "store/internal.h"

#define SLICE_PAGES 512
#define SLICE_TAIL 4096
#define SLICE_OCTETS (8 * 1024 * 1024)

typedef struct Removal {
        Store *store;
        gint64 mailbox;
        const UidSet *set;   /* NULL: all */
        gboolean needs_flag; /* only those with \Deleted */
        Usec now;
        const ChangeProgress *progress; /* NULL: nobody is told */
        guint64 n_done;
        guint32 next;     /* UID the next slice begins with */
        gboolean is_over; /* from here on, what this slice gives: it may be run again */
        guint32 ret_next;
        guint64 modseq; /* 0: nothing went */
        Counts counts;
} Removal;

static gboolean
may_go(const Removal *r, const State *state)
{
        return state->fate == FATE_HERE && (!r->needs_flag || (state->flags & FLAG_DELETED) != 0);
}

static gboolean
remove_from_page(Removal *r, DbTxn *txn, SetWalk *walk, const PageRow *row, guint64 modseq, GError **error)
{
        State states[PAGE_ENTRIES];
        guint32 uids[PAGE_ENTRIES];
        guint64 sizes[PAGE_ENTRIES];
        gint64 messages = 0;
        guint n, first;

        if (!state_get(row->state, states, &n))
                return page_damaged(row->key, error);
        for (first = 0; first < n && !may_go(r, &states[first]);)
                first++;
        if (first == n)
                return TRUE;
        if (!page_load_uids(txn, row, n, uids, sizes, error))
                return FALSE;
        for (guint i = first; i < n; i++) {
                if (!may_go(r, &states[i]) || !set_walk_has(walk, uids[i]))
                        continue;
                states[i] = (State){states[i].flags, modseq, r->now, FATE_EXPUNGED};
                messages++;
                r->counts.octets -= (gint64) sizes[i];
        }
        r->counts.messages -= messages;
        return messages == 0 || page_save_state(r->store, txn, row->key, states, n, error);
}

static gboolean
remove_finish(Removal *r, DbTxn *txn, Slot *slot, GError **error)
{
        Counts *counts = &r->counts;

        if (counts->messages == 0)
                return TRUE;
        counts->gone_messages = -counts->messages;
        counts->gone_octets = -counts->octets;
        counts->gone_at = r->now;
        r->modseq = ++slot->modseq;
        usage_add(r->store, txn, slot->account, counts->messages, counts->octets);
        return slot_save(r->store, txn, slot, counts, error);
}

static ChangeAnswer
remove_pages(Removal *r, DbTxn *txn, Slot *slot, gboolean has_tail, GError **error)
{
        g_autoptr(Arena) arena = arena_new(SLICE_OCTETS);
        SetWalk walk = {.set = r->set};
        const PageRow *rows;
        gboolean more;
        gsize n;

        if (!pages_list(txn, arena, slot, r->next, set_last(r->set), SLICE_PAGES, &rows, &n, &more, error))
                return CHANGED_FAILED;
        for (gsize i = 0; i < n; i++)
                if (!remove_from_page(r, txn, &walk, &rows[i], slot->modseq + 1, error))
                        return CHANGED_FAILED;
        r->is_over = !more && !has_tail;
        r->ret_next = more ? (guint32) rows[n - 1].behind : (guint32) MIN((guint64) slot->folded + 1, UID_MAX);
        return remove_finish(r, txn, slot, error) ? CHANGED_DONE : CHANGED_FAILED;
}

static ChangeAnswer
remove_slice(gpointer data, DbTxn *txn, GError **error)
{
        Removal *r = data;
        gboolean has_tail = FALSE;
        Slot *slot;

        r->modseq = 0;
        r->counts = (Counts){0};
        ChangeAnswer answer = change_answer(slot_by_id(r->store, txn, r->mailbox, &slot, error));
        if (answer != CHANGED_DONE)
                return answer;
        if (set_last(r->set) > slot->folded && !tail_fold(r->store, txn, slot, SLICE_TAIL, &has_tail, error))
                return CHANGED_FAILED;
        return remove_pages(r, txn, slot, has_tail, error);
}

static ChangeAnswer
remove_entries(Removal *r, guint64 *ret_modseq, GError **error)
{
        guint64 modseq = 0;

        r->now = clock_real();
        r->next = set_first(r->set);
        while (!r->is_over) {
                ChangeAnswer answer = change_run(r->store, TRUE, remove_slice, r, error);
                if (answer != CHANGED_DONE)
                        return answer;
                modseq = r->modseq != 0 ? r->modseq : modseq;
                r->next = r->ret_next;
                r->n_done += (guint64) -r->counts.messages;
                if (r->progress != NULL)
                        r->progress->fn(r->n_done, 0, r->progress->data);
        }
        *ret_modseq = modseq;
        return CHANGED_DONE;
}

ChangeAnswer
entries_remove(Store *store, DbTxn *txn, gint64 mailbox, const UidSet *set, GError **error)
{
        Removal r = {.store = store, .mailbox = mailbox, .set = set, .now = clock_real(), .next = set_first(set)};
        ChangeAnswer answer = CHANGED_DONE;

        while (!r.is_over && answer == CHANGED_DONE) {
                answer = remove_slice(&r, txn, error);
                r.next = r.ret_next;
        }
        return answer;
}

ChangeAnswer
store_expunge_telling(Store *store, gint64 mailbox, const UidSet *set, const ChangeProgress *progress,
                      guint64 *ret_modseq, GError **error)
{
        Removal r = {.store = store, .mailbox = mailbox, .set = set, .needs_flag = TRUE, .progress = progress};

        return remove_entries(&r, ret_modseq, error);
}

ChangeAnswer
store_expunge(Store *store, gint64 mailbox, const UidSet *set, guint64 *ret_modseq, GError **error)
{
        return store_expunge_telling(store, mailbox, set, NULL, ret_modseq, error);
}

ChangeAnswer
store_remove(Store *store, gint64 mailbox, const UidSet *set, guint64 *ret_modseq, GError **error)
{
        Removal r = {.store = store, .mailbox = mailbox, .set = set};

        return remove_entries(&r, ret_modseq, error);
}

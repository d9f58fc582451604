/* tidy.c -- what nobody waits for: expunged entries are forgotten for good, deleted mailboxes emptied.
 *
 * A mailbox whose row has `gone_oldest` has entries in its pages that went at that time or later. Each call takes some
 * pages of one mailbox; the one that finds no more sets `gone_oldest` anew.
 */
#include "store/internal.h"
#include "store/tree.h"

#define SLICE_PAGES 16
#define SLICE_TAIL 1000
#define LOOK_PAGES 4096
#define LOOK_OCTETS (16 * 1024 * 1024)

DB_SQL(ENTRIES_OF_RANGE, "DELETE FROM entry WHERE mailbox = ? AND uid >= ? AND uid <= ?");
DB_SQL(PAGE_DROP, "DELETE FROM page WHERE key = ?");
DB_SQL(STATE_DROP, "DELETE FROM page_state WHERE key = ?");
DB_SQL(GONE_OLDEST, "SELECT id FROM mailbox WHERE gone_oldest < ? AND deleted_at IS NULL ORDER BY gone_oldest LIMIT 1");
DB_SQL(GONE_SET, "UPDATE mailbox SET gone_oldest = ? WHERE id = ?");
DB_SQL(GONE_NONE, "UPDATE mailbox SET gone_oldest = NULL WHERE id = ?");
DB_SQL(GONE_LESS, "UPDATE mailbox SET gone_messages = gone_messages - ?, gone_octets = gone_octets - ?,"
                  " forgotten = CASE WHEN forgotten < ? THEN ? ELSE forgotten END WHERE id = ?");

/* Pages ------------------------------------------------------------------------------------------------------------ */

/* Which entries of a page go for good. */
typedef struct Purge {
        Store *store;
        DbTxn *txn;
        Usec before; /* those expunged before this; those that are here too when it is USEC_NEVER */
        Refs refs;
        gint64 gone_messages, gone_octets, messages, octets;
        guint64 forgotten; /* the highest MODSEQ of an expunge */
} Purge;

static gboolean
is_purged(const Purge *purge, const State *state)
{
        return state->fate == FATE_HERE ? purge->before == USEC_NEVER : state->gone_at < purge->before;
}

static void
purge_count(Purge *purge, const ViewEntry *entry, const State *state)
{
        if (state->fate != FATE_MOVED)
                refs_add_entry(&purge->refs, entry);
        if (state->fate == FATE_EXPUNGED) {
                purge->gone_messages++;
                purge->gone_octets += (gint64) entry->size;
        } else if (state->fate == FATE_HERE) {
                purge->messages++;
                purge->octets += (gint64) entry->size;
        }
        if (state->fate != FATE_HERE)
                purge->forgotten = MAX(purge->forgotten, state->modseq);
}

/* Rows of `entry` of what goes between two entries that stay: no others stand there. */
static gboolean
drop_rows(Purge *purge, gint64 mailbox, const ViewEntry *entries, guint n, GError **error)
{
        for (guint i = 0; i < n; i++)
                if (entries[i].pack == 0)
                        return db_run(purge->txn, &ENTRIES_OF_RANGE, error, "iii", mailbox, (gint64) entries[0].uid,
                                      (gint64) entries[n - 1].uid);
        return TRUE;
}

static gboolean
page_drop(Purge *purge, gint64 key, GError **error)
{
        touch(purge->store, purge->txn, key >> 32, MARK_PAGE, key & G_MAXUINT32);
        return db_run(purge->txn, &PAGE_DROP, error, "i", key) && db_run(purge->txn, &STATE_DROP, error, "i", key);
}

static gboolean
purge_page(Purge *purge, gint64 key, GError **error)
{
        g_autofree Page *page = g_new(Page, 1);
        guint kept = 0;

        if (!page_load(purge->txn, key, page, error))
                return FALSE;
        for (guint i = 0, end; i < page->n; i = end) {
                for (end = i; end < page->n && is_purged(purge, &page->states[end]); end++)
                        purge_count(purge, &page->entries[end], &page->states[end]);
                if (end > i && !drop_rows(purge, key >> 32, &page->entries[i], end - i, error))
                        return FALSE;
                for (; end < page->n && !is_purged(purge, &page->states[end]); end++) {
                        page->entries[kept] = page->entries[end];
                        page->states[kept++] = page->states[end];
                }
        }
        page->n = kept;
        return kept > 0 ? page_save(purge->store, purge->txn, page, MARK_PACKED, error) : page_drop(purge, key, error);
}

/* Some of these pages; *ret_oldest: of what stays gone in all of them, 0: nothing. */
static gboolean
purge_pages(Purge *purge, const PageRow *rows, gsize n, guint *left, Usec *ret_oldest, GError **error)
{
        State states[PAGE_ENTRIES];
        guint n_states;

        for (gsize i = 0; i<n && * left> 0; i++) {
                gboolean is_due = FALSE;
                if (!state_get(rows[i].state, states, &n_states))
                        return page_damaged(rows[i].key, error);
                for (guint k = 0; k < n_states; k++) {
                        if (is_purged(purge, &states[k]))
                                is_due = TRUE;
                        else if (states[k].fate != FATE_HERE)
                                *ret_oldest =
                                        *ret_oldest == 0 ? states[k].gone_at : MIN(*ret_oldest, states[k].gone_at);
                }
                if (is_due && !purge_page(purge, rows[i].key, error))
                        return FALSE;
                *left -= is_due;
        }
        return TRUE;
}

/* One mailbox, some of its pages. */
static gboolean
purge_mailbox(Purge *purge, Slot *slot, gboolean *ret_more, Usec *ret_oldest, GError **error)
{
        g_autoptr(Arena) arena = arena_new(LOOK_OCTETS);
        guint left = SLICE_PAGES;
        const PageRow *rows;
        guint32 from = 1;
        gboolean more = TRUE;
        gsize n;

        while (more && left > 0) {
                arena_reset(arena);
                if (!pages_list(purge->txn, arena, slot, from, G_MAXUINT32, LOOK_PAGES, &rows, &n, &more, error) ||
                    !purge_pages(purge, rows, n, &left, ret_oldest, error))
                        return FALSE;
                from = more ? (guint32) rows[n - 1].behind : 0;
        }
        *ret_more = more || left == 0;
        return refs_give_back(&purge->refs, purge->store, purge->txn, error);
}

static gboolean
purge_finish(Purge *purge, const Slot *slot, gboolean more, Usec oldest, GError **error)
{
        touch(purge->store, purge->txn, slot->id, MARK_ROW, 0);
        if (!db_run(purge->txn, &GONE_LESS, error, "iiiii", purge->gone_messages, purge->gone_octets,
                    (gint64) purge->forgotten, (gint64) purge->forgotten, slot->id))
                return FALSE;
        if (more)
                return TRUE;
        return oldest != 0 ? db_run(purge->txn, &GONE_SET, error, "ii", (gint64) oldest, slot->id)
                           : db_run(purge->txn, &GONE_NONE, error, "i", slot->id);
}

/* Mailboxes that go ------------------------------------------------------------------------------------------------ */

DB_SQL(ROWS_DROP,
       "DELETE FROM entry WHERE mailbox = ? AND uid IN (SELECT uid FROM entry WHERE mailbox = ? ORDER BY uid LIMIT ?)"
       " RETURNING body");
DB_SQL(SEEN_DROP, "DELETE FROM reader_seen WHERE mailbox = ?");
DB_SQL(PAGES_SOME, "SELECT key FROM page WHERE key >= ? AND key <= ? ORDER BY key LIMIT ?");
DB_SQL(COUNTS_LESS,
       "UPDATE mailbox SET messages = messages - ?, octets = octets - ?, gone_messages = gone_messages - ?,"
       " gone_octets = gone_octets - ? WHERE id = ?");

static gboolean
pages_between(DbTxn *txn, gint64 from, gint64 to, gint64 ret_keys[SLICE_PAGES], guint *ret_n, GError **error)
{
        DbStep step = DB_ROW_FAILED;

        g_autoptr(DbRows) rows = db_query(txn, &PAGES_SOME, error, "iii", from, to, (gint64) SLICE_PAGES);
        *ret_n = 0;
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW)
                ret_keys[(*ret_n)++] = db_int(rows, 0);
        return step == DB_ROW_END;
}

static gboolean
drop_tail(Purge *purge, gint64 mailbox, gboolean *ret_more, GError **error)
{
        g_autoptr(DbRows) rows = db_query(purge->txn, &ROWS_DROP, error, "iii", mailbox, mailbox, (gint64) SLICE_TAIL);
        DbStep step = DB_ROW_FAILED;
        guint n = 0;

        for (; rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW; n++)
                refs_add_body(&purge->refs, db_int(rows, 0));
        *ret_more = n == SLICE_TAIL;
        return step == DB_ROW_END;
}

static gboolean
empty_slice(Purge *purge, gint64 mailbox, gboolean *ret_more, GError **error)
{
        gint64 keys[SLICE_PAGES];
        guint n;

        if (!pages_between(purge->txn, mailbox << 32, mailbox << 32 | (gint64) UID_MAX, keys, &n, error))
                return FALSE;
        *ret_more = n > 0;
        for (guint i = 0; i < n; i++)
                if (!purge_page(purge, keys[i], error))
                        return FALSE;
        if (n == 0 && !drop_tail(purge, mailbox, ret_more, error))
                return FALSE;
        return refs_give_back(&purge->refs, purge->store, purge->txn, error) &&
               db_run(purge->txn, &COUNTS_LESS, error, "iiiii", purge->messages, purge->octets, purge->gone_messages,
                      purge->gone_octets, mailbox);
}

gboolean
mailbox_empty(Store *store, DbTxn *txn, gint64 mailbox, gboolean *ret_more, GError **error)
{
        Purge purge = {.store = store, .txn = txn, .before = USEC_NEVER};
        gboolean is_done = empty_slice(&purge, mailbox, ret_more, error);

        refs_done(&purge.refs);
        touch(store, txn, mailbox, MARK_ROW, 0);
        numbers_forget_mailbox(store, mailbox);
        if (is_done && !*ret_more)
                is_done = import_forget_mailbox(txn, mailbox, ret_more, error);
        if (!is_done || *ret_more)
                return is_done;
        return db_run(txn, &SEEN_DROP, error, "i", mailbox) && mailbox_drop(txn, mailbox, error);
}

/* Blocks that were copied in vain ---------------------------------------------------------------------------------- */

DB_SQL(COPYING_NONE, "UPDATE mailbox SET copying = NULL WHERE id = ?");

/* Nobody has ever seen these pages, and the mailbox's row does not count them. */
static gboolean
drop_pages(Purge *purge, const Slot *slot, gint64 from, gint64 to, gboolean *ret_more, GError **error)
{
        gint64 keys[SLICE_PAGES];
        guint n;

        if (!pages_between(purge->txn, from, to, keys, &n, error))
                return FALSE;
        for (guint i = 0; i < n; i++)
                if (!purge_page(purge, keys[i], error))
                        return FALSE;
        *ret_more = n == SLICE_PAGES;
        return (*ret_more || db_run(purge->txn, &COPYING_NONE, error, "i", slot->id)) &&
               refs_give_back(&purge->refs, purge->store, purge->txn, error);
}

gboolean
block_drop(Store *store, DbTxn *txn, Slot *slot, gboolean *ret_more, GError **error)
{
        Purge purge = {.store = store, .txn = txn, .before = USEC_NEVER};
        gint64 key = slot->id << 32;
        gboolean is_done =
                drop_pages(&purge, slot, key | (gint64) slot->copying, key | (gint64) UID_MAX, ret_more, error);

        refs_done(&purge.refs);
        if (is_done && !*ret_more)
                slot->copying = 0;
        return is_done;
}

/* Housekeeping ----------------------------------------------------------------------------------------------------- */

DB_SQL(COPYING_NEXT, "SELECT id FROM mailbox WHERE copying IS NOT NULL AND deleted_at IS NULL AND id > ? ORDER BY id"
                     " LIMIT 1");
DB_SQL(DELETED_OLDEST, "SELECT id FROM mailbox WHERE deleted_at < ? ORDER BY deleted_at LIMIT 1");

typedef struct Tidying {
        Store *store;
        Usec before;
        gboolean more; /* what one run gives: it may be run again */
} Tidying;

static ChangeAnswer
purge_gone(gpointer data, DbTxn *txn, GError **error)
{
        Tidying *t = data;
        Purge purge = {.store = t->store, .txn = txn, .before = MIN(t->before, USEC_NEVER - 1)};
        gboolean more = FALSE;
        Usec oldest = 0;
        gint64 mailbox;
        Slot *slot;

        t->more = FALSE;
        DbStep step = db_get_int(txn, &GONE_OLDEST, &mailbox, error, "i", (gint64) purge.before);
        if (step != DB_ROW)
                return step == DB_ROW_END ? CHANGED_DONE : CHANGED_FAILED;
        if (slot_by_id(t->store, txn, mailbox, &slot, error) != STORE_DONE)
                return CHANGED_FAILED;
        t->more = TRUE;
        gboolean is_done =
                purge_mailbox(&purge, slot, &more, &oldest, error) && purge_finish(&purge, slot, more, oldest, error);
        refs_done(&purge.refs);
        return is_done ? CHANGED_DONE : CHANGED_FAILED;
}

static ChangeAnswer
purge_deleted(gpointer data, DbTxn *txn, GError **error)
{
        Tidying *t = data;
        gboolean more;
        gint64 mailbox;

        t->more = FALSE;
        DbStep step = db_get_int(txn, &DELETED_OLDEST, &mailbox, error, "i", (gint64) t->before);
        if (step != DB_ROW)
                return step == DB_ROW_END ? CHANGED_DONE : CHANGED_FAILED;
        t->more = TRUE;
        return mailbox_empty(t->store, txn, mailbox, &more, error) ? CHANGED_DONE : CHANGED_FAILED;
}

/* A COPY that ended with the server. */
static ChangeAnswer
purge_copying(gpointer data, DbTxn *txn, GError **error)
{
        Tidying *t = data;
        DbStep step;
        Slot *slot;

        t->more = FALSE;
        for (gint64 mailbox = 0; (step = db_get_int(txn, &COPYING_NEXT, &mailbox, error, "i", mailbox)) == DB_ROW;) {
                if (claims_has(t->store->claims, mailbox))
                        continue;
                t->more = TRUE;
                gboolean more;
                return slot_by_id(t->store, txn, mailbox, &slot, error) == STORE_DONE &&
                                       block_drop(t->store, txn, slot, &more, error)
                               ? CHANGED_DONE
                               : CHANGED_FAILED;
        }
        return step == DB_ROW_END ? CHANGED_DONE : CHANGED_FAILED;
}

gboolean
store_tidy(Store *store, Usec before, gboolean *ret_more, GError **error)
{
        Tidying gone = {.store = store, .before = before}, deleted = gone, copying = gone;

        if (change_run(store, TRUE, purge_copying, &copying, error) != CHANGED_DONE ||
            change_run(store, TRUE, purge_gone, &gone, error) != CHANGED_DONE ||
            change_run(store, TRUE, purge_deleted, &deleted, error) != CHANGED_DONE)
                return FALSE;
        *ret_more = gone.more || deleted.more || copying.more;
        return TRUE;
}

/* pages.c -- pages of entries in a write transaction: folding the tail into them, reading and rewriting them.
 *
 * 1. Pages cover the UIDs up to the mailbox's `folded`; `entry` has those above: the tail. Both rise, and nothing moves
 * back.
 * 2. Rows of `entry` up to `folded` wait to be packed: each belongs to a page's entry without a pack, whose flags and
 * MODSEQ are those that count.
 * 3. The row of the mailbox counts the entries of its pages that are here.
 */
#include "store/internal.h"

#define FOLD_SLICE 4096

DB_SQL(LAST_PAGE, "SELECT key FROM page WHERE key >= ? AND key <= ? ORDER BY key DESC LIMIT 1");
DB_SQL(PAGE_GET, "SELECT p.data, s.data FROM page p JOIN page_state s ON s.key = p.key WHERE p.key = ?");
DB_SQL(PAGE_DATA, "SELECT data FROM page WHERE key = ?");
DB_SQL(PAGE_ADD, "INSERT INTO page (key, data) VALUES (?, ?)");
DB_SQL(PAGE_SET, "UPDATE page SET data = ? WHERE key = ?");
DB_SQL(STATE_ADD, "INSERT INTO page_state (key, data) VALUES (?, ?)");
DB_SQL(STATE_SET, "UPDATE page_state SET data = ? WHERE key = ?");
DB_SQL(TAIL_PART, "SELECT uid, flags, modseq, size, body, received, saved, message FROM entry"
                  " WHERE mailbox = ? AND uid > ? ORDER BY uid LIMIT ?");
DB_SQL(PAGES_FROM, "SELECT key, data FROM page_state WHERE key >= ? AND key <= ? ORDER BY key LIMIT ?");
DB_SQL(PAGE_OF_UID, "SELECT key FROM page_state WHERE key >= ? AND key <= ? ORDER BY key DESC LIMIT 1");

gboolean
page_damaged(gint64 key, GError **error)
{
        return fault(error, FAULT_INTERNAL, "page %" G_GINT64_FORMAT " of mailbox %" G_GINT64_FORMAT " is damaged",
                     key & G_MAXUINT32, key >> 32);
}

static guint32
first_of(gint64 key)
{
        return (guint32) (key & G_MAXUINT32);
}

static Span
span_of_array(const GByteArray *array)
{
        return span_make(array->data, array->len);
}

/* One page --------------------------------------------------------------------------------------------------------- */

gboolean
page_load(DbTxn *txn, gint64 key, Page *ret, GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &PAGE_GET, error, "i", key);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        guint n_states;

        if (step == DB_ROW_FAILED)
                return FALSE;
        if (step == DB_ROW_END || !page_get(db_bytes(row, 0), first_of(key), ret->entries, PAGE_ENTRIES, &ret->n) ||
            !state_get(db_bytes(row, 1), ret->states, &n_states) || n_states != ret->n)
                return page_damaged(key, error);
        ret->key = key;
        return TRUE;
}

gboolean
page_load_uids(DbTxn *txn, const PageRow *row, guint n_states, guint32 ret_uids[PAGE_ENTRIES],
               guint64 ret_sizes[PAGE_ENTRIES], GError **error)
{
        g_autoptr(DbRows) data = db_query(txn, &PAGE_DATA, error, "i", row->key);
        DbStep step = data != NULL ? db_rows_next(data, error) : DB_ROW_FAILED;
        guint n;

        if (step == DB_ROW_FAILED)
                return FALSE;
        if (step == DB_ROW_END || !page_get_uids(db_bytes(data, 0), row->first, ret_uids, ret_sizes, &n) ||
            n != n_states)
                return page_damaged(row->key, error);
        return TRUE;
}

gboolean
page_save_state(Store *store, DbTxn *txn, gint64 key, const State *states, guint n, GError **error)
{
        g_autoptr(GByteArray) data = g_byte_array_new();

        state_put(data, states, n);
        touch(store, txn, key >> 32, MARK_STATE, first_of(key));
        return db_run(txn, &STATE_SET, error, "bi", span_of_array(data), key);
}

static gboolean
page_write(DbTxn *txn, const Page *page, const DbSql *data_sql, const DbSql *state_sql, gboolean is_new, GError **error)
{
        g_autoptr(GByteArray) data = g_byte_array_sized_new(2048), state = g_byte_array_new();

        page_put(data, first_of(page->key), page->entries, page->n);
        state_put(state, page->states, page->n);
        if (is_new)
                return db_run(txn, data_sql, error, "ib", page->key, span_of_array(data)) &&
                       db_run(txn, state_sql, error, "ib", page->key, span_of_array(state));
        return db_run(txn, data_sql, error, "bi", span_of_array(data), page->key) &&
               db_run(txn, state_sql, error, "bi", span_of_array(state), page->key);
}

gboolean
page_save(Store *store, DbTxn *txn, const Page *page, MarkKind kind, GError **error)
{
        touch(store, txn, page->key >> 32, kind, first_of(page->key));
        return page_write(txn, page, &PAGE_SET, &STATE_SET, FALSE, error);
}

/* Adding ----------------------------------------------------------------------------------------------------------- */

PageWriter *
page_writer_new(Store *store, DbTxn *txn, Slot *slot, gboolean is_fresh, GError **error)
{
        g_autofree PageWriter *writer = g_new(PageWriter, 1);
        gint64 key = slot->id << 32;

        writer->store = store;
        writer->txn = txn;
        writer->slot = slot;
        writer->counts = (Counts){0};
        writer->is_new = TRUE;
        writer->hidden = NULL;
        writer->page.n = 0;
        if (is_fresh)
                return g_steal_pointer(&writer);
        switch (db_get_int(txn, &LAST_PAGE, &writer->page.key, error, "ii", key, key | (gint64) slot->folded)) {
        case DB_ROW:
                writer->is_new = FALSE;
                if (!page_load(txn, writer->page.key, &writer->page, error))
                        return NULL;
                if (writer->page.n == PAGE_ENTRIES)
                        writer->page.n = 0; /* the next one is new */
                return g_steal_pointer(&writer);
        case DB_ROW_END:
                return g_steal_pointer(&writer);
        case DB_ROW_FAILED:
        default:
                return NULL;
        }
}

gboolean
page_writer_flush(PageWriter *writer, GError **error)
{
        Page *page = &writer->page;
        guint32 first = first_of(page->key);

        if (page->n == 0)
                return TRUE;
        if (writer->hidden != NULL)
                g_array_append_val(writer->hidden, first);
        else
                touch(writer->store, writer->txn, writer->slot->id, MARK_PAGE, first);
        gboolean is_done = writer->is_new ? page_write(writer->txn, page, &PAGE_ADD, &STATE_ADD, TRUE, error)
                                          : page_write(writer->txn, page, &PAGE_SET, &STATE_SET, FALSE, error);
        page->n = 0;
        return is_done;
}

gboolean
page_writer_add(PageWriter *writer, const ViewEntry *entry, const State *state, GError **error)
{
        Page *page = &writer->page;

        if (page->n == PAGE_ENTRIES && !page_writer_flush(writer, error))
                return FALSE;
        if (page->n == 0) {
                page->key = writer->slot->id << 32 | entry->uid;
                writer->is_new = TRUE;
        }
        page->entries[page->n] = *entry;
        page->states[page->n++] = *state;
        writer->slot->folded = entry->uid;
        writer->counts.messages++;
        writer->counts.octets += (gint64) entry->size;
        return TRUE;
}

gboolean
page_writer_finish(PageWriter *writer, GError **error)
{
        return page_writer_flush(writer, error) &&
               slot_save(writer->store, writer->txn, writer->slot, &writer->counts, error);
}

/* Folding ---------------------------------------------------------------------------------------------------------- */

static gboolean
fold_rows(PageWriter *writer, DbRows *rows, guint max, gboolean *ret_more, GError **error)
{
        guint n = 0;
        DbStep step;

        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                const ViewEntry entry = {
                        .uid = (guint32) db_int(rows, 0),
                        .size = (guint64) db_int(rows, 3),
                        .body = db_int(rows, 4),
                        .received = db_int(rows, 5),
                        .saved = db_int(rows, 6) != 0 ? db_int(rows, 6) : db_int(rows, 5),
                        .message = (Id) db_int(rows, 7),
                };
                const State state = {.flags = (guint64) db_int(rows, 1), .modseq = (guint64) db_int(rows, 2)};
                if (!page_writer_add(writer, &entry, &state, error))
                        return FALSE;
                n++;
        }
        writer->slot->n_tail -= MIN(n, writer->slot->n_tail);
        *ret_more = n == max;
        return step == DB_ROW_END;
}

gboolean
tail_fold(Store *store, DbTxn *txn, Slot *slot, guint max, gboolean *ret_more, GError **error)
{
        *ret_more = FALSE;
        if (slot->n_tail == 0)
                return TRUE;
        g_autofree PageWriter *writer = page_writer_new(store, txn, slot, FALSE, error);
        if (writer == NULL)
                return FALSE;
        g_autoptr(DbRows) rows = db_query(txn, &TAIL_PART, error, "iii", slot->id, (gint64) slot->folded, (gint64) max);
        return rows != NULL && fold_rows(writer, rows, max, ret_more, error) && page_writer_finish(writer, error);
}

typedef struct Folding {
        Store *store;
        gint64 mailbox;
        gboolean more;
} Folding;

static ChangeAnswer
fold_slice(gpointer data, DbTxn *txn, GError **error)
{
        Folding *f = data;
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(f->store, txn, f->mailbox, &slot, error));

        f->more = FALSE;
        if (answer != CHANGED_DONE)
                return answer;
        return tail_fold(f->store, txn, slot, FOLD_SLICE, &f->more, error) ? CHANGED_DONE : CHANGED_FAILED;
}

ChangeAnswer
tail_fold_all(Store *store, gint64 mailbox, GError **error)
{
        Folding f = {.store = store, .mailbox = mailbox, .more = TRUE};

        while (f.more) {
                ChangeAnswer answer = change_run(store, db_is_full(store->db), fold_slice, &f, error);
                if (answer != CHANGED_DONE)
                        return answer;
        }
        return CHANGED_DONE;
}

/* Several ---------------------------------------------------------------------------------------------------------- */

/* The page that has this UID begins at or before it. */
static gboolean
key_of_uid(DbTxn *txn, const Slot *slot, guint32 uid, gint64 *ret, GError **error)
{
        gint64 key = slot->id << 32;

        *ret = key | uid;
        return db_get_int(txn, &PAGE_OF_UID, ret, error, "ii", key, key | uid) != DB_ROW_FAILED;
}

gboolean
pages_list(DbTxn *txn, Arena *arena, const Slot *slot, guint32 from, guint32 to, guint max, const PageRow **ret,
           gsize *ret_n, gboolean *ret_more, GError **error)
{
        gint64 key = slot->id << 32;
        PageRow *list = arena_new_array(arena, PageRow, max + 1);
        gsize n = 0;
        DbStep step;

        if (list == NULL || !key_of_uid(txn, slot, from, &key, error))
                return list != NULL ? FALSE : fault(error, FAULT_BUSY, "no memory for %u pages", max);
        g_autoptr(DbRows) rows = db_query(txn, &PAGES_FROM, error, "iii", key,
                                          slot->id << 32 | (gint64) MIN(to, slot->folded), (gint64) max + 1);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n <= max) {
                key = db_int(rows, 0);
                list[n] = (PageRow){.key = key, .first = first_of(key), .state = arena_copy(arena, db_bytes(rows, 1))};
                if (list[n].state.data == NULL)
                        return page_damaged(key, error);
                if (n > 0)
                        list[n - 1].behind = list[n].first;
                n++;
        }
        *ret_more = n > max;
        *ret = list;
        *ret_n = MIN(n, max);
        if (n > 0 && n <= max)
                list[n - 1].behind = (guint64) slot->folded + 1;
        return step != DB_ROW_FAILED;
}

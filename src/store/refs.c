/* refs.c -- references given back or taken more of, gathered while rows change and applied once.
 *
 * A body's reference belongs to a row of `entry`, to a row of the queue, or to a slot of a pack. A slot counts the
 * entries of pages that name it; with the last one the slot gives its body's reference back, and with its last slot the
 * pack goes.
 */
#include "store/internal.h"

#include <stdlib.h>

DB_SQL(PACK_GET, "SELECT bodies, refs FROM pack WHERE id = ?");
DB_SQL(PACK_SET, "UPDATE pack SET refs = ? WHERE id = ?");
DB_SQL(PACK_DROP, "DELETE FROM pack WHERE id = ?");
DB_SQL(PARTS_DROP, "DELETE FROM pack_part WHERE key >= ? AND key <= ?");

void
refs_done(Refs *refs)
{
        if (refs->bodies != NULL)
                g_array_unref(refs->bodies);
        if (refs->packed != NULL)
                g_array_unref(refs->packed);
        if (refs->slots != NULL)
                g_array_unref(refs->slots);
}

static void
add(GArray **list, gint64 value)
{
        if (*list == NULL)
                *list = g_array_new(FALSE, FALSE, sizeof(gint64));
        g_array_append_val(*list, value);
}

void
refs_add_body(Refs *refs, gint64 body)
{
        add(&refs->bodies, body);
}

void
refs_add_entry(Refs *refs, const ViewEntry *entry)
{
        if (entry->pack == 0)
                refs_add_body(refs, entry->body);
        else
                add(&refs->slots, entry->pack * PAGE_ENTRIES + entry->slot);
}

static gint
compare(gconstpointer a, gconstpointer b)
{
        gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

        return (x > y) - (x < y);
}

static gboolean
pack_damaged(gint64 pack, GError **error)
{
        return fault(error, FAULT_INTERNAL, "pack %" G_GINT64_FORMAT " is damaged", pack);
}

typedef struct PackRefs {
        gint64 pack;
        guint n;
        gint64 bodies[PAGE_ENTRIES];
        guint32 refs[PAGE_ENTRIES];
} PackRefs;

static gboolean
pack_refs_read(DbTxn *txn, gint64 pack, PackRefs *ret, GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &PACK_GET, error, "i", pack);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        guint n;

        if (step == DB_ROW_FAILED)
                return FALSE;
        if (step == DB_ROW_END || !bodies_get(db_bytes(row, 0), ret->bodies, &ret->n) ||
            !slot_refs_get(db_bytes(row, 1), ret->refs, &n) || n != ret->n)
                return pack_damaged(pack, error);
        ret->pack = pack;
        return TRUE;
}

typedef struct Gone {
        SearchIndex *index;
        gint64 pack;
} Gone;

static void
tell_gone(gpointer data)
{
        const Gone *gone = data;

        search_index_gone(gone->index, gone->pack);
}

/* The search index drops what it has of it. */
static void
pack_gone(Store *store, DbTxn *txn, gint64 pack)
{
        if (store->search == NULL)
                return;
        Gone *gone = g_new(Gone, 1);
        *gone = (Gone){store->search, pack};
        db_on_commit(txn, tell_gone, gone, g_free);
}

static gboolean
pack_refs_write(Store *store, DbTxn *txn, const PackRefs *p, GError **error)
{
        g_autoptr(GByteArray) data = g_byte_array_new();

        for (guint i = 0; i < p->n; i++)
                if (p->refs[i] > 0) {
                        slot_refs_put(data, p->refs, p->n);
                        return db_run(txn, &PACK_SET, error, "bi", span_make(data->data, data->len), p->pack);
                }
        pack_gone(store, txn, p->pack);
        return db_run(txn, &PACK_DROP, error, "i", p->pack) &&
               db_run(txn, &PARTS_DROP, error, "ii", p->pack * KEYS_OF_PACK, p->pack * KEYS_OF_PACK + KEYS_OF_PACK - 1);
}

/* Slots of one pack, once each time they stand in the list. */
static gboolean
pack_change(Refs *refs, Store *store, DbTxn *txn, gint64 pack, const gint64 *slots, guint n, gboolean is_more,
            GError **error)
{
        PackRefs p;

        if (!pack_refs_read(txn, pack, &p, error))
                return FALSE;
        for (guint i = 0; i < n; i++) {
                guint slot = (guint) (slots[i] % PAGE_ENTRIES);
                if (slot >= p.n || p.refs[slot] == 0 || (is_more && p.refs[slot] == G_MAXUINT32))
                        return pack_damaged(pack, error);
                p.refs[slot] += is_more ? 1 : (guint32) -1;
                if (p.refs[slot] == 0)
                        add(&refs->packed, p.bodies[slot]);
        }
        return pack_refs_write(store, txn, &p, error);
}

gboolean
slots_hand_over(Store *store, DbTxn *txn, gint64 pack, const guint *slots, guint n, gboolean *ret_done, GError **error)
{
        PackRefs p;

        if (!pack_refs_read(txn, pack, &p, error))
                return FALSE;
        for (guint i = 0; i < n; i++) {
                *ret_done = slots[i] < p.n && p.refs[slots[i]] == 1;
                if (!*ret_done)
                        return TRUE;
                p.refs[slots[i]] = 0;
        }
        return pack_refs_write(store, txn, &p, error);
}

static gboolean
slots_apply(Refs *refs, Store *store, DbTxn *txn, gboolean is_more, GError **error)
{
        if (refs->slots == NULL)
                return TRUE;
        g_array_sort(refs->slots, compare);
        const gint64 *slots = (const gint64 *) (gconstpointer) refs->slots->data;
        for (guint i = 0, len; i < refs->slots->len; i += len) {
                gint64 pack = slots[i] / PAGE_ENTRIES;
                for (len = 1; i + len < refs->slots->len && slots[i + len] / PAGE_ENTRIES == pack;)
                        len++;
                if (!pack_change(refs, store, txn, pack, slots + i, len, is_more, error))
                        return FALSE;
        }
        return TRUE;
}

typedef gboolean (*BodyChange)(DbTxn *txn, gint64 body, gint64 n, GError **error);

static gboolean
bodies_apply(GArray *list, DbTxn *txn, BodyChange change, GError **error)
{
        if (list == NULL)
                return TRUE;
        g_array_sort(list, compare);
        const gint64 *bodies = (const gint64 *) (gconstpointer) list->data;
        for (guint i = 0, len; i < list->len; i += len) {
                for (len = 1; i + len < list->len && bodies[i + len] == bodies[i];)
                        len++;
                if (!change(txn, bodies[i], len, error))
                        return FALSE;
        }
        return TRUE;
}

gboolean
refs_give_back(Refs *refs, Store *store, DbTxn *txn, GError **error)
{
        return slots_apply(refs, store, txn, FALSE, error) &&
               bodies_apply(refs->packed, txn, blob_unref_packed, error) &&
               bodies_apply(refs->bodies, txn, blob_unref, error);
}

gboolean
refs_take_more(Refs *refs, Store *store, DbTxn *txn, GError **error)
{
        return slots_apply(refs, store, txn, TRUE, error) && bodies_apply(refs->bodies, txn, blob_ref, error);
}

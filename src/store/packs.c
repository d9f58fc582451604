/* packs.c -- reading packs, and where the entries of an older view are now.
 *
 * A part never changes and the id of a pack is never used again, so what was read stays true. Prefixes and cuts are
 * asked for message by message (FETCH BODY[], RETR), so the parts that have them are kept for a while.
 */
#include "store/internal.h"

#define COPIES_OCTETS_MAX (4u << 20)

DB_SQL(PART_GET, "SELECT data FROM pack_part WHERE key = ?");
DB_SQL(PAGE_WITH_UID, "SELECT key, data FROM page WHERE key >= ? AND key <= ? ORDER BY key DESC LIMIT 1");

gboolean
pack_read(DbTxn *txn, Unpacker *unpacker, gint64 pack, PackPart which, PackedPart **ret, gboolean *ret_damaged,
          GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &PART_GET, error, "i", pack * KEYS_OF_PACK + (gint64) which);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;

        if (step == DB_ROW_FAILED)
                return FALSE;
        *ret = step == DB_ROW ? part_get(unpacker, db_bytes(row, 0)) : NULL;
        *ret_damaged = step == DB_ROW && *ret == NULL;
        return TRUE;
}

/* Copies ----------------------------------------------------------------------------------------------------------- */

typedef struct Kept {
        gint64 pack;
        PackedPart *part;
        GList link;
} Kept;

struct Copies {
        Mutex lock;          /* a leaf */
        GHashTable *by_pack; /* of Kept */
        GQueue recent;       /* the last one used first */
        gsize octets;
};

static void
kept_free(gpointer data)
{
        Kept *kept = data;

        part_unref(kept->part);
        g_free(kept);
}

Copies *
copies_new(void)
{
        Copies *copies = g_new0(Copies, 1);

        mutex_init(&copies->lock, "store.copies");
        copies->by_pack = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, kept_free);
        g_queue_init(&copies->recent);
        return copies;
}

void
copies_free(Copies *copies)
{
        if (copies == NULL)
                return;
        g_hash_table_unref(copies->by_pack);
        mutex_done(&copies->lock);
        g_free(copies);
}

static PackedPart *
copies_find(Copies *copies, gint64 pack)
{
        MUTEX_SCOPE(&copies->lock);
        Kept *kept = g_hash_table_lookup(copies->by_pack, &pack);

        if (kept == NULL)
                return NULL;
        g_queue_unlink(&copies->recent, &kept->link);
        g_queue_push_head_link(&copies->recent, &kept->link);
        return part_ref(kept->part);
}

/* Two threads may have read the same. */
static void
copies_keep(Copies *copies, gint64 pack, PackedPart *part)
{
        MUTEX_SCOPE(&copies->lock);
        if (part->size > COPIES_OCTETS_MAX || g_hash_table_contains(copies->by_pack, &pack))
                return;
        Kept *kept = g_new0(Kept, 1);
        *kept = (Kept){.pack = pack, .part = part_ref(part)};
        kept->link.data = kept;
        g_hash_table_insert(copies->by_pack, &kept->pack, kept);
        g_queue_push_head_link(&copies->recent, &kept->link);
        copies->octets += part->size;
        while (copies->octets > COPIES_OCTETS_MAX) {
                Kept *last = copies->recent.tail->data;
                copies->octets -= last->part->size;
                g_queue_unlink(&copies->recent, &last->link);
                g_hash_table_remove(copies->by_pack, &last->pack);
        }
}

gboolean
pack_read_copies(Store *store, DbTxn *txn, gint64 pack, PackedPart **ret, GError **error)
{
        gboolean is_damaged;

        *ret = copies_find(store->copies, pack);
        if (*ret != NULL)
                return TRUE;
        g_autoptr(Unpacker) unpacker = unpacker_new();
        if (!pack_read(txn, unpacker, pack, PACK_COPY, ret, &is_damaged, error))
                return FALSE;
        if (is_damaged)
                return fault(error, FAULT_INTERNAL, "the copies of pack %" G_GINT64_FORMAT " can't be read", pack);
        if (*ret != NULL)
                copies_keep(store->copies, pack, *ret);
        return TRUE;
}

/* Places ----------------------------------------------------------------------------------------------------------- */

const ViewEntry *
places_find(const Places *places, gint64 mailbox, guint32 uid)
{
        guint low = 0, high = places->mailbox == mailbox ? places->n : 0;

        while (low < high) {
                guint middle = (low + high) / 2;
                if (places->entries[middle].uid < uid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return places->mailbox == mailbox && low < places->n && places->entries[low].uid == uid ? &places->entries[low]
                                                                                                : NULL;
}

gboolean
places_read(Places *places, DbTxn *txn, gint64 mailbox, guint32 uid, const ViewEntry **ret, GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &PAGE_WITH_UID, error, "ii", mailbox << 32, mailbox << 32 | uid);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;

        places->mailbox = 0;
        *ret = NULL;
        if (step != DB_ROW)
                return step == DB_ROW_END;
        gint64 key = db_int(row, 0);
        if (!page_get(db_bytes(row, 1), (guint32) (key & G_MAXUINT32), places->entries, &places->n))
                return page_damaged(key, error);
        places->first = (guint32) (key & G_MAXUINT32);
        places->mailbox = mailbox;
        *ret = places_find(places, mailbox, uid);
        return TRUE;
}

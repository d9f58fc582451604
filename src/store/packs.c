/* packs.c -- reading packs, and where the entries of an older view are now.
 *
 * A part never changes, but for one that is damaged (healing.c), and the id of a pack is never used again, so what was
 * read stays true. A message that is asked for alone (FETCH ENVELOPE, BODY[], RETR) costs the unpacking of 128, and
 * clients come back to what they have just seen: the parts that were read last are kept, for all who ask.
 */
#include "store/internal.h"

#define PARTS_OCTETS_MAX ((gsize) 16 << 20)
#define PART_KEPT_MAX (PARTS_OCTETS_MAX / 16) /* a larger one would push out too many others */

DB_SQL(PART_GET, "SELECT data FROM pack_part WHERE key = ?");
DB_SQL(PACK_THERE, "SELECT id FROM pack WHERE id = ?");
DB_SQL(PAGE_WITH_UID, "SELECT key, data FROM page WHERE key >= ? AND key <= ? ORDER BY key DESC LIMIT 1");

/* Parts that are kept ---------------------------------------------------------------------------------------------- */

typedef struct Kept {
        gint64 key; /* of pack_part */
        PackedPart *part;
        GList link;
} Kept;

struct Parts {
        Mutex lock;         /* a leaf */
        GHashTable *by_key; /* of Kept */
        GQueue recent;      /* the last one used first */
        gsize octets;
};

static void
kept_free(gpointer data)
{
        Kept *kept = data;

        part_unref(kept->part);
        g_free(kept);
}

Parts *
parts_new(void)
{
        Parts *parts = g_new0(Parts, 1);

        mutex_init(&parts->lock, "store.parts");
        parts->by_key = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, kept_free);
        g_queue_init(&parts->recent);
        return parts;
}

void
parts_free(Parts *parts)
{
        if (parts == NULL)
                return;
        g_hash_table_unref(parts->by_key);
        mutex_done(&parts->lock);
        g_free(parts);
}

static gint64
part_key(gint64 pack, PackPart which)
{
        return pack * KEYS_OF_PACK + (gint64) which;
}

PackedPart *
parts_find(Parts *parts, gint64 pack, PackPart which)
{
        const gint64 key = part_key(pack, which);

        MUTEX_SCOPE(&parts->lock);
        Kept *kept = g_hash_table_lookup(parts->by_key, &key);
        if (kept == NULL)
                return NULL;
        g_queue_unlink(&parts->recent, &kept->link);
        g_queue_push_head_link(&parts->recent, &kept->link);
        return part_ref(kept->part);
}

/* Two threads may have read the same. */
void
parts_keep(Parts *parts, gint64 pack, PackPart which, PackedPart *part)
{
        const gint64 key = part_key(pack, which);

        MUTEX_SCOPE(&parts->lock);
        if (part->size > PART_KEPT_MAX || g_hash_table_contains(parts->by_key, &key))
                return;
        Kept *kept = g_new0(Kept, 1);
        *kept = (Kept){.key = key, .part = part_ref(part)};
        kept->link.data = kept;
        g_hash_table_insert(parts->by_key, &kept->key, kept);
        g_queue_push_head_link(&parts->recent, &kept->link);
        parts->octets += part->size;
        while (parts->octets > PARTS_OCTETS_MAX) {
                Kept *last = parts->recent.tail->data;
                parts->octets -= last->part->size;
                g_queue_unlink(&parts->recent, &last->link);
                g_hash_table_remove(parts->by_key, &last->key);
        }
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

gboolean
pack_read(DbTxn *txn, Unpacker *unpacker, gint64 pack, PackPart which, PackedPart **ret, gboolean *ret_damaged,
          GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &PART_GET, error, "i", part_key(pack, which));
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;

        if (step == DB_ROW_FAILED)
                return FALSE;
        *ret = step == DB_ROW ? part_get(unpacker, db_bytes(row, 0)) : NULL;
        *ret_damaged = step == DB_ROW && *ret == NULL;
        return TRUE;
}

gboolean
pack_read_kept(Store *store, DbTxn *txn, Unpacker **unpacker, gint64 pack, PackPart which, PackedPart **ret,
               gboolean *ret_damaged, GError **error)
{
        *ret_damaged = FALSE;
        *ret = parts_find(store->parts, pack, which);
        if (*ret != NULL)
                return TRUE;
        if (*unpacker == NULL && (*unpacker = unpacker_new()) == NULL)
                return fault(error, FAULT_BUSY, "no memory to unpack with");
        if (!pack_read(txn, *unpacker, pack, which, ret, ret_damaged, error))
                return FALSE;
        if (*ret != NULL)
                parts_keep(store->parts, pack, which, *ret);
        else if (*ret_damaged && which == PACK_COPY)
                return fault(error, FAULT_INTERNAL, "the copies of pack %" G_GINT64_FORMAT " can't be read", pack);
        return TRUE;
}

gboolean
pack_read_copies(Store *store, DbTxn *txn, gint64 pack, PackedPart **ret, GError **error)
{
        g_autoptr(Unpacker) unpacker = NULL;
        gboolean is_damaged;

        return pack_read_kept(store, txn, &unpacker, pack, PACK_COPY, ret, &is_damaged, error);
}

gboolean
pack_is_there(DbTxn *txn, gint64 pack, gboolean *ret, GError **error)
{
        gint64 id;
        DbStep step = db_get_int(txn, &PACK_THERE, &id, error, "i", pack);

        *ret = step == DB_ROW;
        return step != DB_ROW_FAILED;
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
        if (!page_get(db_bytes(row, 1), (guint32) (key & G_MAXUINT32), places->entries, PAGE_ENTRIES, &places->n))
                return page_damaged(key, error);
        places->first = (guint32) (key & G_MAXUINT32);
        places->mailbox = mailbox;
        *ret = places_find(places, mailbox, uid);
        return TRUE;
}

/* store.c -- delivery into a mailbox, removal of an account, and looking. */
#include "store/internal.h"
#include "store/tree.h"

#include <stdlib.h>

#define REMOVE_SLICE 1000

Store *
store_new(Db *db, Blob *blob, Directory *directory)
{
        Store *store = g_new0(Store, 1);

        store->db = db;
        store->blob = blob;
        store->directory = directory;
        store->numbers = numbers_new();
        mutex_init(&store->lock, "store.maildrops");
        store->open_drops = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        return store;
}

void
store_free(Store *store)
{
        if (store == NULL)
                return;
        numbers_free(store->numbers);
        g_hash_table_unref(store->open_drops);
        mutex_done(&store->lock);
        g_free(store);
}

/* Delivery --------------------------------------------------------------------------------------------------------- */

DB_SQL(ENTRY_ADD, "INSERT INTO entry (mailbox, uid, body, size, received, saved, flags, modseq, message, prefix, cuts)"
                  " VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)");
DB_SQL(MAILBOX_ID, "SELECT id FROM mailbox WHERE account = ? AND name = ?");

static const char *
mailbox_canonical(const char *name)
{
        return g_ascii_strcasecmp(name, "INBOX") == 0 ? "INBOX" : name;
}

/* Is there room for one more copy? */
static StoreAnswer
check_quota(Store *store, DbTxn *txn, const StoreDelivery *delivery, guint64 size, GError **error)
{
        if (delivery->quota_octets == 0 && delivery->quota_messages == 0)
                return STORE_DONE;
        const Usage *used = usage_of(store, txn, delivery->account, error);
        if (used == NULL)
                return STORE_FAILED;
        if (delivery->quota_messages != 0 && used->messages >= delivery->quota_messages)
                return STORE_OVER_QUOTA;
        if (delivery->quota_octets != 0 &&
            (used->octets >= delivery->quota_octets || size > delivery->quota_octets - used->octets))
                return STORE_OVER_QUOTA;
        return STORE_DONE;
}

/* Nothing in memory changes before the row is there: a caller may go on in the transaction after a failure. */
StoreAnswer
store_deliver(Store *store, DbTxn *txn, const StoreDelivery *delivery, gint64 *ret_uid, GError **error)
{
        const Copy *copy = delivery->copy;
        guint64 size = copy_size(copy);
        guint8 cuts[COPY_CUTS_STORED_MAX];
        Slot *slot = NULL;

        StoreAnswer answer = check_quota(store, txn, delivery, size, error);
        if (answer == STORE_DONE)
                answer =
                        slot_by_name(store, txn, delivery->account, mailbox_canonical(delivery->mailbox), &slot, error);
        if (answer != STORE_DONE)
                return answer;
        if (slot->uid_next > UID_MAX) {
                (void) fault(error, FAULT_FULL, "mailbox %" G_GINT64_FORMAT " has used up its UIDs", slot->id);
                return STORE_FAILED;
        }
        Span stored = span_make(cuts, copy_put_cuts(copy->cuts, copy->n_cuts, cuts));
        if (!db_run(txn, &ENTRY_ADD, error, "iiiiiiiibb", slot->id, (gint64) slot->uid_next, copy->body, (gint64) size,
                    (gint64) delivery->received, (gint64) delivery->received, (gint64) slot->modseq + 1,
                    (gint64) delivery->message, copy->prefix, stored))
                return STORE_FAILED;
        if (ret_uid != NULL)
                *ret_uid = (gint64) slot->uid_next;
        slot->uid_next++;
        slot->modseq++;
        slot->n_tail++;
        usage_add(store, txn, slot->account, 1, (gint64) size);
        return STORE_DONE;
}

StoreAnswer
store_has_mailbox(Store *store, DbTxn *txn, gint64 account, const char *name, GError **error)
{
        gint64 id;

        name = mailbox_canonical(name);
        if (strcmp(name, "INBOX") == 0)
                return STORE_DONE;
        switch (db_get_int(txn, &MAILBOX_ID, &id, error, "is", account, name)) {
        case DB_ROW:
                return STORE_DONE;
        case DB_ROW_END:
                return STORE_NO_MAILBOX;
        case DB_ROW_FAILED:
        default:
                return STORE_FAILED;
        }
}

gboolean
store_usage(Store *store, gint64 account, guint64 *ret_messages, guint64 *ret_octets, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);

        return txn != NULL && usage_read(txn, account, ret_messages, ret_octets, error);
}

/* Removal ---------------------------------------------------------------------------------------------------------- */

DB_SQL(ENTRIES_DROP,
       "DELETE FROM entry WHERE mailbox = ? AND uid IN (SELECT uid FROM entry WHERE mailbox = ? ORDER BY uid LIMIT ?)"
       " RETURNING body, size");
DB_SQL(MAILBOX_OF_ACCOUNT, "SELECT id FROM mailbox WHERE account = ? ORDER BY id LIMIT 1");

void
released_add(Released *released, gint64 body, gint64 size)
{
        if (released->n == released->room) {
                released->room = MAX(64, released->room * 2);
                released->bodies = g_renew(gint64, released->bodies, released->room);
        }
        released->bodies[released->n++] = body;
        released->octets += (guint64) size;
}

static int
compare_bodies(const void *a, const void *b)
{
        gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

        return (x > y) - (x < y);
}

gboolean
released_unref(Released *released, DbTxn *txn, GError **error)
{
        if (released->n > 1)
                qsort(released->bodies, released->n, sizeof(gint64), compare_bodies);
        for (gsize i = 0, next; i < released->n; i = next) {
                for (next = i + 1; next < released->n && released->bodies[next] == released->bodies[i];)
                        next++;
                if (!blob_unref(txn, released->bodies[i], (gint64) (next - i), error))
                        return FALSE;
        }
        return TRUE;
}

void
released_done(Released *released)
{
        g_free(released->bodies);
}

/* At most `max` entries of one mailbox, and the mailbox itself once it is empty. */
static gboolean
remove_from_mailbox(Store *store, DbTxn *txn, gint64 account, gint64 mailbox, gsize max, gsize *ret_removed,
                    GError **error)
{
        g_auto(Released) released = {0};
        DbStep step;

        {
                g_autoptr(DbRows) rows = db_query(txn, &ENTRIES_DROP, error, "iii", mailbox, mailbox, (gint64) max);
                if (rows == NULL)
                        return FALSE;
                while ((step = db_rows_next(rows, error)) == DB_ROW)
                        released_add(&released, db_int(rows, 0), db_int(rows, 1));
                if (step == DB_ROW_FAILED)
                        return FALSE;
        }
        *ret_removed = released.n;
        if (!released_unref(&released, txn, error))
                return FALSE;
        usage_add(store, txn, account, -(gint64) released.n, -(gint64) released.octets);
        numbers_forget_mailbox(store, mailbox);
        return released.n == max || mailbox_drop(txn, mailbox, error);
}

gboolean
store_remove_account(Store *store, DbTxn *txn, gint64 account, gboolean *ret_more, GError **error)
{
        gsize left = REMOVE_SLICE, removed;
        gint64 mailbox;

        while (left > 0) {
                switch (db_get_int(txn, &MAILBOX_OF_ACCOUNT, &mailbox, error, "i", account)) {
                case DB_ROW:
                        break;
                case DB_ROW_END:
                        *ret_more = FALSE;
                        return tree_forget_account(txn, account, error);
                case DB_ROW_FAILED:
                default:
                        return FALSE;
                }
                if (!remove_from_mailbox(store, txn, account, mailbox, left, &removed, error))
                        return FALSE;
                left -= MIN(left, MAX(removed, 1)); /* an empty mailbox is a row too */
        }
        *ret_more = TRUE;
        return TRUE;
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

DB_SQL(ROWS_OF_ACCOUNT,
       "SELECT m.name, e.uid, e.message, e.size, e.received FROM mailbox m JOIN entry e ON e.mailbox = m.id"
       " WHERE m.account = ? AND m.deleted_at IS NULL AND (m.name > ? OR (m.name = ? AND e.uid > ?)) ORDER BY m.name, "
       "e.uid LIMIT ?");

gboolean
store_rows(Store *store, Arena *arena, gint64 account, const char *after_mailbox, gint64 after_uid, gsize max,
           const StoreRow **ret, gsize *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        StoreRow *row = arena_new_array(arena, StoreRow, max);
        gsize n = 0;
        DbStep step;

        if (txn == NULL)
                return FALSE;
        if (row == NULL)
                return fault(error, FAULT_BUSY, "no memory for %zu rows of an account", max);
        if (after_mailbox == NULL)
                after_mailbox = "";
        g_autoptr(DbRows) rows = db_query(txn, &ROWS_OF_ACCOUNT, error, "issii", account, after_mailbox, after_mailbox,
                                          after_uid, (gint64) max);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < max) {
                row[n++] = (StoreRow){
                        .account = account,
                        .mailbox = arena_strndup(arena, db_bytes(rows, 0)),
                        .uid = db_int(rows, 1),
                        .message = (Id) db_int(rows, 2),
                        .size = (guint64) db_int(rows, 3),
                        .received = db_int(rows, 4),
                };
                if (row[n - 1].mailbox == NULL)
                        return fault(error, FAULT_BUSY, "no memory for %zu rows of an account", max);
        }
        if (step == DB_ROW_FAILED)
                return FALSE;
        *ret = row;
        *ret_n = n;
        return TRUE;
}

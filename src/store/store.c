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
        mutex_init(&store->lock, "store.maildrops");
        store->open_drops = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        return store;
}

void
store_free(Store *store)
{
        if (store == NULL)
                return;
        g_hash_table_unref(store->open_drops);
        mutex_done(&store->lock);
        g_free(store);
}

/* Delivery --------------------------------------------------------------------------------------------------------- */

/* Two short statements: the rows of RETURNING go through a temporary table, which costs three times as much as asking
 * for them. */
DB_SQL(MAILBOX_GROW, "UPDATE mailbox SET uid_next = uid_next + 1, modseq = modseq + 1, messages = messages + 1,"
                     " octets = octets + ? WHERE account = ? AND name = ?");
DB_SQL(MAILBOX_SLOT, "SELECT id, uid_next - 1, modseq FROM mailbox WHERE account = ? AND name = ?");
DB_SQL(ENTRY_ADD, "INSERT INTO entry (mailbox, uid, body, size, received, flags, modseq, message, prefix, cuts)"
                  " VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)");
DB_SQL(ACCOUNT_USAGE, "SELECT coalesce(sum(messages), 0), coalesce(sum(octets), 0) FROM mailbox"
                      " WHERE account = ? AND deleted_at IS NULL");
DB_SQL(MAILBOX_ID, "SELECT id FROM mailbox WHERE account = ? AND name = ?");

static const char *
mailbox_canonical(const char *name)
{
        return g_ascii_strcasecmp(name, "INBOX") == 0 ? "INBOX" : name;
}

static gboolean
account_usage(DbTxn *txn, gint64 account, guint64 *ret_messages, guint64 *ret_octets, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ACCOUNT_USAGE, error, "i", account);

        if (rows == NULL || db_rows_next(rows, error) != DB_ROW)
                return FALSE;
        *ret_messages = (guint64) db_int(rows, 0);
        *ret_octets = (guint64) db_int(rows, 1);
        return TRUE;
}

/* Is there room for one more copy? */
static StoreAnswer
check_quota(DbTxn *txn, const StoreDelivery *delivery, guint64 size, GError **error)
{
        guint64 messages, octets;

        if (delivery->quota_octets == 0 && delivery->quota_messages == 0)
                return STORE_DONE;
        if (!account_usage(txn, delivery->account, &messages, &octets, error))
                return STORE_FAILED;
        if (delivery->quota_messages != 0 && messages >= delivery->quota_messages)
                return STORE_OVER_QUOTA;
        if (delivery->quota_octets != 0 && (octets >= delivery->quota_octets || size > delivery->quota_octets - octets))
                return STORE_OVER_QUOTA;
        return STORE_DONE;
}

typedef struct Slot { /* where a new entry goes */
        gint64 mailbox, uid, modseq;
} Slot;

static StoreAnswer
take_slot(DbTxn *txn, const StoreDelivery *delivery, const char *name, guint64 size, Slot *ret, GError **error)
{
        if (!db_run(txn, &MAILBOX_GROW, error, "iis", (gint64) size, delivery->account, name))
                return STORE_FAILED;
        if (db_changes(txn) == 0)
                return STORE_NO_MAILBOX;
        g_autoptr(DbRows) rows = db_query(txn, &MAILBOX_SLOT, error, "is", delivery->account, name);
        if (rows == NULL || db_rows_next(rows, error) != DB_ROW)
                return STORE_FAILED;
        *ret = (Slot){db_int(rows, 0), db_int(rows, 1), db_int(rows, 2)};
        return STORE_DONE;
}

StoreAnswer
store_deliver(Store *store, DbTxn *txn, const StoreDelivery *delivery, gint64 *ret_uid, GError **error)
{
        const Copy *copy = delivery->copy;
        const char *name = mailbox_canonical(delivery->mailbox);
        guint64 size = copy_size(copy);
        guint8 cuts[COPY_CUTS_STORED_MAX];
        Slot slot;

        StoreAnswer answer = check_quota(txn, delivery, size, error);
        if (answer != STORE_DONE)
                return answer;
        answer = take_slot(txn, delivery, name, size, &slot, error);
        if (answer == STORE_NO_MAILBOX && strcmp(name, "INBOX") == 0) {
                gint64 id;

                if (!mailbox_insert(txn, delivery->account, "INBOX", 0, &id, error))
                        return STORE_FAILED;
                tree_changed(store, txn, delivery->account);
                answer = take_slot(txn, delivery, name, size, &slot, error);
        }
        if (answer != STORE_DONE)
                return answer;

        Span stored = span_make(cuts, copy_put_cuts(copy->cuts, copy->n_cuts, cuts));
        if (!db_run(txn, &ENTRY_ADD, error, "iiiiiiibb", slot.mailbox, slot.uid, copy->body, (gint64) size,
                    (gint64) delivery->received, slot.modseq, (gint64) delivery->message, copy->prefix, stored))
                return STORE_FAILED;
        if (ret_uid != NULL)
                *ret_uid = slot.uid;
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

        return txn != NULL && account_usage(txn, account, ret_messages, ret_octets, error);
}

/* Removal ---------------------------------------------------------------------------------------------------------- */

DB_SQL(MAILBOX_SHRINK,
       "UPDATE mailbox SET messages = messages - ?, octets = octets - ?, modseq = modseq + 1 WHERE id = ?");
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

gboolean
mailbox_shrink(DbTxn *txn, gint64 mailbox, const Released *released, GError **error)
{
        return db_run(txn, &MAILBOX_SHRINK, error, "iii", (gint64) released->n, (gint64) released->octets, mailbox);
}

/* At most `max` entries of one mailbox, and the mailbox itself once it is empty. */
static gboolean
remove_from_mailbox(DbTxn *txn, gint64 mailbox, gsize max, gsize *ret_removed, GError **error)
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
        return released.n < max ? mailbox_drop(txn, mailbox, error) : mailbox_shrink(txn, mailbox, &released, error);
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
                if (!remove_from_mailbox(txn, mailbox, left, &removed, error))
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

/* mailbox_rows.c -- rows of mailboxes: made and dropped.
 *
 * 1. An id and a UIDVALIDITY are given once: mailbox_last holds the last ones and is raised in the transaction that
 *    uses them. UIDVALIDITY is the time in seconds where that is higher, so it also rises over a restored backup.
 * 2. A deleted mailbox is called "\001" and its id until it is dropped; no name with a control can be typed.
 */
#include "store/internal.h"
#include "store/tree.h"

#include <stdio.h>

DB_SQL(LAST_RAISE, "UPDATE mailbox_last SET id = id + 1,"
                   " uid_validity = CASE WHEN uid_validity < ? THEN ? ELSE uid_validity + 1 END WHERE one = 1");
DB_SQL(LAST_GET, "SELECT id, uid_validity FROM mailbox_last WHERE one = 1");
DB_SQL(MAILBOX_INSERT, "INSERT INTO mailbox (id, account, name, uid_validity, special_use, created)"
                       " VALUES (?, ?, ?, ?, ?, ?)");

static gboolean
take_numbers(DbTxn *txn, Usec now, gint64 *ret_id, gint64 *ret_uid_validity, GError **error)
{
        gint64 seconds = now / USEC_PER_SEC;

        if (!db_run(txn, &LAST_RAISE, error, "ii", seconds, seconds))
                return FALSE;
        g_autoptr(DbRows) rows = db_query(txn, &LAST_GET, error, "");
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        if (step == DB_ROW_END)
                return fault(error, FAULT_INTERNAL, "the table mailbox_last is empty");
        if (step == DB_ROW_FAILED)
                return FALSE;
        *ret_id = db_int(rows, 0);
        *ret_uid_validity = db_int(rows, 1);
        return TRUE;
}

gboolean
mailbox_take_validity(DbTxn *txn, gint64 *ret, GError **error)
{
        gint64 id;

        return take_numbers(txn, clock_real(), &id, ret, error);
}

DB_SQL(LAST_RESERVE, "UPDATE mailbox_last SET uid_validity = ? WHERE one = 1 AND uid_validity < ?");

gboolean
mailbox_reserve_validity(DbTxn *txn, gint64 validity, GError **error)
{
        return db_run(txn, &LAST_RESERVE, error, "ii", validity, validity);
}

gboolean
mailbox_insert(DbTxn *txn, gint64 account, const char *name, guint special_use, gint64 *ret_id, GError **error)
{
        Usec now = clock_real();
        gint64 id, uid_validity;

        if (!take_numbers(txn, now, &id, &uid_validity, error) ||
            !db_run(txn, &MAILBOX_INSERT, error, "iisiii", id, account, name, uid_validity, (gint64) special_use,
                    (gint64) now))
                return FALSE;
        *ret_id = id;
        return TRUE;
}

DB_SQL(DROP_ACL, "DELETE FROM acl WHERE mailbox = ?");
DB_SQL(DROP_METADATA, "DELETE FROM metadata WHERE mailbox = ?");
DB_SQL(DROP_ALIASES, "DELETE FROM mailbox_alias WHERE target = ?");
DB_SQL(DROP_MAILBOX, "DELETE FROM mailbox WHERE id = ?");

gboolean
mailbox_drop(DbTxn *txn, gint64 mailbox, GError **error)
{
        return db_run(txn, &DROP_ACL, error, "i", mailbox) && db_run(txn, &DROP_METADATA, error, "i", mailbox) &&
               db_run(txn, &DROP_ALIASES, error, "i", mailbox) && db_run(txn, &DROP_MAILBOX, error, "i", mailbox);
}

DB_SQL(FORGET_SUBSCRIPTIONS, "DELETE FROM subscription WHERE account = ?");
DB_SQL(FORGET_ALIASES, "DELETE FROM mailbox_alias WHERE account = ?");
DB_SQL(FORGET_METADATA, "DELETE FROM metadata WHERE account = ?");

gboolean
tree_forget_account(DbTxn *txn, gint64 account, gboolean *ret_more, GError **error)
{
        return db_run(txn, &FORGET_SUBSCRIPTIONS, error, "i", account) &&
               db_run(txn, &FORGET_ALIASES, error, "i", account) &&
               db_run(txn, &FORGET_METADATA, error, "i", account) && reader_seen_forget(txn, account, ret_more, error);
}

void
tree_changed(Store *store, DbTxn *txn, gint64 account)
{
        numbers_forget_account(store, account);
        touch(store, txn, account, MARK_TREE, 0);
}

void
mailbox_id_text(gint64 id, gint64 uid_validity, char ret[32])
{
        snprintf(ret, 32, "m%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x", id, uid_validity & G_MAXUINT32);
}

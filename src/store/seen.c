/* seen.c -- \Seen of somebody else's mailbox: ranges of UIDs, one row a reader. UIDs that have gone may stay in them.
 */
#include "store/internal.h"

#define FORGET_ROWS 500

DB_SQL(SEEN_BY_READER, "SELECT data FROM reader_seen WHERE mailbox = ? AND account = ?");
DB_SQL(SEEN_PUT, "INSERT INTO reader_seen (mailbox, account, data) VALUES (?, ?, ?)"
                 " ON CONFLICT (mailbox, account) DO UPDATE SET data = excluded.data");

gboolean
reader_seen_get(DbTxn *txn, gint64 mailbox, gint64 reader, GArray *ret_ranges, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &SEEN_BY_READER, error, "ii", mailbox, reader);

        switch (rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED) {
        case DB_ROW:
                return ranges_get(db_bytes(rows, 0), ret_ranges) ||
                       fault(error, FAULT_INTERNAL,
                             "what account %" G_GINT64_FORMAT " has seen in mailbox %" G_GINT64_FORMAT " is damaged",
                             reader, mailbox);
        case DB_ROW_END:
                return TRUE;
        case DB_ROW_FAILED:
        default:
                return FALSE;
        }
}

gboolean
reader_seen_put(Store *store, DbTxn *txn, gint64 mailbox, gint64 reader, const GArray *ranges, GError **error)
{
        g_autoptr(GByteArray) data = g_byte_array_new();

        ranges_put(data, (const UidRange *) (gconstpointer) ranges->data, ranges->len);
        touch(store, txn, mailbox, MARK_SEEN, reader);
        return db_run(txn, &SEEN_PUT, error, "iib", mailbox, reader, span_make(data->data, data->len));
}

DB_SQL(SEEN_FORGET, "DELETE FROM reader_seen WHERE account = ? AND mailbox IN"
                    " (SELECT mailbox FROM reader_seen WHERE account = ? ORDER BY mailbox LIMIT ?)");

gboolean
reader_seen_forget(DbTxn *txn, gint64 reader, gboolean *ret_more, GError **error)
{
        if (!db_run(txn, &SEEN_FORGET, error, "iii", reader, reader, (gint64) FORGET_ROWS))
                return FALSE;
        *ret_more = db_changes(txn) == FORGET_ROWS;
        return TRUE;
}

gboolean
reader_seen_add(Store *store, DbTxn *txn, gint64 mailbox, gint64 reader, const GArray *more, GError **error)
{
        g_autoptr(GArray) before = g_array_new(FALSE, FALSE, sizeof(UidRange));

        if (more->len == 0)
                return TRUE;
        if (!reader_seen_get(txn, mailbox, reader, before, error))
                return FALSE;
        g_autoptr(GArray) after = ranges_union(before, more);
        return reader_seen_put(store, txn, mailbox, reader, after, error);
}

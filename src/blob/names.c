/* names.c -- the rows of table `body`: which record a body id means, and how many use it. */
#include "blob/internal.h"

DB_SQL(PUT_BODY, "INSERT INTO body (id, segment, offset, stored, size, refs, summary) VALUES (?, ?, ?, ?, ?, ?, ?)");
DB_SQL(ADD_REFS, "UPDATE body SET refs = refs + ? WHERE id = ?");
DB_SQL(DROP_LAST, "DELETE FROM body WHERE id = ? AND refs <= ?");
DB_SQL(TAKE_REFS, "UPDATE body SET refs = refs - ?,"
                  " summary = CASE WHEN packed >= refs - ? THEN NULL ELSE summary END WHERE id = ?");
DB_SQL(TAKE_PACKED, "UPDATE body SET refs = refs - ?, packed = packed - ? WHERE id = ?");
DB_SQL(PACK_LAST, "DELETE FROM body WHERE id = ? AND packed + 1 >= refs RETURNING segment, offset, stored, size, refs");
DB_SQL(PUT_PACKED, "INSERT INTO body (id, segment, offset, stored, size, refs, packed) VALUES (?, ?, ?, ?, ?, ?, ?)");
DB_SQL(PACK_ONE, "UPDATE body SET packed = packed + 1 WHERE id = ?");

gboolean
blob_name(DbTxn *txn, const BlobPlace *place, gint64 refs, Span summary, gint64 *ret_body, GError **error)
{
        gint64 id = (gint64) (place->id != 0 ? place->id : id_new());

        g_assert(refs > 0);
        if (place->appended_at != 0 && clock_monotonic() - place->appended_at > NAME_AGE_MAX)
                return fault(error, FAULT_TIMEOUT, "a body was appended too long ago to be used now");
        if (!db_run(txn, &PUT_BODY, error, "iiiiiib", id, (gint64) place->segment, (gint64) place->offset,
                    (gint64) place->stored, (gint64) place->size, refs, summary))
                return FALSE;
        *ret_body = id;
        return redo_secure(txn, place, error);
}

static gboolean
found(DbTxn *txn, gint64 body, GError **error)
{
        return db_changes(txn) == 1 || fault(error, FAULT_INTERNAL, "there is no body %" G_GINT64_FORMAT, body);
}

gboolean
blob_ref(DbTxn *txn, gint64 body, gint64 more, GError **error)
{
        return db_run(txn, &ADD_REFS, error, "ii", more, body) && found(txn, body, error);
}

/* Most bodies have one reference, or lose all at once. */
static gboolean
drop_last(DbTxn *txn, gint64 body, gint64 fewer, gboolean *ret_dropped, GError **error)
{
        if (!db_run(txn, &DROP_LAST, error, "ii", body, fewer))
                return FALSE;
        *ret_dropped = db_changes(txn) == 1;
        return TRUE;
}

gboolean
blob_unref(DbTxn *txn, gint64 body, gint64 fewer, GError **error)
{
        gboolean is_dropped;

        if (!drop_last(txn, body, fewer, &is_dropped, error))
                return FALSE;
        return is_dropped || (db_run(txn, &TAKE_REFS, error, "iii", fewer, fewer, body) && found(txn, body, error));
}

/* The row without its summary is put anew: one that only shrinks leaves its page as empty as it is, for good. */
static DbStep
pack_last(DbTxn *txn, gint64 body, gint64 ret_row[5], GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &PACK_LAST, error, "i", body);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;

        for (int i = 0; step == DB_ROW && i < 5; i++)
                ret_row[i] = db_int(row, i);
        return step;
}

gboolean
blob_pack(DbTxn *txn, gint64 body, GError **error)
{
        gint64 row[5];

        switch (pack_last(txn, body, row, error)) {
        case DB_ROW:
                return db_run(txn, &PUT_PACKED, error, "iiiiiii", body, row[0], row[1], row[2], row[3], row[4], row[4]);
        case DB_ROW_END:
                return db_run(txn, &PACK_ONE, error, "i", body) && found(txn, body, error);
        case DB_ROW_FAILED:
        default:
                return FALSE;
        }
}

gboolean
blob_unref_packed(DbTxn *txn, gint64 body, gint64 fewer, GError **error)
{
        gboolean is_dropped;

        if (!drop_last(txn, body, fewer, &is_dropped, error))
                return FALSE;
        return is_dropped || (db_run(txn, &TAKE_PACKED, error, "iii", fewer, fewer, body) && found(txn, body, error));
}

DB_SQL(SUMMARY_SET, "UPDATE body SET summary = ? WHERE id = ? AND length(summary) > 0");

gboolean
blob_set_summary(DbTxn *txn, gint64 body, Span summary, GError **error)
{
        return db_run(txn, &SUMMARY_SET, error, "bi", summary, body);
}

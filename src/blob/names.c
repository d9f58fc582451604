/* names.c -- the rows of table `body`: which record a body id means, and how many use it. */
#include "blob/internal.h"

DB_SQL(PUT_BODY, "INSERT INTO body (id, segment, offset, stored, size, refs, summary) VALUES (?, ?, ?, ?, ?, ?, ?)");
DB_SQL(ADD_REFS, "UPDATE body SET refs = refs + ? WHERE id = ?");
DB_SQL(DROP_LAST, "DELETE FROM body WHERE id = ? AND refs <= ?");
DB_SQL(TAKE_REFS, "UPDATE body SET refs = refs - ? WHERE id = ?");

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
        return TRUE;
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
gboolean
blob_unref(DbTxn *txn, gint64 body, gint64 fewer, GError **error)
{
        if (!db_run(txn, &DROP_LAST, error, "ii", body, fewer))
                return FALSE;
        if (db_changes(txn) == 1)
                return TRUE;
        return db_run(txn, &TAKE_REFS, error, "ii", fewer, body) && found(txn, body, error);
}

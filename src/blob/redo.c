/* redo.c -- how a body comes to be on disk with the COMMIT of the row that names it.
 *
 * In company: by one sync of the segment for the whole batch, before its COMMIT. Who comes alone would wait for two
 * syncs, one after the other, to write a few octets. Its record goes into the transaction as well, so that the one sync
 * of the COMMIT brings both to disk: table `body_redo` is to the segments what the WAL is to the database.
 *
 *  1. The rows of `body_redo` are slots. A body that was named with this table's help has its whole record there, head
 *     and padding included, in pieces of PIECE_OCTETS (the last one filled with zeros), written in the transaction that
 *     names it.
 *  2. Readers read the segment: the kernel has the record there, whatever the disk has.
 *  3. A slot is used again only after a sync of everything that had been appended when it was written. So a record that
 *     is not on disk in its segment is in its slots.
 *  4. At start, before anything is read or appended, each record that slots have whole is written to its segment from
 *     there; then the segment is synced, and only then the slots are free. A crash in between begins anew. Slots may
 *     also hold what is left of older bodies, whose records are whole by 3; and bodies that have no row any more need
 *     nothing.
 *
 * When all slots are used, a body waits for the sync, and with it they are free. What was deleted does not stay in
 * slots: housekeeping empties them (blob_settle()).
 */
#include "blob/internal.h"

#include <errno.h>
#include <unistd.h>

#define REDO_COMPANY_MAX 1 /* callers in a batch                                         */
#define REDO_BODIES_MAX 2  /* of one batch: a message, and what is generated about it    */
#define SLOTS ((guint) 96) /* rows of the table, made with the schema                    */
#define PIECE_OCTETS ((gsize) 4032)
#define REDO_OCTETS_MAX (8 * PIECE_OCTETS)

DB_SQL(PUT_PIECE, "UPDATE body_redo SET body = ?, piece = ?, octets = ? WHERE slot = ?");
DB_SQL(FREE_SLOTS, "UPDATE body_redo SET body = 0, piece = 0, octets = ? WHERE body <> 0");
DB_SQL(ALL_PIECES,
       "SELECT r.body, r.octets, b.segment, b.offset, b.stored FROM body_redo r JOIN body b ON b.id = r.body"
       " ORDER BY r.body, r.piece");

/* On disk in its segment ------------------------------------------------------------------------------------------- */

/* Before a COMMIT, with the turn: everything appended so far, and with it what is in slots. */
static void
sync_all(gpointer data)
{
        Blob *blob = data;
        BlobPlace last = {.sequence = __atomic_load_n(&blob->appended, __ATOMIC_ACQUIRE)};

        blob_sync(blob, &last);
        blob->redo_used = 0;
}

static gboolean
is_synced(const BlobPlace *place)
{
        MUTEX_SCOPE(&place->blob->sync);
        return place->blob->synced >= place->sequence;
}

/* In the transaction ----------------------------------------------------------------------------------------------- */

static guint
pieces_of(guint64 octets)
{
        return (guint) ((octets + PIECE_OCTETS - 1) / PIECE_OCTETS);
}

static gboolean
is_alone(const DbTxn *txn, Blob *blob)
{
        guint64 batch;
        guint company = db_company(txn, &batch);

        if (blob->redo_batch != batch) {
                blob->redo_batch = batch;
                blob->redo_bodies = 0;
        }
        return company <= REDO_COMPANY_MAX && ++blob->redo_bodies <= REDO_BODIES_MAX;
}

static gboolean
put_pieces(DbTxn *txn, const BlobPlace *place, const guint8 *record, GError **error)
{
        Blob *blob = place->blob;
        guint n = pieces_of(place->stored);

        for (guint i = 0; i < n; i++)
                if (!db_run(txn, &PUT_PIECE, error, "iibi", (gint64) place->id, (gint64) i,
                            span_make(record + i * PIECE_OCTETS, PIECE_OCTETS), (gint64) blob->redo_used++) ||
                    (db_changes(txn) != 1 && !fault(error, FAULT_INTERNAL, "slots are missing in body_redo")))
                        return FALSE;
        __atomic_store_n(&blob->redo_is_used, TRUE, __ATOMIC_RELAXED);
        return TRUE;
}

static gboolean
secure_by_slots(DbTxn *txn, const BlobPlace *place, GError **error)
{
        g_autofree guint8 *record = g_malloc0(pieces_of(place->stored) * PIECE_OCTETS);
        Segment *segment = segment_pin(place->blob, place->segment, error);

        if (segment == NULL)
                return FALSE;
        errno = 0;
        gboolean is_read = blob_file_read(segment->fd, place->offset, record, (gsize) place->stored);
        segment_unpin(place->blob, segment);
        return is_read ? put_pieces(txn, place, record, error) : fault_errno(error, "segment %u", place->segment);
}

gboolean
redo_secure(DbTxn *txn, const BlobPlace *place, GError **error)
{
        Blob *blob = place->blob;

        if (blob == NULL || is_synced(place))
                return TRUE;
        if (place->stored <= REDO_OCTETS_MAX && blob->redo_used + pieces_of(place->stored) <= SLOTS &&
            is_alone(txn, blob))
                return secure_by_slots(txn, place, error);
        db_before_commit(txn, sync_all, blob);
        return TRUE;
}

/* Slots that are not needed any more ------------------------------------------------------------------------------- */

gboolean
blob_settle(Blob *blob, GError **error)
{
        static const guint8 NOTHING[PIECE_OCTETS];
        DbCommit answer = DB_FAILED;

        if (!__atomic_load_n(&blob->redo_is_used, __ATOMIC_RELAXED))
                return TRUE;
        g_autoptr(DbTxn) txn = db_begin_freeing(blob->db, error);
        if (txn == NULL)
                return FALSE;
        db_before_commit(txn, sync_all, blob);
        __atomic_store_n(&blob->redo_is_used, FALSE, __ATOMIC_RELAXED);
        if (db_run(txn, &FREE_SLOTS, error, "b", span_make(NOTHING, sizeof NOTHING)))
                answer = db_take_commit(g_steal_pointer(&txn), error);
        if (answer != DB_COMMITTED)
                __atomic_store_n(&blob->redo_is_used, TRUE, __ATOMIC_RELAXED);
        return answer != DB_FAILED; /* again: next time */
}

/* Start ------------------------------------------------------------------------------------------------------------ */

/* A body of an earlier process: what of its record is in slots, and the place that it has now. */
typedef struct Redo {
        BlobPlace place;
        GByteArray *record;
} Redo;

static gboolean
is_whole(const Segment *segment, const BlobPlace *place)
{
        RecordHead head;

        return record_check(segment->fd, place->offset, place->offset + place->stored, &head) && head.id == place->id &&
               record_stored(head.length) == place->stored;
}

/* The record, when all of it is there. */
static gboolean
redo_record(const Redo *redo, Span *ret)
{
        RecordHead head;

        if (redo->place.stored < RECORD_HEAD_OCTETS || redo->record->len < redo->place.stored)
                return FALSE;
        *ret = span_make(redo->record->data, (gsize) redo->place.stored);
        if (!record_head_read(span_slice(*ret, 0, RECORD_HEAD_OCTETS), &head) || head.id != redo->place.id ||
            head.length > ret->len - RECORD_HEAD_OCTETS || record_stored(head.length) != ret->len)
                return FALSE;
        Span octets = span_slice(*ret, RECORD_HEAD_OCTETS, RECORD_HEAD_OCTETS + (gsize) head.length);
        return head.checksum == record_checksum(&head, &octets, 1);
}

/* FALSE: the disk does not take it. One that can't be put back is damaged like any other, and the site goes on. */
static gboolean
redo_one(Blob *blob, const Redo *redo, GError **error)
{
        const BlobPlace *place = &redo->place;
        Segment *segment = segment_pin(blob, place->segment, NULL);
        gboolean is_done = TRUE;
        Span record;

        /* Also where it is whole: that may be the kernel's cache, after a sync that failed and ended the process
         * before. */
        if (segment != NULL && redo_record(redo, &record)) {
                struct iovec part = {(void *) record.data, record.len};
                if (!blob_file_write(segment->fd, place->offset, &part, 1))
                        is_done = fault_errno(error, "segment %u", place->segment);
        }
        if (is_done && (segment == NULL || !is_whole(segment, place)))
                blob_log_damaged((gint64) place->id, place->segment);
        if (is_done && segment != NULL && fdatasync(segment->fd) < 0)
                blob_fatal("bodies put back");
        segment_unpin(blob, segment);
        return is_done;
}

/* The pieces of one body follow each other. */
static gboolean
redo_rows(Blob *blob, DbRows *rows, guint *ret_bodies, GError **error)
{
        g_autoptr(GByteArray) record = g_byte_array_new();
        Redo redo = {.record = record};
        DbStep step;

        *ret_bodies = 0;
        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                guint64 id = (guint64) db_int(rows, 0);
                Span octets = db_bytes(rows, 1);
                if (id != redo.place.id) {
                        if (*ret_bodies > 0 && !redo_one(blob, &redo, error))
                                return FALSE;
                        g_byte_array_set_size(record, 0);
                        ++*ret_bodies;
                }
                redo.place = (BlobPlace){.id = id,
                                         .segment = (guint32) db_int(rows, 2),
                                         .offset = (guint64) db_int(rows, 3),
                                         .stored = (guint64) db_int(rows, 4)};
                if (octets.len == PIECE_OCTETS && record->len < REDO_OCTETS_MAX)
                        g_byte_array_append(record, octets.data, (guint) octets.len);
        }
        return step == DB_ROW_END && (*ret_bodies == 0 || redo_one(blob, &redo, error));
}

gboolean
redo_open(Blob *blob, GError **error)
{
        g_autoptr(GError) later = NULL;
        guint n_bodies = 0;

        if (blob->db == NULL)
                return TRUE;
        {
                g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);
                g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &ALL_PIECES, error, "") : NULL;
                if (rows == NULL || !redo_rows(blob, rows, &n_bodies, error))
                        return FALSE;
        }
        blob->redo_is_used = n_bodies > 0;
        if (!blob_settle(blob, &later)) /* the database can't be written now: the slots are right as they are */
                g_debug("slots of bodies stay in use: %s", later->message);
        return TRUE;
}

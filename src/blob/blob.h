/* blob.h -- message bodies, written once, in append-only segment files.
 *
 * The way of a body:
 *      BlobWriter (memory up to 64 KiB, then an unlinked spool file)
 *        -> blob_take_append()    one record {magic, length, checksum, id, body} behind the last one, not yet on disk
 *        -> blob_name(txn)        a row of table `body`, inside the transaction of the entries or queue rows that use it. Before its
 *                                 COMMIT comes one fdatasync for everybody who waits; for who comes alone the COMMIT is enough (redo.c)
 * Deleting: blob_unref(txn) lowers the references; at 0 the row goes; compaction reclaims the octets later.
 * An appended record that is never named is garbage that compaction drops; a crash leaves nothing else.
 *
 * The format and its invariants stand at the head of segment.c.
 *
 * Disk     DIR/segments/NNNNNNNN.seg. New segment: created, zero-filled ahead, file and directory synced before first use. Spool
 *          files have no name (O_TMPFILE in the same directory); one over 1 MiB becomes a segment of its own. A failed sync is never retried: the process exits without answering (status 3).
 * Start    the few records that were on disk with a COMMIT only are put back where they belong; only the tail of the last segment is scanned; a record that is not whole is overwritten.
 * Threads  Blob: any. A BlobWriter, a BlobBody: one thread at a time.
 * Reading  a reader pins its segment from look-up to last octet; unlinking waits for the last pin.
 */
#pragma once

#include "base/error.h"
#include "base/span.h"
#include "db/db.h"

typedef struct Blob Blob;
typedef struct BlobWriter BlobWriter;
typedef struct BlobBody BlobBody;

typedef struct BlobPlace {
        guint32 segment;
        guint64 offset;         /* of the record's head              */
        guint64 stored;         /* octets of the record, head included */
        guint64 size;           /* octets of the body                */
        guint64 sequence;       /* what blob_sync() waits for        */
        Blob *blob;             /* where it was appended; NULL: the place was read from its row, so it is on disk */
        guint64 id;             /* of the body, in the record's head; blob_name() makes it the row's */
        Usec appended_at;       /* monotonic: a place is named soon or not at all */
} BlobPlace;

/* dir: the data directory; `db` is used by compaction only. */
Blob *blob_open(const char *dir, Db *db, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void blob_close(Blob *blob);    /* no writer or body may be open; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Blob, blob_close)

/* Gather a body. max_octets: the size limit of the message. */
BlobWriter *blob_writer_new(Blob *blob, guint64 max_octets) G_GNUC_WARN_UNUSED_RESULT;
void blob_writer_free(BlobWriter *writer);      /* drops the body; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlobWriter, blob_writer_free)

/* FALSE: too long (blob_writer_is_over is TRUE then) or a fault; the writer remembers and every later call says the same. */
gboolean blob_writer_add(BlobWriter *writer, Span octets, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean blob_writer_is_over(const BlobWriter *writer);
guint64 blob_writer_size(const BlobWriter *writer);

/* The octets gathered so far, contiguous, for parsing: memory itself or a private read-only mapping of the spool file. Lives until
 * the next add, append or free. At most `max` octets from the start. */
gboolean blob_writer_view(BlobWriter *writer, guint64 max, Span *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Write head + what the writer gathered as one body; `head` is our Received, which opens the shared body. Takes the writer. Fast:
 * no sync. FAULT_FULL when the disk is. */
gboolean blob_take_append(BlobWriter *writer, Span head, BlobPlace *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns when this place, and whatever was appended before it, is on disk; a failed sync ends the process. For who must know before
 * blob_name() (compaction); all others have nothing to do. */
void blob_sync(Blob *blob, const BlobPlace *place);

/* summary: opaque octets that are kept with the body (store/summaries.c), or empty.
 * A body id for a place, with `refs` references (> 0). When the transaction is on disk, the body is; `place` lives until the transaction has
 * ended. Ids are never used again. FAULT_TIMEOUT when the append is ten minutes old: compaction may have taken its segment for garbage. */
gboolean blob_name(DbTxn *txn, const BlobPlace *place, gint64 refs, Span summary, gint64 *ret_body,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean blob_ref(DbTxn *txn, gint64 body, gint64 more, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean blob_unref(DbTxn *txn, gint64 body, gint64 fewer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Another one in its place, where the body has one. */
gboolean blob_set_summary(DbTxn *txn, gint64 body, Span summary, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One of its references has taken the summary elsewhere (store/packing.c). When all that are left have, it is dropped here. Such a reference is given
 * back by blob_unref_packed(). */
gboolean blob_pack(DbTxn *txn, gint64 body, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean blob_unref_packed(DbTxn *txn, gint64 body, gint64 fewer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Tidying: bodies that are on disk only through their COMMIT are synced in their segments. Called by the housekeeping thread once a minute or so. */
gboolean blob_settle(Blob *blob, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reading. A body is known by its id, so a place that is stale never shows another's octets. blob_body_open looks the place up (a stale place once more) and pins; FAULT_INTERNAL when there is no such body
 * or its record is damaged. blob_body_at is for callers that have just read the place from `body` themselves. */
BlobBody *blob_body_open(Blob *blob, gint64 body, GError **error) G_GNUC_WARN_UNUSED_RESULT;
BlobBody *blob_body_at(Blob *blob, gint64 body, const BlobPlace *place, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Places of several bodies in one look-up, for blob_body_at(); one that is not there gets a place where nothing is. */
gboolean blob_places(Blob *blob, const gint64 *bodies, guint n, BlobPlace *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void blob_body_close(BlobBody *body);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlobBody, blob_body_close)
guint64 blob_body_size(const BlobBody *body);

/* Octets [offset, offset+len) into the caller's buffer; FALSE when outside or unreadable. */
gboolean blob_body_read(BlobBody *body, guint64 offset, void *buffer, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Checksum of the whole record, for verify. */
gboolean blob_body_check(BlobBody *body, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Compaction: rewrite the live records of at most one segment that is mostly dead, then drop it. TRUE with *ret_freed octets (0:
 * nothing to do). Called by the housekeeping thread now and then, while serving. */
gboolean blob_compact(Blob *blob, guint64 *ret_freed, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Go through all rows of `body`, slice by slice: complain(data, text) for each whose record can't be read whole, and for each
 * segment file that is not understood. FALSE: the check itself could not go on. */
typedef struct BlobVerified {
        guint64 bodies;         /* rows looked at                           */
        guint64 damaged;        /* complained about                         */
        guint64 segments;       /* files                                    */
        guint64 unnamed;        /* files in which no row names anything: garbage until the next compaction */
} BlobVerified;
gboolean blob_verify(Blob *blob, void (*complain)(gpointer data, const char *text), gpointer data, BlobVerified *ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct BlobStats {
        guint64 segments, stored_octets, syncs, appends;
} BlobStats;
void blob_stats(Blob *blob, BlobStats *ret);

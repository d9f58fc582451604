/* internal.h -- the insides of blob/: segment files, the appender, the cache of open segments. Private to the room.
 *
 * Locks: Blob.append, then Blob.files; Blob.sync alone. None is held over a sync. (turn): of whoever has the write connection (db/).
 */
#pragma once

#include "base/id.h"
#include "base/thread.h"
#include "blob/blob.h"

#include <sys/uio.h>

/* segment.c: the format */
#define SEGMENT_HEAD_OCTETS 32
#define RECORD_HEAD_OCTETS  48
#define RECORD_ALIGN        8
#define RECORD_ZSTD         1u
#define SEGMENT_MAX_OCTETS  (64u << 20)         /* of a shared one */
#define SINGLE_MIN_OCTETS   (1u << 20)          /* bodies over this have a segment of their own */
#define SINGLE_ROOM_OCTETS  (16u << 10)         /* before the spooled octets: both heads and our Received */
#define ZSTD_MIN_OCTETS     (64u << 10)         /* smaller ones are not worth it, larger ones than SINGLE_MIN */
#define FILL_FIRST_OCTETS   (1u << 20)          /* zero-filled at once in a new segment; doubles up to FILL_STEP */
#define FILL_STEP_OCTETS    (8u << 20)
#define WRITER_MEMORY_MAX   (64u << 10)
#define WRITERS_MEMORY_MAX  (8u << 20)          /* of all writers together; above it they spool at WRITER_MEMORY_MIN */
#define WRITER_MEMORY_MIN   (4u << 10)
#define OPEN_SEGMENTS_MAX   64
#define RECORD_PARTS_MAX    3
#define NAME_AGE_MAX        (10 * USEC_PER_MINUTE)
#define DROP_AGE_MIN        (30 * USEC_PER_MINUTE)

typedef enum SegmentKind {
        SEGMENT_SHARED = 0,
        SEGMENT_SINGLE = 1,     /* one record, never appended to */
} SegmentKind;

typedef struct SegmentHead {
        guint32 number;
        guint32 kind;
        guint64 first;          /* offset of the first record */
} SegmentHead;

typedef struct RecordHead {
        guint32 flags;
        guint64 length;         /* octets that follow the head           */
        guint64 size;           /* octets of the body they make          */
        guint64 id;             /* of the body: the key of table `body`  */
        guint64 checksum;       /* XXH64 of the 32 octets before and the octets that follow */
} RecordHead;

void segment_head_write(const SegmentHead *head, guint8 out[SEGMENT_HEAD_OCTETS]);
gboolean segment_head_read(Span octets, SegmentHead *ret);
void record_head_write(const RecordHead *head, guint8 out[RECORD_HEAD_OCTETS]);
gboolean record_head_read(Span octets, RecordHead *ret);
guint64 record_checksum(const RecordHead *head, const Span *parts, guint n_parts);
guint64 record_stored(guint64 length);

/* A whole read or FALSE: end of file and errors alike, errno tells (0: end). */
gboolean blob_file_read(int fd, guint64 offset, void *buffer, gsize len);
gboolean blob_file_write(int fd, guint64 offset, const struct iovec *parts, int n_parts);
gboolean blob_file_zero(int fd, guint64 from, guint64 to);

/* Is there a whole record at `offset`, ending at or before `end`? */
gboolean record_check(int fd, guint64 offset, guint64 end, RecordHead *ret);
/* Where the last whole record of an unbroken row starting at `from` ends. */
guint64 segment_walk(int fd, guint64 from, guint64 end);
/* The stored octets of a record made into those of the body: the body itself, allocated; NULL when damaged. */
guint8 *record_decompress(const RecordHead *head, Span stored);

/* files.c: segment files by number; open ones are cached */
typedef struct Segment {
        guint32 number;
        int fd;
        guint pins;
        gboolean is_dropped;    /* unlink at the last unpin */
        guint64 used_at;        /* of Blob.uses, for the oldest to be closed first */
} Segment;

typedef struct SyncWaiter SyncWaiter;

struct Blob {
        Db *db;
        int dir_fd;             /* DIR/segments */
        char *path;

        Mutex append;           /* guards from here */
        Segment *active;
        guint64 tail;           /* where the next record goes  */
        guint64 filled;         /* zeros are on disk up to here */
        gboolean is_filling;
        guint64 wanted;         /* how far an appender that waits needs them */
        gboolean is_closing;
        guint fill_failed;      /* errno of the last attempt */
        Segment *spare;         /* the next active one, made ahead */
        guint32 next_number;
        guint32 first_number;   /* of this process: lower ones hold nothing that may still be named */
        guint64 appended;       /* sequence of the last record */
        guint64 appends;
        GPtrArray *sealed;      /* segments that were the active one since the last sync, pinned */
        GHashTable *sealed_at;  /* number -> Usec *: segments that may hold records not yet named */
        Cond fill_wake, fill_done;
        Thread *filler;         /* to here */

        Mutex sync;             /* guards from here */
        guint64 synced;
        gboolean is_syncing;
        SyncWaiter *waiters;
        guint64 syncs;          /* to here */

        Mutex files;            /* guards from here */
        GHashTable *open;       /* number -> Segment */
        guint64 uses;           /* to here */

        guint redo_used;        /* (turn) slots of table `body_redo` written since everything was synced */
        guint redo_bodies;      /* (turn) bodies named in ... */
        guint64 redo_batch;     /* (turn) ... this batch */
        gboolean redo_is_used;  /* slots may not be empty; atomic */

        gsize memory;           /* octets of all writers together; atomic */
        guint32 compact_last;   /* the housekeeping thread's own: where it looked last */
};

Segment *segment_pin(Blob *blob, guint32 number, GError **error);
void segment_unpin(Blob *blob, Segment *segment);
Segment *segment_create(Blob *blob, guint32 number, GError **error);
Segment *segment_adopt(Blob *blob, guint32 number, int fd);
void segment_drop(Blob *blob, guint32 number);
void segment_name(guint32 number, char out[16]);
gboolean segment_parse_name(const char *name, guint32 *ret);
void blob_dir_sync(Blob *blob);
GArray *segments_list(Blob *blob, GError **error);
void blob_fatal(const char *what) G_GNUC_NORETURN;
void blob_log_damaged(gint64 body, guint32 segment);

/* append.c */
void append_init(Blob *blob);
gboolean append_open(Blob *blob, GError **error);
void append_done(Blob *blob);
gboolean append_record(Blob *blob, RecordHead *head, const Span *parts, guint n_parts, BlobPlace *ret, GError **error);
guint32 append_number(Blob *blob);
gboolean append_may_name(Blob *blob, guint32 number);
void append_forget(Blob *blob, guint32 number);

/* redo.c */
/* The body at this place, just named, is on disk when the transaction is. */
gboolean redo_secure(DbTxn *txn, const BlobPlace *place, GError **error);
/* What a crash has left undone, before anything is read or appended. */
gboolean redo_open(Blob *blob, GError **error);

/* reader.c */
const RecordHead *body_head(const BlobBody *body);
gboolean body_read_stored(BlobBody *body, guint64 offset, void *buffer, gsize len, GError **error);

/* compact.c -- giving back what deleted bodies took, and looking whether everything named is there. Both work while
 * mail is served, in short slices. */
#include "blob/internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#define LOOK_AT_ONCE 32 /* segments one call looks at        */
#define SLICE_ROWS 200  /* bodies moved by one transaction   */
#define ZSTD_LEVEL 3

DB_SQL(LIVE_OCTETS, "SELECT coalesce(sum(stored), 0) FROM body WHERE segment = ?");
DB_SQL(LIVE_BODIES, "SELECT count(*) FROM body WHERE segment = ?");
DB_SQL(NEXT_BODIES,
       "SELECT id, offset, stored, size FROM body WHERE segment = ? AND offset > ? ORDER BY offset LIMIT ?");
DB_SQL(MOVE_BODY, "UPDATE body SET segment = ?, offset = ?, stored = ? WHERE id = ? AND segment = ? AND offset = ?");
DB_SQL(ALL_BODIES, "SELECT id FROM body WHERE id > ? ORDER BY id LIMIT ?");

typedef struct Move {
        gint64 body;
        BlobPlace from, to;
} Move;

static gboolean
ask(Blob *blob, const DbSql *sql, guint32 number, gint64 *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);

        return txn != NULL && db_get_int(txn, sql, ret, error, "i", (gint64) number) == DB_ROW;
}

static guint64
file_octets(Blob *blob, guint32 number)
{
        char name[16];
        struct stat st;

        segment_name(number, name);
        return fstatat(blob->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (guint64) st.st_size : 0;
}

/* Is less than half of it live? */
static gboolean
is_worth_it(Blob *blob, guint32 number, gboolean *ret, GError **error)
{
        gint64 live = 0;

        if (!ask(blob, &LIVE_OCTETS, number, &live, error))
                return FALSE;
        *ret = live == 0 || (guint64) live < file_octets(blob, number) / 2;
        return TRUE;
}

/* The next segment to compact, going round; 0 when none of those looked at is worth it. */
static gboolean
segment_choose(Blob *blob, guint32 *ret, GError **error)
{
        g_autoptr(GArray) numbers = segments_list(blob, error);
        guint looked = 0;

        *ret = 0;
        if (numbers == NULL)
                return FALSE;
        for (guint i = 0; i < numbers->len && looked < LOOK_AT_ONCE; i++) {
                guint32 number = g_array_index(numbers, guint32, i);
                gboolean is_it = FALSE;
                if (number <= blob->compact_last || append_may_name(blob, number))
                        continue;
                if (!is_worth_it(blob, number, &is_it, error))
                        return FALSE;
                looked++;
                blob->compact_last = number;
                if (is_it) {
                        *ret = number;
                        return TRUE;
                }
        }
        if (looked < LOOK_AT_ONCE)
                blob->compact_last = 0; /* the end: from the start next time */
        return TRUE;
}

static gboolean
slice_list(Blob *blob, guint32 number, guint64 after, GArray *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);
        g_autoptr(DbRows) rows = txn == NULL ? NULL
                                             : db_query(txn, &NEXT_BODIES, error, "iii", (gint64) number,
                                                        (gint64) after, (gint64) SLICE_ROWS);
        DbStep step = DB_ROW_FAILED;

        g_array_set_size(ret, 0);
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                Move move = {.body = db_int(rows, 0),
                             .from = {.segment = number,
                                      .offset = (guint64) db_int(rows, 1),
                                      .stored = (guint64) db_int(rows, 2),
                                      .size = (guint64) db_int(rows, 3)}};
                g_array_append_val(ret, move);
        }
        return step == DB_ROW_END;
}

/* Compressed, where it pays: here and not at delivery, so that it costs nobody's wait. */
static Span
pack(RecordHead *head, Span octets, guint8 **ret_buffer)
{
        gsize room = octets.len - octets.len / 5;

        if ((head->flags & RECORD_ZSTD) != 0 || octets.len < ZSTD_MIN_OCTETS || octets.len > SINGLE_MIN_OCTETS)
                return octets;
        guint8 *packed = g_try_malloc(room);
        if (packed == NULL)
                return octets;
        gsize len = ZSTD_compress(packed, room, octets.data, octets.len, ZSTD_LEVEL);
        if (ZSTD_isError(len)) {
                g_free(packed);
                return octets;
        }
        *ret_buffer = packed;
        head->flags |= RECORD_ZSTD;
        head->length = len;
        return span_make(packed, len);
}

/* Copy one record to the active segment. A damaged one stays where it is, and its segment with it. */
static gboolean
record_copy(Blob *blob, Move *move, GError **error)
{
        g_autoptr(BlobBody) body = blob_body_at(blob, move->body, &move->from, error);
        g_autofree guint8 *packed = NULL;

        if (body == NULL)
                return FALSE;
        if (!blob_body_check(body, error)) {
                blob_log_damaged(move->body, move->from.segment);
                return FALSE;
        }
        RecordHead head = *body_head(body);
        if (head.length > SINGLE_MIN_OCTETS)
                return fault(error, FAULT_INTERNAL, "segment %u has a body too long to be moved", move->from.segment);
        g_autofree guint8 *octets = g_try_malloc(head.length + 1);
        if (octets == NULL)
                return fault(error, FAULT_BUSY, "no memory for compaction");
        if (!body_read_stored(body, 0, octets, (gsize) head.length, error))
                return FALSE;
        Span part = pack(&head, span_make(octets, (gsize) head.length), &packed);
        return append_record(blob, &head, &part, 1, &move->to, error);
}

/* The rows follow; a body deleted since then has none, one that has moved is not here any more. */
static DbCommit
slice_commit(Blob *blob, const GArray *moves, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_freeing(blob->db, error);

        if (txn == NULL)
                return DB_FAILED;
        for (guint i = 0; i < moves->len; i++) {
                const Move *m = &g_array_index(moves, Move, i);
                if (!db_run(txn, &MOVE_BODY, error, "iiiiii", (gint64) m->to.segment, (gint64) m->to.offset,
                            (gint64) m->to.stored, m->body, (gint64) m->from.segment, (gint64) m->from.offset))
                        return DB_FAILED;
        }
        return db_take_commit(g_steal_pointer(&txn), error);
}

static gboolean
segment_empty(Blob *blob, guint32 number, GError **error)
{
        g_autoptr(GArray) moves = g_array_new(FALSE, FALSE, sizeof(Move));
        guint64 after = 0;

        for (;;) {
                if (!slice_list(blob, number, after, moves, error))
                        return FALSE;
                if (moves->len == 0)
                        return TRUE;
                for (guint i = 0; i < moves->len; i++)
                        if (!record_copy(blob, &g_array_index(moves, Move, i), error))
                                return FALSE;
                const Move *last = &g_array_index(moves, Move, moves->len - 1);
                after = last->from.offset;
                blob_sync(blob, &last->to);
                DbCommit answer;
                do
                        answer = slice_commit(blob, moves, error);
                while (answer == DB_AGAIN);
                if (answer != DB_COMMITTED)
                        return FALSE;
        }
}

/* Nobody can name a record of it any more (append_may_name), and inside a write transaction nobody does. */
static gboolean
segment_is_unnamed(Blob *blob, guint32 number, gboolean *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_freeing(blob->db, error);
        gint64 bodies = 0;

        if (txn == NULL || db_get_int(txn, &LIVE_BODIES, &bodies, error, "i", (gint64) number) != DB_ROW)
                return FALSE;
        *ret = bodies == 0;
        return TRUE;
}

gboolean
blob_compact(Blob *blob, guint64 *ret_freed, GError **error)
{
        gboolean is_unnamed = FALSE;
        guint32 number = 0;

        *ret_freed = 0;
        if (!segment_choose(blob, &number, error))
                return FALSE;
        if (number == 0)
                return TRUE;
        guint64 octets = file_octets(blob, number);
        if (!segment_empty(blob, number, error) || !segment_is_unnamed(blob, number, &is_unnamed, error))
                return FALSE;
        if (is_unnamed) {
                segment_drop(blob, number);
                append_forget(blob, number);
                *ret_freed = octets;
        }
        return TRUE;
}

/* ---- verify ---- */

static gboolean
ids_list(Blob *blob, gint64 after, GArray *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);
        g_autoptr(DbRows) rows =
                txn == NULL ? NULL : db_query(txn, &ALL_BODIES, error, "ii", after, (gint64) SLICE_ROWS);
        DbStep step = DB_ROW_FAILED;

        g_array_set_size(ret, 0);
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                gint64 id = db_int(rows, 0);
                g_array_append_val(ret, id);
        }
        return step == DB_ROW_END;
}

static gboolean
is_there(Blob *blob, gint64 id, gboolean *ret, GError **error)
{
        static const DbSql FIND = {"SELECT count(*) FROM body WHERE id = ?"};
        g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);
        gint64 n = 0;

        if (txn == NULL || db_get_int(txn, &FIND, &n, error, "i", id) != DB_ROW)
                return FALSE;
        *ret = n > 0;
        return TRUE;
}

typedef struct Verify {
        Blob *blob;
        void (*complain)(gpointer data, const char *text);
        gpointer data;
        BlobVerified *result;
} Verify;

static gboolean
verify_body(const Verify *verify, gint64 id, GError **error)
{
        g_autoptr(GError) damage = NULL;
        g_autoptr(BlobBody) body = blob_body_open(verify->blob, id, &damage);
        gboolean is_named = FALSE;

        verify->result->bodies++;
        if (body != NULL && blob_body_check(body, &damage))
                return TRUE;
        if (!is_there(verify->blob, id, &is_named, error))
                return FALSE;
        if (!is_named)
                return TRUE; /* deleted while we looked */
        verify->result->damaged++;
        verify->complain(verify->data, damage->message);
        return TRUE;
}

static gboolean
verify_segment(const Verify *verify, guint32 number, GError **error)
{
        g_autoptr(GError) damage = NULL;
        gint64 bodies = 0;

        verify->result->segments++;
        if (!ask(verify->blob, &LIVE_BODIES, number, &bodies, error))
                return FALSE;
        verify->result->unnamed += bodies == 0;
        Segment *segment = segment_pin(verify->blob, number, &damage);
        if (segment == NULL && bodies > 0)
                verify->complain(verify->data, damage->message);
        segment_unpin(verify->blob, segment);
        return TRUE;
}

gboolean
blob_verify(Blob *blob, void (*complain)(gpointer data, const char *text), gpointer data, BlobVerified *ret,
            GError **error)
{
        Verify verify = {blob, complain, data, ret};
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
        gint64 after = G_MININT64;

        *ret = (BlobVerified){0};
        do {
                if (!ids_list(blob, after, ids, error))
                        return FALSE;
                for (guint i = 0; i < ids->len; i++) {
                        after = g_array_index(ids, gint64, i);
                        if (!verify_body(&verify, after, error))
                                return FALSE;
                }
        } while (ids->len > 0);
        g_autoptr(GArray) numbers = segments_list(blob, error);
        for (guint i = 0; numbers != NULL && i < numbers->len; i++)
                if (!verify_segment(&verify, g_array_index(numbers, guint32, i), error))
                        return FALSE;
        return numbers != NULL;
}

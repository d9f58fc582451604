#include "queue/queue.h"

/* Pages are bounded whatever the caller asks for. */
#define ROWS_MAX 1000

struct Queue {
        Db *db;
};

Queue *
queue_new(Db *db, Blob *blob)
{
        Queue *queue = g_new0(Queue, 1);

        queue->db = db;
        return queue;
}

void
queue_free(Queue *queue)
{
        g_free(queue);
}

DB_SQL(ROW_ADD, "INSERT INTO queue (message, body, size, prefix, cuts, sender, recipient, next_hop, created, "
                "next_attempt, attempts,"
                " last_reply, held, needs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

gboolean
queue_add(Queue *queue, DbTxn *txn, const QueueRow *row, gint64 *ret_id, GError **error)
{
        const Copy *copy = &row->copy;
        guint8 cuts[COPY_CUTS_STORED_MAX];
        Span stored = span_make(cuts, copy_put_cuts(copy->cuts, copy->n_cuts, cuts));

        if (!db_run(txn, &ROW_ADD, error, "iiibbsssiiissi", (gint64) row->message, copy->body, (gint64) copy_size(copy),
                    copy->prefix, stored, row->sender, row->recipient, row->next_hop, (gint64) row->created,
                    (gint64) row->next_attempt, (gint64) row->attempts, row->last_reply, row->held,
                    (gint64) row->needs))
                return FALSE;
        if (ret_id != NULL)
                *ret_id = db_last_id(txn);
        return TRUE;
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

#define ROW_COLUMNS                                                                                                    \
        "q.id, q.message, q.body, b.size, q.prefix, q.cuts, q.sender, q.recipient, q.next_hop, q.held, q.needs, "      \
        "q.created,"                                                                                                   \
        " q.next_attempt, q.attempts, q.last_reply FROM queue q JOIN body b ON b.id = q.body"

DB_SQL(ROW_GET, "SELECT " ROW_COLUMNS " WHERE q.id = ?");
DB_SQL(ROWS_DUE, "SELECT " ROW_COLUMNS
                 " WHERE q.next_attempt <= ? AND q.next_hop = ? AND q.held IS NULL ORDER BY q.next_attempt LIMIT ?");
/* A filter that is not asked for is NULL. */
DB_SQL(ROWS_LIST, "SELECT " ROW_COLUMNS " WHERE q.id > ? AND (? IS NULL OR lower(q.sender) = lower(?))"
                  " AND (? IS NULL OR lower(q.recipient) = lower(?)) AND (? IS NULL OR q.next_hop = ?)"
                  " AND (? IS NULL OR q.held = ?) AND (? = 0 OR q.message = ?) ORDER BY q.id LIMIT ?");

static gboolean
read_row(Arena *arena, const DbRows *rows, QueueRow *ret, GError **error)
{
        QueueRow row = {
                .id = db_int(rows, 0),
                .message = (Id) db_int(rows, 1),
                .copy = {.body = db_int(rows, 2),
                         .body_size = (guint64) db_int(rows, 3),
                         .prefix = arena_copy(arena, db_bytes(rows, 4))},
                .sender = arena_strdup(arena, db_text(rows, 6)),
                .recipient = arena_strdup(arena, db_text(rows, 7)),
                .next_hop = arena_strdup(arena, db_text(rows, 8)),
                .held = arena_strdup(arena, db_text(rows, 9)),
                .needs = (guint) db_int(rows, 10),
                .created = db_int(rows, 11),
                .next_attempt = db_int(rows, 12),
                .attempts = (guint) db_int(rows, 13),
                .last_reply = arena_strdup(arena, db_text(rows, 14)),
        };

        if (!copy_decode_cuts(arena, db_bytes(rows, 5), row.copy.body_size, &row.copy.cuts, &row.copy.n_cuts))
                return fault(error, FAULT_INTERNAL, "queue row %" G_GINT64_FORMAT " is damaged", row.id);
        if (arena_is_over(arena))
                return fault(error, FAULT_BUSY, "no memory for rows of the queue");
        *ret = row;
        return TRUE;
}

static gboolean
read_rows(Arena *arena, DbRows *rows, gsize max, const QueueRow **ret, gsize *ret_n, GError **error)
{
        QueueRow *row = arena_new_array(arena, QueueRow, max);
        gsize n = 0;
        DbStep step;

        if (row == NULL)
                return fault(error, FAULT_BUSY, "no memory for rows of the queue");
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < max)
                if (!read_row(arena, rows, &row[n++], error))
                        return FALSE;
        if (step == DB_ROW_FAILED)
                return FALSE;
        *ret = row;
        *ret_n = n;
        return TRUE;
}

gboolean
queue_list(Queue *queue, Arena *arena, const QueueFilter *filter, const QueueRow **ret, gsize *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(queue->db, error);
        gsize max = MIN(filter->max, ROWS_MAX);

        if (txn == NULL)
                return FALSE;
        g_autoptr(DbRows) rows =
                db_query(txn, &ROWS_LIST, error, "issssssssiii", filter->after, filter->sender, filter->sender,
                         filter->recipient, filter->recipient, filter->next_hop, filter->next_hop, filter->held,
                         filter->held, (gint64) filter->message, (gint64) filter->message, (gint64) max);
        return rows != NULL && read_rows(arena, rows, max, ret, ret_n, error);
}

gboolean
queue_due(Queue *queue, Arena *arena, const char *next_hop, Usec now, gsize max, const QueueRow **ret, gsize *ret_n,
          GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(queue->db, error);

        if (txn == NULL)
                return FALSE;
        max = MIN(max, ROWS_MAX);
        g_autoptr(DbRows) rows = db_query(txn, &ROWS_DUE, error, "isi", (gint64) now, next_hop, (gint64) max);
        return rows != NULL && read_rows(arena, rows, max, ret, ret_n, error);
}

QueueAnswer
queue_get(Queue *queue, Arena *arena, gint64 id, const QueueRow **ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(queue->db, error);
        gsize n = 0;

        if (txn == NULL)
                return QUEUE_FAILED;
        g_autoptr(DbRows) rows = db_query(txn, &ROW_GET, error, "i", id);
        if (rows == NULL || !read_rows(arena, rows, 1, ret, &n, error))
                return QUEUE_FAILED;
        return n == 1 ? QUEUE_DONE : QUEUE_MISSING;
}

/* Changing --------------------------------------------------------------------------------------------------------- */

DB_SQL(ROW_REMOVE, "DELETE FROM queue WHERE id = ? RETURNING body");
DB_SQL(ROW_TRIED, "UPDATE queue SET next_attempt = ?, attempts = attempts + 1, last_reply = ? WHERE id = ?");

QueueAnswer
queue_remove(Queue *queue, DbTxn *txn, gint64 id, GError **error)
{
        gint64 body;

        switch (db_get_int(txn, &ROW_REMOVE, &body, error, "i", id)) {
        case DB_ROW:
                return blob_unref(txn, body, 1, error) ? QUEUE_DONE : QUEUE_FAILED;
        case DB_ROW_END:
                return QUEUE_MISSING;
        case DB_ROW_FAILED:
        default:
                return QUEUE_FAILED;
        }
}

gboolean
queue_tried(Queue *queue, DbTxn *txn, gint64 id, Usec next_attempt, const char *reply, GError **error)
{
        return db_run(txn, &ROW_TRIED, error, "isi", (gint64) next_attempt, reply, id);
}

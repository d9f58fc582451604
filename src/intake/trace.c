/* trace.c -- the record of a message, written in its transaction, and its end. */
#include "intake/trace.h"

#include "base/text.h"
#include "db/textkey.h"

#include <jansson.h>

#define STEPS_MAX 200
#define STEP_TEXT 320
#define PURGE_MESSAGES 300
#define PURGE_ROWS 700

DB_SQL(TRACE_ADD, "INSERT INTO trace (message, at, origin, client, helo, account, sender, message_id, subject, size)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_SQL(LINE_ADD, "INSERT INTO trace_recipient (message, position, recipient, outcome, target, status, steps)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?)");
DB_SQL(KEY_ADD, "INSERT INTO trace_key (key, message) VALUES (?, ?) ON CONFLICT DO NOTHING");
DB_SQL(LINE_NEXT, "SELECT coalesce(max(position), -1) + 1 FROM trace_recipient WHERE message = ?");

gboolean
trace_put_message(DbTxn *txn, const TraceMessage *m, GError **error)
{
        return db_run(txn, &TRACE_ADD, error, "iisssssssi", (gint64) m->message, (gint64) m->at, m->origin, m->client,
                      m->helo, m->account, m->sender, m->message_id, m->subject, (gint64) m->size);
}

gboolean
trace_put_line(DbTxn *txn, const TraceLine *l, GError **error)
{
        return db_run(txn, &LINE_ADD, error, "iisssss", (gint64) l->message, (gint64) l->position, l->recipient,
                      l->outcome, l->target, l->status, l->steps);
}

gboolean
trace_put_keys(DbTxn *txn, Id message, const gint64 *keys, gsize n, GError **error)
{
        for (gsize i = 0; i < n; i++)
                if (!db_run(txn, &KEY_ADD, error, "ii", keys[i], (gint64) message))
                        return FALSE;
        return TRUE;
}

gboolean
trace_next_position(DbTxn *txn, Id message, guint *ret, GError **error)
{
        gint64 next;

        if (db_get_int(txn, &LINE_NEXT, &next, error, "i", (gint64) message) != DB_ROW)
                return FALSE;
        *ret = (guint) next;
        return TRUE;
}

static void
add_step(json_t *list, Arena *arena, const char *step)
{
        if (!text_is_utf8(span_of(step)))
                step = text_escape_in(arena, span_of(step), STEP_TEXT);
        json_array_append_new(list, json_string(step));
}

const char *
trace_steps(Arena *arena, const char *const *steps, gsize n, const char *last)
{
        json_t *list = json_array();

        for (gsize i = 0; i < MIN(n, STEPS_MAX); i++)
                add_step(list, arena, steps[i]);
        if (last != NULL)
                add_step(list, arena, last);
        char *text = json_dumps(list, JSON_COMPACT);
        const char *kept = arena_strdup(arena, text);
        free(text);
        json_decref(list);
        return kept;
}

/* Purging --------------------------------------------------------------------------------------------------------- */

/* Ids rise with time, so the oldest come first without an index of times. */
DB_SQL(OLDEST_MESSAGES, "SELECT message, at FROM trace ORDER BY message LIMIT ?");
DB_SQL(OLDEST_REFUSALS, "SELECT id, at FROM refusal ORDER BY id LIMIT ?");
DB_SQL(PURGE_OLD_LINES,
       "DELETE FROM trace_recipient WHERE (message, position) IN"
       " (SELECT message, position FROM trace_recipient WHERE message <= ? ORDER BY message, position LIMIT ?)");
DB_SQL(PURGE_OLD_KEYS, "DELETE FROM trace_key WHERE (key, message) IN"
                       " (SELECT key, message FROM trace_key WHERE key >= ? AND key < ? AND message <= ? LIMIT ?)");
DB_SQL(PURGE_OLD_MESSAGES, "DELETE FROM trace WHERE message <= ?");
DB_SQL(PURGE_OLD_REFUSALS, "DELETE FROM refusal WHERE id <= ?");

/* The oldest rows that are older than `before`. */
static gboolean
find_oldest(DbTxn *txn, const DbSql *sql, Usec before, gint64 ret_ids[PURGE_MESSAGES], guint *ret_n, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, sql, error, "i", (gint64) PURGE_MESSAGES);
        DbStep step;
        guint n = 0;

        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < PURGE_MESSAGES && db_int(rows, 1) < before)
                ret_ids[n++] = db_int(rows, 0);
        *ret_n = n;
        return step != DB_ROW_FAILED;
}

/* Keys of one time share a bucket, so there are few buckets to look into. *ret_left: rows that may still be deleted. */
static gboolean
purge_keys(DbTxn *txn, const gint64 *ids, guint n, gint64 *ret_left, GError **error)
{
        gint64 done = -1;

        for (guint i = 0; i<n && * ret_left> 0; i++) {
                gint64 bucket = textkey((Id) ids[i], SPAN_EMPTY) - textkey_hash(SPAN_EMPTY);
                if (bucket == done)
                        continue;
                done = bucket;
                if (!db_run(txn, &PURGE_OLD_KEYS, error, "iiii", bucket, bucket + ((gint64) 1 << 32), ids[n - 1],
                            *ret_left))
                        return FALSE;
                *ret_left -= db_changes(txn);
        }
        return TRUE;
}

/* The messages themselves go last, so that what is left over is found again. */
static gboolean
purge_messages(DbTxn *txn, Usec before, gboolean *ret_more, GError **error)
{
        gint64 ids[PURGE_MESSAGES], left = PURGE_ROWS;
        guint n;

        if (!find_oldest(txn, &OLDEST_MESSAGES, before, ids, &n, error))
                return FALSE;
        if (n == 0)
                return TRUE;
        if (!purge_keys(txn, ids, n, &left, error))
                return FALSE;
        if (left > 0) {
                if (!db_run(txn, &PURGE_OLD_LINES, error, "ii", ids[n - 1], left))
                        return FALSE;
                left -= db_changes(txn);
        }
        *ret_more |= left == 0 || n == PURGE_MESSAGES;
        return left == 0 || db_run(txn, &PURGE_OLD_MESSAGES, error, "i", ids[n - 1]);
}

static gboolean
purge_refusals(DbTxn *txn, Usec before, gboolean *ret_more, GError **error)
{
        gint64 ids[PURGE_MESSAGES];
        guint n;

        if (!find_oldest(txn, &OLDEST_REFUSALS, before, ids, &n, error))
                return FALSE;
        *ret_more |= n == PURGE_MESSAGES;
        return n == 0 || db_run(txn, &PURGE_OLD_REFUSALS, error, "i", ids[n - 1]);
}

gboolean
trace_purge(Db *db, Usec before, gboolean *ret_more, GError **error)
{
        for (;;) {
                gboolean more = FALSE;
                g_autoptr(DbTxn) txn = db_begin_freeing(db, error);
                if (txn == NULL || !purge_messages(txn, before, &more, error) ||
                    !purge_refusals(txn, before, &more, error))
                        return FALSE;
                DbCommit commit = db_take_commit(g_steal_pointer(&txn), error);
                if (commit == DB_AGAIN)
                        continue;
                *ret_more = more;
                return commit == DB_COMMITTED;
        }
}

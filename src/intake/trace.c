/* trace.c -- the record of a message, written in its transaction, and its end. */
#include "intake/trace.h"

#include "base/text.h"

#define STEPS_MAX 200
#define STEP_TEXT 320
#define LINES_OCTETS ((gsize) 4 * 1024 * 1024) /* of one message: what has no room is not told */
#define PURGE_MESSAGES 250
#define PURGE_LATER 250

/* The record of a message is one row, so that a message to a hundred recipients is not a hundred rows: `lines` is a
 * JSON array of one array each,
 *
 *      [["sales@ex.org","deliver","joe@ex.org","2.0.0","alias sales@ex.org","account joe@ex.org"], ...]
 *
 * recipient, outcome, target, status, then the steps. What a row of the queue tells when it is tried again goes into
 * trace_later. */
DB_SQL(TRACE_ADD,
       "INSERT INTO trace (message, at, origin, client, helo, account, sender, message_id, subject, size, lines)"
       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_SQL(LATER_ADD, "INSERT INTO trace_later (message, position, hashes, lines)"
                  " SELECT ?1, coalesce(max(position), -1) + 1, ?2, ?3 FROM trace_later WHERE message = ?1");
DB_SQL(KEY_ADD, "INSERT INTO trace_key (message, hashes) VALUES (?, ?)");

gboolean
trace_put_message(DbTxn *txn, const TraceMessage *m, GError **error)
{
        return db_run(txn, &TRACE_ADD, error, "iisssssssis", (gint64) m->message, (gint64) m->at, m->origin, m->client,
                      m->helo, m->account, m->sender, m->message_id, m->subject, (gint64) m->size, m->lines) &&
               db_run(txn, &KEY_ADD, error, "ib", (gint64) m->message, m->hashes);
}

gboolean
trace_put_later(DbTxn *txn, Id message, Span hashes, const char *lines, GError **error)
{
        return db_run(txn, &LATER_ADD, error, "ibs", (gint64) message, hashes, lines);
}

/* Lines are made for every recipient: put together by hand, because a library's values would cost more than storing
 * them. */
static void
add_string(GString *json, const char *text)
{
        g_autofree char *clean = text_is_utf8(span_of(text)) ? NULL : text_escape(span_of(text), STEP_TEXT);
        const char *rest = clean != NULL ? clean : text;

        g_string_append_c(json, '"');
        for (;;) {
                gsize plain = 0;
                while ((guint8) rest[plain] >= 0x20 && rest[plain] != '"' && rest[plain] != '\\')
                        plain++;
                g_string_append_len(json, rest, (gssize) plain);
                rest += plain;
                if (*rest == '\0')
                        break;
                g_string_append_printf(json, "\\u%04x", (guint) *rest++);
        }
        g_string_append_c(json, '"');
}

static void
add_next(GString *json, const char *text)
{
        g_string_append_c(json, ',');
        add_string(json, text);
}

void
trace_add_line(GString *lines, const TraceRecipient *line, const char *last)
{
        if (lines->len > LINES_OCTETS)
                return;
        if (lines->len == 0)
                g_string_append_c(lines, '[');
        else
                lines->str[lines->len - 1] = ',';
        g_string_append_c(lines, '[');
        add_string(lines, line->recipient);
        add_next(lines, line->outcome);
        add_next(lines, line->target);
        add_next(lines, line->status);
        for (gsize i = 0; i < MIN(line->n_steps, STEPS_MAX); i++)
                add_next(lines, line->steps[i]);
        if (last != NULL)
                add_next(lines, last);
        g_string_append(lines, "]]");
}

/* Purging --------------------------------------------------------------------------------------------------------- */

/* Ids rise with time, so the oldest come first without an index of times. */
DB_SQL(OLDEST_MESSAGES, "SELECT message, at FROM trace ORDER BY message LIMIT ?");
DB_SQL(OLDEST_REFUSALS, "SELECT id, at FROM refusal ORDER BY id LIMIT ?");
DB_SQL(PURGE_OLD_LATER,
       "DELETE FROM trace_later WHERE (message, position) IN"
       " (SELECT message, position FROM trace_later WHERE message <= ? ORDER BY message, position LIMIT ?)");
DB_SQL(PURGE_OLD_KEYS, "DELETE FROM trace_key WHERE message <= ?");
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

/* The messages themselves go last, so that what is left over is found again. */
static gboolean
purge_messages(DbTxn *txn, Usec before, gboolean *ret_more, GError **error)
{
        gint64 ids[PURGE_MESSAGES];
        guint n;

        if (!find_oldest(txn, &OLDEST_MESSAGES, before, ids, &n, error))
                return FALSE;
        if (n == 0)
                return TRUE;
        if (!db_run(txn, &PURGE_OLD_LATER, error, "ii", ids[n - 1], (gint64) PURGE_LATER))
                return FALSE;
        gboolean has_later = db_changes(txn) == PURGE_LATER;
        *ret_more |= has_later || n == PURGE_MESSAGES;
        return has_later || (db_run(txn, &PURGE_OLD_KEYS, error, "i", ids[n - 1]) &&
                             db_run(txn, &PURGE_OLD_MESSAGES, error, "i", ids[n - 1]));
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

#include "intake/trace.h"

#include "base/text.h"
#include "base/thread.h"
#include "db/textkey.h"

#include <jansson.h>

#define REFUSAL_ROWS 1000 /* written at a time, equal ones being one: RELIABILITY has a minute in mind */
#define REFUSAL_SPAN USEC_PER_MINUTE
#define REFUSAL_TEXT 320
#define STEPS_MAX 200
#define FIND_DEFAULT 100
#define FIND_MAX 1000
#define PURGE_MESSAGES 300
#define PURGE_LINES 700

/* Writing ---------------------------------------------------------------------------------------------------------- */

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
                step = text_escape_in(arena, span_of(step), REFUSAL_TEXT);
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

/* Refusals --------------------------------------------------------------------------------------------------------- */

typedef struct Refused {
        char *client, *sender, *recipient, *status, *text;
        Usec at;
        guint times;
} Refused;

struct TraceRefusals {
        Mutex lock;       /* trace.refusals, a leaf */
        GHashTable *rows; /* char * of all five -> Refused */
        guint more;       /* beyond REFUSAL_ROWS */
        Usec window;      /* monotonic: since when rows are counted */
        guint in_window;
};

static void
refused_free(gpointer data)
{
        Refused *r = data;

        g_free(r->client);
        g_free(r->sender);
        g_free(r->recipient);
        g_free(r->status);
        g_free(r->text);
        g_free(r);
}

static GHashTable *
refused_table(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, refused_free);
}

TraceRefusals *
trace_refusals_new(void)
{
        TraceRefusals *refusals = g_new0(TraceRefusals, 1);

        mutex_init(&refusals->lock, "trace.refusals");
        refusals->rows = refused_table();
        refusals->window = clock_monotonic();
        return refusals;
}

void
trace_refusals_free(TraceRefusals *refusals)
{
        if (refusals == NULL)
                return;
        g_hash_table_unref(refusals->rows);
        mutex_done(&refusals->lock);
        g_free(refusals);
}

static char *
capped(const char *text)
{
        return text != NULL ? g_strndup(text, REFUSAL_TEXT) : NULL;
}

/* May one more row be written in this minute? */
static gboolean
window_takes(TraceRefusals *refusals)
{
        Usec now = clock_monotonic();

        if (now - refusals->window >= REFUSAL_SPAN) {
                refusals->window = now;
                refusals->in_window = 0;
        }
        if (refusals->in_window >= REFUSAL_ROWS)
                return FALSE;
        refusals->in_window++;
        return TRUE;
}

void
trace_refusal(TraceRefusals *refusals, const TraceRefusal *r)
{
        g_autofree char *key =
                g_strdup_printf("%s\n%s\n%s\n%s\n%s", r->client != NULL ? r->client : "",
                                r->sender != NULL ? r->sender : "", r->recipient != NULL ? r->recipient : "",
                                r->status != NULL ? r->status : "", r->text != NULL ? r->text : "");

        MUTEX_SCOPE(&refusals->lock);
        Refused *row = g_hash_table_lookup(refusals->rows, key);
        if (row == NULL && !window_takes(refusals)) {
                refusals->more++;
                return;
        }
        if (row == NULL) {
                row = g_new0(Refused, 1);
                row->client = capped(r->client);
                row->sender = capped(r->sender);
                row->recipient = capped(r->recipient);
                row->status = capped(r->status);
                row->text = capped(r->text);
                row->at = clock_real();
                g_hash_table_insert(refusals->rows, g_steal_pointer(&key), row);
        }
        row->times++;
}

DB_SQL(REFUSAL_ADD,
       "INSERT INTO refusal (at, client, sender, recipient, status, text, times) VALUES (?, ?, ?, ?, ?, ?, ?)");

static gboolean
write_refusals(Db *db, GHashTable *rows, guint more, GError **error)
{
        GHashTableIter iter;
        gpointer value;

        for (;;) {
                g_autoptr(DbTxn) txn = db_begin(db, error);
                if (txn == NULL)
                        return FALSE;
                g_hash_table_iter_init(&iter, rows);
                while (g_hash_table_iter_next(&iter, NULL, &value)) {
                        const Refused *r = value;
                        if (!db_run(txn, &REFUSAL_ADD, error, "isssssi", (gint64) r->at, r->client, r->sender,
                                    r->recipient, r->status, r->text, (gint64) r->times))
                                return FALSE;
                }
                if (more > 0 && !db_run(txn, &REFUSAL_ADD, error, "isssssi", (gint64) clock_real(), NULL, NULL, NULL,
                                        NULL, "and so many more", (gint64) more))
                        return FALSE;
                DbCommit commit = db_take_commit(g_steal_pointer(&txn), error);
                if (commit != DB_AGAIN)
                        return commit == DB_COMMITTED;
        }
}

/* What can't be written is lost: refused mail is its sender's to keep. */
gboolean
trace_flush_refusals(TraceRefusals *refusals, Db *db, GError **error)
{
        mutex_lock(&refusals->lock);
        g_autoptr(GHashTable) rows = refusals->rows;
        guint more = refusals->more;
        refusals->rows = refused_table();
        refusals->more = 0;
        mutex_unlock(&refusals->lock);

        return (g_hash_table_size(rows) == 0 && more == 0) || write_refusals(db, rows, more, error);
}

/* Finding ---------------------------------------------------------------------------------------------------------- */

#define RECORD_COLUMNS                                                                                                 \
        "t.message, t.at, t.origin, t.client, t.helo, t.account, t.sender, t.message_id, t.subject, t.size FROM "      \
        "trace t"

/* A filter that is not asked for is NULL or 0; the most selective one leads. Hashes collide, so the text is compared
 * too. */
#define FIND_KEY "t.message IN (" TEXTKEY_FIND("trace_key", "message") ")"
DB_SQL(FIND_BY_ID, "SELECT " RECORD_COLUMNS " WHERE t.message = ?");
DB_SQL(FIND_BY_MESSAGE_ID, "SELECT " RECORD_COLUMNS " WHERE " FIND_KEY
                           " AND t.message_id = ? AND t.at >= ? ORDER BY t.message DESC LIMIT ?");
DB_SQL(FIND_BY_TO, "SELECT " RECORD_COLUMNS " WHERE " FIND_KEY
                   " AND EXISTS (SELECT 1 FROM trace_recipient r WHERE r.message = t.message"
                   " AND lower(r.recipient) = ?) AND t.at >= ? AND (? IS NULL OR lower(t.sender) = ?) ORDER BY "
                   "t.message DESC LIMIT ?");
DB_SQL(FIND_BY_FROM, "SELECT " RECORD_COLUMNS " WHERE " FIND_KEY
                     " AND lower(t.sender) = ? AND t.at >= ? ORDER BY t.message DESC LIMIT ?");
DB_SQL(FIND_ALL, "SELECT " RECORD_COLUMNS " WHERE t.at >= ? ORDER BY t.message DESC LIMIT ?");
DB_SQL(FIND_LINES, "SELECT recipient, outcome, target, status, steps FROM trace_recipient WHERE message = ? ORDER BY "
                   "position LIMIT ?");
DB_SQL(FIND_REFUSALS,
       "SELECT at, client, sender, recipient, status, text, times FROM refusal WHERE at >= ?"
       " AND (? IS NULL OR lower(recipient) = ?) AND (? IS NULL OR lower(sender) = ?) ORDER BY id DESC LIMIT ?");

typedef struct Wanted { /* a filter, ready to be bound */
        Id message;
        const char *message_id, *to, *from;
        Usec since;
        gint64 max;
} Wanted;

static const char *
lowered(Arena *arena, const char *text)
{
        return text != NULL ? arena_strndup(arena, text_lower(arena, span_of(text))) : NULL;
}

static Wanted
filter_wanted(Arena *arena, const TraceFilter *filter)
{
        Wanted w = {
                .message = filter->message,
                .to = lowered(arena, filter->to),
                .from = lowered(arena, filter->from),
                .since = filter->since,
                .max = (gint64) MIN(filter->max != 0 ? filter->max : FIND_DEFAULT, FIND_MAX),
        };

        if (filter->message_id != NULL) {
                Span id = span_trim(span_of(filter->message_id));
                if (id.len >= 2 && id.data[0] == '<' && id.data[id.len - 1] == '>')
                        id = span_slice(id, 1, id.len - 1);
                w.message_id = arena_strndup(arena, id);
        }
        return w;
}

static DbRows *
query_records(DbTxn *txn, const Wanted *w, GError **error)
{
        if (w->message != 0)
                return db_query(txn, &FIND_BY_ID, error, "i", (gint64) w->message);
        if (w->message_id != NULL)
                return db_query(txn, &FIND_BY_MESSAGE_ID, error, "isii", textkey_hash(span_of(w->message_id)),
                                w->message_id, (gint64) w->since, w->max);
        if (w->to != NULL)
                return db_query(txn, &FIND_BY_TO, error, "isissi", textkey_hash(span_of(w->to)), w->to,
                                (gint64) w->since, w->from, w->from, w->max);
        if (w->from != NULL)
                return db_query(txn, &FIND_BY_FROM, error, "isii", textkey_hash(span_of(w->from)), w->from,
                                (gint64) w->since, w->max);
        return db_query(txn, &FIND_ALL, error, "ii", (gint64) w->since, w->max);
}

static gboolean
read_steps(Arena *arena, const char *json, TraceRecipient *ret)
{
        json_t *list = json != NULL ? json_loads(json, 0, NULL) : NULL;
        gsize n = list != NULL ? json_array_size(list) : 0;
        const char **steps = arena_new_array(arena, const char *, n);

        for (gsize i = 0; steps != NULL && i < n; i++)
                steps[i] = arena_strdup(arena, json_string_value(json_array_get(list, i)));
        json_decref(list);
        ret->steps = steps;
        ret->n_steps = n;
        return !arena_is_over(arena);
}

static gboolean
read_lines(DbTxn *txn, Arena *arena, TraceRecord *record, GError **error)
{
        g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(TraceRecipient));
        DbStep step;

        g_autoptr(DbRows) rows = db_query(txn, &FIND_LINES, error, "ii", (gint64) record->message, (gint64) FIND_MAX);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                TraceRecipient line = {
                        .recipient = arena_strdup(arena, db_text(rows, 0)),
                        .outcome = arena_strdup(arena, db_text(rows, 1)),
                        .target = arena_strdup(arena, db_text(rows, 2)),
                        .status = arena_strdup(arena, db_text(rows, 3)),
                };
                if (!read_steps(arena, db_text(rows, 4), &line))
                        return fault(error, FAULT_BUSY, "too much to show at once: ask for less");
                g_array_append_val(lines, line);
        }
        record->n_recipients = lines->len;
        record->recipients =
                (const TraceRecipient *) arena_copy(arena, span_make(lines->data, lines->len * sizeof(TraceRecipient)))
                        .data;
        return step == DB_ROW_END;
}

static gboolean
find_records(DbTxn *txn, Arena *arena, const Wanted *w, GArray *found, GError **error)
{
        guint first = found->len;
        DbStep step;

        {
                g_autoptr(DbRows) rows = query_records(txn, w, error);
                if (rows == NULL)
                        return FALSE;
                while ((step = db_rows_next(rows, error)) == DB_ROW) {
                        TraceRecord record = {
                                .message = (Id) db_int(rows, 0),
                                .at = db_int(rows, 1),
                                .origin = arena_strdup(arena, db_text(rows, 2)),
                                .client = arena_strdup(arena, db_text(rows, 3)),
                                .helo = arena_strdup(arena, db_text(rows, 4)),
                                .account = arena_strdup(arena, db_text(rows, 5)),
                                .sender = arena_strdup(arena, db_text(rows, 6)),
                                .message_id = arena_strdup(arena, db_text(rows, 7)),
                                .subject = arena_strdup(arena, db_text(rows, 8)),
                                .size = (guint64) db_int(rows, 9),
                                .times = 1,
                        };
                        g_array_append_val(found, record);
                }
                if (step == DB_ROW_FAILED)
                        return FALSE;
        }
        for (guint i = first; i < found->len; i++)
                if (!read_lines(txn, arena, &g_array_index(found, TraceRecord, i), error))
                        return FALSE;
        return TRUE;
}

static gboolean
find_refusals(DbTxn *txn, Arena *arena, const Wanted *w, GArray *found, GError **error)
{
        DbStep step;

        if (w->message != 0 || w->message_id != NULL)
                return TRUE;
        g_autoptr(DbRows) rows = db_query(txn, &FIND_REFUSALS, error, "issssi", (gint64) w->since, w->to, w->to,
                                          w->from, w->from, w->max);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                TraceRecipient *line = arena_new0(arena, TraceRecipient);
                const char **why = arena_new_array(arena, const char *, 1);
                if (line == NULL || why == NULL)
                        return fault(error, FAULT_BUSY, "too much to show at once: ask for less");
                why[0] = arena_strdup(arena, db_text(rows, 5));
                *line = (TraceRecipient){
                        .recipient = arena_strdup(arena, db_text(rows, 3)),
                        .outcome = "reject",
                        .status = arena_strdup(arena, db_text(rows, 4)),
                        .steps = why,
                        .n_steps = why[0] != NULL ? 1 : 0,
                };
                TraceRecord record = {
                        .at = db_int(rows, 0),
                        .client = arena_strdup(arena, db_text(rows, 1)),
                        .sender = arena_strdup(arena, db_text(rows, 2)),
                        .recipients = line,
                        .n_recipients = 1,
                        .times = (guint) db_int(rows, 6),
                };
                g_array_append_val(found, record);
        }
        return step == DB_ROW_END;
}

static int
compare_newest_first(gconstpointer a, gconstpointer b)
{
        Usec x = ((const TraceRecord *) a)->at, y = ((const TraceRecord *) b)->at;

        return (x < y) - (x > y);
}

gboolean
trace_find(Db *db, Arena *arena, const TraceFilter *filter, const TraceRecord **ret, gsize *ret_n, GError **error)
{
        g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(TraceRecord));
        Wanted w = filter_wanted(arena, filter);

        g_autoptr(DbTxn) txn = db_begin_read(db, error);
        if (txn == NULL || !find_records(txn, arena, &w, found, error) || !find_refusals(txn, arena, &w, found, error))
                return FALSE;
        g_array_sort(found, compare_newest_first);
        g_array_set_size(found, (guint) MIN((gint64) found->len, w.max));
        *ret = (const TraceRecord *) arena_copy(arena, span_make(found->data, found->len * sizeof(TraceRecord))).data;
        *ret_n = found->len;
        return !arena_is_over(arena) || fault(error, FAULT_BUSY, "too much to show at once: ask for less");
}

/* Purging ---------------------------------------------------------------------------------------------------------- */

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
        gint64 ids[PURGE_MESSAGES], left = PURGE_LINES;
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

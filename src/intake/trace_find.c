/* trace_find.c -- records and refusals found again. */
#include "intake/trace.h"

#include "base/text.h"
#include "db/textkey.h"

#include <jansson.h>

#define FIND_DEFAULT 100
#define FIND_MAX 1000

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

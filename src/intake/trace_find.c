/* trace_find.c -- records and refusals found again. */
#include "intake/trace.h"

#include "base/text.h"
#include "db/textkey.h"

#include <jansson.h>

#define FIRST_STEP 4 /* in the array of a line: see trace.c */
#define FIND_DEFAULT 100
#define FIND_MAX 1000

#define RECORD_COLUMNS                                                                                                 \
        "t.message, t.at, t.origin, t.client, t.helo, t.account, t.sender, t.message_id, t.subject, t.size, t.lines"   \
        " FROM trace t"

/* A filter that is not asked for is NULL or 0; the most selective one leads. Hashes collide, so the text is compared
 * too. */
#define FIND_KEY "t.message IN (" TEXTKEY_FIND("trace_key", "message") ")"
DB_SQL(FIND_BY_ID, "SELECT " RECORD_COLUMNS " WHERE t.message = ?");
DB_SQL(FIND_BY_MESSAGE_ID, "SELECT " RECORD_COLUMNS " WHERE " FIND_KEY
                           " AND t.message_id = ? AND t.at >= ? ORDER BY t.message DESC LIMIT ?");
DB_SQL(FIND_BY_TO, "SELECT " RECORD_COLUMNS " WHERE " FIND_KEY
                   " AND t.at >= ? AND (? IS NULL OR lower(t.sender) = ?) ORDER BY t.message DESC");
DB_SQL(FIND_BY_FROM, "SELECT " RECORD_COLUMNS " WHERE " FIND_KEY
                     " AND lower(t.sender) = ? AND t.at >= ? ORDER BY t.message DESC LIMIT ?");
DB_SQL(FIND_ALL, "SELECT " RECORD_COLUMNS " WHERE t.at >= ? ORDER BY t.message DESC LIMIT ?");
DB_SQL(FIND_LATER, "SELECT lines FROM trace_later WHERE message = ? ORDER BY position");
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
                return db_query(txn, &FIND_BY_TO, error, "iiss", textkey_hash(span_of(w->to)), (gint64) w->since,
                                w->from, w->from);
        if (w->from != NULL)
                return db_query(txn, &FIND_BY_FROM, error, "isii", textkey_hash(span_of(w->from)), w->from,
                                (gint64) w->since, w->max);
        return db_query(txn, &FIND_ALL, error, "ii", (gint64) w->since, w->max);
}

static gboolean
too_much(GError **error)
{
        return fault(error, FAULT_BUSY, "too much to show at once: ask for less");
}

static const char *
string_at(Arena *arena, const json_t *line, gsize i)
{
        return arena_strdup(arena, json_string_value(json_array_get(line, i)));
}

static gboolean
read_line(Arena *arena, const json_t *line, TraceRecipient *ret)
{
        gsize n = json_array_size(line) > FIRST_STEP ? json_array_size(line) - FIRST_STEP : 0;
        const char **steps = arena_new_array(arena, const char *, n);

        for (gsize i = 0; steps != NULL && i < n; i++)
                steps[i] = string_at(arena, line, FIRST_STEP + i);
        *ret = (TraceRecipient){
                .recipient = string_at(arena, line, 0),
                .outcome = string_at(arena, line, 1),
                .target = string_at(arena, line, 2),
                .status = string_at(arena, line, 3),
                .steps = steps,
                .n_steps = n,
        };
        return !arena_is_over(arena);
}

static gboolean
read_lines(Arena *arena, const char *text, GArray *lines)
{
        json_t *list = text != NULL ? json_loads(text, 0, NULL) : NULL;
        gboolean has_room = TRUE;

        for (gsize i = 0; has_room && i < json_array_size(list) && lines->len < FIND_MAX; i++) {
                TraceRecipient line;
                has_room = read_line(arena, json_array_get(list, i), &line);
                g_array_append_val(lines, line);
        }
        json_decref(list);
        return has_room;
}

/* Of the first try, `text`, and of those after it. */
static gboolean
read_recipients(DbTxn *txn, Arena *arena, const char *text, TraceRecord *record, GError **error)
{
        g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(TraceRecipient));
        g_autoptr(DbRows) rows = db_query(txn, &FIND_LATER, error, "i", (gint64) record->message);
        DbStep step = DB_ROW_FAILED;

        if (rows == NULL)
                return FALSE;
        if (!read_lines(arena, text, lines))
                return too_much(error);
        while ((step = db_rows_next(rows, error)) == DB_ROW)
                if (!read_lines(arena, db_text(rows, 0), lines))
                        return too_much(error);
        record->n_recipients = lines->len;
        record->recipients =
                (const TraceRecipient *) arena_copy(arena, span_make(lines->data, lines->len * sizeof(TraceRecipient)))
                        .data;
        return step == DB_ROW_END;
}

/* Another text may have the hash that was asked for. */
static gboolean
is_wanted(const Wanted *w, const TraceRecord *record)
{
        if (w->to == NULL || w->message != 0 || w->message_id != NULL)
                return TRUE;
        for (gsize i = 0; i < record->n_recipients; i++)
                if (record->recipients[i].recipient != NULL &&
                    g_ascii_strcasecmp(record->recipients[i].recipient, w->to) == 0)
                        return TRUE;
        return FALSE;
}

static gboolean
find_records(DbTxn *txn, Arena *arena, const Wanted *w, GArray *found, GError **error)
{
        g_autoptr(DbRows) rows = query_records(txn, w, error);
        DbStep step = rows != NULL ? DB_ROW : DB_ROW_FAILED;

        while (rows != NULL && found->len < w->max && (step = db_rows_next(rows, error)) == DB_ROW) {
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
                if (!read_recipients(txn, arena, db_text(rows, 10), &record, error))
                        return FALSE;
                if (is_wanted(w, &record))
                        g_array_append_val(found, record);
        }
        return step != DB_ROW_FAILED;
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
                        return too_much(error);
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
        return !arena_is_over(arena) || too_much(error);
}

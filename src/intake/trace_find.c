/* trace_find.c -- records and refusals found again. */
#include "intake/trace.h"

#include "base/text.h"
#include "db/textkey.h"

#include <jansson.h>

#define FIRST_STEP 4 /* in the array of a line: see trace.c */
#define FIND_DEFAULT 100
#define FIND_MAX 1000
#define SLICE_ROWS 5000                 /* of hashes, in one snapshot */
#define OUT_OF_ORDER_MAX USEC_PER_DAY /* ids are made when a message begins, its time when it is taken */

#define RECORD_COLUMNS                                                                                                 \
        "t.message, t.at, t.origin, t.client, t.helo, t.account, t.sender, t.message_id, t.subject, t.size, t.lines"   \
        " FROM trace t"

DB_SQL(FIND_BY_ID, "SELECT " RECORD_COLUMNS " WHERE t.message = ?");
DB_SQL(FIND_ALL, "SELECT " RECORD_COLUMNS " WHERE t.at >= ? ORDER BY t.message DESC LIMIT ?");
DB_SQL(FIND_HASHES, "SELECT message, hashes FROM trace_key WHERE message < ?1"
                    " UNION ALL SELECT message, hashes FROM trace_later WHERE message < ?1 ORDER BY message DESC");
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

/* One look for records, in slices: no snapshot is kept for long. */
typedef struct Search {
        Db *db;
        Arena *arena;
        const Wanted *w;
        GArray *found; /* TraceRecord */
        gint64 below;  /* ids from here on have been looked at */
        gboolean is_over;
} Search;

static gboolean
is_same(const char *wanted, const char *text)
{
        return wanted == NULL || (text != NULL && g_ascii_strcasecmp(wanted, text) == 0);
}

/* What can be told without the recipients. */
static gboolean
is_wanted(const Wanted *w, const DbRows *rows)
{
        return db_int(rows, 1) >= w->since && is_same(w->from, db_text(rows, 6)) &&
               (w->message_id == NULL || g_strcmp0(w->message_id, db_text(rows, 7)) == 0);
}

/* Another text may have the hash that was looked for. */
static gboolean
is_for(const Wanted *w, const TraceRecord *record)
{
        gboolean is_found = w->to == NULL;

        for (gsize i = 0; i < record->n_recipients && !is_found; i++)
                is_found = record->recipients[i].recipient != NULL && is_same(w->to, record->recipients[i].recipient);
        return is_found;
}

static gboolean
take_record(Search *s, DbTxn *txn, const DbRows *rows, GError **error)
{
        Arena *arena = s->arena;

        s->is_over |= db_int(rows, 1) < s->w->since - OUT_OF_ORDER_MAX;
        if (!is_wanted(s->w, rows))
                return TRUE;
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
        if (is_for(s->w, &record))
                g_array_append_val(s->found, record);
        s->is_over |= s->found->len >= s->w->max;
        return TRUE;
}

static gboolean
take_by_id(Search *s, DbTxn *txn, gint64 id, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &FIND_BY_ID, error, "i", id);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        return step == DB_ROW ? take_record(s, txn, rows, error) : step == DB_ROW_END;
}

/* A message that was tried again has several rows, beside each other: a slice does not end between them. */
static gboolean
search_slice(Search *s, guint32 hash, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(s->db, error);
        g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &FIND_HASHES, error, "i", s->below) : NULL;
        DbStep step = DB_ROW_FAILED;
        gint64 taken = 0;

        for (guint n = 0; rows != NULL && !s->is_over && (step = db_rows_next(rows, error)) == DB_ROW; n++) {
                gint64 id = db_int(rows, 0);
                if (n >= SLICE_ROWS && id != s->below)
                        return TRUE;
                s->below = id;
                if (id == taken || !textkey_has(db_bytes(rows, 1), hash))
                        continue;
                taken = id;
                if (!take_by_id(s, txn, id, error))
                        return FALSE;
        }
        s->is_over |= step == DB_ROW_END;
        return rows != NULL && step != DB_ROW_FAILED;
}

static gboolean
find_newest(Search *s, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(s->db, error);
        g_autoptr(DbRows) rows =
                txn != NULL ? db_query(txn, &FIND_ALL, error, "ii", (gint64) s->w->since, (gint64) s->w->max) : NULL;
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW)
                if (!take_record(s, txn, rows, error))
                        return FALSE;
        return step == DB_ROW_END;
}

/* The most selective text leads. */
static gboolean
find_records(Search *s, GError **error)
{
        const Wanted *w = s->w;
        const char *text = w->message_id != NULL ? w->message_id : w->to != NULL ? w->to : w->from;

        if (w->message != 0) {
                g_autoptr(DbTxn) txn = db_begin_read(s->db, error);
                return txn != NULL && take_by_id(s, txn, (gint64) w->message, error);
        }
        if (text == NULL)
                return find_newest(s, error);
        guint32 hash = textkey_hash(span_of(text));
        while (!s->is_over)
                if (!search_slice(s, hash, error))
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
        Search search = {.db = db, .arena = arena, .w = &w, .found = found, .below = G_MAXINT64};

        if (!find_records(&search, error))
                return FALSE;
        g_autoptr(DbTxn) txn = db_begin_read(db, error);
        if (txn == NULL || !find_refusals(txn, arena, &w, found, error))
                return FALSE;
        g_array_sort(found, compare_newest_first);
        g_array_set_size(found, (guint) MIN((gint64) found->len, w.max));
        *ret = (const TraceRecord *) arena_copy(arena, span_make(found->data, found->len * sizeof(TraceRecord))).data;
        *ret_n = found->len;
        return !arena_is_over(arena) || too_much(error);
}

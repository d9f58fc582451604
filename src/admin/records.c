/* records.c -- the stream of messages of an import, bounded. */
#include "admin/records.h"
#include "admin/internal.h"
#include "base/scan.h"
#include "base/text.h"
#include "store/import.h"
#include "store/view.h"

#define RECORD_DEPTH 2

void
records_init(Records *records, gssize (*read)(void *buffer, gsize len, gpointer data, GError **error), gpointer data)
{
        *records = (Records){.read = read, .data = data, .buffer = g_malloc(RECORD_BUFFER)};
}

void
records_done(Records *records)
{
        g_clear_pointer(&records->buffer, g_free);
}

/* More octets behind those that wait. FALSE: a fault; *ret_is_end: nothing more comes. */
static gboolean
fill(Records *r, gboolean *ret_is_end, GError **error)
{
        if (r->at > 0) {
                memmove(r->buffer, r->buffer + r->at, r->len - r->at);
                r->len -= r->at;
                r->at = 0;
        }
        gssize n = r->read(r->buffer + r->len, RECORD_BUFFER - r->len, r->data, error);
        if (n < 0)
                return FALSE;
        *ret_is_end = n == 0;
        r->len += (gsize) n;
        return TRUE;
}

/* A line without its end; lives until the next call. At the end of the stream: RECORD_END. */
static RecordAnswer
line(Records *r, gsize max, Span *ret, GError **error)
{
        for (;;) {
                gsize waiting = r->len - r->at;
                const guint8 *lf = waiting > 0 ? memchr(r->buffer + r->at, '\n', MIN(waiting, max + 1)) : NULL;
                gboolean is_end;

                if (lf != NULL) {
                        *ret = span_make(r->buffer + r->at, (gsize) (lf - r->buffer) - r->at);
                        r->at += ret->len + 1;
                        return RECORD_OK;
                }
                if (waiting > max)
                        return fault(error, FAULT_INPUT, "a line of the stream is too long"), RECORD_FAILED;
                if (!fill(r, &is_end, error))
                        return RECORD_FAILED;
                if (is_end && waiting > 0)
                        return fault(error, FAULT_INPUT, "the stream ends within a line"), RECORD_FAILED;
                if (is_end)
                        return RECORD_END;
        }
}

/* The head of a record --------------------------------------------------------------------------------------------- */

gboolean
record_is_keyword(Span name)
{
        for (gsize i = 0; i < name.len; i++)
                if (name.data[i] <= ' ' || name.data[i] >= 0x7f || strchr("(){%*\"\\]", name.data[i]) != NULL)
                        return FALSE;
        return name.len > 0 && name.len <= KEYWORD_OCTETS_MAX;
}

static gboolean
read_flag(Arena *arena, const char *text, Span *keywords, Record *record)
{
        static const struct {
                const char *name;
                EntryFlag flag;
        } SYSTEM[] = {{"\\Seen", FLAG_SEEN},
                      {"\\Answered", FLAG_ANSWERED},
                      {"\\Flagged", FLAG_FLAGGED},
                      {"\\Deleted", FLAG_DELETED},
                      {"\\Draft", FLAG_DRAFT}};

        for (gsize i = 0; i < G_N_ELEMENTS(SYSTEM); i++)
                if (span_is(span_of(text), SYSTEM[i].name)) {
                        record->flags |= SYSTEM[i].flag;
                        return TRUE;
                }
        if (!record_is_keyword(span_of(text)))
                return FALSE;
        keywords[record->n_keywords] = arena_copy(arena, span_of(text));
        return keywords[record->n_keywords++].data != NULL;
}

static gboolean
read_flags(Arena *arena, const json_t *flags, Record *record)
{
        Span *keywords = arena_new_array(arena, Span, RECORD_KEYWORDS_MAX);
        gsize n = json_array_size(flags);

        if (keywords == NULL || !json_is_array(flags) || n > RECORD_KEYWORDS_MAX)
                return FALSE;
        record->keywords = keywords;
        for (gsize i = 0; i < n; i++) {
                const char *text = json_string_value(json_array_get(flags, i));
                if (text == NULL || !read_flag(arena, text, keywords, record))
                        return FALSE;
        }
        return TRUE;
}

static gboolean
read_head(Arena *arena, const json_t *head, Record *ret)
{
        const char *key = json_string_value(json_object_get(head, "key"));
        json_int_t uid = json_integer_value(json_object_get(head, "uid"));
        json_int_t received = json_integer_value(json_object_get(head, "received"));

        if (key == NULL || *key == '\0' || strlen(key) > IMPORT_KEY_OCTETS_MAX || uid < 0 || uid > G_MAXUINT32)
                return FALSE;
        ret->key = arena_strdup(arena, key);
        ret->uid = (guint32) uid;
        ret->received = MAX(received, 0);
        return ret->key != NULL && read_flags(arena, json_object_get(head, "flags"), ret);
}

RecordAnswer
records_next(Records *r, Arena *arena, Record *ret, GError **error)
{
        Record record = {0};
        Span text;

        g_assert(!r->is_in_record);
        RecordAnswer answer = line(r, RECORD_LINE_MAX, &text, error);
        if (answer != RECORD_OK)
                return answer;
        json_t *head = wire_parse(text, RECORD_DEPTH);
        gboolean is_understood = head != NULL && read_head(arena, head, &record);
        json_decref(head);
        if (!is_understood)
                return fault(error, FAULT_INPUT, "what stands before a message is not understood"), RECORD_FAILED;
        *ret = record;
        r->is_in_record = TRUE;
        r->piece_left = 0;
        return RECORD_OK;
}

/* Its octets ------------------------------------------------------------------------------------------------------- */

static RecordAnswer
next_piece(Records *r, GError **error)
{
        guint64 octets;
        Span text;
        RecordAnswer answer = line(r, 16, &text, error);

        if (answer == RECORD_FAILED)
                return RECORD_FAILED;
        if (answer == RECORD_OK && span_is(text, "-")) {
                r->is_in_record = FALSE;
                return RECORD_LEFT_OUT;
        }
        if (answer == RECORD_END || !span_to_number(text, RECORD_BUFFER, &octets))
                return fault(error, FAULT_INPUT, "a message of the stream is cut off"), RECORD_FAILED;
        r->piece_left = (gsize) octets;
        r->is_in_record = octets > 0;
        return octets > 0 ? RECORD_OK : RECORD_END;
}

RecordAnswer
records_read(Records *r, Span *ret, GError **error)
{
        RecordAnswer answer = r->piece_left > 0 ? RECORD_OK : next_piece(r, error);
        gboolean is_end = FALSE;

        if (answer != RECORD_OK)
                return answer;
        if (r->at == r->len && !fill(r, &is_end, error))
                return RECORD_FAILED;
        if (is_end)
                return fault(error, FAULT_INPUT, "a message of the stream is cut off"), RECORD_FAILED;
        *ret = span_make(r->buffer + r->at, MIN(r->piece_left, r->len - r->at));
        r->at += ret->len;
        r->piece_left -= ret->len;
        return RECORD_OK;
}

/* header.c -- the fields of a header block, by offsets. */
#include "mail/header.h"

#include "mail/internal.h"

#define FIELDS_FIRST 64

/* What a field name is made of: printable ASCII without the colon (RFC 5322 §2.2). */
static const OctetClass NAME_OCTETS = {{0xfbfffffe00000000, 0x7fffffffffffffff, 0, 0}};

/* The usual header fits into `first`, and is copied to the arena once, in its size. */
typedef struct FieldList {
        Arena *arena;
        Field *fields;
        gsize n, room, max;
        Field first[FIELDS_FIRST];
} FieldList;

typedef enum Added {
        ADDED_FAILED = 0, /* the arena is over */
        ADDED_FULL,
        ADDED,
} Added;

static Added
field_list_add(FieldList *l, const Field *field)
{
        if (l->n >= l->max)
                return ADDED_FULL;
        if (l->n == l->room) {
                gsize room = MIN(l->room * 4, MESSAGE_FIELDS_MAX);
                Field *fields = arena_new_array(l->arena, Field, room);

                if (fields == NULL)
                        return ADDED_FAILED;
                memcpy(fields, l->fields, l->n * sizeof(Field));
                l->fields = fields;
                l->room = room;
        }
        l->fields[l->n++] = *field;
        return ADDED;
}

static gboolean
field_list_finish(FieldList *l, Header *ret)
{
        if (l->fields == l->first && l->n > 0) {
                l->fields = arena_new_array(l->arena, Field, l->n);
                if (l->fields == NULL)
                        return FALSE;
                memcpy(l->fields, l->first, l->n * sizeof(Field));
        }
        ret->fields = l->n > 0 ? l->fields : NULL;
        ret->n_fields = l->n;
        return TRUE;
}

/* The line that begins at `at`, with its end. */
static Span
line_at(Span text, gsize at)
{
        const guint8 *from = text.data + at;
        const guint8 *lf = memchr(from, '\n', text.len - at);

        return span_make(from, lf != NULL ? (gsize) (lf + 1 - from) : text.len - at);
}

static gboolean
line_is_empty(Span line)
{
        return line.data[0] == '\n' || (line.len == 2 && line.data[0] == '\r' && line.data[1] == '\n');
}

/* "name:" or, in obsolete syntax, "name :" (RFC 5322 §4.5). */
static gboolean
line_is_field(Span line, gsize *ret_name_len, gsize *ret_body)
{
        Scan s = scan_from(line);
        Span name;

        if (!scan_run(&s, &NAME_OCTETS, G_MAXSIZE, &name))
                return FALSE;
        scan_skip_run(&s, &CLASS_WSP);
        if (!scan_octet(&s, ':'))
                return FALSE;
        *ret_name_len = name.len;
        *ret_body = (gsize) (s.at - line.data);
        return TRUE;
}

/* The line that mbox files put above a message, bare or quoted. */
static gboolean
line_is_mbox(Span line)
{
        Scan s = scan_from(line);

        scan_octet(&s, '>');
        return scan_left(&s) > 5 && memcmp(s.at, "From ", 5) == 0;
}

typedef struct Reader {
        FieldList list;
        Header header;
        gboolean is_open;   /* the last field listed takes continuation lines */
        gboolean has_field; /* some field was seen, listed or not             */
        gboolean is_headless;
} Reader;

static gboolean
take_continuation(Reader *r, gsize end)
{
        if (!r->is_open)
                return TRUE;
        if (end > MESSAGE_HEADER_MAX) {
                r->list.n--; /* a field cut in the middle would be another field */
                r->is_open = FALSE;
                r->header.is_truncated = TRUE;
        } else {
                r->list.fields[r->list.n - 1].end = (guint32) end;
        }
        return TRUE;
}

static gboolean
take_field(Reader *r, gsize start, gsize name_len, gsize body, gsize end)
{
        Added added = ADDED_FULL;

        r->has_field = TRUE;
        if (end <= MESSAGE_HEADER_MAX && !r->header.is_truncated)
                added = field_list_add(&r->list, &(Field){(guint32) start, (guint32) name_len, (guint32) (start + body),
                                                          (guint32) end});
        r->is_open = added == ADDED;
        r->header.is_truncated = r->header.is_truncated || added == ADDED_FULL;
        return added != ADDED_FAILED;
}

/* One line that ends neither block nor part. FALSE: the arena is over. */
static gboolean
take_line(Reader *r, Span line, gsize at)
{
        gboolean is_continuation = octet_in(&CLASS_WSP, line.data[0]) && r->has_field;
        gsize name_len, body;

        if (is_continuation)
                return take_continuation(r, at + line.len);
        if (line_is_field(line, &name_len, &body))
                return take_field(r, at, name_len, body, at + line.len);
        if (!r->has_field && !line_is_mbox(line))
                r->is_headless = TRUE;
        r->is_open = FALSE;
        r->header.has_junk = TRUE;
        return TRUE;
}

gboolean
header_read(Arena *arena, Span text, const Boundaries *until, gsize max_fields, Header *ret, gsize *ret_n_lf)
{
        Reader r = {.list = {.arena = arena, .room = FIELDS_FIRST, .max = max_fields}};
        gboolean is_end = FALSE, is_last;
        gsize at = 0, n_lf = 0;

        r.list.fields = r.list.first;
        while (at < text.len && !is_end) {
                Span line = line_at(text, at);

                is_end = line_is_empty(line);
                if (until != NULL && line.data[0] == '-' && boundaries_match(until, line, &is_last) >= 0)
                        break;
                if (!is_end && !take_line(&r, line, at))
                        return FALSE;
                if (r.is_headless)
                        break;
                at += line.len;
                n_lf += line.data[line.len - 1] == '\n';
        }
        if (r.is_headless) {
                *ret = (Header){.text = span_slice(text, 0, 0), .has_junk = TRUE};
                *ret_n_lf = 0;
                return TRUE;
        }
        r.header.text = span_slice(text, 0, at);
        r.header.body_offset = at;
        if (!field_list_finish(&r.list, &r.header))
                return FALSE;
        *ret = r.header;
        *ret_n_lf = n_lf;
        return TRUE;
}

gboolean
header_parse(Arena *arena, Span text, Header *ret)
{
        gsize n_lf;

        return header_read(arena, text, NULL, MESSAGE_FIELDS_MAX, ret, &n_lf);
}

Span
header_field_name(const Header *h, const Field *f)
{
        return span_slice(h->text, f->start, f->start + f->name_len);
}

Span
header_field_body(const Header *h, const Field *f)
{
        return span_slice(h->text, f->body, f->end);
}

const Field *
header_find(const Header *h, const char *name, gsize nth)
{
        Span wanted = span_of(name);

        for (gsize i = 0; i < h->n_fields; i++) {
                const Field *f = &h->fields[i];

                if (f->name_len == wanted.len && span_equal_nocase(header_field_name(h, f), wanted) && nth-- == 0)
                        return f;
        }
        return NULL;
}

Span
header_body_of(const Header *h, const char *name)
{
        const Field *f = header_find(h, name, 0);

        return f != NULL ? header_field_body(h, f) : SPAN_EMPTY;
}

Span
header_unfold(Arena *arena, Span body)
{
        Scan s = scan_from(span_trim(body));
        gsize n = 0;

        if (scan_at_end(&s) || memchr(s.at, '\n', scan_left(&s)) == NULL)
                return scan_rest(&s);
        guint8 *out = arena_alloc(arena, scan_left(&s));
        if (out == NULL)
                return SPAN_EMPTY;
        for (Span line; scan_line(&s, &line);) {
                line = span_trim(line);
                if (line.len == 0)
                        continue;
                if (n > 0)
                        out[n++] = ' ';
                memcpy(out + n, line.data, line.len);
                n += line.len;
        }
        return span_make(out, n);
}

Span
header_decode(Arena *arena, Span body)
{
        return decode_line(arena, header_unfold(arena, body));
}

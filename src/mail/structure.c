/* structure.c -- the MIME tree in one pass (RFC 2046 §5.1).
 *
 * A stack holds what is open: containers, and at the top the leaf being read. Lines that begin with "--" are compared
 * with the boundaries on the stack; all others only end at the next LF. A boundary of an outer container closes
 * everything inside it, wherever it stands, in a part's header too.
 */
#include "mail/mime.h"

#include "mail/internal.h"

#define PARTS_FIRST 16
#define FIELDS_TOTAL_MAX 20000               /* over all parts                                                  */
#define MEMORY_MAX ((gsize) 3 * 1024 * 1024) /* beyond it nothing is opened any more, so that 4 MiB always do */

typedef struct Open {
        guint32 part;
        gsize n_lf; /* line ends in front of its body */
} Open;

typedef struct Walk {
        Arena *arena;
        gsize used_before; /* of the arena, by others */
        Span text;
        gsize at;   /* always the start of a line */
        gsize n_lf; /* line ends before `at` */
        Part *parts;
        gsize n_parts, room, fields_left;
        Open open[MESSAGE_DEPTH_MAX + 2];
        guint n_open;
        Boundaries
                boundaries; /* boundaries.open[i] belongs to open[i]; empty where it has none, or its last was seen */
        gboolean is_truncated;
} Walk;

/* Boundary lines ------------------------------------------------------------------------------------------------- */

int
boundaries_match(const Boundaries *b, Span line, gboolean *ret_is_last)
{
        while (line.len > 2 && octet_in(&CLASS_FOLD, line.data[line.len - 1]))
                line.len--;
        if (line.len < 3 || line.data[0] != '-' || line.data[1] != '-')
                return -1;

        Span whole = span_slice(line, 2, line.len);
        gboolean ends = whole.len > 2 && memcmp(whole.data + whole.len - 2, "--", 2) == 0;
        for (int i = (int) b->n - 1; i >= 0; i--) {
                Span open = b->open[i];

                if (open.len == 0)
                        continue;
                *ret_is_last = ends && open.len == whole.len - 2;
                if (span_equal(open, whole) || (*ret_is_last && memcmp(open.data, whole.data, open.len) == 0))
                        return i;
        }
        return -1;
}

/* Parts ---------------------------------------------------------------------------------------------------------- */

static Part *
add_part(Walk *w)
{
        if (w->n_parts == w->room) {
                gsize room = MIN(w->room * 4, MESSAGE_PARTS_MAX);
                Part *parts = arena_new_array(w->arena, Part, room);

                if (parts == NULL)
                        return NULL;
                memcpy(parts, w->parts, w->n_parts * sizeof(Part));
                w->parts = parts;
                w->room = room;
        }
        w->parts[w->n_parts] = (Part){.n_lines = 0};
        return &w->parts[w->n_parts++];
}

static gboolean
is_type(const ContentType *t, const char *type, const char *subtype)
{
        return span_is(t->type, type) && (subtype == NULL || span_is(t->subtype, subtype));
}

/* Whether the body is octets in disguise: then there is nothing to look into (RFC 2046 §5.2.1 forbids it, RFC 6532 §3.5
 * allows it for message/global). */
static gboolean
is_encoded(const Header *h)
{
        TransferEncoding encoding = transfer_encoding_parse(header_body_of(h, "Content-Transfer-Encoding"));

        return encoding == TRANSFER_BASE64 || encoding == TRANSFER_QUOTED_PRINTABLE;
}

/* The type by its field, or the default of its container (RFC 2046 §5.1.5). FALSE: the arena is over. */
static gboolean
read_type(Walk *w, Part *p)
{
        const Field *field = header_find(&p->header, "Content-Type", 0);
        const Part *parent = &w->parts[p->parent];

        if (field == NULL && parent != p && is_type(&parent->type, "multipart", "digest")) {
                p->type = (ContentType){.type = span_of("message"), .subtype = span_of("rfc822")};
                return TRUE;
        }
        Span body = field != NULL ? header_field_body(&p->header, field) : SPAN_EMPTY;
        return content_type_parse(w->arena, body, &p->type) || !arena_is_over(w->arena);
}

static gboolean
may_open(const Walk *w, const Part *p)
{
        return p->depth < MESSAGE_DEPTH_MAX && w->n_parts < MESSAGE_PARTS_MAX &&
               arena_used_octets(w->arena) - w->used_before < MEMORY_MAX;
}

/* Decide whether the part has children; the boundary to look for, empty where there is none. */
static Span
classify(Walk *w, Part *p)
{
        Span boundary = SPAN_EMPTY;

        if (is_type(&p->type, "multipart", NULL)) {
                boundary = param_find(p->type.params, p->type.n_params, "boundary");
                while (boundary.len > 0 && octet_in(&CLASS_FOLD, boundary.data[boundary.len - 1]))
                        boundary.len--;
                p->is_multipart = boundary.len > 0 && boundary.len <= BOUNDARY_MAX;
        } else if (is_type(&p->type, "message", "rfc822") || is_type(&p->type, "message", "global")) {
                p->is_message = !is_encoded(&p->header);
        }
        if ((p->is_multipart || p->is_message) && !may_open(w, p)) {
                p->is_multipart = p->is_message = FALSE;
                p->is_opaque = w->is_truncated = TRUE;
        }
        return p->is_multipart ? boundary : SPAN_EMPTY;
}

/* Read the header of a part that begins here and put it on the stack. FALSE: the arena is over. */
static gboolean
open_one(Walk *w, guint32 parent, guint16 depth, gboolean *ret_is_message)
{
        Part *p = add_part(w);
        gsize n_lf = 0;

        if (p == NULL)
                return FALSE;
        p->parent = parent;
        p->depth = depth;
        p->header_start = w->at;
        if (!header_read(w->arena, span_slice(w->text, w->at, w->text.len), &w->boundaries,
                         MIN(w->fields_left, MESSAGE_FIELDS_MAX), &p->header, &n_lf))
                return FALSE;
        w->at += p->header.body_offset;
        w->n_lf += n_lf;
        w->fields_left -= p->header.n_fields;
        w->is_truncated = w->is_truncated || p->header.is_truncated;
        p->body_start = w->at;
        if (!read_type(w, p))
                return FALSE;

        w->open[w->n_open] = (Open){(guint32) (p - w->parts), w->n_lf};
        w->boundaries.open[w->n_open] = classify(w, p);
        w->boundaries.n = ++w->n_open;
        *ret_is_message = p->is_message;
        return TRUE;
}

/* A part and, where it is a message, the message in it, and so on. */
static gboolean
open_part(Walk *w, guint32 parent, guint16 depth)
{
        gboolean is_message = FALSE;

        if (!open_one(w, parent, depth, &is_message))
                return FALSE;
        while (is_message) {
                guint32 container = w->open[w->n_open - 1].part;

                if (!open_one(w, container, (guint16) (w->parts[container].depth + 1), &is_message))
                        return FALSE;
        }
        return TRUE;
}

/* Close all that is open above so many, at the line that begins here; its line end belongs to a boundary (RFC 2046
 * §5.1.1). */
static void
close_to(Walk *w, guint n_open, gboolean at_boundary)
{
        const guint8 *data = w->text.data;
        gsize end = w->at, n_lf = w->n_lf;

        if (at_boundary && end > 0) {
                end--;
                n_lf--;
                if (end > 0 && data[end - 1] == '\r')
                        end--;
        }
        while (w->n_open > n_open) {
                const Open *o = &w->open[--w->n_open];
                Part *p = &w->parts[o->part];

                /* The boundary may have ended the header, or stood right behind another one: its line end is not
                 * theirs. */
                p->header_start = MIN(p->header_start, end);
                p->body_start = MIN(p->body_start, end);
                p->end = end;
                p->header.body_offset = p->body_start - p->header_start;
                p->header.text = span_slice(p->header.text, 0, p->header.body_offset);
                if (end > p->body_start)
                        p->n_lines = (guint32) (n_lf - o->n_lf + (data[end - 1] != '\n'));
        }
        w->boundaries.n = w->n_open;
}

/* The container that is innermost now has too many parts: it becomes one opaque leaf, open until its own end. */
static void
make_opaque(Walk *w)
{
        guint32 container = w->open[w->n_open - 1].part;
        Part *p = &w->parts[container];

        p->is_multipart = FALSE;
        p->is_opaque = w->is_truncated = TRUE;
        w->n_parts = container + 1;
        w->boundaries.open[w->n_open - 1] = SPAN_EMPTY;
}

/* The line at the cursor, with its end. */
static Span
line_here(const Walk *w)
{
        const guint8 *from = w->text.data + w->at;
        const guint8 *lf = memchr(from, '\n', w->text.len - w->at);

        return span_make(from, lf != NULL ? (gsize) (lf + 1 - from) : w->text.len - w->at);
}

static void
pass(Walk *w, Span line)
{
        w->at += line.len;
        w->n_lf += line.data[line.len - 1] == '\n';
}

/* At a boundary line of open[level]. */
static gboolean
take_boundary(Walk *w, Span line, guint level, gboolean is_last)
{
        guint32 container = w->open[level].part;

        close_to(w, level + 1, TRUE);
        pass(w, line);
        if (is_last) {
                w->boundaries.open[level] = SPAN_EMPTY;
                return TRUE;
        }
        if (w->n_parts >= MESSAGE_PARTS_MAX || arena_used_octets(w->arena) - w->used_before > MEMORY_MAX) {
                make_opaque(w);
                return TRUE;
        }
        return open_part(w, container, (guint16) (w->parts[container].depth + 1));
}

static gboolean
walk(Walk *w)
{
        gboolean is_last = FALSE;

        if (!open_part(w, 0, 0))
                return FALSE;
        while (w->at < w->text.len) {
                Span line = line_here(w);
                gboolean may_match = line.len > 2 && line.data[0] == '-' && line.data[1] == '-';
                int level = may_match ? boundaries_match(&w->boundaries, line, &is_last) : -1;

                if (level < 0)
                        pass(w, line);
                else if (!take_boundary(w, line, (guint) level, is_last))
                        return FALSE;
        }
        close_to(w, 0, FALSE);
        return TRUE;
}

gboolean
message_parse(Arena *arena, Span message, Structure *ret)
{
        Walk w = {.arena = arena,
                  .text = message,
                  .room = PARTS_FIRST,
                  .fields_left = FIELDS_TOTAL_MAX,
                  .used_before = arena_used_octets(arena)};

        w.parts = arena_new_array(arena, Part, w.room);
        if (w.parts == NULL || !walk(&w))
                return FALSE;
        *ret = (Structure){w.parts, w.n_parts, w.is_truncated};
        return TRUE;
}

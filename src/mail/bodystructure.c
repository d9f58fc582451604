/* bodystructure.c -- the section of BODYSTRUCTURE and of the places of the parts.
 *
 *     octet   SUMMARY_FORMAT
 *     varint  octets of the table;  for each part, in document order:
 *                 octet   flags: 1 multipart, 2 message, 4 attachment; from bit 4 the TransferEncoding
 *                 varint  depth
 *                 varint  start of the header behind the start of the body of the part before
 *                 varint  octets of the header; varint octets of the body; varint lines of the body
 *                 varint  octets, and text, of each of type, subtype, charset
 *     varint  octets of the cuts;  for each: varint octets since the last one, varint octets of it
 *     the rest is BODYSTRUCTURE as it goes on the wire; without the cuts, which are its extension data, it is BODY
 *
 * 1. There is a first part, at depth 0; all others are deeper.
 * 2. Depths rise by one at most; what follows a multipart or message one deeper belongs to it.
 * 3. A multipart has at least one part in it, a message exactly one.
 */
#include "mail/summary_internal.h"

#include "base/text.h"

#define TYPE_MAX 127 /* octets of a type or subtype (RFC 6838 §4.2) */
#define CHARSET_MAX 64
#define OFFSET_MAX ((guint64) 1 << 48)

enum {
        PART_IS_MULTIPART = 1,
        PART_IS_MESSAGE = 2,
        PART_IS_ATTACHMENT = 4,
        PART_ENCODING_SHIFT = 4,
};

#define EMPTY_ENVELOPE "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

/* Making: the table ---------------------------------------------------------------------------------------------- */

typedef struct Maker {
        Arena *arena; /* for one field at a time, made for the first */
        Wire *w;
        Octets *table, *cuts;
        gsize cut_end;      /* end of the last cut on the wire */
        guint64 body_start; /* of the part before              */
        const Part *open[MESSAGE_DEPTH_MAX + 2];
        guint n_open;
} Maker;

static void
maker_done(Maker *m)
{
        arena_free(m->arena);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Maker, maker_done)

static void
add_text(Octets *o, Span text, gsize max)
{
        text = span_slice(text, 0, max);
        octets_add_varint(o, text.len);
        for (gsize i = 0; i < text.len; i++)
                octets_add_octet(o, octet_lower(text.data[i]));
}

static void
add_place(Maker *m, const PartPlace *p)
{
        guint8 flags =
                (guint8) ((p->is_multipart ? PART_IS_MULTIPART : 0) | (p->is_message ? PART_IS_MESSAGE : 0) |
                          (p->is_attachment ? PART_IS_ATTACHMENT : 0) | (guint8) p->encoding << PART_ENCODING_SHIFT);

        octets_add_octet(m->table, flags);
        octets_add_varint(m->table, p->depth);
        octets_add_varint(m->table, p->header_start - m->body_start);
        octets_add_varint(m->table, p->body_start - p->header_start);
        octets_add_varint(m->table, p->end - p->body_start);
        octets_add_varint(m->table, p->n_lines);
        add_text(m->table, p->type, TYPE_MAX);
        add_text(m->table, p->subtype, TYPE_MAX);
        add_text(m->table, p->charset, CHARSET_MAX);
        m->body_start = p->body_start;
}

/* RFC 2183 §2.8: a kind that is not known, or can't be read, is an attachment. */
static gboolean
is_attachment(const FieldIndex *index)
{
        Scan s = scan_from(field_body(index, FIELD_CONTENT_DISPOSITION));
        Span kind = SPAN_EMPTY;

        scan_skip_cfws(&s);
        if (scan_at_end(&s))
                return FALSE;
        scan_run(&s, &CLASS_TOKEN, G_MAXSIZE, &kind);
        return !span_is(kind, "inline");
}

static PartPlace
place_of(const Part *p, const FieldIndex *index, gboolean is_container)
{
        return (PartPlace){
                .header_start = p->header_start,
                .body_start = p->body_start,
                .end = p->end,
                .n_lines = p->n_lines,
                .depth = p->depth,
                .is_multipart = is_container && !p->is_message,
                .is_message = p->is_message,
                .is_attachment = is_attachment(index),
                .encoding = transfer_encoding_parse(field_body(index, FIELD_CONTENT_TRANSFER_ENCODING)),
                .type = p->type.type,
                .subtype = p->type.subtype,
                .charset = param_find(p->type.params, p->type.n_params, "charset"),
        };
}

/* Making: the wire ----------------------------------------------------------------------------------------------- */

static void
begin_cut(Maker *m)
{
        octets_add_varint(m->cuts, m->w->out.len - m->cut_end);
        m->cut_end = m->w->out.len;
}

static void
end_cut(Maker *m)
{
        octets_add_varint(m->cuts, m->w->out.len - m->cut_end);
        m->cut_end = m->w->out.len;
}

/* What can't be put together within the arena has no parameters. */
static gsize
read_params(Maker *m, Span body, const Param **ret)
{
        gsize n = 0;

        if (m->arena == NULL)
                m->arena = arena_new(256 * 1024);
        arena_reset(m->arena);
        return params_parse_raw(m->arena, body, ret, &n) ? n : 0;
}

static void
add_params(Maker *m, Span body, gboolean wants_charset)
{
        const Param *params = NULL;
        gsize n = 0;
        gboolean has_any = FALSE;

        if (body.len > 0)
                n = read_params(m, body, &params);
        for (gsize i = 0; i < n; i++) {
                if (params[i].name.len + params[i].value.len > m->w->left)
                        continue;
                wire_add(m->w, has_any ? " " : "(");
                wire_add_string(m->w, params[i].name);
                wire_add(m->w, " ");
                wire_add_string(m->w, params[i].value);
                wants_charset =
                        wants_charset && !span_is(params[i].name, "charset") && !span_is(params[i].name, "charset*");
                has_any = TRUE;
        }
        if (wants_charset) {
                wire_add(m->w, has_any ? " \"charset\" \"us-ascii\"" : "(\"charset\" \"us-ascii\"");
                has_any = TRUE;
        }
        wire_add(m->w, has_any ? ")" : "NIL");
}

/* Content-Type, as far as the structure believes it: a broken one is text/plain without parameters. A text has a
 * charset (RFC 2046 §4.1.2). */
static void
add_type_params(Maker *m, const Part *p, const FieldIndex *index)
{
        Span body = p->type.n_params > 0 ? field_body(index, FIELD_CONTENT_TYPE) : SPAN_EMPTY;

        add_params(m, body, span_is(p->type.type, "text"));
}

static void
add_disposition(Maker *m, const FieldIndex *index)
{
        Span body = field_body(index, FIELD_CONTENT_DISPOSITION);
        Scan s = scan_from(body);
        Span kind;

        scan_skip_cfws(&s);
        if (!scan_run(&s, &CLASS_TOKEN, TYPE_MAX, &kind)) {
                wire_add(m->w, "NIL");
                return;
        }
        wire_add(m->w, "(\"");
        octets_add(&m->w->out, kind);
        wire_add(m->w, "\" ");
        add_params(m, body, FALSE);
        wire_add(m->w, ")");
}

/* "en, de" (RFC 3282 §2). */
static void
add_languages(Maker *m, const FieldIndex *index)
{
        Scan s = scan_from(field_body(index, FIELD_CONTENT_LANGUAGE));
        gboolean has_any = FALSE;
        Span language;

        while (!scan_at_end(&s) && m->w->left > TYPE_MAX) {
                scan_skip_cfws(&s);
                if (scan_run(&s, &CLASS_TOKEN, TYPE_MAX, &language)) {
                        wire_add(m->w, has_any ? " " : "(");
                        wire_add_string(m->w, language);
                        has_any = TRUE;
                } else {
                        scan_skip(&s, 1);
                }
        }
        wire_add(m->w, has_any ? ")" : "NIL");
}

/* What both kinds of extension data end with: disposition, languages, location. */
static void
add_common_extension(Maker *m, const FieldIndex *index)
{
        wire_add(m->w, " ");
        add_disposition(m, index);
        wire_add(m->w, " ");
        add_languages(m, index);
        wire_add(m->w, " ");
        wire_add_field(m->w, index, FIELD_CONTENT_LOCATION);
}

static void
add_extension(Maker *m, const FieldIndex *index)
{
        begin_cut(m);
        wire_add(m->w, " ");
        wire_add_field(m->w, index, FIELD_CONTENT_MD5);
        add_common_extension(m, index);
        end_cut(m);
}

static void
add_encoding(Maker *m, const FieldIndex *index)
{
        Scan s = scan_from(field_body(index, FIELD_CONTENT_TRANSFER_ENCODING));
        Span word = span_of("7bit");

        scan_skip_cfws(&s);
        scan_run(&s, &CLASS_TOKEN, TYPE_MAX, &word);
        wire_add_string(m->w, m->w->left >= word.len ? word : SPAN_EMPTY);
}

static void
add_type(Maker *m, Span type)
{
        type = span_slice(type, 0, TYPE_MAX);
        wire_add(m->w, "\"");
        octets_add(&m->w->out, type);
        wire_add(m->w, "\"");
}

/* Everything up to the size in octets, with the opening parenthesis. */
static void
add_basics(Maker *m, const Part *p, const FieldIndex *index)
{
        wire_add(m->w, "(");
        add_type(m, p->type.type);
        wire_add(m->w, " ");
        add_type(m, p->type.subtype);
        wire_add(m->w, " ");
        add_type_params(m, p, index);
        wire_add(m->w, " ");
        wire_add_field(m->w, index, FIELD_CONTENT_ID);
        wire_add(m->w, " ");
        wire_add_field(m->w, index, FIELD_CONTENT_DESCRIPTION);
        wire_add(m->w, " ");
        add_encoding(m, index);
        wire_add(m->w, " ");
        wire_add_number(m->w, p->end - p->body_start);
}

/* A text of which nothing is known, and that has no header. */
static void
add_bare_text(Maker *m, guint64 octets, guint64 lines)
{
        wire_add(m->w, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"8bit\" ");
        wire_add_number(m->w, octets);
        wire_add(m->w, " ");
        wire_add_number(m->w, lines);
        begin_cut(m);
        wire_add(m->w, " NIL NIL NIL NIL");
        end_cut(m);
        wire_add(m->w, ")");
}

static void
end_message(Maker *m, const Part *p, const FieldIndex *index)
{
        wire_add(m->w, " ");
        wire_add_number(m->w, p->n_lines);
        add_extension(m, index);
        wire_add(m->w, ")");
}

static void
end_multipart(Maker *m, const Part *p, const FieldIndex *index)
{
        wire_add(m->w, " ");
        add_type(m, p->type.subtype);
        begin_cut(m);
        wire_add(m->w, " ");
        add_type_params(m, p, index);
        add_common_extension(m, index);
        end_cut(m);
        wire_add(m->w, ")");
}

/* Making: the tree ----------------------------------------------------------------------------------------------- */

static gboolean
is_multipart_type(const Part *p)
{
        return span_is(p->type.type, "multipart");
}

/* A multipart that nothing was found in shows its body as a text: the grammar wants a part, and nothing may be out of
 * reach. */
static void
add_empty_multipart(Maker *m, const Part *p, const FieldIndex *index)
{
        PartPlace place = {
                .header_start = p->body_start,
                .body_start = p->body_start,
                .end = p->end,
                .n_lines = p->n_lines,
                .depth = (guint16) (p->depth + 1),
                .encoding = TRANSFER_8BIT,
                .type = span_of("text"),
                .subtype = span_of("plain"),
                .charset = span_of("us-ascii"),
        };

        add_place(m, &place);
        wire_add(m->w, "(");
        add_bare_text(m, p->end - p->body_start, p->n_lines);
        end_multipart(m, p, index);
}

/* A message that was not looked into (its octets are encoded, or a limit was reached): the grammar wants an ENVELOPE
 * and a structure, so they are empty. */
static void
add_closed_message(Maker *m, const Part *p, const FieldIndex *index)
{
        add_basics(m, p, index);
        wire_add(m->w, " " EMPTY_ENVELOPE " ");
        add_bare_text(m, 0, 0);
        end_message(m, p, index);
}

static void
add_leaf(Maker *m, const Part *p, const FieldIndex *index)
{
        add_basics(m, p, index);
        if (span_is(p->type.type, "text")) {
                wire_add(m->w, " ");
                wire_add_number(m->w, p->n_lines);
        }
        add_extension(m, index);
        wire_add(m->w, ")");
}

static void
open_container(Maker *m, const Part *p, const FieldIndex *index)
{
        FieldIndex inner;

        m->open[m->n_open++] = p;
        if (!p->is_message) {
                wire_add(m->w, "(");
                return;
        }
        field_index(&p[1].header, &inner);
        add_basics(m, p, index);
        wire_add(m->w, " ");
        wire_add_envelope(m->w, &inner, NULL);
        wire_add(m->w, " ");
}

/* Containers at that depth or deeper end here. */
static void
close_containers(Maker *m, guint depth)
{
        FieldIndex index;

        while (m->n_open > 0 && m->open[m->n_open - 1]->depth >= depth) {
                const Part *p = m->open[--m->n_open];

                field_index(&p->header, &index);
                if (p->is_message)
                        end_message(m, p, &index);
                else
                        end_multipart(m, p, &index);
        }
}

static void
add_part(Maker *m, const Part *p, gboolean has_children, const FieldIndex *index)
{
        gboolean is_message_type = span_is(p->type.type, "message") &&
                                   (span_is(p->type.subtype, "rfc822") || span_is(p->type.subtype, "global"));
        PartPlace place = place_of(p, index, has_children || is_multipart_type(p));

        add_place(m, &place);
        if (has_children)
                open_container(m, p, index);
        else if (is_multipart_type(p))
                add_empty_multipart(m, p, index);
        else if (is_message_type)
                add_closed_message(m, p, index);
        else
                add_leaf(m, p, index);
}

static gboolean
keep_structure(Arena *arena, const Maker *m, Span *ret)
{
        guint8 start[1 + VARINT_MAX] = {SUMMARY_FORMAT}, middle[VARINT_MAX];
        const Span pieces[] = {span_make(start, 1 + varint_put(m->table->len, start + 1)), octets_span(m->table),
                               span_make(middle, varint_put(m->cuts->len, middle)), octets_span(m->cuts),
                               octets_span(&m->w->out)};

        *ret = arena_join_spans(arena, pieces, G_N_ELEMENTS(pieces));
        return ret->len > 0;
}

gboolean
structure_make(Workspace *ws, const Structure *st, const FieldIndex *root, Span *ret)
{
        g_auto(Maker) m = {.w = &ws->wire, .table = &ws->first, .cuts = &ws->second};
        FieldIndex index;

        workspace_reset(ws);
        for (gsize i = 0; i < st->n_parts; i++) {
                const Part *p = &st->parts[i];
                gboolean has_children = i + 1 < st->n_parts && p[1].depth > p->depth;

                close_containers(&m, p->depth);
                if (i > 0)
                        field_index(&p->header, &index);
                add_part(&m, p, has_children, i > 0 ? &index : root);
        }
        close_containers(&m, 0);
        return !m.w->out.is_over && !m.table->is_over && !m.cuts->is_over && keep_structure(ws->arena, &m, ret);
}

/* Reading -------------------------------------------------------------------------------------------------------- */

typedef struct Sections {
        Span table, cuts, wire;
} Sections;

static gboolean
scan_counted(Scan *s, Span *ret)
{
        Scan look = *s;
        guint64 octets;

        if (!scan_varint(&look, scan_left(s), &octets) || !scan_take(&look, octets, ret))
                return FALSE;
        *s = look;
        return TRUE;
}

static gboolean
read_sections(Span structure, Sections *ret)
{
        Scan s = scan_from(structure);

        if (!scan_octet(&s, SUMMARY_FORMAT) || !scan_counted(&s, &ret->table) || !scan_counted(&s, &ret->cuts))
                return FALSE;
        ret->wire = scan_rest(&s);
        return TRUE;
}

/* What lies between two cuts; TRUE also for the rest behind the last one. */
static gboolean
next_piece(Scan *cuts, Scan *wire, Span *ret)
{
        guint64 shown, cut;

        if (scan_at_end(cuts))
                return scan_take(wire, scan_left(wire), ret);
        return scan_varint(cuts, scan_left(wire), &shown) && scan_take(wire, shown, ret) &&
               scan_varint(cuts, scan_left(wire), &cut) && scan_skip(wire, cut);
}

gboolean
summary_write_bodystructure(Span structure, gboolean is_extended, SummaryWrite write, gpointer to)
{
        Sections sections;
        Span piece;

        if (!read_sections(structure, &sections))
                return FALSE;
        if (is_extended) {
                write(to, sections.wire);
                return TRUE;
        }
        Scan cuts = scan_from(sections.cuts), wire = scan_from(sections.wire);
        while (!scan_at_end(&wire))
                if (!next_piece(&cuts, &wire, &piece))
                        return FALSE;
        if (!scan_at_end(&cuts))
                return FALSE;
        cuts = scan_from(sections.cuts);
        wire = scan_from(sections.wire);
        while (next_piece(&cuts, &wire, &piece) && piece.len > 0)
                write(to, piece);
        return TRUE;
}

void
summary_read_parts(Span structure, PartReader *ret)
{
        Sections sections = {.table = SPAN_EMPTY};
        gboolean is_whole = read_sections(structure, &sections);

        *ret = (PartReader){.scan = scan_from(sections.table), .is_damaged = !is_whole};
}

/* Offsets stay far from overflow: each is at most OFFSET_MAX, and there are few parts. */
static gboolean
read_place(Scan *s, guint64 before, PartPlace *ret)
{
        guint64 depth, gap, header, body;
        guint8 flags;
        PartPlace p = {.encoding = TRANSFER_UNKNOWN};

        if (!scan_u8(s, &flags) || flags >> PART_ENCODING_SHIFT > TRANSFER_BASE64 ||
            !scan_varint(s, MESSAGE_DEPTH_MAX + 2, &depth) || !scan_varint(s, OFFSET_MAX, &gap) ||
            !scan_varint(s, OFFSET_MAX, &header) || !scan_varint(s, OFFSET_MAX, &body) ||
            !scan_varint(s, OFFSET_MAX, &p.n_lines) || !scan_counted(s, &p.type) || !scan_counted(s, &p.subtype) ||
            !scan_counted(s, &p.charset))
                return FALSE;
        p.header_start = before + gap;
        p.body_start = p.header_start + header;
        p.end = p.body_start + body;
        p.depth = (guint16) depth;
        p.is_multipart = (flags & PART_IS_MULTIPART) != 0;
        p.is_message = (flags & PART_IS_MESSAGE) != 0;
        p.is_attachment = (flags & PART_IS_ATTACHMENT) != 0;
        p.encoding = (TransferEncoding) (flags >> PART_ENCODING_SHIFT);
        *ret = p;
        return TRUE;
}

PartAnswer
summary_next_part(PartReader *r, PartPlace *ret)
{
        PartPlace p;

        if (r->is_damaged || (scan_at_end(&r->scan) && r->n_read == 0))
                return PART_DAMAGED;
        if (scan_at_end(&r->scan))
                return PART_NONE;
        r->is_damaged = !read_place(&r->scan, r->body_start, &p) || p.end > OFFSET_MAX ||
                        (p.depth == 0) != (r->n_read == 0) || p.depth > r->depth + 1;
        if (r->is_damaged)
                return PART_DAMAGED;
        p.index = r->n_read++;
        r->body_start = p.body_start;
        r->depth = p.depth;
        *ret = p;
        return PART_FOUND;
}

/* The nth part in the container that was read last. */
static PartAnswer
next_child(PartReader *r, guint32 nth, PartPlace *place)
{
        guint depth = place->depth + 1u;
        PartPlace p;
        PartAnswer answer;

        while ((answer = summary_next_part(r, &p)) == PART_FOUND && p.depth >= depth)
                if (p.depth == depth && nth-- == 1) {
                        *place = p;
                        return PART_FOUND;
                }
        return answer == PART_FOUND ? PART_NONE : answer;
}

/* From a part, or at first from the message, to the part with that number in it. */
static PartAnswer
descend(PartReader *r, guint32 number, gboolean is_first, PartPlace *place)
{
        PartAnswer answer = PART_FOUND;

        if (number == 0)
                return PART_NONE;
        if (!is_first && place->is_message)
                answer = next_child(r, 1, place);
        else if (!is_first && !place->is_multipart)
                return PART_NONE;
        if (answer != PART_FOUND)
                return answer;
        if (place->is_multipart)
                return next_child(r, number, place);
        return number == 1 ? PART_FOUND : PART_NONE; /* the body of a message that is no multipart */
}

/* The part, and the reader behind it. */
static PartAnswer
find_part(PartReader *r, const guint32 *path, gsize n_path, PartPlace *ret)
{
        PartPlace place;
        PartAnswer answer = summary_next_part(r, &place);

        for (gsize i = 0; i < n_path && answer == PART_FOUND; i++)
                answer = descend(r, path[i], i == 0, &place);
        if (answer == PART_FOUND)
                *ret = place;
        return answer;
}

PartAnswer
summary_find_part(Span structure, const guint32 *path, gsize n_path, PartPlace *ret)
{
        PartReader r;

        summary_read_parts(structure, &r);
        return find_part(&r, path, n_path, ret);
}

/* HEADER and TEXT mean the message in the part; without a path the message itself. */
static PartAnswer
find_message(PartReader *r, gboolean has_path, PartPlace *place)
{
        if (!has_path)
                return PART_FOUND;
        return place->is_message ? next_child(r, 1, place) : PART_NONE;
}

PartAnswer
summary_find_section(Span structure, const guint32 *path, gsize n_path, PartSection section, guint64 *ret_start,
                     guint64 *ret_end)
{
        PartReader r;
        PartPlace p;
        PartAnswer answer;

        summary_read_parts(structure, &r);
        answer = find_part(&r, path, n_path, &p);
        if (answer == PART_FOUND && (section == SECTION_HEADER || section == SECTION_TEXT))
                answer = find_message(&r, n_path > 0, &p);
        if (answer == PART_FOUND && section == SECTION_MIME && n_path == 0)
                answer = PART_NONE;
        if (answer != PART_FOUND)
                return answer;
        gboolean is_header = section == SECTION_HEADER || section == SECTION_MIME;
        *ret_start = is_header || (section == SECTION_WHOLE && n_path == 0) ? p.header_start : p.body_start;
        *ret_end = is_header ? p.body_start : p.end;
        return PART_FOUND;
}

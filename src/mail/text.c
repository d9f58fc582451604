/* text.c -- the text of a message, part by part, for whoever searches it.
 *
 * One pass over the message in pieces of PIECE_OCTETS; what a step can't use yet is kept for the next piece. Only
 * header blocks are held whole, up to HEADER_OCTETS.
 */
#include "mail/text.h"

#include "base/text.h"
#include "mail/internal.h"

#define PIECE_OCTETS ((gsize) 16 * 1024)
#define HEADER_OCTETS ((gsize) 256 * 1024) /* of a header block that are looked at           */
#define FIELD_OCTETS ((gsize) 64 * 1024)   /* of the folded text of one field                */
#define FIELDS_ARENA ((gsize) 64 * 1024)   /* the list of MESSAGE_FIELDS_MAX fields fits     */
#define WORK_ARENA ((gsize) 272 * 1024)    /* one field unfolded, decoded, named and folded   */
#define FOLDED_OCTETS ((gsize) 32 * 1024)

struct TextRoom {
        Arena *fields; /* the fields of the header at hand */
        Arena *work;   /* one of them */
        Octets header;
        Octets decoded, utf8, shown; /* a body: octets, text, text without tags */
        guint8 *folded;
};

typedef struct Walk {
        guint what;
        const SummaryCut *cuts;
        gsize n_cuts;
        TextRead read;
        gpointer from;
        TextTake take;
        gpointer to;
        GError **error;
        TextAnswer answer; /* once it is over early */
        TextRoom *room;
} Walk;

TextRoom *
text_room_new(void)
{
        TextRoom *room = g_new(TextRoom, 1);

        *room = (TextRoom){
                .fields = arena_new(FIELDS_ARENA),
                .work = arena_new(WORK_ARENA),
                .header = OCTETS_INIT(HEADER_OCTETS),
                .decoded = OCTETS_INIT(4 * PIECE_OCTETS),
                .utf8 = OCTETS_INIT(7 * PIECE_OCTETS),
                .shown = OCTETS_INIT(7 * PIECE_OCTETS),
                .folded = g_malloc(FOLDED_OCTETS),
        };
        return room;
}

void
text_room_free(TextRoom *room)
{
        if (room == NULL)
                return;
        arena_free(room->fields);
        arena_free(room->work);
        octets_clear(&room->header);
        octets_clear(&room->decoded);
        octets_clear(&room->utf8);
        octets_clear(&room->shown);
        g_free(room->folded);
        g_free(room);
}

/* One walk leaves nothing to the next: what was over its maximum, too. */
static void
room_reset(TextRoom *room)
{
        arena_reset(room->fields);
        arena_reset(room->work);
        room->header.is_over = room->decoded.is_over = room->utf8.is_over = room->shown.is_over = FALSE;
}

gssize
mail_text_read_span(gpointer from, guint64 offset, guint8 *buffer, gsize len, GError **error)
{
        Span there = span_slice(*(const Span *) from, MIN(offset, G_MAXSIZE), G_MAXSIZE);
        gsize n = MIN(there.len, len);

        if (n > 0)
                memcpy(buffer, there.data, n);
        return (gssize) n;
}

/* Every step below says FALSE when the walk is over; w->answer has the reason. */
static gboolean
stop(Walk *w, TextAnswer answer)
{
        w->answer = answer;
        return FALSE;
}

/* Up to len octets at the offset behind what o holds; fewer only where the message ends. */
static gboolean
read_octets(Walk *w, Octets *o, guint64 offset, gsize len)
{
        guint8 *at = octets_reserve(o, len);

        for (gsize left = len; at != NULL && left > 0;) {
                gssize n = w->read(w->from, offset, at, left, w->error);

                if (n < 0)
                        return stop(w, TEXT_FAILED);
                if (n == 0)
                        break;
                at += n;
                offset += (guint64) n;
                left -= (gsize) n;
                o->len += (gsize) n;
        }
        return TRUE;
}

static gboolean
give(Walk *w, const TextPiece *piece)
{
        return piece->text.len == 0 || w->take(w->to, piece) || stop(w, TEXT_STOPPED);
}

/* Headers -------------------------------------------------------------------------------------------------------- */

static gboolean
is_cut(const Walk *w, const PartPlace *p, const Field *f)
{
        for (gsize i = 0; i < w->n_cuts; i++) {
                guint64 from = w->cuts[i].offset, to = from + w->cuts[i].len;

                if (from < p->header_start + f->end && p->header_start + f->start < to)
                        return TRUE;
        }
        return FALSE;
}

/* "name: value", decoded and folded. A name is ASCII and stays as long as it is. */
static gboolean
give_field(Walk *w, const PartPlace *p, TextKind kind, const Header *h, const Field *f)
{
        TextPiece piece = {.kind = kind, .is_first = TRUE, .part = p->index, .name = header_field_name(h, f)};

        arena_reset(w->room->work);
        Span body = span_slice(header_field_body(h, f), 0, HEADER_DECODED_MAX);
        const Span line[] = {piece.name, span_of(": "), header_decode(w->room->work, body)};
        piece.text = text_fold(w->room->work, arena_join_spans(w->room->work, line, G_N_ELEMENTS(line)), FIELD_OCTETS);
        piece.value = span_slice(piece.text, piece.name.len + 2, piece.text.len);
        return give(w, &piece);
}

static gboolean
give_fields(Walk *w, const PartPlace *p, TextKind kind, const Header *h)
{
        for (gsize i = 0; i < h->n_fields; i++)
                if ((kind != TEXT_FIELD || !is_cut(w, p, &h->fields[i])) && !give_field(w, p, kind, h, &h->fields[i]))
                        return FALSE;
        return TRUE;
}

/* The name a part wants to be saved under (RFC 2183 §2.3), or the older one of its type. */
static gboolean
give_file_name(Walk *w, const PartPlace *p, const Header *h)
{
        TextPiece piece = {.kind = TEXT_FILE_NAME, .is_first = TRUE, .part = p->index};
        const Param *params = NULL;
        Span kind, name = SPAN_EMPTY;
        ContentType type;
        gsize n = 0;

        arena_reset(w->room->work);
        if (disposition_parse(w->room->work, header_body_of(h, "Content-Disposition"), &kind, &params, &n))
                name = param_find(params, n, "filename");
        if (name.len == 0 && content_type_parse(w->room->work, header_body_of(h, "Content-Type"), &type))
                name = param_find(type.params, type.n_params, "name");
        piece.text = text_fold(w->room->work, name, FIELD_OCTETS);
        return give(w, &piece);
}

/* kind: what the fields are for the reader, 0 when only the file name is wanted. */
static gboolean
walk_header(Walk *w, const PartPlace *p, guint kind)
{
        Header header;

        w->room->header.len = 0;
        if (!read_octets(w, &w->room->header, p->header_start, MIN(p->body_start - p->header_start, HEADER_OCTETS)))
                return FALSE;
        arena_reset(w->room->fields);
        if (!header_parse(w->room->fields, octets_span(&w->room->header), &header))
                return TRUE; /* no memory for the list: nothing to give */
        if (kind != 0 && !give_fields(w, p, (TextKind) kind, &header))
                return FALSE;
        return (w->what & TEXT_OF_BODY) == 0 || give_file_name(w, p, &header);
}

/* Bodies --------------------------------------------------------------------------------------------------------- */

typedef struct Body {
        const PartPlace *place;
        gboolean is_html;
        gboolean keeps_ascii; /* ASCII stays what it is, octet by octet */
        TransferDecoder decoder;
        CharsetReader charset;
        HtmlReader html;
        TextFolder folder;
        TextPiece piece;
} Body;

static gboolean
give_body(Walk *w, Body *b, gsize octets)
{
        b->piece.text = span_make(w->room->folded, octets);
        if (octets == 0)
                return TRUE;
        if (!give(w, &b->piece))
                return FALSE;
        b->piece.is_first = FALSE;
        return TRUE;
}

static gboolean
fold_body(Walk *w, Body *b, Span text, gboolean is_last)
{
        Scan in = scan_from(text);

        while (!scan_at_end(&in))
                if (!give_body(w, b, text_fold_piece(&b->folder, &in, w->room->folded, FOLDED_OCTETS)))
                        return FALSE;
        return !is_last || give_body(w, b, text_fold_end(&b->folder, w->room->folded, FOLDED_OCTETS));
}

static gboolean
show_text(Walk *w, Body *b, Span text, gboolean is_last)
{
        if (!b->is_html)
                return fold_body(w, b, text, is_last);
        w->room->shown.len = 0;
        octets_add_html(&w->room->shown, &b->html, text);
        if (is_last)
                octets_add_html_end(&w->room->shown, &b->html);
        return fold_body(w, b, octets_span(&w->room->shown), is_last);
}

/* What was decoded as text; octets that are not a whole character, or a whole line, stay for the next time. */
static gboolean
convert_body(Walk *w, Body *b, gboolean is_last)
{
        Octets *decoded = &w->room->decoded;

        w->room->utf8.len = 0;
        gsize taken = octets_add_charset(&w->room->utf8, &b->charset, octets_span(decoded), is_last);
        decoded->len -= taken;
        memmove(decoded->data, decoded->data + taken, decoded->len);
        return show_text(w, b, octets_span(&w->room->utf8), is_last);
}

static gboolean
decode_body(Walk *w, Body *b, Span octets, gboolean is_last)
{
        const gsize room = PIECE_OCTETS + TRANSFER_HELD_MAX + TRANSFER_ROOM_MIN;
        Octets *decoded = &w->room->decoded;
        Scan in = scan_from(octets);

        /* As most text comes. */
        if (b->keeps_ascii && decoded->len == 0 && text_is_ascii(octets))
                return show_text(w, b, octets, is_last);
        while (!scan_at_end(&in)) {
                guint8 *at = octets_reserve(decoded, room);

                if (at == NULL)
                        return TRUE;
                decoded->len += transfer_decode(&b->decoder, &in, at, room);
        }
        guint8 *at = is_last ? octets_reserve(decoded, TRANSFER_ROOM_MIN) : NULL;
        if (at != NULL)
                decoded->len += transfer_decode_end(&b->decoder, at, TRANSFER_ROOM_MIN);
        return convert_body(w, b, is_last);
}

static gboolean
keeps_ascii(const PartPlace *p)
{
        return p->encoding != TRANSFER_QUOTED_PRINTABLE && p->encoding != TRANSFER_BASE64 &&
               charset_keeps_ascii(p->charset);
}

static gboolean
walk_body(Walk *w, const PartPlace *p)
{
        Body b = {.place = p,
                  .is_html = span_is(p->subtype, "html"),
                  .keeps_ascii = keeps_ascii(p),
                  .charset.charset = p->charset,
                  .piece = {.kind = TEXT_BODY, .is_first = TRUE, .part = p->index}};

        transfer_decoder_init(&b.decoder, p->encoding);
        text_folder_init(&b.folder);
        w->room->decoded.len = 0;
        for (guint64 at = p->body_start; at < p->end; at += PIECE_OCTETS) {
                gsize len = MIN(p->end - at, PIECE_OCTETS);

                w->room->header.len = 0; /* the header was given: its room takes the octets of the body */
                if (!read_octets(w, &w->room->header, at, len))
                        return FALSE;
                gboolean is_last = w->room->header.len < len || at + len == p->end;
                if (!decode_body(w, &b, octets_span(&w->room->header), is_last))
                        return FALSE;
                if (is_last)
                        return TRUE;
        }
        return TRUE;
}

/* All parts ------------------------------------------------------------------------------------------------------ */

static gboolean
walk_part(Walk *w, const PartPlace *p, gboolean is_inner)
{
        guint kind = is_inner ? TEXT_INNER_FIELD : 0;

        if (p->index == 0)
                kind = (w->what & TEXT_OF_HEADER) != 0 ? TEXT_FIELD : 0;
        if (p->body_start > p->header_start && !walk_header(w, p, kind))
                return FALSE;
        if ((w->what & TEXT_OF_BODY) == 0 || p->is_multipart || p->is_message || !span_is(p->type, "text"))
                return TRUE;
        return walk_body(w, p);
}

static TextAnswer
walk_parts(Walk *w, Span structure)
{
        gboolean is_inner = FALSE;
        PartAnswer answer;
        PartReader reader;
        PartPlace p;

        summary_read_parts(structure, &reader);
        while ((answer = summary_next_part(&reader, &p)) == PART_FOUND) {
                if (!walk_part(w, &p, is_inner))
                        return w->answer;
                if ((w->what & TEXT_OF_BODY) == 0)
                        return TEXT_WALKED; /* the first header is all */
                is_inner = p.is_message;
        }
        return answer == PART_DAMAGED ? TEXT_DAMAGED : TEXT_WALKED;
}

TextAnswer
mail_text_walk_in(TextRoom *room, Span structure, guint what, const SummaryCut *cuts, gsize n_cuts, TextRead read,
                  gpointer from, TextTake take, gpointer to, GError **error)
{
        Walk w = {.what = what,
                  .cuts = cuts,
                  .n_cuts = n_cuts,
                  .read = read,
                  .from = from,
                  .take = take,
                  .to = to,
                  .error = error,
                  .room = room};

        room_reset(room);
        return walk_parts(&w, structure);
}

TextAnswer
mail_text_walk(Span structure, guint what, const SummaryCut *cuts, gsize n_cuts, TextRead read, gpointer from,
               TextTake take, gpointer to, GError **error)
{
        g_autoptr(TextRoom) room = text_room_new();

        return mail_text_walk_in(room, structure, what, cuts, n_cuts, read, from, take, to, error);
}

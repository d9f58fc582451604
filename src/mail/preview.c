/* preview.c -- the beginning of the text of a message (RFC 8970).
 *
 * Shown is what a reader sees first: the first text that is no attachment and stands in no message inside; of a
 * multipart/alternative the plain text. A text that is blank is passed over.
 */
#include "mail/summary_internal.h"

#include "base/text.h"
#include "mail/text.h"

#define PIECE_OCTETS ((gsize) 256)
#define ROOM_OCTETS (PIECE_OCTETS + TRANSFER_HELD_MAX + TRANSFER_ROOM_MIN) /* a piece decoded, and what was held */
#define PART_LOOKED ((gsize) 8 * 1024)                                     /* octets of one part that are looked at */
#define PARTS_LOOKED 4                                                     /* parts of one message                  */

typedef struct Preview {
        gsize n, characters;
        gboolean is_full;
        guint8 text[PREVIEW_OCTETS_MAX]; /* single spaces, none at the start, maybe one at the end */
} Preview;

/* Text ----------------------------------------------------------------------------------------------------------- */

/* What senders put behind their first line to keep others away: zero-width characters, each beside a space. */
static gboolean
is_filler(gunichar c)
{
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x34f || (c >= 0x200b && c <= 0x200f) ||
               (c >= 0x2060 && c <= 0x2064) || c == 0xfeff;
}

static gboolean
is_after_space(const Preview *p)
{
        return p->n == 0 || p->text[p->n - 1] == ' ';
}

static void
put(Preview *p, Span character)
{
        if (p->characters == PREVIEW_CHARACTERS_MAX || p->n + character.len > sizeof(p->text)) {
                p->is_full = TRUE;
                return;
        }
        memcpy(p->text + p->n, character.data, character.len);
        p->n += character.len;
        p->characters++;
}

/* The printable ASCII that text begins with: most of it. A second space is written and taken back. */
static void
put_ascii(Preview *p, Scan *s)
{
        gsize n = p->n, room = MIN(PREVIEW_CHARACTERS_MAX - p->characters, sizeof(p->text) - n);
        gboolean was_letter = !is_after_space(p);
        const guint8 *at = s->at, *end = at + MIN(room, scan_left(s));

        for (; at < end; at++) {
                guint8 octet = *at;
                gboolean is_letter = octet != ' ';

                if ((guint8) (octet - ' ') >= 0x7f - ' ')
                        break;
                p->text[n] = octet;
                n += is_letter | was_letter;
                was_letter = is_letter;
        }
        s->at = at;
        p->characters += n - p->n;
        p->n = n;
        p->is_full = p->characters == PREVIEW_CHARACTERS_MAX || n == sizeof(p->text);
}

/* Valid UTF-8, maybe with controls. */
static void
add_shown(Preview *p, Span text)
{
        Scan s = scan_from(text);
        gunichar c = 0;

        while (!scan_at_end(&s) && !p->is_full) {
                if (*s.at >= ' ' && *s.at < 0x7f) {
                        put_ascii(p, &s);
                        continue;
                }
                int octets = text_utf8_next(scan_rest(&s), &c);
                Span character = span_make(s.at, octets > 0 ? (gsize) octets : 1);

                scan_skip(&s, character.len);
                if (character_is_space(c))
                        character = is_after_space(p) ? SPAN_EMPTY : span_of(" ");
                else if (octets <= 0 || (is_filler(c) && (is_after_space(p) || c < 0xa0)))
                        continue;
                if (character.len > 0)
                        put(p, character);
        }
}

/* Parts ---------------------------------------------------------------------------------------------------------- */

typedef struct Reading {
        TransferDecoder decoder;
        HtmlReader html;
        gboolean is_html;
        CharsetReader charset;
        Octets *octets, *utf8, *shown; /* decoded; in UTF-8; without tags */
} Reading;

/* One piece of the part through all steps. */
static void
read_piece(Reading *r, Span piece, gboolean is_last, Preview *p)
{
        Scan in = scan_from(piece);
        guint8 *at = octets_reserve(r->octets, ROOM_OCTETS);

        if (at == NULL)
                return;
        r->octets->len += transfer_decode(&r->decoder, &in, at, ROOM_OCTETS);
        if (is_last)
                r->octets->len += transfer_decode_end(&r->decoder, r->octets->data + r->octets->len, TRANSFER_ROOM_MIN);
        r->utf8->len = r->shown->len = 0;
        gsize taken = octets_add_charset(r->utf8, &r->charset, octets_span(r->octets), is_last);
        r->octets->len -= taken;
        memmove(r->octets->data, r->octets->data + taken, r->octets->len);
        if (r->is_html)
                octets_add_html(r->shown, &r->html, octets_span(r->utf8));
        add_shown(p, octets_span(r->is_html ? r->shown : r->utf8));
}

static void
read_part(Workspace *ws, Span message, const Part *part, Preview *p)
{
        Reading r = {.charset.charset = param_find(part->type.params, part->type.n_params, "charset"),
                     .is_html = span_is(part->type.subtype, "html"),
                     .octets = &ws->first,
                     .utf8 = &ws->second,
                     .shown = &ws->wire.scratch};
        Span body = span_slice(message, part->body_start, MIN(part->end, part->body_start + PART_LOOKED));

        workspace_reset(ws);
        transfer_decoder_init(&r.decoder,
                              transfer_encoding_parse(header_body_of(&part->header, "Content-Transfer-Encoding")));
        for (gsize at = 0; at < body.len && !p->is_full; at += PIECE_OCTETS)
                read_piece(&r, span_slice(body, at, at + PIECE_OCTETS), at + PIECE_OCTETS >= body.len, p);
}

static gboolean
is_shown(const Part *part)
{
        Scan s = scan_from(header_body_of(&part->header, "Content-Disposition"));
        Span kind = span_of("attachment");

        if (part->is_multipart || !span_is(part->type.type, "text") ||
            (!span_is(part->type.subtype, "plain") && !span_is(part->type.subtype, "html")))
                return FALSE;
        scan_skip_cfws(&s);
        if (scan_at_end(&s))
                return TRUE;
        scan_run(&s, &CLASS_TOKEN, G_MAXSIZE, &kind);
        return span_is(kind, "inline");
}

/* Behind the message in a message/rfc822 part: that is another message. */
static gsize
skip_message(const Structure *st, gsize i)
{
        guint16 depth = st->parts[i++].depth;

        while (i < st->n_parts && st->parts[i].depth > depth)
                i++;
        return i;
}

/* The same in plain text: a later part directly in the same multipart/alternative. */
static const Part *
find_plain(const Structure *st, const Part *html)
{
        const Part *container = &st->parts[html->parent];

        if (!span_is(container->type.subtype, "alternative"))
                return NULL;
        for (const Part *p = html + 1; p < st->parts + st->n_parts && p->depth >= html->depth; p++)
                if (p->parent == html->parent && is_shown(p) && span_is(p->type.subtype, "plain"))
                        return p;
        return NULL;
}

static void
read_message(Workspace *ws, Span message, const Structure *st, Preview *p)
{
        guint n_looked = 0;

        for (gsize i = 0; i < st->n_parts && p->n == 0 && n_looked < PARTS_LOOKED;) {
                const Part *part = &st->parts[i];

                if (part->is_message && i > 0) {
                        i = skip_message(st, i);
                        continue;
                }
                const Part *plain = is_shown(part) && span_is(part->type.subtype, "html") ? find_plain(st, part) : NULL;
                if (plain != NULL)
                        read_part(ws, message, plain, p);
                if (is_shown(part) && p->n == 0) {
                        read_part(ws, message, part, p);
                        n_looked++;
                }
                i++;
        }
}

gboolean
preview_make(Workspace *ws, Span message, const Structure *st, Span *ret)
{
        Preview p = {.n = 0};

        read_message(ws, message, st, &p);
        p.n -= p.n > 0 && is_after_space(&p);
        *ret = arena_copy(ws->arena, span_make(p.text, p.n));
        return ret->len == p.n;
}

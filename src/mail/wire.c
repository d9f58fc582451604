/* wire.c -- strings of IMAP (RFC 9051 §4.3), and numbers of stored sections. */
#include "mail/summary_internal.h"

#include "base/text.h"

#define QUOTED_MAX 1000
#define WORK_MAX ((gsize) 2 * 1024 * 1024) /* more than any section comes to */

void
workspace_reset(Workspace *ws)
{
        Octets *all[] = {&ws->wire.out, &ws->wire.scratch, &ws->first, &ws->second};

        for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
                all[i]->max = WORK_MAX;
                all[i]->len = 0;
                all[i]->is_over = FALSE;
        }
        ws->wire.left = SUMMARY_WIRE_MAX;
}

void
workspace_clear(Workspace *ws)
{
        octets_clear(&ws->wire.out);
        octets_clear(&ws->wire.scratch);
        octets_clear(&ws->first);
        octets_clear(&ws->second);
}

void
wire_add_number(Wire *w, guint64 number)
{
        char text[TEXT_NUMBER_OCTETS];

        octets_add(&w->out, span_make(text, (gsize) (text_put_number(text, number) - text)));
}

typedef guint8 Sixteen __attribute__((vector_size(16)));

/* Sixteen octets of printable ASCII with nothing to escape. */
static gboolean
is_plain_here(const guint8 *at)
{
        Sixteen here;
        guint64 halves[2];

        memcpy(&here, at, sizeof(here));
        Sixteen bad =
                (Sixteen) (here < 0x20) | (Sixteen) (here > 0x7e) | (Sixteen) (here == '"') | (Sixteen) (here == '\\');
        memcpy(halves, &bad, sizeof(halves));
        return (halves[0] | halves[1]) == 0;
}

/* The same of a longer string: the last sixteen may have been looked at in part already. */
static gboolean
is_plain(Span s)
{
        for (gsize at = 0; at + sizeof(Sixteen) < s.len; at += sizeof(Sixteen))
                if (!is_plain_here(s.data + at))
                        return FALSE;
        return is_plain_here(s.data + s.len - sizeof(Sixteen));
}

/* Printable ASCII, and what has to be escaped in it counted. */
static gboolean
is_quotable(Span s, gsize *ret_escapes)
{
        gsize n = 0;

        if (s.len > QUOTED_MAX)
                return FALSE;
        gsize end = s.len >= sizeof(Sixteen) && is_plain(s) ? 0 : s.len;
        for (gsize i = 0; i < end; i++) {
                guint8 octet = s.data[i];

                if ((guint8) (octet - 0x20) > 0x7e - 0x20)
                        return FALSE;
                n += (octet == '"') | (octet == '\\');
        }
        *ret_escapes = n;
        return TRUE;
}

static void
add_quoted(Octets *out, Span s, gsize escapes)
{
        guint8 *at = octets_reserve(out, s.len + escapes + 2);

        if (at == NULL)
                return;
        out->len += s.len + escapes + 2;
        *at++ = '"';
        if (escapes == 0 && s.len > 0)
                at = (guint8 *) memcpy(at, s.data, s.len) + s.len;
        for (gsize i = 0; escapes > 0 && i < s.len; i++) {
                if (s.data[i] == '"' || s.data[i] == '\\')
                        *at++ = '\\';
                *at++ = s.data[i];
        }
        *at = '"';
}

static void
add_literal(Wire *w, Span s)
{
        octets_add_octet(&w->out, '{');
        wire_add_number(w, s.len);
        wire_add(w, "}\r\n");
        guint8 *at = octets_reserve(&w->out, s.len);
        if (at == NULL)
                return;
        for (gsize i = 0; i < s.len; i++)
                at[i] = s.data[i] != 0 ? s.data[i] : 0x80;
        w->out.len += s.len;
}

void
wire_add_string(Wire *w, Span s)
{
        gsize escapes;

        if (s.len > w->left) {
                wire_add(w, "NIL");
                return;
        }
        w->left -= s.len;
        if (is_quotable(s, &escapes))
                add_quoted(&w->out, s, escapes);
        else
                add_literal(w, s);
}

/* Whether the text can stay as it is: on one line, and where it matters without two spaces in a row. */
static gboolean
is_one_line(Span s, gboolean is_for_people)
{
        return s.len == 0 ||
               (memchr(s.data, '\n', s.len) == NULL && memchr(s.data, '\t', s.len) == NULL &&
                memchr(s.data, '\r', s.len) == NULL && (!is_for_people || memmem(s.data, s.len, "  ", 2) == NULL));
}

/* The body of a field on one line: line ends go and tabs become spaces (RFC 5322 §2.2.3). A subject has single spaces
 * besides; in a message id they may count. */
static Span
unfold(Octets *scratch, Span body, gboolean is_for_people)
{
        Scan s = scan_from(span_trim(body));
        guint8 octet, last = 0;

        if (is_one_line(scan_rest(&s), is_for_people))
                return scan_rest(&s);
        for (scratch->len = 0; scan_any(&s, &octet);) {
                if (octet == '\r' || octet == '\n')
                        continue;
                octet = octet == '\t' ? ' ' : octet;
                if (octet != ' ' || last != ' ' || !is_for_people)
                        octets_add_octet(scratch, octet);
                last = octet;
        }
        return octets_span(scratch);
}

void
wire_add_field(Wire *w, const FieldIndex *index, FieldId id)
{
        Span body = field_body(index, id);

        if (index->first[id] == NULL || body.len > w->left)
                wire_add(w, "NIL");
        else
                wire_add_string(w, unfold(&w->scratch, body, id == FIELD_SUBJECT));
}

gsize
varint_put(guint64 value, guint8 out[VARINT_MAX])
{
        gsize n = 0;

        for (; value >= 0x80; value >>= 7)
                out[n++] = (guint8) (value | 0x80);
        out[n++] = (guint8) value;
        return n;
}

/* octets.c -- the growing buffer, and the reading of quoted strings and comments, that the files of this room share. */
#include "mail/internal.h"

#define FIRST_ROOM 256
#define MAY_FAIL_ABOVE ((gsize) 64 * 1024)

const OctetClass CLASS_FOLD = {{0x100002600, 0, 0, 0}};

/* What octets_add_text() takes as it is: printable ASCII, SP, HTAB. */
static const OctetClass CLASS_PLAIN = {{0xffffffff00000200, 0x7fffffffffffffff, 0, 0}};

void
octets_clear(Octets *o)
{
        g_clear_pointer(&o->data, g_free);
        o->len = o->room = 0;
}

static gboolean
octets_grow(Octets *o, gsize need)
{
        gsize room = MIN(MAX(MAX(need, o->room * 2), FIRST_ROOM), o->max);
        guint8 *data = room > MAY_FAIL_ABOVE ? g_try_realloc(o->data, room) : g_realloc(o->data, room);

        if (data == NULL)
                return FALSE;
        o->data = data;
        o->room = room;
        return TRUE;
}

guint8 *
octets_reserve(Octets *o, gsize n)
{
        if (o->is_over || n > o->max - o->len || (n > o->room - o->len && !octets_grow(o, o->len + n))) {
                o->is_over = TRUE;
                return NULL;
        }
        return o->data + o->len;
}

void
octets_add_slowly(Octets *o, Span s)
{
        gsize fits = o->is_over ? 0 : MIN(s.len, o->max - o->len);

        if (fits > 0) {
                guint8 *at = octets_reserve(o, fits);
                if (at == NULL)
                        return;
                memcpy(at, s.data, fits);
                o->len += fits;
        }
        o->is_over = o->is_over || fits < s.len;
}

/* One character of UTF-8 at the cursor, or U+FFFD for an octet that begins none. */
static void
add_character(Octets *o, Scan *s)
{
        gunichar c = g_utf8_get_char_validated((const char *) s->at, (gssize) MIN(scan_left(s), 6));
        Span character = span_of("\xef\xbf\xbd");

        if (c == (gunichar) -1 || c == (gunichar) -2)
                scan_skip(s, 1);
        else
                scan_take(s, (gsize) g_utf8_skip[*s->at], &character);
        guint8 *at = octets_reserve(o, character.len);
        if (at != NULL) {
                memcpy(at, character.data, character.len);
                o->len += character.len;
        }
}

void
octets_add_text(Octets *o, Span s)
{
        Scan scan = scan_from(s);
        Span run;

        while (!scan_at_end(&scan) && !o->is_over) {
                if (scan_run(&scan, &CLASS_PLAIN, G_MAXSIZE, &run))
                        octets_add(o, run);
                else if (scan_peek(&scan) >= 0x80)
                        add_character(o, &scan);
                else if (scan_skip(&scan, 1))
                        octets_add_octet(o, '?');
        }
}

gboolean
scan_quoted(Scan *s, Span *ret_inside)
{
        const guint8 *inside = scan_mark(s) + 1;
        Scan look = *s;
        guint8 o;

        if (!scan_octet(&look, '"'))
                return FALSE;
        while (scan_any(&look, &o)) {
                if (o == '"') {
                        *ret_inside = span_make(inside, (gsize) (look.at - 1 - inside));
                        *s = look;
                        return TRUE;
                }
                if (o == '\\')
                        scan_skip(&look, 1);
        }
        return FALSE;
}

gboolean
scan_comment(Scan *s)
{
        gsize depth = 0;
        Scan look = *s;
        guint8 o;

        if (scan_peek(s) != '(')
                return FALSE;
        while (scan_any(&look, &o)) {
                if (o == '\\')
                        scan_skip(&look, 1);
                else if (o == '(')
                        depth++;
                else if (o == ')' && --depth == 0) {
                        *s = look;
                        return TRUE;
                }
        }
        return FALSE;
}

void
scan_skip_cfws_here(Scan *s)
{
        do
                scan_skip_run(s, &CLASS_FOLD);
        while (scan_peek(s) == '(' && scan_comment(s));
}

void
octets_add_unescaped(Octets *o, Span inside)
{
        for (gsize i = 0; i < inside.len; i++) {
                guint8 octet = inside.data[i];

                if (octet == '\r' || octet == '\n')
                        continue;
                if (octet == '\\' && i + 1 < inside.len)
                        octet = inside.data[++i];
                octets_add_octet(o, octet);
        }
}

Span
arena_join_spans(Arena *arena, const Span *pieces, gsize n)
{
        gsize len = 0, at = 0;

        for (gsize i = 0; i < n; i++)
                len += pieces[i].len;
        guint8 *whole = len > 0 ? arena_alloc(arena, len) : NULL;
        if (whole == NULL)
                return SPAN_EMPTY;
        for (gsize i = 0; i < n; at += pieces[i++].len)
                if (pieces[i].len > 0)
                        memcpy(whole + at, pieces[i].data, pieces[i].len);
        return span_make(whole, len);
}

/* compose.c -- the writer of header fields and generated messages. */
#include "mail/compose.h"

#include "base/text.h"
#include "mail/date.h"
#include "mail/internal.h"

#include <stdarg.h>

#define LINE_WANTED 78 /* RFC 5322 §2.1.1 */
#define LINE_MOST 998
#define LINE_ENCODED 76 /* with encoded words in it (RFC 2047 §2)        */
#define WORD_FRAME 13   /* " =?utf-8?B?" and its closing "?="     */
#define WORD_LEAST 8    /* octets of base64 worth beginning a word for   */

/* What may stand in no line: C0 without HTAB, and DEL. */
static const OctetClass CONTROLS = {{0xfffffdff, (guint64) 1 << 63, 0, 0}};

struct Composer {
        Octets out;
        gsize line_start; /* where the last line begins */
        gboolean allow_utf8;
};

Composer *
composer_new(gsize max_octets)
{
        Composer *c = g_new0(Composer, 1);

        c->out = OCTETS_INIT(max_octets);
        return c;
}

void
composer_free(Composer *c)
{
        if (c == NULL)
                return;
        octets_clear(&c->out);
        g_free(c);
}

void
composer_allow_utf8(Composer *c, gboolean allow_utf8)
{
        c->allow_utf8 = allow_utf8;
}

gboolean
composer_is_over(const Composer *c)
{
        return c->out.is_over;
}

Span
composer_result(const Composer *c)
{
        return octets_span(&c->out);
}

static gsize
line_octets(const Composer *c)
{
        return c->out.len - c->line_start;
}

static void
end_line(Composer *c)
{
        octets_add(&c->out, span_of("\r\n"));
        c->line_start = c->out.len;
}

/* "name:" in printable ASCII without a second colon, whatever a setting says. */
static void
begin_field(Composer *c, const char *name)
{
        gsize len = strlen(name);
        guint8 *out = octets_reserve(&c->out, len + 1);

        if (out == NULL)
                return;
        for (gsize i = 0; i < len; i++)
                out[i] = name[i] > ' ' && name[i] < 0x7f && name[i] != ':' ? (guint8) name[i] : '?';
        out[len] = ':';
        c->out.len += len + 1;
}

static void
add_printable(Composer *c, Span word)
{
        guint8 *at = octets_reserve(&c->out, word.len);

        if (at == NULL)
                return;
        for (gsize i = 0; i < word.len; i++)
                at[i] = octet_in(&CONTROLS, word.data[i]) ? '?' : word.data[i];
        c->out.len += word.len;
}

/* How much of a word goes into so many octets without tearing a character. */
static gsize
fitting(Span word, gsize room)
{
        gsize n = MIN(word.len, room);

        while (n > 0 && n < word.len && n + 4 > room && (word.data[n] & 0xc0) == 0x80)
                n--;
        return n > 0 ? n : MIN(word.len, room);
}

/* A word with the white space in front of it, on this line if it fits, else on the next. The first word of a field
 * stays beside the name, even when it is long: some readers take "Name:" alone for an empty field. */
static void
add_word(Composer *c, Span space, Span word, gboolean is_first)
{
        if (!is_first && line_octets(c) + space.len + word.len > LINE_WANTED) {
                end_line(c);
                space = span_of(" ");
        }
        add_printable(c, space);
        while (line_octets(c) + word.len > LINE_MOST && !c->out.is_over) {
                gsize n = fitting(word, LINE_MOST - line_octets(c));

                add_printable(c, span_slice(word, 0, n));
                word = span_slice(word, n, word.len);
                end_line(c);
                octets_add_octet(&c->out, ' ');
        }
        add_printable(c, word);
}

/* The same lines as from add_folded(), for a trimmed value in which only spaces separate words and none is too long for a
 * line: each line in one piece. */
static void
add_folded_plain(Composer *c, Span value)
{
        if (value.len > 0)
                octets_add_octet(&c->out, ' ');
        while (!c->out.is_over && line_octets(c) + value.len > LINE_WANTED) {
                gsize room = LINE_WANTED - MIN(line_octets(c), LINE_WANTED);
                const guint8 *cut = memrchr(value.data, ' ', room + 1);

                if (cut == NULL) /* the first word of a line stays there */
                        cut = memchr(value.data, ' ', value.len);
                if (cut == NULL)
                        break;
                gsize len = (gsize) (cut - value.data);
                octets_add(&c->out, span_trim(span_slice(value, 0, len)));
                end_line(c);
                octets_add_octet(&c->out, ' ');
                value = span_trim(span_slice(value, len, value.len));
        }
        octets_add(&c->out, value);
}

/* Words and the white space between them; the first stands behind "name: ". */
static void
add_folded(Composer *c, Span value)
{
        static const OctetClass word_octets = {{~(guint64) 0x100000200, ~(guint64) 0, ~(guint64) 0, ~(guint64) 0}};
        value = span_trim(value);
        if (value.len < LINE_MOST / 2 && !text_has_control(value)) {
                add_folded_plain(c, value);
                return;
        }
        Scan s = scan_from(value);
        gboolean is_first = TRUE;
        Span space = span_of(" "), word;

        while (scan_run(&s, &word_octets, G_MAXSIZE, &word) && !c->out.is_over) {
                add_word(c, space, word, is_first);
                is_first = FALSE;
                if (!scan_run(&s, &CLASS_WSP, G_MAXSIZE, &space))
                        break;
        }
}

void
compose_field_raw(Composer *c, const char *name, Span value)
{
        begin_field(c, name);
        add_folded(c, value);
        end_line(c);
}

/* The value in encoded words, none of which tears a character (RFC 2047 §5). */
static void
add_encoded(Composer *c, Span value)
{
        g_autoptr(Arena) arena = arena_new(LINE_MOST);

        while (value.len > 0 && !c->out.is_over) {
                gsize taken = line_octets(c) + WORD_FRAME;

                if (taken + WORD_LEAST > LINE_ENCODED) {
                        end_line(c);
                        taken = WORD_FRAME;
                }
                gsize n = fitting(value, (LINE_ENCODED - taken) / 4 * 3);
                octets_add(&c->out, span_of(" =?utf-8?B?"));
                octets_add(&c->out, text_base64(arena, span_slice(value, 0, n)));
                octets_add(&c->out, span_of("?="));
                value = span_slice(value, n, value.len);
                arena_reset(arena);
        }
}

void
compose_field(Composer *c, const char *name, Span value)
{
        g_auto(Octets) text = OCTETS_INIT(c->out.max);

        octets_add_text(&text, span_trim(value));
        c->out.is_over = c->out.is_over || text.is_over;
        Span clean = octets_span(&text);
        gboolean is_plain = text_is_ascii(clean) || c->allow_utf8;
        gboolean is_like_word = clean.len > 0 && memmem(clean.data, clean.len, "=?", 2) != NULL;

        begin_field(c, name);
        if (is_plain && !is_like_word)
                add_folded(c, clean);
        else
                add_encoded(c, clean);
        end_line(c);
}

void
compose_field_address(Composer *c, const char *name, const Address *a)
{
        g_autoptr(Arena) arena = arena_new(2 * a->local.len + a->domain.len + 64);
        Span text = address_text(arena, a);

        begin_field(c, name);
        octets_add(&c->out, span_of(" <"));
        add_printable(c, text);
        octets_add_octet(&c->out, '>');
        end_line(c);
}

void
compose_field_date(Composer *c, const char *name, Usec real)
{
        char text[DATE_TEXT_OCTETS];

        compose_field_raw(c, name, span_of(date_text(real, text, sizeof(text))));
}

void
compose_end_header(Composer *c)
{
        end_line(c);
}

void
compose_text(Composer *c, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        Scan s = scan_from(span_of(text));
        Span line;

        while (scan_line(&s, &line)) {
                gsize from = c->out.len;

                octets_add(&c->out, line);
                for (gsize i = from; i < c->out.len; i++)
                        if (c->out.data[i] == '\r')
                                c->out.data[i] = '?';
                if (s.at[-1] == '\n')
                        end_line(c);
        }
}

void
compose_octets(Composer *c, Span octets)
{
        octets_add(&c->out, octets);
        c->line_start = c->out.len;
}

/* write.c -- what goes out: answers, strings, numbers, names and dates (RFC 9051 §9).
 *
 * Answers of thousands of messages go through here, so nothing is formatted that can be copied, and nothing is
 * allocated except for names in modified UTF-7.
 */
#include "imap/internal.h"

#include "base/text.h"

#define QUOTED_MAX 1000 /* longer strings go as literals */
#define PRINTF_MAX 4096
#define NAME_ARENA_MAX ((gsize) 64 * 1024)

static const char MONTHS[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Pieces ---------------------------------------------------------------------------------------------------------- */

void
imap_put_span(ImapSession *s, Span octets)
{
        stream_write(s->session.stream, octets);
}

void
imap_printf(ImapSession *s, const char *format, ...)
{
        char text[PRINTF_MAX];
        va_list args;

        va_start(args, format);
        int len = g_vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (len < 0 || (gsize) len >= sizeof(text))
                stream_fail(s->session.stream, "answer too long");
        else
                stream_write(s->session.stream, span_make(text, (gsize) len));
}

/* Digits from the right; where they begin. */
static char *
write_number(char *end, guint64 number)
{
        guint32 rest;

        for (; number > G_MAXUINT32; number /= 10)
                *--end = (char) ('0' + number % 10);
        for (rest = (guint32) number; rest >= 10; rest /= 10)
                *--end = (char) ('0' + rest % 10);
        *--end = (char) ('0' + rest);
        return end;
}

guint8 *
imap_write_number(guint8 *at, guint64 number)
{
        char digits[20], *end = digits + sizeof(digits);
        const char *from = write_number(end, number);

        memcpy(at, from, (gsize) (end - from));
        return at + (end - from);
}

void
imap_put_number(ImapSession *s, guint64 number)
{
        char digits[20], *end = digits + sizeof(digits);
        char *at = write_number(end, number);

        stream_write(s->session.stream, span_make(at, (gsize) (end - at)));
}

gboolean
imap_is_full(const ImapSession *s)
{
        return stream_is_full(s->session.stream);
}

/* Strings ---------------------------------------------------------------------------------------------------------- */

static gboolean
may_send_utf8(const ImapSession *s)
{
        return (s->enabled & (IMAP_ENABLED_REV2 | IMAP_ENABLED_UTF8)) != 0;
}

/* What a string needs to be quoted: nothing but escapes. */
static gboolean
is_quotable(const ImapSession *s, Span octets, gsize *ret_escapes)
{
        gsize escapes = 0;
        guint8 all = 0;

        if (octets.len > QUOTED_MAX)
                return FALSE;
        for (gsize i = 0; i < octets.len; i++) {
                guint8 c = octets.data[i];
                if (c == '\0' || c == '\r' || c == '\n')
                        return FALSE;
                escapes += c == '"' || c == '\\';
                all |= c;
        }
        *ret_escapes = escapes;
        return (all & 0x80) == 0 || (may_send_utf8(s) && text_is_utf8(octets));
}

void
imap_put_string(ImapSession *s, Span octets)
{
        gsize escapes, n = 0;

        if (!is_quotable(s, octets, &escapes)) {
                imap_put_literal(s, octets, FALSE);
                return;
        }
        guint8 *out = stream_reserve(s->session.stream, octets.len + escapes + 2);
        if (out == NULL)
                return;
        out[n++] = '"';
        if (escapes == 0 && octets.len > 0) {
                memcpy(out + n, octets.data, octets.len);
                n += octets.len;
        }
        for (gsize i = 0; escapes > 0 && i < octets.len; i++) {
                if (octets.data[i] == '"' || octets.data[i] == '\\')
                        out[n++] = '\\';
                out[n++] = octets.data[i];
        }
        out[n++] = '"';
        stream_commit(s->session.stream, n);
}

void
imap_put_nstring(ImapSession *s, Span octets, gboolean is_nil)
{
        if (is_nil)
                imap_put(s, "NIL");
        else
                imap_put_string(s, octets);
}

void
imap_put_astring(ImapSession *s, Span octets)
{
        gboolean is_atom = octets.len > 0 && octets.len <= QUOTED_MAX && !span_is(octets, "NIL");

        for (gsize i = 0; is_atom && i < octets.len; i++)
                is_atom = args_is_astring_octet(octets.data[i]);
        if (is_atom)
                imap_put_span(s, octets);
        else
                imap_put_string(s, octets);
}

void
imap_replace_nuls(guint8 *octets, gsize len)
{
        for (guint8 *end = octets + len; octets < end; octets++) {
                octets = memchr(octets, '\0', (gsize) (end - octets));
                if (octets == NULL)
                        return;
                *octets = 0x80;
        }
}

void
imap_put_without_nuls(ImapSession *s, Span octets)
{
        while (octets.len > 0) {
                const guint8 *nul = memchr(octets.data, '\0', octets.len);
                gsize len = nul != NULL ? (gsize) (nul - octets.data) : octets.len;
                imap_put_span(s, span_slice(octets, 0, len));
                if (nul != NULL)
                        imap_put(s, "\x80");
                octets = span_slice(octets, len + 1, octets.len);
        }
}

void
imap_put_literal_head(ImapSession *s, guint64 octets, gboolean is_binary)
{
        imap_put(s, is_binary ? "~{" : "{");
        imap_put_number(s, octets);
        imap_put(s, "}\r\n");
}

void
imap_put_literal(ImapSession *s, Span octets, gboolean is_binary)
{
        imap_put_literal_head(s, octets.len, is_binary);
        if (is_binary)
                imap_put_span(s, octets);
        else
                imap_put_without_nuls(s, octets);
}

static gboolean
is_same_in_utf7(Span name)
{
        for (gsize i = 0; i < name.len; i++)
                if (name.data[i] < 0x20 || name.data[i] > 0x7e || name.data[i] == '&')
                        return FALSE;
        return TRUE;
}

void
imap_put_mailbox(ImapSession *s, Span utf8_name)
{
        if (may_send_utf8(s) || is_same_in_utf7(utf8_name)) {
                imap_put_astring(s, utf8_name);
                return;
        }
        g_autoptr(Arena) arena = arena_new(NAME_ARENA_MAX);
        imap_put_astring(s, utf7_from_utf8(arena, utf8_name));
}

void
imap_put_ranges(ImapSession *s, const UidRange *ranges, gsize n)
{
        for (gsize i = 0; i < n; i++) {
                char text[24], *end = text + sizeof(text);
                char *at = write_number(end, ranges[i].last);
                if (ranges[i].first != ranges[i].last) {
                        *--at = ':';
                        at = write_number(at, ranges[i].first);
                }
                if (i > 0)
                        *--at = ',';
                imap_put_span(s, span_make(at, (gsize) (end - at)));
        }
}

/* Dates ------------------------------------------------------------------------------------------------------------ */

static void
put_two(char *at, guint number)
{
        at[0] = (char) ('0' + number / 10);
        at[1] = (char) ('0' + number % 10);
}

/* Day, month and year of a day since 1970-01-01; years count from March (see args.c). */
static void
write_day(char *at, gint64 days)
{
        guint32 z = (guint32) (days + 719468), era = z / 146097, of_era = z % 146097;
        guint32 year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        guint32 of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        guint32 m = (5 * of_year + 2) / 153;
        guint32 month = m < 10 ? m + 3 : m - 9, year = year_of_era + era * 400 + (month < 3 ? 1 : 0);

        put_two(at, of_year - (153 * m + 2) / 5 + 1);
        if (at[0] == '0')
                at[0] = ' ';
        at[2] = at[6] = '-';
        memcpy(at + 3, MONTHS[month - 1], 3);
        put_two(at + 7, year / 100);
        put_two(at + 9, year % 100);
}

guint8 *
imap_write_date_time(guint8 *at, Usec when)
{
        char text[] = "\"dd-Mmm-yyyy hh:mm:ss +0000\"";
        gint64 seconds = CLAMP(when, 0, G_GINT64_CONSTANT(253402300799000000)) / USEC_PER_SEC; /* 9999-12-31 */
        guint of_day = (guint) (seconds % 86400);

        write_day(text + 1, seconds / 86400);
        put_two(text + 13, of_day / 3600);
        put_two(text + 16, of_day / 60 % 60);
        put_two(text + 19, of_day % 60);
        memcpy(at, text, IMAP_DATE_TIME_OCTETS);
        return at + IMAP_DATE_TIME_OCTETS;
}

void
imap_put_date_time(ImapSession *s, Usec when)
{
        guint8 text[IMAP_DATE_TIME_OCTETS];

        (void) imap_write_date_time(text, when);
        imap_put_span(s, span_make(text, sizeof(text)));
}

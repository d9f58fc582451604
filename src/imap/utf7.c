/* utf7.c -- mailbox names of IMAP4rev1: modified UTF-7 (RFC 3501 §5.1.3).
 *
 * Each name has exactly one form: what another encoder would have written otherwise (printable ASCII in base64, two
 * shifts in a row, bits left over) is not well-formed, so that two names on the wire are never one mailbox.
 */
#include "imap/utf7.h"
#include "base/scan.h"
#include "base/text.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Encoding -------------------------------------------------------------------------------------------------------- */

typedef struct Encoder {
        guint8 *out;
        gsize n;
        guint32 bits;
        guint n_bits;
        gboolean is_shifted;
} Encoder;

static void
put_bits(Encoder *e, guint32 unit)
{
        e->bits = e->bits << 16 | unit;
        e->n_bits += 16;
        while (e->n_bits >= 6) {
                e->n_bits -= 6;
                e->out[e->n++] = (guint8) DIGITS[e->bits >> e->n_bits & 63];
        }
}

static void
unshift(Encoder *e)
{
        if (!e->is_shifted)
                return;
        if (e->n_bits > 0)
                e->out[e->n++] = (guint8) DIGITS[e->bits << (6 - e->n_bits) & 63];
        e->out[e->n++] = '-';
        e->is_shifted = FALSE;
}

static void
put_encoded(Encoder *e, gunichar c)
{
        if (!e->is_shifted) {
                e->out[e->n++] = '&';
                e->is_shifted = TRUE;
                e->bits = 0;
                e->n_bits = 0;
        }
        if (c >= 0x10000) {
                put_bits(e, 0xd800 + ((c - 0x10000) >> 10));
                put_bits(e, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
                put_bits(e, c);
        }
}

static void
put_char(Encoder *e, gunichar c)
{
        if (c < 0x20 || c > 0x7e) {
                put_encoded(e, c);
                return;
        }
        unshift(e);
        e->out[e->n++] = (guint8) c;
        if (c == '&')
                e->out[e->n++] = '-';
}

/* An octet of UTF-8 grows to at most five: "&AAE-". */
Span
utf7_from_utf8(Arena *arena, Span name)
{
        Encoder e = {.out = arena_alloc(arena, name.len * 5 + 1)};
        const char *at = (const char *) name.data;

        if (e.out == NULL || !text_is_utf8(name))
                return SPAN_EMPTY;
        for (const char *end = at + name.len; at < end; at = g_utf8_next_char(at))
                put_char(&e, g_utf8_get_char(at));
        unshift(&e);
        return span_make(e.out, e.n);
}

/* Decoding -------------------------------------------------------------------------------------------------------- */

typedef struct Decoder {
        char *out;
        gsize n;
        guint32 bits;
        guint n_bits;
        gunichar high; /* half of a surrogate pair, 0: none */
} Decoder;

static gboolean
take_unit(Decoder *d, gunichar unit)
{
        if (d->high != 0) {
                if (unit < 0xdc00 || unit > 0xdfff)
                        return FALSE;
                unit = 0x10000 + ((d->high - 0xd800) << 10) + (unit - 0xdc00);
                d->high = 0;
        } else if (unit >= 0xd800 && unit < 0xdc00) {
                d->high = unit;
                return TRUE;
        } else if (unit >= 0xdc00 && unit <= 0xdfff) {
                return FALSE;
        }
        d->n += (gsize) g_unichar_to_utf8(unit, d->out + d->n);
        return TRUE;
}

static gboolean
take_digit(Decoder *d, guint8 digit)
{
        const char *at = digit != '\0' ? strchr(DIGITS, digit) : NULL;

        if (at == NULL)
                return FALSE;
        d->bits = d->bits << 6 | (guint32) (at - DIGITS);
        d->n_bits += 6;
        if (d->n_bits < 16)
                return TRUE;
        d->n_bits -= 16;
        return take_unit(d, d->bits >> d->n_bits & 0xffff);
}

/* What stands between "&" and "-". */
static gboolean
take_shifted(Decoder *d, Span digits)
{
        if (digits.len == 0) {
                d->out[d->n++] = '&';
                return TRUE;
        }
        d->bits = 0;
        d->n_bits = 0;
        for (gsize i = 0; i < digits.len; i++)
                if (!take_digit(d, digits.data[i]))
                        return FALSE;
        return d->high == 0;
}

/* Whether it is the one form is seen by writing it again. */
gboolean
utf7_to_utf8(Arena *arena, Span name, Span *ret)
{
        Decoder d = {.out = arena_alloc(arena, name.len * 2 + 1)};
        Scan s = scan_from(name);
        Span digits;
        guint8 c;

        if (d.out == NULL)
                return FALSE;
        while (scan_any(&s, &c)) {
                if (c < 0x20 || c > 0x7e)
                        return FALSE;
                if (c != '&')
                        d.out[d.n++] = (char) c;
                else if (!scan_until(&s, '-', &digits) || !scan_octet(&s, '-') || !take_shifted(&d, digits))
                        return FALSE;
        }
        Span decoded = span_make(d.out, d.n);
        if (!span_equal(utf7_from_utf8(arena, decoded), name))
                return FALSE;
        *ret = decoded;
        return TRUE;
}

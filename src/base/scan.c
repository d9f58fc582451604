#include "base/scan.h"

#define LOW(octet) (G_GUINT64_CONSTANT(1) << (octet))        /* 0x00-0x3f, first word  */
#define HIGH(octet) (G_GUINT64_CONSTANT(1) << ((octet) -64)) /* 0x40-0x7f, second word */

#define DIGITS G_GUINT64_CONSTANT(0x03ff000000000000)
#define LETTERS G_GUINT64_CONSTANT(0x07fffffe07fffffe)
#define PRINT_LOW G_GUINT64_CONSTANT(0xfffffffe00000000)
#define PRINT_HIGH G_GUINT64_CONSTANT(0x7fffffffffffffff)
#define ALL (~G_GUINT64_CONSTANT(0))

#define ATEXT_LOW                                                                                                      \
        (DIGITS | LOW('!') | LOW('#') | LOW('$') | LOW('%') | LOW('&') | LOW('\'') | LOW('*') | LOW('+') | LOW('-') |  \
         LOW('/') | LOW('=') | LOW('?'))
#define ATEXT_HIGH (LETTERS | HIGH('^') | HIGH('_') | HIGH('`') | HIGH('{') | HIGH('|') | HIGH('}') | HIGH('~'))

/* tspecials, RFC 2045 §5.1 */
#define TSPECIALS_LOW                                                                                                  \
        (LOW('(') | LOW(')') | LOW('<') | LOW('>') | LOW(',') | LOW(';') | LOW(':') | LOW('"') | LOW('/') | LOW('?') | \
         LOW('='))
#define TSPECIALS_HIGH (HIGH('@') | HIGH('\\') | HIGH('[') | HIGH(']'))

const OctetClass CLASS_DIGIT = {{DIGITS, 0, 0, 0}};
const OctetClass CLASS_ALPHA = {{0, LETTERS, 0, 0}};
const OctetClass CLASS_ALNUM = {{DIGITS, LETTERS, 0, 0}};
const OctetClass CLASS_HEX = {{DIGITS, G_GUINT64_CONSTANT(0x0000007e0000007e), 0, 0}};
const OctetClass CLASS_WSP = {{LOW(' ') | LOW('\t'), 0, 0, 0}};
const OctetClass CLASS_ATEXT = {{ATEXT_LOW, ATEXT_HIGH, 0, 0}};
const OctetClass CLASS_ATEXT8 = {{ATEXT_LOW, ATEXT_HIGH, ALL, ALL}};
const OctetClass CLASS_TOKEN = {{PRINT_LOW & ~TSPECIALS_LOW, PRINT_HIGH & ~TSPECIALS_HIGH, 0, 0}};
const OctetClass CLASS_PRINT = {{PRINT_LOW, PRINT_HIGH, 0, 0}};

gboolean
scan_word(Scan *s, const char *word)
{
        Span expected = span_of(word);

        return span_starts_nocase(scan_rest(s), expected) && scan_skip(s, expected.len);
}

gboolean
scan_run(Scan *s, const OctetClass *c, gsize max, Span *ret)
{
        const guint8 *from = s->at;
        const guint8 *end = scan_left(s) > max ? from + max : s->end;
        const guint8 *at = from;

        while (at < end && octet_in(c, *at))
                at++;
        if (at == from)
                return FALSE;
        s->at = at;
        *ret = scan_since(s, from);
        return TRUE;
}

gboolean
scan_skip_run(Scan *s, const OctetClass *c)
{
        while (s->at < s->end && octet_in(c, *s->at))
                s->at++;
        return TRUE;
}

gboolean
scan_until(Scan *s, guint8 octet, Span *ret)
{
        const guint8 *found = scan_at_end(s) ? NULL : memchr(s->at, octet, scan_left(s));

        return found != NULL && scan_take(s, (gsize) (found - s->at), ret);
}

gboolean
scan_line(Scan *s, Span *ret)
{
        Span line;

        if (scan_at_end(s))
                return FALSE;
        if (scan_until(s, '\n', &line))
                scan_skip(s, 1);
        else
                scan_take(s, scan_left(s), &line);
        if (line.len > 0 && line.data[line.len - 1] == '\r')
                line.len--;
        *ret = line;
        return TRUE;
}

gboolean
scan_number(Scan *s, guint64 max, guint64 *ret)
{
        const guint8 *at = s->at;
        guint64 value = 0;

        for (; at < s->end && *at >= '0' && *at <= '9'; at++) {
                guint64 digit = *at - (guint64) '0';
                if (at - s->at == 20 || digit > max || value > (max - digit) / 10)
                        return FALSE;
                value = value * 10 + digit;
        }
        if (at == s->at)
                return FALSE;
        s->at = at;
        *ret = value;
        return TRUE;
}

gboolean
scan_hex(Scan *s, gsize digits, guint64 *ret)
{
        guint64 value = 0;
        Span run;
        Scan look = *s;

        if (digits < 1 || digits > 16 || !scan_run(&look, &CLASS_HEX, digits, &run) || run.len != digits)
                return FALSE;
        for (gsize i = 0; i < digits; i++) {
                guint8 octet = octet_lower(run.data[i]);
                value = value << 4 | (guint64) (octet <= '9' ? octet - '0' : octet - 'a' + 10);
        }
        *s = look;
        *ret = value;
        return TRUE;
}

gboolean
span_to_number(Span s, guint64 max, guint64 *ret)
{
        Scan scan = scan_from(s);
        guint64 value;

        if (!scan_number(&scan, max, &value) || !scan_at_end(&scan))
                return FALSE;
        *ret = value;
        return TRUE;
}

gboolean
scan_u8(Scan *s, guint8 *ret)
{
        return scan_any(s, ret);
}

gboolean
scan_u32(Scan *s, guint32 *ret)
{
        Span octets;
        guint32 value;

        if (!scan_take(s, sizeof(value), &octets))
                return FALSE;
        memcpy(&value, octets.data, sizeof(value));
        *ret = GUINT32_FROM_LE(value);
        return TRUE;
}

gboolean
scan_u64(Scan *s, guint64 *ret)
{
        Span octets;
        guint64 value;

        if (!scan_take(s, sizeof(value), &octets))
                return FALSE;
        memcpy(&value, octets.data, sizeof(value));
        *ret = GUINT64_FROM_LE(value);
        return TRUE;
}

const guint8 *
scan_varint_behind(const guint8 *at, const guint8 *end, guint64 max, guint64 *ret)
{
        guint64 value = 0;

        for (guint shift = 0; at < end && shift < 70; shift += 7) {
                guint8 octet = *at++;
                if (shift == 63 && octet > 1) /* the tenth octet has one bit left of 64, and must be the last */
                        return NULL;
                value |= (guint64) (octet & 0x7f) << shift;
                if ((octet & 0x80) != 0)
                        continue;
                if (value > max)
                        return NULL;
                *ret = value;
                return at;
        }
        return NULL;
}

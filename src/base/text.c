#include "base/text.h"

#include <string.h>

/* How many octets the UTF-8 character at p has (RFC 3629 §4), 0 when there is none. */
static gsize
utf8_octets(const guint8 *p, gsize left)
{
        guint8 first = p[0];
        guint8 low = 0x80;      /* bounds of the second octet: no overlong form, no surrogate, nothing above U+10FFFF */
        guint8 high = 0xbf;
        gsize octets;

        if (first < 0x80)
                return 1;
        if (first >= 0xc2 && first <= 0xdf) {
                octets = 2;
        } else if (first >= 0xe0 && first <= 0xef) {
                octets = 3;
                low = first == 0xe0 ? 0xa0 : 0x80;
                high = first == 0xed ? 0x9f : 0xbf;
        } else if (first >= 0xf0 && first <= 0xf4) {
                octets = 4;
                low = first == 0xf0 ? 0x90 : 0x80;
                high = first == 0xf4 ? 0x8f : 0xbf;
        } else {
                return 0;
        }
        if (left < octets || p[1] < low || p[1] > high)
                return 0;
        for (gsize i = 2; i < octets; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return octets;
}

int
text_utf8_next(Span s, gunichar *ret)
{
        static const guint8 first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
        guint8 whole[4] = {0, 0x80, 0x80, 0x80};
        gsize octets = s.len > 0 ? utf8_octets(s.data, s.len) : 0;

        if (octets == 0) {
                /* Whether any ending would do: behind a first octet alone, one always does. */
                memcpy(whole, s.data, MIN(s.len, 3));
                if (s.len == 0 || s.len > 3 || whole[0] < 0xc2 || whole[0] > 0xf4)
                        return 0;
                octets = whole[0] < 0xe0 ? 2 : whole[0] < 0xf0 ? 3 : 4;
                return s.len == 1 || (s.len < octets && utf8_octets(whole, 4) > 0) ? -1 : 0;
        }
        gunichar c = s.data[0] & first_bits[octets];
        for (gsize i = 1; i < octets; i++)
                c = c << 6 | (s.data[i] & 0x3f);
        *ret = c;
        return (int) octets;
}

/* Behind the ASCII octets that at begins with, eight at a time: bodies are mostly that. */
static const guint8 *
skip_ascii(const guint8 *at, const guint8 *end)
{
        guint64 eight;

        while ((gsize) (end - at) >= sizeof(eight)) {
                memcpy(&eight, at, sizeof(eight));
                if ((eight & G_GUINT64_CONSTANT(0x8080808080808080)) != 0)
                        break;
                at += sizeof(eight);
        }
        while (at < end && *at < 0x80)
                at++;
        return at;
}

gboolean
text_is_utf8(Span s)
{
        Scan scan = scan_from(s);

        while ((scan.at = skip_ascii(scan.at, scan.end)) < scan.end) {
                gsize octets = utf8_octets(scan.at, scan_left(&scan));
                if (octets == 0)
                        return FALSE;
                scan.at += octets;
        }
        return TRUE;
}

gboolean
text_is_ascii(Span s)
{
        Scan scan = scan_from(s);

        return skip_ascii(scan.at, scan.end) == scan.end;
}

gboolean
text_has_control(Span s)
{
        for (gsize i = 0; i < s.len; i++)
                if (s.data[i] < 0x20 || s.data[i] == 0x7f)
                        return TRUE;
        return FALSE;
}

/* Whether a terminal shows it as a character in its place: no controls, no bidirectional or other format marks, no
 * separators that some readers take for line ends. */
static gboolean
is_shown(const guint8 *at, gsize octets)
{
        if (octets == 1)
                return at[0] >= 0x20 && at[0] < 0x7f;

        gunichar c = g_utf8_get_char((const char *) at);
        GUnicodeType type = g_unichar_type(c);
        return g_unichar_isprint(c) && type != G_UNICODE_LINE_SEPARATOR && type != G_UNICODE_PARAGRAPH_SEPARATOR &&
               type != G_UNICODE_PRIVATE_USE;
}

gsize
text_escape_next(Scan *s, char out[TEXT_ESCAPED_OCTETS])
{
        static const char digits[] = "0123456789abcdef";

        if (scan_at_end(s))
                return 0;
        gsize octets = utf8_octets(s->at, scan_left(s));
        if (octets > 0 && s->at[0] != '\\' && is_shown(s->at, octets)) {
                memcpy(out, s->at, octets);
                s->at += octets;
                return octets;
        }
        guint8 octet = *s->at++;
        out[0] = '\\';
        if (octet == '\\') {
                out[1] = '\\';
                return 2;
        }
        out[1] = 'x';
        out[2] = digits[octet >> 4];
        out[3] = digits[octet & 15];
        return 4;
}

/* Where s must be cut so that at most max octets stay and no character is torn. */
static gsize
cut_at(Span s, gsize max)
{
        if (s.len <= max)
                return s.len;
        for (gsize back = 0; back < 4 && back <= max; back++)
                if ((s.data[max - back] & 0xc0) != 0x80)
                        return max - back;      /* a character begins here, or an octet that is none */
        return max;                             /* not UTF-8: each octet stands for itself */
}

/* Text that stands for itself. */
static gboolean
is_plain(Span s)
{
        for (gsize i = 0; i < s.len; i++)
                if (s.data[i] < 0x20 || s.data[i] >= 0x7f || s.data[i] == '\\')
                        return FALSE;
        return TRUE;
}

static GString *
escape_to_string(Span s, gsize max)
{
        gsize cut = cut_at(s, max);
        Scan scan = scan_from(span_slice(s, 0, cut));
        GString *text = g_string_sized_new(cut + 8);
        char out[TEXT_ESCAPED_OCTETS];

        for (gsize n; (n = text_escape_next(&scan, out)) > 0;)
                g_string_append_len(text, out, (gssize) n);
        if (cut < s.len)
                g_string_append(text, "...");
        return text;
}

char *
text_escape(Span s, gsize max)
{
        return g_string_free(escape_to_string(s, max), FALSE);
}

const char *
text_escape_in(Arena *arena, Span s, gsize max)
{
        if (s.len <= max && is_plain(s))
                return arena_strndup(arena, s);

        g_autoptr(GString) text = escape_to_string(s, max);

        return arena_strndup(arena, span_make(text->str, text->len));
}

char *
text_put_digits(char *at, guint value, guint width)
{
        for (guint i = width; i-- > 0; value /= 10)
                at[i] = (char) ('0' + value % 10);
        return at + width;
}

char *
text_put_number(char *at, guint64 value)
{
        char digits[TEXT_NUMBER_OCTETS];
        gsize from = sizeof(digits);

        do
                digits[--from] = (char) ('0' + value % 10);
        while ((value /= 10) > 0);
        memcpy(at, digits + from, sizeof(digits) - from);
        return at + (sizeof(digits) - from);
}

Span
text_lower(Arena *arena, Span s)
{
        guint8 *lower = s.len > 0 ? arena_alloc(arena, s.len) : NULL;

        if (lower == NULL)
                return SPAN_EMPTY;
        for (gsize i = 0; i < s.len; i++)
                lower[i] = octet_lower(s.data[i]);
        return span_make(lower, s.len);
}

/* Only the last star is ever tried again: an earlier one that took less would gain nothing. */
gboolean
text_matches(Span pattern, Span s)
{
        gsize p = 0;
        gsize i = 0;
        gsize behind_star = 0;  /* place in the pattern behind the last star, 0 before any */
        gsize retry = 0;        /* where in s that star's run may end next */

        while (i < s.len) {
                if (p < pattern.len && pattern.data[p] == '*') {
                        behind_star = ++p;
                        retry = i;
                } else if (p < pattern.len && octet_lower(pattern.data[p]) == octet_lower(s.data[i])) {
                        p++;
                        i++;
                } else if (behind_star > 0) {
                        p = behind_star;
                        i = ++retry;
                } else {
                        return FALSE;
                }
        }
        while (p < pattern.len && pattern.data[p] == '*')
                p++;
        return p == pattern.len;
}

char *
text_hex(Span s)
{
        static const char digits[] = "0123456789abcdef";
        char *text = g_malloc(s.len * 2 + 1);

        for (gsize i = 0; i < s.len; i++) {
                text[i * 2] = digits[s.data[i] >> 4];
                text[i * 2 + 1] = digits[s.data[i] & 15];
        }
        text[s.len * 2] = '\0';
        return text;
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Span
text_base64(Arena *arena, Span s)
{
        gsize groups = s.len / 3 + (s.len % 3 != 0 ? 1 : 0);
        guint8 *text = arena_alloc_array(arena, 4, groups);
        guint8 *at = text;

        if (text == NULL || groups == 0)
                return SPAN_EMPTY;
        for (gsize i = 0; i < s.len; i += 3, at += 4) {
                gsize left = s.len - i;
                guint bits = (guint) s.data[i] << 16;
                if (left > 1)
                        bits |= (guint) s.data[i + 1] << 8;
                if (left > 2)
                        bits |= s.data[i + 2];
                at[0] = (guint8) BASE64[bits >> 18];
                at[1] = (guint8) BASE64[bits >> 12 & 63];
                at[2] = left > 1 ? (guint8) BASE64[bits >> 6 & 63] : '=';
                at[3] = left > 2 ? (guint8) BASE64[bits & 63] : '=';
        }
        return span_make(text, groups * 4);
}

/* 0..63, or -1 outside the alphabet ('=' too). */
static int
base64_value(guint8 c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four letters, of which the last `padding` are '='. Bits that padding leaves over must be zero: every
 * text has one encoding (RFC 4648 §3.5). */
static gboolean
base64_decode_group(const guint8 *in, gsize padding, guint8 out[3])
{
        guint bits = 0;

        for (gsize i = 0; i < 4; i++) {
                int value = i < 4 - padding ? base64_value(in[i]) : 0;
                if (value < 0)
                        return FALSE;
                bits = bits << 6 | (guint) value;
        }
        if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0))
                return FALSE;
        out[0] = (guint8) (bits >> 16);
        out[1] = (guint8) (bits >> 8);
        out[2] = (guint8) bits;
        return TRUE;
}

gboolean
text_base64_decode(Arena *arena, Span s, gsize max, Span *ret)
{
        if (s.len == 0) {
                *ret = SPAN_EMPTY;
                return TRUE;
        }
        if (s.len % 4 != 0)
                return FALSE;

        gsize padding = s.data[s.len - 1] != '=' ? 0 : s.data[s.len - 2] != '=' ? 1 : 2;
        gsize octets = s.len / 4 * 3 - padding;
        guint8 *data = octets <= max ? arena_alloc(arena, s.len / 4 * 3) : NULL;
        if (data == NULL)
                return FALSE;
        for (gsize in = 0, out = 0; in < s.len; in += 4, out += 3)
                if (!base64_decode_group(s.data + in, in + 4 == s.len ? padding : 0, data + out))
                        return FALSE;
        *ret = span_make(data, octets);
        return TRUE;
}

/* Two letters are others, and the padding is left out. */
gboolean
text_base64url_decode(Arena *arena, Span s, gsize max, Span *ret)
{
        gsize padding = s.len % 4 == 0 ? 0 : 4 - s.len % 4;
        guint8 *text = padding < 3 && s.len / 4 * 3 <= max ? arena_alloc(arena, s.len + 3) : NULL;

        if (text == NULL)
                return FALSE;
        memset(text, '=', s.len + padding);
        for (gsize i = 0; i < s.len; i++) {
                if (s.data[i] == '+' || s.data[i] == '/' || s.data[i] == '=')
                        return FALSE;
                text[i] = s.data[i] == '-' ? '+' : s.data[i] == '_' ? '/' : s.data[i];
        }
        gboolean is_decoded = text_base64_decode(arena, span_make(text, s.len + padding), max, ret);
        text_wipe(text, s.len);
        return is_decoded;
}

gboolean
text_equal_secret(Span a, Span b)
{
        const volatile guint8 *x = a.data;      /* volatile: the compiler may not stop at the first difference */
        const volatile guint8 *y = b.data;
        guint8 difference = 0;

        if (a.len != b.len)
                return FALSE;
        for (gsize i = 0; i < a.len; i++)
                difference |= (guint8) (x[i] ^ y[i]);
        return difference == 0;
}

void
text_wipe(void *data, gsize octets)
{
        if (data != NULL)
                explicit_bzero(data, octets);
}

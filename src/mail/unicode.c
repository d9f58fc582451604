/* unicode.c -- text in the other forms of Unicode: UTF-16, UTF-32 and UTF-7 (RFC 2781, Unicode 3.10, RFC 2152), a piece
 * at a time.
 *
 * What a label says of the order of octets is believed less than a byte order mark, and where there is none and the
 * label leaves it open, zeros tell: every text has spaces and line ends. Text without a zero in it that is good UTF-8
 * is no UTF-16: somebody in between has converted it and left the label.
 */
#include "mail/internal.h"

#include "base/text.h"

#define REPLACEMENT 0xfffd
#define MARK 0xfeff
#define LOOK_OCTETS ((gsize) 64) /* that the form is told by */

G_STATIC_ASSERT(LOOK_OCTETS <= CHARSET_LEFT_MAX);

/* Which form --------------------------------------------------------------------------------------------------------
 */

static const struct {
        const char *mark;
        gsize octets;
        UnicodeForm form;
} MARKS[] = {
        {"\xff\xfe\0\0", 4, UNICODE_32LE}, {"\0\0\xfe\xff", 4, UNICODE_32BE}, {"\xff\xfe", 2, UNICODE_16LE},
        {"\xfe\xff", 2, UNICODE_16BE},     {"\xef\xbb\xbf", 3, UNICODE_8},
};

static gboolean
is_wide(UnicodeForm form)
{
        return form == UNICODE_32 || form == UNICODE_32LE || form == UNICODE_32BE;
}

/* UNICODE_NONE: there is no byte order mark. A text in UTF-16LE may begin with a mark and a NUL. */
static UnicodeForm
form_marked(UnicodeForm named, Span text)
{
        for (gsize i = 0; i < G_N_ELEMENTS(MARKS); i++)
                if (text.len >= MARKS[i].octets && memcmp(text.data, MARKS[i].mark, MARKS[i].octets) == 0 &&
                    (MARKS[i].octets < 4 || is_wide(named)))
                        return MARKS[i].form;
        return UNICODE_NONE;
}

/* The low half of a unit is seldom zero: n[k] counts zeros at places k, k + 2, ... */
static void
count_zeros(Span text, gsize n[2])
{
        n[0] = n[1] = 0;
        for (gsize i = 0; i < text.len; i++)
                n[i % 2] += text.data[i] == 0;
}

/* A character may be torn at the end. */
static gboolean
is_utf8_so_far(Span text)
{
        Scan s = scan_from(text);
        gunichar c;
        int octets = 1;

        while (!scan_at_end(&s) && (octets = text_utf8_next(scan_rest(&s), &c)) > 0)
                scan_skip(&s, (gsize) octets);
        return octets != 0;
}

/* RFC 2781 §4.3: without a mark the first octet is the high one. */
static UnicodeForm
form_guessed(UnicodeForm named, Span text)
{
        gsize zeros[2];

        count_zeros(text, zeros);
        if (zeros[0] + zeros[1] == 0 && is_utf8_so_far(text))
                return UNICODE_8;
        if (named == UNICODE_16)
                return zeros[1] > zeros[0] ? UNICODE_16LE : UNICODE_16BE;
        if (named == UNICODE_32)
                return text.len > 0 && text.data[0] != 0 ? UNICODE_32LE : UNICODE_32BE;
        return named;
}

static void
form_tell(UnicodeReader *r, UnicodeForm named, Span text)
{
        text = span_slice(text, 0, LOOK_OCTETS);
        r->form = form_marked(named, text);
        if (r->form == UNICODE_NONE)
                r->form = form_guessed(named, text);
}

/* UTF-16 and UTF-32 -------------------------------------------------------------------------------------------------
 */

static gboolean
is_lead(gunichar unit)
{
        return unit >= 0xd800 && unit < 0xdc00;
}

static gboolean
is_trail(gunichar unit)
{
        return unit >= 0xdc00 && unit < 0xe000;
}

static void
add_character(Octets *o, gunichar c)
{
        if (c != MARK)
                octets_add_character(o, c > 0x10ffff || is_lead(c) || is_trail(c) ? REPLACEMENT : c);
}

/* One unit of UTF-16, with the one that waits before it. */
static void
add_unit(Octets *o, UnicodeReader *r, gunichar unit)
{
        gunichar lead = r->lead;

        r->lead = 0;
        if (lead != 0 && is_trail(unit)) {
                add_character(o, 0x10000 + ((lead - 0xd800) << 10) + (unit - 0xdc00));
                return;
        }
        if (lead != 0)
                add_character(o, REPLACEMENT);
        if (is_lead(unit))
                r->lead = unit;
        else
                add_character(o, unit);
}

static gunichar
unit_of(const guint8 *at, UnicodeForm form)
{
        switch (form) {
        case UNICODE_16LE:
                return (gunichar) at[0] | (gunichar) at[1] << 8;
        case UNICODE_16BE:
                return (gunichar) at[1] | (gunichar) at[0] << 8;
        case UNICODE_32LE:
                return (gunichar) at[0] | (gunichar) at[1] << 8 | (gunichar) at[2] << 16 | (gunichar) at[3] << 24;
        default:
                return (gunichar) at[3] | (gunichar) at[2] << 8 | (gunichar) at[1] << 16 | (gunichar) at[0] << 24;
        }
}

static void
add_end(Octets *o, UnicodeReader *r, gboolean is_torn)
{
        if (r->lead != 0)
                add_character(o, REPLACEMENT);
        if (is_torn)
                add_character(o, REPLACEMENT);
        r->lead = 0;
}

static gsize
add_units(Octets *o, UnicodeReader *r, Span text, gboolean is_last)
{
        gsize octets = is_wide(r->form) ? 4 : 2, whole = text.len - text.len % octets;

        for (gsize at = 0; at < whole; at += octets)
                if (octets == 2)
                        add_unit(o, r, unit_of(text.data + at, r->form));
                else
                        add_character(o, unit_of(text.data + at, r->form));
        if (!is_last)
                return whole;
        add_end(o, r, whole < text.len);
        return text.len;
}

/* UTF-7 -------------------------------------------------------------------------------------------------------------
 */

static int
base64_value(guint8 octet)
{
        if (octet >= 'A' && octet <= 'Z')
                return octet - 'A';
        if (octet >= 'a' && octet <= 'z')
                return octet - 'a' + 26;
        if (octet >= '0' && octet <= '9')
                return octet - '0' + 52;
        return octet == '+' ? 62 : octet == '/' ? 63 : -1;
}

/* RFC 2152, rule 2: bits that make no whole unit are padding. */
static void
shift_end(Octets *o, UnicodeReader *r)
{
        add_end(o, r, FALSE);
        r->is_shifted = FALSE;
        r->n_bits = 0;
        r->bits = 0;
}

/* One octet within a shifted part. FALSE: it ended it, and stands for itself. */
static gboolean
take_shifted(Octets *o, UnicodeReader *r, guint8 octet)
{
        int value = base64_value(octet);

        if (value < 0) {
                if (r->is_empty && octet == '-')
                        octets_add_octet(o, '+');
                shift_end(o, r);
                return octet == '-';
        }
        r->is_empty = FALSE;
        r->bits = r->bits << 6 | (guint32) value;
        r->n_bits += 6;
        if (r->n_bits >= 16) {
                r->n_bits -= 16;
                add_unit(o, r, r->bits >> r->n_bits & 0xffff);
                r->bits &= ((guint32) 1 << r->n_bits) - 1;
        }
        return TRUE;
}

static gsize
add_utf7(Octets *o, UnicodeReader *r, Span text, gboolean is_last)
{
        for (gsize i = 0; i < text.len; i++) {
                guint8 octet = text.data[i];

                if (r->is_shifted && take_shifted(o, r, octet))
                        continue;
                if (octet == '+')
                        r->is_shifted = r->is_empty = TRUE;
                else if (octet < 0x80)
                        octets_add_octet(o, octet);
                else
                        add_character(o, REPLACEMENT);
        }
        if (is_last)
                shift_end(o, r);
        return text.len;
}

/* All ---------------------------------------------------------------------------------------------------------------
 */

gsize
octets_add_unicode(Octets *o, UnicodeReader *r, UnicodeForm named, Span text, gboolean is_last)
{
        if (named == UNICODE_7)
                return add_utf7(o, r, text, is_last);
        if (r->form == UNICODE_NONE && text.len < LOOK_OCTETS && !is_last)
                return 0;
        if (r->form == UNICODE_NONE)
                form_tell(r, named, text);
        return r->form == UNICODE_8 ? octets_add_utf8(o, text, FALSE, is_last) : add_units(o, r, text, is_last);
}

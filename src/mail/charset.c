/* charset.c -- the charsets of mail, and the converters that are kept open for them. */
#include "mail/charset.h"

#include "base/text.h"
#include "base/thread.h"
#include "mail/internal.h"

#include <errno.h>
#include <iconv.h>

#define NOT_OPEN ((iconv_t) -1)

/* The converters, by the C library's names. Supersets stand for what senders label as their part: browsers have taught
 * everybody that iso-8859-1 means windows-1252. */
typedef enum Converter {
        CONVERT_NONE = 0, /* is UTF-8 already, or ASCII */
        CP1250,
        CP1251,
        CP1252,
        CP1253,
        CP1254,
        CP1255,
        CP1256,
        CP1257,
        CP1258,
        CP874,
        LATIN2,
        LATIN3,
        LATIN4,
        CYRILLIC,
        ARABIC,
        GREEK,
        HEBREW,
        LATIN6,
        LATIN7,
        LATIN8,
        LATIN9,
        LATIN10,
        KOI8_R,
        KOI8_U,
        GB18030,
        BIG5,
        SHIFT_JIS,
        ISO_2022_JP,
        EUC_JP,
        EUC_KR,
        ISO_2022_KR,
        CP437,
        CP850,
        CP852,
        CP866,
        MACINTOSH,
        BIG5_HKSCS,
        VISCII,
        N_CONVERTERS,
        OF_UNICODE = N_CONVERTERS, /* and behind it the forms of unicode.c, which are ours */
} Converter;

static const char *const LIBRARY_NAMES[N_CONVERTERS] = {
        [CP1250] = "CP1250",
        [CP1251] = "CP1251",
        [CP1252] = "CP1252",
        [CP1253] = "CP1253",
        [CP1254] = "CP1254",
        [CP1255] = "CP1255",
        [CP1256] = "CP1256",
        [CP1257] = "CP1257",
        [CP1258] = "CP1258",
        [CP874] = "CP874",
        [LATIN2] = "ISO-8859-2",
        [LATIN3] = "ISO-8859-3",
        [LATIN4] = "ISO-8859-4",
        [CYRILLIC] = "ISO-8859-5",
        [ARABIC] = "ISO-8859-6",
        [GREEK] = "ISO-8859-7",
        [HEBREW] = "ISO-8859-8",
        [LATIN6] = "ISO-8859-10",
        [LATIN7] = "ISO-8859-13",
        [LATIN8] = "ISO-8859-14",
        [LATIN9] = "ISO-8859-15",
        [LATIN10] = "ISO-8859-16",
        [KOI8_R] = "KOI8-R",
        [KOI8_U] = "KOI8-U",
        [GB18030] = "GB18030",
        [BIG5] = "BIG5",
        [SHIFT_JIS] = "CP932",
        [ISO_2022_JP] = "ISO-2022-JP",
        [EUC_JP] = "EUC-JP",
        [EUC_KR] = "CP949",
        [ISO_2022_KR] = "ISO-2022-KR",
        [CP437] = "CP437",
        [CP850] = "CP850",
        [CP852] = "CP852",
        [CP866] = "CP866",
        [MACINTOSH] = "MACINTOSH",
        [BIG5_HKSCS] = "BIG5-HKSCS",
        [VISCII] = "VISCII",
};

static const struct {
        const char *name;
        guint converter;
} CHARSETS[] = {
        {"utf-8", CONVERT_NONE},
        {"us-ascii", CONVERT_NONE},
        {"utf8", CONVERT_NONE},
        {"ascii", CONVERT_NONE},
        {"unicode-1-1-utf-8", CONVERT_NONE},
        {"ansi_x3.4-1968", CONVERT_NONE},
        {"iso646-us", CONVERT_NONE},
        {"iso-8859-1", CP1252},
        {"iso8859-1", CP1252},
        {"iso_8859-1", CP1252},
        {"latin1", CP1252},
        {"windows-1250", CP1250},
        {"windows-1251", CP1251},
        {"windows-1252", CP1252},
        {"windows-1253", CP1253},
        {"windows-1254", CP1254},
        {"windows-1255", CP1255},
        {"windows-1256", CP1256},
        {"windows-1257", CP1257},
        {"windows-1258", CP1258},
        {"windows-874", CP874},
        {"cp1250", CP1250},
        {"cp1251", CP1251},
        {"cp1252", CP1252},
        {"cp1253", CP1253},
        {"cp1254", CP1254},
        {"cp1255", CP1255},
        {"cp1256", CP1256},
        {"cp1257", CP1257},
        {"cp1258", CP1258},
        {"iso-8859-2", LATIN2},
        {"iso8859-2", LATIN2},
        {"latin2", LATIN2},
        {"iso-8859-3", LATIN3},
        {"iso-8859-4", LATIN4},
        {"iso-8859-5", CYRILLIC},
        {"iso-8859-6", ARABIC},
        {"iso-8859-7", GREEK},
        {"iso-8859-8", HEBREW},
        {"iso-8859-8-i", HEBREW},
        {"iso-8859-9", CP1254},
        {"iso-8859-10", LATIN6},
        {"iso-8859-11", CP874},
        {"tis-620", CP874},
        {"iso-8859-13", LATIN7},
        {"iso-8859-14", LATIN8},
        {"iso-8859-15", LATIN9},
        {"iso8859-15", LATIN9},
        {"iso-8859-16", LATIN10},
        {"koi8-r", KOI8_R},
        {"koi8-u", KOI8_U},
        {"koi8-ru", KOI8_U},
        {"gb18030", GB18030},
        {"gbk", GB18030},
        {"cp936", GB18030},
        {"gb2312", GB18030},
        {"x-gbk", GB18030},
        {"big5", BIG5},
        {"cn-big5", BIG5},
        {"x-big5", BIG5},
        {"shift_jis", SHIFT_JIS},
        {"shift-jis", SHIFT_JIS},
        {"sjis", SHIFT_JIS},
        {"x-sjis", SHIFT_JIS},
        {"cp932", SHIFT_JIS},
        {"windows-31j", SHIFT_JIS},
        {"iso-2022-jp", ISO_2022_JP},
        {"euc-jp", EUC_JP},
        {"x-euc-jp", EUC_JP},
        {"euc-kr", EUC_KR},
        {"ks_c_5601-1987", EUC_KR},
        {"ksc5601", EUC_KR},
        {"cp949", EUC_KR},
        {"iso-2022-kr", ISO_2022_KR},
        {"csiso2022jp", ISO_2022_JP},
        {"csshiftjis", SHIFT_JIS},
        {"cseuckr", EUC_KR},
        {"ks_c_5601", EUC_KR},
        {"windows-949", EUC_KR},
        {"big5-hkscs", BIG5_HKSCS},
        {"gb_2312-80", GB18030},
        {"windows-936", GB18030},
        {"latin-1", CP1252},
        {"iso-latin-1", CP1252},
        {"iso_8859-2", LATIN2},
        {"iso_8859-15", LATIN9},
        {"latin9", LATIN9},
        {"x-cp1250", CP1250},
        {"x-cp1251", CP1251},
        {"x-cp1252", CP1252},
        {"win-1251", CP1251},
        {"koi8", KOI8_R},
        {"iso-8859-6-i", ARABIC},
        {"iso-8859-8-e", HEBREW},
        {"logical", HEBREW},
        {"ibm437", CP437},
        {"cp437", CP437},
        {"ibm850", CP850},
        {"cp850", CP850},
        {"ibm852", CP852},
        {"cp852", CP852},
        {"ibm866", CP866},
        {"cp866", CP866},
        {"macintosh", MACINTOSH},
        {"mac", MACINTOSH},
        {"x-mac-roman", MACINTOSH},
        {"viscii", VISCII},
        {"utf-16", OF_UNICODE + UNICODE_16},
        {"utf-16le", OF_UNICODE + UNICODE_16LE},
        {"utf-16be", OF_UNICODE + UNICODE_16BE},
        {"unicode", OF_UNICODE + UNICODE_16},
        {"ucs-2", OF_UNICODE + UNICODE_16},
        {"iso-10646-ucs-2", OF_UNICODE + UNICODE_16},
        {"utf-32", OF_UNICODE + UNICODE_32},
        {"utf-32le", OF_UNICODE + UNICODE_32LE},
        {"utf-32be", OF_UNICODE + UNICODE_32BE},
        {"utf-7", OF_UNICODE + UNICODE_7},
        {"unicode-1-1-utf-7", OF_UNICODE + UNICODE_7},
        {"x-unicode-2-0-utf-7", OF_UNICODE + UNICODE_7},
};

typedef struct Kept {
        Mutex mutex;
        iconv_t handle; /* NOT_OPEN when the C library has it not */
} Kept;

static Kept kept[N_CONVERTERS];
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;

static void
open_all(void)
{
        for (guint i = 0; i < N_CONVERTERS; i++) {
                mutex_init(&kept[i].mutex, "mail.charset");
                kept[i].handle = LIBRARY_NAMES[i] != NULL ? iconv_open("UTF-8", LIBRARY_NAMES[i]) : NOT_OPEN;
        }
}

void
mail_charsets_preload(void)
{
        pthread_once(&kept_once, open_all);
}

/* What a name means. `unicode`: the converter does not count. */
typedef struct Charset {
        Converter converter;
        UnicodeForm unicode;
} Charset;

static gboolean
charset_find(Span charset, Charset *ret)
{
        *ret = (Charset){CONVERT_NONE, UNICODE_NONE};
        for (gsize i = 0; charset.len > 0 && i < G_N_ELEMENTS(CHARSETS); i++) {
                guint converter = CHARSETS[i].converter;
                if (!span_is(charset, CHARSETS[i].name))
                        continue;
                mail_charsets_preload();
                if (converter > OF_UNICODE)
                        ret->unicode = converter - OF_UNICODE;
                else
                        ret->converter = converter;
                return ret->converter == CONVERT_NONE || kept[converter].handle != NOT_OPEN;
        }
        return FALSE;
}

gboolean
charset_is_known(Span charset)
{
        Charset found;

        return charset_find(charset, &found);
}

gboolean
charset_keeps_ascii(Span charset)
{
        Charset found;

        return !charset_find(charset, &found) ||
               (found.unicode == UNICODE_NONE && found.converter != ISO_2022_JP && found.converter != ISO_2022_KR &&
                found.converter != VISCII); /* which has letters among the controls */
}

/* Vietnamese, Hebrew and some Chinese: a letter waits for the mark that may follow it (CP1258, CP1255, BIG5-HKSCS). */
static Span
held_letter(iconv_t handle, char room[16])
{
        char *to = room;
        gsize left = 16;

        iconv(handle, NULL, NULL, &to, &left);
        return span_make(room, (gsize) (to - room));
}

/* Through the C library's converter, a piece at a time. An octet it can't read becomes U+FFFD and the next one is
 * tried. */
static void
convert(iconv_t handle, Octets *o, Span text)
{
        char piece[1024], held[16];
        char *from = (char *) text.data;
        gsize left = text.len;

        iconv(handle, NULL, NULL, NULL, NULL);
        while (left > 0 && !o->is_over) {
                char *to = piece;
                gsize room = sizeof(piece);
                gsize done = iconv(handle, &from, &left, &to, &room);
                int why = done == (gsize) -1 ? errno : 0;

                octets_add_text(o, span_make(piece, (gsize) (to - piece)));
                if (why == EILSEQ || why == EINVAL || (why != 0 && to == piece)) {
                        octets_add_text(o, span_of("\xef\xbf\xbd"));
                        from++;
                        left--;
                }
        }
        octets_add_text(o, held_letter(handle, held));
}

static void
add_unicode_text(Octets *o, UnicodeForm form, Span text)
{
        g_auto(Octets) whole = OCTETS_INIT(3 * text.len + 3);
        UnicodeReader reader = {0};

        octets_add_unicode(&whole, &reader, form, text, TRUE);
        octets_add_text(o, octets_span(&whole));
}

gboolean
octets_add_converted(Octets *o, Span charset, Span text)
{
        Charset found;

        if (!charset_find(charset, &found))
                return FALSE;
        if (found.unicode != UNICODE_NONE) {
                add_unicode_text(o, found.unicode, text);
                return TRUE;
        }
        if (found.converter == CONVERT_NONE) {
                octets_add_text(o, text);
                return TRUE;
        }
        MUTEX_SCOPE(&kept[found.converter].mutex);
        convert(kept[found.converter].handle, o, text);
        return TRUE;
}

/* An octet that is no UTF-8: of a text that nobody has named a charset for it is a letter of Western Europe. */
static void
add_stray(Octets *o, guint8 octet, gboolean is_named)
{
        octets_add_character(o, is_named ? 0xfffd : windows_1252_character(octet));
}

gsize
octets_add_utf8(Octets *o, Span text, gboolean is_named, gboolean is_last)
{
        Scan s = scan_from(text);
        gunichar c;

        if (text_is_utf8(text)) {
                octets_add(o, text);
                return text.len;
        }
        while (!scan_at_end(&s)) {
                int octets = text_utf8_next(scan_rest(&s), &c);
                Span character;

                if (octets < 0 && !is_last)
                        break;
                if (octets > 0 && scan_take(&s, (gsize) octets, &character)) {
                        octets_add(o, character);
                } else {
                        add_stray(o, *s.at, is_named);
                        scan_skip(&s, 1);
                }
        }
        return scan_since(&s, text.data).len;
}

/* TRUE: the character that text begins with is not whole. */
static gboolean
convert_some(iconv_t handle, Octets *o, Scan *s, gboolean is_last)
{
        char piece[1024];
        char *from = (char *) s->at, *to = piece;
        gsize left = scan_left(s), room = sizeof(piece);
        gsize done = iconv(handle, &from, &left, &to, &room);
        int why = done == (gsize) -1 ? errno : 0;

        octets_add(o, span_make(piece, (gsize) (to - piece)));
        s->at = (const guint8 *) from;
        if (why == EINVAL && !is_last)
                return TRUE;
        if (why == EILSEQ || why == EINVAL || (why != 0 && to == piece)) {
                octets_add_character(o, 0xfffd);
                scan_skip(s, 1);
        }
        return FALSE;
}

/* A letter and its mark are on one line. */
static Span
up_to_line_end(Span text)
{
        const guint8 *lf = text.len > 0 ? memrchr(text.data, '\n', text.len) : NULL;

        return lf != NULL ? span_make(text.data, (gsize) (lf + 1 - text.data)) : text;
}

#define ESCAPE 0x1b
#define SHIFT_OUT 0x0e
#define SHIFT_IN 0x0f

/* An escape sequence from its first octet on (ISO/IEC 2022): octets from SP to "/", then one more. */
static Span
escape_sequence(Span text)
{
        Scan s = scan_from(text);
        guint8 octet = 0;

        while (scan_any(&s, &octet) && (octet == ESCAPE || (octet >= ' ' && octet <= '/')))
                continue;
        return scan_since(&s, text.data);
}

/* The converters are everybody's and begin anew with each piece. What brings one to where this piece has left it: the
 * last escape sequence, and for Korean, which has no other, whether it is shifted out. */
static void
state_keep(CharsetReader *r, Converter converter, Span text)
{
        const guint8 *at = text.len > 0 ? memrchr(text.data, ESCAPE, text.len) : NULL;
        Span escape = at != NULL ? escape_sequence(span_slice(text, (gsize) (at - text.data), text.len)) : SPAN_EMPTY;

        if (escape.len > 0 && escape.len <= sizeof(r->escape)) {
                memcpy(r->escape, escape.data, escape.len);
                r->n_escape = escape.len;
        }
        for (gsize i = text.len; converter == ISO_2022_KR && i > 0; i--)
                if (text.data[i - 1] == SHIFT_OUT || text.data[i - 1] == SHIFT_IN) {
                        r->is_shifted_out = text.data[i - 1] == SHIFT_OUT;
                        break;
                }
}

static void
state_restore(const CharsetReader *r, iconv_t handle)
{
        char octets[sizeof(r->escape) + 1], nothing[16], *from = octets, *to = nothing;
        gsize left = r->n_escape, room = sizeof(nothing);

        memcpy(octets, r->escape, r->n_escape);
        if (r->is_shifted_out)
                octets[left++] = SHIFT_OUT;
        iconv(handle, NULL, NULL, NULL, NULL);
        if (left > 0)
                (void) iconv(handle, &from, &left, &to, &room);
}

gsize
octets_add_charset(Octets *o, CharsetReader *r, Span text, gboolean is_last)
{
        Charset found;
        gboolean is_known = charset_find(r->charset, &found);

        if (is_known && found.unicode != UNICODE_NONE)
                return octets_add_unicode(o, &r->unicode, found.unicode, text, is_last);
        if (!is_known || found.converter == CONVERT_NONE)
                return octets_add_utf8(o, text, is_known && span_starts_nocase(r->charset, span_of("utf")), is_last);

        char held[16];
        Scan s = scan_from(is_last ? text : up_to_line_end(text));
        MUTEX_SCOPE(&kept[found.converter].mutex);
        state_restore(r, kept[found.converter].handle);
        while (!scan_at_end(&s) && !o->is_over)
                if (convert_some(kept[found.converter].handle, o, &s, is_last))
                        break;
        octets_add(o, held_letter(kept[found.converter].handle, held));
        if (found.converter == ISO_2022_JP || found.converter == ISO_2022_KR)
                state_keep(r, found.converter, scan_since(&s, text.data));
        return scan_since(&s, text.data).len;
}

gboolean
mail_charset_decode(Arena *arena, Span charset, Span text, gsize max, Span *ret)
{
        g_auto(Octets) o = OCTETS_INIT(max);
        CharsetReader reader = {.charset = charset};
        Charset found;

        if (!charset_find(charset, &found))
                return FALSE;
        if (found.converter == CONVERT_NONE && found.unicode == UNICODE_NONE) {
                *ret = text;
                return TRUE;
        }
        (void) octets_add_charset(&o, &reader, text, TRUE);
        *ret = arena_copy(arena, octets_span(&o));
        return TRUE;
}

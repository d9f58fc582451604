/* internal.h -- shared by the files of this room only. */
#pragma once

#include "base/arena.h"
#include "base/scan.h"
#include "mail/header.h"
#include "mail/mime.h"

/* Octets that grow up to a maximum, on the heap. Beyond it (or when the machine has no memory for more than 64 KiB)
 * what is added is dropped and is_over says so. */
typedef struct Octets {
        guint8 *data;
        gsize len, room, max;
        gboolean is_over;
} Octets;

#define OCTETS_INIT(most) ((Octets){.max = (most)})

void octets_clear(Octets *o);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Octets, octets_clear)

/* Room for n more behind data + len, or NULL. The caller adds to len what it wrote. */
guint8 *octets_reserve(Octets *o, gsize n);

/* As much of s as there is room for. */
void octets_add_slowly(Octets *o, Span s);

static inline void
octets_add(Octets *o, Span s)
{
        if (s.len > o->room - o->len || s.len == 0 || o->is_over) {
                octets_add_slowly(o, s);
                return;
        }
        memcpy(o->data + o->len, s.data, s.len);
        o->len += s.len;
}

static inline void
octets_add_octet(Octets *o, guint8 octet)
{
        if (o->len == o->room || o->is_over)
                octets_add_slowly(o, span_make(&octet, 1));
        else
                o->data[o->len++] = octet;
}

/* The same with octets that are no UTF-8 as U+FFFD and controls other than HTAB as '?'. A character is added whole or not. */
void octets_add_text(Octets *o, Span s);

static inline Span
octets_span(const Octets *o)
{
        return (Span){o->data, o->len};
}

/* All of them as one. Empty when there is nothing, or the arena is over. */
Span arena_join_spans(Arena *arena, const Span *pieces, gsize n);

/* SP, HTAB, CR, LF: what separates words once folding is ignored. */
extern const OctetClass CLASS_FOLD;

/* From `(` or `"` behind its match; FALSE (and no move) when it never comes (RFC 5322 §3.2.2, §3.2.4). */
gboolean scan_comment(Scan *s);
gboolean scan_quoted(Scan *s, Span *ret_inside);

/* White space, folding and comments; an unclosed comment ends the reading there. */
void scan_skip_cfws_here(Scan *s);

static inline void
scan_skip_cfws(Scan *s)
{
        if (scan_peek_in(s, &CLASS_FOLD) || scan_peek(s) == '(')
                scan_skip_cfws_here(s);
}

/* The inside of a quoted string or comment without its backslashes and line ends. */
void octets_add_unescaped(Octets *o, Span inside);

/* Text on one line with its encoded words decoded, added as UTF-8. */
void octets_add_decoded(Octets *o, Span line);

/* As header_decode() for text that is already one line: the span itself when nothing was to do. */
Span decode_line(Arena *arena, Span line);

/* Octets of that charset as UTF-8, what can't be read as U+FFFD. FALSE, with nothing added, when the charset is unknown. */
gboolean charset_is_known(Span charset);
gboolean charset_keeps_ascii(Span charset); /* text of ASCII octets is already UTF-8 */
gboolean octets_add_converted(Octets *o, Span charset, Span text);

/* Forms of Unicode other than plain UTF-8 (unicode.c); 16 and 32 leave it open which octet comes first. */
typedef enum UnicodeForm {
        UNICODE_NONE = 0,
        UNICODE_16,
        UNICODE_16LE,
        UNICODE_16BE,
        UNICODE_32,
        UNICODE_32LE,
        UNICODE_32BE,
        UNICODE_7,
        UNICODE_8, /* it was UTF-8 all the same */
} UnicodeForm;

/* {0} at first. */
typedef struct UnicodeReader {
        UnicodeForm form;    /* once it is known               */
        gunichar lead;       /* a high surrogate that waits    */
        gboolean is_shifted; /* UTF-7: in base64               */
        gboolean is_empty;   /* of which nothing was read yet  */
        guint32 bits;
        guint n_bits;
} UnicodeReader;

/* As octets_add_charset(). At most three octets of UTF-8 come of one. */
gsize octets_add_unicode(Octets *o, UnicodeReader *r, UnicodeForm named, Span text, gboolean is_last);
/* UTF-8; octets that are none become U+FFFD when somebody has named it, else they are windows-1252. */
gsize octets_add_utf8(Octets *o, Span text, gboolean is_named, gboolean is_last);

/* The same for a body that comes in pieces, controls and line ends kept: how many octets of text were taken; what is left
 * belongs in front of the next piece. A charset that is unknown, empty or us-ascii is read as UTF-8, and octets that are
 * none as windows-1252. is_last: nothing follows, everything is taken. */
typedef struct CharsetReader {
        Span charset;
        UnicodeReader unicode; /* private; {0} at first */
        guint8 escape[8];      /* private: where the piece before left the converter */
        gsize n_escape;
        gboolean is_shifted_out;
} CharsetReader;
gsize octets_add_charset(Octets *o, CharsetReader *r, Span text, gboolean is_last);
#define CHARSET_LEFT_MAX 64 /* octets that are left at most, unless text has a line end: then the line behind it too */

void octets_add_character(Octets *o, gunichar c);
gunichar windows_1252_character(guint8 octet);

/* HTML ----------------------------------------------------------------------------------------------------------- */

/* The text of HTML in UTF-8 that comes in pieces (html.c); {0} at first. Never adds more octets than were given. */
typedef struct HtmlReader {
        guint state;
        guint8 quote;
        guint n_dashes;
        gboolean is_closing, is_hidden;
        gsize n_word, n_hidden;
        guint8 word[16], hidden[16];
} HtmlReader;

void octets_add_html(Octets *out, HtmlReader *r, Span html);
void octets_add_html_end(Octets *out, HtmlReader *r);

/* The parameters behind the first ';' of a Content-Type or Content-Disposition for BODYSTRUCTURE: sections put together
 * but nothing decoded, "name*" where RFC 2231 percent-encoding is in it. FALSE: the arena is over. */
gboolean params_parse_raw(Arena *arena, Span body, const Param **ret, gsize *ret_n);

/* Boundary lines ------------------------------------------------------------------------------------------------- */

/* The boundaries that are open, outermost first. */
typedef struct Boundaries {
        Span open[64];
        guint n;
} Boundaries;

/* Whether the line (with its end) is "--boundary" or "--boundary--" of an open one: its index, or -1. Innermost first. */
int boundaries_match(const Boundaries *b, Span line, gboolean *ret_is_last);

/* header_parse() that also ends in front of a boundary line, lists at most max_fields, and counts the LFs of the block. */
gboolean header_read(Arena *arena, Span text, const Boundaries *until, gsize max_fields, Header *ret, gsize *ret_n_lf);

/* The name of an entity's own field, as Content-Type needs it. */
Span header_body_of(const Header *h, const char *name);

/* Address lists -------------------------------------------------------------------------------------------------- */

/* One element of an address list, cut out at the separators and not yet read (address_list.c). */
typedef struct AddressElement {
        Span text;       /* all of it                                                    */
        Span phrase;     /* what stands before '<'                                       */
        Span angle;      /* between the brackets                                         */
        gboolean has_angle;
        gboolean has_at; /* an '@' outside everything: a colon behind it is no group's   */
        Span comment;    /* the inside of the comment it ends with                       */
        int delimiter;   /* ',', ';', ':' (text is the name of a group), or -1 at the end of the list */
} AddressElement;

/* What opened and never closed before the end: nothing of that kind that opens later closes either. Keeps the work
 * linear. */
typedef struct AddressElements {
        Scan s;
        gboolean in_group;
        gboolean has_unclosed_quote, has_unclosed_comment;
} AddressElements;

/* FALSE at the end of the list. */
gboolean address_elements_next(AddressElements *r, AddressElement *ret);
gboolean address_element_is_blank(const AddressElement *e);     /* nothing stood between two commas (RFC 5322 §4.4) */

/* A phrase as one line: quotes and backslashes undone, comments and folding a space. Spaces in quotes stay. */
void octets_add_phrase(Octets *o, Span phrase);

/* Words and dots with comments and folding between them, put together: a local part, or a domain. Dots may stand
 * anywhere, as some phone companies sell them; two words without a dot between are no address. */
gboolean octets_add_dotted(Octets *o, Scan *s, gboolean allow_quoted);
gboolean scan_literal(Scan *s); /* "[...]" of a domain */

/* Folding -------------------------------------------------------------------------------------------------------- */

struct TextFolder; /* text.h */

/* White space of Unicode, no-break spaces and line ends too. */
gboolean character_is_space(gunichar c);

/* Folded text behind what is there, up to the maximum (fold.c). */
void octets_add_folded(Octets *o, struct TextFolder *f, Span text);
void octets_add_folded_end(Octets *o, struct TextFolder *f);

/* internal.h -- shared by the files of this room only. */
#pragma once

#include "base/arena.h"
#include "base/scan.h"
#include "mail/header.h"

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
void octets_add(Octets *o, Span s);
void octets_add_octet(Octets *o, guint8 octet);
/* The same with octets that are no UTF-8 as U+FFFD and controls other than HTAB as '?'. A character is added whole or not. */
void octets_add_text(Octets *o, Span s);

static inline Span
octets_span(const Octets *o)
{
        return (Span){o->data, o->len};
}

/* SP, HTAB, CR, LF: what separates words once folding is ignored. */
extern const OctetClass CLASS_FOLD;

/* From `(` or `"` behind its match; FALSE (and no move) when it never comes (RFC 5322 §3.2.2, §3.2.4). */
gboolean scan_comment(Scan *s);
gboolean scan_quoted(Scan *s, Span *ret_inside);

/* White space, folding and comments; an unclosed comment ends the reading there. */
void scan_skip_cfws(Scan *s);

/* The inside of a quoted string or comment without its backslashes and line ends. */
void octets_add_unescaped(Octets *o, Span inside);

/* Text on one line with its encoded words decoded, added as UTF-8. */
void octets_add_decoded(Octets *o, Span line);

/* As header_decode() for text that is already one line: the span itself when nothing was to do. */
Span decode_line(Arena *arena, Span line);

/* Octets of that charset as UTF-8, what can't be read as U+FFFD. FALSE, with nothing added, when the charset is unknown. */
gboolean charset_is_known(Span charset);
gboolean octets_add_converted(Octets *o, Span charset, Span text);

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

/* header.h -- the header block of a message or part: fields by offsets, and the text in them.
 *
 * header_parse() runs on every message taken in and copies nothing. What a field means is for others: addresses in
 * address.h, content types in mime.h, dates in date.h.
 *
 * Threads  any. Memory: the caller's arena; spans point into the message or the arena.
 * RFC      5322 §2.2, §4.5; 2047; 6532.
 */
#pragma once

#include "base/arena.h"
#include "base/span.h"

#define MESSAGE_FIELDS_MAX   2000
#define MESSAGE_HEADER_MAX   (1024 * 1024)
#define HEADER_DECODED_MAX   (64 * 1024)

/* One header field; offsets are octets from the start of what was parsed. */
typedef struct Field {
        guint32 start;          /* of the name                                             */
        guint32 name_len;       /* without the colon and white space before it             */
        guint32 body;           /* first octet after the colon                             */
        guint32 end;            /* behind the line end of its last line                    */
} Field;

typedef struct Header {
        Span text;              /* the whole header block with its empty line, where there is one            */
        const Field *fields;
        gsize n_fields;
        gsize body_offset;      /* first octet after the empty line, or text.len                             */
        gboolean is_truncated;  /* a limit was reached: fields beyond it are not listed                      */
        gboolean has_junk;      /* lines that are no field (an mbox "From " line, garbage) were passed over  */
} Header;

/* Read a header block from the start of text, which may be a whole message. A message without a header (its first line,
 * an mbox "From " line aside, is no field) has no fields and body_offset 0. Beyond a limit the end of the block is still
 * found. FALSE only when the arena ran over. */
gboolean header_parse(Arena *arena, Span text, Header *ret);

/* nth field (from 0, top down) of that name, ASCII case ignored; NULL when there is none. */
const Field *header_find(const Header *h, const char *name, gsize nth);
Span header_field_name(const Header *h, const Field *f);
Span header_field_body(const Header *h, const Field *f);        /* raw: folding and line end still in it */

/* The body of a field on one line: folding replaced by one space each, ends trimmed (RFC 5322 §2.2.3). Not decoded. */
Span header_unfold(Arena *arena, Span body);

/* Unfolded and encoded words decoded to UTF-8 (RFC 2047; unknown charsets and broken words stay as they are; octets that
 * are no UTF-8 become U+FFFD, controls '?'). At most HEADER_DECODED_MAX octets: what is longer is cut. */
Span header_decode(Arena *arena, Span body);

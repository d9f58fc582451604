/* message.h -- octets of a message -> its structure, by offsets, in one pass without copying.
 *
 * message_parse() finds the header fields and the MIME tree of a message. Everything is an offset into the message, so the
 * result serves IMAP's BODYSTRUCTURE and BODY[...] as well as routing. It never fails on content: beyond the limits
 * (RELIABILITY: depth 50, 1,000 parts, header block of 1 MiB, 2,000 fields, 128 parameters) a part is an opaque leaf and a
 * field list ends, and the result says so.
 *
 * Lines end in CRLF; a bare LF is understood as a line end too (mail that came by fetch), a bare CR is not.
 *
 * Threads  any. Memory: the caller's arena (4 MiB is the budget of one message). Work is linear in the input.
 * RFC      5322 §2.2, §4.5; 2045-2047, 2231; 6532; 3501 §7.4.2 (what BODYSTRUCTURE wants to know).
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/span.h"

#define MESSAGE_FIELDS_MAX 2000
#define MESSAGE_HEADER_MAX (1024 * 1024)
#define MESSAGE_PARTS_MAX  1000
#define MESSAGE_DEPTH_MAX  50
#define MESSAGE_PARAMS_MAX 128

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

/* Read a header block from the start of text, which may be a whole message. A message without a header has no fields and
 * body_offset 0. FALSE only when the arena ran over. */
gboolean header_parse(Arena *arena, Span text, Header *ret);

/* nth field (from 0, top down) of that name, ASCII case ignored; NULL when there is none. */
const Field *header_find(const Header *h, const char *name, gsize nth);
Span header_field_name(const Header *h, const Field *f);
Span header_field_body(const Header *h, const Field *f);        /* raw: folding and line end still in it */

/* The body of a field on one line: folding replaced by one space each, ends trimmed (RFC 5322 §2.2.3). Not decoded. */
Span header_unfold(Arena *arena, Span body);

/* Unfolded and encoded words decoded to UTF-8 (RFC 2047; unknown charsets and broken words stay as they are; octets that
 * are no UTF-8 become U+FFFD). At most 64 KiB. */
Span header_decode(Arena *arena, Span body);

/* Parameters of Content-Type and the like (RFC 2045 §5.1, continuations and charsets of RFC 2231). */
typedef struct Param {
        Span name;              /* lower case, without *N* */
        Span value;             /* UTF-8                   */
} Param;

typedef struct ContentType {
        Span type;              /* lower case; "text" when the field is missing or broken */
        Span subtype;           /* "plain" likewise                                       */
        const Param *params;
        gsize n_params;
} ContentType;

gboolean content_type_parse(Arena *arena, Span body, ContentType *ret);         /* FALSE: broken, *ret holds text/plain */
gboolean disposition_parse(Arena *arena, Span body, Span *ret_kind, const Param **ret_params, gsize *ret_n);
Span param_find(const Param *params, gsize n, const char *name);                /* empty when missing */

/* The MIME tree, parts in document order; children of a part follow it. */
typedef struct Part {
        guint32 parent;         /* index, own index for the root                                             */
        guint16 depth;          /* 0 for the root                                                            */
        gboolean is_multipart;
        gboolean is_message;    /* message/rfc822 or message/global: its only child is the inner message     */
        gboolean is_opaque;     /* a limit was reached: not looked into                                      */
        gsize header_start, body_start, end;    /* octets; header_start == body_start when it has no header  */
        guint32 n_lines;        /* of the body                                                               */
        ContentType type;
        Header header;          /* of the part itself, offsets relative to header.text                       */
} Part;

typedef struct Structure {
        const Part *parts;
        gsize n_parts;
        gboolean is_truncated;
} Structure;

/* FALSE only when the arena ran over its budget: "too complex". */
gboolean message_parse(Arena *arena, Span message, Structure *ret);

/* Dates: RFC 5322 §3.3 and the obsolete forms of §4.3 (two-digit years, named zones, comments, missing weekday).
 * ret_offset: minutes east of UTC. FALSE when no date can be made of it. */
gboolean date_parse(Span body, Usec *ret_real, int *ret_offset);
/* "Thu, 31 Jan 2026 12:34:56 +0000" into at least 40 octets, in UTC. */
const char *date_text(Usec real, char *buffer, gsize size);

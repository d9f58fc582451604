/* mime.h -- content types and the MIME tree of a message, by offsets.
 *
 * message_parse() walks the message once, line by line, with a stack of the boundaries that are open. The result serves
 * IMAP's BODYSTRUCTURE and BODY[...]. Bodies are not decoded here.
 *
 * Threads  any. Memory: the caller's arena, at most 4 MiB for one message whatever it holds.
 * RFC      2045-2046, 2183, 2231; 6532; 3501 §7.4.2 (what BODYSTRUCTURE wants to know).
 */
#pragma once

#include "mail/header.h"

#define MESSAGE_PARTS_MAX  1000
#define MESSAGE_DEPTH_MAX  50
#define MESSAGE_PARAMS_MAX 128
#define MESSAGE_TYPE_MAX   (16 * 1024)  /* octets of one Content-Type or Content-Disposition that are looked at      */
#define BOUNDARY_MAX       256          /* RFC 2046 §5.1.1 allows 70; a multipart with a longer one is a leaf        */

/* Parameters of Content-Type and the like (RFC 2045 §5.1, continuations and charsets of RFC 2231, and the encoded words
 * that many senders put into them). The `boundary` keeps its octets. Of name and name* the latter is given (RFC 2231 §4). */
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

/* FALSE: broken, *ret holds text/plain. */
gboolean content_type_parse(Arena *arena, Span body, ContentType *ret);
/* FALSE: broken, to be treated as "attachment" (RFC 2183 §2.8); outputs untouched. */
gboolean disposition_parse(Arena *arena, Span body, Span *ret_kind, const Param **ret_params, gsize *ret_n);
Span param_find(const Param *params, gsize n, const char *name);                /* empty when missing */

/* Content-Transfer-Encoding (RFC 2045 §6). */
typedef enum TransferEncoding {
        TRANSFER_UNKNOWN = 0,   /* none that we know: the octets can't be decoded */
        TRANSFER_7BIT,          /* also when the field is missing or empty        */
        TRANSFER_8BIT,
        TRANSFER_BINARY,
        TRANSFER_QUOTED_PRINTABLE,
        TRANSFER_BASE64,
} TransferEncoding;

TransferEncoding transfer_encoding_parse(Span body);

/* One node of the MIME tree. A part that was not looked into (a limit, no boundary, an encoded container) is a leaf, what
 * ever its type says: only is_multipart and is_message tell that it has children. A multipart may have none. */
typedef struct Part {
        guint32 parent;         /* index, own index for the root                                             */
        guint16 depth;          /* 0 for the root                                                            */
        gboolean is_multipart;
        gboolean is_message;    /* message/rfc822 or message/global: its only child is the inner message     */
        gboolean is_opaque;     /* a limit was reached: not looked into                                      */
        gsize header_start, body_start, end;    /* octets; header_start == body_start when it has no header  */
        guint32 n_lines;        /* of the body; a last one without line end counts                           */
        ContentType type;
        Header header;          /* of the part itself, offsets relative to header.text                       */
} Part;

typedef struct Structure {
        const Part *parts;      /* in document order; children of a part follow it                           */
        gsize n_parts;
        gboolean is_truncated;  /* some part is opaque, or a header list ended early                         */
} Structure;

/* The whole message. A container with more parts than the limit leaves room for becomes one opaque leaf. FALSE only when
 * the arena ran over its budget: "too complex". */
gboolean message_parse(Arena *arena, Span message, Structure *ret);

/* compose.h -- the one writer of header fields and generated messages: folds, encodes, refuses CR, LF and NUL.
 *
 * Everything Restante writes into a message goes through a Composer: Received, Return-Path, envelope headers, DSNs.
 *
 * Threads  one Composer belongs to one thread. Memory: grows to its maximum, then composer_is_over() is TRUE.
 * RFC      5322 §2.1.1 (998 octets, folded at 78), §2.2.3; 2047 (B encoding for what is not ASCII unless utf8 is allowed).
 */
#pragma once

#include "mail/address.h"
#include "base/clock.h"

typedef struct Composer Composer;

Composer *composer_new(gsize max_octets) G_GNUC_WARN_UNUSED_RESULT;
void composer_free(Composer *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Composer, composer_free)

/* The message may hold UTF-8 in its header (RFC 6532): text is then written as it is. Off at first. */
void composer_allow_utf8(Composer *c, gboolean allow_utf8);

/* A field with a text value: unstructured, folded at spaces, encoded words where it is not ASCII. Controls in it become
 * '?', octets that are no UTF-8 U+FFFD. What reads like an encoded word is encoded too, so that header_decode() gives the
 * value back. */
void compose_field(Composer *c, const char *name, Span value);
/* A field whose value is already right, e.g. a structured one: folded at spaces only, or at 998 octets where there is
 * none; controls become '?'. Octets above 0x7f stay as they are. */
void compose_field_raw(Composer *c, const char *name, Span value);
void compose_field_address(Composer *c, const char *name, const Address *a);   /* `name: <a>`; "<>" for the null sender */
void compose_field_date(Composer *c, const char *name, Usec real);
void compose_end_header(Composer *c);                   /* the empty line */

/* Text of a body: lines may end in LF or CRLF, written with CRLF; a bare CR becomes '?'. */
void compose_text(Composer *c, const char *format, ...) G_GNUC_PRINTF(2, 3);
void compose_octets(Composer *c, Span octets);          /* as they are */

/* TRUE: the maximum was reached, something is missing, and the result must not be used. */
gboolean composer_is_over(const Composer *c);
Span composer_result(const Composer *c);                /* lives with the composer */

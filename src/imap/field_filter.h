/* field_filter.h -- some fields of a header that comes in pieces: BODY[HEADER.FIELDS (...)] and HEADER.FIELDS.NOT.
 *
 * Fields are given as received, in their order. What is no field (an mbox "From " line, a continuation of nothing) is
 * left out. The empty line that ends the header is not given; nothing behind it is looked at.
 *
 * Threads  one at a time. Memory: itself; the names must live as long.
 * RFC      9051 §6.4.5.1; 5322 §2.2.
 */
#pragma once

#include "base/scan.h"

#define FIELD_FILTER_HELD_MAX 320 /* the longest beginning of a line that is not decided yet */

typedef struct FieldFilter {
        const Span *names;
        gsize n_names;
        gboolean is_not;
        guint8 state;
        guint16 n_held;
        guint8 held[FIELD_FILTER_HELD_MAX];
} FieldFilter;

/* is_not: all fields but those. Names of SECTION_NAME_OCTETS_MAX octets at most. */
void field_filter_init(FieldFilter *f, const Span *names, gsize n_names, gboolean is_not);
/* The next piece; out has room for piece.len + FIELD_FILTER_HELD_MAX octets. How many were written. */
gsize field_filter_feed(FieldFilter *f, Span piece, guint8 *out);
/* The empty line has come. */
gboolean field_filter_is_done(const FieldFilter *f);

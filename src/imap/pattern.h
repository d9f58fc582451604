/* pattern.h -- patterns of LIST and LSUB: `*` is anything, `%` anything within a level (RFC 9051 §6.3.9).
 *
 * A pattern is a set of places in itself that is moved by each octet of a name, one bit a place: the cost of a match is the length of the name, whatever wildcards
 * there are. INBOX, alone or above others, is matched in any case.
 *
 * Threads  a pattern never changes. Memory: the caller's arena; 2 KiB for short ones, 32 KiB for the longest.
 */
#pragma once

#include "base/arena.h"

typedef struct Pattern Pattern;

/* text: UTF-8, as it stands behind the reference. NULL: the arena is over. A text of more than 1,000 octets beside its wildcards matches nothing. */
Pattern *pattern_new(Arena *arena, Span text) G_GNUC_WARN_UNUSED_RESULT;
gboolean pattern_matches(const Pattern *pattern, Span name) G_GNUC_PURE;
/* What stands before the first wildcard. */
Span pattern_prefix(Span text) G_GNUC_PURE;

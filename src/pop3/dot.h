/* dot.h -- multi-line responses of POP3: dots stuffed, the end of TOP found. Pure work on octets in place.
 *
 * A dot is stuffed behind every line feed, bare or not, so that no message can end its own transfer in a lenient client.
 *
 * Threads  plain values of one thread. Memory: allocates nothing.
 * RFC      1939 §3 (multi-line responses), §7 (TOP).
 */
#pragma once

#include "base/span.h"

#define DOT_ROOM(octets) ((octets) + (octets) / 2 + 1)  /* most that a piece can grow to: "\n.\n." doubles its dots only */

typedef struct DotState {
        guint8 last[2];         /* the two octets before this piece; at first CRLF */
} DotState;

void dot_init(DotState *state);

/* Stuff `len` octets in `buffer`, which has room for DOT_ROOM(len). Returns the new length. */
gsize dot_stuff(DotState *state, guint8 *buffer, gsize len) G_GNUC_WARN_UNUSED_RESULT;

/* What must stand between the message and the final dot: nothing behind CRLF, else CRLF. */
Span dot_ending(const DotState *state);

/* TOP: the header, the empty line, and so many lines of the body. */
typedef struct TopState {
        guint64 lines_left;
        gboolean in_body;
        guint8 line;            /* what the current line holds: nothing, only a CR, or more */
} TopState;

void top_init(TopState *state, guint64 lines);

/* How much of this piece belongs to the answer; less than len: that was all of it. */
gsize top_take(TopState *state, const guint8 *buffer, gsize len) G_GNUC_WARN_UNUSED_RESULT;
gboolean top_is_done(const TopState *state);

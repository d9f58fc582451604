/* guesses.h -- counters against guessing of addresses and passwords (ROUTING.md §7).
 *
 * Counts distinct recipients refused as unknown per client address (IPv6: /64), across connections; acts only while they exceed the
 * recipients accepted from that client in 24 hours. Bounded: 100,000 clients, the least recently seen go first.
 *
 * Threads  any.
 */
#pragma once

#include "base/clock.h"
#include "base/span.h"

typedef struct Guesses Guesses;

Guesses *guesses_new(void) G_GNUC_WARN_UNUSED_RESULT;
void guesses_free(Guesses *guesses);

typedef enum GuessAnswer {
        GUESS_OK = 0,
        GUESS_SLOW,             /* after 10: wait *ret_delay before the reply, parked     */
        GUESS_CLOSE,            /* after 20 in this session: 421 and close                */
} GuessAnswer;

/* An unknown recipient was refused. in_session: distinct unknown ones of this session so far, counted by the caller through
 * *in_session; the same recipient again counts once. */
GuessAnswer guesses_unknown(Guesses *guesses, const char *client, Span recipient, guint *in_session, Usec *ret_delay);
void guesses_accepted(Guesses *guesses, const char *client);

/* Is this client refused at connect (5 sessions' worth within an hour: for four hours)? */
gboolean guesses_is_refused(Guesses *guesses, const char *client);
gboolean guesses_release(Guesses *guesses, const char *client);        /* NULL: all */

typedef struct GuessRow {
        char client[64];
        guint unknown, accepted;
        Usec refused_for;       /* still, 0: not refused */
} GuessRow;
/* The worst ones, at most max; returns how many (g_free *ret). */
gsize guesses_list(Guesses *guesses, gsize max, GuessRow **ret);

/* clock.h -- the two clocks. Usec is a count of microseconds.
 *
 * Deadlines use the monotonic clock only; what is stored or shown uses real time. A jump of the real clock must neither
 * expire nor retry anything early, so durations are never differences of real times except where a person set a date.
 */
#pragma once

#include <glib.h>

typedef gint64 Usec;

#define USEC_PER_MS     ((Usec) 1000)
#define USEC_PER_SEC    ((Usec) 1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)
#define USEC_NEVER      G_MAXINT64

Usec clock_monotonic(void);
Usec clock_real(void);                  /* since 1970-01-01 UTC */

/* now + span, saturating at USEC_NEVER. */
Usec clock_in(Usec span);

/* "2026-01-31T12:34:56.789Z" into a buffer of at least 32 octets; returns it. */
const char *clock_iso(Usec real, char *buffer, gsize size);

/* Read ISO dates and times as people type them: YYYY-MM-DD[THH:MM[:SS[.ffffff]]][Z], from 1970 on; a space
 * may stand for the T; without Z local time. FALSE when it is none. */
gboolean clock_parse_iso(const char *text, Usec *ret);

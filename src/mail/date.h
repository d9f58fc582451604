/* date.h -- dates of header fields (RFC 5322 §3.3, §4.3), read and written.
 *
 * Threads  any. Memory: none.
 */
#pragma once

#include "base/clock.h"
#include "base/span.h"

#define DATE_TEXT_OCTETS 40

/* RFC 5322 §3.3 and the obsolete forms of §4.3 (two-digit years, named zones, comments, missing weekday), asctime and the
 * other forms that are seen (doc/in-the-wild.md). ret_offset: minutes east of UTC, 0 when the zone is missing or unknown.
 * FALSE when no date can be made of it. */
gboolean date_parse(Span body, Usec *ret_real, int *ret_offset);
/* "Sat, 31 Jan 2026 12:34:56 +0000" into at least DATE_TEXT_OCTETS, in UTC. */
const char *date_text(Usec real, char *buffer, gsize size);

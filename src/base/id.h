/* id.h -- message ids: one per message taken in, named in the SMTP reply, the Received field, the log and the trace.
 *
 * 64 bits: 42 of milliseconds since 2020, 22 that never repeat within this process and start at random. Ids of one
 * process rise strictly. Text form: 13 letters of lower-case Crockford base 32, sorting like the number.
 *
 * Threads  any.
 */
#pragma once

#include "base/span.h"

typedef guint64 Id;

#define ID_TEXT_OCTETS 14       /* with the NUL */

Id id_new(void);
const char *id_text(Id id, char buffer[ID_TEXT_OCTETS]);
gboolean id_parse(Span text, Id *ret);

/* Random octets from the kernel; the process ends when there are none (it can't serve safely then). */
void random_octets(void *data, gsize octets);
guint32 random_below(guint32 bound);    /* uniform in [0, bound), bound > 0 */
char *random_password(void) G_GNUC_WARN_UNUSED_RESULT; /* 20 letters and digits that can't be misread */

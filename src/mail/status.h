/* status.h -- enhanced status codes (RFC 3463, registry of RFC 5248): class.subject.detail.
 *
 * A Status is what replies, DSNs, the queue and the trace all carry, so that one text explains one code everywhere.
 */
#pragma once

#include "base/span.h"

typedef struct Status {
        guint16 code;           /* the SMTP reply code, 200-599                                */
        guint8 class;           /* 2, 4, 5                                                     */
        guint16 subject, detail;
} Status;

#define STATUS(code, c, s, d) ((Status){(code), (c), (s), (d)})

/* "550 5.1.1" -> Status; "5.1.1" alone gives code 250, 450 or 550 by class; FALSE when it is none (RFC 3463 §2). */
gboolean status_parse(Span text, Status *ret);
/* "5.1.1" into at least 12 octets. */
const char *status_text(Status s, char *buffer, gsize size);
/* What it means in plain words, for DSNs and people: "there is no such mailbox here"; a general text for unknown ones. */
const char *status_meaning(Status s);

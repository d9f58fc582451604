/* capability.h -- the table of capabilities, for capability.c, which has it, and offers.c, which goes by it. */
#pragma once

#include "imap/internal.h"

/* When a row is shown. */
typedef enum Shown {
        SHOWN_ALWAYS = 0,
        SHOWN_BEFORE_LOGIN,
        SHOWN_AFTER_LOGIN,
        SHOWN_FOR_TLS,       /* STARTTLS could be given now          */
        SHOWN_FOR_MECHANISM, /* AUTH=: when it may be used now       */
        SHOWN_WITHOUT_PASSWORDS,
        SHOWN_WITHOUT_LITERAL_PLUS,
        SHOWN_WITH_MESSAGE_LIMIT, /* and with its number                 */
        SHOWN_WITH_SIZE,          /* "=OCTETS" behind it                 */
} Shown;

typedef struct Capability {
        ImapCapability row;
        Shown shown;
        guint enables;     /* ImapEnabled bits that ENABLE switches on    */
        const char *needs; /* names, a space between two: off without one */
} Capability;

#define CAPABILITIES_MAX 128

const Capability *capability_row(gsize i); /* NULL behind the last */
gsize capability_find(Span name);          /* index of the row; where none has that name, one behind the last */
/* off: one bit a row; NULL: nothing is off. */
gboolean capability_is_on(const guint64 *off, gsize i);
/* One of these names (a space between two) is on, or all of them. */
gboolean capabilities_are_on(const guint64 *off, const char *names, gboolean all);
/* Of a rule "CAPABILITY condition". */
void capability_split_rule(const char *text, Span *ret_name, Span *ret_condition);

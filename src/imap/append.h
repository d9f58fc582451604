/* append.h -- an APPEND or REPLACE under way, from its first literal to its end.
 *
 *      append_text.c   the grammar between the literals
 *      append.c        the commands
 *      append_url.c    CATENATE: octets of messages that are here
 */
#pragma once

#include "imap/append_text.h"
#include "imap/messages.h"

typedef struct ImapAppend {
        Arena *arena; /* what must outlive a stretch of the command */
        AppendPlace place;
        gboolean is_replace;
        guint32 replaced;      /* REPLACE: UID in the selected mailbox */
        const Mailbox *target; /* NULL: not looked up yet              */
        GArray *messages;      /* of Append                            */
        guint64 octets;        /* of all of them                       */
        GError *fault;         /* the first one while octets came      */
} ImapAppend;

/* So many octets more for the message that has begun: FALSE has answered TOOBIG, OVERQUOTA... */
gboolean append_has_room(ImapSession *s, ImapAppend *p, guint64 octets) G_GNUC_WARN_UNUSED_RESULT;
BlobWriter *append_writer(const ImapAppend *p); /* of the message that has begun */

/* append_url.c: put what the URL names behind the octets so far. FALSE has answered: [BADURL], TOOBIG... */
gboolean append_url(ImapSession *s, ImapAppend *p, Span url) G_GNUC_WARN_UNUSED_RESULT;

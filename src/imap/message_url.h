/* message_url.h -- the URL of a message or a section of it on this server, as CATENATE names what it takes over:
 *
 *      /Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024
 *
 * Threads  any. Memory: the arena.
 * RFC      4469 §2; 5092 §7.
 */
#pragma once

#include "imap/fetch_item.h"

typedef struct MessageUrl {
        Span mailbox;         /* UTF-8, not empty         */
        guint32 uid_validity; /* 0: not given             */
        guint32 uid;
        Section section; /* the whole message when none is given */
        guint64 from;
        guint64 count; /* octets; G_MAXUINT64: all */
} MessageUrl;

/* FALSE: none, or one of another server: NO [BADURL]. */
gboolean message_url_parse(Arena *arena, Span url, MessageUrl *ret) G_GNUC_WARN_UNUSED_RESULT;

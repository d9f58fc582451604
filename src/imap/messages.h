/* messages.h -- what FETCH, STORE, COPY, MOVE and EXPUNGE share: choosing messages, and moving the session's view on
 * while they answer.
 */
#pragma once

#include "imap/internal.h"

/* The messages a command is about: indexes in the session's view, rising, not overlapping. */
typedef struct Messages {
        const IndexRange *ranges; /* in the command's arena */
        gsize n;
        guint32 count;
        guint32 lowest_uid; /* messages_limit() has left out what is below; 0: nothing */
} Messages;

/* FALSE: BAD has been answered: there is no such message. */
gboolean messages_choose(ImapSession *s, const ImapSet *set, Messages *ret) G_GNUC_WARN_UNUSED_RESULT;
/* MESSAGELIMIT (RFC 9738): keep those with the highest UIDs. FALSE: the arena is over. */
gboolean messages_limit(ImapSession *s, Messages *m) G_GNUC_WARN_UNUSED_RESULT;
gboolean messages_are_over_limit(const ImapSession *s, guint32 count);
#define LIMIT_CODE_OCTETS 48
/* "MESSAGELIMIT 1000 23221", or "". */
const char *messages_limit_code(const ImapSession *s, const Messages *m, char buffer[LIMIT_CODE_OCTETS]);

/* System flags, and whether keywords, that these rights allow to change (RFC 4314 §4: s, t, w). */
guint64 flags_permitted(guint rights, gboolean *ret_may_keywords);
gboolean flags_are_short(const Span *keywords, gsize n); /* KEYWORD_OCTETS_MAX */

/* "304,319:320": ranges of UidRange, behind what is there. */
void messages_append_ranges(GString *to, const GArray *ranges);

/* RFC 7162 §3.1: some commands switch CONDSTORE on. */
void messages_use_condstore(ImapSession *s);

/* What has changed in the mailbox since the session's view. */
typedef struct News {
        View *now;       /* the session's view from now on; what was in the one before has the same index      */
        guint8 *changed; /* one bit an index of `now`: flags or MODSEQ differ from before; NULL: none          */
} News;
static inline gboolean
bit_of(const guint8 *bits, guint32 i)
{
        return bits != NULL && (bits[i / 8] >> (i % 8) & 1) != 0;
}

static inline void
set_bit(guint8 *bits, guint32 i)
{
        bits[i / 8] = (guint8) (bits[i / 8] | 1 << (i % 8));
}

/* Look, and move the session's view on (imap_move_on): new messages are told, changed flags are the caller's affair.
 * STORE_NO_MAILBOX: it is gone. */
StoreAnswer news_take(ImapSession *s, News *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void news_done(News *news);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(News, news_done)

/* "* 1 FETCH (UID 5 FLAGS (\Seen) MODSEQ (9))" of view's index, told under number's sequence number. Without flags:
 * MODSEQ only. */
void news_put(ImapSession *s, const View *view, guint32 index, guint32 number, gboolean has_flags);

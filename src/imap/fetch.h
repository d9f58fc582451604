/* fetch.h -- a FETCH under way: what is asked for, of which messages, and how far the answer is.
 *
 *      fetch.c         the command: arguments, choosing messages, \Seen
 *      fetch_task.c    the answer, piece by piece
 *      fetch_put.c     one item of one message, when it is small
 */
#pragma once

#include "imap/fetch_item.h"
#include "imap/section.h"

typedef struct FetchTask {
        ImapTask task;
        View *view; /* what the numbers of the answer mean                             */
        FetchItems items;
        const IndexRange *ranges; /* asked for, rising; in the command's arena                     */
        gsize n_ranges;
        guint32 first, last; /* PARTIAL and MESSAGELIMIT: only indexes within                   */
        gboolean has_changed_since;
        guint64 changed_since;
        guint8 *news; /* one bit an index: its flags have changed since they were told; NULL: none */
        guint32 next_news;
        char code[48]; /* of the tagged OK: LIMIT_CODE_OCTETS                              */

        gsize range; /* position: range, index, item of the message                     */
        guint32 index;
        gboolean is_begun; /* "* 1 FETCH (" has gone out                                      */
        gboolean has_put;  /* an item too                                                     */
        gsize item;

        SummaryCursor *cursor;
        gboolean has_summary; /* of index                                                        */
        StoredSummary summary;

        MessagesAhead *ahead; /* NULL until a message is read                                    */
        SectionReader reader; /* of item, while is_reading                                       */
        gboolean is_reading, is_sending;
        guint64 skip, left; /* octets of the section: before the answer, and of it             */

        gboolean is_unasked; /* NOTIFY's: there is no command to answer */
        gboolean has_unknown_cte;
        GError *error; /* the first fault                                                 */
} FetchTask;

/* Shall this message be answered? */
gboolean imap_fetch_is_chosen(const FetchTask *t, guint32 index);
void imap_fetch_start(ImapSession *s, FetchTask *t);
/* These messages of the view, with nobody having asked (RFC 5465 §5.2): the caller runs and frees it. items and range must live as long. */
ImapTask *imap_fetch_unasked(View *view, const FetchItems *items, const IndexRange *range) G_GNUC_WARN_UNUSED_RESULT;

/* Where the first fault is kept; later ones are dropped. */
static inline GError **
imap_fetch_error(FetchTask *t)
{
        return t->error == NULL ? &t->error : NULL;
}

/* fetch_put.c: items that are a number, a date or flags of the entry. */
gboolean imap_fetch_is_short(FetchKind kind);
/* Those that come next, t->item moves on behind them; before the first item of a message, the beginning of its answer. */
void imap_fetch_put_short(ImapSession *s, FetchTask *t);
/* A space if it is not the first, the label, a space. */
void imap_fetch_put_label(ImapSession *s, FetchTask *t, Span label);
/* The item of t->index, its label first. Items that are sections are another's affair. */
void imap_fetch_put_item(ImapSession *s, FetchTask *t, const FetchItem *item);
/* The summary of t->index in t->summary; FALSE: a fault, t->error is set. */
gboolean imap_fetch_need_summary(ImapSession *s, FetchTask *t);
/* HEADER.FIELDS from the summary. FALSE: the header must be read. */
gboolean imap_fetch_put_known_fields(ImapSession *s, FetchTask *t, const FetchItem *item);

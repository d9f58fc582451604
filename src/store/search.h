/* search.h -- which messages of a mailbox contain a text? Exact answers for SEARCH BODY and TEXT.
 *
 * A substring is looked for, without case, in decoded MIME text, folded as mail/text.h says. An index of its own database (DIR/search.db, rebuilt when it is missing
 * or damaged, with a writer of its own, so that it never slows the store) rules most messages out; the rest is read and verified. What is not indexed yet is read, and so is everything
 * when the needle has fewer than three characters. So the answer never depends on the index.
 *
 * NEEDSWORK: the index is to be filled in the background from packs (view.h). As long as nothing makes packs it is empty and every message that is
 * searched is read: the answers are the same, slower.
 *
 * Threads  any; a SearchTask: one at a time. Memory: a task keeps one bit per entry and at most 1 MiB of message text.
 */
#pragma once

#include "store/view.h"

/* Keep the index in this directory from now on; without it every message is read. Once, before anybody searches. It is opened, or made, by whoever
 * fills it. */
void store_keep_search_index(Store *store, const char *dir);

typedef enum SearchPart {
        SEARCH_BODY = 1, /* the text of the message without its header (parts' headers count) */
        SEARCH_TEXT,     /* header and body                                                   */
} SearchPart;

typedef struct SearchTask SearchTask;

/* needle: UTF-8, as the client gave it (after its charset); at most 1,000 octets. wanted: which entries to look at (one octet 0/1 each), NULL for all. The view is kept
 * by reference. */
SearchTask *store_search_new(Store *store, View *view, SearchPart part, Span needle, const guint8 *wanted) G_GNUC_WARN_UNUSED_RESULT;
void search_task_free(SearchTask *task); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SearchTask, search_task_free)

typedef enum SearchStep {
        SEARCH_FAILED = 0,
        SEARCH_AGAIN, /* the time is used up: call again (output progress, park, ...) */
        SEARCH_DONE,
} SearchStep;
/* Go on for about `span`. A message that has gone or is damaged does not match. */
SearchStep search_task_step(SearchTask *task, Usec span, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean search_task_matches(const SearchTask *task, guint32 index); /* after SEARCH_DONE */
guint32 search_task_looked_at(const SearchTask *task);               /* of view_count(), for INPROGRESS */

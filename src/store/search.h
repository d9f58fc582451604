/* search.h -- which messages of a mailbox contain a text? Exact answers for SEARCH BODY and TEXT; and the index that makes them fast.
 *
 * A substring is looked for, without case, in decoded MIME text, folded as mail/text.h says. An index of its own database (DIR/search.db, rebuilt when it is missing
 * or damaged, with a writer of its own, so that it never slows the store) rules most messages out and is certain of others; the rest is read and verified. What is not
 * indexed yet is read, and so is everything when the needle has no word of three characters. So the answer never depends on the index.
 *
 * It is filled in the background, pack by pack (up to 128 messages of one mailbox): whoever has the thread calls search_fill_step() until it is
 * idle, and search_fill_wait(). The record of a pack goes with the pack.
 *
 * Threads  any; a SearchTask: one at a time; a SearchFill: one, but for search_fill_stop(). Memory: a task keeps one bit per entry and at most 1 MiB of message
 *          text; a SearchFill a few MiB, at most 80.
 */
#pragma once

#include "store/view.h"

/* Keep the index in this directory from now on; without it every message is read. Once, before anybody searches. It is opened, or made, by whoever
 * fills it. */
void store_keep_search_index(Store *store, const char *dir);

/* Filling ----------------------------------------------------------------------------------------------------------- */

typedef struct SearchFill SearchFill;
SearchFill *store_search_fill_new(Store *store) G_GNUC_WARN_UNUSED_RESULT; /* the store keeps an index; it must outlive this */
void search_fill_free(SearchFill *fill);                                   /* NULL is fine */

typedef enum SearchFilled {
        SEARCH_FILL_FAILED = 0, /* nothing is lost: call again later, in a minute say */
        SEARCH_FILL_IDLE,       /* everything is indexed, or the disk is full: wait   */
        SEARCH_FILL_AGAIN,      /* the time is used up                                */
} SearchFilled;
/* Go on for about `span`; one large message may take longer, unless search_fill_stop() is called meanwhile. No transaction is held while messages are read, and
 * none of the site's is a write transaction. */
SearchFilled search_fill_step(SearchFill *fill, Usec span, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Until there is something to do, at most until the monotonic time; it may come back early. */
void search_fill_wait(SearchFill *fill, Usec until);
/* From any thread: the running step and every wait end soon, and so does every later one. */
void search_fill_stop(SearchFill *fill);
gboolean search_fill_is_stopped(const SearchFill *fill);

typedef enum SearchIndexState {
        SEARCH_INDEX_NONE = 0, /* no index is kept                                          */
        SEARCH_INDEX_CLOSED,   /* nobody fills it now: everything is read                   */
        SEARCH_INDEX_COMPARED, /* being compared with the packs; after the start it is not used until that is done */
        SEARCH_INDEX_USED,
} SearchIndexState;
typedef struct SearchProgress {
        SearchIndexState state;
        guint64 packs, packs_done; /* while it is used; those that are not done are read */
} SearchProgress;
gboolean store_search_progress(Store *store, SearchProgress *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Searching --------------------------------------------------------------------------------------------------------- */

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
/* Go on for about `span`. A message that is damaged matches by what can be read of it. One that went for good while an older view shows it does not match when it
 * is read; the index may still know it. */
SearchStep search_task_step(SearchTask *task, Usec span, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean search_task_matches(const SearchTask *task, guint32 index); /* after SEARCH_DONE */
guint32 search_task_looked_at(const SearchTask *task);               /* of view_count(), for INPROGRESS */

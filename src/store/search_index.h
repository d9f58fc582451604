/* search_index.h -- the database of search records, DIR/search.db: which packs are in it, asking them, keeping it in
 * step. Private to store/.
 *
 *      pack_index   pack    the pack's id
 *                   bodies  XXH3 of the pack's list of bodies: tells a database of another time
 *      pack_record  pack    the same
 *                   data    the record (search_group.h); apart, so that comparing reads none of it
 *
 * It is trusted once it was compared with the site's packs from end to end, after each opening. One that turns out to
 * be damaged is given up: from then on nobody gets a reader, and when the last one is done it is removed and filled
 * anew.
 *
 * Threads  readers, _made(), _gone(), _wake(), _progress(): any. search_index_next(), _put(), _wait(): one thread.
 * Memory   512 KiB of packs that have gone, at most.
 * Lock     store.search, a leaf.
 */
#pragma once

#include "db/db.h"
#include "store/search.h"
#include "store/search_group.h"

typedef struct SearchIndex SearchIndex;

/* Opens nothing yet; both must outlive it. */
SearchIndex *search_index_new(Db *site, const char *dir) G_GNUC_WARN_UNUSED_RESULT;
void search_index_free(SearchIndex *index); /* no reader may be left; NULL is fine */

/* Asking. NULL: there is no index now, or none that can be trusted yet. A reader holds a read transaction: free it
 * within 100 ms. */
typedef struct IndexReader IndexReader;
IndexReader *index_reader_new(SearchIndex *index) G_GNUC_WARN_UNUSED_RESULT;
void index_reader_free(IndexReader *reader); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IndexReader, index_reader_free)
/* As group_match(). FALSE: this pack has no record (yet) that could be read. */
gboolean index_reader_ask(IndexReader *reader, gint64 pack, GroupMatcher *matcher, GroupAnswer *ret_body,
                          GroupAnswer *ret_header) G_GNUC_WARN_UNUSED_RESULT;

/* Filling: one small piece of work. */
typedef enum IndexWork {
        INDEX_FAILED = 0,
        INDEX_IDLE,  /* all packs have their records, or nothing can be written now: wait  */
        INDEX_AGAIN, /* something was done: call again                                     */
        INDEX_PACK,  /* make the record of *ret_pack and put it                            */
} IndexWork;
IndexWork search_index_next(SearchIndex *index, gint64 *ret_pack, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The record of the pack that search_index_next() has just named; an empty one: the pack has gone. */
gboolean search_index_put(SearchIndex *index, Span record, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What commits tell it (db_on_commit()). */
void search_index_made(SearchIndex *index);             /* packs */
void search_index_gone(SearchIndex *index, gint64 pack); /* its record goes with it */
/* Wait for one of them, for search_index_wake(), or for the monotonic time. */
void search_index_wait(SearchIndex *index, Usec until);
void search_index_wake(SearchIndex *index);

gboolean search_index_progress(SearchIndex *index, SearchProgress *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

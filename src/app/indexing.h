/* indexing.h -- the thread that keeps the search index filled while the server serves (store/search.h).
 *
 * It gives way to every other thread, works in pieces of 20 ms, and sleeps until packs of messages are made or go. Giving way is not enough where
 * other programs share the machine: what this thread uses is taken from the server's share then. So while the site writes more than 100
 * transactions a second it rests 180 ms after each piece. What fails is logged as housekeeping.failed and tried again after a minute.
 *
 * Threads  indexing_new, indexing_free: the main thread.
 */
#pragma once

#include "store/search.h"

typedef struct Indexing Indexing;

/* The store keeps an index; both outlive this. */
Indexing *indexing_new(Db *site, Store *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Waits for the piece that is under way; NULL is fine. */
void indexing_free(Indexing *indexing);

/* How long to rest after a piece, when so many transactions were written since the last one began, that long ago. */
Usec indexing_pause(guint64 transactions, Usec elapsed);

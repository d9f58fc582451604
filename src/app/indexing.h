/* indexing.h -- the thread that keeps the search index filled while the server serves (store/search.h).
 *
 * It gives way to every other thread, works in pieces of 20 ms, and sleeps until packs of messages are made or go. What fails is logged as
 * housekeeping.failed and tried again after a minute.
 *
 * Threads  indexing_new, indexing_free: the main thread.
 */
#pragma once

#include "store/search.h"

typedef struct Indexing Indexing;

/* The store keeps an index and outlives this. */
Indexing *indexing_new(Store *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Waits for the piece that is under way; NULL is fine. */
void indexing_free(Indexing *indexing);

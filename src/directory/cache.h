/* cache.h -- records that were asked for lately, bounded, emptied by every committed change.
 *
 * Two halves: a record is put into the young one; when that is full the old one is dropped and the young one becomes
 * old. What is found in the old half moves to the young one, so what is used stays.
 *
 * Staleness. A reader takes the epoch before its snapshot of the database and hands it back with what it loaded; a
 * record from before a change is not taken. A change raises the epoch after its commit, so a snapshot from before the
 * commit always carries a lower one.
 *
 * Threads  any.
 */
#pragma once

#include "base/thread.h"
#include "directory/record.h"

typedef struct Cache {
        Mutex mutex;
        GHashTable *young, *old; /* sets of Record */
        gsize young_octets;
        gsize half_octets; /* most octets of one half */
        guint64 epoch;
        guint64 seed; /* of the hash: callers can't aim at one bucket */
} Cache;

void cache_init(Cache *cache, gsize max_octets);
void cache_done(Cache *cache);

guint cache_hash(const Cache *cache, RecordKind kind, Span key);

/* A reference, or NULL and the epoch to hand to cache_add(). */
Record *cache_find(Cache *cache, RecordKind kind, guint hash, Span key, guint64 *ret_epoch) G_GNUC_WARN_UNUSED_RESULT;

/* Keep it if nothing has changed since that epoch. The caller keeps its own reference. */
void cache_add(Cache *cache, Record *record, guint64 epoch);

/* Forget everything, or one record. */
void cache_empty(Cache *cache);
void cache_forget(Cache *cache, RecordKind kind, Span key);

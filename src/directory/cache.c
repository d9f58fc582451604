/* cache.c -- see cache.h. */
#include "directory/cache.h"

#include "base/id.h"

#include <xxhash.h>

static guint
record_hash(gconstpointer record)
{
        return ((const Record *) record)->hash;
}

static gboolean
record_equal(gconstpointer a, gconstpointer b)
{
        const Record *x = a, *y = b;

        return x->kind == y->kind && span_equal(x->key, y->key);
}

static GHashTable *
half_new(void)
{
        return g_hash_table_new_full(record_hash, record_equal, NULL, (GDestroyNotify) record_unref);
}

void
cache_init(Cache *cache, gsize max_octets)
{
        mutex_init(&cache->mutex, "directory.cache");
        cache->young = half_new();
        cache->old = half_new();
        cache->young_octets = 0;
        cache->half_octets = max_octets / 2;
        cache->epoch = 1;
        random_octets(&cache->seed, sizeof(cache->seed));
}

void
cache_done(Cache *cache)
{
        g_hash_table_unref(cache->young);
        g_hash_table_unref(cache->old);
        mutex_done(&cache->mutex);
}

guint
cache_hash(const Cache *cache, RecordKind kind, Span key)
{
        return (guint) (XXH3_64bits_withSeed(key.data, key.len, cache->seed + kind) >> 16);
}

/* Under the lock: a full young half becomes the old one, which the caller drops outside. */
static GHashTable *
cache_turn(Cache *cache, gsize octets)
{
        if (cache->young_octets + octets <= cache->half_octets)
                return NULL;

        GHashTable *dropped = cache->old;
        cache->old = cache->young;
        cache->young = half_new();
        cache->young_octets = 0;
        return dropped;
}

/* Under the lock. Octets of a table slot are counted roughly. */
static GHashTable *
cache_put(Cache *cache, Record *record)
{
        gsize octets = record->octets + 4 * sizeof(gpointer);
        GHashTable *dropped = cache_turn(cache, octets);

        if (g_hash_table_add(cache->young, record_ref(record)))
                cache->young_octets += octets;
        return dropped;
}

static Record *
cache_find_locked(Cache *cache, const Record *probe, GHashTable **ret_dropped)
{
        Record *found = g_hash_table_lookup(cache->young, probe);

        if (found != NULL)
                return record_ref(found);
        found = g_hash_table_lookup(cache->old, probe);
        if (found == NULL)
                return NULL;
        record_ref(found);
        g_hash_table_remove(cache->old, probe);
        *ret_dropped = cache_put(cache, found);
        return found;
}

Record *
cache_find(Cache *cache, RecordKind kind, guint hash, Span key, guint64 *ret_epoch)
{
        const Record probe = {.kind = kind, .hash = hash, .key = key};
        GHashTable *dropped = NULL;

        mutex_lock(&cache->mutex);
        Record *found = cache_find_locked(cache, &probe, &dropped);
        *ret_epoch = cache->epoch;
        mutex_unlock(&cache->mutex);
        if (dropped != NULL)
                g_hash_table_unref(dropped);
        return found;
}

void
cache_add(Cache *cache, Record *record, guint64 epoch)
{
        GHashTable *dropped = NULL;

        if (record->octets > cache->half_octets / 4)
                return;
        mutex_lock(&cache->mutex);
        if (cache->epoch == epoch)
                dropped = cache_put(cache, record);
        mutex_unlock(&cache->mutex);
        if (dropped != NULL)
                g_hash_table_unref(dropped);
}

void
cache_empty(Cache *cache)
{
        mutex_lock(&cache->mutex);
        GHashTable *young = cache->young, *old = cache->old;
        cache->young = half_new();
        cache->old = half_new();
        cache->young_octets = 0;
        cache->epoch++;
        mutex_unlock(&cache->mutex);
        g_hash_table_unref(young);
        g_hash_table_unref(old);
}

/* The young half's octets are left too high by one record: it turns a little early. */
void
cache_forget(Cache *cache, RecordKind kind, Span key)
{
        const Record probe = {.kind = kind, .hash = cache_hash(cache, kind, key), .key = key};
        MUTEX_SCOPE(&cache->mutex);

        cache->epoch++;
        g_hash_table_remove(cache->young, &probe);
        g_hash_table_remove(cache->old, &probe);
}

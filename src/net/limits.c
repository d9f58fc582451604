#include "net/limits.h"

#include "base/id.h"
#include "base/thread.h"

#define LIMITS_IDLE_MAX 4096

typedef struct Entry {
        AddressKey key;
        Usec second;            /* when the running second began */
        guint in_second;
        guint open;
} Entry;

struct Limits {
        Mutex mutex;
        GHashTable *entries;    /* of Entry, which is its own key */
        guint n_idle;
        guint max_open, max_per_second;
};

/* Whoever has a /32 can choose among billions of keys; a secret keeps him from choosing those that collide. */
static guint64 limits_seed;

static guint
entry_hash(gconstpointer data)
{
        const Entry *e = data;
        guint64 h = (e->key.high ^ limits_seed) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);

        h = (h ^ (h >> 29) ^ e->key.low) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
        return (guint) (h >> 32);
}

static gboolean
entry_equal(gconstpointer a, gconstpointer b)
{
        return memcmp(&((const Entry *) a)->key, &((const Entry *) b)->key, sizeof(AddressKey)) == 0;
}

static void
seed_once(void)
{
        static gsize is_seeded;

        if (g_once_init_enter(&is_seeded)) {
                random_octets(&limits_seed, sizeof(limits_seed));
                g_once_init_leave(&is_seeded, 1);
        }
}

Limits *
limits_new(guint max_open, guint max_per_second)
{
        Limits *limits = g_new0(Limits, 1);

        seed_once();
        mutex_init(&limits->mutex, "net.limits");
        limits->entries = g_hash_table_new_full(entry_hash, entry_equal, NULL, g_free);
        limits->max_open = max_open;
        limits->max_per_second = max_per_second;
        return limits;
}

void
limits_set(Limits *limits, guint max_open, guint max_per_second)
{
        MUTEX_SCOPE(&limits->mutex);
        limits->max_open = max_open;
        limits->max_per_second = max_per_second;
}

void
limits_free(Limits *limits)
{
        if (limits == NULL)
                return;
        g_hash_table_unref(limits->entries);
        mutex_done(&limits->mutex);
        g_free(limits);
}

static gboolean
entry_is_idle(gpointer key, gpointer value, gpointer user)
{
        return ((const Entry *) value)->open == 0;
}

gboolean
limits_enter(Limits *limits, AddressKey key, Usec now)
{
        Entry probe = {.key = key};

        MUTEX_SCOPE(&limits->mutex);
        Entry *e = g_hash_table_lookup(limits->entries, &probe);
        if (e == NULL) {
                if (limits->n_idle >= LIMITS_IDLE_MAX) {
                        g_hash_table_foreach_remove(limits->entries, entry_is_idle, NULL);
                        limits->n_idle = 0;
                }
                e = g_new0(Entry, 1);
                e->key = key;
                e->second = now;
                g_hash_table_add(limits->entries, e);
                limits->n_idle++;
        }
        if (now - e->second >= USEC_PER_SEC) {
                e->second = now;
                e->in_second = 0;
        }
        if (e->in_second < G_MAXUINT)
                e->in_second++;
        if (e->open >= limits->max_open || e->in_second > limits->max_per_second)
                return FALSE;
        if (e->open++ == 0)
                limits->n_idle--;
        return TRUE;
}

void
limits_leave(Limits *limits, AddressKey key, Usec now)
{
        Entry probe = {.key = key};

        MUTEX_SCOPE(&limits->mutex);
        Entry *e = g_hash_table_lookup(limits->entries, &probe);
        if (e == NULL || e->open == 0)
                return;
        if (--e->open > 0)
                return;
        if (now - e->second >= USEC_PER_SEC)
                g_hash_table_remove(limits->entries, e);
        else
                limits->n_idle++;
}

guint
limits_n_addresses(Limits *limits)
{
        MUTEX_SCOPE(&limits->mutex);
        return g_hash_table_size(limits->entries);
}

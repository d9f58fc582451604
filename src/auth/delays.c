/* delays.c -- each failure of a client costs it twice what the one before did; time heals. */
#include "auth/internal.h"

#include "trust/client.h"

typedef struct Failures {
        guint n;
        Usec last;
} Failures;

void
delays_init(Delays *delays, Usec first, Usec most)
{
        mutex_init(&delays->mutex, "auth.delays");
        delays->clients = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        delays->first = first;
        delays->most = most;
}

void
delays_done(Delays *delays)
{
        g_hash_table_unref(delays->clients);
        mutex_done(&delays->mutex);
}

static void
forget_some(Failures *failures, Usec now)
{
        guint64 passed = (guint64) ((now - failures->last) / DELAYS_FORGET);

        failures->n = passed >= failures->n ? 0 : failures->n - (guint) passed;
        failures->last += (Usec) passed * DELAYS_FORGET;
}

static gboolean
is_healed(gpointer client, gpointer failures, gpointer now)
{
        forget_some(failures, *(Usec *) now);
        return ((Failures *) failures)->n == 0;
}

static Failures *
failures_of(Delays *delays, const char *client, Usec now)
{
        char key[CLIENT_KEY_OCTETS];
        Failures *failures = g_hash_table_lookup(delays->clients, client_key(client, key));

        if (failures != NULL)
                return failures;
        if (g_hash_table_size(delays->clients) >= DELAYS_CLIENTS_MAX)
                (void) g_hash_table_foreach_remove(delays->clients, is_healed, &now);
        if (g_hash_table_size(delays->clients) >= DELAYS_CLIENTS_MAX)
                g_hash_table_remove_all(delays->clients);
        failures = g_new0(Failures, 1);
        failures->last = now;
        g_hash_table_insert(delays->clients, g_strdup(key), failures);
        return failures;
}

Usec
delays_failed(Delays *delays, const char *client, Usec now)
{
        MUTEX_SCOPE(&delays->mutex);
        Failures *failures = failures_of(delays, client, now);
        Usec delay = delays->first;

        forget_some(failures, now);
        if (failures->n == 0)
                failures->last = now;
        failures->n = MIN(failures->n + 1, 64);
        for (guint i = 1; i < failures->n && delay < delays->most; i++)
                delay *= 2;
        return MIN(delay, delays->most);
}

/* In a loopback site tests and bridges log in from 127.0.0.1 all day. */
Usec
auth_delay(Auth *auth, const char *client)
{
        if (auth->is_loopback_site && g_strcmp0(client, "127.0.0.1") == 0)
                return 0;
        return delays_failed(&auth->delays, client, auth->now());
}

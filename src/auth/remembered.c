/* remembered.c -- who logged in within the last ten minutes need not be computed again. */
#include "auth/internal.h"

#include "base/id.h"
#include "base/text.h"

#include <sodium.h>

/* The octets are the output of a keyed hash: any part of them is a good hash. */
static guint
mac_hash(gconstpointer mac)
{
        guint hash;

        memcpy(&hash, mac, sizeof(hash));
        return hash;
}

static gboolean
mac_equal(gconstpointer a, gconstpointer b)
{
        return text_equal_secret(span_make(a, MAC_OCTETS), span_make(b, MAC_OCTETS));
}

void
remembered_init(Remembered *remembered)
{
        mutex_init(&remembered->mutex, "auth.remembered");
        remembered->until = g_hash_table_new_full(mac_hash, mac_equal, g_free, g_free);
        random_octets(remembered->key, sizeof(remembered->key));
}

void
remembered_done(Remembered *remembered)
{
        g_hash_table_unref(remembered->until);
        text_wipe(remembered->key, sizeof(remembered->key));
        mutex_done(&remembered->mutex);
}

/* Every part with its length, so that none can be taken for another. */
void
remembered_mac(const Remembered *remembered, gint64 account, const char *hash, Span password, guint8 ret[MAC_OCTETS])
{
        guint64 head[3] = {(guint64) account, strlen(hash), password.len};
        crypto_generichash_state state;

        (void) crypto_generichash_init(&state, remembered->key, sizeof(remembered->key), MAC_OCTETS);
        (void) crypto_generichash_update(&state, (const guint8 *) head, sizeof(head));
        (void) crypto_generichash_update(&state, (const guint8 *) hash, head[1]);
        (void) crypto_generichash_update(&state, password.data, password.len);
        (void) crypto_generichash_final(&state, ret, MAC_OCTETS);
        text_wipe(&state, sizeof(state));
}

gboolean
remembered_has(Remembered *remembered, const guint8 mac[MAC_OCTETS], Usec now)
{
        MUTEX_SCOPE(&remembered->mutex);
        const Usec *until = g_hash_table_lookup(remembered->until, mac);

        if (until == NULL)
                return FALSE;
        if (now < *until)
                return TRUE;
        g_hash_table_remove(remembered->until, mac);
        return FALSE;
}

static gboolean
is_over(gpointer mac, gpointer until, gpointer now)
{
        return *(Usec *) until <= *(Usec *) now;
}

/* A full table first loses what is over, then everything: it costs one hash each. */
void
remembered_add(Remembered *remembered, const guint8 mac[MAC_OCTETS], Usec now)
{
        Usec *until = g_new(Usec, 1);
        MUTEX_SCOPE(&remembered->mutex);

        *until = now + REMEMBERED_FOR;
        if (g_hash_table_size(remembered->until) >= REMEMBERED_MAX)
                (void) g_hash_table_foreach_remove(remembered->until, is_over, &now);
        if (g_hash_table_size(remembered->until) >= REMEMBERED_MAX)
                g_hash_table_remove_all(remembered->until);
        g_hash_table_replace(remembered->until, g_memdup2(mac, MAC_OCTETS), until);
}

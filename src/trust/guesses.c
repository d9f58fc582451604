/* guesses.c -- counters against guessing.
 *
 * For each client the last distinct names it was refused are kept as 32-bit hashes under a random key: enough to say
 * "this one again". Three windows: 24 hours of unknown and accepted recipients, compared with each other; one hour for
 * refusing the client at connect, in six pieces; and the session, which its caller counts.
 */
#include "trust/internal.h"

#include "base/id.h"
#include "base/thread.h"
#include "trust/client.h"

#include <xxhash.h>

#define CLIENTS_MAX 100000
#define NAMES_MAX (2u << 20) /* of all clients: 8 MiB */
#define NAMES_EACH_MAX 256   /* then the oldest is overwritten */
#define SLOW_AFTER 10
#define CLOSE_AFTER 20
#define REFUSE_AFTER (5 * CLOSE_AFTER)
#define REFUSE_FOR (4 * USEC_PER_HOUR)
#define DELAY_STEP USEC_PER_SEC
#define DELAY_MOST (10 * USEC_PER_SEC)
#define DAY_PIECE (12 * USEC_PER_HOUR)
#define HOUR_PIECE (10 * USEC_PER_MINUTE)
#define HOUR_PIECES 6

/* A window made of pieces: what happened in the current piece and in those before it. */
typedef struct Window {
        gint64 piece;              /* number of the current one */
        guint counts[HOUR_PIECES]; /* [0] is the current one */
} Window;

typedef struct Client {
        char key[CLIENT_KEY_OCTETS];
        GList link; /* in Guesses.lru, newest first */
        guint32 *names;
        guint n_names, room, oldest;
        Window hour;              /* distinct unknown */
        Window unknown, accepted; /* of a day, in two pieces */
        Usec refused_until;
} Client;

struct Guesses {
        Mutex mutex;
        GHashTable *clients; /* key -> Client */
        GQueue lru;
        guint n_names;
        guint64 seed;
        Usec (*now)(void);
};

Guesses *
guesses_new(void)
{
        Guesses *guesses = g_new0(Guesses, 1);

        mutex_init(&guesses->mutex, "trust.guesses");
        guesses->clients = g_hash_table_new(g_str_hash, g_str_equal);
        g_queue_init(&guesses->lru);
        random_octets(&guesses->seed, sizeof(guesses->seed));
        guesses->now = clock_monotonic;
        return guesses;
}

static void
client_drop(Guesses *guesses, Client *client)
{
        guesses->n_names -= client->room;
        g_queue_unlink(&guesses->lru, &client->link);
        g_hash_table_remove(guesses->clients, client->key);
        g_free(client->names);
        g_free(client);
}

void
guesses_free(Guesses *guesses)
{
        if (guesses == NULL)
                return;
        while (guesses->lru.tail != NULL)
                client_drop(guesses, guesses->lru.tail->data);
        g_hash_table_unref(guesses->clients);
        mutex_done(&guesses->mutex);
        g_free(guesses);
}

void
guesses_set_clock(Guesses *guesses, Usec (*now)(void))
{
        guesses->now = now;
}

/* Windows --------------------------------------------------------------------------------------------------------- */

static void
window_turn(Window *window, gint64 piece, guint n_pieces)
{
        gint64 passed = piece - window->piece;

        if (passed <= 0)
                return;
        for (guint i = n_pieces; i > 0; i--)
                window->counts[i - 1] = (gint64) (i - 1) >= passed ? window->counts[i - 1 - (guint) passed] : 0;
        window->piece = piece;
}

static guint
window_sum(Window *window, Usec now, Usec length, guint n_pieces)
{
        guint sum = 0;

        window_turn(window, now / length, n_pieces);
        for (guint i = 0; i < n_pieces; i++)
                sum += window->counts[i];
        return sum;
}

static void
window_add(Window *window, Usec now, Usec length, guint n_pieces)
{
        window_turn(window, now / length, n_pieces);
        if (window->counts[0] < G_MAXUINT / HOUR_PIECES)
                window->counts[0]++;
}

/* Clients --------------------------------------------------------------------------------------------------------- */

static Client *
client_find(Guesses *guesses, const char *client)
{
        char key[CLIENT_KEY_OCTETS];

        return g_hash_table_lookup(guesses->clients, client_key(client, key));
}

/* The one, made when it is new, and now the newest. */
static Client *
client_get(Guesses *guesses, const char *name)
{
        Client *client = client_find(guesses, name);

        if (client != NULL) {
                g_queue_unlink(&guesses->lru, &client->link);
        } else {
                client = g_new0(Client, 1);
                client->link.data = client;
                client_key(name, client->key);
                g_hash_table_insert(guesses->clients, client->key, client);
        }
        g_queue_push_head_link(&guesses->lru, &client->link);
        if (g_hash_table_size(guesses->clients) > CLIENTS_MAX)
                client_drop(guesses, guesses->lru.tail->data);
        return client;
}

static void
client_grow(Guesses *guesses, Client *client)
{
        guint room = client->room == 0 ? 4 : client->room * 2;

        client->names = g_renew(guint32, client->names, room);
        guesses->n_names += room - client->room;
        client->room = room;
        while (guesses->n_names > NAMES_MAX && guesses->lru.tail->data != client)
                client_drop(guesses, guesses->lru.tail->data);
}

/* TRUE: a name this client was not refused before. */
static gboolean
client_add_name(Guesses *guesses, Client *client, guint32 name)
{
        for (guint i = 0; i < client->n_names; i++)
                if (client->names[i] == name)
                        return FALSE;
        if (client->n_names == NAMES_EACH_MAX) {
                client->names[client->oldest++ % NAMES_EACH_MAX] = name;
                return TRUE;
        }
        if (client->n_names == client->room)
                client_grow(guesses, client);
        client->names[client->n_names++] = name;
        return TRUE;
}

/* Recipients are compared without case, as routing does. */
static guint32
name_hash(const Guesses *guesses, Span recipient)
{
        guint8 lower[320];
        gsize n = MIN(recipient.len, sizeof(lower));

        for (gsize i = 0; i < n; i++)
                lower[i] = octet_lower(recipient.data[i]);
        return (guint32) XXH3_64bits_withSeed(lower, n, guesses->seed);
}

/* Answers --------------------------------------------------------------------------------------------------------- */

static GuessAnswer
judge(const Client *client, guint unknown, guint accepted, guint in_session, Usec *ret_delay)
{
        if (unknown <= accepted || unknown <= SLOW_AFTER)
                return GUESS_OK;
        if (in_session > CLOSE_AFTER)
                return GUESS_CLOSE;
        *ret_delay = MIN((unknown - SLOW_AFTER) * DELAY_STEP, DELAY_MOST);
        return GUESS_SLOW;
}

GuessAnswer
guesses_unknown(Guesses *guesses, const char *client, Span recipient, guint *in_session, Usec *ret_delay)
{
        MUTEX_SCOPE(&guesses->mutex);
        Client *who = client_get(guesses, client);
        Usec now = guesses->now();

        *ret_delay = 0;
        if (client_add_name(guesses, who, name_hash(guesses, recipient))) {
                (*in_session)++;
                window_add(&who->hour, now, HOUR_PIECE, HOUR_PIECES);
                window_add(&who->unknown, now, DAY_PIECE, 2);
        }
        guint unknown = window_sum(&who->unknown, now, DAY_PIECE, 2),
              accepted = window_sum(&who->accepted, now, DAY_PIECE, 2);
        if (unknown > accepted && window_sum(&who->hour, now, HOUR_PIECE, HOUR_PIECES) >= REFUSE_AFTER)
                who->refused_until = now + REFUSE_FOR;
        return judge(who, unknown, accepted, *in_session, ret_delay);
}

void
guesses_accepted(Guesses *guesses, const char *client)
{
        MUTEX_SCOPE(&guesses->mutex);

        window_add(&client_get(guesses, client)->accepted, guesses->now(), DAY_PIECE, 2);
}

gboolean
guesses_is_refused(Guesses *guesses, const char *client)
{
        MUTEX_SCOPE(&guesses->mutex);
        const Client *who = client_find(guesses, client);

        return who != NULL && who->refused_until > guesses->now();
}

gboolean
guesses_release(Guesses *guesses, const char *client)
{
        MUTEX_SCOPE(&guesses->mutex);
        Client *who = client != NULL ? client_find(guesses, client) : NULL;
        gboolean had_any = guesses->lru.tail != NULL;

        if (client == NULL)
                while (guesses->lru.tail != NULL)
                        client_drop(guesses, guesses->lru.tail->data);
        if (who != NULL)
                client_drop(guesses, who);
        return client == NULL ? had_any : who != NULL;
}

static gint
worse_first(gconstpointer a, gconstpointer b)
{
        const GuessRow *x = a, *y = b;

        if ((x->refused_for > 0) != (y->refused_for > 0))
                return x->refused_for > 0 ? -1 : 1;
        return x->unknown == y->unknown ? strcmp(x->client, y->client) : x->unknown > y->unknown ? -1 : 1;
}

gsize
guesses_list(Guesses *guesses, gsize max, GuessRow **ret)
{
        g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(GuessRow));
        gsize n;

        mutex_lock(&guesses->mutex);
        Usec now = guesses->now();
        for (GList *at = guesses->lru.head; at != NULL; at = at->next) {
                Client *client = at->data;
                GuessRow row = {
                        .unknown = window_sum(&client->unknown, now, DAY_PIECE, 2),
                        .accepted = window_sum(&client->accepted, now, DAY_PIECE, 2),
                        .refused_for = MAX(client->refused_until - now, 0),
                };

                g_strlcpy(row.client, client->key, sizeof(row.client));
                if (row.unknown > 0)
                        g_array_append_val(rows, row);
        }
        mutex_unlock(&guesses->mutex);

        g_array_sort(rows, worse_first);
        n = MIN(max, rows->len);
        g_array_set_size(rows, (guint) n);
        *ret = (GuessRow *) (gpointer) g_array_free(g_steal_pointer(&rows), FALSE);
        return n;
}

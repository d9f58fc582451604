/* trace_refusals.c -- refusals gathered in memory, so that strangers can't fill the disk with them. */
#include "intake/trace.h"

#include "base/thread.h"

#define REFUSAL_ROWS 1000 /* in a minute; equal ones are one */
#define REFUSAL_SPAN USEC_PER_MINUTE
#define REFUSAL_TEXT 320

typedef struct Refused {
        char *client, *sender, *recipient, *status, *text;
        Usec at;
        guint times;
} Refused;

struct TraceRefusals {
        Mutex lock;       /* trace.refusals, a leaf */
        GHashTable *rows; /* char * of all five -> Refused */
        guint more;       /* beyond REFUSAL_ROWS */
        Usec window;      /* monotonic: since when rows are counted */
        guint in_window;
};

static void
refused_free(gpointer data)
{
        Refused *r = data;

        g_free(r->client);
        g_free(r->sender);
        g_free(r->recipient);
        g_free(r->status);
        g_free(r->text);
        g_free(r);
}

static GHashTable *
refused_table(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, refused_free);
}

TraceRefusals *
trace_refusals_new(void)
{
        TraceRefusals *refusals = g_new0(TraceRefusals, 1);

        mutex_init(&refusals->lock, "trace.refusals");
        refusals->rows = refused_table();
        refusals->window = clock_monotonic();
        return refusals;
}

void
trace_refusals_free(TraceRefusals *refusals)
{
        if (refusals == NULL)
                return;
        g_hash_table_unref(refusals->rows);
        mutex_done(&refusals->lock);
        g_free(refusals);
}

static char *
capped(const char *text)
{
        return text != NULL ? g_strndup(text, REFUSAL_TEXT) : NULL;
}

/* May one more row be written in this minute? */
static gboolean
window_takes(TraceRefusals *refusals)
{
        Usec now = clock_monotonic();

        if (now - refusals->window >= REFUSAL_SPAN) {
                refusals->window = now;
                refusals->in_window = 0;
        }
        if (refusals->in_window >= REFUSAL_ROWS)
                return FALSE;
        refusals->in_window++;
        return TRUE;
}

void
trace_refusal(TraceRefusals *refusals, const TraceRefusal *r)
{
        g_autofree char *key =
                g_strdup_printf("%s\n%s\n%s\n%s\n%s", r->client != NULL ? r->client : "",
                                r->sender != NULL ? r->sender : "", r->recipient != NULL ? r->recipient : "",
                                r->status != NULL ? r->status : "", r->text != NULL ? r->text : "");

        MUTEX_SCOPE(&refusals->lock);
        Refused *row = g_hash_table_lookup(refusals->rows, key);
        if (row == NULL && !window_takes(refusals)) {
                refusals->more++;
                return;
        }
        if (row == NULL) {
                row = g_new0(Refused, 1);
                row->client = capped(r->client);
                row->sender = capped(r->sender);
                row->recipient = capped(r->recipient);
                row->status = capped(r->status);
                row->text = capped(r->text);
                row->at = clock_real();
                g_hash_table_insert(refusals->rows, g_steal_pointer(&key), row);
        }
        row->times++;
}

DB_SQL(REFUSAL_ADD,
       "INSERT INTO refusal (at, client, sender, recipient, status, text, times) VALUES (?, ?, ?, ?, ?, ?, ?)");

static gboolean
write_refusals(Db *db, GHashTable *rows, guint more, GError **error)
{
        GHashTableIter iter;
        gpointer value;

        for (;;) {
                g_autoptr(DbTxn) txn = db_begin(db, error);
                if (txn == NULL)
                        return FALSE;
                g_hash_table_iter_init(&iter, rows);
                while (g_hash_table_iter_next(&iter, NULL, &value)) {
                        const Refused *r = value;
                        if (!db_run(txn, &REFUSAL_ADD, error, "isssssi", (gint64) r->at, r->client, r->sender,
                                    r->recipient, r->status, r->text, (gint64) r->times))
                                return FALSE;
                }
                if (more > 0 && !db_run(txn, &REFUSAL_ADD, error, "isssssi", (gint64) clock_real(), NULL, NULL, NULL,
                                        NULL, "and so many more", (gint64) more))
                        return FALSE;
                DbCommit commit = db_take_commit(g_steal_pointer(&txn), error);
                if (commit != DB_AGAIN)
                        return commit == DB_COMMITTED;
        }
}

/* What can't be written is lost: refused mail is its sender's to keep. */
gboolean
trace_flush_refusals(TraceRefusals *refusals, Db *db, GError **error)
{
        mutex_lock(&refusals->lock);
        g_autoptr(GHashTable) rows = refusals->rows;
        guint more = refusals->more;
        refusals->rows = refused_table();
        refusals->more = 0;
        mutex_unlock(&refusals->lock);

        return (g_hash_table_size(rows) == 0 && more == 0) || write_refusals(db, rows, more, error);
}

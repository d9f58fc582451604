/* seen.c -- what was done with each remote message, and how one is known again.
 *
 * A message is known by its unique-id, LIST's size and the hash of its header. A unique-id is a key of its own as long
 * as the listing has it once; where it is doubled or missing, size and hash join the key, and a number tells apart what
 * is the same in all of it. A space divides the two: no unique-id holds one (RFC 1939 §7). Rows go when a listing no
 * longer shows their message.
 */
#include "fetch/internal.h"

#include "base/scan.h"
#include "base/text.h"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#define PAGE_ROWS 1000
#define SLICE_ROWS 500
#define OUTCOME_OCTETS 200

struct Seen {
        GHashTable *chains; /* unique-id -> SeenRow, newest first */
        GHashTable *keys;   /* key -> SeenRow                     */
};

/* Hash of a header ------------------------------------------------------------------------------------------------- */

/* What servers add or rewrite between two sessions (mbox servers, mostly). */
static const char *const VOLATILE_FIELDS[] = {
        "Status",           "X-Status",          "X-UIDL",         "X-UID", "X-Keywords", "X-IMAP", "X-IMAPbase",
        "X-Mozilla-Status", "X-Mozilla-Status2", "Content-Length", "Lines",
};

static gboolean
is_volatile(Span line)
{
        static const OctetClass FIRST = {{0, 0x0108100801081008, 0, 0}}; /* C, L, S, X */
        Scan s = scan_from(line);
        Span name;

        if (!octet_in(&FIRST, line.data[0]) || !scan_until(&s, ':', &name))
                return FALSE;
        name = span_trim(name);
        for (gsize i = 0; i < G_N_ELEMENTS(VOLATILE_FIELDS); i++)
                if (span_is(name, VOLATILE_FIELDS[i]))
                        return TRUE;
        return FALSE;
}

/* Runs of lines that count go in at once; a folded line counts as the one above it does. */
guint64
seen_header_hash(Span text)
{
        XXH64_state_t state;
        gsize at = 0, run = 0;
        gboolean is_skipped = FALSE;

        (void) XXH64_reset(&state, 0);
        text = span_slice(text, 0, MESSAGE_HEADER_MAX);
        while (at < text.len) {
                const guint8 *lf = memchr(text.data + at, '\n', text.len - at);
                gsize end = lf != NULL ? (gsize) (lf - text.data) + 1 : text.len;
                Span line = span_slice(text, at, end);

                if (line.data[0] == '\r' || line.data[0] == '\n')
                        break;
                gboolean is_folded = line.data[0] == ' ' || line.data[0] == '\t';
                gboolean skips = is_folded ? is_skipped : is_volatile(line);
                if (skips && !is_skipped && at > run)
                        (void) XXH64_update(&state, text.data + run, at - run);
                if (!skips && is_skipped)
                        run = at;
                is_skipped = skips;
                at = end;
        }
        if (!is_skipped && at > run)
                (void) XXH64_update(&state, text.data + run, at - run);
        return XXH64_digest(&state);
}

/* Rows in memory ----------------------------------------------------------------------------------------------------
 */

static void
chain_free(gpointer data)
{
        SeenRow *next;

        for (SeenRow *row = data; row != NULL; row = next) {
                next = row->next;
                g_free(row->key);
                g_free(row);
        }
}

void
seen_free(Seen *seen)
{
        if (seen == NULL)
                return;
        g_hash_table_unref(seen->keys);
        g_hash_table_unref(seen->chains);
        g_free(seen);
}

guint
seen_n_rows(const Seen *seen)
{
        return g_hash_table_size(seen->keys);
}

static SeenRow *
remember(Seen *seen, const char *key)
{
        SeenRow *row = g_new0(SeenRow, 1);
        const char *space = strchr(key, ' ');
        char *id = space != NULL ? g_strndup(key, (gsize) (space - key)) : g_strdup(key);

        row->key = g_strdup(key);
        gpointer there_key, there;
        if (g_hash_table_steal_extended(seen->chains, id, &there_key, &there)) {
                row->next = there;
                g_free(there_key);
        }
        g_hash_table_insert(seen->chains, id, row);
        g_hash_table_insert(seen->keys, row->key, row);
        return row;
}

SeenRow *
seen_find(const Seen *seen, const char *uidl, guint64 size, const guint64 *hash)
{
        for (SeenRow *row = g_hash_table_lookup(seen->chains, uidl); row != NULL; row = row->next)
                if (!row->is_claimed && row->size == size && (hash == NULL || row->hash == *hash))
                        return row;
        return NULL;
}

SeenRow *
seen_add(Seen *seen, const Pop3Message *message, gboolean is_plain, guint64 hash, SeenState state)
{
        g_autofree char *key = is_plain ? g_strdup(message->uidl) : NULL;
        SeenRow *row = is_plain ? g_hash_table_lookup(seen->keys, key) : NULL;

        for (guint n = 1; !is_plain && (n == 1 || (row != NULL && row->is_claimed)); n++) {
                g_free(key);
                key = g_strdup_printf("%s %" G_GUINT64_FORMAT "-%016" G_GINT64_MODIFIER "x/%u", message->uidl,
                                      message->size, hash, n);
                row = g_hash_table_lookup(seen->keys, key);
        }
        if (row == NULL)
                row = remember(seen, key);
        row->size = message->size;
        row->hash = hash;
        row->first_seen = clock_real();
        row->state = state;
        row->is_claimed = TRUE;
        return row;
}

/* Rows on disk ------------------------------------------------------------------------------------------------------
 */

DB_SQL(SEEN_PAGE,
       "SELECT uidl, size, hash, first_seen, outcome FROM source_seen WHERE source = ? AND folder = '' AND uidl > ?"
       " ORDER BY uidl LIMIT ?");
/* The source may have been removed under a running session: no row without it. */
DB_SQL(SEEN_PUT, "INSERT INTO source_seen (source, folder, uidl, size, hash, first_seen, outcome)"
                 " SELECT id, '', ?, ?, ?, ?, ? FROM source WHERE id = ?"
                 " ON CONFLICT (source, folder, uidl) DO UPDATE SET size = excluded.size, hash = excluded.hash,"
                 " first_seen = excluded.first_seen, outcome = excluded.outcome");
DB_SQL(SEEN_DROP, "DELETE FROM source_seen WHERE source = ? AND folder = '' AND uidl = ?");

static const char *const STATE_WORDS[] = {"", "left: ", "wait: ", "headers: "};

static SeenState
state_of(const char *outcome)
{
        for (guint i = SEEN_LEFT; i < G_N_ELEMENTS(STATE_WORDS); i++)
                if (g_str_has_prefix(outcome, STATE_WORDS[i]))
                        return (SeenState) i;
        return SEEN_DONE;
}

/* One page of rows; *last becomes its last key. FALSE: a fault. A page in a transaction of its own: reads stay short.
 */
static gboolean
load_page(Db *db, gint64 source, Seen *seen, char **last, guint *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(db, error);
        g_autoptr(DbRows) rows =
                txn != NULL ? db_query(txn, &SEEN_PAGE, error, "isi", source, *last, (gint64) PAGE_ROWS) : NULL;
        DbStep step = DB_ROW_FAILED;
        SeenRow *row = NULL;

        *ret_n = 0;
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                row = remember(seen, db_text(rows, 0));
                row->size = (guint64) db_int(rows, 1);
                row->hash = (guint64) db_int(rows, 2);
                row->first_seen = db_int(rows, 3);
                row->state = state_of(db_text(rows, 4));
                ++*ret_n;
        }
        if (row != NULL) {
                g_free(*last);
                *last = g_strdup(row->key);
        }
        return step != DB_ROW_FAILED;
}

/* Page after page. The first key is asked for with uidl > '': a key is never empty, since one without unique-id begins
 * with a space. */
Seen *
seen_load(Db *db, gint64 source, GError **error)
{
        g_autoptr(Seen) seen = g_new0(Seen, 1);
        g_autofree char *last = g_strdup("");
        guint n;

        seen->chains = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, chain_free);
        seen->keys = g_hash_table_new(g_str_hash, g_str_equal);
        do
                if (!load_page(db, source, seen, &last, &n, error))
                        return NULL;
        while (n == PAGE_ROWS);
        return g_steal_pointer(&seen);
}

gboolean
seen_put(DbTxn *txn, gint64 source, const SeenRow *row, const char *outcome, GError **error)
{
        g_autofree char *shown = text_escape(span_of(outcome), OUTCOME_OCTETS);
        g_autofree char *text = g_strconcat(STATE_WORDS[row->state], shown, NULL);

        return db_run(txn, &SEEN_PUT, error, "siiisi", row->key, (gint64) row->size, (gint64) row->hash,
                      (gint64) row->first_seen, text, source);
}

static DbCommit
drop_slice(Db *db, gint64 source, const GPtrArray *keys, guint from, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_freeing(db, error);

        if (txn == NULL)
                return DB_FAILED;
        for (guint i = from; i < MIN(from + SLICE_ROWS, keys->len); i++)
                if (!db_run(txn, &SEEN_DROP, error, "is", source, (const char *) keys->pdata[i]))
                        return DB_FAILED;
        return db_take_commit(g_steal_pointer(&txn), error);
}

gboolean
seen_drop_unclaimed(Db *db, gint64 source, const Seen *seen, GError **error)
{
        g_autoptr(GPtrArray) keys = g_ptr_array_new();
        GHashTableIter iter;
        gpointer row;

        g_hash_table_iter_init(&iter, seen->keys);
        while (g_hash_table_iter_next(&iter, NULL, &row))
                if (!((const SeenRow *) row)->is_claimed)
                        g_ptr_array_add(keys, ((SeenRow *) row)->key);
        for (guint from = 0; from < keys->len;) {
                switch (drop_slice(db, source, keys, from, error)) {
                case DB_COMMITTED:
                        from += SLICE_ROWS;
                        break;
                case DB_AGAIN:
                        break;
                case DB_FAILED:
                default:
                        return FALSE;
                }
        }
        return TRUE;
}

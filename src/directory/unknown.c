/* unknown.c -- the work list: names that mail came for and nobody defined.
 *
 * Counted in memory, so that a stranger who guesses costs no write; written in slices. What does not fit is dropped:
 * the list shows what comes often, and that comes again.
 */
#include "base/text.h"
#include "directory/internal.h"

#define SLICE_ROWS 500
#define SENDER_MAX 320

typedef struct Guessed {
        guint64 times;
        Usec first, last;
        char first_sender[SENDER_MAX + 1], last_sender[SENDER_MAX + 1];
} Guessed;

static void
copy_sender(char buffer[SENDER_MAX + 1], const Address *sender)
{
        g_autoptr(Arena) arena = arena_new(4096);
        Span text = sender != NULL ? span_slice(address_text(arena, sender), 0, SENDER_MAX) : SPAN_EMPTY;

        span_to_text(text, buffer);
}

void
directory_count_unknown(Directory *directory, const Address *address, const Address *sender)
{
        guint8 buffer[RECORD_KEY_MAX];
        Span key;

        if (!directory_key(address, buffer, &key))
                return;
        g_autofree char *name = span_dup(key);
        MUTEX_SCOPE(&directory->unknown_mutex);
        Guessed *guessed = g_hash_table_lookup(directory->unknown, name);
        if (guessed == NULL) {
                if (g_hash_table_size(directory->unknown) >= UNKNOWN_IN_MEMORY_MAX)
                        return;
                guessed = g_new0(Guessed, 1);
                guessed->first = clock_real();
                copy_sender(guessed->first_sender, sender);
                g_hash_table_insert(directory->unknown, g_steal_pointer(&name), guessed);
        }
        guessed->times++;
        guessed->last = clock_real();
        copy_sender(guessed->last_sender, sender);
}

DB_SQL(UNKNOWN_ADD, "INSERT INTO unknown_name (domain, local, times, first, last, first_sender, last_sender)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain, local) DO UPDATE SET"
                    " times = times + excluded.times, last = excluded.last, last_sender = excluded.last_sender");

static gboolean
write_one(DbTxn *txn, const char *name, const Guessed *guessed, GError **error)
{
        Span all = span_of(name);
        gsize at = all.len;

        while (at > 0 && all.data[at - 1] != '@')
                at--;
        return db_run(txn, &UNKNOWN_ADD, error, "ttiiiss", span_slice(all, at, all.len), span_slice(all, 0, at - 1),
                      (gint64) guessed->times, (gint64) guessed->first, (gint64) guessed->last, guessed->first_sender,
                      guessed->last_sender);
}

/* At most SLICE_ROWS in one transaction; what is on disk leaves the table. */
static gboolean
write_slice(Directory *directory, GHashTable *table, GError **error)
{
        GHashTableIter iter;
        gpointer name, guessed;
        guint n = 0;

        g_autoptr(DbTxn) txn = db_begin(directory->db, error);
        if (txn == NULL)
                return FALSE;
        g_autoptr(GPtrArray) written = g_ptr_array_new();
        g_hash_table_iter_init(&iter, table);
        while (n++ < SLICE_ROWS && g_hash_table_iter_next(&iter, &name, &guessed)) {
                if (!write_one(txn, name, guessed, error))
                        return FALSE;
                g_ptr_array_add(written, name);
        }
        DbCommit commit = db_take_commit(g_steal_pointer(&txn), error);
        if (commit == DB_COMMITTED)
                for (guint i = 0; i < written->len; i++)
                        g_hash_table_remove(table, written->pdata[i]);
        return commit != DB_FAILED;
}

DB_SQL(UNKNOWN_FULL, "SELECT domain, count(*) FROM unknown_name GROUP BY domain HAVING count(*) > ? LIMIT 1");
DB_SQL(UNKNOWN_TRIM, "DELETE FROM unknown_name WHERE domain = ?1 AND local IN"
                     " (SELECT local FROM unknown_name WHERE domain = ?1 ORDER BY times, last LIMIT ?2)");

/* One slice of the least frequent names of one domain that has too many. */
static gboolean
trim_slice(Directory *directory, gboolean *ret_more, GError **error)
{
        g_autofree char *domain = NULL;
        gint64 excess = 0;

        *ret_more = FALSE;
        g_autoptr(DbTxn) txn = db_begin(directory->db, error);
        if (txn == NULL)
                return FALSE;
        {
                g_autoptr(DbRows) rows = db_query(txn, &UNKNOWN_FULL, error, "i", (gint64) UNKNOWN_KEPT_MAX);
                DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

                if (step != DB_ROW)
                        return step == DB_ROW_END;
                domain = g_strdup(db_text(rows, 0));
                excess = db_int(rows, 1) - UNKNOWN_KEPT_MAX;
        }
        if (!db_run(txn, &UNKNOWN_TRIM, error, "si", domain, MIN(excess, SLICE_ROWS)))
                return FALSE;
        *ret_more = TRUE;
        return db_take_commit(g_steal_pointer(&txn), error) != DB_FAILED;
}

gboolean
directory_flush_unknown(Directory *directory, GError **error)
{
        g_autoptr(GHashTable) table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        gboolean more = TRUE;

        mutex_lock(&directory->unknown_mutex);
        GHashTable *taken = directory->unknown;
        directory->unknown = table;
        table = taken;
        mutex_unlock(&directory->unknown_mutex);

        if (g_hash_table_size(table) == 0)
                return TRUE;
        while (g_hash_table_size(table) > 0)
                if (!write_slice(directory, table, error))
                        return FALSE;
        while (more)
                if (!trim_slice(directory, &more, error))
                        return FALSE;
        return TRUE;
}

DB_SQL(UNKNOWN_LIST, "SELECT local, domain, times, first, last, first_sender, last_sender, spam FROM unknown_name"
                     " WHERE ?1 IS NULL OR domain = ?1 ORDER BY times DESC, domain, local LIMIT ?2");

gboolean
directory_list_unknown(Directory *directory, Arena *arena, const char *domain, gsize max, const UnknownName **ret, gsize *ret_n,
                       GError **error)
{
        UnknownName *names = arena_new_array(arena, UnknownName, max);
        gsize n = 0;
        DbStep step;

        g_autoptr(DbTxn) txn = names != NULL ? db_begin_read(directory->db, error) : NULL;
        g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &UNKNOWN_LIST, error, "si", domain, (gint64) max) : NULL;
        if (names == NULL)
                return fault(error, FAULT_BUSY, "the list of unknown names is too long");
        if (rows == NULL)
                return FALSE;
        while (n < max && (step = db_rows_next(rows, error)) == DB_ROW) {
                const Address address = {arena_copy(arena, db_bytes(rows, 0)), arena_copy(arena, db_bytes(rows, 1))};

                names[n++] = (UnknownName){
                        .address = arena_strndup(arena, address_text(arena, &address)),
                        .first_sender = db_is_null(rows, 5) ? NULL : arena_strdup(arena, db_text(rows, 5)),
                        .last_sender = db_is_null(rows, 6) ? NULL : arena_strdup(arena, db_text(rows, 6)),
                        .times = (guint64) db_int(rows, 2),
                        .spam = (guint64) db_int(rows, 7),
                        .first = db_int(rows, 3),
                        .last = db_int(rows, 4),
                };
        }
        if (n < max && step != DB_ROW_END)
                return FALSE;
        if (arena_is_over(arena))
                return fault(error, FAULT_BUSY, "the list of unknown names is too long");
        *ret = names;
        *ret_n = n;
        return TRUE;
}

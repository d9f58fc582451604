/* scram.c -- which accounts have keys of SCRAM, and the keys of the site. What they mean is auth's affair. */
#include "base/id.h"
#include "directory/internal.h"

DB_SQL(ANY_SCRAM, "SELECT EXISTS (SELECT 1 FROM domain WHERE scram <> 0)");

static gboolean
load_has_scram(Directory *directory, gboolean *ret)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(directory->db, &error);
        gint64 any = 0;

        if (txn == NULL || db_get_int(txn, &ANY_SCRAM, &any, &error, "") != DB_ROW)
                return FALSE;
        *ret = any != 0;
        return TRUE;
}

/* The generation is read before the table: a change in between has it read again. */
gboolean
directory_has_scram(Directory *directory)
{
        guint64 generation = directory_generation(directory);
        gboolean has_scram = FALSE, is_known;

        mutex_lock(&directory->scram_mutex);
        is_known = directory->scram_at == generation;
        has_scram = directory->has_scram;
        mutex_unlock(&directory->scram_mutex);
        if (is_known)
                return has_scram;
        if (!load_has_scram(directory, &has_scram))
                return FALSE;
        MUTEX_SCOPE(&directory->scram_mutex);
        directory->scram_at = generation;
        directory->has_scram = has_scram;
        return has_scram;
}

DB_SQL(SCRAM_KEEP, "UPDATE account SET scram = ? WHERE id = ? AND password = ?"
                   " AND EXISTS (SELECT 1 FROM domain WHERE name = account.domain AND scram <> 0)");

gboolean
directory_keep_scram(Directory *directory, DbTxn *txn, gint64 account, const char *password_hash, const char *scram,
                     GError **error)
{
        if (!db_run(txn, &SCRAM_KEEP, error, "sis", scram, account, password_hash))
                return FALSE;
        if (db_changes(txn) > 0)
                directory_touch(directory, txn);
        return TRUE;
}

typedef struct Keeping {
        Directory *directory;
        gint64 account;
        const char *password_hash, *scram;
} Keeping;

static gboolean
keep(DbTxn *txn, gpointer data, GError **error)
{
        const Keeping *k = data;

        return directory_keep_scram(k->directory, txn, k->account, k->password_hash, k->scram, error);
}

gboolean
directory_write_scram(Directory *directory, gint64 account, const char *password_hash, const char *scram,
                      GError **error)
{
        Keeping keeping = {directory, account, password_hash, scram};

        return db_write(directory->db, keep, &keeping, error) == DB_COMMITTED;
}

/* Keys of the site ------------------------------------------------------------------------------------------------ */

DB_SQL(KEY_GET, "SELECT octets FROM site_key WHERE name = ?");
DB_SQL(KEY_MAKE, "INSERT INTO site_key (name, octets) VALUES (?, ?) ON CONFLICT DO NOTHING");

static Found
read_key(DbTxn *txn, const char *use, guint8 ret[DIRECTORY_KEY_OCTETS], GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &KEY_GET, error, "s", use);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step != DB_ROW)
                return step == DB_ROW_END ? FOUND_NOT : FOUND_FAILED;
        Span octets = db_bytes(rows, 0);
        if (octets.len != DIRECTORY_KEY_OCTETS)
                return fault(error, FAULT_INTERNAL, "the site's key for %s is damaged", use), FOUND_FAILED;
        memcpy(ret, octets.data, DIRECTORY_KEY_OCTETS);
        return FOUND;
}

typedef struct KeyMaking {
        const char *use;
        guint8 *ret;
} KeyMaking;

static gboolean
make_key(DbTxn *txn, gpointer data, GError **error)
{
        KeyMaking *making = data;
        guint8 octets[DIRECTORY_KEY_OCTETS];

        random_octets(octets, sizeof(octets));
        return db_run(txn, &KEY_MAKE, error, "sb", making->use, span_make(octets, sizeof(octets))) &&
               read_key(txn, making->use, making->ret, error) == FOUND;
}

gboolean
directory_site_key(Directory *directory, const char *use, guint8 ret[DIRECTORY_KEY_OCTETS], GError **error)
{
        KeyMaking making = {use, ret};
        g_autoptr(DbTxn) txn = db_begin_read(directory->db, error);
        Found found = txn != NULL ? read_key(txn, use, ret, error) : FOUND_FAILED;

        g_clear_pointer(&txn, db_txn_free);
        if (found != FOUND_NOT)
                return found == FOUND;
        return db_write(directory->db, make_key, &making, error) == DB_COMMITTED;
}

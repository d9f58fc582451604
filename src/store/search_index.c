#include "store/search_index.h"
#include "store/search_record.h"

#include "base/log.h"
#include "base/thread.h"
#include "db/schema.h"

#include <xxhash.h>

#define INDEX_NAME "search"
#define COMPARE_SLICE 256                /* packs compared in one go     */
#define COMPARE_INTERVAL (USEC_PER_HOUR) /* to find what has gone        */

static const DbMigration SCHEMA = {GROUP_VERSION,
                                   "CREATE TABLE pack_index ("
                                   " pack INTEGER PRIMARY KEY, bodies INTEGER NOT NULL, data BLOB NOT NULL)"};

struct SearchIndex {
        Db *site;
        char *dir;

        Mutex lock;
        Db *db;              /* NULL: not open                                 */
        gboolean is_trusted; /* was compared                                    */
        guint n_readers;
        gboolean is_bad; /* atomic: a record was not what it should be     */

        /* of the thread that fills */
        gboolean is_comparing;
        gint64 compared;     /* packs up to this one                            */
        Usec compare_next;   /* monotonic                                       */
        gint64 filled;       /* packs up to this one have records               */
        gint64 pack, bodies; /* to be put */
};

struct IndexReader {
        SearchIndex *index;
        DbTxn *txn;
};

SearchIndex *
search_index_new(Db *site, const char *dir)
{
        SearchIndex *index = g_new0(SearchIndex, 1);

        index->site = site;
        index->dir = g_strdup(dir);
        mutex_init(&index->lock, "store.search");
        return index;
}

void
search_index_free(SearchIndex *index)
{
        if (index == NULL)
                return;
        g_assert(index->n_readers == 0);
        db_close(index->db);
        mutex_done(&index->lock);
        g_free(index->dir);
        g_free(index);
}

/* Asking ------------------------------------------------------------------------------------------------------------
 */

static gboolean
is_damaged(SearchIndex *index)
{
        return g_atomic_int_get(&index->is_bad) || db_is_damaged(index->db);
}

static Db *
db_acquire(SearchIndex *index)
{
        MUTEX_SCOPE(&index->lock);
        if (!index->is_trusted || is_damaged(index))
                return NULL;
        index->n_readers++;
        return index->db;
}

static void
db_release(SearchIndex *index)
{
        MUTEX_SCOPE(&index->lock);
        index->n_readers--;
}

IndexReader *
index_reader_new(SearchIndex *index)
{
        Db *db = db_acquire(index);
        DbTxn *txn = db != NULL ? db_begin_read(db, NULL) : NULL;

        if (txn == NULL) {
                if (db != NULL)
                        db_release(index);
                return NULL;
        }
        IndexReader *reader = g_new0(IndexReader, 1);
        reader->index = index;
        reader->txn = txn;
        return reader;
}

void
index_reader_free(IndexReader *reader)
{
        if (reader == NULL)
                return;
        db_txn_free(reader->txn);
        db_release(reader->index);
        g_free(reader);
}

DB_SQL(RECORD_GET, "SELECT data FROM pack_index WHERE pack = ?");

/* What can't be read is not there: its messages are read instead. */
gboolean
index_reader_ask(IndexReader *reader, gint64 pack, GroupMatcher *matcher, gboolean with_header, GroupAnswer *ret)
{
        g_autoptr(DbRows) rows = db_query(reader->txn, &RECORD_GET, NULL, "i", pack);

        if (rows == NULL || db_rows_next(rows, NULL) != DB_ROW)
                return FALSE;
        if (group_match(matcher, db_bytes(rows, 0), with_header, ret))
                return TRUE;
        g_atomic_int_set(&reader->index->is_bad, TRUE);
        return FALSE;
}

/* Opening -----------------------------------------------------------------------------------------------------------
 */

static const LogEvent SEARCH_DAMAGED = {
        "search.damaged", LOG_WARNING,
        "The search index could not be read or written. It is removed and made anew; until then "
        "searching reads the messages themselves."};

/* TRUE: nothing is left of a damaged one. FALSE: somebody still reads it. */
static gboolean
damaged_drop(SearchIndex *index)
{
        mutex_lock(&index->lock);
        Db *db = index->n_readers == 0 ? g_steal_pointer(&index->db) : NULL;
        index->is_trusted = FALSE;
        mutex_unlock(&index->lock);
        if (db == NULL)
                return FALSE;
        log_event(&SEARCH_DAMAGED, "file=%s/" INDEX_NAME ".db", index->dir);
        db_close(db);
        db_remove_index(index->dir, INDEX_NAME);
        return TRUE;
}

static gboolean
index_open(SearchIndex *index, GError **error)
{
        Db *db = db_open_index(index->dir, INDEX_NAME, &SCHEMA, error);

        if (db == NULL)
                return FALSE;
        index->is_comparing = TRUE;
        index->compared = 0;
        index->filled = G_MAXINT64;
        g_atomic_int_set(&index->is_bad, FALSE);
        MUTEX_SCOPE(&index->lock);
        index->db = db;
        return TRUE;
}

/* Comparing ---------------------------------------------------------------------------------------------------------
 */

typedef struct Pack {
        gint64 id, bodies;
} Pack;

DB_SQL(PACKS, "SELECT id, bodies FROM pack WHERE id > ? ORDER BY id LIMIT ?");
DB_SQL(RECORDS, "SELECT pack, bodies FROM pack_index WHERE pack > ? AND pack <= ? ORDER BY pack");
DB_SQL(RECORD_DROP, "DELETE FROM pack_index WHERE pack = ?");

static gint64
bodies_hash(Span bodies)
{
        return (gint64) XXH3_64bits(bodies.data, bodies.len);
}

/* The site's packs behind `after`. */
static gboolean
packs_list(Db *site, gint64 after, gint64 max, GArray *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(site, error);
        g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &PACKS, error, "ii", after, max) : NULL;
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                Pack pack = {db_int(rows, 0), bodies_hash(db_bytes(rows, 1))};
                g_array_append_val(ret, pack);
        }
        return step == DB_ROW_END;
}

/* Go along both lists: records without their pack are to be dropped; the first pack without its record is where filling
 * begins. */
static gboolean
lists_merge(SearchIndex *index, const GArray *packs, gint64 to, GArray *ret_dropped, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(index->db, error);
        g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &RECORDS, error, "ii", index->compared, to) : NULL;
        DbStep step = DB_ROW_FAILED;
        guint at = 0, kept = 0;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                gint64 id = db_int(rows, 0);
                while (at < packs->len && g_array_index(packs, Pack, at).id < id)
                        at++;
                const Pack *pack = at < packs->len ? &g_array_index(packs, Pack, at) : NULL;
                if (pack == NULL || pack->id != id || pack->bodies != db_int(rows, 1))
                        g_array_append_val(ret_dropped, id);
                else if (kept == at)
                        kept++;
        }
        if (kept < packs->len)
                index->filled = MIN(index->filled, g_array_index(packs, Pack, kept).id - 1);
        return step == DB_ROW_END;
}

static gboolean
records_drop(SearchIndex *index, const GArray *packs, GError **error)
{
        if (packs->len == 0)
                return TRUE;
        g_autoptr(DbTxn) txn = db_begin_freeing(index->db, error);
        if (txn == NULL)
                return FALSE;
        for (guint i = 0; i < packs->len; i++)
                if (!db_run(txn, &RECORD_DROP, error, "i", g_array_index(packs, gint64, i)))
                        return FALSE;
        return db_take_commit(g_steal_pointer(&txn), error) == DB_COMMITTED;
}

static void
compare_end(SearchIndex *index)
{
        index->is_comparing = FALSE;
        index->compare_next = clock_in(COMPARE_INTERVAL);
        MUTEX_SCOPE(&index->lock);
        index->is_trusted = TRUE;
}

static IndexWork
compare_slice(SearchIndex *index, GError **error)
{
        g_autoptr(GArray) packs = g_array_new(FALSE, FALSE, sizeof(Pack));
        g_autoptr(GArray) dropped = g_array_new(FALSE, FALSE, sizeof(gint64));

        if (!packs_list(index->site, index->compared, COMPARE_SLICE, packs, error))
                return INDEX_FAILED;
        gboolean is_last = packs->len < COMPARE_SLICE;
        gint64 to = is_last ? G_MAXINT64 : g_array_index(packs, Pack, packs->len - 1).id;
        gint64 filled = is_last && packs->len > 0 ? g_array_index(packs, Pack, packs->len - 1).id : index->compared;
        if (!lists_merge(index, packs, to, dropped, error) || !records_drop(index, dropped, error))
                return INDEX_FAILED;
        index->compared = to;
        if (is_last) {
                index->filled = MIN(index->filled, filled);
                compare_end(index);
        }
        return INDEX_AGAIN;
}

/* Filling -----------------------------------------------------------------------------------------------------------
 */

DB_SQL(RECORD_BODIES, "SELECT bodies FROM pack_index WHERE pack = ?");
DB_SQL(RECORD_PUT, "INSERT INTO pack_index (pack, bodies, data) VALUES (?, ?, ?)"
                   " ON CONFLICT (pack) DO UPDATE SET bodies = excluded.bodies, data = excluded.data");

/* The next pack that may lack its record. */
static IndexWork
pack_next(SearchIndex *index, gint64 *ret_pack, GError **error)
{
        g_autoptr(GArray) packs = g_array_new(FALSE, FALSE, sizeof(Pack));
        gint64 bodies;

        if (!packs_list(index->site, index->filled, 1, packs, error))
                return INDEX_FAILED;
        if (packs->len == 0)
                return INDEX_IDLE;
        Pack pack = g_array_index(packs, Pack, 0);
        g_autoptr(DbTxn) txn = db_begin_read(index->db, error);
        DbStep step = txn != NULL ? db_get_int(txn, &RECORD_BODIES, &bodies, error, "i", pack.id) : DB_ROW_FAILED;
        if (step == DB_ROW_FAILED)
                return INDEX_FAILED;
        if (step == DB_ROW && bodies == pack.bodies) {
                index->filled = pack.id;
                return INDEX_AGAIN;
        }
        index->pack = pack.id;
        index->bodies = pack.bodies;
        *ret_pack = pack.id;
        return INDEX_PACK;
}

IndexWork
search_index_next(SearchIndex *index, gint64 *ret_pack, GError **error)
{
        if (index->db != NULL && is_damaged(index) && !damaged_drop(index))
                return INDEX_IDLE;
        if (db_is_full(index->site))
                return INDEX_IDLE;
        if (index->db == NULL && !index_open(index, error))
                return INDEX_FAILED;
        if (!index->is_comparing && clock_monotonic() >= index->compare_next) {
                index->is_comparing = TRUE;
                index->compared = 0;
        }
        return index->is_comparing ? compare_slice(index, error) : pack_next(index, ret_pack, error);
}

gboolean
search_index_put(SearchIndex *index, Span record, GError **error)
{
        if (record.len > 0) {
                g_autoptr(DbTxn) txn = db_begin(index->db, error);
                if (txn == NULL || !db_run(txn, &RECORD_PUT, error, "iib", index->pack, index->bodies, record) ||
                    db_take_commit(g_steal_pointer(&txn), error) != DB_COMMITTED)
                        return FALSE;
        }
        index->filled = index->pack;
        return TRUE;
}

#include "store/search_index.h"
#include "store/search_record.h"

#include "base/thread.h"
#include "db/schema.h"
#include "store/mailbox.h"

#include <xxhash.h>

#define INDEX_NAME "search"
#define COMPARE_SLICE 256 /* packs compared in one go                                */
#define GONE_MAX 65536    /* packs to drop the records of; more, and all are compared */
#define GONE_SLICE 256

static const DbMigration SCHEMA = {GROUP_VERSION,
                                   "CREATE TABLE pack_index (pack INTEGER PRIMARY KEY, bodies INTEGER NOT NULL);"
                                   "CREATE TABLE pack_record (pack INTEGER PRIMARY KEY, data BLOB NOT NULL)"};

struct SearchIndex {
        Db *site;
        char *dir;

        Mutex lock;
        Cond wake;
        gboolean is_woken;   /* since the last search_index_wait() began       */
        GArray *gone;        /* of gint64                                      */
        gboolean is_over;    /* more have gone than it holds                   */
        Db *db;              /* NULL: not open                                 */
        gboolean is_trusted; /* was compared                                   */
        guint n_readers;
        gboolean is_bad; /* atomic: a record was not what it should be     */

        /* of the thread that fills, which takes the lock to change the first three */
        gboolean is_comparing;
        gint64 filled;       /* packs up to this one have records               */
        guint64 n_filled;    /* so many                                         */
        gint64 compared;     /* packs up to this one                            */
        gboolean is_told;    /* that it is ready, since it was opened           */
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
        index->gone = g_array_new(FALSE, FALSE, sizeof(gint64));
        mutex_init(&index->lock, "store.search");
        cond_init(&index->wake);
        return index;
}

void
search_index_free(SearchIndex *index)
{
        if (index == NULL)
                return;
        g_assert(index->n_readers == 0);
        db_close(index->db);
        cond_done(&index->wake);
        mutex_done(&index->lock);
        g_array_unref(index->gone);
        g_free(index->dir);
        g_free(index);
}

/* Being told --------------------------------------------------------------------------------------------------------
 */

/* With the lock. */
static void
wake(SearchIndex *index)
{
        index->is_woken = TRUE;
        cond_signal(&index->wake);
}

void
search_index_wake(SearchIndex *index)
{
        MUTEX_SCOPE(&index->lock);
        wake(index);
}

void
search_index_made(SearchIndex *index)
{
        search_index_wake(index);
}

void
search_index_gone(SearchIndex *index, gint64 pack)
{
        MUTEX_SCOPE(&index->lock);
        if (index->gone->len < GONE_MAX)
                g_array_append_val(index->gone, pack);
        else
                index->is_over = TRUE;
        wake(index);
}

void
search_index_wait(SearchIndex *index, Usec until)
{
        MUTEX_SCOPE(&index->lock);
        while (!index->is_woken && cond_wait_until(&index->wake, &index->lock, until))
                continue;
        index->is_woken = FALSE;
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
        if (--index->n_readers == 0 && is_damaged(index))
                wake(index);
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

DB_SQL(RECORD_GET, "SELECT data FROM pack_record WHERE pack = ?");

/* What can't be read is not there: its messages are read instead. */
gboolean
index_reader_ask(IndexReader *reader, gint64 pack, GroupMatcher *matcher, GroupAnswer *ret_body,
                 GroupAnswer *ret_header)
{
        g_autoptr(DbRows) rows = db_query(reader->txn, &RECORD_GET, NULL, "i", pack);

        if (rows == NULL || db_rows_next(rows, NULL) != DB_ROW)
                return FALSE;
        if (group_match(matcher, db_bytes(rows, 0), ret_body, ret_header))
                return TRUE;
        g_atomic_int_set(&reader->index->is_bad, TRUE);
        return FALSE;
}

/* Opening -----------------------------------------------------------------------------------------------------------
 */

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
        log_event(&STORE_EVENTS[STORE_EVENT_SEARCH_DAMAGED], "file=%s/" INDEX_NAME ".db", index->dir);
        db_close(db);
        db_remove_index(index->dir, INDEX_NAME);
        return TRUE;
}

/* What goes from now on is noted again. */
static void
compare_begin(SearchIndex *index, Db *db)
{
        MUTEX_SCOPE(&index->lock);
        index->db = db;
        index->is_comparing = TRUE;
        index->compared = 0;
        index->filled = G_MAXINT64;
        index->n_filled = 0;
        g_array_set_size(index->gone, 0);
        index->is_over = FALSE;
}

static gboolean
index_open(SearchIndex *index, GError **error)
{
        Db *db = db_open_index(index->dir, INDEX_NAME, &SCHEMA, error);

        if (db == NULL)
                return FALSE;
        g_atomic_int_set(&index->is_bad, FALSE);
        index->is_told = FALSE;
        compare_begin(index, db);
        return TRUE;
}

/* Comparing ---------------------------------------------------------------------------------------------------------
 */

typedef struct Pack {
        gint64 id, bodies;
} Pack;

DB_SQL(PACKS, "SELECT id, bodies FROM pack WHERE id > ? ORDER BY id LIMIT ?");
DB_SQL(RECORDS, "SELECT pack, bodies FROM pack_index WHERE pack > ? AND pack <= ? ORDER BY pack");
DB_SQL(INDEX_DROP, "DELETE FROM pack_index WHERE pack = ?");
DB_SQL(RECORD_DROP, "DELETE FROM pack_record WHERE pack = ?");

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

/* Go along both lists: records without their pack are to be dropped; the first *ret_kept packs have theirs. */
static gboolean
lists_merge(SearchIndex *index, const GArray *packs, gint64 to, GArray *ret_dropped, guint *ret_kept, GError **error)
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
        *ret_kept = kept;
        return step == DB_ROW_END;
}

static gboolean
record_drop(DbTxn *txn, gint64 pack, GError **error)
{
        return db_run(txn, &INDEX_DROP, error, "i", pack) && db_run(txn, &RECORD_DROP, error, "i", pack);
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
                if (!record_drop(txn, g_array_index(packs, gint64, i), error))
                        return FALSE;
        return db_take_commit(g_steal_pointer(&txn), error) == DB_COMMITTED;
}

/* The first pack without its record is where filling begins. */
static void
compare_note(SearchIndex *index, const GArray *packs, guint kept)
{
        gboolean is_last = packs->len < COMPARE_SLICE;
        gint64 last = packs->len > 0 ? g_array_index(packs, Pack, packs->len - 1).id : index->compared;

        MUTEX_SCOPE(&index->lock);
        if (index->filled == G_MAXINT64)
                index->n_filled += kept;
        if (kept < packs->len)
                index->filled = MIN(index->filled, g_array_index(packs, Pack, kept).id - 1);
        index->compared = last;
        if (!is_last)
                return;
        index->filled = MIN(index->filled, last);
        index->is_comparing = FALSE;
        index->is_trusted = TRUE;
}

static IndexWork
compare_slice(SearchIndex *index, GError **error)
{
        g_autoptr(GArray) packs = g_array_new(FALSE, FALSE, sizeof(Pack));
        g_autoptr(GArray) dropped = g_array_new(FALSE, FALSE, sizeof(gint64));
        guint kept;

        if (!packs_list(index->site, index->compared, COMPARE_SLICE, packs, error))
                return INDEX_FAILED;
        gint64 to = packs->len < COMPARE_SLICE ? G_MAXINT64 : g_array_index(packs, Pack, packs->len - 1).id;
        if (!lists_merge(index, packs, to, dropped, &kept, error) || !records_drop(index, dropped, error))
                return INDEX_FAILED;
        compare_note(index, packs, kept);
        return INDEX_AGAIN;
}

/* What has gone -----------------------------------------------------------------------------------------------------
 */

/* Some of what was noted. */
static GArray *
gone_take(SearchIndex *index)
{
        GArray *some = g_array_new(FALSE, FALSE, sizeof(gint64));

        MUTEX_SCOPE(&index->lock);
        guint from = index->gone->len - MIN(index->gone->len, GONE_SLICE);
        g_array_append_vals(some, &g_array_index(index->gone, gint64, from), index->gone->len - from);
        g_array_set_size(index->gone, from);
        return some;
}

/* The records of packs that have gone; *ret_n: how many packs. When they can't be dropped now, comparing finds them. */
static gboolean
gone_drop(SearchIndex *index, guint *ret_n, GError **error)
{
        g_autoptr(GArray) gone = gone_take(index);
        guint n_filled = 0;

        *ret_n = gone->len;
        if (gone->len == 0)
                return TRUE;
        g_autoptr(DbTxn) txn = db_begin_freeing(index->db, error);
        gboolean is_dropped = txn != NULL;
        for (guint i = 0; is_dropped && i < gone->len; i++) {
                gint64 pack = g_array_index(gone, gint64, i);
                is_dropped = record_drop(txn, pack, error);
                n_filled += is_dropped && pack <= index->filled && db_changes(txn) > 0;
        }
        is_dropped = is_dropped && db_take_commit(g_steal_pointer(&txn), error) == DB_COMMITTED;
        MUTEX_SCOPE(&index->lock);
        if (is_dropped)
                index->n_filled -= n_filled;
        else
                index->is_over = TRUE;
        return is_dropped;
}

/* Filling -----------------------------------------------------------------------------------------------------------
 */

DB_SQL(INDEX_BODIES, "SELECT bodies FROM pack_index WHERE pack = ?");
DB_SQL(INDEX_PUT, "INSERT INTO pack_index (pack, bodies) VALUES (?, ?)"
                  " ON CONFLICT (pack) DO UPDATE SET bodies = excluded.bodies");
DB_SQL(RECORD_PUT, "INSERT INTO pack_record (pack, data) VALUES (?, ?)"
                   " ON CONFLICT (pack) DO UPDATE SET data = excluded.data");

/* All packs up to this one are done; n: it has a record. */
static void
advance(SearchIndex *index, gint64 pack, guint n)
{
        MUTEX_SCOPE(&index->lock);
        index->filled = pack;
        index->n_filled += n;
}

static void
tell_ready(SearchIndex *index)
{
        if (index->is_told)
                return;
        index->is_told = TRUE;
        log_event(&STORE_EVENTS[STORE_EVENT_SEARCH_READY], "packs=%" G_GUINT64_FORMAT, index->n_filled);
}

/* The next pack that may lack its record. */
static IndexWork
pack_next(SearchIndex *index, gint64 *ret_pack, GError **error)
{
        g_autoptr(GArray) packs = g_array_new(FALSE, FALSE, sizeof(Pack));
        gint64 bodies;

        if (!packs_list(index->site, index->filled, 1, packs, error))
                return INDEX_FAILED;
        if (packs->len == 0) {
                tell_ready(index);
                return INDEX_IDLE;
        }
        Pack pack = g_array_index(packs, Pack, 0);
        g_autoptr(DbTxn) txn = db_begin_read(index->db, error);
        DbStep step = txn != NULL ? db_get_int(txn, &INDEX_BODIES, &bodies, error, "i", pack.id) : DB_ROW_FAILED;
        if (step == DB_ROW_FAILED)
                return INDEX_FAILED;
        if (step == DB_ROW && bodies == pack.bodies) {
                advance(index, pack.id, 1);
                return INDEX_AGAIN;
        }
        index->pack = pack.id;
        index->bodies = pack.bodies;
        *ret_pack = pack.id;
        return INDEX_PACK;
}

static gboolean
must_compare(SearchIndex *index)
{
        MUTEX_SCOPE(&index->lock);
        return index->is_over && !index->is_comparing;
}

IndexWork
search_index_next(SearchIndex *index, gint64 *ret_pack, GError **error)
{
        guint n_gone = 0;

        if (index->db != NULL && is_damaged(index) && !damaged_drop(index))
                return INDEX_IDLE;
        if (index->db == NULL && db_is_full(index->site))
                return INDEX_IDLE;
        if (index->db == NULL && !index_open(index, error))
                return INDEX_FAILED;
        if (must_compare(index))
                compare_begin(index, index->db);
        if (index->is_comparing)
                return compare_slice(index, error);
        if (!gone_drop(index, &n_gone, error))
                return INDEX_FAILED;
        if (n_gone > 0)
                return INDEX_AGAIN;
        return db_is_full(index->site) ? INDEX_IDLE : pack_next(index, ret_pack, error);
}

static gboolean
record_put(SearchIndex *index, Span record, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin(index->db, error);

        return txn != NULL && db_run(txn, &INDEX_PUT, error, "ii", index->pack, index->bodies) &&
               db_run(txn, &RECORD_PUT, error, "ib", index->pack, record) &&
               db_take_commit(g_steal_pointer(&txn), error) == DB_COMMITTED;
}

gboolean
search_index_put(SearchIndex *index, Span record, GError **error)
{
        if (record.len > 0 && !record_put(index, record, error))
                return FALSE;
        advance(index, index->pack, record.len > 0);
        return TRUE;
}

/* How far -----------------------------------------------------------------------------------------------------------
 */

DB_SQL(PACKS_BEHIND, "SELECT count(*) FROM pack WHERE id > ?");

gboolean
search_index_progress(SearchIndex *index, SearchProgress *ret, GError **error)
{
        gint64 filled = 0, behind = 0;

        mutex_lock(&index->lock);
        SearchIndexState state = index->db == NULL     ? SEARCH_INDEX_CLOSED
                                 : index->is_comparing ? SEARCH_INDEX_COMPARED
                                                       : SEARCH_INDEX_USED;
        *ret = (SearchProgress){.state = state, .packs_done = state == SEARCH_INDEX_USED ? index->n_filled : 0};
        filled = index->filled;
        mutex_unlock(&index->lock);
        if (state != SEARCH_INDEX_USED)
                return TRUE;
        g_autoptr(DbTxn) txn = db_begin_read(index->site, error);
        if (txn == NULL || db_get_int(txn, &PACKS_BEHIND, &behind, error, "i", filled) != DB_ROW)
                return FALSE;
        ret->packs = ret->packs_done + (guint64) behind;
        return TRUE;
}

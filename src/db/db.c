/* db.c -- the database of a site: opening and closing it, the pool of readers, beginning and ending transactions. */
#include "db/internal.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define CLEAN_MARK "clean\n"
#define COMPLAINTS_MAX 4096

/* DIR/lock is ours while we live. It holds CLEAN_MARK between a clean stop and the next start. */
static gboolean
lock_take(Db *db, const char *dir, GError **error)
{
        g_autofree char *path = g_build_filename(dir, "lock", NULL);
        char mark[sizeof CLEAN_MARK] = "";

        db->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (db->lock_fd < 0)
                return fault_errno(error, "%s", path);
        if (flock(db->lock_fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? fault(error, FAULT_BUSY, "%s: another process owns this site", path)
                                            : fault_errno(error, "%s", path);
        ssize_t n = pread(db->lock_fd, mark, sizeof mark - 1, 0);
        if (n < 0)
                return fault_errno(error, "%s", path);
        db->was_clean = strcmp(mark, CLEAN_MARK) == 0 || access(db->path, F_OK) != 0;
        if (ftruncate(db->lock_fd, 0) < 0 || fdatasync(db->lock_fd) < 0)
                return fault_errno(error, "%s", path);
        return TRUE;
}

static void
lock_mark_clean(Db *db)
{
        if (pwrite(db->lock_fd, CLEAN_MARK, strlen(CLEAN_MARK), 0) == (ssize_t) strlen(CLEAN_MARK))
                (void) !fdatasync(db->lock_fd);
}

/* Nobody else writes, but a reader that meets a changing WAL header takes the write lock for a moment to read it again;
 * and a checkpoint past the hard bound waits for readers. */
static int
on_busy(void *data, int n)
{
        Db *db = data;
        Usec now = clock_monotonic();

        if (n == 0)
                db->busy_since = now;
        else
                g_usleep(n < 10 ? 50 : 1000);
        return now - db->busy_since < db->busy_max;
}

static int
wal_truncate(Db *db)
{
        return sqlite3_wal_checkpoint_v2(db->writer->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) & 0xff;
}

/* The database file is made by us, so that it and its WAL can be read by nobody else. */
static gboolean
file_open(Db *db, GError **error)
{
        db->file_fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (db->file_fd < 0)
                return fault_errno(error, "%s", db->path);
        (void) posix_fadvise(db->file_fd, 0, 0, POSIX_FADV_RANDOM); /* it is for single pages: ahead.c says which */
        return TRUE;
}

static int
on_wal(void *data, sqlite3 *handle, const char *name, int pages)
{
        Db *db = data;
        guint64 octets = (guint64) pages * (db_page_octets(db) + 24);

        if (octets < db->wal_octets)
                db->wal_next = WAL_SOFT_OCTETS; /* it started again from its head */
        db->wal_octets = octets;
        return SQLITE_OK;
}

static const LogEvent DB_READ_ONLY = {"db.read_only", LOG_ERROR,
                                      "After an unclean stop the database could not be brought to disk without an "
                                      "error, so nothing may be written: mail is "
                                      "refused for now, reading goes on. Look at the disk, then start again."};

/* After an unclean stop the WAL must go into the database and both be synced before mail is accepted again: what could
 * not be written last time may still be lost although the kernel's cache shows it. */
static void
writer_recover(Db *db)
{
        if (db->was_clean)
                return;
        int rc = wal_truncate(db);
        if (rc == SQLITE_FULL && unlink(db->reserve) == 0)
                rc = wal_truncate(db);
        if (rc == SQLITE_OK)
                return;
        conn_fault(db->writer, &db->read_only, "checkpoint after an unclean stop");
        log_event(&DB_READ_ONLY, "error=%s", log_text(span_of(db->read_only->message)));
}

static gboolean
writer_open(Db *db, GError **error)
{
        if (!file_open(db, error))
                return FALSE;
        db->writer = db->index == NULL ? conn_open(db->path, CONN_WRITES, NULL, error)
                                       : conn_open(db->path, CONN_WRITES_INDEX, &db->is_damaged, error);
        if (db->writer == NULL)
                return FALSE;
        sqlite3_wal_hook(db->writer->handle, on_wal, db);
        sqlite3_busy_handler(db->writer->handle, on_busy, db);
        db->busy_max = TURN_WAIT_MAX;
        db->wal_next = WAL_SOFT_OCTETS;
        if (db->index != NULL)
                return schema_make(db->writer, db->index, error);
        writer_recover(db);
        return schema_migrate(db->writer, db->read_only == NULL, error);
}

static Db *
db_new(char *take_path)
{
        Db *db = g_new0(Db, 1);

        engine_init();
        db->path = take_path;
        db->lock_fd = -1;
        db->file_fd = -1;
        db->batch_age_max = BATCH_AGE_MAX;
        mutex_init(&db->turn, "db.turn");
        mutex_init(&db->pool, "db.pool");
        cond_init(&db->pool_wake);
        g_queue_init(&db->idle);
        return db;
}

Db *
db_open(const char *dir, GError **error)
{
        g_autoptr(Db) db = db_new(g_build_filename(dir, SITE_FILE, NULL));

        db->reserve = g_build_filename(dir, "reserve", NULL);
        if (!lock_take(db, dir, error) || !writer_open(db, error))
                return NULL;
        db->is_open = TRUE;
        ahead_roots(db);
        return g_steal_pointer(&db);
}

static char *
index_path(const char *dir, const char *name, const char *suffix)
{
        g_autofree char *file = g_strconcat(name, ".db", suffix, NULL);

        return g_build_filename(dir, file, NULL);
}

void
db_remove_index(const char *dir, const char *name)
{
        static const char *const SUFFIXES[] = {"", "-wal", "-shm"};

        for (gsize i = 0; i < G_N_ELEMENTS(SUFFIXES); i++) {
                g_autofree char *path = index_path(dir, name, SUFFIXES[i]);
                unlink(path);
        }
}

static Db *
index_try(const char *dir, const char *name, const DbMigration *schema, GError **error)
{
        g_autoptr(Db) db = db_new(index_path(dir, name, ""));

        db->index = schema;
        if (!writer_open(db, error))
                return NULL;
        db->is_open = TRUE;
        return g_steal_pointer(&db);
}

static const LogEvent DB_INDEX = {
        "db.index", LOG_WARNING,
        "An index could not be used, or is of another version, and is made anew from the site's "
        "data. Until that is done what it serves is slower."};

Db *
db_open_index(const char *dir, const char *name, const DbMigration *schema, GError **error)
{
        g_autoptr(GError) first = NULL;
        Db *db = index_try(dir, name, schema, &first);

        if (db != NULL)
                return db;
        log_event(&DB_INDEX, "name=%s reason=%s", name, log_text(span_of(first->message)));
        db_remove_index(dir, name);
        return index_try(dir, name, schema, error);
}

gboolean
db_is_damaged(const Db *db)
{
        return g_atomic_int_get(&db->is_damaged);
}

static void
txn_free(DbTxn *txn)
{
        g_free(txn);
}

/* Readers go first, so that the last checkpoint finds nobody. */
static void
connections_close(Db *db)
{
        for (Conn *conn; (conn = g_queue_pop_head(&db->idle)) != NULL;)
                conn_close(conn);
        if (db->writer == NULL)
                return;
        gboolean is_clean = db->is_open && db->read_only == NULL && wal_truncate(db) == SQLITE_OK;
        conn_close(db->writer);
        if (is_clean && db->lock_fd >= 0)
                lock_mark_clean(db);
}

void
db_close(Db *db)
{
        if (db == NULL)
                return;
        g_assert(!db->is_taken && db->idle.length == db->n_readers);
        connections_close(db);
        if (db->file_fd >= 0)
                close(db->file_fd);
        for (DbTxn *txn; (txn = txn_list_pop(&db->spare)) != NULL;)
                txn_free(txn);
        if (db->lock_fd >= 0)
                close(db->lock_fd);
        cond_done(&db->pool_wake);
        mutex_done(&db->pool);
        mutex_done(&db->turn);
        g_clear_error(&db->read_only);
        g_free(db->reserve);
        g_free(db->path);
        g_free(db);
}

gboolean
db_was_clean(const Db *db)
{
        return db->was_clean;
}

/* An idle reader, or room for a new one (NULL in *ret). FALSE: none came free in time. */
static gboolean
reader_wait(Db *db, Conn **ret, GError **error)
{
        Usec deadline = 0;

        MUTEX_SCOPE(&db->pool);
        while (g_queue_is_empty(&db->idle) && db->n_readers == READERS_MAX) {
                if (deadline == 0)
                        deadline = clock_in(TURN_WAIT_MAX);
                if (!cond_wait_until(&db->pool_wake, &db->pool, deadline))
                        return fault(error, FAULT_BUSY, "all %d readers were busy for ten seconds", READERS_MAX);
        }
        *ret = g_queue_pop_head(&db->idle);
        if (*ret == NULL)
                db->n_readers++;
        return TRUE;
}

static Conn *
reader_take(Db *db, GError **error)
{
        Conn *conn = NULL;

        if (!reader_wait(db, &conn, error))
                return NULL;
        if (conn == NULL)
                conn = conn_open(db->path, CONN_READS, db->index != NULL ? &db->is_damaged : NULL, error);
        if (conn != NULL)
                return conn;
        MUTEX_SCOPE(&db->pool);
        db->n_readers--;
        cond_signal(&db->pool_wake);
        return NULL;
}

/* Back to the pool; the one that rested longest is closed when it was not needed for a while. */
static void
reader_give(Db *db, Conn *conn)
{
        g_autoptr(Conn) surplus = NULL;
        Usec now = clock_monotonic();

        conn->idle_since = now;
        MUTEX_SCOPE(&db->pool);
        g_queue_push_head(&db->idle, conn);
        Conn *oldest = g_queue_peek_tail(&db->idle);
        if (now - oldest->idle_since > READER_IDLE_MAX) {
                surplus = g_queue_pop_tail(&db->idle);
                db->n_readers--;
        }
        cond_signal(&db->pool_wake);
}

DB_SQL(BEGIN_READ, "BEGIN");
DB_SQL(END_READ, "COMMIT");

DbTxn *
db_begin_read(Db *db, GError **error)
{
        Conn *conn = reader_take(db, error);

        if (conn == NULL)
                return NULL;
        DbTxn *txn = txn_new(db);
        txn->conn = conn;
        if (db_run(txn, &BEGIN_READ, error, ""))
                return txn;
        db_txn_free(txn);
        return NULL;
}

static void
read_end(DbTxn *txn)
{
        rows_detach_all(txn);
        if (!sqlite3_get_autocommit(txn->conn->handle) && !db_run(txn, &END_READ, NULL, ""))
                sqlite3_exec(txn->conn->handle, "ROLLBACK", NULL, NULL, NULL);
        reader_give(txn->db, txn->conn);
}

static gboolean
may_write(const Db *db, GError **error)
{
        if (db->read_only != NULL && error != NULL)
                *error = g_error_copy(db->read_only);
        return db->read_only == NULL;
}

DbTxn *
db_begin_freeing(Db *db, GError **error)
{
        if (!may_write(db, error))
                return NULL;
        DbTxn *txn = txn_new(db);
        txn->is_write = TRUE;
        if (!turn_take(txn, error)) {
                txn_recycle(txn);
                return NULL;
        }
        txn->conn = db->writer;
        if (!batch_join(txn, error)) {
                turn_done(db);
                txn_recycle(txn);
                return NULL;
        }
        return txn;
}

static gboolean
has_room(const Db *db, GError **error)
{
        return !g_atomic_int_get(&db->is_full) || fault(error, FAULT_FULL, "the disk is nearly full");
}

DbTxn *
db_begin(Db *db, GError **error)
{
        return has_room(db, error) ? db_begin_freeing(db, error) : NULL;
}

DbCommit
db_write(Db *db, DbBlock block, gpointer data, GError **error)
{
        DbCommit answer;

        if (!has_room(db, error) || !may_write(db, error))
                return DB_FAILED;
        do {
                DbTxn *txn = txn_new(db);
                txn->is_write = TRUE;
                txn->block = block;
                txn->block_data = data;
                answer = batch_write_block(txn, error);
                txn_recycle(txn);
        } while (answer == DB_AGAIN);
        return answer;
}

void
db_set_full(Db *db, gboolean is_full)
{
        g_atomic_int_set(&db->is_full, is_full);
}

gboolean
db_is_full(const Db *db)
{
        return g_atomic_int_get(&db->is_full);
}

void
db_txn_free(DbTxn *txn)
{
        if (txn == NULL)
                return;
        if (txn->is_write)
                batch_leave(txn);
        else
                read_end(txn);
        txn_recycle(txn);
}

DbCommit
db_take_commit(DbTxn *txn, GError **error)
{
        g_assert(txn->is_write);

        DbCommit answer = batch_commit(txn, error);
        txn_recycle(txn);
        return answer;
}

static Hook *
hook_add(DbTxn *txn, gpointer data)
{
        Hook *hook = g_new0(Hook, 1);

        hook->data = data;
        *txn->hooks_end = hook;
        txn->hooks_end = &hook->next;
        return hook;
}

void
db_on_commit(DbTxn *txn, void (*fn)(gpointer data), gpointer data, GDestroyNotify release)
{
        db_on_end(txn, fn, NULL, data, release);
}

void
db_on_end(DbTxn *txn, void (*committed)(gpointer data), void (*undone)(gpointer data), gpointer data,
          GDestroyNotify release)
{
        Hook *hook = hook_add(txn, data);

        hook->committed = committed;
        hook->undone = undone;
        hook->release = release;
}

void
db_before_commit(DbTxn *txn, void (*fn)(gpointer data), gpointer data)
{
        hook_add(txn, data)->before = fn;
}

void
db_stats(Db *db, DbStats *ret)
{
        MUTEX_SCOPE(&db->turn);
        *ret = db->stats;
}

DB_SQL(LIST_TABLES, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");

static GPtrArray *
tables_list(Db *db, GError **error)
{
        g_autoptr(GPtrArray) tables = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(DbTxn) txn = db_begin_read(db, error);
        g_autoptr(DbRows) rows = txn == NULL ? NULL : db_query(txn, &LIST_TABLES, error, "");
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW)
                g_ptr_array_add(tables, g_strdup(db_text(rows, 0)));
        return step == DB_ROW_END ? g_steal_pointer(&tables) : NULL;
}

static void
table_check(Db *db, const char *table, GString *complaints)
{
        g_autoptr(GError) fault = NULL;
        g_autofree char *sql = g_strdup_printf("PRAGMA integrity_check('%s')", table);
        g_autoptr(DbTxn) txn = db_begin_read(db, &fault);
        g_autoptr(DbRows) rows = txn == NULL ? NULL : db_query_text(txn, sql, &fault, "");

        while (rows != NULL && db_rows_next(rows, &fault) == DB_ROW)
                if (g_strcmp0(db_text(rows, 0), "ok") != 0 && complaints->len < COMPLAINTS_MAX)
                        g_string_append_printf(complaints, "%s: %s\n", table, db_text(rows, 0));
        if (fault != NULL)
                g_string_append_printf(complaints, "%s: %s\n", table, fault->message);
}

/* One table a time, so that no snapshot holds the WAL for long. */
char *
db_integrity(Db *db, GError **error)
{
        g_autoptr(GPtrArray) tables = tables_list(db, error);
        g_autoptr(GString) complaints = g_string_new(NULL);

        for (guint i = 0; tables != NULL && i < tables->len; i++)
                table_check(db, tables->pdata[i], complaints);
        return complaints->len > 0 ? g_string_free(g_steal_pointer(&complaints), FALSE) : NULL;
}

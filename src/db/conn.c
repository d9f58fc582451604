/* conn.c -- one SQLite connection: opened with our settings, its statements prepared once and kept. */
#include "db/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* What lies beside a page that a reader asked for is somebody else's: the kernel brings no more than the page, and ahead.c
 * asks for what will be needed. An index has large rows, of which more follow. */
static int
file_open_for_engine(const char *path, int flags, int mode)
{
        int fd = open(path, flags, mode);

        if (fd >= 0 && (flags & O_ACCMODE) == O_RDONLY && g_str_has_suffix(path, "/" SITE_FILE))
                (void) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
        return fd;
}

static void
engine_configure(void)
{
        /* One thread at a time uses a connection: its own mutexes would be waste, and so would the memory figures. The
         * journals of savepoints and statements stay in memory, else each rollback point past 64 KiB would be a
         * temporary file. */
        sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
        sqlite3_initialize();
        sqlite3_vfs *files = sqlite3_vfs_find(NULL);
        (void) files->xSetSystemCall(files, "open", (sqlite3_syscall_ptr) (void (*)(void)) file_open_for_engine);
}

void
engine_init(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, engine_configure);
}

static FaultCode
code_of(Conn *conn, int rc)
{
        switch (rc & 0xff) {
        case SQLITE_FULL:
                return FAULT_FULL;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_INTERRUPT:
                return FAULT_BUSY;
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_TOOBIG:
                return FAULT_INPUT;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
                return sqlite3_system_errno(conn->handle) == ENOSPC ? FAULT_FULL : FAULT_IO;
        case SQLITE_READONLY:
        case SQLITE_NOMEM:
                return FAULT_IO;
        default:
                return FAULT_INTERNAL;
        }
}

/* Report what the connection says of its last call; returns FALSE. */
gboolean
conn_fault(Conn *conn, GError **error, const char *what)
{
        int rc = sqlite3_extended_errcode(conn->handle);
        FaultCode code = code_of(conn, rc);

        if (conn->is_damaged != NULL &&
            (code == FAULT_IO || (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB))
                g_atomic_int_set(conn->is_damaged, TRUE);
        return fault(error, code, "%s: %s (%d)", what, sqlite3_errmsg(conn->handle), rc);
}

gboolean
conn_exec(Conn *conn, const char *sql, GError **error)
{
        if (sqlite3_exec(conn->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
                return conn_fault(conn, error, sql);
        return TRUE;
}

gboolean
conn_get_int(Conn *conn, const char *sql, gint64 *ret, GError **error)
{
        sqlite3_stmt *handle = NULL;
        gboolean is_there = sqlite3_prepare_v2(conn->handle, sql, -1, &handle, NULL) == SQLITE_OK &&
                            sqlite3_step(handle) == SQLITE_ROW;

        if (is_there)
                *ret = sqlite3_column_int64(handle, 0);
        else
                conn_fault(conn, error, sql);
        sqlite3_finalize(handle);
        return is_there;
}

static void
stmt_free(gpointer data)
{
        Stmt *stmt = data;

        sqlite3_finalize(stmt->handle);
        g_free(stmt);
}

/* WAL and FULL are what "committed" means here, so both are read back. */
static gboolean
set_up_writer(Conn *conn, GError **error)
{
        static const char SETTINGS[] =
                "PRAGMA page_size=" G_STRINGIFY(DB_PAGE_OCTETS) ";"
                                                                "PRAGMA auto_vacuum=NONE;"
                                                                "PRAGMA journal_mode=WAL;"
                                                                "PRAGMA synchronous=FULL;"
                                                                "PRAGMA wal_autocheckpoint=0;"
                                                                "PRAGMA journal_size_limit=-1;"
                                                                "PRAGMA secure_delete=FAST;"
                                                                "PRAGMA cache_size=-" G_STRINGIFY(WRITE_CACHE_KIB);
        gint64 synchronous = 0, is_wal = 0;

        if (!conn_exec(conn, SETTINGS, error) || !conn_get_int(conn, "PRAGMA synchronous", &synchronous, error) ||
            !conn_get_int(conn, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal, error))
                return FALSE;
        if (synchronous != 2 || !is_wal)
                return fault(error, FAULT_INTERNAL, "the database can't be made durable (synchronous %d, WAL %d)",
                             (int) synchronous, (int) is_wal);
        return TRUE;
}

/* An index can be made anew, so it may lose its last commits: no sync but at checkpoints. */
static gboolean
set_up_index(Conn *conn, GError **error)
{
        return conn_exec(conn,
                         "PRAGMA page_size=" G_STRINGIFY(INDEX_PAGE_OCTETS) ";"
                                                                            "PRAGMA auto_vacuum=NONE;"
                                                                            "PRAGMA journal_mode=WAL;"
                                                                            "PRAGMA synchronous=NORMAL;"
                                                                            "PRAGMA wal_autocheckpoint=0;"
                                                                            "PRAGMA secure_delete=FAST;"
                                                                            "PRAGMA cache_size=-2048",
                         error);
}

static gboolean
set_up(Conn *conn, ConnUse use, GError **error)
{
        sqlite3_db_config(conn->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_db_config(conn->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(conn->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_db_config(conn->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
        sqlite3_extended_result_codes(conn->handle, 1);
        if (!conn_exec(conn, "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0", error))
                return FALSE;
        if (use != CONN_READS)
                return use == CONN_WRITES ? set_up_writer(conn, error) : set_up_index(conn, error);
        sqlite3_busy_timeout(conn->handle, 1000); /* met only while the writer resets the WAL */
        return conn_exec(conn, "PRAGMA query_only=1; PRAGMA cache_size=-" G_STRINGIFY(READ_CACHE_KIB), error);
}

Conn *
conn_open(const char *path, ConnUse use, gboolean *is_damaged, GError **error)
{
        g_autoptr(Conn) conn = g_new0(Conn, 1);
        int flags = (use != CONN_READS ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW;

        conn->is_damaged = is_damaged;
        conn->statements = g_hash_table_new_full(NULL, NULL, NULL, stmt_free);
        if (sqlite3_open_v2(path, &conn->handle, flags, NULL) != SQLITE_OK) {
                conn_fault(conn, error, path);
                return NULL;
        }
        if (!set_up(conn, use, error)) {
                fault_prefix(error, "%s: ", path);
                return NULL;
        }
        return g_steal_pointer(&conn);
}

void
conn_close(Conn *conn)
{
        if (conn == NULL)
                return;
        g_hash_table_unref(conn->statements);
        sqlite3_close(conn->handle);
        g_free(conn);
}

Stmt *
conn_prepare(Conn *conn, const char *sql, gboolean is_cached, GError **error)
{
        sqlite3_stmt *handle = NULL;

        if (sqlite3_prepare_v3(conn->handle, sql, -1, is_cached ? SQLITE_PREPARE_PERSISTENT : 0, &handle, NULL) !=
            SQLITE_OK) {
                conn_fault(conn, error, sql);
                return NULL;
        }
        Stmt *stmt = g_new0(Stmt, 1);
        stmt->handle = handle;
        stmt->is_cached = is_cached;
        stmt->is_readonly = sqlite3_stmt_readonly(handle) != 0;
        return stmt;
}

/* The kept statement; when its rows are open already, one of its own for this use. */
Stmt *
conn_statement(Conn *conn, const DbSql *sql, GError **error)
{
        Stmt *stmt = g_hash_table_lookup(conn->statements, sql);

        if (stmt != NULL && stmt->is_busy)
                return conn_prepare(conn, sql->sql, FALSE, error);
        if (stmt == NULL) {
                stmt = conn_prepare(conn, sql->sql, TRUE, error);
                if (stmt != NULL)
                        g_hash_table_insert(conn->statements, (gpointer) sql, stmt);
        }
        return stmt;
}

/* The end of one use. Bindings stay: every use binds all parameters anew. */
void
stmt_release(Stmt *stmt)
{
        if (!stmt->is_cached) {
                stmt_free(stmt);
                return;
        }
        sqlite3_reset(stmt->handle);
        stmt->is_busy = FALSE;
}

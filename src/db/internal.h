/* internal.h -- the insides of db/: connections, the turnstile, one batch at a time. Private to the room.
 *
 * Who may touch what: the write connection, the open batch and everything marked (turn) belong to the thread that has the
 * turn. Locks: Db.turn and Db.pool, each alone. None is held while SQLite works.
 */
#pragma once

#include "base/thread.h"
#include "db/db.h"
#include "db/schema.h"

#include <sqlite3.h>

#define SITE_FILE          "restante.db"
#define DB_PAGE_OCTETS     4096
#define INDEX_PAGE_OCTETS  16384        /* its rows are large */
#define WRITE_CACHE_KIB    16384
#define READ_CACHE_KIB     512
#define READERS_MAX        32
#define READER_IDLE_MAX    (60 * USEC_PER_SEC)
#define TURN_WAIT_MAX      (10 * USEC_PER_SEC)
#define BATCH_CALLERS_MAX  128
#define BATCH_AGE_MAX      (20 * USEC_PER_MS)
#define GUARD_SPAN         USEC_PER_SEC
#define WAL_SOFT_OCTETS    (16u << 20)  /* checkpoint what readers allow            */
#define WAL_HARD_OCTETS    (64u << 20)  /* wait for readers once, then truncate     */
#define WAL_STEP_OCTETS    (8u << 20)   /* growth before a checkpoint is tried anew */
#define WAL_READERS_MAX    USEC_PER_SEC

/* A prepared statement of one connection. */
typedef struct Stmt {
        sqlite3_stmt *handle;
        gboolean is_cached;     /* kept by the connection, else dropped after use */
        gboolean is_busy;       /* rows of it are open                            */
        gboolean is_readonly;
} Stmt;

typedef struct Conn {
        sqlite3 *handle;
        GHashTable *statements; /* const DbSql * -> Stmt * */
        Usec idle_since;
        gboolean *is_damaged;   /* of an index: to be set when its file can't be used; else NULL */
} Conn;

typedef enum ConnUse {
        CONN_READS = 0,
        CONN_WRITES,
        CONN_WRITES_INDEX,
} ConnUse;

Conn *conn_open(const char *path, ConnUse use, gboolean *is_damaged, GError **error);
void conn_close(Conn *conn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Conn, conn_close)
gboolean conn_exec(Conn *conn, const char *sql, GError **error);
gboolean conn_get_int(Conn *conn, const char *sql, gint64 *ret, GError **error);
Stmt *conn_statement(Conn *conn, const DbSql *sql, GError **error);
Stmt *conn_prepare(Conn *conn, const char *sql, gboolean is_cached, GError **error);
void stmt_release(Stmt *stmt);
gboolean conn_fault(Conn *conn, GError **error, const char *what);

/* Called before any use of SQLite by db_open(); settings of the whole library can't change later. */
void engine_init(void);

typedef struct Hook Hook;
struct Hook {
        Hook *next;
        void (*before)(gpointer data);    /* any may be NULL */
        void (*committed)(gpointer data);
        void (*undone)(gpointer data);
        gpointer data;
        GDestroyNotify release;
};

typedef enum TxnState {
        TXN_OPEN = 0,           /* in line for the turn, at work, or gathered   */
        TXN_COMMITTED,
        TXN_AGAIN,              /* another caller's rollback took it along      */
        TXN_FAILED,             /* `fault` says why                             */
} TxnState;

struct DbTxn {
        Db *db;
        Conn *conn;
        gboolean is_write;
        gboolean has_savepoint; /* else its rollback is that of the whole batch */
        gboolean has_written;   /* a statement that may write was run           */
        gboolean is_dead;       /* the engine rolled the batch back under it    */
        gboolean was_conflict;
        gint64 changes, last_id;
        Hook *hooks, **hooks_end;
        DbRows *rows;           /* open ones                                    */

        DbBlock block;          /* NULL: its own thread does the work with the turn */
        gpointer block_data;

        Wake wake;              /* sent with the turn (state is open), and with what became of the batch */
        TxnState state;
        GError *fault;
        DbTxn *next;            /* in line (Db.turn), in the batch (turn) or in the pool of spare ones (Db.turn) */
};

typedef struct TxnList {
        DbTxn *first, *last;
} TxnList;

static inline void
txn_list_push(TxnList *list, DbTxn *txn)
{
        txn->next = NULL;
        if (list->first == NULL)
                list->first = txn;
        else
                list->last->next = txn;
        list->last = txn;
}

static inline DbTxn *
txn_list_pop(TxnList *list)
{
        DbTxn *txn = list->first;

        if (txn != NULL)
                list->first = txn->next;
        return txn;
}

struct Db {
        char *path;
        char *reserve;          /* path of the reserve file the housekeeping holds, if any */
        int lock_fd;            /* DIR/lock, flocked */
        int file_fd;            /* the database file, past SQLite. Open as long as any connection is: closing it would end their locks */
        gboolean was_clean;
        gboolean is_open;       /* db_open() succeeded */
        const DbMigration *index; /* schema of an index, else NULL */
        gboolean is_damaged;    /* atomic; only an index */
        GError *read_only;      /* why nothing may be written, or NULL */

        Conn *writer;           /* (turn) */
        struct {                /* (turn) callers between BEGIN IMMEDIATE and COMMIT */
                gboolean is_open;
                guint64 number;
                guint n_callers;
                guint n_last;   /* callers of the batch before */
                Usec opened_at;
                TxnList gathered;
        } batch;
        guint64 wal_octets;     /* (turn) set by SQLite's hook */
        guint64 wal_next;       /* (turn) size at which the next checkpoint is due */
        Usec guarded_until;     /* (turn) callers have savepoints until then */
        Usec batch_age_max;     /* BATCH_AGE_MAX; a test that fills a batch gives itself longer */
        Usec busy_since;        /* (turn) */
        Usec busy_max;          /* (turn) how long the write connection waits for locks of readers */

        Mutex turn;
        gboolean is_taken;
        gboolean is_full;
        TxnList line;
        TxnList spare;          /* DbTxns are never freed while open, so a late wake-up finds its lock */
        DbStats stats;

        Mutex pool;
        Cond pool_wake;
        GQueue idle;            /* Conn, most recently used first */
        guint n_readers;
};

static inline guint
db_page_octets(const Db *db)
{
        return db->index == NULL ? DB_PAGE_OCTETS : INDEX_PAGE_OCTETS;
}

/* ahead.c */
#define AHEAD_PAGES_MAX 4096
/* Asks for the roots of all tables and their indices. */
void ahead_roots(Db *db);
/* The leaves of a table's tree that have the keys from..to, at most so many, as the file has them; the kernel has been asked for them. */
GArray *tree_leaves(const Db *db, guint32 root, gint64 from, gint64 to);
/* page: whole, number: its, from 1. Appends the numbers of the children that have keys from..to. FALSE: it has none, or is damaged;
 * what was appended is then not to be used. */
gboolean tree_children(Span page, guint32 number, gint64 from, gint64 to, GArray *ret /* of guint32 */) G_GNUC_WARN_UNUSED_RESULT;

/* batch.c */
DbTxn *txn_new(Db *db);
void txn_recycle(DbTxn *txn);
gboolean turn_take(DbTxn *txn, GError **error);
void turn_done(Db *db);
gboolean batch_join(DbTxn *txn, GError **error);
gboolean batch_run_block(DbTxn *txn);
void batch_leave(DbTxn *txn);
DbCommit batch_commit(DbTxn *txn, GError **error);
DbCommit batch_write_block(DbTxn *txn, GError **error);
void batch_check(DbTxn *txn, const GError *cause);
void wal_checkpoint(Db *db, gboolean wait_for_readers);

/* statement.c */
void rows_detach_all(DbTxn *txn);

/* migrate.c */
gboolean schema_migrate(Conn *writer, gboolean may_write, GError **error);
/* Of an index: the one version there is, or none yet. */
gboolean schema_make(Conn *writer, const DbMigration *schema, GError **error);

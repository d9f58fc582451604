/* db.h -- one transaction type over one database; today SQLite, underneath a group commit with linear callers.
 *
 *      g_autoptr(DbTxn) txn = db_begin(db, &error);                 my turn on the write connection
 *      ... db_run(txn, &INSERT_X, "is", id, name) ...                as if I were alone
 *      switch (db_take_commit(g_steal_pointer(&txn), &error))        returns when my batch is on disk
 *
 * Underneath one batch is BEGIN IMMEDIATE, the callers in turn, COMMIT. While one batch syncs, the next callers gather, so
 * a hundred concurrent deliveries cost one or two syncs. When one of them rolls back what it wrote, the others of its
 * batch may be told to run again (DB_AGAIN); that happens at most once a second. Rules for callers: between begin and
 * commit wait for nothing (socket, body sync, lock, DNS), and do at most 1,000 rows or 20 ms; longer work runs in slices.
 * A write block touches only its transaction, because it may have to run twice (DB_AGAIN).
 *
 * Reads: db_begin_read() gives a snapshot from a pooled read-only connection that never waits for the writer. End it before
 * any park or socket write, within 100 ms.
 *
 * Faults. After every failed statement the autocommit state is read: when the engine has rolled the batch back (FULL, IOERR,
 * NOMEM, INTERRUPT can), every caller of that batch gets the error and nothing more is issued in it. An I/O error in
 * COMMIT or its sync is no answer at all: the process exits at once without replying (exit status 3, one log line db.fatal).
 *
 * Disk     DIR/restante.db with its WAL. WAL mode, synchronous=FULL (read back at open), only the one write connection writes and
 *          checkpoints; trusted_schema=OFF, DEFENSIVE, NO_CKPT_ON_CLOSE. WAL over 64 MiB: writers wait for readers once, then it is
 *          truncated. One process owns the database.
 * Threads  Db: any. A DbTxn: the thread that began it; a thread holds at most one write transaction and reads inside it
 *          through the same DbTxn.
 * Values   bound parameters only; formats below.
 */
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/span.h"

typedef struct Db Db;
typedef struct DbTxn DbTxn;
typedef struct DbRows DbRows;

/* A statement: static data, named in traces of slow statements. Its address is its identity: every connection prepares it
 * once and keeps it. The SQL must be portable (no engine's own functions): RETURNING and ON CONFLICT are allowed. */
typedef struct DbSql {
        const char *sql;
} DbSql;
#define DB_SQL(name, text) static const DbSql name = {text}

/* Open (and make, when missing) the database of a site and bring its schema up to date.
 * dir          existing directory, writable
 * busy         another process owns it: FAULT_BUSY. A newer schema than ours: FAULT_INPUT. Damaged: FAULT_INTERNAL. */
Db *db_open(const char *dir, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void db_close(Db *db);          /* no transaction may be open; checkpoints; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Db, db_close)

/* Open (and make, when missing) DIR/NAME.db beside it: an index, whose content can be made anew from the site's at any time. Called by
 * the process that owns the site. Everything here works on it in the same way, with a writer of its own that never holds the
 * site's up. What differs:
 *   - synchronous=NORMAL. A power loss may take its last commits, never its order; whoever fills it sees what is missing.
 *   - A fault of its file never ends the process: the transaction fails, and db_is_damaged() says so from then on.
 *   - One that is damaged or has another version than `schema` is removed and made empty.
 * schema: the statements that make it; static. */
typedef struct DbMigration DbMigration;
Db *db_open_index(const char *dir, const char *name, const DbMigration *schema, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* An index could not be read or written: its owner closes it and removes it, and opens another. */
gboolean db_is_damaged(const Db *db);
/* Its files; it must be closed. */
void db_remove_index(const char *dir, const char *name);

/* Was the site stopped cleanly last time? Known from db_open on. After an unclean stop db_open has brought the WAL into the
 * database and synced both (a file DIR/reserve is given up for that on a full disk); when that failed, the log has db.read_only,
 * reading works, and every db_begin answers the fault. */
gboolean db_was_clean(const Db *db);

/* The engine's own consistency check, page by page in a read connection: NULL when all is well, else the first complaints
 * (g_free); a table that can't be read is one. NULL with the error set: not even the list of tables could be read. Slow; for verify. */
char *db_integrity(Db *db, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writing. NULL: could not begin (FULL: the disk watermark is passed, see db_set_full; BUSY: 10 s in line were not enough). */
DbTxn *db_begin(Db *db, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reading. */
DbTxn *db_begin_read(Db *db, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum DbCommit {
        DB_FAILED = 0,          /* nothing of it is kept; the error says why                      */
        DB_AGAIN,               /* nothing is kept, another writer was in the way: run the block again */
        DB_COMMITTED,           /* on disk                                                        */
} DbCommit;

/* The same for work that many do at once: one function instead of begin, statements, commit. It is run in the caller's place in a batch by whichever
 * thread has the turn, so that a batch of a hundred costs each of them one wake-up. It keeps the rules above, runs again when it must (DB_AGAIN is
 * never answered), and its FALSE rolls back: DB_FAILED with its error, or none when it gave none. */
typedef gboolean (*DbBlock)(DbTxn *txn, gpointer data, GError **error);
DbCommit db_write(Db *db, DbBlock block, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Leaving the scope without commit rolls back what this caller did; others may have to run again. NULL is fine. */
void db_txn_free(DbTxn *txn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DbTxn, db_txn_free)


/* Takes the transaction in any case. On DB_COMMITTED the on-commit hooks have run. For read transactions use db_txn_free. */
DbCommit db_take_commit(DbTxn *txn, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Run fn(data) before the COMMIT of the batch is written, on whichever thread writes it: what this transaction names outside the database
 * must be on disk by then. It returns when that is so and has no other answer (a failed sync ends the process). This is the one thing
 * that a batch waits for; it is done once for all of its callers. */
void db_before_commit(DbTxn *txn, void (*fn)(gpointer data), gpointer data);

/* In what company will a transaction be committed? The callers of its batch so far, itself included, and those who stand in line for it, or as
 * many as the batch before had when those are more: a guess, for who can choose between one sync more and some octets more.
 * ret_batch: a number that the batch shares with no other. */
guint db_company(const DbTxn *txn, guint64 *ret_batch);

/* Run fn(data) once the transaction is on disk, before db_take_commit() returns: views, UIDs and wake-ups are published only
 * here. Hooks run in the order in which transactions had their turn, within a batch and across batches; so they run on whichever
 * thread commits the batch, may take leaf locks, do nothing slow and use no transaction. release(data) runs in every case, also
 * after rollback, on the thread of the transaction. */
void db_on_commit(DbTxn *txn, void (*fn)(gpointer data), gpointer data, GDestroyNotify release);

/* The same, and undone(data) in its place when nothing of the transaction is kept, whatever the reason: before anybody else gets the
 * write connection. For who remembers in memory what the write connection sees. */
void db_on_end(DbTxn *txn, void (*committed)(gpointer data), void (*undone)(gpointer data), gpointer data,
               GDestroyNotify release);

/* Statements. format has one letter a parameter: i gint64 (pass (gint64)), s const char * (NULL is NULL), b Span as a blob,
 * t Span as text, n NULL (no argument). Bound memory must live until the call (db_run) or the rows (db_query) end.
 *
 * db_run: FALSE on a fault. Rows it may return are dropped. db_changes(): rows changed by the last db_run of this txn. */
gboolean db_run(DbTxn *txn, const DbSql *sql, GError **error, const char *format, ...) G_GNUC_WARN_UNUSED_RESULT;
gint64 db_changes(const DbTxn *txn);
gint64 db_last_id(const DbTxn *txn);    /* rowid of the last INSERT of this txn */

/* A unique or other constraint refused the last db_run (the error is FAULT_INPUT then): the caller may go on in the txn. */
gboolean db_was_conflict(const DbTxn *txn);

/* Rows one by one. At most one DbRows per statement is open at a time in a transaction; they end with their scope.
 *      while ((r = db_rows_next(rows, &error)) == DB_ROW) ...        */
DbRows *db_query(DbTxn *txn, const DbSql *sql, GError **error, const char *format, ...) G_GNUC_WARN_UNUSED_RESULT;
void db_rows_free(DbRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DbRows, db_rows_free)

typedef enum DbStep {
        DB_ROW_FAILED = 0,
        DB_ROW_END,
        DB_ROW,
} DbStep;
DbStep db_rows_next(DbRows *rows, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gint64 db_int(const DbRows *rows, int column);          /* 0 for NULL */
Span db_bytes(const DbRows *rows, int column);          /* text or blob; lives until the next step */
const char *db_text(const DbRows *rows, int column);    /* NUL-terminated, NULL for NULL; lives until the next step */
gboolean db_is_null(const DbRows *rows, int column);

/* One value of one row: DB_ROW with *ret set, DB_ROW_END when there is no row. */
DbStep db_get_int(DbTxn *txn, const DbSql *sql, gint64 *ret, GError **error, const char *format, ...) G_GNUC_WARN_UNUSED_RESULT;

/* SQL made at run time, for administrators' filters: the text is ours, values are still bound. Prepared and dropped. */
DbRows *db_query_text(DbTxn *txn, const char *sql, GError **error, const char *format, ...) G_GNUC_WARN_UNUSED_RESULT;

/* Rows with the keys from..to of this table are about to be read, all of them: where the disk must be asked it is asked for their pages at
 * once. A hint: it changes nothing but the time, and what it can't do it leaves. table: one with an INTEGER PRIMARY KEY. */
void db_read_ahead(DbTxn *txn, const char *table, gint64 from, gint64 to);

/* Disk watermark: while on, db_begin() answers FAULT_FULL except for txns begun by db_begin_freeing(), which delete. */
void db_set_full(Db *db, gboolean is_full);
gboolean db_is_full(const Db *db);
DbTxn *db_begin_freeing(Db *db, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For figures and tests. */
typedef struct DbStats {
        guint64 commits;        /* batches */
        guint64 begun, ended;   /* of batches, commits that began and that are over, for better or worse. Nothing has become visible between two moments when
                                 * `begun` of the second is `ended` of the first: what is committed can be read before it is counted */
        guint64 transactions;   /* callers in them */
        guint64 wal_octets;
        guint64 checkpoints;
} DbStats;
void db_stats(Db *db, DbStats *ret);

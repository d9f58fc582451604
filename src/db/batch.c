/* batch.c -- the group commit: one turn at the write connection, one batch of callers, one COMMIT for all of them.
 *
 *      caller A  turn | BEGIN IMMEDIATE .. its statements | hands the turn on, waits for the disk
 *      caller B       |                                   | its statements | the same
 *      caller C       |                                                    | its statements | nobody in line: COMMIT,
 *                                                                                             wakes A, B
 *
 * 1. Only the thread that has the turn touches the write connection and the batch.
 * 2. A caller that leaves without having written leaves the batch as it is. Another one's rollback is that of the whole
 *    batch, and those who were gathered run again (DB_AGAIN): a savepoint each would cost them more than their
 *    statements. So that nobody can make others run again and again, callers have savepoints for GUARD_SPAN after such
 *    a rollback, and then it is theirs alone. The first caller of a batch never needs one.
 * 3. A batch ends by COMMIT when nobody is in line, when it has BATCH_CALLERS_MAX callers or is BATCH_AGE_MAX old; the
 *    caller whose turn ends then does it. Those who come meanwhile stand in line and make the next batch.
 * 4. Hooks run inside 3 in the order of the callers, before the turn goes on: so also in the order of batches. Those of
 *    callers of whom nothing is kept run once the engine has undone it, and before the turn goes on too.
 * 5. The turn goes straight to the head of the line, whose thread is the only one woken; a caller that stands there
 * with a block is not woken for it: whoever has the turn does its work in the open batch.
 * 6. A batch the engine rolled back is over: its callers are told so, and the next caller begins another.
 * 7. COMMIT says done, or "no room" with everything undone, or the process ends: whether the batch is on disk is
 *    unknown then, and asking again would be answered from the kernel's cache. (An index is given up instead.)
 */
#include "db/internal.h"

#include "base/log.h"

#include <unistd.h>

DB_SQL(BEGIN_BATCH, "BEGIN IMMEDIATE");
DB_SQL(COMMIT_BATCH, "COMMIT");
DB_SQL(ROLLBACK_BATCH, "ROLLBACK");
DB_SQL(OPEN_SAVEPOINT, "SAVEPOINT caller");
DB_SQL(RELEASE_SAVEPOINT, "RELEASE caller");
DB_SQL(ROLLBACK_SAVEPOINT, "ROLLBACK TO caller");

static const LogEvent DB_FATAL = {
        "db.fatal", LOG_ERROR,
        "The disk refused to write or sync the database. Nothing that was not on disk has been acknowledged; the "
        "server ends and the "
        "keeper starts it again. Look at the kernel's log and at the disk before anything else."};

static void
fatal(Conn *conn, const char *what)
{
        log_event(&DB_FATAL, "what=%s error=%s code=%d errno=%d", what, log_text(span_of(sqlite3_errmsg(conn->handle))),
                  sqlite3_extended_errcode(conn->handle), sqlite3_system_errno(conn->handle));
        _exit(3);
}

static int
run(Conn *conn, const DbSql *sql)
{
        Stmt *stmt = conn_statement(conn, sql, NULL);

        if (stmt == NULL)
                return sqlite3_extended_errcode(conn->handle);
        int rc = sqlite3_step(stmt->handle);
        if (rc != SQLITE_DONE)
                rc = sqlite3_extended_errcode(conn->handle);
        stmt_release(stmt);
        return rc;
}

DbTxn *
txn_new(Db *db)
{
        DbTxn *txn;

        mutex_lock(&db->turn);
        txn = txn_list_pop(&db->spare);
        mutex_unlock(&db->turn);
        if (txn == NULL) {
                txn = g_new0(DbTxn, 1);
                txn->db = db;
        }
        txn->hooks_end = &txn->hooks;
        return txn;
}

/* Hooks' data are released by the thread the transaction belonged to, whatever became of it. */
void
txn_recycle(DbTxn *txn)
{
        Db *db = txn->db;

        for (Hook *hook = txn->hooks, *next; hook != NULL; hook = next) {
                next = hook->next;
                if (hook->release != NULL)
                        hook->release(hook->data);
                g_free(hook);
        }
        g_clear_error(&txn->fault);
        txn->hooks = NULL;
        txn->conn = NULL;
        txn->is_write = txn->has_savepoint = txn->has_written = txn->is_dead = txn->was_conflict = FALSE;
        txn->changes = txn->last_id = 0;
        txn->block = NULL;
        txn->state = TXN_OPEN;
        mutex_lock(&db->turn);
        txn_list_push(&db->spare, txn);
        mutex_unlock(&db->turn);
}

static gboolean
line_leave(DbTxn *txn)
{
        Db *db = txn->db;
        DbTxn *before = NULL;

        MUTEX_SCOPE(&db->turn);
        for (DbTxn *t = db->line.first; t != NULL; before = t, t = t->next) {
                if (t != txn)
                        continue;
                if (before == NULL)
                        db->line.first = t->next;
                else
                        before->next = t->next;
                if (db->line.last == t)
                        db->line.last = before;
                return TRUE;
        }
        return FALSE;
}

/* Wait for the write connection. FALSE: the line did not move for ten seconds. */
gboolean
turn_take(DbTxn *txn, GError **error)
{
        Db *db = txn->db;

        mutex_lock(&db->turn);
        gboolean is_mine = !db->is_taken;
        if (is_mine)
                db->is_taken = TRUE;
        else
                txn_list_push(&db->line, txn);
        mutex_unlock(&db->turn);
        if (is_mine || wake_wait_until(&txn->wake, clock_in(TURN_WAIT_MAX)))
                return TRUE;
        if (line_leave(txn))
                return fault(error, FAULT_BUSY, "the database was busy for ten seconds");
        wake_wait(&txn->wake); /* just given to us */
        return TRUE;
}

/* The head of the line, if the batch has room for it. *ret_free: nobody is there and nothing is left to do, the turn is
 * put down. */
static DbTxn *
line_pop(Db *db, gboolean *ret_free)
{
        gboolean has_room = !db->batch.is_open || (db->batch.n_callers < BATCH_CALLERS_MAX &&
                                                   clock_monotonic() - db->batch.opened_at < db->batch_age_max);

        MUTEX_SCOPE(&db->turn);
        DbTxn *next = has_room ? txn_list_pop(&db->line) : NULL;
        *ret_free = next == NULL && !db->batch.is_open;
        if (*ret_free)
                db->is_taken = FALSE; /* from here on the batch is somebody else's */
        return next;
}

/* Do the blocks at the head of the line, then hand the turn to who comes next, or put it down. FALSE: the batch must be
 * closed first. The head of a new batch gets the turn even with a block, so that nobody works for others for ever. */
static gboolean
turn_pass(Db *db)
{
        gboolean is_free;
        DbTxn *next;

        while ((next = line_pop(db, &is_free)) != NULL && next->block != NULL && db->batch.is_open)
                if (!batch_run_block(next))
                        wake_send(&next->wake);
        if (next != NULL)
                wake_send(&next->wake);
        return next != NULL || is_free;
}

static void
hooks_run(DbTxn *txn, gboolean is_committed)
{
        for (Hook *hook = txn->hooks; hook != NULL; hook = hook->next) {
                void (*fn)(gpointer data) = is_committed ? hook->committed : hook->undone;
                if (fn != NULL)
                        fn(hook->data);
        }
}

/* The batch is over, committed or undone: its callers are the result, their hooks have run. */
static TxnList
batch_end(Db *db, gboolean is_committed)
{
        TxnList gathered = db->batch.gathered;

        db->batch.is_open = FALSE;
        db->batch.n_last = db->batch.n_callers;
        db->batch.n_callers = 0;
        db->batch.gathered = (TxnList){NULL, NULL};
        for (DbTxn *txn = gathered.first; txn != NULL; txn = txn->next)
                hooks_run(txn, is_committed);
        return gathered;
}

static void
callers_tell(TxnList callers, TxnState state, const GError *fault)
{
        for (DbTxn *txn; (txn = txn_list_pop(&callers)) != NULL;) {
                txn->state = state;
                if (fault != NULL)
                        txn->fault = g_error_copy(fault);
                wake_send(&txn->wake); /* it may be gone now */
        }
}

/* COMMIT, and what invariant 7 says about its answer. */
static gboolean
batch_write(Db *db, GError **error)
{
        int rc = run(db->writer, &COMMIT_BATCH);

        if (rc == SQLITE_DONE)
                return TRUE;
        if (rc != SQLITE_FULL && (rc & 0xff) != SQLITE_BUSY && db->index == NULL)
                fatal(db->writer, "commit");
        conn_fault(db->writer, error, "commit");
        if (!sqlite3_get_autocommit(db->writer->handle))
                run(db->writer, &ROLLBACK_BATCH);
        return FALSE;
}

/* What must be on disk before COMMIT is. */
static void
hooks_prepare(const TxnList *callers)
{
        for (const DbTxn *txn = callers->first; txn != NULL; txn = txn->next)
                for (const Hook *hook = txn->hooks; hook != NULL; hook = hook->next)
                        if (hook->before != NULL)
                                hook->before(hook->data);
}

static TxnList
batch_close(Db *db, GError **error)
{
        hooks_prepare(&db->batch.gathered);
        mutex_lock(&db->turn);
        db->stats.begun++;
        mutex_unlock(&db->turn);
        gboolean is_written = batch_write(db, error);
        guint n_callers = db->batch.n_callers;
        TxnList callers = batch_end(db, is_written);

        MUTEX_SCOPE(&db->turn);
        db->stats.ended++;
        if (is_written) {
                db->stats.commits++;
                db->stats.transactions += n_callers;
                db->stats.wal_octets = db->wal_octets;
        }
        return callers;
}

/* Put the WAL's pages into the database. Done with the turn, since only this connection may; callers of the batch
 * before have been woken. PASSIVE takes what readers allow; past the hard bound we wait for them once. */
void
wal_checkpoint(Db *db, gboolean wait_for_readers)
{
        int mode = wait_for_readers ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;

        db->busy_max = WAL_READERS_MAX;
        int rc = sqlite3_wal_checkpoint_v2(db->writer->handle, NULL, mode, NULL, NULL) & 0xff;
        db->busy_max = TURN_WAIT_MAX;
        if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED && rc != SQLITE_FULL) {
                if (db->index == NULL)
                        fatal(db->writer, "checkpoint");
                g_atomic_int_set(&db->is_damaged, TRUE);
        }
        if (rc == SQLITE_OK && wait_for_readers)
                db->wal_octets = 0;
        db->wal_next = db->wal_octets < WAL_SOFT_OCTETS ? WAL_SOFT_OCTETS : db->wal_octets + WAL_STEP_OCTETS;

        MUTEX_SCOPE(&db->turn);
        db->stats.checkpoints++;
        db->stats.wal_octets = db->wal_octets;
}

/* The holder has finished, one way or the other. */
void
turn_done(Db *db)
{
        while (!turn_pass(db)) {
                g_autoptr(GError) fault = NULL;
                TxnList callers = batch_close(db, &fault);
                gboolean is_due = fault == NULL && db->wal_octets >= db->wal_next;
                gboolean is_passed = !is_due && turn_pass(db);

                callers_tell(callers, fault == NULL ? TXN_COMMITTED : TXN_FAILED, fault);
                if (is_passed)
                        return;
                if (is_due)
                        wal_checkpoint(db, db->wal_octets >= WAL_HARD_OCTETS);
        }
}

/* With the turn: open a batch, or join the open one. */
gboolean
batch_join(DbTxn *txn, GError **error)
{
        Db *db = txn->db;

        txn->has_savepoint = db->batch.is_open && clock_monotonic() < db->guarded_until;
        if (db->batch.is_open && !txn->has_savepoint) {
                db->batch.n_callers++;
                return TRUE;
        }
        if (run(db->writer, txn->has_savepoint ? &OPEN_SAVEPOINT : &BEGIN_BATCH) != SQLITE_DONE) {
                g_autoptr(GError) cause = NULL;
                conn_fault(db->writer, &cause, "begin");
                batch_check(txn, cause);
                g_propagate_error(error, g_steal_pointer(&cause));
                return FALSE;
        }
        if (!db->batch.is_open) {
                db->batch.is_open = TRUE;
                db->batch.number++;
                db->batch.opened_at = clock_monotonic();
        }
        db->batch.n_callers++;
        return TRUE;
}

#define COMPANY_MAX 16 /* more need not be counted */

guint
db_company(const DbTxn *txn, guint64 *ret_batch)
{
        Db *db = txn->db;
        guint n = db->batch.n_callers;

        *ret_batch = db->batch.number;
        MUTEX_SCOPE(&db->turn);
        for (const DbTxn *waiting = db->line.first; waiting != NULL && n < COMPANY_MAX; waiting = waiting->next)
                n++;
        return MAX(n, db->batch.n_last);
}

/* After a failed statement: FULL, IOERR, NOMEM and INTERRUPT may have rolled back the whole batch. */
void
batch_check(DbTxn *txn, const GError *cause)
{
        Db *db = txn->db;

        if (!txn->is_write || !db->batch.is_open || !sqlite3_get_autocommit(db->writer->handle))
                return;
        txn->is_dead = TRUE;
        txn->fault = g_error_copy(cause);
        callers_tell(batch_end(db, FALSE), TXN_FAILED, cause);
}

/* A savepoint that can't be rolled back or released leaves no way to save the others. */
static void
batch_abandon(DbTxn *txn)
{
        g_autoptr(GError) cause = NULL;

        conn_fault(txn->conn, &cause, "savepoint");
        if (!sqlite3_get_autocommit(txn->conn->handle))
                run(txn->conn, &ROLLBACK_BATCH);
        batch_check(txn, cause);
}

/* The batch is undone; those gathered in it run again. */
static void
batch_undo(Db *db)
{
        run(db->writer, &ROLLBACK_BATCH);
        TxnList callers = batch_end(db, FALSE);
        if (callers.first != NULL)
                db->guarded_until = clock_in(GUARD_SPAN);
        callers_tell(callers, TXN_AGAIN, NULL);
}

/* Roll back what this caller did, and keep nothing of it. */
static void
caller_undo(DbTxn *txn)
{
        rows_detach_all(txn);
        if (!txn->is_dead && txn->has_savepoint) {
                if (run(txn->conn, &ROLLBACK_SAVEPOINT) != SQLITE_DONE ||
                    run(txn->conn, &RELEASE_SAVEPOINT) != SQLITE_DONE)
                        batch_abandon(txn);
        } else if (!txn->is_dead && (txn->has_written || txn->db->batch.gathered.first == NULL)) {
                batch_undo(txn->db);
        }
        hooks_run(txn, FALSE);
}

/* This caller is ready for COMMIT. FALSE: the batch died under it, and its hooks have heard so. */
static gboolean
caller_gather(DbTxn *txn)
{
        rows_detach_all(txn);
        if (!txn->is_dead && txn->has_savepoint && run(txn->conn, &RELEASE_SAVEPOINT) != SQLITE_DONE)
                batch_abandon(txn);
        if (txn->is_dead)
                hooks_run(txn, FALSE);
        else
                txn_list_push(&txn->db->batch.gathered, txn);
        return !txn->is_dead;
}

/* With the turn, on whichever thread: the block of a transaction that is in no batch yet. FALSE: it is over, its state
 * and fault say how. */
gboolean
batch_run_block(DbTxn *txn)
{
        g_autoptr(GError) cause = NULL;

        txn->conn = txn->db->writer;
        if (batch_join(txn, &cause)) {
                if (txn->block(txn, txn->block_data, &cause) ? caller_gather(txn) : (caller_undo(txn), FALSE))
                        return TRUE;
        }
        if (txn->fault == NULL)
                txn->fault = g_steal_pointer(&cause);
        txn->state = TXN_FAILED;
        return FALSE;
}

void
batch_leave(DbTxn *txn)
{
        caller_undo(txn);
        turn_done(txn->db);
}

/* What became of a transaction that nobody works on any more. */
static DbCommit
txn_answer(DbTxn *txn, GError **error)
{
        if (txn->state == TXN_COMMITTED || txn->state == TXN_AGAIN)
                return txn->state == TXN_COMMITTED ? DB_COMMITTED : DB_AGAIN;
        if (txn->fault != NULL)
                g_propagate_error(error, g_steal_pointer(&txn->fault));
        return DB_FAILED;
}

DbCommit
batch_commit(DbTxn *txn, GError **error)
{
        gboolean is_gathered = caller_gather(txn);

        turn_done(txn->db);
        if (is_gathered)
                wake_wait(&txn->wake);
        return txn_answer(txn, error);
}

/* In line with a block: it is done by whoever has the turn, and one wake-up tells of the end of it. */
DbCommit
batch_write_block(DbTxn *txn, GError **error)
{
        if (!turn_take(txn, error))
                return DB_FAILED;
        if (txn->state == TXN_OPEN) { /* the turn is ours */
                gboolean is_gathered = batch_run_block(txn);
                turn_done(txn->db);
                if (is_gathered)
                        wake_wait(&txn->wake);
        }
        return txn_answer(txn, error);
}

/* fault_test.c -- a disk that is full or broken: what was answered as committed is there, what was not is not, and
 * nobody is told a lie.
 *
 * A VFS between SQLite and the system fails the Nth write or sync of one kind of file. */
#include "base/testing.h"
#include "db/internal.h"

#include <sys/wait.h>
#include <unistd.h>

/* ---- the VFS ---- */

typedef struct Fault {
        int file;              /* SQLITE_OPEN_WAL or SQLITE_OPEN_MAIN_DB */
        int write_rc, sync_rc; /* 0: that kind never fails              */
        gint after;            /* operations of that kind that still work */
} Fault;

static Fault fault_now;

typedef struct ShimFile {
        sqlite3_file base;
        int kind;
        sqlite3_file *real; /* behind this struct */
} ShimFile;

static sqlite3_vfs *system_vfs;
static sqlite3_vfs shim_vfs;
static sqlite3_io_methods shim_methods;

static sqlite3_file *
real_of(sqlite3_file *file)
{
        return ((ShimFile *) (void *) file)->real;
}

static gboolean
is_due(sqlite3_file *file, int rc)
{
        return rc != 0 && ((ShimFile *) (void *) file)->kind == fault_now.file &&
               g_atomic_int_add(&fault_now.after, -1) <= 0;
}

static int
shim_close(sqlite3_file *file)
{
        return real_of(file)->pMethods->xClose(real_of(file));
}
static int
shim_read(sqlite3_file *file, void *buffer, int n, sqlite3_int64 at)
{
        return real_of(file)->pMethods->xRead(real_of(file), buffer, n, at);
}
static int
shim_write(sqlite3_file *file, const void *buffer, int n, sqlite3_int64 at)
{
        if (is_due(file, fault_now.write_rc))
                return fault_now.write_rc;
        return real_of(file)->pMethods->xWrite(real_of(file), buffer, n, at);
}
static int
shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
        return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
static int
shim_sync(sqlite3_file *file, int flags)
{
        if (is_due(file, fault_now.sync_rc))
                return fault_now.sync_rc;
        return real_of(file)->pMethods->xSync(real_of(file), flags);
}
static int
shim_size(sqlite3_file *file, sqlite3_int64 *ret)
{
        return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}
static int
shim_lock(sqlite3_file *file, int level)
{
        return real_of(file)->pMethods->xLock(real_of(file), level);
}
static int
shim_unlock(sqlite3_file *file, int level)
{
        return real_of(file)->pMethods->xUnlock(real_of(file), level);
}
static int
shim_reserved(sqlite3_file *file, int *ret)
{
        return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}
static int
shim_control(sqlite3_file *file, int op, void *arg)
{
        return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}
static int
shim_sector(sqlite3_file *file)
{
        return real_of(file)->pMethods->xSectorSize(real_of(file));
}
static int
shim_traits(sqlite3_file *file)
{
        return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
static int
shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
        return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}
static int
shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
        return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}
static void
shim_shm_barrier(sqlite3_file *file)
{
        real_of(file)->pMethods->xShmBarrier(real_of(file));
}
static int
shim_shm_unmap(sqlite3_file *file, int remove)
{
        return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static int
shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
        ShimFile *shim = (ShimFile *) (void *) file;

        shim->real = (sqlite3_file *) (void *) (shim + 1);
        shim->kind = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB);
        int rc = system_vfs->xOpen(system_vfs, name, shim->real, flags, ret_flags);
        shim->base.pMethods = rc == SQLITE_OK ? &shim_methods : NULL;
        return rc;
}

static void
shim_register(void)
{
        engine_init();
        system_vfs = sqlite3_vfs_find(NULL);
        shim_vfs = *system_vfs;
        shim_vfs.zName = "shim";
        shim_vfs.szOsFile = (int) sizeof(ShimFile) + system_vfs->szOsFile;
        shim_vfs.xOpen = shim_open;
        shim_methods = (sqlite3_io_methods){
                3,           shim_close,   shim_read,     shim_write,       shim_truncate,  shim_sync,
                shim_size,   shim_lock,    shim_unlock,   shim_reserved,    shim_control,   shim_sector,
                shim_traits, shim_shm_map, shim_shm_lock, shim_shm_barrier, shim_shm_unmap, NULL,
                NULL};
        sqlite3_vfs_register(&shim_vfs, 1);
}

/* ---- a site ---- */

typedef struct Site {
        char *dir;
        Db *db;
} Site;

DB_SQL(PUT, "INSERT INTO setting (name, value) VALUES (?, ?)");
DB_SQL(PUT_OBJECT, "INSERT INTO history (at, who, operation, object) VALUES (?, 'somebody', 'test', ?)");
DB_SQL(COUNT, "SELECT count(*) FROM setting");
DB_SQL(COUNT_HISTORY, "SELECT count(*) FROM history");

static void
site_open(Site *site)
{
        g_autoptr(GError) error = NULL;

        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        site->db->batch_age_max = USEC_PER_MINUTE; /* who is to be in one batch is, on a slow machine too */
}

static void
site_init(Site *site, gconstpointer data)
{
        fault_now = (Fault){0};
        site->dir = test_dir_make();
        site_open(site);
}

static void
site_reopen(Site *site)
{
        db_close(site->db);
        site_open(site);
}

static void
site_done(Site *site, gconstpointer data)
{
        db_close(site->db);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

static gint64
count(Db *db, const DbSql *sql)
{
        g_autoptr(DbTxn) txn = db_begin_read(db, NULL);
        gint64 n = -1;

        g_assert_cmpint(db_get_int(txn, sql, &n, NULL, ""), ==, DB_ROW);
        return n;
}

static DbCommit
put(Db *db, const char *name, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin(db, NULL);

        g_assert_nonnull(txn);
        g_assert_true(db_run(txn, &PUT, NULL, "ss", name, "1"));
        return db_take_commit(g_steal_pointer(&txn), error);
}

static gboolean
put_block(DbTxn *txn, gpointer data, GError **error)
{
        return db_run(txn, &PUT, error, "ss", (const char *) data, "1");
}

typedef struct Caller {
        Db *db;
        const char *name;
        gboolean is_block; /* of db_write() */
        DbCommit answer;
        GError *error;
        Thread *thread;
} Caller;

static void
call(gpointer data)
{
        Caller *me = data;

        me->answer = me->is_block ? db_write(me->db, put_block, (gpointer) me->name, &me->error)
                                  : put(me->db, me->name, &me->error);
}

/* Start a caller, and return when it stands in line behind us. */
static void
caller_start(Caller *caller, Db *db, const char *name, gboolean is_block)
{
        *caller = (Caller){.db = db, .name = name, .is_block = is_block, .answer = DB_AGAIN};
        caller->thread = thread_new("call", call, caller, NULL);
        for (gboolean is_there = FALSE; !is_there; g_usleep(100)) {
                MUTEX_SCOPE(&db->turn);
                is_there = db->line.first != NULL;
        }
}

static void
count_up(gpointer data)
{
        ++*(guint *) data;
}

/* No room while the batch is written: all of its callers are told, nothing of it is kept, and with room it goes on. */
static void
test_full_commit(Site *site, gconstpointer data)
{
        gint failed = 0;

        for (gint after = 0; after < 6; after++) {
                g_autoptr(GError) error = NULL;
                Caller caller;
                gint64 before = count(site->db, &COUNT);
                DbTxn *txn = db_begin(site->db, NULL);
                guint committed = 0, undone = 0;
                g_autofree char *a = g_strdup_printf("a%d", after), *b = g_strdup_printf("b%d", after);

                g_assert_true(db_run(txn, &PUT, NULL, "ss", a, "1"));
                db_on_end(txn, count_up, NULL, &committed, NULL);
                db_on_end(txn, NULL, count_up, &undone, NULL);
                caller_start(&caller, site->db, b, data != NULL);
                fault_now = (Fault){.file = SQLITE_OPEN_WAL, .write_rc = SQLITE_FULL, .after = after};
                DbCommit answer = db_take_commit(txn, &error);
                thread_take_join(caller.thread);
                fault_now = (Fault){0};
                g_assert_cmpint(answer, ==, caller.answer);
                failed += answer == DB_FAILED;
                g_assert_cmpuint(committed, ==, answer == DB_COMMITTED);
                g_assert_cmpuint(undone, ==, answer == DB_FAILED);
                if (answer == DB_FAILED) {
                        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
                        g_assert_error(caller.error, RESTANTE_ERROR, FAULT_FULL);
                }
                g_assert_cmpint(count(site->db, &COUNT), ==, before + (answer == DB_COMMITTED ? 2 : 0));
                g_assert_cmpint(put(site->db, g_intern_string(b + 1), NULL), ==, DB_COMMITTED);
                g_clear_error(&caller.error);
        }
        g_assert_cmpint(failed, >=, 2);
        gint64 n = count(site->db, &COUNT);
        site_reopen(site);
        g_assert_cmpint(count(site->db, &COUNT), ==, n);
        g_assert_null(db_integrity(site->db, NULL));
}

/* The engine rolls a whole batch back when a statement of one caller finds no room: the one before, who waits for the
 * disk, is told. */
static void
test_dead_batch(Site *site, gconstpointer data)
{
        g_autofree char *big = g_strnfill(1 << 20, 'x');
        g_autoptr(GError) error = NULL;
        Caller bystander;
        DbTxn *txn = db_begin(site->db, NULL);

        g_assert_true(db_run(txn, &PUT, NULL, "ss", "first", "1"));
        caller_start(&bystander, site->db, "bystander", FALSE);
        fault_now = (Fault){.file = SQLITE_OPEN_WAL, .write_rc = SQLITE_FULL};
        gboolean is_alive = TRUE;
        for (gint64 i = 0; i < 40 && is_alive; i++)
                is_alive = db_run(txn, &PUT_OBJECT, &error, "is", i, big);
        g_assert_false(is_alive);
        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
        g_assert_true(txn->is_dead);
        g_assert_false(db_run(txn, &PUT, NULL, "ss", "second", "1"));
        fault_now = (Fault){0};
        g_clear_error(&error);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_FAILED);
        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
        thread_take_join(bystander.thread);
        g_assert_cmpint(bystander.answer, ==, DB_COMMITTED);
        g_assert_cmpint(count(site->db, &COUNT), ==, 1);
        g_assert_cmpint(count(site->db, &COUNT_HISTORY), ==, 0);
}

/* A caller whose work is in the batch already, and one behind it that kills the batch. */
typedef struct Killer {
        Db *db;
        gboolean was_refused;
        Thread *thread;
} Killer;

static void
kill_batch(gpointer data)
{
        Killer *me = data;
        g_autofree char *big = g_strnfill(1 << 20, 'x');
        g_autoptr(DbTxn) txn = db_begin(me->db, NULL);

        fault_now = (Fault){.file = SQLITE_OPEN_WAL, .write_rc = SQLITE_FULL};
        for (gint64 i = 0; i < 40 && !me->was_refused; i++)
                me->was_refused = !db_run(txn, &PUT_OBJECT, NULL, "is", i, big);
        fault_now = (Fault){0};
}

static void
test_dead_batch_tells_gathered(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Killer killer = {site->db, FALSE, NULL};
        DbTxn *txn = db_begin(site->db, NULL);
        guint committed = 0, undone = 0;

        db_on_end(txn, NULL, count_up, &undone, NULL);
        db_on_end(txn, count_up, NULL, &committed, NULL);

        g_assert_true(db_run(txn, &PUT, NULL, "ss", "gathered", "1"));
        killer.thread = thread_new("kill", kill_batch, &killer, NULL);
        for (gboolean is_there = FALSE; !is_there; g_usleep(100)) {
                MUTEX_SCOPE(&site->db->turn);
                is_there = site->db->line.first != NULL;
        }
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_FAILED);
        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
        thread_take_join(killer.thread);
        g_assert_true(killer.was_refused);
        g_assert_cmpuint(undone, ==, 1);
        g_assert_cmpuint(committed, ==, 0);
        g_assert_cmpint(count(site->db, &COUNT), ==, 0);
        g_assert_cmpint(put(site->db, "gathered", NULL), ==, DB_COMMITTED);
}

/* In a process of its own: what is answered before the fault must be there, the fault gives no answer but exit
 * status 3. */
static void
dies_of(Site *site, const Fault *fatal, gint64 *ret_answered)
{
        int pipe_fds[2], status = 0;
        gint64 answered = 0, one;

        db_close(g_steal_pointer(&site->db));
        g_assert_cmpint(pipe(pipe_fds), ==, 0);
        pid_t child = fork();
        if (child == 0) {
                close(pipe_fds[0]);
                close(STDERR_FILENO);
                Db *db = db_open(site->dir, NULL);
                if (db == NULL)
                        _exit(9);
                fault_now = *fatal;
                for (gint64 i = 0; i < 5000; i++) {
                        g_autofree char *name = g_strdup_printf("%" G_GINT64_FORMAT, i);
                        g_autofree char *value = g_strnfill(20000, 'x');
                        DbTxn *txn = db_begin(db, NULL);
                        if (!db_run(txn, &PUT, NULL, "ss", name, value))
                                _exit(8);
                        if (db_take_commit(txn, NULL) != DB_COMMITTED || write(pipe_fds[1], &i, sizeof i) != sizeof i)
                                _exit(7);
                }
                _exit(6);
        }
        close(pipe_fds[1]);
        while (read(pipe_fds[0], &one, sizeof one) == sizeof one)
                answered++;
        close(pipe_fds[0]);
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 3);
        *ret_answered = answered;
}

static void
test_broken_disk(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 answered;

        dies_of(site, data, &answered);
        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        g_assert_false(db_was_clean(site->db));
        gint64 there = count(site->db, &COUNT);
        g_assert_cmpint(there, >=, answered);
        g_assert_cmpint(there, <=, answered + 1);
        g_assert_null(db_integrity(site->db, NULL));
}

/* A full disk stops the checkpoint, not the site. */
static void
test_full_checkpoint(Site *site, gconstpointer data)
{
        g_autofree char *big = g_strnfill(1 << 20, 'x');
        DbStats stats;

        fault_now = (Fault){.file = SQLITE_OPEN_MAIN_DB, .write_rc = SQLITE_FULL};
        for (gint64 i = 0; i < 30; i++) {
                DbTxn *txn = db_begin(site->db, NULL);
                g_assert_true(db_run(txn, &PUT_OBJECT, NULL, "is", i, big));
                g_assert_cmpint(db_take_commit(txn, NULL), ==, DB_COMMITTED);
        }
        db_stats(site->db, &stats);
        g_assert_cmpuint(stats.wal_octets, >, 30 << 20);
        fault_now = (Fault){0};
        g_assert_cmpint(count(site->db, &COUNT_HISTORY), ==, 30);
}

/* After an unclean stop nothing is accepted before the WAL is in the database and on disk. */
static void
test_read_only(Site *site, gconstpointer data)
{
        static const Fault SYNC_FAILS = {.file = SQLITE_OPEN_WAL, .sync_rc = SQLITE_IOERR_FSYNC, .after = 10};
        g_autoptr(GError) error = NULL;
        gint64 answered;

        dies_of(site, &SYNC_FAILS, &answered);
        fault_now = (Fault){.file = SQLITE_OPEN_MAIN_DB, .sync_rc = SQLITE_IOERR_FSYNC};
        site->db = db_open(site->dir, &error);
        fault_now = (Fault){0};
        g_assert_no_error(error);
        g_assert_cmpint(count(site->db, &COUNT), >=, answered);
        g_assert_null(db_begin(site->db, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
        site_reopen(site);
        g_assert_false(db_was_clean(site->db));
        g_assert_cmpint(put(site->db, "again", NULL), ==, DB_COMMITTED);
        site_reopen(site);
        g_assert_true(db_was_clean(site->db));
}

/* An index is worth no server: what fails to be written is told to the caller. */
static void
test_index(Site *site, gconstpointer data)
{
        static const DbMigration SCHEMA = {1, "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT)"};
        g_autoptr(GError) error = NULL;
        Db *index = db_open_index(site->dir, "index", &SCHEMA, &error);

        g_assert_no_error(error);
        g_assert_cmpint(put(index, "one", NULL), ==, DB_COMMITTED);
        g_assert_false(db_is_damaged(index));
        fault_now = (Fault){.file = SQLITE_OPEN_WAL, .write_rc = SQLITE_IOERR_WRITE};
        g_assert_cmpint(put(index, "two", &error), ==, DB_FAILED);
        fault_now = (Fault){0};
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
        g_assert_true(db_is_damaged(index));
        fault_now = (Fault){.file = SQLITE_OPEN_MAIN_DB, .sync_rc = SQLITE_IOERR_FSYNC};
        db_close(index);
        fault_now = (Fault){0};
        g_assert_cmpint(put(site->db, "the site goes on", NULL), ==, DB_COMMITTED);
        db_remove_index(site->dir, "index");
}

#define site_test(path, data, fn) g_test_add(path, Site, data, site_init, fn, site_done)

int
main(int argc, char **argv)
{
        static const Fault WAL_SYNC = {.file = SQLITE_OPEN_WAL, .sync_rc = SQLITE_IOERR_FSYNC, .after = 20};
        static const Fault WAL_WRITE = {.file = SQLITE_OPEN_WAL, .write_rc = SQLITE_IOERR_WRITE, .after = 101};
        static const Fault CHECKPOINT_WRITE = {.file = SQLITE_OPEN_MAIN_DB, .write_rc = SQLITE_IOERR_WRITE, .after = 5};
        static const Fault CHECKPOINT_SYNC = {.file = SQLITE_OPEN_MAIN_DB, .sync_rc = SQLITE_IOERR_FSYNC};

        g_test_init(&argc, &argv, NULL);
        shim_register();
        site_test("/db/fault/full-in-commit-is-told-to-the-whole-batch", NULL, test_full_commit);
        site_test("/db/fault/full-in-commit-is-told-to-blocks", "block", test_full_commit);
        site_test("/db/fault/dead-batch-refuses-further-statements", NULL, test_dead_batch);
        site_test("/db/fault/dead-batch-is-told-to-those-who-wait", NULL, test_dead_batch_tells_gathered);
        site_test("/db/fault/failed-sync-ends-the-process-unanswered", &WAL_SYNC, test_broken_disk);
        site_test("/db/fault/failed-write-in-commit-ends-the-process-unanswered", &WAL_WRITE, test_broken_disk);
        site_test("/db/fault/failed-write-in-checkpoint-ends-the-process", &CHECKPOINT_WRITE, test_broken_disk);
        site_test("/db/fault/failed-sync-in-checkpoint-ends-the-process", &CHECKPOINT_SYNC, test_broken_disk);
        site_test("/db/fault/full-checkpoint-goes-on", NULL, test_full_checkpoint);
        site_test("/db/fault/unclean-stop-and-failing-disk-is-read-only", NULL, test_read_only);
        site_test("/db/fault/an-index-that-fails-ends-nothing", NULL, test_index);
        return g_test_run();
}

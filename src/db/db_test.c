/* db_test.c -- transactions, their isolation, and what is left of them. */
#include "db/db.h"
#include "db/schema.h"

#include "base/testing.h"
#include "base/thread.h"
#include "db/internal.h"

#include <sys/wait.h>
#include <unistd.h>

/* A directory that goes with its test. */
typedef struct Site {
        char *dir;
        Db *db;
} Site;

static void
site_open(Site *site)
{
        g_autoptr(GError) error = NULL;

        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
}

static void
site_init(Site *site, gconstpointer data)
{
        site->dir = test_dir_make();
        site_open(site);
}

static void
site_done(Site *site, gconstpointer data)
{
        db_close(site->db);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

DB_SQL(PUT, "INSERT INTO setting (name, value) VALUES (?, ?)");
DB_SQL(COUNT, "SELECT count(*) FROM setting");
DB_SQL(GET, "SELECT value FROM setting WHERE name = ?");
DB_SQL(LIST, "SELECT name, value FROM setting ORDER BY name");
DB_SQL(ADD, "UPDATE setting SET value = value + ? WHERE name = ?");
DB_SQL(PUT_HISTORY, "INSERT INTO history (at, who, operation, object, before) VALUES (?, ?, 'test', ?, ?)");

static DbTxn *
begin(Db *db)
{
        g_autoptr(GError) error = NULL;
        DbTxn *txn = db_begin(db, &error);

        g_assert_no_error(error);
        return txn;
}

static void
put(DbTxn *txn, const char *name, const char *value)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(db_run(txn, &PUT, &error, "ss", name, value));
        g_assert_no_error(error);
}

static void
commit(DbTxn *txn)
{
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_assert_no_error(error);
}

static gint64
count(Db *db)
{
        g_autoptr(DbTxn) txn = db_begin_read(db, NULL);
        gint64 n = -1;

        g_assert_cmpint(db_get_int(txn, &COUNT, &n, NULL, ""), ==, DB_ROW);
        return n;
}

static gint64
value_of(Db *db, const char *name)
{
        g_autoptr(DbTxn) txn = db_begin_read(db, NULL);
        gint64 n = -1;

        if (db_get_int(txn, &GET, &n, NULL, "s", name) != DB_ROW)
                return -1;
        return n;
}

static void
test_committed_is_read(Site *site, gconstpointer data)
{
        DbTxn *txn = begin(site->db);

        put(txn, "a", "1");
        g_assert_cmpint(db_changes(txn), ==, 1);
        g_assert_cmpint(count(site->db), ==, 0);
        commit(txn);
        g_assert_cmpint(count(site->db), ==, 1);

        db_close(site->db);
        site_open(site);
        g_assert_cmpint(value_of(site->db, "a"), ==, 1);
}

static void
test_values(Site *site, gconstpointer data)
{
        static const guint8 OCTETS[] = {0, 1, 0xff, 0};
        static DbSql PUT_ROW = {"INSERT INTO history (at, who, operation, object, before) VALUES (?, ?, ?, ?, ?)"};
        static DbSql GET_ROW = {"SELECT at, who, operation, object, before, after FROM history WHERE id = ?"};
        g_autoptr(DbTxn) txn = begin(site->db);

        g_assert_true(db_run(txn, &PUT_ROW, NULL, "istbn", G_MININT64, "somebody", span_make("operation", 4),
                             span_make(OCTETS, 4)));
        g_autoptr(DbRows) rows = db_query(txn, &GET_ROW, NULL, "i", db_last_id(txn));
        g_assert_cmpint(db_rows_next(rows, NULL), ==, DB_ROW);
        g_assert_cmpint(db_int(rows, 0), ==, G_MININT64);
        g_assert_cmpstr(db_text(rows, 1), ==, "somebody");
        g_assert_cmpstr(db_text(rows, 2), ==, "oper");
        Span got = db_bytes(rows, 3);
        g_assert_cmpmem(got.data, (int) got.len, OCTETS, sizeof OCTETS);
        g_assert_true(db_is_null(rows, 4));
        g_assert_null(db_text(rows, 5));
        g_assert_cmpint(db_rows_next(rows, NULL), ==, DB_ROW_END);
}

static void
test_empty_span_is_not_null(Site *site, gconstpointer data)
{
        static DbSql IS_NULL = {"SELECT ? IS NULL, ? IS NULL, ? IS NULL"};
        g_autoptr(DbTxn) txn = db_begin_read(site->db, NULL);
        g_autoptr(DbRows) rows = db_query(txn, &IS_NULL, NULL, "bts", SPAN_EMPTY, SPAN_EMPTY, NULL);

        g_assert_cmpint(db_rows_next(rows, NULL), ==, DB_ROW);
        g_assert_cmpint(db_int(rows, 0), ==, 0);
        g_assert_cmpint(db_int(rows, 1), ==, 0);
        g_assert_cmpint(db_int(rows, 2), ==, 1);
}

static void
test_scope_rolls_back(Site *site, gconstpointer data)
{
        {
                g_autoptr(DbTxn) txn = begin(site->db);
                put(txn, "a", "1");
        }
        g_assert_cmpint(count(site->db), ==, 0);
        DbTxn *txn = begin(site->db);
        put(txn, "a", "2");
        commit(txn);
        g_assert_cmpint(value_of(site->db, "a"), ==, 2);
}

static void
test_snapshot(Site *site, gconstpointer data)
{
        g_autoptr(DbTxn) before = db_begin_read(site->db, NULL);
        gint64 n = -1;

        g_assert_cmpint(db_get_int(before, &COUNT, &n, NULL, ""), ==, DB_ROW);
        DbTxn *txn = begin(site->db);
        put(txn, "a", "1");
        commit(txn);
        g_assert_cmpint(count(site->db), ==, 1);
        g_assert_cmpint(db_get_int(before, &COUNT, &n, NULL, ""), ==, DB_ROW);
        g_assert_cmpint(n, ==, 0);
}

static void
test_reader_cannot_write(Site *site, gconstpointer data)
{
        g_autoptr(DbTxn) txn = db_begin_read(site->db, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_false(db_run(txn, &PUT, &error, "ss", "a", "1"));
        g_assert_nonnull(error);
        g_assert_cmpint(count(site->db), ==, 0);
}

static void
test_conflict_goes_on(Site *site, gconstpointer data)
{
        DbTxn *txn = begin(site->db);
        g_autoptr(GError) error = NULL;

        put(txn, "a", "1");
        g_assert_false(db_run(txn, &PUT, &error, "ss", "a", "2"));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        g_assert_true(db_was_conflict(txn));
        put(txn, "b", "3");
        g_assert_false(db_was_conflict(txn));
        commit(txn);
        g_assert_cmpint(value_of(site->db, "a"), ==, 1);
        g_assert_cmpint(value_of(site->db, "b"), ==, 3);
}

static void
test_same_statement_twice(Site *site, gconstpointer data)
{
        g_autoptr(DbTxn) txn = begin(site->db);
        int pairs = 0;

        put(txn, "a", "1");
        put(txn, "b", "2");
        g_autoptr(DbRows) outer = db_query(txn, &LIST, NULL, "");
        while (db_rows_next(outer, NULL) == DB_ROW) {
                g_autoptr(DbRows) inner = db_query(txn, &LIST, NULL, "");
                while (db_rows_next(inner, NULL) == DB_ROW)
                        pairs++;
        }
        g_assert_cmpint(pairs, ==, 4);
}

static void
test_rows_outlive_transaction(Site *site, gconstpointer data)
{
        DbTxn *txn = begin(site->db);
        g_autoptr(GError) error = NULL;

        put(txn, "a", "1");
        put(txn, "b", "1");
        g_autoptr(DbRows) rows = db_query(txn, &LIST, NULL, "");
        g_assert_cmpint(db_rows_next(rows, NULL), ==, DB_ROW);
        commit(txn);
        g_assert_cmpint(db_rows_next(rows, &error), ==, DB_ROW_FAILED);
        g_assert_nonnull(error);
        g_assert_cmpint(db_int(rows, 0), ==, 0);
        g_assert_null(db_text(rows, 0));
}

static void
test_query_text(Site *site, gconstpointer data)
{
        g_autoptr(DbTxn) txn = begin(site->db);

        put(txn, "a", "1");
        g_autoptr(DbRows) rows = db_query_text(txn, "SELECT value FROM setting WHERE name = ?", NULL, "s", "a");
        g_assert_cmpint(db_rows_next(rows, NULL), ==, DB_ROW);
        g_assert_cmpstr(db_text(rows, 0), ==, "1");
        g_autoptr(GError) error = NULL;
        g_assert_null(db_query_text(txn, "SELECT nothing FROM nowhere", &error, ""));
        g_assert_nonnull(error);
}

static void
test_get_int_without_row(Site *site, gconstpointer data)
{
        g_autoptr(DbTxn) txn = db_begin_read(site->db, NULL);
        gint64 n = 7;

        g_assert_cmpint(db_get_int(txn, &GET, &n, NULL, "s", "missing"), ==, DB_ROW_END);
        g_assert_cmpint(n, ==, 7);
}

typedef struct Trail {
        GString *text;
        char letter;
} Trail;

static void
trail_write(gpointer data)
{
        g_string_append_c(((Trail *) data)->text, ((Trail *) data)->letter);
}

static void
trail_release(gpointer data)
{
        g_string_append_c(((Trail *) data)->text, g_ascii_tolower(((Trail *) data)->letter));
}

static void
test_hooks(Site *site, gconstpointer data)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Trail a = {text, 'A'}, b = {text, 'B'}, c = {text, 'C'};
        DbTxn *txn = begin(site->db);

        db_on_commit(txn, trail_write, &a, trail_release);
        db_on_commit(txn, trail_write, &b, trail_release);
        put(txn, "a", "1");
        g_assert_cmpstr(text->str, ==, "");
        commit(txn);
        g_assert_cmpstr(text->str, ==, "ABab");

        txn = begin(site->db);
        db_on_commit(txn, trail_write, &c, trail_release);
        db_txn_free(txn);
        g_assert_cmpstr(text->str, ==, "ABabc");
}

static void
trail_undo(gpointer data)
{
        g_string_append_c(((Trail *) data)->text, '-');
        trail_write(data);
}

/* What a transaction undid is forgotten before the next one begins. */
static void
test_undo_hooks(Site *site, gconstpointer data)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Trail a = {text, 'A'}, b = {text, 'B'};
        DbTxn *txn = begin(site->db);

        db_on_end(txn, trail_write, trail_undo, &a, trail_release);
        put(txn, "a", "1");
        commit(txn);
        g_assert_cmpstr(text->str, ==, "Aa");
        txn = begin(site->db);
        put(txn, "b", "1");
        db_on_end(txn, trail_write, trail_undo, &b, trail_release);
        db_on_commit(txn, trail_write, &a, NULL);
        db_txn_free(txn);
        g_assert_cmpstr(text->str, ==, "Aa-Bb");
}

static void
test_full(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        db_set_full(site->db, TRUE);
        g_assert_null(db_begin(site->db, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
        DbTxn *txn = db_begin_freeing(site->db, NULL);
        put(txn, "a", "1");
        commit(txn);
        db_set_full(site->db, FALSE);
        db_txn_free(begin(site->db));
}

static void
test_one_owner(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        g_assert_null(db_open(site->dir, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_BUSY);
}

/* What a crash leaves: the files as they are, copied while the site runs. */
static void
files_copy(const char *from, const char *to)
{
        GDir *dir = g_dir_open(from, 0, NULL);

        for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
                g_autofree char *source = g_build_filename(from, name, NULL);
                g_autofree char *target = g_build_filename(to, name, NULL);
                g_autofree char *octets = NULL;
                gsize len = 0;
                g_assert_true(g_file_get_contents(source, &octets, &len, NULL));
                g_assert_true(g_file_set_contents(target, octets, (gssize) len, NULL));
        }
        g_dir_close(dir);
}

static void
test_clean_mark(Site *site, gconstpointer data)
{
        Site crashed = {test_dir_make(), NULL};

        g_assert_true(db_was_clean(site->db));
        DbTxn *txn = begin(site->db);
        put(txn, "a", "1");
        commit(txn);
        files_copy(site->dir, crashed.dir);
        site_open(&crashed);
        g_assert_false(db_was_clean(crashed.db));
        g_assert_cmpint(value_of(crashed.db, "a"), ==, 1);
        g_assert_null(db_integrity(crashed.db, NULL));
        db_close(crashed.db);
        site_open(&crashed);
        g_assert_true(db_was_clean(crashed.db));
        site_done(&crashed, NULL);
}

static void
test_newer_schema(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *path = g_build_filename(site->dir, "restante.db", NULL);
        sqlite3 *handle = NULL;

        db_close(g_steal_pointer(&site->db));
        g_assert_cmpint(sqlite3_open(path, &handle), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(handle, "PRAGMA user_version=999", NULL, NULL, NULL), ==, SQLITE_OK);
        sqlite3_close(handle);
        g_assert_null(db_open(site->dir, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
}

DB_SQL(LATER_OF, "SELECT length(hashes) FROM trace_later WHERE message = 7");
DB_SQL(RECENT_OF, "SELECT recent FROM mailbox WHERE id = 5");
DB_SQL(ADDRESS_KEY, "SELECT count(*) FROM alias_target WHERE address_key = 'joe@ex.org'");

/* A site of the first schema, with rows in tables that later steps change. */
static void
test_first_schema(void)
{
        g_autofree char *dir = test_dir_make();
        g_autofree char *path = g_build_filename(dir, "restante.db", NULL);
        g_autoptr(GError) error = NULL;
        sqlite3 *handle = NULL;
        gint64 n = -1;

        g_assert_cmpint(sqlite3_open(path, &handle), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(handle, DB_MIGRATIONS[0].sql, NULL, NULL, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(handle,
                                     "INSERT INTO trace_later VALUES (7, 0, '[]'); INSERT INTO trace_key VALUES (1, 7);"
                                     "INSERT INTO mailbox (id, account, name, uid_validity, uid_next, created)"
                                     " VALUES (5, 1, 'INBOX', 9, 42, 0);"
                                     "INSERT INTO alias_target VALUES (1, 0, 'Joe@Ex.org'); PRAGMA user_version = 1",
                                     NULL, NULL, NULL),
                        ==, SQLITE_OK);
        sqlite3_close(handle);

        Db *db = db_open(dir, &error);
        g_assert_no_error(error);
        {
                g_autoptr(DbTxn) txn = db_begin_read(db, NULL);
                g_assert_cmpint(db_get_int(txn, &LATER_OF, &n, NULL, ""), ==, DB_ROW);
                g_assert_cmpint(n, ==, 0);
                g_assert_cmpint(db_get_int(txn, &ADDRESS_KEY, &n, NULL, ""), ==, DB_ROW);
                g_assert_cmpint(n, ==, 1);
                g_assert_cmpint(db_get_int(txn, &RECENT_OF, &n, NULL, ""), ==, DB_ROW);
                g_assert_cmpint(n, ==, 42); /* what was there before is not \Recent */
        }
        db_close(db);
        test_dir_remove(dir);
}

DB_SQL(LAST_ACCOUNT, "SELECT id FROM account_last WHERE one = 1");
DB_SQL(SEEN_BY, "SELECT count(*) FROM reader_seen WHERE account <> 2");

/* A site made before ids of accounts were given once: what is kept of one that has gone shows that its id was given. */
static void
test_ids_of_gone_accounts(void)
{
        g_autofree char *dir = test_dir_make();
        g_autofree char *path = g_build_filename(dir, "restante.db", NULL);
        g_autoptr(GError) error = NULL;
        sqlite3 *handle = NULL;
        gint64 n = -1;

        g_assert_cmpint(sqlite3_open(path, &handle), ==, SQLITE_OK);
        for (int i = 0; i < 7; i++)
                g_assert_cmpint(sqlite3_exec(handle, DB_MIGRATIONS[i].sql, NULL, NULL, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(handle,
                                     "INSERT INTO account (id, domain, local, local_key, created)"
                                     " VALUES (2, 'ex.org', 'joe', 'joe', 0);"
                                     "INSERT INTO reader_seen VALUES (9, 2, x''), (9, 5, x'');"
                                     "PRAGMA user_version = 7",
                                     NULL, NULL, NULL),
                        ==, SQLITE_OK);
        sqlite3_close(handle);

        Db *db = db_open(dir, &error);
        g_assert_no_error(error);
        {
                g_autoptr(DbTxn) txn = db_begin_read(db, NULL);
                g_assert_cmpint(db_get_int(txn, &LAST_ACCOUNT, &n, NULL, ""), ==, DB_ROW);
                g_assert_cmpint(n, ==, 5);
                g_assert_cmpint(db_get_int(txn, &SEEN_BY, &n, NULL, ""), ==, DB_ROW);
                g_assert_cmpint(n, ==, 0);
        }
        db_close(db);
        test_dir_remove(dir);
}

static void
test_damaged(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *path = g_build_filename(site->dir, "restante.db", NULL);

        db_close(g_steal_pointer(&site->db));
        g_assert_true(
                g_file_set_contents(path, "this is no database, but it is long enough to look like one", -1, NULL));
        g_assert_null(db_open(site->dir, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INTERNAL);
}

static void
test_no_directory(void)
{
        g_autoptr(GError) error = NULL;

        g_assert_null(db_open("/nonexistent/restante", &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
}

static void
test_integrity(Site *site, gconstpointer data)
{
        g_autofree char *path = g_build_filename(site->dir, "restante.db", NULL);
        g_autofree char *octets = NULL;
        gsize len = 0;

        g_assert_null(db_integrity(site->db, NULL));
        DbTxn *txn = begin(site->db);
        for (gint64 i = 0; i < 500; i++)
                g_assert_true(
                        db_run(txn, &PUT_HISTORY, NULL, "isss", i, "somebody", "some object", "what was before it"));
        commit(txn);
        db_close(site->db);
        g_assert_true(g_file_get_contents(path, &octets, &len, NULL));
        memset(octets + len - 4096, 0xa5, 4096);
        g_assert_true(g_file_set_contents(path, octets, (gssize) len, NULL));
        site_open(site);
        g_autofree char *complaints = db_integrity(site->db, NULL);
        g_assert_nonnull(complaints);
}

#define DELIVERERS 16
#define DELIVERIES 100

typedef struct Deliverer {
        Db *db;
        guint number;
} Deliverer;

static void
deliver(gpointer data)
{
        Deliverer *me = data;

        for (guint i = 0; i < DELIVERIES; i++) {
                g_autofree char *name = g_strdup_printf("%u.%u", me->number, i);
                DbCommit answer = DB_AGAIN;
                while (answer == DB_AGAIN) {
                        g_autoptr(DbTxn) txn = begin(me->db);
                        put(txn, name, "1");
                        g_assert_true(db_run(txn, &ADD, NULL, "is", (gint64) 1, "sum"));
                        if (i % 4 == 3)
                                break; /* rolled back */
                        answer = db_take_commit(g_steal_pointer(&txn), NULL);
                }
                g_assert_cmpint(answer, ==, i % 4 == 3 ? DB_AGAIN : DB_COMMITTED);
                g_assert_cmpint(value_of(me->db, name), ==, i % 4 == 3 ? -1 : 1);
        }
}

/* Readers meet the WAL's header while it changes; neither they nor the writer may fail of it. */
typedef struct Onlooker {
        Db *db;
        gint is_over;
        gint64 looks;
} Onlooker;

static void
look_on(gpointer data)
{
        Onlooker *me = data;

        for (gint64 before = 0; !g_atomic_int_get(&me->is_over); me->looks++) {
                gint64 now = count(me->db);
                g_assert_cmpint(now, >=, before);
                before = now;
        }
}

static void
test_concurrent(Site *site, gconstpointer data)
{
        Deliverer deliverers[DELIVERERS];
        Thread *threads[DELIVERERS], *eyes[2];
        Onlooker onlookers[2] = {{site->db, FALSE, 0}, {site->db, FALSE, 0}};
        DbTxn *txn = begin(site->db);
        DbStats stats;

        put(txn, "sum", "0");
        commit(txn);
        for (guint i = 0; i < DELIVERERS; i++) {
                deliverers[i] = (Deliverer){site->db, i};
                threads[i] = thread_new("deliver", deliver, &deliverers[i], NULL);
        }
        for (guint i = 0; i < G_N_ELEMENTS(onlookers); i++)
                eyes[i] = thread_new("look", look_on, &onlookers[i], NULL);
        for (guint i = 0; i < DELIVERERS; i++)
                thread_take_join(threads[i]);
        for (guint i = 0; i < G_N_ELEMENTS(onlookers); i++) {
                g_atomic_int_set(&onlookers[i].is_over, TRUE);
                thread_take_join(eyes[i]);
                g_assert_cmpint(onlookers[i].looks, >, 0);
        }
        g_assert_cmpint(value_of(site->db, "sum"), ==, DELIVERERS * DELIVERIES * 3 / 4);
        g_assert_cmpint(count(site->db), ==, 1 + DELIVERERS * DELIVERIES * 3 / 4);
        db_stats(site->db, &stats);
        g_assert_cmpint(stats.commits, <, stats.transactions);
}

/* Three callers made to share one batch: the others are in line before the first one ends its turn. */
typedef struct Caller {
        Db *db;
        const char *name;
        gboolean rolls_back, only_looks;
        Trail trail;
        Thread *thread;
        guint tries;
} Caller;

static DbCommit
call_once(Caller *me)
{
        g_autoptr(DbTxn) txn = begin(me->db);
        gint64 n;

        me->tries++;
        if (me->only_looks) {
                g_assert_cmpint(db_get_int(txn, &COUNT, &n, NULL, ""), ==, DB_ROW);
                return DB_FAILED;
        }
        put(txn, me->name, "1");
        db_on_commit(txn, trail_write, &me->trail, NULL);
        return me->rolls_back ? DB_FAILED : db_take_commit(g_steal_pointer(&txn), NULL);
}

static void
call(gpointer data)
{
        DbCommit answer;

        do
                answer = call_once(data);
        while (answer == DB_AGAIN);
}

static void
line_wait(Db *db, guint callers)
{
        for (guint n = 0; n < callers; g_usleep(100)) {
                MUTEX_SCOPE(&db->turn);
                n = 0;
                for (DbTxn *t = db->line.first; t != NULL; t = t->next)
                        n++;
        }
}

/* The first caller, who is this thread, and those behind it, made to share one batch; what the first one was told. */
static DbCommit
share_batch(Db *db, Trail *first, Caller *callers, guint n)
{
        db->batch_age_max = USEC_PER_MINUTE;
        DbTxn *txn = begin(db);

        put(txn, "a", "1");
        db_on_commit(txn, trail_write, first, NULL);
        for (guint i = 0; i < n; i++) {
                callers[i].thread = thread_new("call", call, &callers[i], NULL);
                line_wait(db, i + 1);
        }
        DbCommit answer = db_take_commit(txn, NULL);
        for (guint i = 0; i < n; i++)
                thread_take_join(callers[i].thread);
        return answer;
}

/* Those who were gathered run again and nothing of them is kept twice; who only looked takes nobody along. */
static void
test_rollback_takes_others_along(Site *site, gconstpointer data)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Caller callers[] = {
                {.db = site->db, .name = "b", .trail = {text, 'B'}},
                {.db = site->db, .name = "e", .only_looks = TRUE},
                {.db = site->db, .name = "c", .rolls_back = TRUE, .trail = {text, 'C'}},
                {.db = site->db, .name = "d", .trail = {text, 'D'}},
        };
        Trail first = {text, 'A'};

        g_assert_cmpint(share_batch(site->db, &first, callers, G_N_ELEMENTS(callers)), ==, DB_AGAIN);
        g_assert_cmpint(callers[0].tries, ==, 2);
        g_assert_cmpint(callers[1].tries, ==, 1);
        g_assert_cmpint(callers[2].tries, ==, 1);
        g_assert_cmpint(callers[3].tries, ==, 1);
        g_assert_cmpint(count(site->db), ==, 2);
        g_assert_cmpint(value_of(site->db, "a"), ==, -1);
        g_assert_cmpint(value_of(site->db, "c"), ==, -1);
        g_assert_true(strcmp(text->str, "BD") == 0 || strcmp(text->str, "DB") == 0);
}

static void
test_looking_is_no_rollback(Site *site, gconstpointer data)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Caller callers[] = {
                {.db = site->db, .name = "b", .only_looks = TRUE},
                {.db = site->db, .name = "c", .trail = {text, 'C'}},
        };
        Trail first = {text, 'A'};
        DbStats stats;

        g_assert_cmpint(share_batch(site->db, &first, callers, G_N_ELEMENTS(callers)), ==, DB_COMMITTED);
        g_assert_cmpstr(text->str, ==, "AC");
        db_stats(site->db, &stats);
        g_assert_cmpint(stats.commits, ==, 1);
}

/* After one rollback took others along, the next ones don't. */
static void
test_rollback_is_private(Site *site, gconstpointer data)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Caller callers[] = {
                {.db = site->db, .name = "b", .trail = {text, 'B'}},
                {.db = site->db, .name = "c", .rolls_back = TRUE, .trail = {text, 'C'}},
                {.db = site->db, .name = "d", .trail = {text, 'D'}},
        };
        Trail first = {text, 'A'};
        DbStats stats;

        site->db->guarded_until = clock_in(60 * USEC_PER_SEC);
        g_assert_cmpint(share_batch(site->db, &first, callers, G_N_ELEMENTS(callers)), ==, DB_COMMITTED);
        g_assert_cmpint(count(site->db), ==, 3);
        g_assert_cmpint(value_of(site->db, "c"), ==, -1);
        g_assert_cmpstr(text->str, ==, "ABD");
        db_stats(site->db, &stats);
        g_assert_cmpint(stats.commits, ==, 1);
}

/* Strangers who can make a rollback happen can't make all the others run again and again. */
static void
test_rollbacks_guard(Site *site, gconstpointer data)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Trail first = {text, 'A'};

        g_assert_cmpint(site->db->guarded_until, ==, 0);
        Caller caller = {.db = site->db, .name = "b", .rolls_back = TRUE, .trail = {text, 'B'}};
        g_assert_cmpint(share_batch(site->db, &first, &caller, 1), ==, DB_AGAIN);
        g_assert_cmpint(site->db->guarded_until, >, 0);
        g_assert_cmpint(site->db->guarded_until, <=, clock_in(GUARD_SPAN));
}

/* The first caller has no savepoint: its rollback must leave a usable connection to those in line. */
static void
test_first_rolls_back(Site *site, gconstpointer data)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Caller caller = {.db = site->db, .name = "b", .trail = {text, 'B'}};
        DbTxn *txn = begin(site->db);

        put(txn, "a", "1");
        caller.thread = thread_new("call", call, &caller, NULL);
        line_wait(site->db, 1);
        db_txn_free(txn);
        thread_take_join(caller.thread);
        g_assert_cmpint(count(site->db), ==, 1);
        g_assert_cmpint(value_of(site->db, "b"), ==, 1);
}

static void
test_checkpoint_bounds_wal(Site *site, gconstpointer data)
{
        g_autofree char *big = g_strnfill(1 << 20, 'x');
        DbStats stats;

        for (gint64 i = 0; i < 64; i++) {
                DbTxn *txn = begin(site->db);
                g_assert_true(db_run(txn, &PUT_HISTORY, NULL, "isss", i, "somebody", "object", big));
                commit(txn);
        }
        db_stats(site->db, &stats);
        g_assert_cmpint(stats.checkpoints, >=, 1);
        g_assert_cmpint(stats.wal_octets, <=, WAL_SOFT_OCTETS + (4 << 20));
}

static guint64
wal_after(Db *db, guint megabytes)
{
        g_autofree char *big = g_strnfill(1 << 20, 'x');
        DbStats stats;

        for (guint i = 0; i < megabytes; i++) {
                DbTxn *txn = begin(db);
                g_assert_true(db_run(txn, &PUT_HISTORY, NULL, "isss", (gint64) i, "somebody", "object", big));
                commit(txn);
        }
        db_stats(db, &stats);
        return stats.wal_octets;
}

/* A snapshot that lasts keeps the WAL, and past the hard bound each step waits for it once; mail goes on all the same.
 */
static void
test_checkpoint_past_a_reader(Site *site, gconstpointer data)
{
        DbTxn *reader = db_begin_read(site->db, NULL);
        gint64 n = -1;

        g_assert_cmpint(db_get_int(reader, &COUNT, &n, NULL, ""), ==, DB_ROW);
        g_assert_cmpuint(wal_after(site->db, 67), >, WAL_HARD_OCTETS);
        db_txn_free(reader);
        g_assert_cmpuint(wal_after(site->db, 10), <, WAL_SOFT_OCTETS + (4 << 20));
}

/* Blocks ----------------------------------------------------------------------------------------------------------- */

#define BLOCK_THREADS 16
#define BLOCK_ROUNDS 200

typedef struct BlockWork {
        Site *site;
        guint number, round;
        gboolean fails, is_prepared, is_committed;
        guint n_committed;
} BlockWork;

static void
block_prepared(gpointer data)
{
        ((BlockWork *) data)->is_prepared = TRUE;
}

static void
block_committed(gpointer data)
{
        BlockWork *work = data;

        g_assert_true(work->is_prepared); /* on disk before COMMIT */
        work->is_committed = TRUE;
}

static gboolean
block_put(DbTxn *txn, gpointer data, GError **error)
{
        BlockWork *work = data;
        g_autofree char *name = g_strdup_printf("%u/%u", work->number, work->round);

        work->is_prepared = FALSE;
        db_before_commit(txn, block_prepared, work);
        db_on_commit(txn, block_committed, work, NULL);
        if (!db_run(txn, &PUT, error, "ss", name, "x"))
                return FALSE;
        return !work->fails || fault(error, FAULT_INPUT, "refused on purpose");
}

/* Every seventh block rolls back, which takes the batch along: the others run again without being asked. */
static gpointer
blocks_run(gpointer data)
{
        BlockWork *work = data;

        for (work->round = 0; work->round < BLOCK_ROUNDS; work->round++) {
                g_autoptr(GError) error = NULL;
                work->fails = (work->round + work->number) % 7 == 0;
                work->is_committed = FALSE;
                DbCommit answer = db_write(work->site->db, block_put, work, &error);
                g_assert_cmpint(answer, ==, work->fails ? DB_FAILED : DB_COMMITTED);
                g_assert_true(work->is_committed == !work->fails);
                g_assert_true((error != NULL) == work->fails);
                work->n_committed += !work->fails;
        }
        return NULL;
}

/* Callers that begin and commit on their own stand in the same line. */
static gpointer
linear_run(gpointer data)
{
        BlockWork *work = data;

        for (work->round = 0; work->round < BLOCK_ROUNDS; work->round++) {
                g_autofree char *name = g_strdup_printf("linear %u/%u", work->number, work->round);
                DbCommit answer;
                do {
                        DbTxn *txn = begin(work->site->db);
                        put(txn, name, "x");
                        answer = db_take_commit(txn, NULL);
                } while (answer == DB_AGAIN);
                g_assert_cmpint(answer, ==, DB_COMMITTED);
                work->n_committed++;
        }
        return NULL;
}

static void
test_blocks(Site *site, gconstpointer data)
{
        BlockWork work[BLOCK_THREADS] = {0};
        GThread *threads[BLOCK_THREADS];
        guint n_committed = 0;
        gint64 n;

        for (guint i = 0; i < BLOCK_THREADS; i++) {
                work[i] = (BlockWork){.site = site, .number = i};
                threads[i] = g_thread_new("block", i % 4 == 3 ? linear_run : blocks_run, &work[i]);
        }
        for (guint i = 0; i < BLOCK_THREADS; i++) {
                g_thread_join(threads[i]);
                n_committed += work[i].n_committed;
        }
        g_autoptr(DbTxn) txn = db_begin_read(site->db, NULL);
        g_assert_cmpint(db_get_int(txn, &COUNT, &n, NULL, ""), ==, DB_ROW);
        g_assert_cmpint(n, ==, n_committed);
}

static gboolean
block_declines(DbTxn *txn, gpointer data, GError **error)
{
        return FALSE;
}

static void
test_block_declines(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(db_write(site->db, block_declines, NULL, &error), ==, DB_FAILED);
        g_assert_no_error(error);
        db_set_full(site->db, TRUE);
        g_assert_cmpint(db_write(site->db, block_declines, NULL, &error), ==, DB_FAILED);
        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
}

static void
put_and_commit(gpointer data)
{
        DbTxn *txn = begin(data);

        put(txn, "second", "1");
        commit(txn);
}

/* Alone; with somebody in line; and after a batch of two, with whom one may be again. */
static void
test_company(Site *site, gconstpointer data)
{
        guint64 first = 0, second = 0;
        DbTxn *txn = begin(site->db);

        g_assert_cmpuint(db_company(txn, &first), ==, 1);
        put(txn, "first", "1");
        site->db->batch_age_max = USEC_PER_MINUTE;
        Thread *thread = thread_new("second", put_and_commit, site->db, NULL);
        while (db_company(txn, &second) < 2)
                g_thread_yield();
        g_assert_cmpuint(first, ==, second);
        commit(txn);
        thread_take_join(thread);
        txn = begin(site->db);
        g_assert_cmpuint(db_company(txn, &second), ==, 2);
        g_assert_cmpuint(second, >, first);
        put(txn, "third", "1");
        commit(txn);
        txn = begin(site->db);
        g_assert_cmpuint(db_company(txn, &second), ==, 1);
        db_txn_free(txn);
}

#define site_test(path, fn) g_test_add(path, Site, NULL, site_init, fn, site_done)

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        site_test("/db/committed-is-read-and-survives-reopening", test_committed_is_read);
        site_test("/db/values-come-back-as-bound", test_values);
        site_test("/db/empty-span-is-not-null", test_empty_span_is_not_null);
        site_test("/db/leaving-the-scope-rolls-back", test_scope_rolls_back);
        site_test("/db/read-snapshot-does-not-see-later-commits", test_snapshot);
        site_test("/db/reader-cannot-write", test_reader_cannot_write);
        site_test("/db/conflict-leaves-transaction-usable", test_conflict_goes_on);
        site_test("/db/one-statement-open-twice", test_same_statement_twice);
        site_test("/db/rows-after-commit-are-a-fault", test_rows_outlive_transaction);
        site_test("/db/text-made-at-run-time", test_query_text);
        site_test("/db/get-int-without-row", test_get_int_without_row);
        site_test("/db/company-is-who-shares-the-batch-or-did-last-time", test_company);
        site_test("/db/hooks-run-after-commit-only", test_hooks);
        site_test("/db/undo-hooks-run-when-nothing-is-kept", test_undo_hooks);
        site_test("/db/full-lets-only-deleters-in", test_full);
        site_test("/db/one-process-owns-it", test_one_owner);
        site_test("/db/clean-mark-and-recovery-after-crash", test_clean_mark);
        site_test("/db/newer-schema-is-refused", test_newer_schema);
        site_test("/db/damaged-file-is-refused", test_damaged);
        g_test_add_func("/db/a site of the first schema opens", test_first_schema);
        g_test_add_func("/db/ids of accounts that have gone are not given again", test_ids_of_gone_accounts);
        g_test_add_func("/db/no-directory", test_no_directory);
        site_test("/db/integrity-finds-a-damaged-page", test_integrity);
        site_test("/db/sixteen-threads-sums-are-right", test_concurrent);
        site_test("/db/rollback-makes-those-of-its-batch-run-again", test_rollback_takes_others_along);
        site_test("/db/who-wrote-nothing-takes-nobody-along", test_looking_is_no_rollback);
        site_test("/db/after-a-rollback-the-next-are-private", test_rollback_is_private);
        site_test("/db/after-a-rollback-callers-are-guarded", test_rollbacks_guard);
        site_test("/db/rollback-of-the-first", test_first_rolls_back);
        site_test("/db/write/blocks and callers with a turn of their own share batches, rollbacks included", test_blocks);
        site_test("/db/write/a block that says no without a fault keeps nothing", test_block_declines);
        site_test("/db/checkpoint-keeps-the-wal-small", test_checkpoint_bounds_wal);
        site_test("/db/checkpoint-waits-for-readers-only-past-the-bound", test_checkpoint_past_a_reader);
        return g_test_run();
}

/* index_test.c -- an index is a database that may be lost: it stands beside the site's, and one that can't be used is
 * made anew. */
#include "base/testing.h"
#include "db/db.h"
#include "db/schema.h"

#include <sys/stat.h>

static const DbMigration FIRST = {7, "CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"};
static const DbMigration SECOND = {8, "CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL, times INTEGER)"};

DB_SQL(PUT, "INSERT INTO word (text) VALUES (?)");
DB_SQL(COUNT, "SELECT count(*) FROM word");
DB_SQL(SYNCHRONOUS, "PRAGMA synchronous");

typedef struct Site {
        char *dir;
        Db *index;
} Site;

static Db *
open_index(const char *dir, const DbMigration *schema)
{
        g_autoptr(GError) error = NULL;
        Db *index = db_open_index(dir, "words", schema, &error);

        g_assert_no_error(error);
        return index;
}

static void
site_init(Site *site, gconstpointer data)
{
        site->dir = test_dir_make();
        site->index = open_index(site->dir, &FIRST);
}

static void
site_done(Site *site, gconstpointer data)
{
        db_close(site->index);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

static void
site_reopen(Site *site, const DbMigration *schema)
{
        db_close(site->index);
        site->index = open_index(site->dir, schema);
}

static void
put(Db *index, const char *text)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin(index, &error);

        g_assert_no_error(error);
        g_assert_true(db_run(txn, &PUT, &error, "s", text));
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
}

/* -1: it can't be counted. */
static gint64
count(Db *index)
{
        g_autoptr(DbTxn) txn = db_begin_read(index, NULL);
        gint64 n;

        return txn != NULL && db_get_int(txn, &COUNT, &n, NULL, "") == DB_ROW ? n : -1;
}

static void
test_kept(Site *site, gconstpointer data)
{
        g_autofree char *path = g_build_filename(site->dir, "words.db", NULL);
        GStatBuf st;

        put(site->index, "one");
        site_reopen(site, &FIRST);
        g_assert_cmpint(count(site->index), ==, 1);
        g_assert_cmpint(g_stat(path, &st), ==, 0);
        g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
}

static void
test_beside_the_site(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Db *db = db_open(site->dir, &error);

        g_assert_no_error(error);
        g_autoptr(DbTxn) ours = db_begin(db, &error);
        put(site->index, "while the site's writer is busy");
        db_txn_free(g_steal_pointer(&ours));
        db_close(db);
        g_assert_cmpint(count(site->index), ==, 1);
}

static void
test_not_synced(Site *site, gconstpointer data)
{
        g_autoptr(DbTxn) txn = db_begin(site->index, NULL);
        gint64 synchronous;

        g_assert_cmpint(db_get_int(txn, &SYNCHRONOUS, &synchronous, NULL, ""), ==, DB_ROW);
        g_assert_cmpint(synchronous, ==, 1);
}

static void
test_other_version(Site *site, gconstpointer data)
{
        put(site->index, "one");
        site_reopen(site, &SECOND);
        g_assert_cmpint(count(site->index), ==, 0);
        g_assert_false(db_is_damaged(site->index));
}

static void
file_overwrite(const char *dir, const char *name, gsize from, gsize octets)
{
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_autofree char *junk = g_strnfill(octets, '?');
        FILE *file = fopen(path, "r+");

        g_assert_nonnull(file);
        g_assert_cmpint(fseek(file, (long) from, SEEK_SET), ==, 0);
        g_assert_cmpuint(fwrite(junk, 1, octets, file), ==, octets);
        g_assert_cmpint(fclose(file), ==, 0);
}

static void
test_no_database(Site *site, gconstpointer data)
{
        put(site->index, "one");
        db_close(site->index);
        file_overwrite(site->dir, "words.db", 0, 4096);
        site->index = open_index(site->dir, &FIRST);
        g_assert_cmpint(count(site->index), ==, 0);
        put(site->index, "two");
}

/* Damage that is met later is remembered; removed and opened again it is empty. */
static void
test_damaged(Site *site, gconstpointer data)
{
        put(site->index, "one");
        db_close(site->index);
        file_overwrite(site->dir, "words.db", 16384, 16384);
        site->index = open_index(site->dir, &FIRST);
        g_assert_false(db_is_damaged(site->index));
        g_assert_cmpint(count(site->index), ==, -1);
        g_assert_true(db_is_damaged(site->index));
        db_close(site->index);
        db_remove_index(site->dir, "words");
        site->index = open_index(site->dir, &FIRST);
        g_assert_cmpint(count(site->index), ==, 0);
}

static void
test_no_directory(void)
{
        g_autoptr(GError) error = NULL;

        g_assert_null(db_open_index("/nonexistent", "words", &FIRST, &error));
        g_assert_nonnull(error);
}

#define site_test(path, fn) g_test_add(path, Site, NULL, site_init, fn, site_done)

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        site_test("/db/index/is-kept-and-private", test_kept);
        site_test("/db/index/has-a-writer-of-its-own", test_beside_the_site);
        site_test("/db/index/syncs-at-checkpoints-only", test_not_synced);
        site_test("/db/index/of-another-version-is-made-anew", test_other_version);
        site_test("/db/index/that-is-no-database-is-made-anew", test_no_database);
        site_test("/db/index/damage-is-remembered", test_damaged);
        g_test_add_func("/db/index/no-directory", test_no_directory);
        return g_test_run();
}

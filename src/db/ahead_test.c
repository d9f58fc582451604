/* ahead_test.c -- the leaves of a range of rows are found in the file as SQLite itself counts them. */
#include "base/testing.h"
#include "db/internal.h"

DB_SQL(MAKE, "CREATE TABLE row (id INTEGER PRIMARY KEY, data BLOB NOT NULL)");
DB_SQL(PUT, "INSERT INTO row (id, data) VALUES (?, ?)");
DB_SQL(ROOT, "SELECT rootpage FROM sqlite_schema WHERE name = 'row'");
DB_SQL(LEAVES, "SELECT pageno FROM dbstat WHERE name = 'row' AND pagetype = 'leaf' ORDER BY pageno");

typedef struct House {
        char *dir;
        Db *db;
} House;

static void
reopen(House *h)
{
        g_autoptr(GError) error = NULL;

        db_close(h->db);
        h->db = db_open(h->dir, &error);
        g_assert_no_error(error);
}

/* n rows of so many octets (n even), every `step`-th key from `first` on, brought into the file. */
static void
house_fill(House *h, guint n, gsize octets, gint64 first, gint64 step)
{
        g_autoptr(GError) error = NULL;
        g_autofree guint8 *data = g_malloc0(octets + 1);
        DbTxn *txn = db_begin(h->db, &error);

        g_assert_no_error(error);
        g_assert_true(db_run(txn, &MAKE, &error, ""));
        for (guint i = 0; i < n; i++) /* from both ends, so that leaves do not lie in the order of their keys */
                g_assert_true(db_run(txn, &PUT, &error, "ib", first + step * (gint64) (i % 2 ? n - i : i),
                                     span_make(data, octets)));
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        reopen(h);
}

static gint64
root(House *h)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(h->db, &error);
        gint64 number = 0;

        g_assert_no_error(error);
        g_assert_cmpint(db_get_int(txn, &ROOT, &number, &error, ""), ==, DB_ROW);
        return number;
}

static GArray *
found(House *h, gint64 from, gint64 to)
{
        return tree_leaves(h->db, (guint32) root(h), from, to);
}

static void
assert_all_are_found(House *h)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(h->db, &error);
        g_assert_no_error(error);
        g_autoptr(DbRows) rows = db_query(txn, &LEAVES, &error, "");
        g_autoptr(GArray) leaves = found(h, G_MININT64 + 1, G_MAXINT64);
        guint n = 0;

        g_assert_no_error(error);
        for (; db_rows_next(rows, &error) == DB_ROW; n++)
                g_assert_cmpint(db_int(rows, 0), ==, g_array_index(leaves, guint32, n));
        g_assert_no_error(error);
        g_assert_cmpuint(n, ==, leaves->len);
}

static void
house_init(House *h, gconstpointer data)
{
        *h = (House){.dir = test_dir_make()};
        reopen(h);
}

static void
house_done(House *h, gconstpointer data)
{
        db_close(h->db);
        test_dir_remove(h->dir);
        g_free(h->dir);
}

static void
test_depths(House *h, gconstpointer data)
{
        house_fill(h, GPOINTER_TO_UINT(data), 100, (gint64) 7 << 32, 3);
        assert_all_are_found(h);
}

static void
test_negative(House *h, gconstpointer data)
{
        house_fill(h, 5000, 100, -7000, 2);
        assert_all_are_found(h);
}

static void
test_overflow(House *h, gconstpointer data)
{
        house_fill(h, 500, 20000, 1, 1);
        assert_all_are_found(h);
}

/* Three ranges that touch share at most the leaf where they do, and have all of them. */
static void
test_ranges(House *h, gconstpointer data)
{
        house_fill(h, 20000, 100, 0, 10);
        g_autoptr(GArray) whole = found(h, 0, 200000), low = found(h, 0, 70005), middle = found(h, 70006, 70015),
                          high = found(h, 70016, 200000), past = found(h, 300000, 400000);
        g_autoptr(GHashTable) set = g_hash_table_new(NULL, NULL);
        GArray *const parts[] = {low, middle, high};

        for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
                for (guint k = 0; k < parts[i]->len; k++)
                        g_hash_table_add(set, GUINT_TO_POINTER(g_array_index(parts[i], guint32, k)));
        g_assert_cmpuint(g_hash_table_size(set), ==, whole->len);
        g_assert_cmpuint(low->len + middle->len + high->len, <=, whole->len + 3);
        g_assert_cmpuint(middle->len, <=, 2);
        g_assert_cmpuint(low->len, >, whole->len / 4);
        g_assert_cmpuint(high->len, >, whole->len / 2);
        g_assert_cmpuint(past->len, <=, 1);
}

static void
test_bound(House *h, gconstpointer data)
{
        house_fill(h, 4 * AHEAD_PAGES_MAX, 1300, 0, 1);
        g_autoptr(GArray) leaves = found(h, 0, G_MAXINT64);

        g_assert_cmpuint(leaves->len, ==, AHEAD_PAGES_MAX);
}

/* A file whose pages are other than the schema says is not walked astray. */
static void
test_strange_root(House *h, gconstpointer data)
{
        g_autoptr(GArray) beyond = tree_leaves(h->db, 1000000, 0, 10), none = tree_leaves(h->db, 0, 0, 10);

        g_assert_cmpuint(beyond->len, ==, 1);
        g_assert_cmpuint(none->len, ==, 1);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn, data) g_test_add("/db/ahead/" path, House, data, house_init, fn, house_done)
        ADD("an empty table is its root", test_depths, GUINT_TO_POINTER(0));
        ADD("a table of one leaf", test_depths, GUINT_TO_POINTER(6));
        ADD("two levels", test_depths, GUINT_TO_POINTER(2000));
        ADD("three levels", test_depths, GUINT_TO_POINTER(100000));
        ADD("negative keys", test_negative, NULL);
        ADD("rows larger than a page", test_overflow, NULL);
        ADD("a range has its leaves and hardly another", test_ranges, NULL);
        ADD("not more than so many at once", test_bound, NULL);
        ADD("a root that is none", test_strange_root, NULL);
        return g_test_run();
}

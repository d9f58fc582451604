/* textkey_test.c -- text is found again through its keys, whatever its letters' case, and new keys stay together. */
#include "db/textkey.h"

#include "db/db.h"

#include <glib/gstdio.h>

DB_SQL(ADD, "INSERT INTO trace_key (key, message) VALUES (?, ?) ON CONFLICT DO NOTHING");
DB_SQL(FIND, "SELECT count(*), min(message) FROM (" TEXTKEY_FIND("trace_key", "message") ")");

static void
test_found_again(void)
{
        g_autofree char *dir = g_dir_make_tmp("restante-textkey-XXXXXX", NULL);
        Db *db = db_open(dir, NULL);
        Id id = id_new(), wanted[100];

        for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
                g_autofree char *address = g_strdup_printf("user%u@example.com", i);
                DbTxn *txn = db_begin(db, NULL);
                wanted[i] = id + (Id) i * 40961; /* across many buckets */
                for (guint twice = 0; twice < 2; twice++)
                        g_assert_true(db_run(txn, &ADD, NULL, "ii", textkey(wanted[i], span_of(address)),
                                             (gint64) wanted[i]));
                g_assert_cmpint(db_take_commit(txn, NULL), ==, DB_COMMITTED);
        }
        for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
                g_autofree char *address = g_strdup_printf("USER%u@Example.Com", i);
                g_autoptr(DbTxn) txn = db_begin_read(db, NULL);
                g_autoptr(DbRows) rows = db_query(txn, &FIND, NULL, "i", textkey_hash(span_of(address)));
                g_assert_cmpint(db_rows_next(rows, NULL), ==, DB_ROW);
                g_assert_cmpint(db_int(rows, 0), ==, 1);
                g_assert_cmpint(db_int(rows, 1), ==, (gint64) wanted[i]);
        }
        db_close(db);
        static const char *const FILES[] = {"restante.db", "restante.db-wal", "restante.db-shm", "lock"};
        for (guint i = 0; i < G_N_ELEMENTS(FILES); i++) {
                g_autofree char *path = g_build_filename(dir, FILES[i], NULL);
                g_unlink(path);
        }
        g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void
test_neighbours(void)
{
        Id id = id_new() & ~(Id) 1023;

        for (Id i = 0; i < 1024; i++)
                g_assert_cmpint(textkey(id + i, span_of("x")), ==, textkey(id, span_of("x")));
        g_assert_cmpint(textkey(id + 1024, span_of("x")), !=, textkey(id, span_of("x")));
        g_assert_cmpint(textkey(G_MAXUINT64, span_of("x")), >, 0);
        g_assert_cmpint(textkey_hash(SPAN_EMPTY), ==, 2166136261u);
        g_assert_cmpint(textkey_hash(span_of("a")), ==,
                        0xe40c292cu); /* FNV-1a's published value: stored, never to change */
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/db/textkey/found-again-in-any-case", test_found_again);
        g_test_add_func("/db/textkey/ids-of-one-time-share-a-bucket", test_neighbours);
        return g_test_run();
}

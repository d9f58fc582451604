/* search_index_test.c -- records follow the packs of the site, and an index that can't be trusted answers nothing. */
#include "store/search_index.h"

#include "base/testing.h"

DB_SQL(PACK_ADD, "INSERT INTO pack (bodies, refs) VALUES (?, '')");
DB_SQL(PACK_DROP, "DELETE FROM pack WHERE id = ?");
DB_SQL(PACK_CHANGE, "UPDATE pack SET bodies = ? WHERE id = ?");

typedef struct Site {
        char *dir;
        Db *db;
        SearchIndex *index;
        GroupBuilder *builder;
        GroupMatcher *matcher;
} Site;

static void
site_init(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        site->dir = test_dir_make();
        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        site->index = search_index_new(site->db, site->dir);
        site->builder = group_builder_new();
        site->matcher = group_matcher_new(span_of("word"));
}

static void
site_done(Site *site, gconstpointer data)
{
        search_index_free(site->index);
        db_close(site->db);
        group_builder_free(site->builder);
        group_matcher_free(site->matcher);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

static void
site_reopen(Site *site)
{
        search_index_free(site->index);
        site->index = search_index_new(site->db, site->dir);
}

static gint64
run(Site *site, const DbSql *sql, const char *format, const char *text, gint64 id)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin(site->db, &error);

        if (strcmp(format, "s") == 0)
                g_assert_true(db_run(txn, sql, &error, "s", text));
        else if (strcmp(format, "i") == 0)
                g_assert_true(db_run(txn, sql, &error, "i", id));
        else
                g_assert_true(db_run(txn, sql, &error, "si", text, id));
        gint64 last = db_last_id(txn);
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        return last;
}

static gint64
pack_add(Site *site, const char *bodies)
{
        return run(site, &PACK_ADD, "s", bodies, 0);
}

static Span
record_make(Site *site)
{
        group_builder_begin(site->builder, 0, GROUP_BODY);
        group_builder_add(site->builder, span_of("a word or two"));
        return group_builder_end(site->builder);
}

/* Fill until nothing is to be done; how many records that took. */
static guint
fill(Site *site)
{
        for (guint n = 0;;) {
                g_autoptr(GError) error = NULL;
                gint64 pack;
                IndexWork work = search_index_next(site->index, &pack, &error);
                g_assert_no_error(error);
                if (work == INDEX_IDLE)
                        return n;
                if (work == INDEX_PACK) {
                        g_assert_true(search_index_put(site->index, record_make(site), &error));
                        n++;
                }
        }
}

static gboolean
has(Site *site, gint64 pack)
{
        g_autoptr(IndexReader) reader = index_reader_new(site->index);
        GroupAnswer answer;

        return reader != NULL && index_reader_ask(reader, pack, site->matcher, &answer, NULL) &&
               slot_set_has(&answer.yes, 0);
}

static void
test_filled(Site *site, gconstpointer data)
{
        g_assert_null(index_reader_new(site->index)); /* nobody has opened it yet */
        gint64 first = pack_add(site, "first");
        g_assert_cmpuint(fill(site), ==, 1);
        g_assert_true(has(site, first));
        gint64 second = pack_add(site, "second");
        g_assert_false(has(site, second));
        g_assert_cmpuint(fill(site), ==, 1);
        g_assert_true(has(site, second));
        g_assert_cmpuint(fill(site), ==, 0);
        site_reopen(site);
        g_assert_false(has(site, first)); /* not compared yet */
        g_assert_cmpuint(fill(site), ==, 0);
        g_assert_true(has(site, first));
}

static void
test_many(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin(site->db, &error);

        for (guint i = 0; i < 1000; i++) {
                g_autofree char *bodies = g_strdup_printf("%u", i);
                g_assert_true(db_run(txn, &PACK_ADD, &error, "s", bodies));
        }
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        g_assert_cmpuint(fill(site), ==, 1000);
        for (gint64 id = 1; id <= 1000; id += 7)
                run(site, &PACK_DROP, "i", NULL, id);
        run(site, &PACK_CHANGE, "si", "other", 500);
        site_reopen(site);
        g_assert_cmpuint(fill(site), ==, 1);
        for (gint64 id = 1; id <= 1000; id++)
                g_assert_cmpint(has(site, id), ==, (id - 1) % 7 != 0);
}

/* A pack that goes while its record is made. */
static void
test_gone(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 pack, first = pack_add(site, "first");
        IndexWork work;

        pack_add(site, "second");
        while ((work = search_index_next(site->index, &pack, &error)) == INDEX_AGAIN)
                continue;
        g_assert_cmpint(work, ==, INDEX_PACK);
        g_assert_cmpint(pack, ==, first);
        g_assert_true(search_index_put(site->index, SPAN_EMPTY, &error));
        g_assert_cmpuint(fill(site), ==, 1);
        g_assert_false(has(site, first));
}

static void
test_failed_put_comes_again(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 pack;

        pack_add(site, "first");
        while (search_index_next(site->index, &pack, &error) != INDEX_PACK)
                continue;
        g_assert_cmpint(search_index_next(site->index, &pack, &error), ==, INDEX_PACK);
        g_assert_cmpuint(fill(site), ==, 1);
}

static void
test_full_disk(Site *site, gconstpointer data)
{
        pack_add(site, "first");
        db_set_full(site->db, TRUE);
        g_assert_cmpuint(fill(site), ==, 0);
        db_set_full(site->db, FALSE);
        g_assert_cmpuint(fill(site), ==, 1);
}

/* While somebody reads a damaged index it can't be removed; nobody new gets a reader. */
static void
test_damaged_record(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 pack, id = pack_add(site, "first");
        GroupAnswer answer;

        while (search_index_next(site->index, &pack, &error) != INDEX_PACK)
                continue;
        g_assert_true(search_index_put(site->index, span_of("no record"), &error));
        g_autoptr(IndexReader) reader = index_reader_new(site->index);
        g_assert_nonnull(reader);
        g_assert_false(index_reader_ask(reader, id, site->matcher, &answer, NULL));
        g_assert_null(index_reader_new(site->index));
        g_assert_cmpuint(fill(site), ==, 0);
        index_reader_free(g_steal_pointer(&reader));
        g_assert_cmpuint(fill(site), ==, 1);
        g_assert_true(has(site, id));
}

#define site_test(path, fn) g_test_add(path, Site, NULL, site_init, fn, site_done)

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        site_test("/store/search-index/is-filled-as-packs-come", test_filled);
        site_test("/store/search-index/follows-what-went-and-what-changed", test_many);
        site_test("/store/search-index/a-pack-may-go-meanwhile", test_gone);
        site_test("/store/search-index/what-was-not-put-comes-again", test_failed_put_comes_again);
        site_test("/store/search-index/rests-on-a-full-disk", test_full_disk);
        site_test("/store/search-index/a-damaged-one-is-made-anew", test_damaged_record);
        return g_test_run();
}

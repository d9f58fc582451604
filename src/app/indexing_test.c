/* indexing_test.c -- the thread that fills the search index: when it rests, and that it fills and ends. */
#include "app/indexing.h"

#include "base/testing.h"

static void
test_pause(void)
{
        g_assert_cmpint(indexing_pause(0, 20 * USEC_PER_MS), ==, 0);
        g_assert_cmpint(indexing_pause(2, 20 * USEC_PER_MS), ==, 0);
        g_assert_cmpint(indexing_pause(3, 20 * USEC_PER_MS), ==, 180 * USEC_PER_MS);
        g_assert_cmpint(indexing_pause(20, 200 * USEC_PER_MS), ==, 0);
        g_assert_cmpint(indexing_pause(1000, 200 * USEC_PER_MS), ==, 180 * USEC_PER_MS);
        g_assert_cmpint(indexing_pause(100, USEC_PER_DAY), ==, 0);
        g_assert_cmpint(indexing_pause(0, 0), ==, 0);
}

/* On a new site it soon has nothing to do, and it ends while it waits. */
static void
test_thread(void)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *dir = test_dir_make();
        Db *db = db_open(dir, &error);
        Blob *blob = blob_open(dir, db, &error);
        Directory *directory = directory_new(db);
        Store *store = store_new(db, blob, directory);
        SearchProgress progress = {.state = SEARCH_INDEX_NONE};

        g_assert_no_error(error);
        store_keep_search_index(store, dir);
        Indexing *indexing = indexing_new(db, store, &error);
        g_assert_no_error(error);
        while (progress.state != SEARCH_INDEX_USED)
                g_assert_true(store_search_progress(store, &progress, &error));
        indexing_free(indexing);
        store_free(store);
        directory_free(directory);
        blob_close(blob);
        db_close(db);
        test_dir_remove(dir);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/app/indexing/rests while much is written", test_pause);
        g_test_add_func("/app/indexing/fills and ends", test_thread);
        return g_test_run();
}

/* queue_test.c -- rows are kept until they are removed, found by filters, due in time, and take their body's reference
 * along. */
#include "queue/queue.h"

#include "base/testing.h"


typedef struct Site {
        char *dir;
        Db *db;
        Blob *blob;
        Queue *queue;
        Arena *arena;
} Site;

static void
site_init(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        site->dir = test_dir_make();
        site->arena = arena_new(16 * 1024 * 1024);
        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        site->blob = blob_open(site->dir, site->db, &error);
        g_assert_no_error(error);
        site->queue = queue_new(site->db, site->blob);
}

static void
site_done(Site *site, gconstpointer data)
{
        queue_free(site->queue);
        blob_close(site->blob);
        db_close(site->db);
        arena_free(site->arena);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

/* Rows that share one body. */
static void
add_rows(Site *site, const QueueRow *rows, gsize n)
{
        g_autoptr(GError) error = NULL;
        BlobWriter *writer = blob_writer_new(site->blob, 1000);
        BlobPlace place;
        gint64 body, id;

        g_assert_true(blob_writer_add(writer, span_of("Received: ours\r\nA: b\r\n\r\nx\r\n"), &error));
        g_assert_true(blob_take_append(writer, SPAN_EMPTY, &place, &error));
        blob_sync(site->blob, &place);
        g_autoptr(DbTxn) txn = db_begin(site->db, &error);
        g_assert_true(blob_name(txn, &place, (gint64) n, SPAN_EMPTY, &body, &error));
        for (gsize i = 0; i < n; i++) {
                QueueRow row = rows[i];
                row.copy.body = body;
                row.copy.body_size = place.size;
                g_assert_true(queue_add(site->queue, txn, &row, &id, &error));
                g_assert_cmpint(id, >, 0);
        }
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        g_assert_no_error(error);
}

static const Cut CUTS[] = {{0, 16}};
static const QueueRow ROWS[] = {
        {.message = 1,
         .sender = "a@b.example",
         .recipient = "X@far.example",
         .next_hop = "mx(far.example)",
         .created = 10,
         .next_attempt = 10,
         .needs = QUEUE_NEEDS_UTF8,
         .copy = {.prefix = {(const guint8 *) "P: 1\r\n", 6}, .cuts = CUTS, .n_cuts = 1}},
        {.message = 1,
         .sender = "a@b.example",
         .recipient = "joe@ex.org",
         .next_hop = "local",
         .created = 10,
         .next_attempt = 50},
        {.message = 2,
         .sender = "",
         .recipient = "y@far.example",
         .next_hop = "local",
         .created = 11,
         .next_attempt = 11,
         .held = "admin"},
};

static gsize
list(Site *site, const QueueFilter *filter, const QueueRow **ret)
{
        g_autoptr(GError) error = NULL;
        gsize n;

        g_assert_true(queue_list(site->queue, site->arena, filter, ret, &n, &error));
        return n;
}

static void
test_round(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const QueueRow *rows, *row;

        add_rows(site, ROWS, 3);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 10}, &rows), ==, 3);
        g_assert_cmpint(queue_get(site->queue, site->arena, rows[0].id, &row, &error), ==, QUEUE_DONE);
        g_assert_cmpstr(row->recipient, ==, "X@far.example");
        g_assert_cmpstr(row->next_hop, ==, "mx(far.example)");
        g_assert_cmpuint(row->needs, ==, QUEUE_NEEDS_UTF8);
        g_assert_null(row->held);
        g_assert_null(row->last_reply);
        g_assert_cmpuint(copy_size(&row->copy), ==, 6 + strlen("A: b\r\n\r\nx\r\n"));
        g_assert_cmpuint(row->copy.n_cuts, ==, 1);
        g_assert_cmpint(queue_get(site->queue, site->arena, 999, &row, &error), ==, QUEUE_MISSING);
        g_assert_no_error(error);
}

static void
test_filters(Site *site, gconstpointer data)
{
        const QueueRow *rows;

        add_rows(site, ROWS, 3);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 10, .sender = "A@B.example"}, &rows), ==, 2);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 10, .sender = ""}, &rows), ==, 1);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 10, .recipient = "x@far.example"}, &rows), ==, 1);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 10, .next_hop = "local"}, &rows), ==, 2);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 10, .held = "admin"}, &rows), ==, 1);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 10, .message = 1}, &rows), ==, 2);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 2}, &rows), ==, 2);
        g_assert_cmpuint(list(site, &(QueueFilter){.max = 2, .after = rows[1].id}, &rows), ==, 1);
}

static void
test_due(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const QueueRow *rows;
        gsize n;

        add_rows(site, ROWS, 3);
        g_assert_true(queue_due(site->queue, site->arena, "local", 49, 10, &rows, &n, &error));
        g_assert_cmpuint(n, ==, 0); /* not yet; and what is held is never due */
        g_assert_true(queue_due(site->queue, site->arena, "local", 50, 10, &rows, &n, &error));
        g_assert_cmpuint(n, ==, 1);

        g_autoptr(DbTxn) txn = db_begin(site->db, &error);
        g_assert_true(queue_tried(site->queue, txn, rows[0].id, 90, "452 4.2.2 full", &error));
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        g_assert_true(queue_due(site->queue, site->arena, "local", 89, 10, &rows, &n, &error));
        g_assert_cmpuint(n, ==, 0);
        g_assert_true(queue_due(site->queue, site->arena, "local", 90, 10, &rows, &n, &error));
        g_assert_cmpuint(n, ==, 1);
        g_assert_cmpuint(rows[0].attempts, ==, 1);
        g_assert_cmpstr(rows[0].last_reply, ==, "452 4.2.2 full");
}

static void
test_remove(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const QueueRow *rows;

        add_rows(site, ROWS, 2);
        for (gsize left = list(site, &(QueueFilter){.max = 10}, &rows); left > 0; left--) {
                gint64 refs = 0;
                g_autoptr(DbTxn) txn = db_begin(site->db, &error);
                g_assert_cmpint(queue_remove(site->queue, txn, rows[0].id, &error), ==, QUEUE_DONE);
                g_assert_cmpint(queue_remove(site->queue, txn, rows[0].id, &error), ==, QUEUE_MISSING);
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
                g_assert_cmpuint(list(site, &(QueueFilter){.max = 10}, &rows), ==, left - 1);
                g_autoptr(DbTxn) read = db_begin_read(site->db, &error);
                g_autoptr(DbRows) counted = db_query_text(read, "SELECT coalesce(sum(refs), 0) FROM body", &error, "");
                g_assert_cmpint(db_rows_next(counted, &error), ==, DB_ROW);
                refs = db_int(counted, 0);
                g_assert_cmpint(refs, ==, (gint64) left - 1);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/queue/" path, Site, NULL, site_init, fn, site_done)
        ADD("rows-come-back-as-added", test_round);
        ADD("filters-and-pages", test_filters);
        ADD("due-in-time-and-not-while-held", test_due);
        ADD("a-removed-row-takes-its-reference", test_remove);
        return g_test_run();
}

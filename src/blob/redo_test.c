/* redo_test.c -- bodies whose octets were on disk with a COMMIT only: after a power cut they are where they belong. */
#include "blob/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "Received: here\r\n"

static guint64
syncs_of(const Site *site)
{
        BlobStats stats;

        blob_stats(site->blob, &stats);
        return stats.syncs;
}

/* Named as a door does it: nobody has synced before. */
static gint64
deliver(Site *site, gsize len, guint32 seed, BlobPlace *ret_place)
{
        g_autofree guint8 *octets = octets_make(len, seed);
        g_autoptr(GError) error = NULL;
        gint64 body = 0;

        *ret_place = append(site->blob, HEAD, octets, len);
        DbTxn *txn = db_begin(site->db, &error);
        g_assert_no_error(error);
        g_assert_true(blob_name(txn, ret_place, 1, SPAN_EMPTY, &body, &error));
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_assert_no_error(error);
        return body;
}

/* What a power cut leaves when nothing of the segment had reached the disk but zeros, and what was COMMITted had. */
static Crash
power_cut(const Site *site, const BlobPlace *place, guint64 n_octets)
{
        Crash crash = crash_of(site);
        int fd = open(crash.segment, O_WRONLY | O_CLOEXEC);

        g_assert_true(blob_file_zero(fd, place->offset, place->offset + n_octets));
        close(fd);
        return crash;
}

/* Whole may be what the kernel has in its cache, and not the disk: a process that ended over a failed sync leaves it
 * so. */
static void
test_whole_is_written_too(Site *site, gconstpointer data)
{
        static const struct timespec LONG_AGO[2] = {{1000, 0}, {1000, 0}};
        struct stat st;
        BlobPlace place;
        gint64 id = deliver(site, 4500, 3, &place);
        Crash crash = crash_of(site);

        g_assert_cmpint(utimensat(AT_FDCWD, crash.segment, LONG_AGO, 0), ==, 0);
        site_open(&crash.site);
        g_assert_cmpint(stat(crash.segment, &st), ==, 0);
        g_assert_cmpint(st.st_mtim.tv_sec, >, 1000);
        assert_put(&crash.site, id, 4500, 3);
        crash_done(&crash);
}

static const gsize SIZES[] = {0, 1, 3000, 4032 - 48 - 16, 4032 - 48 - 15, 4500, 20000, 32000};

static void
test_alone(Site *site, gconstpointer data)
{
        for (guint i = 0; i < G_N_ELEMENTS(SIZES); i++) {
                guint64 syncs = syncs_of(site);
                BlobPlace place;
                gint64 id = deliver(site, SIZES[i], i, &place);
                g_assert_cmpuint(syncs_of(site), ==, syncs);
                Crash crash = power_cut(site, &place, place.stored);
                site_open(&crash.site);
                assert_put(&crash.site, id, SIZES[i], i);
                crash_done(&crash);
        }
}

static void
test_all_come_back(Site *site, gconstpointer data)
{
        gint64 ids[20];
        BlobPlace first, place;

        ids[0] = deliver(site, 1000, 0, &first);
        for (guint i = 1; i < 20; i++)
                ids[i] = deliver(site, 1000 + i * 100, i, &place);
        Crash crash = power_cut(site, &first, place.offset + place.stored - first.offset);
        for (guint round = 0; round < 2; round++) { /* and once they are back, they stay */
                site_open(&crash.site);
                for (guint i = 0; i < 20; i++)
                        assert_put(&crash.site, ids[i], 1000 + i * 100, i);
                site_close(&crash.site);
        }
        site_open(&crash.site);
        crash_done(&crash);
}

static void
test_torn(Site *site, gconstpointer data)
{
        BlobPlace place;
        gint64 id = deliver(site, 4500, 5, &place);

        for (guint64 n = 0; n <= place.stored; n += 504) {
                Crash crash = power_cut(site, &place, n);
                site_open(&crash.site);
                assert_put(&crash.site, id, 4500, 5);
                crash_done(&crash);
        }
}

static void
test_large(Site *site, gconstpointer data)
{
        guint64 syncs = syncs_of(site);
        BlobPlace place;

        deliver(site, 40000, 1, &place);
        g_assert_cmpuint(syncs_of(site), ==, syncs + 1);
}

static void
test_many_of_one(Site *site, gconstpointer data)
{
        g_autofree guint8 *octets = octets_make(500, 1);
        guint64 syncs = syncs_of(site);
        BlobPlace places[10];
        gint64 body;

        for (guint i = 0; i < 10; i++)
                places[i] = append(site->blob, HEAD, octets, 500);
        DbTxn *txn = db_begin(site->db, NULL);
        for (guint i = 0; i < 10; i++)
                g_assert_true(blob_name(txn, &places[i], 1, SPAN_EMPTY, &body, NULL));
        g_assert_cmpint(db_take_commit(txn, NULL), ==, DB_COMMITTED);
        g_assert_cmpuint(syncs_of(site), ==, syncs + 1);
}

/* Bodies use every slot again and again; a power cut after any of them finds those since the last sync. */
static void
test_slots_again(Site *site, gconstpointer data)
{
        guint64 syncs = syncs_of(site), from = 0;
        gint64 ids[300];
        BlobPlace place;

        for (guint i = 0; i < 300; i++) {
                guint64 before = syncs_of(site);
                ids[i] = deliver(site, 2000 + i * 20, i, &place);
                if (syncs_of(site) != before)
                        from = place.offset + place.stored; /* on disk up to here */
                else if (from == 0)
                        from = place.offset;
                if (i % 37 != 0)
                        continue;
                BlobPlace lost = {.offset = from};
                Crash crash = power_cut(site, &lost, place.offset + place.stored - from);
                site_open(&crash.site);
                for (guint k = 0; k <= i; k++)
                        assert_put(&crash.site, ids[k], 2000 + k * 20, k);
                crash_done(&crash);
        }
        g_assert_cmpuint(syncs_of(site) - syncs, >, 3);
        g_assert_cmpuint(syncs_of(site) - syncs, <, 30);
}

/* What was not committed used no slot that something else needs. */
static void
test_rolled_back(Site *site, gconstpointer data)
{
        g_autofree guint8 *octets = octets_make(500, 9);
        BlobPlace place, other;
        gint64 id = deliver(site, 500, 1, &place), body;

        for (guint i = 0; i < 200; i++) {
                other = append(site->blob, HEAD, octets, 500);
                DbTxn *txn = db_begin(site->db, NULL);
                g_assert_true(blob_name(txn, &other, 1, SPAN_EMPTY, &body, NULL));
                db_txn_free(txn);
        }
        Crash crash = power_cut(site, &place, other.offset + other.stored - place.offset);
        site_open(&crash.site);
        assert_put(&crash.site, id, 500, 1);
        crash_done(&crash);
}

DB_SQL(COUNT_USED, "SELECT count(*) FROM body_redo WHERE body <> 0 OR octets <> zeroblob(4032)");

static gint64
slots_used(const Site *site)
{
        g_autoptr(DbTxn) txn = db_begin_read(site->db, NULL);
        gint64 n = -1;

        g_assert_cmpint(db_get_int(txn, &COUNT_USED, &n, NULL, ""), ==, DB_ROW);
        return n;
}

static void
test_settle(Site *site, gconstpointer data)
{
        guint64 syncs = syncs_of(site);
        BlobPlace place;
        gint64 id = deliver(site, 5000, 1, &place);

        g_assert_cmpint(slots_used(site), ==, 2);
        g_assert_true(blob_settle(site->blob, NULL));
        g_assert_cmpuint(syncs_of(site), ==, syncs + 1);
        g_assert_cmpint(slots_used(site), ==, 0);
        g_assert_true(blob_settle(site->blob, NULL));
        g_assert_cmpuint(syncs_of(site), ==, syncs + 1);
        assert_put(site, id, 5000, 1);
}

static void
test_start_frees_slots(Site *site, gconstpointer data)
{
        BlobPlace place;
        gint64 id = deliver(site, 5000, 1, &place);

        site_close(site);
        site_open(site);
        g_assert_cmpint(slots_used(site), ==, 0);
        assert_put(site, id, 5000, 1);
}

static void
test_deleted(Site *site, gconstpointer data)
{
        BlobPlace place;
        gint64 id = deliver(site, 600, 1, &place);
        guint8 octet = 1;

        unref(site, id, 1);
        Crash crash = power_cut(site, &place, place.stored);
        site_open(&crash.site);
        g_assert_null(blob_body_open(crash.site.blob, id, NULL));
        int fd = open(crash.segment, O_RDONLY | O_CLOEXEC);
        g_assert_true(blob_file_read(fd, place.offset, &octet, 1));
        g_assert_cmpuint(octet, ==, 0); /* nothing was put back */
        close(fd);
        crash_done(&crash);
}

DB_SQL(SPOIL_SLOTS, "UPDATE body_redo SET octets = ? WHERE body <> 0");

/* Neither the slots nor the segment have it: the site opens, and says so where one asks. */
static void
test_spoilt(Site *site, gconstpointer data)
{
        static const Span SPOILT[] = {{(const guint8 *) "", 0}, {(const guint8 *) "RREC", 4}};

        for (guint i = 0; i < G_N_ELEMENTS(SPOILT); i++) {
                BlobPlace place;
                gint64 id = deliver(site, 600, 1, &place);
                DbTxn *txn = db_begin(site->db, NULL);
                g_assert_true(db_run(txn, &SPOIL_SLOTS, NULL, "b", SPOILT[i]));
                g_assert_cmpint(db_take_commit(txn, NULL), ==, DB_COMMITTED);
                Crash crash = power_cut(site, &place, place.stored);
                site_open(&crash.site);
                g_assert_null(blob_body_open(crash.site.blob, id, NULL));
                crash_done(&crash);
        }
}

/* Threads that deliver, now alone, now in company; a power cut keeps of the segment what has been synced, and nothing
 * else. */
#define DELIVERERS 4
#define DELIVERIES 250

typedef struct Deliverer {
        Site *site;
        guint seed;
        Mutex mutex;
        BlobPlace places[DELIVERIES]; /* appended, in this order */
        guint n_appended;
        gint64 ids[DELIVERIES]; /* on disk */
        guint n_done;
} Deliverer;

static BlobPlace
deliverer_append(Deliverer *d, guint i)
{
        g_autofree guint8 *octets = octets_make(500 + i * 11, d->seed + i);

        MUTEX_SCOPE(&d->mutex);
        d->places[d->n_appended++] = append(d->site->blob, HEAD, octets, 500 + i * 11);
        return d->places[d->n_appended - 1];
}

static void
deliverer_run(gpointer data)
{
        Deliverer *d = data;

        for (guint i = 0; i < DELIVERIES; i++) {
                BlobPlace place = deliverer_append(d, i);
                gint64 body = 0;
                DbCommit answer;
                do {
                        DbTxn *txn = db_begin(d->site->db, NULL);
                        g_assert_true(blob_name(txn, &place, 1, SPAN_EMPTY, &body, NULL));
                        answer = db_take_commit(txn, NULL);
                } while (answer == DB_AGAIN);
                g_assert_cmpint(answer, ==, DB_COMMITTED);
                mutex_lock(&d->mutex);
                d->ids[d->n_done++] = body;
                mutex_unlock(&d->mutex);
                if (i % 32 < d->seed % 32) /* so that company changes */
                        g_usleep(300);
        }
}

static void
lose_unsynced(const Crash *crash, Deliverer *d, guint64 synced)
{
        int fd = open(crash->segment, O_WRONLY | O_CLOEXEC);

        MUTEX_SCOPE(&d->mutex);
        for (guint i = 0; i < d->n_appended; i++)
                if (d->places[i].sequence > synced)
                        g_assert_true(
                                blob_file_zero(fd, d->places[i].offset, d->places[i].offset + d->places[i].stored));
        close(fd);
}

static void
cut_and_look(Site *site, Deliverer *deliverers)
{
        guint n_done[DELIVERERS];

        for (guint i = 0; i < DELIVERERS; i++) {
                MUTEX_SCOPE(&deliverers[i].mutex);
                n_done[i] = deliverers[i].n_done;
        }
        Crash crash = crash_of(site);
        mutex_lock(&site->blob->sync);
        guint64 synced = site->blob->synced;
        mutex_unlock(&site->blob->sync);
        for (guint i = 0; i < DELIVERERS; i++)
                lose_unsynced(&crash, &deliverers[i], synced);
        site_open(&crash.site);
        for (guint i = 0; i < DELIVERERS; i++)
                for (guint k = 0; k < n_done[i]; k++)
                        assert_put(&crash.site, deliverers[i].ids[k], 500 + k * 11, deliverers[i].seed + k);
        crash_done(&crash);
}

static void
test_power_cuts(Site *site, gconstpointer data)
{
        g_autofree Deliverer *deliverers = g_new0(Deliverer, DELIVERERS);
        Thread *threads[DELIVERERS];

        for (guint i = 0; i < DELIVERERS; i++) {
                deliverers[i].site = site;
                deliverers[i].seed = 1000 * (i + 1) + 9 * i;
                mutex_init(&deliverers[i].mutex, "test.deliverer");
                threads[i] = thread_new("deliver", deliverer_run, &deliverers[i], NULL);
        }
        for (guint i = 0; i < 20; i++)
                cut_and_look(site, deliverers);
        for (guint i = 0; i < DELIVERERS; i++)
                thread_take_join(threads[i]);
        cut_and_look(site, deliverers);
        for (guint i = 0; i < DELIVERERS; i++)
                mutex_done(&deliverers[i].mutex);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        site_test("/redo/one-that-comes-alone-is-on-disk-without-a-sync-of-its-segment", test_alone);
        site_test("/redo/what-seems-whole-is-written-again-too", test_whole_is_written_too);
        site_test("/redo/all-come-back-and-stay", test_all_come_back);
        site_test("/redo/torn-at-any-sector", test_torn);
        site_test("/redo/a-large-one-is-synced", test_large);
        site_test("/redo/many-of-one-transaction-are-synced", test_many_of_one);
        site_test("/redo/slots-are-used-again-only-after-a-sync", test_slots_again);
        site_test("/redo/what-was-rolled-back-takes-nothing-along", test_rolled_back);
        site_test("/redo/settling-empties-the-slots", test_settle);
        site_test("/redo/a-start-empties-the-slots", test_start_frees_slots);
        site_test("/redo/power-cuts-while-threads-deliver", test_power_cuts);
        site_test("/redo/a-deleted-body-is-not-put-back", test_deleted);
        site_test("/redo/spoilt-slots-do-not-keep-the-site-from-opening", test_spoilt);
        return g_test_run();
}

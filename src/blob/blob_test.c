/* blob_test.c -- bodies come back as written, or not at all; nothing named is ever lost. */
#include "blob/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const gsize SIZES[] = {0, 1, 7, 8, 4000, 4096, 65535, 65536, 65537, 100000, 1000000, 1048576, 1048577, 3000000};

static void
test_come_back(Site *site, gconstpointer data)
{
        gint64 ids[G_N_ELEMENTS(SIZES)];

        for (guint i = 0; i < G_N_ELEMENTS(SIZES); i++)
                ids[i] = put(site, SIZES[i], i);
        for (guint round = 0; round < 2; round++) {
                for (guint i = 0; i < G_N_ELEMENTS(SIZES); i++)
                        assert_put(site, ids[i], SIZES[i], i);
                site_close(site);
                site_open(site);
        }
}

static void
test_empty_body(Site *site, gconstpointer data)
{
        BlobPlace place = append(site->blob, "", NULL, 0);

        assert_body(site->blob, name(site, &place, 1), "", NULL, 0);
}

static void
test_single_segment(Site *site, gconstpointer data)
{
        g_autofree guint8 *octets = octets_make(2 << 20, 1);
        BlobPlace small = append(site->blob, "", octets, 100), large = append(site->blob, "H", octets, 2 << 20),
                  next = append(site->blob, "", octets, 100);

        g_assert_cmpuint(large.segment, !=, small.segment);
        g_assert_cmpuint(next.segment, ==, small.segment);
        gint64 id = name(site, &large, 1);
        site_close(site);
        site_open(site);
        assert_body(site->blob, id, "H", octets, 2 << 20);
        next = append(site->blob, "", octets, 100);
        g_assert_cmpuint(next.segment, ==, small.segment);
}

static void
test_chunks(Site *site, gconstpointer data)
{
        static const gsize CHUNKS[] = {1, 3, 512, 4095, 65536, 200000};
        g_autofree guint8 *octets = octets_make(200000, 5);

        for (guint i = 0; i < G_N_ELEMENTS(CHUNKS); i++) {
                BlobPlace place;
                g_assert_true(
                        blob_take_append(gather(site->blob, octets, 200000, CHUNKS[i]), SPAN_EMPTY, &place, NULL));
                assert_body(site->blob, name(site, &place, 1), "", octets, 200000);
        }
        g_assert_cmpuint(site->blob->memory, ==, 0);
}

static guint
open_files(void)
{
        GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
        guint n = 0;

        while (g_dir_read_name(dir) != NULL)
                n++;
        g_dir_close(dir);
        return n;
}

static void
test_memory_first(Site *site, gconstpointer data)
{
        static const gsize CHUNKS[] = {100, 4096, 16384, 65536};
        g_autofree guint8 *octets = octets_make(WRITER_MEMORY_MAX + 1, 5);

        for (guint i = 0; i < G_N_ELEMENTS(CHUNKS); i++)
                for (gsize len = 4096; len <= WRITER_MEMORY_MAX; len *= 2) {
                        guint before = open_files();
                        BlobWriter *writer = gather(site->blob, octets, len, CHUNKS[i]);
                        g_assert_cmpuint(open_files(), ==, before);
                        blob_writer_free(writer);
                }
        guint before = open_files();
        BlobWriter *writer = gather(site->blob, octets, WRITER_MEMORY_MAX + 1, 4096);
        g_assert_cmpuint(open_files(), ==, before + 1);
        blob_writer_free(writer);
}

static void
test_view(Site *site, gconstpointer data)
{
        static const gsize LENGTHS[] = {0, 100, 65536, 150000};
        g_autofree guint8 *octets = octets_make(150001, 6);

        for (guint i = 0; i < G_N_ELEMENTS(LENGTHS); i++) {
                BlobWriter *writer = gather(site->blob, octets, LENGTHS[i], 1000);
                Span view;
                g_assert_true(blob_writer_view(writer, G_MAXUINT64, &view, NULL));
                g_assert_cmpuint(view.len, ==, LENGTHS[i]);
                g_assert_true(span_equal(view, span_make(octets, LENGTHS[i])));
                g_assert_true(blob_writer_view(writer, 50, &view, NULL));
                g_assert_cmpuint(view.len, ==, MIN(LENGTHS[i], 50));
                g_assert_true(blob_writer_add(writer, span_make(octets + LENGTHS[i], 1), NULL));
                g_assert_true(blob_writer_view(writer, G_MAXUINT64, &view, NULL));
                g_assert_true(span_equal(view, span_make(octets, LENGTHS[i] + 1)));
                BlobPlace place;
                g_assert_true(blob_take_append(writer, span_of("x"), &place, NULL));
                assert_body(site->blob, name(site, &place, 1), "x", octets, LENGTHS[i] + 1);
        }
}

static void
test_too_long(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(BlobWriter) writer = blob_writer_new(site->blob, 10);

        g_assert_true(blob_writer_add(writer, span_of("0123456789"), NULL));
        g_assert_false(blob_writer_is_over(writer));
        g_assert_false(blob_writer_add(writer, span_of("0"), &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        g_assert_true(blob_writer_is_over(writer));
        g_assert_false(blob_writer_add(writer, SPAN_EMPTY, NULL));
        g_assert_cmpuint(blob_writer_size(writer), ==, 10);
        BlobPlace place;
        g_assert_false(blob_take_append(g_steal_pointer(&writer), SPAN_EMPTY, &place, NULL));
}

static void
test_memory_cap(Site *site, gconstpointer data)
{
        enum { WRITERS = 300, LEN = 60000 };
        g_autofree guint8 *octets = octets_make(LEN, 9);
        BlobWriter *writers[WRITERS];

        for (guint i = 0; i < WRITERS; i++)
                writers[i] = gather(site->blob, octets, LEN, 10000);
        g_assert_cmpuint(site->blob->memory, <=, WRITERS_MEMORY_MAX + WRITERS * WRITER_MEMORY_MIN);
        for (guint i = 0; i < WRITERS; i++) {
                Span view;
                g_assert_true(blob_writer_view(writers[i], G_MAXUINT64, &view, NULL));
                g_assert_true(span_equal(view, span_make(octets, LEN)));
                blob_writer_free(writers[i]);
        }
        g_assert_cmpuint(site->blob->memory, ==, 0);
}

static void
test_references(Site *site, gconstpointer data)
{
        g_autofree guint8 *octets = octets_make(10, 1);
        BlobPlace place = append(site->blob, "", octets, 10);
        gint64 body = name(site, &place, 2);
        g_autoptr(GError) error = NULL;

        DbTxn *txn = db_begin(site->db, NULL);
        g_assert_true(blob_ref(txn, body, 3, NULL));
        g_assert_cmpint(db_take_commit(txn, NULL), ==, DB_COMMITTED);
        unref(site, body, 1);
        unref(site, body, 3);
        assert_body(site->blob, body, "", octets, 10);
        unref(site, body, 1);
        g_assert_null(blob_body_open(site->blob, body, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INTERNAL);
        txn = db_begin(site->db, NULL);
        g_assert_false(blob_ref(txn, body, 1, NULL));
        g_assert_false(blob_unref(txn, body, 1, NULL));
        db_txn_free(txn);
}

static void
test_ids_are_not_used_again(Site *site, gconstpointer data)
{
        gint64 first = put(site, 10, 1);

        unref(site, first, 1);
        g_assert_cmpint(put(site, 10, 2), !=, first);
        g_assert_null(blob_body_open(site->blob, first, NULL));
}

static void
test_wrong_place(Site *site, gconstpointer data)
{
        g_autofree guint8 *octets = octets_make(100, 1);
        BlobPlace a = append(site->blob, "", octets, 100), b = append(site->blob, "", octets, 50);
        gint64 id_a = name(site, &a, 1), id_b = name(site, &b, 1);
        guint8 got[100];

        /* b's place with a's id: what must come is a */
        g_autoptr(BlobBody) body = blob_body_at(site->blob, id_a, &b, NULL);
        g_assert_nonnull(body);
        g_assert_cmpuint(blob_body_size(body), ==, 100);
        g_assert_true(blob_body_read(body, 0, got, 100, NULL));
        g_assert_true(memcmp(got, octets, 100) == 0);
        BlobPlace nowhere = {.segment = 999, .offset = 1u << 30, .stored = 5, .size = 5};
        g_autoptr(BlobBody) again = blob_body_at(site->blob, id_b, &nowhere, NULL);
        g_assert_cmpuint(blob_body_size(again), ==, 50);
}

/* Several at once; what is not there has no place, and is not there. */
static void
test_places(Site *site, gconstpointer data)
{
        static const gsize sizes[] = {0, 1, 5000, (16 << 10) - 64, (16 << 10) - 63, 70000};
        const guint n = G_N_ELEMENTS(sizes);
        gint64 ids[G_N_ELEMENTS(sizes) + 1];
        BlobPlace places[G_N_ELEMENTS(sizes) + 1];

        for (guint i = 0; i < n; i++)
                ids[i] = put(site, sizes[i], i + 1);
        ids[n] = ids[0] + 1000;
        g_assert_true(blob_places(site->blob, ids, n + 1, places, NULL));
        for (guint i = 0; i < n; i++) {
                g_autofree guint8 *octets = octets_make(sizes[i], i + 1), *got = g_malloc(sizes[i] + 1);
                g_autoptr(BlobBody) body = blob_body_at(site->blob, ids[i], &places[i], NULL);
                g_assert_cmpuint(blob_body_size(body), ==, 16 + sizes[i]);
                for (gsize at = 0, step; at < sizes[i]; at += step) {
                        step = MIN(3001, sizes[i] - at);
                        g_assert_true(blob_body_read(body, 16 + at, got + at, step, NULL));
                }
                g_assert_cmpint(memcmp(got, octets, sizes[i]), ==, 0);
        }
        g_assert_null(blob_body_at(site->blob, ids[n], &places[n], NULL));
}

static void
test_late_name(Site *site, gconstpointer data)
{
        BlobPlace place = append(site->blob, "late", NULL, 0);
        g_autoptr(DbTxn) txn = db_begin(site->db, NULL);
        g_autoptr(GError) error = NULL;
        gint64 body = 0;

        place.appended_at = clock_monotonic() - NAME_AGE_MAX - 1;
        g_assert_false(blob_name(txn, &place, 1, SPAN_EMPTY, &body, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_TIMEOUT);
}

/* ---- crashes ---- */

/* Three named bodies, then one appended and not named, of which a crash leaves the octets before `cut`. */
static void
torn_at(const Site *site, const gint64 *ids, guint64 cut, gboolean is_truncated)
{
        Crash crash = crash_of(site);
        int fd = open(crash.segment, O_RDWR | O_CLOEXEC);
        struct stat st;

        g_assert_cmpint(fstat(fd, &st), ==, 0);
        if (is_truncated)
                g_assert_cmpint(ftruncate(fd, (off_t) cut), ==, 0);
        else
                g_assert_true(blob_file_zero(fd, cut, (guint64) st.st_size));
        close(fd);
        site_open(&crash.site);
        gint64 more = put(&crash.site, 3000, 77);
        for (guint i = 0; i < 3; i++)
                assert_put(&crash.site, ids[i], 1000 + i, i);
        assert_put(&crash.site, more, 3000, 77);
        crash_done(&crash);
}

static void
test_torn_tail(Site *site, gconstpointer data)
{
        g_autofree guint8 *octets = octets_make(5000, 50);
        gint64 ids[3];

        for (guint i = 0; i < 3; i++)
                ids[i] = put(site, 1000 + i, i);
        BlobPlace torn = append(site->blob, "", octets, 5000);
        for (guint64 cut = torn.offset; cut < torn.offset + torn.stored + 512; cut += 512) {
                torn_at(site, ids, cut, FALSE);
                torn_at(site, ids, cut, TRUE);
        }
}

/* The pages of two records may reach the disk in any order: a hole, then a whole record, must not stop the next append.
 */
static void
test_hole_is_overwritten(Site *site, gconstpointer data)
{
        g_autofree guint8 *octets = octets_make(3000, 50);
        gint64 kept = put(site, 1000, 1);
        BlobPlace hole = append(site->blob, "", octets, 3000);
        append(site->blob, "", octets, 3000);
        Crash crash = crash_of(site);
        int fd = open(crash.segment, O_RDWR | O_CLOEXEC);

        g_assert_true(blob_file_zero(fd, hole.offset, hole.offset + hole.stored));
        close(fd);
        site_open(&crash.site);
        BlobPlace next = append(crash.site.blob, "", octets, 3000);
        g_assert_cmpuint(next.offset, ==, hole.offset);
        assert_body(crash.site.blob, name(&crash.site, &next, 1), "", octets, 3000);
        assert_put(&crash.site, kept, 1000, 1);
        crash_done(&crash);
}

static void
test_whole_unnamed_record_stays(Site *site, gconstpointer data)
{
        gint64 kept = put(site, 1000, 1);
        BlobPlace unnamed = append(site->blob, "not named", NULL, 0);
        Crash crash = crash_of(site);

        site_open(&crash.site);
        BlobPlace next = append(crash.site.blob, "", NULL, 0);
        g_assert_cmpuint(next.offset, ==, unnamed.offset + unnamed.stored);
        assert_put(&crash.site, kept, 1000, 1);
        crash_done(&crash);
}

/* A body that looks like a record, behind a torn one: it must never be taken for a named one. */
static void
test_crafted_record(Site *site, gconstpointer data)
{
        guint8 forged[RECORD_HEAD_OCTETS * 2] = {0};
        gint64 kept = put(site, 1000, 1);
        RecordHead head = {.length = RECORD_HEAD_OCTETS, .size = RECORD_HEAD_OCTETS, .id = (guint64) kept};
        Span rest = span_make(forged + RECORD_HEAD_OCTETS, RECORD_HEAD_OCTETS);

        head.checksum = record_checksum(&head, &rest, 1);
        record_head_write(&head, forged);
        BlobPlace place = append(site->blob, "", forged, sizeof forged);
        Crash crash = crash_of(site);
        int fd = open(crash.segment, O_RDWR | O_CLOEXEC);
        g_assert_true(blob_file_zero(fd, place.offset, place.offset + RECORD_HEAD_OCTETS));
        close(fd);
        site_open(&crash.site);
        gint64 next = put(&crash.site, 10, 2);
        assert_put(&crash.site, next, 10, 2);
        assert_put(&crash.site, kept, 1000, 1);
        crash_done(&crash);
}

static void
test_torn_creation(Site *site, gconstpointer data)
{
        gint64 kept = put(site, 1000, 1);
        g_autofree char *torn = g_build_filename(site->dir, "segments", "00000002.seg", NULL);
        guint64 freed = 1;

        site_close(site);
        g_assert_true(g_file_set_contents(torn, "", 0, NULL));
        site_open(site);
        assert_put(site, kept, 1000, 1);
        g_assert_cmpuint(append(site->blob, "", NULL, 0).segment, ==, 1);
        g_assert_true(blob_compact(site->blob, &freed, NULL));
        g_assert_false(g_file_test(torn, G_FILE_TEST_EXISTS));
}

/* ---- many at once ---- */

enum { DELIVERERS = 16, DELIVERIES = 60 };

typedef struct Deliverer {
        Site *site;
        guint number;
        gint64 ids[DELIVERIES];
} Deliverer;

static gsize
delivery_len(guint number, guint i)
{
        return i % 20 == 19 ? 100000 : 500 + number * 37 + i;
}

static void
deliver(gpointer data)
{
        Deliverer *me = data;

        for (guint i = 0; i < DELIVERIES; i++) {
                me->ids[i] = put(me->site, delivery_len(me->number, i), me->number * 1000 + i);
                if (i > 0)
                        assert_put(me->site, me->ids[i - 1], delivery_len(me->number, i - 1),
                                   me->number * 1000 + i - 1);
        }
}

static void
test_concurrent(Site *site, gconstpointer data)
{
        g_autofree Deliverer *deliverers = g_new0(Deliverer, DELIVERERS);
        Thread *threads[DELIVERERS];
        BlobStats stats;

        for (guint i = 0; i < DELIVERERS; i++) {
                deliverers[i].site = site;
                deliverers[i].number = i;
                threads[i] = thread_new("deliver", deliver, &deliverers[i], NULL);
        }
        for (guint i = 0; i < DELIVERERS; i++)
                thread_take_join(threads[i]);
        blob_stats(site->blob, &stats);
        g_assert_cmpuint(stats.appends, ==, DELIVERERS * DELIVERIES);
        g_assert_cmpuint(stats.syncs, <, stats.appends);
        site_close(site);
        site_open(site);
        for (guint i = 0; i < DELIVERERS; i++)
                for (guint j = 0; j < DELIVERIES; j++)
                        assert_put(site, deliverers[i].ids[j], delivery_len(i, j), i * 1000 + j);
}

static void
complain(gpointer data, const char *text)
{
        g_string_append((GString *) data, text);
}

/* What a child acknowledged before it was killed. */
typedef struct Ack {
        gint64 id;
        guint64 len;
        guint32 seed;
} Ack;

enum { KILL_THREADS = 8, KILL_ROUNDS = 6, KILL_ACKS = 150 };

typedef struct Doomed {
        Site *site;
        int acks;
        guint32 seed;
} Doomed;

static void
deliver_until_killed(gpointer data)
{
        Doomed *me = data;

        for (;; me->seed += KILL_THREADS) {
                Ack ack = {.len = me->seed % 40 == 39 ? 1200000 : 300 + me->seed % 9000, .seed = me->seed};
                ack.id = put(me->site, ack.len, ack.seed);
                g_assert_cmpint(write(me->acks, &ack, sizeof ack), ==, sizeof ack);
        }
}

static void
child_run(const Site *site, int acks, guint32 seed)
{
        Site mine = {site->dir, NULL, NULL};
        Doomed doomed[KILL_THREADS];

        site_open(&mine);
        for (guint i = 0; i < KILL_THREADS; i++) {
                doomed[i] = (Doomed){&mine, acks, seed + i};
                g_assert_nonnull(thread_new("doomed", deliver_until_killed, &doomed[i], NULL));
        }
        pause();
}

/* Kill a child in the middle of its deliveries, after some acknowledgements; gather all it made. */
static void
child_kill(const Site *site, guint32 seed, GArray *acks)
{
        int fds[2], status;
        Ack ack;

        g_assert_cmpint(pipe(fds), ==, 0);
        pid_t child = fork();
        if (child == 0) {
                close(fds[0]);
                child_run(site, fds[1], seed);
        }
        close(fds[1]);
        for (guint n = 0; read(fds[0], &ack, sizeof ack) == sizeof ack; n++) {
                g_array_append_val(acks, ack);
                if (n == KILL_ACKS + seed % 7)
                        kill(child, SIGKILL);
        }
        close(fds[0]);
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
test_killed(Site *site, gconstpointer data)
{
        g_autoptr(GArray) acks = g_array_new(FALSE, FALSE, sizeof(Ack));
        g_autoptr(GString) complaints = g_string_new(NULL);
        BlobVerified verified;

        for (guint32 round = 0; round < KILL_ROUNDS; round++) {
                site_close(site);
                child_kill(site, round * 100003, acks);
                site_open(site);
                g_assert_false(db_was_clean(site->db));
                for (guint i = 0; i < acks->len; i++) {
                        const Ack *ack = &g_array_index(acks, Ack, i);
                        assert_put(site, ack->id, ack->len, ack->seed);
                }
                g_assert_true(blob_verify(site->blob, complain, complaints, &verified, NULL));
                g_assert_cmpstr(complaints->str, ==, "");
                g_assert_cmpuint(verified.bodies, >=, acks->len);
                g_assert_cmpuint(verified.bodies, <=, acks->len + (round + 1) * KILL_THREADS);
        }
        g_assert_null(db_integrity(site->db, NULL));
}

/* ---- segments full, dead and gone ---- */

enum { LARGE = 1000000, PER_SEGMENT = 67, MANY = 140 };

static void
fill_segments(Site *site, gint64 ids[MANY])
{
        for (guint i = 0; i < MANY; i++)
                ids[i] = put(site, LARGE, i);
}

static void
sealed_long_ago(Blob *blob)
{
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, blob->sealed_at);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                *(Usec *) value -= DROP_AGE_MIN;
}

static gboolean
segment_exists(const Site *site, guint32 number)
{
        char file[16];

        segment_name(number, file);
        g_autofree char *path = g_build_filename(site->dir, "segments", file, NULL);
        return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void
test_compaction(Site *site, gconstpointer data)
{
        gint64 ids[MANY];
        guint64 freed = 0;

        fill_segments(site, ids);
        g_assert_true(segment_exists(site, 1) && segment_exists(site, 2) && segment_exists(site, 3));
        g_assert_true(blob_compact(site->blob, &freed, NULL));
        g_assert_cmpuint(freed, ==, 0);
        for (guint i = 0; i < PER_SEGMENT - 5; i++)
                unref(site, ids[i], 1);
        g_assert_true(blob_compact(site->blob, &freed, NULL));
        g_assert_cmpuint(freed, ==, 0); /* sealed just now: some of it may still be named */
        sealed_long_ago(site->blob);

        g_autoptr(BlobBody) reader = blob_body_open(site->blob, ids[PER_SEGMENT - 2], NULL);
        g_autofree guint8 *octets = octets_make(LARGE, PER_SEGMENT - 2);
        g_autofree guint8 *got = g_malloc(LARGE);
        g_assert_true(blob_compact(site->blob, &freed, NULL));
        g_assert_cmpuint(freed, >, 60 << 20);
        g_assert_true(segment_exists(site, 1)); /* pinned */
        g_assert_true(blob_body_read(reader, 16, got, LARGE, NULL));
        g_assert_true(memcmp(octets, got, LARGE) == 0);
        g_clear_pointer(&reader, blob_body_close);
        g_assert_false(segment_exists(site, 1));

        g_assert_true(blob_compact(site->blob, &freed, NULL));
        g_assert_cmpuint(freed, ==, 0);
        for (guint round = 0; round < 2; round++) {
                for (guint i = PER_SEGMENT - 5; i < MANY; i += 7)
                        assert_put(site, ids[i], LARGE, i);
                g_assert_null(blob_body_open(site->blob, ids[0], NULL));
                site_close(site);
                site_open(site);
        }
}

static void
test_compaction_compresses(Site *site, gconstpointer data)
{
        g_autofree guint8 *dull = g_malloc(200000);
        gint64 ids[MANY], id;
        guint64 freed = 0;

        memset(dull, 'x', 200000);
        dull[100000] = 'y';
        BlobPlace place = append(site->blob, "head", dull, 200000);
        id = name(site, &place, 1);
        fill_segments(site, ids);
        for (guint i = 0; i < MANY; i++)
                unref(site, ids[i], 1);
        sealed_long_ago(site->blob);
        g_assert_true(blob_compact(site->blob, &freed, NULL));
        g_assert_cmpuint(freed, >, 0);
        assert_body(site->blob, id, "head", dull, 200000);
        g_autoptr(BlobBody) body = blob_body_open(site->blob, id, NULL);
        g_assert_cmpuint(body_head(body)->flags, ==, RECORD_ZSTD);
        g_assert_cmpuint(body_head(body)->length, <, 10000);
}

static void
test_unnamed_single_is_dropped_later(Site *site, gconstpointer data)
{
        g_autofree guint8 *octets = octets_make(2 << 20, 1);
        BlobPlace place = append(site->blob, "", octets, 2 << 20);
        guint64 freed = 0;

        g_assert_true(blob_compact(site->blob, &freed, NULL));
        g_assert_true(segment_exists(site, place.segment));
        sealed_long_ago(site->blob);
        g_assert_true(blob_compact(site->blob, &freed, NULL));
        g_assert_cmpuint(freed, >, 2 << 20);
        g_assert_false(segment_exists(site, place.segment));
}

static void
test_verify(Site *site, gconstpointer data)
{
        g_autoptr(GString) complaints = g_string_new(NULL);
        gint64 good = put(site, 5000, 1), bad = put(site, 5000, 2);
        BlobVerified verified;

        g_assert_true(blob_verify(site->blob, complain, complaints, &verified, NULL));
        g_assert_cmpuint(verified.bodies, ==, 2);
        g_assert_cmpuint(verified.damaged, ==, 0);
        g_assert_cmpstr(complaints->str, ==, "");

        Segment *segment = segment_pin(site->blob, 1, NULL);
        guint8 octet;
        g_assert_true(blob_file_read(segment->fd, SEGMENT_HEAD_OCTETS + 5072 + 500, &octet, 1));
        octet ^= 1;
        struct iovec part = {&octet, 1};
        g_assert_true(blob_file_write(segment->fd, SEGMENT_HEAD_OCTETS + 5072 + 500, &part, 1));
        segment_unpin(site->blob, segment);
        g_assert_true(blob_verify(site->blob, complain, complaints, &verified, NULL));
        g_assert_cmpuint(verified.damaged, ==, 1);
        g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, bad);
        g_assert_nonnull(strstr(complaints->str, text));
        assert_put(site, good, 5000, 1);
}

static void
test_open_files_are_few(Site *site, gconstpointer data)
{
        for (guint32 i = 100; i < 100 + OPEN_SEGMENTS_MAX + 20; i++)
                segment_unpin(site->blob, segment_create(site->blob, i, NULL));
        g_assert_cmpuint(g_hash_table_size(site->blob->open), <=, OPEN_SEGMENTS_MAX);
        Segment *first = segment_pin(site->blob, 100, NULL);
        g_assert_nonnull(first);
        segment_unpin(site->blob, first);
        g_assert_cmpuint(g_hash_table_size(site->blob->open), <=, OPEN_SEGMENTS_MAX);
}

/* No room is an answer, what was there stays readable, and with room again it goes on. */
static void
test_no_room(Site *site, gconstpointer data)
{
        struct rlimit before, small = {3 << 20, RLIM_INFINITY};
        g_autoptr(GError) error = NULL;
        gint64 kept = put(site, 1000, 1);
        BlobPlace place;

        signal(SIGXFSZ, SIG_IGN);
        g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
        small.rlim_max = before.rlim_max;
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
        g_autofree guint8 *octets = octets_make(LARGE, 1);
        for (guint i = 0; i < 10 && error == NULL; i++)
                (void) !blob_take_append(gather(site->blob, octets, LARGE, 50000), SPAN_EMPTY, &place, &error);
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
        assert_put(site, kept, 1000, 1);
        assert_put(site, put(site, LARGE, 3), LARGE, 3);
}

static void
test_head_formats(void)
{
        guint8 octets[RECORD_HEAD_OCTETS];
        RecordHead head = {.length = 10, .size = 10, .id = 7, .checksum = 99}, got;

        record_head_write(&head, octets);
        g_assert_true(record_head_read(span_make(octets, sizeof octets), &got));
        g_assert_true(got.flags == 0 && got.length == 10 && got.size == 10 && got.id == 7 && got.checksum == 99);
        g_assert_false(record_head_read(span_make(octets, sizeof octets - 1), &got));
        head.length = 11;
        record_head_write(&head, octets);
        g_assert_false(record_head_read(span_make(octets, sizeof octets), &got));
        head = (RecordHead){.flags = RECORD_ZSTD, .length = 10, .size = SINGLE_MIN_OCTETS + 1};
        record_head_write(&head, octets);
        g_assert_false(record_head_read(span_make(octets, sizeof octets), &got));
        head = (RecordHead){.flags = 2, .length = 10, .size = 10};
        record_head_write(&head, octets);
        g_assert_false(record_head_read(span_make(octets, sizeof octets), &got));
        head = (RecordHead){.length = G_MAXUINT64, .size = G_MAXUINT64};
        record_head_write(&head, octets);
        g_assert_false(record_head_read(span_make(octets, sizeof octets), &got));
}

static void
test_names(void)
{
        guint32 number = 0;

        g_assert_true(segment_parse_name("00000012.seg", &number));
        g_assert_cmpuint(number, ==, 12);
        g_assert_true(segment_parse_name("123456789.seg", &number));
        g_assert_false(segment_parse_name("00000000.seg", &number));
        g_assert_false(segment_parse_name("12.seg", &number));
        g_assert_false(segment_parse_name("00000012.seg~", &number));
        g_assert_false(segment_parse_name("99999999999.seg", &number));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/blob/record-head-refuses-what-it-does-not-know", test_head_formats);
        g_test_add_func("/blob/segment-names", test_names);
        site_test("/blob/bodies-of-all-sizes-come-back-and-survive-reopening", test_come_back);
        site_test("/blob/empty-body", test_empty_body);
        site_test("/blob/large-body-has-its-own-segment", test_single_segment);
        site_test("/blob/chunks-of-any-size", test_chunks);
        site_test("/blob/spool-file-only-beyond-64-KiB", test_memory_first);
        site_test("/blob/view-is-contiguous", test_view);
        site_test("/blob/longer-than-the-limit-is-remembered", test_too_long);
        site_test("/blob/memory-of-all-writers-is-capped", test_memory_cap);
        site_test("/blob/references", test_references);
        site_test("/blob/ids-are-not-used-again", test_ids_are_not_used_again);
        site_test("/blob/stale-place-is-looked-up-once-more", test_wrong_place);
        site_test("/blob/places-of-several-and-short-bodies-in-one-read", test_places);
        site_test("/blob/late-name-is-refused", test_late_name);
        site_test("/blob/crash/torn-tail-at-every-sector", test_torn_tail);
        site_test("/blob/crash/hole-is-overwritten", test_hole_is_overwritten);
        site_test("/blob/crash/whole-unnamed-record-stays", test_whole_unnamed_record_stays);
        site_test("/blob/crash/body-that-looks-like-a-record", test_crafted_record);
        site_test("/blob/crash/torn-creation-of-a-segment", test_torn_creation);
        site_test("/blob/crash/killed-in-the-middle-of-deliveries", test_killed);
        site_test("/blob/sixteen-threads-deliver-and-read", test_concurrent);
        site_test("/blob/compaction-moves-the-living-and-waits-for-readers", test_compaction);
        site_test("/blob/compaction-compresses-where-it-pays", test_compaction_compresses);
        site_test("/blob/unnamed-single-is-dropped-only-when-old", test_unnamed_single_is_dropped_later);
        site_test("/blob/verify-finds-the-damaged-body", test_verify);
        site_test("/blob/open-files-are-few", test_open_files_are_few);
        site_test("/blob/no-room-is-an-answer", test_no_room);
        return g_test_run();
}

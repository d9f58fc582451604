/* fixture.h -- a site of its own for tests of this room, bodies that can be told apart, and what a power cut leaves. */
#pragma once

#include "blob/internal.h"

#include "base/testing.h"

#include <glib/gstdio.h>

#define site_test(path, fn) g_test_add(path, Site, NULL, site_init, fn, site_done)

typedef struct Site {
        char *dir;
        Db *db;
        Blob *blob;
} Site;

G_GNUC_UNUSED static void
site_open(Site *site)
{
        g_autoptr(GError) error = NULL;

        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        site->blob = blob_open(site->dir, site->db, &error);
        g_assert_no_error(error);
}

G_GNUC_UNUSED static void
site_close(Site *site)
{
        g_clear_pointer(&site->blob, blob_close);
        g_clear_pointer(&site->db, db_close);
}

G_GNUC_UNUSED static void
site_init(Site *site, gconstpointer data)
{
        site->dir = test_dir_make();
        site_open(site);
}

G_GNUC_UNUSED static void
site_done(Site *site, gconstpointer data)
{
        site_close(site);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

/* Octets that differ from place to place and from body to body, and don't shrink. */
G_GNUC_UNUSED static guint8 *
octets_make(gsize len, guint32 seed)
{
        guint8 *octets = g_malloc(len + 1);
        guint32 x = seed * 2654435761u + 1;

        for (gsize i = 0; i < len; i++) {
                x = x * 1664525u + 1013904223u;
                octets[i] = (guint8) (x >> 24);
        }
        return octets;
}

G_GNUC_UNUSED static BlobWriter *
gather(Blob *blob, const guint8 *octets, gsize len, gsize chunk)
{
        BlobWriter *writer = blob_writer_new(blob, G_MAXINT64);
        g_autoptr(GError) error = NULL;

        for (gsize at = 0; at < len; at += chunk) {
                g_assert_true(blob_writer_add(writer, span_make(octets + at, MIN(chunk, len - at)), &error));
                g_assert_no_error(error);
        }
        return writer;
}

G_GNUC_UNUSED static BlobPlace
append(Blob *blob, const char *head, const guint8 *octets, gsize len)
{
        g_autoptr(GError) error = NULL;
        BlobPlace place;

        g_assert_true(blob_take_append(gather(blob, octets, len, 1000), span_of(head), &place, &error));
        g_assert_no_error(error);
        return place;
}

G_GNUC_UNUSED static gint64
name(Site *site, const BlobPlace *place, gint64 refs)
{
        g_autoptr(GError) error = NULL;
        gint64 body = 0;

        blob_sync(site->blob, place);
        DbTxn *txn = db_begin(site->db, &error);
        g_assert_no_error(error);
        g_assert_true(blob_name(txn, place, refs, SPAN_EMPTY, &body, &error));
        g_assert_no_error(error);
        g_assert_cmpint(db_take_commit(txn, NULL), ==, DB_COMMITTED);
        return body;
}

G_GNUC_UNUSED static gint64
put(Site *site, gsize len, guint32 seed)
{
        g_autofree guint8 *octets = octets_make(len, seed);
        BlobPlace place = append(site->blob, "Received: here\r\n", octets, len);

        return name(site, &place, 1);
}

G_GNUC_UNUSED static void
unref(Site *site, gint64 body, gint64 fewer)
{
        DbTxn *txn = db_begin_freeing(site->db, NULL);

        g_assert_true(blob_unref(txn, body, fewer, NULL));
        g_assert_cmpint(db_take_commit(txn, NULL), ==, DB_COMMITTED);
}

G_GNUC_UNUSED static void
assert_body(Blob *blob, gint64 id, const char *head, const guint8 *octets, gsize len)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(BlobBody) body = blob_body_open(blob, id, &error);
        gsize head_len = strlen(head), all = head_len + len;
        g_autofree guint8 *got = g_malloc(all + 1);

        g_assert_no_error(error);
        g_assert_cmpuint(blob_body_size(body), ==, all);
        g_assert_true(blob_body_read(body, 0, got, all, &error));
        g_assert_true(memcmp(got, head, head_len) == 0);
        g_assert_true(len == 0 || memcmp(got + head_len, octets, len) == 0);
        g_assert_true(blob_body_check(body, &error));
        g_assert_no_error(error);
        g_assert_false(blob_body_read(body, all, got, 1, NULL));
        g_assert_false(blob_body_read(body, G_MAXUINT64, got, 1, NULL));
        g_assert_true(blob_body_read(body, all, got, 0, NULL));
        if (all > 1) {
                g_assert_true(blob_body_read(body, all - 1, got, 1, NULL));
                g_assert_cmpuint(got[0], ==, len > 0 ? octets[len - 1] : (guint8) head[head_len - 1]);
        }
}

G_GNUC_UNUSED static void
assert_put(Site *site, gint64 id, gsize len, guint32 seed)
{
        g_autofree guint8 *octets = octets_make(len, seed);

        assert_body(site->blob, id, "Received: here\r\n", octets, len);
}

G_GNUC_UNUSED static void
file_copy(const char *from, const char *to)
{
        g_autofree char *octets = NULL;
        gsize len = 0;

        g_assert_true(g_file_get_contents(from, &octets, &len, NULL));
        g_assert_true(g_file_set_contents(to, octets, (gssize) len, NULL));
}

G_GNUC_UNUSED static void
tree_copy(const char *from, const char *to)
{
        GDir *dir = g_dir_open(from, 0, NULL);

        g_mkdir(to, 0700);
        for (const char *entry; (entry = g_dir_read_name(dir)) != NULL;) {
                g_autofree char *source = g_build_filename(from, entry, NULL);
                g_autofree char *target = g_build_filename(to, entry, NULL);
                if (g_file_test(source, G_FILE_TEST_IS_DIR))
                        tree_copy(source, target);
                else
                        file_copy(source, target);
        }
        g_dir_close(dir);
}

typedef struct Crash {
        Site site;
        char *segment; /* path of the first one */
} Crash;

/* What a power cut would leave, if everything had reached the disk. */
G_GNUC_UNUSED static Crash
crash_of(const Site *site)
{
        Crash crash = {{test_dir_make(), NULL, NULL}, NULL};

        tree_copy(site->dir, crash.site.dir);
        crash.segment = g_build_filename(crash.site.dir, "segments", "00000001.seg", NULL);
        return crash;
}

G_GNUC_UNUSED static void
crash_done(Crash *crash)
{
        site_done(&crash->site, NULL);
        g_free(crash->segment);
}

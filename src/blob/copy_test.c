/* copy_test.c -- a copy is its prefix and what the cuts leave of the body, to the octet, however it is read. */
#include "blob/copy.h"

#include "base/testing.h"


#define BODY "Received: ours\r\nX-Rcpt-To: evil@ex.org\r\nSubject: hello\r\nReturn-Path: <x@y>\r\n\r\nbody\r\n"

/* What the copy reads as, asked for in pieces of so many octets. */
static char *
read_all(const Copy *copy, BlobBody *body, gsize piece)
{
        g_autoptr(GError) error = NULL;
        GString *text = g_string_new(NULL);
        CopyReader reader = {.copy = copy, .opened = body};
        char buffer[256];
        gssize n;

        while ((n = copy_read(&reader, buffer, MIN(piece, sizeof(buffer)), &error)) > 0)
                g_string_append_len(text, buffer, n);
        g_assert_no_error(error);
        g_assert_cmpint(n, ==, 0);
        g_assert_cmpuint(copy_size(copy), ==, text->len);
        return g_string_free(text, FALSE);
}

static void
check_copy(BlobBody *body, const char *prefix, const Cut *cuts, guint n_cuts, const char *expected)
{
        Copy copy = {.body_size = blob_body_size(body), .prefix = span_of(prefix), .cuts = cuts, .n_cuts = n_cuts};

        for (gsize piece = 1; piece <= 256; piece += piece < 30 ? 1 : 57) {
                g_autofree char *text = read_all(&copy, body, piece);
                g_assert_cmpstr(text, ==, expected);
        }
}

static void
test_reading(void)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *dir = test_dir_make();
        Db *db = db_open(dir, &error);
        Blob *blob = blob_open(dir, db, &error);
        BlobPlace place;
        gint64 id;

        g_assert_no_error(error);
        BlobWriter *writer = blob_writer_new(blob, 1000);
        g_assert_true(blob_writer_add(writer, span_of(BODY), &error));
        g_assert_true(blob_take_append(writer, SPAN_EMPTY, &place, &error));
        blob_sync(blob, &place);
        DbTxn *txn = db_begin(db, &error);
        g_assert_true(blob_name(txn, &place, 1, SPAN_EMPTY, &id, &error));
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);

        BlobBody *body = blob_body_open(blob, id, &error);
        g_assert_no_error(error);
        check_copy(body, "", NULL, 0, BODY);
        check_copy(body, "Return-Path: <a@b>\r\n", NULL, 0, "Return-Path: <a@b>\r\n" BODY);
        const Cut middle[] = {{16, 24}, {56, 20}};
        check_copy(body, "P: 1\r\n", middle, 2, "P: 1\r\nReceived: ours\r\nSubject: hello\r\n\r\nbody\r\n");
        const Cut first[] = {{0, 40}};
        check_copy(body, "", first, 1, "Subject: hello\r\nReturn-Path: <x@y>\r\n\r\nbody\r\n");
        const Cut last[] = {{(guint32) strlen(BODY) - 6, 6}};
        check_copy(body, "P: 1\r\n", last, 1,
                   "P: 1\r\nReceived: ours\r\nX-Rcpt-To: evil@ex.org\r\nSubject: hello\r\n"
                   "Return-Path: <x@y>\r\n\r\n");
        const Cut everything[] = {{0, (guint32) strlen(BODY)}};
        check_copy(body, "", everything, 1, "");

        blob_body_close(body);
        blob_close(blob);
        db_close(db);
        test_dir_remove(dir);
}

static void
test_stored_cuts(void)
{
        g_autoptr(Arena) arena = arena_new(4096);
        Cut cuts[COPY_CUTS_MAX];
        const Cut *read;
        guint n;

        for (guint i = 0; i < COPY_CUTS_MAX; i++)
                cuts[i] = (Cut){i * 1000 + i, 100 + i};
        Span stored = copy_encode_cuts(arena, cuts, COPY_CUTS_MAX);
        g_assert_true(copy_decode_cuts(arena, stored, 40000, &read, &n));
        g_assert_cmpuint(n, ==, COPY_CUTS_MAX);
        g_assert_true(memcmp(read, cuts, sizeof(cuts)) == 0);
        g_assert_false(copy_decode_cuts(arena, stored, 31000, &read, &n));
        g_assert_cmpuint(copy_encode_cuts(arena, NULL, 0).len, ==, 0);
        g_assert_true(copy_decode_cuts(arena, SPAN_EMPTY, 0, &read, &n));
        g_assert_cmpuint(n, ==, 0);
}

static void
test_damaged_cuts(void)
{
        static const struct {
                const char *octets;
                gsize len;
        } DAMAGED[] = {
                {"\x00\x00", 2},                                      /* a cut of nothing      */
                {"\x05", 1},                                          /* half a cut            */
                {"\x65\x01", 2},                                      /* begins behind the end */
                {"\x00\x65", 2},                                      /* ends behind it        */
                {"\x01\x60\x01\x60", 4},                              /* the second one does   */
                {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", 11}, /* 2^64 - 1              */
                {"\x80\x80", 2},
        };
        Cut cuts[COPY_CUTS_MAX];
        guint8 many[2 * (COPY_CUTS_MAX + 1)];
        guint n;

        for (gsize i = 0; i < G_N_ELEMENTS(DAMAGED); i++)
                g_assert_false(copy_get_cuts(span_make(DAMAGED[i].octets, DAMAGED[i].len), 100, cuts, &n));
        memset(many, 1, sizeof(many));
        g_assert_true(copy_get_cuts(span_make(many, sizeof(many) - 2), 1000, cuts, &n));
        g_assert_cmpuint(n, ==, COPY_CUTS_MAX);
        g_assert_false(copy_get_cuts(span_make(many, sizeof(many)), 1000, cuts, &n));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/blob/copy/prefix-and-body-without-cuts-in-pieces-of-any-size", test_reading);
        g_test_add_func("/blob/copy/stored-cuts-come-back", test_stored_cuts);
        g_test_add_func("/blob/copy/damaged-cuts-are-refused", test_damaged_cuts);
        return g_test_run();
}

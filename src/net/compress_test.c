/* compress_test.c -- compressed streams over a socket pair, with zlib at the other end. */
#include "net/stream_io.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

typedef struct Far {
        Stream *stream;
        int fd;
        z_stream deflate, inflate;
} Far;

static void
far_open(Far *f)
{
        int fds[2];

        *f = (Far){.fd = -1};
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
        f->stream = stream_take_fd(fds[0]);
        f->fd = fds[1];
        g_assert_cmpint(deflateInit2(&f->deflate, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), ==, Z_OK);
        g_assert_cmpint(inflateInit2(&f->inflate, -15), ==, Z_OK);
}

static void
far_compress(Far *f)
{
        g_assert_true(stream_prepare_compression(f->stream));
        stream_begin_compression(f->stream);
}

static void
far_close(Far *f)
{
        stream_free(f->stream);
        (void) deflateEnd(&f->deflate);
        (void) inflateEnd(&f->inflate);
        (void) close(f->fd);
}

static void
far_send(Far *f, gconstpointer data, gsize len)
{
        g_assert_cmpint(send(f->fd, data, len, MSG_NOSIGNAL), ==, (gssize) len);
        stream_resume(f->stream);
}

/* What it becomes when it is compressed, with a flush behind it. */
static gsize
far_pack(Far *f, Span text, guint8 *ret, gsize size)
{
        f->deflate.next_in = (guint8 *) text.data;
        f->deflate.avail_in = (uInt) text.len;
        f->deflate.next_out = ret;
        f->deflate.avail_out = (uInt) size;
        g_assert_cmpint(deflate(&f->deflate, Z_SYNC_FLUSH), ==, Z_OK);
        g_assert_cmpuint(f->deflate.avail_out, >, 0);
        return size - f->deflate.avail_out;
}

static void
far_say(Far *f, const char *text)
{
        guint8 packed[4096];

        far_send(f, packed, far_pack(f, span_of(text), packed, sizeof(packed)));
}

/* Everything that has come to the other end, inflated; g_free. */
static char *
far_hear(Far *f)
{
        GString *heard = g_string_new(NULL);
        guint8 wire[4096], room[65536];
        gssize got;

        while ((got = recv(f->fd, wire, sizeof(wire), MSG_DONTWAIT)) > 0) {
                f->inflate.next_in = wire;
                f->inflate.avail_in = (uInt) got;
                while (f->inflate.avail_in > 0) {
                        f->inflate.next_out = room;
                        f->inflate.avail_out = sizeof(room);
                        g_assert_cmpint(inflate(&f->inflate, Z_SYNC_FLUSH), ==, Z_OK);
                        g_string_append_len(heard, (char *) room, sizeof(room) - f->inflate.avail_out);
                }
        }
        return g_string_free(heard, FALSE);
}

static void
assert_line(Far *f, const char *text)
{
        Span line;

        g_assert_cmpint(stream_line(f->stream, 1000, FALSE, &line), ==, STREAM_OK);
        g_assert_true(span_equal(line, span_of(text)));
}

static void
assert_again(Far *f)
{
        Span line;

        g_assert_cmpint(stream_line(f->stream, 1000, FALSE, &line), ==, STREAM_AGAIN);
}

static void
assert_failed(Far *f, const char *reason)
{
        Span line;

        g_assert_cmpint(stream_line(f->stream, 1000, FALSE, &line), ==, STREAM_FAILED);
        g_assert_cmpstr(stream_reason(f->stream), ==, reason);
}

static void
test_both_ways(void)
{
        Far f;

        far_open(&f);
        far_compress(&f);
        assert_again(&f);
        far_say(&f, "one\r\ntw");
        assert_line(&f, "one");
        assert_again(&f);
        stream_rest(f.stream);                  /* half a line survives the park */
        far_say(&f, "o\r\n");
        assert_line(&f, "two");
        stream_printf(f.stream, "* OK %d\r\n", 1);
        g_assert_true(stream_has_output(f.stream));
        g_assert_true(stream_flush(f.stream));
        g_assert_false(stream_has_output(f.stream));
        g_autofree char *heard = far_hear(&f);
        g_assert_cmpstr(heard, ==, "* OK 1\r\n");       /* though nothing comes behind it */
        stream_rest(f.stream);
        stream_printf(f.stream, "* OK %d\r\n", 2);
        g_assert_true(stream_flush(f.stream));
        g_autofree char *more = far_hear(&f);
        g_assert_cmpstr(more, ==, "* OK 2\r\n");
        (void) shutdown(f.fd, SHUT_WR);
        Span line;
        stream_resume(f.stream);
        g_assert_cmpint(stream_line(f.stream, 1000, FALSE, &line), ==, STREAM_CLOSED);
        far_close(&f);
}

/* A slow reader: what the socket does not take stays, and comes out whole. */
static void
test_much(void)
{
        g_autoptr(GString) all = g_string_new(NULL), heard = g_string_new(NULL);
        g_autoptr(GRand) rand = g_rand_new_with_seed(1);
        Far f;

        far_open(&f);
        far_compress(&f);
        for (int i = 0; i < 3000000 / 4; i++)           /* does not compress, and more than a socket holds */
                g_string_append_printf(all, "%04x", g_rand_int_range(rand, 0, 65536));
        gsize sent = 0;
        while (sent < all->len || stream_has_output(f.stream)) {
                while (sent < all->len && !stream_is_full(f.stream)) {
                        gsize piece = MIN(20000, all->len - sent);
                        stream_write(f.stream, span_make(all->str + sent, piece));
                        sent += piece;
                }
                g_assert_true(stream_flush(f.stream));
                stream_rest(f.stream);
                g_autofree char *text = far_hear(&f);
                g_string_append(heard, text);
        }
        g_autofree char *text = far_hear(&f);
        g_string_append(heard, text);
        g_assert_true(g_string_equal(all, heard));
        far_close(&f);
}

static void
test_switch(void)
{
        guint8 packed[1000];
        char plain[100] = "";
        Far f;

        far_open(&f);
        gsize n = far_pack(&f, span_of("b\r\nc\r\n"), packed, sizeof(packed));
        far_send(&f, "a\r\n", 3);
        far_send(&f, packed, n);                /* sent before it could know the answer */
        assert_line(&f, "a");
        g_assert_true(stream_prepare_compression(f.stream));
        g_assert_false(stream_is_compressed(f.stream));
        g_assert_false(stream_prepare_compression(f.stream));
        stream_write(f.stream, span_of("a OK\r\n"));
        stream_begin_compression(f.stream);
        g_assert_true(stream_is_compressed(f.stream));
        g_assert_true(stream_has_unseen(f.stream));
        stream_write(f.stream, span_of("b OK\r\n"));
        assert_line(&f, "b");
        assert_line(&f, "c");
        g_assert_true(stream_flush(f.stream));
        g_assert_cmpint(recv(f.fd, plain, 6, 0), ==, 6);
        g_assert_cmpstr(plain, ==, "a OK\r\n");
        g_autofree char *heard = far_hear(&f);
        g_assert_cmpstr(heard, ==, "b OK\r\n");
        far_close(&f);
}

static void
test_injected(void)
{
        Far f;

        far_open(&f);
        far_send(&f, "a COMPRESS DEFLATE\r\nb DELETE Work\r\n", 35);
        assert_line(&f, "a COMPRESS DEFLATE");
        far_compress(&f);
        assert_failed(&f, "the compressed data is damaged");
        far_close(&f);
}

static void
test_hostile(void)
{
        static const guint8 END[] = {3, 0};     /* an empty last block */
        static const guint8 EMPTY[] = {0, 0, 0, 0xff, 0xff};
        Far f;

        far_open(&f);
        far_compress(&f);
        far_send(&f, END, sizeof(END));
        assert_failed(&f, "the compressed data has ended");
        far_close(&f);

        far_open(&f);
        far_compress(&f);
        far_say(&f, "x\r\n");
        far_send(&f, "\xff\xff", 2);
        assert_line(&f, "x");
        assert_failed(&f, "the compressed data is damaged");
        far_close(&f);

        far_open(&f);
        far_compress(&f);
        for (int i = 0; i < 100; i++)
                far_send(&f, EMPTY, sizeof(EMPTY));
        assert_again(&f);
        far_say(&f, "y\r\n");
        assert_line(&f, "y");
        far_close(&f);
}

/* A thousand times smaller on the wire, and the same limits hold. */
static void
test_bomb(void)
{
        g_autofree char *much = g_strnfill(8 * 1024 * 1024, 'x');
        g_autofree guint8 *packed = g_malloc(64 * 1024);
        Span line;
        Far f;

        far_open(&f);
        far_compress(&f);
        gsize n = far_pack(&f, span_of(much), packed, 64 * 1024);
        far_send(&f, packed, n);
        g_assert_cmpint(stream_line(f.stream, 1000, FALSE, &line), ==, STREAM_FAILED);
        g_assert_cmpstr(stream_reason(f.stream), ==, "line too long");
        g_assert_cmpuint(f.stream->in.size, <=, 2 * STREAM_BUFFER_OCTETS);
        far_close(&f);
}

static void
test_limit(void)
{
        static Stream *streams[STREAM_COMPRESSED_MAX];
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (gsize i = 0; i < STREAM_COMPRESSED_MAX; i++) {
                streams[i] = stream_take_fd(dup(fd));
                g_assert_true(stream_prepare_compression(streams[i]));
        }
        Stream *one = stream_take_fd(dup(fd));
        g_assert_false(stream_prepare_compression(one));
        g_assert_false(stream_is_failed(one));
        stream_free(streams[0]);
        g_assert_true(stream_prepare_compression(one));
        stream_free(one);
        for (gsize i = 1; i < STREAM_COMPRESSED_MAX; i++)
                stream_free(streams[i]);
        (void) close(fd);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/net/compress/both-ways-and-at-once RFC 4978 §4", test_both_ways);
        g_test_add_func("/net/compress/much-for-a-slow-reader", test_much);
        g_test_add_func("/net/compress/plain-before-compressed-behind RFC 4978 §3", test_switch);
        g_test_add_func("/net/compress/what-was-slipped-in-plainly-ends-it", test_injected);
        g_test_add_func("/net/compress/damaged-ended-and-empty-data", test_hostile);
        g_test_add_func("/net/compress/bombs-meet-the-usual-limits", test_bomb);
        g_test_add_func("/net/compress/so-many-at-once", test_limit);
        return g_test_run();
}

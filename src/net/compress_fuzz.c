/* compress_fuzz.c -- lines and answers on a compressed stream: one octet for the size of pieces, then what the peer sends. */
#include "net/stream_io.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
answer_lines(Stream *stream)
{
        StreamAnswer answer;
        Span line;

        while ((answer = stream_line(stream, 1000, FALSE, &line)) >= STREAM_TOO_LONG && !stream_is_full(stream)) {
                g_assert(answer == STREAM_TOO_LONG || line.len <= 1000);
                stream_write(stream, span_of("* OK\r\n"));
        }
        g_assert(stream->in.size <= 2 * STREAM_BUFFER_OCTETS);
        (void) stream_flush(stream);
        stream_rest(stream);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        guint8 dust[4096];
        int fds[2];

        if (size < 1 || size > 1024 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
                return 0;
        Span all = span_make(data + 1, size - 1);
        Stream *stream = stream_take_fd(fds[0]);
        g_assert(stream_prepare_compression(stream));
        stream_begin_compression(stream);
        for (gsize sent = 0; sent < all.len && !stream_is_failed(stream);) {
                Span part = span_slice(all, sent, sent + data[0] + 1u);
                g_assert_cmpint(send(fds[1], part.data, part.len, MSG_NOSIGNAL | MSG_DONTWAIT), ==, (gssize) part.len);
                sent += part.len;
                stream_resume(stream);
                answer_lines(stream);
                while (recv(fds[1], dust, sizeof(dust), MSG_DONTWAIT) > 0)
                        continue;
        }
        stream_free(stream);
        (void) close(fds[1]);
        return 0;
}

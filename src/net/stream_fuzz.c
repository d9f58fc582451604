/* stream_fuzz.c -- lines out of octets that arrive in any pieces, compared with the plain way of splitting them.
 *
 * Input: one octet of settings (bit 0 strict, the rest the size of pieces), one of the maximum, then what the peer sends.
 */
#include "net/internal.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

/* The next line of `s` from *at; TRUE when its end is there. */
static gboolean
plain_line(Span s, gboolean strict, gsize *at, Span *ret)
{
        for (gsize i = *at; i < s.len; i++) {
                gboolean has_cr = i > *at && s.data[i - 1] == '\r';
                if (s.data[i] != '\n' || (strict && !has_cr))
                        continue;
                *ret = span_slice(s, *at, has_cr ? i - 1 : i);
                *at = i + 1;
                return TRUE;
        }
        return FALSE;
}

static void
check_lines(Stream *stream, Span all, gboolean strict, gsize max, gsize *at)
{
        for (;;) {
                Span line, expected;
                StreamAnswer answer = stream_line(stream, max, strict, &line);
                if (answer == STREAM_AGAIN)
                        return;
                g_assert_true(answer == STREAM_OK || answer == STREAM_TOO_LONG);
                g_assert_true(plain_line(all, strict, at, &expected));
                if (answer == STREAM_OK)
                        g_assert_true(span_equal(line, expected));
                g_assert_cmpint(answer == STREAM_TOO_LONG, ==, expected.len > max);
        }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        int fds[2];
        gsize at = 0, sent = 0;
        Span rest;

        if (size < 2 || size > 4096 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
                return 0;
        gboolean strict = data[0] & 1;
        gsize piece = (data[0] >> 1) + 1u, max = data[1];
        Span all = span_make(data + 2, size - 2);
        Stream *stream = stream_take_fd(fds[0]);
        while (sent < all.len) {
                Span part = span_slice(all, sent, sent + piece);
                g_assert_cmpint(send(fds[1], part.data, part.len, MSG_NOSIGNAL), ==, (gssize) part.len);
                sent += part.len;
                stream_resume(stream);
                check_lines(stream, span_slice(all, 0, sent), strict, max, &at);
                stream_rest(stream);
        }
        g_assert_false(plain_line(all, strict, &at, &rest));
        stream_free(stream);
        (void) close(fds[1]);
        return 0;
}

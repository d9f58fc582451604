/* stream.c -- buffers, lines and output; how octets get in and out of the socket is stream_io.c. */
#include "net/stream_io.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define INPUT_FIRST     ((gsize) 16 * 1024)     /* a whole TLS record; pages that are not touched cost nothing */
#define OUTPUT_FIRST    ((gsize) 1024)
#define SKIP_MAX        (1024u * 1024u)         /* of a line that is too long */
#define PRINTF_MAX      ((gsize) 4096)

/* Buffers ------------------------------------------------------------------------------------------------------- */

static inline gsize
buffer_len(const Buffer *b)
{
        return b->end - b->start;
}

static void
buffer_release(Buffer *b)
{
        g_free(b->data);
        *b = (Buffer){0};
}

static void
buffer_consume(Buffer *b, gsize octets)
{
        b->start += MIN(octets, buffer_len(b));
        if (b->start == b->end)
                b->start = b->end = 0;
}

/* Make room for `len` more octets behind what is there; the caller has checked that the sum is within its cap. */
static void
buffer_reserve(Buffer *b, gsize len, gsize first)
{
        gsize used = buffer_len(b);

        if (b->size - b->end >= len)
                return;
        if (b->size - used >= len) {
                memmove(b->data, b->data + b->start, used);
        } else {
                gsize size = MAX(b->size, first);
                while (size < used + len)
                        size *= 2;
                guint8 *data = g_malloc(size);
                if (used > 0)
                        memcpy(data, b->data + b->start, used);
                g_free(b->data);
                b->data = data;
                b->size = size;
        }
        b->start = 0;
        b->end = used;
}

/* A parked stream keeps only what it must. */
static void
buffer_rest(Buffer *b)
{
        gsize used = buffer_len(b);

        if (used == 0) {
                buffer_release(b);
        } else if (b->size > 2 * used + 64) {
                guint8 *data = g_memdup2(b->data + b->start, used);
                g_free(b->data);
                *b = (Buffer){data, 0, used, used};
        }
}

/* Birth and death ----------------------------------------------------------------------------------------------- */

Stream *
stream_take_fd(int fd)
{
        Stream *stream = g_new0(Stream, 1);
        int flags = fcntl(fd, F_GETFL);

        if (flags >= 0 && (flags & O_NONBLOCK) == 0)
                (void) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        /* Output leaves in whole answers, so Nagle could only delay it. Fails on Unix sockets, which have no such thing. */
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        stream->fd = fd;
        stream->deadline = USEC_NEVER;
        stream->handshake_until = USEC_NEVER;
        stream->read_wants = POLLIN;
        stream->write_wants = POLLOUT;
        return stream;
}

void
stream_free(Stream *stream)
{
        if (stream == NULL)
                return;
        io_close(stream);
        zip_free(stream);
        buffer_release(&stream->in);
        buffer_release(&stream->out);
        g_free(stream);
}

void
stream_set_deadline(Stream *stream, Usec monotonic)
{
        stream->deadline = monotonic;
}

void
stream_peer(const Stream *stream, StreamPeer *ret)
{
        struct sockaddr_storage local = {0};
        socklen_t len = sizeof(local);

        *ret = (StreamPeer){.address_len = sizeof(ret->address)};
        if (getpeername(stream->fd, (struct sockaddr *) &ret->address, &ret->address_len) != 0) {
                /* Gone already: never mistaken for a local one. */
                g_strlcpy(ret->text, "unknown", sizeof(ret->text));
                g_strlcpy(ret->local_text, "unknown", sizeof(ret->local_text));
                return;
        }
        if (getsockname(stream->fd, (struct sockaddr *) &local, &len) != 0)
                local.ss_family = AF_UNIX;
        net_address_text(&ret->address, ret->text);
        ret->port = net_address_port(&ret->address);
        net_address_text(&local, ret->local_text);
        ret->local_port = net_address_port(&local);
        ret->is_loopback = net_address_is_loopback(&ret->address);
        ret->is_first_loopback = net_address_is_first_loopback(&ret->address);
}

void
stream_interrupt(Stream *stream)
{
        (void) shutdown(stream->fd, SHUT_RDWR); /* the descriptor itself never changes: no lock is needed */
}

gboolean
stream_is_failed(const Stream *stream)
{
        return stream->is_failed;
}

const char *
stream_reason(const Stream *stream)
{
        return stream->reason != NULL ? stream->reason : stream->has_ended ? "closed by the other side" : "";
}

void
stream_fail(Stream *stream, const char *static_reason)
{
        if (stream->is_failed)
                return;
        stream->is_failed = TRUE;
        stream->reason = static_reason;
        /* Nothing of it will be read or sent any more. */
        stream->out.start = stream->out.end = 0;
        if (stream->zip != NULL)
                zip_drop_output(stream);
}

/* Input --------------------------------------------------------------------------------------------------------- */

/* Add something to the input. OK, or what the reader must answer. */
static StreamAnswer
stream_fill(Stream *stream)
{
        Buffer *in = &stream->in;
        gsize used = buffer_len(in), got;

        if (stream->is_failed)
                return STREAM_FAILED;
        if (stream->has_ended) {
                if (used == 0 && stream->skipped == 0)
                        return STREAM_CLOSED;
                stream_fail(stream, "closed in the middle of something");
                return STREAM_FAILED;
        }
        if (used >= STREAM_BUFFER_OCTETS) {
                stream_fail(stream, "input buffer full");
                return STREAM_FAILED;
        }
        if (stream->is_waiting && !stream_flush(stream))        /* who waits for an answer has asked first */
                return STREAM_FAILED;
        /* Grow only when there is nearly no room: a partial line must not cost 64 KiB. */
        if (in->size - used < INPUT_FIRST / 4)
                buffer_reserve(in, INPUT_FIRST - INPUT_FIRST / 4, INPUT_FIRST);
        else if (in->size - in->end < INPUT_FIRST / 4)
                buffer_reserve(in, in->size - used, INPUT_FIRST);

        StreamAnswer answer = stream_is_compressed(stream) ? zip_receive(stream, in->data + in->end, in->size - in->end, &got)
                                                           : io_receive(stream, in->data + in->end, in->size - in->end, &got);
        stream->is_starved = answer == STREAM_AGAIN;
        if (answer == STREAM_OK) {
                in->end += got;
                stream->octets_in += got;
        } else if (answer == STREAM_CLOSED) {
                stream->has_ended = TRUE;
                return stream_fill(stream);
        }
        return answer;
}

static void
stream_pass(Stream *stream, gsize octets)
{
        buffer_consume(&stream->in, octets);
        stream->octets_moved += octets;
        stream->searched = 0;
}

void
stream_consume(Stream *stream, gsize octets)
{
        stream_pass(stream, octets);
}

/* Where the first line in the buffer ends: its length with the end in *ret_whole, without it in *ret_line. */
static gboolean
line_find(Stream *stream, gboolean strict, gsize *ret_line, gsize *ret_whole)
{
        gsize len = buffer_len(&stream->in), at = stream->searched;

        if (len == at)
                return FALSE;
        const guint8 *data = stream->in.data + stream->in.start;
        while (at < len) {
                const guint8 *lf = memchr(data + at, '\n', len - at);
                if (lf == NULL)
                        break;
                at = (gsize) (lf - data) + 1;
                gboolean has_cr = at >= 2 && data[at - 2] == '\r';
                if (!has_cr && strict)
                        continue;
                *ret_whole = at;
                *ret_line = at - (has_cr ? 2 : 1);
                return TRUE;
        }
        stream->searched = (guint32) len;
        return FALSE;
}

/* No end in sight: pass over what is certainly too long, but keep a CR whose LF may come. */
static void
line_skip(Stream *stream, gsize max)
{
        gsize len = buffer_len(&stream->in);

        if (stream->skipped == 0 && len <= max + 1)
                return;
        gsize pass = stream->in.data[stream->in.end - 1] == '\r' ? len - 1 : len;
        stream->skipped += (guint32) pass;
        stream_pass(stream, pass);
        if (stream->skipped > SKIP_MAX)
                stream_fail(stream, "line too long");
}

StreamAnswer
stream_line(Stream *stream, gsize max, gboolean strict, Span *ret)
{
        gsize line, whole;

        max = MIN(max, STREAM_BUFFER_OCTETS - 2);
        while (!stream->is_failed) {
                if (line_find(stream, strict, &line, &whole)) {
                        const guint8 *data = stream->in.data + stream->in.start;
                        gboolean is_long = stream->skipped > 0 || line > max;
                        stream->skipped = 0;
                        stream_pass(stream, whole);
                        if (is_long)
                                return STREAM_TOO_LONG;
                        *ret = span_make(data, line);
                        return STREAM_OK;
                }
                if (buffer_len(&stream->in) > 0)
                        line_skip(stream, max);
                StreamAnswer answer = stream_fill(stream);
                if (answer != STREAM_OK)
                        return answer;
        }
        return STREAM_FAILED;
}

StreamAnswer
stream_some(Stream *stream, gboolean more, Span *ret)
{
        if (stream->is_failed)
                return STREAM_FAILED;
        if (more || buffer_len(&stream->in) == 0) {
                StreamAnswer answer = stream_fill(stream);
                if (answer != STREAM_OK)
                        return answer;
        }
        *ret = span_make(stream->in.data + stream->in.start, buffer_len(&stream->in));
        return STREAM_OK;
}

gboolean
stream_has_input(Stream *stream)
{
        return !stream->is_failed && (buffer_len(&stream->in) > 0 || zip_has_input(stream) || io_has_input(stream));
}

/* Output -------------------------------------------------------------------------------------------------------- */

/* Send what the socket takes now. FALSE: failed. */
static gboolean
stream_push(Stream *stream)
{
        Buffer *out = &stream->out;

        if (stream_is_compressed(stream))
                return zip_push(stream);
        while (!stream->is_failed && buffer_len(out) > 0) {
                gsize sent;
                StreamAnswer answer = io_send(stream, out->data + out->start, buffer_len(out), &sent);
                if (answer == STREAM_AGAIN)
                        break;
                if (answer == STREAM_OK)
                        buffer_consume(out, sent);
        }
        return !stream->is_failed;
}

gboolean
stream_flush(Stream *stream)
{
        if (stream->phase == TLS_HANDSHAKE)
                return !stream->is_failed;      /* goes out behind it, encrypted; never before */
        return stream_push(stream);
}

guint8 *
stream_reserve(Stream *stream, gsize len)
{
        Buffer *out = &stream->out;

        if (stream->is_failed)
                return NULL;
        if (buffer_len(out) >= STREAM_BUFFER_OCTETS && !stream_flush(stream))
                return NULL;
        if (len > STREAM_OUTPUT_MAX || buffer_len(out) > STREAM_OUTPUT_MAX) {
                stream_fail(stream, "output buffer full");
                return NULL;
        }
        buffer_reserve(out, len, OUTPUT_FIRST);
        return out->data + out->end;
}

void
stream_commit(Stream *stream, gsize used)
{
        if (stream->is_failed)
                return;
        used = MIN(used, stream->out.size - stream->out.end);
        stream->out.end += used;
        stream->octets_moved += used;
}

void
stream_write(Stream *stream, Span octets)
{
        while (octets.len > 0) {
                gsize piece = MIN(octets.len, STREAM_BUFFER_OCTETS);
                guint8 *room = stream_reserve(stream, piece);
                if (room == NULL)
                        return;
                memcpy(room, octets.data, piece);
                stream_commit(stream, piece);
                octets = span_slice(octets, piece, octets.len);
        }
}

void
stream_printf(Stream *stream, const char *format, ...)
{
        va_list args;

        guint8 *room = stream_reserve(stream, PRINTF_MAX / 8);
        if (room == NULL)
                return;
        gsize size = stream->out.size - stream->out.end;
        va_start(args, format);
        int len = vsnprintf((char *) room, size, format, args);
        va_end(args);
        if (len >= 0 && (gsize) len >= size && (gsize) len < PRINTF_MAX) {
                room = stream_reserve(stream, PRINTF_MAX);
                if (room == NULL)
                        return;
                va_start(args, format);
                len = vsnprintf((char *) room, PRINTF_MAX, format, args);
                va_end(args);
        }
        if (len < 0 || (gsize) len >= PRINTF_MAX)
                stream_fail(stream, "answer too long");
        else
                stream_commit(stream, (gsize) len);
}

gboolean
stream_is_full(Stream *stream)
{
        if (stream->is_failed || buffer_len(&stream->out) < STREAM_BUFFER_OCTETS)
                return FALSE;
        return stream_flush(stream) && buffer_len(&stream->out) >= STREAM_BUFFER_OCTETS;
}

/* For service.c ------------------------------------------------------------------------------------------------- */

void
stream_resume(Stream *stream)
{
        stream->is_short = FALSE;
}

void
stream_rest(Stream *stream)
{
        buffer_rest(&stream->in);
        buffer_rest(&stream->out);
        if (stream->zip != NULL)
                zip_rest(stream);
}

gboolean
stream_has_output(const Stream *stream)
{
        return stream->phase != TLS_HANDSHAKE && (buffer_len(&stream->out) > 0 || zip_has_output(stream));
}

short
stream_wants(const Stream *stream)
{
        return stream_has_output(stream) ? stream->write_wants : stream->read_wants;
}

gboolean
stream_has_unseen(const Stream *stream)
{
        return !stream->is_starved && (buffer_len(&stream->in) > 0 || zip_has_input(stream) || (stream->ssl != NULL && SSL_pending(stream->ssl) > 0));
}

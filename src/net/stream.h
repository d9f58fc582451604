/* stream.h -- a connection: socket, TLS, buffers, deadlines, and an error that sticks.
 *
 * A Stream remembers its first error and does nothing after it, so protocol code checks once per command. Nothing ever falls
 * back to cleartext: once TLS was asked for, a failure is the end of the stream.
 *
 * Two ways of use:
 *  - server sessions (service.h): stream_line() and stream_some() answer STREAM_AGAIN when nothing whole has come; the
 *    session returns SESSION_PARK and is run again when there is more. Buffers are released while parked and empty.
 *  - connections we open ourselves (stream_connect): the same calls wait up to the stream's deadline; AGAIN never comes. Before
 *    it waits for input it sends what has been written.
 *
 * Output gathers in memory and leaves at stream_flush(), at park, or when 64 KiB wait. A session that has much to send asks
 * stream_is_full() between pieces and parks with a position instead of waiting for a slow reader.
 *
 * Limits   lines up to the max given (the rest of a longer line is swallowed up to 1 MiB, then the stream fails), input buffer 64 KiB
 *          plus, output buffer 64 KiB plus one piece. Handshake 30 s.
 * Threads  one at a time.
 */
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/span.h"
#include "net/tls.h"

#include <sys/socket.h>

typedef struct Stream Stream;

typedef enum StreamAnswer {
        STREAM_FAILED = 0,      /* broken, timed out or closed without warning: see stream_reason(); close the session */
        STREAM_CLOSED,          /* the peer has closed in good order; nothing is buffered                              */
        STREAM_AGAIN,           /* server sessions: nothing whole yet, park                                            */
        STREAM_TOO_LONG,        /* the line was over max and has been passed over                                      */
        STREAM_OK,
} StreamAnswer;

/* Addresses of both ends as text: "192.0.2.1", "2001:db8::1", "unix". */
typedef struct StreamPeer {
        struct sockaddr_storage address;
        socklen_t address_len;
        char text[64];
        guint16 port;
        char local_text[64];
        guint16 local_port;
        gboolean is_loopback;           /* 127.0.0.0/8, ::1, unix                              */
        gboolean is_first_loopback;     /* 127.0.0.1, ::1, unix: exempt from limits in loopback sites */
} StreamPeer;
/* Filled at each call; parked connections do not keep it. */
void stream_peer(const Stream *stream, StreamPeer *ret);

/* Take over a connected socket (made non-blocking); the server side. */
Stream *stream_take_fd(int fd) G_GNUC_WARN_UNUSED_RESULT;

/* Open a connection: name resolution through getaddrinfo or a numeric address, each address tried, all before the deadline (monotonic).
 * allow_private FALSE: refuse loopback, private and link-local addresses. Later calls on it wait up to `deadline` as set last. */
Stream *stream_connect(const char *host, guint16 port, gboolean allow_private, Usec deadline, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* When waiting calls of this stream give up (monotonic). */
void stream_set_deadline(Stream *stream, Usec monotonic);

/* Closes the socket (TLS close_notify is tried, never waited for). NULL is fine. */
void stream_free(Stream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)

/* Input ---------------------------------------------------------------------------------------------------------- */

/* One line without its end. strict: only CRLF ends a line, a bare LF or CR is part of it; otherwise LF ends it too and a CR before
 * it is dropped. *ret lives until the next read call. */
StreamAnswer stream_line(Stream *stream, gsize max, gboolean strict, Span *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Whatever is there, at least one octet: look, then say with stream_consume() how much was used. Lives until the next read call.
 * With more = TRUE octets already seen do not count: waits or AGAINs until something is added to what is buffered. Who asks for more
 * with 64 KiB unconsumed gets STREAM_FAILED. */
StreamAnswer stream_some(Stream *stream, gboolean more, Span *ret) G_GNUC_WARN_UNUSED_RESULT;
void stream_consume(Stream *stream, gsize octets);

/* Is unread input buffered? At STARTTLS it must not be (RFC 3207 §4.2, injection). Also asks the socket. */
gboolean stream_has_input(Stream *stream);

/* Output --------------------------------------------------------------------------------------------------------- */
void stream_write(Stream *stream, Span octets);
void stream_printf(Stream *stream, const char *format, ...) G_GNUC_PRINTF(2, 3);       /* at most 4 KiB a call */
/* Room for `len` octets at the end of the output, to be filled by the caller (e.g. pread straight into it), then
 * stream_commit(used). NULL on a failed stream. len at most 64 KiB. */
guint8 *stream_reserve(Stream *stream, gsize len);
void stream_commit(Stream *stream, gsize used);
gboolean stream_is_full(Stream *stream);        /* 64 KiB wait and the socket takes no more now: park, go on later */
/* Send now. Server sessions: what the socket does not take stays. Waiting streams: all of it, or the stream fails. */
gboolean stream_flush(Stream *stream);

/* TLS ------------------------------------------------------------------------------------------------------------ */

/* Begin TLS. Server: call again from run() while it answers AGAIN. Client: waits. host: name to verify and SNI, client only. What has
 * been written goes out first; what has come in and is unread fails the stream (RFC 3207 §4.2: it was said in the clear). */
StreamAnswer stream_start_tls(Stream *stream, TlsContext *tls, const char *host) G_GNUC_WARN_UNUSED_RESULT;
gboolean stream_is_tls(const Stream *stream);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384" into the arena-free static of OpenSSL, or NULL without TLS. */
const char *stream_tls_version(const Stream *stream);   /* "TLSv1.3" */
const char *stream_tls_cipher(const Stream *stream);
int stream_tls_bits(const Stream *stream);
/* Channel bindings, for SCRAM-SHA-256-PLUS: octets that both ends of this TLS connection know, and nobody between them. How many there
 * are; 0: this kind is not there (no TLS, another version, a certificate without a hash). RFC 9266, 5929. */
typedef enum StreamBinding {
        STREAM_TLS_EXPORTER = 0,        /* TLS 1.3                                               */
        STREAM_TLS_UNIQUE,              /* TLS 1.2 with the extended master secret               */
        STREAM_TLS_SERVER_END_POINT,    /* either: the server's certificate                      */
} StreamBinding;
#define STREAM_BINDING_MAX 64
gsize stream_binding(const Stream *stream, StreamBinding kind, guint8 ret[STREAM_BINDING_MAX]) G_GNUC_WARN_UNUSED_RESULT;

/* Compression ---------------------------------------------------------------------------------------------------- */

/* DEFLATE in both directions (RFC 4978), inside of TLS where that is on. First prepare, which takes the memory: about 80 KiB that the stream
 * keeps while it is parked (ours 30 KiB with a window of 4 KiB, the peer's 40 KiB when it has first sent something), for at most
 * STREAM_COMPRESSED_MAX streams of the process at once. FALSE: there are as many, or this one has it already. Then begin: what has been written goes out
 * plainly, everything behind it compressed; input that is unread is taken as compressed. What is flushed can be read by the peer at once. Damaged
 * input fails the stream. Limits of lines and buffers are those of the octets inside. */
#define STREAM_COMPRESSED_MAX 1000
gboolean stream_prepare_compression(Stream *stream) G_GNUC_WARN_UNUSED_RESULT;
void stream_begin_compression(Stream *stream);
gboolean stream_is_compressed(const Stream *stream);    /* it has begun */

/* From another thread, while the stream is not being freed: its waiting calls end as if the peer had closed. */
void stream_interrupt(Stream *stream);

gboolean stream_is_failed(const Stream *stream);
const char *stream_reason(const Stream *stream);        /* for the log: "timed out", "connection reset", TLS text */
void stream_fail(Stream *stream, const char *static_reason);

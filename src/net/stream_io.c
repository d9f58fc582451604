/* stream_io.c -- the one place where octets meet the socket: every wait has a deadline, every error sticks.
 *
 * Plain sockets are written with MSG_NOSIGNAL. OpenSSL writes by itself, so the process ignores SIGPIPE (app does at start).
 */
#include "net/stream_io.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#define LINGER_READS 64

/* g_strerror() answers lasting strings, which is what a reason must be. */
static StreamAnswer
io_fail_errno(Stream *stream)
{
        stream_fail(stream, g_strerror(errno));
        return STREAM_FAILED;
}

/* Waiting streams: until the socket is ready, or fail at the deadline. */
static gboolean
io_wait(Stream *stream, short events)
{
        for (;;) {
                Usec left = stream->phase == TLS_HANDSHAKE ? MIN(stream->deadline, stream->handshake_until) : stream->deadline;
                left = left == USEC_NEVER ? USEC_PER_HOUR : left - clock_monotonic();
                if (left <= 0) {
                        stream_fail(stream, "timed out");
                        return FALSE;
                }
                struct pollfd p = {.fd = stream->fd, .events = events};
                int n = poll(&p, 1, (int) MIN(left / USEC_PER_MS + 1, 60 * 60 * 1000));
                if (n > 0)
                        return TRUE;
                if (n < 0 && errno != EINTR) {
                        io_fail_errno(stream);
                        return FALSE;
                }
        }
}

/* TLS ----------------------------------------------------------------------------------------------------------- */

/* What an OpenSSL call that did not succeed means. Want events go to *ret_wants. */
static StreamAnswer
tls_outcome(Stream *stream, int result, gint16 *ret_wants)
{
        int saved = errno;
        int error = SSL_get_error(stream->ssl, result);

        switch (error) {
        case SSL_ERROR_WANT_READ:
                *ret_wants = POLLIN;
                return STREAM_AGAIN;
        case SSL_ERROR_WANT_WRITE:
                *ret_wants = POLLOUT;
                return STREAM_AGAIN;
        case SSL_ERROR_ZERO_RETURN:
                return STREAM_CLOSED;
        default:
                break;
        }
        unsigned long code = ERR_peek_last_error();
        const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
        long verify = SSL_get_verify_result(stream->ssl);
        if (stream->phase == TLS_HANDSHAKE && !SSL_is_server(stream->ssl) && verify != X509_V_OK &&
            SSL_get_verify_mode(stream->ssl) != SSL_VERIFY_NONE)
                text = verify == X509_V_ERR_HOSTNAME_MISMATCH || verify == X509_V_ERR_IP_ADDRESS_MISMATCH
                               ? "the certificate is for another name"
                               : X509_verify_cert_error_string(verify);
        else if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING || (error == SSL_ERROR_SYSCALL && saved == 0))
                text = "closed without warning";
        if (text == NULL)
                text = error == SSL_ERROR_SYSCALL ? g_strerror(saved) : "TLS failure";
        ERR_clear_error();
        stream_fail(stream, text);
        return STREAM_FAILED;
}

static StreamAnswer
tls_receive(Stream *stream, guint8 *room, gsize size, gsize *ret_got)
{
        ERR_clear_error();
        errno = 0;
        stream->read_wants = POLLIN;
        if (SSL_read_ex(stream->ssl, room, size, ret_got) == 1)
                return STREAM_OK;
        return tls_outcome(stream, 0, &stream->read_wants);
}

static StreamAnswer
tls_send(Stream *stream, const guint8 *data, gsize len, gsize *ret_sent)
{
        ERR_clear_error();
        errno = 0;
        stream->write_wants = POLLOUT;
        if (SSL_write_ex(stream->ssl, data, len, ret_sent) == 1)
                return STREAM_OK;
        StreamAnswer answer = tls_outcome(stream, 0, &stream->write_wants);
        if (answer == STREAM_CLOSED) {          /* the peer has said goodbye: nobody reads this */
                stream_fail(stream, "closed by the other side");
                return STREAM_FAILED;
        }
        return answer;
}

/* Make the TLS side of a stream. FALSE: failed. */
static gboolean
tls_begin(Stream *stream, TlsContext *tls, const char *host)
{
        struct sockaddr_storage numeric;
        socklen_t len;

        stream->ssl = SSL_new(tls->ctx);
        if (stream->ssl == NULL || SSL_set_fd(stream->ssl, stream->fd) != 1) {
                stream_fail(stream, "out of memory for TLS");
                return FALSE;
        }
        stream->phase = TLS_HANDSHAKE;
        stream->handshake_until = clock_in(STREAM_HANDSHAKE);
        if (!tls->is_client) {
                SSL_set_accept_state(stream->ssl);
                return TRUE;
        }
        SSL_set_connect_state(stream->ssl);
        if (host == NULL) {
                if (tls->is_verifying)
                        stream_fail(stream, "no name to verify");
        } else if (net_address_parse(host, 0, &numeric, &len)) {
                if (tls->is_verifying && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(stream->ssl), host) != 1)
                        stream_fail(stream, "name can't be verified");
        } else {
                SSL_set_hostflags(stream->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
                if (SSL_set_tlsext_host_name(stream->ssl, host) != 1 ||
                    (tls->is_verifying && SSL_set1_host(stream->ssl, host) != 1))
                        stream_fail(stream, "name can't be verified");
        }
        return !stream->is_failed;
}

StreamAnswer
stream_start_tls(Stream *stream, TlsContext *tls, const char *host)
{
        if (stream->is_failed)
                return STREAM_FAILED;
        if (stream->phase == TLS_UP) {
                stream_fail(stream, "TLS inside TLS");
                return STREAM_FAILED;
        }
        if (stream_is_compressed(stream)) {
                stream_fail(stream, "TLS inside compression");
                return STREAM_FAILED;
        }
        if (stream->phase == TLS_NONE) {
                /* RFC 3207 §4.2: what came in the clear must not be taken for something said under TLS. */
                if (stream->in.end > stream->in.start)
                        stream_fail(stream, "octets before the TLS handshake");
                if (!stream_flush(stream))
                        return STREAM_FAILED;
                if (stream_has_output(stream))
                        return STREAM_AGAIN;
                if (!tls_begin(stream, tls, host))
                        return STREAM_FAILED;
        }
        for (;;) {
                ERR_clear_error();
                errno = 0;
                int result = SSL_do_handshake(stream->ssl);
                if (result == 1)
                        break;
                stream->is_starved = TRUE;
                StreamAnswer answer = tls_outcome(stream, result, &stream->read_wants);
                if (answer == STREAM_CLOSED) {
                        stream_fail(stream, "closed in the TLS handshake");
                        answer = STREAM_FAILED;
                }
                if (answer == STREAM_AGAIN && stream->is_waiting && io_wait(stream, stream->read_wants))
                        continue;
                return stream->is_failed ? STREAM_FAILED : answer;
        }
        stream->phase = TLS_UP;
        stream->handshake_until = USEC_NEVER;
        stream->read_wants = POLLIN;
        stream->is_short = stream->is_starved = FALSE;
        return STREAM_OK;
}

gboolean
stream_is_tls(const Stream *stream)
{
        return stream->phase == TLS_UP;
}

const char *
stream_tls_version(const Stream *stream)
{
        return stream->phase == TLS_UP ? SSL_get_version(stream->ssl) : NULL;
}

const char *
stream_tls_cipher(const Stream *stream)
{
        return stream->phase == TLS_UP ? SSL_get_cipher_name(stream->ssl) : NULL;
}

int
stream_tls_bits(const Stream *stream)
{
        return stream->phase == TLS_UP ? SSL_get_cipher_bits(stream->ssl, NULL) : 0;
}

/* Octets -------------------------------------------------------------------------------------------------------- */

static StreamAnswer
plain_receive(Stream *stream, guint8 *room, gsize size, gsize *ret_got)
{
        if (stream->is_short) {
                stream->is_short = FALSE;       /* whoever asks once more means it */
                return STREAM_AGAIN;
        }
        for (;;) {
                ssize_t got = recv(stream->fd, room, size, 0);
                if (got > 0) {
                        *ret_got = (gsize) got;
                        stream->is_short = (gsize) got < size && !stream->is_waiting;
                        return STREAM_OK;
                }
                if (got == 0)
                        return STREAM_CLOSED;
                if (errno == EAGAIN || errno == EWOULDBLOCK)
                        return STREAM_AGAIN;
                if (errno != EINTR)
                        return io_fail_errno(stream);
        }
}

static StreamAnswer
plain_send(Stream *stream, const guint8 *data, gsize len, gsize *ret_sent)
{
        for (;;) {
                ssize_t sent = send(stream->fd, data, len, MSG_NOSIGNAL);
                if (sent >= 0) {
                        *ret_sent = (gsize) sent;
                        return STREAM_OK;
                }
                if (errno == EAGAIN || errno == EWOULDBLOCK)
                        return STREAM_AGAIN;
                if (errno != EINTR)
                        return io_fail_errno(stream);
        }
}

StreamAnswer
io_receive(Stream *stream, guint8 *room, gsize size, gsize *ret_got)
{
        for (;;) {
                StreamAnswer answer = stream->ssl != NULL ? tls_receive(stream, room, size, ret_got)
                                                          : plain_receive(stream, room, size, ret_got);
                if (answer != STREAM_AGAIN || !stream->is_waiting)
                        return answer;
                if (!io_wait(stream, stream->read_wants))
                        return STREAM_FAILED;
        }
}

StreamAnswer
io_send(Stream *stream, const guint8 *data, gsize len, gsize *ret_sent)
{
        for (;;) {
                StreamAnswer answer = stream->ssl != NULL ? tls_send(stream, data, len, ret_sent)
                                                          : plain_send(stream, data, len, ret_sent);
                if (answer != STREAM_AGAIN || !stream->is_waiting)
                        return answer;
                if (!io_wait(stream, stream->write_wants))
                        return STREAM_FAILED;
        }
}

gboolean
io_has_input(Stream *stream)
{
        guint8 octet;

        if (stream->ssl != NULL && SSL_has_pending(stream->ssl))
                return TRUE;
        return recv(stream->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

StreamAnswer
stream_linger(Stream *stream)
{
        guint8 dust[4096];

        if (stream->is_failed || stream->has_ended || !io_has_input(stream))
                return STREAM_CLOSED;
        if (stream->ssl != NULL && stream->phase == TLS_UP)
                (void) SSL_shutdown(stream->ssl);
        if (shutdown(stream->fd, SHUT_WR) != 0)
                return STREAM_CLOSED;
        for (int i = 0; i < LINGER_READS; i++) {
                ssize_t got = recv(stream->fd, dust, sizeof(dust), MSG_DONTWAIT);
                if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                        return STREAM_AGAIN;
                if (got <= 0)
                        return STREAM_CLOSED;
        }
        return STREAM_CLOSED;
}

void
io_close(Stream *stream)
{
        if (stream->ssl != NULL) {
                ERR_clear_error();
                if (stream->phase == TLS_UP && !stream->is_failed)
                        (void) SSL_shutdown(stream->ssl);
                ERR_clear_error();
                SSL_free(stream->ssl);
        }
        if (stream->fd >= 0)
                (void) close(stream->fd);
}

/* Connections of our own ---------------------------------------------------------------------------------------- */

/* One address. NULL: `*ret_reason` says why not. */
static Stream *
connect_one(const struct addrinfo *to, Usec deadline, const char **ret_reason)
{
        int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
                *ret_reason = g_strerror(errno);
                return NULL;
        }
        g_autoptr(Stream) stream = stream_take_fd(fd);
        stream->is_waiting = TRUE;
        stream->deadline = deadline;
        if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
                return g_steal_pointer(&stream);
        if (errno != EINPROGRESS) {
                *ret_reason = g_strerror(errno);
                return NULL;
        }
        int error = 0;
        socklen_t len = sizeof(error);
        if (!io_wait(stream, POLLOUT)) {
                *ret_reason = stream->reason;
                return NULL;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
                *ret_reason = g_strerror(error != 0 ? error : errno);
                return NULL;
        }
        return g_steal_pointer(&stream);
}

static gboolean
is_allowed(const struct addrinfo *to, gboolean allow_private)
{
        struct sockaddr_storage address = {0};

        if (to->ai_addrlen > sizeof(address))
                return FALSE;
        memcpy(&address, to->ai_addr, to->ai_addrlen);
        return allow_private || !net_address_is_private(&address);
}

static Stream *
connect_any(const struct addrinfo *list, const char *host, guint16 port, gboolean allow_private, Usec deadline, GError **error)
{
        const char *reason = NULL;
        guint left = 0;

        for (const struct addrinfo *to = list; to != NULL; to = to->ai_next)
                left += is_allowed(to, allow_private);
        if (left == 0) {
                fault(error, FAULT_INPUT, "%s: its address is private or loopback", host);
                return NULL;
        }
        for (const struct addrinfo *to = list; to != NULL; to = to->ai_next) {
                if (!is_allowed(to, allow_private))
                        continue;
                Usec now = clock_monotonic();
                if (now >= deadline) {
                        reason = "timed out";
                        break;
                }
                /* A dead first address must not eat the time of the others. */
                Usec until = deadline == USEC_NEVER ? now + 60 * USEC_PER_SEC : now + (deadline - now) / left;
                Stream *stream = connect_one(to, until, &reason);
                if (stream != NULL) {
                        stream->deadline = deadline;
                        return stream;
                }
                left--;
        }
        fault(error, g_str_equal(reason, "timed out") ? FAULT_TIMEOUT : FAULT_IO, "%s port %u: %s", host, port, reason);
        return NULL;
}

Stream *
stream_connect(const char *host, guint16 port, gboolean allow_private, Usec deadline, GError **error)
{
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
        struct addrinfo *list = NULL;
        char service[8];

        g_snprintf(service, sizeof(service), "%u", port);
        int failure = getaddrinfo(host, service, &hints, &list);
        if (failure != 0) {
                hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
                failure = getaddrinfo(host, service, &hints, &list);
        }
        if (failure != 0) {
                fault(error, FAULT_IO, "%s: %s", host, gai_strerror(failure));
                return NULL;
        }
        Stream *stream = connect_any(list, host, port, allow_private, deadline, error);
        freeaddrinfo(list);
        return stream;
}

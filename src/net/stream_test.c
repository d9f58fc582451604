/* stream_test.c -- streams by themselves: over socket pairs, and as clients of small servers in threads. */
#include "net/internal.h"

#include "base/thread.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static char *folder, *certificate, *key, *other_certificate, *other_key;

typedef struct Pair {
        Stream *stream;
        int fd;                         /* the other end */
} Pair;

static Pair
pair_new(void)
{
        int fds[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
        return (Pair){stream_take_fd(fds[0]), fds[1]};
}

static void
pair_free(Pair *p)
{
        stream_free(p->stream);
        (void) close(p->fd);
}

static void
say(int fd, const char *text)
{
        g_assert_cmpint(send(fd, text, strlen(text), MSG_NOSIGNAL), ==, (gssize) strlen(text));
}

static void
assert_span(Span s, const char *text)
{
        g_autofree char *got = span_dup(s);

        g_assert_cmpstr(got, ==, text);
}

/* Input ------------------------------------------------------------------------------------------------------------ */

static void
test_lines(void)
{
        Pair p = pair_new();
        Span line;

        g_assert_cmpint(stream_line(p.stream, 100, TRUE, &line), ==, STREAM_AGAIN);
        say(p.fd, "one\r\ntw");
        g_assert_cmpint(stream_line(p.stream, 100, TRUE, &line), ==, STREAM_OK);
        assert_span(line, "one");
        g_assert_cmpint(stream_line(p.stream, 100, TRUE, &line), ==, STREAM_AGAIN);
        stream_rest(p.stream);                  /* half a line survives the park */
        say(p.fd, "o\r\n");
        stream_resume(p.stream);
        g_assert_cmpint(stream_line(p.stream, 100, TRUE, &line), ==, STREAM_OK);
        assert_span(line, "two");
        stream_resume(p.stream);
        g_assert_cmpint(stream_line(p.stream, 100, TRUE, &line), ==, STREAM_AGAIN);
        stream_rest(p.stream);
        g_assert_null(p.stream->in.data);       /* nothing is kept for a parked stream */
        (void) shutdown(p.fd, SHUT_WR);
        stream_resume(p.stream);
        g_assert_cmpint(stream_line(p.stream, 100, TRUE, &line), ==, STREAM_CLOSED);
        g_assert_cmpint(stream_line(p.stream, 100, TRUE, &line), ==, STREAM_CLOSED);
        pair_free(&p);
}

static void
test_some(void)
{
        Pair p = pair_new();
        Span s;

        say(p.fd, "abcdef");
        g_assert_cmpint(stream_some(p.stream, FALSE, &s), ==, STREAM_OK);
        assert_span(s, "abcdef");
        stream_consume(p.stream, 2);
        g_assert_cmpint(stream_some(p.stream, FALSE, &s), ==, STREAM_OK);
        assert_span(s, "cdef");
        stream_resume(p.stream);
        g_assert_cmpint(stream_some(p.stream, TRUE, &s), ==, STREAM_AGAIN);
        say(p.fd, "gh");
        stream_resume(p.stream);
        g_assert_cmpint(stream_some(p.stream, TRUE, &s), ==, STREAM_OK);
        assert_span(s, "cdefgh");
        stream_consume(p.stream, 1000);         /* no more than there is */
        g_assert_false(stream_has_input(p.stream));
        say(p.fd, "i");
        g_assert_true(stream_has_input(p.stream));      /* though it is only in the socket yet */
        pair_free(&p);
}

static void
test_too_much(void)
{
        Pair p = pair_new();
        g_autofree char *piece = g_strnfill(60000, 'x');
        Span s;
        StreamAnswer answer = STREAM_OK;

        for (int i = 0; i < 3 && answer != STREAM_FAILED; i++) {
                say(p.fd, piece);
                stream_resume(p.stream);
                while ((answer = stream_some(p.stream, TRUE, &s)) == STREAM_OK)
                        g_assert_cmpuint(s.len, <=, 128 * 1024);
        }
        g_assert_cmpint(answer, ==, STREAM_FAILED);
        g_assert_cmpstr(stream_reason(p.stream), ==, "input buffer full");
        pair_free(&p);
}

static void
test_split_everywhere(void)
{
        static const char text[] = "a\r\nbb\n\r\r\nccc\r\n\r\nlooooooooooooong\r\nd\r\n";
        gsize len = strlen(text);

        /* However the octets arrive, the same lines come out. */
        for (gsize cut = 1; cut < len; cut++) {
                Pair p = pair_new();
                GString *got = g_string_new(NULL);
                for (gsize part = 0; part < 2; part++) {
                        g_autofree char *piece = part == 0 ? g_strndup(text, cut) : g_strdup(text + cut);
                        say(p.fd, piece);
                        stream_resume(p.stream);
                        for (;;) {
                                Span line;
                                StreamAnswer answer = stream_line(p.stream, 10, TRUE, &line);
                                if (answer == STREAM_AGAIN)
                                        break;
                                if (answer == STREAM_TOO_LONG)
                                        g_string_append(got, "!|");
                                else
                                        g_string_append_printf(got, "%.*s|", (int) line.len, (const char *) line.data);
                                g_assert_cmpint(answer, !=, STREAM_FAILED);
                        }
                        stream_rest(p.stream);
                }
                g_assert_cmpstr(got->str, ==, "a|bb\n\r|ccc||!|d|");
                g_string_free(got, TRUE);
                pair_free(&p);
        }
}

/* Output ----------------------------------------------------------------------------------------------------------- */

static void
test_output(void)
{
        Pair p = pair_new();
        char got[64] = "";
        g_autofree char *long_one = g_strnfill(3000, 'y'), *too_long = g_strnfill(5000, 'y');

        stream_printf(p.stream, "%d %s\r\n", 250, "ok");
        stream_write(p.stream, span_of("more\r\n"));
        guint8 *room = stream_reserve(p.stream, 100);
        memcpy(room, "rest", 4);
        stream_commit(p.stream, 4);
        g_assert_cmpint(recv(p.fd, got, sizeof(got) - 1, MSG_DONTWAIT), <, 0);          /* gathers */
        g_assert_true(stream_flush(p.stream));
        g_assert_cmpint(recv(p.fd, got, sizeof(got) - 1, 0), ==, 18);                   /* leaves in one piece */
        g_assert_cmpstr(got, ==, "250 ok\r\nmore\r\nrest");
        stream_printf(p.stream, "%s", long_one);
        g_assert_true(stream_has_output(p.stream));
        g_assert_false(stream_is_failed(p.stream));
        stream_printf(p.stream, "%s", too_long);
        g_assert_true(stream_is_failed(p.stream));
        g_assert_null(stream_reserve(p.stream, 1));
        g_assert_false(stream_flush(p.stream));
        pair_free(&p);
}

static void
test_full(void)
{
        Pair p = pair_new();
        g_autofree guint8 *piece = g_malloc0(10000);
        gsize written = 0, got = 0;
        char *room = g_malloc(1 << 20);

        while (!stream_is_full(p.stream)) {
                stream_write(p.stream, span_make(piece, 10000));
                written += 10000;
                g_assert_cmpuint(written, <, 100 * 1000 * 1000);
        }
        g_assert_cmpint(stream_wants(p.stream), ==, POLLOUT);
        while (got < written) {
                ssize_t n = recv(p.fd, room, 1 << 20, MSG_DONTWAIT);
                if (n > 0)
                        got += (gsize) n;
                g_assert_true(stream_flush(p.stream));
        }
        g_assert_false(stream_is_full(p.stream));
        g_assert_cmpint(stream_wants(p.stream), ==, POLLIN);
        /* Who never asks whether it is full runs into the cap and not out of memory. */
        for (int i = 0; i < 1000 && !stream_is_failed(p.stream); i++)
                stream_write(p.stream, span_make(piece, 10000));
        g_assert_cmpstr(stream_reason(p.stream), ==, "output buffer full");
        g_free(room);
        pair_free(&p);
}

static void
test_sticky(void)
{
        Pair p = pair_new();
        Span line;

        say(p.fd, "one\r\n");
        stream_fail(p.stream, "first");
        stream_fail(p.stream, "second");
        g_assert_cmpint(stream_line(p.stream, 10, TRUE, &line), ==, STREAM_FAILED);
        g_assert_cmpint(stream_some(p.stream, FALSE, &line), ==, STREAM_FAILED);
        stream_write(p.stream, span_of("x"));
        g_assert_false(stream_flush(p.stream));
        g_assert_cmpstr(stream_reason(p.stream), ==, "first");
        pair_free(&p);
}

/* Clients ---------------------------------------------------------------------------------------------------------- */

typedef struct Server {
        int fd;
        guint16 port;
        Thread *thread;
        SSL_CTX *ctx;                   /* TLS from the beginning */
        const char *says;
        gboolean hangs;                 /* keeps silent and open until the client has gone */
        Mutex mutex;
} Server;

static void
server_main(gpointer data)
{
        Server *server = data;
        char dust[4096];
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
                return;
        if (server->ctx != NULL) {
                SSL *ssl = SSL_new(server->ctx);
                SSL_set_fd(ssl, fd);
                if (SSL_accept(ssl) == 1) {
                        SSL_write(ssl, server->says, (int) strlen(server->says));
                        while (SSL_read(ssl, dust, sizeof(dust)) > 0)
                                ;
                }
                SSL_free(ssl);
        } else {
                if (server->says != NULL)
                        (void) !send(fd, server->says, strlen(server->says), MSG_NOSIGNAL);
                while (server->hangs && recv(fd, dust, sizeof(dust), 0) > 0)
                        ;
        }
        (void) close(fd);
}

static Server *
server_new(const char *says, gboolean hangs, const char *certificate_path, const char *key_path)
{
        Server *server = g_new0(Server, 1);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof(address);
        g_autoptr(GError) error = NULL;

        server->says = says;
        server->hangs = hangs;
        if (certificate_path != NULL) {
                server->ctx = SSL_CTX_new(TLS_server_method());
                g_assert_cmpint(SSL_CTX_use_certificate_chain_file(server->ctx, certificate_path), ==, 1);
                g_assert_cmpint(SSL_CTX_use_PrivateKey_file(server->ctx, key_path, SSL_FILETYPE_PEM), ==, 1);
        }
        server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(bind(server->fd, (struct sockaddr *) &address, len), ==, 0);
        g_assert_cmpint(listen(server->fd, 8), ==, 0);
        g_assert_cmpint(getsockname(server->fd, (struct sockaddr *) &address, &len), ==, 0);
        server->port = ntohs(address.sin_port);
        server->thread = thread_new("server", server_main, server, &error);
        g_assert_no_error(error);
        return server;
}

static void
server_free(Server *server)
{
        (void) shutdown(server->fd, SHUT_RDWR);
        thread_take_join(server->thread);
        (void) close(server->fd);
        SSL_CTX_free(server->ctx);
        g_free(server);
}

static Stream *
client_new(const Server *server, Usec span)
{
        g_autoptr(GError) error = NULL;
        Stream *stream = stream_connect("127.0.0.1", server->port, TRUE, clock_in(span), &error);

        g_assert_no_error(error);
        return stream;
}

static void
test_client(void)
{
        Server *server = server_new("+OK\r\nbye\r\n", FALSE, NULL, NULL);
        g_autoptr(Stream) stream = client_new(server, 20 * USEC_PER_SEC);
        StreamPeer peer;
        Span line;

        g_assert_cmpint(stream_line(stream, 100, FALSE, &line), ==, STREAM_OK);
        assert_span(line, "+OK");
        stream_peer(stream, &peer);
        g_assert_cmpstr(peer.text, ==, "127.0.0.1");
        g_assert_cmpint(peer.port, ==, server->port);
        g_assert_cmpstr(peer.local_text, ==, "127.0.0.1");
        g_assert_true(peer.is_loopback && peer.is_first_loopback);
        g_assert_cmpint(stream_line(stream, 100, FALSE, &line), ==, STREAM_OK);
        g_assert_cmpint(stream_line(stream, 100, FALSE, &line), ==, STREAM_CLOSED);
        server_free(server);
}

static void
test_client_deadline(void)
{
        Server *server = server_new("+O", TRUE, NULL, NULL);
        Stream *stream = client_new(server, 20 * USEC_PER_SEC);
        Span line;

        stream_set_deadline(stream, clock_in(30 * USEC_PER_MS));
        g_assert_cmpint(stream_line(stream, 100, FALSE, &line), ==, STREAM_FAILED);
        g_assert_cmpstr(stream_reason(stream), ==, "timed out");
        stream_free(stream);
        server_free(server);
}

/* A server that reads nothing can't hold a client past its deadline either. */
static void
test_client_write_deadline(void)
{
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof(address);
        g_autoptr(GError) error = NULL;
        g_autofree guint8 *piece = g_malloc0(60000);

        g_assert_cmpint(bind(fd, (struct sockaddr *) &address, len), ==, 0);
        g_assert_cmpint(listen(fd, 8), ==, 0);
        g_assert_cmpint(getsockname(fd, (struct sockaddr *) &address, &len), ==, 0);
        g_autoptr(Stream) stream = stream_connect("127.0.0.1", ntohs(address.sin_port), TRUE, clock_in(100 * USEC_PER_MS), &error);
        g_assert_no_error(error);
        for (int i = 0; i < 2000 && !stream_is_failed(stream); i++)
                stream_write(stream, span_make(piece, 60000));
        g_assert_cmpstr(stream_reason(stream), ==, "timed out");
        (void) close(fd);
}

static void
test_refused(void)
{
        Server *server = server_new(NULL, FALSE, NULL, NULL);
        g_autoptr(GError) error = NULL;
        guint16 port = server->port;

        server_free(server);
        g_assert_null(stream_connect("127.0.0.1", port, TRUE, clock_in(20 * USEC_PER_SEC), &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
        g_autofree char *text = g_strdup_printf("127.0.0.1 port %u: Connection refused", port);
        g_assert_cmpstr(error->message, ==, text);
}

static void
test_connect_timeout(void)
{
        /* A listener with a full queue does not answer any more. */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fill[8];
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof(address);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(bind(fd, (struct sockaddr *) &address, len), ==, 0);
        g_assert_cmpint(listen(fd, 0), ==, 0);
        g_assert_cmpint(getsockname(fd, (struct sockaddr *) &address, &len), ==, 0);
        for (gsize i = 0; i < G_N_ELEMENTS(fill); i++) {
                fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                (void) !connect(fill[i], (struct sockaddr *) &address, len);
        }
        g_assert_null(stream_connect("127.0.0.1", ntohs(address.sin_port), TRUE, clock_in(50 * USEC_PER_MS), &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_TIMEOUT);
        for (gsize i = 0; i < G_N_ELEMENTS(fill); i++)
                (void) close(fill[i]);
        (void) close(fd);
}

static void
test_private(void)
{
        Server *server = server_new("hello\r\n", FALSE, NULL, NULL);
        static const char *const hosts[] = {"127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "localhost", "10.0.0.1", "fe80::1"};

        for (gsize i = 0; i < G_N_ELEMENTS(hosts); i++) {
                g_autoptr(GError) error = NULL;
                g_assert_null(stream_connect(hosts[i], server->port, FALSE, clock_in(20 * USEC_PER_SEC), &error));
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        }
        server_free(server);
}

/* TLS as client ---------------------------------------------------------------------------------------------------- */

/* Connect, shake hands, read "hello". Returns the reason it failed for, or NULL. */
static const char *
tls_try(const char *certificate_path, const char *key_path, gboolean verify, const char *ca, const char *host)
{
        Server *server = server_new("hello\r\n", FALSE, certificate_path, key_path);
        g_autoptr(GError) error = NULL;
        g_autoptr(TlsContext) tls = tls_client_new(verify, ca, &error);
        Span line;

        g_assert_no_error(error);
        Stream *stream = client_new(server, 20 * USEC_PER_SEC);
        const char *reason = NULL;
        if (stream_start_tls(stream, tls, host) != STREAM_OK) {
                reason = stream_reason(stream);
                g_assert_false(stream_is_tls(stream));
                /* Nothing ever goes back to clear text. */
                stream_write(stream, span_of("secret"));
                g_assert_false(stream_flush(stream));
                g_assert_cmpint(stream_line(stream, 100, FALSE, &line), ==, STREAM_FAILED);
        } else {
                g_assert_true(stream_is_tls(stream));
                g_assert_cmpstr(stream_tls_version(stream), ==, "TLSv1.3");
                g_assert_nonnull(stream_tls_cipher(stream));
                g_assert_cmpint(stream_tls_bits(stream), >=, 128);
                g_assert_cmpint(stream_line(stream, 100, FALSE, &line), ==, STREAM_OK);
                assert_span(line, "hello");
        }
        stream_free(stream);
        server_free(server);
        return reason;
}

static void
test_tls_verify(void)
{
        g_assert_cmpstr(tls_try(certificate, key, TRUE, certificate, "mx.example"), ==, NULL);
        g_assert_cmpstr(tls_try(certificate, key, FALSE, NULL, NULL), ==, NULL);
        g_assert_cmpstr(tls_try(certificate, key, FALSE, NULL, "whoever.example"), ==, NULL);
        g_assert_cmpstr(tls_try(certificate, key, TRUE, certificate, "other.example"), ==,
                        "the certificate is for another name");
        g_assert_cmpstr(tls_try(certificate, key, TRUE, certificate, "127.0.0.1"), ==,
                        "the certificate is for another name");
        g_assert_cmpstr(tls_try(certificate, key, TRUE, NULL, "mx.example"), ==, "self-signed certificate");
        g_assert_cmpstr(tls_try(certificate, key, TRUE, other_certificate, "mx.example"), ==, "self-signed certificate");
        g_assert_cmpstr(tls_try(certificate, key, TRUE, certificate, NULL), ==, "no name to verify");
}

static void
test_tls_with_plain_server(void)
{
        Server *server = server_new("220 I speak no TLS\r\n", TRUE, NULL, NULL);
        g_autoptr(TlsContext) tls = tls_client_new(FALSE, NULL, NULL);
        Stream *stream = client_new(server, 20 * USEC_PER_SEC);

        g_assert_cmpint(stream_start_tls(stream, tls, "mx.example"), ==, STREAM_FAILED);
        g_assert_true(stream_is_failed(stream));
        stream_free(stream);
        server_free(server);
}

static void
test_tls_handshake_deadline(void)
{
        Server *server = server_new(NULL, TRUE, NULL, NULL);
        g_autoptr(TlsContext) tls = tls_client_new(FALSE, NULL, NULL);
        Stream *stream = client_new(server, 30 * USEC_PER_MS);

        g_assert_cmpint(stream_start_tls(stream, tls, NULL), ==, STREAM_FAILED);
        g_assert_cmpstr(stream_reason(stream), ==, "timed out");
        stream_free(stream);
        server_free(server);
}

/* RFC 3207 §4.2 in our role as client: an answer said in the clear is not taken for one said under TLS. */
static void
test_tls_injected_answer(void)
{
        Server *server = server_new("220 go ahead\r\n250 SIZE\r\n", TRUE, NULL, NULL);
        g_autoptr(TlsContext) tls = tls_client_new(FALSE, NULL, NULL);
        Stream *stream = client_new(server, 20 * USEC_PER_SEC);
        Span line;

        g_assert_cmpint(stream_line(stream, 100, FALSE, &line), ==, STREAM_OK);
        g_assert_cmpint(stream_start_tls(stream, tls, NULL), ==, STREAM_FAILED);
        g_assert_cmpstr(stream_reason(stream), ==, "octets before the TLS handshake");
        stream_free(stream);
        server_free(server);
}

/* Certificates ----------------------------------------------------------------------------------------------------- */

static void
expect_fault(TlsContext *tls, GError **error_place, const char *begins)
{
        g_autoptr(GError) error = g_steal_pointer(error_place);

        g_assert_null(tls);
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        if (!g_str_has_prefix(error->message, begins))
                g_error("\"%s\" does not begin with \"%s\"", error->message, begins);
}

static void
test_certificates(void)
{
        GError *error = NULL;
        g_autofree char *missing = g_build_filename(folder, "missing.pem", NULL), *garbage = g_build_filename(folder, "garbage.pem", NULL);
        g_autofree char *says_missing = g_strconcat(missing, ": No such file", NULL), *says_garbage = g_strconcat(garbage, ": no PEM", NULL);
        g_autofree char *says_misfit = g_strconcat(other_key, ": this key does not belong", NULL);
        GStatBuf st;

        g_assert_true(g_file_set_contents(garbage, "garbage\n", -1, NULL));
        expect_fault(tls_server_new(missing, key, &error), &error, says_missing);
        expect_fault(tls_server_new(certificate, missing, &error), &error, says_missing);
        expect_fault(tls_server_new(garbage, key, &error), &error, says_garbage);
        expect_fault(tls_server_new(certificate, garbage, &error), &error, says_garbage);
        expect_fault(tls_server_new(certificate, other_key, &error), &error, says_misfit);
        expect_fault(tls_client_new(TRUE, garbage, &error), &error, says_garbage);
        (void) g_unlink(garbage);

        g_autoptr(TlsContext) tls = tls_server_new(certificate, key, &error);
        g_assert_no_error(error);
        gint64 years = (tls_not_after(tls) - clock_real() / USEC_PER_SEC) / (365 * 24 * 60 * 60);
        g_assert_cmpint(years, >=, 9);
        g_assert_cmpint(years, <=, 10);
        g_assert_cmpint(g_stat(key, &st), ==, 0);
        g_assert_cmpint(st.st_mode & 0777, ==, 0600);

        /* Never over a key that is there. */
        g_assert_false(tls_make_self_signed("mx.example", certificate, key, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
        g_clear_error(&error);
        /* Nor with a name that means something in OpenSSL's own language. */
        g_assert_false(tls_make_self_signed("mx.example,IP:1.2.3.4", missing, missing, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        g_clear_error(&error);
}

static char *
in_folder(const char *name)
{
        return g_build_filename(folder, name, NULL);
}

int
main(int argc, char **argv)
{
        g_autoptr(GError) error = NULL;

        g_test_init(&argc, &argv, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        folder = g_dir_make_tmp("stream-XXXXXX", &error);
        g_assert_no_error(error);
        certificate = in_folder("c.pem");
        key = in_folder("k.pem");
        other_certificate = in_folder("oc.pem");
        other_key = in_folder("ok.pem");
        if (!tls_make_self_signed("mx.example", certificate, key, &error) ||
            !tls_make_self_signed("mx.example", other_certificate, other_key, &error))
                g_error("%s", error->message);

        g_test_add_func("/net/stream/lines", test_lines);
        g_test_add_func("/net/stream/some-and-more", test_some);
        g_test_add_func("/net/stream/input-is-bounded", test_too_much);
        g_test_add_func("/net/stream/same-lines-however-split", test_split_everywhere);
        g_test_add_func("/net/stream/output-gathers", test_output);
        g_test_add_func("/net/stream/output-is-bounded", test_full);
        g_test_add_func("/net/stream/first-error-sticks", test_sticky);
        g_test_add_func("/net/stream/client", test_client);
        g_test_add_func("/net/stream/client-reads-until-its-deadline", test_client_deadline);
        g_test_add_func("/net/stream/client-writes-until-its-deadline", test_client_write_deadline);
        g_test_add_func("/net/stream/connect-refused", test_refused);
        g_test_add_func("/net/stream/connect-times-out", test_connect_timeout);
        g_test_add_func("/net/stream/connect-never-to-private-addresses", test_private);
        g_test_add_func("/net/stream/tls-client-verifies-chain-and-name", test_tls_verify);
        g_test_add_func("/net/stream/tls-with-a-server-that-has-none", test_tls_with_plain_server);
        g_test_add_func("/net/stream/tls-handshake-ends-at-the-deadline", test_tls_handshake_deadline);
        g_test_add_func("/net/stream/answer-injected-before-tls RFC 3207 §4.2", test_tls_injected_answer);
        g_test_add_func("/net/stream/certificates-and-keys-that-are-wrong", test_certificates);
        int result = g_test_run();

        char **const files[] = {&certificate, &key, &other_certificate, &other_key};
        for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
                (void) g_unlink(*files[i]);
                g_free(*files[i]);
        }
        (void) g_rmdir(folder);
        g_free(folder);
        return result;
}

#include "pop3/client_internal.h"

#include "base/thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server that answers from a script ------------------------------------------------------------------------------ */

typedef enum Then {
        GO_ON = 0,
        CLOSE,
        RESET,
        STALL,  /* says nothing more, until the client closes */
        REPEAT, /* the same again and again, until the client closes */
} Then;

/* What it says to commands that begin so; "" is the greeting. */
typedef struct Reply {
        const char *command, *text;
        Then then;
} Reply;

#define REPLIES_MAX 4

static const Reply USUAL[] = {
        {"", "+OK hello\r\n"},
        {"CAPA", "+OK\r\nTOP\r\nUIDL\r\nUSER\r\nSASL LOGIN PLAIN\r\nPIPELINING\r\nRESP-CODES\r\n.\r\n"},
        {"STLS", "+OK begin\r\n"},
        {"USER", "+OK\r\n"},
        {"PASS", "+OK\r\n"},
        {"AUTH", "+OK\r\n"},
        {"LIST", "+OK 2 messages\r\n1 5\r\n2 70\r\n.\r\n"},
        {"UIDL", "+OK\r\n1 a\r\n2 b\r\n.\r\n"},
        {"RETR", "+OK 5 octets\r\nS: x\r\n\r\ny\r\n.\r\n"},
        {"TOP", "+OK\r\nS: x\r\n\r\n.\r\n"},
        {"DELE", "+OK\r\n"},
        {"QUIT", "+OK bye\r\n", CLOSE},
};

static const Reply UNKNOWN = {"", "-ERR unknown command\r\n"};

typedef struct Server {
        int listener, fd;
        guint16 port;
        const Reply *replies;
        GString *heard;
        Thread *thread;
} Server;

static gboolean
put(Server *server, const char *text)
{
        gsize len = strlen(text);

        while (len > 0) {
                ssize_t n = send(server->fd, text, len, MSG_NOSIGNAL);
                if (n <= 0)
                        return FALSE;
                text += n;
                len -= (gsize) n;
        }
        return TRUE;
}

static gboolean
get_line(Server *server, char *line, gsize size)
{
        gsize n = 0;

        while (n + 1 < size && recv(server->fd, line + n, 1, 0) == 1)
                if (line[n++] == '\n') {
                        line[n] = '\0';
                        g_string_append(server->heard, line);
                        return TRUE;
                }
        return FALSE;
}

static const Reply *
find_reply(const Server *server, const char *line)
{
        const char *word = line == NULL ? "" : line;

        for (int i = 0; i < REPLIES_MAX && server->replies[i].command != NULL; i++)
                if (line == NULL ? server->replies[i].command[0] == '\0'
                                 : server->replies[i].command[0] != '\0' &&
                                           g_str_has_prefix(word, server->replies[i].command))
                        return &server->replies[i];
        for (gsize i = line == NULL ? 0 : 1; i < G_N_ELEMENTS(USUAL); i++)
                if (line == NULL || g_str_has_prefix(word, USUAL[i].command))
                        return &USUAL[i];
        return &UNKNOWN;
}

static gboolean
say(Server *server, const Reply *reply)
{
        gboolean goes_on = put(server, reply->text);

        while (goes_on && reply->then == REPEAT)
                goes_on = put(server, reply->text);
        if (reply->then == STALL)
                (void) poll(&(struct pollfd){server->fd, POLLRDHUP, 0}, 1, 30000);
        if (reply->then == RESET)
                (void) setsockopt(server->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        return goes_on && reply->then == GO_ON;
}

static void
serve(gpointer data)
{
        Server *server = data;
        char line[2048];

        server->fd = accept(server->listener, NULL, NULL);
        gboolean goes_on = server->fd >= 0 && say(server, find_reply(server, NULL));
        while (goes_on && get_line(server, line, sizeof(line)))
                goes_on = say(server, find_reply(server, line));
        close(server->fd);
}

static void
server_listen(Server *server)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);

        *server = (Server){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .heard = g_string_new(NULL)};
        g_assert_cmpint(bind(server->listener, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(server->listener, 1), ==, 0);
        g_assert_cmpint(getsockname(server->listener, (struct sockaddr *) &address, &len), ==, 0);
        server->port = ntohs(address.sin_port);
}

static void
server_run(Server *server, void (*run)(gpointer server))
{
        g_autoptr(GError) error = NULL;

        server->thread = thread_new("fake-pop3", run, server, &error);
        g_assert_no_error(error);
}

static void
server_start(Server *server, const Reply *replies)
{
        server_listen(server);
        server->replies = replies;
        server_run(server, serve);
}

static void
server_stop(Server *server)
{
        thread_take_join(server->thread);
        close(server->listener);
        g_string_free(server->heard, TRUE);
}

/* A whole session ----------------------------------------------------------------------------------------------------
 */

static const char *
answer_name(Pop3Answer answer)
{
        static const char *const NAMES[] = {"failed", "ok", "refused", "not offered", "wrong password", "busy"};

        return NAMES[answer];
}

static gboolean
collect(Span octets, gpointer data)
{
        g_string_append_len(data, (const char *) octets.data, (gssize) octets.len);
        return TRUE;
}

typedef struct Seen {
        GString *listing, *body;
} Seen;

/* connect, login, LIST, RETR 1, DELE 1, QUIT: "ok", or the first that went otherwise. */
static char *
session(const Pop3ClientSettings *settings, guint64 max_octets, Seen *seen)
{
        g_autoptr(Pop3Client) client = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree Pop3Message *messages = NULL;
        guint32 n = 0;
        guint64 octets = 0;

        Pop3Answer answer = pop3_client_connect(settings, &client, &error);
        g_assert_true((answer == POP3_OK) == (error == NULL));
        if (answer != POP3_OK)
                return g_strdup_printf("connect %s", answer_name(answer));
        if ((answer = pop3_client_login(client, "joe", "secret", &error)) != POP3_OK)
                return g_strdup_printf("login %s", answer_name(answer));
        if ((answer = pop3_client_list(client, &messages, &n, &error)) != POP3_OK)
                return g_strdup_printf("list %s", answer_name(answer));
        for (guint32 i = 0; i < n; i++)
                g_string_append_printf(seen->listing, "%u %" G_GUINT64_FORMAT " %s;", messages[i].number,
                                       messages[i].size, messages[i].uidl);
        pop3_client_send_retr(client, 1);
        if ((answer = pop3_client_read_message(client, max_octets, collect, seen->body, &octets, &error)) != POP3_OK)
                return g_strdup_printf("retr %s", answer_name(answer));
        g_assert_cmpuint(octets, ==, seen->body->len);
        pop3_client_send_dele(client, 1);
        if ((answer = pop3_client_read_dele(client, &error)) != POP3_OK)
                return g_strdup_printf("dele %s", answer_name(answer));
        answer = pop3_client_quit(client, &error);
        g_assert_true((answer == POP3_FAILED) == (error != NULL));
        return answer == POP3_OK ? g_strdup("ok") : g_strdup_printf("quit %s", answer_name(answer));
}

typedef struct Case {
        const char *title;
        const char *wanted;
        Reply replies[REPLIES_MAX];
        const char *listing, *body; /* NULL: whatever it is */
        Pop3Tls tls;
        guint64 max_octets; /* 0: 1 MiB */
        guint timeout_ms;   /* 0: long  */
} Case;

#define LONG70 "0123456789012345678901234567890123456789012345678901234567890123456789"

static const Case CASES[] = {
        {"the usual", "ok", {{NULL}}, "1 5 a;2 70 b;", "S: x\r\n\r\ny\r\n"},
        {"words in small letters", "ok", {{"", "+ok\r\n"}, {"DELE", "+ok done\r\n"}}},
        /* greeting */
        {"closes at once", "connect failed", {{"", "", CLOSE}}},
        {"resets at once", "connect failed", {{"", "", RESET}}},
        {"never greets", "connect failed", {{"", "", STALL}}, .timeout_ms = 100},
        {"half a greeting", "connect failed", {{"", "+OK he", STALL}}, .timeout_ms = 100},
        {"closes within the greeting", "connect failed", {{"", "+OK he", CLOSE}}},
        {"another protocol", "connect failed", {{"", "220 mx.example ESMTP\r\n"}}},
        {"+OKAY is no +OK", "connect failed", {{"", "+OKAY\r\n"}}},
        {"an empty line", "connect failed", {{"", "\r\n"}}},
        {"an endless greeting", "connect failed", {{"", "+OK +OK +OK +OK +OK +OK +OK +OK +OK", REPEAT}}},
        {"NULs", "connect failed", {{"", "\r\n\r\n\r\n", STALL}}, .timeout_ms = 100},
        {"turned away", "connect refused", {{"", "-ERR go away\r\n", CLOSE}}},
        {"turned away for now", "connect busy", {{"", "-ERR [SYS/TEMP] later\r\n", CLOSE}}},
        /* CAPA */
        {"CAPA unknown", "ok", {{"CAPA", "-ERR what?\r\n"}}, "1 5 a;2 70 b;"},
        {"CAPA without end", "connect failed", {{"CAPA", "+OK\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\n", REPEAT}}},
        {"CAPA broken off", "connect failed", {{"CAPA", "+OK\r\nUSER\r\n", CLOSE}}},
        {"CAPA stalls", "connect failed", {{"CAPA", "+OK\r\nUSER\r\n", STALL}}, .timeout_ms = 100},
        {"only SASL", "ok", {{"CAPA", "+OK\r\nSASL PLAIN\r\n.\r\n"}}},
        {"no way to log in", "login not offered", {{"CAPA", "+OK\r\nSASL GSSAPI\r\n.\r\n"}, {"USER", "-ERR\r\n"}}},
        /* STARTTLS: never without, never injected (RFC 2595 §4) */
        {"STLS not offered", "connect not offered", {{NULL}}, .tls = POP3_TLS_STARTTLS},
        {"STLS refused",
         "connect not offered",
         {{"CAPA", "+OK\r\nSTLS\r\n.\r\n"}, {"STLS", "-ERR no\r\n"}},
         .tls = POP3_TLS_STARTTLS},
        {"STLS refused, CAPA unknown",
         "connect not offered",
         {{"CAPA", "-ERR\r\n"}, {"STLS", "-ERR no\r\n"}},
         .tls = POP3_TLS_STARTTLS},
        {"STLS with an answer injected",
         "connect failed",
         {{"CAPA", "+OK\r\nSTLS\r\n.\r\n"}, {"STLS", "+OK\r\n+OK\r\nUSER\r\n.\r\n", STALL}},
         .tls = POP3_TLS_STARTTLS,
         .timeout_ms = 2000},
        {"STLS, then closes",
         "connect failed",
         {{"CAPA", "+OK\r\nSTLS\r\n.\r\n"}, {"STLS", "+OK\r\n", CLOSE}},
         .tls = POP3_TLS_STARTTLS},
        {"STLS, then stalls",
         "connect failed",
         {{"CAPA", "+OK\r\nSTLS\r\n.\r\n"}, {"STLS", "+OK\r\n", STALL}},
         .tls = POP3_TLS_STARTTLS,
         .timeout_ms = 100},
        {"cleartext on the TLS port", "connect failed", {{NULL}}, .tls = POP3_TLS_IMPLICIT, .timeout_ms = 2000},
        /* login (RFC 1939 §7, RFC 3206) */
        {"wrong password", "login wrong password", {{"PASS", "-ERR wrong\r\n"}}},
        {"wrong password by code", "login wrong password", {{"PASS", "-ERR [AUTH] no\r\n"}}},
        {"unknown user", "login wrong password", {{"USER", "-ERR who?\r\n"}}},
        {"no USER in its list, but taken", "ok", {{"CAPA", "+OK\r\nUIDL\r\n.\r\n"}}},
        {"no USER in its list, and refused",
         "login not offered",
         {{"CAPA", "+OK\r\nUIDL\r\n.\r\n"}, {"USER", "-ERR\r\n"}}},
        {"in use", "login busy", {{"PASS", "-ERR [IN-USE] by another\r\n"}}},
        {"too soon", "login busy", {{"PASS", "-ERR [LOGIN-DELAY] wait\r\n"}}},
        {"out of order for now", "login busy", {{"PASS", "-ERR [SYS/TEMP] backend\r\n"}}},
        {"out of order", "login refused", {{"PASS", "-ERR [SYS/PERM] no such backend\r\n"}}},
        {"locked, in old words", "login busy", {{"PASS", "-ERR maildrop already locked\r\n"}}},
        {"a locked account is no lock", "login wrong password", {{"PASS", "-ERR account locked\r\n"}}},
        {"closes after PASS", "login failed", {{"PASS", "", CLOSE}}},
        {"CAPA breaks after login", "login failed", {{"PASS", "+OK\r\n", CLOSE}}},
        /* LIST and UIDL */
        {"an empty maildrop", "retr refused", {{"LIST", "+OK\r\n.\r\n"}, {"RETR", "-ERR none\r\n"}}, ""},
        {"LIST refused", "list refused", {{"LIST", "-ERR\r\n"}}},
        {"LIST locked", "list busy", {{"LIST", "-ERR [IN-USE]\r\n"}}},
        {"LIST with garbage lines",
         "ok",
         {{"LIST", "+OK\r\nx\r\n1 5 extra\r\n-1 3\r\n0 1\r\n9\r\n99999999999 1\r\n2  70\r\n3 x\r\n.\r\n"}},
         "1 5 a;2 70 b;"},
        {"LIST out of order and doubled",
         "ok",
         {{"LIST", "+OK\r\n2 70\r\n1 5\r\n2 70\r\n.\r\n"}, {"UIDL", "+OK\r\n2 b\r\n1 a\r\n.\r\n"}},
         "1 5 a;2 70 b;"},
        {"sizes beyond reason",
         "ok",
         {{"LIST", "+OK\r\n1 5\r\n2 99999999999999999999\r\n3 9999999999999999\r\n.\r\n"}},
         "1 5 a;"},
        {"LIST with a long line", "list failed", {{"LIST", "+OK\r\n1 " LONG70 LONG70 LONG70 LONG70, REPEAT}}},
        {"LIST without end",
         "list failed",
         {{"LIST", "+OK\r\n1 1\r\n1 1\r\n1 1\r\n1 1\r\n1 1\r\n1 1\r\n1 1\r\n1 1\r\n1 1\r\n", REPEAT}}},
        {"LIST broken off", "list failed", {{"LIST", "+OK\r\n1 5\r\n", CLOSE}}},
        {"LIST reset", "list failed", {{"LIST", "+OK\r\n1 5\r\n", RESET}}},
        {"LIST stalls", "list failed", {{"LIST", "+OK\r\n1 5\r\n", STALL}}, .timeout_ms = 100},
        {"UIDL refused though offered", "list refused", {{"UIDL", "-ERR\r\n"}}},
        {"UIDL unknown", "ok", {{"CAPA", "+OK\r\nUSER\r\n.\r\n"}, {"UIDL", "-ERR\r\n"}}, "1 5 ;2 70 ;"},
        {"UIDL of 70 characters", "ok", {{"UIDL", "+OK\r\n1 " LONG70 "\r\n.\r\n"}}, "1 5 " LONG70 ";2 70 ;"},
        {"UIDL of 71 characters", "ok", {{"UIDL", "+OK\r\n1 " LONG70 "x\r\n2 b\r\n.\r\n"}}, "1 5 ;2 70 b;"},
        {"UIDL garbage",
         "ok",
         {{"UIDL", "+OK\r\n1\r\n2 \r\nx y\r\n7 c\r\n1 a b\r\n2 \xc3\xa4\r\n.\r\n"}},
         "1 5 ;2 70 ;"},
        {"UIDL broken off", "list failed", {{"UIDL", "+OK\r\n1 a\r\n", CLOSE}}},
        /* RETR: dots and ends (RFC 1939 §3) */
        {"-ERR to RETR", "retr refused", {{"RETR", "-ERR gone\r\n"}}},
        {"an empty message", "ok", {{"RETR", "+OK\r\n.\r\n"}}, NULL, ""},
        {"stuffed dots",
         "ok",
         {{"RETR", "+OK\r\n..\r\n...\r\n..a\r\n.b\r\na.\r\n.\r\n"}},
         NULL,
         ".\r\n..\r\n.a\r\nb\r\na.\r\n"},
        {"LF.CRLF is no end", "ok", {{"RETR", "+OK\r\na\n.\r\nb\r\n.\r\n"}}, NULL, "a\r\n.\r\nb\r\n"},
        {"LF.LF is no end", "ok", {{"RETR", "+OK\r\na\n.\nb\r\n.\r\n"}}, NULL, "a\r\n.\r\nb\r\n"},
        {"CRLF.LF is no end", "ok", {{"RETR", "+OK\r\na\r\n.\nb\r\n.\r\n"}}, NULL, "a\r\n\r\nb\r\n"},
        {"CRLF.CR is no end", "ok", {{"RETR", "+OK\r\na\r\n.\rb\r\n.\r\n"}}, NULL, "a\r\n\rb\r\n"},
        {"dots behind a bare LF", "ok", {{"RETR", "+OK\r\na\n..b\n.c\n..\r\n.\r\n"}}, NULL, "a\r\n.b\r\n.c\r\n.\r\n"},
        {"bare LF becomes CRLF", "ok", {{"RETR", "+OK\r\na\n\nb\nc\r\n.\r\n"}}, NULL, "a\r\n\r\nb\r\nc\r\n"},
        {"bare CR stays", "ok", {{"RETR", "+OK\r\na\rb\r\r\n.\r\n"}}, NULL, "a\rb\r\r\n"},
        {"message broken off", "retr failed", {{"RETR", "+OK\r\nS: x\r\n\r\ny\r\n", CLOSE}}},
        {"broken off before the last LF", "retr failed", {{"RETR", "+OK\r\nS: x\r\n.\r", CLOSE}}},
        {"message reset", "retr failed", {{"RETR", "+OK\r\nS: x\r\n", RESET}}},
        {"message stalls", "retr failed", {{"RETR", "+OK\r\nS: x\r\n", STALL}}, .timeout_ms = 100},
        {"only an LF at the end", "retr failed", {{"RETR", "+OK\r\nx\r\n.\n", STALL}}, .timeout_ms = 100},
        {"a message without end", "retr failed", {{"RETR", "+OK\r\n" LONG70 "\r\n" LONG70, REPEAT}}},
        {"a line without end", "retr failed", {{"RETR", "+OK " LONG70 LONG70 LONG70, REPEAT}}},
        {"larger than allowed", "retr failed", {{"RETR", "+OK\r\n0123456789\r\n.\r\n"}}, .max_octets = 11},
        {"exactly as large as allowed", "ok", {{"RETR", "+OK\r\n0123456789\r\n.\r\n"}}, .max_octets = 12},
        {"garbage for RETR", "retr failed", {{"RETR", "S: x\r\n\r\n.\r\n"}}},
        /* DELE and QUIT */
        {"-ERR to DELE", "dele refused", {{"DELE", "-ERR no\r\n"}}},
        {"closes at DELE", "dele failed", {{"DELE", "", CLOSE}}},
        {"stalls at DELE", "dele failed", {{"DELE", "+O", STALL}}, .timeout_ms = 100},
        {"-ERR to QUIT", "quit refused", {{"QUIT", "-ERR some messages not removed\r\n", CLOSE}}},
        {"closes at QUIT", "quit failed", {{"QUIT", "", CLOSE}}},
        {"resets at QUIT", "quit failed", {{"QUIT", "", RESET}}},
};

static void
run_case(const Case *c, TlsContext *tls)
{
        Seen seen = {g_string_new(NULL), g_string_new(NULL)};
        Server server;

        server_start(&server, c->replies);
        Pop3ClientSettings settings = {.host = "127.0.0.1",
                                       .port = server.port,
                                       .tls = c->tls,
                                       .tls_context = tls,
                                       .allow_private = TRUE,
                                       .command_timeout = (c->timeout_ms > 0 ? c->timeout_ms : 30000) * USEC_PER_MS};
        g_autofree char *outcome = session(&settings, c->max_octets > 0 ? c->max_octets : 1 << 20, &seen);
        server_stop(&server);
        if (strcmp(outcome, c->wanted) != 0)
                g_error("%s: %s, wanted %s", c->title, outcome, c->wanted);
        if (c->listing != NULL)
                g_assert_cmpstr(seen.listing->str, ==, c->listing);
        if (c->body != NULL)
                g_assert_cmpstr(seen.body->str, ==, c->body);
        g_string_free(seen.listing, TRUE);
        g_string_free(seen.body, TRUE);
}

static void
test_scripts(void)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(TlsContext) tls = tls_client_new(FALSE, NULL, &error);

        g_assert_no_error(error);
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++)
                run_case(&CASES[i], tls);
}

#define ODD_MESSAGE "+OK\r\nA: b\r\n\r\n..dot\r\nlf\n..x\n.y\r\n\r\r\n.\r\n"
#define ODD_READ "A: b\r\n\r\n.dot\r\nlf\r\n.x\r\n.y\r\n\r\r\n"

/* Whatever is missing at its end, be it one octet: then it is no message. */
static void
test_pieces(void)
{
        static const char WIRE[] = ODD_MESSAGE "+OK next\r\n";
        gsize whole = strlen(ODD_MESSAGE);

        for (gsize cut = 1; cut < sizeof(WIRE); cut++) {
                g_autoptr(GString) body = g_string_new(NULL);
                g_autoptr(GError) error = NULL;
                int fds[2];
                guint64 octets;

                g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
                g_autoptr(Pop3Client) client = pop3_client_take_stream(stream_take_fd(fds[0]), 0);
                g_assert_cmpint(write(fds[1], WIRE, cut), ==, (gssize) cut);
                close(fds[1]);
                Pop3Answer answer = pop3_client_read_message(client, 1 << 20, collect, body, &octets, &error);
                g_assert_cmpint(answer, ==, cut < whole ? POP3_FAILED : POP3_OK);
                if (answer != POP3_OK)
                        continue;
                g_assert_cmpstr(body->str, ==, ODD_READ);
                g_assert_cmpint(pop3_client_read_dele(client, &error), ==,
                                cut == sizeof(WIRE) - 1 ? POP3_OK : POP3_FAILED);
        }
}

static void
slowly(gpointer data)
{
        static const char WIRE[] = ODD_MESSAGE;
        int fd = GPOINTER_TO_INT(data);

        for (gsize i = 0; i < sizeof(WIRE) - 1; i++) {
                g_assert_cmpint(send(fd, WIRE + i, 1, MSG_NOSIGNAL), ==, 1);
                g_usleep(500);
        }
        close(fd);
}

static void
slow_server(gpointer data)
{
        Server *server = data;

        server->fd = accept(server->listener, NULL, NULL);
        slowly(GINT_TO_POINTER(server->fd));
}

/* Octet by octet: nothing is taken for an end, a dot or a bare LF before its neighbours are there. */
static void
test_octet_by_octet(void)
{
        g_autoptr(GString) body = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        Server server;
        guint64 octets;

        server_listen(&server);
        server_run(&server, slow_server);
        Stream *stream = stream_connect("127.0.0.1", server.port, TRUE, clock_in(30 * USEC_PER_SEC), &error);
        g_assert_no_error(error);
        g_autoptr(Pop3Client) client = pop3_client_take_stream(stream, 0);
        g_assert_cmpint(pop3_client_read_message(client, 1 << 20, collect, body, &octets, &error), ==, POP3_OK);
        g_assert_cmpstr(body->str, ==, ODD_READ);
        server_stop(&server);
}

static gboolean
refuse(Span octets, gpointer data)
{
        (*(guint *) data)++;
        return FALSE;
}

/* Who does not want the rest of a message gets the next reply all the same. */
static void
test_unwanted_message(void)
{
        static const Reply NONE[REPLIES_MAX] = {{NULL}};
        g_autoptr(Pop3Client) client = NULL;
        g_autoptr(GError) error = NULL;
        Server server;
        guint calls = 0;
        guint64 octets;

        server_start(&server, NONE);
        Pop3ClientSettings settings = {.host = "127.0.0.1", .port = server.port, .allow_private = TRUE};
        g_assert_cmpint(pop3_client_connect(&settings, &client, &error), ==, POP3_OK);
        g_assert_true(pop3_client_has_pipelining(client));
        pop3_client_send_retr(client, 1);
        pop3_client_send_top(client, 2, 0);
        pop3_client_send_dele(client, 1);
        g_assert_cmpint(pop3_client_read_message(client, 100, refuse, &calls, &octets, &error), ==, POP3_OK);
        g_assert_cmpuint(octets, ==, strlen("S: x\r\n\r\ny\r\n"));
        g_assert_cmpint(pop3_client_read_message(client, 100, refuse, &calls, &octets, &error), ==, POP3_OK);
        g_assert_cmpuint(calls, ==, 2);
        g_assert_cmpint(pop3_client_read_dele(client, &error), ==, POP3_OK);
        g_assert_cmpint(pop3_client_quit(client, &error), ==, POP3_OK);
        g_assert_cmpstr(server.heard->str, ==, "CAPA\r\nRETR 1\r\nTOP 2 0\r\nDELE 1\r\nQUIT\r\n");
        server_stop(&server);
}

/* Nothing of a name or a password becomes a command. */
static void
test_credentials(void)
{
        static const Reply NONE[REPLIES_MAX] = {{NULL}};
        static const char *const WRONG[] = {"", "a\r\nDELE 1", "a\nb", "a\x01"};
        g_autoptr(Pop3Client) client = NULL;
        g_autoptr(GError) none = NULL;
        Server server;

        server_start(&server, NONE);
        Pop3ClientSettings settings = {.host = "127.0.0.1", .port = server.port, .allow_private = TRUE};
        g_assert_cmpint(pop3_client_connect(&settings, &client, &none), ==, POP3_OK);
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_autoptr(GError) error = NULL, other = NULL;
                g_assert_cmpint(pop3_client_login(client, WRONG[i], "secret", &error), ==, POP3_FAILED);
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
                g_assert_cmpint(pop3_client_login(client, "joe", WRONG[i], &other), ==, POP3_FAILED);
                g_assert_error(other, RESTANTE_ERROR, FAULT_INPUT);
        }
        g_assert_cmpint(pop3_client_login(client, "joe", "a b", &none), ==, POP3_OK);
        g_assert_cmpint(pop3_client_login(client, "jo\xc3\xab", "a b", &none), ==, POP3_OK);
        g_assert_cmpint(pop3_client_quit(client, &none), ==, POP3_OK);
        g_assert_cmpstr(server.heard->str, ==,
                        "CAPA\r\nUSER joe\r\nPASS a b\r\nCAPA\r\nAUTH PLAIN AGpvw6sAYSBi\r\nCAPA\r\nQUIT\r\n");
        server_stop(&server);
}

/* TLS -------------------------------------------------------------------------------------------------------------- */

typedef struct TlsServer {
        Server server;
        SSL_CTX *ctx;
        gboolean is_implicit;
        gint passwords; /* heard under TLS */
} TlsServer;

static void
serve_tls(gpointer data)
{
        TlsServer *t = data;
        char line[512];
        int n;

        t->server.fd = accept(t->server.listener, NULL, NULL);
        SSL *ssl = SSL_new(t->ctx);
        SSL_set_fd(ssl, t->server.fd);
        if (!t->is_implicit) {
                put(&t->server, "+OK\r\n");
                g_assert_true(get_line(&t->server, line, sizeof(line))); /* CAPA */
                put(&t->server, "+OK\r\nUSER\r\nSTLS\r\n.\r\n");
                if (get_line(&t->server, line, sizeof(line)))
                        put(&t->server, "+OK begin\r\n");
        }
        if (SSL_accept(ssl) == 1) {
                if (t->is_implicit)
                        (void) SSL_write(ssl, "+OK\r\n", 5);
                while ((n = SSL_read(ssl, line, sizeof(line) - 1)) > 0) {
                        line[n] = '\0';
                        t->passwords += g_str_has_prefix(line, "PASS ");
                        const char *reply = strcmp(line, "CAPA\r\n") == 0 ? "+OK\r\nUSER\r\n.\r\n" : "+OK\r\n";
                        (void) SSL_write(ssl, reply, (int) strlen(reply));
                }
        }
        SSL_free(ssl);
        close(t->server.fd);
}

/* One login over TLS; host is what the certificate must be for. */
static Pop3Answer
tls_login(const char *dir, gboolean is_implicit, const char *host, TlsContext *client_tls, gint *ret_passwords)
{
        g_autofree char *certificate = g_build_filename(dir, "cert.pem", NULL),
                        *key = g_build_filename(dir, "key.pem", NULL);
        g_autoptr(Pop3Client) client = NULL;
        g_autoptr(GError) error = NULL;
        TlsServer t = {.ctx = SSL_CTX_new(TLS_server_method()), .is_implicit = is_implicit};

        g_assert_cmpint(SSL_CTX_use_certificate_chain_file(t.ctx, certificate), ==, 1);
        g_assert_cmpint(SSL_CTX_use_PrivateKey_file(t.ctx, key, SSL_FILETYPE_PEM), ==, 1);
        server_listen(&t.server);
        server_run(&t.server, serve_tls); /* which is its first member */
        Pop3ClientSettings settings = {.host = host,
                                       .port = t.server.port,
                                       .tls = is_implicit ? POP3_TLS_IMPLICIT : POP3_TLS_STARTTLS,
                                       .tls_context = client_tls,
                                       .allow_private = TRUE};
        Pop3Answer answer = pop3_client_connect(&settings, &client, &error);
        if (answer == POP3_OK)
                answer = pop3_client_login(client, "joe", "secret", &error);
        g_clear_pointer(&client, pop3_client_free);
        server_stop(&t.server);
        SSL_CTX_free(t.ctx);
        *ret_passwords = t.passwords;
        return answer;
}

/* No password leaves before the certificate is known to be right, chain and name; and then only under TLS. */
static void
test_tls(void)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *dir = g_dir_make_tmp("restante-pop3-XXXXXX", &error);
        g_autofree char *certificate = g_build_filename(dir, "cert.pem", NULL),
                        *key = g_build_filename(dir, "key.pem", NULL);

        g_assert_true(tls_make_self_signed("localhost", certificate, key, &error));
        g_autoptr(TlsContext) strict = tls_client_new(TRUE, NULL, &error);
        g_autoptr(TlsContext) knowing = tls_client_new(TRUE, certificate, &error);
        g_assert_no_error(error);
        for (gboolean is_implicit = FALSE; is_implicit <= TRUE; is_implicit++) {
                gint passwords;

                g_assert_cmpint(tls_login(dir, is_implicit, "localhost", strict, &passwords), ==, POP3_FAILED);
                g_assert_cmpint(passwords, ==, 0);
                g_assert_cmpint(tls_login(dir, is_implicit, "127.0.0.1", knowing, &passwords), ==, POP3_FAILED);
                g_assert_cmpint(passwords, ==, 0);
                g_assert_cmpint(tls_login(dir, is_implicit, "localhost", knowing, &passwords), ==, POP3_OK);
                g_assert_cmpint(passwords, ==, 1);
        }
        unlink(certificate);
        unlink(key);
        rmdir(dir);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        (void) signal(SIGPIPE, SIG_IGN); /* as in the server */
        g_test_add_func("/pop3/client/hostile and odd servers RFC 1939", test_scripts);
        g_test_add_func("/pop3/client/a message cut anywhere is no message RFC 1939 §3", test_pieces);
        g_test_add_func("/pop3/client/a message octet by octet", test_octet_by_octet);
        g_test_add_func("/pop3/client/pipelined replies stay in order RFC 2449 §6.8", test_unwanted_message);
        g_test_add_func("/pop3/client/credentials never become commands", test_credentials);
        g_test_add_func("/pop3/client/TLS or nothing RFC 2595 §4", test_tls);
        return g_test_run();
}

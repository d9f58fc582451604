/* imap.c -- the IMAP client of ./dev bench imap: times commands to their tagged answer, and many connections that mix commands.
 *
 *      imap time HOST PORT user=u0 password=x < script        a line of JSON for each line of the script
 *              login                           a connection of its own: connect, LOGIN; then it is closed
 *              append N MAILBOX                N APPENDs of 4 KiB, one after the other
 *              multiappend N MAILBOX           one APPEND of N messages (RFC 3502)
 *              anything else                   sent as it is
 *      imap mix HOST PORT user=u%u password=x connections=20 commands=20000
 *              SELECT INBOX once, then each connection in turn: FETCH of flags, of an envelope, of a body, STORE, SEARCH, STATUS, NOOP
 *      imap idle HOST PORT user=u%u password=x connections=1000 [select=1] [tls=1]
 *              each logs in, (selects INBOX,) idles; then it says `holding` and waits for end of input
 *
 * Speaks to loopback only; a connection without an answer for 120 s ends it. Exit status 1 when anything was not answered OK.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STALL_MS 120000
#define SIZE 4096

typedef struct Reader { /* finds the ends of lines and literals in what a server sends */
        char line[256];  /* of a line, its beginning */
        char tail[24];   /* and its end, for {n} */
        unsigned line_len, tail_len;
        unsigned long long skip; /* octets of a literal still to come */
} Reader;

typedef struct Conn {
        int fd;
        unsigned number, count, step, exists;
        SSL *ssl; /* idle only */
        Reader reader;
} Conn;

static const char *host, *user = "u%u", *password = "x";
static int port;
static unsigned connections = 20, commands = 20000, does_select, does_tls;
static unsigned failed;
static SSL_CTX *tls;
static unsigned long long octets;
static char *message;
static size_t message_len;

static double
now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void
die(const char *what)
{
        perror(what);
        exit(1);
}

static int
connect_one(void)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
        int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

        inet_pton(AF_INET, host, &a.sin_addr);
        if ((ntohl(a.sin_addr.s_addr) >> 24) != 127) {
                fprintf(stderr, "imap: loopback only\n");
                exit(1);
        }
        if (fd < 0 || connect(fd, (struct sockaddr *) &a, sizeof a) < 0)
                die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return fd;
}

static void
send_all(Conn *c, const char *data, size_t len)
{
        while (len > 0) {
                ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, data, (int) len) : send(c->fd, data, len, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        die("send");
                data += n;
                len -= (size_t) n;
        }
}

static void __attribute__((format(printf, 2, 3)))
say(Conn *c, const char *format, ...)
{
        char text[4096];
        va_list args;

        va_start(args, format);
        int n = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        send_all(c, text, (size_t) n);
}

/* Octets of a literal announced at the end of the line, or -1. */
static long long
literal_of(const Reader *r)
{
        if (r->tail_len < 3 || r->tail[r->tail_len - 1] != '}')
                return -1;
        unsigned i = r->tail_len - 1;
        while (i > 0 && r->tail[i - 1] >= '0' && r->tail[i - 1] <= '9')
                i--;
        if (i == 0 || r->tail[i - 1] != '{' || i == r->tail_len - 1)
                return -1;
        return strtoll(r->tail + i, NULL, 10);
}

static void
remember(Reader *r, const char *data, size_t len)
{
        size_t copy = len < sizeof r->line - 1 - r->line_len ? len : sizeof r->line - 1 - r->line_len;
        memcpy(r->line + r->line_len, data, copy);
        r->line_len += (unsigned) copy;
        r->line[r->line_len] = '\0';
        if (len >= sizeof r->tail) {
                memcpy(r->tail, data + len - sizeof r->tail, sizeof r->tail);
                r->tail_len = sizeof r->tail;
                return;
        }
        size_t keep = r->tail_len < sizeof r->tail - len ? r->tail_len : sizeof r->tail - len;
        memmove(r->tail, r->tail + r->tail_len - keep, keep);
        memcpy(r->tail + keep, data, len);
        r->tail_len = (unsigned) (keep + len);
}

/* Feed what came; calls line() with the beginning of each whole line. Stops early when line() says 1; returns what was used. */
static size_t
feed(Reader *r, const char *data, size_t len, int (*line)(void *, const char *), void *arg)
{
        size_t at = 0;

        while (at < len) {
                if (r->skip > 0) {
                        size_t n = len - at < r->skip ? len - at : (size_t) r->skip;
                        r->skip -= n;
                        at += n;
                        continue;
                }
                const char *end = memchr(data + at, '\n', len - at);
                size_t n = (end != NULL ? (size_t) (end - data) : len) - at;
                remember(r, data + at, end != NULL && n > 0 && end[-1] == '\r' ? n - 1 : n);
                at += n;
                if (end == NULL)
                        break;
                at++;
                if (r->tail_len > 0 && r->tail[r->tail_len - 1] == '\r')
                        r->tail_len--;
                long long literal = literal_of(r);
                r->tail_len = 0;
                if (literal >= 0) {
                        r->skip = (unsigned long long) literal;
                        continue;
                }
                r->line_len = 0;
                if (line(arg, r->line))
                        break;
        }
        return at;
}

/* Blocking: wait until the tagged answer (or, with "+", a continuation) has come. --------------------------------------- */

typedef struct Wanted {
        const char *tag;
        size_t tag_len;
        int is_found;
} Wanted;

static int
look_for(void *arg, const char *line)
{
        Wanted *w = arg;

        if (strncmp(line, w->tag, w->tag_len) != 0)
                return 0;
        w->is_found = 1;
        if (*w->tag != '+' && *w->tag != '*' && strncmp(line + w->tag_len, "OK", 2) != 0) {
                fprintf(stderr, "imap: %s\n", line);
                failed++;
        }
        return 1;
}

static ssize_t
receive(Conn *c, char *data, size_t len)
{
        if (c->ssl != NULL)
                return SSL_read(c->ssl, data, (int) len);
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (poll(&p, 1, STALL_MS) <= 0) {
                fprintf(stderr, "imap: no answer for %d s\n", STALL_MS / 1000);
                exit(1);
        }
        return recv(c->fd, data, len, 0);
}

static void
await(Conn *c, const char *tag)
{
        static char data[1 << 20];
        Wanted w = {tag, strlen(tag), 0};

        while (!w.is_found) {
                ssize_t n = receive(c, data, sizeof data);
                if (n <= 0) {
                        fprintf(stderr, "imap: connection lost, last line: %s\n", c->reader.line);
                        exit(1);
                }
                octets += (unsigned long long) n;
                feed(&c->reader, data, (size_t) n, look_for, &w);
        }
}

static void
log_in(Conn *c)
{
        char name[256];

        *c = (Conn){.fd = connect_one(), .number = c->number, .ssl = tls != NULL ? SSL_new(tls) : NULL};
        if (c->ssl != NULL && (SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)) {
                fprintf(stderr, "imap: TLS failed\n");
                exit(1);
        }
        await(c, "* ");
        snprintf(name, sizeof name, user, c->number);
        say(c, "L LOGIN %s %s\r\n", name, password);
        await(c, "L ");
}

static void
make_message(unsigned number)
{
        unsigned seed = 12345;

        if (message == NULL)
                message = malloc(SIZE + 1024);
        if (message == NULL)
                die("malloc");
        message_len = (size_t) sprintf(message, "From: <load@sender.example>\r\nTo: <someone@bench.example>\r\nSubject: message %u\r\n"
                                                "Message-ID: <%u.%u@load.example>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n\r\n",
                                       number, number, (unsigned) getpid());
        while (message_len < SIZE) {
                for (int i = 0; i < 70 && message_len < SIZE; i++) {
                        seed = seed * 1103515245u + 12345u;
                        message[message_len++] = "abcdefghijklmnopqrstuvwxyz      "[(seed >> 16) & 31];
                }
                memcpy(message + message_len, "\r\n", 2);
                message_len += 2;
        }
}

static void
append(Conn *c, unsigned n, const char *mailbox)
{
        for (unsigned i = 0; i < n; i++) {
                make_message(i);
                say(c, "A APPEND %s {%zu}\r\n", mailbox, message_len);
                await(c, "+");
                send_all(c, message, message_len);
                send_all(c, "\r\n", 2);
                await(c, "A ");
        }
}

static void
multiappend(Conn *c, unsigned n, const char *mailbox)
{
        say(c, "A APPEND %s", mailbox);
        for (unsigned i = 0; i < n; i++) {
                make_message(i);
                say(c, " {%zu}\r\n", message_len);
                await(c, "+");
                send_all(c, message, message_len);
        }
        send_all(c, "\r\n", 2);
        await(c, "A ");
}

static void
run_line(Conn *c, const char *line)
{
        Conn own = {.number = 0};
        unsigned n;
        char mailbox[256];

        if (strcmp(line, "login") == 0) {
                log_in(&own);
                close(own.fd);
        } else if (sscanf(line, "append %u %255s", &n, mailbox) == 2) {
                append(c, n, mailbox);
        } else if (sscanf(line, "multiappend %u %255s", &n, mailbox) == 2) {
                multiappend(c, n, mailbox);
        } else {
                say(c, "T %s\r\n", line);
                await(c, "T ");
        }
}

static void
time_script(void)
{
        Conn c = {.number = 0};
        char line[4096];

        log_in(&c);
        while (fgets(line, sizeof line, stdin) != NULL) {
                line[strcspn(line, "\r\n")] = '\0';
                unsigned before = failed;
                octets = 0;
                double began = now();
                run_line(&c, line);
                printf("{\"ms\":%.3f,\"octets\":%llu,\"ok\":%s}\n", (now() - began) * 1000, octets, failed == before ? "true" : "false");
                fflush(stdout);
        }
        close(c.fd);
}

/* Many at once ------------------------------------------------------------------------------------------------------ */

static unsigned issued, answered;

static void
next_command(Conn *c)
{
        unsigned i = c->exists > 0 ? (c->number * 7919 + c->count * 31) % c->exists + 1 : 1;

        if (issued >= commands)
                return;
        issued++;
        switch (c->count++ % 7) {
        case 0: say(c, "M FETCH %u:%u (FLAGS UID)\r\n", i, i + 20 <= c->exists ? i + 20 : i); break;
        case 1: say(c, "M FETCH %u (ENVELOPE BODYSTRUCTURE RFC822.SIZE)\r\n", i); break;
        case 2: say(c, "M FETCH %u BODY.PEEK[]\r\n", i); break;
        case 3: say(c, "M STORE %u %cFLAGS.SILENT (\\Flagged)\r\n", i, c->count % 2 ? '+' : '-'); break;
        case 4: say(c, "M UID SEARCH FLAGGED\r\n"); break;
        case 5: say(c, "M STATUS INBOX (MESSAGES UNSEEN UIDNEXT)\r\n"); break;
        default: say(c, "M NOOP\r\n"); break;
        }
}

/* "* 23 EXISTS" */
static void
look_for_exists(Conn *c, const char *line)
{
        char *end;

        if (line[0] != '*' || line[1] != ' ' || line[2] < '0' || line[2] > '9')
                return;
        unsigned long n = strtoul(line + 2, &end, 10);
        if (strncmp(end, " EXISTS", 7) == 0)
                c->exists = (unsigned) n;
}

static int
mix_line(void *arg, const char *line)
{
        Conn *c = arg;

        look_for_exists(c, line);
        if (strncmp(line, "M ", 2) != 0)
                return 0;
        if (strncmp(line, "M OK", 4) != 0) {
                fprintf(stderr, "imap: %s\n", line);
                failed++;
        }
        answered++;
        next_command(c);
        return 0;
}

static int
count_line(void *arg, const char *line)
{
        look_for_exists(arg, line);
        return strncmp(line, "S ", 2) == 0 ? ((Conn *) arg)->step = 1 : 0;
}

static void
select_inbox(Conn *c)
{
        static char data[65536];

        say(c, "S SELECT INBOX\r\n");
        for (c->step = 0; c->step == 0;) {
                ssize_t n = receive(c, data, sizeof data);
                if (n <= 0)
                        die("select");
                feed(&c->reader, data, (size_t) n, count_line, c);
        }
}

static Conn *
open_all(void)
{
        Conn *conns = calloc(connections, sizeof *conns);

        if (conns == NULL)
                die("calloc");
        for (unsigned i = 0; i < connections; i++) {
                conns[i].number = i;
                log_in(&conns[i]);
                if (does_select)
                        select_inbox(&conns[i]);
        }
        return conns;
}

static void
mix(void)
{
        static char data[256 * 1024];
        int epoll_fd = epoll_create1(0);

        does_select = 1;
        Conn *conns = open_all();
        for (unsigned i = 0; i < connections; i++) {
                struct epoll_event e = {.events = EPOLLIN, .data.ptr = &conns[i]};
                epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conns[i].fd, &e);
        }
        double began = now();
        for (unsigned i = 0; i < connections; i++)
                next_command(&conns[i]);
        while (answered < commands) {
                struct epoll_event events[64];
                int n = epoll_wait(epoll_fd, events, 64, STALL_MS);
                if (n <= 0) {
                        fprintf(stderr, "imap: no answer for %d s\n", STALL_MS / 1000);
                        exit(1);
                }
                for (int i = 0; i < n; i++) {
                        Conn *c = events[i].data.ptr;
                        ssize_t got = recv(c->fd, data, sizeof data, 0);
                        if (got <= 0) {
                                fprintf(stderr, "imap: connection %u lost\n", c->number);
                                exit(1);
                        }
                        feed(&c->reader, data, (size_t) got, mix_line, c);
                }
        }
        double seconds = now() - began;
        printf("{\"seconds\":%.4f,\"commands\":%u,\"rate\":%.1f,\"failed\":%u}\n", seconds, answered, answered / seconds, failed);
}

static void
idle(void)
{
        char data[512];
        Conn *conns = open_all();

        for (unsigned i = 0; i < connections; i++) {
                say(&conns[i], "I IDLE\r\n");
                await(&conns[i], "+");
        }
        printf("holding\n");
        fflush(stdout);
        while (read(0, data, sizeof data) > 0)
                ;
        printf("{\"held\":%u,\"failed\":%u}\n", connections, failed);
}

static void
set_option(const char *arg)
{
        if (strncmp(arg, "user=", 5) == 0)
                user = arg + 5;
        else if (strncmp(arg, "password=", 9) == 0)
                password = arg + 9;
        else if (sscanf(arg, "connections=%u", &connections) != 1 && sscanf(arg, "commands=%u", &commands) != 1 &&
                 sscanf(arg, "select=%u", &does_select) != 1 &&
                 sscanf(arg, "tls=%u", &does_tls) != 1) {
                fprintf(stderr, "imap: unknown option %s\n", arg);
                exit(2);
        }
}

int
main(int argc, char **argv)
{
        struct rlimit files = {65536, 65536};

        if (argc < 4) {
                fprintf(stderr, "usage: imap time|mix|idle HOST PORT [option=value...]\n");
                return 2;
        }
        setrlimit(RLIMIT_NOFILE, &files);
        host = argv[2];
        port = atoi(argv[3]);
        for (int i = 4; i < argc; i++)
                set_option(argv[i]);
        tls = does_tls ? SSL_CTX_new(TLS_client_method()) : NULL;
        if (strcmp(argv[1], "time") == 0)
                time_script();
        else if (strcmp(argv[1], "mix") == 0)
                mix();
        else
                idle();
        return failed > 0;
}

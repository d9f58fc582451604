/* load.c -- the load generator of ./dev bench: SMTP, POP3 and waiting connections, one thread, epoll.
 *
 *      load smtp HOST PORT connections=32 messages=10000 recipients=1 users=100 domain=bench.example size=4096 [lockstep=1]
 *      load pop3 HOST PORT connections=8 user=u%u@bench.example password=x mode=pipelined|lockstep
 *      load hold HOST PORT connections=5000 [tls=1]          connects, reads the greeting, says `holding`, waits for end of input
 *
 * Prints one line of JSON: {"seconds":..,"messages":..,"failed":..}. Exit status 1 when anything was not answered as expected. It speaks
 * to loopback only and ends by itself: a connection without an answer for 120 s fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 64               /* POP3 commands under way in pipelined mode */
#define STALL_SECONDS 120

typedef struct Options {
        const char *host;
        int port;
        unsigned connections, messages, recipients, users, size, lockstep, tls;
        const char *domain, *user, *password, *mode;
} Options;

typedef enum Step {             /* what the next reply answers */
        AT_GREETING,
        AT_HELLO,
        AT_ENVELOPE,            /* MAIL, RCPT..., DATA: `due` replies */
        AT_BODY,
        AT_LOGIN,               /* USER, PASS: `due` replies */
        AT_STAT,
        AT_TRANSFER,
        AT_QUIT,
        AT_END,
} Step;

typedef struct Conn {
        int fd;
        unsigned number;
        Step step;
        unsigned due;           /* replies still to come in this step */
        unsigned count, sent, retrieved, deleted; /* POP3 */
        int in_message;         /* POP3: inside the octets of a RETR */
        int match;              /* of CRLF.CRLF */
        char line[512];
        unsigned line_len;
        char *out;
        size_t out_len, out_at, out_size;
} Conn;

static Options options = {"127.0.0.1", 2525, 1, 1000, 1, 100, 4096, 0, 0, "bench.example", "u%u@bench.example", "x", "pipelined"};
static int epoll_fd;
static unsigned next_message, done_messages, failed, alive;
static char *body;
static size_t body_len;

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

static void
put(Conn *c, const char *data, size_t len)
{
        if (c->out_len + len > c->out_size) {
                c->out_size = (c->out_len + len) * 2;
                c->out = realloc(c->out, c->out_size);
                if (c->out == NULL)
                        die("realloc");
        }
        memcpy(c->out + c->out_len, data, len);
        c->out_len += len;
}

static void __attribute__((format(printf, 2, 3)))
say(Conn *c, const char *format, ...)
{
        char text[1024];
        va_list args;

        va_start(args, format);
        int n = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        put(c, text, (size_t) n);
}

/* FALSE when the peer is gone. */
static int
flush(Conn *c)
{
        while (c->out_at < c->out_len) {
                ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        break;
                if (n < 0)
                        return 0;
                c->out_at += (size_t) n;
        }
        if (c->out_at == c->out_len)
                c->out_at = c->out_len = 0;
        struct epoll_event e = {.events = EPOLLIN | (c->out_len > 0 ? EPOLLOUT : 0u), .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
        return 1;
}

/* The same text for every message but its number; lines of 70 letters, some of which begin with a dot. */
static void
make_body(void)
{
        unsigned seed = 12345;

        body = malloc(options.size + 256);
        if (body == NULL)
                die("malloc");
        while (body_len < options.size) {
                for (int i = 0; i < 70 && body_len < options.size; i++) {
                        seed = seed * 1103515245u + 12345u;
                        body[body_len++] = "abcdefghijklmnopqrstuvwxyz      "[(seed >> 16) & 31];
                }
                memcpy(body + body_len, "\r\n", 2);
                body_len += 2;
        }
}

static void
send_body(Conn *c)
{
        say(c, "From: <load@sender.example>\r\nTo: <someone@%s>\r\nSubject: message %u\r\nMessage-ID: <%u.%u@load.example>\r\n"
               "Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n\r\n",
            options.domain, next_message, next_message, (unsigned) getpid());
        put(c, body, body_len);
        put(c, ".\r\n", 3);
        c->step = AT_BODY;
        c->due = 1;
}

/* MAIL, RCPT and DATA: in one go, or command by command. `count` is the place in the envelope when lockstep. */
static void
send_envelope_part(Conn *c)
{
        unsigned i = c->count++;

        c->due = 1;
        if (i == 0)
                say(c, "MAIL FROM:<load@sender.example>\r\n");
        else if (i <= options.recipients)
                say(c, "RCPT TO:<u%u@%s>\r\n", (options.recipients == 1 ? c->number * 7919 + c->sent : i - 1) % options.users,
                    options.domain);
        else
                say(c, "DATA\r\n");
}

static void
next_mail(Conn *c)
{
        if (next_message >= options.messages) {
                say(c, "QUIT\r\n");
                c->step = AT_QUIT;
                c->due = 1;
                return;
        }
        next_message++;
        c->sent++;
        c->count = 0;
        c->step = AT_ENVELOPE;
        unsigned parts = options.lockstep ? 1 : options.recipients + 2;
        for (unsigned i = 0; i < parts; i++)
                send_envelope_part(c);
        c->due = parts;
}

static void
smtp_reply(Conn *c, const char *line)
{
        int code = atoi(line);

        if (line[3] == '-')
                return;
        if (code >= 400) {
                fprintf(stderr, "load: %s\n", line);
                failed++;
        }
        c->due--;
        if (c->due > 0)
                return;
        switch (c->step) {
        case AT_GREETING:
                say(c, "EHLO load.example\r\n");
                c->step = AT_HELLO;
                c->due = 1;
                break;
        case AT_BODY:
                done_messages++;
                next_mail(c);
                break;
        case AT_HELLO:
                next_mail(c);
                break;
        case AT_ENVELOPE:
                if (options.lockstep && c->count < options.recipients + 2)
                        send_envelope_part(c);
                else
                        send_body(c);
                break;
        default:
                c->step = AT_END;
        }
}

/* Keep the pipe full: RETR i, DELE i for each message. */
static void
send_transfers(Conn *c)
{
        unsigned window = strcmp(options.mode, "lockstep") == 0 ? 1 : WINDOW;

        while (c->due < window && c->sent < 2 * c->count) {
                say(c, c->sent % 2 == 0 ? "RETR %u\r\n" : "DELE %u\r\n", c->sent / 2 + 1);
                c->sent++;
                c->due++;
        }
        if (c->due == 0) {
                say(c, "QUIT\r\n");
                c->step = AT_QUIT;
                c->due = 1;
        }
}

static void
pop3_reply(Conn *c, const char *line)
{
        if (line[0] != '+') {
                fprintf(stderr, "load: %s\n", line);
                failed++;
        }
        c->due--;
        switch (c->step) {
        case AT_GREETING:
                say(c, "USER ");
                say(c, options.user, c->number);
                say(c, "\r\nPASS %s\r\n", options.password);
                c->step = AT_LOGIN;
                c->due = 2;
                break;
        case AT_LOGIN:
                if (c->due > 0)
                        return;
                say(c, "STAT\r\n");
                c->step = AT_STAT;
                c->due = 1;
                break;
        case AT_STAT:
                c->count = (unsigned) strtoul(line + 4, NULL, 10);
                c->step = AT_TRANSFER;
                send_transfers(c);
                break;
        case AT_TRANSFER:
                if ((c->retrieved + c->deleted) % 2 == 0) {
                        c->retrieved++;
                        c->in_message = line[0] == '+';
                        c->match = 2; /* the line end of +OK counts */
                        if (c->in_message)
                                return;
                } else {
                        c->deleted++;
                        done_messages++;
                }
                send_transfers(c);
                break;
        default:
                c->step = AT_END;
        }
}

/* Look for CRLF.CRLF; returns how many octets belong to the message. */
static size_t
skip_message(Conn *c, const char *data, size_t len)
{
        static const char END[] = "\r\n.\r\n";
        size_t i = 0;

        while (i < len) {
                if (c->match == 0) {
                        const char *cr = memchr(data + i, '\r', len - i);
                        if (cr == NULL)
                                return len;
                        i = (size_t) (cr - data);
                }
                if (data[i] == END[c->match])
                        c->match++;
                else
                        c->match = data[i] == '\r' ? 1 : 0;
                i++;
                if (c->match == 5) {
                        c->in_message = 0;
                        send_transfers(c);
                        break;
                }
        }
        return i;
}

static void
take(Conn *c, const char *data, size_t len, void (*reply)(Conn *, const char *))
{
        while (len > 0 && c->step != AT_END) {
                if (c->in_message) {
                        size_t n = skip_message(c, data, len);
                        data += n;
                        len -= n;
                        continue;
                }
                const char *end = memchr(data, '\n', len);
                size_t n = end != NULL ? (size_t) (end - data) + 1 : len;
                size_t copy = n < sizeof c->line - c->line_len ? n : sizeof c->line - 1 - c->line_len;
                memcpy(c->line + c->line_len, data, copy);
                c->line_len += (unsigned) copy;
                data += n;
                len -= n;
                if (end == NULL)
                        continue;
                c->line[c->line_len > 1 ? c->line_len - 2 : 0] = '\0';
                c->line_len = 0;
                reply(c, c->line);
        }
}

static int
connect_one(void)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t) options.port)};
        int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

        inet_pton(AF_INET, options.host, &a.sin_addr);
        if ((ntohl(a.sin_addr.s_addr) >> 24) != 127) {
                fprintf(stderr, "load: loopback only\n");
                exit(1);
        }
        if (fd < 0 || connect(fd, (struct sockaddr *) &a, sizeof a) < 0)
                die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return fd;
}

static void
open_connections(Conn *conns)
{
        for (unsigned i = 0; i < options.connections; i++) {
                Conn *c = &conns[i];
                *c = (Conn){.fd = connect_one(), .number = i, .due = 1};
                fcntl(c->fd, F_SETFL, O_NONBLOCK);
                struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
                epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
                alive++;
        }
}

static void
drop(Conn *c)
{
        if (c->step != AT_END) {
                fprintf(stderr, "load: connection %u lost in step %d\n", c->number, (int) c->step);
                failed++;
        }
        close(c->fd);
        c->fd = -1;
        free(c->out);
        c->out = NULL;
        alive--;
}

static void
run(void (*reply)(Conn *, const char *))
{
        Conn *conns = calloc(options.connections, sizeof *conns);
        static char data[256 * 1024];
        struct epoll_event events[64];

        if (conns == NULL)
                die("calloc");
        epoll_fd = epoll_create1(0);
        double began = now();
        open_connections(conns);
        while (alive > 0) {
                int n = epoll_wait(epoll_fd, events, 64, STALL_SECONDS * 1000);
                if (n == 0) {
                        fprintf(stderr, "load: no answer for %d s\n", STALL_SECONDS);
                        failed += alive;
                        break;
                }
                for (int i = 0; i < n; i++) {
                        Conn *c = events[i].data.ptr;
                        ssize_t got = events[i].events & EPOLLIN ? recv(c->fd, data, sizeof data, 0) : -1;
                        if (got > 0)
                                take(c, data, (size_t) got, reply);
                        if (got == 0 || c->step == AT_END || (got < 0 && (events[i].events & (EPOLLHUP | EPOLLERR))))
                                drop(c);
                        else if (!flush(c))
                                drop(c);
                }
        }
        double seconds = now() - began;
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        printf("{\"seconds\":%.4f,\"messages\":%u,\"failed\":%u,\"rate\":%.1f,\"own_cpu\":%.3f}\n", seconds, done_messages, failed,
               done_messages / seconds,
               (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
        free(conns);
}

static void
read_greeting(int fd)
{
        char data[512];

        if (recv(fd, data, sizeof data, 0) <= 0)
                failed++;
}

static void
hold(void)
{
        SSL_CTX *ctx = options.tls ? SSL_CTX_new(TLS_client_method()) : NULL;
        char data[512];

        for (unsigned i = 0; i < options.connections; i++) {
                int fd = connect_one();
                if (ctx == NULL) {
                        read_greeting(fd);
                        continue;
                }
                SSL *ssl = SSL_new(ctx);
                SSL_set_fd(ssl, fd);
                if (SSL_connect(ssl) != 1 || SSL_read(ssl, data, sizeof data) <= 0)
                        failed++;
        }
        printf("holding\n");
        fflush(stdout);
        while (read(0, data, sizeof data) > 0)
                ;
        printf("{\"held\":%u,\"failed\":%u}\n", options.connections, failed);
}

static void
set_option(const char *arg)
{
        const struct {
                const char *name;
                unsigned *number;
                const char **text;
        } known[] = {{"connections", &options.connections, NULL}, {"messages", &options.messages, NULL},
                     {"recipients", &options.recipients, NULL},   {"users", &options.users, NULL},
                     {"size", &options.size, NULL},               {"lockstep", &options.lockstep, NULL},
                     {"tls", &options.tls, NULL},                 {"domain", NULL, &options.domain},
                     {"user", NULL, &options.user},               {"password", NULL, &options.password},
                     {"mode", NULL, &options.mode}};

        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
                size_t n = strlen(known[i].name);
                if (strncmp(arg, known[i].name, n) != 0 || arg[n] != '=')
                        continue;
                if (known[i].number != NULL)
                        *known[i].number = (unsigned) strtoul(arg + n + 1, NULL, 10);
                else
                        *known[i].text = arg + n + 1;
                return;
        }
        fprintf(stderr, "load: unknown option %s\n", arg);
        exit(2);
}

int
main(int argc, char **argv)
{
        struct rlimit files = {65536, 65536};

        if (argc < 4) {
                fprintf(stderr, "usage: load smtp|pop3|hold HOST PORT [option=value...]\n");
                return 2;
        }
        setrlimit(RLIMIT_NOFILE, &files);
        options.host = argv[2];
        options.port = atoi(argv[3]);
        for (int i = 4; i < argc; i++)
                set_option(argv[i]);
        make_body();
        if (strcmp(argv[1], "smtp") == 0)
                run(smtp_reply);
        else if (strcmp(argv[1], "pop3") == 0)
                run(pop3_reply);
        else
                hold();
        return failed > 0;
}

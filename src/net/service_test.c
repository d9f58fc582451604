/* service_test.c -- sessions over real loopback sockets on ports the kernel chooses. Nothing here asserts how fast something is. */
#include "base/scan.h"
#include "net/service_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <sys/resource.h>
#include <stdio.h>
#include <unistd.h>

/* The protocol: a line comes back in brackets; some words do more. ------------------------------------------------- */

typedef struct Door {
        Mutex mutex;
        Cond changed;
        TlsContext *tls;
        guint opened, closed, runs;
        Session *waiter;                /* who said "wait" */
        gboolean is_woken;
        gboolean is_strict;
        gsize max;
        Usec idle;
} Door;

typedef struct Echo {
        Session session;
        guint64 flood;                  /* octets still to be sent */
        gboolean is_starting_tls, is_waiting, is_amid;
        char *kept;
} Echo;

static void
door_say(Door *door, guint *counter)
{
        MUTEX_SCOPE(&door->mutex);
        (*counter)++;
        cond_broadcast(&door->changed);
}

static guint
door_ask(Door *door, const guint *counter)
{
        MUTEX_SCOPE(&door->mutex);
        return *counter;
}

static void
door_wait(Door *door, const guint *counter, guint n)
{
        MUTEX_SCOPE(&door->mutex);
        while (*counter < n)
                g_assert_true(cond_wait_until(&door->changed, &door->mutex, clock_in(20 * USEC_PER_SEC)));
}

static gboolean
echo_open(Session *session)
{
        Door *door = session_door(session);

        if (door->idle != 0)
                session_set_idle(session, door->idle);
        stream_write(session->stream, span_of("hello\r\n"));
        door_say(door, &door->opened);
        return TRUE;
}

static void
echo_close(Session *session)
{
        Echo *echo = (Echo *) session;
        Door *door = session_door(session);

        g_free(echo->kept);
        mutex_lock(&door->mutex);
        if (door->waiter == session)
                door->waiter = NULL;
        mutex_unlock(&door->mutex);
        door_say(door, &door->closed);
}

static void
echo_flood(Echo *echo)
{
        while (echo->flood > 0 && !stream_is_full(echo->session.stream)) {
                gsize len = (gsize) MIN(echo->flood, 10000);
                guint8 *room = stream_reserve(echo->session.stream, len);
                if (room == NULL)
                        return;
                memset(room, 'x', len);
                stream_commit(echo->session.stream, len);
                echo->flood -= len;
        }
}

static SessionNext
echo_line(Echo *echo, Span line)
{
        Session *s = &echo->session;
        Door *door = session_door(s);
        guint64 n;

        echo->is_amid = span_is(line, "more");
        if (span_is(line, "quit")) {
                stream_write(s->stream, span_of("bye\r\n"));
                return SESSION_CLOSE;
        }
        if (span_is(line, "delay")) {
                session_delay(s, 50 * USEC_PER_MS);
        } else if (span_is(line, "rate")) {
                session_set_minimum_rate(s, 1000);
                s->park->rate_since -= 31 * USEC_PER_SEC;       /* as if the grace were over */
        } else if (span_is(line, "wait")) {
                MUTEX_SCOPE(&door->mutex);
                door->waiter = s;
                echo->is_waiting = TRUE;
        } else if (span_is(line, "starttls")) {
                if (stream_has_input(s->stream)) {
                        stream_write(s->stream, span_of("injected\r\n"));
                        return SESSION_CLOSE;
                }
                stream_write(s->stream, span_of("go\r\n"));
                echo->is_starting_tls = TRUE;
                return SESSION_PARK;
        } else if (span_starts_nocase(line, span_of("flood ")) && span_to_number(span_slice(line, 6, line.len), 1 << 30, &n)) {
                echo->flood = n;
                return SESSION_PARK;
        }
        stream_printf(s->stream, "[%.*s]\r\n", (int) line.len, (const char *) line.data);
        return SESSION_PARK;
}

static SessionNext
echo_run(Session *session)
{
        Echo *echo = (Echo *) session;
        Door *door = session_door(session);
        Span line;

        door_say(door, &door->runs);
        mutex_lock(&door->mutex);
        gboolean is_woken = echo->is_waiting && door->is_woken;
        mutex_unlock(&door->mutex);
        if (is_woken) {
                echo->is_waiting = FALSE;
                stream_write(session->stream, span_of("woken\r\n"));
        }
        for (;;) {
                if (echo->is_starting_tls) {
                        StreamAnswer answer = stream_start_tls(session->stream, door->tls, NULL);
                        if (answer != STREAM_OK)
                                return answer == STREAM_AGAIN ? SESSION_PARK : SESSION_CLOSE;
                        echo->is_starting_tls = FALSE;
                }
                echo_flood(echo);
                if (echo->flood > 0 || session->park->delay_until != 0)
                        return SESSION_PARK;
                StreamAnswer answer = stream_line(session->stream, door->max, door->is_strict, &line);
                if (answer == STREAM_AGAIN)
                        return SESSION_PARK;
                if (answer == STREAM_TOO_LONG)
                        stream_write(session->stream, span_of("too long\r\n"));
                else if (answer != STREAM_OK)
                        return SESSION_CLOSE;
                else if (echo_line(echo, line) == SESSION_CLOSE)
                        return SESSION_CLOSE;
        }
}

/* "more" begins something, the line behind it is its end. */
static gboolean
echo_is_amid(const Session *session)
{
        return ((const Echo *) session)->is_amid;
}

static const Protocol echo_protocol = {
        .name = "echo",
        .session_octets = sizeof(Echo),
        .open = echo_open,
        .run = echo_run,
        .close = echo_close,
        .busy = "busy\r\n",
        .timed_out = "late\r\n",
        .stopping = "stopping\r\n",
        .is_amid = echo_is_amid,
        .idle = 5 * USEC_PER_MINUTE,
};

/* The fixture ------------------------------------------------------------------------------------------------------ */

typedef struct House {
        Service *service;
        Listener *listener;
        Door door;
        guint16 port;
} House;

static char *tls_folder, *tls_certificate, *tls_key;

static guint16
port_of(int fd)
{
        struct sockaddr_in address;
        socklen_t len = sizeof(address);

        g_assert_cmpint(getsockname(fd, (struct sockaddr *) &address, &len), ==, 0);
        return ntohs(address.sin_port);
}

static House *
house_new(const ServiceLimits *limits, gboolean is_implicit)
{
        static const ServiceLimits ordinary = {.is_loopback_site = TRUE};
        g_autoptr(GError) error = NULL;
        House *house = g_new0(House, 1);

        mutex_init(&house->door.mutex, "door");
        cond_init(&house->door.changed);
        house->door.max = 1000;
        house->door.is_strict = TRUE;
        house->door.tls = tls_server_new(tls_certificate, tls_key, &error);
        g_assert_no_error(error);
        house->service = service_new(limits != NULL ? limits : &ordinary, &error);
        g_assert_no_error(error);
        int fd = service_listen("127.0.0.1", 0, &error);
        g_assert_no_error(error);
        house->port = port_of(fd);
        house->listener = service_take_listener(house->service, fd, &echo_protocol, is_implicit ? house->door.tls : NULL,
                                                &house->door, &error);
        g_assert_no_error(error);
        return house;
}

static void
house_free(House *house)
{
        service_free(house->service);
        tls_context_unref(house->door.tls);
        cond_done(&house->door.changed);
        mutex_done(&house->door.mutex);
        g_free(house);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(House, house_free)

/* The other side: plain blocking sockets, so that our stream is not tested with itself. */
static int
dial_from(const House *house, const char *from)
{
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(house->port)};
        struct sockaddr_in local = {.sin_family = AF_INET};
        struct timeval patience = {.tv_sec = 20};

        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(inet_pton(AF_INET, from, &local.sin_addr), ==, 1);
        g_assert_cmpint(bind(fd, (struct sockaddr *) &local, sizeof(local)), ==, 0);
        g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), ==, 0);
        g_assert_cmpint(connect(fd, (struct sockaddr *) &to, sizeof(to)), ==, 0);
        return fd;
}

static int
dial(const House *house)
{
        return dial_from(house, "127.0.0.1");
}

static void
say(int fd, const char *text)
{
        g_assert_cmpint(send(fd, text, strlen(text), MSG_NOSIGNAL), ==, (gssize) strlen(text));
}

/* Read exactly this. */
static void
hear(int fd, const char *text)
{
        g_autofree char *got = g_malloc0(strlen(text) + 1);
        gsize n = 0;

        while (n < strlen(text)) {
                ssize_t r = recv(fd, got + n, strlen(text) - n, 0);
                if (r <= 0)
                        break;
                n += (gsize) r;
        }
        g_assert_cmpstr(got, ==, text);
}

static void
hear_end(int fd)
{
        char octet;

        g_assert_cmpint(recv(fd, &octet, 1, 0), ==, 0);
        (void) close(fd);
}

/* The session in a slot, once it is parked. */
static SessionPark *
wait_parked(const House *house, guint32 index)
{
        SessionPark *park = NULL;

        while (park == NULL) {
                MUTEX_SCOPE(&house->service->mutex);
                if (index < house->service->n_slots)
                        park = &house->service->chunks[0][index];
        }
        while ((atomic_load(&park->word) & 3) != 2)
                g_usleep(100);
        return park;
}

/* Lines ------------------------------------------------------------------------------------------------------------ */

static void
test_echo(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, "one\r\ntwo\r\nthree\r\n");
        hear(fd, "[one]\r\n[two]\r\n[three]\r\n");
        say(fd, "\r\nquit\r\nignored\r\n");
        hear(fd, "[]\r\nbye\r\n");
        hear_end(fd);
        door_wait(&house->door, &house->door.closed, 1);
}

static void
test_single_octets(void)
{
        static const char text[] = "one\r\n\ntwo\r\rthree\r\nfour\n\r\nfive\r\n";
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        for (const char *c = text; *c != '\0'; c++) {
                const char one[] = {*c, '\0'};
                say(fd, one);
                if (c - text > 24)              /* give the first ones a chance to arrive alone, too */
                        g_usleep(200);
        }
        hear(fd, "[one]\r\n[\ntwo\r\rthree]\r\n[four\n]\r\n[five]\r\n");
        (void) close(fd);
        door_wait(&house->door, &house->door.closed, 1);
}

static void
test_bare_lf(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);

        house->door.is_strict = FALSE;
        int fd = dial(house);
        hear(fd, "hello\r\n");
        say(fd, "one\ntwo\r\n\rthree\n\n");
        hear(fd, "[one]\r\n[two]\r\n[\rthree]\r\n[]\r\n");
        (void) close(fd);
}

static void
test_too_long(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        g_autofree char *exact = g_strnfill(1000, 'a'), *long_one = g_strnfill(200000, 'b');
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, exact);
        say(fd, "\r\n");
        g_autofree char *answer = g_strdup_printf("[%s]\r\n", exact);
        hear(fd, answer);
        say(fd, exact);
        say(fd, "a\r\n");
        hear(fd, "too long\r\n");
        say(fd, long_one);
        say(fd, "\r");
        g_usleep(2000);
        say(fd, "\nnext\r\n");
        hear(fd, "too long\r\n[next]\r\n");
        (void) close(fd);
}

static void
test_endless_line(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        g_autofree char *piece = g_strnfill(64 * 1024, 'c');
        int fd = dial(house);

        hear(fd, "hello\r\n");
        for (int i = 0; i < 64; i++)
                if (send(fd, piece, strlen(piece), MSG_NOSIGNAL) < 0)
                        break;
        door_wait(&house->door, &house->door.closed, 1);
        (void) close(fd);
}

static void
test_half_line_at_end(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, "one\r\nqui");
        g_assert_cmpint(shutdown(fd, SHUT_WR), ==, 0);
        hear(fd, "[one]\r\n");
        hear_end(fd);
}

/* Output ----------------------------------------------------------------------------------------------------------- */

static void
test_slow_reader(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        g_autofree char *room = g_malloc(1 << 20);
        gsize all = 40 * 1000 * 1000, got = 0;
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, "flood 40000000\r\nafter\r\n");
        door_wait(&house->door, &house->door.runs, 1);
        (void) wait_parked(house, 0);           /* more than all buffers on the way can hold */
        int other = dial(house);
        hear(other, "hello\r\n");
        say(other, "here\r\n");                 /* it holds up nobody */
        hear(other, "[here]\r\n");
        while (got < all) {
                ssize_t r = recv(fd, room, MIN(all - got, 1 << 20), 0);
                g_assert_cmpint(r, >, 0);
                got += (gsize) r;
        }
        hear(fd, "[after]\r\n");
        door_wait(&house->door, &house->door.runs, 3);  /* the flood took more than one run */
        (void) close(fd);
        (void) close(other);
}

static void
test_reader_leaves(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, "flood 40000000\r\n");
        hear(fd, "xxxx");
        (void) close(fd);
        door_wait(&house->door, &house->door.closed, 1);
}

static void
test_last_words(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        g_autofree char *piece = g_strnfill(300 * 1000, 'd');
        int fd = dial(house);

        /* What the client still sends behind "quit" must not destroy the answer on its way. */
        hear(fd, "hello\r\n");
        say(fd, "quit\r\n");
        if (send(fd, piece, 200 * 1000, MSG_NOSIGNAL) > 0)
                g_usleep(1000);
        hear(fd, "bye\r\n");
        (void) close(fd);
}

/* Time ------------------------------------------------------------------------------------------------------------- */

static void
test_idle(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);

        house->door.idle = 30 * USEC_PER_MS;
        int fd = dial(house);
        hear(fd, "hello\r\nlate\r\n");
        hear_end(fd);
        door_wait(&house->door, &house->door.closed, 1);
}

static void
test_delay(void)
{
        static const ServiceLimits narrow = {.is_loopback_site = TRUE, .max_workers = 1};
        g_autoptr(House) house = house_new(&narrow, FALSE);
        int fds[50];
        Usec before = clock_monotonic();

        for (int i = 0; i < 50; i++) {
                fds[i] = dial(house);
                hear(fds[i], "hello\r\n");
                say(fds[i], "delay\r\nnext\r\n");
        }
        for (int i = 0; i < 50; i++)
                hear(fds[i], "[delay]\r\n[next]\r\n");
        Usec took = clock_monotonic() - before;
        /* Held one after the other by the only worker they would take 50 times as long. */
        g_assert_cmpint(took, >=, 50 * USEC_PER_MS);
        g_assert_cmpint(took, <, 50 * 50 * USEC_PER_MS);
        for (int i = 0; i < 50; i++)
                (void) close(fds[i]);
}

/* As if its time had come. */
static void
expire(House *house, guint32 index)
{
        SessionPark *park = wait_parked(house, index);

        atomic_store(&park->hard_due, 0);
        service_time(house->service, park, 0);
}

static void
test_silent_handshake(void)
{
        g_autoptr(House) house = house_new(NULL, TRUE);
        int fd = dial(house);

        SessionPark *park = wait_parked(house, 0);
        Usec due = park_due(park) - clock_monotonic();
        g_assert_cmpint(due, <=, 30 * USEC_PER_SEC);
        expire(house, 0);
        hear_end(fd);
        g_assert_cmpuint(house->door.opened, ==, 0);
}

static void
test_stalled_reader(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);

        house->door.idle = USEC_PER_HOUR;
        int fd = dial(house);
        hear(fd, "hello\r\n");
        say(fd, "flood 40000000\r\n");
        door_wait(&house->door, &house->door.runs, 1);
        SessionPark *park = wait_parked(house, 0);
        g_assert_cmpint(park_due(park) - clock_monotonic(), <=, 5 * USEC_PER_MINUTE);
        expire(house, 0);
        door_wait(&house->door, &house->door.closed, 1);
        (void) close(fd);
}

static void
test_minimum_rate(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, "rate\r\n");
        hear(fd, "[rate]\r\nlate\r\n");
        hear_end(fd);
}

static void
test_stress(void)
{
        /* 8 of 10: idle spans shrink to a tenth, also of those already parked. */
        static const ServiceLimits ten = {.max_connections = 10};
        g_autoptr(House) house = house_new(&ten, FALSE);
        int fds[8];

        house->door.idle = 60 * USEC_PER_SEC;
        for (int i = 0; i < 7; i++) {
                fds[i] = dial(house);
                hear(fds[i], "hello\r\n");
        }
        g_assert_false(atomic_load(&house->service->is_stressed));
        /* As if they had been idle for half their span, which is five times that of stress. */
        for (guint32 i = 0; i < 7; i++)
                atomic_fetch_sub(&wait_parked(house, i)->parked_at, 30 * USEC_PER_SEC);
        fds[7] = dial(house);
        hear(fds[7], "hello\r\n");
        /* Enough of them go that the stress is over; then the others may stay. */
        door_wait(&house->door, &house->door.closed, 2);
        say(fds[7], "still\r\n");
        hear(fds[7], "[still]\r\n");
        for (int i = 0; i < 8; i++)
                (void) close(fds[i]);
        door_wait(&house->door, &house->door.closed, 8);
        while (atomic_load(&house->service->is_stressed))
                g_usleep(1000);
}

/* Many ------------------------------------------------------------------------------------------------------------- */

static void
test_many(void)
{
        enum { N = 500 };
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fds[N];
        char line[32], answer[32];
        ServiceStats stats;

        for (int i = 0; i < N; i++)
                fds[i] = dial(house);
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < N; i++) {
                        g_snprintf(line, sizeof(line), "%d of %d\r\n", i, round);
                        say(fds[i], line);
                }
                for (int i = 0; i < N; i++) {
                        g_snprintf(answer, sizeof(answer), "%s[%d of %d]\r\n", round == 0 ? "hello\r\n" : "", i, round);
                        hear(fds[i], answer);
                }
        }
        service_stats(house->service, &stats);
        g_assert_cmpuint(stats.accepted, ==, N);
        g_assert_cmpuint(stats.connections, ==, N);
        g_assert_cmpuint(stats.workers, <=, 128);
        for (int i = 0; i < N; i++)
                (void) close(fds[i]);
        door_wait(&house->door, &house->door.closed, N);
}

static void
test_limit_per_address(void)
{
        static const ServiceLimits two = {.is_loopback_site = TRUE, .max_per_address = 2, .max_per_address_second = 1000};
        g_autoptr(House) house = house_new(&two, FALSE);
        int a = dial_from(house, "127.0.0.2"), b = dial_from(house, "127.0.0.2"), fds[5];

        hear(a, "hello\r\n");
        hear(b, "hello\r\n");
        int c = dial_from(house, "127.0.0.2"), d = dial_from(house, "127.0.0.3");
        hear(c, "busy\r\n");
        hear_end(c);
        hear(d, "hello\r\n");
        (void) close(b);
        door_wait(&house->door, &house->door.closed, 1);
        /* The place is free a moment after close() has run. */
        for (int i = 0;; i++) {
                char got[8] = "";
                c = dial_from(house, "127.0.0.2");
                g_assert_cmpint(recv(c, got, 6, MSG_WAITALL), ==, 6);
                if (g_str_equal(got, "hello\r"))
                        break;
                (void) close(c);
                g_assert_cmpint(i, <, 1000);
                g_usleep(5000);
        }
        for (int i = 0; i < 5; i++) {           /* exempt */
                fds[i] = dial(house);
                hear(fds[i], "hello\r\n");
        }
        for (int i = 0; i < 5; i++)
                (void) close(fds[i]);
        (void) close(a);
        (void) close(c);
        (void) close(d);
}

static void
test_limit_of_all(void)
{
        static const ServiceLimits three = {.max_connections = 3};
        g_autoptr(House) house = house_new(&three, FALSE);
        int fds[3];
        ServiceStats stats;

        for (int i = 0; i < 3; i++) {
                fds[i] = dial(house);
                hear(fds[i], "hello\r\n");
        }
        int over = dial(house);
        hear(over, "busy\r\n");
        hear_end(over);
        service_stats(house->service, &stats);
        g_assert_cmpuint(stats.refused, ==, 1);
        for (int i = 0; i < 3; i++)
                (void) close(fds[i]);
}

static void
set_descriptors(rlim_t n)
{
        struct rlimit limit;

        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        limit.rlim_cur = n;
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
}

static void
test_no_descriptors(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(house->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        struct timeval patience = {.tv_sec = 20};
        struct rlimit before;
        int fds[4];

        for (gsize i = 0; i < G_N_ELEMENTS(fds); i++) {
                fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                g_assert_cmpint(setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), ==, 0);
        }
        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
        int next = dup(fds[0]);
        (void) close(next);
        set_descriptors((rlim_t) next + 1);             /* room for one */
        for (gsize i = 0; i < G_N_ELEMENTS(fds); i++) {
                g_assert_cmpint(connect(fds[i], (struct sockaddr *) &to, sizeof(to)), ==, 0);
                if (i == 0) {
                        hear(fds[i], "hello\r\n");
                        continue;
                }
                hear(fds[i], i < 3 ? "busy\r\n" : "hello\r\n");      /* told so, not left waiting; and it goes on later */
                if (i == 2)
                        set_descriptors(before.rlim_cur);
        }
        say(fds[0], "still\r\n");
        hear(fds[0], "[still]\r\n");
        for (gsize i = 0; i < G_N_ELEMENTS(fds); i++)
                (void) close(fds[i]);
}

/* Wake-ups and the end --------------------------------------------------------------------------------------------- */

static void
test_wake(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        for (int round = 0; round < 200; round++) {
                mutex_lock(&house->door.mutex);
                house->door.is_woken = FALSE;
                mutex_unlock(&house->door.mutex);
                say(fd, "wait\r\n");
                /* Wake it at every point of its way to being parked: the wake-up must not be lost anywhere. */
                for (gboolean is_done = FALSE; !is_done;) {
                        MUTEX_SCOPE(&house->door.mutex);
                        if (house->door.waiter == NULL)
                                continue;
                        house->door.is_woken = TRUE;
                        session_wake(house->door.waiter);
                        house->door.waiter = NULL;
                        is_done = TRUE;
                }
                hear(fd, "[wait]\r\nwoken\r\n");
        }
        (void) close(fd);
}

typedef struct Caller {
        const House *house;
        guint n;
} Caller;

static void
caller_main(gpointer data)
{
        Caller *caller = data;

        for (guint i = 0; i < caller->n; i++) {
                int fd = dial(caller->house);
                hear(fd, "hello\r\n");
                say(fd, "one\r\nwait\r\n");
                hear(fd, "[one]\r\n[wait]\r\n");
                if (i % 2 == 0) {
                        say(fd, "quit\r\n");
                        hear(fd, "bye\r\n");
                        hear_end(fd);
                } else {
                        (void) close(fd);
                }
        }
}

/* Sessions come, go and are woken all at once: nothing is run twice, nothing after its end. */
static void
test_wake_storm(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        g_autoptr(GError) error = NULL;
        Caller caller = {house, 100};
        Thread *threads[4];

        for (gsize i = 0; i < G_N_ELEMENTS(threads); i++) {
                threads[i] = thread_new("caller", caller_main, &caller, &error);
                g_assert_no_error(error);
        }
        for (guint closed = 0; closed < 400;) {
                mutex_lock(&house->door.mutex);
                if (house->door.waiter != NULL)
                        session_wake(house->door.waiter);
                closed = house->door.closed;
                mutex_unlock(&house->door.mutex);
                g_usleep(20);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
                thread_take_join(threads[i]);
        g_assert_cmpuint(house->door.opened, ==, 400);
        g_assert_cmpuint(house->door.closed, ==, 400);
}

static void
test_drain(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int idle = dial(house), delayed = dial(house);
        ServiceStats stats;

        hear(idle, "hello\r\n");
        hear(delayed, "hello\r\n");
        say(delayed, "delay\r\n");
        hear(delayed, "[delay]\r\n");
        service_drain(house->service, clock_in(20 * USEC_PER_SEC));
        hear(idle, "stopping\r\n");
        hear_end(idle);
        hear(delayed, "stopping\r\n");
        hear_end(delayed);
        service_stats(house->service, &stats);
        g_assert_cmpuint(stats.connections, ==, 0);
        /* Nobody listens any more. */
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(house->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(connect(fd, (struct sockaddr *) &to, sizeof(to)), <, 0);
        g_assert_cmpint(errno, ==, ECONNREFUSED);
        (void) close(fd);
}

static void
drain_main(gpointer data)
{
        service_drain(data, clock_in(20 * USEC_PER_SEC));
}

/* Who has sent half of something gets the time to send the rest; the others end at once. */
static void
test_drain_waits(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int idle = dial(house), amid = dial(house), stuck = dial(house);

        hear(idle, "hello\r\n");
        hear(amid, "hello\r\n");
        hear(stuck, "hello\r\n");
        say(amid, "more\r\n");
        hear(amid, "[more]\r\n");
        say(stuck, "more\r\n");
        hear(stuck, "[more]\r\n");
        Thread *thread = thread_new("drain", drain_main, house->service, NULL);
        hear(idle, "stopping\r\n");
        hear_end(idle);
        guint runs = door_ask(&house->door, &house->door.runs);
        say(amid, "mo");
        door_wait(&house->door, &house->door.runs, runs + 1);
        g_usleep(100 * 1000);
        runs = door_ask(&house->door, &house->door.runs);
        g_usleep(100 * 1000);
        g_assert_cmpuint(door_ask(&house->door, &house->door.runs), ==, runs); /* nobody spins meanwhile */
        say(amid, "re\r\nend\r\n");
        hear(amid, "[more]\r\n[end]\r\nstopping\r\n");
        hear_end(amid);
        (void) close(stuck);
        thread_take_join(thread);
}

static void
test_drain_cuts(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, "flood 100000000\r\n");
        hear(fd, "xxxx");
        service_drain(house->service, clock_in(20 * USEC_PER_MS));
        door_wait(&house->door, &house->door.closed, 1);
        (void) close(fd);
}

static void
test_drop_listener(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        service_drop_listener(house->service, house->listener);
        say(fd, "still\r\n");
        hear(fd, "[still]\r\n");
        (void) close(fd);
}

static void
test_port_in_use(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(service_listen("127.0.0.1", house->port, &error), ==, -1);
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
        g_autofree char *text = g_strdup_printf("127.0.0.1 port %u: address already in use", house->port);
        g_assert_cmpstr(error->message, ==, text);
        g_clear_error(&error);
        g_assert_cmpint(service_listen("mail.example", 25, &error), ==, -1);
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
}

static void
test_unix(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        g_autoptr(GError) error = NULL;
        g_autofree char *path = g_build_filename(tls_folder, "socket", NULL), *name = g_strconcat("unix:", path, NULL);
        struct sockaddr_un_like {
                sa_family_t family;
                char path[108];
        } to = {AF_UNIX, ""};

        for (int round = 0; round < 2; round++) {       /* the second time over what the first has left behind */
                int listening = service_listen(name, 0, &error);
                g_assert_no_error(error);
                Listener *listener = service_take_listener(house->service, listening, &echo_protocol, NULL, &house->door, &error);
                g_assert_no_error(error);
                int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                g_strlcpy(to.path, path, sizeof(to.path));
                g_assert_cmpint(connect(fd, (struct sockaddr *) &to, sizeof(to)), ==, 0);
                hear(fd, "hello\r\n");
                say(fd, "quit\r\n");
                hear(fd, "bye\r\n");
                hear_end(fd);
                service_drop_listener(house->service, listener);
        }
        (void) g_unlink(path);
}

/* TLS -------------------------------------------------------------------------------------------------------------- */

typedef struct TlsPeer {
        SSL_CTX *ctx;
        SSL *ssl;
        int fd;
} TlsPeer;

static TlsPeer
tls_dial(int fd)
{
        TlsPeer peer = {.ctx = SSL_CTX_new(TLS_client_method()), .fd = fd};

        peer.ssl = SSL_new(peer.ctx);
        SSL_set_fd(peer.ssl, fd);
        g_assert_cmpint(SSL_connect(peer.ssl), ==, 1);
        return peer;
}

static void
tls_hear(TlsPeer *peer, const char *text)
{
        g_autofree char *got = g_malloc0(strlen(text) + 1);
        gsize n = 0, r;

        while (n < strlen(text) && SSL_read_ex(peer->ssl, got + n, strlen(text) - n, &r) == 1)
                n += r;
        g_assert_cmpstr(got, ==, text);
}

static void
tls_say(TlsPeer *peer, const char *text)
{
        gsize n;

        g_assert_cmpint(SSL_write_ex(peer->ssl, text, strlen(text), &n), ==, 1);
}

static void
tls_hang_up(TlsPeer *peer)
{
        SSL_shutdown(peer->ssl);
        SSL_free(peer->ssl);
        SSL_CTX_free(peer->ctx);
        (void) close(peer->fd);
}

static void
test_implicit_tls(void)
{
        g_autoptr(House) house = house_new(NULL, TRUE);
        TlsPeer peer = tls_dial(dial(house));

        tls_hear(&peer, "hello\r\n");
        tls_say(&peer, "one\r\ntwo\r\n");
        tls_hear(&peer, "[one]\r\n[two]\r\n");
        /* Several records at once: what OpenSSL holds back must not be forgotten at the park. */
        for (int i = 0; i < 50; i++)
                tls_say(&peer, "more\r\n");
        for (int i = 0; i < 50; i++)
                tls_hear(&peer, "[more]\r\n");
        tls_say(&peer, "quit\r\n");
        tls_hear(&peer, "bye\r\n");
        tls_hang_up(&peer);
        door_wait(&house->door, &house->door.closed, 1);
}

static void
test_tls_flood(void)
{
        g_autoptr(House) house = house_new(NULL, TRUE);
        TlsPeer peer = tls_dial(dial(house));
        g_autofree char *room = g_malloc(1 << 20);
        gsize all = 8 * 1000 * 1000, got = 0, r;

        tls_hear(&peer, "hello\r\n");
        tls_say(&peer, "flood 8000000\r\nafter\r\n");
        while (got < all) {
                g_assert_cmpint(SSL_read_ex(peer.ssl, room, MIN(all - got, 1 << 20), &r), ==, 1);
                got += r;
        }
        tls_hear(&peer, "[after]\r\n");
        tls_hang_up(&peer);
}

static void
test_tls_garbage(void)
{
        g_autoptr(House) house = house_new(NULL, TRUE);
        int fd = dial(house);
        char dust[256];

        say(fd, "EHLO this is no TLS\r\n");
        while (recv(fd, dust, sizeof(dust), 0) > 0)
                ;
        (void) close(fd);
        TlsPeer peer = tls_dial(dial(house));
        tls_hear(&peer, "hello\r\n");
        tls_hang_up(&peer);
        door_wait(&house->door, &house->door.closed, 1);
        g_assert_cmpuint(house->door.opened, ==, 1);
}

static void
test_tls_slow_handshake(void)
{
        g_autoptr(House) house = house_new(NULL, TRUE);
        int fd = dial(house);
        BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        SSL *ssl = SSL_new(ctx);
        char octets[8192];

        /* Octet by octet, so that it parks in the handshake again and again. */
        SSL_set_bio(ssl, in, out);
        SSL_set_connect_state(ssl);
        while (SSL_do_handshake(ssl) != 1) {
                char octet;
                while (BIO_read(out, &octet, 1) == 1)
                        g_assert_cmpint(send(fd, &octet, 1, MSG_NOSIGNAL), ==, 1);
                ssize_t n = recv(fd, octets, sizeof(octets), 0);
                g_assert_cmpint(n, >, 0);
                BIO_write(in, octets, (int) n);
        }
        int n = BIO_read(out, octets, sizeof(octets));
        g_assert_cmpint(send(fd, octets, (gsize) n, MSG_NOSIGNAL), ==, n);
        door_wait(&house->door, &house->door.opened, 1);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        (void) close(fd);
}

static void
test_starttls(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, "starttls\r\n");
        hear(fd, "go\r\n");
        TlsPeer peer = tls_dial(fd);
        tls_say(&peer, "inside\r\n");
        tls_hear(&peer, "[inside]\r\n");
        tls_hang_up(&peer);
        door_wait(&house->door, &house->door.closed, 1);
}

static void
test_starttls_injection(void)
{
        g_autoptr(House) house = house_new(NULL, FALSE);
        int fd = dial(house);

        hear(fd, "hello\r\n");
        say(fd, "starttls\r\nquit\r\n");
        hear(fd, "injected\r\n");
        hear_end(fd);
}

int
main(int argc, char **argv)
{
        g_autoptr(GError) error = NULL;

        g_test_init(&argc, &argv, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        tls_folder = g_dir_make_tmp("service-XXXXXX", &error);
        g_assert_no_error(error);
        tls_certificate = g_build_filename(tls_folder, "c.pem", NULL);
        tls_key = g_build_filename(tls_folder, "k.pem", NULL);
        g_assert_true(tls_make_self_signed("mx.example", tls_certificate, tls_key, &error));

        g_test_add_func("/net/service/echo", test_echo);
        g_test_add_func("/net/service/single-octets-make-the-same-lines", test_single_octets);
        g_test_add_func("/net/service/bare-lf-ends-a-line-where-allowed", test_bare_lf);
        g_test_add_func("/net/service/too-long-line-is-passed-over", test_too_long);
        g_test_add_func("/net/service/endless-line-ends-the-session", test_endless_line);
        g_test_add_func("/net/service/half-a-line-at-the-end-is-not-run", test_half_line_at_end);
        g_test_add_func("/net/service/slow-reader-gets-everything", test_slow_reader);
        g_test_add_func("/net/service/reader-that-leaves-ends-the-session", test_reader_leaves);
        g_test_add_func("/net/service/last-words-arrive-although-input-is-unread", test_last_words);
        g_test_add_func("/net/service/idle-session-times-out", test_idle);
        g_test_add_func("/net/service/delay-holds-no-thread", test_delay);
        g_test_add_func("/net/service/silent-handshake-ends-at-its-deadline", test_silent_handshake);
        g_test_add_func("/net/service/stalled-reader-is-cut-off", test_stalled_reader);
        g_test_add_func("/net/service/input-below-minimum-rate-times-out", test_minimum_rate);
        g_test_add_func("/net/service/stress-shortens-idle", test_stress);
        g_test_add_func("/net/service/many-at-once", test_many);
        g_test_add_func("/net/service/limit-per-address", test_limit_per_address);
        g_test_add_func("/net/service/limit-of-all", test_limit_of_all);
        g_test_add_func("/net/service/out-of-descriptors-is-said-and-passes", test_no_descriptors);
        g_test_add_func("/net/service/wake-from-another-thread-is-never-lost", test_wake);
        g_test_add_func("/net/service/wake-storm", test_wake_storm);
        g_test_add_func("/net/service/drain-says-goodbye", test_drain);
        g_test_add_func("/net/service/drain-waits-for-what-has-begun", test_drain_waits);
        g_test_add_func("/net/service/drain-cuts-at-its-deadline", test_drain_cuts);
        g_test_add_func("/net/service/sessions-outlive-their-listener", test_drop_listener);
        g_test_add_func("/net/service/port-in-use-is-named", test_port_in_use);
        g_test_add_func("/net/service/unix-socket", test_unix);
        g_test_add_func("/net/service/implicit-tls", test_implicit_tls);
        g_test_add_func("/net/service/tls-slow-reader", test_tls_flood);
        g_test_add_func("/net/service/tls-garbage-reaches-no-protocol", test_tls_garbage);
        g_test_add_func("/net/service/tls-handshake-octet-by-octet", test_tls_slow_handshake);
        g_test_add_func("/net/service/starttls RFC 3207 §4", test_starttls);
        g_test_add_func("/net/service/starttls-injection-is-seen RFC 3207 §4.2", test_starttls_injection);
        int result = g_test_run();

        (void) g_unlink(tls_certificate);
        (void) g_unlink(tls_key);
        (void) g_rmdir(tls_folder);
        g_free(tls_folder);
        g_free(tls_certificate);
        g_free(tls_key);
        return result;
}

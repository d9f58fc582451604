/* service.c -- listeners, workers and the clock.
 *
 * The reactor is the kernel's: one epoll set, in which every parked session waits for one event (EPOLLONESHOT), and idle
 * workers wait in epoll_wait() itself. Whoever gets an event runs the session; there is no thread in between that would have to be
 * woken to wake another one, and any worker can park a session with one system call. (libevent was the other choice: its
 * loop belongs to one thread, so that each park from a worker costs a wake-up of that thread through a pipe, then a second
 * one of a worker, and some 250 octets for two events of each connection.) The kernel wakes the worker that went to sleep
 * last, so few workers do most of the work with warm caches, and the others time out and end. Nor does a worker wait at one
 * session for its next command before it parks: measured with 32 lock-step clients that costs half as much again per command (9-16
 * against 15-18 us of CPU), because a waiting worker does not take what others have ready, so that more of them must wake.
 *
 * Workers  whoever takes the last waiting place starts another worker, up to the maximum: somebody always waits for the next
 *          event, however many block in a commit.
 * Clock    one thread with a heap of moments. A session that parks again and again does not move its entry: an entry that comes up
 *          too early is put back to where it belongs by then. So the heap is touched once per idle span, not once per command.
 * Queue    sessions that have to run without a socket event (woken, timed out, stopping), behind an eventfd in the same set.
 */
#include "net/service_internal.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WATCH_SPAN              ((Usec) 150)            /* for the next command, before a worker sleeps           */
#define WORKER_PATIENCE_MS      10000                   /* an idle worker ends after that                          */
#define WORKERS_KEPT            2                       /* ... unless it is one of so many that wait               */
#define PAUSE_SPAN              (100 * USEC_PER_MS)     /* accepting rests when descriptors have run out           */
#define CLOCK_SPAN              (10 * USEC_PER_SEC)     /* the clock looks around at least so often                */
#define RUNNING_SPAN            USEC_PER_SEC            /* how soon to look again at a session that was running    */
#define EXEMPT_SLOTS            16384u                  /* for those who are exempt from max_connections           */
#define BACKLOG                 1024

static const LogEvent event_no_descriptors = {
        "net.no-descriptors", LOG_DEBUG, "The process has no file descriptor left for a new connection, which was refused. Raise its limit."};
static const LogEvent event_no_thread = {"net.no-thread", LOG_DEBUG, "No further worker thread could be started; those that run go on."};

struct Worker {
        Service *service;
        Thread *thread;
        Worker *next;
};

static void worker_main(gpointer data);

/* Listeners ------------------------------------------------------------------------------------------------------ */

static gboolean
listen_unix(struct sockaddr_un *ret, const char *path, GError **error)
{
        struct stat st;

        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (strlen(path) >= sizeof(ret->sun_path))
                return fault(error, FAULT_INPUT, "unix:%s: path too long for a socket", path);
        g_strlcpy(ret->sun_path, path, sizeof(ret->sun_path));
        /* What a process that died has left behind; whoever calls holds the site's lock. */
        if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
                (void) unlink(path);
        return TRUE;
}

static int
listen_on(const struct sockaddr *address, socklen_t len, const char *name, GError **error)
{
        int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0) {
                fault_errno(error, "%s", name);
                return -1;
        }
        (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (address->sa_family == AF_INET6)
                (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
        if (bind(fd, address, len) != 0 || listen(fd, BACKLOG) != 0) {
                fault(error, FAULT_IO, "%s: %s", name,
                      errno == EADDRINUSE ? "address already in use"
                      : errno == EACCES   ? "permission denied"
                                          : g_strerror(errno));
                (void) close(fd);
                return -1;
        }
        return fd;
}

int
service_listen(const char *address, guint16 port, GError **error)
{
        if (g_str_has_prefix(address, "unix:")) {
                struct sockaddr_un local;
                return listen_unix(&local, address + strlen("unix:"), error)
                               ? listen_on((struct sockaddr *) &local, sizeof(local), address, error)
                               : -1;
        }
        struct sockaddr_storage ip;
        socklen_t len;
        if (!net_address_parse(address, port, &ip, &len)) {
                fault(error, FAULT_INPUT, "%s: not an IP address and not unix:PATH", address);
                return -1;
        }
        g_autofree char *name = g_strdup_printf("%s port %u", address, port);
        return listen_on((struct sockaddr *) &ip, len, name, error);
}

static void
listener_unref(Listener *listener)
{
        if (!g_atomic_int_dec_and_test(&listener->references))
                return;
        tls_context_unref(listener->tls);
        mutex_done(&listener->mutex);
        g_free(listener);
}

static Listener *
listener_ref_at(Service *service, guint32 index)
{
        MUTEX_SCOPE(&service->mutex);
        if (index >= service->listeners->len)
                return NULL;
        Listener *listener = g_ptr_array_index(service->listeners, index);
        if (listener != NULL)
                g_atomic_int_inc(&listener->references);
        return listener;
}

/* Wait for the next connection. The caller holds the listener's lock. */
static gboolean
listener_arm(Listener *listener, int op)
{
        struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = EVENT_LISTENER | listener->index};

        return epoll_ctl(listener->service->epoll_fd, op, listener->fd, &event) == 0;
}

Listener *
service_take_listener(Service *service, int fd, const Protocol *protocol, TlsContext *implicit_tls, gpointer door, GError **error)
{
        Listener *listener = g_new0(Listener, 1);
        int flags = fcntl(fd, F_GETFL);

        g_assert(protocol->session_octets >= sizeof(Session));
        *listener = (Listener){.references = 1, .service = service, .protocol = protocol, .door = door, .fd = fd,
                               .tls = tls_context_ref(implicit_tls)};
        mutex_init(&listener->mutex, "net.listener");
        if (flags >= 0)
                (void) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        /* Connections inherit it: a peer that has vanished must not stay for ever where sessions have no deadline. */
        (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));

        mutex_lock(&service->mutex);
        guint32 index = 0;
        while (index < service->listeners->len && g_ptr_array_index(service->listeners, index) != NULL)
                index++;
        if (index == service->listeners->len)
                g_ptr_array_add(service->listeners, NULL);
        listener->index = index;
        g_ptr_array_index(service->listeners, index) = listener;
        mutex_unlock(&service->mutex);

        mutex_lock(&listener->mutex);
        gboolean is_armed = listener_arm(listener, EPOLL_CTL_ADD);
        mutex_unlock(&listener->mutex);
        if (!is_armed) {
                fault_errno(error, "listening socket");
                service_drop_listener(service, listener);
                return NULL;
        }
        return listener;
}

void
service_drop_listener(Service *service, Listener *listener)
{
        mutex_lock(&listener->mutex);
        if (listener->fd >= 0) {
                /* The keeper may hold the same socket open, and then closing ours does not take it out of the set. */
                (void) epoll_ctl(service->epoll_fd, EPOLL_CTL_DEL, listener->fd, NULL);
                (void) close(listener->fd);
        }
        listener->fd = -1;
        mutex_unlock(&listener->mutex);

        mutex_lock(&service->mutex);
        g_ptr_array_index(service->listeners, listener->index) = NULL;
        mutex_unlock(&service->mutex);
        listener_unref(listener);
}

/* Sessions ------------------------------------------------------------------------------------------------------- */

void
service_time(Service *service, SessionPark *park, Usec at)
{
        MUTEX_SCOPE(&service->timers_mutex);
        timers_set(&service->timers, &park->timer, at);
        if (timers_first(&service->timers) == &park->timer)
                cond_signal(&service->timers_changed);
}

static void
service_kick(Service *service)
{
        /* Never read, so that every write is an event of its own; 2^64 of them are not to be reached. */
        guint64 one = 1;
        ssize_t written = write(service->queue_fd, &one, sizeof(one));
        (void) written;
}

void
service_enqueue(Service *service, SessionPark *park)
{
        mutex_lock(&service->mutex);
        park->next = NULL;
        if (service->queue_last != NULL)
                service->queue_last->next = park;
        else
                service->queue_first = park;
        service->queue_last = park;
        mutex_unlock(&service->mutex);
        service_kick(service);
}

static void
service_run_queued(Service *service)
{
        mutex_lock(&service->mutex);
        SessionPark *park = service->queue_first;
        if (park != NULL)
                service->queue_first = park->next;
        gboolean has_more = service->queue_first != NULL;
        if (!has_more)
                service->queue_last = NULL;
        mutex_unlock(&service->mutex);

        if (has_more)
                service_kick(service);          /* kicks may have melted into one event */
        if (park != NULL)
                session_turn(park, FALSE);
}

static SessionPark *
slot_at(Service *service, guint32 index)
{
        return &service->chunks[index / SLOTS_PER_CHUNK][index % SLOTS_PER_CHUNK];
}

/* The caller holds net.service. NULL: none left. */
static SessionPark *
slot_take(Service *service)
{
        SessionPark *park = service->free_slots;

        if (park != NULL) {
                service->free_slots = park->next;
                return park;
        }
        if (service->n_slots == service->max_slots)
                return NULL;
        if (service->n_slots % SLOTS_PER_CHUNK == 0)
                service->chunks[service->n_slots / SLOTS_PER_CHUNK] = g_new0(SessionPark, SLOTS_PER_CHUNK);
        park = slot_at(service, service->n_slots);
        park->index = service->n_slots++;
        park->service = service;
        park->fd = -1;
        return park;
}

/* Begin and end of stress, with some distance between them. The caller holds net.service. TRUE: it has just begun. */
static gboolean
stress_changes(Service *service)
{
        gboolean is_stressed = atomic_load(&service->is_stressed);
        guint64 connections = service->connections, most = service->limits.max_connections;

        if (!is_stressed && connections * 10 >= most * 8) {
                atomic_store(&service->is_stressed, TRUE);
                return TRUE;
        }
        if (is_stressed && connections * 10 < most * 7)
                atomic_store(&service->is_stressed, FALSE);
        return FALSE;
}

/* A slot for a new connection, or NULL when it is one too many. */
static SessionPark *
service_admit(Service *service, const struct sockaddr_storage *from)
{
        AddressKey key = net_address_key(from);
        gboolean is_exempt = (from->ss_family != AF_INET && from->ss_family != AF_INET6) ||
                             (__atomic_load_n(&service->limits.is_loopback_site, __ATOMIC_RELAXED) && net_address_is_first_loopback(from));
        gboolean is_counted = !is_exempt && limits_enter(service->per_address, key, clock_monotonic());
        gboolean is_stress_new = FALSE;
        SessionPark *park = NULL;

        mutex_lock(&service->mutex);
        if ((is_exempt || (is_counted && service->connections < service->limits.max_connections)) &&
            !atomic_load(&service->is_stopping))
                park = slot_take(service);
        if (park != NULL) {
                service->accepted++;
                service->connections++;
                is_stress_new = stress_changes(service);
        } else {
                service->refused++;
        }
        mutex_unlock(&service->mutex);

        if (park != NULL) {
                park->is_counted = is_counted;
                park->key = key;
        } else if (is_counted) {
                limits_leave(service->per_address, key, clock_monotonic());
        }
        if (is_stress_new) {
                MUTEX_SCOPE(&service->timers_mutex);
                service->is_stress_new = TRUE;
                cond_signal(&service->timers_changed);
        }
        return park;
}

static void
service_begin_session(SessionPark *park, Listener *listener, int fd, gboolean is_tls)
{
        Service *service = park->service;
        Session *session = g_malloc0(listener->protocol->session_octets);

        g_atomic_int_inc(&listener->references);
        session->listener = listener;
        session->park = park;
        session->stream = stream_take_fd(fd);
        park->session = session;
        park->mode = is_tls ? MODE_HANDSHAKE : MODE_OPEN;
        park->is_registered = FALSE;
        park->idle = listener->protocol->idle;
        park->delay_until = park->mode_until = 0;
        park->rate = 0;
        mutex_lock(&service->mutex);
        park->fd = fd;
        mutex_unlock(&service->mutex);
        service_time(service, park, clock_in(RUNNING_SPAN));
        session_turn(park, TRUE);
}

void
service_end_session(SessionPark *park)
{
        Service *service = park->service;
        Session *session = park->session;
        Listener *listener = session->listener;

        mutex_lock(&service->timers_mutex);
        timers_remove(&service->timers, &park->timer);
        mutex_unlock(&service->timers_mutex);
        mutex_lock(&service->mutex);
        park->fd = -1;                  /* before it is closed: service_drain() cuts by it */
        mutex_unlock(&service->mutex);

        stream_free(session->stream);
        g_free(session);
        park->session = NULL;
        listener_unref(listener);
        if (park->is_counted)
                limits_leave(service->per_address, park->key, clock_monotonic());

        mutex_lock(&service->mutex);
        park->next = service->free_slots;
        service->free_slots = park;
        service->connections--;
        (void) stress_changes(service);
        if (service->connections == 0)
                cond_broadcast(&service->emptied);
        mutex_unlock(&service->mutex);
}

/* Accepting ------------------------------------------------------------------------------------------------------ */

static void
refuse(const Listener *listener, int fd, gboolean is_tls)
{
        const char *busy = listener->protocol->busy;

        if (busy != NULL && !is_tls) {
                ssize_t sent = send(fd, busy, strlen(busy), MSG_NOSIGNAL | MSG_DONTWAIT);
                (void) sent;            /* who does not take it goes without */
        }
        (void) close(fd);
}

/* Out of descriptors: the spare one takes the next connection in to tell it so, else it would wait in vain; then accepting rests.
 * The caller holds the listener's lock. */
static void
listener_shed(Listener *listener)
{
        Service *service = listener->service;

        mutex_lock(&service->timers_mutex);
        if (service->null_fd >= 0) {
                (void) close(service->null_fd);
                int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd >= 0)
                        refuse(listener, fd, listener->tls != NULL);
        }
        service->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        service->resume_at = clock_in(PAUSE_SPAN);
        cond_signal(&service->timers_changed);
        mutex_unlock(&service->timers_mutex);
        log_event(&event_no_descriptors, "listener=%s", listener->protocol->name);
}

/* One connection; the listener is armed again before it is served, so that another worker can take the next. */
static void
listener_accept(Listener *listener)
{
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        int fd = -1;

        mutex_lock(&listener->mutex);
        gboolean is_tls = listener->tls != NULL;
        if (listener->fd >= 0) {
                fd = accept4(listener->fd, (struct sockaddr *) &from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
                        listener_shed(listener);
                else
                        (void) listener_arm(listener, EPOLL_CTL_MOD);
        }
        mutex_unlock(&listener->mutex);
        if (fd < 0)
                return;
        SessionPark *park = service_admit(listener->service, &from);
        if (park != NULL)
                service_begin_session(park, listener, fd, is_tls);
        else
                refuse(listener, fd, is_tls);
}

static void
service_resume_listeners(Service *service)
{
        guint n;

        mutex_lock(&service->mutex);
        n = service->listeners->len;
        mutex_unlock(&service->mutex);
        for (guint i = 0; i < n; i++) {
                Listener *listener = listener_ref_at(service, i);
                if (listener == NULL)
                        continue;
                mutex_lock(&listener->mutex);
                if (listener->fd >= 0)
                        (void) listener_arm(listener, EPOLL_CTL_MOD);
                mutex_unlock(&listener->mutex);
                listener_unref(listener);
        }
}

/* Workers -------------------------------------------------------------------------------------------------------- */

/* Start one more where nobody waits any more. */
static gboolean
workers_grow(Service *service, GError **error)
{
        MUTEX_SCOPE(&service->mutex);
        if (service->n_workers >= service->limits.max_workers || atomic_load(&service->is_over))
                return TRUE;
        Worker *worker = g_new0(Worker, 1);
        worker->service = service;
        atomic_fetch_add(&service->n_waiting, 1);       /* it counts from now on, or two would be started for one place */
        worker->thread = thread_new("worker", worker_main, worker, error);
        if (worker->thread == NULL) {
                atomic_fetch_sub(&service->n_waiting, 1);
                g_free(worker);
                return FALSE;
        }
        worker->next = service->workers;
        service->workers = worker;
        service->n_workers++;
        return TRUE;
}

/* An idle worker leaves unless it is one of the last that wait. */
static gboolean
worker_may_leave(Service *service)
{
        int waiting = atomic_load(&service->n_waiting);

        while (waiting > WORKERS_KEPT)
                if (atomic_compare_exchange_weak(&service->n_waiting, &waiting, waiting - 1))
                        return TRUE;
        return FALSE;
}

static void
worker_dispatch(Service *service, guint64 event)
{
        guint32 index = (guint32) event;
        guint32 ticket = (guint32) (event >> 32) & (G_MAXUINT32 >> 2);

        switch (event & ((guint64) 3 << 62)) {
        case EVENT_SESSION: {
                SessionPark *park = slot_at(service, index);
                if (park_claim(park, ticket))
                        session_turn(park, TRUE);
                break;
        }
        case EVENT_LISTENER: {
                Listener *listener = listener_ref_at(service, index);
                if (listener != NULL) {
                        listener_accept(listener);
                        listener_unref(listener);
                }
                break;
        }
        case EVENT_QUEUE:
                service_run_queued(service);
                break;
        default:
                break;
        }
}

static gboolean
is_nobody_at_work(Service *service)
{
        return atomic_load(&service->n_waiting) == (int) atomic_load(&service->n_workers);
}

/* Where nobody else works, it is often the client just answered who says the next thing, and at once: a thread that slept
 * meanwhile would be the longest part of its wait. With others at work there is always something to do. */
static int
worker_await(Service *service, struct epoll_event *event)
{
        gboolean is_free = FALSE;
        int n = 0;

        if (is_nobody_at_work(service) && atomic_compare_exchange_strong(&service->is_watched, &is_free, TRUE)) {
                Usec until = clock_in(WATCH_SPAN);
                do
                        n = epoll_wait(service->epoll_fd, event, 1, 0);
                while (n == 0 && is_nobody_at_work(service) && clock_monotonic() < until);
                atomic_store(&service->is_watched, FALSE);
        }
        return n != 0 ? n : epoll_wait(service->epoll_fd, event, 1, WORKER_PATIENCE_MS);
}

static void
worker_main(gpointer data)
{
        Worker *worker = data;
        Service *service = worker->service;

        for (;;) {
                struct epoll_event event;
                int n = worker_await(service, &event);
                if (atomic_load(&service->is_over))
                        break;
                if (n == 0 && worker_may_leave(service))
                        break;
                if (n != 1)
                        continue;
                g_autoptr(GError) error = NULL;
                if (atomic_fetch_sub(&service->n_waiting, 1) == 1 && !workers_grow(service, &error))
                        log_event(&event_no_thread, "reason=%s", log_text(span_of(error->message)));
                worker_dispatch(service, event.data.u64);
                atomic_fetch_add(&service->n_waiting, 1);
        }

        MUTEX_SCOPE(&service->mutex);
        Worker **place = &service->workers;
        while (*place != worker)
                place = &(*place)->next;
        *place = worker->next;
        worker->next = service->ended;
        service->ended = worker;
        service->n_workers--;
}

static void
workers_bury(Service *service)
{
        mutex_lock(&service->mutex);
        Worker *ended = service->ended;
        service->ended = NULL;
        mutex_unlock(&service->mutex);
        while (ended != NULL) {
                Worker *next = ended->next;
                thread_take_join(ended->thread);
                g_free(ended);
                ended = next;
        }
}

/* The clock ------------------------------------------------------------------------------------------------------ */

/* Look at every entry anew: deadlines have become shorter. */
static void
clock_shorten(Service *service, Usec now)
{
        /* All the same moment is a heap too. */
        for (guint32 i = 1; i <= service->timers.n; i++)
                atomic_store(&service->timers.heap[i]->at, now);
        service->is_stress_new = FALSE;
}

/* The first entry has come up: claim its session if that is due, and put the entry where it belongs. */
static void
clock_fire(Service *service, SessionPark *park, Usec now)
{
        /* First, so that whoever parks after we have looked at what is due finds no entry early enough and sets it himself. */
        atomic_store(&park->timer.at, USEC_NEVER);
        Usec at = now + RUNNING_SPAN;
        if (!park_is_running(park)) {
                Usec due = park_due(park);
                if (due > now)
                        at = due;
                else if (park_claim(park, PARK_ANY))
                        service_enqueue(service, park);
        }
        timers_set(&service->timers, &park->timer, at);
}

static void
clock_main(gpointer data)
{
        Service *service = data;

        mutex_lock(&service->timers_mutex);
        while (!atomic_load(&service->is_over)) {
                Usec now = clock_monotonic();
                if (service->is_stress_new)
                        clock_shorten(service, now);
                Timer *first = timers_first(&service->timers);
                if (first != NULL && atomic_load(&first->at) <= now) {
                        clock_fire(service, (SessionPark *) ((char *) first - offsetof(SessionPark, timer)), now);
                        continue;
                }
                gboolean is_resuming = service->resume_at <= now;
                if (is_resuming)
                        service->resume_at = USEC_NEVER;
                Usec until = MIN(service->resume_at, now + CLOCK_SPAN);
                if (first != NULL)
                        until = MIN(until, atomic_load(&first->at));
                if (is_resuming) {
                        mutex_unlock(&service->timers_mutex);
                        service_resume_listeners(service);
                        mutex_lock(&service->timers_mutex);
                        continue;
                }
                (void) cond_wait_until(&service->timers_changed, &service->timers_mutex, until);
                mutex_unlock(&service->timers_mutex);
                workers_bury(service);
                mutex_lock(&service->timers_mutex);
        }
        mutex_unlock(&service->timers_mutex);
}

/* The service ---------------------------------------------------------------------------------------------------- */

static gboolean
service_open_reactor(Service *service, GError **error)
{
        struct epoll_event queue = {.events = EPOLLIN | EPOLLET, .data.u64 = EVENT_QUEUE};
        struct epoll_event stop = {.events = EPOLLIN, .data.u64 = EVENT_STOP};

        service->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        service->queue_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        service->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        service->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (service->epoll_fd < 0 || service->queue_fd < 0 || service->stop_fd < 0 ||
            epoll_ctl(service->epoll_fd, EPOLL_CTL_ADD, service->queue_fd, &queue) != 0 ||
            epoll_ctl(service->epoll_fd, EPOLL_CTL_ADD, service->stop_fd, &stop) != 0)
                return fault_errno(error, "reactor");
        return TRUE;
}

/* 0 is the default. */
static ServiceLimits
limits_filled(const ServiceLimits *limits)
{
        ServiceLimits l = *limits;

        l.max_connections = l.max_connections != 0 ? MIN(l.max_connections, 1000000u) : 25000;
        l.max_per_address = l.max_per_address != 0 ? l.max_per_address : 100;
        l.max_per_address_second = l.max_per_address_second != 0 ? l.max_per_address_second : 50;
        l.max_workers = l.max_workers != 0 ? l.max_workers : 128;
        return l;
}

gboolean
service_set_limits(Service *service, const ServiceLimits *limits)
{
        ServiceLimits l = limits_filled(limits);

        limits_set(service->per_address, l.max_per_address, l.max_per_address_second);
        MUTEX_SCOPE(&service->mutex);
        gboolean fits = l.max_connections + EXEMPT_SLOTS <= service->max_slots;
        service->limits.max_connections = MIN(l.max_connections, service->max_slots - EXEMPT_SLOTS);
        service->limits.max_workers = l.max_workers;
        __atomic_store_n(&service->limits.is_loopback_site, l.is_loopback_site, __ATOMIC_RELAXED);
        return fits;
}

Service *
service_new(const ServiceLimits *limits, GError **error)
{
        Service *service = g_new0(Service, 1);
        ServiceLimits *l = &service->limits;

        *l = limits_filled(limits);
        mutex_init(&service->mutex, "net.service");
        mutex_init(&service->timers_mutex, "net.timers");
        cond_init(&service->emptied);
        cond_init(&service->timers_changed);
        service->per_address = limits_new(l->max_per_address, l->max_per_address_second);
        service->listeners = g_ptr_array_new();
        service->max_slots = l->max_connections + EXEMPT_SLOTS;
        service->chunks = g_new0(SessionPark *, service->max_slots / SLOTS_PER_CHUNK + 1);
        service->resume_at = USEC_NEVER;
        if (!service_open_reactor(service, error) || !workers_grow(service, error) || !workers_grow(service, error) ||
            (service->clock = thread_new("clock", clock_main, service, error)) == NULL) {
                service_free(service);
                return NULL;
        }
        return service;
}

/* Wait until no connection is left. The caller holds net.service. */
static gboolean
service_wait_empty(Service *service, Usec deadline)
{
        while (service->connections > 0)
                if (!cond_wait_until(&service->emptied, &service->mutex, deadline))
                        break;
        return service->connections == 0;
}

static void
service_claim_all(Service *service)
{
        mutex_lock(&service->mutex);
        guint32 n = service->n_slots;
        mutex_unlock(&service->mutex);
        for (guint32 i = 0; i < n; i++) {
                SessionPark *park = slot_at(service, i);
                if (park_claim(park, PARK_ANY))
                        service_enqueue(service, park);
        }
}

void
service_drain(Service *service, Usec deadline)
{
        atomic_store(&service->is_stopping, TRUE);
        for (guint i = 0;; i++) {
                mutex_lock(&service->mutex);
                gboolean is_last = i >= service->listeners->len;
                Listener *listener = is_last ? NULL : g_ptr_array_index(service->listeners, i);
                mutex_unlock(&service->mutex);
                if (is_last)
                        break;
                if (listener != NULL)
                        service_drop_listener(service, listener);
        }
        service_claim_all(service);
        mutex_lock(&service->mutex);
        gboolean is_empty = service_wait_empty(service, deadline);
        if (!is_empty) {
                /* Whoever is still reading or writing fails at once; who waits for something else ends after it. */
                atomic_store(&service->is_cutting, TRUE);
                for (guint32 i = 0; i < service->n_slots; i++)
                        if (slot_at(service, i)->fd >= 0)
                                (void) shutdown(slot_at(service, i)->fd, SHUT_RDWR);
        }
        mutex_unlock(&service->mutex);
        if (!is_empty)
                service_claim_all(service);
}

void
service_free(Service *service)
{
        if (service == NULL)
                return;
        if (service->clock != NULL) {
                service_drain(service, clock_monotonic());
                mutex_lock(&service->mutex);
                (void) service_wait_empty(service, USEC_NEVER);
                mutex_unlock(&service->mutex);
        }
        mutex_lock(&service->timers_mutex);
        atomic_store(&service->is_over, TRUE);
        cond_signal(&service->timers_changed);
        mutex_unlock(&service->timers_mutex);
        if (service->stop_fd >= 0 && eventfd_write(service->stop_fd, 1) != 0)
                g_assert_not_reached();
        thread_take_join(service->clock);

        mutex_lock(&service->mutex);
        while (service->n_workers > 0) {
                mutex_unlock(&service->mutex);
                workers_bury(service);
                g_usleep(1000);
                mutex_lock(&service->mutex);
        }
        mutex_unlock(&service->mutex);
        workers_bury(service);

        for (guint32 i = 0; i * SLOTS_PER_CHUNK < service->n_slots; i++)
                g_free(service->chunks[i]);
        g_free(service->chunks);
        timers_done(&service->timers);
        g_ptr_array_unref(service->listeners);
        limits_free(service->per_address);
        const int fds[] = {service->epoll_fd, service->queue_fd, service->stop_fd, service->null_fd};
        for (gsize i = 0; i < G_N_ELEMENTS(fds); i++)
                if (fds[i] >= 0)
                        (void) close(fds[i]);
        cond_done(&service->emptied);
        cond_done(&service->timers_changed);
        mutex_done(&service->mutex);
        mutex_done(&service->timers_mutex);
        g_free(service);
}

void
service_stats(Service *service, ServiceStats *ret)
{
        int waiting = atomic_load(&service->n_waiting);

        MUTEX_SCOPE(&service->mutex);
        guint busy = service->n_workers > (guint) waiting ? service->n_workers - (guint) waiting : 0;
        *ret = (ServiceStats){
                .accepted = service->accepted,
                .refused = service->refused,
                .connections = service->connections,
                .parked = service->connections > busy ? service->connections - busy : 0,
                .workers = service->n_workers,
                .workers_busy = busy,
        };
}

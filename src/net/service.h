/* service.h -- listeners, workers and parking: how sessions come to life, wait and end.
 *
 * A session is a plain struct. While input is there a worker thread calls its run(), ordinary top-to-bottom code that reads
 * with stream_line(); when that answers STREAM_AGAIN (or the stream is full, or something else must be waited for) run()
 * returns SESSION_PARK and the session costs only its struct, until input, drained output, its timer or session_wake() has it run
 * again. Idle workers wait in the kernel's reactor (epoll) themselves, so between input and run() stands no other thread.
 *
 *      static SessionNext smtp_run(Session *s) { while (line) answer; return SESSION_PARK or SESSION_CLOSE; }
 *
 * After run() returns, output is flushed. While output waits for a slow reader run() is not called, whatever comes in; once that has
 * drained it is called, also without new input, so that one that parked because stream_is_full() goes on from its position. A reader
 * that takes nothing for 5 minutes is cut off.
 *
 * Workers  grow on demand up to the maximum (128 by default) and end when idle for a while; stacks are small. Work we start
 *          ourselves (fetch, relay) has its own threads, not these.
 * Limits   connections in all, per address and per second per address; over them the protocol's `busy` line is sent and the connection
 *          closed. 127.0.0.1 is exempt in loopback sites. Under stress (80 % of all) idle deadlines shrink to a tenth.
 * Threads  run() of one session runs on one thread at a time; everything reachable from its struct needs no lock.
 * Memory   a parked plaintext connection must stay under 8 KiB in all: keep session structs small, allocate on demand, and free what
 *          is not needed before parking.
 */
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "net/stream.h"
#include "net/tls.h"

typedef struct Service Service;
typedef struct Listener Listener;
typedef struct Session Session;

typedef enum SessionNext {
        SESSION_CLOSE = 0,      /* flush what waits (for at most 10 s, parked) and close */
        SESSION_PARK,           /* call run() again when there is something to do        */
} SessionNext;

typedef struct Protocol {
        const char *name;                       /* "smtp"; in the log                                          */
        gsize session_octets;                   /* sizeof the struct whose first member is a Session           */
        /* A connection was accepted (for implicit TLS: the handshake is over). Greets. FALSE closes. */
        gboolean (*open)(Session *session);
        SessionNext (*run)(Session *session);
        /* Release what open and run took; stream and struct are the service's. Called once for each open(), whatever that answered,
         * before the last output is flushed; stream_reason() says how it ended ("timed out", "", ...). */
        void (*close)(Session *session);
        /* Text sent, once, to a connection over a limit, e.g. "421 4.7.0 too many connections, come back later\r\n". */
        const char *busy;
        /* Text sent when a session's deadline passes while it is parked, or NULL. */
        const char *timed_out;
        /* Text sent to parked sessions when the service stops, or NULL. */
        const char *stopping;
        /* Is something coming that the client began before the service was told to stop: a message, a literal? Such a session goes on
         * until that is over or service_drain()'s deadline. NULL: never. Cheap; asked between runs. */
        gboolean (*is_amid)(const Session *session);
        Usec idle;                              /* deadline of a parked session; run() may change it with session_set_idle() */
} Protocol;

struct Session {
        Stream *stream;
        Listener *listener;
        /* private to service.c */
        struct SessionPark *park;
};

/* What the listener was made with: the door's settings (hostname, roles, rooms to call). */
gpointer session_door(const Session *session);

/* From run(): */
void session_set_idle(Session *session, Usec span);     /* deadline while parked from now on, counted from each park          */
void session_set_minimum_rate(Session *session, guint64 octets_per_second);    /* 0: none. Counted over input since this call,
                                                           after the first 30 s; below it the session ends as timed out (DATA)  */
void session_delay(Session *session, Usec span);        /* after this run() returns PARK, do not run again before span passed,
                                                           whatever comes in: delays that hold no thread                        */
gboolean session_is_stopping(const Session *session);   /* the service drains: finish what is running, then close               */

/* From any thread, for a session known to be alive (its close() has not run; the caller's own lock sees to that): run() is called
 * soon. Cheap and idempotent. */
void session_wake(Session *session);

typedef struct ServiceLimits {
        guint max_connections;                  /* in all, default 25,000       */
        guint max_per_address;                  /* default 100                  */
        guint max_per_address_second;           /* new ones, default 50         */
        guint max_workers;                      /* default 128                  */
        gboolean is_loopback_site;              /* 127.0.0.1 is exempt          */
} ServiceLimits;

Service *service_new(const ServiceLimits *limits, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Other limits from now on. max_connections can't pass what the service was made with: FALSE then, and the rest holds. Connections
 * that are over a new limit stay. */
gboolean service_set_limits(Service *service, const ServiceLimits *limits) G_GNUC_WARN_UNUSED_RESULT;

/* Bind and listen, SO_REUSEADDR, IPv6 only for v6 addresses. Used by the keeper. address: "127.0.0.1", "::1", "0.0.0.0", "::" or "unix:PATH".
 * FAULT_IO text names address and port: "127.0.0.1 port 2525: address already in use". Returns the descriptor or -1. */
int service_listen(const char *address, guint16 port, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Serve a listening descriptor (taken over). tls: for implicit TLS (the listener takes a reference of its own), else NULL (what STARTTLS
 * uses is the door's affair). `door` must outlive the service. The process ignores SIGPIPE: OpenSSL writes without MSG_NOSIGNAL. */
Listener *service_take_listener(Service *service, int fd, const Protocol *protocol, TlsContext *implicit_tls, gpointer door,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Stop accepting on it and close it; sessions that came by it go on. */
void service_drop_listener(Service *service, Listener *listener);

/* Stop accepting, let running commands end (also those that wait for more of what they were sent: is_amid()), close other parked sessions
 * with `stopping`; returns when all are closed or at the
 * deadline (then they are cut). */
void service_drain(Service *service, Usec deadline);
void service_free(Service *service);

typedef struct ServiceStats {
        guint64 accepted, refused;
        guint connections, parked, workers, workers_busy;
} ServiceStats;
void service_stats(Service *service, ServiceStats *ret);

/* service_internal.h -- what service.c (listeners, workers, limits) and park.c (one session's turns) share.
 *
 * Locks, in the order in which they may be held together: net.listener, net.timers, net.service. net.limits is held alone.
 */
#pragma once

#include "base/thread.h"
#include "net/internal.h"
#include "net/limits.h"
#include "net/service.h"
#include "net/timers.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct SessionPark SessionPark;

typedef enum SessionMode {
        MODE_HANDSHAKE = 0,     /* implicit TLS; the protocol knows nothing of it yet          */
        MODE_OPEN,              /* greet                                                       */
        MODE_RUN,               /* the protocol's                                              */
        MODE_CLOSING,           /* the protocol is done; the last words wait for the reader    */
        MODE_LINGERING,         /* all is said; what still comes is passed over                */
} SessionMode;

/* A slot for one connection. Its memory is never given back while the service lives, so that whoever holds a stale ticket may
 * look; see park.c. */
struct SessionPark {
        _Atomic guint32 word;                   /* ticket and state                                            */
        atomic_bool is_woken;                   /* session_wake() since run() began                            */
        guint8 mode;                            /* SessionMode. From here on: of the thread that runs it       */
        bool is_registered;                     /* the reactor knows the socket                                */
        bool is_counted;                        /* in the limits                                               */
        guint32 index;
        int fd;                                 /* under net.service; -1 before it is closed                   */
        Timer timer;                            /* under net.timers; never later than what is due              */
        _Atomic Usec parked_at, idle_span, hard_due;    /* of the present park: see park_due()                 */
        Usec idle, delay_until, mode_until;
        guint64 rate, rate_base;
        Usec rate_since;
        AddressKey key;
        Service *service;
        Session *session;
        SessionPark *next;                      /* in the run queue or among the free; under net.service       */
};

#define SLOTS_PER_CHUNK 256u

typedef struct Worker Worker;

struct Service {
        ServiceLimits limits;
        Limits *per_address;
        int epoll_fd, queue_fd, stop_fd, null_fd;
        atomic_bool is_stopping, is_cutting, is_over, is_stressed;

        Mutex mutex;                            /* net.service: all down to the next mutex                     */
        Cond emptied;
        GPtrArray *listeners;                   /* NULL where one has been dropped                             */
        SessionPark **chunks;
        guint32 n_slots, max_slots;
        SessionPark *free_slots;
        SessionPark *queue_first, *queue_last;  /* sessions to run that no socket event stands for             */
        Worker *workers, *ended;
        _Atomic guint n_workers;                /* changed under the lock                                      */
        guint connections;
        guint64 accepted, refused;

        _Atomic gboolean is_watched;            /* a worker looks for events without sleeping                   */
        atomic_int n_waiting;                   /* workers in epoll_wait or on their way to it                 */

        Mutex timers_mutex;                     /* net.timers                                                  */
        Cond timers_changed;
        Timers timers;
        Usec resume_at;                         /* when listeners that ran out of descriptors go on            */
        gboolean is_stress_new;
        Thread *clock;
};

struct Listener {
        gint references;
        Service *service;
        const Protocol *protocol;
        gpointer door;
        guint32 index;
        Mutex mutex;                            /* net.listener */
        int fd;                                 /* -1: dropped  */
        TlsContext *tls;
};

/* Where an event belongs: two bits of kind, a ticket, an index. */
#define EVENT_SESSION   ((guint64) 0 << 62)
#define EVENT_LISTENER  ((guint64) 1 << 62)
#define EVENT_QUEUE     ((guint64) 2 << 62)
#define EVENT_STOP      ((guint64) 3 << 62)

/* park.c -------------------------------------------------------------------------------------------------------- */

/* Run what is to be run, then park or end the session. The caller owns it. */
void session_turn(SessionPark *park, gboolean is_event);

/* Become the owner of a parked session: with the ticket of an event, or (PARK_ANY) whatever it is parked as. FALSE: somebody else owns
 * it; if that one was just parking, it has been told not to. */
#define PARK_ANY G_MAXUINT32
gboolean park_claim(SessionPark *park, guint32 ticket) G_GNUC_WARN_UNUSED_RESULT;
Usec park_due(const SessionPark *park);
gboolean park_is_running(const SessionPark *park);

/* service.c ----------------------------------------------------------------------------------------------------- */

/* Hand an owned session to the workers. */
void service_enqueue(Service *service, SessionPark *park);
/* See that the session is looked at when `at` comes. */
void service_time(Service *service, SessionPark *park, Usec at);
/* The session is over: give back everything of it. */
void service_end_session(SessionPark *park);

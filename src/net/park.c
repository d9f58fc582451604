/* park.c -- one session's turns, and how it is parked between them.
 *
 * A session is always owned by exactly one thread, or by nobody when it is parked. The word in its slot says which:
 *
 *      RUNNING   a worker (or somebody who is about to hand it to one) owns it
 *      ARMING    its owner is parking it: the reactor may know already, the owner has not let go yet
 *      FIRED     something happened while ARMING; the owner will see that and go on
 *      PARKED    nobody's: a socket event, the clock, session_wake() or service_drain() may claim it
 *
 * and with it the ticket of this park, which counts up and never starts anew while the service lives. Events carry the
 * ticket under which they were ordered (one-shot), so one that comes late, when the session has been claimed by somebody
 * else or even when the slot has a new session, fits nothing and is dropped. That is all that makes wake-ups from several
 * sides safe; there is no lock on this path.
 *
 * session_wake() sets is_woken and then looks at the word; parking sets the word and then looks at is_woken. One of them sees
 * the other, so no wake-up is lost.
 */
#include "net/service_internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

enum {
        STATE_RUNNING = 0,
        STATE_ARMING = 1,
        STATE_PARKED = 2,
        STATE_FIRED = 3,
        STATE_MASK = 3,
};

#define CLOSING_SPAN    (10 * USEC_PER_SEC)     /* for the last words   */
#define LINGER_SPAN     (2 * USEC_PER_SEC)
#define STALLED_SPAN    (5 * USEC_PER_MINUTE)   /* for a slow reader    */
#define RATE_GRACE      (30 * USEC_PER_SEC)
#define STRESS_DIVISOR  10

gboolean
park_claim(SessionPark *park, guint32 ticket)
{
        guint32 word = atomic_load(&park->word);

        for (;;) {
                guint32 state = word & STATE_MASK;
                if (ticket != PARK_ANY && word >> 2 != ticket)
                        return FALSE;
                if (state == STATE_PARKED) {
                        if (atomic_compare_exchange_weak(&park->word, &word, (word & ~STATE_MASK) | STATE_RUNNING))
                                return TRUE;
                } else if (state == STATE_ARMING) {
                        if (atomic_compare_exchange_weak(&park->word, &word, (word & ~STATE_MASK) | STATE_FIRED))
                                return FALSE;
                } else {
                        return FALSE;
                }
        }
}

gboolean
park_is_running(const SessionPark *park)
{
        guint32 state = atomic_load(&park->word) & STATE_MASK;

        return state == STATE_RUNNING || state == STATE_FIRED;
}

/* When a parked session is to be looked at though nothing happened. */
Usec
park_due(const SessionPark *park)
{
        Usec span = atomic_load_explicit(&park->idle_span, memory_order_relaxed);
        Usec hard = atomic_load_explicit(&park->hard_due, memory_order_relaxed);

        if (span == USEC_NEVER)
                return hard;
        if (atomic_load_explicit(&park->service->is_stressed, memory_order_relaxed))
                span /= STRESS_DIVISOR;
        return MIN(hard, atomic_load_explicit(&park->parked_at, memory_order_relaxed) + span);
}

/* The moment at which the input counted so far stops being enough. */
static Usec
park_rate_due(const SessionPark *park)
{
        if (park->rate == 0)
                return USEC_NEVER;
        guint64 octets = park->session->stream->octets_in - park->rate_base;
        return park->rate_since + MAX(RATE_GRACE, (Usec) (octets / park->rate * USEC_PER_SEC));
}

static void
park_set_due(SessionPark *park)
{
        Stream *stream = park->session->stream;
        Usec hard = USEC_NEVER, span = USEC_NEVER;

        if (park->mode == MODE_CLOSING || park->mode == MODE_LINGERING) {
                hard = park->mode_until;
        } else if (park->delay_until != 0) {
                hard = park->delay_until;
        } else if (stream_has_output(stream)) {
                span = STALLED_SPAN;
        } else {
                span = park->mode == MODE_RUN ? park->idle : USEC_NEVER;
                hard = MIN(park_rate_due(park), stream->handshake_until);
        }
        atomic_store_explicit(&park->hard_due, hard, memory_order_relaxed);
        atomic_store_explicit(&park->idle_span, span, memory_order_relaxed);
        atomic_store_explicit(&park->parked_at, clock_monotonic(), memory_order_relaxed);
}

/* The service stops, and this session with it: nothing it was sent is half there. */
static gboolean
park_shall_end(const SessionPark *park)
{
        const Protocol *protocol = park->session->listener->protocol;

        return atomic_load(&park->service->is_stopping) &&
               (protocol->is_amid == NULL || !protocol->is_amid(park->session));
}

/* Ask the reactor for one event. */
static gboolean
park_arm(SessionPark *park, guint32 ticket)
{
        Stream *stream = park->session->stream;
        short wants = stream_wants(stream);
        struct epoll_event event = {
                .events = EPOLLONESHOT | ((wants & POLLIN) != 0 ? (guint32) EPOLLIN : 0) |
                          ((wants & POLLOUT) != 0 ? (guint32) EPOLLOUT : 0),
                .data.u64 = EVENT_SESSION | (guint64) ticket << 32 | park->index,
        };
        int op = park->is_registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        if (epoll_ctl(park->service->epoll_fd, op, stream->fd, &event) != 0) {
                stream_fail(stream, g_strerror(errno));
                return FALSE;
        }
        park->is_registered = TRUE;
        return TRUE;
}

/* Let go of a session. TRUE: it is nobody's now and must not be touched; FALSE: something has happened meanwhile, it is still
 * the caller's. */
static gboolean
park_let_go(SessionPark *park)
{
        Service *service = park->service;
        guint32 ticket = (atomic_load_explicit(&park->word, memory_order_relaxed) + 4) & ~(guint32) STATE_MASK;
        gboolean is_idle = park->mode == MODE_RUN && !stream_has_output(park->session->stream);

        stream_rest(park->session->stream);
        park_set_due(park);
        atomic_store(&park->word, ticket | STATE_ARMING);
        gboolean is_fired =
                is_idle && (park_shall_end(park) || (park->delay_until == 0 && atomic_load(&park->is_woken)));
        if (!is_fired) {
                Usec due = park_due(park);
                if (atomic_load(&park->timer.at) > due)
                        service_time(service, park, due);
                /* A delayed session is deaf: its socket is not armed. */
                is_fired = park->delay_until == 0 && !park_arm(park, ticket >> 2);
        }
        guint32 word = ticket | STATE_ARMING;
        if (!is_fired && atomic_compare_exchange_strong(&park->word, &word, ticket | STATE_PARKED))
                return TRUE;
        atomic_store(&park->word, ticket | STATE_RUNNING);
        return FALSE;
}

/* Turns ---------------------------------------------------------------------------------------------------------- */
/* Each step answers FALSE when the session is over. */

static gboolean
step_closing(SessionPark *park)
{
        Stream *stream = park->session->stream;

        if (!stream_flush(stream))
                return FALSE;
        if (stream_has_output(stream))
                return TRUE;
        if (atomic_load(&park->service->is_stopping) || stream_linger(stream) != STREAM_AGAIN)
                return FALSE;
        park->mode = MODE_LINGERING;
        park->mode_until = clock_in(LINGER_SPAN);
        return TRUE;
}

static gboolean
session_finish(SessionPark *park)
{
        Session *session = park->session;

        park->mode = MODE_CLOSING;
        park->mode_until = clock_in(CLOSING_SPAN);
        session->listener->protocol->close(session);
        return step_closing(park);
}

/* The last words, where they can be said in whole. */
static gboolean
session_finish_saying(SessionPark *park, const char *text)
{
        Stream *stream = park->session->stream;

        if (text != NULL && stream->phase != TLS_HANDSHAKE && !stream_has_output(stream))
                stream_write(stream, span_of(text));
        return session_finish(park);
}

static gboolean
session_run(SessionPark *park)
{
        Session *session = park->session;
        Stream *stream = session->stream;
        const Protocol *protocol = session->listener->protocol;
        guint64 moved;

        do {
                moved = stream->octets_moved;
                atomic_store(&park->is_woken, FALSE);
                if (protocol->run(session) == SESSION_CLOSE)
                        return session_finish(park);
                if (!stream_flush(stream))
                        return session_finish(park);
                /* What TLS or our buffer holds the reactor can't see: go on while that gets anywhere. */
        } while (park->delay_until == 0 && !stream_has_output(stream) && stream_has_unseen(stream) &&
                 stream->octets_moved != moved);
        if (park_shall_end(park) && !stream_has_output(stream))
                return session_finish_saying(park, protocol->stopping);
        return TRUE;
}

static gboolean
step_run(SessionPark *park, gboolean is_late)
{
        Stream *stream = park->session->stream;
        const Protocol *protocol = park->session->listener->protocol;
        gboolean is_stopping = atomic_load(&park->service->is_stopping);

        if (park->delay_until != 0) {
                if (!is_stopping && clock_monotonic() < park->delay_until)
                        return TRUE;
                park->delay_until = 0;
                is_late = FALSE;
        }
        if (!stream_flush(stream))
                return session_finish(park);
        if (is_late) {
                if (stream->reason == NULL)
                        stream->reason = "timed out";
                if (stream_has_output(stream))
                        stream_fail(stream, "timed out");       /* nobody reads: no use in saying more */
                return session_finish_saying(park, protocol->timed_out);
        }
        if (stream_has_output(stream))
                return TRUE;
        if (park_shall_end(park))
                return session_finish_saying(park, protocol->stopping);
        return session_run(park);
}

static gboolean
step_open(SessionPark *park)
{
        Session *session = park->session;

        park->mode = MODE_RUN;
        if (!session->listener->protocol->open(session) || !stream_flush(session->stream))
                return session_finish(park);
        /* The handshake may have brought the first command along, which the reactor would never see. */
        return !stream_is_tls(session->stream) || stream_has_output(session->stream) || session_run(park);
}

static gboolean
step_handshake(SessionPark *park)
{
        Session *session = park->session;

        if (atomic_load(&park->service->is_stopping))
                return FALSE;
        mutex_lock(&session->listener->mutex);
        g_autoptr(TlsContext) tls = tls_context_ref(session->listener->tls);
        mutex_unlock(&session->listener->mutex);
        if (tls == NULL)
                return FALSE;
        StreamAnswer answer = stream_start_tls(session->stream, tls, NULL);
        if (answer == STREAM_OK)
                return step_open(park);
        return answer == STREAM_AGAIN;
}

static gboolean
session_step(SessionPark *park, gboolean is_event)
{
        gboolean is_late = !is_event && clock_monotonic() >= park_due(park);

        stream_resume(park->session->stream);
        if (atomic_load(&park->service->is_cutting))
                stream_fail(park->session->stream, "cut: the service ends");
        switch ((SessionMode) park->mode) {
        case MODE_HANDSHAKE:
                return !is_late && step_handshake(park);
        case MODE_OPEN:
                return step_open(park);
        case MODE_RUN:
                return step_run(park, is_late);
        case MODE_CLOSING:
                return !is_late && step_closing(park);
        case MODE_LINGERING:
                break;
        }
        return !is_late && stream_linger(park->session->stream) == STREAM_AGAIN;
}

void
session_turn(SessionPark *park, gboolean is_event)
{
        do {
                if (!session_step(park, is_event)) {
                        service_end_session(park);
                        return;
                }
                is_event = FALSE;
        } while (!park_let_go(park));
}

/* The protocol's side --------------------------------------------------------------------------------------------- */

gpointer
session_door(const Session *session)
{
        return session->listener->door;
}

void
session_set_idle(Session *session, Usec span)
{
        session->park->idle = CLAMP(span, 0, 365 * USEC_PER_DAY);
}

void
session_set_minimum_rate(Session *session, guint64 octets_per_second)
{
        SessionPark *park = session->park;

        park->rate = octets_per_second;
        park->rate_base = session->stream->octets_in;
        park->rate_since = clock_monotonic();
}

void
session_delay(Session *session, Usec span)
{
        session->park->delay_until = span > 0 ? clock_in(span) : 0;
}

gboolean
session_is_stopping(const Session *session)
{
        return atomic_load(&session->park->service->is_stopping);
}

void
session_wake(Session *session)
{
        SessionPark *park = session->park;

        atomic_store(&park->is_woken, TRUE);
        if (park_claim(park, PARK_ANY))
                service_enqueue(park->service, park);
}

/* harness.h -- a session of this room over a socket pair, with the rooms below played by a few lines each, for tests
 * and fuzzing.
 *
 * Password: "right", for anybody.
 */
#pragma once

#include "pop3/internal.h"

#include "base/scan.h"

#include <sys/socket.h>
#include <unistd.h>

#define HARNESS_MESSAGES_MAX 3000

struct Maildrop {
        gboolean is_deleted[HARNESS_MESSAGES_MAX];
};

struct MaildropMessage {
        Span rest;
};

typedef struct Harness {
        gboolean is_ended; /* the account of who has logged in is not his any more */
        Pop3Door *door;
        Pop3Session *session;
        int fd; /* the client's end */
        GString *output;
        gboolean is_closed, is_stopping;
        Usec delay;
        Span messages[HARNESS_MESSAGES_MAX];
        guint32 n;
        gboolean is_in_use, has_fault;
        gboolean reads_end_early; /* a damaged message */
        guint reads_at_most;      /* octets a read gives, 0: as many as wanted */
        guint n_open, n_messages_open, n_updates;
        gsize output_max; /* the client reads no more than this before the next run; 0: all */
} Harness;

static Harness *harness; /* the one under test: what the fakes answer for */

/* net/service.h --------------------------------------------------------------------------------------------------- */

gpointer
session_door(const Session *session)
{
        return session->listener;
}

void
session_delay(Session *session, Usec span)
{
        harness->delay = span;
}

gboolean
session_is_stopping(const Session *session)
{
        return harness->is_stopping;
}

void
session_wake(Session *session)
{
}

/* store/store.h --------------------------------------------------------------------------------------------------- */

MaildropAnswer
store_maildrop_open(Store *store, gint64 account, Maildrop **ret, GError **error)
{
        if (harness->has_fault) {
                (void) fault(error, FAULT_IO, "disk on fire");
                return MAILDROP_FAILED;
        }
        if (harness->is_in_use)
                return MAILDROP_IN_USE;
        harness->n_open++;
        *ret = g_new0(Maildrop, 1);
        return MAILDROP_OPEN;
}

void
store_maildrop_close(Maildrop *drop)
{
        if (drop != NULL)
                harness->n_open--;
        g_free(drop);
}

guint32
store_maildrop_count(const Maildrop *drop)
{
        return harness->n;
}

guint32
store_maildrop_undeleted(const Maildrop *drop)
{
        guint32 n = 0;

        for (guint32 i = 0; i < harness->n; i++)
                n += !drop->is_deleted[i];
        return n;
}

guint64
store_maildrop_octets(const Maildrop *drop)
{
        guint64 octets = 0;

        for (guint32 i = 0; i < harness->n; i++)
                octets += drop->is_deleted[i] ? 0 : harness->messages[i].len;
        return octets;
}

guint64
store_maildrop_size(const Maildrop *drop, guint32 i)
{
        g_assert(i < harness->n);
        return harness->messages[i].len;
}

gboolean
store_maildrop_is_deleted(const Maildrop *drop, guint32 i)
{
        g_assert(i < harness->n);
        return drop->is_deleted[i];
}

void
store_maildrop_delete(Maildrop *drop, guint32 i)
{
        g_assert(i < harness->n);
        drop->is_deleted[i] = TRUE;
}

void
store_maildrop_reset(Maildrop *drop)
{
        memset(drop->is_deleted, 0, sizeof(drop->is_deleted));
}

const char *
store_maildrop_uidl(const Maildrop *drop, guint32 i, char buffer[MAILDROP_UIDL_OCTETS])
{
        g_snprintf(buffer, MAILDROP_UIDL_OCTETS, "abc.%x", i + 1);
        return buffer;
}

gboolean
store_maildrop_message(Maildrop *drop, guint32 i, MaildropMessage **ret, GError **error)
{
        g_assert(i < harness->n && !drop->is_deleted[i]);
        if (harness->has_fault)
                return fault(error, FAULT_INTERNAL, "message is damaged");
        harness->n_messages_open++;
        *ret = g_new0(MaildropMessage, 1);
        (*ret)->rest = harness->messages[i];
        return TRUE;
}

void
store_message_close(MaildropMessage *message)
{
        if (message != NULL)
                harness->n_messages_open--;
        g_free(message);
}

gssize
store_message_read(MaildropMessage *message, void *buffer, gsize len, GError **error)
{
        if (harness->reads_end_early) {
                (void) fault(error, FAULT_INTERNAL, "record is damaged");
                return -1;
        }
        if (harness->reads_at_most > 0)
                len = MIN(len, harness->reads_at_most);
        len = MIN(len, message->rest.len);
        if (len > 0)
                memcpy(buffer, message->rest.data, len);
        message->rest = span_slice(message->rest, len, message->rest.len);
        return (gssize) len;
}

gboolean
store_maildrop_update(Maildrop *drop, GError **error)
{
        if (harness->has_fault)
                return fault(error, FAULT_IO, "disk on fire");
        harness->n_updates++;
        return TRUE;
}

/* auth/auth.h ----------------------------------------------------------------------------------------------------- */

gboolean
auth_allows_plaintext(const Auth *auth, gboolean is_tls, gboolean is_loopback_peer)
{
        return is_tls || is_loopback_peer;
}

gboolean
auth_has_scram(const Auth *auth)
{
        return FALSE;
}

gboolean
auth_has_oauth(const Auth *auth)
{
        return FALSE;
}

struct AuthHold {
        guint8 unused;
};

AuthHold *
auth_hold_new(Auth *auth, const Account *account, void (*wake)(gpointer data), gpointer data)
{
        AuthHold *hold = g_new0(AuthHold, 1);

        return hold;
}

void
auth_hold_free(AuthHold *hold)
{
        g_free(hold);
}

AuthStanding
auth_hold_look(AuthHold *hold, GError **error)
{
        return harness->is_ended ? AUTH_STANDING_ENDED : AUTH_STANDING_HELD;
}

AuthAnswer
auth_check(Auth *auth, Arena *arena, const char *client, Span login, Span password, const Account **ret,
           Usec *ret_delay, GError **error)
{
        static const Account joe = {.id = 7, .address = {{(const guint8 *) "joe", 3}, {(const guint8 *) "ex.org", 6}}};

        if (span_is(login, "busy"))
                return AUTH_BUSY;
        if (!span_equal(password, span_of("right"))) {
                *ret_delay = USEC_PER_SEC;
                return AUTH_WRONG;
        }
        *ret = &joe;
        return AUTH_OK;
}

/* The session -------------------------------------------------------------------------------------------------------
 */

static inline void
harness_gather(Harness *h)
{
        gsize room = h->output_max > 0 ? h->output_max : G_MAXSIZE;
        char buffer[16384];
        ssize_t n;

        while (room > 0 && (n = read(h->fd, buffer, MIN(room, sizeof(buffer)))) > 0) {
                g_string_append_len(h->output, buffer, n);
                room -= (gsize) n;
        }
}

static inline void
harness_open(Harness *h)
{
        const Pop3DoorSettings settings = {.hostname = "mx.ex.org"};
        int fds[2];

        harness = h;
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), ==, 0);
        (void) setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int));
        h->door = pop3_door_new(&settings, NULL, (Auth *) "auth");
        h->session = g_malloc0(POP3_PROTOCOL.session_octets);
        h->session->session.stream = stream_take_fd(fds[0]);
        h->session->session.listener = (Listener *) h->door;
        h->fd = fds[1];
        h->output = g_string_new(NULL);
        h->is_closed = !POP3_PROTOCOL.open(&h->session->session);
        (void) stream_flush(h->session->session.stream);
        harness_gather(h);
}

static inline void
harness_close(Harness *h)
{
        POP3_PROTOCOL.close(&h->session->session);
        g_assert_cmpuint(h->n_open, ==, 0);
        g_assert_cmpuint(h->n_messages_open, ==, 0);
        stream_free(h->session->session.stream);
        g_free(h->session);
        pop3_door_free(h->door);
        (void) close(h->fd);
        g_string_free(h->output, TRUE);
        *h = (Harness){0};
}

/* Run it once, as the service does: not while output waits. */
static inline void
harness_run(Harness *h)
{
        Stream *stream = h->session->session.stream;

        (void) stream_flush(stream);
        if (!stream_is_full(stream)) {
                h->delay = 0;
                h->is_closed = POP3_PROTOCOL.run(&h->session->session) == SESSION_CLOSE;
                (void) stream_flush(stream);
        }
        harness_gather(h);
}

/* Send and run until nothing more comes; what was answered since the last call is in h->output. Delays pass at once. */
static inline void
harness_say(Harness *h, Span input)
{
        g_string_truncate(h->output, 0);
        for (gboolean moves = TRUE; moves;) {
                gsize before = h->output->len;
                ssize_t n = h->is_closed ? 0 : write(h->fd, input.data, MIN(input.len, 4096));
                if (n > 0)
                        input = span_slice(input, (gsize) n, input.len);
                if (!h->is_closed) {
                        harness_run(h);
                } else {
                        (void) stream_flush(h->session->session.stream);
                        harness_gather(h);
                }
                moves = n > 0 || h->output->len > before || h->delay > 0;
                h->delay = h->is_closed ? 0 : h->delay;
        }
}

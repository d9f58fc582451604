/* harness.h -- a session of this room over a socket pair, with the service and the password check played by a few lines
 * each, for tests and fuzzing.
 *
 *      Harness h = {0};
 *      harness_open(&h);                                       greets
 *      harness_expect(&h, "a NOOP\r\n", "a OK nothing done\r\n");
 *      harness_close(&h);
 *
 * Password: "right", for anybody. A test that has a Store sets h.store before harness_open(); one that wants other
 * commands than the room's defines IMAP_COMMANDS itself.
 */
#pragma once

#include "imap/internal.h"

#include <sys/socket.h>
#include <unistd.h>

typedef struct Harness {
        gboolean is_ended; /* the account of who has logged in is not his any more */
        ImapDoor *door;
        ImapSession *session;
        int fd; /* the client's end */
        GString *output;
        ImapDoorSettings settings;
        Store *store;
        Directory *directory;
        gint64 account;    /* who logs in; 0: 7 */
        const char *local; /* and its local part; NULL: joe */
        gboolean is_closed, is_stopping, is_stranger /* comes from another machine */;
        gint is_woken; /* atomic */
        Usec delay, idle;
        guint64 minimum_rate;
        gboolean keeps_recent; /* \Recent and RECENT stay in the output; they are recent_test.c's affair */
        gsize output_max;      /* the client reads no more than this before the next run; 0: all */
} Harness;

/* The sessions under test: what the fakes answer for. */
#define HARNESSES_MAX 4
static Harness *harnesses[HARNESSES_MAX];

static inline Harness *
harness_of(const Session *session)
{
        for (gsize i = 0; i < HARNESSES_MAX; i++)
                if (harnesses[i] != NULL && &harnesses[i]->session->session == session)
                        return harnesses[i];
        g_assert_not_reached();
}

/* net/service.h --------------------------------------------------------------------------------------------------- */

gpointer
session_door(const Session *session)
{
        return session->listener;
}

void
session_delay(Session *session, Usec span)
{
        harness_of(session)->delay = span;
}

void
session_set_idle(Session *session, Usec span)
{
        harness_of(session)->idle = span;
}

void
session_set_minimum_rate(Session *session, guint64 octets_per_second)
{
        harness_of(session)->minimum_rate = octets_per_second;
}

gboolean
session_is_stopping(const Session *session)
{
        return harness_of(session)->is_stopping;
}

void
session_wake(Session *session)
{
        g_atomic_int_set(&harness_of(session)->is_woken, 1);
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
        const Harness *harness;
};

AuthHold *
auth_hold_new(Auth *auth, const Account *account, void (*wake)(gpointer data), gpointer data)
{
        AuthHold *hold = g_new0(AuthHold, 1);

        hold->harness = (const Harness *) auth;
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
        return hold->harness->is_ended ? AUTH_STANDING_ENDED : AUTH_STANDING_HELD;
}

AuthAnswer
auth_check(Auth *auth, Arena *arena, const char *client, Span login, Span password, const Account **ret,
           Usec *ret_delay, GError **error)
{
        const Harness *h = (const Harness *) auth;
        Account *account = arena_new0(arena, Account);

        if (span_is(login, "busy"))
                return AUTH_BUSY;
        if (span_is(login, "broken")) {
                (void) fault(error, FAULT_IO, "disk on fire");
                return AUTH_FAILED;
        }
        if (!span_equal(password, span_of("right"))) {
                *ret_delay = USEC_PER_SEC;
                return AUTH_WRONG;
        }
        *account = (Account){
                .id = h->account != 0 ? h->account : 7,
                .address = {.local = span_of(h->local != NULL ? h->local : "joe"), .domain = span_of("ex.org")}};
        *ret = account;
        return AUTH_OK;
}

/* The session ------------------------------------------------------------------------------------------------------ */

/* In what stands behind `from`: "\\Recent " of flags, and lines "* 1 RECENT". */
static inline void
harness_drop_recent(Harness *h, gsize from)
{
        static const char *const flags[] = {"\\Recent ", "\\Recent)"};
        static const char number[] = " RECENT\r\n";
        GString *o = h->output;
        char *at;

        for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
                while ((at = memmem(o->str + from, o->len - from, flags[i], strlen(flags[i]))) != NULL)
                        g_string_erase(o, at - o->str, i == 0 ? 8 : 7);
        while ((at = memmem(o->str + from, o->len - from, number, strlen(number))) != NULL) {
                gssize end = at - o->str + (gssize) strlen(number), begin = at - o->str;
                while (begin > 0 && o->str[begin - 1] != '\n')
                        begin--;
                g_string_erase(o, begin, end - begin);
                from = MIN(from, (gsize) begin);
        }
}

static inline void
harness_gather(Harness *h)
{
        gsize room = h->output_max > 0 ? h->output_max : G_MAXSIZE, from = h->output->len - MIN(h->output->len, 32);
        char buffer[16384];
        ssize_t n;

        while (room > 0 && (n = read(h->fd, buffer, MIN(room, sizeof(buffer)))) > 0) {
                g_string_append_len(h->output, buffer, n);
                room -= (gsize) n;
        }
        if (!h->keeps_recent)
                harness_drop_recent(h, from);
}

static inline void
harness_open(Harness *h)
{
        int fds[2];
        gsize i = 0;

        while (harnesses[i] != NULL)
                g_assert_cmpuint(++i, <, HARNESSES_MAX);
        harnesses[i] = h;
        if (h->settings.hostname == NULL)
                h->settings.hostname = "mx.ex.org";
        if (h->settings.max_size == 0)
                h->settings.max_size = 1000000;
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), ==, 0);
        (void) setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int));
        h->door = imap_door_new(&h->settings, h->store, (Auth *) h, h->directory);
        h->session = g_malloc0(IMAP_PROTOCOL.session_octets);
        h->session->session.stream = stream_take_fd(fds[0]);
        h->session->session.listener = (Listener *) h->door;
        h->fd = fds[1];
        h->output = g_string_new(NULL);
        h->is_closed = !IMAP_PROTOCOL.open(&h->session->session);
        h->session->is_loopback = !h->is_stranger;
        (void) stream_flush(h->session->session.stream);
        harness_gather(h);
}

static inline void
harness_close(Harness *h)
{
        IMAP_PROTOCOL.close(&h->session->session);
        stream_free(h->session->session.stream);
        for (gsize i = 0; i < HARNESSES_MAX; i++)
                if (harnesses[i] == h)
                        harnesses[i] = NULL;
        g_free(h->session);
        imap_door_free(h->door);
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
                g_atomic_int_set(&h->is_woken, 0);
                h->is_closed = IMAP_PROTOCOL.run(&h->session->session) == SESSION_CLOSE;
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
                moves = n > 0 || h->output->len > before ||
                        (!h->is_closed && (h->delay > 0 || g_atomic_int_get(&h->is_woken) != 0));
        }
}

static inline void
harness_expect(Harness *h, const char *say, const char *answer)
{
        harness_say(h, span_of(say));
        g_assert_cmpstr(h->output->str, ==, answer);
}

static inline void
harness_log_in(Harness *h)
{
        harness_say(h, span_of("in LOGIN joe@ex.org right\r\n"));
        g_assert_true(g_str_has_prefix(h->output->str, "in OK [CAPABILITY "));
}

/* Arguments as a command gets them; free with args_done(). */
static inline ImapArgs
harness_args(Span text, guint enabled)
{
        return (ImapArgs){.scan = scan_from(text), .arena = arena_new(1024 * 1024), .enabled = enabled};
}

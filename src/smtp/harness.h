/* harness.h -- a session of this room over a socket pair, with the rooms below played by a few lines each, for tests
 * and fuzzing.
 *
 * Local parts: `joe` and `ann` are accepted, `later` is deferred, `quota` is accepted but refused in the end, anything
 * else is unknown. Password: "right", for anybody.
 */
#pragma once

#include "smtp/internal.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HARNESS_MAX_SIZE 5000

struct Submission {
        char *protocol, *sender, *account;
        guint needs;
        GPtrArray *recipients;
        GString *body;
        gboolean is_over;
};

typedef struct Harness {
        gboolean is_ended; /* the account of who has logged in is not his any more */
        SmtpDoor *door;
        SmtpSession *session;
        int fd; /* the client's end */
        GString *output;
        gboolean is_closed;
        Usec delay; /* asked for by the last run */
        guint64 rate;
        gboolean is_stopping, is_refused, has_fault;
        guint unknown;       /* counted by the fake guesses */
        guint accepted;      /* recipients told to the guesses */
        GPtrArray *messages; /* "protocol sender recipients body" of each message accepted */
        guint n_submissions; /* alive */
} Harness;

static Harness *harness; /* the one under test: what the fakes answer for */

/* net/service.h --------------------------------------------------------------------------------------------------- */

gpointer
session_door(const Session *session)
{
        return session->listener;
}

void
session_set_idle(Session *session, Usec span)
{
}

void
session_set_minimum_rate(Session *session, guint64 octets_per_second)
{
        harness->rate = octets_per_second;
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

/* intake/intake.h -------------------------------------------------------------------------------------------------- */

Submission *
intake_begin(Intake *intake, const IntakeOrigin *origin, const Address *sender, guint needs, GError **error)
{
        if (harness->has_fault) {
                (void) fault(error, FAULT_FULL, "no room");
                return NULL;
        }
        Submission *sub = g_new0(Submission, 1);
        g_autofree char *local = span_dup(sender->local);
        g_autofree char *domain = span_dup(sender->domain);
        sub->protocol = g_strdup(origin->protocol);
        sub->account = g_strdup(origin->account);
        sub->sender = sender->local.len > 0 ? g_strdup_printf("%s@%s", local, domain) : g_strdup("");
        sub->needs = needs;
        sub->recipients = g_ptr_array_new_with_free_func(g_free);
        sub->body = g_string_new(NULL);
        harness->n_submissions++;
        return sub;
}

void
submission_free(Submission *sub)
{
        if (sub == NULL)
                return;
        g_free(sub->protocol);
        g_free(sub->account);
        g_free(sub->sender);
        g_ptr_array_unref(sub->recipients);
        g_string_free(sub->body, TRUE);
        g_free(sub);
        harness->n_submissions--;
}

Id
submission_id(const Submission *sub)
{
        return 1;
}

IntakeReply
intake_recipient(Submission *sub, const Address *recipient)
{
        if (span_is(recipient->local, "later"))
                return (IntakeReply){INTAKE_DEFERRED, STATUS(451, 4, 3, 0), "later", FALSE};
        if (!span_is(recipient->local, "joe") && !span_is(recipient->local, "ann") &&
            !span_is(recipient->local, "quota"))
                return (IntakeReply){INTAKE_REFUSED, STATUS(550, 5, 1, 1), "no such mailbox", TRUE};
        g_ptr_array_add(sub->recipients, span_dup(recipient->local));
        return (IntakeReply){INTAKE_ACCEPTED, STATUS(250, 2, 1, 5), "ok", FALSE};
}

guint
submission_n_recipients(const Submission *sub)
{
        return sub->recipients->len;
}

gboolean
intake_add(Submission *sub, Span octets)
{
        g_assert_false(sub->is_over);
        g_string_append_len(sub->body, (const char *) octets.data, (gssize) octets.len);
        sub->is_over = sub->body->len > HARNESS_MAX_SIZE;
        return !sub->is_over;
}

guint64
submission_size(const Submission *sub)
{
        return sub->body->len;
}

IntakeReply
intake_answer(const Submission *sub, guint i)
{
        if (sub->is_over)
                return (IntakeReply){INTAKE_REFUSED, STATUS(552, 5, 3, 4), "message too big", FALSE};
        if (strcmp(g_ptr_array_index(sub->recipients, i), "quota") == 0)
                return (IntakeReply){INTAKE_REFUSED, STATUS(552, 5, 2, 2), "mailbox full", FALSE};
        return (IntakeReply){INTAKE_ACCEPTED, STATUS(250, 2, 0, 0), "ok", FALSE};
}

IntakeReply
intake_reply(const Submission *sub)
{
        IntakeReply reply = intake_answer(sub, 0);

        for (guint i = 1; i < sub->recipients->len && reply.verdict != INTAKE_ACCEPTED; i++)
                reply = intake_answer(sub, i);
        return reply;
}

gboolean
intake_accept(Submission *const *subs, gsize n, GError **error)
{
        g_assert_cmpuint(n, ==, 1);
        if (harness->has_fault)
                return fault(error, FAULT_IO, "disk on fire");
        if (intake_reply(subs[0]).verdict != INTAKE_ACCEPTED)
                return TRUE;
        g_autoptr(GString) all = g_string_new(NULL);
        for (guint i = 0; i < subs[0]->recipients->len; i++)
                g_string_append_printf(all, "%s%s", i > 0 ? "," : "",
                                       (char *) g_ptr_array_index(subs[0]->recipients, i));
        g_ptr_array_add(harness->messages, g_strdup_printf("%s <%s> %s %s", subs[0]->protocol, subs[0]->sender,
                                                           all->str, subs[0]->body->str));
        return TRUE;
}

/* auth/auth.h, trust/guesses.h ---------------------------------------------------------------------------------------
 */

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
        gboolean may_send;
};

AuthHold *
auth_hold_new(Auth *auth, const Account *account, void (*wake)(gpointer data), gpointer data)
{
        AuthHold *hold = g_new0(AuthHold, 1);

        hold->may_send = account->may_send;
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

gboolean
auth_hold_may_send(const AuthHold *hold)
{
        return hold->may_send;
}

AuthAnswer
auth_check(Auth *auth, Arena *arena, const char *client, Span login, Span password, const Account **ret,
           Usec *ret_delay, GError **error)
{
        static const Account joe = {
                .id = 7, .address = {{(const guint8 *) "joe", 3}, {(const guint8 *) "ex.org", 6}}, .may_send = TRUE};

        if (span_is(login, "busy"))
                return AUTH_BUSY;
        if (!span_equal(password, span_of("right"))) {
                *ret_delay = USEC_PER_SEC;
                return AUTH_WRONG;
        }
        *ret = &joe;
        return AUTH_OK;
}

Found
auth_may_send_as(Auth *auth, Arena *arena, gint64 account, const Address *account_address, const Address *sender,
                 GError **error)
{
        return address_equal(account_address, sender) ? FOUND : FOUND_NOT;
}

GuessAnswer
guesses_unknown(Guesses *guesses, const char *client, Span recipient, guint *in_session, Usec *ret_delay)
{
        ++*in_session;
        harness->unknown++;
        *ret_delay = 2 * USEC_PER_SEC;
        return *in_session > 4 ? GUESS_CLOSE : *in_session > 2 ? GUESS_SLOW : GUESS_OK;
}

void
guesses_accepted(Guesses *guesses, const char *client)
{
        harness->accepted++;
}

gboolean
guesses_is_refused(Guesses *guesses, const char *client)
{
        return harness->is_refused;
}

/* The session -------------------------------------------------------------------------------------------------------
 */

static void
harness_gather(Harness *h)
{
        char buffer[16384];
        ssize_t n;

        while ((n = read(h->fd, buffer, sizeof(buffer))) > 0)
                g_string_append_len(h->output, buffer, n);
}

static inline void
harness_open(Harness *h, SmtpRole role)
{
        SmtpDoorSettings settings = {.role = role,
                                     .hostname = "mx.ex.org",
                                     .max_size = HARNESS_MAX_SIZE,
                                     .max_recipients = 3,
                                     .max_errors = 20,
                                     .bare_newline = role == SMTP_SUBMISSION ? SMTP_BARE_NORMALISE : SMTP_BARE_REFUSE};
        int fds[2];

        harness = h;
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), ==, 0);
        h->door =
                smtp_door_new(&settings, NULL, role == SMTP_SUBMISSION ? (Auth *) "auth" : NULL, (Guesses *) "guesses");
        h->session = g_malloc0(SMTP_PROTOCOL.session_octets);
        h->session->session.stream = stream_take_fd(fds[0]);
        h->session->session.listener = (Listener *) h->door;
        h->fd = fds[1];
        h->output = g_string_new(NULL);
        h->messages = g_ptr_array_new_with_free_func(g_free);
        h->is_closed = !SMTP_PROTOCOL.open(&h->session->session);
        (void) stream_flush(h->session->session.stream);
        harness_gather(h);
}

static inline void
harness_close(Harness *h)
{
        SMTP_PROTOCOL.close(&h->session->session);
        g_assert_cmpuint(h->n_submissions, ==, 0);
        stream_free(h->session->session.stream);
        g_free(h->session);
        smtp_door_free(h->door);
        (void) close(h->fd);
        g_string_free(h->output, TRUE);
        g_ptr_array_unref(h->messages);
        *h = (Harness){0};
}

/* Run it as long as it gets anywhere; delays pass at once when `skip_delays`. */
static inline void
harness_run(Harness *h, gboolean skip_delays)
{
        while (!h->is_closed) {
                h->delay = 0;
                h->is_closed = SMTP_PROTOCOL.run(&h->session->session) == SESSION_CLOSE;
                (void) stream_flush(h->session->session.stream);
                harness_gather(h);
                if (h->delay == 0 || !skip_delays)
                        return;
        }
}

/* Send and run; what was answered since the last call is in h->output. */
static inline void
harness_say(Harness *h, Span input)
{
        g_string_truncate(h->output, 0);
        while (input.len > 0 && !h->is_closed) {
                ssize_t n = write(h->fd, input.data, MIN(input.len, 4096));
                g_assert_cmpint(n, >, 0);
                input = span_slice(input, (gsize) n, input.len);
                harness_run(h, TRUE);
        }
}

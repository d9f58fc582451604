/* login.c -- STLS (RFC 2595), USER and PASS (RFC 1939 §7), AUTH (RFC 5034). */
#include "pop3/internal.h"

#include "base/text.h"
#include "net/starttls.h"

#define USER_MAX ADDRESS_PATH_MAX

void
pop3_forget_user(Pop3Session *s)
{
        g_clear_pointer(&s->user, g_free);
}

/* STLS ----------------------------------------------------------------------------------------------------------- */

gboolean
pop3_offers_tls(const Pop3Session *s)
{
        return starttls_is_offered(&s->session, pop3_door(s)->tls, s->client);
}

void
pop3_stls(Pop3Session *s, Span args)
{
        if (!pop3_offers_tls(s)) {
                pop3_bad(s, stream_is_tls(s->session.stream) ? "TLS is on" : "not offered here");
                return;
        }
        if (!starttls_may_begin(&s->session, s->client, &POP3_EVENTS[POP3_EVENT_INJECTION])) {
                s->phase = POP3_PHASE_CLOSE;
                return;
        }
        pop3_ok(s, "ready for TLS");
        stream_flush(s->session.stream);
        s->phase = POP3_PHASE_HANDSHAKE;
}

Pop3Step
pop3_step_handshake(Pop3Session *s)
{
        StreamAnswer answer =
                starttls_step(&s->session, pop3_door(s)->tls, s->client, &POP3_EVENTS[POP3_EVENT_TLS_FAILED]);

        if (answer == STREAM_AGAIN)
                return POP3_STEP_AGAIN;
        if (answer == STREAM_OK)
                pop3_forget_user(s);
        s->phase = answer == STREAM_OK ? POP3_PHASE_COMMAND : POP3_PHASE_CLOSE;
        return POP3_STEP_DONE;
}

/* Passwords ------------------------------------------------------------------------------------------------------ */

static AuthPeer
peer_of(const Pop3Session *s)
{
        return (AuthPeer){pop3_door(s)->auth, s->client, s->session.stream, s->is_loopback, 0};
}

const char *
pop3_sasl_list(const Pop3Session *s, char ret[SASL_LIST_OCTETS])
{
        AuthPeer peer = peer_of(s);

        return sasl_list(&peer, ret);
}

gboolean
pop3_allows_password(const Pop3Session *s)
{
        return auth_allows_plaintext(pop3_door(s)->auth, stream_is_tls(s->session.stream), s->is_loopback);
}

static void
refuse_plaintext(Pop3Session *s)
{
        pop3_bad(s, "no passwords without TLS: STLS first");
}

static void
account_changed(gpointer data)
{
        session_wake(&((Pop3Session *) data)->session);
}

static void
open_maildrop(Pop3Session *s, Arena *arena, const Account *account)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *name = span_dup(address_text(arena, &account->address));

        switch (store_maildrop_open(pop3_door(s)->store, account->id, &s->drop, &error)) {
        case MAILDROP_OPEN:
                s->account = g_steal_pointer(&name);
                s->hold = auth_hold_new(pop3_door(s)->auth, account, account_changed, s);
                log_event(&POP3_EVENTS[POP3_EVENT_LOGIN], "client=%s account=%s messages=%u", s->client,
                          log_text(span_of(s->account)), store_maildrop_count(s->drop));
                stream_printf(s->session.stream, "+OK %u messages, %" G_GUINT64_FORMAT " octets\r\n",
                              store_maildrop_undeleted(s->drop), store_maildrop_octets(s->drop));
                break;
        case MAILDROP_IN_USE:
                pop3_err(s, "[IN-USE] another session has this maildrop");
                break;
        case MAILDROP_FAILED:
                pop3_log_fault(s, "login", error);
                pop3_err(s, "[SYS/TEMP] can't open the maildrop now");
                break;
        }
}

static void
challenge_client(Pop3Session *s, Span challenge)
{
        stream_write(s->session.stream, span_of("+ "));
        stream_write(s->session.stream, challenge);
        stream_write(s->session.stream, span_of("\r\n"));
        s->phase = POP3_PHASE_SASL;
}

/* A wrong one is answered after the delay that the guesser has earned; no thread waits for it. */
static void
answer_wrong(Pop3Session *s, const AuthTurn *turn)
{
        log_event(&POP3_EVENTS[POP3_EVENT_AUTH_FAILED], "client=%s login=%s%s%s", s->client, log_text(turn->login),
                  turn->reason != NULL ? " reason=" : "", turn->reason != NULL ? log_text(span_of(turn->reason)) : "");
        s->phase = POP3_PHASE_DELAY;
        if (turn->delay > 0)
                session_delay(&s->session, turn->delay);
        else
                pop3_end_delay(s); /* nothing would wake us */
}

/* An exchange that goes on tells why. */
void
pop3_end_delay(Pop3Session *s)
{
        g_autofree char *explanation = s->exchange != NULL ? sasl_explanation(s->exchange) : NULL;

        s->phase = POP3_PHASE_COMMAND;
        if (explanation != NULL)
                challenge_client(s, span_of(explanation));
        else
                pop3_bad(s, "[AUTH] wrong name or password");
}

static void
take_turn(Pop3Session *s, Arena *arena, AuthAnswer answer, const AuthTurn *turn, const GError *error)
{
        s->phase = POP3_PHASE_COMMAND;
        switch (answer) {
        case AUTH_OK:
                open_maildrop(s, arena, turn->account);
                break;
        case AUTH_WRONG:
        case AUTH_EXPLAINED:
                answer_wrong(s, turn);
                break;
        case AUTH_REFUSED:
                pop3_bad(s, "[AUTH] the token is not taken");
                break;
        case AUTH_CHALLENGE:
                challenge_client(s, turn->challenge);
                break;
        case AUTH_FAILED:
                pop3_log_fault(s, "auth", error);
                G_GNUC_FALLTHROUGH;
        case AUTH_BUSY:
                pop3_err(s, "[SYS/TEMP] can't check that now, try again later");
                break;
        case AUTH_NOT_UTF8:
                pop3_bad(s, "[UTF8] name and password are UTF-8");
                break;
        case AUTH_MALFORMED:
                pop3_bad(s, "malformed response");
                break;
        case AUTH_CANCELLED:
                pop3_bad(s, "authentication cancelled");
                break;
        case AUTH_NO_MECHANISM:
                pop3_bad(s, "mechanism not supported");
                break;
        case AUTH_NEEDS_TLS:
                refuse_plaintext(s);
                break;
        }
}

void
pop3_user(Pop3Session *s, Span args)
{
        if (!pop3_allows_password(s)) {
                refuse_plaintext(s);
                return;
        }
        if (args.len == 0 || args.len > USER_MAX || text_has_control(args)) {
                pop3_bad(s, "syntax: USER name");
                return;
        }
        pop3_forget_user(s);
        s->user = span_dup(args);
        pop3_ok(s, "and the password?");
}

void
pop3_pass(Pop3Session *s, Span args)
{
        g_autoptr(Arena) arena = arena_new(SASL_ARENA_MAX);
        g_autoptr(GError) error = NULL;
        g_autofree char *user = g_steal_pointer(&s->user);
        AuthPeer peer = peer_of(s);
        AuthTurn turn = {0};

        if (!pop3_allows_password(s)) {
                refuse_plaintext(s);
                return;
        }
        if (user == NULL) {
                pop3_bad(s, "USER first");
                return;
        }
        AuthAnswer answer = auth_password(&peer, arena, span_of(user), args, &turn, &error);
        take_turn(s, arena, answer, &turn, error);
}

/* AUTH ----------------------------------------------------------------------------------------------------------- */

void
pop3_auth(Pop3Session *s, Span args)
{
        g_autoptr(Arena) arena = arena_new(SASL_ARENA_MAX);
        g_autoptr(GError) error = NULL;
        AuthPeer peer = peer_of(s);
        Scan scan = scan_from(args);
        AuthTurn turn;
        Span word;

        if (!scan_run(&scan, &CLASS_PRINT, 40, &word)) {
                pop3_bad(s, "syntax: AUTH mechanism [initial-response]");
                return;
        }
        Span initial = span_trim(scan_rest(&scan));
        AuthAnswer answer = sasl_begin(&s->exchange, &peer, arena, word, initial.len > 0, initial, &turn, &error);
        take_turn(s, arena, answer, &turn, error);
}

static void
take_response(Pop3Session *s, Span line)
{
        g_autoptr(Arena) arena = arena_new(SASL_ARENA_MAX);
        g_autoptr(GError) error = NULL;
        AuthTurn turn;
        AuthAnswer answer = sasl_next(&s->exchange, arena, line, &turn, &error);

        take_turn(s, arena, answer, &turn, error);
}

Pop3Step
pop3_step_sasl(Pop3Session *s)
{
        Span line;

        switch (stream_line(s->session.stream, SASL_LINE_MAX, FALSE, &line)) {
        case STREAM_AGAIN:
                return POP3_STEP_AGAIN;
        case STREAM_TOO_LONG:
                sasl_end(&s->exchange);
                s->phase = POP3_PHASE_COMMAND;
                pop3_bad(s, "line too long");
                break;
        case STREAM_OK:
                take_response(s, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = POP3_PHASE_CLOSE;
                break;
        }
        return POP3_STEP_DONE;
}

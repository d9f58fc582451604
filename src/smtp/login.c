/* login.c -- STARTTLS (RFC 3207) and AUTH (RFC 4954). */
#include "smtp/internal.h"

#include "base/text.h"
#include "net/starttls.h"

/* STARTTLS ------------------------------------------------------------------------------------------------------- */

gboolean
smtp_offers_tls(const SmtpSession *s)
{
        return starttls_is_offered(&s->session, smtp_door(s)->tls, s->client);
}

void
smtp_starttls(SmtpSession *s, Span args)
{
        if (stream_is_tls(s->session.stream)) {
                smtp_reply(s, REPLY_ALREADY_TLS);
                return;
        }
        if (!smtp_offers_tls(s)) {
                smtp_reply(s, REPLY_NOT_OFFERED);
                return;
        }
        if (!starttls_may_begin(&s->session, s->client, &SMTP_EVENTS[EVENT_INJECTION])) {
                s->phase = PHASE_CLOSE;
                return;
        }
        s->phase = PHASE_HANDSHAKE;
        smtp_reply(s, REPLY_START_TLS);
        stream_flush(s->session.stream);
}

void
smtp_forget_login(SmtpSession *s)
{
        if (s->login != NULL) {
                auth_hold_free(s->login->hold);
                g_free(s->login->text);
        }
        g_clear_pointer(&s->login, g_free);
        sasl_end(&s->exchange);
}

/* What was said before TLS was said by anybody (RFC 3207 §4.2). */
static void
forget_everything(SmtpSession *s)
{
        smtp_transaction_end(s);
        smtp_forget_login(s);
        g_clear_pointer(&s->helo, g_free);
        s->is_extended = FALSE;
}

SmtpStep
smtp_step_handshake(SmtpSession *s)
{
        StreamAnswer answer = starttls_step(&s->session, smtp_door(s)->tls, s->client, &SMTP_EVENTS[EVENT_TLS_FAILED]);

        if (answer == STREAM_AGAIN)
                return STEP_AGAIN;
        if (answer == STREAM_OK)
                forget_everything(s);
        s->phase = answer == STREAM_OK ? PHASE_COMMAND : PHASE_CLOSE;
        return STEP_DONE;
}

/* AUTH ----------------------------------------------------------------------------------------------------------- */

static AuthPeer
peer_of(const SmtpSession *s)
{
        return (AuthPeer){smtp_door(s)->auth, s->client, s->session.stream, s->is_loopback, 0};
}

gboolean
smtp_has_auth(const SmtpSession *s)
{
        return smtp_role(s)->has_auth && smtp_door(s)->auth != NULL;
}

const char *
smtp_auth_list(const SmtpSession *s, char ret[SASL_LIST_OCTETS])
{
        AuthPeer peer = peer_of(s);

        ret[0] = '\0';
        return smtp_has_auth(s) && s->login == NULL ? sasl_list(&peer, ret) : ret;
}

static void
end_auth(SmtpSession *s, SmtpReplyId id)
{
        s->phase = PHASE_COMMAND;
        smtp_reply(s, id);
}

static void
account_changed(gpointer data)
{
        session_wake(&((SmtpSession *) data)->session);
}

static SmtpLogin *
login_new(SmtpSession *s, Arena *arena, const Account *account)
{
        const Address *a = &account->address;
        SmtpLogin *login = g_malloc(sizeof(SmtpLogin) + a->local.len + a->domain.len);
        guint8 *octets = (guint8 *) login->octets;

        memcpy(octets, a->local.data, a->local.len);
        memcpy(octets + a->local.len, a->domain.data, a->domain.len);
        login->account = account->id;
        login->hold = auth_hold_new(smtp_door(s)->auth, account, account_changed, s);
        login->address.local = span_make(octets, a->local.len);
        login->address.domain = span_make(octets + a->local.len, a->domain.len);
        login->text = span_dup(address_text(arena, a));
        return login;
}

SmtpReplyId
smtp_check_login(SmtpSession *s)
{
        g_autoptr(GError) error = NULL;

        if (s->login == NULL)
                return REPLY_NONE;
        switch (auth_hold_look(s->login->hold, &error)) {
        case AUTH_STANDING_HELD:
                return REPLY_NONE;
        case AUTH_STANDING_ENDED:
                return REPLY_LOGIN_ENDED;
        case AUTH_STANDING_FAILED:
                break;
        }
        smtp_log_fault(s, "look for the account", error);
        return REPLY_LOGIN_UNKNOWN;
}

static void
log_in(SmtpSession *s, Arena *arena, const Account *account)
{
        s->login = login_new(s, arena, account);
        log_event(&SMTP_EVENTS[EVENT_LOGIN], "client=%s account=%s", s->client, log_text(span_of(s->login->text)));
        end_auth(s, REPLY_AUTHENTICATED);
}

/* A wrong one is answered after the delay that the guesser has earned; an exchange that goes on tells why then. */
static void
answer_wrong(SmtpSession *s, const AuthTurn *turn)
{
        g_autofree char *explanation = s->exchange != NULL ? sasl_explanation(s->exchange) : NULL;

        log_event(&SMTP_EVENTS[EVENT_AUTH_FAILED], "client=%s login=%s%s%s", s->client, log_text(turn->login),
                  turn->reason != NULL ? " reason=" : "", turn->reason != NULL ? log_text(span_of(turn->reason)) : "");
        smtp_reply_later(s, turn->delay, REPLY_AUTH_WRONG,
                         explanation != NULL ? g_strconcat("334 ", explanation, NULL) : NULL);
}

static void
take_turn(SmtpSession *s, Arena *arena, AuthAnswer answer, const AuthTurn *turn, const GError *error)
{
        switch (answer) {
        case AUTH_OK:
                log_in(s, arena, turn->account);
                break;
        case AUTH_WRONG:
        case AUTH_EXPLAINED:
                answer_wrong(s, turn);
                break;
        case AUTH_REFUSED:
                end_auth(s, REPLY_AUTH_REFUSED);
                break;
        case AUTH_CHALLENGE:
                stream_write(s->session.stream, span_of("334 "));
                stream_write(s->session.stream, turn->challenge);
                stream_write(s->session.stream, span_of("\r\n"));
                s->phase = PHASE_AUTH;
                break;
        case AUTH_FAILED:
                smtp_log_fault(s, "auth", error);
                G_GNUC_FALLTHROUGH;
        case AUTH_BUSY:
                end_auth(s, REPLY_AUTH_BUSY);
                break;
        case AUTH_NOT_UTF8:
        case AUTH_MALFORMED:
                end_auth(s, REPLY_AUTH_MALFORMED);
                break;
        case AUTH_CANCELLED:
                end_auth(s, REPLY_AUTH_CANCELLED);
                break;
        case AUTH_NO_MECHANISM:
                end_auth(s, REPLY_AUTH_MECHANISM);
                break;
        case AUTH_NEEDS_TLS:
                end_auth(s, REPLY_AUTH_NEEDS_TLS);
                break;
        }
}

static SmtpReplyId
refuse_auth(const SmtpSession *s)
{
        if (!smtp_has_auth(s))
                return REPLY_NOT_OFFERED;
        if (s->login != NULL)
                return REPLY_ALREADY_AUTHENTICATED;
        return s->transaction != NULL ? REPLY_NOT_IN_TRANSACTION : REPLY_NONE;
}

void
smtp_auth(SmtpSession *s, Span args)
{
        g_autoptr(Arena) arena = arena_new(SASL_ARENA_MAX);
        g_autoptr(GError) error = NULL;
        AuthPeer peer = peer_of(s);
        SmtpReplyId wrong = refuse_auth(s);
        Span name, initial;
        gboolean has_initial;
        AuthTurn turn;

        if (wrong == REPLY_NONE)
                wrong = command_parse_auth(args, &name, &has_initial, &initial);
        if (wrong != REPLY_NONE) {
                smtp_reply(s, wrong);
                return;
        }
        AuthAnswer answer = sasl_begin(&s->exchange, &peer, arena, name, has_initial, initial, &turn, &error);
        take_turn(s, arena, answer, &turn, error);
}

static void
take_response(SmtpSession *s, Span line)
{
        g_autoptr(Arena) arena = arena_new(SASL_ARENA_MAX);
        g_autoptr(GError) error = NULL;
        AuthTurn turn;
        AuthAnswer answer = sasl_next(&s->exchange, arena, line, &turn, &error);

        take_turn(s, arena, answer, &turn, error);
}

SmtpStep
smtp_step_auth(SmtpSession *s)
{
        Span line;

        switch (stream_line(s->session.stream, SASL_LINE_MAX, TRUE, &line)) {
        case STREAM_AGAIN:
                return STEP_AGAIN;
        case STREAM_TOO_LONG:
                sasl_end(&s->exchange);
                end_auth(s, REPLY_LINE_TOO_LONG);
                break;
        case STREAM_OK:
                take_response(s, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = PHASE_CLOSE;
                break;
        }
        return STEP_DONE;
}

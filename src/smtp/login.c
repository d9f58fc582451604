/* login.c -- STARTTLS (RFC 3207) and AUTH (RFC 4954). */
#include "smtp/internal.h"

#include "base/text.h"

#define LOGIN_ARENA_MAX ((gsize) 128 * 1024)

/* STARTTLS ------------------------------------------------------------------------------------------------------- */

gboolean
smtp_offers_tls(const SmtpSession *s)
{
        return !stream_is_tls(s->session.stream) && strcmp(s->client, "unix") != 0 && smtp_door(s)->tls != NULL;
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
        if (stream_has_input(s->session.stream)) {
                log_event(&SMTP_EVENTS[EVENT_INJECTION], "client=%s", s->client);
                s->phase = PHASE_CLOSE;
                return;
        }
        s->phase = PHASE_HANDSHAKE;
        smtp_reply(s, REPLY_START_TLS);
        stream_flush(s->session.stream);
}

static void
forget_login(SmtpSession *s)
{
        if (s->login != NULL)
                g_free(s->login->text);
        g_clear_pointer(&s->login, g_free);
        sasl_done(&s->sasl);
}

/* What was said before TLS was said by anybody (RFC 3207 §4.2). */
static void
forget_everything(SmtpSession *s)
{
        smtp_transaction_end(s);
        forget_login(s);
        g_clear_pointer(&s->helo, g_free);
        s->is_extended = FALSE;
}

SmtpStep
smtp_step_handshake(SmtpSession *s)
{
        TlsContext *tls = smtp_door(s)->tls;
        StreamAnswer answer = tls != NULL ? stream_start_tls(s->session.stream, tls, NULL) : STREAM_FAILED;

        if (answer == STREAM_AGAIN)
                return STEP_AGAIN;
        if (answer == STREAM_OK) {
                forget_everything(s);
                s->phase = PHASE_COMMAND;
                return STEP_DONE;
        }
        const char *reason = stream_reason(s->session.stream);
        log_event(&SMTP_EVENTS[EVENT_TLS_FAILED], "client=%s reason=%s", s->client, log_text(span_of(reason)));
        s->phase = PHASE_CLOSE;
        return STEP_DONE;
}

/* AUTH ----------------------------------------------------------------------------------------------------------- */

/* May a password come over this connection? */
gboolean
smtp_allows_password(const SmtpSession *s)
{
        return auth_allows_plaintext(smtp_door(s)->auth, stream_is_tls(s->session.stream), s->is_loopback);
}

gboolean
smtp_offers_auth(const SmtpSession *s)
{
        return smtp_role(s)->has_auth && s->login == NULL && smtp_door(s)->auth != NULL && smtp_allows_password(s);
}

static void
end_auth(SmtpSession *s, SmtpReplyId id)
{
        sasl_done(&s->sasl);
        s->sasl = (Sasl){.mechanism = SASL_NONE};
        s->phase = PHASE_COMMAND;
        smtp_reply(s, id);
}

static SmtpLogin *
login_new(Arena *arena, const Account *account)
{
        const Address *a = &account->address;
        SmtpLogin *login = g_malloc(sizeof(SmtpLogin) + a->local.len + a->domain.len);
        guint8 *octets = (guint8 *) login->octets;

        memcpy(octets, a->local.data, a->local.len);
        memcpy(octets + a->local.len, a->domain.data, a->domain.len);
        login->account = account->id;
        login->may_send = account->may_send;
        login->address.local = span_make(octets, a->local.len);
        login->address.domain = span_make(octets + a->local.len, a->domain.len);
        login->text = span_dup(address_text(arena, a));
        return login;
}

static void
check_password(SmtpSession *s, Arena *arena, Span name, Span password)
{
        g_autoptr(GError) error = NULL;
        const Account *account;
        Usec delay = 0;

        switch (auth_check(smtp_door(s)->auth, arena, s->client, name, password, &account, &delay, &error)) {
        case AUTH_OK:
                s->login = login_new(arena, account);
                log_event(&SMTP_EVENTS[EVENT_LOGIN], "client=%s account=%s", s->client,
                          log_text(span_of(s->login->text)));
                end_auth(s, REPLY_AUTHENTICATED);
                return;
        case AUTH_WRONG:
                log_event(&SMTP_EVENTS[EVENT_AUTH_FAILED], "client=%s login=%s", s->client, log_text(name));
                sasl_done(&s->sasl);
                s->sasl = (Sasl){.mechanism = SASL_NONE};
                smtp_reply_later(s, delay, REPLY_AUTH_WRONG, NULL);
                return;
        case AUTH_FAILED:
                smtp_log_fault(s, "auth", error);
                break;
        case AUTH_BUSY:
                break;
        }
        end_auth(s, REPLY_AUTH_BUSY);
}

/* One message of the client's, still in base64; `first`: the mechanism it begins, or SASL_NONE. */
static void
take_response(SmtpSession *s, SaslMechanism first, gboolean has_initial, Span response)
{
        g_autoptr(Arena) arena = arena_new(LOGIN_ARENA_MAX);
        Span octets, challenge = SPAN_EMPTY, name = SPAN_EMPTY, password = SPAN_EMPTY;

        if (!text_base64_decode(arena, response, AUTH_LINE_MAX, &octets)) {
                end_auth(s, REPLY_AUTH_MALFORMED);
                return;
        }
        SaslStep step = first != SASL_NONE
                                ? sasl_start(&s->sasl, arena, first, has_initial, octets, &challenge, &name, &password)
                                : sasl_next(&s->sasl, arena, octets, &challenge, &name, &password);
        switch (step) {
        case SASL_MALFORMED:
                end_auth(s, REPLY_AUTH_MALFORMED);
                break;
        case SASL_CHALLENGE:
                challenge = text_base64(arena, challenge);
                stream_printf(s->session.stream, "334 %.*s\r\n", (int) challenge.len, (const char *) challenge.data);
                s->phase = PHASE_AUTH;
                break;
        case SASL_COMPLETE:
                check_password(s, arena, name, password);
                break;
        }
        text_wipe((guint8 *) octets.data, octets.len);
        text_wipe((guint8 *) password.data, password.len);
}

void
smtp_auth(SmtpSession *s, Span args)
{
        SmtpReplyId wrong = REPLY_NONE;
        Span name, initial;
        gboolean has_initial;

        if (!smtp_role(s)->has_auth || smtp_door(s)->auth == NULL)
                wrong = REPLY_NOT_OFFERED;
        else if (s->login != NULL)
                wrong = REPLY_ALREADY_AUTHENTICATED;
        else if (s->transaction != NULL)
                wrong = REPLY_NOT_IN_TRANSACTION;
        else if (!smtp_allows_password(s))
                wrong = REPLY_AUTH_NEEDS_TLS;
        else
                wrong = command_parse_auth(args, &name, &has_initial, &initial);
        if (wrong != REPLY_NONE) {
                smtp_reply(s, wrong);
                return;
        }

        SaslMechanism mechanism = sasl_mechanism(name);
        if (mechanism == SASL_NONE)
                smtp_reply(s, REPLY_AUTH_MECHANISM);
        else
                take_response(s, mechanism, has_initial, initial);
}

SmtpStep
smtp_step_auth(SmtpSession *s)
{
        Span line;

        switch (stream_line(s->session.stream, AUTH_LINE_MAX, TRUE, &line)) {
        case STREAM_AGAIN:
                return STEP_AGAIN;
        case STREAM_TOO_LONG:
                end_auth(s, REPLY_LINE_TOO_LONG);
                break;
        case STREAM_OK:
                if (span_equal(line, span_of("*")))
                        end_auth(s, REPLY_AUTH_CANCELLED);
                else
                        take_response(s, SASL_NONE, FALSE, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = PHASE_CLOSE;
                break;
        }
        return STEP_DONE;
}

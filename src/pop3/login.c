/* login.c -- STLS (RFC 2595), USER and PASS (RFC 1939 §7), AUTH (RFC 5034). */
#include "pop3/internal.h"

#include "base/text.h"

#define LOGIN_ARENA_MAX ((gsize) 128 * 1024)
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
        return !stream_is_tls(s->session.stream) && strcmp(s->client, "unix") != 0 && pop3_door(s)->tls != NULL;
}

void
pop3_stls(Pop3Session *s, Span args)
{
        if (!pop3_offers_tls(s)) {
                pop3_bad(s, stream_is_tls(s->session.stream) ? "TLS is on" : "not offered here");
                return;
        }
        if (stream_has_input(s->session.stream)) {
                log_event(&POP3_EVENTS[POP3_EVENT_INJECTION], "client=%s", s->client);
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
        TlsContext *tls = pop3_door(s)->tls;
        StreamAnswer answer = tls != NULL ? stream_start_tls(s->session.stream, tls, NULL) : STREAM_FAILED;

        if (answer == STREAM_AGAIN)
                return POP3_STEP_AGAIN;
        if (answer == STREAM_OK) {
                pop3_forget_user(s);
                s->phase = POP3_PHASE_COMMAND;
                return POP3_STEP_DONE;
        }
        log_event(&POP3_EVENTS[POP3_EVENT_TLS_FAILED], "client=%s reason=%s", s->client,
                  log_text(span_of(stream_reason(s->session.stream))));
        s->phase = POP3_PHASE_CLOSE;
        return POP3_STEP_DONE;
}

/* Passwords ------------------------------------------------------------------------------------------------------ */

gboolean
pop3_allows_password(const Pop3Session *s)
{
        return auth_allows_plaintext(pop3_door(s)->auth, stream_is_tls(s->session.stream), s->is_loopback);
}

static gboolean
refuse_plaintext(Pop3Session *s)
{
        if (pop3_allows_password(s))
                return FALSE;
        pop3_bad(s, "no passwords without TLS: STLS first");
        return TRUE;
}

static void
open_maildrop(Pop3Session *s, Arena *arena, const Account *account)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *name = span_dup(address_text(arena, &account->address));

        switch (store_maildrop_open(pop3_door(s)->store, account->id, &s->drop, &error)) {
        case MAILDROP_OPEN:
                s->account = g_steal_pointer(&name);
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

/* A wrong one is answered after the delay that the guesser has earned; no thread waits for it. */
static void
answer_wrong(Pop3Session *s, Span name, Usec delay)
{
        log_event(&POP3_EVENTS[POP3_EVENT_AUTH_FAILED], "client=%s login=%s", s->client, log_text(name));
        s->phase = POP3_PHASE_DELAY;
        if (delay > 0)
                session_delay(&s->session, delay);
        else
                pop3_end_delay(s); /* nothing would wake us */
}

void
pop3_end_delay(Pop3Session *s)
{
        s->phase = POP3_PHASE_COMMAND;
        pop3_bad(s, "[AUTH] wrong name or password");
}

static void
check_password(Pop3Session *s, Arena *arena, Span name, Span password)
{
        g_autoptr(GError) error = NULL;
        const Account *account;
        Usec delay = 0;

        if (!text_is_utf8(name) || !text_is_utf8(password)) {
                pop3_bad(s, "[UTF8] name and password are UTF-8");
                return;
        }
        switch (auth_check(pop3_door(s)->auth, arena, s->client, name, password, &account, &delay, &error)) {
        case AUTH_OK:
                open_maildrop(s, arena, account);
                break;
        case AUTH_WRONG:
                answer_wrong(s, name, delay);
                break;
        case AUTH_FAILED:
                pop3_log_fault(s, "auth", error);
                G_GNUC_FALLTHROUGH;
        case AUTH_BUSY:
                pop3_err(s, "[SYS/TEMP] can't check that now, try again later");
                break;
        }
}

void
pop3_user(Pop3Session *s, Span args)
{
        if (refuse_plaintext(s))
                return;
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
        g_autofree char *user = g_steal_pointer(&s->user);

        if (refuse_plaintext(s))
                return;
        if (user == NULL) {
                pop3_bad(s, "USER first");
                return;
        }
        g_autoptr(Arena) arena = arena_new(LOGIN_ARENA_MAX);
        check_password(s, arena, span_of(user), args);
}

/* AUTH ----------------------------------------------------------------------------------------------------------- */

static void
wipe_sasl(Pop3Session *s)
{
        sasl_done(&s->sasl);
        s->sasl = (Sasl){.mechanism = SASL_NONE};
}

static void
refuse_sasl(Pop3Session *s, const char *text)
{
        wipe_sasl(s);
        s->phase = POP3_PHASE_COMMAND;
        pop3_bad(s, text);
}

/* One message of the client's, still in base64; `first`: the mechanism it begins, or SASL_NONE. */
static void
take_response(Pop3Session *s, SaslMechanism first, gboolean has_initial, Span response)
{
        g_autoptr(Arena) arena = arena_new(LOGIN_ARENA_MAX);
        Span octets = SPAN_EMPTY, challenge = SPAN_EMPTY, name = SPAN_EMPTY, password = SPAN_EMPTY;
        SaslStep step = SASL_MALFORMED;

        if (text_base64_decode(arena, response, POP3_AUTH_LINE_MAX, &octets))
                step = first != SASL_NONE
                               ? sasl_start(&s->sasl, arena, first, has_initial, octets, &challenge, &name, &password)
                               : sasl_next(&s->sasl, arena, octets, &challenge, &name, &password);
        switch (step) {
        case SASL_MALFORMED:
                refuse_sasl(s, "malformed response");
                break;
        case SASL_CHALLENGE:
                challenge = text_base64(arena, challenge);
                stream_printf(s->session.stream, "+ %.*s\r\n", (int) challenge.len, (const char *) challenge.data);
                s->phase = POP3_PHASE_SASL;
                break;
        case SASL_COMPLETE:
                s->phase = POP3_PHASE_COMMAND;
                check_password(s, arena, name, password);
                wipe_sasl(s); /* the name may have lain in it */
                break;
        }
        text_wipe((guint8 *) octets.data, octets.len);
        text_wipe((guint8 *) password.data, password.len);
}

void
pop3_auth(Pop3Session *s, Span args)
{
        Scan scan = scan_from(args);
        Span word, initial;

        if (refuse_plaintext(s))
                return;
        if (!scan_run(&scan, &CLASS_PRINT, 40, &word)) {
                pop3_bad(s, "syntax: AUTH PLAIN|LOGIN [initial-response]");
                return;
        }
        initial = span_trim(scan_rest(&scan));
        SaslMechanism mechanism = sasl_mechanism(word);
        if (mechanism == SASL_NONE)
                pop3_bad(s, "mechanism not supported");
        else
                take_response(s, mechanism, initial.len > 0, span_is(initial, "=") ? SPAN_EMPTY : initial);
}

Pop3Step
pop3_step_sasl(Pop3Session *s)
{
        Span line;

        switch (stream_line(s->session.stream, POP3_AUTH_LINE_MAX, FALSE, &line)) {
        case STREAM_AGAIN:
                return POP3_STEP_AGAIN;
        case STREAM_TOO_LONG:
                refuse_sasl(s, "line too long");
                break;
        case STREAM_OK:
                if (span_is(line, "*"))
                        refuse_sasl(s, "authentication cancelled");
                else
                        take_response(s, SASL_NONE, FALSE, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = POP3_PHASE_CLOSE;
                break;
        }
        return POP3_STEP_DONE;
}

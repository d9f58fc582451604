/* login.c -- STARTTLS, LOGIN, AUTHENTICATE, UNAUTHENTICATE, LOGOUT, ID (RFC 9051 §6.1, §6.2; 2971; 8437). */
#include "imap/internal.h"

#include "base/text.h"
#include "net/starttls.h"

#define ID_PAIRS_MAX 30 /* RFC 2971 §3.3 */
#define ID_KEY_MAX 30
#define ID_VALUE_MAX 1024
#define CLIENT_ID_MAX 100

void
imap_noop(ImapSession *s, ImapArgs *args)
{
        if (args_end(args))
                imap_ok(s, "", "nothing done");
        else
                imap_bad(s, "no arguments are wanted");
}

void
imap_logout(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args)) {
                imap_bad(s, "LOGOUT has no arguments");
                return;
        }
        if (s->address != NULL)
                log_event(&IMAP_EVENTS[IMAP_EVENT_LOGOUT], "client=%s account=%s", s->client,
                          log_text(span_of(s->address)));
        imap_bye(s, "goodbye");
        imap_ok(s, "", "closed");
}

/* ID (RFC 2971) --------------------------------------------------------------------------------------------------- */

/* One pair; name and version are remembered. */
static gboolean
take_id_pair(ImapArgs *args, Span *ret_name, Span *ret_version)
{
        Span key, value;
        gboolean is_nil;

        if (!args_string(args, &key) || key.len > ID_KEY_MAX || !args_space(args) ||
            !args_nstring(args, &value, &is_nil) || value.len > ID_VALUE_MAX)
                return FALSE;
        if (span_is(key, "name"))
                *ret_name = value;
        else if (span_is(key, "version"))
                *ret_version = value;
        return TRUE;
}

static gboolean
take_id(ImapArgs *args, Span *ret_name, Span *ret_version)
{
        if (!args_space(args))
                return FALSE;
        if (args_word(args, "NIL"))
                return args_end(args);
        if (!args_open(args))
                return FALSE;
        for (guint n = 0; !args_close(args); n++)
                if (n == ID_PAIRS_MAX || (n > 0 && !args_space(args)) || !take_id_pair(args, ret_name, ret_version))
                        return FALSE;
        return args_end(args);
}

void
imap_id(ImapSession *s, ImapArgs *args)
{
        Span name = SPAN_EMPTY, version = SPAN_EMPTY;

        if (!take_id(args, &name, &version)) {
                imap_bad(s, "syntax: ID (key value ...) or ID NIL");
                return;
        }
        name = span_slice(name, 0, CLIENT_ID_MAX);
        version = span_slice(version, 0, CLIENT_ID_MAX);
        g_free(s->client_id);
        g_autofree char *name_text = span_dup(name), *version_text = span_dup(version);
        s->client_id = name.len > 0 ? g_strconcat(name_text, "/", version_text, NULL) : NULL;
        gboolean is_changed = imap_apply_off(s);
        imap_put(s, "* ID (\"name\" \"Restante\")\r\n");
        if (is_changed)
                imap_put_capabilities(s, args->arena); /* what it has been told before holds no longer */
        imap_ok(s, "", "pleased to meet you");
}

/* STARTTLS (RFC 9051 §6.2.1) -------------------------------------------------------------------------------------- */

gboolean
imap_offers_tls(const ImapSession *s)
{
        return starttls_is_offered(&s->session, imap_settings(s)->tls, s->client);
}

/* What has been sent behind the command was sent in the clear by anybody: it ends the connection. */
void
imap_starttls(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args) || !imap_offers_tls(s)) {
                imap_bad(s, stream_is_tls(s->session.stream) ? "TLS is on" : "not offered here");
                return;
        }
        if (!starttls_may_begin(&s->session, s->client, &IMAP_EVENTS[IMAP_EVENT_INJECTION])) {
                s->phase = IMAP_PHASE_CLOSE;
                return;
        }
        imap_ok(s, "", "begin TLS");
        (void) stream_flush(s->session.stream);
        s->phase = IMAP_PHASE_HANDSHAKE;
}

ImapStep
imap_step_handshake(ImapSession *s)
{
        StreamAnswer answer =
                starttls_step(&s->session, imap_settings(s)->tls, s->client, &IMAP_EVENTS[IMAP_EVENT_TLS_FAILED]);

        if (answer == STREAM_AGAIN)
                return IMAP_STEP_AGAIN;
        if (answer == STREAM_OK) {
                g_clear_pointer(&s->client_id, g_free); /* nothing said in the clear counts */
                (void) imap_apply_off(s);
        }
        s->phase = answer == STREAM_OK ? IMAP_PHASE_COMMAND : IMAP_PHASE_CLOSE;
        return IMAP_STEP_DONE;
}

/* Passwords ------------------------------------------------------------------------------------------------------- */

gboolean
imap_allows_password(const ImapSession *s)
{
        return auth_allows_plaintext(imap_door(s)->auth, stream_is_tls(s->session.stream), s->is_loopback);
}

/* Mechanisms may be switched off for this client. */
static AuthPeer
peer_of(const ImapSession *s)
{
        AuthPeer peer = {imap_door(s)->auth, s->client, s->session.stream, s->is_loopback, 0};

        for (SaslMechanism m = SASL_NONE + 1; m < SASL_MECHANISMS; m++) {
                g_autofree char *capability = g_strconcat("AUTH=", sasl_name(m), NULL);

                if (!imap_has(s, capability))
                        peer.without |= 1u << m;
        }
        return peer;
}

gboolean
imap_offers_mechanism(const ImapSession *s, SaslMechanism mechanism)
{
        AuthPeer peer = peer_of(s);

        return sasl_is_offered(&peer, mechanism);
}

static void
refuse_plaintext(ImapSession *s)
{
        imap_no(s, "PRIVACYREQUIRED", "no passwords without TLS: STARTTLS first");
}

static void
account_changed(gpointer data)
{
        session_wake(&((ImapSession *) data)->session);
}

static void
log_in(ImapSession *s, Arena *arena, const Account *account)
{
        s->address = span_dup(address_text(arena, &account->address));
        s->who = (Viewer){.account = account->id, .address = s->address, .client = s->client};
        s->hold = auth_hold_new(imap_door(s)->auth, account, account_changed, s);
        s->state = IMAP_STATE_AUTHENTICATED;
        s->errors = 0;
        s->n_strange = 0;
        session_set_idle(&s->session, IMAP_IDLE_AFTER_LOGIN);
        (void) imap_apply_off(s);
        log_event(&IMAP_EVENTS[IMAP_EVENT_LOGIN], "client=%s account=%s id=%s", s->client,
                  log_text(span_of(s->address)), log_text(span_of(s->client_id)));
        imap_ok(s, imap_capabilities(s, arena), "logged in");
}

static void
challenge_client(ImapSession *s, Span challenge)
{
        imap_put(s, "+ ");
        imap_put_span(s, challenge);
        imap_put(s, "\r\n");
        s->phase = IMAP_PHASE_SASL;
}

static void
refuse_login(ImapSession *s, const char *text)
{
        imap_no(s, "AUTHENTICATIONFAILED", text);
        imap_count_error(s);
}

/* A wrong one is answered after the delay that the guesser has earned; no thread waits for it. */
static void
answer_wrong(ImapSession *s, const AuthTurn *turn)
{
        log_event(&IMAP_EVENTS[IMAP_EVENT_AUTH_FAILED], "client=%s login=%s%s%s", s->client, log_text(turn->login),
                  turn->reason != NULL ? " reason=" : "", turn->reason != NULL ? log_text(span_of(turn->reason)) : "");
        s->phase = IMAP_PHASE_DELAY;
        if (turn->delay > 0)
                session_delay(&s->session, turn->delay);
        else
                imap_end_delay(s); /* nothing would wake us */
}

/* An exchange that goes on tells why. */
void
imap_end_delay(ImapSession *s)
{
        g_autofree char *explanation = s->exchange != NULL ? sasl_explanation(s->exchange) : NULL;

        s->phase = IMAP_PHASE_COMMAND;
        if (explanation != NULL)
                challenge_client(s, span_of(explanation));
        else
                refuse_login(s, "wrong name or password");
}

static void
take_turn(ImapSession *s, Arena *arena, AuthAnswer answer, const AuthTurn *turn, const GError *error)
{
        s->phase = IMAP_PHASE_COMMAND;
        switch (answer) {
        case AUTH_OK:
                log_in(s, arena, turn->account);
                break;
        case AUTH_WRONG:
        case AUTH_EXPLAINED:
                answer_wrong(s, turn);
                break;
        case AUTH_REFUSED:
                refuse_login(s, "the token is not taken");
                break;
        case AUTH_CHALLENGE:
                challenge_client(s, turn->challenge);
                break;
        case AUTH_FAILED:
                imap_log_fault(s, "auth", error);
                G_GNUC_FALLTHROUGH;
        case AUTH_BUSY:
                imap_no(s, "UNAVAILABLE", "can't check that now, try again later");
                break;
        case AUTH_NOT_UTF8:
                imap_bad(s, "name and password are UTF-8");
                break;
        case AUTH_MALFORMED:
                imap_bad(s, "malformed response");
                break;
        case AUTH_CANCELLED:
                imap_bad(s, "authentication cancelled");
                break;
        case AUTH_NO_MECHANISM:
                imap_no(s, "CANNOT", "mechanism not supported");
                break;
        case AUTH_NEEDS_TLS:
                refuse_plaintext(s);
                break;
        }
}

/* The command's buffer holds a password: it does not go back to the heap as it is. */
static void
wipe_gathered(ImapSession *s)
{
        if (s->gathered != NULL)
                text_wipe(s->gathered->data, s->gathered->len);
}

static gboolean
take_login(ImapArgs *args, Span *ret_name, Span *ret_password)
{
        return args_space(args) && args_astring(args, ret_name) && args_space(args) &&
               args_astring(args, ret_password) && args_end(args);
}

void
imap_login(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        AuthPeer peer = peer_of(s);
        AuthTurn turn = {0};
        Span name, password;

        if (!imap_allows_password(s)) {
                refuse_plaintext(s);
                return;
        }
        if (take_login(args, &name, &password)) {
                AuthAnswer answer = auth_password(&peer, args->arena, name, password, &turn, &error);
                take_turn(s, args->arena, answer, &turn, error);
        } else {
                imap_bad(s, "syntax: LOGIN name password");
        }
        wipe_gathered(s);
}

/* AUTHENTICATE (RFC 9051 §6.2.2, RFC 4959) ------------------------------------------------------------------------ */

static void
begin_sasl(ImapSession *s, Span word, Span initial)
{
        g_autoptr(Arena) arena = arena_new(SASL_ARENA_MAX);
        g_autoptr(GError) error = NULL;
        AuthPeer peer = peer_of(s);
        AuthTurn turn;
        AuthAnswer answer = sasl_begin(&s->exchange, &peer, arena, word, initial.len > 0, initial, &turn, &error);

        take_turn(s, arena, answer, &turn, error);
}

void
imap_authenticate(ImapSession *s, ImapArgs *args)
{
        Span word;

        if (!args_space(args) || !args_atom(args, &word) ||
            (!args_end(args) && (!imap_has(s, "SASL-IR") || !args_space(args))))
                imap_bad(s, "syntax: AUTHENTICATE mechanism [initial-response]");
        else
                begin_sasl(s, word, scan_rest(&args->scan));
        wipe_gathered(s);
}

static void
take_response(ImapSession *s, Span line)
{
        g_autoptr(Arena) arena = arena_new(SASL_ARENA_MAX);
        g_autoptr(GError) error = NULL;
        AuthTurn turn;
        AuthAnswer answer = sasl_next(&s->exchange, arena, line, &turn, &error);

        take_turn(s, arena, answer, &turn, error);
}

ImapStep
imap_step_sasl(ImapSession *s)
{
        Span line;

        switch (stream_line(s->session.stream, SASL_LINE_MAX, FALSE, &line)) {
        case STREAM_AGAIN:
                return IMAP_STEP_AGAIN;
        case STREAM_TOO_LONG:
                sasl_end(&s->exchange);
                s->phase = IMAP_PHASE_COMMAND;
                imap_bad(s, "line too long");
                break;
        case STREAM_OK:
                take_response(s, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = IMAP_PHASE_CLOSE;
                break;
        }
        return IMAP_STEP_DONE;
}

/* UNAUTHENTICATE (RFC 8437) --------------------------------------------------------------------------------------- */

void
imap_forget_login(ImapSession *s)
{
        sasl_end(&s->exchange);
        imap_notify_end(s);
        imap_unselect(s);
        g_clear_pointer(&s->hold, auth_hold_free);
        s->who = (Viewer){0};
        g_clear_pointer(&s->address, g_free);
        s->enabled = 0;
        s->state = IMAP_STATE_NONE;
}

void
imap_unauthenticate(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args)) {
                imap_bad(s, "UNAUTHENTICATE has no arguments");
                return;
        }
        imap_forget_login(s);
        (void) imap_apply_off(s);
        session_set_idle(&s->session, IMAP_IDLE_BEFORE_LOGIN);
        imap_ok(s, "", "who are you now?");
}

/* login.c -- STARTTLS, LOGIN, AUTHENTICATE, UNAUTHENTICATE, LOGOUT, ID (RFC 9051 §6.1, §6.2; 2971; 8437). */
#include "imap/internal.h"

#include "base/text.h"

#define SASL_LINE_MAX ((gsize) 12288)
#define SASL_ARENA_MAX ((gsize) 64 * 1024)
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
        imap_apply_off(s);
        imap_put(s, "* ID (\"name\" \"Restante\")\r\n");
        imap_ok(s, "", "pleased to meet you");
}

/* STARTTLS (RFC 9051 §6.2.1) -------------------------------------------------------------------------------------- */

gboolean
imap_offers_tls(const ImapSession *s)
{
        return imap_settings(s)->tls != NULL && !stream_is_tls(s->session.stream) && strcmp(s->client, "unix") != 0;
}

/* What has been sent behind the command was sent in the clear by anybody: it ends the connection. */
void
imap_starttls(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args) || !imap_offers_tls(s)) {
                imap_bad(s, stream_is_tls(s->session.stream) ? "TLS is on" : "not offered here");
                return;
        }
        if (stream_has_input(s->session.stream)) {
                log_event(&IMAP_EVENTS[IMAP_EVENT_INJECTION], "client=%s", s->client);
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
        StreamAnswer answer = stream_start_tls(s->session.stream, imap_settings(s)->tls, NULL);

        if (answer == STREAM_AGAIN)
                return IMAP_STEP_AGAIN;
        if (answer == STREAM_OK) {
                g_clear_pointer(&s->client_id, g_free); /* nothing said in the clear counts */
                imap_apply_off(s);
                s->phase = IMAP_PHASE_COMMAND;
                return IMAP_STEP_DONE;
        }
        log_event(&IMAP_EVENTS[IMAP_EVENT_TLS_FAILED], "client=%s reason=%s", s->client,
                  log_text(span_of(stream_reason(s->session.stream))));
        s->phase = IMAP_PHASE_CLOSE;
        return IMAP_STEP_DONE;
}

/* Passwords ------------------------------------------------------------------------------------------------------- */

gboolean
imap_allows_password(const ImapSession *s)
{
        return auth_allows_plaintext(imap_door(s)->auth, stream_is_tls(s->session.stream), s->is_loopback);
}

static gboolean
refuse_plaintext(ImapSession *s)
{
        if (imap_allows_password(s))
                return FALSE;
        imap_no(s, "PRIVACYREQUIRED", "no passwords without TLS: STARTTLS first");
        return TRUE;
}

static void
log_in(ImapSession *s, Arena *arena, const Account *account)
{
        s->address = span_dup(address_text(arena, &account->address));
        s->who = (Viewer){.account = account->id, .address = s->address, .client = s->client};
        s->state = IMAP_STATE_AUTHENTICATED;
        s->errors = 0;
        s->n_strange = 0;
        session_set_idle(&s->session, IMAP_IDLE_AFTER_LOGIN);
        imap_apply_off(s);
        log_event(&IMAP_EVENTS[IMAP_EVENT_LOGIN], "client=%s account=%s id=%s", s->client,
                  log_text(span_of(s->address)), log_text(span_of(s->client_id)));
        imap_ok(s, imap_capabilities(s, arena), "logged in");
}

/* A wrong one is answered after the delay that the guesser has earned; no thread waits for it. */
static void
answer_wrong(ImapSession *s, Span name, Usec delay)
{
        log_event(&IMAP_EVENTS[IMAP_EVENT_AUTH_FAILED], "client=%s login=%s", s->client, log_text(name));
        s->phase = IMAP_PHASE_DELAY;
        if (delay > 0)
                session_delay(&s->session, delay);
        else
                imap_end_delay(s); /* nothing would wake us */
}

void
imap_end_delay(ImapSession *s)
{
        s->phase = IMAP_PHASE_COMMAND;
        imap_no(s, "AUTHENTICATIONFAILED", "wrong name or password");
        imap_count_error(s);
}

static void
check_password(ImapSession *s, Arena *arena, Span name, Span password)
{
        g_autoptr(GError) error = NULL;
        const Account *account;
        Usec delay = 0;

        s->phase = IMAP_PHASE_COMMAND;
        if (!text_is_utf8(name) || !text_is_utf8(password)) {
                imap_bad(s, "name and password are UTF-8");
                return;
        }
        switch (auth_check(imap_door(s)->auth, arena, s->client, name, password, &account, &delay, &error)) {
        case AUTH_OK:
                log_in(s, arena, account);
                break;
        case AUTH_WRONG:
                answer_wrong(s, name, delay);
                break;
        case AUTH_FAILED:
                imap_log_fault(s, "auth", error);
                G_GNUC_FALLTHROUGH;
        case AUTH_BUSY:
                imap_no(s, "UNAVAILABLE", "can't check that now, try again later");
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

void
imap_login(ImapSession *s, ImapArgs *args)
{
        Span name, password;

        if (refuse_plaintext(s))
                return;
        if (!args_space(args) || !args_astring(args, &name) || !args_space(args) || !args_astring(args, &password) ||
            !args_end(args))
                imap_bad(s, "syntax: LOGIN name password");
        else
                check_password(s, args->arena, name, password);
        wipe_gathered(s);
}

/* AUTHENTICATE (RFC 9051 §6.2.2, RFC 4959) ------------------------------------------------------------------------ */

static void
forget_sasl(ImapSession *s)
{
        Sasl *sasl = g_steal_pointer(&s->login);

        if (sasl != NULL)
                sasl_done(sasl);
        g_free(sasl);
}

static void
refuse_sasl(ImapSession *s, const char *text)
{
        forget_sasl(s);
        s->phase = IMAP_PHASE_COMMAND;
        imap_bad(s, text);
}

static void
challenge_client(ImapSession *s, Arena *arena, Span challenge)
{
        imap_put(s, "+ ");
        imap_put_span(s, text_base64(arena, challenge));
        imap_put(s, "\r\n");
        s->phase = IMAP_PHASE_SASL;
}

/* One message of the client's, still in base64; `first`: the mechanism it begins, or SASL_NONE. */
static void
take_response(ImapSession *s, SaslMechanism first, gboolean has_initial, Span response)
{
        g_autoptr(Arena) arena = arena_new(SASL_ARENA_MAX);
        Span octets = SPAN_EMPTY, challenge = SPAN_EMPTY, name = SPAN_EMPTY, password = SPAN_EMPTY;
        SaslStep step = SASL_MALFORMED;

        if (text_base64_decode(arena, response, SASL_LINE_MAX, &octets))
                step = first != SASL_NONE
                               ? sasl_start(s->login, arena, first, has_initial, octets, &challenge, &name, &password)
                               : sasl_next(s->login, arena, octets, &challenge, &name, &password);
        switch (step) {
        case SASL_MALFORMED:
                refuse_sasl(s, "malformed response");
                break;
        case SASL_CHALLENGE:
                challenge_client(s, arena, challenge);
                break;
        case SASL_COMPLETE:
                check_password(s, arena, name, password);
                forget_sasl(s); /* the name may have lain in it */
                break;
        }
        text_wipe((guint8 *) octets.data, octets.len);
        text_wipe((guint8 *) password.data, password.len);
}

void
imap_authenticate(ImapSession *s, ImapArgs *args)
{
        Span word, initial = SPAN_EMPTY;

        if (refuse_plaintext(s))
                return;
        if (!args_space(args) || !args_atom(args, &word) || (!args_end(args) && !args_space(args))) {
                imap_bad(s, "syntax: AUTHENTICATE mechanism [initial-response]");
                return;
        }
        initial = scan_rest(&args->scan);
        SaslMechanism mechanism = sasl_mechanism(word);
        if (mechanism == SASL_NONE || !imap_has(s, mechanism == SASL_PLAIN ? "AUTH=PLAIN" : "AUTH=LOGIN")) {
                imap_no(s, "CANNOT", "mechanism not supported");
                return;
        }
        s->login = g_new0(Sasl, 1);
        take_response(s, mechanism, initial.len > 0, span_is(initial, "=") ? SPAN_EMPTY : initial);
        wipe_gathered(s);
}

ImapStep
imap_step_sasl(ImapSession *s)
{
        Span line;

        switch (stream_line(s->session.stream, SASL_LINE_MAX, FALSE, &line)) {
        case STREAM_AGAIN:
                return IMAP_STEP_AGAIN;
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
                s->phase = IMAP_PHASE_CLOSE;
                break;
        }
        return IMAP_STEP_DONE;
}

/* UNAUTHENTICATE (RFC 8437) --------------------------------------------------------------------------------------- */

void
imap_forget_login(ImapSession *s)
{
        forget_sasl(s);
        imap_unselect(s);
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
        imap_apply_off(s);
        session_set_idle(&s->session, IMAP_IDLE_BEFORE_LOGIN);
        imap_ok(s, "", "who are you now?");
}

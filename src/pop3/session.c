/* session.c -- one POP3 session: the loop, and the commands of its states (RFC 1939).
 *
 * AUTHORIZATION until the maildrop is open, then TRANSACTION; UPDATE happens within QUIT, and only there.
 */
#include "pop3/internal.h"

#include "base/text.h"

#define ERRORS_MAX 20
#define COMMAND_LINE_MAX 512 /* RFC 2449 §4 asks for 255 */

/* Replies -------------------------------------------------------------------------------------------------------- */

void
pop3_ok(Pop3Session *s, const char *text)
{
        stream_printf(s->session.stream, "+OK %s\r\n", text);
}

void
pop3_err(Pop3Session *s, const char *text)
{
        stream_printf(s->session.stream, "-ERR %s\r\n", text);
}

void
pop3_bad(Pop3Session *s, const char *text)
{
        if (++s->errors < ERRORS_MAX) {
                pop3_err(s, text);
                return;
        }
        pop3_err(s, "too many errors, closing");
        log_event(&POP3_EVENTS[POP3_EVENT_CLOSED], "client=%s why=%s", s->client, log_text(span_of("too many errors")));
        s->phase = POP3_PHASE_CLOSE;
}

void
pop3_log_fault(const Pop3Session *s, const char *doing, const GError *error)
{
        log_event(&POP3_EVENTS[POP3_EVENT_FAULT], "client=%s account=%s doing=%s error=%s", s->client,
                  log_text(span_of(s->account)), doing, log_text(span_of(error != NULL ? error->message : "unknown")));
}

/* Both states ---------------------------------------------------------------------------------------------------- */

static void
capa(Pop3Session *s, Span args)
{
        char list[SASL_LIST_OCTETS];
        gboolean has_sasl = pop3_sasl_list(s, list)[0] != '\0';

        stream_printf(
                s->session.stream,
                "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8 USER\r\nEXPIRE NEVER\r\n"
                "%s%s%s%s%sIMPLEMENTATION Restante\r\n.\r\n",
                pop3_allows_password(s) ? "USER\r\n" : "", has_sasl ? "SASL" : "", list, has_sasl ? "\r\n" : "",
                s->drop == NULL && pop3_offers_tls(s) ? "STLS\r\n" : "");
}

/* UPDATE state (RFC 1939 §6). */
static void
update(Pop3Session *s)
{
        g_autoptr(GError) error = NULL;
        guint32 deleted = store_maildrop_count(s->drop) - store_maildrop_undeleted(s->drop);

        if (deleted > 0 && !store_maildrop_update(s->drop, &error)) {
                pop3_log_fault(s, "update", error);
                pop3_err(s, "[SYS/TEMP] some messages were not removed");
                return;
        }
        log_event(&POP3_EVENTS[POP3_EVENT_QUIT], "client=%s account=%s retrieved=%u deleted=%u", s->client,
                  log_text(span_of(s->account)), s->n_retrieved, deleted);
        pop3_ok(s, "goodbye");
}

static void
quit(Pop3Session *s, Span args)
{
        s->phase = POP3_PHASE_CLOSE;
        if (s->drop == NULL) {
                pop3_ok(s, "goodbye");
                return;
        }
        update(s);
        g_clear_pointer(&s->drop, store_maildrop_close);
}

/* Messages are sent as they are stored in either mode; UTF-8 in the header is the sender's affair (RFC 6856 §2.1). */
static void
utf8(Pop3Session *s, Span args)
{
        pop3_ok(s, "UTF-8 it is");
}

/* TRANSACTION ---------------------------------------------------------------------------------------------------- */

static void
noop(Pop3Session *s, Span args)
{
        pop3_ok(s, "nothing done");
}

static void
stat_(Pop3Session *s, Span args)
{
        stream_printf(s->session.stream, "+OK %u %" G_GUINT64_FORMAT "\r\n", store_maildrop_undeleted(s->drop),
                      store_maildrop_octets(s->drop));
}

static void
rset(Pop3Session *s, Span args)
{
        store_maildrop_reset(s->drop);
        pop3_ok(s, "nothing will be deleted");
}

/* The number of a message that is there and not deleted, and the cursor behind it; FALSE has answered. */
static gboolean
take_number(Pop3Session *s, Scan *args, guint32 *ret)
{
        guint64 number;

        if (!scan_number(args, G_MAXUINT32, &number)) {
                pop3_bad(s, "the number of a message is wanted");
                return FALSE;
        }
        if (number == 0 || number > store_maildrop_count(s->drop)) {
                pop3_err(s, "no such message");
                return FALSE;
        }
        if (store_maildrop_is_deleted(s->drop, (guint32) number - 1)) {
                pop3_err(s, "message is deleted");
                return FALSE;
        }
        *ret = (guint32) number - 1;
        return TRUE;
}

/* The same when nothing may follow. */
static gboolean
take_only_number(Pop3Session *s, Span args, guint32 *ret)
{
        Scan scan = scan_from(args);
        Span digits;

        if (!scan_run(&scan, &CLASS_DIGIT, 20, &digits) || !scan_at_end(&scan)) {
                pop3_bad(s, "the number of a message is wanted");
                return FALSE;
        }
        scan = scan_from(args);
        return take_number(s, &scan, ret);
}

static void
list_any(Pop3Session *s, Span args, SendingKind kind)
{
        char line[POP3_LIST_LINE_MAX];
        guint32 i;

        if (args.len == 0) {
                pop3_send_list(s, kind);
                return;
        }
        if (!take_only_number(s, args, &i))
                return;
        gsize len = pop3_list_line(s, kind, i, line);
        stream_printf(s->session.stream, "+OK %.*s", (int) len, line);
}

static void
list(Pop3Session *s, Span args)
{
        list_any(s, args, SENDING_LIST);
}

static void
uidl(Pop3Session *s, Span args)
{
        list_any(s, args, SENDING_UIDL);
}

static void
retr(Pop3Session *s, Span args)
{
        guint32 i;

        if (take_only_number(s, args, &i))
                pop3_send_message(s, i, SENDING_MESSAGE, 0);
}

static void
top(Pop3Session *s, Span args)
{
        Scan scan = scan_from(args);
        guint64 lines = 0;
        guint32 i;

        if (!take_number(s, &scan, &i))
                return;
        if (!scan_octet(&scan, ' ') || !span_to_number(span_trim(scan_rest(&scan)), G_MAXINT64, &lines)) {
                pop3_bad(s, "syntax: TOP message lines");
                return;
        }
        pop3_send_message(s, i, SENDING_TOP, lines);
}

static void
dele(Pop3Session *s, Span args)
{
        guint32 i;

        if (!take_only_number(s, args, &i))
                return;
        store_maildrop_delete(s->drop, i);
        pop3_ok(s, "will be deleted at QUIT");
}

/* The table of commands ------------------------------------------------------------------------------------------ */

enum {
        AUTHORIZATION = 1,
        TRANSACTION = 2,
        ANY_STATE = AUTHORIZATION | TRANSACTION,
        LONG_LINE = 4,
};

typedef struct Command {
        Pop3CommandRow row;
        guint flags;
        void (*run)(Pop3Session *s, Span args);
} Command;

static const Command COMMANDS[] = {
        {{"RETR", "RETR message", "sends a message"}, TRANSACTION, retr},
        {{"DELE", "DELE message", "marks a message; it is removed at QUIT"}, TRANSACTION, dele},
        {{"TOP", "TOP message lines", "sends the header and so many lines of the body"}, TRANSACTION, top},
        {{"LIST", "LIST [message]", "sizes in octets"}, TRANSACTION, list},
        {{"UIDL", "UIDL [message]", "identifiers that never change"}, TRANSACTION, uidl},
        {{"STAT", "STAT", "how many messages, and octets in all"}, TRANSACTION, stat_},
        {{"NOOP", "NOOP", "does nothing"}, TRANSACTION, noop},
        {{"RSET", "RSET", "unmarks what DELE has marked"}, TRANSACTION, rset},
        {{"CAPA", "CAPA", "what is offered (RFC 2449)"}, ANY_STATE, capa},
        {{"USER", "USER name", "who logs in"}, AUTHORIZATION, pop3_user},
        {{"PASS", "PASS password", "and the password"}, AUTHORIZATION | LONG_LINE, pop3_pass},
        {{"AUTH", "AUTH mechanism [initial-response]", "logs in by SASL (RFC 5034)"},
         AUTHORIZATION | LONG_LINE,
         pop3_auth},
        {{"STLS", "STLS", "begins TLS (RFC 2595)"}, AUTHORIZATION, pop3_stls},
        {{"UTF8", "UTF8", "the client reads UTF-8 headers (RFC 6856)"}, AUTHORIZATION, utf8},
        {{"QUIT", "QUIT", "removes what was marked and ends the session"}, ANY_STATE, quit},
};

const Pop3CommandRow *
pop3_command(gsize i)
{
        return i < G_N_ELEMENTS(COMMANDS) ? &COMMANDS[i].row : NULL;
}

static const Command *
find_command(Span verb)
{
        for (gsize i = 0; i < G_N_ELEMENTS(COMMANDS); i++)
                if (span_is(verb, COMMANDS[i].row.word))
                        return &COMMANDS[i];
        return NULL;
}

/* A password may begin or end with blanks: only the one behind the verb is taken off. */
static void
obey(Pop3Session *s, Span line)
{
        Scan scan = scan_from(line);
        Span verb = SPAN_EMPTY;

        gboolean is_word = scan_run(&scan, &CLASS_ALNUM, 8, &verb) && (scan_octet(&scan, ' ') || scan_at_end(&scan));
        const Command *c = is_word ? find_command(verb) : NULL;
        if (c == NULL)
                pop3_bad(s, "unknown command");
        else if (line.len > COMMAND_LINE_MAX && (c->flags & LONG_LINE) == 0)
                pop3_bad(s, "line too long");
        else if ((c->flags & (s->drop != NULL ? TRANSACTION : AUTHORIZATION)) == 0)
                pop3_bad(s, s->drop != NULL ? "not when logged in" : "log in first");
        else
                c->run(s, (c->flags & LONG_LINE) != 0 ? scan_rest(&scan) : span_trim(scan_rest(&scan)));
}

/* The loop ------------------------------------------------------------------------------------------------------- */

static Pop3Step
step_command(Pop3Session *s)
{
        Span line;

        switch (stream_line(s->session.stream, s->drop != NULL ? (gsize) COMMAND_LINE_MAX : SASL_LINE_MAX, FALSE,
                            &line)) {
        case STREAM_AGAIN:
                return POP3_STEP_AGAIN;
        case STREAM_TOO_LONG:
                pop3_bad(s, "line too long");
                break;
        case STREAM_OK:
                obey(s, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = POP3_PHASE_CLOSE;
                break;
        }
        if (s->phase == POP3_PHASE_COMMAND && session_is_stopping(&s->session)) {
                pop3_err(s, "[SYS/TEMP] shutting down, come back soon");
                s->phase = POP3_PHASE_CLOSE;
        }
        return POP3_STEP_DONE;
}

static Pop3Step
step(Pop3Session *s)
{
        switch (s->phase) {
        case POP3_PHASE_COMMAND:
                return step_command(s);
        case POP3_PHASE_SASL:
                return pop3_step_sasl(s);
        case POP3_PHASE_SENDING:
                return pop3_step_sending(s);
        case POP3_PHASE_HANDSHAKE:
                return pop3_step_handshake(s);
        case POP3_PHASE_DELAY:
                return POP3_STEP_AGAIN; /* just begun */
        case POP3_PHASE_CLOSE:
                break;
        }
        return POP3_STEP_DONE;
}

gboolean
pop3_session_is_amid(const Session *session)
{
        return ((const Pop3Session *) session)->phase == POP3_PHASE_SENDING;
}

/* Whose account has been removed or disabled, or has another password, is gone; nothing that was marked is removed. */
static gboolean
is_held(Pop3Session *s)
{
        g_autoptr(GError) error = NULL;

        if (s->hold == NULL || s->phase != POP3_PHASE_COMMAND)
                return TRUE;
        switch (auth_hold_look(s->hold, &error)) {
        case AUTH_STANDING_HELD:
                return TRUE;
        case AUTH_STANDING_ENDED:
                log_event(&POP3_EVENTS[POP3_EVENT_CLOSED], "client=%s account=%s why=%s", s->client,
                          log_text(span_of(s->account)), log_text(span_of(AUTH_ENDED_TEXT)));
                pop3_err(s, "[SYS/PERM] " AUTH_ENDED_TEXT);
                break;
        case AUTH_STANDING_FAILED:
                pop3_log_fault(s, "look for the account", error);
                pop3_err(s, "[SYS/TEMP] can't look for your account now, come back later");
                break;
        }
        return FALSE;
}

SessionNext
pop3_session_run(Session *session)
{
        Pop3Session *s = (Pop3Session *) session;

        if (s->phase == POP3_PHASE_DELAY)
                pop3_end_delay(s);
        while (s->phase != POP3_PHASE_CLOSE) {
                if (stream_is_failed(session->stream) || !is_held(s))
                        return SESSION_CLOSE;
                if (stream_is_full(session->stream) || step(s) == POP3_STEP_AGAIN)
                        return SESSION_PARK;
        }
        return SESSION_CLOSE;
}

gboolean
pop3_session_open(Session *session)
{
        Pop3Session *s = (Pop3Session *) session;
        StreamPeer peer;

        stream_peer(session->stream, &peer);
        g_strlcpy(s->client, peer.text, sizeof(s->client));
        s->is_loopback = peer.is_loopback;
        stream_printf(session->stream, "+OK %s POP3 Restante\r\n", pop3_door(s)->hostname);
        return TRUE;
}

/* Without QUIT nothing is removed (RFC 1939 §6). */
void
pop3_session_close(Session *session)
{
        Pop3Session *s = (Pop3Session *) session;

        pop3_sending_end(s);
        g_clear_pointer(&s->drop, store_maildrop_close);
        g_clear_pointer(&s->hold, auth_hold_free);
        sasl_end(&s->exchange);
        pop3_forget_user(s);
        g_clear_pointer(&s->account, g_free);
}

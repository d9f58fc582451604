/* session.c -- one SMTP session: the loop, and the commands that need no transaction. */
#include "smtp/internal.h"

#include "base/text.h"

/* Replies -------------------------------------------------------------------------------------------------------- */

static void
write_reply(SmtpSession *s, guint code, const char *enhanced, const char *text)
{
        Stream *stream = s->session.stream;
        char head[32], *at = text_put_digits(head, code, 3);

        *at++ = ' ';
        if (enhanced != NULL) {
                g_assert(strlen(enhanced) < sizeof(head) - 6);
                at = stpcpy(stpcpy(at, enhanced), " ");
        }
        stream_write(stream, span_make(head, (gsize) (at - head)));
        stream_write(stream, span_of(text));
        stream_write(stream, span_of("\r\n"));
}

static void
close_with(SmtpSession *s, SmtpReplyId id)
{
        const SmtpReply *r = smtp_reply_of(id);

        write_reply(s, r->code, r->enhanced, r->text);
        s->phase = PHASE_CLOSE;
        if (id != REPLY_BYE && id != REPLY_STOPPING)
                log_event(&SMTP_EVENTS[EVENT_CLOSED], "client=%s why=%s", s->client, log_text(span_of(r->text)));
}

static void
count_error(SmtpSession *s)
{
        if (++s->errors >= smtp_door(s)->settings.max_errors && s->phase != PHASE_CLOSE)
                close_with(s, REPLY_TOO_MANY_ERRORS);
}

/* A reply with code 421 closes, so does the last of too many errors: callers set the phase before they reply. */
void
smtp_reply(SmtpSession *s, SmtpReplyId id)
{
        const SmtpReply *r = smtp_reply_of(id);

        if (r->code == 421) {
                close_with(s, id);
                return;
        }
        write_reply(s, r->code, r->enhanced, r->text);
        if (r->is_error)
                count_error(s);
}

void
smtp_reply_status(SmtpSession *s, Status status, const char *text)
{
        char enhanced[16];

        write_reply(s, status.code, status_text(status, enhanced, sizeof(enhanced)), text);
}

static void
reply_delayed(SmtpSession *s)
{
        g_autofree char *text = g_steal_pointer(&s->delayed_text);

        s->phase = s->exchange != NULL ? PHASE_AUTH : PHASE_COMMAND; /* told why, the client has one more word */
        if (text != NULL)
                stream_printf(s->session.stream, "%s\r\n", text);
        else
                smtp_reply(s, s->delayed);
}

void
smtp_reply_later(SmtpSession *s, Usec delay, SmtpReplyId id, char *take_text)
{
        s->delayed = id;
        s->delayed_text = take_text;
        s->phase = PHASE_DELAY;
        if (delay > 0)
                session_delay(&s->session, delay);
        else
                reply_delayed(s); /* nothing would wake us */
}

void
smtp_log_fault(const SmtpSession *s, const char *doing, const GError *error)
{
        SmtpEvent event = error != NULL && error->code == FAULT_BUSY ? EVENT_REFUSED : EVENT_FAULT;

        log_event(&SMTP_EVENTS[event], "client=%s doing=%s error=%s", s->client, doing,
                  log_text(span_of(error != NULL ? error->message : "unknown")));
}

/* Hello ---------------------------------------------------------------------------------------------------------- */

static gboolean
take_hello(SmtpSession *s, Span args, gboolean is_extended)
{
        Span name;
        SmtpReplyId reply = command_parse_hello(args, &name);

        if (reply != REPLY_NONE) {
                smtp_reply(s, reply);
                return FALSE;
        }
        smtp_transaction_end(s);
        g_free(s->helo);
        s->helo = span_dup(name);
        s->is_extended = is_extended;
        return TRUE;
}

static void
helo(SmtpSession *s, Span args)
{
        if (take_hello(s, args, FALSE))
                stream_printf(s->session.stream, "250 %s\r\n", smtp_door(s)->hostname);
}

/* EHLO and LHLO. */
static void
ehlo(SmtpSession *s, Span args)
{
        const SmtpDoor *door = smtp_door(s);
        char list[SASL_LIST_OCTETS];

        if (!take_hello(s, args, TRUE))
                return;
        gboolean has_auth = smtp_auth_list(s, list)[0] != '\0';
        stream_printf(s->session.stream,
                      "250-%s\r\n250-PIPELINING\r\n250-SIZE %" G_GUINT64_FORMAT
                      "\r\n%s%s%s%s250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n",
                      door->hostname, door->settings.max_size, smtp_offers_tls(s) ? "250-STARTTLS\r\n" : "",
                      has_auth ? "250-AUTH" : "", list, has_auth ? "\r\n" : "");
}

/* Simple commands ------------------------------------------------------------------------------------------------ */

static void
rset(SmtpSession *s, Span args)
{
        smtp_transaction_end(s);
        smtp_reply(s, REPLY_RESET);
}

static void
noop(SmtpSession *s, Span args)
{
        smtp_reply(s, REPLY_OK);
}

/* Says nothing about who exists (RFC 5321 §7.3). */
static void
vrfy(SmtpSession *s, Span args)
{
        smtp_reply(s, args.len > 0 ? REPLY_VERIFY : REPLY_PARAMETER_SYNTAX);
}

static void
not_implemented(SmtpSession *s, Span args)
{
        smtp_reply(s, REPLY_NOT_IMPLEMENTED);
}

static void
quit(SmtpSession *s, Span args)
{
        smtp_transaction_end(s);
        close_with(s, REPLY_BYE);
}

static void help(SmtpSession *s, Span args);

/* The table of commands ------------------------------------------------------------------------------------------ */

enum {
        FOR_SMTP = 1,
        FOR_LMTP = 2,
        FOR_ALL = FOR_SMTP | FOR_LMTP,
        NO_ARGS = 4,
        AFTER_HELLO = 8,
        AMID_CHUNKS = 16, /* also once BDAT has begun */
        LONG_LINE = 32,
};

typedef struct Command {
        SmtpCommandRow row;
        guint flags;
        void (*run)(SmtpSession *s, Span args);
} Command;

static const Command COMMANDS[] = {
        {{"MAIL", "MAIL FROM:<address> [SIZE=n] [BODY=7BIT|8BITMIME] [SMTPUTF8] [AUTH=x]",
          "begins a message; <> is the null sender"},
         FOR_ALL | AFTER_HELLO,
         smtp_mail},
        {{"RCPT", "RCPT TO:<address>", "one more recipient"}, FOR_ALL | AFTER_HELLO, smtp_rcpt},
        {{"DATA", "DATA", "the message follows, up to CRLF.CRLF"}, FOR_ALL | AFTER_HELLO | NO_ARGS, smtp_data},
        {{"BDAT", "BDAT octets [LAST]", "so many octets of the message follow (RFC 3030)"},
         FOR_ALL | AMID_CHUNKS,
         smtp_bdat},
        {{"EHLO", "EHLO name", "says who the client is and asks what is offered"}, FOR_SMTP | AMID_CHUNKS, ehlo},
        {{"HELO", "HELO name", "says who the client is, without extensions"}, FOR_SMTP | AMID_CHUNKS, helo},
        {{"LHLO", "LHLO name", "EHLO of LMTP (RFC 2033)"}, FOR_LMTP | AMID_CHUNKS, ehlo},
        {{"QUIT", "QUIT", "ends the session"}, FOR_ALL | AMID_CHUNKS | NO_ARGS, quit},
        {{"RSET", "RSET", "forgets the message under way"}, FOR_ALL | AMID_CHUNKS | NO_ARGS, rset},
        {{"NOOP", "NOOP [text]", "does nothing"}, FOR_ALL | AMID_CHUNKS, noop},
        {{"STARTTLS", "STARTTLS", "begins TLS; everything said before is forgotten (RFC 3207)"},
         FOR_ALL | AFTER_HELLO | NO_ARGS,
         smtp_starttls},
        {{"AUTH", "AUTH mechanism [initial-response]", "logs in; on submission ports, with TLS (RFC 4954)"},
         FOR_SMTP | AFTER_HELLO | LONG_LINE,
         smtp_auth},
        {{"VRFY", "VRFY address", "answers 252: nothing is told about who exists"}, FOR_ALL | AMID_CHUNKS, vrfy},
        {{"EXPN", "EXPN list", "answers 252: nothing is told about who exists"}, FOR_ALL | AMID_CHUNKS, vrfy},
        {{"HELP", "HELP", "lists the commands"}, FOR_ALL | AMID_CHUNKS, help},
        {{"ETRN", "ETRN domain", "not implemented"}, FOR_SMTP, not_implemented},
        {{"ATRN", "ATRN", "not implemented"}, FOR_SMTP, not_implemented},
        {{"TURN", "TURN", "not implemented, and never will be (RFC 5321 appendix F.1)"}, FOR_SMTP, not_implemented},
};

const SmtpCommandRow *
smtp_command(gsize i)
{
        return i < G_N_ELEMENTS(COMMANDS) ? &COMMANDS[i].row : NULL;
}

static guint
role_flag(const SmtpSession *s)
{
        return smtp_role(s)->is_lmtp ? FOR_LMTP : FOR_SMTP;
}

static const Command *
find_command(const SmtpSession *s, Span verb)
{
        for (gsize i = 0; i < G_N_ELEMENTS(COMMANDS); i++)
                if ((COMMANDS[i].flags & role_flag(s)) != 0 && span_is(verb, COMMANDS[i].row.word))
                        return &COMMANDS[i];
        return NULL;
}

/* What would not be answered by 502. */
static gboolean
is_offered(const SmtpSession *s, const Command *c)
{
        if (c->run == smtp_auth)
                return smtp_has_auth(s);
        return c->run != not_implemented && (c->run != smtp_starttls || smtp_offers_tls(s));
}

static void
help(SmtpSession *s, Span args)
{
        g_autoptr(GString) text = g_string_new("214 2.0.0");

        for (gsize i = 0; i < G_N_ELEMENTS(COMMANDS); i++)
                if ((COMMANDS[i].flags & role_flag(s)) != 0 && is_offered(s, &COMMANDS[i]))
                        g_string_append_printf(text, " %s", COMMANDS[i].row.word);
        g_string_append(text, "\r\n");
        stream_write(s->session.stream, span_make(text->str, text->len));
}

static SmtpReplyId
objection(const SmtpSession *s, const Command *c, Span line, Span args)
{
        if (c == NULL)
                return REPLY_UNKNOWN_COMMAND;
        if (line.len > COMMAND_LINE_MAX && (c->flags & LONG_LINE) == 0)
                return REPLY_LINE_TOO_LONG;
        if (args.len > 0 && (c->flags & NO_ARGS) != 0)
                return REPLY_NO_ARGUMENTS;
        if (s->helo == NULL && (c->flags & AFTER_HELLO) != 0)
                return REPLY_HELLO_FIRST;
        if (s->transaction != NULL && s->transaction->has_chunks && (c->flags & AMID_CHUNKS) == 0)
                return REPLY_CHUNKS_BEGUN;
        return REPLY_NONE;
}

static void
obey(SmtpSession *s, Span line)
{
        Span verb, args;

        if (!command_split(line, &verb, &args)) {
                smtp_reply(s, REPLY_SYNTAX);
                return;
        }
        const Command *c = find_command(s, verb);
        SmtpReplyId wrong = objection(s, c, line, args);
        if (wrong != REPLY_NONE)
                smtp_reply(s, wrong);
        else
                c->run(s, args);
}

/* The loop ------------------------------------------------------------------------------------------------------- */

/* Whose account has been removed or disabled, or has another password, sends nothing more. FALSE has answered. */
static gboolean
is_held(SmtpSession *s)
{
        SmtpReplyId wrong = s->phase == PHASE_COMMAND ? smtp_check_login(s) : REPLY_NONE;

        if (wrong != REPLY_NONE)
                smtp_reply(s, wrong);
        return wrong == REPLY_NONE;
}

gboolean
smtp_session_is_amid(const Session *session)
{
        const SmtpSession *s = (const SmtpSession *) session;

        return s->phase == PHASE_DATA || s->phase == PHASE_CHUNK ||
               (s->phase == PHASE_COMMAND && s->transaction != NULL && s->transaction->has_chunks);
}

/* Only CRLF ends a command (RFC 5321 §2.3.8). */
static SmtpStep
step_command(SmtpSession *s)
{
        Span line;

        switch (stream_line(s->session.stream, smtp_has_auth(s) && s->login == NULL ? SASL_LINE_MAX : COMMAND_LINE_MAX,
                            TRUE, &line)) {
        case STREAM_AGAIN:
                return STEP_AGAIN;
        case STREAM_TOO_LONG:
                smtp_reply(s, REPLY_LINE_TOO_LONG);
                break;
        case STREAM_OK:
                obey(s, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = PHASE_CLOSE;
                break;
        }
        if (s->phase == PHASE_COMMAND && session_is_stopping(&s->session) && !smtp_session_is_amid(&s->session))
                smtp_reply(s, REPLY_STOPPING);
        return STEP_DONE;
}

static SmtpStep
step(SmtpSession *s)
{
        switch (s->phase) {
        case PHASE_COMMAND:
                return step_command(s);
        case PHASE_AUTH:
                return smtp_step_auth(s);
        case PHASE_DATA:
                return smtp_step_data(s);
        case PHASE_CHUNK:
                return smtp_step_chunk(s);
        case PHASE_HANDSHAKE:
                return smtp_step_handshake(s);
        case PHASE_DELAY:
                return STEP_AGAIN; /* just begun */
        case PHASE_CLOSE:
                break;
        }
        return STEP_DONE;
}

SessionNext
smtp_session_run(Session *session)
{
        SmtpSession *s = (SmtpSession *) session;

        if (s->phase == PHASE_DELAY)
                reply_delayed(s);
        while (s->phase != PHASE_CLOSE) {
                if (stream_is_failed(session->stream) || !is_held(s))
                        return SESSION_CLOSE;
                if (stream_is_full(session->stream) || step(s) == STEP_AGAIN)
                        return SESSION_PARK;
        }
        return SESSION_CLOSE;
}

gboolean
smtp_session_open(Session *session)
{
        SmtpSession *s = (SmtpSession *) session;
        const SmtpDoor *door = smtp_door(s);
        StreamPeer peer;

        stream_peer(session->stream, &peer);
        g_strlcpy(s->client, peer.text, sizeof(s->client));
        s->is_loopback = peer.is_loopback;
        if (log_wants(LOG_DEBUG))
                log_event(&SMTP_EVENTS[EVENT_CONNECT], "client=%s port=%u", s->client, peer.local_port);
        if (door->guesses != NULL && door->settings.role == SMTP_MX && guesses_is_refused(door->guesses, s->client)) {
                close_with(s, REPLY_TOO_MANY_UNKNOWN);
                return FALSE;
        }
        stream_printf(session->stream, "220 %s %s Restante\r\n", door->hostname, smtp_role(s)->service);
        return TRUE;
}

void
smtp_session_close(Session *session)
{
        SmtpSession *s = (SmtpSession *) session;

        smtp_transaction_end(s);
        smtp_forget_login(s);
        g_clear_pointer(&s->delayed_text, g_free);
        g_clear_pointer(&s->helo, g_free);
}

/* transaction.c -- one message: MAIL, RCPT, DATA or BDAT, and the answer. */
#include "smtp/internal.h"

#include "base/text.h"

#define ARENA_MAX ((gsize) 64 * 1024)
#define MINIMUM_RATE 500 /* octets a second of a message, after the first 30 s */

void
smtp_transaction_end(SmtpSession *s)
{
        Transaction *t = g_steal_pointer(&s->transaction);

        if (t == NULL)
                return;
        session_set_minimum_rate(&s->session, 0);
        submission_free(t->submission);
        arena_free(t->arena);
        g_free(t->sender);
        g_free(t);
}

static gboolean
normalises(const SmtpSession *s)
{
        return smtp_door(s)->settings.bare_newline == SMTP_BARE_NORMALISE;
}

static void
log_refused(const SmtpSession *s, Span recipient, const char *reply)
{
        log_event(&SMTP_EVENTS[EVENT_REFUSED], "client=%s helo=%s from=%s to=%s reply=%s", s->client,
                  log_text(span_of(s->helo)), log_text(span_of(s->transaction->sender)), log_text(recipient),
                  log_text(span_of(reply)));
}

/* MAIL ----------------------------------------------------------------------------------------------------------- */

/* Received's `with` (RFC 3848, RFC 6531 §4.3). */
static void
protocol_name(const SmtpSession *s, gboolean is_utf8, char *buffer, gsize size)
{
        const SmtpRoleRow *role = smtp_role(s);

        g_strlcpy(buffer, is_utf8 ? "UTF8" : s->is_extended && !role->is_lmtp ? "E" : "", size);
        g_strlcat(buffer, role->protocol, size);
        if (s->is_extended && stream_is_tls(s->session.stream))
                g_strlcat(buffer, "S", size);
        if (s->login != NULL)
                g_strlcat(buffer, "A", size);
}

static Submission *
begin(SmtpSession *s, const MailCommand *mail, GError **error)
{
        Stream *stream = s->session.stream;
        const SmtpLogin *login = s->login;
        char protocol[16], tls[80];

        protocol_name(s, mail->is_utf8, protocol, sizeof(protocol));
        if (stream_is_tls(stream))
                g_snprintf(tls, sizeof(tls), "%s %s", stream_tls_version(stream), stream_tls_cipher(stream));
        IntakeOrigin origin = {
                .standing = {.origin = smtp_role(s)->origin,
                             .account = login != NULL ? login->account : 0,
                             .may_send = login != NULL && auth_hold_may_send(login->hold),
                             .sender = &mail->sender},
                .protocol = protocol,
                .client = s->client,
                .helo = s->helo,
                .account = login != NULL ? login->text : NULL,
                .tls = stream_is_tls(stream) ? tls : NULL,
        };
        return intake_begin(smtp_door(s)->intake, &origin, &mail->sender,
                            (mail->is_8bit ? QUEUE_NEEDS_8BIT : 0) | (mail->is_utf8 ? QUEUE_NEEDS_UTF8 : 0), error);
}

/* On submission the sender is the account's own address, one of its sub-addresses or an alias that leads to it, or
 * null. */
static SmtpReplyId
check_sender(SmtpSession *s, Arena *arena, const Address *sender)
{
        g_autoptr(GError) error = NULL;

        if (!smtp_role(s)->has_auth || address_is_null(sender))
                return REPLY_NONE;
        switch (auth_may_send_as(smtp_door(s)->auth, arena, s->login->account, &s->login->address, sender, &error)) {
        case FOUND:
                return REPLY_NONE;
        case FOUND_NOT:
                return REPLY_SENDER_NOT_YOURS;
        case FOUND_FAILED:
                break;
        }
        smtp_log_fault(s, "sender", error);
        return REPLY_FAULT;
}

static SmtpReplyId
take_mail(SmtpSession *s, Transaction *t, Span args)
{
        g_autoptr(GError) error = NULL;
        MailCommand mail;

        SmtpReplyId reply = command_parse_mail(t->arena, args, &mail);
        if (reply != REPLY_NONE)
                return reply;
        if (mail.size > smtp_door(s)->settings.max_size)
                return REPLY_TOO_BIG;
        reply = check_sender(s, t->arena, &mail.sender);
        if (reply != REPLY_NONE)
                return reply;
        t->submission = begin(s, &mail, &error);
        if (t->submission == NULL) {
                smtp_log_fault(s, "mail", error);
                return g_error_matches(error, RESTANTE_ERROR, FAULT_FULL) ? REPLY_FULL : REPLY_FAULT;
        }
        t->is_utf8 = mail.is_utf8;
        Span sender = address_text(t->arena, &mail.sender);
        t->sender = g_malloc(sender.len + 3);
        char *behind = t->sender + 1 + sender.len;
        t->sender[0] = '<';
        span_to_text(sender, t->sender + 1);
        memcpy(behind, ">", 2);
        return REPLY_SENDER_OK;
}

void
smtp_mail(SmtpSession *s, Span args)
{
        if (s->transaction != NULL) {
                smtp_reply(s, REPLY_NESTED_MAIL);
                return;
        }
        if (smtp_role(s)->has_auth && s->login == NULL) {
                smtp_reply(s, REPLY_AUTH_FIRST);
                return;
        }
        s->transaction = g_new0(Transaction, 1);
        s->transaction->arena = arena_new(ARENA_MAX);
        SmtpReplyId reply = take_mail(s, s->transaction, args);
        if (reply != REPLY_SENDER_OK) {
                s->transaction->sender = span_dup(args);
                log_refused(s, SPAN_EMPTY, smtp_reply_of(reply)->text);
                smtp_transaction_end(s);
        }
        smtp_reply(s, reply);
}

/* RCPT ----------------------------------------------------------------------------------------------------------- */

/* A stranger tried a name that is nobody's (ROUTING.md §7): slower and slower, then good-bye. */
static void
refuse_unknown(SmtpSession *s, const Address *recipient, Status status, const char *text)
{
        Transaction *t = s->transaction;
        Span name = text_lower(t->arena, address_text(t->arena, recipient));
        Usec delay = 0;
        char enhanced[16];

        switch (guesses_unknown(smtp_door(s)->guesses, s->client, name, &s->unknown, &delay)) {
        case GUESS_OK:
                smtp_reply_status(s, status, text);
                break;
        case GUESS_SLOW:
                smtp_reply_later(s, delay, REPLY_NONE,
                                 g_strdup_printf("%u %s %s", status.code,
                                                 status_text(status, enhanced, sizeof(enhanced)), text));
                break;
        case GUESS_CLOSE:
                smtp_reply(s, REPLY_TOO_MANY_UNKNOWN);
                break;
        }
}

static void
refuse_recipient(SmtpSession *s, const Address *recipient, const IntakeReply *reply, Span path)
{
        log_refused(s, path, reply->text);
        if (++s->refused > REFUSED_MAX)
                smtp_reply(s, REPLY_TOO_MANY_ERRORS);
        else if (reply->is_unknown && s->login == NULL && smtp_door(s)->guesses != NULL && !smtp_role(s)->is_lmtp)
                refuse_unknown(s, recipient, reply->status, reply->text);
        else
                smtp_reply_status(s, reply->status, reply->text);
}

void
smtp_rcpt(SmtpSession *s, Span args)
{
        Transaction *t = s->transaction;
        Address recipient;
        Span path;

        if (t == NULL) {
                smtp_reply(s, REPLY_MAIL_FIRST);
                return;
        }
        arena_reset(t->arena);
        SmtpReplyId wrong = command_parse_rcpt(t->arena, args, t->is_utf8, &recipient, &path);
        if (wrong == REPLY_NONE && submission_n_recipients(t->submission) >= smtp_door(s)->settings.max_recipients)
                wrong = REPLY_TOO_MANY_RECIPIENTS;
        if (wrong != REPLY_NONE) {
                log_refused(s, path, smtp_reply_of(wrong)->text);
                smtp_reply(s, wrong);
                return;
        }

        IntakeReply reply = intake_recipient(t->submission, &recipient);
        if (reply.verdict == INTAKE_ACCEPTED)
                smtp_reply(s, REPLY_RECIPIENT_OK);
        else
                refuse_recipient(s, &recipient, &reply, path);
}

/* The message ---------------------------------------------------------------------------------------------------- */

static void
take_octets(Span octets, gpointer data)
{
        Transaction *t = data;

        if (!t->is_dropped && (t->decoder.normalise || !t->decoder.has_bare))
                t->is_dropped = !intake_add(t->submission, octets);
}

static void
reply_verdict(SmtpSession *s, const IntakeReply *reply)
{
        Transaction *t = s->transaction;
        char id[ID_TEXT_OCTETS];

        if (reply->verdict == INTAKE_ACCEPTED) {
                stream_write(s->session.stream, span_of("250 2.0.0 accepted as "));
                stream_write(s->session.stream, span_of(id_text(submission_id(t->submission), id)));
                stream_write(s->session.stream, span_of("\r\n"));
                return;
        }
        log_refused(s, SPAN_EMPTY, reply->text);
        smtp_reply_status(s, reply->status, reply->text);
}

static void
note_accepted(SmtpSession *s)
{
        Transaction *t = s->transaction;
        guint n = submission_n_recipients(t->submission);
        const SmtpDoor *door = smtp_door(s);
        char id[ID_TEXT_OCTETS];

        log_event(&SMTP_EVENTS[EVENT_ACCEPTED], "id=%s from=%s nrcpt=%u size=%" G_GUINT64_FORMAT " client=%s%s%s",
                  id_text(submission_id(t->submission), id), log_text(span_of(t->sender)), n,
                  submission_size(t->submission), s->client, s->login != NULL ? " account=" : "",
                  s->login != NULL ? log_text(span_of(s->login->text)) : "");
        if (s->login == NULL && door->guesses != NULL && !smtp_role(s)->is_lmtp)
                for (guint i = 0; i < n; i++)
                        guesses_accepted(door->guesses, s->client);
}

/* One answer (SMTP), or one for each recipient (RFC 2033 §4.2). */
static void
reply_accepted(SmtpSession *s)
{
        Submission *sub = s->transaction->submission;
        IntakeReply whole = intake_reply(sub);

        if (whole.verdict == INTAKE_ACCEPTED)
                note_accepted(s);
        if (!smtp_role(s)->is_lmtp) {
                reply_verdict(s, &whole);
                return;
        }
        guint n = submission_n_recipients(sub);
        for (guint i = 0; i < n; i++) {
                IntakeReply answer = intake_answer(sub, i);
                reply_verdict(s, &answer);
        }
}

/* Nothing was kept. */
static void
reply_refused(SmtpSession *s, SmtpReplyId id)
{
        guint n = smtp_role(s)->is_lmtp ? submission_n_recipients(s->transaction->submission) : 1;

        log_refused(s, SPAN_EMPTY, smtp_reply_of(id)->text);
        for (guint i = 0; i < n; i++)
                smtp_reply(s, id);
}

/* The message is there: take responsibility, or say why not (RFC 5321 §6.1). */
static void
finish_message(SmtpSession *s)
{
        Transaction *t = s->transaction;
        g_autoptr(GError) error = NULL;
        SmtpReplyId wrong = smtp_check_login(s); /* the message may have taken its time */

        s->phase = PHASE_COMMAND;
        if (wrong != REPLY_NONE) {
                reply_refused(s, wrong);
        } else if (t->decoder.has_bare && !normalises(s)) {
                reply_refused(s, REPLY_BARE_NEWLINE);
        } else if (intake_accept(&t->submission, 1, &error)) {
                reply_accepted(s);
        } else {
                smtp_log_fault(s, "message", error);
                reply_refused(s, g_error_matches(error, RESTANTE_ERROR, FAULT_FULL) ? REPLY_FULL : REPLY_FAULT);
        }
        smtp_transaction_end(s);
}

static SmtpReplyId
objection_to_message(const SmtpSession *s)
{
        if (s->transaction == NULL)
                return REPLY_MAIL_FIRST;
        if (submission_n_recipients(s->transaction->submission) == 0)
                return smtp_role(s)->is_lmtp ? REPLY_NO_RECIPIENTS_LMTP : REPLY_NO_RECIPIENTS;
        return REPLY_NONE;
}

/* DATA ----------------------------------------------------------------------------------------------------------- */

void
smtp_data(SmtpSession *s, Span args)
{
        SmtpReplyId wrong = objection_to_message(s);

        if (wrong != REPLY_NONE) {
                smtp_reply(s, wrong);
                return;
        }
        data_init(&s->transaction->decoder, TRUE, normalises(s));
        session_set_minimum_rate(&s->session, MINIMUM_RATE);
        s->phase = PHASE_DATA;
        smtp_reply(s, REPLY_GO_AHEAD);
}

/* What is there of the message; the connection's end is the end of the transaction. */
static gboolean
take_some(SmtpSession *s, Span *ret, SmtpStep *ret_step)
{
        switch (stream_some(s->session.stream, FALSE, ret)) {
        case STREAM_OK:
                return TRUE;
        case STREAM_AGAIN:
                *ret_step = STEP_AGAIN;
                return FALSE;
        default:
                s->phase = PHASE_CLOSE;
                *ret_step = STEP_DONE;
                return FALSE;
        }
}

SmtpStep
smtp_step_data(SmtpSession *s)
{
        Transaction *t = s->transaction;
        SmtpStep next;
        Span piece;

        if (!take_some(s, &piece, &next))
                return next;
        gsize used = data_feed(&t->decoder, piece, take_octets, t);
        stream_consume(s->session.stream, used);
        if (t->decoder.state == DATA_DONE)
                finish_message(s);
        return STEP_DONE;
}

/* BDAT (RFC 3030) ------------------------------------------------------------------------------------------------ */

/* A chunk that is refused is read all the same: the client has sent it already. */
void
smtp_bdat(SmtpSession *s, Span args)
{
        guint64 octets;
        gboolean is_last;
        SmtpReplyId wrong = command_parse_bdat(args, &octets, &is_last);

        if (wrong != REPLY_NONE) {
                s->phase = PHASE_CLOSE;
                smtp_reply(s, wrong);
                return;
        }
        s->chunk_left = octets;
        s->chunk_is_last = is_last;
        s->chunk_refusal = objection_to_message(s);
        if (s->chunk_refusal == REPLY_NONE && !s->transaction->has_chunks) {
                s->transaction->has_chunks = TRUE;
                data_init(&s->transaction->decoder, FALSE, normalises(s));
        }
        session_set_minimum_rate(&s->session, MINIMUM_RATE);
        s->phase = PHASE_CHUNK;
}

static void
finish_chunk(SmtpSession *s)
{
        Transaction *t = s->transaction;

        s->phase = PHASE_COMMAND;
        session_set_minimum_rate(&s->session, 0);
        if (s->chunk_refusal != REPLY_NONE) {
                smtp_reply(s, s->chunk_refusal);
        } else if (s->chunk_is_last) {
                data_finish(&t->decoder, take_octets, t);
                finish_message(s);
        } else if (t->is_dropped && t->chunk_octets > smtp_door(s)->settings.max_size) {
                smtp_transaction_end(s);
                smtp_reply(s, REPLY_TOO_BIG);
        } else {
                stream_printf(s->session.stream, "250 2.0.0 %" G_GUINT64_FORMAT " octets so far\r\n", t->chunk_octets);
        }
}

SmtpStep
smtp_step_chunk(SmtpSession *s)
{
        Transaction *t = s->transaction;
        SmtpStep next;
        Span piece;

        if (s->chunk_left > 0) {
                if (!take_some(s, &piece, &next))
                        return next;
                piece = span_slice(piece, 0, (gsize) MIN(s->chunk_left, piece.len));
                s->chunk_left -= piece.len;
                if (s->chunk_refusal == REPLY_NONE) {
                        t->chunk_octets += piece.len;
                        gsize used = data_feed(&t->decoder, piece, take_octets, t);
                        g_assert(used == piece.len); /* only a decoder with dots ends by itself */
                }
                stream_consume(s->session.stream, piece.len);
        }
        if (s->chunk_left == 0)
                finish_chunk(s);
        return STEP_DONE;
}

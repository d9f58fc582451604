/* command.c -- parsing of command lines. */
#include "smtp/command.h"

#include "base/text.h"

#define CHUNK_MAX ((guint64) 1 << 40)
#define SIZE_MAX_ G_MAXINT64

static const OctetClass KEYWORD = {{0x03ff200000000000, 0x07fffffe07fffffe, 0, 0}}; /* letters, digits, '-' */

static void
skip_blanks(Scan *s)
{
        while (scan_octet(s, ' '))
                ;
}

/* Up to the next blank; empty at the end. */
static Span
take_word(Scan *s)
{
        const guint8 *mark = scan_mark(s);
        const guint8 *blank = scan_at_end(s) ? NULL : memchr(s->at, ' ', scan_left(s));

        s->at = blank != NULL ? blank : s->end;
        Span word = scan_since(s, mark);
        skip_blanks(s);
        return word;
}

gboolean
command_split(Span line, Span *ret_verb, Span *ret_args)
{
        if (text_has_control(line))
                return FALSE;

        Scan s = scan_from(line);
        Span verb = SPAN_EMPTY;
        if (scan_run(&s, &CLASS_ALPHA, 16, &verb) && !scan_at_end(&s) && scan_peek(&s) != ' ')
                verb = SPAN_EMPTY;
        *ret_verb = verb;
        *ret_args = span_trim(scan_rest(&s));
        return TRUE;
}

SmtpReplyId
command_parse_hello(Span args, Span *ret_name)
{
        Scan s = scan_from(args);
        Span name;

        if (!scan_run(&s, &CLASS_PRINT, COMMAND_HELO_MAX, &name) || (!scan_at_end(&s) && scan_peek(&s) != ' '))
                return REPLY_HELO_SYNTAX;
        *ret_name = name;
        return REPLY_NONE;
}

/* Parameters of MAIL (RFC 5321 §4.1.1.11) ---------------------------------------------------------------------------
 */

enum {
        SEEN_SIZE = 1,
        SEEN_BODY = 2,
        SEEN_UTF8 = 4,
        SEEN_AUTH = 8,
};

static SmtpReplyId
mail_size(Span value, MailCommand *mail)
{
        return span_to_number(value, SIZE_MAX_, &mail->size) ? REPLY_NONE : REPLY_SIZE_SYNTAX;
}

static SmtpReplyId
mail_body(Span value, MailCommand *mail)
{
        mail->is_8bit = span_is(value, "8BITMIME");
        return mail->is_8bit || span_is(value, "7BIT") ? REPLY_NONE : REPLY_BODY_SYNTAX;
}

static SmtpReplyId
mail_utf8(Span value, MailCommand *mail)
{
        mail->is_utf8 = TRUE;
        return value.len == 0 ? REPLY_NONE : REPLY_PARAMETER_SYNTAX;
}

static SmtpReplyId
mail_auth(Span value, MailCommand *mail)
{
        return value.len > 0 && value.len <= 500 && text_is_ascii(value) ? REPLY_NONE : REPLY_PARAMETER_SYNTAX;
}

static const struct {
        const char *keyword;
        guint seen;
        gboolean has_value;
        SmtpReplyId (*take)(Span value, MailCommand *mail);
} MAIL_PARAMETERS[] = {
        {"SIZE", SEEN_SIZE, TRUE, mail_size},
        {"BODY", SEEN_BODY, TRUE, mail_body},
        {"SMTPUTF8", SEEN_UTF8, FALSE, mail_utf8},
        {"AUTH", SEEN_AUTH, TRUE, mail_auth},
};

static SmtpReplyId
take_mail_parameter(Span word, MailCommand *mail, guint *seen)
{
        Scan s = scan_from(word);
        Span keyword;

        if (!scan_run(&s, &KEYWORD, 64, &keyword))
                return REPLY_PARAMETER_SYNTAX;
        gboolean has_value = scan_octet(&s, '=');
        if (!has_value && !scan_at_end(&s))
                return REPLY_PARAMETER_SYNTAX;

        for (gsize i = 0; i < G_N_ELEMENTS(MAIL_PARAMETERS); i++) {
                if (!span_is(keyword, MAIL_PARAMETERS[i].keyword))
                        continue;
                if ((*seen & MAIL_PARAMETERS[i].seen) != 0 || has_value != MAIL_PARAMETERS[i].has_value)
                        return REPLY_PARAMETER_SYNTAX;
                *seen |= MAIL_PARAMETERS[i].seen;
                return MAIL_PARAMETERS[i].take(scan_rest(&s), mail);
        }
        return REPLY_PARAMETER_UNKNOWN;
}

static SmtpReplyId
take_mail_parameters(Scan *s, MailCommand *mail)
{
        guint seen = 0;

        for (guint n = 0; !scan_at_end(s); n++) {
                if (n == COMMAND_PARAMS_MAX)
                        return REPLY_PARAMETER_SYNTAX;
                SmtpReplyId reply = take_mail_parameter(take_word(s), mail, &seen);
                if (reply != REPLY_NONE)
                        return reply;
        }
        return REPLY_NONE;
}

/* MAIL and RCPT ------------------------------------------------------------------------------------------------------
 */

/* "FROM:" or "TO:" and the path, a blank between them forgiven: some clients write one. Afterwards the cursor is at the
 * first parameter. FALSE: not even the frame is right. */
static gboolean
take_path(Arena *arena, Scan *s, const char *keyword, gboolean allow_utf8, Address *ret, Span *ret_path,
          AddressAnswer *ret_answer)
{
        if (!scan_word(s, keyword))
                return FALSE;
        skip_blanks(s);
        if (scan_peek(s) != '<')
                return FALSE;

        const guint8 *mark = scan_mark(s);
        *ret_path = scan_rest(s);
        *ret_answer = address_scan_path(arena, s, allow_utf8, ret);
        if (*ret_answer != ADDRESS_OK)
                return TRUE;
        *ret_path = span_slice(scan_since(s, mark), 1, (gsize) (s->at - mark) - 1);
        if (!scan_at_end(s) && scan_peek(s) != ' ')
                *ret_answer = ADDRESS_BAD_SYNTAX;
        skip_blanks(s);
        return TRUE;
}

/* Is SMTPUTF8 among the words? Asked when the address before them could not be read. */
static gboolean
has_utf8_parameter(Span args)
{
        Scan s = scan_from(args);

        while (!scan_at_end(&s))
                if (span_is(take_word(&s), "SMTPUTF8"))
                        return TRUE;
        return FALSE;
}

SmtpReplyId
command_parse_mail(Arena *arena, Span args, MailCommand *ret)
{
        Scan s = scan_from(args);
        MailCommand mail = {.size = 0};
        Span path;
        AddressAnswer answer;

        /* SMTPUTF8 stands behind the address that may need it. */
        if (!take_path(arena, &s, "FROM:", TRUE, &mail.sender, &path, &answer))
                return REPLY_MAIL_SYNTAX;
        /* Octets that ASCII has not, of whatever encoding (RFC 6531 §3.5). */
        if (answer != ADDRESS_OK && !text_is_ascii(path) && !has_utf8_parameter(path))
                return REPLY_SENDER_NEEDS_UTF8;
        if (answer == ADDRESS_BAD_DOMAIN)
                return REPLY_SENDER_DOMAIN;
        if (answer != ADDRESS_OK)
                return REPLY_SENDER_ADDRESS;
        if (mail.sender.domain.len == 0 && mail.sender.local.len > 0)
                return REPLY_SENDER_ADDRESS; /* a bare name is for RCPT only (RFC 5321 §4.5.1) */

        SmtpReplyId reply = take_mail_parameters(&s, &mail);
        if (reply != REPLY_NONE)
                return reply;
        if (!mail.is_utf8 && !text_is_ascii(path))
                return REPLY_SENDER_NEEDS_UTF8;
        *ret = mail;
        return REPLY_NONE;
}

SmtpReplyId
command_parse_rcpt(Arena *arena, Span args, gboolean allow_utf8, Address *ret, Span *ret_path)
{
        Scan s = scan_from(args);
        Address recipient;
        AddressAnswer answer;

        *ret_path = args;
        if (!take_path(arena, &s, "TO:", allow_utf8, &recipient, ret_path, &answer))
                return REPLY_RCPT_SYNTAX;
        switch (answer) {
        case ADDRESS_BAD_SYNTAX:
        case ADDRESS_TOO_LONG:
                return REPLY_RECIPIENT_ADDRESS;
        case ADDRESS_BAD_DOMAIN:
                return REPLY_RECIPIENT_DOMAIN;
        case ADDRESS_NOT_ASCII:
                return REPLY_RECIPIENT_NEEDS_UTF8;
        case ADDRESS_OK:
                break;
        }
        if (address_is_null(&recipient))
                return REPLY_RECIPIENT_ADDRESS;
        if (!scan_at_end(&s))
                return REPLY_PARAMETER_UNKNOWN; /* none are offered (RFC 5321 §4.1.1.11) */
        *ret = recipient;
        return REPLY_NONE;
}

/* BDAT and AUTH ------------------------------------------------------------------------------------------------------
 */

SmtpReplyId
command_parse_bdat(Span args, guint64 *ret_octets, gboolean *ret_is_last)
{
        Scan s = scan_from(args);
        guint64 octets;

        if (!span_to_number(take_word(&s), CHUNK_MAX, &octets))
                return REPLY_CHUNK_SYNTAX;
        Span last = take_word(&s);
        if (!scan_at_end(&s) || (last.len > 0 && !span_is(last, "LAST")))
                return REPLY_CHUNK_SYNTAX;
        *ret_octets = octets;
        *ret_is_last = last.len > 0;
        return REPLY_NONE;
}

SmtpReplyId
command_parse_auth(Span args, Span *ret_mechanism, gboolean *ret_has_initial, Span *ret_initial)
{
        Scan s = scan_from(args);
        Span mechanism = take_word(&s);
        Span initial = take_word(&s);

        if (mechanism.len == 0 || !scan_at_end(&s))
                return REPLY_AUTH_MALFORMED;
        *ret_mechanism = mechanism;
        *ret_has_initial = initial.len > 0;
        *ret_initial = span_equal(initial, span_of("=")) ? SPAN_EMPTY : initial;
        return REPLY_NONE;
}

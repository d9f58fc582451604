/* command.h -- command lines of SMTP: octets -> values. No I/O, no state.
 *
 * Each function answers REPLY_NONE and fills its outputs, or the reply that says what is wrong and leaves them untouched.
 *
 * Threads  any. Memory: results point into the line and the caller's arena.
 * RFC      5321 §4.1.1, §4.1.2; 1870 (SIZE), 6152 (BODY), 6531 (SMTPUTF8), 4954 (AUTH), 3030 (BDAT).
 */
#pragma once

#include "mail/address.h"
#include "smtp/reply.h"

#define COMMAND_LINE_MAX   2048         /* octets without CRLF; RFC 5321 §4.5.3.1.4 asks for 512 plus parameters */
#define COMMAND_PARAMS_MAX 16
#define COMMAND_HELO_MAX   255

/* The verb (letters only, may be empty) and what follows it, without surrounding blanks. FALSE: control characters. */
gboolean command_split(Span line, Span *ret_verb, Span *ret_args) G_GNUC_WARN_UNUSED_RESULT;

/* HELO, EHLO, LHLO: the first word. What it says is a claim: any printable ASCII goes (RFC 5321 §4.1.4). */
SmtpReplyId command_parse_hello(Span args, Span *ret_name) G_GNUC_WARN_UNUSED_RESULT;

typedef struct MailCommand {
        Address sender;
        guint64 size;           /* 0: not said */
        gboolean is_8bit;       /* BODY=8BITMIME */
        gboolean is_utf8;       /* SMTPUTF8 */
} MailCommand;
/* "FROM:<path> params". AUTH= is read and ignored, nobody here is trusted to say it (RFC 4954 §5). */
SmtpReplyId command_parse_mail(Arena *arena, Span args, MailCommand *ret) G_GNUC_WARN_UNUSED_RESULT;

/* "TO:<path>". allow_utf8: the transaction has SMTPUTF8. *ret_path: between the brackets as it came, for the log; set also when the
 * answer is an error. */
SmtpReplyId command_parse_rcpt(Arena *arena, Span args, gboolean allow_utf8, Address *ret, Span *ret_path) G_GNUC_WARN_UNUSED_RESULT;

/* "octets [LAST]" */
SmtpReplyId command_parse_bdat(Span args, guint64 *ret_octets, gboolean *ret_is_last) G_GNUC_WARN_UNUSED_RESULT;

/* "mechanism [initial-response]"; "=" is an initial response without octets. */
SmtpReplyId command_parse_auth(Span args, Span *ret_mechanism, gboolean *ret_has_initial, Span *ret_initial) G_GNUC_WARN_UNUSED_RESULT;

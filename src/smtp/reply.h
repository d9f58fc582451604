/* reply.h -- what the doors answer, as a table: code, enhanced code, text.
 *
 * Every reply carries an enhanced code (RFC 2034) but those that must not: 220 greeting, EHLO, 334, 354.
 */
#pragma once

#include <glib.h>

typedef enum SmtpReplyId {
        REPLY_NONE = 0, /* nothing is wrong */
        REPLY_BYE,
        REPLY_OK,
        REPLY_RESET,
        REPLY_SENDER_OK,
        REPLY_RECIPIENT_OK,
        REPLY_GO_AHEAD,
        REPLY_START_TLS,
        REPLY_VERIFY,
        REPLY_AUTHENTICATED,
        /* the command is wrong */
        REPLY_UNKNOWN_COMMAND,
        REPLY_LINE_TOO_LONG,
        REPLY_SYNTAX,
        REPLY_NO_ARGUMENTS,
        REPLY_HELO_SYNTAX,
        REPLY_MAIL_SYNTAX,
        REPLY_RCPT_SYNTAX,
        REPLY_SIZE_SYNTAX,
        REPLY_BODY_SYNTAX,
        REPLY_PARAMETER_SYNTAX,
        REPLY_PARAMETER_UNKNOWN,
        REPLY_CHUNK_SYNTAX,
        REPLY_NOT_IMPLEMENTED,
        REPLY_NOT_OFFERED,
        /* it comes at the wrong time */
        REPLY_HELLO_FIRST,
        REPLY_NESTED_MAIL,
        REPLY_MAIL_FIRST,
        REPLY_NO_RECIPIENTS,
        REPLY_NO_RECIPIENTS_LMTP,
        REPLY_CHUNKS_BEGUN,
        REPLY_ALREADY_TLS,
        REPLY_ALREADY_AUTHENTICATED,
        REPLY_NOT_IN_TRANSACTION,
        /* authentication */
        REPLY_AUTH_FIRST,
        REPLY_AUTH_NEEDS_TLS,
        REPLY_AUTH_MECHANISM,
        REPLY_AUTH_MALFORMED,
        REPLY_AUTH_CANCELLED,
        REPLY_AUTH_WRONG,
        REPLY_AUTH_REFUSED,
        REPLY_AUTH_BUSY,
        /* addresses and messages */
        REPLY_SENDER_ADDRESS,
        REPLY_SENDER_DOMAIN,
        REPLY_SENDER_NEEDS_UTF8,
        REPLY_SENDER_NOT_YOURS,
        REPLY_RECIPIENT_ADDRESS,
        REPLY_RECIPIENT_DOMAIN,
        REPLY_RECIPIENT_NEEDS_UTF8,
        REPLY_TOO_MANY_RECIPIENTS,
        REPLY_TOO_BIG,
        REPLY_BARE_NEWLINE,
        REPLY_FAULT,
        REPLY_FULL,
        /* and the connection closes */
        REPLY_TOO_MANY_ERRORS,
        REPLY_TOO_MANY_UNKNOWN,
        REPLY_LOGIN_ENDED,
        REPLY_LOGIN_UNKNOWN,
        REPLY_STOPPING,
        REPLY_LAST
} SmtpReplyId;

typedef struct SmtpReply {
        guint16 code;
        gboolean is_error;      /* counts against the errors of a session: the client does not speak the protocol, or guesses passwords */
        const char *enhanced;   /* NULL: none */
        const char *text;
} SmtpReply;

const SmtpReply *smtp_reply_of(SmtpReplyId id);

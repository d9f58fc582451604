/* reply.c -- the table of replies. */
#include "smtp/reply.h"

#include "auth/auth.h"

static const SmtpReply REPLIES[REPLY_LAST] = {
        [REPLY_NONE] = {250, FALSE, "2.0.0", "ok"},
        [REPLY_BYE] = {221, FALSE, "2.0.0", "goodbye"},
        [REPLY_OK] = {250, FALSE, "2.0.0", "ok"},
        [REPLY_RESET] = {250, FALSE, "2.0.0", "forgotten"},
        [REPLY_SENDER_OK] = {250, FALSE, "2.1.0", "sender ok"},
        [REPLY_RECIPIENT_OK] = {250, FALSE, "2.1.5", "recipient ok"},
        [REPLY_GO_AHEAD] = {354, FALSE, NULL, "send the message, end with CRLF.CRLF"},
        [REPLY_START_TLS] = {220, FALSE, "2.0.0", "ready for TLS"},
        [REPLY_VERIFY] = {252, FALSE, "2.1.5", "not verified, try to send"},
        [REPLY_AUTHENTICATED] = {235, FALSE, "2.7.0", "welcome"},

        [REPLY_UNKNOWN_COMMAND] = {500, TRUE, "5.5.2", "unknown command"},
        [REPLY_LINE_TOO_LONG] = {500, TRUE, "5.5.6", "line too long"},
        [REPLY_SYNTAX] = {501, TRUE, "5.5.2", "control characters in the command"},
        [REPLY_NO_ARGUMENTS] = {501, TRUE, "5.5.4", "this command takes no arguments"},
        [REPLY_HELO_SYNTAX] = {501, TRUE, "5.5.4", "say who you are: a domain or an address literal"},
        [REPLY_MAIL_SYNTAX] = {501, TRUE, "5.5.4", "syntax: MAIL FROM:<address> [parameters]"},
        [REPLY_RCPT_SYNTAX] = {501, TRUE, "5.5.4", "syntax: RCPT TO:<address>"},
        [REPLY_SIZE_SYNTAX] = {501, TRUE, "5.5.4", "SIZE wants a number of octets"},
        [REPLY_BODY_SYNTAX] = {501, TRUE, "5.5.4", "BODY is 7BIT or 8BITMIME"},
        [REPLY_PARAMETER_SYNTAX] = {501, TRUE, "5.5.4", "malformed or repeated parameter"},
        [REPLY_PARAMETER_UNKNOWN] = {555, TRUE, "5.5.4", "parameter not supported"},
        [REPLY_CHUNK_SYNTAX] = {501, TRUE, "5.5.4",
                                "syntax: BDAT octets [LAST]; closing, for the chunk can't be told from commands"},
        [REPLY_NOT_IMPLEMENTED] = {502, TRUE, "5.5.1", "command not implemented"},
        [REPLY_NOT_OFFERED] = {502, TRUE, "5.5.1", "not offered here"},

        [REPLY_HELLO_FIRST] = {503, TRUE, "5.5.1", "say hello first"},
        [REPLY_NESTED_MAIL] = {503, TRUE, "5.5.1", "a transaction is under way"},
        [REPLY_MAIL_FIRST] = {503, TRUE, "5.5.1", "MAIL first"},
        [REPLY_NO_RECIPIENTS] = {554, TRUE, "5.5.1", "no valid recipients"},
        [REPLY_NO_RECIPIENTS_LMTP] = {503, TRUE, "5.5.1", "no valid recipients"},
        [REPLY_CHUNKS_BEGUN] = {503, TRUE, "5.5.1", "the message has begun, go on with BDAT"},
        [REPLY_ALREADY_TLS] = {503, TRUE, "5.5.1", "TLS is on"},
        [REPLY_ALREADY_AUTHENTICATED] = {503, TRUE, "5.5.1", "already authenticated"},
        [REPLY_NOT_IN_TRANSACTION] = {503, TRUE, "5.5.1", "not within a transaction"},

        [REPLY_AUTH_FIRST] = {530, TRUE, "5.7.0", "authenticate first"},
        [REPLY_AUTH_NEEDS_TLS] = {538, TRUE, "5.7.11", "encrypt first: STARTTLS"},
        [REPLY_AUTH_MECHANISM] = {504, TRUE, "5.5.4", "mechanism not supported"},
        [REPLY_AUTH_MALFORMED] = {501, TRUE, "5.5.2", "malformed response"},
        [REPLY_AUTH_CANCELLED] = {501, TRUE, "5.7.0", "authentication cancelled"},
        [REPLY_AUTH_WRONG] = {535, TRUE, "5.7.8", "wrong name or password"},
        [REPLY_AUTH_REFUSED] = {535, TRUE, "5.7.8", "the token is not taken"},
        [REPLY_AUTH_BUSY] = {454, FALSE, "4.7.0", "can't check that now, try again later"},

        [REPLY_SENDER_ADDRESS] = {501, TRUE, "5.1.7", "malformed sender address"},
        [REPLY_SENDER_DOMAIN] = {501, TRUE, "5.1.8", "malformed sender domain"},
        [REPLY_SENDER_NEEDS_UTF8] = {553, FALSE, "5.6.7", "this address needs SMTPUTF8"},
        [REPLY_SENDER_NOT_YOURS] = {553, FALSE, "5.7.1", "this sender address is not yours"},
        [REPLY_RECIPIENT_ADDRESS] = {550, FALSE, "5.1.3", "malformed recipient address"},
        [REPLY_RECIPIENT_DOMAIN] = {550, FALSE, "5.1.2", "malformed recipient domain"},
        [REPLY_RECIPIENT_NEEDS_UTF8] = {553, FALSE, "5.6.7", "this address needs SMTPUTF8"},
        [REPLY_TOO_MANY_RECIPIENTS] = {452, FALSE, "4.5.3",
                                       "too many recipients, send the rest in another transaction"},
        [REPLY_TOO_BIG] = {552, FALSE, "5.3.4", "message too big"},
        [REPLY_BARE_NEWLINE] = {554, FALSE, "5.6.0", "bare CR or LF in the message: lines end with CRLF"},
        [REPLY_FAULT] = {451, FALSE, "4.3.0", "something is wrong here, try again later"},
        [REPLY_FULL] = {452, FALSE, "4.3.1", "no room here, try again later"},

        [REPLY_TOO_MANY_ERRORS] = {421, FALSE, "4.7.0", "too many errors, closing"},
        [REPLY_TOO_MANY_UNKNOWN] = {421, FALSE, "4.7.0", "too many unknown recipients, come back later"},
        [REPLY_LOGIN_ENDED] = {421, FALSE, "4.7.0", AUTH_ENDED_TEXT},
        [REPLY_LOGIN_UNKNOWN] = {421, FALSE, "4.3.0", "can't look for your account now, come back later"},
        [REPLY_STOPPING] = {421, FALSE, "4.3.2", "shutting down, come back soon"},
};

const SmtpReply *
smtp_reply_of(SmtpReplyId id)
{
        return &REPLIES[id < REPLY_LAST ? id : REPLY_FAULT];
}

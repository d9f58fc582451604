/* internal.h -- what the files of the POP3 door share.
 *
 *      session.c       the loop, the commands of both states
 *      login.c         STLS, USER and PASS, AUTH
 *      sending.c       RETR, TOP, LIST and UIDL, at the reader's pace
 *
 * A session may park wherever it waits for its client; what it waits for is its phase. Nothing is kept on the stack then.
 */
#pragma once

#include "auth/exchange.h"
#include "base/log.h"
#include "pop3/dot.h"
#include "pop3/pop3.h"

#include <netinet/in.h>

struct Pop3Door {
        char *hostname;
        Store *store;
        Auth *auth;
        TlsContext *tls;
};

typedef enum Pop3Phase {
        POP3_PHASE_COMMAND = 0,
        POP3_PHASE_SASL,        /* the client's next SASL message                  */
        POP3_PHASE_SENDING,     /* a long answer, `sending` says how far            */
        POP3_PHASE_HANDSHAKE,   /* TLS                                             */
        POP3_PHASE_DELAY,       /* the time that a wrong password costs            */
        POP3_PHASE_CLOSE,
} Pop3Phase;

typedef enum SendingKind {
        SENDING_LIST = 0,
        SENDING_UIDL,
        SENDING_MESSAGE,
        SENDING_TOP,
} SendingKind;

/* A long answer and how far it is. */
typedef struct Sending {
        SendingKind kind;
        guint32 next;           /* LIST, UIDL: the message to be listed next */
        MaildropMessage *message;
        guint64 left;           /* octets of it */
        DotState dots;
        TopState top;
} Sending;

typedef struct Pop3Session {
        Session session;
        Pop3Phase phase;
        guint errors;           /* commands in error, wrong passwords */
        char *user;             /* of USER, until PASS      */
        char *account;          /* who logged in            */
        Maildrop *drop;         /* set: TRANSACTION state   */
        AuthHold *hold;         /* on the account, while there is a maildrop */
        guint32 n_retrieved;
        SaslExchange *exchange; /* AUTH under way, else NULL */
        Sending sending;
        char client[INET6_ADDRSTRLEN];
        gboolean is_loopback;
} Pop3Session;

typedef enum Pop3Step {
        POP3_STEP_AGAIN = 0,    /* park until something comes               */
        POP3_STEP_DONE,         /* go on, in whatever phase it is now       */
} Pop3Step;

Pop3Door *pop3_door(const Pop3Session *s);

/* session.c */
void pop3_ok(Pop3Session *s, const char *text);
void pop3_err(Pop3Session *s, const char *text);        /* a refusal */
void pop3_bad(Pop3Session *s, const char *text);        /* an error of the client's: too many of them close */
void pop3_log_fault(const Pop3Session *s, const char *doing, const GError *error);
gboolean pop3_session_open(Session *session);
SessionNext pop3_session_run(Session *session);
void pop3_session_close(Session *session);
gboolean pop3_session_is_amid(const Session *session);   /* a long answer is under way */

/* login.c */
gboolean pop3_allows_password(const Pop3Session *s);
const char *pop3_sasl_list(const Pop3Session *s, char ret[SASL_LIST_OCTETS]);   /* " PLAIN LOGIN", or "" */
gboolean pop3_offers_tls(const Pop3Session *s);
void pop3_user(Pop3Session *s, Span args);
void pop3_pass(Pop3Session *s, Span args);
void pop3_auth(Pop3Session *s, Span args);
void pop3_stls(Pop3Session *s, Span args);
Pop3Step pop3_step_sasl(Pop3Session *s);
Pop3Step pop3_step_handshake(Pop3Session *s);
void pop3_end_delay(Pop3Session *s);
void pop3_forget_user(Pop3Session *s);

/* sending.c */
void pop3_send_list(Pop3Session *s, SendingKind kind);
/* One line of LIST or UIDL for message i, with its end, at most POP3_LIST_LINE_MAX octets. */
#define POP3_LIST_LINE_MAX 96
gsize pop3_list_line(const Pop3Session *s, SendingKind kind, guint32 i, char *ret_line);
void pop3_send_message(Pop3Session *s, guint32 i, SendingKind kind, guint64 lines);
Pop3Step pop3_step_sending(Pop3Session *s);
void pop3_sending_end(Pop3Session *s);

typedef enum Pop3Event {
        POP3_EVENT_LOGIN = 0,
        POP3_EVENT_AUTH_FAILED,
        POP3_EVENT_QUIT,
        POP3_EVENT_TLS_FAILED,
        POP3_EVENT_INJECTION,
        POP3_EVENT_CLOSED,
        POP3_EVENT_FAULT,
} Pop3Event;

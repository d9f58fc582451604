/* internal.h -- what the files of the SMTP doors share: the session, its transaction and its phases.
 *
 *      session.c       the loop, the greeting, the simple commands
 *      transaction.c   MAIL, RCPT, DATA, BDAT and the answer to a message
 *      login.c         STARTTLS and AUTH
 *
 * A session may park wherever it waits for its client; what it waits for is its phase. Nothing is kept on the stack then.
 */
#pragma once

#include "auth/exchange.h"
#include "base/log.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/reply.h"
#include "smtp/smtp.h"

#include <netinet/in.h>

#define REFUSED_MAX     1000            /* recipients refused in a session, whatever the reason, before 421 */

struct SmtpDoor {
        SmtpDoorSettings settings;
        char *hostname;
        Intake *intake;
        Auth *auth;
        Guesses *guesses;
        TlsContext *tls;
};

/* What the session waits for. */
typedef enum SmtpPhase {
        PHASE_COMMAND = 0,
        PHASE_AUTH,             /* the client's next SASL message                   */
        PHASE_DATA,             /* octets of the message, up to CRLF.CRLF           */
        PHASE_CHUNK,            /* octets of a BDAT chunk                           */
        PHASE_HANDSHAKE,        /* TLS                                              */
        PHASE_DELAY,            /* the time before `delayed` may be sent            */
        PHASE_CLOSE,
} SmtpPhase;

/* Who logged in. */
typedef struct SmtpLogin {
        gint64 account;
        AuthHold *hold;
        Address address;        /* owned by `octets` */
        char *text;             /* local@domain */
        char octets[];
} SmtpLogin;

/* From MAIL to the end of the message, or whatever comes before that. */
typedef struct Transaction {
        Arena *arena;
        Submission *submission;
        char *sender;           /* in brackets, for the log */
        DataDecoder decoder;
        gboolean is_utf8;
        gboolean has_chunks;    /* BDAT has begun */
        guint64 chunk_octets;   /* of all chunks so far, as they came */
        gboolean is_dropped;    /* too big, or a fault: intake_accept() says which, the rest is read and dropped */
} Transaction;

typedef struct SmtpSession {
        Session session;
        SmtpPhase phase;
        gboolean is_extended;   /* EHLO or LHLO, not HELO */
        guint errors;           /* replies marked is_error so far             */
        guint refused;          /* recipients refused so far                  */
        guint unknown;          /* of these, distinct unknown ones (guesses)  */
        char *helo;             /* NULL: no hello yet */
        SmtpLogin *login;       /* NULL: a stranger */
        Transaction *transaction;
        guint64 chunk_left;     /* octets of this chunk still to come */
        gboolean chunk_is_last;
        SmtpReplyId chunk_refusal;      /* answered when the chunk has been read and dropped */
        SaslExchange *exchange; /* AUTH under way, else NULL */
        SmtpReplyId delayed;    /* answered when PHASE_DELAY ends ... */
        char *delayed_text;     /* ... or this, if set                */
        char client[INET6_ADDRSTRLEN];
        gboolean is_loopback;
} SmtpSession;

/* One line of a role: what differs between the doors. */
typedef struct SmtpRoleRow {
        const char *service;    /* in the greeting */
        const char *protocol;   /* Received's `with`, without S and A (RFC 3848) */
        Origin origin;
        gboolean is_lmtp;
        gboolean has_auth;
} SmtpRoleRow;
const SmtpRoleRow *smtp_role(const SmtpSession *s);
SmtpDoor *smtp_door(const SmtpSession *s);

typedef enum SmtpStep {
        STEP_AGAIN = 0,         /* park until something comes */
        STEP_DONE,              /* go on, in whatever phase it is now */
} SmtpStep;

/* session.c */
void smtp_reply(SmtpSession *s, SmtpReplyId id);
void smtp_reply_status(SmtpSession *s, Status status, const char *text);
/* Reply after the delay; no thread waits meanwhile. `take_text` NULL: the text of the table. Then the session goes on. */
void smtp_reply_later(SmtpSession *s, Usec delay, SmtpReplyId id, char *take_text);
void smtp_log_fault(const SmtpSession *s, const char *doing, const GError *error);
SessionNext smtp_session_run(Session *session);
gboolean smtp_session_open(Session *session);
void smtp_session_close(Session *session);
gboolean smtp_session_is_amid(const Session *session);   /* a message is coming */

/* transaction.c */
void smtp_mail(SmtpSession *s, Span args);
void smtp_rcpt(SmtpSession *s, Span args);
void smtp_data(SmtpSession *s, Span args);
void smtp_bdat(SmtpSession *s, Span args);
SmtpStep smtp_step_data(SmtpSession *s);
SmtpStep smtp_step_chunk(SmtpSession *s);
/* The one way out of a transaction: RSET, EHLO, STARTTLS, end of message, QUIT, loss of the connection. */
void smtp_transaction_end(SmtpSession *s);

/* login.c */
void smtp_starttls(SmtpSession *s, Span args);
void smtp_auth(SmtpSession *s, Span args);
SmtpStep smtp_step_handshake(SmtpSession *s);
SmtpStep smtp_step_auth(SmtpSession *s);
gboolean smtp_has_auth(const SmtpSession *s);            /* at this door, if not always */
void smtp_forget_login(SmtpSession *s);
/* REPLY_NONE: nobody has logged in, or his account is still his; else the session ends with that. */
SmtpReplyId smtp_check_login(SmtpSession *s);
const char *smtp_auth_list(const SmtpSession *s, char ret[SASL_LIST_OCTETS]);   /* what can be had now: " PLAIN LOGIN", or "" */
gboolean smtp_offers_tls(const SmtpSession *s);

/* Log events of this room, with their manual. */
typedef enum SmtpEvent {
        EVENT_CONNECT = 0,
        EVENT_ACCEPTED,
        EVENT_REFUSED,
        EVENT_LOGIN,
        EVENT_AUTH_FAILED,
        EVENT_TLS_FAILED,
        EVENT_INJECTION,
        EVENT_CLOSED,
        EVENT_FAULT,
} SmtpEvent;

/* smtp.h -- the SMTP doors: MX, submission, LMTP.
 *
 * A door knows the protocol and nothing about routing or storage: it asks intake at RCPT and hands it the message. One session code for
 * three roles; what differs is a row of a table. Extensions: STARTTLS (never again once on, not on Unix sockets), PIPELINING, SIZE, 8BITMIME, SMTPUTF8,
 * ENHANCEDSTATUSCODES, CHUNKING, AUTH (submission; the mechanisms of auth/exchange.h, each where it may be used).
 *
 * End of DATA is CRLF.CRLF and nothing else. A message with a bare CR or LF is refused 554 5.6.0 at its end (MX) or normalised to
 * CRLF (submission; settings). At STARTTLS unread input closes the connection; all state from before is dropped.
 *
 * Threads  doors never change after *_new(); sessions as in net/service.h.
 * RFC      5321, 3207, 2920, 1870, 6152, 6531, 2034, 3463, 3030, 4954, 2033 (LMTP), 6409 (submission), 8314 (implicit TLS).
 */
#pragma once

#include "auth/auth.h"
#include "base/log.h"
#include "intake/intake.h"
#include "net/service.h"
#include "trust/guesses.h"

typedef enum SmtpRole {
        SMTP_MX = 0,            /* strangers; nobody relays                                           */
        SMTP_SUBMISSION,        /* AUTH first (530 5.7.0); our own users                               */
        SMTP_LMTP,              /* LHLO, an answer per recipient; loopback or Unix socket only         */
} SmtpRole;

typedef enum SmtpBareNewline {
        SMTP_BARE_REFUSE = 0,
        SMTP_BARE_NORMALISE,
} SmtpBareNewline;

typedef struct SmtpDoorSettings {
        SmtpRole role;
        const char *hostname;           /* A-label; in the greeting and EHLO                 */
        TlsContext *tls;                /* for STARTTLS; NULL: not offered                   */
        SmtpBareNewline bare_newline;
        guint64 max_size;               /* SIZE                                              */
        guint max_recipients;           /* beyond: 452 4.5.3                                 */
        guint max_errors;               /* commands in error before 421: 20                  */
} SmtpDoorSettings;

typedef struct SmtpDoor SmtpDoor;

/* auth may be NULL for MX and LMTP, guesses NULL for LMTP. */
SmtpDoor *smtp_door_new(const SmtpDoorSettings *settings, Intake *intake, Auth *auth, Guesses *guesses) G_GNUC_WARN_UNUSED_RESULT;
void smtp_door_free(SmtpDoor *door);

/* For service_take_listener(); its `door` is a SmtpDoor. */
extern const Protocol SMTP_PROTOCOL;
extern const Protocol LMTP_PROTOCOL;

/* Tables with their manual inside, for the reference manual. The events end with a row whose name is NULL. */
typedef struct SmtpCommandRow {
        const char *word;
        const char *form;       /* "MAIL FROM:<address> [parameters]" */
        const char *manual;
} SmtpCommandRow;
extern const LogEvent SMTP_EVENTS[];
const SmtpCommandRow *smtp_command(gsize i);       /* from 0; NULL behind the last */

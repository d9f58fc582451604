/* door.c -- the doors themselves, and their log events. */
#include "smtp/internal.h"

const LogEvent SMTP_EVENTS[] = {
        [EVENT_CONNECT] = {"smtp.connect", LOG_DEBUG, "a client has connected"},
        [EVENT_ACCEPTED] = {"smtp.accepted", LOG_INFO,
                            "a message was accepted and is on disk; `restante trace ID` shows where it went"},
        [EVENT_REFUSED] = {"smtp.refused", LOG_INFO,
                           "a sender, recipient or message was refused or put off; reply says how"},
        [EVENT_LOGIN] = {"smtp.login", LOG_INFO, "a client has authenticated"},
        [EVENT_AUTH_FAILED] =
                {"smtp.auth-failed", LOG_WARNING,
                 "somebody gave a wrong name, password or token (then with the reason); repeated from one "
                 "address it is guessing, slowed down by itself"},
        [EVENT_TLS_FAILED] =
                {"smtp.tls-failed", LOG_INFO,
                 "a TLS handshake failed; when all clients fail, look at the certificate with `restante check`"},
        [EVENT_INJECTION] = {"smtp.injection", LOG_WARNING,
                             "a client sent more behind STARTTLS before TLS was on; it was cut off (RFC 3207 §4.2)"},
        [EVENT_CLOSED] = {"smtp.closed", LOG_INFO, "a connection was closed for its errors or its guessing"},
        [EVENT_FAULT] = {"smtp.fault", LOG_ERROR,
                         "something failed here and the client was asked to come back; the text says what"},
        {NULL, LOG_DEBUG, NULL},
};

SmtpDoor *
smtp_door_new(const SmtpDoorSettings *settings, Intake *intake, Auth *auth, Guesses *guesses)
{
        SmtpDoor *door = g_new0(SmtpDoor, 1);

        door->settings = *settings;
        door->hostname = g_strdup(settings->hostname);
        door->settings.hostname = door->hostname;
        door->settings.tls = NULL;
        door->tls = tls_context_ref(settings->tls);
        door->intake = intake;
        door->auth = auth;
        door->guesses = guesses;
        return door;
}

void
smtp_door_free(SmtpDoor *door)
{
        if (door == NULL)
                return;
        tls_context_unref(door->tls);
        g_free(door->hostname);
        g_free(door);
}

static const SmtpRoleRow ROLES[] = {
        [SMTP_MX] = {"ESMTP", "SMTP", ORIGIN_STRANGER, FALSE, FALSE},
        [SMTP_SUBMISSION] = {"ESMTP submission", "SMTP", ORIGIN_CLIENT, FALSE, TRUE},
        [SMTP_LMTP] = {"LMTP", "LMTP", ORIGIN_LMTP, TRUE, FALSE},
};

SmtpDoor *
smtp_door(const SmtpSession *s)
{
        return session_door(&s->session);
}

const SmtpRoleRow *
smtp_role(const SmtpSession *s)
{
        return &ROLES[smtp_door(s)->settings.role];
}

#define SMTP_BUSY "421 4.7.0 too many connections, come back later\r\n"
#define SMTP_TIMED_OUT "421 4.4.2 timed out, closing\r\n"
#define SMTP_STOPPING "421 4.3.2 shutting down, come back soon\r\n"
#define SMTP_IDLE (5 * USEC_PER_MINUTE) /* RFC 5321 §4.5.3.2.7 */

const Protocol SMTP_PROTOCOL = {
        .name = "smtp",
        .session_octets = sizeof(SmtpSession),
        .open = smtp_session_open,
        .run = smtp_session_run,
        .close = smtp_session_close,
        .busy = SMTP_BUSY,
        .timed_out = SMTP_TIMED_OUT,
        .stopping = SMTP_STOPPING,
        .is_amid = smtp_session_is_amid,
        .idle = SMTP_IDLE,
};

const Protocol LMTP_PROTOCOL = {
        .name = "lmtp",
        .session_octets = sizeof(SmtpSession),
        .open = smtp_session_open,
        .run = smtp_session_run,
        .close = smtp_session_close,
        .busy = SMTP_BUSY,
        .timed_out = SMTP_TIMED_OUT,
        .stopping = SMTP_STOPPING,
        .is_amid = smtp_session_is_amid,
        .idle = SMTP_IDLE,
};

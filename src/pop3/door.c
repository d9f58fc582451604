/* door.c -- the POP3 door, and its log events. */
#include "pop3/internal.h"

const LogEvent POP3_EVENTS[] = {
        [POP3_EVENT_LOGIN] = {"pop3.login", LOG_INFO, "a client has opened its maildrop"},
        [POP3_EVENT_AUTH_FAILED] =
                {"pop3.auth-failed", LOG_WARNING,
                 "somebody gave a wrong name, password or token (then with the reason); repeated from one "
                 "address it is guessing, slowed down by itself"},
        [POP3_EVENT_QUIT] = {"pop3.quit", LOG_INFO, "a session ended with QUIT; what it deleted is gone from the disk"},
        [POP3_EVENT_TLS_FAILED] =
                {"pop3.tls-failed", LOG_INFO,
                 "a TLS handshake failed; when all clients fail, look at the certificate with `restante check`"},
        [POP3_EVENT_INJECTION] = {"pop3.injection", LOG_WARNING,
                                  "a client sent more behind STLS before TLS was on; it was cut off (RFC 2595 §4)"},
        [POP3_EVENT_CLOSED] = {"pop3.closed", LOG_INFO, "a connection was closed for its errors"},
        [POP3_EVENT_FAULT] = {"pop3.fault", LOG_ERROR, "something failed here; the text says what"},
        {NULL, LOG_DEBUG, NULL},
};

Pop3Door *
pop3_door_new(const Pop3DoorSettings *settings, Store *store, Auth *auth)
{
        Pop3Door *door = g_new0(Pop3Door, 1);

        door->hostname = g_strdup(settings->hostname);
        door->tls = tls_context_ref(settings->tls);
        door->store = store;
        door->auth = auth;
        return door;
}

void
pop3_door_free(Pop3Door *door)
{
        if (door == NULL)
                return;
        tls_context_unref(door->tls);
        g_free(door->hostname);
        g_free(door);
}

Pop3Door *
pop3_door(const Pop3Session *s)
{
        return session_door(&s->session);
}

const Protocol POP3_PROTOCOL = {
        .name = "pop3",
        .session_octets = sizeof(Pop3Session),
        .open = pop3_session_open,
        .run = pop3_session_run,
        .close = pop3_session_close,
        .busy = "-ERR [SYS/TEMP] too many connections, come back later\r\n",
        .timed_out = "-ERR [SYS/TEMP] timed out\r\n",
        .is_amid = pop3_session_is_amid,
        .stopping = "-ERR [SYS/TEMP] shutting down, come back soon\r\n",
        .idle = 10 * USEC_PER_MINUTE, /* RFC 1939 §3: at least */
};

/* door.c -- the IMAP door, and its log events. */
#include "imap/internal.h"

const LogEvent IMAP_EVENTS[] = {
        [IMAP_EVENT_LOGIN] = {"imap.login", LOG_INFO, "a client has logged in; id: what it calls itself"},
        [IMAP_EVENT_AUTH_FAILED] =
                {"imap.auth-failed", LOG_WARNING,
                 "somebody gave a wrong name, password or token (then with the reason); repeated from one "
                 "address it is guessing, slowed down by itself"},
        [IMAP_EVENT_LOGOUT] = {"imap.logout", LOG_INFO, "a client has logged out"},
        [IMAP_EVENT_TLS_FAILED] =
                {"imap.tls-failed", LOG_INFO,
                 "a TLS handshake failed; when all clients fail, look at the certificate with `restante check`"},
        [IMAP_EVENT_INJECTION] = {"imap.injection", LOG_WARNING,
                                  "a client sent more behind STARTTLS before TLS was on; it was cut off"},
        [IMAP_EVENT_CLOSED] = {"imap.closed", LOG_INFO, "a connection was closed for its errors"},
        [IMAP_EVENT_FAULT] = {"imap.fault", LOG_ERROR, "something failed here; the text says what"},
        {NULL, LOG_DEBUG, NULL},
};

ImapDoor *
imap_door_new(const ImapDoorSettings *settings, Store *store, Auth *auth, Directory *directory)
{
        ImapDoor *door = g_new0(ImapDoor, 1);

        door->hostname = g_strdup(settings->hostname);
        door->off = g_strdupv((char **) settings->off);
        door->settings = *settings;
        door->settings.hostname = door->hostname;
        door->settings.off = (const char *const *) door->off;
        door->settings.tls = tls_context_ref(settings->tls);
        door->store = store;
        door->auth = auth;
        door->directory = directory;
        return door;
}

void
imap_door_free(ImapDoor *door)
{
        if (door == NULL)
                return;
        tls_context_unref(door->settings.tls);
        g_strfreev(door->off);
        g_free(door->hostname);
        g_free(door);
}

ImapDoor *
imap_door(const ImapSession *s)
{
        return session_door(&s->session);
}

Store *
imap_store(const ImapSession *s)
{
        return imap_door(s)->store;
}

const ImapDoorSettings *
imap_settings(const ImapSession *s)
{
        return &imap_door(s)->settings;
}

const Protocol IMAP_PROTOCOL = {
        .name = "imap",
        .session_octets = sizeof(ImapSession),
        .open = imap_session_open,
        .run = imap_session_run,
        .close = imap_session_close,
        .busy = "* BYE [UNAVAILABLE] too many connections, come back later\r\n",
        .timed_out = "* BYE timed out\r\n",
        .is_amid = imap_session_is_amid,
        .stopping = "* BYE shutting down, come back soon\r\n",
        .idle = IMAP_IDLE_BEFORE_LOGIN,
};

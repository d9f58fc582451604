/* starttls.c -- the steps from a connection in the clear to TLS. */
#include "net/starttls.h"

gboolean
starttls_is_offered(const Session *session, const TlsContext *tls, const char *client)
{
        return tls != NULL && !stream_is_tls(session->stream) && !stream_is_compressed(session->stream) && strcmp(client, "unix") != 0;
}

gboolean
starttls_may_begin(Session *session, const char *client, const LogEvent *injection)
{
        if (!stream_has_input(session->stream))
                return TRUE;
        log_event(injection, "client=%s", client);
        return FALSE;
}

StreamAnswer
starttls_step(Session *session, TlsContext *tls, const char *client, const LogEvent *failed)
{
        StreamAnswer answer = tls != NULL ? stream_start_tls(session->stream, tls, NULL) : STREAM_FAILED;

        if (answer == STREAM_AGAIN || answer == STREAM_OK)
                return answer;
        log_event(failed, "client=%s reason=%s", client, log_text(span_of(stream_reason(session->stream))));
        return STREAM_FAILED;
}

/* starttls.h -- STARTTLS and STLS in a session of the service: the same at every door.
 *
 *      the command -> starttls_is_offered() -> starttls_may_begin() -> the door says yes and flushes
 *      each turn   -> starttls_step() until it no longer answers AGAIN; then the door forgets what was said in the clear
 *
 * The texts that clients read, and what is forgotten, are the door's.
 *
 * Threads  the session's.
 * RFC      3207 §4, 2595 §4, 9051 §6.2.1.
 */
#pragma once

#include "base/log.h"
#include "net/service.h"

/* client: address text of the peer, as stream_peer() told it; "unix" needs no TLS. tls NULL: the door has no certificate. */
gboolean starttls_is_offered(const Session *session, const TlsContext *tls, const char *client);

/* FALSE: more has come behind the command, said in the clear by anybody (RFC 3207 §4.2); `injection` has been logged, close. */
gboolean starttls_may_begin(Session *session, const char *client, const LogEvent *injection) G_GNUC_WARN_UNUSED_RESULT;

/* STREAM_AGAIN: park. STREAM_OK: TLS is on. STREAM_FAILED: `failed` has been logged, close. Nothing else comes. */
StreamAnswer starttls_step(Session *session, TlsContext *tls, const char *client, const LogEvent *failed) G_GNUC_WARN_UNUSED_RESULT;

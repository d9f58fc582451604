/* tls.h -- certificates and TLS settings; the handshake itself is stream.h's.
 *
 * Threads  any; a TlsContext never changes. Reload makes a new one and swaps it; sessions keep what they began with.
 */
#pragma once

#include "base/error.h"
#include "base/span.h"

typedef struct TlsContext TlsContext;

/* Server side: TLS 1.2 and later, certificate chain and key in PEM files. FAULT_INPUT names the file and what is wrong with
 * it (missing, unreadable, key does not fit, expired is only a warning of `check`). */
TlsContext *tls_server_new(const char *certificate_path, const char *key_path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Client side. verify: certificate chain against the system's CA store, opened now, and host name; without it anything goes
 * (opportunistic). ca_path: an additional PEM file or NULL. */
TlsContext *tls_client_new(gboolean verify, const char *ca_path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

TlsContext *tls_context_ref(TlsContext *tls);
void tls_context_unref(TlsContext *tls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsContext, tls_context_unref)

/* Make a self-signed certificate for a host name, valid ten years, into two PEM files (key mode 0600, made with O_EXCL). */
gboolean tls_make_self_signed(const char *hostname, const char *certificate_path, const char *key_path, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* When the certificate in use ends (real time), for `check`. */
gint64 tls_not_after(const TlsContext *tls);

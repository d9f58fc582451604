/* binding.c -- what ties a login to the TLS connection it is made on (RFC 5056). */
#include "net/internal.h"

#include <openssl/x509.h>

#define EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define EXPORTER_OCTETS 32

/* RFC 9266 §2. For TLS 1.2 it would want the extended master secret as tls-unique does, which clients of that age know. */
static gsize
bind_exporter(SSL *ssl, guint8 ret[STREAM_BINDING_MAX])
{
        if (SSL_version(ssl) < TLS1_3_VERSION ||
            SSL_export_keying_material(ssl, ret, EXPORTER_OCTETS, EXPORTER_LABEL, strlen(EXPORTER_LABEL), NULL, 0, 0) != 1)
                return 0;
        return EXPORTER_OCTETS;
}

/* RFC 5929 §3: the first Finished message of the handshake, the client's unless a session was resumed. Not defined for TLS 1.3, and
 * not unique without the extended master secret (RFC 7627). */
static gsize
bind_unique(SSL *ssl, guint8 ret[STREAM_BINDING_MAX])
{
        if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) != 1)
                return 0;
        gboolean is_ours = (SSL_is_server(ssl) == 1) == (SSL_session_reused(ssl) == 1);
        gsize n = is_ours ? SSL_get_finished(ssl, ret, STREAM_BINDING_MAX) : SSL_get_peer_finished(ssl, ret, STREAM_BINDING_MAX);
        return n <= STREAM_BINDING_MAX ? n : 0;
}

/* RFC 5929 §4.1: the certificate's own hash, SHA-256 in the place of MD5 and SHA-1. None for signatures without one (Ed25519). */
static gsize
bind_end_point(SSL *ssl, guint8 ret[STREAM_BINDING_MAX])
{
        X509 *certificate = SSL_is_server(ssl) == 1 ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
        int digest = NID_undef;
        unsigned int n = 0;

        if (certificate == NULL || X509_get_signature_info(certificate, &digest, NULL, NULL, NULL) != 1)
                return 0;
        const EVP_MD *md = digest == NID_md5 || digest == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(digest);
        return md != NULL && X509_digest(certificate, md, ret, &n) == 1 ? n : 0;
}

gsize
stream_binding(const Stream *stream, StreamBinding kind, guint8 ret[STREAM_BINDING_MAX])
{
        G_STATIC_ASSERT(STREAM_BINDING_MAX >= EVP_MAX_MD_SIZE);

        if (stream->phase != TLS_UP)
                return 0;
        switch (kind) {
        case STREAM_TLS_EXPORTER:
                return bind_exporter(stream->ssl, ret);
        case STREAM_TLS_UNIQUE:
                return bind_unique(stream->ssl, ret);
        case STREAM_TLS_SERVER_END_POINT:
                return bind_end_point(stream->ssl, ret);
        }
        return 0;
}

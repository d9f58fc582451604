/* tls.c -- certificates and settings of both sides. */
#include "net/internal.h"

#include "base/clock.h"
#include "base/id.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

/* OpenSSL's last words for the log. */
static const char *
tls_words(void)
{
        unsigned long code = ERR_peek_last_error();
        const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

        return text != NULL ? text : "no reason given";
}

static TlsContext *
tls_context_new(const SSL_METHOD *method, gboolean is_client)
{
        TlsContext *tls = g_new0(TlsContext, 1);

        ERR_clear_error();
        tls->references = 1;
        tls->is_client = is_client;
        tls->ctx = SSL_CTX_new(method);
        g_assert(tls->ctx != NULL);     /* only without memory */
        SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
        SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        /* Buffers only while a record is in them: most connections are parked. */
        SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                           SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
        return tls;
}

TlsContext *
tls_context_ref(TlsContext *tls)
{
        if (tls != NULL)
                g_atomic_int_inc(&tls->references);
        return tls;
}

void
tls_context_unref(TlsContext *tls)
{
        if (tls == NULL || !g_atomic_int_dec_and_test(&tls->references))
                return;
        SSL_CTX_free(tls->ctx);
        g_free(tls);
}

static gint64
tls_seconds(const ASN1_TIME *time)
{
        struct tm tm;

        if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1)
                return 0;
        return (gint64) timegm(&tm);
}

gint64
tls_not_after(const TlsContext *tls)
{
        return tls->not_after;
}

static gboolean
tls_is_readable(const char *path, GError **error)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return fault(error, FAULT_INPUT, "%s: %s", path, g_strerror(errno));
        (void) close(fd);
        return TRUE;
}

/* Refuse a key that needs a passphrase instead of asking for one on the terminal. */
static int
tls_no_passphrase(char *buffer, int size, int is_writing, void *data)
{
        return -1;
}

TlsContext *
tls_server_new(const char *certificate_path, const char *key_path, GError **error)
{
        if (!tls_is_readable(certificate_path, error) || !tls_is_readable(key_path, error))
                return NULL;

        g_autoptr(TlsContext) tls = tls_context_new(TLS_server_method(), FALSE);
        SSL_CTX_set_default_passwd_cb(tls->ctx, tls_no_passphrase);
        SSL_CTX_set_num_tickets(tls->ctx, 1);
        if (SSL_CTX_use_certificate_chain_file(tls->ctx, certificate_path) != 1) {
                fault(error, FAULT_INPUT, "%s: no PEM certificate that can be used (%s)", certificate_path, tls_words());
                return NULL;
        }
        /* Loading a key checks it against the certificate, so a misfit shows here already. */
        if (SSL_CTX_use_PrivateKey_file(tls->ctx, key_path, SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(tls->ctx) != 1) {
                int reason = ERR_GET_REASON(ERR_peek_last_error());
                if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH)
                        fault(error, FAULT_INPUT, "%s: this key does not belong to the certificate in %s", key_path,
                              certificate_path);
                else
                        fault(error, FAULT_INPUT, "%s: no PEM key that can be used (%s)", key_path, tls_words());
                return NULL;
        }
        tls->not_after = tls_seconds(X509_get0_notAfter(SSL_CTX_get0_certificate(tls->ctx)));
        return g_steal_pointer(&tls);
}

/* The system's CA store as one file, where there is one: read now, for later the sandbox may be closed. */
static void
tls_load_system_store(SSL_CTX *ctx)
{
        const char *paths[] = {g_getenv(X509_get_default_cert_file_env()), X509_get_default_cert_file(),
                               "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

        for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
                if (paths[i] != NULL && access(paths[i], R_OK) == 0 && SSL_CTX_load_verify_file(ctx, paths[i]) == 1)
                        return;
        (void) SSL_CTX_set_default_verify_dir(ctx);
}

TlsContext *
tls_client_new(gboolean verify, const char *ca_path, GError **error)
{
        g_autoptr(TlsContext) tls = tls_context_new(TLS_client_method(), TRUE);

        tls->is_verifying = verify;
        SSL_CTX_set_verify(tls->ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
        if (verify)
                tls_load_system_store(tls->ctx);
        if (verify && ca_path != NULL) {
                if (!tls_is_readable(ca_path, error))
                        return NULL;
                if (SSL_CTX_load_verify_file(tls->ctx, ca_path) != 1) {
                        fault(error, FAULT_INPUT, "%s: no PEM certificate that can be used (%s)", ca_path, tls_words());
                        return NULL;
                }
        }
        return g_steal_pointer(&tls);
}

/* A certificate of our own ---------------------------------------------------------------------------------------- */

#define SELF_SIGNED_SECONDS (10L * 365 * 24 * 60 * 60)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

static gboolean
x509_add(X509 *certificate, int nid, const char *value)
{
        X509V3_CTX context;

        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
        gboolean is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
        X509_EXTENSION_free(extension);
        return is_added;
}

static X509 *
x509_new_self_signed(const char *hostname, EVP_PKEY *key)
{
        g_autoptr(X509) certificate = X509_new();
        g_autofree char *names = g_strdup_printf("DNS:%s", hostname);
        guint64 serial;

        if (certificate == NULL)
                return NULL;
        random_octets(&serial, sizeof(serial));
        X509_NAME *subject = X509_get_subject_name(certificate);
        /* A common name holds 64 octets at most; the alternative name is the one that counts (RFC 6125 §6.4.4). */
        gboolean is_short = strlen(hostname) <= 64;
        if (X509_set_version(certificate, X509_VERSION_3) != 1 ||
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) != 1 ||
            X509_gmtime_adj(X509_getm_notBefore(certificate), -60 * 60L) == NULL ||
            X509_gmtime_adj(X509_getm_notAfter(certificate), SELF_SIGNED_SECONDS) == NULL ||
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const guchar *) (is_short ? hostname : "self-signed"),
                                       -1, -1, 0) != 1 ||
            X509_set_issuer_name(certificate, subject) != 1 || X509_set_pubkey(certificate, key) != 1 ||
            !x509_add(certificate, NID_subject_alt_name, names) ||
            !x509_add(certificate, NID_basic_constraints, "critical,CA:FALSE") ||
            !x509_add(certificate, NID_ext_key_usage, "serverAuth") || X509_sign(certificate, key, EVP_sha256()) == 0)
                return NULL;
        return g_steal_pointer(&certificate);
}

/* A new file only: an existing key is never overwritten. */
static gboolean
pem_write(const char *path, mode_t mode, X509 *certificate, EVP_PKEY *key, GError **error)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd < 0)
                return fault_errno(error, "%s", path);
        FILE *file = fdopen(fd, "w");
        if (file == NULL) {
                (void) close(fd);
                return fault_errno(error, "%s", path);
        }
        int is_written = certificate != NULL ? PEM_write_X509(file, certificate)
                                             : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
        gboolean is_synced = fflush(file) == 0 && fsync(fd) == 0;
        int saved = errno;
        if (fclose(file) == 0 && is_synced && is_written == 1)
                return TRUE;
        (void) unlink(path);
        errno = saved;
        return fault_errno(error, "%s", path);
}

/* What goes into the extension's little language must be a host name and nothing of that language. */
static gboolean
is_host_name(const char *name)
{
        gsize len = strlen(name);

        return len > 0 && len <= 253 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len;
}

gboolean
tls_make_self_signed(const char *hostname, const char *certificate_path, const char *key_path, GError **error)
{
        if (!is_host_name(hostname))
                return fault(error, FAULT_INPUT, "%s: not a host name", hostname);
        ERR_clear_error();
        g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
        g_autoptr(X509) certificate = key != NULL ? x509_new_self_signed(hostname, key) : NULL;
        if (certificate == NULL)
                return fault(error, FAULT_INTERNAL, "could not make a certificate for %s: %s", hostname, tls_words());
        if (!pem_write(key_path, 0600, NULL, key, error))
                return FALSE;
        if (!pem_write(certificate_path, 0644, certificate, NULL, error)) {
                (void) unlink(key_path);
                return FALSE;
        }
        return TRUE;
}

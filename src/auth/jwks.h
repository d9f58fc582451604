/* jwks.h -- public keys that tokens are signed with: a JWK Set, read once, and the checking of one signature.
 *
 * A key says by itself what it may be used for: its type and curve, and `alg` where it has one. A signature of any other algorithm is not
 * looked at, so a token can't choose (a public RSA key is never taken for the secret of an HMAC).
 *
 *      kty RSA, of 2048 to 8192 bits       RS256 RS384 RS512 PS256
 *      kty EC, P-256 or P-384              ES256, ES384
 *      kty OKP, Ed25519                    EdDSA
 *      kty oct, of 32 octets or more       HS256
 *
 * Keys for encryption (`use`, `key_ops`), of types, curves and algorithms not among these are passed over, as RFC 7517 §5 asks. A key of these
 * types that is broken makes the whole set wrong: half of what somebody meant is worse than a message.
 *
 * Threads  any; a Jwks never changes.
 * Memory   heap; secrets of `oct` keys are wiped.
 * RFC      7517, 7518 §3 and §6, 8037 (EdDSA).
 */
#pragma once

#include "base/error.h"
#include "base/span.h"

#define JWKS_OCTETS_MAX         ((gsize) 256 * 1024)
#define JWKS_KEYS_MAX           100
#define JWKS_NAME_MAX           256     /* octets of a kid */

typedef enum JwsAlgorithm {
        JWS_NONE = 0,           /* "none", and whatever we do not check */
        JWS_RS256,
        JWS_RS384,
        JWS_RS512,
        JWS_PS256,
        JWS_ES256,
        JWS_ES384,
        JWS_EDDSA,
        JWS_HS256,
        JWS_ALGORITHMS,
} JwsAlgorithm;
JwsAlgorithm jws_algorithm(Span name);          /* as it is written: case counts (RFC 7515 §4.1.1) */

typedef struct Jwks Jwks;

/* The error says which key is wrong and what about it. */
Jwks *jwks_parse(Span text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same of a file, whose name stands before what is wrong. */
Jwks *jwks_load(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void jwks_free(Jwks *jwks);     /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Jwks, jwks_free)

guint jwks_n_keys(const Jwks *jwks);            /* that can be used; never 0 */
gboolean jwks_has_secret(const Jwks *jwks);     /* an `oct` key, or private parts that do not belong here: others should not read the file */

typedef enum JwksAnswer {
        JWKS_WRONG = 0,         /* not signed by it */
        JWKS_SIGNED,
        JWKS_NO_KEY,            /* none of that name for this algorithm; without a name: none, or more than one */
} JwksAnswer;

/* name: the token's `kid`; has_name: it has one. text: what was signed. */
JwksAnswer jwks_check(const Jwks *jwks, JwsAlgorithm algorithm, gboolean has_name, Span name, Span text, Span signature)
        G_GNUC_WARN_UNUSED_RESULT;

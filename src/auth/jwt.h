/* jwt.h -- is this access token good? Signed JWTs (JWS in its compact form), checked with keys that are here; nobody is asked.
 *
 *      header.payload.signature
 *      the header says algorithm and key -> the signature is checked -> only then the payload is read
 *
 * What holds: `iss` is the issuer, `aud` is or has one of the audiences, `exp` is there and ahead, `nbf` and `iat` are not ahead, all
 * with a minute for clocks that differ; `scope` has what is wanted. The account is the text of one claim.
 *
 * Refused: `alg` none or one that no key is for, `crit` (no extension is known), a `typ` that is not JWT or at+jwt (RFC 9068 asks for the
 * latter, many issuers write the former: what kind of token it is follows from `aud`), tokens bound to a key of the client (`cnf`),
 * which a bearer can't show, an `email` of which the issuer says that it is not verified, and JSON in which anything is twice. Keys
 * and addresses of keys in the header (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
 *
 * Threads  any.
 * Memory   the arena: about twice the token. What was decoded of the signature is wiped.
 * RFC      7515, 7519, 9068 §4, 6749 §3.3 (scope), 8725 (what to beware of).
 */
#pragma once

#include "auth/jwks.h"
#include "base/arena.h"

#define JWT_OCTETS_MAX          ((gsize) 8192)
#define JWT_ARENA_MAX           (4 * JWT_OCTETS_MAX)    /* jwt_verify() needs no more */
#define JWT_LEEWAY_SECONDS      60
#define JWT_ACCOUNT_MAX         1000

typedef enum JwtAnswer {
        JWT_MALFORMED = 0,
        JWT_OK,
        JWT_BAD_ALGORITHM,
        JWT_CRITICAL,
        JWT_BAD_TYPE,
        JWT_NO_KEY,
        JWT_BAD_SIGNATURE,
        JWT_BAD_ISSUER,
        JWT_BAD_AUDIENCE,
        JWT_EXPIRED,            /* or there is no usable `exp` */
        JWT_NOT_YET,
        JWT_BOUND,
        JWT_BAD_ACCOUNT,        /* the claim is not there, or no text, or an unverified `email` */
        JWT_BAD_SCOPE,          /* everything else is right */
        JWT_ANSWERS,
} JwtAnswer;
const char *jwt_words(JwtAnswer answer);        /* for the log */

typedef struct JwtRules {
        const char *issuer;
        const char *const *audiences;           /* NULL-terminated; one of them */
        const char *const *scopes;              /* NULL-terminated; all of them. NULL: none is wanted */
        const char *account_claim;              /* "email" */
} JwtRules;

/* now: seconds since 1970. *ret_account: JWT_OK only; in the arena, UTF-8 without controls, not empty. */
JwtAnswer jwt_verify(const Jwks *keys, const JwtRules *rules, Arena *arena, Span token, gint64 now, Span *ret_account)
        G_GNUC_WARN_UNUSED_RESULT;

/* jwks.c -- a JWK Set (RFC 7517) as keys of OpenSSL, and signatures checked with them (RFC 7518 §3).
 *
 *      JSON -> each key by its type -> numbers within bounds -> EVP_PKEY, which OpenSSL has looked at as well
 */
#include "auth/jwks.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sys/stat.h>
#include <unistd.h>

#define JWKS_DEPTH 16
#define MEMBER_OCTETS_MAX 2048 /* a modulus of 8192 bits is 1,024 */
#define RSA_BITS_MIN 2048      /* RFC 7518 §3.3 */
#define RSA_BITS_MAX 8192
#define RSA_EXPONENT_BITS_MAX 64
#define SECRET_OCTETS_MIN 32 /* RFC 7518 §3.2: as long as the hash, at least */

typedef enum KeyType {
        KEY_RSA = 0,
        KEY_P256,
        KEY_P384,
        KEY_ED25519,
        KEY_OCT,
} KeyType;

typedef struct JwksKey {
        char *name; /* NULL: it has none */
        KeyType type;
        JwsAlgorithm only; /* JWS_NONE: whatever fits the type */
        EVP_PKEY *public;
        guint8 *secret; /* of KEY_OCT */
        gsize n_secret;
} JwksKey;

struct Jwks {
        JwksKey *keys;
        guint n_keys;
        gboolean has_secret;
};

/* Algorithms ------------------------------------------------------------------------------------------------------ */

typedef struct Algorithm {
        const char *name;
        KeyType type;
        const EVP_MD *(*digest)(void);
        gboolean is_pss;
        gsize coordinate; /* octets of R and of S (RFC 7518 §3.4) */
} Algorithm;

static const Algorithm ALGORITHMS[JWS_ALGORITHMS] = {
        [JWS_NONE] = {NULL, KEY_OCT, NULL, FALSE, 0},
        [JWS_RS256] = {"RS256", KEY_RSA, EVP_sha256, FALSE, 0},
        [JWS_RS384] = {"RS384", KEY_RSA, EVP_sha384, FALSE, 0},
        [JWS_RS512] = {"RS512", KEY_RSA, EVP_sha512, FALSE, 0},
        [JWS_PS256] = {"PS256", KEY_RSA, EVP_sha256, TRUE, 0},
        [JWS_ES256] = {"ES256", KEY_P256, EVP_sha256, FALSE, 32},
        [JWS_ES384] = {"ES384", KEY_P384, EVP_sha384, FALSE, 48},
        [JWS_EDDSA] = {"EdDSA", KEY_ED25519, NULL, FALSE, 0},
        [JWS_HS256] = {"HS256", KEY_OCT, EVP_sha256, FALSE, 0},
};

JwsAlgorithm
jws_algorithm(Span name)
{
        for (JwsAlgorithm a = JWS_NONE + 1; a < JWS_ALGORITHMS; a++)
                if (span_equal(name, span_of(ALGORITHMS[a].name)))
                        return a;
        return JWS_NONE;
}

/* Reading a key --------------------------------------------------------------------------------------------------- */

typedef enum KeyAnswer {
        KEY_WRONG = 0, /* the error says what */
        KEY_OK,
        KEY_PASSED_OVER, /* not for us */
} KeyAnswer;

static const char *const SECRET_MEMBERS[] = {"k", "d", "p", "q", "dp", "dq", "qi"};

/* Whatever is secret of it is not left on the heap; TRUE: something was. */
static gboolean
wipe_secrets(json_t *jwk)
{
        gboolean has = FALSE;

        for (gsize i = 0; i < G_N_ELEMENTS(SECRET_MEMBERS); i++) {
                const json_t *member = json_object_get(jwk, SECRET_MEMBERS[i]);

                if (!json_is_string(member))
                        continue;
                text_wipe((char *) json_string_value(member), json_string_length(member));
                has = TRUE;
        }
        return has;
}

static gboolean
read_octets(Arena *arena, const json_t *jwk, const char *member, Span *ret, GError **error)
{
        const json_t *value = json_object_get(jwk, member);
        Span text = span_make(json_string_value(value), json_string_length(value));

        if (!json_is_string(value) || !text_base64url_decode(arena, text, MEMBER_OCTETS_MAX, ret) || ret->len == 0)
                return fault(error, FAULT_INPUT, "%s should be base64url without padding, of 1 to %d octets", member,
                             MEMBER_OCTETS_MAX);
        return TRUE;
}

/* NULL: OpenSSL does not take it, or has looked at it and found it wrong. */
static EVP_PKEY *
make_public(const char *type, OSSL_PARAM_BLD *builder)
{
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
        EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        EVP_PKEY *key = NULL;

        g_assert(params != NULL && maker != NULL); /* only without memory */
        if (EVP_PKEY_fromdata_init(maker) != 1 || EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
                g_clear_pointer(&key, EVP_PKEY_free);
        EVP_PKEY_CTX *checker = key != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
        if (checker != NULL && EVP_PKEY_public_check(checker) != 1)
                g_clear_pointer(&key, EVP_PKEY_free);
        EVP_PKEY_CTX_free(checker);
        EVP_PKEY_CTX_free(maker);
        OSSL_PARAM_free(params);
        ERR_clear_error();
        return key;
}

static gboolean
rsa_is_within(const BIGNUM *n, const BIGNUM *e, GError **error)
{
        if (BN_num_bits(n) < RSA_BITS_MIN || BN_num_bits(n) > RSA_BITS_MAX)
                return fault(error, FAULT_INPUT, "an RSA key has %d to %d bits, this one %d", RSA_BITS_MIN,
                             RSA_BITS_MAX, BN_num_bits(n));
        if (!BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > RSA_EXPONENT_BITS_MAX)
                return fault(error, FAULT_INPUT, "e should be odd, 3 or more, and of at most %d bits",
                             RSA_EXPONENT_BITS_MAX);
        return TRUE;
}

static gboolean
read_rsa(Arena *arena, const json_t *jwk, JwksKey *key, GError **error)
{
        Span modulus, exponent;

        if (!read_octets(arena, jwk, "n", &modulus, error) || !read_octets(arena, jwk, "e", &exponent, error))
                return FALSE;
        OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        BIGNUM *n = BN_bin2bn(modulus.data, (int) modulus.len, NULL);
        BIGNUM *e = BN_bin2bn(exponent.data, (int) exponent.len, NULL);
        gboolean is_right = rsa_is_within(n, e, error);
        if (is_right) {
                OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
                OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
                key->public = make_public("RSA", builder);
                is_right = key->public != NULL || fault(error, FAULT_INPUT, "n and e make no RSA key");
        }
        BN_free(n);
        BN_free(e);
        OSSL_PARAM_BLD_free(builder);
        return is_right;
}

/* Both coordinates have the field's full length (RFC 7518 §6.2.1.2); OpenSSL refuses a point off the curve. */
static gboolean
read_ec(Arena *arena, const json_t *jwk, JwksKey *key, GError **error)
{
        gsize octets = key->type == KEY_P256 ? 32 : 48;
        guint8 point[1 + 2 * 48] = {POINT_CONVERSION_UNCOMPRESSED};
        Span x, y;

        if (!read_octets(arena, jwk, "x", &x, error) || !read_octets(arena, jwk, "y", &y, error))
                return FALSE;
        if (x.len != octets || y.len != octets)
                return fault(error, FAULT_INPUT, "x and y of this curve have %" G_GSIZE_FORMAT " octets each", octets);
        memcpy(point + 1, x.data, octets);
        memcpy(point + 1 + octets, y.data, octets);
        OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, key->type == KEY_P256 ? "P-256" : "P-384",
                                        0);
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * octets);
        key->public = make_public("EC", builder);
        OSSL_PARAM_BLD_free(builder);
        return key->public != NULL || fault(error, FAULT_INPUT, "x and y are no point of the curve");
}

static gboolean
read_ed25519(Arena *arena, const json_t *jwk, JwksKey *key, GError **error)
{
        Span x;

        if (!read_octets(arena, jwk, "x", &x, error))
                return FALSE;
        if (x.len == 32)
                key->public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.data, x.len);
        ERR_clear_error();
        return key->public != NULL || fault(error, FAULT_INPUT, "x of Ed25519 has 32 octets");
}

static gboolean
read_oct(Arena *arena, const json_t *jwk, JwksKey *key, GError **error)
{
        Span k;

        if (!read_octets(arena, jwk, "k", &k, error))
                return FALSE;
        key->secret = g_memdup2(k.data, k.len);
        key->n_secret = k.len;
        text_wipe((guint8 *) k.data, k.len);
        return key->n_secret >= SECRET_OCTETS_MIN ||
               fault(error, FAULT_INPUT, "k has %d octets or more", SECRET_OCTETS_MIN);
}

/* By kty, and crv where it has one. */
static const struct {
        const char *kty, *crv;
        gboolean (*read)(Arena *arena, const json_t *jwk, JwksKey *key, GError **error);
} TYPES[] = {
        [KEY_RSA] = {"RSA", NULL, read_rsa},   [KEY_P256] = {"EC", "P-256", read_ec},
        [KEY_P384] = {"EC", "P-384", read_ec}, [KEY_ED25519] = {"OKP", "Ed25519", read_ed25519},
        [KEY_OCT] = {"oct", NULL, read_oct},
};

static KeyAnswer
read_type(const json_t *jwk, KeyType *ret, GError **error)
{
        const char *kty = json_string_value(json_object_get(jwk, "kty"));
        const char *crv = json_string_value(json_object_get(jwk, "crv"));

        if (kty == NULL)
                return fault(error, FAULT_INPUT, "it has no kty"), KEY_WRONG;
        for (gsize i = 0; i < G_N_ELEMENTS(TYPES); i++)
                if (strcmp(kty, TYPES[i].kty) == 0 && (TYPES[i].crv == NULL || g_strcmp0(crv, TYPES[i].crv) == 0)) {
                        *ret = (KeyType) i;
                        return KEY_OK;
                }
        return KEY_PASSED_OVER;
}

/* RFC 7517 §4.2, §4.3: is it there for signatures? */
static gboolean
is_for_signatures(const json_t *jwk)
{
        const json_t *use = json_object_get(jwk, "use"), *operations = json_object_get(jwk, "key_ops");

        if (use != NULL && g_strcmp0(json_string_value(use), "sig") != 0)
                return FALSE;
        for (gsize i = 0; i < json_array_size(operations); i++)
                if (g_strcmp0(json_string_value(json_array_get(operations, i)), "verify") == 0)
                        return TRUE;
        return operations == NULL;
}

static KeyAnswer
read_algorithm(const json_t *jwk, KeyType type, JwsAlgorithm *ret, GError **error)
{
        const json_t *alg = json_object_get(jwk, "alg");

        *ret = jws_algorithm(span_make(json_string_value(alg), json_string_length(alg)));
        if (alg != NULL && *ret == JWS_NONE)
                return KEY_PASSED_OVER;
        if (*ret == JWS_NONE || ALGORITHMS[*ret].type == type)
                return KEY_OK;
        fault(error, FAULT_INPUT, "alg %s is not one of its type", ALGORITHMS[*ret].name);
        return KEY_WRONG;
}

static gboolean
read_name(const json_t *jwk, char **ret, GError **error)
{
        const json_t *kid = json_object_get(jwk, "kid");

        if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > JWKS_NAME_MAX))
                return fault(error, FAULT_INPUT, "its kid should be a text of at most %d octets", JWKS_NAME_MAX);
        *ret = g_strdup(json_string_value(kid));
        return TRUE;
}

/* *key is filled as far as it was read, and for key_done() in any case. */
static KeyAnswer
read_key(Arena *arena, const json_t *jwk, JwksKey *key, GError **error)
{
        if (!json_is_object(jwk))
                return fault(error, FAULT_INPUT, "it is no object"), KEY_WRONG;
        if (!is_for_signatures(jwk))
                return KEY_PASSED_OVER;
        KeyAnswer answer = read_type(jwk, &key->type, error);
        if (answer == KEY_OK)
                answer = read_algorithm(jwk, key->type, &key->only, error);
        if (answer == KEY_OK && (!read_name(jwk, &key->name, error) || !TYPES[key->type].read(arena, jwk, key, error)))
                answer = KEY_WRONG;
        return answer;
}

static void
key_done(JwksKey *key)
{
        g_free(key->name);
        EVP_PKEY_free(key->public);
        text_wipe(key->secret, key->n_secret);
        g_free(key->secret);
        *key = (JwksKey){.name = NULL};
}

/* The set --------------------------------------------------------------------------------------------------------- */

static gboolean
key_fits(const JwksKey *key, JwsAlgorithm algorithm)
{
        return ALGORITHMS[algorithm].type == key->type && (key->only == JWS_NONE || key->only == algorithm);
}

static gboolean
is_ambiguous(const Jwks *jwks, const JwksKey *key)
{
        for (guint i = 0; i < jwks->n_keys; i++)
                for (JwsAlgorithm a = JWS_NONE + 1; a < JWS_ALGORITHMS; a++)
                        if (key->name != NULL && g_strcmp0(key->name, jwks->keys[i].name) == 0 && key_fits(key, a) &&
                            key_fits(&jwks->keys[i], a))
                                return TRUE;
        return FALSE;
}

static gboolean
take_key(Jwks *jwks, Arena *arena, json_t *jwk, GError **error)
{
        JwksKey key = {.name = NULL};
        KeyAnswer answer = read_key(arena, jwk, &key, error);

        arena_reset(arena);
        jwks->has_secret |= wipe_secrets(jwk);
        if (answer == KEY_OK && is_ambiguous(jwks, &key)) {
                fault(error, FAULT_INPUT, "another key of the same kid and type stands before it");
                answer = KEY_WRONG;
        }
        if (answer == KEY_OK)
                jwks->keys[jwks->n_keys++] = key;
        else
                key_done(&key);
        return answer != KEY_WRONG;
}

static gboolean
take_keys(Jwks *jwks, const json_t *keys, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);

        if (!json_is_array(keys) || json_array_size(keys) > JWKS_KEYS_MAX)
                return fault(error, FAULT_INPUT, "should be {\"keys\": [...]} with at most %d keys", JWKS_KEYS_MAX);
        jwks->keys = g_new0(JwksKey, MAX(json_array_size(keys), 1));
        for (gsize i = 0; i < json_array_size(keys); i++) {
                json_t *jwk = json_array_get(keys, i);

                if (!take_key(jwks, arena, jwk, error)) {
                        const json_t *kid = json_object_get(jwk, "kid");
                        g_autofree char *name =
                                text_escape(span_make(json_string_value(kid), json_string_length(kid)), 64);
                        fault_prefix(error, "key %" G_GSIZE_FORMAT "%s%s: ", i + 1, *name != '\0' ? ", kid " : "",
                                     name);
                        return FALSE;
                }
        }
        return jwks->n_keys > 0 ||
               fault(error, FAULT_INPUT,
                     "no key in it is for RS256, RS384, RS512, PS256, ES256, ES384, EdDSA or HS256");
}

Jwks *
jwks_parse(Span text, GError **error)
{
        g_autoptr(Jwks) jwks = g_new0(Jwks, 1);
        json_auto_t *root = text.len <= JWKS_OCTETS_MAX ? json_read_object(text, JWKS_DEPTH) : NULL;

        if (root == NULL) {
                fault(error, FAULT_INPUT,
                      "should be a JSON object, at most %d deep, of at most %d KiB, without names "
                      "that stand twice in an object",
                      JWKS_DEPTH, (int) (JWKS_OCTETS_MAX / 1024));
                return NULL;
        }
        return take_keys(jwks, json_object_get(root, "keys"), error) ? g_steal_pointer(&jwks) : NULL;
}

void
jwks_free(Jwks *jwks)
{
        if (jwks == NULL)
                return;
        for (guint i = 0; i < jwks->n_keys; i++)
                key_done(&jwks->keys[i]);
        g_free(jwks->keys);
        g_free(jwks);
}

/* All of a file of at most max octets; -1 and errno: it can't be read; -2: it is no such file. */
static gssize
read_file(const char *path, guint8 *ret, gsize max)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;
        gsize n = 0;
        gssize got = fd;

        if (fd < 0)
                return -1;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (guint64) st.st_size > max) {
                close(fd);
                return -2;
        }
        while (n < max && (got = read(fd, ret + n, max - n)) > 0)
                n += (gsize) got;
        int number = errno;
        close(fd);
        errno = number;
        return got < 0 ? -1 : (gssize) n;
}

Jwks *
jwks_load(const char *path, GError **error)
{
        g_autofree guint8 *text = g_malloc(JWKS_OCTETS_MAX);
        gssize octets = read_file(path, text, JWKS_OCTETS_MAX);
        Jwks *jwks = NULL;

        if (octets == -1)
                fault(error, FAULT_INPUT, "%s", g_strerror(errno));
        else if (octets < 0)
                fault(error, FAULT_INPUT, "should be a file of at most %d KiB", (int) (JWKS_OCTETS_MAX / 1024));
        else
                jwks = jwks_parse(span_make(text, (gsize) octets), error);
        text_wipe(text, JWKS_OCTETS_MAX);
        if (jwks == NULL)
                fault_prefix(error, "%s: ", path);
        return jwks;
}

guint
jwks_n_keys(const Jwks *jwks)
{
        return jwks->n_keys;
}

gboolean
jwks_has_secret(const Jwks *jwks)
{
        return jwks->has_secret;
}

/* Signatures ------------------------------------------------------------------------------------------------------ */

static gboolean
check_hmac(const JwksKey *key, const EVP_MD *digest, Span text, Span signature)
{
        guint8 mac[EVP_MAX_MD_SIZE];
        unsigned int n = 0;
        const guint8 *done = HMAC(digest, key->secret, (int) key->n_secret, text.data, text.len, mac, &n);

        g_assert(done != NULL); /* only without memory */
        gboolean is_right = text_equal_secret(span_make(mac, n), signature);
        text_wipe(mac, sizeof(mac));
        return is_right;
}

/* R and S side by side, as OpenSSL wants them. NULL: not of that length. */
static guint8 *
ecdsa_der(Span signature, gsize coordinate, gsize *ret_octets)
{
        guint8 *der = NULL;

        if (signature.len != 2 * coordinate)
                return NULL;
        ECDSA_SIG *pair = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(signature.data, (int) coordinate, NULL);
        BIGNUM *s = BN_bin2bn(signature.data + coordinate, (int) coordinate, NULL);
        g_assert(pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1);
        int n = i2d_ECDSA_SIG(pair, &der);
        ECDSA_SIG_free(pair);
        *ret_octets = n > 0 ? (gsize) n : 0;
        return n > 0 ? der : NULL;
}

/* The salt is as long as the hash, and its mask is made with the same one (RFC 7518 §3.5). */
static gboolean
use_pss(EVP_PKEY_CTX *ctx, const EVP_MD *digest)
{
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, digest) == 1;
}

static gboolean
check_public(const JwksKey *key, const Algorithm *algorithm, Span text, Span signature)
{
        const EVP_MD *digest = algorithm->digest != NULL ? algorithm->digest() : NULL;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *key_ctx = NULL;
        guint8 *der = NULL;

        if (algorithm->coordinate > 0) {
                der = ecdsa_der(signature, algorithm->coordinate, &signature.len);
                signature.data = der;
        }
        gboolean is_right = signature.data != NULL &&
                            EVP_DigestVerifyInit(ctx, &key_ctx, digest, NULL, key->public) == 1 &&
                            (!algorithm->is_pss || use_pss(key_ctx, digest)) &&
                            EVP_DigestVerify(ctx, signature.data, signature.len, text.data, text.len) == 1;
        EVP_MD_CTX_free(ctx);
        OPENSSL_free(der);
        ERR_clear_error();
        return is_right;
}

/* With a name the key of that name. Without one there must be no doubt (OpenID Connect Core §10.1). */
static const JwksKey *
find_key(const Jwks *jwks, JwsAlgorithm algorithm, gboolean has_name, Span name)
{
        const JwksKey *found = NULL;

        for (guint i = 0; i < jwks->n_keys; i++) {
                const JwksKey *key = &jwks->keys[i];

                if (!key_fits(key, algorithm) ||
                    (has_name && (key->name == NULL || !span_equal(name, span_of(key->name)))))
                        continue;
                if (found != NULL)
                        return NULL;
                found = key;
        }
        return found;
}

JwksAnswer
jwks_check(const Jwks *jwks, JwsAlgorithm algorithm, gboolean has_name, Span name, Span text, Span signature)
{
        const JwksKey *key = algorithm != JWS_NONE ? find_key(jwks, algorithm, has_name, name) : NULL;

        if (key == NULL)
                return JWKS_NO_KEY;
        gboolean is_right = key->type == KEY_OCT ? check_hmac(key, ALGORITHMS[algorithm].digest(), text, signature)
                                                 : check_public(key, &ALGORITHMS[algorithm], text, signature);
        return is_right ? JWKS_SIGNED : JWKS_WRONG;
}

/* jwks_test.c -- which keys are taken, and which signatures are theirs. */
#include "auth/token_test.h"
#include "base/testing.h"

#define PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RSA_N                                                                                                          \
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ" \
        "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2" \
        "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD" \
        "TW9gb54h4FRWyuXpoQ"
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RSA_KEY "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\""
#define EC_KEY "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""
#define ED_KEY "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\""
#define OCT_KEY "\"kty\":\"oct\",\"k\":\"" RFC7515_SECRET "\""
#define SET(keys) "{\"keys\":[" keys "]}"

static Jwks *
set_of(const char *text)
{
        GError *error = NULL;
        Jwks *jwks = jwks_parse(span_of(text), &error);

        g_assert_no_error(error);
        g_assert_nonnull(jwks);
        return jwks;
}

/* A JWS by a set; the header is not looked at. */
static JwksAnswer
check(const Jwks *jwks, JwsAlgorithm algorithm, const char *kid, const char *jws)
{
        g_autoptr(Arena) arena = arena_new(8192);
        const char *dot = strrchr(jws, '.');
        Span signature;

        g_assert_true(text_base64url_decode(arena, span_of(dot + 1), 1024, &signature));
        return jwks_check(jwks, algorithm, kid != NULL, span_of(kid), span_make(jws, (gsize) (dot - jws)), signature);
}

static void
test_examples(void)
{
        static const struct {
                JwsAlgorithm algorithm;
                const char *set, *jws;
        } EXAMPLES[] = {
                {JWS_HS256, SET("{" OCT_KEY "}"),
                 "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
                {JWS_RS256, SET("{" RSA_KEY "}"),
                 "eyJhbGciOiJSUzI1NiJ9." PAYLOAD
                 ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9"
                 "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
                 "eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt"
                 "5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
                {JWS_ES256, SET("{" EC_KEY "}"),
                 "eyJhbGciOiJFUzI1NiJ9." PAYLOAD
                 ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
                {JWS_EDDSA, SET("{" ED_KEY "}"),
                 "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6d"
                 "WbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(EXAMPLES); i++) {
                g_autoptr(Jwks) jwks = set_of(EXAMPLES[i].set);
                g_autofree char *other = g_strdup(EXAMPLES[i].jws);

                g_assert_cmpint(check(jwks, EXAMPLES[i].algorithm, NULL, EXAMPLES[i].jws), ==, JWKS_SIGNED);
                other[strlen("eyJhbGciOiJFUzI1NiJ9.") + 1] ^= 1;
                g_assert_cmpint(check(jwks, EXAMPLES[i].algorithm, NULL, other), ==, JWKS_WRONG);
                for (JwsAlgorithm a = JWS_NONE; a < JWS_ALGORITHMS; a++)
                        if (a != EXAMPLES[i].algorithm)
                                g_assert_cmpint(check(jwks, a, NULL, EXAMPLES[i].jws), !=, JWKS_SIGNED);
        }
}

/* Generated keys: what they sign is theirs, and nobody else's; also cut, grown and changed signatures. */
static void
test_algorithms(void)
{
        static const struct {
                JwsAlgorithm algorithm;
                const char *type, *curve, *name;
                int salt;
        } CASES[] = {{JWS_RS256, "RSA", NULL, "SHA256", -1},   {JWS_RS384, "RSA", NULL, "SHA384", -1},
                     {JWS_RS512, "RSA", NULL, "SHA512", -1},   {JWS_PS256, "RSA", NULL, "SHA256", 32},
                     {JWS_ES256, "EC", "P-256", "SHA256", -1}, {JWS_ES384, "EC", "P-384", "SHA384", -1},
                     {JWS_EDDSA, "ED25519", NULL, NULL, -1}};
        EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (gsize) 2048);
        Span text = span_of("head.body");
        guint8 signature[1025];

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                EVP_PKEY *key = rsa;
                if (CASES[i].curve != NULL)
                        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", CASES[i].curve);
                else if (strcmp(CASES[i].type, "RSA") != 0)
                        key = EVP_PKEY_Q_keygen(NULL, NULL, CASES[i].type);
                g_autofree char *jwk = jwk_of(key, "\"kid\":\"a\",");
                g_autofree char *set = g_strdup_printf("{\"keys\":[%s]}", jwk);
                g_autoptr(Jwks) jwks = set_of(set);
                const EVP_MD *digest = CASES[i].name != NULL ? EVP_get_digestbyname(CASES[i].name) : NULL;
                gsize n = sign_with(key, digest, CASES[i].salt, text, signature);
                JwsAlgorithm a = CASES[i].algorithm;

                g_assert_cmpint(jwks_check(jwks, a, TRUE, span_of("a"), text, span_make(signature, n)), ==,
                                JWKS_SIGNED);
                g_assert_cmpint(jwks_check(jwks, a, TRUE, span_of("b"), text, span_make(signature, n)), ==,
                                JWKS_NO_KEY);
                g_assert_cmpint(jwks_check(jwks, a, FALSE, SPAN_EMPTY, text, span_make(signature, n)), ==, JWKS_SIGNED);
                signature[n] = 0;
                g_assert_cmpint(jwks_check(jwks, a, FALSE, SPAN_EMPTY, text, span_make(signature, n + 1)), ==,
                                JWKS_WRONG);
                for (gsize len = 0; len < n; len++)
                        g_assert_cmpint(jwks_check(jwks, a, FALSE, SPAN_EMPTY, text, span_make(signature, len)), ==,
                                        JWKS_WRONG);
                signature[n / 2] ^= 1;
                g_assert_cmpint(jwks_check(jwks, a, FALSE, SPAN_EMPTY, text, span_make(signature, n)), ==, JWKS_WRONG);
                memset(signature, 0, n);
                g_assert_cmpint(jwks_check(jwks, a, FALSE, SPAN_EMPTY, text, span_make(signature, n)), ==, JWKS_WRONG);
                g_assert_cmpint(jwks_check(jwks, a, FALSE, SPAN_EMPTY, text, SPAN_EMPTY), ==, JWKS_WRONG);
                if (key != rsa)
                        EVP_PKEY_free(key);
        }
        EVP_PKEY_free(rsa);
}

/* A PSS salt of another length than the hash's is not PS256. */
static void
test_salt(void)
{
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (gsize) 2048);
        g_autofree char *jwk = jwk_of(key, "");
        g_autofree char *set = g_strdup_printf("{\"keys\":[%s]}", jwk);
        g_autoptr(Jwks) jwks = set_of(set);
        guint8 signature[1024];
        Span text = span_of("text");

        for (int salt = 0; salt <= 64; salt += 16) {
                gsize n = sign_with(key, EVP_sha256(), salt, text, signature);
                g_assert_cmpint(jwks_check(jwks, JWS_PS256, FALSE, SPAN_EMPTY, text, span_make(signature, n)), ==,
                                salt == 32 ? JWKS_SIGNED : JWKS_WRONG);
        }
        EVP_PKEY_free(key);
}

/* The key decides: its type, and its alg where it has one. */
static void
test_no_confusion(void)
{
        g_autoptr(Jwks) any = set_of(SET("{" RSA_KEY "}"));
        g_autoptr(Jwks) only = set_of(SET("{\"alg\":\"PS256\"," RSA_KEY "}"));
        Span text = span_of("text"), signature = span_of("signature");
        guint8 mac[32];

        for (JwsAlgorithm a = JWS_NONE; a < JWS_ALGORITHMS; a++) {
                gboolean is_rsa = a >= JWS_RS256 && a <= JWS_PS256;
                g_assert_cmpint(jwks_check(any, a, FALSE, SPAN_EMPTY, text, signature), ==,
                                is_rsa ? JWKS_WRONG : JWKS_NO_KEY);
                g_assert_cmpint(jwks_check(only, a, FALSE, SPAN_EMPTY, text, signature), ==,
                                a == JWS_PS256 ? JWKS_WRONG : JWKS_NO_KEY);
        }
        /* What anybody could compute of the public key. */
        HMAC(EVP_sha256(), RSA_N, (int) strlen(RSA_N), text.data, text.len, mac, NULL);
        g_assert_cmpint(jwks_check(any, JWS_HS256, FALSE, SPAN_EMPTY, text, span_make(mac, 32)), ==, JWKS_NO_KEY);
        g_assert_cmpint(jws_algorithm(span_of("none")), ==, JWS_NONE);
        g_assert_cmpint(jws_algorithm(span_of("None")), ==, JWS_NONE);
        g_assert_cmpint(jws_algorithm(span_of("rs256")), ==, JWS_NONE);
        g_assert_cmpint(jws_algorithm(SPAN_EMPTY), ==, JWS_NONE);
        g_assert_cmpint(jws_algorithm(span_of("EdDSA")), ==, JWS_EDDSA);
}

static void
test_names(void)
{
        g_autoptr(Jwks) jwks =
                set_of(SET("{\"kid\":\"r\"," RSA_KEY "},{\"kid\":\"e\"," EC_KEY "},{\"kid\":\"e\"," ED_KEY
                           "},{\"alg\":\"RS256\",\"kid\":\"s\"," RSA_KEY "}"));
        Span text = span_of("text"), signature = span_of("signature");

        g_assert_cmpuint(jwks_n_keys(jwks), ==, 4);
        g_assert_cmpint(jwks_check(jwks, JWS_RS256, FALSE, SPAN_EMPTY, text, signature), ==, JWKS_NO_KEY); /* two fit */
        g_assert_cmpint(jwks_check(jwks, JWS_RS384, FALSE, SPAN_EMPTY, text, signature), ==, JWKS_WRONG);
        g_assert_cmpint(jwks_check(jwks, JWS_RS256, TRUE, span_of("s"), text, signature), ==, JWKS_WRONG);
        g_assert_cmpint(jwks_check(jwks, JWS_RS384, TRUE, span_of("s"), text, signature), ==, JWKS_NO_KEY);
        g_assert_cmpint(jwks_check(jwks, JWS_ES256, TRUE, span_of("e"), text, signature), ==, JWKS_WRONG);
        g_assert_cmpint(jwks_check(jwks, JWS_EDDSA, TRUE, span_of("e"), text, signature), ==, JWKS_WRONG);
        g_assert_cmpint(jwks_check(jwks, JWS_ES256, TRUE, SPAN_EMPTY, text, signature), ==, JWKS_NO_KEY);
}

static void
test_passed_over(void)
{
        g_autoptr(Jwks) jwks = set_of(SET(
                "{\"use\":\"enc\"," RSA_KEY "},{\"key_ops\":[\"sign\"]," RSA_KEY "},{\"alg\":\"RSA-OAEP\"," RSA_KEY
                "},{\"alg\":\"none\"," RSA_KEY "},{\"kty\":\"EC\",\"crv\":\"P-521\"},{\"kty\":\"OKP\",\"crv\":"
                "\"X25519\"},{\"kty\":\"new\"},{\"use\":\"sig\",\"key_ops\":[\"verify\"],\"x5c\":[\"x\"]," EC_KEY "}"));

        g_assert_cmpuint(jwks_n_keys(jwks), ==, 1);
        g_assert_false(jwks_has_secret(jwks));
        g_autoptr(Jwks) secret = set_of(SET("{" OCT_KEY "}"));
        g_assert_true(jwks_has_secret(secret));
        g_autoptr(Jwks) private = set_of(SET("{\"d\":\"x\"," EC_KEY "}"));
        g_assert_true(jwks_has_secret(private));
}

static void
test_mistakes(void)
{
        static const struct {
                const char *text, *said;
        } CASES[] = {
                {"", "JSON object"},
                {"[]", "JSON object"},
                {"{\"keys\":[],\"keys\":[]}", "JSON object"},
                {"{}", "\"keys\""},
                {"{\"keys\":{}}", "\"keys\""},
                {SET(""), "no key in it is for"},
                {SET("{\"kty\":\"new\"}"), "no key in it is for"},
                {SET("1"), "key 1: it is no object"},
                {SET("{" EC_KEY "},{}"), "key 2: it has no kty"},
                {SET("{\"kid\":1," EC_KEY "}"), "kid should be"},
                {SET("{\"kid\":\"a b\",\"alg\":\"HS256\"," RSA_KEY "}"),
                 "key 1, kid a b: alg HS256 is not one of its type"},
                {SET("{\"alg\":\"ES384\"," EC_KEY "}"), "alg ES384"},
                {SET("{\"kid\":\"a\"," EC_KEY "},{\"kid\":\"a\"," EC_KEY "}"), "key 2, kid a: another key"},
                {SET("{\"kty\":\"RSA\",\"e\":\"AQAB\"}"), "n should be base64url"},
                {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "=\",\"e\":\"AQAB\"}"), "n should be base64url"},
                {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"\"}"), "e should be base64url"},
                {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}"), "e should be odd"},
                {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAA\"}"), "e should be odd"},
                {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAAAAAAAAAB\"}"), "e should be odd"},
                {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N RSA_N "\",\"e\":\"AQAB\"}"), "n and e make no RSA key"},
                {SET("{\"kty\":\"RSA\",\"n\":\"" EC_X "\",\"e\":\"AQAB\"}"), "2048 to 8192 bits, this one 255"},
                {SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_X "\"}"),
                 "no point of the curve"},
                {SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"), "48 octets"},
                {SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"" EC_Y "\"}"), "32 octets"},
                {SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":"
                     "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"),
                 "no point of the curve"},
                {SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQ\"}"), "32 octets"},
                {SET("{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}"), "k has 32 octets"},
                {SET("{\"kty\":\"oct\"}"), "k should be base64url"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(jwks_parse(span_of(CASES[i].text), &error));
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
                if (strstr(error->message, CASES[i].said) == NULL)
                        g_error("%" G_GSIZE_FORMAT ": %s", i, error->message);
        }
}

static void
test_many(void)
{
        g_autoptr(GString) text = g_string_new("{\"keys\":[{" EC_KEY "}");
        g_autoptr(GError) error = NULL;

        for (guint i = 1; i < JWKS_KEYS_MAX; i++)
                g_string_append(text, ",{" EC_KEY "}");
        g_autofree char *most = g_strconcat(text->str, "]}", NULL), *more = g_strconcat(text->str, ",1]}", NULL);
        g_autoptr(Jwks) jwks = set_of(most);
        g_assert_cmpuint(jwks_n_keys(jwks), ==, JWKS_KEYS_MAX);
        g_assert_null(jwks_parse(span_of(more), &error));
        g_autofree char *huge = g_strnfill(JWKS_OCTETS_MAX + 1, ' ');
        g_assert_null(jwks_parse(span_of(huge), NULL));
}

static void
test_files(void)
{
        g_autofree char *dir = test_dir_make();
        g_autofree char *path = g_build_filename(dir, "keys.json", NULL);
        g_autoptr(GError) missing = NULL, wrong = NULL, other = NULL;
        g_autofree char *huge = g_strnfill(JWKS_OCTETS_MAX + 1, ' ');

        g_assert_null(jwks_load(path, &missing));
        g_assert_true(g_str_has_prefix(missing->message, path) && strstr(missing->message, "No such file") != NULL);
        g_assert_true(g_file_set_contents(path, SET("{" EC_KEY "}"), -1, NULL));
        g_autoptr(Jwks) jwks = jwks_load(path, NULL);
        g_assert_nonnull(jwks);
        g_assert_true(g_file_set_contents(path, SET("{}"), -1, NULL));
        g_assert_null(jwks_load(path, &wrong));
        g_assert_true(g_str_has_prefix(wrong->message, path) &&
                      strstr(wrong->message, ": key 1: it has no kty") != NULL);
        g_assert_true(g_file_set_contents(path, huge, -1, NULL));
        g_assert_null(jwks_load(path, NULL));
        g_assert_null(jwks_load(dir, &other));
        g_assert_nonnull(strstr(other->message, "should be a file"));
        test_dir_remove(dir);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/jwks/examples RFC 7515 §A.1-A.3, RFC 8037 §A.4", test_examples);
        g_test_add_func("/auth/jwks/every-algorithm-and-signatures-cut-and-changed RFC 7518 §3", test_algorithms);
        g_test_add_func("/auth/jwks/the-salt-of-PSS-is-as-long-as-the-hash RFC 7518 §3.5", test_salt);
        g_test_add_func("/auth/jwks/the-key-decides-about-the-algorithm RFC 8725 §3.1", test_no_confusion);
        g_test_add_func("/auth/jwks/kid-selects RFC 7515 §4.1.4", test_names);
        g_test_add_func("/auth/jwks/keys-for-others-are-passed-over RFC 7517 §5", test_passed_over);
        g_test_add_func("/auth/jwks/a-broken-key-is-named RFC 7518 §6", test_mistakes);
        g_test_add_func("/auth/jwks/at-most-so-many", test_many);
        g_test_add_func("/auth/jwks/files", test_files);
        return g_test_run();
}

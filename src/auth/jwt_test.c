/* jwt_test.c -- tokens that are good, and every reason why others are not. */
#include "auth/token_test.h"

#define NOW ((gint64) 1700000000)
#define HEAD "{\"alg\":\"HS256\",\"kid\":\"h\"}"
#define START "{\"iss\":\"https://id.example\",\"aud\":\"mail\","
#define BODY START "\"exp\":1700000600,\"email\":\"joe@ex.org\""

static const char *const AUDIENCES[] = {"mail", "imap.ex.org", NULL};
static const char *const SCOPES[] = {"mail", "imap:all", NULL};
static const JwtRules RULES = {"https://id.example", AUDIENCES, NULL, "email"};
static const JwtRules WITH_SCOPE = {"https://id.example", AUDIENCES, SCOPES, "email"};
static const JwtRules BY_NAME = {"https://id.example", AUDIENCES, NULL, "preferred_username"};

static JwtAnswer
verify(const JwtRules *rules, Span token, Span *ret)
{
        static Arena *arena;
        g_autoptr(Jwks) jwks = jwks_parse(span_of(HMAC_SET), NULL);

        if (arena == NULL)
                arena = arena_new(JWT_ARENA_MAX);
        arena_reset(arena);
        *ret = SPAN_EMPTY;
        return jwt_verify(jwks, rules, arena, token, NOW, ret);
}

static JwtAnswer
verify_signed(const JwtRules *rules, const char *header, const char *payload)
{
        g_autofree char *token = hmac_token(span_of(header), span_of(payload));
        Span account;
        JwtAnswer answer = verify(rules, span_of(token), &account);

        g_assert_true((answer == JWT_OK) == (account.len > 0));
        return answer;
}

static void
test_headers(void)
{
        static const struct {
                const char *header;
                JwtAnswer answer;
        } CASES[] = {
                {HEAD, JWT_OK},
                {"{\"alg\":\"HS256\"}", JWT_OK},
                {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}", JWT_OK},
                {"{\"alg\":\"HS256\",\"typ\":\"at+JWT\",\"x\":{\"y\":[1]}}", JWT_OK},
                {"{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}", JWT_OK},
                {"{\"alg\":\"HS256\",\"jku\":\"https://evil.example\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
                 JWT_OK},
                {"{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", JWT_BAD_TYPE},
                {"{\"alg\":\"HS256\",\"typ\":\"\"}", JWT_BAD_TYPE},
                {"{\"alg\":\"HS256\",\"typ\":1}", JWT_BAD_TYPE},
                {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_CRITICAL},
                {"{\"alg\":\"HS256\",\"crit\":[]}", JWT_CRITICAL},
                {"{\"alg\":\"HS256\",\"crit\":null}", JWT_CRITICAL},
                {"{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", JWT_CRITICAL},
                {"{\"alg\":\"HS256\",\"kid\":\"other\"}", JWT_NO_KEY},
                {"{\"alg\":\"HS256\",\"kid\":\"\"}", JWT_NO_KEY},
                {"{\"alg\":\"HS256\",\"kid\":1}", JWT_MALFORMED},
                {"{\"alg\":\"RS256\",\"kid\":\"h\"}", JWT_NO_KEY},
                {"{\"alg\":\"none\"}", JWT_BAD_ALGORITHM},
                {"{\"alg\":\"NONE\"}", JWT_BAD_ALGORITHM},
                {"{\"alg\":\"hs256\"}", JWT_BAD_ALGORITHM},
                {"{\"alg\":\"HS512\"}", JWT_BAD_ALGORITHM},
                {"{\"alg\":1}", JWT_BAD_ALGORITHM},
                {"{}", JWT_BAD_ALGORITHM},
                {"{\"alg\":\"HS256\",\"alg\":\"none\"}", JWT_MALFORMED},
                {"{\"alg\":\"HS256\\u0000\"}", JWT_MALFORMED},
                {"[\"HS256\"]", JWT_MALFORMED},
                {"{\"alg\":\"HS256\"", JWT_MALFORMED},
                {"{\"alg\":\"HS256\"} {}", JWT_MALFORMED},
                {"{\"alg\":\"HS256\",\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", JWT_MALFORMED},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++)
                if (verify_signed(&RULES, CASES[i].header, BODY "}") != CASES[i].answer)
                        g_error("%s", CASES[i].header);
}

static void
test_claims(void)
{
        static const struct {
                const char *payload;
                JwtAnswer answer;
        } CASES[] = {
                {BODY "}", JWT_OK},
                {BODY ",\"x\":{\"y\":[{}]},\"email_verified\":true}", JWT_OK},
                {BODY ",\"email_verified\":\"true\"}", JWT_OK},
                {BODY ",\"email_verified\":false}", JWT_BAD_ACCOUNT},
                {BODY ",\"email_verified\":1}", JWT_BAD_ACCOUNT},
                {BODY ",\"cnf\":{\"jkt\":\"x\"}}", JWT_BOUND},
                {BODY ",\"iss\":\"https://id.example\"}", JWT_MALFORMED},
                {BODY, JWT_MALFORMED},
                {BODY "}}", JWT_MALFORMED},
                {"\"joe\"", JWT_MALFORMED},
                {BODY ",\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", JWT_MALFORMED},
                /* iss */
                {"{\"iss\":\"https://id.example/\",\"aud\":\"mail\",\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_BAD_ISSUER},
                {"{\"iss\":\"HTTPS://ID.EXAMPLE\",\"aud\":\"mail\",\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_BAD_ISSUER},
                {"{\"iss\":[\"https://id.example\"],\"aud\":\"mail\",\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_BAD_ISSUER},
                {"{\"aud\":\"mail\",\"exp\":1700000600,\"email\":\"joe@ex.org\"}", JWT_BAD_ISSUER},
                /* aud */
                {"{\"iss\":\"https://"
                 "id.example\",\"aud\":[\"web\",\"imap.ex.org\"],\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_OK},
                {"{\"iss\":\"https://id.example\",\"aud\":[\"web\"],\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_BAD_AUDIENCE},
                {"{\"iss\":\"https://id.example\",\"aud\":[\"mail\",1],\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_BAD_AUDIENCE},
                {"{\"iss\":\"https://id.example\",\"aud\":[],\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_BAD_AUDIENCE},
                {"{\"iss\":\"https://id.example\",\"aud\":\"Mail\",\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_BAD_AUDIENCE},
                {"{\"iss\":\"https://"
                 "id.example\",\"aud\":\"mail,imap.ex.org\",\"exp\":1700000600,\"email\":\"joe@ex.org\"}",
                 JWT_BAD_AUDIENCE},
                {"{\"iss\":\"https://id.example\",\"exp\":1700000600,\"email\":\"joe@ex.org\"}", JWT_BAD_AUDIENCE},
                /* exp */
                {START "\"exp\":1699999941,\"email\":\"joe@ex.org\"}", JWT_OK},
                {START "\"exp\":1699999940,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":1699999941.9,\"email\":\"joe@ex.org\"}", JWT_OK},
                {START "\"exp\":1699999940.9,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":1.7000006e9,\"email\":\"joe@ex.org\"}", JWT_OK},
                {START "\"exp\":253402300799,\"email\":\"joe@ex.org\"}", JWT_OK},
                {START "\"exp\":253402300800,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":9223372036854775807,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":9223372036854775808,\"email\":\"joe@ex.org\"}", JWT_MALFORMED},
                {START "\"exp\":1e308,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":1e309,\"email\":\"joe@ex.org\"}", JWT_MALFORMED},
                {START "\"exp\":-1,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":-0.0,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":\"1700000600\",\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":null,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"exp\":true,\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                {START "\"email\":\"joe@ex.org\"}", JWT_EXPIRED},
                /* nbf, iat */
                {BODY ",\"nbf\":1700000060,\"iat\":1700000060}", JWT_OK},
                {BODY ",\"nbf\":1700000061}", JWT_NOT_YET},
                {BODY ",\"iat\":1700000061}", JWT_NOT_YET},
                {BODY ",\"iat\":0}", JWT_OK},
                {BODY ",\"iat\":9223372036854775807}", JWT_NOT_YET},
                {BODY ",\"nbf\":\"now\"}", JWT_NOT_YET},
                {BODY ",\"nbf\":null}", JWT_NOT_YET},
                /* the account */
                {START "\"exp\":1700000600}", JWT_BAD_ACCOUNT},
                {START "\"exp\":1700000600,\"email\":\"\"}", JWT_BAD_ACCOUNT},
                {START "\"exp\":1700000600,\"email\":7}", JWT_BAD_ACCOUNT},
                {START "\"exp\":1700000600,\"email\":[\"joe@ex.org\"]}", JWT_BAD_ACCOUNT},
                {START "\"exp\":1700000600,\"email\":\"joe@ex.org\\n\"}", JWT_BAD_ACCOUNT},
                {START "\"exp\":1700000600,\"email\":\"joe@ex.org\\u0000\"}", JWT_MALFORMED},
                {START "\"exp\":1700000600,\"email\":\"\\ud800\"}", JWT_MALFORMED},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++)
                if (verify_signed(&RULES, HEAD, CASES[i].payload) != CASES[i].answer)
                        g_error("%s", CASES[i].payload);
        g_assert_cmpint(verify_signed(&BY_NAME, HEAD, BODY "}"), ==, JWT_BAD_ACCOUNT);
        g_assert_cmpint(
                verify_signed(&BY_NAME, HEAD, BODY ",\"preferred_username\":\"a@ex.org\",\"email_verified\":false}"),
                ==, JWT_OK);
}

static void
test_scope(void)
{
        static const char *const RIGHT[] = {"mail imap:all", "imap:all x mail", " mail  imap:all "};
        static const char *const WRONG[] = {
                "", "mail", "imap:all", "mailimap:all", "mail,imap:all", "mail IMAP:all", "mail imap:all2"};

        for (gsize i = 0; i < G_N_ELEMENTS(RIGHT); i++) {
                g_autofree char *payload = g_strdup_printf(BODY ",\"scope\":\"%s\"}", RIGHT[i]);
                g_assert_cmpint(verify_signed(&WITH_SCOPE, HEAD, payload), ==, JWT_OK);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_autofree char *payload = g_strdup_printf(BODY ",\"scope\":\"%s\"}", WRONG[i]);
                g_assert_cmpint(verify_signed(&WITH_SCOPE, HEAD, payload), ==, JWT_BAD_SCOPE);
        }
        g_assert_cmpint(verify_signed(&WITH_SCOPE, HEAD, BODY "}"), ==, JWT_BAD_SCOPE);
        g_assert_cmpint(verify_signed(&WITH_SCOPE, HEAD, BODY ",\"scope\":[\"mail\",\"imap:all\"]}"), ==,
                        JWT_BAD_SCOPE);
}

/* Every octet of a good token matters, and so does what stands around it. */
static void
test_forms(void)
{
        g_autofree char *token = hmac_token(span_of(HEAD), span_of(BODY "}"));
        gsize len = strlen(token);
        Span account;

        g_assert_cmpint(verify(&RULES, span_of(token), &account), ==, JWT_OK);
        g_assert_true(span_equal(account, span_of("joe@ex.org")));
        for (gsize i = 0; i < len; i++) {
                static const char OTHERS[] = {'\0', '.', '=', '+', '/', ' ', '\n', '\xff', 'A', 'Q'};
                g_assert_cmpint(verify(&RULES, span_make(token, i), &account), !=, JWT_OK);
                for (gsize j = 0; j < sizeof(OTHERS); j++) {
                        g_autofree char *other = g_strdup(token);
                        other[i] = OTHERS[j];
                        if (other[i] != token[i])
                                g_assert_cmpint(verify(&RULES, span_make(other, len), &account), !=, JWT_OK);
                }
        }
        static const char *const BEHIND[] = {".", "=", "==", ".e30", "\n", " ", "A"};
        for (gsize i = 0; i < G_N_ELEMENTS(BEHIND); i++) {
                g_autofree char *more = g_strconcat(token, BEHIND[i], NULL),
                                *before = g_strconcat(BEHIND[i], token, NULL);
                g_assert_cmpint(verify(&RULES, span_of(more), &account), !=, JWT_OK);
                g_assert_cmpint(verify(&RULES, span_of(before), &account), !=, JWT_OK);
        }
        static const char *const NONE[] = {
                "", ".", "..", "...", "a.b.c", "e30.e30.", "e30..e30", ".e30.e30", "e30.e30.e30.e30.e30"};
        for (gsize i = 0; i < G_N_ELEMENTS(NONE); i++)
                g_assert_cmpint(verify(&RULES, span_of(NONE[i]), &account), !=, JWT_OK);
}

/* RFC 7515 §A.5, and what is left when the signature is taken off. */
static void
test_unsigned(void)
{
        g_autofree char *none = base64url(span_of("{\"alg\":\"none\"}")), *head = base64url(span_of(HEAD));
        g_autofree char *body = base64url(span_of(BODY "}"));
        g_autofree char *unsecured = g_strconcat(none, ".", body, ".", NULL);
        g_autofree char *stripped = g_strconcat(head, ".", body, ".", NULL);
        g_autofree char *two = g_strconcat(head, ".", body, NULL);
        Span account;

        g_assert_cmpint(verify(&RULES, span_of(unsecured), &account), ==, JWT_BAD_ALGORITHM);
        g_assert_cmpint(verify(&RULES, span_of(stripped), &account), ==, JWT_BAD_SIGNATURE);
        g_assert_cmpint(verify(&RULES, span_of(two), &account), ==, JWT_MALFORMED);
}

/* The RFC's own token is nobody's here; a payload that can't be read is not read before its signature is right. */
static void
test_order(void)
{
        static const char RFC7515_A1[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
                                         "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
                                         "c19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        Span account;

        g_assert_cmpint(verify(&RULES, span_of(RFC7515_A1), &account), ==, JWT_BAD_ISSUER);
        g_assert_cmpint(verify(&RULES, span_of("eyJhbGciOiJIUzI1NiJ9.AAAA.AAAA"), &account), ==, JWT_BAD_SIGNATURE);
}

static void
test_long(void)
{
        g_autoptr(GString) few = g_string_new(
                "{\"iss\":\"https://id.example\",\"exp\":1700000600,\"email\":\"joe@ex.org\",\"aud\":[\"a\"");
        g_autoptr(GString) many = g_string_new(few->str);

        for (guint i = 0; i < 1000; i++)
                g_string_append(few, ",\"a\"");
        g_string_append(few, ",\"mail\"]}");
        g_assert_cmpint(verify_signed(&RULES, HEAD, few->str), ==, JWT_OK);
        for (guint i = 0; i < 10000; i++)
                g_string_append(many, ",\"a\"");
        g_string_append(many, ",\"mail\"]}");
        g_assert_cmpint(verify_signed(&RULES, HEAD, many->str), ==, JWT_MALFORMED); /* over 8 KiB */
        g_autofree char *deep = g_strnfill(5000, '[');
        g_autofree char *payload = g_strconcat(BODY ",\"x\":", deep, NULL);
        g_assert_cmpint(verify_signed(&RULES, HEAD, payload), ==, JWT_MALFORMED);
        g_assert_cmpint(verify_signed(&RULES, payload, BODY "}"), ==, JWT_MALFORMED);
        g_autofree char *name = g_strnfill(JWT_ACCOUNT_MAX + 1, 'a');
        g_autofree char *long_name = g_strdup_printf(START "\"exp\":1700000600,\"email\":\"%s\"}", name);
        g_assert_cmpint(verify_signed(&RULES, HEAD, long_name), ==, JWT_BAD_ACCOUNT);
}

static void
test_words(void)
{
        for (JwtAnswer a = JWT_MALFORMED; a < JWT_ANSWERS; a++)
                g_assert_nonnull(jwt_words(a));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/jwt/headers RFC 7515 §4.1, RFC 9068 §4, RFC 8725 §3.1", test_headers);
        g_test_add_func("/auth/jwt/claims RFC 7519 §4.1, RFC 9068 §4", test_claims);
        g_test_add_func("/auth/jwt/scope RFC 6749 §3.3", test_scope);
        g_test_add_func("/auth/jwt/every-octet-matters RFC 7515 §7.1", test_forms);
        g_test_add_func("/auth/jwt/unsigned-ones RFC 7515 §A.5", test_unsigned);
        g_test_add_func("/auth/jwt/signature-before-payload RFC 8725 §3.3", test_order);
        g_test_add_func("/auth/jwt/long-and-deep-ones", test_long);
        g_test_add_func("/auth/jwt/each-answer-has-words", test_words);
        return g_test_run();
}

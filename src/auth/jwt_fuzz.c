/* jwt_fuzz.c -- a token: as it comes, or (first octet odd) header and payload, divided by 0xff, that have been signed.
 */
#include "auth/token_test.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

#define NOW ((gint64) 1700000000)
#define SET                                                                                                            \
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"" RFC7515_SECRET "\"},"                                     \
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                     \
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"                                                      \
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

static JwtAnswer
verify(Span token, Span *ret)
{
        static const char *const audiences[] = {"mail", NULL}, *const scopes[] = {"mail", NULL};
        static const JwtRules rules = {"i", audiences, scopes, "email"};
        static Jwks *jwks;
        static Arena *arena;

        if (jwks == NULL) {
                jwks = jwks_parse(span_of(SET), NULL);
                arena = arena_new(JWT_ARENA_MAX);
        }
        arena_reset(arena);
        JwtAnswer answer = jwt_verify(jwks, &rules, arena, token, NOW, ret);
        g_assert(!arena_is_over(arena) && jwt_words(answer) != NULL);
        return answer;
}

static void
verify_signed(Span text)
{
        Scan s = scan_from(text);
        Span header, account;

        if (!scan_until(&s, 0xff, &header) || !scan_octet(&s, 0xff))
                return;
        g_autofree char *token = hmac_token(header, scan_rest(&s));
        JwtAnswer answer = verify(span_of(token), &account);
        if (answer == JWT_OK)
                g_assert(account.len > 0 && account.len <= JWT_ACCOUNT_MAX && text_is_utf8(account) &&
                         !text_has_control(account));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        Span account, rest = span_slice(span_make(data, size), 1, size);

        if (size == 0)
                return 0;
        if (data[0] & 1)
                verify_signed(rest);
        else
                (void) verify(rest, &account); /* what was signed by this key once may come from the corpus */
        return 0;
}

/* jwt.c -- a token from its octets to an account's name. */
#include "auth/jwt.h"

#include "base/json.h"
#include "base/text.h"

#include <math.h>

#define JWT_DEPTH 16
#define SIGNATURE_OCTETS_MAX 1024        /* of an RSA key of 8192 bits */
#define DATE_MAX ((gint64) 253402300799) /* the end of the year 9999: what is beyond is no date */

static const char *const WORDS[JWT_ANSWERS] = {
        [JWT_MALFORMED] = "no JWT",
        [JWT_OK] = "right",
        [JWT_BAD_ALGORITHM] = "algorithm not taken",
        [JWT_CRITICAL] = "has crit",
        [JWT_BAD_TYPE] = "typ is not JWT or at+jwt",
        [JWT_NO_KEY] = "no key of that kid for its algorithm",
        [JWT_BAD_SIGNATURE] = "wrong signature",
        [JWT_BAD_ISSUER] = "another issuer",
        [JWT_BAD_AUDIENCE] = "for another audience",
        [JWT_EXPIRED] = "expired",
        [JWT_NOT_YET] = "not valid yet",
        [JWT_BOUND] = "bound to a key of the client",
        [JWT_BAD_ACCOUNT] = "no account in it",
        [JWT_BAD_SCOPE] = "scope missing",
};

const char *
jwt_words(JwtAnswer answer)
{
        return WORDS[answer];
}

/* The three parts ------------------------------------------------------------------------------------------------- */

typedef struct Parts {
        Span header, payload, signature; /* in base64url */
        Span text;                       /* what was signed: header "." payload */
} Parts;

/* Five parts would be an encrypted one. The alphabet of a part is checked when it is decoded. */
static gboolean
split(Span token, Parts *ret)
{
        Scan s = scan_from(token);
        const guint8 *mark = scan_mark(&s);

        if (token.len > JWT_OCTETS_MAX || !scan_until(&s, '.', &ret->header) || !scan_octet(&s, '.') ||
            !scan_until(&s, '.', &ret->payload))
                return FALSE;
        ret->text = scan_since(&s, mark);
        (void) scan_octet(&s, '.');
        ret->signature = scan_rest(&s);
        return ret->header.len > 0 && ret->payload.len > 0;
}

/* NULL: not base64url of an object. */
static json_t *
read_part(Arena *arena, Span part)
{
        Span text;

        return text_base64url_decode(arena, part, JWT_OCTETS_MAX, &text) ? json_read_object(text, JWT_DEPTH) : NULL;
}

static Span
text_of(const json_t *object, const char *name)
{
        const json_t *value = json_object_get(object, name);

        return span_make(json_string_value(value), json_string_length(value));
}

/* The header ------------------------------------------------------------------------------------------------------ */

static gboolean
is_type_known(const json_t *header)
{
        Span type = text_of(header, "typ");

        return json_object_get(header, "typ") == NULL || span_is(type, "JWT") || span_is(type, "at+jwt") ||
               span_is(type, "application/at+jwt");
}

static JwtAnswer
check_signature(const Jwks *keys, Arena *arena, const json_t *header, const Parts *parts)
{
        const json_t *kid = json_object_get(header, "kid");
        JwsAlgorithm algorithm = jws_algorithm(text_of(header, "alg"));
        Span signature;

        if (algorithm == JWS_NONE)
                return JWT_BAD_ALGORITHM;
        if (json_object_get(header, "crit") != NULL)
                return JWT_CRITICAL;
        if (!is_type_known(header))
                return JWT_BAD_TYPE;
        if (kid != NULL && !json_is_string(kid))
                return JWT_MALFORMED;
        if (!text_base64url_decode(arena, parts->signature, SIGNATURE_OCTETS_MAX, &signature))
                return JWT_BAD_SIGNATURE;
        JwksAnswer answer = jwks_check(keys, algorithm, kid != NULL, text_of(header, "kid"), parts->text, signature);
        text_wipe((guint8 *) signature.data, signature.len);
        return answer == JWKS_SIGNED ? JWT_OK : answer == JWKS_NO_KEY ? JWT_NO_KEY : JWT_BAD_SIGNATURE;
}

/* Claims ---------------------------------------------------------------------------------------------------------- */

static gboolean
is_one_of(Span s, const char *const *list)
{
        for (gsize i = 0; list[i] != NULL; i++)
                if (span_equal(s, span_of(list[i])))
                        return TRUE;
        return FALSE;
}

/* A text, or an array of them (RFC 7519 §4.1.3). */
static gboolean
is_for_us(const json_t *claims, const char *const *audiences)
{
        const json_t *aud = json_object_get(claims, "aud");
        gboolean is_found = json_is_string(aud) && is_one_of(text_of(claims, "aud"), audiences);

        for (gsize i = 0; i < json_array_size(aud); i++) {
                const json_t *one = json_array_get(aud, i);

                if (!json_is_string(one))
                        return FALSE;
                is_found |= is_one_of(span_make(json_string_value(one), json_string_length(one)), audiences);
        }
        return is_found;
}

/* NumericDate (RFC 7519 §2): seconds, with a fraction if they like. FALSE: something else. */
static gboolean
read_date(const json_t *value, gint64 *ret)
{
        double seconds = json_number_value(value); /* exact up to 2^53 */

        if (!json_is_number(value) || !isfinite(seconds) || seconds < 0 || seconds > (double) DATE_MAX)
                return FALSE;
        *ret = (gint64) seconds;
        return TRUE;
}

static JwtAnswer
check_dates(const json_t *claims, gint64 now)
{
        static const char *const BEGINNINGS[] = {"nbf", "iat"};
        gint64 date;

        if (!read_date(json_object_get(claims, "exp"), &date) || now >= date + JWT_LEEWAY_SECONDS)
                return JWT_EXPIRED;
        for (gsize i = 0; i < G_N_ELEMENTS(BEGINNINGS); i++) {
                const json_t *value = json_object_get(claims, BEGINNINGS[i]);

                if (value != NULL && (!read_date(value, &date) || now + JWT_LEEWAY_SECONDS < date))
                        return JWT_NOT_YET;
        }
        return JWT_OK;
}

/* Words with single spaces between them (RFC 6749 §3.3). */
static gboolean
has_scope(Span scope, Span wanted)
{
        Scan s = scan_from(scope);
        Span word;

        while (!scan_at_end(&s)) {
                if (!scan_until(&s, ' ', &word)) {
                        word = scan_rest(&s);
                        (void) scan_skip(&s, word.len);
                }
                if (span_equal(word, wanted))
                        return TRUE;
                (void) scan_octet(&s, ' ');
        }
        return FALSE;
}

static gboolean
has_scopes(const json_t *claims, const char *const *scopes)
{
        for (gsize i = 0; scopes != NULL && scopes[i] != NULL; i++)
                if (!has_scope(text_of(claims, "scope"), span_of(scopes[i])))
                        return FALSE;
        return TRUE;
}

/* Who may write any address into his profile at the issuer must not read that address's mail. Some issuers write "true"
 * as a text. */
static gboolean
is_unverified(const json_t *claims, const char *account_claim)
{
        const json_t *verified = json_object_get(claims, "email_verified");

        return strcmp(account_claim, "email") == 0 && verified != NULL && !json_is_true(verified) &&
               !span_equal(text_of(claims, "email_verified"), span_of("true"));
}

static JwtAnswer
check_claims(const JwtRules *rules, Arena *arena, const json_t *claims, gint64 now, Span *ret_account)
{
        Span account = text_of(claims, rules->account_claim);

        if (!span_equal(text_of(claims, "iss"), span_of(rules->issuer)))
                return JWT_BAD_ISSUER;
        if (!is_for_us(claims, rules->audiences))
                return JWT_BAD_AUDIENCE;
        JwtAnswer dates = check_dates(claims, now);
        if (dates != JWT_OK)
                return dates;
        if (json_object_get(claims, "cnf") != NULL)
                return JWT_BOUND;
        if (account.len == 0 || account.len > JWT_ACCOUNT_MAX || text_has_control(account) ||
            is_unverified(claims, rules->account_claim))
                return JWT_BAD_ACCOUNT;
        if (!has_scopes(claims, rules->scopes))
                return JWT_BAD_SCOPE;
        *ret_account = arena_copy(arena, account);
        return ret_account->len > 0 ? JWT_OK : JWT_MALFORMED;
}

/* --------------------------------------------------------------------------------------------------------------- */

JwtAnswer
jwt_verify(const Jwks *keys, const JwtRules *rules, Arena *arena, Span token, gint64 now, Span *ret_account)
{
        Parts parts;

        if (!split(token, &parts))
                return JWT_MALFORMED;
        json_auto_t *header = read_part(arena, parts.header);
        if (header == NULL)
                return JWT_MALFORMED;
        JwtAnswer answer = check_signature(keys, arena, header, &parts);
        if (answer != JWT_OK)
                return answer;
        json_auto_t *claims = read_part(arena, parts.payload);
        return claims != NULL ? check_claims(rules, arena, claims, now, ret_account) : JWT_MALFORMED;
}

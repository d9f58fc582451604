/* token_test.h -- an issuer of tokens, for the tests of this room. */
#pragma once

#include "auth/jwt.h"
#include "base/json.h"
#include "base/text.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

/* RFC 7515 §A.1: the key of the HMAC, as JSON of a set and as octets. */
#define RFC7515_SECRET "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define HMAC_SET "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"" RFC7515_SECRET "\"}]}"

G_GNUC_UNUSED static char *
base64url(Span s)
{
        char *text = g_base64_encode(s.data, s.len);

        g_strdelimit(text, "+", '-');
        g_strdelimit(text, "/", '_');
        for (char *end = text + strlen(text); end > text && end[-1] == '='; end--)
                end[-1] = '\0';
        return text;
}

G_GNUC_UNUSED static char *
number_of(EVP_PKEY *key, const char *name, int octets)
{
        guint8 buffer[1024];
        BIGNUM *n = NULL;

        g_assert_cmpint(EVP_PKEY_get_bn_param(key, name, &n), ==, 1);
        int len = octets > 0 ? BN_bn2binpad(n, buffer, octets) : BN_bn2bin(n, buffer);
        g_assert_cmpint(len, >, 0);
        BN_free(n);
        return base64url(span_make(buffer, (gsize) len));
}

/* One key as JSON, with `more` ("\"kid\":\"a\",") in it. g_free. */
G_GNUC_UNUSED static char *
jwk_of(EVP_PKEY *key, const char *more)
{
        guint8 raw[32];
        gsize octets = sizeof(raw);

        if (EVP_PKEY_is_a(key, "RSA")) {
                g_autofree char *n = number_of(key, OSSL_PKEY_PARAM_RSA_N, 0);
                g_autofree char *e = number_of(key, OSSL_PKEY_PARAM_RSA_E, 0);
                return g_strdup_printf("{%s\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", more, n, e);
        }
        if (EVP_PKEY_is_a(key, "EC")) {
                int size = (EVP_PKEY_get_bits(key) + 7) / 8;
                g_autofree char *x = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, size);
                g_autofree char *y = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, size);
                return g_strdup_printf("{%s\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"}", more,
                                       EVP_PKEY_get_bits(key), x, y);
        }
        g_assert_cmpint(EVP_PKEY_get_raw_public_key(key, raw, &octets), ==, 1);
        g_autofree char *x = base64url(span_make(raw, octets));
        return g_strdup_printf("{%s\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}", more, x);
}

/* R and S out of DER. */
G_GNUC_UNUSED static gsize
flatten(guint8 *signature, gsize octets, int coordinate)
{
        const guint8 *at = signature;
        ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long) octets);

        g_assert_nonnull(pair);
        g_assert_cmpint(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, coordinate), ==, coordinate);
        g_assert_cmpint(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + coordinate, coordinate), ==, coordinate);
        ECDSA_SIG_free(pair);
        return 2 * (gsize) coordinate;
}

/* The signature as a JWS has it; salt: of PSS, or -1: not PSS. */
G_GNUC_UNUSED static gsize
sign_with(EVP_PKEY *key, const EVP_MD *digest, int salt, Span text, guint8 ret[1024])
{
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *key_ctx = NULL;
        gsize octets = 1024;

        g_assert_cmpint(EVP_DigestSignInit(ctx, &key_ctx, digest, NULL, key), ==, 1);
        if (salt >= 0) {
                g_assert_cmpint(EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING), ==, 1);
                g_assert_cmpint(EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, salt), ==, 1);
        }
        g_assert_cmpint(EVP_DigestSign(ctx, ret, &octets, text.data, text.len), ==, 1);
        EVP_MD_CTX_free(ctx);
        return EVP_PKEY_is_a(key, "EC") ? flatten(ret, octets, (EVP_PKEY_get_bits(key) + 7) / 8) : octets;
}

G_GNUC_UNUSED static void
hmac_of_rfc7515(Span text, guint8 ret[32])
{
        g_autoptr(Arena) arena = arena_new(1024);
        Span secret;

        g_assert_true(text_base64url_decode(arena, span_of(RFC7515_SECRET), 64, &secret));
        g_assert_nonnull(HMAC(EVP_sha256(), secret.data, (int) secret.len, text.data, text.len, ret, NULL));
}

/* A token signed by that HMAC, whatever its parts say. g_free. */
G_GNUC_UNUSED static char *
hmac_token(Span header, Span payload)
{
        guint8 mac[32];
        g_autofree char *head = base64url(header), *body = base64url(payload);
        g_autofree char *text = g_strconcat(head, ".", body, NULL);

        hmac_of_rfc7515(span_of(text), mac);
        g_autofree char *signature = base64url(span_make(mac, sizeof(mac)));
        return g_strconcat(text, ".", signature, NULL);
}

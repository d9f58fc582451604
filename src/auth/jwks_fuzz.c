/* jwks_fuzz.c -- whatever stands in a file of keys: keys that can be used, or one reason. */
#include "auth/jwks.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Jwks) jwks = jwks_parse(span_make(data, size), &error);

        g_assert((jwks == NULL) == (error != NULL));
        if (jwks == NULL)
                return 0;
        g_assert(jwks_n_keys(jwks) > 0 && jwks_n_keys(jwks) <= JWKS_KEYS_MAX);
        for (JwsAlgorithm a = JWS_NONE; a < JWS_ALGORITHMS; a++)
                g_assert(jwks_check(jwks, a, FALSE, SPAN_EMPTY, span_make(data, size),
                                    span_make(data, MIN(size, 64))) != JWKS_SIGNED);
        return 0;
}

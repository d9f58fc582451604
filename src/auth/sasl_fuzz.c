/* sasl_fuzz.c -- a whole exchange: the first octet chooses mechanism and initial response, messages are divided by
 * 0xff. With its bit 3: one message of OAUTHBEARER. */
#include "auth/internal.h"

#include "auth/bearer.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
check(SaslStep step, Span login, Span password)
{
        if (step == SASL_COMPLETE)
                g_assert(login.len > 0 && login.len <= 1000 && password.len <= 1000);
}

static void
check_bearer(Arena *arena, Span message)
{
        BearerMessage m = {SPAN_EMPTY, SPAN_EMPTY};
        BearerStep step = bearer_parse(arena, message, &m);

        g_assert((step == BEARER_TOKEN) == (m.token.len > 0));
        g_assert(m.authzid.len <= 1000);
        for (gsize i = 0; i < m.token.len; i++)
                g_assert(octet_in(&CLASS_PRINT, m.token.data[i]));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        Scan s = scan_from(span_make(data, size));
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Sasl sasl = {0};
        guint8 choice;
        Span message, challenge = SPAN_EMPTY, login = SPAN_EMPTY, password = SPAN_EMPTY;

        if (size > 0 && (data[0] & 8) != 0)
                check_bearer(arena, span_make(data + 1, size - 1));
        if (!scan_any(&s, &choice) || !scan_until(&s, 0xff, &message))
                return 0;
        SaslStep step = sasl_start(&sasl, arena, choice % 3, choice & 4, message, &challenge, &login, &password);
        check(step, login, password);
        while (step == SASL_CHALLENGE && scan_octet(&s, 0xff)) {
                if (!scan_until(&s, 0xff, &message))
                        message = scan_rest(&s);
                step = sasl_continue(&sasl, arena, message, &challenge, &login, &password);
                check(step, login, password);
        }
        sasl_done(&sasl);
        return 0;
}

#include "base/text.h"
#include "mail/mime.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_params(const Param *params, gsize n)
{
        g_assert(n <= MESSAGE_PARAMS_MAX);
        for (gsize i = 0; i < n; i++) {
                g_assert(params[i].name.len > 0 && text_is_ascii(params[i].name));
                g_assert(span_is(params[i].name, "boundary") || text_is_utf8(params[i].value));
        }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(1024 * 1024);
        ContentType t;
        const Param *params;
        Span kind;
        gsize n;

        if (!content_type_parse(arena, span_make(data, size), &t))
                g_assert(span_is(t.type, "text") && span_is(t.subtype, "plain") && t.n_params == 0);
        g_assert(t.type.len > 0 && t.subtype.len > 0);
        check_params(t.params, t.n_params);
        if (disposition_parse(arena, span_make(data, size), &kind, &params, &n))
                check_params(params, n);
        return 0;
}

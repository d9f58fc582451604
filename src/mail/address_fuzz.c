#include "base/text.h"
#include "mail/address.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted keeps its promises, and reads back from its text as the same. */
static void
check(Arena *arena, const Address *a, gboolean allow_utf8)
{
        Address again;

        g_assert(a->local.len <= ADDRESS_LOCAL_MAX && a->domain.len <= ADDRESS_DOMAIN_MAX);
        g_assert(text_is_utf8(a->local) && text_is_ascii(a->domain));
        g_assert(allow_utf8 || text_is_ascii(a->local));
        g_assert(!text_has_control(a->local) && !text_has_control(a->domain));
        g_assert((a->local.len == 0) == address_is_null(a));
        g_assert(a->domain.len > 0 || address_is_null(a) || span_is(a->local, "postmaster"));

        Span text = address_text(arena, a);
        g_assert(address_parse(arena, text, TRUE, &again) == ADDRESS_OK);
        g_assert(span_equal(a->local, again.local) && span_equal(a->domain, again.domain));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(65536);
        Address a;
        Span domain;

        for (gboolean utf8 = FALSE; utf8 <= TRUE; utf8++) {
                Scan s = scan_from(span_make(data, size));

                if (address_scan_path(arena, &s, utf8, &a) == ADDRESS_OK) {
                        g_assert(s.at > data && s.at[-1] == '>');
                        check(arena, &a, utf8);
                } else {
                        g_assert(s.at == data);
                }
                if (address_parse(arena, span_make(data, size), utf8, &a) == ADDRESS_OK)
                        check(arena, &a, utf8);
        }
        if (address_parse_domain(arena, span_make(data, size), &domain) == ADDRESS_OK)
                g_assert(domain.len > 0 && domain.len <= ADDRESS_DOMAIN_MAX && text_is_ascii(domain));
        return 0;
}

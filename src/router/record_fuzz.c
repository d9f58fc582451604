/* record_fuzz.c -- a record, and behind a line end an address that it meets. */
#include "router/internal.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
rewrite(const RouteRule *rule, Arena *arena, Span text)
{
        Address address, made;
        Span star;

        if (address_parse(arena, text, TRUE, &address) != ADDRESS_OK || !rule_matches(rule, &address, &star))
                return;
        if (rule->target > TARGET_VIA || !rule_rewrite(rule, arena, &address, star, &made))
                return;
        g_assert(made.local.len > 0 && made.local.len <= ADDRESS_LOCAL_MAX);
        g_assert(made.domain.len > 0 && made.domain.len <= ADDRESS_DOMAIN_MAX);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        Scan s = scan_from(span_make(data, size));
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        RouteRule rule;
        Span line;

        if (!scan_line(&s, &line))
                return 0;
        const char *record = arena_strndup(arena, line);
        if (record != NULL && rule_parse(arena, record, &rule, NULL))
                rewrite(&rule, arena, scan_rest(&s));
        return 0;
}

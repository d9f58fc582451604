/* policy_fuzz.c -- a policy list; behind a line end a next hop. */
#include "router/internal.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        Scan s = scan_from(span_make(data, size));
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        const Policy *policies;
        gsize n;
        Span line;

        if (!scan_line(&s, &line))
                return 0;
        const char *text = arena_strndup(arena, line), *next_hop = arena_strndup(arena, scan_rest(&s));
        if (text != NULL && router_policy_parse(arena, text, &policies, &n, NULL)) {
                g_assert(n > 0 && n <= POLICIES_MAX);
                for (gsize i = 0; i < n; i++)
                        g_assert((policies[i].word == POLICY_DELIVER) == (policies[i].n_targets > 0));
        }
        if (next_hop != NULL)
                (void) !router_next_hop_check(next_hop, NULL);
        return 0;
}

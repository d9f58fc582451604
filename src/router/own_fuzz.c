/* own_fuzz.c -- a domain as a recipient has it, and a next hop: what is this very server, and what is an address at
 * all. */
#include "router/internal.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        static const RouterListener LISTENERS[] = {{"127.0.0.1", 2525}, {"::", 25}};
        static const char *const LITERALS[] = {"[192.0.2.1]", NULL};
        static const RouterSettings OWN = {.hostname = "mx.ex.org",
                                           .literals = LITERALS,
                                           .listeners = LISTENERS,
                                           .n_listeners = G_N_ELEMENTS(LISTENERS)};
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Span input = span_make(data, size), domain;
        const char *next_hop = arena_strndup(arena, input);

        g_assert(!own_literal(&OWN, input) || data[0] == '[');
        if (address_parse_domain(arena, input, &domain) == ADDRESS_OK)
                (void) !own_literal(&OWN, domain);
        if (next_hop != NULL)
                (void) !router_next_hop_is_own(&OWN, next_hop);
        return 0;
}

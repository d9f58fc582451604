#include "fetch/internal.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const HOSTS[] = {"mx.prov", NULL};
        static const char *const FIELDS[] = {"to", "cc", "resent-to", NULL};
        static const Recipe RECIPES[] = {{RECIPE_HEADER, "X-Envelope-To", 0, NULL},
                                         {RECIPE_HEADER, "Delivered-To", 1, "ex.org"},
                                         {RECIPE_RECEIVED, .by = HOSTS},
                                         {RECIPE_GUESS, .fields = FIELDS}};
        static const DomainMap DOMAINS[] = {{"ex.org", "local.example"}};
        g_autoptr(Arena) arena = arena_new(4 << 20);
        const Address *found;
        const char *reason;
        Address sender;
        Header header;
        gsize n;

        if (size < 1)
                return 0;
        MultidropSettings settings = {RECIPES, G_N_ELEMENTS(RECIPES), DOMAINS, 1, data[0] & 3, 1 + (data[0] >> 4)};
        Span text = span_make(data + 1, size - 1);

        if (multidrop_find(arena, text, &settings, &found, &n, &reason) == MULTIDROP_FOUND) {
                g_assert(n > 0 && n <= settings.max_recipients);
                for (gsize i = 0; i < n; i++)
                        g_assert(found[i].local.len > 0 && span_is(found[i].domain, "local.example"));
        } else {
                g_assert(n == 0 && reason != NULL);
        }
        if (header_parse(arena, text, &header))
                multidrop_sender(arena, &header, settings.hops, &sender);
        return 0;
}

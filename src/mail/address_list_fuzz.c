#include "base/text.h"
#include "mail/address.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(1024 * 1024);
        ListedAddress *list;
        gsize n;

        gboolean is_whole = address_list_parse(arena, span_make(data, size), &list, &n);
        g_assert(n <= ADDRESS_LIST_MAX);
        if (!is_whole)
                return 0;
        for (gsize i = 0; i < n; i++) {
                const ListedAddress *m = &list[i];

                g_assert(text_is_utf8(m->display_name) && text_is_utf8(m->group));
                g_assert(m->is_valid == (m->address.local.len > 0));
                g_assert(m->is_valid == (m->address.domain.len > 0));
                g_assert(text_is_utf8(m->address.local) && text_is_ascii(m->address.domain));
                g_assert(!text_has_control(m->address.local));
        }
        return 0;
}

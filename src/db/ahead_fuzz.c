/* Any octets as a page: no harm is done, and what is not damaged has at most a child for each four octets. */
#include "db/internal.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        g_autoptr(GArray) some = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(guint32));
        const Span page = span_make(data, size);
        const guint32 number = size > 0 && (data[size - 1] & 1) != 0 ? 1 : 2;

        if (!tree_children(page, number, G_MININT64 + 1, G_MAXINT64, all)) {
                g_assert(!tree_children(page, number, 5, 1 << 20, some));
                return 0;
        }
        g_assert(all->len >= 1 && all->len <= 65536);
        g_assert(tree_children(page, number, 5, 1 << 20, some) && some->len <= all->len);
        return 0;
}

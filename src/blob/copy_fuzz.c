/* Stored cuts are decoded within the body, and what was accepted encodes to cuts that decode to the same. */
#include "blob/copy.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        Cut cuts[COPY_CUTS_MAX], again[COPY_CUTS_MAX];
        guint8 stored[COPY_CUTS_STORED_MAX];
        guint n, n_again;

        if (size == 0)
                return 0;
        guint64 body_size = (guint64) data[0] << (data[0] & 31);
        if (!copy_get_cuts(span_make(data + 1, size - 1), body_size, cuts, &n))
                return 0;

        guint64 at = 0;
        for (guint i = 0; i < n; i++) {
                g_assert(cuts[i].offset >= at && cuts[i].len > 0);
                at = (guint64) cuts[i].offset + cuts[i].len;
                g_assert(at <= body_size);
        }
        gsize len = copy_put_cuts(cuts, n, stored);
        g_assert(copy_get_cuts(span_make(stored, len), body_size, again, &n_again) && n_again == n);
        g_assert(memcmp(cuts, again, n * sizeof(Cut)) == 0);
        return 0;
}

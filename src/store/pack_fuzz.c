/* Any octets (with their checksum made right) are read without harm, and what is read can be put and read again. */
#include "store/pack.h"

#include "blob/copy.h"

#include <xxhash.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
check_again(Unpacker *unpacker, const PackedPart *part)
{
        g_autoptr(Packer) packer = packer_new();
        g_autoptr(GByteArray) data = g_byte_array_new();
        gsize octets = 0;

        for (guint i = 0; i < part->n; i++)
                octets += part->items[i].len;
        if (octets > PART_OCTETS_MAX)
                return;
        part_put(packer, data, part->items, part->n);
        g_autoptr(PackedPart) again = part_get(unpacker, span_make(data->data, data->len));
        g_assert(again != NULL && again->n == part->n);
        for (guint i = 0; i < part->n; i++) {
                g_assert((part->items[i].data == NULL) == (again->items[i].data == NULL));
                g_assert(span_equal(part->items[i], again->items[i]));
        }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        g_autofree guint8 *record = g_malloc(size + 8);
        guint64 checksum = GUINT64_TO_LE(XXH3_64bits(data, size));
        g_autoptr(Unpacker) unpacker = unpacker_new();

        if (size > 0)
                memcpy(record, data, size);
        memcpy(record + size, &checksum, 8);
        g_autoptr(PackedPart) part = part_get(unpacker, span_make(record, size + 8));
        if (part == NULL)
                return 0;
        for (guint i = 0; i < part->n; i++) {
                Span prefix, cuts;
                if (copy_item_get(part->items[i], &prefix, &cuts))
                        g_assert(prefix.len <= COPY_PREFIX_MAX && cuts.len <= COPY_CUTS_STORED_MAX);
        }
        check_again(unpacker, part);
        return 0;
}

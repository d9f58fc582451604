/* pack.c -- the stored form of a part of a pack.
 *
 * part     format (1), method, n (varint), octets of the content (varint), the content as the method has it, and at
 * last the XXH3 of all before it (64 bits, little-endian). Method 0: as it is; 1: one frame of Zstandard. content  for
 * each of n items a varint, 0 when it is not there, else its length + 1; then the items, one behind the other. item of
 * PACK_COPY: length of the prefix (varint), prefix, cuts.
 *
 * 1. n is from 1 to 128, and in all parts of a pack the number of its slots.
 * 2. The content is used up to its end. It has at most PART_OCTETS_MAX octets, and the lengths.
 * 3. A part never changes, but for one that is damaged, which is made again (healing.c).
 */
#include "store/pack.h"

#include "base/scan.h"
#include "blob/copy.h"

#include <xxhash.h>
#include <zstd.h>

#define PART_FORMAT 1
#define METHOD_PLAIN 0
#define METHOD_ZSTD 1
#define LEVEL 3
#define CHECKSUM_OCTETS 8
#define CONTENT_MAX (PART_OCTETS_MAX + PAGE_ENTRIES * 5)

struct Packer {
        ZSTD_CCtx *context;
        GByteArray *content;
};

struct Unpacker {
        ZSTD_DCtx *context;
};

/* Parts in memory -------------------------------------------------------------------------------------------------- */

PackedPart *
part_ref(PackedPart *part)
{
        g_atomic_int_inc(&part->refs);
        return part;
}

void
part_unref(PackedPart *part)
{
        if (part != NULL && g_atomic_int_dec_and_test(&part->refs))
                g_free(part);
}

/* Putting ---------------------------------------------------------------------------------------------------------- */

Packer *
packer_new(void)
{
        ZSTD_CCtx *context = ZSTD_createCCtx();

        if (context == NULL)
                return NULL;
        Packer *packer = g_new(Packer, 1);
        *packer = (Packer){context, g_byte_array_new()};
        return packer;
}

void
packer_free(Packer *packer)
{
        if (packer == NULL)
                return;
        ZSTD_freeCCtx(packer->context);
        g_byte_array_unref(packer->content);
        g_free(packer);
}

static void
put_varint(GByteArray *out, guint64 value)
{
        guint8 octets[10];
        guint n = 0;

        for (; value >= 0x80; value >>= 7)
                octets[n++] = (guint8) (value | 0x80);
        octets[n++] = (guint8) value;
        g_byte_array_append(out, octets, n);
}

static void
put_content(GByteArray *out, const Span *items, guint n)
{
        for (guint i = 0; i < n; i++)
                put_varint(out, items[i].data == NULL ? 0 : items[i].len + 1);
        for (guint i = 0; i < n; i++)
                if (items[i].len > 0)
                        g_byte_array_append(out, items[i].data, (guint) items[i].len);
        g_assert(out->len <= CONTENT_MAX);
}

static void
put_head(GByteArray *out, guint8 method, guint n, gsize content)
{
        const guint8 head[] = {PART_FORMAT, method};

        g_byte_array_append(out, head, sizeof(head));
        put_varint(out, n);
        put_varint(out, content);
}

/* What would not be smaller stays as it is. */
void
part_put(Packer *packer, GByteArray *out, const Span *items, guint n)
{
        GByteArray *content = packer->content;
        guint start = out->len;

        g_assert(n > 0 && n <= PAGE_ENTRIES);
        g_byte_array_set_size(content, 0);
        put_content(content, items, n);
        put_head(out, METHOD_ZSTD, n, content->len);
        guint at = out->len;
        g_byte_array_set_size(out, at + content->len);
        gsize len =
                ZSTD_compressCCtx(packer->context, out->data + at, content->len, content->data, content->len, LEVEL);
        if (ZSTD_isError(len)) {
                g_byte_array_set_size(out, start);
                put_head(out, METHOD_PLAIN, n, content->len);
                g_byte_array_append(out, content->data, content->len);
        } else {
                g_byte_array_set_size(out, at + (guint) len);
        }
        guint64 checksum = GUINT64_TO_LE(XXH3_64bits(out->data + start, out->len - start));
        g_byte_array_append(out, (const guint8 *) &checksum, sizeof(checksum));
}

/* Getting ---------------------------------------------------------------------------------------------------------- */

Unpacker *
unpacker_new(void)
{
        ZSTD_DCtx *context = ZSTD_createDCtx();

        if (context == NULL)
                return NULL;
        Unpacker *unpacker = g_new(Unpacker, 1);
        unpacker->context = context;
        return unpacker;
}

void
unpacker_free(Unpacker *unpacker)
{
        if (unpacker == NULL)
                return;
        ZSTD_freeDCtx(unpacker->context);
        g_free(unpacker);
}

static gboolean
take_checksum(Scan *s, Span data)
{
        guint64 checksum;

        if (data.len < CHECKSUM_OCTETS)
                return FALSE;
        Scan end = scan_from(span_slice(data, data.len - CHECKSUM_OCTETS, data.len));
        *s = scan_from(span_slice(data, 0, data.len - CHECKSUM_OCTETS));
        return scan_u64(&end, &checksum) && checksum == XXH3_64bits(data.data, data.len - CHECKSUM_OCTETS);
}

static gboolean
get_octets(Unpacker *unpacker, guint8 method, Span stored, guint8 *ret, gsize len)
{
        if (method == METHOD_PLAIN && stored.len == len) {
                if (len > 0)
                        memcpy(ret, stored.data, len);
                return TRUE;
        }
        return method == METHOD_ZSTD &&
               ZSTD_decompressDCtx(unpacker->context, ret, len, stored.data, stored.len) == len;
}

static gboolean
get_items(PackedPart *part, Span content)
{
        Scan s = scan_from(content);
        guint64 lengths[PAGE_ENTRIES];

        for (guint i = 0; i < part->n; i++)
                if (!scan_varint(&s, (guint64) PART_OCTETS_MAX + 1, &lengths[i]))
                        return FALSE;
        for (guint i = 0; i < part->n; i++)
                if (lengths[i] > 0 && !scan_take(&s, (gsize) lengths[i] - 1, &part->items[i]))
                        return FALSE;
        return scan_at_end(&s);
}

PackedPart *
part_get(Unpacker *unpacker, Span data)
{
        guint8 format, method;
        guint64 n, len;
        Scan s;

        if (unpacker == NULL || !take_checksum(&s, data) || !scan_u8(&s, &format) || format != PART_FORMAT ||
            !scan_u8(&s, &method) || !scan_varint(&s, PAGE_ENTRIES, &n) || n == 0 ||
            !scan_varint(&s, CONTENT_MAX, &len))
                return NULL;
        g_autoptr(PackedPart) part = g_try_malloc(sizeof(PackedPart) + (gsize) len + 1);
        if (part == NULL)
                return NULL;
        *part = (PackedPart){.refs = 1, .n = (guint) n, .size = sizeof(PackedPart) + (gsize) len};
        if (!get_octets(unpacker, method, scan_rest(&s), part->octets, (gsize) len) ||
            !get_items(part, span_make(part->octets, (gsize) len)))
                return NULL;
        return g_steal_pointer(&part);
}

/* Copies ----------------------------------------------------------------------------------------------------------- */

void
copy_item_put(GByteArray *out, Span prefix, Span cuts)
{
        put_varint(out, prefix.len);
        if (prefix.len > 0)
                g_byte_array_append(out, prefix.data, (guint) prefix.len);
        if (cuts.len > 0)
                g_byte_array_append(out, cuts.data, (guint) cuts.len);
}

gboolean
copy_item_get(Span item, Span *ret_prefix, Span *ret_cuts)
{
        Scan s = scan_from(item);
        guint64 len;

        if (!scan_varint(&s, COPY_PREFIX_MAX, &len) || !scan_take(&s, (gsize) len, ret_prefix))
                return FALSE;
        *ret_cuts = scan_rest(&s);
        return ret_cuts->len <= COPY_CUTS_STORED_MAX;
}

/* What a reader has seen: ranges are refused or rise and come back as they were written; and union and difference of
 * two lists have the UIDs that they must have, as a list of bits counts them. The first octet says where the second
 * begins. */
#include "store/internal.h"

#define LOW 2048 /* UIDs below are compared one by one */

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
check_rising(const GArray *ranges)
{
        guint64 behind = 0;

        for (guint i = 0; i < ranges->len; i++) {
                const UidRange *range = &g_array_index(ranges, UidRange, i);
                g_assert_true(range->first > behind && range->last >= range->first);
                behind = range->last;
        }
}

static void
check_again(const GArray *ranges)
{
        g_autoptr(GByteArray) out = g_byte_array_new();
        g_autoptr(GArray) again = g_array_new(FALSE, FALSE, sizeof(UidRange));

        check_rising(ranges);
        ranges_put(out, (const UidRange *) (gconstpointer) ranges->data, ranges->len);
        g_assert_true(ranges_get(span_make(out->data, out->len), again));
        g_assert_cmpmem(again->data, again->len * sizeof(UidRange), ranges->data, ranges->len * sizeof(UidRange));
}

static GArray *
read_ranges(Span octets)
{
        GArray *ranges = g_array_new(FALSE, FALSE, sizeof(UidRange));

        if (!ranges_get(octets, ranges))
                g_array_set_size(ranges, 0);
        check_again(ranges);
        return ranges;
}

static gboolean
has(const GArray *ranges, guint32 uid)
{
        for (guint i = 0; i < ranges->len; i++)
                if (uid >= g_array_index(ranges, UidRange, i).first && uid <= g_array_index(ranges, UidRange, i).last)
                        return TRUE;
        return FALSE;
}

static void
check_both(const GArray *a, const GArray *b)
{
        g_autoptr(GArray) sum = ranges_union(a, b);
        g_autoptr(GArray) rest = ranges_without(a, b);
        const UidSet set = {(const UidRange *) (gconstpointer) a->data, a->len};
        SetWalk walk = {.set = &set};

        check_again(sum);
        check_again(rest);
        for (guint32 uid = 1; uid < LOW && a->len + b->len < 64; uid++) {
                gboolean in_a = has(a, uid), in_b = has(b, uid);
                g_assert_true(has(sum, uid) == (in_a || in_b));
                g_assert_true(has(rest, uid) == (in_a && !in_b));
                g_assert_true(set_walk_has(&walk, uid) == in_a);
        }
        for (guint i = 0; i < a->len; i++) {
                const UidRange *range = &g_array_index(a, UidRange, i);
                g_assert_true(set_covers(&set, range->first, (guint64) range->last + 1));
                g_assert_true(has(sum, range->last) && has(sum, range->first));
        }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        if (size == 0)
                return 0;
        gsize cut = MIN(data[0], size - 1);
        g_autoptr(GArray) a = read_ranges(span_make(data + 1, cut));
        g_autoptr(GArray) b = read_ranges(span_make(data + 1 + cut, size - 1 - cut));
        check_both(a, b);
        return 0;
}

#include "base/scan.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gboolean
number_step(Scan *s, guint64 max)
{
        guint64 value;

        if (!scan_number(s, max, &value))
                return FALSE;
        g_assert(value <= max);
        return TRUE;
}

static gboolean
varint_step(Scan *s, guint64 max)
{
        guint64 value;

        if (!scan_varint(s, max, &value))
                return FALSE;
        g_assert(value <= max);
        return TRUE;
}

/* One step chosen by `op`; whether it said TRUE. */
static gboolean
step(Scan *s, guint8 op, Span *ret)
{
        guint8 u8;
        guint32 u32;
        guint64 u64;

        switch (op % 14) {
        case 0:
                return scan_octet(s, op);
        case 1:
                return scan_word(s, "word");
        case 2:
                return scan_any(s, &u8);
        case 3:
                return scan_skip(s, op);
        case 4:
                return scan_take(s, op, ret);
        case 5:
                return scan_run(s, &CLASS_ATEXT, op, ret);
        case 6:
                return scan_run(s, &CLASS_TOKEN, G_MAXSIZE, ret);
        case 7:
                return scan_until(s, op, ret);
        case 8:
                return scan_line(s, ret);
        case 9:
                return number_step(s, (guint64) op << 56 | 0xff);
        case 10:
                return scan_hex(s, op % 18, &u64);
        case 11:
                return scan_u32(s, &u32);
        case 12:
                return scan_u64(s, &u64);
        default:
                return varint_step(s, op);
        }
}

/* The first half of the input chooses steps over the second. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Span ops = span_slice(span_make(data, size), 0, size / 2);
        Span text = span_slice(span_make(data, size), size / 2, size);
        Scan s = scan_from(text);

        for (gsize i = 0; i < ops.len; i++) {
                const guint8 *mark = scan_mark(&s);
                Span found = SPAN_EMPTY;
                gboolean done = step(&s, ops.data[i], &found);

                g_assert(done || scan_mark(&s) == mark);
                g_assert(scan_mark(&s) >= mark && scan_left(&s) <= text.len);
                if (found.len > 0)
                        g_assert(found.data >= mark && found.data + found.len <= s.at);
        }
        return 0;
}

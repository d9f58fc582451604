/* page.c -- the stored forms of entries.
 *
 * page   format (1), n (varint), then eight columns: UID - first UID of the key, size, body, INTERNALDATE, SAVEDATE -
 *        INTERNALDATE, message - body, pack, slot. A column is 0 and the difference of each value to the one before
 *        (the first: to 0), or 1, the first value, and the one difference that all others have. Differences are zigzag
 *        varints. They are taken modulo 2^64.
 * state  format (1), then runs up to the end: number of entries, flags, difference of the first MODSEQ to the last one
 *        before (zigzag), kind; an entry of a kind that is gone has the time of its expunge behind it. kind: fate * 2,
 *        + 1 when MODSEQ rises by one from entry to entry of the run; else all have the same.
 * ranges format (1), then for each range the UIDs since the last one's end, and its length.
 * bodies of a pack: format (1), n, a column.
 * references of a pack's slots: format (1), then runs up to the end: number of slots, references of each.
 *
 * 1. n is from 1 to 128, UIDs rise, none is 0 or over 2^32 - 1.
 * 2. A state has as many entries as its page.
 * 3. Since UIDs count from the key, a page can be copied under another key.
 */
#include "store/page.h"

#include "base/scan.h"

#define PAGE_FORMAT 1
#define STATE_FORMAT 1
#define RANGES_FORMAT 1
#define BODIES_FORMAT 1
#define REFS_FORMAT 1

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
put_octet(GByteArray *out, guint8 octet)
{
        g_byte_array_append(out, &octet, 1);
}

static guint64
zigzag(guint64 difference)
{
        return (difference << 1) ^ (0 - (difference >> 63));
}

static guint64
unzigzag(guint64 value)
{
        return (value >> 1) ^ (0 - (value & 1));
}

/* Columns ---------------------------------------------------------------------------------------------------------- */

static void
put_column(GByteArray *out, const guint64 *values, guint n)
{
        guint64 step = n > 1 ? values[1] - values[0] : 0;
        gboolean is_even = n > 1;

        for (guint i = 2; i < n && is_even; i++)
                is_even = values[i] - values[i - 1] == step;
        put_octet(out, is_even ? 1 : 0);
        put_varint(out, zigzag(values[0]));
        if (is_even)
                put_varint(out, zigzag(step));
        else
                for (guint i = 1; i < n; i++)
                        put_varint(out, zigzag(values[i] - values[i - 1]));
}

static gboolean
get_differences(Scan *s, guint64 value, guint64 *ret_values, guint n)
{
        Scan in = *s;
        guint64 step;

        for (guint i = 0; i < n; i++) {
                if (!scan_varint(&in, G_MAXUINT64, &step))
                        return FALSE;
                ret_values[i] = value += unzigzag(step);
        }
        *s = in;
        return TRUE;
}

static gboolean
get_column(Scan *s, guint64 *ret_values, guint n)
{
        guint64 value, step;
        guint8 is_even;

        if (!scan_u8(s, &is_even) || is_even > 1 || !scan_varint(s, G_MAXUINT64, &value))
                return FALSE;
        ret_values[0] = value = unzigzag(value);
        if (!is_even)
                return get_differences(s, value, ret_values + 1, n - 1);
        if (!scan_varint(s, G_MAXUINT64, &step))
                return FALSE;
        step = unzigzag(step);
        for (guint i = 1; i < n; i++)
                ret_values[i] = value += step;
        return TRUE;
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

void
page_put(GByteArray *out, guint32 first, const ViewEntry *entries, guint n)
{
        guint64 column[PAGE_ENTRIES];

        g_assert(n > 0 && n <= PAGE_ENTRIES && entries[0].uid >= first);
        put_octet(out, PAGE_FORMAT);
        put_varint(out, n);
#define PUT(value)                                                                                                     \
        for (guint i = 0; i < n; i++)                                                                                  \
                column[i] = (guint64) (value);                                                                         \
        put_column(out, column, n)
        PUT(entries[i].uid - first);
        PUT(entries[i].size);
        PUT(entries[i].body);
        PUT(entries[i].received);
        PUT((guint64) entries[i].saved - (guint64) entries[i].received);
        PUT(entries[i].message - (guint64) entries[i].body);
        PUT(entries[i].pack);
        PUT(entries[i].slot);
#undef PUT
}

static gboolean
get_head(Scan *s, guint *ret_n)
{
        guint8 format;
        guint64 n;

        if (!scan_u8(s, &format) || format != PAGE_FORMAT || !scan_varint(s, PAGE_ENTRIES, &n) || n == 0)
                return FALSE;
        *ret_n = (guint) n;
        return TRUE;
}

/* Invariant 1. Each value is at most UID_MAX, so that nothing overflows. */
static gboolean
get_uids(Scan *s, guint32 first, guint32 *ret_uids, guint n)
{
        guint64 column[PAGE_ENTRIES];
        guint64 least = 1;

        if (!get_column(s, column, n))
                return FALSE;
        for (guint i = 0; i < n; i++) {
                if (column[i] > UID_MAX || column[i] + first < least || column[i] + first > UID_MAX)
                        return FALSE;
                ret_uids[i] = (guint32) (column[i] + first);
                least = (guint64) ret_uids[i] + 1;
        }
        return TRUE;
}

gboolean
page_get_uids(Span data, guint32 first, guint32 ret_uids[PAGE_ENTRIES], guint64 ret_sizes[PAGE_ENTRIES], guint *ret_n)
{
        Scan s = scan_from(data);

        return get_head(&s, ret_n) && get_uids(&s, first, ret_uids, *ret_n) && get_column(&s, ret_sizes, *ret_n);
}

typedef struct Columns {
        guint32 uid[PAGE_ENTRIES];
        guint64 size[PAGE_ENTRIES], body[PAGE_ENTRIES], received[PAGE_ENTRIES], saved[PAGE_ENTRIES];
        guint64 message[PAGE_ENTRIES], pack[PAGE_ENTRIES], slot[PAGE_ENTRIES];
} Columns;

static gboolean
get_columns(Scan *s, guint32 first, Columns *c, guint n)
{
        if (!get_uids(s, first, c->uid, n) || !get_column(s, c->size, n) || !get_column(s, c->body, n) ||
            !get_column(s, c->received, n) || !get_column(s, c->saved, n) || !get_column(s, c->message, n) ||
            !get_column(s, c->pack, n) || !get_column(s, c->slot, n) || !scan_at_end(s))
                return FALSE;
        for (guint i = 0; i < n; i++)
                if (c->slot[i] >= PAGE_ENTRIES || c->pack[i] > G_MAXINT64)
                        return FALSE;
        return TRUE;
}

gboolean
page_get(Span data, guint32 first, ViewEntry *ret_entries, guint room, guint *ret_n)
{
        Scan s = scan_from(data);
        Columns c;

        if (!get_head(&s, ret_n) || *ret_n > room || !get_columns(&s, first, &c, *ret_n))
                return FALSE;
        for (guint i = 0; i < *ret_n; i++)
                ret_entries[i] = (ViewEntry){
                        .uid = c.uid[i],
                        .slot = (guint32) c.slot[i],
                        .size = c.size[i],
                        .body = (gint64) c.body[i],
                        .pack = (gint64) c.pack[i],
                        .received = (Usec) c.received[i],
                        .saved = (Usec) (c.saved[i] + c.received[i]),
                        .message = c.message[i] + c.body[i],
                };
        return TRUE;
}

/* States ----------------------------------------------------------------------------------------------------------- */

static gboolean
is_alike(const State *a, const State *b)
{
        return a->flags == b->flags && a->fate == b->fate && a->gone_at == b->gone_at;
}

/* Entries from the first one that have one run, and by how much MODSEQ rises in it. */
static guint
run_length(const State *states, guint n, guint64 *ret_step)
{
        guint64 step = n > 1 ? states[1].modseq - states[0].modseq : 0;
        guint len = 1;

        if (step > 1)
                step = 0;
        while (len < n && is_alike(&states[0], &states[len]) && states[len].modseq - states[len - 1].modseq == step)
                len++;
        *ret_step = step;
        return len;
}

void
state_put(GByteArray *out, const State *states, guint n)
{
        guint64 before = 0, step;

        g_assert(n > 0 && n <= PAGE_ENTRIES);
        put_octet(out, STATE_FORMAT);
        for (guint i = 0, len; i < n; i += len) {
                len = run_length(states + i, n - i, &step);
                put_varint(out, len);
                put_varint(out, states[i].flags);
                put_varint(out, zigzag(states[i].modseq - before));
                put_octet(out, (guint8) (states[i].fate * 2 + step));
                if (states[i].fate != FATE_HERE)
                        put_varint(out, (guint64) states[i].gone_at);
                before = states[i + len - 1].modseq;
        }
}

static gboolean
get_run(Scan *s, guint64 room, State *ret, guint64 *ret_len, guint64 *ret_step)
{
        guint64 modseq, gone_at = 0;
        guint8 kind;

        if (!scan_varint(s, room, ret_len) || *ret_len == 0 || !scan_varint(s, G_MAXUINT64, &ret->flags) ||
            !scan_varint(s, G_MAXUINT64, &modseq) || !scan_u8(s, &kind) || kind / 2 > FATE_LAST ||
            (kind / 2 != FATE_HERE && !scan_varint(s, G_MAXINT64, &gone_at)))
                return FALSE;
        ret->modseq += unzigzag(modseq);
        ret->fate = (Fate) (kind / 2);
        ret->gone_at = (Usec) gone_at;
        *ret_step = kind & 1;
        return TRUE;
}

gboolean
state_get(Span data, State ret_states[PAGE_ENTRIES], guint *ret_n)
{
        Scan s = scan_from(data);
        State state = {0};
        guint64 len, step;
        guint8 format;
        guint n = 0;

        if (!scan_u8(&s, &format) || format != STATE_FORMAT)
                return FALSE;
        while (!scan_at_end(&s)) {
                if (!get_run(&s, PAGE_ENTRIES - n, &state, &len, &step))
                        return FALSE;
                for (guint64 i = 0; i < len; i++) {
                        ret_states[n++] = state;
                        state.modseq += step;
                }
                state.modseq -= step;
        }
        *ret_n = n;
        return n > 0;
}

/* Ranges ----------------------------------------------------------------------------------------------------------- */

void
ranges_put(GByteArray *out, const UidRange *ranges, gsize n)
{
        guint32 behind = 0;

        put_octet(out, RANGES_FORMAT);
        for (gsize i = 0; i < n; i++) {
                put_varint(out, ranges[i].first - behind);
                put_varint(out, ranges[i].last - ranges[i].first);
                behind = ranges[i].last;
        }
}

gboolean
ranges_get(Span data, GArray *ret)
{
        Scan s = scan_from(data);
        guint64 behind = 0, skip, len;
        guint8 format;

        if (!scan_u8(&s, &format) || format != RANGES_FORMAT)
                return FALSE;
        while (!scan_at_end(&s)) {
                if (!scan_varint(&s, UID_MAX - behind, &skip) || skip == 0 ||
                    !scan_varint(&s, UID_MAX - behind - skip, &len))
                        return FALSE;
                UidRange range = {(guint32) (behind + skip), (guint32) (behind + skip + len)};
                g_array_append_val(ret, range);
                behind = range.last;
        }
        return TRUE;
}

/* Packs ------------------------------------------------------------------------------------------------------------ */

void
bodies_put(GByteArray *out, const gint64 *bodies, guint n)
{
        guint64 column[PAGE_ENTRIES];

        g_assert(n > 0 && n <= PAGE_ENTRIES);
        for (guint i = 0; i < n; i++)
                column[i] = (guint64) bodies[i];
        put_octet(out, BODIES_FORMAT);
        put_varint(out, n);
        put_column(out, column, n);
}

gboolean
bodies_get(Span data, gint64 ret_bodies[PAGE_ENTRIES], guint *ret_n)
{
        guint64 column[PAGE_ENTRIES];
        Scan s = scan_from(data);
        guint8 format;
        guint64 n;

        if (!scan_u8(&s, &format) || format != BODIES_FORMAT || !scan_varint(&s, PAGE_ENTRIES, &n) || n == 0 ||
            !get_column(&s, column, (guint) n) || !scan_at_end(&s))
                return FALSE;
        for (guint i = 0; i < n; i++)
                ret_bodies[i] = (gint64) column[i];
        *ret_n = (guint) n;
        return TRUE;
}

void
slot_refs_put(GByteArray *out, const guint32 *refs, guint n)
{
        g_assert(n > 0 && n <= PAGE_ENTRIES);
        put_octet(out, REFS_FORMAT);
        for (guint i = 0, len; i < n; i += len) {
                for (len = 1; i + len < n && refs[i + len] == refs[i];)
                        len++;
                put_varint(out, len);
                put_varint(out, refs[i]);
        }
}

gboolean
slot_refs_get(Span data, guint32 ret_refs[PAGE_ENTRIES], guint *ret_n)
{
        Scan s = scan_from(data);
        guint64 len, refs;
        guint8 format;
        guint n = 0;

        if (!scan_u8(&s, &format) || format != REFS_FORMAT)
                return FALSE;
        while (!scan_at_end(&s)) {
                if (!scan_varint(&s, PAGE_ENTRIES - n, &len) || len == 0 || !scan_varint(&s, G_MAXUINT32, &refs))
                        return FALSE;
                while (len-- > 0)
                        ret_refs[n++] = (guint32) refs;
        }
        *ret_n = n;
        return n > 0;
}

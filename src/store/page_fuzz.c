/* The stored forms of pages. The first octet chooses one: octets of any kind are refused or give what its invariants
 * say, which is written and read again as the same; or entries and states of any values are made of the octets and must
 * come back as they were. */
#include "store/page.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static Span
span_of_array(const GByteArray *array)
{
        return span_make(array->data, array->len);
}

/* Entries and states ----------------------------------------------------------------------------------------------- */

static gboolean
is_same_entry(const ViewEntry *a, const ViewEntry *b)
{
        return a->uid == b->uid && a->slot == b->slot && a->size == b->size && a->body == b->body &&
               a->pack == b->pack && a->received == b->received && a->saved == b->saved && a->message == b->message;
}

static gboolean
is_same_state(const State *a, const State *b)
{
        return a->flags == b->flags && a->modseq == b->modseq && a->fate == b->fate && a->gone_at == b->gone_at;
}

static void
check_entries(guint32 first, const ViewEntry *entries, guint n)
{
        g_autoptr(GByteArray) out = g_byte_array_new();
        ViewEntry again[PAGE_ENTRIES];
        guint32 uids[PAGE_ENTRIES];
        guint64 sizes[PAGE_ENTRIES];
        guint n_again;

        page_put(out, first, entries, n);
        g_assert_true(page_get(span_of_array(out), first, again, PAGE_ENTRIES, &n_again));
        g_assert_cmpuint(n_again, ==, n);
        g_assert_true(page_get_uids(span_of_array(out), first, uids, sizes, &n_again));
        g_assert_cmpuint(n_again, ==, n);
        for (guint i = 0; i < n; i++) {
                g_assert_true(is_same_entry(&again[i], &entries[i]));
                g_assert_true(again[i].flags == 0 && again[i].modseq == 0);
                g_assert_true(uids[i] == entries[i].uid && sizes[i] == entries[i].size);
        }
}

static void
check_states(const State *states, guint n)
{
        g_autoptr(GByteArray) out = g_byte_array_new();
        State again[PAGE_ENTRIES];
        guint n_again;

        state_put(out, states, n);
        g_assert_true(state_get(span_of_array(out), again, &n_again));
        g_assert_cmpuint(n_again, ==, n);
        for (guint i = 0; i < n; i++)
                g_assert_true(is_same_state(&again[i], &states[i]));
}

static void
read_page(Span octets)
{
        ViewEntry entries[PAGE_ENTRIES];
        guint32 first, uids[PAGE_ENTRIES];
        guint64 sizes[PAGE_ENTRIES];
        guint n;

        if (octets.len < sizeof(first))
                return;
        memcpy(&first, octets.data, sizeof(first));
        octets = span_slice(octets, sizeof(first), octets.len);
        if (!page_get(octets, first, entries, PAGE_ENTRIES, &n))
                return;
        g_assert_true(n > 0 && n <= PAGE_ENTRIES && entries[0].uid > 0 && entries[0].uid >= first);
        for (guint i = 0; i < n; i++) {
                g_assert_true(i == 0 || entries[i].uid > entries[i - 1].uid);
                g_assert_true(entries[i].slot < PAGE_ENTRIES && entries[i].pack >= 0);
        }
        g_assert_true(page_get_uids(octets, first, uids, sizes, &n));
        check_entries(first, entries, n);
}

static void
read_state(Span octets)
{
        State states[PAGE_ENTRIES];
        guint n;

        if (!state_get(octets, states, &n))
                return;
        g_assert_true(n > 0 && n <= PAGE_ENTRIES);
        for (guint i = 0; i < n; i++) {
                g_assert_true(states[i].fate <= FATE_LAST && states[i].gone_at >= 0);
                g_assert_true(states[i].fate != FATE_HERE || states[i].gone_at == 0);
        }
        check_states(states, n);
}

/* Made of octets --------------------------------------------------------------------------------------------------- */

/* A number of up to eight octets; their count stands first. Zeros when the octets are over. */
static guint64
take(Span *octets)
{
        guint8 raw[8] = {0};
        gsize n = octets->len > 0 ? MIN(octets->data[0] % 9, octets->len - 1) : 0;
        guint64 number;

        if (octets->len == 0)
                return 0;
        memcpy(raw, octets->data + 1, n);
        memcpy(&number, raw, sizeof(number));
        *octets = span_slice(*octets, n + 1, octets->len);
        return GUINT64_FROM_LE(number);
}

static void
make_page(Span octets)
{
        guint32 first = (guint32) take(&octets);
        ViewEntry entries[PAGE_ENTRIES];
        guint64 uid = MAX(first, 1);
        guint n = 0;

        for (; n < PAGE_ENTRIES && octets.len > 0; n++) {
                uid += take(&octets) % 1000 + (n > 0);
                if (uid > UID_MAX)
                        break;
                entries[n] = (ViewEntry){
                        .uid = (guint32) uid,
                        .size = take(&octets),
                        .body = (gint64) take(&octets),
                        .received = (Usec) take(&octets),
                        .saved = (Usec) take(&octets),
                        .message = take(&octets),
                        .pack = (gint64) (take(&octets) >> 1),
                        .slot = (guint32) (take(&octets) % PAGE_ENTRIES),
                };
        }
        if (n > 0)
                check_entries(first, entries, n);
}

static void
make_state(Span octets)
{
        State states[PAGE_ENTRIES];
        guint n = 0;

        for (; n < PAGE_ENTRIES && octets.len > 0; n++) {
                guint64 kind = take(&octets);
                states[n] = n > 0 ? states[n - 1] : (State){0};
                if ((kind & 1) != 0)
                        states[n].flags = take(&octets);
                states[n].modseq = (kind & 2) != 0 ? take(&octets) : states[n].modseq + (kind >> 2 & 1);
                states[n].fate = (Fate) ((kind >> 4) % (FATE_LAST + 1));
                states[n].gone_at = states[n].fate == FATE_HERE ? 0 : (Usec) (take(&octets) >> 1);
        }
        if (n > 0)
                check_states(states, n);
}

/* Packs ------------------------------------------------------------------------------------------------------------ */

static void
read_bodies(Span octets)
{
        g_autoptr(GByteArray) out = g_byte_array_new();
        gint64 bodies[PAGE_ENTRIES], again[PAGE_ENTRIES];
        guint n, n_again;

        if (!bodies_get(octets, bodies, &n))
                return;
        g_assert_true(n > 0 && n <= PAGE_ENTRIES);
        bodies_put(out, bodies, n);
        g_assert_true(bodies_get(span_of_array(out), again, &n_again));
        g_assert_cmpmem(again, n_again * sizeof(*again), bodies, n * sizeof(*bodies));
}

static void
read_slot_refs(Span octets)
{
        g_autoptr(GByteArray) out = g_byte_array_new();
        guint32 refs[PAGE_ENTRIES], again[PAGE_ENTRIES];
        guint n, n_again;

        if (!slot_refs_get(octets, refs, &n))
                return;
        g_assert_true(n > 0 && n <= PAGE_ENTRIES);
        slot_refs_put(out, refs, n);
        g_assert_true(slot_refs_get(span_of_array(out), again, &n_again));
        g_assert_cmpmem(again, n_again * sizeof(*again), refs, n * sizeof(*refs));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        static void (*const KINDS[])(Span octets) = {read_page,      read_state, read_bodies,
                                                     read_slot_refs, make_page,  make_state};

        if (size > 0)
                KINDS[data[0] % G_N_ELEMENTS(KINDS)](span_make(data + 1, size - 1));
        return 0;
}

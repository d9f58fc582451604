/* Whatever a header says, facts are found, tokens are whole, and cuts stay inside the header. */
#include "intake/internal.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
check_cuts(Arena *arena, const Facts *facts, const char *envelope_header, gsize len)
{
        const Address ours[] = {{{(const guint8 *) "joe", 3}, {(const guint8 *) "ex.org", 6}},
                                {{(const guint8 *) "ann", 3}, {(const guint8 *) "ex.org", 6}}};
        DeliveredTo delivered_to[COPY_CUTS_MAX];
        Cut cuts[COPY_CUTS_MAX], again[COPY_CUTS_MAX];
        guint8 stored[COPY_CUTS_STORED_MAX];
        guint n = 0, n_again;
        const CutRule rule = {
                .envelope_header = envelope_header,
                .is_final = TRUE,
                .own = &ours[0],
                .own_recipient = &ours[0],
                .delivered_to = delivered_to,
                .n_delivered_to = facts_delivered_to(arena, facts, ours, G_N_ELEMENTS(ours), delivered_to),
        };

        facts_cuts(facts, &rule, cuts, &n);
        g_assert(n <= facts_count_cuttable(facts, envelope_header));
        gsize stored_len = copy_put_cuts(cuts, n, stored);
        g_assert(copy_get_cuts(span_make(stored, stored_len), facts->shift + len, again, &n_again));
        g_assert(n == n_again && memcmp(cuts, again, n * sizeof(Cut)) == 0);
        g_assert(n == 0 || cuts[0].offset >= facts->shift);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        Facts facts;

        if (!facts_read(arena, span_make(data, size), &facts))
                return 0;
        facts.shift = 100;
        for (gsize i = 0; i < facts.n_tokens; i++)
                g_assert(facts.tokens[i].len == TOKEN_DIGITS);
        check_cuts(arena, &facts, NULL, size);
        check_cuts(arena, &facts, "X-Rcpt-To", size);
        return 0;
}

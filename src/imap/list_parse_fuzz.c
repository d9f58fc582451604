/* The arguments of LIST, LSUB and STATUS, and the patterns made of them; the first octet says which and what is
 * enabled.
 */
#include "imap/harness.h"
#include "imap/names.h"
#include "imap/pattern.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
match(Arena *arena, const ListRequest *r)
{
        for (gsize i = 0; i < r->n_patterns; i++) {
                const Pattern *p = pattern_new(arena, imap_list_canonical(arena, r->reference, r->patterns[i]));
                if (p != NULL) {
                        (void) pattern_matches(p, span_of("INBOX/a/b"));
                        (void) pattern_matches(p, r->reference);
                }
        }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static Harness h;
        ListRequest request;
        gboolean is_bad;
        guint items;

        if (size < 1)
                return 0;
        if (h.session == NULL)
                harness_open(&h);
        ImapArgs args = harness_args(span_make(data + 1, size - 1), (data[0] & 1) != 0 ? IMAP_ENABLED_REV2 : 0);
        g_autoptr(Arena) arena = args.arena;
        if ((data[0] & 2) != 0)
                (void) !imap_status_parse(h.session, &args, &items);
        else if (imap_list_parse(h.session, &args, (data[0] & 4) != 0, &request, &is_bad))
                match(arena, &request);
        return 0;
}

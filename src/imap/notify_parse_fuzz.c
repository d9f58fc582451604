/* The arguments of NOTIFY; the first octet says what is enabled. */
#include "imap/harness.h"
#include "imap/notify.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const Mailbox mailbox = {.id = 1, .name = "INBOX/a", .is_subscribed = TRUE};
        NotifySpec spec;
        gboolean is_delayed;

        if (size < 1)
                return 0;
        ImapArgs args = harness_args(span_make(data + 1, size - 1), (data[0] & 1) != 0 ? IMAP_ENABLED_REV2 : 0);
        if (notify_parse(&args, &spec) == NOTIFY_PARSED_OK) {
                guint events = notify_events_of(&spec, &mailbox) | notify_selected_events(&spec, &is_delayed);
                g_assert((events >> 7) == 0);
        }
        arena_free(args.arena);
        return 0;
}

/* The arguments of the QUOTA commands; the first octet says of which, and what is enabled. */
#include "imap/harness.h"
#include "imap/names.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        gboolean is_bad;
        Span name;

        if (size < 1)
                return 0;
        ImapArgs args = harness_args(span_make(data + 1, size - 1), (data[0] & 4) != 0 ? IMAP_ENABLED_REV2 : 0);
        QuotaForm form = (QuotaForm) ((data[0] & 3) % (QUOTA_FORM_LIMITS + 1));
        if (imap_quota_parse(&args, form, &name, &is_bad))
                g_assert_true(args_end(&args) && !is_bad);
        arena_free(args.arena);
        return 0;
}

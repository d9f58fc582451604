/* The arguments of GETMETADATA and SETMETADATA; the first octet says of which, and what is enabled. */
#include "imap/harness.h"
#include "imap/names.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        MetadataAsked asked;
        MetadataSettings settings;
        gboolean is_bad;

        if (size < 1)
                return 0;
        ImapArgs args = harness_args(span_make(data + 1, size - 1), (data[0] & 1) != 0 ? IMAP_ENABLED_REV2 : 0);
        if ((data[0] & 2) == 0) {
                if (imap_getmetadata_parse(&args, &asked, &is_bad))
                        g_assert_true(args_end(&args) && !is_bad && asked.n > 0);
        } else if (imap_setmetadata_parse(&args, &settings, &is_bad)) {
                g_assert_true(args_end(&args) && !is_bad && settings.n > 0);
        }
        arena_free(args.arena);
        return 0;
}

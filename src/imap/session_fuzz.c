/* Anything a client may send; the first octet says how the input is cut up and how much the client reads at a time, and
 * with an odd one the client has logged in. */
#include "imap/harness.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Harness h = {0};

        if (size < 1)
                return 0;
        log_set_level(LOG_ERROR);
        harness_open(&h);
        if ((data[0] & 1) != 0)
                harness_log_in(&h);
        h.output_max = (data[0] & 2) != 0 ? 100 : 0;
        gsize piece = (data[0] & 0x80) != 0 ? 1 + (data[0] >> 2 & 31) : 4096;
        for (gsize at = 1; at < size && !h.is_closed; at += piece) {
                harness_say(&h, span_make(data + at, MIN(piece, size - at)));
                g_assert(h.output->len == 0 || h.output->str[h.output->len - 1] == '\n');
        }
        harness_close(&h);
        return 0;
}

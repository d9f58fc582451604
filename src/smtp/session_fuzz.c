/* Anything a client may send; the first octet chooses the door and how the input is cut up. */
#include "smtp/harness.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_output(const GString *output)
{
        for (const char *line = output->str; *line != '\0'; line = strchr(line, '\n') + 1) {
                g_assert(g_ascii_isdigit(line[0]) && g_ascii_isdigit(line[1]) && g_ascii_isdigit(line[2]));
                g_assert(line[3] == ' ' || line[3] == '-');
                g_assert(strchr(line, '\n') != NULL && strchr(line, '\n')[-1] == '\r');
        }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Harness h = {0};

        if (size < 1)
                return 0;
        log_set_level(LOG_ERROR);
        harness_open(&h, (SmtpRole) (data[0] % 3));
        gsize piece = (data[0] & 0x80) != 0 ? 1 + (data[0] >> 2 & 31) : 4096;
        for (gsize at = 1; at < size && !h.is_closed; at += piece) {
                harness_say(&h, span_make(data + at, MIN(piece, size - at)));
                check_output(h.output);
        }
        harness_close(&h);
        return 0;
}

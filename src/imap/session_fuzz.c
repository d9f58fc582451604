/* Anything a client may send; the first octet says how the input is cut up and how much the client reads at a time, and
 * with an odd one the client has logged in. One store serves all inputs, so a mailbox is as the inputs before left it.
 */
#include "imap/site_test.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ImapSite site;

static void
close_site(void)
{
        imap_site_close(&site);
}

static void
open_site(void)
{
        if (site.inbox != 0)
                return;
        log_set_level(LOG_ERROR);
        imap_site_open(&site, 5);
        (void) atexit(close_site);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Harness h = {0};

        if (size < 1)
                return 0;
        open_site();
        h.store = site.site.store;
        h.directory = site.site.directory;
        h.account = site.joe.account;
        harness_open(&h);
        if ((data[0] & 1) != 0)
                harness_log_in(&h);
        h.output_max = (data[0] & 2) != 0 ? 100 : 0;
        gsize piece = (data[0] & 0x80) != 0 ? 1 + (data[0] >> 2 & 31) : 4096;
        for (gsize at = 1; at < size && !h.is_closed; at += piece)
                harness_say(&h, span_make(data + at, MIN(piece, size - at)));
        harness_close(&h);
        return 0;
}

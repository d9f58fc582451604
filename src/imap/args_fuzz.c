/* The arguments of a command; the first octet says which reader begins and what is enabled. */
#include "imap/internal.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gboolean
read_one(ImapArgs *a, guint which)
{
        Span text = SPAN_EMPTY;
        const Span *keywords;
        gboolean is;
        guint64 number;
        ImapSet set;
        Usec when;
        gsize n;

        switch (which % 12) {
        case 0:
                return args_astring(a, &text);
        case 1:
                return args_string(a, &text);
        case 2:
                return args_nstring(a, &text, &is);
        case 3:
                return args_literal8(a, &text, &is);
        case 4:
                return args_number(a, 4294967295, &number);
        case 5:
                return args_flag_list(a, &number, &keywords, &n);
        case 6:
                return args_date(a, &when);
        case 7:
                return args_date_time(a, &when);
        case 8:
                return args_mailbox(a, &text, &is);
        case 9:
                return args_list_mailbox(a, &text, &is);
        case 10:
                return args_atom(a, &text);
        default:
                return args_set(a, &set);
        }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 1)
                return 0;
        g_autoptr(Arena) arena = arena_new((gsize) 64 * 1024);
        ImapArgs a = {.scan = scan_from(span_make(data + 1, size - 1)), .arena = arena, .enabled = data[0] >> 5};
        guint which = data[0] & 31;

        for (;;) {
                const guint8 *mark = scan_mark(&a.scan);
                if (!read_one(&a, which++)) {
                        g_assert(scan_mark(&a.scan) == mark); /* it leaves the cursor */
                        if (!args_space(&a) && !args_open(&a) && !args_close(&a))
                                break;
                } else {
                        g_assert(scan_mark(&a.scan) > mark);
                }
        }
        return 0;
}

/* Any command line, through every parser of command lines. */
#include "smtp/command.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(65536);
        Span verb, args, first, second;
        MailCommand mail;
        Address address;
        guint64 octets;
        gboolean flag;

        if (!command_split(span_make(data, size), &verb, &args))
                return 0;
        if (command_parse_mail(arena, args, &mail) == REPLY_NONE)
                g_assert(mail.size <= G_MAXINT64);
        for (int utf8 = 0; utf8 < 2; utf8++)
                if (command_parse_rcpt(arena, args, utf8, &address, &first) == REPLY_NONE)
                        g_assert(!address_is_null(&address) && address.local.len <= ADDRESS_LOCAL_MAX);
        if (command_parse_hello(args, &first) == REPLY_NONE)
                g_assert(first.len > 0 && first.len <= COMMAND_HELO_MAX);
        if (command_parse_bdat(args, &octets, &flag) == REPLY_NONE)
                g_assert(octets <= (guint64) 1 << 40);
        if (command_parse_auth(args, &first, &flag, &second) == REPLY_NONE)
                g_assert(first.len > 0);
        return 0;
}

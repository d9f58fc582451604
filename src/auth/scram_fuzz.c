/* scram_fuzz.c -- both messages of a client, divided by 0xff; the first octet chooses the channel. Stored keys as well.
 */
#include "auth/scram.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static const ScramBinding EXPORTER = {"tls-exporter", "0123456789abcdef0123456789abcdef", 32};

static void
check_keys(Span text)
{
        ScramKeys keys;

        if (!scram_keys_parse(text, &keys))
                return;
        g_assert(keys.salt_octets > 0 && keys.salt_octets <= SCRAM_SALT_MAX && keys.iterations > 0);
        g_autofree char *again = scram_keys_text(&keys);
        g_assert(strlen(again) <= SCRAM_TEXT_MAX);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(256 * 1024);
        Scan s = scan_from(span_make(data, size));
        Scram scram = {.bound = NULL};
        ScramChannel channel = {.bindings = &EXPORTER, .n_bindings = 1};
        ScramKeys keys;
        guint8 choice;
        Span message, name, last;

        check_keys(span_make(data, size));
        if (!scan_any(&s, &choice) || !scan_until(&s, 0xff, &message))
                return 0;
        channel.is_plus = choice & 1;
        channel.has_plus = choice & 2;
        if (scram_take_first(&scram, arena, message, &channel, &name) == SCRAM_OK) {
                g_assert(name.len > 0 && name.len <= SCRAM_NAME_MAX);
                scram_keys_of_nobody(span_of("secret"), name, &keys);
                (void) scram_challenge(&scram, arena, &keys, "nonce");
                (void) scan_skip(&s, 1);
                g_assert(scram_take_final(&scram, arena, scan_rest(&s), &last) != SCRAM_OK);
        }
        scram_done(&scram);
        return 0;
}

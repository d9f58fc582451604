/* Any stretch of APPEND or REPLACE: the first octet says at which place it begins, whether a literal follows and of
 * which kind. What was read is read on from where it ended. */
#include "imap/append_text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024);
        AppendText text;

        if (size < 1)
                return 0;
        AppendPlace place = data[0] % (APPEND_AFTER_UTF8 + 1);
        gboolean has_literal = (data[0] & 0x20) != 0, is_binary = has_literal && (data[0] & 0x40) != 0;
        ImapArgs a = {.scan = scan_from(span_make(data + 1, size - 1)),
                      .arena = arena,
                      .enabled = (data[0] & 0x80) != 0 ? IMAP_ENABLED_UTF8 : 0};
        AppendWants wants = append_text_parse(&a, place, has_literal, is_binary, &text);
        if (wants == APPEND_WRONG)
                return 0;
        g_assert(has_literal == (wants != APPEND_COMPLETE));
        g_assert(text.n_actions <= APPEND_ACTIONS_MAX);
        g_assert(args_end(&a) || text.is_bad_name);
        int depth = place > APPEND_AT_MESSAGE;
        for (gsize i = 0; i < text.n_actions; i++) {
                depth += text.actions[i].what == APPEND_BEGIN ? 1 : text.actions[i].what == APPEND_END ? -1 : 0;
                g_assert(depth >= 0 && depth <= 1);
        }
        return 0;
}

#include "mail/text.h"

#include "base/text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GString *
fold_pieces(Span text, gsize step)
{
        GString *out = g_string_new(NULL);
        guint8 room[TEXT_FOLD_ROOM_MIN];
        TextFolder f;

        text_folder_init(&f);
        for (gsize at = 0; at < text.len; at += step) {
                Scan in = scan_from(span_slice(text, at, at + step));

                while (!scan_at_end(&in))
                        g_string_append_len(out, (char *) room, (gssize) text_fold_piece(&f, &in, room, sizeof(room)));
        }
        return g_string_append_len(out, (char *) room, (gssize) text_fold_end(&f, room, sizeof(room)));
}

/* The first octet says in how large pieces: they make no difference. Folding twice is folding once. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024 * 1024);
        const gsize most = 4 * 1024 * 1024;
        gboolean is_reply;

        if (size < 1 || size > 65536)
                return 0;
        Span text = span_make(data + 1, size - 1);
        Span once = text_fold(arena, text, most);
        g_autoptr(GString) pieces = fold_pieces(text, 1 + data[0]);
        g_assert(text_is_utf8(once) && span_equal(once, span_make(pieces->str, pieces->len)));
        g_assert(span_equal(once, text_fold(arena, once, most)));
        g_assert(text_is_utf8(text_casemap(arena, text, data[0])) && text_casemap(arena, text, data[0]).len <= data[0]);

        Span base = text_base_subject(arena, text, &is_reply);
        g_assert(text_is_utf8(base) && base.len <= HEADER_DECODED_MAX);
        return 0;
}

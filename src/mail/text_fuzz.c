#include "mail/message.h"
#include "mail/text.h"

#include "base/text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Slow {
        Span message;
        gsize step;
        guint64 last;
} Slow;

static gssize
read_slowly(gpointer from, guint64 offset, guint8 *buffer, gsize len, GError **error)
{
        Slow *slow = from;

        g_assert(offset >= slow->last);
        slow->last = offset;
        return mail_text_read_span(&slow->message, offset, buffer, MIN(len, slow->step), error);
}

static gboolean
collect(gpointer to, const TextPiece *piece)
{
        g_assert(piece->text.len > 0 && text_is_utf8(piece->text));
        if (piece->is_first)
                g_string_append_printf(to, "\n%d %u ", piece->kind, piece->part);
        g_string_append_len(to, (const char *) piece->text.data, (gssize) piece->text.len);
        return TRUE;
}

/* However a message is read, its text is the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(8 * 1024 * 1024);
        g_autoptr(GString) whole = g_string_new(NULL), pieces = g_string_new(NULL);
        Span message = span_make(data, size);
        Slow slow = {.message = message, .step = 3};
        Structure st;
        Summary s;

        g_assert(message_parse(arena, message, &st) && summary_make(arena, message, &st, &s));
        g_assert(mail_text_walk(s.structure, TEXT_OF_HEADER | TEXT_OF_BODY, NULL, 0, mail_text_read_span, &message,
                                collect, whole, NULL) == TEXT_WALKED);
        g_assert(mail_text_walk(s.structure, TEXT_OF_HEADER | TEXT_OF_BODY, NULL, 0, read_slowly, &slow, collect,
                                pieces, NULL) == TEXT_WALKED);
        g_assert(g_string_equal(whole, pieces));
        return 0;
}

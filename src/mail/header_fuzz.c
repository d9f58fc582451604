#include "base/text.h"
#include "mail/compose.h"
#include "mail/header.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text written as a field reads back as it was, spaces between words aside. */
static void
check_written(Arena *arena, Span text)
{
        g_autoptr(Composer) c = composer_new(1024 * 1024);
        Header h;

        compose_field(c, "Subject", text);
        if (composer_is_over(c) || !header_parse(arena, composer_result(c), &h))
                return;
        g_assert(h.n_fields == 1 && !h.has_junk && h.body_offset == composer_result(c).len);
        Span again = header_decode(arena, header_field_body(&h, h.fields));
        gsize i = 0, k = 0;
        for (;;) {
                while (i < text.len && (text.data[i] == ' ' || text.data[i] == '\t'))
                        i++;
                while (k < again.len && (again.data[k] == ' ' || again.data[k] == '\t'))
                        k++;
                if (i == text.len || k == again.len)
                        break;
                g_assert(text.data[i++] == again.data[k++]);
        }
        g_assert(i == text.len && k == again.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        Span text = span_make(data, size);
        gsize last = 0;
        Header h;

        if (!header_parse(arena, text, &h))
                return 0;
        g_assert(h.body_offset == h.text.len && h.text.len <= size && h.n_fields <= MESSAGE_FIELDS_MAX);
        for (gsize i = 0; i < h.n_fields; i++) {
                const Field *f = &h.fields[i];

                g_assert(f->start >= last && f->name_len > 0 && f->start + f->name_len < f->body && f->body <= f->end);
                last = f->end;
                Span line = header_unfold(arena, header_field_body(&h, f));
                Span decoded = header_decode(arena, header_field_body(&h, f));
                g_assert(line.len == 0 || memchr(line.data, '\n', line.len) == NULL);
                g_assert(decoded.len <= HEADER_DECODED_MAX && text_is_utf8(decoded));
                if (decoded.len < 4096)
                        check_written(arena, decoded);
        }
        g_assert(last <= h.text.len);
        return 0;
}

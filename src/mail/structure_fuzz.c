#include "mail/mime.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        Structure st;

        /* With an arena of the promised size nothing fails. */
        g_assert(message_parse(arena, span_make(data, size), &st));
        g_assert(st.n_parts >= 1 && st.n_parts <= MESSAGE_PARTS_MAX);
        for (gsize i = 0; i < st.n_parts; i++) {
                const Part *p = &st.parts[i];
                const Part *parent = &st.parts[p->parent];
                gsize n_lf = 0;

                g_assert(p->header_start <= p->body_start && p->body_start <= p->end && p->end <= size);
                g_assert(p->depth <= MESSAGE_DEPTH_MAX && (!p->is_opaque || st.is_truncated));
                g_assert(!p->is_opaque || (!p->is_multipart && !p->is_message));
                for (gsize at = p->body_start; at < p->end; at++)
                        n_lf += data[at] == '\n';
                n_lf += p->end > p->body_start && data[p->end - 1] != '\n';
                g_assert(p->n_lines == n_lf);
                if (i == 0)
                        continue;
                g_assert(p->parent < i && p->depth == parent->depth + 1);
                g_assert(parent->is_multipart || parent->is_message);
                g_assert(parent->body_start <= p->header_start && p->end <= parent->end);
                g_assert(!parent->is_message || (p->header_start == parent->body_start && p->end == parent->end));
        }
        return 0;
}

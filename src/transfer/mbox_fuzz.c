/* An mbox file: its messages stand in order, within the file, and each has a header that can be read. */
#include "transfer/internal.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gssize
read_input(guint64 offset, void *buffer, gsize len, gpointer data)
{
        Span *input = data;
        Span some = span_slice(*input, (gsize) MIN(offset, input->len), (gsize) MIN(offset, input->len) + len);

        if (some.len > 0)
                memcpy(buffer, some.data, some.len);
        return (gssize) some.len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Span input = span_make(data, size);
        g_autoptr(GArray) entries = NULL;
        g_autoptr(GError) error = NULL;
        guint64 last = 0;

        if (!mbox_index(read_input, &input, &entries, &error))
                return 0;
        for (guint i = 0; i < entries->len; i++) {
                const MboxEntry *e = &g_array_index(entries, MboxEntry, i);
                g_autoptr(GByteArray) out = g_byte_array_new();
                g_autoptr(GByteArray) converted = g_byte_array_new();
                Lines lines = {0};
                MboxMeta meta;

                g_assert(last <= e->from && e->from < e->header && e->header <= e->header_end &&
                         e->header_end <= e->body && e->body <= e->end && e->end <= size);
                last = e->end;
                Span header = span_slice(input, (gsize) e->header, (gsize) e->header_end);
                mbox_meta_parse(header, &meta, out);
                g_assert(out->len <= header.len && meta.keywords->len <= TRANSFER_KEYWORDS_MAX);
                mbox_meta_done(&meta);
                lines_feed(&lines, header, converted);
                g_assert(converted->len <= 2 * header.len);
        }
        return 0;
}

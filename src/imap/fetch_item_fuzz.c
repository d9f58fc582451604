/* Anything behind FETCH and its set, as the URL of CATENATE, and a header to choose fields from. The text and the
 * header are divided by the first NUL; pieces are of the size of the first octet. */
#include "imap/fetch_item.h"
#include "imap/field_filter.h"
#include "imap/message_url.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_section(const Section *section)
{
        g_assert(section->n_path <= SECTION_PATH_MAX && section->n_names <= SECTION_NAMES_MAX);
        for (gsize i = 0; i < section->n_path; i++)
                g_assert(section->path[i] > 0);
}

/* What one piece gives, many give. */
static void
filter(const Section *section, Span header, gsize piece)
{
        g_autofree guint8 *whole = g_malloc(header.len + FIELD_FILTER_HELD_MAX);
        g_autofree guint8 *out = g_malloc(header.len + piece + FIELD_FILTER_HELD_MAX);
        FieldFilter f;
        gsize n = 0;

        field_filter_init(&f, section->names, section->n_names, section->is_not);
        gsize len = field_filter_feed(&f, header, whole);
        g_assert(len <= header.len);
        field_filter_init(&f, section->names, section->n_names, section->is_not);
        for (gsize at = 0; at < header.len; at += piece)
                n += field_filter_feed(&f, span_slice(header, at, at + piece), out + n);
        g_assert(span_equal(span_make(whole, len), span_make(out, n)));
}

static void
fetch(Arena *arena, Span text, Span header, gsize piece)
{
        ImapArgs a = {.scan = scan_from(text), .arena = arena};
        FetchModifiers m;
        FetchItems items;

        if (!imap_fetch_items_parse(&a, &items))
                return;
        g_assert(items.n > 0 && items.n <= FETCH_ITEMS_MAX);
        for (gsize i = 0; i < items.n; i++) {
                check_section(&items.items[i].section);
                g_assert(items.items[i].label.len > 0);
                if (items.items[i].section.has_names)
                        filter(&items.items[i].section, header, piece);
        }
        if (imap_fetch_modifiers_parse(&a, &m) && m.has_partial)
                g_assert(m.first > 0 && m.first <= m.last);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(256 * 1024);
        MessageUrl url;

        if (size < 1)
                return 0;
        Span input = span_make(data + 1, size - 1);
        const guint8 *nul = input.len > 0 ? memchr(input.data, '\0', input.len) : NULL;
        gsize len = nul != NULL ? (gsize) (nul - input.data) : input.len;
        Span text = span_slice(input, 0, len);
        fetch(arena, text, span_slice(input, len + 1, input.len), 1 + data[0]);
        if (message_url_parse(arena, text, &url)) {
                check_section(&url.section);
                g_assert(url.uid > 0 && url.mailbox.len > 0 && url.count > 0);
        }
        return 0;
}

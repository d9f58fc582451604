#include "mail/internal.h"

#include "base/text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const CHARSETS[] = {"", "utf-8", "iso-8859-2", "shift_jis", "gb18030", "iso-2022-jp", "euc-kr", "x",
                                       "utf-16", "utf-16le", "utf-32", "utf-7"};

static void
convert(Octets *out, Span charset, Span text, gsize step)
{
        g_auto(Octets) in = OCTETS_INIT(1024 * 1024);
        CharsetReader reader = {.charset = charset};

        for (gsize at = 0; at < text.len; at += step) {
                octets_add(&in, span_slice(text, at, at + step));
                gboolean is_last = step >= text.len - at;
                gsize taken = octets_add_charset(out, &reader, octets_span(&in), is_last);

                g_assert(taken <= in.len && (!is_last || taken == in.len));
                in.len -= taken;
                memmove(in.data, in.data + taken, in.len);
        }
}

static void
strip(Octets *out, Span html, gsize step)
{
        HtmlReader r = {0};

        for (gsize at = 0; at < html.len; at += step)
                octets_add_html(out, &r, span_slice(html, at, at + step));
        octets_add_html_end(out, &r);
}

/* Octets to text, then without tags. The first octet chooses the charset, the second how large the pieces are. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_auto(Octets) text = OCTETS_INIT(1024 * 1024), whole = OCTETS_INIT(1024 * 1024),
                       pieces = OCTETS_INIT(1024 * 1024);

        if (size < 2 || size > 65536)
                return 0;
        convert(&text, span_of(CHARSETS[data[0] % G_N_ELEMENTS(CHARSETS)]), span_make(data + 2, size - 2), 1 + data[1]);
        g_assert(text_is_utf8(octets_span(&text)) && !text.is_over);
        strip(&whole, octets_span(&text), G_MAXSIZE / 2);
        strip(&pieces, octets_span(&text), 1 + data[1]);
        g_assert(span_equal(octets_span(&whole), octets_span(&pieces)));
        g_assert(text_is_utf8(octets_span(&whole)) && whole.len <= text.len + 16);
        return 0;
}

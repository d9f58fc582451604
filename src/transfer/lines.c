/* lines.c -- LF into CRLF. */
#include "transfer/internal.h"

static void
put(GByteArray *out, Span octets)
{
        if (octets.len > 0)
                g_byte_array_append(out, octets.data, (guint) octets.len);
}

void
lines_feed(Lines *lines, Span octets, GByteArray *out)
{
        while (octets.len > 0 && !(lines->is_decided && lines->is_as_is)) {
                const guint8 *lf = memchr(octets.data, '\n', octets.len);
                gsize n = lf != NULL ? (gsize) (lf - octets.data) : octets.len;

                if (n > 0)
                        lines->was_cr = octets.data[n - 1] == '\r';
                put(out, span_slice(octets, 0, n));
                octets = span_slice(octets, n, octets.len);
                if (lf == NULL)
                        return;
                if (!lines->is_decided) {
                        lines->is_decided = TRUE;
                        lines->is_as_is = lines->was_cr;
                }
                put(out, lines->was_cr ? span_of("\n") : span_of("\r\n"));
                lines->was_cr = FALSE;
                octets = span_slice(octets, 1, octets.len);
        }
        put(out, octets);
}

#include "mail/text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GString *
decode(TransferEncoding encoding, Span text, gsize step, gsize room, gboolean *ret_is_exact)
{
        GString *out = g_string_new(NULL);
        g_autofree guint8 *buffer = g_malloc(room);
        TransferDecoder d;

        transfer_decoder_init(&d, encoding);
        for (gsize at = 0; at < text.len; at += step) {
                Scan in = scan_from(span_slice(text, at, at + step));

                while (!scan_at_end(&in))
                        g_string_append_len(out, (char *) buffer, (gssize) transfer_decode(&d, &in, buffer, room));
        }
        g_string_append_len(out, (char *) buffer, (gssize) transfer_decode_end(&d, buffer, room));
        *ret_is_exact = transfer_is_exact(&d);
        return out;
}

/* The first two octets say what encoding, and in how large pieces: they make no difference. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        gboolean whole_exact, pieces_exact;

        if (size < 2)
                return 0;
        TransferEncoding encoding = data[0] % 2 != 0 ? TRANSFER_BASE64 : TRANSFER_QUOTED_PRINTABLE;
        Span text = span_make(data + 2, size - 2);
        g_autoptr(GString) whole = decode(encoding, text, G_MAXSIZE / 2, 65536, &whole_exact);
        g_autoptr(GString) pieces = decode(encoding, text, 1 + data[1], TRANSFER_ROOM_MIN, &pieces_exact);

        g_assert(g_string_equal(whole, pieces) && whole_exact == pieces_exact && whole->len <= text.len);
        return 0;
}

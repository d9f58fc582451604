/* The same octets in one piece and cut up must give the same message; the first octet says how to cut. */
#include "smtp/data.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
gather(Span octets, gpointer data)
{
        g_byte_array_append(data, octets.data, (guint) octets.len);
}

static gsize
feed(DataDecoder *d, const uint8_t *data, gsize size, gsize piece, GByteArray *out)
{
        gsize used = 0;

        while (used < size && d->state != DATA_DONE)
                used += data_feed(d, span_make(data + used, MIN(piece, size - used)), gather, out);
        if (!d->has_dots)
                data_finish(d, gather, out);
        return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 2)
                return 0;
        for (int mode = 0; mode < 4; mode++) {
                g_autoptr(GByteArray) whole = g_byte_array_new(), cut = g_byte_array_new();
                DataDecoder one, two;

                data_init(&one, mode & 1, mode & 2);
                data_init(&two, mode & 1, mode & 2);
                gsize a = feed(&one, data + 1, size - 1, size, whole);
                gsize b = feed(&two, data + 1, size - 1, (gsize) data[0] + 1, cut);
                g_assert(a == b && one.has_bare == two.has_bare && one.state == two.state);
                g_assert(span_equal(span_make(whole->data, whole->len), span_make(cut->data, cut->len)));
                if (one.normalise)
                        for (guint i = 0; i < whole->len; i++) /* nothing bare comes out */
                                g_assert(whole->data[i] == '\n'   ? i > 0 && whole->data[i - 1] == '\r'
                                         : whole->data[i] == '\r' ? i + 1 == whole->len || whole->data[i + 1] == '\n'
                                                                  : TRUE);
        }
        return 0;
}

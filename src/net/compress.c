/* compress.c -- DEFLATE (RFC 1951, without zlib's frame) between the buffers of a stream and its socket: COMPRESS of IMAP (RFC 4978).
 *
 *      out -> deflate -> wire_out -> socket or TLS          socket or TLS -> wire_in -> inflate -> in
 *
 * Output gathers as it is written. Whatever is flushed is compressed with a sync flush behind it, so the peer can read all of it
 * before anybody waits. Nothing is compressed while compressed octets wait for the socket: `out` stays the one buffer that fills.
 *
 * Input is inflated into the same room, by the same limits, as if it had come so. What the peer sends a thousand times smaller costs us
 * what it would cost to be sent plainly, apart from the network.
 */
#include "net/stream_io.h"

#include <stdatomic.h>
#include <zlib.h>

/* Ours: window of 4 KiB, 24 KiB in all. The peer's window is not negotiated, so it gets the largest: 40 KiB, taken when first used. */
#define DEFLATE_WINDOW  (-12)
#define DEFLATE_MEMORY  4
#define DEFLATE_LEVEL   3
#define INFLATE_WINDOW  (-15)

#define WIRE_OCTETS     ((gsize) 16 * 1024)
#define EMPTY_READS_MAX 64      /* of the socket that give nothing at all: blocks without content */

struct Zip {
        gboolean is_begun;
        gboolean is_flushing;   /* deflate has more to say than there was room for */
        gboolean has_more;      /* inflate may have                                */
        z_stream deflate, inflate;
        Buffer wire_in, wire_out;
};

static atomic_uint n_compressed;

/* Buffers of the wire are filled when they are empty, and only then. */
static gsize
wire_len(const Buffer *b)
{
        return b->end - b->start;
}

static void
wire_rest(Buffer *b)
{
        if (wire_len(b) > 0)
                return;
        g_free(b->data);
        *b = (Buffer){0};
}

static void
wire_empty(Buffer *b)
{
        g_assert(wire_len(b) == 0);
        if (b->data == NULL) {
                b->data = g_malloc(WIRE_OCTETS);
                b->size = WIRE_OCTETS;
        }
        b->start = b->end = 0;
}

/* Birth and death ----------------------------------------------------------------------------------------------- */

static Zip *
zip_new(void)
{
        Zip *zip = g_new0(Zip, 1);

        if (deflateInit2(&zip->deflate, DEFLATE_LEVEL, Z_DEFLATED, DEFLATE_WINDOW, DEFLATE_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
                g_free(zip);
                return NULL;
        }
        if (inflateInit2(&zip->inflate, INFLATE_WINDOW) != Z_OK) {
                (void) deflateEnd(&zip->deflate);
                g_free(zip);
                return NULL;
        }
        return zip;
}

gboolean
stream_prepare_compression(Stream *stream)
{
        if (stream->is_failed || stream->zip != NULL)
                return FALSE;
        if (atomic_fetch_add(&n_compressed, 1) < STREAM_COMPRESSED_MAX)
                stream->zip = zip_new();
        if (stream->zip == NULL)
                atomic_fetch_sub(&n_compressed, 1);
        return stream->zip != NULL;
}

void
zip_free(Stream *stream)
{
        Zip *zip = g_steal_pointer(&stream->zip);

        if (zip == NULL)
                return;
        (void) deflateEnd(&zip->deflate);
        (void) inflateEnd(&zip->inflate);
        g_free(zip->wire_in.data);
        g_free(zip->wire_out.data);
        g_free(zip);
        atomic_fetch_sub(&n_compressed, 1);
}

/* What waits to be sent was written before; what has come in and is unread was sent by somebody who must have compressed it. */
void
stream_begin_compression(Stream *stream)
{
        Zip *zip = stream->zip;

        if (zip == NULL || zip->is_begun)
                return;
        zip->wire_out = stream->out;
        zip->wire_in = stream->in;
        stream->out = stream->in = (Buffer){0};
        stream->searched = stream->skipped = 0;
        stream->is_starved = FALSE;
        zip->is_begun = TRUE;
}

gboolean
stream_is_compressed(const Stream *stream)
{
        return stream->zip != NULL && stream->zip->is_begun;
}

/* Input --------------------------------------------------------------------------------------------------------- */

gboolean
zip_has_input(const Stream *stream)
{
        return stream_is_compressed(stream) && (wire_len(&stream->zip->wire_in) > 0 || stream->zip->has_more);
}

/* OK with at least one octet; AGAIN: more of the wire is needed. */
static StreamAnswer
inflate_some(Stream *stream, guint8 *room, gsize size, gsize *ret_got)
{
        Zip *zip = stream->zip;
        z_stream *z = &zip->inflate;
        Buffer *wire = &zip->wire_in;

        z->next_in = wire->data != NULL ? wire->data + wire->start : NULL;
        z->avail_in = (uInt) wire_len(wire);
        z->next_out = room;
        z->avail_out = (uInt) size;
        int result = inflate(z, Z_SYNC_FLUSH);
        wire->start = wire->end - z->avail_in;
        *ret_got = size - z->avail_out;
        zip->has_more = z->avail_out == 0;
        if (*ret_got > 0)
                return STREAM_OK;       /* what is wrong behind it is found the next time */
        if (result == Z_OK || result == Z_BUF_ERROR)
                return STREAM_AGAIN;
        stream_fail(stream, result == Z_STREAM_END ? "the compressed data has ended" : "the compressed data is damaged");
        return STREAM_FAILED;
}

StreamAnswer
zip_receive(Stream *stream, guint8 *room, gsize size, gsize *ret_got)
{
        Buffer *wire = &stream->zip->wire_in;

        for (int i = 0; i < EMPTY_READS_MAX; i++) {
                gsize got;
                StreamAnswer answer = inflate_some(stream, room, size, ret_got);
                if (answer != STREAM_AGAIN)
                        return answer;
                wire_empty(wire);
                answer = io_receive(stream, wire->data, wire->size, &got);
                if (answer != STREAM_OK)
                        return answer;
                wire->end = got;
        }
        stream_fail(stream, "compressed data without content");
        return STREAM_FAILED;
}

/* Output -------------------------------------------------------------------------------------------------------- */

gboolean
zip_has_output(const Stream *stream)
{
        return stream_is_compressed(stream) && (wire_len(&stream->zip->wire_out) > 0 || stream->zip->is_flushing);
}

static void
deflate_some(Stream *stream)
{
        Zip *zip = stream->zip;
        z_stream *z = &zip->deflate;
        Buffer *out = &stream->out, *wire = &zip->wire_out;

        wire_empty(wire);
        z->next_in = out->data != NULL ? out->data + out->start : NULL;
        z->avail_in = (uInt) wire_len(out);
        z->next_out = wire->data;
        z->avail_out = (uInt) wire->size;
        int result = deflate(z, Z_SYNC_FLUSH);
        g_assert(result == Z_OK || result == Z_BUF_ERROR);      /* the others are our own mistakes */
        out->start = out->end - z->avail_in;
        if (out->start == out->end)
                out->start = out->end = 0;
        wire->end = wire->size - z->avail_out;
        zip->is_flushing = z->avail_out == 0;
}

gboolean
zip_push(Stream *stream)
{
        Buffer *wire = &stream->zip->wire_out;

        while (!stream->is_failed) {
                if (wire_len(wire) == 0) {
                        if (wire_len(&stream->out) == 0 && !stream->zip->is_flushing)
                                break;
                        deflate_some(stream);
                        continue;
                }
                gsize sent = 0;
                if (io_send(stream, wire->data + wire->start, wire_len(wire), &sent) != STREAM_OK)
                        break;
                wire->start += sent;
        }
        return !stream->is_failed;
}

void
zip_rest(Stream *stream)
{
        wire_rest(&stream->zip->wire_in);
        wire_rest(&stream->zip->wire_out);
}

void
zip_drop_output(Stream *stream)
{
        stream->zip->wire_out.start = stream->zip->wire_out.end = 0;
        stream->zip->is_flushing = FALSE;
}

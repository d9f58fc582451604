#include "blob/copy.h"

#include "base/scan.h"

guint64
copy_size(const Copy *copy)
{
        guint64 size = copy->prefix.len + copy->body_size;

        for (guint i = 0; i < copy->n_cuts; i++)
                size -= copy->cuts[i].len;
        return size;
}

/* Stored form ------------------------------------------------------------------------------------------------------ */

static gsize
put_varint(guint8 *at, guint32 value)
{
        gsize n = 0;

        for (; value >= 0x80; value >>= 7)
                at[n++] = (guint8) (value | 0x80);
        at[n++] = (guint8) value;
        return n;
}

gsize
copy_put_cuts(const Cut *cuts, guint n, guint8 ret_stored[COPY_CUTS_STORED_MAX])
{
        gsize len = 0;
        guint32 shown_from = 0;

        g_assert(n <= COPY_CUTS_MAX);
        for (guint i = 0; i < n; i++) {
                len += put_varint(ret_stored + len, cuts[i].offset - shown_from);
                len += put_varint(ret_stored + len, cuts[i].len);
                shown_from = cuts[i].offset + cuts[i].len;
        }
        return len;
}

Span
copy_encode_cuts(Arena *arena, const Cut *cuts, guint n)
{
        guint8 stored[COPY_CUTS_STORED_MAX];

        return arena_copy(arena, span_make(stored, copy_put_cuts(cuts, n, stored)));
}

gboolean
copy_get_cuts(Span stored, guint64 body_size, Cut ret_cuts[COPY_CUTS_MAX], guint *ret_n)
{
        Scan s = scan_from(stored);
        guint64 limit = MIN(body_size, G_MAXUINT32), at = 0, shown, len;
        guint n = 0;

        while (!scan_at_end(&s)) {
                if (n == COPY_CUTS_MAX || !scan_varint(&s, limit - at, &shown) ||
                    !scan_varint(&s, limit - at - shown, &len) || len == 0)
                        return FALSE;
                ret_cuts[n++] = (Cut){(guint32) (at + shown), (guint32) len};
                at += shown + len;
        }
        *ret_n = n;
        return TRUE;
}

gboolean
copy_decode_cuts(Arena *arena, Span stored, guint64 body_size, const Cut **ret, guint *ret_n)
{
        Cut cuts[COPY_CUTS_MAX];
        guint n;

        if (!copy_get_cuts(stored, body_size, cuts, &n))
                return FALSE;
        Span kept = arena_copy(arena, span_make(cuts, n * sizeof(Cut)));
        if (n > 0 && kept.data == NULL)
                return FALSE;
        *ret = (const Cut *) kept.data;
        *ret_n = n;
        return TRUE;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

/* Where in the body position `at` of the copy without its prefix lies, and how many octets follow there before the next
 * cut or the end. */
static guint64
copy_find(const Copy *copy, guint64 at, guint64 *ret_run)
{
        guint64 offset = at;

        for (guint i = 0; i < copy->n_cuts; i++) {
                if (offset < copy->cuts[i].offset) {
                        *ret_run = copy->cuts[i].offset - offset;
                        return offset;
                }
                offset += copy->cuts[i].len;
        }
        *ret_run = copy->body_size - offset;
        return offset;
}

gssize
copy_read(CopyReader *reader, void *buffer, gsize len, GError **error)
{
        const Copy *copy = reader->copy;
        guint64 left = copy_size(copy) - reader->position;
        guint8 *out = buffer;
        gsize done = 0;

        len = MIN(len, MIN(left, (guint64) G_MAXSSIZE));
        if (reader->position < copy->prefix.len) {
                Span rest = span_slice(copy->prefix, reader->position, copy->prefix.len);
                done = MIN(len, rest.len);
                memcpy(out, rest.data, done);
        }
        while (done < len) {
                guint64 run, offset = copy_find(copy, reader->position + done - copy->prefix.len, &run);
                gsize part = (gsize) MIN(run, (guint64) (len - done));
                if (!blob_body_read(reader->opened, offset, out + done, part, error))
                        return -1;
                done += part;
        }
        reader->position += done;
        return (gssize) done;
}

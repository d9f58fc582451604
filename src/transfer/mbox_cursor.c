/* mbox_cursor.c -- an mbox file in order, line by line, in bounded memory. */
#include "transfer/internal.h"

#define BUFFER_OCTETS (256 * 1024)

void
mbox_cursor_init(MboxCursor *c, MboxRead read, gpointer data)
{
        *c = (MboxCursor){.read = read, .data = data, .buffer = g_malloc(BUFFER_OCTETS)};
}

void
mbox_cursor_done(MboxCursor *c)
{
        g_clear_pointer(&c->buffer, g_free);
}

/* More behind what waits; FALSE at the end. */
static gboolean
fill(MboxCursor *c)
{
        if (c->at > 0) {
                memmove(c->buffer, c->buffer + c->at, c->len - c->at);
                c->len -= c->at;
                c->offset += c->at;
                c->at = 0;
        }
        gssize n = c->read(c->offset + c->len, c->buffer + c->len, BUFFER_OCTETS - c->len, c->data);
        c->has_failed |= n < 0;
        c->len += n > 0 ? (gsize) n : 0;
        return n > 0;
}

guint64
mbox_cursor_place(const MboxCursor *c)
{
        return c->offset + c->at;
}

void
mbox_cursor_seek(MboxCursor *c, guint64 offset)
{
        if (offset >= c->offset && offset <= c->offset + c->len) {
                c->at = (gsize) (offset - c->offset);
                return;
        }
        c->offset = offset;
        c->at = c->len = 0;
}

gboolean
mbox_cursor_line(MboxCursor *c, Span *ret, gboolean *ret_is_whole)
{
        const guint8 *lf;
        gsize looked = 0;

        for (;;) {
                gsize waiting = c->len - c->at;

                lf = waiting > looked ? memchr(c->buffer + c->at + looked, '\n', waiting - looked) : NULL;
                looked = waiting;
                if (lf != NULL || waiting == BUFFER_OCTETS || !fill(c))
                        break;
        }
        gsize n = lf != NULL ? (gsize) (lf - c->buffer) + 1 - c->at : c->len - c->at;
        *ret = span_make(c->buffer + c->at, n);
        *ret_is_whole = lf != NULL || n < BUFFER_OCTETS;
        c->at += n;
        return n > 0;
}

gboolean
mbox_cursor_some(MboxCursor *c, guint64 max, Span *ret)
{
        if (c->at == c->len && !fill(c))
                return FALSE;
        *ret = span_make(c->buffer + c->at, (gsize) MIN(c->len - c->at, max));
        c->at += ret->len;
        return ret->len > 0;
}

gboolean
mbox_is_empty_line(Span line)
{
        return (line.len == 1 && line.data[0] == '\n') ||
               (line.len == 2 && line.data[0] == '\r' && line.data[1] == '\n');
}

/* find.c -- a needle in a stream of pieces. */
#include "mail/text.h"

gboolean
text_finder_init(TextFinder *f, Arena *arena, Span needle)
{
        guint8 *window = needle.len > 1 && needle.len <= TEXT_NEEDLE_MAX ? arena_alloc(arena, 2 * needle.len) : NULL;

        if (needle.len > TEXT_NEEDLE_MAX || (needle.len > 1 && window == NULL))
                return FALSE;
        *f = (TextFinder){.needle = needle, .window = window};
        return TRUE;
}

void
text_finder_restart(TextFinder *f)
{
        f->n_window = 0;
}

/* Across the seam: what was kept, and as much of the piece as a match that begins before it can take. */
static gboolean
find_across(TextFinder *f, Span piece)
{
        Span head = span_slice(piece, 0, f->needle.len - 1);

        if (f->n_window == 0 || head.len == 0)
                return FALSE;
        memcpy(f->window + f->n_window, head.data, head.len);
        return memmem(f->window, f->n_window + head.len, f->needle.data, f->needle.len) != NULL;
}

/* The last needle.len - 1 octets of all that was seen. find_across() has put the head of the piece behind the window.
 */
static void
keep_tail(TextFinder *f, Span piece)
{
        gsize keep = f->needle.len - 1;

        if (piece.len >= keep) {
                memcpy(f->window, piece.data + piece.len - keep, keep);
                f->n_window = keep;
                return;
        }
        gsize n = f->n_window + piece.len;
        gsize drop = n > keep ? n - keep : 0;
        memcpy(f->window + f->n_window, piece.data, piece.len);
        memmove(f->window, f->window + drop, n - drop);
        f->n_window = n - drop;
}

gboolean
text_find(TextFinder *f, Span piece)
{
        if (f->needle.len == 0)
                return TRUE;
        if (piece.len == 0)
                return FALSE;
        if (memmem(piece.data, piece.len, f->needle.data, f->needle.len) != NULL)
                return TRUE;
        if (f->needle.len == 1)
                return FALSE;
        if (find_across(f, piece))
                return TRUE;
        keep_tail(f, piece);
        return FALSE;
}

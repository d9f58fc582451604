/* entries.c -- messages as the client names them: sets of sequence numbers or UIDs -> places in the view it knows;
 * flags as it reads them.
 */
#include "imap/internal.h"

/* Sets ------------------------------------------------------------------------------------------------------------ */

/* UIDs first to last -> places. FALSE: none of them is there. */
static gboolean
place_uids(const View *view, UidRange uids, IndexRange *ret)
{
        guint32 count = view_count(view);

        if (count == 0)
                return FALSE;
        guint32 highest = view_entry(view, count - 1)->uid;
        /* "*" is the last one, also where it stands before the other end (RFC 9051 §9, seq-range). */
        if (uids.last == G_MAXUINT32)
                uids = (UidRange){MIN(uids.first, highest),
                                  MAX(uids.first == G_MAXUINT32 ? highest : uids.first, highest)};
        guint32 first = view_index_of(view, uids.first);
        guint32 end = uids.last == G_MAXUINT32 ? count : view_index_of(view, uids.last + 1);
        if (first >= end)
                return FALSE;
        *ret = (IndexRange){first, end - 1};
        return TRUE;
}

/* Sequence numbers -> places. FALSE: one of them is not there; with "*" any other end will do, as other servers have
 * it. */
static gboolean
place_numbers(const View *view, UidRange numbers, IndexRange *ret, gboolean *ret_is_empty)
{
        guint32 count = view_count(view);

        *ret_is_empty = count == 0;
        if (numbers.last == G_MAXUINT32 && count > 0)
                numbers = (UidRange){MIN(numbers.first, count), count};
        else if (numbers.last == G_MAXUINT32)
                return TRUE;
        if (numbers.last > count)
                return FALSE;
        *ret = (IndexRange){numbers.first - 1, numbers.last - 1};
        return TRUE;
}

static int
compare_ranges(gconstpointer a, gconstpointer b)
{
        const IndexRange *x = a, *y = b;

        return (x->first > y->first) - (x->first < y->first);
}

/* Rising, without overlaps and neighbours. */
static gsize
order_ranges(IndexRange *ranges, gsize n)
{
        gboolean is_rising = TRUE;
        gsize out = 0;

        for (gsize i = 1; i < n; i++)
                is_rising = is_rising && ranges[i - 1].first <= ranges[i].first;
        if (!is_rising)
                qsort(ranges, n, sizeof(*ranges), compare_ranges);
        for (gsize i = 0; i < n; i++)
                if (out > 0 && ranges[i].first <= ranges[out - 1].last + 1)
                        ranges[out - 1].last = MAX(ranges[out - 1].last, ranges[i].last);
                else
                        ranges[out++] = ranges[i];
        return out;
}

static void
saved_set(const ImapSession *s, ImapSet *ret)
{
        const GArray *saved = s->selected->saved;

        *ret = (ImapSet){.is_saved = TRUE};
        if (saved != NULL) {
                ret->ranges = (const UidRange *) (gpointer) saved->data;
                ret->n = saved->len;
        }
}

gboolean
imap_indexes(ImapSession *s, const ImapSet *set, const IndexRange **ret, gsize *ret_n)
{
        const View *view = s->selected->view;
        ImapSet uids;
        gsize n = 0;

        if (set->is_saved) {
                saved_set(s, &uids);
                set = &uids;
        }
        IndexRange *ranges = arena_new_array(s->arena, IndexRange, MAX(set->n, 1));
        if (ranges == NULL)
                return FALSE;
        for (gsize i = 0; i < set->n; i++) {
                gboolean is_empty = FALSE;
                if (s->is_uid || set->is_saved)
                        is_empty = !place_uids(view, set->ranges[i], &ranges[n]);
                else if (!place_numbers(view, set->ranges[i], &ranges[n], &is_empty))
                        return FALSE;
                n += !is_empty;
        }
        *ret_n = order_ranges(ranges, n);
        *ret = ranges;
        return TRUE;
}

/* What lies between two UIDs of the view and is not in it has gone for good: it may be named too. */
UidSet
imap_uids(ImapSession *s, const IndexRange *ranges, gsize n)
{
        const View *view = s->selected->view;
        UidRange *uids = arena_new_array(s->arena, UidRange, MAX(n, 1));

        for (gsize i = 0; uids != NULL && i < n; i++)
                uids[i] = (UidRange){view_entry(view, ranges[i].first)->uid, view_entry(view, ranges[i].last)->uid};
        return (UidSet){uids, uids != NULL ? n : 0};
}

/* Flags ----------------------------------------------------------------------------------------------------------- */

/* The system flags, by their bits. */
static const char *const SYSTEM_FLAGS[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"};
#define SYSTEM_FLAGS_OCTETS 64 /* all of them, spaces and parentheses */

static guint8 *
write_word(guint8 *at, const char *word, gboolean is_first)
{
        if (!is_first)
                *at++ = ' ';
        return imap_write_span(at, span_of(word));
}

static guint8 *
write_keywords(guint8 *at, const View *view, guint64 flags, gboolean is_first)
{
        for (guint64 left = flags & ~FLAG_SYSTEM; left != 0; left &= left - 1) {
                const char *keyword = view_keyword(view, (guint) __builtin_ctzll(left));
                if (keyword == NULL || strlen(keyword) > KEYWORD_OCTETS_MAX) /* no longer one can be set */
                        continue;
                at = write_word(at, keyword, is_first);
                is_first = FALSE;
        }
        return at;
}

static guint8 *
write_bare_flags(guint8 *at, const View *view, guint64 flags)
{
        const guint8 *start = at;

        for (guint64 left = flags & FLAG_SYSTEM; left != 0; left &= left - 1)
                at = write_word(at, SYSTEM_FLAGS[__builtin_ctzll(left)], at == start);
        return (flags & ~FLAG_SYSTEM) != 0 ? write_keywords(at, view, flags, at == start) : at;
}

gsize
imap_flags_octets(guint64 flags)
{
        gsize n_keywords = (gsize) __builtin_popcountll(flags & ~FLAG_SYSTEM);

        return SYSTEM_FLAGS_OCTETS + n_keywords * (KEYWORD_OCTETS_MAX + 1);
}

guint8 *
imap_write_flags(guint8 *at, const View *view, guint64 flags)
{
        *at++ = '(';
        at = write_bare_flags(at, view, flags);
        *at++ = ')';
        return at;
}

void
imap_put_bare_flags(ImapSession *s, const View *view, guint64 flags)
{
        guint8 *start = stream_reserve(s->session.stream, imap_flags_octets(flags));

        if (start != NULL)
                stream_commit(s->session.stream, (gsize) (write_bare_flags(start, view, flags) - start));
}

void
imap_put_flags(ImapSession *s, const View *view, guint64 flags)
{
        guint8 *start = stream_reserve(s->session.stream, imap_flags_octets(flags));

        if (start != NULL)
                stream_commit(s->session.stream, (gsize) (imap_write_flags(start, view, flags) - start));
}

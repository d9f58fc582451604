/* recent.c -- \Recent for IMAP4rev1 (RFC 3501 §2.3.2, §7.3.2); IMAP4rev2 has none.
 *
 * The first session that may write and is told of a message has it as \Recent until it leaves the mailbox. Others, and
 * those that came by EXAMINE, see what nobody has taken yet. What has been taken are UIDs below one number of the
 * mailbox (store_recent), so each look gives a range of them.
 */
#include "imap/internal.h"

#define RANGES_MAX 1000 /* sessions that take turns; above it others may have the rest */

static gboolean
knows_recent(const ImapSession *s)
{
        return s->selected != NULL && (s->enabled & IMAP_ENABLED_REV2) == 0;
}

static void
add_range(ImapSelected *selected, guint32 first, guint32 last)
{
        if (selected->recent == NULL)
                selected->recent = g_array_new(FALSE, FALSE, sizeof(UidRange));
        guint n = selected->recent->len;
        UidRange *before = n > 0 ? &g_array_index(selected->recent, UidRange, n - 1) : NULL;
        if (before != NULL && before->last + 1 == first)
                before->last = last;
        else
                g_array_append_val(selected->recent, ((UidRange){first, last}));
}

void
imap_recent_look(ImapSession *s)
{
        ImapSelected *selected = s->selected;
        guint32 next = view_uid_next(selected->view), known = selected->recent_known;

        if (next <= known || (selected->recent != NULL && selected->recent->len >= RANGES_MAX))
                return;
        guint32 first = store_recent(imap_store(s), selected->mailbox, selected->is_read_only ? 0 : next);
        first = MAX(first, known);
        selected->recent_known = next;
        if (first < next)
                add_range(selected, first, next - 1);
}

const GArray *
imap_recent(const ImapSession *s)
{
        return knows_recent(s) ? s->selected->recent : NULL;
}

gboolean
imap_is_recent(const ImapSession *s, guint32 uid)
{
        const GArray *recent = imap_recent(s);
        guint from = 0, to = recent != NULL ? recent->len : 0;

        while (from < to) {
                guint middle = from + (to - from) / 2;
                const UidRange *range = &g_array_index(recent, UidRange, middle);
                if (uid < range->first)
                        to = middle;
                else if (uid > range->last)
                        from = middle + 1;
                else
                        return TRUE;
        }
        return FALSE;
}

guint32
imap_recent_count(const ImapSession *s)
{
        const GArray *recent = imap_recent(s);
        guint32 n = 0;

        for (guint i = 0; recent != NULL && i < recent->len; i++) {
                const UidRange *range = &g_array_index(recent, UidRange, i);
                n += view_index_of(s->selected->view, range->last + 1) - view_index_of(s->selected->view, range->first);
        }
        return n;
}

void
imap_put_recent(ImapSession *s, gboolean is_first)
{
        guint32 n = imap_recent_count(s);

        if (!knows_recent(s) || (!is_first && n == s->selected->recent_told))
                return;
        s->selected->recent_told = n;
        imap_put(s, "* ");
        imap_put_number(s, n);
        imap_put(s, " RECENT\r\n");
}

guint8 *
imap_write_entry_flags(guint8 *at, const View *view, guint64 flags, gboolean is_recent)
{
        if (!is_recent)
                return imap_write_flags(at, view, flags);
        at = imap_write_span(at, span_of("(\\Recent"));
        guint8 *end = imap_write_flags(at, view, flags);
        at[0] = flags != 0 ? ' ' : ')';
        return flags != 0 ? end : at + 1;
}

void
imap_put_entry_flags(ImapSession *s, const View *view, guint32 index)
{
        guint64 flags = view_flags(view, index);
        guint8 *start = stream_reserve(s->session.stream, imap_flags_octets(flags) + strlen("\\Recent "));

        if (start == NULL)
                return;
        const guint8 *end = imap_write_entry_flags(start, view, flags, imap_is_recent(s, view_entry(view, index)->uid));
        stream_commit(s->session.stream, (gsize) (end - start));
}

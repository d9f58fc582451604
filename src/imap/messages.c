/* messages.c -- choosing messages, and what has become of them. */
#include "imap/messages.h"

/* Choosing -------------------------------------------------------------------------------------------------------- */

gboolean
messages_choose(ImapSession *s, const ImapSet *set, Messages *ret)
{
        Messages m = {0};

        if (!imap_indexes(s, set, &m.ranges, &m.n)) {
                imap_bad(s, "no such message");
                return FALSE;
        }
        for (gsize i = 0; i < m.n; i++)
                m.count += m.ranges[i].last - m.ranges[i].first + 1;
        *ret = m;
        return TRUE;
}

guint
imap_message_limit(const ImapSession *s)
{
        return imap_has(s, "MESSAGELIMIT") ? imap_settings(s)->message_limit : 0;
}

gboolean
messages_are_over_limit(const ImapSession *s, guint32 count)
{
        guint limit = imap_message_limit(s);

        return limit > 0 && count > limit;
}

gboolean
messages_limit(ImapSession *s, Messages *m)
{
        guint32 left = imap_message_limit(s);
        gsize i = m->n;

        if (!messages_are_over_limit(s, m->count))
                return TRUE;
        while (left > m->ranges[i - 1].last - m->ranges[i - 1].first + 1) {
                i--;
                left -= m->ranges[i].last - m->ranges[i].first + 1;
        }
        i--;
        IndexRange *kept = arena_new_array(s->arena, IndexRange, m->n - i);
        if (kept == NULL)
                return FALSE;
        memcpy(kept, m->ranges + i, (m->n - i) * sizeof(*kept));
        kept[0].first = kept[0].last - left + 1;
        *m = (Messages){kept, m->n - i, imap_message_limit(s), view_entry(s->selected->view, kept[0].first)->uid};
        return TRUE;
}

const char *
messages_limit_code(const ImapSession *s, const Messages *m, char buffer[LIMIT_CODE_OCTETS])
{
        buffer[0] = '\0';
        if (m->lowest_uid > 0)
                g_snprintf(buffer, LIMIT_CODE_OCTETS, "MESSAGELIMIT %u %u", imap_message_limit(s), m->lowest_uid);
        return buffer;
}

guint64
flags_permitted(guint rights, gboolean *ret_may_keywords)
{
        guint64 flags = 0;

        if ((rights & RIGHT_SEEN) != 0)
                flags |= FLAG_SEEN;
        if ((rights & RIGHT_DELETE_MESSAGES) != 0)
                flags |= FLAG_DELETED;
        *ret_may_keywords = (rights & RIGHT_WRITE) != 0;
        return *ret_may_keywords ? flags | FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DRAFT : flags;
}

gboolean
flags_are_short(const Span *keywords, gsize n)
{
        for (gsize i = 0; i < n; i++)
                if (keywords[i].len > KEYWORD_OCTETS_MAX)
                        return FALSE;
        return TRUE;
}

void
messages_append_ranges(GString *to, const GArray *ranges)
{
        for (guint i = 0; i < ranges->len; i++) {
                const UidRange *range = &g_array_index(ranges, UidRange, i);
                g_string_append_printf(to, "%s%u", i > 0 ? "," : "", range->first);
                if (range->last != range->first)
                        g_string_append_printf(to, ":%u", range->last);
        }
}

void
messages_use_condstore(ImapSession *s)
{
        if ((s->enabled & IMAP_ENABLED_CONDSTORE) != 0)
                return;
        s->enabled |= IMAP_ENABLED_CONDSTORE;
        imap_put(s, "* OK [HIGHESTMODSEQ ");
        imap_put_number(s, view_highest_modseq(s->selected->view));
        imap_put(s, "] CONDSTORE is on\r\n");
}

/* News ------------------------------------------------------------------------------------------------------------ */

/* There is a bit for what is new too. */
static void
note_changed(guint32 index, gpointer data)
{
        News *news = data;

        if (news->changed == NULL)
                news->changed = g_malloc0(view_count(news->now) / 8 + 1);
        set_bit(news->changed, index);
}

StoreAnswer
news_take(ImapSession *s, News *ret, GError **error)
{
        g_autoptr(View) before = view_ref(s->selected->view);
        guint32 first_new;

        StoreAnswer answer = imap_move_on(s, error);
        if (answer != STORE_DONE)
                return answer;
        *ret = (News){.now = view_ref(s->selected->view)};
        view_compare(before, ret->now, NULL, note_changed, ret, &first_new);
        return STORE_DONE;
}

void
news_done(News *news)
{
        g_clear_pointer(&news->now, view_unref);
        g_clear_pointer(&news->changed, g_free);
}

void
news_put(ImapSession *s, const View *view, guint32 index, guint32 number, gboolean has_flags)
{
        const ViewEntry *entry = view_entry(view, index);
        gboolean is_uidonly = (s->enabled & IMAP_ENABLED_UIDONLY) != 0;
        const char *space = "";

        imap_put(s, "* ");
        imap_put_number(s, is_uidonly ? entry->uid : number + 1);
        imap_put(s, is_uidonly ? " UIDFETCH (" : " FETCH (");
        if (!is_uidonly && (s->is_uid || s->notify != NULL || (s->enabled & IMAP_ENABLED_QRESYNC) != 0)) {
                imap_put(s, "UID ");
                imap_put_number(s, entry->uid);
                space = " ";
        }
        if (has_flags) {
                imap_put(s, space);
                imap_put(s, "FLAGS ");
                imap_put_entry_flags(s, view, index);
                space = " ";
        }
        if ((s->enabled & IMAP_ENABLED_CONDSTORE) != 0) {
                imap_put(s, space);
                imap_put(s, "MODSEQ (");
                imap_put_number(s, entry->modseq);
                imap_put(s, ")");
        }
        imap_put(s, ")\r\n");
}

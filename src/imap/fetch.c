/* fetch.c -- FETCH and UID FETCH (RFC 9051 §6.4.5, §6.4.9).
 *
 *      arguments -> messages -> \Seen, one durable change for all of them -> the answer, a task
 */
#include "imap/fetch.h"
#include "imap/messages.h"

#define VANISHED_RANGES_MAX 1000 /* of one line */

typedef struct FetchRequest {
        ImapSet set;
        FetchItems items;
        FetchModifiers modifiers;
        Messages messages;
        guint32 first, last; /* indexes: the page */
} FetchRequest;

/* Arguments ------------------------------------------------------------------------------------------------------- */

static gboolean
parse(ImapArgs *a, FetchRequest *r)
{
        return args_space(a) && args_set(a, &r->set) && args_space(a) && imap_fetch_items_parse(a, &r->items) &&
               imap_fetch_modifiers_parse(a, &r->modifiers);
}

/* RFC 7162 §3.2.6 */
static gboolean
may_vanish(const ImapSession *s, const FetchModifiers *m)
{
        return !m->has_vanished || (s->is_uid && m->has_changed_since && (s->enabled & IMAP_ENABLED_QRESYNC) != 0);
}

/* Items that are answered without being asked for: the UID after UID FETCH, MODSEQ beside FLAGS once the client knows
 * of it. */
static gboolean
add_items(ImapSession *s, ImapArgs *a, FetchRequest *r)
{
        if (r->modifiers.has_changed_since || (r->items.kinds & 1U << FETCH_MODSEQ) != 0)
                messages_use_condstore(s);
        if ((s->enabled & IMAP_ENABLED_CONDSTORE) != 0 &&
            (r->modifiers.has_changed_since || (r->items.kinds & 1U << FETCH_FLAGS) != 0) &&
            !imap_fetch_items_need(a, &r->items, FETCH_MODSEQ))
                return FALSE;
        return !s->is_uid || (s->enabled & IMAP_ENABLED_UIDONLY) != 0 || imap_fetch_items_need(a, &r->items, FETCH_UID);
}

/* Messages -------------------------------------------------------------------------------------------------------- */

static gboolean
has_changed(const ImapSession *s, const FetchRequest *r, guint32 index)
{
        return !r->modifiers.has_changed_since ||
               view_entry(s->selected->view, index)->modseq > r->modifiers.changed_since;
}

/* RFC 9394 §3.4: positions count those that would be answered, from the first or from the last. */
static void
choose_page(const ImapSession *s, FetchRequest *r)
{
        const FetchModifiers *m = &r->modifiers;
        guint32 position = 0;

        r->first = G_MAXUINT32;
        r->last = 0;
        for (gsize i = 0; i < r->messages.n; i++) {
                const IndexRange *range = &r->messages.ranges[m->from_end ? r->messages.n - 1 - i : i];
                for (guint32 j = 0; j <= range->last - range->first && position < m->last; j++) {
                        guint32 index = m->from_end ? range->last - j : range->first + j;
                        if (!has_changed(s, r, index) || ++position < m->first)
                                continue;
                        r->first = MIN(r->first, index);
                        r->last = MAX(r->last, index);
                }
        }
}

/* FALSE has answered. */
static gboolean
choose(ImapSession *s, FetchRequest *r)
{
        const FetchModifiers *m = &r->modifiers;
        char code[LIMIT_CODE_OCTETS];

        if (!messages_choose(s, &r->set, &r->messages))
                return FALSE;
        r->first = 0;
        r->last = G_MAXUINT32;
        if (m->has_partial && messages_are_over_limit(s, m->last - m->first + 1)) {
                g_snprintf(code, sizeof(code), "MESSAGELIMIT %u", imap_message_limit(s));
                imap_no(s, code, "too many messages in one page");
                return FALSE;
        }
        if (m->has_partial)
                choose_page(s, r);
        else if (!messages_limit(s, &r->messages)) {
                imap_no(s, "LIMIT", "too complex");
                return FALSE;
        }
        return TRUE;
}

static gboolean
is_chosen(const ImapSession *s, const FetchRequest *r, guint32 index)
{
        return index >= r->first && index <= r->last && has_changed(s, r, index);
}

/* \Seen ----------------------------------------------------------------------------------------------------------- */

/* As it is now, which may be more than what the client was told. */
static gboolean
is_unseen(const View *view, const View *newest, guint32 index)
{
        if (newest != view) {
                guint32 uid = view_entry(view, index)->uid;
                index = view_index_of(newest, uid);
                if (index == view_count(newest) || view_entry(newest, index)->uid != uid)
                        return FALSE;
        }
        return (view_flags(newest, index) & FLAG_SEEN) == 0;
}

/* Messages of the answer that this reader has not seen. */
static GArray *
find_unseen(const ImapSession *s, const FetchRequest *r, const View *newest)
{
        const View *view = s->selected->view;
        GArray *uids = g_array_new(FALSE, FALSE, sizeof(UidRange));
        guint32 after_last = 0; /* index behind the last one that was found */

        for (gsize i = 0; i < r->messages.n; i++)
                for (guint32 j = r->messages.ranges[i].first; j <= r->messages.ranges[i].last; j++) {
                        if (!is_unseen(view, newest, j) || !is_chosen(s, r, j))
                                continue;
                        guint32 uid = view_entry(view, j)->uid;
                        if (uids->len > 0 && after_last == j)
                                g_array_index(uids, UidRange, uids->len - 1).last = uid;
                        else
                                g_array_append_val(uids, ((UidRange){uid, uid}));
                        after_last = j + 1;
                }
        return uids;
}

/* RFC 9051 §6.4.5: BODY[] sets \Seen; RFC 4314 §4: not without the right s. FALSE: a fault. */
static gboolean
set_seen(ImapSession *s, const FetchRequest *r, News *news, GError **error)
{
        const ImapSelected *selected = s->selected;
        g_autoptr(View) newest = NULL;

        if (!r->items.sets_seen || selected->is_read_only || (selected->rights & RIGHT_SEEN) == 0)
                return TRUE;
        StoreAnswer answer = store_view_open(imap_store(s), selected->mailbox, s->who.account, &newest, error);
        if (answer != STORE_DONE)
                return answer == STORE_NO_MAILBOX;
        g_autoptr(GArray) uids = find_unseen(s, r, newest);
        if (uids->len == 0)
                return TRUE;
        const UidSet set = {(const UidRange *) (gpointer) uids->data, uids->len};
        const FlagChange change = {
                .action = FLAGS_ADD, .flags = FLAG_SEEN, .mask = FLAG_SEEN, .reader = s->who.account};
        g_autoptr(GArray) modified = NULL;
        guint64 modseq;
        if (store_change_flags(imap_store(s), selected->mailbox, &set, &change, &modified, &modseq, error) ==
            CHANGED_FAILED)
                return FALSE;
        return news_take(s, news, error) != STORE_FAILED;
}

/* VANISHED -------------------------------------------------------------------------------------------------------- */

/* RFC 7162 §3.2.6: before the FETCH answers. What the client was not told of yet, and still counts, is among it. */
static gboolean
put_vanished(ImapSession *s, const FetchRequest *r, GError **error)
{
        const GArray *saved = r->set.is_saved ? s->selected->saved : NULL;
        g_autoptr(GArray) gone = NULL;
        g_autoptr(View) newest = NULL;

        if (!r->modifiers.has_vanished || (r->set.is_saved && (saved == NULL || saved->len == 0)))
                return TRUE;
        StoreAnswer answer = store_view_open(imap_store(s), s->selected->mailbox, s->who.account, &newest, error);
        if (answer == STORE_NO_MAILBOX)
                newest = view_ref(s->selected->view);
        else if (answer != STORE_DONE)
                return FALSE;
        const UidRange *within = saved != NULL ? (const UidRange *) (gconstpointer) saved->data : r->set.ranges;
        gsize n = saved != NULL ? saved->len : r->set.n;
        if (!store_vanished_since(imap_store(s), newest, r->modifiers.changed_since, within, n, &gone, error))
                return FALSE;
        const UidRange *ranges = (const UidRange *) (gpointer) gone->data;
        for (gsize i = 0; i < gone->len; i += VANISHED_RANGES_MAX) {
                imap_put(s, "* VANISHED (EARLIER) ");
                imap_put_ranges(s, ranges + i, MIN(gone->len - i, VANISHED_RANGES_MAX));
                imap_put(s, "\r\n");
        }
        return TRUE;
}

/* The command ----------------------------------------------------------------------------------------------------- */

static void
start(ImapSession *s, const FetchRequest *r, News *news)
{
        FetchTask *t = g_new0(FetchTask, 1);

        t->items = r->items;
        t->ranges = r->messages.ranges;
        t->n_ranges = r->messages.n;
        t->first = r->first;
        t->last = r->last;
        t->has_changed_since = r->modifiers.has_changed_since;
        t->changed_since = r->modifiers.changed_since;
        t->view = view_ref(s->selected->view);
        t->news = g_steal_pointer(&news->changed);
        (void) messages_limit_code(s, &r->messages, t->code);
        imap_fetch_start(s, t);
}

void
imap_fetch(ImapSession *s, ImapArgs *a)
{
        g_autoptr(GError) error = NULL;
        g_auto(News) news = {0};
        FetchRequest r = {0};

        if (!parse(a, &r)) {
                imap_bad_syntax(s);
                return;
        }
        if (!may_vanish(s, &r.modifiers)) {
                imap_bad(s, "VANISHED needs QRESYNC, UID FETCH and CHANGEDSINCE");
                return;
        }
        if (!choose(s, &r))
                return;
        if (!add_items(s, a, &r)) {
                imap_no(s, "LIMIT", "too complex");
                return;
        }
        if (!set_seen(s, &r, &news, &error) || !put_vanished(s, &r, &error)) {
                imap_no_fault(s, "fetch", error);
                return;
        }
        start(s, &r, &news);
}

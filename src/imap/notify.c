/* notify.c -- NOTIFY (RFC 5465): telling what happens without being asked.
 *
 *      a watch fires -> the session wakes -> between two commands, or in IDLE: what has changed is told
 *
 * No event is queued: what the client knows is compared with what is there. Of mailboxes that are not selected it is
 * told by STATUS, names and subscriptions by LIST, annotations by METADATA. Messages of the selected mailbox are
 * telling.c's affair; here it is only asked for at once, and what is new is fetched.
 *
 * Without a group for the selected mailbox, its changes are told with the answers to commands, as they always are.
 */
#include "imap/notify.h"
#include "imap/fetch.h"

#define ARENA_MAX ((gsize) 256 * 1024)
#define COMMAND_MAX ((gsize) 64 * 1024)
#define TURN_USEC (50 * USEC_PER_MS)
#define MESSAGE_EVENTS "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
#define METADATA_EVENTS "MailboxMetadataChange ServerMetadataChange"

void
imap_notify_end(ImapSession *s)
{
        notify_free(g_steal_pointer(&s->notify));
        g_atomic_int_set(&s->wants_wake, s->phase == IMAP_PHASE_IDLE);
}

/* Too much to tell, or too much to watch (§5.8). */
static void
overflow(ImapSession *s)
{
        imap_put(s, "* OK [NOTIFICATIONOVERFLOW] too much happens, nothing more is told\r\n");
        imap_notify_end(s);
}

/* Statuses -------------------------------------------------------------------------------------------------------- */

static void
put_status(ImapSession *s, const Watched *w)
{
        guint items = STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY | STATUS_UNSEEN;

        if ((w->events & NOTIFY_FLAG_CHANGE) != 0 || (s->enabled & IMAP_ENABLED_CONDSTORE) != 0)
                items |= imap_has(s, "CONDSTORE") ? STATUS_HIGHESTMODSEQ : 0;
        imap_status_put_known(s, w->name, &w->known, items);
}

static gboolean
is_news(const Watched *w, const MailboxStatus *now)
{
        if (now->messages != w->known.messages || now->uid_next != w->known.uid_next ||
            now->uid_validity != w->known.uid_validity)
                return TRUE;
        return (w->events & NOTIFY_FLAG_CHANGE) != 0 && now->highest_modseq != w->known.highest_modseq;
}

/* The selected mailbox is told about otherwise. FALSE: could not look. */
static gboolean
look_at(ImapSession *s, Watched *w, gboolean tells, GError **error)
{
        MailboxStatus now;

        g_atomic_int_set(&w->fired, 0);
        StoreAnswer answer = store_mailbox_status(imap_store(s), w->id, s->who.account, &now, error);
        if (answer != STORE_DONE)
                return answer == STORE_NO_MAILBOX; /* its tree says so too */
        gboolean is_selected = s->selected != NULL && s->selected->mailbox == w->id;
        gboolean has_news = is_news(w, &now);
        w->known = now;
        if (tells && has_news && !is_selected)
                put_status(s, w);
        return TRUE;
}

/* Telling --------------------------------------------------------------------------------------------------------- */

static void
tell_tree(ImapSession *s, Notify *n)
{
        g_autoptr(GError) error = NULL;

        g_atomic_int_set(&n->tree_fired, 0);
        g_atomic_int_set(&n->fired, 1); /* new ones are looked at */
        switch (notify_look(n, TRUE, &error)) {
        case NOTIFY_LOOK_DONE:
                break;
        case NOTIFY_LOOK_FAILED:
                imap_log_fault(s, "look at mailboxes", error); /* with the next change of the tree */
                break;
        case NOTIFY_LOOK_OVERFLOW:
                overflow(s);
                break;
        }
}

/* One whose known numbers are none has come with a change of the tree. */
static gboolean
is_due(Watched *w)
{
        return w->watch != NULL && (g_atomic_int_get(&w->fired) != 0 || w->known.uid_validity == 0);
}

/* Some wait: for the client to read, or for our next turn. */
static void
wake_later(ImapSession *s, Notify *n)
{
        g_atomic_int_set(&n->fired, 1);
        if (!imap_is_full(s))
                session_wake(&s->session);
}

/* In pieces of time: others have their turn. */
static ImapStep
tell_mailboxes(ImapSession *s, Notify *n)
{
        Usec until = clock_monotonic() + TURN_USEC;

        g_atomic_int_set(&n->fired, 0);
        for (guint i = 0; i < n->watched->len; i++) {
                g_autoptr(GError) error = NULL;
                Watched *w = n->watched->pdata[i];
                if (!is_due(w))
                        continue;
                if (imap_is_full(s) || clock_monotonic() > until) {
                        wake_later(s, n);
                        return IMAP_STEP_AGAIN;
                }
                if (!look_at(s, w, TRUE, &error))
                        imap_log_fault(s, "look at a mailbox", error);
        }
        return IMAP_STEP_DONE;
}

/* The selected mailbox -------------------------------------------------------------------------------------------- */

void
imap_notify_unselected(ImapSession *s)
{
        Notify *n = s->notify;

        if (n != NULL)
                n->selected = 0;
}

void
imap_notify_own(ImapSession *s, gint64 mailbox, guint32 first, guint32 last)
{
        Notify *n = s->notify;

        if (n == NULL || n->selected != mailbox)
                return;
        if (first != n->own.last + 1) /* commands may follow each other closely */
                n->own.first = first;
        n->own.last = last;
}

/* The first that is new; who has made a message knows it (§5.2). */
static guint32
first_new(Notify *n, const View *view)
{
        guint32 index = view_index_of(view, n->next_uid), count = view_count(view);

        for (; index < count; index++) {
                guint32 uid = view_entry(view, index)->uid;
                if (uid < n->own.first || uid > n->own.last)
                        break;
                n->next_uid = uid + 1;
        }
        return index;
}

/* Told at once, if that was asked for. In IDLE it is told anyway. */
static gboolean
tell_selected(ImapSession *s, const Notify *n)
{
        gboolean is_delayed;

        if (s->phase == IMAP_PHASE_IDLE || s->selected == NULL || g_atomic_int_get(&s->woken) == 0 ||
            notify_selected_events(&n->spec, &is_delayed) == 0)
                return FALSE;
        (void) imap_tell_changes(s, !is_delayed);
        return TRUE;
}

/* What has been told by EXISTS and not been fetched (§5.2). */
static gboolean
begin_fetch(ImapSession *s, Notify *n)
{
        View *view = s->selected != NULL ? s->selected->view : NULL;
        guint32 count = view != NULL ? view_count(view) : 0;

        if (view == NULL || n->spec.items.n == 0)
                return FALSE;
        if (n->selected != s->selected->mailbox) {
                n->selected = s->selected->mailbox;
                n->next_uid = view_uid_next(view);
                n->own = (UidRange){0};
                return FALSE;
        }
        guint32 first = first_new(n, view);
        if (first == count)
                return FALSE;
        n->next_uid = view_entry(view, count - 1)->uid + 1;
        n->fetching = (IndexRange){first, count - 1};
        n->fetch = imap_fetch_unasked(view, &n->spec.items, &n->fetching);
        return TRUE;
}

static ImapStep
step_fetch(ImapSession *s, Notify *n)
{
        if (n->fetch->run(s, n->fetch) == IMAP_TASK_AGAIN) {
                if (!imap_is_full(s))
                        session_wake(&s->session);
                return IMAP_STEP_AGAIN;
        }
        ImapTask *done = g_steal_pointer(&n->fetch);
        done->free(done);
        return IMAP_STEP_DONE;
}

gboolean
imap_notify_is_busy(const ImapSession *s)
{
        const Notify *n = s->notify;

        return n != NULL && n->fetch != NULL;
}

ImapStep
imap_step_notify(ImapSession *s)
{
        Notify *n = s->notify;

        if (n == NULL)
                return IMAP_STEP_AGAIN;
        if (n->fetch != NULL)
                return step_fetch(s, n);
        if (tell_selected(s, n) || begin_fetch(s, n))
                return IMAP_STEP_DONE;
        if (g_atomic_int_get(&n->tree_fired) != 0)
                tell_tree(s, n);
        else if (g_atomic_int_get(&n->fired) != 0)
                return tell_mailboxes(s, n);
        else
                return IMAP_STEP_AGAIN;
        return IMAP_STEP_DONE;
}

/* The command ----------------------------------------------------------------------------------------------------- */

/* What the client starts from: the mailboxes, their numbers, and a STATUS of each if it wants them. */
typedef struct SetTask {
        ImapTask task;
        Notify *notify;
        guint next;
} SetTask;

/* It stands from here on; whatever happened meanwhile is told behind the answer. */
static void
install(ImapSession *s, SetTask *t)
{
        imap_notify_end(s);
        s->notify = g_steal_pointer(&t->notify);
        g_atomic_int_set(&s->wants_wake, 1);
        imap_ok(s, "", "you will hear of it");
}

static ImapTaskStep
run_set(ImapSession *s, ImapTask *task)
{
        SetTask *t = (SetTask *) task;
        Usec until = clock_monotonic() + TURN_USEC;

        for (; t->next < t->notify->watched->len; t->next++) {
                g_autoptr(GError) error = NULL;
                Watched *w = t->notify->watched->pdata[t->next];
                if (w->watch == NULL)
                        continue;
                if (imap_is_full(s) || clock_monotonic() > until)
                        return IMAP_TASK_AGAIN;
                if (!look_at(s, w, t->notify->spec.wants_status, &error)) {
                        imap_no_fault(s, "look at a mailbox", error);
                        return IMAP_TASK_DONE;
                }
        }
        install(s, t);
        return IMAP_TASK_DONE;
}

static void
free_set(ImapTask *task)
{
        SetTask *t = (SetTask *) task;

        notify_free(t->notify);
        g_free(t);
}

/* §3.1: named mailboxes that may be seen but not be read. */
static void
put_no_access(ImapSession *s, const Notify *n)
{
        for (guint i = 0; i < n->watched->len; i++) {
                const Watched *w = n->watched->pdata[i];
                if (w->id == 0 || (w->events & NOTIFY_MESSAGE_EVENTS) == 0 || (w->rights & RIGHT_READ) != 0)
                        continue;
                imap_put(s, "* LIST (\\NoAccess) \"/\" ");
                imap_put_mailbox(s, span_of(w->name));
                imap_put(s, "\r\n");
        }
}

static void
start_set(ImapSession *s, Notify *take_notify)
{
        SetTask *t = g_new0(SetTask, 1);

        t->task = (ImapTask){.run = run_set, .free = free_set};
        t->notify = take_notify;
        put_no_access(s, take_notify);
        imap_start_task(s, &t->task);
}

static void
set(ImapSession *s, Arena *take_arena, const NotifySpec *spec)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Notify) n = notify_new(s, take_arena, spec);

        switch (notify_look(n, FALSE, &error)) {
        case NOTIFY_LOOK_DONE:
                start_set(s, g_steal_pointer(&n));
                break;
        case NOTIFY_LOOK_FAILED:
                imap_no_fault(s, "look at mailboxes", error);
                break;
        case NOTIFY_LOOK_OVERFLOW:
                imap_no(s, "NOTIFICATIONOVERFLOW", "too many mailboxes to watch");
                break;
        }
}

/* The UID of what is fetched is always told (§5.2). */
static NotifyParsed
read_command(ImapSession *s, Arena *arena, Span text, NotifySpec *ret)
{
        Span copy = text.len <= COMMAND_MAX ? arena_copy(arena, text) : SPAN_EMPTY;
        ImapArgs args = imap_args(s, arena, copy);

        if (copy.len < text.len)
                return NOTIFY_PARSED_TOO_MANY;
        NotifyParsed parsed = notify_parse(&args, ret);
        if (parsed == NOTIFY_PARSED_OK && ret->items.n > 0 && !imap_fetch_items_need(&args, &ret->items, FETCH_UID))
                parsed = NOTIFY_PARSED_TOO_MANY;
        return arena_is_over(arena) ? NOTIFY_PARSED_TOO_MANY : parsed;
}

void
imap_notify(ImapSession *s, ImapArgs *a)
{
        g_autoptr(Arena) arena = arena_new(ARENA_MAX);
        NotifySpec spec = {0};

        switch (read_command(s, arena, scan_rest(&a->scan), &spec)) {
        case NOTIFY_PARSED_BAD:
                imap_bad(s, "syntax: NOTIFY NONE, or NOTIFY SET [STATUS] (filter (events))...");
                break;
        case NOTIFY_PARSED_BAD_EVENT:
                imap_no(s,
                        imap_has(s, "METADATA") ? "BADEVENT (" MESSAGE_EVENTS " " METADATA_EVENTS ")"
                                                : "BADEVENT (" MESSAGE_EVENTS ")",
                        "an event that is not there");
                break;
        case NOTIFY_PARSED_BAD_NAME:
                imap_no_mailbox(s, MAILBOX_BAD_NAME, NULL, "read a name");
                break;
        case NOTIFY_PARSED_TOO_MANY:
                imap_no(s, "NOTIFICATIONOVERFLOW", "too much to watch");
                break;
        case NOTIFY_PARSED_OK:
                if (spec.is_none) {
                        imap_notify_end(s);
                        imap_ok(s, "", "you will hear of nothing");
                } else {
                        set(s, g_steal_pointer(&arena), &spec);
                }
                break;
        }
}

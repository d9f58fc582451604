/* telling.c -- telling a session what has changed in its mailbox (RFC 9051 §5.2, §7.4.1, §7.5), and IDLE (RFC 9051
 * §6.3.13).
 *
 *      newest view against the one that the client knows -> VANISHED or EXPUNGE, EXISTS, FETCH of flags -> the tagged
 * answer that waits
 *
 * The session's view moves on as soon as a telling begins. Its text may be larger than what the output takes: then the
 * session goes on with it before it does anything else.
 */
#include "imap/messages.h"

#define IDLE_LINE_MAX 1000
#define SLICE (50 * USEC_PER_MS) /* of live searches */
#define VANISHED_RANGES 500      /* in one line */

typedef enum Stage {
        STAGE_LEAVING = 0, /* of live searches, while numbers are as they were */
        STAGE_VANISHED,
        STAGE_EXISTS,
        STAGE_CHANGED,
        STAGE_LIVE, /* live searches, when the client knows everything */
        STAGE_MODSEQ,
        STAGE_DONE,
} Stage;

typedef struct Telling {
        View *older;      /* NULL: only the ending waits */
        GArray *vanished; /* of IndexRange in it, from the last to the first */
        GArray *changed;  /* of IndexRange in the newer one, rising          */
        guint32 first_new;
        Stage stage;
        guint range;  /* how far: this one,                      */
        guint32 done; /* and so many of its entries              */
        char *ending; /* what comes behind it, or NULL           */
} Telling;

static void
telling_free(Telling *t)
{
        if (t == NULL)
                return;
        view_unref(t->older);
        g_array_unref(t->vanished);
        g_array_unref(t->changed);
        g_free(t->ending);
        g_free(t);
}

void
imap_stop_telling(ImapSession *s)
{
        telling_free(g_steal_pointer(&s->telling));
}

/* Comparing ------------------------------------------------------------------------------------------------------- */

/* From the last to the first. */
static void
note_vanished(guint32 index, gpointer data)
{
        GArray *ranges = ((Telling *) data)->vanished;
        IndexRange *last = ranges->len > 0 ? &g_array_index(ranges, IndexRange, ranges->len - 1) : NULL;

        if (last != NULL && last->first == index + 1)
                last->first = index;
        else
                g_array_append_val(ranges, ((IndexRange){index, index}));
}

static void
note_changed(guint32 index, gpointer data)
{
        GArray *ranges = ((Telling *) data)->changed;
        IndexRange *last = ranges->len > 0 ? &g_array_index(ranges, IndexRange, ranges->len - 1) : NULL;

        if (last != NULL && last->last + 1 == index)
                last->last = index;
        else
                g_array_append_val(ranges, ((IndexRange){index, index}));
}

static void
note_any(guint32 index, gpointer data)
{
        *(gboolean *) data = TRUE;
}

/* Without looking further than has to be. */
static gboolean
has_vanished(const View *older, const View *newer)
{
        gboolean any = FALSE;
        guint32 first_new;

        view_compare(older, newer, note_any, NULL, &any, &first_new);
        return any;
}

/* Flags that the client has not heard of are told before they are used (RFC 9051 §7.3.5). */
static gboolean
has_same_keywords(const View *a, const View *b)
{
        for (guint bit = FLAG_KEYWORD_FIRST; bit < 64; bit++)
                if (g_strcmp0(view_keyword(a, bit), view_keyword(b, bit)) != 0)
                        return FALSE;
        return TRUE;
}

static void
move_on(ImapSession *s, View *take_newer)
{
        g_autoptr(View) older = s->selected->view;

        s->selected->view = take_newer;
        imap_recent_look(s);
        if (!has_same_keywords(older, take_newer))
                imap_put_flag_lists(s);
}

/* The newest one that the client may know of. */
static StoreAnswer
open_view(ImapSession *s, gboolean may_expunge, View **ret, GError **error)
{
        ImapSelected *selected = s->selected;
        g_autoptr(View) newest = NULL;
        StoreAnswer answer = store_view_open(imap_store(s), selected->mailbox, s->who.account, &newest, error);

        if (answer != STORE_DONE)
                return answer;
        if (!may_expunge && newest == selected->latest) {
                *ret = view_ref(selected->view);
                return STORE_DONE;
        }
        g_clear_pointer(&selected->latest, view_unref);
        if (may_expunge || newest == selected->view || !has_vanished(selected->view, newest)) {
                *ret = g_steal_pointer(&newest);
                return STORE_DONE;
        }
        *ret = view_keeping(selected->view, newest);
        selected->latest = g_steal_pointer(&newest);
        return STORE_DONE;
}

gboolean
imap_has_gone(const ImapSession *s, guint32 index)
{
        const View *latest = s->selected->latest;

        if (latest == NULL)
                return FALSE;
        guint32 uid = view_entry(s->selected->view, index)->uid, now = view_index_of(latest, uid);
        return now == view_count(latest) || view_entry(latest, now)->uid != uid;
}

static void
put_exists(ImapSession *s, const View *view)
{
        imap_put(s, "* ");
        imap_put_number(s, view_count(view));
        imap_put(s, " EXISTS\r\n");
        imap_put_recent(s, FALSE);
}

/* TRUE: nothing of it waits. */
static gboolean
write_live(ImapSession *s)
{
        return s->selected->contexts == NULL || s->selected->contexts_write(s);
}

static gboolean
live_is_behind(const ImapSession *s)
{
        return s->selected->contexts != NULL && s->selected->contexts_is_behind(s);
}

StoreAnswer
imap_move_on(ImapSession *s, GError **error)
{
        g_autoptr(View) older = view_ref(s->selected->view);
        View *now;
        StoreAnswer answer = open_view(s, FALSE, &now, error);

        if (answer != STORE_DONE)
                return answer;
        move_on(s, now);
        if (view_count(now) > view_count(older))
                put_exists(s, now);
        return STORE_DONE; /* live searches come with what is told next */
}

/* RFC 7162 §3.2.4: MODSEQs may have been told that are above those of what vanished and was not told. A client that
 * comes back with the highest one would never hear of it. */
static gboolean
owes_modseq(const ImapSession *s)
{
        return s->selected->latest != NULL && (s->enabled & IMAP_ENABLED_QRESYNC) != 0;
}

static void
begin_telling(ImapSession *s, View *take_newer)
{
        Telling *t = g_new0(Telling, 1);

        t->older = view_ref(s->selected->view);
        t->vanished = g_array_new(FALSE, FALSE, sizeof(IndexRange));
        t->changed = g_array_new(FALSE, FALSE, sizeof(IndexRange));
        view_compare(t->older, take_newer, note_vanished, note_changed, t, &t->first_new);
        s->telling = t;
        move_on(s, take_newer);
}

gboolean
imap_tell_changes(ImapSession *s, gboolean may_expunge)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(View) newer = NULL;

        if (s->selected == NULL || s->telling != NULL)
                return TRUE;
        g_atomic_int_set(&s->woken, 0);
        switch (open_view(s, may_expunge, &newer, &error)) {
        case STORE_DONE:
                break;
        case STORE_NO_MAILBOX:
                imap_bye(s, "the mailbox has been removed");
                return FALSE;
        case STORE_FAILED:
        case STORE_OVER_QUOTA:
                imap_log_fault(s, "look for changes", error); /* they are told another time */
                return TRUE;
        }
        if (newer == s->selected->view && !owes_modseq(s) && !live_is_behind(s))
                return TRUE;
        begin_telling(s, g_steal_pointer(&newer));
        (void) imap_step_telling(s);
        return TRUE;
}

/* Telling --------------------------------------------------------------------------------------------------------- */

/* Ranges of entries that have gone, as UIDs that follow each other. */
static void
put_vanished_uids(ImapSession *s, Telling *t)
{
        UidRange uids[VANISHED_RANGES];
        gsize n = 0;

        /* Backwards through the ranges: UIDs rise. t->range counts those that are done. */
        while (t->range < t->vanished->len) {
                IndexRange range = g_array_index(t->vanished, IndexRange, t->vanished->len - 1 - t->range);
                guint32 uid = view_entry(t->older, range.first + t->done)->uid;
                if (n > 0 && uids[n - 1].last + 1 == uid)
                        uids[n - 1].last = uid;
                else if (n < VANISHED_RANGES)
                        uids[n++] = (UidRange){uid, uid};
                else
                        break;
                if (range.first + ++t->done > range.last) {
                        t->range++;
                        t->done = 0;
                }
        }
        if (n == 0)
                return;
        imap_put(s, "* VANISHED ");
        imap_put_ranges(s, uids, n);
        imap_put(s, "\r\n");
}

static void
put_expunge(ImapSession *s, Telling *t)
{
        IndexRange range = g_array_index(t->vanished, IndexRange, t->range);

        imap_put(s, "* ");
        imap_put_number(s, range.last - t->done + 1);
        imap_put(s, " EXPUNGE\r\n");
        if (range.first + t->done++ == range.last) {
                t->range++;
                t->done = 0;
        }
}

static void
put_changed(ImapSession *s, Telling *t)
{
        IndexRange range = g_array_index(t->changed, IndexRange, t->range);
        guint32 index = range.first + t->done;

        news_put(s, s->selected->view, index, index, TRUE);
        if (index == range.last) {
                t->range++;
                t->done = 0;
        } else {
                t->done++;
        }
}

static void
put_modseq(ImapSession *s)
{
        if (!owes_modseq(s))
                return;
        imap_put(s, "* OK [HIGHESTMODSEQ ");
        imap_put_number(s, view_highest_modseq(s->selected->view));
        imap_put(s, "] more has vanished than could be told\r\n");
}

static void
next_stage(Telling *t)
{
        t->stage++;
        t->range = 0;
        t->done = 0;
}

static void
tell_leaving(ImapSession *s, Telling *t)
{
        if (t->done++ == 0 && s->selected->contexts != NULL)
                s->selected->contexts_leave(s, t->older);
        if (write_live(s))
                next_stage(t);
}

/* As long as it may take. FALSE: others have their turn. */
static gboolean
tell_live(ImapSession *s, Telling *t, Usec until)
{
        gboolean is_done = s->selected->contexts == NULL || s->selected->contexts_update(s, until);

        if (write_live(s) && is_done)
                next_stage(t);
        return is_done;
}

/* FALSE: the time is over. */
static gboolean
tell_a_little(ImapSession *s, Telling *t, Usec until)
{
        gboolean by_uid = (s->enabled & (IMAP_ENABLED_QRESYNC | IMAP_ENABLED_UIDONLY)) != 0;

        switch (t->stage) {
        case STAGE_LEAVING:
                tell_leaving(s, t);
                break;
        case STAGE_LIVE:
                return tell_live(s, t, until);
        case STAGE_VANISHED:
                if (t->range == t->vanished->len)
                        next_stage(t);
                else if (by_uid)
                        put_vanished_uids(s, t);
                else
                        put_expunge(s, t);
                break;
        case STAGE_EXISTS:
                if (view_count(s->selected->view) > t->first_new)
                        put_exists(s, s->selected->view);
                next_stage(t);
                break;
        case STAGE_CHANGED:
                if (t->range == t->changed->len)
                        next_stage(t);
                else
                        put_changed(s, t);
                break;
        case STAGE_MODSEQ:
                put_modseq(s);
                next_stage(t);
                break;
        case STAGE_DONE:
                break;
        }
        return TRUE;
}

ImapStep
imap_step_telling(ImapSession *s)
{
        Telling *t = s->telling;
        Usec until = clock_in(SLICE);

        while (t->stage != STAGE_DONE) {
                if (imap_is_full(s))
                        return IMAP_STEP_AGAIN;
                if (!tell_a_little(s, t, until)) {
                        session_wake(&s->session);
                        return IMAP_STEP_AGAIN;
                }
        }
        if (t->ending != NULL)
                imap_put(s, t->ending);
        imap_stop_telling(s);
        return IMAP_STEP_DONE;
}

void
imap_end_telling_with(ImapSession *s, const char *line)
{
        Telling *t = s->telling;

        g_assert(t->ending == NULL);
        t->ending = g_strdup(line);
}

/* IDLE ------------------------------------------------------------------------------------------------------------ */

void
imap_watch_fired(gpointer data)
{
        ImapSession *s = data;

        g_atomic_int_set(&s->woken, 1);
        if (g_atomic_int_get(&s->wants_wake) != 0)
                session_wake(&s->session);
}

void
imap_idle(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args)) {
                imap_bad(s, "IDLE has no arguments");
                return;
        }
        imap_put(s, "+ idling\r\n");
        s->phase = IMAP_PHASE_IDLE;
        g_atomic_int_set(&s->wants_wake, 1);
        g_atomic_int_set(&s->woken, 1); /* what is new already is told now */
}

static void
end_idle(ImapSession *s, Span line)
{
        s->phase = IMAP_PHASE_COMMAND;
        g_atomic_int_set(&s->wants_wake, s->notify != NULL);
        if (span_is(line, "DONE"))
                imap_ok(s, "", "it was quiet");
        else
                imap_bad(s, "DONE was wanted");
}

ImapStep
imap_step_idle(ImapSession *s)
{
        Span line = SPAN_EMPTY;

        switch (stream_line(s->session.stream, IDLE_LINE_MAX, FALSE, &line)) {
        case STREAM_AGAIN:
                if (g_atomic_int_get(&s->woken) == 0)
                        return imap_step_notify(s);
                g_atomic_int_set(&s->woken, 0);
                (void) imap_tell_changes(s, TRUE);
                break;
        case STREAM_TOO_LONG:
        case STREAM_OK:
                end_idle(s, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = IMAP_PHASE_CLOSE;
                break;
        }
        return IMAP_STEP_DONE;
}

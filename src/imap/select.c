/* select.c -- SELECT and EXAMINE with CONDSTORE and QRESYNC, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2;
 * 7162 §3.2.5; 8474 §4.2).
 *
 *      SELECT name [(CONDSTORE)|(QRESYNC (uidvalidity modseq [known-uids] [(numbers uids)]))]
 *
 * Resynchronization (VANISHED (EARLIER) and a FETCH for each changed message) is a task: it may be as long as the
 * mailbox.
 */
#include "imap/messages.h"

#define RIGHTS_TO_CHANGE (RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE)
#define VANISHED_RANGES 500 /* in one line */

/* RFC 9051 §7.1, 7162 §3.2.11 */
void
imap_put_closed(ImapSession *s, const char *text)
{
        if (imap_has(s, "QRESYNC IMAP4rev2"))
                imap_printf(s, "* OK [CLOSED] %s\r\n", text);
}

/* Closing --------------------------------------------------------------------------------------------------------- */

void
imap_unselect(ImapSession *s)
{
        ImapSelected *selected = g_steal_pointer(&s->selected);

        if (selected == NULL)
                return;
        watch_free(selected->watch);
        if (selected->contexts_free != NULL)
                selected->contexts_free(selected->contexts);
        if (selected->saved != NULL)
                g_array_unref(selected->saved);
        if (selected->recent != NULL)
                g_array_unref(selected->recent);
        view_unref(selected->view);
        view_unref(selected->latest);
        g_free(selected->name);
        g_free(selected);
        imap_stop_telling(s);
        imap_notify_unselected(s);
        if (s->state == IMAP_STATE_SELECTED)
                s->state = IMAP_STATE_AUTHENTICATED;
}

void
imap_unselect_command(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args)) {
                imap_bad(s, "no arguments are wanted");
                return;
        }
        imap_unselect(s);
        imap_ok(s, "", "no mailbox is selected");
}

/* Without a word about what is removed (RFC 9051 §6.4.1). */
void
imap_close(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const ImapSelected *selected = s->selected;
        guint64 modseq;

        if (!args_end(args)) {
                imap_bad(s, "no arguments are wanted");
                return;
        }
        gboolean may_expunge = !selected->is_read_only && (selected->rights & RIGHT_EXPUNGE) != 0;
        ChangeAnswer answer =
                may_expunge ? store_expunge(imap_store(s), selected->mailbox, NULL, &modseq, &error) : CHANGED_DONE;
        imap_unselect(s);
        if (answer == CHANGED_DONE || answer == CHANGED_NO_MAILBOX)
                imap_ok(s, "", "closed");
        else
                imap_no_change(s, answer, error, "close");
}

/* Telling about the mailbox --------------------------------------------------------------------------------------- */

static guint64
all_keywords(const View *view)
{
        guint64 keywords = 0;

        for (guint bit = FLAG_KEYWORD_FIRST; bit < 64; bit++)
                if (view_keyword(view, bit) != NULL)
                        keywords |= (guint64) 1 << bit;
        return keywords;
}

static guint64
permanent_flags(const ImapSession *s)
{
        const ImapSelected *selected = s->selected;
        guint64 flags = 0;

        if (selected->is_read_only)
                return 0;
        if ((selected->rights & RIGHT_SEEN) != 0)
                flags |= FLAG_SEEN;
        if ((selected->rights & RIGHT_DELETE_MESSAGES) != 0)
                flags |= FLAG_DELETED;
        if ((selected->rights & RIGHT_WRITE) != 0)
                flags |= ~(guint64) (FLAG_SEEN | FLAG_DELETED);
        return flags;
}

/* "\*": new keywords may be made (RFC 9051 §7.1, PERMANENTFLAGS). */
void
imap_put_flag_lists(ImapSession *s)
{
        const View *view = s->selected->view;
        guint64 keywords = all_keywords(view), permanent = permanent_flags(s);
        gboolean has_room = (permanent & FLAG_FLAGGED) != 0 && keywords != G_MAXUINT64 << FLAG_KEYWORD_FIRST;

        imap_put(s, "* FLAGS ");
        imap_put_flags(s, view, FLAG_SYSTEM | keywords);
        imap_put(s, "\r\n* OK [PERMANENTFLAGS (");
        if (has_room)
                imap_put(s, "\\* ");
        imap_put_bare_flags(s, view, permanent & (FLAG_SYSTEM | keywords));
        imap_put(s, ")] kept\r\n");
}

static void
put_code(ImapSession *s, const char *code, guint64 number, const char *text)
{
        imap_put(s, "* OK [");
        imap_put(s, code);
        imap_put(s, " ");
        imap_put_number(s, number);
        imap_put(s, text);
}

/* The first message without \Seen, for IMAP4rev1 (RFC 3501 §7.1). */
static void
put_first_unseen(ImapSession *s, const View *view)
{
        guint32 i = 0, count = view_count(view);

        if (view_unseen(view) == 0)
                return;
        while (i < count && (view_flags(view, i) & FLAG_SEEN) != 0)
                i++;
        if (i < count)
                put_code(s, "UNSEEN", i + 1, "] first without \\Seen\r\n");
}

/* RFC 9051 §6.3.2; OLDNAME (§6.3.9.7): what the client has called it, where we call it otherwise. */
static void
put_name(ImapSession *s, Span as_named)
{
        imap_put(s, "* LIST () \"/\" ");
        imap_put_mailbox(s, span_of(s->selected->name));
        if (!span_equal(as_named, span_of(s->selected->name))) {
                imap_put(s, " (\"OLDNAME\" (");
                imap_put_mailbox(s, as_named);
                imap_put(s, "))");
        }
        imap_put(s, "\r\n");
}

static void
put_mailbox(ImapSession *s, const Mailbox *mailbox, Span as_named)
{
        const View *view = s->selected->view;
        gboolean is_rev2 = (s->enabled & IMAP_ENABLED_REV2) != 0;

        imap_put(s, "* ");
        imap_put_number(s, view_count(view));
        imap_put(s, " EXISTS\r\n");
        imap_put_recent(s, TRUE);
        imap_put_flag_lists(s);
        if (!is_rev2)
                put_first_unseen(s, view);
        put_code(s, "UIDVALIDITY", view_uid_validity(view), "] UIDs valid\r\n");
        put_code(s, "UIDNEXT", view_uid_next(view), "] next UID\r\n");
        if (imap_has(s, "CONDSTORE"))
                put_code(s, "HIGHESTMODSEQ", view_highest_modseq(view), "] highest\r\n");
        if (imap_has(s, "OBJECTID"))
                imap_printf(s, "* OK [MAILBOXID (%s)] of this mailbox\r\n", mailbox->mailbox_id);
        if (is_rev2)
                put_name(s, as_named);
}

/* Parameters ------------------------------------------------------------------------------------------------------ */

typedef struct Params {
        gboolean has_condstore, has_qresync;
        guint64 uid_validity, modseq;
        ImapSet known_uids, match_numbers, match_uids; /* n 0: not given */
} Params;

static gboolean
read_known_set(ImapArgs *args, ImapSet *ret)
{
        const guint8 *from = scan_mark(&args->scan);

        if (!args_set(args, ret) || ret->is_saved)
                return FALSE;
        /* "*" has no meaning here (RFC 7162 §7, known-uids) */
        return memchr(from, '*', (gsize) (scan_mark(&args->scan) - from)) == NULL;
}

/* "(uidvalidity modseq [known-uids] [(numbers uids)])" (RFC 7162 §7, select-param) */
static gboolean
read_qresync(ImapArgs *args, Params *p)
{
        if (!args_space(args) || !args_open(args) || !args_number(args, G_MAXUINT32, &p->uid_validity) ||
            !args_space(args) || !args_number(args, G_MAXINT64, &p->modseq) || p->modseq == 0)
                return FALSE;
        p->has_qresync = TRUE;
        if (args_close(args))
                return TRUE;
        if (!args_space(args))
                return FALSE;
        if (!args_open(args)) {
                if (!read_known_set(args, &p->known_uids))
                        return FALSE;
                if (args_close(args))
                        return TRUE;
                if (!args_space(args) || !args_open(args))
                        return FALSE;
        }
        return read_known_set(args, &p->match_numbers) && args_space(args) && read_known_set(args, &p->match_uids) &&
               args_close(args) && args_close(args);
}

static gboolean
read_params(ImapSession *s, ImapArgs *args, Params *p)
{
        if (args_end(args))
                return TRUE;
        if (!args_space(args) || !args_open(args))
                return FALSE;
        do {
                if (imap_has(s, "CONDSTORE") && args_word(args, "CONDSTORE"))
                        p->has_condstore = TRUE;
                else if ((s->enabled & IMAP_ENABLED_QRESYNC) == 0 || p->has_qresync || !args_word(args, "QRESYNC") ||
                         !read_qresync(args, p))
                        return FALSE;
        } while (args_space(args));
        /* RFC 9586 §3.3: no sequence numbers */
        if ((s->enabled & IMAP_ENABLED_UIDONLY) != 0 && p->match_numbers.n > 0)
                return FALSE;
        return args_close(args) && args_end(args);
}

/* Resynchronization ----------------------------------------------------------------------------------------------- */

static const UidRange EVERYTHING = {1, G_MAXUINT32};

typedef struct Resync {
        ImapTask task;
        GArray *vanished; /* of UidRange */
        guint vanished_at;
        guint64 modseq;
        const IndexRange *ranges; /* what the client may know; in the command's arena */
        gsize n, range;
        guint32 done; /* of this range */
} Resync;

static void
resync_free(ImapTask *task)
{
        Resync *r = (Resync *) task;

        if (r->vanished != NULL)
                g_array_unref(r->vanished);
        g_free(r);
}

static void
answer_selected(ImapSession *s)
{
        imap_ok(s, s->selected->is_read_only ? "READ-ONLY" : "READ-WRITE", "selected");
}

static gboolean
resync_is_over(const Resync *r)
{
        return r->range == r->n && (r->vanished == NULL || r->vanished_at == r->vanished->len);
}

static void
resync_a_little(ImapSession *s, Resync *r)
{
        const View *view = s->selected->view;

        if (r->vanished != NULL && r->vanished_at < r->vanished->len) {
                gsize n = MIN(r->vanished->len - r->vanished_at, VANISHED_RANGES);
                imap_put(s, "* VANISHED (EARLIER) ");
                imap_put_ranges(s, &g_array_index(r->vanished, UidRange, r->vanished_at), n);
                imap_put(s, "\r\n");
                r->vanished_at += (guint) n;
                return;
        }
        for (guint looked = 0; looked < 1000 && r->range < r->n; looked++) {
                guint32 index = r->ranges[r->range].first + r->done++;
                if (view_entry(view, index)->modseq > r->modseq) {
                        news_put(s, view, index, index, TRUE);
                        looked += 50;
                }
                if (index == r->ranges[r->range].last) {
                        r->range++;
                        r->done = 0;
                }
        }
}

static ImapTaskStep
resync_run(ImapSession *s, ImapTask *task)
{
        Resync *r = (Resync *) task;

        while (!resync_is_over(r)) {
                if (imap_is_full(s))
                        return IMAP_TASK_AGAIN;
                resync_a_little(s, r);
        }
        answer_selected(s);
        return IMAP_TASK_DONE;
}

/* The nth number of a set (from 0), which is in order as it was given. */
static gboolean
nth_of(const ImapSet *set, guint64 n, guint32 *ret)
{
        for (gsize i = 0; i < set->n; i++) {
                guint64 count = (guint64) set->ranges[i].last - set->ranges[i].first + 1;
                if (n < count) {
                        *ret = set->ranges[i].first + (guint32) n;
                        return TRUE;
                }
                n -= count;
        }
        return FALSE;
}

/* The highest UID of which the client says a sequence number that it still has: nothing up to there has been removed
 * (RFC 7162 §3.2.5.2). Pairs match up to some place and not behind it, so halving finds it. */
static guint32
highest_match(const View *view, const Params *p)
{
        guint64 from = 0, to = 0;
        guint32 number, uid, best = 0;

        for (gsize i = 0; i < p->match_numbers.n; i++)
                to += (guint64) p->match_numbers.ranges[i].last - p->match_numbers.ranges[i].first + 1;
        while (from < to) {
                guint64 middle = from + (to - from) / 2;
                gboolean is_match = nth_of(&p->match_numbers, middle, &number) &&
                                    nth_of(&p->match_uids, middle, &uid) && number <= view_count(view) &&
                                    view_entry(view, number - 1)->uid == uid;
                if (is_match)
                        best = MAX(best, uid);
                *(is_match ? &from : &to) = is_match ? middle + 1 : middle;
        }
        return best;
}

static int
compare_uids(gconstpointer a, gconstpointer b)
{
        const UidRange *x = a, *y = b;

        return (x->first > y->first) - (x->first < y->first);
}

/* Where something may have vanished that the client knows: its UIDs above the match, rising. */
static UidRange *
vanished_within(ImapSession *s, const Params *p, guint32 match, gsize *ret_n)
{
        const UidRange *from = p->known_uids.n > 0 ? p->known_uids.ranges : &EVERYTHING;
        gsize n = MAX(p->known_uids.n, 1), out = 0;
        UidRange *within = arena_new_array(s->arena, UidRange, n);

        if (within == NULL)
                return NULL;
        memcpy(within, from, n * sizeof(*within));
        qsort(within, n, sizeof(*within), compare_uids);
        for (gsize i = 0; i < n; i++) {
                UidRange range = {MAX(within[i].first, match + 1), within[i].last};
                if (range.first > range.last)
                        continue;
                if (out > 0 && range.first <= within[out - 1].last)
                        within[out - 1].last = MAX(within[out - 1].last, range.last);
                else
                        within[out++] = range;
        }
        *ret_n = out;
        return within;
}

static gboolean
start_resync(ImapSession *s, const Params *p, GError **error)
{
        const View *view = s->selected->view;
        ImapSet known = p->known_uids;
        const IndexRange *ranges;
        GArray *vanished = NULL;
        gsize n, n_within = 0;

        if (known.n == 0)
                known = (ImapSet){.ranges = &EVERYTHING, .n = 1};
        s->is_uid = TRUE;
        const UidRange *within = vanished_within(s, p, highest_match(view, p), &n_within);
        if (within == NULL || !imap_indexes(s, &known, &ranges, &n))
                return fault(error, FAULT_BUSY, "too many known UIDs");
        if (n_within > 0 && !store_vanished_since(imap_store(s), view, p->modseq, within, n_within, &vanished, error))
                return FALSE;
        Resync *r = g_new0(Resync, 1);
        *r = (Resync){
                .task = {resync_run, resync_free}, .vanished = vanished, .modseq = p->modseq, .ranges = ranges, .n = n};
        imap_start_task(s, &r->task);
        return TRUE;
}

/* Selecting ------------------------------------------------------------------------------------------------------- */

/* The watch comes before the view, so that nothing falls between them. */
static StoreAnswer
open_mailbox(ImapSession *s, const Mailbox *mailbox, gboolean is_read_only, GError **error)
{
        ImapSelected *selected = g_new0(ImapSelected, 1);

        selected->name = g_strdup(mailbox->name);
        selected->mailbox = mailbox->id;
        selected->rights = mailbox->rights;
        selected->is_read_only = is_read_only || (mailbox->rights & RIGHTS_TO_CHANGE) == 0;
        selected->watch = store_watch(imap_store(s), mailbox->id, 0, imap_watch_fired, s);
        s->selected = selected;
        StoreAnswer answer = store_view_open(imap_store(s), mailbox->id, s->who.account, &selected->view, error);
        if (answer == STORE_DONE) {
                s->state = IMAP_STATE_SELECTED;
                imap_recent_look(s);
        } else {
                imap_unselect(s);
        }
        return answer;
}

static void
select_mailbox(ImapSession *s, const Params *p, const Mailbox *mailbox, Span as_named, gboolean is_read_only)
{
        g_autoptr(GError) error = NULL;

        switch (open_mailbox(s, mailbox, is_read_only, &error)) {
        case STORE_DONE:
                break;
        case STORE_NO_MAILBOX:
                imap_no_mailbox(s, MAILBOX_MISSING, NULL, "select");
                return;
        case STORE_FAILED:
        case STORE_OVER_QUOTA:
                imap_no_fault(s, "select", error);
                return;
        }
        if (p->has_condstore || p->has_qresync)
                s->enabled |= IMAP_ENABLED_CONDSTORE; /* HIGHESTMODSEQ is told anyway */
        put_mailbox(s, mailbox, as_named);
        if (!p->has_qresync || p->uid_validity != view_uid_validity(s->selected->view)) {
                answer_selected(s);
        } else if (!start_resync(s, p, &error)) {
                imap_unselect(s);
                imap_no_fault(s, "select", error);
        }
}

static void
select_or_examine(ImapSession *s, ImapArgs *args, gboolean is_read_only)
{
        g_autoptr(GError) error = NULL;
        const Mailbox *mailbox = NULL;
        Params params = {0};
        gboolean is_bad = FALSE;
        Span name;

        gboolean has_name = args_space(args) && args_mailbox(args, &name, &is_bad);
        if (!is_bad && (!has_name || !read_params(s, args, &params))) {
                imap_bad(s, "syntax: mailbox [(parameters)]");
                return;
        }
        if (s->selected != NULL) {
                imap_unselect(s);
                imap_put_closed(s, "that was the mailbox before");
        }
        MailboxAnswer answer =
                is_bad ? MAILBOX_BAD_NAME
                       : store_mailbox(imap_store(s), s->arena, &s->who, name, RIGHT_READ, &mailbox, &error);
        if (answer == MAILBOX_DONE && mailbox->id == 0)
                answer = MAILBOX_MISSING;
        if (answer == MAILBOX_DONE)
                select_mailbox(s, &params, mailbox, name, is_read_only);
        else
                imap_no_mailbox(s, answer, error, "select");
}

void
imap_select(ImapSession *s, ImapArgs *args)
{
        select_or_examine(s, args, FALSE);
}

void
imap_examine(ImapSession *s, ImapArgs *args)
{
        select_or_examine(s, args, TRUE);
}

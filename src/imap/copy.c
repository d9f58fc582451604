/* copy.c -- COPY, MOVE, EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.7 to §6.4.9; 4315, 6851, 7162, 9738). */
#include "imap/messages.h"

typedef struct CopyArgs {
        Messages messages;
        const Mailbox *target;
} CopyArgs;

/* Targets --------------------------------------------------------------------------------------------------------- */

/* RFC 9051 §6.4.7: a mailbox that is not there is not made, the client is told to try. */
static gboolean
find_target(ImapSession *s, Span name, const Mailbox **ret)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_mailbox(imap_store(s), s->arena, &s->who, name, RIGHT_INSERT, ret, &error);

        if (answer == MAILBOX_DONE && (*ret)->id != 0)
                return TRUE;
        if (answer == MAILBOX_MISSING || answer == MAILBOX_DONE)
                imap_no(s, "TRYCREATE", "no such mailbox");
        else
                imap_no_mailbox(s, answer, error, "copy");
        return FALSE;
}

/* FALSE has answered. */
static gboolean
parse(ImapSession *s, ImapArgs *a, CopyArgs *c)
{
        gboolean is_bad = FALSE;
        ImapSet set;
        Span name;

        if (!args_space(a) || !args_set(a, &set) || !args_space(a) || (!args_mailbox(a, &name, &is_bad) && !is_bad) ||
            (!is_bad && !args_end(a))) {
                imap_bad_syntax(s);
                return FALSE;
        }
        if (is_bad) {
                imap_no(s, "CANNOT", "not a name that can be used");
                return FALSE;
        }
        return messages_choose(s, &set, &c->messages) && find_target(s, name, &c->target);
}

/* RFC 9738 §3.2: nothing is copied when there are too many. */
static gboolean
is_within_limit(ImapSession *s, Messages *m)
{
        char code[LIMIT_CODE_OCTETS];

        if (!messages_are_over_limit(s, m->count))
                return TRUE;
        if (messages_limit(s, m))
                imap_no(s, messages_limit_code(s, m, code), "too many messages at once");
        else
                imap_no(s, "LIMIT", "too many messages at once");
        return FALSE;
}

/* COPY ------------------------------------------------------------------------------------------------------------ */

/* RFC 4315 §3: "COPYUID 38505 304,319:320 3956:3958" */
static char *
copyuid(const Copied *copied)
{
        GString *code = g_string_new(NULL);

        g_string_append_printf(code, "COPYUID %u ", copied->uid_validity);
        messages_append_ranges(code, copied->sources);
        g_string_append_c(code, ' ');
        messages_append_ranges(code, copied->targets);
        return g_string_free(code, FALSE);
}

/* RFC 9585: said at once, the command goes on. Nobody who does not read holds it up. */
static void
tell_progress(guint64 done, guint64 total, gpointer data)
{
        ImapSession *s = data;

        if (imap_is_full(s))
                return;
        imap_progress(s, done, total);
        (void) stream_flush(s->session.stream);
}

/* What is done of a MOVE is told, whatever its end (RFC 6851 §4.3). */
static void
put_moved(ImapSession *s, const Copied *copied)
{
        if (copied->n == 0 || !imap_has(s, "UIDPLUS"))
                return;
        g_autofree char *code = copyuid(copied);
        imap_put(s, "* OK [");
        imap_put(s, code);
        imap_put(s, "] moved\r\n");
}

static void
notify_copied(ImapSession *s, gint64 mailbox, const Copied *copied)
{
        for (guint i = 0; i < copied->targets->len; i++) {
                const UidRange *range = &g_array_index(copied->targets, UidRange, i);
                imap_notify_own(s, mailbox, range->first, range->last);
        }
}

/* FALSE has answered. Nothing to copy: n is 0. */
static gboolean
copy(ImapSession *s, const CopyArgs *c, gboolean is_move, Copied *ret)
{
        g_autoptr(GError) error = NULL;
        const ChangeProgress progress = {tell_progress, s};
        CopyRequest request = {.from = s->selected->mailbox,
                               .to = c->target->id,
                               .reader = s->who.account,
                               .is_move = is_move,
                               .progress = &progress};

        *ret = (Copied){0};
        if (c->messages.n == 0)
                return TRUE;
        request.mask = flags_permitted(c->target->rights, &request.may_keywords);
        const UidSet uids = imap_uids(s, c->messages.ranges, c->messages.n);
        if (uids.n == 0) {
                imap_no(s, "LIMIT", "too complex");
                return FALSE;
        }
        imap_begin_progress(s);
        ChangeAnswer answer = store_copy(imap_store(s), &request, &uids, ret, &error);
        notify_copied(s, c->target->id, ret);
        if (answer == CHANGED_DONE)
                return TRUE;
        if (is_move)
                put_moved(s, ret);
        imap_no_change(s, answer, error, is_move ? "move" : "copy");
        return FALSE;
}

void
imap_copy(ImapSession *s, ImapArgs *a)
{
        g_autofree char *code = NULL;
        g_auto(Copied) copied = {0};
        CopyArgs c = {0};

        if (!parse(s, a, &c) || !is_within_limit(s, &c.messages) || !copy(s, &c, FALSE, &copied))
                return;
        if (copied.n > 0)
                code = copyuid(&copied);
        imap_ok(s, code != NULL ? imap_code(s, "UIDPLUS", code) : "", "COPY completed");
}

/* MOVE ------------------------------------------------------------------------------------------------------------ */

/* RFC 6851 §4.1, RFC 4314 §4: what COPY, STORE \Deleted and EXPUNGE need together. FALSE has answered. */
static gboolean
may_remove(ImapSession *s, guint rights)
{
        if (s->selected->is_read_only) {
                imap_no(s, "", "the mailbox was opened for reading only");
                return FALSE;
        }
        if ((s->selected->rights & rights) != rights) {
                imap_no(s, "NOPERM", "no right to remove messages");
                return FALSE;
        }
        return TRUE;
}

/* One code stands in the tagged answer; a limit that was reached is told before it then (RFC 9738 §3.1). */
static void
answer_removed(ImapSession *s, guint64 modseq, const Messages *m, const char *text)
{
        char limit[LIMIT_CODE_OCTETS], code[48] = "";

        (void) messages_limit_code(s, m, limit);
        if (modseq != 0 && (s->enabled & IMAP_ENABLED_QRESYNC) != 0)
                g_snprintf(code, sizeof(code), "HIGHESTMODSEQ %" G_GUINT64_FORMAT, modseq);
        if (code[0] != '\0' && limit[0] != '\0')
                imap_printf(s, "* NO [%s] only some of the messages\r\n", limit);
        imap_ok(s, code[0] != '\0' ? code : limit, text);
}

void
imap_move(ImapSession *s, ImapArgs *a)
{
        g_auto(Copied) copied = {0};
        CopyArgs c = {0};

        if (!parse(s, a, &c) || !may_remove(s, RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE))
                return;
        if (!messages_limit(s, &c.messages)) {
                imap_no(s, "LIMIT", "too complex");
                return;
        }
        if (!copy(s, &c, TRUE, &copied))
                return;
        put_moved(s, &copied);
        answer_removed(s, copied.modseq, &c.messages, "MOVE completed");
}

/* EXPUNGE --------------------------------------------------------------------------------------------------------- */

/* RFC 9738 §3.1: of a UID EXPUNGE those with \Deleted count. FALSE: the arena is over. */
static gboolean
limit_deleted(ImapSession *s, Messages *m)
{
        const View *view = s->selected->view;
        g_autoptr(GArray) deleted = g_array_new(FALSE, FALSE, sizeof(IndexRange));
        Messages kept = {0};

        if (!messages_are_over_limit(s, m->count))
                return TRUE;
        for (gsize i = 0; i < m->n; i++)
                for (guint32 j = m->ranges[i].first; j <= m->ranges[i].last; j++) {
                        if ((view_flags(view, j) & FLAG_DELETED) == 0)
                                continue;
                        kept.count++;
                        IndexRange *last =
                                deleted->len > 0 ? &g_array_index(deleted, IndexRange, deleted->len - 1) : NULL;
                        if (last != NULL && last->last + 1 == j)
                                last->last = j;
                        else
                                g_array_append_val(deleted, ((IndexRange){j, j}));
                }
        kept.n = deleted->len;
        IndexRange *ranges = arena_new_array(s->arena, IndexRange, kept.n);
        if (ranges == NULL && kept.n > 0)
                return FALSE;
        if (kept.n > 0)
                memcpy(ranges, deleted->data, kept.n * sizeof(*ranges));
        kept.ranges = ranges;
        *m = kept;
        return messages_limit(s, m);
}

static void
expunge(ImapSession *s, const UidSet *uids, const Messages *m)
{
        g_autoptr(GError) error = NULL;
        const ChangeProgress progress = {tell_progress, s};
        guint64 modseq = 0;

        imap_begin_progress(s);
        ChangeAnswer answer =
                store_expunge_telling(imap_store(s), s->selected->mailbox, uids, &progress, &modseq, &error);

        if (answer == CHANGED_DONE)
                answer_removed(s, modseq, m, "EXPUNGE completed");
        else
                imap_no_change(s, answer, error, "expunge");
}

/* RFC 4315 §2.1 */
static void
uid_expunge(ImapSession *s, ImapArgs *a)
{
        Messages m;
        ImapSet set;

        if (!args_space(a) || !args_set(a, &set) || !args_end(a)) {
                imap_bad_syntax(s);
                return;
        }
        if (!may_remove(s, RIGHT_EXPUNGE) || !messages_choose(s, &set, &m))
                return;
        if (!limit_deleted(s, &m)) {
                imap_no(s, "LIMIT", "too complex");
                return;
        }
        const UidSet uids = imap_uids(s, m.ranges, m.n);
        if (uids.n < m.n)
                imap_no(s, "LIMIT", "too complex");
        else
                expunge(s, &uids, &m);
}

void
imap_expunge(ImapSession *s, ImapArgs *a)
{
        const Messages all = {0};

        if (s->is_uid)
                uid_expunge(s, a);
        else if (!args_end(a))
                imap_bad(s, "EXPUNGE has no arguments");
        else if (may_remove(s, RIGHT_EXPUNGE))
                expunge(s, NULL, &all);
}

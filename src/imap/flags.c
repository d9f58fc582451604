/* flags.c -- STORE and UID STORE (RFC 9051 §6.4.6; 7162 §3.1.3; 4314 §4).
 *
 *      arguments -> what the reader may change -> durable changes, some thousand messages at a time -> the newest view
 *      -> the answer
 *
 * The answer compares views: what others have changed meanwhile is told in it too.
 */
#include "imap/messages.h"

#define SLICE_MESSAGES 8192
#define KEYWORDS_SET ((guint64) ~(((guint64) 1 << FLAG_KEYWORD_FIRST) - 1))

typedef struct StoreRequest {
        ImapSet set;
        FlagChange change;
        gboolean is_silent;
        Messages messages;
} StoreRequest;

typedef struct StoreTask {
        ImapTask task;
        StoreRequest request; /* what it points to is in the command's arena */
        View *before;         /* what the numbers of the answer mean         */

        gsize slice;      /* how far the change is: this range, */
        guint32 in_slice; /* and so many of its messages,       */
        guint32 n_done;   /* so many in all                     */
        GArray *modified; /* UidRange: left alone               */

        gboolean is_changed; /* from here on, the answer            */
        News news;
        guint8 *told;   /* one bit an index: it is looked at                   */
        guint8 *stored; /* the same: it was named, and not left alone          */
        guint32 next;
        guint64 flags, mask; /* all bits, those of keywords too     */
        const char *code;
} StoreTask;

/* Arguments ------------------------------------------------------------------------------------------------------- */

static gboolean
parse_action(ImapArgs *a, StoreRequest *r)
{
        static const struct {
                const char *word;
                FlagAction action;
                gboolean is_silent;
        } words[] = {
                {"FLAGS", FLAGS_REPLACE, FALSE}, {"FLAGS.SILENT", FLAGS_REPLACE, TRUE},
                {"+FLAGS", FLAGS_ADD, FALSE},    {"+FLAGS.SILENT", FLAGS_ADD, TRUE},
                {"-FLAGS", FLAGS_REMOVE, FALSE}, {"-FLAGS.SILENT", FLAGS_REMOVE, TRUE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
                if (args_word(a, words[i].word)) {
                        r->change.action = words[i].action;
                        r->is_silent = words[i].is_silent;
                        return TRUE;
                }
        return FALSE;
}

static gboolean
parse_modifier(ImapArgs *a, StoreRequest *r)
{
        if (!args_open(a))
                return TRUE;
        r->change.has_unchanged_since = TRUE;
        return args_has(a, "CONDSTORE") && args_word(a, "UNCHANGEDSINCE") && args_space(a) &&
               args_number(a, G_MAXINT64, &r->change.unchanged_since) && args_close(a) && args_space(a);
}

static gboolean
parse(ImapArgs *a, StoreRequest *r)
{
        return args_space(a) && args_set(a, &r->set) && args_space(a) && parse_modifier(a, r) && parse_action(a, r) &&
               args_space(a) && args_flag_list(a, &r->change.flags, &r->change.keywords, &r->change.n_keywords) &&
               args_end(a);
}

/* What may be changed --------------------------------------------------------------------------------------------- */

/* RFC 4314 §4: those flags that the reader may change are changed; NO only when there is none. */
static gboolean
may_change(const FlagChange *c)
{
        if (c->action == FLAGS_REPLACE)
                return c->mask != 0 || c->may_keywords;
        if (c->flags == 0 && c->n_keywords == 0)
                return TRUE;
        return (c->flags & c->mask) != 0 || (c->n_keywords > 0 && c->may_keywords);
}

/* FALSE has answered. */
static gboolean
check(ImapSession *s, StoreRequest *r)
{
        FlagChange *c = &r->change;

        c->reader = s->who.account;
        c->mask = flags_permitted(s->selected->rights, &c->may_keywords);
        if (s->selected->is_read_only) {
                imap_no(s, "", "the mailbox was opened for reading only");
                return FALSE;
        }
        if (!may_change(c)) {
                imap_no(s, "NOPERM", "no right to change these flags");
                return FALSE;
        }
        if (!flags_are_short(c->keywords, c->n_keywords)) {
                imap_no(s, "LIMIT", "keyword too long");
                return FALSE;
        }
        return TRUE;
}

/* The answer ------------------------------------------------------------------------------------------------------ */

/* What the client thinks it has made of these flags. */
static guint64
expected(const StoreTask *t, guint64 flags)
{
        switch (t->request.change.action) {
        case FLAGS_ADD:
                return flags | (t->flags & t->mask);
        case FLAGS_REMOVE:
                return flags & ~(t->flags & t->mask);
        case FLAGS_REPLACE:
                break;
        }
        return (flags & ~t->mask) | (t->flags & t->mask);
}

/* .SILENT: flags that are as the client expects of its own change are not told, their MODSEQ is (RFC 7162 §3.1.3). Of
 * what others have removed nothing is told. */
static void
put_answer(ImapSession *s, StoreTask *t, guint32 index)
{
        if (imap_has_gone(s, index))
                return;
        gboolean has_flags = !t->request.is_silent || !bit_of(t->stored, index) ||
                             view_flags(t->news.now, index) != expected(t, view_flags(t->before, index));
        if (has_flags || (s->enabled & IMAP_ENABLED_CONDSTORE) != 0)
                news_put(s, t->news.now, index, index, has_flags);
}

static ImapTaskStep
put_answers(ImapSession *s, StoreTask *t)
{
        guint32 n = t->told != NULL ? view_count(t->before) : 0;

        while (t->next < n) {
                if (t->next % 8 == 0 && t->told[t->next / 8] == 0) {
                        t->next += 8;
                        continue;
                }
                if (imap_is_full(s))
                        return IMAP_TASK_AGAIN;
                if (bit_of(t->told, t->next))
                        put_answer(s, t, t->next);
                t->next++;
        }
        imap_ok(s, t->code, "STORE completed");
        return IMAP_TASK_DONE;
}

static guint64
bits_of(const View *view, const Span *keywords, gsize n)
{
        guint64 bits = 0;

        for (gsize i = 0; i < n; i++) {
                int bit = view_keyword_bit(view, keywords[i]);
                if (bit >= 0)
                        bits |= (guint64) 1 << bit;
        }
        return bits;
}

/* Those that were named, but for the ones that UNCHANGEDSINCE left alone. */
static void
mark_stored(StoreTask *t)
{
        const Messages *m = &t->request.messages;
        const UidRange *left = (const UidRange *) (gconstpointer) t->modified->data;
        gsize n_left = t->modified->len, at = 0;

        t->stored = g_malloc0(view_count(t->before) / 8 + 1);
        for (gsize i = 0; i < m->n; i++)
                for (guint32 j = m->ranges[i].first; j <= m->ranges[i].last; j++) {
                        guint32 uid = n_left > 0 ? view_entry(t->before, j)->uid : 0;
                        while (at < n_left && left[at].last < uid)
                                at++;
                        if (at == n_left || left[at].first > uid)
                                set_bit(t->stored, j);
                }
}

/* Every message that was named is answered, also when its flags were already so (RFC 9051 §6.4.6); a silent STORE with
 * UNCHANGEDSINCE tells the MODSEQ of each that was stored (RFC 7162 §3.1.3). */
static void
mark_told(StoreTask *t)
{
        const Messages *m = &t->request.messages;
        gboolean is_silent = t->request.is_silent;
        guint32 octets = view_count(t->before) / 8 + 1;

        t->told = g_steal_pointer(&t->news.changed);
        if ((is_silent && !t->request.change.has_unchanged_since) || m->n == 0)
                return;
        if (t->told == NULL)
                t->told = g_malloc0(octets);
        for (guint32 i = 0; i < octets; i++)
                t->told[i] |= t->stored[i];
        for (gsize i = 0; !is_silent && i < m->n; i++)
                for (guint32 j = m->ranges[i].first; j <= m->ranges[i].last; j++)
                        set_bit(t->told, j);
}

/* MODIFIED -------------------------------------------------------------------------------------------------------- */

/* RFC 7162 §3.1.3: which messages were left alone, from now on in the numbers of the command. */
static void
put_numbers(ImapSession *s, const View *before, GArray *modified)
{
        for (guint i = 0; !s->is_uid && i < modified->len; i++) {
                UidRange *range = &g_array_index(modified, UidRange, i);
                range->first = view_index_of(before, range->first) + 1;
                range->last = range->last == G_MAXUINT32 ? view_count(before) : view_index_of(before, range->last + 1);
        }
}

/* RFC 5530 §3, EXPUNGEISSUED: the client learns that a NOOP would tell it more. */
static gboolean
some_have_gone(const ImapSession *s, const Messages *m)
{
        for (gsize i = 0; s->selected->latest != NULL && i < m->n; i++)
                for (guint32 j = m->ranges[i].first; j <= m->ranges[i].last; j++)
                        if (imap_has_gone(s, j))
                                return TRUE;
        return FALSE;
}

/* In the command's arena. */
static const char *
make_code(ImapSession *s, const StoreTask *t)
{
        const Messages *m = &t->request.messages;
        char limit[LIMIT_CODE_OCTETS];

        (void) messages_limit_code(s, m, limit);
        if (t->modified->len == 0)
                return arena_strdup(s->arena, limit[0] == '\0' && some_have_gone(s, m) ? "EXPUNGEISSUED" : limit);
        if (limit[0] != '\0') /* there is room for one code only (RFC 9738 §3.1) */
                imap_printf(s, "* NO [%s] only some of the messages\r\n", limit);
        put_numbers(s, t->before, t->modified);
        g_autoptr(GString) code = g_string_new("MODIFIED ");
        messages_append_ranges(code, t->modified);
        return arena_strdup(s->arena, code->str);
}

/* The command ----------------------------------------------------------------------------------------------------- */

/* UIDs of the next messages. */
static GArray *
next_slice(StoreTask *t)
{
        const Messages *m = &t->request.messages;
        GArray *uids = g_array_new(FALSE, FALSE, sizeof(UidRange));
        guint32 room = SLICE_MESSAGES;

        while (t->slice < m->n && room > 0) {
                guint32 first = m->ranges[t->slice].first + t->in_slice, left = m->ranges[t->slice].last - first + 1;
                guint32 count = MIN(left, room);
                const UidRange range = {view_entry(t->before, first)->uid,
                                        view_entry(t->before, first + count - 1)->uid};
                g_array_append_val(uids, range);
                room -= count;
                t->n_done += count;
                t->in_slice = count < left ? t->in_slice + count : 0;
                t->slice += count == left;
        }
        return uids;
}

/* FALSE has answered. */
static gboolean
change_slice(ImapSession *s, StoreTask *t)
{
        g_autoptr(GArray) uids = next_slice(t);
        g_autoptr(GArray) modified = NULL;
        g_autoptr(GError) error = NULL;
        const UidSet set = {(const UidRange *) (gconstpointer) uids->data, uids->len};
        guint64 modseq;

        ChangeAnswer answer = store_change_flags(imap_store(s), s->selected->mailbox, &set, &t->request.change,
                                                 &modified, &modseq, &error);
        if (answer != CHANGED_DONE) {
                imap_no_change(s, answer, error, "store");
                return FALSE;
        }
        if (modified != NULL)
                g_array_append_vals(t->modified, modified->data, modified->len);
        return TRUE;
}

/* FALSE has answered. */
static gboolean
begin_answer(ImapSession *s, StoreTask *t)
{
        const FlagChange *c = &t->request.change;
        g_autoptr(GError) error = NULL;

        if (news_take(s, &t->news, &error) != STORE_DONE) {
                imap_no_fault(s, "store", error);
                return FALSE;
        }
        t->flags = c->flags | bits_of(t->news.now, c->keywords, c->n_keywords);
        t->mask = c->mask | (c->may_keywords ? KEYWORDS_SET : 0);
        mark_stored(t);
        mark_told(t);
        const char *code = make_code(s, t);
        t->code = code != NULL ? code : "";
        t->is_changed = TRUE;
        return TRUE;
}

static ImapTaskStep
run(ImapSession *s, ImapTask *task)
{
        StoreTask *t = (StoreTask *) task;

        if (t->is_changed)
                return put_answers(s, t);
        if (!change_slice(s, t))
                return IMAP_TASK_DONE;
        if (t->slice < t->request.messages.n) {
                imap_progress(s, t->n_done, t->request.messages.count);
                return IMAP_TASK_AGAIN;
        }
        return begin_answer(s, t) ? put_answers(s, t) : IMAP_TASK_DONE;
}

static void
free_store(ImapTask *task)
{
        StoreTask *t = (StoreTask *) task;

        view_unref(t->before);
        g_array_unref(t->modified);
        news_done(&t->news);
        g_free(t->told);
        g_free(t->stored);
        g_free(t);
}

static void
start(ImapSession *s, const StoreRequest *r)
{
        StoreTask *t = g_new0(StoreTask, 1);

        t->task = (ImapTask){.run = run, .free = free_store};
        t->request = *r;
        t->before = view_ref(s->selected->view);
        t->modified = g_array_new(FALSE, FALSE, sizeof(UidRange));
        imap_start_task(s, &t->task);
}

void
imap_store_flags(ImapSession *s, ImapArgs *a)
{
        StoreRequest r = {0};

        if (!parse(a, &r)) {
                imap_bad_syntax(s);
                return;
        }
        if (!check(s, &r) || !messages_choose(s, &r.set, &r.messages))
                return;
        if (!messages_limit(s, &r.messages)) {
                imap_no(s, "LIMIT", "too complex");
                return;
        }
        if (r.change.has_unchanged_since)
                messages_use_condstore(s);
        start(s, &r);
}

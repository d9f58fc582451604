/* flags.c -- STORE: flags of many entries, page by page. */
#include "store/core.h"

#define SLICE_PAGES 1024
#define SLICE_TAIL 4096
#define SLICE_OCTETS (8 * 1024 * 1024)
#define KEYWORD_BITS (~(((guint64) 1 << FLAG_KEYWORD_FIRST) - 1))

typedef struct Storing {
        Store *store;
        gint64 mailbox;
        const UidSet *set;
        const FlagChange *change;
        guint32 next;     /* UID the next slice begins with */
        gboolean is_over; /* from here on, what this slice gives: it may be run again */
        guint32 ret_next;
        guint64 wanted, mask;
        GString *new_keywords; /* what the mailbox' keywords are when a message gets a new one; empty: as they are */
        guint64 modseq;        /* 0: nothing changed */
        GArray *modified;
} Storing;

/* A page at work. */
typedef struct Flagging {
        Storing *storing;
        SetWalk walk, unseen_walk;
        guint64 modseq; /* for what changes */
        gboolean is_changed;
        gboolean is_foreign;  /* \Seen is the reader's own */
        GArray *seen;         /* foreign: ranges before */
        GArray *add, *remove; /* foreign: what changes in them */
        UidSet seen_set;
} Flagging;

/* Keywords --------------------------------------------------------------------------------------------------------- */

DB_SQL(KEYWORDS_GET, "SELECT keywords FROM mailbox WHERE id = ?");
DB_SQL(KEYWORDS_SET, "UPDATE mailbox SET keywords = ? WHERE id = ?");

static gboolean
is_keyword(Span name)
{
        for (gsize i = 0; i < name.len; i++)
                if (name.data[i] <= ' ' || name.data[i] == 0x7f)
                        return FALSE;
        return name.len > 0 && name.len <= KEYWORD_OCTETS_MAX;
}

Keywords *
keywords_read(DbTxn *txn, gint64 mailbox, GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &KEYWORDS_GET, error, "i", mailbox);

        return row != NULL && db_rows_next(row, error) == DB_ROW ? keywords_new(db_text(row, 0)) : NULL;
}

static ChangeAnswer
keywords_write(Store *store, DbTxn *txn, gint64 mailbox, const char *text, GError **error)
{
        touch(store, txn, mailbox, MARK_ROW, 0);
        return db_run(txn, &KEYWORDS_SET, error, "si", text, mailbox) ? CHANGED_DONE : CHANGED_FAILED;
}

/* ret_text: all keywords when there are new ones, to be written when they are used; else empty. */
static ChangeAnswer
keywords_plan(DbTxn *txn, gint64 mailbox, const Span *names, gsize n, gboolean may_add, guint64 *ret, GString *ret_text,
              GError **error)
{
        g_string_truncate(ret_text, 0);
        if (n == 0)
                return CHANGED_DONE;
        Keywords *known = keywords_read(txn, mailbox, error);
        if (known == NULL)
                return CHANGED_FAILED;
        g_autoptr(GString) text = g_string_new(known->text);
        ChangeAnswer answer = CHANGED_DONE;
        guint64 bits = 0;
        gsize before = text->len;

        for (gsize i = 0; i < n && answer == CHANGED_DONE; i++) {
                int number = keywords_find(known, names[i]);
                if (number < 0 && !may_add)
                        continue;
                if (number < 0 && (known->n == FLAG_KEYWORDS_MAX || !is_keyword(names[i]))) {
                        answer = CHANGED_TOO_MANY_KEYWORDS;
                        continue;
                }
                if (number < 0) {
                        g_string_append_printf(text, "%s%.*s", text->len > 0 ? " " : "", (int) names[i].len,
                                               (const char *) names[i].data);
                        keywords_unref(known);
                        known = keywords_new(text->str);
                        number = (int) known->n - 1;
                }
                bits |= (guint64) 1 << (FLAG_KEYWORD_FIRST + number);
        }
        keywords_unref(known);
        if (answer == CHANGED_DONE && text->len > before)
                g_string_assign(ret_text, text->str);
        *ret |= bits;
        return answer;
}

ChangeAnswer
keywords_bits(Store *store, DbTxn *txn, gint64 mailbox, const Span *names, gsize n, gboolean may_add, guint64 *ret,
              GError **error)
{
        g_autoptr(GString) text = g_string_new(NULL);
        ChangeAnswer answer = keywords_plan(txn, mailbox, names, n, may_add, ret, text, error);

        return answer == CHANGED_DONE && text->len > 0 ? keywords_write(store, txn, mailbox, text->str, error) : answer;
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static guint64
flags_after(const Storing *s, guint64 flags)
{
        guint64 wanted = s->wanted & s->mask;

        switch (s->change->action) {
        case FLAGS_ADD:
                return flags | wanted;
        case FLAGS_REMOVE:
                return flags & ~wanted;
        case FLAGS_REPLACE:
        default:
                return (flags & ~s->mask) | wanted;
        }
}

/* What changes of \Seen goes to the reader's ranges; the entry keeps its owner's. */
static guint64
flags_after_foreign(Flagging *f, guint64 flags, guint32 uid, gboolean *ret_changed)
{
        guint64 seen = set_walk_has(&f->unseen_walk, uid) ? FLAG_SEEN : 0;
        guint64 after = flags_after(f->storing, (flags & ~(guint64) FLAG_SEEN) | seen);

        *ret_changed = (after & FLAG_SEEN) != seen;
        if (*ret_changed)
                ranges_add(seen == 0 ? f->add : f->remove, uid);
        return (after & ~(guint64) FLAG_SEEN) | (flags & FLAG_SEEN);
}

/* uids: NULL when all of the page are meant. */
static gboolean
flag_states(Flagging *f, State *states, guint n, const guint32 *uids)
{
        const FlagChange *change = f->storing->change;
        gboolean is_changed = FALSE;

        for (guint i = 0; i < n; i++) {
                State *state = &states[i];
                gboolean is_seen_changed = FALSE;
                guint64 after;

                if (state->fate != FATE_HERE ||
                    (uids != NULL && (uids[i] < f->storing->next || !set_walk_has(&f->walk, uids[i]))))
                        continue;
                if (change->has_unchanged_since && state->modseq > change->unchanged_since) {
                        ranges_add(f->storing->modified, uids[i]);
                        continue;
                }
                if (f->is_foreign)
                        after = flags_after_foreign(f, state->flags, uids[i], &is_seen_changed);
                else
                        after = flags_after(f->storing, state->flags);
                if (after == state->flags && !is_seen_changed)
                        continue;
                state->flags = after;
                state->modseq = f->modseq;
                is_changed = TRUE;
        }
        return is_changed;
}

static gboolean
flag_page(Flagging *f, DbTxn *txn, const PageRow *row, GError **error)
{
        gboolean needs_uids = row->first < f->storing->next || f->is_foreign ||
                              f->storing->change->has_unchanged_since ||
                              !set_covers(f->storing->set, row->first, row->behind);
        State states[PAGE_ENTRIES];
        guint32 uids[PAGE_ENTRIES];
        guint64 sizes[PAGE_ENTRIES];
        guint n;

        if (!state_get(row->state, states, &n))
                return page_damaged(row->key, error);
        if (needs_uids && !page_load_uids(txn, row, n, uids, sizes, error))
                return FALSE;
        if (!flag_states(f, states, n, needs_uids ? uids : NULL))
                return TRUE;
        f->is_changed = TRUE;
        return page_save_state(f->storing->store, txn, row->key, states, n, error);
}

/* A slice ---------------------------------------------------------------------------------------------------------- */

static void
flagging_done(Flagging *f)
{
        if (!f->is_foreign)
                return;
        g_array_unref(f->seen);
        g_array_unref(f->add);
        g_array_unref(f->remove);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Flagging, flagging_done)

static gboolean
flagging_begin(Flagging *f, DbTxn *txn, const Slot *slot, GError **error)
{
        const FlagChange *change = f->storing->change;

        f->walk.set = f->storing->set;
        f->modseq = slot->modseq + 1;
        if (change->reader == slot->account || (change->mask & FLAG_SEEN) == 0)
                return TRUE;
        f->is_foreign = TRUE;
        f->seen = g_array_new(FALSE, FALSE, sizeof(UidRange));
        f->add = g_array_new(FALSE, FALSE, sizeof(UidRange));
        f->remove = g_array_new(FALSE, FALSE, sizeof(UidRange));
        if (!reader_seen_get(txn, slot->id, change->reader, f->seen, error))
                return FALSE;
        f->seen_set = (UidSet){(const UidRange *) (gconstpointer) f->seen->data, f->seen->len};
        f->unseen_walk.set = &f->seen_set;
        return TRUE;
}

/* A new keyword is one when a message has it: UNCHANGEDSINCE may have left all of them alone (RFC 7162 §3.1.3). */
static gboolean
flagging_finish(Flagging *f, DbTxn *txn, Slot *slot, GError **error)
{
        const Storing *s = f->storing;

        if (!f->is_changed)
                return TRUE;
        if (s->new_keywords->len > 0 &&
            keywords_write(s->store, txn, slot->id, s->new_keywords->str, error) != CHANGED_DONE)
                return FALSE;
        f->storing->modseq = slot->modseq = f->modseq;
        if (!slot_save(f->storing->store, txn, slot, NULL, error))
                return FALSE;
        if (!f->is_foreign || f->add->len + f->remove->len == 0)
                return TRUE;
        g_autoptr(GArray) more = ranges_union(f->seen, f->add);
        g_autoptr(GArray) ranges = ranges_without(more, f->remove);
        return reader_seen_put(f->storing->store, txn, slot->id, f->storing->change->reader, ranges, error);
}

static ChangeAnswer
bits_wanted(Storing *s, DbTxn *txn, GError **error)
{
        const FlagChange *change = s->change;

        s->mask = (change->mask & FLAG_SYSTEM) | (change->may_keywords ? KEYWORD_BITS : 0);
        s->wanted = change->flags & FLAG_SYSTEM;
        if (!change->may_keywords)
                return CHANGED_DONE;
        return keywords_plan(txn, s->mailbox, change->keywords, change->n_keywords, change->action != FLAGS_REMOVE,
                             &s->wanted, s->new_keywords, error);
}

static ChangeAnswer
flag_pages(Storing *s, DbTxn *txn, Slot *slot, gboolean has_tail, GError **error)
{
        g_autoptr(Arena) arena = arena_new(SLICE_OCTETS);
        g_auto(Flagging) f = {.storing = s};
        const PageRow *rows;
        gboolean more;
        gsize n;

        if (!flagging_begin(&f, txn, slot, error) ||
            !pages_list(txn, arena, slot, s->next, set_last(s->set), SLICE_PAGES, &rows, &n, &more, error))
                return CHANGED_FAILED;
        for (gsize i = 0; i < n; i++)
                if (!flag_page(&f, txn, &rows[i], error))
                        return CHANGED_FAILED;
        s->is_over = !more && !has_tail;
        s->ret_next = more ? (guint32) rows[n - 1].behind : (guint32) MIN((guint64) slot->folded + 1, UID_MAX);
        return flagging_finish(&f, txn, slot, error) ? CHANGED_DONE : CHANGED_FAILED;
}

static ChangeAnswer
flag_slice(gpointer data, DbTxn *txn, GError **error)
{
        Storing *s = data;
        gboolean has_tail = FALSE;
        Slot *slot;

        s->modseq = 0;
        g_array_set_size(s->modified, 0);
        ChangeAnswer answer = change_answer(slot_by_id(s->store, txn, s->mailbox, &slot, error));
        if (answer == CHANGED_DONE)
                answer = bits_wanted(s, txn, error);
        if (answer != CHANGED_DONE)
                return answer;
        if (set_last(s->set) > slot->folded && !tail_fold(s->store, txn, slot, SLICE_TAIL, &has_tail, error))
                return CHANGED_FAILED;
        return flag_pages(s, txn, slot, has_tail, error);
}

ChangeAnswer
store_change_flags(Store *store, gint64 mailbox, const UidSet *set, const FlagChange *change, GArray **ret_modified,
                   guint64 *ret_modseq, GError **error)
{
        g_autoptr(GArray) modified = g_array_new(FALSE, FALSE, sizeof(UidRange));
        g_autoptr(GArray) in_slice = g_array_new(FALSE, FALSE, sizeof(UidRange));
        g_autoptr(GString) new_keywords = g_string_new(NULL);
        Storing s = {
                .store = store,
                .mailbox = mailbox,
                .set = set,
                .change = change,
                .next = set_first(set),
                .new_keywords = new_keywords,
                .modified = in_slice,
        };
        guint64 modseq = 0;

        while (!s.is_over) {
                /* a full disk too: no client deletes anything without \Deleted */
                ChangeAnswer answer = change_run(store, db_is_full(store->db), flag_slice, &s, error);
                if (answer != CHANGED_DONE)
                        return answer;
                modseq = s.modseq != 0 ? s.modseq : modseq;
                s.next = s.ret_next;
                g_array_append_vals(modified, in_slice->data, in_slice->len);
        }
        *ret_modified = modified->len > 0 ? g_steal_pointer(&modified) : NULL;
        *ret_modseq = modseq;
        return CHANGED_DONE;
}

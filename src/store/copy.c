/* copy.c -- COPY, MOVE and undelete: entries of one mailbox under new UIDs in another, or in the same.
 *
 * All in one transaction. Packed entries name the same slots of the same packs, whose references rise; the rows of
 * those not packed yet are copied, at fifty times the price: when many are wanted, the source is packed first. What is
 * moved takes its reference along, and only a mark of it stays behind for QRESYNC.
 */
#include "store/core.h"

#define LOOK_OCTETS (64 * 1024 * 1024)
#define LOOK_PAGES (64 * 1024)
#define MANY 1024 /* UIDs; as many rows are copied within some 15 ms */

typedef enum CopyKind {
        COPY_COPIES = 1,
        COPY_MOVES,
        COPY_UNDELETES,
} CopyKind;

typedef struct Copying {
        Store *store;
        CopyKind kind;
        gint64 from_id, to_id, reader;
        const UidSet *set;
        Usec since; /* undelete: expunged then or later */
        guint64 mask;
        gboolean may_keywords;
        Limits limits; /* of the target's owner */
        gint64 to_account;
        Usec now;

        /* One run, from here on: it may be run again. */
        DbTxn *txn;
        Slot *from, *to;
        PageWriter *writer;
        Refs refs;
        guint64 modseq;      /* of the copies */
        guint64 from_modseq; /* of what went from the source; 0: nothing did */
        Keywords *keywords;  /* of the source, while they are not the target's too */
        guint64 mapped;      /* source's bits that are known already */
        guint64 map[64];
        GArray *seen; /* ranges of the source that the reader has seen, when he is not its owner */
        SetWalk seen_walk;
        UidSet seen_set;
        GArray *seen_new; /* UIDs of the target */
        GArray *sources;
        guint32 n, first_uid, uid_validity;
        guint64 octets;
        Counts source_counts;
} Copying;

/* Flags ------------------------------------------------------------------------------------------------------------ */

/* The bit in the target of a keyword of the source; 0: it has no room for one more. */
static gboolean
map_keyword(Copying *c, guint bit, GError **error)
{
        const char *name =
                c->keywords->n > bit - FLAG_KEYWORD_FIRST ? c->keywords->names[bit - FLAG_KEYWORD_FIRST] : NULL;
        Span span = span_of(name);

        c->map[bit] = 0;
        c->mapped |= (guint64) 1 << bit;
        if (name == NULL)
                return TRUE;
        switch (keywords_bits(c->store, c->txn, c->to_id, &span, 1, TRUE, &c->map[bit], error)) {
        case CHANGED_DONE:
        case CHANGED_TOO_MANY_KEYWORDS:
                return TRUE;
        case CHANGED_FAILED:
        default:
                return FALSE;
        }
}

static gboolean
map_flags(Copying *c, guint64 flags, guint64 *ret, GError **error)
{
        guint64 mapped = flags & FLAG_SYSTEM & c->mask;

        if (c->keywords == NULL) {
                *ret = mapped | (c->may_keywords ? flags & ~FLAG_SYSTEM : 0);
                return TRUE;
        }
        for (guint bit = FLAG_KEYWORD_FIRST; c->may_keywords && bit < 64; bit++) {
                if ((flags >> bit & 1) == 0)
                        continue;
                if ((c->mapped >> bit & 1) == 0 && !map_keyword(c, bit, error))
                        return FALSE;
                mapped |= c->map[bit];
        }
        *ret = mapped;
        return TRUE;
}

/* Flags of the copy; \Seen is the reader's, whoever he is here and there. */
static gboolean
flags_of_copy(Copying *c, const ViewEntry *entry, const State *state, guint64 *ret, GError **error)
{
        guint64 flags = state->flags;

        if (c->kind == COPY_UNDELETES) {
                *ret = flags & ~(guint64) FLAG_DELETED;
                return TRUE;
        }
        if (c->reader != c->from->account) {
                flags &= ~(guint64) FLAG_SEEN;
                if (set_walk_has(&c->seen_walk, entry->uid))
                        flags |= FLAG_SEEN;
        }
        if (!map_flags(c, flags, ret, error))
                return FALSE;
        if (c->reader != c->to->account && (*ret & FLAG_SEEN) != 0) {
                ranges_add(c->seen_new, (guint32) c->to->uid_next);
                *ret &= ~(guint64) FLAG_SEEN;
        }
        return TRUE;
}

/* Entries ---------------------------------------------------------------------------------------------------------- */

DB_SQL(ROW_COPY, "INSERT INTO entry (mailbox, uid, body, size, received, saved, flags, modseq, message, prefix, cuts)"
                 " SELECT ?, ?, body, size, received, ?, 0, ?, message, prefix, cuts FROM entry"
                 " WHERE mailbox = ? AND uid = ?");
DB_SQL(ROW_MOVE, "UPDATE entry SET mailbox = ?, uid = ?, saved = ?, modseq = ? WHERE mailbox = ? AND uid = ?");

/* The row of an entry that is not packed; its copy's stands below `folded` too. */
static gboolean
carry_row(Copying *c, const ViewEntry *entry, GError **error)
{
        const DbSql *sql = c->kind == COPY_COPIES ? &ROW_COPY : &ROW_MOVE;

        if (!slot_ripen(c->txn, c->to, 1, error) ||
            !db_run(c->txn, sql, error, "iiiiii", c->to_id, (gint64) c->to->uid_next, (gint64) c->now,
                    (gint64) c->modseq, c->from_id, (gint64) entry->uid))
                return FALSE;
        if (db_changes(c->txn) != 1)
                return fault(error, FAULT_INTERNAL, "mailbox %" G_GINT64_FORMAT ": the row of entry %u is not there",
                             c->from_id, entry->uid);
        c->to->n_rows++;
        if (c->kind != COPY_COPIES)
                c->from->n_rows -= MIN(c->from->n_rows, 1);
        return TRUE;
}

static ChangeAnswer
carry_entry(Copying *c, const ViewEntry *entry, const State *state, GError **error)
{
        ViewEntry copied = *entry;
        State copied_state = {.modseq = c->modseq};

        if (c->to->uid_next > UID_MAX)
                return CHANGED_UID_SPACE;
        if (!flags_of_copy(c, entry, state, &copied_state.flags, error))
                return CHANGED_FAILED;
        if (entry->pack == 0 && !carry_row(c, entry, error))
                return CHANGED_FAILED;
        if (c->kind == COPY_COPIES)
                refs_add_entry(&c->refs, entry);
        copied.uid = (guint32) c->to->uid_next++;
        copied.saved = c->now;
        if (c->n++ == 0)
                c->first_uid = copied.uid;
        c->octets += entry->size;
        ranges_add(c->sources, entry->uid);
        return page_writer_add(c->writer, &copied, &copied_state, error) ? CHANGED_DONE : CHANGED_FAILED;
}

static gboolean
is_wanted(Copying *c, SetWalk *walk, const ViewEntry *entry, const State *state)
{
        if (c->kind == COPY_UNDELETES)
                return state->fate == FATE_EXPUNGED && state->gone_at >= c->since;
        return state->fate == FATE_HERE && set_walk_has(walk, entry->uid);
}

static void
leave_mark(Copying *c, const ViewEntry *entry, State *state)
{
        gboolean was_here = state->fate == FATE_HERE;

        *(was_here ? &c->source_counts.messages : &c->source_counts.gone_messages) -= 1;
        *(was_here ? &c->source_counts.octets : &c->source_counts.gone_octets) -= (gint64) entry->size;
        if (was_here) {
                state->gone_at = c->now;
                state->modseq = c->from_modseq;
        }
        state->fate = FATE_MOVED;
}

/* Is any entry of the page wanted, as far as its state tells? */
static gboolean
may_have_wanted(const Copying *c, const PageRow *row, gboolean *ret, GError **error)
{
        State states[PAGE_ENTRIES];
        guint n;

        if (!state_get(row->state, states, &n))
                return page_damaged(row->key, error);
        *ret = FALSE;
        for (guint i = 0; i < n && !*ret; i++)
                *ret = c->kind == COPY_UNDELETES ? states[i].fate == FATE_EXPUNGED && states[i].gone_at >= c->since
                                                 : states[i].fate == FATE_HERE;
        return TRUE;
}

static ChangeAnswer
carry_page(Copying *c, SetWalk *walk, const PageRow *row, Page *page, GError **error)
{
        gboolean is_left = FALSE, may = FALSE;

        if (!may_have_wanted(c, row, &may, error))
                return CHANGED_FAILED;
        if (!may)
                return CHANGED_DONE;
        if (!page_load(c->txn, row->key, page, error))
                return CHANGED_FAILED;
        for (guint i = 0; i < page->n; i++) {
                if (!is_wanted(c, walk, &page->entries[i], &page->states[i]))
                        continue;
                ChangeAnswer answer = carry_entry(c, &page->entries[i], &page->states[i], error);
                if (answer != CHANGED_DONE)
                        return answer;
                if (c->kind == COPY_COPIES)
                        continue;
                leave_mark(c, &page->entries[i], &page->states[i]);
                is_left = TRUE;
        }
        return !is_left || page_save_state(c->store, c->txn, row->key, page->states, page->n, error) ? CHANGED_DONE
                                                                                                     : CHANGED_FAILED;
}

static ChangeAnswer
carry_pages(Copying *c, GError **error)
{
        g_autoptr(Arena) arena = arena_new(LOOK_OCTETS);
        g_autofree Page *page = g_new(Page, 1);
        SetWalk walk = {.set = c->set};
        const PageRow *rows;
        gboolean more;
        gsize n;

        if (!pages_list(c->txn, arena, c->from, set_first(c->set), set_last(c->set), LOOK_PAGES, &rows, &n, &more,
                        error))
                return CHANGED_FAILED;
        for (gsize i = 0; i < n; i++) {
                ChangeAnswer answer = carry_page(c, &walk, &rows[i], page, error);
                if (answer != CHANGED_DONE)
                        return answer;
        }
        if (more) {
                (void) fault(error, FAULT_BUSY, "more than %u pages are too many to be copied", LOOK_PAGES);
                return CHANGED_FAILED;
        }
        return CHANGED_DONE;
}

/* One run ---------------------------------------------------------------------------------------------------------- */

static void
run_done(Copying *c)
{
        refs_done(&c->refs);
        g_clear_pointer(&c->keywords, keywords_unref);
        g_clear_pointer(&c->writer, g_free);
        g_clear_pointer(&c->seen, g_array_unref);
        g_clear_pointer(&c->seen_new, g_array_unref);
}

static ChangeAnswer
run_begin(Copying *c, DbTxn *txn, GError **error)
{
        gboolean more;

        c->txn = txn;
        c->refs = (Refs){0};
        c->mapped = 0;
        c->n = 0;
        c->octets = 0;
        c->from_modseq = 0;
        c->source_counts = (Counts){0};
        g_array_set_size(c->sources, 0);
        c->seen = g_array_new(FALSE, FALSE, sizeof(UidRange));
        c->seen_new = g_array_new(FALSE, FALSE, sizeof(UidRange));
        ChangeAnswer answer = change_answer(slot_by_id(c->store, txn, c->from_id, &c->from, error));
        if (answer == CHANGED_DONE)
                answer = change_answer(slot_by_id(c->store, txn, c->to_id, &c->to, error));
        if (answer != CHANGED_DONE)
                return answer;
        if (!tail_fold(c->store, txn, c->from, G_MAXINT32, &more, error) ||
            !tail_fold(c->store, txn, c->to, G_MAXINT32, &more, error) ||
            (c->reader != c->from->account && !reader_seen_get(txn, c->from_id, c->reader, c->seen, error)))
                return CHANGED_FAILED;
        c->seen_set = (UidSet){(const UidRange *) (gconstpointer) c->seen->data, c->seen->len};
        c->seen_walk = (SetWalk){.set = &c->seen_set};
        if (c->from_id != c->to_id && (c->keywords = keywords_read(txn, c->from_id, error)) == NULL)
                return CHANGED_FAILED;
        c->uid_validity = c->to->uid_validity;
        c->modseq = c->to->modseq + 1;
        c->from_modseq = c->from->modseq + 1;
        c->writer = page_writer_new(c->store, txn, c->to, c->from_id == c->to_id, error);
        return c->writer != NULL ? CHANGED_DONE : CHANGED_FAILED;
}

/* The target's owner gets as much as he has room for, or nothing. */
static ChangeAnswer
check_room(Copying *c, GError **error)
{
        gboolean is_within_account = c->kind == COPY_MOVES && c->from->account == c->to->account;

        if (is_within_account || (c->limits.messages == 0 && c->limits.octets == 0))
                return CHANGED_DONE;
        const Usage *usage = usage_of(c->store, c->txn, c->to->account, error);
        if (usage == NULL)
                return CHANGED_FAILED;
        return limits_allow(&c->limits, usage, c->n, c->octets) ? CHANGED_DONE : CHANGED_OVER_QUOTA;
}

static gboolean
save_source(Copying *c, GError **error)
{
        if (c->kind == COPY_COPIES)
                return TRUE;
        if (c->kind == COPY_MOVES) {
                c->source_counts.gone_at = c->now;
                c->from->modseq = MAX(c->from->modseq, c->from_modseq);
                usage_add(c->store, c->txn, c->from->account, -(gint64) c->n, -(gint64) c->octets);
        }
        return slot_save(c->store, c->txn, c->from, &c->source_counts, error);
}

static ChangeAnswer
run_finish(Copying *c, GError **error)
{
        if (c->n == 0)
                return CHANGED_DONE;
        ChangeAnswer answer = check_room(c, error);
        if (answer != CHANGED_DONE)
                return answer;
        c->to->modseq = c->modseq;
        if (!page_writer_finish(c->writer, error) || !save_source(c, error) ||
            !refs_take_more(&c->refs, c->store, c->txn, error) ||
            !reader_seen_add(c->store, c->txn, c->to_id, c->reader, c->seen_new, error))
                return CHANGED_FAILED;
        usage_add(c->store, c->txn, c->to->account, (gint64) c->n, (gint64) c->octets);
        return CHANGED_DONE;
}

static ChangeAnswer
copy_work(gpointer data, DbTxn *txn, GError **error)
{
        Copying *c = data;
        ChangeAnswer answer = run_begin(c, txn, error);

        if (answer == CHANGED_DONE)
                answer = carry_pages(c, error);
        if (answer == CHANGED_DONE)
                answer = run_finish(c, error);
        run_done(c);
        return answer;
}

/* UIDs that are not there count too. */
static gboolean
wants_many(const UidSet *set)
{
        guint64 n = 0;

        for (gsize i = 0; set != NULL && i < set->n; i++)
                n += (guint64) set->ranges[i].last - set->ranges[i].first + 1;
        return set == NULL || n >= MANY;
}

/* What can't be packed is copied as it is. */
static void
pack_source(const Copying *c)
{
        g_autoptr(GError) why = NULL;

        while (mailbox_pack(c->store, c->from_id, FALSE, &why) == PACK_AGAIN)
                continue;
}

/* Rows that wait to be packed, and long tails, go first, in transactions of their own. */
static ChangeAnswer
copy_run(Copying *c, GError **error)
{
        c->now = clock_real();
        ChangeAnswer answer = owner_limits(c->store, c->to_id, &c->to_account, &c->limits, error);
        if (answer == CHANGED_DONE && wants_many(c->set))
                pack_source(c);
        if (answer == CHANGED_DONE)
                answer = tail_fold_all(c->store, c->from_id, error);
        if (answer == CHANGED_DONE && c->to_id != c->from_id)
                answer = tail_fold_all(c->store, c->to_id, error);
        return answer == CHANGED_DONE ? change_run(c->store, FALSE, copy_work, c, error) : answer;
}

/* The calls -------------------------------------------------------------------------------------------------------- */

ChangeAnswer
store_copy(Store *store, const CopyRequest *request, const UidSet *set, Copied *ret, GError **error)
{
        g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(UidRange));
        Copying c = {
                .store = store,
                .kind = request->is_move ? COPY_MOVES : COPY_COPIES,
                .from_id = request->from,
                .to_id = request->to,
                .reader = request->reader,
                .set = set,
                .mask = request->mask,
                .may_keywords = request->may_keywords,
                .sources = sources,
        };
        ChangeAnswer answer = copy_run(&c, error);

        if (answer != CHANGED_DONE)
                return answer;
        *ret = (Copied){
                .n = c.n,
                .first_uid = c.n > 0 ? c.first_uid : 0,
                .uid_validity = c.uid_validity,
                .modseq = request->is_move && c.n > 0 ? c.from_modseq : 0,
                .sources = g_steal_pointer(&sources),
        };
        return CHANGED_DONE;
}

ChangeAnswer
store_undelete(Store *store, gint64 mailbox, Usec since, guint32 *ret_messages, GError **error)
{
        g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(UidRange));
        Copying c = {
                .store = store,
                .kind = COPY_UNDELETES,
                .from_id = mailbox,
                .to_id = mailbox,
                .since = since,
                .may_keywords = TRUE,
                .sources = sources,
        };
        ChangeAnswer answer = copy_run(&c, error);

        if (answer == CHANGED_DONE)
                *ret_messages = c.n;
        return answer;
}

/* What could be undeleted ------------------------------------------------------------------------------------------ */

DB_SQL(GONE_COUNTS, "SELECT gone_messages, gone_octets FROM mailbox WHERE id = ?");
DB_SQL(STATES_OF_MAILBOX, "SELECT key, data FROM page_state WHERE key >= ? AND key <= ? ORDER BY key");

static gboolean
look_at_state(Undeletable *u, const DbRows *row, GError **error)
{
        State states[PAGE_ENTRIES];
        guint n;

        if (!state_get(db_bytes(row, 1), states, &n))
                return page_damaged(db_int(row, 0), error);
        for (guint i = 0; i < n; i++) {
                if (states[i].fate != FATE_EXPUNGED)
                        continue;
                u->oldest = u->oldest == 0 ? states[i].gone_at : MIN(u->oldest, states[i].gone_at);
                u->newest = MAX(u->newest, states[i].gone_at);
        }
        return TRUE;
}

static gboolean
look_at_states(DbTxn *txn, gint64 mailbox, Undeletable *u, GError **error)
{
        gint64 key = mailbox << 32;
        DbStep step = DB_ROW_FAILED;

        g_autoptr(DbRows) rows = db_query(txn, &STATES_OF_MAILBOX, error, "ii", key, key | (gint64) UID_MAX);
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW)
                if (!look_at_state(u, rows, error))
                        return FALSE;
        return step == DB_ROW_END;
}

gboolean
store_undeletable(Store *store, gint64 mailbox, Undeletable *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        Undeletable found = {0};

        if (txn == NULL)
                return FALSE;
        g_autoptr(DbRows) row = db_query(txn, &GONE_COUNTS, error, "i", mailbox);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        if (step == DB_ROW_FAILED)
                return FALSE;
        if (step == DB_ROW) {
                found.messages = (guint32) db_int(row, 0);
                found.octets = (guint64) db_int(row, 1);
        }
        if (found.messages > 0 && !look_at_states(txn, mailbox, &found, error))
                return FALSE;
        *ret = found;
        return TRUE;
}

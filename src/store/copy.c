/* copy.c -- COPY, MOVE and undelete: entries of one mailbox under new UIDs in another, or in the same.
 *
 * Packed entries name the same slots of the same packs, whose references rise; the rows of those not packed yet are
 * copied, at fifty times the price: when many are wanted, the source is packed first. What is moved takes its reference
 * along, and only a mark of it stays behind for QRESYNC.
 *
 * COPY is all or nothing: in one transaction, or when there are many, in slices that the last one shows
 * (copy_stage.c). MOVE and undelete go in slices that are seen as they come: each message is in one of the two
 * mailboxes at any time (RFC 6851 §3.3).
 */
#include "store/copying.h"

#define LOOK_OCTETS (64 * 1024 * 1024)
#define LOOK_PAGES (64 * 1024)
#define SLICE_PAGES 512
#define MANY 1024 /* UIDs; as many rows are copied within some 15 ms */

/* What things cost, in us of CPU: a page with its state and the references it takes, and a row of its own. */
#define COST_PAGE 26
#define COST_ROW 12

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
        c->cost += entry->pack == 0 ? COST_ROW : 0;
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
is_wanted(const Copying *c, SetWalk *walk, const ViewEntry *entry, const State *state)
{
        if (entry->uid < c->next) /* the page has grown together with the one before */
                return FALSE;
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

static gboolean
has_loose(const Copying *c, SetWalk walk, const Page *page)
{
        for (guint i = 0; i < page->n; i++)
                if (is_wanted(c, &walk, &page->entries[i], &page->states[i]) && page->entries[i].pack == 0)
                        return TRUE;
        return FALSE;
}

/* *ret_stops: it has wanted entries that are not packed, and was left alone. */
static ChangeAnswer
carry_page(Copying *c, SetWalk *walk, const PageRow *row, Page *page, gboolean packed_only, gboolean *ret_stops,
           GError **error)
{
        gboolean is_left = FALSE, may = FALSE;

        if (!may_have_wanted(c, row, &may, error))
                return CHANGED_FAILED;
        c->cost++;
        if (!may)
                return CHANGED_DONE;
        if (!page_load(c->txn, row->key, page, error))
                return CHANGED_FAILED;
        if (packed_only && has_loose(c, *walk, page)) {
                *ret_stops = TRUE;
                return CHANGED_DONE;
        }
        c->cost += COST_PAGE;
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

/* Until the run has cost enough. *ret_n: how many are done. */
static ChangeAnswer
carry_rows(Copying *c, const PageRow *rows, gsize n, gboolean packed_only, gsize *ret_n, GError **error)
{
        g_autofree Page *page = g_new(Page, 1);
        SetWalk walk = {.set = c->set};
        gboolean stops = FALSE;
        gsize i;

        for (i = 0; i < n && (c->cost_max == 0 || c->cost < c->cost_max); i++) {
                ChangeAnswer answer = carry_page(c, &walk, &rows[i], page, packed_only, &stops, error);
                if (answer != CHANGED_DONE)
                        return answer;
                if (stops)
                        break;
        }
        c->is_over = stops;
        *ret_n = i;
        return CHANGED_DONE;
}

ChangeAnswer
copying_pages(Copying *c, gboolean packed_only, GError **error)
{
        g_autoptr(Arena) arena = arena_new(LOOK_OCTETS);
        guint most = c->cost_max != 0 ? SLICE_PAGES : LOOK_PAGES;
        const PageRow *rows;
        gboolean more;
        gsize n, done;

        c->ret_next = c->next;
        c->is_over = c->next > UID_MAX;
        if (c->is_over)
                return CHANGED_DONE;
        if (c->next == 0)
                c->last = MIN(set_last(c->set), c->from->folded);
        if (!pages_list(c->txn, arena, c->from, MAX((guint32) c->next, set_first(c->set)), c->last, most, &rows, &n,
                        &more, error))
                return CHANGED_FAILED;
        ChangeAnswer answer = carry_rows(c, rows, n, packed_only, &done, error);
        if (answer != CHANGED_DONE)
                return answer;
        if (more && c->cost_max == 0) {
                (void) fault(error, FAULT_BUSY, "more than %u pages are too many to be copied", LOOK_PAGES);
                return CHANGED_FAILED;
        }
        c->ret_next = done > 0 ? MAX(rows[done - 1].behind, c->next) : c->next;
        c->is_over = c->is_over || (done == n && !more);
        return CHANGED_DONE;
}

/* One run ---------------------------------------------------------------------------------------------------------- */

void
copying_done(Copying *c)
{
        refs_done(&c->refs);
        g_clear_pointer(&c->keywords, keywords_unref);
        g_clear_pointer(&c->writer, g_free);
        g_clear_pointer(&c->seen, g_array_unref);
        g_clear_pointer(&c->seen_new, g_array_unref);
}

static gboolean
read_seen(Copying *c, GError **error)
{
        c->seen = g_array_new(FALSE, FALSE, sizeof(UidRange));
        if (c->reader != c->from->account && !reader_seen_get(c->txn, c->from_id, c->reader, c->seen, error))
                return FALSE;
        c->seen_set = (UidSet){(const UidRange *) (gconstpointer) c->seen->data, c->seen->len};
        c->seen_walk = (SetWalk){.set = &c->seen_set};
        return TRUE;
}

ChangeAnswer
copying_begin(Copying *c, DbTxn *txn, GError **error)
{
        c->txn = txn;
        c->refs = (Refs){0};
        c->mapped = 0;
        c->n = 0;
        c->octets = 0;
        c->cost = 0;
        c->is_over = FALSE;
        c->source_counts = (Counts){0};
        g_array_set_size(c->sources, 0);
        c->seen_new = g_array_new(FALSE, FALSE, sizeof(UidRange));
        ChangeAnswer answer = change_answer(slot_by_id(c->store, txn, c->from_id, &c->from, error));
        if (answer == CHANGED_DONE)
                answer = change_answer(slot_by_id(c->store, txn, c->to_id, &c->to, error));
        if (answer != CHANGED_DONE)
                return answer;
        if (!read_seen(c, error))
                return CHANGED_FAILED;
        if (c->from_id != c->to_id && (c->keywords = keywords_read(txn, c->from_id, error)) == NULL)
                return CHANGED_FAILED;
        c->uid_validity = c->to->uid_validity;
        c->modseq = c->to->modseq + 1;
        c->from_modseq = c->from->modseq + 1;
        return CHANGED_DONE;
}

static ChangeAnswer
run_begin(Copying *c, DbTxn *txn, GError **error)
{
        gboolean more;
        ChangeAnswer answer = copying_begin(c, txn, error);

        if (answer != CHANGED_DONE)
                return answer;
        if (!tail_fold(c->store, txn, c->from, G_MAXINT32, &more, error) ||
            !tail_fold(c->store, txn, c->to, G_MAXINT32, &more, error))
                return CHANGED_FAILED;
        gboolean is_fresh = c->from_id == c->to_id || c->staged.n > 0;
        if ((c->writer = page_writer_new(c->store, txn, c->to, is_fresh, error)) == NULL)
                return CHANGED_FAILED;
        return c->staged.first != 0 ? stage_publish(c, error) : CHANGED_DONE;
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

ChangeAnswer
copying_work(gpointer data, DbTxn *txn, GError **error)
{
        Copying *c = data;
        ChangeAnswer answer = run_begin(c, txn, error);

        if (answer == CHANGED_DONE)
                answer = copying_pages(c, FALSE, error);
        if (answer == CHANGED_DONE)
                answer = run_finish(c, error);
        copying_done(c);
        return answer;
}

void
copying_tell(const Copying *c, guint64 done)
{
        if (c->progress != NULL)
                c->progress->fn(done, c->wanted, c->progress->data);
}

/* UIDs that are not there count too. */
static guint64
count_wanted(const UidSet *set)
{
        guint64 n = 0;

        for (gsize i = 0; set != NULL && i < set->n; i++)
                n += (guint64) set->ranges[i].last - set->ranges[i].first + 1;
        return set != NULL ? n : G_MAXUINT32;
}

DB_SQL(MESSAGES_OF_PAGES, "SELECT messages FROM mailbox WHERE id = ?");

/* No more than there are. The tail is folded. */
static gboolean
bound_wanted(Copying *c, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(c->store->db, error);
        gint64 messages = 0;

        if (txn == NULL || db_get_int(txn, &MESSAGES_OF_PAGES, &messages, error, "i", c->from_id) == DB_ROW_FAILED)
                return FALSE;
        c->wanted = MIN(c->wanted, (guint64) MAX(messages, 0));
        return TRUE;
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
prepare(Copying *c, GError **error)
{
        c->now = clock_real();
        c->wanted = count_wanted(c->set);
        ChangeAnswer answer = owner_limits(c->store, c->to_id, &c->to_account, &c->limits, error);
        if (answer == CHANGED_DONE && c->wanted >= MANY)
                pack_source(c);
        if (answer == CHANGED_DONE)
                answer = tail_fold_all(c->store, c->from_id, error);
        if (answer == CHANGED_DONE && c->to_id != c->from_id)
                answer = tail_fold_all(c->store, c->to_id, error);
        if (answer == CHANGED_DONE && c->wanted >= c->store->stage_min && !bound_wanted(c, error))
                return CHANGED_FAILED;
        return answer;
}

static void
note_copied(const Copying *c, Copied *ret)
{
        if (c->n == 0)
                return;
        if (ret->n == 0)
                ret->first_uid = c->first_uid;
        ret->n += c->n;
        ret->uid_validity = c->uid_validity;
        ret->modseq = c->kind == COPY_MOVES ? c->from_modseq : 0;
        g_array_append_vals(ret->sources, c->sources->data, c->sources->len);
        g_array_append_val(ret->targets, ((UidRange){c->first_uid, c->first_uid + c->n - 1}));
}

static ChangeAnswer
run_slices(Copying *c, Copied *ret, GError **error)
{
        ChangeAnswer answer;

        c->cost_max = c->store->slice_cost;
        do {
                /* MOVE needs no more room than there was: clients "delete" by it, on a full disk too */
                gboolean is_freeing = c->kind == COPY_MOVES && db_is_full(c->store->db);
                answer = change_run(c->store, is_freeing, copying_work, c, error);
                if (answer != CHANGED_DONE)
                        break;
                note_copied(c, ret);
                copying_tell(c, ret->n);
                c->next = c->ret_next;
        } while (!c->is_over);
        return answer;
}

/* *ret has what is done, also when the rest was not. */
static ChangeAnswer
copy_run(Copying *c, Copied *ret, GError **error)
{
        g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(UidRange));
        ChangeAnswer answer = prepare(c, error);

        c->sources = sources;
        *ret = (Copied){.sources = g_array_new(FALSE, FALSE, sizeof(UidRange)),
                        .targets = g_array_new(FALSE, FALSE, sizeof(UidRange))};
        if (answer != CHANGED_DONE)
                return answer;
        if (c->kind != COPY_COPIES)
                return run_slices(c, ret, error);
        answer = c->wanted >= c->store->stage_min ? copy_staged(c, error)
                                                  : change_run(c->store, FALSE, copying_work, c, error);
        if (answer == CHANGED_DONE)
                note_copied(c, ret);
        return answer;
}

/* The calls -------------------------------------------------------------------------------------------------------- */

void
copied_done(Copied *copied)
{
        g_clear_pointer(&copied->sources, g_array_unref);
        g_clear_pointer(&copied->targets, g_array_unref);
}

ChangeAnswer
store_copy(Store *store, const CopyRequest *request, const UidSet *set, Copied *ret, GError **error)
{
        Copying c = {
                .store = store,
                .kind = request->is_move ? COPY_MOVES : COPY_COPIES,
                .from_id = request->from,
                .to_id = request->to,
                .reader = request->reader,
                .set = set,
                .mask = request->mask,
                .may_keywords = request->may_keywords,
                .progress = request->progress,
        };

        return copy_run(&c, ret, error);
}

ChangeAnswer
store_undelete(Store *store, gint64 mailbox, Usec since, guint32 *ret_messages, GError **error)
{
        g_auto(Copied) copied = {0};
        Copying c = {
                .store = store,
                .kind = COPY_UNDELETES,
                .from_id = mailbox,
                .to_id = mailbox,
                .since = since,
                .may_keywords = TRUE,
        };
        ChangeAnswer answer = copy_run(&c, &copied, error);

        if (answer == CHANGED_DONE)
                *ret_messages = copied.n;
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

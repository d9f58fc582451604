/* copy_stage.c -- COPY of so many messages that one transaction would hold up everybody else.
 *
 *      block of UIDs ahead of the target -> pages into it, a slice a transaction -> one transaction shows it
 *
 * 1. Pages of a mailbox count up to its `folded`, rows of `entry` behind that. A block is of pages behind `folded`, so
 * nobody sees it; `mailbox.copying` has its first UID while it is there.
 * 2. It begins ROOM UIDs ahead. What arrives meanwhile has UIDs below `copying` (slot_is_full()), and is seen before
 * the block and with lower MODSEQs: those of the block are ahead, too.
 * 3. The last transaction sets UIDNEXT, MODSEQ and `folded` behind the block: what it costs does not depend on how much
 * is in it, but for telling readers which pages are new.
 * 4. References of what is in a block count from its slice on. A COPY that fails drops its block; one that ended with
 * the server is dropped by store_tidy(), or by the next COPY of many into that mailbox.
 * 5. One block a mailbox: who comes second waits, without a transaction.
 */
#include "store/copying.h"

#define ROOM (1u << 18)                 /* UIDs that others may take meanwhile */
#define MODSEQ_ROOM ((guint64) 1 << 24) /* changes of others meanwhile */

/* Whose turn it is ------------------------------------------------------------------------------------------------- */

struct Claims {
        Mutex lock;
        Cond released;
        GHashTable *mailboxes; /* ids */
};

Claims *
claims_new(void)
{
        Claims *claims = g_new0(Claims, 1);

        mutex_init(&claims->lock, "store.claims");
        cond_init(&claims->released);
        claims->mailboxes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        return claims;
}

void
claims_free(Claims *claims)
{
        if (claims == NULL)
                return;
        g_hash_table_unref(claims->mailboxes);
        cond_done(&claims->released);
        mutex_done(&claims->lock);
        g_free(claims);
}

gboolean
claims_has(Claims *claims, gint64 mailbox)
{
        MUTEX_SCOPE(&claims->lock);
        return g_hash_table_contains(claims->mailboxes, &mailbox);
}

static void
claim(Claims *claims, gint64 mailbox)
{
        MUTEX_SCOPE(&claims->lock);
        while (g_hash_table_contains(claims->mailboxes, &mailbox))
                cond_wait(&claims->released, &claims->lock);
        g_hash_table_add(claims->mailboxes, g_memdup2(&mailbox, sizeof(mailbox)));
}

static void
release(Claims *claims, gint64 mailbox)
{
        MUTEX_SCOPE(&claims->lock);
        g_hash_table_remove(claims->mailboxes, &mailbox);
        cond_broadcast(&claims->released);
}

/* Dropping --------------------------------------------------------------------------------------------------------- */

typedef struct Dropping {
        Store *store;
        gint64 mailbox;
        gboolean more; /* what one run gives: it may be run again */
} Dropping;

static ChangeAnswer
drop_slice(gpointer data, DbTxn *txn, GError **error)
{
        Dropping *d = data;
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(d->store, txn, d->mailbox, &slot, error));

        d->more = FALSE;
        if (answer != CHANGED_DONE || slot->copying == 0)
                return answer;
        return block_drop(d->store, txn, slot, &d->more, error) ? CHANGED_DONE : CHANGED_FAILED;
}

/* A block that is there, if any. A mailbox that is gone took its own along. */
static ChangeAnswer
drop_block(const Copying *c, GError **error)
{
        Dropping d = {.store = c->store, .mailbox = c->to_id, .more = TRUE};
        ChangeAnswer answer = CHANGED_DONE;

        while (d.more && answer == CHANGED_DONE)
                answer = change_run(c->store, TRUE, drop_slice, &d, error);
        return answer;
}

/* Slices ----------------------------------------------------------------------------------------------------------- */

DB_SQL(COPYING_SET, "UPDATE mailbox SET copying = ? WHERE id = ?");
DB_SQL(COPYING_END, "UPDATE mailbox SET copying = NULL WHERE id = ?");

/* One slice, with what it brings until its commit. */
typedef struct Slice {
        Copying *c;
        Slot block; /* the target, as far as the block is concerned */
        guint32 first;
        guint64 modseq;
        GArray *pages, *seen;
} Slice;

static gboolean
has_uids(const Slice *s, const Slot *to)
{
        return s->c->staged.first != 0 || to->uid_next + ROOM + s->c->wanted < UID_MAX;
}

static gboolean
block_begin(Slice *s, Slot *to, GError **error)
{
        s->first = (guint32) to->uid_next + ROOM;
        s->modseq = to->modseq + MODSEQ_ROOM;
        to->copying = s->first;
        return db_run(s->c->txn, &COPYING_SET, error, "ii", (gint64) s->first, to->id);
}

static gboolean
block_go_on(Slice *s, const Slot *to, GError **error)
{
        const Staged *staged = &s->c->staged;

        s->first = staged->first;
        s->modseq = staged->modseq;
        return to->copying == staged->first ||
               fault(error, FAULT_INTERNAL, "mailbox %" G_GINT64_FORMAT ": what was being copied into it is not there",
                     to->id);
}

/* Entries are added to the block as to any mailbox, but for its row. */
static ChangeAnswer
slice_begin(Slice *s, DbTxn *txn, GError **error)
{
        Copying *c = s->c;
        ChangeAnswer answer = copying_begin(c, txn, error);

        s->first = 0;
        c->ret_next = c->next;
        if (answer != CHANGED_DONE)
                return answer;
        c->is_over = !has_uids(s, c->to); /* all of it in one transaction, then */
        if (c->is_over)
                return CHANGED_DONE;
        if (!(c->staged.first == 0 ? block_begin(s, c->to, error) : block_go_on(s, c->to, error)))
                return CHANGED_FAILED;
        s->block = *c->to;
        s->block.copying = 0;
        s->block.uid_next = (guint64) s->first + c->staged.n;
        c->to = &s->block;
        c->modseq = s->modseq;
        c->writer = page_writer_new(c->store, txn, &s->block, TRUE, error);
        if (c->writer == NULL)
                return CHANGED_FAILED;
        g_array_set_size(s->pages, 0);
        c->writer->hidden = s->pages;
        return CHANGED_DONE;
}

static ChangeAnswer
slice_work(gpointer data, DbTxn *txn, GError **error)
{
        Slice *s = data;
        Copying *c = s->c;
        ChangeAnswer answer = slice_begin(s, txn, error);

        if (answer == CHANGED_DONE && s->first != 0) {
                answer = copying_pages(c, TRUE, error);
                if (answer == CHANGED_DONE &&
                    !(page_writer_flush(c->writer, error) && refs_take_more(&c->refs, c->store, txn, error)))
                        answer = CHANGED_FAILED;
        }
        g_clear_pointer(&s->seen, g_array_unref);
        s->seen = g_steal_pointer(&c->seen_new);
        copying_done(c);
        return answer;
}

/* It is on disk. */
static void
slice_keep(Slice *s)
{
        Copying *c = s->c;
        Staged *staged = &c->staged;

        staged->first = s->first;
        staged->modseq = s->modseq;
        staged->n += c->n;
        staged->octets += c->octets;
        g_array_append_vals(staged->sources, c->sources->data, c->sources->len);
        g_array_append_vals(staged->seen, s->seen->data, s->seen->len);
        g_array_append_vals(staged->pages, s->pages->data, s->pages->len);
        c->next = c->ret_next;
}

static ChangeAnswer
stage_all(Copying *c, GError **error)
{
        g_autoptr(GArray) pages = g_array_new(FALSE, FALSE, sizeof(guint32));
        Slice s = {.c = c, .pages = pages};
        ChangeAnswer answer = drop_block(c, error);

        c->cost_max = c->store->slice_cost;
        while (answer == CHANGED_DONE) {
                answer = change_run(c->store, FALSE, slice_work, &s, error);
                if (answer == CHANGED_DONE)
                        slice_keep(&s);
                if (answer == CHANGED_DONE)
                        copying_tell(c, c->staged.n);
                if (c->is_over)
                        break;
        }
        c->cost_max = 0;
        g_clear_pointer(&s.seen, g_array_unref);
        return answer;
}

/* Showing it ------------------------------------------------------------------------------------------------------- */

static void
take_numbers(const Staged *staged, Slot *to)
{
        to->copying = 0;
        if (staged->n == 0)
                return;
        to->uid_next = (guint64) staged->first + staged->n;
        to->folded = (guint32) to->uid_next - 1;
        to->modseq = staged->modseq;
}

ChangeAnswer
stage_publish(Copying *c, GError **error)
{
        const Staged *staged = &c->staged;
        Slot *to = c->to;

        if (to->copying != staged->first || to->uid_next > staged->first || to->modseq >= staged->modseq) {
                (void) fault(error, FAULT_BUSY, "too much has changed in mailbox %" G_GINT64_FORMAT " meanwhile",
                             to->id);
                return CHANGED_FAILED;
        }
        take_numbers(staged, to);
        c->modseq = to->modseq + (staged->n > 0 ? 0 : 1);
        c->n = staged->n;
        c->first_uid = staged->first;
        c->octets = staged->octets;
        g_array_append_vals(c->sources, staged->sources->data, staged->sources->len);
        g_array_append_vals(c->seen_new, staged->seen->data, staged->seen->len);
        c->writer->counts.messages += staged->n;
        c->writer->counts.octets += (gint64) staged->octets;
        for (guint i = 0; i < staged->pages->len; i++)
                touch(c->store, c->txn, to->id, MARK_PAGE, g_array_index(staged->pages, guint32, i));
        return db_run(c->txn, &COPYING_END, error, "i", to->id) ? CHANGED_DONE : CHANGED_FAILED;
}

/* The whole -------------------------------------------------------------------------------------------------------- */

static ChangeAnswer
stage_and_show(Copying *c, GError **error)
{
        ChangeAnswer answer = stage_all(c, error);

        if (answer == CHANGED_DONE)
                answer = tail_fold_all(c->store, c->to_id, error); /* what has come meanwhile */
        if (answer == CHANGED_DONE)
                answer = change_run(c->store, FALSE, copying_work, c, error);
        if (answer != CHANGED_DONE) {
                g_autoptr(GError) why = NULL; /* store_tidy() tries again */
                (void) drop_block(c, &why);
        }
        return answer;
}

ChangeAnswer
copy_staged(Copying *c, GError **error)
{
        g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(UidRange));
        g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(UidRange));
        g_autoptr(GArray) pages = g_array_new(FALSE, FALSE, sizeof(guint32));

        c->staged = (Staged){.sources = sources, .seen = seen, .pages = pages};
        claim(c->store->claims, c->to_id);
        ChangeAnswer answer = stage_and_show(c, error);
        release(c->store->claims, c->to_id);
        return answer;
}

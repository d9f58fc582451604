/* repacking.c -- pages and packs of which little is left are put together, so that a mailbox that is used as a queue
 * does not grow.
 *
 *      pages with room for each other -> one page; what it names in packs with few slots -> one new pack
 *
 * Purging (tidy.c) drops pages and packs that nothing is left of; what remains of the others stays where it is: a page
 * and a pack for each message that is kept among a hundred that are not. When something was purged, all pages are gone
 * through once, in the order of their keys, a few at a time.
 *
 * 1. Pages that follow each other and have 128 entries together become one, under the key of the first.
 * 2. A pack is poor when at most half a page of its slots is named. Entries of one page that are alone in naming their
 * slots of several poor packs get a pack of their own, if it is at least twice as large as what the largest gives to
 * it; so a message is packed again at most seven times, however slowly a page fills. So do those of a pack of which at
 * most half is left, when they are at least half of that.
 * 3. The slot's reference goes over, the body counts as many as before. Old packs go with their last slot.
 * 4. It is read from a snapshot and made without any transaction; the one that writes looks whether the pages and the
 * slots are as they were, and leaves everything as it is when they are not.
 * 5. Nothing that a client sees changes. A view of an earlier time finds the message by its UID (cursor.c). No row of a
 * mailbox shows that its pages were put together: `n_repacked` tells verify.
 */
#include "store/change.h"
#include "store/internal.h"

#define PAGES_MAX 32 /* that become one at once */
#define POOR (PAGE_ENTRIES / 2)
#define ITEMS_OCTETS (40 * 1024 * 1024)

/* A pack that entries of the page name. */
typedef struct Named {
        gint64 id;
        guint n, live; /* slots; those that are named; n 0: its row can't be read */
        guint mine;    /* named by this page alone                                */
        gboolean is_poor, gives;
        gint64 bodies[PAGE_ENTRIES];
        guint32 refs[PAGE_ENTRIES];
} Named;

typedef struct Repack {
        Store *store;
        gint64 mailbox;
        gint64 keys[PAGES_MAX];
        guint n_pages;
        guint n;
        ViewEntry entries[PAGE_ENTRIES]; /* of the pages, one after the other */
        State states[PAGE_ENTRIES];
        Named *named[PAGE_ENTRIES]; /* by entry; NULL: not packed, or moved on */
        GPtrArray *packs;           /* of Named */

        guint n_moved;              /* slots of the new pack; 0: there is none */
        guint8 moved[PAGE_ENTRIES]; /* the entry of each                       */
        gboolean needs_summary[PAGE_ENTRIES];
        PackItems items;
        Arena *arena; /* theirs */
        GByteArray *parts[PACK_N_PARTS];
        gboolean is_done; /* of one run */
} Repack;

static Repack *
repack_new(Store *store)
{
        Repack *r = g_new0(Repack, 1);

        r->store = store;
        r->packs = g_ptr_array_new_with_free_func(g_free);
        r->arena = arena_new(ITEMS_OCTETS);
        for (guint i = 0; i < PACK_N_PARTS; i++)
                r->parts[i] = g_byte_array_new();
        return r;
}

static void
repack_free(Repack *r)
{
        for (guint i = 0; i < PACK_N_PARTS; i++)
                g_byte_array_unref(r->parts[i]);
        arena_free(r->arena);
        g_ptr_array_unref(r->packs);
        g_free(r);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Repack, repack_free)

/* Pages -------------------------------------------------------------------------------------------------------------
 */

DB_SQL(PAGES_BEHIND, "SELECT p.key, p.data, s.data FROM page p JOIN page_state s ON s.key = p.key"
                     " WHERE p.key > ? AND p.key <= ? ORDER BY p.key LIMIT ?");

/* FALSE: it has no room, or belongs to another mailbox, or can't be read (verify complains of it). */
static gboolean
take_page(Repack *r, gint64 key, Span data, Span states)
{
        ViewEntry entries[PAGE_ENTRIES];
        State state[PAGE_ENTRIES];
        guint n, n_states;

        if ((r->n_pages > 0 && key >> 32 != r->mailbox) ||
            !page_get(data, (guint32) (key & G_MAXUINT32), entries, PAGE_ENTRIES, &n) || !state_get(states, state, &n_states) ||
            n_states != n || n > PAGE_ENTRIES - r->n)
                return FALSE;
        memcpy(&r->entries[r->n], entries, n * sizeof(ViewEntry));
        memcpy(&r->states[r->n], state, n * sizeof(State));
        r->mailbox = key >> 32;
        r->keys[r->n_pages++] = key;
        r->n += n;
        return TRUE;
}

/* *at: behind it; moves to the last page that was taken, or can't be; to `end` when there is none. */
static gboolean
take_pages(Repack *r, DbTxn *txn, gint64 *at, gint64 end, GError **error)
{
        DbStep step = DB_ROW_FAILED;

        g_autoptr(DbRows) rows = db_query(txn, &PAGES_BEHIND, error, "iii", *at, end, (gint64) PAGES_MAX);
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                gint64 key = db_int(rows, 0);
                if (!take_page(r, key, db_bytes(rows, 1), db_bytes(rows, 2))) {
                        if (r->n_pages == 0)
                                *at = key;
                        return TRUE;
                }
                *at = key;
        }
        if (step == DB_ROW_END && r->n_pages == 0)
                *at = end;
        return step != DB_ROW_FAILED;
}

/* Packs -------------------------------------------------------------------------------------------------------------
 */

DB_SQL(PACK_GET, "SELECT bodies, refs FROM pack WHERE id = ?");

/* One whose row can't be read has no slots: it is left alone. */
static gboolean
named_read(Repack *r, DbTxn *txn, gint64 id, Named **ret, GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &PACK_GET, error, "i", id);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        Named *pack = g_new0(Named, 1);
        guint n_refs;

        g_ptr_array_add(r->packs, pack);
        pack->id = id;
        *ret = pack;
        if (step != DB_ROW)
                return step == DB_ROW_END;
        if (!bodies_get(db_bytes(row, 0), pack->bodies, &pack->n) ||
            !slot_refs_get(db_bytes(row, 1), pack->refs, &n_refs) || n_refs != pack->n)
                pack->n = 0;
        for (guint i = 0; i < pack->n; i++)
                pack->live += pack->refs[i] > 0;
        return TRUE;
}

static gboolean
named_find(Repack *r, DbTxn *txn, gint64 id, Named **ret, GError **error)
{
        for (guint i = r->packs->len; i-- > 0;) {
                *ret = r->packs->pdata[i];
                if ((*ret)->id == id)
                        return TRUE;
        }
        return named_read(r, txn, id, ret, error);
}

static gboolean
is_mine(const Named *pack, const ViewEntry *entry)
{
        return pack != NULL && entry->slot < pack->n && pack->refs[entry->slot] == 1 &&
               pack->bodies[entry->slot] == entry->body;
}

static gboolean
look_at_packs(Repack *r, DbTxn *txn, GError **error)
{
        for (guint i = 0; i < r->n; i++) {
                if (r->entries[i].pack == 0 || r->states[i].fate == FATE_MOVED)
                        continue;
                if (!named_find(r, txn, r->entries[i].pack, &r->named[i], error))
                        return FALSE;
                r->named[i]->mine += is_mine(r->named[i], &r->entries[i]);
        }
        return TRUE;
}

static gint
compare_mine(gconstpointer a, gconstpointer b)
{
        const Named *x = *(Named *const *) a, *y = *(Named *const *) b;

        return (x->mine > y->mine) - (x->mine < y->mine);
}

/* Rule 2: the most of the smallest ones that make at least twice of their largest. */
static void
choose_packs(Repack *r)
{
        guint sum = 0, chosen = 0;

        g_ptr_array_sort(r->packs, compare_mine);
        for (guint i = 0; i < r->packs->len; i++) {
                Named *pack = r->packs->pdata[i];
                pack->is_poor = pack->live <= POOR && pack->mine > 0;
                if (!pack->is_poor)
                        continue;
                sum += pack->mine;
                if (sum >= 2 * pack->mine)
                        chosen = i + 1;
        }
        for (guint i = 0; i < r->packs->len; i++) {
                Named *pack = r->packs->pdata[i];
                gboolean is_waste = 2 * pack->live <= pack->n && 2 * pack->mine >= pack->live;
                pack->gives = pack->is_poor && (i < chosen || is_waste);
        }
}

/* Items -------------------------------------------------------------------------------------------------------------
 */

static gboolean
copy_item(Repack *r, Span item, Span *ret)
{
        *ret = item.len > 0 ? arena_copy(r->arena, item) : item;
        if (item.data != NULL && item.len == 0)
                *ret = span_of("");
        return !arena_is_over(r->arena);
}

/* Of one pack, its entries on this page. A copy that can't be read stays where it is. */
static gboolean
take_items(Repack *r, Named *pack, PackedPart *const parts[PACK_N_PARTS], gboolean is_damaged)
{
        for (guint i = 0; i < r->n; i++) {
                guint slot = r->entries[i].slot, to = r->n_moved;
                if (r->named[i] != pack || !is_mine(pack, &r->entries[i]) || slot >= parts[PACK_COPY]->n ||
                    parts[PACK_COPY]->items[slot].data == NULL)
                        continue;
                for (guint k = 0; k < PACK_N_PARTS; k++) {
                        Span item = parts[k] != NULL && slot < parts[k]->n ? parts[k]->items[slot] : SPAN_EMPTY;
                        if (!copy_item(r, item, &r->items.of[k][to]))
                                return FALSE;
                }
                r->needs_summary[to] = is_damaged;
                r->moved[r->n_moved++] = (guint8) i;
        }
        return TRUE;
}

static gboolean
read_parts(DbTxn *txn, Unpacker *unpacker, gint64 pack, PackedPart *ret[PACK_N_PARTS], gboolean *ret_damaged,
           GError **error)
{
        *ret_damaged = FALSE;
        for (guint k = 0; k < PACK_N_PARTS; k++) {
                gboolean is_damaged;
                if (!pack_read(txn, unpacker, pack, k, &ret[k], &is_damaged, error))
                        return FALSE;
                *ret_damaged = *ret_damaged || (ret[k] == NULL && k != PACK_COPY);
        }
        return TRUE;
}

/* What is too much for the memory is left as it is. */
static gboolean
gather_pack(Repack *r, DbTxn *txn, Unpacker *unpacker, Named *pack, gboolean *ret_fits, GError **error)
{
        PackedPart *parts[PACK_N_PARTS] = {NULL};
        gboolean is_damaged, is_read = read_parts(txn, unpacker, pack->id, parts, &is_damaged, error);

        if (is_read && parts[PACK_COPY] != NULL)
                *ret_fits = take_items(r, pack, parts, is_damaged);
        for (guint k = 0; k < PACK_N_PARTS; k++)
                part_unref(parts[k]);
        return is_read;
}

static gboolean
gather(Repack *r, DbTxn *txn, GError **error)
{
        g_autoptr(Unpacker) unpacker = unpacker_new();
        gboolean fits = TRUE;

        if (unpacker == NULL)
                return fault(error, FAULT_BUSY, "no memory to unpack with");
        for (guint i = 0; i < r->packs->len && fits; i++) {
                Named *pack = r->packs->pdata[i];
                if (pack->gives && !gather_pack(r, txn, unpacker, pack, &fits, error))
                        return FALSE;
        }
        if (!fits)
                r->n_moved = 0;
        return TRUE;
}

static gboolean
look(Repack *r, gint64 *at, gint64 end, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(r->store->db, error);

        if (txn == NULL || !take_pages(r, txn, at, end, error) || !look_at_packs(r, txn, error))
                return FALSE;
        choose_packs(r);
        return gather(r, txn, error);
}

static gboolean
make(Repack *r, GError **error)
{
        g_autoptr(Packer) packer = r->n_moved > 0 ? packer_new() : NULL;

        if (r->n_moved == 0)
                return TRUE;
        if (packer == NULL)
                return fault(error, FAULT_BUSY, "no memory to pack with");
        for (guint i = 0; i < r->n_moved; i++) {
                g_autoptr(GError) why = NULL;
                StoredSummary sections = {0};
                if (r->needs_summary[i] &&
                    summary_make_again(r->store, r->arena, r->entries[r->moved[i]].body, &sections, &why) &&
                    sections.structure.data != NULL)
                        pack_items_take(&r->items, i, &sections);
        }
        for (guint k = 0; k < PACK_N_PARTS; k++) {
                pack_items_bound(&r->items, k, r->n_moved);
                part_put(packer, r->parts[k], r->items.of[k], r->n_moved);
        }
        return TRUE;
}

/* Writing -----------------------------------------------------------------------------------------------------------
 */

DB_SQL(PAGE_THERE, "SELECT key FROM page WHERE key = ?");
DB_SQL(PAGE_DROP, "DELETE FROM page WHERE key = ?");
DB_SQL(STATE_DROP, "DELETE FROM page_state WHERE key = ?");

static gboolean
entries_are_same(const ViewEntry *a, const ViewEntry *b, guint n)
{
        for (guint i = 0; i < n; i++)
                if (a[i].uid != b[i].uid || a[i].body != b[i].body || a[i].pack != b[i].pack || a[i].slot != b[i].slot)
                        return FALSE;
        return TRUE;
}

/* They are as they were, but for flags; *ret has them as they are. */
static gboolean
pages_load(const Repack *r, DbTxn *txn, Page *ret, gboolean *ret_same, GError **error)
{
        g_autofree Page *page = g_new(Page, 1);
        guint n = 0;

        *ret_same = FALSE;
        for (guint i = 0; i < r->n_pages; i++) {
                gint64 key;
                DbStep step = db_get_int(txn, &PAGE_THERE, &key, error, "i", r->keys[i]);
                if (step != DB_ROW)
                        return step == DB_ROW_END;
                if (!page_load(txn, key, page, error))
                        return FALSE;
                if (page->n > r->n - n || !entries_are_same(page->entries, &r->entries[n], page->n))
                        return TRUE;
                memcpy(&ret->entries[n], page->entries, page->n * sizeof(ViewEntry));
                memcpy(&ret->states[n], page->states, page->n * sizeof(State));
                n += page->n;
        }
        ret->key = r->keys[0];
        ret->n = n;
        *ret_same = n == r->n;
        return TRUE;
}

/* Their slots of this pack. */
static gboolean
hand_over_pack(const Repack *r, DbTxn *txn, const Named *pack, gboolean *ret_done, GError **error)
{
        guint slots[PAGE_ENTRIES], n = 0;

        for (guint i = 0; i < r->n_moved; i++)
                if (r->named[r->moved[i]] == pack)
                        slots[n++] = r->entries[r->moved[i]].slot;
        *ret_done = TRUE;
        return n == 0 || slots_hand_over(r->store, txn, pack->id, slots, n, ret_done, error);
}

static gboolean
hand_over(const Repack *r, DbTxn *txn, const Page *page, gboolean *ret_done, GError **error)
{
        *ret_done = TRUE;
        for (guint i = 0; i < r->n_moved && *ret_done; i++)
                *ret_done = page->states[r->moved[i]].fate != FATE_MOVED;
        for (guint i = 0; i < r->packs->len && *ret_done; i++) {
                const Named *pack = r->packs->pdata[i];
                if (pack->gives && !hand_over_pack(r, txn, pack, ret_done, error))
                        return FALSE;
        }
        return TRUE;
}

static gboolean
new_pack_put(const Repack *r, DbTxn *txn, Page *page, GError **error)
{
        gint64 bodies[PAGE_ENTRIES], pack;

        for (guint i = 0; i < r->n_moved; i++)
                bodies[i] = page->entries[r->moved[i]].body;
        if (!pack_add(txn, bodies, r->n_moved, r->parts, &pack, error))
                return FALSE;
        for (guint i = 0; i < r->n_moved; i++) {
                page->entries[r->moved[i]].pack = pack;
                page->entries[r->moved[i]].slot = i;
        }
        search_packs_made(r->store, txn);
        return TRUE;
}

static gboolean
pages_put(const Repack *r, DbTxn *txn, const Page *page, GError **error)
{
        if (!page_save(r->store, txn, page, MARK_PACKED, error))
                return FALSE;
        for (guint i = 1; i < r->n_pages; i++) {
                touch(r->store, txn, r->mailbox, MARK_PACKED, r->keys[i] & G_MAXUINT32);
                if (!db_run(txn, &PAGE_DROP, error, "i", r->keys[i]) ||
                    !db_run(txn, &STATE_DROP, error, "i", r->keys[i]))
                        return FALSE;
        }
        return TRUE;
}

/* Rolled back unless it is done. */
static ChangeAnswer
repack_work(gpointer data, DbTxn *txn, GError **error)
{
        Repack *r = data;
        g_autofree Page *page = g_new(Page, 1);
        gboolean goes_on;
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(r->store, txn, r->mailbox, &slot, error));

        r->is_done = FALSE;
        if (answer != CHANGED_DONE)
                return answer;
        if (!pages_load(r, txn, page, &goes_on, error))
                return CHANGED_FAILED;
        if (goes_on && !hand_over(r, txn, page, &goes_on, error))
                return CHANGED_FAILED;
        if (!goes_on)
                return CHANGED_NO_MAILBOX; /* another one by now: later */
        if (r->n_moved > 0 && !new_pack_put(r, txn, page, error))
                return CHANGED_FAILED;
        g_atomic_int_inc(&r->store->n_repacked);
        if (!pages_put(r, txn, page, error))
                return CHANGED_FAILED;
        r->is_done = TRUE;
        return CHANGED_DONE;
}

PackWork
pages_repack(Store *store, gint64 *at, gint64 end, GError **error)
{
        g_autoptr(Repack) r = repack_new(store);

        if (!look(r, at, end, error))
                return PACK_FAILED;
        if (r->n_pages > 1 || r->n_moved > 0) {
                if (!make(r, error))
                        return PACK_FAILED;
                switch (change_run(store, FALSE, repack_work, r, error)) {
                case CHANGED_DONE:
                case CHANGED_NO_MAILBOX:
                        break;
                case CHANGED_FAILED:
                default:
                        return PACK_FAILED;
                }
        }
        return *at < end ? PACK_AGAIN : PACK_IDLE;
}

/* packing.c -- rows of `entry` become slots of packs: what is computed once of the messages of a page, in one place.
 *
 *      rows of a tail -> folded into pages (pages.c) -> a full page's entries -> a pack
 *
 * 1. A pack is made of entries of one page that are not packed and have their rows: all of them, also those that were
 *    expunged. It is read from a snapshot, put together and compressed without any transaction, and written in one that
 * looks whether the page still has these entries. Then their rows are gone, and the page names pack and slots.
 * 2. A body's reference goes over from the row to the slot. A body in several mailboxes is packed with each of them, a
 *    copy of its summary in every pack; its own row keeps the summary until the last reference that is not a slot's has
 *    gone or is packed (blob_pack()).
 * 3. A mailbox with a page's worth of rows has the time since when in `ripe` (slot_ripen()), which has an index: nobody
 * looks for mailboxes, and none is forgotten over a crash. Fewer rows than 128 wait for more.
 * 4. Sections that are too large for their part are not there; who asks for them has them made again from the message.
 */
#include "store/change.h"
#include "store/internal.h"

#define FOLD_MAX 2048
#define BUNDLE_OCTETS (40 * 1024 * 1024)
#define SUMMARY_MAX (128 * 1024) /* a longer one is made again by who asks */

#define SPAN (200 * USEC_PER_MS) /* of a second                                            */
#define DENSE 200                /* transactions a second: others need the write connection */
#define DENSE_SPAN (50 * USEC_PER_MS)
#define DENSE_PATIENCE USEC_PER_MINUTE

/* What is packed together ------------------------------------------------------------------------------------------ */

typedef struct Bundle {
        Store *store;
        gint64 mailbox, key; /* of the page */
        Places *page;
        guint n;
        guint32 uids[PAGE_ENTRIES];
        gint64 bodies[PAGE_ENTRIES];
        gboolean has_summary[PAGE_ENTRIES];
        gboolean leaves_rows; /* some of the page could not be read */
        Span items[PACK_N_PARTS][PAGE_ENTRIES];
        Arena *arena; /* theirs */
        GByteArray *parts[PACK_N_PARTS];
        guint fold;       /* so many of the tail first; 0: none */
        gboolean is_done; /* of one run: it may be run again; FALSE: the page is another by now */
} Bundle;

static Bundle *
bundle_new(Store *store, gint64 mailbox)
{
        Bundle *bundle = g_new0(Bundle, 1);

        bundle->store = store;
        bundle->mailbox = mailbox;
        bundle->page = g_new0(Places, 1);
        bundle->arena = arena_new(BUNDLE_OCTETS);
        for (guint i = 0; i < PACK_N_PARTS; i++)
                bundle->parts[i] = g_byte_array_new();
        return bundle;
}

static void
bundle_free(Bundle *bundle)
{
        for (guint i = 0; i < PACK_N_PARTS; i++)
                g_byte_array_unref(bundle->parts[i]);
        arena_free(bundle->arena);
        g_free(bundle->page);
        g_free(bundle);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bundle, bundle_free)

static void
take_summary(Bundle *bundle, guint slot, const StoredSummary *summary)
{
        const Span *sections[] = {
                [PACK_ENVELOPE] = &summary->envelope, [PACK_STRUCTURE] = &summary->structure,
                [PACK_FIELDS] = &summary->fields,     [PACK_KEYS] = &summary->keys,
                [PACK_PREVIEW] = &summary->preview,
        };

        for (guint i = 0; i < G_N_ELEMENTS(sections); i++)
                bundle->items[i][slot] = sections[i]->data != NULL ? *sections[i] : span_of("");
        bundle->has_summary[slot] = TRUE;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

DB_SQL(FOLDED_OF_MAILBOX, "SELECT folded FROM mailbox WHERE id = ? AND deleted_at IS NULL");
DB_SQL(FIRST_ROW, "SELECT uid FROM entry WHERE mailbox = ? AND uid >= ? ORDER BY uid LIMIT 1");
DB_SQL(LAST_PAGE, "SELECT key FROM page WHERE key >= ? AND key <= ? ORDER BY key DESC LIMIT 1");
DB_SQL(TAIL_COUNT, "SELECT count(*) FROM (SELECT uid FROM entry WHERE mailbox = ? AND uid > ? LIMIT ?)");
DB_SQL(ROWS_TO_PACK, "SELECT e.uid, e.body, e.prefix, e.cuts, b.size, b.summary FROM entry e"
                     " JOIN body b ON b.id = e.body WHERE e.mailbox = ? AND e.uid >= ? AND e.uid <= ? ORDER BY e.uid");

/* FALSE: not this one, or no more. */
static gboolean
take_row(Bundle *bundle, const DbRows *row)
{
        const ViewEntry *entry = places_find(bundle->page, bundle->mailbox, (guint32) db_int(row, 0));
        g_autoptr(GByteArray) item = g_byte_array_new();
        Span prefix = db_bytes(row, 2), cuts = db_bytes(row, 3), summary = db_bytes(row, 5);
        Cut decoded[COPY_CUTS_MAX];
        StoredSummary sections;
        guint n_cuts, slot = bundle->n;

        if (entry == NULL || entry->pack != 0 || entry->body != db_int(row, 1) || prefix.len > COPY_PREFIX_MAX ||
            !copy_get_cuts(cuts, (guint64) db_int(row, 4), decoded, &n_cuts))
                return FALSE;
        copy_item_put(item, prefix, cuts);
        bundle->items[PACK_COPY][slot] = arena_copy(bundle->arena, span_make(item->data, item->len));
        if (bundle->items[PACK_COPY][slot].data == NULL)
                return FALSE;
        bundle->uids[slot] = entry->uid;
        bundle->bodies[slot] = entry->body;
        bundle->n++;
        if (summary.len > 0 && summary.len <= SUMMARY_MAX &&
            summary_decode(arena_copy(bundle->arena, summary), &sections))
                take_summary(bundle, slot, &sections);
        return TRUE;
}

/* The rows of the page that was found. */
static gboolean
bundle_gather(Bundle *bundle, DbTxn *txn, GError **error)
{
        const Places *page = bundle->page;
        DbStep step = DB_ROW_FAILED;

        bundle->n = 0;
        bundle->leaves_rows = FALSE;
        g_autoptr(DbRows) rows = db_query(txn, &ROWS_TO_PACK, error, "iii", bundle->mailbox,
                                          (gint64) page->entries[0].uid, (gint64) page->entries[page->n - 1].uid);
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW)
                if (!take_row(bundle, rows))
                        bundle->leaves_rows = TRUE;
        return step == DB_ROW_END;
}

/* The last page of the mailbox: how many entries it has; 0: there is none. */
static gboolean
last_page(DbTxn *txn, gint64 mailbox, gint64 folded, gint64 *ret_key, guint *ret_n, GError **error)
{
        g_autofree Places *last = g_new0(Places, 1);
        const ViewEntry *entry;

        *ret_n = 0;
        switch (db_get_int(txn, &LAST_PAGE, ret_key, error, "ii", mailbox << 32, mailbox << 32 | folded)) {
        case DB_ROW:
                if (!places_read(last, txn, mailbox, (guint32) folded, &entry, error))
                        return FALSE;
                *ret_n = last->n;
                return TRUE;
        case DB_ROW_END:
                return TRUE;
        case DB_ROW_FAILED:
        default:
                return FALSE;
        }
}

/* Is there enough in the tail for a whole page? */
static gboolean
tail_wanted(Bundle *bundle, DbTxn *txn, gint64 folded, guint in_last, gboolean is_forced, GError **error)
{
        guint n = in_last % PAGE_ENTRIES;
        gint64 tail;

        if (db_get_int(txn, &TAIL_COUNT, &tail, error, "iii", bundle->mailbox, folded, (gint64) FOLD_MAX) != DB_ROW)
                return FALSE;
        guint whole = (n + (guint) tail) / PAGE_ENTRIES * PAGE_ENTRIES;
        bundle->fold = is_forced ? (guint) tail : whole > n ? whole - n : 0;
        return TRUE;
}

/* The first page with rows that can be packed, or how much of the tail makes one. */
static gboolean
bundle_find(Bundle *bundle, DbTxn *txn, gint64 folded, gboolean is_forced, GError **error)
{
        gint64 mailbox = bundle->mailbox, last = 0, uid = 0;
        const ViewEntry *entry;
        guint in_last;

        if (!last_page(txn, mailbox, folded, &last, &in_last, error))
                return FALSE;
        for (gint64 from = 1;; from = uid + 1) {
                DbStep step = db_get_int(txn, &FIRST_ROW, &uid, error, "ii", mailbox, from);
                if (step != DB_ROW)
                        return step == DB_ROW_END;
                if (uid > folded)
                        return tail_wanted(bundle, txn, folded, in_last, is_forced, error);
                if (!places_read(bundle->page, txn, mailbox, (guint32) uid, &entry, error))
                        return FALSE;
                if (entry == NULL) /* verify complains of it */
                        continue;
                bundle->key = mailbox << 32 | bundle->page->first;
                if (bundle->key == last && in_last < PAGE_ENTRIES) {
                        if (!tail_wanted(bundle, txn, folded, in_last, is_forced, error))
                                return FALSE;
                        if (!is_forced || bundle->fold > 0)
                                return TRUE;
                }
                if (!bundle_gather(bundle, txn, error))
                        return FALSE;
                if (bundle->n > 0)
                        return TRUE;
                uid = bundle->page->entries[bundle->page->n - 1].uid;
        }
}

/* FALSE: a fault. Neither n nor fold: nothing is ready. */
static gboolean
bundle_read(Bundle *bundle, gboolean is_forced, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(bundle->store->db, error);
        gint64 folded;

        if (txn == NULL)
                return FALSE;
        DbStep step = db_get_int(txn, &FOLDED_OF_MAILBOX, &folded, error, "i", bundle->mailbox);
        if (step != DB_ROW)
                return step == DB_ROW_END;
        return bundle_find(bundle, txn, folded, is_forced, error);
}

/* Making ----------------------------------------------------------------------------------------------------------- */

/* A body that can't be read now has no sections in the pack. */
static void
make_missing(Bundle *bundle)
{
        for (guint i = 0; i < bundle->n; i++) {
                g_autoptr(GError) why = NULL;
                StoredSummary sections = {0};
                if (!bundle->has_summary[i] &&
                    summary_make_again(bundle->store, bundle->arena, bundle->bodies[i], &sections, &why) &&
                    sections.structure.data != NULL)
                        take_summary(bundle, i, &sections);
        }
}

/* Those that are over PART_OCTETS_MAX stay outside. */
static void
items_bound(Span *items, guint n)
{
        gsize octets = 0;

        for (guint i = 0; i < n; i++) {
                if (octets + items[i].len > PART_OCTETS_MAX)
                        items[i] = SPAN_EMPTY;
                octets += items[i].len;
        }
}

static gboolean
bundle_make(Bundle *bundle, GError **error)
{
        g_autoptr(Packer) packer = packer_new();

        if (packer == NULL)
                return fault(error, FAULT_BUSY, "no memory to pack with");
        make_missing(bundle);
        for (guint i = 0; i < PACK_N_PARTS; i++) {
                items_bound(bundle->items[i], bundle->n);
                part_put(packer, bundle->parts[i], bundle->items[i], bundle->n);
        }
        return TRUE;
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

DB_SQL(PAGE_THERE, "SELECT key FROM page WHERE key = ?");
DB_SQL(PACK_ADD, "INSERT INTO pack (bodies, refs) VALUES (?, ?)");
DB_SQL(PART_ADD, "INSERT INTO pack_part (key, data) VALUES (?, ?)");
DB_SQL(ROWS_PACKED, "DELETE FROM entry WHERE mailbox = ? AND uid >= ? AND uid <= ?");
DB_SQL(ROW_PACKED, "DELETE FROM entry WHERE mailbox = ? AND uid = ?");

/* The place of each slot in the page. FALSE: some entry is not there as it was. */
static gboolean
page_matches(const Bundle *bundle, const Page *page, guint8 ret_places[PAGE_ENTRIES])
{
        guint slot = 0;

        for (guint i = 0; i < page->n && slot < bundle->n; i++) {
                const ViewEntry *entry = &page->entries[i];
                if (entry->uid != bundle->uids[slot])
                        continue;
                if (entry->pack != 0 || entry->body != bundle->bodies[slot] || page->states[i].fate == FATE_MOVED)
                        return FALSE;
                ret_places[slot++] = (guint8) i;
        }
        return slot == bundle->n;
}

static gboolean
pack_add(const Bundle *bundle, DbTxn *txn, gint64 *ret_pack, GError **error)
{
        g_autoptr(GByteArray) bodies = g_byte_array_new(), refs = g_byte_array_new();
        guint32 ones[PAGE_ENTRIES];

        for (guint i = 0; i < bundle->n; i++)
                ones[i] = 1;
        bodies_put(bodies, bundle->bodies, bundle->n);
        slot_refs_put(refs, ones, bundle->n);
        if (!db_run(txn, &PACK_ADD, error, "bb", span_make(bodies->data, bodies->len),
                    span_make(refs->data, refs->len)))
                return FALSE;
        *ret_pack = db_last_id(txn);
        for (guint i = 0; i < PACK_N_PARTS; i++)
                if (!db_run(txn, &PART_ADD, error, "ib", *ret_pack * KEYS_OF_PACK + (gint64) i,
                            span_make(bundle->parts[i]->data, bundle->parts[i]->len)))
                        return FALSE;
        return TRUE;
}

static gboolean
rows_drop(const Bundle *bundle, DbTxn *txn, GError **error)
{
        if (!bundle->leaves_rows)
                return db_run(txn, &ROWS_PACKED, error, "iii", bundle->mailbox, (gint64) bundle->uids[0],
                              (gint64) bundle->uids[bundle->n - 1]) &&
                       (db_changes(txn) == bundle->n ||
                        fault(error, FAULT_INTERNAL, "mailbox %" G_GINT64_FORMAT " has other rows than were packed",
                              bundle->mailbox));
        for (guint i = 0; i < bundle->n; i++)
                if (!db_run(txn, &ROW_PACKED, error, "ii", bundle->mailbox, (gint64) bundle->uids[i]))
                        return FALSE;
        return TRUE;
}

static gboolean
bundle_put(const Bundle *bundle, DbTxn *txn, Page *page, const guint8 *places, GError **error)
{
        gint64 pack;

        if (!pack_add(bundle, txn, &pack, error))
                return FALSE;
        for (guint i = 0; i < bundle->n; i++) {
                page->entries[places[i]].pack = pack;
                page->entries[places[i]].slot = i;
        }
        if (!page_save(bundle->store, txn, page, MARK_PACKED, error) || !rows_drop(bundle, txn, error))
                return FALSE;
        for (guint i = 0; i < bundle->n; i++)
                if (!blob_pack(txn, bundle->bodies[i], error))
                        return FALSE;
        return TRUE;
}

static ChangeAnswer
bundle_work(gpointer data, DbTxn *txn, GError **error)
{
        Bundle *bundle = data;
        g_autofree Page *page = g_new(Page, 1);
        guint8 places[PAGE_ENTRIES];
        gint64 key;
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(bundle->store, txn, bundle->mailbox, &slot, error));

        bundle->is_done = FALSE;
        if (answer != CHANGED_DONE)
                return answer;
        DbStep step = db_get_int(txn, &PAGE_THERE, &key, error, "i", bundle->key);
        if (step != DB_ROW)
                return step == DB_ROW_END ? CHANGED_DONE : CHANGED_FAILED;
        if (!page_load(txn, key, page, error))
                return CHANGED_FAILED;
        if (!page_matches(bundle, page, places))
                return CHANGED_DONE;
        if (!bundle_put(bundle, txn, page, places, error))
                return CHANGED_FAILED;
        search_packs_made(bundle->store, txn);
        slot->n_rows -= MIN(slot->n_rows, bundle->n);
        bundle->is_done = TRUE;
        return CHANGED_DONE;
}

static ChangeAnswer
fold_work(gpointer data, DbTxn *txn, GError **error)
{
        const Bundle *bundle = data;
        gboolean more;
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(bundle->store, txn, bundle->mailbox, &slot, error));

        if (answer != CHANGED_DONE)
                return answer;
        return tail_fold(bundle->store, txn, slot, bundle->fold, &more, error) ? CHANGED_DONE : CHANGED_FAILED;
}

PackWork
mailbox_pack(Store *store, gint64 mailbox, gboolean is_forced, GError **error)
{
        g_autoptr(Bundle) bundle = bundle_new(store, mailbox);
        ChangeWork work = bundle_work;

        if (!bundle_read(bundle, is_forced, error))
                return PACK_FAILED;
        if (bundle->fold > 0)
                work = fold_work;
        else if (bundle->n == 0)
                return PACK_IDLE;
        else if (!bundle_make(bundle, error))
                return PACK_FAILED;
        switch (change_run(store, FALSE, work, bundle, error)) {
        case CHANGED_DONE:
                return PACK_AGAIN;
        case CHANGED_NO_MAILBOX:
                return PACK_IDLE;
        case CHANGED_FAILED:
        default:
                return PACK_FAILED;
        }
}

/* In the background ------------------------------------------------------------------------------------------------ */

DB_SQL(RIPE_OLDEST, "SELECT id FROM mailbox WHERE ripe <= ? ORDER BY ripe LIMIT 1");
DB_SQL(RIPE_NOT, "UPDATE mailbox SET ripe = NULL WHERE id = ?");
DB_SQL(ROW_COUNT, "SELECT count(*) FROM entry WHERE mailbox = ?");

/* Of the one thread that packs. */
struct Pace {
        Usec at; /* of the last pass, monotonic; 0: none yet */
        guint64 transactions;
        gint64 mailbox, rows; /* the last one that nothing of was ready */
};

Pace *
pace_new(void)
{
        return g_new0(Pace, 1);
}

void
pace_free(Pace *pace)
{
        g_free(pace);
}

typedef struct Settling {
        Store *store;
        gint64 mailbox, rows;
        gboolean is_certain; /* it waits no longer, whatever it has */
} Settling;

/* Rows may have come after the look: one more look is due then. */
static ChangeAnswer
settle_work(gpointer data, DbTxn *txn, GError **error)
{
        Settling *s = data;
        const Pace *pace = s->store->pace;
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(s->store, txn, s->mailbox, &slot, error));

        if (answer != CHANGED_DONE && answer != CHANGED_NO_MAILBOX)
                return answer;
        if (answer == CHANGED_DONE) {
                if (db_get_int(txn, &ROW_COUNT, &s->rows, error, "i", s->mailbox) != DB_ROW)
                        return CHANGED_FAILED;
                slot->n_rows = (guint32) s->rows;
                if (!s->is_certain && s->rows >= PAGE_ENTRIES && (pace->mailbox != s->mailbox || pace->rows != s->rows))
                        return CHANGED_DONE;
                slot->is_ripe = FALSE;
        }
        return db_run(txn, &RIPE_NOT, error, "i", s->mailbox) ? CHANGED_DONE : CHANGED_FAILED;
}

static gboolean
settle(Store *store, gint64 mailbox, gboolean is_certain, GError **error)
{
        Settling s = {.store = store, .mailbox = mailbox, .is_certain = is_certain};

        if (change_run(store, FALSE, settle_work, &s, error) != CHANGED_DONE)
                return FALSE;
        store->pace->mailbox = mailbox;
        store->pace->rows = s.rows;
        return TRUE;
}

static DbStep
ripe_oldest(Store *store, Usec before, gint64 *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);

        return txn != NULL ? db_get_int(txn, &RIPE_OLDEST, ret, error, "i", (gint64) before) : DB_ROW_FAILED;
}

/* One piece of the mailbox that has waited longest. One that can't be packed waits no longer: its next message lets it.
 */
static PackWork
ripe_pack(Store *store, Usec before, GError **error)
{
        gint64 mailbox;
        DbStep step = ripe_oldest(store, before, &mailbox, error);

        if (step != DB_ROW)
                return step == DB_ROW_END ? PACK_IDLE : PACK_FAILED;
        PackWork work = mailbox_pack(store, mailbox, FALSE, error);
        if (work == PACK_AGAIN)
                return work;
        if (!settle(store, mailbox, work == PACK_FAILED, work == PACK_FAILED ? NULL : error))
                return PACK_FAILED;
        return work == PACK_FAILED ? PACK_FAILED : PACK_AGAIN;
}

/* Transactions a second since the last pass. */
static gboolean
is_dense(Pace *pace, const DbStats *stats)
{
        gdouble seconds = (gdouble) (clock_monotonic() - pace->at) / USEC_PER_SEC;

        return pace->at == 0 || (gdouble) (stats->transactions - pace->transactions) > DENSE * seconds;
}

gboolean
store_pack(Store *store, gboolean (*may_go_on)(gpointer data), gpointer data, GError **error)
{
        DbStats stats;
        PackWork work = PACK_AGAIN;

        if (db_is_full(store->db))
                return TRUE;
        db_stats(store->db, &stats);
        gboolean is_busy = is_dense(store->pace, &stats);
        Usec until = clock_in(is_busy ? DENSE_SPAN : SPAN);
        Usec before = is_busy ? clock_real() - DENSE_PATIENCE : G_MAXINT64;
        while (work == PACK_AGAIN && clock_monotonic() < until && (may_go_on == NULL || may_go_on(data)))
                work = ripe_pack(store, before, error);
        db_stats(store->db, &stats);
        store->pace->transactions = stats.transactions;
        store->pace->at = clock_monotonic();
        return work != PACK_FAILED;
}

/* search_fill.c -- the records of the search index, made pack by pack in the background.
 *
 *      search_index_next() -> the pack's bodies, one by one: read, decoded, folded -> GroupBuilder ->
 * search_index_put()
 *
 * What is indexed is the body as it is stored: its text, and apart from that the fields of its header. The prefix and
 * the cuts of a copy are the searcher's affair (search.c), so it does not matter which copies share a slot.
 */
#include "store/internal.h"
#include "store/search_text.h"

struct SearchFill {
        Store *store;
        gint is_stopped; /* atomic */

        /* the pack whose record is being made */
        gboolean has_pack;
        guint n, at; /* slots, and the next one of them */
        gint64 bodies[PAGE_ENTRIES];
        guint32 refs[PAGE_ENTRIES];
        PackedPart *structures; /* of the pack; NULL: they can't be read */
        GroupBuilder *builder;  /* NULL: no pack was met yet */
        gint doc;               /* the GroupText that text comes for; -1: none has come for this slot */
};

SearchFill *
store_search_fill_new(Store *store)
{
        SearchFill *fill = g_new0(SearchFill, 1);

        g_assert(store->search != NULL);
        fill->store = store;
        return fill;
}

void
search_fill_free(SearchFill *fill)
{
        if (fill == NULL)
                return;
        part_unref(fill->structures);
        group_builder_free(fill->builder);
        g_free(fill);
}

void
search_fill_stop(SearchFill *fill)
{
        g_atomic_int_set(&fill->is_stopped, TRUE);
        search_index_wake(fill->store->search);
}

gboolean
search_fill_is_stopped(const SearchFill *fill)
{
        return g_atomic_int_get(&fill->is_stopped);
}

void
search_fill_wait(SearchFill *fill, Usec until)
{
        if (!search_fill_is_stopped(fill))
                search_index_wait(fill->store->search, until);
}

static void
tell_made(gpointer data)
{
        search_index_made(data);
}

void
search_packs_made(Store *store, DbTxn *txn)
{
        if (store->search != NULL)
                db_on_commit(txn, tell_made, store->search, NULL);
}

/* One body ----------------------------------------------------------------------------------------------------------
 */

static gboolean
piece_take(gpointer to, const TextPiece *piece)
{
        SearchFill *fill = to;
        GroupText text = piece->kind == TEXT_FIELD ? GROUP_HEADER : GROUP_BODY;

        if (fill->doc != (gint) text) {
                group_builder_begin(fill->builder, fill->at, text);
                fill->doc = (gint) text;
        } else if (piece->is_first) {
                group_builder_break(fill->builder);
        }
        group_builder_add(fill->builder, piece->text);
        return !search_fill_is_stopped(fill);
}

/* Where its texts are, as the pack has it; else it is made again from the message. */
static Span
structure_of(const SearchFill *fill, guint slot)
{
        const PackedPart *part = fill->structures;

        return part != NULL && slot < part->n ? part->items[slot] : SPAN_EMPTY;
}

/* What can't be read to its end is always a candidate, so that a damaged body keeps nobody from filling. */
static void
slot_add(SearchFill *fill)
{
        g_autoptr(GError) cause = NULL;
        const SearchCopy copy = {.body = fill->bodies[fill->at], .structure = structure_of(fill, fill->at)};

        fill->doc = -1;
        switch (search_text_walk(fill->store->blob, &copy, TEXT_OF_HEADER | TEXT_OF_BODY, piece_take, fill, &cause)) {
        case COPY_TEXT_WALKED:
                if (fill->doc < 0) /* nothing to read in it: that is known too */
                        group_builder_begin(fill->builder, fill->at, GROUP_BODY);
                return;
        case COPY_TEXT_STOPPED: /* the pack is given up */
                return;
        case COPY_TEXT_FAILED:
        case COPY_TEXT_GONE:
        default:
                group_builder_unknown(fill->builder, fill->at);
        }
}

/* One pack ----------------------------------------------------------------------------------------------------------
 */

DB_SQL(PACK_GET, "SELECT bodies, refs FROM pack WHERE id = ?");

/* A list that can't be read: its slots are behind the record's only one, so of each of them nothing is known. */
static void
pack_damaged(SearchFill *fill)
{
        fill->n = 0;
        group_builder_unknown(fill->builder, 0);
}

static gboolean
pack_decode(SearchFill *fill, const DbRows *row)
{
        guint n_refs;

        if (!bodies_get(db_bytes(row, 0), fill->bodies, &fill->n) || fill->n == 0 ||
            !slot_refs_get(db_bytes(row, 1), fill->refs, &n_refs) || n_refs != fill->n)
                return FALSE;
        for (guint i = 0; i < fill->n; i++)
                if (fill->refs[i] > 0)
                        return TRUE;
        return FALSE;
}

static gboolean
structures_read(SearchFill *fill, DbTxn *txn, gint64 pack, GError **error)
{
        g_autoptr(Unpacker) unpacker = unpacker_new();
        gboolean is_damaged;

        g_clear_pointer(&fill->structures, part_unref);
        if (!pack_read(txn, unpacker, pack, PACK_STRUCTURE, &fill->structures, &is_damaged, error))
                return FALSE;
        if (is_damaged)
                healing_note_pack(fill->store, pack);
        return TRUE;
}

static gboolean
pack_look(SearchFill *fill, gint64 pack, gboolean *ret_is_there, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(fill->store->db, error);
        g_autoptr(DbRows) row = txn != NULL ? db_query(txn, &PACK_GET, error, "i", pack) : NULL;
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;

        if (step == DB_ROW_FAILED)
                return FALSE;
        *ret_is_there = step == DB_ROW;
        if (step == DB_ROW && !pack_decode(fill, row))
                pack_damaged(fill);
        return structures_read(fill, txn, pack, error);
}

static gboolean
pack_begin(SearchFill *fill, gint64 pack, GError **error)
{
        gboolean is_there;

        if (fill->builder == NULL)
                fill->builder = group_builder_new();
        if (!pack_look(fill, pack, &is_there, error))
                return FALSE;
        if (!is_there)
                return search_index_put(fill->store->search, SPAN_EMPTY, error);
        fill->has_pack = TRUE;
        fill->at = 0;
        return TRUE;
}

static gboolean
pack_end(SearchFill *fill, GError **error)
{
        fill->has_pack = FALSE;
        g_clear_pointer(&fill->structures, part_unref);
        return search_index_put(fill->store->search, group_builder_end(fill->builder), error);
}

/* One slot, or the end. One that is nobody's any more costs nothing. */
static gboolean
pack_go_on(SearchFill *fill, GError **error)
{
        if (fill->at == fill->n)
                return pack_end(fill, error);
        if (fill->refs[fill->at] > 0)
                slot_add(fill);
        fill->at++;
        return TRUE;
}

SearchFilled
search_fill_step(SearchFill *fill, Usec span, GError **error)
{
        Usec deadline = clock_in(span);
        gint64 pack;

        while (!search_fill_is_stopped(fill) && clock_monotonic() < deadline) {
                if (fill->has_pack) {
                        if (!pack_go_on(fill, error))
                                return SEARCH_FILL_FAILED;
                        continue;
                }
                switch (search_index_next(fill->store->search, &pack, error)) {
                case INDEX_IDLE:
                        return SEARCH_FILL_IDLE;
                case INDEX_AGAIN:
                        break;
                case INDEX_PACK:
                        if (!pack_begin(fill, pack, error))
                                return SEARCH_FILL_FAILED;
                        break;
                case INDEX_FAILED:
                default:
                        return SEARCH_FILL_FAILED;
                }
        }
        return SEARCH_FILL_AGAIN;
}

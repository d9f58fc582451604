/* cursor.c -- summaries and copies along a view: whole packs where messages are packed, rows where they are not yet.
 *
 * A view says where an entry was when it was made. One that is not there any more is looked up once more in the page as
 * it is now, in the same snapshot.
 */
#include "store/internal.h"

#define AHEAD_MAX 64
#define PACKS_OPEN 2
#define SECTIONS 5
#define CURSOR_OCTETS (80 * 1024 * 1024) /* at worst, with monstrous headers; some KiB a message as a rule */

G_STATIC_ASSERT(SUMMARY_ENVELOPE == 1 << PACK_ENVELOPE && SUMMARY_STRUCTURE == 1 << PACK_STRUCTURE);
G_STATIC_ASSERT(SUMMARY_FIELDS == 1 << PACK_FIELDS && SUMMARY_KEYS == 1 << PACK_KEYS);
G_STATIC_ASSERT(SUMMARY_PREVIEW == 1 << PACK_PREVIEW && SUMMARY_COPY == 1 << PACK_COPY);

typedef struct OpenPack {
        gint64 id; /* 0: none */
        PackedPart *parts[PACK_N_PARTS];
} OpenPack;

struct SummaryCursor {
        Store *store;
        guint sections;

        /* One look-up reads the rows of several messages, when they are asked for one after the other. */
        gint64 mailbox;
        Arena *arena; /* what was read */
        StoredSummary ahead[AHEAD_MAX];
        gint64 bodies[AHEAD_MAX];
        guint32 uids[AHEAD_MAX];
        guint n, at; /* the last one given is before `at` */

        OpenPack packs[PACKS_OPEN]; /* the last one used first */
        Unpacker *unpacker;
        Cut cuts[COPY_CUTS_MAX]; /* of the one given */
        Places *places;          /* NULL until it is needed */
};

SummaryCursor *
store_summary_cursor(Store *store, guint sections)
{
        SummaryCursor *cursor = g_new0(SummaryCursor, 1);

        cursor->store = store;
        cursor->sections = sections;
        cursor->arena = arena_new(CURSOR_OCTETS);
        return cursor;
}

static void
pack_close(OpenPack *pack)
{
        for (guint i = 0; i < PACK_N_PARTS; i++)
                part_unref(pack->parts[i]);
        *pack = (OpenPack){0};
}

static void
cursor_drop(SummaryCursor *cursor)
{
        for (guint i = 0; i < PACKS_OPEN; i++)
                pack_close(&cursor->packs[i]);
        g_clear_pointer(&cursor->unpacker, unpacker_free);
        g_clear_pointer(&cursor->places, g_free);
        arena_free(cursor->arena);
        cursor->n = cursor->at = 0;
}

void
summary_cursor_free(SummaryCursor *cursor)
{
        if (cursor == NULL)
                return;
        cursor_drop(cursor);
        g_free(cursor);
}

void
summary_cursor_rest(SummaryCursor *cursor)
{
        cursor_drop(cursor);
        cursor->arena = arena_new(CURSOR_OCTETS);
}

static gboolean
needs_sections(const SummaryCursor *cursor)
{
        return (cursor->sections & ~(guint) SUMMARY_COPY) != 0;
}

/* Rows ------------------------------------------------------------------------------------------------------------- */

DB_SQL(SUMMARIES, "SELECT e.uid, e.prefix, e.cuts, b.id, b.size, b.summary FROM entry e JOIN body b ON b.id = e.body"
                  " WHERE e.mailbox = ? AND e.uid >= ? ORDER BY e.uid LIMIT ?");
DB_SQL(COPIES_ONLY, "SELECT e.uid, e.prefix, e.cuts, b.id, b.size, NULL FROM entry e JOIN body b ON b.id = e.body"
                    " WHERE e.mailbox = ? AND e.uid >= ? ORDER BY e.uid LIMIT ?");

/* A summary that can't be read is like one that is not there. FALSE: the arena is over, or what makes a copy of the
 * body is damaged. */
static gboolean
cursor_take_row(SummaryCursor *cursor, const DbRows *row, GError **error)
{
        StoredSummary *summary = &cursor->ahead[cursor->n];
        gint64 uid = db_int(row, 0);

        *summary = (StoredSummary){.prefix = arena_copy(cursor->arena, db_bytes(row, 1))};
        if (!copy_decode_cuts(cursor->arena, db_bytes(row, 2), (guint64) db_int(row, 4), &summary->cuts,
                              &summary->n_cuts))
                return fault(error, FAULT_INTERNAL, "the cuts of entry %" G_GINT64_FORMAT " are damaged", uid);
        Span stored = arena_copy(cursor->arena, db_bytes(row, 5));
        if (arena_is_over(cursor->arena))
                return fault(error, FAULT_BUSY, "no memory for summaries of messages");
        cursor->bodies[cursor->n] = summary_decode(stored, summary) ? 0 : db_int(row, 3);
        cursor->uids[cursor->n++] = (guint32) uid;
        return TRUE;
}

static gboolean
rows_read(SummaryCursor *cursor, DbTxn *txn, const View *view, guint32 uid, guint most, GError **error)
{
        DbStep step = DB_ROW_FAILED;

        cursor->n = cursor->at = 0;
        arena_reset(cursor->arena);
        cursor->mailbox = view_mailbox(view);
        g_autoptr(DbRows) rows = db_query(txn, needs_sections(cursor) ? &SUMMARIES : &COPIES_ONLY, error, "iii",
                                          view_mailbox(view), (gint64) uid, (gint64) most);
        while (rows != NULL && cursor->n < most && (step = db_rows_next(rows, error)) == DB_ROW) {
                g_autoptr(GError) damage = NULL;
                if (cursor_take_row(cursor, rows, &damage))
                        continue;
                if (cursor->n > 0) /* complained of when it is asked for itself */
                        return TRUE;
                g_propagate_error(error, g_steal_pointer(&damage));
                return FALSE;
        }
        return step != DB_ROW_FAILED;
}

/* Is the next row that of this message? */
static gboolean
row_is_ahead(SummaryCursor *cursor, const View *view, guint32 uid)
{
        if (cursor->mailbox != view_mailbox(view))
                return FALSE;
        while (cursor->at < cursor->n && cursor->uids[cursor->at] < uid)
                cursor->at++;
        return cursor->at < cursor->n && cursor->uids[cursor->at] == uid;
}

/* Many are read ahead when the ones before were asked for one by one. */
static guint
rows_wanted(const SummaryCursor *cursor, const View *view, guint32 index)
{
        gboolean is_next = cursor->mailbox == view_mailbox(view) && cursor->n > 0 && cursor->at == cursor->n &&
                           index > 0 && view_entry(view, index - 1)->uid == cursor->uids[cursor->n - 1];

        return is_next ? AHEAD_MAX : cursor->n == 0 ? 4 : 1;
}

static gboolean
row_give(SummaryCursor *cursor, StoredSummary *ret, GError **error)
{
        guint i = cursor->at++;

        if (cursor->bodies[i] != 0 && needs_sections(cursor)) {
                if (!summary_make_again(cursor->store, cursor->arena, cursor->bodies[i], &cursor->ahead[i], error))
                        return FALSE;
                cursor->bodies[i] = 0;
        }
        *ret = cursor->ahead[i];
        return TRUE;
}

/* Packs ------------------------------------------------------------------------------------------------------------ */

static const OpenPack *
pack_find(SummaryCursor *cursor, gint64 id)
{
        OpenPack found;
        guint i = 0;

        while (i < PACKS_OPEN && cursor->packs[i].id != id)
                i++;
        if (i == PACKS_OPEN)
                return NULL;
        found = cursor->packs[i];
        memmove(cursor->packs + 1, cursor->packs, i * sizeof(OpenPack));
        cursor->packs[0] = found;
        return &cursor->packs[0];
}

static const OpenPack *
pack_add(SummaryCursor *cursor, const OpenPack *pack)
{
        pack_close(&cursor->packs[PACKS_OPEN - 1]);
        memmove(cursor->packs + 1, cursor->packs, (PACKS_OPEN - 1) * sizeof(OpenPack));
        cursor->packs[0] = *pack;
        return &cursor->packs[0];
}

/* When all that is asked of it is kept in memory; NULL: it must be looked for. */
static const OpenPack *
pack_open_kept(SummaryCursor *cursor, gint64 id)
{
        OpenPack pack = {.id = id};

        for (guint i = 0; i < PACK_N_PARTS; i++) {
                if ((cursor->sections & 1u << i) == 0)
                        continue;
                pack.parts[i] = parts_find(cursor->store->parts, id, i);
                if (pack.parts[i] == NULL) {
                        pack_close(&pack);
                        return NULL;
                }
        }
        return pack_add(cursor, &pack);
}

/* Sections that can't be read are like those that are not there. */
static gboolean
pack_read_parts(SummaryCursor *cursor, DbTxn *txn, OpenPack *pack, gboolean *ret_there, GError **error)
{
        *ret_there = TRUE;
        for (guint i = 0; i < PACK_N_PARTS && *ret_there; i++) {
                gboolean is_damaged;
                if ((cursor->sections & 1u << i) == 0)
                        continue;
                if (!pack_read_kept(cursor->store, txn, &cursor->unpacker, pack->id, i, &pack->parts[i], &is_damaged,
                                    error))
                        return FALSE;
                *ret_there = pack->parts[i] != NULL || is_damaged;
        }
        return TRUE;
}

/* *ret NULL: there is no such pack. */
static gboolean
pack_open(SummaryCursor *cursor, DbTxn *txn, gint64 id, const OpenPack **ret, GError **error)
{
        OpenPack pack = {.id = id};
        gboolean is_there;

        *ret = pack_find(cursor, id);
        if (*ret != NULL)
                return TRUE;
        if (!pack_read_parts(cursor, txn, &pack, &is_there, error) || !is_there) {
                pack_close(&pack);
                return !is_there;
        }
        *ret = pack_add(cursor, &pack);
        return TRUE;
}

/* Without data: not there. */
static Span
pack_item(const OpenPack *pack, PackPart which, guint slot)
{
        const PackedPart *part = pack->parts[which];

        return part != NULL && slot < part->n ? part->items[slot] : SPAN_EMPTY;
}

/* That the cuts are within the body was asked when they were packed; here they are only compared. */
static gboolean
give_copy(SummaryCursor *cursor, const OpenPack *pack, guint slot, StoredSummary *ret, GError **error)
{
        Span cuts;

        if (!copy_item_get(pack_item(pack, PACK_COPY, slot), &ret->prefix, &cuts) ||
            !copy_get_cuts(cuts, G_MAXUINT32, cursor->cuts, &ret->n_cuts))
                return fault(error, FAULT_INTERNAL, "slot %u of pack %" G_GINT64_FORMAT " is damaged", slot, pack->id);
        ret->cuts = cursor->cuts;
        return TRUE;
}

static gboolean
pack_give(SummaryCursor *cursor, const OpenPack *pack, const ViewEntry *place, StoredSummary *ret, GError **error)
{
        StoredSummary summary = {0};
        Span *sections[SECTIONS] = {&summary.envelope, &summary.structure, &summary.fields, &summary.keys,
                                    &summary.preview};
        gboolean is_whole = TRUE;

        if ((cursor->sections & SUMMARY_COPY) != 0 && !give_copy(cursor, pack, place->slot, &summary, error))
                return FALSE;
        for (guint i = 0; i < SECTIONS; i++) {
                if ((cursor->sections & 1u << i) == 0)
                        continue;
                *sections[i] = pack_item(pack, i, place->slot);
                is_whole = is_whole && sections[i]->data != NULL;
        }
        if (!is_whole) {
                cursor->n = cursor->at = 0;
                arena_reset(cursor->arena);
                if (!summary_make_again(cursor->store, cursor->arena, place->body, &summary, error))
                        return FALSE;
        }
        *ret = summary;
        return TRUE;
}

/* Either ----------------------------------------------------------------------------------------------------------- */

/* Where a message was found: *ret_pack NULL: its row is the next one. */
typedef struct Spot {
        const OpenPack *pack;
        ViewEntry place;
} Spot;

static gboolean
gone(const View *view, guint32 uid, GError **error)
{
        return fault(error, FAULT_INTERNAL, "message %u of mailbox %" G_GINT64_FORMAT " is gone", uid,
                     view_mailbox(view));
}

/* In memory? */
static gboolean
find_here(SummaryCursor *cursor, const View *view, guint32 index, Spot *ret)
{
        const ViewEntry *entry = view_entry(view, index), *now;

        *ret = (Spot){.place = *entry};
        if (entry->pack == 0 && row_is_ahead(cursor, view, entry->uid))
                return TRUE;
        now = cursor->places != NULL ? places_find(cursor->places, view_mailbox(view), entry->uid) : NULL;
        if (now != NULL)
                ret->place = *now;
        if (ret->place.pack == 0)
                return FALSE;
        ret->pack = pack_find(cursor, ret->place.pack);
        if (ret->pack == NULL)
                ret->pack = pack_open_kept(cursor, ret->place.pack);
        return ret->pack != NULL;
}

/* Where the view says: *ret_there. */
static gboolean
find_as_it_was(SummaryCursor *cursor, DbTxn *txn, const View *view, guint32 index, guint most, Spot *ret,
               gboolean *ret_there, GError **error)
{
        const ViewEntry *entry = view_entry(view, index);

        *ret = (Spot){.place = *entry};
        if (entry->pack != 0) {
                if (!pack_open(cursor, txn, entry->pack, &ret->pack, error))
                        return FALSE;
                *ret_there = ret->pack != NULL;
                return TRUE;
        }
        if (!rows_read(cursor, txn, view, entry->uid, most, error))
                return FALSE;
        *ret_there = row_is_ahead(cursor, view, entry->uid);
        return TRUE;
}

static gboolean
find_as_it_is(SummaryCursor *cursor, DbTxn *txn, const View *view, guint32 index, Spot *ret, GError **error)
{
        guint32 uid = view_entry(view, index)->uid;
        const ViewEntry *now;

        if (cursor->places == NULL)
                cursor->places = g_new0(Places, 1);
        if (!places_read(cursor->places, txn, view_mailbox(view), uid, &now, error))
                return FALSE;
        if (now == NULL || now->pack == 0)
                return gone(view, uid, error);
        ret->place = *now;
        if (!pack_open(cursor, txn, now->pack, &ret->pack, error))
                return FALSE;
        return ret->pack != NULL || gone(view, uid, error);
}

static gboolean
find_there(SummaryCursor *cursor, const View *view, guint32 index, guint most, Spot *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(cursor->store->db, error);
        gboolean is_there;

        if (txn == NULL || !find_as_it_was(cursor, txn, view, index, most, ret, &is_there, error))
                return FALSE;
        return is_there || find_as_it_is(cursor, txn, view, index, ret, error);
}

gboolean
summary_cursor_get(SummaryCursor *cursor, const View *view, guint32 index, StoredSummary *ret, GError **error)
{
        guint most = rows_wanted(cursor, view, index);
        Spot found;

        if (!find_here(cursor, view, index, &found) && !find_there(cursor, view, index, most, &found, error))
                return FALSE;
        return found.pack != NULL ? pack_give(cursor, found.pack, &found.place, ret, error)
                                  : row_give(cursor, ret, error);
}

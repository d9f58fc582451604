/* verify_packs.c -- packs: can their parts be read, and are their slots named by the entries of pages as often as they
 * say?
 *
 * Some thousand packs at a time, in the order of their ids; for each lot all pages are gone through, snapshot by
 * snapshot. What a pack holds never changes, so that is compared at once. How often its slots are named does: a
 * difference is looked at again, and complained of when nothing was written during a look. What two looks found is
 * looked at in one snapshot, however long that takes.
 */
#include "store/verify.h"

#define LOOKS 2 /* before the one that is certain */

DB_SQL(PACKS_BEHIND, "SELECT id, bodies, refs FROM pack WHERE id > ? ORDER BY id LIMIT ?");
DB_SQL(PACK_REFS_OF, "SELECT refs FROM pack WHERE id = ?");
DB_SQL(PARTS_BETWEEN, "SELECT key FROM pack_part WHERE key > ? AND key < ? ORDER BY key LIMIT 1");
DB_SQL(SIZE_OF_BODY, "SELECT size FROM body WHERE id = ?");
DB_SQL(PAGES_TO_COUNT, "SELECT p.key, 0, p.data, s.data FROM page p JOIN page_state s ON s.key = p.key"
                       " WHERE (p.key, 0) > (?, ?) ORDER BY p.key LIMIT ?");

typedef struct SlotCheck {
        gint64 body;
        guint64 size; /* of the copy; 0: not known */
        guint32 refs, found;
} SlotCheck;

typedef struct PackCheck {
        gint64 id;
        guint n; /* 0: its row can't be read */
        gboolean is_different;
        SlotCheck slots[PAGE_ENTRIES];
} PackCheck;

typedef struct Packs {
        const Verify *v;
        Unpacker *unpacker;
        GPtrArray *list; /* of PackCheck, rising */
        gint64 after, last;
        gboolean is_first_look;
} Packs;

/* One pack --------------------------------------------------------------------------------------------------------- */

static void complain(const Packs *p, gint64 pack, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void
complain(const Packs *p, gint64 pack, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        verify_complain(p->v, "pack %" G_GINT64_FORMAT ": %s", pack, text);
}

/* A body that is not there is complained of where references are counted. */
static gboolean
check_copy(const Packs *p, DbTxn *txn, PackCheck *pack, guint slot, Span item, GError **error)
{
        Cut cuts[COPY_CUTS_MAX];
        Copy copy = {.cuts = cuts};
        gint64 size;
        Span stored;
        DbStep step = db_get_int(txn, &SIZE_OF_BODY, &size, error, "i", pack->slots[slot].body);

        if (step != DB_ROW)
                return step == DB_ROW_END;
        copy.body_size = (guint64) size;
        if (copy_item_get(item, &copy.prefix, &stored) && copy_get_cuts(stored, copy.body_size, cuts, &copy.n_cuts))
                pack->slots[slot].size = copy_size(&copy);
        else
                complain(p, pack->id, "prefix or cuts of slot %u are damaged", slot);
        return TRUE;
}

static gboolean
check_part(const Packs *p, DbTxn *txn, PackCheck *pack, PackPart which, GError **error)
{
        g_autoptr(PackedPart) part = NULL;
        gboolean is_damaged;

        if (!pack_read(txn, p->unpacker, pack->id, which, &part, &is_damaged, error))
                return FALSE;
        if (part == NULL || part->n != pack->n) {
                complain(p, pack->id, part == NULL && !is_damaged ? "part %u is not there" : "part %u is damaged",
                         which);
                if (which != PACK_COPY)
                        healing_note_pack(p->v->store, pack->id);
                return TRUE;
        }
        for (guint i = 0; which == PACK_COPY && i < part->n; i++)
                if (pack->slots[i].refs > 0 && !check_copy(p, txn, pack, i, part->items[i], error))
                        return FALSE;
        return TRUE;
}

/* Between the pack before and this one there are no parts. */
static gboolean
check_between(const Packs *p, DbTxn *txn, gint64 before, gint64 pack, GError **error)
{
        gint64 end = pack > G_MAXINT64 / KEYS_OF_PACK ? G_MAXINT64 : pack * KEYS_OF_PACK, key;

        for (gint64 from = before * KEYS_OF_PACK + KEYS_OF_PACK - 1;; from = key | (KEYS_OF_PACK - 1)) {
                DbStep step = db_get_int(txn, &PARTS_BETWEEN, &key, error, "ii", from, end);
                if (step != DB_ROW)
                        return step == DB_ROW_END;
                verify_complain(p->v, "parts stand in pack %" G_GINT64_FORMAT ", which is not there",
                                key / KEYS_OF_PACK);
        }
}

static gboolean
check_pack(const Packs *p, DbTxn *txn, PackCheck *pack, const DbRows *row, GError **error)
{
        gint64 bodies[PAGE_ENTRIES];
        guint32 refs[PAGE_ENTRIES];
        guint n, n_refs;

        pack->id = db_int(row, 0);
        if (!bodies_get(db_bytes(row, 1), bodies, &n) || !slot_refs_get(db_bytes(row, 2), refs, &n_refs) ||
            n != n_refs) {
                complain(p, pack->id, "its row is damaged");
                return TRUE;
        }
        pack->n = n;
        for (guint i = 0; i < n; i++)
                pack->slots[i] = (SlotCheck){.body = bodies[i], .refs = refs[i]};
        for (guint which = 0; which < PACK_N_PARTS; which++)
                if (!check_part(p, txn, pack, which, error))
                        return FALSE;
        return TRUE;
}

/* Counting --------------------------------------------------------------------------------------------------------- */

static PackCheck *
find(const Packs *p, gint64 id)
{
        guint low = 0, high = p->list->len;

        while (low < high) {
                guint middle = (low + high) / 2;
                if (((const PackCheck *) p->list->pdata[middle])->id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        PackCheck *pack = low < p->list->len ? p->list->pdata[low] : NULL;
        return pack != NULL && pack->id == id ? pack : NULL;
}

static void
complain_of_entry(const Packs *p, gint64 key, const ViewEntry *entry, const char *what)
{
        verify_complain(p->v, "mailbox %" G_GINT64_FORMAT ": entry %u names slot %u of pack %" G_GINT64_FORMAT ", %s",
                        key >> 32, entry->uid, entry->slot, entry->pack, what);
}

/* The pack may be younger than the list; one that an entry names in this snapshot is there in this snapshot. */
static gboolean
check_stranger(const Packs *p, DbTxn *txn, gint64 key, const ViewEntry *entry, GError **error)
{
        if (!p->is_first_look || entry->pack <= p->after || entry->pack > p->last)
                return TRUE;
        g_autoptr(DbRows) row = db_query(txn, &PACK_REFS_OF, error, "i", entry->pack);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        if (step == DB_ROW_END)
                complain_of_entry(p, key, entry, "which is not there");
        return step != DB_ROW_FAILED;
}

static gboolean
count_entry(const Packs *p, DbTxn *txn, gint64 key, const ViewEntry *entry, GError **error)
{
        PackCheck *pack = find(p, entry->pack);

        if (pack == NULL)
                return check_stranger(p, txn, key, entry, error);
        if (pack->n == 0)
                return TRUE;
        if (entry->slot >= pack->n) {
                if (p->is_first_look)
                        complain_of_entry(p, key, entry, "which has fewer");
                return TRUE;
        }
        SlotCheck *slot = &pack->slots[entry->slot];
        slot->found++;
        if (p->is_first_look && slot->body != entry->body)
                complain_of_entry(p, key, entry, "which has another body");
        else if (p->is_first_look && slot->size != 0 && slot->size != entry->size)
                complain_of_entry(p, key, entry, "which has another size");
        return TRUE;
}

/* A page that can't be read is complained of where pages are looked at. */
static gboolean
count_page(gpointer data, DbTxn *txn, const DbRows *row, GError **error)
{
        gint64 key = db_int(row, 0);
        ViewEntry entries[PAGE_ENTRIES];
        State states[PAGE_ENTRIES];
        guint n, n_states;

        if (!page_get(db_bytes(row, 2), (guint32) (key & G_MAXUINT32), entries, PAGE_ENTRIES, &n) ||
            !state_get(db_bytes(row, 3), states, &n_states) || n != n_states)
                return TRUE;
        for (guint i = 0; i < n; i++)
                if (entries[i].pack != 0 && states[i].fate != FATE_MOVED &&
                    !count_entry(data, txn, key, &entries[i], error))
                        return FALSE;
        return TRUE;
}

static gboolean
pack_is_different(const PackCheck *pack)
{
        for (guint i = 0; i < pack->n; i++)
                if (pack->slots[i].refs != pack->slots[i].found)
                        return TRUE;
        return FALSE;
}

/* Does its row say the same as before? One that is gone does not. */
static gboolean
is_as_before(DbTxn *txn, const PackCheck *pack, gboolean *ret, GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &PACK_REFS_OF, error, "i", pack->id);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        guint32 refs[PAGE_ENTRIES];
        guint n;

        *ret = step == DB_ROW && slot_refs_get(db_bytes(row, 0), refs, &n) && n == pack->n;
        for (guint i = 0; *ret && i < n; i++)
                *ret = refs[i] == pack->slots[i].refs;
        return step != DB_ROW_FAILED;
}

/* Those that are different, and whose rows are as they were. */
static gboolean
keep_different(Packs *p, GError **error)
{
        g_autoptr(DbTxn) own = NULL;
        DbTxn *txn = verify_snapshot(p->v, &own, error);
        g_autoptr(GPtrArray) kept = g_ptr_array_new_with_free_func(g_free);

        if (txn == NULL)
                return FALSE;
        for (guint i = 0; i < p->list->len; i++) {
                gboolean is_same = FALSE;
                if (pack_is_different(p->list->pdata[i]) && !is_as_before(txn, p->list->pdata[i], &is_same, error))
                        return FALSE;
                if (is_same)
                        g_ptr_array_add(kept, g_steal_pointer(&p->list->pdata[i]));
        }
        GPtrArray *all = p->list;
        p->list = g_steal_pointer(&kept);
        g_ptr_array_unref(all);
        return TRUE;
}

static void
forget_counts(const Packs *p)
{
        for (guint i = 0; i < p->list->len; i++) {
                PackCheck *pack = p->list->pdata[i];
                for (guint k = 0; k < pack->n; k++)
                        pack->slots[k].found = 0;
        }
}

static gboolean
look_once(Packs *p, GError **error)
{
        forget_counts(p);
        return verify_walk(p->v, &PAGES_TO_COUNT, count_page, p, error) && keep_different(p, error);
}

/* In one snapshot, as all of it was at one time. */
static gboolean
look_for_certain(Packs *p, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(p->v->store->db, error);
        const Verify *verify = p->v;
        Verify whole = *verify;

        if (txn == NULL)
                return FALSE;
        whole.whole = txn;
        p->v = &whole;
        gboolean is_done = look_once(p, error);
        p->v = verify;
        return is_done;
}

static gboolean
look(Packs *p, guint64 ended, GError **error)
{
        for (guint i = 0; i <= LOOKS && p->list->len > 0; i++) {
                p->is_first_look = i == 0;
                if (i < LOOKS ? !look_once(p, error) : !look_for_certain(p, error))
                        return FALSE;
                if (!verify_is_written_to(p->v, ended))
                        break;
                ended = verify_commits_ended(p->v);
        }
        for (guint i = 0; i < p->list->len; i++) {
                const PackCheck *pack = p->list->pdata[i];
                for (guint k = 0; k < pack->n; k++)
                        if (pack->slots[k].refs != pack->slots[k].found)
                                complain(p, pack->id, "slot %u counts %u references but has %u", k, pack->slots[k].refs,
                                         pack->slots[k].found);
        }
        return TRUE;
}

/* All ------------------------------------------------------------------------------------------------------------- */

/* One snapshot's worth of packs. */
static gboolean
list_some(Packs *p, guint room, gboolean *ret_over, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(p->v->store->db, error);
        Usec until = clock_in(p->v->snapshot);
        g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &PACKS_BEHIND, error, "ii", p->last, (gint64) room) : NULL;
        DbStep step;

        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                PackCheck *pack = g_new0(PackCheck, 1);
                g_ptr_array_add(p->list, pack);
                if (!check_pack(p, txn, pack, rows, error) || !check_between(p, txn, p->last, pack->id, error))
                        return FALSE;
                p->last = pack->id;
                if (clock_monotonic() >= until)
                        break;
        }
        *ret_over = step == DB_ROW_END && p->list->len < p->v->packs;
        return *ret_over ? check_between(p, txn, p->last, G_MAXINT64, error) : step != DB_ROW_FAILED;
}

static gboolean
check_all(Packs *p, GError **error)
{
        gboolean is_over = FALSE;

        while (!is_over) {
                guint64 ended = verify_commits_ended(p->v);
                p->after = p->last;
                g_ptr_array_set_size(p->list, 0);
                while (!is_over && p->list->len < p->v->packs)
                        if (!list_some(p, p->v->packs - p->list->len, &is_over, error))
                                return FALSE;
                if (is_over)
                        p->last = G_MAXINT64;
                if (!look(p, ended, error))
                        return FALSE;
        }
        return TRUE;
}

gboolean
verify_packs(const Verify *v, GError **error)
{
        Packs p = {.v = v, .unpacker = unpacker_new(), .list = g_ptr_array_new_with_free_func(g_free), .last = -1};
        gboolean is_done = p.unpacker != NULL ? check_all(&p, error) : fault(error, FAULT_BUSY, "no memory to unpack");

        g_ptr_array_unref(p.list);
        unpacker_free(p.unpacker);
        return is_done;
}

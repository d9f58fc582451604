/* healing.c -- what was computed of messages and is stored damaged is made again from the messages, and stored anew.
 *
 * Who reads it takes what he can't read for missing, and makes it again for himself (cursor.c); that it was so is noted
 * here, and the next pass of packing looks. A note is a hint: what it is of is read again before anything is made. One
 * that is lost, because there are many or the server ends, comes back with the next reader.
 *
 * 1. Only what can be computed is: the sections of a summary. A copy's prefix and cuts (PACK_COPY) were given, and so
 * were references and the bodies of slots: nothing here touches them.
 * 2. Messages are read without any transaction; the one that writes looks whether the pack is still there.
 */
#include "store/change.h"
#include "store/internal.h"
#include "store/mailbox.h"

#define NOTED_MAX 1024
#define HEALED_OCTETS (40 * 1024 * 1024)

struct Healing {
        Mutex lock; /* a leaf */
        GArray *packs, *bodies;
};

Healing *
healing_new(void)
{
        Healing *healing = g_new0(Healing, 1);

        mutex_init(&healing->lock, "store.healing");
        healing->packs = g_array_new(FALSE, FALSE, sizeof(gint64));
        healing->bodies = g_array_new(FALSE, FALSE, sizeof(gint64));
        return healing;
}

void
healing_free(Healing *healing)
{
        if (healing == NULL)
                return;
        g_array_unref(healing->packs);
        g_array_unref(healing->bodies);
        mutex_done(&healing->lock);
        g_free(healing);
}

/* Notes -------------------------------------------------------------------------------------------------------------
 */

static void
note(Healing *healing, GArray *list, gint64 id)
{
        MUTEX_SCOPE(&healing->lock);
        for (guint i = 0; i < list->len; i++)
                if (g_array_index(list, gint64, i) == id)
                        return;
        if (list->len < NOTED_MAX)
                g_array_append_val(list, id);
}

void
healing_note_pack(Store *store, gint64 pack)
{
        note(store->healing, store->healing->packs, pack);
}

void
healing_note_body(Store *store, gint64 body)
{
        note(store->healing, store->healing->bodies, body);
}

/* 0: none is left. */
static gint64
note_take(Healing *healing, GArray *list)
{
        MUTEX_SCOPE(&healing->lock);
        if (list->len == 0)
                return 0;
        gint64 id = g_array_index(list, gint64, list->len - 1);
        g_array_set_size(list, list->len - 1);
        return id;
}

/* A pack ------------------------------------------------------------------------------------------------------------
 */

DB_SQL(PACK_GET, "SELECT bodies, refs FROM pack WHERE id = ?");
DB_SQL(PART_PUT,
       "INSERT INTO pack_part (key, data) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET data = excluded.data");

typedef struct Patient {
        Store *store;
        gint64 pack;
        guint n; /* slots; 0: there is no such pack, or nobody knows its bodies */
        gint64 bodies[PAGE_ENTRIES];
        guint32 refs[PAGE_ENTRIES];
        gboolean is_damaged[PACK_COPY];
        guint n_damaged;
        PackItems items;
        Arena *arena; /* theirs */
        GByteArray *parts[PACK_COPY];
} Patient;

static Patient *
patient_new(Store *store, gint64 pack)
{
        Patient *p = g_new0(Patient, 1);

        p->store = store;
        p->pack = pack;
        p->arena = arena_new(HEALED_OCTETS);
        for (guint i = 0; i < PACK_COPY; i++)
                p->parts[i] = g_byte_array_new();
        return p;
}

static void
patient_free(Patient *p)
{
        for (guint i = 0; i < PACK_COPY; i++)
                g_byte_array_unref(p->parts[i]);
        arena_free(p->arena);
        g_free(p);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Patient, patient_free)

static gboolean
patient_look_at_parts(Patient *p, DbTxn *txn, GError **error)
{
        g_autoptr(Unpacker) unpacker = unpacker_new();

        if (unpacker == NULL)
                return fault(error, FAULT_BUSY, "no memory to unpack with");
        for (guint i = 0; i < PACK_COPY; i++) {
                g_autoptr(PackedPart) part = NULL;
                gboolean is_damaged;
                if (!pack_read(txn, unpacker, p->pack, i, &part, &is_damaged, error))
                        return FALSE;
                p->is_damaged[i] = part == NULL || part->n != p->n;
                p->n_damaged += p->is_damaged[i];
        }
        return TRUE;
}

static gboolean
patient_look(Patient *p, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(p->store->db, error);
        g_autoptr(DbRows) row = txn != NULL ? db_query(txn, &PACK_GET, error, "i", p->pack) : NULL;
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        guint n_refs;

        if (step != DB_ROW)
                return step == DB_ROW_END;
        if (!bodies_get(db_bytes(row, 0), p->bodies, &p->n) || !slot_refs_get(db_bytes(row, 1), p->refs, &n_refs) ||
            n_refs != p->n) {
                p->n = 0; /* verify complains of it */
                return TRUE;
        }
        return patient_look_at_parts(p, txn, error);
}

/* A body that can't be read has no sections; slots that nobody names need none. */
static gboolean
patient_make(Patient *p, GError **error)
{
        g_autoptr(Packer) packer = packer_new();

        if (packer == NULL)
                return fault(error, FAULT_BUSY, "no memory to pack with");
        for (guint slot = 0; slot < p->n; slot++) {
                g_autoptr(GError) why = NULL;
                StoredSummary sections = {0};
                if (p->refs[slot] > 0 && summary_make_again(p->store, p->arena, p->bodies[slot], &sections, &why) &&
                    sections.structure.data != NULL)
                        pack_items_take(&p->items, slot, &sections);
        }
        for (guint i = 0; i < PACK_COPY; i++) {
                if (!p->is_damaged[i])
                        continue;
                pack_items_bound(&p->items, i, p->n);
                part_put(packer, p->parts[i], p->items.of[i], p->n);
        }
        return TRUE;
}

static ChangeAnswer
patient_work(gpointer data, DbTxn *txn, GError **error)
{
        const Patient *p = data;
        gboolean is_there;

        if (!pack_is_there(txn, p->pack, &is_there, error))
                return CHANGED_FAILED;
        for (guint i = 0; is_there && i < PACK_COPY; i++)
                if (p->is_damaged[i] && !db_run(txn, &PART_PUT, error, "ib", p->pack * KEYS_OF_PACK + (gint64) i,
                                                span_make(p->parts[i]->data, p->parts[i]->len)))
                        return CHANGED_FAILED;
        return CHANGED_DONE;
}

static PackWork
pack_heal(Store *store, gint64 pack, GError **error)
{
        g_autoptr(Patient) p = patient_new(store, pack);

        if (!patient_look(p, error))
                return PACK_FAILED;
        if (p->n_damaged == 0)
                return PACK_AGAIN;
        if (!patient_make(p, error) || change_run(store, FALSE, patient_work, p, error) != CHANGED_DONE)
                return PACK_FAILED;
        log_event(&STORE_EVENTS[STORE_EVENT_HEALED], "pack=%" G_GINT64_FORMAT " parts=%u", pack, p->n_damaged);
        return PACK_AGAIN;
}

/* A body ------------------------------------------------------------------------------------------------------------
 */

DB_SQL(SUMMARY_GET, "SELECT summary FROM body WHERE id = ?");

typedef struct Ill {
        gint64 body;
        Span summary;
} Ill;

static gboolean
body_is_ill(Store *store, gint64 body, gboolean *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        g_autoptr(DbRows) row = txn != NULL ? db_query(txn, &SUMMARY_GET, error, "i", body) : NULL;
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        StoredSummary summary;

        *ret = step == DB_ROW && db_bytes(row, 0).len > 0 && !summary_decode(db_bytes(row, 0), &summary);
        return step != DB_ROW_FAILED;
}

static ChangeAnswer
body_work(gpointer data, DbTxn *txn, GError **error)
{
        const Ill *ill = data;

        return blob_set_summary(txn, ill->body, ill->summary, error) ? CHANGED_DONE : CHANGED_FAILED;
}

/* What can't be summarised any more has none: who asks makes it again. */
static PackWork
body_heal(Store *store, gint64 body, GError **error)
{
        g_autoptr(Arena) arena = arena_new(HEALED_OCTETS);
        Ill ill = {.body = body};
        gboolean is_ill;

        if (!body_is_ill(store, body, &is_ill, error))
                return PACK_FAILED;
        if (!is_ill)
                return PACK_AGAIN;
        if (!summary_of_body(store, arena, body, &ill.summary, error) ||
            change_run(store, FALSE, body_work, &ill, error) != CHANGED_DONE)
                return PACK_FAILED;
        log_event(&STORE_EVENTS[STORE_EVENT_HEALED], "body=%" G_GINT64_FORMAT, body);
        return PACK_AGAIN;
}

PackWork
healing_step(Store *store, GError **error)
{
        Healing *healing = store->healing;
        gint64 id;

        if ((id = note_take(healing, healing->packs)) != 0)
                return pack_heal(store, id, error);
        if ((id = note_take(healing, healing->bodies)) != 0)
                return body_heal(store, id, error);
        return PACK_IDLE;
}

/* import.c -- what has been imported, and whose UIDs a mailbox has.
 *
 * 1. A row of import_seen stands exactly for entries that were appended in its own transaction.
 * 2. While a mailbox has the UIDVALIDITY of its source, each UID that the source has given stands for the same message in both.
 */
#include "store/import.h"
#include "store/internal.h"
#include "store/tree.h"

#define UIDS_KEPT_MAX ((guint32) 1 << 31) /* a source that is nearly out of UIDs keeps them to itself */
#define VALIDITY_AHEAD (USEC_PER_DAY / USEC_PER_SEC)
#define FORGET_SLICE 2000

DB_SQL(SOURCE_FIND, "SELECT id FROM import_source WHERE mailbox = ? AND name = ?");
DB_SQL(SOURCE_ADD, "INSERT INTO import_source (mailbox, name) VALUES (?, ?)");
DB_SQL(VALIDITY_GET, "SELECT uid_validity FROM mailbox WHERE id = ? AND deleted_at IS NULL");
DB_SQL(VALIDITY_SET, "UPDATE mailbox SET uid_validity = ? WHERE id = ?");

gboolean
store_import_find(Store *store, gint64 mailbox, const char *name, guint32 uid_validity, ImportSource *ret,
                  GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        gint64 id = 0, validity = 0;

        if (txn == NULL || db_get_int(txn, &SOURCE_FIND, &id, error, "is", mailbox, name) == DB_ROW_FAILED ||
            db_get_int(txn, &VALIDITY_GET, &validity, error, "i", mailbox) == DB_ROW_FAILED)
                return FALSE;
        *ret = (ImportSource){id, mailbox, uid_validity != 0 && validity == uid_validity};
        return TRUE;
}

/* UIDVALIDITY ------------------------------------------------------------------------------------------------------ */

/* MAILBOXID is another one too. */
static gboolean
set_validity(Store *store, DbTxn *txn, Slot *slot, gint64 validity, GError **error)
{
        if (!db_run(txn, &VALIDITY_SET, error, "ii", validity, slot->id))
                return FALSE;
        slot->uid_validity = (guint32) validity;
        touch(store, txn, slot->id, MARK_ROW, 0);
        touch(store, txn, slot->account, MARK_TREE, 0);
        return TRUE;
}

static gboolean
may_take_over(const Slot *slot, guint32 uid_validity)
{
        return uid_validity != 0 && slot->uid_validity != uid_validity && slot->uid_next <= 1 && slot->n_tail == 0 &&
               slot->folded == 0 && uid_validity <= clock_real() / USEC_PER_SEC + VALIDITY_AHEAD;
}

typedef struct Beginning {
        Store *store;
        gint64 mailbox;
        const char *name;
        guint32 uid_validity;
        ImportSource found; /* what one run gives: it may be run again */
} Beginning;

static ChangeAnswer
begin_work(gpointer data, DbTxn *txn, GError **error)
{
        Beginning *b = data;
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(b->store, txn, b->mailbox, &slot, error));

        if (answer != CHANGED_DONE)
                return answer;
        b->found = (ImportSource){0, b->mailbox, b->uid_validity != 0 && slot->uid_validity == b->uid_validity};
        if (may_take_over(slot, b->uid_validity)) {
                if (!mailbox_reserve_validity(txn, b->uid_validity, error) ||
                    !set_validity(b->store, txn, slot, b->uid_validity, error))
                        return CHANGED_FAILED;
                b->found.keeps_uids = TRUE;
        }
        switch (db_get_int(txn, &SOURCE_FIND, &b->found.id, error, "is", b->mailbox, b->name)) {
        case DB_ROW:
                return CHANGED_DONE;
        case DB_ROW_FAILED:
                return CHANGED_FAILED;
        case DB_ROW_END:
                break;
        }
        if (!db_run(txn, &SOURCE_ADD, error, "is", b->mailbox, b->name))
                return CHANGED_FAILED;
        b->found.id = db_last_id(txn);
        return CHANGED_DONE;
}

ChangeAnswer
store_import_begin(Store *store, gint64 mailbox, const char *name, guint32 uid_validity, ImportSource *ret,
                   GError **error)
{
        Beginning b = {.store = store, .mailbox = mailbox, .name = name, .uid_validity = uid_validity};
        ChangeAnswer answer = change_run(store, FALSE, begin_work, &b, error);

        if (answer == CHANGED_DONE)
                *ret = b.found;
        return answer;
}

/* Keys ------------------------------------------------------------------------------------------------------------- */

DB_SQL(KEYS_AFTER, "SELECT key FROM import_seen WHERE source = ? AND key > ? ORDER BY key LIMIT ?");
DB_SQL(KEY_ADD, "INSERT INTO import_seen (source, key) VALUES (?, ?)");

gboolean
store_import_keys(Store *store, Arena *arena, gint64 source, const char *after, gsize max, const char ***ret,
                  gsize *ret_n, GError **error)
{
        const char **keys = arena_new_array(arena, const char *, max);
        DbStep step = DB_ROW_FAILED;
        gsize n = 0;

        if (keys == NULL)
                return fault(error, FAULT_BUSY, "no room for the keys of an import");
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        g_autoptr(DbRows) rows =
                txn != NULL ? db_query(txn, &KEYS_AFTER, error, "isi", source, after, (gint64) max) : NULL;
        while (rows != NULL && n < max && (step = db_rows_next(rows, error)) == DB_ROW)
                if ((keys[n++] = arena_strdup(arena, db_text(rows, 0))) == NULL)
                        return fault(error, FAULT_BUSY, "no room for the keys of an import");
        if (rows == NULL || step == DB_ROW_FAILED)
                return FALSE;
        *ret = keys;
        *ret_n = n;
        return TRUE;
}

/* Appending -------------------------------------------------------------------------------------------------------- */

typedef struct Importing {
        Store *store;
        ImportBatch *batch;
        guint32 *uids; /* as the source has them; an append is told in messages[i].uid */
} Importing;

/* A UID of the source that is given here already, to something else. */
static gboolean
uids_collide(const Importing *im, const Slot *slot)
{
        for (gsize i = 0; i < im->batch->n; i++)
                if (im->uids[i] != 0)
                        return im->uids[i] < slot->uid_next; /* they rise */
        return FALSE;
}

static gboolean
uids_rise(const Importing *im)
{
        guint32 last = 0;

        for (gsize i = 0; i < im->batch->n; i++) {
                if (im->uids[i] != 0 && (im->uids[i] <= last || im->uids[i] >= UIDS_KEPT_MAX))
                        return FALSE;
                last = im->uids[i] != 0 ? im->uids[i] : UIDS_KEPT_MAX; /* none may follow one without */
        }
        return TRUE;
}

static void
raise_uid_next(Slot *slot, guint32 uid_next)
{
        if (uid_next < UIDS_KEPT_MAX && (slot->copying == 0 || uid_next < slot->copying))
                slot->uid_next = MAX(slot->uid_next, uid_next);
}

/* A UIDVALIDITY of its own: UIDs are given from here on as for any message. */
static ChangeAnswer
give_up_uids(Importing *im, DbTxn *txn, Slot *slot, GError **error)
{
        gint64 validity;

        im->batch->ret_keeps_uids = FALSE;
        return mailbox_take_validity(txn, &validity, error) && set_validity(im->store, txn, slot, validity, error)
                       ? CHANGED_DONE
                       : CHANGED_FAILED;
}

/* The first message of the batch that has no UID of the source gets one behind all of those. */
static void
set_uids(Importing *im)
{
        ImportBatch *b = im->batch;
        guint32 behind = b->uid_next < UIDS_KEPT_MAX ? b->uid_next : 0;

        for (gsize i = 0; i < b->n; i++) {
                b->messages[i].uid = b->ret_keeps_uids ? im->uids[i] : 0;
                if (b->ret_keeps_uids && im->uids[i] == 0 && behind != 0) {
                        b->messages[i].uid = behind;
                        behind = 0;
                }
        }
}

static ChangeAnswer
add_keys(Importing *im, DbTxn *txn, GError **error)
{
        ImportBatch *b = im->batch;

        for (gsize i = 0; i < b->n; i++) {
                if (db_run(txn, &KEY_ADD, error, "is", b->source.id, b->keys[i]))
                        continue;
                b->ret_is_twice = db_was_conflict(txn);
                return CHANGED_FAILED;
        }
        return CHANGED_DONE;
}

static ChangeAnswer
import_before(gpointer data, DbTxn *txn, Slot *slot, GError **error)
{
        Importing *im = data;
        ImportBatch *b = im->batch;
        ChangeAnswer answer = CHANGED_DONE;

        b->ret_keeps_uids = b->source.keeps_uids;
        b->ret_is_twice = FALSE;
        if (b->ret_keeps_uids && (uids_collide(im, slot) || !uids_rise(im)))
                answer = give_up_uids(im, txn, slot, error);
        set_uids(im);
        return answer == CHANGED_DONE ? add_keys(im, txn, error) : answer;
}

ChangeAnswer
store_import_append(Store *store, ImportBatch *batch, GError **error)
{
        g_autofree guint32 *uids = g_new0(guint32, batch->n);
        Importing im = {store, batch, uids};
        AppendHook hook = {import_before, &im, batch->is_over_quota};
        guint32 uid_validity;

        g_assert(batch->n > 0 && batch->n <= IMPORT_BATCH_MAX);
        for (gsize i = 0; i < batch->n; i++)
                uids[i] = batch->messages[i].uid;
        return append_with_hook(store, batch->source.mailbox, batch->reader, batch->messages, batch->n, NULL, &hook,
                                &uid_validity, error);
}

/* The end ---------------------------------------------------------------------------------------------------------- */

typedef struct Ending {
        Store *store;
        gint64 mailbox;
        guint32 uid_next;
} Ending;

static ChangeAnswer
end_work(gpointer data, DbTxn *txn, GError **error)
{
        Ending *e = data;
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(e->store, txn, e->mailbox, &slot, error));

        if (answer != CHANGED_DONE)
                return answer;
        raise_uid_next(slot, e->uid_next);
        return slot_save(e->store, txn, slot, NULL, error) ? CHANGED_DONE : CHANGED_FAILED;
}

ChangeAnswer
store_import_end(Store *store, const ImportSource *source, guint32 uid_next, GError **error)
{
        Ending e = {store, source->mailbox, uid_next};

        return source->keeps_uids ? change_run(store, FALSE, end_work, &e, error) : CHANGED_DONE;
}

/* Forgetting ------------------------------------------------------------------------------------------------------- */

DB_SQL(SOURCE_OF_MAILBOX, "SELECT id FROM import_source WHERE mailbox = ? LIMIT 1");
DB_SQL(SOURCE_OF_ACCOUNT, "SELECT s.id FROM import_source s, mailbox m WHERE s.mailbox = m.id AND m.account = ?"
                          " AND substr(s.name, 1, length(?)) = ? LIMIT 1");
DB_SQL(KEYS_DROP, "DELETE FROM import_seen WHERE source = ? AND key IN"
                  " (SELECT key FROM import_seen WHERE source = ? ORDER BY key LIMIT ?)");
DB_SQL(SOURCE_DROP, "DELETE FROM import_source WHERE id = ?");

/* Some keys of a source, then its row. *ret_keys: how many went. */
static gboolean
forget_some(DbTxn *txn, gint64 source, gint64 *ret_keys, GError **error)
{
        if (!db_run(txn, &KEYS_DROP, error, "iii", source, source, (gint64) FORGET_SLICE))
                return FALSE;
        *ret_keys = db_changes(txn);
        return *ret_keys == FORGET_SLICE || db_run(txn, &SOURCE_DROP, error, "i", source);
}

gboolean
import_forget_mailbox(DbTxn *txn, gint64 mailbox, gboolean *ret_more, GError **error)
{
        gint64 source, keys;
        DbStep step = db_get_int(txn, &SOURCE_OF_MAILBOX, &source, error, "i", mailbox);

        *ret_more = step == DB_ROW;
        return step == DB_ROW ? forget_some(txn, source, &keys, error) : step == DB_ROW_END;
}

typedef struct Forgetting {
        gint64 account;
        const char *prefix;
        gint64 keys; /* what one run gives: it may be run again */
        gboolean more;
} Forgetting;

static ChangeAnswer
forget_work(gpointer data, DbTxn *txn, GError **error)
{
        Forgetting *f = data;
        gint64 source;
        DbStep step = db_get_int(txn, &SOURCE_OF_ACCOUNT, &source, error, "iss", f->account, f->prefix, f->prefix);

        f->keys = 0;
        f->more = step == DB_ROW;
        if (step != DB_ROW)
                return step == DB_ROW_END ? CHANGED_DONE : CHANGED_FAILED;
        return forget_some(txn, source, &f->keys, error) ? CHANGED_DONE : CHANGED_FAILED;
}

gboolean
store_import_forget(Store *store, gint64 account, const char *prefix, guint64 *ret_messages, GError **error)
{
        Forgetting f = {.account = account, .prefix = prefix};
        guint64 messages = 0;

        do {
                if (change_run(store, TRUE, forget_work, &f, error) != CHANGED_DONE)
                        return FALSE;
                messages += (guint64) f.keys;
        } while (f.more);
        *ret_messages = messages;
        return TRUE;
}

/* store.c -- delivery into a mailbox, removal of an account, and looking. */
#include "store/internal.h"
#include "store/tree.h"

#define REMOVE_MAILBOXES 100 /* in one transaction, unless one of them is large */

Store *
store_new(Db *db, Blob *blob, Directory *directory)
{
        Store *store = g_new0(Store, 1);

        store->db = db;
        store->blob = blob;
        store->directory = directory;
        store->numbers = numbers_new();
        store->registry = registry_new();
        store->recent = recent_new();
        store->parts = parts_new();
        store->pace = pace_new();
        store->claims = claims_new();
        store->stage_min = 65536;
        store->slice_cost = 5000;
        mutex_init(&store->lock, "store.maildrops");
        store->open_drops = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        return store;
}

void
store_free(Store *store)
{
        if (store == NULL)
                return;
        search_index_free(store->search);
        registry_free(store->registry);
        recent_free(store->recent);
        parts_free(store->parts);
        pace_free(store->pace);
        claims_free(store->claims);
        numbers_free(store->numbers);
        g_hash_table_unref(store->open_drops);
        mutex_done(&store->lock);
        g_free(store);
}

/* Delivery --------------------------------------------------------------------------------------------------------- */

DB_SQL(ENTRY_ADD, "INSERT INTO entry (mailbox, uid, body, size, received, saved, flags, modseq, message, prefix, cuts)"
                  " VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)");
DB_SQL(MAILBOX_ID, "SELECT id FROM mailbox WHERE account = ? AND name = ?");

static const char *
mailbox_canonical(const char *name)
{
        return g_ascii_strcasecmp(name, "INBOX") == 0 ? "INBOX" : name;
}

/* Is there room for one more copy? An empty one needs room too. */
static StoreAnswer
check_quota(Store *store, DbTxn *txn, const StoreDelivery *delivery, guint64 size, GError **error)
{
        const Limits limits = {delivery->quota_messages, delivery->quota_octets};

        if (limits.octets == 0 && limits.messages == 0)
                return STORE_DONE;
        const Usage *used = usage_of(store, txn, delivery->account, error);
        if (used == NULL)
                return STORE_FAILED;
        return limits_allow(&limits, used, 1, MAX(size, 1)) ? STORE_DONE : STORE_OVER_QUOTA;
}

/* Nothing in memory changes before the row is there: a caller may go on in the transaction after a failure. */
StoreAnswer
store_deliver(Store *store, DbTxn *txn, const StoreDelivery *delivery, gint64 *ret_uid, GError **error)
{
        const Copy *copy = delivery->copy;
        guint64 size = copy_size(copy);
        guint8 cuts[COPY_CUTS_STORED_MAX];
        Slot *slot = NULL;

        StoreAnswer answer = check_quota(store, txn, delivery, size, error);
        if (answer == STORE_DONE)
                answer =
                        slot_by_name(store, txn, delivery->account, mailbox_canonical(delivery->mailbox), &slot, error);
        if (answer != STORE_DONE)
                return answer;
        if (slot_is_full(slot)) {
                (void) fault(error, FAULT_FULL, "mailbox %" G_GINT64_FORMAT " has used up its UIDs%s", slot->id,
                             slot->copying != 0 ? " until what is copied into it is there" : "");
                return STORE_FAILED;
        }
        Span stored = span_make(cuts, copy_put_cuts(copy->cuts, copy->n_cuts, cuts));
        if (!slot_ripen(txn, slot, 1, error) ||
            !db_run(txn, &ENTRY_ADD, error, "iiiiiiiibb", slot->id, (gint64) slot->uid_next, copy->body, (gint64) size,
                    (gint64) delivery->received, (gint64) delivery->received, (gint64) slot->modseq + 1,
                    (gint64) delivery->message, copy->prefix, stored))
                return STORE_FAILED;
        if (ret_uid != NULL)
                *ret_uid = (gint64) slot->uid_next;
        slot->uid_next++;
        slot->modseq++;
        slot->n_tail++;
        slot->n_rows++;
        touch(store, txn, slot->id, MARK_TAIL, 0);
        usage_add(store, txn, slot->account, 1, (gint64) size);
        return STORE_DONE;
}

StoreAnswer
store_has_mailbox(Store *store, DbTxn *txn, gint64 account, const char *name, GError **error)
{
        gint64 id;

        name = mailbox_canonical(name);
        if (strcmp(name, "INBOX") == 0)
                return STORE_DONE;
        switch (db_get_int(txn, &MAILBOX_ID, &id, error, "is", account, name)) {
        case DB_ROW:
                return STORE_DONE;
        case DB_ROW_END:
                return STORE_NO_MAILBOX;
        case DB_ROW_FAILED:
        default:
                return STORE_FAILED;
        }
}

gboolean
store_usage(Store *store, gint64 account, guint64 *ret_messages, guint64 *ret_octets, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);

        return txn != NULL && usage_read(txn, account, ret_messages, ret_octets, error);
}

/* Removal ---------------------------------------------------------------------------------------------------------- */

DB_SQL(MAILBOX_OF_ACCOUNT, "SELECT id FROM mailbox WHERE account = ? ORDER BY id LIMIT 1");

gboolean
store_remove_account(Store *store, DbTxn *txn, gint64 account, gboolean *ret_more, GError **error)
{
        gint64 mailbox;
        gboolean more;

        numbers_forget_account(store, account);
        tree_changed(store, txn, account);
        for (guint i = 0; i < REMOVE_MAILBOXES; i++) {
                switch (db_get_int(txn, &MAILBOX_OF_ACCOUNT, &mailbox, error, "i", account)) {
                case DB_ROW:
                        break;
                case DB_ROW_END:
                        return tree_forget_account(txn, account, ret_more, error);
                case DB_ROW_FAILED:
                default:
                        return FALSE;
                }
                if (!mailbox_empty(store, txn, mailbox, &more, error))
                        return FALSE;
                if (more)
                        break;
        }
        *ret_more = TRUE;
        return TRUE;
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

DB_SQL(MAILBOXES_FROM, "SELECT id, name FROM mailbox WHERE account = ? AND deleted_at IS NULL AND name >= ?"
                       " ORDER BY name LIMIT ?");

#define LOOK_MAILBOXES 100

typedef struct Listing {
        Store *store;
        Arena *arena;
        gint64 account;
        StoreRow *rows;
        gsize n, max;
} Listing;

typedef struct Named {
        gint64 id;
        const char *name;
} Named;

static gboolean
no_memory(gsize max, GError **error)
{
        return fault(error, FAULT_BUSY, "no memory for %zu rows of an account", max);
}

static gboolean
list_mailboxes(const Listing *look, const char *from, Named *ret, guint *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(look->store->db, error);
        g_autoptr(DbRows) rows = txn == NULL ? NULL
                                             : db_query(txn, &MAILBOXES_FROM, error, "isi", look->account, from,
                                                        (gint64) LOOK_MAILBOXES);
        DbStep step = DB_ROW_FAILED;
        guint n = 0;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW && n < LOOK_MAILBOXES) {
                ret[n] = (Named){db_int(rows, 0), arena_strndup(look->arena, db_bytes(rows, 1))};
                if (ret[n++].name == NULL)
                        return no_memory(look->max, error);
        }
        *ret_n = n;
        return step != DB_ROW_FAILED;
}

static gboolean
look_into(Listing *look, const Named *mailbox, gint64 after_uid, GError **error)
{
        g_autoptr(View) view = NULL;

        switch (store_view_open(look->store, mailbox->id, look->account, &view, error)) {
        case STORE_DONE:
                break;
        case STORE_NO_MAILBOX: /* removed meanwhile */
                return TRUE;
        case STORE_OVER_QUOTA:
        case STORE_FAILED:
        default:
                return FALSE;
        }
        guint32 i = after_uid >= (gint64) UID_MAX ? view_count(view) : view_index_of(view, (guint32) after_uid + 1);
        for (; i < view_count(view) && look->n < look->max; i++) {
                const ViewEntry *entry = view_entry(view, i);
                look->rows[look->n++] = (StoreRow){
                        .account = look->account,
                        .mailbox = mailbox->name,
                        .uid = entry->uid,
                        .message = entry->message,
                        .size = entry->size,
                        .received = entry->received,
                };
        }
        return TRUE;
}

gboolean
store_rows(Store *store, Arena *arena, gint64 account, const char *after_mailbox, gint64 after_uid, gsize max,
           const StoreRow **ret, gsize *ret_n, GError **error)
{
        const char *from = after_mailbox != NULL ? after_mailbox : "";
        Listing look = {.store = store, .arena = arena, .account = account, .max = max};
        Named mailboxes[LOOK_MAILBOXES];
        guint n = LOOK_MAILBOXES;

        look.rows = arena_new_array(arena, StoreRow, max);
        if (look.rows == NULL)
                return no_memory(max, error);
        while (look.n < max && n == LOOK_MAILBOXES) {
                if (!list_mailboxes(&look, from, mailboxes, &n, error))
                        return FALSE;
                for (guint i = 0; i < n && look.n < max; i++) {
                        gboolean is_first = strcmp(mailboxes[i].name, from) == 0;
                        if (!look_into(&look, &mailboxes[i], is_first ? after_uid : 0, error))
                                return FALSE;
                }
                if (n == LOOK_MAILBOXES) {
                        from = mailboxes[n - 1].name; /* once more, with nothing behind what was seen of it */
                        after_uid = (gint64) UID_MAX;
                }
        }
        *ret = look.rows;
        *ret_n = look.n;
        return TRUE;
}

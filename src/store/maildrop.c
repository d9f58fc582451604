/* The maildrop keeps 24 octets a message; everything else is read when a message is asked for. New mail gets higher
 * UIDs than any in the list and UIDs never come back, so a run of neighbours in the list is a range of UIDs. */
#include "store/internal.h"

#define MESSAGES_MAX 1000000
#define LIST_PAGE 20000 /* rows of one read transaction */
#define REMOVE_SLICE 1000
#define AHEAD_MAX 16 /* messages looked up at once by who reads one after the other */

typedef struct Item {
        gint64 uid;
        guint64 size;
        gboolean is_deleted;
} Item;

/* What a look-up found of a message: all but its octets. */
typedef struct LookedUp {
        guint32 i;
        BlobPlace place;
        MaildropMessage *message;
} LookedUp;

struct Maildrop {
        Store *store;
        gint64 account, mailbox; /* mailbox 0: there is no INBOX yet */
        gint64 uid_validity;
        Item *items;
        guint32 n, room;
        guint32 n_deleted;
        guint64 octets;  /* of the undeleted ones */
        LookedUp *ahead; /* AHEAD_MAX of them, from the first message on; the next one asked for is at ahead_at */
        guint n_ahead, ahead_at;
};

/* Opening ---------------------------------------------------------------------------------------------------------- */

DB_SQL(INBOX_OF_ACCOUNT,
       "SELECT m.id, m.uid_validity, (SELECT count(*) FROM entry e WHERE e.mailbox = m.id) FROM mailbox m"
       " WHERE m.account = ? AND m.name = 'INBOX'");
DB_SQL(INBOX_LIST, "SELECT uid, size FROM entry WHERE mailbox = ? AND uid > ? ORDER BY uid LIMIT ?");

static gboolean
lock_drop(Store *store, gint64 account)
{
        MUTEX_SCOPE(&store->lock);

        if (g_hash_table_contains(store->open_drops, &account))
                return FALSE;
        g_hash_table_add(store->open_drops, g_memdup2(&account, sizeof(account)));
        return TRUE;
}

static void
ahead_forget(Maildrop *drop)
{
        for (guint k = drop->ahead_at; k < drop->n_ahead; k++)
                store_message_close(drop->ahead[k].message);
        drop->n_ahead = drop->ahead_at = 0;
}

void
store_maildrop_close(Maildrop *drop)
{
        if (drop == NULL)
                return;
        ahead_forget(drop);
        g_free(drop->ahead);
        mutex_lock(&drop->store->lock);
        g_hash_table_remove(drop->store->open_drops, &drop->account);
        mutex_unlock(&drop->store->lock);
        g_free(drop->items);
        g_free(drop);
}

static gboolean
find_inbox(Maildrop *drop, DbTxn *txn, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &INBOX_OF_ACCOUNT, error, "i", drop->account);

        if (rows == NULL)
                return FALSE;
        switch (db_rows_next(rows, error)) {
        case DB_ROW:
                drop->mailbox = db_int(rows, 0);
                drop->uid_validity = db_int(rows, 1);
                drop->room = (guint32) CLAMP(db_int(rows, 2), 0, MESSAGES_MAX);
                break;
        case DB_ROW_END:
                break;
        case DB_ROW_FAILED:
        default:
                return FALSE;
        }
        drop->items = g_try_new(Item, drop->room);
        return drop->room == 0 || drop->items != NULL ||
               fault(error, FAULT_BUSY, "no memory for a list of %u messages", drop->room);
}

/* One page of the list; *ret_more when it was full. */
static gboolean
list_page(Maildrop *drop, DbTxn *txn, gboolean *ret_more, GError **error)
{
        guint32 page = MIN(LIST_PAGE, drop->room - drop->n), from = drop->n;
        gint64 after = from > 0 ? drop->items[from - 1].uid : 0;
        DbStep step;

        g_autoptr(DbRows) rows = db_query(txn, &INBOX_LIST, error, "iii", drop->mailbox, after, (gint64) page);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && drop->n < from + page) {
                guint64 size = (guint64) db_int(rows, 1);
                drop->items[drop->n++] = (Item){.uid = db_int(rows, 0), .size = size};
                drop->octets += size;
        }
        *ret_more = drop->n == from + page && drop->n < drop->room;
        return step != DB_ROW_FAILED;
}

static gboolean
list_inbox(Maildrop *drop, GError **error)
{
        gboolean more = TRUE;

        g_autoptr(DbTxn) first = db_begin_read(drop->store->db, error);
        if (first == NULL || !find_inbox(drop, first, error))
                return FALSE;
        if (drop->room == 0)
                return TRUE;
        if (!list_page(drop, first, &more, error))
                return FALSE;
        db_txn_free(g_steal_pointer(&first));

        while (more) {
                g_autoptr(DbTxn) txn = db_begin_read(drop->store->db, error);
                if (txn == NULL || !list_page(drop, txn, &more, error))
                        return FALSE;
        }
        return TRUE;
}

MaildropAnswer
store_maildrop_open(Store *store, gint64 account, Maildrop **ret, GError **error)
{
        if (!lock_drop(store, account))
                return MAILDROP_IN_USE;

        g_autoptr(Maildrop) drop = g_new0(Maildrop, 1);
        drop->store = store;
        drop->account = account;
        if (!list_inbox(drop, error))
                return MAILDROP_FAILED;
        *ret = g_steal_pointer(&drop);
        return MAILDROP_OPEN;
}

/* The list --------------------------------------------------------------------------------------------------------- */

guint32
store_maildrop_count(const Maildrop *drop)
{
        return drop->n;
}

guint64
store_maildrop_octets(const Maildrop *drop)
{
        return drop->octets;
}

guint32
store_maildrop_undeleted(const Maildrop *drop)
{
        return drop->n - drop->n_deleted;
}

guint64
store_maildrop_size(const Maildrop *drop, guint32 i)
{
        g_assert(i < drop->n);
        return drop->items[i].size;
}

gboolean
store_maildrop_is_deleted(const Maildrop *drop, guint32 i)
{
        g_assert(i < drop->n);
        return drop->items[i].is_deleted;
}

void
store_maildrop_delete(Maildrop *drop, guint32 i)
{
        g_assert(i < drop->n);
        if (drop->items[i].is_deleted)
                return;
        drop->items[i].is_deleted = TRUE;
        drop->n_deleted++;
        drop->octets -= drop->items[i].size;
}

void
store_maildrop_reset(Maildrop *drop)
{
        for (guint32 i = 0; i < drop->n && drop->n_deleted > 0; i++) {
                if (!drop->items[i].is_deleted)
                        continue;
                drop->items[i].is_deleted = FALSE;
                drop->n_deleted--;
                drop->octets += drop->items[i].size;
        }
}

static char *
put_hex(char *at, guint64 value)
{
        int digits = value != 0 ? (67 - __builtin_clzll(value)) / 4 : 1;

        for (int i = digits; i-- > 0; value >>= 4)
                at[i] = "0123456789abcdef"[value & 15];
        return at + digits;
}

const char *
store_maildrop_uidl(const Maildrop *drop, guint32 i, char buffer[MAILDROP_UIDL_OCTETS])
{
        g_assert(i < drop->n);
        char *at = put_hex(buffer, (guint64) drop->uid_validity);
        *at++ = '.';
        *put_hex(at, (guint64) drop->items[i].uid) = '\0';
        return buffer;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

/* Entries with the places of their bodies: one look-up for several messages, no second one for the body. */
DB_SQL(ENTRIES_WITH_PLACE, "SELECT e.prefix, e.cuts, b.id, b.segment, b.offset, b.stored, b.size, e.uid FROM entry e "
                           "JOIN body b ON b.id = e.body"
                           " WHERE e.mailbox = ? AND e.uid >= ? ORDER BY e.uid LIMIT ?");

struct MaildropMessage {
        Copy copy;
        CopyReader reader;
        BlobBody *body;
        Cut cuts[COPY_CUTS_MAX];
        guint8 prefix[];
};

void
store_message_close(MaildropMessage *message)
{
        if (message == NULL)
                return;
        blob_body_close(message->body);
        g_free(message);
}

static MaildropMessage *
message_new(const DbRows *row, GError **error)
{
        Span prefix = db_bytes(row, 0);

        if (prefix.len > COPY_PREFIX_MAX) {
                (void) fault(error, FAULT_INTERNAL, "an entry's prefix has %zu octets", prefix.len);
                return NULL;
        }
        g_autofree MaildropMessage *message = g_malloc(sizeof(MaildropMessage) + prefix.len);
        if (prefix.len > 0)
                memcpy(message->prefix, prefix.data, prefix.len);
        message->copy = (Copy){
                .body = db_int(row, 2),
                .body_size = (guint64) db_int(row, 6),
                .prefix = span_make(message->prefix, prefix.len),
                .cuts = message->cuts,
        };
        if (!copy_get_cuts(db_bytes(row, 1), message->copy.body_size, message->cuts, &message->copy.n_cuts)) {
                (void) fault(error, FAULT_INTERNAL, "an entry's cuts are damaged");
                return NULL;
        }
        message->body = NULL;
        message->reader = (CopyReader){.copy = &message->copy};
        return g_steal_pointer(&message);
}

static gboolean
ahead_add(Maildrop *drop, const DbRows *row, guint32 i, GError **error)
{
        MaildropMessage *message = message_new(row, error);

        if (message == NULL)
                return FALSE;
        drop->ahead[drop->n_ahead++] = (LookedUp){
                .i = i,
                .place =
                        {
                                .segment = (guint32) db_int(row, 3),
                                .offset = (guint64) db_int(row, 4),
                                .stored = (guint64) db_int(row, 5),
                                .size = (guint64) db_int(row, 6),
                        },
                .message = message,
        };
        return TRUE;
}

/* Look message i up, and those after it when they will be asked for next. A damaged one ends the look ahead: it is
 * complained of when it is asked for itself. */
static gboolean
ahead_fill(Maildrop *drop, guint32 i, guint most, GError **error)
{
        guint32 at = i;
        DbStep step;

        ahead_forget(drop);
        if (drop->ahead == NULL)
                drop->ahead = g_new(LookedUp, AHEAD_MAX);
        g_autoptr(DbTxn) txn = db_begin_read(drop->store->db, error);
        if (txn == NULL)
                return FALSE;
        g_autoptr(DbRows) row =
                db_query(txn, &ENTRIES_WITH_PLACE, error, "iii", drop->mailbox, drop->items[i].uid, (gint64) most);
        if (row == NULL)
                return FALSE;
        while ((step = db_rows_next(row, error)) == DB_ROW) {
                gint64 uid = db_int(row, 7);
                while (at < drop->n && drop->items[at].uid < uid)
                        at++;
                if (at == drop->n || drop->items[at].uid != uid)
                        break; /* newer than the list */
                g_autoptr(GError) damage = NULL;
                if (ahead_add(drop, row, at, &damage))
                        continue;
                if (drop->n_ahead == 0) {
                        g_propagate_error(error, g_steal_pointer(&damage));
                        return FALSE;
                }
                break;
        }
        return step != DB_ROW_FAILED;
}

gboolean
store_maildrop_message(Maildrop *drop, guint32 i, MaildropMessage **ret, GError **error)
{
        g_assert(i < drop->n);
        gboolean is_next = drop->ahead_at > 0 && drop->ahead[drop->ahead_at - 1].i + 1 == i;
        if (drop->ahead_at == drop->n_ahead || drop->ahead[drop->ahead_at].i != i)
                if (!ahead_fill(drop, i, is_next ? AHEAD_MAX : 1, error))
                        return FALSE;
        if (drop->n_ahead == 0 || drop->ahead[drop->ahead_at].i != i)
                return fault(error, FAULT_INTERNAL, "message %u is gone from the maildrop of account %" G_GINT64_FORMAT,
                             i + 1, drop->account);

        LookedUp *found = &drop->ahead[drop->ahead_at++];
        g_autoptr(MaildropMessage) message = g_steal_pointer(&found->message);
        message->body = blob_body_at(drop->store->blob, message->copy.body, &found->place, error);
        if (message->body == NULL)
                return FALSE;
        message->reader.opened = message->body;
        *ret = g_steal_pointer(&message);
        return TRUE;
}

gssize
store_message_read(MaildropMessage *message, void *buffer, gsize len, GError **error)
{
        return copy_read(&message->reader, buffer, len, error);
}

/* UPDATE state ----------------------------------------------------------------------------------------------------- */

DB_SQL(ENTRY_RANGE_DROP, "DELETE FROM entry WHERE mailbox = ? AND uid >= ? AND uid <= ? RETURNING body, size");

static gboolean
remove_range(DbTxn *txn, gint64 mailbox, gint64 first_uid, gint64 last_uid, Released *released, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ENTRY_RANGE_DROP, error, "iii", mailbox, first_uid, last_uid);
        DbStep step;

        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW)
                released_add(released, db_int(rows, 0), db_int(rows, 1));
        return step == DB_ROW_END;
}

/* The marked ones from `from` on, at most REMOVE_SLICE of them, one statement for each run of neighbours. *ret_next:
 * where the next slice begins. */
static gboolean
remove_slice(Maildrop *drop, DbTxn *txn, guint32 from, guint32 *ret_next, GError **error)
{
        g_auto(Released) released = {0};
        guint32 i = from, taken = 0;

        while (i < drop->n && taken < REMOVE_SLICE) {
                if (!drop->items[i].is_deleted) {
                        i++;
                        continue;
                }
                guint32 first = i;
                for (; i < drop->n && drop->items[i].is_deleted && taken < REMOVE_SLICE; taken++)
                        i++;
                if (!remove_range(txn, drop->mailbox, drop->items[first].uid, drop->items[i - 1].uid, &released, error))
                        return FALSE;
        }
        *ret_next = i;
        Slot *slot;
        if (!released_unref(&released, txn, error) ||
            slot_by_id(drop->store, txn, drop->mailbox, &slot, error) != STORE_DONE)
                return FALSE;
        slot->modseq++;
        slot->n_tail -= (guint32) released.n;
        usage_add(drop->store, txn, drop->account, -(gint64) released.n, -(gint64) released.octets);
        return slot_save(txn, slot, error);
}

static guint32
next_marked(const Maildrop *drop, guint32 from)
{
        while (from < drop->n && !drop->items[from].is_deleted)
                from++;
        return from;
}

gboolean
store_maildrop_update(Maildrop *drop, GError **error)
{
        guint32 from = 0, next;

        while ((from = next_marked(drop, from)) < drop->n) {
                g_autoptr(DbTxn) txn = db_begin_freeing(drop->store->db, error);
                if (txn == NULL || !remove_slice(drop, txn, from, &next, error))
                        return FALSE;
                switch (db_take_commit(g_steal_pointer(&txn), error)) {
                case DB_COMMITTED:
                        from = next;
                        break;
                case DB_AGAIN:
                        break;
                case DB_FAILED:
                default:
                        return FALSE;
                }
        }
        return TRUE;
}

/* numbers.c -- the next UID and MODSEQ of a mailbox and what an account holds, remembered between transactions, so that
 * a delivery is one INSERT.
 *
 * 1. What is remembered is what the write connection sees: rows of the tables with what the callers of the open batch
 *    did. Only the thread that has the turn touches it.
 * 2. A slot or usage that a transaction was given is noted; when the transaction is undone, those noted are forgotten
 *    before the turn goes on (db_on_end), and read anew when they are asked for.
 * 3. The row of a mailbox counts what is in pages. UIDNEXT and HIGHESTMODSEQ are at least those of its row, and pass
 *    those of the tail; a transaction that takes rows of the tail away writes them into the mailbox's row (slot_save).
 */
#include "store/internal.h"
#include "store/tree.h"

#define SLOTS_MAX 8192  /* mailboxes remembered, some 300 octets each */
#define USAGES_MAX 8192 /* accounts */

typedef struct Noted Noted;

struct Numbers {
        GHashTable *by_id;   /* gint64 -> Slot */
        GHashTable *by_name; /* account and name -> the same Slot */
        GQueue recent;       /* of slots, the last one used first */
        GHashTable *usages;  /* account -> Usage */
        Noted *noted;        /* of the transaction that has the turn, if it noted anything */
        guint64 n_noted;
};

/* What one transaction noted. */
struct Noted {
        Numbers *numbers;
        DbTxn *txn;
        guint64 serial;
        GArray *mailboxes, *accounts; /* of gint64 */
        Touches *touches;             /* or NULL */
};

static guint
name_hash(gconstpointer key)
{
        const Slot *slot = key;

        return g_str_hash(slot->name) ^ g_int64_hash(&slot->account);
}

static gboolean
name_equal(gconstpointer a, gconstpointer b)
{
        const Slot *x = a, *y = b;

        return x->account == y->account && strcmp(x->name, y->name) == 0;
}

static void
slot_free(gpointer data)
{
        Slot *slot = data;

        g_free((char *) slot->name);
        g_free(slot);
}

Numbers *
numbers_new(void)
{
        Numbers *numbers = g_new0(Numbers, 1);

        numbers->by_id = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, slot_free);
        numbers->by_name = g_hash_table_new(name_hash, name_equal);
        numbers->usages = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
        g_queue_init(&numbers->recent);
        return numbers;
}

void
numbers_free(Numbers *numbers)
{
        if (numbers == NULL)
                return;
        g_hash_table_unref(numbers->by_name);
        g_hash_table_unref(numbers->by_id);
        g_hash_table_unref(numbers->usages);
        g_free(numbers);
}

static void
slot_drop(Numbers *numbers, Slot *slot)
{
        g_queue_unlink(&numbers->recent, &slot->link);
        g_hash_table_remove(numbers->by_name, slot);
        g_hash_table_remove(numbers->by_id, &slot->id);
}

/* Noting ----------------------------------------------------------------------------------------------------------- */

static void
noted_over(Noted *noted, gboolean is_committed)
{
        if (noted->numbers->noted == noted)
                noted->numbers->noted = NULL;
        if (noted->touches != NULL)
                touches_end(noted->touches, is_committed);
}

static void
noted_committed(gpointer data)
{
        noted_over(data, TRUE);
}

static void
noted_undone(gpointer data)
{
        Noted *noted = data;
        Numbers *numbers = noted->numbers;

        for (guint i = 0; i < noted->mailboxes->len; i++) {
                Slot *slot = g_hash_table_lookup(numbers->by_id, &g_array_index(noted->mailboxes, gint64, i));
                if (slot != NULL)
                        slot_drop(numbers, slot);
        }
        for (guint i = 0; i < noted->accounts->len; i++)
                g_hash_table_remove(numbers->usages, &g_array_index(noted->accounts, gint64, i));
        noted_over(noted, FALSE);
}

static void
noted_release(gpointer data)
{
        Noted *noted = data;

        g_array_unref(noted->mailboxes);
        g_array_unref(noted->accounts);
        g_free(noted);
}

/* What this transaction noted so far. */
static Noted *
noted_by(Store *store, DbTxn *txn)
{
        Numbers *numbers = store->numbers;

        if (numbers->noted != NULL && numbers->noted->txn == txn)
                return numbers->noted;
        Noted *noted = g_new0(Noted, 1);
        noted->numbers = numbers;
        noted->txn = txn;
        noted->serial = ++numbers->n_noted;
        noted->mailboxes = g_array_new(FALSE, FALSE, sizeof(gint64));
        noted->accounts = g_array_new(FALSE, FALSE, sizeof(gint64));
        db_on_end(txn, noted_committed, noted_undone, noted, noted_release);
        numbers->noted = noted;
        return noted;
}

static void
slot_note(Store *store, DbTxn *txn, Slot *slot)
{
        Noted *noted = noted_by(store, txn);

        if (slot->noted != noted->serial)
                g_array_append_val(noted->mailboxes, slot->id);
        slot->noted = noted->serial;
}

static void
usage_note(Store *store, DbTxn *txn, Usage *usage)
{
        Noted *noted = noted_by(store, txn);

        if (usage->noted != noted->serial)
                g_array_append_val(noted->accounts, usage->account);
        usage->noted = noted->serial;
}

void
touch(Store *store, DbTxn *txn, gint64 mailbox, MarkKind kind, gint64 number)
{
        Noted *noted = noted_by(store, txn);

        if (noted->touches == NULL)
                noted->touches = touches_new(store->registry);
        touches_add(noted->touches, mailbox, (Mark){kind, number});
}

/* Slots ------------------------------------------------------------------------------------------------------------ */

DB_SQL(SLOT_BY_NAME, "SELECT id, account, name, uid_validity, uid_next, modseq, folded, ripe, copying FROM mailbox"
                     " WHERE account = ? AND name = ?");
DB_SQL(SLOT_BY_ID, "SELECT id, account, name, uid_validity, uid_next, modseq, folded, ripe, copying FROM mailbox"
                   " WHERE id = ? AND deleted_at IS NULL");
DB_SQL(ROWS_OF_MAILBOX, "SELECT count(*), coalesce(sum(uid > ?), 0), coalesce(max(uid), 0), coalesce(max(modseq), 0)"
                        " FROM entry WHERE mailbox = ?");
DB_SQL(RIPEN, "UPDATE mailbox SET ripe = ? WHERE id = ?");
DB_SQL(SLOT_SAVE,
       "UPDATE mailbox SET uid_next = ?, modseq = ?, folded = ?, messages = messages + ?, octets = octets + ?,"
       " gone_messages = gone_messages + ?, gone_octets = gone_octets + ?,"
       " gone_oldest = CASE WHEN ? = 0 THEN gone_oldest WHEN coalesce(gone_oldest, ?) >= ? THEN ?"
       " ELSE gone_oldest END WHERE id = ?");

static gboolean
rows_read(DbTxn *txn, Slot *slot, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ROWS_OF_MAILBOX, error, "ii", (gint64) slot->folded, slot->id);

        if (rows == NULL || db_rows_next(rows, error) != DB_ROW)
                return FALSE;
        slot->n_rows = (guint32) db_int(rows, 0);
        slot->n_tail = (guint32) db_int(rows, 1);
        slot->uid_next = MAX(slot->uid_next, (guint64) db_int(rows, 2) + 1);
        slot->modseq = MAX(slot->modseq, (guint64) db_int(rows, 3));
        return TRUE;
}

/* The mailbox that `rows` shall show, remembered from here on. */
static StoreAnswer
slot_load(Store *store, DbTxn *txn, DbRows *rows, Slot **ret, GError **error)
{
        Numbers *numbers = store->numbers;
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step != DB_ROW)
                return step == DB_ROW_END ? STORE_NO_MAILBOX : STORE_FAILED;
        Slot found = {
                .id = db_int(rows, 0),
                .account = db_int(rows, 1),
                .uid_validity = (guint32) db_int(rows, 3),
                .uid_next = (guint64) db_int(rows, 4),
                .modseq = (guint64) db_int(rows, 5),
                .folded = (guint32) db_int(rows, 6),
                .is_ripe = !db_is_null(rows, 7),
                .copying = (guint32) db_int(rows, 8),
        };
        if (!rows_read(txn, &found, error))
                return STORE_FAILED;
        found.name = g_strdup(db_text(rows, 2));
        Slot *slot = g_memdup2(&found, sizeof(found));
        slot->link.data = slot;
        g_queue_push_head_link(&numbers->recent, &slot->link);
        g_hash_table_insert(numbers->by_id, &slot->id, slot);
        g_hash_table_add(numbers->by_name, slot);
        if (numbers->recent.length > SLOTS_MAX)
                slot_drop(numbers, g_queue_peek_tail(&numbers->recent));
        *ret = slot;
        return STORE_DONE;
}

static Slot *
slot_use(Store *store, DbTxn *txn, Slot *slot)
{
        Numbers *numbers = store->numbers;

        if (numbers->recent.head != &slot->link) {
                g_queue_unlink(&numbers->recent, &slot->link);
                g_queue_push_head_link(&numbers->recent, &slot->link);
        }
        slot_note(store, txn, slot);
        return slot;
}

static StoreAnswer
load_by_name(Store *store, DbTxn *txn, gint64 account, const char *name, Slot **ret, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &SLOT_BY_NAME, error, "is", account, name);

        return slot_load(store, txn, rows, ret, error);
}

StoreAnswer
slot_by_name(Store *store, DbTxn *txn, gint64 account, const char *name, Slot **ret, GError **error)
{
        const Slot wanted = {.account = account, .name = name};
        Slot *slot = g_hash_table_lookup(store->numbers->by_name, &wanted);
        StoreAnswer answer = slot != NULL ? STORE_DONE : load_by_name(store, txn, account, name, &slot, error);

        if (answer == STORE_NO_MAILBOX && strcmp(name, "INBOX") == 0) {
                gint64 id;
                if (!mailbox_insert(txn, account, "INBOX", 0, &id, error))
                        return STORE_FAILED;
                tree_changed(store, txn, account);
                answer = load_by_name(store, txn, account, name, &slot, error);
        }
        if (answer == STORE_DONE)
                *ret = slot_use(store, txn, slot);
        return answer;
}

StoreAnswer
slot_by_id(Store *store, DbTxn *txn, gint64 mailbox, Slot **ret, GError **error)
{
        Slot *slot = g_hash_table_lookup(store->numbers->by_id, &mailbox);
        StoreAnswer answer = STORE_DONE;

        if (slot == NULL) {
                g_autoptr(DbRows) rows = db_query(txn, &SLOT_BY_ID, error, "i", mailbox);
                answer = slot_load(store, txn, rows, &slot, error);
        }
        if (answer == STORE_DONE)
                *ret = slot_use(store, txn, slot);
        return answer;
}

gboolean
slot_save(Store *store, DbTxn *txn, const Slot *slot, const Counts *counts, GError **error)
{
        const Counts none = {0};
        const Counts *c = counts != NULL ? counts : &none;

        touch(store, txn, slot->id, MARK_ROW, 0);
        return db_run(txn, &SLOT_SAVE, error, "iiiiiiiiiiii", (gint64) slot->uid_next, (gint64) slot->modseq,
                      (gint64) slot->folded, c->messages, c->octets, c->gone_messages, c->gone_octets,
                      (gint64) c->gone_at, (gint64) c->gone_at, (gint64) c->gone_at, (gint64) c->gone_at, slot->id);
}

gboolean
slot_ripen(DbTxn *txn, Slot *slot, guint more, GError **error)
{
        if (slot->is_ripe || slot->n_rows + more < PAGE_ENTRIES)
                return TRUE;
        if (!db_run(txn, &RIPEN, error, "ii", (gint64) clock_real(), slot->id))
                return FALSE;
        slot->is_ripe = TRUE;
        return TRUE;
}

/* Nothing to note: should this transaction be undone, what is read anew in the meantime is still true. */
void
numbers_forget_mailbox(Store *store, gint64 mailbox)
{
        Slot *slot = g_hash_table_lookup(store->numbers->by_id, &mailbox);

        if (slot != NULL)
                slot_drop(store->numbers, slot);
}

void
numbers_forget_account(Store *store, gint64 account)
{
        for (GList *at = store->numbers->recent.head, *next; at != NULL; at = next) {
                Slot *slot = at->data;
                next = at->next;
                if (slot->account == account)
                        slot_drop(store->numbers, slot);
        }
        g_hash_table_remove(store->numbers->usages, &account);
}

/* Usage ------------------------------------------------------------------------------------------------------------ */

DB_SQL(USAGE_OF_ACCOUNT,
       "SELECT coalesce(sum(m.messages), 0) + coalesce(sum(t.n), 0), coalesce(sum(m.octets), 0) + "
       "coalesce(sum(t.octets), 0) FROM mailbox m LEFT JOIN"
       " (SELECT e.mailbox AS mailbox, count(*) AS n, sum(e.size) AS octets FROM mailbox o JOIN entry e"
       " ON e.mailbox = o.id AND e.uid > o.folded WHERE o.account = ? GROUP BY e.mailbox) t ON t.mailbox = m.id"
       " WHERE m.account = ? AND m.deleted_at IS NULL");

gboolean
usage_read(DbTxn *txn, gint64 account, guint64 *ret_messages, guint64 *ret_octets, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &USAGE_OF_ACCOUNT, error, "ii", account, account);

        if (rows == NULL || db_rows_next(rows, error) != DB_ROW)
                return FALSE;
        *ret_messages = (guint64) db_int(rows, 0);
        *ret_octets = (guint64) db_int(rows, 1);
        return TRUE;
}

Usage *
usage_of(Store *store, DbTxn *txn, gint64 account, GError **error)
{
        GHashTable *usages = store->numbers->usages;
        Usage *usage = g_hash_table_lookup(usages, &account);

        if (usage == NULL) {
                Usage read = {.account = account};
                if (!usage_read(txn, account, &read.messages, &read.octets, error))
                        return NULL;
                if (g_hash_table_size(usages) >= USAGES_MAX)
                        g_hash_table_remove_all(usages);
                usage = g_memdup2(&read, sizeof(read));
                g_hash_table_insert(usages, &usage->account, usage);
        }
        usage_note(store, txn, usage);
        return usage;
}

void
usage_add(Store *store, DbTxn *txn, gint64 account, gint64 messages, gint64 octets)
{
        Usage *usage = g_hash_table_lookup(store->numbers->usages, &account);

        if (usage == NULL)
                return;
        usage->messages += (guint64) messages;
        usage->octets += (guint64) octets;
        usage_note(store, txn, usage);
}

gboolean
limits_of(Store *store, gint64 account, Limits *ret, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        const Account *found;

        *ret = (Limits){0};
        switch (directory_account_by_id(store->directory, arena, account, &found, error)) {
        case FOUND:
                *ret = (Limits){(guint64) found->quota_messages, (guint64) found->quota_octets};
                return TRUE;
        case FOUND_NOT:
                return TRUE;
        case FOUND_FAILED:
        default:
                return FALSE;
        }
}

static gboolean
is_within(guint64 limit, guint64 used, guint64 more)
{
        return limit == 0 || more == 0 || (used <= limit && more <= limit - used);
}

gboolean
limits_allow(const Limits *limits, const Usage *usage, guint64 messages, guint64 octets)
{
        return is_within(limits->messages, usage->messages, messages) &&
               is_within(limits->octets, usage->octets, octets);
}

/* status.c -- what a mailbox holds, without making a view of it. */
#include "store/internal.h"
#include "store/tree.h"
#include "store/view.h"

static void
status_of_view(const View *view, MailboxStatus *ret)
{
        *ret = (MailboxStatus){.messages = view_count(view),
                               .uid_next = view_uid_next(view),
                               .uid_validity = view_uid_validity(view),
                               .unseen = view_unseen(view),
                               .deleted = view_deleted(view),
                               .highest_modseq = view_highest_modseq(view),
                               .octets = view_octets(view)};
}

/* From the tables -------------------------------------------------------------------------------------------------- */

typedef struct Counting {
        gint64 mailbox, owner;
        guint32 folded;
        guint64 uid_next;
        MailboxStatus status;
} Counting;

DB_SQL(COUNTS_OF_MAILBOX, "SELECT account, uid_validity, uid_next, modseq, folded, messages, octets FROM mailbox"
                          " WHERE id = ? AND deleted_at IS NULL");
DB_SQL(COUNTS_OF_TAIL, "SELECT count(*), sum(size), sum(flags & 1), sum((flags & 8) <> 0), max(uid), max(modseq)"
                       " FROM entry WHERE mailbox = ? AND uid > ?");
DB_SQL(STATES_OF_PAGES, "SELECT key, data FROM page_state WHERE key >= ? AND key <= ?");

G_STATIC_ASSERT(FLAG_SEEN == 1 && FLAG_DELETED == 8);

static StoreAnswer
count_row(Counting *c, DbTxn *txn, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &COUNTS_OF_MAILBOX, error, "i", c->mailbox);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step != DB_ROW)
                return step == DB_ROW_END ? STORE_NO_MAILBOX : STORE_FAILED;
        c->owner = db_int(rows, 0);
        c->uid_next = (guint64) db_int(rows, 2);
        c->folded = (guint32) db_int(rows, 4);
        c->status = (MailboxStatus){.uid_validity = (guint32) db_int(rows, 1),
                                    .highest_modseq = (guint64) db_int(rows, 3),
                                    .messages = (guint32) db_int(rows, 5),
                                    .octets = (guint64) db_int(rows, 6)};
        return STORE_DONE;
}

/* UIDs and MODSEQ of the tail are behind those of the row (numbers.c). */
static gboolean
count_tail(Counting *c, DbTxn *txn, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &COUNTS_OF_TAIL, error, "ii", c->mailbox, (gint64) c->folded);

        if (rows == NULL || db_rows_next(rows, error) != DB_ROW)
                return FALSE;
        guint32 n = (guint32) db_int(rows, 0);
        c->status.messages += n;
        c->status.octets += (guint64) db_int(rows, 1);
        c->status.unseen += n - (guint32) db_int(rows, 2);
        c->status.deleted += (guint32) db_int(rows, 3);
        if (n > 0)
                c->uid_next = MAX(c->uid_next, (guint64) db_int(rows, 4) + 1);
        c->status.highest_modseq = MAX(c->status.highest_modseq, (guint64) db_int(rows, 5));
        return TRUE;
}

static gboolean
count_states(Counting *c, DbTxn *txn, GError **error)
{
        gint64 key = c->mailbox << 32;
        State states[PAGE_ENTRIES];
        DbStep step;
        guint n;

        g_autoptr(DbRows) rows = db_query(txn, &STATES_OF_PAGES, error, "ii", key, key | (gint64) c->folded);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                if (!state_get(db_bytes(rows, 1), states, &n))
                        return page_damaged(db_int(rows, 0), error);
                for (guint i = 0; i < n; i++) {
                        gboolean is_here = states[i].fate == FATE_HERE;
                        c->status.unseen += is_here && (states[i].flags & FLAG_SEEN) == 0;
                        c->status.deleted += is_here && (states[i].flags & FLAG_DELETED) != 0;
                }
        }
        return step == DB_ROW_END;
}

/* The owner is known as soon as the row is read; for others nothing more is. */
static StoreAnswer
count(Store *store, gint64 reader, Counting *c, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        StoreAnswer answer = txn != NULL ? count_row(c, txn, error) : STORE_FAILED;

        if (answer != STORE_DONE || c->owner != reader)
                return answer;
        if (!count_tail(c, txn, error) || !count_states(c, txn, error))
                return STORE_FAILED;
        c->status.uid_next = (guint32) MIN(c->uid_next, UID_MAX);
        return STORE_DONE;
}

StoreAnswer
store_mailbox_status(Store *store, gint64 mailbox, gint64 reader, MailboxStatus *ret, GError **error)
{
        g_autoptr(View) view = registry_peek(store->registry, mailbox, reader);
        Counting c = {.mailbox = mailbox};

        if (view == NULL) {
                StoreAnswer answer = count(store, reader, &c, error);
                if (answer == STORE_DONE && c.owner != reader)
                        answer = store_view_open(store, mailbox, reader, &view, error);
                if (answer != STORE_DONE)
                        return answer;
        }
        if (view != NULL)
                status_of_view(view, ret);
        else
                *ret = c.status;
        return STORE_DONE;
}

StoreAnswer
store_deleted_octets(Store *store, gint64 mailbox, guint64 *ret, GError **error)
{
        g_autoptr(View) view = NULL;
        guint64 octets = 0;
        StoreAnswer answer = store_view_open(store, mailbox, 0, &view, error);

        if (answer != STORE_DONE)
                return answer;
        for (guint32 i = 0, n = view_deleted(view) > 0 ? view_count(view) : 0; i < n; i++)
                if ((view_entry(view, i)->flags & FLAG_DELETED) != 0)
                        octets += view_entry(view, i)->size;
        *ret = octets;
        return STORE_DONE;
}

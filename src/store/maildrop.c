/* maildrop.c -- the INBOX as POP3 sees it: a view that is kept for the session, and marks.
 *
 * New mail is not in the view, and what another session removes meanwhile is answered when it is asked for. */
#include "store/internal.h"

#define MESSAGES_MAX 1000000

struct Maildrop {
        Store *store;
        gint64 account;
        View *view; /* NULL: there is no INBOX yet */
        guint32 n, n_deleted;
        guint8 *deleted;      /* one bit a message */
        guint64 octets;       /* of the undeleted ones */
        MessagesAhead *ahead; /* NULL until one is read */
};

/* Opening ---------------------------------------------------------------------------------------------------------- */

DB_SQL(INBOX_OF_ACCOUNT, "SELECT id FROM mailbox WHERE account = ? AND name = 'INBOX'");

static gboolean
lock_drop(Store *store, gint64 account)
{
        MUTEX_SCOPE(&store->lock);

        if (g_hash_table_contains(store->open_drops, &account))
                return FALSE;
        g_hash_table_add(store->open_drops, g_memdup2(&account, sizeof(account)));
        return TRUE;
}

void
store_maildrop_close(Maildrop *drop)
{
        if (drop == NULL)
                return;
        messages_ahead_free(drop->ahead);
        mutex_lock(&drop->store->lock);
        g_hash_table_remove(drop->store->open_drops, &drop->account);
        mutex_unlock(&drop->store->lock);
        view_unref(drop->view);
        g_free(drop->deleted);
        g_free(drop);
}

static DbStep
find_inbox(const Maildrop *drop, gint64 *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(drop->store->db, error);

        return txn != NULL ? db_get_int(txn, &INBOX_OF_ACCOUNT, ret, error, "i", drop->account) : DB_ROW_FAILED;
}

static gboolean
list_inbox(Maildrop *drop, GError **error)
{
        gint64 inbox = 0;
        DbStep step = find_inbox(drop, &inbox, error);

        if (step != DB_ROW)
                return step == DB_ROW_END;
        switch (store_view_open(drop->store, inbox, drop->account, &drop->view, error)) {
        case STORE_DONE:
                break;
        case STORE_NO_MAILBOX: /* just removed with its account */
                return TRUE;
        case STORE_OVER_QUOTA:
        case STORE_FAILED:
        default:
                return FALSE;
        }
        drop->n = MIN(view_count(drop->view), MESSAGES_MAX);
        drop->deleted = g_malloc0(drop->n / 8 + 1);
        if (drop->n == view_count(drop->view))
                drop->octets = view_octets(drop->view);
        else
                for (guint32 i = 0; i < drop->n; i++)
                        drop->octets += view_entry(drop->view, i)->size;
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
        return view_entry(drop->view, i)->size;
}

gboolean
store_maildrop_is_deleted(const Maildrop *drop, guint32 i)
{
        g_assert(i < drop->n);
        return (drop->deleted[i / 8] >> i % 8 & 1) != 0;
}

void
store_maildrop_delete(Maildrop *drop, guint32 i)
{
        g_assert(i < drop->n);
        if (store_maildrop_is_deleted(drop, i))
                return;
        drop->deleted[i / 8] |= (guint8) (1 << i % 8);
        drop->n_deleted++;
        drop->octets -= view_entry(drop->view, i)->size;
}

void
store_maildrop_reset(Maildrop *drop)
{
        for (guint32 i = 0; i < drop->n && drop->n_deleted > 0; i++) {
                if (!store_maildrop_is_deleted(drop, i))
                        continue;
                drop->deleted[i / 8] &= (guint8) ~(1 << i % 8);
                drop->n_deleted--;
                drop->octets += view_entry(drop->view, i)->size;
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
        char *at = put_hex(buffer, view_uid_validity(drop->view));
        *at++ = '.';
        *put_hex(at, view_entry(drop->view, i)->uid) = '\0';
        return buffer;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

struct MaildropMessage {
        StoredMessage *stored;
        guint64 position;
};

void
store_message_close(MaildropMessage *message)
{
        if (message == NULL)
                return;
        stored_message_free(message->stored);
        g_free(message);
}

gboolean
store_maildrop_message(Maildrop *drop, guint32 i, MaildropMessage **ret, GError **error)
{
        StoredMessage *stored;

        g_assert(i < drop->n);
        if (drop->ahead == NULL)
                drop->ahead = store_messages_ahead(drop->store, drop->view);
        if (!messages_ahead_get(drop->ahead, i, &stored, error))
                return FALSE;
        *ret = g_new(MaildropMessage, 1);
        **ret = (MaildropMessage){.stored = stored};
        return TRUE;
}

gssize
store_message_read(MaildropMessage *message, void *buffer, gsize len, GError **error)
{
        gssize got = stored_message_read(message->stored, message->position, buffer, len, error);

        if (got > 0)
                message->position += (guint64) got;
        return got;
}

/* UPDATE state ----------------------------------------------------------------------------------------------------- */

/* New mail has higher UIDs than any in the list and UIDs never come back, so a run of neighbours that are marked is a
 * range of UIDs. */
static GArray *
marked_ranges(const Maildrop *drop)
{
        GArray *ranges = g_array_new(FALSE, FALSE, sizeof(UidRange));

        for (guint32 i = 0; i < drop->n; i++) {
                if (!store_maildrop_is_deleted(drop, i))
                        continue;
                UidRange range = {.first = view_entry(drop->view, i)->uid};
                while (i + 1 < drop->n && store_maildrop_is_deleted(drop, i + 1))
                        i++;
                range.last = view_entry(drop->view, i)->uid;
                g_array_append_val(ranges, range);
        }
        return ranges;
}

gboolean
store_maildrop_update(Maildrop *drop, GError **error)
{
        g_autoptr(GArray) ranges = marked_ranges(drop);
        const UidSet set = {(const UidRange *) (gconstpointer) ranges->data, ranges->len};
        guint64 modseq;

        if (set.n == 0)
                return TRUE;
        switch (store_remove(drop->store, view_mailbox(drop->view), &set, &modseq, error)) {
        case CHANGED_DONE:
        case CHANGED_NO_MAILBOX:
                return TRUE;
        case CHANGED_FAILED:
        default:
                return FALSE;
        }
}

/* append.c -- APPEND: bodies first, then one transaction with all of their entries. */
#include "store/internal.h"

#define SUMMARIES_OCTETS (64 * 1024 * 1024) /* of one call; what is over it is made when it is asked for */
#define APPEND_OCTETS_MAX ((guint64) 1 << 30)

BlobWriter *
store_writer_new(Store *store)
{
        return blob_writer_new(store->blob, APPEND_OCTETS_MAX);
}

/* Owners ----------------------------------------------------------------------------------------------------------- */

DB_SQL(OWNER_OF_MAILBOX, "SELECT account FROM mailbox WHERE id = ? AND deleted_at IS NULL");

ChangeAnswer
owner_limits(Store *store, gint64 mailbox, gint64 *ret_account, Limits *ret, GError **error)
{
        DbStep step = DB_ROW_FAILED;

        {
                g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
                if (txn != NULL)
                        step = db_get_int(txn, &OWNER_OF_MAILBOX, ret_account, error, "i", mailbox);
        }
        if (step != DB_ROW)
                return step == DB_ROW_END ? CHANGED_NO_MAILBOX : CHANGED_FAILED;
        return limits_of(store, *ret_account, ret, error) ? CHANGED_DONE : CHANGED_FAILED;
}

ChangeAnswer
store_has_room(Store *store, gint64 mailbox, guint64 octets, guint messages, GError **error)
{
        Limits limits;
        Usage usage = {0};
        gint64 account = 0;
        ChangeAnswer answer = owner_limits(store, mailbox, &account, &limits, error);

        if (answer != CHANGED_DONE || (limits.messages == 0 && limits.octets == 0))
                return answer;
        if (!store_usage(store, account, &usage.messages, &usage.octets, error))
                return CHANGED_FAILED;
        return limits_allow(&limits, &usage, messages, octets) ? CHANGED_DONE : CHANGED_OVER_QUOTA;
}

/* Bodies ----------------------------------------------------------------------------------------------------------- */

typedef struct Appending {
        Store *store;
        gint64 mailbox, reader;
        Append *messages;
        gsize n;
        const Replaced *replaced;
        Limits limits;
        BlobPlace *places;
        Id *ids;
        Span *summaries;
        Arena *arena; /* theirs */
        Usec now;
        const AppendHook *hook; /* NULL: none */
        guint32 uid_validity; /* what one run gives: it may be run again */
} Appending;

/* Every writer is taken, also after a fault. */
static gboolean
take_bodies(Appending *a, GError **error)
{
        gboolean is_done = TRUE;

        for (gsize i = 0; i < a->n; i++) {
                BlobWriter *writer = g_steal_pointer(&a->messages[i].writer);
                Span octets;
                if (is_done && blob_writer_view(writer, G_MAXUINT64, &octets, NULL))
                        a->summaries[i] = store_summarise(a->arena, octets);
                if (is_done)
                        is_done = blob_take_append(writer, SPAN_EMPTY, &a->places[i], error);
                else
                        blob_writer_free(writer);
                a->ids[i] = id_new();
        }
        return is_done;
}

/* The transaction -------------------------------------------------------------------------------------------------- */

DB_SQL(APPENDED_ADD,
       "INSERT INTO entry (mailbox, uid, body, size, received, saved, flags, modseq, message, prefix, cuts)"
       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, x'', x'')");

static ChangeAnswer
append_one(Appending *a, DbTxn *txn, Slot *slot, gsize i, GArray *seen, GError **error)
{
        Append *message = &a->messages[i];
        const BlobPlace *place = &a->places[i];
        Usec received = message->received != 0 ? message->received : a->now;
        guint64 flags = message->flags & FLAG_SYSTEM;
        gint64 body;

        if (message->uid >= slot->uid_next && (slot->copying == 0 || message->uid < slot->copying))
                slot->uid_next = message->uid;
        if (slot_is_full(slot))
                return CHANGED_UID_SPACE;
        ChangeAnswer answer =
                keywords_bits(a->store, txn, slot->id, message->keywords, message->n_keywords, TRUE, &flags, error);
        if (answer == CHANGED_TOO_MANY_KEYWORDS) { /* as COPY: a message is worth more than its keywords */
                flags = message->flags & FLAG_SYSTEM;
                answer = keywords_bits(a->store, txn, slot->id, message->keywords, message->n_keywords, FALSE, &flags,
                                       error);
        }
        if (answer != CHANGED_DONE)
                return answer;
        if (a->reader != slot->account && (flags & FLAG_SEEN) != 0) {
                ranges_add(seen, (guint32) slot->uid_next);
                flags &= ~(guint64) FLAG_SEEN;
        }
        if (!slot_ripen(txn, slot, 1, error) || !blob_name(txn, place, 1, a->summaries[i], &body, error) ||
            !db_run(txn, &APPENDED_ADD, error, "iiiiiiiii", slot->id, (gint64) slot->uid_next, body,
                    (gint64) place->size, (gint64) received, (gint64) a->now, (gint64) flags, (gint64) slot->modseq + 1,
                    (gint64) a->ids[i]))
                return CHANGED_FAILED;
        message->ret_uid = (guint32) slot->uid_next++;
        message->ret_size = place->size;
        slot->modseq++;
        slot->n_tail++;
        slot->n_rows++;
        usage_add(a->store, txn, slot->account, 1, (gint64) place->size);
        return CHANGED_DONE;
}

static ChangeAnswer
check_room(Appending *a, DbTxn *txn, const Slot *slot, GError **error)
{
        guint64 octets = 0;

        if (a->limits.messages == 0 && a->limits.octets == 0)
                return CHANGED_DONE;
        const Usage *usage = usage_of(a->store, txn, slot->account, error);
        if (usage == NULL)
                return CHANGED_FAILED;
        for (gsize i = 0; i < a->n; i++)
                octets += a->places[i].size;
        return limits_allow(&a->limits, usage, a->n, octets) ? CHANGED_DONE : CHANGED_OVER_QUOTA;
}

static ChangeAnswer
append_work(gpointer data, DbTxn *txn, GError **error)
{
        Appending *a = data;
        g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(UidRange));
        Slot *slot;
        ChangeAnswer answer = change_answer(slot_by_id(a->store, txn, a->mailbox, &slot, error));

        if (answer == CHANGED_DONE && a->replaced != NULL)
                answer = entries_remove(a->store, txn, a->replaced->mailbox, &a->replaced->set, error);
        if (answer == CHANGED_DONE)
                answer = check_room(a, txn, slot, error);
        if (answer == CHANGED_DONE && a->hook != NULL)
                answer = a->hook->before(a->hook->data, txn, slot, error);
        for (gsize i = 0; i < a->n && answer == CHANGED_DONE; i++)
                answer = append_one(a, txn, slot, i, seen, error);
        if (answer != CHANGED_DONE)
                return answer;
        touch(a->store, txn, slot->id, MARK_TAIL, 0);
        a->uid_validity = slot->uid_validity;
        return reader_seen_add(a->store, txn, slot->id, a->reader, seen, error) ? CHANGED_DONE : CHANGED_FAILED;
}

static ChangeAnswer
append_all(Appending *a, GError **error)
{
        gint64 account;
        ChangeAnswer answer = owner_limits(a->store, a->mailbox, &account, &a->limits, error);

        if (answer != CHANGED_DONE)
                return answer;
        if (a->hook != NULL && a->hook->is_over_quota)
                a->limits = (Limits){0};
        if (!take_bodies(a, error))
                return CHANGED_FAILED;
        return change_run(a->store, FALSE, append_work, a, error);
}

ChangeAnswer
append_with_hook(Store *store, gint64 mailbox, gint64 reader, Append *messages, gsize n, const Replaced *replaced,
                 const AppendHook *hook, guint32 *ret_uid_validity, GError **error)
{
        g_autofree BlobPlace *places = g_new0(BlobPlace, n);
        g_autofree Id *ids = g_new0(Id, n);
        g_autofree Span *summaries = g_new0(Span, n);
        g_autoptr(Arena) arena = arena_new(SUMMARIES_OCTETS);
        Appending a = {
                .store = store,
                .mailbox = mailbox,
                .reader = reader,
                .messages = messages,
                .n = n,
                .replaced = replaced,
                .places = places,
                .ids = ids,
                .summaries = summaries,
                .arena = arena,
                .now = clock_real(),
                .hook = hook,
        };

        g_assert(n > 0);
        ChangeAnswer answer = append_all(&a, error);
        for (gsize i = 0; i < n; i++)
                blob_writer_free(g_steal_pointer(&messages[i].writer));
        if (answer == CHANGED_DONE)
                *ret_uid_validity = a.uid_validity;
        return answer;
}

ChangeAnswer
store_append(Store *store, gint64 mailbox, gint64 reader, Append *messages, gsize n, const Replaced *replaced,
             guint32 *ret_uid_validity, GError **error)
{
        return append_with_hook(store, mailbox, reader, messages, n, replaced, NULL, ret_uid_validity, error);
}

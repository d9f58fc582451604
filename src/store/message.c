/* message.c -- the octets of one copy: where its prefix, its cuts and its body are, and reading it. */
#include "store/internal.h"

#include "mail/header.h"

#define HEADER_PIECE 8192 /* tried first, then eight times as much */
#define LOOK_UP_MAX 16

/* Looking up ------------------------------------------------------------------------------------------------------- */

/* Rows of `entry` with the places of their bodies: one look-up for several messages, no second one for the body. */
DB_SQL(ENTRIES_WITH_PLACE, "SELECT e.uid, e.prefix, e.cuts, b.id, b.segment, b.offset, b.stored, b.size FROM entry e "
                           "JOIN body b ON b.id = e.body"
                           " WHERE e.mailbox = ? AND e.uid >= ? ORDER BY e.uid LIMIT ?");
DB_SQL(BODY_PLACE, "SELECT segment, offset, stored, size FROM body WHERE id = ?");

void
stored_message_free(StoredMessage *message)
{
        if (message == NULL)
                return;
        blob_body_close(message->body);
        g_free(message);
}

static StoredMessage *
message_new(gint64 body, guint64 body_size, Span prefix, Span cuts, GError **error)
{
        if (prefix.len > COPY_PREFIX_MAX) {
                (void) fault(error, FAULT_INTERNAL, "an entry's prefix has %zu octets", prefix.len);
                return NULL;
        }
        g_autofree StoredMessage *message = g_malloc(sizeof(StoredMessage) + prefix.len);
        *message = (StoredMessage){
                .copy = {.body = body,
                         .body_size = body_size,
                         .prefix = span_make(message->prefix, prefix.len),
                         .cuts = message->cuts},
                .reader = {.copy = &message->copy},
        };
        if (prefix.len > 0)
                memcpy(message->prefix, prefix.data, prefix.len);
        if (!copy_get_cuts(cuts, body_size, message->cuts, &message->copy.n_cuts)) {
                (void) fault(error, FAULT_INTERNAL, "an entry's cuts are damaged");
                return NULL;
        }
        return g_steal_pointer(&message);
}

static BlobPlace
place_from_row(const DbRows *row, int column)
{
        return (BlobPlace){
                .segment = (guint32) db_int(row, column),
                .offset = (guint64) db_int(row, column + 1),
                .stored = (guint64) db_int(row, column + 2),
                .size = (guint64) db_int(row, column + 3),
        };
}

static gboolean
looked_up_from_row(LookedUp *ret, const DbRows *row, GError **error)
{
        ret->place = place_from_row(row, 4);
        ret->message = message_new(db_int(row, 3), ret->place.size, db_bytes(row, 1), db_bytes(row, 2), error);
        return ret->message != NULL;
}

/* A damaged one ends the look ahead: it is complained of when it is asked for itself. *ret_n 0: the first has no row.
 */
static gboolean
look_up_rows(DbTxn *txn, const View *view, guint32 index, guint most, LookedUp *ret, guint *ret_n, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ENTRIES_WITH_PLACE, error, "iii", view_mailbox(view),
                                          (gint64) view_entry(view, index)->uid, (gint64) most);
        g_autoptr(GError) damage = NULL;
        guint n = 0;
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && n < most && (step = db_rows_next(rows, error)) == DB_ROW) {
                if (db_int(rows, 0) != view_entry(view, index + n)->uid || !looked_up_from_row(&ret[n], rows, &damage))
                        break;
                n++;
        }
        *ret_n = n;
        if (n > 0 || (step != DB_ROW_FAILED && damage == NULL))
                return TRUE;
        if (damage != NULL)
                g_propagate_error(error, g_steal_pointer(&damage));
        return FALSE;
}

static gboolean
looked_up_from_slot(LookedUp *ret, DbTxn *txn, const ViewEntry *entry, Span item, GError **error)
{
        Span prefix, cuts;

        if (!copy_item_get(item, &prefix, &cuts))
                return fault(error, FAULT_INTERNAL, "slot %u of pack %" G_GINT64_FORMAT " is damaged", entry->slot,
                             entry->pack);
        g_autoptr(DbRows) row = db_query(txn, &BODY_PLACE, error, "i", entry->body);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;
        if (step == DB_ROW_FAILED)
                return FALSE;
        if (step == DB_ROW_END)
                return fault(error, FAULT_INTERNAL, "there is no body %" G_GINT64_FORMAT, entry->body);
        ret->place = place_from_row(row, 0);
        ret->message = message_new(entry->body, ret->place.size, prefix, cuts, error);
        return ret->message != NULL;
}

/* Of this pack, from the first one on. *ret_n 0: there is no such pack. */
static gboolean
look_up_slots(Store *store, DbTxn *txn, const ViewEntry *const *entries, guint n_entries, LookedUp *ret, guint *ret_n,
              GError **error)
{
        g_autoptr(PackedPart) part = NULL;
        g_autoptr(GError) damage = NULL;
        guint n = 0;

        *ret_n = 0;
        if (!pack_read_copies(store, txn, entries[0]->pack, &part, error))
                return FALSE;
        if (part == NULL)
                return TRUE;
        for (; n < n_entries && entries[n]->pack == entries[0]->pack; n++) {
                guint slot = entries[n]->slot;
                if (!looked_up_from_slot(&ret[n], txn, entries[n], slot < part->n ? part->items[slot] : SPAN_EMPTY,
                                         &damage))
                        break;
        }
        *ret_n = n;
        if (n == 0)
                g_propagate_error(error, g_steal_pointer(&damage));
        return n > 0;
}

/* Where the view says. */
static gboolean
look_up_as_it_was(Store *store, DbTxn *txn, const View *view, guint32 index, guint most, LookedUp *ret, guint *ret_n,
                  GError **error)
{
        const ViewEntry *entries[LOOK_UP_MAX];

        if (view_entry(view, index)->pack == 0)
                return look_up_rows(txn, view, index, most, ret, ret_n, error);
        for (guint i = 0; i < most; i++)
                entries[i] = view_entry(view, index + i);
        return look_up_slots(store, txn, entries, most, ret, ret_n, error);
}

/* It was packed after the view was made: where its page says. */
static gboolean
look_up_as_it_is(Store *store, DbTxn *txn, const View *view, guint32 index, LookedUp *ret, guint *ret_n, GError **error)
{
        g_autofree Places *places = g_new0(Places, 1);
        const ViewEntry *now;

        if (!places_read(places, txn, view_mailbox(view), view_entry(view, index)->uid, &now, error))
                return FALSE;
        if (now == NULL || now->pack == 0)
                return TRUE;
        return look_up_slots(store, txn, &now, 1, ret, ret_n, error);
}

gboolean
messages_look_up(Store *store, const View *view, guint32 index, guint most, LookedUp *ret, guint *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);

        *ret_n = 0;
        most = MIN(MIN(most, LOOK_UP_MAX), view_count(view) - index);
        if (txn == NULL || !look_up_as_it_was(store, txn, view, index, most, ret, ret_n, error) ||
            (*ret_n == 0 && !look_up_as_it_is(store, txn, view, index, ret, ret_n, error)))
                return FALSE;
        return *ret_n > 0 ||
               fault(error, FAULT_INTERNAL, "a message of mailbox %" G_GINT64_FORMAT " is gone", view_mailbox(view));
}

gboolean
looked_up_take_open(Store *store, LookedUp *found, StoredMessage **ret, GError **error)
{
        g_autoptr(StoredMessage) message = g_steal_pointer(&found->message);

        message->body = blob_body_at(store->blob, message->copy.body, &found->place, error);
        if (message->body == NULL)
                return FALSE;
        message->reader.opened = message->body;
        *ret = g_steal_pointer(&message);
        return TRUE;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

gboolean
store_message_of(Store *store, const View *view, guint32 index, StoredMessage **ret, GError **error)
{
        LookedUp found;
        guint n;

        return messages_look_up(store, view, index, 1, &found, &n, error) &&
               looked_up_take_open(store, &found, ret, error);
}

/* Many of them ----------------------------------------------------------------------------------------------------- */

struct MessagesAhead {
        Store *store;
        View *view;
        guint32 from; /* index of the first one          */
        guint n, at;  /* the next one asked for is at at */
        LookedUp found[LOOK_UP_MAX];
};

MessagesAhead *
store_messages_ahead(Store *store, View *view)
{
        MessagesAhead *ahead = g_new0(MessagesAhead, 1);

        ahead->store = store;
        ahead->view = view_ref(view);
        return ahead;
}

void
messages_ahead_rest(MessagesAhead *ahead)
{
        if (ahead == NULL)
                return;
        for (guint i = ahead->at; i < ahead->n; i++)
                stored_message_free(ahead->found[i].message);
        ahead->from += ahead->at; /* the one behind the last is still the next */
        ahead->n = ahead->at = 0;
}

void
messages_ahead_free(MessagesAhead *ahead)
{
        if (ahead == NULL)
                return;
        messages_ahead_rest(ahead);
        view_unref(ahead->view);
        g_free(ahead);
}

/* This one, and those behind it when the ones before were asked for in turn. */
static gboolean
ahead_fill(MessagesAhead *ahead, guint32 index, GError **error)
{
        gboolean is_next = index > 0 && ahead->from + ahead->at == index;

        messages_ahead_rest(ahead);
        ahead->from = index;
        return messages_look_up(ahead->store, ahead->view, index, is_next ? LOOK_UP_MAX : 1, ahead->found, &ahead->n,
                                error);
}

gboolean
messages_ahead_get(MessagesAhead *ahead, guint32 index, StoredMessage **ret, GError **error)
{
        /* another part of the one that was given last */
        if (ahead->at > 0 && ahead->from + ahead->at - 1 == index)
                return store_message_of(ahead->store, ahead->view, index, ret, error);
        if ((ahead->at == ahead->n || ahead->from + ahead->at != index) && !ahead_fill(ahead, index, error))
                return FALSE;
        return looked_up_take_open(ahead->store, &ahead->found[ahead->at++], ret, error);
}

/* Its octets ------------------------------------------------------------------------------------------------------- */

guint64
stored_message_size(const StoredMessage *message)
{
        return copy_size(&message->copy);
}

gssize
stored_message_read(StoredMessage *message, guint64 offset, void *buffer, gsize len, GError **error)
{
        if (offset >= copy_size(&message->copy))
                return 0;
        message->reader.position = offset;
        return copy_read(&message->reader, buffer, len, error);
}

guint64
stored_message_offset(const StoredMessage *message, guint64 body_offset)
{
        const Copy *copy = &message->copy;
        guint64 hidden = 0;

        for (guint i = 0; i < copy->n_cuts && copy->cuts[i].offset < body_offset; i++)
                hidden += MIN((guint64) copy->cuts[i].len, body_offset - copy->cuts[i].offset);
        return copy->prefix.len + body_offset - hidden;
}

/* Where the header of the body ends, as message_parse() sees it. What can't be read is all header. */
static guint64
header_end(const StoredMessage *message)
{
        guint64 size = message->copy.body_size;
        g_autoptr(Arena) arena = arena_new(2 * MESSAGE_HEADER_MAX);

        for (gsize len = HEADER_PIECE;; len *= 8) {
                gsize piece = (gsize) MIN(size, (guint64) len);
                g_autofree guint8 *octets = g_malloc(piece);
                Header header;
                arena_reset(arena);
                if (!blob_body_read(message->body, 0, octets, piece, NULL) ||
                    !header_parse(arena, span_make(octets, piece), &header))
                        return size;
                if (header.body_offset < piece || piece == size || len >= 2 * MESSAGE_HEADER_MAX)
                        return header.body_offset;
        }
}

guint64
stored_message_header_size(const StoredMessage *message)
{
        StoredMessage *known = (StoredMessage *) message; /* it only remembers */

        if (known->header_size == 0)
                known->header_size = stored_message_offset(message, header_end(message));
        return known->header_size;
}

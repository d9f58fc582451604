/* message.c -- the octets of one copy: where its prefix, its cuts and its body are, and reading it. */
#include "store/internal.h"

#include "mail/header.h"

#define HEADER_PIECE 8192 /* tried first, then eight times as much */

/* Looking up ------------------------------------------------------------------------------------------------------- */

/* Rows of `entry` with the places of their bodies: one look-up for several messages, no second one for the body. */
DB_SQL(ENTRIES_WITH_PLACE, "SELECT e.uid, e.prefix, e.cuts, b.id, b.segment, b.offset, b.stored, b.size FROM entry e "
                           "JOIN body b ON b.id = e.body"
                           " WHERE e.mailbox = ? AND e.uid >= ? ORDER BY e.uid LIMIT ?");

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

static gboolean
looked_up_from_row(LookedUp *ret, const DbRows *row, GError **error)
{
        ret->place = (BlobPlace){
                .segment = (guint32) db_int(row, 4),
                .offset = (guint64) db_int(row, 5),
                .stored = (guint64) db_int(row, 6),
                .size = (guint64) db_int(row, 7),
        };
        ret->message = message_new(db_int(row, 3), ret->place.size, db_bytes(row, 1), db_bytes(row, 2), error);
        return ret->message != NULL;
}

/* A damaged one ends the look ahead: it is complained of when it is asked for itself. */
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
        if (n > 0 || step == DB_ROW_FAILED)
                return n > 0;
        if (damage == NULL)
                return fault(error, FAULT_INTERNAL, "a message of mailbox %" G_GINT64_FORMAT " is gone",
                             view_mailbox(view));
        g_propagate_error(error, g_steal_pointer(&damage));
        return FALSE;
}

gboolean
messages_look_up(Store *store, const View *view, guint32 index, guint most, LookedUp *ret, guint *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);

        most = MIN(most, view_count(view) - index);
        return txn != NULL && look_up_rows(txn, view, index, most, ret, ret_n, error);
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

/* reader.c -- bodies by id: look-up, pin, read. */
#include "blob/internal.h"

#include <errno.h>

#define UNPACK_MAX_OCTETS SINGLE_MIN_OCTETS
#define AHEAD_OCTETS (16u << 10) /* a record up to this is read with its head */

struct BlobBody {
        Blob *blob;
        Segment *segment;
        guint64 offset; /* of the record's head */
        RecordHead head;
        guint8 *unpacked; /* the whole body, once a compressed record was read */
        gsize n_ahead;    /* octets of the record that are here already        */
        guint8 ahead[];
};

DB_SQL(GET_PLACE, "SELECT segment, offset, stored, size FROM body WHERE id = ?");

static DbStep
place_get(DbTxn *txn, gint64 body, BlobPlace *ret, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &GET_PLACE, error, "i", body);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step == DB_ROW)
                *ret = (BlobPlace){.segment = (guint32) db_int(rows, 0),
                                   .offset = (guint64) db_int(rows, 1),
                                   .stored = (guint64) db_int(rows, 2),
                                   .size = (guint64) db_int(rows, 3)};
        return step;
}

static gboolean
place_look_up(Blob *blob, gint64 body, BlobPlace *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);
        DbStep step = txn != NULL ? place_get(txn, body, ret, error) : DB_ROW_FAILED;

        if (step == DB_ROW_END)
                return fault(error, FAULT_INTERNAL, "there is no body %" G_GINT64_FORMAT, body);
        return step == DB_ROW;
}

gboolean
blob_places(Blob *blob, const gint64 *bodies, guint n, BlobPlace *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);

        if (txn == NULL)
                return FALSE;
        for (guint i = 0; i < n; i++) {
                ret[i] = (BlobPlace){0};
                if (place_get(txn, bodies[i], &ret[i], error) == DB_ROW_FAILED)
                        return FALSE;
        }
        return TRUE;
}

/* The record's head, and as much behind it as there is room for; else the head alone. */
static gboolean
record_read(BlobBody *body, gsize room)
{
        errno = 0;
        body->n_ahead = room;
        if (room > RECORD_HEAD_OCTETS && blob_file_read(body->segment->fd, body->offset, body->ahead, room))
                return TRUE;
        body->n_ahead = RECORD_HEAD_OCTETS;
        return errno == 0 && blob_file_read(body->segment->fd, body->offset, body->ahead, RECORD_HEAD_OCTETS);
}

/* The body at this very place, or NULL when something else is there. A short one comes with its head in one read. */
static BlobBody *
body_at(Blob *blob, gint64 id, const BlobPlace *place, GError **error)
{
        gsize room = MAX(RECORD_HEAD_OCTETS, place->stored <= AHEAD_OCTETS ? (gsize) place->stored : 0);
        g_autoptr(BlobBody) body = g_malloc(sizeof(BlobBody) + room);

        *body = (BlobBody){.blob = blob, .segment = segment_pin(blob, place->segment, error), .offset = place->offset};
        if (body->segment == NULL)
                return NULL;
        gboolean is_read = record_read(body, room);
        if (!is_read && errno != 0)
                fault_errno(error, "segment %u", place->segment);
        else if (!is_read || !record_head_read(span_make(body->ahead, RECORD_HEAD_OCTETS), &body->head) ||
                 body->head.id != (guint64) id || body->head.size != place->size ||
                 record_stored(body->head.length) != place->stored)
                fault(error, FAULT_INTERNAL, "segment %u has no body %" G_GINT64_FORMAT " at %" G_GUINT64_FORMAT,
                      place->segment, id, place->offset);
        else
                return g_steal_pointer(&body);
        return NULL;
}

BlobBody *
blob_body_at(Blob *blob, gint64 body, const BlobPlace *place, GError **error)
{
        BlobPlace again;
        BlobBody *found = body_at(blob, body, place, NULL);

        if (found != NULL || !place_look_up(blob, body, &again, error))
                return found;
        return body_at(blob, body, &again, error);
}

BlobBody *
blob_body_open(Blob *blob, gint64 body, GError **error)
{
        BlobPlace place;

        return place_look_up(blob, body, &place, error) ? blob_body_at(blob, body, &place, error) : NULL;
}

void
blob_body_close(BlobBody *body)
{
        if (body == NULL)
                return;
        if (body->segment != NULL)
                segment_unpin(body->blob, body->segment);
        g_free(body->unpacked);
        g_free(body);
}

guint64
blob_body_size(const BlobBody *body)
{
        return body->head.size;
}

const RecordHead *
body_head(const BlobBody *body)
{
        return &body->head;
}

/* Octets of the record behind its head, as stored. */
gboolean
body_read_stored(BlobBody *body, guint64 offset, void *buffer, gsize len, GError **error)
{
        guint64 at = RECORD_HEAD_OCTETS + offset;

        if (at <= body->n_ahead && len <= body->n_ahead - at) {
                if (len > 0)
                        memcpy(buffer, body->ahead + at, len);
                return TRUE;
        }
        errno = 0;
        if (blob_file_read(body->segment->fd, body->offset + RECORD_HEAD_OCTETS + offset, buffer, len))
                return TRUE;
        return errno != 0 ? fault_errno(error, "segment %u", body->segment->number)
                          : fault(error, FAULT_INTERNAL, "segment %u ends within a body", body->segment->number);
}

static gboolean
body_unpack(BlobBody *body, GError **error)
{
        if (body->unpacked != NULL)
                return TRUE;
        if (body->head.length > UNPACK_MAX_OCTETS)
                return fault(error, FAULT_INTERNAL, "a compressed body is too long");
        g_autofree guint8 *stored = g_try_malloc(body->head.length + 1);
        if (stored == NULL)
                return fault(error, FAULT_BUSY, "no memory to unpack a body");
        if (!body_read_stored(body, 0, stored, (gsize) body->head.length, error))
                return FALSE;
        body->unpacked = record_decompress(&body->head, span_make(stored, (gsize) body->head.length));
        return body->unpacked != NULL ||
               fault(error, FAULT_INTERNAL, "a compressed body in segment %u is damaged", body->segment->number);
}

gboolean
blob_body_read(BlobBody *body, guint64 offset, void *buffer, gsize len, GError **error)
{
        if (offset > body->head.size || len > body->head.size - offset)
                return fault(error, FAULT_INTERNAL, "octets outside of a body were asked for");
        if ((body->head.flags & RECORD_ZSTD) == 0)
                return body_read_stored(body, offset, buffer, len, error);
        if (!body_unpack(body, error))
                return FALSE;
        if (len > 0)
                memcpy(buffer, body->unpacked + offset, len);
        return TRUE;
}

gboolean
blob_body_check(BlobBody *body, GError **error)
{
        RecordHead head;

        if (!record_check(body->segment->fd, body->offset, G_MAXINT64, &head))
                return fault(error, FAULT_INTERNAL,
                             "body %" G_GUINT64_FORMAT " in segment %u at %" G_GUINT64_FORMAT " is damaged",
                             body->head.id, body->segment->number, body->offset);
        return (head.flags & RECORD_ZSTD) == 0 || body_unpack(body, error);
}

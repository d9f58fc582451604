/* reader.c -- bodies by id: look-up, pin, read. */
#include "blob/internal.h"

#include <errno.h>

#define UNPACK_MAX_OCTETS SINGLE_MIN_OCTETS
#define AT_ONCE_MAX_OCTETS ((guint64) 8 * 1024) /* most messages are no longer */

struct BlobBody {
        Blob *blob;
        Segment *segment;
        guint64 offset; /* of the record's head */
        RecordHead head;
        guint8 *unpacked; /* the whole body, once a compressed record was read */
        gsize n_read;     /* of the record: all of a short one, of others the head */
        guint8 record[];
};

DB_SQL(GET_PLACE, "SELECT segment, offset, stored, size FROM body WHERE id = ?");

static gboolean
place_look_up(Blob *blob, gint64 body, BlobPlace *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);
        g_autoptr(DbRows) rows = txn == NULL ? NULL : db_query(txn, &GET_PLACE, error, "i", body);

        if (rows == NULL)
                return FALSE;
        switch (db_rows_next(rows, error)) {
        case DB_ROW_FAILED:
                return FALSE;
        case DB_ROW_END:
                return fault(error, FAULT_INTERNAL, "there is no body %" G_GINT64_FORMAT, body);
        case DB_ROW:
                break;
        }
        *ret = (BlobPlace){.segment = (guint32) db_int(rows, 0),
                           .offset = (guint64) db_int(rows, 1),
                           .stored = (guint64) db_int(rows, 2),
                           .size = (guint64) db_int(rows, 3)};
        return TRUE;
}

/* One read for who looks whether it is there and for who wants its octets. */
static BlobBody *
body_new(Blob *blob, Segment *segment, const BlobPlace *place)
{
        gsize len = place->stored <= AT_ONCE_MAX_OCTETS ? (gsize) place->stored : 0;
        BlobBody *body = g_malloc(sizeof(BlobBody) + MAX(len, RECORD_HEAD_OCTETS));

        *body = (BlobBody){
                .blob = blob, .segment = segment, .offset = place->offset, .n_read = MAX(len, RECORD_HEAD_OCTETS)};
        return body;
}

/* The body at this very place, or NULL when something else is there. */
static BlobBody *
body_at(Blob *blob, gint64 body, const BlobPlace *place, GError **error)
{
        Segment *segment = segment_pin(blob, place->segment, error);

        if (segment == NULL)
                return NULL;
        g_autofree BlobBody *found = body_new(blob, segment, place);
        RecordHead *head = &found->head;
        errno = 0;
        if (!blob_file_read(segment->fd, place->offset, found->record, found->n_read) && errno != 0) {
                fault_errno(error, "segment %u", place->segment);
        } else if (!record_head_read(span_make(found->record, RECORD_HEAD_OCTETS), head) ||
                   head->id != (guint64) body || head->size != place->size ||
                   record_stored(head->length) != place->stored) {
                fault(error, FAULT_INTERNAL, "segment %u has no body %" G_GINT64_FORMAT " at %" G_GUINT64_FORMAT,
                      place->segment, body, place->offset);
        } else {
                return g_steal_pointer(&found);
        }
        segment_unpin(blob, segment);
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
        Span read = span_slice(span_make(body->record, body->n_read), RECORD_HEAD_OCTETS, body->n_read);

        if (offset <= read.len && len <= read.len - offset) {
                if (len > 0)
                        memcpy(buffer, read.data + offset, len);
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

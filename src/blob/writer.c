/* writer.c -- a body while it arrives: in memory, then in a file without a name, at last a record. */
#include "blob/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* The octets are those of the file behind SINGLE_ROOM_OCTETS, then those of `buffer`. */
struct BlobWriter {
        Blob *blob;
        guint64 max, size;
        gboolean is_over;
        GError *fault; /* the first one; every later call says the same */
        guint8 *buffer;
        gsize len, capacity;
        int fd; /* -1: nothing spooled */
        guint64 spooled;
        guint8 *map; /* of the whole file, for a view or an append */
        gsize map_len;
};

BlobWriter *
blob_writer_new(Blob *blob, guint64 max_octets)
{
        BlobWriter *writer = g_new0(BlobWriter, 1);

        writer->blob = blob;
        writer->max = max_octets;
        writer->fd = -1;
        return writer;
}

static void
map_drop(BlobWriter *writer)
{
        if (writer->map != NULL)
                munmap(writer->map, writer->map_len);
        writer->map = NULL;
        writer->map_len = 0;
}

void
blob_writer_free(BlobWriter *writer)
{
        if (writer == NULL)
                return;
        map_drop(writer);
        if (writer->fd >= 0)
                close(writer->fd);
        __atomic_sub_fetch(&writer->blob->memory, writer->capacity, __ATOMIC_RELAXED);
        g_clear_error(&writer->fault);
        g_free(writer->buffer);
        g_free(writer);
}

static gboolean
writer_fail(BlobWriter *writer, GError *fault, GError **error)
{
        if (writer->fault == NULL)
                writer->fault = fault;
        if (error != NULL)
                *error = g_error_copy(writer->fault);
        return FALSE;
}

static gboolean
spool_open(BlobWriter *writer, GError **error)
{
        if (writer->fd >= 0)
                return TRUE;
        writer->fd = openat(writer->blob->dir_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        return writer->fd >= 0 || fault_errno(error, "spool file in %s", writer->blob->path);
}

/* Octets behind those spooled so far. */
static gboolean
spool_write(BlobWriter *writer, const void *data, gsize len, GError **error)
{
        struct iovec part = {(void *) data, len};

        if (!spool_open(writer, error))
                return FALSE;
        if (!blob_file_write(writer->fd, SINGLE_ROOM_OCTETS + writer->spooled, &part, 1))
                return fault_errno(error, "spool file in %s", writer->blob->path);
        writer->spooled += len;
        return TRUE;
}

static gboolean
spool_flush(BlobWriter *writer, GError **error)
{
        if (writer->len > 0 && !spool_write(writer, writer->buffer, writer->len, error))
                return FALSE;
        writer->len = 0;
        return TRUE;
}

/* Make the buffer large enough for `more`, as far as it may grow. */
static void
buffer_grow(BlobWriter *writer, gsize more)
{
        gsize wanted = MAX(writer->capacity, WRITER_MEMORY_MIN);

        while (wanted < writer->len + more && wanted < WRITER_MEMORY_MAX)
                wanted *= 2;
        if (wanted > WRITER_MEMORY_MIN &&
            __atomic_load_n(&writer->blob->memory, __ATOMIC_RELAXED) + wanted - writer->capacity > WRITERS_MEMORY_MAX)
                wanted = MAX(writer->capacity, WRITER_MEMORY_MIN);
        if (wanted == writer->capacity)
                return;
        __atomic_add_fetch(&writer->blob->memory, wanted - writer->capacity, __ATOMIC_RELAXED);
        writer->buffer = g_realloc(writer->buffer, wanted);
        writer->capacity = wanted;
}

static gboolean
writer_store(BlobWriter *writer, Span octets, GError **error)
{
        buffer_grow(writer, octets.len);
        if (octets.len > writer->capacity - writer->len && !spool_flush(writer, error))
                return FALSE;
        if (octets.len > writer->capacity - writer->len)
                return spool_write(writer, octets.data, octets.len, error);
        if (octets.len > 0)
                memcpy(writer->buffer + writer->len, octets.data, octets.len);
        writer->len += octets.len;
        return TRUE;
}

gboolean
blob_writer_add(BlobWriter *writer, Span octets, GError **error)
{
        GError *fault_now = NULL;

        map_drop(writer);
        if (writer->fault != NULL)
                return writer_fail(writer, NULL, error);
        if (octets.len > writer->max - writer->size) {
                writer->is_over = TRUE;
                fault(&fault_now, FAULT_INPUT, "the message is longer than %" G_GUINT64_FORMAT " octets", writer->max);
                return writer_fail(writer, fault_now, error);
        }
        if (!writer_store(writer, octets, &fault_now))
                return writer_fail(writer, fault_now, error);
        writer->size += octets.len;
        return TRUE;
}

gboolean
blob_writer_is_over(const BlobWriter *writer)
{
        return writer->is_over;
}

guint64
blob_writer_size(const BlobWriter *writer)
{
        return writer->size;
}

/* The spooled octets in memory. */
static gboolean
spool_map(BlobWriter *writer, Span *ret, GError **error)
{
        if (writer->map == NULL) {
                gsize len = (gsize) (SINGLE_ROOM_OCTETS + writer->spooled);
                void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, writer->fd, 0);
                if (map == MAP_FAILED)
                        return fault_errno(error, "spool file in %s", writer->blob->path);
                writer->map = map;
                writer->map_len = len;
        }
        *ret = span_make(writer->map + SINGLE_ROOM_OCTETS, (gsize) writer->spooled);
        return TRUE;
}

/* What lies before `max` either is in the buffer alone, or goes to the file first. */
gboolean
blob_writer_view(BlobWriter *writer, guint64 max, Span *ret, GError **error)
{
        Span all = span_make(writer->buffer, writer->len);

        if (writer->fault != NULL)
                return writer_fail(writer, NULL, error);
        if (writer->fd >= 0) {
                if (writer->len > 0 && max > writer->spooled) {
                        map_drop(writer);
                        if (!spool_flush(writer, error))
                                return FALSE;
                }
                if (!spool_map(writer, &all, error))
                        return FALSE;
        }
        *ret = span_slice(all, 0, (gsize) MIN(max, all.len));
        return TRUE;
}

/* The file gets its heads, is synced, and becomes segment `number`. */
static gboolean
single_finish(BlobWriter *writer, Span received, const RecordHead *head, guint32 number, GError **error)
{
        Blob *blob = writer->blob;
        guint64 first = SINGLE_ROOM_OCTETS - received.len - RECORD_HEAD_OCTETS;
        SegmentHead segment = {number, SEGMENT_SINGLE, first};
        guint8 segment_octets[SEGMENT_HEAD_OCTETS], record_octets[RECORD_HEAD_OCTETS];
        struct iovec start = {segment_octets, sizeof segment_octets};
        struct iovec parts[] = {{record_octets, sizeof record_octets}, {(void *) received.data, received.len}};
        char name[16], path[32];

        segment_name(number, name);
        segment_head_write(&segment, segment_octets);
        record_head_write(head, record_octets);
        if (!blob_file_write(writer->fd, 0, &start, 1) || !blob_file_write(writer->fd, first, parts, 2) ||
            ftruncate(writer->fd, (off_t) (first + record_stored(head->length))) < 0)
                return fault_errno(error, "segment %s", name);
        if (fsync(writer->fd) < 0)
                blob_fatal("single segment");
        g_snprintf(path, sizeof path, "/proc/self/fd/%d", writer->fd);
        if (linkat(AT_FDCWD, path, blob->dir_fd, name, AT_SYMLINK_FOLLOW) < 0)
                return fault_errno(error, "segment %s", name);
        blob_dir_sync(blob);
        return TRUE;
}

static gboolean
append_single(BlobWriter *writer, Span received, RecordHead *head, BlobPlace *ret, GError **error)
{
        Blob *blob = writer->blob;
        Span parts[2] = {received, SPAN_EMPTY};

        if (received.len > SINGLE_ROOM_OCTETS - SEGMENT_HEAD_OCTETS - RECORD_HEAD_OCTETS)
                return fault(error, FAULT_INTERNAL, "%" G_GSIZE_FORMAT " octets before a body are too many",
                             received.len);
        map_drop(writer);
        if (!spool_flush(writer, error) || !spool_map(writer, &parts[1], error))
                return FALSE;
        head->checksum = record_checksum(head, parts, 2);
        guint32 number = append_number(blob);
        if (!single_finish(writer, received, head, number, error))
                return FALSE;
        *ret = (BlobPlace){.segment = number,
                           .offset = SINGLE_ROOM_OCTETS - received.len - RECORD_HEAD_OCTETS,
                           .stored = record_stored(head->length),
                           .size = head->size,
                           .sequence = __atomic_load_n(&blob->appended, __ATOMIC_ACQUIRE),
                           .id = head->id,
                           .blob = blob,
                           .appended_at = clock_monotonic()};
        return TRUE;
}

static gboolean
append_shared(BlobWriter *writer, Span received, RecordHead *head, BlobPlace *ret, GError **error)
{
        Span parts[3] = {received, SPAN_EMPTY, span_make(writer->buffer, writer->len)};

        if (writer->fd >= 0 && !spool_map(writer, &parts[1], error))
                return FALSE;
        return append_record(writer->blob, head, parts, 3, ret, error);
}

gboolean
blob_take_append(BlobWriter *writer, Span head, BlobPlace *ret, GError **error)
{
        g_autoptr(BlobWriter) taken = writer;
        RecordHead record = {.length = head.len + writer->size, .size = head.len + writer->size, .id = id_new()};

        if (writer->fault != NULL)
                return writer_fail(writer, NULL, error);
        map_drop(writer);
        if (record.length > SINGLE_MIN_OCTETS)
                return append_single(taken, head, &record, ret, error);
        return append_shared(taken, head, &record, ret, error);
}

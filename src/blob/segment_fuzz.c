/* A segment file of any octets is walked within its bounds, each record accepted is whole, and unpacking gives the size
 * its head says. */
#include "blob/internal.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

/* The checksum stands aside here, so that what lies behind it is reached. */
static void
unpack(Span record)
{
        RecordHead head;

        if (!record_head_read(record, &head) || head.length > record.len - RECORD_HEAD_OCTETS)
                return;
        Span stored = span_slice(record, RECORD_HEAD_OCTETS, RECORD_HEAD_OCTETS + (gsize) head.length);
        g_free(record_decompress(&head, stored));

        guint8 again[RECORD_HEAD_OCTETS];
        record_head_write(&head, again);
        g_assert(memcmp(again, record.data, sizeof again) == 0);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        struct iovec part = {(void *) data, size};
        guint64 at = SEGMENT_HEAD_OCTETS;
        SegmentHead segment;
        RecordHead head;
        int fd = memfd_create("segment", MFD_CLOEXEC);

        g_assert(fd >= 0 && blob_file_write(fd, 0, &part, 1));
        if (segment_head_read(span_make(data, size), &segment))
                at = segment.first;
        guint64 tail = segment_walk(fd, at, size);
        g_assert(tail <= MAX(size, at));
        while (record_check(fd, at, size, &head)) {
                g_assert(at + RECORD_HEAD_OCTETS + head.length <= size);
                at += record_stored(head.length);
        }
        g_assert(tail == MIN(at, size));
        for (gsize i = 0; i + RECORD_HEAD_OCTETS <= size; i += RECORD_ALIGN)
                unpack(span_make(data + i, size - i));
        close(fd);
        return 0;
}

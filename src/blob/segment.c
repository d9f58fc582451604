/* segment.c -- the format of segment files.
 *
 * Numbers are little-endian. A segment file DIR/segments/NNNNNNNN.seg (decimal) is
 *
 *      0       8       "RESTSEG1"
 *      8       4       number, as in the name
 *      12      4       kind: 0 shared, 1 single
 *      16      8       offset of the first record
 *      24      8       XXH64 of the 24 octets before
 *
 * and then records, each
 *
 *      0       4       magic "RREC"
 *      4       4       flags: 1 the octets are one zstd frame; others must be 0
 *      8       8       length: octets that follow the head
 *      16      8       size: octets of the body; without zstd the same as length
 *      24      8       id of the body
 *      32      8       XXH64 of the 32 octets before and of the octets that follow
 *      40      8       zero
 *      48      length  the octets
 *              0-7     zeros to a multiple of 8
 *
 *  1. A shared segment grows by records at its tail only, written one after the other under one lock: while a record
 *     is not whole, nothing is written behind it. Records in a shared segment start at multiples of 8.
 *  2. Behind the tail there are zeros, or what a crash left of records that were never named. Nothing reads there.
 *  3. No row of table `body` names a record before an fdatasync() after its last write has succeeded, or in a transaction that has the
 *     whole record in table `body_redo` too, from which it is written again at start (redo.c). So what a row names is whole, always.
 *  4. A row names a segment and the offset of a record head in it; head and row have the same id, and
 *     row.stored = 48 + length + padding, row.size = size.
 *  5. At start the tail is behind the last named record and every whole record that follows it without a gap.
 *     What comes then (a torn record, a hole of zeros, old octets) is overwritten: no row names it by 3.
 *  6. A segment is sealed when another becomes the active one, and never changes again. The next sync takes it
 *     along, before the active one; so 3 holds across the change.
 *  7. A segment and its directory entry are synced before its first record is written; a single segment is synced
 *     whole before it gets its name, and its directory before it is named in a row.
 *  8. Numbers rise and are not used again while a file or a row has them. Compaction copies a record with its id to
 *     the active segment, syncs, moves the row, and unlinks the old file when no row names it; a crash in between
 *     leaves a copy nobody names, or a file nobody names, never a row without a record.
 *  9. A record appended by a living process may be named until NAME_AGE_MAX after its append, not later (names.c);
 *     a segment is not dropped until DROP_AGE_MIN after the last append to it (compact.c). So nothing is dropped
 *     that may still be named.
 */
#include "blob/internal.h"

#include "base/scan.h"

#include <errno.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY /* the state lives on the stack */
#include <xxhash.h>
#include <zstd.h>

#define SEGMENT_MAGIC "RESTSEG1"
#define RECORD_MAGIC "RREC"
#define COPY_OCTETS (64u << 10)

static void
put_number(guint8 *out, guint64 number, guint octets)
{
        for (guint i = 0; i < octets; i++)
                out[i] = (guint8) (number >> (8 * i));
}

static gboolean
take_number(Scan *s, guint octets, guint64 *ret)
{
        Span span;

        if (!scan_take(s, octets, &span))
                return FALSE;
        *ret = 0;
        for (guint i = 0; i < octets; i++)
                *ret |= (guint64) span.data[i] << (8 * i);
        return TRUE;
}

static gboolean
take_magic(Scan *s, const char *magic)
{
        Span span;

        return scan_take(s, strlen(magic), &span) && memcmp(span.data, magic, span.len) == 0;
}

void
segment_head_write(const SegmentHead *head, guint8 out[SEGMENT_HEAD_OCTETS])
{
        memcpy(out, SEGMENT_MAGIC, 8);
        put_number(out + 8, head->number, 4);
        put_number(out + 12, head->kind, 4);
        put_number(out + 16, head->first, 8);
        put_number(out + 24, XXH64(out, 24, 0), 8);
}

gboolean
segment_head_read(Span octets, SegmentHead *ret)
{
        Scan s = scan_from(octets);
        guint64 number, kind, first, checksum;

        if (!take_magic(&s, SEGMENT_MAGIC) || !take_number(&s, 4, &number) || !take_number(&s, 4, &kind) ||
            !take_number(&s, 8, &first) || !take_number(&s, 8, &checksum))
                return FALSE;
        if (checksum != XXH64(octets.data, 24, 0) || kind > SEGMENT_SINGLE || first < SEGMENT_HEAD_OCTETS ||
            first > SINGLE_ROOM_OCTETS)
                return FALSE;
        *ret = (SegmentHead){(guint32) number, (guint32) kind, first};
        return TRUE;
}

void
record_head_write(const RecordHead *head, guint8 out[RECORD_HEAD_OCTETS])
{
        memcpy(out, RECORD_MAGIC, 4);
        put_number(out + 4, head->flags, 4);
        put_number(out + 8, head->length, 8);
        put_number(out + 16, head->size, 8);
        put_number(out + 24, head->id, 8);
        put_number(out + 32, head->checksum, 8);
        put_number(out + 40, 0, 8);
}

gboolean
record_head_read(Span octets, RecordHead *ret)
{
        Scan s = scan_from(octets);
        guint64 flags, length, size, id, checksum, zero;

        if (!take_magic(&s, RECORD_MAGIC) || !take_number(&s, 4, &flags) || !take_number(&s, 8, &length) ||
            !take_number(&s, 8, &size) || !take_number(&s, 8, &id) || !take_number(&s, 8, &checksum) ||
            !take_number(&s, 8, &zero))
                return FALSE;
        if ((flags & ~RECORD_ZSTD) != 0 || zero != 0 || length > G_MAXINT64 - RECORD_HEAD_OCTETS - RECORD_ALIGN)
                return FALSE;
        if ((flags & RECORD_ZSTD) != 0 ? size > SINGLE_MIN_OCTETS || length > size : size != length)
                return FALSE;
        *ret = (RecordHead){(guint32) flags, length, size, id, checksum};
        return TRUE;
}

guint64
record_checksum(const RecordHead *head, const Span *parts, guint n_parts)
{
        guint8 octets[RECORD_HEAD_OCTETS];
        XXH64_state_t state;

        record_head_write(head, octets);
        XXH64_reset(&state, 0);
        XXH64_update(&state, octets, 32);
        for (guint i = 0; i < n_parts; i++)
                if (parts[i].len > 0)
                        XXH64_update(&state, parts[i].data, parts[i].len);
        return XXH64_digest(&state);
}

guint64
record_stored(guint64 length)
{
        return (RECORD_HEAD_OCTETS + length + RECORD_ALIGN - 1) & ~(guint64) (RECORD_ALIGN - 1);
}

gboolean
blob_file_read(int fd, guint64 offset, void *buffer, gsize len)
{
        for (guint8 *at = buffer; len > 0;) {
                ssize_t n = pread(fd, at, len, (off_t) offset);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        errno = n == 0 ? 0 : errno;
                        return FALSE;
                }
                at += n;
                len -= (gsize) n;
                offset += (guint64) n;
        }
        return TRUE;
}

static gboolean
write_rest(int fd, guint64 offset, const guint8 *data, gsize len)
{
        while (len > 0) {
                ssize_t n = pwrite(fd, data, len, (off_t) offset);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return FALSE;
                data += n;
                len -= (gsize) n;
                offset += (guint64) n;
        }
        return TRUE;
}

gboolean
blob_file_write(int fd, guint64 offset, const struct iovec *parts, int n_parts)
{
        ssize_t written = pwritev(fd, parts, n_parts, (off_t) offset);

        if (written < 0 && errno != EINTR)
                return FALSE;
        gsize done = written > 0 ? (gsize) written : 0; /* a short write goes on part by part */
        for (int i = 0; i < n_parts; i++) {
                gsize skip = MIN(done, parts[i].iov_len);
                done -= skip;
                if (skip < parts[i].iov_len &&
                    !write_rest(fd, offset + skip, (const guint8 *) parts[i].iov_base + skip, parts[i].iov_len - skip))
                        return FALSE;
                offset += parts[i].iov_len;
        }
        return TRUE;
}

gboolean
blob_file_zero(int fd, guint64 from, guint64 to)
{
        static const guint8 ZEROS[COPY_OCTETS];

        while (from < to) {
                gsize len = (gsize) MIN(to - from, sizeof ZEROS);
                if (!write_rest(fd, from, ZEROS, len))
                        return FALSE;
                from += len;
        }
        return TRUE;
}

/* The checksum of a record in a file, read in pieces. */
static gboolean
checksum_file(int fd, guint64 offset, const guint8 *head, guint64 length, guint64 *ret)
{
        g_autofree guint8 *buffer = g_malloc(MIN(length, COPY_OCTETS) + 1);
        XXH64_state_t state;

        XXH64_reset(&state, 0);
        XXH64_update(&state, head, 32);
        for (guint64 at = 0; at < length;) {
                gsize len = (gsize) MIN(length - at, COPY_OCTETS);
                if (!blob_file_read(fd, offset + RECORD_HEAD_OCTETS + at, buffer, len))
                        return FALSE;
                XXH64_update(&state, buffer, len);
                at += len;
        }
        *ret = XXH64_digest(&state);
        return TRUE;
}

gboolean
record_check(int fd, guint64 offset, guint64 end, RecordHead *ret)
{
        guint8 octets[RECORD_HEAD_OCTETS];
        guint64 checksum;
        RecordHead head;

        if (offset > end || end - offset < RECORD_HEAD_OCTETS || !blob_file_read(fd, offset, octets, sizeof octets) ||
            !record_head_read(span_make(octets, sizeof octets), &head))
                return FALSE;
        if (head.length > end - offset - RECORD_HEAD_OCTETS ||
            !checksum_file(fd, offset, octets, head.length, &checksum) || checksum != head.checksum)
                return FALSE;
        *ret = head;
        return TRUE;
}

guint64
segment_walk(int fd, guint64 from, guint64 end)
{
        RecordHead head;

        while (record_check(fd, from, end, &head))
                from += record_stored(head.length);
        return MIN(from, end);
}

guint8 *
record_decompress(const RecordHead *head, Span stored)
{
        if ((head->flags & RECORD_ZSTD) == 0 || head->size > SINGLE_MIN_OCTETS || head->size == 0)
                return NULL;

        guint8 *body = g_try_malloc(head->size);
        if (body == NULL)
                return NULL;
        if (ZSTD_decompress(body, head->size, stored.data, stored.len) == head->size)
                return body;
        g_free(body);
        return NULL;
}

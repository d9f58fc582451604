/* files.c -- segment files by number: made, opened once and shared, closed when others are wanted, unlinked after the
 * last reader. */
#include "blob/internal.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const LogEvent BLOB_FATAL = {"blob.fatal", LOG_ERROR,
                                    "The disk refused to sync message bodies. Nothing that was not on disk has been "
                                    "acknowledged; the server ends and the keeper "
                                    "starts it again. Look at the kernel's log and at the disk before anything else."};

/* A failed sync is never asked again: the kernel may have dropped the pages and would say yes. */
void
blob_fatal(const char *what)
{
        log_event(&BLOB_FATAL, "what=%s error=%s", what, log_text(span_of(g_strerror(errno))));
        _exit(3);
}

static const LogEvent BLOB_DAMAGED = {"blob.damaged", LOG_ERROR,
                                      "A message body can't be read back as it was written: the disk lost or changed "
                                      "it. Its segment is kept as it is. Run `restante "
                                      "verify`, look at the disk, and restore from the backup."};

void
blob_log_damaged(gint64 body, guint32 segment)
{
        log_event(&BLOB_DAMAGED, "body=%" G_GINT64_FORMAT " segment=%u", body, segment);
}

void
segment_name(guint32 number, char out[16])
{
        g_snprintf(out, 16, "%08u.seg", number);
}

/* Only names that segment_name() makes. */
gboolean
segment_parse_name(const char *name, guint32 *ret)
{
        char again[16];
        guint64 number = g_ascii_strtoull(name, NULL, 10);

        if (number == 0 || number > G_MAXUINT32)
                return FALSE;
        segment_name((guint32) number, again);
        if (strcmp(name, again) != 0)
                return FALSE;
        *ret = (guint32) number;
        return TRUE;
}

void
blob_dir_sync(Blob *blob)
{
        if (fsync(blob->dir_fd) < 0)
                blob_fatal("directory");
}

static gint
compare_numbers(gconstpointer a, gconstpointer b)
{
        guint32 x = *(const guint32 *) a, y = *(const guint32 *) b;

        return x < y ? -1 : x > y;
}

/* Numbers of all segment files, rising. */
GArray *
segments_list(Blob *blob, GError **error)
{
        GArray *numbers = g_array_new(FALSE, FALSE, sizeof(guint32));
        DIR *dir = opendir(blob->path);

        if (dir == NULL) {
                fault_errno(error, "%s", blob->path);
                g_array_unref(numbers);
                return NULL;
        }
        for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
                guint32 number;
                if (segment_parse_name(entry->d_name, &number))
                        g_array_append_val(numbers, number);
        }
        closedir(dir);
        g_array_sort(numbers, compare_numbers);
        return numbers;
}

/* Blob.files held: close the one unused for longest, when there are too many. */
static void
cache_trim(Blob *blob)
{
        GHashTableIter iter;
        gpointer value;
        Segment *oldest = NULL;

        if (g_hash_table_size(blob->open) < OPEN_SEGMENTS_MAX)
                return;
        g_hash_table_iter_init(&iter, blob->open);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                Segment *segment = value;
                if (segment->pins == 0 && (oldest == NULL || segment->used_at < oldest->used_at))
                        oldest = segment;
        }
        if (oldest == NULL)
                return;
        g_hash_table_remove(blob->open, GUINT_TO_POINTER(oldest->number));
        close(oldest->fd);
        g_free(oldest);
}

/* Blob.files held. */
static Segment *
cache_add(Blob *blob, guint32 number, int fd)
{
        cache_trim(blob);
        Segment *segment = g_new0(Segment, 1);
        segment->number = number;
        segment->fd = fd;
        g_hash_table_insert(blob->open, GUINT_TO_POINTER(number), segment);
        return segment;
}

/* An open file becomes segment `number`, pinned once. */
Segment *
segment_adopt(Blob *blob, guint32 number, int fd)
{
        MUTEX_SCOPE(&blob->files);
        Segment *segment = cache_add(blob, number, fd);
        segment->pins = 1;
        return segment;
}

static int
segment_open_file(Blob *blob, guint32 number, GError **error)
{
        guint8 octets[SEGMENT_HEAD_OCTETS];
        SegmentHead head;
        char name[16];

        segment_name(number, name);
        int fd = openat(blob->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) {
                if (errno == ENOENT)
                        fault(error, FAULT_INTERNAL, "there is no segment %s", name);
                else
                        fault_errno(error, "segment %s", name);
                return -1;
        }
        if (blob_file_read(fd, 0, octets, sizeof octets) &&
            segment_head_read(span_make(octets, sizeof octets), &head) && head.number == number)
                return fd;
        fault(error, FAULT_INTERNAL, "segment %s has no right head", name);
        close(fd);
        return -1;
}

/* Open and hold a segment. NULL: it is gone (the place is stale), or can't be opened. */
Segment *
segment_pin(Blob *blob, guint32 number, GError **error)
{
        MUTEX_SCOPE(&blob->files);
        Segment *segment = g_hash_table_lookup(blob->open, GUINT_TO_POINTER(number));

        if (segment != NULL && segment->is_dropped) {
                fault(error, FAULT_INTERNAL, "segment %u was dropped", number);
                return NULL;
        }
        if (segment == NULL) {
                int fd = segment_open_file(blob, number, error);
                if (fd < 0)
                        return NULL;
                segment = cache_add(blob, number, fd);
        }
        segment->pins++;
        segment->used_at = ++blob->uses;
        return segment;
}

/* Blob.files held. */
static void
segment_unlink(Blob *blob, guint32 number)
{
        Segment *segment = g_hash_table_lookup(blob->open, GUINT_TO_POINTER(number));
        char name[16];

        if (segment != NULL) {
                g_hash_table_remove(blob->open, GUINT_TO_POINTER(number));
                close(segment->fd);
                g_free(segment);
        }
        segment_name(number, name);
        unlinkat(blob->dir_fd, name, 0); /* when it fails, the next compaction finds the file again */
}

void
segment_unpin(Blob *blob, Segment *segment)
{
        if (segment == NULL)
                return;
        MUTEX_SCOPE(&blob->files);
        if (--segment->pins == 0 && segment->is_dropped)
                segment_unlink(blob, segment->number);
}

void
segment_drop(Blob *blob, guint32 number)
{
        MUTEX_SCOPE(&blob->files);
        Segment *segment = g_hash_table_lookup(blob->open, GUINT_TO_POINTER(number));

        if (segment != NULL && segment->pins > 0)
                segment->is_dropped = TRUE;
        else
                segment_unlink(blob, number);
}

/* A new shared segment, zero-filled at its start and synced with its directory. Pinned once. */
Segment *
segment_create(Blob *blob, guint32 number, GError **error)
{
        SegmentHead head = {number, SEGMENT_SHARED, SEGMENT_HEAD_OCTETS};
        guint8 octets[SEGMENT_HEAD_OCTETS];
        struct iovec part = {octets, sizeof octets};
        char name[16];

        segment_name(number, name);
        segment_head_write(&head, octets);
        int fd = openat(blob->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
                fault_errno(error, "segment %s", name);
                return NULL;
        }
        if (!blob_file_zero(fd, 0, FILL_FIRST_OCTETS) || !blob_file_write(fd, 0, &part, 1)) {
                fault_errno(error, "segment %s", name);
                close(fd);
                unlinkat(blob->dir_fd, name, 0);
                return NULL;
        }
        if (fsync(fd) < 0)
                blob_fatal("new segment");
        blob_dir_sync(blob);
        return segment_adopt(blob, number, fd);
}

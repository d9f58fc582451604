/* blob.c -- opening and closing, figures. */
#include "blob/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
dir_open(Blob *blob, const char *dir, GError **error)
{
        blob->path = g_build_filename(dir, "segments", NULL);
        if (mkdir(blob->path, 0700) < 0 && errno != EEXIST)
                return fault_errno(error, "%s", blob->path);
        blob->dir_fd = open(blob->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (blob->dir_fd < 0)
                return fault_errno(error, "%s", blob->path);
        int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0 || fsync(parent) < 0) {
                fault_errno(error, "%s", dir);
                if (parent >= 0)
                        close(parent);
                return FALSE;
        }
        close(parent);
        return TRUE;
}

static void
file_close(gpointer data)
{
        Segment *segment = data;

        close(segment->fd);
        g_free(segment);
}

Blob *
blob_open(const char *dir, Db *db, GError **error)
{
        Blob *blob = g_new0(Blob, 1);

        blob->db = db;
        blob->dir_fd = -1;
        blob->open = g_hash_table_new(NULL, NULL);
        mutex_init(&blob->files, "blob.files");
        append_init(blob);
        if (dir_open(blob, dir, error) && redo_open(blob, error) && append_open(blob, error))
                return blob;
        blob_close(blob);
        return NULL;
}

void
blob_close(Blob *blob)
{
        if (blob == NULL)
                return;
        append_done(blob);
        GHashTableIter iter;
        gpointer value;
        g_hash_table_iter_init(&iter, blob->open);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                g_assert(((Segment *) value)->pins == 0);
                file_close(value);
        }
        g_hash_table_unref(blob->open);
        mutex_done(&blob->files);
        if (blob->dir_fd >= 0)
                close(blob->dir_fd);
        g_free(blob->path);
        g_free(blob);
}

void
blob_stats(Blob *blob, BlobStats *ret)
{
        g_autoptr(GArray) numbers = segments_list(blob, NULL);
        BlobStats stats = {0};

        for (guint i = 0; numbers != NULL && i < numbers->len; i++) {
                char name[16];
                struct stat st;
                segment_name(g_array_index(numbers, guint32, i), name);
                if (fstatat(blob->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                        stats.segments++;
                        stats.stored_octets += (guint64) st.st_size;
                }
        }
        mutex_lock(&blob->sync);
        stats.syncs = blob->syncs;
        mutex_unlock(&blob->sync);
        mutex_lock(&blob->append);
        stats.appends = blob->appends;
        mutex_unlock(&blob->append);
        *ret = stats;
}

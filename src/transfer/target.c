/* target.c -- where an export may go. */
#include "transfer/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Empty, or with the mark of an export. */
static gboolean
may_be_written(int dir, const char *path, GError **error)
{
        g_autoptr(GPtrArray) names = file_names(dir, 2, error);
        g_autoptr(GByteArray) mark = NULL;

        if (names == NULL)
                return FALSE;
        return names->len == 0 || file_load(dir, MANIFEST_NAME, MANIFEST_OCTETS_MAX, &mark) ||
               fault(error, FAULT_INPUT, "%s is neither empty nor an earlier export (it has no " MANIFEST_NAME ")",
                     path);
}

int
target_directory(const char *path, GError **error)
{
        g_autoptr(GPtrArray) none = g_ptr_array_new();
        g_autofree char *manifest = manifest_text(none);
        struct stat st;

        if (mkdir(path, 0700) < 0 && errno != EEXIST) {
                fault_errno(error, "%s", path);
                return -1;
        }
        int dir = file_open_dir(AT_FDCWD, path);
        if (dir < 0) {
                fault_errno(error, "%s", path);
                return -1;
        }
        if (may_be_written(dir, path, error) &&
            (fstatat(dir, MANIFEST_NAME, &st, 0) == 0 || file_save(dir, MANIFEST_NAME, span_of(manifest), error)))
                return dir;
        close(dir);
        return -1;
}

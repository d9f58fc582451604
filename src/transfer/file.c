/* file.c -- files of a foreign directory: no links, no devices, nothing that blocks. */
#include "transfer/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int
file_open_dir(int dir, const char *name)
{
        int follow = dir == AT_FDCWD ? 0 : O_NOFOLLOW;

        return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow);
}

int
file_open(int dir, const char *name, struct stat *ret)
{
        int follow = dir == AT_FDCWD ? 0 : O_NOFOLLOW;
        int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow);

        if (fd < 0)
                return -1;
        if (fstat(fd, ret) == 0 && S_ISREG(ret->st_mode))
                return fd;
        close(fd);
        errno = ENXIO;
        return -1;
}

gboolean
file_load(int dir, const char *name, gsize max, GByteArray **ret)
{
        g_autoptr(GByteArray) octets = g_byte_array_new();
        struct stat st;
        int fd = file_open(dir, name, &st);
        guint8 piece[65536];
        ssize_t n = -1;

        if (fd < 0)
                return FALSE;
        while (octets->len <= max && (n = read(fd, piece, sizeof(piece))) > 0)
                g_byte_array_append(octets, piece, (guint) n);
        close(fd);
        if (n != 0)
                return FALSE;
        *ret = g_steal_pointer(&octets);
        return TRUE;
}

gboolean
file_write_all(int fd, Span octets)
{
        while (octets.len > 0) {
                ssize_t n = write(fd, octets.data, octets.len);

                if (n < 0 && errno != EINTR)
                        return FALSE;
                if (n > 0)
                        octets = span_slice(octets, (gsize) n, octets.len);
        }
        return TRUE;
}

gboolean
file_save(int dir, const char *name, Span octets, GError **error)
{
        g_autofree char *beside = g_strconcat(name, ".new", NULL);
        int fd = openat(dir, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return fault_errno(error, "%s", beside);
        gboolean is_written = file_write_all(fd, octets) && fsync(fd) == 0;
        if (!is_written)
                fault_errno(error, "%s", beside);
        close(fd);
        if (!is_written)
                return FALSE;
        if (renameat(dir, beside, dir, name) < 0 || fsync(dir) < 0)
                return fault_errno(error, "%s", name);
        return TRUE;
}

static int
name_compare(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
file_names(int dir, gsize max, GError **error)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
        struct dirent *entry;

        if (stream == NULL) {
                fault_errno(error, "the directory can't be read");
                if (fd >= 0)
                        close(fd);
                return NULL;
        }
        while (names->len < max && (entry = readdir(stream)) != NULL)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        g_ptr_array_add(names, g_strdup(entry->d_name));
        closedir(stream);
        g_ptr_array_sort(names, name_compare);
        return g_steal_pointer(&names);
}

int
file_open_path(int dir, const char *path)
{
        g_auto(GStrv) levels = g_strsplit(path, "/", -1);
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (gsize i = 0; fd >= 0 && levels[i] != NULL; i++) {
                if (*levels[i] == '\0')
                        continue;
                int next = file_open_dir(fd, levels[i]);
                int why = errno;
                close(fd);
                errno = why;
                fd = next;
        }
        return fd;
}

/* testing.h -- what tests of several rooms need. Never included by code that ships. */
#pragma once

#include <glib/gstdio.h>

/* A new directory in the machine's temporary one; g_free. */
static inline char *
test_dir_make(void)
{
        GError *error = NULL;
        char *dir = g_dir_make_tmp("restante-XXXXXX", &error);

        g_assert_no_error(error);
        return dir;
}

/* With everything in it. Links are removed, not followed. */
static inline void
test_dir_remove(const char *path)
{
        GDir *dir = g_dir_open(path, 0, NULL);

        for (const char *name; dir != NULL && (name = g_dir_read_name(dir)) != NULL;) {
                g_autofree char *child = g_build_filename(path, name, NULL);
                if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
                        test_dir_remove(child);
                else
                        g_unlink(child);
        }
        if (dir != NULL)
                g_dir_close(dir);
        g_rmdir(path);
}

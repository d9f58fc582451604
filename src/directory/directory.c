/* directory.c -- the object, its generation, and how changes make themselves known. */
#include "directory/internal.h"

#include "base/text.h"

#include <stdarg.h>

Directory *
directory_new(Db *db)
{
        Directory *directory = g_new0(Directory, 1);

        directory->db = db;
        directory->generation = 1;
        cache_init(&directory->cache, DIRECTORY_CACHE_OCTETS);
        mutex_init(&directory->postmaster_mutex, "directory.postmaster");
        mutex_init(&directory->scram_mutex, "directory.scram");
        directory_watches_init(directory);
        mutex_init(&directory->unknown_mutex, "directory.unknown");
        directory->unknown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        return directory;
}

void
directory_free(Directory *directory)
{
        if (directory == NULL)
                return;
        cache_done(&directory->cache);
        g_hash_table_unref(directory->unknown);
        g_free(directory->postmaster);
        mutex_done(&directory->postmaster_mutex);
        mutex_done(&directory->scram_mutex);
        directory_watches_done(directory);
        mutex_done(&directory->unknown_mutex);
        g_free(directory);
}

void
directory_set_postmaster(Directory *directory, const char *address)
{
        char *copy = g_strdup(address);
        MUTEX_SCOPE(&directory->postmaster_mutex);

        g_free(directory->postmaster);
        directory->postmaster = copy;
}

guint64
directory_generation(const Directory *directory)
{
        return __atomic_load_n(&directory->generation, __ATOMIC_ACQUIRE);
}

void
directory_publish(Directory *directory)
{
        cache_empty(&directory->cache);
        __atomic_add_fetch(&directory->generation, 1, __ATOMIC_ACQ_REL);
}

static void
publish_change(gpointer data)
{
        directory_publish(data);
}

void
directory_touch(Directory *directory, DbTxn *txn)
{
        db_on_commit(txn, publish_change, directory, NULL);
}

Change
directory_refuse(GError **error, Change answer, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        (void) fault(error, FAULT_INPUT, "%s", text);
        return answer;
}

gboolean
directory_key(const Address *address, guint8 buffer[RECORD_KEY_MAX], Span *ret)
{
        gsize n = 0;

        if (address->local.len > ADDRESS_LOCAL_MAX || address->domain.len > ADDRESS_DOMAIN_MAX)
                return FALSE;
        for (gsize i = 0; i < address->local.len; i++)
                buffer[n++] = octet_lower(address->local.data[i]);
        buffer[n++] = '@';
        for (gsize i = 0; i < address->domain.len; i++)
                buffer[n++] = octet_lower(address->domain.data[i]);
        *ret = span_make(buffer, n);
        return TRUE;
}

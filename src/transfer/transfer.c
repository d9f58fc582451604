/* transfer.c -- what all sources and targets have in common. */
#include "base/text.h"
#include "transfer/internal.h"

void
source_free(Source *source)
{
        if (source == NULL)
                return;
        g_free(source->name);
        source->class->free(source);
}

const char *
source_name(const Source *source)
{
        return source->name;
}

gboolean
source_list(Source *source, GPtrArray **ret, TransferWarn warn, gpointer data, GError **error)
{
        g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func((GDestroyNotify) transfer_folder_free);

        if (!source->class->list(source, folders, warn, data, error))
                return FALSE;
        *ret = g_steal_pointer(&folders);
        return TRUE;
}

/* Octets that are no UTF-8 as %XX. */
char *
source_folder_name(const Source *source, const TransferFolder *folder)
{
        g_autofree char *name = g_strconcat(source->name, " ", folder->path, NULL);

        return text_is_utf8(span_of(name)) ? g_steal_pointer(&name) : name_key(span_of(name));
}

gboolean
source_open(Source *source, TransferFolder *folder, GError **error)
{
        return source->class->open(source, folder, error);
}

gboolean
source_choose(Source *source, TransferFolder *folder, GHashTable *known, GError **error)
{
        return source->class->choose(source, folder, known, error);
}

SourceStep
source_next(Source *source, TransferMessage *ret, char **ret_why, GError **error)
{
        return source->class->next(source, ret, ret_why, error);
}

gssize
source_read(Source *source, void *buffer, gsize len, GError **error)
{
        return source->class->read(source, buffer, len, error);
}

void
target_free(Target *target)
{
        if (target != NULL)
                target->class->free(target);
}

char *
target_path(Target *target, const char *name)
{
        return target->class->path(target, name);
}

gboolean
target_open(Target *target, const TransferFolder *folder, guint32 *ret_first, GError **error)
{
        return target->class->open(target, folder, ret_first, error);
}

gboolean
target_begin(Target *target, const TransferMessage *message, GError **error)
{
        return target->class->begin(target, message, error);
}

gboolean
target_write(Target *target, Span octets, GError **error)
{
        return target->class->write(target, octets, error);
}

gboolean
target_end(Target *target, GError **error)
{
        return target->class->end(target, error);
}

gboolean
target_close(Target *target, GError **error)
{
        return target->class->close(target, error);
}

gboolean
target_finish(Target *target, const GPtrArray *folders, GError **error)
{
        return target->class->finish(target, folders, error);
}

TransferFolder *
transfer_folder_new(const char *name, const char *path)
{
        TransferFolder *folder = g_new0(TransferFolder, 1);

        folder->name = g_strdup(name);
        folder->path = g_strdup(path);
        return folder;
}

void
transfer_folder_free(TransferFolder *folder)
{
        if (folder == NULL)
                return;
        g_free(folder->name);
        g_free(folder->path);
        g_free(folder->special_use);
        g_free(folder);
}

/* manifest.c -- restante.json in an export: {"restante": 1, "folders": [{"path": ".Sent", "name": "Sent",
 * "special_use": "\\Sent", "subscribed": true, "uid_validity": 1700000000, "uid_next": 18}]}. It says what names of
 * files and directories can't. */
#include "transfer/internal.h"

#include "base/json.h"

#define MANIFEST_DEPTH 4

static guint32
number_of(const json_t *object, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(object, key));

        return value > 0 && value <= G_MAXUINT32 ? (guint32) value : 0;
}

static TransferFolder *
folder_of(const json_t *object)
{
        const char *path = json_string_value(json_object_get(object, "path"));
        const char *name = json_string_value(json_object_get(object, "name"));

        if (path == NULL || name == NULL || *name == '\0')
                return NULL;
        TransferFolder *folder = transfer_folder_new(name, path);
        folder->special_use = g_strdup(json_string_value(json_object_get(object, "special_use")));
        folder->is_subscribed = json_is_true(json_object_get(object, "subscribed"));
        folder->uid_validity = number_of(object, "uid_validity");
        folder->uid_next = number_of(object, "uid_next");
        return folder;
}

GHashTable *
manifest_parse(Span text)
{
        GHashTable *folders =
                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) transfer_folder_free);
        json_t *root = json_read_object(text, MANIFEST_DEPTH);
        const json_t *list = json_object_get(root, "folders");

        if (json_integer_value(json_object_get(root, "restante")) == 1)
                for (gsize i = 0; i < MIN(json_array_size(list), SOURCE_FOLDERS_MAX); i++) {
                        TransferFolder *folder = folder_of(json_array_get(list, i));
                        if (folder != NULL)
                                g_hash_table_replace(folders, folder->path, folder);
                }
        json_decref(root);
        return folders;
}

char *
manifest_text(const GPtrArray *folders)
{
        json_t *list = json_array();

        for (guint i = 0; i < folders->len; i++) {
                const TransferFolder *f = g_ptr_array_index(folders, i);
                json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:b, s:I, s:I}", "path", f->path, "name",
                                                      f->name, "special_use", f->special_use, "subscribed",
                                                      f->is_subscribed, "uid_validity", (json_int_t) f->uid_validity,
                                                      "uid_next", (json_int_t) f->uid_next));
        }
        json_t *root = json_pack("{s:i, s:o}", "restante", 1, "folders", list);
        char *dumped = json_dumps(root, JSON_INDENT(1));
        char *text = g_strconcat(dumped, "\n", NULL);
        free(dumped);
        json_decref(root);
        return text;
}

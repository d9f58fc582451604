/* transfer_export.c -- export: folder by folder from the server into a target.
 *
 * A call brings all messages of a folder, each as a row and then its octets; what the target has of it already is not
 * asked for.
 */
#include "app/render.h"
#include "app/transfer.h"
#include "base/text.h"

typedef struct Export {
        Transfer *t;
        Target *target;
        guint nth, n_folders;
        guint64 messages, octets, known, skipped; /* of all folders */
        /* of the folder: */
        TransferFolder *folder;
        guint64 folder_messages, folder_octets, folder_known, folder_skipped;
        GError *failed;
        /* of the message: */
        gboolean in_message;
        guint64 left;
} Export;

/* Messages --------------------------------------------------------------------------------------------------------- */

static void
message_end(Export *ex)
{
        ex->in_message = FALSE;
        if (!target_end(ex->target, &ex->failed))
                return;
        ex->folder_messages++;
        progress_at(ex->t->progress, ex->folder_messages, ex->folder_octets);
}

static guint64
flags_of(const json_t *names, GPtrArray *ret_keywords)
{
        static const char *const SYSTEM[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"};
        guint64 flags = 0;
        const json_t *item;
        gsize i;

        json_array_foreach(names, i, item)
        {
                const char *name = json_string_value(item);
                guint bit = 0;

                while (bit < G_N_ELEMENTS(SYSTEM) && g_strcmp0(name, SYSTEM[bit]) != 0)
                        bit++;
                if (bit < G_N_ELEMENTS(SYSTEM))
                        flags |= (guint64) 1 << bit;
                else if (name != NULL && ret_keywords->len < TRANSFER_KEYWORDS_MAX)
                        g_ptr_array_add(ret_keywords, (gpointer) name);
        }
        g_ptr_array_add(ret_keywords, NULL);
        return flags;
}

static void
message_begin(Export *ex, const json_t *row)
{
        g_autoptr(GPtrArray) keywords = g_ptr_array_new();
        TransferMessage message = {
                .uid = (guint32) json_integer_value(json_object_get(row, "uid")),
                .flags = flags_of(json_object_get(row, "flags"), keywords),
                .keywords = (const char *const *) keywords->pdata,
                .received = json_integer_value(json_object_get(row, "received")),
                .size = (guint64) json_integer_value(json_object_get(row, "size")),
        };

        ex->left = message.size;
        ex->in_message = target_begin(ex->target, &message, &ex->failed);
        if (ex->in_message && ex->left == 0)
                message_end(ex);
}

static void
folder_row(const json_t *row, gpointer data)
{
        Export *ex = data;
        const char *why = json_string_value(json_object_get(row, "error"));

        if (ex->failed != NULL)
                return;
        if (why == NULL) {
                message_begin(ex, row);
                return;
        }
        ex->in_message = FALSE; /* what has come of it is written over */
        ex->folder_skipped++;
        transfer_warn(ex->t, "%s: skipped UID %" JSON_INTEGER_FORMAT ": %s", ex->folder->name,
                      json_integer_value(json_object_get(row, "uid")), why);
}

static gboolean
folder_octets(Span octets, gpointer data)
{
        Export *ex = data;

        if (ex->failed == NULL && transfer_is_stopped())
                return fault(&ex->failed, FAULT_BUSY, "stopped");
        if (ex->failed != NULL || !ex->in_message || octets.len > ex->left)
                return FALSE;
        if (!target_write(ex->target, octets, &ex->failed))
                return FALSE;
        ex->left -= octets.len;
        ex->folder_octets += octets.len;
        if (ex->left == 0)
                message_end(ex);
        return ex->failed == NULL;
}

static void
no_result(const json_t *object, gpointer data)
{
}

static void
folder_warning(const char *text, gpointer data)
{
        transfer_warn(((Export *) data)->t, "%s", text);
}

/* Folders ---------------------------------------------------------------------------------------------------------- */

static AdminResult
folder_read(Export *ex, guint32 first)
{
        g_autofree char *from = g_strdup_printf("%u", first);
        g_autofree char *reason = NULL;
        g_autoptr(GError) error = NULL;
        const char *words[] = {"--from", from, "--", ex->t->address, ex->folder->name, NULL};
        AdminOutput output = {
                .row = folder_row, .result = no_result, .warning = folder_warning, .data = ex, .octets = folder_octets};
        AdminResult result = ADMIN_REFUSED;

        gboolean is_answered = reach_call(ex->t->reach, &TRANSFER_READ, words, &output, &result, &reason, &error);
        if (ex->failed != NULL)
                return admin_refuse(ex->t->call, "%s: %s", ex->folder->name, ex->failed->message);
        if (!is_answered)
                return admin_refuse(ex->t->call, "%s", error->message);
        return result == ADMIN_DONE ? ADMIN_DONE : admin_refuse(ex->t->call, "%s", reason);
}

static void
folder_told(Export *ex)
{
        admin_row(ex->t->call,
                  json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "folder", ex->folder->name, "messages",
                            (json_int_t) ex->folder_messages, "octets", (json_int_t) ex->folder_octets, "known",
                            (json_int_t) ex->folder_known, "skipped", (json_int_t) ex->folder_skipped, "path",
                            *ex->folder->path != '\0' ? ex->folder->path : "."));
        ex->messages += ex->folder_messages;
        ex->octets += ex->folder_octets;
        ex->known += ex->folder_known;
        ex->skipped += ex->folder_skipped;
}

static AdminResult
folder_export(Export *ex)
{
        guint32 first;

        ex->folder_messages = ex->folder_octets = ex->folder_known = ex->folder_skipped = 0;
        ex->in_message = FALSE;
        if (!target_open(ex->target, ex->folder, &first, &ex->failed))
                return admin_refuse(ex->t->call, "%s", ex->failed->message);
        progress_folder(ex->t->progress, ex->folder->name, ex->nth, ex->n_folders, ex->folder->messages,
                        first > 1 ? 0 : ex->folder->octets);
        AdminResult result = folder_read(ex, first);
        if (result == ADMIN_DONE && !target_close(ex->target, &ex->failed))
                result = admin_refuse(ex->t->call, "%s: %s", ex->folder->name, ex->failed->message);
        if (first > 1 && ex->folder->messages > ex->folder_messages + ex->folder_skipped)
                ex->folder_known = ex->folder->messages - ex->folder_messages - ex->folder_skipped;
        folder_told(ex);
        return result;
}

/* All of them ------------------------------------------------------------------------------------------------------ */

static TransferFolder *
folder_of(Export *ex, const json_t *row)
{
        const char *name = json_string_value(json_object_get(row, "name"));
        g_autofree char *path = target_path(ex->target, name);
        TransferFolder *folder = transfer_folder_new(name, path);

        folder->special_use = g_strdup(json_string_value(json_object_get(row, "special_use")));
        folder->is_subscribed = json_is_true(json_object_get(row, "subscribed"));
        folder->is_container = !json_is_true(json_object_get(row, "exists"));
        folder->messages = (guint64) json_integer_value(json_object_get(row, "messages"));
        folder->octets = (guint64) json_integer_value(json_object_get(row, "octets"));
        folder->uid_validity = (guint32) json_integer_value(json_object_get(row, "uid_validity"));
        folder->uid_next = (guint32) json_integer_value(json_object_get(row, "uid_next"));
        return folder;
}

static void
choose_folders(Export *ex, const json_t *rows, GPtrArray *ret)
{
        const char *pattern = admin_option(ex->t->call, "--folders");
        const json_t *row;
        gsize i;

        json_array_foreach(rows, i, row)
        {
                const char *name = json_string_value(json_object_get(row, "name"));
                if (name != NULL && json_is_true(json_object_get(row, "exists")) &&
                    (pattern == NULL || text_matches(span_of(pattern), span_of(name))))
                        g_ptr_array_add(ret, folder_of(ex, row));
        }
}

static void
say_totals(const Export *ex, Usec began)
{
        double seconds = MAX((double) (clock_monotonic() - began) / (double) USEC_PER_SEC, 0.001);
        char size[32];

        progress_clear(ex->t->progress);
        fprintf(stderr,
                "restante: %" G_GUINT64_FORMAT " messages, %s, in %.1f s (%.0f a second); %" G_GUINT64_FORMAT
                " were there already, %" G_GUINT64_FORMAT " skipped\n",
                ex->messages, render_size(ex->octets, size, sizeof(size)), seconds, (double) ex->messages / seconds,
                ex->known, ex->skipped);
}

static AdminResult
export_all(Export *ex, const json_t *rows)
{
        g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func((GDestroyNotify) transfer_folder_free);
        Usec began = clock_monotonic();
        AdminResult result = ADMIN_DONE;

        choose_folders(ex, rows, folders);
        ex->n_folders = folders->len;
        for (guint i = 0; i < folders->len && result == ADMIN_DONE; i++) {
                ex->folder = g_ptr_array_index(folders, i);
                ex->nth = i + 1;
                result = folder_export(ex);
        }
        if (result == ADMIN_DONE && !target_finish(ex->target, folders, &ex->failed))
                result = admin_refuse(ex->t->call, "%s", ex->failed->message);
        if (transfer_is_stopped())
                result = admin_refuse(ex->t->call, "stopped: the same command goes on with the rest");
        if (result == ADMIN_DONE || ex->messages + ex->known + ex->skipped > 0)
                say_totals(ex, began);
        g_clear_error(&ex->failed);
        return result;
}

AdminResult
transfer_export(Transfer *t)
{
        const char *path = admin_arg(t->call, "DIR", 0), *words[] = {"--", t->address, NULL};
        gboolean is_maildir = admin_operation(t->call) == &EXPORT_MAILDIR;
        g_auto(TransferAnswer) answer = {0};
        g_autoptr(GError) error = NULL;

        /* first: nothing is made for an account that is not there */
        AdminResult result = transfer_ask(t, &TRANSFER_LIST, words, NULL, NULL, &answer);
        if (result != ADMIN_DONE)
                return result;
        g_autoptr(Target) target = is_maildir ? target_maildir(path, &error) : target_mbox(path, &error);
        Export ex = {.t = t, .target = target};

        if (target == NULL)
                return admin_refuse(t->call, "%s", error->message);
        return export_all(&ex, answer.rows);
}

/* transfer_import.c -- import: folder by folder, batch by batch, from a source into the server.
 *
 *      for each folder: transfer begin (which keys are in?) -> batches of transfer append -> transfer end
 *
 * What a batch answers is on disk; only then it is counted. A source that fails in the middle of a batch ends it: what
 * came before is kept.
 */
#include "app/render.h"
#include "app/transfer.h"
#include "base/text.h"
#include "net/address.h"
#include "net/tls.h"

#define BATCH_MESSAGES 250
#define BATCH_OCTETS ((guint64) 8 * 1024 * 1024)
#define PIECE_OCTETS (32 * 1024)

typedef struct Totals {
        guint64 messages, octets, known, skipped;
} Totals;

typedef struct Import {
        Transfer *t;
        Source *source;
        gboolean is_dry_run, is_over_quota;
        guint nth, n_folders;
        Totals totals;
        /* of the folder: */
        TransferFolder *folder;
        const char *target; /* its mailbox here */
        char *name;         /* of source and folder */
        GHashTable *known;
        Totals sums; /* what is on disk */
        char *first_why;
        gboolean keeps_uids;
        gboolean is_over; /* the source has no more, or failed */
        GError *failed;
        /* of the batch: */
        GByteArray *out; /* octets of the stream that wait */
        gsize used;
        gboolean in_message;
        guint n;
        guint64 octets, message_octets;
        char *key;
} Import;

/* Skipping --------------------------------------------------------------------------------------------------------- */

static void
skip(Import *im, char *take_why)
{
        g_autofree char *why = take_why;

        im->sums.skipped++;
        transfer_warn(im->t, "%s: skipped %s", im->target, why);
        if (im->first_why == NULL)
                im->first_why = g_steal_pointer(&why);
}

/* A batch as a stream of records ----------------------------------------------------------------------------------- */

static void
put_text(Import *im, const char *text)
{
        g_byte_array_append(im->out, (const guint8 *) text, (guint) strlen(text));
}

static json_t *
flags_json(const TransferMessage *message)
{
        static const char *const SYSTEM[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"};
        json_t *flags = json_array();

        for (guint bit = 0; bit < G_N_ELEMENTS(SYSTEM); bit++)
                if ((message->flags >> bit & 1) != 0)
                        json_array_append_new(flags, json_string(SYSTEM[bit]));
        for (gsize i = 0; i < TRANSFER_KEYWORDS_MAX - G_N_ELEMENTS(SYSTEM) && message->keywords[i] != NULL; i++)
                if (*message->keywords[i] != '\0')
                        json_array_append_new(flags, json_string(message->keywords[i]));
        return flags;
}

static void
message_begin(Import *im, const TransferMessage *message)
{
        json_t *head = json_pack("{s:s, s:I, s:o, s:I}", "key", message->key, "uid",
                                 im->folder->uid_validity != 0 ? (json_int_t) message->uid : 0, "flags",
                                 flags_json(message), "received", (json_int_t) message->received);
        char *text = json_dumps(head, JSON_COMPACT);

        put_text(im, text);
        put_text(im, "\n");
        free(text);
        json_decref(head);
        g_free(im->key);
        im->key = g_strdup(message->key);
        im->in_message = TRUE;
        im->message_octets = 0;
}

static void
message_give_up(Import *im, char *take_why)
{
        put_text(im, "-\n");
        im->in_message = FALSE;
        skip(im, take_why);
}

static char *
too_large(const Import *im)
{
        char limit[32];

        return g_strdup_printf("%s: it is larger than the %s this site takes", im->key,
                               render_size(im->t->settings->message_size, limit, sizeof(limit)));
}

static void
message_more(Import *im)
{
        g_autoptr(GError) error = NULL;
        guint8 piece[PIECE_OCTETS];
        char head[24];

        gssize n = source_read(im->source, piece, sizeof(piece), &error);
        if (n < 0) {
                message_give_up(im, g_strdup_printf("%s: %s", im->key, error->message));
                return;
        }
        im->message_octets += (guint64) n;
        if (im->message_octets > im->t->settings->message_size) {
                message_give_up(im, too_large(im));
                return;
        }
        g_snprintf(head, sizeof(head), "%" G_GSSIZE_FORMAT "\n", n);
        put_text(im, head);
        g_byte_array_append(im->out, piece, (guint) n);
        if (n > 0)
                return;
        im->in_message = FALSE;
        im->n++;
        im->octets += im->message_octets;
        progress_at(im->t->progress, im->sums.messages + im->n, im->sums.octets + im->octets);
}

/* The next message of the source. FALSE: the batch is over. */
static gboolean
message_next(Import *im)
{
        TransferMessage message;
        char *why = NULL;

        if (im->is_over || transfer_is_stopped() || im->n >= BATCH_MESSAGES || im->octets >= BATCH_OCTETS)
                return FALSE;
        switch (source_next(im->source, &message, &why, &im->failed)) {
        case SOURCE_MESSAGE:
                if (g_hash_table_add(im->known, g_strdup(message.key)))
                        message_begin(im, &message);
                return TRUE;
        case SOURCE_SKIPPED:
                skip(im, why);
                return TRUE;
        case SOURCE_FAILED:
        case SOURCE_END:
                break;
        }
        im->is_over = TRUE;
        return FALSE;
}

static gssize
batch_read(void *buffer, gsize len, gpointer data)
{
        Import *im = data;

        while (im->used == im->out->len) {
                g_byte_array_set_size(im->out, 0);
                im->used = 0;
                if (im->in_message)
                        message_more(im);
                else if (!message_next(im))
                        return 0;
        }
        gsize n = MIN(len, im->out->len - im->used);
        memcpy(buffer, im->out->data + im->used, n);
        im->used += n;
        return (gssize) n;
}

/* One folder ------------------------------------------------------------------------------------------------------- */

static char *
number_text(guint64 number)
{
        return g_strdup_printf("%" G_GUINT64_FORMAT, number);
}

static AdminResult
folder_batch(Import *im)
{
        g_autofree char *validity = number_text(im->folder->uid_validity);
        g_autofree char *next = number_text(im->folder->uid_next);
        g_auto(TransferAnswer) answer = {0};
        const char *words[10] = {"--uid-validity", validity, "--uid-next", next, "--",
                                 im->t->address,   im->name, im->target};

        if (im->is_over_quota) {
                memmove(words + 1, words, 8 * sizeof(words[0]));
                words[0] = "--over-quota";
        }
        im->n = 0;
        im->octets = 0;
        AdminResult result = transfer_ask(im->t, &TRANSFER_APPEND, words, batch_read, im, &answer);
        if (result != ADMIN_DONE)
                return result;
        im->sums.messages += (guint64) json_integer_value(json_object_get(answer.result, "messages"));
        im->sums.octets += (guint64) json_integer_value(json_object_get(answer.result, "octets"));
        im->keeps_uids = json_is_true(json_object_get(answer.result, "keeps_uids"));
        return ADMIN_DONE;
}

/* Makes the mailbox and learns which keys are in. */
static AdminResult
folder_begin(Import *im)
{
        g_autofree char *validity = number_text(im->folder->uid_validity);
        g_auto(TransferAnswer) answer = {0};
        const char *words[12];
        gsize n = 0;

        words[n++] = "--uid-validity";
        words[n++] = validity;
        if (im->folder->special_use != NULL) {
                words[n++] = "--special-use";
                words[n++] = im->folder->special_use;
        }
        if (im->folder->is_subscribed)
                words[n++] = "--subscribe";
        if (im->is_dry_run)
                words[n++] = "--look";
        words[n++] = "--";
        words[n++] = im->t->address;
        words[n++] = im->name;
        words[n++] = im->target;
        words[n] = NULL;
        AdminResult result = transfer_ask(im->t, &TRANSFER_BEGIN, words, NULL, NULL, &answer);
        if (result != ADMIN_DONE)
                return result;
        im->keeps_uids = json_is_true(json_object_get(answer.result, "keeps_uids"));
        const json_t *row, *key;
        gsize i, k;
        json_array_foreach(answer.rows, i, row)
        {
                const json_t *keys = json_object_get(row, "keys");
                json_array_foreach(keys, k, key) g_hash_table_add(im->known, g_strdup(json_string_value(key)));
        }
        return ADMIN_DONE;
}

static AdminResult
folder_end(Import *im)
{
        g_autofree char *validity = number_text(im->folder->uid_validity);
        g_autofree char *next = number_text(im->folder->uid_next);
        g_autofree char *messages = number_text(MIN(im->sums.messages, G_MAXUINT32));
        g_auto(TransferAnswer) answer = {0};
        const char *words[] = {"--uid-validity", validity, "--uid-next", next, "--messages", messages, "--",
                               im->t->address,   im->name, im->target,   NULL};

        return transfer_ask(im->t, &TRANSFER_END, words, NULL, NULL, &answer);
}

static void
folder_row(Import *im)
{
        g_autofree char *why = NULL;

        if (im->sums.skipped > 1)
                why = g_strdup_printf("%s, and %" G_GUINT64_FORMAT " more", im->first_why, im->sums.skipped - 1);
        admin_row(im->t->call, json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:s?}", "folder", im->target, "messages",
                                         (json_int_t) im->sums.messages, "octets", (json_int_t) im->sums.octets,
                                         "known", (json_int_t) im->sums.known, "skipped", (json_int_t) im->sums.skipped,
                                         "uids_kept", im->keeps_uids, "why", why != NULL ? why : im->first_why));
        im->totals.messages += im->sums.messages;
        im->totals.octets += im->sums.octets;
        im->totals.known += im->sums.known;
        im->totals.skipped += im->sums.skipped;
}

static AdminResult
folder_batches(Import *im)
{
        AdminResult result = ADMIN_DONE;

        while (result == ADMIN_DONE && !im->is_over && !transfer_is_stopped())
                result = folder_batch(im);
        if (result == ADMIN_DONE && im->failed != NULL)
                result = admin_refuse(im->t->call, "%s: %s", im->target, im->failed->message);
        if (result == ADMIN_DONE && im->is_over)
                result = folder_end(im);
        return result;
}

static AdminResult
folder_import(Import *im)
{
        AdminResult result = folder_begin(im);

        if (result != ADMIN_DONE)
                return result;
        if (!source_choose(im->source, im->folder, im->known, &im->failed))
                return admin_refuse(im->t->call, "%s: %s", im->target, im->failed->message);
        im->sums.known = im->folder->known;
        if (im->is_dry_run) {
                im->sums.messages = im->folder->messages;
                im->sums.octets = im->folder->octets;
        } else {
                progress_folder(im->t->progress, im->target, im->nth, im->n_folders, im->folder->messages,
                                im->folder->octets);
                result = folder_batches(im);
        }
        folder_row(im);
        return result;
}

/* One that can't be opened is skipped: the others may be whole. */
static AdminResult
folder_run(Import *im, TransferFolder *folder, const char *target)
{
        AdminResult result = ADMIN_DONE;

        im->folder = folder;
        im->target = target;
        im->sums = (Totals){0};
        im->is_over = FALSE;
        im->in_message = FALSE;
        im->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        im->name = source_folder_name(im->source, folder);
        g_byte_array_set_size(im->out, 0);
        im->used = 0;
        if (source_open(im->source, folder, &im->failed)) {
                result = folder_import(im);
        } else if (im->n_folders == 1) {
                result = admin_refuse(im->t->call, "%s", im->failed->message);
        } else {
                skip(im, g_strdup(im->failed->message));
                folder_row(im);
        }
        g_clear_error(&im->failed);
        g_clear_pointer(&im->name, g_free);
        g_clear_pointer(&im->first_why, g_free);
        g_clear_pointer(&im->known, g_hash_table_unref);
        return result;
}

/* All of them ------------------------------------------------------------------------------------------------------ */

/* The mailbox here of a folder there. g_free. */
static char *
target_name(const char *into, const TransferFolder *folder)
{
        if (into == NULL)
                return g_strdup(folder->name);
        if (strcmp(folder->name, "INBOX") == 0)
                return g_strdup(into);
        return g_strconcat(into, "/", folder->name, NULL);
}

static AdminResult
stopped(Import *im)
{
        return admin_refuse(im->t->call,
                            "stopped: %" G_GUINT64_FORMAT
                            " messages are in, and the same command goes on with the others",
                            im->totals.messages);
}

static void
say_totals(const Import *im, Usec began)
{
        double seconds = MAX((double) (clock_monotonic() - began) / (double) USEC_PER_SEC, 0.001);
        char size[32];

        progress_clear(im->t->progress);
        fprintf(stderr,
                "restante: %s%" G_GUINT64_FORMAT " messages, %s, in %.1f s (%.0f a second); %" G_GUINT64_FORMAT
                " were there already, %" G_GUINT64_FORMAT " skipped\n",
                im->is_dry_run ? "would import " : "", im->totals.messages,
                render_size(im->totals.octets, size, sizeof(size)), seconds, (double) im->totals.messages / seconds,
                im->totals.known, im->totals.skipped);
}

static void
list_warn(const char *text, gpointer data)
{
        transfer_warn(((Import *) data)->t, "skipped %s", text);
}

static AdminResult
import_folders(Import *im, const GPtrArray *folders)
{
        const char *into = admin_option(im->t->call, "--into"), *pattern = admin_option(im->t->call, "--folders");
        AdminResult result = ADMIN_DONE;

        im->n_folders = folders->len;
        for (guint i = 0; i < folders->len && result == ADMIN_DONE; i++) {
                TransferFolder *folder = g_ptr_array_index(folders, i);
                g_autofree char *target = target_name(into, folder);

                im->nth = i + 1;
                if (folder->is_container || (pattern != NULL && !text_matches(span_of(pattern), span_of(target))))
                        continue;
                result = folder_run(im, folder, target);
                if (result == ADMIN_DONE && transfer_is_stopped())
                        result = stopped(im);
        }
        return result;
}

static AdminResult
import_all(Import *im)
{
        g_autoptr(GPtrArray) folders = NULL;
        g_autoptr(GError) error = NULL;
        Usec began = clock_monotonic();

        if (!source_list(im->source, &folders, list_warn, im, &error))
                return admin_refuse(im->t->call, "%s", error->message);
        im->out = g_byte_array_new();
        AdminResult result = import_folders(im, folders);
        g_byte_array_unref(im->out);
        g_free(im->key);
        if (result == ADMIN_DONE || im->totals.messages + im->totals.known + im->totals.skipped > 0)
                say_totals(im, began);
        return result;
}

static AdminResult
import_forget(Import *im)
{
        g_autofree char *prefix = g_strconcat(source_name(im->source), " ", NULL);
        g_auto(TransferAnswer) answer = {0};
        const char *words[] = {"--", im->t->address, prefix, NULL};

        AdminResult result = transfer_ask(im->t, &TRANSFER_FORGET, words, NULL, NULL, &answer);
        if (result == ADMIN_DONE)
                fprintf(stderr,
                        "restante: %" JSON_INTEGER_FORMAT " messages are forgotten: they would be imported again\n",
                        json_integer_value(json_object_get(answer.result, "forgotten")));
        return result;
}

/* The source ------------------------------------------------------------------------------------------------------- */

static gboolean
is_loopback_host(const char *host)
{
        struct sockaddr_storage address;
        socklen_t len;

        if (net_address_parse(host, 0, &address, &len))
                return net_address_is_loopback(&address);
        return g_ascii_strcasecmp(host, "localhost") == 0;
}

static gboolean
read_tls(Transfer *t, const char *host, ImapClientTls *ret, GError **error)
{
        const char *text = admin_pair(t->call, "tls"), *allowed = admin_pair(t->call, "allow-plaintext");

        if (text == NULL || strcmp(text, "strict") == 0)
                *ret = IMAP_CLIENT_TLS_IMPLICIT;
        else if (strcmp(text, "starttls") == 0)
                *ret = IMAP_CLIENT_TLS_STARTTLS;
        else if (strcmp(text, "none") == 0)
                *ret = IMAP_CLIENT_TLS_NONE;
        else
                return fault(error, FAULT_INPUT, "tls=%s: strict, starttls or none is expected", text);
        if (*ret == IMAP_CLIENT_TLS_NONE && g_strcmp0(allowed, "yes") != 0 && !is_loopback_host(host))
                return fault(error, FAULT_INPUT,
                             "tls=none would send the password in the clear to %s: use tls=strict or starttls, or "
                             "allow-plaintext=yes",
                             host);
        return TRUE;
}

static Source *
source_of_imap(Transfer *t, GError **error)
{
        const char *port = admin_pair(t->call, "port"), *user = admin_pair(t->call, "user");
        g_autoptr(TlsContext) tls = NULL;
        ImapClientSettings settings = {.host = admin_arg(t->call, "HOST", 0)};
        guint64 number = 0;

        if (!read_tls(t, settings.host, &settings.tls, error))
                return NULL;
        if (port != NULL && (!span_to_number(span_of(port), G_MAXUINT16, &number) || number == 0)) {
                fault(error, FAULT_INPUT, "port=%s: a number from 1 to 65535 is expected", port);
                return NULL;
        }
        settings.port = (guint16) (number != 0 ? number : settings.tls == IMAP_CLIENT_TLS_IMPLICIT ? 993 : 143);
        if (t->password == NULL) {
                fault(error, FAULT_INPUT, "the password is missing: it is read from standard input");
                return NULL;
        }
        if (settings.tls != IMAP_CLIENT_TLS_NONE) {
                tls = tls_client_new(TRUE, t->settings->authorities, error);
                if (tls == NULL)
                        return NULL;
        }
        settings.tls_context = tls;
        Source *source = source_imap(&settings, user != NULL ? user : t->address, t->password, error);
        if (source == NULL)
                g_prefix_error(error, "%s: ", settings.host);
        return source;
}

static Source *
source_of(Transfer *t, GError **error)
{
        const Operation *operation = admin_operation(t->call);

        if (operation == &IMPORT_MAILDIR)
                return source_maildir(admin_arg(t->call, "DIR", 0), error);
        if (operation == &IMPORT_IMAP)
                return source_of_imap(t, error);
        g_autofree char *local = g_strndup(t->address, strcspn(t->address, "@"));
        return source_mbox(admin_arg(t->call, "PATH", 0), local, error);
}

AdminResult
transfer_import(Transfer *t)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Source) source = source_of(t, &error);
        Import im = {.t = t,
                     .source = source,
                     .is_dry_run = admin_option(t->call, "--dry-run") != NULL,
                     .is_over_quota = admin_option(t->call, "--over-quota") != NULL};

        if (source == NULL)
                return admin_refuse(t->call, "%s", error->message);
        return admin_option(t->call, "--forget") != NULL ? import_forget(&im) : import_all(&im);
}

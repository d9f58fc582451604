/* operations_transfer.c -- what import and export ask of the server. The command line reads and writes the files; see
 * app/transfer_import.c.
 *
 *      transfer begin ADDRESS SOURCE FOLDER    make the mailbox; which messages of the source are in it already?
 *      transfer append ADDRESS SOURCE FOLDER   a batch (records.h): all of it is on disk, or nothing
 *      transfer end ADDRESS SOURCE FOLDER      UIDNEXT
 *      transfer forget ADDRESS SOURCE          forget what was imported from sources that begin so
 *      transfer list ADDRESS                   the account's own mailboxes
 *      transfer read ADDRESS FOLDER            messages, each a row and its octets
 *
 * A row of `read` tells the size; so many octets follow, in pieces. One that can't be read, or not to its end, is followed or replaced by a row with its UID and "error".
 */
#include "admin/operations.h"
#include "admin/records.h"
#include "store/change.h"
#include "store/import.h"
#include "store/mailbox.h"

#define KEYS_A_ROW 1000
#define PIECE_OCTETS (32 * 1024)
#define BATCH_ARENA_OCTETS ((gsize) 16 * 1024 * 1024)

static gboolean
number_option(AdminCall *call, const char *name, guint32 *ret, AdminResult *ret_result)
{
        const char *text = admin_option(call, name);
        guint64 value = 0;

        if (text != NULL && !span_to_number(span_of(text), G_MAXUINT32, &value)) {
                *ret_result = admin_usage(call, "%s %s: a number is expected", name, text);
                return FALSE;
        }
        *ret = (guint32) value;
        return TRUE;
}

static AdminResult
change_refused(AdminCall *call, ChangeAnswer answer, const GError *error)
{
        const char *folder = admin_arg(call, "FOLDER", 0);

        switch (answer) {
        case CHANGED_NO_MAILBOX:
                return admin_refuse(call, "%s is gone", folder);
        case CHANGED_OVER_QUOTA:
                return admin_refuse(call, "the quota of %s leaves no room: raise it, or import with --over-quota",
                                    admin_arg(call, "ADDRESS", 0));
        case CHANGED_TOO_MANY_KEYWORDS:
                return admin_refuse(call, "%s has as many keywords as a mailbox can have", folder);
        case CHANGED_UID_SPACE:
                return admin_refuse(call, "%s has used up its UIDs", folder);
        case CHANGED_DONE:
        case CHANGED_FAILED:
                break;
        }
        return admin_refuse(call, "%s", error != NULL ? error->message : "it could not be done");
}

/* Begin ------------------------------------------------------------------------------------------------------------ */

/* The mailbox, made when it is missing. */
static MailboxAnswer
folder_make(AdminCall *call, const Viewer *who, const Mailbox **ret, GError **error)
{
        Span name = span_of(admin_arg(call, "FOLDER", 0));
        const char *use_text = admin_option(call, "--special-use");
        Store *store = admin_rooms(call)->store;
        SpecialUse use = 0;

        MailboxAnswer answer = store_mailbox(store, admin_arena(call), who, name, RIGHT_INSERT, ret, error);
        if (answer != MAILBOX_MISSING)
                return answer;
        if (use_text != NULL && !special_use_parse(span_of(use_text), &use))
                use = 0;
        answer = store_mailbox_create(store, admin_arena(call), who, name, use, ret, error);
        if (answer == MAILBOX_BAD_USE) /* another mailbox has it, or it is none of ours */
                answer = store_mailbox_create(store, admin_arena(call), who, name, 0, ret, error);
        return answer;
}

static gboolean
send_keys(AdminCall *call, gint64 source, GError **error)
{
        g_autoptr(Arena) arena = arena_new(BATCH_ARENA_OCTETS);
        g_autofree char *after = g_strdup("");
        const char **keys;
        gsize n = source != 0 ? KEYS_A_ROW : 0;

        while (n == KEYS_A_ROW) {
                arena_reset(arena);
                if (!store_import_keys(admin_rooms(call)->store, arena, source, after, KEYS_A_ROW, &keys, &n, error))
                        return FALSE;
                if (n == 0)
                        break;
                admin_row(call, json_pack("{s:o}", "keys", json_strings(keys, n)));
                g_free(after);
                after = g_strdup(keys[n - 1]);
        }
        return TRUE;
}

static AdminResult
look_only(AdminCall *call, const Viewer *who, const char *name, guint32 uid_validity)
{
        g_autoptr(GError) error = NULL;
        const Mailbox *mailbox = NULL;
        ImportSource source = {0};

        MailboxAnswer answer = store_mailbox(admin_rooms(call)->store, admin_arena(call), who,
                                             span_of(admin_arg(call, "FOLDER", 0)), RIGHT_INSERT, &mailbox, &error);
        if (answer == MAILBOX_MISSING && !store_name_is_right(span_of(admin_arg(call, "FOLDER", 0))))
                answer = MAILBOX_BAD_NAME;
        if (answer != MAILBOX_DONE && answer != MAILBOX_MISSING)
                return admin_mailbox_answer(call, answer, admin_arg(call, "FOLDER", 0), error);
        if (answer == MAILBOX_DONE &&
            (!store_import_find(admin_rooms(call)->store, mailbox->id, name, uid_validity, &source, &error) ||
             !send_keys(call, source.id, &error)))
                return admin_refuse(call, "%s", error->message);
        admin_result(call, json_pack("{s:b, s:b}", "exists", answer == MAILBOX_DONE, "keeps_uids", source.keeps_uids));
        return ADMIN_DONE;
}

static AdminResult
transfer_begin(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *folder = admin_arg(call, "FOLDER", 0), *name = admin_arg(call, "SOURCE", 0);
        Store *store = admin_rooms(call)->store;
        AdminResult result = ADMIN_DONE;
        const Mailbox *mailbox = NULL;
        guint32 uid_validity;
        ImportSource source;
        Viewer who;

        if (!admin_viewer(call, &who, &result) || !number_option(call, "--uid-validity", &uid_validity, &result))
                return result;
        if (strlen(name) > IMPORT_NAME_OCTETS_MAX)
                return admin_refuse(call, "the name of the source is too long");
        if (admin_option(call, "--look") != NULL)
                return look_only(call, &who, name, uid_validity);
        MailboxAnswer answer = folder_make(call, &who, &mailbox, &error);
        if (answer == MAILBOX_DONE && admin_option(call, "--subscribe") != NULL)
                answer = store_mailbox_subscribe(store, &who, span_of(folder), TRUE, &error);
        if (answer != MAILBOX_DONE)
                return admin_mailbox_answer(call, answer, folder, error);
        ChangeAnswer begun = store_import_begin(store, mailbox->id, name, uid_validity, &source, &error);
        if (begun != CHANGED_DONE)
                return change_refused(call, begun, error);
        if (!send_keys(call, source.id, &error))
                return admin_refuse(call, "%s", error->message);
        admin_result(call, json_pack("{s:b, s:b}", "exists", TRUE, "keeps_uids", source.keeps_uids));
        return ADMIN_DONE;
}

/* Append ----------------------------------------------------------------------------------------------------------- */

typedef struct Batch {
        AdminCall *call;
        Viewer who;
        ImportSource source;
        Arena *arena;
        Records records;
        Append *messages; /* of IMPORT_BATCH_MAX */
        const char **keys;
        gsize n;
        guint32 uid_next;
        GHashTable *keywords; /* of the mailbox, with those of this batch; in lower case */
        guint64 octets;
} Batch;

static gssize
batch_read(void *buffer, gsize len, gpointer data, GError **error)
{
        return admin_read(data, buffer, len, error);
}

/* What the mailbox has no room for is left out, not the message. */
static gsize
choose_keywords(Batch *b, const Record *record, Span *ret)
{
        gsize n = 0;

        for (gsize i = 0; i < record->n_keywords; i++) {
                g_autofree char *text = span_dup(record->keywords[i]);
                g_autofree char *key = g_ascii_strdown(text, -1);

                if (!g_hash_table_contains(b->keywords, key)) {
                        if (g_hash_table_size(b->keywords) >= FLAG_KEYWORDS_MAX) {
                                admin_warn(b->call, "%s: no room for the keyword %s, a mailbox can have %d",
                                           admin_arg(b->call, "FOLDER", 0), text, FLAG_KEYWORDS_MAX);
                                continue;
                        }
                        g_hash_table_add(b->keywords, g_steal_pointer(&key));
                }
                ret[n++] = record->keywords[i];
        }
        return n;
}

static gboolean
batch_keywords(Batch *b, GError **error)
{
        g_autoptr(View) view = NULL;

        b->keywords = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        if (store_view_open(admin_rooms(b->call)->store, b->source.mailbox, b->who.account, &view, error) != STORE_DONE)
                return FALSE;
        for (guint bit = FLAG_KEYWORD_FIRST; bit < FLAG_KEYWORD_FIRST + FLAG_KEYWORDS_MAX; bit++) {
                const char *name = view_keyword(view, bit);
                if (name != NULL)
                        g_hash_table_add(b->keywords, g_ascii_strdown(name, -1));
        }
        return TRUE;
}

/* One record. FALSE: a fault. One that its sender could not read is left out. */
static gboolean
batch_add(Batch *b, const Record *record, GError **error)
{
        g_autoptr(BlobWriter) writer = store_writer_new(admin_rooms(b->call)->store);
        Span *keywords = arena_new_array(b->arena, Span, RECORD_KEYWORDS_MAX);
        RecordAnswer answer;
        Span octets;

        while ((answer = records_read(&b->records, &octets, error)) == RECORD_OK)
                if (!blob_writer_add(writer, octets, error))
                        return blob_writer_is_over(writer) ? fault(error, FAULT_INPUT, "a message is over 1 GiB")
                                                           : FALSE;
        if (answer != RECORD_END)
                return answer == RECORD_LEFT_OUT;
        if (keywords == NULL)
                return fault(error, FAULT_BUSY, "too much in one batch");
        b->octets += blob_writer_size(writer);
        b->keys[b->n] = record->key;
        b->messages[b->n++] = (Append){.writer = g_steal_pointer(&writer),
                                       .flags = record->flags,
                                       .n_keywords = choose_keywords(b, record, keywords),
                                       .keywords = keywords,
                                       .received = record->received,
                                       .uid = record->uid};
        return TRUE;
}

static gboolean
batch_fill(Batch *b, GError **error)
{
        RecordAnswer answer;
        Record record;

        while ((answer = records_next(&b->records, b->arena, &record, error)) == RECORD_OK) {
                if (b->n == IMPORT_BATCH_MAX)
                        return fault(error, FAULT_INPUT, "too many messages in one batch");
                if (!batch_add(b, &record, error))
                        return FALSE;
        }
        return answer == RECORD_END;
}

static AdminResult
batch_store(Batch *b)
{
        g_autoptr(GError) error = NULL;
        ImportBatch batch = {.source = b->source,
                             .reader = b->who.account,
                             .messages = b->messages,
                             .keys = b->keys,
                             .n = b->n,
                             .uid_next = b->uid_next,
                             .is_over_quota = admin_option(b->call, "--over-quota") != NULL,
                             .ret_keeps_uids = b->source.keeps_uids};
        ChangeAnswer answer = CHANGED_DONE;

        if (b->n > 0)
                answer = store_import_append(admin_rooms(b->call)->store, &batch, &error);
        if (answer != CHANGED_DONE && batch.ret_is_twice)
                return admin_refuse(b->call, "somebody else imports the same: these messages are in already");
        if (answer != CHANGED_DONE)
                return change_refused(b->call, answer, error);
        admin_result(b->call, json_pack("{s:I, s:I, s:b}", "messages", (json_int_t) b->n, "octets",
                                        (json_int_t) b->octets, "keeps_uids", batch.ret_keeps_uids));
        return ADMIN_DONE;
}

static AdminResult
batch_run(Batch *b)
{
        g_autoptr(GError) error = NULL;

        if (!batch_keywords(b, &error) || !batch_fill(b, &error))
                return admin_refuse(b->call, "%s", error != NULL ? error->message : "the mailbox is gone");
        return batch_store(b);
}

/* The source as `begin` left it. */
static gboolean
source_find(AdminCall *call, const Viewer *who, ImportSource *ret, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        const char *folder = admin_arg(call, "FOLDER", 0);
        Store *store = admin_rooms(call)->store;
        const Mailbox *mailbox = NULL;
        guint32 uid_validity;

        if (!number_option(call, "--uid-validity", &uid_validity, ret_result))
                return FALSE;
        MailboxAnswer answer =
                store_mailbox(store, admin_arena(call), who, span_of(folder), RIGHT_INSERT, &mailbox, &error);
        if (answer != MAILBOX_DONE)
                *ret_result = admin_mailbox_answer(call, answer, folder, error);
        else if (!store_import_find(store, mailbox->id, admin_arg(call, "SOURCE", 0), uid_validity, ret, &error))
                *ret_result = admin_refuse(call, "%s", error->message);
        else if (ret->id == 0)
                *ret_result = admin_refuse(call, "the import was forgotten meanwhile");
        else
                return TRUE;
        return FALSE;
}

static AdminResult
transfer_append(AdminCall *call)
{
        Batch b = {.call = call};
        AdminResult result = ADMIN_DONE;

        if (!admin_viewer(call, &b.who, &result) || !source_find(call, &b.who, &b.source, &result) ||
            !number_option(call, "--uid-next", &b.uid_next, &result))
                return result;
        b.arena = arena_new(BATCH_ARENA_OCTETS);
        b.messages = g_new0(Append, IMPORT_BATCH_MAX);
        b.keys = g_new0(const char *, IMPORT_BATCH_MAX);
        records_init(&b.records, batch_read, call);
        result = batch_run(&b);
        records_done(&b.records);
        for (gsize i = 0; i < b.n; i++)
                blob_writer_free(b.messages[i].writer);
        g_clear_pointer(&b.keywords, g_hash_table_unref);
        g_free(b.messages);
        g_free(b.keys);
        arena_free(b.arena);
        return result;
}

/* End, forget ------------------------------------------------------------------------------------------------------ */

static Change
transfer_recorded(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        return CHANGE_DONE;
}

/* The store's changes have transactions of their own; what was done is recorded behind them. */
static AdminResult
transfer_record(AdminCall *call, json_t *take_after)
{
        const char *object =
                arena_printf(admin_arena(call), "%s %s", admin_arg(call, "ADDRESS", 0), admin_arg(call, "SOURCE", 0));
        AdminChange change = {.object = object, .after = take_after, .fn = transfer_recorded};
        AdminResult result = admin_change(call, &change);

        json_decref(take_after);
        return result;
}

static AdminResult
transfer_end(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        AdminResult result = ADMIN_DONE;
        ImportSource source;
        guint32 uid_next, messages;
        Viewer who;

        if (!admin_viewer(call, &who, &result) || !source_find(call, &who, &source, &result) ||
            !number_option(call, "--uid-next", &uid_next, &result) ||
            !number_option(call, "--messages", &messages, &result))
                return result;
        ChangeAnswer answer = store_import_end(admin_rooms(call)->store, &source, uid_next, &error);
        if (answer != CHANGED_DONE)
                return change_refused(call, answer, error);
        if (messages == 0)
                return ADMIN_DONE;
        return transfer_record(call, json_pack("{s:s, s:I}", "folder", admin_arg(call, "FOLDER", 0), "messages",
                                               (json_int_t) messages));
}

static AdminResult
transfer_forget(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        AdminResult result = ADMIN_DONE;
        guint64 messages = 0;
        Viewer who;

        if (!admin_viewer(call, &who, &result))
                return result;
        if (!store_import_forget(admin_rooms(call)->store, who.account, admin_arg(call, "SOURCE", 0), &messages,
                                 &error))
                return admin_refuse(call, "%s", error->message);
        admin_result(call, json_pack("{s:I}", "forgotten", (json_int_t) messages));
        return transfer_record(call, json_pack("{s:I}", "forgotten", (json_int_t) messages));
}

/* List, read ------------------------------------------------------------------------------------------------------- */

/* special uses as in RFC 6154, a space between two. */
static json_t *
uses_json(guint uses)
{
        g_autoptr(GString) words = g_string_new(NULL);

        for (guint bit = USE_ALL; bit <= USE_IMPORTANT; bit <<= 1)
                if (uses & bit)
                        g_string_append_printf(words, "%s%s", words->len > 0 ? " " : "", special_use_name(bit));
        return words->len > 0 ? json_string(words->str) : json_null();
}

static gboolean
list_one(AdminCall *call, const Viewer *who, const Mailbox *m, GError **error)
{
        MailboxStatus status = {0};
        StoreAnswer answer = STORE_NO_MAILBOX;

        if (m->id != 0)
                answer = store_mailbox_status(admin_rooms(call)->store, m->id, who->account, &status, error);
        if (answer == STORE_FAILED)
                return FALSE;
        admin_row(call, json_pack("{s:o, s:b, s:o, s:b, s:I, s:I, s:I, s:I}", "name", json_text(m->name), "exists",
                                  answer == STORE_DONE, "special_use", uses_json(m->special_use), "subscribed",
                                  m->is_subscribed, "messages", (json_int_t) status.messages, "octets",
                                  (json_int_t) status.octets, "uid_validity", (json_int_t) status.uid_validity,
                                  "uid_next", (json_int_t) status.uid_next));
        return TRUE;
}

static AdminResult
transfer_list(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        AdminResult result = ADMIN_DONE;
        MailboxQuery query = {0};
        const Mailbox *at;
        Viewer who;
        gsize n;

        if (!admin_viewer(call, &who, &result))
                return result;
        if (!store_mailboxes(admin_rooms(call)->store, admin_arena(call), &who, &query, &at, &n, &error))
                return admin_refuse(call, "%s", error->message);
        for (gsize i = 0; i < n; i++)
                if (!at[i].is_alias && *at[i].name != '~' && !list_one(call, &who, &at[i], &error))
                        return admin_refuse(call, "%s", error->message);
        return ADMIN_DONE;
}

static json_t *
flags_json(const View *view, guint64 flags)
{
        static const char *const SYSTEM[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"};
        json_t *array = json_array();

        for (guint bit = 0; bit < FLAG_KEYWORD_FIRST + FLAG_KEYWORDS_MAX; bit++) {
                const char *name = bit < G_N_ELEMENTS(SYSTEM) ? SYSTEM[bit] : view_keyword(view, bit);
                if ((flags >> bit & 1) != 0 && name != NULL)
                        json_array_append_new(array, json_text(name));
        }
        return array;
}

/* FALSE with an error: it can't be read; without: nobody listens any more. */
static gboolean
read_one(AdminCall *call, const View *view, guint32 index, guint8 *buffer, GError **error)
{
        g_autoptr(StoredMessage) message = NULL;
        const ViewEntry *entry = view_entry(view, index);
        guint64 offset = 0;

        if (!store_message_of(admin_rooms(call)->store, view, index, &message, error))
                return FALSE;
        guint64 size = stored_message_size(message);
        admin_row(call, json_pack("{s:I, s:o, s:I, s:I}", "uid", (json_int_t) entry->uid, "flags",
                                  flags_json(view, view_flags(view, index)), "received", (json_int_t) entry->received,
                                  "size", (json_int_t) size));
        while (offset < size) {
                gssize n = stored_message_read(message, offset, buffer, PIECE_OCTETS, error);
                if (n == 0)
                        return fault(error, FAULT_INTERNAL, "the message is shorter than its size");
                if (n < 0 || !admin_octets(call, span_make(buffer, (gsize) n)))
                        return FALSE;
                offset += (guint64) n;
        }
        return TRUE;
}

static AdminResult
read_view(AdminCall *call, const View *view, guint32 first)
{
        g_autofree guint8 *buffer = g_malloc(PIECE_OCTETS);

        for (guint32 i = view_index_of(view, first); i < view_count(view); i++) {
                g_autoptr(GError) error = NULL;

                if (read_one(call, view, i, buffer, &error))
                        continue;
                if (error == NULL)
                        return admin_refuse(call, "nobody listens");
                admin_row(call, json_pack("{s:I, s:o}", "uid", (json_int_t) view_entry(view, i)->uid, "error",
                                          json_text(error->message)));
        }
        return ADMIN_DONE;
}

static AdminResult
transfer_read(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *folder = admin_arg(call, "FOLDER", 0);
        Store *store = admin_rooms(call)->store;
        AdminResult result = ADMIN_DONE;
        const Mailbox *mailbox = NULL;
        g_autoptr(View) view = NULL;
        guint32 first;
        Viewer who;

        if (!admin_viewer(call, &who, &result) || !number_option(call, "--from", &first, &result))
                return result;
        MailboxAnswer answer =
                store_mailbox(store, admin_arena(call), &who, span_of(folder), RIGHT_READ, &mailbox, &error);
        if (answer != MAILBOX_DONE)
                return admin_mailbox_answer(call, answer, folder, error);
        switch (store_view_open(store, mailbox->id, who.account, &view, &error)) {
        case STORE_DONE:
                return read_view(call, view, first);
        case STORE_FAILED:
                return admin_refuse(call, "%s", error->message);
        case STORE_OVER_QUOTA:
        case STORE_NO_MAILBOX:
                break;
        }
        return admin_mailbox_answer(call, MAILBOX_MISSING, folder, NULL);
}

/* The table -------------------------------------------------------------------------------------------------------- */

/* clang-format off */
#define ARG_ADDRESS {"ADDRESS", FALSE, FALSE, "the account"}
#define ARG_SOURCE  {"SOURCE", FALSE, FALSE, "where the messages come from, \"maildir:/srv/joe .Work\""}
#define ARG_FOLDER  {"FOLDER", FALSE, FALSE, "the mailbox"}
#define OPTION_VALIDITY {"--uid-validity", "N", "of the source"}
#define OPTION_NEXT     {"--uid-next", "N", "of the source"}
/* clang-format on */

const Operation TRANSFER_BEGIN = {
        .noun = "transfer",
        .verb = "begin",
        .args = {ARG_ADDRESS, ARG_SOURCE, ARG_FOLDER},
        .options = {OPTION_VALIDITY,
                    {"--special-use", "USE", "of the mailbox, should it be made"},
                    {"--subscribe", NULL, "to the mailbox"},
                    {"--look", NULL, "change nothing"}},
        .run = transfer_begin,
};
const Operation TRANSFER_APPEND = {
        .noun = "transfer",
        .verb = "append",
        .args = {ARG_ADDRESS, ARG_SOURCE, ARG_FOLDER},
        .options = {OPTION_VALIDITY, OPTION_NEXT, {"--over-quota", NULL, "the quota is not asked"}},
        .wants_message = TRUE,
        .run = transfer_append,
};
const Operation TRANSFER_END = {
        .noun = "transfer",
        .verb = "end",
        .args = {ARG_ADDRESS, ARG_SOURCE, ARG_FOLDER},
        .options = {OPTION_VALIDITY, OPTION_NEXT, {"--messages", "N", "that came, for the history"}},
        .run = transfer_end,
};
const Operation TRANSFER_FORGET = {
        .noun = "transfer",
        .verb = "forget",
        .args = {ARG_ADDRESS, ARG_SOURCE},
        .run = transfer_forget,
};
const Operation TRANSFER_LIST = {
        .noun = "transfer",
        .verb = "list",
        .args = {ARG_ADDRESS},
        .run = transfer_list,
};
const Operation TRANSFER_READ = {
        .noun = "transfer",
        .verb = "read",
        .args = {ARG_ADDRESS, ARG_FOLDER},
        .options = {{"--from", "UID", "the first"}},
        .run = transfer_read,
};

const Operation *const ADMIN_TRANSFERS[] = {
        &TRANSFER_BEGIN, &TRANSFER_APPEND, &TRANSFER_END, &TRANSFER_FORGET, &TRANSFER_LIST, &TRANSFER_READ, NULL,
};

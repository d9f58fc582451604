/* operations_mailbox.c -- mailbox list|create|delete|rename|restore|undelete|alias|subscribe|acl: what an account could
 * do itself. */
#include "admin/operations.h"
#include "store/change.h"
#include "store/mailbox.h"

#define DELETED_MAX 10000

/* Who and what ----------------------------------------------------------------------------------------------------- */

gboolean
admin_viewer(AdminCall *call, Viewer *ret, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        const char *text = admin_arg(call, "ADDRESS", 0);
        Arena *arena = admin_arena(call);
        Address address;
        Entry entry = {0};

        if (!admin_address(call, text, &address, ret_result))
                return FALSE;
        Found found = directory_entry(admin_rooms(call)->directory, arena, &address, &entry, &error);
        if (found == FOUND_FAILED)
                *ret_result = admin_refuse(call, "%s", error->message);
        else if (found == FOUND_NOT || entry.account == NULL)
                *ret_result = admin_refuse(call, "there is no account %s", text);
        if (found != FOUND || entry.account == NULL)
                return FALSE;
        *ret = (Viewer){.account = entry.account->id,
                        .address = arena_strndup(arena, address_text(arena, &entry.account->address)),
                        .client = "admin"};
        return TRUE;
}

AdminResult
admin_mailbox_answer(AdminCall *call, MailboxAnswer answer, const char *name, const GError *error)
{
        switch (answer) {
        case MAILBOX_DONE:
                return ADMIN_DONE;
        case MAILBOX_FAILED:
                return admin_refuse(call, "%s", error != NULL ? error->message : "it could not be done");
        case MAILBOX_MISSING:
                return admin_refuse(call, "there is no mailbox %s, or this account may not see it", name);
        case MAILBOX_NO_RIGHT:
                return admin_refuse(call, "%s: the account has no right to do that", name);
        case MAILBOX_EXISTS:
                return admin_refuse(call, "a mailbox stands there already");
        case MAILBOX_BAD_NAME:
                return admin_refuse(call,
                                    "not possible with these names: levels are divided by /, each at most 255 octets "
                                    "without controls, and a mailbox stays in its account");
        case MAILBOX_IN_USE:
                return admin_refuse(call, "%s is always there", name);
        case MAILBOX_LIMIT:
                return admin_refuse(call, "that would be too many");
        case MAILBOX_TOO_LONG:
                return admin_refuse(call, "that is too long");
        case MAILBOX_BAD_USE:
                return admin_refuse(call, "a mailbox can be for archive, drafts, junk, sent or trash");
        }
        g_assert_not_reached();
}

static Change
mailbox_recorded(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        return CHANGE_DONE;
}

/* The store's changes have transactions of their own; what was done is recorded behind them. */
static AdminResult
mailbox_record(AdminCall *call, json_t *take_after)
{
        const char *object =
                arena_printf(admin_arena(call), "%s %s", admin_arg(call, "ADDRESS", 0), admin_arg(call, "NAME", 0));
        AdminChange change = {.object = object, .after = take_after, .fn = mailbox_recorded};
        AdminResult result = admin_change(call, &change);

        json_decref(take_after);
        return result;
}

/* "sent archive", g_free; NULL: for nothing. */
static char *
use_words(guint uses)
{
        g_autoptr(GString) words = g_string_new(NULL);

        for (guint bit = USE_ALL; bit <= USE_IMPORTANT; bit <<= 1)
                if (uses & bit)
                        g_string_append_printf(words, "%s%s", words->len > 0 ? " " : "", special_use_name(bit) + 1);
        return words->len > 0 ? g_ascii_strdown(words->str, -1) : NULL;
}

static json_t *
mailbox_json(AdminCall *call, const Mailbox *m)
{
        g_autofree char *use = use_words(m->special_use);
        char rights[16];

        return json_pack("{s:o, s:o, s:b, s:b, s:b, s:o, s:o}", "name", json_text(m->name), "special_use",
                         json_text(use), "subscribed", m->is_subscribed, "alias", m->is_alias, "exists", m->id != 0,
                         "rights", m->id != 0 ? json_text(rights_text(m->rights, rights)) : json_null(), "mailbox_id",
                         m->id != 0 ? json_text(m->mailbox_id) : json_null());
}

/* Listing ---------------------------------------------------------------------------------------------------------- */

/* FALSE: a fault. A mailbox that went meanwhile has no counts. */
static gboolean
mailbox_put_status(AdminCall *call, const Viewer *who, const Mailbox *m, json_t *object, GError **error)
{
        MailboxStatus status = {0};
        StoreAnswer answer =
                m->id != 0 ? store_mailbox_status(admin_rooms(call)->store, m->id, who->account, &status, error)
                           : STORE_NO_MAILBOX;

        json_put(object, "messages", answer == STORE_DONE ? json_integer(status.messages) : json_null());
        json_put(object, "unseen", answer == STORE_DONE ? json_integer(status.unseen) : json_null());
        json_put(object, "octets", answer == STORE_DONE ? json_integer((json_int_t) status.octets) : json_null());
        return answer != STORE_FAILED;
}

static AdminResult
list_deleted(AdminCall *call, const Viewer *who)
{
        g_autoptr(GError) error = NULL;
        const DeletedMailbox *at;
        gsize n;

        if (!store_mailboxes_deleted(admin_rooms(call)->store, admin_arena(call), who, DELETED_MAX, &at, &n, &error))
                return admin_refuse(call, "%s", error->message);
        for (gsize i = 0; i < n; i++)
                admin_row(call, json_pack("{s:o, s:s, s:o}", "name", json_text(at[i].name), "id", at[i].mailbox_id,
                                          "deleted", json_time(at[i].deleted)));
        return ADMIN_DONE;
}

static AdminResult
mailbox_list(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        AdminResult result = ADMIN_DONE;
        MailboxQuery query = {.include_others = TRUE};
        const Mailbox *at;
        Viewer who;
        gsize n;

        if (!admin_viewer(call, &who, &result))
                return result;
        if (admin_option(call, "--deleted") != NULL)
                return list_deleted(call, &who);
        if (!store_mailboxes(admin_rooms(call)->store, admin_arena(call), &who, &query, &at, &n, &error))
                return admin_refuse(call, "%s", error->message);
        for (gsize i = 0; i < n; i++) {
                json_t *row = mailbox_json(call, &at[i]);

                if (!mailbox_put_status(call, &who, &at[i], row, &error)) {
                        json_decref(row);
                        return admin_refuse(call, "%s", error->message);
                }
                admin_row(call, row);
        }
        return ADMIN_DONE;
}

/* Changes ---------------------------------------------------------------------------------------------------------- */

static gboolean
read_use(AdminCall *call, guint *ret, AdminResult *ret_result)
{
        const char *word = admin_option(call, "--special-use");
        g_autofree char *text = word != NULL ? g_strconcat(word[0] == '\\' ? "" : "\\", word, NULL) : NULL;
        SpecialUse use;

        *ret = 0;
        if (word == NULL)
                return TRUE;
        if (special_use_parse(span_of(text), &use)) {
                *ret = use;
                return TRUE;
        }
        *ret_result = admin_mailbox_answer(call, MAILBOX_BAD_USE, word, NULL);
        return FALSE;
}

static AdminResult
mailbox_create(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *name = admin_arg(call, "NAME", 0);
        AdminResult result = ADMIN_DONE;
        const Mailbox *made;
        guint use;
        Viewer who;

        if (!admin_viewer(call, &who, &result) || !read_use(call, &use, &result))
                return result;
        MailboxAnswer answer = store_mailbox_create(admin_rooms(call)->store, admin_arena(call), &who, span_of(name),
                                                    use, &made, &error);
        if (answer != MAILBOX_DONE)
                return admin_mailbox_answer(call, answer, name, error);
        json_t *object = mailbox_json(call, made);
        if ((result = mailbox_record(call, json_incref(object))) == ADMIN_DONE)
                admin_result(call, json_incref(object));
        json_decref(object);
        return result;
}

/* What changes one name and answers nothing else. */
typedef MailboxAnswer (*MailboxFn)(AdminCall *call, const Viewer *who, Span name, GError **error);

/* missing: what is not there when the answer is MAILBOX_MISSING. */
static AdminResult
mailbox_change_of(AdminCall *call, MailboxFn fn, const char *key, const char *value, const char *missing)
{
        g_autoptr(GError) error = NULL;
        const char *name = admin_arg(call, "NAME", 0);
        AdminResult result = ADMIN_DONE;
        Viewer who;

        if (!admin_viewer(call, &who, &result))
                return result;
        MailboxAnswer answer = fn(call, &who, span_of(name), &error);
        if (answer != MAILBOX_DONE)
                return admin_mailbox_answer(call, answer, answer == MAILBOX_MISSING ? missing : name, error);
        json_t *object = json_pack("{s:o}", key, json_text(value));
        if ((result = mailbox_record(call, json_incref(object))) == ADMIN_DONE)
                admin_result(call, json_pack("{s:s, s:o}", "name", name, key, json_text(value)));
        json_decref(object);
        return result;
}

static AdminResult
mailbox_change(AdminCall *call, MailboxFn fn, const char *key, const char *value)
{
        return mailbox_change_of(call, fn, key, value, admin_arg(call, "NAME", 0));
}

static MailboxAnswer
delete_fn(AdminCall *call, const Viewer *who, Span name, GError **error)
{
        return store_mailbox_delete(admin_rooms(call)->store, who, name, error);
}

static AdminResult
mailbox_delete(AdminCall *call)
{
        return mailbox_change(call, delete_fn, "state", "deleted");
}

static AdminResult
mailbox_restore(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *name = admin_arg(call, "NAME", 0), *id = admin_option(call, "--id");
        const char *as = admin_option(call, "--as");
        AdminResult result = ADMIN_DONE;
        Viewer who;

        if (as != NULL && *as == '\0')
                return admin_usage(call, "--as: a name is expected");
        if (!admin_viewer(call, &who, &result))
                return result;
        MailboxAnswer answer = store_mailbox_restore(admin_rooms(call)->store, &who, span_of(name), id,
                                                     as != NULL ? span_of(as) : SPAN_EMPTY, &error);
        if (answer == MAILBOX_MISSING)
                return admin_refuse(call, "no deleted mailbox %s%s%s can be restored", name,
                                    id != NULL ? " with the id " : "", id != NULL ? id : "");
        if (answer == MAILBOX_EXISTS)
                return admin_refuse(call, "a mailbox %s stands there already: give another name by --as",
                                    as != NULL ? as : name);
        if (answer != MAILBOX_DONE)
                return admin_mailbox_answer(call, answer, as != NULL ? as : name, error);
        json_t *object = json_pack("{s:s, s:s}", "state", "restored", "restored_as", as != NULL ? as : name);
        if ((result = mailbox_record(call, json_incref(object))) == ADMIN_DONE)
                admin_result(call, json_pack("{s:s, s:s}", "name", as != NULL ? as : name, "state", "restored"));
        json_decref(object);
        return result;
}

static MailboxAnswer
rename_fn(AdminCall *call, const Viewer *who, Span name, GError **error)
{
        return store_mailbox_rename(admin_rooms(call)->store, who, name, span_of(admin_arg(call, "NEW", 0)), error);
}

static AdminResult
mailbox_rename(AdminCall *call)
{
        return mailbox_change(call, rename_fn, "new_name", admin_arg(call, "NEW", 0));
}

static MailboxAnswer
alias_fn(AdminCall *call, const Viewer *who, Span name, GError **error)
{
        const char *target = admin_arg(call, "TARGET", 0);

        return store_mailbox_alias(admin_rooms(call)->store, who, name,
                                   strcmp(target, "none") == 0 ? SPAN_EMPTY : span_of(target), error);
}

static AdminResult
mailbox_alias(AdminCall *call)
{
        const char *target = admin_arg(call, "TARGET", 0);

        if (strcmp(target, "none") == 0)
                return mailbox_change(call, alias_fn, "target", NULL);
        return mailbox_change_of(call, alias_fn, "target", target, target);
}

static MailboxAnswer
subscribe_fn(AdminCall *call, const Viewer *who, Span name, GError **error)
{
        return store_mailbox_subscribe(admin_rooms(call)->store, who, name,
                                       strcmp(admin_arg(call, "WHETHER", 0), "yes") == 0, error);
}

static AdminResult
mailbox_subscribe(AdminCall *call)
{
        const char *whether = admin_arg(call, "WHETHER", 0);

        if (strcmp(whether, "yes") != 0 && strcmp(whether, "no") != 0)
                return admin_usage(call, "%s: yes or no is expected", whether);
        return mailbox_change(call, subscribe_fn, "subscribed", whether);
}

/* Messages --------------------------------------------------------------------------------------------------------- */

static AdminResult
undelete_answer(AdminCall *call, ChangeAnswer answer, const char *name, const GError *error)
{
        switch (answer) {
        case CHANGED_DONE:
                return ADMIN_DONE;
        case CHANGED_FAILED:
                break;
        case CHANGED_NO_MAILBOX:
                return admin_mailbox_answer(call, MAILBOX_MISSING, name, NULL);
        case CHANGED_OVER_QUOTA:
                return admin_refuse(call, "the quota of the account leaves no room for them");
        case CHANGED_TOO_MANY_KEYWORDS:
        case CHANGED_UID_SPACE:
                return admin_mailbox_answer(call, MAILBOX_LIMIT, name, NULL);
        }
        return admin_refuse(call, "%s", error != NULL ? error->message : "it could not be done");
}

static AdminResult
mailbox_undelete(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *name = admin_arg(call, "NAME", 0);
        Store *store = admin_rooms(call)->store;
        AdminResult result = ADMIN_DONE;
        const Mailbox *found = NULL;
        guint32 n = 0;
        Usec since = 0;
        Viewer who;

        if (!admin_since(call, &since, &result))
                return result;
        if (!admin_viewer(call, &who, &result))
                return result;
        MailboxAnswer there =
                store_mailbox(store, admin_arena(call), &who, span_of(name), RIGHT_INSERT, &found, &error);
        if (there != MAILBOX_DONE)
                return admin_mailbox_answer(call, there, name, error);
        ChangeAnswer answer = store_undelete(store, found->id, since, &n, &error);
        if (answer != CHANGED_DONE)
                return undelete_answer(call, answer, name, error);
        if ((result = mailbox_record(call, json_pack("{s:I}", "undeleted", (json_int_t) n))) == ADMIN_DONE)
                admin_result(call, json_pack("{s:s, s:I}", "name", name, "undeleted", (json_int_t) n));
        return result;
}

/* Rights ----------------------------------------------------------------------------------------------------------- */

/* "lrs", "+lrs", "-lrs", "none" */
static gboolean
read_rights(const char *text, AclAction *ret_action, guint *ret)
{
        *ret_action = *text == '+' ? ACL_ADD : *text == '-' ? ACL_REMOVE : ACL_REPLACE;
        if (*ret_action != ACL_REPLACE)
                text++;
        *ret = 0;
        return strcmp(text, "none") == 0 ? *ret_action == ACL_REPLACE : rights_parse(span_of(text), ret);
}

static gboolean
acl_change(AdminCall *call, const Viewer *who, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        const char *name = admin_arg(call, "NAME", 0), *identifier = admin_arg(call, "IDENTIFIER", 0);
        const char *text = admin_arg(call, "RIGHTS", 0);
        AclAction action;
        guint rights;

        if (!read_rights(text, &action, &rights)) {
                *ret_result = admin_usage(
                        call, "%s: letters of lrswipkxtea are expected, with + or - before them, or none", text);
                return FALSE;
        }
        MailboxAnswer answer = store_acl_set(admin_rooms(call)->store, who, span_of(name), span_of(identifier), action,
                                             rights, &error);
        *ret_result = answer == MAILBOX_BAD_NAME ? admin_refuse(call, "%s is no account or group here", identifier)
                                                 : admin_mailbox_answer(call, answer, name, error);
        if (answer != MAILBOX_DONE)
                return FALSE;
        *ret_result = mailbox_record(call, json_pack("{s:s, s:s}", "identifier", identifier, "rights", text));
        return *ret_result == ADMIN_DONE;
}

static AdminResult
mailbox_acl(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *name = admin_arg(call, "NAME", 0);
        AdminResult result = ADMIN_DONE;
        const AclEntry *at;
        char text[16];
        Viewer who;
        gsize n;

        if (admin_arg(call, "IDENTIFIER", 0) != NULL && admin_arg(call, "RIGHTS", 0) == NULL)
                return admin_usage(call, "RIGHTS are missing: letters of lrswipkxtea, or none");
        if (!admin_viewer(call, &who, &result))
                return result;
        if (admin_arg(call, "IDENTIFIER", 0) != NULL && !acl_change(call, &who, &result))
                return result;
        MailboxAnswer answer =
                store_acl(admin_rooms(call)->store, admin_arena(call), &who, span_of(name), &at, &n, &error);
        if (answer != MAILBOX_DONE)
                return admin_mailbox_answer(call, answer, name, error);
        for (gsize i = 0; i < n; i++)
                admin_row(call, json_pack("{s:o, s:o}", "identifier", json_text(at[i].identifier), "rights",
                                          json_text(rights_text(at[i].rights, text))));
        return ADMIN_DONE;
}

/* The table -------------------------------------------------------------------------------------------------------- */

#define ARG_ADDRESS                                                                                                    \
        {                                                                                                              \
                "ADDRESS", FALSE, FALSE, "the account"                                                                 \
        }
#define ARG_NAME                                                                                                       \
        {                                                                                                              \
                "NAME", FALSE, FALSE, "the mailbox, levels divided by /; ~NAME/... is one of another account"          \
        }

const Operation MAILBOX_LIST = {
        .noun = "mailbox",
        .verb = "list",
        .summary = "list the mailboxes of an account",
        .manual = "Lists what the account itself sees: its own mailboxes, names that stand for others, and what others "
                  "have "
                  "opened to it. Levels without a mailbox have no counts. --deleted lists mailboxes that can be "
                  "restored.",
        .example = "restante mailbox list joe@uk.example.com",
        .args = {ARG_ADDRESS},
        .options = {{"--deleted", NULL, "only mailboxes that were deleted and can be restored"}},
        .columns = {{"name", "mailbox"},
                    {"messages", "messages", COLUMN_NUMBER},
                    {"unseen", "unseen", COLUMN_NUMBER},
                    {"octets", "size", COLUMN_SIZE},
                    {"special_use", "for"},
                    {"subscribed", "subscribed", COLUMN_YES_NO},
                    {"alias", "alias", COLUMN_YES_NO},
                    {"rights", "rights"},
                    {"deleted", "deleted", COLUMN_TIME},
                    {"id", "id"}},
        .is_list = TRUE,
        .run = mailbox_list,
};

const Operation MAILBOX_CREATE = {
        .noun = "mailbox",
        .verb = "create",
        .summary = "make a mailbox",
        .manual = "Makes a mailbox, and the levels above it that are missing. A new one has the rights of the one "
                  "above it.",
        .example = "restante mailbox create joe@uk.example.com Archive/2026 --special-use archive",
        .args = {ARG_ADDRESS, ARG_NAME},
        .options = {{"--special-use", "archive|drafts|junk|sent|trash", "what it is for (RFC 6154)"}},
        .columns = {{"name", "mailbox"}, {"special_use", "for"}, {"rights", "rights"}, {"mailbox_id", "id"}},
        .run = mailbox_create,
};

const Operation MAILBOX_DELETE = {
        .noun = "mailbox",
        .verb = "delete",
        .summary = "delete a mailbox with what is in it",
        .manual =
                "Mailboxes below it stay. It can be restored with everything in it until the site's undelete time has "
                "passed. A name that stands for another mailbox is removed, and the mailbox stays.",
        .example = "restante mailbox delete joe@uk.example.com Old",
        .args = {ARG_ADDRESS, ARG_NAME},
        .columns = {{"name", "mailbox"}, {"state", "state"}},
        .run = mailbox_delete,
};

const Operation MAILBOX_RENAME = {
        .noun = "mailbox",
        .verb = "rename",
        .summary = "give a mailbox another name",
        .manual = "Mailboxes below it go along.",
        .example = "restante mailbox rename joe@uk.example.com Work Projects/Work",
        .args = {ARG_ADDRESS, ARG_NAME, {"NEW", FALSE, FALSE, "the new name, in the same account"}},
        .columns = {{"name", "mailbox"}, {"new_name", "is now"}},
        .run = mailbox_rename,
};

const Operation MAILBOX_RESTORE = {
        .noun = "mailbox",
        .verb = "restore",
        .summary = "bring back a deleted mailbox",
        .manual = "Brings back the mailbox of that name that was deleted last, with its messages, rights and "
                  "annotations. `mailbox list --deleted` shows which there are, with the id of each: several may have "
                  "had the same name.",
        .example = "restante mailbox restore joe@uk.example.com Old --as Old/2026",
        .args = {ARG_ADDRESS, ARG_NAME},
        .options = {{"--id", "ID", "not the last one that was deleted, but the one with this id"},
                    {"--as", "NEW", "under another name, in the same account"}},
        .columns = {{"name", "mailbox"}, {"state", "state"}},
        .run = mailbox_restore,
};

const Operation MAILBOX_UNDELETE = {
        .noun = "mailbox",
        .verb = "undelete",
        .summary = "bring back messages that were deleted from a mailbox",
        .manual =
                "Brings back what was removed from a mailbox since a time, or all that is still kept, under new UIDs. "
                "What the site's undelete time has passed for is gone. A mailbox that was deleted itself: `mailbox "
                "restore`.",
        .example = "restante mailbox undelete joe@uk.example.com INBOX --since 2026-01-31T12:00",
        .args = {ARG_ADDRESS, ARG_NAME},
        .options = {{"--since", "TIME", "only what was removed since then: " ADMIN_SINCE}},
        .columns = {{"name", "mailbox"}, {"undeleted", "messages", COLUMN_NUMBER}},
        .run = mailbox_undelete,
};

const Operation MAILBOX_ALIAS = {
        .noun = "mailbox",
        .verb = "alias",
        .summary = "let a name stand for another mailbox",
        .manual = "The name appears among the account's own mailboxes and opens the target, with the rights its owner "
                  "has "
                  "granted. It follows a target that is renamed. none takes the name away.",
        .example = "restante mailbox alias joe@uk.example.com Team '~office/Team'",
        .args = {ARG_ADDRESS, ARG_NAME, {"TARGET", FALSE, FALSE, "a mailbox the account may see, or none"}},
        .columns = {{"name", "mailbox"}, {"target", "stands for"}},
        .run = mailbox_alias,
};

const Operation MAILBOX_SUBSCRIBE = {
        .noun = "mailbox",
        .verb = "subscribe",
        .summary = "subscribe an account to a mailbox, or not",
        .manual = "Most mail programs show only what is subscribed.",
        .example = "restante mailbox subscribe joe@uk.example.com '~office/Team' yes",
        .args = {ARG_ADDRESS, ARG_NAME, {"WHETHER", FALSE, FALSE, "yes or no"}},
        .columns = {{"name", "mailbox"}, {"subscribed", "subscribed"}},
        .run = mailbox_subscribe,
};

const Operation MAILBOX_ACL = {
        .noun = "mailbox",
        .verb = "acl",
        .summary = "show or change who may do what with a mailbox",
        .manual =
                "Rights are letters (RFC 4314): l see it in lists, r read, s mark as read, w set other flags, i put "
                "messages in, p post to it, k make mailboxes below it, x delete it, t mark messages as deleted, e "
                "remove "
                "them for good, a change these rights.\n\nIDENTIFIER is an account or group, anyone (every account "
                "here), or "
                "owner; with - before it the rights are taken away from what else is granted. RIGHTS replace what the "
                "identifier had; with + or - before them they are added or removed; none removes the entry. Put -- "
                "before "
                "words that begin with -.",
        .example = "restante mailbox acl office@uk.example.com Team joe@uk.example.com lrswit",
        .args = {ARG_ADDRESS,
                 ARG_NAME,
                 {"IDENTIFIER", TRUE, FALSE, "whose rights are changed; nothing: only show"},
                 {"RIGHTS", TRUE, FALSE, "letters of lrswipkxtea, or none"}},
        .columns = {{"identifier", "who"}, {"rights", "rights"}},
        .is_list = TRUE,
        .run = mailbox_acl,
};

/* operations_account.c -- account add|list|show|set|password|remove. */
#include "admin/operations.h"
#include "auth/auth.h"
#include "store/mailbox.h"

#define LIST_PAGE 500

static json_t *
account_json(Arena *arena, const Account *a)
{
        return json_pack("{s:o, s:b, s:b, s:b, s:o, s:o, s:o, s:o}", "address", json_address(arena, &a->address),
                         "has_password", a->has_password, "may_send", a->may_send, "disabled", a->is_disabled, "quota",
                         a->quota_octets > 0 ? json_integer(a->quota_octets) : json_null(), "quota_messages",
                         a->quota_messages > 0 ? json_integer(a->quota_messages) : json_null(), "atrn",
                         json_text(a->atrn), "template", json_text(a->template_name));
}

/* Whom it administers, and how. */
static gboolean
account_put_admin(AdminCall *call, const Account *a, json_t *object, GError **error)
{
        Arena *arena = admin_arena(call);
        const AdminScope *scopes;
        json_t *array;
        guint rights = 0;
        gsize n;

        if (!directory_admin_scopes(admin_rooms(call)->directory, arena, a->id, &scopes, &n, error))
                return FALSE;
        array = json_array();
        for (gsize i = 0; i < n; i++) {
                json_array_append_new(array,
                                      json_text(strcmp(scopes[i].domain, "*") == 0 ? "server" : scopes[i].domain));
                rights |= scopes[i].rights;
        }
        json_put(object, "admin", array);
        json_put(object, "admin_rights", json_text(directory_admin_rights_text(arena, rights)));
        return TRUE;
}

static gboolean
account_put_usage(AdminCall *call, const Account *a, json_t *object, GError **error)
{
        guint64 messages, octets;

        if (!store_usage(admin_rooms(call)->store, a->id, &messages, &octets, error))
                return FALSE;
        json_put(object, "messages", json_integer((json_int_t) messages));
        json_put(object, "octets", json_integer((json_int_t) octets));
        return TRUE;
}

/* NULL in *ret: there is none. */
static gboolean
account_find(AdminCall *call, const Account **ret, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        Address address;
        Entry entry = {0};

        *ret = NULL;
        if (!admin_address(call, admin_arg(call, "ADDRESS", 0), &address, ret_result))
                return FALSE;
        switch (directory_entry(admin_rooms(call)->directory, admin_arena(call), &address, &entry, &error)) {
        case FOUND_FAILED:
                *ret_result = admin_refuse(call, "%s", error->message);
                return FALSE;
        case FOUND:
                /* LOCAL@* answers for every domain; an account stands at its own address only. */
                *ret = entry.account;
                break;
        case FOUND_NOT:
                break;
        }
        return TRUE;
}

static AdminResult
account_show(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        AdminResult result = ADMIN_DONE;
        const Account *a;

        if (!account_find(call, &a, &result))
                return result;
        if (a == NULL)
                return admin_refuse(call, "there is no account %s", admin_arg(call, "ADDRESS", 0));
        json_t *object = account_json(admin_arena(call), a);
        if (!account_put_usage(call, a, object, &error) || !account_put_admin(call, a, object, &error)) {
                json_decref(object);
                return admin_refuse(call, "%s", error->message);
        }
        admin_result(call, object);
        return ADMIN_DONE;
}

static AdminResult
account_list(AdminCall *call)
{
        const char *domain = admin_arg(call, "DOMAIN", 0);
        const char *after = NULL;
        AdminResult result = ADMIN_DONE;
        gsize n;

        if (domain != NULL && !admin_has_domain(call, domain, &result))
                return result;
        do {
                g_autoptr(GError) error = NULL;
                const Account *page;

                if (!directory_list_accounts(admin_rooms(call)->directory, admin_arena(call), domain, after, LIST_PAGE,
                                             &page, &n, &error))
                        return admin_refuse(call, "%s", error->message);
                for (gsize i = 0; i < n; i++) {
                        json_t *row = account_json(admin_arena(call), &page[i]);
                        if (!account_put_usage(call, &page[i], row, &error)) {
                                json_decref(row);
                                return admin_refuse(call, "%s", error->message);
                        }
                        admin_row(call, row);
                }
                if (n > 0) {
                        g_autofree char *last = span_dup(address_text(admin_arena(call), &page[n - 1].address));
                        arena_reset(admin_arena(call));
                        after = arena_strdup(admin_arena(call), last);
                }
        } while (n == LIST_PAGE);
        return ADMIN_DONE;
}

typedef struct AccountChange {
        const char *hash, *scram;
        const char *forget; /* remove: address to which nothing is granted any more, or NULL */
        gint64 id;
        Template template; /* add: what it was made by */
} AccountChange;

static AdminResult
account_changed(AdminCall *call, const Account *before, json_t *take_after, ChangeFn fn, AccountChange *data)
{
        json_t *was = before != NULL ? account_json(admin_arena(call), before) : NULL;
        AdminChange change = {
                .object = admin_arg(call, "ADDRESS", 0), .before = was, .after = take_after, .fn = fn, .data = data};
        AdminResult result = admin_change(call, &change);

        json_decref(was);
        json_decref(take_after);
        return result;
}

/* The address as it is kept; the directory has read it before. */
static Viewer
account_viewer(AdminCall *call, gint64 id)
{
        Arena *arena = admin_arena(call);
        Address address = {SPAN_EMPTY, SPAN_EMPTY};

        (void) address_parse(arena, span_of(admin_arg(call, "ADDRESS", 0)), TRUE, &address);
        return (Viewer){
                .account = id, .address = arena_strndup(arena, address_text(arena, &address)), .client = "admin"};
}

/* What SCRAM needs is kept where the domain wants it. */
static Change
account_keep_scram(AdminCall *call, DbTxn *txn, const AccountChange *change, GError **error)
{
        return change->scram == NULL || directory_keep_scram(admin_rooms(call)->directory, txn, change->id,
                                                             change->hash, change->scram, error)
                       ? CHANGE_DONE
                       : CHANGE_FAILED;
}

static Change
account_add_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const AdminRooms *rooms = admin_rooms(call);
        AccountChange *change = data;
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);
        Change answer = directory_account_add(rooms->directory, txn, admin_arg(call, "ADDRESS", 0), change->hash, pairs,
                                              n, &change->id, error);

        if (answer != CHANGE_DONE)
                return answer;
        if (directory_template_of(txn, admin_arena(call), change->id, &change->template, error) != FOUND)
                return CHANGE_FAILED;
        const Viewer who = account_viewer(call, change->id);
        if (!store_make_account(rooms->store, txn, &who, &change->template, error) ||
            (change->forget != NULL && !store_forget_address(rooms->store, txn, change->forget, error)))
                return CHANGE_FAILED;
        return account_keep_scram(call, txn, change, error);
}

/* Names that stand for mailboxes of others, which must be there and open to it. */
static void
account_make_aliases(AdminCall *call, const AccountChange *change)
{
        const Viewer who = account_viewer(call, change->id);

        for (gsize i = 0; i < change->template.aliases.n; i++) {
                const TemplateItem *item = &change->template.aliases.at[i];
                g_autoptr(GError) error = NULL;

                if (store_mailbox_alias(admin_rooms(call)->store, &who, span_of(item->name), span_of(item->value),
                                        &error) != MAILBOX_DONE)
                        admin_warn(call, "template %s: %s was not made: %s", change->template.name, item->name,
                                   error != NULL ? error->message
                                                 : "its target is not there, or not open to this account");
        }
}

static void
account_warn_domains(AdminCall *call)
{
        const char *admin = admin_pair(call, "admin");

        if (g_strcmp0(admin, "server") != 0)
                admin_warn_domains(call, admin, "until it is, there is nothing to administer");
}

/* What is granted to its address goes with it and is not there when it comes, unless it is a group's too. */
static gboolean
account_to_forget(AdminCall *call, const char *text, const char **ret, GError **error)
{
        Arena *arena = admin_arena(call);
        Address address;
        Entry entry = {0};

        *ret = NULL;
        if (address_parse(arena, span_of(text), TRUE, &address) != ADDRESS_OK || address.domain.len == 0)
                return TRUE; /* it is refused */
        if (directory_entry(admin_rooms(call)->directory, arena, &address, &entry, error) == FOUND_FAILED)
                return FALSE;
        *ret = entry.n_group == 0 ? arena_strndup(arena, address_text(arena, &address)) : NULL;
        return TRUE;
}

static AdminResult
account_add(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *address = admin_arg(call, "ADDRESS", 0);
        g_autofree char *hash = NULL, *scram = NULL;
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        if (admin_password(call) != NULL && (hash = auth_hash_password(admin_password(call), &error)) == NULL)
                return admin_refuse(call, "%s", error->message);
        if (hash != NULL)
                scram = auth_scram_keys(admin_password(call));
        AccountChange change = {.hash = hash, .scram = scram};
        if (!account_to_forget(call, address, &change.forget, &error))
                return admin_refuse(call, "%s", error->message);
        AdminResult result = account_changed(call, NULL, json_pairs(pairs, n), account_add_fn, &change);
        if (result != ADMIN_DONE)
                return result;
        account_make_aliases(call, &change);
        account_warn_domains(call);
        if (hash == NULL)
                admin_warn(call, "%s has no password: nobody can log in until `restante account password %s`", address,
                           address);
        return account_show(call);
}

static Change
account_set_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        return directory_account_set(admin_rooms(call)->directory, txn, admin_arg(call, "ADDRESS", 0), pairs, n, error);
}

static AdminResult
account_set(AdminCall *call)
{
        AdminResult result = ADMIN_DONE;
        const Account *before;
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        if (n == 0)
                return admin_usage(call, "nothing to set: give at least one KEY=VALUE");
        if (!account_find(call, &before, &result))
                return result;
        result = account_changed(call, before, json_pairs(pairs, n), account_set_fn, NULL);
        if (result == ADMIN_DONE)
                account_warn_domains(call);
        return result == ADMIN_DONE ? account_show(call) : result;
}

static Change
account_password_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        AccountChange *change = data;
        Change answer = directory_account_password(admin_rooms(call)->directory, txn, admin_arg(call, "ADDRESS", 0),
                                                   change->hash, &change->id, error);

        return answer == CHANGE_DONE ? account_keep_scram(call, txn, change, error) : answer;
}

static AdminResult
account_password(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *hash = NULL, *scram = NULL;

        if (admin_password(call) == NULL)
                return admin_refuse(call, "no password came: it is read as one line from standard input");
        if ((hash = auth_hash_password(admin_password(call), &error)) == NULL)
                return admin_refuse(call, "%s", error->message);
        scram = auth_scram_keys(admin_password(call));
        AccountChange change = {.hash = hash, .scram = scram};
        AdminResult result =
                account_changed(call, NULL, json_pack("{s:s}", "password", "changed"), account_password_fn, &change);
        if (result == ADMIN_DONE)
                admin_result(call, json_pack("{s:o, s:s}", "address", json_text(admin_arg(call, "ADDRESS", 0)),
                                             "password", "changed"));
        return result;
}

/* Removal: mail goes in slices while the account still stands, and with the last slice the account itself. */
static Change
account_remove_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const AdminRooms *rooms = admin_rooms(call);
        const AccountChange *change = data;
        gboolean more;
        gint64 id;
        Change answer = directory_account_remove(rooms->directory, txn, admin_arg(call, "ADDRESS", 0), &id, error);

        if (answer != CHANGE_DONE)
                return answer;
        if (!store_remove_account(rooms->store, txn, id, &more, error) ||
            (change->forget != NULL && !store_forget_address(rooms->store, txn, change->forget, error)))
                return CHANGE_FAILED;
        if (more) {
                fault(error, FAULT_BUSY, "mail arrives faster than it is removed; set disabled=yes first");
                return CHANGE_FAILED;
        }
        return CHANGE_DONE;
}

/* TRUE when at most one slice is left. */
static gboolean
account_empty(AdminCall *call, const Account *account, GError **error)
{
        const AdminRooms *rooms = admin_rooms(call);
        gboolean more = TRUE;

        while (more) {
                g_autoptr(DbTxn) txn = db_begin_freeing(rooms->db, error);

                if (txn == NULL || !store_remove_account(rooms->store, txn, account->id, &more, error))
                        return FALSE;
                DbCommit answer = db_take_commit(g_steal_pointer(&txn), error);
                if (answer == DB_FAILED)
                        return FALSE;
                more |= answer == DB_AGAIN;
        }
        return TRUE;
}

/* Would the directory let it go? Asked in a transaction that is rolled back, before any mail is deleted. */
static Change
account_may_go(AdminCall *call, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_freeing(admin_rooms(call)->db, error);
        gint64 id;

        return txn != NULL ? directory_account_remove(admin_rooms(call)->directory, txn, admin_arg(call, "ADDRESS", 0),
                                                      &id, error)
                           : CHANGE_FAILED;
}

static AdminResult
account_remove(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *address = admin_arg(call, "ADDRESS", 0);
        AdminResult result = ADMIN_DONE;
        const Account *before;

        if (!account_find(call, &before, &result))
                return result;
        if (before == NULL)
                return admin_refuse(call, "there is no account %s", address);
        AdminChange look = {.object = address};
        Change answer = account_may_go(call, &error);
        if (answer != CHANGE_DONE)
                return admin_answer(call, answer, &look, error);
        if (!account_empty(call, before, &error))
                return admin_refuse(call, "%s", error->message);
        AccountChange change = {0};
        if (!account_to_forget(call, address, &change.forget, &error))
                return admin_refuse(call, "%s", error->message);
        result = account_changed(call, before, NULL, account_remove_fn, &change);
        if (result == ADMIN_DONE)
                admin_result(call, json_pack("{s:s}", "removed", address));
        return result;
}

/* clang-format off */
#define ACCOUNT_LINES                                                                                                  \
        {                                                                                                              \
                {"address", "account"}, {"messages", "messages", COLUMN_NUMBER}, {"octets", "size", COLUMN_SIZE},      \
                        {"quota", "quota", COLUMN_SIZE}, {"quota_messages", "quota (messages)", COLUMN_NUMBER},        \
                        {"may_send", "may send", COLUMN_YES_NO}, {"has_password", "password", COLUMN_YES_NO},          \
                        {"disabled", "disabled", COLUMN_YES_NO}, {"atrn", "atrn"}, {"template", "template"},           \
                        {"admin", "administers"}, {"admin_rights", "admin rights"}                                     \
        }
/* clang-format on */

const Operation ACCOUNT_ADD = {
        .noun = "account",
        .verb = "add",
        .summary = "make an account",
        .manual = "Makes an account with the mailboxes of its template (template list; without template= the one its "
                  "domain names, else default). The password is one line from standard input; on a terminal it is "
                  "asked for. Without one (standard input empty) mail is kept, but nobody can log in until `account "
                  "password`.",
        .example = "restante account add joe@uk.example.com quota=1000000000 < password",
        .args = {{"ADDRESS", FALSE, FALSE, "LOCAL@DOMAIN; the domain must be local"}},
        .keys = DIRECTORY_ACCOUNT_KEYS,
        .columns = ACCOUNT_LINES,
        .wants_password = TRUE,
        .is_new_password = TRUE,
        .run = account_add,
};

const Operation ACCOUNT_LIST = {
        .noun = "account",
        .verb = "list",
        .summary = "list accounts",
        .manual = "Lists all accounts, or those of one domain, with what they hold.",
        .example = "restante account list uk.example.com",
        .args = {{"DOMAIN", TRUE, FALSE, "only this one"}},
        .columns = {{"address", "account"},
                    {"messages", "messages", COLUMN_NUMBER},
                    {"octets", "size", COLUMN_SIZE},
                    {"quota", "quota", COLUMN_SIZE},
                    {"may_send", "may send", COLUMN_YES_NO},
                    {"has_password", "password", COLUMN_YES_NO},
                    {"disabled", "disabled", COLUMN_YES_NO}},
        .is_list = TRUE,
        .run = account_list,
};

const Operation ACCOUNT_SHOW = {
        .noun = "account",
        .verb = "show",
        .summary = "show an account",
        .manual = "Shows the settings of an account and what it holds.",
        .example = "restante account show joe@uk.example.com",
        .args = {{"ADDRESS", FALSE, FALSE, "the account"}},
        .columns = ACCOUNT_LINES,
        .run = account_show,
};

const Operation ACCOUNT_SET = {
        .noun = "account",
        .verb = "set",
        .summary = "change settings of an account",
        .manual = "Changes the keys that are given and leaves the others.",
        .example = "restante account set joe@uk.example.com may-send=no",
        .args = {{"ADDRESS", FALSE, FALSE, "the account"}},
        .keys = DIRECTORY_ACCOUNT_KEYS,
        .columns = ACCOUNT_LINES,
        .run = account_set,
};

const Operation ACCOUNT_PASSWORD = {
        .noun = "account",
        .verb = "password",
        .summary = "set the password of an account",
        .manual = "The password is one line from standard input; on a terminal it is asked for twice and not shown.",
        .example = "restante account password joe@uk.example.com < password",
        .args = {{"ADDRESS", FALSE, FALSE, "the account"}},
        .wants_password = TRUE,
        .is_new_password = TRUE,
        .run = account_password,
};

const Operation ACCOUNT_REMOVE = {
        .noun = "account",
        .verb = "remove",
        .summary = "remove an account and all its mail",
        .manual = "Removes an account with everything in its mailboxes. The postmaster's can't be removed.",
        .example = "restante account remove joe@uk.example.com",
        .args = {{"ADDRESS", FALSE, FALSE, "the account"}},
        .run = account_remove,
};

/* change_account.c -- making, setting and removing accounts. */
#include "base/text.h"
#include "directory/internal.h"

const KeyManual DIRECTORY_ACCOUNT_KEYS[] = {
        {"quota", "OCTETS", "most octets its mailboxes may hold; 0: no limit; empty (the default): its template's"},
        {"quota-messages", "N",
         "most messages its mailboxes may hold; 0: no limit; empty (the default): its template's"},
        {"may-send", "yes|no", "whether it may send to addresses elsewhere; yes by default"},
        {"atrn", "DOMAIN[,DOMAIN...]", "domains whose held mail it may ask for by ATRN"},
        {"disabled", "yes|no",
         "yes: nobody logs in, and its mail is refused as if the address were unknown; no by default"},
        {"template", "NAME",
         "the template whose mailboxes it is made with and whose quotas it has; its domain's when nothing is said"},
        {"admin", "server|DOMAIN[,DOMAIN...]", "it administers all accounts, or those of these domains; empty: none"},
        {"admin-rights", "read-mail|write-mail[,...]",
         "what it may do as administrator: read-mail opens any mailbox as ~NAME/... and changes nothing in it; "
         "write-mail also marks, adds and deletes messages, and makes, renames and deletes mailboxes; each opening is "
         "logged; empty (the default): nothing"},
        {NULL, NULL, NULL},
};

/* An account with what its row does not hold. */
typedef struct Edit {
        Account account;
        const char *template_name; /* NULL: nothing named */
        const char *scopes[ADMIN_SCOPES_MAX];
        gsize n_scopes;
        guint admin_rights;
        gboolean is_admin_changed;
} Edit;

/* Administrators -------------------------------------------------------------------------------------------------- */

static const struct {
        const char *word;
        AdminRight right;
} ADMIN_RIGHTS[] = {{"read-mail", ADMIN_READ_MAIL}, {"write-mail", ADMIN_WRITE_MAIL}};

const char *
directory_admin_rights_text(Arena *arena, guint rights)
{
        const char *text = "";

        for (gsize i = 0; i < G_N_ELEMENTS(ADMIN_RIGHTS) && text != NULL; i++)
                if (rights & ADMIN_RIGHTS[i].right)
                        text = arena_printf(arena, "%s%s%s", text, *text != '\0' ? "," : "", ADMIN_RIGHTS[i].word);
        return text;
}

static Change
set_admin_rights(Edit *edit, const char *value, GError **error)
{
        g_auto(GStrv) words = g_strsplit(value, ",", 100);

        edit->admin_rights = 0;
        edit->is_admin_changed = TRUE;
        for (gsize i = 0; words[i] != NULL; i++) {
                guint right = 0;

                for (gsize k = 0; k < G_N_ELEMENTS(ADMIN_RIGHTS); k++)
                        if (strcmp(g_strstrip(words[i]), ADMIN_RIGHTS[k].word) == 0)
                                right = ADMIN_RIGHTS[k].right;
                if (right == 0)
                        return directory_refuse(error, CHANGE_INVALID,
                                                "admin-rights=%s: read-mail or write-mail is expected", value);
                edit->admin_rights |= right;
        }
        return CHANGE_DONE;
}

static Change
set_admin(Arena *arena, Edit *edit, const char *value, GError **error)
{
        g_auto(GStrv) parts = g_strsplit(value, ",", ADMIN_SCOPES_MAX + 1);

        edit->n_scopes = 0;
        edit->is_admin_changed = TRUE;
        for (gsize i = 0; parts[i] != NULL; i++) {
                const char *scope = g_strstrip(parts[i]);
                Change answer = CHANGE_DONE;

                if (edit->n_scopes == ADMIN_SCOPES_MAX)
                        return directory_refuse(error, CHANGE_INVALID, "admin: at most %d domains; server means all",
                                                ADMIN_SCOPES_MAX);
                if (strcmp(scope, "server") == 0)
                        scope = "*";
                else
                        answer = directory_read_domain(arena, scope, &scope, error);
                if (answer != CHANGE_DONE)
                        return answer;
                edit->scopes[edit->n_scopes++] = scope;
        }
        return CHANGE_DONE;
}

DB_SQL(ADMIN_CLEAR, "DELETE FROM admin_right WHERE account = ?");
DB_SQL(ADMIN_INSERT, "INSERT INTO admin_right (account, scope, rights) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
DB_SQL(ADMIN_GET, "SELECT scope, rights FROM admin_right WHERE account = ? ORDER BY scope");

static Change
write_admin(DbTxn *txn, const Edit *edit, gint64 account, GError **error)
{
        if (!edit->is_admin_changed)
                return CHANGE_DONE;
        if (edit->n_scopes == 0 && edit->admin_rights != 0)
                return directory_refuse(error, CHANGE_INVALID,
                                        "admin-rights says what it may do, admin=server or admin=DOMAIN to whom");
        if (!db_run(txn, &ADMIN_CLEAR, error, "i", account))
                return CHANGE_FAILED;
        for (gsize i = 0; i < edit->n_scopes; i++)
                if (!db_run(txn, &ADMIN_INSERT, error, "isi", account, edit->scopes[i], (gint64) edit->admin_rights))
                        return CHANGE_FAILED;
        return CHANGE_DONE;
}

static Change
read_admin(Arena *arena, DbTxn *txn, Edit *edit, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ADMIN_GET, error, "i", edit->account.id);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW && edit->n_scopes < ADMIN_SCOPES_MAX) {
                edit->scopes[edit->n_scopes++] = arena_strdup(arena, db_text(rows, 0));
                edit->admin_rights |= (guint) db_int(rows, 1);
        }
        return step != DB_ROW_FAILED ? CHANGE_DONE : CHANGE_FAILED;
}

/* Values ---------------------------------------------------------------------------------------------------------- */

Change
directory_read_quota(const char *key, const char *value, gint64 *ret, GError **error)
{
        guint64 number;

        if (*value == '\0') {
                *ret = QUOTA_OF_TEMPLATE;
                return CHANGE_DONE;
        }
        if (!span_to_number(span_of(value), G_MAXINT64, &number))
                return directory_refuse(error, CHANGE_INVALID, "%s=%s: a number is expected, 0 for no limit", key,
                                        value);
        *ret = (gint64) number;
        return CHANGE_DONE;
}

static Change
set_atrn(Arena *arena, Account *account, const char *value, GError **error)
{
        g_auto(GStrv) parts = g_strsplit(value, ",", 100);
        g_autoptr(GString) list = g_string_new(NULL);

        for (gsize i = 0; parts[i] != NULL; i++) {
                const char *name;
                Change answer = directory_read_domain(arena, g_strstrip(parts[i]), &name, error);

                if (answer != CHANGE_DONE)
                        return answer;
                g_string_append_printf(list, "%s%s", i > 0 ? "," : "", name);
        }
        account->atrn = list->len > 0 ? arena_strdup(arena, list->str) : NULL;
        return CHANGE_DONE;
}

static Change
set_pair(Arena *arena, DbTxn *txn, Edit *edit, const KeyValue *pair, GError **error)
{
        const char *key = pair->key, *value = pair->value != NULL ? pair->value : "";
        Account *account = &edit->account;

        if (strcmp(key, "quota") == 0)
                return directory_read_quota(key, value, &account->own_quota_octets, error);
        if (strcmp(key, "quota-messages") == 0)
                return directory_read_quota(key, value, &account->own_quota_messages, error);
        if (strcmp(key, "may-send") == 0)
                return directory_read_boolean(key, value, &account->may_send, error);
        if (strcmp(key, "disabled") == 0)
                return directory_read_boolean(key, value, &account->is_disabled, error);
        if (strcmp(key, "atrn") == 0)
                return set_atrn(arena, account, value, error);
        if (strcmp(key, "admin") == 0)
                return set_admin(arena, edit, value, error);
        if (strcmp(key, "admin-rights") == 0)
                return set_admin_rights(edit, value, error);
        if (strcmp(key, "template") == 0) {
                edit->template_name = *value != '\0' ? value : NULL;
                return edit->template_name != NULL ? directory_need_template(txn, value, error) : CHANGE_DONE;
        }
        return directory_refuse(
                error, CHANGE_INVALID,
                "an account has no %s; it has quota, quota-messages, may-send, atrn, disabled, template,"
                " admin, admin-rights",
                key);
}

static Change
set_pairs(Arena *arena, DbTxn *txn, Edit *edit, const KeyValue *pairs, gsize n, GError **error)
{
        Change answer = CHANGE_DONE;

        for (gsize i = 0; i < n && answer == CHANGE_DONE; i++)
                answer = set_pair(arena, txn, edit, &pairs[i], error);
        return answer;
}

/* Signs that mean something else at other places: sub-addresses, prefix aliases, old routes, mailbox names. */
static Change
read_address(Arena *arena, const char *text, Address *ret, GError **error)
{
        if (address_parse(arena, span_of(text), TRUE, ret) != ADDRESS_OK || ret->domain.len == 0)
                return directory_refuse(error, CHANGE_INVALID, "'%s' is no address; joe@ex.org would be", text);
        if (ret->domain.data[0] == '[' || text[0] == '"')
                return directory_refuse(error, CHANGE_INVALID,
                                        "%s: an account is named like joe@ex.org, without quotes and brackets", text);
        for (gsize i = 0; i < ret->local.len; i++)
                if (strchr("+*%!/", ret->local.data[i]) != NULL)
                        return directory_refuse(error, CHANGE_INVALID, "%s: the name of an account can't hold %c", text,
                                                ret->local.data[i]);
        return CHANGE_DONE;
}

DB_SQL(LAST_RAISE, "UPDATE account_last SET id = id + 1 WHERE one = 1");
DB_SQL(LAST_GET, "SELECT id FROM account_last WHERE one = 1");

/* An id is given once: sessions and rows of other rooms may outlive the account that had it. */
static Change
take_id(DbTxn *txn, gint64 *ret, GError **error)
{
        if (!db_run(txn, &LAST_RAISE, error, ""))
                return CHANGE_FAILED;
        switch (db_get_int(txn, &LAST_GET, ret, error, "")) {
        case DB_ROW:
                return CHANGE_DONE;
        case DB_ROW_END:
                return fault(error, FAULT_INTERNAL, "the table account_last is empty"), CHANGE_FAILED;
        case DB_ROW_FAILED:
        default:
                return CHANGE_FAILED;
        }
}

DB_SQL(ACCOUNT_INSERT,
       "INSERT INTO account (id, domain, local, local_key, password, may_send, atrn, is_disabled, template, created)"
       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_SQL(ACCOUNT_QUOTA, "UPDATE account SET quota = ? WHERE id = ?");
DB_SQL(ACCOUNT_QUOTA_NONE, "UPDATE account SET quota = NULL WHERE id = ?");
DB_SQL(ACCOUNT_QUOTA_MESSAGES, "UPDATE account SET quota_messages = ? WHERE id = ?");
DB_SQL(ACCOUNT_QUOTA_MESSAGES_NONE, "UPDATE account SET quota_messages = NULL WHERE id = ?");
DB_SQL(TEMPLATE_OF_DOMAIN, "SELECT template FROM domain WHERE name = ?");

static Change
insert(Arena *arena, DbTxn *txn, gint64 id, const char *address, const char *hash, const Edit *edit, GError **error)
{
        const Account *a = &edit->account;
        g_autoptr(GError) fault = NULL;

        if (db_run(txn, &ACCOUNT_INSERT, &fault, "itttsisisi", id, a->address.domain, a->address.local,
                   text_lower(arena, a->address.local), hash, (gint64) a->may_send, a->atrn, (gint64) a->is_disabled,
                   edit->template_name, (gint64) clock_real()))
                return CHANGE_DONE;
        if (db_was_conflict(txn))
                return directory_refuse(error, CHANGE_EXISTS, "the account %s exists already", address);
        g_propagate_error(error, g_steal_pointer(&fault));
        return CHANGE_FAILED;
}

static gboolean
write_quota(DbTxn *txn, gint64 id, gint64 quota, const DbSql *set, const DbSql *clear, GError **error)
{
        return quota == QUOTA_OF_TEMPLATE ? db_run(txn, clear, error, "i", id)
                                          : db_run(txn, set, error, "ii", quota, id);
}

static Change
write_quotas(DbTxn *txn, const Account *a, gint64 id, GError **error)
{
        return write_quota(txn, id, a->own_quota_octets, &ACCOUNT_QUOTA, &ACCOUNT_QUOTA_NONE, error) &&
                               write_quota(txn, id, a->own_quota_messages, &ACCOUNT_QUOTA_MESSAGES,
                                           &ACCOUNT_QUOTA_MESSAGES_NONE, error)
                       ? CHANGE_DONE
                       : CHANGE_FAILED;
}

/* What was not said is said by the domain. */
static Change
find_template(Arena *arena, DbTxn *txn, Edit *edit, GError **error)
{
        if (edit->template_name != NULL)
                return CHANGE_DONE;
        g_autoptr(DbRows) rows = db_query(txn, &TEMPLATE_OF_DOMAIN, error, "t", edit->account.address.domain);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        if (step == DB_ROW)
                edit->template_name = arena_strdup(arena, db_text(rows, 0));
        return step != DB_ROW_FAILED ? CHANGE_DONE : CHANGE_FAILED;
}

Change
directory_account_add(Directory *directory, DbTxn *txn, const char *address, const char *password_hash,
                      const KeyValue *pairs, gsize n, gint64 *ret_id, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Edit edit = {.account = {.may_send = TRUE,
                                 .own_quota_octets = QUOTA_OF_TEMPLATE,
                                 .own_quota_messages = QUOTA_OF_TEMPLATE}};
        Change answer = read_address(arena, address, &edit.account.address, error);
        gint64 id = 0;

        if (answer == CHANGE_DONE)
                answer = directory_need_local(txn, edit.account.address.domain, error);
        if (answer == CHANGE_DONE)
                answer = set_pairs(arena, txn, &edit, pairs, n, error);
        if (answer == CHANGE_DONE)
                answer = find_template(arena, txn, &edit, error);
        if (answer == CHANGE_DONE)
                answer = take_id(txn, &id, error);
        if (answer == CHANGE_DONE)
                answer = insert(arena, txn, id, address, password_hash, &edit, error);
        if (answer == CHANGE_DONE)
                answer = write_quotas(txn, &edit.account, id, error);
        if (answer == CHANGE_DONE)
                answer = write_admin(txn, &edit, id, error);
        if (answer != CHANGE_DONE)
                return answer;
        if (ret_id != NULL)
                *ret_id = id;
        directory_touch(directory, txn);
        return CHANGE_DONE;
}

DB_SQL(ACCOUNT_GET, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE domain = ? AND local_key = ?");

static Change
read_row(Arena *arena, DbTxn *txn, const char *text, Account *ret, GError **error)
{
        Address address;

        if (address_parse(arena, span_of(text), TRUE, &address) != ADDRESS_OK)
                return directory_refuse(error, CHANGE_INVALID, "'%s' is no address; joe@ex.org would be", text);
        g_autoptr(DbRows) rows =
                db_query(txn, &ACCOUNT_GET, error, "tt", address.domain, text_lower(arena, address.local));
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        if (step == DB_ROW_FAILED)
                return CHANGE_FAILED;
        if (step == DB_ROW_END)
                return directory_refuse(error, CHANGE_MISSING, "there is no account %s", text);
        directory_read_account(rows, arena, ret);
        return CHANGE_DONE;
}

/* Is it the one that collects the postmaster's mail (RFC 5321 §4.5.1)? */
static gboolean
is_postmaster(Directory *directory, Arena *arena, const Account *account)
{
        Address postmaster;
        MUTEX_SCOPE(&directory->postmaster_mutex);

        return directory->postmaster != NULL &&
               address_parse(arena, span_of(directory->postmaster), TRUE, &postmaster) == ADDRESS_OK &&
               address_equal(&postmaster, &account->address);
}

DB_SQL(ACCOUNT_UPDATE, "UPDATE account SET may_send = ?, atrn = ?, is_disabled = ?, template = ? WHERE id = ?");

static Change
write_row(DbTxn *txn, const Edit *edit, GError **error)
{
        const Account *a = &edit->account;

        return db_run(txn, &ACCOUNT_UPDATE, error, "isisi", (gint64) a->may_send, a->atrn, (gint64) a->is_disabled,
                      edit->template_name, a->id)
                       ? CHANGE_DONE
                       : CHANGE_FAILED;
}

Change
directory_account_set(Directory *directory, DbTxn *txn, const char *address, const KeyValue *pairs, gsize n,
                      GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Edit edit = {0};
        Change answer = read_row(arena, txn, address, &edit.account, error);

        edit.template_name = edit.account.template_name;
        if (answer == CHANGE_DONE)
                answer = read_admin(arena, txn, &edit, error);
        if (answer == CHANGE_DONE)
                answer = set_pairs(arena, txn, &edit, pairs, n, error);
        if (answer == CHANGE_DONE && edit.account.is_disabled && is_postmaster(directory, arena, &edit.account))
                return directory_refuse(error, CHANGE_IN_USE, "%s collects the postmaster's mail and must take it",
                                        address);
        if (answer == CHANGE_DONE)
                answer = write_row(txn, &edit, error);
        if (answer == CHANGE_DONE)
                answer = write_quotas(txn, &edit.account, edit.account.id, error);
        if (answer == CHANGE_DONE)
                answer = write_admin(txn, &edit, edit.account.id, error);
        if (answer == CHANGE_DONE)
                directory_touch_account(directory, txn, edit.account.id);
        return answer;
}

DB_SQL(ACCOUNT_PASSWORD, "UPDATE account SET password = ?, scram = NULL WHERE id = ?");

Change
directory_account_password(Directory *directory, DbTxn *txn, const char *address, const char *password_hash,
                           gint64 *ret_id, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Account account = {0};
        Change answer = read_row(arena, txn, address, &account, error);

        if (answer != CHANGE_DONE)
                return answer;
        if (!db_run(txn, &ACCOUNT_PASSWORD, error, "si", password_hash, account.id))
                return CHANGE_FAILED;
        if (ret_id != NULL)
                *ret_id = account.id;
        directory_touch_account(directory, txn, account.id);
        return CHANGE_DONE;
}

DB_SQL(ACCOUNT_DELETE, "DELETE FROM account WHERE id = ?");

Change
directory_account_remove(Directory *directory, DbTxn *txn, const char *address, gint64 *ret_id, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Account account = {0};
        Change answer = read_row(arena, txn, address, &account, error);

        if (answer == CHANGE_DONE && is_postmaster(directory, arena, &account))
                return directory_refuse(error, CHANGE_IN_USE,
                                        "%s collects the postmaster's mail; name another account for it first",
                                        address);
        if (answer != CHANGE_DONE)
                return answer;
        if (!db_run(txn, &ADMIN_CLEAR, error, "i", account.id) || !db_run(txn, &ACCOUNT_DELETE, error, "i", account.id))
                return CHANGE_FAILED;
        if (ret_id != NULL)
                *ret_id = account.id;
        directory_touch_account(directory, txn, account.id);
        return CHANGE_DONE;
}

/* change_account.c -- making, setting and removing accounts. */
#include "base/text.h"
#include "directory/internal.h"

const KeyManual DIRECTORY_ACCOUNT_KEYS[] = {
        {"quota", "OCTETS", "most octets its mailboxes may hold; 0 (the default): no limit"},
        {"quota-messages", "N", "most messages its mailboxes may hold; 0 (the default): no limit"},
        {"may-send", "yes|no", "whether it may send to addresses elsewhere; yes by default"},
        {"atrn", "DOMAIN[,DOMAIN...]", "domains whose held mail it may ask for by ATRN"},
        {"disabled", "yes|no",
         "yes: nobody logs in, and its mail is refused as if the address were unknown; no by default"},
        {NULL, NULL, NULL},
};

static Change
set_number(const char *key, const char *value, gint64 *ret, GError **error)
{
        guint64 number;

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
set_pair(Arena *arena, Account *account, const KeyValue *pair, GError **error)
{
        const char *key = pair->key, *value = pair->value != NULL ? pair->value : "";

        if (strcmp(key, "quota") == 0)
                return set_number(key, value, &account->quota_octets, error);
        if (strcmp(key, "quota-messages") == 0)
                return set_number(key, value, &account->quota_messages, error);
        if (strcmp(key, "may-send") == 0)
                return directory_read_boolean(key, value, &account->may_send, error);
        if (strcmp(key, "disabled") == 0)
                return directory_read_boolean(key, value, &account->is_disabled, error);
        if (strcmp(key, "atrn") == 0)
                return set_atrn(arena, account, value, error);
        return directory_refuse(error, CHANGE_INVALID,
                                "an account has no %s; it has quota, quota-messages, may-send, atrn, disabled", key);
}

static Change
set_pairs(Arena *arena, Account *account, const KeyValue *pairs, gsize n, GError **error)
{
        Change answer = CHANGE_DONE;

        for (gsize i = 0; i < n && answer == CHANGE_DONE; i++)
                answer = set_pair(arena, account, &pairs[i], error);
        return answer;
}

/* Signs that mean something else at other places: sub-addresses, prefix aliases, old routes, mailbox names. */
static Change
read_address(Arena *arena, const char *text, Address *ret, GError **error)
{
        if (address_parse(arena, span_of(text), TRUE, ret) != ADDRESS_OK || ret->domain.len == 0)
                return directory_refuse(error, CHANGE_INVALID, "%s is no address; joe@ex.org would be", text);
        if (ret->domain.data[0] == '[' || text[0] == '"')
                return directory_refuse(error, CHANGE_INVALID,
                                        "%s: an account is named like joe@ex.org, without quotes and brackets", text);
        for (gsize i = 0; i < ret->local.len; i++)
                if (strchr("+*%!/", ret->local.data[i]) != NULL)
                        return directory_refuse(error, CHANGE_INVALID, "%s: the name of an account can't hold %c", text,
                                                ret->local.data[i]);
        return CHANGE_DONE;
}

DB_SQL(ACCOUNT_INSERT,
       "INSERT INTO account (domain, local, local_key, password, may_send, quota, quota_messages, atrn, is_disabled,"
       " created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

static Change
insert(Arena *arena, DbTxn *txn, const char *address, const char *hash, const Account *a, GError **error)
{
        g_autoptr(GError) fault = NULL;

        if (db_run(txn, &ACCOUNT_INSERT, &fault, "tttsiiisii", a->address.domain, a->address.local,
                   text_lower(arena, a->address.local), hash, (gint64) a->may_send, a->quota_octets, a->quota_messages,
                   a->atrn, (gint64) a->is_disabled, (gint64) clock_real()))
                return CHANGE_DONE;
        if (db_was_conflict(txn))
                return directory_refuse(error, CHANGE_EXISTS, "the account %s exists already", address);
        g_propagate_error(error, g_steal_pointer(&fault));
        return CHANGE_FAILED;
}

Change
directory_account_add(Directory *directory, DbTxn *txn, const char *address, const char *password_hash,
                      const KeyValue *pairs, gsize n, gint64 *ret_id, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Account account = {.may_send = TRUE};
        Change answer = read_address(arena, address, &account.address, error);

        if (answer == CHANGE_DONE)
                answer = directory_need_local(txn, account.address.domain, error);
        if (answer == CHANGE_DONE)
                answer = set_pairs(arena, &account, pairs, n, error);
        if (answer == CHANGE_DONE)
                answer = insert(arena, txn, address, password_hash, &account, error);
        if (answer != CHANGE_DONE)
                return answer;
        if (ret_id != NULL)
                *ret_id = db_last_id(txn);
        directory_touch(directory, txn);
        return CHANGE_DONE;
}

DB_SQL(ACCOUNT_GET, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE domain = ? AND local_key = ?");

static Change
read_row(Arena *arena, DbTxn *txn, const char *text, Account *ret, GError **error)
{
        Address address;

        if (address_parse(arena, span_of(text), TRUE, &address) != ADDRESS_OK)
                return directory_refuse(error, CHANGE_INVALID, "%s is no address; joe@ex.org would be", text);
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

DB_SQL(ACCOUNT_UPDATE,
       "UPDATE account SET may_send = ?, quota = ?, quota_messages = ?, atrn = ?, is_disabled = ? WHERE id = ?");

Change
directory_account_set(Directory *directory, DbTxn *txn, const char *address, const KeyValue *pairs, gsize n,
                      GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Account a = {0};
        Change answer = read_row(arena, txn, address, &a, error);

        if (answer == CHANGE_DONE)
                answer = set_pairs(arena, &a, pairs, n, error);
        if (answer == CHANGE_DONE && a.is_disabled && is_postmaster(directory, arena, &a))
                return directory_refuse(error, CHANGE_IN_USE, "%s collects the postmaster's mail and must take it",
                                        address);
        if (answer != CHANGE_DONE)
                return answer;
        if (!db_run(txn, &ACCOUNT_UPDATE, error, "iiisii", (gint64) a.may_send, a.quota_octets, a.quota_messages,
                    a.atrn, (gint64) a.is_disabled, a.id))
                return CHANGE_FAILED;
        directory_touch(directory, txn);
        return CHANGE_DONE;
}

DB_SQL(ACCOUNT_PASSWORD, "UPDATE account SET password = ? WHERE id = ?");

Change
directory_account_password(Directory *directory, DbTxn *txn, const char *address, const char *password_hash,
                           GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Account account = {0};
        Change answer = read_row(arena, txn, address, &account, error);

        if (answer != CHANGE_DONE)
                return answer;
        if (!db_run(txn, &ACCOUNT_PASSWORD, error, "si", password_hash, account.id))
                return CHANGE_FAILED;
        directory_touch(directory, txn);
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
        if (!db_run(txn, &ACCOUNT_DELETE, error, "i", account.id))
                return CHANGE_FAILED;
        if (ret_id != NULL)
                *ret_id = account.id;
        directory_touch(directory, txn);
        return CHANGE_DONE;
}

/* template.c -- templates of accounts: what a new one is made with, and quotas of those that have none of their own. */
#include "base/text.h"
#include "directory/internal.h"

#define NAME_MAX_OCTETS 64
#define TEMPLATES_MAX 10000
#define DEFAULT_TEMPLATE "default"

const KeyManual DIRECTORY_TEMPLATE_KEYS[] = {
        {"mailboxes", "NAME[,NAME...]", "mailboxes that a new account is made with, beside INBOX; levels divided by /"},
        {"subscribe", "NAME[,NAME...]", "names that a new account is subscribed to"},
        {"alias", "NAME:TARGET[,NAME:TARGET...]",
         "names in its own tree that stand for other mailboxes, such as Team:~office/Team"},
        {"special-use", "NAME:USE[,NAME:USE...]",
         "what its mailboxes are for: archive, drafts, junk, sent or trash (RFC 6154), such as Sent:sent"},
        {"quota", "OCTETS",
         "most octets of an account that has no quota of its own; 0 or empty (the default): no limit"},
        {"quota-messages", "N",
         "most messages of an account that has no quota-messages of its own; 0 or empty (the default): no limit"},
        {NULL, NULL, NULL},
};

/* The kinds of items, as in the table account_template_item. */
typedef enum ItemKind {
        ITEM_MAILBOX = 0,
        ITEM_SUBSCRIBE,
        ITEM_ALIAS,
        ITEM_SPECIAL_USE,
} ItemKind;
#define ITEM_KINDS 4
static const struct {
        const char *key, *kind;
        gboolean has_value;
} ITEMS[ITEM_KINDS] = {
        {"mailboxes", "mailbox", FALSE},
        {"subscribe", "subscribe", FALSE},
        {"alias", "alias", TRUE},
        {"special-use", "special-use", TRUE},
};

static TemplateList *
list_of(Template *template, ItemKind kind)
{
        TemplateList *const lists[ITEM_KINDS] = {&template->mailboxes, &template->subscribed, &template->aliases,
                                                 &template->special_uses};

        return lists[kind];
}

/* Values ---------------------------------------------------------------------------------------------------------- */

static gboolean
use_is_known(const char *use)
{
        static const char *const USES[] = {"archive", "drafts", "junk", "sent", "trash"};

        for (gsize i = 0; i < G_N_ELEMENTS(USES); i++)
                if (strcmp(use, USES[i]) == 0)
                        return TRUE;
        return FALSE;
}

/* "NAME", or "NAME:VALUE". */
static Change
read_item(Arena *arena, ItemKind kind, const char *text, TemplateItem *ret, GError **error)
{
        const char *colon = ITEMS[kind].has_value ? strchr(text, ':') : NULL;
        Span name = colon != NULL ? span_make(text, (gsize) (colon - text)) : span_of(text);

        if (name.len == 0 || (ITEMS[kind].has_value && (colon == NULL || colon[1] == '\0')))
                return directory_refuse(error, CHANGE_INVALID, "%s=%s: %s is expected", ITEMS[kind].key, text,
                                        DIRECTORY_TEMPLATE_KEYS[kind].form);
        ret->name = arena_strndup(arena, name);
        ret->value = NULL;
        if (colon != NULL)
                ret->value = kind == ITEM_SPECIAL_USE ? arena_strndup(arena, text_lower(arena, span_of(colon + 1)))
                                                      : arena_strdup(arena, colon + 1);
        if (arena_is_over(arena))
                return fault(error, FAULT_FULL, "no room for a template"), CHANGE_FAILED;
        if (kind == ITEM_SPECIAL_USE && !use_is_known(ret->value))
                return directory_refuse(error, CHANGE_INVALID,
                                        "special-use=%s: archive, drafts, junk, sent or trash is expected", text);
        return CHANGE_DONE;
}

static Change
read_list(Arena *arena, ItemKind kind, const char *value, TemplateList *ret, GError **error)
{
        g_auto(GStrv) parts = g_strsplit(value, ",", TEMPLATE_ITEMS_MAX + 1);
        TemplateItem *at = arena_new_array(arena, TemplateItem, TEMPLATE_ITEMS_MAX);
        gsize n = 0;

        if (at == NULL)
                return fault(error, FAULT_FULL, "no room for a template"), CHANGE_FAILED;
        for (; parts[n] != NULL; n++) {
                Change answer = CHANGE_DONE;

                if (n == TEMPLATE_ITEMS_MAX)
                        return directory_refuse(error, CHANGE_INVALID, "%s: at most %d", ITEMS[kind].key,
                                                TEMPLATE_ITEMS_MAX);
                if ((answer = read_item(arena, kind, g_strstrip(parts[n]), &at[n], error)) != CHANGE_DONE)
                        return answer;
        }
        *ret = (TemplateList){at, n};
        return CHANGE_DONE;
}

static Change
read_limit(const char *key, const char *value, gint64 *ret, GError **error)
{
        Change answer = directory_read_quota(key, value, ret, error);

        if (answer == CHANGE_DONE && *ret == QUOTA_OF_TEMPLATE)
                *ret = 0;
        return answer;
}

static Change
set_pair(Arena *arena, Template *template, const KeyValue *pair, GError **error)
{
        const char *value = pair->value != NULL ? pair->value : "";

        if (!text_is_utf8(span_of(value)) || text_has_control(span_of(value)))
                return directory_refuse(error, CHANGE_INVALID, "%s: text without controls is expected", pair->key);
        if (strcmp(pair->key, "quota") == 0)
                return read_limit(pair->key, value, &template->quota_octets, error);
        if (strcmp(pair->key, "quota-messages") == 0)
                return read_limit(pair->key, value, &template->quota_messages, error);
        for (guint kind = 0; kind < ITEM_KINDS; kind++)
                if (strcmp(pair->key, ITEMS[kind].key) == 0)
                        return read_list(arena, kind, value, list_of(template, kind), error);
        return directory_refuse(error, CHANGE_INVALID,
                                "a template has no %s; it has mailboxes, subscribe, alias, special-use, quota,"
                                " quota-messages",
                                pair->key);
}

static gboolean
list_has(const TemplateList *list, const char *name)
{
        for (gsize i = 0; i < list->n; i++)
                if (strcmp(list->at[i].name, name) == 0)
                        return TRUE;
        return FALSE;
}

static Change
set_pairs(Arena *arena, Template *template, const KeyValue *pairs, gsize n, GError **error)
{
        Change answer = CHANGE_DONE;

        for (gsize i = 0; i < n && answer == CHANGE_DONE; i++)
                answer = set_pair(arena, template, &pairs[i], error);
        for (gsize i = 0; i < template->special_uses.n && answer == CHANGE_DONE; i++)
                if (!list_has(&template->mailboxes, template->special_uses.at[i].name))
                        return directory_refuse(error, CHANGE_INVALID, "special-use: %s is not among mailboxes",
                                                template->special_uses.at[i].name);
        for (gsize i = 0; i < template->aliases.n && answer == CHANGE_DONE; i++) {
                const char *name = template->aliases.at[i].name;
                if (g_ascii_strcasecmp(name, "INBOX") == 0 || list_has(&template->mailboxes, name))
                        return directory_refuse(error, CHANGE_INVALID, "alias: %s is a mailbox already", name);
        }
        return answer;
}

/* A word: it is typed as template=NAME. */
static Change
read_name(const char *name, GError **error)
{
        gsize n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

        if (n == 0 || name[n] != '\0' || n > NAME_MAX_OCTETS)
                return directory_refuse(error, CHANGE_INVALID,
                                        "%s: a template is named by at most %d letters, digits, - _ and .", name,
                                        NAME_MAX_OCTETS);
        return CHANGE_DONE;
}

/* Rows ------------------------------------------------------------------------------------------------------------ */

DB_SQL(TEMPLATE_GET, "SELECT name, quota, quota_messages FROM account_template WHERE name = ?");
DB_SQL(TEMPLATE_ITEMS, "SELECT name, value FROM account_template_item WHERE template = ? AND kind = ? ORDER BY position"
                       " LIMIT ?");

static gboolean
load_items(DbTxn *txn, Arena *arena, const char *name, ItemKind kind, TemplateList *ret, GError **error)
{
        TemplateItem *at = arena_new_array(arena, TemplateItem, TEMPLATE_ITEMS_MAX);
        gsize n = 0;
        DbStep step;

        if (at == NULL)
                return fault(error, FAULT_FULL, "no room for a template");
        g_autoptr(DbRows) rows =
                db_query(txn, &TEMPLATE_ITEMS, error, "ssi", name, ITEMS[kind].kind, (gint64) TEMPLATE_ITEMS_MAX);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < TEMPLATE_ITEMS_MAX)
                at[n++] = (TemplateItem){arena_strdup(arena, db_text(rows, 0)), arena_strdup(arena, db_text(rows, 1))};
        *ret = (TemplateList){at, n};
        return step != DB_ROW_FAILED;
}

Found
directory_template(DbTxn *txn, Arena *arena, const char *name, Template *ret, GError **error)
{
        Template template = {0};

        {
                g_autoptr(DbRows) rows = db_query(txn, &TEMPLATE_GET, error, "s", name);
                DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
                if (step != DB_ROW)
                        return step == DB_ROW_END ? FOUND_NOT : FOUND_FAILED;
                template = (Template){arena_strdup(arena, db_text(rows, 0)), db_int(rows, 1), db_int(rows, 2)};
        }
        for (guint kind = 0; kind < ITEM_KINDS; kind++)
                if (!load_items(txn, arena, name, kind, list_of(&template, kind), error))
                        return FOUND_FAILED;
        if (arena_is_over(arena))
                return fault(error, FAULT_FULL, "no room for a template"), FOUND_FAILED;
        *ret = template;
        return FOUND;
}

DB_SQL(TEMPLATE_OF, "SELECT coalesce(template, '" DEFAULT_TEMPLATE "') FROM account WHERE id = ?");

Found
directory_template_of(DbTxn *txn, Arena *arena, gint64 account, Template *ret, GError **error)
{
        const char *name = NULL;

        {
                g_autoptr(DbRows) rows = db_query(txn, &TEMPLATE_OF, error, "i", account);
                DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
                if (step != DB_ROW)
                        return step == DB_ROW_END ? FOUND_NOT : FOUND_FAILED;
                name = arena_strdup(arena, db_text(rows, 0));
        }
        if (name == NULL)
                return fault(error, FAULT_FULL, "no room for a template"), FOUND_FAILED;
        return directory_template(txn, arena, name, ret, error);
}

DB_SQL(TEMPLATE_NAMES, "SELECT name FROM account_template ORDER BY name LIMIT ?");

static gboolean
list_names(DbTxn *txn, Arena *arena, const char **names, gsize *ret_n, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &TEMPLATE_NAMES, error, "i", (gint64) TEMPLATES_MAX);
        DbStep step = DB_ROW_FAILED;

        *ret_n = 0;
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW && *ret_n < TEMPLATES_MAX)
                if ((names[(*ret_n)++] = arena_strdup(arena, db_text(rows, 0))) == NULL)
                        return fault(error, FAULT_FULL, "too many templates for one list");
        return step != DB_ROW_FAILED;
}

gboolean
directory_templates(Directory *directory, Arena *arena, const Template **ret, gsize *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(directory->db, error);
        const char **names = arena_new_array(arena, const char *, TEMPLATES_MAX);
        gsize n = 0;

        if (txn == NULL)
                return FALSE;
        if (names == NULL)
                return fault(error, FAULT_FULL, "too many templates for one list");
        if (!list_names(txn, arena, names, &n, error))
                return FALSE;
        Template *at = arena_new_array(arena, Template, n);
        if (at == NULL)
                return fault(error, FAULT_FULL, "too many templates for one list");
        for (gsize i = 0; i < n; i++)
                if (directory_template(txn, arena, names[i], &at[i], error) != FOUND)
                        return FALSE;
        *ret = at;
        *ret_n = n;
        return TRUE;
}

Change
directory_need_template(DbTxn *txn, const char *name, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &TEMPLATE_GET, error, "s", name);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step == DB_ROW_FAILED)
                return CHANGE_FAILED;
        return step == DB_ROW ? CHANGE_DONE
                              : directory_refuse(error, CHANGE_INVALID,
                                                 "template=%s: there is no template %s; add it first", name, name);
}

/* Changes --------------------------------------------------------------------------------------------------------- */

DB_SQL(TEMPLATE_INSERT, "INSERT INTO account_template (name, quota, quota_messages, created) VALUES (?, ?, ?, ?)");
DB_SQL(TEMPLATE_UPDATE, "UPDATE account_template SET quota = ?, quota_messages = ? WHERE name = ?");
DB_SQL(ITEMS_DELETE, "DELETE FROM account_template_item WHERE template = ?");
DB_SQL(ITEM_INSERT, "INSERT INTO account_template_item (template, kind, position, name, value) VALUES (?, ?, ?, ?, ?)");

static Change
write_items(DbTxn *txn, Template *template, GError **error)
{
        if (!db_run(txn, &ITEMS_DELETE, error, "s", template->name))
                return CHANGE_FAILED;
        for (guint kind = 0; kind < ITEM_KINDS; kind++) {
                const TemplateList *list = list_of(template, kind);

                for (gsize i = 0; i < list->n; i++)
                        if (!db_run(txn, &ITEM_INSERT, error, "ssiss", template->name, ITEMS[kind].kind, (gint64) i,
                                    list->at[i].name, list->at[i].value))
                                return CHANGE_FAILED;
        }
        return CHANGE_DONE;
}

#define TEMPLATE_ARENA_OCTETS ((gsize) 1024 * 1024)

Change
directory_template_add(Directory *directory, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n,
                       GError **error)
{
        g_autoptr(Arena) arena = arena_new(TEMPLATE_ARENA_OCTETS);
        Template template = {.name = name};
        Template other;
        Change answer = read_name(name, error);

        if (answer == CHANGE_DONE)
                answer = set_pairs(arena, &template, pairs, n, error);
        if (answer != CHANGE_DONE)
                return answer;
        switch (directory_template(txn, arena, name, &other, error)) {
        case FOUND_FAILED:
                return CHANGE_FAILED;
        case FOUND:
                return directory_refuse(error, CHANGE_EXISTS, "the template %s exists already", name);
        case FOUND_NOT:
                break;
        }
        if (!db_run(txn, &TEMPLATE_INSERT, error, "siii", name, template.quota_octets, template.quota_messages,
                    (gint64) clock_real()))
                return CHANGE_FAILED;
        return write_items(txn, &template, error);
}

Change
directory_template_set(Directory *directory, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n,
                       GError **error)
{
        g_autoptr(Arena) arena = arena_new(TEMPLATE_ARENA_OCTETS);
        Template template = {0};
        Found found = directory_template(txn, arena, name, &template, error);

        if (found != FOUND)
                return found == FOUND_FAILED ? CHANGE_FAILED
                                             : directory_refuse(error, CHANGE_MISSING, "there is no template %s", name);
        Change answer = set_pairs(arena, &template, pairs, n, error);
        if (answer != CHANGE_DONE)
                return answer;
        if (!db_run(txn, &TEMPLATE_UPDATE, error, "iis", template.quota_octets, template.quota_messages, name))
                return CHANGE_FAILED;
        directory_touch(directory, txn); /* quotas of accounts */
        return write_items(txn, &template, error);
}

DB_SQL(DOMAINS_WITH, "SELECT count(*) FROM domain WHERE template = ?");
DB_SQL(ACCOUNTS_WITH, "SELECT count(*) FROM account WHERE template = ?");
DB_SQL(TEMPLATE_DELETE, "DELETE FROM account_template WHERE name = ?");

static Change
check_unused(DbTxn *txn, const char *name, GError **error)
{
        static const struct {
                const DbSql *count;
                const char *one, *many;
        } USES[] = {{&DOMAINS_WITH, "domain still has", "domains still have"},
                    {&ACCOUNTS_WITH, "account still has", "accounts still have"}};

        if (strcmp(name, DEFAULT_TEMPLATE) == 0)
                return directory_refuse(error, CHANGE_IN_USE, "%s can be changed but not removed", name);
        for (gsize i = 0; i < G_N_ELEMENTS(USES); i++) {
                gint64 count = 0;

                if (db_get_int(txn, USES[i].count, &count, error, "s", name) != DB_ROW)
                        return CHANGE_FAILED;
                if (count > 0)
                        return directory_refuse(error, CHANGE_IN_USE, "%" G_GINT64_FORMAT " %s the template %s", count,
                                                count == 1 ? USES[i].one : USES[i].many, name);
        }
        return CHANGE_DONE;
}

Change
directory_template_remove(Directory *directory, DbTxn *txn, const char *name, GError **error)
{
        Change answer = check_unused(txn, name, error);

        if (answer != CHANGE_DONE)
                return answer;
        if (!db_run(txn, &ITEMS_DELETE, error, "s", name) || !db_run(txn, &TEMPLATE_DELETE, error, "s", name))
                return CHANGE_FAILED;
        if (db_changes(txn) == 0)
                return directory_refuse(error, CHANGE_MISSING, "there is no template %s", name);
        return CHANGE_DONE;
}

/* operations_template.c -- template add|list|show|set|remove. */
#include "admin/operations.h"
#include "store/mailbox.h"

static json_t *
items_json(Arena *arena, const TemplateList *list)
{
        json_t *array = json_array();

        for (gsize i = 0; i < list->n; i++)
                json_array_append_new(
                        array, json_text(list->at[i].value != NULL
                                                 ? arena_printf(arena, "%s:%s", list->at[i].name, list->at[i].value)
                                                 : list->at[i].name));
        return array;
}

static json_t *
template_json(Arena *arena, const Template *t)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", json_text(t->name), "mailboxes",
                         items_json(arena, &t->mailboxes), "subscribe", items_json(arena, &t->subscribed), "alias",
                         items_json(arena, &t->aliases), "special_use", items_json(arena, &t->special_uses), "quota",
                         t->quota_octets > 0 ? json_integer(t->quota_octets) : json_null(), "quota_messages",
                         t->quota_messages > 0 ? json_integer(t->quota_messages) : json_null());
}

static gboolean
template_find(AdminCall *call, Template *ret, Found *ret_found, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(admin_rooms(call)->db, &error);

        *ret_found = txn != NULL ? directory_template(txn, admin_arena(call), admin_arg(call, "NAME", 0), ret, &error)
                                 : FOUND_FAILED;
        if (*ret_found == FOUND_FAILED)
                *ret_result = admin_refuse(call, "%s", error->message);
        return *ret_found != FOUND_FAILED;
}

static AdminResult
template_show(AdminCall *call)
{
        AdminResult result = ADMIN_DONE;
        Template template;
        Found found;

        if (!template_find(call, &template, &found, &result))
                return result;
        if (found == FOUND_NOT)
                return admin_refuse(call, "there is no template %s", admin_arg(call, "NAME", 0));
        admin_result(call, template_json(admin_arena(call), &template));
        return ADMIN_DONE;
}

static AdminResult
template_list(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const Template *all;
        gsize n;

        if (!directory_templates(admin_rooms(call)->directory, admin_arena(call), &all, &n, &error))
                return admin_refuse(call, "%s", error->message);
        for (gsize i = 0; i < n; i++)
                admin_row(call, template_json(admin_arena(call), &all[i]));
        return ADMIN_DONE;
}

/* Names of mailboxes are the store's affair. Of NAME:VALUE an alias has two, a special use one. */
static gboolean
template_value_is_right(const char *key, const char *value)
{
        g_auto(GStrv) parts = g_strsplit(value, ",", -1);
        gboolean is_alias = strcmp(key, "alias") == 0, is_right = TRUE;

        for (gsize i = 0; parts[i] != NULL && is_right; i++) {
                char *name = g_strstrip(parts[i]);
                char *colon = is_alias || strcmp(key, "special-use") == 0 ? strchr(name, ':') : NULL;

                if (colon != NULL)
                        *colon = '\0';
                is_right = store_name_is_right(span_of(name)) && (name[0] != '~' || strcmp(key, "subscribe") == 0);
                if (is_right && is_alias && colon != NULL)
                        is_right = store_name_is_right(span_of(colon + 1));
        }
        return is_right;
}

static gboolean
template_pairs_are_right(AdminCall *call, AdminResult *ret_result)
{
        static const char *const NAMES[] = {"mailboxes", "subscribe", "alias", "special-use"};

        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
                const char *value = admin_pair(call, NAMES[i]);

                if (value == NULL || *value == '\0' || template_value_is_right(NAMES[i], value))
                        continue;
                *ret_result = admin_refuse(call, "%s=%s: no mailbox can be called so", NAMES[i], value);
                return FALSE;
        }
        return TRUE;
}

static AdminResult
template_changed(AdminCall *call, const Template *before, ChangeFn fn)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);
        json_t *was = before != NULL ? template_json(admin_arena(call), before) : NULL;
        json_t *is = json_pairs(pairs, n);
        AdminChange change = {.object = admin_arg(call, "NAME", 0), .before = was, .after = is, .fn = fn};
        AdminResult result = admin_change(call, &change);

        json_decref(was);
        json_decref(is);
        return result;
}

static Change
template_add_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        return directory_template_add(admin_rooms(call)->directory, txn, admin_arg(call, "NAME", 0), pairs, n, error);
}

static AdminResult
template_add(AdminCall *call)
{
        AdminResult result = ADMIN_DONE;

        if (!template_pairs_are_right(call, &result))
                return result;
        result = template_changed(call, NULL, template_add_fn);
        return result == ADMIN_DONE ? template_show(call) : result;
}

static Change
template_set_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        return directory_template_set(admin_rooms(call)->directory, txn, admin_arg(call, "NAME", 0), pairs, n, error);
}

static AdminResult
template_set(AdminCall *call)
{
        AdminResult result = ADMIN_DONE;
        const KeyValue *pairs;
        Template before;
        Found found;

        if (admin_pairs(call, &pairs) == 0)
                return admin_usage(call, "nothing to set: give at least one KEY=VALUE");
        if (!template_pairs_are_right(call, &result) || !template_find(call, &before, &found, &result))
                return result;
        result = template_changed(call, found == FOUND ? &before : NULL, template_set_fn);
        return result == ADMIN_DONE ? template_show(call) : result;
}

static Change
template_remove_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        return directory_template_remove(admin_rooms(call)->directory, txn, admin_arg(call, "NAME", 0), error);
}

static AdminResult
template_remove(AdminCall *call)
{
        AdminResult result = ADMIN_DONE;
        Template before;
        Found found;

        if (!template_find(call, &before, &found, &result))
                return result;
        result = template_changed(call, found == FOUND ? &before : NULL, template_remove_fn);
        if (result == ADMIN_DONE)
                admin_result(call, json_pack("{s:s}", "removed", admin_arg(call, "NAME", 0)));
        return result;
}

/* clang-format off */
#define TEMPLATE_LINES                                                                                                 \
        {                                                                                                              \
                {"name", "template"}, {"mailboxes", "mailboxes"}, {"subscribe", "subscribed"}, {"alias", "aliases"},   \
                        {"special_use", "special use"}, {"quota", "quota", COLUMN_SIZE},                               \
                        {"quota_messages", "quota (messages)", COLUMN_NUMBER}                                          \
        }
/* clang-format on */

const Operation TEMPLATE_ADD = {
        .noun = "template",
        .verb = "add",
        .summary = "make a template for new accounts",
        .manual =
                "A template says which mailboxes a new account is made with, what they are for, what it is subscribed "
                "to, and how much an account may hold that has no quota of its own. `domain set NAME template=` names "
                "the one for the accounts of a domain, `account add ADDRESS template=` that of one account.",
        .example =
                "restante template add office mailboxes=Sent,Trash special-use=Sent:sent,Trash:trash quota=2000000000",
        .args = {{"NAME", FALSE, FALSE, "letters, digits, - _ and ."}},
        .keys = DIRECTORY_TEMPLATE_KEYS,
        .columns = TEMPLATE_LINES,
        .run = template_add,
};

const Operation TEMPLATE_LIST = {
        .noun = "template",
        .verb = "list",
        .summary = "list templates",
        .manual =
                "Lists all templates. The one called default is always there; it gives Drafts, Sent, Archive, Junk and "
                "Trash until it is changed.",
        .example = "restante template list",
        .columns = {{"name", "template"},
                    {"mailboxes", "mailboxes"},
                    {"quota", "quota", COLUMN_SIZE},
                    {"quota_messages", "quota (messages)", COLUMN_NUMBER}},
        .is_list = TRUE,
        .run = template_list,
};

const Operation TEMPLATE_SHOW = {
        .noun = "template",
        .verb = "show",
        .summary = "show a template",
        .manual = "Shows everything a template says.",
        .example = "restante template show default",
        .args = {{"NAME", FALSE, FALSE, "the template"}},
        .columns = TEMPLATE_LINES,
        .run = template_show,
};

const Operation TEMPLATE_SET = {
        .noun = "template",
        .verb = "set",
        .summary = "change a template",
        .manual =
                "Changes the keys that are given and leaves the others. Quotas hold at once for the accounts that have "
                "the template; mailboxes are made for new accounts only.",
        .example = "restante template set default mailboxes=Sent,Trash special-use=Sent:sent,Trash:trash",
        .args = {{"NAME", FALSE, FALSE, "the template"}},
        .keys = DIRECTORY_TEMPLATE_KEYS,
        .columns = TEMPLATE_LINES,
        .run = template_set,
};

const Operation TEMPLATE_REMOVE = {
        .noun = "template",
        .verb = "remove",
        .summary = "remove a template",
        .manual = "Removes a template that no domain and no account has any more. The one called default stays.",
        .example = "restante template remove office",
        .args = {{"NAME", FALSE, FALSE, "the template"}},
        .run = template_remove,
};

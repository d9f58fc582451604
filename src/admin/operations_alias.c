/* operations_alias.c -- alias add, add group, add bouncer, list, remove. */
#include "admin/operations.h"
#include "store/mailbox.h"

#define LIST_PAGE 500

static const char *
post_name(GroupPost post)
{
        static const char *const WORDS[] = {"anyone", "members", "authenticated"};

        return WORDS[post];
}

static json_t *
alias_json(Arena *arena, const AliasRow *a)
{
        gboolean is_bouncer = strcmp(a->kind, "bouncer") == 0;
        gboolean is_group = strcmp(a->kind, "group") == 0;

        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address", json_text(a->address), "kind",
                         json_text(a->kind), "targets", json_addresses(arena, a->targets, a->n_targets), "post",
                         is_group ? json_string(post_name(a->post)) : json_null(), "code",
                         is_bouncer ? json_integer(a->bouncer.code) : json_null(), "text",
                         is_bouncer ? json_text(a->bouncer.text) : json_null(), "until",
                         is_bouncer ? json_time(a->bouncer.until) : json_null(), "after",
                         is_bouncer && a->bouncer.after > 0 ? json_integer(a->bouncer.after) : json_null(), "seen",
                         is_bouncer && a->bouncer.after > 0 ? json_integer(a->bouncer.seen) : json_null());
}

static const char **
alias_words(AdminCall *call, const char *name, gsize *ret_n)
{
        gsize n = admin_n_args(call, name);
        const char **words = arena_new_array(admin_arena(call), const char *, n + 1);

        for (gsize i = 0; i < n; i++)
                words[i] = admin_arg(call, name, i);
        *ret_n = n;
        return words;
}

static Change
alias_add_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        gsize n;
        const char **targets = alias_words(call, "TARGET", &n);

        return directory_alias_add(admin_rooms(call)->directory, txn, admin_arg(call, "ADDRESS", 0), targets, n, error);
}

/* What is granted to a group goes with it and is not there when it comes, unless it is an account's too. */
static gboolean
alias_to_forget(AdminCall *call, const char **ret, GError **error)
{
        Arena *arena = admin_arena(call);
        Address address;
        Entry entry = {0};

        *ret = NULL;
        if (address_parse(arena, span_of(admin_arg(call, "ADDRESS", 0)), TRUE, &address) != ADDRESS_OK)
                return TRUE; /* of another form, then: no group */
        if (directory_entry(admin_rooms(call)->directory, arena, &address, &entry, error) == FOUND_FAILED)
                return FALSE;
        if (entry.account == NULL)
                *ret = arena_printf(arena, "%.*s@%.*s", (int) address.local.len, (const char *) address.local.data,
                                    (int) address.domain.len, (const char *) address.domain.data);
        return TRUE;
}

/* data: address to which nothing is granted any more, or NULL. */
static Change
group_add_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n, n_pairs = admin_pairs(call, &pairs);
        const char **members = alias_words(call, "MEMBER", &n);

        Change answer = directory_group_add(admin_rooms(call)->directory, txn, admin_arg(call, "ADDRESS", 0), members,
                                            n, pairs, n_pairs, error);

        if (answer == CHANGE_DONE && data != NULL && !store_forget_address(admin_rooms(call)->store, txn, data, error))
                answer = CHANGE_FAILED;
        return answer;
}

static Change
bouncer_add_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        return directory_bouncer_add(admin_rooms(call)->directory, txn, admin_arg(call, "ADDRESS", 0), pairs, n, error);
}

/* What was made, for the history and for the person. */
static AdminResult
alias_added(AdminCall *call, json_t *take_after, ChangeFn fn, gpointer data)
{
        AdminChange change = {.object = admin_arg(call, "ADDRESS", 0), .after = take_after, .fn = fn, .data = data};
        AdminResult result = admin_change(call, &change);

        if (result == ADMIN_DONE)
                admin_result(call, json_incref(take_after));
        json_decref(take_after);
        return result;
}

/* Must all mail for it go in a circle? Then it is refused, as far as that can be told before it is there. */
static gboolean
alias_is_right(AdminCall *call, const char *const *targets, gsize n, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        Address *members = arena_new_array(arena, Address, n), at;
        gboolean leads_back = FALSE;

        if (address_parse(arena, span_of(admin_arg(call, "ADDRESS", 0)), TRUE, &at) != ADDRESS_OK || members == NULL)
                return TRUE; /* a pattern, or wrong: the directory says so */
        for (gsize i = 0; i < n; i++)
                if (address_parse(arena, span_of(targets[i]), TRUE, &members[i]) != ADDRESS_OK)
                        return TRUE;
        if (!router_would_lead_back(admin_rooms(call)->router, arena, &at, members, n, &leads_back, &error)) {
                admin_warn(call, "whether it leads back to itself is not known: %s", error->message);
                return TRUE;
        }
        if (leads_back)
                *ret_result = admin_refuse(call, "%s would lead to itself and nowhere else; give another target",
                                           admin_arg(call, "ADDRESS", 0));
        return !leads_back;
}

/* A target in a local domain that nobody has, or that leads back here: mail to it would be refused. Said at once. */
static void
alias_warn_target(AdminCall *call, const char *text)
{
        static const Standing GENERATED = {.origin = ORIGIN_GENERATED};
        Router *router = admin_rooms(call)->router;
        Arena *arena = admin_arena(call);
        gboolean leads_back;
        Address address;
        Route route;

        if (address_parse(arena, span_of(text), TRUE, &address) != ADDRESS_OK)
                return;
        switch (router_decide(router, arena, &address, &GENERATED, &route, NULL)) {
        case ROUTE_REJECT:
                if (route.is_unknown)
                        admin_warn(call, "%s does not exist yet: mail to it is refused until it does", text);
                break;
        case ROUTE_EXPAND:
                if (router_leads_back(router, arena, &address, &leads_back, NULL) && leads_back)
                        admin_warn(call, "%s leads back to itself: mail to it is refused with 5.4.6", text);
                break;
        default:
                break;
        }
}

static void
alias_warn(AdminCall *call, const char *name)
{
        const char *address = admin_arg(call, "ADDRESS", 0);

        if (g_str_has_prefix(address, "*@"))
                admin_warn(call, "%s",
                           router_catch_all_warning(admin_arena(call), address + strlen("*@"),
                                                    arena_printf(admin_arena(call), "alias %s", address)));
        for (gsize i = 0; i < MIN(admin_n_args(call, name), 100); i++)
                alias_warn_target(call, admin_arg(call, name, i));
}

static AdminResult
alias_add(AdminCall *call)
{
        gsize n;
        const char **targets = alias_words(call, "TARGET", &n);
        AdminResult result = ADMIN_DONE;

        if (!alias_is_right(call, targets, n, &result))
                return result;
        result = alias_added(call,
                             json_pack("{s:o, s:s, s:o}", "address", json_text(admin_arg(call, "ADDRESS", 0)), "kind",
                                       "alias", "targets", json_strings(targets, n)),
                             alias_add_fn, NULL);
        if (result == ADMIN_DONE)
                alias_warn(call, "TARGET");
        return result;
}

static AdminResult
group_add(AdminCall *call)
{
        gsize n;
        const char **members = alias_words(call, "MEMBER", &n);
        const char *post = admin_pair(call, "post"), *forget;
        g_autoptr(GError) error = NULL;
        AdminResult result = ADMIN_DONE;

        if (!alias_is_right(call, members, n, &result))
                return result;
        if (!alias_to_forget(call, &forget, &error))
                return admin_refuse(call, "%s", error->message);
        result = alias_added(call,
                             json_pack("{s:o, s:s, s:o, s:s}", "address", json_text(admin_arg(call, "ADDRESS", 0)),
                                       "kind", "group", "targets", json_strings(members, n), "post",
                                       post != NULL ? post : "anyone"),
                             group_add_fn, (gpointer) forget);
        if (result == ADMIN_DONE)
                alias_warn(call, "MEMBER");
        return result;
}

static AdminResult
bouncer_add(AdminCall *call)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);
        json_t *after = json_pairs(pairs, n);

        json_put(after, "address", json_text(admin_arg(call, "ADDRESS", 0)));
        json_put(after, "kind", json_string("bouncer"));
        return alias_added(call, after, bouncer_add_fn, NULL);
}

/* Pages of aliases; each(row, data) says whether to go on. */
static gboolean
alias_each(AdminCall *call, const char *domain, gboolean (*each)(AdminCall *call, const AliasRow *row, gpointer data),
           gpointer data, GError **error)
{
        const char *after = NULL;
        gsize n;

        do {
                const AliasRow *page;

                if (!directory_list_aliases(admin_rooms(call)->directory, admin_arena(call), domain, after, LIST_PAGE,
                                            &page, &n, error))
                        return FALSE;
                for (gsize i = 0; i < n; i++)
                        if (!each(call, &page[i], data))
                                return TRUE;
                if (n > 0) {
                        g_autofree char *last = g_strdup(page[n - 1].address);
                        arena_reset(admin_arena(call));
                        after = arena_strdup(admin_arena(call), last);
                }
        } while (n == LIST_PAGE);
        return TRUE;
}

static gboolean
alias_list_row(AdminCall *call, const AliasRow *row, gpointer data)
{
        admin_row(call, alias_json(admin_arena(call), row));
        return TRUE;
}

static AdminResult
alias_list(AdminCall *call)
{
        g_autoptr(GError) error = NULL;

        if (!alias_each(call, admin_arg(call, "DOMAIN", 0), alias_list_row, NULL, &error))
                return admin_refuse(call, "%s", error->message);
        return ADMIN_DONE;
}

static gboolean
alias_keep_same(AdminCall *call, const AliasRow *row, gpointer data)
{
        json_t *found = data;

        if (span_is(span_of(row->address), admin_arg(call, "ADDRESS", 0)))
                json_array_append_new(found, alias_json(admin_arena(call), row));
        return TRUE;
}

/* data: as for group_add_fn(). */
static Change
alias_remove_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const AdminRooms *rooms = admin_rooms(call);
        Change answer = directory_alias_remove(rooms->directory, txn, admin_arg(call, "ADDRESS", 0), error);

        if (answer == CHANGE_DONE && data != NULL && !store_forget_address(rooms->store, txn, data, error))
                answer = CHANGE_FAILED;
        return answer;
}

static AdminResult
alias_remove(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *address = admin_arg(call, "ADDRESS", 0);
        const char *at = strrchr(address, '@'), *forget = NULL;
        json_t *before = json_array();
        AdminChange change = {.object = address, .before = before, .fn = alias_remove_fn};
        gboolean is_known = alias_each(call, at != NULL ? at + 1 : NULL, alias_keep_same, before, &error) &&
                            alias_to_forget(call, &forget, &error);

        change.data = (gpointer) forget;
        AdminResult result = is_known ? admin_change(call, &change) : admin_refuse(call, "%s", error->message);
        if (result == ADMIN_DONE)
                admin_result(call, json_pack("{s:s}", "removed", address));
        json_decref(before);
        return result;
}

/* clang-format off */
#define ALIAS_COLUMNS                                                                                                  \
        {                                                                                                              \
                {"address", "address"}, {"kind", "kind"}, {"targets", "goes to"}, {"post", "may post"},                \
                        {"code", "code", COLUMN_NUMBER}, {"text", "text"}, {"until", "refuses from", COLUMN_TIME},             \
                        {"after", "after", COLUMN_NUMBER}, {"seen", "seen", COLUMN_NUMBER}                             \
        }
/* clang-format on */

const Operation ALIAS_ADD = {
        .noun = "alias",
        .verb = "add",
        .summary = "send an address on to others",
        .manual = "LOCAL@DOMAIN is an alias of one address. PREFIX*@DOMAIN stands for all names that begin so, "
                  "*@DOMAIN for every name of the domain that is not defined (a catch-all), LOCAL@* for that name in "
                  "every local domain. An alias may stand beside an account and name it among its targets. Who is the "
                  "only target of an exact alias may log in by it.",
        .example = "restante alias add sales@uk.example.com joe@uk.example.com ann@uk.example.com",
        .args = {{"ADDRESS", FALSE, FALSE, "LOCAL@DOMAIN, PREFIX*@DOMAIN, *@DOMAIN or LOCAL@*"},
                 {"TARGET", FALSE, TRUE, "one or many addresses, here or elsewhere"}},
        .columns = ALIAS_COLUMNS,
        .run = alias_add,
};

const Operation ALIAS_ADD_GROUP = {
        .noun = "alias",
        .verb = "add group",
        .summary = "make a group of members",
        .manual = "A group is an address with members. post= says who may write to it.",
        .example = "restante alias add group team@uk.example.com joe@uk.example.com ann@uk.example.com post=members",
        .args = {{"ADDRESS", FALSE, FALSE, "LOCAL@DOMAIN"}, {"MEMBER", FALSE, TRUE, "addresses, here or elsewhere"}},
        .keys = DIRECTORY_GROUP_KEYS,
        .columns = ALIAS_COLUMNS,
        .run = group_add,
};

const Operation ALIAS_ADD_BOUNCER = {
        .noun = "alias",
        .verb = "add bouncer",
        .summary = "refuse an address, in spite of a catch-all",
        .manual = "A bouncer is refused with a code and text of its own. With until= it begins on a date, with after= "
                  "after a number of messages (a burnt address). Over an account it stops reception; the account's "
                  "mail stays readable.",
        .example = "restante alias add bouncer john@uk.example.com text='John has left'",
        .args = {{"ADDRESS", FALSE, FALSE, "LOCAL@DOMAIN"}},
        .keys = DIRECTORY_BOUNCER_KEYS,
        .columns = ALIAS_COLUMNS,
        .run = bouncer_add,
};

const Operation ALIAS_LIST = {
        .noun = "alias",
        .verb = "list",
        .summary = "list aliases, groups and bouncers",
        .manual = "Lists whatever stands at addresses beside accounts.",
        .example = "restante alias list uk.example.com",
        .args = {{"DOMAIN", TRUE, FALSE, "only this one"}},
        .columns = ALIAS_COLUMNS,
        .is_list = TRUE,
        .run = alias_list,
};

const Operation ALIAS_REMOVE = {
        .noun = "alias",
        .verb = "remove",
        .summary = "remove whatever alias, group or bouncer stands at an address",
        .manual = "An account at the same address stays.",
        .example = "restante alias remove john@uk.example.com",
        .args = {{"ADDRESS", FALSE, FALSE, "as it was added"}},
        .run = alias_remove,
};

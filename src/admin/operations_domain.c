/* operations_domain.c -- domain add|list|show|set|remove. */
#include "admin/operations.h"
#include "net/resolver.h"

#define MX_PATIENCE (5 * USEC_PER_SEC)

static const char *
domain_kind_text(Arena *arena, const Domain *d)
{
        static const char *const WORDS[] = {"local", "alias", "relay", "hold"};

        return d->target != NULL ? arena_printf(arena, "%s:%s", WORDS[d->kind], d->target) : WORDS[d->kind];
}

static json_t *
domain_json(Arena *arena, const Domain *d)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "name", json_text(d->name), "kind",
                         json_text(domain_kind_text(arena, d)), "unknown", json_text(d->unknown), "envelope_header",
                         json_text(d->envelope_header), "next_hop", json_text(d->next_hop), "etrn", d->etrn,
                         "scram", d->scram, "source_address", json_text(d->source_address), "helo_name", json_text(d->helo_name),
                         "template", json_text(d->template_name));
}

/* The one of exactly this name (a look-up would also find a *. that covers it). */
static gboolean
domain_find(AdminCall *call, const char *name, const Domain **ret, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        gboolean is_wild = g_str_has_prefix(name, "*.");
        const Domain *all;
        gsize n;
        Span label;

        *ret = NULL;
        if (address_parse_domain(admin_arena(call), span_of(is_wild ? name + 2 : name), &label) != ADDRESS_OK) {
                *ret_result = admin_refuse(call, "%s is no domain name", name);
                return FALSE;
        }
        if (!directory_domains(admin_rooms(call)->directory, admin_arena(call), &all, &n, &error)) {
                *ret_result = admin_refuse(call, "%s", error->message);
                return FALSE;
        }
        for (gsize i = 0; i < n; i++) {
                gboolean has_star = g_str_has_prefix(all[i].name, "*.");
                if (has_star == is_wild && span_equal_nocase(span_of(all[i].name + (has_star ? 2 : 0)), label))
                        *ret = &all[i];
        }
        return TRUE;
}

/* What the router must understand is checked before it is saved; the directory checks the rest. */
static gboolean
domain_pairs_are_right(AdminCall *call, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        if (router_domain_check(admin_rooms(call)->router, pairs, n, &error) == CHANGE_DONE)
                return TRUE;
        *ret_result = admin_refuse(call, "%s", error->message);
        return FALSE;
}

static void
domain_warn_policy(AdminCall *call, const char *name)
{
        const char *unknown = admin_pair(call, "unknown");

        if (unknown == NULL)
                return;
        const char *const *warnings =
                router_policy_warnings(admin_rooms(call)->router, admin_arena(call), name, unknown);
        for (gsize i = 0; warnings != NULL && warnings[i] != NULL; i++)
                admin_warn(call, "%s", warnings[i]);
}

static Change
domain_add_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        return directory_domain_add(admin_rooms(call)->directory, txn, admin_arg(call, "NAME", 0), pairs, n, error);
}

static AdminResult
domain_changed(AdminCall *call, const Domain *before, ChangeFn fn)
{
        const char *name = admin_arg(call, "NAME", 0);
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);
        json_t *was = before != NULL ? domain_json(admin_arena(call), before) : NULL;
        json_t *is = json_pairs(pairs, n);
        AdminChange change = {.object = name, .before = was, .after = is, .fn = fn};
        AdminResult result = admin_change(call, &change);

        json_decref(was);
        json_decref(is);
        return result;
}

static AdminResult
domain_show_result(AdminCall *call, const char *name)
{
        AdminResult result = ADMIN_DONE;
        const Domain *d;

        if (!domain_find(call, name, &d, &result))
                return result;
        if (d == NULL)
                return admin_refuse(call, "there is no domain %s", name);
        admin_result(call, domain_json(admin_arena(call), d));
        return ADMIN_DONE;
}

static AdminResult
domain_add(AdminCall *call)
{
        const char *name = admin_arg(call, "NAME", 0);
        AdminResult result = ADMIN_DONE;

        if (!domain_pairs_are_right(call, &result))
                return result;
        if ((result = domain_changed(call, NULL, domain_add_fn)) != ADMIN_DONE)
                return result;
        domain_warn_policy(call, name);

        const char *kind = admin_pair(call, "kind");
        const char *warning =
                kind == NULL || strcmp(kind, "local") == 0
                        ? check_domain_mx(admin_rooms(call), admin_arena(call), name, clock_in(MX_PATIENCE))
                        : NULL;
        if (warning != NULL)
                admin_warn(call, "%s", warning);
        return domain_show_result(call, name);
}

static AdminResult
domain_list(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const Domain *all;
        gsize n;

        if (!directory_domains(admin_rooms(call)->directory, admin_arena(call), &all, &n, &error))
                return admin_refuse(call, "%s", error->message);
        for (gsize i = 0; i < n; i++)
                admin_row(call, domain_json(admin_arena(call), &all[i]));
        return ADMIN_DONE;
}

static AdminResult
domain_show(AdminCall *call)
{
        return domain_show_result(call, admin_arg(call, "NAME", 0));
}

static Change
domain_set_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        return directory_domain_set(admin_rooms(call)->directory, txn, admin_arg(call, "NAME", 0), pairs, n, error);
}

static AdminResult
domain_set(AdminCall *call)
{
        const char *name = admin_arg(call, "NAME", 0);
        AdminResult result = ADMIN_DONE;
        const KeyValue *pairs;
        const Domain *before;

        if (admin_pairs(call, &pairs) == 0)
                return admin_usage(call, "nothing to set: give at least one KEY=VALUE");
        if (!domain_find(call, name, &before, &result) || !domain_pairs_are_right(call, &result))
                return result;
        if ((result = domain_changed(call, before, domain_set_fn)) != ADMIN_DONE)
                return result;
        domain_warn_policy(call, name);
        return domain_show_result(call, name);
}

static Change
domain_remove_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        return directory_domain_remove(admin_rooms(call)->directory, txn, admin_arg(call, "NAME", 0), error);
}

static AdminResult
domain_remove(AdminCall *call)
{
        const char *name = admin_arg(call, "NAME", 0);
        AdminResult result = ADMIN_DONE;
        const Domain *before;

        if (!domain_find(call, name, &before, &result))
                return result;
        if ((result = domain_changed(call, before, domain_remove_fn)) == ADMIN_DONE)
                admin_result(call, json_pack("{s:s}", "removed", name));
        return result;
}

/* clang-format off */
#define DOMAIN_COLUMNS                                                                                                 \
        {                                                                                                              \
                {"name", "domain"}, {"kind", "kind"}, {"unknown", "unknown"}, {"envelope_header", "envelope header"},  \
                {"next_hop", "next hop"}                                                                               \
        }
#define DOMAIN_LINES                                                                                                   \
        {                                                                                                              \
                {"name", "domain"}, {"kind", "kind"}, {"unknown", "unknown recipients"},                               \
                {"envelope_header", "envelope header"}, {"next_hop", "next hop"}, {"etrn", "etrn", COLUMN_YES_NO},     \
                {"scram", "scram", COLUMN_YES_NO},                                                                     \
                {"source_address", "source address"}, {"helo_name", "helo name"}, {"template", "template"}             \
        }
/* clang-format on */

const Operation DOMAIN_ADD = {
        .noun = "domain",
        .verb = "add",
        .summary = "take mail for a domain",
        .manual = "Makes a domain known to this server. From the next message on its addresses are looked up here, and "
                  "what happens to a name nobody defined is decided by unknown=. A name that begins with *. stands for "
                  "all subdomains.\n\nWhen the domain's MX records point to another server, that is said at once: mail "
                  "that users of this server write to the domain would then stay here. A policy whose target does not "
                  "exist yet is saved with a warning; until it exists such mail is deferred with 451.",
        .example =
                "restante domain add uk.example.com unknown=deliver:default@uk.example.com envelope-header=X-Rcpt-To",
        .args = {{"NAME", FALSE, FALSE, "the domain, as people write it; stored in its A-label form"}},
        .keys = DIRECTORY_DOMAIN_KEYS,
        .columns = DOMAIN_LINES,
        .run = domain_add,
};

const Operation DOMAIN_LIST = {
        .noun = "domain",
        .verb = "list",
        .summary = "list all domains",
        .manual = "Lists every domain with what happens to unknown recipients.",
        .example = "restante domain list",
        .columns = DOMAIN_COLUMNS,
        .is_list = TRUE,
        .run = domain_list,
};

const Operation DOMAIN_SHOW = {
        .noun = "domain",
        .verb = "show",
        .summary = "show the settings of a domain",
        .manual = "Shows everything that is set for one domain.",
        .example = "restante domain show uk.example.com",
        .args = {{"NAME", FALSE, FALSE, "the domain"}},
        .columns = DOMAIN_LINES,
        .run = domain_show,
};

const Operation DOMAIN_SET = {
        .noun = "domain",
        .verb = "set",
        .summary = "change settings of a domain",
        .manual = "Changes the keys that are given and leaves the others. An empty value (next-hop=) takes a setting "
                  "back.",
        .example = "restante domain set uk.example.com unknown=bounce",
        .args = {{"NAME", FALSE, FALSE, "the domain"}},
        .keys = DIRECTORY_DOMAIN_KEYS,
        .columns = DOMAIN_LINES,
        .run = domain_set,
};

const Operation DOMAIN_REMOVE = {
        .noun = "domain",
        .verb = "remove",
        .summary = "forget a domain",
        .manual = "Removes a domain that has no accounts and aliases any more. Its mail is not ours from then on.",
        .example = "restante domain remove old.example",
        .args = {{"NAME", FALSE, FALSE, "the domain"}},
        .run = domain_remove,
};

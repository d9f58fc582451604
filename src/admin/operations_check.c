/* operations_check.c -- check: standing warnings about configuration, DNS, certificates and policies. */
#include "admin/operations.h"
#include "net/resolver.h"
#include "store/search.h"

#define MX_PATIENCE (5 * USEC_PER_SEC)
#define ALIAS_PAGE 500
#define CHECK_PATIENCE (30 * USEC_PER_SEC)

typedef struct Findings {
        AdminCall *call;
        guint errors, warnings;
} Findings;

static void
finding(const char *level, const char *text, gpointer data)
{
        Findings *f = data;

        if (strcmp(level, "error") == 0)
                f->errors++;
        else if (strcmp(level, "warning") == 0)
                f->warnings++;
        admin_row(f->call, json_pack("{s:s, s:o}", "level", level, "text", json_text(text)));
}

/* Do both names have an address in common? */
static gboolean
hosts_meet(Resolver *resolver, Arena *arena, const char *a, const char *b, Usec deadline)
{
        const char *const *of_a, *const *of_b;
        gsize n_a, n_b;

        if (resolver_addresses(resolver, arena, a, deadline, &of_a, &n_a, NULL) != RESOLVER_FOUND ||
            resolver_addresses(resolver, arena, b, deadline, &of_b, &n_b, NULL) != RESOLVER_FOUND)
                return FALSE;
        for (gsize i = 0; i < n_a; i++)
                for (gsize j = 0; j < n_b; j++)
                        if (strcmp(of_a[i], of_b[j]) == 0)
                                return TRUE;
        return FALSE;
}

const char *
check_domain_mx(const AdminRooms *rooms, Arena *arena, const char *domain, Usec deadline)
{
        const ResolverMx *mx;
        gboolean is_secure;
        gsize n;

        if (rooms->resolver == NULL || g_str_has_prefix(domain, "*."))
                return NULL;
        Span label;
        if (address_parse_domain(arena, span_of(domain), &label) != ADDRESS_OK)
                return NULL;
        const char *name = arena_strndup(arena, label);
        switch (resolver_mx(rooms->resolver, arena, name, deadline, &mx, &n, &is_secure, NULL)) {
        case RESOLVER_FAILED:
                return arena_printf(arena, "the MX records of %s could not be looked up just now", name);
        case RESOLVER_NONE:
                return NULL;
        case RESOLVER_FOUND:
                break;
        }
        for (gsize i = 0; i < n; i++)
                if (span_is(span_of(mx[i].host), rooms->hostname) ||
                    hosts_meet(rooms->resolver, arena, mx[i].host, rooms->hostname, deadline))
                        return NULL;
        if (n == 0 || mx[0].host[0] == '\0')
                return arena_printf(
                        arena, "%s says in its DNS that it takes no mail at all (null MX), yet it is local here", name);
        return arena_printf(arena,
                            "the MX of %s is %s, not this server (%s): mail from elsewhere arrives there, while mail "
                            "that users of this server write to %s stays here",
                            name, mx[0].host, rooms->hostname, name);
}

static gboolean
check_domains(Findings *f, GError **error)
{
        const AdminRooms *rooms = admin_rooms(f->call);
        Usec deadline = clock_in(CHECK_PATIENCE);
        const Domain *all;
        gsize n;

        if (!directory_domains(rooms->directory, admin_arena(f->call), &all, &n, error))
                return FALSE;
        for (gsize i = 0; i < n; i++) {
                const char *relay = router_relay_warning(rooms->router, admin_arena(f->call), &all[i]);
                if (relay != NULL)
                        finding("error", relay, f);
                if (all[i].kind != DOMAIN_LOCAL)
                        continue;
                const char *const *w =
                        router_policy_warnings(rooms->router, admin_arena(f->call), all[i].name, all[i].unknown);
                for (; w != NULL && *w != NULL; w++)
                        finding("warning", *w, f);
                const char *mx =
                        check_domain_mx(rooms, admin_arena(f->call), all[i].name, MIN(deadline, clock_in(MX_PATIENCE)));
                if (mx != NULL)
                        finding("warning", mx, f);
        }
        return TRUE;
}

/* A catch-all is told of; so is what leads back to itself. One row at a time, so each has the whole arena. */
static gboolean
check_alias(Findings *f, Arena *arena, const AliasRow *row, GError **error)
{
        Router *router = admin_rooms(f->call)->router;
        gboolean is_pattern = strchr(row->address, '*') != NULL, leads_back = FALSE;
        Address at;

        if (g_str_has_prefix(row->address, "*@"))
                finding("warning",
                        router_catch_all_warning(arena, row->address + strlen("*@"),
                                                 arena_printf(arena, "alias %s", row->address)),
                        f);
        if (!is_pattern && address_parse(arena, span_of(row->address), TRUE, &at) == ADDRESS_OK &&
            !router_leads_back(router, arena, &at, &leads_back, error))
                return FALSE;
        for (gsize i = 0; is_pattern && i < row->n_targets && !leads_back; i++)
                if (!router_leads_back(router, arena, &row->targets[i], &leads_back, error))
                        return FALSE;
        if (leads_back)
                finding("warning",
                        arena_printf(arena, "%s leads back to itself: such mail is refused with 5.4.6", row->address),
                        f);
        return TRUE;
}

static gboolean
check_aliases(Findings *f, GError **error)
{
        const AdminRooms *rooms = admin_rooms(f->call);
        g_autoptr(Arena) page_arena = arena_new(16 * 1024 * 1024), arena = arena_new(16 * 1024 * 1024);
        g_autofree char *after = NULL;
        const AliasRow *page;
        gsize n;

        do {
                arena_reset(page_arena);
                if (!directory_list_aliases(rooms->directory, page_arena, NULL, after, ALIAS_PAGE, &page, &n, error))
                        return FALSE;
                for (gsize i = 0; i < n; i++) {
                        arena_reset(arena);
                        if (strcmp(page[i].kind, "bouncer") != 0 && !check_alias(f, arena, &page[i], error))
                                return FALSE;
                }
                g_free(after);
                after = n > 0 ? g_strdup(page[n - 1].address) : NULL;
        } while (n == ALIAS_PAGE);
        return TRUE;
}

static gboolean
check_sources(Findings *f, GError **error)
{
        const SourceRow *rows;
        gsize n;

        if (admin_rooms(f->call)->fetch == NULL)
                return TRUE;
        if (!fetch_sources(admin_rooms(f->call)->fetch, admin_arena(f->call), NULL, &rows, &n, error))
                return FALSE;
        for (gsize i = 0; i < n; i++)
                if (rows[i].stopped != NULL)
                        finding("warning",
                                arena_printf(admin_arena(f->call),
                                             "source %s is stopped: %s; `restante fetch set %s` starts it again",
                                             rows[i].name, rows[i].stopped, rows[i].name),
                                f);
        return TRUE;
}

/* How far it is. Without a server nobody fills it, and there is nothing to say. */
static gboolean
check_search_index(Findings *f, GError **error)
{
        Arena *arena = admin_arena(f->call);
        SearchProgress progress;

        if (!store_search_progress(admin_rooms(f->call)->store, &progress, error))
                return FALSE;
        if (progress.state == SEARCH_INDEX_COMPARED)
                finding("info", "search index: being compared with the mailboxes", f);
        else if (progress.state == SEARCH_INDEX_USED)
                finding("info",
                        arena_printf(arena,
                                     "search index: holds %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                                     " packs of messages%s",
                                     progress.packs_done, progress.packs,
                                     progress.packs_done < progress.packs ? "; searching reads the others" : ""),
                        f);
        return TRUE;
}

static AdminResult
check_run(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const AdminRooms *rooms = admin_rooms(call);
        Findings f = {.call = call};

        if (rooms->check != NULL)
                rooms->check(finding, &f, rooms->app);
        if (!check_domains(&f, &error) || !check_aliases(&f, &error) || !check_sources(&f, &error))
                finding("error", error->message, &f);
        g_autoptr(GError) loop_error = NULL;
        const char *loop = router_table_loop(rooms->router, admin_arena(call), &loop_error);
        if (loop != NULL || loop_error != NULL)
                finding("warning", loop != NULL ? loop : loop_error->message, &f);
        g_autoptr(GError) search_error = NULL;
        if (!check_search_index(&f, &search_error))
                finding("error", search_error->message, &f);
        if (f.errors > 0)
                return admin_refuse(call, "%u error%s, %u warning%s", f.errors, f.errors == 1 ? "" : "s", f.warnings,
                                    f.warnings == 1 ? "" : "s");
        if (f.warnings == 0)
                finding("ok", "nothing to complain about", &f);
        return ADMIN_DONE;
}

const Operation CHECK = {
        .noun = "check",
        .summary = "look for what is wrong with configuration, DNS, certificates and policies",
        .manual = "Lists errors (exit status 1), standing warnings and what is worth knowing. A policy or alias that "
                  "takes mail for every name is always warned about: addresses can be harvested. While the server "
                  "runs, the last "
                  "line says how many packs of up to 128 messages the search index holds, and of how many.",
        .example = "restante check",
        .columns = {{"level", "level"}, {"text", "what"}},
        .is_list = TRUE,
        .run = check_run,
};

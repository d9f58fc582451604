/* router.c -- the object, and the words of origins and decisions. */
#include "base/text.h"
#include "router/internal.h"

#define SETTINGS_OCTETS ((gsize) 64 * 1024)

static const char *const ORIGINS[] = {"stranger", "client", "fetch", "lmtp", "generated"};
static const char *const KINDS[] = {"failed", "deliver", "expand", "relay",  "hold",
                                    "reject", "defer",   "bounce", "discard"};

const char *
origin_name(Origin origin)
{
        return (gsize) origin < G_N_ELEMENTS(ORIGINS) ? ORIGINS[origin] : ORIGINS[ORIGIN_STRANGER];
}

gboolean
origin_from_name(const char *name, Origin *ret)
{
        for (gsize i = 0; name != NULL && i < G_N_ELEMENTS(ORIGINS); i++)
                if (strcmp(name, ORIGINS[i]) == 0) {
                        *ret = (Origin) i;
                        return TRUE;
                }
        return FALSE;
}

const char *
route_kind_name(RouteKind kind)
{
        return (gsize) kind < G_N_ELEMENTS(KINDS) ? KINDS[kind] : KINDS[ROUTE_FAILED];
}

const Route *
route_copy(Arena *arena, const Route *leaf)
{
        Route *copy = arena_new0(arena, Route);
        const char **steps = arena_new_array(arena, const char *, leaf->n_steps);

        g_assert(leaf->n_members == 0);
        if (copy == NULL || steps == NULL)
                return NULL;
        *copy = *leaf;
        copy->address = address_copy(arena, &leaf->address);
        copy->detail = arena_copy(arena, leaf->detail);
        copy->envelope_header = arena_strdup(arena, leaf->envelope_header);
        copy->next_hop = arena_strdup(arena, leaf->next_hop);
        copy->text = arena_strdup(arena, leaf->text);
        copy->bouncer = address_copy(arena, &leaf->bouncer);
        for (gsize i = 0; i < leaf->n_steps; i++)
                steps[i] = arena_strdup(arena, leaf->steps[i]);
        copy->steps = steps;
        return arena_is_over(arena) ? NULL : copy;
}

/* A setting that is no address or domain stays empty: such mail is deferred, and `check` says why. */
static Span
read_domain(Arena *arena, const char *text)
{
        Span domain = SPAN_EMPTY;

        if (text == NULL || address_parse_domain(arena, span_of(arena_strdup(arena, text)), &domain) != ADDRESS_OK)
                return SPAN_EMPTY;
        return domain;
}

static const char *const *
copy_texts(Arena *arena, const char *const *list)
{
        gsize n = 0;

        while (list != NULL && list[n] != NULL)
                n++;
        const char **copy = arena_new_array(arena, const char *, n + 1);
        for (gsize i = 0; copy != NULL && i < n; i++)
                copy[i] = arena_strdup(arena, list[i]);
        return copy;
}

/* What tells our addresses from others. */
static RouterSettings
copy_own(Arena *arena, const RouterSettings *settings)
{
        RouterListener *listeners = arena_new_array(arena, RouterListener, settings->n_listeners);

        for (gsize i = 0; listeners != NULL && i < settings->n_listeners; i++)
                listeners[i] = (RouterListener){arena_strdup(arena, settings->listeners[i].address),
                                                settings->listeners[i].port};
        return (RouterSettings){.hostname = arena_strdup(arena, settings->hostname),
                                .literals = copy_texts(arena, settings->literals),
                                .listeners = listeners,
                                .n_listeners = listeners != NULL ? settings->n_listeners : 0};
}

Router *
router_new(Directory *directory, Db *db, const RouterSettings *settings)
{
        Router *router = g_new0(Router, 1);
        Arena *arena = arena_new(SETTINGS_OCTETS);

        router->directory = directory;
        router->db = db;
        router->arena = arena;
        router->hostname = read_domain(arena, settings->hostname);
        router->primary_domain = read_domain(arena, settings->primary_domain);
        if (router->primary_domain.len == 0)
                router->primary_domain = router->hostname;
        router->own = copy_own(arena, settings);
        router->smart_host = arena_strdup(arena, settings->smart_host);
        const char *postmaster = arena_strdup(arena, settings->postmaster);
        if (postmaster == NULL || address_parse(arena, span_of(postmaster), TRUE, &router->postmaster) != ADDRESS_OK)
                router->postmaster = (Address){SPAN_EMPTY, SPAN_EMPTY};
        mutex_init(&router->mutex, "router.table");
        return router;
}

void
router_free(Router *router)
{
        if (router == NULL)
                return;
        table_unref(router->table);
        mutex_done(&router->mutex);
        arena_free(router->arena);
        g_free(router);
}

RouteKind
router_decide(Router *router, Arena *arena, const Address *rcpt, const Standing *who, Route *ret, GError **error)
{
        WalkFlags flags;

        return router_walk(router, arena, rcpt, who, 0, NULL, ret, &flags, error);
}

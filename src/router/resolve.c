/* resolve.c -- one recipient all the way down: aliases and groups expanded without recursion.
 *
 * Breadth first over a list of nodes. An address is visited once; one that is expanded below itself keeps only the
 * account beside the alias, so `sales -> sales, ann` delivers to both, and a circle of aliases ends.
 */
#include "base/text.h"
#include "router/internal.h"

typedef struct Node {
        Address address;
        const struct Node *parent;
        struct Node *next;
        guint depth; /* expansions above it */
        WalkFlags flags;
        const Route *before;         /* the parent's decision */
        const char *envelope_header; /* handed down */
        gboolean is_unknown;
        gboolean is_counted_bouncer; /* handed to one member only: it counts messages, not copies */
        Address bouncer;
} Node;

typedef struct Resolver {
        Router *router;
        Arena *arena;
        const Standing *who;
        GHashTable *visited; /* lower-case text, `=` before those that skip lists */
        Node *first, **end;
        guint n_nodes;
        const Address *planned; /* a list is thought of here; NULL: none is */
        GArray *leaves;         /* Route */
        gboolean is_over;       /* more than ROUTER_EXPAND_MAX */
        GError **error;
} Resolver;

static Route
too_deep(const Node *node, const Route *route, const char *text)
{
        Route leaf = {
                .kind = ROUTE_REJECT,
                .status = STATUS(550, 5, 4, 6),
                .text = text,
                .address = node->address,
                .steps = route != NULL ? route->steps : NULL,
                .n_steps = route != NULL ? route->n_steps : 0,
        };

        return leaf;
}

/* Is it this node or one it came from? */
static gboolean
is_above(const Node *node, const Address *address)
{
        for (; node != NULL; node = node->parent)
                if (address_equal(&node->address, address))
                        return TRUE;
        return FALSE;
}

static gboolean
visit(Resolver *r, const Address *address, gboolean skips)
{
        char text[1 + ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX + 1];

        g_snprintf(text, sizeof(text), "%s%.*s@%.*s", skips ? "=" : "", (int) address->local.len,
                   (const char *) address->local.data, (int) address->domain.len, (const char *) address->domain.data);
        return g_hash_table_add(r->visited, g_ascii_strdown(text, -1));
}

static void
push(Resolver *r, const Node *from)
{
        Node *node = arena_new0(r->arena, Node);

        if (node == NULL)
                return; /* the arena is over: answered at the end */
        *node = *from;
        node->next = NULL;
        *r->end = node;
        r->end = &node->next;
        r->n_nodes++;
}

/* Members of one expansion join the list. */
static void
push_members(Resolver *r, const Node *node, const Route *route, WalkFlags flags)
{
        Node member = {
                .parent = node,
                .depth = node->depth + 1,
                .before = route,
                .envelope_header = route->envelope_header != NULL ? route->envelope_header : node->envelope_header,
                .is_unknown = route->is_unknown || node->is_unknown,
                .is_counted_bouncer = route->is_counted_bouncer || node->is_counted_bouncer,
                .bouncer = route->is_counted_bouncer ? route->bouncer : node->bouncer,
        };

        for (gsize i = 0; i < route->n_members && !r->is_over; i++) {
                gboolean skips = is_above(node, &route->members[i]);

                if (!visit(r, &route->members[i], skips))
                        continue;
                member.address = route->members[i];
                member.flags = flags | (skips ? WALK_SKIP_LISTS : 0);
                push(r, &member);
                member.is_counted_bouncer = FALSE;
                member.bouncer = (Address){SPAN_EMPTY, SPAN_EMPTY};
                r->is_over = r->n_nodes > 1 + ROUTER_EXPAND_MAX; /* the first is not one of them */
        }
}

static void
add_leaf(Resolver *r, const Node *node, Route route)
{
        /* an address below itself without an account beside the alias is no loss while others are left */
        if ((node->flags & WALK_SKIP_LISTS) && route.kind != ROUTE_DELIVER)
                return;
        if (route.envelope_header == NULL)
                route.envelope_header = node->envelope_header;
        route.is_unknown = route.is_unknown || node->is_unknown;
        if (node->is_counted_bouncer && !route.is_counted_bouncer) {
                route.is_counted_bouncer = TRUE;
                route.bouncer = node->bouncer;
        }
        g_array_append_val(r->leaves, route);
}

/* Where a list is only thought of, the account beside it is all there is. */
static gboolean
resolve_planned(Resolver *r, const Node *node)
{
        Entry entry = {0};
        Route leaf = {.kind = ROUTE_DELIVER, .address = node->address};
        Found found = directory_entry(r->router->directory, r->arena, &node->address, &entry, r->error);

        if (found == FOUND && entry.account != NULL)
                add_leaf(r, node, leaf);
        return found != FOUND_FAILED;
}

static gboolean
resolve_node(Resolver *r, const Node *node)
{
        if (r->planned != NULL && address_equal(&node->address, r->planned))
                return resolve_planned(r, node);
        Route *route = arena_new0(r->arena, Route);
        WalkFlags flags = 0;

        if (route == NULL)
                return fault(r->error, FAULT_FULL, "no room to expand an address");
        RouteKind kind = router_walk(r->router, r->arena, &node->address, r->who, node->flags, node->before, route,
                                     &flags, r->error);
        if (kind == ROUTE_FAILED)
                return FALSE;
        if (kind != ROUTE_EXPAND)
                add_leaf(r, node, *route);
        else if (node->depth >= ROUTER_DEPTH_MAX)
                add_leaf(r, node, too_deep(node, route, "aliases lead too far"));
        else
                push_members(r, node, route, flags);
        return TRUE;
}

static gboolean
resolve_all(Resolver *r, const Address *rcpt)
{
        Node first = {.address = *rcpt};

        (void) visit(r, rcpt, FALSE);
        push(r, &first);
        for (const Node *node = r->first; node != NULL && !r->is_over; node = node->next)
                if (!resolve_node(r, node))
                        return FALSE;
        if (arena_is_over(r->arena))
                return fault(r->error, FAULT_FULL, "no room to expand an address");
        if (r->is_over)
                g_array_set_size(r->leaves, 0);
        if (r->leaves->len == 0) {
                Route leaf =
                        too_deep(r->first, r->first->next != NULL ? r->first->next->before : NULL,
                                 r->is_over ? "this address stands for too many" : "this address leads back to itself");

                g_array_append_val(r->leaves, leaf);
        }
        return TRUE;
}

static gboolean
give(Arena *arena, const Route *leaves, gsize n, const Route **ret_leaves, gsize *ret_n, GError **error)
{
        Route *copy = arena_new_array(arena, Route, n);

        if (copy == NULL)
                return fault(error, FAULT_FULL, "no room to expand an address");
        memcpy(copy, leaves, n * sizeof(Route));
        *ret_leaves = copy;
        *ret_n = n;
        return TRUE;
}

gboolean
router_resolve(Router *router, Arena *arena, const Address *rcpt, const Standing *who, const Route **ret_leaves,
               gsize *ret_n, GError **error)
{
        Route route = {0};
        WalkFlags flags = 0;
        RouteKind kind = router_walk(router, arena, rcpt, who, 0, NULL, &route, &flags, error);

        if (kind == ROUTE_FAILED)
                return FALSE;
        if (kind != ROUTE_EXPAND) /* nearly always: nothing else is needed */
                return give(arena, &route, 1, ret_leaves, ret_n, error);

        g_autoptr(GHashTable) visited = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GArray) leaves = g_array_new(FALSE, FALSE, sizeof(Route));
        Resolver r = {
                .router = router, .arena = arena, .who = who, .visited = visited, .leaves = leaves, .error = error};
        r.end = &r.first;
        return resolve_all(&r, rcpt) &&
               give(arena, (const Route *) (gpointer) leaves->data, leaves->len, ret_leaves, ret_n, error);
}

/* Loops ----------------------------------------------------------------------------------------------------------- */

/* joe, joe+news */
static gboolean
is_at(const Address *address, const Address *planned)
{
        Span local = address->local;
        gsize n = planned->local.len;

        if (local.len > n && local.data[n] == '+')
                local = span_slice(local, 0, n);
        return span_equal_nocase(local, planned->local) && span_equal_nocase(address->domain, planned->domain);
}

/* Nothing but circles; what nobody has at the planned address will be one. */
static gboolean
all_lead_back(const Route *leaves, gsize n, const Address *planned)
{
        for (gsize i = 0; i < n; i++) {
                const Route *leaf = &leaves[i];
                gboolean is_circle = leaf->status.subject == 4 && leaf->status.detail == 6;
                gboolean is_planned = planned != NULL && leaf->is_unknown && is_at(&leaf->address, planned);

                if (leaf->kind != ROUTE_REJECT || (!is_circle && !is_planned))
                        return FALSE;
        }
        return TRUE;
}

gboolean
router_leads_back(Router *router, Arena *arena, const Address *address, gboolean *ret, GError **error)
{
        static const Standing OURS = {.origin = ORIGIN_GENERATED};
        const Route *leaves;
        gsize n;

        if (!router_resolve(router, arena, address, &OURS, &leaves, &n, error))
                return FALSE;
        *ret = all_lead_back(leaves, n, NULL);
        return TRUE;
}

gboolean
router_would_lead_back(Router *router, Arena *arena, const Address *address, const Address *members, gsize n,
                       gboolean *ret, GError **error)
{
        static const Standing OURS = {.origin = ORIGIN_GENERATED};
        g_autoptr(GHashTable) visited = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GArray) leaves = g_array_new(FALSE, FALSE, sizeof(Route));
        const Route route = {.kind = ROUTE_EXPAND, .address = *address, .members = members, .n_members = n};
        const Node first = {.address = *address};
        Resolver r = {.router = router,
                      .arena = arena,
                      .who = &OURS,
                      .visited = visited,
                      .leaves = leaves,
                      .planned = address,
                      .error = error};

        r.end = &r.first;
        (void) visit(&r, address, FALSE);
        push_members(&r, &first, &route, WALK_OURS);
        for (const Node *node = r.first; node != NULL && !r.is_over; node = node->next)
                if (!resolve_node(&r, node))
                        return FALSE;
        if (arena_is_over(arena))
                return fault(error, FAULT_FULL, "no room to expand an address");
        *ret = !r.is_over && all_lead_back((const Route *) (gpointer) leaves->data, leaves->len, address);
        return TRUE;
}

/* Postmaster ------------------------------------------------------------------------------------------------------ */

gboolean
router_has_postmaster(Router *router, Arena *arena, gboolean *ret, GError **error)
{
        static const Standing OURS = {.origin = ORIGIN_GENERATED};
        Entry entry = {0};
        const Route *leaves;
        gsize n;

        *ret = FALSE;
        if (router->postmaster.local.len == 0)
                return TRUE;
        switch (directory_entry(router->directory, arena, &router->postmaster, &entry, error)) {
        case FOUND_FAILED:
                return FALSE;
        case FOUND_NOT:
                return TRUE;
        case FOUND:
                break;
        }
        /* A bouncer over it stops no mail for postmaster. */
        if (entry.n_alias == 0 && entry.n_group == 0) {
                *ret = entry.account != NULL && !entry.account->is_disabled;
                return TRUE;
        }
        if (!router_resolve(router, arena, &router->postmaster, &OURS, &leaves, &n, error))
                return FALSE;
        for (gsize i = 0; i < n; i++)
                *ret |= leaves[i].kind != ROUTE_REJECT && leaves[i].kind != ROUTE_DEFER;
        return TRUE;
}

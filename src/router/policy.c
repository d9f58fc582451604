/* policy.c -- policies for unknown recipients: reading them, and what an administrator should know about one. */
#include "base/text.h"
#include "router/internal.h"

#define POLICY_TEXT_MAX 4096

typedef struct PolicyName {
        const char *word;
        PolicyWord policy;
        gboolean is_later; /* of ROUTING 3, not made yet */
        gboolean takes_targets;
} PolicyName;

static const PolicyName NAMES[] = {
        {"reject", POLICY_REJECT, FALSE, FALSE},  {"bounce", POLICY_BOUNCE, FALSE, FALSE},
        {"deliver", POLICY_DELIVER, FALSE, TRUE}, {"discard", POLICY_DISCARD, FALSE, FALSE},
        {"forward", POLICY_REJECT, TRUE, TRUE},   {"readdress", POLICY_REJECT, TRUE, TRUE},
        {"relay", POLICY_REJECT, TRUE, TRUE},     {"outbox", POLICY_REJECT, TRUE, FALSE},
        {"create", POLICY_REJECT, TRUE, TRUE},    {"hold", POLICY_REJECT, TRUE, FALSE},
};

/* A policy word, alone or before a colon. *ret_rest: what stands behind the colon. */
static const PolicyName *
name_at(Span piece, Span *ret_rest, gboolean *ret_has_colon)
{
        const guint8 *colon = piece.len > 0 ? memchr(piece.data, ':', piece.len) : NULL;
        Span word = colon != NULL ? span_slice(piece, 0, (gsize) (colon - piece.data)) : piece;

        *ret_has_colon = colon != NULL;
        *ret_rest = colon != NULL ? span_trim(span_slice(piece, word.len + 1, piece.len)) : SPAN_EMPTY;
        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
                if (span_is(span_trim(word), NAMES[i].word))
                        return &NAMES[i];
        return NULL;
}

typedef struct PolicyReader {
        Arena *arena;
        Policy *policies;
        gsize n;
        Address *targets; /* of all of them, one behind the other */
        gsize n_targets;
        GError **error;
} PolicyReader;

static gboolean
read_target(PolicyReader *r, Span text)
{
        Policy *policy = r->n > 0 ? &r->policies[r->n - 1] : NULL;
        Span by_name = span_of("/by-name");
        int len = (int) text.len;
        const char *at = (const char *) text.data;

        if (policy == NULL || policy->word != POLICY_DELIVER)
                return fault(
                        r->error, FAULT_INPUT,
                        "there is no policy '%.*s'; there are reject, bounce, deliver:ADDRESS[,ADDRESS...] and discard",
                        len, at);
        if (text.len > by_name.len && span_is(span_slice(text, text.len - by_name.len, text.len), "/by-name"))
                return fault(r->error, FAULT_INPUT, "%.*s: /by-name is not there yet; deliver:ADDRESS is", len, at);
        if (r->n_targets >= POLICY_TARGETS_MAX)
                return fault(r->error, FAULT_INPUT, "deliver: at most %d addresses; an alias can hold more",
                             POLICY_TARGETS_MAX);
        Address *target = &r->targets[r->n_targets];
        if (address_parse(r->arena, text, TRUE, target) != ADDRESS_OK || target->domain.len == 0)
                return fault(r->error, FAULT_INPUT, "deliver: %.*s is no address; deliver:joe@ex.org would be right",
                             len, at);
        if (policy->n_targets++ == 0)
                policy->targets = target;
        r->n_targets++;
        return TRUE;
}

static gboolean
read_policy(PolicyReader *r, const PolicyName *name, Span rest, gboolean has_colon)
{
        if (name->is_later)
                return fault(r->error, FAULT_INPUT,
                             "%s is not there yet; reject, bounce, deliver:ADDRESS[,ADDRESS...] and discard are",
                             name->word);
        if (has_colon && !name->takes_targets)
                return fault(r->error, FAULT_INPUT, "%s takes nothing behind a colon", name->word);
        if (name->takes_targets && rest.len == 0)
                return fault(r->error, FAULT_INPUT, "%s needs an address: %s:joe@ex.org", name->word, name->word);
        if (r->n >= POLICIES_MAX)
                return fault(r->error, FAULT_INPUT, "at most %d policies", POLICIES_MAX);
        r->policies[r->n++] = (Policy){.word = name->policy};
        return rest.len == 0 || read_target(r, rest);
}

static gboolean
read_piece(PolicyReader *r, Span piece)
{
        Span rest;
        gboolean has_colon;
        const PolicyName *name = name_at(piece, &rest, &has_colon);

        if (piece.len == 0)
                return fault(r->error, FAULT_INPUT, "something is missing between two commas");
        return name != NULL ? read_policy(r, name, rest, has_colon) : read_target(r, piece);
}

/* How many things stand between commas. */
static gsize
count_pieces(Span text)
{
        gsize n = 1;

        for (gsize i = 0; i < text.len; i++)
                n += text.data[i] == ',';
        return n;
}

gboolean
router_policy_parse(Arena *arena, const char *text, const Policy **ret, gsize *ret_n, GError **error)
{
        PolicyReader r = {.arena = arena, .error = error};
        Scan s = scan_from(span_of(text));
        Span piece;
        gsize n = count_pieces(scan_rest(&s));

        if (scan_left(&s) > POLICY_TEXT_MAX || text_has_control(scan_rest(&s)))
                return fault(error, FAULT_INPUT, "a policy list is one line of at most %d octets", POLICY_TEXT_MAX);
        r.policies = arena_new_array(arena, Policy, MIN(n, POLICIES_MAX));
        r.targets = arena_new_array(arena, Address, MIN(n, POLICY_TARGETS_MAX));
        if (r.policies == NULL || r.targets == NULL)
                return fault(error, FAULT_FULL, "no room for a policy list");
        while (scan_until(&s, ',', &piece)) {
                (void) scan_octet(&s, ',');
                if (!read_piece(&r, span_trim(piece)))
                        return FALSE;
        }
        if (!read_piece(&r, span_trim(scan_rest(&s))))
                return FALSE;
        *ret = r.policies;
        *ret_n = r.n;
        return TRUE;
}

/* Warnings -------------------------------------------------------------------------------------------------------- */

/* What is there to say about one target: NULL when mail will reach it. */
static const char *
target_warning(Router *router, Arena *arena, const Address *target)
{
        const Standing ours = {.origin = ORIGIN_GENERATED};
        Route route;
        Span text = address_text(arena, target);
        WalkFlags flags = 0;
        RouteKind kind = router_walk(router, arena, target, &ours, WALK_OURS | WALK_VIA | WALK_NO_POLICY, NULL, &route,
                                     &flags, NULL);

        if (kind == ROUTE_REJECT && route.is_unknown)
                return arena_printf(
                        arena, "%.*s does not exist yet: until it does, mail for unknown names is deferred with 451",
                        (int) text.len, (const char *) text.data);
        if (kind == ROUTE_REJECT)
                return arena_printf(arena, "%.*s is refused: %s", (int) text.len, (const char *) text.data, route.text);
        gboolean leads_back = FALSE;
        if (kind == ROUTE_EXPAND && router_leads_back(router, arena, target, &leads_back, NULL) && leads_back)
                return arena_printf(arena, "%.*s leads back to itself: mail for unknown names is refused with 5.4.6",
                                    (int) text.len, (const char *) text.data);
        if (kind == ROUTE_RELAY)
                return arena_printf(arena, "%.*s is elsewhere: whatever strangers guess is sent on to it",
                                    (int) text.len, (const char *) text.data);
        return NULL;
}

const char *
router_catch_all_warning(Arena *arena, const char *domain, const char *how)
{
        return arena_printf(arena, "%s takes mail for every name (%s): its addresses can be harvested", domain, how);
}

const char *const *
router_policy_warnings(Router *router, Arena *arena, const char *domain, const char *text)
{
        static const char *const NONE[] = {NULL};
        const Policy *policies = NULL;
        gsize n_policies = 0, n = 0;

        if (!router_policy_parse(arena, text, &policies, &n_policies, NULL) || policies[0].word == POLICY_REJECT)
                return NONE;
        const char **warnings = arena_new_array(arena, const char *, policies[0].n_targets + 3);
        if (warnings == NULL)
                return NONE;
        warnings[n++] = router_catch_all_warning(arena, domain, arena_printf(arena, "unknown=%s", text));
        for (gsize i = 0; i < policies[0].n_targets; i++)
                if ((warnings[n] = target_warning(router, arena, &policies[0].targets[i])) != NULL)
                        n++;
        if (n_policies > 1)
                warnings[n++] = "only the first policy acts: it decides about every name";
        return warnings;
}

/* Next hops are checked here, because the directory keeps them as text. */
static gboolean
check_next_hop(const Router *router, const char *text, GError **error)
{
        if (!router_next_hop_check(text, error))
                return FALSE;
        if (router_next_hop_is_own(&router->own, text))
                return fault(error, FAULT_INPUT, "%s is this server: its mail would go round and round", text);
        return TRUE;
}

/* `deliver:x@HOST.via` sends to HOST. */
static gboolean
check_policy(const Router *router, Arena *arena, const char *text, GError **error)
{
        const Policy *policies;
        gsize n;

        if (!router_policy_parse(arena, text, &policies, &n, error))
                return FALSE;
        for (gsize i = 0; i < n; i++)
                for (gsize j = 0; j < policies[i].n_targets; j++) {
                        const Address *target = &policies[i].targets[j];
                        Span host;

                        if (via_strip(target->domain, &host) &&
                            memchr(target->local.data, '%', target->local.len) == NULL && host.len > 0 &&
                            router_next_hop_is_own(&router->own, arena_strndup(arena, host)))
                                return fault(error, FAULT_INPUT,
                                             "%.*s is this server: its mail would go round and round", (int) host.len,
                                             (const char *) host.data);
                }
        return TRUE;
}

const char *
router_relay_warning(const Router *router, Arena *arena, const Domain *domain)
{
        const char *next_hop = domain->next_hop != NULL ? domain->next_hop : domain->target;

        if (domain->kind != DOMAIN_RELAY || next_hop == NULL || !router_next_hop_is_own(&router->own, next_hop))
                return NULL;
        return arena_printf(
                arena, "%s is sent on to %s, which is this server: its mail goes round and round until it is refused",
                domain->name, next_hop);
}

Change
router_domain_check(Router *router, const KeyValue *pairs, gsize n, GError **error)
{
        g_autoptr(Arena) arena = arena_new(256 * 1024);

        for (gsize i = 0; i < n; i++) {
                const char *key = pairs[i].key, *value = pairs[i].value != NULL ? pairs[i].value : "";
                gboolean is_right = TRUE;

                if (strcmp(key, "unknown") == 0 && *value != '\0')
                        is_right = check_policy(router, arena, value, error);
                else if (strcmp(key, "kind") == 0 && g_str_has_prefix(value, "relay:"))
                        is_right = check_next_hop(router, value + strlen("relay:"), error);
                else if (strcmp(key, "next-hop") == 0 && *value != '\0')
                        is_right = check_next_hop(router, value, error);
                if (!is_right) {
                        fault_prefix(error, "%s=%s: ", key, value);
                        return CHANGE_INVALID;
                }
        }
        return CHANGE_DONE;
}

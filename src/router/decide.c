/* decide.c -- one address, one decision: the order of ROUTING 2, stage by stage.
 *
 *      own names -> .via -> route table -> own names -> domain -> exact -> sub-address -> postmaster -> prefix ->
 * catch-all
 *      -> policy
 *
 * A stage either leaves the decision in walk->route or passes the address on. Postmaster and abuse come before prefix
 * aliases, because they always exist (RFC 5321 §4.5.1).
 */
#include "base/text.h"
#include "router/internal.h"

#define STEPS_MAX 48 /* of one walk: each rewriting is one, and every stage says at most two */

#define TEXT_UNKNOWN "no such mailbox here"
#define TEXT_DENIED "relaying denied"
#define TEXT_LOOP "this address leads back to itself"
#define TEXT_NOT_YET "this address can't take mail at the moment"

typedef enum Stage {
        STAGE_FAULT = 0, /* *error is set                    */
        STAGE_DECIDED,   /* walk->route holds the decision   */
        STAGE_NEXT,      /* ask the next stage               */
} Stage;

typedef struct Walk {
        Router *router;
        Arena *arena;
        const Standing *who;
        WalkFlags flags;
        Address address;      /* as rewritten so far */
        const Domain *domain; /* the local one it is in */
        gboolean may_relay;   /* a record of the table relays it for anybody */
        gboolean members_via; /* members of the EXPAND come from a policy */
        Route route;
        const Route *before;
        const char *steps[STEPS_MAX];
        gsize n_steps;
        GError **error;
} Walk;

/* Saying things --------------------------------------------------------------------------------------------------- */

/* Steps are made for every recipient: put together by hand, because printf would cost more than the decision. */
static void
say(Walk *walk, const char *before, Span what, const char *after)
{
        gsize b = strlen(before), a = strlen(after);
        char *text = walk->n_steps < STEPS_MAX ? arena_alloc(walk->arena, b + what.len + a + 1) : NULL;

        if (text == NULL)
                return;
        memcpy(text, before, b);
        if (what.len > 0)
                memcpy(text + b, what.data, what.len);
        memcpy(text + b + what.len, after, a + 1);
        walk->steps[walk->n_steps++] = text;
}

static void
say_address(Walk *walk, const char *before, const Address *address, const char *after)
{
        char text[ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX];
        gsize local = MIN(address->local.len, ADDRESS_LOCAL_MAX), domain = MIN(address->domain.len, ADDRESS_DOMAIN_MAX);

        if (local > 0)
                memcpy(text, address->local.data, local);
        text[local] = '@';
        if (domain > 0)
                memcpy(text + local + 1, address->domain.data, domain);
        say(walk, before, span_make(text, local + 1 + domain), after);
}

static Stage
answer(Walk *walk, RouteKind kind, Status status, const char *text)
{
        walk->route.kind = kind;
        walk->route.status = status;
        walk->route.text = text;
        return STAGE_DECIDED;
}

static Stage
unknown(Walk *walk)
{
        walk->route.is_unknown = TRUE;
        return answer(walk, ROUTE_REJECT, STATUS(550, 5, 1, 1), TEXT_UNKNOWN);
}

static Stage
denied(Walk *walk)
{
        if (walk->who->origin == ORIGIN_CLIENT && !walk->who->may_send) {
                say(walk, "this account may not send to other domains", SPAN_EMPTY, "");
                return answer(walk, ROUTE_REJECT, STATUS(550, 5, 7, 1), "this account may not send to other domains");
        }
        say(walk, "not ours, and ", span_of(origin_name(walk->who->origin)), " may not relay");
        return answer(walk, ROUTE_REJECT, STATUS(550, 5, 7, 1), TEXT_DENIED);
}

static Stage
defer(Walk *walk)
{
        return answer(walk, ROUTE_DEFER, STATUS(451, 4, 3, 5), TEXT_NOT_YET);
}

static gboolean
may_relay(const Walk *walk)
{
        if ((walk->flags & WALK_OURS) || walk->may_relay || walk->who->origin == ORIGIN_GENERATED)
                return TRUE;
        return walk->who->origin == ORIGIN_CLIENT && walk->who->may_send;
}

static Stage
relay(Walk *walk, const char *next_hop)
{
        walk->route.kind = ROUTE_RELAY;
        walk->route.next_hop = next_hop;
        walk->route.address = walk->address;
        say(walk, "sent on to ", span_of(next_hop), "");
        return STAGE_DECIDED;
}

/* The name of the field a catch-all's copies carry. */
static const char *
envelope_header(const Domain *domain)
{
        if (domain->envelope_header == NULL)
                return "X-Rcpt-To";
        return g_ascii_strcasecmp(domain->envelope_header, "off") == 0 ? NULL : domain->envelope_header;
}

/* Names ----------------------------------------------------------------------------------------------------------- */

/* Before the first '+', when something stands before it. */
static Span
base_of(Span local)
{
        const guint8 *plus = local.len > 0 ? memchr(local.data, '+', local.len) : NULL;

        return plus != NULL && plus > local.data ? span_slice(local, 0, (gsize) (plus - local.data)) : local;
}

gboolean
name_is_reserved(Span local)
{
        static const char *const RESERVED[] = {"postmaster", "abuse",    "admin", "administrator", "hostmaster",
                                               "webmaster",  "security", "root",  "mailer-daemon"};

        for (gsize i = 0; i < G_N_ELEMENTS(RESERVED); i++)
                if (span_is(local, RESERVED[i]))
                        return TRUE;
        return FALSE;
}

static gboolean
is_own_name(const Router *router, Span domain)
{
        return span_equal_nocase(domain, router->hostname) || span_equal_nocase(domain, router->primary_domain);
}

/* A bare postmaster and literals of ours mean the primary domain. */
static Stage
own_names(Walk *walk)
{
        const Router *router = walk->router;

        if (walk->address.domain.len == 0) {
                if (!span_is(walk->address.local, "postmaster"))
                        return answer(walk, ROUTE_REJECT, STATUS(550, 5, 1, 3), "an address needs a domain");
                walk->address.domain = router->primary_domain;
                say(walk, "a bare postmaster is the one of ", router->primary_domain, "");
        }
        if (own_literal(&router->own, walk->address.domain)) {
                say(walk, "", walk->address.domain, " is this host");
                walk->address.domain = router->primary_domain;
        }
        return STAGE_NEXT;
}

/* Splits at the last '%': only for targets of policies, which an administrator wrote. */
static gboolean
restore(Walk *walk, Span host)
{
        Span local = walk->address.local;
        gsize at = local.len;

        while (at > 0 && local.data[at - 1] != '%')
                at--;
        if (at == 0) {
                walk->address.domain = host;
                return TRUE;
        }
        walk->address.local = span_slice(local, 0, at - 1);
        return walk->address.local.len > 0 &&
               address_parse_domain(walk->arena, span_slice(local, at, local.len), &walk->address.domain) == ADDRESS_OK;
}

/* Nobody names a next hop by an address: .via is for records and policies (ROUTING 2.1). */
static Stage
look_for_via(Walk *walk)
{
        Span host;

        if (!via_strip(walk->address.domain, &host))
                return STAGE_NEXT;
        if ((walk->flags & WALK_VIA) && host.len > 0 && restore(walk, host))
                return relay(walk, arena_strndup(walk->arena, host));
        say(walk, "", walk->address.domain, " is no domain: .via is understood only in records");
        if (may_relay(walk))
                return answer(walk, ROUTE_REJECT, STATUS(550, 5, 1, 2), "no such domain");
        return denied(walk);
}

/* Route table ----------------------------------------------------------------------------------------------------- */

static Stage
loops(Walk *walk)
{
        say_address(walk, "", &walk->address, " leads back to itself");
        return answer(walk, ROUTE_REJECT, STATUS(550, 5, 4, 6), TEXT_LOOP);
}

/* Records never match postmaster of a domain of ours: it must stay reachable. */
static Stage
is_our_postmaster(Walk *walk, gboolean *ret)
{
        const Domain *domain;

        *ret = FALSE;
        if (!span_is(base_of(walk->address.local), "postmaster"))
                return STAGE_NEXT;
        *ret = is_own_name(walk->router, walk->address.domain);
        if (*ret)
                return STAGE_NEXT;
        Found found =
                directory_domain(walk->router->directory, walk->arena, walk->address.domain, &domain, walk->error);
        *ret = found == FOUND;
        return found == FOUND_FAILED ? STAGE_FAULT : STAGE_NEXT;
}

static Stage
follow_rule(Walk *walk, const RouteRule *rule, Span star)
{
        say(walk, "record ", span_of(rule->text), "");
        walk->may_relay = walk->may_relay || rule->relays_anybody;
        if (rule->target == TARGET_REJECT)
                return answer(walk, ROUTE_REJECT, STATUS(550, 5, 7, 1), "this address takes no mail");
        if (rule->target == TARGET_DISCARD || rule->target == TARGET_SPAMTRAP)
                return answer(walk, ROUTE_DISCARD, STATUS(250, 2, 0, 0), NULL);
        if (!rule_rewrite(rule, walk->arena, &walk->address, star, &walk->address))
                return answer(walk, ROUTE_REJECT, STATUS(550, 5, 1, 3), "this address gets too long on its way");
        say_address(walk, "becomes ", &walk->address, "");
        if (rule->target == TARGET_ADDRESS)
                return STAGE_NEXT;
        return may_relay(walk) ? relay(walk, arena_strdup(walk->arena, rule->host)) : denied(walk);
}

static gboolean
was_seen(const Address *seen, gsize n, const Address *address)
{
        for (gsize i = 0; i < n; i++)
                if (address_equal(&seen[i], address))
                        return TRUE;
        return FALSE;
}

static Stage
walk_table(Walk *walk, const Table *table)
{
        Address seen[ROUTER_DEPTH_MAX];

        for (gsize depth = 0;; depth++) {
                gboolean is_postmaster;
                Span star;
                const RouteRule *rule = table_match(table, &walk->address, &star);

                if (rule == NULL)
                        return STAGE_NEXT;
                if (is_our_postmaster(walk, &is_postmaster) == STAGE_FAULT)
                        return STAGE_FAULT;
                if (is_postmaster)
                        return STAGE_NEXT;
                if (depth == ROUTER_DEPTH_MAX)
                        return loops(walk);
                seen[depth] = walk->address;
                Stage stage = follow_rule(walk, rule, star);
                if (stage != STAGE_NEXT)
                        return stage;
                if (was_seen(seen, depth + 1, &walk->address))
                        return loops(walk);
        }
}

static Stage
route_table(Walk *walk)
{
        g_autoptr(Table) table = table_get(walk->router, walk->error);

        if (table == NULL)
                return STAGE_FAULT;
        return table->n > 0 ? walk_table(walk, table) : STAGE_NEXT;
}

/* Domains --------------------------------------------------------------------------------------------------------- */

/* Not ours: a literal is spoken to directly, a name through its MX. */
static Stage
foreign(Walk *walk)
{
        Span domain = walk->address.domain, v6 = span_of("[ipv6:");
        int len = (int) domain.len;
        const char *text = (const char *) domain.data;

        if (!may_relay(walk))
                return denied(walk);
        if (walk->router->smart_host != NULL)
                return relay(walk, walk->router->smart_host);
        if (span_starts_nocase(domain, v6))
                return relay(walk, arena_printf(walk->arena, "[%.*s", len - (int) v6.len, text + v6.len));
        return relay(walk, arena_printf(walk->arena, domain.data[0] == '[' ? "%.*s" : "mx(%.*s)", len, text));
}

/* Relay and hold domains take what comes for them from anybody; but no local part that another server could read as a
 * route of its own, or we would be half of an open relay. */
static Stage
kept_elsewhere(Walk *walk, const Domain *domain)
{
        Span local = walk->address.local;
        gboolean is_route = memchr(local.data, '%', local.len) != NULL || memchr(local.data, '!', local.len) != NULL ||
                            memchr(local.data, '@', local.len) != NULL;

        if (is_route && !may_relay(walk))
                return denied(walk);
        if (domain->kind == DOMAIN_RELAY) {
                say(walk, "", walk->address.domain, " is kept elsewhere");
                return relay(walk, domain->next_hop != NULL ? domain->next_hop : domain->target);
        }
        say(walk, "mail for this domain is held in ", span_of(domain->target), "");
        walk->route.kind = ROUTE_HOLD;
        walk->route.next_hop = domain->target;
        walk->route.address = walk->address;
        return STAGE_DECIDED;
}

/* The host's own name is local even when nobody made a domain of it: mail for it must not be sent round in a circle. */
static Stage
own_domain(Walk *walk)
{
        Domain *domain = arena_new0(walk->arena, Domain);

        if (domain == NULL)
                return STAGE_NEXT; /* the arena is over: answered at the end */
        domain->unknown = "reject";
        domain->name = arena_strndup(walk->arena, walk->address.domain);
        walk->domain = domain;
        say(walk, "", walk->address.domain, " is this host's own name");
        return STAGE_NEXT;
}

/* Another name of a domain here. */
static Stage
canonical_domain(Walk *walk, const Domain **domain)
{
        Span target = span_of((*domain)->target);

        say(walk, "", walk->address.domain, " is another name");
        walk->address.domain = target;
        say(walk, "of the domain ", target, "");
        Found found = directory_domain(walk->router->directory, walk->arena, target, domain, walk->error);
        if (found == FOUND_FAILED)
                return STAGE_FAULT;
        return found == FOUND && (*domain)->kind != DOMAIN_ALIAS ? STAGE_NEXT : defer(walk);
}

static Stage
look_for_domain(Walk *walk)
{
        const Domain *domain = NULL;
        Stage stage = STAGE_NEXT;
        Found found =
                directory_domain(walk->router->directory, walk->arena, walk->address.domain, &domain, walk->error);

        if (found == FOUND_FAILED)
                return STAGE_FAULT;
        if (found == FOUND_NOT)
                return is_own_name(walk->router, walk->address.domain) ? own_domain(walk) : foreign(walk);
        if (domain->kind == DOMAIN_ALIAS)
                stage = canonical_domain(walk, &domain);
        if (stage != STAGE_NEXT)
                return stage;
        if (domain->kind != DOMAIN_LOCAL)
                return kept_elsewhere(walk, domain);
        walk->domain = domain;
        return STAGE_NEXT;
}

/* Addresses ------------------------------------------------------------------------------------------------------- */

static Stage
expand(Walk *walk, const Address *members, gsize n)
{
        walk->route.kind = ROUTE_EXPAND;
        walk->route.members = members;
        walk->route.n_members = n;
        return STAGE_DECIDED;
}

/* "Disabled" reads like "unknown" (ROUTING 7). */
static Stage
deliver(Walk *walk, const Account *account)
{
        say_address(walk, "account ", &account->address, account->is_disabled ? " is disabled" : "");
        if (account->is_disabled)
                return answer(walk, ROUTE_REJECT, STATUS(550, 5, 1, 1), TEXT_UNKNOWN);
        walk->route.kind = ROUTE_DELIVER;
        walk->route.account = account->id;
        walk->route.address = account->address;
        return STAGE_DECIDED;
}

/* A name in a message proves nothing; but who fetches mail knows even less about who wrote it. */
static gboolean
may_post(const Walk *walk, const Entry *entry)
{
        const Standing *who = walk->who;

        if (entry->group_post == POST_ANYONE || who->origin == ORIGIN_GENERATED)
                return TRUE;
        if (entry->group_post == POST_AUTHENTICATED)
                return who->origin == ORIGIN_CLIENT;
        if (who->origin == ORIGIN_FETCH || who->sender == NULL || address_is_null(who->sender))
                return FALSE;
        for (gsize i = 0; i < entry->n_group; i++)
                if (address_equal(&entry->group[i], who->sender))
                        return TRUE;
        return FALSE;
}

static Stage
bounced(Walk *walk, const Bouncer *bouncer)
{
        say(walk, "a bouncer stands there", SPAN_EMPTY, "");
        return answer(walk, ROUTE_REJECT, STATUS(bouncer->code, 5, 1, 1),
                      bouncer->text != NULL ? bouncer->text : TEXT_UNKNOWN);
}

static Stage
decide_group(Walk *walk, const Entry *entry)
{
        if (may_post(walk, entry)) {
                say(walk, "a group", SPAN_EMPTY, "");
                return expand(walk, entry->group, entry->n_group);
        }
        say(walk, "a group that this sender may not write to", SPAN_EMPTY, "");
        return answer(walk, ROUTE_REJECT, STATUS(550, 5, 7, 1), "you may not write to this group");
}

/* Order of meaning at one address: bouncer, alias, group, account (ROUTING 1). */
static Stage
decide_entry(Walk *walk, const Entry *entry, const Address *at)
{
        if (entry->bouncer != NULL && entry->bouncer->is_active)
                return bounced(walk, entry->bouncer);
        if (entry->bouncer != NULL && entry->bouncer->after > 0) {
                walk->route.is_counted_bouncer = TRUE;
                walk->route.bouncer = *at;
        }
        if (!(walk->flags & WALK_SKIP_LISTS) && entry->n_alias > 0) {
                say_address(walk, "alias ", at, "");
                return expand(walk, entry->alias, entry->n_alias);
        }
        if (!(walk->flags & WALK_SKIP_LISTS) && entry->n_group > 0)
                return decide_group(walk, entry);
        if (entry->account != NULL)
                return deliver(walk, entry->account);
        return (walk->flags & WALK_SKIP_LISTS) ? loops(walk) : STAGE_NEXT;
}

static Stage
decide_at(Walk *walk, const Address *at)
{
        Entry entry;
        Found found = directory_entry(walk->router->directory, walk->arena, at, &entry, walk->error);

        if (found == FOUND)
                return decide_entry(walk, &entry, at);
        return found == FOUND_FAILED ? STAGE_FAULT : STAGE_NEXT;
}

static Stage
exact(Walk *walk)
{
        return decide_at(walk, &walk->address);
}

static Stage
sub_address(Walk *walk)
{
        Address base = {base_of(walk->address.local), walk->address.domain};

        if (base.local.len == walk->address.local.len)
                return STAGE_NEXT;
        Stage stage = decide_at(walk, &base);
        if (stage == STAGE_DECIDED && walk->route.kind == ROUTE_DELIVER)
                walk->route.detail = span_slice(walk->address.local, base.local.len + 1, walk->address.local.len);
        return stage;
}

/* Where postmaster's mail goes when the domain says nothing of its own. Without that account mail waits: it is never
 * refused. */
static Stage
default_postmaster(Walk *walk)
{
        const Address *postmaster = &walk->router->postmaster;
        Entry entry = {0};
        Found found = FOUND_NOT;

        if (postmaster->local.len > 0)
                found = directory_entry(walk->router->directory, walk->arena, postmaster, &entry, walk->error);
        if (found == FOUND_FAILED)
                return STAGE_FAULT;
        entry.bouncer = NULL;
        entry.group_post = POST_ANYONE;
        say_address(walk, "goes to the postmaster, ", postmaster, "");
        if (found == FOUND && (entry.n_alias > 0 || entry.n_group > 0 || entry.account != NULL))
                return decide_entry(walk, &entry, postmaster);
        say(walk, "which does not exist: deferred", SPAN_EMPTY, "");
        return defer(walk);
}

/* The domain's own postmaster if it has one (RFC 5321 §4.5.1, RFC 2142 §4). */
static Stage
domain_postmaster(Walk *walk)
{
        Address at = {span_of("postmaster"), walk->address.domain};
        Stage stage = decide_at(walk, &at);

        return stage == STAGE_NEXT ? default_postmaster(walk) : stage;
}

static Stage
postmaster(Walk *walk)
{
        Span base = base_of(walk->address.local);

        return span_is(base, "postmaster") || span_is(base, "abuse") ? domain_postmaster(walk) : STAGE_NEXT;
}

static Stage
prefix(Walk *walk)
{
        const Address *targets = NULL;
        gsize n = 0;
        Found found = directory_prefix(walk->router->directory, walk->arena, &walk->address, &targets, &n, walk->error);

        if (found != FOUND)
                return found == FOUND_FAILED ? STAGE_FAULT : STAGE_NEXT;
        say(walk, "a prefix alias covers ", walk->address.local, "");
        return expand(walk, targets, n);
}

static Stage
catchall(Walk *walk)
{
        const Address *targets = NULL;
        gsize n = 0;
        Found found = directory_catchall(walk->router->directory, walk->arena, walk->address.domain, &targets, &n,
                                         walk->error);

        if (found != FOUND)
                return found == FOUND_FAILED ? STAGE_FAULT : STAGE_NEXT;
        if (name_is_reserved(base_of(walk->address.local)))
                return domain_postmaster(walk);
        say(walk, "nobody's: the catch-all of ", walk->address.domain, "");
        walk->route.envelope_header = envelope_header(walk->domain);
        walk->route.is_unknown = TRUE;
        return expand(walk, targets, n);
}

/* Policies -------------------------------------------------------------------------------------------------------- */

/* Where one target of a policy leads; what does not exist yet is waited for. */
static Stage
policy_target(Walk *walk, const Address *target)
{
        Route route;
        WalkFlags ignored;
        RouteKind kind = router_walk(walk->router, walk->arena, target, walk->who,
                                     WALK_OURS | WALK_VIA | WALK_NO_POLICY, NULL, &route, &ignored, walk->error);

        if (kind == ROUTE_FAILED)
                return STAGE_FAULT;
        if (kind == ROUTE_REJECT && route.is_unknown) {
                say_address(walk, "", target, " does not exist yet: deferred");
                return defer(walk);
        }
        walk->route = route;
        for (gsize i = 0; i < route.n_steps && walk->n_steps < STEPS_MAX; i++)
                walk->steps[walk->n_steps++] = route.steps[i];
        return STAGE_DECIDED;
}

static Stage
policy_deliver(Walk *walk, const Policy *policy)
{
        const char *header = envelope_header(walk->domain);

        for (gsize i = 0; i < policy->n_targets; i++) {
                Stage stage = policy_target(walk, &policy->targets[i]);

                if (stage == STAGE_FAULT || walk->route.kind == ROUTE_DEFER)
                        return stage;
        }
        if (policy->n_targets > 1) {
                walk->route = (Route){0};
                walk->members_via = TRUE;
                (void) expand(walk, policy->targets, policy->n_targets);
        }
        walk->route.envelope_header = header;
        walk->route.is_unknown = TRUE;
        return STAGE_DECIDED;
}

static Stage
follow_policy(Walk *walk, const Policy *policy)
{
        switch (policy->word) {
        case POLICY_REJECT:
                say(walk, "nobody's: refused", SPAN_EMPTY, "");
                return unknown(walk);
        case POLICY_BOUNCE:
                say(walk, "nobody's: accepted, then bounced", SPAN_EMPTY, "");
                walk->route.is_unknown = TRUE;
                return answer(walk, ROUTE_BOUNCE, STATUS(550, 5, 1, 1), TEXT_UNKNOWN);
        case POLICY_DELIVER:
                say(walk, "nobody's: unknown=", span_of(walk->domain->unknown), "");
                return policy_deliver(walk, policy);
        case POLICY_DISCARD:
                say(walk, "nobody's: accepted and dropped", SPAN_EMPTY, "");
                walk->route.is_unknown = TRUE;
                return answer(walk, ROUTE_DISCARD, STATUS(250, 2, 0, 0), NULL);
        }
        g_assert_not_reached();
}

static Stage
policy(Walk *walk)
{
        const Policy *policies = NULL;
        gsize n = 0;
        g_autoptr(GError) wrong = NULL;

        if (walk->flags & WALK_NO_POLICY)
                return unknown(walk);
        if (!router_policy_parse(walk->arena, walk->domain->unknown, &policies, &n, &wrong)) {
                say(walk, "its policy can't be read: ", span_of(wrong->message), "");
                return defer(walk);
        }
        if (policies[0].word != POLICY_REJECT && name_is_reserved(base_of(walk->address.local)))
                return domain_postmaster(walk);
        return follow_policy(walk, &policies[0]);
}

/* All of it ------------------------------------------------------------------------------------------------------- */

static Stage (*const STAGES[])(Walk *) = {
        own_names,   look_for_via, route_table, own_names, look_for_domain, exact,
        sub_address, postmaster,   prefix,      catchall,  policy,
};

/* What the route points to moves into the arena where it is not there yet; steps follow those that led here. */
static gboolean
finish(Walk *walk, Route *ret)
{
        Route *route = &walk->route;
        gsize n_before = walk->before != NULL ? walk->before->n_steps : 0;
        const char **steps = arena_new_array(walk->arena, const char *, n_before + walk->n_steps);

        if (steps == NULL)
                return FALSE;
        if (n_before > 0)
                memcpy(steps, walk->before->steps, n_before * sizeof(*steps));
        memcpy(steps + n_before, walk->steps, walk->n_steps * sizeof(*steps));
        route->steps = steps;
        route->n_steps = n_before + walk->n_steps;
        route->address = address_copy(walk->arena, route->address.local.len > 0 ? &route->address : &walk->address);
        route->bouncer = address_copy(walk->arena, &route->bouncer);
        route->detail = arena_copy(walk->arena, route->detail);
        route->next_hop = arena_strdup(walk->arena, route->next_hop);
        *ret = *route;
        return !arena_is_over(walk->arena);
}

RouteKind
router_walk(Router *router, Arena *arena, const Address *rcpt, const Standing *who, WalkFlags flags,
            const Route *before, Route *ret, WalkFlags *ret_flags, GError **error)
{
        Walk walk = {.router = router,
                     .arena = arena,
                     .who = who,
                     .flags = flags,
                     .address = *rcpt,
                     .before = before,
                     .error = error};
        Stage stage = STAGE_NEXT;

        for (gsize i = 0; i < G_N_ELEMENTS(STAGES) && stage == STAGE_NEXT && !arena_is_over(arena); i++)
                stage = STAGES[i](&walk);
        if (stage == STAGE_FAULT)
                return ROUTE_FAILED;
        if (arena_is_over(arena) || !finish(&walk, ret)) {
                (void) fault(error, FAULT_FULL, "no room to decide about an address");
                return ROUTE_FAILED;
        }
        *ret_flags = WALK_OURS | (walk.members_via ? WALK_VIA : 0);
        return ret->kind;
}

/* multidrop.c -- whom was this message for? Only the header's part that the provider wrote is asked (ROUTING.md §5).
 *
 * Each server on the way puts its lines above those it got, so what stands above the (hops+1)-th Received line was
 * written by the provider: the delivery block. Below it anybody may have written anything.
 */
#include "fetch/internal.h"

#include "base/text.h"

#define SHOWN_OCTETS 80

typedef struct Search {
        Arena *arena;
        const Header *header;
        const MultidropSettings *settings;
        gsize received_end; /* index behind the (hops+1)-th Received line */
        gboolean has_block;
        Address *found;
        gsize n_found; /* at most max_recipients + 1 */
        const char *reason;
        gboolean is_foreign; /* the reason is an address of somebody else's domain */
} Search;

static guint
max_recipients(const Search *search)
{
        return MAX(search->settings->max_recipients, 1);
}

/* Where the block ends; FALSE: there are fewer Received lines than hops + 1, so nobody can say. */
static gboolean
find_block(const Header *header, guint hops, gsize *ret_received_end)
{
        guint n = 0;

        for (gsize i = 0; i < header->n_fields; i++)
                if (span_is(header_field_name(header, &header->fields[i]), "Received") && n++ == hops) {
                        *ret_received_end = i + 1;
                        return TRUE;
                }
        return FALSE;
}

static const char *
local_domain(const MultidropSettings *settings, Span domain)
{
        for (gsize i = 0; i < settings->n_domains; i++)
                if (span_is(domain, settings->domains[i].remote))
                        return settings->domains[i].local;
        return NULL;
}

/* qmail's virtual domains write "Delivered-To: USER-LOCAL@DOMAIN". A prefix that ends in a letter or digit is followed
 * by a dash, so that "joe" is no prefix of "joey". */
static gboolean
strip_prefix(const char *prefix, Span *local)
{
        Span p = span_of(prefix);
        Span rest = span_slice(*local, p.len, local->len);

        if (!span_starts_nocase(*local, p))
                return FALSE;
        if (octet_in(&CLASS_ALNUM, p.data[p.len - 1])) {
                if (rest.len == 0 || rest.data[0] != '-')
                        return FALSE;
                rest = span_slice(rest, 1, rest.len);
        }
        *local = rest;
        return rest.len > 0;
}

static gboolean
is_found_already(const Search *search, const Address *address)
{
        for (gsize i = 0; i < search->n_found; i++)
                if (address_equal(&search->found[i], address))
                        return TRUE;
        return FALSE;
}

static void
note_foreign(Search *search, const char *where, const Address *address)
{
        if (search->is_foreign)
                return;
        search->is_foreign = TRUE;
        search->reason =
                arena_printf(search->arena, "%s names %s, not in the domains of this source", where,
                             text_escape_in(search->arena, address_text(search->arena, address), SHOWN_OCTETS));
}

static void
consider(Search *search, const char *where, const char *prefix, Address address)
{
        if (search->n_found > max_recipients(search) || address.local.len == 0 || address.domain.len == 0)
                return;
        const char *local = local_domain(search->settings, address.domain);
        if (local == NULL) {
                note_foreign(search, where, &address);
                return;
        }
        if (prefix != NULL && !strip_prefix(prefix, &address.local))
                return;
        address.domain = span_of(local);
        if (is_found_already(search, &address))
                return;
        if (search->found == NULL)
                search->found = arena_new_array(search->arena, Address, max_recipients(search) + 1);
        if (search->found != NULL)
                search->found[search->n_found++] = address;
}

/* Every address of one field. What is no address is passed over. */
static void
consider_field(Search *search, const Field *field, const char *where, const char *prefix)
{
        ListedAddress *list = NULL;
        gsize n = 0;

        if (!address_list_parse(search->arena, header_field_body(search->header, field), &list, &n))
                return;
        for (gsize i = 0; i < n; i++)
                if (list[i].is_valid)
                        consider(search, where, prefix, list[i].address);
}

static void
search_header(Search *search, const Recipe *recipe)
{
        guint n = 0;

        for (gsize i = 0; i + 1 < search->received_end && search->n_found == 0; i++) {
                const Field *field = &search->header->fields[i];

                if (!span_is(header_field_name(search->header, field), recipe->name))
                        continue;
                n++;
                if (recipe->nth == 0 || recipe->nth == n)
                        consider_field(search, field, recipe->name, recipe->prefix);
        }
        if (search->n_found > 0 || search->is_foreign)
                return;
        if (n == 0)
                search->reason =
                        arena_printf(search->arena, "no %s above the Received line of the provider", recipe->name);
        else if (n < recipe->nth)
                search->reason = arena_printf(search->arena, "only %u %s above the Received line of the provider", n,
                                              recipe->name);
        else
                search->reason = arena_printf(search->arena, "%s holds no address of the expected form", recipe->name);
}

static gboolean
is_listed(const char *const *hosts, Span host)
{
        if (host.len > 0 && host.data[host.len - 1] == '.')
                host.len--;
        for (; *hosts != NULL; hosts++)
                if (span_is(host, *hosts))
                        return TRUE;
        return FALSE;
}

static void
consider_for_clause(Search *search, Span clause)
{
        Address address;

        if (clause.len > 2 && clause.data[0] == '<')
                clause = span_slice(clause, 1, clause.len - 1);
        if (clause.len > 0 && address_parse(search->arena, clause, TRUE, &address) == ADDRESS_OK)
                consider(search, "Received", NULL, address);
}

/* The topmost line written by a listed host decides, with or without a `for`: an older one may be anybody's. */
static void
search_received(Search *search, const Recipe *recipe)
{
        for (gsize i = 0; i < search->received_end; i++) {
                const Field *field = &search->header->fields[i];
                Span by, clause;

                if (!span_is(header_field_name(search->header, field), "Received"))
                        continue;
                received_read(header_field_body(search->header, field), &by, &clause);
                if (!is_listed(recipe->by, by))
                        continue;
                consider_for_clause(search, clause);
                if (search->n_found == 0 && !search->is_foreign)
                        search->reason = "the provider's Received line names no recipient";
                return;
        }
        if (!search->is_foreign)
                search->reason = "no Received line of the provider where it should be";
}

static void
consider_all_fields(Search *search, const char *name)
{
        for (gsize i = 0; i < search->header->n_fields; i++)
                if (span_is(header_field_name(search->header, &search->header->fields[i]), name))
                        consider_field(search, &search->header->fields[i], name, NULL);
}

/* A message that was sent on (RFC 5322 §3.6.6) is for those of its Resent fields; To and Cc are history then. */
static void
search_guess(Search *search, const Recipe *recipe)
{
        for (int is_resent = 1; is_resent >= 0 && search->n_found == 0; is_resent--)
                for (const char *const *name = recipe->fields; *name != NULL; name++)
                        if (g_str_has_prefix(*name, "resent-") == is_resent)
                                consider_all_fields(search, *name);
        if (search->n_found == 0 && !search->is_foreign)
                search->reason = "no address of this source in the fields to guess from";
}

static void
search_recipe(Search *search, const Recipe *recipe)
{
        if (recipe->kind == RECIPE_GUESS)
                search_guess(search, recipe);
        else if (!search->has_block)
                search->reason =
                        arena_printf(search->arena, "fewer than %u Received lines", search->settings->hops + 1);
        else if (recipe->kind == RECIPE_RECEIVED)
                search_received(search, recipe);
        else
                search_header(search, recipe);
}

MultidropAnswer
multidrop_find_in(Arena *arena, const Header *header, const MultidropSettings *settings, const Address **ret,
                  gsize *ret_n, const char **ret_reason)
{
        Search search = {.arena = arena, .header = header, .settings = settings};

        search.has_block = find_block(header, settings->hops, &search.received_end);
        for (gsize i = 0; i < settings->n_recipes && search.n_found == 0; i++)
                search_recipe(&search, &settings->recipes[i]);

        *ret = search.found;
        *ret_n = search.n_found;
        *ret_reason = search.reason;
        if (arena_is_over(arena)) {
                *ret_n = 0;
                *ret_reason = "the header is too complex";
                return MULTIDROP_NONE;
        }
        if (search.n_found > max_recipients(&search)) {
                *ret_n = 0;
                *ret_reason = arena_printf(arena, "more than %u recipients in the header", max_recipients(&search));
                return MULTIDROP_TOO_MANY;
        }
        if (search.n_found > 0) {
                *ret_reason = NULL;
                return MULTIDROP_FOUND;
        }
        if (search.reason == NULL)
                *ret_reason = "no recipe";
        return search.is_foreign ? MULTIDROP_FOREIGN : MULTIDROP_NONE;
}

MultidropAnswer
multidrop_find(Arena *arena, Span header, const MultidropSettings *settings, const Address **ret, gsize *ret_n,
               const char **ret_reason)
{
        Header parsed;

        if (header_parse(arena, header, &parsed))
                return multidrop_find_in(arena, &parsed, settings, ret, ret_n, ret_reason);
        *ret = NULL;
        *ret_n = 0;
        *ret_reason = "the header is too complex";
        return MULTIDROP_NONE;
}

void
multidrop_sender(Arena *arena, const Header *header, guint hops, Address *ret)
{
        gsize received_end;
        Address found = {SPAN_EMPTY, SPAN_EMPTY};
        const Field *field = header_find(header, "Return-Path", 0);

        *ret = found;
        if (field == NULL || !find_block(header, hops, &received_end) || field >= header->fields + received_end)
                return;
        Span text = header_unfold(arena, header_field_body(header, field));
        Scan s = scan_from(text);
        AddressAnswer answer = scan_peek(&s) == '<' ? address_scan_path(arena, &s, TRUE, &found)
                                                    : address_parse(arena, text, TRUE, &found);
        if (answer == ADDRESS_OK && found.domain.len > 0)
                *ret = found;
}

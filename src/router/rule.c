/* rule.c -- one record of the route table: reading, matching, rewriting (ROUTING 2.2).
 *
 *      [NoRelay: | Relay: | RelayAll:] PATTERN = TARGET
 *
 *      PATTERN   <LOCAL@DOMAIN> | DOMAIN           at most one star
 *      TARGET    LOCAL@DOMAIN | DOMAIN | LOCAL[%DOMAIN]@HOST.via | DOMAIN@HOST.via | HOST.via | reject | discard |
 * spamtrap
 *
 * Where `.via` restores local%domain, only the `%` that stands in the record counts: what a star stands for never
 * becomes a domain, so nobody can smuggle one in through a local part.
 */
#include "base/text.h"
#include "router/internal.h"

static gboolean
wrong(GError **error, const char *record, const char *what)
{
        return fault(error, FAULT_INPUT, "%s: %s", record, what);
}

/* Globs ----------------------------------------------------------------------------------------------------------- */

static gboolean
glob_split(Span text, Glob *ret)
{
        const guint8 *star = text.len > 0 ? memchr(text.data, '*', text.len) : NULL;

        *ret = (Glob){text, SPAN_EMPTY, FALSE};
        if (star == NULL)
                return TRUE;
        gsize at = (gsize) (star - text.data);
        *ret = (Glob){span_slice(text, 0, at), span_slice(text, at + 1, text.len), TRUE};
        return memchr(star + 1, '*', text.len - at - 1) == NULL;
}

static gboolean
glob_matches(const Glob *glob, Span text, Span *ret_star)
{
        if (!glob->has_star)
                return span_equal_nocase(glob->before, text);
        if (text.len < glob->before.len + glob->after.len || !span_starts_nocase(text, glob->before))
                return FALSE;
        gsize tail = text.len - glob->after.len;
        *ret_star = span_slice(text, glob->before.len, tail);
        return span_equal_nocase(span_slice(text, tail, text.len), glob->after);
}

/* A copy: the table may go before the address does. */
static Span
glob_fill(const Glob *glob, Arena *arena, Span star)
{
        if (!glob->has_star)
                star = SPAN_EMPTY;

        gsize len = glob->before.len + star.len + glob->after.len;
        guint8 *at = len > 0 ? arena_alloc(arena, len) : NULL;
        if (at == NULL)
                return SPAN_EMPTY;
        if (glob->before.len > 0)
                memcpy(at, glob->before.data, glob->before.len);
        if (star.len > 0)
                memcpy(at + glob->before.len, star.data, star.len);
        if (glob->after.len > 0)
                memcpy(at + glob->before.len + star.len, glob->after.data, glob->after.len);
        return span_make(at, len);
}

static gboolean
read_local(Arena *arena, Span text, Glob *ret)
{
        for (gsize i = 0; i < text.len; i++)
                if (text.data[i] != '.' && !octet_in(&CLASS_ATEXT8, text.data[i]))
                        return FALSE;
        return text.len > 0 && text.len <= ADDRESS_LOCAL_MAX && glob_split(arena_copy(arena, text), ret);
}

/* A name with U-labels can have a star only as its first label: the others change as a whole. */
static gboolean
read_wild_domain(Arena *arena, const Glob *split, Glob *ret)
{
        Span name;
        const char *probe;

        if (split->before.len == 0 && split->after.len > 1 && split->after.data[0] == '.') {
                if (address_parse_domain(arena, span_slice(split->after, 1, split->after.len), &name) != ADDRESS_OK)
                        return FALSE;
                const char *after = arena_printf(arena, ".%.*s", (int) name.len, (const char *) name.data);
                *ret = (Glob){SPAN_EMPTY, span_of(after), TRUE};
                return TRUE;
        }
        probe = arena_printf(arena, "%.*sx%.*s", (int) split->before.len, (const char *) split->before.data,
                             (int) split->after.len, (const char *) split->after.data);
        if (probe == NULL || !text_is_ascii(span_of(probe)) ||
            address_parse_domain(arena, span_of(probe), &name) != ADDRESS_OK)
                return FALSE;
        *ret = (Glob){text_lower(arena, split->before), text_lower(arena, split->after), TRUE};
        return TRUE;
}

static gboolean
read_domain(Arena *arena, Span text, Glob *ret)
{
        Glob split;
        Span name;

        if (text.len == 0 || text.len > ADDRESS_PATH_MAX || !glob_split(text, &split))
                return FALSE;
        if (split.has_star)
                return read_wild_domain(arena, &split, ret);
        if (address_parse_domain(arena, text, &name) != ADDRESS_OK)
                return FALSE;
        *ret = (Glob){arena_copy(arena, name), SPAN_EMPTY, FALSE};
        return TRUE;
}

gboolean
via_strip(Span domain, Span *ret_host)
{
        static const char *const ENDS[] = {"._via", ".via"};

        for (gsize i = 0; i < G_N_ELEMENTS(ENDS); i++) {
                gsize n = strlen(ENDS[i]);

                if (domain.len >= n && span_is(span_slice(domain, domain.len - n, domain.len), ENDS[i])) {
                        *ret_host = span_slice(domain, 0, domain.len - n);
                        return TRUE;
                }
        }
        return FALSE;
}

/* Reading --------------------------------------------------------------------------------------------------------- */

/* The parts before and behind the last `sign`; FALSE when there is none. */
static gboolean
split_last(Span text, guint8 sign, Span *ret_before, Span *ret_behind)
{
        for (gsize i = text.len; i > 0; i--) {
                if (text.data[i - 1] != sign)
                        continue;
                *ret_before = span_slice(text, 0, i - 1);
                *ret_behind = span_slice(text, i, text.len);
                return TRUE;
        }
        return FALSE;
}

static gboolean
unbracket(Span *text)
{
        if (text->len < 2 || text->data[0] != '<' || text->data[text->len - 1] != '>')
                return FALSE;
        *text = span_trim(span_slice(*text, 1, text->len - 1));
        return TRUE;
}

/* A local part may hold '=', so the one behind a closing bracket counts. */
static gboolean
split_record(Span all, Span *ret_pattern, Span *ret_target)
{
        Scan s = scan_from(all);
        const guint8 *mark = scan_mark(&s);
        Span skipped;

        if (scan_peek(&s) == '<' && !scan_until(&s, '>', &skipped))
                return FALSE;
        if (!scan_until(&s, '=', &skipped))
                return FALSE;
        *ret_pattern = span_trim(scan_since(&s, mark));
        (void) scan_octet(&s, '=');
        *ret_target = span_trim(scan_rest(&s));
        return TRUE;
}

static gboolean
read_pattern(Arena *arena, Span pattern, RouteRule *rule, GError **error)
{
        Span local, domain = pattern;

        rule->keeps_local = !unbracket(&pattern);
        if (rule->keeps_local) {
                rule->local = (Glob){SPAN_EMPTY, SPAN_EMPTY, TRUE};
                return read_domain(arena, domain, &rule->domain) ||
                       wrong(error, rule->text, "the left side is <LOCAL@DOMAIN> or a domain, with at most one star");
        }
        if (!split_last(pattern, '@', &local, &domain) || !read_local(arena, local, &rule->local) ||
            !read_domain(arena, domain, &rule->domain) || (rule->local.has_star && rule->domain.has_star))
                return wrong(error, rule->text, "between the brackets stands LOCAL@DOMAIN, with at most one star");
        return TRUE;
}

/* The address itself names the host when nothing else does: a name or, for [IP], a literal; without its port. */
static gboolean
read_host_domain(Arena *arena, Span host, Glob *ret)
{
        Scan s = scan_from(host);
        Span name = host, inner;

        if (scan_word(&s, "mx("))
                return scan_until(&s, ')', &name) && read_domain(arena, name, ret);
        if (scan_octet(&s, '[') && scan_until(&s, ']', &inner)) {
                gboolean is_v6 =
                        memchr(inner.data, ':', inner.len) != NULL && !span_starts_nocase(inner, span_of("IPv6:"));
                const char *text = arena_printf(arena, "[%s%.*s]", is_v6 ? "IPv6:" : "", (int) inner.len,
                                                (const char *) inner.data);

                return read_domain(arena, span_of(text), ret);
        }
        if (scan_until(&s, ':', &inner))
                name = inner;
        return read_domain(arena, name, ret);
}

static gboolean
read_host(Arena *arena, RouteRule *rule, Span host, GError **error)
{
        rule->target = TARGET_VIA;
        rule->host = arena_strndup(arena, host);
        if (rule->host != NULL && router_next_hop_check(rule->host, NULL))
                return TRUE;
        return wrong(error, rule->text,
                     "before .via stands a next hop: HOST, HOST:PORT, [IP], [IP]:PORT or mx(DOMAIN)");
}

/* Target of a record without brackets: the local part is kept. */
static gboolean
read_domain_target(Arena *arena, Span target, RouteRule *rule, GError **error)
{
        static const char WANTED[] =
                "the right side is a domain, DOMAIN@HOST.via, HOST.via, reject, discard or spamtrap";
        Span inner = SPAN_EMPTY, place = target, host;
        gboolean has_inner = split_last(target, '@', &inner, &place);

        rule->to_local = (Glob){SPAN_EMPTY, SPAN_EMPTY, TRUE};
        if (via_strip(place, &host)) {
                gboolean is_read = has_inner ? read_domain(arena, inner, &rule->to_domain)
                                             : read_host_domain(arena, host, &rule->to_domain);

                return is_read ? read_host(arena, rule, host, error) : wrong(error, rule->text, WANTED);
        }
        if (has_inner) {
                Glob plain;

                if (!read_local(arena, inner, &plain) || plain.has_star)
                        return wrong(error, rule->text, WANTED);
                rule->to_local.after =
                        span_of(arena_printf(arena, "%%%.*s", (int) inner.len, (const char *) inner.data));
        }
        return read_domain(arena, place, &rule->to_domain) || wrong(error, rule->text, WANTED);
}

static gboolean
read_address_target(Arena *arena, Span target, RouteRule *rule, GError **error)
{
        static const char WANTED[] =
                "the right side is LOCAL@DOMAIN, LOCAL%DOMAIN@HOST.via, LOCAL@HOST.via, reject, discard or "
                "spamtrap";
        Span local, place, host, domain;

        (void) unbracket(&target);
        if (!split_last(target, '@', &local, &place))
                return wrong(error, rule->text, WANTED);
        if (!via_strip(place, &host))
                return (read_local(arena, local, &rule->to_local) && read_domain(arena, place, &rule->to_domain)) ||
                       wrong(error, rule->text, WANTED);

        gboolean is_read = split_last(local, '%', &local, &domain) ? read_domain(arena, domain, &rule->to_domain)
                                                                   : read_host_domain(arena, host, &rule->to_domain);
        if (!is_read || !read_local(arena, local, &rule->to_local))
                return wrong(error, rule->text, WANTED);
        return read_host(arena, rule, host, error);
}

static gboolean
check_stars(const RouteRule *rule, GError **error)
{
        gboolean is_open = rule->to_domain.has_star || (rule->to_local.has_star && !rule->keeps_local);
        gboolean has_star = rule->domain.has_star || (rule->local.has_star && !rule->keeps_local);

        if (rule->to_domain.has_star && rule->to_local.has_star && !rule->keeps_local)
                return wrong(error, rule->text, "at most one star stands on each side");
        if (is_open && !has_star)
                return wrong(error, rule->text, "a star on the right needs one on the left");
        if (rule->to_domain.has_star && !rule->domain.has_star)
                return wrong(error, rule->text, "a star that stands for a local part can't become a domain");
        return TRUE;
}

static gboolean
read_target(Arena *arena, Span target, RouteRule *rule, GError **error)
{
        if (span_is(target, "reject"))
                return rule->target = TARGET_REJECT, TRUE;
        if (span_is(target, "discard"))
                return rule->target = TARGET_DISCARD, TRUE;
        if (span_is(target, "spamtrap"))
                return rule->target = TARGET_SPAMTRAP, TRUE;
        rule->target = TARGET_ADDRESS;
        return (rule->keeps_local ? read_domain_target(arena, target, rule, error)
                                  : read_address_target(arena, target, rule, error)) &&
               check_stars(rule, error);
}

gboolean
rule_parse(Arena *arena, const char *text, RouteRule *ret, GError **error)
{
        RouteRule rule = {.text = text};
        Scan s = scan_from(span_trim(span_of(text)));
        gboolean no_relay = scan_word(&s, "NoRelay:");
        gboolean relay = !no_relay && (scan_word(&s, "RelayAll:") || scan_word(&s, "Relay:"));
        Span pattern, target;

        if (strlen(text) > RECORD_TEXT_MAX || text_has_control(span_of(text)) || !text_is_utf8(span_of(text)))
                return fault(error, FAULT_INPUT, "a record is one line of at most %d octets", RECORD_TEXT_MAX);
        if (!split_record(span_trim(scan_rest(&s)), &pattern, &target))
                return wrong(error, text, "a record is PATTERN = TARGET");
        if (!read_pattern(arena, pattern, &rule, error) || !read_target(arena, target, &rule, error))
                return FALSE;
        if (arena_is_over(arena))
                return fault(error, FAULT_FULL, "too many records");
        gboolean is_exact = !rule.keeps_local && !rule.local.has_star && !rule.domain.has_star;
        rule.relays_anybody = relay || (is_exact && !no_relay);
        *ret = rule;
        return TRUE;
}

gboolean
router_record_check(Arena *arena, const char *record, GError **error)
{
        RouteRule rule;

        return rule_parse(arena, record, &rule, error);
}

/* Matching -------------------------------------------------------------------------------------------------------- */

gboolean
rule_matches(const RouteRule *rule, const Address *address, Span *ret_star)
{
        Span ignored, star = SPAN_EMPTY;

        if (!glob_matches(&rule->domain, address->domain, &star) ||
            !glob_matches(&rule->local, address->local, rule->keeps_local ? &ignored : &star))
                return FALSE;
        *ret_star = star;
        return TRUE;
}

gboolean
rule_rewrite(const RouteRule *rule, Arena *arena, const Address *address, Span star, Address *ret)
{
        Span domain = glob_fill(&rule->to_domain, arena, star);
        Address made = {glob_fill(&rule->to_local, arena, rule->keeps_local ? address->local : star), SPAN_EMPTY};

        if (made.local.len == 0 || made.local.len > ADDRESS_LOCAL_MAX ||
            address_parse_domain(arena, domain, &made.domain) != ADDRESS_OK)
                return FALSE;
        *ret = made;
        return TRUE;
}

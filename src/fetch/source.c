/* source.c -- what a source means: its keys with their manual, each checked where it is set. */
#include "fetch/internal.h"

#include "base/scan.h"
#include "base/text.h"

#include <arpa/inet.h>

#define PORT_POP3 110
#define PORT_POP3S 995
#define POLL_DEFAULT 300
#define POLL_MIN 10
#define POLL_MAX (7 * 24 * 3600)
#define DOMAINS_MAX 1000
#define HOPS_MAX 20
#define RECIPIENTS_MAX 100
#define KEEP_DAYS_MAX 3650
#define USER_MAX 256
#define SIZE_MAX_OCTETS ((guint64) 1 << 40)

/* In the order of SourceKey. */
const KeyManual FETCH_KEYS[] = {
        {"type", "pop3", "protocol of the account; pop3 by default. imap and odmr are not there yet"},
        {"host", "HOST", "name or address of the provider's server; required"},
        {"port", "PORT", "995 for tls=strict, else 110, by default"},
        {"tls", "strict|starttls|none",
         "strict (the default): TLS from the start on port 995 and other ports that end in 995, elsewhere STARTTLS; "
         "the certificate must be "
         "right. starttls: STARTTLS required. none: no TLS, for loopback hosts, elsewhere only with "
         "allow-plaintext=yes"},
        {"user", "NAME", "name to log in with; required. The password is read from standard input"},
        {"folders", "NAME[,NAME...]", "folders to fetch from: for type=imap only"},
        {"poll", "SECONDS", "time between polls, 10 to 604800; 300 by default"},
        {"owner", "ADDRESS", "all its mail is for this account. Either owner= or domains="},
        {"domains", "REMOTE[:LOCAL][,...]",
         "multidrop: it collects mail for many addresses of these domains; LOCAL is the name of the domain here if it "
         "is another"},
        {"recipe", "'header NAME [nth=N] [prefix=P]'|'received by=HOST[,HOST...]'|'guess to,cc'",
         "multidrop: where the provider wrote the recipient. May be given several times: the first that yields an "
         "address wins"},
        {"hops", "N", "multidrop: Received lines the provider adds above the one of its border; 0 by default"},
        {"max-recipients", "N",
         "multidrop: more recipients than this in one message go to the fallback; 1 by default, at most 100"},
        {"unknown", "postmaster|policy|leave|discard",
         "a found address that nobody has here: to the postmaster (the default), what its domain says (reject meaning "
         "a guarded bounce), "
         "left at the provider, or dropped"},
        {"fallback", "postmaster|ADDRESS|leave",
         "no recipient was found: to the postmaster (the default), to an address, or left"},
        {"foreign", "ignore|postmaster",
         "a found address outside domains=: as if none was found (the default), or to the postmaster"},
        {"keep", "off|forever|DAYS",
         "off (the default): deleted at the provider once it is stored here. forever: never deleted. DAYS: after so "
         "many days"},
        {"max-size", "OCTETS[,leave|delete|headers]",
         "larger messages are left at the provider (the default), deleted there, or only their header is taken"},
        {"allow-plaintext", "yes|no", "yes: tls=none is accepted for a host that is not this machine; no by default"},
        {NULL, NULL, NULL},
};

typedef struct Parse {
        Arena *arena;
        const SourceHouse *house;
        const SourceText *text;
        Source *source;
        GError **error;
} Parse;

static gboolean
wrong(Parse *p, SourceKey key, const char *what)
{
        g_autofree char *shown = text_escape(span_of(p->text->values[key]), 80);

        return fault(p->error, FAULT_INPUT, "%s=%s: %s", FETCH_KEYS[key].key, shown, what);
}

/* TRUE when the value is one of the words, whose index is given. */
static gboolean
one_of(const char *value, const char *const *words, guint *ret)
{
        for (guint i = 0; words[i] != NULL; i++)
                if (g_ascii_strcasecmp(value, words[i]) == 0) {
                        *ret = i;
                        return TRUE;
                }
        return FALSE;
}

static gboolean
number(Parse *p, SourceKey key, guint min, guint max, guint fallback, guint *ret)
{
        const char *value = p->text->values[key];
        guint64 n;

        *ret = fallback;
        if (value == NULL)
                return TRUE;
        if (!span_to_number(span_of(value), max, &n) || n < min) {
                g_autofree char *what = g_strdup_printf("a number from %u to %u is wanted", min, max);
                return wrong(p, key, what);
        }
        *ret = (guint) n;
        return TRUE;
}

/* The server ------------------------------------------------------------------------------------------------------- */

static gboolean
is_loopback_host(const char *host)
{
        struct in6_addr v6;
        struct in_addr v4;

        if (g_ascii_strcasecmp(host, "localhost") == 0)
                return TRUE;
        if (inet_pton(AF_INET, host, &v4) == 1)
                return (ntohl(v4.s_addr) >> 24) == 127;
        return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static gboolean
is_host(Arena *arena, const char *host)
{
        guint8 binary[sizeof(struct in6_addr)];
        Span name;

        if (inet_pton(AF_INET, host, binary) == 1 || inet_pton(AF_INET6, host, binary) == 1)
                return TRUE;
        return host[0] != '[' && address_parse_domain(arena, span_of(host), &name) == ADDRESS_OK;
}

static gboolean
is_this_server(Parse *p)
{
        const Source *source = p->source;

        if (!is_loopback_host(source->host) && g_ascii_strcasecmp(source->host, p->house->hostname) != 0)
                return FALSE;
        for (const guint16 *port = p->house->own_ports; port != NULL && *port != 0; port++)
                if (*port == source->port)
                        return TRUE;
        return FALSE;
}

guint16
source_default_port(const char *tls)
{
        return tls == NULL || g_ascii_strcasecmp(tls, "strict") == 0 ? PORT_POP3S : PORT_POP3;
}

static gboolean
parse_tls(Parse *p)
{
        static const char *const WORDS[] = {"strict", "starttls", "none", NULL}, *const YES_NO[] = {"no", "yes", NULL};
        const char *tls = p->text->values[KEY_TLS], *allow = p->text->values[KEY_ALLOW_PLAINTEXT];
        Source *source = p->source;
        guint word = 0, is_allowed = 0, port;

        if (tls != NULL && !one_of(tls, WORDS, &word))
                return wrong(p, KEY_TLS, "strict, starttls or none");
        if (allow != NULL && !one_of(allow, YES_NO, &is_allowed))
                return wrong(p, KEY_ALLOW_PLAINTEXT, "yes or no");
        if (!number(p, KEY_PORT, 1, 65535, source_default_port(tls), &port))
                return FALSE;
        source->port = (guint16) port;
        source->allow_plaintext = is_allowed;
        source->tls = word == 2                                ? POP3_TLS_NONE
                      : word == 0 && port % 1000 == PORT_POP3S ? POP3_TLS_IMPLICIT
                                                               : POP3_TLS_STARTTLS;
        if (source->tls == POP3_TLS_NONE && !is_allowed && !is_loopback_host(source->host))
                return wrong(p, KEY_TLS,
                             "the password would cross the network in the clear; use tls=strict, or say "
                             "allow-plaintext=yes");
        return TRUE;
}

static gboolean
parse_server(Parse *p)
{
        const char *type = p->text->values[KEY_TYPE], *host = p->text->values[KEY_HOST],
                   *user = p->text->values[KEY_USER];

        if (type != NULL && (g_ascii_strcasecmp(type, "imap") == 0 || g_ascii_strcasecmp(type, "odmr") == 0))
                return wrong(p, KEY_TYPE, "not yet: this version fetches by pop3 only");
        if (type != NULL && g_ascii_strcasecmp(type, "pop3") != 0)
                return wrong(p, KEY_TYPE, "pop3 is the only type there is");
        if (p->text->values[KEY_FOLDERS] != NULL)
                return wrong(p, KEY_FOLDERS, "POP3 knows no folders");
        if (host == NULL)
                return fault(p->error, FAULT_INPUT, "host= is missing: the provider's server");
        if (!is_host(p->arena, host))
                return wrong(p, KEY_HOST, "a host name or an address is wanted");
        if (user == NULL)
                return fault(p->error, FAULT_INPUT, "user= is missing: the name to log in with");
        if (strlen(user) > USER_MAX || text_has_control(span_of(user)))
                return wrong(p, KEY_USER, "at most 256 octets without control characters");
        p->source->host = host;
        p->source->user = user;
        if (!parse_tls(p) || !number(p, KEY_POLL, POLL_MIN, POLL_MAX, POLL_DEFAULT, &p->source->poll_seconds))
                return FALSE;
        return !is_this_server(p) ||
               wrong(p, KEY_HOST, "with this port it is this very server: its mail would go round in a circle");
}

/* Whom it is for --------------------------------------------------------------------------------------------------- */

static gboolean
parse_domain(Parse *p, Span text, const char **ret)
{
        Span name;

        if (text.len == 0 || text.data[0] == '[' || address_parse_domain(p->arena, text, &name) != ADDRESS_OK)
                return wrong(p, KEY_DOMAINS, "REMOTE or REMOTE:LOCAL, both names of domains, with commas between");
        *ret = arena_strndup(p->arena, name);
        return *ret != NULL || fault(p->error, FAULT_BUSY, "too many domains");
}

static gboolean
parse_domain_pair(Parse *p, Span pair, DomainMap *ret)
{
        Scan s = scan_from(pair);
        Span remote = pair, local;

        if (scan_until(&s, ':', &remote) && scan_skip(&s, 1))
                local = scan_rest(&s);
        else
                local = remote = pair;
        return parse_domain(p, span_trim(remote), &ret->remote) && parse_domain(p, span_trim(local), &ret->local);
}

static gboolean
parse_domains(Parse *p)
{
        g_auto(GStrv) pairs = g_strsplit(p->text->values[KEY_DOMAINS], ",", DOMAINS_MAX + 1);
        gsize n = g_strv_length(pairs);
        DomainMap *maps = arena_new_array(p->arena, DomainMap, MAX(n, 1));

        if (n > DOMAINS_MAX || maps == NULL)
                return wrong(p, KEY_DOMAINS, "at most 1000 domains");
        for (gsize i = 0; i < n; i++)
                if (!parse_domain_pair(p, arena_copy(p->arena, span_of(pairs[i])), &maps[i]))
                        return FALSE;
        p->source->multidrop.domains = maps;
        p->source->multidrop.n_domains = n;
        return n > 0 || wrong(p, KEY_DOMAINS, "at least one domain");
}

static gboolean
parse_recipes(Parse *p)
{
        const SourceText *text = p->text;
        Recipe *recipes = arena_new_array(p->arena, Recipe, SOURCE_RECIPES_MAX);

        if (text->n_recipes == 0)
                return fault(p->error, FAULT_INPUT,
                             "recipe= is missing: where does the provider write the recipient? For instance "
                             "recipe='header X-Envelope-To'");
        for (gsize i = 0; i < text->n_recipes; i++)
                if (recipes == NULL || !recipe_parse(p->arena, text->recipes[i], &recipes[i], p->error)) {
                        fault_prefix(p->error, "recipe=%s: ", text->recipes[i]);
                        return FALSE;
                }
        p->source->multidrop.recipes = recipes;
        p->source->multidrop.n_recipes = text->n_recipes;
        return TRUE;
}

static gboolean
parse_address(Parse *p, SourceKey key, Address *ret)
{
        Span text = arena_copy(p->arena, span_of(p->text->values[key]));

        return (text.len > 0 && address_parse(p->arena, text, TRUE, ret) == ADDRESS_OK && ret->domain.len > 0) ||
               wrong(p, key, "an address LOCAL@DOMAIN is wanted");
}

static gboolean
parse_owner(Parse *p)
{
        Address *owner = arena_new0(p->arena, Address);

        p->source->owner = owner;
        if (p->text->n_recipes > 0)
                return fault(p->error, FAULT_INPUT,
                             "recipe= goes with domains=: all mail of a source with owner= is the owner's");
        return owner != NULL && parse_address(p, KEY_OWNER, owner);
}

static gboolean
parse_addressees(Parse *p)
{
        const char *owner = p->text->values[KEY_OWNER], *domains = p->text->values[KEY_DOMAINS];
        MultidropSettings *multidrop = &p->source->multidrop;

        if ((owner == NULL) == (domains == NULL))
                return fault(p->error, FAULT_INPUT,
                             "either owner=ADDRESS (all is for one account) or domains=DOMAIN with recipe= (multidrop) "
                             "is wanted%s",
                             owner != NULL ? ", not both" : "");
        if (!number(p, KEY_HOPS, 0, HOPS_MAX, 0, &multidrop->hops) ||
            !number(p, KEY_MAX_RECIPIENTS, 1, RECIPIENTS_MAX, 1, &multidrop->max_recipients))
                return FALSE;
        return owner != NULL ? parse_owner(p) : parse_domains(p) && parse_recipes(p);
}

/* What happens to it ----------------------------------------------------------------------------------------------- */

static gboolean
parse_fallback(Parse *p)
{
        static const char *const WORDS[] = {"postmaster", "leave", NULL};
        const char *value = p->text->values[KEY_FALLBACK];
        guint word = 0;

        if (value == NULL || one_of(value, WORDS, &word)) {
                p->source->fallback = (SourceFallback) word;
                return TRUE;
        }
        p->source->fallback = FALLBACK_ADDRESS;
        return parse_address(p, KEY_FALLBACK, &p->source->fallback_address);
}

static gboolean
parse_keep(Parse *p)
{
        static const char *const WORDS[] = {"off", "forever", NULL};
        const char *value = p->text->values[KEY_KEEP];
        guint word = 0;
        guint64 days;

        if (value == NULL || one_of(value, WORDS, &word)) {
                p->source->keep = (SourceKeep) word;
                return TRUE;
        }
        if (!span_to_number(span_of(value), KEEP_DAYS_MAX, &days) || days == 0)
                return wrong(p, KEY_KEEP, "off, forever, or a number of days from 1 to 3650");
        p->source->keep = KEEP_DAYS;
        p->source->keep_days = (guint) days;
        return TRUE;
}

static gboolean
parse_max_size(Parse *p)
{
        static const char *const WORDS[] = {"leave", "delete", "headers", NULL};
        const char *value = p->text->values[KEY_MAX_SIZE];
        Scan s = scan_from(span_of(value));
        guint word = 0;

        if (value == NULL)
                return TRUE;
        if (!scan_number(&s, SIZE_MAX_OCTETS, &p->source->max_size) || p->source->max_size == 0 ||
            (!scan_at_end(&s) && (!scan_octet(&s, ',') || !one_of((const char *) s.at, WORDS, &word))))
                return wrong(p, KEY_MAX_SIZE, "a number of octets is wanted, then ,leave or ,delete or ,headers");
        p->source->oversize = (SourceOversize) word;
        return TRUE;
}

static gboolean
parse_fates(Parse *p)
{
        static const char *const UNKNOWN[] = {"postmaster", "policy", "leave", "discard", NULL}, *const FOREIGN[] = {
                                                                                                         "ignore",
                                                                                                         "postmaster",
                                                                                                         NULL};
        const char *unknown = p->text->values[KEY_UNKNOWN], *foreign = p->text->values[KEY_FOREIGN];
        guint word = 0;

        if (unknown != NULL && !one_of(unknown, UNKNOWN, &word))
                return wrong(p, KEY_UNKNOWN, "postmaster, policy, leave or discard");
        p->source->unknown = (SourceUnknown) word;
        word = 0;
        if (foreign != NULL && !one_of(foreign, FOREIGN, &word))
                return wrong(p, KEY_FOREIGN, "ignore or postmaster");
        p->source->foreign_to_postmaster = word == 1;
        return parse_fallback(p) && parse_keep(p) && parse_max_size(p);
}

gboolean
source_parse(Arena *arena, const SourceHouse *house, const SourceText *text, Source *ret, GError **error)
{
        Source source = {.id = text->id, .name = text->name, .secret = text->secret};
        Parse p = {arena, house, text, &source, error};

        if (!parse_server(&p) || !parse_addressees(&p) || !parse_fates(&p))
                return FALSE;
        if (arena_is_over(arena))
                return fault(error, FAULT_INPUT, "its settings are too long");
        *ret = source;
        return TRUE;
}

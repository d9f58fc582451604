/* settings.c -- restante.conf, read by its table. */
#include "app/settings.h"
#include "base/arena.h"
#include "base/text.h"
#include "imap/imap.h"
#include "mail/address.h"
#include "net/address.h"
#include "net/local.h"
#include "net/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CONF_OCTETS (256 * 1024)

const char *const DOOR_NAMES[DOOR_KINDS] = {"smtp", "submission", "submissions", "lmtp",
                                            "imap", "imaps",      "pop3",        "pop3s"};
const guint16 DOOR_PORTS[DOOR_KINDS] = {25, 587, 465, 0, 143, 993, 110, 995};
const guint16 DOOR_LOOPBACK_PORTS[DOOR_KINDS] = {2525, 2587, 2465, 2524, 2143, 2993, 2110, 2995};

/* Setters: one for each form of value. They fill *error with what would be right; the place is put before it. */

#define FIELD(settings, setting, Type) ((Type *) (void *) ((char *) (settings) + (setting)->offset))

static gboolean
set_text(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        char **field = FIELD(settings, setting, char *);

        g_free(*field);
        *field = entry->value[0] != '\0' ? g_strdup(entry->value) : NULL;
        return TRUE;
}

static gboolean
set_path(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        char **field = FIELD(settings, setting, char *);

        g_free(*field);
        *field = entry->value[0] == '\0' ? NULL : g_canonicalize_filename(entry->value, settings->dir);
        if (strcmp(entry->key, "certificate") == 0 && entry->line > 0)
                settings->tls_line = entry->line;
        if (strcmp(entry->section, "oauth") == 0)
                settings->oauth_line = entry->line;
        return TRUE;
}

static gboolean
address_is_numeric(const char *text)
{
        guint8 octets[16];

        return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}

static gboolean
set_hostname(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        g_autoptr(Arena) arena = arena_new(16 * 1024);
        char **field = FIELD(settings, setting, char *);
        Span domain;

        if (address_parse_domain(arena, span_of(entry->value), &domain) != ADDRESS_OK || domain.data[0] == '[' ||
            address_is_numeric(entry->value))
                return fault(error, FAULT_INPUT, "give a host name such as mail.example.com");
        g_free(*field);
        *field = span_dup(domain);
        return TRUE;
}

static gboolean
set_address(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        g_autoptr(Arena) arena = arena_new(16 * 1024);
        char **field = FIELD(settings, setting, char *);
        Address address;

        if (entry->value[0] != '\0' && (address_parse(arena, span_of(entry->value), TRUE, &address) != ADDRESS_OK ||
                                        address.domain.len == 0 || address.domain.data[0] == '['))
                return fault(error, FAULT_INPUT, "give an address such as joe@example.com");
        g_free(*field);
        *field = entry->value[0] != '\0' ? g_strdup(entry->value) : NULL;
        return TRUE;
}

#define OAUTH_OCTETS_MAX 500 /* clients are told some of it in one line of base64 */

/* Printable ASCII; with spaces only where the form has them. */
static gboolean
is_printable(const char *text, gboolean with_spaces)
{
        for (const char *c = text; *c != '\0'; c++)
                if (*c < (with_spaces ? ' ' : '!') || *c > '~' || *c == '"' || *c == '\\')
                        return FALSE;
        return strlen(text) <= OAUTH_OCTETS_MAX;
}

static gboolean
set_word(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        if (!is_printable(entry->value, FALSE))
                return fault(error, FAULT_INPUT, "give at most %d printable characters without spaces, quotes and \\",
                             OAUTH_OCTETS_MAX);
        return set_text(setting, settings, entry, error);
}

static gboolean
set_claim(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        if (entry->value[0] == '\0')
                return fault(error, FAULT_INPUT, "give the name of a claim, such as email");
        return set_word(setting, settings, entry, error);
}

/* "mail, imap.example.com" */
static gboolean
set_audience(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        gsize n = strspn(entry->value, ", ");

        if (!is_printable(entry->value, TRUE) || (n > 0 && entry->value[n] == '\0'))
                return fault(error, FAULT_INPUT,
                             "give one name or more, of printable characters without quotes and \\, at most %d in all",
                             OAUTH_OCTETS_MAX);
        return set_text(setting, settings, entry, error);
}

static gboolean
set_words(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        if (!is_printable(entry->value, TRUE))
                return fault(error, FAULT_INPUT,
                             "give words of printable characters without quotes and \\, at most %d in all",
                             OAUTH_OCTETS_MAX);
        return set_text(setting, settings, entry, error);
}

static gboolean
set_next_hop(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        if (entry->value[0] != '\0' && !router_next_hop_check(entry->value, error))
                return FALSE;
        return set_text(setting, settings, entry, error);
}

static gboolean
set_resolver(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        if (entry->value[0] != '\0' && !resolver_server_is_right(entry->value))
                return fault(error, FAULT_INPUT,
                             "give the address of a DNS server, ADDRESS or ADDRESS@PORT, such as 192.0.2.53");
        return set_text(setting, settings, entry, error);
}

static gboolean
set_yes_no(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        if (strcmp(entry->value, "yes") != 0 && strcmp(entry->value, "no") != 0)
                return fault(error, FAULT_INPUT, "give yes or no");
        *FIELD(settings, setting, gboolean) = entry->value[0] == 'y';
        return TRUE;
}

static gboolean
set_number(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        guint64 n;

        if (!span_to_number(span_of(entry->value), setting->max, &n) || n < setting->min)
                return fault(error, FAULT_INPUT, "give a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                             setting->min, setting->max);
        *FIELD(settings, setting, guint64) = n;
        return TRUE;
}

/* 4096, 64K, 50M, 2G. */
static gboolean
set_size(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        static const char UNITS[] = "KMG";
        gsize len = strlen(entry->value);
        const char *unit = len > 0 ? strchr(UNITS, g_ascii_toupper(entry->value[len - 1])) : NULL;
        guint shift = unit != NULL && *unit != '\0' ? 10 * (guint) (unit - UNITS + 1) : 0;
        guint64 n;

        if (!span_to_number(span_make(entry->value, len - (shift > 0 ? 1 : 0)), setting->max >> shift, &n) ||
            n << shift < setting->min)
                return fault(error, FAULT_INPUT,
                             "give octets, with K, M or G behind them if you like, from %" G_GUINT64_FORMAT
                             " to %" G_GUINT64_FORMAT "M",
                             setting->min, setting->max >> 20);
        *FIELD(settings, setting, guint64) = n << shift;
        return TRUE;
}

static const char *const LEVELS[] = {"error", "warning", "info", "debug"};

static gboolean
set_log_level(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        for (guint i = 0; i < G_N_ELEMENTS(LEVELS); i++)
                if (strcmp(entry->value, LEVELS[i]) == 0) {
                        *FIELD(settings, setting, LogLevel) = (LogLevel) i;
                        return TRUE;
                }
        return fault(error, FAULT_INPUT, "give error, warning, info or debug");
}

static gboolean
set_bare_newline(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        if (strcmp(entry->value, "refuse") != 0 && strcmp(entry->value, "normalise") != 0)
                return fault(error, FAULT_INPUT, "give refuse or normalise");
        *FIELD(settings, setting, gboolean) = entry->value[0] == 'n';
        return TRUE;
}

/* "QRESYNC client=Outlook/16*, UTF8=ACCEPT account=joe@example.com, NOTIFY" */
static gboolean
set_imap_off(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        g_auto(GStrv) rules = g_strsplit(entry->value, ",", -1);

        if (!imap_check_off((const char *const *) rules, error))
                return FALSE;
        return set_text(setting, settings, entry, error);
}

/* One way to write each, so that equal addresses are equal text. */
static char *
address_plain(const char *address)
{
        char text[ADDRESS_TEXT_OCTETS];
        struct sockaddr_storage ip;
        socklen_t len;

        if (!address_is_numeric(address) || !net_address_parse(address, 0, &ip, &len))
                return NULL;
        /* Mapped ones stay what they are: they are bound as IPv6. */
        return g_str_has_prefix(address, "::ffff:") ? g_strdup(address) : g_strdup(net_address_text(&ip, text));
}

/* "127.0.0.1:2525", "[::1]:2525", "unix:lmtp". */
static gboolean
listen_one(const Settings *settings, const char *word, ListenAddress *ret, GError **error)
{
        const char *colon = strrchr(word, ':');
        guint64 port;

        if (g_str_has_prefix(word, "unix:") && word[5] != '\0') {
                g_autofree char *path =
                        g_canonicalize_filename(word + 5, settings->data != NULL ? settings->data : settings->dir);
                if (strlen(path) >= sizeof(((struct sockaddr_un *) NULL)->sun_path))
                        return fault(error, FAULT_INPUT, "'%s': the path of a socket has at most %d octets", path,
                                     (int) sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1);
                *ret = (ListenAddress){g_strconcat("unix:", path, NULL), 0};
                return TRUE;
        }
        if (colon == NULL || !span_to_number(span_of(colon + 1), 65535, &port) || port == 0)
                return fault(error, FAULT_INPUT,
                             "'%s': give ADDRESS:PORT, such as 127.0.0.1:2525 or [::1]:2525, or unix:PATH; a port is 1 "
                             "to 65535",
                             word);
        gboolean is_bracketed = word[0] == '[' && colon > word && colon[-1] == ']';
        g_autofree char *inner =
                g_strndup(word + (is_bracketed ? 1 : 0), (gsize) (colon - word) - (is_bracketed ? 2 : 0));
        g_autofree char *address = address_plain(inner);
        if (address == NULL || (strchr(inner, ':') != NULL) != is_bracketed)
                return fault(error, FAULT_INPUT, "'%s': give a numeric address, IPv6 in brackets, or unix:PATH", word);
        *ret = (ListenAddress){g_steal_pointer(&address), (guint16) port};
        return TRUE;
}

static void
listen_clear(ListenList *list)
{
        for (guint i = 0; i < list->n; i++)
                g_free(list->at[i].address);
        memset(list, 0, sizeof(*list));
}

/* LMTP hands in without asking who: it never stands open to the network. */
static gboolean
listen_is_local(const ListenAddress *at)
{
        return g_str_has_prefix(at->address, "unix:") || g_str_has_prefix(at->address, "127.") ||
               strcmp(at->address, "::1") == 0;
}

static gboolean
set_listen(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error)
{
        ListenList *list = FIELD(settings, setting, ListenList);
        g_auto(GStrv) words = g_strsplit_set(entry->value, ", \t", 64);
        gboolean is_off = FALSE;

        listen_clear(list);
        list->line = entry->line;
        for (gsize i = 0; words[i] != NULL; i++) {
                is_off |= strcmp(words[i], "off") == 0;
                if (words[i][0] == '\0' || strcmp(words[i], "off") == 0)
                        continue;
                if (list->n == LISTEN_MAX)
                        return fault(error, FAULT_INPUT, "at most %d addresses", LISTEN_MAX);
                if (!listen_one(settings, words[i], &list->at[list->n], error))
                        return FALSE;
                list->n++;
                if (strcmp(entry->key, "lmtp") == 0 && !listen_is_local(&list->at[list->n - 1]))
                        return fault(error, FAULT_INPUT, "'%s': LMTP listens on loopback addresses or unix:PATH only",
                                     words[i]);
        }
        return !is_off || list->n == 0 || fault(error, FAULT_INPUT, "give off or addresses, not both");
}

/* The table ----------------------------------------------------------------------------------------------------- */

#define AT(field) G_STRUCT_OFFSET(Settings, field)
#define LISTEN_FORM "ADDRESS:PORT[, ...]"

const Setting SETTINGS[] = {
        {"site", "hostname", "HOST", NULL,
         "Name of this server, in its greetings, its Received lines and its certificate.", set_hostname, AT(hostname),
         0, 0},
        {"site", "data", "DIRECTORY", "data",
         "Everything the site keeps: database, message bodies, keys. Changing it needs a restart.", set_path, AT(data),
         0, 0},
        {"site", "control", "PATH", "control",
         "Socket that the command line talks to. Anybody may connect; only root and the server's user may do more than "
         "send mail as themselves. Changing it needs a restart.",
         set_path, AT(control), 0, 0},
        {"site", "user", "NAME", NULL,
         "User the server runs as when it is started by root. Changing it needs a restart.", set_text, AT(user), 0, 0},
        {"site", "loopback", "yes|no", "no",
         "A site for one machine: passwords without TLS are allowed from 127.0.0.0/8, and 127.0.0.1 is exempt from "
         "connection limits and login delays.",
         set_yes_no, AT(is_loopback), 0, 0},
        {"site", "postmaster", "ADDRESS", NULL,
         "Account that gets what is for postmaster and abuse; postmaster@ the host name without it.", set_address,
         AT(postmaster), 0, 0},
        {"site", "smart-host", "NEXTHOP", NULL,
         "Where mail for other domains is sent, HOST[:PORT], [IP][:PORT] or mx(DOMAIN). Without it, the MX of each "
         "domain.",
         set_next_hop, AT(smart_host), 0, 0},

        {"listen", "smtp", LISTEN_FORM, NULL, "Mail from other servers.", set_listen, AT(doors[DOOR_SMTP]), 0, 0},
        {"listen", "submission", LISTEN_FORM, NULL, "Mail from our own users, after STARTTLS and login.", set_listen,
         AT(doors[DOOR_SUBMISSION]), 0, 0},
        {"listen", "submissions", LISTEN_FORM, NULL, "The same with TLS from the first octet.", set_listen,
         AT(doors[DOOR_SUBMISSIONS]), 0, 0},
        {"listen", "lmtp", LISTEN_FORM " or unix:PATH", NULL,
         "Mail from a local server that we trust. Loopback addresses or unix:PATH only; a relative path counts from "
         "the data directory.",
         set_listen, AT(doors[DOOR_LMTP]), 0, 0},
        {"listen", "imap", LISTEN_FORM, NULL, "Reading mail, after STARTTLS.", set_listen, AT(doors[DOOR_IMAP]), 0, 0},
        {"listen", "imaps", LISTEN_FORM, NULL, "Reading mail with TLS from the first octet.", set_listen,
         AT(doors[DOOR_IMAPS]), 0, 0},
        {"listen", "pop3", LISTEN_FORM, NULL, "Fetching mail by POP3, after STLS.", set_listen, AT(doors[DOOR_POP3]), 0,
         0},
        {"listen", "pop3s", LISTEN_FORM, NULL, "The same with TLS from the first octet.", set_listen,
         AT(doors[DOOR_POP3S]), 0, 0},

        {"tls", "certificate", "FILE", "certificate.pem", "Certificate chain in PEM form.", set_path, AT(certificate),
         0, 0},
        {"tls", "key", "FILE", "key.pem", "Its private key.", set_path, AT(key), 0, 0},
        {"tls", "authorities", "FILE", NULL,
         "Certificates in PEM form that are trusted beside the system's when this server connects to others.", set_path,
         AT(authorities), 0, 0},

        {"limits", "message-size", "OCTETS", "50M", "Largest message that is taken.", set_size, AT(message_size),
         64 * 1024, (guint64) 2 << 30},
        {"limits", "recipients", "N", "1000", "Most recipients of one message.", set_number, AT(recipients), 100,
         10000},
        {"limits", "connections", "N", "25000", "Most connections in all.", set_number, AT(connections), 1, 1000000},
        {"limits", "connections-per-address", "N", "100", "Most connections of one client address.", set_number,
         AT(connections_per_address), 1, 1000000},
        {"limits", "connections-per-second", "N", "50", "Most new connections of one client address in a second.",
         set_number, AT(connections_per_second), 1, 1000000},
        {"limits", "workers", "N", "128", "Most threads that serve connections.", set_number, AT(workers), 2, 4096},
        {"limits", "disk-minimum", "OCTETS", "256M",
         "While less than this, or less than 2 % of the disk, is free, new mail is refused with 452; reading and "
         "deleting go on.",
         set_size, AT(disk_minimum), 0, (guint64) 1 << 40},

        {"smtp", "bare-newline", "refuse|normalise", "refuse",
         "What happens to mail from other servers in which a line ends in a bare CR or LF.", set_bare_newline,
         AT(bare_newline_normalise), 0, 0},

        {"oauth", "issuer", "URL", NULL,
         "Whose access tokens log in (OAUTHBEARER, RFC 7628): signed JWTs with exactly this in iss. Without it no "
         "tokens "
         "are taken, and the mechanism is not offered.",
         set_word, AT(oauth_issuer), 0, 0},
        {"oauth", "audience", "NAME[, ...]", NULL,
         "What tokens for this server have in aud: one of these. A token for something else does not open mailboxes.",
         set_audience, AT(oauth_audience), 0, 0},
        {"oauth", "keys", "FILE", NULL,
         "The issuer's keys, a JWK Set (RFC 7517) as its jwks_uri gives it, for RS256, RS384, RS512, PS256, ES256, "
         "ES384, "
         "EdDSA, and HS256 with keys of type oct. It is read at the start and with every reload; nothing is fetched. "
         "When "
         "the issuer changes keys, put the new ones there and reload, and leave the old ones in as long as their "
         "tokens "
         "last. A file in another directory than those named at the start needs a restart.",
         set_path, AT(oauth_keys), 0, 0},
        {"oauth", "account-claim", "NAME", "email",
         "Claim of a token that has the address one logs in with. It must be one that people can't choose for "
         "themselves at the issuer.",
         set_claim, AT(oauth_account_claim), 0, 0},
        {"oauth", "scope", "WORD[ ...]", NULL,
         "What scope of a token must contain, every word of it; clients that fail are told.", set_words,
         AT(oauth_scope), 0, 0},
        {"oauth", "discovery", "URL", NULL,
         "Where clients that fail learn how tokens are had: .../.well-known/openid-configuration of the issuer.",
         set_word, AT(oauth_discovery), 0, 0},

        {"imap", "off", "CAPABILITY [client=NAME/VERSION|account=ADDRESS][, ...]", NULL,
         "Extensions that are neither offered nor taken, as if the server had never had them: for all, for clients "
         "that "
         "call themselves so (ID command, seen in the log as id=), or for accounts. * stands for anything. What needs "
         "an "
         "extension goes with it. IMAP4rev1 or IMAP4rev2 may be among them, not both.",
         set_imap_off, AT(imap_off), 0, 0},
        {"imap", "message-limit", "N", "0",
         "Most messages that one command may work on (RFC 9738); 0: as many as there are.", set_number,
         AT(imap_message_limit), 0, 1000000},

        {"resolver", "server", "ADDRESS[@PORT]", NULL, "Name server to ask, instead of those of /etc/resolv.conf.",
         set_resolver, AT(resolver_server), 0, 0},

        {"fetch", "parallel", "N", "8", "Most external accounts that are fetched at the same time.", set_number,
         AT(fetch_parallel), 1, 256},

        {"store", "undelete-days", "N", "7",
         "How long expunged messages and deleted mailboxes can be brought back; 0: not at all. They take room on the "
         "disk until "
         "then, but not in the quota, and go at once when the disk is nearly full.",
         set_number, AT(undelete_days), 0, 3650},
        {"trace", "days", "N", "30", "How long is remembered where messages went and why.", set_number, AT(trace_days),
         1, 3650},

        {"log", "level", "error|warning|info|debug", "info", "What is written to the log (stderr).", set_log_level,
         AT(log_level), 0, 0},
        {NULL},
};

G_STATIC_ASSERT(G_N_ELEMENTS(SETTINGS) <= SETTINGS_MAX);

static const Setting *
setting_find(const char *section, const char *key)
{
        for (const Setting *s = SETTINGS; s->key != NULL; s++)
                if (strcmp(s->section, section) == 0 && (key == NULL || strcmp(s->key, key) == 0))
                        return s;
        return NULL;
}

/* "smtp, pop3, ..." of a section, or the sections. */
static char *
setting_names(const char *section)
{
        GString *names = g_string_new(NULL);
        const char *last = "";

        for (const Setting *s = SETTINGS; s->key != NULL; s++) {
                if (section != NULL ? strcmp(s->section, section) != 0 : strcmp(s->section, last) == 0)
                        continue;
                last = s->section;
                g_string_append_printf(names, section != NULL ? "%s%s" : "%s[%s]", names->len > 0 ? ", " : "",
                                       section != NULL ? s->key : s->section);
        }
        return g_string_free(names, FALSE);
}

char *
settings_place(const Settings *settings, guint line)
{
        return line > 0 ? g_strdup_printf("%s:%u", settings->path, line) : g_strdup(settings->path);
}

char *
settings_where(const Settings *settings, const char *section, const char *key)
{
        const Setting *setting = setting_find(section, key);
        g_autofree char *place = settings_place(settings, setting != NULL ? settings->lines[setting - SETTINGS] : 0);

        return g_strdup_printf("%s: [%s] %s", place, section, key);
}

/* Of two lines for one setting only one could be meant. */
static gboolean
settings_take(Settings *settings, const Setting *setting, const ConfEntry *entry, GError **error)
{
        guint *line = &settings->lines[setting - SETTINGS];

        if (*line != 0)
                return fault(error, FAULT_INPUT, "stands in line %u too; leave one of them", *line);
        *line = entry->line;
        return setting->set(setting, settings, entry, error);
}

static gboolean
settings_entry(Settings *settings, const ConfEntry *entry, GError **error)
{
        const Setting *setting = setting_find(entry->section, entry->key);

        if (setting != NULL) {
                if (settings_take(settings, setting, entry, error))
                        return TRUE;
                fault_prefix(error, "%s:%u: [%s] %s = %s: ", settings->path, entry->line, entry->section, entry->key,
                             entry->value);
                return FALSE;
        }
        gboolean has_section = setting_find(entry->section, NULL) != NULL;
        g_autofree char *names = setting_names(has_section ? entry->section : NULL);
        if (entry->section[0] == '\0')
                return fault(error, FAULT_INPUT, "%s:%u: %s stands before the first section; sections are %s",
                             settings->path, entry->line, entry->key, names);
        if (!has_section)
                return fault(error, FAULT_INPUT,
                             "%s:%u: %s stands in [%s], and there is no such section; sections are %s", settings->path,
                             entry->line, entry->key, entry->section, names);
        return fault(error, FAULT_INPUT, "%s:%u: there is no setting %s in [%s]; its settings are %s", settings->path,
                     entry->line, entry->key, entry->section, names);
}

/* Standards first, in the table's order, so that paths that count from others find them. */
static gboolean
settings_defaults(Settings *settings, GError **error)
{
        for (const Setting *s = SETTINGS; s->key != NULL; s++) {
                ConfEntry entry = {s->section, s->key, s->standard, 0};
                if (s->standard != NULL && !s->set(s, settings, &entry, error))
                        return FALSE;
        }
        return TRUE;
}

/* FILE:LINE: [SECTION] KEY before the words. */
static gboolean G_GNUC_PRINTF(5, 6) settings_fault(const Settings *settings, const char *section, const char *key,
                                                   GError **error, const char *format, ...)
{
        g_autofree char *where = settings_where(settings, section, key);
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        return fault(error, FAULT_INPUT, "%s%s", where, text);
}

/* The paths nothing goes without. */
static gboolean
settings_finish_paths(const Settings *s, GError **error)
{
        const struct {
                const char *section, *key, *value;
        } needed[] = {{"site", "data", s->data},
                      {"site", "control", s->control},
                      {"tls", "certificate", s->certificate},
                      {"tls", "key", s->key}};

        for (guint i = 0; i < G_N_ELEMENTS(needed); i++)
                if (needed[i].value == NULL)
                        return settings_fault(s, needed[i].section, needed[i].key, error,
                                              " =: can't be empty; give a path, or leave the line out");
        return TRUE;
}

/* Who has this address of a door already? NULL: nobody. Each pair is looked at once. */
static const char *
listen_taken(const Settings *settings, guint door, guint place)
{
        const ListenAddress *at = &settings->doors[door].at[place];

        for (guint d = 0; d <= door; d++)
                for (guint i = 0; i < (d == door ? place : settings->doors[d].n); i++) {
                        const ListenAddress *other = &settings->doors[d].at[i];
                        if (other->port == at->port && strcmp(other->address, at->address) == 0)
                                return DOOR_NAMES[d];
                }
        return NULL;
}

/* A socket has one door; looked at when all of the file is known. */
static gboolean
settings_finish_doors(const Settings *s, GError **error)
{
        for (guint door = 0; door < DOOR_KINDS; door++)
                for (guint i = 0; i < s->doors[door].n; i++) {
                        const ListenAddress *at = &s->doors[door].at[i];
                        const char *taken = listen_taken(s, door, i);

                        if (taken != NULL)
                                return settings_fault(s, "listen", DOOR_NAMES[door], error,
                                                      ": %s port %u is %s's already; name it once", at->address,
                                                      at->port, taken);
                }
        return TRUE;
}

/* Mail for elsewhere that is sent to ourselves goes round and round (ROUTING 3). */
static gboolean
settings_finish_smart_host(const Settings *s, GError **error)
{
        g_autoptr(Arena) arena = arena_new(256 * 1024);
        RouterSettings own;

        if (s->smart_host == NULL || !settings_router(s, arena, &own) || !router_next_hop_is_own(&own, s->smart_host))
                return TRUE;
        return settings_fault(s, "site", "smart-host", error,
                              " = %s: this is this server, its mail would go round and round; give another host",
                              s->smart_host);
}

/* All that is needed, or nothing. */
static gboolean
settings_finish_oauth(const Settings *s, GError **error)
{
        const struct {
                const char *key, *form, *value;
        } needed[] = {{"issuer", "URL", s->oauth_issuer},
                      {"audience", "NAME", s->oauth_audience},
                      {"keys", "FILE", s->oauth_keys}};
        guint n = 0;

        for (guint i = 0; i < G_N_ELEMENTS(needed); i++)
                n += needed[i].value != NULL;
        for (guint i = 0; i < G_N_ELEMENTS(needed) && n > 0; i++)
                if (needed[i].value == NULL)
                        return fault(error, FAULT_INPUT,
                                     "%s: [oauth] %s = %s is missing: issuer, audience and keys go together", s->path,
                                     needed[i].key, needed[i].form);
        return TRUE;
}

static gboolean
settings_finish(Settings *settings, GError **error)
{
        if (settings->hostname == NULL)
                return fault(error, FAULT_INPUT, "%s: [site] hostname = HOST is missing: the name of this server",
                             settings->path);
        if (settings->postmaster == NULL)
                settings->postmaster = g_strconcat("postmaster@", settings->hostname, NULL);
        return settings_finish_paths(settings, error) && settings_finish_doors(settings, error) &&
               settings_finish_smart_host(settings, error) && settings_finish_oauth(settings, error);
}

Settings *
settings_parse(Span text, const char *path, GError **error)
{
        g_autoptr(Conf) conf = conf_parse(text, path, error);
        g_autoptr(Settings) settings = g_new0(Settings, 1);
        g_autofree char *full = g_canonicalize_filename(path, NULL);

        settings->path = g_strdup(path);
        settings->text = span_dup(text);
        settings->dir = g_path_get_dirname(full);
        if (conf == NULL || !settings_defaults(settings, error))
                return NULL;
        for (guint i = 0; i < conf_n_entries(conf); i++)
                if (!settings_entry(settings, conf_entry(conf, i), error))
                        return NULL;
        return settings_finish(settings, error) ? g_steal_pointer(&settings) : NULL;
}

Settings *
settings_load(const char *path, GError **error)
{
        struct stat st;
        g_autoptr(GError) e = NULL;
        g_autofree char *text = NULL;
        gsize octets;

        if (stat(path, &st) < 0) {
                fault_errno(error, "%s", path);
                return NULL;
        }
        if (!S_ISREG(st.st_mode) || st.st_size > CONF_OCTETS) {
                fault(error, FAULT_INPUT, "%s is no configuration file: give the path of a restante.conf", path);
                return NULL;
        }
        if (!g_file_get_contents(path, &text, &octets, &e)) {
                fault(error, FAULT_IO, "%s: %s", path, g_strerror(EACCES));
                return NULL;
        }
        return settings_parse(span_make(text, octets), path, error);
}

Settings *
settings_copy(const Settings *settings)
{
        Settings *copy = settings_parse(span_of(settings->text), settings->path, NULL);

        g_assert(copy != NULL); /* it has been read once */
        settings_keep_fixed(settings, copy, NULL);
        return copy;
}

void
settings_free(Settings *settings)
{
        if (settings == NULL)
                return;
        for (guint i = 0; i < DOOR_KINDS; i++)
                listen_clear(&settings->doors[i]);
        char **texts[] = {&settings->path,
                          &settings->text,
                          &settings->dir,
                          &settings->hostname,
                          &settings->data,
                          &settings->control,
                          &settings->user,
                          &settings->postmaster,
                          &settings->smart_host,
                          &settings->certificate,
                          &settings->key,
                          &settings->authorities,
                          &settings->resolver_server,
                          &settings->oauth_issuer,
                          &settings->oauth_audience,
                          &settings->oauth_keys,
                          &settings->oauth_account_claim,
                          &settings->oauth_scope,
                          &settings->oauth_discovery,
                          &settings->imap_off};
        for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
                g_free(*texts[i]);
        g_free(settings);
}

/* Doors that take mail for others to read. */
static const DoorKind MAIL_DOORS[] = {DOOR_SMTP, DOOR_SUBMISSION, DOOR_SUBMISSIONS, DOOR_LMTP};

gboolean
settings_router(const Settings *settings, Arena *arena, RouterSettings *ret)
{
        RouterListener *listeners = arena_new_array(arena, RouterListener, G_N_ELEMENTS(MAIL_DOORS) * LISTEN_MAX);
        gboolean is_everywhere = FALSE;
        gsize n = 0;

        if (listeners == NULL)
                return FALSE;
        for (guint door = 0; door < G_N_ELEMENTS(MAIL_DOORS); door++) {
                const ListenList *list = &settings->doors[MAIL_DOORS[door]];
                for (guint i = 0; i < list->n; i++) {
                        const ListenAddress *at = &list->at[i];
                        if (at->port != 0)
                                listeners[n++] = (RouterListener){at->address, at->port};
                        is_everywhere |= strcmp(at->address, "0.0.0.0") == 0 || strcmp(at->address, "::") == 0;
                }
        }
        *ret = (RouterSettings){.hostname = settings->hostname,
                                .smart_host = settings->smart_host,
                                .postmaster = settings->postmaster,
                                .literals = is_everywhere ? net_local_addresses(arena) : NULL,
                                .listeners = listeners,
                                .n_listeners = n};
        return TRUE;
}

/* Showing ------------------------------------------------------------------------------------------------------- */

static char *
listen_show(const ListenList *list)
{
        GString *s = g_string_new(list->n == 0 ? "off" : NULL);

        for (guint i = 0; i < list->n; i++) {
                const ListenAddress *at = &list->at[i];
                const char *comma = i > 0 ? ", " : "";
                if (at->port == 0)
                        g_string_append_printf(s, "%s%s", comma, at->address);
                else
                        g_string_append_printf(s, strchr(at->address, ':') != NULL ? "%s[%s]:%u" : "%s%s:%u", comma,
                                               at->address, at->port);
        }
        return g_string_free(s, FALSE);
}

static char *
setting_show(const Setting *setting, const Settings *settings)
{
        if (setting->set == set_listen)
                return listen_show(FIELD(settings, setting, ListenList));
        if (setting->set == set_number || setting->set == set_size)
                return g_strdup_printf("%" G_GUINT64_FORMAT, *FIELD(settings, setting, guint64));
        if (setting->set == set_yes_no)
                return g_strdup(*FIELD(settings, setting, gboolean) ? "yes" : "no");
        if (setting->set == set_bare_newline)
                return g_strdup(*FIELD(settings, setting, gboolean) ? "normalise" : "refuse");
        if (setting->set == set_log_level)
                return g_strdup(LEVELS[*FIELD(settings, setting, LogLevel)]);
        const char *text = *FIELD(settings, setting, char *);
        return g_strdup(text != NULL ? text : "");
}

void
settings_keep_fixed(const Settings *now, Settings *fresh, void (*later)(const char *name))
{
        const struct {
                const char *name;
                char *const was;
                char **is;
        } fixed[] = {{"data", now->data, &fresh->data},
                     {"control", now->control, &fresh->control},
                     {"user", now->user, &fresh->user}};

        for (guint i = 0; i < G_N_ELEMENTS(fixed); i++) {
                if (g_strcmp0(fixed[i].was, *fixed[i].is) == 0)
                        continue;
                if (later != NULL)
                        later(fixed[i].name);
                g_free(*fixed[i].is);
                *fixed[i].is = g_strdup(fixed[i].was);
        }
}

char **
settings_differences(const Settings *before, const Settings *after)
{
        GPtrArray *lines = g_ptr_array_new();

        for (const Setting *s = SETTINGS; s->key != NULL; s++) {
                g_autofree char *was = setting_show(s, before);
                g_autofree char *is = setting_show(s, after);
                if (strcmp(was, is) != 0)
                        g_ptr_array_add(lines, g_strdup_printf("[%s] %s: %s -> %s", s->section, s->key, was, is));
        }
        g_ptr_array_add(lines, NULL);
        return (char **) g_ptr_array_free(lines, FALSE);
}

/* A comment of at most 100 columns. */
static void
template_comment(GString *s, const char *text)
{
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        gsize column = 0;

        for (gsize i = 0; words[i] != NULL; i++) {
                if (column == 0 || column + strlen(words[i]) > 96) {
                        g_string_append(s, column == 0 ? "#" : "\n#");
                        column = 1;
                }
                g_string_append_printf(s, " %s", words[i]);
                column += strlen(words[i]) + 1;
        }
        g_string_append_c(s, '\n');
}

char *
settings_template(const char *const *values)
{
        GString *s =
                g_string_new("# restante.conf -- settings of this site; restante.conf(5) has the manual.\n# After a "
                             "change: kill -HUP the keeper. Domains and accounts are not here: `restante --help`.\n");
        const char *section = "";

        for (const Setting *t = SETTINGS; t->key != NULL; t++) {
                g_autofree char *name = g_strdup_printf("%s.%s=", t->section, t->key);
                const char *value = NULL;

                for (gsize i = 0; values[i] != NULL; i++)
                        if (g_str_has_prefix(values[i], name))
                                value = values[i] + strlen(name);
                if (strcmp(section, t->section) != 0)
                        g_string_append_printf(s, "\n[%s]\n", t->section);
                section = t->section;
                template_comment(s, t->manual);
                if (value != NULL)
                        g_string_append_printf(s, "%s = %s\n", t->key, value);
                else
                        g_string_append_printf(s, "#%s = %s\n", t->key, t->standard != NULL ? t->standard : t->form);
        }
        return g_string_free(s, FALSE);
}

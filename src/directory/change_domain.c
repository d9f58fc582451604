/* change_domain.c -- making, setting and removing domains. */
#include "base/text.h"
#include "directory/internal.h"

#include <arpa/inet.h>

#define VALUE_MAX 4096
#define HEADER_NAME_MAX 64

const KeyManual DIRECTORY_DOMAIN_KEYS[] = {
        {"kind", "local|alias:NAME|relay:NEXTHOP|hold:QUEUE",
         "local (the default): its mail stays here. alias: another name of the domain NAME. relay: its mail is sent on "
         "to NEXTHOP, "
         "HOST[:PORT], [IP][:PORT] or mx(DOMAIN). hold: its mail is kept in the hold queue QUEUE."},
        {"unknown", "POLICY[,POLICY...]",
         "what happens to a recipient nobody defined: reject (the default), bounce, deliver:ADDRESS[,ADDRESS...], "
         "discard"},
        {"envelope-header", "NAME|off",
         "header field that a catch-all copy carries with its recipient; X-Rcpt-To when nothing is set and unknown "
         "delivers"},
        {"next-hop", "NEXTHOP", "where mail for this domain leaves to when it leaves"},
        {"etrn", "yes|no", "whether ETRN may start delivery of what is held; no by default"},
        {"source-address", "IP", "local address that mail for this domain is sent from"},
        {"helo-name", "HOST", "name that is given when mail for this domain is sent"},
        {"scram", "yes|no",
         "whether its accounts can log in by SCRAM-SHA-256, where the password itself is not sent. The keys it needs "
         "are kept beside the hash of the password from its next change or login by password on; from a stolen "
         "database they are guessed a thousand times faster than that hash, so no by default"},
        {"template", "NAME", "what its new accounts are made by (template list); empty: default"},
        {NULL, NULL, NULL},
};

/* Reading values -------------------------------------------------------------------------------------------------- */

Change
directory_read_boolean(const char *key, const char *value, gboolean *ret, GError **error)
{
        if (g_strcmp0(value, "yes") != 0 && g_strcmp0(value, "no") != 0)
                return directory_refuse(error, CHANGE_INVALID, "%s=%s: yes or no is expected", key, value);
        *ret = value[0] == 'y';
        return CHANGE_DONE;
}

gboolean
directory_is_via(Span domain)
{
        static const char *const ENDS[] = {".via", "._via"};

        for (gsize i = 0; i < G_N_ELEMENTS(ENDS); i++) {
                gsize n = strlen(ENDS[i]);

                if (span_is(domain, ENDS[i] + 1) ||
                    (domain.len > n && span_is(span_slice(domain, domain.len - n, domain.len), ENDS[i])))
                        return TRUE;
        }
        return FALSE;
}

Change
directory_read_domain(Arena *arena, const char *text, const char **ret, GError **error)
{
        Span name = span_of(text), found = SPAN_EMPTY;
        gboolean is_wild = span_starts_nocase(name, span_of("*."));

        if (is_wild)
                name = span_slice(name, 2, name.len);
        if (name.len > 0 && name.data[0] == '[')
                return directory_refuse(error, CHANGE_INVALID,
                                        "%s: a domain has a name; addresses of this host are settings", text);
        if (address_parse_domain(arena, name, &found) != ADDRESS_OK || found.len + 2 > ADDRESS_DOMAIN_MAX)
                return directory_refuse(error, CHANGE_INVALID, "'%s' is no domain name; ex.org or *.ex.org would be",
                                        text);
        if (directory_is_via(found))
                return directory_refuse(error, CHANGE_INVALID, "%s: .via is kept for records of the route table", text);
        *ret = arena_printf(arena, "%s%.*s", is_wild ? "*." : "", (int) found.len, (const char *) found.data);
        return *ret != NULL ? CHANGE_DONE : (fault(error, FAULT_FULL, "no room for a name"), CHANGE_FAILED);
}

static Change
set_kind(Arena *arena, Domain *domain, const char *value, GError **error)
{
        static const struct {
                const char *prefix;
                DomainKind kind;
        } KINDS[] = {{"alias:", DOMAIN_ALIAS}, {"relay:", DOMAIN_RELAY}, {"hold:", DOMAIN_HOLD}};

        if (strcmp(value, "local") == 0) {
                domain->kind = DOMAIN_LOCAL;
                domain->target = NULL;
                return CHANGE_DONE;
        }
        for (gsize i = 0; i < G_N_ELEMENTS(KINDS); i++) {
                const char *target = value + strlen(KINDS[i].prefix);

                if (!g_str_has_prefix(value, KINDS[i].prefix) || *target == '\0')
                        continue;
                domain->kind = KINDS[i].kind;
                domain->target = target;
                return domain->kind == DOMAIN_ALIAS ? directory_read_domain(arena, target, &domain->target, error)
                                                    : CHANGE_DONE;
        }
        return directory_refuse(error, CHANGE_INVALID,
                                "kind=%s: local, alias:NAME, relay:NEXTHOP or hold:QUEUE is expected", value);
}

/* A catch-all copy loses every field of that name that came with the message, so it can't be one that means something
 * else. */
static gboolean
header_is_free(Span name)
{
        static const char *const TAKEN[] = {"Return-Path",
                                            "Delivered-To",
                                            "Received",
                                            "From",
                                            "Sender",
                                            "Reply-To",
                                            "To",
                                            "Cc",
                                            "Bcc",
                                            "Date",
                                            "Subject",
                                            "Message-ID",
                                            "In-Reply-To",
                                            "References",
                                            "Comments",
                                            "Keywords",
                                            "MIME-Version",
                                            "DKIM-Signature",
                                            "Authentication-Results",
                                            "ARC-Seal",
                                            "ARC-Message-Signature",
                                            "ARC-Authentication-Results",
                                            "List-Id",
                                            "Auto-Submitted",
                                            "Precedence",
                                            "off"};

        for (gsize i = 0; i < G_N_ELEMENTS(TAKEN); i++)
                if (span_is(name, TAKEN[i]))
                        return FALSE;
        return !span_starts_nocase(name, span_of("Resent-")) && !span_starts_nocase(name, span_of("Content-"));
}

/* RFC 5322 §3.6.8: printable ASCII without the colon. */
static gboolean
is_field_name(Span name)
{
        for (gsize i = 0; i < name.len; i++)
                if (name.data[i] <= ' ' || name.data[i] >= 0x7f || name.data[i] == ':')
                        return FALSE;
        return name.len <= HEADER_NAME_MAX && header_is_free(name);
}

static Change
set_envelope_header(Arena *arena, Domain *domain, const char *value, GError **error)
{
        Span name = span_of(value);

        if (name.len > 1 && name.data[name.len - 1] == ':')
                name.len--;
        domain->envelope_header = name.len > 0 ? "off" : NULL;
        if (name.len == 0 || span_is(name, "off"))
                return CHANGE_DONE;
        if (!is_field_name(name))
                return directory_refuse(
                        error, CHANGE_INVALID,
                        "envelope-header=%s: a field name such as X-Rcpt-To or X-Envelope-To, or off, is expected",
                        value);
        domain->envelope_header = arena_strndup(arena, name);
        return CHANGE_DONE;
}

static Change
set_source_address(Domain *domain, const char *value, GError **error)
{
        guint8 binary[sizeof(struct in6_addr)];

        if (inet_pton(AF_INET, value, binary) != 1 && inet_pton(AF_INET6, value, binary) != 1)
                return directory_refuse(error, CHANGE_INVALID, "source-address=%s: an IPv4 or IPv6 address is expected",
                                        value);
        domain->source_address = value;
        return CHANGE_DONE;
}

static Change
set_helo_name(Arena *arena, Domain *domain, const char *value, GError **error)
{
        Span name;

        if (address_parse_domain(arena, span_of(value), &name) != ADDRESS_OK)
                return directory_refuse(error, CHANGE_INVALID, "helo-name=%s: a host name is expected", value);
        domain->helo_name = arena_strndup(arena, name);
        return CHANGE_DONE;
}

static Change
set_pair(Arena *arena, DbTxn *txn, Domain *domain, const KeyValue *pair, GError **error)
{
        const char *key = pair->key, *value = pair->value != NULL ? pair->value : "";
        Span text = span_of(value);

        if (text.len > VALUE_MAX || text_has_control(text) || !text_is_utf8(text))
                return directory_refuse(error, CHANGE_INVALID, "%s: at most %d octets of text without controls", key,
                                        VALUE_MAX);
        if (strcmp(key, "kind") == 0)
                return set_kind(arena, domain, value, error);
        if (strcmp(key, "envelope-header") == 0)
                return set_envelope_header(arena, domain, value, error);
        if (strcmp(key, "etrn") == 0)
                return directory_read_boolean(key, value, &domain->etrn, error);
        if (strcmp(key, "scram") == 0)
                return directory_read_boolean(key, value, &domain->scram, error);
        if (strcmp(key, "unknown") == 0)
                return domain->unknown = *value != '\0' ? value : "reject", CHANGE_DONE;
        if (strcmp(key, "next-hop") == 0)
                return domain->next_hop = *value != '\0' ? value : NULL, CHANGE_DONE;
        if (strcmp(key, "source-address") == 0)
                return *value != '\0' ? set_source_address(domain, value, error)
                                      : (domain->source_address = NULL, CHANGE_DONE);
        if (strcmp(key, "helo-name") == 0)
                return *value != '\0' ? set_helo_name(arena, domain, value, error)
                                      : (domain->helo_name = NULL, CHANGE_DONE);
        if (strcmp(key, "template") == 0) {
                domain->template_name = *value != '\0' ? value : NULL;
                return *value != '\0' ? directory_need_template(txn, value, error) : CHANGE_DONE;
        }
        return directory_refuse(error, CHANGE_INVALID,
                                "a domain has no %s; it has kind, unknown, envelope-header, next-hop, etrn, "
                                "source-address, helo-name, template, scram",
                                key);
}

/* Rules that need the other rows ---------------------------------------------------------------------------------- */

DB_SQL(KIND_OF, "SELECT kind = 'local', kind = 'alias' FROM domain WHERE name = ?");
DB_SQL(ALIASED_TO, "SELECT count(*) FROM domain WHERE kind = 'alias' AND target = ?");
DB_SQL(ACCOUNTS_IN, "SELECT count(*) FROM account WHERE domain = ?");
DB_SQL(ALIASES_IN, "SELECT count(*) FROM alias WHERE domain = ?");

static Change
check_alias(DbTxn *txn, const char *name, const char *target, GError **error)
{
        if (strcmp(name, target) == 0)
                return directory_refuse(error, CHANGE_INVALID, "%s can't be another name of itself", name);

        g_autoptr(DbRows) rows = db_query(txn, &KIND_OF, error, "s", target);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        if (step == DB_ROW_FAILED)
                return CHANGE_FAILED;
        if (step == DB_ROW_END)
                return directory_refuse(error, CHANGE_INVALID, "kind=alias:%s: there is no domain %s; add it first",
                                        target, target);
        if (db_int(rows, 1))
                return directory_refuse(error, CHANGE_INVALID,
                                        "kind=alias:%s: %s is itself another name; name the domain behind it", target,
                                        target);
        return CHANGE_DONE;
}

/* What would be left hanging when this domain were no local one, or gone. */
static Change
check_unused(DbTxn *txn, const char *name, GError **error)
{
        static const struct {
                const DbSql *count;
                const char *one, *many;
        } USES[] = {{&ACCOUNTS_IN, "account", "accounts"},
                    {&ALIASES_IN, "alias, group or bouncer", "aliases, groups or bouncers"},
                    {&ALIASED_TO, "other name", "other names"}};

        for (gsize i = 0; i < G_N_ELEMENTS(USES); i++) {
                gint64 count = 0;

                if (db_get_int(txn, USES[i].count, &count, error, "s", name) != DB_ROW)
                        return CHANGE_FAILED;
                if (count > 0)
                        return directory_refuse(error, CHANGE_IN_USE, "%s still has %" G_GINT64_FORMAT " %s", name,
                                                count, count == 1 ? USES[i].one : USES[i].many);
        }
        return CHANGE_DONE;
}

static Change
check_domain(DbTxn *txn, const Domain *domain, GError **error)
{
        Change answer = CHANGE_DONE;

        if (domain->kind == DOMAIN_ALIAS)
                answer = check_alias(txn, domain->name, domain->target, error);
        if (answer == CHANGE_DONE && domain->kind != DOMAIN_LOCAL)
                answer = check_unused(txn, domain->name, error);
        return answer;
}

Change
directory_need_local(DbTxn *txn, Span name, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &KIND_OF, error, "t", name);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        int len = (int) name.len;
        const char *text = (const char *) name.data;

        if (step == DB_ROW_FAILED)
                return CHANGE_FAILED;
        if (step == DB_ROW_END)
                return directory_refuse(error, CHANGE_MISSING, "there is no domain %.*s; add it first", len, text);
        if (db_int(rows, 1))
                return directory_refuse(error, CHANGE_INVALID, "%.*s is only another name; use the domain behind it",
                                        len, text);
        if (!db_int(rows, 0))
                return directory_refuse(error, CHANGE_INVALID, "%.*s is not kept here (kind=local)", len, text);
        return CHANGE_DONE;
}

/* Changes --------------------------------------------------------------------------------------------------------- */

static const char *
kind_text(DomainKind kind)
{
        static const char *const TEXTS[] = {"local", "alias", "relay", "hold"};

        return TEXTS[kind];
}

static Change
apply(Arena *arena, DbTxn *txn, Domain *domain, const KeyValue *pairs, gsize n, GError **error)
{
        for (gsize i = 0; i < n; i++) {
                Change answer = set_pair(arena, txn, domain, &pairs[i], error);

                if (answer != CHANGE_DONE)
                        return answer;
        }
        return check_domain(txn, domain, error);
}

DB_SQL(DOMAIN_INSERT,
       "INSERT INTO domain (name, kind, target, unknown, envelope_header, next_hop, source_address, helo_name, etrn,"
       " template, scram, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

Change
directory_domain_add(Directory *directory, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Domain d = {.unknown = "reject"};
        Change answer = directory_read_domain(arena, name, &d.name, error);

        if (answer == CHANGE_DONE)
                answer = apply(arena, txn, &d, pairs, n, error);
        if (answer != CHANGE_DONE)
                return answer;
        g_autoptr(GError) fault = NULL;
        if (!db_run(txn, &DOMAIN_INSERT, &fault, "ssssssssisii", d.name, kind_text(d.kind), d.target, d.unknown,
                    d.envelope_header, d.next_hop, d.source_address, d.helo_name, (gint64) d.etrn, d.template_name,
                    (gint64) d.scram, (gint64) clock_real())) {
                if (db_was_conflict(txn))
                        return directory_refuse(error, CHANGE_EXISTS, "the domain %s exists already", d.name);
                g_propagate_error(error, g_steal_pointer(&fault));
                return CHANGE_FAILED;
        }
        directory_touch(directory, txn);
        return CHANGE_DONE;
}

DB_SQL(DOMAIN_GET, "SELECT " DOMAIN_COLUMNS " FROM domain WHERE name = ?");

static Change
read_row(Arena *arena, DbTxn *txn, const char *name, Domain *ret, GError **error)
{
        Change answer = directory_read_domain(arena, name, &name, error);
        if (answer != CHANGE_DONE)
                return answer;

        g_autoptr(DbRows) rows = db_query(txn, &DOMAIN_GET, error, "s", name);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        if (step == DB_ROW_FAILED)
                return CHANGE_FAILED;
        if (step == DB_ROW_END)
                return directory_refuse(error, CHANGE_MISSING, "there is no domain %s", name);
        directory_read_domain_row(rows, arena, ret);
        return CHANGE_DONE;
}

DB_SQL(DOMAIN_UPDATE,
       "UPDATE domain SET kind = ?, target = ?, unknown = ?, envelope_header = ?, next_hop = ?, source_address = ?,"
       " helo_name = ?, etrn = ?, template = ?, scram = ? WHERE id = ?");
DB_SQL(SCRAM_CLEAR, "UPDATE account SET scram = NULL WHERE domain = ? AND scram IS NOT NULL");

Change
directory_domain_set(Directory *directory, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Domain d = {0};
        Change answer = read_row(arena, txn, name, &d, error);

        if (answer == CHANGE_DONE)
                answer = apply(arena, txn, &d, pairs, n, error);
        if (answer != CHANGE_DONE)
                return answer;
        if (!db_run(txn, &DOMAIN_UPDATE, error, "sssssssisii", kind_text(d.kind), d.target, d.unknown,
                    d.envelope_header, d.next_hop, d.source_address, d.helo_name, (gint64) d.etrn, d.template_name,
                    (gint64) d.scram, d.id) ||
            (!d.scram && !db_run(txn, &SCRAM_CLEAR, error, "s", d.name)))
                return CHANGE_FAILED;
        directory_touch(directory, txn);
        return CHANGE_DONE;
}

DB_SQL(DOMAIN_DELETE, "DELETE FROM domain WHERE id = ?");
DB_SQL(UNKNOWN_DELETE, "DELETE FROM unknown_name WHERE domain = ?");

Change
directory_domain_remove(Directory *directory, DbTxn *txn, const char *name, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Domain d = {0};
        Change answer = read_row(arena, txn, name, &d, error);

        if (answer == CHANGE_DONE)
                answer = check_unused(txn, d.name, error);
        if (answer != CHANGE_DONE)
                return answer;
        if (!db_run(txn, &DOMAIN_DELETE, error, "i", d.id) || !db_run(txn, &UNKNOWN_DELETE, error, "s", d.name))
                return CHANGE_FAILED;
        directory_touch(directory, txn);
        return CHANGE_DONE;
}

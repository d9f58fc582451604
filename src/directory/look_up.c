/* look_up.c -- what is defined at an address: from the cache, else from one snapshot of the database.
 *
 * A loader fills *ret with a value of its record's kind in the arena it is given, or leaves NULL there: not defined.
 */
#include "base/text.h"
#include "directory/internal.h"

#include <xxhash.h>

/* What one look-up may take while it is loaded: 1,000 targets and more. */
#define LOAD_OCTETS ((gsize) 4 * 1024 * 1024)

typedef gboolean (*Loader)(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error);

/* Columns --------------------------------------------------------------------------------------------------------- */

static guint64
mark_of(Span password_hash)
{
        return password_hash.len > 0 ? XXH3_64bits(password_hash.data, password_hash.len) : 0;
}

void
directory_read_account(const DbRows *rows, Arena *arena, Account *ret)
{
        *ret = (Account){
                .id = db_int(rows, 0),
                .address = {arena_copy(arena, db_bytes(rows, 1)), arena_copy(arena, db_bytes(rows, 2))},
                .has_password = !db_is_null(rows, 3),
                .password_mark = mark_of(db_bytes(rows, 3)),
                .may_send = db_int(rows, 4) != 0,
                .is_disabled = db_int(rows, 5) != 0,
                .own_quota_octets = db_is_null(rows, 6) ? QUOTA_OF_TEMPLATE : db_int(rows, 6),
                .own_quota_messages = db_is_null(rows, 7) ? QUOTA_OF_TEMPLATE : db_int(rows, 7),
                .quota_octets = db_int(rows, db_is_null(rows, 6) ? 10 : 6),
                .quota_messages = db_int(rows, db_is_null(rows, 7) ? 11 : 7),
                .atrn = arena_strdup(arena, db_text(rows, 8)),
                .template_name = arena_strdup(arena, db_text(rows, 9)),
        };
}

void
directory_read_bouncer(const DbRows *rows, int column, Arena *arena, Bouncer *ret)
{
        *ret = (Bouncer){
                .code = db_is_null(rows, column) ? 550 : (guint16) CLAMP(db_int(rows, column), 500, 599),
                .text = arena_strdup(arena, db_text(rows, column + 1)),
                .until = db_int(rows, column + 2),
                .after = (guint) CLAMP(db_int(rows, column + 3), 0, G_MAXINT32),
                .seen = (guint) CLAMP(db_int(rows, column + 4), 0, G_MAXINT32),
        };
}

static DomainKind
kind_from(const char *text)
{
        if (g_strcmp0(text, "alias") == 0)
                return DOMAIN_ALIAS;
        if (g_strcmp0(text, "relay") == 0)
                return DOMAIN_RELAY;
        return g_strcmp0(text, "hold") == 0 ? DOMAIN_HOLD : DOMAIN_LOCAL;
}

void
directory_read_domain_row(const DbRows *rows, Arena *arena, Domain *ret)
{
        *ret = (Domain){
                .id = db_int(rows, 0),
                .name = arena_strdup(arena, db_text(rows, 1)),
                .kind = kind_from(db_text(rows, 2)),
                .target = arena_strdup(arena, db_text(rows, 3)),
                .unknown = arena_strdup(arena, db_text(rows, 4)),
                .envelope_header = arena_strdup(arena, db_text(rows, 5)),
                .next_hop = arena_strdup(arena, db_text(rows, 6)),
                .source_address = arena_strdup(arena, db_text(rows, 7)),
                .helo_name = arena_strdup(arena, db_text(rows, 8)),
                .bounce_template = arena_strdup(arena, db_text(rows, 9)),
                .etrn = db_int(rows, 10) != 0,
                .template_name = arena_strdup(arena, db_text(rows, 11)),
                .scram = db_int(rows, 12) != 0,
        };
}

GroupPost
directory_post_from(const char *text)
{
        if (g_strcmp0(text, "members") == 0)
                return POST_MEMBERS;
        return g_strcmp0(text, "authenticated") == 0 ? POST_AUTHENTICATED : POST_ANYONE;
}

/* Loading --------------------------------------------------------------------------------------------------------- */

DB_SQL(TARGETS, "SELECT address FROM alias_target WHERE alias = ? ORDER BY position");
DB_SQL(TARGETS_COUNT, "SELECT count(*) FROM alias_target WHERE alias = ?");

static gboolean
read_target(Arena *arena, const DbRows *rows, Address *ret, GError **error)
{
        if (address_parse(arena, arena_copy(arena, db_bytes(rows, 0)), TRUE, ret) == ADDRESS_OK)
                return TRUE;
        return fault(error, FAULT_INTERNAL, "alias target %s is no address", db_text(rows, 0));
}

gboolean
directory_load_targets(DbTxn *txn, Arena *arena, gint64 alias, AddressList *ret, GError **error)
{
        gint64 count = 0;
        gsize n = 0;
        DbStep step;

        if (db_get_int(txn, &TARGETS_COUNT, &count, error, "i", alias) != DB_ROW)
                return FALSE;
        Address *at = arena_new_array(arena, Address, (gsize) count);
        g_autoptr(DbRows) rows = at != NULL ? db_query(txn, &TARGETS, error, "i", alias) : NULL;
        if (at == NULL)
                return fault(error, FAULT_FULL, "too many targets of one alias");
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < (gsize) count)
                if (!read_target(arena, rows, &at[n++], error))
                        return FALSE;
        *ret = (AddressList){at, n};
        return step != DB_ROW_FAILED;
}

DB_SQL(DOMAIN_BY_NAME, "SELECT " DOMAIN_COLUMNS " FROM domain WHERE name = ?");

static DbStep
load_domain_named(DbTxn *txn, Arena *arena, Span name, const void **ret, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &DOMAIN_BY_NAME, error, "t", name);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step != DB_ROW)
                return step;
        Domain *domain = arena_new0(arena, Domain);
        if (domain == NULL)
                return fault(error, FAULT_FULL, "no room for a domain"), DB_ROW_FAILED;
        directory_read_domain_row(rows, arena, domain);
        *ret = domain;
        return DB_ROW;
}

/* Exactly this name, then "*." and what stands behind each dot: the longest one comes first. */
static gboolean
load_domain(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error)
{
        char pattern[ADDRESS_DOMAIN_MAX + 3] = "*";
        DbStep step = load_domain_named(txn, arena, key, ret, error);

        for (gsize i = 0; step == DB_ROW_END && i < key.len; i++) {
                if (key.data[i] != '.')
                        continue;
                Span rest = span_slice(key, i, key.len);
                memcpy(pattern + 1, rest.data, rest.len);
                step = load_domain_named(txn, arena, span_make(pattern, rest.len + 1), ret, error);
        }
        return step != DB_ROW_FAILED;
}

static Address
key_address(Span key)
{
        gsize at = key.len;

        while (at > 0 && key.data[at - 1] != '@')
                at--;
        return (Address){span_slice(key, 0, at > 0 ? at - 1 : 0), span_slice(key, at, key.len)};
}

DB_SQL(ACCOUNT_BY_ADDRESS, "SELECT " ACCOUNT_COLUMNS ", password, scram,"
                           " (SELECT scram FROM domain WHERE name = account.domain)"
                           " FROM account WHERE domain = ? AND local_key = ?");

static DbStep
load_account_at(DbTxn *txn, Arena *arena, const Address *address, Login *ret, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ACCOUNT_BY_ADDRESS, error, "tt", address->domain, address->local);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step == DB_ROW) {
                directory_read_account(rows, arena, &ret->account);
                ret->secrets = (LoginSecrets){
                        .password_hash = arena_strdup(arena, db_text(rows, ACCOUNT_COLUMNS_N)),
                        .scram = arena_strdup(arena, db_text(rows, ACCOUNT_COLUMNS_N + 1)),
                        .wants_scram = db_int(rows, ACCOUNT_COLUMNS_N + 2) != 0,
                };
        }
        return step;
}

DB_SQL(ALIASES_AT, "SELECT id, kind, post, " BOUNCER_COLUMNS
                   " FROM alias WHERE domain = ? AND local_key = ? AND kind IN ('alias', 'group', 'bouncer')");

static gboolean
load_alias_row(DbTxn *txn, Arena *arena, const DbRows *rows, Entry *entry, GError **error)
{
        const char *kind = db_text(rows, 1);
        AddressList list = {NULL, 0};

        if (strcmp(kind, "bouncer") == 0) {
                Bouncer *bouncer = arena_new0(arena, Bouncer);

                if (bouncer == NULL)
                        return fault(error, FAULT_FULL, "no room for a bouncer");
                directory_read_bouncer(rows, 3, arena, bouncer);
                entry->bouncer = bouncer;
                return TRUE;
        }
        if (!directory_load_targets(txn, arena, db_int(rows, 0), &list, error))
                return FALSE;
        if (strcmp(kind, "group") == 0) {
                entry->group = list.at;
                entry->n_group = list.n;
                entry->group_post = directory_post_from(db_text(rows, 2));
        } else {
                entry->alias = list.at;
                entry->n_alias = list.n;
        }
        return TRUE;
}

/* *ret_any: something stands there. */
static gboolean
load_aliases_at(DbTxn *txn, Arena *arena, Span domain, Span local, Entry *entry, gboolean *ret_any, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ALIASES_AT, error, "tt", domain, local);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                *ret_any = TRUE;
                if (!load_alias_row(txn, arena, rows, entry, error))
                        return FALSE;
        }
        return step != DB_ROW_FAILED;
}

static gboolean
load_entry(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error)
{
        Address address = key_address(key);
        Entry *entry = arena_new0(arena, Entry);
        Login *login = arena_new0(arena, Login);
        gboolean any = FALSE;

        if (entry == NULL || login == NULL)
                return fault(error, FAULT_FULL, "no room for an entry");
        DbStep step = load_account_at(txn, arena, &address, login, error);
        if (step == DB_ROW_FAILED || !load_aliases_at(txn, arena, address.domain, address.local, entry, &any, error))
                return FALSE;
        if (step == DB_ROW)
                entry->account = &login->account;
        else if (!any && !load_aliases_at(txn, arena, span_of("*"), address.local, entry, &any, error))
                return FALSE;
        *ret = any || step == DB_ROW ? entry : NULL;
        return TRUE;
}

DB_SQL(PREFIX_AT, "SELECT id FROM alias WHERE domain = ? AND local_key = ? AND kind = 'prefix'");

/* One probe of the index for each length, the longest first: 64 at most, and only in domains that have prefix aliases.
 */
static gboolean
load_prefix(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error)
{
        Address address = key_address(key);
        char pattern[ADDRESS_LOCAL_MAX + 1];
        AddressList *list = arena_new0(arena, AddressList);
        DbStep step = DB_ROW_END;
        gint64 id = 0;

        if (list == NULL)
                return fault(error, FAULT_FULL, "no room for an alias");
        for (gsize len = address.local.len; len > 0 && step == DB_ROW_END; len--) {
                memcpy(pattern, address.local.data, len);
                pattern[len] = '*';
                step = db_get_int(txn, &PREFIX_AT, &id, error, "tt", address.domain, span_make(pattern, len + 1));
        }
        if (step != DB_ROW)
                return step == DB_ROW_END;
        *ret = list;
        return directory_load_targets(txn, arena, id, list, error);
}

DB_SQL(HAS_PREFIX, "SELECT 1 FROM alias WHERE domain = ? AND kind = 'prefix' LIMIT 1");
DB_SQL(CATCHALL_AT, "SELECT id FROM alias WHERE domain = ? AND local_key = '*' AND kind = 'catchall'");

static gboolean
load_patterns(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error)
{
        Patterns *patterns = arena_new0(arena, Patterns);
        gint64 id = 0;

        if (patterns == NULL)
                return fault(error, FAULT_FULL, "no room for a domain");
        DbStep prefix = db_get_int(txn, &HAS_PREFIX, &id, error, "t", key);
        DbStep catchall = prefix != DB_ROW_FAILED ? db_get_int(txn, &CATCHALL_AT, &id, error, "t", key) : DB_ROW_FAILED;
        if (catchall == DB_ROW_FAILED)
                return FALSE;
        patterns->has_prefixes = prefix == DB_ROW;
        patterns->has_catchall = catchall == DB_ROW;
        *ret = patterns->has_prefixes || patterns->has_catchall ? patterns : NULL;
        return catchall == DB_ROW_END || directory_load_targets(txn, arena, id, &patterns->catchall, error);
}

/* The account itself, or the one an exact alias leads to and nobody else. */
static gboolean
load_login(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error)
{
        Address address = key_address(key);
        Login *login = arena_new0(arena, Login);
        Entry entry = {0};
        gboolean any = FALSE;

        if (login == NULL)
                return fault(error, FAULT_FULL, "no room for an account");
        DbStep step = load_account_at(txn, arena, &address, login, error);
        if (step == DB_ROW_END) {
                if (!load_aliases_at(txn, arena, address.domain, address.local, &entry, &any, error))
                        return FALSE;
                if (entry.n_alias == 1) {
                        address.local = text_lower(arena, entry.alias[0].local);
                        address.domain = entry.alias[0].domain;
                        step = load_account_at(txn, arena, &address, login, error);
                }
        }
        *ret = step == DB_ROW ? login : NULL;
        return step != DB_ROW_FAILED;
}

DB_SQL(ACCOUNT_BY_ID, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id = ?");

static gboolean
load_account(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error)
{
        gint64 id;

        memcpy(&id, key.data, sizeof(id));
        g_autoptr(DbRows) rows = db_query(txn, &ACCOUNT_BY_ID, error, "i", id);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        if (step != DB_ROW)
                return step == DB_ROW_END;
        Account *account = arena_new0(arena, Account);
        if (account == NULL)
                return fault(error, FAULT_FULL, "no room for an account");
        directory_read_account(rows, arena, account);
        *ret = account;
        return TRUE;
}

static const Loader LOADERS[] = {
        [RECORD_DOMAIN] = load_domain,           [RECORD_ENTRY] = load_entry,           [RECORD_PREFIX] = load_prefix,
        [RECORD_PATTERNS] = load_patterns,       [RECORD_LOGIN] = load_login,           [RECORD_ACCOUNT] = load_account,
        [RECORD_GROUPS] = directory_load_groups, [RECORD_ADMIN] = directory_load_admin,
};

/* Look-ups -------------------------------------------------------------------------------------------------------- */

static Record *
load_record(Directory *directory, RecordKind kind, guint hash, Span key, GError **error)
{
        g_autoptr(Arena) scratch = arena_new(LOAD_OCTETS);
        const void *value = NULL;

        g_autoptr(DbTxn) txn = db_begin_read(directory->db, error);
        if (txn == NULL || !LOADERS[kind](txn, scratch, key, &value, error))
                return NULL;
        Record *record = arena_is_over(scratch) ? NULL : record_new(kind, hash, key, value);
        if (record == NULL)
                (void) fault(error, FAULT_FULL, "too much is defined at one address");
        return record;
}

Found
directory_look_up(Directory *directory, Arena *arena, RecordKind kind, Span key, const void **ret, GError **error)
{
        guint hash = cache_hash(&directory->cache, kind, key);
        guint64 epoch;
        Record *record = cache_find(&directory->cache, kind, hash, key, &epoch);
        Found found = FOUND_NOT;

        if (record == NULL) {
                record = load_record(directory, kind, hash, key, error);
                if (record == NULL)
                        return FOUND_FAILED;
                cache_add(&directory->cache, record, epoch);
        }
        if (record->value != NULL) {
                *ret = record_unpack(record, arena);
                found = *ret != NULL ? FOUND : FOUND_FAILED;
                if (found == FOUND_FAILED)
                        (void) fault(error, FAULT_FULL, "no room for what is defined at one address");
        }
        record_unref(record);
        return found;
}

Found
directory_domain(Directory *directory, Arena *arena, Span name, const Domain **ret, GError **error)
{
        guint8 key[ADDRESS_DOMAIN_MAX];
        const void *value = NULL;

        if (name.len == 0 || name.len > sizeof(key))
                return FOUND_NOT;
        for (gsize i = 0; i < name.len; i++)
                key[i] = octet_lower(name.data[i]);
        Found found = directory_look_up(directory, arena, RECORD_DOMAIN, span_make(key, name.len), &value, error);
        if (found == FOUND)
                *ret = value;
        return found;
}

static Found
look_up_address(Directory *directory, Arena *arena, RecordKind kind, const Address *address, const void **ret,
                GError **error)
{
        guint8 buffer[RECORD_KEY_MAX];
        Span key;

        if (address->local.len == 0 || !directory_key(address, buffer, &key))
                return FOUND_NOT;
        return directory_look_up(directory, arena, kind, key, ret, error);
}

static gboolean
bouncer_is_active(const Bouncer *bouncer)
{
        if (bouncer->until == 0 && bouncer->after == 0)
                return TRUE;
        return (bouncer->until != 0 && clock_real() >= bouncer->until) ||
               (bouncer->after != 0 && bouncer->seen >= bouncer->after);
}

Found
directory_entry(Directory *directory, Arena *arena, const Address *address, Entry *ret, GError **error)
{
        const void *value = NULL;
        Found found = look_up_address(directory, arena, RECORD_ENTRY, address, &value, error);

        if (found != FOUND)
                return found;
        *ret = *(const Entry *) value;
        if (ret->bouncer != NULL) /* the copy is ours, and only now knows the date */
                ((Bouncer *) ret->bouncer)->is_active = bouncer_is_active(ret->bouncer);
        return FOUND;
}

static Found
look_up_patterns(Directory *directory, Arena *arena, Span domain, const Patterns **ret, GError **error)
{
        guint8 key[ADDRESS_DOMAIN_MAX];
        const void *value = NULL;

        if (domain.len == 0 || domain.len > sizeof(key))
                return FOUND_NOT;
        for (gsize i = 0; i < domain.len; i++)
                key[i] = octet_lower(domain.data[i]);
        Found found = directory_look_up(directory, arena, RECORD_PATTERNS, span_make(key, domain.len), &value, error);
        if (found == FOUND)
                *ret = value;
        return found;
}

Found
directory_prefix(Directory *directory, Arena *arena, const Address *address, const Address **ret, gsize *ret_n,
                 GError **error)
{
        const Patterns *patterns = NULL;
        const void *value = NULL;
        Found found = look_up_patterns(directory, arena, address->domain, &patterns, error);

        if (found != FOUND || !patterns->has_prefixes)
                return found == FOUND_FAILED ? FOUND_FAILED : FOUND_NOT;
        found = look_up_address(directory, arena, RECORD_PREFIX, address, &value, error);
        if (found == FOUND) {
                *ret = ((const AddressList *) value)->at;
                *ret_n = ((const AddressList *) value)->n;
        }
        return found;
}

Found
directory_catchall(Directory *directory, Arena *arena, Span domain, const Address **ret, gsize *ret_n, GError **error)
{
        const Patterns *patterns = NULL;
        Found found = look_up_patterns(directory, arena, domain, &patterns, error);

        if (found != FOUND || !patterns->has_catchall)
                return found == FOUND_FAILED ? FOUND_FAILED : FOUND_NOT;
        *ret = patterns->catchall.at;
        *ret_n = patterns->catchall.n;
        return FOUND;
}

Found
directory_login_address(Directory *directory, Arena *arena, Span name, Address *ret, GError **error)
{
        const Domain *domain = NULL;

        if (address_parse(arena, name, TRUE, ret) != ADDRESS_OK || ret->domain.len == 0)
                return arena_is_over(arena) ? (fault(error, FAULT_FULL, "no room for a name"), FOUND_FAILED)
                                            : FOUND_NOT;
        Found found = directory_domain(directory, arena, ret->domain, &domain, error);
        if (found == FOUND && domain->kind == DOMAIN_ALIAS)
                ret->domain = span_of(domain->target);
        return found;
}

Found
directory_login(Directory *directory, Arena *arena, Span name, const Account **ret, const LoginSecrets **ret_secrets,
                GError **error)
{
        Address address;
        const void *value = NULL;
        Found found = directory_login_address(directory, arena, name, &address, error);

        if (found == FOUND)
                found = look_up_address(directory, arena, RECORD_LOGIN, &address, &value, error);
        if (found == FOUND) {
                *ret = &((const Login *) value)->account;
                *ret_secrets = &((const Login *) value)->secrets;
        }
        return found;
}

Found
directory_account_by_id(Directory *directory, Arena *arena, gint64 id, const Account **ret, GError **error)
{
        const void *value = NULL;
        Found found = directory_look_up(directory, arena, RECORD_ACCOUNT, span_make(&id, sizeof(id)), &value, error);

        if (found == FOUND)
                *ret = value;
        return found;
}

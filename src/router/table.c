/* table.c -- the route table: kept parsed, rebuilt when the directory's generation has changed; its records in the
 * database. */
#include "base/text.h"
#include "router/internal.h"

#define TABLE_OCTETS ((gsize) 64 * 1024 * 1024)

static guint
span_hash(gconstpointer key)
{
        const Span *s = key;
        guint hash = 5381;

        for (gsize i = 0; i < s->len; i++)
                hash = hash * 33 + octet_lower(s->data[i]);
        return hash;
}

static gboolean
span_same(gconstpointer a, gconstpointer b)
{
        return span_equal_nocase(*(const Span *) a, *(const Span *) b);
}

void
table_unref(Table *table)
{
        if (table == NULL || __atomic_sub_fetch(&table->refs, 1, __ATOMIC_ACQ_REL) > 0)
                return;
        g_hash_table_unref(table->by_domain);
        arena_free(table->arena);
        g_free(table);
}

DB_SQL(RECORDS_COUNT, "SELECT count(*) FROM route");
DB_SQL(RECORDS, "SELECT id, record FROM route ORDER BY position, id");

static gboolean
load_records(DbTxn *txn, Arena *arena, RouteRecord **ret, gsize *ret_n, GError **error)
{
        gint64 count = 0;
        gsize n = 0;
        DbStep step;

        if (db_get_int(txn, &RECORDS_COUNT, &count, error, "") != DB_ROW)
                return FALSE;
        RouteRecord *at = arena_new_array(arena, RouteRecord, (gsize) count);
        g_autoptr(DbRows) rows = at != NULL ? db_query(txn, &RECORDS, error, "") : NULL;
        if (at == NULL)
                return fault(error, FAULT_FULL, "no room for the route table");
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < (gsize) count) {
                at[n] = (RouteRecord){db_int(rows, 0), (guint) n + 1, arena_strdup(arena, db_text(rows, 1))};
                if (at[n++].record == NULL)
                        return fault(error, FAULT_FULL, "no room for the route table");
        }
        *ret = at;
        *ret_n = n;
        return step != DB_ROW_FAILED;
}

/* Chains from the bottom up, so that each begins with its first rule. */
static void
link_rules(Table *table)
{
        for (gsize i = table->n; i > 0; i--) {
                RouteRule *rule = &table->rules[i - 1];

                if (rule->domain.has_star) {
                        rule->next = table->first_wild;
                        table->first_wild = (guint) i;
                        continue;
                }
                rule->next = GPOINTER_TO_UINT(g_hash_table_lookup(table->by_domain, &rule->domain.before));
                g_hash_table_replace(table->by_domain, &rule->domain.before, GUINT_TO_POINTER((guint) i));
        }
}

static gboolean
fill(Table *table, DbTxn *txn, GError **error)
{
        RouteRecord *records = NULL;

        if (!load_records(txn, table->arena, &records, &table->n, error))
                return FALSE;
        table->rules = arena_new_array(table->arena, RouteRule, table->n);
        if (table->rules == NULL)
                return fault(error, FAULT_FULL, "no room for the route table");
        for (gsize i = 0; i < table->n; i++) {
                if (!rule_parse(table->arena, records[i].record, &table->rules[i], error)) {
                        fault_prefix(error, "route record %u: ", records[i].position);
                        return FALSE;
                }
                table->rules[i].position = records[i].position;
        }
        link_rules(table);
        return TRUE;
}

static Table *
table_new(void)
{
        Table *table = g_new0(Table, 1);

        table->refs = 1;
        table->arena = arena_new(TABLE_OCTETS);
        table->by_domain = g_hash_table_new(span_hash, span_same);
        return table;
}

static Table *
table_ref(Table *table)
{
        (void) __atomic_add_fetch(&table->refs, 1, __ATOMIC_RELAXED);
        return table;
}

/* The table if it is as new as the directory. */
static Table *
table_current(Router *router, guint64 generation)
{
        MUTEX_SCOPE(&router->mutex);

        return router->table != NULL && router->table->generation == generation ? table_ref(router->table) : NULL;
}

Table *
table_get(Router *router, GError **error)
{
        guint64 generation = directory_generation(router->directory);
        Table *current = table_current(router, generation);

        if (current != NULL)
                return current;
        g_autoptr(DbTxn) txn = db_begin_read(router->db, error);
        g_autoptr(Table) table = table_new();
        table->generation = generation;
        if (txn == NULL || !fill(table, txn, error))
                return NULL;

        MUTEX_SCOPE(&router->mutex);
        if (router->table == NULL || router->table->generation < generation) {
                table_unref(router->table);
                router->table = table_ref(table);
        }
        return g_steal_pointer(&table);
}

/* The first match of a chain, as 1 + index. */
static guint
chain_match(const Table *table, guint at, const Address *address, Span *ret_star)
{
        while (at > 0 && !rule_matches(&table->rules[at - 1], address, ret_star))
                at = table->rules[at - 1].next;
        return at;
}

const RouteRule *
table_match(const Table *table, const Address *address, Span *ret_star)
{
        Span star = SPAN_EMPTY, wild_star = SPAN_EMPTY;

        if (table->n == 0)
                return NULL;
        guint first = GPOINTER_TO_UINT(g_hash_table_lookup(table->by_domain, &address->domain));
        guint exact = chain_match(table, first, address, &star);
        guint wild = chain_match(table, table->first_wild, address, &wild_star);
        guint at = exact == 0 || (wild != 0 && wild < exact) ? wild : exact;
        if (at == 0)
                return NULL;
        *ret_star = at == wild ? wild_star : star;
        return &table->rules[at - 1];
}

/* For administrators ---------------------------------------------------------------------------------------------- */

gboolean
router_records(Router *router, Arena *arena, const RouteRecord **ret, gsize *ret_n, GError **error)
{
        RouteRecord *records = NULL;

        g_autoptr(DbTxn) txn = db_begin_read(router->db, error);
        if (txn == NULL || !load_records(txn, arena, &records, ret_n, error))
                return FALSE;
        *ret = records;
        return TRUE;
}

static Change
refuse(GError **error, Change answer, const char *text)
{
        (void) fault(error, FAULT_INPUT, "%s", text);
        return answer;
}

DB_SQL(RECORD_SAME, "SELECT 1 FROM route WHERE record = ?");
DB_SQL(RECORD_SHIFT, "UPDATE route SET position = position + ? WHERE position >= ?");
DB_SQL(RECORD_INSERT, "INSERT INTO route (position, record, created) VALUES (?, ?, ?)");

static Change
insert_record(DbTxn *txn, const char *record, guint position, GError **error)
{
        gint64 count = 0, same;
        DbStep exists = db_get_int(txn, &RECORD_SAME, &same, error, "s", record);

        if (exists == DB_ROW_FAILED || db_get_int(txn, &RECORDS_COUNT, &count, error, "") != DB_ROW)
                return CHANGE_FAILED;
        if (exists == DB_ROW)
                return refuse(error, CHANGE_EXISTS, "this record is in the table already");
        if (count >= ROUTER_RECORDS_MAX)
                return refuse(error, CHANGE_INVALID,
                              "the table is full (10000 records); aliases are meant for single addresses");
        if (position == 0 || position > count)
                position = (guint) count + 1;
        if (!db_run(txn, &RECORD_SHIFT, error, "ii", (gint64) 1, (gint64) position) ||
            !db_run(txn, &RECORD_INSERT, error, "isi", (gint64) position, record, (gint64) clock_real()))
                return CHANGE_FAILED;
        return CHANGE_DONE;
}

/* An address the rule's pattern matches, its star standing for `x`. */
static Address
sample(const RouteRule *rule, Arena *arena)
{
        Address address;
        const Glob *l = &rule->local, *d = &rule->domain;
        const char *local = arena_printf(arena, "%.*s%s%.*s", (int) l->before.len, (const char *) l->before.data,
                                         l->has_star ? "x" : "", (int) l->after.len, (const char *) l->after.data);
        const char *domain = arena_printf(arena, "%.*s%s%.*s", (int) d->before.len, (const char *) d->before.data,
                                          d->has_star ? "x" : "", (int) d->after.len, (const char *) d->after.data);

        address.local = span_of(local);
        address.domain = span_of(domain);
        return address;
}

static gboolean
sends_to_us(const Router *router, const RouteRule *rule)
{
        return rule->target == TARGET_VIA && router_next_hop_is_own(&router->own, rule->host);
}

/* Whatever else stands in the table, this record must go in a circle (ROUTING 3). */
static gboolean
record_is_right(const Router *router, Arena *arena, const char *text, GError **error)
{
        RouteRule rule;
        Address from, to;
        Span star;

        if (!rule_parse(arena, text, &rule, error))
                return FALSE;
        if (sends_to_us(router, &rule))
                return fault(error, FAULT_INPUT, "%s: %s is this server: its mail would go round and round", text,
                             rule.host);
        from = to = sample(&rule, arena);
        if (rule.target == TARGET_ADDRESS && rule_matches(&rule, &from, &star) &&
            rule_rewrite(&rule, arena, &from, star, &to) && address_equal(&from, &to))
                return fault(error, FAULT_INPUT, "%s: it rewrites an address to itself, all its mail would be refused",
                             text);
        return TRUE;
}

Change
router_record_add(Router *router, DbTxn *txn, const char *record, guint position, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        const char *text = arena_strndup(arena, span_trim(span_slice(span_of(record), 0, RECORD_TEXT_MAX + 1)));

        if (!record_is_right(router, arena, text, error))
                return CHANGE_INVALID;
        Change answer = insert_record(txn, text, position, error);
        if (answer == CHANGE_DONE)
                directory_touch(router->directory, txn);
        return answer;
}

DB_SQL(RECORD_AT, "SELECT position FROM route WHERE position = ?");
DB_SQL(RECORD_NAMED, "SELECT position FROM route WHERE record = ?");
DB_SQL(RECORD_DELETE, "DELETE FROM route WHERE position = ?");

Change
router_record_remove(Router *router, DbTxn *txn, guint position, const char *record, GError **error)
{
        gint64 at = 0;
        g_autofree char *text = record != NULL ? span_dup(span_trim(span_of(record))) : NULL;
        DbStep found = text != NULL ? db_get_int(txn, &RECORD_NAMED, &at, error, "s", text)
                                    : db_get_int(txn, &RECORD_AT, &at, error, "i", (gint64) position);

        if (found == DB_ROW_FAILED)
                return CHANGE_FAILED;
        if (found == DB_ROW_END)
                return refuse(error, CHANGE_MISSING,
                              "there is no such record; `route list` shows them with their positions");
        if (!db_run(txn, &RECORD_DELETE, error, "i", at) || !db_run(txn, &RECORD_SHIFT, error, "ii", (gint64) -1, at))
                return CHANGE_FAILED;
        directory_touch(router->directory, txn);
        return CHANGE_DONE;
}

/* Loops ----------------------------------------------------------------------------------------------------------- */

/* Does an address end? It does when no rule matches, or one sends it off. */
static gboolean
address_loops(const Table *table, Arena *arena, Address address)
{
        Span star;

        for (guint depth = 0; depth <= ROUTER_DEPTH_MAX; depth++) {
                const RouteRule *rule = table_match(table, &address, &star);

                if (rule == NULL || rule->target != TARGET_ADDRESS ||
                    !rule_rewrite(rule, arena, &address, star, &address))
                        return FALSE;
        }
        return TRUE;
}

/* Rewriting is a function of the address, so what does not end within the depth either circles or grows. */
const char *
router_table_loop(Router *router, Arena *arena, GError **error)
{
        g_autoptr(Table) table = table_get(router, error);
        g_autoptr(Arena) scratch = arena_new(1024 * 1024);

        for (gsize i = 0; table != NULL && i < table->n; i++) {
                const RouteRule *rule = &table->rules[i];

                arena_reset(scratch);
                if (sends_to_us(router, rule))
                        return arena_printf(arena,
                                            "record %u (%s) sends to this server itself: its mail goes round and round",
                                            rule->position, rule->text);
                if (address_loops(table, scratch, sample(rule, scratch)))
                        return arena_printf(arena,
                                            "record %u (%s) leads back to itself: mail for it is refused with 5.4.6",
                                            rule->position, rule->text);
        }
        return NULL;
}

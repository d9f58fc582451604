/* list.c -- pages of what is defined, for administrators; straight from the database. */
#include "base/text.h"
#include "directory/internal.h"

#define PAGE_MAX 1000
#define DOMAINS_MAX 100000

DB_SQL(DOMAIN_COUNT, "SELECT count(*) FROM domain");
DB_SQL(DOMAIN_LIST, "SELECT " DOMAIN_COLUMNS " FROM domain ORDER BY name");

gboolean
directory_domains(Directory *directory, Arena *arena, const Domain **ret, gsize *ret_n, GError **error)
{
        gint64 count = 0;
        gsize n = 0;
        DbStep step;

        g_autoptr(DbTxn) txn = db_begin_read(directory->db, error);
        if (txn == NULL || db_get_int(txn, &DOMAIN_COUNT, &count, error, "") != DB_ROW)
                return FALSE;
        Domain *at = arena_new_array(arena, Domain, (gsize) MIN(count, DOMAINS_MAX));
        if (at == NULL)
                return fault(error, FAULT_FULL, "too many domains for one list");
        g_autoptr(DbRows) rows = db_query(txn, &DOMAIN_LIST, error, "");
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < (gsize) MIN(count, DOMAINS_MAX))
                directory_read_domain_row(rows, arena, &at[n++]);
        if (step == DB_ROW_FAILED)
                return FALSE;
        if (arena_is_over(arena))
                return fault(error, FAULT_FULL, "too many domains for one list");
        *ret = at;
        *ret_n = n;
        return TRUE;
}

/* Where a page begins: behind (domain, local_key) of the last row of the one before. Domains only: one domain, or all.
 */
typedef struct Page {
        const char *domain; /* lower-case A-label, NULL: all */
        Span after_domain, after_key;
        gsize max;
} Page;

static gboolean
page_read(Arena *arena, const char *domain, const char *after, gsize max, Page *ret, GError **error)
{
        AliasForm form;
        Address address = {SPAN_EMPTY, SPAN_EMPTY};

        *ret = (Page){.max = CLAMP(max, 1, PAGE_MAX)};
        if (domain != NULL && strcmp(domain, "*") == 0)
                ret->domain = domain;
        else if (domain != NULL && directory_read_domain(arena, domain, &ret->domain, error) != CHANGE_DONE)
                return FALSE;
        if (after == NULL)
                return TRUE;
        if (directory_read_alias(arena, after, &form, &address, error) != CHANGE_DONE)
                return FALSE;
        Span key = text_lower(arena, address.local);
        if (form == ALIAS_PREFIX || form == ALIAS_CATCHALL)
                key = span_of(arena_printf(arena, "%.*s*", (int) key.len, (const char *) key.data));
        ret->after_domain = address.domain;
        ret->after_key = key;
        return TRUE;
}

#define PAGE_WHERE " WHERE (domain > ?1 OR (domain = ?1 AND local_key > ?2)) AND (?3 IS NULL OR domain = ?3)"

DB_SQL(ACCOUNT_PAGE, "SELECT " ACCOUNT_COLUMNS " FROM account" PAGE_WHERE " ORDER BY domain, local_key LIMIT ?4");

gboolean
directory_list_accounts(Directory *directory, Arena *arena, const char *domain, const char *after, gsize max,
                        const Account **ret, gsize *ret_n, GError **error)
{
        Page page;
        gsize n = 0;
        DbStep step;

        if (!page_read(arena, domain, after, max, &page, error))
                return FALSE;
        Account *at = arena_new_array(arena, Account, page.max);
        g_autoptr(DbTxn) txn = at != NULL ? db_begin_read(directory->db, error) : NULL;
        if (at == NULL)
                return fault(error, FAULT_FULL, "no room for a list");
        g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &ACCOUNT_PAGE, error, "ttsi", page.after_domain,
                                                        page.after_key, page.domain, (gint64) page.max)
                                             : NULL;
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < page.max)
                directory_read_account(rows, arena, &at[n++]);
        if (step == DB_ROW_FAILED)
                return FALSE;
        if (arena_is_over(arena))
                return fault(error, FAULT_FULL, "no room for a list");
        *ret = at;
        *ret_n = n;
        return TRUE;
}

DB_SQL(ALIAS_PAGE, "SELECT id, kind, post, local, domain, " BOUNCER_COLUMNS " FROM alias" PAGE_WHERE
                   " ORDER BY domain, local_key, kind LIMIT ?4");

/* PREFIX*@DOMAIN, *@DOMAIN and LOCAL@* are no addresses: written as they were typed. */
static const char *
alias_text(Arena *arena, const char *kind, Span local, Span domain)
{
        Address address = {local, domain};
        gboolean is_address = strcmp(kind, "prefix") != 0 && strcmp(kind, "catchall") != 0;

        if (is_address)
                return arena_strndup(arena, address_text(arena, &address));
        return arena_printf(arena, "%.*s@%.*s", (int) local.len, (const char *) local.data, (int) domain.len,
                            (const char *) domain.data);
}

static gboolean
read_alias_row(DbTxn *txn, Arena *arena, const DbRows *rows, AliasRow *ret, GError **error)
{
        AddressList list = {NULL, 0};

        ret->kind = arena_strdup(arena, db_text(rows, 1));
        ret->address = alias_text(arena, db_text(rows, 1), db_bytes(rows, 3), db_bytes(rows, 4));
        ret->post = directory_post_from(db_text(rows, 2));
        directory_read_bouncer(rows, 5, arena, &ret->bouncer);
        if (ret->kind == NULL || ret->address == NULL)
                return fault(error, FAULT_FULL, "no room for a list");
        if (!directory_load_targets(txn, arena, db_int(rows, 0), &list, error))
                return FALSE;
        ret->targets = list.at;
        ret->n_targets = list.n;
        return TRUE;
}

/* Rows of one address (an alias and a bouncer over it) stay on one page: the next one begins behind the address. */
gboolean
directory_list_aliases(Directory *directory, Arena *arena, const char *domain, const char *after, gsize max,
                       const AliasRow **ret, gsize *ret_n, GError **error)
{
        enum { SAME_ADDRESS_MAX = 3 };
        Page page;
        gsize n = 0;
        DbStep step;

        if (!page_read(arena, domain, after, max, &page, error))
                return FALSE;
        AliasRow *at = arena_new_array(arena, AliasRow, page.max + SAME_ADDRESS_MAX);
        g_autoptr(DbTxn) txn = at != NULL ? db_begin_read(directory->db, error) : NULL;
        if (at == NULL)
                return fault(error, FAULT_FULL, "no room for a list");
        g_autoptr(DbRows) rows = txn != NULL
                                         ? db_query(txn, &ALIAS_PAGE, error, "ttsi", page.after_domain, page.after_key,
                                                    page.domain, (gint64) (page.max + SAME_ADDRESS_MAX))
                                         : NULL;
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < page.max + SAME_ADDRESS_MAX) {
                if (!read_alias_row(txn, arena, rows, &at[n], error))
                        return FALSE;
                if (n >= page.max && g_ascii_strcasecmp(at[n].address, at[n - 1].address) != 0)
                        break;
                n++;
        }
        if (step == DB_ROW_FAILED)
                return FALSE;
        *ret = at;
        *ret_n = n;
        return TRUE;
}

/* membership.c -- the groups somebody belongs to, and the domains an account administers.
 *
 * Groups are found upwards: from an address to the groups and aliases that name it, from those to what names them. Each
 * address is asked for under every name of its domain. Prefix aliases, catch-alls and LOCAL@* name no members.
 */
#include "base/text.h"
#include "directory/internal.h"

#define DOMAIN_NAMES_MAX 16

/* Keys "local@domain" in lower case, in the order in which they were found; each is there once. */
typedef struct Climb {
        DbTxn *txn;
        Arena *arena;
        GHashTable *seen;
        GPtrArray *found; /* of const char * in the arena */
        GPtrArray *groups;
} Climb;

static void
climb_done(Climb *climb)
{
        g_hash_table_unref(climb->seen);
        g_ptr_array_unref(climb->found);
        g_ptr_array_unref(climb->groups);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Climb, climb_done)

static gboolean
climb_add(Climb *climb, const char *key, gboolean is_group, GError **error)
{
        if (key == NULL)
                return fault(error, FAULT_FULL, "no room for groups");
        if (climb->found->len > DIRECTORY_GROUPS_MAX || !g_hash_table_add(climb->seen, (gpointer) key))
                return TRUE;
        g_ptr_array_add(climb->found, (gpointer) key);
        if (is_group)
                g_ptr_array_add(climb->groups, (gpointer) key);
        return TRUE;
}

DB_SQL(NAMED_BY, "SELECT a.local_key, a.domain, a.kind = 'group' FROM alias_target t JOIN alias a ON a.id = t.alias"
                 " WHERE t.address_key = ? AND a.kind IN ('group', 'alias') AND a.domain <> '*'");

static gboolean
climb_from(Climb *climb, const char *key, GError **error)
{
        g_autoptr(DbRows) rows = db_query(climb->txn, &NAMED_BY, error, "s", key);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                const char *upper = arena_printf(climb->arena, "%s@%s", db_text(rows, 0), db_text(rows, 1));

                if (!climb_add(climb, upper, db_int(rows, 2) != 0, error))
                        return FALSE;
        }
        return step == DB_ROW_END;
}

DB_SQL(NAMES_OF_DOMAIN, "SELECT name FROM domain WHERE kind = 'alias' AND target = ? ORDER BY name LIMIT ?");

/* The address itself, then in the other names of its domain. */
static gboolean
climb_names(Climb *climb, const char *key, GError **error)
{
        const char *names[DOMAIN_NAMES_MAX];
        const char *at = strrchr(key, '@');
        DbStep step;
        gsize n = 0;

        if (!climb_from(climb, key, error))
                return FALSE;
        {
                g_autoptr(DbRows) rows =
                        db_query(climb->txn, &NAMES_OF_DOMAIN, error, "si", at + 1, (gint64) DOMAIN_NAMES_MAX);
                if (rows == NULL)
                        return FALSE;
                while ((step = db_rows_next(rows, error)) == DB_ROW && n < DOMAIN_NAMES_MAX)
                        names[n++] = arena_printf(climb->arena, "%.*s@%s", (int) (at - key), key, db_text(rows, 0));
                if (step == DB_ROW_FAILED)
                        return FALSE;
        }
        for (gsize i = 0; i < n; i++)
                if (names[i] == NULL || !climb_from(climb, names[i], error))
                        return FALSE;
        return TRUE;
}

static gboolean
list_groups(Arena *arena, const GPtrArray *groups, AddressList *ret, GError **error)
{
        Address *at = arena_new_array(arena, Address, groups->len);

        if (at == NULL && groups->len > 0)
                return fault(error, FAULT_FULL, "no room for groups");
        for (guint i = 0; i < groups->len; i++) {
                const char *key = g_ptr_array_index(groups, i);
                const char *sign = strrchr(key, '@');

                at[i] = (Address){span_make(key, (gsize) (sign - key)), span_of(sign + 1)};
        }
        *ret = (AddressList){at, groups->len};
        return TRUE;
}

gboolean
directory_load_groups(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error)
{
        AddressList *list = arena_new0(arena, AddressList);
        g_auto(Climb) climb = {.txn = txn,
                               .arena = arena,
                               .seen = g_hash_table_new(g_str_hash, g_str_equal),
                               .found = g_ptr_array_new(),
                               .groups = g_ptr_array_new()};

        if (list == NULL || !climb_add(&climb, arena_strndup(arena, key), FALSE, error))
                return FALSE;
        for (guint i = 0; i < climb.found->len; i++)
                if (!climb_names(&climb, g_ptr_array_index(climb.found, i), error))
                        return FALSE;
        *ret = climb.groups->len > 0 ? list : NULL;
        return list_groups(arena, climb.groups, list, error);
}

gboolean
directory_groups_of(Directory *directory, Arena *arena, const Address *address, const Address **ret, gsize *ret_n,
                    GError **error)
{
        guint8 buffer[RECORD_KEY_MAX];
        const void *value = NULL;
        Found found = FOUND_NOT;
        Span key;

        if (address->local.len > 0 && directory_key(address, buffer, &key))
                found = directory_look_up(directory, arena, RECORD_GROUPS, key, &value, error);
        if (found == FOUND_FAILED)
                return FALSE;
        *ret = found == FOUND ? ((const AddressList *) value)->at : NULL;
        *ret_n = found == FOUND ? ((const AddressList *) value)->n : 0;
        return TRUE;
}

/* Administrators -------------------------------------------------------------------------------------------------- */

DB_SQL(SCOPES, "SELECT scope, rights FROM admin_right WHERE account = ? ORDER BY scope LIMIT ?");

gboolean
directory_load_admin(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error)
{
        AdminScopes *scopes = arena_new0(arena, AdminScopes);
        AdminScope *at = arena_new_array(arena, AdminScope, ADMIN_SCOPES_MAX);
        gint64 id;
        DbStep step;

        memcpy(&id, key.data, sizeof(id));
        if (scopes == NULL || at == NULL)
                return fault(error, FAULT_FULL, "no room for an administrator");
        g_autoptr(DbRows) rows = db_query(txn, &SCOPES, error, "ii", id, (gint64) ADMIN_SCOPES_MAX);
        if (rows == NULL)
                return FALSE;
        scopes->at = at;
        while ((step = db_rows_next(rows, error)) == DB_ROW && scopes->n < ADMIN_SCOPES_MAX)
                at[scopes->n++] = (AdminScope){arena_strdup(arena, db_text(rows, 0)), (guint) db_int(rows, 1)};
        *ret = scopes->n > 0 ? scopes : NULL;
        return step != DB_ROW_FAILED;
}

gboolean
directory_admin_scopes(Directory *directory, Arena *arena, gint64 account, const AdminScope **ret, gsize *ret_n,
                       GError **error)
{
        const void *value = NULL;
        Found found =
                directory_look_up(directory, arena, RECORD_ADMIN, span_make(&account, sizeof(account)), &value, error);

        if (found == FOUND_FAILED)
                return FALSE;
        *ret = found == FOUND ? ((const AdminScopes *) value)->at : NULL;
        *ret_n = found == FOUND ? ((const AdminScopes *) value)->n : 0;
        return TRUE;
}

gboolean
directory_admin_rights(Directory *directory, Arena *arena, gint64 account, Span domain, guint *ret, GError **error)
{
        const AdminScope *scopes;
        gsize n;
        guint rights = 0;

        if (!directory_admin_scopes(directory, arena, account, &scopes, &n, error))
                return FALSE;
        for (gsize i = 0; i < n; i++)
                if (strcmp(scopes[i].domain, "*") == 0 || span_equal_nocase(span_of(scopes[i].domain), domain))
                        rights |= scopes[i].rights;
        *ret = rights;
        return TRUE;
}

/* mailbox_list.c -- everything a viewer may see.
 *
 * One statement for the tree, one for its rights, one each for aliases, their rights and subscriptions; whose mailboxes
 * others have granted costs one for each identifier of the viewer. Sorting and parents are done here: 10,000 names are
 * a few milliseconds.
 */
#include "base/text.h"
#include "store/internal.h"
#include "store/tree.h"

#include <stdlib.h>

#define LISTED_MAX 100000 /* of one answer */

typedef struct Listed {
        Mailbox mailbox;
        RightsSum sum;
        gboolean is_owner;
} Listed;

typedef struct Listing {
        Store *store;
        Arena *arena;
        const Viewer *who;
        Span prefix;
        Identity identity;
        GArray *own, *others;  /* of Listed, by name once they are sorted */
        GHashTable *by_id;     /* gint64 in the arena -> index + 1 in the array that is being filled */
        GPtrArray *subscribed; /* names, sorted */
        gboolean has_inbox;
} Listing;

static void
listing_done(Listing *l)
{
        g_array_unref(l->own);
        g_array_unref(l->others);
        g_hash_table_unref(l->by_id);
        g_ptr_array_unref(l->subscribed);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listing, listing_done)

static gboolean
too_many(GError **error)
{
        return fault(error, FAULT_BUSY, "too many mailboxes for one list");
}

static gboolean
name_has_prefix(const char *name, Span prefix)
{
        return strncmp(name, (const char *) prefix.data, prefix.len) == 0;
}

/* Filling ---------------------------------------------------------------------------------------------------------- */

static gboolean
add_listed(Listing *l, GArray *list, const Listed *listed, gboolean is_indexed, GError **error)
{
        if (listed->mailbox.name == NULL || list->len >= LISTED_MAX)
                return too_many(error);
        g_array_append_vals(list, listed, 1);
        if (!is_indexed)
                return TRUE;
        gint64 *key = arena_alloc(l->arena, sizeof(gint64));
        if (key == NULL)
                return too_many(error);
        *key = listed->mailbox.id;
        g_hash_table_insert(l->by_id, key, GUINT_TO_POINTER(list->len));
        return TRUE;
}

DB_SQL(OWN_TREE, "SELECT id, name, special_use, uid_validity FROM mailbox"
                 " WHERE account = ? AND name >= ? AND name < ? AND deleted_at IS NULL");

/* INBOX has one name in capitals, and the others theirs. */
static gboolean
list_own_range(Listing *l, DbTxn *txn, const char *from, const char *behind, gboolean is_inbox, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &OWN_TREE, error, "iss", l->who->account, from, behind);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                Listed listed = {.is_owner = TRUE};

                listed.mailbox = (Mailbox){.id = db_int(rows, 0),
                                           .owner = l->who->account,
                                           .name = arena_strdup(l->arena, db_text(rows, 1)),
                                           .special_use = (guint) db_int(rows, 2)};
                mailbox_id_text(listed.mailbox.id, db_int(rows, 3), listed.mailbox.mailbox_id);
                if (listed.mailbox.name != NULL && strcmp(listed.mailbox.name, "INBOX") == 0)
                        l->has_inbox = TRUE;
                else if (is_inbox && listed.mailbox.name != NULL && !name_is_below(listed.mailbox.name, "INBOX"))
                        continue;
                if (!add_listed(l, l->own, &listed, TRUE, error))
                        return FALSE;
        }
        return step == DB_ROW_END;
}

/* Does the prefix, in any case, say the beginning of INBOX, or more than all of it? */
static gboolean
prefix_meets_inbox(Span prefix)
{
        return span_starts_nocase(span_of("INBOX"), prefix) ||
               (span_starts_nocase(prefix, span_of("INBOX")) && prefix.data[5] == '/');
}

static gboolean
list_own(Listing *l, DbTxn *txn, GError **error)
{
        const char *from = arena_strndup(l->arena, l->prefix), *behind = name_behind(l->arena, l->prefix);

        if (from == NULL || behind == NULL)
                return too_many(error);
        if (!list_own_range(l, txn, from, behind, FALSE, error))
                return FALSE;
        if (name_has_prefix("INBOX", l->prefix) || name_has_prefix(from, span_of("INBOX/")) ||
            !prefix_meets_inbox(l->prefix))
                return TRUE;
        if (l->prefix.len <= 5)
                return list_own_range(l, txn, "INBOX", "INBOX0", TRUE, error);
        from = arena_printf(l->arena, "INBOX%s", from + 5);
        behind = from != NULL ? name_behind(l->arena, span_of(from)) : NULL;
        return behind != NULL ? list_own_range(l, txn, from, behind, TRUE, error) : too_many(error);
}

DB_SQL(OWN_RIGHTS,
       "SELECT a.mailbox, a.identifier, a.is_negative, a.rights FROM mailbox m JOIN acl a ON a.mailbox = m.id"
       " WHERE m.account = ?");
DB_SQL(ALIAS_RIGHTS, "SELECT mailbox, identifier, is_negative, rights FROM acl"
                     " WHERE mailbox IN (SELECT target FROM mailbox_alias WHERE account = ?)");

static gboolean
add_rights(Listing *l, DbTxn *txn, const DbSql *sql, GArray *list, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, sql, error, "i", l->who->account);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                gint64 id = db_int(rows, 0);
                guint at = GPOINTER_TO_UINT(g_hash_table_lookup(l->by_id, &id));

                if (at == 0)
                        continue;
                Listed *listed = &g_array_index(list, Listed, at - 1);
                rights_add(&listed->sum, &l->identity, listed->is_owner, db_text(rows, 1), db_int(rows, 2) != 0,
                           (guint) db_int(rows, 3));
        }
        return step == DB_ROW_END;
}

DB_SQL(OWN_ALIASES, "SELECT al.name, m.id, m.account, m.uid_validity FROM mailbox_alias al"
                    " JOIN mailbox m ON m.id = al.target"
                    " WHERE al.account = ? AND al.name >= ? AND al.name < ? AND m.deleted_at IS NULL ORDER BY m.id");

/* Aliases of one mailbox stand side by side: the first of them gathers its rights, the others take them over. */
static gboolean
list_aliases(Listing *l, DbTxn *txn, GArray *list, GError **error)
{
        const char *from = arena_strndup(l->arena, l->prefix), *behind = name_behind(l->arena, l->prefix);
        gint64 before = 0;
        DbStep step;

        if (from == NULL || behind == NULL)
                return too_many(error);
        g_autoptr(DbRows) rows = db_query(txn, &OWN_ALIASES, error, "iss", l->who->account, from, behind);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                Listed listed = {.is_owner = db_int(rows, 2) == l->who->account};

                listed.mailbox = (Mailbox){.id = db_int(rows, 1),
                                           .owner = db_int(rows, 2),
                                           .name = arena_strdup(l->arena, db_text(rows, 0)),
                                           .is_alias = TRUE};
                mailbox_id_text(listed.mailbox.id, db_int(rows, 3), listed.mailbox.mailbox_id);
                if (!add_listed(l, list, &listed, listed.mailbox.id != before, error))
                        return FALSE;
                before = listed.mailbox.id;
        }
        return step == DB_ROW_END;
}

static void
settle_rights(GArray *list)
{
        for (guint i = 0; i < list->len; i++) {
                Listed *listed = &g_array_index(list, Listed, i);

                if (i > 0 && g_array_index(list, Listed, i - 1).mailbox.id == listed->mailbox.id)
                        listed->sum = g_array_index(list, Listed, i - 1).sum;
                listed->mailbox.rights = rights_of(&listed->sum, listed->is_owner);
        }
}

/* What stands in one's own tree, aliases to what may be seen included. */
static gboolean
list_tree(Listing *l, DbTxn *txn, GError **error)
{
        g_autoptr(GArray) aliases = g_array_new(FALSE, FALSE, sizeof(Listed));

        if (!list_own(l, txn, error) || !add_rights(l, txn, &OWN_RIGHTS, l->own, error))
                return FALSE;
        settle_rights(l->own);
        g_hash_table_remove_all(l->by_id);
        if (!list_aliases(l, txn, aliases, error) ||
            (aliases->len > 0 && !add_rights(l, txn, &ALIAS_RIGHTS, aliases, error)))
                return FALSE;
        settle_rights(aliases);
        for (guint i = 0; i < aliases->len; i++)
                if (g_array_index(aliases, Listed, i).mailbox.rights & RIGHT_LOOKUP)
                        g_array_append_val(l->own, g_array_index(aliases, Listed, i));
        g_hash_table_remove_all(l->by_id);
        return TRUE;
}

/* Other users' ----------------------------------------------------------------------------------------------------- */

DB_SQL(GRANTED, "SELECT m.id, m.account, m.name, m.uid_validity, a.is_negative, a.rights FROM acl a"
                " JOIN mailbox m ON m.id = a.mailbox"
                " WHERE a.identifier = ? AND m.account <> ? AND m.deleted_at IS NULL LIMIT ?");

static gboolean
list_granted(Listing *l, DbTxn *txn, const char *identifier, GError **error)
{
        g_autoptr(DbRows) rows =
                db_query(txn, &GRANTED, error, "sii", identifier, l->who->account, (gint64) LISTED_MAX);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                gint64 id = db_int(rows, 0);
                guint at = GPOINTER_TO_UINT(g_hash_table_lookup(l->by_id, &id));

                if (at == 0) {
                        Listed listed = {.mailbox = {.id = id,
                                                     .owner = db_int(rows, 1),
                                                     .name = arena_strdup(l->arena, db_text(rows, 2))}};

                        mailbox_id_text(id, db_int(rows, 3), listed.mailbox.mailbox_id);
                        if (!add_listed(l, l->others, &listed, TRUE, error))
                                return FALSE;
                        at = l->others->len;
                }
                rights_add(&g_array_index(l->others, Listed, at - 1).sum, &l->identity, FALSE, identifier,
                           db_int(rows, 4) != 0, (guint) db_int(rows, 5));
        }
        return step == DB_ROW_END;
}

static gboolean
list_others(Listing *l, DbTxn *txn, GError **error)
{
        if (!list_granted(l, txn, "anyone", error) || !list_granted(l, txn, l->identity.key, error))
                return FALSE;
        for (gsize i = 0; i < l->identity.n_groups; i++)
                if (!list_granted(l, txn, l->identity.groups[i], error))
                        return FALSE;
        return TRUE;
}

static const char *
tree_name(Listing *l, gint64 owner, GError **error)
{
        const Account *account = NULL;
        Found found = directory_account_by_id(l->store->directory, l->arena, owner, &account, error);

        if (found != FOUND)
                return found == FOUND_NOT ? "" : NULL;
        const char *key = address_key(l->arena, &account->address);
        const char *name = key != NULL ? owner_name(l->arena, l->who, key) : NULL;
        if (name == NULL)
                (void) too_many(error);
        return name;
}

static int
compare_owners(const void *a, const void *b)
{
        const Listed *x = a, *y = b;

        return (x->mailbox.owner > y->mailbox.owner) - (x->mailbox.owner < y->mailbox.owner);
}

/* Names as the viewer sees them; what he may not see, or does not begin with the prefix, goes. The directory is asked
 * once an owner. */
static gboolean
name_others(Listing *l, GError **error)
{
        const char *owner = NULL;
        gint64 of = 0;
        guint kept = 0;

        g_array_sort(l->others, compare_owners);
        for (guint i = 0; i < l->others->len; i++) {
                Listed listed = g_array_index(l->others, Listed, i);

                listed.mailbox.rights = rights_of(&listed.sum, FALSE);
                if (!(listed.mailbox.rights & RIGHT_LOOKUP))
                        continue;
                if (owner == NULL || listed.mailbox.owner != of) {
                        of = listed.mailbox.owner;
                        owner = tree_name(l, of, error);
                }
                if (owner == NULL)
                        return FALSE;
                if (*owner == '\0') /* the account is being removed */
                        continue;
                listed.mailbox.name = arena_printf(l->arena, "%s/%s", owner, listed.mailbox.name);
                if (listed.mailbox.name == NULL)
                        return too_many(error);
                if (name_has_prefix(listed.mailbox.name, l->prefix))
                        g_array_index(l->others, Listed, kept++) = listed;
        }
        g_array_set_size(l->others, kept);
        return TRUE;
}

/* Order, parents, children ----------------------------------------------------------------------------------------- */

/* A mailbox comes before an alias of the same name, which it hides. */
static int
compare_names(const void *a, const void *b)
{
        const Listed *x = a, *y = b;
        int order = strcmp(x->mailbox.name, y->mailbox.name);

        return order != 0 ? order : x->mailbox.is_alias - y->mailbox.is_alias;
}

static gboolean
add_parents(Listing *l, GArray *list, GError **error)
{
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        guint n = list->len;

        for (guint i = 0; i < n; i++)
                g_hash_table_add(names, (gpointer) g_array_index(list, Listed, i).mailbox.name);
        for (guint i = 0; i < n; i++) {
                const char *name = g_array_index(list, Listed, i).mailbox.name;

                while (strchr(name, '/') != NULL) {
                        if ((name = name_parent(l->arena, name)) == NULL)
                                return too_many(error);
                        if (g_hash_table_contains(names, name) || !name_has_prefix(name, l->prefix))
                                break; /* and so were its own parents */
                        const Listed parent = {.mailbox = {.name = name}};
                        if (!add_listed(l, list, &parent, FALSE, error))
                                return FALSE;
                        g_hash_table_add(names, (gpointer) name);
                }
        }
        return TRUE;
}

/* Index of the first name that is not before this. */
static guint
lower_bound(const GArray *list, const char *name)
{
        guint from = 0, to = list->len;

        while (from < to) {
                guint middle = from + (to - from) / 2;

                if (strcmp(g_array_index(list, Listed, middle).mailbox.name, name) < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

static gboolean
has_children(Listing *l, const GArray *list, const char *name, gboolean *ret, GError **error)
{
        const char *below = arena_printf(l->arena, "%s/", name);
        guint at = below != NULL ? lower_bound(list, below) : 0;

        *ret = below != NULL && at < list->len && name_is_below(g_array_index(list, Listed, at).mailbox.name, name);
        return below != NULL || too_many(error);
}

static int
compare_texts(const void *a, const void *b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static gboolean
is_subscribed(const Listing *l, const char *name)
{
        return l->subscribed->len > 0 &&
               bsearch(&name, l->subscribed->pdata, l->subscribed->len, sizeof(char *), compare_texts) != NULL;
}

/* FALSE also when the arena is over. */
static gboolean
finish(Listing *l, GArray *list, GError **error)
{
        guint kept = 0;

        if (!add_parents(l, list, error))
                return FALSE;
        g_array_sort(list, compare_names);
        for (guint i = 0; i < list->len; i++) {
                const Listed *listed = &g_array_index(list, Listed, i);

                if (kept == 0 || strcmp(g_array_index(list, Listed, kept - 1).mailbox.name, listed->mailbox.name) != 0)
                        g_array_index(list, Listed, kept++) = *listed;
        }
        g_array_set_size(list, kept);
        for (guint i = 0; i < list->len; i++) {
                Mailbox *m = &g_array_index(list, Listed, i).mailbox;

                m->is_subscribed = is_subscribed(l, m->name);
                if (!has_children(l, list, m->name, &m->has_children, error))
                        return FALSE;
        }
        return TRUE;
}

/* Subscriptions ---------------------------------------------------------------------------------------------------- */

DB_SQL(SUBSCRIPTIONS, "SELECT name FROM subscription WHERE account = ? ORDER BY name LIMIT ?");

static gboolean
list_subscriptions(Listing *l, DbTxn *txn, GError **error)
{
        g_autoptr(DbRows) rows =
                db_query(txn, &SUBSCRIPTIONS, error, "ii", l->who->account, (gint64) SUBSCRIPTIONS_MAX);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                const char *name = arena_strdup(l->arena, db_text(rows, 0));

                if (name == NULL)
                        return too_many(error);
                g_ptr_array_add(l->subscribed, (gpointer) name);
        }
        return step == DB_ROW_END;
}

/* Only names that are subscribed, whatever has become of their mailboxes. */
static gboolean
keep_subscribed(Listing *l, gboolean is_other, GArray *list, GError **error)
{
        g_autoptr(GArray) all = g_array_copy(list);

        g_array_set_size(list, 0);
        for (guint i = 0; i < l->subscribed->len; i++) {
                const char *name = g_ptr_array_index(l->subscribed, i);
                guint at = lower_bound(all, name);
                Listed gone = {.mailbox = {.name = name, .is_subscribed = TRUE}};

                if ((name[0] == '~') != is_other)
                        continue;
                if (at < all->len && strcmp(g_array_index(all, Listed, at).mailbox.name, name) == 0)
                        gone = g_array_index(all, Listed, at);
                else if (!name_has_prefix(name, l->prefix))
                        continue;
                else if (!has_children(l, all, name, &gone.mailbox.has_children, error))
                        return FALSE;
                if (!add_listed(l, list, &gone, FALSE, error))
                        return FALSE;
        }
        return TRUE;
}

/* All together ----------------------------------------------------------------------------------------------------- */

/* Does anything subscribed stand in somebody else's tree? */
static gboolean
subscribes_others(const Listing *l)
{
        for (guint i = l->subscribed->len; i-- > 0;)
                if (((const char *) g_ptr_array_index(l->subscribed, i))[0] == '~')
                        return TRUE;
        return FALSE;
}

static gboolean
read_all(Listing *l, const MailboxQuery *query, gboolean *ret_others, GError **error)
{
        gboolean is_other = l->prefix.len > 0 && l->prefix.data[0] == '~';
        g_autoptr(DbTxn) txn = db_begin_read(l->store->db, error);

        if (txn == NULL || !list_subscriptions(l, txn, error))
                return FALSE;
        *ret_others = is_other || query->include_others || (query->subscribed_only && subscribes_others(l));
        return (is_other || list_tree(l, txn, error)) && (!*ret_others || list_others(l, txn, error));
}

static gboolean
copy_out(Listing *l, const Mailbox **ret, gsize *ret_n, GError **error)
{
        gsize n = l->own->len + l->others->len;
        Mailbox *at = arena_new_array(l->arena, Mailbox, n);

        if (at == NULL && n > 0)
                return too_many(error);
        for (gsize i = 0; i < n; i++)
                at[i] = i < l->own->len ? g_array_index(l->own, Listed, i).mailbox
                                        : g_array_index(l->others, Listed, i - l->own->len).mailbox;
        *ret = at;
        *ret_n = n;
        return TRUE;
}

static void
listing_init(Listing *l, Store *store, Arena *arena, const Viewer *who, Span prefix)
{
        *l = (Listing){.store = store,
                       .arena = arena,
                       .who = who,
                       .prefix = prefix,
                       .own = g_array_new(FALSE, FALSE, sizeof(Listed)),
                       .others = g_array_new(FALSE, FALSE, sizeof(Listed)),
                       .by_id = g_hash_table_new(g_int64_hash, g_int64_equal),
                       .subscribed = g_ptr_array_new()};
}

static gboolean
list_once(Listing *l, const MailboxQuery *query, const Mailbox **ret, gsize *ret_n, GError **error)
{
        gboolean others = FALSE;

        if (!identity_load(l->store, l->arena, l->who, &l->identity, error) || !read_all(l, query, &others, error) ||
            (others && !name_others(l, error)))
                return FALSE;
        if (!finish(l, l->own, error) || !finish(l, l->others, error))
                return FALSE;
        if (query->subscribed_only &&
            (!keep_subscribed(l, FALSE, l->own, error) || !keep_subscribed(l, TRUE, l->others, error)))
                return FALSE;
        return copy_out(l, ret, ret_n, error);
}

gboolean
store_mailboxes(Store *store, Arena *arena, const Viewer *who, const MailboxQuery *query, const Mailbox **ret,
                gsize *ret_n, GError **error)
{
        Span prefix = query->prefix.data != NULL ? query->prefix : span_of("");

        if (prefix.len > NAME_OCTETS_MAX || memchr(prefix.data, '\0', prefix.len) != NULL) {
                *ret = NULL; /* no name is so long */
                *ret_n = 0;
                return TRUE;
        }
        for (gboolean has_made = FALSE;; has_made = TRUE) {
                g_auto(Listing) l;

                listing_init(&l, store, arena, who, prefix);
                if (!list_once(&l, query, ret, ret_n, error))
                        return FALSE;
                if (l.has_inbox || has_made || !prefix_meets_inbox(prefix) || prefix.len > 5)
                        return TRUE;
                if (!inbox_make(store, who->account, error))
                        return FALSE;
        }
}

/* What could be restored ------------------------------------------------------------------------------------------- */

DB_SQL(DELETED, "SELECT deleted_name, deleted_at, id, uid_validity FROM mailbox WHERE account = ? AND name < ' '"
                " ORDER BY deleted_at DESC, id DESC LIMIT ?");

gboolean
store_mailboxes_deleted(Store *store, Arena *arena, const Viewer *who, gsize max, const DeletedMailbox **ret,
                        gsize *ret_n, GError **error)
{
        DeletedMailbox *at = arena_new_array(arena, DeletedMailbox, max);
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        DbStep step = DB_ROW_FAILED;
        gsize n = 0;

        if (txn == NULL)
                return FALSE;
        if (at == NULL)
                return too_many(error);
        g_autoptr(DbRows) rows = db_query(txn, &DELETED, error, "ii", who->account, (gint64) max);
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW && n < max) {
                at[n] = (DeletedMailbox){.name = arena_strdup(arena, db_text(rows, 0)), .deleted = db_int(rows, 1)};
                mailbox_id_text(db_int(rows, 2), db_int(rows, 3), at[n].mailbox_id);
                if (at[n++].name == NULL)
                        return too_many(error);
        }
        *ret = at;
        *ret_n = n;
        return step != DB_ROW_FAILED;
}

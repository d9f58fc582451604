/* acl.c -- rights on mailboxes (RFC 4314).
 *
 * A viewer is meant by his address, by the groups he is in, and by "anyone". What all entries that mean him grant is
 * put together; what negative ones name is taken away from that (§2). The owner has everything unless an entry of his
 * own says less, and always l, r and a, so that nobody locks himself out.
 */
#include "base/text.h"
#include "store/internal.h"
#include "store/tree.h"

/* Letters -----------------------------------------------------------------------------------------------------------
 */

static const char LETTERS[] = "lrswipkxtea"; /* in the order of Right */

static guint
right_of(guint8 letter)
{
        const char *at = letter != 0 ? strchr(LETTERS, letter) : NULL;

        if (at != NULL)
                return 1u << (at - LETTERS);
        if (letter == 'c') /* RFC 2086, as RFC 4314 §2.1.1 reads it */
                return RIGHT_CREATE | RIGHT_DELETE_MAILBOX;
        return letter == 'd' ? RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE : 0;
}

gboolean
rights_parse(Span text, guint *ret)
{
        guint rights = 0;

        for (gsize i = 0; i < text.len; i++) {
                guint right = right_of(text.data[i]);

                if (right == 0)
                        return FALSE;
                rights |= right;
        }
        *ret = rights;
        return TRUE;
}

const char *
rights_text(guint rights, char buffer[16])
{
        gsize n = 0;

        for (guint i = 0; i < sizeof(LETTERS) - 1; i++)
                if (rights & (1u << i))
                        buffer[n++] = LETTERS[i];
        buffer[n] = '\0';
        return buffer;
}

/* Who is meant ------------------------------------------------------------------------------------------------------
 */

static int
compare_texts(const void *a, const void *b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static gboolean
load_groups(Store *store, Arena *arena, const char *key, Identity *ret, GError **error)
{
        const char *sign = strrchr(key, '@');
        const Address address = {span_make(key, (gsize) (sign - key)), span_of(sign + 1)};
        const Address *groups;
        gsize n;

        if (!directory_groups_of(store->directory, arena, &address, &groups, &n, error))
                return FALSE;
        const char **texts = arena_new_array(arena, const char *, n);
        for (gsize i = 0; i < n && texts != NULL; i++)
                texts[i] = address_key(arena, &groups[i]);
        if (arena_is_over(arena))
                return fault(error, FAULT_BUSY, "no room for groups");
        if (n > 1)
                qsort(texts, n, sizeof(char *), compare_texts);
        ret->groups = texts;
        ret->n_groups = n;
        return TRUE;
}

gboolean
identity_load(Store *store, Arena *arena, const Viewer *who, Identity *ret, GError **error)
{
        const char *key = arena_strndup(arena, text_lower(arena, span_of(who->address)));

        if (key == NULL)
                return fault(error, FAULT_BUSY, "no room for a name");
        g_assert(strchr(key, '@') != NULL); /* of an account of ours */
        *ret = (Identity){.account = who->account, .key = key};
        return load_groups(store, arena, key, ret, error);
}

void
rights_add(RightsSum *sum, const Identity *who, gboolean is_owner, const char *identifier, gboolean is_negative,
           guint rights)
{
        gboolean is_self = strcmp(identifier, who->key) == 0;

        if (!is_self && strcmp(identifier, "anyone") != 0 &&
            (who->n_groups == 0 ||
             bsearch(&identifier, who->groups, who->n_groups, sizeof(char *), compare_texts) == NULL))
                return;
        if (is_negative) {
                sum->minus |= rights;
        } else if (is_self && is_owner) {
                sum->as_owner = rights;
                sum->has_as_owner = TRUE;
        } else {
                sum->plus |= rights;
        }
}

guint
rights_of(const RightsSum *sum, gboolean is_owner)
{
        guint base = !is_owner ? 0 : sum->has_as_owner ? sum->as_owner : RIGHTS_ALL;

        return ((base | sum->plus) & ~sum->minus) | (is_owner ? RIGHTS_OF_OWNER : 0);
}

DB_SQL(ACL_INHERIT, "INSERT INTO acl (mailbox, identifier, is_negative, rights)"
                    " SELECT ?, identifier, is_negative, rights FROM acl WHERE mailbox = ?");

gboolean
acl_inherit(DbTxn *txn, gint64 from, gint64 to, GError **error)
{
        return db_run(txn, &ACL_INHERIT, error, "ii", to, from);
}

/* Listing -----------------------------------------------------------------------------------------------------------
 */

DB_SQL(ACL_LIST, "SELECT identifier, is_negative, rights FROM acl WHERE mailbox = ? ORDER BY identifier, is_negative"
                 " LIMIT ?");

/* The owner's entry comes first: the one he has, or all. Through an alias the owner is not in the name. */
static gboolean
list_entries(DbTxn *txn, const Look *look, const char *owner_key, AclEntry *at, gsize *ret_n, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ACL_LIST, error, "ii", look->id, (gint64) ACL_ENTRIES_MAX);
        gsize n = 1;
        DbStep step = DB_ROW_FAILED;

        at[0] = (AclEntry){owner_key, RIGHTS_ALL};
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW && n < ACL_ENTRIES_MAX + 1) {
                gboolean is_negative = db_int(rows, 1) != 0;
                guint rights = (guint) db_int(rows, 2);

                if (!is_negative && strcmp(db_text(rows, 0), owner_key) == 0)
                        at[0].rights = rights | RIGHTS_OF_OWNER;
                else
                        at[n++] = (AclEntry){
                                arena_printf(look->arena, "%s%s", is_negative ? "-" : "", db_text(rows, 0)), rights};
        }
        *ret_n = n;
        if (step == DB_ROW_FAILED)
                return FALSE;
        return !arena_is_over(look->arena) || fault(error, FAULT_BUSY, "no room for an access list");
}

/* Address of the account that owns what was found. */
static gboolean
load_owner_key(const Look *look, const char **ret, GError **error)
{
        const Account *account = NULL;

        if (!look->is_alias) {
                *ret = look->owner_key;
                return TRUE;
        }
        if (!look_owner(look, &account, error))
                return FALSE;
        *ret = address_key(look->arena, &account->address);
        return *ret != NULL || fault(error, FAULT_BUSY, "no room for a name");
}

MailboxAnswer
store_acl(Store *store, Arena *arena, const Viewer *who, Span name, const AclEntry **ret, gsize *ret_n, GError **error)
{
        Look look;
        const char *owner_key;
        gsize n;
        MailboxAnswer answer = look_begin(store, arena, who, name, NAME_LOOK, &look, error);

        if (answer == MAILBOX_DONE)
                answer = look_find(&look, RIGHT_ADMINISTER, NULL, error);
        if (answer != MAILBOX_DONE)
                return answer;
        AclEntry *at = arena_new_array(arena, AclEntry, ACL_ENTRIES_MAX + 1);
        if (!load_owner_key(&look, &owner_key, error))
                return MAILBOX_FAILED;
        if (at == NULL)
                return fault(error, FAULT_BUSY, "no room for an access list"), MAILBOX_FAILED;
        g_autoptr(DbTxn) txn = db_begin_read(store->db, error);
        if (txn == NULL || !list_entries(txn, &look, owner_key, at, &n, error))
                return MAILBOX_FAILED;
        *ret = at;
        *ret_n = n;
        return MAILBOX_DONE;
}

/* Changing ----------------------------------------------------------------------------------------------------------
 */

typedef struct AclChange {
        Look look;
        const char *owner_key;
        const char *identifier; /* in lower case, without the sign */
        gboolean is_negative;
        AclAction action;
        guint rights;
        gint64 grantee; /* account that is granted something; 0: none, a group, anyone */
} AclChange;

DB_SQL(ACL_GET, "SELECT rights FROM acl WHERE mailbox = ? AND identifier = ? AND is_negative = ?");
DB_SQL(ACL_PUT, "INSERT INTO acl (mailbox, identifier, is_negative, rights) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (mailbox, identifier, is_negative) DO UPDATE SET rights = excluded.rights");
DB_SQL(ACL_DROP, "DELETE FROM acl WHERE mailbox = ? AND identifier = ? AND is_negative = ?");
DB_SQL(ACL_COUNT, "SELECT count(*) FROM acl WHERE mailbox = ?");

static guint
changed_rights(const AclChange *change, guint rights)
{
        switch (change->action) {
        case ACL_ADD:
                return rights | change->rights;
        case ACL_REMOVE:
                return rights & ~change->rights;
        case ACL_REPLACE:
                break;
        }
        return change->rights;
}

/* An entry without rights is none; the owner's is one, since without it he has them all. */
static MailboxAnswer
write_entry(const AclChange *change, DbTxn *txn, gboolean is_there, gboolean is_owner, guint rights, GError **error)
{
        gint64 mailbox = change->look.id, negative = change->is_negative, count = 0;

        if (rights == 0 && !is_owner)
                return db_run(txn, &ACL_DROP, error, "isi", mailbox, change->identifier, negative) ? MAILBOX_DONE
                                                                                                   : MAILBOX_FAILED;
        if (!is_there && db_get_int(txn, &ACL_COUNT, &count, error, "i", mailbox) != DB_ROW)
                return MAILBOX_FAILED;
        if (count >= ACL_ENTRIES_MAX)
                return MAILBOX_LIMIT;
        return db_run(txn, &ACL_PUT, error, "isii", mailbox, change->identifier, negative, (gint64) rights)
                       ? MAILBOX_DONE
                       : MAILBOX_FAILED;
}

static void
count_change(gpointer store)
{
        __atomic_add_fetch(&((Store *) store)->acl_changes, 1, __ATOMIC_ACQ_REL);
}

/* The count comes before the wake-ups: who is woken by a change asks again. */
static void
acl_changed(const AclChange *change, DbTxn *txn)
{
        Store *store = change->look.store;

        db_on_commit(txn, count_change, store, NULL);
        touch(store, txn, change->look.id, MARK_ROW, 0); /* who has it selected may have lost it */
        tree_changed(store, txn, change->look.owner);
        if (change->grantee != 0)
                tree_changed(store, txn, change->grantee); /* there is more to be seen from it */
}

guint64
store_rights_stamp(const Store *store)
{
        /* both only rise, so their sum is another one when either is */
        return __atomic_load_n(&store->acl_changes, __ATOMIC_ACQUIRE) + directory_generation(store->directory);
}

static MailboxAnswer
change_acl(Store *store, DbTxn *txn, gpointer data, GError **error)
{
        AclChange *change = data;
        gint64 had = 0;

        if (!look_row(&change->look, txn, error))
                return MAILBOX_FAILED;
        MailboxAnswer answer = look_answer(&change->look, RIGHT_ADMINISTER);
        if (answer != MAILBOX_DONE)
                return answer;
        gboolean is_owner = !change->is_negative && strcmp(change->identifier, change->owner_key) == 0;
        DbStep step = db_get_int(txn, &ACL_GET, &had, error, "isi", change->look.id, change->identifier,
                                 (gint64) change->is_negative);
        if (step == DB_ROW_FAILED)
                return MAILBOX_FAILED;
        if (step == DB_ROW_END && is_owner)
                had = RIGHTS_ALL;
        answer = write_entry(change, txn, step == DB_ROW, is_owner, changed_rights(change, (guint) had), error);
        if (answer == MAILBOX_DONE)
                acl_changed(change, txn);
        return answer;
}

/* An account or a group of the directory. */
static MailboxAnswer
check_identifier(Store *store, Arena *arena, const Address *address, gint64 *ret_account, GError **error)
{
        Entry entry = {0};

        switch (directory_entry(store->directory, arena, address, &entry, error)) {
        case FOUND_FAILED:
                return MAILBOX_FAILED;
        case FOUND:
                *ret_account = entry.account != NULL ? entry.account->id : 0;
                return entry.account != NULL || entry.n_group > 0 ? MAILBOX_DONE : MAILBOX_BAD_NAME;
        case FOUND_NOT:
                break;
        }
        return MAILBOX_BAD_NAME;
}

/* "-joe" -> joe@ex.org in the owner's domain, to be taken away. What is removed need not exist any more. */
static MailboxAnswer
read_identifier(AclChange *change, Arena *arena, Span text, GError **error)
{
        gboolean is_removal = change->action == ACL_REMOVE || (change->action == ACL_REPLACE && change->rights == 0);
        const char *owner_domain = strrchr(change->owner_key, '@') + 1;
        Address address;

        change->is_negative = text.len > 0 && text.data[0] == '-';
        if (change->is_negative)
                text = span_slice(text, 1, text.len);
        if (text.len == 0 || text.len > ADDRESS_PATH_MAX || memchr(text.data, '\0', text.len) != NULL)
                return MAILBOX_BAD_NAME;
        if (span_is(text, "anyone") || span_is(text, "owner")) {
                change->identifier = span_is(text, "anyone") ? "anyone" : change->owner_key;
                return MAILBOX_DONE;
        }
        const char *full =
                memchr(text.data, '@', text.len) != NULL
                        ? arena_strndup(arena, text)
                        : arena_printf(arena, "%.*s@%s", (int) text.len, (const char *) text.data, owner_domain);
        if (full == NULL || address_parse(arena, span_of(full), TRUE, &address) != ADDRESS_OK ||
            address.domain.len == 0)
                return MAILBOX_BAD_NAME;
        change->identifier = address_key(arena, &address);
        if (change->identifier == NULL)
                return fault(error, FAULT_BUSY, "no room for a name"), MAILBOX_FAILED;
        return is_removal ? MAILBOX_DONE
                          : check_identifier(change->look.store, arena, &address, &change->grantee, error);
}

#define CHANGE_ARENA_OCTETS ((gsize) 1024 * 1024)

MailboxAnswer
store_acl_set(Store *store, const Viewer *who, Span name, Span identifier, AclAction action, guint rights,
              GError **error)
{
        g_autoptr(Arena) arena = arena_new(CHANGE_ARENA_OCTETS);
        AclChange change = {.action = action, .rights = rights & RIGHTS_ALL};
        MailboxAnswer answer = look_begin(store, arena, who, name, NAME_LOOK, &change.look, error);

        if (answer == MAILBOX_DONE)
                answer = look_find(&change.look, RIGHT_ADMINISTER, NULL, error);
        if (answer != MAILBOX_DONE)
                return answer;
        if (!load_owner_key(&change.look, &change.owner_key, error))
                return MAILBOX_FAILED;
        answer = read_identifier(&change, arena, identifier, error);
        return answer == MAILBOX_DONE ? tree_run(store, FALSE, change_acl, &change, error) : answer;
}

DB_SQL(ACL_FORGET, "DELETE FROM acl WHERE identifier = ?");

gboolean
store_forget_address(Store *store, DbTxn *txn, const char *address, GError **error)
{
        g_autofree char *key = g_ascii_strdown(address, -1);

        return db_run(txn, &ACL_FORGET, error, "s", key);
}

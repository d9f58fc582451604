/* mailbox_find.c -- one name, one viewer: which mailbox is it, and what may he do. */
#include "base/text.h"
#include "store/internal.h"
#include "store/tree.h"

const LogEvent STORE_EVENTS[] = {
        [STORE_EVENT_ADMIN_OPEN] = {"store.admin_open", LOG_INFO,
                                    "An administrator opened a mailbox of somebody else by his right read-mail or "
                                    "write-mail: who, whose, which, from where. Every opening is logged."},
        [STORE_EVENT_SEARCH_READY] = {"search.ready", LOG_INFO,
                                      "The search index holds all packs of messages, for the first time since the "
                                      "start or since it was made anew. Searching before that reads messages that it "
                                      "lacks: the answers are the same, slower."},
        [STORE_EVENT_SEARCH_DAMAGED] = {"search.damaged", LOG_WARNING,
                                        "The search index could not be read or written. It is removed and made anew; "
                                        "until then searching reads the messages themselves."},
        [STORE_EVENT_HEALED] =
                {"store.healed", LOG_WARNING,
                 "What is computed once of messages was damaged in the database, and was made again from the messages. "
                 "No "
                 "mail is missing and nobody noticed; but something damaged the database, so look at the disk and run "
                 "restante verify."},
        {NULL},
};

/* Whose tree ------------------------------------------------------------------------------------------------------- */

static Span
domain_of(const char *key)
{
        const char *sign = strrchr(key, '@');

        return span_of(sign != NULL ? sign + 1 : key);
}

const char *
owner_name(Arena *arena, const Viewer *who, const char *owner_key)
{
        Span domain = domain_of(owner_key);
        gsize local = (gsize) ((const char *) domain.data - owner_key - 1);

        if (!span_equal_nocase(domain, domain_of(who->address)))
                return arena_printf(arena, "~%s", owner_key);
        return arena_printf(arena, "~%.*s", (int) local, owner_key);
}

/* FALSE: nobody can be called so, or the arena is over. */
static gboolean
read_owner(const Look *look, Address *ret)
{
        Arena *arena = look->arena;
        Span owner = look->name.owner;
        gboolean has_domain = owner.len > 0 && memchr(owner.data, '@', owner.len) != NULL;
        Span domain = domain_of(look->identity.key);
        const char *text = has_domain ? arena_strndup(arena, owner)
                                      : arena_printf(arena, "%.*s@%.*s", (int) owner.len, (const char *) owner.data,
                                                     (int) domain.len, (const char *) domain.data);

        return text != NULL && address_parse(arena, span_of(text), TRUE, ret) == ADDRESS_OK && ret->domain.len > 0;
}

const char *
address_key(Arena *arena, const Address *a)
{
        Span local = text_lower(arena, a->local);

        return arena_printf(arena, "%.*s@%.*s", (int) local.len, (const char *) local.data, (int) a->domain.len,
                            (const char *) a->domain.data);
}

static guint
rights_of_office(guint admin_rights)
{
        if (admin_rights & ADMIN_WRITE_MAIL)
                return RIGHTS_OF_WRITER;
        return admin_rights & ADMIN_READ_MAIL ? RIGHTS_OF_READER : 0;
}

/* Somebody else's tree, or one's own by its long name. */
static MailboxAnswer
find_tree(Look *look, GError **error)
{
        Address address;
        Entry entry = {0};
        guint rights = 0;

        if (!read_owner(look, &address))
                return MAILBOX_BAD_NAME;
        look->owner_key = address_key(look->arena, &address);
        if (look->owner_key == NULL)
                return fault(error, FAULT_BUSY, "no room for a name"), MAILBOX_FAILED;
        Found found = directory_entry(look->store->directory, look->arena, &address, &entry, error);
        if (found == FOUND_FAILED || !directory_admin_rights(look->store->directory, look->arena, look->who->account,
                                                             address.domain, &rights, error))
                return MAILBOX_FAILED;
        look->tree = found == FOUND && entry.account != NULL ? entry.account->id : 0;
        look->is_own = look->tree == look->who->account;
        look->office = look->is_own ? 0 : rights_of_office(rights);
        return MAILBOX_DONE;
}

const char *
name_canonical(Arena *arena, const Viewer *who, Span name)
{
        Look look = {.arena = arena, .who = who, .is_own = TRUE};
        Address address;

        if (!name_parse(arena, name, NAME_MAKE, &look.name))
                return NULL;
        if (look.name.owner.data == NULL)
                return look.name.path;
        look.identity.key = arena_strndup(arena, text_lower(arena, span_of(who->address)));
        if (look.identity.key == NULL || !read_owner(&look, &address))
                return NULL;
        look.owner_key = address_key(arena, &address);
        look.is_own = g_strcmp0(look.owner_key, look.identity.key) == 0;
        return look.owner_key != NULL ? look_name(&look) : NULL;
}

MailboxAnswer
look_begin(Store *store, Arena *arena, const Viewer *who, Span name, NameUse use, Look *ret, GError **error)
{
        *ret = (Look){.store = store, .arena = arena, .who = who, .tree = who->account, .is_own = TRUE};
        if (!name_parse(arena, name, use, &ret->name))
                return MAILBOX_BAD_NAME;
        if (!identity_load(store, arena, who, &ret->identity, error))
                return MAILBOX_FAILED;
        ret->owner_key = ret->identity.key;
        return ret->name.owner.data != NULL ? find_tree(ret, error) : MAILBOX_DONE;
}

/* Which mailbox ---------------------------------------------------------------------------------------------------- */

#define ROW_COLUMNS "m.id, m.account, m.uid_validity, m.special_use, a.identifier, a.is_negative, a.rights"
DB_SQL(ROW_BY_NAME, "SELECT " ROW_COLUMNS " FROM mailbox m LEFT JOIN acl a ON a.mailbox = m.id"
                    " WHERE m.account = ? AND m.name = ?");
DB_SQL(ROW_BY_ID, "SELECT " ROW_COLUMNS " FROM mailbox m LEFT JOIN acl a ON a.mailbox = m.id"
                  " WHERE m.id = ? AND m.deleted_at IS NULL");
DB_SQL(ALIAS_AT, "SELECT target FROM mailbox_alias WHERE account = ? AND name = ?");

/* One row for each entry of its ACL, or one without. */
static gboolean
read_rows(Look *look, DbRows *take_rows, GError **error)
{
        g_autoptr(DbRows) rows = take_rows;
        RightsSum sum = {0};
        DbStep step = DB_ROW_FAILED;
        gboolean is_owner = FALSE;

        look->id = 0;
        look->rights = look->granted = 0;
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                look->id = db_int(rows, 0);
                look->owner = db_int(rows, 1);
                look->uid_validity = db_int(rows, 2);
                look->special_use = (guint) db_int(rows, 3);
                is_owner = look->owner == look->who->account;
                if (!db_is_null(rows, 4))
                        rights_add(&sum, &look->identity, is_owner, db_text(rows, 4), db_int(rows, 5) != 0,
                                   (guint) db_int(rows, 6));
        }
        if (look->id != 0)
                look->granted = rights_of(&sum, is_owner);
        look->rights = look->granted | (look->id != 0 && !look->is_alias ? look->office : 0);
        return step == DB_ROW_END;
}

static gboolean
read_alias(Look *look, DbTxn *txn, GError **error)
{
        gint64 target = 0;

        switch (db_get_int(txn, &ALIAS_AT, &target, error, "is", look->tree, look->name.path)) {
        case DB_ROW:
                look->is_alias = TRUE;
                return read_rows(look, db_query(txn, &ROW_BY_ID, error, "i", target), error);
        case DB_ROW_END:
                return TRUE;
        case DB_ROW_FAILED:
        default:
                return FALSE;
        }
}

gboolean
look_row(Look *look, DbTxn *txn, GError **error)
{
        look->is_alias = FALSE;
        if (!read_rows(look, db_query(txn, &ROW_BY_NAME, error, "is", look->tree, look->name.path), error))
                return FALSE;
        return look->id != 0 || !look->is_own || read_alias(look, txn, error);
}

gboolean
look_row_at(const Look *look, DbTxn *txn, const char *path, Look *ret, GError **error)
{
        Look other = *look;

        other.name.path = path;
        if (!look_row(&other, txn, error))
                return FALSE;
        *ret = other;
        return TRUE;
}

MailboxAnswer
look_answer(const Look *look, guint needed)
{
        if (look->id == 0 || !(look->rights & RIGHT_LOOKUP))
                return MAILBOX_MISSING;
        return (look->rights & needed) == needed ? MAILBOX_DONE : MAILBOX_NO_RIGHT;
}

void
look_log(const Look *look, guint needed)
{
        needed |= RIGHT_LOOKUP;
        if (look->office == 0 || (look->granted & needed) == needed)
                return;
        log_event(&STORE_EVENTS[STORE_EVENT_ADMIN_OPEN], "who=%s owner=%s mailbox=%s client=%s",
                  log_text(span_of(look->who->address)), log_text(span_of(look->owner_key)),
                  log_text(span_of(look->name.path)), log_text(span_of(look->who->client)));
}

const char *
look_name(const Look *look)
{
        if (look->is_own)
                return look->name.path;
        const char *owner = owner_name(look->arena, look->who, look->owner_key);
        if (owner == NULL || *look->name.path == '\0')
                return owner;
        return arena_printf(look->arena, "%s/%s", owner, look->name.path);
}

/* What is said about it -------------------------------------------------------------------------------------------- */

DB_SQL(CHILD_OF, "SELECT 1 FROM mailbox WHERE account = ? AND name > ? AND name < ? LIMIT 1");
DB_SQL(ALIAS_CHILD_OF, "SELECT 1 FROM mailbox_alias WHERE account = ? AND name > ? AND name < ? LIMIT 1");

/* '0' comes behind '/': all names that begin with "path/" stand between the two. */
int
tree_has_children(DbTxn *txn, Arena *arena, gint64 tree, const char *path, GError **error)
{
        const char *from = arena_printf(arena, "%s/", path), *to = arena_printf(arena, "%s0", path);
        gint64 found;

        if (from == NULL || to == NULL)
                return fault(error, FAULT_BUSY, "no room for a name"), -1;
        DbStep step = db_get_int(txn, &CHILD_OF, &found, error, "iss", tree, from, to);
        if (step == DB_ROW_END)
                step = db_get_int(txn, &ALIAS_CHILD_OF, &found, error, "iss", tree, from, to);
        return step == DB_ROW_FAILED ? -1 : step == DB_ROW;
}

DB_SQL(CHILDREN_RIGHTS,
       "SELECT m.id, a.identifier, a.is_negative, a.rights FROM mailbox m JOIN acl a ON a.mailbox = m.id"
       " WHERE m.account = ? AND m.name > ? AND m.name < ? ORDER BY m.id");

/* The same in somebody else's tree: what the viewer may not see is not there. */
static int
has_visible_children(const Look *look, DbTxn *txn, GError **error)
{
        const char *from = arena_printf(look->arena, "%s/", look->name.path);
        const char *to = arena_printf(look->arena, "%s0", look->name.path);
        RightsSum sum = {0};
        gint64 id = 0;
        DbStep step;

        if (from == NULL || to == NULL)
                return fault(error, FAULT_BUSY, "no room for a name"), -1;
        g_autoptr(DbRows) rows = db_query(txn, &CHILDREN_RIGHTS, error, "iss", look->tree, from, to);
        if (rows == NULL)
                return -1;
        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                if (db_int(rows, 0) != id && (rights_of(&sum, FALSE) & RIGHT_LOOKUP))
                        return 1;
                if (db_int(rows, 0) != id)
                        sum = (RightsSum){0};
                id = db_int(rows, 0);
                rights_add(&sum, &look->identity, FALSE, db_text(rows, 1), db_int(rows, 2) != 0,
                           (guint) db_int(rows, 3));
        }
        return step == DB_ROW_FAILED ? -1 : (rights_of(&sum, FALSE) & RIGHT_LOOKUP) != 0;
}

DB_SQL(SUBSCRIBED, "SELECT 1 FROM subscription WHERE account = ? AND name = ?");

MailboxAnswer
look_mailbox(const Look *look, DbTxn *txn, const Mailbox **ret, GError **error)
{
        Mailbox *mailbox = arena_new0(look->arena, Mailbox);
        const char *name = look_name(look);
        gint64 found;

        if (mailbox == NULL || name == NULL)
                return fault(error, FAULT_BUSY, "no room for a mailbox"), MAILBOX_FAILED;
        int has_children = look->is_own ? tree_has_children(txn, look->arena, look->tree, name, error)
                                        : has_visible_children(look, txn, error);
        DbStep subscribed = has_children >= 0
                                    ? db_get_int(txn, &SUBSCRIBED, &found, error, "is", look->who->account, name)
                                    : DB_ROW_FAILED;
        if (subscribed == DB_ROW_FAILED)
                return MAILBOX_FAILED;
        *mailbox = (Mailbox){.id = look->id,
                             .owner = look->owner,
                             .name = name,
                             .rights = look->rights,
                             .special_use = look->is_own && !look->is_alias ? look->special_use : 0,
                             .is_subscribed = subscribed == DB_ROW,
                             .has_children = has_children == 1,
                             .is_alias = look->is_alias};
        mailbox_id_text(look->id, look->uid_validity, mailbox->mailbox_id);
        *ret = mailbox;
        return MAILBOX_DONE;
}

/* INBOX exists from the first look on, its owner's or an administrator's ------------------------------------------- */

MailboxAnswer
tree_run(Store *store, gboolean is_freeing, TreeFn fn, gpointer data, GError **error)
{
        for (;;) {
                g_autoptr(DbTxn) txn = is_freeing ? db_begin_freeing(store->db, error) : db_begin(store->db, error);
                MailboxAnswer answer = txn != NULL ? fn(store, txn, data, error) : MAILBOX_FAILED;

                if (answer != MAILBOX_DONE)
                        return answer;
                switch (db_take_commit(g_steal_pointer(&txn), error)) {
                case DB_AGAIN:
                        continue;
                case DB_COMMITTED:
                        return MAILBOX_DONE;
                case DB_FAILED:
                        return MAILBOX_FAILED;
                }
        }
}

DB_SQL(MAILBOX_AT, "SELECT id FROM mailbox WHERE account = ? AND name = ?");

static MailboxAnswer
inbox_make_in(Store *store, DbTxn *txn, gpointer data, GError **error)
{
        gint64 account = *(const gint64 *) data, id;

        switch (db_get_int(txn, &MAILBOX_AT, &id, error, "is", account, "INBOX")) {
        case DB_ROW:
                return MAILBOX_DONE;
        case DB_ROW_END:
                break;
        case DB_ROW_FAILED:
        default:
                return MAILBOX_FAILED;
        }
        if (!mailbox_insert(txn, account, "INBOX", 0, &id, error))
                return MAILBOX_FAILED;
        tree_changed(store, txn, account);
        return MAILBOX_DONE;
}

gboolean
inbox_make(Store *store, gint64 account, GError **error)
{
        return tree_run(store, FALSE, inbox_make_in, &account, error) == MAILBOX_DONE;
}

/* Nobody else can have been granted anything on one that is not there. */
static gboolean
may_make_inbox(const Look *look)
{
        return look->tree != 0 && (look->is_own || look->office != 0) && strcmp(look->name.path, "INBOX") == 0;
}

MailboxAnswer
look_find(Look *look, guint needed, const Mailbox **ret, GError **error)
{
        for (gboolean has_made = FALSE;; has_made = TRUE) {
                {
                        g_autoptr(DbTxn) txn = db_begin_read(look->store->db, error);

                        if (txn == NULL || !look_row(look, txn, error))
                                return MAILBOX_FAILED;
                        MailboxAnswer answer = look_answer(look, needed);
                        if (answer == MAILBOX_DONE && ret != NULL)
                                answer = look_mailbox(look, txn, ret, error);
                        if (answer != MAILBOX_MISSING || has_made || !may_make_inbox(look))
                                return answer;
                }
                if (!inbox_make(look->store, look->tree, error))
                        return MAILBOX_FAILED;
        }
}

MailboxAnswer
store_mailbox(Store *store, Arena *arena, const Viewer *who, Span name, guint needed, const Mailbox **ret,
              GError **error)
{
        Look look;
        MailboxAnswer answer = look_begin(store, arena, who, name, NAME_LOOK, &look, error);

        if (answer == MAILBOX_DONE)
                answer = look_find(&look, needed, ret, error);
        if (answer == MAILBOX_DONE)
                look_log(&look, needed);
        return answer;
}

/* Rights of one who has it open ------------------------------------------------------------------------------------ */

#define RIGHTS_ARENA_OCTETS ((gsize) 256 * 1024)

/* What his office adds: by the domain of the mailbox' owner. */
static gboolean
add_office(Look *look, GError **error)
{
        const Account *owner;
        guint rights = 0;

        switch (directory_account_by_id(look->store->directory, look->arena, look->owner, &owner, error)) {
        case FOUND_FAILED:
                return FALSE;
        case FOUND_NOT: /* just being removed */
                return TRUE;
        case FOUND:
                break;
        }
        if (!directory_admin_rights(look->store->directory, look->arena, look->who->account, owner->address.domain,
                                    &rights, error))
                return FALSE;
        look->rights |= rights_of_office(rights);
        return TRUE;
}

gboolean
store_rights_now(Store *store, const Viewer *who, gint64 mailbox, gboolean through_alias, guint *ret, GError **error)
{
        g_autoptr(Arena) arena = arena_new(RIGHTS_ARENA_OCTETS);
        Look look = {.store = store, .arena = arena, .who = who};
        const Account *viewer;
        Found found = directory_account_by_id(store->directory, arena, who->account, &viewer, error);

        if (found == FOUND_NOT)
                *ret = 0;
        if (found != FOUND)
                return found == FOUND_NOT;
        if (!identity_load(store, arena, who, &look.identity, error))
                return FALSE;
        {
                g_autoptr(DbTxn) txn = db_begin_read(store->db, error);

                if (txn == NULL || !read_rows(&look, db_query(txn, &ROW_BY_ID, error, "i", mailbox), error))
                        return FALSE;
        }
        if (look.id != 0 && !through_alias && look.owner != who->account && !add_office(&look, error))
                return FALSE;
        *ret = look.rights;
        return TRUE;
}

gboolean
look_owner(const Look *look, const Account **ret, GError **error)
{
        switch (directory_account_by_id(look->store->directory, look->arena, look->owner, ret, error)) {
        case FOUND_FAILED:
                return FALSE;
        case FOUND_NOT:
                return fault(error, FAULT_INTERNAL, "mailbox %" G_GINT64_FORMAT " has no owner", look->id);
        case FOUND:
                break;
        }
        return TRUE;
}

/* mailbox_tree.c -- mailboxes made, deleted, restored and renamed (RFC 9051 §6.3.4 to §6.3.6; rights: RFC 4314 §4). */
#include "base/text.h"
#include "store/change.h"
#include "store/internal.h"
#include "store/tree.h"

#include <stdio.h>

#define CHANGE_ARENA_OCTETS ((gsize) 4 * 1024 * 1024)

/* Room ------------------------------------------------------------------------------------------------------------- */

DB_SQL(COUNT_STANDING, "SELECT count(*) FROM mailbox WHERE account = ? AND name >= ' '");
DB_SQL(COUNT_DELETED, "SELECT count(*) FROM mailbox WHERE account = ? AND name < ' '");

static MailboxAnswer
check_count(DbTxn *txn, const DbSql *count, gint64 account, gint64 more, gint64 max, GError **error)
{
        gint64 n = 0;

        if (db_get_int(txn, count, &n, error, "i", account) != DB_ROW)
                return MAILBOX_FAILED;
        return n + more <= max ? MAILBOX_DONE : MAILBOX_LIMIT;
}

/* The way down to a new name --------------------------------------------------------------------------------------- */

/* The levels above a name that are not there, the highest last, and what may be done below the lowest that is. */
typedef struct Way {
        const char *missing[LEVELS_MAX];
        gsize n_missing;
        gint64 above; /* id of the mailbox whose rights are taken over; 0: none */
        guint rights; /* of the viewer there */
} Way;

/* Below nothing the owner may do everything, an administrator what his office lets him, and others nothing. What may
 * not be seen is not there, so making something below it is refused as at any other place where nothing stands. */
static gboolean
find_way(const Look *look, DbTxn *txn, Way *ret, GError **error)
{
        *ret = (Way){.rights = look->is_own ? RIGHTS_ALL : look->office};
        for (const char *path = name_parent(look->arena, look->name.path); path != NULL;
             path = name_parent(look->arena, path)) {
                Look up;

                if (!look_row_at(look, txn, path, &up, error))
                        return FALSE;
                if (up.id == 0 && !up.is_alias) {
                        ret->missing[ret->n_missing++] = path;
                        continue;
                }
                ret->above = up.is_alias ? 0 : up.id;
                if (!up.is_alias)
                        ret->rights = up.rights & RIGHT_LOOKUP ? up.rights : 0;
                break;
        }
        return !arena_is_over(look->arena) || fault(error, FAULT_BUSY, "no room for a name");
}

static gboolean
make_one(DbTxn *txn, gint64 tree, const char *path, guint special_use, gint64 above, gint64 *ret_id, GError **error)
{
        return mailbox_insert(txn, tree, path, special_use, ret_id, error) &&
               (above == 0 || acl_inherit(txn, above, *ret_id, error));
}

/* The levels that are missing, each with the rights of the one above it. */
static gboolean
make_way(const Look *look, DbTxn *txn, Way *way, GError **error)
{
        for (gsize i = way->n_missing; i-- > 0;)
                if (!make_one(txn, look->tree, way->missing[i], 0, way->above, &way->above, error))
                        return FALSE;
        way->n_missing = 0;
        return TRUE;
}

DB_SQL(ALIAS_DROP, "DELETE FROM mailbox_alias WHERE account = ? AND name = ?");

/* May a mailbox be put at this name? An alias whose mailbox is gone or hidden makes room. */
static MailboxAnswer
check_place(const Look *look, DbTxn *txn, GError **error)
{
        if (*look->name.path == '\0')
                return MAILBOX_BAD_NAME;
        if (look->is_own && strcmp(look->name.path, "INBOX") == 0)
                return MAILBOX_EXISTS; /* from the first look on */
        if (look->id != 0 && (look->rights & RIGHT_LOOKUP))
                return MAILBOX_EXISTS;
        if (look->id != 0 && !look->is_alias)
                return MAILBOX_NO_RIGHT;
        if (look->is_alias && !db_run(txn, &ALIAS_DROP, error, "is", look->tree, look->name.path))
                return MAILBOX_FAILED;
        return MAILBOX_DONE;
}

/* ... and by this viewer? Ends with the way made. */
static MailboxAnswer
prepare_place(const Look *look, DbTxn *txn, gint64 more, Way *ret, GError **error)
{
        MailboxAnswer answer = check_place(look, txn, error);

        if (answer != MAILBOX_DONE)
                return answer;
        if (!find_way(look, txn, ret, error))
                return MAILBOX_FAILED;
        if (!(ret->rights & RIGHT_CREATE) || look->tree == 0)
                return MAILBOX_NO_RIGHT;
        answer = check_count(txn, &COUNT_STANDING, look->tree, more + (gint64) ret->n_missing, MAILBOXES_MAX, error);
        if (answer == MAILBOX_DONE && !make_way(look, txn, ret, error))
                return MAILBOX_FAILED;
        return answer;
}

/* CREATE ----------------------------------------------------------------------------------------------------------- */

typedef struct Creation {
        Look look;
        guint special_use;
        const Mailbox **ret;
} Creation;

static MailboxAnswer
create(Store *store, DbTxn *txn, gpointer data, GError **error)
{
        Creation *c = data;
        Look *look = &c->look;
        Way way;
        gint64 id;

        if (!look_row(look, txn, error))
                return MAILBOX_FAILED;
        MailboxAnswer answer = prepare_place(look, txn, 1, &way, error);
        if (answer != MAILBOX_DONE)
                return answer;
        if (!make_one(txn, look->tree, look->name.path, c->special_use, way.above, &id, error) ||
            !look_row(look, txn, error))
                return MAILBOX_FAILED;
        tree_changed(store, txn, look->tree);
        return look_mailbox(look, txn, c->ret, error);
}

/* A separator at the end says only that mailboxes will be made below it (RFC 9051 §6.3.4). */
static Span
without_end(Span name)
{
        return name.len > 1 && name.data[name.len - 1] == '/' ? span_slice(name, 0, name.len - 1) : name;
}

MailboxAnswer
store_mailbox_create(Store *store, Arena *arena, const Viewer *who, Span name, guint special_use, const Mailbox **ret,
                     GError **error)
{
        Creation creation = {.special_use = special_use, .ret = ret};
        MailboxAnswer answer = look_begin(store, arena, who, without_end(name), NAME_MAKE, &creation.look, error);

        if (answer != MAILBOX_DONE)
                return answer;
        if ((special_use & ~SPECIAL_USES_MADE) != 0 || (special_use != 0 && !creation.look.is_own))
                return MAILBOX_BAD_USE; /* \All and \Flagged would be views of others (RFC 6154 §2); uses are the
                                           owner's */
        answer = tree_run(store, FALSE, create, &creation, error);
        if (answer == MAILBOX_DONE)
                look_log(&creation.look, RIGHT_CREATE);
        return answer;
}

/* DELETE, and back again ------------------------------------------------------------------------------------------- */

DB_SQL(MAILBOX_DELETE, "UPDATE mailbox SET name = ?, deleted_name = ?, deleted_at = ? WHERE id = ?");

static MailboxAnswer
delete_alias(Store *store, const Look *look, DbTxn *txn, GError **error)
{
        if (!db_run(txn, &ALIAS_DROP, error, "is", look->tree, look->name.path))
                return MAILBOX_FAILED;
        tree_changed(store, txn, look->tree);
        return MAILBOX_DONE;
}

static MailboxAnswer delete (Store *store, DbTxn *txn, gpointer data, GError **error)
{
        Look *look = data;
        char hidden[32];

        if (!look_row(look, txn, error))
                return MAILBOX_FAILED;
        if (look->is_alias)
                return delete_alias(store, look, txn, error);
        MailboxAnswer answer = look_answer(look, RIGHT_DELETE_MAILBOX);
        if (answer == MAILBOX_DONE && strcmp(look->name.path, "INBOX") == 0)
                answer = MAILBOX_IN_USE;
        if (answer == MAILBOX_DONE)
                answer = check_count(txn, &COUNT_DELETED, look->tree, 1, MAILBOXES_DELETED_MAX, error);
        if (answer != MAILBOX_DONE)
                return answer;
        snprintf(hidden, sizeof(hidden), "\001%" G_GINT64_FORMAT, look->id);
        if (!db_run(txn, &MAILBOX_DELETE, error, "ssii", hidden, look->name.path, (gint64) clock_real(), look->id))
                return MAILBOX_FAILED;
        touch(store, txn, look->id, MARK_ROW, 0); /* who has it selected hears that it is gone */
        tree_changed(store, txn, look->tree);
        return MAILBOX_DONE;
}

MailboxAnswer
store_mailbox_delete(Store *store, const Viewer *who, Span name, GError **error)
{
        g_autoptr(Arena) arena = arena_new(CHANGE_ARENA_OCTETS);
        Look look;
        MailboxAnswer answer = look_begin(store, arena, who, name, NAME_LOOK, &look, error);

        if (answer == MAILBOX_DONE && look.is_own && strcmp(look.name.path, "INBOX") == 0)
                return MAILBOX_IN_USE; /* also before the first look */
        if (answer == MAILBOX_DONE)
                answer = tree_run(store, TRUE, delete, &look, error);
        if (answer == MAILBOX_DONE)
                look_log(&look, RIGHT_DELETE_MAILBOX);
        return answer;
}

DB_SQL(DELETED_SO, "SELECT id, uid_validity FROM mailbox WHERE account = ? AND name < ' ' AND deleted_name = ?"
                   " ORDER BY deleted_at DESC, id DESC");
DB_SQL(MAILBOX_RESTORE, "UPDATE mailbox SET name = ?, deleted_name = NULL, deleted_at = NULL WHERE id = ?");

typedef struct Restoring {
        Look from, to;
        const char *mailbox_id; /* NULL: the one that was deleted last */
} Restoring;

/* Of those that were called so. *ret 0: none. */
static gboolean
find_deleted(const Restoring *r, DbTxn *txn, gint64 *ret, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &DELETED_SO, error, "is", r->from.tree, r->from.name.path);
        DbStep step = DB_ROW_FAILED;

        *ret = 0;
        while (*ret == 0 && rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                char id[32];

                mailbox_id_text(db_int(rows, 0), db_int(rows, 1), id);
                if (r->mailbox_id == NULL || strcmp(r->mailbox_id, id) == 0)
                        *ret = db_int(rows, 0);
        }
        return step != DB_ROW_FAILED;
}

static MailboxAnswer
restore(Store *store, DbTxn *txn, gpointer data, GError **error)
{
        Restoring *r = data;
        gint64 id = 0;
        Way way;

        if (!find_deleted(r, txn, &id, error) || !look_row(&r->to, txn, error))
                return MAILBOX_FAILED;
        if (id == 0)
                return MAILBOX_MISSING;
        MailboxAnswer answer = prepare_place(&r->to, txn, 1, &way, error);
        if (answer != MAILBOX_DONE)
                return answer;
        if (!db_run(txn, &MAILBOX_RESTORE, error, "si", r->to.name.path, id))
                return MAILBOX_FAILED;
        touch(store, txn, id, MARK_ROW, 0);
        tree_changed(store, txn, r->to.tree);
        return MAILBOX_DONE;
}

/* What is gone is the owner's affair, or an administrator's. */
MailboxAnswer
store_mailbox_restore(Store *store, const Viewer *who, Span name, const char *mailbox_id, Span as, GError **error)
{
        g_autoptr(Arena) arena = arena_new(CHANGE_ARENA_OCTETS);
        Restoring r = {.mailbox_id = mailbox_id};
        MailboxAnswer answer = look_begin(store, arena, who, name, NAME_LOOK, &r.from, error);

        r.to = r.from;
        if (answer == MAILBOX_DONE && as.len > 0)
                answer = look_begin(store, arena, who, as, NAME_MAKE, &r.to, error);
        if (answer == MAILBOX_DONE && r.to.tree != r.from.tree)
                answer = MAILBOX_BAD_NAME; /* a mailbox stays in its account */
        if (answer == MAILBOX_DONE && !r.to.is_own && !(r.to.office & RIGHT_CREATE))
                return MAILBOX_NO_RIGHT;
        if (answer == MAILBOX_DONE)
                answer = tree_run(store, FALSE, restore, &r, error);
        if (answer == MAILBOX_DONE)
                look_log(&r.to, RIGHT_CREATE);
        return answer;
}

/* RENAME ----------------------------------------------------------------------------------------------------------- */

typedef struct Renaming {
        Look from, to;
} Renaming;

DB_SQL(NAMES_BELOW, "SELECT name FROM mailbox WHERE account = ? AND name > ? AND name < ? UNION ALL"
                    " SELECT name FROM mailbox_alias WHERE account = ? AND name > ? AND name < ?");
DB_SQL(MOVE_MAILBOX, "UPDATE mailbox SET name = ? WHERE account = ? AND name = ?");
DB_SQL(MOVE_BELOW, "UPDATE mailbox SET name = ? || substr(name, ?) WHERE account = ? AND name > ? AND name < ?");
DB_SQL(MOVE_ALIAS, "UPDATE mailbox_alias SET name = ? WHERE account = ? AND name = ?");
DB_SQL(MOVE_ALIASES_BELOW,
       "UPDATE mailbox_alias SET name = ? || substr(name, ?) WHERE account = ? AND name > ? AND name < ?");

/* What stands below the old name: how many, and do their new names fit? */
static MailboxAnswer
check_below(const Renaming *r, DbTxn *txn, const char *below, const char *behind, gsize *ret_n, GError **error)
{
        gint64 tree = r->from.tree;
        g_autoptr(DbRows) rows = db_query(txn, &NAMES_BELOW, error, "ississ", tree, below, behind, tree, below, behind);
        g_autoptr(GString) name = g_string_new(NULL);
        g_autoptr(Arena) scratch = arena_new(64 * 1024);
        DbStep step = DB_ROW_FAILED;

        *ret_n = 0;
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                TreeName moved;

                g_string_assign(name, r->to.name.path);
                g_string_append(name, db_text(rows, 0) + strlen(r->from.name.path));
                if (!name_parse(scratch, span_make(name->str, name->len), NAME_LOOK, &moved))
                        return MAILBOX_BAD_NAME;
                arena_reset(scratch);
                (*ret_n)++;
        }
        return step == DB_ROW_END ? MAILBOX_DONE : MAILBOX_FAILED;
}

/* substr() counts characters. The names at the new place are unique or the statement says so. */
static MailboxAnswer
move_all(const Renaming *r, DbTxn *txn, const char *below, const char *behind, GError **error)
{
        const char *old_name = r->from.name.path, *new_name = r->to.name.path;
        gint64 tree = r->from.tree, rest = g_utf8_strlen(old_name, -1) + 1;
        g_autoptr(GError) why = NULL;

        if (db_run(txn, &MOVE_MAILBOX, &why, "sis", new_name, tree, old_name) &&
            db_run(txn, &MOVE_BELOW, &why, "siiss", new_name, rest, tree, below, behind) &&
            db_run(txn, &MOVE_ALIAS, &why, "sis", new_name, tree, old_name) &&
            db_run(txn, &MOVE_ALIASES_BELOW, &why, "siiss", new_name, rest, tree, below, behind))
                return MAILBOX_DONE;
        if (db_was_conflict(txn))
                return MAILBOX_EXISTS;
        g_propagate_error(error, g_steal_pointer(&why));
        return MAILBOX_FAILED;
}

/* A level without a mailbox can be renamed by whoever owns what is below it. In other trees rights come first: how much
 * stands below a name nobody may see is not even counted. */
static MailboxAnswer
check_source(const Renaming *r, DbTxn *txn, const char *below, const char *behind, GError **error)
{
        const Look *from = &r->from;
        MailboxAnswer answer = from->is_alias ? MAILBOX_DONE : look_answer(from, RIGHT_DELETE_MAILBOX);
        gsize n_below = 0;

        if (answer != MAILBOX_DONE && !(answer == MAILBOX_MISSING && from->is_own))
                return answer;
        MailboxAnswer fits = check_below(r, txn, below, behind, &n_below, error);
        if (fits == MAILBOX_FAILED || answer == MAILBOX_DONE)
                return fits;
        return n_below > 0 ? fits : MAILBOX_MISSING;
}

static MailboxAnswer
rename_mailbox(Store *store, DbTxn *txn, gpointer data, GError **error)
{
        Renaming *r = data;
        Arena *arena = r->from.arena;
        const char *below = arena_printf(arena, "%s/", r->from.name.path);
        const char *behind = arena_printf(arena, "%s0", r->from.name.path);
        Way way;

        if (below == NULL || behind == NULL)
                return fault(error, FAULT_BUSY, "no room for a name"), MAILBOX_FAILED;
        if (!look_row(&r->from, txn, error) || !look_row(&r->to, txn, error))
                return MAILBOX_FAILED;
        MailboxAnswer answer = check_source(r, txn, below, behind, error);
        if (answer == MAILBOX_DONE)
                answer = prepare_place(&r->to, txn, 0, &way, error);
        if (answer == MAILBOX_DONE)
                answer = move_all(r, txn, below, behind, error);
        if (answer == MAILBOX_DONE)
                tree_changed(store, txn, r->from.tree);
        return answer;
}

/* RFC 9051 §6.3.6: INBOX stays, empty, and what was in it is in the new mailbox; what is below it stays too. Two steps:
 * should the second fail, the new mailbox goes again while it is empty. */
static MailboxAnswer
rename_inbox(const Viewer *who, Renaming *r, Span to, GError **error)
{
        Store *store = r->from.store;
        const Mailbox *made = NULL;
        const UidRange all = {1, G_MAXUINT32};
        const UidSet set = {&all, 1};
        g_auto(Copied) copied = {0};
        MailboxAnswer answer = look_find(&r->from, RIGHT_DELETE_MAILBOX, NULL, error);

        if (answer == MAILBOX_DONE)
                answer = store_mailbox_create(store, r->from.arena, who, to, 0, &made, error);
        if (answer != MAILBOX_DONE)
                return answer;
        const CopyRequest request = {.from = r->from.id,
                                     .to = made->id,
                                     .reader = who->account,
                                     .is_move = TRUE,
                                     .mask = G_MAXUINT64,
                                     .may_keywords = TRUE};
        switch (store_copy(store, &request, &set, &copied, error)) {
        case CHANGED_DONE:
                return MAILBOX_DONE;
        case CHANGED_FAILED:
                if (copied.n == 0)
                        (void) !store_mailbox_delete(store, who, span_of(made->name), NULL);
                return MAILBOX_FAILED;
        case CHANGED_NO_MAILBOX:
        case CHANGED_OVER_QUOTA:
        case CHANGED_TOO_MANY_KEYWORDS:
        case CHANGED_UID_SPACE:
                break;
        }
        if (copied.n == 0)
                (void) !store_mailbox_delete(store, who, span_of(made->name), NULL);
        return MAILBOX_IN_USE;
}

MailboxAnswer
store_mailbox_rename(Store *store, const Viewer *who, Span from, Span to, GError **error)
{
        g_autoptr(Arena) arena = arena_new(CHANGE_ARENA_OCTETS);
        Renaming r;
        MailboxAnswer answer = look_begin(store, arena, who, from, NAME_LOOK, &r.from, error);

        if (answer == MAILBOX_DONE)
                answer = look_begin(store, arena, who, without_end(to), NAME_MAKE, &r.to, error);
        if (answer != MAILBOX_DONE)
                return answer;
        if (r.from.tree != r.to.tree || *r.from.name.path == '\0' ||
            (name_is_below(r.to.name.path, r.from.name.path) && strcmp(r.from.name.path, "INBOX") != 0))
                return MAILBOX_BAD_NAME; /* a mailbox stays its owner's, and no level goes below itself */
        if (strcmp(r.from.name.path, "INBOX") == 0)
                return r.from.is_own ? rename_inbox(who, &r, to, error) : MAILBOX_IN_USE;
        answer = tree_run(store, TRUE, rename_mailbox, &r, error); /* into Trash, on a full disk too */
        if (answer == MAILBOX_DONE)
                look_log(&r.from, RIGHT_DELETE_MAILBOX);
        return answer;
}

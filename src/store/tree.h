/* tree.h -- what the files of names, rights and annotations share: rows of mailboxes, and one look at a name by one viewer.
 *
 * A look has two halves, since the directory may be asked only while no transaction is open: look_begin() reads the name and finds whose tree it is in and who
 * looks; look_row(), in a transaction and as often as it is run again, finds the mailbox and the viewer's rights on it.
 *
 * The work is the same for a name that isn't there and for one the viewer may not see: the same look-ups in the directory, the same statements.
 */
#pragma once

#include "store/mailbox.h"

/* Caps. Deleted mailboxes that can still be restored are counted apart. */
#define MAILBOXES_MAX          10000
#define MAILBOXES_DELETED_MAX  10000
#define MAILBOX_ALIASES_MAX    10000
#define SUBSCRIPTIONS_MAX      20000
#define ACL_ENTRIES_MAX        1000 /* of one mailbox */

/* Names (mailbox_names.c) ------------------------------------------------------------------------------------------- */

#define NAME_OCTETS_MAX  1000
#define LEVEL_OCTETS_MAX 255
#define LEVELS_MAX       50

typedef enum NameUse {
        NAME_LOOK = 0,
        NAME_MAKE,              /* stricter: no wildcard first in a level */
} NameUse;

typedef struct TreeName {
        Span owner;             /* "ann", "ann@ex.org" as written; data NULL: the viewer's own tree   */
        const char *path;       /* within the tree, NFC, INBOX in capitals; "" its root (owners' only) */
} TreeName;

/* FALSE: no mailbox can be called so (or the arena is over). */
gboolean name_parse(Arena *arena, Span text, NameUse use, TreeName *ret) G_GNUC_WARN_UNUSED_RESULT;
/* The name of the level above, NULL for the first level. */
const char *name_parent(Arena *arena, const char *path);
/* Behind all names that begin with `prefix`, in octet order: prefix <= name < this. NULL: the arena is over. */
const char *name_behind(Arena *arena, Span prefix);
/* Is `path` below `parent`? */
gboolean name_is_below(const char *path, const char *parent) G_GNUC_PURE;

/* Rows (mailbox_rows.c), in the caller's transaction ---------------------------------------------------------------- */

/* A new row. Its id and UIDVALIDITY were never used before and rise, also within one second (RFC 9051 §2.3.1.1). The name must be free. */
gboolean mailbox_insert(DbTxn *txn, gint64 account, const char *name, guint special_use, gint64 *ret_id, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* A UIDVALIDITY that no mailbox had before. */
gboolean mailbox_take_validity(DbTxn *txn, gint64 *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* This one is in use from now on: later ones are higher. */
gboolean mailbox_reserve_validity(DbTxn *txn, gint64 validity, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The row with its rights and annotations, and aliases that stand for it. What is in it must be gone. */
gboolean mailbox_drop(DbTxn *txn, gint64 mailbox, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Subscriptions, aliases and annotations of an account that is removed, and what it has seen. *ret_more: call again in another transaction. */
gboolean tree_forget_account(DbTxn *txn, gint64 account, gboolean *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The tree of this account changes by the transaction: its watchers hear of it after the commit. */
void tree_changed(Store *store, DbTxn *txn, gint64 account);

void mailbox_id_text(gint64 id, gint64 uid_validity, char ret[32]);

/* Rights (acl.c) ---------------------------------------------------------------------------------------------------- */

/* Who looks: the identifiers that mean the viewer, in lower case. */
typedef struct Identity {
        gint64 account;
        const char *key;                /* "joe@ex.org" */
        const char *const *groups;      /* sorted */
        gsize n_groups;
} Identity;
/* Asks the directory: no transaction may be open. */
gboolean identity_load(Store *store, Arena *arena, const Viewer *who, Identity *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the entries of one mailbox come to for one viewer. */
typedef struct RightsSum {
        guint plus, minus;
        guint as_owner;
        gboolean has_as_owner;
} RightsSum;
void rights_add(RightsSum *sum, const Identity *who, gboolean is_owner, const char *identifier, gboolean is_negative, guint rights);
guint rights_of(const RightsSum *sum, gboolean is_owner);
#define RIGHTS_OF_OWNER (RIGHT_LOOKUP | RIGHT_READ | RIGHT_ADMINISTER) /* whatever the entries say */
/* RFC 4314 §4: a new mailbox takes the entries of the one above it. */
gboolean acl_inherit(DbTxn *txn, gint64 from, gint64 to, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Looking (mailbox_find.c) ------------------------------------------------------------------------------------------ */

typedef struct Look {
        Store *store;
        Arena *arena;
        const Viewer *who;
        Identity identity;
        TreeName name;
        gint64 tree;                    /* whose tree; 0: nobody's */
        const char *owner_key;          /* address of the owner in lower case, as named if there is none */
        gboolean is_own;
        guint office;                   /* rights as administrator: for names in this tree */
        /* look_row(): */
        gint64 id;                      /* 0: no mailbox */
        gint64 owner, uid_validity;     /* owner: of what an alias stands for */
        guint special_use, rights;      /* rights: the office's included */
        guint granted;                  /* rights: by the entries alone */
        gboolean is_alias;              /* an alias stands there, whether or not there is something behind it */
} Look;

/* MAILBOX_DONE: go on. */
MailboxAnswer look_begin(Store *store, Arena *arena, const Viewer *who, Span name, NameUse use, Look *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
gboolean look_row(Look *look, DbTxn *txn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for another name of the same tree. */
gboolean look_row_at(const Look *look, DbTxn *txn, const char *path, Look *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* MAILBOX_DONE when it may be seen and all of `needed` is there. */
MailboxAnswer look_answer(const Look *look, guint needed);
/* look_row() and look_answer() in a transaction of their own; INBOX is made when it is missing. ret may be NULL. */
MailboxAnswer look_find(Look *look, guint needed, const Mailbox **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Whose mailbox was found. Asks the directory. */
gboolean look_owner(const Look *look, const Account **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* local@domain, unquoted, the local part in lower case: as identifiers are stored. NULL: the arena is over. */
const char *address_key(Arena *arena, const Address *a);
/* Log it when only the office opened the door. After the work is done. */
void look_log(const Look *look, guint needed);
/* How the viewer calls it. */
const char *look_name(const Look *look);
/* "~ann" or "~ann@ex.org" for a viewer. */
const char *owner_name(Arena *arena, const Viewer *who, const char *owner_key);
/* The same of any name, without looking for its owner. NULL: nothing can be called so, or the arena is over. */
const char *name_canonical(Arena *arena, const Viewer *who, Span name);
/* The result of the public functions; *ret in the arena. */
MailboxAnswer look_mailbox(const Look *look, DbTxn *txn, const Mailbox **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Is there anything below this name in a tree? -1: a fault. */
int tree_has_children(DbTxn *txn, Arena *arena, gint64 tree, const char *path, GError **error);
/* INBOX, when it is missing. */
gboolean inbox_make(Store *store, gint64 account, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A change, in a transaction of its own that is run again as often as it must be. is_freeing: also on a full disk. fn's answer other than MAILBOX_DONE rolls back. */
typedef MailboxAnswer (*TreeFn)(Store *store, DbTxn *txn, gpointer data, GError **error);
MailboxAnswer tree_run(Store *store, gboolean is_freeing, TreeFn fn, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What a mailbox can be made for: \All and the like would be views of others (RFC 6154 §2). */
#define SPECIAL_USES_MADE ((guint) (USE_ARCHIVE | USE_DRAFTS | USE_JUNK | USE_SENT | USE_TRASH))

#define RIGHTS_OF_OFFICE (RIGHTS_ALL & ~(guint) RIGHT_ADMINISTER)

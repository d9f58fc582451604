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
/* The first name behind all names that begin with `prefix`, in octet order: prefix <= name < this. NULL: there is no end. */
const char *name_behind(Arena *arena, Span prefix);
/* Is `path` below `parent`? */
gboolean name_is_below(const char *path, const char *parent) G_GNUC_PURE;

/* Rows (mailbox_rows.c), in the caller's transaction ---------------------------------------------------------------- */

/* A new row. Its id and UIDVALIDITY were never used before and rise, also within one second (RFC 9051 §2.3.1.1). The name must be free. */
gboolean mailbox_insert(DbTxn *txn, gint64 account, const char *name, guint special_use, gint64 *ret_id, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* The row with its rights and annotations, and aliases that stand for it. What is in it must be gone. */
gboolean mailbox_drop(DbTxn *txn, gint64 mailbox, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Subscriptions, aliases and annotations of an account that is removed. */
gboolean tree_forget_account(DbTxn *txn, gint64 account, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The tree of this account changes by the transaction: its watchers hear of it after the commit. */
void tree_changed(Store *store, DbTxn *txn, gint64 account);

void mailbox_id_text(gint64 id, gint64 uid_validity, char ret[32]);

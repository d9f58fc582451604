/* internal.h -- what the files of store/ share. Private to the room.
 *
 * Who may touch what: everything marked (turn) belongs to the thread that has the write connection, hooks included.
 * Locks: Store.lock, a leaf.
 */
#pragma once

#include "base/thread.h"
#include "store/store.h"

typedef struct Numbers Numbers;

struct Store {
        Db *db;
        Blob *blob;
        Directory *directory;
        guint64 tree_changes;   /* atomic: commits that changed some account's tree */
        Numbers *numbers;       /* (turn) */
        Mutex lock;             /* leaf: the set below */
        GHashTable *open_drops; /* ids of accounts whose maildrop a session has */
};

/* numbers.c: what the next entry of a mailbox gets, and what its account holds ------------------------------------- */

#define UID_MAX ((guint64) G_MAXUINT32)

/* One mailbox, as the write connection sees it. */
typedef struct Slot {
        gint64 id, account;
        const char *name;
        guint32 uid_validity;
        guint32 folded;         /* UIDs up to this are in pages; the tail has the higher ones */
        guint32 n_tail;
        guint64 uid_next;       /* UID_MAX + 1: none is left */
        guint64 modseq;         /* the highest given out */
        guint64 noted;          /* private from here */
        GList link;
} Slot;

typedef struct Usage {
        gint64 account;
        guint64 messages, octets;
        guint64 noted; /* private */
} Usage;

Numbers *numbers_new(void);
void numbers_free(Numbers *numbers);

/* The slot of a mailbox by its name or id; INBOX is made when it is missing. Lives until the transaction ends. Whoever
 * gets it may change it: it is read anew should the transaction be undone. */
StoreAnswer slot_by_name(Store *store, DbTxn *txn, gint64 account, const char *name, Slot **ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
StoreAnswer slot_by_id(Store *store, DbTxn *txn, gint64 mailbox, Slot **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* UIDs and MODSEQ so far, for when rows that show them go. */
gboolean slot_save(DbTxn *txn, const Slot *slot, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The mailbox is removed in this transaction; mailboxes of the account are made, renamed or removed: look again. */
void numbers_forget_mailbox(Store *store, gint64 mailbox);
void numbers_forget_account(Store *store, gint64 account);

Usage *usage_of(Store *store, DbTxn *txn, gint64 account, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Entries came (positive) or went, if anybody counts. */
void usage_add(Store *store, DbTxn *txn, gint64 account, gint64 messages, gint64 octets);
/* The same from any transaction, from the tables. */
gboolean usage_read(DbTxn *txn, gint64 account, guint64 *ret_messages, guint64 *ret_octets,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* store.c ------------------------------------------------------------------------------------------------------------ */

/* References of bodies given back: gathered while rows are deleted, applied once per body. */
typedef struct Released {
        gint64 *bodies;
        gsize n, room;
        guint64 octets; /* of the removed copies */
} Released;

void released_add(Released *released, gint64 body, gint64 size);
gboolean released_unref(Released *released, DbTxn *txn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void released_done(Released *released);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Released, released_done)

/* internal.h -- what the files of store/ share. */
#pragma once

#include "base/thread.h"
#include "store/store.h"

struct Store {
        Db *db;
        Blob *blob;
        Directory *directory;
        guint64 tree_changes;   /* atomic: commits that changed some account's tree */
        Mutex lock;             /* leaf: the set below */
        GHashTable *open_drops; /* ids of accounts whose maildrop a session has */
};

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

/* Lower a mailbox's counts by what was removed from it. */
gboolean mailbox_shrink(DbTxn *txn, gint64 mailbox, const Released *released, GError **error) G_GNUC_WARN_UNUSED_RESULT;

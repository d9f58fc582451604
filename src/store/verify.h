/* verify.h -- what the files of `restante verify` share. Private to the room.
 *
 * The store is looked at in snapshots of about 50 ms each, so that no reader is in the way of a checkpoint. What is compared within one snapshot is exact;
 * what can't be (counts of a very large mailbox, references of bodies) is looked at again before it is complained of,
 * at last in one snapshot of all.
 */
#pragma once

#include "store/internal.h"

typedef struct Verify {
        Store *store;
        StoreReport report;
        gpointer data;
        Usec snapshot;      /* one takes no longer than this and a page                    */
        gint64 rows;        /* of a table in one snapshot, at most                         */
        guint packs;        /* whose slots are counted at once, at most; 3 KiB each                */
        guint bodies;       /* whose references are counted at once, at most; 24 octets each */
        DbTxn *whole;       /* NULL, or the one snapshot that everything is looked at in   */
        guint64 ret_entries; /* counted so far */
} Verify;

/* All of it; set up by the caller. */
gboolean verify_all(Verify *v, gboolean with_bodies, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void verify_complain(const Verify *v, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The snapshot to look at: `whole`, or a new one, which *own keeps. NULL: a fault. */
DbTxn *verify_snapshot(const Verify *v, DbTxn **own, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Commits that have ended; and whether anything was committed since there were so many. What is committed is visible before it is counted, so commits that
 * have begun count. */
guint64 verify_commits_ended(const Verify *v);
gboolean verify_is_written_to(const Verify *v, guint64 ended);

/* One row of a table that is walked in snapshots. FALSE: a fault. */
typedef gboolean (*VerifyRow)(gpointer data, DbTxn *txn, const DbRows *row, GError **error);

/* Every row of `sql`, whose first two columns (a, b) are the key and which asks for those behind `(a, b) > (?, ?)`, in order, at most `LIMIT ?`. The second
 * is 0 where one column is key enough. */
gboolean verify_walk(const Verify *v, const DbSql *sql, VerifyRow each, gpointer data,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* verify_pages.c: mailboxes with their pages, states and counts. */
gboolean verify_mailboxes(Verify *v, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* verify_refs.c: how often each body is named. */
gboolean verify_references(const Verify *v, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* verify_packs.c: packs with their parts, and how often each of their slots is named. */
gboolean verify_packs(const Verify *v, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* verify_names.c: what stands for a mailbox elsewhere: what others have seen of it, aliases, rights, annotations. */
gboolean verify_names(const Verify *v, GError **error) G_GNUC_WARN_UNUSED_RESULT;

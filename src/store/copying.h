/* copying.h -- a COPY, MOVE or undelete at work: what copy.c and copy_stage.c share. Private to the room. */
#pragma once

#include "store/core.h"

typedef enum CopyKind {
        COPY_COPIES = 1,
        COPY_MOVES,
        COPY_UNDELETES,
} CopyKind;

/* What committed slices have brought into a block that nobody sees yet. */
typedef struct Staged {
        guint32 first; /* UID; 0: there is no block */
        guint32 n;
        guint64 octets, modseq;
        GArray *sources; /* UidRange */
        GArray *seen;    /* UidRange, of the target */
        GArray *pages;   /* guint32: their first UIDs */
} Staged;

typedef struct Copying {
        Store *store;
        CopyKind kind;
        gint64 from_id, to_id, reader;
        const UidSet *set;
        Usec since; /* undelete: expunged then or later */
        guint64 mask;
        gboolean may_keywords;
        Limits limits; /* of the target's owner */
        gint64 to_account;
        Usec now;
        guint64 wanted; /* UIDs, also those that are not there */
        Staged staged;
        guint64 next;     /* UID with which the next run begins; 0: it is the first */
        guint32 last;     /* the highest UID of the source when the first began: copies in the same mailbox are behind it */
        guint32 cost_max; /* of a run, in us; after a page that passes it there is another. 0: as much as it takes */
        const ChangeProgress *progress;

        /* One run, from here on: it may be run again. */
        DbTxn *txn;
        Slot *from, *to;
        PageWriter *writer;
        Refs refs;
        guint64 modseq;      /* of the copies */
        guint64 from_modseq; /* of what went from the source; 0: nothing did */
        Keywords *keywords;  /* of the source, while they are not the target's too */
        guint64 mapped;      /* source's bits that are known already */
        guint64 map[64];
        GArray *seen; /* ranges of the source that the reader has seen, when he is not its owner */
        SetWalk seen_walk;
        UidSet seen_set;
        GArray *seen_new; /* UIDs of the target */
        GArray *sources;
        guint32 n, first_uid, uid_validity;
        guint64 octets;
        guint32 cost;
        gboolean is_over; /* nothing is left for another run */
        guint64 ret_next;
        Counts source_counts;
} Copying;

/* copy.c: a run, in its transaction. *_begin: the source; the caller sets `to` and the writer. */
ChangeAnswer copying_begin(Copying *c, DbTxn *txn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Pages from `next` on. packed_only: up to the first that has an entry which is not packed. */
ChangeAnswer copying_pages(Copying *c, gboolean packed_only, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void copying_done(Copying *c); /* in every case */
/* The run that ends a COPY, with what is staged, and the one slice of the others. */
ChangeAnswer copying_work(gpointer data, DbTxn *txn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void copying_tell(const Copying *c, guint64 done);

/* copy_stage.c: a COPY of many messages. All or none. */
ChangeAnswer copy_staged(Copying *c, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Everybody sees the block from this transaction on: its UIDs and its MODSEQ are the target's, whose writer is new. */
ChangeAnswer stage_publish(Copying *c, GError **error) G_GNUC_WARN_UNUSED_RESULT;

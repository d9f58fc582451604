/* change.h -- what readers do to a mailbox: add, flag, copy, move, expunge, undelete.
 *
 * Each call is durable when it returns, and other sessions see it in their next view. Work on many entries goes in slices (at most 20 ms of the write
 * connection each) that become visible together or, for flags, page by page: a crash in between leaves some done, none half.
 * COPY and APPEND of many messages are all or nothing, and others see all of it at once. COPY works for some 20 ms of CPU per 100,000 packed messages
 * (store_pack()); 65,536 and more are copied in slices, which the last one shows. MOVE and undelete of many are seen slice by slice: each message is in one of
 * the two mailboxes at any time. When many are to be copied that are not packed, they are packed before it, in slices.
 *
 * Threads  any; no transaction may be open on the calling thread.
 * RFC      9051 §6.4; 7162 (UNCHANGEDSINCE, MODSEQ); 6851 (MOVE); 4315 (UIDPLUS); 3502 (MULTIAPPEND); 8508 (REPLACE).
 */
#pragma once

#include "store/view.h"

typedef enum ChangeAnswer {
        CHANGED_FAILED = 0,
        CHANGED_DONE,
        CHANGED_NO_MAILBOX,     /* it is gone: NO [TRYCREATE] / [NONEXISTENT] */
        CHANGED_OVER_QUOTA,     /* NO [OVERQUOTA]                             */
        CHANGED_TOO_MANY_KEYWORDS, /* NO [LIMIT]: nothing was changed         */
        CHANGED_UID_SPACE,      /* UIDs ran out: no                           */
} ChangeAnswer;

/* Entries by UID: ranges, rising, not overlapping. UIDs that are not there are passed over. */
typedef struct UidSet {
        const UidRange *ranges;
        gsize n;
} UidSet;

/* Told between two slices, with no transaction open: so many of so many, rising. total counts UIDs that are not there, too; 0: unknown. */
typedef struct ChangeProgress {
        void (*fn)(guint64 done, guint64 total, gpointer data);
        gpointer data;
} ChangeProgress;

/* Flags ------------------------------------------------------------------------------------------------------------- */

typedef enum FlagAction {
        FLAGS_ADD = 1,
        FLAGS_REMOVE,
        FLAGS_REPLACE,
} FlagAction;

typedef struct FlagChange {
        FlagAction action;
        guint64 flags;               /* FLAG_SYSTEM bits                                                          */
        const Span *keywords;        /* names; a new one is given a bit (ADD, REPLACE)                            */
        gsize n_keywords;
        guint64 mask;                /* system flags and FLAG_KEYWORDS that this reader may change (ACL s, t, w); others stay */
        gboolean may_keywords;
        gboolean has_unchanged_since;
        guint64 unchanged_since;     /* RFC 7162: entries with a higher MODSEQ are left alone                     */
        gint64 reader;               /* whose \Seen it is                                                         */
} FlagChange;

/* *ret_modified: UIDs left alone because of unchanged_since (GArray of UidRange, NULL when none). *ret_modseq: the MODSEQ given to what changed, 0 when nothing
 * did. Entries that already have those flags keep their MODSEQ. */
ChangeAnswer store_change_flags(Store *store, gint64 mailbox, const UidSet *set, const FlagChange *change, GArray **ret_modified,
                                guint64 *ret_modseq, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Expunge ----------------------------------------------------------------------------------------------------------- */

/* Entries with \Deleted; within `set` unless it is NULL. They leave every view and the quota, and can be undeleted for as long as the site keeps them
 * (settings). *ret_modseq as above. */
ChangeAnswer store_expunge(Store *store, gint64 mailbox, const UidSet *set, guint64 *ret_modseq, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same, telling how far it is; progress NULL: to nobody. */
ChangeAnswer store_expunge_telling(Store *store, gint64 mailbox, const UidSet *set, const ChangeProgress *progress, guint64 *ret_modseq,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Entries of the set, whatever their flags (POP3 DELE, REPLACE). */
ChangeAnswer store_remove(Store *store, gint64 mailbox, const UidSet *set, guint64 *ret_modseq, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Bring back what was expunged since `since`, with new UIDs and without \Deleted. */
ChangeAnswer store_undelete(Store *store, gint64 mailbox, Usec since, guint32 *ret_messages, GError **error) G_GNUC_WARN_UNUSED_RESULT;
typedef struct Undeletable {
        guint32 messages;
        guint64 octets;
        Usec oldest, newest; /* of their expunging */
} Undeletable;
gboolean store_undeletable(Store *store, gint64 mailbox, Undeletable *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Housekeeping: forget for good what was expunged before `before`, give bodies back. *ret_more: call again. */
gboolean store_tidy(Store *store, Usec before, gboolean *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Housekeeping: pack what was delivered, for FETCH, SEARCH and COPY of many messages to read and write it by the hundred. Called once a second by one thread.
 *
 * A mailbox is packed, 128 messages at a time, when it has that many that are not; those that have waited longest come first. A pass takes some 200 ms, of which
 * the write connection has a few at a time (less than 20 ms each). While others commit more than 200 transactions a second, only what has waited for a
 * minute is packed, in passes of some 50 ms. What is not packed is read message by message, and is as good. Nothing is packed on a disk that is full.
 *
 * may_go_on(data) is asked before each piece, of some milliseconds: FALSE ends the pass. NULL: always. */
gboolean store_pack(Store *store, gboolean (*may_go_on)(gpointer data), gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Copy -------------------------------------------------------------------------------------------------------------- */

/* Where the copies went, for COPYUID: the source UIDs that were there and as many of the target, both as rising ranges. */
typedef struct Copied {
        GArray *sources, *targets; /* of UidRange; the caller's copied_done() */
        guint32 n, first_uid, uid_validity;
        guint64 modseq; /* of the source after a MOVE */
} Copied;
void copied_done(Copied *copied);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Copied, copied_done)

/* Flags, keywords by name, dates (INTERNALDATE stays, SAVEDATE is now) and content go along. mask: flags the reader may give in the target; \Seen of the
 * reader. is_move: gone from the source in the same commit. Source and target may be the same mailbox. *ret is filled in any case: a MOVE that ends with another
 * answer has moved what stands there. */
typedef struct CopyRequest {
        gint64 from, to;
        gint64 reader;
        gboolean is_move;
        guint64 mask;
        gboolean may_keywords;
        const ChangeProgress *progress; /* NULL: nobody is told */
} CopyRequest;
ChangeAnswer store_copy(Store *store, const CopyRequest *request, const UidSet *set, Copied *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Append ------------------------------------------------------------------------------------------------------------ */

/* One message to be appended. Its body was gathered by a BlobWriter of the store's blob (store_writer_new). */
typedef struct Append {
        BlobWriter *writer; /* taken in every case, set to NULL */
        guint64 flags;      /* FLAG_SYSTEM bits */
        const Span *keywords;
        gsize n_keywords;
        Usec received;      /* 0: now */
        guint32 uid;        /* import: this UID when it is higher than any before and the mailbox was empty; 0: the next */
        guint32 ret_uid;
        guint64 ret_size;
} Append;
BlobWriter *store_writer_new(Store *store) G_GNUC_WARN_UNUSED_RESULT;
/* Entries that go when others come, of the same mailbox or of another (REPLACE). */
typedef struct Replaced {
        gint64 mailbox;
        UidSet set;
} Replaced;
/* All of them or none, in order (RFC 3502). One sync of bodies, one commit. replaced: removed in the same commit, whatever their flags; NULL: none.
 * New keywords for which the mailbox has no room are left out. */
ChangeAnswer store_append(Store *store, gint64 mailbox, gint64 reader, Append *messages, gsize n, const Replaced *replaced,
                          guint32 *ret_uid_validity, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Would so many octets and messages pass the quota of the mailbox's owner? */
ChangeAnswer store_has_room(Store *store, gint64 mailbox, guint64 octets, guint messages, GError **error) G_GNUC_WARN_UNUSED_RESULT;

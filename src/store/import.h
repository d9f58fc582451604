/* import.h -- messages that come from another store: their UIDs and UIDVALIDITY are kept where that is true, and none comes twice.
 *
 * A mailbox remembers, for each source it was filled from, the keys of the messages that are in: key and entry are written in one transaction, so an import
 * that was stopped anywhere, also by SIGKILL, goes on without doubles and without gaps. What its owner has deleted since does not come back. The memory
 * goes with the mailbox, or by store_import_forget().
 *
 * UIDs (RFC 9051 §2.3.1.1). A mailbox that never held a message takes over the UIDVALIDITY of its source, and then its UIDs, which must come rising, and
 * at the end its UIDNEXT. Should something else have got such a UID meanwhile (mail was delivered during the import), the mailbox is given a UIDVALIDITY of its
 * own again, so that no client takes one message for another.
 *
 * Threads  any; no transaction may be open on the calling thread.
 * Disk     tables import_source and import_seen.
 */
#pragma once

#include "store/change.h"

#define IMPORT_NAME_OCTETS_MAX 4096
#define IMPORT_KEY_OCTETS_MAX  1024

/* A source of one mailbox. */
typedef struct ImportSource {
        gint64 id;              /* 0: nothing was imported from there, nothing is remembered */
        gint64 mailbox;
        gboolean keeps_uids;    /* the mailbox has the source's UIDVALIDITY */
} ImportSource;

/* Look for what is remembered of a source, name "maildir:/srv/joe .Work". uid_validity: of the source, or 0. */
gboolean store_import_find(Store *store, gint64 mailbox, const char *name, guint32 uid_validity, ImportSource *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* The same, and begin: the source is remembered from here on, and the mailbox takes over its UIDVALIDITY if it may. One that lies in the future, by more
 * than a day, is not taken over: the mailbox's next one could not be higher. */
ChangeAnswer store_import_begin(Store *store, gint64 mailbox, const char *name, guint32 uid_validity, ImportSource *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* Keys that are in, in octet order, behind `after` ("" at first), at most `max`; fewer: these were the last. */
gboolean store_import_keys(Store *store, Arena *arena, gint64 source, const char *after, gsize max, const char ***ret, gsize *ret_n,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All of these messages with their keys, or none; one sync, one commit, at most IMPORT_BATCH_MAX. */
#define IMPORT_BATCH_MAX 500
typedef struct ImportBatch {
        ImportSource source;
        gint64 reader;                  /* the owner of the mailbox */
        Append *messages;               /* uid: in the source, or 0; writers are taken in any case */
        const char *const *keys;
        gsize n;
        guint32 uid_next;               /* of the source, or 0: messages without a UID of its get theirs from here on */
        gboolean is_over_quota;         /* the quota is not asked */
        gboolean ret_keeps_uids;        /* the mailbox still has the source's UIDVALIDITY */
        gboolean ret_is_twice;          /* CHANGED_FAILED: a key of these is in already: somebody else imports the same */
} ImportBatch;
ChangeAnswer store_import_append(Store *store, ImportBatch *batch, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Everything is in: UIDs that the source has given once are never given again. */
ChangeAnswer store_import_end(Store *store, const ImportSource *source, guint32 uid_next, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Forget sources of an account whose name begins so. *ret_messages: how many keys. Slice by slice. */
gboolean store_import_forget(Store *store, gint64 account, const char *prefix, guint64 *ret_messages, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

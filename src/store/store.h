/* store.h -- mailboxes and what is in them: delivery, reading, removal, the POP3 maildrop.
 *
 * An entry is one copy (blob/copy.h) in one mailbox under a UID. UIDs rise strictly and are never reused; UID,
 * UIDVALIDITY and MODSEQ are told to nobody before they are on disk. INBOX exists from the first look or delivery on.
 *
 * Threads  Store: any. A Maildrop: one thread at a time.
 * Disk     tables mailbox and entry (db/schema.c); bodies in blob/.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "blob/blob.h"
#include "blob/copy.h"
#include "db/db.h"
#include "directory/directory.h"

typedef struct Store Store;

/* All three outlive it. The directory says who the owner of a mailbox is and who may see it. */
Store *store_new(Db *db, Blob *blob, Directory *directory) G_GNUC_WARN_UNUSED_RESULT;
void store_free(Store *store);

/* Delivery, inside intake's transaction -------------------------------------------------------------------------- */

typedef enum StoreAnswer {
        STORE_FAILED = 0,
        STORE_DONE,
        STORE_OVER_QUOTA, /* 452/552 4.2.2 */
        STORE_NO_MAILBOX, /* no such folder (create it or take INBOX) */
} StoreAnswer;

typedef struct StoreDelivery {
        gint64 account;
        const char *mailbox; /* "INBOX" is made when missing; any other must exist */
        const Copy *copy;    /* its body is already named in this transaction, reference counted in */
        Id message;
        Usec received;
        guint64 quota_octets, quota_messages; /* 0: none */
} StoreDelivery;

/* One entry. Change listeners hear of it after the commit. */
StoreAnswer store_deliver(Store *store, DbTxn *txn, const StoreDelivery *delivery, gint64 *ret_uid,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What is computed once of a message (mail/summary.h), for blob_name(): of the whole body, before the transaction. Empty when
 * it is too complex, or the arena has no room: it is made by who asks for it then. */
Span store_summarise(Arena *arena, Span message);

/* Does this account have a mailbox of that name (UTF-8, exact; INBOX any case)? For the folder of a sub-address. */
StoreAnswer store_has_mailbox(Store *store, DbTxn *txn, gint64 account, const char *name,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What an account holds; FALSE on a fault. */
gboolean store_usage(Store *store, gint64 account, guint64 *ret_messages, guint64 *ret_octets,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Remove everything of an account, at most 1,000 entries a call in the given transaction; *ret_more: call again in
 * another. */
gboolean store_remove_account(Store *store, DbTxn *txn, gint64 account, gboolean *ret_more,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Maildrop: the INBOX as POP3 sees it (RFC 1939) ------------------------------------------------------------------- */

typedef struct Maildrop Maildrop;

typedef enum MaildropAnswer {
        MAILDROP_FAILED = 0,
        MAILDROP_OPEN,
        MAILDROP_IN_USE, /* another session has it: -ERR [IN-USE] */
} MaildropAnswer;

/* Lock and list the INBOX. The list is a snapshot of at most a million messages, 32 octets each; mail that comes later
 * waits for the next session. */
MaildropAnswer store_maildrop_open(Store *store, gint64 account, Maildrop **ret,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
void store_maildrop_close(Maildrop *drop); /* unlocks; deletes nothing; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Maildrop, store_maildrop_close)

guint32 store_maildrop_count(const Maildrop *drop);
guint64 store_maildrop_octets(const Maildrop *drop); /* without deleted ones */
guint32 store_maildrop_undeleted(const Maildrop *drop);

/* Messages are numbered from 0. */
guint64 store_maildrop_size(const Maildrop *drop, guint32 i);
gboolean store_maildrop_is_deleted(const Maildrop *drop, guint32 i);
void store_maildrop_delete(Maildrop *drop, guint32 i); /* marks only */
void store_maildrop_reset(Maildrop *drop);
#define MAILDROP_UIDL_OCTETS 40
/* Unique and stable across sessions: UIDVALIDITY and UID in hexadecimal, at most 70 of 0x21-0x7e (RFC 1939 §7). */
const char *store_maildrop_uidl(const Maildrop *drop, guint32 i, char buffer[MAILDROP_UIDL_OCTETS]);

/* Open message i for reading from its start. FALSE with the error when it is gone or damaged. */
typedef struct MaildropMessage MaildropMessage;
gboolean store_maildrop_message(Maildrop *drop, guint32 i, MaildropMessage **ret,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
void store_message_close(MaildropMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaildropMessage, store_message_close)
gssize store_message_read(MaildropMessage *message, void *buffer, gsize len,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT; /* like copy_read */

/* UPDATE state (RFC 1939 §6): remove what is marked, in slices of at most 1,000; TRUE when all of it is gone and on
 * disk. */
gboolean store_maildrop_update(Maildrop *drop, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Looking, for admin and verify ------------------------------------------------------------------------------------ */

typedef struct StoreRow {
        gint64 account;
        const char *mailbox;
        gint64 uid;
        Id message;
        guint64 size;
        Usec received;
} StoreRow;
/* Rows of one account in order, after (mailbox name, uid), at most max. */
gboolean store_rows(Store *store, Arena *arena, gint64 account, const char *after_mailbox, gint64 after_uid, gsize max,
                    const StoreRow **ret, gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Consistency of tables and bodies: entries with their bodies, cuts and sizes; pages with their states and rows, and what
 * the mailbox's row counts of them; what others have seen; aliases, rights and annotations of mailboxes that are gone;
 * references of bodies, records readable with right checksum. report(text, data) is called for each complaint, one line.
 * FALSE: could not look. Goes in snapshots of about 50 ms while the site works, in some 25 MB of memory. What changes
 * meanwhile is looked at again, up to four times, before it is complained of. ret_entries: those in mailboxes, with what can
 * be undeleted. */
typedef void (*StoreReport)(const char *complaint, gpointer data);
gboolean store_verify(Store *store, gboolean with_bodies, StoreReport report, gpointer data, guint64 *ret_entries,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

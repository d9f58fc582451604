/* names.h -- what the commands about mailboxes by name share.
 *
 *      mailboxes.c     CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE
 *      status.c        STATUS, and the same within LIST and NOTIFY
 *      list_parse.c    LIST and LSUB -> ListRequest
 *      list.c          their answers
 *      acl.c           SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS
 *      metadata.c      GETMETADATA, SETMETADATA
 *      quota.c         GETQUOTA, GETQUOTAROOT, SETQUOTA
 */
#pragma once

#include "imap/internal.h"

/* STATUS (status.c) --------------------------------------------------------------------------------------------------- */

/* What is asked for, one bit each, in the order of the answer. */
typedef enum StatusItem {
        STATUS_MESSAGES = 1 << 0,
        STATUS_RECENT = 1 << 1, /* always 0: nothing is \Recent here */
        STATUS_UIDNEXT = 1 << 2,
        STATUS_UIDVALIDITY = 1 << 3,
        STATUS_UNSEEN = 1 << 4,
        STATUS_DELETED = 1 << 5,
        STATUS_SIZE = 1 << 6,
        STATUS_HIGHESTMODSEQ = 1 << 7,
        STATUS_MAILBOXID = 1 << 8,
        STATUS_APPENDLIMIT = 1 << 9,
        STATUS_DELETED_STORAGE = 1 << 10,
} StatusItem;

/* "(MESSAGES UNSEEN)". FALSE: an item that is none, or is switched off. */
gboolean imap_status_parse(const ImapSession *s, ImapArgs *a, guint *ret) G_GNUC_WARN_UNUSED_RESULT;
/* HIGHESTMODSEQ switches CONDSTORE on (RFC 7162 §3.1). */
void imap_status_enable(ImapSession *s, guint items);
/* One untagged STATUS. mailbox: with id and right r. STORE_NO_MAILBOX: it has gone, nothing was written. */
StoreAnswer imap_status_put(ImapSession *s, const Mailbox *mailbox, guint items, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One untagged STATUS of numbers that are known; without MAILBOXID and DELETED-STORAGE. */
void imap_status_put_known(ImapSession *s, const char *name, const MailboxStatus *status, guint items);

/* LIST (list_parse.c) ------------------------------------------------------------------------------------------------- */

#define LIST_PATTERNS_MAX 100
#define LIST_ENTRIES_MAX  100

typedef enum ListSelect {
        LIST_SELECT_SUBSCRIBED = 1 << 0,
        LIST_SELECT_REMOTE = 1 << 1, /* nothing is (RFC 2193) */
        LIST_SELECT_RECURSIVE = 1 << 2,
        LIST_SELECT_SPECIAL_USE = 1 << 3,
} ListSelect;

typedef enum ListReturn {
        LIST_RETURN_SUBSCRIBED = 1 << 0,
        LIST_RETURN_CHILDREN = 1 << 1,
        LIST_RETURN_SPECIAL_USE = 1 << 2,
        LIST_RETURN_STATUS = 1 << 3,
        LIST_RETURN_MYRIGHTS = 1 << 4,
        LIST_RETURN_METADATA = 1 << 5,
} ListReturn;

typedef struct ListRequest {
        gboolean is_lsub;
        gboolean is_extended; /* options, or several patterns (RFC 5258 §3) */
        guint select, returns;
        Span reference;
        const Span *patterns; /* as they came; in the command or its arena */
        gsize n_patterns;
        guint status;        /* StatusItem bits */
        const Span *entries; /* of METADATA */
        gsize n_entries;
} ListRequest;

/* What stands behind the word LIST or LSUB. FALSE: no such command; *ret_is_bad: a name that is none. */
gboolean imap_list_parse(const ImapSession *s, ImapArgs *a, gboolean is_lsub, ListRequest *ret,
                    gboolean *ret_is_bad) G_GNUC_WARN_UNUSED_RESULT;
/* Reference and pattern in one, in NFC. Data NULL: the arena is over. */
Span imap_list_canonical(Arena *arena, Span reference, Span pattern);

/* list.c: "* LIST (\Noselect \HasChildren) "/" name" of one mailbox, with its old name (RFC 9051 §6.3.9.7) if there is one. */
void imap_list_put(ImapSession *s, const Mailbox *mailbox, const Span *old_name);

/* acl.c: the letters, with the obsolete c and d (RFC 4314 §2.1.1) */
void imap_acl_put_rights(ImapSession *s, guint rights);

/* metadata.c: "("/private/comment" "text" "/shared/comment" NIL)" */
/* What is asked for and not found is NIL; asked NULL: only what was found. */
void imap_metadata_put_values(ImapSession *s, const MetadataEntry *found, gsize n_found, const Span *asked, gsize n_asked);

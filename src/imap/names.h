/* names.h -- what the commands about mailboxes by name share.
 *
 *      mailboxes.c     CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE
 *      status.c        STATUS, and the same within LIST and NOTIFY
 *      list_parse.c    LIST and LSUB -> ListRequest
 *      list.c          their answers
 *      acl.c           SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS; acl_parse.c: their arguments
 *      metadata.c      GETMETADATA, SETMETADATA; metadata_parse.c
 *      quota.c         GETQUOTA, GETQUOTAROOT, SETQUOTA; quota_parse.c
 */
#pragma once

#include "imap/internal.h"

/* STATUS (status.c) --------------------------------------------------------------------------------------------------- */

/* What is asked for, one bit each, in the order of the answer. */
typedef enum StatusItem {
        STATUS_MESSAGES = 1 << 0,
        STATUS_RECENT = 1 << 1, /* IMAP4rev1's */
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

/* ACL (acl_parse.c) --------------------------------------------------------------------------------------------------- */

/* How much stands behind the word of the command. */
typedef enum AclForm {
        ACL_FORM_MAILBOX = 0, /* GETACL, MYRIGHTS                    */
        ACL_FORM_IDENTIFIER,  /* DELETEACL, LISTRIGHTS: and whose    */
        ACL_FORM_RIGHTS,      /* SETACL: and which                   */
} AclForm;

typedef struct AclRequest {
        Span mailbox, identifier;
        AclAction action; /* ACL_REPLACE by none: of DELETEACL */
        guint rights;
} AclRequest;

/* FALSE: BAD; *ret_is_bad: a name that is none. */
gboolean imap_acl_parse(ImapArgs *a, AclForm form, AclRequest *ret, gboolean *ret_is_bad) G_GNUC_WARN_UNUSED_RESULT;

/* acl.c: the letters, with the obsolete c and d (RFC 4314 §2.1.1) */
void imap_acl_put_rights(ImapSession *s, guint rights);

/* METADATA (metadata_parse.c) ----------------------------------------------------------------------------------------- */

typedef struct MetadataAsked {
        Span mailbox; /* empty: the server */
        gboolean has_max;
        guint64 max; /* octets of a value that is wanted */
        guint depth; /* G_MAXUINT: infinity */
        Span *entries;
        gsize n;
} MetadataAsked;

typedef struct MetadataSettings {
        Span mailbox;
        const MetadataEntry *entries; /* value with data NULL: NIL */
        gsize n;
} MetadataSettings;

/* FALSE: BAD; *ret_is_bad: a name that is none. */
gboolean imap_getmetadata_parse(ImapArgs *a, MetadataAsked *ret, gboolean *ret_is_bad) G_GNUC_WARN_UNUSED_RESULT;
gboolean imap_setmetadata_parse(ImapArgs *a, MetadataSettings *ret, gboolean *ret_is_bad) G_GNUC_WARN_UNUSED_RESULT;

/* QUOTA (quota_parse.c) ----------------------------------------------------------------------------------------------- */

typedef enum QuotaForm {
        QUOTA_FORM_ROOT = 0, /* GETQUOTA                                                             */
        QUOTA_FORM_MAILBOX,  /* GETQUOTAROOT                                                         */
        QUOTA_FORM_LIMITS,   /* SETQUOTA: a root and limits, which are read and not kept (quota.c)   */
} QuotaForm;

/* The root or the mailbox. FALSE: BAD; *ret_is_bad: a name that is none. */
gboolean imap_quota_parse(ImapArgs *a, QuotaForm form, Span *ret, gboolean *ret_is_bad) G_GNUC_WARN_UNUSED_RESULT;

/* metadata.c: "("/private/comment" "text" "/shared/comment" NIL)" */
/* What is asked for and not found is NIL; asked NULL: only what was found. */
void imap_metadata_put_values(ImapSession *s, const MetadataEntry *found, gsize n_found, const Span *asked, gsize n_asked);

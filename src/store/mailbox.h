/* mailbox.h -- the tree of mailboxes of an account, what is said about them, and who may do what.
 *
 * A name is UTF-8 (NFC), levels divided by '/'; INBOX in any case is the one INBOX. At most 1,000 octets, 255 a level, 50 levels; no controls, no empty level, no
 * level "." or "..", no '%' or '*' first in a level made by CREATE. "~owner/Name" is a mailbox of another account of the same domain,
 * "~owner@domain/Name" of any; "~owner" alone is the root of its tree. A mailbox alias is a name in one's own tree that stands for any mailbox.
 *
 * Rights (RFC 4314): what an owner grants on each mailbox to an account, to "anyone" (every account here), or with "-" takes away. The owner always has
 * l, r, a at least, and all by default. Administrators with the right `read-mail` for the server or the owner's domain may open any mailbox below "~owner/" by name (lrswipkxte);
 * each opening is logged and they never see it in lists. Without the right `l` a mailbox is not there: MAILBOX_MISSING, after the same work.
 *
 * Threads  any; none of the calling thread's transactions may be open except where a DbTxn is a parameter. Memory: results in the caller's arena.
 * RFC      9051 §5.1, §6.3; 4314 (ACL), 5258, 5464 (METADATA), 6154 (SPECIAL-USE), 8474 (MAILBOXID), 9208 (QUOTA).
 */
#pragma once

#include "base/log.h"
#include "store/store.h"

typedef enum Right {
        RIGHT_LOOKUP = 1 << 0,          /* l */
        RIGHT_READ = 1 << 1,            /* r */
        RIGHT_SEEN = 1 << 2,            /* s */
        RIGHT_WRITE = 1 << 3,           /* w */
        RIGHT_INSERT = 1 << 4,          /* i */
        RIGHT_POST = 1 << 5,            /* p */
        RIGHT_CREATE = 1 << 6,          /* k */
        RIGHT_DELETE_MAILBOX = 1 << 7,  /* x */
        RIGHT_DELETE_MESSAGES = 1 << 8, /* t */
        RIGHT_EXPUNGE = 1 << 9,         /* e */
        RIGHT_ADMINISTER = 1 << 10,     /* a */
} Right;
#define RIGHTS_ALL ((guint) 0x7ff)
/* "lrswipkxtea" and back; the obsolete c (kx) and d (te) are read (RFC 4314 §2.1.1). FALSE: a letter that is none. */
gboolean rights_parse(Span text, guint *ret) G_GNUC_WARN_UNUSED_RESULT;
const char *rights_text(guint rights, char buffer[16]);

typedef enum MailboxAnswer {
        MAILBOX_FAILED = 0,
        MAILBOX_DONE,
        MAILBOX_MISSING,        /* not there, or no right l: NO [NONEXISTENT]      */
        MAILBOX_NO_RIGHT,       /* it may be seen, but not this: NO [NOPERM]       */
        MAILBOX_EXISTS,         /* NO [ALREADYEXISTS]                              */
        MAILBOX_BAD_NAME,       /* NO [CANNOT]                                     */
        MAILBOX_IN_USE,         /* cannot be removed or renamed (INBOX): NO [CANNOT] */
        MAILBOX_LIMIT,          /* too many mailboxes (10,000 an account), annotations, ...: NO [LIMIT] */
        MAILBOX_TOO_LONG,       /* METADATA: NO [METADATA MAXSIZE n]               */
        MAILBOX_BAD_USE,        /* CREATE: this special use can't be given: NO [USEATTR] */
} MailboxAnswer;

/* Who looks. */
typedef struct Viewer {
        gint64 account;
        const char *address;    /* "joe@ex.org", as defined; for names, ACL and the log */
        const char *client;     /* address of the peer, for the log of administrators' openings */
} Viewer;

typedef struct Mailbox {
        gint64 id;              /* 0: a name without a mailbox (a parent that was removed or never made) */
        gint64 owner;
        const char *name;       /* as the viewer sees it, UTF-8: "Work/2026", "~ann/Team" */
        guint rights;           /* of the viewer */
        guint special_use;      /* SpecialUse bits */
        gboolean is_subscribed, has_children, is_alias;
        char mailbox_id[32];    /* MAILBOXID */
} Mailbox;

typedef enum SpecialUse {
        USE_ALL = 1 << 0,
        USE_ARCHIVE = 1 << 1,
        USE_DRAFTS = 1 << 2,
        USE_FLAGGED = 1 << 3,
        USE_JUNK = 1 << 4,
        USE_SENT = 1 << 5,
        USE_TRASH = 1 << 6,
        USE_IMPORTANT = 1 << 7,
} SpecialUse;
const char *special_use_name(SpecialUse use); /* "\\Sent" */
gboolean special_use_parse(Span text, SpecialUse *ret) G_GNUC_WARN_UNUSED_RESULT;

/* One by name; INBOX is made when it is missing. needed: rights without which the answer is MAILBOX_NO_RIGHT (or _MISSING without l). */
MailboxAnswer store_mailbox(Store *store, Arena *arena, const Viewer *who, Span name, guint needed, const Mailbox **ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* Everything the viewer may see whose name begins with `prefix` (pattern matching is the caller's), by name: own tree with aliases, then other users' (only when
 * prefix begins with '~', or include_others). Parents without a mailbox are listed with id 0. subscribed_only: subscribed names, also of mailboxes that are gone (id 0). */
typedef struct MailboxQuery {
        Span prefix;
        gboolean subscribed_only, include_others;
} MailboxQuery;
gboolean store_mailboxes(Store *store, Arena *arena, const Viewer *who, const MailboxQuery *query, const Mailbox **ret, gsize *ret_n,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Missing parents are made too. special_use: SpecialUse bits or 0. */
MailboxAnswer store_mailbox_create(Store *store, Arena *arena, const Viewer *who, Span name, guint special_use, const Mailbox **ret,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Its messages can be undeleted with it for a time (store_mailbox_restore). Children stay. */
MailboxAnswer store_mailbox_delete(Store *store, const Viewer *who, Span name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* With all below it. INBOX: its messages move into the new mailbox (RFC 9051 §6.3.6). */
MailboxAnswer store_mailbox_rename(Store *store, const Viewer *who, Span from, Span to, GError **error) G_GNUC_WARN_UNUSED_RESULT;
MailboxAnswer store_mailbox_subscribe(Store *store, const Viewer *who, Span name, gboolean is_subscribed, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* name in one's own tree; target as the viewer names it; SPAN_EMPTY removes the alias. */
MailboxAnswer store_mailbox_alias(Store *store, const Viewer *who, Span name, Span target, GError **error) G_GNUC_WARN_UNUSED_RESULT;
MailboxAnswer store_mailbox_restore(Store *store, const Viewer *who, Span name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What can be restored in the viewer's own tree, the last deleted first, at most `max`. */
typedef struct DeletedMailbox {
        const char *name;
        Usec deleted;
} DeletedMailbox;
gboolean store_mailboxes_deleted(Store *store, Arena *arena, const Viewer *who, gsize max, const DeletedMailbox **ret, gsize *ret_n,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Could a mailbox be made under this name, in one's own tree or somebody else's? */
gboolean store_name_is_right(Span name) G_GNUC_WARN_UNUSED_RESULT;

/* A new account's mailboxes, their special uses and its subscriptions, as its template says, in the transaction that makes it. Aliases are not made: their targets
 * are looked for like anybody's (store_mailbox_alias()). FAULT_INPUT: a name of the template is none. */
gboolean store_make_account(Store *store, DbTxn *txn, const Viewer *who, const Template *template, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* ACL ---------------------------------------------------------------------------------------------------------------- */

typedef struct AclEntry {
        const char *identifier; /* "joe@ex.org", "anyone", with "-" before it for what is taken away */
        guint rights;
} AclEntry;
typedef enum AclAction { ACL_REPLACE = 0, ACL_ADD, ACL_REMOVE } AclAction;
MailboxAnswer store_acl(Store *store, Arena *arena, const Viewer *who, Span name, const AclEntry **ret, gsize *ret_n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* identifier: an address, a local part of the owner's domain, "anyone", "owner". Rights 0 with ACL_REPLACE: DELETEACL. MAILBOX_BAD_NAME: no such account. */
MailboxAnswer store_acl_set(Store *store, const Viewer *who, Span name, Span identifier, AclAction action, guint rights, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* Nobody grants anything to this address any more: an account or group that is removed. In the transaction that removes it. */
gboolean store_forget_address(Store *store, DbTxn *txn, const char *address, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* METADATA (RFC 5464) ------------------------------------------------------------------------------------------------- */

#define METADATA_OCTETS_MAX 65536
#define METADATA_ENTRIES_MAX 100 /* of one mailbox and account */
typedef struct MetadataEntry {
        const char *entry;      /* "/private/comment", lower case */
        Span value;
} MetadataEntry;
/* name empty: the server's. entries: asked for, depth 0, 1 or G_MAXUINT below each. "/private/vendor/restante/alias" of a name is its mailbox alias' target. */
MailboxAnswer store_metadata(Store *store, Arena *arena, const Viewer *who, Span name, const Span *entries, gsize n, guint depth,
                             const MetadataEntry **ret, gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A value without data pointer (NIL) removes. All or none. Needs l and one of r, s, w, i, p (RFC 5464 §3.3), /shared entries w as well; the server's are nobody's
 * to set. */
MailboxAnswer store_metadata_set(Store *store, const Viewer *who, Span name, const MetadataEntry *entries, gsize n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* Quota (RFC 9208): one root an account, named after it; shared mailboxes count against their owner -------------------- */

typedef struct QuotaUse {
        guint64 octets, messages, octets_limit, messages_limit; /* limit 0: none */
        const char *root;                                       /* the owner's address */
} QuotaUse;
MailboxAnswer store_quota(Store *store, Arena *arena, const Viewer *who, Span name, QuotaUse *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* STATUS without selecting: from the current view if there is one, else from the mailbox's row, the states of its pages and its tail, without making a view (but for
 * somebody else's mailbox, whose unseen messages only a view knows). Some 20 us, and 1 us for every 100 messages. STORE_NO_MAILBOX: it is not there (any more). */
typedef struct MailboxStatus {
        guint32 messages, uid_next, uid_validity, unseen, deleted;
        guint64 highest_modseq, octets;
} MailboxStatus;
StoreAnswer store_mailbox_status(Store *store, gint64 mailbox, gint64 reader, MailboxStatus *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Octets of the messages that have \Deleted (RFC 9208 §5.1, DELETED-STORAGE). Makes a view. */
StoreAnswer store_deleted_octets(Store *store, gint64 mailbox, guint64 *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

enum {                                  /* of STORE_EVENTS */
        STORE_EVENT_ADMIN_OPEN = 0,
        STORE_EVENT_SEARCH_READY,
        STORE_EVENT_SEARCH_DAMAGED,
};
extern const LogEvent STORE_EVENTS[];   /* for the manual; name NULL ends it */

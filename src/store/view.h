/* view.h -- a mailbox as a reader sees it: an immutable list of entries, shared by everybody who looks at the same state.
 *
 *      view = store_view_open(store, mailbox, reader, &error)        now
 *      view_entry(view, 0) ... view_entry(view, n - 1)               sequence number = index + 1
 *      newer = store_view_open(...)                                  later: what has changed since?
 *      view_compare(view, newer, ...)                                vanished, changed and new entries
 *
 * A view never changes. A session keeps the one it has told its client about and compares it with a newer one when it may tell more, so
 * sequence numbers hold still in between and no event is ever queued. Views share their blocks (128 entries each): a newer view costs only the blocks that
 * differ, comparing skips the equal ones, and a parked session with 10,000 messages selected costs a pointer.
 *
 * Expunged entries that can still be undeleted are not in a view (see change.h, mailbox undelete).
 *
 * \Seen is per reader of somebody else's mailbox: view_flags() tells it of the reader that the view was opened for; the
 * owner's is in the entry. Every other flag is everybody's. A reader's change of \Seen raises the MODSEQ of the entry for all.
 *
 * Threads  a View may be used by many threads at once. Store: any.
 * Memory   72 octets an entry in a cache of views that is bounded (64 MiB, least recently used go first; views in use stay).
 * RFC      9051 §2.3 (UIDs, sequence numbers, flags), 7162 (MODSEQ), 8474 (EMAILID), 8514 (SAVEDATE).
 */
#pragma once

#include "store/store.h"

typedef struct View View;

/* Flags of an entry: one bit each. Keywords have the bits from FLAG_KEYWORD_FIRST on, each mailbox its own names for them. */
typedef enum EntryFlag {
        FLAG_SEEN = 1 << 0,
        FLAG_ANSWERED = 1 << 1,
        FLAG_FLAGGED = 1 << 2,
        FLAG_DELETED = 1 << 3,
        FLAG_DRAFT = 1 << 4,
} EntryFlag;
#define FLAG_SYSTEM ((guint64) 0x1f)
#define FLAG_KEYWORD_FIRST 8
#define FLAG_KEYWORDS_MAX  56
#define KEYWORD_OCTETS_MAX 100

typedef struct ViewEntry {
        guint32 uid;
        guint32 slot;           /* private: place in its pack */
        guint64 flags;          /* as stored; ask view_flags() */
        guint64 modseq;
        guint64 size;           /* of the copy */
        gint64 body;            /* id; not for showing */
        gint64 pack;            /* private; 0: not packed yet */
        Usec received;          /* INTERNALDATE */
        Usec saved;             /* SAVEDATE */
        Id message;             /* as in the trace */
} ViewEntry;

/* The mailbox as it is now. reader: the account that looks. STORE_NO_MAILBOX: it is not there (any more). Rights are the caller's
 * affair (mailbox.h). A current view is answered from the cache without a transaction. */
StoreAnswer store_view_open(Store *store, gint64 mailbox, gint64 reader, View **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
View *view_ref(View *view);
void view_unref(View *view); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(View, view_unref)

gint64 view_mailbox(const View *view);
guint32 view_count(const View *view);
guint32 view_uid_validity(const View *view);
guint32 view_uid_next(const View *view);
guint64 view_highest_modseq(const View *view);
guint64 view_octets(const View *view);
guint32 view_unseen(const View *view); /* entries without \Seen of this reader */
guint32 view_deleted(const View *view);

const ViewEntry *view_entry(const View *view, guint32 index); /* index < view_count() */
guint64 view_flags(const View *view, guint32 index);
/* For what goes through a mailbox: entries that stand one behind the other, from this index on. */
typedef struct ViewRun {
        const ViewEntry *entries;
        guint32 n;              /* 1 or more               */
        guint64 any, all;       /* flags, as view_flags() tells them: no entry has others than `any`, each has those of `all` */
        gboolean is_own;        /* the reader's \Seen is in the entries: their flags are what view_flags() tells */
} ViewRun;
ViewRun view_run(const View *view, guint32 index); /* index < view_count() */
/* Index of the first entry whose UID is at least this; view_count() when there is none. */
guint32 view_index_of(const View *view, guint32 uid);
/* Name of the keyword of this bit, or NULL; the bit of a name (ASCII case apart), or -1. */
const char *view_keyword(const View *view, guint bit);
int view_keyword_bit(const View *view, Span name);

/* EMAILID (RFC 8474): equal where body, prefix and cuts are equal. MAILBOXID is mailbox.h's, THREADID its own function's affair. */
#define EMAILID_OCTETS 32
gboolean store_emailid(Store *store, const View *view, guint32 index, char ret[EMAILID_OCTETS], GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* What is different in `newer` (same mailbox and reader). Calls come in this order: vanished(index in older) from the last to the first, changed(index
 * in newer) rising, for entries in both whose flags (as this reader sees them) or MODSEQ differ; new entries are those from *ret_first_new on. Any
 * function may be NULL. Cost: by what differs. */
void view_compare(const View *older, const View *newer, void (*vanished)(guint32 index, gpointer data),
                  void (*changed)(guint32 index, gpointer data), gpointer data, guint32 *ret_first_new);

/* As `newer` (same mailbox and reader), with what has vanished since `older` still in its place: entries of `older` keep their index, new ones come behind
 * them, flags and MODSEQs are the newest. For a reader who may not be told yet that something vanished (RFC 9051 §7.5.1), but uses what is there.
 * view_highest_modseq() stays that of `older`: below what vanished, so that a client which comes back with it misses nothing. Compared with a newer view it
 * tells what has vanished. Unref it. */
View *view_keeping(const View *older, const View *newer) G_GNUC_WARN_UNUSED_RESULT;

/* QRESYNC (RFC 7162 §3.2.5.2): UIDs that have gone since `modseq`, rising, as ranges. Entries whose expunge is forgotten are told again when in doubt: every
 * UID below UIDNEXT that is not there. within: ranges the client knows, or none (n 0: all). */
typedef struct UidRange {
        guint32 first, last;
} UidRange;
gboolean store_vanished_since(Store *store, const View *view, guint64 modseq, const UidRange *within, gsize n_within,
                              GArray **ret_ranges /* of UidRange */, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* \Recent (RFC 3501 §2.3.2) ----------------------------------------------------------------------------------------- */

/* The first UID that no session which may write had been told of so far; one number for all readers. told_below: from now on those below it have been told
 * of; 0: only look (EXAMINE, STATUS). When it can't be looked up nothing is recent: G_MAXUINT32. It costs a look into memory, and the first time a row. */
guint32 store_recent(Store *store, gint64 mailbox, guint32 told_below);
/* Write what has risen, when the site tidies and at its end. What a crash takes is shown as recent once more. */
gboolean store_recent_keep(Store *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Watching ---------------------------------------------------------------------------------------------------------- */

/* Tell me when a mailbox changes: fn(data) is called after each commit that changes it, soon (within milliseconds), on whichever thread commits; it does no more
 * than wake a session. account: mailboxes made, renamed, removed, subscribed, annotated or granted in this account's tree, and what others grant it by its own name (mailbox 0). After
 * watch_free() returned fn is not running and will not be called. */
typedef struct Watch Watch;
Watch *store_watch(Store *store, gint64 mailbox, gint64 account, void (*fn)(gpointer data), gpointer data) G_GNUC_WARN_UNUSED_RESULT;
void watch_free(Watch *watch); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watch, watch_free)

/* Reading messages -------------------------------------------------------------------------------------------------- */

/* The octets of one copy. FALSE with the error: gone or damaged. */
typedef struct StoredMessage StoredMessage;
gboolean store_message_of(Store *store, const View *view, guint32 index, StoredMessage **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for who reads many messages of one view, mostly one behind the other: then one look-up is of some at once. They are given as they were when they
 * were looked up; what has been expunged since may still be read. The view is kept. One thread at a time. */
typedef struct MessagesAhead MessagesAhead;
MessagesAhead *store_messages_ahead(Store *store, View *view) G_GNUC_WARN_UNUSED_RESULT;
gboolean messages_ahead_get(MessagesAhead *ahead, guint32 index, StoredMessage **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void messages_ahead_rest(MessagesAhead *ahead); /* before a park: those that were not asked for are forgotten. NULL is fine */
void messages_ahead_free(MessagesAhead *ahead); /* NULL is fine */
void stored_message_free(StoredMessage *message); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoredMessage, stored_message_free)
guint64 stored_message_size(const StoredMessage *message);
/* Octets [offset, offset + len) of the copy, as many as there are; -1 on a fault. */
gssize stored_message_read(StoredMessage *message, guint64 offset, void *buffer, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The copy's place of an octet of the body: offsets in summaries (mail/summary.h) count from the body. */
guint64 stored_message_offset(const StoredMessage *message, guint64 body_offset);
/* Octets of the header with its empty line, of the copy. Reads the header at the first call; when that fails, everything is header, and reading it
 * tells why. */
guint64 stored_message_header_size(const StoredMessage *message);

/* What was computed at delivery (mail/summary.h), one message after the other. A cursor reads and unpacks whole packs and keeps the last ones, so that
 * going through a mailbox in order costs one read per 128 messages. Between two calls the session may park. */
typedef enum SummarySection {
        SUMMARY_ENVELOPE = 1 << 0,
        SUMMARY_STRUCTURE = 1 << 1,
        SUMMARY_FIELDS = 1 << 2,
        SUMMARY_KEYS = 1 << 3,
        SUMMARY_PREVIEW = 1 << 4,
        SUMMARY_COPY = 1 << 5, /* prefix and cuts */
} SummarySection;
typedef struct SummaryCursor SummaryCursor;
SummaryCursor *store_summary_cursor(Store *store, guint sections /* SummarySection bits that will be asked for */) G_GNUC_WARN_UNUSED_RESULT;
void summary_cursor_free(SummaryCursor *cursor); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SummaryCursor, summary_cursor_free)

/* One message's: spans live until the next call with this cursor. */
typedef struct StoredSummary {
        Span envelope, structure, fields, keys, preview; /* sections of mail/summary.h that were asked for */
        Span prefix;                                     /* of the copy: whole header lines */
        const Cut *cuts;
        guint n_cuts;
} StoredSummary;
gboolean summary_cursor_get(SummaryCursor *cursor, const View *view, guint32 index, StoredSummary *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* Drop what it keeps in memory; the next get reads again. Called before a park. */
void summary_cursor_rest(SummaryCursor *cursor);

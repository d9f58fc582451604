/* transfer.h -- mail of other stores: maildirs, mbox files and IMAP servers as sources, maildirs and mbox files as targets.
 *
 * A Source lists folders; of one folder at a time it gives messages, each with its key, flags, date, UID and octets. A Target takes the same. Neither knows where
 * they go to or come from; the command line puts them together with the server (app/transfer_import.c).
 *
 *      source_list() -> for each folder: source_open() -> source_choose() -> source_next(), source_read() until it answers 0, source_next() ...
 *
 * Octets come with CRLF line ends: of files, a message whose first line ends with LF alone has each bare LF made CRLF; one that begins with CRLF stays as it is.
 * Nothing below the directory that was named is followed through a symbolic link, and nothing but regular files is opened: whoever owns a maildir could
 * otherwise have root read anything.
 *
 * Threads  one. It waits: for the disk, and for the server of an IMAP source.
 * Memory   a folder's list (some 150 octets a message, at most SOURCE_MESSAGES_MAX) and 64 KiB.
 */
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/span.h"
#include "imap/client.h"

#define SOURCE_MESSAGES_MAX 20000000
#define SOURCE_FOLDERS_MAX  10000
#define TRANSFER_KEYWORDS_MAX 60 /* of one message */

typedef struct TransferFolder {
        char *name;                     /* as ours: UTF-8, levels divided by '/', INBOX for the inbox */
        char *path;                     /* as the source calls it; "" its root                       */
        char *special_use;              /* "\\Sent", or NULL                                         */
        gboolean is_subscribed;
        gboolean is_container;          /* has no messages of its own (IMAP \NoSelect)               */
        guint32 uid_validity, uid_next; /* from source_open() on; 0: it has none                     */
        /* From source_choose() on: */
        guint64 messages, octets;       /* that are to come; octets 0: not known                     */
        guint64 known;                  /* that are in already                                       */
} TransferFolder;

typedef struct TransferMessage {
        const char *key;                /* stable, of this folder; lives until the next one */
        guint32 uid;                    /* rising; 0: it has none, nor have those behind it */
        guint64 flags;                  /* EntryFlag bits (store/view.h)                    */
        const char *const *keywords;    /* NULL-terminated                                  */
        Usec received;                  /* 0: not known                                     */
        guint64 size;                   /* in the source; may be wrong; 0: not known        */
} TransferMessage;

typedef enum SourceStep {
        SOURCE_FAILED = 0,      /* nothing more can be read of this folder */
        SOURCE_END,
        SOURCE_MESSAGE,
        SOURCE_SKIPPED,         /* one that can't be read, *ret_why (g_free) says why; go on */
} SourceStep;

typedef struct Source Source;

/* path: a directory or (mbox) a file. FAULT_INPUT: there is nothing of that kind. */
Source *source_maildir(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* inbox: another name under which a file is the inbox: the local part of the account. */
Source *source_mbox(const char *path, const char *inbox, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Connects and logs in; changes nothing there. A connection that breaks is SOURCE_FAILED: import again. */
Source *source_imap(const ImapClientSettings *settings, const char *user, const char *password, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void source_free(Source *source); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Source, source_free)

/* "maildir:/srv/joe": under this and the path of a folder what was imported is remembered. */
const char *source_name(const Source *source);
/* The name of one folder: that, a space, and its path, printable. g_free. */
char *source_folder_name(const Source *source, const TransferFolder *folder) G_GNUC_WARN_UNUSED_RESULT;
/* Folders in order, GPtrArray of TransferFolder. What was passed over is told by warn(). */
typedef void (*TransferWarn)(const char *text, gpointer data);
gboolean source_list(Source *source, GPtrArray **ret, TransferWarn warn, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean source_open(Source *source, TransferFolder *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* known: keys that are in already (borrowed until the next open); they are passed over. */
gboolean source_choose(Source *source, TransferFolder *folder, GHashTable *known, GError **error) G_GNUC_WARN_UNUSED_RESULT;
SourceStep source_next(Source *source, TransferMessage *ret, char **ret_why, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Octets of that message; 0 at its end, -1: it can't be read. */
gssize source_read(Source *source, void *buffer, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Targets ------------------------------------------------------------------------------------------------------------ */

typedef struct Target Target;

/* A directory that is empty, missing, or an earlier export of ours, which is gone on with. */
Target *target_maildir(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
Target *target_mbox(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Where a mailbox of ours goes, from that directory; no two go to the same place. g_free. */
char *target_path(Target *target, const char *name) G_GNUC_WARN_UNUSED_RESULT;
void target_free(Target *target); /* NULL is fine. What was not finished is gone on with next time. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Target, target_free)

/* Begin a folder. *ret_first: messages below this UID are in already. */
gboolean target_open(Target *target, const TransferFolder *folder, guint32 *ret_first, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A message with UID and received; then its octets; then its end. One that was begun and not ended is dropped by the next. */
gboolean target_begin(Target *target, const TransferMessage *message, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean target_write(Target *target, Span octets, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean target_end(Target *target, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Everything of the folder is on disk. */
gboolean target_close(Target *target, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* All folders are there: what says of them what file names can't. folders: of TransferFolder. */
gboolean target_finish(Target *target, const GPtrArray *folders, GError **error) G_GNUC_WARN_UNUSED_RESULT;

TransferFolder *transfer_folder_new(const char *name, const char *path) G_GNUC_WARN_UNUSED_RESULT;
void transfer_folder_free(TransferFolder *folder); /* NULL is fine */

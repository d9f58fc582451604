/* internal.h -- what the files of transfer/ share. Private to the room.
 *
 *      name.c           names of folders: from bytes of any origin to names we can have
 *      lines.c          LF into CRLF, in pieces
 *      manifest.c       restante.json: what an export says of its folders
 *      file.c           files of a foreign directory, safely
 *      maildir_name.c   file names and folder names of maildirs
 *      uidlist.c        dovecot-uidlist, dovecot-keywords, subscriptions
 *      mbox_meta.c      From_ lines and the fields in which programs keep flags
 *      mbox_cursor.c    a file line by line
 *      mbox_index.c     where messages of an mbox file begin and end
 */
#pragma once

#include "base/arena.h"
#include "base/scan.h"
#include "store/view.h"
#include "transfer/transfer.h"

#include <sys/stat.h>

/* Sources and targets are tables of functions ------------------------------------------------------------------------- */

typedef struct SourceClass {
        gboolean (*list)(Source *source, GPtrArray *folders, TransferWarn warn, gpointer data, GError **error);
        gboolean (*open)(Source *source, TransferFolder *folder, GError **error);
        gboolean (*choose)(Source *source, TransferFolder *folder, GHashTable *known, GError **error);
        SourceStep (*next)(Source *source, TransferMessage *ret, char **ret_why, GError **error);
        gssize (*read)(Source *source, void *buffer, gsize len, GError **error);
        void (*free)(Source *source);
} SourceClass;
struct Source {
        const SourceClass *class;
        char *name;
};

typedef struct TargetClass {
        char *(*path)(Target *target, const char *name);
        gboolean (*open)(Target *target, const TransferFolder *folder, guint32 *ret_first, GError **error);
        gboolean (*begin)(Target *target, const TransferMessage *message, GError **error);
        gboolean (*write)(Target *target, Span octets, GError **error);
        gboolean (*end)(Target *target, GError **error);
        gboolean (*close)(Target *target, GError **error);
        gboolean (*finish)(Target *target, const GPtrArray *folders, GError **error);
        void (*free)(Target *target);
} TargetClass;
struct Target {
        const TargetClass *class;
};
/* The directory of an export, made when it is missing and marked as such; -1: it is something else, or can't be had. */
int target_directory(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* name.c ------------------------------------------------------------------------------------------------------------- */

/* One level of a folder's name, of octets that are modified UTF-7, UTF-8 or neither: controls, '/' and a first '~', '%' or '*' become '_', at most 255 octets. g_free. */
char *name_level(Span octets) G_GNUC_WARN_UNUSED_RESULT;
/* Levels put together: "inbox" first is INBOX. g_free. */
char *name_join(const GPtrArray *levels) G_GNUC_WARN_UNUSED_RESULT;
/* A keyword IMAP can name (RFC 9051 §9: an atom): other octets become '_'. Empty: none. g_free. */
char *name_keyword(Span octets) G_GNUC_WARN_UNUSED_RESULT;
/* Octets that are no printable ASCII, and '%', as %XX: a key. g_free. */
char *name_key(Span octets) G_GNUC_WARN_UNUSED_RESULT;

/* lines.c ------------------------------------------------------------------------------------------------------------ */

typedef struct Lines {
        gboolean is_decided, is_as_is, was_cr;
} Lines;
/* Some octets of a message, with bare LFs made CRLF unless its first line ended with CRLF, to the end of `out`. */
void lines_feed(Lines *lines, Span octets, GByteArray *out);

/* manifest.c --------------------------------------------------------------------------------------------------------- */

#define MANIFEST_NAME "restante.json"
#define MANIFEST_OCTETS_MAX ((gsize) 64 * 1024 * 1024)
/* path -> TransferFolder; empty when the text is none of ours. g_hash_table_unref. */
GHashTable *manifest_parse(Span text) G_GNUC_WARN_UNUSED_RESULT;
char *manifest_text(const GPtrArray *folders) G_GNUC_WARN_UNUSED_RESULT;

/* file.c ------------------------------------------------------------------------------------------------------------- */

/* A directory, or -1; not through a link (unless it is the first one, dir AT_FDCWD). */
int file_open_dir(int dir, const char *name) G_GNUC_WARN_UNUSED_RESULT;
/* The same by several levels, "a/b", none of them through a link; "" is dir itself. */
int file_open_path(int dir, const char *path) G_GNUC_WARN_UNUSED_RESULT;
/* A regular file for reading, or -1 with errno (ELOOP: a link; ENXIO: no regular file). */
int file_open(int dir, const char *name, struct stat *ret) G_GNUC_WARN_UNUSED_RESULT;
/* All of a small file; FALSE: it is not there, is none, or is over max. g_byte_array_unref. */
gboolean file_load(int dir, const char *name, gsize max, GByteArray **ret) G_GNUC_WARN_UNUSED_RESULT;
/* Written beside it, synced, renamed over it. */
gboolean file_save(int dir, const char *name, Span octets, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean file_write_all(int fd, Span octets) G_GNUC_WARN_UNUSED_RESULT; /* errno */
/* Names in a directory but "." and "..", sorted, at most `max`; NULL: it can't be read. g_ptr_array_unref. */
GPtrArray *file_names(int dir, gsize max, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* maildir_name.c ----------------------------------------------------------------------------------------------------- */

#define MAILDIR_LETTERS 26
#define MAILDIR_EXTRA_KEYWORDS "restante-keywords" /* of our exports: keywords beyond those with letters */
typedef struct MaildirName {
        Span base;              /* up to the info */
        guint64 flags;          /* FLAG_SYSTEM bits */
        gboolean is_forwarded;  /* P */
        guint32 letters;        /* bit 0: a, keyword 0 of dovecot-keywords */
        gboolean is_as_is;      /* an export of ours says that line ends must not be touched */
} MaildirName;
void maildir_name_parse(Span file_name, MaildirName *ret);
/* "v1\2e2" -> "v1.2", in the buffer, which has room for as many octets. */
Span maildir_unescape(Span level, guint8 *buffer);
/* The levels of ".Work.2026" or of one path component; GPtrArray of char *. */
GPtrArray *maildir_levels(Span directory) G_GNUC_WARN_UNUSED_RESULT;
/* The Maildir++ directory of one of our names: ".Work.2026"; "" for INBOX; NULL: too long. g_free. */
char *maildir_directory(const char *name) G_GNUC_WARN_UNUSED_RESULT;

/* uidlist.c ---------------------------------------------------------------------------------------------------------- */

#define UIDLIST_OCTETS_MAX ((gsize) 1 << 30)
#define KEYWORDS_OCTETS_MAX ((gsize) 64 * 1024)
typedef struct UidList {
        guint32 uid_validity, uid_next; /* 0: the file is none, or too damaged to be trusted */
        GHashTable *uids;               /* base -> uid */
} UidList;
void uidlist_parse(Span text, UidList *ret);
void uidlist_done(UidList *list);
/* keywords[i]: of letter 'a' + i, or NULL. */
typedef struct LetterNames {
        char *at[MAILDIR_LETTERS];
} LetterNames;
void letters_parse(Span text, LetterNames *ret);
void letters_done(LetterNames *names);
/* "BASE KEYWORD KEYWORD" a line: base -> keywords. g_hash_table_unref. */
GHashTable *extra_parse(Span text) G_GNUC_WARN_UNUSED_RESULT;
/* Names of folders that are subscribed, as written: separators '.', '/' or (version 2) tabs become '/'. g_hash_table_unref. */
GHashTable *subscriptions_parse(Span text, char separator) G_GNUC_WARN_UNUSED_RESULT;

/* mbox_meta.c -------------------------------------------------------------------------------------------------------- */

#define MBOX_HEADER_MAX (1024 * 1024)
/* "From joe@ex.org Sat Jan 31 12:34:56 2026", with or without a zone; *ret_date 0: it has none. */
gboolean mbox_from_line(Span line, Usec *ret_date);
typedef struct MboxMeta {
        guint64 flags;
        GPtrArray *keywords;            /* of char * */
        guint32 uid;
        guint32 uid_validity, uid_next; /* X-IMAP, X-IMAPbase */
        Usec date;                      /* of the field Date; 0: none */
        gint64 content_length;          /* -1: none */
        gint64 octets;                  /* of an export of ours: of the message; -1: none */
        gboolean is_as_is;              /* ... its line ends must not be touched */
        gboolean is_expunged;           /* Thunderbird: deleted, and not compacted yet */
        gboolean is_internal;           /* the message in which others keep data of the folder */
} MboxMeta;
/* header: with its line ends, without the empty line. The fields of other programs are left out of what is put behind `out` (or NULL). */
void mbox_meta_parse(Span header, MboxMeta *ret, GByteArray *out);
void mbox_meta_done(MboxMeta *meta);
/* Files beside mbox files that are none, by their names. */
gboolean mbox_is_passed_over(const char *name) G_GNUC_PURE;
/* Lines that begin with any number of '>' and "From ". */
gboolean mbox_is_quoted(Span line) G_GNUC_PURE;

/* mbox_cursor.c ------------------------------------------------------------------------------------------------------ */

/* Octets at a place: as pread(). */
typedef gssize (*MboxRead)(guint64 offset, void *buffer, gsize len, gpointer data);
typedef struct MboxCursor {
        MboxRead read;
        gpointer data;
        guint8 *buffer;
        guint64 offset; /* of buffer[0] in the file */
        gsize at, len;
        gboolean has_failed;
} MboxCursor;
void mbox_cursor_init(MboxCursor *cursor, MboxRead read, gpointer data);
void mbox_cursor_done(MboxCursor *cursor);
guint64 mbox_cursor_place(const MboxCursor *cursor);
void mbox_cursor_seek(MboxCursor *cursor, guint64 offset);
/* A line with its end, which lives until the next call. One over 256 KiB comes in pieces; *ret_is_whole FALSE: more of it follows. FALSE: the end. */
gboolean mbox_cursor_line(MboxCursor *cursor, Span *ret, gboolean *ret_is_whole) G_GNUC_WARN_UNUSED_RESULT;
/* Whatever comes next, at most `max`. */
gboolean mbox_cursor_some(MboxCursor *cursor, guint64 max, Span *ret) G_GNUC_WARN_UNUSED_RESULT;
gboolean mbox_is_empty_line(Span line) G_GNUC_PURE;

/* mbox_index.c ------------------------------------------------------------------------------------------------------- */

typedef struct MboxEntry {
        guint64 from;           /* of its From_ line                                             */
        guint64 header;         /* behind the From_ line                                         */
        guint64 header_end;     /* before the empty line                                         */
        guint64 body;           /* behind the empty line, or the end of the message              */
        guint64 end;            /* without the empty line before the next From_                  */
        gboolean is_unquoted;   /* its length was told and it has a bare From_ line: mboxcl2     */
        char key[48];
} MboxEntry;
#define MBOX_LINE_MAX 8192 /* longer lines are no From_ lines, and no fields of ours */
/* Where messages are; GArray of MboxEntry. FALSE: it can't be read, or it doesn't begin like an mbox. */
gboolean mbox_index(MboxRead read, gpointer data, GArray **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

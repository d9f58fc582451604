/* imap.h -- IMAP4rev2 and IMAP4rev1, the server's side: a door over the store.
 *
 * What is advertised works; each extension is a row of IMAP_CAPABILITIES and can be switched off for everybody, for clients by their ID and for accounts
 * (settings `imap.off`). Off means as if it had never been written: it is not shown; its commands, arguments, items and keys are BAD; its response codes and
 * untagged additions are not told; an account's rights and limits hold all the same.
 *   - It is off with IMAP4rev2 too, which has many of them in its base: the point is to hide what a client handles badly. What ENABLE IMAP4rev2 itself changes
 *     (ESEARCH for SEARCH, names in UTF-8, LIST at SELECT) belongs to the row IMAP4rev2.
 *   - What stands on another one goes with it (QRESYNC with CONDSTORE, ESORT with SORT).
 *   - IMAP4rev1 off: the session begins as IMAP4rev2, without ENABLE, and does not know LSUB, CHECK, RFC822, RECENT. One of the two always stays.
 *   - MESSAGELIMIT off: no limit. I18NLEVEL=1 off: comparing is as before, which RFC 3501 allows. LOGINDISABLED is no extension and stays.
 *   - The rules are applied at the greeting, after ID and after login. What a client has enabled before stays on: nothing could take it back (RFC 5161 §3.1).
 *
 * A session is parked wherever it waits for its client: between commands, in a literal, in IDLE, in AUTHENTICATE, and when 64 KiB of
 * its output wait for a slow reader (FETCH, LIST, SEARCH... keep a position).
 *
 * Threads  doors never change after imap_door_new().
 * Memory   a parked session: under 2 KiB beside the stream, and with COMPRESS what net/stream.h says of it; a mailbox that is selected is a shared view (store/view.h). A command has at most 64 KiB before
 *          login, 1 MiB after; literals of APPEND go to the blob writer.
 * RFC      9051, 3501 and those in IMAP_CAPABILITIES; doc/rfc.md.
 */
#pragma once

#include "auth/auth.h"
#include "base/log.h"
#include "net/service.h"
#include "store/store.h"

typedef struct ImapDoorSettings {
        const char *hostname;
        TlsContext *tls;         /* for STARTTLS; NULL: not offered          */
        guint64 max_size;        /* APPENDLIMIT: octets of one message       */
        guint message_limit;     /* MESSAGELIMIT: messages of one command, 0: none */
        const char *const *off;  /* rules "CAPABILITY client=NAME/VERSION-GLOB" or "CAPABILITY account=ADDRESS" (globs), or without a condition; NULL-terminated or NULL */
} ImapDoorSettings;
/* Rules of `off`. FALSE: the error says what would be right. */
gboolean imap_check_off(const char *const *rules, GError **error) G_GNUC_WARN_UNUSED_RESULT;
typedef struct ImapDoor ImapDoor;
ImapDoor *imap_door_new(const ImapDoorSettings *settings, Store *store, Auth *auth, Directory *directory) G_GNUC_WARN_UNUSED_RESULT;
void imap_door_free(ImapDoor *door);
extern const Protocol IMAP_PROTOCOL;

/* Tables with their manual inside. */
typedef struct ImapCapability {
        const char *name;
        const char *rfc;
        const char *manual;
} ImapCapability;
const ImapCapability *imap_capability(gsize i); /* from 0; NULL behind the last */
typedef struct ImapCommandRow {
        const char *word, *form, *rfc, *manual;
} ImapCommandRow;
gboolean imap_command(gsize i, ImapCommandRow *ret); /* from 0; FALSE behind the last */
extern const LogEvent IMAP_EVENTS[];         /* ends with a row whose name is NULL */

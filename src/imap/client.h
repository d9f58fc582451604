/* client.h -- the IMAP client: reading the mail of another server. It changes nothing there: mailboxes are opened with EXAMINE and bodies are peeked at.
 *
 *      imap_client_connect -> imap_client_login -> imap_client_list -> for each: imap_client_examine -> imap_client_headlines ->
 *      imap_client_send_fetch (two may be outstanding) -> imap_client_next, imap_client_read until 0 ... until IMAP_CLIENT_END
 *
 * The server is an enemy: a response has at most 64 KiB besides the octets of messages, which are streamed; 16 literals; lists are bounded; every wait has its
 * deadline, and what can't be understood ends the connection.
 *
 * Threads  a client belongs to one thread and waits.
 * Memory   what it answers lives until the next call; 64 KiB and the lists it gives.
 * RFC      3501, 9051; 2177 is not used; 2342 (NAMESPACE), 4959 (SASL-IR), 4616 (PLAIN), 5258 (LIST-EXTENDED), 6154 (SPECIAL-USE).
 */
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/span.h"
#include "net/tls.h"

typedef struct ImapClient ImapClient;

typedef enum ImapClientTls {
        IMAP_CLIENT_TLS_NONE = 0,
        IMAP_CLIENT_TLS_STARTTLS,       /* required; never without */
        IMAP_CLIENT_TLS_IMPLICIT,
} ImapClientTls;

typedef enum ImapClientAnswer {
        IMAP_CLIENT_FAILED = 0,         /* connection, TLS or protocol broken: close                          */
        IMAP_CLIENT_OK,
        IMAP_CLIENT_REFUSED,            /* NO or BAD: the error has the server's words                         */
        IMAP_CLIENT_AUTH_FAILED,        /* NO to a password: stop, do not hammer                               */
        IMAP_CLIENT_END,                /* imap_client_next(): the oldest FETCH is over                        */
} ImapClientAnswer;

typedef struct ImapClientSettings {
        const char *host;
        guint16 port;
        ImapClientTls tls;
        TlsContext *tls_context;        /* NULL only without TLS */
        Usec timeout;                   /* of one wait; 0: 60 s  */
} ImapClientSettings;

/* Connect, greet, TLS, CAPABILITY. Anything but OK: the error says in words why. */
ImapClientAnswer imap_client_connect(const ImapClientSettings *settings, ImapClient **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void imap_client_free(ImapClient *client);      /* says LOGOUT and closes; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapClient, imap_client_free)
/* AUTHENTICATE PLAIN where it is offered, else LOGIN unless it is disabled. */
ImapClientAnswer imap_client_login(ImapClient *client, const char *user, const char *password, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Mailboxes -------------------------------------------------------------------------------------------------------- */

#define IMAP_CLIENT_MAILBOXES_MAX 10000
typedef struct ImapClientMailbox {
        char *name;                     /* as the server writes it                                    */
        guint8 delimiter;               /* of levels; 0: it has none                                  */
        gsize prefix;                   /* octets of `name` that are the personal namespace's prefix  */
        guint special_use;              /* SpecialUse bits (store/mailbox.h)                          */
        gboolean is_selectable, is_subscribed;
} ImapClientMailbox;
void imap_client_mailbox_free(ImapClientMailbox *mailbox);
/* One's own, without those of other users and shared ones: GPtrArray of ImapClientMailbox. */
ImapClientAnswer imap_client_list(ImapClient *client, GPtrArray **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct ImapClientStatus {
        guint32 messages, uid_validity, uid_next;       /* 0: not told */
} ImapClientStatus;
ImapClientAnswer imap_client_examine(ImapClient *client, const char *name, ImapClientStatus *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Messages --------------------------------------------------------------------------------------------------------- */

#define IMAP_CLIENT_MESSAGES_MAX 20000000
/* What is known of a message without its octets. */
typedef struct ImapHeadline {
        guint32 uid;
        guint64 flags;                  /* EntryFlag bits                                   */
        const char *keywords;           /* as sent, a space between two; the client's       */
        Usec received;                  /* INTERNALDATE; 0: not told                        */
        guint64 size;                   /* RFC822.SIZE; may lie                             */
} ImapHeadline;
/* Of all messages, rising by UID: GArray of ImapHeadline. */
ImapClientAnswer imap_client_headlines(ImapClient *client, GArray **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ask for messages, "1:5,9": at most 8,000 octets. Only writes. */
void imap_client_send_fetch(ImapClient *client, const char *uids);
/* The next message of the oldest FETCH: its UID, and octets as announced. What was not read of the one before is passed over. IMAP_CLIENT_END: all have come;
 * those that are gone from there were left out. IMAP_CLIENT_REFUSED: the server does not go on with this FETCH. */
ImapClientAnswer imap_client_next(ImapClient *client, guint32 *ret_uid, guint64 *ret_octets, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Octets of it; 0 at its end, -1: the connection is broken. */
gssize imap_client_read(ImapClient *client, void *buffer, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

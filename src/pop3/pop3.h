/* pop3.h -- POP3, both sides: the server session over a maildrop, and the client that fetch uses.
 *
 * Server: USER/PASS, AUTH (auth/exchange.h), STLS, CAPA, UIDL, TOP, PIPELINING, RESP-CODES, AUTH-RESP-CODE, UTF8, EXPIRE NEVER, IMPLEMENTATION.
 * Messages leave only at QUIT (UPDATE state); one session per maildrop. Output streams at the reader's pace, with a position.
 * A dot after any line feed is stuffed, bare or not, so that no message can end its own transfer in a lenient client.
 *
 * Threads  doors never change after pop3_door_new(); a client belongs to one thread and waits.
 * RFC      1939, 2449 (CAPA), 2595 (STLS), 5034 (AUTH), 3206 (AUTH-RESP-CODE), 6856 (UTF8).
 */
#pragma once

#include "auth/auth.h"
#include "base/log.h"
#include "net/service.h"
#include "store/store.h"

typedef struct Pop3DoorSettings {
        const char *hostname;
        TlsContext *tls;                /* for STLS; NULL: not offered */
} Pop3DoorSettings;
typedef struct Pop3Door Pop3Door;
Pop3Door *pop3_door_new(const Pop3DoorSettings *settings, Store *store, Auth *auth) G_GNUC_WARN_UNUSED_RESULT;
void pop3_door_free(Pop3Door *door);
extern const Protocol POP3_PROTOCOL;

/* Tables with their manual inside. The events end with a row whose name is NULL. */
typedef struct Pop3CommandRow {
        const char *word, *form, *manual;
} Pop3CommandRow;
extern const LogEvent POP3_EVENTS[];
const Pop3CommandRow *pop3_command(gsize i);       /* from 0; NULL behind the last */

/* Client ------------------------------------------------------------------------------------------------------------- */

typedef struct Pop3Client Pop3Client;

typedef enum Pop3Tls {
        POP3_TLS_NONE = 0,
        POP3_TLS_STARTTLS,      /* STLS required; never without */
        POP3_TLS_IMPLICIT,
} Pop3Tls;

typedef enum Pop3Answer {
        POP3_FAILED = 0,        /* connection, TLS or protocol broken: the error says how; close */
        POP3_OK,
        POP3_REFUSED,           /* -ERR: pop3_client_reply() */
        POP3_NOT_OFFERED,       /* the server lacks the command */
        POP3_AUTH_FAILED,       /* -ERR [AUTH] or plain -ERR to a password: stop, do not hammer */
        POP3_BUSY,              /* [IN-USE], [LOGIN-DELAY], [SYS/TEMP]: later */
} Pop3Answer;

typedef struct Pop3ClientSettings {
        const char *host;
        guint16 port;
        Pop3Tls tls;
        TlsContext *tls_context;        /* NULL only with POP3_TLS_NONE */
        gboolean allow_private;
        Usec command_timeout;           /* of one reply; default 60 s  */
} Pop3ClientSettings;

/* Connect, greet, TLS, CAPA. The server is an enemy: lines of at most 2 KiB, UIDLs of 70 characters, multi-line replies bounded.
 * Anything but POP3_OK: the error says in words why (and the server's reply). */
Pop3Answer pop3_client_connect(const Pop3ClientSettings *settings, Pop3Client **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pop3_client_free(Pop3Client *client);      /* closes; QUIT is the caller's. NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pop3Client, pop3_client_free)
/* From another thread, before pop3_client_free(): whatever it waits for fails now. */
void pop3_client_interrupt(Pop3Client *client);
const char *pop3_client_reply(const Pop3Client *client);        /* text of the last -ERR, escaped; "" after +OK */
gboolean pop3_client_has_pipelining(const Pop3Client *client);

Pop3Answer pop3_client_login(Pop3Client *client, const char *user, const char *password, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct Pop3Message {
        guint32 number;         /* the server's */
        guint64 size;           /* LIST; may lie */
        char uidl[72];          /* "" when the server gave none */
} Pop3Message;
/* LIST and UIDL together, at most a million. g_free(*ret). UIDL not offered: POP3_OK with empty uidls. */
Pop3Answer pop3_client_list(Pop3Client *client, Pop3Message **ret, guint32 *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Transfers. pop3_client_send_* only writes (pipelining: up to 256 may be outstanding; otherwise one), the *_read part takes the replies in
 * the same order. */
void pop3_client_send_retr(Pop3Client *client, guint32 number);
void pop3_client_send_top(Pop3Client *client, guint32 number, guint lines);
void pop3_client_send_dele(Pop3Client *client, guint32 number);
/* What was sent goes out now, not with the next read: the server works while we do something else. */
void pop3_client_flush(Pop3Client *client);
/* Reads one multi-line reply, which ends at CRLF.CRLF only; sink() gets the octets with dot-stuffing undone and CRLF line ends, in pieces;
 * FALSE from sink makes the rest be read and dropped. *ret_octets: of the message in that form. max_octets: beyond it POP3_FAILED. */
typedef gboolean (*Pop3Sink)(Span octets, gpointer data);
Pop3Answer pop3_client_read_message(Pop3Client *client, guint64 max_octets, Pop3Sink sink, gpointer data, guint64 *ret_octets,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
Pop3Answer pop3_client_read_dele(Pop3Client *client, GError **error) G_GNUC_WARN_UNUSED_RESULT;
Pop3Answer pop3_client_quit(Pop3Client *client, GError **error) G_GNUC_WARN_UNUSED_RESULT;

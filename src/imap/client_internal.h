/* client_internal.h -- what the files of the IMAP client share. Private to the room. */
#pragma once

#include "imap/client.h"
#include "imap/internal.h"
#include "net/stream.h"

#define CLIENT_FETCHES_MAX 2 /* outstanding */
#define CLIENT_WORDS_MAX   200

typedef enum ClientCap {
        CLIENT_CAP_STARTTLS = 1 << 0,
        CLIENT_CAP_LOGINDISABLED = 1 << 1,
        CLIENT_CAP_AUTH_PLAIN = 1 << 2,
        CLIENT_CAP_SASL_IR = 1 << 3,
        CLIENT_CAP_NAMESPACE = 1 << 4,
        CLIENT_CAP_LIST_EXTENDED = 1 << 5,
        CLIENT_CAP_SPECIAL_USE = 1 << 6,
} ClientCap;

struct ImapClient {
        Stream *stream;
        Usec timeout, began;            /* of the response */
        guint64 heard;                  /* octets of it */
        guint caps;                     /* ClientCap */
        guint32 tag;                    /* of the last command */
        GByteArray *response;           /* without its last line end; literals in their places */
        Arena *arena;                   /* of what is read from it */
        char words[CLIENT_WORDS_MAX + 4];       /* the server's last NO, BAD or BYE, escaped */
        GHashTable *keyword_sets;
        GArray *numbers;                /* guint32: UID of each sequence number, as headlines came; until something was expunged */
        gboolean has_moved;
        guint32 messages;               /* of the mailbox */
        guint32 fetches[CLIENT_FETCHES_MAX];    /* tags, the oldest first */
        guint n_fetches;
        gboolean in_literal;            /* octets of a message come next */
        guint64 left;                   /* of it */
        GByteArray *quoted;             /* a body that came as a quoted string */
        gsize quoted_used;
};

typedef enum ClientResponse {
        CLIENT_BROKEN = 0,
        CLIENT_UNTAGGED,
        CLIENT_TAGGED,
        CLIENT_CONTINUE,
        CLIENT_BODY,                    /* untagged, up to the octets of "BODY[] {n}", which come next: in_literal, left */
} ClientResponse;

/* For tests and fuzzing: a connection that has been opened. */
ImapClient *imap_client_take_stream(Stream *stream, Usec timeout) G_GNUC_WARN_UNUSED_RESULT;
/* The greeting, and CAPABILITY. */
ImapClientAnswer imap_client_greet(ImapClient *client, const ImapClientSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* FALSE; nothing goes on after it. */
gboolean client_fail(ImapClient *client, GError **error, const char *what);
/* ret: behind "* " or the tag and a space; lives until the next call. */
ClientResponse client_response(ImapClient *client, gboolean wants_body, Scan *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* More of a response, behind a body. */
gboolean client_rest(ImapClient *client, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean client_more(ImapClient *client, Span *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* octets that have come, at least one */
/* "OK", "NO", "BAD" of a tagged answer; what is refused is kept in words. */
ImapClientAnswer client_status(ImapClient *client, Scan *s, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A new tag: writes "A7 ". */
void client_begin(ImapClient *client);
/* Until the answer of the last command; each untagged response goes to fn(). FALSE from fn: it is not understood. */
typedef gboolean (*ClientUntagged)(ImapClient *client, Scan *s, gpointer data);
ImapClientAnswer client_wait(ImapClient *client, ClientUntagged fn, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A BYE, said in words: TRUE. */
gboolean client_is_bye(ImapClient *client, Scan s, GError **error);
ImapArgs client_args(ImapClient *client, Scan s);

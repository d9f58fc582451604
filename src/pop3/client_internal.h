/* client_internal.h -- private to the client side of pop3. */
#pragma once

#include "net/stream.h"
#include "pop3/pop3.h"

/* What CAPA said (RFC 2449). */
typedef enum Pop3Cap {
        POP3_CAP_KNOWN = 1 << 0, /* CAPA was answered at all */
        POP3_CAP_USER = 1 << 1,
        POP3_CAP_UIDL = 1 << 2,
        POP3_CAP_STLS = 1 << 3,
        POP3_CAP_PIPELINING = 1 << 4,
        POP3_CAP_SASL_PLAIN = 1 << 5,
} Pop3Cap;

#define POP3_REPLY_SHOWN_MAX 256

struct Pop3Client {
        Stream *stream;
        Usec timeout;
        Usec reply_began;     /* monotonic                       */
        guint64 reply_octets; /* received of the present reply   */
        guint caps;           /* Pop3Cap                         */
        char reply[POP3_REPLY_SHOWN_MAX * 4 + 4];
};

/* Over a stream that is connected; for tests and fuzzing. */
Pop3Client *pop3_client_take_stream(Stream *stream, Usec timeout) G_GNUC_WARN_UNUSED_RESULT;

/* A fault that ends the connection: *error says what, with the reason of the stream if it has one. */
Pop3Answer pop3_client_fail(Pop3Client *client, GError **error, const char *what);
/* A reply begins: its time starts. */
void pop3_client_begin_reply(Pop3Client *client);
/* The deadline of the next read: progress within the timeout, and over the whole reply a minimum rate. */
void pop3_client_set_deadline(Pop3Client *client);
/* One line without its end. */
gboolean pop3_client_line(Pop3Client *client, Span *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The status line of a reply. */
Pop3Answer pop3_client_status(Pop3Client *client, GError **error) G_GNUC_WARN_UNUSED_RESULT;

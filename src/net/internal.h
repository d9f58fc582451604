/* internal.h -- what stream, TLS and service know of each other; nobody outside net/ includes it. */
#pragma once

#include "net/address.h"
#include "net/stream.h"

#include <openssl/ssl.h>

#define STREAM_BUFFER_OCTETS    ((gsize) 64 * 1024)             /* input at most; output counts as full from here on  */
#define STREAM_OUTPUT_MAX       ((gsize) 1024 * 1024)           /* output that nobody drains: past this it is our bug */
#define STREAM_HANDSHAKE        (30 * USEC_PER_SEC)

/* A run of octets in memory taken on demand. Invariant: start <= end <= size; data NULL means size 0. */
typedef struct Buffer {
        guint8 *data;
        gsize start, end, size;
} Buffer;

typedef enum TlsPhase {
        TLS_NONE = 0,
        TLS_HANDSHAKE,
        TLS_UP,
} TlsPhase;

typedef struct Zip Zip;                 /* compress.c */

struct Stream {
        int fd;
        guint is_waiting : 1;           /* ours: calls wait instead of answering AGAIN                                */
        guint is_failed : 1;
        guint has_ended : 1;            /* the peer has closed                                                        */
        guint is_short : 1;             /* the last read took all there was: the next would only say EAGAIN           */
        guint is_starved : 1;           /* the last fill found nothing                                                */
        guint phase : 2;                /* TlsPhase                                                                   */
        gint16 read_wants, write_wants; /* poll events the next read and write need                                   */
        guint32 skipped;                /* octets of a too long line passed over so far, 0: not in one                */
        guint32 searched;               /* octets of `in` known to hold no line end                                   */
        const char *reason;
        Buffer in, out;
        guint64 octets_in;              /* ever received                                                              */
        guint64 octets_moved;           /* ever consumed or written: tells whether run() did anything                 */
        Usec deadline;                  /* of waiting calls                                                           */
        Usec handshake_until;
        SSL *ssl;
        Zip *zip;                       /* NULL: never compressed                                                     */
};

struct TlsContext {
        gint references;
        SSL_CTX *ctx;
        gboolean is_client;
        gboolean is_verifying;
        gint64 not_after;
};

/* For service.c: ------------------------------------------------------------------------------------------------ */

/* Before a session's turn: whatever was known about the socket may have changed. */
void stream_resume(Stream *stream);
/* Give back buffers that hold nothing and shrink those that hold little. */
void stream_rest(Stream *stream);
/* The poll events to wait for. */
short stream_wants(const Stream *stream);
/* Does output wait that could go now? (In a handshake it could not.) */
gboolean stream_has_output(const Stream *stream);
/* Is there input here, out of the sight of the reactor, that the session has not yet been told it must wait for? */
gboolean stream_has_unseen(const Stream *stream);
/* Say that nothing more will come from us and pass over what the peer still sends, so that closing does not reset the
 * connection under our last words. AGAIN: the peer has not finished, wait for input and call again; else close. */
StreamAnswer stream_linger(Stream *stream);

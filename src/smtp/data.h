/* data.h -- the octets of a message as they arrive: DATA with its dots and its end, BDAT without.
 *
 * The end of DATA is CRLF.CRLF and nothing else: a bare CR or LF never begins a line here, so no two servers can disagree
 * about where one message ends and a command begins (SMTP smuggling, CVE-2023-51764). Bare ones are counted, and made CRLF
 * when the door normalises.
 *
 * Streaming: pieces may be cut anywhere. What needs no change is handed on in runs that span many lines.
 *
 * Threads  a DataDecoder is a plain value of one thread. Memory: allocates nothing.
 * RFC      5321 §2.3.8, §4.1.1.4, §4.5.2; 3030 (BDAT).
 */
#pragma once

#include "base/span.h"

typedef enum DataState {
        DATA_LINE_START = 0,
        DATA_DOT,       /* a dot at the start of a line, kept back               */
        DATA_DOT_CR,    /* a dot and a CR, both kept back                        */
        DATA_TEXT,      /* within a line                                         */
        DATA_CR,        /* a CR within a line, at the end of a piece, kept back  */
        DATA_DONE,      /* CRLF.CRLF was seen                                    */
} DataState;

typedef struct DataDecoder {
        DataState state;
        gboolean has_dots;      /* DATA; FALSE: BDAT, where a dot is a dot       */
        gboolean normalise;     /* bare CR and LF become CRLF                    */
        gboolean has_bare;      /* the message had a bare CR or LF               */
} DataDecoder;

typedef void (*DataSink)(Span octets, gpointer data);

void data_init(DataDecoder *decoder, gboolean has_dots, gboolean normalise);

/* Decode one piece; sink() gets the message. Returns how many octets were used: all of them, or fewer when the state is
 * DATA_DONE: the rest are commands. */
gsize data_feed(DataDecoder *decoder, Span piece, DataSink sink, gpointer data) G_GNUC_WARN_UNUSED_RESULT;

/* The last chunk is over: a CR kept back is bare, and a last line without its end gets one, for every reader of
 * the message counts on it. An empty message stays empty. */
void data_finish(DataDecoder *decoder, DataSink sink, gpointer data);

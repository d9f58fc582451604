/* stream_io.h -- octets in and out of a socket, plain or through TLS; private to stream.c and stream_io.c. */
#pragma once

#include "net/internal.h"

#include <poll.h>

/* OK with at least one octet, AGAIN (never for waiting streams), CLOSED, FAILED. */
StreamAnswer io_receive(Stream *stream, guint8 *room, gsize size, gsize *ret_got) G_GNUC_WARN_UNUSED_RESULT;
StreamAnswer io_send(Stream *stream, const guint8 *data, gsize len, gsize *ret_sent) G_GNUC_WARN_UNUSED_RESULT;

/* Has the socket, or the TLS layer, something unread? */
gboolean io_has_input(Stream *stream);

/* compress.c, for a stream that stream_is_compressed(): in the place of io_receive() and of sending `out`. zip_push: FALSE when the stream
 * has failed; what the socket does not take stays. */
StreamAnswer zip_receive(Stream *stream, guint8 *room, gsize size, gsize *ret_got) G_GNUC_WARN_UNUSED_RESULT;
gboolean zip_push(Stream *stream);
void zip_rest(Stream *stream);          /* gives back what holds nothing */
void zip_drop_output(Stream *stream);
/* For any stream. */
gboolean zip_has_input(const Stream *stream);
gboolean zip_has_output(const Stream *stream);
void zip_free(Stream *stream);

/* Say goodbye where TLS has been agreed on, and close. */
void io_close(Stream *stream);

/* stream_io.h -- octets in and out of a socket, plain or through TLS; private to stream.c and stream_io.c. */
#pragma once

#include "net/internal.h"

#include <poll.h>

/* OK with at least one octet, AGAIN (never for waiting streams), CLOSED, FAILED. */
StreamAnswer io_receive(Stream *stream, guint8 *room, gsize size, gsize *ret_got) G_GNUC_WARN_UNUSED_RESULT;
StreamAnswer io_send(Stream *stream, const guint8 *data, gsize len, gsize *ret_sent) G_GNUC_WARN_UNUSED_RESULT;

/* Has the socket, or the TLS layer, something unread? */
gboolean io_has_input(Stream *stream);

/* Say goodbye where TLS has been agreed on, and close. */
void io_close(Stream *stream);

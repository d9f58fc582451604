/* wire.c -- lines and pieces over the control socket, bounded, each call with a deadline. */
#include "admin/internal.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void
wire_init(Wire *wire, int fd)
{
        wire->fd = fd;
        wire->in = g_byte_array_new();
        wire->used = 0;
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void
wire_done(Wire *wire)
{
        if (wire->in == NULL)
                return;
        text_wipe(wire->in->data, wire->in->len); /* a password may have passed */
        g_byte_array_unref(g_steal_pointer(&wire->in));
        close(wire->fd);
}

static gboolean
wire_wait(Wire *wire, short events, Usec deadline, GError **error)
{
        for (;;) {
                Usec left = deadline - clock_monotonic();
                struct pollfd p = {wire->fd, events, 0};
                int n = poll(&p, 1, (int) CLAMP(left / USEC_PER_MS + 1, 0, G_MAXINT));

                if (n > 0)
                        return TRUE;
                if (n == 0 && clock_monotonic() >= deadline)
                        return fault(error, FAULT_TIMEOUT, "no answer in time");
                if (n < 0 && errno != EINTR)
                        return fault_errno(error, "control socket");
        }
}

/* What was read ahead first, then the socket. 0: closed, -1: fault. */
gssize
wire_read(Wire *wire, void *buffer, gsize len, Usec deadline, GError **error)
{
        gsize ahead = wire->in->len - wire->used;

        if (ahead > 0) {
                gsize n = MIN(len, ahead);
                memcpy(buffer, wire->in->data + wire->used, n);
                wire->used += n;
                return (gssize) n;
        }
        for (;;) {
                ssize_t n = recv(wire->fd, buffer, len, 0);

                if (n >= 0)
                        return n;
                if (errno == EAGAIN || errno == EWOULDBLOCK) {
                        if (!wire_wait(wire, POLLIN, deadline, error))
                                return -1;
                } else if (errno != EINTR) {
                        fault_errno(error, "control socket");
                        return -1;
                }
        }
}

gboolean
wire_read_line(Wire *wire, gsize max, Usec deadline, Span *ret, GError **error)
{
        gsize looked = 0;

        if (wire->used > 0) {
                g_byte_array_remove_range(wire->in, 0, (guint) wire->used);
                wire->used = 0;
        }
        for (;;) {
                const guint8 *lf =
                        wire->in->len > looked ? memchr(wire->in->data + looked, '\n', wire->in->len - looked) : NULL;
                if (lf != NULL) {
                        *ret = span_make(wire->in->data, (gsize) (lf - wire->in->data));
                        wire->used = ret->len + 1;
                        return TRUE;
                }
                looked = wire->in->len;
                if (looked >= max)
                        return fault(error, FAULT_INPUT, "a line over %" G_GSIZE_FORMAT " octets", max);

                guint8 piece[4096];
                Span had = {wire->in->data, wire->in->len};
                wire->used = wire->in->len; /* nothing ahead: ask the socket */
                gssize n = wire_read(wire, piece, sizeof(piece), deadline, error);
                wire->used = 0;
                if (n == 0)
                        fault(error, FAULT_IO, had.len > 0 ? "closed in the middle of a line" : "closed");
                if (n <= 0)
                        return FALSE;
                g_byte_array_append(wire->in, piece, (guint) n);
                text_wipe(piece, sizeof(piece));
        }
}

gboolean
wire_write(Wire *wire, Span octets, Usec deadline, GError **error)
{
        gsize done = 0;

        while (done < octets.len) {
                ssize_t n = send(wire->fd, octets.data + done, octets.len - done, MSG_NOSIGNAL);

                if (n >= 0)
                        done += (gsize) n;
                else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                        if (!wire_wait(wire, POLLOUT, deadline, error))
                                return FALSE;
                } else if (errno != EINTR) {
                        return fault_errno(error, "control socket");
                }
        }
        return TRUE;
}

gboolean
wire_write_json(Wire *wire, json_t *take_value, Usec deadline, GError **error)
{
        char *text = json_dumps(take_value, JSON_COMPACT | JSON_REAL_PRECISION(6));

        json_decref(take_value);
        if (text == NULL)
                return fault(error, FAULT_INTERNAL, "a value could not be written as JSON");
        g_autofree char *line = g_strconcat(text, "\n", NULL);
        text_wipe(text, strlen(text));
        free(text);
        gboolean is_sent = wire_write(wire, span_of(line), deadline, error);
        text_wipe(line, strlen(line));
        return is_sent;
}

gboolean
wire_has_input(Wire *wire)
{
        struct pollfd p = {wire->fd, POLLIN, 0};

        return wire->in->len > wire->used || poll(&p, 1, 0) > 0;
}

json_t *
wire_parse(Span line, guint depth)
{
        return json_read_object(line, depth);
}

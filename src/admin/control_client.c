/* control_client.c -- the caller's side of the control socket. */
#include "admin/internal.h"
#include "base/text.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READY_PATIENCE (10 * USEC_PER_SEC) /* a site that is starting */
#define SEND_PATIENCE (60 * USEC_PER_SEC)
#define ANSWER_PATIENCE (24 * USEC_PER_HOUR) /* verify of a large site; the server's end shows as a closed socket */
#define ANSWER_DEPTH 16

static int
client_connect(const char *path, GError **error)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (strlen(path) >= sizeof(address.sun_path)) {
                fault(error, FAULT_INPUT, "%s: the path is too long for a socket", path);
                return -1;
        }
        strcpy(address.sun_path, path);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                fault_errno(error, "%s", path);
                if (fd >= 0)
                        close(fd);
                return -1;
        }
        return fd;
}

static gboolean
client_greeting(Wire *wire, GError **error)
{
        g_autoptr(GError) e = NULL;
        Span line;

        if (!wire_read_line(wire, WIRE_LINE_MAX, clock_in(READY_PATIENCE), &line, &e)) {
                if (g_error_matches(e, RESTANTE_ERROR, FAULT_TIMEOUT))
                        return fault(error, FAULT_BUSY, "the server is not ready; look at its log");
                return fault(error, FAULT_IO, "the server is stopping");
        }
        json_t *hello = wire_parse(line, ANSWER_DEPTH);
        gboolean is_ours = json_is_integer(json_object_get(hello, "restante"));
        json_decref(hello);
        return is_ours || fault(error, FAULT_INTERNAL, "what answers on the control socket is not restante");
}

static gboolean
client_request(Wire *wire, const AdminRequest *request, GError **error)
{
        char name[64];
        json_t *args = json_array();

        for (gsize i = 0; request->args[i] != NULL; i++)
                json_array_append_new(args, json_text(request->args[i]));
        json_t *line = json_pack("{s:s, s:o}", "operation", operation_name(request->operation, name, sizeof(name)),
                                 "args", args);
        if (request->password != NULL)
                json_put(line, "password", json_text(request->password));
        return wire_write_json(wire, line, clock_in(SEND_PATIENCE), error);
}

/* Standard input, piece by piece, until its end or until the server has heard enough. */
static gboolean
client_stream(Wire *wire, const AdminOutput *output, gboolean *ret_is_cut, GError **error)
{
        g_autofree guint8 *buffer = g_malloc(WIRE_PIECE_MAX);

        for (;;) {
                gssize n = output->read != NULL ? output->read(buffer, WIRE_PIECE_MAX, output->data) : 0;
                char head[24];

                if (n < 0) {
                        *ret_is_cut = TRUE;
                        return TRUE;
                }
                g_snprintf(head, sizeof(head), "%" G_GSSIZE_FORMAT "\n", n);
                if (!wire_write(wire, span_of(head), clock_in(SEND_PATIENCE), error) ||
                    !wire_write(wire, span_make(buffer, (gsize) n), clock_in(SEND_PATIENCE), error))
                        return FALSE;
                if (n == 0 || wire_has_input(wire))
                        return TRUE;
        }
}

/* What stands behind {"octets": LENGTH}. */
static gboolean
client_octets(Wire *wire, json_int_t len, const AdminOutput *output)
{
        g_autofree guint8 *piece = g_malloc(WIRE_PIECE_MAX);
        gsize done = 0;

        if (len < 0 || len > WIRE_PIECE_MAX)
                return FALSE;
        while (done < (gsize) len) {
                gssize n = wire_read(wire, piece + done, (gsize) len - done, clock_in(SEND_PATIENCE), NULL);
                if (n <= 0)
                        return FALSE;
                done += (gsize) n;
        }
        return output->octets == NULL || output->octets(span_make(piece, done), output->data);
}

/* One line of the answer. TRUE with *ret_is_last set at the end. */
static gboolean
client_answer(Wire *wire, json_t *value, const AdminOutput *output, gboolean *ret_is_last, AdminResult *ret,
              char **ret_reason)
{
        json_t *v;

        if ((v = json_object_get(value, "octets")) != NULL && json_is_integer(v)) {
                return client_octets(wire, json_integer_value(v), output);
        } else if ((v = json_object_get(value, "row")) != NULL) {
                output->row(v, output->data);
        } else if ((v = json_object_get(value, "result")) != NULL) {
                output->result(v, output->data);
        } else if ((v = json_object_get(value, "warning")) != NULL && json_is_string(v)) {
                output->warning(json_string_value(v), output->data);
        } else if ((v = json_object_get(value, "done")) != NULL && json_is_integer(v)) {
                *ret = (AdminResult) CLAMP(json_integer_value(v), ADMIN_DONE, ADMIN_USAGE);
                *ret_reason = g_strdup(json_string_value(json_object_get(value, "reason")));
                *ret_is_last = TRUE;
        } else {
                return FALSE;
        }
        return TRUE;
}

gboolean
control_call(const char *path, const AdminRequest *request, const AdminOutput *output, AdminResult *ret,
             char **ret_reason, GError **error)
{
        gboolean is_cut = FALSE, is_last = FALSE, is_sent;
        Wire wire = {0};
        int fd = client_connect(path, error);

        if (fd < 0)
                return FALSE;
        wire_init(&wire, fd);
        if (!client_greeting(&wire, error)) {
                wire_done(&wire);
                return FALSE;
        }
        /* A broken pipe here may hide a refusal that is already there to be read: look before complaining. */
        is_sent = client_request(&wire, request, NULL) &&
                  (!request->operation->wants_message || client_stream(&wire, output, &is_cut, NULL));
        if (is_cut) {
                wire_done(&wire);
                return fault(error, FAULT_INPUT, "standard input could not be read to its end");
        }
        while (!is_last) {
                Span line;

                if (!wire_read_line(&wire, 64 * WIRE_LINE_MAX, clock_in(ANSWER_PATIENCE), &line, NULL))
                        break;
                json_t *value = wire_parse(line, ANSWER_DEPTH);
                gboolean is_known = value != NULL && client_answer(&wire, value, output, &is_last, ret, ret_reason);
                json_decref(value);
                if (!is_known)
                        break;
        }
        wire_done(&wire);
        return is_last || fault(error, FAULT_INTERNAL,
                                is_sent ? "the connection to the server was lost: what was asked may be done or not"
                                        : "the request could not be sent to the server");
}

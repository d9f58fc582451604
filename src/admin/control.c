/* control.c -- the server's side of the control socket: one call a connection, one thread a call.
 *
 * Threads  one accepts; each call has its own, 32 at most and half of them for users without rights, so that nobody
 * keeps the administrator out. Lock: Control.mutex, leaf.
 */
#include "admin/internal.h"
#include "base/text.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CALLS_MAX 32
#define CALLS_MAX_EVERYONE 16
#define REQUEST_OCTETS (6 * ADMIN_ARGS_OCTETS + 64 * 1024) /* JSON may write an octet as \u0000 */
#define REQUEST_DEPTH 3
#define PEER_PATIENCE (10 * USEC_PER_SEC)
#define OUTPUT_PATIENCE (60 * USEC_PER_SEC)

typedef struct Call Call;

struct Control {
        int fd, stop_fd;
        Mutex mutex;
        const AdminRooms *rooms;
        Call *calls;
        guint n_calls, n_everyone;
        gboolean is_stopping;
        Thread *acceptor;
};

struct Call {
        Call *next;
        Control *control;
        const AdminRooms *rooms;
        Thread *thread;
        Wire wire;
        guint uid;
        gboolean is_done; /* under the mutex: may be joined */
        gboolean has_input_ended;
        gsize piece_left;
        GError *broken; /* the peer is gone: nothing more is written */
};

int
control_listen(const char *path, GError **error)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (strlen(path) >= sizeof(address.sun_path)) {
                fault(error, FAULT_INPUT, "%s: a socket's path may have at most %" G_GSIZE_FORMAT " octets", path,
                      sizeof(address.sun_path) - 1);
                return -1;
        }
        strcpy(address.sun_path, path);

        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
                fault_errno(error, "control socket");
                return -1;
        }
        struct stat st;
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0) {
                fault(error, FAULT_BUSY, "%s: a server is running here already", path);
                close(fd);
                return -1;
        }
        if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
                unlink(path);
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || chmod(path, 0666) < 0 ||
            listen(fd, 64) < 0) {
                fault_errno(error, "%s", path);
                close(fd);
                return -1;
        }
        return fd;
}

/* One call ------------------------------------------------------------------------------------------------------ */

static void
call_send(Call *call, const char *key, json_t *take_value)
{
        if (call->broken != NULL)
                json_decref(take_value);
        else
                (void) !wire_write_json(&call->wire, json_pack("{s:o}", key, take_value), clock_in(OUTPUT_PATIENCE),
                                        &call->broken);
}

static void
call_row(const json_t *row, gpointer data)
{
        call_send(data, "row", json_incref((json_t *) row));
}

static void
call_result(const json_t *object, gpointer data)
{
        call_send(data, "result", json_incref((json_t *) object));
}

static void
call_warning(const char *text, gpointer data)
{
        call_send(data, "warning", json_text(text));
}

/* Standard input of the client: pieces, each with its length before it. */
static gssize
call_read(void *buffer, gsize len, gpointer data)
{
        Call *call = data;
        guint64 octets;
        Span line;

        if (call->has_input_ended)
                return 0;
        if (call->piece_left == 0) {
                if (!wire_read_line(&call->wire, 16, clock_in(OUTPUT_PATIENCE), &line, NULL) ||
                    !span_to_number(line, WIRE_PIECE_MAX, &octets))
                        return -1;
                call->piece_left = (gsize) octets;
                if (octets == 0) {
                        call->has_input_ended = TRUE;
                        return 0;
                }
        }
        gssize n = wire_read(&call->wire, buffer, MIN(len, call->piece_left), clock_in(OUTPUT_PATIENCE), NULL);
        if (n <= 0)
                return -1; /* gone before the end: not the whole message */
        call->piece_left -= (gsize) n;
        return n;
}

static gboolean
call_octets(Span octets, gpointer data)
{
        Call *call = data;

        while (octets.len > 0 && call->broken == NULL) {
                Span piece = span_slice(octets, 0, WIRE_PIECE_MAX);

                call_send(call, "octets", json_integer((json_int_t) piece.len));
                if (call->broken == NULL)
                        (void) !wire_write(&call->wire, piece, clock_in(OUTPUT_PATIENCE), &call->broken);
                octets = span_slice(octets, piece.len, octets.len);
        }
        return call->broken == NULL;
}

static const Operation *
operation_in(const Operation *const *table, const char *name)
{
        char full[64];

        for (gsize i = 0; table[i] != NULL; i++)
                if (strcmp(operation_name(table[i], full, sizeof(full)), name) == 0)
                        return table[i];
        return NULL;
}

static const Operation *
operation_by_name(const char *name)
{
        const Operation *operation = operation_in(ADMIN_OPERATIONS, name);

        return operation != NULL ? operation : operation_in(ADMIN_TRANSFERS, name);
}

static AdminResult
call_operation(Call *call, json_t *request, char **ret_reason)
{
        const char *name = NULL, *password = NULL;
        json_t *args = NULL;

        if (request == NULL ||
            json_unpack(request, "{s:s, s:o, s?s}", "operation", &name, "args", &args, "password", &password) < 0 ||
            !json_is_array(args) || json_array_size(args) > ADMIN_ARGS_MAX) {
                *ret_reason = g_strdup("this is no request: {\"operation\": ..., \"args\": [...]}");
                return ADMIN_USAGE;
        }
        const Operation *operation = operation_by_name(name);
        if (operation == NULL) {
                *ret_reason =
                        g_strdup("there is no such operation in this server; its version may be older than yours");
                return ADMIN_USAGE;
        }

        g_autofree const char **words = g_new0(const char *, json_array_size(args) + 1);
        for (gsize i = 0; i < json_array_size(args); i++) {
                words[i] = json_string_value(json_array_get(args, i));
                if (words[i] == NULL) {
                        *ret_reason = g_strdup("an argument is no string");
                        return ADMIN_USAGE;
                }
        }
        AdminRequest r = {operation, words, password, call->uid};
        AdminOutput output = {.row = call_row,
                              .result = call_result,
                              .warning = call_warning,
                              .read = operation->wants_message ? call_read : NULL,
                              .data = call,
                              .octets = call_octets};
        call->has_input_ended = !operation->wants_message;
        AdminResult result = admin_run(call->rooms, &r, &output, ret_reason);
        if (result != ADMIN_DONE && call->uid != 0)
                log_event(&ADMIN_EVENTS[ADMIN_EVENT_REFUSED], "uid=%u operation=%s reason=%s", call->uid,
                          log_text(span_of(name)), log_text(span_of(*ret_reason)));
        return result;
}

/* What a client still sends is read and dropped for a moment, so that it finds our last line and no broken pipe. */
static void
call_swallow(Call *call)
{
        guint8 buffer[4096];
        Usec deadline = clock_in(2 * USEC_PER_SEC);

        shutdown(call->wire.fd, SHUT_WR);
        while (clock_monotonic() < deadline && wire_read(&call->wire, buffer, sizeof(buffer), deadline, NULL) > 0)
                continue;
}

static void
call_run(gpointer data)
{
        Call *call = data;
        Control *control = call->control;
        g_autofree char *reason = NULL;
        Span line;

        if (wire_write(&call->wire, span_of("{\"restante\": 1}\n"), clock_in(PEER_PATIENCE), NULL) &&
            wire_read_line(&call->wire, REQUEST_OCTETS, clock_in(PEER_PATIENCE), &line, NULL)) {
                json_t *request = wire_parse(line, REQUEST_DEPTH);
                AdminResult result = call_operation(call, request, &reason);

                json_decref(request);
                if (call->broken == NULL)
                        (void) !wire_write_json(
                                &call->wire, json_pack("{s:i, s:o}", "done", (int) result, "reason", json_text(reason)),
                                clock_in(OUTPUT_PATIENCE), NULL);
                call_swallow(call);
        }
        wire_done(&call->wire);
        g_clear_error(&call->broken);

        MUTEX_SCOPE(&control->mutex);
        call->is_done = TRUE;
}

/* The socket ---------------------------------------------------------------------------------------------------- */

static gboolean
uid_is_full(guint uid)
{
        return uid == 0 || uid == (guint) geteuid();
}

/* Join the calls that are over; all: wait for the others too. */
static void
control_reap(Control *control, gboolean all)
{
        Call *over = NULL;

        mutex_lock(&control->mutex);
        for (Call **at = &control->calls; *at != NULL;) {
                Call *call = *at;
                if (!all && !call->is_done) {
                        at = &call->next;
                        continue;
                }
                *at = call->next;
                call->next = over;
                over = call;
                control->n_calls--;
                control->n_everyone -= uid_is_full(call->uid) ? 0 : 1;
        }
        mutex_unlock(&control->mutex);
        while (over != NULL) {
                Call *call = over;
                over = call->next;
                thread_take_join(call->thread);
                g_free(call);
        }
}

static void
control_begin(Control *control, int fd)
{
        struct ucred peer = {0};
        socklen_t size = sizeof(peer);
        static const char BUSY[] =
                "{\"restante\": 1}\n{\"done\": 1, \"reason\": \"too many calls at once, try again\"}\n";

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
                close(fd);
                return;
        }
        gboolean is_full = uid_is_full((guint) peer.uid);
        if (control->n_calls >= CALLS_MAX || (!is_full && control->n_everyone >= CALLS_MAX_EVERYONE)) {
                (void) !send(fd, BUSY, sizeof(BUSY) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
                close(fd);
                return;
        }

        Call *call = g_new0(Call, 1);
        call->control = control;
        call->uid = (guint) peer.uid;
        wire_init(&call->wire, fd);
        MUTEX_SCOPE(&control->mutex);
        call->rooms = control->rooms;
        call->thread = thread_new("control call", call_run, call, NULL);
        if (call->thread == NULL) {
                wire_done(&call->wire);
                g_free(call);
                return;
        }
        call->next = control->calls;
        control->calls = call;
        control->n_calls++;
        control->n_everyone += is_full ? 0 : 1;
}

static void
control_accept(gpointer data)
{
        Control *control = data;
        struct pollfd p[2] = {{control->fd, POLLIN, 0}, {control->stop_fd, POLLIN, 0}};

        for (;;) {
                int n = poll(p, 2, control->calls != NULL ? 200 : -1); /* only this thread adds and removes calls */

                control_reap(control, FALSE);
                if (n > 0 && p[1].revents != 0)
                        return;
                if (n <= 0 || p[0].revents == 0)
                        continue;
                int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
                if (fd >= 0)
                        control_begin(control, fd);
                else if (errno == EMFILE || errno == ENFILE)
                        g_usleep(100 * USEC_PER_MS); /* no descriptors: others will be closed */
        }
}

Control *
control_take_fd(int fd, const AdminRooms *rooms, GError **error)
{
        Control *control = g_new0(Control, 1);

        control->fd = fd;
        control->rooms = rooms;
        control->stop_fd = eventfd(0, EFD_CLOEXEC);
        mutex_init(&control->mutex, "control");
        if (control->stop_fd < 0)
                fault_errno(error, "control socket");
        else
                control->acceptor = thread_new("control", control_accept, control, error);
        if (control->acceptor == NULL)
                g_clear_pointer(&control, control_free);
        return control;
}

void
control_set_rooms(Control *control, const AdminRooms *rooms)
{
        MUTEX_SCOPE(&control->mutex);
        control->rooms = rooms;
}

void
control_free(Control *control)
{
        if (control == NULL)
                return;
        if (control->acceptor != NULL) {
                (void) !write(control->stop_fd, &(guint64){1}, sizeof(guint64));
                thread_take_join(control->acceptor);
        }
        control_reap(control, TRUE);
        if (control->stop_fd >= 0)
                close(control->stop_fd);
        close(control->fd);
        mutex_done(&control->mutex);
        g_free(control);
}

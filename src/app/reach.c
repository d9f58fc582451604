/* reach.c -- the server of a site, or a process that stands in for it. */
#include "app/reach.h"
#include "app/site.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SITE_PATIENCE (10 * USEC_PER_SEC)
#define STAND_IN_SOCKET "control"

struct Reach {
        char *path; /* of the socket that answers */
        char *dir;  /* of our own process: where its socket is, or NULL */
        pid_t process;
        int life; /* closed: it ends */
};

static gboolean
is_listening(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        gboolean is_there = fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0;
        if (fd >= 0)
                close(fd);
        return is_there;
}

/* The process that stands in ----------------------------------------------------------------------------------------
 */

/* "FAULT-CODE text", or nothing when it answers. */
static void
tell(int fd, const GError *error)
{
        g_autofree char *text = g_strdup_printf("%d %s", error->code, error->message);

        (void) !write(fd, text, strlen(text));
        close(fd);
}

static Site *
open_site(const char *conf, GError **error)
{
        Settings *settings = settings_load(conf, error);

        if (settings == NULL)
                return NULL;
        if (site_become_owner(settings, error))
                return site_open(settings, error);
        settings_free(settings);
        return NULL;
}

/* Answers on `listener` until the other side closes `life`. A signal to all of a terminal's processes is for the other
 * one: what was begun is brought to an end. */
static int
stand_in(const char *conf, int listener, int ready, int life)
{
        g_autoptr(GError) error = NULL;
        Control *control = NULL;
        char octet;

        signal(SIGINT, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        Site *site = open_site(conf, &error);
        if (site != NULL) {
                if (!log_wants(LOG_DEBUG))
                        log_set_level(LOG_ERROR); /* the person is told by the answers, not by the log */
                control = control_take_fd(listener, &site->rooms->admin, &error);
        }
        if (control == NULL) {
                tell(ready, error);
        } else {
                close(ready);
                while (read(life, &octet, 1) < 0 && errno == EINTR)
                        continue;
        }
        control_free(control);
        site_close(site);
        return control != NULL ? 0 : 1;
}

/* What it says before it closes the pipe. TRUE: nothing, it answers. */
static gboolean
hear(int fd, GError **error)
{
        g_autoptr(GString) text = g_string_new(NULL);
        char piece[256];
        ssize_t n;

        while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
                g_string_append_len(text, piece, MAX(n, 0));
        if (text->len == 0)
                return TRUE;
        char *end;
        long code = strtol(text->str, &end, 10);
        return fault(error, (FaultCode) CLAMP(code, FAULT_INTERNAL, FAULT_INPUT), "%s", *end == ' ' ? end + 1 : end);
}

static void
end_process(Reach *r)
{
        if (r->life >= 0)
                close(r->life);
        r->life = -1;
        while (r->process > 0 && waitpid(r->process, NULL, 0) < 0 && errno == EINTR)
                continue;
        r->process = 0;
}

static gboolean
start_process(Reach *r, const char *conf, GError **error)
{
        int ready[2] = {-1, -1}, life[2] = {-1, -1};
        int listener = control_listen(r->path, error);

        if (listener < 0)
                return FALSE;
        if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(life, O_CLOEXEC) < 0 || (r->process = fork()) < 0) {
                r->process = 0;
                return fault_errno(error, "a process for the site");
        }
        if (r->process == 0) {
                close(ready[0]);
                close(life[1]);
                _exit(stand_in(conf, listener, ready[1], life[0]));
        }
        close(listener);
        close(ready[1]);
        close(life[0]);
        r->life = life[1];
        gboolean is_ready = hear(ready[0], error);
        close(ready[0]);
        if (!is_ready)
                end_process(r);
        return is_ready;
}

/* ---------------------------------------------------------------------------------------------------------------------
 */

/* Our own process, in a directory nobody else may enter. */
static gboolean
reach_stand_in(Reach *r, const char *conf, GError **error)
{
        if (r->dir == NULL) {
                r->dir = g_dir_make_tmp("restante-XXXXXX", error);
                if (r->dir == NULL)
                        return FALSE;
                g_free(r->path);
                r->path = g_build_filename(r->dir, STAND_IN_SOCKET, NULL);
        }
        unlink(r->path);
        return start_process(r, conf, error);
}

Reach *
reach_open(const Settings *settings, GError **error)
{
        g_autoptr(Reach) r = g_new0(Reach, 1);
        Usec deadline = clock_in(SITE_PATIENCE);

        r->life = -1;
        for (;;) {
                g_autoptr(GError) e = NULL;

                if (is_listening(settings->control)) {
                        g_free(r->path);
                        r->path = g_strdup(settings->control);
                        return g_steal_pointer(&r);
                }
                if (reach_stand_in(r, settings->path, &e))
                        return g_steal_pointer(&r);
                if (!g_error_matches(e, RESTANTE_ERROR, FAULT_BUSY) || clock_monotonic() >= deadline) {
                        if (!g_error_matches(e, RESTANTE_ERROR, FAULT_INPUT))
                                g_prefix_error(&e, "no server answers, and the site can't be opened: ");
                        g_propagate_error(error, g_steal_pointer(&e));
                        return NULL;
                }
                g_usleep(100 * USEC_PER_MS);
        }
}

gboolean
reach_call(Reach *r, const Operation *operation, const char *const *args, const AdminOutput *output, AdminResult *ret,
           char **ret_reason, GError **error)
{
        AdminRequest request = {operation, args, NULL, (guint) geteuid()};

        return control_call(r->path, &request, output, ret, ret_reason, error);
}

void
reach_close(Reach *r)
{
        if (r == NULL)
                return;
        end_process(r);
        if (r->dir != NULL) {
                unlink(r->path);
                rmdir(r->dir);
        }
        g_free(r->path);
        g_free(r->dir);
        g_free(r);
}

/* keeper.c -- binds, starts, restarts. */
#include "app/keeper.h"
#include "app/command.h"
#include "app/events.h"
#include "app/serve.h"
#include "app/site.h"
#include "net/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTART_GAP (900 * USEC_PER_MS)   /* from start to start, so that a server that dies at once does not spin */
#define STOP_PATIENCE (20 * USEC_PER_SEC) /* the server drains for 10 */

/* What is bound for one set of settings. */
typedef struct Ports {
        Listening at[LISTENING_MAX];
        guint n;
} Ports;

typedef struct Keeper {
        Settings *settings; /* in force */
        Ports ports;        /* theirs */
        Settings *asked;    /* the server has been asked to take them and has not answered; NULL: none */
        Ports asked_ports;
        int control;
        int signals;
        int channel;  /* to the server; -1: none runs */
        pid_t server; /* 0: none runs */
        Usec started;
        Usec stop_by;          /* 0: not stopping */
        gboolean was_ready;    /* once */
        gboolean is_serving;   /* the server that runs now is ready */
        gboolean wants_reload; /* asked for while the server could not answer */
} Keeper;

/* Ports --------------------------------------------------------------------------------------------------------- */

static const Listening *
ports_find(const Ports *ports, const ListenAddress *at)
{
        for (guint i = 0; i < ports->n; i++)
                if (ports->at[i].port == at->port && strcmp(ports->at[i].address, at->address) == 0)
                        return &ports->at[i];
        return NULL;
}

static gboolean
ports_have(const Ports *ports, int fd)
{
        for (guint i = 0; i < ports->n; i++)
                if (ports->at[i].fd == fd)
                        return TRUE;
        return FALSE;
}

/* Why an address could not be had, as far as it is known here. */
static const char *
listening_hint(const Ports *ours, const ListenAddress *at)
{
        if (at->port > 0 && at->port < 1024 && geteuid() != 0)
                return " (ports below 1024 are root's)";
        for (guint i = 0; at->port > 0 && i < ours->n; i++)
                if (ours->at[i].port == at->port)
                        return " (this server listens there already by another address of that port: a restart changes "
                               "it)";
        return "";
}

static gboolean
listening_bind(const Ports *ours, const Settings *settings, DoorKind door, const ListenAddress *at, Listening *ret,
               GError **error)
{
        g_autoptr(GError) e = NULL;
        g_autofree char *place = settings_place(settings, settings->doors[door].line);

        *ret = (Listening){.door = door, .port = at->port};
        g_strlcpy(ret->address, at->address, sizeof(ret->address));
        ret->fd = service_listen(at->address, at->port, &e);
        return ret->fd >= 0 || fault(error, FAULT_IO, "%s: [listen] %s: %s%s", place, DOOR_NAMES[door], e->message,
                                     listening_hint(ours, at));
}

/* Close what only `ports` has, not `others`. A socket in the file system has a name to be removed. */
static void
ports_close(const Ports *ports, const Ports *others)
{
        for (guint i = 0; i < ports->n; i++) {
                const Listening *l = &ports->at[i];

                if (ports_have(others, l->fd))
                        continue;
                close(l->fd);
                if (g_str_has_prefix(l->address, "unix:"))
                        unlink(l->address + strlen("unix:"));
        }
}

/* Descriptors for all addresses of the settings: those that are bound already, and new ones. */
static gboolean
ports_make(const Ports *ours, const Settings *settings, Ports *ret, GError **error)
{
        ret->n = 0;
        for (guint door = 0; door < DOOR_KINDS; door++)
                for (guint i = 0; i < settings->doors[door].n; i++) {
                        const ListenAddress *at = &settings->doors[door].at[i];
                        const Listening *bound = ports_find(ours, at);

                        if (bound != NULL) {
                                ret->at[ret->n] = *bound;
                                ret->at[ret->n].door = door;
                        } else if (!listening_bind(ours, settings, door, at, &ret->at[ret->n], error)) {
                                ports_close(ret, ours);
                                ret->n = 0;
                                return FALSE;
                        }
                        ret->n++;
                }
        return TRUE;
}

/* The server ---------------------------------------------------------------------------------------------------- */

static gboolean
keeper_start(Keeper *keeper, GError **error)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return fault_errno(error, "starting the server");
        keeper->started = clock_monotonic();
        keeper->is_serving = FALSE;
        keeper->server = fork();
        if (keeper->server < 0) {
                close(pair[0]);
                close(pair[1]);
                keeper->server = 0;
                return fault_errno(error, "starting the server");
        }
        if (keeper->server == 0) {
                close(pair[0]);
                close(keeper->signals);
                _exit(serve_main(keeper->settings, keeper->ports.at, keeper->ports.n, keeper->control, pair[1]));
        }
        close(pair[1]);
        keeper->channel = pair[0];
        return TRUE;
}

/* Reload -------------------------------------------------------------------------------------------------------- */

static gboolean
keeper_send(Keeper *keeper, const char *text, const Ports *ports)
{
        const guint n = ports->n;
        KeeperMessage message = {(guint32) strlen(text), n};
        union {
                struct cmsghdr header;
                char octets[CMSG_SPACE(LISTENING_MAX * sizeof(int))];
        } control = {0};
        struct iovec iov = {&message, sizeof(message)};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

        if (n > 0) {
                msg.msg_control = &control;
                msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
                struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n * sizeof(int));
                for (guint i = 0; i < n; i++)
                        memcpy(CMSG_DATA(c) + i * sizeof(int), &ports->at[i].fd, sizeof(int));
        }
        if (sendmsg(keeper->channel, &msg, MSG_NOSIGNAL) != (ssize_t) sizeof(message))
                return FALSE;
        for (gsize done = 0; done < message.text_octets;) {
                ssize_t w = send(keeper->channel, text + done, message.text_octets - done, MSG_NOSIGNAL);
                if (w <= 0)
                        return FALSE;
                done += (gsize) w;
        }
        return TRUE;
}

static void
keeper_later(const char *setting)
{
        log_event(&APP_EVENTS[EVENT_SETTINGS_LATER], "setting=%s", setting);
}

/* Settings that would also serve: certificate and key are looked at. */
static gboolean
keeper_read(const char *path, Settings **ret, GError **error)
{
        g_autoptr(Settings) settings = settings_load(path, error);
        g_autoptr(TlsContext) tls = settings != NULL ? site_tls(settings, error) : NULL;

        if (tls == NULL || !site_authorities(settings, error))
                return FALSE;
        *ret = g_steal_pointer(&settings);
        return TRUE;
}

/* The settings that were asked about are in force from here on. */
static void
keeper_applied(Keeper *keeper)
{
        if (keeper->asked == NULL)
                return;
        g_auto(GStrv) lines = settings_differences(keeper->settings, keeper->asked);
        for (gsize i = 0; lines[i] != NULL; i++)
                log_event(&APP_EVENTS[EVENT_SETTINGS_CHANGED], "change=%s", log_text(span_of(lines[i])));
        if (lines[0] == NULL)
                log_event(&APP_EVENTS[EVENT_SETTINGS_CHANGED], "change=nothing");
        ports_close(&keeper->ports, &keeper->asked_ports);
        keeper->ports = keeper->asked_ports;
        settings_free(keeper->settings);
        keeper->settings = g_steal_pointer(&keeper->asked);
        log_set_level(keeper->settings->log_level);
}

/* They are not, and the server has said why: nothing of them stays. */
static void
keeper_refused(Keeper *keeper)
{
        if (keeper->asked == NULL)
                return;
        ports_close(&keeper->asked_ports, &keeper->ports);
        g_clear_pointer(&keeper->asked, settings_free);
}

/* Ask the server, whose answer comes by keeper_heard(). A server that is starting or has not answered yet is asked
 * later; with none, the next one starts with them. */
static void
keeper_reload(Keeper *keeper)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Settings) fresh = NULL;

        keeper->wants_reload = keeper->asked != NULL || (keeper->server > 0 && !keeper->is_serving);
        if (keeper->wants_reload)
                return;
        if (!keeper_read(keeper->settings->path, &fresh, &error)) {
                log_event(&APP_EVENTS[EVENT_SETTINGS_REFUSED], "reason=%s", log_text(span_of(error->message)));
                return;
        }
        settings_keep_fixed(keeper->settings, fresh, keeper_later);
        if (!ports_make(&keeper->ports, fresh, &keeper->asked_ports, &error)) {
                log_event(&APP_EVENTS[EVENT_SETTINGS_REFUSED], "reason=%s", log_text(span_of(error->message)));
                return;
        }
        keeper->asked = g_steal_pointer(&fresh);
        if (keeper->channel < 0 || !keeper_send(keeper, keeper->asked->text, &keeper->asked_ports))
                keeper_applied(keeper);
}

/* The end of a server --------------------------------------------------------------------------------------------- */

static void
keeper_forget_server(Keeper *keeper)
{
        if (keeper->channel >= 0)
                close(keeper->channel);
        keeper->channel = -1;
        keeper->server = 0;
        keeper->is_serving = FALSE;
}

/* The server has ended: go on (-1) or end with this status. */
static int
keeper_server_ended(Keeper *keeper, int status)
{
        keeper_forget_server(keeper);
        if (keeper->stop_by != 0)
                return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
        if (!keeper->was_ready) /* it has said why, if it could */
                return 1;
        if (WIFSIGNALED(status))
                log_event(&APP_EVENTS[EVENT_SERVER_RESTARTED], "reason=signal signal=%d", WTERMSIG(status));
        else
                log_event(&APP_EVENTS[EVENT_SERVER_RESTARTED], "reason=exit status=%d", WEXITSTATUS(status));
        keeper_applied(keeper); /* it went without an answer: the next one starts with them */
        if (keeper->wants_reload)
                keeper_reload(keeper);
        return -1;
}

static void
keeper_stop(Keeper *keeper)
{
        if (keeper->stop_by != 0)
                return;
        keeper->stop_by = clock_in(STOP_PATIENCE);
        if (keeper->server > 0)
                kill(keeper->server, SIGTERM);
}

/* The loop ------------------------------------------------------------------------------------------------------ */

static int
keeper_signal(Keeper *keeper)
{
        struct signalfd_siginfo info;
        int status;

        if (read(keeper->signals, &info, sizeof(info)) != (ssize_t) sizeof(info))
                return -1;
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
                keeper_stop(keeper);
                break;
        case SIGHUP:
                keeper_reload(keeper);
                break;
        case SIGCHLD:
                if (keeper->server > 0 && waitpid(keeper->server, &status, WNOHANG) == keeper->server)
                        return keeper_server_ended(keeper, status);
                break;
        }
        return -1;
}

static void
keeper_ready(Keeper *keeper)
{
        keeper->is_serving = TRUE;
        if (!keeper->was_ready) {
                puts("ready");
                fflush(stdout);
        }
        keeper->was_ready = TRUE;
}

static void
keeper_heard(Keeper *keeper)
{
        char word;

        if (read(keeper->channel, &word, 1) != 1) {
                close(keeper->channel); /* it is ending: SIGCHLD tells how */
                keeper->channel = -1;
                keeper->is_serving = FALSE;
                return;
        }
        switch (word) {
        case KEEPER_READY:
                keeper_ready(keeper);
                break;
        case KEEPER_APPLIED:
                keeper_applied(keeper);
                break;
        case KEEPER_REFUSED:
                keeper_refused(keeper);
                break;
        }
        if (keeper->wants_reload)
                keeper_reload(keeper);
}

/* When something must be done although nothing happened. */
static Usec
keeper_next(const Keeper *keeper)
{
        if (keeper->stop_by != 0)
                return keeper->stop_by;
        return keeper->server == 0 ? keeper->started + RESTART_GAP : USEC_NEVER;
}

static int
keeper_loop(Keeper *keeper)
{
        for (;;) {
                g_autoptr(GError) error = NULL;
                Usec next = keeper_next(keeper), now = clock_monotonic();

                if (keeper->stop_by != 0 && keeper->server == 0)
                        return 0;
                if (next <= now && keeper->stop_by != 0) {
                        kill(keeper->server, SIGKILL);
                        keeper->stop_by = clock_in(STOP_PATIENCE);
                        continue;
                }
                if (next <= now && !keeper_start(keeper, &error)) {
                        log_event(&APP_EVENTS[EVENT_SERVER_RESTARTED], "reason=%s", log_text(span_of(error->message)));
                        continue;
                }
                struct pollfd p[2] = {{keeper->signals, POLLIN, 0}, {keeper->channel, POLLIN, 0}};
                int wait = next == USEC_NEVER ? -1 : (int) CLAMP((next - now) / USEC_PER_MS + 1, 0, 60000);
                if (poll(p, 2, wait) <= 0)
                        continue;
                if (p[1].revents != 0)
                        keeper_heard(keeper);
                int status = p[0].revents != 0 ? keeper_signal(keeper) : -1;
                if (status >= 0)
                        return status;
        }
}

/* Start --------------------------------------------------------------------------------------------------------- */

static gboolean
keeper_signals(Keeper *keeper, GError **error)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, NULL);
        keeper->signals = signalfd(-1, &set, SFD_CLOEXEC);
        return keeper->signals >= 0 || fault_errno(error, "signals");
}

/* What the server would stumble over is better said before anything is bound. */
static gboolean
keeper_look(const Settings *settings, GError **error)
{
        g_autofree char *data = settings_where(settings, "site", "data");
        g_autofree char *user = settings_where(settings, "site", "user");

        if (!g_file_test(settings->data, G_FILE_TEST_IS_DIR))
                return fault(error, FAULT_INPUT, "%s: %s is no directory; `restante init` makes sites", data,
                             settings->data);
        if (access(settings->data, R_OK | W_OK | X_OK) < 0)
                return fault_errno(error, "%s: %s can't be written", data, settings->data);
        if (!site_has_database(settings, error))
                return FALSE;
        if (geteuid() == 0 && settings->user != NULL && getpwnam(settings->user) == NULL)
                return fault(error, FAULT_INPUT, "%s: there is no user %s; name one that exists", user, settings->user);
        if (geteuid() == 0 && !settings->is_loopback && settings->user == NULL)
                return fault(
                        error, FAULT_INPUT,
                        "%s is missing: a server that the network reaches does not run as root; give the name of a "
                        "user",
                        user);
        return TRUE;
}

static int
keeper_control(const Settings *settings, GError **error)
{
        int fd = control_listen(settings->control, error);

        if (fd < 0 && !g_error_matches(*error, RESTANTE_ERROR, FAULT_BUSY)) {
                g_autofree char *where = settings_where(settings, "site", "control");
                fault_prefix(error, "%s: ", where);
        }
        return fd;
}

static void
keeper_close(Keeper *keeper)
{
        static const Ports NONE;

        keeper_refused(keeper);
        unlink(keeper->settings->control);
        ports_close(&keeper->ports, &NONE);
}

static int
keeper_serve(Keeper *keeper, const char *config)
{
        g_autoptr(GError) error = NULL;
        int status = 1;

        if (!keeper_read(config, &keeper->settings, &error) || !keeper_look(keeper->settings, &error)) {
                command_complain("%s", error->message);
                return 1;
        }
        log_set_level(keeper->settings->log_level);
        keeper->control = keeper_control(keeper->settings, &error);
        if (keeper->control < 0 || !keeper_signals(keeper, &error) ||
            !ports_make(&(const Ports){0}, keeper->settings, &keeper->ports, &error) || !keeper_start(keeper, &error)) {
                command_complain("%s", error->message);
                if (keeper->control >= 0)
                        unlink(keeper->settings->control);
                return 1;
        }
        status = keeper_loop(keeper);
        keeper_close(keeper);
        return status;
}

int
keeper_run(int argc, char **argv, const char *config, gboolean as_json)
{
        Keeper keeper = {.channel = -1, .control = -1, .signals = -1};

        if (argc > 0) {
                command_complain("'%s' is one word too many (usage: restante serve -c CONF)", argv[0]);
                return ADMIN_USAGE;
        }
        if (config == NULL) {
                command_complain("which site? Give -c CONF, or set RESTANTE_CONFIG to its restante.conf");
                return ADMIN_USAGE;
        }
        int status = keeper_serve(&keeper, config);
        settings_free(keeper.settings);
        return status;
}

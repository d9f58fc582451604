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
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTART_GAP (900 * USEC_PER_MS)   /* from start to start, so that a server that dies at once does not spin */
#define STOP_PATIENCE (20 * USEC_PER_SEC) /* the server drains for 10 */
#define APPLY_PATIENCE (10 * USEC_PER_SEC)

typedef struct Keeper {
        Settings *settings;
        Listening listening[LISTENING_MAX];
        guint n_listening;
        int control;
        int signals;
        int channel;  /* to the server; -1: none runs */
        pid_t server; /* 0: none runs */
        Usec started;
        Usec stop_by; /* 0: not stopping */
        gboolean was_ready;
} Keeper;

/* Ports --------------------------------------------------------------------------------------------------------- */

static const Listening *
listening_find(const Keeper *keeper, const ListenAddress *at)
{
        for (guint i = 0; i < keeper->n_listening; i++)
                if (keeper->listening[i].port == at->port && strcmp(keeper->listening[i].address, at->address) == 0)
                        return &keeper->listening[i];
        return NULL;
}

static gboolean
listening_bind(const Settings *settings, DoorKind door, const ListenAddress *at, Listening *ret, GError **error)
{
        if (strlen(at->address) >= sizeof(ret->address)) {
                fault(error, FAULT_INPUT, "%s: the path is too long for a socket", at->address);
        } else {
                *ret = (Listening){.door = door, .port = at->port};
                g_strlcpy(ret->address, at->address, sizeof(ret->address));
                ret->fd = service_listen(at->address, at->port, error);
                if (ret->fd >= 0)
                        return TRUE;
        }
        g_autofree char *place = settings_place(settings, settings->doors[door].line);
        fault_prefix(error, "%s: [listen] %s: ", place, DOOR_NAMES[door]);
        if (error != NULL && at->port > 0 && at->port < 1024 && geteuid() != 0) {
                char *more = g_strdup_printf("%s (ports below 1024 are root's)", (*error)->message);
                g_free((*error)->message);
                (*error)->message = more;
        }
        return FALSE;
}

/* Descriptors for all addresses of the settings: those that are bound already, and new ones. */
static gboolean
listening_make(const Keeper *keeper, const Settings *settings, Listening *ret, guint *ret_n, GError **error)
{
        guint n = 0;

        for (guint door = 0; door < DOOR_KINDS; door++)
                for (guint i = 0; i < settings->doors[door].n; i++) {
                        const ListenAddress *at = &settings->doors[door].at[i];
                        const Listening *bound = listening_find(keeper, at);

                        if (bound != NULL)
                                ret[n] = *bound;
                        else if (!listening_bind(settings, door, at, &ret[n], error))
                                goto failed;
                        ret[n++].door = door;
                }
        *ret_n = n;
        return TRUE;
failed:
        for (guint i = 0; i < n; i++)
                if (listening_find(keeper, &(ListenAddress){ret[i].address, ret[i].port}) == NULL)
                        close(ret[i].fd);
        return FALSE;
}

/* The new ones are in force: close what is not among them. */
static void
listening_replace(Keeper *keeper, const Listening *fresh, guint n)
{
        for (guint i = 0; i < keeper->n_listening; i++) {
                gboolean is_kept = FALSE;
                for (guint j = 0; j < n; j++)
                        is_kept |= fresh[j].fd == keeper->listening[i].fd;
                if (!is_kept)
                        close(keeper->listening[i].fd);
        }
        memcpy(keeper->listening, fresh, n * sizeof(*fresh));
        keeper->n_listening = n;
}

/* The server ---------------------------------------------------------------------------------------------------- */

static gboolean
keeper_start(Keeper *keeper, GError **error)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return fault_errno(error, "starting the server");
        keeper->started = clock_monotonic();
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
                _exit(serve_main(keeper->settings, keeper->listening, keeper->n_listening, keeper->control, pair[1]));
        }
        close(pair[1]);
        keeper->channel = pair[0];
        return TRUE;
}

static void
keeper_forget_server(Keeper *keeper)
{
        if (keeper->channel >= 0)
                close(keeper->channel);
        keeper->channel = -1;
        keeper->server = 0;
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

/* Reload -------------------------------------------------------------------------------------------------------- */

static gboolean
keeper_send(Keeper *keeper, const char *text, const Listening *fresh, guint n)
{
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
                        memcpy(CMSG_DATA(c) + i * sizeof(int), &fresh[i].fd, sizeof(int));
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

/* TRUE: the server has taken the settings. No server, or one that dies meanwhile: the next one starts with them. */
static gboolean
keeper_apply(Keeper *keeper, const char *text, const Listening *fresh, guint n)
{
        struct pollfd p = {keeper->channel, POLLIN, 0};
        char answer = KEEPER_APPLIED;

        if (keeper->channel < 0 || !keeper_send(keeper, text, fresh, n))
                return TRUE;
        if (poll(&p, 1, (int) (APPLY_PATIENCE / USEC_PER_MS)) != 1 || read(keeper->channel, &answer, 1) != 1)
                return TRUE;
        return answer != KEEPER_REFUSED;
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

        if (tls == NULL)
                return FALSE;
        *ret = g_steal_pointer(&settings);
        return TRUE;
}

static void
keeper_reload(Keeper *keeper)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Settings) fresh = NULL;
        Listening listening[LISTENING_MAX];
        guint n = 0;

        if (!keeper_read(keeper->settings->path, &fresh, &error)) {
                log_event(&APP_EVENTS[EVENT_SETTINGS_REFUSED], "reason=%s", log_text(span_of(error->message)));
                return;
        }
        settings_keep_fixed(keeper->settings, fresh, keeper_later);
        if (!listening_make(keeper, fresh, listening, &n, &error)) {
                log_event(&APP_EVENTS[EVENT_SETTINGS_REFUSED], "reason=%s", log_text(span_of(error->message)));
                return;
        }
        if (!keeper_apply(keeper, fresh->text, listening, n)) {
                for (guint i = 0; i < n; i++)
                        if (listening_find(keeper, &(ListenAddress){listening[i].address, listening[i].port}) == NULL)
                                close(listening[i].fd);
                return; /* the server has said why */
        }
        g_auto(GStrv) lines = settings_differences(keeper->settings, fresh);
        for (gsize i = 0; lines[i] != NULL; i++)
                log_event(&APP_EVENTS[EVENT_SETTINGS_CHANGED], "change=%s", log_text(span_of(lines[i])));
        if (lines[0] == NULL)
                log_event(&APP_EVENTS[EVENT_SETTINGS_CHANGED], "change=nothing");
        listening_replace(keeper, listening, n);
        settings_free(keeper->settings);
        keeper->settings = g_steal_pointer(&fresh);
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
keeper_heard(Keeper *keeper)
{
        char word;

        if (read(keeper->channel, &word, 1) != 1) {
                close(keeper->channel); /* it is ending: SIGCHLD tells how */
                keeper->channel = -1;
        } else if (word == KEEPER_READY && !keeper->was_ready) {
                keeper->was_ready = TRUE;
                puts("ready");
                fflush(stdout);
        }
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
        if (!g_file_test(settings->data, G_FILE_TEST_IS_DIR))
                return fault(error, FAULT_INPUT, "%s: [site] data: %s is no directory; `restante init` makes sites",
                             settings->path, settings->data);
        if (access(settings->data, R_OK | W_OK | X_OK) < 0)
                return fault_errno(error, "%s: [site] data: %s can't be written", settings->path, settings->data);
        if (geteuid() == 0 && !settings->is_loopback && settings->user == NULL)
                return fault(error, FAULT_INPUT,
                             "%s: [site] user is missing: a server that the network reaches does not run as root",
                             settings->path);
        return TRUE;
}

static void
keeper_unlink(const Keeper *keeper)
{
        unlink(keeper->settings->control);
        for (guint i = 0; i < keeper->n_listening; i++)
                if (g_str_has_prefix(keeper->listening[i].address, "unix:"))
                        unlink(keeper->listening[i].address + strlen("unix:"));
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
        keeper->control = control_listen(keeper->settings->control, &error);
        if (keeper->control < 0 || !keeper_signals(keeper, &error) ||
            !listening_make(keeper, keeper->settings, keeper->listening, &keeper->n_listening, &error) ||
            !keeper_start(keeper, &error)) {
                command_complain("%s", error->message);
                if (keeper->control >= 0)
                        unlink(keeper->settings->control);
                return 1;
        }
        status = keeper_loop(keeper);
        keeper_unlink(keeper);
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

/* serve.c -- the server process. */
#include "app/serve.h"
#include "app/command.h"
#include "app/events.h"
#include "app/housekeeping.h"
#include "app/indexing.h"
#include "app/sandbox.h"
#include "app/site.h"
#include "imap/imap.h"
#include "net/service.h"
#include "pop3/pop3.h"
#include "smtp/smtp.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SITE_PATIENCE (10 * USEC_PER_SEC) /* a command of the command line may have the site open */
#define DRAIN_PATIENCE (10 * USEC_PER_SEC)
#define FETCH_PATIENCE (5 * USEC_PER_SEC) /* of a reload, for sources that are being fetched */

/* The doors of one set of settings. Sessions hold on to them, so they live as long as the service. */
typedef struct Doors {
        TlsContext *tls;
        SmtpDoor *mx, *submission, *lmtp;
        ImapDoor *imap;
        Pop3Door *pop3;
        Listener *listeners[LISTENING_MAX];
        guint n_listeners;
} Doors;

typedef struct Server {
        Site *site;
        Service *service;
        Doors *doors; /* in force */
        GPtrArray *old_doors;
        Control *control;
        Housekeeping *housekeeping;
        Indexing *indexing;
        int keeper, signals;
} Server;

/* Doors --------------------------------------------------------------------------------------------------------- */

static void
doors_free(Doors *doors)
{
        smtp_door_free(doors->mx);
        smtp_door_free(doors->submission);
        smtp_door_free(doors->lmtp);
        imap_door_free(doors->imap);
        pop3_door_free(doors->pop3);
        tls_context_unref(doors->tls);
        g_free(doors);
}

static SmtpDoor *
doors_smtp(const Doors *doors, SmtpRole role, const Site *site, const SiteRooms *rooms)
{
        const Settings *s = rooms->settings;
        SmtpDoorSettings settings = {.role = role,
                                     .hostname = s->hostname,
                                     .tls = doors->tls,
                                     .bare_newline = role == SMTP_SUBMISSION || s->bare_newline_normalise
                                                             ? SMTP_BARE_NORMALISE
                                                             : SMTP_BARE_REFUSE,
                                     .max_size = s->message_size,
                                     .max_recipients = (guint) s->recipients,
                                     .max_errors = 20};

        return smtp_door_new(&settings, rooms->intake, role == SMTP_SUBMISSION ? rooms->auth : NULL,
                             role == SMTP_LMTP ? NULL : site->guesses);
}

static ImapDoor *
doors_imap(const Doors *doors, const Site *site, const SiteRooms *rooms)
{
        const Settings *s = rooms->settings;
        g_auto(GStrv) off = g_strsplit(s->imap_off != NULL ? s->imap_off : "", ",", -1);
        ImapDoorSettings settings = {.hostname = s->hostname,
                                     .tls = doors->tls,
                                     .max_size = s->message_size,
                                     .message_limit = (guint) s->imap_message_limit,
                                     .off = (const char *const *) off};

        return imap_door_new(&settings, site->store, rooms->auth, site->directory);
}

/* What the settings name is read here, so that commands that need no door need none of it. */
static Doors *
doors_new(const Site *site, const SiteRooms *rooms, GError **error)
{
        g_autoptr(TlsContext) tls = site_tls(rooms->settings, error);
        Oauth *oauth;

        if (tls == NULL || !site_oauth(rooms->settings, &oauth, error))
                return NULL;
        auth_take_oauth(rooms->auth, oauth);
        Doors *doors = g_new0(Doors, 1);
        doors->tls = tls_context_ref(tls);
        doors->mx = doors_smtp(doors, SMTP_MX, site, rooms);
        doors->submission = doors_smtp(doors, SMTP_SUBMISSION, site, rooms);
        doors->lmtp = doors_smtp(doors, SMTP_LMTP, site, rooms);
        doors->imap = doors_imap(doors, site, rooms);
        Pop3DoorSettings pop3 = {rooms->settings->hostname, tls};
        doors->pop3 = pop3_door_new(&pop3, site->store, rooms->auth);
        return doors;
}

static void
listening_close(const Listening *listening, guint n)
{
        for (guint i = 0; i < n; i++)
                close(listening[i].fd);
}

/* Serve every descriptor by its door. Takes the descriptors, whatever the answer. */
static gboolean
doors_open(Doors *doors, Service *service, const Listening *listening, guint n, GError **error)
{
        const struct {
                const Protocol *protocol;
                gpointer door;
                gboolean is_implicit_tls;
        } kinds[DOOR_KINDS] = {
                [DOOR_SMTP] = {&SMTP_PROTOCOL, doors->mx, FALSE},
                [DOOR_SUBMISSION] = {&SMTP_PROTOCOL, doors->submission, FALSE},
                [DOOR_SUBMISSIONS] = {&SMTP_PROTOCOL, doors->submission, TRUE},
                [DOOR_LMTP] = {&LMTP_PROTOCOL, doors->lmtp, FALSE},
                [DOOR_IMAP] = {&IMAP_PROTOCOL, doors->imap, FALSE},
                [DOOR_IMAPS] = {&IMAP_PROTOCOL, doors->imap, TRUE},
                [DOOR_POP3] = {&POP3_PROTOCOL, doors->pop3, FALSE},
                [DOOR_POP3S] = {&POP3_PROTOCOL, doors->pop3, TRUE},
        };

        for (guint i = 0; i < n; i++) {
                DoorKind kind = listening[i].door;
                Listener *l =
                        service_take_listener(service, listening[i].fd, kinds[kind].protocol,
                                              kinds[kind].is_implicit_tls ? doors->tls : NULL, kinds[kind].door, error);
                if (l == NULL) {
                        listening_close(&listening[i + 1], n - i - 1);
                        return FALSE;
                }
                doors->listeners[doors->n_listeners++] = l;
        }
        return TRUE;
}

static void
doors_shut(Doors *doors, Service *service)
{
        for (guint i = 0; i < doors->n_listeners; i++)
                service_drop_listener(service, doors->listeners[i]);
        doors->n_listeners = 0;
}

/* Becoming the server ------------------------------------------------------------------------------------------- */

static gboolean
serve_drop_user(const Settings *settings, GError **error)
{
        if (geteuid() != 0 || settings->user == NULL)
                return site_become_owner(settings, error);
        const struct passwd *user = getpwnam(settings->user);
        if (user == NULL)
                return fault(error, FAULT_INPUT, "%s: [site] user: there is no user %s", settings->path,
                             settings->user);
        if (initgroups(user->pw_name, user->pw_gid) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
            setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
                return fault_errno(error, "becoming user %s", settings->user);
        if (access(settings->data, R_OK | W_OK | X_OK) < 0)
                return fault_errno(error, "%s: [site] data: %s can't be written by user %s", settings->path,
                                   settings->data, settings->user);
        return TRUE;
}

/* It dies with the keeper, leaves no core with mail in it, and may open as many descriptors as it is allowed. */
static gboolean
serve_limits(pid_t keeper, GError **error)
{
        struct rlimit core = {0, 0}, files;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setrlimit(RLIMIT_CORE, &core) < 0 ||
            getrlimit(RLIMIT_NOFILE, &files) < 0)
                return fault_errno(error, "preparing the server process");
        files.rlim_cur = MIN(files.rlim_max, 1048576);
        (void) !setrlimit(RLIMIT_NOFILE, &files);
        if (getppid() != keeper)
                _exit(0); /* it went while we came */
        return TRUE;
}

static gboolean
serve_sandbox(const Settings *settings, GError **error)
{
        g_autofree char *certificate_dir = g_path_get_dirname(settings->certificate);
        g_autofree char *key_dir = g_path_get_dirname(settings->key);
        g_autofree char *authorities_dir =
                settings->authorities != NULL ? g_path_get_dirname(settings->authorities) : NULL;
        g_autofree char *oauth_dir = settings->oauth_keys != NULL ? g_path_get_dirname(settings->oauth_keys) : NULL;
        const char *write[] = {settings->data, NULL};
        const char *read[6] = {settings->dir, certificate_dir, key_dir};
        guint n = 3;
        SandboxReport report;

        if (authorities_dir != NULL)
                read[n++] = authorities_dir;
        if (oauth_dir != NULL)
                read[n++] = oauth_dir;
        sandbox_preload();
        if (!sandbox_enter(write, read, &report, error))
                return FALSE;
        log_event(&APP_EVENTS[EVENT_SANDBOX], "landlock=%d seccomp=%s", report.landlock_abi,
                  report.has_seccomp ? "yes" : "no");
        return TRUE;
}

static int
serve_signals(GError **error)
{
        sigset_t set;

        sigfillset(&set);
        sigdelset(&set, SIGSEGV);
        sigdelset(&set, SIGBUS);
        sigdelset(&set, SIGFPE);
        sigdelset(&set, SIGILL);
        sigdelset(&set, SIGABRT);
        sigprocmask(SIG_SETMASK, &set, NULL);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        int fd = signalfd(-1, &set, SFD_CLOEXEC);
        if (fd < 0)
                fault_errno(error, "signals");
        return fd;
}

/* Opening ------------------------------------------------------------------------------------------------------- */

static Site *
serve_site(const Settings *settings, GError **error)
{
        Usec deadline = clock_in(SITE_PATIENCE);

        for (;;) {
                g_autoptr(GError) e = NULL;
                Site *site = site_open(settings_copy(settings), &e);

                if (site != NULL)
                        return site;
                if (!g_error_matches(e, RESTANTE_ERROR, FAULT_BUSY) || clock_monotonic() >= deadline) {
                        g_propagate_error(error, g_steal_pointer(&e));
                        return NULL;
                }
                g_usleep(50 * USEC_PER_MS);
        }
}

static ServiceLimits
serve_limits_of(const Settings *settings)
{
        return (ServiceLimits){.max_connections = (guint) settings->connections,
                               .max_per_address = (guint) settings->connections_per_address,
                               .max_per_address_second = (guint) settings->connections_per_second,
                               .max_workers = (guint) settings->workers,
                               .is_loopback_site = settings->is_loopback};
}

static gboolean
server_open(Server *server, const Settings *settings, const Listening *listening, guint n, int control, GError **error)
{
        const ServiceLimits limits = serve_limits_of(settings);

        if ((server->site = serve_site(settings, error)) == NULL ||
            (server->doors = doors_new(server->site, server->site->rooms, error)) == NULL ||
            (server->service = service_new(&limits, error)) == NULL ||
            (server->housekeeping = housekeeping_new(server->site, error)) == NULL ||
            (server->indexing = indexing_new(server->site->db, server->site->store, error)) == NULL ||
            !doors_open(server->doors, server->service, listening, n, error) ||
            (server->control = control_take_fd(control, &server->site->rooms->admin, error)) == NULL ||
            !fetch_start(server->site->rooms->fetch, error))
                return FALSE;
        return TRUE;
}

/* Doors first: what is running ends, then the rooms close from the top. */
static void
server_close(Server *server)
{
        if (server->service != NULL)
                service_drain(server->service, clock_in(DRAIN_PATIENCE));
        if (server->site != NULL)
                fetch_stop(server->site->rooms->fetch, clock_in(DRAIN_PATIENCE));
        control_free(server->control);
        housekeeping_free(server->housekeeping);
        indexing_free(server->indexing);
        if (server->service != NULL)
                service_free(server->service);
        if (server->doors != NULL)
                doors_free(server->doors);
        g_ptr_array_unref(server->old_doors);
        site_close(server->site);
}

/* Said once at the start and after a reload: a site goes on, its postmaster may be made later. */
static void
server_look_for_postmaster(const Server *server)
{
        g_autofree char *warning = site_postmaster_warning(server->site->rooms);

        if (warning != NULL)
                log_event(&APP_EVENTS[EVENT_POSTMASTER], "reason=%s", log_text(span_of(warning)));
}

/* Reload -------------------------------------------------------------------------------------------------------- */

static gboolean
receive_head(int keeper, KeeperMessage *ret, Listening listening[LISTENING_MAX])
{
        int fds[LISTENING_MAX];
        union {
                struct cmsghdr header;
                char octets[CMSG_SPACE(LISTENING_MAX * sizeof(int))];
        } control;
        struct iovec iov = {ret, sizeof(*ret)};
        struct msghdr msg = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

        if (recvmsg(keeper, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != (ssize_t) sizeof(*ret) ||
            ret->n_fds > LISTENING_MAX)
                return FALSE;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        if (ret->n_fds == 0)
                return c == NULL;
        if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(ret->n_fds * sizeof(int)))
                return FALSE;
        memcpy(fds, CMSG_DATA(c), ret->n_fds * sizeof(int));
        for (guint i = 0; i < ret->n_fds; i++)
                listening[i] = (Listening){.fd = fds[i]};
        return TRUE;
}

static gboolean
receive_text(int keeper, char *text, gsize octets)
{
        for (gsize done = 0; done < octets;) {
                ssize_t n = read(keeper, text + done, octets - done);
                if (n <= 0)
                        return FALSE;
                done += (gsize) n;
        }
        return TRUE;
}

/* Which door each descriptor is for: they come in the order of the settings. */
static gboolean
listening_pair(const Settings *settings, Listening *ret, guint n_fds)
{
        guint n = 0;

        for (guint door = 0; door < DOOR_KINDS; door++)
                for (guint i = 0; i < settings->doors[door].n; i++) {
                        if (n == n_fds)
                                return FALSE;
                        ret[n++].door = door;
                }
        return n == n_fds;
}

/* The rooms and doors of new settings; nothing listens yet. */
static gboolean
server_prepare(Server *server, Span text, Listening *listening, guint n, SiteRooms **ret_rooms, Doors **ret_doors,
               GError **error)
{
        Site *site = server->site;
        const Settings *now = site->rooms->settings;
        g_autoptr(Settings) settings = settings_parse(text, now->path, error);

        if (settings == NULL)
                return FALSE;
        settings_keep_fixed(now, settings, NULL);
        if (!listening_pair(settings, listening, n))
                return fault(error, FAULT_INTERNAL, "descriptors and settings do not fit");
        SiteRooms *rooms = site_rooms_new(site, g_steal_pointer(&settings), error);
        Doors *doors = rooms != NULL ? doors_new(site, rooms, error) : NULL;
        if (doors == NULL) {
                site_rooms_free(rooms);
                return FALSE;
        }
        *ret_rooms = rooms;
        *ret_doors = doors;
        return TRUE;
}

static void
server_swap(Server *server, SiteRooms *rooms, Doors *doors)
{
        Site *site = server->site;
        const ServiceLimits limits = serve_limits_of(rooms->settings);
        g_autoptr(GError) fetch_error = NULL;

        doors_shut(server->doors, server->service);
        /* One session for each remote account: the old ones end first. */
        fetch_stop(site->rooms->fetch, clock_in(FETCH_PATIENCE));
        if (!service_set_limits(server->service, &limits))
                log_event(&APP_EVENTS[EVENT_SETTINGS_LATER], "setting=connections");
        g_ptr_array_add(server->old_doors, server->doors);
        server->doors = doors;
        site_swap(site, rooms);
        control_set_rooms(server->control, &rooms->admin);
        housekeeping_set_rooms(server->housekeeping, rooms);
        if (!fetch_start(rooms->fetch, &fetch_error)) /* the settings hold all the same */
                log_event(&APP_EVENTS[EVENT_HOUSEKEEPING], "task=fetch reason=%s",
                          log_text(span_of(fetch_error->message)));
        server_look_for_postmaster(server);
}

/* Takes the descriptors: whatever stands in the way, none is left that nobody serves. */
static gboolean
server_apply(Server *server, Span text, Listening *listening, guint n, GError **error)
{
        SiteRooms *rooms = NULL;
        Doors *doors = NULL;

        if (!server_prepare(server, text, listening, n, &rooms, &doors, error)) {
                listening_close(listening, n);
                return FALSE;
        }
        if (!doors_open(doors, server->service, listening, n, error)) {
                /* Sessions may have come by the new listeners already: they keep their rooms. */
                doors_shut(doors, server->service);
                g_ptr_array_add(server->old_doors, doors);
                g_ptr_array_add(server->site->old_rooms, rooms);
                return FALSE;
        }
        server_swap(server, rooms, doors);
        return TRUE;
}

/* FALSE: the keeper is gone. */
static gboolean
server_reload(Server *server)
{
        g_autoptr(GError) error = NULL;
        KeeperMessage message;
        Listening listening[LISTENING_MAX];

        if (!receive_head(server->keeper, &message, listening))
                return FALSE;
        g_autofree char *text = g_malloc(message.text_octets + 1);
        if (!receive_text(server->keeper, text, message.text_octets))
                return FALSE;
        gboolean is_applied =
                server_apply(server, span_make(text, message.text_octets), listening, message.n_fds, &error);
        if (!is_applied)
                log_event(&APP_EVENTS[EVENT_SETTINGS_REFUSED], "reason=%s", log_text(span_of(error->message)));
        const char answer = is_applied ? KEEPER_APPLIED : KEEPER_REFUSED;
        return write(server->keeper, &answer, 1) == 1;
}

/* --------------------------------------------------------------------------------------------------------------- */

static void
server_loop(Server *server)
{
        struct pollfd p[2] = {{server->signals, POLLIN, 0}, {server->keeper, POLLIN, 0}};

        for (;;) {
                if (poll(p, 2, -1) < 0)
                        continue;
                if (p[0].revents != 0)
                        return;
                if (p[1].revents != 0 && !server_reload(server))
                        return;
        }
}

static gboolean
server_become(Server *server, const Settings *settings, GError **error)
{
        pid_t keeper = getppid();
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null >= 0) {
                dup2(null, STDIN_FILENO);
                dup2(null, STDOUT_FILENO); /* whoever reads the keeper's sees its end with the keeper's */
                close(null);
        }
        /* The death signal is forgotten when the user changes: set it afterwards. */
        return (server->signals = serve_signals(error)) >= 0 && serve_drop_user(settings, error) &&
               serve_limits(keeper, error) && serve_sandbox(settings, error);
}

int
serve_main(const Settings *settings, const Listening *listening, guint n, int control, int keeper)
{
        g_autoptr(GError) error = NULL;
        Server server = {.keeper = keeper,
                         .signals = -1,
                         .old_doors = g_ptr_array_new_with_free_func((GDestroyNotify) doors_free)};

        if (!server_become(&server, settings, &error) ||
            !server_open(&server, settings, listening, n, control, &error)) {
                command_complain("%s", error->message);
                server_close(&server); /* what was opened is left in order */
                return 1;
        }
        log_event(&APP_EVENTS[EVENT_SERVER_STARTED], "hostname=%s clean=%s version=" RESTANTE_VERSION,
                  settings->hostname, db_was_clean(server.site->db) ? "yes" : "no");
        server_look_for_postmaster(&server);
        if (write(keeper, (const char[]){KEEPER_READY}, 1) == 1)
                server_loop(&server);
        log_event(&APP_EVENTS[EVENT_SERVER_STOPPING], "%s", "");
        server_close(&server);
        log_event(&APP_EVENTS[EVENT_SERVER_STOPPED], "%s", "");
        return 0;
}

/* init.c -- make a site: DIR/restante.conf, DIR/data, a certificate, the postmaster.
 *
 * restante.conf is written last but one and makes it a site; before that a failure takes back what was made.
 */
#include "app/init.h"
#include "app/command.h"
#include "app/settings.h"
#include "app/site.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SITE_USER "restante"

typedef struct Init {
        const char *dir;
        char *hostname; /* A-label */
        gboolean is_loopback;
        guint port_base;
        const struct passwd *user; /* NULL: whoever calls */
        char *conf, *data, *certificate, *key, *secret;
        gboolean has_made_dir, has_made_data;
        char *password;
} Init;

/* Arguments ----------------------------------------------------------------------------------------------------- */

static int init_usage(const char *format, ...) G_GNUC_PRINTF(1, 2);

static int
init_usage(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        command_complain("%s (usage: restante init DIR --hostname NAME [--loopback [--port-base N]])", text);
        return ADMIN_USAGE;
}

static int
init_hostname(Init *init, const char *text)
{
        g_autoptr(Arena) arena = arena_new(16 * 1024);
        Span domain;

        if (text == NULL)
                return init_usage("--hostname is missing");
        if (address_parse_domain(arena, span_of(text), &domain) != ADDRESS_OK || domain.data[0] == '[')
                return init_usage("--hostname %s: give a host name such as mail.example.com", text);
        g_free(init->hostname);
        init->hostname = span_dup(domain);
        return 0;
}

static int
init_args(Init *init, int argc, char **argv)
{
        const char *hostname = NULL, *base = NULL;
        guint64 number = 0;

        for (int i = 0; i < argc; i++) {
                const char **value = strcmp(argv[i], "--hostname") == 0    ? &hostname
                                     : strcmp(argv[i], "--port-base") == 0 ? &base
                                                                           : NULL;

                if (g_str_has_prefix(argv[i], "--hostname="))
                        hostname = argv[i] + strlen("--hostname=");
                else if (g_str_has_prefix(argv[i], "--port-base="))
                        base = argv[i] + strlen("--port-base=");
                else if (value != NULL && i + 1 == argc)
                        return init_usage("%s needs a value", argv[i]);
                else if (value != NULL)
                        *value = argv[++i];
                else if (strcmp(argv[i], "--loopback") == 0)
                        init->is_loopback = TRUE;
                else if (argv[i][0] == '-')
                        return init_usage("there is no option %s", argv[i]);
                else if (init->dir != NULL)
                        return init_usage("'%s' is one word too many", argv[i]);
                else
                        init->dir = argv[i];
        }
        if (init->dir == NULL || init->dir[0] == '\0')
                return init_usage("DIR is missing: where shall the site be?");
        if (base != NULL && !init->is_loopback)
                return init_usage("--port-base goes with --loopback; other sites use the registered ports");
        if (base != NULL && !span_to_number(span_of(base), 65535 - 2995, &number))
                return init_usage("--port-base %s: give a number from 0 to %d", base, 65535 - 2995);
        init->port_base = (guint) number;
        return init_hostname(init, hostname);
}

/* Files --------------------------------------------------------------------------------------------------------- */

static gboolean
write_new(const char *path, mode_t mode, Span octets, GError **error)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        gboolean is_written = fd >= 0 && write(fd, octets.data, octets.len) == (ssize_t) octets.len &&
                              fchmod(fd, mode) == 0 && fsync(fd) == 0;

        if (!is_written)
                fault_errno(error, "%s", path);
        if (fd >= 0)
                close(fd);
        return is_written;
}

static char *
init_listen(const Init *init, DoorKind kind)
{
        if (init->is_loopback)
                return g_strdup_printf("listen.%s=127.0.0.1:%u", DOOR_NAMES[kind],
                                       DOOR_LOOPBACK_PORTS[kind] + init->port_base);
        if (kind == DOOR_LMTP)
                return g_strdup("listen.lmtp=unix:lmtp");
        /* A kernel without IPv6 can't bind to it. */
        guint port = DOOR_PORTS[kind];
        if (access("/proc/net/if_inet6", F_OK) == 0)
                return g_strdup_printf("listen.%s=0.0.0.0:%u, [::]:%u", DOOR_NAMES[kind], port, port);
        return g_strdup_printf("listen.%s=0.0.0.0:%u", DOOR_NAMES[kind], port);
}

static gboolean
init_conf(const Init *init, GError **error)
{
        g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);

        g_ptr_array_add(values, g_strconcat("site.hostname=", init->hostname, NULL));
        g_ptr_array_add(values, g_strdup("site.data=data"));
        if (init->is_loopback)
                g_ptr_array_add(values, g_strdup("site.loopback=yes"));
        if (init->user != NULL)
                g_ptr_array_add(values, g_strconcat("site.user=", init->user->pw_name, NULL));
        for (guint i = 0; i < DOOR_KINDS; i++)
                g_ptr_array_add(values, init_listen(init, i));
        g_ptr_array_add(values, g_strdup("tls.certificate=certificate.pem"));
        g_ptr_array_add(values, g_strdup("tls.key=key.pem"));
        g_ptr_array_add(values, NULL);
        g_autofree char *text = settings_template((const char *const *) values->pdata);
        return write_new(init->conf, 0644, span_of(text), error);
}

static gboolean
init_give(const Init *init, const char *path, GError **error)
{
        if (init->user == NULL || chown(path, init->user->pw_uid, init->user->pw_gid) == 0)
                return TRUE;
        return fault_errno(error, "%s: giving it to %s", path, init->user->pw_name);
}

static gboolean
init_files(Init *init, GError **error)
{
        guint8 secret[32];

        if (mkdir(init->data, 0700) < 0)
                return fault_errno(error, "%s", init->data);
        init->has_made_data = TRUE;
        random_octets(secret, sizeof(secret));
        gboolean is_made = write_new(init->secret, 0600, span_make(secret, sizeof(secret)), error);
        text_wipe(secret, sizeof(secret));
        return is_made && tls_make_self_signed(init->hostname, init->certificate, init->key, error) &&
               chmod(init->certificate, 0644) == 0 && init_give(init, init->secret, error) &&
               init_give(init, init->key, error) && init_give(init, init->certificate, error) &&
               init_give(init, init->data, error) && init_conf(init, error);
}

/* The first domain and account, by the same operations that an administrator would use -------------------------- */

static void
init_ignore(const json_t *value, gpointer data)
{
}

static void
init_warning(const char *text, gpointer data)
{
}

static gboolean
init_operation(Site *site, const char *noun, const char *verb, const char *object, const char *target,
               const char *password, GError **error)
{
        const char *args[] = {object, target, NULL};
        AdminRequest request = {admin_find(noun, verb), args, password, (guint) geteuid()};
        AdminOutput output = {init_ignore, init_ignore, init_warning, NULL, NULL};
        g_autofree char *reason = NULL;

        if (admin_run(&site->rooms->admin, &request, &output, &reason) == ADMIN_DONE)
                return TRUE;
        return fault(error, FAULT_INTERNAL, "%s %s %s: %s", noun, verb, object, reason);
}

static gboolean
init_postmaster(Init *init, GError **error)
{
        Settings *settings = settings_load(init->conf, error);

        if (settings == NULL)
                return FALSE;
        g_autofree char *postmaster = g_strdup(settings->postmaster);
        g_clear_pointer(&settings->resolver_server,
                        g_free); /* nobody is asked about MX records before the site exists */
        if (!site_become_owner(settings, error)) {
                settings_free(settings);
                return FALSE;
        }
        if (!site_make_database(settings, error)) {
                settings_free(settings);
                return FALSE;
        }
        Site *site = site_open(settings, error);
        if (site == NULL)
                return FALSE;
        site->rooms->admin.resolver = NULL;
        log_set_level(LOG_WARNING);
        init->password = random_password();
        /* Programs of the system write to root. */
        g_autofree char *root = g_strconcat("root@", init->hostname, NULL);
        gboolean is_made = init_operation(site, "domain", "add", init->hostname, NULL, NULL, error) &&
                           init_operation(site, "account", "add", postmaster, NULL, init->password, error) &&
                           init_operation(site, "alias", "add", root, postmaster, NULL, error);
        site_close(site);
        return is_made;
}

/* --------------------------------------------------------------------------------------------------------------- */

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
        return remove(path);
}

static void
init_take_back(const Init *init)
{
        if (init->has_made_data) {
                unlink(init->conf);
                unlink(init->certificate);
                unlink(init->key);
                nftw(init->data, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        }
        if (init->has_made_dir)
                rmdir(init->dir);
}

static gboolean
init_is_free(Init *init, GError **error)
{
        const char *const paths[] = {init->conf, init->data, init->certificate, init->key};

        if (g_file_test(init->conf, G_FILE_TEST_EXISTS))
                return fault(error, FAULT_INPUT, "%s exists: %s is a site already, and is left alone", init->conf,
                             init->dir);
        for (guint i = 0; i < G_N_ELEMENTS(paths); i++)
                if (g_file_test(paths[i], G_FILE_TEST_EXISTS) || g_file_test(paths[i], G_FILE_TEST_IS_SYMLINK))
                        return fault(error, FAULT_INPUT, "%s exists already; choose another directory", paths[i]);
        init->has_made_dir = !g_file_test(init->dir, G_FILE_TEST_EXISTS);
        if (g_mkdir_with_parents(init->dir, 0755) < 0)
                return fault_errno(error, "%s", init->dir);
        return TRUE;
}

/* A site that strangers reach does not run as root. */
static gboolean
init_user(Init *init, GError **error)
{
        if (init->is_loopback || geteuid() != 0)
                return TRUE;
        init->user = getpwnam(SITE_USER);
        if (init->user == NULL)
                return fault(error, FAULT_INPUT,
                             "there is no user " SITE_USER " for the server to run as; make it first: adduser --system "
                             "--group --no-create-home " SITE_USER);
        return TRUE;
}

static void
init_print(const Init *init)
{
        g_autoptr(Settings) settings = settings_load(init->conf, NULL);

        printf("made the site %s (%s)\n\n", init->dir, init->hostname);
        printf("  configuration  %s\n", init->conf);
        printf("  data           %s\n", init->data);
        printf("  certificate    %s, self-signed%s\n", init->certificate,
               init->is_loopback ? "" : ": put a real one in its place");
        for (guint i = 0; settings != NULL && i < DOOR_KINDS; i++) {
                const ListenAddress *at = &settings->doors[i].at[0];
                if (settings->doors[i].n > 0 && at->port > 0)
                        printf("  %-13s  %s port %u\n", DOOR_NAMES[i], at->address, at->port);
                else if (settings->doors[i].n > 0)
                        printf("  %-13s  %s\n", DOOR_NAMES[i], at->address);
        }
        printf("  postmaster     postmaster@%s\n", init->hostname);
        printf("  password       %s   (shown only now)\n", init->password);
        printf("\nstart it:  restante serve -c %s\n", init->conf);
}

static void
init_print_json(const Init *init)
{
        g_autofree char *postmaster = g_strconcat("postmaster@", init->hostname, NULL);
        json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "hostname", init->hostname, "configuration", init->conf,
                              "data", init->data, "certificate", init->certificate, "postmaster", postmaster,
                              "password", init->password);

        json_dumpf(o, stdout, JSON_INDENT(1));
        printf("\n");
        json_decref(o);
}

int
init_run(int argc, char **argv, const char *config, gboolean as_json)
{
        g_autoptr(GError) error = NULL;
        Init init = {0};
        int status = init_args(&init, argc, argv);

        if (status != 0)
                return status;
        init.conf = g_build_filename(init.dir, "restante.conf", NULL);
        init.data = g_build_filename(init.dir, "data", NULL);
        init.certificate = g_build_filename(init.dir, "certificate.pem", NULL);
        init.key = g_build_filename(init.dir, "key.pem", NULL);
        init.secret = g_build_filename(init.data, SITE_SECRET, NULL);

        mode_t before = umask(022); /* DIR and those above it may be looked into */
        gboolean is_free = init_user(&init, &error) && init_is_free(&init, &error);
        umask(before);
        if (is_free && init_files(&init, &error) && init_postmaster(&init, &error)) {
                if (as_json)
                        init_print_json(&init);
                else
                        init_print(&init);
        } else {
                init_take_back(&init);
                command_complain("%s", error != NULL ? error->message : "the site could not be made");
                status = ADMIN_REFUSED;
        }
        if (init.password != NULL)
                text_wipe(init.password, strlen(init.password));
        char *texts[] = {init.hostname, init.conf, init.data, init.certificate, init.key, init.secret, init.password};
        for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
                g_free(texts[i]);
        return status;
}

/* command.c -- one operation, as typed. */
#include "app/command.h"
#include "app/password.h"
#include "app/render.h"
#include "app/settings.h"
#include "app/site.h"
#include "app/transfer.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#define SITE_PATIENCE (10 * USEC_PER_SEC)

typedef struct Front {
        Render *render;
        int message;
} Front;

void
command_complain(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        g_strdelimit(text, "\r\n", ' ');
        g_autofree char *shown = text_escape(span_of(text), 4096);
        fflush(stdout);
        fprintf(stderr, "restante: %s\n", shown);
}

static void
front_row(const json_t *row, gpointer data)
{
        render_row(((Front *) data)->render, row);
}

static void
front_result(const json_t *object, gpointer data)
{
        render_result(((Front *) data)->render, object);
}

static void
front_warning(const char *text, gpointer data)
{
        command_complain("warning: %s", text);
}

static gssize
front_read(void *buffer, gsize len, gpointer data)
{
        for (;;) {
                ssize_t n = read(((Front *) data)->message, buffer, len);
                if (n >= 0 || errno != EINTR)
                        return n;
        }
}

/* In process. FALSE: the site can't be opened. */
static gboolean
call_here(const char *config, const AdminRequest *request, const AdminOutput *output, AdminResult *ret,
          char **ret_reason, GError **error)
{
        Settings *settings = settings_load(config, error);

        if (settings == NULL)
                return FALSE;
        if (!site_become_owner(settings, error)) {
                settings_free(settings);
                return FALSE;
        }
        Site *site = site_open(settings, error);
        if (site == NULL)
                return FALSE;
        if (!log_wants(LOG_DEBUG))
                log_set_level(LOG_ERROR); /* the person is told by the answer, not by the log */
        *ret = admin_run(&site->rooms->admin, request, output, ret_reason);
        site_close(site);
        return TRUE;
}

/* Wherever it can be done, for at most 10 s. */
static gboolean
call_somewhere(const Settings *settings, const AdminRequest *request, const AdminOutput *output, AdminResult *ret,
               char **ret_reason, GError **error)
{
        Usec deadline = clock_in(SITE_PATIENCE);

        for (;;) {
                g_autoptr(GError) there = NULL;
                g_autoptr(GError) here = NULL;

                if (control_call(settings->control, request, output, ret, ret_reason, &there))
                        return TRUE;
                if (!g_error_matches(there, RESTANTE_ERROR, FAULT_IO)) {
                        g_propagate_error(error, g_steal_pointer(&there));
                        return FALSE;
                }
                if (call_here(settings->path, request, output, ret, ret_reason, &here))
                        return TRUE;
                if (!g_error_matches(here, RESTANTE_ERROR, FAULT_BUSY) || clock_monotonic() >= deadline) {
                        if (!g_error_matches(here, RESTANTE_ERROR, FAULT_INPUT))
                                g_prefix_error(&here, "no server answers, and the site can't be opened: ");
                        g_propagate_error(error, g_steal_pointer(&here));
                        return FALSE;
                }
                g_usleep(100 * USEC_PER_MS);
        }
}

static gboolean
front_password(const Operation *operation, const char *const *args, char **ret)
{
        g_autoptr(GError) error = NULL;

        if (!operation->wants_password ||
            (operation->password_option != NULL && !g_strv_contains(args, operation->password_option)))
                return TRUE;
        if (password_read(operation->is_new_password, ret, &error))
                return TRUE;
        command_complain("%s", error->message);
        return FALSE;
}

static int
command_call(const Settings *settings, const AdminRequest *request, gboolean as_json, int message)
{
        g_autoptr(Render) render = render_new(request->operation, as_json, stdout);
        g_autoptr(GError) error = NULL;
        g_autofree char *reason = NULL;
        Front front = {render, message};
        AdminOutput output = {.row = front_row,
                              .result = front_result,
                              .warning = front_warning,
                              .read = front_read,
                              .data = &front};
        AdminResult result = ADMIN_REFUSED;

        gboolean is_answered = call_somewhere(settings, request, &output, &result, &reason, &error);
        gboolean is_written = render_end(render, is_answered && result == ADMIN_DONE);
        if (!is_answered)
                command_complain("%s", error->message);
        else if (result != ADMIN_DONE)
                command_complain("%s", reason != NULL ? reason : "it was refused");
        else if (!is_written)
                command_complain("standard output could not be written");
        return !is_answered || (result == ADMIN_DONE && !is_written) ? ADMIN_REFUSED : (int) result;
}

/* What would be sent as JSON. Files to import may be called anything: they are not sent. */
static gboolean
args_are_text(const Operation *operation, const char *const *args)
{
        for (gsize i = 0; operation->run != NULL && args[i] != NULL; i++)
                if (!text_is_utf8(span_of(args[i]))) {
                        command_complain("%s is not UTF-8", log_text(span_of(args[i])));
                        return FALSE;
                }
        return TRUE;
}

int
command_run(const Operation *operation, const char *const *args, const char *config, gboolean as_json, int message)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *reason = NULL;
        char *password = NULL;

        if (!admin_check_args(operation, args, &reason)) {
                command_complain("%s", reason);
                return ADMIN_USAGE;
        }
        if (!args_are_text(operation, args))
                return ADMIN_USAGE;
        if (config == NULL) {
                command_complain("which site? Give -c CONF, or set RESTANTE_CONFIG to its restante.conf");
                return ADMIN_USAGE;
        }
        g_autoptr(Settings) settings = settings_load(config, &error);
        if (settings == NULL) {
                command_complain("%s", error->message);
                return ADMIN_REFUSED;
        }
        if (!front_password(operation, args, &password))
                return ADMIN_REFUSED;
        AdminRequest request = {operation, args, password, (guint) geteuid()};
        int status = operation->run == NULL ? transfer_run(settings, &request, as_json)
                                            : command_call(settings, &request, as_json, message);
        if (password != NULL)
                text_wipe(password, strlen(password));
        g_free(password);
        return status;
}

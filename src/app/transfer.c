/* transfer.c -- the frame of import and export: the site, signals, and calls. */
#include "app/transfer.h"
#include "app/command.h"
#include "app/render.h"
#include "app/site.h"

#include <signal.h>
#include <stdarg.h>

static volatile sig_atomic_t is_stopped;

static void
note_stop(int number)
{
        is_stopped = 1;
}

gboolean
transfer_is_stopped(void)
{
        return is_stopped != 0;
}

/* The second one ends the process. System calls that wait are gone on with: a server's answer is still of use. */
static void
catch_signals(void)
{
        struct sigaction action = {.sa_handler = note_stop, .sa_flags = (int) SA_RESETHAND | SA_RESTART};

        sigemptyset(&action.sa_mask);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGHUP, &action, NULL);
}

void
transfer_warn(Transfer *t, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        progress_clear(t->progress);
        admin_warn(t->call, "%s", text);
}

/* Calls ------------------------------------------------------------------------------------------------------------ */

typedef struct Asking {
        Transfer *t;
        TransferAnswer answer;
        gssize (*read)(void *buffer, gsize len, gpointer data);
        gpointer data;
} Asking;

static void
asking_row(const json_t *row, gpointer data)
{
        json_array_append(((Asking *) data)->answer.rows, (json_t *) row);
}

static void
asking_result(const json_t *object, gpointer data)
{
        Asking *a = data;

        json_decref(a->answer.result);
        a->answer.result = json_incref((json_t *) object);
}

static void
asking_warning(const char *text, gpointer data)
{
        transfer_warn(((Asking *) data)->t, "%s", text);
}

static gssize
asking_read(void *buffer, gsize len, gpointer data)
{
        Asking *a = data;

        return a->read != NULL ? a->read(buffer, len, a->data) : 0;
}

void
transfer_answer_clear(TransferAnswer *answer)
{
        json_decref(answer->rows);
        json_decref(answer->result);
        *answer = (TransferAnswer){NULL, NULL};
}

AdminResult
transfer_ask(Transfer *t, const Operation *operation, const char *const *words,
             gssize (*read)(void *buffer, gsize len, gpointer data), gpointer data, TransferAnswer *ret)
{
        Asking a = {.t = t, .answer = {json_array(), NULL}, .read = read, .data = data};
        AdminOutput output = {
                .row = asking_row, .result = asking_result, .warning = asking_warning, .read = asking_read, .data = &a};
        AdminResult result = ADMIN_REFUSED;
        g_autoptr(GError) error = NULL;
        g_autofree char *reason = NULL;

        gboolean is_answered = reach_call(t->reach, operation, words, &output, &result, &reason, &error);
        if (!is_answered)
                result = admin_refuse(t->call, "%s", error->message);
        else if (result != ADMIN_DONE)
                result = admin_refuse(t->call, "%s", reason != NULL ? reason : "it was refused");
        if (result == ADMIN_DONE)
                *ret = a.answer;
        else
                transfer_answer_clear(&a.answer);
        return result;
}

/* The frame -------------------------------------------------------------------------------------------------------- */

typedef struct Frame {
        const Settings *settings;
        const AdminRequest *request;
        Progress *progress;
        Render *render;
} Frame;

static void
frame_row(const json_t *row, gpointer data)
{
        render_row(((Frame *) data)->render, row);
}

static void
frame_result(const json_t *object, gpointer data)
{
        render_result(((Frame *) data)->render, object);
}

static void
frame_warning(const char *text, gpointer data)
{
        command_complain("%s", text);
}

static AdminResult
frame_run(AdminCall *call, gpointer data)
{
        Frame *frame = data;
        g_autoptr(GError) error = NULL;
        Transfer t = {.call = call,
                      .settings = frame->settings,
                      .progress = frame->progress,
                      .address = admin_arg(call, "ADDRESS", 0),
                      .password = frame->request->password};

        /* Who talks to a foreign server needs no rights over foreign files. */
        if (admin_operation(call) == &IMPORT_IMAP && !site_become_owner(frame->settings, &error))
                return admin_refuse(call, "%s", error->message);
        t.reach = reach_open(frame->settings, &error);
        if (t.reach == NULL)
                return admin_refuse(call, "%s", error->message);
        catch_signals();
        gboolean is_import = strcmp(admin_operation(call)->noun, "import") == 0;
        AdminResult result = is_import ? transfer_import(&t) : transfer_export(&t);
        progress_clear(t.progress);
        reach_close(t.reach);
        return result;
}

int
transfer_run(const Settings *settings, const AdminRequest *request, gboolean as_json)
{
        g_autoptr(Render) render = render_new(request->operation, as_json, stdout);
        g_autoptr(Progress) progress = progress_new(stderr);
        g_autofree char *reason = NULL;
        Frame frame = {settings, request, progress, render};
        AdminOutput output = {.row = frame_row, .result = frame_result, .warning = frame_warning, .data = &frame};

        AdminResult result = admin_run_here(request, frame_run, &frame, &output, &reason);
        progress_clear(progress);
        gboolean is_written = render_end(render, result == ADMIN_DONE);
        if (result != ADMIN_DONE)
                command_complain("%s", reason);
        else if (!is_written)
                command_complain("standard output could not be written");
        return result == ADMIN_DONE && !is_written ? ADMIN_REFUSED : (int) result;
}

/* call.c -- one call: arguments read by the operation's table, its handler run, its answers handed on. */
#include "admin/internal.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

struct AdminCall {
        const AdminRooms *rooms;
        const AdminRequest *request;
        const AdminOutput *output;
        AdminArgs args;
        Arena *arena;
        char *reason;
        char who[32];
};

#define CALL_ARENA_OCTETS (32 * 1024 * 1024)

const char *
operation_name(const Operation *operation, char *buffer, gsize size)
{
        snprintf(buffer, size, "%s%s%s", operation->noun, operation->verb != NULL ? " " : "",
                 operation->verb != NULL ? operation->verb : "");
        return buffer;
}

char *
operation_usage(const Operation *operation)
{
        char name[64];
        GString *s = g_string_new(operation_name(operation, name, sizeof(name)));

        for (gsize i = 0; i < OPERATION_OPTIONS && operation->options[i].name != NULL; i++) {
                const OperationOption *o = &operation->options[i];
                g_string_append_printf(s, " [%s%s%s]", o->name, o->value != NULL ? " " : "",
                                       o->value != NULL ? o->value : "");
        }
        for (gsize i = 0; i < OPERATION_ARGS && operation->args[i].name != NULL; i++) {
                const OperationArg *a = &operation->args[i];
                g_string_append_printf(s, a->is_optional ? " [%s%s]" : " %s%s", a->name, a->is_repeated ? "..." : "");
        }
        if (operation->keys != NULL)
                g_string_append(s, " [KEY=VALUE...]");
        return g_string_free(s, FALSE);
}

const Operation *
admin_find(const char *noun, const char *verb)
{
        for (gsize i = 0; ADMIN_OPERATIONS[i] != NULL; i++) {
                const Operation *o = ADMIN_OPERATIONS[i];
                if (strcmp(o->noun, noun) == 0 && g_strcmp0(o->verb, verb) == 0)
                        return o;
        }
        return NULL;
}

/* What handlers ask --------------------------------------------------------------------------------------------- */

const AdminRooms *
admin_rooms(const AdminCall *call)
{
        return call->rooms;
}

const Operation *
admin_operation(const AdminCall *call)
{
        return call->request->operation;
}

Arena *
admin_arena(const AdminCall *call)
{
        return call->arena;
}

static gssize
arg_index(const Operation *operation, const char *name)
{
        for (gsize i = 0; i < OPERATION_ARGS && operation->args[i].name != NULL; i++)
                if (strcmp(operation->args[i].name, name) == 0)
                        return (gssize) i;
        g_assert_not_reached(); /* a handler asks for what its own table lacks */
}

const char *
admin_arg(const AdminCall *call, const char *name, gsize nth)
{
        return nth < admin_n_args(call, name)
                       ? call->args.positional[(gsize) arg_index(call->request->operation, name) + nth]
                       : NULL;
}

gsize
admin_n_args(const AdminCall *call, const char *name)
{
        gsize i = (gsize) arg_index(call->request->operation, name);

        if (i >= call->args.n_positional)
                return 0;
        return call->request->operation->args[i].is_repeated ? call->args.n_positional - i : 1;
}

const char *
admin_option(const AdminCall *call, const char *name)
{
        const Operation *operation = call->request->operation;

        for (gsize i = 0; i < OPERATION_OPTIONS && operation->options[i].name != NULL; i++)
                if (strcmp(operation->options[i].name, name) == 0)
                        return call->args.options[i];
        g_assert_not_reached();
}

gsize
admin_pairs(const AdminCall *call, const KeyValue **ret)
{
        *ret = call->args.pairs;
        return call->args.n_pairs;
}

const char *
admin_pair(const AdminCall *call, const char *key)
{
        for (gsize i = call->args.n_pairs; i-- > 0;)
                if (strcmp(call->args.pairs[i].key, key) == 0)
                        return call->args.pairs[i].value;
        return NULL;
}

const char *
admin_password(const AdminCall *call)
{
        return call->request->password;
}

gssize
admin_read(AdminCall *call, void *buffer, gsize len, GError **error)
{
        gssize n = call->output->read != NULL ? call->output->read(buffer, len, call->output->data) : 0;

        if (n < 0)
                fault(error, FAULT_IO, "standard input could not be read to its end");
        return n;
}

const char *
admin_who(const AdminCall *call)
{
        return call->who;
}

guint
admin_uid(const AdminCall *call)
{
        return call->request->uid;
}

gboolean
admin_is_full(const AdminCall *call)
{
        return call->request->uid == 0 || call->request->uid == (guint) geteuid();
}

void
admin_row(AdminCall *call, json_t *take_row)
{
        call->output->row(take_row, call->output->data);
        json_decref(take_row);
}

void
admin_result(AdminCall *call, json_t *take_object)
{
        call->output->result(take_object, call->output->data);
        json_decref(take_object);
}

gboolean
admin_octets(AdminCall *call, Span octets)
{
        return call->output->octets == NULL || call->output->octets(octets, call->output->data);
}

void
admin_warn(AdminCall *call, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        call->output->warning(text, call->output->data);
}

static AdminResult
call_end(AdminCall *call, AdminResult result, char *take_reason)
{
        g_free(call->reason);
        call->reason = take_reason;
        g_strdelimit(call->reason, "\r\n", ' '); /* one line */
        return result;
}

AdminResult
admin_refuse(AdminCall *call, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        char *text = g_strdup_vprintf(format, args);
        va_end(args);
        return call_end(call, ADMIN_REFUSED, text);
}

AdminResult
admin_usage(AdminCall *call, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        char *text = g_strdup_vprintf(format, args);
        va_end(args);
        return call_end(call, ADMIN_USAGE, text);
}

typedef AdminResult (*CallFn)(AdminCall *call, gpointer data);

static AdminResult
call_run(AdminCall *call, CallFn run, gpointer data, char **ret_reason)
{
        const AdminRequest *request = call->request;
        AdminResult result = ADMIN_USAGE;

        if (request->uid == 0)
                g_strlcpy(call->who, "root", sizeof(call->who));
        else
                snprintf(call->who, sizeof(call->who), "uid %u", request->uid);

        if (!request->operation->is_for_everyone && !admin_is_full(call)) {
                *ret_reason = g_strdup("only root and the server's own user may do this");
                return ADMIN_REFUSED;
        }
        if (args_parse(request->operation, request->args, &call->args, &call->reason)) {
                call->arena = arena_new(CALL_ARENA_OCTETS);
                result = run(call, data);
                arena_free(call->arena);
        }
        args_clear(&call->args);
        if (result == ADMIN_DONE)
                g_clear_pointer(&call->reason, g_free);
        else if (call->reason == NULL)
                call->reason = g_strdup("it could not be done");
        *ret_reason = call->reason;
        return result;
}

static AdminResult
run_operation(AdminCall *call, gpointer data)
{
        const Operation *operation = call->request->operation;

        if (operation->run == NULL)
                return admin_usage(call, "the command line does this itself; it is no call");
        return operation->run(call);
}

AdminResult
admin_run(const AdminRooms *rooms, const AdminRequest *request, const AdminOutput *output, char **ret_reason)
{
        AdminCall call = {.rooms = rooms, .request = request, .output = output};

        return call_run(&call, run_operation, NULL, ret_reason);
}

AdminResult
admin_run_here(const AdminRequest *request, AdminResult (*run)(AdminCall *call, gpointer data), gpointer data,
               const AdminOutput *output, char **ret_reason)
{
        AdminCall call = {.request = request, .output = output};

        return call_run(&call, run, data, ret_reason);
}

gboolean
admin_address(AdminCall *call, const char *text, Address *ret, AdminResult *ret_result)
{
        switch (address_parse(call->arena, span_of(text), TRUE, ret)) {
        case ADDRESS_OK:
                return TRUE;
        case ADDRESS_TOO_LONG:
                *ret_result = admin_refuse(call, "%s is too long for an address: 64 octets before the @, 255 behind it",
                                           text);
                return FALSE;
        case ADDRESS_BAD_DOMAIN:
                *ret_result = admin_refuse(call, "%s: the part behind the @ is no domain", text);
                return FALSE;
        case ADDRESS_BAD_SYNTAX:
        case ADDRESS_NOT_ASCII:
                break;
        }
        *ret_result = admin_refuse(call, "'%s' is no address, it should look like joe@example.com", text);
        return FALSE;
}

void
admin_warn_domains(AdminCall *call, const char *text, const char *so)
{
        g_auto(GStrv) names = g_strsplit(text != NULL ? text : "", ",", 1000);

        for (gsize i = 0; names[i] != NULL; i++) {
                const char *colon = strrchr(names[i], ':');
                const char *name = colon != NULL ? colon + 1 : names[i];
                const Domain *domain;
                Span label;

                if (address_parse_domain(call->arena, span_trim(span_of(name)), &label) == ADDRESS_OK &&
                    directory_domain(call->rooms->directory, call->arena, label, &domain, NULL) == FOUND_NOT)
                        admin_warn(call, "%s is no domain here: %s", name, so);
        }
}

static gboolean
parse_age(Span text, Usec *ret)
{
        static const struct {
                char unit;
                Usec span;
        } UNITS[] = {{'s', USEC_PER_SEC}, {'m', USEC_PER_MINUTE}, {'h', USEC_PER_HOUR}, {'d', USEC_PER_DAY}};
        guint64 n;

        for (gsize i = 0; i < G_N_ELEMENTS(UNITS) && text.len > 1; i++)
                if (text.data[text.len - 1] == UNITS[i].unit &&
                    span_to_number(span_slice(text, 0, text.len - 1), 100000, &n)) {
                        *ret = (Usec) n * UNITS[i].span;
                        return TRUE;
                }
        return FALSE;
}

gboolean
admin_since(AdminCall *call, Usec *ret, AdminResult *ret_result)
{
        const char *text = admin_option(call, "--since");
        Usec age;

        *ret = 0;
        if (text == NULL || clock_parse_iso(text, ret))
                return TRUE;
        if (parse_age(span_of(text), &age)) {
                *ret = MAX(clock_real() - age, 1);
                return TRUE;
        }
        *ret_result = admin_usage(call, "--since %s: give " ADMIN_SINCE, text);
        return FALSE;
}

gboolean
admin_has_domain(AdminCall *call, const char *name, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        gboolean is_wild = g_str_has_prefix(name, "*.");
        const Domain *domain;
        Span label;

        if (address_parse_domain(call->arena, span_of(is_wild ? name + 2 : name), &label) != ADDRESS_OK) {
                *ret_result = admin_refuse(call, "'%s' is no domain name", name);
                return FALSE;
        }
        switch (directory_domain(call->rooms->directory, call->arena, label, &domain, &error)) {
        case FOUND:
                return TRUE;
        case FOUND_NOT:
                if (is_wild) /* a look-up knows names, and not what stands for them */
                        return TRUE;
                *ret_result = admin_refuse(call, "there is no domain %s", name);
                return FALSE;
        case FOUND_FAILED:
                break;
        }
        *ret_result = admin_refuse(call, "%s", error->message);
        return FALSE;
}

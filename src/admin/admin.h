/* admin.h -- the one table of everything an administrator can do, and the socket it is asked through.
 *
 * An Operation has a name (noun and verb, as on the command line), arguments, a handler and its manual. The command line,
 * the control socket, the man pages, and later the REST API and the web pages are all made from this table; none knows an operation that is not in it.
 *
 * Answers are JSON values; for people the operation's columns say how rows become a table. With --json the values are printed as they are.
 *
 * Threads  handlers run on a thread of the control socket's own; any number side by side.
 * Memory   requests are bounded: 64 KiB of arguments; standard input is streamed in pieces.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "fetch/fetch.h"
#include "intake/intake.h"
#include "trust/guesses.h"

#include <jansson.h>

/* What operations may use. */
typedef struct AdminRooms {
        Db *db;
        Blob *blob;
        Directory *directory;
        Router *router;
        Store *store;
        Queue *queue;
        Intake *intake;
        Fetch *fetch;
        Guesses *guesses;
        struct Resolver *resolver;      /* NULL: MX checks are left out */
        const char *hostname;
        gboolean is_loopback_site;
        /* `check`: app adds what only it knows (configuration, certificates); calls add(level, text) */
        void (*check)(void (*add)(const char *level, const char *text, gpointer data), gpointer data, gpointer app);
        gpointer app;
} AdminRooms;

typedef struct AdminCall AdminCall;

typedef enum AdminResult {
        ADMIN_DONE = 0,         /* exit status 0 */
        ADMIN_REFUSED = 1,      /* exit status 1, one-line reason */
        ADMIN_USAGE = 2,        /* exit status 2 */
} AdminResult;

typedef struct OperationArg {
        const char *name;       /* "ADDRESS"; "key=value" arguments are described by `keys` */
        gboolean is_optional, is_repeated;
        const char *manual;
} OperationArg;

typedef struct OperationOption {
        const char *name;       /* "--origin" */
        const char *value;      /* "stranger|client|fetch", or NULL for a switch */
        const char *manual;
} OperationOption;

typedef struct OperationColumn {
        const char *key, *title;        /* of the row's JSON object; title of the table */
} OperationColumn;

typedef struct Operation {
        const char *noun, *verb;        /* verb NULL for single words: trace, verify, check, inject */
        const char *summary;            /* one line, for help */
        const char *manual;             /* paragraphs, for the man page */
        const char *example;
        OperationArg args[6];
        OperationOption options[8];
        const KeyManual *keys;          /* key=value arguments taken, or NULL */
        OperationColumn columns[10];    /* of rows; none: values are printed as `key: value` lines */
        gboolean wants_password;        /* one line from standard input (a prompt on a terminal) */
        gboolean wants_message;         /* all of standard input, streamed */
        gboolean is_for_everyone;       /* also for users who are neither root nor the server's (inject as oneself) */
        AdminResult (*run)(AdminCall *call);
} Operation;

extern const Operation ADMIN_OPERATIONS[];
const Operation *admin_find(const char *noun, const char *verb);

/* From handlers. */
const AdminRooms *admin_rooms(const AdminCall *call);
Arena *admin_arena(const AdminCall *call);
const char *admin_arg(const AdminCall *call, const char *name, gsize nth);      /* NULL: not given */
const char *admin_option(const AdminCall *call, const char *name);              /* switches: "" when given */
gsize admin_pairs(const AdminCall *call, const KeyValue **ret);
const char *admin_password(const AdminCall *call);                              /* NULL: none came */
gssize admin_read(AdminCall *call, void *buffer, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;  /* standard input; 0 at its end */
const char *admin_who(const AdminCall *call);                                   /* "root", "uid 1000": for history and inject */
guint admin_uid(const AdminCall *call);
void admin_row(AdminCall *call, json_t *take_row);              /* one row or the one object of the answer; may be sent at once */
void admin_warn(AdminCall *call, const char *format, ...) G_GNUC_PRINTF(2, 3); /* to the person, beside the answer */
AdminResult admin_refuse(AdminCall *call, const char *format, ...) G_GNUC_PRINTF(2, 3);
AdminResult admin_usage(AdminCall *call, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The socket: DIR/data/control. Peers are known by SO_PEERCRED; full rights only for root and the server's user. */
typedef struct Control Control;
int control_listen(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;                 /* by the keeper */
Control *control_take_fd(int fd, const AdminRooms *rooms, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void control_free(Control *control);    /* waits for running calls */

/* Run a call without a socket: the command line when no server is running. */
typedef struct AdminOutput {
        void (*row)(const json_t *row, gpointer data);
        void (*warning)(const char *text, gpointer data);
        gssize (*read)(void *buffer, gsize len, gpointer data);
        gpointer data;
} AdminOutput;
typedef struct AdminRequest {
        const Operation *operation;
        const char *const *args;        /* NULL-terminated, positional and key=value and options as typed */
        const char *password;
        guint uid;
} AdminRequest;
/* *ret_reason: g_free, set when refused or usage. */
AdminResult admin_run(const AdminRooms *rooms, const AdminRequest *request, const AdminOutput *output, char **ret_reason);
/* The same through the socket. FAULT_IO: nobody answers there. */
gboolean control_call(const char *path, const AdminRequest *request, const AdminOutput *output, AdminResult *ret, char **ret_reason,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* admin.h -- the one table of everything an administrator can do, and the socket it is asked through.
 *
 * An Operation has a name (noun and verb, as on the command line), arguments, a handler and its manual. The command line,
 * the control socket, the man pages, and later the REST API and the web pages are all made from this table; none knows an operation that is not in it.
 *
 * Answers are JSON values; for people the operation's columns say how they become a table or lines. With --json they are
 * printed as they are.
 *
 * The control protocol, one call a connection: the server greets with a line {"restante": 1}; the client sends one line
 * {"operation": "domain add", "args": [...], "password": "..."}, then, for operations that want a message, pieces
 * "LENGTH\n" + octets up to a "0\n"; the server sends lines {"row": ...}, {"warning": "..."}, {"result": ...}, {"octets": LENGTH} with so many octets behind
 * it, and at last {"done": 0|1|2, "reason": "..."}. Without that last line nobody knows whether it was done.
 *
 * Threads  handlers run on a thread of the control socket's own; any number side by side.
 * Memory   requests are bounded: 64 KiB of arguments; standard input is streamed in pieces.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
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
        gboolean is_optional, is_repeated;      /* repeated: the last one only */
        const char *manual;
} OperationArg;

typedef struct OperationOption {
        const char *name;       /* "--origin" */
        const char *value;      /* "stranger|client|fetch", or NULL for a switch */
        const char *manual;
} OperationOption;

typedef enum ColumnKind {
        COLUMN_TEXT = 0,
        COLUMN_NUMBER,          /* right-aligned */
        COLUMN_SIZE,            /* octets, shown as 4.2K */
        COLUMN_TIME,            /* ISO in JSON, local time for people */
        COLUMN_SENDER,          /* "" is shown as <> */
        COLUMN_YES_NO,
} ColumnKind;

typedef struct OperationColumn {
        const char *key, *title;        /* of the JSON object; title of the column or line */
        ColumnKind kind;
        guint width;                    /* of rows that are printed as they come; 0: 12 */
} OperationColumn;

#define OPERATION_ARGS    6
#define OPERATION_OPTIONS 8
#define OPERATION_COLUMNS 14

typedef struct Operation {
        const char *noun, *verb;        /* verb NULL for single words: trace, verify, check, inject; "add group" is one verb */
        const char *summary;            /* one line, for help */
        const char *manual;             /* paragraphs, for the man page */
        const char *example;
        OperationArg args[OPERATION_ARGS];
        OperationOption options[OPERATION_OPTIONS];
        const KeyManual *keys;          /* key=value arguments taken, or NULL */
        OperationColumn columns[OPERATION_COLUMNS];     /* of rows, or of the result's lines */
        gboolean is_list;               /* answers rows, as a table (with columns) or as blocks of lines */
        const char *rows;               /* answers a result, and before it rows, which are printed as they come and
                                           stand under this key of the result with --json */
        gboolean wants_password;        /* one line from standard input (a prompt on a terminal) */
        gboolean is_new_password;       /* asked for twice on a terminal */
        const char *password_option;    /* the password is read only with this option; NULL: always */
        gboolean wants_message;         /* all of standard input, streamed */
        gboolean is_for_everyone;       /* also for users who are neither root nor the server's (inject as oneself) */
        AdminResult (*run)(AdminCall *call);            /* NULL: the command line does it itself, by calls of ADMIN_TRANSFERS */
} Operation;

extern const Operation *const ADMIN_OPERATIONS[];       /* NULL-terminated; operations of a noun stand together */
/* What import and export are made of: calls of the command line, which reads and writes the files, since the server opens no path that a client names.
 * They are no commands; their manual is operations_transfer.c. */
extern const Operation *const ADMIN_TRANSFERS[];        /* NULL-terminated */
extern const Operation IMPORT_MAILDIR, IMPORT_MBOX, IMPORT_IMAP, EXPORT_MAILDIR, EXPORT_MBOX;     /* what the command line does itself */
extern const Operation TRANSFER_BEGIN, TRANSFER_APPEND, TRANSFER_END, TRANSFER_FORGET, TRANSFER_LIST, TRANSFER_READ;
const Operation *admin_find(const char *noun, const char *verb);
/* "domain add": at least 64 octets. */
const char *operation_name(const Operation *operation, char *buffer, gsize size);
/* "domain add NAME [key=value...]" */
char *operation_usage(const Operation *operation) G_GNUC_WARN_UNUSED_RESULT;

/* From handlers. */
const AdminRooms *admin_rooms(const AdminCall *call);
const Operation *admin_operation(const AdminCall *call);
Arena *admin_arena(const AdminCall *call);
const char *admin_arg(const AdminCall *call, const char *name, gsize nth);      /* NULL: not given */
gsize admin_n_args(const AdminCall *call, const char *name);                    /* how often */
const char *admin_option(const AdminCall *call, const char *name);              /* switches: "" when given */
gsize admin_pairs(const AdminCall *call, const KeyValue **ret);
const char *admin_pair(const AdminCall *call, const char *key);                 /* NULL: not given */
const char *admin_password(const AdminCall *call);                              /* NULL: none came */
gssize admin_read(AdminCall *call, void *buffer, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;  /* standard input; 0 at its end */
const char *admin_who(const AdminCall *call);                                   /* "root", "uid 1000": for history and inject */
guint admin_uid(const AdminCall *call);
gboolean admin_is_full(const AdminCall *call);                                  /* root or the server's own user */
void admin_row(AdminCall *call, json_t *take_row);              /* one of the rows; may be sent at once */
void admin_result(AdminCall *call, json_t *take_object);        /* the object of the answer */
gboolean admin_octets(AdminCall *call, Span octets);            /* of a message that is handed out; FALSE: nobody takes them any more */
void admin_warn(AdminCall *call, const char *format, ...) G_GNUC_PRINTF(2, 3); /* to the person, beside the answer */
AdminResult admin_refuse(AdminCall *call, const char *format, ...) G_GNUC_PRINTF(2, 3);
AdminResult admin_usage(AdminCall *call, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The socket. Peers are known by SO_PEERCRED; full rights only for root and the server's user. Its path stands in
 * restante.conf (beside the data directory, which nobody else may enter). */
typedef struct Control Control;
/* By the keeper. A socket left by a dead server is replaced; one that answers is FAULT_BUSY. */
int control_listen(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* fd is taken over in any case; `rooms` must outlive the control. */
Control *control_take_fd(int fd, const AdminRooms *rooms, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void control_set_rooms(Control *control, const AdminRooms *rooms);      /* for calls that come from now on; both live on */
void control_free(Control *control);    /* waits for running calls; NULL is fine */

/* Run a call without a socket: the command line when no server is running. */
typedef struct AdminOutput {
        void (*row)(const json_t *row, gpointer data);
        void (*result)(const json_t *object, gpointer data);
        void (*warning)(const char *text, gpointer data);
        gssize (*read)(void *buffer, gsize len, gpointer data);         /* -1: it can't be read */
        gpointer data;
        gboolean (*octets)(Span octets, gpointer data);                 /* FALSE: no more of them; NULL: they are dropped */
} AdminOutput;
typedef struct AdminRequest {
        const Operation *operation;
        const char *const *args;        /* NULL-terminated, positional and key=value and options as typed */
        const char *password;
        guint uid;
} AdminRequest;
/* Are these the operation's arguments? FALSE: *ret_reason says what is wrong. The command line asks before it asks for passwords. */
gboolean admin_check_args(const Operation *operation, const char *const *args, char **ret_reason);
/* *ret_reason: g_free, set when refused or usage. */
/* An operation that the command line does itself: run(call, data) with its arguments; the call has no rooms. */
AdminResult admin_run_here(const AdminRequest *request, AdminResult (*run)(AdminCall *call, gpointer data), gpointer data,
                           const AdminOutput *output, char **ret_reason);
AdminResult admin_run(const AdminRooms *rooms, const AdminRequest *request, const AdminOutput *output, char **ret_reason);
/* The same through the socket. FALSE: FAULT_IO nobody answers there; FAULT_BUSY somebody listens but is not ready within
 * 10 s; FAULT_INTERNAL the connection was lost on the way, so that what was asked may be done or not. */
gboolean control_call(const char *path, const AdminRequest *request, const AdminOutput *output, AdminResult *ret, char **ret_reason,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

extern const LogEvent ADMIN_EVENTS[];   /* for the manual; name NULL ends it */

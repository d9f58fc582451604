/* internal.h -- what the files of admin/ share. */
#pragma once

#include "admin/admin.h"
#include "store/mailbox.h"

/* Arguments as the operation's table reads them. */
typedef struct AdminArgs {
        const char **positional;
        gsize n_positional;
        KeyValue *pairs;
        gsize n_pairs;
        const char *options[OPERATION_OPTIONS];         /* NULL: not given */
} AdminArgs;

#define ADMIN_ARGS_MAX   4096
#define ADMIN_ARGS_OCTETS (64 * 1024)

/* FALSE: *ret_reason says what is wrong, the usage line included. args_clear() in any case. */
gboolean args_parse(const Operation *operation, const char *const *args, AdminArgs *ret, char **ret_reason);
void args_clear(AdminArgs *args);

/* A change, its row of history and its log line: one transaction. fn runs as often as needed and touches only txn. */
typedef Change (*ChangeFn)(AdminCall *call, DbTxn *txn, gpointer data, GError **error);
typedef struct AdminChange {
        const char *object;             /* "joe@uk.example.com" */
        json_t *before, *after;         /* borrowed; NULL: nothing. Never secrets */
        ChangeFn fn;
        gpointer data;
} AdminChange;
AdminResult admin_change(AdminCall *call, const AdminChange *change) G_GNUC_WARN_UNUSED_RESULT;
/* The same row, for handlers that keep their own transaction. */
gboolean history_add(AdminCall *call, DbTxn *txn, const AdminChange *change, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void history_log(AdminCall *call, const AdminChange *change);
AdminResult admin_answer(AdminCall *call, Change answer, const AdminChange *change, GError *error);

/* Pieces of JSON. */
json_t *json_span(Span s);                              /* a string; what is no UTF-8 becomes U+FFFD */
json_t *json_text(const char *text);                    /* NULL: null */
json_t *json_time(Usec real);                           /* 0: null */
json_t *json_address(Arena *arena, const Address *a);
json_t *json_addresses(Arena *arena, const Address *a, gsize n);
json_t *json_strings(const char *const *texts, gsize n);
json_t *json_id(Id id);
json_t *json_pairs(const KeyValue *pairs, gsize n);     /* a key given again: an array */
void json_put(json_t *object, const char *key, json_t *take_value);

/* An argument that is an address; FALSE: *ret_result is the answer already. */
gboolean admin_address(AdminCall *call, const char *text, Address *ret, AdminResult *ret_result);

/* The option --since, a time or an age; 0 without it. FALSE: it is neither, and *ret_result says so. */
gboolean admin_since(AdminCall *call, Usec *ret, AdminResult *ret_result);
#define ADMIN_SINCE "a date (2026-01-31, 2026-01-31T12:00) or an age (10m, 2h, 3d)"

/* A domain whose objects are listed; FALSE: there is none of that name, and *ret_result says so. */
gboolean admin_has_domain(AdminCall *call, const char *name, AdminResult *ret_result);
/* Warn of names in a list that are no domains here: "NAME is no domain here: SO". Each name ends at a comma; of REMOTE:LOCAL the last part
 * counts. text: NULL is none. */
void admin_warn_domains(AdminCall *call, const char *text, const char *so);

/* The account that the argument ADDRESS means, as who looks; FALSE: *ret_result is the answer already. */
gboolean admin_viewer(AdminCall *call, Viewer *ret, AdminResult *ret_result);
/* Every MailboxAnswer in words; name: as typed. */
AdminResult admin_mailbox_answer(AdminCall *call, MailboxAnswer answer, const char *name, const GError *error);

/* Does the domain's MX point elsewhere? A sentence for the administrator, or NULL. Asks the DNS, at most until the deadline. */
const char *check_domain_mx(const AdminRooms *rooms, Arena *arena, const char *domain, Usec deadline);

/* Wire: length-bounded lines and pieces over a non-blocking socket, each call with a deadline (monotonic). */
#define WIRE_LINE_MAX (1024 * 1024)
#define WIRE_PIECE_MAX (64 * 1024)
typedef struct Wire {
        int fd;
        GByteArray *in;         /* read ahead */
        gsize used;             /* of in */
} Wire;
void wire_init(Wire *wire, int fd);
void wire_done(Wire *wire);     /* closes */
/* A line without its end; *ret lives until the next read. FALSE: closed, too long or the deadline. */
gboolean wire_read_line(Wire *wire, gsize max, Usec deadline, Span *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gssize wire_read(Wire *wire, void *buffer, gsize len, Usec deadline, GError **error) G_GNUC_WARN_UNUSED_RESULT;  /* 0: closed */
gboolean wire_write(Wire *wire, Span octets, Usec deadline, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean wire_write_json(Wire *wire, json_t *take_value, Usec deadline, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean wire_has_input(Wire *wire);    /* something can be read now, or the end */
/* One line of JSON that is an object nested at most `depth` deep; NULL otherwise. */
json_t *wire_parse(Span line, guint depth);

enum {                                  /* of ADMIN_EVENTS */
        ADMIN_EVENT_CHANGED = 0,
        ADMIN_EVENT_REFUSED,
};

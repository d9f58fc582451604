/* history.c -- every change is recorded with itself: who, when, before, after; never secrets. */
#include "admin/internal.h"
#include "base/text.h"

DB_SQL(INSERT_HISTORY, "INSERT INTO history (at, who, operation, object, before, after) VALUES (?, ?, ?, ?, ?, ?)");

static char *
json_compact(const json_t *value)
{
        return value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}

gboolean
history_add(AdminCall *call, DbTxn *txn, const AdminChange *change, GError **error)
{
        char name[64];
        char *before = json_compact(change->before);
        char *after = json_compact(change->after);
        gboolean is_done =
                db_run(txn, &INSERT_HISTORY, error, "isssss", (gint64) clock_real(), admin_who(call),
                       operation_name(admin_operation(call), name, sizeof(name)), change->object, before, after);

        free(before);
        free(after);
        return is_done;
}

void
history_log(AdminCall *call, const AdminChange *change)
{
        char name[64];

        log_event(&ADMIN_EVENTS[ADMIN_EVENT_CHANGED], "who=%s operation=%s object=%s",
                  log_text(span_of(admin_who(call))),
                  log_text(span_of(operation_name(admin_operation(call), name, sizeof(name)))),
                  log_text(span_of(change->object)));
}

/* What the objects of an operation are called. */
static const char *
change_noun(const AdminCall *call)
{
        const char *noun = admin_operation(call)->noun;

        return strcmp(noun, "fetch") == 0 ? "source" : noun;
}

AdminResult
admin_answer(AdminCall *call, Change answer, const AdminChange *change, GError *error)
{
        if (answer == CHANGE_DONE)
                return ADMIN_DONE;
        if (error != NULL)
                return admin_refuse(call, "%s", error->message);
        if (answer == CHANGE_EXISTS)
                return admin_refuse(call, "%s exists already", change->object);
        if (answer == CHANGE_MISSING)
                return admin_refuse(call, "there is no %s %s", change_noun(call), change->object);
        return admin_refuse(call, answer == CHANGE_IN_USE ? "something still needs %s" : "%s could not be changed",
                            change->object);
}

/* One try. */
static DbCommit
change_once(AdminCall *call, const AdminChange *change, Change *ret_answer, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin(admin_rooms(call)->db, error);

        *ret_answer = CHANGE_FAILED;
        if (txn == NULL)
                return DB_FAILED;
        *ret_answer = change->fn(call, txn, change->data, error);
        if (*ret_answer != CHANGE_DONE)
                return DB_FAILED; /* leaving the scope rolls back */
        *ret_answer = CHANGE_FAILED;
        if (!history_add(call, txn, change, error))
                return DB_FAILED;
        return db_take_commit(g_steal_pointer(&txn), error);
}

AdminResult
admin_change(AdminCall *call, const AdminChange *change)
{
        for (;;) {
                g_autoptr(GError) error = NULL;
                Change answer;

                switch (change_once(call, change, &answer, &error)) {
                case DB_AGAIN:
                        continue;
                case DB_COMMITTED:
                        history_log(call, change);
                        return ADMIN_DONE;
                case DB_FAILED:
                        return admin_answer(call, answer, change, error);
                }
        }
}

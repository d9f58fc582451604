/* transfer.h -- import and export: operations that the command line does itself, by calls of the server.
 *
 * This process reads and writes the foreign files and talks to the foreign server; the site is reached through calls (ADMIN_TRANSFERS), each of which is whole
 * on disk or has not happened. Ctrl-C or SIGTERM ends it behind the batch that is under way; a second one at once, which loses nothing either.
 *
 * Threads  one.
 */
#pragma once

#include "app/progress.h"
#include "app/reach.h"
#include "transfer/transfer.h"

/* One that has no handler in the server. Prints its answer; exit status. */
int transfer_run(const Settings *settings, const AdminRequest *request, gboolean as_json);

/* Of one run. */
typedef struct Transfer {
        AdminCall *call;
        const Settings *settings;
        Reach *reach;
        Progress *progress;
        const char *address;            /* of the account */
        const char *password;
} Transfer;

/* What a call answered. */
typedef struct TransferAnswer {
        json_t *rows, *result;          /* result NULL: none */
} TransferAnswer;
void transfer_answer_clear(TransferAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TransferAnswer, transfer_answer_clear)

/* A call; words: NULL-terminated. read, data: as AdminOutput's, NULL for those without a message. Anything but ADMIN_DONE has been said with admin_refuse(). */
AdminResult transfer_ask(Transfer *t, const Operation *operation, const char *const *words, gssize (*read)(void *, gsize, gpointer),
                         gpointer data, TransferAnswer *ret) G_GNUC_WARN_UNUSED_RESULT;
/* To the person, past the progress line. */
void transfer_warn(Transfer *t, const char *format, ...) G_GNUC_PRINTF(2, 3);
gboolean transfer_is_stopped(void);

AdminResult transfer_import(Transfer *t);
AdminResult transfer_export(Transfer *t);

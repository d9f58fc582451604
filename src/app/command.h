/* command.h -- the front of every operation: words of the command line -> a call -> what it answers.
 *
 * Asks the server of the site through its control socket; with no server running, opens the site itself under its lock. Waits up
 * to 10 s for a site that is starting or in use.
 */
#pragma once

#include "admin/admin.h"

/* args: behind the operation's name. Exit status. message: descriptor to read the message from, for operations that want one. */
int command_run(const Operation *operation, const char *const *args, const char *config, gboolean as_json, int message);

/* "restante: TEXT" on stderr, one line. */
void command_complain(const char *format, ...) G_GNUC_PRINTF(1, 2);

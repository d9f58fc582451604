/* serve.h -- the server process: all rooms, all doors.
 *
 * Called in the child of the keeper, before any thread: drops to its user, enters the sandbox, opens the site, serves the listening
 * descriptors, and returns its exit status: 0 ended in order, 1 could not start (said on stderr). Rooms end the process with 3 when a
 * disk does not take what was written.
 */
#pragma once

#include "app/keeper.h"

/* control and keeper are taken over, like the listening descriptors; settings are the caller's. */
int serve_main(const Settings *settings, const Listening *listening, guint n, int control, int keeper);

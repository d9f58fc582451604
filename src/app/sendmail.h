/* sendmail.h -- what programs expect of /usr/sbin/sendmail, over `inject`. */
#pragma once

#include <glib.h>

/* Exit status: 0 taken, 1 not (64 EX_USAGE for wrong options, as programs expect it). */
int sendmail_run(int argc, char **argv, const char *config, gboolean as_json);

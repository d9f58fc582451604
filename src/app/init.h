/* init.h -- `restante init`: a site where there was none. */
#pragma once

#include <glib.h>

/* Exit status. */
int init_run(int argc, char **argv, const char *config, gboolean as_json);

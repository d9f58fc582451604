/* check.h -- what `check` says that only the program knows: settings, certificate. */
#pragma once

#include <glib.h>

/* AdminRooms.check; app is the SiteRooms. */
void check_settings(void (*add)(const char *level, const char *text, gpointer data), gpointer data, gpointer app);

/* reach.h -- many calls to one site: of its server, or, when none runs, of a process of our own that has it open meanwhile.
 *
 * That process becomes the owner of the site; the one that calls keeps its rights, which it needs for foreign files. Both end together.
 *
 * Threads  one; reach_open() before any other thread is made.
 */
#pragma once

#include "admin/admin.h"
#include "app/settings.h"

typedef struct Reach Reach;

/* Waits up to 10 s for a site that is starting or in use: FAULT_BUSY then. settings outlive it. */
Reach *reach_open(const Settings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* As control_call(). */
gboolean reach_call(Reach *reach, const Operation *operation, const char *const *args, const AdminOutput *output, AdminResult *ret,
                    char **ret_reason, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void reach_close(Reach *reach); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reach, reach_close)

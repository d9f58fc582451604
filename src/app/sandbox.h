/* sandbox.h -- what the server process can't do any more, whatever it is made to try (RELIABILITY.md §3).
 *
 * Landlock: only the named directories, and what name resolution, time zones and certificate stores need. seccomp: no exec (the process is
 * killed), no new process, no tracing, mounting, namespaces, modules and the like (refused). Entered before the first thread; each is left
 * out where the kernel has none of it.
 */
#pragma once

#include "base/error.h"

typedef struct SandboxReport {
        int landlock_abi;       /* 0: none */
        gboolean has_seccomp;
} SandboxReport;

/* Make the C library load what it would look for later (name services, character sets, time zone). */
void sandbox_preload(void);

/* write, read: paths below which files may be written, or only read; NULL-terminated. For good. */
gboolean sandbox_enter(const char *const *write, const char *const *read, SandboxReport *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

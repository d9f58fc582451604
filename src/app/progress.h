/* progress.h -- how far a transfer is: one line on a terminal, drawn again and again; nothing where there is no terminal.
 *
 * Threads  one.
 */
#pragma once

#include "base/clock.h"

#include <glib.h>
#include <stdio.h>

typedef struct ProgressState {
        const char *folder;             /* as ours */
        guint nth, n_folders;           /* from 1 */
        guint64 messages, total;        /* of this folder */
        guint64 octets, octets_total;   /* octets_total 0: not known */
        Usec elapsed;                   /* of this folder */
} ProgressState;

/* The line, at most `columns` wide: "Work/2026  [#####.....]  1234 of 5000  812/s  2.3M/s  0:05 left  (3 of 17)". g_free. */
char *progress_line(const ProgressState *state, guint columns) G_GNUC_WARN_UNUSED_RESULT;

typedef struct Progress Progress;
/* out: standard error. */
Progress *progress_new(FILE *out) G_GNUC_WARN_UNUSED_RESULT;
void progress_free(Progress *progress); /* takes the line away; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Progress, progress_free)
void progress_folder(Progress *progress, const char *folder, guint nth, guint n_folders, guint64 total, guint64 octets_total);
void progress_at(Progress *progress, guint64 messages, guint64 octets); /* of the folder; draws at most ten times a second */
/* Something else is printed now; the line comes back with the next progress_at(). */
void progress_clear(Progress *progress);

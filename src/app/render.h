/* render.h -- answers of operations for people (tables, lines) and for machines (JSON), by the operation's columns.
 *
 * Rows of a list are gathered so that columns fit; rows of an operation that reports as it goes (Operation.rows) are printed at once.
 *
 * Threads  one. Output goes to stdout; a failed write is reported by render_end().
 */
#pragma once

#include "admin/admin.h"

#include <stdio.h>

typedef struct Render Render;

Render *render_new(const Operation *operation, gboolean as_json, FILE *out) G_GNUC_WARN_UNUSED_RESULT;
void render_row(Render *render, const json_t *row);
void render_result(Render *render, const json_t *object);
/* Everything that waits is printed. is_done: an empty list is `[]` in JSON; after a refusal nothing is added. FALSE: stdout would not
 * take it. */
gboolean render_end(Render *render, gboolean is_done);
void render_free(Render *render);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Render, render_free)

/* "4.2K" into at least 16 octets. */
const char *render_size(guint64 octets, char *buffer, gsize size);

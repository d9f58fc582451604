/* json.h -- JSON that others wrote, as jansson's values.
 *
 * jansson recurses, so the depth is counted before it reads: the stack stays flat whatever comes. Names that stand twice in an object,
 * NULs in strings and numbers out of range are refused with the whole text: what one reader takes and another leaves out is how
 * checks are passed by.
 *
 * Threads  any. Memory: on the heap, up to some fifty times the text; json_decref(), or json_auto_t.
 * RFC      8259.
 */
#pragma once

#include "base/span.h"

#include <jansson.h>

/* An object, nested at most `depth` deep (itself is 1), with nothing but white space behind it. NULL: anything else. */
json_t *json_read_object(Span text, guint depth) G_GNUC_WARN_UNUSED_RESULT;

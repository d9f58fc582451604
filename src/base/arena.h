/* arena.h -- memory of one command or one message, released in one go.
 *
 * An arena has a maximum from birth. An allocation that would pass it gives NULL and makes the arena `over` for good;
 * parsers answer that as "too complex", never as a crash. When the machine has no memory left within the maximum, a small
 * allocation ends the process and one over 64 KiB makes the arena `over`. Results are aligned to 16 octets.
 *
 * Threads  one arena belongs to one thread at a time.
 * Memory   the first chunk is taken at the first allocation; an arena at rest after arena_reset() keeps at most one.
 */
#pragma once

#include "base/span.h"

typedef struct Arena Arena;

Arena *arena_new(gsize max_octets) G_GNUC_WARN_UNUSED_RESULT;
void arena_free(Arena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Arena, arena_free)

/* Forget everything allocated so far, and the `over` mark. */
void arena_reset(Arena *arena);

/* Uninitialised octets, or NULL when the arena is over its maximum. */
void *arena_alloc(Arena *arena, gsize octets);
void *arena_alloc0(Arena *arena, gsize octets);
#define arena_new_array(arena, Type, n) ((Type *) arena_alloc_array((arena), sizeof(Type), (n)))
#define arena_new0(arena, Type)         ((Type *) arena_alloc0((arena), sizeof(Type)))

/* n * size zeroed octets with the multiplication checked; NULL when over or overflowing. */
void *arena_alloc_array(Arena *arena, gsize size, gsize n);

/* Copies. arena_copy() of an empty span is empty and never fails; on failure the copy is empty with data NULL. */
Span arena_copy(Arena *arena, Span s);
const char *arena_strdup(Arena *arena, const char *text);
const char *arena_strndup(Arena *arena, Span s);       /* NUL-terminated; NULs inside become '?' */
/* Texts one behind the other; the last argument is NULL. */
const char *arena_join(Arena *arena, const char *first, ...) G_GNUC_NULL_TERMINATED;
const char *arena_printf(Arena *arena, const char *format, ...) G_GNUC_PRINTF(2, 3);

gboolean arena_is_over(const Arena *arena);
gsize arena_used_octets(const Arena *arena);

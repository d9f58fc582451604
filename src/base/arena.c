#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

/* Chunks double from the first to the largest; what would take more than half of one gets a chunk of its own. The first
 * is small because a session keeps it while it is parked. */
#define CHUNK_FIRST_OCTETS 2048
#define CHUNK_MOST_OCTETS  ((gsize) 64 * 1024)
#define ALIGN_OCTETS       ((gsize) 16)

/* Under AddressSanitizer what is not handed out is poisoned, with a gap behind every allocation, so that a parser that
 * reads past its arena copy is caught like one that reads past malloc(). */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_HIDE(at, octets) ASAN_POISON_MEMORY_REGION(at, octets)
#define ARENA_SHOW(at, octets) ASAN_UNPOISON_MEMORY_REGION(at, octets)
#define GAP_OCTETS             ALIGN_OCTETS
#else
#define ARENA_HIDE(at, octets) ((void) 0)
#define ARENA_SHOW(at, octets) ((void) 0)
#define GAP_OCTETS             ((gsize) 0)
#endif

typedef struct Chunk {
        struct Chunk *older;
        gsize room;             /* octets in `data` */
        _Alignas(16) guint8 data[];
} Chunk;

struct Arena {
        gsize max_octets;
        gsize used_octets;      /* handed out, rounded up to the alignment */
        guint8 *at;             /* free part of the newest chunk */
        guint8 *end;
        Chunk *newest;
        gsize next_octets;      /* size of the next ordinary chunk */
        gboolean over;
};

Arena *
arena_new(gsize max_octets)
{
        Arena *arena = g_new0(Arena, 1);

        arena->max_octets = MIN(max_octets, G_MAXSIZE / 2); /* sums of sizes can't overflow */
        arena->next_octets = CHUNK_FIRST_OCTETS;
        return arena;
}

static void
chunk_free(Chunk *chunk)
{
        ARENA_SHOW(chunk->data, chunk->room);
        g_free(chunk);
}

void
arena_free(Arena *arena)
{
        if (arena == NULL)
                return;
        for (Chunk *chunk = arena->newest, *older; chunk != NULL; chunk = older) {
                older = chunk->older;
                chunk_free(chunk);
        }
        g_free(arena);
}

static void
arena_open_chunk(Arena *arena, Chunk *chunk)
{
        ARENA_HIDE(chunk->data, chunk->room);
        arena->newest = chunk;
        arena->at = chunk->data;
        arena->end = chunk->data + chunk->room;
}

/* Keeps the first ordinary chunk, if there is one. */
void
arena_reset(Arena *arena)
{
        Chunk *kept = NULL;

        for (Chunk *chunk = arena->newest, *older; chunk != NULL; chunk = older) {
                older = chunk->older;
                if (kept == NULL && chunk->room == CHUNK_FIRST_OCTETS)
                        kept = chunk;
                else
                        chunk_free(chunk);
        }
        arena->used_octets = 0;
        arena->over = FALSE;
        arena->next_octets = CHUNK_FIRST_OCTETS;
        arena->newest = NULL;
        arena->at = arena->end = NULL;
        if (kept != NULL) {
                kept->older = NULL;
                arena->next_octets *= 2;
                arena_open_chunk(arena, kept);
        }
}

static Chunk *
chunk_new(gsize room)
{
        gsize octets = sizeof(Chunk) + room;
        Chunk *chunk = octets > CHUNK_MOST_OCTETS ? g_try_malloc(octets) : g_malloc(octets);

        if (chunk == NULL)
                return NULL;
        chunk->older = NULL;
        chunk->room = room;
        return chunk;
}

/* A big allocation gets a chunk behind the newest one, whose rest stays in use. */
static guint8 *
arena_alloc_own(Arena *arena, gsize octets)
{
        Chunk *chunk = chunk_new(octets);

        if (chunk == NULL)
                return NULL;
        if (arena->newest == NULL) {
                arena->newest = chunk;
        } else {
                chunk->older = arena->newest->older;
                arena->newest->older = chunk;
        }
        ARENA_HIDE(chunk->data, chunk->room);
        return chunk->data;
}

/* Octets at the start of free space, NULL when they are many and the machine has none. */
static guint8 *
arena_find(Arena *arena, gsize octets)
{
        if ((gsize) (arena->end - arena->at) < octets) {
                if (octets > arena->next_octets / 2)
                        return arena_alloc_own(arena, octets);

                Chunk *chunk = chunk_new(arena->next_octets);
                if (chunk == NULL)
                        return NULL;
                chunk->older = arena->newest;
                arena_open_chunk(arena, chunk);
                arena->next_octets = MIN(arena->next_octets * 2, CHUNK_MOST_OCTETS - sizeof(Chunk));
        }
        guint8 *place = arena->at;
        arena->at += octets;
        return place;
}

void *
arena_alloc(Arena *arena, gsize octets)
{
        gsize rounded = (MAX(octets, 1) + ALIGN_OCTETS - 1) & ~(ALIGN_OCTETS - 1);

        if (arena->over || rounded < octets || rounded > arena->max_octets - arena->used_octets) {
                arena->over = TRUE;
                return NULL;
        }
        guint8 *place = arena_find(arena, rounded + GAP_OCTETS);
        if (place == NULL) {
                arena->over = TRUE;
                return NULL;
        }
        arena->used_octets += rounded;
        ARENA_SHOW(place, octets);
        return place;
}

void *
arena_alloc0(Arena *arena, gsize octets)
{
        void *place = arena_alloc(arena, octets);

        return place != NULL ? memset(place, 0, octets) : NULL;
}

void *
arena_alloc_array(Arena *arena, gsize size, gsize n)
{
        gsize octets;

        if (__builtin_mul_overflow(size, n, &octets)) {
                arena->over = TRUE;
                return NULL;
        }
        return arena_alloc0(arena, octets);
}

Span
arena_copy(Arena *arena, Span s)
{
        if (s.len == 0)
                return SPAN_EMPTY;

        guint8 *copy = arena_alloc(arena, s.len);
        return copy != NULL ? span_make(memcpy(copy, s.data, s.len), s.len) : SPAN_EMPTY;
}

const char *
arena_strdup(Arena *arena, const char *text)
{
        return text != NULL ? arena_strndup(arena, span_of(text)) : NULL;
}

const char *
arena_strndup(Arena *arena, Span s)
{
        char *copy = s.len < G_MAXSIZE ? arena_alloc(arena, s.len + 1) : NULL;

        if (copy != NULL)
                span_to_text(s, copy);
        return copy;
}

const char *
arena_join(Arena *arena, const char *first, ...)
{
        va_list args;
        gsize octets = 1;

        va_start(args, first);
        for (const char *text = first; text != NULL; text = va_arg(args, const char *))
                octets += strlen(text);
        va_end(args);

        char *joined = arena_alloc(arena, octets), *at = joined;
        if (joined == NULL)
                return NULL;
        va_start(args, first);
        for (const char *text = first; text != NULL; text = va_arg(args, const char *))
                at = stpcpy(at, text);
        va_end(args);
        *at = '\0';
        return joined;
}

const char *
arena_printf(Arena *arena, const char *format, ...)
{
        char first[256];        /* most results fit: formatted once */
        va_list args;

        va_start(args, format);
        int length = vsnprintf(first, sizeof(first), format, args);
        va_end(args);
        g_return_val_if_fail(length >= 0, NULL);

        char *text = arena_alloc(arena, (gsize) length + 1);
        if (text == NULL)
                return NULL;
        if ((gsize) length < sizeof(first))
                return memcpy(text, first, (gsize) length + 1);
        va_start(args, format);
        vsnprintf(text, (gsize) length + 1, format, args);
        va_end(args);
        return text;
}

gboolean
arena_is_over(const Arena *arena)
{
        return arena->over;
}

gsize
arena_used_octets(const Arena *arena)
{
        return arena->used_octets;
}

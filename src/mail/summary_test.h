/* summary_test.h -- for the tests of the sections. */
#pragma once

#include "mail/summary.h"

#define TEST_BUDGET ((gsize) 8 * 1024 * 1024)

/* The summary of a message; everything in the arena. */
static inline Summary
summary_of_octets(Arena *arena, Span message)
{
        Structure structure;
        Summary summary;

        g_assert_true(message_parse(arena, message, &structure));
        g_assert_true(summary_make(arena, message, &structure, &summary));
        return summary;
}

static inline Summary
summary_of(Arena *arena, const char *message)
{
        return summary_of_octets(arena, span_of(message));
}

/* For SummaryWrite: to is a GString. */
static inline void
write_to_string(gpointer to, Span piece)
{
        g_string_append_len(to, (const char *) piece.data, (gssize) piece.len);
}

/* Every way to damage a section a little: ends it early and turns each of its octets around. */
typedef void (*TrySection)(Span section);

static inline void
try_damaged(Span section, TrySection try)
{
        for (gsize i = 0; i < section.len; i++) {
                g_autofree guint8 *copy = g_memdup2(section.data, section.len);
                g_autofree guint8 *cut = g_memdup2(section.data, i);

                try(span_make(cut, i));
                for (guint flip = 1; flip < 256; flip = flip * 2 + 1) {
                        copy[i] = (guint8) (section.data[i] ^ flip);
                        try(span_make(copy, section.len));
                }
        }
}

/* dot.c -- dot-stuffing and TOP. */
#include "pop3/dot.h"

void
dot_init(DotState *state)
{
        *state = (DotState){{'\r', '\n'}};
}

static gboolean
begins_line(const DotState *state, const guint8 *buffer, const guint8 *dot)
{
        return (dot == buffer ? state->last[1] : dot[-1]) == '\n';
}

/* The next dot that must be stuffed. Most bodies have few dots, so dots are looked for, not lines. */
static const guint8 *
next_dot(const DotState *state, const guint8 *buffer, const guint8 *from, const guint8 *end)
{
        while (from < end && (from = memchr(from, '.', (gsize) (end - from))) != NULL) {
                if (begins_line(state, buffer, from))
                        return from;
                from++;
        }
        return NULL;
}

/* The one before `end`, in octets that are not moved yet. */
static guint8 *
previous_dot(const DotState *state, guint8 *buffer, guint8 *end)
{
        while (end > buffer && (end = memrchr(buffer, '.', (gsize) (end - buffer))) != NULL)
                if (begins_line(state, buffer, end))
                        return end;
        return NULL;
}

static void
remember(DotState *state, const guint8 *buffer, gsize len)
{
        if (len == 0)
                return;
        state->last[0] = len > 1 ? buffer[len - 2] : state->last[1];
        state->last[1] = buffer[len - 1];
}

gsize
dot_stuff(DotState *state, guint8 *buffer, gsize len)
{
        const guint8 *end = buffer + len;
        gsize more = 0;

        if (len == 0)
                return 0;
        g_assert(buffer != NULL);
        for (const guint8 *dot = buffer; (dot = next_dot(state, buffer, dot, end)) != NULL; dot++)
                more++;

        /* From the end backwards every octet moves once. */
        guint8 *tail = buffer + len;
        for (gsize left = more; left > 0; left--) {
                guint8 *dot = previous_dot(state, buffer, tail);
                g_assert(dot != NULL); /* counted above */
                memmove(dot + left, dot, (gsize) (tail - dot));
                dot[left - 1] = '.';
                tail = dot;
        }
        remember(state, buffer, len + more);
        return len + more;
}

Span
dot_ending(const DotState *state)
{
        static const Span newline = {(const guint8 *) "\r\n", 2};

        return state->last[0] == '\r' && state->last[1] == '\n' ? SPAN_EMPTY : newline;
}

enum {
        LINE_EMPTY = 0,
        LINE_CR,
        LINE_TEXT,
};

void
top_init(TopState *state, guint64 lines)
{
        *state = (TopState){.lines_left = lines};
}

gboolean
top_is_done(const TopState *state)
{
        return state->in_body && state->lines_left == 0;
}

/* A line feed was reached. */
static void
end_line(TopState *state)
{
        if (state->in_body)
                state->lines_left--;
        else if (state->line != LINE_TEXT)
                state->in_body = TRUE;
        state->line = LINE_EMPTY;
}

static void
note_text(TopState *state, const guint8 *text, gsize len)
{
        if (len == 1 && *text == '\r' && state->line == LINE_EMPTY)
                state->line = LINE_CR;
        else if (len > 0)
                state->line = LINE_TEXT;
}

gsize
top_take(TopState *state, const guint8 *buffer, gsize len)
{
        const guint8 *at = buffer, *end = buffer + len;

        while (at < end && !top_is_done(state)) {
                const guint8 *lf = memchr(at, '\n', (gsize) (end - at));
                note_text(state, at, (gsize) ((lf != NULL ? lf : end) - at));
                if (lf == NULL)
                        return len;
                end_line(state);
                at = lf + 1;
        }
        return (gsize) (at - buffer);
}

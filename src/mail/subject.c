/* subject.c -- the base subject (RFC 5256 §2.1). */
#include "mail/text.h"

#include "mail/internal.h"

/* Steps (2) to (6) on one line whose white space is single spaces. Each takes something off an end, and a run of
 * "[blobs]" is looked at once. */
typedef struct Subject {
        Scan s; /* what is left */
        gboolean is_reply;
} Subject;

static gboolean
scan_blob(Scan *s)
{
        const guint8 *mark = scan_mark(s);

        if (!scan_octet(s, '['))
                return FALSE;
        while (!scan_at_end(s) && *s->at != '[' && *s->at != ']')
                s->at++;
        if (!scan_octet(s, ']')) {
                scan_rewind(s, mark);
                return FALSE;
        }
        scan_octet(s, ' ');
        return TRUE;
}

/* subj-refwd: "re", "fw" or "fwd", maybe a blob, and a colon. */
static gboolean
scan_refwd(Scan *s)
{
        Scan look = *s;

        if (!scan_word(&look, "re") && !scan_word(&look, "fwd") && !scan_word(&look, "fw"))
                return FALSE;
        scan_octet(&look, ' ');
        scan_blob(&look);
        if (!scan_octet(&look, ':'))
                return FALSE;
        *s = look;
        return TRUE;
}

static gboolean
ends_with(const Scan *s, const char *word)
{
        Span rest = scan_rest(s), end = span_of(word);

        return rest.len >= end.len && span_equal_nocase(span_slice(rest, rest.len - end.len, rest.len), end);
}

/* (2) */
static void
take_trailers(Subject *t)
{
        for (;;) {
                if (ends_with(&t->s, "(fwd)")) {
                        t->is_reply = TRUE;
                        t->s.end -= 5;
                } else if (ends_with(&t->s, " ")) {
                        t->s.end--;
                } else {
                        return;
                }
        }
}

/* (3) to (5): a run of blobs goes with the "re:" behind it; without one it goes too, but for the last when nothing
 * would be left. */
static void
take_leaders(Subject *t)
{
        for (;;) {
                const guint8 *last = NULL;

                scan_octet(&t->s, ' ');
                for (const guint8 *mark = scan_mark(&t->s); scan_blob(&t->s); mark = scan_mark(&t->s))
                        last = mark;
                if (scan_refwd(&t->s)) {
                        t->is_reply = TRUE;
                        continue;
                }
                if (last != NULL && scan_at_end(&t->s))
                        scan_rewind(&t->s, last);
                return;
        }
}

/* (6) */
static gboolean
take_forward(Subject *t)
{
        if (!ends_with(&t->s, "]") || !scan_word(&t->s, "[fwd:"))
                return FALSE;
        t->s.end--;
        t->is_reply = TRUE;
        return TRUE;
}

/* (1): white space of any kind single, in place of the copy. */
static Span
single_spaces(Arena *arena, Span text)
{
        guint8 *out = text.len > 0 ? arena_alloc(arena, text.len) : NULL;
        gsize n = 0;

        if (out == NULL)
                return SPAN_EMPTY;
        for (gsize i = 0; i < text.len; i++) {
                guint8 octet = octet_in(&CLASS_FOLD, text.data[i]) ? ' ' : text.data[i];

                if (octet != ' ' || n == 0 || out[n - 1] != ' ')
                        out[n++] = octet;
        }
        return span_make(out, n);
}

Span
text_base_subject(Arena *arena, Span body, gboolean *ret_is_reply)
{
        Span decoded = header_decode(arena, span_slice(body, 0, HEADER_DECODED_MAX));
        Subject t = {.s = scan_from(single_spaces(arena, decoded))};

        do {
                take_trailers(&t);
                take_leaders(&t);
        } while (take_forward(&t));
        *ret_is_reply = t.is_reply;
        return scan_rest(&t.s);
}

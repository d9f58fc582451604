/* received.c -- who wrote a Received line, and for whom (RFC 5321 §4.4).
 *
 * The line is read as pairs of word and value, because values are what a stranger chose: in `from by (...) by
 * mx.example` the first `by` is somebody's HELO. Words that are none of the known ones are passed over one by one.
 */
#include "fetch/internal.h"

#include "base/scan.h"

static const OctetClass SPACE = {{0x0000000100002600, 0, 0, 0}}; /* SP HTAB CR LF */

/* A comment with those inside it; one that never ends takes all the rest. */
static void
skip_comment(Scan *s)
{
        guint64 depth = 0;
        guint8 o;

        while (scan_any(s, &o)) {
                if (o == '\\')
                        (void) scan_skip(s, 1);
                else if (o == '(')
                        depth++;
                else if (o == ')' && --depth == 0)
                        return;
        }
}

static void
skip_space(Scan *s)
{
        while (!scan_at_end(s)) {
                scan_skip_run(s, &SPACE);
                if (scan_peek(s) != '(')
                        return;
                skip_comment(s);
        }
}

static void
skip_quoted(Scan *s)
{
        guint8 o;

        while (scan_any(s, &o) && o != '"')
                if (o == '\\')
                        (void) scan_skip(s, 1);
}

/* One word; quoted strings in it are one piece. FALSE at the semicolon of the date and at the end. */
static gboolean
next_word(Scan *s, Span *ret)
{
        skip_space(s);
        const guint8 *mark = scan_mark(s);

        while (!scan_at_end(s)) {
                int o = scan_peek(s);

                if (o == ';' || o == '(' || scan_peek_in(s, &SPACE))
                        break;
                (void) scan_skip(s, 1);
                if (o == '"')
                        skip_quoted(s);
        }
        *ret = scan_since(s, mark);
        return ret->len > 0;
}

void
received_read(Span body, Span *ret_by, Span *ret_for)
{
        Scan s = scan_from(body);
        Span word, value;

        *ret_by = *ret_for = SPAN_EMPTY;
        while (next_word(&s, &word)) {
                gboolean is_by = span_is(word, "by"), is_for = span_is(word, "for");

                if (!is_by && !is_for && !span_is(word, "from") && !span_is(word, "via") && !span_is(word, "with") &&
                    !span_is(word, "id"))
                        continue;
                if (!next_word(&s, &value))
                        return;
                if (is_by && ret_by->len == 0)
                        *ret_by = value;
                if (is_for && ret_by->len > 0 && ret_for->len == 0)
                        *ret_for = value;
        }
}

#include "mail/span_test.h"
#include "mail/text.h"

#include "base/text.h"

#define BUDGET ((gsize) 1024 * 1024)

static void
check(const char *text, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(BUDGET);
        Span once = text_fold(arena, span_of(text), 4096);

        assert_span(once, expected);
        assert_span(text_fold(arena, once, 4096), expected);
}

static void
test_ascii(void)
{
        check("", "");
        check("Hello, WORLD [\\]^_`{|}~@ 0123456789", "hello, world [\\]^_`{|}~@ 0123456789");
        check("a\r\nb \t\v\f c\n\n\nd  ", "a b c d ");
        check("  a", " a");
        check("a\x01"
              "b\x7f"
              "c\x1b",
              "abc");
        check("the quick brown fox jumps over the lazy dog THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
              "the quick brown fox jumps over the lazy dog the quick brown fox jumps over the lazy dog");
        check("exactly sixteen.  then two spaces.                and sixteen",
              "exactly sixteen. then two spaces. and sixteen");
}

static void
test_letters(void)
{
        check("STRASSE Stra\xc3\x9f"
              "e STRA\xe1\xba\x9e"
              "E",
              "strasse strasse strasse");
        check("\xc3\x84 A\xcc\x88 \xc3\xa4", "a\xcc\x88 a\xcc\x88 a\xcc\x88");
        /* Both lower sigmas are one; the dotless i is not the other i. */
        check("\xce\xa3\xcf\x83\xcf\x82", "\xcf\x83\xcf\x83\xcf\x83");
        check("\xc4\xb1I\xc4\xb0", "\xc4\xb1ii\xcc\x87");
        check("\xef\xac\x81\xef\xbc\xa1\xe2\x91\xa0\xc2\xbd", "fia1"
                                                              "1\xe2\x81\x84"
                                                              "2"); /* fi, wide A, circled 1, half */
        check("\xd0\x96\xd0\xa3\xd0\x9a", "\xd0\xb6\xd1\x83\xd0\xba");
        /* Marks in canonical order (UAX #15). */
        check("q\xcc\x87\x1d\xcc\xa3", "q\xcc\xa3\xcc\x87");
        check("q\xcc\x87\xcc\xa3 q\xcc\xa3\xcc\x87", "q\xcc\xa3\xcc\x87 q\xcc\xa3\xcc\x87");
}

static void
test_space_and_nothing(void)
{
        check("a\xc2\xa0\xe2\x80\x83 \xe3\x80\x80"
              "b\xe2\x80\xa8"
              "c",
              "a b c");
        check("in\xc2\xadvoice zero\xe2\x80\x8bwidth \xef\xbb\xbf"
              "BOM \xe2\x9d\xa4\xef\xb8\x8f",
              "invoice zerowidth bom \xe2\x9d\xa4");
        check("a \xe2\x80\x8b b", "a b");
        check("\xc2\x85", " ");
}

static void
test_broken(void)
{
        check("a\xff"
              "b\xc3",
              "a\xef\xbf\xbd"
              "b\xef\xbf\xbd");
        check("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
        check("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");
        check("\xe2\x82x", "\xef\xbf\xbd\xef\xbf\xbdx");
}

/* Folded `step` octets at a time. */
static GString *
fold_steps(Span text, gsize step)
{
        GString *out = g_string_new(NULL);
        guint8 room[TEXT_FOLD_ROOM_MIN];
        TextFolder f;

        text_folder_init(&f);
        for (gsize at = 0; at < text.len; at += step) {
                Scan in = scan_from(span_slice(text, at, at + step));

                while (!scan_at_end(&in))
                        g_string_append_len(out, (char *) room, (gssize) text_fold_piece(&f, &in, room, sizeof(room)));
        }
        return g_string_append_len(out, (char *) room, (gssize) text_fold_end(&f, room, sizeof(room)));
}

/* Every character folds to something that folds to itself, whichever way it takes: query and text always meet. */
static void
test_idempotent(void)
{
        g_autoptr(Arena) arena = arena_new(BUDGET);

        for (gunichar c = 1; c <= 0x10ffff; c++) {
                char text[16] = "a";
                gsize n = g_unichar_validate(c) ? 1 + (gsize) g_unichar_to_utf8(c, text + 1) : 0;

                if (n == 0)
                        continue;
                text[n++] = 'b';
                Span once = text_fold(arena, span_make(text, n), 256);
                Span twice = text_fold(arena, once, 256);
                g_autoptr(GString) steps = fold_steps(span_make(text, n), 1);
                g_assert_true(text_is_utf8(once) && span_equal(once, twice));
                g_assert_true(span_equal(once, span_make(steps->str, steps->len)));
                arena_reset(arena);
        }
}

/* However a text is cut, it folds to the same. */
static void
test_pieces(void)
{
        static const char text[] = "Stra\xc3\x9f"
                                   "e  \r\n q\xcc\x87\xcc\xa3 \xf0\x9f\x98\x80\xe2\x82\xff\xf0\x9f\x98 A long line "
                                   "of ASCII that is more than sixteen octets, for the fast way.\xc3";
        g_autoptr(Arena) arena = arena_new(BUDGET);
        Span whole = text_fold(arena, span_make(text, sizeof(text) - 1), 4096);

        for (gsize step = 1; step < sizeof(text); step++) {
                g_autoptr(GString) found = fold_steps(span_make(text, sizeof(text) - 1), step);

                assert_span(whole, found->str);
        }
}

/* Whatever stands at whatever place of sixteen octets: the slow way, octet by octet, says the same. */
static void
test_places(void)
{
        static const char *const odd[] = {" ",    "  ",       "\r\n", " \r\n ", "\t", "\x01",
                                          "\x7f", "\xc3\x84", "\xff", "Z@[`{",  ""};
        g_autoptr(Arena) arena = arena_new(BUDGET);

        for (gsize i = 0; i < G_N_ELEMENTS(odd) * G_N_ELEMENTS(odd); i++)
                for (gsize before = 0; before < 36; before++) {
                        g_autoptr(GString) text = g_string_new(NULL);

                        for (gsize k = 0; k < before; k++)
                                g_string_append_c(text, (char) ('A' + k % 26));
                        g_string_append(text, odd[i % G_N_ELEMENTS(odd)]);
                        g_string_append(text, "between");
                        g_string_append(text, odd[i / G_N_ELEMENTS(odd)]);
                        g_string_append(text, "Text behind it that is long enough for the fast way");
                        g_autoptr(GString) slow = fold_steps(span_make(text->str, text->len), 1);
                        assert_span(text_fold(arena, span_make(text->str, text->len), 4096), slow->str);
                        arena_reset(arena);
                }
}

/* Marks without end are ordered in groups, and cuts fall between characters. */
static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(BUDGET);
        g_autoptr(GString) marks = g_string_new("a");

        for (guint i = 0; i < 500; i++)
                g_string_append(marks, i % 2 == 0 ? "\xcc\x87" : "\xcc\xa3");
        Span once = text_fold(arena, span_make(marks->str, marks->len), 4096);
        g_assert_cmpuint(once.len, ==, marks->len);
        g_assert_true(span_equal(once, text_fold(arena, once, 4096)));
        g_assert_cmpuint(text_fold(arena, span_of("\xe2\x82\xac\xe2\x82\xac"), 5).len, ==, 3);
        g_assert_cmpuint(text_fold(arena, span_make(marks->str, marks->len), 100).len, ==, 99);
        g_assert_cmpuint(text_fold(arena, span_of("x"), 0).len, ==, 0);
}

static void
test_casemap(void)
{
        g_autoptr(Arena) arena = arena_new(BUDGET);

        assert_span(text_casemap(arena, span_of("aZ z09~"), 100), "AZ Z09~");
        assert_span(text_casemap(arena, span_of("\xc3\xa4\xc3\x84"), 100), "A\xcc\x88"
                                                                           "A\xcc\x88");
        assert_span(text_casemap(arena, span_of("\xc7\x86"), 100), "Dz\xcc\x8c");       /* U+01C6 to titlecase U+01C5 */
        assert_span(text_casemap(arena, span_of("\xea\xb0\x80"), 100), "\xea\xb0\x80"); /* Hangul as it is */
        assert_span(text_casemap(arena, span_of("\xff"), 100), "\xef\xbf\xbd");
        assert_span(text_casemap(arena, span_of("abcdef"), 3), "ABC");
        assert_span(text_casemap(arena, span_of("\xe2\x82\xac\xe2\x82\xac"), 4), "\xe2\x82\xac");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/fold/ascii", test_ascii);
        g_test_add_func("/mail/fold/letters", test_letters);
        g_test_add_func("/mail/fold/white-space-is-one-space-and-nothing-is-nothing", test_space_and_nothing);
        g_test_add_func("/mail/fold/broken-utf8-is-replaced RFC 3629 §3", test_broken);
        g_test_add_func("/mail/fold/every-character-folds-once-and-for-all", test_idempotent);
        g_test_add_func("/mail/fold/pieces-make-no-difference", test_pieces);
        g_test_add_func("/mail/fold/sixteen-octets-at-once-are-as-each-alone", test_places);
        g_test_add_func("/mail/fold/limits", test_limits);
        g_test_add_func("/mail/fold/casemap RFC 5051 §2", test_casemap);
        return g_test_run();
}

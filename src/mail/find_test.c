#include "mail/span_test.h"
#include "mail/text.h"

/* Whether the needle is found when the text comes `step` octets at a time. */
static gboolean
find_in_steps(const char *text, const char *needle, gsize step)
{
        g_autoptr(Arena) arena = arena_new(65536);
        Span whole = span_of(text);
        TextFinder f;

        g_assert_true(text_finder_init(&f, arena, span_of(needle)));
        for (gsize at = 0; at < whole.len; at += step) {
                g_autofree guint8 *piece =
                        g_memdup2(whole.data + at, MIN(step, whole.len - at)); /* found by sanitizers */

                if (text_find(&f, span_make(piece, MIN(step, whole.len - at))))
                        return TRUE;
        }
        return FALSE;
}

static void
test_pieces(void)
{
        static const struct {
                const char *text, *needle;
        } cases[] = {
                {"a needle in hay", "needle"},
                {"needle", "needle"},
                {"needl", "needle"},
                {"nneedle", "needle"},
                {"aaaaaaaaab", "aaab"},
                {"aaaaaaaaaa", "aaab"},
                {"abababac", "ababac"},
                {"x", "x"},
                {"yyy", "x"},
                {"ab", "abc"},
                {"abab", "bab"},
                {"hay needl e", "needle"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                for (gsize step = 1; step <= strlen(cases[i].text); step++)
                        g_assert_cmpint(find_in_steps(cases[i].text, cases[i].needle, step), ==,
                                        strstr(cases[i].text, cases[i].needle) != NULL);
}

static void
test_restart(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        TextFinder f;

        g_assert_true(text_finder_init(&f, arena, span_of("ab")));
        g_assert_false(text_find(&f, span_of("xa")));
        text_finder_restart(&f);
        g_assert_false(text_find(&f, span_of("b")));
        g_assert_false(text_find(&f, span_of("a")));
        g_assert_false(text_find(&f, SPAN_EMPTY));
        g_assert_true(text_find(&f, span_of("b")));
}

static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(65536), small = arena_new(16);
        g_autofree char *needle = g_strnfill(TEXT_NEEDLE_MAX + 1, 'x');
        TextFinder f;

        g_assert_false(text_finder_init(&f, arena, span_make(needle, TEXT_NEEDLE_MAX + 1)));
        g_assert_true(text_finder_init(&f, arena, span_make(needle, TEXT_NEEDLE_MAX)));
        g_assert_false(text_finder_init(&f, small, span_of("a long needle")));
        g_assert_true(text_finder_init(&f, arena, SPAN_EMPTY));
        g_assert_true(text_find(&f, span_of("x")));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/find/across-pieces", test_pieces);
        g_test_add_func("/mail/find/nothing-spans-two-texts", test_restart);
        g_test_add_func("/mail/find/limits", test_limits);
        return g_test_run();
}

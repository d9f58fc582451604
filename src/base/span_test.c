#include "base/span.h"

static void
test_slice_clamps(void)
{
        Span s = span_of("abcdef");

        g_assert_true(span_equal(span_slice(s, 1, 3), span_of("bc")));
        g_assert_true(span_equal(span_slice(s, 4, G_MAXSIZE), span_of("ef")));
        g_assert_cmpuint(span_slice(s, 5, 2).len, ==, 0);
        g_assert_cmpuint(span_slice(s, G_MAXSIZE, G_MAXSIZE).len, ==, 0);
        g_assert_cmpuint(span_slice(SPAN_EMPTY, 1, 9).len, ==, 0);
        g_assert_null(span_slice(SPAN_EMPTY, 1, 9).data);
}

static void
test_equal(void)
{
        g_assert_true(span_equal(SPAN_EMPTY, span_of("")));
        g_assert_false(span_equal(span_of("a"), span_of("A")));
        g_assert_false(span_equal(span_of("a"), span_of("ab")));
        g_assert_true(span_equal(span_make("a\0b", 3), span_make("a\0b", 3)));
        g_assert_false(span_equal(span_make("a\0b", 3), span_make("a\0c", 3)));
}

static void
test_nocase_is_ascii_only(void)
{
        g_assert_true(span_is(span_of("mAiL"), "MaIl"));
        g_assert_true(span_is(SPAN_EMPTY, ""));
        g_assert_true(span_is(SPAN_EMPTY, NULL));
        g_assert_false(span_is(span_of("@"), "`"));             /* differ in the case bit, but are no letters */
        g_assert_false(span_is(span_of("["), "{"));
        g_assert_false(span_is(span_of("\xc4"), "\xe4"));       /* a locale would call these the same */
        g_assert_false(span_is(span_of("mail"), "mails"));
        g_assert_true(span_starts_nocase(span_of("RCPT TO:<a>"), span_of("rcpt to:")));
        g_assert_false(span_starts_nocase(span_of("RCPT"), span_of("rcpt to:")));
        g_assert_true(span_starts_nocase(SPAN_EMPTY, SPAN_EMPTY));
}

static void
test_trim(void)
{
        g_assert_true(span_equal(span_trim(span_of(" \t\r\n a b \r\n")), span_of("a b")));
        g_assert_cmpuint(span_trim(span_of(" \r\n\t ")).len, ==, 0);
        g_assert_cmpuint(span_trim(SPAN_EMPTY).len, ==, 0);
        g_assert_cmpuint(span_trim(span_make("\0", 1)).len, ==, 1);
}

static void
test_dup_hides_no_end(void)
{
        g_autofree char *text = span_dup(span_make("\0a\0\0b\0", 6));
        g_autofree char *empty = span_dup(SPAN_EMPTY);

        g_assert_cmpstr(text, ==, "?a??b?");
        g_assert_cmpstr(empty, ==, "");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/span/slice-clamps-any-numbers", test_slice_clamps);
        g_test_add_func("/base/span/equal-compares-octets", test_equal);
        g_test_add_func("/base/span/case-is-ignored-in-ascii-letters-only", test_nocase_is_ascii_only);
        g_test_add_func("/base/span/trim-takes-blanks-and-line-ends", test_trim);
        g_test_add_func("/base/span/copies-show-nul-as-question-mark", test_dup_hides_no_end);
        return g_test_run();
}

#include "mail/charset.h"

#include "mail/internal.h"
#include "mail/span_test.h"

/* Text given `step` octets at a time, what was left in front of the next. */
static void
check(const char *charset, const char *text, const char *expected)
{
        for (gsize step = 1; step <= strlen(text); step++) {
                g_auto(Octets) in = OCTETS_INIT(4096), out = OCTETS_INIT(4096);

                for (gsize at = 0; at < strlen(text); at += step) {
                        octets_add(&in, span_slice(span_of(text), at, at + step));
                        gsize taken =
                                octets_add_charset(&out, span_of(charset), octets_span(&in), at + step >= strlen(text));
                        in.len -= taken;
                        memmove(in.data, in.data + taken, in.len);
                }
                g_assert_cmpuint(in.len, ==, 0);
                assert_span(octets_span(&out), expected);
        }
}

static void
test_pieces(void)
{
        check("utf-8", "J\xc3\xb6rg \xf0\x9f\x98\x80\r\n\x01", "J\xc3\xb6rg \xf0\x9f\x98\x80\r\n\x01");
        check("utf-8",
              "a\xff"
              "b\xe2\x82",
              "a\xef\xbf\xbd"
              "b\xef\xbf\xbd\xef\xbf\xbd");
        check("iso-8859-2", "\xb1\xe6\r\n", "\xc4\x85\xc4\x87\r\n");
        check("Big5", "\xa4\xa4\xa4\xe5", "\xe4\xb8\xad\xe6\x96\x87");
        check("gb2312", "\xd6\xd0\xce\xc4\xff", "\xe4\xb8\xad\xe6\x96\x87\xef\xbf\xbd");
        check("shift_jis", "\x83\x65\x83", "\xe3\x83\x86\xef\xbf\xbd");
}

/* Nobody named the charset, or not one that is known. */
static void
test_guessed(void)
{
        check("", "J\xc3\xb6rg J\xf6rg \x80\x93", "J\xc3\xb6rg J\xc3\xb6rg \xe2\x82\xac\xe2\x80\x9c");
        check("us-ascii", "\xf6", "\xc3\xb6");
        check("x-user-defined", "\xf6", "\xc3\xb6");
}

/* A text with states is cut at line ends, where the state is the first one again (RFC 1468). */
static void
test_states(void)
{
        static const char text[] = "a\x1b$B%F\x1b(B\r\n\x1b$B%9\x1b(Bz";
        g_auto(Octets) out = OCTETS_INIT(4096);
        Span whole = span_of(text);
        gsize taken = octets_add_charset(&out, span_of("iso-2022-jp"), span_slice(whole, 0, 15), FALSE);

        g_assert_cmpuint(taken, ==, 11);
        taken += octets_add_charset(&out, span_of("iso-2022-jp"), span_slice(whole, taken, whole.len), TRUE);
        g_assert_cmpuint(taken, ==, whole.len);
        assert_span(octets_span(&out), "a\xe3\x83\x86\r\n\xe3\x82\xb9z");
}

static void
test_named_by_a_client(void)
{
        g_autoptr(Arena) arena = arena_new(4096);
        Span got = SPAN_EMPTY;

        g_assert_true(mail_charset_decode(arena, span_of("KOI8-R"), span_of("\xc1\xc2"), 100, &got));
        assert_span(got, "\xd0\xb0\xd0\xb1");
        g_assert_true(mail_charset_decode(arena, span_of("iso-8859-1"), span_of("\xe9\xe9\xe9"), 4, &got));
        assert_span(got, "\xc3\xa9\xc3\xa9");
        g_assert_true(mail_charset_decode(arena, span_of("utf-8"), span_of("a\xff"), 1, &got));
        assert_span(got, "a\xff");
        g_assert_false(mail_charset_decode(arena, span_of("x-none"), span_of("a"), 100, &got));
        g_assert_false(mail_charset_decode(arena, SPAN_EMPTY, span_of("a"), 100, &got));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/charset/pieces-make-no-difference", test_pieces);
        g_test_add_func("/mail/charset/without-a-name-utf8-or-windows-1252", test_guessed);
        g_test_add_func("/mail/charset/states-end-with-the-line RFC 1468", test_states);
        g_test_add_func("/mail/charset/of-a-search RFC 9051 6.4.4", test_named_by_a_client);
        return g_test_run();
}

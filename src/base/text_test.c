#include "base/text.h"

static void
test_utf8(void)
{
        static const struct {
                const char *text;
                gboolean is_utf8;
        } cases[] = {
                {"", TRUE},
                {"plain ascii, longer than eight octets", TRUE},
                {"gr\xc3\xbc\xc3\x9f", TRUE},
                {"\xe2\x82\xac", TRUE},
                {"\xf0\x9f\x93\xac", TRUE},
                {"\xf4\x8f\xbf\xbf", TRUE},     /* U+10FFFF */
                {"\xf4\x90\x80\x80", FALSE},    /* one above */
                {"\xc0\x80", FALSE},            /* overlong */
                {"\xc1\xbf", FALSE},
                {"\xe0\x9f\xbf", FALSE},
                {"\xf0\x8f\xbf\xbf", FALSE},
                {"\xed\xa0\x80", FALSE},        /* surrogate */
                {"\xed\x9f\xbf", TRUE},
                {"\x80", FALSE},
                {"abcdefgh\xff", FALSE},
                {"\xc3", FALSE},                /* cut */
                {"\xe2\x82", FALSE},
                {"\xf0\x9f\x93", FALSE},
                {"\xc3\xc3\xbc", FALSE},
                {"\xe2\x28\xac", FALSE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                g_assert_cmpint(text_is_utf8(span_of(cases[i].text)), ==, cases[i].is_utf8);
        g_assert_true(text_is_utf8(span_make("a\0b", 3)));
        g_assert_false(text_is_utf8(span_make("\xc3\xbc", 1))); /* never looks behind the span */
        g_assert_true(text_is_utf8(SPAN_EMPTY));
}

/* Every sequence of up to three octets, against GLib's reader. */
static void
test_utf8_like_glib(void)
{
        for (guint32 n = 0x010101; n <= 0xffffff; n += 1 + n % 7) {
                char text[3] = {(char) (n >> 16), (char) (n >> 8), (char) n};
                if (text[0] == 0 || text[1] == 0 || text[2] == 0)
                        continue;
                if (text_is_utf8(span_make(text, 3)) != g_utf8_validate(text, 3, NULL))
                        g_error("differs at %06x", n);
        }
}

static void
test_ascii_and_controls(void)
{
        for (gsize at = 0; at < 20; at++) {
                guint8 text[20];
                memset(text, 'a', sizeof(text));
                Span s = span_make(text, sizeof(text));
                g_assert_true(text_is_ascii(s));
                text[at] = 0x80;
                g_assert_false(text_is_ascii(s));
                g_assert_false(text_has_control(s));
                text[at] = '\0';
                g_assert_true(text_is_ascii(s));
                g_assert_true(text_has_control(s));
        }
        g_assert_true(text_has_control(span_of("a\r")));
        g_assert_true(text_has_control(span_of("\x7f")));
        g_assert_true(text_has_control(span_of("\x1f")));
        g_assert_false(text_has_control(span_of(" ~")));
        g_assert_false(text_has_control(SPAN_EMPTY));
}

static void
test_escape(void)
{
        static const struct {
                const char *text;
                gsize len;
                gsize max;
                const char *expected;
        } cases[] = {
                {"", 0, 10, ""},
                {"plain \"text\"", 12, 100, "plain \"text\""},
                {"a\r\nb\0c", 6, 100, "a\\x0d\\x0ab\\x00c"},
                {"\\x41", 4, 100, "\\\\x41"},
                {"gr\xc3\xbc\xc3\x9f", 6, 100, "gr\xc3\xbc\xc3\x9f"},
                {"\xff\xc3", 2, 100, "\\xff\\xc3"},
                {"\x1b[31m", 5, 100, "\\x1b[31m"},
                {"\xe2\x80\xae" "x", 4, 100, "\\xe2\\x80\\xaex"},       /* right-to-left override */
                {"\xe2\x80\xa8", 3, 100, "\\xe2\\x80\\xa8"},            /* line separator */
                {"\xc2\x85", 2, 100, "\\xc2\\x85"},                     /* C1 control */
                {"abcdef", 6, 3, "abc..."},
                {"abcdef", 6, 6, "abcdef"},
                {"abcdef", 6, 0, "..."},
                {"ab\xe2\x82\xac", 5, 4, "ab..."},                      /* no character is torn */
                {"\xf0\x9f\x93\xac", 4, 2, "..."},
                {"\x80\x80\x80\x80\x80\x80", 6, 5, "\\x80\\x80\\x80\\x80\\x80..."},
        };
        g_autoptr(Arena) arena = arena_new(1 << 16);

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                Span s = span_make(cases[i].text, cases[i].len);
                g_autofree char *text = text_escape(s, cases[i].max);
                g_assert_cmpstr(text, ==, cases[i].expected);
                g_assert_cmpstr(text_escape_in(arena, s, cases[i].max), ==, cases[i].expected);
        }
        g_autoptr(Arena) tiny = arena_new(16);
        g_assert_null(text_escape_in(tiny, span_of("longer than the arena"), 100));
}

static void
test_lower(void)
{
        g_autoptr(Arena) arena = arena_new(1 << 12);

        g_assert_true(span_equal(text_lower(arena, span_of("AZaz@[`{\xc3\x9c")), span_of("azaz@[`{\xc3\x9c")));
        g_assert_cmpuint(text_lower(arena, SPAN_EMPTY).len, ==, 0);
}

static void
test_matches(void)
{
        static const struct {
                const char *pattern, *text;
                gboolean matches;
        } cases[] = {
                {"", "", TRUE},
                {"", "a", FALSE},
                {"*", "", TRUE},
                {"*", "anything", TRUE},
                {"a*", "ABC", TRUE},
                {"*@example.com", "joe@EXAMPLE.com", TRUE},
                {"*@example.com", "joe@example.com.evil", FALSE},
                {"a*b*c", "aXbXbXc", TRUE},
                {"a*b*c", "aXbXbX", FALSE},
                {"*ab", "aab", TRUE},
                {"*aab", "aaaab", TRUE},
                {"a**b", "ab", TRUE},
                {"a?c", "abc", FALSE},  /* only the star is special */
                {"a[b]c", "a[b]c", TRUE},
                {"abc", "ab", FALSE},
                {"a*", "", FALSE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                g_assert_cmpint(text_matches(span_of(cases[i].pattern), span_of(cases[i].text)), ==, cases[i].matches);
}

static void
test_hex(void)
{
        g_autofree char *text = text_hex(span_make("\x00\x9f\xff", 3));
        g_autofree char *empty = text_hex(SPAN_EMPTY);

        g_assert_cmpstr(text, ==, "009fff");
        g_assert_cmpstr(empty, ==, "");
}

static void
test_base64(void)
{
        static const char *const pairs[][2] = {
                {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"},
        };
        g_autoptr(Arena) arena = arena_new(1 << 12);

        for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
                Span plain = span_of(pairs[i][0]), coded = span_of(pairs[i][1]), back;
                g_assert_true(span_equal(text_base64(arena, plain), coded));
                g_assert_true(text_base64_decode(arena, coded, plain.len, &back));
                g_assert_true(span_equal(back, plain));
        }
}

static void
test_base64_strict(void)
{
        static const char *const wrong[] = {
                "Z", "Zg", "Zg=", "Zg===", "====", "=", "Z===", "Zm9v=", "Zm9v====", "Zg==Zg==", "Zm=v",
                "Zh==",         /* left-over bits set: a second spelling of "f" */
                "Zm9=", "Zm9v\r\n", " Zm9v", "Zm9v ", "Zm-_", "Zm9\xff", "*", "Zg=*",
        };
        g_autoptr(Arena) arena = arena_new(1 << 12);
        Span before = span_of("before");

        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                Span back = before;
                g_assert_false(text_base64_decode(arena, span_of(wrong[i]), 100, &back));
                g_assert_true(back.data == before.data);
        }
        g_assert_false(text_base64_decode(arena, span_make("Zm\0v", 4), 100, &before));
        g_assert_false(text_base64_decode(arena, span_of("Zm9v"), 2, &before));
        g_assert_true(text_base64_decode(arena, span_of("Zm8="), 2, &before));
}

static void
test_base64url(void)
{
        static const char *const PAIRS[][2] = {{"", ""},         {"f", "Zg"},           {"fo", "Zm8"},
                                               {"foo", "Zm9v"},  {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"}};
        static const char *const WRONG[] = {"Z", "Zg==", "Zm8=", "+/+/", "Zh", "Zm9", "Zm9v\n", "Zm9v*", "=", "Zm9vY"};
        g_autoptr(Arena) arena = arena_new(1 << 12);
        Span back = span_of("before");

        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                g_assert_false(text_base64url_decode(arena, span_of(WRONG[i]), 100, &back));
        g_assert_false(text_base64url_decode(arena, span_make("Zm\0v", 4), 100, &back));
        g_assert_false(text_base64url_decode(arena, span_of("Zm9vYg"), 3, &back));
        g_assert_true(span_equal(back, span_of("before")));
        for (gsize i = 0; i < G_N_ELEMENTS(PAIRS); i++) {
                g_assert_true(text_base64url_decode(arena, span_of(PAIRS[i][1]), strlen(PAIRS[i][0]), &back));
                g_assert_true(span_equal(back, span_of(PAIRS[i][0])));
        }
}

static void
test_secrets(void)
{
        char secret[] = "hunter2";

        g_assert_true(text_equal_secret(span_of("hunter2"), span_of(secret)));
        g_assert_false(text_equal_secret(span_of("Hunter2"), span_of(secret)));
        g_assert_false(text_equal_secret(span_of("hunter3"), span_of(secret)));
        g_assert_false(text_equal_secret(span_of("hunter"), span_of(secret)));
        g_assert_true(text_equal_secret(SPAN_EMPTY, SPAN_EMPTY));
        text_wipe(secret, sizeof(secret));
        for (gsize i = 0; i < sizeof(secret); i++)
                g_assert_cmpint(secret[i], ==, 0);
        text_wipe(NULL, 0);
}

static void
test_numbers(void)
{
        static const guint64 NUMBERS[] = {0, 7, 10, 99, 100, 4096, G_MAXUINT32, G_MAXUINT64};
        char text[TEXT_NUMBER_OCTETS + 1];

        for (gsize i = 0; i < G_N_ELEMENTS(NUMBERS); i++) {
                g_autofree char *expected = g_strdup_printf("%" G_GUINT64_FORMAT, NUMBERS[i]);
                *text_put_number(text, NUMBERS[i]) = '\0';
                g_assert_cmpstr(text, ==, expected);
        }
        *text_put_digits(text, 26, 4) = '\0';
        g_assert_cmpstr(text, ==, "0026");
        *text_put_digits(text, 12345, 2) = '\0';
        g_assert_cmpstr(text, ==, "45");
}

static void
test_utf8_next(void)
{
        static const struct {
                const char *octets;
                int n;
                gunichar c;
        } cases[] = {
                {"a", 1, 'a'},
                {"\xc3\xa9x", 2, 0xe9},
                {"\xe2\x82\xac", 3, 0x20ac},
                {"\xf0\x9f\x98\x80", 4, 0x1f600},
                {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
                {"\xc3", -1, 0},
                {"\xe2\x82", -1, 0},
                {"\xe0", -1, 0},
                {"\xf0\x9f\x98", -1, 0},
                {"", 0, 0},
                {"\x80", 0, 0},
                {"\xc0\xaf", 0, 0},
                {"\xc3x", 0, 0},
                {"\xe0\x80", 0, 0},         /* overlong */
                {"\xed\xa0", 0, 0},         /* a surrogate */
                {"\xed\xa0\x80", 0, 0},
                {"\xe2\x28\xa1", 0, 0},
                {"\xf0\x9fxx", 0, 0},
                {"\xf4\x90", 0, 0},         /* above U+10FFFF */
                {"\xf5", 0, 0},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                gunichar c = 0;

                g_assert_cmpint(text_utf8_next(span_of(cases[i].octets), &c), ==, cases[i].n);
                g_assert_cmpuint(c, ==, cases[i].c);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/text/utf8 RFC 3629 §4", test_utf8);
        g_test_add_func("/base/text/utf8-like-glib", test_utf8_like_glib);
        g_test_add_func("/base/text/ascii-and-controls", test_ascii_and_controls);
        g_test_add_func("/base/text/escape-shows-no-control-and-tears-nothing", test_escape);
        g_test_add_func("/base/text/lower-is-ascii-only", test_lower);
        g_test_add_func("/base/text/star-matches-any-run", test_matches);
        g_test_add_func("/base/text/numbers", test_numbers);
        g_test_add_func("/base/text/hex", test_hex);
        g_test_add_func("/base/text/base64 RFC 4648 §10", test_base64);
        g_test_add_func("/base/text/base64-decoding-is-strict RFC 4648 §3", test_base64_strict);
        g_test_add_func("/base/text/base64url-without-padding RFC 4648 §5", test_base64url);
        g_test_add_func("/base/text/secrets-compared-and-wiped", test_secrets);
        g_test_add_func("/base/text/utf8-next RFC 3629 §4", test_utf8_next);
        return g_test_run();
}

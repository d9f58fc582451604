#include "mail/span_test.h"
#include "mail/summary_test.h"

#include "base/text.h"

#define PLAIN "Content-Type: text/plain; charset=utf-8\r\n"
#define MIXED "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
#define ALTERNATIVE "Content-Type: multipart/alternative; boundary=a\r\n\r\n"

static void
check(const char *message, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);

        assert_span(summary_of(arena, message).preview, expected);
}

static void
test_text(void)
{
        check("Subject: x\r\n\r\n  one\r\n\r\n\ttwo   three  \r\n", "one two three");
        check("Subject: x\r\n\r\n", "");
        check("Content-Transfer-Encoding: quoted-printable\r\n" PLAIN "\r\nJ=C3=B6rg =\r\nhere", "J\xc3\xb6rg here");
        check("Content-Transfer-Encoding: base64\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nSvZyZw==",
              "J\xc3\xb6rg");
        check("Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B%F%9%H\x1b(B",
              "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88");
        /* Without a charset: UTF-8, or else Western Europe. */
        check("\r\nJ\xc3\xb6rg J\xf6rg", "J\xc3\xb6rg J\xc3\xb6rg");
        check(PLAIN "\r\n\xff"
                    "a\x01"
                    "b",
              "\xef\xbf\xbd"
              "ab");
        check("Content-Type: text/plain; charset=x-unknown\r\n\r\nJ\xf6rg", "J\xc3\xb6rg");
        check("Content-Type: image/gif\r\n\r\nGIF89a", "");
}

static void
test_html(void)
{
        check("Content-Type: text/html\r\n\r\n<html><head><title>T</title><style>p {x}</style></head><body>"
              "<p>Hello,<br>w<b>or</b>ld &amp; &lt;you&gt;&nbsp;!</p><script>var x = '</p>';</script>end",
              "Hello, world & <you> ! end");
        check("Content-Type: text/html\r\n\r\n<p>a<div>&#8199;&zwnj; &zwnj; &#847;b", "a b");
}

/* What is shown first. */
static void
test_parts(void)
{
        check(ALTERNATIVE "--a\r\n" PLAIN "\r\nplain\r\n--a\r\nContent-Type: text/html\r\n\r\n<p>html\r\n--a--",
              "plain");
        check(ALTERNATIVE "--a\r\nContent-Type: text/html\r\n\r\n<p>html\r\n--a\r\n" PLAIN "\r\nplain\r\n--a--",
              "plain");
        check(ALTERNATIVE "--a\r\n" PLAIN "\r\n \r\n--a\r\nContent-Type: text/html\r\n\r\n<p>html\r\n--a--", "html");
        check(MIXED "--m\r\n" PLAIN "Content-Disposition: attachment\r\n\r\nattached\r\n--m\r\n" PLAIN
                    "\r\nshown\r\n--m--",
              "shown");
        check(MIXED "--m\r\n" PLAIN "Content-Disposition: x-other\r\n\r\nno\r\n--m\r\nContent-Type: text/html\r\n"
                    "Content-Disposition: inline\r\n\r\n<p>yes\r\n--m--",
              "yes");
        check(MIXED "--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninside\r\n--m\r\n" PLAIN
                    "\r\noutside\r\n--m--",
              "outside");
        check(MIXED "--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninside\r\n--m--", "");
        check("Content-Type: multipart/mixed\r\n\r\nlost", "");
}

static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) letters = g_string_new("\r\n");
        g_autoptr(GString) wide = g_string_new(PLAIN "\r\n");
        g_autoptr(GString) far = g_string_new("\r\n");

        for (guint i = 0; i < 1000; i++) {
                g_string_append(letters, "x");
                g_string_append(wide, "\xe2\x82\xac");
                g_string_append(far, "                    ");
        }
        g_string_append(far, "too far");
        g_assert_cmpuint(summary_of(arena, letters->str).preview.len, ==, PREVIEW_CHARACTERS_MAX);
        Span cut = summary_of(arena, wide->str).preview;
        g_assert_true(cut.len == PREVIEW_OCTETS_MAX - PREVIEW_OCTETS_MAX % 3 && text_is_utf8(cut));
        assert_span(summary_of(arena, far->str).preview, "");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/preview/text-is-decoded", test_text);
        g_test_add_func("/mail/preview/html-is-stripped", test_html);
        g_test_add_func("/mail/preview/the-part-that-is-shown-first", test_parts);
        g_test_add_func("/mail/preview/limits RFC 8970 §3.2", test_limits);
        return g_test_run();
}

#include "mail/internal.h"
#include "mail/span_test.h"

static void
check(const char *html, const char *expected)
{
        for (gsize step = 1; step <= strlen(html) + 1; step++) {
                g_auto(Octets) out = OCTETS_INIT(65536);
                HtmlReader r = {0};

                for (gsize at = 0; at < strlen(html); at += step)
                        octets_add_html(&out, &r, span_slice(span_of(html), at, at + step));
                octets_add_html_end(&out, &r);
                assert_span(octets_span(&out), expected);
        }
}

static void
test_tags(void)
{
        check("one<br>two<p class=x>three</p>", "one two three ");
        check("w<b>or</b>d<span style=\"a>b\">s</span>", "words");
        check("<a href='x>y' title = \"z>\">link</a>", "link");
        check("<img alt=\"it's\">x<INPUT value=a\">y", " x y");
        check("1 < 2 <3 </ 4 <", "1 < 2 <3 </ 4 ");
        check("<font>a</FONT><Strong>b</sTrOnG>", "ab");
        check("a<unknown-long-name-of-a-tag>b", "a b");
}

static void
test_hidden(void)
{
        check("a<!-- <b> -- > -->b<!-->c<!--->d<!---->e", "abcde");
        check("<!DOCTYPE html>a<?xml x?>b<![if mso]>c<![endif]>", "abc");
        check("a<style type=x>p > a {}</style>b", "a b");
        check("a<script>if (1 < 2) \"</p>\" </scripty></SCRIPT >b", "a b");
        check("a<title>t</title>b<script>never closed", "a b ");
        check("<!-- never closed", "");
}

static void
test_entities(void)
{
        check("&lt;&amp;&gt;&quot;&apos;&nbsp;&eacute;&Eacute;&euro;", "<&>\"'\xc2\xa0\xc3\xa9\xc3\x89\xe2\x82\xac");
        check("&#65;&#x41;&#X1F600;&#146;&#8364;", "AA\xf0\x9f\x98\x80\xe2\x80\x99\xe2\x82\xac");
        check("&#0;&#xd800;&#x110000;", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
        check("a & b &unknown; &; &#; &#x; &#xzz; &averyveryverylongname; &amp",
              "a & b &unknown; &; &#; &#x; &#xzz; &averyveryverylongname; &");
        check("&lt<b>&amp&amp;", "<&&");
        check("&lt;b&gt;", "<b>");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/html/tags-separate-unless-inline", test_tags);
        g_test_add_func("/mail/html/what-is-not-shown-is-left-out", test_hidden);
        g_test_add_func("/mail/html/entities", test_entities);
        return g_test_run();
}

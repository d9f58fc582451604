#include "base/text.h"
#include "mail/charset.h"
#include "mail/header.h"
#include "mail/span_test.h"

typedef struct Case {
        const char *body, *expected;
} Case;

static void
check(const Case *cases, gsize n)
{
        g_autoptr(Arena) arena = arena_new(1024 * 1024);

        for (gsize i = 0; i < n; i++)
                assert_span(header_decode(arena, span_of(cases[i].body)), cases[i].expected);
}

static void
test_examples(void)
{
        static const Case cases[] = {
                {" =?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>\r\n", "Keith Moore <moore@cs.utk.edu>"},
                {" =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld J\xc3\xb8rn Simonsen <keld@dkuug.dk>"},
                {" =?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>",
                 "Andr\xc3\xa9 Pirard <PIRARD@vm1.ulg.ac.be>"},
                {" =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
                 "    =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=\r\n",
                 "If you can read this you understand the example."},
                {" =?ISO-8859-1?Q?Olle_J=E4rnefors?= <ojarnef@admin.kth.se>",
                 "Olle J\xc3\xa4rnefors <ojarnef@admin.kth.se>"},
                {" =?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= <paf@nada.kth.se>",
                 "Patrik F\xc3\xa4ltstr\xc3\xb6m <paf@nada.kth.se>"},
                {" Nathaniel Borenstein <nsb@thumper.bellcore.com>\r\n    (=?iso-8859-8?b?7eXs+SDv4SDs6Oj08A==?=)\r\n",
                 "Nathaniel Borenstein <nsb@thumper.bellcore.com> "
                 "(\xd7\x9d\xd7\x95\xd7\x9c\xd7\xa9 \xd7\x9f\xd7\x91 \xd7\x9c\xd7\x98\xd7\x98\xd7\xa4\xd7\xa0)"},
                /* The table of §8. */
                {"(=?ISO-8859-1?Q?a?=)", "(a)"},
                {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
                {"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"},
                {"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"},
                {"(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"},
                {"(=?ISO-8859-1?Q?a_b?=)", "(a b)"},
                {"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"},
                /* RFC 2231 §5: a language behind the charset. */
                {"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_wild(void)
{
        static const Case cases[] = {
                {"Re:=?utf-8?Q?=C3=A9t=C3=A9?=!", "Re:\xc3\xa9t\xc3\xa9!"},
                {"=?utf-8?B?w6k?=", "\xc3\xa9"},
                {"=?utf-8?Q?hot summer=21?=", "hot summer!"},
                {"=?utf-8?Q?Really?\?=", "Really?"},
                {"=?utf-8?Q?100=25 = all?=", "100% = all"},
                {"=?utf-8?B?w?= =?utf-8?B?w6k=?=", "\xc3\xa9"},
                /* A character torn between two words. */
                {"=?utf-8?Q?=E2=82?= =?utf-8?Q?=AC?=", "\xe2\x82\xac"},
                {"=?utf-8?B?4oI=?=\r\n =?utf-8?B?rA==?=", "\xe2\x82\xac"},
                /* windows-1252 that calls itself iso-8859-1. */
                {"=?iso-8859-1?Q?=93quoted=94?=", "\xe2\x80\x9cquoted\xe2\x80\x9d"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_broken(void)
{
        static const Case cases[] = {
                {"=?x-unknown?Q?a?= b", "=?x-unknown?Q?a?= b"},
                {"=?utf-8?X?a?=", "=?utf-8?X?a?="},
                {"=?utf-8?B?a!b?=", "=?utf-8?B?a!b?="},
                {"=?utf-8?Q?a", "=?utf-8?Q?a"},
                {"=?utf-8?Q?", "=?utf-8?Q?"},
                {"=?utf-8?", "=?utf-8?"},
                {"=?", "=?"},
                {"=??Q?a?=", "=??Q?a?="},
                {"=?x-unknown?Q?a?= =?utf-8?Q?b?=", "=?x-unknown?Q?a?= b"},
                {"a \xff b \xc3", "a \xef\xbf\xbd b \xef\xbf\xbd"},
                {"=?utf-8?Q?a=FFb?=", "a\xef\xbf\xbd"
                                      "b"},
                {"=?us-ascii?Q?a=FFb?=", "a\xef\xbf\xbd"
                                         "b"},
                {"=?iso-2022-jp?B?GyRCJA==?=", "\xef\xbf\xbd"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

/* A decoded word can't smuggle a line into what is written from it. */
static void
test_controls(void)
{
        static const Case cases[] = {
                {"=?utf-8?Q?a=0D=0ABcc:_b=00?=", "a??Bcc: b?"},
                {"=?utf-8?Q?a=09b?=", "a\tb"},
                {"a\rb\x7f", "a?b?"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

/* Every charset of the table is opened, and one word of each kind reads. */
static void
test_charsets(void)
{
        static const Case cases[] = {
                {"=?iso-8859-2?Q?=B1?=", "\xc4\x85"},
                {"=?iso-8859-5?Q?=D0?=", "\xd0\xb0"},
                {"=?iso-8859-7?Q?=E1?=", "\xce\xb1"},
                {"=?iso-8859-9?Q?=FD?=", "\xc4\xb1"},
                {"=?iso-8859-15?Q?=A4?=", "\xe2\x82\xac"},
                {"=?windows-1251?Q?=E0?=", "\xd0\xb0"},
                {"=?windows-1250?Q?=B9?=", "\xc4\x85"},
                {"=?koi8-r?B?8NLJ18XU?=", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
                {"=?koi8-u?Q?=A4?=", "\xd1\x94"},
                {"=?gb2312?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd"},
                {"=?GBK?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd"},
                {"=?gb18030?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd"},
                {"=?big5?B?p0Gmbg==?=", "\xe4\xbd\xa0\xe5\xa5\xbd"},
                {"=?shift_jis?B?k/qWew==?=", "\xe6\x97\xa5\xe6\x9c\xac"},
                {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac"},
                {"=?euc-jp?B?xvzL3A==?=", "\xe6\x97\xa5\xe6\x9c\xac"},
                {"=?euc-kr?B?x9GxuQ==?=", "\xed\x95\x9c\xea\xb5\xad"},
                {"=?ks_c_5601-1987?B?x9GxuQ==?=", "\xed\x95\x9c\xea\xb5\xad"},
        };

        mail_charsets_preload();
        check(cases, G_N_ELEMENTS(cases));
}

static void
test_size(void)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        g_autoptr(GString) body = g_string_new(NULL);

        while (body->len < 1024 * 1024)
                g_string_append(body, "=?utf-8?Q?=E2=82=AC?= ");
        Span found = header_decode(arena, span_make(body->str, body->len));
        g_assert_cmpuint(found.len, <=, HEADER_DECODED_MAX);
        g_assert_cmpuint(found.len, >, HEADER_DECODED_MAX - 3);
        g_assert_true(text_is_utf8(found));
}

static void
test_unclosed_is_linear(void)
{
        static const char *const pieces[] = {"=?a?q? ", "=?utf-8?q? ", "=? ", "=?utf-8?b?! "};

        for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
                g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
                g_autoptr(GString) body = g_string_new(NULL);

                while (body->len < 1024 * 1024)
                        g_string_append(body, pieces[i]);
                Span found = header_decode(arena, span_make(body->str, body->len));
                g_assert_cmpmem(found.data, (int) found.len, body->str, HEADER_DECODED_MAX);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/encoded-word/examples RFC 2047 §8", test_examples);
        g_test_add_func("/mail/encoded-word/as-the-world-writes-them", test_wild);
        g_test_add_func("/mail/encoded-word/broken-ones-stay", test_broken);
        g_test_add_func("/mail/encoded-word/no-controls-come-out", test_controls);
        g_test_add_func("/mail/encoded-word/charsets", test_charsets);
        g_test_add_func("/mail/encoded-word/at-most-64-kib", test_size);
        g_test_add_func("/mail/encoded-word/unclosed-words-are-linear", test_unclosed_is_linear);
        return g_test_run();
}

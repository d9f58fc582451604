#include "mail/charset.h"

#include "mail/internal.h"
#include "mail/span_test.h"

/* Text given `step` octets at a time, what was left in front of the next. */
static void
check_octets(const char *charset, Span text, const char *expected)
{
        for (gsize step = 1; step <= text.len; step++) {
                g_auto(Octets) in = OCTETS_INIT(4096), out = OCTETS_INIT(4096);
                CharsetReader reader = {.charset = span_of(charset)};

                for (gsize at = 0; at < text.len; at += step) {
                        octets_add(&in, span_slice(text, at, at + step));
                        gsize taken = octets_add_charset(&out, &reader, octets_span(&in), at + step >= text.len);
                        in.len -= taken;
                        memmove(in.data, in.data + taken, in.len);
                }
                g_assert_cmpuint(in.len, ==, 0);
                assert_span(octets_span(&out), expected);
        }
}

static void
check(const char *charset, const char *text, const char *expected)
{
        check_octets(charset, span_of(text), expected);
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

/* A text with states says the same wherever it is cut (RFC 1468, RFC 1557). */
static void
test_states(void)
{
        check("iso-2022-jp",
                  "a\x1b$B%F\x1b(B\r\n\x1b$B%9\x1b(J\\\x1b(Bz"
                  "\x1b$@F|K\\",
                  "a\xe3\x83\x86\r\n\xe3\x82\xb9\xc2\xa5z\xe6\x97\xa5\xe6\x9c\xac");
        check("iso-2022-kr",
                  "\x1b$)C\r\na \x0eGQ\x0f b\r\n\x0e"
                  "1[GQ\x0f\r\nc",
                  "\r\na \xed\x95\x9c b\r\n\xea\xb8\x80\xed\x95\x9c\r\nc");
}

#define OCTETS(literal) span_make(literal, sizeof(literal) - 1)
#define SMILE "\xf0\x9f\x98\x80"
#define BROKEN "\xef\xbf\xbd"

/* The mark decides; without one the zeros, or what the label says. */
static void
test_utf16(void)
{
        check_octets("utf-16", OCTETS("\xff\xfeG\0r\0\xfc\0=\xd8\0\xde"), "Gr\xc3\xbc" SMILE);
        check_octets("UTF-16", OCTETS("\xfe\xff\0G\0r\0\xfc\xd8=\xde\0"), "Gr\xc3\xbc" SMILE);
        check_octets("utf-16le", OCTETS("\xfe\xff\0G"), "G");
        check_octets("utf-16be", OCTETS("\xfe\xff\0G"), "G");
        check_octets("utf-16", OCTETS("G\0r\0\r\0\n\0"), "Gr\r\n");
        check_octets("utf-16", OCTETS("\0G\0r\0\r\0\n"), "Gr\r\n");
        check_octets("unicode", OCTETS("\x42\x30\x44\x30\n\0"), "\xe3\x81\x82\xe3\x81\x84\n");
        check_octets("utf-16be", OCTETS("\x65\xe5\x67\x2c"), "\xe6\x97\xa5\xe6\x9c\xac");
        check_octets("utf-16le", OCTETS("\xe5\x65\x2c\x67"), "\xe6\x97\xa5\xe6\x9c\xac");
}

/* Halves of a pair alone, a pair that ends with the text, half a unit. */
static void
test_utf16_broken(void)
{
        check_octets("utf-16le", OCTETS("a\0=\xd8z\0"), "a" BROKEN "z");
        check_octets("utf-16le", OCTETS("a\0\0\xdez\0"), "a" BROKEN "z");
        check_octets("utf-16le", OCTETS("a\0=\xd8=\xd8"), "a" BROKEN BROKEN);
        check_octets("utf-16le", OCTETS("a\0=\xd8z"), "a" BROKEN BROKEN);
        check_octets("utf-16", OCTETS("\0"), BROKEN);
}

/* Somebody on the way has converted the text, and left the label. */
static void
test_utf16_label_alone(void)
{
        check("utf-16", "Plain text, as it comes.\r\n", "Plain text, as it comes.\r\n");
        check("unicode",
              "Gr\xc3\xbc\xc3\x9f"
              "e",
              "Gr\xc3\xbc\xc3\x9f"
              "e");
        check("utf-16le",
              "A text that is a good deal longer than what the form of it is told by, w\xc3\xb6rds \xff and all",
              "A text that is a good deal longer than what the form of it is told by, w\xc3\xb6rds \xc3\xbf and all");
}

static void
test_utf32(void)
{
        check_octets("utf-32", OCTETS("\xff\xfe\0\0G\0\0\0\0\xf6\1\0"), "G" SMILE);
        check_octets("utf-32", OCTETS("\0\0\xfe\xff\0\0\0G"), "G");
        check_octets("utf-32", OCTETS("G\0\0\0"), "G");
        check_octets("utf-32be", OCTETS("\0\0\0G\0\x11\0\0\0\0\xd8\0\0"), "G" BROKEN BROKEN BROKEN);
}

/* The examples of RFC 2152, and what ends a shifted part. */
static void
test_utf7(void)
{
        check("utf-7", "A+ImIDkQ.", "A\xe2\x89\xa2\xce\x91.");
        check("utf-7", "Hi Mom -+Jjo--!", "Hi Mom -\xe2\x98\xba-!");
        check("unicode-1-1-utf-7", "+ZeVnLIqe-", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
        check("utf-7", "Item 3 is +AKM-1.",
              "Item 3 is \xc2\xa3"
              "1.");
        check("utf-7", "1 +- 1 = 2", "1 + 1 = 2");
        check("utf-7", "+2D3eAA-+2D0-z+2D0", SMILE BROKEN "z" BROKEN);
        check("utf-7", "+AKM\r\n+\r\n+AK", "\xc2\xa3\r\n\r\n");
        check("utf-7", "gr\xfc", "gr" BROKEN);
}

/* Letters of the DOS and Macintosh days, and other names of what is there. */
static void
test_names(void)
{
        check("ibm850", "\x81", "\xc3\xbc");
        check("cp437", "\xe1", "\xc3\x9f");
        check("cp866", "\xa0", "\xd0\xb0");
        check("macintosh", "\x9f", "\xc3\xbc");
        check("viscii", "\xe2", "\xc3\xa2");
        check("big5-hkscs", "\xa4\xa4", "\xe4\xb8\xad");
        check("latin-1", "\xfc", "\xc3\xbc");
        check("windows-1258", "Viet", "Viet"); /* whose letters wait for their marks */
        check("windows-1255", "\xf9\xec\xe5\xed", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
}

/* What is not looked at because it is ASCII would have stayed the same. */
static void
test_keeps_ascii(void)
{
        static const char *const names[] = {"",
                                            "x-unknown",
                                            "utf-8",
                                            "iso-8859-1",
                                            "iso-8859-2",
                                            "iso-8859-3",
                                            "iso-8859-4",
                                            "iso-8859-5",
                                            "iso-8859-6",
                                            "iso-8859-7",
                                            "iso-8859-8",
                                            "iso-8859-10",
                                            "iso-8859-13",
                                            "iso-8859-14",
                                            "iso-8859-15",
                                            "iso-8859-16",
                                            "cp1250",
                                            "cp1251",
                                            "cp1252",
                                            "cp1253",
                                            "cp1254",
                                            "cp1255",
                                            "cp1256",
                                            "cp1257",
                                            "cp1258",
                                            "cp874",
                                            "koi8-r",
                                            "koi8-u",
                                            "gb18030",
                                            "big5",
                                            "shift_jis",
                                            "euc-jp",
                                            "euc-kr",
                                            "cp437",
                                            "cp850",
                                            "cp852",
                                            "cp866",
                                            "macintosh",
                                            "big5-hkscs"};
        char ascii[128];

        for (guint i = 0; i < 128; i++)
                ascii[i] = (char) i;
        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
                g_auto(Octets) out = OCTETS_INIT(4096);
                CharsetReader reader = {.charset = span_of(names[i])};

                g_assert_true(charset_keeps_ascii(span_of(names[i])));
                g_assert_cmpuint(octets_add_charset(&out, &reader, span_make(ascii, 128), TRUE), ==, 128);
                g_assert_true(span_equal(octets_span(&out), span_make(ascii, 128)));
        }
        static const char *const others[] = {"iso-2022-jp", "iso-2022-kr", "utf-16", "utf-32be", "utf-7", "viscii"};
        for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
                g_assert_false(charset_keeps_ascii(span_of(others[i])));
}

static void
test_named_by_a_client(void)
{
        g_autoptr(Arena) arena = arena_new(4096);
        Span got = SPAN_EMPTY;

        g_assert_true(mail_charset_decode(arena, span_of("KOI8-R"), span_of("\xc1\xc2"), 100, &got));
        assert_span(got, "\xd0\xb0\xd0\xb1");
        g_assert_true(mail_charset_decode(arena, span_of("csISO2022JP"), span_of("\x1b$B%F\x1b(B"), 100, &got));
        assert_span(got, "\xe3\x83\x86");
        g_assert_true(mail_charset_decode(arena, span_of("UTF-7"), span_of("gr+APw-n"), 100, &got));
        assert_span(got, "gr\xc3\xbcn");
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
        g_test_add_func("/mail/charset/states-go-over-from-piece-to-piece RFC 1468, 1557", test_states);
        g_test_add_func("/mail/charset/utf-16-by-its-mark-its-zeros-or-its-label RFC 2781 4.3", test_utf16);
        g_test_add_func("/mail/charset/utf-16-that-is-broken", test_utf16_broken);
        g_test_add_func("/mail/charset/utf-16-that-is-utf-8", test_utf16_label_alone);
        g_test_add_func("/mail/charset/utf-32", test_utf32);
        g_test_add_func("/mail/charset/utf-7 RFC 2152", test_utf7);
        g_test_add_func("/mail/charset/of-old-machines-and-under-other-names", test_names);
        g_test_add_func("/mail/charset/ascii-stays-where-it-is-said-to-stay", test_keeps_ascii);
        g_test_add_func("/mail/charset/of-a-search RFC 9051 6.4.4", test_named_by_a_client);
        return g_test_run();
}

#include "base/scan.h"

/* Steps that fail leave the cursor where it was and the output untouched. */
static void
test_failure_moves_nothing(void)
{
        static const guint8 octets[] = {'x', '9', 0xff};
        Scan s = scan_from(span_make(octets, sizeof(octets)));
        const guint8 *mark = scan_mark(&s);
        Span span = span_of("before");
        guint64 number = 4711;
        guint32 small = 4712;

        g_assert_false(scan_octet(&s, 'y'));
        g_assert_false(scan_word(&s, "x98"));
        g_assert_false(scan_skip(&s, 4));
        g_assert_false(scan_skip(&s, G_MAXSIZE));
        g_assert_false(scan_take(&s, 4, &span));
        g_assert_false(scan_run(&s, &CLASS_DIGIT, 9, &span));
        g_assert_false(scan_run(&s, &CLASS_ALPHA, 0, &span));
        g_assert_false(scan_until(&s, 'y', &span));
        g_assert_false(scan_number(&s, 100, &number));
        g_assert_false(scan_hex(&s, 2, &number));
        g_assert_false(scan_u32(&s, &small));
        g_assert_false(scan_u64(&s, &number));
        g_assert_true(scan_mark(&s) == mark);
        g_assert_true(span_is(span, "before"));
        g_assert_cmpuint(number, ==, 4711);
        g_assert_cmpuint(small, ==, 4712);
}

static void
test_empty(void)
{
        Scan s = scan_from(SPAN_EMPTY);
        Span span;
        guint8 octet;
        guint64 number;

        g_assert_true(scan_at_end(&s));
        g_assert_cmpint(scan_peek(&s), ==, -1);
        g_assert_false(scan_any(&s, &octet));
        g_assert_false(scan_octet(&s, 0));
        g_assert_false(scan_line(&s, &span));
        g_assert_false(scan_until(&s, 0, &span));
        g_assert_false(scan_number(&s, 9, &number));
        g_assert_false(scan_varint(&s, 9, &number));
        g_assert_true(scan_skip(&s, 0));
        g_assert_true(scan_word(&s, ""));
        g_assert_true(scan_take(&s, 0, &span));
        g_assert_cmpuint(span.len, ==, 0);
        g_assert_true(scan_skip_run(&s, &CLASS_WSP));
}

static void
test_words_and_marks(void)
{
        Scan s = scan_from(span_of("MAIL FROM:<>"));
        const guint8 *mark = scan_mark(&s);

        g_assert_true(scan_word(&s, "mail") && scan_octet(&s, ' ') && scan_word(&s, "from:"));
        g_assert_true(span_equal(scan_since(&s, mark), span_of("MAIL FROM:")));
        g_assert_true(span_equal(scan_rest(&s), span_of("<>")));
        g_assert_cmpint(scan_peek(&s), ==, '<');
        scan_rewind(&s, mark);
        g_assert_cmpuint(scan_left(&s), ==, 12);
}

static void
test_runs(void)
{
        Scan s = scan_from(span_of("12345abc  "));
        Span run;

        g_assert_true(scan_run(&s, &CLASS_DIGIT, 3, &run) && span_is(run, "123"));
        g_assert_true(scan_run(&s, &CLASS_DIGIT, G_MAXSIZE, &run) && span_is(run, "45"));
        g_assert_true(scan_run(&s, &CLASS_ALPHA, 10, &run) && span_is(run, "abc"));
        g_assert_true(scan_skip_run(&s, &CLASS_WSP));
        g_assert_true(scan_at_end(&s));
}

static void
test_lines(void)
{
        Scan s = scan_from(span_make("a\r\n\nb\rc\n\r\r\nlast", 15));
        static const char *const expected[] = {"a", "", "b\rc", "\r", "last"};
        Span line;

        for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
                g_assert_true(scan_line(&s, &line));
                g_assert_true(span_equal(line, span_of(expected[i])));
        }
        g_assert_false(scan_line(&s, &line));
}

static void
test_numbers(void)
{
        static const struct {
                const char *text;
                guint64 max;
                gboolean is_number;
                guint64 value;
        } cases[] = {
                {"0", 0, TRUE, 0},
                {"1", 0, FALSE, 0},
                {"255", 255, TRUE, 255},
                {"256", 255, FALSE, 0},
                {"00000000000000000007", 7, TRUE, 7},
                {"000000000000000000007", 7, FALSE, 0},                 /* 21 digits */
                {"18446744073709551615", G_MAXUINT64, TRUE, G_MAXUINT64},
                {"18446744073709551616", G_MAXUINT64, FALSE, 0},
                {"99999999999999999999", G_MAXUINT64, FALSE, 0},
                {"18446744073709551617", 10, FALSE, 0},                 /* 1 when it wraps */
                {"5", 3, FALSE, 0},
                {"", 9, FALSE, 0},
                {"-1", 9, FALSE, 0},
                {"+1", 9, FALSE, 0},
                {" 1", 9, FALSE, 0},
                {"1 ", 9, FALSE, 0},
                {"0x1", 9, FALSE, 0},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                guint64 value = 4711;

                g_assert_cmpint(span_to_number(span_of(cases[i].text), cases[i].max, &value), ==, cases[i].is_number);
                g_assert_cmpuint(value, ==, cases[i].is_number ? cases[i].value : 4711);
        }
        Scan s = scan_from(span_of("25 MB"));
        guint64 value;
        g_assert_true(scan_number(&s, 99, &value) && value == 25 && scan_octet(&s, ' '));
}

static void
test_hex(void)
{
        Scan s = scan_from(span_of("fF09ffffffffffffffff0g"));
        guint64 value;

        g_assert_true(scan_hex(&s, 4, &value) && value == 0xff09);
        g_assert_true(scan_hex(&s, 16, &value) && value == G_MAXUINT64);
        g_assert_false(scan_hex(&s, 2, &value));
        g_assert_false(scan_hex(&s, 0, &value));
        g_assert_false(scan_hex(&s, 17, &value));
        g_assert_true(scan_hex(&s, 1, &value) && value == 0);
}

static void
test_stored_integers(void)
{
        static const guint8 octets[] = {0xff, 1, 2, 3, 0x84, 1, 2, 3, 4, 5, 6, 7, 0x88};
        Scan s = scan_from(span_make(octets, sizeof(octets)));
        guint8 u8;
        guint32 u32;
        guint64 u64;

        g_assert_true(scan_u8(&s, &u8) && u8 == 0xff);
        g_assert_true(scan_u32(&s, &u32) && u32 == 0x84030201);
        g_assert_true(scan_u64(&s, &u64) && u64 == G_GUINT64_CONSTANT(0x8807060504030201));
        g_assert_true(scan_at_end(&s));
}

static void
test_varints(void)
{
        static const struct {
                const char *octets;
                gsize len;
                guint64 max;
                gboolean is_number;
                guint64 value;
        } cases[] = {
                {"\x00", 1, 0, TRUE, 0},
                {"\x7f", 1, 127, TRUE, 127},
                {"\x80\x01", 2, 128, TRUE, 128},
                {"\x80\x01", 2, 127, FALSE, 0},
                {"\x85\x80\x00", 3, 9, TRUE, 5},                                        /* not minimal */
                {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, G_MAXUINT64, TRUE, G_MAXUINT64},
                {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, G_MAXUINT64, FALSE, 0}, /* 65 bits */
                {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, 9, FALSE, 0},
                {"\x80", 1, 9, FALSE, 0},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                Scan s = scan_from(span_make(cases[i].octets, cases[i].len));
                guint64 value = 4711;

                g_assert_cmpint(scan_varint(&s, cases[i].max, &value), ==, cases[i].is_number);
                g_assert_cmpuint(value, ==, cases[i].is_number ? cases[i].value : 4711);
                g_assert_cmpuint(scan_left(&s), ==, cases[i].is_number ? 0 : cases[i].len);
        }
}

static gboolean
is_among(const char *octets, guint octet)
{
        return octet != 0 && octet < 128 && strchr(octets, (int) octet) != NULL;
}

static void
test_classes(void)
{
        for (guint o = 0; o < 256; o++) {
                gboolean digit = o >= '0' && o <= '9';
                gboolean alpha = o < 128 && g_ascii_isalpha((char) o);
                gboolean print = o > 0x20 && o < 0x7f;
                gboolean atext = digit || alpha || is_among("!#$%&'*+-/=?^_`{|}~", o);
                guint8 octet = (guint8) o;

                g_assert_cmpint(octet_in(&CLASS_DIGIT, octet), ==, digit);
                g_assert_cmpint(octet_in(&CLASS_ALPHA, octet), ==, alpha);
                g_assert_cmpint(octet_in(&CLASS_ALNUM, octet), ==, digit || alpha);
                g_assert_cmpint(octet_in(&CLASS_HEX, octet), ==, o < 128 && g_ascii_isxdigit((char) o));
                g_assert_cmpint(octet_in(&CLASS_WSP, octet), ==, o == ' ' || o == '\t');
                g_assert_cmpint(octet_in(&CLASS_PRINT, octet), ==, print);
                g_assert_cmpint(octet_in(&CLASS_ATEXT, octet), ==, atext);
                g_assert_cmpint(octet_in(&CLASS_ATEXT8, octet), ==, atext || o >= 128);
                g_assert_cmpint(octet_in(&CLASS_TOKEN, octet), ==, print && !is_among("()<>@,;:\\\"/[]?=", o));
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/scan/failure-moves-nothing", test_failure_moves_nothing);
        g_test_add_func("/base/scan/empty-input", test_empty);
        g_test_add_func("/base/scan/words-and-marks", test_words_and_marks);
        g_test_add_func("/base/scan/runs-stop-at-their-maximum", test_runs);
        g_test_add_func("/base/scan/lines-end-with-crlf-or-lf", test_lines);
        g_test_add_func("/base/scan/numbers-are-limited-at-the-parse", test_numbers);
        g_test_add_func("/base/scan/hex-takes-exact-digits", test_hex);
        g_test_add_func("/base/scan/stored-integers-are-little-endian", test_stored_integers);
        g_test_add_func("/base/scan/varints-hold-64-bits", test_varints);
        g_test_add_func("/base/scan/classes RFC 5322 §3.2.3 RFC 2045 §5.1", test_classes);
        return g_test_run();
}

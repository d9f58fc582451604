#include "mail/compose.h"

#include "mail/header.h"
#include "mail/span_test.h"

static void
test_fields(void)
{
        g_autoptr(Composer) c = composer_new(4096);
        Address joe = {span_of("joe"), span_of("ex.org")};
        Address odd = {span_of("joe doe"), span_of("[192.0.2.1]")};
        Address nobody = {SPAN_EMPTY, SPAN_EMPTY};

        compose_field_address(c, "Return-Path", &nobody);
        compose_field_address(c, "Delivered-To", &joe);
        compose_field_address(c, "X-Rcpt-To", &odd);
        compose_field_date(c, "Date", 1769862896 * USEC_PER_SEC);
        compose_field(c, "Subject", span_of(" hello world "));
        compose_field(c, "X-Empty", SPAN_EMPTY);
        compose_end_header(c);
        compose_text(c, "one\ntwo\r\n%s\rend", "three\n");
        compose_octets(c, span_of("\n\r"));
        assert_span(composer_result(c),
                    "Return-Path: <>\r\nDelivered-To: <joe@ex.org>\r\nX-Rcpt-To: <\"joe doe\"@[192.0.2.1]>\r\n"
                    "Date: Sat, 31 Jan 2026 12:34:56 +0000\r\nSubject: hello world\r\nX-Empty:\r\n\r\n"
                    "one\r\ntwo\r\nthree\r\n?end\n\r");
        g_assert_false(composer_is_over(c));
}

static void
test_injection(void)
{
        static const char nul[] = "a\0b";
        g_autoptr(Composer) c = composer_new(4096);
        Address evil = {span_of("a\r\nBcc: b"), span_of("ex.org\r\n\r\n")};

        compose_field(c, "A", span_of("x\r\nBcc: y"));
        compose_field_raw(c, "B", span_of("x\r\nBcc: y\n\tz\x7f"));
        compose_field_raw(c, "C", span_make(nul, 3));
        compose_field_address(c, "D", &evil);
        compose_field(c, "E:\r\nF ", span_of("x"));
        assert_span(composer_result(c),
                    "A: x??Bcc: y\r\nB: x??Bcc: y?\tz?\r\nC: a?b\r\nD: <\"a??Bcc: b\"@ex.org?\?\?\?>\r\n"
                    "E???F?: x\r\n");
}

static void
test_folding(void)
{
        g_autoptr(Composer) c = composer_new(65536);
        g_autoptr(GString) words = g_string_new(NULL);

        compose_field_raw(
                c, "Received",
                span_of("from mail.example.org (unknown [192.0.2.1]) by mx.example.net with ESMTPS  id 0123456789abc "
                        "for <joe@ex.org>; Sat, 31 Jan 2026 12:34:56 +0000"));
        assert_span(composer_result(c),
                    "Received: from mail.example.org (unknown [192.0.2.1]) by mx.example.net with\r\n"
                    " ESMTPS  id 0123456789abc for <joe@ex.org>; Sat, 31 Jan 2026 12:34:56 +0000\r\n");

        g_autoptr(Composer) long_word = composer_new(65536);
        while (words->len < 900)
                g_string_append(words, "0123456789");
        compose_field_raw(long_word, "Message-ID", span_make(words->str, words->len));
        g_autofree char *expected = g_strdup_printf("Message-ID: %s\r\n", words->str);
        assert_span(composer_result(long_word), expected);
}

static void
check_lines(Span text, gsize max)
{
        Scan s = scan_from(text);
        Span line;

        while (scan_line(&s, &line)) {
                g_assert_cmpuint(line.len, <=, max);
                g_assert_cmpuint(span_trim(line).len, >, 0);
        }
}

static void
test_no_line_over_998(void)
{
        g_autoptr(Composer) c = composer_new(65536);
        g_autoptr(GString) word = g_string_new(NULL);

        while (word->len < 5000)
                g_string_append(word, "\xe2\x82\xac");
        compose_field_raw(c, "A", span_make(word->str, word->len));
        g_string_assign(word, "x");
        while (word->len < 5000)
                g_string_append(word, "          ");
        g_string_append(word, "y");
        compose_field_raw(c, "B", span_make(word->str, word->len));
        compose_field(c, "C", span_make(word->str, word->len));
        check_lines(composer_result(c), 998);
        /* No character is torn. */
        g_assert_true(g_utf8_validate((const char *) composer_result(c).data, (gssize) composer_result(c).len, NULL));
}

/* Whatever is written as text reads back as it was. */
static void
test_round_trip(void)
{
        static const char *const values[] = {
                "plain",
                "J\xc3\xb6rg",
                "=?utf-8?Q?not_a_word?=",
                "\xe2\x82\xac\xe2\x82\xac \xf0\x9f\x98\x80",
                "?=",
                "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y "
                "z",
                "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2"
                "\x82\xac"
                "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac and then a few "
                "words",
        };
        static const char *const names[] = {"S", "X-A-Name-Of-Some-Length-That-Leaves-Little-Room-For-The-First-Word"};

        for (gsize i = 0; i < 2 * G_N_ELEMENTS(values); i++) {
                g_autoptr(Composer) c = composer_new(65536);
                g_autoptr(Arena) arena = arena_new(65536);
                Header h;

                compose_field(c, names[i % 2], span_of(values[i / 2]));
                check_lines(composer_result(c), 78);
                for (gsize k = 0; k < composer_result(c).len; k++)
                        g_assert_cmpint(composer_result(c).data[k], <, 0x80);
                g_assert_true(header_parse(arena, composer_result(c), &h));
                g_assert_cmpuint(h.n_fields, ==, 1);
                assert_span(header_decode(arena, header_field_body(&h, h.fields)), values[i / 2]);
        }
}

static void
test_utf8_allowed(void)
{
        g_autoptr(Composer) c = composer_new(4096);

        composer_allow_utf8(c, TRUE);
        compose_field(c, "Subject", span_of("J\xc3\xb6rg \xff"));
        assert_span(composer_result(c), "Subject: J\xc3\xb6rg \xef\xbf\xbd\r\n");
}

static void
test_encoded(void)
{
        g_autoptr(Composer) c = composer_new(4096);

        compose_field(c, "Subject", span_of("J\xc3\xb6rg"));
        assert_span(composer_result(c), "Subject: =?utf-8?B?SsO2cmc=?=\r\n");
}

static void
test_over(void)
{
        g_autoptr(Composer) c = composer_new(20);

        compose_field(c, "A", span_of("1"));
        g_assert_false(composer_is_over(c));
        compose_field(c, "Subject", span_of("J\xc3\xb6rg and much more of this"));
        g_assert_true(composer_is_over(c));
        compose_field(c, "B", span_of("2"));
        g_assert_true(composer_is_over(c));
        g_assert_cmpuint(composer_result(c).len, <=, 20);
}

/* Every word is there, in its order, and no line is longer than it must be. */
static void
test_folding_of_any_words(void)
{
        for (guint round = 0; round < 2000; round++) {
                g_autoptr(Composer) c = composer_new(4096);
                g_autoptr(GString) value = g_string_new(NULL);

                for (guint n = (guint) g_test_rand_int_range(0, 30); n > 0; n--) {
                        g_autofree char *word = g_strnfill((gsize) g_test_rand_int_range(1, 90), 'w');
                        g_string_append_printf(value, "%s%s", value->len > 0 ? " " : "", word);
                }
                compose_field_raw(c, "X", span_of(value->str));
                g_autofree char *text = span_dup(composer_result(c));
                g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
                for (guint i = 0; lines[i] != NULL; i++)
                        g_assert_true(strlen(lines[i]) <= 78 ||
                                      strchr(lines[i] + (i == 0 ? strlen("X: ") : 1), ' ') == NULL);
                g_autofree char *joined = g_strjoinv("", lines);
                g_assert_cmpstr(joined + (value->len > 0 ? strlen("X: ") : strlen("X:")), ==, value->str);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/compose/fields-and-text", test_fields);
        g_test_add_func("/mail/compose/no-line-can-be-smuggled-in", test_injection);
        g_test_add_func("/mail/compose/folded-at-spaces RFC 5322 §2.2.3", test_folding);
        g_test_add_func("/mail/compose/any-words-are-folded-and-kept RFC 5322 §2.2.3", test_folding_of_any_words);
        g_test_add_func("/mail/compose/no-line-over-998 RFC 5322 §2.1.1", test_no_line_over_998);
        g_test_add_func("/mail/compose/text-reads-back RFC 2047 §2", test_round_trip);
        g_test_add_func("/mail/compose/utf8-where-allowed RFC 6532 §3.2", test_utf8_allowed);
        g_test_add_func("/mail/compose/encoded-word RFC 2047 §4.1", test_encoded);
        g_test_add_func("/mail/compose/over-the-maximum-is-an-answer", test_over);
        return g_test_run();
}

#include "mail/span_test.h"
#include "mail/summary_test.h"

#define TEXT_BASICS "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\""

static char *
write_structure(Span section, gboolean is_extended)
{
        g_autoptr(GString) text = g_string_new(NULL);

        g_assert_true(summary_write_bodystructure(section, is_extended, write_to_string, text));
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
check(const char *message, const char *body, const char *bodystructure)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span section = summary_of(arena, message).structure;
        g_autofree char *found_body = write_structure(section, FALSE);
        g_autofree char *found = write_structure(section, TRUE);

        g_assert_cmpstr(found_body, ==, body);
        g_assert_cmpstr(found, ==, bodystructure);
}

static void
test_text(void)
{
        check("Subject: x\r\n\r\none\r\ntwo\r\n", "(" TEXT_BASICS " 10 2)", "(" TEXT_BASICS " 10 2 NIL NIL NIL NIL)");
        check("", "(" TEXT_BASICS " 0 0)", "(" TEXT_BASICS " 0 0 NIL NIL NIL NIL)");
        check("Content-Type: TEXT/PLAIN; CHARSET=utf-8; format=flowed\r\nContent-Transfer-Encoding: BASE64\r\n"
              "Content-ID: <a@b>\r\nContent-Description: the\r\n text\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n"
              "Content-Disposition: INLINE; filename=\"a b.txt\"\r\nContent-Language: en, fr-CA\r\n"
              "Content-Location: http://example.org/x\r\n\r\nAA==",
              "(\"text\" \"plain\" (\"CHARSET\" \"utf-8\" \"format\" \"flowed\") \"<a@b>\" \"the text\" \"BASE64\" 4 "
              "1)",
              "(\"text\" \"plain\" (\"CHARSET\" \"utf-8\" \"format\" \"flowed\") \"<a@b>\" \"the text\" \"BASE64\" 4 1 "
              "\"Q2hlY2sgSW50ZWdyaXR5IQ==\" (\"INLINE\" (\"filename\" \"a b.txt\")) (\"en\" \"fr-CA\") "
              "\"http://example.org/x\")");
        /* Only texts have lines. */
        check("Content-Type: image/gif\r\n\r\nx\r\n", "(\"image\" \"gif\" NIL NIL NIL \"7bit\" 3)",
              "(\"image\" \"gif\" NIL NIL NIL \"7bit\" 3 NIL NIL NIL NIL)");
}

/* The two-part message of RFC 9051 §7.5.2, with less text. */
static void
test_multipart(void)
{
        check("Content-Type: multipart/mixed; boundary=b\r\nContent-Disposition: "
              "inline\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
              "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=\"cc.diff\"\r\n"
              "Content-ID: <960723163407.20117h@cac.washington.edu>\r\nContent-Description: Compiler diff\r\n"
              "Content-Transfer-Encoding: BASE64\r\n\r\nAAAA\r\n\r\n--b--\r\n",
              "((" TEXT_BASICS " 3 1)(\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
              "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 6 1) \"mixed\")",
              "((" TEXT_BASICS
              " 3 1 NIL NIL NIL NIL)(\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
              "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 6 1 NIL NIL NIL NIL) "
              "\"mixed\" "
              "(\"boundary\" \"b\") (\"inline\" NIL) NIL NIL)");
}

static void
test_message(void)
{
        check("Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\nSubject: in\r\n\r\nx\r\n",
              "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
              "(" TEXT_BASICS " 3 1) 3)",
              "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
              "(" TEXT_BASICS " 3 1 NIL NIL NIL NIL) 3 NIL (\"attachment\" NIL) NIL NIL)");
}

/* The grammar wants a part in a multipart, and an ENVELOPE in a message. */
static void
test_nothing_inside(void)
{
        check("Content-Type: multipart/mixed\r\n\r\nlost\r\n",
              "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"8bit\" 6 1) \"mixed\")",
              "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"8bit\" 6 1 NIL NIL NIL NIL) \"mixed\" NIL NIL "
              "NIL "
              "NIL)");
        check("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDo=\r\n",
              "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 14 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
              "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"8bit\" 0 0) 1)",
              "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 14 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
              "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"8bit\" 0 0 NIL NIL NIL NIL) 1 NIL NIL NIL "
              "NIL)");
}

/* Parameters are put together but not decoded (RFC 2231 §3). */
static void
test_params(void)
{
        static const struct {
                const char *field, *params;
        } cases[] = {
                {"x/y; a*0=one; a*1=two", "(\"a\" \"onetwo\")"},
                {"x/y; a*0*=utf-8''%41; a*1=\"b c\"; a*2*=%42", "(\"a*\" \"utf-8''%41b%20c%42\")"},
                {"x/y; a*0=\"b c\"; a*1*=%42", "(\"a*\" \"''b%20c%42\")"},
                {"x/y; name*=utf-8'en'%C3%A4; name=a", "(\"name*\" \"utf-8'en'%C3%A4\" \"name\" \"a\")"},
                {"x/y; name=\"=?utf-8?q?=C3=A4?=\"", "(\"name\" \"=?utf-8?q?=C3=A4?=\")"},
                {"x/y; name=\xc3\xa4", "(\"name\" {2}\r\n\xc3\xa4)"},
                {"x/y; Name=\"a\\\"b\"", "(\"Name\" \"a\\\"b\")"},
                {"x/y; ; =; broken", "NIL"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *message = g_strdup_printf("Content-Type: %s\r\n\r\n", cases[i].field);
                g_autofree char *body = g_strdup_printf("(\"x\" \"y\" %s NIL NIL \"7bit\" 0)", cases[i].params);
                g_autofree char *whole =
                        g_strdup_printf("(\"x\" \"y\" %s NIL NIL \"7bit\" 0 NIL NIL NIL NIL)", cases[i].params);

                check(message, body, whole);
        }
}

/* The example of RFC 9051 §6.4.5.1. */
static const char NUMBERED[] =
        "Subject: root\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
        "--a\r\n\r\none\r\n"
        "--a\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n"
        "--a\r\nContent-Type: message/rfc822\r\n\r\n"
        "Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\n\r\nthree-one\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\nthree-two\r\n--b--\r\n"
        "--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
        "--c\r\nContent-Type: image/gif\r\nContent-ID: <x>\r\n\r\nfour-one\r\n"
        "--c\r\nContent-Type: message/rfc822\r\n\r\n"
        "Subject: four-two\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n"
        "--d\r\n\r\nfour-two-one\r\n"
        "--d\r\nContent-Type: multipart/alternative; boundary=e\r\n\r\n"
        "--e\r\n\r\nfour-two-two-one\r\n--e\r\nContent-Type: text/richtext\r\n\r\nfour-two-two-two\r\n--e--\r\n"
        "--d--\r\n--c--\r\n--a--\r\n";

/* "4.2.1", "" for the message. */
static gsize
parse_path(const char *text, guint32 path[16])
{
        g_auto(GStrv) words = g_strsplit(text, ".", -1);
        gsize n = 0;

        for (; text[0] != '\0' && words[n] != NULL; n++)
                path[n] = (guint32) g_ascii_strtoull(words[n], NULL, 10);
        return n;
}

/* expected NULL: there is no such section. */
static void
check_section(const char *message, const char *path_text, PartSection section, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span structure = summary_of(arena, message).structure;
        guint64 start = 0, end = 0;
        guint32 path[16];
        gsize n = parse_path(path_text, path);
        PartAnswer answer = summary_find_section(structure, path, n, section, &start, &end);

        g_assert_cmpint(answer, ==, expected != NULL ? PART_FOUND : PART_NONE);
        if (expected != NULL)
                assert_span(span_slice(span_of(message), start, end), expected);
}

static void
test_numbers(void)
{
        static const struct {
                const char *path, *body;
        } found[] = {
                {"1", "one"},
                {"2", "two"},
                {"3.1", "three-one"},
                {"3.2", "three-two"},
                {"4.1", "four-one"},
                {"4.2.1", "four-two-one"},
                {"4.2.2.1", "four-two-two-one"},
                {"4.2.2.2", "four-two-two-two"},
        };
        static const char *const none[] = {"0", "5", "1.1", "2.1", "3.3", "3.1.1", "4.3", "4.2.3", "4.2.2.3", "1.0"};

        for (gsize i = 0; i < G_N_ELEMENTS(found); i++)
                check_section(NUMBERED, found[i].path, SECTION_WHOLE, found[i].body);
        for (gsize i = 0; i < G_N_ELEMENTS(none); i++)
                check_section(NUMBERED, none[i], SECTION_WHOLE, NULL);
        check_section(NUMBERED, "", SECTION_WHOLE, NUMBERED);
        check_section(NUMBERED, "", SECTION_HEADER,
                      "Subject: root\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n");
        check_section(NUMBERED, "", SECTION_MIME, NULL);
        check_section(NUMBERED, "1", SECTION_HEADER, NULL);
        check_section(NUMBERED, "1", SECTION_MIME, "\r\n");
        check_section(NUMBERED, "3", SECTION_HEADER,
                      "Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
        check_section(NUMBERED, "3", SECTION_MIME, "Content-Type: message/rfc822\r\n\r\n");
        check_section(NUMBERED, "4.1", SECTION_MIME, "Content-Type: image/gif\r\nContent-ID: <x>\r\n\r\n");
        check_section(
                NUMBERED, "4.2", SECTION_TEXT,
                "--d\r\n\r\nfour-two-one\r\n"
                "--d\r\nContent-Type: multipart/alternative; boundary=e\r\n\r\n"
                "--e\r\n\r\nfour-two-two-one\r\n--e\r\nContent-Type: text/richtext\r\n\r\nfour-two-two-two\r\n--e--\r\n"
                "--d--");
}

/* RFC 9051 §6.4.5.1: every message has a part 1. */
static void
test_single_part(void)
{
        static const char inner[] = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
                                    "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n--a--\r\n";

        check_section("Subject: x\r\n\r\nbody", "1", SECTION_WHOLE, "body");
        check_section("Subject: x\r\n\r\nbody", "1", SECTION_MIME, "Subject: x\r\n\r\n");
        check_section("Subject: x\r\n\r\nbody", "", SECTION_TEXT, "body");
        check_section("Subject: x\r\n\r\nbody", "1", SECTION_TEXT, NULL);
        check_section("Subject: x\r\n\r\nbody", "2", SECTION_WHOLE, NULL);
        check_section("Subject: x\r\n\r\nbody", "1.1", SECTION_WHOLE, NULL);
        check_section(inner, "1", SECTION_WHOLE, "Subject: in\r\n\r\nbody");
        check_section(inner, "1.1", SECTION_WHOLE, "body");
        check_section(inner, "1.1", SECTION_MIME, "Subject: in\r\n\r\n");
        check_section(inner, "1", SECTION_TEXT, "body");
        check_section(inner, "1.2", SECTION_WHOLE, NULL);
        check_section("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody", "1", SECTION_HEADER,
                      "Subject: in\r\n\r\n");
        check_section("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody", "1.1", SECTION_WHOLE, "body");
        /* Nothing is out of reach. */
        check_section("Content-Type: multipart/mixed\r\n\r\nlost", "1", SECTION_WHOLE, "lost");
        check_section("Content-Type: multipart/mixed; boundary=x\r\n\r\nlost", "1", SECTION_WHOLE, "lost");
}

static void
test_places(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Summary s = summary_of(
                arena,
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                "Content-Type: TEXT/HTML; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                "\r\nx\r\n--b\r\nContent-Type: text/calendar\r\nContent-Disposition: x-strange\r\n\r\ny\r\n--b--");
        PartReader reader;
        PartPlace p;

        summary_read_parts(s.structure, &reader);
        g_assert_cmpint(summary_next_part(&reader, &p), ==, PART_FOUND);
        g_assert_true(p.is_multipart && p.index == 0 && p.depth == 0 && p.header_start == 0);
        assert_span(p.type, "multipart");
        g_assert_cmpint(summary_next_part(&reader, &p), ==, PART_FOUND);
        g_assert_true(!p.is_multipart && !p.is_attachment && p.index == 1 && p.depth == 1);
        g_assert_cmpint(p.encoding, ==, TRANSFER_QUOTED_PRINTABLE);
        assert_span(p.type, "text");
        assert_span(p.subtype, "html");
        assert_span(p.charset, "utf-8");
        g_assert_cmpuint(p.end - p.body_start, ==, 1);
        g_assert_cmpuint(p.n_lines, ==, 1);
        g_assert_cmpint(summary_next_part(&reader, &p), ==, PART_FOUND);
        g_assert_true(p.is_attachment && p.index == 2);
        g_assert_cmpint(summary_next_part(&reader, &p), ==, PART_NONE);
        g_assert_cmpint(summary_next_part(&reader, &p), ==, PART_NONE);
}

/* Reads all that can be read; nothing may be given that is outside the octets of the section. */
static void
try_structure(Span section)
{
        static const guint32 path[] = {4, 2, 2, 1};
        g_autoptr(GString) text = g_string_new(NULL);
        PartReader reader;
        PartPlace p;
        guint n = 0;

        if (!summary_write_bodystructure(section, FALSE, write_to_string, text))
                g_assert_cmpuint(text->len, ==, 0);
        if (summary_find_part(section, path, G_N_ELEMENTS(path), &p) == PART_FOUND)
                g_assert_true(p.header_start <= p.body_start && p.body_start <= p.end);
        summary_read_parts(section, &reader);
        for (; summary_next_part(&reader, &p) == PART_FOUND; n++)
                g_assert_true(n < section.len && p.index == n && p.depth <= n);
}

static void
test_damaged(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        PartPlace p;

        try_damaged(summary_of(arena, NUMBERED).structure, try_structure);
        g_assert_cmpint(summary_find_part(SPAN_EMPTY, NULL, 0, &p), ==, PART_DAMAGED);
        g_assert_cmpint(summary_find_part(span_of("\x01"), NULL, 0, &p), ==, PART_DAMAGED);
        g_assert_cmpint(summary_find_part(span_make("\x01\0\0", 3), NULL, 0, &p), ==, PART_DAMAGED);
        g_assert_cmpint(summary_find_part(span_of("\x02xyz"), NULL, 0, &p), ==, PART_DAMAGED);
}

/* A thousand parts, and deep nesting: whole and within bounds. */
static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) many = g_string_new("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
        g_autoptr(GString) deep = g_string_new(NULL);
        guint32 path[100];
        PartPlace p;

        for (guint i = 0; i < MESSAGE_PARTS_MAX - 1; i++)
                g_string_append_printf(many, "--b\r\nContent-Description: %0300u\r\n\r\n%u\r\n", i, i);
        Span section = summary_of(arena, many->str).structure;
        path[0] = MESSAGE_PARTS_MAX - 1;
        g_assert_cmpint(summary_find_part(section, path, 1, &p), ==, PART_FOUND);
        g_assert_cmpuint(section.len, <, 1024 * 1024);

        arena_reset(arena);
        for (guint i = 0; i < 80; i++)
                g_string_append(deep, "Content-Type: message/rfc822\r\n\r\n");
        g_string_append(deep, "Subject: x\r\n\r\nend");
        section = summary_of(arena, deep->str).structure;
        for (guint i = 0; i < G_N_ELEMENTS(path); i++)
                path[i] = 1;
        g_assert_cmpint(summary_find_part(section, path, 51, &p), ==, PART_FOUND);
        g_assert_true(p.depth == MESSAGE_DEPTH_MAX && !p.is_message);
        g_assert_cmpint(summary_find_part(section, path, 52, &p), ==, PART_NONE);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/bodystructure/text RFC 9051 §7.5.2", test_text);
        g_test_add_func("/mail/bodystructure/multipart RFC 9051 §7.5.2", test_multipart);
        g_test_add_func("/mail/bodystructure/message RFC 9051 §7.5.2", test_message);
        g_test_add_func("/mail/bodystructure/containers-without-parts", test_nothing_inside);
        g_test_add_func("/mail/bodystructure/parameters-are-joined-not-decoded RFC 2231 §3", test_params);
        g_test_add_func("/mail/bodystructure/part-numbers RFC 9051 §6.4.5.1", test_numbers);
        g_test_add_func("/mail/bodystructure/part-1-is-always-there RFC 9051 §6.4.5.1", test_single_part);
        g_test_add_func("/mail/bodystructure/places", test_places);
        g_test_add_func("/mail/bodystructure/damaged-sections-are-answered", test_damaged);
        g_test_add_func("/mail/bodystructure/limits", test_limits);
        return g_test_run();
}

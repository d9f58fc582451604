#include "mail/header.h"

#include "mail/span_test.h"

#define TEXT(literal) span_make((literal), sizeof(literal) - 1)

static Header
parse(Arena *arena, Span text)
{
        Header h;

        g_assert_true(header_parse(arena, text, &h));
        g_assert_cmpuint(h.body_offset, ==, h.text.len);
        for (gsize i = 0; i < h.n_fields; i++) {
                const Field *f = &h.fields[i];

                g_assert_cmpuint(f->start + f->name_len, <, f->body);
                g_assert_cmpuint(f->body, <=, f->end);
                g_assert_cmpuint(f->end, <=, h.text.len);
        }
        return h;
}

static void
test_fields(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        Header h = parse(
                arena, TEXT("From: joe@ex.org\r\nSubject: one\r\n two\r\nX-Empty:\r\nsubject :three\r\n\r\nbody\r\n"));

        g_assert_cmpuint(h.n_fields, ==, 4);
        g_assert_false(h.has_junk || h.is_truncated);
        assert_span(header_field_name(&h, &h.fields[0]), "From");
        assert_span(header_field_body(&h, &h.fields[1]), " one\r\n two\r\n");
        assert_span(header_field_body(&h, &h.fields[2]), "\r\n");
        assert_span(header_field_name(&h, &h.fields[3]), "subject");
        assert_span(header_field_body(&h, &h.fields[3]), "three\r\n");
        g_assert_true(header_find(&h, "SUBJECT", 0) == &h.fields[1]);
        g_assert_true(header_find(&h, "Subject", 1) == &h.fields[3]);
        g_assert_null(header_find(&h, "Subject", 2));
        g_assert_null(header_find(&h, "Sub", 0));
        g_assert_cmpuint(h.body_offset, ==, 66);
}

static void
test_bare_lf(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        Header h = parse(arena, TEXT("A: 1\n\t2\nB: 3\r4\n\nC: 5\n"));

        g_assert_cmpuint(h.n_fields, ==, 2);
        assert_span(header_field_body(&h, &h.fields[0]), " 1\n\t2\n");
        assert_span(header_field_body(&h, &h.fields[1]), " 3\r4\n");
        g_assert_cmpuint(h.body_offset, ==, 16);
}

static void
test_ends(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        Header h = parse(arena, TEXT("A: 1\r\nB: 2"));

        g_assert_cmpuint(h.n_fields, ==, 2);
        assert_span(header_field_body(&h, &h.fields[1]), " 2");
        g_assert_cmpuint(h.body_offset, ==, 10);

        h = parse(arena, TEXT("\r\nbody"));
        g_assert_cmpuint(h.n_fields, ==, 0);
        g_assert_cmpuint(h.body_offset, ==, 2);

        h = parse(arena, SPAN_EMPTY);
        g_assert_cmpuint(h.n_fields, ==, 0);
        g_assert_cmpuint(h.body_offset, ==, 0);

        /* White space alone is a continuation, not the end. */
        h = parse(arena, TEXT("A: 1\r\n \r\nB: 2\r\n\r\n"));
        g_assert_cmpuint(h.n_fields, ==, 2);
}

static void
test_no_header(void)
{
        static const char *const texts[] = {
                "Hello Joe,\r\nNote: this is no field\r\n\r\nBye\r\n",
                " indented: text\r\n\r\n",
                ": no name\r\n",
                "\rA: 1\r\n",
                "From joe@ex.org Mon Jan  5 12:00:00 2026\nHello\n",
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
                Header h = parse(arena, span_of(texts[i]));

                g_assert_cmpuint(h.n_fields, ==, 0);
                g_assert_cmpuint(h.body_offset, ==, 0);
        }
}

static void
test_mbox_line(void)
{
        static const char *const texts[] = {
                "From joe@ex.org Mon Jan  5 12:00:00 2026\nA: 1\n\nbody",
                ">From joe@ex.org Mon Jan  5 12:00:00 2026\r\nA: 1\r\n\r\nbody",
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
                Header h = parse(arena, span_of(texts[i]));

                g_assert_cmpuint(h.n_fields, ==, 1);
                g_assert_true(h.has_junk);
                assert_span(header_field_name(&h, &h.fields[0]), "A");
                assert_span(span_slice(span_of(texts[i]), h.body_offset, G_MAXSIZE), "body");
        }
}

static void
test_junk(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        Header h = parse(arena, TEXT("A: 1\r\nno field at all\r\n of its lines\r\nB 2: 3\r\nC: 4\r\n\r\n"));

        g_assert_cmpuint(h.n_fields, ==, 2);
        g_assert_true(h.has_junk);
        assert_span(header_field_body(&h, &h.fields[0]), " 1\r\n");
        assert_span(header_field_name(&h, &h.fields[1]), "C");
}

static void
test_nuls(void)
{
        static const char nuls[1000];
        g_autoptr(Arena) arena = arena_new(65536);
        Header h = parse(arena, TEXT("A\0: 1\r\n\r\n"));

        g_assert_cmpuint(h.n_fields, ==, 0);
        h = parse(arena, TEXT("A: 1\0002\r\n\r\n"));
        g_assert_cmpuint(header_field_body(&h, &h.fields[0]).len, ==, 6);
        h = parse(arena, span_make(nuls, sizeof(nuls)));
        g_assert_cmpuint(h.n_fields + h.body_offset, ==, 0);
}

static void
test_many_fields(void)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        g_autoptr(GString) text = g_string_new(NULL);

        for (guint i = 0; i < 10000; i++)
                g_string_append_printf(text, "X-%u: %u\r\n", i, i);
        g_string_append(text, "\r\nbody");
        Header h = parse(arena, span_make(text->str, text->len));
        g_assert_cmpuint(h.n_fields, ==, MESSAGE_FIELDS_MAX);
        g_assert_true(h.is_truncated);
        assert_span(header_field_name(&h, &h.fields[1999]), "X-1999");
        g_assert_cmpuint(h.body_offset, ==, text->len - 4);
        g_assert_cmpuint(arena_used_octets(arena), <, 128 * 1024);
}

/* A line of a megabyte, on one line or folded: the fields around it are found, and the end of the block. */
static void
test_long_field(void)
{
        for (guint folded = 0; folded < 2; folded++) {
                g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
                g_autoptr(GString) text = g_string_new("A: 1\r\nB: ");

                while (text->len < MESSAGE_HEADER_MAX)
                        g_string_append(text, folded != 0 ? "x\r\n " : "xxxx");
                g_string_append(text, "\r\nC: 3\r\n\r\nbody");
                Header h = parse(arena, span_make(text->str, text->len));
                g_assert_cmpuint(h.n_fields, ==, 1);
                g_assert_true(h.is_truncated);
                g_assert_cmpuint(h.body_offset, ==, text->len - 4);
                assert_span(header_field_body(&h, &h.fields[0]), " 1\r\n");
        }
}

static void
test_unfold(void)
{
        static const struct {
                const char *body, *expected;
        } cases[] = {
                {" one line \r\n", "one line"},
                {" This\r\n is a test\r\n", "This is a test"},
                {" a\r\n\t  b \r\n c\r\n", "a b c"},
                {"\r\n only\n next\n", "only next"},
                {" a\r\n \r\n b\r\n", "a b"},
                {"\r\n", ""},
                {" a  b\r\n", "a  b"},
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                assert_span(header_unfold(arena, span_of(cases[i].body)), cases[i].expected);
}

static void
test_arena_over(void)
{
        g_autoptr(Arena) arena = arena_new(1024);
        g_autoptr(GString) text = g_string_new(NULL);
        Header h;

        for (guint i = 0; i < 100; i++)
                g_string_append(text, "A: 1\n");
        g_assert_false(header_parse(arena, span_make(text->str, text->len), &h));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/header/fields-by-offset RFC 5322 §2.2", test_fields);
        g_test_add_func("/mail/header/bare-lf-ends-a-line-bare-cr-does-not", test_bare_lf);
        g_test_add_func("/mail/header/end-of-the-block", test_ends);
        g_test_add_func("/mail/header/message-without-header", test_no_header);
        g_test_add_func("/mail/header/mbox-line-at-the-top", test_mbox_line);
        g_test_add_func("/mail/header/junk-lines-are-passed-over", test_junk);
        g_test_add_func("/mail/header/nuls", test_nuls);
        g_test_add_func("/mail/header/ten-thousand-fields", test_many_fields);
        g_test_add_func("/mail/header/field-of-a-megabyte", test_long_field);
        g_test_add_func("/mail/header/unfolding RFC 5322 §2.2.3", test_unfold);
        g_test_add_func("/mail/header/arena-over-is-an-answer", test_arena_over);
        return g_test_run();
}

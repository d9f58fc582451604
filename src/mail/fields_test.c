#include "mail/span_test.h"
#include "mail/summary_test.h"

static const char HEADER[] =
        "Received: from a\r\n by b\r\nReturn-Path: <x@y>\r\nFrom: a@b\r\nTo: c@d,\r\n e@f\r\nX-Loop: 1\r\n"
        "SUBJECT : folded\r\n\tsubject\r\nto: g@h\r\nContent-Disposition: inline\r\n\r\nbody\r\n";

/* Names with commas between. expected NULL: unknown. */
static void
check_cut(Span section, const char *names, const SummaryCut *cuts, gsize n_cuts, const char *expected)
{
        g_auto(GStrv) words = g_strsplit(names, ",", -1);
        g_autoptr(GString) text = g_string_new(NULL);
        Span spans[16];
        gsize n = 0;

        for (; words[n] != NULL; n++)
                spans[n] = span_of(words[n]);
        FieldsAnswer answer = summary_write_fields(section, spans, n, FALSE, cuts, n_cuts, write_to_string, text);
        g_assert_cmpint(answer, ==, expected != NULL ? FIELDS_KNOWN : FIELDS_UNKNOWN);
        g_assert_cmpstr(text->str, ==, expected != NULL ? expected : "");
}

static void
check(Span section, const char *names, const char *expected)
{
        check_cut(section, names, NULL, 0, expected);
}

static void
test_known(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span section = summary_of(arena, HEADER).fields;

        check(section, "From", "From: a@b\r\n");
        check(section, "subject,FROM", "From: a@b\r\nSUBJECT : folded\r\n\tsubject\r\n");
        check(section, "To", "To: c@d,\r\n e@f\r\nto: g@h\r\n");
        check(section, "Cc", "");
        check(section, "X-Not-There,List-Id,", "");
        check(section, "Delivered-To,From", "From: a@b\r\n");
}

/* Fields that are there and were not kept can't be answered. */
static void
test_unknown(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span section = summary_of(arena, HEADER).fields;
        Span from = span_of("From");

        check(section, "From,Received", NULL);
        check(section, "return-path", NULL);
        check(section, "x-loop", NULL);
        check(section, "content-disposition", NULL);
        g_assert_cmpint(summary_write_fields(section, &from, 1, TRUE, NULL, 0, write_to_string, NULL), ==,
                        FIELDS_UNKNOWN);
}

/* What a copy hides is not shown. */
static void
test_cuts(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span section = summary_of(arena, HEADER).fields;
        guint32 first = (guint32) (strstr(HEADER, "To: c@d") - HEADER),
                second = (guint32) (strstr(HEADER, "to: g@h") - HEADER);
        SummaryCut cuts[] = {{0, 10}, {first, 16}};

        check_cut(section, "To,From", cuts, 2, "From: a@b\r\nto: g@h\r\n");
        cuts[1] = (SummaryCut){second, 9};
        check_cut(section, "To", cuts, 2, "To: c@d,\r\n e@f\r\n");
        cuts[1] = (SummaryCut){first + 15, 1};
        check_cut(section, "To", cuts, 2, "to: g@h\r\n");
        cuts[1] = (SummaryCut){first + 16, 9}; /* touches only what follows */
        check_cut(section, "To", cuts, 2, "To: c@d,\r\n e@f\r\nto: g@h\r\n");
}

/* Beyond the limit a field is known to be there, and no more; a smaller one behind it is kept. */
static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) header = g_string_new("From: a@b\r\nReferences:");
        SummaryCut cut = {11, 0};

        for (guint i = 0; i < SUMMARY_FIELDS_MAX / 16; i++)
                g_string_append_printf(header, "\r\n <%011u>", i);
        cut.len = (guint32) header->len - 9;
        g_string_append(header, "\r\nSubject: x\r\n\r\n");
        Span section = summary_of(arena, header->str).fields;
        check(section, "From,Subject,Cc", "From: a@b\r\nSubject: x\r\n");
        check(section, "References", NULL);
        check_cut(section, "References,Subject", &cut, 1, "Subject: x\r\n");
        g_assert_cmpuint(section.len, <, 100);

        /* A last line without its end is not kept either. */
        check(summary_of(arena, "From: a@b\r\nTo: c@d").fields, "To", NULL);
        check(summary_of(arena, "From: a@b\r\nTo: c@d").fields, "From", "From: a@b\r\n");
}

/* So many names that not all are known of, or a header that was not read to its end: nothing is sure. */
static void
test_partial(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) names = g_string_new("From: a@b\r\n");
        g_autoptr(GString) fields = g_string_new("From: a@b\r\n");

        for (guint i = 0; i < 300; i++)
                g_string_append_printf(names, "X-%u: x\r\n", i);
        for (guint i = 0; i <= MESSAGE_FIELDS_MAX; i++)
                g_string_append(fields, "X: x\r\n");
        check(summary_of(arena, names->str).fields, "From", NULL);
        check(summary_of(arena, fields->str).fields, "From", NULL);
}

static void
try_fields(Span section)
{
        const Span names[] = {span_of("From"), span_of("To"), span_of("Subject")};
        g_autoptr(GString) text = g_string_new(NULL);
        FieldsAnswer answer = summary_write_fields(section, names, 3, FALSE, NULL, 0, write_to_string, text);

        g_assert_true(text->len <= section.len && (answer == FIELDS_KNOWN || text->len == 0));
}

static void
test_damaged(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span from = span_of("From");

        try_damaged(summary_of(arena, HEADER).fields, try_fields);
        g_assert_cmpint(summary_write_fields(SPAN_EMPTY, &from, 1, FALSE, NULL, 0, write_to_string, NULL), ==,
                        FIELDS_DAMAGED);
        g_assert_cmpint(summary_write_fields(span_make("\x01\0\0\x01\0\x05"
                                                       "From",
                                                       10),
                                             &from, 1, FALSE, NULL, 0, write_to_string, NULL),
                        ==, FIELDS_DAMAGED);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/fields/kept-fields-are-written-in-order RFC 9051 §6.4.5.1", test_known);
        g_test_add_func("/mail/fields/what-was-not-kept-is-unknown", test_unknown);
        g_test_add_func("/mail/fields/cuts-are-left-out", test_cuts);
        g_test_add_func("/mail/fields/limits", test_limits);
        g_test_add_func("/mail/fields/too-many-names-make-all-unknown", test_partial);
        g_test_add_func("/mail/fields/damaged-sections-are-answered", test_damaged);
        return g_test_run();
}

#include "mail/span_test.h"
#include "mail/summary_test.h"

static const char HEADER[] =
        "Received: from a\r\n by b\r\nReturn-Path: <x@y>\r\nFrom: a@b\r\nTo: c@d,\r\n e@f\r\nX-Loop: 1\r\n"
        "SUBJECT : folded\r\n\tsubject\r\nto: g@h\r\nContent-Disposition: inline\r\n\r\nbody\r\n";

static char *
text_of(const FoundFields *found)
{
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < found->n; i++)
                g_string_append_len(text, (const char *) found->fields[i].data, (gssize) found->fields[i].len);
        g_assert_cmpuint(text->len, ==, found->octets);
        return g_string_free(text, FALSE);
}

/* With commas between. */
static FieldNames
names_of(Arena *arena, const char *names)
{
        g_auto(GStrv) words = g_strsplit(names, ",", -1);
        FieldNames ret;
        Span spans[16];
        gsize n = 0;

        for (; words[n] != NULL; n++)
                spans[n] = arena_copy(arena, span_of(words[n]));
        g_assert_true(field_names_make(arena, spans, n, &ret));
        return ret;
}

/* Names with commas between. expected NULL: unknown. */
static void
check_cut(Span section, const char *names, const SummaryCut *cuts, gsize n_cuts, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        FieldNames wanted = names_of(arena, names);
        FoundFields found = {.n = 0};
        FieldsAnswer answer = summary_find_fields(section, &wanted, cuts, n_cuts, &found);
        g_autofree char *text = text_of(&found);

        g_assert_cmpint(answer, ==, expected != NULL ? FIELDS_KNOWN : FIELDS_UNKNOWN);
        g_assert_cmpstr(text, ==, expected != NULL ? expected : "");
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

        check(section, "From,Received", NULL);
        check(section, "return-path", NULL);
        check(section, "x-loop", NULL);
        check(section, "content-disposition", NULL);
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
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        FieldNames names = names_of(arena, "From,To,Subject");
        FoundFields found = {.n = 0};
        FieldsAnswer answer = summary_find_fields(section, &names, NULL, 0, &found);

        g_assert_true(found.octets <= section.len && (answer == FIELDS_KNOWN || found.n == 0));
}

static void
test_damaged(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        FieldNames from = names_of(arena, "From");
        FoundFields found = {.n = 0};

        try_damaged(summary_of(arena, HEADER).fields, try_fields);
        g_assert_cmpint(summary_find_fields(SPAN_EMPTY, &from, NULL, 0, &found), ==, FIELDS_DAMAGED);
        Span short_one = span_make("\x01\0\0\x01\0\x05"
                                   "From",
                                   10);
        g_assert_cmpint(summary_find_fields(short_one, &from, NULL, 0, &found), ==, FIELDS_DAMAGED);
}

/* What was found before stays, and comes first. */
static void
test_added(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        FieldNames names = names_of(arena, "Return-Path,From");
        FoundFields found = {.n = 0};

        g_assert_true(lines_find_fields(span_of("Return-Path: <>\r\n"), &names, &found));
        Span section = summary_of(arena, "From: a@b\r\nX-Loop: 1\r\n").fields;
        g_assert_cmpint(summary_find_fields(section, &names, NULL, 0, &found), ==, FIELDS_KNOWN);
        g_autofree char *both = text_of(&found);
        g_assert_cmpstr(both, ==, "Return-Path: <>\r\nFrom: a@b\r\n");
        names = names_of(arena, "From,X-Loop");
        g_assert_cmpint(summary_find_fields(section, &names, NULL, 0, &found), ==, FIELDS_UNKNOWN);
        g_autofree char *same = text_of(&found);
        g_assert_cmpstr(same, ==, both);
}

static void
check_lines(const char *lines, const char *names, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        FieldNames wanted = names_of(arena, names);
        FoundFields found = {.n = 0};

        g_assert_true(lines_find_fields(span_of(lines), &wanted, &found));
        g_autofree char *text = text_of(&found);
        g_assert_cmpstr(text, ==, expected);
}

static void
test_lines(void)
{
        static const char lines[] = "Return-Path: <x@y>\r\nDELIVERED-TO : a@b\r\n\tc\r\nFrom: a\nX: \r\n y\r\n";

        check_lines(lines, "delivered-to", "DELIVERED-TO : a@b\r\n\tc\r\n");
        check_lines(lines, "x,from,Cc", "From: a\nX: \r\n y\r\n");
        check_lines(lines, "Return", "");
        check_lines(" From: a\r\nno field\r\n: x\r\nTo: b\r\n", "From,To,no field,", "To: b\r\n");
        check_lines("", "From", "");
}

static void
test_too_many(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) lines = g_string_new(NULL);
        FieldNames to = names_of(arena, "To");
        FoundFields found = {.n = 0};

        for (guint i = 0; i <= FOUND_FIELDS_MAX; i++)
                g_string_append(lines, "To: a@b\r\n");
        check(summary_of(arena, lines->str).fields, "To", NULL);
        check(summary_of(arena, lines->str).fields, "From", "");
        g_assert_false(lines_find_fields(span_of(lines->str), &to, &found));
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
        g_test_add_func("/mail/fields/found-fields-are-added-or-none-is", test_added);
        g_test_add_func("/mail/fields/whole-lines-are-searched-by-name RFC 5322 §4.5", test_lines);
        g_test_add_func("/mail/fields/more-fields-than-there-is-room-for-are-unknown", test_too_many);
        g_test_add_func("/mail/fields/damaged-sections-are-answered", test_damaged);
        return g_test_run();
}

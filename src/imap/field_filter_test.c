#include "imap/field_filter.h"

#include <glib.h>

#define NAMES_MAX 4

/* A header through the filter in pieces of that size. */
static GString *
filtered(const char *header, const char *const *names, gboolean is_not, gsize piece)
{
        Span text = span_of(header), spans[NAMES_MAX];
        g_autofree guint8 *out = g_malloc(piece + FIELD_FILTER_HELD_MAX);
        GString *all = g_string_new(NULL);
        FieldFilter f;
        gsize n = 0;

        for (; n < NAMES_MAX && names[n] != NULL; n++)
                spans[n] = span_of(names[n]);
        field_filter_init(&f, spans, n, is_not);
        for (gsize at = 0; at < text.len; at += piece) {
                gsize got = field_filter_feed(&f, span_slice(text, at, at + piece), out);
                g_assert_cmpuint(got, <=, piece + FIELD_FILTER_HELD_MAX);
                g_string_append_len(all, (char *) out, (gssize) got);
        }
        return all;
}

static void
test_cases(void)
{
        static const struct {
                const char *header;
                const char *names[NAMES_MAX];
                gboolean is_not;
                const char *out;
        } cases[] = {
                {"From: a\r\nTo: b\r\nSubject: c\r\n\r\nTo: body\r\n", {"to"}, FALSE, "To: b\r\n"},
                {"From: a\r\nTo: b\r\nSubject: c\r\n\r\nTo: body\r\n", {"TO"}, TRUE, "From: a\r\nSubject: c\r\n"},
                /* as received: folding, bare line feeds, no end */
                {"From: a\r\n b\r\n\tc\r\nTo: d\r\n", {"From"}, FALSE, "From: a\r\n b\r\n\tc\r\n"},
                {"From: a\n b\nTo: d\n\nTo: e\n", {"To"}, FALSE, "To: d\n"},
                {"From: a\n b\nTo: d", {"To"}, FALSE, "To: d"},
                {"To: a\r\nFrom: x\r\nto : b\r\n\r\n", {"To"}, FALSE, "To: a\r\nto : b\r\n"},
                {"To: a\r\nCc: b\r\nBcc: c\r\n\r\n", {"Bcc", "Cc"}, FALSE, "Cc: b\r\nBcc: c\r\n"},
                {"To:\r\nToo: b\r\nT: c\r\n\r\n", {"To"}, FALSE, "To:\r\n"},
                /* no fields: an mbox line, a continuation of nothing, a line without a colon */
                {"From joe Mon 12:30\r\nTo: a\r\n\r\n", {"X"}, TRUE, "To: a\r\n"},
                {" To: x\r\nTo: a\r\n\r\n", {"X"}, TRUE, "To: a\r\n"},
                {"junk\r\n more\r\nTo: a\r\n\r\n", {"X"}, TRUE, "To: a\r\n"},
                {": a\r\nTo: a\r\n\r\n", {"X"}, TRUE, "To: a\r\n"},
                /* the header ends at an empty line only */
                {"A: 1\r\n\rB: 2\r\nC: 3\r\n\r\nD: 4", {"X"}, TRUE, "A: 1\r\nC: 3\r\n"},
                {"\r\nTo: a\r\n", {"To"}, FALSE, ""},
                {"\nTo: a\r\n", {"To"}, FALSE, ""},
                {"A: 1\r\n \r\nTo: a\r\n\r\n", {"To"}, FALSE, "To: a\r\n"},
                {"", {"To"}, FALSE, ""},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                for (gsize piece = 1; piece < 40; piece++) {
                        g_autoptr(GString) out = filtered(cases[i].header, cases[i].names, cases[i].is_not, piece);
                        g_assert_cmpstr(out->str, ==, cases[i].out);
                }
}

static void
test_long_names(void)
{
        g_autoptr(GString) header = g_string_new(NULL);
        static const char *const names[NAMES_MAX] = {"To"};

        for (guint i = 0; i < 5000; i++)
                g_string_append_c(header, 'a');
        g_string_append(header, ": b\r\n");
        for (gsize piece = 1; piece < 6000; piece += 321) {
                g_autoptr(GString) without = filtered(header->str, names, FALSE, piece);
                g_autoptr(GString) with = filtered(header->str, names, TRUE, piece);
                g_assert_cmpstr(without->str, ==, "");
                g_assert_cmpstr(with->str, ==, header->str);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/field-filter/cases (RFC 9051 §6.4.5.1)", test_cases);
        g_test_add_func("/imap/field-filter/long names", test_long_names);
        return g_test_run();
}

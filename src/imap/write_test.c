#include "imap/harness.h"

/* What the writing function `fn` wrote. */
static const char *
written(Harness *h)
{
        g_string_truncate(h->output, 0);
        (void) stream_flush(h->session->session.stream);
        harness_gather(h);
        return h->output->str;
}

static void
test_strings(void)
{
        static const struct {
                const char *in;
                gsize len;
                guint enabled;
                const char *out;
        } rows[] = {
                {"", 0, 0, "\"\""},
                {"a b", 3, 0, "\"a b\""},
                {"a\"b\\", 4, 0, "\"a\\\"b\\\\\""},
                {"a\nb", 3, 0, "{3}\r\na\nb"},
                {"a\0b", 3, 0,
                 "{3}\r\na\x80"
                 "b"},
                {"\0", 1, 0, "{1}\r\n\x80"},
                {"\xc3\xa9", 2, 0, "{2}\r\n\xc3\xa9"},
                {"\xc3\xa9", 2, IMAP_ENABLED_UTF8, "\"\xc3\xa9\""},
                {"\xe9", 1, IMAP_ENABLED_REV2, "{1}\r\n\xe9"},
        };
        Harness h = {0};

        harness_open(&h);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                h.session->enabled = rows[i].enabled;
                imap_put_string(h.session, span_make(rows[i].in, rows[i].len));
                g_assert_cmpstr(written(&h), ==, rows[i].out);
        }
        g_autofree char *longer = g_strnfill(1001, 'x');
        imap_put_string(h.session, span_of(longer));
        g_assert_true(g_str_has_prefix(written(&h), "{1001}\r\nxxx"));
        imap_put_nstring(h.session, SPAN_EMPTY, TRUE);
        imap_put_nstring(h.session, SPAN_EMPTY, FALSE);
        g_assert_cmpstr(written(&h), ==, "NIL\"\"");
        imap_put_literal(h.session, span_make("a\0b", 3), TRUE);
        g_assert_cmpuint(strlen(written(&h)), ==, strlen("~{3}\r\na"));
        g_assert_cmpmem(h.output->str, (int) h.output->len, "~{3}\r\na\0b", 9);
        harness_close(&h);
}

static void
test_astrings(void)
{
        static const char *const rows[][2] = {{"joe", "joe"},     {"a]b", "a]b"},   {"", "\"\""},    {"nil", "\"nil\""},
                                              {"a b", "\"a b\""}, {"a*", "\"a*\""}, {"x{", "\"x{\""}};
        Harness h = {0};

        harness_open(&h);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                imap_put_astring(h.session, span_of(rows[i][0]));
                g_assert_cmpstr(written(&h), ==, rows[i][1]);
        }
        harness_close(&h);
}

static void
test_mailboxes(void)
{
        Harness h = {0};

        harness_open(&h);
        imap_put_mailbox(h.session, span_of("Entw\xc3\xbcrfe/a&b"));
        g_assert_cmpstr(written(&h), ==, "Entw&APw-rfe/a&-b");
        h.session->enabled = IMAP_ENABLED_REV2;
        imap_put_mailbox(h.session, span_of("Entw\xc3\xbcrfe/a&b"));
        g_assert_cmpstr(written(&h), ==, "\"Entw\xc3\xbcrfe/a&b\"");
        harness_close(&h);
}

static void
test_numbers(void)
{
        static const UidRange ranges[] = {{1, 1}, {3, 5}, {4294967290u, 4294967295u}};
        Harness h = {0};

        harness_open(&h);
        imap_put_number(h.session, 0);
        imap_put(h.session, " ");
        imap_put_number(h.session, G_MAXUINT64);
        g_assert_cmpstr(written(&h), ==, "0 18446744073709551615");
        imap_put_ranges(h.session, ranges, G_N_ELEMENTS(ranges));
        g_assert_cmpstr(written(&h), ==, "1,3:5,4294967290:4294967295");
        harness_close(&h);
}

/* Each day from 1970 to 2200 is written as it is read. */
static void
test_dates(void)
{
        g_autoptr(Arena) arena = arena_new(4096);
        Harness h = {0};

        harness_open(&h);
        imap_put_date_time(h.session, 837596665 * USEC_PER_SEC + 999999);
        g_assert_cmpstr(written(&h), ==, "\"17-Jul-1996 09:44:25 +0000\"");
        for (gint64 day = 0; day < 84006; day++) {
                Usec when = day * USEC_PER_DAY + day % 86400 * USEC_PER_SEC, back = 0;
                imap_put_date_time(h.session, when);
                ImapArgs a = {.scan = scan_from(span_of(written(&h))), .arena = arena};
                g_assert_true(args_date_time(&a, &back));
                g_assert_cmpint(back, ==, when);
        }
        imap_put_date_time(h.session, -1);
        imap_put_date_time(h.session, G_MAXINT64);
        g_assert_cmpstr(written(&h), ==, "\" 1-Jan-1970 00:00:00 +0000\"\"31-Dec-9999 23:59:59 +0000\"");
        harness_close(&h);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/write/RFC 9051 4.3: strings", test_strings);
        g_test_add_func("/imap/write/RFC 9051 9: astrings", test_astrings);
        g_test_add_func("/imap/write/RFC 9051 5.1: mailbox names", test_mailboxes);
        g_test_add_func("/imap/write/numbers and ranges", test_numbers);
        g_test_add_func("/imap/write/RFC 9051 9: date-time", test_dates);
        return g_test_run();
}

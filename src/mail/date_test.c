#include "mail/date.h"

typedef struct Case {
        const char *body;
        gint64 seconds; /* since 1970, UTC */
        int offset;
} Case;

static void
check(const Case *cases, gsize n)
{
        for (gsize i = 0; i < n; i++) {
                Usec real = -1;
                int offset = -1;

                g_test_message("%s", cases[i].body);
                g_assert_true(date_parse(span_of(cases[i].body), &real, &offset));
                g_assert_cmpint(real, ==, cases[i].seconds * USEC_PER_SEC);
                g_assert_cmpint(offset, ==, cases[i].offset);
        }
}

static void
test_rfc5322(void)
{
        static const Case cases[] = {
                {" Fri, 21 Nov 1997 09:55:06 -0600\r\n", 880127706, -360},
                {"Tue, 1 Jul 2003 10:52:37 +0200", 1057049557, 120},
                {"Thu, 13 Feb 1969 23:32:54 -0330", -27723426, -210},
                {"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 "
                 "(Newfoundland Time)\r\n",
                 -27723480, -210},
                {"1 Jul 2003 10:52 +0000", 1057056720, 0},
                {"Sat, 29 Feb 2020 23:59:60 +0000", 1583020800, 0},
                {"Mon, 1 Jan 1900 00:00:00 +0000", -2208988800, 0},
                {"Fri, 31 Dec 9999 23:59:59 +0000", 253402300799, 0},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_obsolete(void)
{
        static const Case cases[] = {
                {"21 Nov 97 09:55:06 GMT", 880106106, 0},
                {"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360},
                {"21 Nov 97 09:55:06 EST", 880124106, -300},
                {"21 Nov 97 09:55:06 PDT", 880131306, -420},
                {"21 Nov 97 09:55:06 Q", 880106106, 0},
                {"21 Nov 97 09:55:06 UT", 880106106, 0},
                {"1 Jan 49 00:00:00 GMT", 2493072000, 0},
                {"1 Jan 50 00:00:00 GMT", -631152000, 0},
                {"1 Jan 102 00:00:00 GMT", 1009843200, 0},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_wild(void)
{
        static const Case cases[] = {
                {"Mon Aug 26 04:46:52 2002", 1030337212, 0},
                {"Mon Aug 26 04:46:52 -0700 2002", 1030362412, -420},
                {"Monday, 26-Aug-02 04:46:52 GMT", 1030337212, 0},
                {"Mon, 26 August 2002 04:46:52 +0000", 1030337212, 0},
                {"Mon, 26 Aug 2002 04:46:52 GMT+0200", 1030330012, 120},
                {"Mon, 26 Aug 2002 04:46:52 +02:00", 1030330012, 120},
                {"Mon, 26 Aug 2002 04:46:52 +2", 1030330012, 120},
                {"Mon, 26 Aug 2002 04:46:52 CEST", 1030330012, 120},
                {"Mon, 26 Aug 2002 04:46:52", 1030337212, 0},
                {"Mon, 26 Aug 2002 04:46:52 Central Time", 1030337212, 0},
                {"Mon, 26 Aug 2002 4:46:52 PM +0000", 1030380412, 0},
                {"Mon, 26 Aug 2002 12:46:52 AM +0000", 1030322812, 0},
                {"Mon, 26 Aug 2002 04:46:52.123 +0000", 1030337212, 0},
                {"Mon, 26 Aug 2002 04:46:52 -0000 (UTC)", 1030337212, 0},
                {"Mon, 26 Aug 2002 04:46:52 +9900", 1030337212, 0},
                {"Mon, 26 Aug 0102 04:46:52 +0000", 1030337212, 0},
                {"Fri, 23 Aug 2002 22:46:34 GMT+1", 1030139194, 60},
                {"Sun, 25 Aug 2002 19:21:44 01800", 1030303304, 0},
                {"Thu, 29 Aug 2002 15:36:58 +-0500", 1030653418, -300},
                {"Fri, 26 Aug 2002 04:46:52 +0000", 1030337212, 0},
                {"Mon, 26 Aug 2002", 1030320000, 0},
                {"Sept 26 2002", 1032998400, 0},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_no_date(void)
{
        static const char *const bodies[] = {
                "",
                "yesterday",
                "26 2002 04:46:52",
                "31 Feb 2002 00:00 +0000",
                "29 Feb 1900 00:00 +0000",
                "0 Jan 2002 00:00 +0000",
                "1 Jan 2002 24:00:00 +0000",
                "1 Jan 2002 10:60:00 +0000",
                "1 Jan 2002 10:00:61 +0000",
                "1 Jan 10000 10:00:00 +0000",
                "1 Jan 1899 10:00:00 +0000",
                "1 Jan 99999999999999999999999 10:00",
                "32 Jan 2002",
                "Jan",
                "(((",
                "1 Jan 2002 13:00 PM",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(bodies); i++) {
                Usec real = -1;
                int offset = -1;

                g_test_message("%s", bodies[i]);
                g_assert_false(date_parse(span_of(bodies[i]), &real, &offset));
                g_assert_true(real == -1 && offset == -1);
        }
}

static void
test_text(void)
{
        static const struct {
                gint64 seconds;
                const char *expected;
        } cases[] = {
                {0, "Thu, 01 Jan 1970 00:00:00 +0000"},           {-1, "Wed, 31 Dec 1969 23:59:59 +0000"},
                {1769862896, "Sat, 31 Jan 2026 12:34:56 +0000"},  {951782400, "Tue, 29 Feb 2000 00:00:00 +0000"},
                {-2208988800, "Mon, 01 Jan 1900 00:00:00 +0000"}, {253402300799, "Fri, 31 Dec 9999 23:59:59 +0000"},
        };
        char text[DATE_TEXT_OCTETS];

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                g_assert_cmpstr(date_text(cases[i].seconds * USEC_PER_SEC, text, sizeof(text)), ==, cases[i].expected);
        g_assert_cmpstr(date_text(-1, text, sizeof(text)), ==, "Wed, 31 Dec 1969 23:59:59 +0000");
        g_assert_cmpstr(date_text(USEC_NEVER, text, sizeof(text)), ==, "Fri, 31 Dec 9999 23:59:59 +0000");
        g_assert_cmpstr(date_text(G_MININT64, text, sizeof(text)), ==, "Mon, 01 Jan 0001 00:00:00 +0000");
}

/* Every day of four centuries, written and read. */
static void
test_round_trip(void)
{
        static const char weekdays[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
        char text[DATE_TEXT_OCTETS];

        for (gint64 day = -25567; day < 146097; day++) {
                Usec real = day * USEC_PER_DAY + 45296 * USEC_PER_SEC, again;
                int offset;

                date_text(real, text, sizeof(text));
                g_assert_true(date_parse(span_of(text), &again, &offset));
                g_assert_cmpint(again, ==, real);
                g_assert_true(strncmp(text, weekdays[(day % 7 + 7) % 7], 3) == 0);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/date/current-syntax RFC 5322 §3.3", test_rfc5322);
        g_test_add_func("/mail/date/obsolete-syntax RFC 5322 §4.3", test_obsolete);
        g_test_add_func("/mail/date/as-the-world-writes-it", test_wild);
        g_test_add_func("/mail/date/what-is-none", test_no_date);
        g_test_add_func("/mail/date/written", test_text);
        g_test_add_func("/mail/date/written-reads-back", test_round_trip);
        return g_test_run();
}

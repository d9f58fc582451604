#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static void
test_monotonic_never_falls(void)
{
        Usec last = clock_monotonic();

        for (guint i = 0; i < 1000; i++) {
                Usec now = clock_monotonic();
                g_assert_cmpint(now, >=, last);
                last = now;
        }
}

static void
test_in_saturates(void)
{
        Usec before = clock_monotonic();
        Usec then = clock_in(USEC_PER_HOUR);

        g_assert_cmpint(then, >=, before + USEC_PER_HOUR);
        g_assert_cmpint(then, <=, clock_monotonic() + USEC_PER_HOUR);
        g_assert_cmpint(clock_in(USEC_NEVER), ==, USEC_NEVER);
        g_assert_cmpint(clock_in(USEC_NEVER - 1), ==, USEC_NEVER);
}

static void
test_iso(void)
{
        static const struct {
                Usec real;
                const char *text;
        } cases[] = {
                {0, "1970-01-01T00:00:00.000Z"},
                {G_GINT64_CONSTANT(1769862896789000), "2026-01-31T12:34:56.789Z"},
                {-1, "1969-12-31T23:59:59.999Z"},
                {G_MAXINT64, "9999-12-31T23:59:59.999Z"},
                {G_MININT64, "0001-01-01T00:00:00.000Z"},
        };
        char buffer[32];

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                g_assert_cmpstr(clock_iso(cases[i].real, buffer, sizeof(buffer)), ==, cases[i].text);
}

static void
test_parse_iso(void)
{
        static const struct {
                const char *text;
                gint64 seconds;
        } cases[] = {
                {"1970-01-01Z", 0},
                {"2026-01-31T12:34:56Z", 1769862896},
                {"2026-01-31T12:34:56.789Z", 1769862896},
                {"2026-01-31 12:34Z", 1769862840},
                {"2024-02-29Z", 1709164800},
                {"2000-02-29Z", 951782400},
                {"2026-01-31T12:34:56", 1769862896 - 3600},     /* winter time of the TZ below */
                {"2026-07-01", 1782864000 - 7200},              /* summer time */
                {"9999-12-31T23:59:59Z", 253402300799},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                Usec real = -1;
                g_assert_true(clock_parse_iso(cases[i].text, &real));
                g_assert_cmpint(real / USEC_PER_SEC, ==, cases[i].seconds);
        }
        Usec real;
        g_assert_true(clock_parse_iso("2026-01-31T12:34:56.7Z", &real));
        g_assert_cmpint(real % USEC_PER_SEC, ==, 700000);
}

static void
test_parse_refuses(void)
{
        static const char *const wrong[] = {
                "", "2026", "2026-01", "26-01-31", "2026-1-31", "2026-13-01", "2026-00-10", "2026-01-00", "2026-01-32",
                "2026-02-29", "1900-02-29", "1969-12-31", "2026-04-31", "2026-01-31T", "2026-01-31T12",
                "2026-01-31T12:3", "2026-01-31T24:00", "2026-01-31T12:60", "2026-01-31T12:34:60Z", "2026-01-31T12:34:56.Z",
                "2026-01-31T12:34:56.1234567Z", "2026-01-31T12:34:56+01:00", "2026-01-31ZZ", " 2026-01-31",
                "2026-01-31 ", "2026-01--1", "+026-01-31", "2026/01/31", "tomorrow", "99999-01-01",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                Usec real = 4711;
                g_assert_false(clock_parse_iso(wrong[i], &real));
                g_assert_cmpint(real, ==, 4711);
        }
        g_assert_false(clock_parse_iso(NULL, &(Usec){0}));
}

/* Real time moves by the offset, the monotonic clock does not. */
static void
test_offset(void)
{
        if (g_test_subprocess()) {
                Usec shifted = clock_real() - g_get_real_time();
                Usec apart = clock_monotonic() - g_get_monotonic_time();
                exit(ABS(shifted - 400 * USEC_PER_DAY) < USEC_PER_HOUR && ABS(apart) < USEC_PER_HOUR ? 0 : 1);
        }
        g_setenv("RESTANTE_TEST_CLOCK_OFFSET", "34560000", TRUE);
        g_test_trap_subprocess(NULL, 0, 0);
        g_unsetenv("RESTANTE_TEST_CLOCK_OFFSET");
        g_test_trap_assert_passed();
}

int
main(int argc, char **argv)
{
        g_setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", TRUE);
        tzset();
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/clock/monotonic-never-falls", test_monotonic_never_falls);
        g_test_add_func("/base/clock/far-deadlines-saturate", test_in_saturates);
        g_test_add_func("/base/clock/iso-form-of-any-number", test_iso);
        g_test_add_func("/base/clock/iso-dates-as-typed", test_parse_iso);
        g_test_add_func("/base/clock/iso-refuses-what-is-no-date", test_parse_refuses);
        g_test_add_func("/base/clock/test-offset-shifts-real-time-only", test_offset);
        return g_test_run();
}

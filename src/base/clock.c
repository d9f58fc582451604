#include "base/clock.h"
#include "base/scan.h"
#include "base/text.h"

#include <pthread.h>
#include <time.h>

#define YEAR_FIRST 1970
#define YEAR_LAST  9999
#define REAL_LAST  ((Usec) 253402300799 * USEC_PER_SEC + 999999) /* 9999-12-31T23:59:59.999999Z */
#define REAL_FIRST ((Usec) -62135596800 * USEC_PER_SEC)          /* 0001-01-01T00:00:00Z */

static Usec
clock_read(clockid_t id)
{
        struct timespec now = {0};

        clock_gettime(id, &now);
        return (Usec) now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

Usec
clock_monotonic(void)
{
        return clock_read(CLOCK_MONOTONIC);
}

static Usec test_offset;

/* Tests move the date, and only the date, to show that nothing expires or retries early. */
static void
read_test_offset(void)
{
        const char *text = g_getenv("RESTANTE_TEST_CLOCK_OFFSET");
        gint64 seconds = text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;

        test_offset = CLAMP(seconds, -(gint64) G_MAXINT32, (gint64) G_MAXINT32) * USEC_PER_SEC;
}

Usec
clock_real(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT; /* not GLib's, which thread sanitizers can't follow */

        pthread_once(&once, read_test_offset);
        return clock_read(CLOCK_REALTIME) + test_offset;
}

Usec
clock_in(Usec span)
{
        Usec then;

        return __builtin_add_overflow(clock_monotonic(), span, &then) ? USEC_NEVER : then;
}

const char *
clock_iso(Usec real, char *buffer, gsize size)
{
        Usec at = CLAMP(real, REAL_FIRST, REAL_LAST);
        Usec fraction = at % USEC_PER_SEC;
        if (fraction < 0)
                fraction += USEC_PER_SEC;
        time_t seconds = (time_t) ((at - fraction) / USEC_PER_SEC);
        struct tm tm = {0};

        gmtime_r(&seconds, &tm);
        const struct {
                int value, width;
                char behind;
        } parts[] = {
                {tm.tm_year + 1900, 4, '-'}, {tm.tm_mon + 1, 2, '-'}, {tm.tm_mday, 2, 'T'},
                {tm.tm_hour, 2, ':'},        {tm.tm_min, 2, ':'},     {tm.tm_sec, 2, '.'},
                {(int) (fraction / USEC_PER_MS), 3, 'Z'},
        };
        char text[sizeof("0000-00-00T00:00:00.000Z")], *end = text;
        for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
                end = text_put_digits(end, (guint) parts[i].value, (guint) parts[i].width);
                *end++ = parts[i].behind;
        }
        *end = '\0';
        g_strlcpy(buffer, text, size);
        return buffer;
}

/* Exactly two digits (or four for a year), value at most max. */
static gboolean
scan_digits(Scan *s, gsize digits, guint64 max, int *ret)
{
        Span text;
        guint64 value;

        if (!scan_take(s, digits, &text) || !span_to_number(text, max, &value))
                return FALSE;
        *ret = (int) value;
        return TRUE;
}

static gboolean
scan_date(Scan *s, struct tm *tm)
{
        static const guint8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        int year, month, day;

        if (!scan_digits(s, 4, YEAR_LAST, &year) || !scan_octet(s, '-') || !scan_digits(s, 2, 12, &month) ||
            !scan_octet(s, '-') || !scan_digits(s, 2, 31, &day))
                return FALSE;
        if (year < YEAR_FIRST || month < 1 || day < 1)
                return FALSE;
        gboolean leap = month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        if (day > days[month - 1] + (leap ? 1 : 0))
                return FALSE;
        tm->tm_year = year - 1900;
        tm->tm_mon = month - 1;
        tm->tm_mday = day;
        return TRUE;
}

/* HH:MM[:SS[.ffffff]] */
static gboolean
scan_time(Scan *s, struct tm *tm, Usec *ret_fraction)
{
        Span digits;
        guint64 value;

        if (!scan_digits(s, 2, 23, &tm->tm_hour) || !scan_octet(s, ':') || !scan_digits(s, 2, 59, &tm->tm_min))
                return FALSE;
        if (!scan_octet(s, ':'))
                return TRUE;
        if (!scan_digits(s, 2, 59, &tm->tm_sec))
                return FALSE;
        if (!scan_octet(s, '.'))
                return TRUE;
        if (!scan_run(s, &CLASS_DIGIT, 6, &digits) || !span_to_number(digits, USEC_PER_SEC, &value))
                return FALSE;
        for (gsize i = digits.len; i < 6; i++)
                value *= 10;
        *ret_fraction = (Usec) value;
        return TRUE;
}

gboolean
clock_parse_iso(const char *text, Usec *ret)
{
        Scan s = scan_from(span_of(text));
        struct tm tm = {.tm_isdst = -1, .tm_wday = -1};
        Usec fraction = 0;

        if (!scan_date(&s, &tm))
                return FALSE;
        if ((scan_octet(&s, 'T') || scan_octet(&s, 't') || scan_octet(&s, ' ')) && !scan_time(&s, &tm, &fraction))
                return FALSE;
        gboolean utc = scan_octet(&s, 'Z') || scan_octet(&s, 'z');
        if (!scan_at_end(&s))
                return FALSE;

        time_t seconds = utc ? timegm(&tm) : mktime(&tm);
        if (tm.tm_wday < 0) /* neither fills it in when it can't tell */
                return FALSE;
        *ret = (Usec) seconds * USEC_PER_SEC + fraction;
        return TRUE;
}

/* date.c -- dates of header fields.
 *
 * Read by what the words are, not by their places: a number with colons is the time, one up to 31 the day, a sign
 * behind the time a zone. So RFC 5322, RFC 850, asctime and most of what else is sent are one reader.
 */
#include "mail/date.h"

#include "base/text.h"
#include "mail/internal.h"

#define YEAR_MIN 1900 /* RFC 5322 §3.3 */
#define YEAR_MAX 9999
#define WORDS_MAX 32     /* of a date that is worth reading on */
#define DAYS_1970 719162 /* from 1 January of year 1 */

typedef struct Date {
        guint day, month, year; /* 0: not seen yet */
        guint hour, minute, second;
        int offset;
        gboolean has_time, has_zone, is_wrong;
} Date;

static const char MONTHS[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char WEEKDAYS[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* RFC 5322 §4.3, and names of Europe and Japan that mean one zone only. Others count as unknown: offset 0. */
static const struct {
        const char *name;
        int minutes;
} ZONES[] = {
        {"UT", 0},     {"UTC", 0},    {"GMT", 0},    {"Z", 0},      {"EST", -300}, {"EDT", -240}, {"CST", -360},
        {"CDT", -300}, {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"CET", 60},   {"CEST", 120},
        {"MET", 60},   {"MEST", 120}, {"MEZ", 60},   {"MESZ", 120}, {"EET", 120},  {"EEST", 180}, {"JST", 540},
};

static gboolean
is_leap(guint year)
{
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static guint
days_in_month(guint month, guint year)
{
        static const guint8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

        return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* Days from 1970-01-01 to 1 January of that year. */
static gint64
days_to_year(guint year)
{
        gint64 before = (gint64) year - 1;

        return before * 365 + before / 4 - before / 100 + before / 400 - DAYS_1970;
}

/* Two digits mean 1950 to 2049, three the years since 1900 (RFC 5322 §4.3). */
static guint
full_year(guint year, gsize digits)
{
        if (digits == 2)
                return year + (year < 50 ? 2000 : 1900);
        return digits == 3 || year < 1000 ? year + 1900 : year;
}

/* A colon, with white space and comments around it (RFC 5322 §4.3). */
static gboolean
scan_colon(Scan *s)
{
        Scan look = *s;

        scan_skip_cfws(&look);
        if (!scan_octet(&look, ':'))
                return FALSE;
        scan_skip_cfws(&look);
        *s = look;
        return TRUE;
}

static void
take_time(Date *d, Scan *s, guint hour)
{
        guint64 minute = 0, second = 0, fraction;

        d->has_time = TRUE;
        if (!scan_number(s, 59, &minute) || hour > 23)
                d->is_wrong = TRUE;
        if (scan_colon(s) && !scan_number(s, 60, &second)) /* 60: a leap second */
                d->is_wrong = TRUE;
        if (scan_octet(s, '.'))
                scan_number(s, G_MAXUINT64, &fraction);
        d->hour = hour;
        d->minute = (guint) minute;
        d->second = (guint) second;
}

static void
take_number(Date *d, Scan *s)
{
        const guint8 *mark = scan_mark(s);
        guint64 value;

        if (!scan_number(s, YEAR_MAX, &value)) {
                d->is_wrong = TRUE;
                return;
        }
        gsize digits = scan_since(s, mark).len;
        if (!d->has_time && scan_colon(s)) {
                take_time(d, s, (guint) value);
        } else if (d->day == 0 && digits <= 2) {
                d->day = (guint) value;
                d->is_wrong = d->is_wrong || value == 0;
        } else if (d->year == 0) {
                d->year = full_year((guint) value, digits);
        }
}

/* "+0200", "-700", "+02:00", "+2". What can't be one leaves the zone unknown. */
static void
take_offset(Date *d, Scan *s, gboolean is_west)
{
        const guint8 *mark = scan_mark(s);
        guint64 value, minutes = 0;

        if (!scan_number(s, YEAR_MAX, &value))
                return;
        if (scan_since(s, mark).len > 2) {
                minutes = value % 100;
                value /= 100;
        } else if (scan_octet(s, ':') && !scan_number(s, 59, &minutes)) {
                return;
        }
        d->has_zone = TRUE;
        if (value < 24 && minutes < 60)
                d->offset = (int) (value * 60 + minutes) * (is_west ? -1 : 1);
}

static gboolean
starts_month(Span word, guint *ret_month)
{
        for (guint i = 0; i < G_N_ELEMENTS(MONTHS); i++)
                if (octet_lower(word.data[0]) == octet_lower((guint8) MONTHS[i][0]) &&
                    span_starts_nocase(word, span_of(MONTHS[i]))) {
                        *ret_month = i + 1;
                        return TRUE;
                }
        return FALSE;
}

static void
take_word(Date *d, Span word)
{
        if (d->month == 0 && starts_month(word, &d->month))
                return;
        if (d->has_time && (span_is(word, "PM") || span_is(word, "AM"))) {
                d->is_wrong = d->is_wrong || d->hour == 0 || d->hour > 12;
                d->hour = d->hour % 12 + (span_is(word, "PM") ? 12 : 0);
                return;
        }
        if (!d->has_time || d->has_zone)
                return;
        for (gsize i = 0; i < G_N_ELEMENTS(ZONES); i++)
                if (span_is(word, ZONES[i].name)) {
                        d->offset = ZONES[i].minutes;
                        d->has_zone = d->offset != 0; /* "GMT+0200": the number is still to come */
                        return;
                }
}

static void
take_next(Date *d, Scan *s)
{
        Span word;
        guint8 octet;

        if (scan_run(s, &CLASS_ALPHA, G_MAXSIZE, &word)) {
                take_word(d, word);
        } else if (scan_peek_in(s, &CLASS_DIGIT)) {
                take_number(d, s);
        } else if (scan_any(s, &octet) && (octet == '+' || octet == '-')) {
                if (d->has_time && !d->has_zone && scan_peek_in(s, &CLASS_DIGIT))
                        take_offset(d, s, octet == '-');
        }
}

gboolean
date_parse(Span body, Usec *ret_real, int *ret_offset)
{
        Scan s = scan_from(span_slice(body, 0, 1024));
        Date d = {.day = 0};

        for (guint i = 0; i < WORDS_MAX; i++) {
                scan_skip_cfws(&s);
                if (scan_at_end(&s) || d.is_wrong)
                        break;
                take_next(&d, &s);
        }
        if (d.is_wrong || d.month == 0 || d.year < YEAR_MIN || d.year > YEAR_MAX || d.day == 0 ||
            d.day > days_in_month(d.month, d.year))
                return FALSE;

        gint64 days = days_to_year(d.year) + d.day - 1;
        for (guint m = 1; m < d.month; m++)
                days += days_in_month(m, d.year);
        gint64 minutes = (days * 24 + d.hour) * 60 + d.minute - d.offset;
        *ret_real = minutes * USEC_PER_MINUTE + d.second * USEC_PER_SEC;
        *ret_offset = d.offset;
        return TRUE;
}

const char *
date_text(Usec real, char *buffer, gsize size)
{
        gint64 first = days_to_year(1) * USEC_PER_DAY, last = days_to_year(YEAR_MAX + 1) * USEC_PER_DAY - 1;
        gint64 seconds = (CLAMP(real, first, last) - first) / USEC_PER_SEC;
        gint64 days = seconds / 86400, left = days;
        guint year = (guint) (left * 400 / 146097) + 1;
        guint month = 1;

        /* The estimate is right or off by one. */
        while (days_to_year(year) + DAYS_1970 > left)
                year--;
        while (days_to_year(year + 1) + DAYS_1970 <= left)
                year++;
        left -= days_to_year(year) + DAYS_1970;
        for (; left >= days_in_month(month, year); month++)
                left -= days_in_month(month, year);
        seconds %= 86400;
        char text[sizeof("Sat, 31 Jan 2026 12:34:56 +0000")];
        char *at = stpcpy(stpcpy(text, WEEKDAYS[(days + 1) % 7]), ", ");
        at = stpcpy(text_put_digits(at, (guint) left + 1, 2), " ");
        at = stpcpy(stpcpy(at, MONTHS[month - 1]), " ");
        at = stpcpy(text_put_digits(at, year, 4), " ");
        at = stpcpy(text_put_digits(at, (guint) (seconds / 3600), 2), ":");
        at = stpcpy(text_put_digits(at, (guint) (seconds / 60 % 60), 2), ":");
        stpcpy(text_put_digits(at, (guint) (seconds % 60), 2), " +0000");
        g_strlcpy(buffer, text, size);
        return buffer;
}

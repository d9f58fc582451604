/* args.c -- the arguments of a command, read from where its octets were gathered (RFC 9051 §9).
 *
 * Nothing recurses and nothing is copied that needs no copy: a string is unescaped into the arena only when it has
 * escapes.
 */
#include "imap/internal.h"

#include "base/text.h"

#define RANGES_MAX 10000
#define FLAGS_MAX 1000
#define SET_NUMBER_MAX ((guint64) G_MAXUINT32 - 1) /* of a number that is written: the one above stands for "*" */

/* ATOM-CHAR: printable ASCII without ( ) { SP % * " \ ] */
static const OctetClass CLASS_ATOM = {
        {G_GUINT64_CONSTANT(0xfffff8da00000000), G_GUINT64_CONSTANT(0x77ffffffcfffffff), 0, 0}};
/* ASTRING-CHAR: and ] */
static const OctetClass CLASS_ASTRING = {
        {G_GUINT64_CONSTANT(0xfffff8da00000000), G_GUINT64_CONSTANT(0x77ffffffefffffff), 0, 0}};
/* list-char: and % * */
static const OctetClass CLASS_LIST = {
        {G_GUINT64_CONSTANT(0xfffffcfa00000000), G_GUINT64_CONSTANT(0x77ffffffefffffff), 0, 0}};
/* what a set is written in */
static const OctetClass CLASS_SET = {{G_GUINT64_CONSTANT(0x07ff140000000000), 0, 0, 0}};

static const char MONTHS[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Punctuation ---------------------------------------------------------------------------------------------------- */

gboolean
args_space(ImapArgs *a)
{
        return scan_octet(&a->scan, ' ');
}

gboolean
args_end(const ImapArgs *a)
{
        return scan_at_end(&a->scan);
}

gboolean
args_open(ImapArgs *a)
{
        return scan_octet(&a->scan, '(');
}

gboolean
args_close(ImapArgs *a)
{
        return scan_octet(&a->scan, ')');
}

gboolean
args_word(ImapArgs *a, const char *word)
{
        const guint8 *mark = scan_mark(&a->scan);

        if (scan_word(&a->scan, word) && !scan_peek_in(&a->scan, &CLASS_ATOM))
                return TRUE;
        scan_rewind(&a->scan, mark);
        return FALSE;
}

/* Strings -------------------------------------------------------------------------------------------------------- */

gboolean
args_atom(ImapArgs *a, Span *ret)
{
        return scan_run(&a->scan, &CLASS_ATOM, G_MAXSIZE, ret);
}

gboolean
args_is_astring_octet(guint8 octet)
{
        return octet_in(&CLASS_ASTRING, octet);
}

/* Without the backslashes. */
static gboolean
unescape(Arena *arena, Span quoted, Span *ret)
{
        guint8 *out = arena_alloc(arena, quoted.len);
        gsize n = 0;

        if (out == NULL)
                return FALSE;
        for (gsize i = 0; i < quoted.len; i++) {
                if (quoted.data[i] == '\\')
                        i++;
                out[n++] = quoted.data[i];
        }
        *ret = span_make(out, n);
        return TRUE;
}

/* Length of what stands before the closing quote; FALSE when there is none, or an escape that is none. */
static gboolean
quoted_length(Span rest, gsize *ret_len, gboolean *ret_has_escapes)
{
        for (gsize i = 0; i < rest.len; i++)
                switch (rest.data[i]) {
                case '"':
                        *ret_len = i;
                        return TRUE;
                case '\\':
                        if (++i == rest.len || (rest.data[i] != '"' && rest.data[i] != '\\'))
                                return FALSE;
                        *ret_has_escapes = TRUE;
                        break;
                case '\0':
                case '\r':
                case '\n':
                        return FALSE;
                default:
                        break;
                }
        return FALSE;
}

/* Eight-bit octets are UTF-8 once the client has enabled it. Before that they should not come at all, but clients send
 * them in passwords and searches, so they are taken as they are. */
static gboolean
quoted(ImapArgs *a, Span *ret)
{
        const guint8 *mark = scan_mark(&a->scan);
        gboolean has_escapes = FALSE;
        Span text;
        gsize len;

        if (scan_octet(&a->scan, '"') && quoted_length(scan_rest(&a->scan), &len, &has_escapes)) {
                gboolean is_good =
                        scan_take(&a->scan, len, &text) && scan_octet(&a->scan, '"') &&
                        ((a->enabled & (IMAP_ENABLED_REV2 | IMAP_ENABLED_UTF8)) == 0 || text_is_utf8(text)) &&
                        (!has_escapes || unescape(a->arena, text, &text));
                if (is_good) {
                        *ret = text;
                        return TRUE;
                }
        }
        scan_rewind(&a->scan, mark);
        return FALSE;
}

gboolean
args_literal8(ImapArgs *a, Span *ret, gboolean *ret_is_binary)
{
        const guint8 *mark = scan_mark(&a->scan);
        gboolean is_binary = scan_octet(&a->scan, '~');
        guint64 size;
        Span octets;

        if (scan_octet(&a->scan, '{') && scan_number(&a->scan, scan_left(&a->scan), &size)) {
                (void) !scan_octet(&a->scan, '+');
                if (scan_word(&a->scan, "}\r\n") && scan_take(&a->scan, size, &octets)) {
                        *ret = octets;
                        *ret_is_binary = is_binary;
                        return TRUE;
                }
        }
        scan_rewind(&a->scan, mark);
        return FALSE;
}

gboolean
args_string(ImapArgs *a, Span *ret)
{
        const guint8 *mark = scan_mark(&a->scan);
        gboolean is_binary;
        Span octets;

        if (quoted(a, ret))
                return TRUE;
        if (args_literal8(a, &octets, &is_binary) && !is_binary &&
            (octets.len == 0 || memchr(octets.data, '\0', octets.len) == NULL)) {
                *ret = octets;
                return TRUE;
        }
        scan_rewind(&a->scan, mark);
        return FALSE;
}

gboolean
args_astring(ImapArgs *a, Span *ret)
{
        return scan_run(&a->scan, &CLASS_ASTRING, G_MAXSIZE, ret) || args_string(a, ret);
}

gboolean
args_nstring(ImapArgs *a, Span *ret, gboolean *ret_is_nil)
{
        if (args_word(a, "NIL")) {
                *ret = SPAN_EMPTY;
                *ret_is_nil = TRUE;
                return TRUE;
        }
        if (!args_string(a, ret))
                return FALSE;
        *ret_is_nil = FALSE;
        return TRUE;
}

gboolean
args_number(ImapArgs *a, guint64 max, guint64 *ret)
{
        return scan_number(&a->scan, max, ret);
}

/* Mailbox names -------------------------------------------------------------------------------------------------- */

/* Names are UTF-8 once the client has enabled it (RFC 9051 §5.1, RFC 6855 §3), modified UTF-7 before. */
static gboolean
decode_name(ImapArgs *a, Span name, Span *ret, gboolean *ret_is_bad)
{
        gboolean is_utf8 = (a->enabled & (IMAP_ENABLED_REV2 | IMAP_ENABLED_UTF8)) != 0;

        *ret_is_bad = is_utf8 ? !text_is_utf8(name) : !utf7_to_utf8(a->arena, name, &name);
        if (*ret_is_bad)
                return FALSE;
        *ret = name;
        return TRUE;
}

gboolean
args_mailbox(ImapArgs *a, Span *ret, gboolean *ret_is_bad)
{
        const guint8 *mark = scan_mark(&a->scan);
        Span name;

        *ret_is_bad = FALSE;
        if (args_astring(a, &name) && decode_name(a, name, ret, ret_is_bad))
                return TRUE;
        scan_rewind(&a->scan, mark);
        return FALSE;
}

gboolean
args_list_mailbox(ImapArgs *a, Span *ret, gboolean *ret_is_bad)
{
        const guint8 *mark = scan_mark(&a->scan);
        Span name;

        *ret_is_bad = FALSE;
        if ((scan_run(&a->scan, &CLASS_LIST, G_MAXSIZE, &name) || args_string(a, &name)) &&
            decode_name(a, name, ret, ret_is_bad))
                return TRUE;
        scan_rewind(&a->scan, mark);
        return FALSE;
}

/* Flags ---------------------------------------------------------------------------------------------------------- */

static gboolean
system_flag(Span name, guint64 *ret)
{
        static const struct {
                const char *name;
                EntryFlag flag;
        } flags[] = {{"Seen", FLAG_SEEN},
                     {"Answered", FLAG_ANSWERED},
                     {"Flagged", FLAG_FLAGGED},
                     {"Deleted", FLAG_DELETED},
                     {"Draft", FLAG_DRAFT}};

        for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
                if (span_is(name, flags[i].name)) {
                        *ret = flags[i].flag;
                        return TRUE;
                }
        return FALSE;
}

gboolean
args_flag(ImapArgs *a, guint64 *ret_system, Span *ret_keyword)
{
        const guint8 *mark = scan_mark(&a->scan);
        Span name;

        if (!scan_octet(&a->scan, '\\')) {
                if (!args_atom(a, ret_keyword))
                        return FALSE;
                *ret_system = 0;
                return TRUE;
        }
        if (args_atom(a, &name) && system_flag(name, ret_system)) {
                *ret_keyword = SPAN_EMPTY;
                return TRUE;
        }
        scan_rewind(&a->scan, mark);
        return FALSE;
}

/* Flags with single spaces between them, from the cursor on. Outputs only when all of it is good. */
static gboolean
flags_in_a_row(ImapArgs *a, guint64 *ret_system, const Span **ret_keywords, gsize *ret_n)
{
        Span *keywords = NULL;
        guint64 system = 0, flag;
        gsize n = 0, room = 0;
        Span keyword;

        do {
                if (!args_flag(a, &flag, &keyword))
                        return FALSE;
                system |= flag;
                if (flag != 0)
                        continue;
                if (n == room) {
                        room = room == 0 ? 16 : room * 2;
                        Span *more = n < FLAGS_MAX ? arena_new_array(a->arena, Span, room) : NULL;
                        if (more == NULL)
                                return FALSE;
                        if (n > 0)
                                memcpy(more, keywords, n * sizeof(*more));
                        keywords = more;
                }
                keywords[n++] = keyword;
        } while (args_space(a));
        *ret_system = system;
        *ret_keywords = keywords;
        *ret_n = n;
        return TRUE;
}

gboolean
args_flag_list(ImapArgs *a, guint64 *ret_system, const Span **ret_keywords, gsize *ret_n)
{
        const guint8 *mark = scan_mark(&a->scan);
        const Span *keywords = NULL;
        guint64 system = 0;
        gsize n = 0;

        gboolean is_list = args_open(a);
        gboolean is_good = (is_list && args_close(a)) ||
                           (flags_in_a_row(a, &system, &keywords, &n) && (!is_list || args_close(a)));
        if (!is_good) {
                scan_rewind(&a->scan, mark);
                return FALSE;
        }
        *ret_system = system;
        *ret_keywords = keywords;
        *ret_n = n;
        return TRUE;
}

/* Dates ---------------------------------------------------------------------------------------------------------- */

static gboolean
scan_month(Scan *s, guint *ret)
{
        for (guint i = 0; i < G_N_ELEMENTS(MONTHS); i++)
                if (scan_word(s, MONTHS[i])) {
                        *ret = i + 1;
                        return TRUE;
                }
        return FALSE;
}

/* Exactly so many digits. */
static gboolean
scan_digits(Scan *s, gsize digits, guint64 max, guint64 *ret)
{
        Span text;

        return scan_take(s, digits, &text) && span_to_number(text, max, ret);
}

static guint
days_in_month(guint month, guint64 year)
{
        static const guint8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        gboolean is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

/* Days from 1970-01-01; years count from March, so that a leap day is the last of its year. */
static gint64
days_of(guint64 day, guint month, guint64 year)
{
        gint64 y = (gint64) year - (month < 3 ? 1 : 0);
        gint64 m = month < 3 ? month + 9 : month - 3;

        return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + (gint64) day - 1 - 719468;
}

/* day "-" month "-" year */
static gboolean
scan_day(Scan *s, gint64 *ret_days)
{
        guint64 day, year;
        guint month;
        Span digits;

        if (!scan_run(s, &CLASS_DIGIT, 2, &digits) || !span_to_number(digits, 31, &day) || day == 0 ||
            !scan_octet(s, '-') || !scan_month(s, &month) || !scan_octet(s, '-') || !scan_digits(s, 4, 9999, &year) ||
            day > days_in_month(month, year))
                return FALSE;
        *ret_days = days_of(day, month, year);
        return TRUE;
}

gboolean
args_date(ImapArgs *a, Usec *ret_midnight_utc)
{
        Scan s = a->scan;
        gint64 days;

        gboolean is_quoted = scan_octet(&s, '"');
        if (!scan_day(&s, &days) || (is_quoted && !scan_octet(&s, '"')))
                return FALSE;
        a->scan = s;
        *ret_midnight_utc = days * USEC_PER_DAY;
        return TRUE;
}

/* "12:00:00"; a leap second counts as the one after it. */
static gboolean
scan_time(Scan *s, gint64 *ret_seconds)
{
        guint64 hour, minute, second;

        if (!scan_digits(s, 2, 23, &hour) || !scan_octet(s, ':') || !scan_digits(s, 2, 59, &minute) ||
            !scan_octet(s, ':') || !scan_digits(s, 2, 60, &second))
                return FALSE;
        *ret_seconds = (gint64) (hour * 3600 + minute * 60 + second);
        return TRUE;
}

/* "+0100": seconds east of UTC */
static gboolean
scan_zone(Scan *s, gint64 *ret_seconds)
{
        gboolean is_west = scan_octet(s, '-');
        guint64 hours, minutes;

        if ((!is_west && !scan_octet(s, '+')) || !scan_digits(s, 2, 23, &hours) || !scan_digits(s, 2, 59, &minutes))
                return FALSE;
        *ret_seconds = (gint64) (hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
        return TRUE;
}

gboolean
args_date_time(ImapArgs *a, Usec *ret)
{
        Scan s = a->scan;
        gint64 days, seconds, east;

        if (!scan_octet(&s, '"'))
                return FALSE;
        (void) !scan_octet(&s, ' '); /* date-day-fixed */
        if (!scan_day(&s, &days) || !scan_octet(&s, ' ') || !scan_time(&s, &seconds) || !scan_octet(&s, ' ') ||
            !scan_zone(&s, &east) || !scan_octet(&s, '"'))
                return FALSE;
        a->scan = s;
        *ret = days * USEC_PER_DAY + (seconds - east) * USEC_PER_SEC;
        return TRUE;
}

/* Sets ----------------------------------------------------------------------------------------------------------- */

static gboolean
scan_set_number(Scan *s, guint32 *ret)
{
        guint64 number;

        if (scan_octet(s, '*')) {
                *ret = G_MAXUINT32;
                return TRUE;
        }
        if (!scan_number(s, G_MAXUINT32, &number) || number == 0)
                return FALSE;
        *ret = (guint32) MIN(number, SET_NUMBER_MAX);
        return TRUE;
}

static gboolean
scan_range(Scan *s, UidRange *ret)
{
        guint32 first, last;

        if (!scan_set_number(s, &first))
                return FALSE;
        last = first;
        if (scan_octet(s, ':') && !scan_set_number(s, &last))
                return FALSE;
        *ret = (UidRange){MIN(first, last), MAX(first, last)};
        return TRUE;
}

static gsize
count_ranges(Span text)
{
        gsize n = 1;

        for (gsize i = 0; i < text.len; i++)
                n += text.data[i] == ',';
        return n;
}

gboolean
args_set(ImapArgs *a, ImapSet *ret)
{
        const guint8 *mark = scan_mark(&a->scan);
        gsize n = 0;
        Span text;

        if (scan_peek(&a->scan) == '$' && args_has(a, "SEARCHRES")) {
                scan_skip(&a->scan, 1);
                *ret = (ImapSet){.is_saved = TRUE};
                return TRUE;
        }
        if (!scan_run(&a->scan, &CLASS_SET, G_MAXSIZE, &text))
                return FALSE;
        gsize room = count_ranges(text);
        UidRange *ranges = room <= RANGES_MAX ? arena_new_array(a->arena, UidRange, room) : NULL;
        Scan s = scan_from(text);
        while (ranges != NULL && n < room && scan_range(&s, &ranges[n]) && (++n == room || scan_octet(&s, ',')))
                ;
        if (ranges == NULL || n < room || !scan_at_end(&s)) {
                scan_rewind(&a->scan, mark);
                return FALSE;
        }
        *ret = (ImapSet){.ranges = ranges, .n = n};
        return TRUE;
}

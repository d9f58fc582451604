#include "imap/internal.h"

static ImapArgs
args_over(Arena *arena, const char *text, gsize len, guint enabled)
{
        arena_reset(arena);
        return (ImapArgs){.scan = scan_from(span_make(text, len)), .arena = arena, .enabled = enabled};
}

#define ARGS(text) args_over(arena, text, sizeof(text) - 1, 0)

static void
test_strings(void)
{
        static const struct {
                const char *in;
                gsize len;
                const char *out; /* NULL: refused */
                const char *rest;
        } rows[] = {
#define ROW(in, out, rest) {in, sizeof(in) - 1, out, rest}
                ROW("joe x", "joe", " x"),
                ROW("a]b[", "a]b[", ""),
                ROW("\"\"", "", ""),
                ROW("\"a b\" c", "a b", " c"),
                ROW("\"a\\\"b\\\\\"", "a\"b\\", ""),
                ROW("\"a\\b\"", NULL, "\"a\\b\""),
                ROW("\"a", NULL, "\"a"),
                ROW("\"a\\", NULL, "\"a\\"),
                ROW("\"a\rb\"", NULL, "\"a\rb\""),
                ROW("\"a\0b\"", NULL, "\"a"),
                ROW("\"\xff\"", "\xff", ""), /* not enabled: as it is */
                ROW("{3}\r\nabcd", "abc", "d"),
                ROW("{3+}\r\nabcd", "abc", "d"),
                ROW("{0}\r\n", "", ""),
                ROW("{4}\r\nabc", NULL, "{4}\r\nabc"),
                ROW("{3}abc", NULL, "{3}abc"),
                ROW("{18446744073709551616}\r\nabc", NULL, "{18446744073709551616}\r\nabc"),
                ROW("{-1}\r\nabc", NULL, "{-1}\r\nabc"),
                ROW("{3}\r\na\0b", NULL, "{3}\r\na"),
                ROW("~{3}\r\nabc", "~", "{3}\r\nabc"), /* an atom: "~" */
                ROW("(a)", NULL, "(a)"),
                ROW("", NULL, ""),
                ROW("\\Seen", NULL, "\\Seen"),
                ROW("*", NULL, "*"),
#undef ROW
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                ImapArgs a = args_over(arena, rows[i].in, rows[i].len, 0);
                Span got = span_of("untouched");
                gboolean is_good = args_astring(&a, &got);
                g_assert_cmpint(is_good, ==, rows[i].out != NULL);
                g_assert_true(span_equal(got, span_of(is_good ? rows[i].out : "untouched")));
                g_assert_true(memcmp(a.scan.at, rows[i].rest, strlen(rows[i].rest)) == 0);
        }
}

static void
test_utf8_enabled(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = args_over(arena, "\"\xc3\xa9\"", 4, IMAP_ENABLED_UTF8);
        Span got;

        g_assert_true(args_string(&a, &got));
        a = args_over(arena, "\"\xe9\"", 3, IMAP_ENABLED_REV2);
        g_assert_false(args_string(&a, &got));
}

static void
test_literal8(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = ARGS("~{3}\r\na\0b");
        gboolean is_binary;
        Span got;

        g_assert_true(args_literal8(&a, &got, &is_binary));
        g_assert_true(is_binary && got.len == 3 && args_end(&a));
        a = ARGS("{1}\r\nab");
        g_assert_true(args_literal8(&a, &got, &is_binary));
        g_assert_true(!is_binary && got.len == 1);
        a = ARGS("~{3}\r\nabc");
        g_assert_false(args_string(&a, &got));
}

static void
test_nil(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = ARGS("nil \"NIL\" NILS");
        gboolean is_nil;
        Span got;

        g_assert_true(args_nstring(&a, &got, &is_nil) && is_nil && got.len == 0);
        g_assert_true(args_space(&a) && args_nstring(&a, &got, &is_nil) && !is_nil && got.len == 3);
        g_assert_true(args_space(&a) && !args_nstring(&a, &got, &is_nil));
}

static void
test_words(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = ARGS("uid uidx (a)");

        g_assert_true(args_word(&a, "UID"));
        g_assert_true(args_space(&a) && !args_word(&a, "UID") && args_word(&a, "UIDX"));
        g_assert_true(args_space(&a) && args_open(&a) && args_word(&a, "A") && args_close(&a) && args_end(&a));
}

static void
test_flags(void)
{
        static const struct {
                const char *in;
                gboolean is_good;
                guint64 system;
                gsize n;
                const char *last;
        } rows[] = {
                {"()", TRUE, 0, 0, NULL},
                {"(\\Seen)", TRUE, FLAG_SEEN, 0, NULL},
                {"\\seen \\DELETED $Forwarded", TRUE, FLAG_SEEN | FLAG_DELETED, 1, "$Forwarded"},
                {"(\\Answered \\Flagged \\Draft a b)", TRUE, FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DRAFT, 2, "b"},
                {"(\\Recent)", FALSE, 0, 0, NULL},
                {"(\\Foo)", FALSE, 0, 0, NULL},
                {"(\\)", FALSE, 0, 0, NULL},
                {"(\\*)", FALSE, 0, 0, NULL},
                {"( \\Seen)", FALSE, 0, 0, NULL},
                {"(\\Seen ", FALSE, 0, 0, NULL},
                {"(\\Seen", FALSE, 0, 0, NULL},
                {"(\\Seen  a)", FALSE, 0, 0, NULL},
                {"((a))", FALSE, 0, 0, NULL},
                {"", FALSE, 0, 0, NULL},
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                ImapArgs a = args_over(arena, rows[i].in, strlen(rows[i].in), 0);
                const Span *keywords = NULL;
                guint64 system = 99;
                gsize n = 99;
                g_assert_cmpint(args_flag_list(&a, &system, &keywords, &n), ==, rows[i].is_good);
                if (!rows[i].is_good) {
                        g_assert_true(system == 99 && n == 99 && (const char *) a.scan.at == rows[i].in);
                        continue;
                }
                g_assert_true(system == rows[i].system && n == rows[i].n && args_end(&a));
                g_assert_true(n == 0 || span_equal(keywords[n - 1], span_of(rows[i].last)));
        }
}

static void
test_many_flags(void)
{
        g_autoptr(Arena) arena = arena_new(1 << 20);
        g_autoptr(GString) text = g_string_new("(");
        const Span *keywords;
        guint64 system;
        gsize n;

        for (guint i = 0; i < 5000; i++)
                g_string_append_printf(text, "%sk%u", i > 0 ? " " : "", i);
        g_string_append(text, ")");
        ImapArgs a = args_over(arena, text->str, text->len, 0);
        g_assert_false(args_flag_list(&a, &system, &keywords, &n));
        g_string_assign(text, "(");
        for (guint i = 0; i < 1000; i++)
                g_string_append_printf(text, "%sk%u", i > 0 ? " " : "", i);
        g_string_append(text, ")");
        a = args_over(arena, text->str, text->len, 0);
        g_assert_true(args_flag_list(&a, &system, &keywords, &n));
        g_assert_cmpuint(n, ==, 1000);
        g_assert_true(span_is(keywords[999], "k999") && span_is(keywords[0], "k0"));
}

static void
test_dates(void)
{
        static const struct {
                const char *in;
                gint64 days; /* -1: refused */
        } rows[] = {
                {"1-Jan-1970", 0},        {"\"1-jan-1970\"", 0},  {"01-Jan-1970", 0},  {"1-Feb-1994", 8797},
                {"29-Feb-2000", 11016},   {"29-Feb-2001", -1},    {"29-Feb-1900", -1}, {"31-Apr-2020", -1},
                {"0-Jan-2020", -1},       {"32-Jan-2020", -1},    {"1-Foo-2020", -1},  {"1-Jan-20", -1},
                {"\"1-Jan-1970", -1},     {"1-Jan-20202", 18262}, {"-1-Jan-1970", -1}, {"1 Jan 1970", -1},
                {"31-Dec-9999", 2932896},
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                ImapArgs a = args_over(arena, rows[i].in, strlen(rows[i].in), 0);
                Usec when = 0;
                g_assert_cmpint(args_date(&a, &when), ==, rows[i].days >= 0);
                g_assert_cmpint(when, ==, MAX(rows[i].days, 0) * USEC_PER_DAY);
        }
}

static void
test_date_times(void)
{
        static const struct {
                const char *in;
                gint64 seconds; /* -1: refused */
        } rows[] = {
                {"\" 1-Jan-1970 00:00:00 +0000\"", 0},         {"\"01-Jan-1970 00:00:01 +0000\"", 1},
                {"\"17-Jul-1996 02:44:25 -0700\"", 837596665}, {"\" 1-Feb-1994 12:00:00 +0100\"", 760100400},
                {"\" 1-Feb-1994 12:00:60 +0100\"", 760100460}, {"\" 1-Feb-1994 24:00:00 +0100\"", -1},
                {"\" 1-Feb-1994 12:60:00 +0100\"", -1},        {"\" 1-Feb-1994 12:00:00 0100\"", -1},
                {"\" 1-Feb-1994 12:00:00 +01\"", -1},          {"\" 1-Feb-1994 12:00:00\"", -1},
                {"\" 1-Feb-1994 12:00:00 +0100", -1},          {" 1-Feb-1994 12:00:00 +0100", -1},
                {"\"1-Feb-1994  12:00:00 +0100\"", -1},
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                ImapArgs a = args_over(arena, rows[i].in, strlen(rows[i].in), 0);
                Usec when = 0;
                g_assert_cmpint(args_date_time(&a, &when), ==, rows[i].seconds >= 0);
                g_assert_cmpint(when, ==, MAX(rows[i].seconds, 0) * USEC_PER_SEC);
        }
}

static void
test_sets(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        static const char *const wrong[] = {"",      "0",          "1:0", "1,",  ",1", "1::2",
                                            "1:2:3", "4294967296", "a",   "1-2", "**", "$1x"};
        ImapArgs a = ARGS("1,5:3,*,7:*,*:4,4294967295 x");
        ImapSet set;

        g_assert_true(args_set(&a, &set));
        g_assert_true(args_space(&a));
        const UidRange expected[] = {{1, 1},           {3, 5},           {G_MAXUINT32, G_MAXUINT32},
                                     {7, G_MAXUINT32}, {4, G_MAXUINT32}, {G_MAXUINT32 - 1, G_MAXUINT32 - 1}};
        g_assert_cmpuint(set.n, ==, G_N_ELEMENTS(expected));
        g_assert_cmpmem(set.ranges, (int) (set.n * sizeof(UidRange)), expected, sizeof(expected));
        g_assert_false(set.is_saved);
        a = ARGS("$");
        g_assert_true(args_set(&a, &set) && set.is_saved && set.n == 0);
        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                a = args_over(arena, wrong[i], strlen(wrong[i]), 0);
                gboolean is_good = args_set(&a, &set) && args_end(&a);
                g_assert_false(is_good);
        }
}

static void
test_long_set(void)
{
        g_autoptr(Arena) arena = arena_new(1 << 20);
        g_autoptr(GString) text = g_string_new("1");
        ImapSet set;

        for (guint i = 1; i < 10000; i++)
                g_string_append_printf(text, ",%u", i * 2 + 1);
        ImapArgs a = args_over(arena, text->str, text->len, 0);
        g_assert_true(args_set(&a, &set));
        g_assert_cmpuint(set.n, ==, 10000);
        g_string_append(text, ",5");
        a = args_over(arena, text->str, text->len, 0);
        g_assert_false(args_set(&a, &set));
}

static void
test_mailboxes(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = ARGS("Entw&APw-rfe");
        gboolean is_bad;
        Span name;

        g_assert_true(args_mailbox(&a, &name, &is_bad) && !is_bad);
        g_assert_true(span_equal(name, span_of("Entw\xc3\xbcrfe")));
        a = args_over(arena, "Entw&APw-rfe", 12, IMAP_ENABLED_REV2);
        g_assert_true(args_mailbox(&a, &name, &is_bad) && name.len == 12); /* RFC 9051 §5.1 */
        a = ARGS("\"caf\xc3\xa9\"");
        g_assert_true(!args_mailbox(&a, &name, &is_bad) && is_bad && !args_end(&a));
        a = args_over(arena, "{4}\r\ncaf\xe9", 9, IMAP_ENABLED_UTF8);
        g_assert_true(!args_mailbox(&a, &name, &is_bad) && is_bad);
        a = ARGS("(x");
        g_assert_true(!args_mailbox(&a, &name, &is_bad) && !is_bad);
        a = ARGS("%/*]x)");
        g_assert_true(args_list_mailbox(&a, &name, &is_bad) && span_is(name, "%/*]x"));
        a = ARGS("\"\"");
        g_assert_true(args_list_mailbox(&a, &name, &is_bad) && name.len == 0);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/args/RFC 9051 4.3: strings", test_strings);
        g_test_add_func("/imap/args/RFC 9051 4.3: UTF-8 in quoted strings", test_utf8_enabled);
        g_test_add_func("/imap/args/RFC 9051 4.3.1: binary literals", test_literal8);
        g_test_add_func("/imap/args/RFC 9051 4.5: NIL", test_nil);
        g_test_add_func("/imap/args/words end where atoms end", test_words);
        g_test_add_func("/imap/args/RFC 9051 2.3.2: flags", test_flags);
        g_test_add_func("/imap/args/flags have a limit", test_many_flags);
        g_test_add_func("/imap/args/RFC 9051 9: date", test_dates);
        g_test_add_func("/imap/args/RFC 9051 9: date-time", test_date_times);
        g_test_add_func("/imap/args/RFC 9051 4.1.1: sets", test_sets);
        g_test_add_func("/imap/args/sets have a limit", test_long_set);
        g_test_add_func("/imap/args/RFC 9051 5.1: mailbox names", test_mailboxes);
        return g_test_run();
}

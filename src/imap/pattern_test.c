/* Patterns of LIST, against the definition and against a slow matcher. */
#include "imap/pattern.h"

static gboolean
matches(const char *pattern, const char *name)
{
        g_autoptr(Arena) arena = arena_new(256 * 1024);
        const Pattern *p = pattern_new(arena, span_of(pattern));

        g_assert_nonnull(p);
        return pattern_matches(p, span_of(name));
}

static void
test_wildcards(void)
{
        static const struct {
                const char *pattern, *name;
                gboolean is_match;
        } cases[] = {
                {"*", "a/b/c", TRUE},
                {"*", "", TRUE},
                {"%", "a", TRUE},
                {"%", "a/b", FALSE},
                {"%/%", "a/b", TRUE},
                {"%/%", "a/b/c", FALSE},
                {"%/*", "a/b/c", TRUE},
                {"a", "a", TRUE},
                {"a", "A", FALSE},
                {"a", "ab", FALSE},
                {"a%", "a/b", FALSE},
                {"a*", "a/b", TRUE},
                {"*b", "a/b", TRUE},
                {"*a*a", "aa", TRUE},
                {"*a*a", "a", FALSE},
                {"**%%**", "x/y", TRUE},
                {"%%", "x/y", FALSE},
                {"", "", TRUE},
                {"", "x", FALSE},
                {"*/x%z", "a/xz", TRUE},
                {"*/x%z", "a/x/z", FALSE},
                {"*/x%z", "x/x/x//xyz", TRUE},
                {"*2", "foo2/b", FALSE},
                {"*2", "foo/bar2", TRUE},
                {"Gr\303\274%", "Gr\303\274\303\237e", TRUE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_test_message("%s %s", cases[i].pattern, cases[i].name);
                g_assert_cmpint(matches(cases[i].pattern, cases[i].name), ==, cases[i].is_match);
        }
}

static void
test_inbox(void)
{
        g_assert_true(matches("inbox", "INBOX"));
        g_assert_true(matches("iN%", "INBOX"));
        g_assert_true(matches("InBoX/Work", "INBOX/Work"));
        g_assert_false(matches("INBOX/work", "INBOX/Work"));
        g_assert_false(matches("inboxes", "INBOXES"));
}

/* What the RFC says, by trying everything. */
static gboolean
slowly(const char *p, const char *name)
{
        if (*p == '\0')
                return *name == '\0';
        if (*p != '*' && *p != '%')
                return *p == *name && slowly(p + 1, name + 1);
        for (;; name++) {
                if (slowly(p + 1, name))
                        return TRUE;
                if (*name == '\0' || (*p == '%' && *name == '/'))
                        return FALSE;
        }
}

static void
test_against_slow_one(void)
{
        static const char pattern_letters[] = "ab/*%", name_letters[] = "ab/";

        for (guint round = 0; round < 20000; round++) {
                char pattern[8] = "", name[10] = "";
                for (gint i = 0, n = g_test_rand_int_range(0, 7); i < n; i++)
                        pattern[i] = pattern_letters[g_test_rand_int_range(0, 5)];
                for (gint i = 0, n = g_test_rand_int_range(0, 9); i < n; i++)
                        name[i] = name_letters[g_test_rand_int_range(0, 3)];
                g_assert_cmpint(matches(pattern, name), ==, slowly(pattern, name));
        }
}

/* Places above the 64th, and names at their limit. */
static void
test_long_ones(void)
{
        g_autofree char *name = g_strnfill(1000, 'a'), *over = g_strnfill(1001, 'a'), *many = g_strnfill(60000, '*');
        g_autofree char *hard = g_strconcat("*a%a*a%", name + 10, "*", NULL);
        g_autofree char *around = g_strconcat(many, "b", many, NULL);

        g_assert_true(matches(name, name));
        g_assert_false(matches(name, name + 1));
        g_assert_false(matches(over, over));
        g_assert_true(matches(hard, name));
        g_assert_false(matches(around, name));
        name[700] = 'b';
        g_assert_true(matches(around, name));
}

static void
test_prefix(void)
{
        g_assert_true(span_is(pattern_prefix(span_of("a/b%c*")), "a/b"));
        g_assert_true(span_is(pattern_prefix(span_of("ab")), "ab"));
        g_assert_cmpuint(pattern_prefix(span_of("*b")).len, ==, 0);
}

int
main(int argc, char *argv[])
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/pattern/wildcards (RFC 9051 §6.3.9)", test_wildcards);
        g_test_add_func("/imap/pattern/INBOX in any case (RFC 9051 §5.1)", test_inbox);
        g_test_add_func("/imap/pattern/the same as trying everything", test_against_slow_one);
        g_test_add_func("/imap/pattern/long patterns and names", test_long_ones);
        g_test_add_func("/imap/pattern/prefix", test_prefix);
        return g_test_run();
}

/* mailbox_names_test.c -- what a mailbox may be called (RFC 9051 §5.1). */
#include "store/tree.h"

static void
test_good_names(void)
{
        static const struct {
                const char *text, *owner, *path;
        } CASES[] = {
                {"Work", NULL, "Work"},
                {"inbox", NULL, "INBOX"},
                {"InBoX/a", NULL, "INBOX/a"},
                {"INBOXES", NULL, "INBOXES"},
                {"a/inbox", NULL, "a/inbox"},
                {"Entw\xc3\xbcrfe", NULL, "Entw\xc3\xbcrfe"},
                {"Entwu\xcc\x88rfe", NULL, "Entw\xc3\xbcrfe"}, /* the same in NFC */
                {"\xe2\x84\xab", NULL, "\xc3\x85"},            /* ANGSTROM SIGN is a letter */
                {"a b&c\"d\\e(f){g", NULL, "a b&c\"d\\e(f){g"},
                {"...", NULL, "..."},
                {".a/a.", NULL, ".a/a."},
                {"a%b*", NULL, "a%b*"},
                {"~ann/Team", "ann", "Team"},
                {"~ann@ex.org/inbox", "ann@ex.org", "INBOX"},
                {"~ann", "ann", ""},
                {"a/~b", NULL, "a/~b"},
                {"\xf0\x9f\x93\xac", NULL, "\xf0\x9f\x93\xac"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(Arena) arena = arena_new(64 * 1024);
                TreeName name;

                g_assert_true(name_parse(arena, span_of(CASES[i].text), NAME_MAKE, &name));
                g_assert_cmpstr(name.path, ==, CASES[i].path);
                g_assert_true(CASES[i].owner == NULL ? name.owner.data == NULL : span_is(name.owner, CASES[i].owner));
        }
}

static void
test_bad_names(void)
{
        static const struct {
                const char *octets;
                gsize len;
        } CASES[] = {
#define BAD(text) {text, sizeof(text) - 1}
                BAD(""),
                BAD("/"),
                BAD("/a"),
                BAD("a/"),
                BAD("a//b"),
                BAD("."),
                BAD(".."),
                BAD("a/../b"),
                BAD("a/."),
                BAD("a\0b"),
                BAD("a\nb"),
                BAD("a\x7f"),
                BAD("a\x1f"),
                BAD("\xc2\x85"),
                BAD("a\xc2\x9f"),
                BAD("\xff"),
                BAD("a\xc3"),
                BAD("\xc0\xaf"),
                BAD("\xed\xa0\x80"), /* a surrogate */
                BAD("~"),
                BAD("~/a"),
                BAD("~ann/"),
                BAD("~ann//a"),
                BAD("~ann/.."),
                BAD("\xf4\x8f\xbf\xbf"),
                BAD("\xf4\x90\x80\x80"),
#undef BAD
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(Arena) arena = arena_new(64 * 1024);
                TreeName name;

                if (name_parse(arena, span_make(CASES[i].octets, CASES[i].len), NAME_LOOK, &name))
                        g_error("case %zu is a name", i);
        }
}

static void
test_wildcards(void)
{
        static const char *const NAMES[] = {"%", "*a", "a/%b", "~ann/*"};
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        TreeName name;

        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
                g_assert_false(name_parse(arena, span_of(NAMES[i]), NAME_MAKE, &name));
                g_assert_true(name_parse(arena, span_of(NAMES[i]), NAME_LOOK, &name));
        }
}

/* levels of `octets` each */
static gboolean
fits(gsize levels, gsize octets, const char *letter)
{
        g_autoptr(Arena) arena = arena_new(1024 * 1024);
        g_autoptr(GString) s = g_string_new(NULL);
        TreeName name;

        for (gsize i = 0; i < levels; i++) {
                if (i > 0)
                        g_string_append_c(s, '/');
                for (gsize n = 0; n < octets; n += strlen(letter))
                        g_string_append(s, letter);
        }
        return name_parse(arena, span_make(s->str, s->len), NAME_MAKE, &name);
}

static void
test_limits(void)
{
        g_assert_true(fits(1, LEVEL_OCTETS_MAX, "x"));
        g_assert_false(fits(1, LEVEL_OCTETS_MAX + 1, "x"));
        g_assert_false(fits(1, 300, "x"));
        g_assert_true(fits(LEVELS_MAX, 1, "x"));
        g_assert_false(fits(LEVELS_MAX + 1, 1, "x"));
        g_assert_false(fits(10000, 1, "x"));
        g_assert_true(fits(4, 249, "x")); /* 999 octets */
        g_assert_false(fits(4, 250, "x"));
        g_assert_true(fits(1, 254, "\xc3\xbc"));
        g_assert_false(fits(1, 256, "\xc3\xbc"));
        /* U+0958 is longer in NFC, and it is the name in NFC that must fit */
        g_assert_false(fits(1, 255, "\xe0\xa5\x98"));
}

static void
test_arena_over(void)
{
        g_autoptr(Arena) arena = arena_new(16);
        TreeName name;

        g_assert_false(name_parse(arena, span_of("a name that is longer than the room for it"), NAME_LOOK, &name));
}

static void
test_parts(void)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        const char *behind = name_behind(arena, span_of("ab"));

        g_assert_cmpstr(name_parent(arena, "a/b/c"), ==, "a/b");
        g_assert_null(name_parent(arena, "a"));
        g_assert_true(name_is_below("a/b", "a"));
        g_assert_false(name_is_below("ab/c", "a"));
        g_assert_false(name_is_below("a", "a"));
        g_assert_cmpint(strcmp("ab", behind), <, 0);
        g_assert_cmpint(strcmp("ab\xf4\x8f\xbf\xbe", behind), <, 0);
        g_assert_cmpint(strcmp("ac", behind), >, 0);
}

static void
test_special_uses(void)
{
        SpecialUse use;

        for (guint bit = USE_ALL; bit <= USE_IMPORTANT; bit <<= 1) {
                g_assert_true(special_use_parse(span_of(special_use_name(bit)), &use));
                g_assert_cmpuint(use, ==, bit);
        }
        g_assert_true(special_use_parse(span_of("\\sENT"), &use));
        g_assert_false(special_use_parse(span_of("Sent"), &use));
        g_assert_false(special_use_parse(SPAN_EMPTY, &use));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/store/names/good RFC 9051 §5.1", test_good_names);
        g_test_add_func("/store/names/hostile", test_bad_names);
        g_test_add_func("/store/names/no-wildcard-first-in-a-new-level RFC 9051 §5.1", test_wildcards);
        g_test_add_func("/store/names/limits", test_limits);
        g_test_add_func("/store/names/no-memory", test_arena_over);
        g_test_add_func("/store/names/parents-and-ranges", test_parts);
        g_test_add_func("/store/names/special-use RFC 6154 §2", test_special_uses);
        return g_test_run();
}

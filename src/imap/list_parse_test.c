/* The arguments of LIST and LSUB. */
#include "imap/harness.h"
#include "imap/names.h"

typedef struct Parsed {
        Arena *arena;
        ListRequest request;
        gboolean is_good, is_bad_name;
} Parsed;

static Parsed
parse_as(const char *text, gboolean is_lsub)
{
        Harness h = {0};
        Parsed p = {0};
        ImapArgs args = harness_args(span_of(text), 0);

        harness_open(&h);
        p.arena = args.arena;
        p.is_good = imap_list_parse(h.session, &args, is_lsub, &p.request, &p.is_bad_name);
        harness_close(&h);
        return p;
}

static void
assert_bad(const char *text, gboolean is_lsub, gboolean is_bad_name)
{
        Parsed p = parse_as(text, is_lsub);

        g_test_message("%s", text);
        g_assert_false(p.is_good);
        g_assert_cmpint(p.is_bad_name, ==, is_bad_name);
        arena_free(p.arena);
}

static void
test_syntax(void)
{
        static const char *const wrong[] = {
                "",
                " \"\"",
                " \"\" ",
                " \"\" *x)",
                " (SUBSCRIBED \"\" *",
                " (SUBSCRIBED)\"\" *",
                " (A) \"\" *",
                " \"\" ()",
                " \"\" (a",
                " \"\" (a  b)",
                " \"\" * RETURN",
                " \"\" * RETURN ()x",
                " \"\" * X",
                " \"\" * RETURN (STATUS)",
                " \"\" * RETURN (STATUS ())",
                " \"\" * RETURN (METADATA ())",
                " (RECURSIVEMATCH) \"\" *",
                " (REMOTE RECURSIVEMATCH) \"\" *",
                " \"\" * RETURN (STATUS (MESSAGES)",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
                assert_bad(wrong[i], FALSE, FALSE);
        assert_bad(" \"\" (a b)", TRUE, FALSE);
        assert_bad(" (SUBSCRIBED) \"\" a", TRUE, FALSE);
        assert_bad(" \"\" a RETURN ()", TRUE, FALSE);
        assert_bad(" \"\" &x", FALSE, TRUE);
        assert_bad(" &x a", FALSE, TRUE);
}

static void
test_options(void)
{
        Parsed p = parse_as(
                " (SUBSCRIBED RECURSIVEMATCH) ref (a \"b %\" {1}\r\nc) RETURN (CHILDREN STATUS (MESSAGES SIZE) "
                "METADATA (/shared/comment \"/private/x\"))",
                FALSE);
        const ListRequest *r = &p.request;

        g_assert_true(p.is_good && r->is_extended);
        g_assert_cmpuint(r->select, ==, LIST_SELECT_SUBSCRIBED | LIST_SELECT_RECURSIVE);
        g_assert_cmpuint(r->returns, ==,
                         LIST_RETURN_SUBSCRIBED | LIST_RETURN_CHILDREN | LIST_RETURN_STATUS | LIST_RETURN_METADATA);
        g_assert_cmpuint(r->status, ==, STATUS_MESSAGES | STATUS_SIZE);
        g_assert_cmpuint(r->n_patterns, ==, 3);
        g_assert_true(span_equal(r->patterns[1], span_of("b %")));
        g_assert_cmpuint(r->n_entries, ==, 2);
        g_assert_true(span_equal(r->entries[1], span_of("/private/x")));
        arena_free(p.arena);
        p = parse_as(" \"\" *", FALSE);
        g_assert_true(p.is_good && !p.request.is_extended && p.request.select == 0 && p.request.returns == 0);
        arena_free(p.arena);
}

static void
test_caps(void)
{
        g_autoptr(GString) text = g_string_new(" \"\" (a");

        for (guint i = 1; i < LIST_PATTERNS_MAX; i++)
                g_string_append(text, " a");
        g_autofree char *most = g_strconcat(text->str, ")", NULL), *more = g_strconcat(text->str, " a)", NULL);
        Parsed p = parse_as(most, FALSE);
        g_assert_true(p.is_good);
        g_assert_cmpuint(p.request.n_patterns, ==, LIST_PATTERNS_MAX);
        arena_free(p.arena);
        assert_bad(more, FALSE, FALSE);
}

static void
assert_canonical(const char *reference, const char *pattern, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(65536);

        g_assert_true(span_equal(imap_list_canonical(arena, span_of(reference), span_of(pattern)), span_of(expected)));
}

static void
test_canonical(void)
{
        assert_canonical("", "", "");
        assert_canonical("a/", "%", "a/%");
        assert_canonical("a", "b", "ab");
        assert_canonical("a/", "~ann/*", "~ann/*");
        assert_canonical("~ann/", "%", "~ann/%");
        assert_canonical("", "u\xcc\x88*", "\xc3\xbc*");
}

int
main(int argc, char *argv[])
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/list_parse/what is no LIST (RFC 9051 §9)", test_syntax);
        g_test_add_func("/imap/list_parse/selections and returns (RFC 5258, 5819, 9590)", test_options);
        g_test_add_func("/imap/list_parse/at most so many patterns", test_caps);
        g_test_add_func("/imap/list_parse/reference and pattern in one (RFC 9051 §6.3.9)", test_canonical);
        return g_test_run();
}

#include "mail/span_test.h"
#include "mail/text.h"

static void
check(const char *body, const char *expected, gboolean is_reply)
{
        g_autoptr(Arena) arena = arena_new(1024 * 1024);
        gboolean found_reply;

        assert_span(text_base_subject(arena, span_of(body), &found_reply), expected);
        g_assert_cmpint(found_reply, ==, is_reply);
}

/* Steps of RFC 5256 §2.1, by their numbers. */
static void
test_steps(void)
{
        check(" plain\r\n", "plain", FALSE);
        check("", "", FALSE);
        check(" two  spaces\tand a tab\r\n  folded ", "two spaces and a tab folded", FALSE); /* (1) */
        check("=?utf-8?q?Re=3A_J=C3=B6rg?=", "J\xc3\xb6rg", TRUE);
        check("test (fwd)", "test", TRUE); /* (2) */
        check("test (FWD) (fwd)  ", "test", TRUE);
        check("Re: test", "test", TRUE); /* (3) */
        check("re  : test", "test", TRUE);
        check("RE:test", "test", TRUE);
        check("fw: test", "test", TRUE);
        check("Fwd: test", "test", TRUE);
        check("Re[2]: test", "test", TRUE);
        check("Re [2] : test", "test", TRUE);
        check("[list] Re: test", "test", TRUE);
        check("[a] [b] Re: [c] Fwd: test", "test", TRUE);
        check("[list] test", "test", FALSE); /* (4) */
        check("[list]", "[list]", FALSE);
        check("[a] [b]", "[b]", FALSE);
        check("Re: [list]", "[list]", TRUE);
        check("[list] Re: [list] Re: test", "test", TRUE); /* (5) */
        check("[fwd: test]", "test", TRUE);                /* (6) */
        check("Re: [Fwd: Re: [list] test (fwd)]", "test", TRUE);
        check("[fwd: [fwd: test]]", "test", TRUE);
        check("[fwd: a] b", "b", FALSE);
}

static void
test_not(void)
{
        check("Regarding: test", "Regarding: test", FALSE);
        check("Re test", "Re test", FALSE);
        check("Aw: test", "Aw: test", FALSE); /* only what the RFC names */
        check("[open", "[open", FALSE);
        check("[open Re: test", "[open Re: test", FALSE);
        check("fwdx: test", "fwdx: test", FALSE);
        check("(fwd) test", "(fwd) test", FALSE);
        check("Re:", "", TRUE);
        check("(fwd)", "", TRUE);
        check("[fwd:]", "", TRUE);
        check("[]", "[]", FALSE);
}

/* Linear in what somebody sends. */
static void
test_hostile(void)
{
        g_autoptr(GString) blobs = g_string_new(NULL);
        g_autoptr(GString) replies = g_string_new(NULL);
        g_autoptr(GString) forwards = g_string_new(NULL);

        for (guint i = 0; i < 10000; i++) {
                g_string_append(blobs, "[a]");
                g_string_append(replies, "Re: ");
                g_string_append(forwards, "[fwd:");
        }
        check(blobs->str, "[a]", FALSE);
        check(replies->str, "", TRUE);
        check(forwards->str, forwards->str, FALSE);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/subject/base RFC 5256 §2.1", test_steps);
        g_test_add_func("/mail/subject/what-is-no-reply-stays RFC 5256 §2.1", test_not);
        g_test_add_func("/mail/subject/hostile", test_hostile);
        return g_test_run();
}

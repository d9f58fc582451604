#include "fetch/fetch.h"

#include "base/error.h"

static void
test_forms(void)
{
        g_autoptr(Arena) arena = arena_new(1 << 16);
        Recipe r;

        g_assert_true(recipe_parse(arena, "header X-Envelope-To", &r, NULL));
        g_assert_cmpint(r.kind, ==, RECIPE_HEADER);
        g_assert_cmpstr(r.name, ==, "X-Envelope-To");
        g_assert_cmpuint(r.nth, ==, 0);
        g_assert_null(r.prefix);

        g_assert_true(recipe_parse(arena, "  HEADER  Delivered-To:  nth=2 prefix=ex.org- ", &r, NULL));
        g_assert_cmpstr(r.name, ==, "Delivered-To");
        g_assert_cmpuint(r.nth, ==, 2);
        g_assert_cmpstr(r.prefix, ==, "ex.org-");

        g_assert_true(recipe_parse(arena, "received by=mx1.prov,mx2.prov.", &r, NULL));
        g_assert_cmpint(r.kind, ==, RECIPE_RECEIVED);
        g_assert_cmpstr(r.by[0], ==, "mx1.prov");
        g_assert_cmpstr(r.by[1], ==, "mx2.prov");
        g_assert_null(r.by[2]);

        g_assert_true(recipe_parse(arena, "guess to,Cc,resent-to", &r, NULL));
        g_assert_cmpint(r.kind, ==, RECIPE_GUESS);
        g_assert_cmpstr(r.fields[2], ==, "resent-to");
        g_assert_null(r.fields[3]);
}

static void
test_refusals(void)
{
        static const char *const WRONG[][2] = {
                {"", "a recipe is one of"},
                {"headers X-Envelope-To", "a recipe is one of"},
                {"header", "wants the name"},
                {"header :", "field name"},
                {"header X-En\xc3\xa4", "field name"},
                {"header X:Y", "field name"},
                {"header To", "not a multidrop header"},
                {"header cc:", "not a multidrop header"},
                {"header X-Rcpt-To nth=0", "nth="},
                {"header X-Rcpt-To nth=x", "nth="},
                {"header X-Rcpt-To nth=101", "nth="},
                {"header X-Rcpt-To prefix=", "prefix="},
                {"header X-Rcpt-To something", "something"},
                {"header X-Rcpt-To\r\nnth=1", "one line"},
                {"received", "by="},
                {"received by=", "by="},
                {"received by=,", "by="},
                {"received by=a b", "by="},
                {"guess", "guess to,cc"},
                {"guess from", "guess to,cc"},
                {"guess to cc", "guess to,cc"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_autoptr(Arena) arena = arena_new(1 << 16);
                g_autoptr(GError) error = NULL;
                Recipe r;

                g_assert_false(recipe_parse(arena, WRONG[i][0], &r, &error));
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
                if (strstr(error->message, WRONG[i][1]) == NULL)
                        g_error("\"%s\": %s", WRONG[i][0], error->message);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/fetch/recipe/every form", test_forms);
        g_test_add_func("/fetch/recipe/what is wrong is said", test_refusals);
        return g_test_run();
}

/* membership_test.c -- whose groups an address is in. */
#include "directory/testing.h"

static char *
groups_of(TestSite *t, const char *text)
{
        g_autoptr(GError) error = NULL;
        const Address address = test_address(t, text);
        GString *s = g_string_new(NULL);
        const Address *at;
        gsize n;

        g_assert_true(directory_groups_of(t->directory, t->arena, &address, &at, &n, &error));
        for (gsize i = 0; i < n; i++)
                g_string_append_printf(s, "%s%.*s@%.*s", i > 0 ? " " : "", (int) at[i].local.len, at[i].local.data,
                                       (int) at[i].domain.len, at[i].domain.data);
        return g_string_free(s, FALSE);
}

static void
expect(TestSite *t, const char *address, const char *wanted)
{
        g_autofree char *found = groups_of(t, address);

        g_assert_cmpstr(found, ==, wanted);
}

static void
test_members(void)
{
        TestSite t;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_DOMAIN, "other.org", "kind=alias:ex.org");
        expect(&t, "joe@ex.org", "");
        test_make(&t, TEST_GROUP, "Team@ex.org", "Joe@EX.org ann@ex.org");
        expect(&t, "jOE@ex.org", "team@ex.org");
        test_make(&t, TEST_GROUP, "all@ex.org", "TEAM@ex.org"); /* a group in a group */
        expect(&t, "joe@ex.org", "team@ex.org all@ex.org");
        test_make(&t, TEST_ALIAS, "sales@ex.org", "joe@ex.org"); /* through an alias, which is no group itself */
        test_make(&t, TEST_GROUP, "front@ex.org", "sales@ex.org");
        test_make(&t, TEST_GROUP, "far@ex.org", "ann@other.org"); /* by another name of the domain */
        expect(&t, "ann@ex.org", "team@ex.org far@ex.org all@ex.org");
        expect(&t, "joe@ex.org", "team@ex.org all@ex.org front@ex.org");
        expect(&t, "max@ex.org", "");
        test_site_close(&t);
}

static void
test_circles(void)
{
        TestSite t;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&t, TEST_GROUP, "a@ex.org", "b@ex.org joe@ex.org");
        test_make(&t, TEST_GROUP, "b@ex.org", "a@ex.org");
        expect(&t, "joe@ex.org", "a@ex.org b@ex.org");
        test_make(&t, TEST_GROUP, "\"x,y\"@ex.org", "joe@ex.org");
        test_make(&t, TEST_GROUP, "z@ex.org", "\"X,Y\"@ex.org");
        expect(&t, "joe@ex.org", "a@ex.org x,y@ex.org b@ex.org z@ex.org");
        test_site_close(&t);
}

static void
test_many(void)
{
        TestSite t;
        const Address *at;
        gsize n;
        g_autoptr(GError) error = NULL;

        test_site_open(&t);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        for (int i = 0; i < DIRECTORY_GROUPS_MAX + 10; i++) {
                g_autofree char *name = g_strdup_printf("g%d@ex.org", i);

                test_make(&t, TEST_GROUP, name, "joe@ex.org");
        }
        const Address joe = test_address(&t, "joe@ex.org");
        g_assert_true(directory_groups_of(t.directory, t.arena, &joe, &at, &n, &error));
        g_assert_cmpuint(n, ==, DIRECTORY_GROUPS_MAX);
        test_site_close(&t);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/directory/groups/members-of-members", test_members);
        g_test_add_func("/directory/groups/circles-and-quoted-names", test_circles);
        g_test_add_func("/directory/groups/1000-and-not-one-more", test_many);
        return g_test_run();
}

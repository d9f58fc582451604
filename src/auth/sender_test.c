/* sender_test.c -- whose address is it? */
#include "auth/auth.h"
#include "directory/testing.h"

static void
test_senders(void)
{
        static const struct {
                const char *sender;
                Found answer;
        } cases[] = {
                {"joe@ex.org", FOUND},
                {"JOE@EX.ORG", FOUND},
                {"joe+news@ex.org", FOUND},
                {"joe@alias.org", FOUND},
                {"joe+news@alias.org", FOUND},
                {"sales@ex.org", FOUND},
                {"sales+x@ex.org", FOUND},
                {"ann@ex.org", FOUND_NOT},
                {"ann+joe@ex.org", FOUND_NOT},
                {"press@ex.org", FOUND_NOT},
                {"nobody@ex.org", FOUND_NOT},
                {"joe@other.org", FOUND_NOT},
                {"joe%ex.org@other.org", FOUND_NOT},
                {"joe+@ex.org", FOUND},
        };
        const AuthSettings settings = {.is_loopback_site = TRUE};
        const Account *joe = NULL;
        const LoginSecrets *secrets;
        GError *error = NULL;
        TestSite site;

        test_site_open(&site);
        Auth *auth = auth_new(site.directory, &settings);
        test_make(&site, TEST_DOMAIN, "ex.org", NULL);
        test_make(&site, TEST_DOMAIN, "alias.org", "kind=alias:ex.org");
        test_make(&site, TEST_ACCOUNT, "joe@ex.org", NULL);
        test_make(&site, TEST_ACCOUNT, "ann@ex.org", NULL);
        test_make(&site, TEST_ALIAS, "sales@ex.org", "ann@ex.org joe@ex.org");
        test_make(&site, TEST_ALIAS, "press@ex.org", "ann@ex.org");
        g_assert_cmpint(directory_login(site.directory, site.arena, span_of("joe@ex.org"), &joe, &secrets, &error), ==,
                        FOUND);

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                Address sender = test_address(&site, cases[i].sender);
                g_test_message("%s", cases[i].sender);
                g_assert_cmpint(auth_may_send_as(auth, site.arena, joe->id, &joe->address, &sender, &error), ==,
                                cases[i].answer);
                g_assert_no_error(error);
        }
        auth_free(auth);
        test_site_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/sender/own addresses, sub-addresses and aliases RFC 6409 §6.1", test_senders);
        return g_test_run();
}

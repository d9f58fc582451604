#include "mail/span_test.h"
#include "mail/status.h"

static void
test_parse(void)
{
        static const struct {
                const char *text;
                Status status;
        } cases[] = {
                {"550 5.1.1", {550, 5, 1, 1}},
                {"250 2.0.0", {250, 2, 0, 0}},
                {"451 4.3.0", {451, 4, 3, 0}},
                {"5.1.1", {550, 5, 1, 1}},
                {"4.2.2", {450, 4, 2, 2}},
                {"2.1.5", {250, 2, 1, 5}},
                {"599 5.999.999", {599, 5, 999, 999}},
        };
        static const char *const wrong[] = {
                "",          "5",
                "5.1",       "5.1.",
                "5.1.1.",    "5.1.1 ",
                " 5.1.1",    "5.1000.1",
                "5.1.1000",  "3.1.1",
                "6.1.1",     "0.1.1",
                "550",       "550 ",
                "550 4.1.1", "600 5.1.1",
                "199 2.0.0", "550  5.1.1",
                "550-5.1.1", "-5.1.1",
                "5.1.x",     "99999999999999999999999.1.1",
                "354 3.0.0",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                const Status *expected = &cases[i].status;
                Status s;

                g_assert_true(status_parse(span_of(cases[i].text), &s));
                g_assert_true(s.code == expected->code && s.class == expected->class);
                g_assert_true(s.subject == expected->subject && s.detail == expected->detail);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                Status s = STATUS(1, 1, 1, 1);

                g_test_message("%s", wrong[i]);
                g_assert_false(status_parse(span_of(wrong[i]), &s));
                g_assert_cmpint(s.code, ==, 1);
        }
}

static void
test_text(void)
{
        char text[12];

        g_assert_cmpstr(status_text(STATUS(550, 5, 1, 1), text, sizeof(text)), ==, "5.1.1");
        g_assert_cmpstr(status_text(STATUS(550, 5, 999, 999), text, sizeof(text)), ==, "5.999.999");
}

static void
test_meaning(void)
{
        g_assert_cmpstr(status_meaning(STATUS(550, 5, 1, 1)), ==, "there is no such mailbox here");
        g_assert_cmpstr(status_meaning(STATUS(554, 5, 4, 6)), ==, "the message goes round in a circle");
        /* Not known: by subject, then by class. */
        g_assert_cmpstr(status_meaning(STATUS(552, 5, 2, 99)), ==, "something is wrong with the mailbox");
        g_assert_cmpstr(status_meaning(STATUS(450, 4, 99, 0)), ==, "it could not be done now, but may be later");
        g_assert_cmpstr(status_meaning(STATUS(250, 2, 0, 0)), ==, "it was done");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/status/read RFC 3463 §2", test_parse);
        g_test_add_func("/mail/status/written", test_text);
        g_test_add_func("/mail/status/meaning-by-code-subject-class RFC 3463 §3", test_meaning);
        return g_test_run();
}

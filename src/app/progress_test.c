/* progress_test.c -- the line of import and export. */
#include "app/progress.h"

#include <string.h>

static void
expect(const ProgressState *state, guint columns, const char *wanted)
{
        g_autofree char *line = progress_line(state, columns);

        g_assert_cmpstr(line, ==, wanted);
        g_assert_cmpint(g_utf8_strlen(line, -1), <=, columns);
}

static void
line(void)
{
        ProgressState p = {.folder = "Work/2026", .nth = 3, .n_folders = 17, .messages = 500, .total = 1000};

        expect(&p, 80, "Work/2026  [###############...............]  500 of 1000  (3 of 17)");
        p.elapsed = 2 * USEC_PER_SEC;
        p.octets = 3 * 1024 * 1024;
        p.octets_total = 4 * 1024 * 1024;
        expect(&p, 80, "Work/2026  [#############....]  500 of 1000  250/s  1.5M/s  0:01 left  (3 of 17)");
}

static void
narrow(void)
{
        ProgressState p = {
                .folder = "A/very/long/name/of/a/mailbox", .nth = 1, .n_folders = 1, .messages = 1, .total = 2};

        expect(&p, 40, "/long/name/of/a/mailbox  [###..]  1 of 2");
        expect(&p, 12, "1 of 2");
        p.folder = "na\xc3\xafve\x1b[2J";
        g_autofree char *shown = progress_line(&p, 60);
        g_assert_null(strchr(shown, '\x1b')); /* no name moves the cursor */
}

static void
empty(void)
{
        ProgressState p = {.folder = "INBOX", .nth = 1, .n_folders = 1};

        expect(&p, 60, "INBOX  [##############################]  0 of 0");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/app/progress/share-rate-and-time-left", line);
        g_test_add_func("/app/progress/fits-the-terminal", narrow);
        g_test_add_func("/app/progress/nothing-to-do", empty);
        return g_test_run();
}

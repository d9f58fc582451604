#include "base/error.h"

#include <errno.h>

static void
test_fault_fills(void)
{
        g_autoptr(GError) error = NULL;

        g_assert_false(fault(&error, FAULT_INPUT, "line %d", 7));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        g_assert_cmpstr(error->message, ==, "line 7");
        fault_prefix(&error, "file: ");
        g_assert_cmpstr(error->message, ==, "file: line 7");
}

static void
test_nobody_asks(void)
{
        g_assert_false(fault(NULL, FAULT_BUSY, "x"));
        errno = EIO;
        g_assert_false(fault_errno(NULL, "x"));
        fault_prefix(NULL, "x");
}

static void
test_errno_says_who_can_help(void)
{
        static const struct {
                int number;
                FaultCode code;
        } cases[] = {{ENOSPC, FAULT_FULL}, {EDQUOT, FAULT_FULL}, {EIO, FAULT_IO}, {ENOENT, FAULT_IO}};

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;
                g_autofree char *expected = g_strdup_printf("write seg: %s", g_strerror(cases[i].number));

                errno = cases[i].number;
                g_assert_false(fault_errno(&error, "write %s", "seg"));
                g_assert_error(error, RESTANTE_ERROR, (int) cases[i].code);
                g_assert_cmpstr(error->message, ==, expected);
                g_assert_cmpint(errno, ==, cases[i].number);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/error/fault-fills-and-is-false", test_fault_fills);
        g_test_add_func("/base/error/nobody-need-ask", test_nobody_asks);
        g_test_add_func("/base/error/errno-full-disk-is-told-apart", test_errno_says_who_can_help);
        return g_test_run();
}

/* housekeeping_test.c -- when a disk is called full. */
#include "app/housekeeping.h"

#define MIB ((guint64) 1024 * 1024)
#define GIB (1024 * MIB)

static void
limits(void)
{
        g_assert_cmpuint(disk_limit(10 * GIB, 256 * MIB, FALSE), ==, 256 * MIB);
        g_assert_cmpuint(disk_limit(1000 * GIB, 256 * MIB, FALSE), ==, 20 * GIB); /* 2 % */
        g_assert_cmpuint(disk_limit(10 * GIB, 0, FALSE), ==, 10 * GIB / 50);
        g_assert_cmpuint(disk_reserve(1000 * GIB), ==, 128 * MIB); /* twice the bound of the WAL */
        g_assert_cmpuint(disk_reserve(160 * MIB), ==, 10 * MIB);
        /* What the reserve gave back is for deleting: it does not make the disk look roomy again. */
        g_assert_cmpuint(disk_limit(160 * MIB, 4 * MIB, TRUE), ==, 14 * MIB);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/app/housekeeping/a-disk-is-full-before-it-is", limits);
        return g_test_run();
}

/* textkey_test.c -- text is found again through its hash, whatever its letters' case. */
#include "db/textkey.h"

static void
test_found_again(void)
{
        guint8 hashes[100 * TEXTKEY_OCTETS];

        for (guint i = 0; i < 100; i++) {
                g_autofree char *address = g_strdup_printf("user%u@example.com", i);
                textkey_put(hashes + i * TEXTKEY_OCTETS, span_of(address));
        }
        for (guint i = 0; i < 100; i++) {
                g_autofree char *address = g_strdup_printf("USER%u@Example.Com", i);
                guint32 hash = textkey_hash(span_of(address));
                g_assert_true(textkey_has(span_make(hashes, sizeof(hashes)), hash));
                g_assert_false(textkey_has(span_make(hashes, i * TEXTKEY_OCTETS), hash));
        }
        g_assert_false(textkey_has(SPAN_EMPTY, textkey_hash(SPAN_EMPTY)));
}

/* A hash that stands across two stored ones is none of them, and a torn one is nothing. */
static void
test_places(void)
{
        static const guint8 STORED[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        Span hashes = span_make(STORED, sizeof(STORED));

        g_assert_true(textkey_has(hashes, 0x01020304));
        g_assert_true(textkey_has(hashes, 0x05060708));
        g_assert_false(textkey_has(hashes, 0x02030405));
        g_assert_false(textkey_has(hashes, 0x07080910));
}

static void
test_value(void)
{
        /* FNV-1a's published values: stored, never to change */
        g_assert_cmpuint(textkey_hash(SPAN_EMPTY), ==, 2166136261u);
        g_assert_cmpuint(textkey_hash(span_of("a")), ==, 0xe40c292cu);
        g_assert_cmpuint(textkey_hash(span_of("A")), ==, 0xe40c292cu);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/db/textkey/found-again-in-any-case", test_found_again);
        g_test_add_func("/db/textkey/only-whole-hashes-count", test_places);
        g_test_add_func("/db/textkey/values-never-change", test_value);
        return g_test_run();
}

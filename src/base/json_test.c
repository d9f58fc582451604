/* json_test.c -- what is read of JSON, and what never reaches the library. */
#include "base/json.h"

static gboolean
is_read(Span text, guint depth)
{
        json_auto_t *value = json_read_object(text, depth);

        return value != NULL;
}

static void
test_objects(void)
{
        static const char *const RIGHT[] = {"{}", " {\"a\": [1, 2.5e3]} \r\n", "{\"a\":\"[[[[\\\"[[\"}",
                                            "{\"a\":{\"b\":1}}"};
        static const char *const WRONG[] = {
                "",
                "[]",
                "1",
                "null",
                "{",
                "{}{}",
                "{} x",
                "{a:1}",
                "{\"a\":1,}",
                "{\"a\":1,\"a\":2}",
                "{\"a\":{\"b\":1,\"b\":1}}",
                "{\"a\":\"\\u0000\"}",
                "{\"a\":\"\xff\"}",
                "{\"a\":1e999}",
                "{\"a\":99999999999999999999}",
                "{\"a\":-99999999999999999999}",
                "{\"a\":01}",
                "{\"a\":NaN}",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(RIGHT); i++)
                g_assert_true(is_read(span_of(RIGHT[i]), 2));
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                g_assert_false(is_read(span_of(WRONG[i]), 2));
        g_assert_false(is_read(span_make("{\"a\":\"\0\"}", 9), 2));
}

static void
test_depth(void)
{
        g_autofree char *open = g_strnfill(1000000, '[');
        g_autofree char *deep = g_strconcat("{\"a\":", open, NULL);

        g_assert_true(is_read(span_of("{\"a\":[[]],\"b\":[[]]}"), 3));
        g_assert_false(is_read(span_of("{\"a\":[[[]]]}"), 3));
        g_assert_false(is_read(span_of(deep), 16));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/json/one-object-without-doubt RFC 8259 §4", test_objects);
        g_test_add_func("/base/json/depth-is-counted-before-reading RFC 8259 §9", test_depth);
        return g_test_run();
}

#include "base/arena.h"

static void
test_allocations_are_aligned_and_apart(void)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        guint8 *places[300];
        gsize sizes[G_N_ELEMENTS(places)];

        for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
                sizes[i] = i % 50 == 49 ? 9000 * (i / 50) : i * 7 % 400; /* some larger than any chunk in use */
                places[i] = arena_alloc(arena, sizes[i]);
                g_assert_nonnull(places[i]);
                g_assert_cmpuint(GPOINTER_TO_SIZE(places[i]) % 16, ==, 0);
                memset(places[i], (int) i & 0xff, sizes[i]);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
                for (gsize k = 0; k < sizes[i]; k++)
                        g_assert_cmpuint(places[i][k], ==, i & 0xff);
}

static void
test_over_is_for_good(void)
{
        g_autoptr(Arena) arena = arena_new(1000);

        g_assert_nonnull(arena_alloc(arena, 900));
        g_assert_null(arena_alloc(arena, 200));
        g_assert_true(arena_is_over(arena));
        g_assert_null(arena_alloc(arena, 1));   /* though this one would fit */
        g_assert_null(arena_strdup(arena, "a"));
        g_assert_null(arena_printf(arena, "a"));
        g_assert_null(arena_copy(arena, span_of("a")).data);
        g_assert_cmpuint(arena_used_octets(arena), <=, 1000);

        arena_reset(arena);
        g_assert_false(arena_is_over(arena));
        g_assert_cmpuint(arena_used_octets(arena), ==, 0);
        g_assert_nonnull(arena_alloc(arena, 900));
}

static void
test_whole_maximum(void)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);

        for (guint i = 0; i < 4096; i++)
                g_assert_nonnull(arena_alloc(arena, 16));
        g_assert_cmpuint(arena_used_octets(arena), ==, 64 * 1024);
        g_assert_null(arena_alloc(arena, 0));
}

static void
test_hostile_sizes(void)
{
        static const gsize sizes[] = {G_MAXSIZE, G_MAXSIZE - 15, G_MAXSIZE / 2, 1 << 20};

        for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autoptr(Arena) arena = arena_new(1 << 20);

                g_assert_nonnull(arena_alloc(arena, 1));
                g_assert_null(arena_alloc(arena, sizes[i]));
                g_assert_true(arena_is_over(arena));
        }
        g_autoptr(Arena) arena = arena_new(1 << 20);
        g_assert_null(arena_alloc_array(arena, G_MAXSIZE / 2 + 2, 2)); /* the product is 2 */
        g_assert_true(arena_is_over(arena));
}

/* Sanitizers would end the process where malloc() says NULL. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
        return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
        return "allocator_may_return_null=1";
}

/* An arena without a bound still answers what the machine can't give. */
static void
test_no_memory_is_over(void)
{
        g_autoptr(Arena) arena = arena_new(G_MAXSIZE);

        g_assert_null(arena_alloc(arena, G_MAXSIZE / 4));
        g_assert_true(arena_is_over(arena));
        arena_reset(arena);
        g_assert_null(arena_alloc(arena, G_MAXSIZE - 31)); /* with the chunk's head more than a size can hold */
}

static void
test_zeroed(void)
{
        g_autoptr(Arena) arena = arena_new(1 << 16);
        guint8 *dirty = arena_alloc(arena, 512);

        memset(dirty, 0xff, 512);
        arena_reset(arena);
        guint64 *clean = arena_new_array(arena, guint64, 64);
        for (gsize i = 0; i < 64; i++)
                g_assert_cmpuint(clean[i], ==, 0);
        g_assert_nonnull(arena_new_array(arena, guint64, 0));
}

static void
test_copies(void)
{
        g_autoptr(Arena) arena = arena_new(1 << 16);
        g_autofree char *longer = g_strnfill(5000, 'x');
        Span copy = arena_copy(arena, span_make("a\0b", 3));

        g_assert_true(span_equal(copy, span_make("a\0b", 3)));
        g_assert_cmpuint(arena_copy(arena, SPAN_EMPTY).len, ==, 0);
        g_assert_cmpstr(arena_strdup(arena, "text"), ==, "text");
        g_assert_null(arena_strdup(arena, NULL));
        g_assert_cmpstr(arena_strndup(arena, span_make("a\0b", 3)), ==, "a?b");
        g_assert_cmpstr(arena_strndup(arena, SPAN_EMPTY), ==, "");
        g_assert_cmpstr(arena_printf(arena, "%s=%d", "n", 7), ==, "n=7");
        g_assert_cmpstr(arena_join(arena, "a", "", "bc", NULL), ==, "abc");
        g_assert_cmpstr(arena_join(arena, "", NULL), ==, "");
        g_assert_cmpstr(arena_printf(arena, "%s", longer), ==, longer);
}

static void
test_reset_many_times(void)
{
        g_autoptr(Arena) arena = arena_new(1 << 20);

        for (guint round = 0; round < 50; round++) {
                for (guint i = 0; i < 100; i++)
                        memset(arena_alloc(arena, round * i), 1, round * i);
                arena_reset(arena);
                g_assert_cmpuint(arena_used_octets(arena), ==, 0);
        }
        arena_free(NULL);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/arena/allocations-are-aligned-and-apart", test_allocations_are_aligned_and_apart);
        g_test_add_func("/base/arena/over-its-maximum-for-good-until-reset", test_over_is_for_good);
        g_test_add_func("/base/arena/the-whole-maximum-can-be-used", test_whole_maximum);
        g_test_add_func("/base/arena/hostile-sizes-make-it-over", test_hostile_sizes);
        g_test_add_func("/base/arena/no-memory-makes-it-over", test_no_memory_is_over);
        g_test_add_func("/base/arena/zeroed-memory-is-zeroed-after-reset", test_zeroed);
        g_test_add_func("/base/arena/copies", test_copies);
        g_test_add_func("/base/arena/reset-releases-and-goes-on", test_reset_many_times);
        return g_test_run();
}

#include "base/id.h"
#include "base/clock.h"
#include "base/thread.h"

#define N_THREADS 4
#define N_IDS     20000

static void
make_ids(gpointer data)
{
        Id *ids = data;

        for (guint i = 0; i < N_IDS; i++)
                ids[i] = id_new();
}

static int
compare_ids(gconstpointer a, gconstpointer b)
{
        Id x = *(const Id *) a, y = *(const Id *) b;

        return (x > y) - (x < y);
}

static void
test_rise_in_every_thread(void)
{
        g_autofree Id *ids = g_new0(Id, N_THREADS * N_IDS);
        Thread *threads[N_THREADS];

        for (guint t = 0; t < N_THREADS; t++) {
                threads[t] = thread_new("ids", make_ids, ids + t * N_IDS, NULL);
                g_assert_nonnull(threads[t]);
        }
        for (guint t = 0; t < N_THREADS; t++)
                thread_take_join(threads[t]);
        for (guint i = 1; i < N_THREADS * N_IDS; i++)
                if (i % N_IDS != 0)
                        g_assert_cmpuint(ids[i], >, ids[i - 1]);
        qsort(ids, N_THREADS * N_IDS, sizeof(Id), compare_ids);
        for (guint i = 1; i < N_THREADS * N_IDS; i++)
                g_assert_cmpuint(ids[i], !=, ids[i - 1]);
}

static void
test_holds_the_time(void)
{
        Usec real = (Usec) (id_new() >> 22) * USEC_PER_MS + G_GINT64_CONSTANT(1577836800) * USEC_PER_SEC;

        g_assert_cmpint(ABS(real - clock_real()), <, USEC_PER_HOUR);
}

static void
test_text_sorts_like_number(void)
{
        static const Id ids[] = {0, 1, 31, 32, 1000, G_MAXUINT32, G_MAXUINT64 / 2, G_MAXUINT64 - 1, G_MAXUINT64};
        char text[ID_TEXT_OCTETS], before[ID_TEXT_OCTETS] = "";
        Id back;

        for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
                g_assert_cmpstr(id_text(ids[i], text), >, before);
                g_assert_true(id_parse(span_of(text), &back));
                g_assert_cmpuint(back, ==, ids[i]);
                g_strlcpy(before, text, sizeof(before));
        }
        g_assert_cmpstr(text, ==, "fzzzzzzzzzzzz");
}

static void
test_parse(void)
{
        static const char *const wrong[] = {"", "0", "000000000000", "00000000000000", "g000000000000", "zzzzzzzzzzzzz",
                                            "000000000000u", "000000-000000", " 000000000001", "u000000000000"};
        Id id = 4711;

        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_assert_false(id_parse(span_of(wrong[i]), &id));
                g_assert_cmpuint(id, ==, 4711);
        }
        g_assert_false(id_parse(span_make("000000000000\0", 13), &id));
        g_assert_true(id_parse(span_of("000000000OiLZ"), &id));  /* read aloud or typed by hand */
        g_assert_cmpuint(id, ==, 1 << 10 | 1 << 5 | 31);
}

static void
test_random(void)
{
        guint seen[3] = {0};
        guint8 octets[64] = {0};
        guint8 zeros[64] = {0};

        random_octets(octets, sizeof(octets));
        g_assert_true(memcmp(octets, zeros, sizeof(octets)) != 0);
        for (guint i = 0; i < 600; i++) {
                guint32 draw = random_below(3);
                g_assert_cmpuint(draw, <, 3);
                seen[draw]++;
        }
        for (guint i = 0; i < 3; i++)
                g_assert_cmpuint(seen[i], >, 50); /* by chance under 50 once in 10^40 runs */
        g_assert_cmpuint(random_below(1), ==, 0);
}

static void
test_passwords(void)
{
        g_autofree char *one = random_password();
        g_autofree char *two = random_password();

        g_assert_cmpuint(strlen(one), ==, 20);
        g_assert_cmpstr(one, !=, two);
        for (const char *c = one; *c != '\0'; c++)
                g_assert_true(g_ascii_isalnum(*c) && strchr("01loIO", *c) == NULL);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/id/rise-strictly-and-never-repeat-across-threads", test_rise_in_every_thread);
        g_test_add_func("/base/id/begin-with-the-time", test_holds_the_time);
        g_test_add_func("/base/id/text-sorts-like-the-number", test_text_sorts_like_number);
        g_test_add_func("/base/id/parse-refuses-what-is-none", test_parse);
        g_test_add_func("/base/id/random-is-uniform-below-its-bound", test_random);
        g_test_add_func("/base/id/passwords-can-not-be-misread", test_passwords);
        return g_test_run();
}

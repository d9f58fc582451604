#include "imap/sorter.h"

#include "mail/summary.h"

#define LATER (clock_monotonic() + USEC_PER_HOUR)

static char *
numbers_of(Sorter *s)
{
        GString *text = g_string_new(NULL);
        guint32 n;

        g_assert_true(sorter_step(s, LATER));
        const guint32 *order = sorter_order(s, &n);
        for (guint32 i = 0; i < n; i++)
                g_string_append_printf(text, "%s%u", i > 0 ? " " : "", order[i]);
        return g_string_free(text, FALSE);
}

static SortValue
text_value(const char *text)
{
        return (SortValue){.text = span_of(text)};
}

static void
one_criterion(void)
{
        static const SortCriterion subject = {SORT_SUBJECT, FALSE}, backwards = {SORT_SUBJECT, TRUE};
        static const char *const texts[] = {"b", "", "abcdefgh2", "a", "abcdefgh1", "a", "abcdefgh"};
        const SortCriterion *const criteria[] = {&subject, &backwards};
        static const char *const expected[] = {"2 4 6 7 5 3 1", "1 3 5 7 4 6 2"};

        for (gsize c = 0; c < 2; c++) {
                g_autoptr(Sorter) s = sorter_new(criteria[c], 1, G_N_ELEMENTS(texts));
                for (guint32 i = 0; i < G_N_ELEMENTS(texts); i++) {
                        const SortValue value = text_value(texts[i]);
                        g_assert_true(sorter_add(s, i + 1, &value));
                }
                g_autofree char *text = numbers_of(s);
                g_assert_cmpstr(text, ==, expected[c]);
        }
}

static void
several_criteria(void)
{
        static const SortCriterion criteria[] = {{SORT_SIZE, FALSE}, {SORT_FROM, FALSE}, {SORT_DATE, TRUE}};
        static const struct {
                gint64 size, date;
                const char *from;
        } mails[] = {{-5, 1, "x"}, {7, 1, "b"}, {7, 2, "b"}, {7, 1, "a"}, {-6, 9, "z"}, {7, 2, "b"}};
        g_autoptr(Sorter) s = sorter_new(criteria, 3, G_N_ELEMENTS(mails));

        for (guint32 i = 0; i < G_N_ELEMENTS(mails); i++) {
                const SortValue values[] = {
                        {.number = mails[i].size}, text_value(mails[i].from), {.number = mails[i].date}};
                g_assert_true(sorter_add(s, i + 1, values));
        }
        g_autofree char *text = numbers_of(s);
        g_assert_cmpstr(text, ==, "5 1 4 3 6 2");
}

static void
none(void)
{
        static const SortCriterion criterion = {SORT_DATE, FALSE};
        g_autoptr(Sorter) s = sorter_new(&criterion, 1, 0);
        g_autofree char *text = numbers_of(s);

        g_assert_cmpstr(text, ==, "");
}

static void
as_compared(void)
{
        enum { MAILS = 300, ROUNDS = 30 };
        static const SortCriterion criteria[] = {{SORT_TO, TRUE}, {SORT_ARRIVAL, FALSE}};
        g_autoptr(GRand) random = g_rand_new_with_seed(5256);

        for (guint round = 0; round < ROUNDS; round++) {
                SortValue values[MAILS][2];
                char texts[MAILS][16];
                guint32 n = (guint32) g_rand_int_range(random, 0, MAILS), n_sorted;
                g_autoptr(Sorter) s = sorter_new(criteria, 2, MAILS);
                for (guint32 i = 0; i < n; i++) {
                        gsize len = (gsize) g_rand_int_range(random, 0, 12);
                        for (gsize c = 0; c < len; c++)
                                texts[i][c] = (char) g_rand_int_range(random, 0, 2);
                        values[i][0] = (SortValue){.text = span_make(texts[i], len)};
                        values[i][1] = (SortValue){.number = g_rand_int_range(random, -3, 3)};
                        g_assert_true(sorter_add(s, i, values[i]));
                }
                while (!sorter_step(s, 0))
                        ;
                const guint32 *order = sorter_order(s, &n_sorted);
                g_assert_cmpuint(n_sorted, ==, n);
                for (guint32 i = 1; i < n; i++) {
                        int compared = sorter_compare(criteria, 2, values[order[i - 1]], values[order[i]]);
                        g_assert_true(compared < 0 || (compared == 0 && order[i - 1] < order[i]));
                }
        }
}

/* 100,000 messages, each with three texts as long as a key can be. */
static void
bounded(void)
{
        enum { MAILS = 100000 };
        static const SortCriterion criteria[] = {{SORT_SUBJECT, FALSE}, {SORT_FROM, FALSE}, {SORT_TO, FALSE}};
        g_autoptr(Sorter) s = sorter_new(criteria, 3, MAILS);
        char text[SUMMARY_KEY_MAX];
        guint32 n;

        memset(text, 'x', sizeof(text));
        for (guint32 i = 0; i < MAILS; i++) {
                g_snprintf(text, 9, "%08u", MAILS - i);
                const SortValue value = {.text = span_make(text, sizeof(text))};
                const SortValue values[] = {value, value, value};
                g_assert_true(sorter_add(s, i, values));
        }
        g_assert_true(sorter_step(s, LATER));
        const guint32 *order = sorter_order(s, &n);
        for (guint32 i = 0; i < n; i++)
                g_assert_cmpuint(order[i], ==, MAILS - 1 - i);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/sorter/RFC 5256 §3: REVERSE leaves equal ones in mailbox order", one_criterion);
        g_test_add_func("/imap/sorter/RFC 5256 §3: the second criterion among equals of the first", several_criteria);
        g_test_add_func("/imap/sorter/no message", none);
        g_test_add_func("/imap/sorter/any values: as they compare, also in small steps", as_compared);
        g_test_add_func("/imap/sorter/100,000 messages with the longest texts", bounded);
        return g_test_run();
}

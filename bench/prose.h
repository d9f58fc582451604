/* prose.h -- text for the benchmarks of searching: words as frequent as in prose, and some that are asked for. */
#pragma once

#include <glib.h>

#define VOCABULARY 50000

typedef struct Prose {
        GRand *rand;
        GPtrArray *words;
        double *sum; /* of the frequencies up to each word */
} Prose;

/* Words of one to five syllables; the n-th is as frequent as 1/n, as in prose. */
static GPtrArray *
vocabulary_make(GRand *rand)
{
        GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

        for (guint i = 0; i < VOCABULARY; i++) {
                GString *word = g_string_new(NULL);
                for (int n = g_rand_int_range(rand, 1, 3 + (int) (i > 200) + (int) (i > 5000)); n > 0; n--) {
                        g_string_append_c(word, "bcdfghklmnprstvwz"[g_rand_int_range(rand, 0, 17)]);
                        g_string_append_c(word, "aeiou"[g_rand_int_range(rand, 0, 5)]);
                        if (g_rand_int_range(rand, 0, 3) == 0)
                                g_string_append_c(word, "nrstlm"[g_rand_int_range(rand, 0, 6)]);
                }
                g_ptr_array_add(words, g_string_free(word, FALSE));
        }
        return words;
}

static Prose *
prose_new(void)
{
        Prose *prose = g_new0(Prose, 1);

        prose->rand = g_rand_new_with_seed(1);
        prose->words = vocabulary_make(prose->rand);
        prose->sum = g_new(double, VOCABULARY);
        for (guint i = 0; i < VOCABULARY; i++)
                prose->sum[i] = (i > 0 ? prose->sum[i - 1] : 0) + 1.0 / (i + 2.7);
        return prose;
}

static void
prose_free(Prose *prose)
{
        g_rand_free(prose->rand);
        g_ptr_array_unref(prose->words);
        g_free(prose->sum);
        g_free(prose);
}

static const char *
prose_word(Prose *prose)
{
        double x = g_rand_double_range(prose->rand, 0, prose->sum[VOCABULARY - 1]);
        guint low = 0, high = VOCABULARY - 1;

        while (low < high) {
                guint middle = (low + high) / 2;
                if (prose->sum[middle] < x)
                        low = middle + 1;
                else
                        high = middle;
        }
        return prose->words->pdata[low];
}

/* The text of message m, until t is as long; in one line, or in lines of about `width` octets. "everywhere" is in all, "inside out" in
 * one of ten, "needleinahaystack" in one of a thousand. */
static void
prose_add(Prose *prose, GString *t, guint m, gsize len, gsize width)
{
        gsize line = t->len, middle = (t->len + len) / 2;
        gboolean has_two = m % 10 == 3;

        g_string_append(t, m % 1000 == 500 ? "everywhere needleinahaystack " : "everywhere ");
        while (t->len < len) {
                gboolean is_middle = has_two && t->len >= middle;
                g_string_append(t, is_middle ? "inside out" : prose_word(prose));
                has_two = has_two && !is_middle;
                gboolean is_line = width > 0 && t->len - line >= width;
                g_string_append(t, is_line ? "\r\n" : " ");
                line = is_line ? t->len : line;
        }
}

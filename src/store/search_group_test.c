/* search_group_test.c -- a record never denies a match, and what it affirms is one; compared with looking at every
 * text. */
#include "store/search_group.h"

#include <string.h>

typedef struct Model {
        GPtrArray *texts[2][GROUP_SLOTS_MAX]; /* pieces, each a GString; NULL: none */
        guint n_slots;
} Model;

static Model *
model_new(guint n_slots)
{
        Model *model = g_new0(Model, 1);

        model->n_slots = n_slots;
        return model;
}

static void
piece_free(gpointer piece)
{
        g_string_free(piece, TRUE);
}

static void
model_free(Model *model)
{
        for (guint t = 0; t < 2; t++)
                for (guint i = 0; i < model->n_slots; i++)
                        g_clear_pointer(&model->texts[t][i], g_ptr_array_unref);
        g_free(model);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Model, model_free)

static void
model_add(Model *model, guint slot, GroupText text, GString *take_piece)
{
        GPtrArray **pieces = &model->texts[text][slot];

        if (*pieces == NULL)
                *pieces = g_ptr_array_new_with_free_func(piece_free);
        g_ptr_array_add(*pieces, take_piece);
}

static gboolean
model_has(const Model *model, guint slot, GroupText text, Span needle)
{
        const GPtrArray *pieces = model->texts[text][slot];

        for (guint i = 0; pieces != NULL && i < pieces->len; i++) {
                const GString *piece = pieces->pdata[i];
                if (memmem(piece->str, piece->len, needle.data, needle.len) != NULL)
                        return TRUE;
        }
        return FALSE;
}

/* Pieces go in by chunks of chance. */
static void
build_text(GroupBuilder *builder, GRand *rand, const GPtrArray *pieces)
{
        for (guint i = 0; i < pieces->len; i++) {
                const GString *piece = pieces->pdata[i];
                for (gsize at = 0, n; at < piece->len; at += n) {
                        n = (gsize) g_rand_int_range(rand, 1, 200);
                        n = MIN(n, piece->len - at);
                        group_builder_add(builder, span_make(piece->str + at, n));
                }
                group_builder_break(builder);
        }
}

static Span
build(GroupBuilder *builder, GRand *rand, const Model *model)
{
        for (guint slot = 0; slot < model->n_slots; slot++)
                for (guint t = 0; t < 2; t++) {
                        group_builder_begin(builder, slot, (GroupText) t);
                        if (model->texts[t][slot] != NULL)
                                build_text(builder, rand, model->texts[t][slot]);
                }
        return group_builder_end(builder);
}

typedef struct Counts {
        guint yes, maybe, wasted, found;
} Counts;

static void
check_needle(const Model *model, Span record, Span needle, Counts *counts)
{
        g_autoptr(GroupMatcher) matcher = group_matcher_new(needle);
        GroupAnswer answers[2];

        g_assert_true(group_match(matcher, record, &answers[GROUP_BODY], &answers[GROUP_HEADER]));
        for (GroupText text = GROUP_BODY; text <= GROUP_HEADER; text++) {
                for (guint slot = 0; slot < model->n_slots; slot++) {
                        const GroupAnswer *answer = &answers[text];
                        gboolean has = model_has(model, slot, text, needle);
                        gboolean yes = slot_set_has(&answer->yes, slot), maybe = slot_set_has(&answer->maybe, slot);
                        if (yes && !has)
                                g_error("'%.*s' is said to be in slot %u", (int) needle.len, needle.data, slot);
                        if (has && !yes && !maybe)
                                g_error("'%.*s' is denied in slot %u", (int) needle.len, needle.data, slot);
                        g_assert_false(yes && maybe);
                        counts->yes += yes;
                        counts->maybe += maybe;
                        counts->wasted += maybe && !has;
                        counts->found += has;
                }
        }
}

static void
check_text(const Model *model, Span record, const char *needle, Counts *counts)
{
        check_needle(model, record, span_of(needle), counts);
}

static GString *
words_of_chance(GRand *rand, const char *const *vocabulary, gsize n_words, gsize octets)
{
        GString *text = g_string_new(NULL);

        while (text->len < octets) {
                double x = g_rand_double(rand);
                g_string_append(text, vocabulary[(gsize) (x * x * x * (double) n_words)]);
                g_string_append_c(text, " .,- @\n"[g_rand_int_range(rand, 0, 7)]);
        }
        return text;
}

static GString *
letters_of_chance(GRand *rand, const char *letters, gsize octets)
{
        GString *text = g_string_new(NULL);
        gint n = (gint) strlen(letters);

        while (text->len < octets)
                g_string_append_c(text, letters[g_rand_int_range(rand, 0, n)]);
        return text;
}

/* A needle that is somewhere in the model. */
static Span
piece_of_text(GRand *rand, const Model *model)
{
        for (;;) {
                const GPtrArray *pieces =
                        model->texts[g_rand_int_range(rand, 0, 2)][g_rand_int_range(rand, 0, (gint) model->n_slots)];
                if (pieces == NULL)
                        continue;
                const GString *piece = pieces->pdata[g_rand_int_range(rand, 0, (gint) pieces->len)];
                if (piece->len == 0)
                        continue;
                gsize at = (gsize) g_rand_int_range(rand, 0, (gint) piece->len);
                return span_slice(span_make(piece->str, piece->len), at, at + (gsize) g_rand_int_range(rand, 1, 25));
        }
}

static const char *const VOCABULARY[] = {
        "the",
        "a",
        "of",
        "mail",
        "invoice",
        "mailbox",
        "e-mail",
        "post",
        "poste",
        "restante",
        "rest",
        "office",
        "o",
        "quarter",
        "headquarters",
        "gr\xc3\xbc\xc3\x9f",
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
        "2026",
        "26",
        "x",
        "yz",
        "supercalifragilisticexpialidocious-and-more",
        "attachment",
        "tach",
        "ment",
        "abcdefghijklmnopqrstuvwxyz012345",
        "abcdefghijklmnopqrstuvwxyz0123456",
        "zebra",
        "quagga",
};

static Model *
model_of_chance(GRand *rand, guint n_slots)
{
        Model *model = model_new(n_slots);

        for (guint slot = 0; slot < n_slots; slot++) {
                for (gint n = g_rand_int_range(rand, 0, 4); n > 0; n--)
                        model_add(model, slot, GROUP_BODY,
                                  words_of_chance(rand, VOCABULARY, G_N_ELEMENTS(VOCABULARY),
                                                  (gsize) g_rand_int_range(rand, 0, 600)));
                if (g_rand_int_range(rand, 0, 3) == 0)
                        model_add(model, slot, GROUP_BODY,
                                  letters_of_chance(rand, "abcdefghijklmnopqrstuvwxyz     ", 3000));
                if (g_rand_int_range(rand, 0, 6) == 0)
                        model_add(model, slot, GROUP_BODY, letters_of_chance(rand, "abcdefghijklmnop0123456789", 5000));
                model_add(model, slot, GROUP_HEADER, words_of_chance(rand, VOCABULARY, G_N_ELEMENTS(VOCABULARY), 100));
        }
        return model;
}

static void
test_exact(void)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(7);
        g_autoptr(GroupBuilder) builder = group_builder_new();

        for (guint round = 0; round < 12; round++) {
                g_autoptr(Model) model = model_of_chance(rand, round == 0   ? 1
                                                               : round == 1 ? 128
                                                                            : (guint) g_rand_int_range(rand, 1, 129));
                Counts counts = {0};
                Span record = build(builder, rand, model);
                for (guint i = 0; i < G_N_ELEMENTS(VOCABULARY); i++)
                        check_text(model, record, VOCABULARY[i], &counts);
                for (guint i = 0; i < 100; i++) {
                        check_needle(model, record, piece_of_text(rand, model), &counts);
                        g_autoptr(GString) text =
                                letters_of_chance(rand, "abcdefgmnost ", (gsize) g_rand_int_range(rand, 1, 6));
                        check_text(model, record, text->str, &counts);
                        piece_free(g_steal_pointer(&text));
                }
                g_assert_cmpuint(counts.yes, >, 0);
        }
}

/* One text in each slot; the answer for one needle, a letter a slot: Y, ? or -. */
static void
check_answers(const char *const *bodies, gsize n, const char *needle, const char *expected)
{
        g_autoptr(GroupBuilder) builder = group_builder_new();
        g_autoptr(GroupMatcher) matcher = group_matcher_new(span_of(needle));
        GroupAnswer answer;

        for (guint i = 0; i < n; i++) {
                group_builder_begin(builder, i, GROUP_BODY);
                group_builder_add(builder, span_of(bodies[i]));
        }
        g_assert_true(group_match(matcher, group_builder_end(builder), &answer, NULL));
        for (guint i = 0; i < n; i++) {
                char said = slot_set_has(&answer.yes, i) ? 'Y' : slot_set_has(&answer.maybe, i) ? '?' : '-';
                if (said != expected[i])
                        g_error("'%s' in '%s': %c, expected %c", needle, bodies[i], said, expected[i]);
        }
}

static void
test_words(void)
{
        static const char *const BODIES[] = {"the invoice", "invoices", "voice mail",
                                             "in voice",    "",         "mail-in invoice"};
        gsize n = G_N_ELEMENTS(BODIES);

        check_answers(BODIES, n, "voice", "YYYY-Y");
        check_answers(BODIES, n, "invoice", "YY---Y");
        check_answers(BODIES, n, "v", "YYYY-Y");
        check_answers(BODIES, n, "q", "------");
        check_answers(BODIES, n, "invoicesx", "------");
        /* several words: the first ends, the last begins, those between are whole */
        check_answers(BODIES, n, "in voice", "---?--");
        check_answers(BODIES, n, "h invoice", "------");
        check_answers(BODIES, n, "he inv", "?-----");
        check_answers(BODIES, n, "l-in inv", "-----?");
        check_answers(BODIES, n, "l-i inv", "------");
        check_answers(BODIES, n, " mail", "--?--?");
        check_answers(BODIES, n, "mail ", "--?--?");
        /* no word at all: all are read */
        check_answers(BODIES, n, "-", "??????");
}

static void
test_long_words(void)
{
        static const char *const BODIES[] = {
                "dGhpcyBpcyBhIGxvbmcgd29yZCB0aGF0IGlzIG5vdCBrZXB0",
                "dGhpcyBpcyBhIGxvbmcgd29yZCB0aGF0", /* 32 octets: kept */
                "short",
        };

        check_answers(BODIES, 3, "xvbmcgd29yZ", "?Y-");
        check_answers(BODIES, 3, "gxvbmcgd29yZCB0aGF0IGlzIG5vdCBrZXB0", "?--");
        check_answers(BODIES, 3, "zzz", "---");
        /* shorter than a triple: whoever has a signature is read */
        check_answers(BODIES, 3, "hp", "?Y-");
        check_answers(BODIES, 3, "zz", "?--");
}

static void
test_own_words(void)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(3);
        g_autoptr(GroupBuilder) builder = group_builder_new();
        g_autoptr(Model) model = model_new(128);
        Counts counts = {0};

        for (guint slot = 0; slot < 128; slot++)
                model_add(model, slot, GROUP_BODY, letters_of_chance(rand, "abcdefghijklmnopqrstuvwxyz     ", 4096));
        Span record = build(builder, rand, model);
        g_assert_cmpuint(record.len, <, 128 * 4096 * 3 / 10);
        for (guint i = 0; i < 200; i++) {
                g_autoptr(GString) text = letters_of_chance(rand, "abcdefghijklmnopqrstuvwxyz", 7);
                check_text(model, record, text->str, &counts);
                piece_free(g_steal_pointer(&text));
        }
        /* 51,200 questions; what is read in vain is less than one in a hundred */
        g_assert_cmpuint(counts.wasted, <, 512);
}

static void
test_monster(void)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(5);
        g_autoptr(GroupBuilder) builder = group_builder_new();
        g_autoptr(Model) model = model_new(3);
        Counts counts = {0};

        /* more different words than the table keeps, and one text without any end of a word */
        model_add(model, 0, GROUP_BODY, letters_of_chance(rand, "abcdefghijklmnopqrstuvwxyz   ", 12 << 20));
        model_add(model, 1, GROUP_BODY, letters_of_chance(rand, "0123456789abcdef", 4 << 20));
        model_add(model, 2, GROUP_BODY, words_of_chance(rand, VOCABULARY, G_N_ELEMENTS(VOCABULARY), 1000));
        Span record = build(builder, rand, model);
        g_assert_cmpuint(record.len, <, 8 << 20);
        for (guint i = 0; i < 20; i++)
                check_needle(model, record, piece_of_text(rand, model), &counts);
}

static void
test_unknown(void)
{
        g_autoptr(GroupBuilder) builder = group_builder_new();
        g_autoptr(GroupMatcher) matcher = group_matcher_new(span_of("absent"));
        GroupAnswer answer;

        group_builder_begin(builder, 0, GROUP_BODY);
        group_builder_add(builder, span_of("some words"));
        group_builder_begin(builder, 1, GROUP_BODY);
        group_builder_add(builder, span_of("half of a mess"));
        group_builder_unknown(builder, 1);
        g_assert_true(group_match(matcher, group_builder_end(builder), &answer, NULL));
        g_assert_false(slot_set_has(&answer.maybe, 0));
        g_assert_true(slot_set_has(&answer.maybe, 1));
        g_assert_true(slot_set_has(&answer.maybe, 2)); /* no such slot: nothing is known of it */
}

static void
test_damaged(void)
{
        static const char *const WORDS[] = {"one", "two", "three", "four", "five"};
        g_autoptr(GRand) rand = g_rand_new_with_seed(11);
        g_autoptr(GroupBuilder) builder = group_builder_new();
        g_autoptr(Model) model = model_new(20);
        g_autoptr(GroupMatcher) matcher = group_matcher_new(span_of("three"));
        GroupAnswer answer;

        for (guint slot = 0; slot < 20; slot++)
                model_add(model, slot, GROUP_BODY, words_of_chance(rand, WORDS, G_N_ELEMENTS(WORDS), 40));
        Span record = build(builder, rand, model);
        g_assert_true(group_match(matcher, record, &answer, NULL));
        for (gsize len = 0; len < record.len; len++)
                g_assert_false(group_match(matcher, span_slice(record, 0, len), &answer, NULL));
        g_autofree guint8 *copy = g_memdup2(record.data, record.len);
        for (gsize i = 0; i < record.len; i++) {
                copy[i] ^= 0x10;
                g_assert_false(group_match(matcher, span_make(copy, record.len), &answer, NULL));
                copy[i] ^= 0x10;
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/store/search-group/what is denied is not there, what is affirmed is", test_exact);
        g_test_add_func("/store/search-group/a word is found inside words, several words give candidates", test_words);
        g_test_add_func("/store/search-group/words over 32 octets are known by their triples", test_long_words);
        g_test_add_func("/store/search-group/text of chance stays small and rules out", test_own_words);
        g_test_add_func("/store/search-group/monstrous texts stay within the bounds", test_monster);
        g_test_add_func("/store/search-group/what could not be read is always a candidate", test_unknown);
        g_test_add_func("/store/search-group/a damaged record is noticed", test_damaged);
        return g_test_run();
}

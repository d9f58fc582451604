/* args_test.c -- words as typed, read by the operation's table. */
#include "admin/internal.h"

static const KeyManual KEYS[] = {{"unknown", "POLICY", ""}, {"text", "TEXT", ""}, {NULL}};
static const Operation ONE = {.noun = "thing",
                              .verb = "add",
                              .args = {{"NAME", FALSE, FALSE, ""}},
                              .keys = KEYS,
                              .options = {{"--at", "N", ""}, {"--all", NULL, ""}, {"-f", "SENDER", ""}}};
static const Operation MANY = {.noun = "thing",
                               .verb = "send",
                               .args = {{"ADDRESS", FALSE, FALSE, ""}, {"TARGET", FALSE, TRUE, ""}},
                               .keys = KEYS};
static const Operation NONE = {.noun = "thing", .verb = "list", .args = {{"DOMAIN", TRUE, FALSE, ""}}};

typedef struct Case {
        const Operation *operation;
        const char *words[6];
        const char *wrong; /* in the reason; NULL: right */
        gsize n_positional, n_pairs;
} Case;

static const Case CASES[] = {
        {&ONE, {"a"}, NULL, 1, 0},
        {&ONE, {"a", "unknown=reject"}, NULL, 1, 1},
        {&ONE, {"unknown=reject", "a"}, NULL, 1, 1},
        {&ONE, {"a", "text="}, NULL, 1, 1},
        {&ONE, {"a", "text=x=y"}, NULL, 1, 1},
        {&ONE, {"a", "--at", "3"}, NULL, 1, 0},
        {&ONE, {"a", "--at=3"}, NULL, 1, 0},
        {&ONE, {"a", "-f", ""}, NULL, 1, 0},
        {&ONE, {"a", "--all"}, NULL, 1, 0},
        {&ONE, {"--", "--at"}, NULL, 1, 0},
        {&ONE, {"-"}, NULL, 1, 0},
        {&ONE,
         {NULL},
         "NAME is missing (usage: restante thing add [--at N] [--all] [-f SENDER] NAME [KEY=VALUE...])",
         0,
         0},
        {&ONE, {"a", "b"}, "'b' is one word too many", 0, 0},
        {&ONE, {"a", "unknwn=reject"}, "there is no key unknwn; keys are unknown, text", 0, 0},
        {&ONE, {"a", "--at"}, "--at needs N", 0, 0},
        {&ONE, {"a", "--all=yes"}, "--all takes no value", 0, 0},
        {&ONE, {"a", "--al"}, "there is no option --al", 0, 0},
        {&MANY, {"a", "b", "c"}, NULL, 3, 0},
        {&MANY, {"a", "b=c@d.example", "text=x"}, NULL, 2, 1}, /* an address may hold '=' */
        {&MANY, {"a"}, "TARGET is missing", 0, 0},
        {&NONE, {NULL}, NULL, 0, 0},
        {&NONE, {"a"}, NULL, 1, 0},
        {&NONE, {"a=b"}, NULL, 1, 0}, /* takes no keys */
        {&NONE, {"a", "b"}, "'b' is one word too many", 0, 0},
};

static void
words(void)
{
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                const Case *c = &CASES[i];
                g_autofree char *reason = NULL;
                AdminArgs args = {0};
                gboolean is_right = args_parse(c->operation, c->words, &args, &reason);

                if (is_right != (c->wrong == NULL) || (c->wrong != NULL && strstr(reason, c->wrong) == NULL))
                        g_error("case %" G_GSIZE_FORMAT ": %s", i, reason != NULL ? reason : "taken");
                if (is_right) {
                        g_assert_cmpuint(args.n_positional, ==, c->n_positional);
                        g_assert_cmpuint(args.n_pairs, ==, c->n_pairs);
                }
                args_clear(&args);
        }
}

static void
too_much(void)
{
        g_autofree char *reason = NULL;
        g_autofree char *big = g_strnfill(ADMIN_ARGS_OCTETS + 1, 'x');
        const char *one[] = {big, NULL};
        g_autofree const char **many = g_new0(const char *, ADMIN_ARGS_MAX + 2);

        g_assert_false(admin_check_args(&ONE, one, &reason));
        g_assert_nonnull(strstr(reason, "too many arguments"));
        for (gsize i = 0; i <= ADMIN_ARGS_MAX; i++)
                many[i] = "x";
        g_clear_pointer(&reason, g_free);
        g_assert_false(admin_check_args(&MANY, many, &reason));
        g_assert_nonnull(strstr(reason, "too many arguments"));
}

/* The table itself: everything the front and the manual need is there. */
static void
table(void)
{
        for (gsize i = 0; ADMIN_OPERATIONS[i] != NULL; i++) {
                const Operation *o = ADMIN_OPERATIONS[i];

                g_assert_true(admin_find(o->noun, o->verb) == o); /* no two of one name */
                g_assert_nonnull(o->summary);
                g_assert_nonnull(o->manual);
                g_assert_true(o->run != NULL || strcmp(o->noun, "import") == 0 || strcmp(o->noun, "export") == 0);
                g_assert_true(g_str_has_prefix(o->example, "restante ") || strstr(o->example, "| restante ") != NULL);
                g_assert_false(o->is_list && o->rows != NULL);
                for (gsize k = 0; k + 1 < OPERATION_ARGS && o->args[k + 1].name != NULL; k++)
                        g_assert_false(o->args[k].is_repeated); /* only the last one */
                for (const KeyManual *k = o->keys; k != NULL && k->key != NULL; k++) {
                        g_assert_nonnull(k->form);
                        g_assert_nonnull(k->manual);
                }
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/admin/args/words-pairs-and-options", words);
        g_test_add_func("/admin/args/too-many-are-refused", too_much);
        g_test_add_func("/admin/args/every-operation-has-its-manual", table);
        return g_test_run();
}

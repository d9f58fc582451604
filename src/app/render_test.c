/* render_test.c -- answers as people and machines see them. */
#include "app/render.h"

#include <string.h>

static const Operation LIST = {
        .noun = "thing",
        .verb = "list",
        .columns = {{"name", "name"}, {"size", "size", COLUMN_SIZE}, {"note", "note"}, {"on", "on", COLUMN_YES_NO}},
        .is_list = TRUE};
static const Operation SHOW = {
        .noun = "thing", .verb = "show", .columns = {{"name", "name"}, {"size", "size", COLUMN_SIZE}}};
static const Operation REPORT = {.noun = "thing", .verb = "run", .columns = {{"name", "name"}}, .rows = "things"};

typedef struct Out {
        char *text;
        size_t size;
        FILE *file;
        Render *render;
} Out;

static void
out_begin(Out *out, const Operation *operation, gboolean as_json)
{
        out->file = open_memstream(&out->text, &out->size);
        out->render = render_new(operation, as_json, out->file);
}

static void
out_row(Out *out, json_t *take_row)
{
        render_row(out->render, take_row);
        json_decref(take_row);
}

static void
out_result(Out *out, json_t *take_result)
{
        render_result(out->render, take_result);
        json_decref(take_result);
}

static void
out_check(Out *out, gboolean is_done, const char *expected)
{
        g_assert_true(render_end(out->render, is_done));
        render_free(out->render);
        fclose(out->file);
        g_assert_cmpstr(out->text, ==, expected);
        free(out->text);
}

static void
table(void)
{
        Out out;

        out_begin(&out, &LIST, FALSE);
        out_row(&out, json_pack("{s:s, s:i, s:n, s:b}", "name", "a", "size", 10, "note", "on", 1));
        out_row(&out, json_pack("{s:s, s:i, s:n, s:b}", "name", "b\xc3\xa4r", "size", 4300, "note", "on", 0));
        out_check(&out, TRUE, "NAME  SIZE  ON\na       10  yes\nb\xc3\xa4r   4.2K  no\n");
}

static void
empty_list(void)
{
        Out out;

        out_begin(&out, &LIST, FALSE);
        out_check(&out, TRUE, "");
        out_begin(&out, &LIST, TRUE);
        out_check(&out, TRUE, "[]\n");
        out_begin(&out, &LIST, TRUE);
        out_check(&out, FALSE, "");
}

static void
json_list(void)
{
        Out out;

        out_begin(&out, &LIST, TRUE);
        out_row(&out, json_pack("{s:s}", "name", "a"));
        out_row(&out, json_pack("{s:s}", "name", "b"));
        out_check(&out, TRUE, "[{\"name\":\"a\"},\n {\"name\":\"b\"}]\n");
}

static void
lines(void)
{
        Out out;

        out_begin(&out, &SHOW, FALSE);
        out_result(&out, json_pack("{s:s, s:i, s:n, s:[s,s], s:{s:s, s:s}}", "name", "a", "size", 2048, "nothing",
                                   "steps", "one", "two", "decision", "kind", "reject", "text", "no"));
        out_check(&out, TRUE,
                  "name      a\nsize      2.0K\nsteps     one\n          two\ndecision  kind  reject\n          text  "
                  "no\n");
}

/* A stranger's subject does not move the cursor. */
static void
escapes(void)
{
        Out out;

        out_begin(&out, &SHOW, FALSE);
        out_result(&out, json_pack("{s:s}", "name", "a\x1b[2J\nb"));
        out_check(&out, TRUE, "name  a\\x1b[2J\\x0ab\n");
}

static void
report(void)
{
        Out out;

        out_begin(&out, &REPORT, FALSE);
        out_row(&out, json_pack("{s:s}", "name", "first"));
        fflush(out.file);
        g_assert_cmpstr(out.text, ==, "first\n"); /* before the end */
        out_result(&out, json_pack("{s:i}", "all", 1));
        out_check(&out, TRUE, "first\nall  1\n");

        out_begin(&out, &REPORT, TRUE);
        out_row(&out, json_pack("{s:s}", "name", "first"));
        out_result(&out, json_pack("{s:i}", "all", 1));
        out_check(&out, TRUE, "{\n \"all\": 1,\n \"things\": [\n  {\n   \"name\": \"first\"\n  }\n ]\n}\n");
}

static void
sizes(void)
{
        static const struct {
                guint64 octets;
                const char *text;
        } CASES[] = {{0, "0"},
                     {999, "999"},
                     {1000, "1.0K"},
                     {1024, "1.0K"},
                     {10 * 1024, "10K"},
                     {1500000, "1.4M"},
                     {(guint64) 5 << 30, "5.0G"},
                     {G_MAXUINT64, "16E"}};
        char buffer[32];

        for (guint i = 0; i < G_N_ELEMENTS(CASES); i++)
                g_assert_cmpstr(render_size(CASES[i].octets, buffer, sizeof(buffer)), ==, CASES[i].text);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/app/render/columns-fit-and-empty-ones-are-left-out", table);
        g_test_add_func("/app/render/an-empty-list-is-nothing-or-brackets", empty_list);
        g_test_add_func("/app/render/a-list-is-an-array", json_list);
        g_test_add_func("/app/render/an-object-is-lines", lines);
        g_test_add_func("/app/render/controls-are-escaped", escapes);
        g_test_add_func("/app/render/a-report-is-printed-as-it-comes", report);
        g_test_add_func("/app/render/sizes-for-people", sizes);
        return g_test_run();
}

#include "base/conf.h"
#include "base/error.h"

#include <glib/gstdio.h>
#include <unistd.h>

static Conf *
parse(const char *text)
{
        g_autoptr(GError) error = NULL;
        Conf *conf = conf_parse(span_of(text), "t", &error);

        g_assert_no_error(error);
        return conf;
}

static void
assert_entry(const Conf *conf, guint i, const char *section, const char *key, const char *value, guint line)
{
        const ConfEntry *entry = conf_entry(conf, i);

        g_assert_nonnull(entry);
        g_assert_cmpstr(entry->section, ==, section);
        g_assert_cmpstr(entry->key, ==, key);
        g_assert_cmpstr(entry->value, ==, value);
        g_assert_cmpuint(entry->line, ==, line);
}

static void
test_forms(void)
{
        g_autoptr(Conf) conf = parse("\xef\xbb\xbftop = 1\n"
                                     "# comment\n"
                                     "  ; comment = no entry\r\n"
                                     "\n"
                                     " [ Listen ]\r\n"
                                     "SMTP=127.0.0.1:2525  \n"
                                     "x.y-z_1 = a = b # kept\n"
                                     "empty =\n"
                                     "[m\xc3\xbcll]\n"
                                     "k=\tgr\xc3\xbc\xc3\x9f\tan alle");

        g_assert_cmpstr(conf_name(conf), ==, "t");
        g_assert_cmpuint(conf_n_entries(conf), ==, 5);
        assert_entry(conf, 0, "", "top", "1", 1);
        assert_entry(conf, 1, "listen", "smtp", "127.0.0.1:2525", 6);
        assert_entry(conf, 2, "listen", "x.y-z_1", "a = b # kept", 7);
        assert_entry(conf, 3, "listen", "empty", "", 8);
        assert_entry(conf, 4, "m\xc3\xbcll", "k", "gr\xc3\xbc\xc3\x9f\tan alle", 10);
        g_assert_null(conf_entry(conf, 5));
}

static void
test_find_takes_the_last(void)
{
        g_autoptr(Conf) conf = parse("k=0\n[s]\nk=1\nk=2\n[t]\nk=3\n[s]\nother=4\n");

        g_assert_cmpstr(conf_find(conf, "s", "k")->value, ==, "2");
        g_assert_cmpstr(conf_find(conf, "", "k")->value, ==, "0");
        g_assert_cmpuint(conf_find(conf, "s", "other")->line, ==, 8);
        g_assert_null(conf_find(conf, "t", "other"));
        g_assert_null(conf_find(conf, "u", "k"));
}

static void
test_nothing(void)
{
        g_autoptr(Conf) conf = parse("");
        g_autoptr(Conf) blank = parse("\n\r\n#\n[s]");

        g_assert_cmpuint(conf_n_entries(conf), ==, 0);
        g_assert_cmpuint(conf_n_entries(blank), ==, 0);
        conf_free(NULL);
}

static void
assert_wrong(Span text, const char *message)
{
        g_autoptr(GError) error = NULL;

        g_assert_null(conf_parse(text, "t", &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        if (!g_str_has_prefix(error->message, message))
                g_error("expected '%s', got '%s'", message, error->message);
}

static void
test_wrong_lines(void)
{
        static const struct {
                const char *text;
                const char *message;
        } cases[] = {
                {"a=1\nhostname\n", "t:2: expected 'key = value'"},
                {"\n\n= 1\n", "t:3: before the '='"},
                {"two words = 1", "t:1: before the '='"},
                {"gr\xc3\xbc\xc3\x9f = 1", "t:1: before the '='"},
                {"[s\na=1", "t:1: a section ends with ']'"},
                {"[s] # why", "t:1: a section ends with ']'"},
                {"[]", "t:1: a section is written [name]"},
                {"[ ]", "t:1: a section is written [name]"},
                {"[", "t:1: a section ends with ']'"},
                {"[a]b]", "t:1: a section is written [name]"},
                {"[[a]", "t:1: a section is written [name]"},
                {"a=\x01", "t:1: the line holds a control"},
                {"# \x1b[31m", "t:1: the line holds a control"},
                {"a=b\rc=d\n", "t:1: the line holds a control"},
                {"a=\x7f" "b", "t:1: the line holds a control"},
                {"a=1\nb=\xff", "t:2: the line is not valid UTF-8"},
                {"a=\xed\xa0\x80", "t:1: the line is not valid UTF-8"},
                {"a\n\xef\xbb\xbf" "b=1", "t:1: expected"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                assert_wrong(span_of(cases[i].text), cases[i].message);
        assert_wrong(span_make("a=b\nc=d\0e\n", 10), "t:2: the line holds a control");
}

static void
test_caps(void)
{
        g_autofree char *longest = g_strnfill(4096, 'x');
        g_autoptr(GString) text = g_string_new("k=");
        g_autoptr(GString) many = g_string_new(NULL);
        g_autoptr(GString) sections = g_string_new(NULL);

        g_string_append_len(text, longest, 4094);
        g_autoptr(Conf) conf = parse(text->str);
        g_assert_cmpuint(strlen(conf_entry(conf, 0)->value), ==, 4094);
        g_string_append_c(text, 'x');
        assert_wrong(span_of(text->str), "t:1: the line is longer than 4096");

        for (guint i = 0; i < 4096; i++)
                g_string_append(many, "a=\n");
        g_autoptr(Conf) full = parse(many->str);
        g_assert_cmpuint(conf_n_entries(full), ==, 4096);
        g_string_append(many, "a=\n");
        assert_wrong(span_of(many->str), "t:4097: more than 4096 entries");

        while (sections->len + 4 <= 256 * 1024)
                g_string_append(sections, "[s]\n");
        g_autoptr(Conf) hollow = parse(sections->str);
        g_assert_cmpuint(conf_n_entries(hollow), ==, 0);
        g_string_append_c(sections, '\n');
        assert_wrong(span_of(sections->str), "t:1: the file is larger than 256 KiB");
}

static void
test_load(void)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *path = NULL;
        int fd = g_file_open_tmp("restante-conf-XXXXXX", &path, NULL);
        g_autofree char *message = g_strdup_printf("%s:2: expected", path);

        g_assert_cmpint(write(fd, "[s]\nk = v\n", 10), ==, 10);
        g_autoptr(Conf) conf = conf_load(path, &error);
        g_assert_no_error(error);
        assert_entry(conf, 0, "s", "k", "v", 2);

        g_assert_cmpint(ftruncate(fd, 6), ==, 0);
        g_assert_null(conf_load(path, &error));
        g_assert_true(g_str_has_prefix(error->message, message));
        g_clear_error(&error);

        g_assert_cmpint(ftruncate(fd, 1024 * 1024), ==, 0);
        g_assert_null(conf_load(path, &error));
        g_assert_nonnull(strstr(error->message, "larger than 256 KiB"));
        g_clear_error(&error);
        close(fd);
        g_unlink(path);

        g_assert_null(conf_load(path, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
        g_assert_nonnull(strstr(error->message, path));
        g_clear_error(&error);
        g_assert_null(conf_load("/", &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/conf/forms-of-lines", test_forms);
        g_test_add_func("/base/conf/the-last-value-counts", test_find_takes_the_last);
        g_test_add_func("/base/conf/nothing-in-it", test_nothing);
        g_test_add_func("/base/conf/wrong-lines-are-named", test_wrong_lines);
        g_test_add_func("/base/conf/caps-hold", test_caps);
        g_test_add_func("/base/conf/files-are-read-and-named", test_load);
        return g_test_run();
}

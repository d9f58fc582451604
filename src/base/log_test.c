#include "base/log.h"
#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static const LogEvent EVENT = {"test.event", LOG_INFO, "Written by the test."};
static const LogEvent QUIET = {"test.quiet", LOG_DEBUG, "Written by the test at debug."};
static const LogEvent LOUD = {"test.loud", LOG_ERROR, "Written by the test as an error."};

/* Standard error while it lives: datagrams, so that every write(2) is seen as one. */
typedef struct Catch {
        int before;
        int reader;
} Catch;

static void
catch_begin(Catch *c)
{
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), ==, 0);
        c->before = dup(STDERR_FILENO);
        c->reader = pair[0];
        g_assert_cmpint(dup2(pair[1], STDERR_FILENO), ==, STDERR_FILENO);
        close(pair[1]);
}

/* The next line, "" when there is none. */
static char *
catch_next(Catch *c)
{
        char line[8192];
        ssize_t got = recv(c->reader, line, sizeof(line), MSG_DONTWAIT);

        return g_strndup(line, got > 0 ? (gsize) got : 0);
}

static void
catch_end(Catch *c)
{
        dup2(c->before, STDERR_FILENO);
        close(c->before);
        close(c->reader);
}

static void
test_line(void)
{
        Catch c;
        Usec real;

        catch_begin(&c);
        errno = ENOENT;
        log_event(&EVENT, "id=%s size=%d", "02x", 4321);
        int number = errno;
        log_event(&LOUD, "%s", "");
        g_autofree char *line = catch_next(&c);
        g_autofree char *loud = catch_next(&c);
        catch_end(&c);

        g_assert_cmpint(number, ==, ENOENT);
        g_assert_true(g_str_has_suffix(line, " info  test.event id=02x size=4321\n"));
        line[24] = '\0';
        g_assert_true(clock_parse_iso(line, &real));
        g_assert_true(g_str_has_suffix(loud, "Z error test.loud\n"));
}

static void
test_levels(void)
{
        Catch c;

        catch_begin(&c);
        log_event(&QUIET, "a=1");
        log_set_level(LOG_DEBUG);
        log_event(&QUIET, "a=2");
        log_set_level(LOG_ERROR);
        log_event(&EVENT, "a=3");
        g_autofree char *first = catch_next(&c);
        g_autofree char *second = catch_next(&c);
        catch_end(&c);
        log_set_level(LOG_INFO);

        g_assert_true(g_str_has_suffix(first, "debug test.quiet a=2\n"));
        g_assert_cmpstr(second, ==, "");
        g_assert_true(log_wants(LOG_ERROR) && log_wants(LOG_INFO) && !log_wants(LOG_DEBUG));
}

static void
test_no_line_within_a_line(void)
{
        Catch c;

        catch_begin(&c);
        log_event(&EVENT, "a=%s", "x\r\n2026-01-31T12:34:56.789Z error forged\x1b\x7f");
        g_autofree char *line = catch_next(&c);
        g_autofree char *none = catch_next(&c);
        catch_end(&c);

        g_assert_true(g_str_has_suffix(line, " a=x??2026-01-31T12:34:56.789Z error forged??\n"));
        g_assert_cmpstr(none, ==, "");
}

static void
test_long_lines_are_cut(void)
{
        g_autofree char *value = g_strnfill(100000, 'x');
        Catch c;

        catch_begin(&c);
        log_event(&EVENT, "a=%s", value);
        g_autofree char *line = catch_next(&c);
        catch_end(&c);

        g_assert_cmpuint(strlen(line), <=, 4096); /* PIPE_BUF: whole or absent in a pipe too */
        g_assert_true(g_str_has_suffix(line, "xxx...\n"));
}

static void
write_lines(gpointer data)
{
        for (guint i = 0; i < 50; i++)
                log_event(&EVENT, "n=%s", log_text(span_of("some value")));
}

static void
test_threads_never_mix(void)
{
        Thread *threads[4];
        Catch c;
        guint good = 0;

        catch_begin(&c);
        for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
                threads[i] = thread_new("log", write_lines, NULL, NULL);
        for (guint wanted = 200; wanted > 0; wanted--) {
                char line[4096];
                ssize_t got = recv(c.reader, line, sizeof(line) - 1, 0);
                line[MAX(got, 0)] = '\0';
                good += g_str_has_suffix(line, " info  test.event n=\"some value\"\n") && line[4] == '-' ? 1 : 0;
        }
        for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
                thread_take_join(threads[i]);
        catch_end(&c);
        g_assert_cmpuint(good, ==, 200);
}

static void
test_values(void)
{
        static const struct {
                const char *text;
                gsize len;
                const char *expected;
        } cases[] = {
                {"", 0, "-"},
                {"<a@b.example>", 13, "<a@b.example>"},
                {"two words", 9, "\"two words\""},
                {"a=b", 3, "\"a=b\""},
                {"say \"hi\"", 8, "\"say \\x22hi\\x22\""},
                {"\"", 1, "\\x22"},
                {"a\r\nb", 4, "a\\x0d\\x0ab"},
                {"\0", 1, "\\x00"},
                {"gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f"},
                {"\xff", 1, "\\xff"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                g_assert_cmpstr(log_text(span_make(cases[i].text, cases[i].len)), ==, cases[i].expected);
}

static void
test_values_are_capped_and_live_on(void)
{
        g_autofree char *octets = g_strnfill(5000, '\x01');
        g_autofree char *spaces = g_strnfill(5000, ' ');
        const char *values[8];

        g_assert_cmpuint(strlen(log_text(span_of(octets))), ==, 256 + 3);
        g_assert_cmpuint(strlen(log_text(span_of(spaces))), ==, 256 + 3 + 2);
        for (guint i = 0; i < 8; i++)
                values[i] = log_text(span_make(&"01234567"[i], 1));
        for (guint i = 0; i < 8; i++)
                g_assert_cmpint(values[i][0], ==, '0' + (int) i);
}

static void
test_dropped_lines_are_counted(void)
{
        guint64 before = log_dropped();
        int stderr_before = dup(STDERR_FILENO);
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

        g_assert_cmpint(full, >=, 0);
        dup2(full, STDERR_FILENO);
        log_event(&EVENT, "a=1");
        log_event(&QUIET, "a=1"); /* not wanted, so not dropped */
        dup2(stderr_before, STDERR_FILENO);
        close(full);
        close(stderr_before);
        g_assert_cmpuint(log_dropped(), ==, before + 1);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/log/one-event-is-one-line", test_line);
        g_test_add_func("/base/log/levels-choose", test_levels);
        g_test_add_func("/base/log/a-value-can-not-begin-a-line", test_no_line_within_a_line);
        g_test_add_func("/base/log/long-lines-are-cut-and-say-so", test_long_lines_are_cut);
        g_test_add_func("/base/log/threads-never-mix", test_threads_never_mix);
        g_test_add_func("/base/log/values-are-escaped-and-quoted", test_values);
        g_test_add_func("/base/log/values-are-capped-and-eight-live", test_values_are_capped_and_live_on);
        g_test_add_func("/base/log/dropped-lines-are-counted", test_dropped_lines_are_counted);
        return g_test_run();
}

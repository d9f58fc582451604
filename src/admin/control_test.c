/* control_test.c -- calls through a real socket: what they carry, who may make them, what a hostile peer gets. */
#include "admin/internal.h"
#include "admin/site_test.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static TestSite site;
static char *path;
static Control *control;

static AdminResult
call(TestAnswer *ret, const char *password, const char *input, const char *noun, const char *verb,
     const char *const *args)
{
        g_autoptr(GError) error = NULL;
        AdminRequest request = {admin_find(noun, verb), args, password, (guint) geteuid()};
        AdminOutput output = {test_row, test_result, test_warning, test_read, ret};

        test_answer_init(ret, input != NULL ? input : "");
        if (!control_call(path, &request, &output, &ret->result, &ret->reason, &error))
                g_error("%s", error->message);
        return ret->result;
}

static void
round_trip(void)
{
        TestAnswer answer;

        g_assert_cmpint(call(&answer, NULL, NULL, "domain", "add", WORDS("con.example", "unknown=discard")), ==,
                        ADMIN_DONE);
        g_assert_cmpstr(json_string_value(json_object_get(answer.object, "name")), ==, "con.example");
        g_assert_cmpuint(answer.warnings->len, >, 0);
        test_answer_clear(&answer);
        g_assert_cmpint(call(&answer, "secret", NULL, "account", "add", WORDS("joe@con.example")), ==, ADMIN_DONE);
        g_assert_true(json_is_true(json_object_get(answer.object, "has_password")));
        test_answer_clear(&answer);
        g_assert_cmpint(call(&answer, NULL, NULL, "domain", "list", WORDS(NULL)), ==, ADMIN_DONE);
        g_assert_cmpuint(json_array_size(answer.rows), ==, 1);
        test_answer_clear(&answer);
        g_assert_cmpint(call(&answer, NULL, NULL, "domain", "add", WORDS("con.example")), ==, ADMIN_REFUSED);
        g_assert_nonnull(answer.reason);
        test_answer_clear(&answer);
        g_assert_cmpint(call(&answer, NULL, NULL, "domain", "add", WORDS(NULL)), ==, ADMIN_USAGE);
        test_answer_clear(&answer);
}

static void
streams(void)
{
        g_autofree char *body = g_strnfill(300000, 'x');
        g_autoptr(GString) message = g_string_new("Subject: x\n\n");
        TestAnswer answer;

        for (gsize i = 0; i < 300; i++) {
                g_string_append_len(message, body + i * 1000, 990);
                g_string_append_c(message, '\n');
        }
        g_assert_cmpint(
                call(&answer, NULL, message->str, "inject", NULL, WORDS("-f", "joe@con.example", "joe@con.example")),
                ==, ADMIN_DONE);
        g_assert_cmpint(json_integer_value(json_object_get(answer.object, "size")), ==, 14 + 300 * 992);
        test_answer_clear(&answer);
        /* Refused before the body is read: the reason arrives all the same. */
        g_assert_cmpint(call(&answer, NULL, NULL, "domain", "add", WORDS("strict.example")), ==, ADMIN_DONE);
        test_answer_clear(&answer);
        g_assert_cmpint(call(&answer, NULL, message->str, "inject", NULL, WORDS("nobody@strict.example")), ==,
                        ADMIN_REFUSED);
        g_assert_nonnull(strstr(answer.reason, "5.1.1"));
        test_answer_clear(&answer);
}

/* A user without rights: everything is refused but mail as himself. */
static void
other_user(void)
{
        if (geteuid() != 0) {
                g_test_skip("needs root, to become somebody else");
                return;
        }
        pid_t child = fork();
        if (child == 0) {
                TestAnswer a, b, c;
                gboolean is_right = setuid(65534) == 0;

                is_right = is_right && call(&a, NULL, NULL, "domain", "list", WORDS(NULL)) == ADMIN_REFUSED &&
                           strstr(a.reason, "only root") != NULL && json_array_size(a.rows) == 0;
                is_right = is_right &&
                           call(&b, NULL, "a: b\n\nc\n", "inject", NULL, WORDS("joe@con.example")) == ADMIN_DONE;
                is_right = is_right &&
                           call(&c, NULL, "a: b\n\nc\n", "inject", NULL,
                                WORDS("-f", "joe@con.example", "joe@con.example")) == ADMIN_REFUSED &&
                           strstr(c.reason, "only") != NULL;
                _exit(is_right ? 0 : 1);
        }
        int status;
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_cmpint(status, ==, 0);
}

static int
raw_connect(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(address.sun_path, path);
        g_assert_cmpint(connect(fd, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        return fd;
}

/* Whatever a peer sends, it gets an answer or a closed socket, and the next call works. */
static void
hostile(void)
{
        g_autofree char *deep = g_strnfill(200000, '[');
        g_autofree char *deep_line = g_strconcat("{\"operation\":\"domain list\",\"args\":", deep, "\n", NULL);
        g_autofree char *endless = g_strnfill(2 * 1024 * 1024, 'a');
        const char *const REQUESTS[] = {
                "\n",
                "{}\n",
                "[]\n",
                "null\n",
                "{\"operation\":1,\"args\":[]}\n",
                "{\"operation\":\"domain list\",\"args\":[1]}\n",
                "{\"operation\":\"domain list\",\"args\":{}}\n",
                "{\"operation\":\"no such\",\"args\":[]}\n",
                "\xff\xfe\n",
                "{\"operation\":\"inject\",\"args\":[\"joe@con.example\"]}\n99999999999999999999\n",
                "{\"operation\":\"inject\",\"args\":[\"joe@con.example\"]}\n5\nab",
                deep_line,
                endless};

        for (gsize i = 0; i < G_N_ELEMENTS(REQUESTS); i++) {
                int fd = raw_connect();
                char answer[4096];
                gsize length = strlen(REQUESTS[i]);

                for (gsize sent = 0; sent < length;) {
                        ssize_t n = send(fd, REQUESTS[i] + sent, length - sent, MSG_NOSIGNAL);
                        if (n <= 0)
                                break;
                        sent += (gsize) n;
                }
                shutdown(fd, SHUT_WR);
                while (recv(fd, answer, sizeof(answer), 0) > 0)
                        continue;
                close(fd);
        }
        TestAnswer answer;
        g_assert_cmpint(call(&answer, NULL, NULL, "account", "show", WORDS("joe@con.example")), ==, ADMIN_DONE);
        test_answer_clear(&answer);
}

static void
lines(void)
{
        static const struct {
                const char *text;
                gboolean is_right;
        } CASES[] = {{"{\"a\":[[1]]}", TRUE},
                     {"{\"a\":[[[1]]]}", FALSE},
                     {"{\"a\":\"[[[[\"}", TRUE},
                     {"{\"a\":\"\\\"[[[[\"}", TRUE},
                     {"{\"a\":1,\"a\":2}", FALSE},
                     {"[1]", FALSE},
                     {"", FALSE},
                     {"{\"a\":1} x", FALSE}};

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                json_t *value = wire_parse(span_of(CASES[i].text), 3);
                g_assert_cmpint(value != NULL, ==, CASES[i].is_right);
                json_decref(value);
        }
}

static void
occupied(void)
{
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(control_listen(path, &error), <, 0);
        g_assert_error(error, RESTANTE_ERROR, FAULT_BUSY);
}

/* A socket that a dead server left behind is no obstacle, and nobody answering there is said as such. */
static void
left_behind(void)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *left = g_build_filename(site.dir, "left", NULL);
        TestAnswer answer;
        AdminRequest request = {admin_find("domain", "list"), WORDS(NULL), NULL, 0};
        AdminOutput output = {test_row, test_result, test_warning, test_read, &answer};
        int fd = control_listen(left, &error);

        g_assert_no_error(error);
        close(fd);
        test_answer_init(&answer, "");
        g_assert_false(control_call(left, &request, &output, &answer.result, &answer.reason, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_IO);
        g_clear_error(&error);
        fd = control_listen(left, &error);
        g_assert_no_error(error);
        close(fd);
        unlink(left);
        test_answer_clear(&answer);
}

int
main(int argc, char **argv)
{
        g_autoptr(GError) error = NULL;

        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        test_site_open(&site);
        chmod(site.dir, 0755);
        path = g_build_filename(site.dir, "control", NULL);
        control = control_take_fd(control_listen(path, &error), &site.rooms, &error);
        g_assert_no_error(error);
        g_test_add_func("/admin/control/a-call-and-its-answer", round_trip);
        g_test_add_func("/admin/control/a-message-is-streamed", streams);
        g_test_add_func("/admin/control/other-users-may-only-send-as-themselves", other_user);
        g_test_add_func("/admin/control/hostile-requests-harm-nobody", hostile);
        g_test_add_func("/admin/control/lines-are-bounded-in-depth", lines);
        g_test_add_func("/admin/control/a-socket-in-use-is-not-taken", occupied);
        g_test_add_func("/admin/control/a-socket-left-behind-is-replaced", left_behind);
        int status = g_test_run();
        control_free(control);
        test_site_close(&site);
        g_free(path);
        return status;
}

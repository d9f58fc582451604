#include "mail/summary_test.h"
#include "mail/span_test.h"

/* A plain message costs little to keep. */
static void
test_size(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) message =
                g_string_new("From: <load@sender.example>\r\nTo: <someone@bench.example>\r\nSubject: message 1\r\n"
                             "Message-ID: <1.123@load.example>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n\r\n");

        for (guint i = 0; i < 60; i++)
                g_string_append(message, "some text that is as long as a line of mail mostly is, and says little\r\n");
        Summary s = summary_of(arena, message->str);
        g_assert_cmpuint(s.envelope.len + s.structure.len + s.fields.len + s.keys.len + s.preview.len, <, 1000);
}

static void
test_arena_over(void)
{
        static const char message[] = "From: a@b\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                                      "--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--\r\n";
        gboolean was_made = FALSE;

        for (gsize octets = 0; octets < 65536 && !was_made; octets += 16) {
                g_autoptr(Arena) parsed = arena_new(TEST_BUDGET);
                g_autoptr(Arena) arena = arena_new(octets);
                Structure structure;
                Summary summary;

                g_assert_true(message_parse(parsed, span_of(message), &structure));
                was_made = summary_make(arena, span_of(message), &structure, &summary);
                g_assert_true(was_made || arena_is_over(arena));
        }
        g_assert_true(was_made);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/summary/a-plain-message-takes-less-than-1000-octets", test_size);
        g_test_add_func("/mail/summary/arena-over-is-an-answer", test_arena_over);
        return g_test_run();
}

#include "pop3/dot.h"

#include <glib.h>

/* A message through dot_stuff() in pieces, with its ending. */
static GString *
stuffed(const char *in, gsize len, gsize piece)
{
        GString *out = g_string_new(NULL);
        g_autofree guint8 *buffer = g_malloc(DOT_ROOM(piece));
        DotState state;

        dot_init(&state);
        for (gsize at = 0; at < len; at += piece) {
                gsize n = MIN(piece, len - at);
                memcpy(buffer, in + at, n);
                n = dot_stuff(&state, buffer, n);
                g_assert_cmpuint(n, <=, DOT_ROOM(piece));
                g_string_append_len(out, (char *) buffer, (gssize) n);
        }
        Span ending = dot_ending(&state);
        g_string_append_len(out, (const char *) ending.data, (gssize) ending.len);
        return out;
}

static void
test_cases(void)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                {"", ""},
                {"a\r\n", "a\r\n"},
                {".\r\n", "..\r\n"},
                {"a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n"},
                {"..\r\n.b\r\n", "...\r\n..b\r\n"},
                {"a.b\r\n", "a.b\r\n"},
                {"a\n.\n", "a\n..\n\r\n"},
                {"a\r.\r\n", "a\r.\r\n"},
                {"a", "a\r\n"},
                {"a\r", "a\r\r\n"},
                {"\n", "\n\r\n"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                for (gsize piece = 1; piece < 12; piece++) {
                        g_autoptr(GString) out = stuffed(cases[i].in, strlen(cases[i].in), piece);
                        g_assert_cmpstr(out->str, ==, cases[i].out);
                }
}

/* All short strings over the octets that matter, against the plainest possible stuffing; and no line of the answer is a
 * lone dot. */
static void
test_model(void)
{
        static const char alphabet[] = {'\r', '\n', '.', 'a'};
        char in[9];

        for (guint len = 0; len <= 7; len++)
                for (guint number = 0; number < 1u << (2 * len); number++) {
                        g_autoptr(GString) want = g_string_new(NULL);
                        for (guint i = 0; i < len; i++) {
                                in[i] = alphabet[(number >> (2 * i)) & 3];
                                if (in[i] == '.' && (i == 0 || in[i - 1] == '\n'))
                                        g_string_append_c(want, '.');
                                g_string_append_c(want, in[i]);
                        }
                        if (len > 0 && (want->len < 2 || !g_str_has_suffix(want->str, "\r\n")))
                                g_string_append(want, "\r\n");
                        for (gsize piece = 1; piece <= 8; piece += 2) {
                                g_autoptr(GString) out = stuffed(in, len, piece);
                                g_assert_cmpstr(out->str, ==, want->str);
                        }
                        g_assert_null(strstr(want->str, "\n.\r"));
                        g_assert_null(strstr(want->str, "\n.\n"));
                }
}

static void
check_top(const char *in, guint64 lines, const char *want)
{
        for (gsize piece = 1; piece < 20; piece++) {
                g_autoptr(GString) out = g_string_new(NULL);
                gsize len = strlen(in);
                TopState state;

                top_init(&state, lines);
                for (gsize at = 0; at < len; at += piece) {
                        gsize n = MIN(piece, len - at);
                        gsize used = top_take(&state, (const guint8 *) in + at, n);
                        g_string_append_len(out, in + at, (gssize) used);
                        if (used < n) {
                                g_assert_true(top_is_done(&state));
                                break;
                        }
                }
                g_assert_cmpstr(out->str, ==, want);
        }
}

static void
test_top(void)
{
        check_top("A: b\r\nC: d\r\n\r\none\r\ntwo\r\nthree\r\n", 0, "A: b\r\nC: d\r\n\r\n");
        check_top("A: b\r\nC: d\r\n\r\none\r\ntwo\r\nthree\r\n", 2, "A: b\r\nC: d\r\n\r\none\r\ntwo\r\n");
        check_top("A: b\r\n\r\none\r\n", 5, "A: b\r\n\r\none\r\n");
        check_top("A: b\r\n", 3, "A: b\r\n");
        check_top("\r\none\r\ntwo\r\n", 1, "\r\none\r\n");
        check_top("A: b\n\none\ntwo\n", 1, "A: b\n\none\n");
        check_top("A: b\r\r\n\r\none\r\n", 0, "A: b\r\r\n\r\n");
        check_top("\r\r\n\r\none\r\n", 0, "\r\r\n\r\n");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/pop3/dot/a dot behind any line feed is stuffed RFC 1939 §3", test_cases);
        g_test_add_func("/pop3/dot/all short strings, cut anywhere", test_model);
        g_test_add_func("/pop3/dot/TOP sends the header and so many lines RFC 1939 §7", test_top);
        return g_test_run();
}

#include "smtp/data.h"

#include <glib.h>

static void
gather(Span octets, gpointer data)
{
        g_string_append_len(data, (const char *) octets.data, (gssize) octets.len);
}

/* What must come out, worked out in the plainest way: find CRLF.CRLF, split at CRLF, take the dots off. */
typedef struct Model {
        gssize end; /* octets used, or -1: no end */
        gboolean has_bare;
        GString *body;
} Model;

static gssize
find(const GString *s, gsize from, const char *needle)
{
        const char *at = memmem(s->str + from, s->len - from, needle, strlen(needle));

        return at != NULL ? at - s->str : -1;
}

static Model
model_of(const GString *in)
{
        Model m = {.body = g_string_new(NULL)};
        g_autoptr(GString) text = g_string_new("\r\n");

        g_string_append_len(text, in->str, (gssize) in->len);
        gssize end = find(text, 0, "\r\n.\r\n");
        m.end = end < 0 ? -1 : end + 3;
        if (end < 0)
                return m;
        g_string_truncate(text, (gsize) end + 2);
        for (gsize at = 2; at < text->len;) {
                gssize eol = find(text, at, "\r\n");
                gsize from = text->str[at] == '.' ? at + 1 : at;
                for (gsize i = from; i < (gsize) eol; i++)
                        if (text->str[i] == '\r' || text->str[i] == '\n')
                                m.has_bare = TRUE;
                g_string_append_len(m.body, text->str + from, eol - (gssize) from);
                g_string_append(m.body, "\r\n");
                at = (gsize) eol + 2;
        }
        return m;
}

/* Bare ones to CRLF. */
static GString *
normalised(const GString *in)
{
        GString *out = g_string_new(NULL);

        for (gsize i = 0; i < in->len; i++) {
                char c = in->str[i];
                if (c == '\r' || c == '\n')
                        g_string_append(out, "\r\n");
                else
                        g_string_append_c(out, c);
                if (c == '\r' && i + 1 < in->len && in->str[i + 1] == '\n')
                        i++;
        }
        return out;
}

/* Feed pieces: the first of `first` octets, the others of `rest`. Returns octets used until the end. */
static gsize
feed(DataDecoder *d, const GString *in, gsize first, gsize rest, GString *out)
{
        gsize used = 0;

        for (gsize len = first; used < in->len && d->state != DATA_DONE; len = rest) {
                Span piece = span_make(in->str + used, MIN(len, in->len - used));
                gsize n = data_feed(d, piece, gather, out);
                g_assert_true(n == piece.len || d->state == DATA_DONE);
                used += n;
        }
        return used;
}

static void
check_feed(const GString *in, const Model *m, gboolean normalise, gsize first, gsize rest)
{
        g_autoptr(GString) out = g_string_new(NULL);
        g_autoptr(GString) want =
                normalise ? normalised(m->body) : g_string_new_len(m->body->str, (gssize) m->body->len);
        DataDecoder d;

        data_init(&d, TRUE, normalise);
        gsize used = feed(&d, in, first, rest, out);
        g_assert_true((d.state == DATA_DONE) == (m->end >= 0));
        if (m->end < 0) {
                g_assert_cmpuint(used, ==, in->len);
                return;
        }
        g_assert_cmpint((gssize) used, ==, m->end);
        g_assert_cmpint(d.has_bare, ==, m->has_bare);
        g_assert_true(span_equal(span_make(out->str, out->len), span_make(want->str, want->len)));
}

static void
check_all_feeds(const GString *in)
{
        Model m = model_of(in);

        for (int normalise = 0; normalise < 2; normalise++) {
                check_feed(in, &m, normalise, in->len, in->len);
                check_feed(in, &m, normalise, 1, 1);
                check_feed(in, &m, normalise, 3, 2);
                check_feed(in, &m, normalise, in->len / 2, in->len);
        }
        g_string_free(m.body, TRUE);
}

/* RELIABILITY: all strings over {CR, LF, '.', NUL, a} of length 1 to 7, alone, behind a line and amid a line. */
static void
test_smuggling(void)
{
        static const char alphabet[] = {'\r', '\n', '.', '\0', 'a'};
        static const char *const before[] = {"", "x\r\n", "x"};
        static const char *const behind[] = {"", "\r\n.\r\nQUIT\r\n"};
        g_autoptr(GString) in = g_string_new(NULL);

        for (guint len = 1; len <= 7; len++) {
                guint n = 1;
                for (guint i = 0; i < len; i++)
                        n *= 5;
                for (guint number = 0; number < n; number++)
                        for (guint around = 0; around < 6; around++) {
                                g_string_assign(in, before[around % 3]);
                                for (guint i = 0, left = number; i < len; i++, left /= 5)
                                        g_string_append_c(in, alphabet[left % 5]);
                                g_string_append(in, behind[around / 3]);
                                check_all_feeds(in);
                        }
        }
}

typedef struct DataCase {
        const char *in, *out;
        gboolean has_bare;
} DataCase;

static void
test_dots(void)
{
        static const DataCase cases[] = {
                {".\r\n", "", FALSE},
                {"a\r\n.\r\n", "a\r\n", FALSE},
                {"..\r\n.\r\n", ".\r\n", FALSE},
                {".a\r\n.\r\n", "a\r\n", FALSE},
                {"...\r\n..\r\n.\r\n", "..\r\n.\r\n", FALSE},
                {"a.\r\n.b.c\r\n.\r\n", "a.\r\nb.c\r\n", FALSE},
                {"a\n.\r\n.\r\n", "a\n.\r\n", TRUE},
                {"a\r\n.\n.\r\n.\r\n", "a\r\n\n.\r\n", TRUE},
                {"a\r\n.\r.\r\n.\r\n", "a\r\n\r.\r\n", TRUE},
                {"\r\r\n.\r\n", "\r\r\n", TRUE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GString) in = g_string_new(cases[i].in), out = g_string_new(NULL);
                DataDecoder d;

                data_init(&d, TRUE, FALSE);
                g_assert_cmpuint(feed(&d, in, in->len, in->len, out), ==, in->len);
                g_assert_cmpint(d.state, ==, DATA_DONE);
                g_assert_cmpstr(out->str, ==, cases[i].out);
                g_assert_cmpint(d.has_bare, ==, cases[i].has_bare);
        }
}

static void
count_calls(Span octets, gpointer data)
{
        ++*(guint *) data;
}

static void
test_runs(void)
{
        g_autoptr(GString) in = g_string_new(NULL);
        DataDecoder d;
        guint calls = 0;

        for (guint i = 0; i < 500; i++)
                g_string_append(in, "a line without anything that must change\r\n");
        g_string_append(in, ".\r\n");
        data_init(&d, TRUE, FALSE);
        g_assert_cmpuint(data_feed(&d, span_make(in->str, in->len), count_calls, &calls), ==, in->len);
        g_assert_cmpint(d.state, ==, DATA_DONE);
        g_assert_cmpuint(calls, ==, 1);
}

typedef struct ChunkCase {
        const char *in, *out, *normalised;
        gboolean has_bare;
} ChunkCase;

static void
test_chunks(void)
{
        static const ChunkCase cases[] = {
                {"", "", "", FALSE},
                {"a\r\n", "a\r\n", "a\r\n", FALSE},
                {"a", "a\r\n", "a\r\n", FALSE},
                {".\r\n..\r\n.\r\nQUIT\r\n", ".\r\n..\r\n.\r\nQUIT\r\n", ".\r\n..\r\n.\r\nQUIT\r\n", FALSE},
                {"a\nb\r\n", "a\nb\r\n", "a\r\nb\r\n", TRUE},
                {"a\rb\r\n", "a\rb\r\n", "a\r\nb\r\n", TRUE},
                {"a\r", "a\r\r\n", "a\r\n", TRUE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                for (gsize pieces = 1; pieces < 5; pieces++)
                        for (int normalise = 0; normalise < 2; normalise++) {
                                g_autoptr(GString) in = g_string_new(cases[i].in), out = g_string_new(NULL);
                                DataDecoder d;

                                data_init(&d, FALSE, normalise);
                                g_assert_cmpuint(feed(&d, in, pieces, pieces, out), ==, in->len);
                                data_finish(&d, gather, out);
                                g_assert_cmpstr(out->str, ==, normalise ? cases[i].normalised : cases[i].out);
                                g_assert_cmpint(d.has_bare, ==, cases[i].has_bare);
                        }
}

/* 1 MiB of each hostile pattern in one piece: work must stay linear, or this takes minutes. */
static void
test_linear(void)
{
        static const char *const patterns[] = {"\r", "\n", ".", "\r\n.", "\n.\r", "a\r", "\r\n..", "\r\n.\r"};

        for (gsize i = 0; i < G_N_ELEMENTS(patterns); i++) {
                g_autoptr(GString) in = g_string_new(NULL);
                DataDecoder d;
                guint calls = 0;

                while (in->len < 1 << 20)
                        g_string_append(in, patterns[i]);
                data_init(&d, TRUE, TRUE);
                gsize used = data_feed(&d, span_make(in->str, in->len), count_calls, &calls);
                g_assert_true(used == in->len || d.state == DATA_DONE);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/smtp/data/ends exactly at CRLF.CRLF, however it is cut RFC 5321 §4.1.1.4", test_smuggling);
        g_test_add_func("/smtp/data/a leading dot is taken off RFC 5321 §4.5.2", test_dots);
        g_test_add_func("/smtp/data/what needs no change is one run", test_runs);
        g_test_add_func("/smtp/data/chunks have no dots and no end RFC 3030 §2", test_chunks);
        g_test_add_func("/smtp/data/hostile patterns cost linear time", test_linear);
        return g_test_run();
}

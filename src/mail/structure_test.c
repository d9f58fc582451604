#include "mail/mime.h"
#include "mail/span_test.h"

#define BUDGET (4 * 1024 * 1024)

/* One line a part: depth by indent, type, M or R for containers, O when opaque, lines, and the body of leaves. */
static char *
tree_to_text(Arena *arena, Span message, gboolean *ret_is_truncated)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Structure st;

        g_assert_true(message_parse(arena, message, &st));
        for (gsize i = 0; i < st.n_parts; i++) {
                const Part *p = &st.parts[i];
                Span body = span_slice(message, p->body_start, p->end);
                g_autofree char *type = span_dup(p->type.type);
                g_autofree char *subtype = span_dup(p->type.subtype);
                g_autofree char *octets = span_dup(body);
                g_auto(GStrv) lines = g_strsplit(octets, "\r\n", -1);
                g_autofree char *shown = g_strjoinv("~", lines);

                g_assert_cmpuint(p->header_start, <=, p->body_start);
                g_assert_cmpuint(p->body_start, <=, p->end);
                g_assert_cmpuint(p->end, <=, i == 0 ? message.len : st.parts[p->parent].end);
                g_assert_cmpuint(p->header.text.len, ==, p->body_start - p->header_start);
                g_assert_true(i == 0 ? p->parent == 0 : p->parent < i);
                g_assert_cmpuint(p->depth, ==, i == 0 ? 0 : st.parts[p->parent].depth + 1);
                g_string_append_printf(text, "%*s%s/%s%s%s%s %u", 2 * p->depth, "", type, subtype,
                                       p->is_multipart ? " M" : "", p->is_message ? " R" : "", p->is_opaque ? " O" : "",
                                       p->n_lines);
                if (!p->is_multipart && !p->is_message)
                        g_string_append_printf(text, " [%s]", shown);
                g_string_append_c(text, '\n');
        }
        *ret_is_truncated = st.is_truncated;
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
check(const char *message, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(BUDGET);
        gboolean is_truncated;
        g_autofree char *found = tree_to_text(arena, span_of(message), &is_truncated);

        g_assert_cmpstr(found, ==, expected);
        g_assert_false(is_truncated);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static void
test_leaf(void)
{
        check("Subject: x\r\n\r\none\r\ntwo\r\n", "text/plain 2 [one~two~]\n");
        check("Subject: x\r\n\r\none\r\ntwo", "text/plain 2 [one~two]\n");
        check("Subject: x\r\n", "text/plain 0 []\n");
        check("", "text/plain 0 []\n");
        check("Content-Type: text\r\n\r\nx", "text/plain 1 [x]\n");
        check("no header at all\r\n", "text/plain 1 [no header at all~]\n");
        check("Content-Type: IMAGE/GIF\r\n\r\n--b\r\n--b--\r\n", "image/gif 2 [--b~--b--~]\n");
}

/* The example of RFC 2046 §5.1.1. */
static void
test_simple_boundary(void)
{
        check("From: Nathaniel Borenstein <nsb@bellcore.com>\r\nMIME-Version: 1.0\r\n"
              "Content-type: multipart/mixed; boundary=\"simple boundary\"\r\n\r\n"
              "This is the preamble.\r\n--simple boundary\r\n\r\nThis is implicitly typed.\r\nNo linebreak.\r\n"
              "--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\nThis is explicit.\r\n\r\n"
              "--simple boundary--\r\n\r\nThis is the epilogue.\r\n",
              "multipart/mixed M 13\n"
              "  text/plain 2 [This is implicitly typed.~No linebreak.]\n"
              "  text/plain 1 [This is explicit.~]\n");
}

static void
test_nested(void)
{
        check(MIXED "--b\r\nContent-Type: multipart/alternative; boundary=\"b--\"\r\n\r\n--b--\r\n\r\n1\r\n--b----\r\n"
                    "--b\r\nContent-Type: text/html\r\n\r\n2\r\n--b--\r\n",
              "multipart/mixed M 12\n  multipart/alternative M 4\n    text/plain 1 [1]\n  text/html 1 [2]\n");
        /* A boundary that begins like another one is another one. */
        check(MIXED "--b\r\nContent-Type: multipart/alternative; "
                    "boundary=bb\r\n\r\n--bb\r\n\r\n1\r\n--bbb\r\n--bb--\r\n--b--\r\n",
              "multipart/mixed M 9\n  multipart/alternative M 5\n    text/plain 2 [1~--bbb]\n");
        /* Inner ones that are not closed end with the outer one. */
        check(MIXED
              "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\n",
              "multipart/mixed M 10\n  multipart/alternative M 3\n    text/plain 1 [1]\n  text/plain 1 [2]\n");
        /* The same boundary in both: the inner container has it. */
        check(MIXED "--b\r\n" MIXED "--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\n2\r\n--b--\r\n",
              "multipart/mixed M 11\n  multipart/mixed M 4\n    text/plain 1 [1]\n  text/plain 1 [2]\n");
}

static void
test_message_part(void)
{
        check(MIXED
              "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: text/html\r\n\r\n1\r\n--b--\r\n",
              "multipart/mixed M 8\n  message/rfc822 R 4\n    text/html 1 [1]\n");
        check("Content-Type: message/global\r\n\r\nContent-Type: message/rfc822\r\n\r\n",
              "message/global R 2\n  message/rfc822 R 0\n    text/plain 0 []\n");
        /* Encoded: not looked into (RFC 2046 §5.2.1, RFC 6532 §3.5). */
        check("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: BASE64 (x)\r\n\r\nU3ViamVjdDog\r\n",
              "message/rfc822 1 [U3ViamVjdDog~]\n");
        check("Content-Type: message/delivery-status\r\n\r\nA: 1\r\n", "message/delivery-status 1 [A: 1~]\n");
}

static void
test_digest(void)
{
        check("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\n1\r\n"
              "--b\r\nContent-Type: text/plain\r\n\r\n2\r\n--b--\r\n",
              "multipart/digest M 10\n  message/rfc822 R 3\n    text/plain 1 [1]\n  text/plain 1 [2]\n");
}

static void
test_odd_boundaries(void)
{
        /* No end: the message ends it. */
        check(MIXED "--b\r\n\r\n1\r\n", "multipart/mixed M 3\n  text/plain 1 [1~]\n");
        check(MIXED "--b", "multipart/mixed M 1\n  text/plain 0 []\n");
        check(MIXED "--b--\r\n", "multipart/mixed M 1\n");
        check(MIXED "nothing\r\n", "multipart/mixed M 1\n");
        /* White space behind it (RFC 2046 §5.1.1), and other things behind it. */
        check(MIXED "--b \t\r\n\r\n1\r\n--b-- \r\n--b\r\n", "multipart/mixed M 5\n  text/plain 1 [1]\n");
        check(MIXED "--b\r\n\r\n1\r\n--bx\r\n --b\r\n-b\r\n--\r\n---b\r\n--b--\r\n",
              "multipart/mixed M 9\n  text/plain 6 [1~--bx~ --b~-b~--~---b]\n");
        /* It ends a header that has no empty line. */
        check(MIXED "--b\r\nContent-Type: text/html\r\n--b\r\n\r\n2\r\n--b--\r\n",
              "multipart/mixed M 6\n  text/html 0 []\n  text/plain 1 [2]\n");
        check(MIXED "--b\r\nContent-Type: text/html\r\n\r\n--b\r\n--b\r\nno header\r\n--b--",
              "multipart/mixed M 7\n  text/html 0 []\n  text/plain 0 []\n  text/plain 1 [no header]\n");
        /* Its line end is its own, even where a header or nothing stands in front of it. */
        check("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n--b\r\n--b--\r\n",
              "multipart/digest M 5\n  message/rfc822 R 1\n    text/plain 0 []\n  message/rfc822 R 0\n    text/plain 0 "
              "[]\n");
        /* None, or one nobody may have. */
        check("Content-Type: multipart/mixed\r\n\r\n--\r\n1\r\n", "multipart/mixed 2 [--~1~]\n");
        check("Content-Type: multipart/mixed; boundary=\" \"\r\n\r\n--\r\n", "multipart/mixed 1 [--~]\n");
}

static void
test_bare_lf(void)
{
        check("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n2\n--b--\n",
              "multipart/mixed M 5\n  text/plain 2 [1\n2]\n");
}

static void
test_offsets(void)
{
        static const char message[] = MIXED "--b\r\nX: 1\r\n\r\nbody\r\n--b--\r\n";
        g_autoptr(Arena) arena = arena_new(BUDGET);
        Structure st;

        g_assert_true(message_parse(arena, span_of(message), &st));
        g_assert_cmpuint(st.n_parts, ==, 2);
        g_assert_cmpuint(st.parts[0].header_start, ==, 0);
        g_assert_cmpuint(st.parts[0].body_start, ==, strlen(MIXED));
        g_assert_cmpuint(st.parts[0].end, ==, strlen(message));
        g_assert_cmpuint(st.parts[1].header_start, ==, strlen(MIXED) + 5);
        g_assert_cmpuint(st.parts[1].body_start, ==, strlen(MIXED) + 13);
        g_assert_cmpuint(st.parts[1].end, ==, strlen(MIXED) + 17);
        assert_span(st.parts[1].header.text, "X: 1\r\n\r\n");
}

/* A million parts: the container is one opaque leaf, within the budget. */
static void
test_million_parts(void)
{
        static const char *const pieces[] = {"--b\n\n", "--b\nContent-Type: x/y; name=\"z\"; a*0=1; a*1=2\n\n",
                                             "--b\nContent-Type: message/rfc822\n\n"};

        for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
                g_autoptr(Arena) arena = arena_new(BUDGET);
                g_autoptr(GString) message = g_string_new("Content-Type: multipart/mixed; boundary=b\n\n");
                gsize size = strlen(pieces[i]);
                Structure st;

                for (guint n = 0; n < 1000 * 1000; n++)
                        g_string_append_len(message, pieces[i], (gssize) size);
                g_assert_true(message_parse(arena, span_make(message->str, message->len), &st));
                g_assert_true(st.is_truncated);
                g_assert_cmpuint(st.n_parts, ==, 1);
                g_assert_true(st.parts[0].is_opaque && !st.parts[0].is_multipart);
                g_assert_cmpuint(st.parts[0].end, ==, message->len);
        }
}

/* As many parts as the limit allows stay; a container inside that has too many is opaque, and its siblings stay. */
static void
test_parts_limit(void)
{
        g_autoptr(Arena) arena = arena_new(BUDGET);
        g_autoptr(GString) message = g_string_new(MIXED);
        Structure st;

        for (guint n = 0; n < MESSAGE_PARTS_MAX - 1; n++)
                g_string_append(message, "--b\r\n\r\n1\r\n");
        g_assert_true(message_parse(arena, span_make(message->str, message->len), &st));
        g_assert_cmpuint(st.n_parts, ==, MESSAGE_PARTS_MAX);
        g_assert_false(st.is_truncated);

        g_string_assign(message, MIXED "--b\r\n\r\nfirst\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n");
        for (guint n = 0; n < MESSAGE_PARTS_MAX; n++)
                g_string_append(message, "--c\r\n\r\n1\r\n");
        g_string_append(message, "--b\r\n\r\nlast\r\n--b--\r\n");
        g_assert_true(message_parse(arena, span_make(message->str, message->len), &st));
        g_assert_cmpuint(st.n_parts, ==, 4);
        g_assert_true(st.is_truncated && st.parts[2].is_opaque && !st.parts[2].is_multipart);
        g_assert_cmpuint(st.parts[2].n_lines, ==, 3 * MESSAGE_PARTS_MAX);
        assert_span(span_slice(span_make(message->str, message->len), st.parts[3].body_start, st.parts[3].end), "last");
}

static void
test_depth(void)
{
        g_autoptr(Arena) arena = arena_new(BUDGET);
        g_autoptr(GString) message = g_string_new(NULL);
        Structure st;

        for (guint n = 0; n < 1000; n++)
                g_string_append_printf(message, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", n, n);
        g_assert_true(message_parse(arena, span_make(message->str, message->len), &st));
        g_assert_cmpuint(st.n_parts, ==, MESSAGE_DEPTH_MAX + 1);
        g_assert_cmpuint(st.parts[MESSAGE_DEPTH_MAX].depth, ==, MESSAGE_DEPTH_MAX);
        g_assert_true(st.parts[MESSAGE_DEPTH_MAX].is_opaque && st.is_truncated);

        g_string_truncate(message, 0);
        for (guint n = 0; n < 1000; n++)
                g_string_append(message, "Content-Type: message/rfc822\r\n\r\n");
        g_assert_true(message_parse(arena, span_make(message->str, message->len), &st));
        g_assert_cmpuint(st.n_parts, ==, MESSAGE_DEPTH_MAX + 1);
        g_assert_true(st.parts[MESSAGE_DEPTH_MAX].is_opaque && st.is_truncated);
}

/* What is made to use up memory: fields, parameters and parts together stay within 4 MiB, and nothing fails. */
static void
test_budget(void)
{
        static const char *const fillers[] = {"a:\n", "Content-Type: a/b; %\n", "Content-Type: message/rfc822\n\n"};

        for (gsize i = 0; i < G_N_ELEMENTS(fillers); i++) {
                g_autoptr(Arena) arena = arena_new(BUDGET);
                g_autoptr(GString) message = g_string_new("Content-Type: multipart/mixed; boundary=b\n\n");
                Structure st;

                for (guint n = 0; n < 900; n++) {
                        g_string_append(message, "--b\nContent-Type: a/b");
                        for (guint k = 0; k < 200; k++)
                                g_string_append_printf(message, ";\n NAME%u*0*=''%%ff%%ff%%ff%%ff%%ff%%ff%%ff%%ff", k);
                        g_string_append_c(message, '\n');
                        for (guint k = 0; k < 100; k++)
                                g_string_append(message, fillers[i]);
                        g_string_append_c(message, '\n');
                }
                g_assert_true(message_parse(arena, span_make(message->str, message->len), &st));
                g_assert_true(st.is_truncated);
                g_assert_cmpuint(arena_used_octets(arena), <=, BUDGET);
        }
}

static void
test_long_lines(void)
{
        g_autoptr(Arena) arena = arena_new(BUDGET);
        g_autoptr(GString) message = g_string_new(MIXED "--b\r\n\r\n");
        Structure st;

        while (message->len < 1024 * 1024)
                g_string_append(message, "--b--b--b");
        g_string_append(message, "\r\n--b--\r\n");
        g_assert_true(message_parse(arena, span_make(message->str, message->len), &st));
        g_assert_cmpuint(st.n_parts, ==, 2);
        g_assert_cmpuint(st.parts[1].n_lines, ==, 1);
}

static void
test_nuls(void)
{
        static const char message[] = MIXED "--b\0\r\n--b\r\n\0\0\r\n--b--\r\n";
        g_autoptr(Arena) arena = arena_new(BUDGET);
        Structure st;

        g_assert_true(message_parse(arena, span_make(message, sizeof(message) - 1), &st));
        g_assert_cmpuint(st.n_parts, ==, 2);
        g_assert_cmpuint(st.parts[1].end - st.parts[1].body_start, ==, 2);
}

static void
test_arena_over(void)
{
        g_autoptr(Arena) arena = arena_new(1024);
        Structure st;

        g_assert_false(message_parse(arena, span_of("Subject: x\r\n\r\n"), &st));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/structure/leaf", test_leaf);
        g_test_add_func("/mail/structure/simple-boundary RFC 2046 §5.1.1", test_simple_boundary);
        g_test_add_func("/mail/structure/nested", test_nested);
        g_test_add_func("/mail/structure/message-in-message RFC 2046 §5.2.1", test_message_part);
        g_test_add_func("/mail/structure/digest-holds-messages RFC 2046 §5.1.5", test_digest);
        g_test_add_func("/mail/structure/odd-boundaries", test_odd_boundaries);
        g_test_add_func("/mail/structure/bare-lf", test_bare_lf);
        g_test_add_func("/mail/structure/offsets", test_offsets);
        g_test_add_func("/mail/structure/a-million-parts-are-one-opaque-leaf", test_million_parts);
        g_test_add_func("/mail/structure/parts-limit-is-the-containers", test_parts_limit);
        g_test_add_func("/mail/structure/depth-limit", test_depth);
        g_test_add_func("/mail/structure/memory-stays-in-the-budget", test_budget);
        g_test_add_func("/mail/structure/line-of-a-megabyte", test_long_lines);
        g_test_add_func("/mail/structure/nuls", test_nuls);
        g_test_add_func("/mail/structure/arena-over-is-an-answer", test_arena_over);
        return g_test_run();
}

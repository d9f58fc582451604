/* facts_test.c -- what intake reads from headers: loop tokens in Received, automatic mail, ids for the trace. */
#include "intake/internal.h"

#define ID "02x9k1v5c8m3q"
#define TOKEN "0123456789abcdef0123"

static void
test_tokens(void)
{
        static const struct {
                const char *body;
                gboolean has_token;
        } CASES[] = {
                {" from a by b with ESMTP id " ID "-" TOKEN " for <x@y>; now", TRUE},
                {"by b id\r\n\t" ID "-" TOKEN ";now", TRUE},
                {"by b ID (comment (nested) \\) ) " ID "-" TOKEN "(x); now", TRUE},
                {"by b id " ID "-" TOKEN, TRUE},
                {"by b id " ID "; now", FALSE},
                {"by b id " ID "-" TOKEN "0; now", FALSE},
                {"by b id " ID "-0123456789abcdef012g; now", FALSE},
                {"by b (id " ID "-" TOKEN "); now", FALSE},
                {"by b; id " ID "-" TOKEN, FALSE},
                {"by b with " ID "-" TOKEN "; now", FALSE},
                {"(((((((((", FALSE},
                {"id", FALSE},
                {"", FALSE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                Span token = received_find_token(span_of(CASES[i].body));
                g_assert_cmpint(span_is(token, TOKEN), ==, CASES[i].has_token);
                g_assert_cmpint(token.len > 0, ==, CASES[i].has_token);
        }
}

static void
test_own_token_is_found(void)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Intake intake = {.hostname = (char *) "mx.ex.org", .loop_key = {1}}, other = {.loop_key = {2}};
        const Address address = {span_of("Joe"), span_of("ex.org")}, lower = {span_of("joe"), span_of("ex.org")};
        char token[TOKEN_DIGITS + 1], again[TOKEN_DIGITS + 1];
        Submission sub = {.intake = &intake,
                          .id = id_new(),
                          .origin = {.protocol = "ESMTP", .helo = "bad\r\nname", .client = "2001:db8::1"}};
        g_autoptr(Composer) c = composer_new(4096);

        loop_token(&intake, arena, &address, token);
        loop_token(&intake, arena, &lower, again);
        g_assert_cmpstr(token, ==, again);
        loop_token(&other, arena, &address, again);
        g_assert_cmpstr(token, !=, again);
        received_compose(c, arena, &sub, clock_real(), token);
        Span field = composer_result(c);
        g_assert_true(span_starts_nocase(
                field, span_of("Received: from unknown ([IPv6:2001:db8::1]) by mx.ex.org with ESMTP")));
        g_assert_true(span_is(received_find_token(span_slice(field, strlen("Received:"), field.len)), token));
}

static void
test_automatic(void)
{
        static const struct {
                const char *header;
                gboolean is_automatic;
        } CASES[] = {
                {"Auto-Submitted: auto-generated\r\n\r\n", TRUE},
                {"auto-submitted: auto-replied; x=y\r\n\r\n", TRUE},
                {"Auto-Submitted: no\r\n\r\n", FALSE},
                {"Auto-Submitted: No (comment)\r\n\r\n", FALSE},
                {"Auto-Submitted: none\r\n\r\n", TRUE},
                {"Precedence: Bulk\r\n\r\n", TRUE},
                {"Precedence: first-class\r\n\r\n", FALSE},
                {"List-Unsubscribe: <x>\r\n\r\n", TRUE},
                {"Subject: x\r\n\r\nPrecedence: bulk\r\n", FALSE},
                {"X-Spam-Flag: YES\r\n\r\n", TRUE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(Arena) arena = arena_new(64 * 1024);
                Facts facts;
                g_assert_true(facts_read(arena, span_of(CASES[i].header), &facts));
                g_assert_cmpint(facts.is_automatic, ==, CASES[i].is_automatic);
        }
}

static void
test_traced_text(void)
{
        g_autoptr(Arena) arena = arena_new(1024 * 1024);
        g_autofree char *umlauts = g_strnfill(400, 'u');
        Facts facts;

        for (guint i = 0; i < 400; i += 2)
                memcpy(umlauts + i, "ü", 2);
        g_autofree char *text =
                g_strdup_printf("Subject: x%s\r\nMessage-ID: \r\n <a@b> \r\nSubject: second\r\n\r\n", umlauts);
        g_assert_true(facts_read(arena, span_of(text), &facts));
        g_assert_cmpstr(facts.message_id, ==, "a@b");
        g_assert_true(g_utf8_validate(facts.subject, -1, NULL));
        g_assert_cmpuint(strlen(facts.subject), <=, 512);
        g_assert_true(g_str_has_prefix(facts.subject, "xüü"));
        g_assert_false(g_str_has_suffix(facts.subject, "\\xc3"));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/intake/facts/tokens-stand-in-the-id-clause-only RFC 5321 §4.4", test_tokens);
        g_test_add_func("/intake/facts/our-own-token-is-found-again", test_own_token_is_found);
        g_test_add_func("/intake/facts/automatic-mail RFC 3834 §5", test_automatic);
        g_test_add_func("/intake/facts/text-for-the-trace-is-short-and-whole", test_traced_text);
        return g_test_run();
}

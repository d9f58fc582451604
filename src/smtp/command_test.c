#include "smtp/command.h"

#include "mail/span_test.h"

static void
test_split(void)
{
        static const struct {
                const char *line, *verb, *args;
        } cases[] = {
                {"QUIT", "QUIT", ""},
                {"quit  ", "quit", ""},
                {"MAIL FROM:<a@b.example> SIZE=1", "MAIL", "FROM:<a@b.example> SIZE=1"},
                {"RCPT   TO:<a@b.example>", "RCPT", "TO:<a@b.example>"},
                {"", "", ""},
                {" QUIT", "", "QUIT"},
                {"MAIL:FROM", "", ":FROM"},
                {"QUIT2", "", "2"},
        };
        Span verb, args;

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_assert_true(command_split(span_of(cases[i].line), &verb, &args));
                assert_span(verb, cases[i].verb);
                assert_span(args, cases[i].args);
        }
        g_assert_false(command_split(span_make("RSET\nQUIT", 9), &verb, &args));
        g_assert_false(command_split(span_make("RSET\0", 5), &verb, &args));
        g_assert_false(command_split(span_make("NOOP\ra", 6), &verb, &args));
}

static void
test_hello(void)
{
        g_autofree char *long_name = g_strnfill(COMMAND_HELO_MAX + 1, 'a');
        Span name;

        g_assert_cmpint(command_parse_hello(span_of("mx.example"), &name), ==, REPLY_NONE);
        assert_span(name, "mx.example");
        g_assert_cmpint(command_parse_hello(span_of("[192.0.2.1] and more"), &name), ==, REPLY_NONE);
        assert_span(name, "[192.0.2.1]");
        g_assert_cmpint(command_parse_hello(span_of("my_pc"), &name), ==, REPLY_NONE);
        g_assert_cmpint(command_parse_hello(SPAN_EMPTY, &name), ==, REPLY_HELO_SYNTAX);
        g_assert_cmpint(command_parse_hello(span_of("m\xc3\xbcx"), &name), ==, REPLY_HELO_SYNTAX);
        g_assert_cmpint(command_parse_hello(span_of(long_name), &name), ==, REPLY_HELO_SYNTAX);
}

static void
test_mail(void)
{
        static const struct {
                const char *args;
                SmtpReplyId reply;
                const char *local, *domain;
                guint64 size;
                gboolean is_8bit, is_utf8;
        } cases[] = {
                {"FROM:<a@B.Example>", REPLY_NONE, "a", "b.example", 0, FALSE, FALSE},
                {"from:<>", REPLY_NONE, "", "", 0, FALSE, FALSE},
                {"FROM: <a@b.example>", REPLY_NONE, "a", "b.example", 0, FALSE, FALSE},
                {"FROM:<a@b.example> SIZE=1234 BODY=8BITMIME", REPLY_NONE, "a", "b.example", 1234, TRUE, FALSE},
                {"FROM:<a@b.example>  body=7bit  smtputf8", REPLY_NONE, "a", "b.example", 0, FALSE, TRUE},
                {"FROM:<a@b.example> AUTH=<>", REPLY_NONE, "a", "b.example", 0, FALSE, FALSE},
                {"FROM:<\xc3\xbc@b.example> SMTPUTF8", REPLY_NONE, "\xc3\xbc", "b.example", 0, FALSE, TRUE},
                {"FROM:<\xc3\xbc@b.example>", REPLY_SENDER_NEEDS_UTF8, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<\"a b\"@b.example>", REPLY_NONE, "a b", "b.example", 0, FALSE, FALSE},
                {"FROM:<@x.example,@y.example:a@b.example>", REPLY_NONE, "a", "b.example", 0, FALSE, FALSE},
                {"FROM:<m\xfcller@b.example>", REPLY_SENDER_NEEDS_UTF8, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@m\xfcller.example> SIZE=1", REPLY_SENDER_NEEDS_UTF8, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<m\xfcller@b.example> SMTPUTF8", REPLY_SENDER_ADDRESS, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:a@b.example", REPLY_MAIL_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM<a@b.example>", REPLY_MAIL_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"TO:<a@b.example>", REPLY_MAIL_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"", REPLY_MAIL_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:", REPLY_MAIL_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example", REPLY_SENDER_ADDRESS, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a b@b.example>", REPLY_SENDER_ADDRESS, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example>SIZE=1", REPLY_SENDER_ADDRESS, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<postmaster>", REPLY_SENDER_ADDRESS, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b..example>", REPLY_SENDER_DOMAIN, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> SIZE=", REPLY_SIZE_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> SIZE=-1", REPLY_SIZE_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> SIZE=99999999999999999999999", REPLY_SIZE_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> SIZE", REPLY_PARAMETER_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> SIZE=1 SIZE=1", REPLY_PARAMETER_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> SMTPUTF8=1", REPLY_PARAMETER_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> =1", REPLY_PARAMETER_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> BODY=BINARYMIME", REPLY_BODY_SYNTAX, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> RET=HDRS", REPLY_PARAMETER_UNKNOWN, NULL, NULL, 0, FALSE, FALSE},
                {"FROM:<a@b.example> SIZE=1 X-UNHEARD-OF", REPLY_PARAMETER_UNKNOWN, NULL, NULL, 0, FALSE, FALSE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Arena) arena = arena_new(65536);
                MailCommand mail = {.size = 77};

                g_test_message("%s", cases[i].args);
                g_assert_cmpint(command_parse_mail(arena, span_of(cases[i].args), &mail), ==, cases[i].reply);
                if (cases[i].reply != REPLY_NONE) {
                        g_assert_cmpuint(mail.size, ==, 77);
                        continue;
                }
                assert_span(mail.sender.local, cases[i].local);
                assert_span(mail.sender.domain, cases[i].domain);
                g_assert_cmpuint(mail.size, ==, cases[i].size);
                g_assert_cmpint(mail.is_8bit, ==, cases[i].is_8bit);
                g_assert_cmpint(mail.is_utf8, ==, cases[i].is_utf8);
        }
}

static void
test_rcpt(void)
{
        static const struct {
                const char *args;
                SmtpReplyId reply;
                const char *local, *domain, *path;
        } cases[] = {
                {"TO:<joe@ex.org>", REPLY_NONE, "joe", "ex.org", "joe@ex.org"},
                {"to: <joe@EX.ORG.>", REPLY_NONE, "joe", "ex.org", "joe@EX.ORG."},
                {"TO:<Postmaster>", REPLY_NONE, "Postmaster", "", "Postmaster"},
                {"TO:<@ex.org:v@other.org>", REPLY_NONE, "v", "other.org", "@ex.org:v@other.org"},
                {"TO:<a%other.org@ex.org>", REPLY_NONE, "a%other.org", "ex.org", "a%other.org@ex.org"},
                {"TO:<joe@[192.0.2.1]>", REPLY_NONE, "joe", "[192.0.2.1]", "joe@[192.0.2.1]"},
                {"TO:<>", REPLY_RECIPIENT_ADDRESS, NULL, NULL, ""},
                {"TO:<joe>", REPLY_RECIPIENT_ADDRESS, NULL, NULL, NULL},
                {"TO:<../x@ex.org>", REPLY_RECIPIENT_ADDRESS, NULL, NULL, NULL},
                {"TO:<a b@ex.org>", REPLY_RECIPIENT_ADDRESS, NULL, NULL, NULL},
                {"TO:<joe@ex..org>", REPLY_RECIPIENT_DOMAIN, NULL, NULL, NULL},
                {"TO:<\xc3\xbc@ex.org>", REPLY_RECIPIENT_NEEDS_UTF8, NULL, NULL, NULL},
                {"TO:joe@ex.org", REPLY_RCPT_SYNTAX, NULL, NULL, NULL},
                {"TO", REPLY_RCPT_SYNTAX, NULL, NULL, NULL},
                {"", REPLY_RCPT_SYNTAX, NULL, NULL, NULL},
                {"TO:<joe@ex.org> NOTIFY=NEVER", REPLY_PARAMETER_UNKNOWN, NULL, NULL, "joe@ex.org"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Arena) arena = arena_new(65536);
                Address a;
                Span path;

                g_test_message("%s", cases[i].args);
                g_assert_cmpint(command_parse_rcpt(arena, span_of(cases[i].args), FALSE, &a, &path), ==,
                                cases[i].reply);
                if (cases[i].path != NULL)
                        assert_span(path, cases[i].path);
                if (cases[i].reply != REPLY_NONE)
                        continue;
                assert_span(a.local, cases[i].local);
                assert_span(a.domain, cases[i].domain);
        }
}

static void
test_long_local_part(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        g_autofree char *name = g_strnfill(70, 'a');
        g_autofree char *args = g_strdup_printf("TO:<%s@ex.org>", name);
        Address a;
        Span path;

        g_assert_cmpint(command_parse_rcpt(arena, span_of(args), FALSE, &a, &path), ==, REPLY_RECIPIENT_ADDRESS);
}

static void
test_many_parameters(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        g_autoptr(GString) args = g_string_new("FROM:<a@b.example>");
        MailCommand mail;

        for (guint i = 0; i < 100; i++)
                g_string_append_printf(args, " AUTH=%u", i);
        g_assert_cmpint(command_parse_mail(arena, span_of(args->str), &mail), ==, REPLY_PARAMETER_SYNTAX);
}

static void
test_bdat(void)
{
        guint64 octets = 7;
        gboolean is_last = FALSE;

        g_assert_cmpint(command_parse_bdat(span_of("100"), &octets, &is_last), ==, REPLY_NONE);
        g_assert_cmpuint(octets, ==, 100);
        g_assert_false(is_last);
        g_assert_cmpint(command_parse_bdat(span_of("0 last"), &octets, &is_last), ==, REPLY_NONE);
        g_assert_cmpuint(octets, ==, 0);
        g_assert_true(is_last);

        static const char *const wrong[] = {
                "", "LAST", "-1", "+1", "0x10", "1 FIRST", "1 LAST LAST", "1LAST", "9999999999999999999999"};
        octets = 7;
        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
                g_assert_cmpint(command_parse_bdat(span_of(wrong[i]), &octets, &is_last), ==, REPLY_CHUNK_SYNTAX);
        g_assert_cmpuint(octets, ==, 7);
}

static void
test_auth(void)
{
        Span mechanism, initial;
        gboolean has_initial;

        g_assert_cmpint(command_parse_auth(span_of("PLAIN"), &mechanism, &has_initial, &initial), ==, REPLY_NONE);
        assert_span(mechanism, "PLAIN");
        g_assert_false(has_initial);
        g_assert_cmpint(command_parse_auth(span_of("PLAIN AGEAYg=="), &mechanism, &has_initial, &initial), ==,
                        REPLY_NONE);
        g_assert_true(has_initial);
        assert_span(initial, "AGEAYg==");
        g_assert_cmpint(command_parse_auth(span_of("PLAIN ="), &mechanism, &has_initial, &initial), ==, REPLY_NONE);
        g_assert_true(has_initial);
        g_assert_cmpuint(initial.len, ==, 0);
        g_assert_cmpint(command_parse_auth(SPAN_EMPTY, &mechanism, &has_initial, &initial), ==, REPLY_AUTH_MALFORMED);
        g_assert_cmpint(command_parse_auth(span_of("PLAIN a b"), &mechanism, &has_initial, &initial), ==,
                        REPLY_AUTH_MALFORMED);
}

/* RFC 2034 §4: on every reply of class 2, 4 and 5; its class is that of the code. */
static void
test_replies(void)
{
        for (int id = REPLY_NONE; id < REPLY_LAST; id++) {
                const SmtpReply *r = smtp_reply_of((SmtpReplyId) id);

                g_assert_cmpuint(r->code, >=, 200);
                g_assert_nonnull(r->text);
                if (r->code / 100 == 3)
                        g_assert_null(r->enhanced);
                else
                        g_assert_cmpint(r->enhanced[0] - '0', ==, r->code / 100);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/smtp/command/verb and arguments, no controls RFC 5321 §2.4", test_split);
        g_test_add_func("/smtp/command/hello wants a name RFC 5321 §4.1.1.1", test_hello);
        g_test_add_func("/smtp/command/MAIL and its parameters RFC 5321 §4.1.1.2", test_mail);
        g_test_add_func("/smtp/command/RCPT RFC 5321 §4.1.1.3", test_rcpt);
        g_test_add_func("/smtp/command/a local part over 64 octets RFC 5321 §4.5.3.1.1", test_long_local_part);
        g_test_add_func("/smtp/command/parameters are bounded", test_many_parameters);
        g_test_add_func("/smtp/command/BDAT RFC 3030 §2", test_bdat);
        g_test_add_func("/smtp/command/AUTH with and without initial response RFC 4954 §4", test_auth);
        g_test_add_func("/smtp/reply/enhanced codes of the right class RFC 2034 §4", test_replies);
        return g_test_run();
}

#include "mail/span_test.h"
#include "mail/summary_test.h"

static void
check(const char *header, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);

        assert_span(summary_of(arena, header).envelope, expected);
}

/* The From of a message whose other fields are missing, as it stands in the ENVELOPE. */
static void
check_from(const char *from, const char *expected)
{
        g_autofree char *header = g_strdup_printf("From: %s\r\n\r\n", from);
        g_autofree char *whole =
                g_strdup_printf("(NIL NIL %s %s %s NIL NIL NIL NIL NIL)", expected, expected, expected);

        check(header, whole);
}

static void
test_example(void)
{
        check("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
              "From: Terry Gray <gray@cac.washington.edu>\r\n"
              "Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
              "To: imap@cac.washington.edu\r\n"
              "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
              "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
              "MIME-Version: 1.0\r\n"
              "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n",
              "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" "
              "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
              "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
              "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
              "((NIL NIL \"imap\" \"cac.washington.edu\")) "
              "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) "
              "NIL NIL \"<B27397-0100000@cac.washington.edu>\")");
}

static void
test_missing_and_empty(void)
{
        check("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
        check("no header\r\n", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
        check("Date:\r\nSubject: \r\nFrom:\r\nTo: ,,\r\nIn-Reply-To:\r\nMessage-ID:\r\n\r\n",
              "(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")");
        /* A Sender or Reply-To without an address counts as none. */
        check("From: a@b\r\nSender:\r\nReply-To: (nobody)\r\n\r\n",
              "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)");
        check("From: a@b\r\nSender: c@d\r\nReply-To: e@f\r\nBcc: g@h\r\n\r\n",
              "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\")) NIL NIL "
              "((NIL NIL \"g\" \"h\")) NIL NIL)");
}

static void
test_names(void)
{
        check_from("\"Joe \\\"Q\\\" Doe\" <joe@example.org>", "((\"Joe \\\"Q\\\" Doe\" NIL \"joe\" \"example.org\"))");
        check_from("joe@example.org (Joe Doe)", "((\"Joe Doe\" NIL \"joe\" \"example.org\"))");
        check_from("=?utf-8?q?J=C3=B6e?= <joe@example.org>",
                   "((\"=?utf-8?q?J=C3=B6e?=\" NIL \"joe\" \"example.org\"))");
        check_from("Joe\r\n\tDoe <joe@example.org>", "((\"Joe Doe\" NIL \"joe\" \"example.org\"))");
        check_from("J\xc3\xb6"
                   "e <joe@example.org>",
                   "(({4}\r\nJ\xc3\xb6"
                   "e NIL \"joe\" \"example.org\"))");
        check_from("<joe@example.org>", "((NIL NIL \"joe\" \"example.org\"))");
}

static void
test_addresses(void)
{
        check_from("<@a.example,@b.example:joe@example.org>",
                   "((NIL \"@a.example,@b.example\" \"joe\" \"example.org\"))");
        check_from("\"joe doe\"@example.org", "((NIL NIL \"joe doe\" \"example.org\"))");
        check_from("joe . doe @ example . org", "((NIL NIL \"joe.doe\" \"example.org\"))");
        check_from("joe@[192.0.2.1]", "((NIL NIL \"joe\" \"[192.0.2.1]\"))");
        check_from("a@b, c@d,, e@f", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL \"e\" \"f\"))");
        /* What is no address still shows; its host is never NIL. */
        check_from("joe", "((NIL NIL \"joe\" \"\"))");
        check_from("Joe <>", "((\"Joe\" NIL \"\" \"\"))");
        check_from("joe doe@example.org", "((NIL NIL \"joe doe\" \"example.org\"))");
        check_from("two words", "((NIL NIL \"two words\" \"\"))");
        check_from("Joe <joe", "((\"Joe\" NIL \"joe\" \"\"))");
}

static void
test_groups(void)
{
        check_from("A Group:Ed <ed@a.test>,joe@where.test;",
                   "((NIL NIL \"A Group\" NIL)(\"Ed\" NIL \"ed\" \"a.test\")(NIL NIL \"joe\" \"where.test\")"
                   "(NIL NIL NIL NIL))");
        check_from("Undisclosed recipients:;", "((NIL NIL \"Undisclosed recipients\" NIL)(NIL NIL NIL NIL))");
        check_from("never: ends@b", "((NIL NIL \"never\" NIL)(NIL NIL \"ends\" \"b\")(NIL NIL NIL NIL))");
        check_from("a:; b@c, d:;", "((NIL NIL \"a\" NIL)(NIL NIL NIL NIL)(NIL NIL \"b\" \"c\")(NIL NIL \"d\" NIL)"
                                   "(NIL NIL NIL NIL))");
        check_from(":;", "((NIL NIL \"\" NIL)(NIL NIL NIL NIL))");
}

static void
test_several_fields(void)
{
        check("To: a@b\r\nTo: c@d\r\nSubject: one\r\nSubject: two\r\n\r\n",
              "(NIL \"one\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)");
}

static void
test_strings(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) at_limit = g_string_new("Subject: ");
        Span octets = span_make("Subject: a\0b\r\n\r\n", 16);

        check("Subject: one\r\n\ttwo  three\r\nIn-Reply-To: <a>\r\n  <b>\r\n\r\n",
              "(NIL \"one two three\" NIL NIL NIL NIL NIL NIL \"<a>  <b>\" NIL)");
        check("Subject: \"a\\b\"\r\n\r\n", "(NIL \"\\\"a\\\\b\\\"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
        check("Subject: \xff\x01\r\n\r\n", "(NIL {2}\r\n\xff\x01 NIL NIL NIL NIL NIL NIL NIL NIL)");
        assert_span(summary_of_octets(arena, octets).envelope, "(NIL {3}\r\na\x80"
                                                               "b NIL NIL NIL NIL NIL NIL NIL NIL)");

        for (guint i = 0; i < 1000; i++)
                g_string_append_c(at_limit, 'x');
        Span quoted = summary_of(arena, at_limit->str).envelope;
        g_assert_cmpuint(quoted.data[5], ==, '"');
        g_string_append_c(at_limit, 'x');
        Span literal = summary_of(arena, at_limit->str).envelope;
        g_assert_true(memcmp(literal.data, "(NIL {1001}\r\nxx", 15) == 0);
}

/* However large a header, the ENVELOPE is whole and has its bounds. */
static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) header = g_string_new("To: ");

        for (guint i = 0; i < 30000; i++)
                g_string_append(header, "a:;b@c,");
        g_string_append(header, "\r\nSubject: ");
        for (guint i = 0; i < 300000; i++)
                g_string_append_c(header, 'x');
        g_string_append(header, "\r\nMessage-ID: <a@b>\r\n\r\n");
        Span envelope = summary_of(arena, header->str).envelope;
        g_assert_cmpuint(envelope.len, <, 3 * SUMMARY_WIRE_MAX);
        assert_span(span_slice(envelope, 0, 8), "(NIL NIL");
        g_assert_cmpuint(envelope.data[envelope.len - 1], ==, ')');
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/envelope/example RFC 9051 §8", test_example);
        g_test_add_func("/mail/envelope/missing-is-nil-empty-is-empty RFC 9051 §7.5.2", test_missing_and_empty);
        g_test_add_func("/mail/envelope/names-stay-as-received", test_names);
        g_test_add_func("/mail/envelope/addresses RFC 9051 §7.5.2", test_addresses);
        g_test_add_func("/mail/envelope/groups RFC 9051 §7.5.2", test_groups);
        g_test_add_func("/mail/envelope/fields-that-stand-twice", test_several_fields);
        g_test_add_func("/mail/envelope/quoted-or-literal RFC 9051 §4.3", test_strings);
        g_test_add_func("/mail/envelope/limits", test_limits);
        return g_test_run();
}

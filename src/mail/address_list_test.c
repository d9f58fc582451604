#include "base/text.h"
#include "mail/address.h"
#include "mail/span_test.h"

/* A list as one line: each mailbox "name|local|domain", "group/" in front when it stands in one, "!text" when it is
 * none. */
static char *
list_to_text(Span body)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        g_autoptr(GString) text = g_string_new(NULL);
        ListedAddress *list;
        gsize n;

        g_assert_true(address_list_parse(arena, body, &list, &n));
        for (gsize i = 0; i < n; i++) {
                const ListedAddress *m = &list[i];
                g_autofree char *name = span_dup(m->display_name);
                g_autofree char *local = span_dup(m->address.local);
                g_autofree char *domain = span_dup(m->address.domain);
                g_autofree char *group = span_dup(m->group);

                g_string_append_printf(text, "%s%s%s", i > 0 ? " " : "", group, m->group.len > 0 ? "/" : "");
                if (m->is_valid)
                        g_string_append_printf(text, "%s|%s|%s", name, local, domain);
                else
                        g_string_append_printf(text, "!%s", name);
        }
        return g_string_free(g_steal_pointer(&text), FALSE);
}

typedef struct Case {
        const char *body, *expected;
} Case;

static void
check(const Case *cases, gsize n)
{
        for (gsize i = 0; i < n; i++) {
                g_autofree char *found = list_to_text(span_of(cases[i].body));

                g_assert_cmpstr(found, ==, cases[i].expected);
        }
}

static void
test_appendix_a(void)
{
        static const Case cases[] = {
                {" John Doe <jdoe@machine.example>\r\n", "John Doe|jdoe|machine.example"},
                {" Mary Smith <mary@example.net>\r\n", "Mary Smith|mary|example.net"},
                {" \"Joe Q. Public\" <john.q.public@example.com>\r\n", "Joe Q. Public|john.q.public|example.com"},
                {" Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>\r\n",
                 "Mary Smith|mary|x.test |jdoe|example.org Who?|one|y.test"},
                {" <boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>\r\n",
                 "|boss|nil.test Giant; \"Big\" Box|sysservices|example.net"},
                {" A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;\r\n",
                 "A Group/Ed Jones|c|a.test A Group/|joe|where.test A Group/John|jdoe|one.test"},
                {" Undisclosed recipients:;\r\n", "Undisclosed recipients/!"},
                /* A.5: white space, comments and folding wherever they may stand. */
                {" Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>\r\n", "Pete|pete|silly.test"},
                {"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
                 "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)\r\n",
                 "A Group/Chris Jones|c|public.example A Group/|joe|example.org A Group/John|jdoe|one.test"},
                {"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;\r\n", "Hidden recipients/!"},
                /* A.6.1 and A.6.3: obsolete addressing. */
                {" Joe Q. Public <john.q.public@example.com>\r\n", "Joe Q. Public|john.q.public|example.com"},
                {" Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example\r\n",
                 "Mary Smith|mary|example.net |jdoe|test.example"},
                {" John Doe <jdoe@machine(comment).  example>\r\n", "John Doe|jdoe|machine.example"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_obsolete(void)
{
        static const Case cases[] = {
                {"pete . silly @ ex.org", "|pete.silly|ex.org"},
                {"\"pete\".\"silly goose\"@ex.org", "|pete.silly goose|ex.org"},
                {"<@a.example,@b.example:joe@ex.org>", "|joe|ex.org"},
                {"joe@[192.0.2.1], <joe@[IPv6:2001:DB8::1]>", "|joe|[192.0.2.1] |joe|[ipv6:2001:db8::1]"},
                {",,joe@ex.org,,,ann@ex.org,", "|joe|ex.org |ann|ex.org"},
                {"", ""},
                {" (nobody) ", ""},
                {"joe@EX.Org.", "|joe|ex.org"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_names(void)
{
        static const Case cases[] = {
                {"=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>", "Andr\xc3\xa9 Pirard|PIRARD|vm1.ulg.ac.be"},
                {"joe@ex.org (Joe Doe)", "Joe Doe|joe|ex.org"},
                {"<joe@ex.org> (=?utf-8?B?SsO2cmc=?=)", "J\xc3\xb6rg|joe|ex.org"},
                {"Joe <joe@ex.org> (at work)", "Joe|joe|ex.org"},
                {"\"Joe  \\\"J\\\" Doe\" (x) the\r\n\tFirst <joe@ex.org>", "Joe  \"J\" Doe the First|joe|ex.org"},
                {"J\xc3\xb6rg <joe@ex.org>", "J\xc3\xb6rg|joe|ex.org"},
                {"J\xf6rg <joe@ex.org>", "J\xef\xbf\xbdrg|joe|ex.org"},
                {"J\xc3\xb6rg@b\xc3\xbc"
                 "cher.example",
                 "|J\xc3\xb6rg|xn--bcher-kva.example"},
                {"joe@ex.org <ann@ex.org>", "joe@ex.org|ann|ex.org"},
                {"joe@ex.org ((Joe Doe))", "(Joe Doe)|joe|ex.org"},
                {"David H=?ISO-8859-1?B?9g==?=hn <dh@ex.org>", "David H\xc3\xb6hn|dh|ex.org"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

/* Forms that no grammar has (doc/in-the-wild.md). */
static void
test_wild(void)
{
        static const Case cases[] = {
                {"a@ex.org; b@ex.org", "|a|ex.org |b|ex.org"},
                {"joe..doe.@ex.org", "|joe..doe.|ex.org"},
                {"\"=?utf-8?Q?J=C3=B6rg?=\" <joe@ex.org>", "J\xc3\xb6rg|joe|ex.org"},
                {"Joe <joe@ex.org, Ann <ann@ex.org>", "Joe|joe|ex.org Ann|ann|ex.org"},
                {"Joe <joe@ex.org", "Joe|joe|ex.org"},
                {"\"Joe <joe@ex.org>, ann@ex.org", "\"Joe|joe|ex.org |ann|ex.org"},
                {"Joe (the <joe@ex.org>, ann@ex.org", "Joe (the|joe|ex.org |ann|ex.org"},
                {"friends: a@ex.org, b@ex.org", "friends/|a|ex.org friends/|b|ex.org"},
                {"[list] joe <joe@ex.org>", "[list] joe|joe|ex.org"},
                {"Joe, Doe <joe@ex.org>", "!Joe Doe|joe|ex.org"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_unreadable(void)
{
        static const Case cases[] = {
                {"root, joe@ex.org", "!root |joe|ex.org"},
                {"joe doe@ex.org, ann@ex.org", "!joe doe@ex.org |ann|ex.org"},
                {"joe@ex org, joe@, @ex.org, ann@ex.org", "!joe@ex org !joe@ !@ex.org |ann|ex.org"},
                {"joe@-ex.org, joe@192.0.2.1", "!joe@-ex.org !joe@192.0.2.1"},
                {"\"\"@ex.org, \"a\\\tb\"@ex.org, <>", "!\"\"@ex.org !\"a\\\tb\"@ex.org !<>"},
                {"j\xf6rg@ex.org", "!j\xef\xbf\xbdrg@ex.org"},
                {"a@b@ex.org", "!a@b@ex.org"},
                {"<<joe@ex.org>>", "!<<joe@ex.org>>"},
                {"mailing list joe@ex.org", "!mailing list joe@ex.org"},
                {"<Undisclosed-Recipient:;@ex.org>", "!<Undisclosed-Recipient:;@ex.org>"},
                {"\"\" <>", "!\"\" <>"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_nul(void)
{
        static const char body[] = "jo\0e@ex.org, ann\0 <ann@ex.org>";
        g_autofree char *found = list_to_text(span_make(body, sizeof(body) - 1));

        g_assert_cmpstr(found, ==, "!jo?e@ex.org ann?|ann|ex.org");
}

static void
test_limit(void)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        g_autoptr(GString) body = g_string_new(NULL);
        ListedAddress *list;
        gsize n;

        for (guint i = 0; i < ADDRESS_LIST_MAX; i++)
                g_string_append_printf(body, "a%u@ex.org,", i);
        g_assert_true(address_list_parse(arena, span_make(body->str, body->len), &list, &n));
        g_assert_cmpuint(n, ==, ADDRESS_LIST_MAX);
        g_string_append(body, "one@too.many");
        g_assert_false(address_list_parse(arena, span_make(body->str, body->len), &list, &n));
        g_assert_cmpuint(n, ==, ADDRESS_LIST_MAX);
        assert_span(list[n - 1].address.local, "a9999");
}

/* What opens and never closes, a megabyte of it: done at once or not within the time of the test. */
static void
test_unclosed_is_linear(void)
{
        static const char *const pieces[] = {"(",  "\"\\", "<",      "[",     "<a,",
                                             "(<", "a:",   "=?a?q?", "(a@b,", "((a@b <c@d>,"};

        for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
                g_autoptr(Arena) arena = arena_new(8 * 1024 * 1024);
                g_autoptr(GString) body = g_string_new(NULL);
                ListedAddress *list;
                gsize n;

                while (body->len < 1024 * 1024)
                        g_string_append(body, pieces[i]);
                if (!address_list_parse(arena, span_make(body->str, body->len), &list, &n))
                        g_assert_true(n == ADDRESS_LIST_MAX || arena_is_over(arena));
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/address-list/examples RFC 5322 appendix A", test_appendix_a);
        g_test_add_func("/mail/address-list/obsolete-forms RFC 5322 §4.4", test_obsolete);
        g_test_add_func("/mail/address-list/display-names RFC 5322 §3.4, RFC 2047 §5", test_names);
        g_test_add_func("/mail/address-list/forms-that-no-grammar-has", test_wild);
        g_test_add_func("/mail/address-list/unreadable-entries-spoil-no-other", test_unreadable);
        g_test_add_func("/mail/address-list/nul-is-no-end-of-text", test_nul);
        g_test_add_func("/mail/address-list/ten-thousand-and-no-more", test_limit);
        g_test_add_func("/mail/address-list/unclosed-quotes-and-brackets-are-linear", test_unclosed_is_linear);
        return g_test_run();
}

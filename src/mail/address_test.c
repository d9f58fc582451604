#include "mail/address.h"
#include "mail/span_test.h"

#define L10 "abcdefghij"
#define L60 L10 L10 L10 L10 L10 L10
#define L63 L60 "abc"

typedef struct PathCase {
        const char *path; /* with its brackets */
        gboolean allow_utf8;
        AddressAnswer answer;
        const char *local, *domain;
        const char *text; /* as written back; NULL: local@domain */
} PathCase;

static void
check_path(const PathCase *c)
{
        g_autoptr(Arena) arena = arena_new(65536);
        g_autofree char *line = g_strconcat(c->path, " SIZE=1", NULL);
        Scan s = scan_from(span_of(line));
        Address a = {SPAN_EMPTY, SPAN_EMPTY};
        AddressAnswer answer = address_scan_path(arena, &s, c->allow_utf8, &a);

        g_test_message("%s", c->path);
        g_assert_cmpint(answer, ==, c->answer);
        if (answer != ADDRESS_OK) {
                g_assert_true(s.at == (const guint8 *) line);
                g_assert_true(address_is_null(&a));
                return;
        }
        g_assert_true(span_equal(scan_rest(&s), span_of(" SIZE=1")));
        assert_span(a.local, c->local);
        assert_span(a.domain, c->domain);

        /* What is written reads back as the same. */
        Span text = address_text(arena, &a);
        Address again;
        g_assert_cmpint(address_parse(arena, text, TRUE, &again), ==, ADDRESS_OK);
        g_assert_true(span_equal(a.local, again.local) && span_equal(a.domain, again.domain));
        if (c->text != NULL)
                assert_span(text, c->text);
}

#define OK_(path, local, domain)                                                                                       \
        {                                                                                                              \
                path, FALSE, ADDRESS_OK, local, domain, NULL                                                           \
        }
#define OK_TEXT(path, local, domain, txt)                                                                              \
        {                                                                                                              \
                path, FALSE, ADDRESS_OK, local, domain, txt                                                            \
        }
#define NOT_(path, why)                                                                                                \
        {                                                                                                              \
                path, FALSE, why, NULL, NULL, NULL                                                                     \
        }

static void
test_paths(void)
{
        static const PathCase cases[] = {
                OK_("<joe@ex.org>", "joe", "ex.org"),
                OK_("<Joe.Doe+news@EX.Org>", "Joe.Doe+news", "ex.org"),
                OK_("<joe@ex.org.>", "joe", "ex.org"),
                OK_("<!#$%&'*+-/=?^_`{|}~@ex.org>", "!#$%&'*+-/=?^_`{|}~", "ex.org"),
                OK_("<joe@my_host.ex.org>", "joe", "my_host.ex.org"),
                OK_("<joe@1.2.3.4.example>", "joe", "1.2.3.4.example"),
                OK_("<joe@localhost>", "joe", "localhost"),
                OK_("<joe@xn--bcher-kva.example>", "joe", "xn--bcher-kva.example"),
                NOT_("joe@ex.org", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@ex.org", ADDRESS_BAD_SYNTAX),
                NOT_("<joe>", ADDRESS_BAD_SYNTAX),
                NOT_("<@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@>", ADDRESS_BAD_SYNTAX),
                NOT_("< joe@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@ex.org >", ADDRESS_BAD_SYNTAX),
                NOT_("<joe doe@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<.joe@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe.@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe..doe@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<../x@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@ex.org(office)>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@ex.org\r\n>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@ex..org>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@.ex.org>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@ex.org..>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@-ex.org>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@ex-.org>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@ex.org->", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@.>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@192.0.2.1>", ADDRESS_BAD_DOMAIN),
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                check_path(&cases[i]);
}

static void
test_special_paths(void)
{
        static const PathCase cases[] = {
                OK_TEXT("<>", "", "", ""),
                OK_TEXT("<postmaster>", "postmaster", "", "postmaster"),
                OK_("<PostMaster>", "PostMaster", ""),
                OK_("<\"postmaster\">", "postmaster", ""),
                OK_("<postmaster@ex.org>", "postmaster", "ex.org"),
                NOT_("<abuse>", ADDRESS_BAD_SYNTAX),
                NOT_("<\"\">", ADDRESS_BAD_SYNTAX),
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                check_path(&cases[i]);
}

static void
test_source_routes(void)
{
        static const PathCase cases[] = {
                OK_("<@a.example:joe@ex.org>", "joe", "ex.org"),
                OK_("<@a.example,@b.example:joe@ex.org>", "joe", "ex.org"),
                OK_("<@[192.0.2.1],@b.example:joe@ex.org>", "joe", "ex.org"),
                OK_("<@a.example:\"@b\"@ex.org>", "@b", "ex.org"),
                NOT_("<@a.example>", ADDRESS_BAD_SYNTAX),
                NOT_("<@a.example:>", ADDRESS_BAD_SYNTAX),
                NOT_("<@a.example,b.example:joe@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<@:joe@ex.org>", ADDRESS_BAD_SYNTAX),
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                check_path(&cases[i]);
}

/* `%`, `!` and quoted `@` are text of the local part, whatever they meant in 1985. */
static void
test_no_second_parse(void)
{
        static const PathCase cases[] = {
                OK_("<victim%other.org@ex.org>", "victim%other.org", "ex.org"),
                OK_("<other.org!victim@ex.org>", "other.org!victim", "ex.org"),
                OK_TEXT("<\"victim@other.org\"@ex.org>", "victim@other.org", "ex.org", "\"victim@other.org\"@ex.org"),
                NOT_("<victim@other.org@ex.org>", ADDRESS_BAD_SYNTAX),
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                check_path(&cases[i]);
}

static void
test_quoted(void)
{
        static const PathCase cases[] = {
                OK_TEXT("<\"joe\"@ex.org>", "joe", "ex.org", "joe@ex.org"),
                OK_TEXT("<\"j\\o\\e\"@ex.org>", "joe", "ex.org", "joe@ex.org"),
                OK_TEXT("<\"joe doe\"@ex.org>", "joe doe", "ex.org", "\"joe doe\"@ex.org"),
                OK_TEXT("<\"a>b\\\"c\\\\d\"@ex.org>", "a>b\"c\\d", "ex.org", "\"a>b\\\"c\\\\d\"@ex.org"),
                OK_TEXT("<\".joe.\"@ex.org>", ".joe.", "ex.org", "\".joe.\"@ex.org"),
                NOT_("<\"\"@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<\"joe@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<\"joe\\", ADDRESS_BAD_SYNTAX),
                NOT_("<\"a\tb\"@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<\"a\\\nb\"@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<\"a\"b@ex.org>", ADDRESS_BAD_SYNTAX),
                NOT_("<\"a\".b@ex.org>", ADDRESS_BAD_SYNTAX),
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                check_path(&cases[i]);
}

static void
test_literals(void)
{
        static const PathCase cases[] = {
                OK_("<joe@[192.0.2.1]>", "joe", "[192.0.2.1]"),
                OK_("<joe@[IPv6:2001:DB8::1]>", "joe", "[ipv6:2001:db8::1]"),
                OK_("<joe@[ipv6:2001:db8:0:0:0:0:0:1]>", "joe", "[ipv6:2001:db8::1]"),
                OK_("<joe@[IPv6:::ffff:192.0.2.1]>", "joe", "[ipv6:::ffff:192.0.2.1]"),
                NOT_("<joe@[192.0.2.256]>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@[192.0.2]>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@[192.0.2.1 ]>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@[2001:db8::1]>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@[IPv6:]>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@[]>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@[x400:c=us]>", ADDRESS_BAD_DOMAIN),
                NOT_("<joe@[192.0.2.1>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@[192.0.2.1].org>", ADDRESS_BAD_SYNTAX),
                NOT_("<joe@[" L63 "]>", ADDRESS_BAD_DOMAIN),
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                check_path(&cases[i]);
}

static void
test_limits(void)
{
        static const PathCase cases[] = {
                OK_("<" L60 "abcd@ex.org>", L60 "abcd", "ex.org"),
                NOT_("<" L60 "abcde@ex.org>", ADDRESS_TOO_LONG),
                OK_("<\"" L60 "\\a\\b\\c\\d\"@ex.org>", L60 "abcd", "ex.org"),
                OK_("<joe@" L63 ".example>", "joe", L63 ".example"),
                NOT_("<joe@" L63 "d.example>", ADDRESS_BAD_DOMAIN),
                OK_("<joe@" L63 "." L63 "." L63 "." L63 ">", "joe", L63 "." L63 "." L63 "." L63),
                NOT_("<joe@" L63 "." L63 "." L63 "." L60 ".abc>", ADDRESS_TOO_LONG),
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                check_path(&cases[i]);
}

static void
test_path_limit(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        g_autoptr(GString) path = g_string_new("<@a");
        Address a;

        while (path->len < ADDRESS_PATH_MAX - 10)
                g_string_append(path, ",@a");
        g_string_append(path, ":b@c.d>");
        Scan s = scan_from(span_make(path->str, path->len));
        g_assert_cmpint(address_scan_path(arena, &s, FALSE, &a), ==, ADDRESS_OK);

        g_string_insert(path, 3, ",@a,@a,@a");
        s = scan_from(span_make(path->str, path->len));
        g_assert_cmpint(address_scan_path(arena, &s, FALSE, &a), ==, ADDRESS_TOO_LONG);
        g_assert_cmpint(address_parse(arena, span_make(path->str, path->len), FALSE, &a), ==, ADDRESS_TOO_LONG);
}

static void
test_utf8(void)
{
        static const PathCase cases[] = {
                {"<j\xc3\xb6rg@ex.org>", FALSE, ADDRESS_NOT_ASCII, NULL, NULL, NULL},
                {"<\"j\xc3\xb6rg\"@ex.org>", FALSE, ADDRESS_NOT_ASCII, NULL, NULL, NULL},
                {"<joe@b\xc3\xbc"
                 "cher.example>",
                 FALSE, ADDRESS_NOT_ASCII, NULL, NULL, NULL},
                {"<j\xc3\xb6rg@ex.org>", TRUE, ADDRESS_OK, "j\xc3\xb6rg", "ex.org", "j\xc3\xb6rg@ex.org"},
                {"<joe@b\xc3\xbc"
                 "cher.example>",
                 TRUE, ADDRESS_OK, "joe", "xn--bcher-kva.example", NULL},
                {"<joe@B\xc3\x9c"
                 "CHER.Example>",
                 TRUE, ADDRESS_OK, "joe", "xn--bcher-kva.example", NULL},
                {"<joe@fa\xc3\x9f.de>", TRUE, ADDRESS_OK, "joe", "xn--fa-hia.de", NULL},
                {"<j\xf6rg@ex.org>", TRUE, ADDRESS_BAD_SYNTAX, NULL, NULL, NULL},
                {"<joe@b\xfc"
                 "cher.example>",
                 TRUE, ADDRESS_BAD_DOMAIN, NULL, NULL, NULL},
                {"<joe@\xe2\x98\x83\xef\xbf\xbd.example>", TRUE, ADDRESS_BAD_DOMAIN, NULL, NULL, NULL},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                check_path(&cases[i]);
}

static void
test_nul(void)
{
        static const char path[] = "<jo\0e@ex.org>", literal[] = "[192.0.2.1\0]", name[] = "ex\0.org",
                          unicode[] = "\xc3\xbc\0.org";
        g_autoptr(Arena) arena = arena_new(65536);
        Scan s = scan_from(span_make(path, sizeof(path) - 1));
        Address a;
        Span d;

        g_assert_cmpint(address_scan_path(arena, &s, TRUE, &a), ==, ADDRESS_BAD_SYNTAX);
        g_assert_cmpint(address_parse_domain(arena, span_make(literal, sizeof(literal) - 1), &d), ==,
                        ADDRESS_BAD_DOMAIN);
        g_assert_cmpint(address_parse_domain(arena, span_make(name, sizeof(name) - 1), &d), ==, ADDRESS_BAD_DOMAIN);
        g_assert_cmpint(address_parse_domain(arena, span_make(unicode, sizeof(unicode) - 1), &d), ==,
                        ADDRESS_BAD_DOMAIN);
}

static void
test_parse_bare(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        Address a;

        g_assert_cmpint(address_parse(arena, span_of("joe@Ex.org"), FALSE, &a), ==, ADDRESS_OK);
        g_assert_true(span_equal(a.domain, span_of("ex.org")));
        g_assert_cmpint(address_parse(arena, span_of("joe@ex.org,ann@ex.org"), FALSE, &a), ==, ADDRESS_BAD_SYNTAX);
        g_assert_cmpint(address_parse(arena, span_of("<joe@ex.org>"), FALSE, &a), ==, ADDRESS_BAD_SYNTAX);
        g_assert_cmpint(address_parse(arena, SPAN_EMPTY, FALSE, &a), ==, ADDRESS_OK);
        g_assert_true(address_is_null(&a));
}

static void
test_equal(void)
{
        Address joe = {span_of("Joe"), span_of("ex.org")};
        Address same = {span_of("JOE"), span_of("ex.org")};
        Address other = {span_of("joe"), span_of("ex.net")};

        g_assert_true(address_equal(&joe, &same));
        g_assert_false(address_equal(&joe, &other));
}

static void
test_arena_over(void)
{
        g_autoptr(Arena) arena = arena_new(16);
        Address a = {SPAN_EMPTY, SPAN_EMPTY};

        g_assert_cmpint(address_parse(arena, span_of("joe@A.VERY.LONG.NAME.EXAMPLE"), FALSE, &a), ==, ADDRESS_TOO_LONG);
        g_assert_true(address_is_null(&a));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/address/mailbox RFC 5321 §4.1.2", test_paths);
        g_test_add_func("/mail/address/null-sender-and-bare-postmaster RFC 5321 §4.5.1, §4.5.5", test_special_paths);
        g_test_add_func("/mail/address/source-routes-are-dropped RFC 5321 appendix C", test_source_routes);
        g_test_add_func("/mail/address/percent-bang-and-quoted-at-stay-text", test_no_second_parse);
        g_test_add_func("/mail/address/quoted-local-parts RFC 5321 §4.1.2", test_quoted);
        g_test_add_func("/mail/address/literals RFC 5321 §4.1.3", test_literals);
        g_test_add_func("/mail/address/length-of-parts RFC 5321 §4.5.3.1", test_limits);
        g_test_add_func("/mail/address/length-of-path", test_path_limit);
        g_test_add_func("/mail/address/utf8-only-with-smtputf8 RFC 6531 §3.3", test_utf8);
        g_test_add_func("/mail/address/nul-is-no-end-of-text", test_nul);
        g_test_add_func("/mail/address/bare-form-has-nothing-behind", test_parse_bare);
        g_test_add_func("/mail/address/equal-without-case", test_equal);
        g_test_add_func("/mail/address/arena-over-is-an-answer", test_arena_over);
        return g_test_run();
}

#include "mail/mime.h"
#include "mail/span_test.h"

/* "type/subtype; name=value; ..." of what was read. */
static char *
type_to_text(Arena *arena, Span body, gboolean *ret_is_valid)
{
        g_autoptr(GString) text = g_string_new(NULL);
        ContentType t;

        *ret_is_valid = content_type_parse(arena, body, &t);
        g_string_append_len(text, (const char *) t.type.data, (gssize) t.type.len);
        g_string_append_c(text, '/');
        g_string_append_len(text, (const char *) t.subtype.data, (gssize) t.subtype.len);
        for (gsize i = 0; i < t.n_params; i++) {
                g_autofree char *name = span_dup(t.params[i].name);
                g_autofree char *value = span_dup(t.params[i].value);

                g_string_append_printf(text, "; %s=%s", name, value);
        }
        return g_string_free(g_steal_pointer(&text), FALSE);
}

typedef struct Case {
        const char *body, *expected; /* expected NULL: broken, text/plain */
} Case;

static void
check(const Case *cases, gsize n)
{
        g_autoptr(Arena) arena = arena_new(1024 * 1024);

        for (gsize i = 0; i < n; i++) {
                gboolean is_valid;
                g_autofree char *found = type_to_text(arena, span_of(cases[i].body), &is_valid);
                const char *expected = cases[i].expected;

                g_assert_cmpstr(found, ==, expected != NULL ? expected : "text/plain");
                g_assert_true(is_valid == (expected != NULL));
        }
}

static void
test_types(void)
{
        static const Case cases[] = {
                {" text/plain; charset=us-ascii (Plain text)\r\n", "text/plain; charset=us-ascii"},
                {" text/plain; charset=\"us-ascii\"\r\n", "text/plain; charset=us-ascii"},
                {"TEXT/HTML;Charset=UTF-8;\r\n\tformat=flowed", "text/html; charset=UTF-8; format=flowed"},
                {" (a;b) text (c) / (d) plain (e;f) ; (g) charset (h) = (i) x (j)", "text/plain; charset=x"},
                {"multipart/mixed; boundary=\"gc0pJq0M:08jU534c0p\"", "multipart/mixed; boundary=gc0pJq0M:08jU534c0p"},
                {"application/octet-stream; name=\"a\\\"b\\\\c;d\"", "application/octet-stream; name=a\"b\\c;d"},
                {"text/plain; a=\"\"; b=1", "text/plain; a=; b=1"},
                {"application/vnd.ms-excel", "application/vnd.ms-excel"},
                {" text\r\n", NULL},
                {"", NULL},
                {"/plain", NULL},
                {"text/", NULL},
                {"=?utf-8?q?text?=/plain", NULL},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_rfc2231(void)
{
        static const Case cases[] = {
                {" message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n "
                 "URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/"
                 "bulk-mailer.tar\"\r\n",
                 "message/external-body; access-type=URL; url=ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"},
                {" application/x-stuff;\r\n title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A\r\n",
                 "application/x-stuff; title=This is ***fun***"},
                {" application/x-stuff;\r\n title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n"
                 " title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"\r\n",
                 "application/x-stuff; title=This is even more ***fun*** isn't it!"},
                {"a/b; name*1=two; name*0=one; name*4=lost; name*2=three", "a/b; name=onetwothree"},
                {"a/b; name*=iso-8859-1''%E9t%E9.txt; name=\"ete.txt\"", "a/b; name=\xc3\xa9t\xc3\xa9.txt"},
                {"a/b; name=\"ete.txt\"; name*0*=utf-8''%C3; name*1*=%A9.txt", "a/b; name=\xc3\xa9.txt"},
                {"a/b; name*=%C3%A9", "a/b; name=\xc3\xa9"},
                {"a/b; name*=x-unknown''%C3%A9%FF", "a/b; name=\xc3\xa9\xef\xbf\xbd"},
                {"a/b; name*1=lost", "a/b"},
                {"a/b; name*x=lost; name**=lost; name*99999=lost", "a/b"},
                {"a/b; name*=utf-8''a%2", "a/b; name=a%2"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_wild(void)
{
        static const Case cases[] = {
                {"application/pdf; name=my report.pdf", "application/pdf; name=my report.pdf"},
                {"application/pdf; name==?utf-8?Q?=C3=A9.pdf?=", "application/pdf; name=\xc3\xa9.pdf"},
                {"application/pdf; name=\"=?iso-8859-1?Q?=E9.pdf?=\"", "application/pdf; name=\xc3\xa9.pdf"},
                {"application/pdf; name=\"\xe9.pdf\"", "application/pdf; name=\xef\xbf\xbd.pdf"},
                {"application/pdf; name=\"\xc3\xa9.pdf\"", "application/pdf; name=\xc3\xa9.pdf"},
                {"application/pdf; name=\"a\r\n b.pdf\"", "application/pdf; name=a b.pdf"},
                {"application/pdf; name=a\r\n b.pdf; x=y", "application/pdf; name=a b.pdf; x=y"},
                {"text/plain;;;;;;;;;;;; ;;;;;;;;;;;;;;;; ;", "text/plain"},
                {"text/plain;; charset = utf-8 ;", "text/plain; charset=utf-8"},
                {"text/plain charset=utf-8; format=flowed", "text/plain; format=flowed"},
                {"text/plain; \"junk\"; charset=utf-8", "text/plain; charset=utf-8"},
                {"text/plain; charset=\"utf-8", "text/plain; charset=\"utf-8"},
                {"text/plain; charset='utf-8'", "text/plain; charset='utf-8'"},
                {"text/plain; a=\"x\ny\"", "text/plain; a=xy"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

/* A boundary is compared with lines: nobody may decode or mend it. */
static void
test_boundary_is_octets(void)
{
        static const Case cases[] = {
                {"multipart/mixed; boundary=\"=?utf-8?Q?x?=\"", "multipart/mixed; boundary==?utf-8?Q?x?="},
                {"multipart/mixed; boundary=\"\xe9\"", "multipart/mixed; boundary=\xe9"},
                {"multipart/mixed; boundary=\"a\\\"b\"", "multipart/mixed; boundary=a\"b"},
        };

        check(cases, G_N_ELEMENTS(cases));
}

static void
test_disposition(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        const Param *params;
        Span kind;
        gsize n;

        g_assert_true(disposition_parse(arena,
                                        span_of(" ATTACHMENT; filename=genome.jpeg;\r\n modification-date=\"Wed, "
                                                "12 Feb 1997 16:29:51 -0500\";\r\n"),
                                        &kind, &params, &n));
        assert_span(kind, "attachment");
        assert_span(param_find(params, n, "FILENAME"), "genome.jpeg");
        assert_span(param_find(params, n, "modification-date"), "Wed, 12 Feb 1997 16:29:51 -0500");
        g_assert_cmpuint(param_find(params, n, "size").len, ==, 0);
        g_assert_false(disposition_parse(arena, span_of("; filename=x"), &kind, &params, &n));
        assert_span(kind, "attachment");
}

static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(1024 * 1024);
        g_autoptr(GString) body = g_string_new("text/plain");
        ContentType t;

        for (guint i = 0; i < 1000; i++)
                g_string_append_printf(body, "; p%u=v", i);
        g_assert_true(content_type_parse(arena, span_make(body->str, body->len), &t));
        g_assert_cmpuint(t.n_params, ==, MESSAGE_PARAMS_MAX);
        assert_span(t.params[127].name, "p127");

        g_string_assign(body, "text/plain; name=\"");
        while (body->len < 1024 * 1024)
                g_string_append(body, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        g_assert_true(content_type_parse(arena, span_make(body->str, body->len), &t));
        g_assert_cmpuint(param_find(t.params, t.n_params, "name").len, <=, MESSAGE_TYPE_MAX);
}

static void
test_arena_over(void)
{
        g_autoptr(Arena) arena = arena_new(16);
        ContentType t;

        g_assert_false(content_type_parse(arena, span_of("TEXT/HTML; CHARSET=utf-8; a=b"), &t));
        assert_span(t.subtype, "plain");
}

static void
test_transfer_encoding(void)
{
        static const struct {
                const char *body;
                TransferEncoding encoding;
        } cases[] = {
                {"", TRANSFER_7BIT},
                {" (only a comment)\r\n", TRANSFER_7BIT},
                {" 7bit\r\n", TRANSFER_7BIT},
                {" 8BIT", TRANSFER_8BIT},
                {" Binary", TRANSFER_BINARY},
                {" (c) Quoted-Printable (d)", TRANSFER_QUOTED_PRINTABLE},
                {" BASE64;", TRANSFER_BASE64},
                {" x-uuencode", TRANSFER_UNKNOWN},
                {" base64x", TRANSFER_UNKNOWN},
                {" =", TRANSFER_UNKNOWN},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                g_assert_cmpint(transfer_encoding_parse(span_of(cases[i].body)), ==, cases[i].encoding);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/content-type/type-and-parameters RFC 2045 §5.1", test_types);
        g_test_add_func("/mail/content-type/continuations-and-charsets RFC 2231 §3, §4", test_rfc2231);
        g_test_add_func("/mail/content-type/as-the-world-writes-it", test_wild);
        g_test_add_func("/mail/content-type/boundary-keeps-its-octets", test_boundary_is_octets);
        g_test_add_func("/mail/content-type/disposition RFC 2183 §2", test_disposition);
        g_test_add_func("/mail/content-type/transfer-encoding RFC 2045 §6", test_transfer_encoding);
        g_test_add_func("/mail/content-type/limits", test_limits);
        g_test_add_func("/mail/content-type/arena-over-is-an-answer", test_arena_over);
        return g_test_run();
}

/* bearer_test.c -- messages of OAUTHBEARER. */
#include "auth/bearer.h"

typedef struct Case {
        const char *message;
        BearerStep step;
        const char *authzid, *token;
} Case;

static void
test_messages(void)
{
        static const Case CASES[] = {
                /* RFC 7628 §4.1, its SMTP sibling, and one without anything that can be left out */
                {"n,a=user@example.com,\001host=server.example.com\001port=143\001auth=Bearer "
                 "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001",
                 BEARER_TOKEN, "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
                {"n,a=user@example.com,\001host=server.example.com\001port=587\001auth=Bearer a.b-c_d~e+f/g\001\001",
                 BEARER_TOKEN, "user@example.com", "a.b-c_d~e+f/g"},
                {"n,,\001auth=bearer x\001\001", BEARER_TOKEN, "", "x"},
                {"y,,\001auth=BEARER   x  \001\001", BEARER_TOKEN, "", "x"},
                {"n,a=a=2Cb=3Dc,\001auth=Bearer x\001\001", BEARER_TOKEN, "a,b=c", "x"},
                {"n,,\001auth=Bearer x\001new=any thing\r\n\tgoes\001\001", BEARER_TOKEN, "", "x"},
                {"n,,\001x=\001auth=Bearer x\001\001", BEARER_TOKEN, "", "x"},
                /* §4.3: where are tokens had? */
                {"n,a=joe,\001auth=\001\001", BEARER_ASKS, "joe", ""},
                {"n,,\001auth= \001\001", BEARER_ASKS, "", ""},
                {"n,,\001\001", BEARER_ASKS, "", ""},
                {"n,,\001host=a\001\001", BEARER_ASKS, "", ""},
                {"n,a=joe,\001auth=Basic am9lOmpvZQ==\001\001", BEARER_OTHER, "joe", ""},
                {"n,,\001auth=Bearer\001\001", BEARER_OTHER, "", ""},
                {"n,,\001auth=Bearer  \001\001", BEARER_OTHER, "", ""},
                {"n,,\001auth=Bearerx\001\001", BEARER_OTHER, "", ""},
                {"n,,\001auth=Bearer =\001\001", BEARER_OTHER, "", ""},
                {"n,,\001auth=Bearer a b\001\001", BEARER_OTHER, "", ""},
                {"n,,\001auth=Bearer a=b\001\001", BEARER_OTHER, "", ""},
                {"n,,\001auth=Bearer a,b\001\001", BEARER_OTHER, "", ""},
                {"", BEARER_MALFORMED, NULL, NULL},
                {"\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001", BEARER_MALFORMED, NULL, NULL},
                {"n,\001auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,a=,\001auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,a=b=,\001auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,joe,\001auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"F,n,,\001auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"p=tls-exporter,,\001auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth=Bearer x\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth=Bearer x", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth=Bearer x\001\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth=Bearer x\001\001more", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth=Bearer x\001auth=Bearer y\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth=\001auth=Bearer y\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001=x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001a1=x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth=Bearer \303\244\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,,\001auth=Bearer x\177\001\001", BEARER_MALFORMED, NULL, NULL},
                {"n,a=\377,\001auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL},
                {"user=joe@ex.org\001auth=Bearer x\001\001", BEARER_MALFORMED, NULL, NULL}, /* XOAUTH2's form */
        };
        g_autoptr(Arena) arena = arena_new(64 * 1024);

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                const Case *c = &CASES[i];
                BearerMessage m = {span_of("before"), span_of("before")};

                if (bearer_parse(arena, span_of(c->message), &m) != c->step)
                        g_error("%s", c->message);
                g_assert_true(span_equal(m.authzid, span_of(c->authzid != NULL ? c->authzid : "before")));
                g_assert_true(span_equal(m.token, span_of(c->token != NULL ? c->token : "before")));
        }
}

static void
test_nuls(void)
{
        static const char MESSAGE[] = "n,a=joe,\001host=x\001auth=Bearer abc\001\001";
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        BearerMessage m;

        for (gsize i = 0; i < sizeof(MESSAGE) - 1; i++) {
                g_autofree char *other = g_memdup2(MESSAGE, sizeof(MESSAGE));
                other[i] = '\0';
                g_assert_cmpint(bearer_parse(arena, span_make(other, sizeof(MESSAGE) - 1), &m), ==, BEARER_MALFORMED);
        }
        g_assert_cmpint(bearer_parse(arena, span_make(MESSAGE, sizeof(MESSAGE)), &m), ==, BEARER_MALFORMED);
}

static void
test_explanations(void)
{
        g_autofree char *all = bearer_explanation("invalid_token", "mail imap", "https://id.example/x");
        g_autofree char *least = bearer_explanation("insufficient_scope", NULL, NULL);

        g_assert_cmpstr(all, ==,
                        "{\"status\":\"invalid_token\",\"scope\":\"mail "
                        "imap\",\"openid-configuration\":\"https://id.example/x\"}");
        g_assert_cmpstr(least, ==, "{\"status\":\"insufficient_scope\"}");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/bearer/messages RFC 7628 §3.1", test_messages);
        g_test_add_func("/auth/bearer/no-NUL-anywhere RFC 7628 §3.1", test_nuls);
        g_test_add_func("/auth/bearer/explanations RFC 7628 §3.2.2", test_explanations);
        return g_test_run();
}

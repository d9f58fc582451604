/* sasl_test.c -- PLAIN and LOGIN as clients speak them. */
#include "auth/internal.h"

#define OF(text) ((Span){(const guint8 *) text, sizeof(text) - 1})

typedef struct Exchange {
        Sasl sasl;
        Arena *arena;
        Span challenge, login, password;
} Exchange;

static void
exchange_init(Exchange *x)
{
        *x = (Exchange){.arena = arena_new(64 * 1024)};
}

static void
exchange_done(Exchange *x)
{
        sasl_done(&x->sasl);
        arena_free(x->arena);
}

static SaslStep
start(Exchange *x, SaslMechanism mechanism, gboolean initial, Span response)
{
        return sasl_start(&x->sasl, x->arena, mechanism, initial, response, &x->challenge, &x->login, &x->password);
}

static SaslStep
next(Exchange *x, Span response)
{
        return sasl_continue(&x->sasl, x->arena, response, &x->challenge, &x->login, &x->password);
}

static void
test_plain(void)
{
        static const struct {
                Span message;
                SaslStep step;
                const char *login, *password;
        } CASES[] = {
                {OF("\0joe@ex.org\0secret"), SASL_COMPLETE, "joe@ex.org", "secret"},
                {OF("JOE@ex.org\0joe@ex.org\0secret"), SASL_COMPLETE, "joe@ex.org", "secret"},
                {OF("ann@ex.org\0joe@ex.org\0secret"), SASL_COMPLETE, "joe@ex.org", ""},
                {OF("\0jos\xc3\xa9@ex.org\0p\xc3\xa4ss"), SASL_COMPLETE, "jos\xc3\xa9@ex.org", "p\xc3\xa4ss"},
                {OF("\0joe@ex.org\0"), SASL_COMPLETE, "joe@ex.org", ""},
                {OF("joe@ex.org\0secret"), SASL_MALFORMED, NULL, NULL},
                {OF("\0\0secret"), SASL_MALFORMED, NULL, NULL},
                {OF("\0joe\0sec\0ret"), SASL_MALFORMED, NULL, NULL},
                {OF("\0joe"), SASL_MALFORMED, NULL, NULL},
                {OF("\0jo\ne\0secret"), SASL_MALFORMED, NULL, NULL},
                {OF("\0jo\xff\0secret"), SASL_MALFORMED, NULL, NULL},
                {OF("a\nb\0joe\0secret"), SASL_MALFORMED, NULL, NULL},
                {OF(""), SASL_MALFORMED, NULL, NULL},
                {OF("\0"), SASL_MALFORMED, NULL, NULL},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                Exchange x;

                exchange_init(&x);
                g_assert_cmpint(start(&x, SASL_PLAIN, TRUE, CASES[i].message), ==, CASES[i].step);
                if (CASES[i].step == SASL_COMPLETE) {
                        g_assert_true(span_equal(x.login, span_of(CASES[i].login)));
                        g_assert_true(span_equal(x.password, span_of(CASES[i].password)));
                }
                exchange_done(&x);
        }
}

static void
test_plain_later(void)
{
        Exchange x;

        exchange_init(&x);
        g_assert_cmpint(start(&x, SASL_PLAIN, FALSE, SPAN_EMPTY), ==, SASL_CHALLENGE);
        g_assert_cmpuint(x.challenge.len, ==, 0);
        g_assert_cmpint(next(&x, OF("\0joe\0secret")), ==, SASL_COMPLETE);
        g_assert_true(span_is(x.login, "joe"));
        exchange_done(&x);
}

static void
test_login(void)
{
        Exchange x;

        exchange_init(&x);
        g_assert_cmpint(start(&x, SASL_LOGIN, FALSE, SPAN_EMPTY), ==, SASL_CHALLENGE);
        g_assert_true(span_is(x.challenge, "Username:"));
        g_assert_cmpint(next(&x, OF("joe@ex.org")), ==, SASL_CHALLENGE);
        g_assert_true(span_is(x.challenge, "Password:"));
        g_assert_cmpint(next(&x, OF("se\xc3\xa9")), ==, SASL_COMPLETE);
        g_assert_true(span_is(x.login, "joe@ex.org"));
        g_assert_cmpuint(x.password.len, ==, 4);

        g_assert_cmpint(start(&x, SASL_LOGIN, TRUE, OF("ann")), ==, SASL_CHALLENGE);
        g_assert_true(span_is(x.challenge, "Password:"));
        g_assert_cmpint(start(&x, SASL_LOGIN, TRUE, SPAN_EMPTY), ==, SASL_CHALLENGE);
        g_assert_true(span_is(x.challenge, "Username:"));
        exchange_done(&x);
}

static void
test_hostile(void)
{
        Exchange x;
        g_autofree char *longer = g_strnfill(1001, 'a');

        exchange_init(&x);
        g_assert_cmpint(next(&x, OF("\0joe\0secret")), ==, SASL_MALFORMED);
        g_assert_cmpint(start(&x, SASL_NONE, TRUE, OF("\0joe\0secret")), ==, SASL_MALFORMED);
        g_assert_cmpint(start(&x, SASL_LOGIN, TRUE, span_of(longer)), ==, SASL_MALFORMED);
        g_assert_cmpint(start(&x, SASL_LOGIN, TRUE, OF("jo\0e")), ==, SASL_MALFORMED);
        g_assert_cmpint(start(&x, SASL_LOGIN, TRUE, OF("joe")), ==, SASL_CHALLENGE);
        g_assert_cmpint(next(&x, span_of(longer)), ==, SASL_MALFORMED);
        sasl_done(&x.sasl);
        g_assert_cmpint(next(&x, OF("secret")), ==, SASL_MALFORMED);
        exchange_done(&x);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/sasl/plain RFC 4616 §2", test_plain);
        g_test_add_func("/auth/sasl/plain-without-initial-response RFC 4954 §4", test_plain_later);
        g_test_add_func("/auth/sasl/login", test_login);
        g_test_add_func("/auth/sasl/hostile-messages", test_hostile);
        return g_test_run();
}

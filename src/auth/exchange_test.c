/* exchange_test.c -- SASL exchanges as the doors lead them. */
#include "auth/site_test.h"

typedef struct Talk {
        Site site;
        SaslExchange *exchange;
        AuthPeer peer;
        AuthTurn turn;
} Talk;

static void
talk_open(Talk *t, gboolean is_loopback)
{
        *t = (Talk){.exchange = NULL};
        site_open(&t->site);
        t->peer = (AuthPeer){t->site.auth, is_loopback ? "127.0.0.1" : "192.0.2.1", NULL, is_loopback};
}

static void
talk_close(Talk *t)
{
        sasl_end(&t->exchange);
        site_close(&t->site);
}

static AuthAnswer
begin(Talk *t, const char *name, const char *initial)
{
        GError *error = NULL;
        AuthAnswer answer = sasl_begin(&t->exchange, &t->peer, t->site.t.arena, span_of(name), initial != NULL,
                                       span_of(initial), &t->turn, &error);

        g_assert_no_error(error);
        g_assert_true((answer == AUTH_CHALLENGE) == (t->exchange != NULL));
        return answer;
}

static AuthAnswer
next(Talk *t, const char *line)
{
        GError *error = NULL;
        AuthAnswer answer = sasl_next(&t->exchange, t->site.t.arena, span_of(line), &t->turn, &error);

        g_assert_no_error(error);
        g_assert_true((answer == AUTH_CHALLENGE) == (t->exchange != NULL));
        return answer;
}

static void
test_names(void)
{
        g_assert_cmpint(sasl_mechanism(span_of("PLAIN")), ==, SASL_PLAIN);
        g_assert_cmpint(sasl_mechanism(span_of("login")), ==, SASL_LOGIN);
        g_assert_cmpint(sasl_mechanism(span_of("CRAM-MD5")), ==, SASL_NONE);
        g_assert_cmpint(sasl_mechanism(SPAN_EMPTY), ==, SASL_NONE);
        g_assert_cmpstr(sasl_name(SASL_LOGIN), ==, "LOGIN");
}

static void
test_offers(void)
{
        char list[SASL_LIST_OCTETS];
        Talk t;

        talk_open(&t, TRUE);
        g_assert_cmpstr(sasl_list(&t.peer, list), ==, " PLAIN LOGIN");
        g_assert_cmpint(begin(&t, "CRAM-MD5", NULL), ==, AUTH_NO_MECHANISM);
        talk_close(&t);
        talk_open(&t, FALSE);
        g_assert_cmpstr(sasl_list(&t.peer, list), ==, "");
        g_assert_cmpint(begin(&t, "PLAIN", NULL), ==, AUTH_NEEDS_TLS);
        g_assert_cmpint(begin(&t, "LOGIN", "="), ==, AUTH_NEEDS_TLS);
        talk_close(&t);
}

static void
test_plain(void)
{
        Talk t;

        talk_open(&t, TRUE);
        g_assert_cmpint(begin(&t, "PLAIN", "AGpvZUBleC5vcmcAcmlnaHQ="), ==, AUTH_OK);
        g_assert_true(span_is(t.turn.account->address.local, "joe"));
        g_assert_cmpint(begin(&t, "plain", NULL), ==, AUTH_CHALLENGE);
        g_assert_cmpuint(t.turn.challenge.len, ==, 0);
        g_assert_cmpint(next(&t, "AGpvZUBleC5vcmcAd3Jvbmc="), ==, AUTH_WRONG);
        g_assert_true(span_is(t.turn.login, "joe@ex.org"));
        g_assert_cmpint(begin(&t, "PLAIN", "AGpvZUBleC5vcmcA/w=="), ==, AUTH_NOT_UTF8);
        talk_close(&t);
}

static void
test_login(void)
{
        Talk t;

        talk_open(&t, TRUE);
        g_assert_cmpint(begin(&t, "LOGIN", "="), ==, AUTH_CHALLENGE);
        g_assert_true(span_equal(t.turn.challenge, span_of("VXNlcm5hbWU6")));
        g_assert_cmpint(next(&t, "am9lQGV4Lm9yZw=="), ==, AUTH_CHALLENGE);
        g_assert_true(span_equal(t.turn.challenge, span_of("UGFzc3dvcmQ6")));
        g_assert_cmpint(next(&t, "cmlnaHQ="), ==, AUTH_OK);
        g_assert_cmpint(begin(&t, "LOGIN", "am9lQGV4Lm9yZw=="), ==, AUTH_CHALLENGE);
        g_assert_true(span_equal(t.turn.challenge, span_of("UGFzc3dvcmQ6")));
        g_assert_cmpint(begin(&t, "LOGIN", NULL), ==, AUTH_CHALLENGE); /* the one before is over */
        talk_close(&t);
}

static void
test_ends(void)
{
        static const char *const WRONG[] = {"AAAA=", "AGpvZQ", "a", "*=", "AGpvZUBleC5vcmcA cmlnaHQ=", "====", "**"};
        Talk t;

        talk_open(&t, TRUE);
        g_assert_cmpint(begin(&t, "PLAIN", NULL), ==, AUTH_CHALLENGE);
        g_assert_cmpint(next(&t, "*"), ==, AUTH_CANCELLED);
        g_assert_cmpint(next(&t, "AGpvZUBleC5vcmcAcmlnaHQ="), ==, AUTH_MALFORMED);
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_assert_cmpint(begin(&t, "PLAIN", NULL), ==, AUTH_CHALLENGE);
                g_assert_cmpint(next(&t, WRONG[i]), ==, AUTH_MALFORMED);
        }
        talk_close(&t);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/exchange/mechanisms-by-name", test_names);
        g_test_add_func("/auth/exchange/no-passwords-in-the-clear", test_offers);
        g_test_add_func("/auth/exchange/plain-with-and-without-initial-response RFC 4954 §4", test_plain);
        g_test_add_func("/auth/exchange/login-asks-twice", test_login);
        g_test_add_func("/auth/exchange/cancelled-and-malformed-ones-are-over RFC 4422 §3", test_ends);
        return g_test_run();
}

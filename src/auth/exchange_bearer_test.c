/* exchange_bearer_test.c -- OAUTHBEARER as the doors lead it. */
#include "auth/site_test.h"
#include "auth/token_test.h"
#include "base/text.h"

#define REAL ((gint64) 1700000000)
#define INVALID                                                                                                        \
        "{\"status\":\"invalid_token\",\"scope\":\"mail\",\"openid-configuration\":\"https://id.example/.well-known/"  \
        "x\"}"
#define INSUFFICIENT                                                                                                   \
        "{\"status\":\"insufficient_scope\",\"scope\":\"mail\",\"openid-configuration\":\"https://id.example/"         \
        ".well-known/x\"}"

typedef struct Talk {
        Site site;
        char *dir;
        SaslExchange *exchange;
        AuthPeer peer;
        AuthTurn turn;
} Talk;

static Usec
read_real(void)
{
        return REAL * USEC_PER_SEC;
}

static void
take_issuer(Talk *t)
{
        g_autofree char *path = g_build_filename(t->dir, "keys.json", NULL);
        const OauthSettings settings = {.issuer = "https://id.example",
                                        .audience = "other, mail ,",
                                        .scope = "mail",
                                        .discovery = "https://id.example/.well-known/x",
                                        .keys = path};
        GError *error = NULL;

        g_assert_true(g_file_set_contents(path, HMAC_SET, -1, NULL));
        Oauth *oauth = oauth_new(&settings, &error);
        g_assert_no_error(error);
        g_assert_true(oauth_has_secret(oauth));
        auth_take_oauth(t->site.auth, oauth);
}

static void
talk_open(Talk *t, gboolean has_issuer)
{
        *t = (Talk){.exchange = NULL};
        site_open(&t->site);
        t->dir = test_dir_make();
        t->site.auth->now_real = read_real;
        t->peer = (AuthPeer){t->site.auth, "192.0.2.1", NULL, TRUE, 0};
        if (has_issuer)
                take_issuer(t);
}

static void
talk_close(Talk *t)
{
        sasl_end(&t->exchange);
        site_close(&t->site);
        test_dir_remove(t->dir);
        g_free(t->dir);
}

static AuthAnswer
answered(Talk *t, AuthAnswer answer, GError *error)
{
        g_assert_no_error(error);
        g_assert_true((answer == AUTH_CHALLENGE || answer == AUTH_EXPLAINED) == (t->exchange != NULL));
        return answer;
}

static AuthAnswer
begin(Talk *t, const char *message)
{
        g_autofree char *line = message != NULL ? g_base64_encode((const guint8 *) message, strlen(message)) : NULL;
        GError *error = NULL;
        AuthAnswer answer = sasl_begin(&t->exchange, &t->peer, t->site.t.arena, span_of("OAUTHBEARER"), line != NULL,
                                       span_of(line), &t->turn, &error);

        return answered(t, answer, error);
}

static AuthAnswer
next(Talk *t, const char *line)
{
        GError *error = NULL;
        AuthAnswer answer = sasl_next(&t->exchange, t->site.t.arena, span_of(line), &t->turn, &error);

        return answered(t, answer, error);
}

static char *
message_of(const char *authzid, const char *email, const char *more)
{
        g_autofree char *payload = g_strdup_printf(
                "{\"iss\":\"https://id.example\",\"aud\":\"mail\",\"scope\":\"mail x\",\"email\":\"%s\"%s}", email,
                more);
        g_autofree char *token = hmac_token(span_of("{\"alg\":\"HS256\"}"), span_of(payload));

        return g_strdup_printf("n,%s,\001auth=Bearer %s\001\001", authzid, token);
}

#define GOOD ",\"exp\":1700000600"

static AuthAnswer
log_in(Talk *t, const char *authzid, const char *email, const char *more)
{
        g_autofree char *message = message_of(authzid, email, more);

        return begin(t, message);
}

static void
assert_explained(Talk *t, const char *json, const char *reason)
{
        g_autofree char *said = sasl_explanation(t->exchange);
        g_autofree char *want = g_base64_encode((const guint8 *) json, strlen(json));

        g_assert_cmpstr(said, ==, want);
        g_assert_cmpstr(t->turn.reason, ==, reason);
        g_assert_cmpint(t->turn.delay, >, 0);
}

static void
test_offers(void)
{
        char list[SASL_LIST_OCTETS];
        Talk t;

        talk_open(&t, FALSE);
        g_assert_cmpstr(sasl_list(&t.peer, list), ==, " PLAIN LOGIN");
        g_assert_cmpint(begin(&t, "n,,\001auth=\001\001"), ==, AUTH_NO_MECHANISM);
        take_issuer(&t);
        g_assert_cmpstr(sasl_list(&t.peer, list), ==, " PLAIN LOGIN OAUTHBEARER");
        t.peer.is_loopback = FALSE;
        g_assert_cmpstr(sasl_list(&t.peer, list), ==, "");
        g_assert_cmpint(log_in(&t, "", "joe@ex.org", GOOD), ==, AUTH_NEEDS_TLS);
        t.peer.is_loopback = TRUE;
        t.peer.without = 1u << SASL_BEARER;
        g_assert_cmpint(log_in(&t, "", "joe@ex.org", GOOD), ==, AUTH_NO_MECHANISM);
        talk_close(&t);
}

static void
test_logins(void)
{
        static const struct {
                const char *authzid, *email;
        } RIGHT[] = {{"", "joe@ex.org"},
                     {"a=joe@ex.org", "joe@ex.org"},
                     {"a=JOE@EX.ORG", "joe@ex.org"},
                     {"", "Joe@alias.org"},
                     {"a=joe@ex.org", "joe@alias.org"},
                     {"", "sales@ex.org"},
                     {"a=sales@ex.org", "joe@ex.org"}};
        Talk t;

        talk_open(&t, TRUE);
        test_make(&t.site.t, TEST_ALIAS, "sales@ex.org", "joe@ex.org");
        for (gsize i = 0; i < G_N_ELEMENTS(RIGHT); i++) {
                g_assert_cmpint(log_in(&t, RIGHT[i].authzid, RIGHT[i].email, GOOD), ==, AUTH_OK);
                g_assert_true(span_is(t.turn.account->address.local, "joe"));
                g_assert_cmpint(t.turn.delay, ==, 0);
        }
        g_assert_cmpint(log_in(&t, "", "none@ex.org", GOOD), ==, AUTH_OK); /* has no password */
        g_assert_true(span_is(t.turn.account->address.local, "none"));
        g_autofree char *message = message_of("", "joe@ex.org", GOOD);
        g_autofree char *line = g_base64_encode((const guint8 *) message, strlen(message));
        g_assert_cmpint(begin(&t, NULL), ==, AUTH_CHALLENGE);
        g_assert_cmpuint(t.turn.challenge.len, ==, 0);
        g_assert_cmpint(next(&t, line), ==, AUTH_OK);
        talk_close(&t);
}

static void
test_failures(void)
{
        static const struct {
                const char *authzid, *email, *more, *explanation, *reason, *login;
        } WRONG[] = {
                {"a=joe@ex.org", "joe@ex.org", ",\"exp\":1699999940", INVALID, "expired", "joe@ex.org"},
                {"", "joe@ex.org", ",\"exp\":1699999940", INVALID, "expired", ""},
                {"", "joe@ex.org", "", INVALID, "expired", ""},
                {"", "joe@ex.org", GOOD ",\"nbf\":1700001000", INVALID, "not valid yet", ""},
                {"", "who@ex.org", GOOD, INVALID, "nobody who can log in", "who@ex.org"},
                {"", "joe", GOOD, INVALID, "nobody who can log in", "joe"},
                {"", "two@ex.org", GOOD, INVALID, "nobody who can log in", "two@ex.org"},
                {"a=none@ex.org", "joe@ex.org", GOOD, INVALID, "asks for another account", "joe@ex.org"},
                {"a=who@ex.org", "joe@ex.org", GOOD, INVALID, "asks for another account", "joe@ex.org"},
                {"a=joe", "joe@ex.org", GOOD, INVALID, "asks for another account", "joe@ex.org"},
        };
        Talk t;

        talk_open(&t, TRUE);
        test_make(&t.site.t, TEST_ALIAS, "two@ex.org", "joe@ex.org none@ex.org");
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_assert_cmpint(log_in(&t, WRONG[i].authzid, WRONG[i].email, WRONG[i].more), ==, AUTH_EXPLAINED);
                assert_explained(&t, WRONG[i].explanation, WRONG[i].reason);
                g_assert_true(span_equal(t.turn.login, span_of(WRONG[i].login)));
                g_assert_cmpint(next(&t, "AQ=="), ==, AUTH_REFUSED);
                g_assert_cmpint(t.turn.delay, ==, 0);
        }
        test_make(&t.site.t, TEST_ACCOUNT_SET, "joe@ex.org", "disabled=yes");
        g_assert_cmpint(log_in(&t, "", "joe@ex.org", GOOD), ==, AUTH_EXPLAINED);
        assert_explained(&t, INVALID, "nobody who can log in");
        g_assert_cmpint(begin(&t, "n,a=joe@ex.org,\001auth=Basic x\001\001"), ==, AUTH_EXPLAINED);
        assert_explained(&t, INVALID, "no bearer token");
        g_assert_cmpint(begin(&t, "n,,\001auth=Bearer x\001\001"), ==, AUTH_EXPLAINED);
        assert_explained(&t, INVALID, "no JWT");
        talk_close(&t);
}

/* Only who holds an otherwise good token learns that its scope is too small. */
static void
test_scope(void)
{
        static const char HEAD[] = "{\"alg\":\"HS256\"}";
        static const char BODY[] =
                "{\"iss\":\"https://id.example\",\"aud\":\"mail\",\"exp\":1700000600,\"email\":\"joe@ex.org\"}";
        g_autofree char *token = hmac_token(span_of(HEAD), span_of(BODY));
        g_autofree char *message = g_strdup_printf("n,,\001auth=Bearer %s\001\001", token);
        Talk t;

        talk_open(&t, TRUE);
        g_assert_cmpint(begin(&t, message), ==, AUTH_EXPLAINED);
        assert_explained(&t, INSUFFICIENT, "scope missing");
        talk_close(&t);
}

/* Delays are those of passwords, and count with them. */
static void
test_cost(void)
{
        const Account *account = NULL;
        GError *error = NULL;
        Usec delay;
        Talk t;

        talk_open(&t, TRUE);
        g_assert_cmpint(auth_check(t.site.auth, t.site.t.arena, "192.0.2.1", span_of("joe@ex.org"), span_of("wrong"),
                                   &account, &delay, &error),
                        ==, AUTH_WRONG);
        g_assert_cmpint(delay, ==, USEC_PER_SEC);
        for (Usec want = 2; want <= 8; want *= 2) {
                g_assert_cmpint(log_in(&t, "", "joe@ex.org", ""), ==, AUTH_EXPLAINED);
                g_assert_cmpint(t.turn.delay, ==, want * USEC_PER_SEC);
        }
        g_assert_cmpint(begin(&t, "n,,\001auth=\001\001"), ==, AUTH_CHALLENGE); /* guesses nothing */
        g_assert_cmpint(t.turn.delay, ==, 0);
        g_assert_cmpint(log_in(&t, "", "joe@ex.org", ""), ==, AUTH_EXPLAINED);
        g_assert_cmpint(t.turn.delay, ==, 16 * USEC_PER_SEC);
        talk_close(&t);
}

/* A token never becomes a password that is remembered, nor the other way. */
static void
test_nothing_is_remembered(void)
{
        Talk t;

        talk_open(&t, TRUE);
        g_assert_cmpint(log_in(&t, "", "joe@ex.org", GOOD), ==, AUTH_OK);
        g_assert_cmpuint(g_hash_table_size(t.site.auth->remembered.until), ==, 0);
        talk_close(&t);
}

static void
test_ends(void)
{
        static const char *const LAST[] = {"AQ==", "", "AAAA", "bixhPWpvZSwB"};
        g_autofree char *json = g_base64_encode((const guint8 *) INVALID, strlen(INVALID));
        Talk t;

        talk_open(&t, TRUE);
        for (gsize i = 0; i < G_N_ELEMENTS(LAST); i++) {
                g_assert_cmpint(begin(&t, "n,a=joe@ex.org,\001auth=\001\001"), ==, AUTH_CHALLENGE);
                g_assert_true(span_equal(t.turn.challenge, span_of(json)));
                g_assert_cmpint(next(&t, LAST[i]), ==, AUTH_REFUSED);
                g_assert_cmpint(log_in(&t, "", "joe@ex.org", ""), ==, AUTH_EXPLAINED);
                g_assert_cmpint(next(&t, LAST[i]), ==, AUTH_REFUSED);
        }
        g_autofree char *good = message_of("", "joe@ex.org", GOOD);
        g_autofree char *line = g_base64_encode((const guint8 *) good, strlen(good));
        g_assert_cmpint(begin(&t, "n,,\001\001"), ==, AUTH_CHALLENGE);
        g_assert_cmpint(next(&t, line), ==, AUTH_REFUSED); /* it is over; the next command is heard */
        g_assert_cmpint(log_in(&t, "", "joe@ex.org", ""), ==, AUTH_EXPLAINED);
        g_assert_cmpint(next(&t, "*"), ==, AUTH_CANCELLED);
        g_assert_cmpint(log_in(&t, "", "joe@ex.org", ""), ==, AUTH_EXPLAINED);
        g_assert_cmpint(next(&t, "?"), ==, AUTH_MALFORMED);
        g_assert_cmpint(begin(&t, NULL), ==, AUTH_CHALLENGE);
        g_assert_cmpint(next(&t, "AQ=="), ==, AUTH_MALFORMED);
        g_assert_cmpint(begin(&t, ""), ==, AUTH_MALFORMED);
        g_assert_cmpint(begin(&t, "p=tls-exporter,,\001auth=\001\001"), ==, AUTH_MALFORMED);
        talk_close(&t);
}

static void
test_keys_file(void)
{
        const OauthSettings settings = {.issuer = "i", .audience = "a", .keys = "/nowhere/keys.json"};
        g_autoptr(GError) error = NULL;

        g_assert_null(oauth_new(&settings, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        g_assert_true(g_str_has_prefix(error->message, "/nowhere/keys.json: "));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/exchange-bearer/offered-where-PLAIN-is-once-there-is-an-issuer RFC 7628 §3",
                        test_offers);
        g_test_add_func("/auth/exchange-bearer/logins RFC 7628 §3.1, §3.2.1", test_logins);
        g_test_add_func("/auth/exchange-bearer/failures-are-explained RFC 7628 §3.2.2", test_failures);
        g_test_add_func("/auth/exchange-bearer/scope RFC 6750 §3.1", test_scope);
        g_test_add_func("/auth/exchange-bearer/costs-what-a-wrong-password-costs", test_cost);
        g_test_add_func("/auth/exchange-bearer/nothing-is-remembered", test_nothing_is_remembered);
        g_test_add_func("/auth/exchange-bearer/ends RFC 7628 §3.2.3", test_ends);
        g_test_add_func("/auth/exchange-bearer/keys-that-can-not-be-read", test_keys_file);
        return g_test_run();
}

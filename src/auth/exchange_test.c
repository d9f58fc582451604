/* exchange_test.c -- SASL exchanges as the doors lead them. */
#include "auth/site_test.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

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
        t->peer = (AuthPeer){t->site.auth, is_loopback ? "127.0.0.1" : "192.0.2.1", NULL, is_loopback, 0};
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

/* SCRAM ----------------------------------------------------------------------------------------------------------- */

static void
want_scram(Talk *t, gboolean wants)
{
        test_make(&t->site.t, TEST_DOMAIN_SET, "ex.org", wants ? "scram=yes" : "scram=no");
}

static void
log_in_by_password(Talk *t)
{
        g_assert_cmpint(begin(t, "PLAIN", "AGpvZUBleC5vcmcAcmlnaHQ="), ==, AUTH_OK);
}

/* What the server said, base64 taken off; g_free. */
static char *
said(const Talk *t)
{
        Span text;

        g_assert_true(text_base64_decode(t->site.t.arena, t->turn.challenge, SASL_LINE_MAX, &text));
        return span_dup(text);
}

/* r=, s= or i= of a challenge; g_free. */
static char *
part_of(const char *challenge, const char *letter)
{
        g_auto(GStrv) parts = g_strsplit(challenge, ",", -1);

        for (gsize i = 0; parts[i] != NULL; i++)
                if (g_str_has_prefix(parts[i], letter))
                        return g_strdup(parts[i] + 2);
        g_assert_not_reached();
}

static AuthAnswer
next_text(Talk *t, const char *text)
{
        g_autofree char *line = g_base64_encode((const guint8 *) text, strlen(text));

        return next(t, line);
}

static AuthAnswer
begin_scram(Talk *t, const char *name)
{
        g_autofree char *first = g_strdup_printf("n,,n=%s,r=clientnonce", name);
        g_autofree char *line = g_base64_encode((const guint8 *) first, strlen(first));

        return begin(t, "SCRAM-SHA-256", line);
}

/* The client's side, by the formulas of RFC 5802 §3. */
static char *
prove(const char *name, const char *password, const char *challenge)
{
        g_autofree char *nonce = part_of(challenge, "r="), *salt_text = part_of(challenge, "s=");
        gsize n_salt;
        g_autofree guint8 *salt = g_base64_decode(salt_text, &n_salt);
        g_autofree char *end = g_strdup_printf("c=biws,r=%s", nonce);
        g_autofree char *message = g_strdup_printf("n=%s,r=clientnonce,%s,%s", name, challenge, end);
        guint8 salted[32], key[32], stored[32], signature[32];

        g_assert_cmpint(PKCS5_PBKDF2_HMAC(password, (int) strlen(password), salt, (int) n_salt, SCRAM_ITERATIONS,
                                          EVP_sha256(), 32, salted),
                        ==, 1);
        HMAC(EVP_sha256(), salted, 32, (const guint8 *) "Client Key", 10, key, NULL);
        SHA256(key, 32, stored);
        HMAC(EVP_sha256(), stored, 32, (const guint8 *) message, strlen(message), signature, NULL);
        for (gsize i = 0; i < 32; i++)
                key[i] ^= signature[i];
        g_autofree char *proof = g_base64_encode(key, 32);
        return g_strconcat(end, ",p=", proof, NULL);
}

static AuthAnswer
log_in_by_scram(Talk *t, const char *name, const char *password)
{
        AuthAnswer answer = begin_scram(t, name);

        g_assert_cmpint(answer, ==, AUTH_CHALLENGE);
        g_autofree char *challenge = said(t);
        g_autofree char *final = prove(name, password, challenge);
        answer = next_text(t, final);
        if (answer != AUTH_CHALLENGE)
                return answer;
        g_autofree char *last = said(t);
        g_assert_true(g_str_has_prefix(last, "v="));
        return next(t, "");
}

static void
test_scram(void)
{
        char list[SASL_LIST_OCTETS];
        Talk t;

        talk_open(&t, FALSE);
        g_assert_cmpint(begin_scram(&t, "joe@ex.org"), ==, AUTH_NO_MECHANISM);
        want_scram(&t, TRUE);
        g_assert_cmpstr(sasl_list(&t.peer, list), ==, " SCRAM-SHA-256");
        g_assert_cmpint(begin(&t, "SCRAM-SHA-256-PLUS", NULL), ==, AUTH_NO_MECHANISM);
        t.peer.without = 1u << SASL_SCRAM;
        g_assert_cmpint(begin_scram(&t, "joe@ex.org"), ==, AUTH_NO_MECHANISM);
        t.peer.without = 0;
        set_password(&t.site, "joe@ex.org", "right");
        g_assert_cmpint(log_in_by_scram(&t, "joe@ex.org", "right"), ==, AUTH_WRONG);
        t.peer.is_loopback = TRUE;
        log_in_by_password(&t);
        g_assert_cmpint(log_in_by_scram(&t, "joe@ex.org", "right"), ==, AUTH_OK);
        g_assert_true(span_is(t.turn.account->address.local, "joe"));
        g_assert_cmpint(log_in_by_scram(&t, "JOE@alias.org", "right"), ==, AUTH_OK);
        g_assert_cmpint(log_in_by_scram(&t, "joe@ex.org", "wrong"), ==, AUTH_WRONG);
        g_assert_true(span_is(t.turn.login, "joe@ex.org"));
        g_assert_cmpint(t.turn.delay, ==, 2 * USEC_PER_SEC); /* the second one from there */
        talk_close(&t);
}

/* Keys go with the password they were made of, and with the domain's wish. */
static void
test_scram_keys_go(void)
{
        Talk t;

        talk_open(&t, TRUE);
        want_scram(&t, TRUE);
        log_in_by_password(&t);
        set_password(&t.site, "joe@ex.org", "new");
        g_assert_cmpint(log_in_by_scram(&t, "joe@ex.org", "right"), ==, AUTH_WRONG);
        g_assert_cmpint(log_in_by_scram(&t, "joe@ex.org", "new"), ==, AUTH_WRONG);
        set_password(&t.site, "joe@ex.org", "right");
        log_in_by_password(&t);
        g_assert_cmpint(log_in_by_scram(&t, "joe@ex.org", "right"), ==, AUTH_OK);
        want_scram(&t, FALSE);
        want_scram(&t, TRUE);
        g_assert_cmpint(log_in_by_scram(&t, "joe@ex.org", "right"), ==, AUTH_WRONG);
        log_in_by_password(&t);
        test_make(&t.site.t, TEST_ACCOUNT_SET, "joe@ex.org", "disabled=yes");
        g_assert_cmpint(log_in_by_scram(&t, "joe@ex.org", "right"), ==, AUTH_WRONG);
        talk_close(&t);
}

/* A name that nobody has is asked as one that somebody has, every time with the same salt. */
static void
test_scram_nobody(void)
{
        static const char *const NAMES[] = {"who@ex.org",  "WHO@ex.org", "who@alias.org",
                                            "none@ex.org", "who",        "joe@ex.org"};
        char *salts[G_N_ELEMENTS(NAMES)];
        Talk t;

        talk_open(&t, TRUE);
        want_scram(&t, TRUE);
        log_in_by_password(&t);
        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
                g_assert_cmpint(begin_scram(&t, NAMES[i]), ==, AUTH_CHALLENGE);
                g_autofree char *challenge = said(&t);
                g_autofree char *rounds = part_of(challenge, "i=");
                salts[i] = part_of(challenge, "s=");
                g_assert_cmpuint(strlen(salts[i]), ==, 24);
                g_assert_cmpstr(rounds, ==, "4096");
        }
        g_assert_cmpstr(salts[0], ==, salts[1]);
        g_assert_cmpstr(salts[0], ==, salts[2]);
        g_assert_cmpstr(salts[0], !=, salts[3]);
        g_assert_cmpint(log_in_by_scram(&t, "who@ex.org", "right"), ==, AUTH_WRONG);
        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
                g_free(salts[i]);
        talk_close(&t);
}

static void
test_scram_ends(void)
{
        Talk t;

        talk_open(&t, TRUE);
        want_scram(&t, TRUE);
        log_in_by_password(&t);
        g_assert_cmpint(begin(&t, "SCRAM-SHA-256", NULL), ==, AUTH_CHALLENGE);
        g_assert_cmpuint(t.turn.challenge.len, ==, 0);
        g_assert_cmpint(next_text(&t, "n,,n=joe@ex.org,r=x"), ==, AUTH_CHALLENGE);
        g_assert_cmpint(next_text(&t, "c=biws,r=x"), ==, AUTH_MALFORMED);
        g_assert_cmpint(next(&t, ""), ==, AUTH_MALFORMED);
        g_assert_cmpint(begin_scram(&t, "joe@ex.org"), ==, AUTH_CHALLENGE);
        g_autofree char *challenge = said(&t);
        g_autofree char *final = prove("joe@ex.org", "right", challenge);
        g_assert_cmpint(next_text(&t, final), ==, AUTH_CHALLENGE);
        g_assert_cmpint(next_text(&t, "more"), ==, AUTH_MALFORMED);
        g_assert_cmpint(begin_scram(&t, "joe@ex.org"), ==, AUTH_CHALLENGE);
        g_assert_cmpint(next_text(&t, final), ==, AUTH_WRONG); /* heard before: another nonce */
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
        g_test_add_func("/auth/exchange/scram-where-a-domain-wants-it RFC 5802 §3", test_scram);
        g_test_add_func("/auth/exchange/scram-keys-go-with-password-and-domain", test_scram_keys_go);
        g_test_add_func("/auth/exchange/scram-tells-nothing-about-who-exists RFC 5802 §9", test_scram_nobody);
        g_test_add_func("/auth/exchange/scram-malformed-and-replayed RFC 5802 §5", test_scram_ends);
        return g_test_run();
}

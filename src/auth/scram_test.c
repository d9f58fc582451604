/* scram_test.c -- the example of RFC 7677, and what clients and strangers might send instead. */
#include "auth/scram.h"

#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define FIRST "n,,n=user,r=" CLIENT_NONCE
#define CHALLENGE "r=" CLIENT_NONCE SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define FINAL "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define LAST "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
#define KEYS                                                                                                           \
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"                                                                 \
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const ScramBinding EXPORTER = {"tls-exporter", "0123456789abcdef0123456789abcdef", 32};
static const ScramChannel PLAIN = {FALSE, FALSE, NULL, 0};
static const ScramChannel TLS = {FALSE, TRUE, &EXPORTER, 1};
static const ScramChannel PLUS = {TRUE, TRUE, &EXPORTER, 1};

static ScramKeys
keys_of(const char *password)
{
        static const guint8 SALT[] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
                                      0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};
        ScramKeys keys;

        g_assert_true(scram_keys_make(span_of(password), span_make(SALT, sizeof(SALT)), 4096, &keys));
        return keys;
}

static ScramStep
first(Span message, const ScramChannel *channel, const char *name)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Scram scram = {.bound = NULL};
        Span found = SPAN_EMPTY;
        ScramStep step = scram_take_first(&scram, arena, message, channel, &found);

        if (step == SCRAM_OK && name != NULL)
                g_assert_true(span_equal(found, span_of(name)));
        scram_done(&scram);
        return step;
}

static ScramStep
final(const char *first_message, const ScramKeys *keys, Span message, const char *last)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Scram scram = {.bound = NULL};
        Span name, text = SPAN_EMPTY;

        g_assert_cmpint(scram_take_first(&scram, arena, span_of(first_message), &PLAIN, &name), ==, SCRAM_OK);
        Span challenge = scram_challenge(&scram, arena, keys, SERVER_NONCE);
        g_assert_true(span_equal(challenge, span_of(CHALLENGE)));
        ScramStep step = scram_take_final(&scram, arena, message, &text);
        if (step == SCRAM_OK)
                g_assert_true(span_equal(text, span_of(last)));
        scram_done(&scram);
        return step;
}

static void
test_example(void)
{
        ScramKeys keys = keys_of("pencil"), wrong = keys_of("pencils");

        g_assert_cmpint(final(FIRST, &keys, span_of(FINAL), LAST), ==, SCRAM_OK);
        g_assert_cmpint(final(FIRST, &wrong, span_of(FINAL), LAST), ==, SCRAM_REFUSED);
        g_assert_cmpint(final("n,a=user,n=user,r=" CLIENT_NONCE, &keys, span_of(FINAL), LAST), ==, SCRAM_REFUSED);
}

static void
test_keys(void)
{
        static const char *const WRONG[] = {"",
                                            "SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AA==:AA==",
                                            "SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$AA==:AA==",
                                            "SCRAM-SHA-256$4096:$AA==:AA==",
                                            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AA==:AA==",
                                            KEYS "=",
                                            "SCRAM-SHA-256$99999999:W22ZaJ0SNY7soEsUEjb6gQ==$AA==:AA=="};
        ScramKeys keys = keys_of("pencil"), parsed;
        g_autofree char *text = scram_keys_text(&keys);

        g_assert_cmpstr(text, ==, KEYS);
        g_assert_true(scram_keys_parse(span_of(text), &parsed));
        g_assert_cmpmem(&parsed, sizeof(parsed), &keys, sizeof(keys));
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                g_assert_false(scram_keys_parse(span_of(WRONG[i]), &parsed));
        g_assert_false(scram_keys_make(span_of("\xff"), span_of("salt"), 4096, &parsed));
        g_assert_false(scram_keys_make(span_of("\xc2\xad"), span_of("salt"), 4096, &parsed)); /* nothing is left */
        g_assert_false(scram_keys_make(span_of("x"), SPAN_EMPTY, 4096, &parsed));
}

/* Left and right are typed by different keyboards and mean the same. */
static void
test_prepared(void)
{
        static const char *const SAME[][2] = {{"I\xc2\xadX", "IX"},      {"\xc2\xaa", "a"},
                                              {"\xe2\x85\xa8", "IX"},    {"a\xc2\xa0\x62", "a b"},
                                              {"e\xcc\x81", "\xc3\xa9"}, {"\xe3\x80\x80x", " x"}};

        for (gsize i = 0; i < G_N_ELEMENTS(SAME); i++) {
                ScramKeys a = keys_of(SAME[i][0]), b = keys_of(SAME[i][1]);

                g_assert_cmpmem(a.stored_key, SCRAM_KEY_OCTETS, b.stored_key, SCRAM_KEY_OCTETS);
        }
        ScramKeys upper = keys_of("USER"), lower = keys_of("user");
        g_assert_cmpint(memcmp(upper.stored_key, lower.stored_key, SCRAM_KEY_OCTETS), !=, 0);
}

static void
test_nobody(void)
{
        ScramKeys a, again, b, other;

        scram_keys_of_nobody(span_of("secret"), span_of("a@ex.org"), &a);
        scram_keys_of_nobody(span_of("secret"), span_of("a@ex.org"), &again);
        scram_keys_of_nobody(span_of("secret"), span_of("b@ex.org"), &b);
        scram_keys_of_nobody(span_of("other"), span_of("a@ex.org"), &other);
        g_assert_cmpmem(&a, sizeof(a), &again, sizeof(again));
        g_assert_cmpint(memcmp(a.salt, b.salt, SCRAM_SALT_OCTETS), !=, 0);
        g_assert_cmpint(memcmp(a.salt, other.salt, SCRAM_SALT_OCTETS), !=, 0);
        g_assert_cmpuint(a.iterations, ==, SCRAM_ITERATIONS);
        g_assert_cmpuint(a.salt_octets, ==, SCRAM_SALT_OCTETS);
}

static void
test_first(void)
{
        static const struct {
                const char *message, *name;
        } RIGHT[] = {{FIRST, "user"},
                     {"n,,n=a=2Cb=3Dc,r=x", "a,b=c"},
                     {"n,a=user,n=user,r=x", "user"},
                     {"n,,n=jos\xc3\xa9@ex.org,r=x,z=extension", "jos\xc3\xa9@ex.org"},
                     {"y,,n=user,r=x", "user"}};
        static const char *const WRONG[] = {"",
                                            "n",
                                            "n,",
                                            "n,,",
                                            "n,,n=user",
                                            "n,,n=,r=x",
                                            "n,,n=user,r=",
                                            "n,,r=x,n=user",
                                            "n,,m=new,n=user,r=x",
                                            "n,,n=us=er,r=x",
                                            "n,,n=us=2cer,r=x\x01",
                                            "n,,n=us\ner,r=x",
                                            "n,,n=us\xff,r=x",
                                            "n,a=,n=user,r=x",
                                            "n,b=x,n=user,r=x",
                                            "x,,n=user,r=x",
                                            "p=tls-exporter,,n=user,r=x",
                                            "n,,n=user,r=a b"};

        for (gsize i = 0; i < G_N_ELEMENTS(RIGHT); i++)
                g_assert_cmpint(first(span_of(RIGHT[i].message), &PLAIN, RIGHT[i].name), ==, SCRAM_OK);
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                g_assert_cmpint(first(span_of(WRONG[i]), &PLAIN, NULL), ==, SCRAM_MALFORMED);
        g_assert_cmpint(first(span_make("n,,n=user,r=x,z=\0", 17), &PLAIN, NULL), ==, SCRAM_MALFORMED);
}

static void
test_bound(void)
{
        g_assert_cmpint(first(span_of("n,,n=user,r=x"), &TLS, "user"), ==, SCRAM_OK);
        g_assert_cmpint(first(span_of("y,,n=user,r=x"), &TLS, NULL), ==, SCRAM_REFUSED);
        g_assert_cmpint(first(span_of("p=tls-exporter,,n=user,r=x"), &PLUS, "user"), ==, SCRAM_OK);
        g_assert_cmpint(first(span_of("p=tls-unique,,n=user,r=x"), &PLUS, NULL), ==, SCRAM_MALFORMED);
        g_assert_cmpint(first(span_of("p=,,n=user,r=x"), &PLUS, NULL), ==, SCRAM_MALFORMED);
        g_assert_cmpint(first(span_of("n,,n=user,r=x"), &PLUS, NULL), ==, SCRAM_MALFORMED);
        g_assert_cmpint(first(span_of("y,,n=user,r=x"), &PLUS, NULL), ==, SCRAM_MALFORMED);
}

static void
test_final(void)
{
        static const char *const MALFORMED[] = {"",
                                                "c=biws",
                                                "c=biws,r=" CLIENT_NONCE SERVER_NONCE,
                                                "r=" CLIENT_NONCE SERVER_NONCE ",c=biws,p=AAAA",
                                                "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=AAAA",
                                                "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=",
                                                FINAL ",x=y",
                                                FINAL "="};
        static const char *const REFUSED[] = {
                "c=eSws,r=" CLIENT_NONCE SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "c=biws,r=" CLIENT_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",x=y,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
        ScramKeys keys = keys_of("pencil"), nobody;

        for (gsize i = 0; i < G_N_ELEMENTS(MALFORMED); i++)
                g_assert_cmpint(final(FIRST, &keys, span_of(MALFORMED[i]), NULL), ==, SCRAM_MALFORMED);
        for (gsize i = 0; i < G_N_ELEMENTS(REFUSED); i++)
                g_assert_cmpint(final(FIRST, &keys, span_of(REFUSED[i]), NULL), ==, SCRAM_REFUSED);
        scram_keys_of_nobody(span_of("secret"), span_of("user"), &nobody);
        memcpy(nobody.salt, keys.salt, sizeof(keys.salt));
        g_assert_cmpint(final(FIRST, &nobody, span_of(FINAL), NULL), ==, SCRAM_REFUSED);

        Scram scram = {.bound = NULL};
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Span last;
        g_assert_cmpint(scram_take_final(&scram, arena, span_of(FINAL), &last), ==, SCRAM_MALFORMED);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/auth/scram/example RFC 7677 §3", test_example);
        g_test_add_func("/auth/scram/stored-keys RFC 5803 §2", test_keys);
        g_test_add_func("/auth/scram/passwords-are-mapped RFC 4013 §2", test_prepared);
        g_test_add_func("/auth/scram/nobody-has-a-salt-that-stays RFC 5802 §9", test_nobody);
        g_test_add_func("/auth/scram/first-message RFC 5802 §7", test_first);
        g_test_add_func("/auth/scram/bound-to-its-channel-or-refused RFC 5802 §6", test_bound);
        g_test_add_func("/auth/scram/final-message RFC 5802 §7", test_final);
        return g_test_run();
}

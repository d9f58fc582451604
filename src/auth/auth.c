/* auth.c -- is the password right?
 *
 *      look up -> remembered? -> a turn at the hash -> compare -> remember, or a delay
 *
 * A name that nobody has, one without password, and one that is disabled are compared with the hash of a password that
 * nobody knows: all failures take the same way and the same time.
 */
#include "auth/internal.h"

#include "auth/scram.h"
#include "base/id.h"
#include "base/text.h"

#include <sodium.h>

void
auth_init_library(void)
{
        if (sodium_init() < 0)
                g_error("libsodium can't be used on this machine");
}

Auth *
auth_new(Directory *directory, const AuthSettings *settings)
{
        Auth *auth = g_new0(Auth, 1);

        auth_init_library();
        auth->directory = directory;
        auth->is_loopback_site = settings->is_loopback_site;
        auth->now = clock_monotonic;
        auth->now_real = clock_real;
        turns_init(&auth->turns);
        remembered_init(&auth->remembered);
        delays_init(&auth->delays, settings->delay_first > 0 ? settings->delay_first : USEC_PER_SEC,
                    settings->delay_max > 0 ? settings->delay_max : 30 * USEC_PER_SEC);
        return auth;
}

void
auth_free(Auth *auth)
{
        if (auth == NULL)
                return;
        delays_done(&auth->delays);
        remembered_done(&auth->remembered);
        turns_done(&auth->turns);
        oauth_free(auth->oauth);
        g_free(auth);
}

char *
auth_hash_password(const char *password, GError **error)
{
        char hash[crypto_pwhash_STRBYTES];
        Span text = span_of(password);

        auth_init_library();
        if (text.len == 0 || text.len > PASSWORD_MAX || text_has_control(text) || !text_is_utf8(text)) {
                fault(error, FAULT_INPUT, "a password has 1 to %d octets of text without controls", PASSWORD_MAX);
                return NULL;
        }
        if (crypto_pwhash_str(hash, password, text.len, HASH_PASSES, HASH_OCTETS) != 0) {
                fault(error, FAULT_BUSY, "no memory to hash a password");
                return NULL;
        }
        return g_strdup(hash);
}

static char *
make_scram(Span password)
{
        guint8 salt[SCRAM_SALT_OCTETS];
        ScramKeys keys;

        random_octets(salt, sizeof(salt));
        if (!scram_keys_make(password, span_make(salt, sizeof(salt)), SCRAM_ITERATIONS, &keys))
                return NULL;
        char *text = scram_keys_text(&keys);
        text_wipe(&keys, sizeof(keys));
        return text;
}

char *
auth_scram_keys(const char *password)
{
        return make_scram(span_of(password));
}

/* The password is right, and this is the moment when it is here. */
static void
upgrade(Auth *auth, const Account *account, const LoginSecrets *secrets, Span password)
{
        g_autoptr(GError) error = NULL;

        if (!secrets->wants_scram || secrets->scram != NULL)
                return;
        g_autofree char *scram = make_scram(password);
        if (scram != NULL)
                (void) !directory_write_scram(auth->directory, account->id, secrets->password_hash, scram, &error);
}

/* The library wants the whole of its string's 128 octets. */
static AuthAnswer
compute(Auth *auth, const char *hash, Span password)
{
        char stored[crypto_pwhash_STRBYTES] = "";

        g_strlcpy(stored, hash, sizeof(stored));
        if (!turns_take(&auth->turns))
                return AUTH_BUSY;
        int wrong =
                crypto_pwhash_str_verify(stored, password.len > 0 ? (const char *) password.data : "", password.len);
        turns_give(&auth->turns);
        return wrong == 0 ? AUTH_OK : AUTH_WRONG;
}

static AuthAnswer
check_account(Auth *auth, const Account *account, const char *hash, Span password)
{
        guint8 mac[MAC_OCTETS];
        Usec now = auth->now();

        remembered_mac(&auth->remembered, account->id, hash, password, mac);
        if (remembered_has(&auth->remembered, mac, now))
                return AUTH_OK;
        AuthAnswer answer = compute(auth, hash, password);
        if (answer == AUTH_OK)
                remembered_add(&auth->remembered, mac, now);
        return answer;
}

AuthAnswer
auth_check(Auth *auth, Arena *arena, const char *client, Span login, Span password, const Account **ret,
           Usec *ret_delay, GError **error)
{
        const Account *account = NULL;
        LoginSecrets secrets;
        Found found = auth_find(auth, arena, login, &account, &secrets, error);
        AuthAnswer answer;

        *ret_delay = 0;
        if (found == FOUND_FAILED)
                return AUTH_FAILED;
        password = span_slice(password, 0, PASSWORD_MAX + 1); /* one too long is wrong and costs what others do */
        answer = found == FOUND ? check_account(auth, account, secrets.password_hash, password)
                                : compute(auth, secrets.password_hash, password);
        if (answer == AUTH_OK && (found != FOUND || password.len == 0 || password.len > PASSWORD_MAX))
                answer = AUTH_WRONG;
        if (answer == AUTH_OK) {
                upgrade(auth, account, &secrets, password);
                *ret = account;
        }
        if (answer == AUTH_WRONG)
                *ret_delay = auth_delay(auth, client);
        return answer;
}

gboolean
auth_allows_plaintext(const Auth *auth, gboolean is_tls, gboolean is_loopback_peer)
{
        return is_tls || (auth->is_loopback_site && is_loopback_peer);
}

gboolean
auth_has_scram(const Auth *auth)
{
        return directory_has_scram(auth->directory);
}

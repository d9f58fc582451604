/* auth.c -- is the password right?
 *
 *      look up -> remembered? -> a turn at the hash -> compare -> remember, or a delay
 *
 * A name that nobody has, one without password, and one that is disabled are compared with the hash of a password that
 * nobody knows: all failures take the same way and the same time.
 */
#include "auth/internal.h"

#include "base/text.h"

#include <sodium.h>

/* Of 32 random octets that were thrown away; with the cost of all the others. */
const char AUTH_NOBODYS_HASH[] =
        "$argon2id$v=19$m=19456,t=2,p=1$q0kWjzXtCkVb9mJrT1dQ7g$Yw3rX8mK2vLhPzN5sQ0dT7bJ4cFgU6aRkE1iOyVnB9M";

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

/* FALSE: nobody, or nobody who can log in; *ret_hash is then nobody's. */
static Found
find_account(Auth *auth, Arena *arena, Span login, const Account **ret, const char **ret_hash, GError **error)
{
        const Account *account = NULL;
        const char *hash = NULL;
        Found found = directory_login(auth->directory, arena, login, &account, &hash, error);

        *ret_hash = AUTH_NOBODYS_HASH;
        if (found != FOUND || hash == NULL || account->is_disabled)
                return found == FOUND_FAILED ? FOUND_FAILED : FOUND_NOT;
        *ret = account;
        *ret_hash = hash;
        return FOUND;
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

/* In a loopback site tests and bridges log in from 127.0.0.1 all day. */
static Usec
delay_of(Auth *auth, const char *client)
{
        if (auth->is_loopback_site && g_strcmp0(client, "127.0.0.1") == 0)
                return 0;
        return delays_failed(&auth->delays, client, auth->now());
}

AuthAnswer
auth_check(Auth *auth, Arena *arena, const char *client, Span login, Span password, const Account **ret,
           Usec *ret_delay, GError **error)
{
        const Account *account = NULL;
        const char *hash;
        Found found = find_account(auth, arena, login, &account, &hash, error);
        AuthAnswer answer;

        *ret_delay = 0;
        if (found == FOUND_FAILED)
                return AUTH_FAILED;
        password = span_slice(password, 0, PASSWORD_MAX + 1); /* one too long is wrong and costs what others do */
        answer = found == FOUND ? check_account(auth, account, hash, password) : compute(auth, hash, password);
        if (answer == AUTH_OK && (found != FOUND || password.len == 0 || password.len > PASSWORD_MAX))
                answer = AUTH_WRONG;
        if (answer == AUTH_OK)
                *ret = account;
        if (answer == AUTH_WRONG)
                *ret_delay = delay_of(auth, client);
        return answer;
}

gboolean
auth_allows_plaintext(const Auth *auth, gboolean is_tls, gboolean is_loopback_peer)
{
        return is_tls || (auth->is_loopback_site && is_loopback_peer);
}

/* exchange_bearer.c -- OAUTHBEARER as an exchange: whose token it is, and what is said when it does not do.
 *
 *      token -> right: in
 *            -> wrong: the delay of a wrong password -> why, as a challenge -> whatever the client answers -> refused
 *
 * The delay stands before the explanation: who hangs up on it, or goes on with another command, has waited like all
 * others. A client that shows no token asks where they are had; it has guessed nothing, so that costs nothing.
 */
#include "auth/internal.h"

#include "auth/bearer.h"

static AuthAnswer
explain(SaslExchange *x, Arena *arena, Span login, const char *explanation, const char *reason, AuthTurn *ret)
{
        (void) sasl_refuse(x, arena, login, ret);
        ret->reason = reason;
        x->explanation = explanation;
        return AUTH_EXPLAINED;
}

/* The account that one logs in to by this name, with or without password. */
static Found
find_account(Auth *auth, Arena *arena, Span name, const Account **ret, GError **error)
{
        const LoginSecrets *secrets;
        Found found = directory_login(auth->directory, arena, name, ret, &secrets, error);

        return found == FOUND && (*ret)->is_disabled ? FOUND_NOT : found;
}

/* The token is good: does it open this account, and the one that was asked for (RFC 7628 §3.2.1)? */
static AuthAnswer
admit(SaslExchange *x, Arena *arena, Span name, Span authzid, AuthTurn *ret, GError **error)
{
        Auth *auth = x->peer.auth;
        const Account *account = NULL, *wanted = NULL;
        Found found = find_account(auth, arena, name, &account, error);
        Found found_wanted = found;

        if (found == FOUND && authzid.len > 0)
                found_wanted = find_account(auth, arena, authzid, &wanted, error);
        if (found == FOUND_FAILED || found_wanted == FOUND_FAILED)
                return AUTH_FAILED;
        if (found == FOUND_NOT)
                return explain(x, arena, name, auth->oauth->invalid_token, "nobody who can log in", ret);
        if (found_wanted == FOUND_NOT || (wanted != NULL && wanted->id != account->id))
                return explain(x, arena, name, auth->oauth->invalid_token, "asks for another account", ret);
        ret->account = account;
        return AUTH_OK;
}

static AuthAnswer
take_token(SaslExchange *x, Arena *arena, const BearerMessage *m, AuthTurn *ret, GError **error)
{
        const Oauth *oauth = x->peer.auth->oauth;
        gint64 now = x->peer.auth->now_real() / USEC_PER_SEC;
        Span name;
        JwtAnswer answer = jwt_verify(oauth->keys, &oauth->rules, arena, m->token, now, &name);

        if (answer == JWT_OK)
                return admit(x, arena, name, m->authzid, ret, error);
        return explain(x, arena, m->authzid, answer == JWT_BAD_SCOPE ? oauth->insufficient_scope : oauth->invalid_token,
                       jwt_words(answer), ret);
}

static AuthAnswer
take_first(SaslExchange *x, Arena *arena, Span octets, AuthTurn *ret, GError **error)
{
        const Oauth *oauth = x->peer.auth->oauth;
        BearerMessage m;

        switch (bearer_parse(arena, octets, &m)) {
        case BEARER_MALFORMED:
                break;
        case BEARER_TOKEN:
                return take_token(x, arena, &m, ret, error);
        case BEARER_ASKS:
                x->explanation = oauth->invalid_token;
                ret->challenge = span_of(x->explanation);
                return AUTH_CHALLENGE;
        case BEARER_OTHER:
                return explain(x, arena, m.authzid, oauth->invalid_token, "no bearer token", ret);
        }
        return AUTH_MALFORMED;
}

AuthAnswer
sasl_take_bearer(SaslExchange *x, Arena *arena, const SaslMessage *m, AuthTurn *ret, GError **error)
{
        if (m->is_first && !m->has_initial)
                return AUTH_CHALLENGE; /* an empty one: the client begins */
        if (x->explanation != NULL)
                return AUTH_REFUSED; /* %x01 (§3.2.3); nothing else would help either */
        return take_first(x, arena, m->octets, ret, error);
}

char *
sasl_explanation(const SaslExchange *exchange)
{
        const char *text = exchange->explanation != NULL ? exchange->explanation : "";

        return g_base64_encode((const guint8 *) text, strlen(text));
}

/* oauth.h -- whose access tokens open mailboxes here: the issuer, its keys, and what a token must say.
 *
 * Tokens are signed JWTs (auth/jwt.h) that are checked with the keys of a file; nobody is asked, so a login needs no other server, and a
 * token that its issuer takes back stays good until it expires. A token opens the existing, enabled account that its claim names, by the same
 * look-up as a login by password; the account needs no password. Successes are not remembered, least of all among those of passwords:
 * a token costs some 40 to 200 us (ES384: 1.2 ms), a password hash 20 ms.
 *
 * A token is looked at once, at the login: a session goes on when it expires.
 *
 * Threads  any; an Oauth never changes. Other keys or rules: a new one, with the reload of the settings.
 * RFC      7628, 9068.
 */
#pragma once

#include "auth/auth.h"

typedef struct Oauth Oauth;

typedef struct OauthSettings {
        const char *issuer;             /* as it stands in `iss` */
        const char *audience;           /* one of these, comma separated, stands in `aud` */
        const char *scope;              /* words, all in `scope`; NULL: none is wanted */
        const char *account_claim;      /* NULL: "email" */
        const char *discovery;          /* URL that clients are told when they fail (RFC 8414); NULL: none */
        const char *keys;               /* path of a JWK Set (auth/jwks.h) */
} OauthSettings;

/* FAULT_INPUT: the file and what is wrong with it. */
Oauth *oauth_new(const OauthSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void oauth_free(Oauth *oauth);  /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Oauth, oauth_free)

/* There is something secret in the file: nobody else should read it. */
gboolean oauth_has_secret(const Oauth *oauth);

/* From now on OAUTHBEARER is offered. Once, before anybody else uses `auth`, which frees it. NULL: it is not. */
void auth_take_oauth(Auth *auth, Oauth *take_oauth);

/* oauth.c -- keys and rules of one issuer, held together. */
#include "auth/internal.h"

#include "auth/bearer.h"

/* Its words, trimmed; what is empty is left out. */
static char **
words_of(const char *list, const char *separator)
{
        g_auto(GStrv) parts = g_strsplit(list != NULL ? list : "", separator, -1);
        GPtrArray *words = g_ptr_array_new();

        for (gsize i = 0; parts[i] != NULL; i++)
                if (*g_strstrip(parts[i]) != '\0')
                        g_ptr_array_add(words, g_strdup(parts[i]));
        g_ptr_array_add(words, NULL);
        return (char **) g_ptr_array_free(words, FALSE);
}

Oauth *
oauth_new(const OauthSettings *settings, GError **error)
{
        Jwks *keys = jwks_load(settings->keys, error);

        if (keys == NULL)
                return NULL;
        Oauth *oauth = g_new0(Oauth, 1);
        oauth->keys = keys;
        oauth->issuer = g_strdup(settings->issuer);
        oauth->audiences = words_of(settings->audience, ",");
        oauth->scopes = words_of(settings->scope, " ");
        oauth->account_claim = g_strdup(settings->account_claim != NULL ? settings->account_claim : "email");
        oauth->rules = (JwtRules){.issuer = oauth->issuer,
                                  .audiences = (const char *const *) oauth->audiences,
                                  .scopes = (const char *const *) oauth->scopes,
                                  .account_claim = oauth->account_claim};
        oauth->invalid_token = bearer_explanation("invalid_token", settings->scope, settings->discovery);
        oauth->insufficient_scope = bearer_explanation("insufficient_scope", settings->scope, settings->discovery);
        return oauth;
}

void
oauth_free(Oauth *oauth)
{
        if (oauth == NULL)
                return;
        jwks_free(oauth->keys);
        g_free(oauth->issuer);
        g_strfreev(oauth->audiences);
        g_strfreev(oauth->scopes);
        g_free(oauth->account_claim);
        g_free(oauth->invalid_token);
        g_free(oauth->insufficient_scope);
        g_free(oauth);
}

gboolean
oauth_has_secret(const Oauth *oauth)
{
        return jwks_has_secret(oauth->keys);
}

void
auth_take_oauth(Auth *auth, Oauth *take_oauth)
{
        g_assert(auth->oauth == NULL);
        auth->oauth = take_oauth;
}

gboolean
auth_has_oauth(const Auth *auth)
{
        return auth->oauth != NULL;
}

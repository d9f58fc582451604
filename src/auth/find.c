/* find.c -- who is it that logs in, and with what. */
#include "auth/internal.h"

/* Of 32 random octets that were thrown away; with the cost of all the others. */
const char AUTH_NOBODYS_HASH[] =
        "$argon2id$v=19$m=19456,t=2,p=1$q0kWjzXtCkVb9mJrT1dQ7g$Yw3rX8mK2vLhPzN5sQ0dT7bJ4cFgU6aRkE1iOyVnB9M";

/* FOUND_NOT: nobody, or nobody who can log in; the secrets are then nobody's. */
Found
auth_find(Auth *auth, Arena *arena, Span login, const Account **ret, LoginSecrets *ret_secrets, GError **error)
{
        const Account *account = NULL;
        const LoginSecrets *secrets = NULL;
        Found found = directory_login(auth->directory, arena, login, &account, &secrets, error);

        *ret_secrets = (LoginSecrets){.password_hash = AUTH_NOBODYS_HASH};
        if (found != FOUND || secrets->password_hash == NULL || account->is_disabled)
                return found == FOUND_FAILED ? FOUND_FAILED : FOUND_NOT;
        *ret = account;
        *ret_secrets = *secrets;
        return FOUND;
}

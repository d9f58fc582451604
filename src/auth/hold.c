/* hold.c -- whether a session's account is still the one that it logged in to. */
#include "auth/internal.h"

#define LOOK_ARENA_MAX ((gsize) 64 * 1024)

struct AuthHold {
        Directory *directory;
        AccountWatch *watch;
        gint64 account;
        guint64 password_mark; /* of the password it logged in with */
        guint64 generation;    /* of the directory at the last look; 0: none yet */
        gboolean may_send;
};

/* The account was read before its password was checked, which takes a while: the first look compares it with what there
 * is now. */
AuthHold *
auth_hold_new(Auth *auth, const Account *account, void (*wake)(gpointer data), gpointer data)
{
        AuthHold *hold = g_new0(AuthHold, 1);

        *hold = (AuthHold){.directory = auth->directory,
                           .account = account->id,
                           .password_mark = account->password_mark,
                           .may_send = account->may_send};
        hold->watch = directory_watch_account(auth->directory, account->id, wake, data);
        return hold;
}

void
auth_hold_free(AuthHold *hold)
{
        if (hold == NULL)
                return;
        account_watch_free(hold->watch);
        g_free(hold);
}

static AuthStanding
look_up(AuthHold *hold, GError **error)
{
        g_autoptr(Arena) arena = arena_new(LOOK_ARENA_MAX);
        const Account *account;

        switch (directory_account_by_id(hold->directory, arena, hold->account, &account, error)) {
        case FOUND:
                break;
        case FOUND_NOT:
                return AUTH_STANDING_ENDED;
        case FOUND_FAILED:
        default:
                return AUTH_STANDING_FAILED;
        }
        if (account->is_disabled || account->password_mark != hold->password_mark)
                return AUTH_STANDING_ENDED;
        hold->may_send = account->may_send;
        return AUTH_STANDING_HELD;
}

/* The generation is read before the account: a change in between has it read again. */
AuthStanding
auth_hold_look(AuthHold *hold, GError **error)
{
        guint64 generation = directory_generation(hold->directory);

        if (generation == hold->generation)
                return AUTH_STANDING_HELD;
        AuthStanding standing = look_up(hold, error);
        if (standing == AUTH_STANDING_HELD)
                hold->generation = generation;
        return standing;
}

gboolean
auth_hold_may_send(const AuthHold *hold)
{
        return hold->may_send;
}

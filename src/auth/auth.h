/* auth.h -- is this really them? Passwords, and what guessing costs. How doors ask for them by SASL is auth/exchange.h; access tokens instead of
 * passwords are auth/oauth.h.
 *
 * Same answer and about the same time for an unknown user and a wrong password; the delay after a failure grows per address and
 * is returned to the session, which parks for it (no thread is held). Argon2id (19 MiB, t=2): two are computed at once, 64
 * wait, then AUTH_BUSY. A success is remembered ten minutes under a keyed hash.
 *
 * Threads  any; auth_check() may hold its thread for a hash.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "directory/directory.h"

typedef struct Auth Auth;

typedef struct AuthSettings {
        gboolean is_loopback_site;      /* 127.0.0.1 is exempt from delays (not from guess counting); plaintext logins from 127/8 */
        Usec delay_first, delay_max;    /* 0: 1 s, 30 s */
} AuthSettings;

Auth *auth_new(Directory *directory, const AuthSettings *settings) G_GNUC_WARN_UNUSED_RESULT;
void auth_free(Auth *auth);     /* NULL is fine; nobody may be in auth_check() */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Auth, auth_free)

/* Argon2id string for the account table. Passwords: 1 to 1,000 octets, UTF-8 without controls; FAULT_INPUT otherwise. */
char *auth_hash_password(const char *password, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Keys of SCRAM of the same password, for directory_keep_scram(); NULL: it can have none (nothing is left of it when it is prepared as
 * auth/scram.h says, or no memory). */
char *auth_scram_keys(const char *password) G_GNUC_WARN_UNUSED_RESULT;

typedef enum AuthAnswer {
        AUTH_FAILED = 0,        /* could not find out: 454 4.7.0 / -ERR [SYS/TEMP]                     */
        AUTH_OK,
        AUTH_WRONG,             /* 535 5.7.8 / -ERR [AUTH], after the delay; also unknown and disabled */
        AUTH_BUSY,              /* too many at once: 454 4.7.0                                         */
        /* from exchange.h only: */
        AUTH_NOT_UTF8,          /* name or password; nothing was checked                               */
        AUTH_CHALLENGE,         /* send it and wait for the client's next message                      */
        AUTH_MALFORMED,         /* 501 5.5.2                                                           */
        AUTH_CANCELLED,         /* the client sent "*": 501                                            */
        AUTH_NO_MECHANISM,      /* unknown, or not on this connection: 504 5.5.4                       */
        AUTH_NEEDS_TLS,         /* a password would be sent in the clear: 538 5.7.11                   */
        AUTH_EXPLAINED,         /* as AUTH_WRONG, and the client is told why: after the delay send it the explanation and wait for its
                                   next message, which ends the exchange                               */
        AUTH_REFUSED,           /* it has heard why: 535 5.7.8 at once; AUTH_EXPLAINED has been logged         */
} AuthAnswer;

/* A success also makes the keys of SCRAM that the account's domain wants and that are not there yet (its password was set before):
 * milliseconds and a transaction, once. That they can't be written is nobody's affair at a login.
 *
 * client: address text of the peer; login: what was typed. *ret_delay: how long the session must park before it answers (0 on OK). */
AuthAnswer auth_check(Auth *auth, Arena *arena, const char *client, Span login, Span password, const Account **ret, Usec *ret_delay,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A session's hold on the account that it logged in to. It ends when the account is removed or disabled, or has another password: who changes a
 * stolen one, and who disables an account, means the sessions that are open, too. (Dovecot and Cyrus leave them open and have a command to
 * kick them, which administrators give next; here the change does both. Setting the same password again is the kick.)
 *
 * Asked before each command: one atomic load unless the directory has changed, then a look-up from its cache. `wake` is called soon after a
 * change of the account, so that a parked session looks too; it does no more than session_wake(). account: as the login's answer gave it. */
typedef struct AuthHold AuthHold;
AuthHold *auth_hold_new(Auth *auth, const Account *account, void (*wake)(gpointer data), gpointer data) G_GNUC_WARN_UNUSED_RESULT;
void auth_hold_free(AuthHold *hold);    /* NULL is fine; `wake` is not running then, nor called any more */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AuthHold, auth_hold_free)

/* What a client reads when it has ended. */
#define AUTH_ENDED_TEXT "this account may not be used any more, or has another password"

typedef enum AuthStanding {
        AUTH_STANDING_FAILED = 0,       /* could not look: the session ends, its client may come back */
        AUTH_STANDING_HELD,
        AUTH_STANDING_ENDED,            /* the session ends; nothing more is done in its name         */
} AuthStanding;
AuthStanding auth_hold_look(AuthHold *hold, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* As it was at the last look. */
gboolean auth_hold_may_send(const AuthHold *hold);

/* May a password be sent on this connection? TLS, or a loopback site and a client in 127.0.0.0/8 or ::1. */
gboolean auth_allows_plaintext(const Auth *auth, gboolean is_tls, gboolean is_loopback_peer);

/* Does any domain here have keys of SCRAM kept? */
gboolean auth_has_scram(const Auth *auth);

/* Are access tokens taken (auth/oauth.h)? */
gboolean auth_has_oauth(const Auth *auth);

/* May this account write as `sender`? FOUND: it is the account's own address, one of its sub-addresses, or an alias with the account
 * among its targets; a domain alias stands for its domain. FOUND_NOT: somebody else's, or nobody's. account_address: as defined. */
Found auth_may_send_as(Auth *auth, Arena *arena, gint64 account, const Address *account_address, const Address *sender, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

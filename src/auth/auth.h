/* auth.h -- is this really them? Passwords, SASL on the server's side, and what guessing costs.
 *
 * Same answer and about the same time for an unknown user and a wrong password; the delay after a failure grows per address and
 * is returned to the session, which parks for it (no thread is held). Argon2id (19 MiB, t=2): two are computed at once, 64
 * wait, then AUTH_BUSY. A success is remembered ten minutes under a keyed hash.
 *
 * Threads  any; auth_check() may hold its thread for a hash.
 * RFC      4422 (SASL), 4616 (PLAIN), draft-murchison-sasl-login.
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

typedef enum AuthAnswer {
        AUTH_FAILED = 0,        /* could not find out: 454 4.7.0 / -ERR [SYS/TEMP]                     */
        AUTH_OK,
        AUTH_WRONG,             /* 535 5.7.8 / -ERR [AUTH], after the delay; also unknown and disabled */
        AUTH_BUSY,              /* too many at once: 454 4.7.0                                         */
} AuthAnswer;

/* client: address text of the peer; login: what was typed. *ret_delay: how long the session must park before it answers (0 on OK). */
AuthAnswer auth_check(Auth *auth, Arena *arena, const char *client, Span login, Span password, const Account **ret, Usec *ret_delay,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* May a password be sent on this connection? TLS, or a loopback site and a client in 127.0.0.0/8 or ::1. */
gboolean auth_allows_plaintext(const Auth *auth, gboolean is_tls, gboolean is_loopback_peer);

/* May this account write as `sender`? FOUND: it is the account's own address, one of its sub-addresses, or an alias with the account
 * among its targets; a domain alias stands for its domain. FOUND_NOT: somebody else's, or nobody's. account_address: as defined. */
Found auth_may_send_as(Auth *auth, Arena *arena, gint64 account, const Address *account_address, const Address *sender, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* SASL, server side: PLAIN and LOGIN. A mechanism is a small machine: give it the client's message (base64 already removed by the
 * door: the raw octets), it gives the next challenge or the name and password. No state is kept beside the struct. Our own and not
 * libgsasl's, whose sessions are heap objects with callbacks: thousands of parked sessions would each carry one. SCRAM will be its. */
typedef enum SaslMechanism { SASL_NONE = 0, SASL_PLAIN, SASL_LOGIN } SaslMechanism;
typedef enum SaslStep {
        SASL_MALFORMED = 0,     /* 501 5.5.2                                      */
        SASL_CHALLENGE,         /* send *ret_challenge and feed the next message  */
        SASL_COMPLETE,          /* login and password are known: auth_check; they may point into response and arena.
                                   An empty password is a wrong one: who asks to act for somebody else gets it */
} SaslStep;
typedef struct Sasl {
        SaslMechanism mechanism;
        guint8 step;
        char *login;            /* LOGIN, between its steps */
} Sasl;
SaslMechanism sasl_mechanism(Span name);
/* initial: the client sent an initial response (possibly empty, "=") with the command. */
SaslStep sasl_start(Sasl *sasl, Arena *arena, SaslMechanism mechanism, gboolean initial, Span response, Span *ret_challenge,
                    Span *ret_login, Span *ret_password) G_GNUC_WARN_UNUSED_RESULT;
SaslStep sasl_next(Sasl *sasl, Arena *arena, Span response, Span *ret_challenge, Span *ret_login, Span *ret_password)
        G_GNUC_WARN_UNUSED_RESULT;
void sasl_done(Sasl *sasl);     /* wipes */

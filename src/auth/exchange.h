/* exchange.h -- one SASL exchange, the server's side, the same at every door.
 *
 * PLAIN and LOGIN show the password: with TLS only (auth_allows_plaintext()). SCRAM-SHA-256 does not, so it is there without TLS too, once
 * any domain has its keys kept (directory.h, `scram`); -PLUS needs TLS to be bound to. OAUTHBEARER shows a token (auth/oauth.h), so it is where
 * PLAIN is, once tokens are taken at all. Failures cost the same with all of them.
 *
 * The door reads lines and writes challenges in the form of its protocol, and chooses what its client reads. Everything else is
 * here: base64, the initial response, "*", mechanisms and when they may be used, the check, its cost, and wiping.
 *
 *      AUTH PLAIN xyz   sasl_begin()  AUTH_CHALLENGE -> send it, wait for a line (of at most SASL_LINE_MAX octets)
 *      that line        sasl_next()   AUTH_CHALLENGE -> the same again; any other answer: the exchange is over
 *                                     (but for AUTH_EXPLAINED: log it, let the delay pass, send sasl_explanation(), wait for a line)
 *
 * An exchange exists only while it waits for its client: a door keeps one pointer, NULL otherwise, which the functions set.
 *
 * Threads  one at a time; the calls may hold their thread for a password hash, as auth_check() does.
 * Memory   an exchange is under 2 KiB. What a turn says lives in the arena (SASL_ARENA_MAX is enough).
 * RFC      4422, 4648 §4 (base64), 4616 (PLAIN), draft-murchison-sasl-login, 5802 and 7677 (SCRAM), 7628 (OAUTHBEARER); profiles: 4954 §4, 5034 §4, 9051 §6.2.2 with 4959.
 */
#pragma once

#include "auth/auth.h"
#include "net/stream.h"

#define SASL_LINE_MAX   ((gsize) 12288)         /* RFC 4954 §4, 5034 §4 */
#define SASL_ARENA_MAX  ((gsize) 128 * 1024)

typedef struct SaslExchange SaslExchange;

/* Who asks, at which door. `client` and `stream` outlive the exchange. */
typedef struct AuthPeer {
        Auth *auth;
        const char *client;             /* address text                                  */
        const Stream *stream;           /* tells whether TLS is on; NULL: no connection  */
        gboolean is_loopback;           /* 127.0.0.0/8, ::1, unix                        */
        guint without;                  /* mechanisms this door does not offer, 1 << SaslMechanism each */
} AuthPeer;

/* What there is to an answer. */
typedef struct AuthTurn {
        Span challenge;                 /* CHALLENGE: base64                                    */
        const Account *account;         /* OK                                                   */
        Span login;                     /* WRONG, EXPLAINED: the name as it was given, for the log; empty: there was none */
        const char *reason;             /* EXPLAINED: for the log                               */
        Usec delay;                     /* WRONG, EXPLAINED: so long the session parks before it answers */
} AuthTurn;

/* Mechanisms ------------------------------------------------------------------------------------------------------- */

typedef enum SaslMechanism {
        SASL_NONE = 0,
        SASL_PLAIN,
        SASL_LOGIN,
        SASL_SCRAM,                     /* SCRAM-SHA-256                              */
        SASL_SCRAM_PLUS,                /* SCRAM-SHA-256-PLUS: bound to TLS           */
        SASL_BEARER,                    /* OAUTHBEARER                                */
        SASL_MECHANISMS,
} SaslMechanism;
SaslMechanism sasl_mechanism(Span name);                /* in any case; SASL_NONE: no such one */
const char *sasl_name(SaslMechanism mechanism);
gboolean sasl_is_offered(const AuthPeer *peer, SaslMechanism mechanism);
/* Those that are, a space before each: " PLAIN LOGIN", or "". */
#define SASL_LIST_OCTETS 128
const char *sasl_list(const AuthPeer *peer, char ret[SASL_LIST_OCTETS]);

/* The exchange ----------------------------------------------------------------------------------------------------- */

/* name: of the mechanism, as the client gave it; AUTH_NO_MECHANISM or AUTH_NEEDS_TLS when it can't be had. has_initial: an initial
 * response came with the command, still in base64; "=" is an empty one. *exchange is NULL, or ended first. */
AuthAnswer sasl_begin(SaslExchange **exchange, const AuthPeer *peer, Arena *arena, Span name, gboolean has_initial, Span initial,
                      AuthTurn *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* line: what came for the challenge, without its end. "*": AUTH_CANCELLED. */
AuthAnswer sasl_next(SaslExchange **exchange, Arena *arena, Span line, AuthTurn *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* After AUTH_EXPLAINED, when its delay is over: what is sent as a challenge, in base64; g_free. */
char *sasl_explanation(const SaslExchange *exchange) G_GNUC_WARN_UNUSED_RESULT;
/* The client has gone, or its line was too long. Wipes. NULL inside is fine. */
void sasl_end(SaslExchange **exchange);

/* A name and a password that came with commands of the protocol's own (LOGIN, USER and PASS), answered as those of an exchange. */
AuthAnswer auth_password(const AuthPeer *peer, Arena *arena, Span login, Span password, AuthTurn *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

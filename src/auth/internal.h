/* internal.h -- what the files of this room share. */
#pragma once

#include "auth/exchange.h"
#include "auth/jwt.h"
#include "auth/oauth.h"
#include "auth/scram.h"
#include "base/thread.h"

#define PASSWORD_MAX 1000

/* Argon2id, RFC 9106 §4 in the size of RELIABILITY.md: 19 MiB, two passes. */
#define HASH_PASSES 2
#define HASH_OCTETS ((gsize) 19 * 1024 * 1024)

/* The library ready for use; every entry of this room calls it. */
void auth_init_library(void);

/* What a password is compared with when there is nobody to log in. */
extern const char AUTH_NOBODYS_HASH[];

/* Turns at the hash: two work, 64 wait. */
typedef struct Turns {
        Mutex mutex; /* auth.turns, a leaf */
        Cond wake;
        guint working, waiting;
} Turns;

#define TURNS_AT_ONCE 2
#define TURNS_WAITING 64

void turns_init(Turns *turns);
void turns_done(Turns *turns);
gboolean turns_take(Turns *turns) G_GNUC_WARN_UNUSED_RESULT; /* FALSE: too many wait already */
void turns_give(Turns *turns);

/* Successes of the last ten minutes: keyed hashes of account, stored hash and password. A changed password has another
 * stored hash, so what was remembered for the old one is never asked for again. */
typedef struct Remembered {
        Mutex mutex;       /* auth.remembered, a leaf */
        GHashTable *until; /* 32 octets -> Usec * */
        guint8 key[32];
} Remembered;

#define REMEMBERED_MAX 4096
#define REMEMBERED_FOR (10 * USEC_PER_MINUTE)
#define MAC_OCTETS 32

void remembered_init(Remembered *remembered);
void remembered_done(Remembered *remembered);
void remembered_mac(const Remembered *remembered, gint64 account, const char *hash, Span password,
                    guint8 ret[MAC_OCTETS]);
gboolean remembered_has(Remembered *remembered, const guint8 mac[MAC_OCTETS], Usec now);
void remembered_add(Remembered *remembered, const guint8 mac[MAC_OCTETS], Usec now);

/* What failures cost, per client. */
typedef struct Delays {
        Mutex mutex;         /* auth.delays, a leaf */
        GHashTable *clients; /* char * -> Failures */
        Usec first, most;
} Delays;

#define DELAYS_CLIENTS_MAX 10000
#define DELAYS_FORGET USEC_PER_MINUTE /* one failure less for each that passes */

void delays_init(Delays *delays, Usec first, Usec most);
void delays_done(Delays *delays);
Usec delays_failed(Delays *delays, const char *client, Usec now);

/* sasl.c: PLAIN and LOGIN -------------------------------------------------------------------------------------------- */

/* A mechanism is a small machine: give it the client's message (base64 already removed: the raw octets), it gives the next challenge or
 * the name and password. No state is kept beside the struct. */
typedef enum SaslStep {
        SASL_MALFORMED = 0,
        SASL_CHALLENGE,         /* send *ret_challenge and feed the next message  */
        SASL_COMPLETE,          /* login and password are known; they may point into response and arena.
                                   An empty password is a wrong one: who asks to act for somebody else gets it */
} SaslStep;
typedef struct Sasl {
        SaslMechanism mechanism;
        guint8 step;
        char *login;            /* LOGIN, between its steps */
} Sasl;
/* initial: the client sent an initial response (possibly empty) with the command. */
SaslStep sasl_start(Sasl *sasl, Arena *arena, SaslMechanism mechanism, gboolean initial, Span response, Span *ret_challenge,
                    Span *ret_login, Span *ret_password) G_GNUC_WARN_UNUSED_RESULT;
SaslStep sasl_continue(Sasl *sasl, Arena *arena, Span response, Span *ret_challenge, Span *ret_login, Span *ret_password)
        G_GNUC_WARN_UNUSED_RESULT;
void sasl_done(Sasl *sasl);     /* wipes */

/* oauth.c */
struct Oauth {
        Jwks *keys;
        JwtRules rules; /* made of the following */
        char *issuer, *account_claim;
        char **audiences, **scopes;
        char *invalid_token, *insufficient_scope; /* what is said to who fails (bearer.h) */
};

struct Auth {
        Directory *directory;
        gboolean is_loopback_site;
        Usec (*now)(void);      /* clock_monotonic; tests set it */
        Usec (*now_real)(void); /* clock_real; tests set it      */
        Oauth *oauth;           /* NULL: no tokens are taken     */
        Turns turns;
        Remembered remembered;
        Delays delays;
};

/* find.c: who that is. FOUND_NOT: nobody, or nobody who can log in; the secrets are nobody's then. */
Found auth_find(Auth *auth, Arena *arena, Span login, const Account **ret, LoginSecrets *ret_secrets, GError **error);
/* delays.c: counts a failure; what it costs. */
Usec auth_delay(Auth *auth, const char *client);

/* exchange.c ------------------------------------------------------------------------------------------------------ */

typedef struct ScramTalk {
        Scram scram;
        guint8 stage;
        gint64 account; /* 0: nobody's */
        char *login;    /* as given */
} ScramTalk;

struct SaslExchange {
        AuthPeer peer;
        SaslMechanism mechanism;
        Sasl sasl;
        ScramTalk scram;
        const char *explanation; /* OAUTHBEARER: the client is told this, and then refused; the Oauth's */
};

/* One message of the client's, base64 taken off. */
typedef struct SaslMessage {
        gboolean is_first;
        gboolean has_initial; /* the first: it came with the command; else there is none yet */
        Span octets;
} SaslMessage;

/* A failed attempt, whatever the reason: what it costs, and whose name it was. */
AuthAnswer sasl_refuse(SaslExchange *x, Arena *arena, Span login, AuthTurn *ret);

/* exchange_scram.c */
AuthAnswer sasl_take_scram(SaslExchange *x, Arena *arena, const SaslMessage *m, AuthTurn *ret, GError **error);
gboolean sasl_can_bind(const AuthPeer *peer);
void sasl_end_scram(SaslExchange *x);

/* exchange_bearer.c */
AuthAnswer sasl_take_bearer(SaslExchange *x, Arena *arena, const SaslMessage *m, AuthTurn *ret, GError **error);

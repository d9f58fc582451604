/* scram.h -- SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side: keys, messages and proofs, and nothing else.
 *
 *      n,,n=user,r=abc                  scram_take_first()   who is it? The caller finds the keys, or makes some up.
 *      r=abcdef,s=...,i=4096            scram_challenge()
 *      c=biws,r=abcdef,p=...            scram_take_final()   is the proof right?
 *      v=...                            what it gives, for the client to check us
 *
 * Who does not exist has keys like everybody else (scram_keys_of_nobody()); only the proof is never right. No messages of the form
 * "e=..." are sent: what a client is told is its protocol's refusal, the same for all reasons.
 *
 * Passwords  go through SASLprep's mapping (RFC 4013 §2.1, 2.2): other spaces become SPACE, what is mapped to nothing goes, NFKC as
 *            GLib has it. The lists of prohibited and unassigned characters are not looked at: a password that the account has is
 *            not refused at its login. For the ASCII passwords of most people all this changes nothing.
 * Names      "=2C" and "=3D" stand for comma and equals sign; they are looked up as they are, without SASLprep.
 *
 * Threads    a Scram is of one thread.
 * Memory     heap copies of at most two messages between the turns; scram_done() wipes.
 * RFC        5802, 7677, 5803 (form of stored keys), 9266 (tls-exporter), 5929 (tls-unique, tls-server-end-point).
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/scan.h"

#define SCRAM_KEY_OCTETS        32      /* SHA-256 */
#define SCRAM_SALT_OCTETS       16      /* of ours; what is stored may have up to SCRAM_SALT_MAX */
#define SCRAM_SALT_MAX          64
#define SCRAM_ITERATIONS        4096    /* RFC 7677 §4: at least. The server computes them at the login that makes the keys: see doc/design.md */
#define SCRAM_ITERATIONS_MAX    1000000
#define SCRAM_NAME_MAX          1000
#define SCRAM_NONCE_MAX         512

typedef struct ScramKeys {
        guint8 salt[SCRAM_SALT_MAX];
        gsize salt_octets;
        guint iterations;
        guint8 stored_key[SCRAM_KEY_OCTETS], server_key[SCRAM_KEY_OCTETS];
} ScramKeys;

/* Of a password, with this salt. Some milliseconds. */
gboolean scram_keys_make(Span password, Span salt, guint iterations, ScramKeys *ret) G_GNUC_WARN_UNUSED_RESULT;
/* "SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY" in base64 (RFC 5803). */
#define SCRAM_TEXT_MAX 300
char *scram_keys_text(const ScramKeys *keys) G_GNUC_WARN_UNUSED_RESULT;
gboolean scram_keys_parse(Span text, ScramKeys *ret) G_GNUC_WARN_UNUSED_RESULT;
/* For a name that nobody has: the salt follows from secret and name, so that it is the same whenever one asks. */
void scram_keys_of_nobody(Span secret, Span name, ScramKeys *ret);

/* What the connection is bound to. */
#define SCRAM_BINDING_MAX 64
typedef struct ScramBinding {
        const char *name;               /* "tls-exporter" */
        guint8 octets[SCRAM_BINDING_MAX];
        gsize n_octets;
} ScramBinding;
typedef struct ScramChannel {
        gboolean is_plus;               /* this exchange is a -PLUS one: it must be bound                                      */
        gboolean has_plus;              /* -PLUS was offered: who could bind and says that we can't has been lied to (§6)      */
        const ScramBinding *bindings;
        gsize n_bindings;
} ScramChannel;

typedef struct Scram {
        char *bound;                    /* base64 that c= must have                                      */
        char *nonce;                    /* the client's, then both                                       */
        char *transcript;               /* client-first-message-bare "," server-first-message            */
        ScramKeys keys;
        gboolean is_for_another;        /* it asked to act for somebody else: no proof is right          */
} Scram;

typedef enum ScramStep {
        SCRAM_MALFORMED = 0,
        SCRAM_REFUSED,                  /* a wrong proof, a downgrade, another channel, nobody           */
        SCRAM_OK,
} ScramStep;

/* *ret_name: in the arena, with commas and equals signs; UTF-8 without controls, not empty. */
ScramStep scram_take_first(Scram *scram, Arena *arena, Span message, const ScramChannel *channel, Span *ret_name) G_GNUC_WARN_UNUSED_RESULT;
/* nonce: ours, printable without commas, never used before. The message, in the arena. */
Span scram_challenge(Scram *scram, Arena *arena, const ScramKeys *keys, const char *nonce);
/* *ret_last: server-final-message, in the arena. */
ScramStep scram_take_final(Scram *scram, Arena *arena, Span message, Span *ret_last) G_GNUC_WARN_UNUSED_RESULT;
void scram_done(Scram *scram);

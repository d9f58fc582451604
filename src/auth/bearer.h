/* bearer.h -- OAUTHBEARER's messages: what the client says, and what it is told when that does not do.
 *
 *      n,a=joe@example.com,^Aauth=Bearer eyJhb...^A^A      bearer_parse()
 *      {"status":"invalid_token",...}                      bearer_explanation()
 *
 * `host` and `port` are for tokens that are signed over them, which bearer tokens are not; they are read and not looked at, like any
 * other pair.
 *
 * Threads  any.
 * Memory   the token points into the message, which the caller wipes.
 * RFC      7628 §3, 6750 §2.1 (the form of a token), 5801 §4.
 */
#pragma once

#include "base/arena.h"
#include "base/scan.h"

typedef enum BearerStep {
        BEARER_MALFORMED = 0,
        BEARER_TOKEN,           /* here it is                                                                     */
        BEARER_ASKS,            /* there is none: the client wants to know where they are had (§3.2.2, §4.3)         */
        BEARER_OTHER,           /* another scheme than Bearer, or what no bearer token looks like                 */
} BearerStep;

typedef struct BearerMessage {
        Span authzid;           /* SPAN_EMPTY: none; in the arena */
        Span token;             /* BEARER_TOKEN: not empty        */
} BearerMessage;

/* MALFORMED leaves *ret as it is. */
BearerStep bearer_parse(Arena *arena, Span message, BearerMessage *ret) G_GNUC_WARN_UNUSED_RESULT;

/* JSON in one line (§3.2.2). scope, discovery: NULL leaves them out. g_free. */
char *bearer_explanation(const char *status, const char *scope, const char *discovery) G_GNUC_WARN_UNUSED_RESULT;

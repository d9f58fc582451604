/* exchange.c -- from a line of the client's to an answer.
 *
 *      base64 -> the mechanism's machine -> a challenge, or the check of what it has learnt
 */
#include "auth/exchange.h"

#include "auth/internal.h"
#include "base/text.h"

/* Mechanisms ------------------------------------------------------------------------------------------------------ */

typedef struct Mechanism {
        const char *name;
        AuthAnswer (*objection)(const AuthPeer *peer); /* AUTH_OK: it can be had */
        AuthAnswer (*take)(SaslExchange *x, Arena *arena, const SaslMessage *m, AuthTurn *ret, GError **error);
} Mechanism;

static AuthAnswer objection_to_password(const AuthPeer *peer);
static AuthAnswer objection_to_scram(const AuthPeer *peer);
static AuthAnswer objection_to_scram_plus(const AuthPeer *peer);
static AuthAnswer objection_to_bearer(const AuthPeer *peer);
static AuthAnswer take_password(SaslExchange *x, Arena *arena, const SaslMessage *m, AuthTurn *ret, GError **error);

/* In the order in which they are shown: who takes the first that it knows gets one that every account has. */
static const Mechanism MECHANISMS[SASL_MECHANISMS] = {
        [SASL_NONE] = {"", NULL, NULL},
        [SASL_PLAIN] = {"PLAIN", objection_to_password, take_password},
        [SASL_LOGIN] = {"LOGIN", objection_to_password, take_password},
        [SASL_SCRAM] = {"SCRAM-SHA-256", objection_to_scram, sasl_take_scram},
        [SASL_SCRAM_PLUS] = {"SCRAM-SHA-256-PLUS", objection_to_scram_plus, sasl_take_scram},
        [SASL_BEARER] = {"OAUTHBEARER", objection_to_bearer, sasl_take_bearer},
};

SaslMechanism
sasl_mechanism(Span name)
{
        for (SaslMechanism m = SASL_NONE + 1; m < SASL_MECHANISMS; m++)
                if (span_is(name, MECHANISMS[m].name))
                        return m;
        return SASL_NONE;
}

const char *
sasl_name(SaslMechanism mechanism)
{
        return MECHANISMS[mechanism].name;
}

static gboolean
is_tls(const AuthPeer *peer)
{
        return peer->stream != NULL && stream_is_tls(peer->stream);
}

static AuthAnswer
objection_to_password(const AuthPeer *peer)
{
        return auth_allows_plaintext(peer->auth, is_tls(peer), peer->is_loopback) ? AUTH_OK : AUTH_NEEDS_TLS;
}

static AuthAnswer
objection_to_scram(const AuthPeer *peer)
{
        return auth_has_scram(peer->auth) ? AUTH_OK : AUTH_NO_MECHANISM;
}

static AuthAnswer
objection_to_scram_plus(const AuthPeer *peer)
{
        return is_tls(peer) && auth_has_scram(peer->auth) && sasl_can_bind(peer) ? AUTH_OK : AUTH_NO_MECHANISM;
}

static AuthAnswer
objection_to_bearer(const AuthPeer *peer)
{
        return auth_has_oauth(peer->auth) ? objection_to_password(peer) : AUTH_NO_MECHANISM;
}

static AuthAnswer
objection(const AuthPeer *peer, SaslMechanism mechanism)
{
        if (mechanism == SASL_NONE || (peer->without & 1u << mechanism) != 0)
                return AUTH_NO_MECHANISM;
        return MECHANISMS[mechanism].objection(peer);
}

gboolean
sasl_is_offered(const AuthPeer *peer, SaslMechanism mechanism)
{
        return objection(peer, mechanism) == AUTH_OK;
}

const char *
sasl_list(const AuthPeer *peer, char ret[SASL_LIST_OCTETS])
{
        ret[0] = '\0';
        for (SaslMechanism m = SASL_NONE + 1; m < SASL_MECHANISMS; m++)
                if (sasl_is_offered(peer, m)) {
                        (void) g_strlcat(ret, " ", SASL_LIST_OCTETS);
                        (void) g_strlcat(ret, MECHANISMS[m].name, SASL_LIST_OCTETS);
                }
        return ret;
}

/* The check ------------------------------------------------------------------------------------------------------- */

AuthAnswer
auth_password(const AuthPeer *peer, Arena *arena, Span login, Span password, AuthTurn *ret, GError **error)
{
        if (!text_is_utf8(login) || !text_is_utf8(password))
                return AUTH_NOT_UTF8;
        ret->login = arena_copy(arena, login); /* it may lie in a message that is wiped */
        return auth_check(peer->auth, arena, peer->client, login, password, &ret->account, &ret->delay, error);
}

/* The exchange ---------------------------------------------------------------------------------------------------- */

AuthAnswer
sasl_refuse(SaslExchange *x, Arena *arena, Span login, AuthTurn *ret)
{
        ret->login = arena_copy(arena, login);
        ret->delay = auth_delay(x->peer.auth, x->peer.client);
        return AUTH_WRONG;
}

static AuthAnswer
take_password(SaslExchange *x, Arena *arena, const SaslMessage *m, AuthTurn *ret, GError **error)
{
        Span name = SPAN_EMPTY, password = SPAN_EMPTY;
        SaslStep step = m->is_first ? sasl_start(&x->sasl, arena, x->mechanism, m->has_initial, m->octets,
                                                 &ret->challenge, &name, &password)
                                    : sasl_continue(&x->sasl, arena, m->octets, &ret->challenge, &name, &password);

        switch (step) {
        case SASL_MALFORMED:
                break;
        case SASL_CHALLENGE:
                return AUTH_CHALLENGE;
        case SASL_COMPLETE:
                return auth_password(&x->peer, arena, name, password, ret, error);
        }
        return AUTH_MALFORMED;
}

/* One message, still in base64. Whatever the client need not answer ends the exchange. */
static AuthAnswer
take_message(SaslExchange **exchange, Arena *arena, SaslMessage m, AuthTurn *ret, GError **error)
{
        Span line = m.octets;
        AuthAnswer answer = AUTH_MALFORMED;

        if (text_base64_decode(arena, line, SASL_LINE_MAX, &m.octets)) {
                answer = MECHANISMS[(*exchange)->mechanism].take(*exchange, arena, &m, ret, error);
                text_wipe((guint8 *) m.octets.data, m.octets.len);
        }
        if (answer == AUTH_CHALLENGE)
                ret->challenge = text_base64(arena, ret->challenge);
        else if (answer != AUTH_EXPLAINED)
                sasl_end(exchange);
        return answer;
}

AuthAnswer
sasl_begin(SaslExchange **exchange, const AuthPeer *peer, Arena *arena, Span name, gboolean has_initial, Span initial,
           AuthTurn *ret, GError **error)
{
        SaslMechanism mechanism = sasl_mechanism(name);
        AuthAnswer wrong = objection(peer, mechanism);

        *ret = (AuthTurn){0};
        sasl_end(exchange);
        if (wrong != AUTH_OK)
                return wrong;
        *exchange = g_new0(SaslExchange, 1);
        (*exchange)->peer = *peer;
        (*exchange)->mechanism = mechanism;
        return take_message(exchange, arena,
                            (SaslMessage){TRUE, has_initial, span_is(initial, "=") ? SPAN_EMPTY : initial}, ret, error);
}

AuthAnswer
sasl_next(SaslExchange **exchange, Arena *arena, Span line, AuthTurn *ret, GError **error)
{
        *ret = (AuthTurn){0};
        if (*exchange == NULL)
                return AUTH_MALFORMED;
        if (span_equal(line, span_of("*"))) {
                sasl_end(exchange);
                return AUTH_CANCELLED;
        }
        return take_message(exchange, arena, (SaslMessage){.octets = line}, ret, error);
}

void
sasl_end(SaslExchange **exchange)
{
        if (*exchange == NULL)
                return;
        sasl_done(&(*exchange)->sasl);
        sasl_end_scram(*exchange);
        g_clear_pointer(exchange, g_free);
}

/* exchange_scram.c -- SCRAM as an exchange: whose keys, which nonce, what the connection is bound to.
 *
 *      first message -> keys, or nobody's -> challenge -> proof -> our proof as a challenge -> an empty message -> in
 *
 * None of the three protocols has success with data, so the last word of the server goes as a challenge (RFC 4422 §4).
 * A name that nobody has, one without keys and one that is disabled take the same way.
 */
#include "auth/internal.h"

#include "base/id.h"
#include "base/text.h"

#define NONCE_OCTETS 18

enum { STAGE_FIRST = 0, STAGE_FINAL, STAGE_LAST };

/* Channels -------------------------------------------------------------------------------------------------------- */

static const char *const BINDING_NAMES[] = {
        [STREAM_TLS_EXPORTER] = "tls-exporter",
        [STREAM_TLS_UNIQUE] = "tls-unique",
        [STREAM_TLS_SERVER_END_POINT] = "tls-server-end-point",
};

static gsize
collect_bindings(const AuthPeer *peer, ScramBinding ret[G_N_ELEMENTS(BINDING_NAMES)])
{
        gsize n = 0;

        G_STATIC_ASSERT(SCRAM_BINDING_MAX >= STREAM_BINDING_MAX);
        for (guint kind = 0; peer->stream != NULL && kind < G_N_ELEMENTS(BINDING_NAMES); kind++) {
                ret[n].name = BINDING_NAMES[kind];
                ret[n].n_octets = stream_binding(peer->stream, kind, ret[n].octets);
                if (ret[n].n_octets > 0)
                        n++;
        }
        return n;
}

gboolean
sasl_can_bind(const AuthPeer *peer)
{
        ScramBinding bindings[G_N_ELEMENTS(BINDING_NAMES)];

        return collect_bindings(peer, bindings) > 0;
}

/* Whose keys ------------------------------------------------------------------------------------------------------ */

/* Made for every name, so that those that exist cost the same; by the address that it stands for. */
static gboolean
make_nobodys(Auth *auth, Arena *arena, Span login, ScramKeys *ret, GError **error)
{
        guint8 secret[DIRECTORY_KEY_OCTETS];
        Address address;

        if (!directory_site_key(auth->directory, "scram", secret, error))
                return FALSE;
        Found found = directory_login_address(auth->directory, arena, login, &address, error);
        if (found == FOUND)
                login = address_text(arena, &address);
        scram_keys_of_nobody(span_make(secret, sizeof(secret)), text_lower(arena, login), ret);
        text_wipe(secret, sizeof(secret));
        return found != FOUND_FAILED;
}

/* *ret_account 0: nobody's keys. */
static gboolean
find_keys(Auth *auth, Arena *arena, Span login, ScramKeys *ret, gint64 *ret_account, GError **error)
{
        const Account *account = NULL;
        LoginSecrets secrets;

        *ret_account = 0;
        if (!make_nobodys(auth, arena, login, ret, error))
                return FALSE;
        switch (auth_find(auth, arena, login, &account, &secrets, error)) {
        case FOUND_FAILED:
                return FALSE;
        case FOUND_NOT:
                return TRUE;
        case FOUND:
                break;
        }
        if (secrets.wants_scram && secrets.scram != NULL && scram_keys_parse(span_of(secrets.scram), ret))
                *ret_account = account->id;
        return TRUE;
}

/* Messages -------------------------------------------------------------------------------------------------------- */

static AuthAnswer
take_first(SaslExchange *x, Arena *arena, Span message, AuthTurn *ret, GError **error)
{
        ScramBinding bindings[G_N_ELEMENTS(BINDING_NAMES)];
        ScramChannel channel = {.is_plus = x->mechanism == SASL_SCRAM_PLUS,
                                .has_plus = sasl_is_offered(&x->peer, SASL_SCRAM_PLUS),
                                .bindings = bindings,
                                .n_bindings = collect_bindings(&x->peer, bindings)};
        ScramTalk *t = &x->scram;
        guint8 octets[NONCE_OCTETS];
        Span login = SPAN_EMPTY;
        ScramKeys keys;

        switch (scram_take_first(&t->scram, arena, message, &channel, &login)) {
        case SCRAM_MALFORMED:
                return AUTH_MALFORMED;
        case SCRAM_REFUSED:
                return sasl_refuse(x, arena, login, ret);
        case SCRAM_OK:
                break;
        }
        if (!find_keys(x->peer.auth, arena, login, &keys, &t->account, error))
                return AUTH_FAILED;
        random_octets(octets, sizeof(octets));
        g_autofree char *nonce = g_base64_encode(octets, sizeof(octets));
        ret->challenge = scram_challenge(&t->scram, arena, &keys, nonce);
        text_wipe(&keys, sizeof(keys));
        t->login = span_dup(login);
        t->stage = STAGE_FINAL;
        return AUTH_CHALLENGE;
}

static AuthAnswer
take_final(SaslExchange *x, Arena *arena, Span message, AuthTurn *ret)
{
        ScramTalk *t = &x->scram;

        switch (scram_take_final(&t->scram, arena, message, &ret->challenge)) {
        case SCRAM_MALFORMED:
                return AUTH_MALFORMED;
        case SCRAM_REFUSED:
                break;
        case SCRAM_OK:
                if (t->account == 0)
                        break;
                t->stage = STAGE_LAST;
                return AUTH_CHALLENGE;
        }
        return sasl_refuse(x, arena, span_of(t->login), ret);
}

/* The account as it is by now. */
static AuthAnswer
take_last(SaslExchange *x, Arena *arena, Span message, AuthTurn *ret, GError **error)
{
        ScramTalk *t = &x->scram;

        if (message.len > 0)
                return AUTH_MALFORMED;
        switch (directory_account_by_id(x->peer.auth->directory, arena, t->account, &ret->account, error)) {
        case FOUND_FAILED:
                return AUTH_FAILED;
        case FOUND_NOT:
                break;
        case FOUND:
                if (!ret->account->is_disabled)
                        return AUTH_OK;
                break;
        }
        return sasl_refuse(x, arena, span_of(t->login), ret);
}

AuthAnswer
sasl_take_scram(SaslExchange *x, Arena *arena, const SaslMessage *m, AuthTurn *ret, GError **error)
{
        if (m->is_first && !m->has_initial)
                return AUTH_CHALLENGE; /* an empty one: the client begins */
        switch (x->scram.stage) {
        case STAGE_FIRST:
                return take_first(x, arena, m->octets, ret, error);
        case STAGE_FINAL:
                return take_final(x, arena, m->octets, ret);
        default:
                return take_last(x, arena, m->octets, ret, error);
        }
}

void
sasl_end_scram(SaslExchange *x)
{
        scram_done(&x->scram.scram);
        g_clear_pointer(&x->scram.login, g_free);
}

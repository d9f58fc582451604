/* sasl.c -- PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), server side.
 *
 * Written here and not taken from libgsasl: a gsasl session is a heap object with callbacks that must live while the
 * client thinks, and thousands of parked sessions would each carry one; these two mechanisms are a split at NULs and
 * two questions.
 */
#include "auth/internal.h"

#include "base/text.h"

#define NAME_MAX_OCTETS 1000

static gboolean
is_name(Span s)
{
        return s.len > 0 && s.len <= NAME_MAX_OCTETS && !text_has_control(s) && text_is_utf8(s);
}

/* message = [authzid] NUL authcid NUL passwd. Acting for somebody else is not offered: such a request has no password
 * that could be right, so it fails like a wrong one (RFC 4616 §2), with the same delay. */
static SaslStep
plain(Span message, Span *ret_login, Span *ret_password)
{
        Scan s = scan_from(message);
        Span authzid, authcid;

        if (!scan_until(&s, '\0', &authzid) || !scan_octet(&s, '\0') || !scan_until(&s, '\0', &authcid) ||
            !scan_octet(&s, '\0'))
                return SASL_MALFORMED;
        Span password = scan_rest(&s);
        if (!is_name(authcid) || (authzid.len > 0 && !is_name(authzid)) || password.len > PASSWORD_MAX ||
            (password.len > 0 && memchr(password.data, '\0', password.len) != NULL))
                return SASL_MALFORMED;
        *ret_login = authcid;
        *ret_password = authzid.len == 0 || span_equal_nocase(authzid, authcid) ? password : SPAN_EMPTY;
        return SASL_COMPLETE;
}

/* Clients expect these very words; some look at them. */
static SaslStep
ask(Sasl *sasl, guint8 step, const char *words, Span *ret_challenge)
{
        sasl->step = step;
        *ret_challenge = span_of(words);
        return SASL_CHALLENGE;
}

enum { LOGIN_WAITS_FOR_NAME = 1, LOGIN_WAITS_FOR_PASSWORD = 2, PLAIN_WAITS = 3 };

static SaslStep
login_name(Sasl *sasl, Span name, Span *ret_challenge)
{
        if (!is_name(name))
                return SASL_MALFORMED;
        g_free(sasl->login);
        sasl->login = span_dup(name);
        return ask(sasl, LOGIN_WAITS_FOR_PASSWORD, "Password:", ret_challenge);
}

static SaslStep
login_password(Sasl *sasl, Arena *arena, Span password, Span *ret_login, Span *ret_password)
{
        if (sasl->login == NULL || password.len > PASSWORD_MAX)
                return SASL_MALFORMED;
        *ret_login = arena_copy(arena, span_of(sasl->login));
        *ret_password = password;
        return ret_login->len > 0 ? SASL_COMPLETE : SASL_MALFORMED;
}

SaslStep
sasl_start(Sasl *sasl, Arena *arena, SaslMechanism mechanism, gboolean initial, Span response, Span *ret_challenge,
           Span *ret_login, Span *ret_password)
{
        sasl_done(sasl);
        sasl->mechanism = mechanism;
        switch (mechanism) {
        case SASL_PLAIN:
                return initial ? plain(response, ret_login, ret_password) : ask(sasl, PLAIN_WAITS, "", ret_challenge);
        case SASL_LOGIN:
                return initial && response.len > 0 ? login_name(sasl, response, ret_challenge)
                                                   : ask(sasl, LOGIN_WAITS_FOR_NAME, "Username:", ret_challenge);
        default:
                break;
        }
        return SASL_MALFORMED;
}

SaslStep
sasl_continue(Sasl *sasl, Arena *arena, Span response, Span *ret_challenge, Span *ret_login, Span *ret_password)
{
        switch (sasl->step) {
        case PLAIN_WAITS:
                return plain(response, ret_login, ret_password);
        case LOGIN_WAITS_FOR_NAME:
                return login_name(sasl, response, ret_challenge);
        case LOGIN_WAITS_FOR_PASSWORD:
                return login_password(sasl, arena, response, ret_login, ret_password);
        default:
                return SASL_MALFORMED;
        }
}

void
sasl_done(Sasl *sasl)
{
        if (sasl->login != NULL)
                text_wipe(sasl->login, strlen(sasl->login));
        g_free(sasl->login);
        *sasl = (Sasl){0};
}

/* bearer.c -- messages of OAUTHBEARER (RFC 7628 §3.1). */
#include "auth/bearer.h"

#include "auth/gs2.h"

#include <jansson.h>

#define KVSEP 0x01
#define KEY_OCTETS_MAX 64

/* value = *(VCHAR / SP / HTAB / CR / LF) */
static gboolean
is_value(Span s)
{
        for (gsize i = 0; i < s.len; i++)
                if (s.data[i] > 0x7e || (s.data[i] < 0x20 && strchr("\t\r\n", s.data[i]) == NULL) || s.data[i] == '\0')
                        return FALSE;
        return TRUE;
}

static gboolean
scan_pair(Scan *s, Span *ret_key, Span *ret_value)
{
        return scan_run(s, &CLASS_ALPHA, KEY_OCTETS_MAX, ret_key) && scan_octet(s, '=') &&
               scan_until(s, KVSEP, ret_value) && scan_octet(s, KVSEP) && is_value(*ret_value);
}

/* b64token (RFC 6750 §2.1) */
static gboolean
is_token(Span s)
{
        gsize n = s.len;

        while (n > 0 && s.data[n - 1] == '=')
                n--;
        for (gsize i = 0; i < n; i++)
                if (!octet_in(&CLASS_ALNUM, s.data[i]) && (s.data[i] == '\0' || strchr("-._~+/", s.data[i]) == NULL))
                        return FALSE;
        return n > 0;
}

/* "Bearer" in any case, spaces, the token. */
static BearerStep
read_auth(Span auth, Span *ret)
{
        Scan s = scan_from(auth);

        if (auth.len == 0)
                return BEARER_ASKS;
        if (!scan_word(&s, "Bearer ") || !is_token(span_trim(scan_rest(&s))))
                return BEARER_OTHER;
        *ret = span_trim(scan_rest(&s));
        return BEARER_TOKEN;
}

BearerStep
bearer_parse(Arena *arena, Span message, BearerMessage *ret)
{
        Scan s = scan_from(message);
        Span key, value, auth = SPAN_EMPTY;
        gboolean has_auth = FALSE;
        Gs2 gs2;

        if (!gs2_scan(&s, arena, &gs2) || gs2.flag == 'p' || !scan_octet(&s, KVSEP))
                return BEARER_MALFORMED;
        while (!scan_octet(&s, KVSEP)) {
                if (!scan_pair(&s, &key, &value) || (span_is(key, "auth") && has_auth))
                        return BEARER_MALFORMED;
                if (span_is(key, "auth")) {
                        has_auth = TRUE;
                        auth = span_trim(value);
                }
        }
        if (!scan_at_end(&s))
                return BEARER_MALFORMED;
        *ret = (BearerMessage){.authzid = gs2.authzid};
        return read_auth(auth, &ret->token);
}

char *
bearer_explanation(const char *status, const char *scope, const char *discovery)
{
        json_t *object =
                json_pack("{s:s, s:s*, s:s*}", "status", status, "scope", scope, "openid-configuration", discovery);
        char *text = json_dumps(object, JSON_COMPACT), *copy = g_strdup(text != NULL ? text : "{}");

        json_decref(object);
        free(text);
        return copy;
}

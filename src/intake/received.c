#include "intake/internal.h"

#include <sodium.h>

/* Our Received ----------------------------------------------------------------------------------------------------- */

/* What a client called itself may go into the field only when it reads as a domain or an address literal. */
static gboolean
is_plain_name(const char *name)
{
        Span s = span_of(name);

        for (gsize i = 0; i < s.len; i++)
                if (!octet_in(&CLASS_ALNUM, s.data[i]) && strchr(".-_:[]", s.data[i]) == NULL)
                        return FALSE;
        return s.len > 0 && s.len <= ADDRESS_DOMAIN_MAX;
}

/* "from HELO ([192.0.2.1]) " (RFC 5321 §4.4, Extended-Domain), empty for what was made here. */
static const char *
from_clause(Arena *arena, const IntakeOrigin *origin)
{
        const char *name = origin->helo != NULL && is_plain_name(origin->helo) ? origin->helo : NULL;
        const char *client = origin->client != NULL && is_plain_name(origin->client) ? origin->client : NULL;

        if (client == NULL)
                return name != NULL ? arena_join(arena, "from ", name, " ", NULL) : "";
        return arena_join(arena, "from ", name != NULL ? name : "unknown", " ([",
                          strchr(client, ':') != NULL ? "IPv6:" : "", client, "]) ", NULL);
}

static const char *
for_clause(Arena *arena, const Submission *sub)
{
        if (sub->n != 1 || sub->recipients[0].fate != FATE_ROUTE)
                return "";
        const char *address = arena_strndup(arena, address_text(arena, &sub->recipients[0].address));
        return address != NULL ? arena_join(arena, " for <", address, ">", NULL) : NULL;
}

void
received_compose(Composer *c, Arena *arena, const Submission *sub, Usec now, const char *token)
{
        const IntakeOrigin *origin = &sub->origin;
        char id[ID_TEXT_OCTETS], date[40];

        const char *from = from_clause(arena, origin), *whom = for_clause(arena, sub);
        if (from == NULL || whom == NULL)
                return; /* the arena is over, which the caller sees */
        const char *value =
                arena_join(arena, from, "by ", sub->intake->hostname, " with ", origin->protocol,
                           origin->tls != NULL ? " (" : "", origin->tls != NULL ? origin->tls : "",
                           origin->tls != NULL ? ")" : "", " id ", id_text(sub->id, id), token != NULL ? "-" : "",
                           token != NULL ? token : "", whom, "; ", date_text(now, date, sizeof(date)), NULL);
        compose_field_raw(c, "Received", span_of(value));
}

/* Loop tokens ------------------------------------------------------------------------------------------------------ */

void
loop_token(const Intake *intake, Arena *arena, const Address *recipient, char ret[TOKEN_DIGITS + 1])
{
        guint8 hash[TOKEN_DIGITS / 2 < crypto_generichash_BYTES_MIN ? crypto_generichash_BYTES_MIN : TOKEN_DIGITS / 2];
        Span text = text_lower(arena, address_text(arena, recipient));

        crypto_generichash(hash, sizeof(hash), text.data, text.len, intake->loop_key, sizeof(intake->loop_key));
        sodium_bin2hex(ret, TOKEN_DIGITS + 1, hash, TOKEN_DIGITS / 2);
}

/* White space and comments, which nest (RFC 5322 §3.2.2). */
static void
skip_cfws(Scan *s)
{
        gsize depth = 0;
        guint8 octet;

        for (const guint8 *mark = scan_mark(s); scan_any(s, &octet); mark = scan_mark(s)) {
                if (octet == '(') {
                        depth++;
                } else if (octet == ')' && depth > 0) {
                        depth--;
                } else if (octet == '\\' && depth > 0) {
                        (void) scan_any(s, &octet);
                } else if (depth == 0 && octet != ' ' && octet != '\t' && octet != '\r' && octet != '\n') {
                        scan_rewind(s, mark);
                        return;
                }
        }
}

static Span
next_word(Scan *s)
{
        skip_cfws(s);
        const guint8 *start = scan_mark(s);
        for (int octet; (octet = scan_peek(s)) >= 0 && octet != '(' && octet != ';' && octet > ' ';)
                (void) scan_skip(s, 1);
        return scan_since(s, start);
}

static gboolean
is_token_word(Span word, Span *ret_token)
{
        Scan s = scan_from(word);
        Id id;
        Span id_part, token;
        const guint8 *start;
        guint64 value;

        if (!scan_take(&s, ID_TEXT_OCTETS - 1, &id_part) || !scan_octet(&s, '-') || !id_parse(id_part, &id))
                return FALSE;
        start = scan_mark(&s);
        if (!scan_hex(&s, TOKEN_DIGITS / 2, &value) || !scan_hex(&s, TOKEN_DIGITS / 2, &value) || !scan_at_end(&s))
                return FALSE;
        token = scan_since(&s, start);
        *ret_token = token;
        return TRUE;
}

Span
received_find_token(Span body)
{
        Scan s = scan_from(body);
        Span token = SPAN_EMPTY;
        gboolean is_id = FALSE;

        for (;;) {
                Span word = next_word(&s);
                if (is_id && is_token_word(word, &token))
                        return token;
                if (word.len == 0) /* the date's semicolon, or the end */
                        return SPAN_EMPTY;
                is_id = span_is(word, "id");
        }
}

/* address.c -- addresses of the envelope: one mailbox, its local part and its domain. */
#include "mail/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <idn2.h>

#define LABEL_MAX 63
#define UNICODE_NAME_MAX 1000 /* octets of a name in U-labels: no name of 255 octets in A-labels needs more */
#define LITERAL_TEXT_MAX 64

/* What may stand in a domain name before it is looked at closely: letters, digits, '-', '_', '.', and U-labels. */
static const OctetClass NAME_OCTETS = {{0x03ff600000000000, 0x07fffffe87fffffe, ~(guint64) 0, ~(guint64) 0}};

/* The ASCII rules of labels. Underscores are no host names by RFC 1123 §2.1, but senders have them. A last label of
 * digits only is refused: a resolver might take `1.2.3.4` for the address of a host. */
static gboolean
name_is_valid(Span name)
{
        gsize label = 0;
        gboolean is_number = TRUE;

        for (gsize i = 0; i < name.len; i++) {
                guint8 o = name.data[i];

                if (o == '.') {
                        if (label == 0 || name.data[i - 1] == '-')
                                return FALSE;
                        label = 0;
                        is_number = TRUE;
                        continue;
                }
                if (o >= 0x80 || !octet_in(&NAME_OCTETS, o) || (o == '-' && label == 0) || ++label > LABEL_MAX)
                        return FALSE;
                is_number = is_number && g_ascii_isdigit(o);
        }
        return label > 0 && name.data[name.len - 1] != '-' && !is_number;
}

static gboolean
has_upper(Span s)
{
        for (gsize i = 0; i < s.len; i++)
                if (g_ascii_isupper(s.data[i]))
                        return TRUE;
        return FALSE;
}

static AddressAnswer
take_ascii_name(Arena *arena, Span name, Span *ret)
{
        if (name.len > ADDRESS_DOMAIN_MAX)
                return ADDRESS_TOO_LONG;
        if (!name_is_valid(name))
                return ADDRESS_BAD_DOMAIN;
        if (has_upper(name)) {
                name = text_lower(arena, name);
                if (name.data == NULL)
                        return ADDRESS_TOO_LONG;
        }
        *ret = name;
        return ADDRESS_OK;
}

/* U-labels -> A-labels (RFC 5891 §5), with the mapping of UTS 46 for what people type: upper case, full-width dots. */
static AddressAnswer
take_unicode_name(Arena *arena, Span name, Span *ret)
{
        guint8 *found = NULL;

        if (name.len > UNICODE_NAME_MAX)
                return ADDRESS_TOO_LONG;
        if (!text_is_utf8(name) || text_has_control(name))
                return ADDRESS_BAD_DOMAIN;

        g_autofree char *text = span_dup(name);
        int code = idn2_lookup_u8((const guint8 *) text, &found, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
        if (code == IDN2_TOO_BIG_DOMAIN || code == IDN2_TOO_BIG_LABEL)
                return ADDRESS_TOO_LONG;
        if (code != IDN2_OK)
                return ADDRESS_BAD_DOMAIN;

        Span copy = arena_copy(arena, span_of((const char *) found));
        idn2_free(found);
        if (copy.len > 0 && copy.data[copy.len - 1] == '.')
                copy.len--;
        return copy.data != NULL ? take_ascii_name(arena, copy, ret) : ADDRESS_TOO_LONG;
}

/* "[192.0.2.1]" and "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3), written back in the one canonical form, so that equal
 * literals are equal octets. General literals have no registered tag: refused. */
static AddressAnswer
take_literal(Arena *arena, Span text, Span *ret)
{
        char buffer[LITERAL_TEXT_MAX];
        guint8 binary[sizeof(struct in6_addr)];

        if (text.len < 3 || text.len >= sizeof(buffer) || text.data[text.len - 1] != ']')
                return ADDRESS_BAD_DOMAIN;
        Span inner = span_slice(text, 1, text.len - 1);
        gboolean is_v6 = span_starts_nocase(inner, span_of("IPv6:"));
        if (is_v6)
                inner = span_slice(inner, 5, inner.len);
        if (text_has_control(inner))
                return ADDRESS_BAD_DOMAIN;
        memcpy(buffer, inner.data, inner.len);
        buffer[inner.len] = '\0';

        int family = is_v6 ? AF_INET6 : AF_INET;
        if (inet_pton(family, buffer, binary) != 1 || inet_ntop(family, binary, buffer, sizeof(buffer)) == NULL)
                return ADDRESS_BAD_DOMAIN;
        const char *literal = arena_printf(arena, "[%s%s]", is_v6 ? "ipv6:" : "", buffer);
        if (literal == NULL)
                return ADDRESS_TOO_LONG;
        *ret = span_of(literal);
        return ADDRESS_OK;
}

AddressAnswer
address_parse_domain(Arena *arena, Span text, Span *ret)
{
        if (text.len > 0 && text.data[0] == '[')
                return take_literal(arena, text, ret);
        if (text.len > 0 && text.data[text.len - 1] == '.')
                text.len--;
        if (!text_is_ascii(text))
                return take_unicode_name(arena, text, ret);
        return take_ascii_name(arena, text, ret);
}

/* Dot-string (RFC 5321 §4.1.2). */
static gboolean
scan_dot_string(Scan *s, Span *ret)
{
        const guint8 *mark = scan_mark(s);
        Span word;

        do {
                if (!scan_run(s, &CLASS_ATEXT8, G_MAXSIZE, &word))
                        return FALSE;
        } while (scan_octet(s, '.'));
        *ret = scan_since(s, mark);
        return TRUE;
}

/* The inside of a quoted string without its backslashes. */
static Span
unescape(Arena *arena, Span raw, gsize n_escapes)
{
        gsize n = 0;

        if (n_escapes == 0)
                return raw;
        guint8 *out = arena_alloc(arena, raw.len);
        if (out == NULL)
                return SPAN_EMPTY;
        for (gsize i = 0; i < raw.len; i++) {
                if (raw.data[i] == '\\')
                        i++;
                out[n++] = raw.data[i];
        }
        return span_make(out, n);
}

/* Quoted-string (RFC 5321 §4.1.2): no controls, not even escaped ones. `""` means an empty local part, which is nobody.
 */
static gboolean
scan_quoted_local(Arena *arena, Scan *s, Span *ret)
{
        const guint8 *mark = scan_mark(s) + 1;
        gsize n_escapes = 0;
        guint8 o;

        if (!scan_octet(s, '"'))
                return FALSE;
        while (scan_any(s, &o)) {
                if (o == '"') {
                        Span raw = scan_since(s, mark);

                        *ret = unescape(arena, span_slice(raw, 0, raw.len - 1), n_escapes);
                        return ret->len > 0;
                }
                if (o == '\\') {
                        n_escapes++;
                        if (!scan_any(s, &o))
                                return FALSE;
                }
                if (o < 0x20 || o == 0x7f)
                        return FALSE;
        }
        return FALSE;
}

static AddressAnswer
scan_local(Arena *arena, Scan *s, gboolean allow_utf8, Span *ret)
{
        gboolean is_read = scan_peek(s) == '"' ? scan_quoted_local(arena, s, ret) : scan_dot_string(s, ret);

        if (!is_read)
                return ADDRESS_BAD_SYNTAX;
        if (ret->len > ADDRESS_LOCAL_MAX)
                return ADDRESS_TOO_LONG;
        if (text_is_ascii(*ret))
                return ADDRESS_OK;
        if (!allow_utf8)
                return ADDRESS_NOT_ASCII;
        return text_is_utf8(*ret) ? ADDRESS_OK : ADDRESS_BAD_SYNTAX;
}

/* The octets of a domain or literal, not yet looked at. */
static gboolean
scan_domain_text(Scan *s, Span *ret)
{
        const guint8 *mark = scan_mark(s);

        if (!scan_octet(s, '['))
                return scan_run(s, &NAME_OCTETS, G_MAXSIZE, ret);
        if (!scan_until(s, ']', ret) || !scan_octet(s, ']'))
                return FALSE;
        *ret = scan_since(s, mark);
        return TRUE;
}

/* A source route "@a,@b:" is accepted and forgotten (RFC 5321 §4.1.2, appendix C). */
static gboolean
scan_route(Scan *s)
{
        Span domain;

        if (scan_peek(s) != '@')
                return TRUE;
        do {
                if (!scan_octet(s, '@') || !scan_domain_text(s, &domain))
                        return FALSE;
        } while (scan_octet(s, ','));
        return scan_octet(s, ':');
}

static AddressAnswer
scan_domain(Arena *arena, Scan *s, gboolean allow_utf8, Span *ret)
{
        Span text;

        if (!scan_domain_text(s, &text))
                return ADDRESS_BAD_SYNTAX;
        if (!allow_utf8 && !text_is_ascii(text))
                return ADDRESS_NOT_ASCII;
        return address_parse_domain(arena, text, ret);
}

static AddressAnswer
scan_mailbox(Arena *arena, Scan *s, gboolean allow_utf8, Address *ret)
{
        Address found = {SPAN_EMPTY, SPAN_EMPTY};

        if (!scan_route(s))
                return ADDRESS_BAD_SYNTAX;
        AddressAnswer answer = scan_local(arena, s, allow_utf8, &found.local);
        if (answer != ADDRESS_OK)
                return answer;
        if (scan_octet(s, '@'))
                answer = scan_domain(arena, s, allow_utf8, &found.domain);
        else if (!span_is(found.local, "postmaster"))
                answer = ADDRESS_BAD_SYNTAX;
        if (answer == ADDRESS_OK)
                *ret = found;
        return answer;
}

AddressAnswer
address_scan_path(Arena *arena, Scan *s, gboolean allow_utf8, Address *ret)
{
        gboolean is_cut = scan_left(s) > ADDRESS_PATH_MAX;
        Scan in = scan_from(span_slice(scan_rest(s), 0, ADDRESS_PATH_MAX));
        Address found = {SPAN_EMPTY, SPAN_EMPTY};
        AddressAnswer answer = ADDRESS_OK;

        if (!scan_octet(&in, '<'))
                return ADDRESS_BAD_SYNTAX;
        if (scan_peek(&in) != '>')
                answer = scan_mailbox(arena, &in, allow_utf8, &found);
        if (answer == ADDRESS_OK && !scan_octet(&in, '>'))
                answer = ADDRESS_BAD_SYNTAX;
        if (answer == ADDRESS_BAD_SYNTAX && is_cut && scan_at_end(&in))
                answer = ADDRESS_TOO_LONG;
        if (answer == ADDRESS_OK) {
                s->at = in.at;
                *ret = found;
        }
        return answer;
}

AddressAnswer
address_parse(Arena *arena, Span text, gboolean allow_utf8, Address *ret)
{
        Scan s = scan_from(text);
        Address found = {SPAN_EMPTY, SPAN_EMPTY};

        if (text.len > ADDRESS_PATH_MAX)
                return ADDRESS_TOO_LONG;
        if (text.len > 0) {
                AddressAnswer answer = scan_mailbox(arena, &s, allow_utf8, &found);
                if (answer != ADDRESS_OK)
                        return answer;
        }
        if (!scan_at_end(&s))
                return ADDRESS_BAD_SYNTAX;
        *ret = found;
        return ADDRESS_OK;
}

/* Whether a local part can stand without quotes. */
static gboolean
is_dot_string(Span local)
{
        Scan s = scan_from(local);
        Span all;

        return scan_dot_string(&s, &all) && scan_at_end(&s);
}

static gsize
write_quoted(guint8 *out, Span local)
{
        gsize n = 0;

        out[n++] = '"';
        for (gsize i = 0; i < local.len; i++) {
                if (local.data[i] == '"' || local.data[i] == '\\')
                        out[n++] = '\\';
                out[n++] = local.data[i];
        }
        out[n++] = '"';
        return n;
}

Span
address_text(Arena *arena, const Address *a)
{
        if (a->local.len == 0)
                return SPAN_EMPTY;

        guint8 *out = arena_alloc(arena, 2 * a->local.len + 3 + a->domain.len);
        gsize n = 0;

        if (out == NULL)
                return SPAN_EMPTY;
        if (is_dot_string(a->local)) {
                memcpy(out, a->local.data, a->local.len);
                n = a->local.len;
        } else {
                n = write_quoted(out, a->local);
        }
        if (a->domain.len > 0) {
                out[n++] = '@';
                memcpy(out + n, a->domain.data, a->domain.len);
                n += a->domain.len;
        }
        return span_make(out, n);
}

gboolean
address_equal(const Address *a, const Address *b)
{
        return span_equal_nocase(a->local, b->local) && span_equal_nocase(a->domain, b->domain);
}

Address
address_copy(Arena *arena, const Address *a)
{
        return (Address){arena_copy(arena, a->local), arena_copy(arena, a->domain)};
}

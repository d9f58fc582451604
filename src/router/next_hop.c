/* next_hop.c -- next hops as text. */
#include "base/text.h"
#include "router/internal.h"

#include <arpa/inet.h>

#define NEXT_HOP_MAX 300

static gboolean
is_host(Span text)
{
        g_autoptr(Arena) arena = arena_new(4096);
        Span name;

        return text.len > 0 && text.data[0] != '[' && text_is_ascii(text) &&
               address_parse_domain(arena, text, &name) == ADDRESS_OK;
}

/* [192.0.2.1], [2001:db8::1], [IPv6:2001:db8::1] */
static gboolean
scan_literal(Scan *s)
{
        char text[INET6_ADDRSTRLEN];
        guint8 binary[sizeof(struct in6_addr)];
        Span inner;

        if (!scan_octet(s, '[') || !scan_until(s, ']', &inner) || !scan_octet(s, ']'))
                return FALSE;
        if (span_starts_nocase(inner, span_of("IPv6:")))
                inner = span_slice(inner, 5, inner.len);
        if (inner.len >= sizeof(text))
                return FALSE;
        span_to_text(inner, text);
        return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

static gboolean
scan_host(Scan *s)
{
        const guint8 *mark = scan_mark(s);

        while (scan_left(s) > 0 && scan_peek(s) != ':')
                (void) scan_skip(s, 1);
        return is_host(scan_since(s, mark));
}

/* Nothing, or `:PORT`. */
static gboolean
scan_port(Scan *s)
{
        guint64 port;

        if (scan_at_end(s))
                return TRUE;
        return scan_octet(s, ':') && scan_number(s, 65535, &port) && port > 0 && scan_at_end(s);
}

static gboolean
is_next_hop(Span text)
{
        Scan s = scan_from(text);
        Span name;

        if (text.len == 0 || text.len > NEXT_HOP_MAX || !text_is_ascii(text) || text_has_control(text))
                return FALSE;
        if (scan_word(&s, "mx("))
                return scan_until(&s, ')', &name) && is_host(name) && scan_octet(&s, ')') && scan_at_end(&s);
        return (scan_peek(&s) == '[' ? scan_literal(&s) : scan_host(&s)) && scan_port(&s);
}

gboolean
router_next_hop_check(const char *text, GError **error)
{
        if (text != NULL && is_next_hop(span_of(text)))
                return TRUE;
        return fault(error, FAULT_INPUT, "%s is no next hop; HOST, HOST:PORT, [IP], [IP]:PORT or mx(DOMAIN) would be",
                     text != NULL ? text : "");
}

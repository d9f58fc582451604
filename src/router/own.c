/* own.c -- which address literals and next hops are this very server. */
#include "base/text.h"
#include "net/address.h"
#include "router/internal.h"

#define SMTP_PORT 25

typedef struct Numeric {
        struct sockaddr_storage address;
        char text[ADDRESS_TEXT_OCTETS]; /* in one form, IPv4-mapped as IPv4 */
} Numeric;

/* 192.0.2.1, [192.0.2.1], 2001:db8::1, [IPv6:2001:db8::1]. FALSE: anything else. */
static gboolean
numeric_of(Span text, Numeric *ret)
{
        static const char V6[] = "IPv6:";
        char plain[ADDRESS_TEXT_OCTETS];
        socklen_t len;

        if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
                text = span_slice(text, 1, text.len - 1);
        if (span_starts_nocase(text, span_of(V6)))
                text = span_slice(text, strlen(V6), text.len);
        if (text.len == 0 || text.len >= sizeof(plain) || !text_is_ascii(text) || text_has_control(text))
                return FALSE;
        span_to_text(text, plain);
        if (!net_address_parse(plain, 0, &ret->address, &len))
                return FALSE;
        (void) net_address_text(&ret->address, ret->text);
        return TRUE;
}

static gboolean
is_named(const RouterSettings *own, const Numeric *address)
{
        Numeric literal;

        for (gsize i = 0; own->literals != NULL && own->literals[i] != NULL; i++)
                if (numeric_of(span_of(own->literals[i]), &literal) && strcmp(literal.text, address->text) == 0)
                        return TRUE;
        return FALSE;
}

/* Who listens at 0.0.0.0 or :: listens at all addresses of the machine, of which 127/8 is known without being named. */
static gboolean
listens_at(const RouterSettings *own, const Numeric *address, guint16 port)
{
        for (gsize i = 0; i < own->n_listeners; i++) {
                const RouterListener *l = &own->listeners[i];
                Numeric at;

                if ((port != 0 && l->port != port) || !numeric_of(span_of(l->address), &at))
                        continue;
                if (strcmp(at.text, address->text) == 0)
                        return TRUE;
                if (strcmp(at.text, address->address.ss_family == AF_INET ? "0.0.0.0" : "::") == 0 &&
                    (net_address_is_loopback(&address->address) || is_named(own, address)))
                        return TRUE;
        }
        return FALSE;
}

gboolean
own_literal(const RouterSettings *own, Span domain)
{
        Numeric address;

        return domain.len > 0 && domain.data[0] == '[' && numeric_of(domain, &address) &&
               (is_named(own, &address) || listens_at(own, &address, 0));
}

/* Names that mean this machine without anybody being asked (RFC 6761 §6.3). */
static gboolean
is_localhost(Span host)
{
        static const char *const NAMES[] = {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"};
        Span end = span_of(".localhost");

        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
                if (span_is(host, NAMES[i]))
                        return TRUE;
        return host.len > end.len && span_equal_nocase(span_slice(host, host.len - end.len, host.len), end);
}

static gboolean
listens_at_localhost(const RouterSettings *own, guint16 port)
{
        Numeric v4, v6;

        return (numeric_of(span_of("127.0.0.1"), &v4) && listens_at(own, &v4, port)) ||
               (numeric_of(span_of("::1"), &v6) && listens_at(own, &v6, port));
}

/* The name without the dot that may end it. */
static gboolean
is_hostname(const RouterSettings *own, Span host)
{
        if (host.len > 1 && host.data[host.len - 1] == '.')
                host = span_slice(host, 0, host.len - 1);
        return own->hostname != NULL && span_is(host, own->hostname);
}

gboolean
router_next_hop_is_own(const RouterSettings *own, const char *text)
{
        Scan s = scan_from(span_of(text));
        const guint8 *mark = scan_mark(&s);
        guint64 port = SMTP_PORT;
        Numeric address;
        Span host;

        if (scan_word(&s, "mx("))
                return scan_until(&s, ')', &host) && is_hostname(own, host);
        if (scan_peek(&s) == '[' && !scan_until(&s, ']', &host))
                return FALSE;
        while (!scan_at_end(&s) && scan_peek(&s) != ':')
                (void) scan_skip(&s, 1);
        host = scan_since(&s, mark);
        if (scan_octet(&s, ':') && !scan_number(&s, 65535, &port))
                return FALSE;
        if (numeric_of(host, &address))
                return listens_at(own, &address, (guint16) port);
        return is_hostname(own, host) || (is_localhost(host) && listens_at_localhost(own, (guint16) port));
}

#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* The IPv4 address (host order) of an AF_INET or IPv4-mapped address. */
static gboolean
address_v4(const struct sockaddr_storage *address, guint32 *ret)
{
        if (address->ss_family == AF_INET) {
                *ret = ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr);
                return TRUE;
        }
        if (address->ss_family != AF_INET6)
                return FALSE;
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *) address)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(v6))
                return FALSE;
        guint32 net;
        memcpy(&net, v6->s6_addr + 12, sizeof(net));
        *ret = ntohl(net);
        return TRUE;
}

const char *
net_address_text(const struct sockaddr_storage *address, char buffer[ADDRESS_TEXT_OCTETS])
{
        guint32 v4;

        if (address_v4(address, &v4))
                snprintf(buffer, ADDRESS_TEXT_OCTETS, "%u.%u.%u.%u", v4 >> 24, (v4 >> 16) & 255, (v4 >> 8) & 255, v4 & 255);
        else if (address->ss_family != AF_INET6 || inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) address)->sin6_addr,
                                                             buffer, ADDRESS_TEXT_OCTETS) == NULL)
                g_strlcpy(buffer, "unix", ADDRESS_TEXT_OCTETS);
        return buffer;
}

guint16
net_address_port(const struct sockaddr_storage *address)
{
        if (address->ss_family == AF_INET)
                return ntohs(((const struct sockaddr_in *) address)->sin_port);
        if (address->ss_family == AF_INET6)
                return ntohs(((const struct sockaddr_in6 *) address)->sin6_port);
        return 0;
}

gboolean
net_address_is_loopback(const struct sockaddr_storage *address)
{
        guint32 v4;

        if (address_v4(address, &v4))
                return v4 >> 24 == 127;
        if (address->ss_family == AF_INET6)
                return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) address)->sin6_addr);
        return TRUE;
}

gboolean
net_address_is_first_loopback(const struct sockaddr_storage *address)
{
        guint32 v4;

        if (address_v4(address, &v4))
                return v4 == 0x7f000001;
        return net_address_is_loopback(address);
}

static gboolean
v4_is_private(guint32 a)
{
        static const struct {
                guint32 net;
                guint8 bits;
        } blocks[] = {
                {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8}, {0xa9fe0000, 16}, {0xac100000, 12},
                {0xc0000000, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xe0000000, 4}, {0xf0000000, 4},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(blocks); i++)
                if ((a ^ blocks[i].net) >> (32 - blocks[i].bits) == 0)
                        return TRUE;
        return FALSE;
}

static guint32
v4_at(const guint8 *octets)
{
        return (guint32) octets[0] << 24 | (guint32) octets[1] << 16 | (guint32) octets[2] << 8 | octets[3];
}

static gboolean
v6_is_private(const guint8 *a)
{
        static const guint8 zeros[12], nat64[12] = {0, 0x64, 0xff, 0x9b};

        if (memcmp(a, zeros, 12) == 0)                          /* ::, ::1 and the old IPv4-compatible form */
                return v4_at(a + 12) <= 1 || v4_is_private(v4_at(a + 12));
        if (memcmp(a, nat64, 12) == 0)                          /* RFC 6052: our own translator would carry it inside */
                return v4_is_private(v4_at(a + 12));
        if (a[0] == 0x20 && a[1] == 0x02)                       /* 6to4 */
                return v4_is_private(v4_at(a + 2));
        return (a[0] & 0xfe) == 0xfc || a[0] == 0xff ||         /* fc00::/7, multicast */
               (a[0] == 0xfe && (a[1] & 0x80) != 0);            /* fe80::/10, and the old site-local fec0::/10 */
}

gboolean
net_address_is_private(const struct sockaddr_storage *address)
{
        guint32 v4;

        if (address_v4(address, &v4))
                return v4_is_private(v4);
        if (address->ss_family == AF_INET6)
                return v6_is_private(((const struct sockaddr_in6 *) address)->sin6_addr.s6_addr);
        return TRUE;
}

gboolean
net_address_parse(const char *text, guint16 port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

        if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
                memset(ret, 0, sizeof(*ret));
                memcpy(ret, &v4, sizeof(v4));
                *ret_len = sizeof(v4);
                return TRUE;
        }
        if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
                memset(ret, 0, sizeof(*ret));
                memcpy(ret, &v6, sizeof(v6));
                *ret_len = sizeof(v6);
                return TRUE;
        }
        return FALSE;
}

AddressKey
net_address_key(const struct sockaddr_storage *address)
{
        AddressKey key = {0, 0};
        guint32 v4;

        if (address_v4(address, &v4))
                key.low = (guint64) 0xffff << 32 | v4;
        else if (address->ss_family == AF_INET6)
                memcpy(&key.high, ((const struct sockaddr_in6 *) address)->sin6_addr.s6_addr, sizeof(key.high));
        return key;
}

/* local.c -- addresses of the interfaces. */
#include "net/local.h"

#include "net/address.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

const char *const *
net_local_addresses(Arena *arena)
{
        const char **list = arena_new_array(arena, const char *, NET_LOCAL_MAX + 1);
        struct ifaddrs *all = NULL;
        gsize n = 0;

        if (list == NULL || getifaddrs(&all) < 0)
                return list;
        for (const struct ifaddrs *i = all; i != NULL && n < NET_LOCAL_MAX; i = i->ifa_next) {
                struct sockaddr_storage address = {0};
                char text[ADDRESS_TEXT_OCTETS];
                gboolean is_v4 = i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET;

                if (i->ifa_addr == NULL || (!is_v4 && i->ifa_addr->sa_family != AF_INET6))
                        continue;
                memcpy(&address, i->ifa_addr, is_v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
                list[n] = arena_strdup(arena, net_address_text(&address, text));
                n += list[n] != NULL;
        }
        freeifaddrs(all);
        return list;
}

#include "trust/client.h"

#include <arpa/inet.h>
#include <string.h>

const char *
client_key(const char *client, char ret[CLIENT_KEY_OCTETS])
{
        static const guint8 MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        struct in6_addr v6;
        char text[INET6_ADDRSTRLEN];

        if (client == NULL || inet_pton(AF_INET6, client, &v6) != 1) {
                g_strlcpy(ret, client != NULL ? client : "", CLIENT_KEY_OCTETS);
                return ret;
        }
        if (memcmp(&v6, MAPPED, sizeof(MAPPED)) == 0) {
                inet_ntop(AF_INET, v6.s6_addr + sizeof(MAPPED), ret, CLIENT_KEY_OCTETS);
                return ret;
        }
        memset(v6.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &v6, text, sizeof(text));
        g_snprintf(ret, CLIENT_KEY_OCTETS, "%s/64", text);
        return ret;
}

/* What a server says, from its greeting on. */
#include "pop3/client_internal.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLIES_MAX 65536 /* fits into the buffer of the socket */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gboolean
count(Span octets, gpointer data)
{
        *(guint64 *) data += octets.len;
        return TRUE;
}

static void
talk(Pop3Client *client)
{
        g_autoptr(GError) error = NULL;
        g_autofree Pop3Message *messages = NULL;
        guint32 n = 0;
        guint64 octets, counted = 0;

        if (pop3_client_status(client, &error) != POP3_OK ||
            pop3_client_login(client, "joe", "secret", &error) != POP3_OK ||
            pop3_client_list(client, &messages, &n, &error) != POP3_OK)
                return;
        for (guint32 i = 0; i < n; i++) {
                g_assert(i == 0 || messages[i - 1].number < messages[i].number);
                g_assert(strlen(messages[i].uidl) <= 70);
        }
        if (pop3_client_read_message(client, 4096, count, &counted, &octets, &error) == POP3_OK)
                g_assert(octets == counted && octets <= 4096);
        else if (error == NULL)
                (void) !pop3_client_quit(client, &error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        int fds[2];

        if (size > REPLIES_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
                return 0;
        if (write(fds[1], data, size) == (ssize_t) size && shutdown(fds[1], SHUT_WR) == 0) {
                g_autoptr(Pop3Client) client = pop3_client_take_stream(stream_take_fd(fds[0]), 0);
                talk(client);
        } else {
                close(fds[0]);
        }
        close(fds[1]);
        return 0;
}

/* What an IMAP server says, from its greeting on. */
#include "imap/client_internal.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLIES_MAX 65536 /* fits into the buffer of the socket */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fetch_all(ImapClient *client)
{
        g_autoptr(GError) error = NULL;
        guint64 octets = 0, counted = 0;
        guint32 uid;
        guint8 buffer[100];
        gssize n;

        imap_client_send_fetch(client, "1:*");
        while (imap_client_next(client, &uid, &octets, &error) == IMAP_CLIENT_OK) {
                g_assert(uid != 0);
                for (counted = 0; (n = imap_client_read(client, buffer, sizeof(buffer), &error)) > 0;)
                        counted += (guint64) n;
                if (n < 0)
                        return;
                g_assert(counted == octets);
        }
}

static void
talk(ImapClient *client)
{
        const ImapClientSettings settings = {.host = "imap.example"};
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) mailboxes = NULL;
        g_autoptr(GArray) lines = NULL;
        ImapClientStatus status;

        if (imap_client_greet(client, &settings, &error) != IMAP_CLIENT_OK ||
            imap_client_login(client, "joe", "secret", &error) != IMAP_CLIENT_OK ||
            imap_client_list(client, &mailboxes, &error) != IMAP_CLIENT_OK)
                return;
        for (guint i = 0; i < mailboxes->len; i++) {
                const ImapClientMailbox *m = g_ptr_array_index(mailboxes, i);
                g_assert(m->name[0] != '\0' && m->prefix < strlen(m->name));
        }
        if (imap_client_examine(client, "INBOX", &status, &error) != IMAP_CLIENT_OK ||
            imap_client_headlines(client, &lines, &error) != IMAP_CLIENT_OK)
                return;
        for (guint i = 1; i < lines->len; i++)
                g_assert(g_array_index(lines, ImapHeadline, i - 1).uid < g_array_index(lines, ImapHeadline, i).uid);
        fetch_all(client);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        int fds[2];

        if (size > REPLIES_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
                return 0;
        if (write(fds[1], data, size) == (ssize_t) size && shutdown(fds[1], SHUT_WR) == 0) {
                g_autoptr(ImapClient) client = imap_client_take_stream(stream_take_fd(fds[0]), 0);
                talk(client);
        } else {
                close(fds[0]);
        }
        close(fds[1]);
        return 0;
}

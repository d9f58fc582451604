/* client_test.c -- the IMAP client against servers of all kinds (RFC 9051 §7, RFC 3501 §7). */
#include "imap/client_internal.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server that has said everything already. */
static ImapClient *
client_of(const char *says, int *ret_fd)
{
        int fds[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
        g_assert_cmpint(write(fds[1], says, strlen(says)), ==, (gssize) strlen(says));
        shutdown(fds[1], SHUT_WR);
        *ret_fd = fds[1];
        return imap_client_take_stream(stream_take_fd(fds[0]), 0);
}

static char *
heard(ImapClient *client, int fd)
{
        char text[8192];

        (void) !stream_flush(client->stream);
        gssize n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

        text[MAX(n, 0)] = '\0';
        close(fd);
        return g_strdup(text);
}

#define GREETING "* OK ready\r\n"
#define CAPS(caps, tag) "* CAPABILITY IMAP4rev1 " caps "\r\n" tag " OK done\r\n"

static ImapClientAnswer
greet(ImapClient *client, GError **error)
{
        const ImapClientSettings settings = {.host = "imap.example"};

        return imap_client_greet(client, &settings, error);
}

static void
login(void)
{
        static const struct {
                const char *says, *sends;
                ImapClientAnswer answer;
        } ROWS[] = {
                {GREETING CAPS("AUTH=PLAIN SASL-IR", "A1") "A2 OK in\r\n" CAPS("", "A3"),
                 "A2 AUTHENTICATE PLAIN AGpvZQBzZSJjcmV0\r\n", IMAP_CLIENT_OK},
                {GREETING CAPS("AUTH=PLAIN", "A1") "+ \r\nA2 OK in\r\n" CAPS("", "A3"),
                 "A2 AUTHENTICATE PLAIN\r\nAGpvZQBzZSJjcmV0\r\n", IMAP_CLIENT_OK},
                {GREETING CAPS("", "A1") "A2 OK in\r\n" CAPS("", "A3"), "A2 LOGIN \"joe\" \"se\\\"cret\"\r\n",
                 IMAP_CLIENT_OK},
                {GREETING CAPS("LOGINDISABLED", "A1"), "A1 CAPABILITY\r\n", IMAP_CLIENT_REFUSED},
                {GREETING CAPS("", "A1") "A2 NO [AUTHENTICATIONFAILED] wrong\r\n", "A2 LOGIN", IMAP_CLIENT_AUTH_FAILED},
                {GREETING CAPS("", "A1") "* BYE too many\r\n", "", IMAP_CLIENT_FAILED},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
                g_autoptr(GError) error = NULL;
                int fd;
                g_autoptr(ImapClient) client = client_of(ROWS[i].says, &fd);
                g_assert_cmpint(greet(client, &error), ==, IMAP_CLIENT_OK);
                g_assert_cmpint(imap_client_login(client, "joe", "se\"cret", &error), ==, ROWS[i].answer);
                g_autofree char *sent = heard(client, fd);
                g_assert_nonnull(strstr(sent, ROWS[i].sends));
                g_assert_true(ROWS[i].answer == IMAP_CLIENT_OK || error != NULL);
        }
}

/* What was said in the clear is no reason to go on in the clear. */
static void
starttls_is_required(void)
{
        const ImapClientSettings settings = {.host = "imap.example", .tls = IMAP_CLIENT_TLS_STARTTLS};
        g_autoptr(GError) error = NULL;
        int fd;
        g_autoptr(ImapClient) client = client_of(GREETING CAPS("", "A1"), &fd);

        g_assert_cmpint(imap_client_greet(client, &settings, &error), ==, IMAP_CLIENT_REFUSED);
        close(fd);
}

static void
listing(void)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) mailboxes = NULL;
        int fd;
        g_autoptr(ImapClient) client = client_of(
                GREETING CAPS("NAMESPACE", "A1") "* NAMESPACE ((\"INBOX.\" \".\")) ((\"user.\" \".\")) NIL\r\nA2 OK\r\n"
                                                 "* LIST (\\HasChildren) \".\" INBOX\r\n* LIST (\\Sent \\X) \".\" "
                                                 "\"INBOX.Sent \\\"1\\\"\"\r\n"
                                                 "* LIST (\\Noselect) \".\" {8}\r\nINBOX.ab\r\n* LIST () NIL "
                                                 "user.ann\r\n* LIST () NIL x\r\nA3 OK\r\n"
                                                 "* LSUB () \".\" x\r\n* LSUB () \".\" gone\r\nA4 OK\r\n",
                &fd);

        g_assert_cmpint(greet(client, &error), ==, IMAP_CLIENT_OK);
        g_assert_cmpint(imap_client_list(client, &mailboxes, &error), ==, IMAP_CLIENT_OK);
        g_assert_no_error(error);
        g_assert_cmpuint(mailboxes->len, ==, 4);
        const ImapClientMailbox *sent = g_ptr_array_index(mailboxes, 1), *ab = g_ptr_array_index(mailboxes, 2);
        const ImapClientMailbox *x = g_ptr_array_index(mailboxes, 3);
        g_assert_cmpstr(sent->name, ==, "INBOX.Sent \"1\"");
        g_assert_cmpuint(sent->prefix, ==, 6);
        g_assert_cmpuint(sent->special_use, ==, USE_SENT);
        g_assert_false(ab->is_selectable);
        g_assert_true(x->is_subscribed && x->delimiter == 0 && !sent->is_subscribed);
        close(fd);
}

/* A client that has opened a mailbox of three, with what the server says then. */
static ImapClient *
opened(const char *says, int *ret_fd)
{
        g_autofree char *all = g_strconcat(
                GREETING CAPS("", "A1") "* 3 EXISTS\r\n* OK [UIDVALIDITY 77] x\r\n* OK [UIDNEXT 30] x\r\n* FLAGS ()\r\n"
                                        "A2 OK [READ-ONLY]\r\n",
                says, NULL);
        g_autoptr(GError) error = NULL;
        ImapClientStatus status;
        ImapClient *client = client_of(all, ret_fd);

        g_assert_cmpint(greet(client, &error), ==, IMAP_CLIENT_OK);
        g_assert_cmpint(imap_client_examine(client, "a\"b", &status, &error), ==, IMAP_CLIENT_OK);
        g_assert_cmpuint(status.messages, ==, 3);
        g_assert_cmpuint(status.uid_validity, ==, 77);
        g_assert_cmpuint(status.uid_next, ==, 30);
        return client;
}

#define LINES                                                                                                          \
        "* 2 FETCH (FLAGS (\\Seen \\Recent $Forwarded Foo) X-NEW (a (\"b)\" {2}\r\n)( c)) INTERNALDATE \" 1-Feb-2020 " \
        "10:00:00 +0100\" RFC822.SIZE 12 UID 9)\r\n"                                                                   \
        "* 1 FETCH (UID 5 FLAGS () INTERNALDATE \"01-Feb-2020 10:00:00 +0000\" RFC822.SIZE 3)\r\n* 3 FETCH (UID 12 "   \
        "FLAGS (\\Deleted))\r\n"                                                                                       \
        "* 3 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (UID 12 FLAGS ())\r\nA3 OK\r\n"

static GArray *
headlines(ImapClient *client)
{
        g_autoptr(GError) error = NULL;
        GArray *lines = NULL;

        g_assert_cmpint(imap_client_headlines(client, &lines, &error), ==, IMAP_CLIENT_OK);
        g_assert_no_error(error);
        return lines;
}

static void
headlines_test(void)
{
        int fd;
        g_autoptr(ImapClient) client = opened(LINES, &fd);
        g_autoptr(GArray) lines = headlines(client);
        const ImapHeadline *line = (const ImapHeadline *) lines->data;

        g_assert_cmpuint(lines->len, ==, 3);
        g_assert_cmpuint(line[0].uid, ==, 5);
        g_assert_cmpuint(line[1].uid, ==, 9);
        g_assert_cmpuint(line[1].flags, ==, FLAG_SEEN);
        g_assert_cmpstr(line[1].keywords, ==, "$Forwarded Foo");
        g_assert_cmpint(line[1].received / USEC_PER_SEC, ==, 1580547600);
        g_assert_cmpuint(line[1].size, ==, 12);
        g_autofree char *sent = heard(client, fd);
        g_assert_nonnull(strstr(sent, "A2 EXAMINE \"a\\\"b\"\r\n"));
}

/* "UID:octets " of each, then the answer that was the last. */
static char *
fetch(const char *says)
{
        g_autofree char *all = g_strconcat(LINES, says, NULL);
        g_autoptr(GError) error = NULL;
        GString *s = g_string_new(NULL);
        ImapClientAnswer answer;
        guint64 octets;
        guint32 uid;
        char piece[3];
        gssize n;
        int fd;
        g_autoptr(ImapClient) client = opened(all, &fd);
        g_autoptr(GArray) lines = headlines(client);

        g_assert_cmpuint(lines->len, ==, 3);
        imap_client_send_fetch(client, "1:*");
        imap_client_send_fetch(client, "1:*");
        while ((answer = imap_client_next(client, &uid, &octets, &error)) == IMAP_CLIENT_OK) {
                g_string_append_printf(s, "%u:", uid);
                if (uid == 12)
                        continue; /* is passed over */
                while ((n = imap_client_read(client, piece, sizeof(piece), &error)) > 0)
                        g_string_append_len(s, piece, n);
                g_string_append(s, n < 0 ? "broken" : " ");
                g_clear_error(&error);
        }
        g_string_append(s, answer == IMAP_CLIENT_END ? "end" : answer == IMAP_CLIENT_REFUSED ? "refused" : "failed");
        close(fd);
        return g_string_free(s, FALSE);
}

static void
expect(const char *says, const char *wanted)
{
        g_autofree char *is = fetch(says);

        g_assert_cmpstr(is, ==, wanted);
}

static void
octets_test(void)
{
        expect("* 1 FETCH (UID 5 BODY[] {7}\r\na\r\n)b{9)\r\n* 2 EXISTS\r\n* 2 FETCH (UID 9 BODY[] \"q\\\"\" FLAGS "
               "(\\Seen))\r\nA4 OK\r\n",
               "5:a\r\n)b{9 9:q\" end");
        expect("* 3 FETCH (BODY[] {2}\r\nxx UID 12)\r\n* 1 FETCH (BODY[] {1}\r\ny)\r\nA4 OK\r\n",
               "12:5:y end"); /* by their numbers */
        expect("* 1 FETCH (UID 5 BODY[] NIL)\r\n* 1 FETCH (UID 5 BODY[] {0}\r\n)\r\nA4 OK\r\n", "5: end");
        expect("A4 NO [LIMIT] slow down\r\n", "refused");
}

static void
enemies(void)
{
        expect("* 1 EXPUNGE\r\n* 1 FETCH (BODY[] {1}\r\ny)\r\nA4 OK\r\n", "failed"); /* whose octets? */
        expect("* 1 FETCH (UID 5 BODY[] {9223372036854775808}\r\n", "failed");
        expect("* 1 FETCH (UID 5 BODY[] {500}\r\nshort", "5:shortbrokenfailed");
        expect("* 1 FETCH (UID 5 X {9000}\r\n", "failed");
        expect("A5 OK\r\n", "failed"); /* of the other FETCH */
        expect("* BYE\r\n", "failed");
        expect("* 1 FETCH (UID 5 FLAGS (\r\nA4 OK\r\n", "failed");
        expect("hello\r\n", "failed");
        g_autofree char *deep = g_strnfill(60000, '(');
        g_autofree char *says = g_strconcat("* 1 FETCH (X ", deep, "\r\nA4 OK\r\n", NULL);
        expect(says, "failed");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/client/login RFC 9051 §6.2", login);
        g_test_add_func("/imap/client/starttls-is-required RFC 9051 §6.2.1", starttls_is_required);
        g_test_add_func("/imap/client/list-and-namespace RFC 9051 §7.3.1 RFC 2342", listing);
        g_test_add_func("/imap/client/headlines RFC 9051 §7.5.2", headlines_test);
        g_test_add_func("/imap/client/octets RFC 9051 §7.5.2", octets_test);
        g_test_add_func("/imap/client/hostile-servers", enemies);
        return g_test_run();
}

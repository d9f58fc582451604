/* client.c -- the POP3 client: connecting, TLS, capabilities, login and the listing. Transfers are client_transfer.c.
 *
 * The server is an enemy: every line and every list has its maximum, every wait its deadline, and what can't be
 * understood ends the connection, but for single lines of a listing, which are passed over.
 */
#include "pop3/client_internal.h"

#include "base/scan.h"
#include "base/text.h"

#include <stdlib.h>

#define LINE_MAX_OCTETS 2048
#define CAPA_LINES_MAX 64
#define MESSAGES_MAX 1000000
#define LISTING_LINES_MAX (MESSAGES_MAX + 1000)
#define UIDL_MAX 70 /* RFC 1939 §7 */
#define DEFAULT_TIMEOUT (60 * USEC_PER_SEC)
#define MINIMUM_RATE 500 /* octets a second, once a reply takes longer than the timeout */
#define CREDENTIAL_MAX 512
#define INITIAL_RESPONSE_MAX 240 /* of base64: the whole command stays within 255 octets (RFC 5034 §4) */

/* A unique-id: printable ASCII without space (RFC 1939 §7). */
static const OctetClass UIDL_OCTETS = {{0xfffffffe00000000, 0x7fffffffffffffff, 0, 0}};

Pop3Answer
pop3_client_fail(Pop3Client *client, GError **error, const char *what)
{
        if (stream_is_failed(client->stream) || stream_reason(client->stream)[0] != '\0')
                fault(error, FAULT_IO, "%s: %s", what, stream_reason(client->stream));
        else
                fault(error, FAULT_IO, "%s", what);
        stream_fail(client->stream, "given up");
        return POP3_FAILED;
}

void
pop3_client_begin_reply(Pop3Client *client)
{
        client->reply_began = clock_monotonic();
        client->reply_octets = 0;
}

void
pop3_client_set_deadline(Pop3Client *client)
{
        Usec earned = (Usec) (MIN(client->reply_octets, (guint64) 1 << 40) / MINIMUM_RATE) * USEC_PER_SEC;

        stream_set_deadline(client->stream,
                            MIN(clock_in(client->timeout), client->reply_began + client->timeout + earned));
}

gboolean
pop3_client_line(Pop3Client *client, Span *ret, GError **error)
{
        pop3_client_set_deadline(client);
        StreamAnswer answer = stream_line(client->stream, LINE_MAX_OCTETS, TRUE, ret);

        if (answer == STREAM_OK) {
                client->reply_octets += ret->len + 2;
                return TRUE;
        }
        return pop3_client_fail(client, error,
                                answer == STREAM_TOO_LONG ? "the server's line is too long"
                                                          : "no reply from the server") != POP3_FAILED;
}

/* Extended response codes (RFC 2449 §8, RFC 3206). */
static Pop3Answer
classify_refusal(Span text)
{
        static const char *const LATER[] = {"[IN-USE]", "[LOGIN-DELAY]", "[SYS/TEMP]"};

        for (gsize i = 0; i < G_N_ELEMENTS(LATER); i++)
                if (span_starts_nocase(text, span_of(LATER[i])))
                        return POP3_BUSY;
        return span_starts_nocase(text, span_of("[AUTH]")) ? POP3_AUTH_FAILED : POP3_REFUSED;
}

static void
keep_reply(Pop3Client *client, Span text)
{
        g_autofree char *shown = text_escape(text, POP3_REPLY_SHOWN_MAX);

        g_strlcpy(client->reply, shown, sizeof(client->reply));
}

Pop3Answer
pop3_client_status(Pop3Client *client, GError **error)
{
        Span line;

        pop3_client_begin_reply(client);
        if (!pop3_client_line(client, &line, error))
                return POP3_FAILED;

        Scan s = scan_from(line);
        if (scan_word(&s, "+OK") && (scan_at_end(&s) || scan_octet(&s, ' '))) {
                client->reply[0] = '\0';
                return POP3_OK;
        }
        if (scan_word(&s, "-ERR") && (scan_at_end(&s) || scan_octet(&s, ' '))) {
                keep_reply(client, scan_rest(&s));
                return classify_refusal(scan_rest(&s));
        }
        g_autofree char *shown = text_escape(line, 80);
        g_autofree char *what = g_strdup_printf("this is no POP3 reply: %s", shown);
        return pop3_client_fail(client, error, what);
}

/* A command of words that are ours, and its status line. */
static Pop3Answer
ask(Pop3Client *client, const char *command, GError **error)
{
        stream_printf(client->stream, "%s\r\n", command);
        return pop3_client_status(client, error);
}

/* Capabilities ---------------------------------------------------------------------------------------------------- */

static void
note_capability(Pop3Client *client, Span line)
{
        static const struct {
                const char *word;
                Pop3Cap cap;
        } WORDS[] = {{"USER", POP3_CAP_USER},
                     {"UIDL", POP3_CAP_UIDL},
                     {"STLS", POP3_CAP_STLS},
                     {"PIPELINING", POP3_CAP_PIPELINING}};
        Scan s = scan_from(line);
        Span word;

        if (!scan_run(&s, &CLASS_PRINT, LINE_MAX_OCTETS, &word))
                return;
        for (gsize i = 0; i < G_N_ELEMENTS(WORDS); i++)
                if (span_is(word, WORDS[i].word))
                        client->caps |= WORDS[i].cap;
        if (!span_is(word, "SASL"))
                return;
        while (scan_skip_run(&s, &CLASS_WSP) && scan_run(&s, &CLASS_PRINT, LINE_MAX_OCTETS, &word))
                if (span_is(word, "PLAIN"))
                        client->caps |= POP3_CAP_SASL_PLAIN;
}

/* CAPA; a server that does not know it has none we could count on. Everything heard before is forgotten. */
static Pop3Answer
read_capabilities(Pop3Client *client, GError **error)
{
        Span line;

        client->caps = 0;
        Pop3Answer answer = ask(client, "CAPA", error);
        if (answer != POP3_OK)
                return answer == POP3_FAILED ? POP3_FAILED : POP3_OK;
        client->caps = POP3_CAP_KNOWN;
        for (guint i = 0; i < CAPA_LINES_MAX; i++) {
                if (!pop3_client_line(client, &line, error))
                        return POP3_FAILED;
                if (span_is(line, "."))
                        return POP3_OK;
                note_capability(client, line);
        }
        return pop3_client_fail(client, error, "the server's list of capabilities has no end");
}

gboolean
pop3_client_has_pipelining(const Pop3Client *client)
{
        return (client->caps & POP3_CAP_PIPELINING) != 0;
}

const char *
pop3_client_reply(const Pop3Client *client)
{
        return client->reply;
}

/* Connecting ------------------------------------------------------------------------------------------------------- */

Pop3Client *
pop3_client_take_stream(Stream *stream, Usec timeout)
{
        Pop3Client *client = g_new0(Pop3Client, 1);

        client->stream = stream;
        client->timeout = timeout > 0 ? timeout : DEFAULT_TIMEOUT;
        pop3_client_begin_reply(client);
        return client;
}

void
pop3_client_free(Pop3Client *client)
{
        if (client == NULL)
                return;
        stream_free(client->stream);
        g_free(client);
}

void
pop3_client_interrupt(Pop3Client *client)
{
        stream_interrupt(client->stream);
}

static Pop3Answer
start_tls(Pop3Client *client, const Pop3ClientSettings *settings, GError **error)
{
        pop3_client_begin_reply(client);
        pop3_client_set_deadline(client);
        if (stream_start_tls(client->stream, settings->tls_context, settings->host) != STREAM_OK)
                return pop3_client_fail(client, error, "TLS failed");
        return POP3_OK;
}

/* What was refused, for callers that get no client to ask. */
static Pop3Answer
refused(const Pop3Client *client, Pop3Answer answer, const char *what, GError **error)
{
        if (answer != POP3_FAILED)
                fault(error, FAULT_IO, "%s: %s", what, client->reply[0] != '\0' ? client->reply : "no reason given");
        return answer;
}

/* RFC 2595 §4. Never goes on in the clear; what was heard in the clear is forgotten. */
static Pop3Answer
stls(Pop3Client *client, const Pop3ClientSettings *settings, GError **error)
{
        if ((client->caps & POP3_CAP_KNOWN) != 0 && (client->caps & POP3_CAP_STLS) == 0) {
                fault(error, FAULT_IO, "the server does not offer STARTTLS");
                return POP3_NOT_OFFERED;
        }
        Pop3Answer answer = ask(client, "STLS", error);
        if (answer == POP3_FAILED)
                return answer;
        if (answer != POP3_OK)
                return refused(client, POP3_NOT_OFFERED, "the server refused STARTTLS", error);
        answer = start_tls(client, settings, error);
        return answer == POP3_OK ? read_capabilities(client, error) : answer;
}

static Pop3Answer
greet(Pop3Client *client, const Pop3ClientSettings *settings, GError **error)
{
        Pop3Answer answer = POP3_OK;

        if (settings->tls == POP3_TLS_IMPLICIT)
                answer = start_tls(client, settings, error);
        if (answer != POP3_OK)
                return answer;
        answer = pop3_client_status(client, error);
        if (answer != POP3_OK)
                return refused(client, answer == POP3_AUTH_FAILED ? POP3_REFUSED : answer, "the server turns us away",
                               error);
        answer = read_capabilities(client, error);
        if (answer == POP3_OK && settings->tls == POP3_TLS_STARTTLS)
                answer = stls(client, settings, error);
        return answer;
}

Pop3Answer
pop3_client_connect(const Pop3ClientSettings *settings, Pop3Client **ret, GError **error)
{
        Usec timeout = settings->command_timeout > 0 ? settings->command_timeout : DEFAULT_TIMEOUT;

        g_assert(settings->tls == POP3_TLS_NONE || settings->tls_context != NULL);
        Stream *stream =
                stream_connect(settings->host, settings->port, settings->allow_private, clock_in(timeout), error);
        if (stream == NULL)
                return POP3_FAILED;
        g_autoptr(Pop3Client) client = pop3_client_take_stream(stream, timeout);
        Pop3Answer answer = greet(client, settings, error);
        if (answer == POP3_OK)
                *ret = g_steal_pointer(&client);
        return answer;
}

/* Login ------------------------------------------------------------------------------------------------------------ */

/* Can it stand on a command line? */
static gboolean
is_credential(const char *text)
{
        return text[0] != '\0' && strlen(text) <= CREDENTIAL_MAX && !text_has_control(span_of(text));
}

static gboolean
contains_nocase(const char *text, const char *word)
{
        gsize len = strlen(word);

        for (; *text != '\0'; text++)
                if (g_ascii_strncasecmp(text, word, len) == 0)
                        return TRUE;
        return FALSE;
}

/* RFC 1939 §4 and older servers tell of a lock without a code: "-ERR maildrop already locked". No reason to stop a
 * source. */
static gboolean
is_lock(const char *reply)
{
        return (contains_nocase(reply, "maildrop") || contains_nocase(reply, "mailbox")) &&
               (contains_nocase(reply, "lock") || contains_nocase(reply, "in use") || contains_nocase(reply, "busy"));
}

static Pop3Answer
judge_login(Pop3Client *client, Pop3Answer answer)
{
        if (answer != POP3_REFUSED)
                return answer;
        if (is_lock(client->reply))
                return POP3_BUSY;
        return g_str_has_prefix(client->reply, "[SYS/") ? POP3_REFUSED : POP3_AUTH_FAILED;
}

/* AUTH PLAIN (RFC 4616, RFC 5034); the response waits for the server's "+ " when it is long. */
static Pop3Answer
login_plain(Pop3Client *client, const char *user, const char *password, GError **error)
{
        guint8 plain[2 * CREDENTIAL_MAX + 2];
        gsize user_len = strlen(user), len = 2 + user_len + strlen(password);
        g_autoptr(Arena) arena = arena_new(8192);
        Span line;

        plain[0] = plain[1 + user_len] = '\0';
        memcpy(plain + 1, user, user_len);
        memcpy(plain + 2 + user_len, password, len - 2 - user_len);
        Span coded = text_base64(arena, span_make(plain, len));
        if (coded.len <= INITIAL_RESPONSE_MAX) {
                stream_printf(client->stream, "AUTH PLAIN %.*s\r\n", (int) coded.len, (const char *) coded.data);
        } else {
                stream_printf(client->stream, "AUTH PLAIN\r\n");
                pop3_client_begin_reply(client);
                if (!pop3_client_line(client, &line, error))
                        return POP3_FAILED;
                if (line.len == 0 || line.data[0] != '+')
                        return pop3_client_fail(client, error, "the server does not go on with AUTH PLAIN");
                stream_printf(client->stream, "%.*s\r\n", (int) coded.len, (const char *) coded.data);
        }
        text_wipe(plain, sizeof(plain));
        text_wipe((guint8 *) coded.data, coded.len);
        return pop3_client_status(client, error);
}

static Pop3Answer
login_user(Pop3Client *client, const char *user, const char *password, GError **error)
{
        stream_printf(client->stream, "USER %s\r\n", user);
        Pop3Answer answer = pop3_client_status(client, error);
        if (answer == POP3_REFUSED && (client->caps & POP3_CAP_KNOWN) != 0 && (client->caps & POP3_CAP_USER) == 0)
                return POP3_NOT_OFFERED; /* as its list of capabilities said */
        if (answer != POP3_OK)
                return answer;
        stream_printf(client->stream, "PASS %s\r\n", password);
        return pop3_client_status(client, error);
}

Pop3Answer
pop3_client_login(Pop3Client *client, const char *user, const char *password, GError **error)
{
        guint caps = client->caps;
        gboolean knows = (caps & POP3_CAP_KNOWN) != 0, has_plain = (caps & POP3_CAP_SASL_PLAIN) != 0;
        gboolean is_ascii = text_is_ascii(span_of(user)) && text_is_ascii(span_of(password));
        Pop3Answer answer;

        if (!is_credential(user) || !is_credential(password)) {
                fault(error, FAULT_INPUT, "user or password is empty, too long or holds control characters");
                return POP3_FAILED;
        }
        /* USER and PASS are ASCII without the UTF8 command (RFC 6856 §2); some servers offer only SASL. Others leave
         * the line USER out of their list and take it all the same (a server without it "might not" take it, RFC 2449
         * §6.3). */
        if (has_plain && (!is_ascii || (caps & POP3_CAP_USER) == 0))
                answer = login_plain(client, user, password, error);
        else
                answer = login_user(client, user, password, error);
        answer = judge_login(client, answer);
        /* Capabilities may differ in the TRANSACTION state (RFC 2449 §5). */
        return answer == POP3_OK && knows ? read_capabilities(client, error) : answer;
}

/* Listing ---------------------------------------------------------------------------------------------------------- */

typedef struct Listing {
        Pop3Message *messages;
        guint32 n, room;
        gboolean is_rising; /* numbers came in order, as they should */
} Listing;

static gboolean
listing_add(Listing *list, guint32 number, guint64 size)
{
        if (list->n == list->room) {
                guint32 room = list->room > 0 ? MIN(list->room * 2, MESSAGES_MAX) : 256;
                Pop3Message *messages = room > list->n ? g_try_renew(Pop3Message, list->messages, room) : NULL;

                if (messages == NULL)
                        return FALSE;
                list->messages = messages;
                list->room = room;
        }
        if (list->n > 0 && list->messages[list->n - 1].number >= number)
                list->is_rising = FALSE;
        list->messages[list->n++] = (Pop3Message){.number = number, .size = size};
        return TRUE;
}

/* "NUMBER rest"; lines that are none are passed over. */
static gboolean
listing_line(Span line, guint32 *ret_number, Span *ret_rest)
{
        Scan s = scan_from(line);
        guint64 number;

        if (!scan_number(&s, G_MAXUINT32, &number) || number == 0 || !scan_octet(&s, ' '))
                return FALSE;
        scan_skip_run(&s, &CLASS_WSP);
        *ret_number = (guint32) number;
        *ret_rest = scan_rest(&s);
        return TRUE;
}

static gboolean
read_sizes(Pop3Client *client, Listing *list, GError **error)
{
        for (guint32 i = 0; i < LISTING_LINES_MAX; i++) {
                Span line, rest;
                guint32 number;
                guint64 size;

                if (!pop3_client_line(client, &line, error))
                        return FALSE;
                if (span_is(line, "."))
                        return TRUE;
                if (!listing_line(line, &number, &rest))
                        continue;
                Scan s = scan_from(rest);
                if (scan_number(&s, (guint64) 1 << 50, &size) && !listing_add(list, number, size))
                        break;
        }
        return pop3_client_fail(client, error, "the server's listing has no end") != POP3_FAILED;
}

static int
compare_numbers(const void *a, const void *b)
{
        guint32 x = ((const Pop3Message *) a)->number, y = ((const Pop3Message *) b)->number;

        return x < y ? -1 : x > y;
}

/* In the order of numbers, each once. */
static void
listing_sort(Listing *list)
{
        guint32 n = 0;

        if (list->is_rising)
                return;
        qsort(list->messages, list->n, sizeof(Pop3Message), compare_numbers);
        for (guint32 i = 0; i < list->n; i++)
                if (n == 0 || list->messages[n - 1].number != list->messages[i].number)
                        list->messages[n++] = list->messages[i];
        list->n = n;
}

/* An id that is over its limit or no id at all is none: such messages are known by size and header. */
static void
note_uidl(Listing *list, guint32 *at, guint32 number, Span rest)
{
        Pop3Message key = {.number = number}, *found = NULL;
        Scan s = scan_from(rest);
        Span uidl;

        if (!scan_run(&s, &UIDL_OCTETS, UIDL_MAX + 1, &uidl) || uidl.len > UIDL_MAX || !scan_at_end(&s))
                return;
        if (*at < list->n && list->messages[*at].number == number)
                found = &list->messages[*at];
        else if (list->n > 0)
                found = bsearch(&key, list->messages, list->n, sizeof(Pop3Message), compare_numbers);
        if (found == NULL)
                return;
        span_to_text(uidl, found->uidl);
        *at = (guint32) (found - list->messages) + 1;
}

static gboolean
read_uidls(Pop3Client *client, Listing *list, GError **error)
{
        guint32 at = 0;

        for (guint32 i = 0; i < LISTING_LINES_MAX; i++) {
                Span line, rest;
                guint32 number;

                if (!pop3_client_line(client, &line, error))
                        return FALSE;
                if (span_is(line, "."))
                        return TRUE;
                if (listing_line(line, &number, &rest))
                        note_uidl(list, &at, number, rest);
        }
        return pop3_client_fail(client, error, "the server's list of unique-ids has no end") != POP3_FAILED;
}

/* A server that says it knows UIDL and refuses it now would make all messages look new: not so. */
static Pop3Answer
list_uidls(Pop3Client *client, Listing *list, GError **error)
{
        Pop3Answer answer = ask(client, "UIDL", error);

        if (answer == POP3_OK)
                return read_uidls(client, list, error) ? POP3_OK : POP3_FAILED;
        return answer == POP3_REFUSED && (client->caps & POP3_CAP_UIDL) == 0 ? POP3_OK : answer;
}

Pop3Answer
pop3_client_list(Pop3Client *client, Pop3Message **ret, guint32 *ret_n, GError **error)
{
        Listing list = {.is_rising = TRUE};
        Pop3Answer answer = ask(client, "LIST", error);

        if (answer == POP3_OK && !read_sizes(client, &list, error))
                answer = POP3_FAILED;
        if (answer == POP3_OK) {
                listing_sort(&list);
                answer = list.n > 0 ? list_uidls(client, &list, error) : POP3_OK;
        }
        if (answer != POP3_OK) {
                g_free(list.messages);
                return answer;
        }
        *ret = list.messages;
        *ret_n = list.n;
        return POP3_OK;
}

/* client.c -- the IMAP client: responses, connecting, TLS, login. Mailboxes are client_list.c, messages client_fetch.c.
 */
#include "imap/client_internal.h"

#include "base/text.h"

#define LINE_MAX_OCTETS ((gsize) 64 * 1024)
#define RESPONSE_MAX ((gsize) 64 * 1024)
#define LITERAL_MAX 8192 /* but for bodies */
#define LITERALS_MAX 16
#define RESPONSES_MAX 30000000 /* to one command */
#define ARENA_OCTETS ((gsize) 512 * 1024)
#define DEFAULT_TIMEOUT (60 * USEC_PER_SEC)
#define MINIMUM_RATE 500 /* octets a second, once a response takes longer than the timeout */
#define CREDENTIAL_MAX 512

gboolean
client_fail(ImapClient *client, GError **error, const char *what)
{
        if (stream_is_failed(client->stream) || stream_reason(client->stream)[0] != '\0')
                fault(error, FAULT_IO, "%s: %s", what, stream_reason(client->stream));
        else
                fault(error, FAULT_IO, "%s", what);
        stream_fail(client->stream, "given up");
        return FALSE;
}

/* Responses -------------------------------------------------------------------------------------------------------- */

static void
set_deadline(ImapClient *client)
{
        Usec earned = (Usec) (MIN(client->heard, (guint64) 1 << 50) / MINIMUM_RATE) * USEC_PER_SEC;

        stream_set_deadline(client->stream, MIN(clock_in(client->timeout), client->began + client->timeout + earned));
}

gboolean
client_more(ImapClient *client, Span *ret, GError **error)
{
        set_deadline(client);
        if (stream_some(client->stream, FALSE, ret) != STREAM_OK)
                return client_fail(client, error, "the connection was lost");
        client->heard += ret->len;
        return TRUE;
}

/* What a line ends with: "{123}". */
static gboolean
ends_with_literal(Span line, guint64 *ret_octets, gsize *ret_at)
{
        gsize i = line.len;

        if (i < 3 || line.data[i - 1] != '}')
                return FALSE;
        for (i--; i > 0 && line.data[i - 1] >= '0' && line.data[i - 1] <= '9'; i--)
                continue;
        if (i == 0 || line.data[i - 1] != '{')
                return FALSE;
        *ret_at = i - 1;
        return span_to_number(span_slice(line, i, line.len - 1), G_MAXINT64, ret_octets);
}

/* So many octets behind what has been gathered. */
static gboolean
gather_literal(ImapClient *client, guint64 octets, GError **error)
{
        Span some;

        g_byte_array_append(client->response, (const guint8 *) "\r\n", 2);
        while (octets > 0) {
                if (!client_more(client, &some, error))
                        return FALSE;
                gsize n = (gsize) MIN(octets, some.len);
                g_byte_array_append(client->response, some.data, (guint) n);
                stream_consume(client->stream, n);
                octets -= n;
        }
        return TRUE;
}

static gboolean
is_body(Span before)
{
        static const char BODY[] = "BODY[] ";
        gsize n = strlen(BODY);

        return before.len >= n && span_is(span_slice(before, before.len - n, before.len), BODY);
}

/* Lines and literals to the end of the response, or up to a body. */
static gboolean
gather(ImapClient *client, gboolean wants_body, GError **error)
{
        for (guint i = 0; i <= LITERALS_MAX; i++) {
                guint64 octets;
                gsize at;
                Span line;

                set_deadline(client);
                StreamAnswer answer = stream_line(client->stream, LINE_MAX_OCTETS, TRUE, &line);
                if (answer != STREAM_OK)
                        return client_fail(client, error,
                                           answer == STREAM_TOO_LONG ? "the server's line is too long"
                                                                     : "no answer from the server");
                client->heard += line.len;
                if (client->response->len + line.len > RESPONSE_MAX)
                        return client_fail(client, error, "the server's response is too long");
                if (line.len > 0)
                        g_byte_array_append(client->response, line.data, (guint) line.len);
                if (!ends_with_literal(line, &octets, &at))
                        return TRUE;
                at += client->response->len - line.len;
                Span all = span_make(client->response->data, client->response->len);
                if (wants_body && is_body(span_slice(all, 0, at))) {
                        g_byte_array_set_size(client->response, (guint) at);
                        client->in_literal = TRUE;
                        client->left = octets;
                        return TRUE;
                }
                if (octets > LITERAL_MAX)
                        return client_fail(client, error, "the server's literal is too long");
                if (!gather_literal(client, octets, error))
                        return FALSE;
        }
        return client_fail(client, error, "too many literals in one response");
}

ClientResponse
client_response(ImapClient *client, gboolean wants_body, Scan *ret, GError **error)
{
        client->began = clock_monotonic();
        client->heard = 0;
        client->in_literal = FALSE;
        g_byte_array_set_size(client->response, 0);
        arena_reset(client->arena);
        if (!gather(client, wants_body, error))
                return CLIENT_BROKEN;
        *ret = scan_from(span_make(client->response->data, client->response->len));
        if (scan_octet(ret, '*') && scan_octet(ret, ' '))
                return client->in_literal ? CLIENT_BODY : CLIENT_UNTAGGED;
        if (client->in_literal)
                return client_fail(client, error, "this is no IMAP response"), CLIENT_BROKEN;
        if (scan_octet(ret, '+'))
                return CLIENT_CONTINUE;
        return CLIENT_TAGGED;
}

gboolean
client_rest(ImapClient *client, GError **error)
{
        g_byte_array_set_size(client->response, 0);
        return gather(client, FALSE, error);
}

ImapArgs
client_args(ImapClient *client, Scan s)
{
        return (ImapArgs){.scan = s, .arena = client->arena, .enabled = IMAP_ENABLED_UTF8};
}

static void
keep_words(ImapClient *client, Scan *s)
{
        (void) !scan_octet(s, ' ');
        g_autofree char *shown = text_escape(scan_rest(s), CLIENT_WORDS_MAX);

        g_strlcpy(client->words, shown, sizeof(client->words));
}

gboolean
client_is_bye(ImapClient *client, Scan s, GError **error)
{
        if (!scan_word(&s, "BYE"))
                return FALSE;
        keep_words(client, &s);
        fault(error, FAULT_IO, "the server closes the connection: %s", client->words);
        stream_fail(client->stream, "given up");
        return TRUE;
}

ImapClientAnswer
client_status(ImapClient *client, Scan *s, GError **error)
{
        if (scan_word(s, "OK"))
                return IMAP_CLIENT_OK;
        if (!scan_word(s, "NO") && !scan_word(s, "BAD"))
                return client_fail(client, error, "this is no IMAP answer"), IMAP_CLIENT_FAILED;
        keep_words(client, s);
        fault(error, FAULT_IO, "the server refuses: %s", client->words);
        return IMAP_CLIENT_REFUSED;
}

void
client_begin(ImapClient *client)
{
        stream_printf(client->stream, "A%u ", ++client->tag);
}

/* "A7 ": the tag of the last command, or of an earlier one. */
static gboolean
read_tag(Scan *s, guint32 *ret)
{
        guint64 number;

        if (!scan_word(s, "A") || !scan_number(s, G_MAXUINT32, &number) || !scan_octet(s, ' '))
                return FALSE;
        *ret = (guint32) number;
        return TRUE;
}

ImapClientAnswer
client_wait(ImapClient *client, ClientUntagged fn, gpointer data, GError **error)
{
        guint32 tag;
        Scan s;

        for (guint i = 0; i < RESPONSES_MAX; i++)
                switch (client_response(client, FALSE, &s, error)) {
                case CLIENT_UNTAGGED:
                        if (client_is_bye(client, s, error))
                                return IMAP_CLIENT_FAILED;
                        if (fn != NULL && !fn(client, &s, data))
                                return client_fail(client, error, "the server's answer is not understood"),
                                       IMAP_CLIENT_FAILED;
                        break;
                case CLIENT_TAGGED:
                        if (!read_tag(&s, &tag) || tag != client->tag)
                                return client_fail(client, error, "the server answers something else"),
                                       IMAP_CLIENT_FAILED;
                        return client_status(client, &s, error);
                case CLIENT_BROKEN:
                        return IMAP_CLIENT_FAILED;
                case CLIENT_CONTINUE:
                case CLIENT_BODY:
                        return client_fail(client, error, "the server waits for something that is not there"),
                               IMAP_CLIENT_FAILED;
                }
        return client_fail(client, error, "the server's answer has no end"), IMAP_CLIENT_FAILED;
}

/* Connecting ------------------------------------------------------------------------------------------------------- */

static gboolean
note_capabilities(ImapClient *client, Scan *s, gpointer data)
{
        static const struct {
                const char *word;
                ClientCap cap;
        } WORDS[] = {{"STARTTLS", CLIENT_CAP_STARTTLS},
                     {"LOGINDISABLED", CLIENT_CAP_LOGINDISABLED},
                     {"AUTH=PLAIN", CLIENT_CAP_AUTH_PLAIN},
                     {"SASL-IR", CLIENT_CAP_SASL_IR},
                     {"NAMESPACE", CLIENT_CAP_NAMESPACE},
                     {"LIST-EXTENDED", CLIENT_CAP_LIST_EXTENDED},
                     {"SPECIAL-USE", CLIENT_CAP_SPECIAL_USE},
                     {"IMAP4rev2",
                      CLIENT_CAP_NAMESPACE | CLIENT_CAP_LIST_EXTENDED | CLIENT_CAP_SPECIAL_USE | CLIENT_CAP_SASL_IR}};
        Span word;

        if (!scan_word(s, "CAPABILITY"))
                return TRUE;
        while (scan_skip_run(s, &CLASS_WSP) && scan_run(s, &CLASS_PRINT, LINE_MAX_OCTETS, &word))
                for (gsize i = 0; i < G_N_ELEMENTS(WORDS); i++)
                        if (span_is(word, WORDS[i].word))
                                client->caps |= WORDS[i].cap;
        return TRUE;
}

/* Everything heard before is forgotten. */
static ImapClientAnswer
ask_capabilities(ImapClient *client, GError **error)
{
        client->caps = 0;
        client_begin(client);
        stream_printf(client->stream, "CAPABILITY\r\n");
        return client_wait(client, note_capabilities, NULL, error);
}

static ImapClientAnswer
start_tls(ImapClient *client, const ImapClientSettings *settings, GError **error)
{
        client->began = clock_monotonic();
        client->heard = 0;
        set_deadline(client);
        if (stream_start_tls(client->stream, settings->tls_context, settings->host) != STREAM_OK)
                return client_fail(client, error, "TLS failed"), IMAP_CLIENT_FAILED;
        return IMAP_CLIENT_OK;
}

/* RFC 9051 §6.2.1. Never goes on in the clear. */
static ImapClientAnswer
command_starttls(ImapClient *client, const ImapClientSettings *settings, GError **error)
{
        if ((client->caps & CLIENT_CAP_STARTTLS) == 0) {
                fault(error, FAULT_IO, "the server does not offer STARTTLS");
                return IMAP_CLIENT_REFUSED;
        }
        client_begin(client);
        stream_printf(client->stream, "STARTTLS\r\n");
        ImapClientAnswer answer = client_wait(client, NULL, NULL, error);
        if (answer == IMAP_CLIENT_OK)
                answer = start_tls(client, settings, error);
        return answer == IMAP_CLIENT_OK ? ask_capabilities(client, error) : answer;
}

ImapClientAnswer
imap_client_greet(ImapClient *client, const ImapClientSettings *settings, GError **error)
{
        ImapClientAnswer answer = IMAP_CLIENT_OK;
        Scan s;

        if (settings->tls == IMAP_CLIENT_TLS_IMPLICIT)
                answer = start_tls(client, settings, error);
        if (answer != IMAP_CLIENT_OK)
                return answer;
        if (client_response(client, FALSE, &s, error) == CLIENT_BROKEN || client_is_bye(client, s, error))
                return IMAP_CLIENT_FAILED;
        if (!scan_word(&s, "OK"))
                return client_fail(client, error, "this is no IMAP server, or one that knows us already"),
                       IMAP_CLIENT_FAILED;
        answer = ask_capabilities(client, error);
        if (answer == IMAP_CLIENT_OK && settings->tls == IMAP_CLIENT_TLS_STARTTLS)
                answer = command_starttls(client, settings, error);
        return answer;
}

ImapClient *
imap_client_take_stream(Stream *stream, Usec timeout)
{
        ImapClient *client = g_new0(ImapClient, 1);

        client->stream = stream;
        client->timeout = timeout > 0 ? timeout : DEFAULT_TIMEOUT;
        client->response = g_byte_array_new();
        client->quoted = g_byte_array_new();
        client->arena = arena_new(ARENA_OCTETS);
        client->keyword_sets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        client->numbers = g_array_new(FALSE, TRUE, sizeof(guint32));
        return client;
}

void
imap_client_free(ImapClient *client)
{
        if (client == NULL)
                return;
        if (!stream_is_failed(client->stream) && client->n_fetches == 0) {
                stream_set_deadline(client->stream, clock_in(USEC_PER_SEC));
                stream_printf(client->stream, "A%u LOGOUT\r\n", client->tag + 1);
                (void) !stream_flush(client->stream);
        }
        stream_free(client->stream);
        g_byte_array_unref(client->response);
        g_byte_array_unref(client->quoted);
        g_hash_table_unref(client->keyword_sets);
        g_array_unref(client->numbers);
        arena_free(client->arena);
        g_free(client);
}

ImapClientAnswer
imap_client_connect(const ImapClientSettings *settings, ImapClient **ret, GError **error)
{
        Usec timeout = settings->timeout > 0 ? settings->timeout : DEFAULT_TIMEOUT;

        g_assert(settings->tls == IMAP_CLIENT_TLS_NONE || settings->tls_context != NULL);
        Stream *stream = stream_connect(settings->host, settings->port, TRUE, clock_in(timeout), error);
        if (stream == NULL)
                return IMAP_CLIENT_FAILED;
        g_autoptr(ImapClient) client = imap_client_take_stream(stream, timeout);
        ImapClientAnswer answer = imap_client_greet(client, settings, error);
        if (answer == IMAP_CLIENT_OK)
                *ret = g_steal_pointer(&client);
        return answer;
}

/* Login ------------------------------------------------------------------------------------------------------------ */

static gboolean
is_credential(const char *text)
{
        return text[0] != '\0' && strlen(text) <= CREDENTIAL_MAX && !text_has_control(span_of(text));
}

/* The server asks for the rest of a command. */
static ImapClientAnswer
wait_continue(ImapClient *client, GError **error)
{
        Scan s;

        for (;;)
                switch (client_response(client, FALSE, &s, error)) {
                case CLIENT_CONTINUE:
                        return IMAP_CLIENT_OK;
                case CLIENT_UNTAGGED:
                        if (client_is_bye(client, s, error))
                                return IMAP_CLIENT_FAILED;
                        break;
                case CLIENT_TAGGED: {
                        guint32 tag;
                        if (read_tag(&s, &tag) && client_status(client, &s, error) == IMAP_CLIENT_REFUSED)
                                return IMAP_CLIENT_REFUSED;
                        if (error == NULL || *error == NULL)
                                client_fail(client, error, "the server does not wait for the login");
                        return IMAP_CLIENT_FAILED;
                }
                case CLIENT_BROKEN:
                case CLIENT_BODY:
                        return IMAP_CLIENT_FAILED;
                }
}

/* RFC 4616, RFC 4959 */
static ImapClientAnswer
login_plain(ImapClient *client, const char *user, const char *password, GError **error)
{
        guint8 plain[2 * CREDENTIAL_MAX + 2];
        gsize user_len = strlen(user), len = 2 + user_len + strlen(password);
        g_autoptr(Arena) arena = arena_new(8192);
        ImapClientAnswer answer = IMAP_CLIENT_OK;

        plain[0] = plain[1 + user_len] = '\0';
        memcpy(plain + 1, user, user_len);
        memcpy(plain + 2 + user_len, password, len - 2 - user_len);
        Span coded = text_base64(arena, span_make(plain, len));
        client_begin(client);
        stream_printf(client->stream, "AUTHENTICATE PLAIN");
        if ((client->caps & CLIENT_CAP_SASL_IR) != 0) {
                stream_printf(client->stream, " ");
        } else {
                stream_printf(client->stream, "\r\n");
                answer = wait_continue(client, error);
        }
        if (answer == IMAP_CLIENT_OK) {
                stream_write(client->stream, coded);
                stream_printf(client->stream, "\r\n");
                answer = client_wait(client, NULL, NULL, error);
        }
        text_wipe(plain, sizeof(plain));
        text_wipe((guint8 *) coded.data, coded.len);
        return answer;
}

static void
write_quoted(Stream *stream, const char *text)
{
        stream_printf(stream, "\"");
        for (; *text != '\0'; text++)
                stream_printf(stream, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
        stream_printf(stream, "\"");
}

static ImapClientAnswer
login_login(ImapClient *client, const char *user, const char *password, GError **error)
{
        client_begin(client);
        stream_printf(client->stream, "LOGIN ");
        write_quoted(client->stream, user);
        stream_printf(client->stream, " ");
        write_quoted(client->stream, password);
        stream_printf(client->stream, "\r\n");
        return client_wait(client, NULL, NULL, error);
}

ImapClientAnswer
imap_client_login(ImapClient *client, const char *user, const char *password, GError **error)
{
        ImapClientAnswer answer;

        if (!is_credential(user) || !is_credential(password)) {
                fault(error, FAULT_INPUT, "user or password is empty, too long or holds control characters");
                return IMAP_CLIENT_AUTH_FAILED;
        }
        if ((client->caps & CLIENT_CAP_AUTH_PLAIN) != 0) {
                answer = login_plain(client, user, password, error);
        } else if ((client->caps & CLIENT_CAP_LOGINDISABLED) == 0) {
                answer = login_login(client, user, password, error);
        } else {
                fault(error, FAULT_IO, "the server offers no login by password here");
                return IMAP_CLIENT_REFUSED;
        }
        if (answer == IMAP_CLIENT_REFUSED)
                return IMAP_CLIENT_AUTH_FAILED;
        return answer == IMAP_CLIENT_OK ? ask_capabilities(client, error) : answer;
}

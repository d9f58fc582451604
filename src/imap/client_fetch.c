/* client_fetch.c -- the IMAP client: what messages there are, and their octets, several FETCH commands ahead. */
#include "imap/client_internal.h"

#define KEYWORD_SETS_MAX 100000
#define KEYWORDS_OCTETS_MAX 4096 /* of one message */

/* One FETCH response ----------------------------------------------------------------------------------------------- */

typedef enum Body {
        BODY_NONE = 0,
        BODY_NIL,
        BODY_QUOTED,
        BODY_COMES, /* as a literal, behind what has been read */
} Body;

typedef struct Fetched {
        ImapHeadline line;
        Body body;
        Span quoted;
} Fetched;

/* What has no meaning for us: an atom, a string or a list of such, however deep. */
static gboolean
skip_value(ImapArgs *a)
{
        static const OctetClass ATOM = {{0xfffffcfa00000000, G_MAXUINT64, G_MAXUINT64, G_MAXUINT64}};
        guint depth = 0;

        do {
                Span skipped;

                if (args_open(a))
                        depth++;
                else if (depth > 0 && args_close(a))
                        depth--;
                else if (!args_string(a, &skipped) && !scan_run(&a->scan, &ATOM, G_MAXSIZE, &skipped) &&
                         !(depth > 0 && args_space(a)))
                        return FALSE;
        } while (depth > 0);
        return TRUE;
}

/* A set of keywords is kept once. */
static const char *
intern(ImapClient *client, const char *set)
{
        gpointer known = NULL;

        if (*set == '\0')
                return "";
        if (g_hash_table_lookup_extended(client->keyword_sets, set, &known, NULL))
                return known;
        if (g_hash_table_size(client->keyword_sets) >= KEYWORD_SETS_MAX)
                return "";
        char *copy = g_strdup(set);
        g_hash_table_add(client->keyword_sets, copy);
        return copy;
}

static guint64
system_flag(Span word)
{
        static const char *const NAMES[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"};

        for (guint bit = 0; bit < G_N_ELEMENTS(NAMES); bit++)
                if (span_is(word, NAMES[bit]))
                        return (guint64) 1 << bit;
        return 0;
}

/* "(\Seen $Forwarded)"; \Recent and what we don't know with a backslash is left out. */
static gboolean
read_flags(ImapClient *client, ImapArgs *a, ImapHeadline *line)
{
        static const OctetClass WORD = {{0xfffffcfe00000000, G_MAXUINT64, G_MAXUINT64, G_MAXUINT64}};
        g_autoptr(GString) set = g_string_new(NULL);
        Span word;

        if (!args_open(a))
                return FALSE;
        while (!args_close(a)) {
                if (!scan_run(&a->scan, &WORD, 1000, &word))
                        return FALSE;
                line->flags |= system_flag(word);
                if (word.data[0] != '\\' && set->len + word.len < KEYWORDS_OCTETS_MAX)
                        g_string_append_printf(set, "%s%.*s", set->len > 0 ? " " : "", (int) word.len,
                                               (const char *) word.data);
                (void) !args_space(a);
        }
        line->keywords = intern(client, set->str);
        return TRUE;
}

static gboolean
read_body(ImapArgs *a, gboolean has_literal, Fetched *ret)
{
        gboolean is_nil;

        if (has_literal && args_end(a)) {
                ret->body = BODY_COMES;
                return TRUE;
        }
        if (!args_nstring(a, &ret->quoted, &is_nil))
                return FALSE;
        ret->body = is_nil ? BODY_NIL : BODY_QUOTED;
        return TRUE;
}

/* One item; what we did not ask for is passed over. */
static gboolean
read_item(ImapClient *client, ImapArgs *a, gboolean has_literal, Fetched *ret)
{
        static const OctetClass NAME = {{0xfffffcfe00000000, G_MAXUINT64, 0, 0}}; /* also BODY[HEADER] */
        guint64 number;
        Span name;

        if (!scan_run(&a->scan, &NAME, 1000, &name) || !args_space(a))
                return FALSE;
        if (span_is(name, "UID")) {
                if (!scan_number(&a->scan, G_MAXUINT32, &number))
                        return FALSE;
                ret->line.uid = (guint32) number;
                return TRUE;
        }
        if (span_is(name, "RFC822.SIZE"))
                return scan_number(&a->scan, G_MAXINT64, &ret->line.size);
        if (span_is(name, "FLAGS"))
                return read_flags(client, a, &ret->line);
        if (span_is(name, "INTERNALDATE") && args_date_time(a, &ret->line.received))
                return TRUE;
        if (span_is(name, "BODY[]"))
                return read_body(a, has_literal, ret);
        return skip_value(a);
}

/* "(UID 5 FLAGS () ...)", or up to the literal that comes next. */
static gboolean
read_fetched(ImapClient *client, Scan s, gboolean has_literal, Fetched *ret)
{
        ImapArgs a = client_args(client, s);

        *ret = (Fetched){.line.keywords = ""};
        if (!args_space(&a) || !args_open(&a))
                return FALSE;
        for (;;) {
                if (args_close(&a))
                        return args_end(&a);
                if (!read_item(client, &a, has_literal, ret))
                        return FALSE;
                if (ret->body == BODY_COMES)
                        return TRUE;
                (void) !args_space(&a);
        }
}

/* "23 FETCH": which message; FALSE: another response. What it says of expunged messages is noted. */
static gboolean
is_fetch(ImapClient *client, Scan *s, guint32 *ret_number)
{
        guint64 number;

        if (scan_word(s, "VANISHED"))
                client->has_moved = TRUE;
        if (!scan_number(s, G_MAXUINT32, &number))
                return FALSE;
        if (scan_word(s, " EXPUNGE"))
                client->has_moved = TRUE;
        *ret_number = (guint32) number;
        return scan_word(s, " FETCH");
}

/* All of them ------------------------------------------------------------------------------------------------------ */

static gboolean
note_headline(ImapClient *client, Scan *s, gpointer data)
{
        GArray *lines = data;
        Fetched fetched;
        guint32 number;

        if (!is_fetch(client, s, &number))
                return TRUE;
        if (!read_fetched(client, *s, FALSE, &fetched) || lines->len >= IMAP_CLIENT_MESSAGES_MAX)
                return FALSE;
        if (fetched.line.uid == 0)
                return TRUE; /* flags of another session's making */
        g_array_append_val(lines, fetched.line);
        if (number > 0 && number <= client->messages) {
                if (client->numbers->len < number)
                        g_array_set_size(client->numbers, number);
                g_array_index(client->numbers, guint32, number - 1) = fetched.line.uid;
        }
        return TRUE;
}

static int
headline_compare(gconstpointer a, gconstpointer b)
{
        const ImapHeadline *x = a, *y = b;

        return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* A server may tell of one twice. */
static void
drop_doubles(GArray *lines)
{
        guint n = 0;

        for (guint i = 0; i < lines->len; i++) {
                ImapHeadline line = g_array_index(lines, ImapHeadline, i);
                if (n == 0 || g_array_index(lines, ImapHeadline, n - 1).uid != line.uid)
                        g_array_index(lines, ImapHeadline, n++) = line;
        }
        g_array_set_size(lines, n);
}

ImapClientAnswer
imap_client_headlines(ImapClient *client, GArray **ret, GError **error)
{
        g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(ImapHeadline));
        ImapClientAnswer answer = IMAP_CLIENT_OK;

        if (client->messages > 0) { /* "1:*" is wrong in an empty mailbox for some */
                client_begin(client);
                stream_printf(client->stream, "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)\r\n");
                answer = client_wait(client, note_headline, lines, error);
        }
        if (answer != IMAP_CLIENT_OK)
                return answer;
        g_array_sort(lines, headline_compare);
        drop_doubles(lines);
        *ret = g_steal_pointer(&lines);
        return IMAP_CLIENT_OK;
}

/* Octets ----------------------------------------------------------------------------------------------------------- */

void
imap_client_send_fetch(ImapClient *client, const char *uids)
{
        g_assert(client->n_fetches < CLIENT_FETCHES_MAX);
        client_begin(client);
        client->fetches[client->n_fetches++] = client->tag;
        stream_printf(client->stream, "UID FETCH ");
        stream_write(client->stream, span_of(uids));
        stream_printf(client->stream, " (UID BODY.PEEK[])\r\n");
        (void) !stream_flush(client->stream);
}

gssize
imap_client_read(ImapClient *client, void *buffer, gsize len, GError **error)
{
        Span some;

        if (client->quoted_used < client->quoted->len) {
                gsize n = MIN(len, client->quoted->len - client->quoted_used);
                memcpy(buffer, client->quoted->data + client->quoted_used, n);
                client->quoted_used += n;
                return (gssize) n;
        }
        if (!client->in_literal || client->left == 0)
                return 0;
        if (!client_more(client, &some, error))
                return -1;
        gsize n = (gsize) MIN(MIN((guint64) len, client->left), some.len);
        memcpy(buffer, some.data, n);
        stream_consume(client->stream, n);
        client->left -= n;
        return (gssize) n;
}

/* The rest of the message before, and what stands behind its octets. */
static gboolean
finish_message(ImapClient *client, GError **error)
{
        guint8 dropped[4096];
        gssize n;

        client->quoted_used = client->quoted->len;
        while ((n = imap_client_read(client, dropped, sizeof(dropped), error)) > 0)
                continue;
        g_byte_array_set_size(client->quoted, 0);
        client->quoted_used = 0;
        if (n < 0)
                return FALSE;
        if (!client->in_literal)
                return TRUE;
        client->in_literal = FALSE;
        return client_rest(client, error);
}

/* Some servers tell the UID behind the body: then the number must do. */
static guint32
uid_of(const ImapClient *client, guint32 number, const Fetched *fetched)
{
        if (fetched->line.uid != 0)
                return fetched->line.uid;
        return !client->has_moved && number > 0 && number <= client->numbers->len
                       ? g_array_index(client->numbers, guint32, number - 1)
                       : 0;
}

/* TRUE with a UID: here is a message. TRUE without: something else. */
static gboolean
take_fetched(ImapClient *client, Scan s, gboolean has_literal, guint32 *ret_uid, guint64 *ret_octets, GError **error)
{
        Fetched fetched;
        guint32 number;

        *ret_uid = 0;
        if (!is_fetch(client, &s, &number))
                return !has_literal || client_fail(client, error, "the server sends octets of no message");
        if (!read_fetched(client, s, has_literal, &fetched) || (has_literal && fetched.body != BODY_COMES))
                return client_fail(client, error, "the server's answer is not understood");
        if (fetched.body != BODY_COMES && fetched.body != BODY_QUOTED)
                return TRUE;
        *ret_uid = uid_of(client, number, &fetched);
        if (*ret_uid == 0)
                return client_fail(client, error, "the server does not say which message it sends");
        *ret_octets = client->left;
        if (fetched.body == BODY_QUOTED) {
                if (fetched.quoted.len > 0)
                        g_byte_array_append(client->quoted, fetched.quoted.data, (guint) fetched.quoted.len);
                *ret_octets = fetched.quoted.len;
        }
        return TRUE;
}

/* The answer to the oldest FETCH. */
static ImapClientAnswer
fetch_over(ImapClient *client, Scan s, GError **error)
{
        guint64 tag;

        if (!scan_word(&s, "A") || !scan_number(&s, G_MAXUINT32, &tag) || !scan_octet(&s, ' ') ||
            client->n_fetches == 0 || tag != client->fetches[0])
                return client_fail(client, error, "the server answers something else"), IMAP_CLIENT_FAILED;
        client->fetches[0] = client->fetches[1];
        client->n_fetches--;
        ImapClientAnswer answer = client_status(client, &s, error);
        return answer == IMAP_CLIENT_OK ? IMAP_CLIENT_END : answer;
}

ImapClientAnswer
imap_client_next(ImapClient *client, guint32 *ret_uid, guint64 *ret_octets, GError **error)
{
        Scan s;

        if (!finish_message(client, error))
                return IMAP_CLIENT_FAILED;
        for (;;) {
                ClientResponse response = client_response(client, TRUE, &s, error);

                switch (response) {
                case CLIENT_BODY:
                case CLIENT_UNTAGGED:
                        if (client_is_bye(client, s, error) ||
                            !take_fetched(client, s, response == CLIENT_BODY, ret_uid, ret_octets, error))
                                return IMAP_CLIENT_FAILED;
                        if (*ret_uid != 0)
                                return IMAP_CLIENT_OK;
                        break;
                case CLIENT_TAGGED:
                        return fetch_over(client, s, error);
                case CLIENT_CONTINUE:
                        return client_fail(client, error, "the server waits for something that is not there"),
                               IMAP_CLIENT_FAILED;
                case CLIENT_BROKEN:
                        return IMAP_CLIENT_FAILED;
                }
        }
}

/* client_transfer.c -- RETR, TOP and DELE of the POP3 client, pipelined or not; the end of a multi-line reply.
 *
 * A multi-line reply ends at CRLF.CRLF and nothing else: servers stuff dots behind CRLF, so a message may bring LF.CRLF
 * of its own, and whoever took that for the end would read the rest of the message as replies to the commands that
 * follow.
 */
#include "pop3/client_internal.h"

typedef enum LineStart {
        BEHIND_CRLF = 0, /* the status line ends in one */
        BEHIND_LF,
        IN_LINE,
} LineStart;

typedef struct Body {
        LineStart at;
        Pop3Sink sink; /* NULL: no longer wanted */
        gpointer data;
        guint64 octets;
        gboolean has_ended;
} Body;

static void
body_emit(Body *body, Span octets)
{
        body->octets += octets.len;
        if (octets.len > 0 && body->sink != NULL && !body->sink(octets, body->data))
                body->sink = NULL;
}

/* From the middle of a line: to its end or to the end of what is there. The run goes on over CRLF; a bare LF becomes
 * CRLF. FALSE: more octets are needed; *at then stands behind what is certain. */
static gboolean
body_pass_line(Body *body, Span in, gsize *run, gsize *at)
{
        const guint8 *lf = memchr(in.data + *at, '\n', in.len - *at);

        if (lf == NULL) {
                *at = in.data[in.len - 1] == '\r' ? in.len - 1 : in.len; /* a CR may still be half of a line end */
                return FALSE;
        }
        gsize end = (gsize) (lf - in.data);
        *at = end + 1;
        if (end > 0 && in.data[end - 1] == '\r') {
                body->at = BEHIND_CRLF;
                return TRUE;
        }
        body_emit(body, span_slice(in, *run, end));
        body_emit(body, span_of("\r\n"));
        *run = *at;
        body->at = BEHIND_LF;
        return TRUE;
}

/* A dot at the start of a line (RFC 1939 §3): the end, a stuffed dot, or one that stands for itself. Behind a bare LF
 * servers either stuff every dot or none, so only a doubled one is halved there. FALSE: more octets are needed, or it
 * has ended. */
static gboolean
body_pass_dot(Body *body, Span in, gsize *run, gsize *at)
{
        Span rest = span_slice(in, *at, in.len);

        if (rest.len < 2 || (body->at == BEHIND_CRLF && rest.data[1] == '\r' && rest.len < 3))
                return FALSE;
        gboolean is_end = body->at == BEHIND_CRLF && rest.data[1] == '\r' && rest.data[2] == '\n';
        gboolean is_stuffed = body->at == BEHIND_CRLF || rest.data[1] == '.';

        if (is_end || is_stuffed) {
                body_emit(body, span_slice(in, *run, *at));
                *at += is_end ? 3 : 1;
                *run = *at;
        }
        body->has_ended = is_end;
        body->at = IN_LINE;
        return !is_end;
}

/* Take what is certain from the front of `in`; how much that was. */
static gsize
body_take(Body *body, Span in)
{
        gsize at = 0, run = 0;

        while (at < in.len) {
                if (body->at != IN_LINE && in.data[at] == '.') {
                        if (!body_pass_dot(body, in, &run, &at))
                                break;
                        continue;
                }
                body->at = IN_LINE;
                if (!body_pass_line(body, in, &run, &at))
                        break;
        }
        body_emit(body, span_slice(in, run, at));
        return at;
}

static Pop3Answer
read_body(Pop3Client *client, Body *body, guint64 max_octets, GError **error)
{
        gboolean more = FALSE;

        while (!body->has_ended) {
                Span in;

                client->reply_octets = body->octets;
                pop3_client_set_deadline(client);
                if (stream_some(client->stream, more, &in) != STREAM_OK)
                        return pop3_client_fail(client, error, "the connection broke within a message");
                gsize taken = body_take(body, in);
                more = taken < in.len;
                stream_consume(client->stream, taken);
                if (body->octets > max_octets)
                        return pop3_client_fail(client, error, "the message is larger than the server said");
        }
        return POP3_OK;
}

Pop3Answer
pop3_client_read_message(Pop3Client *client, guint64 max_octets, Pop3Sink sink, gpointer data, guint64 *ret_octets,
                         GError **error)
{
        Body body = {.sink = sink, .data = data};
        Pop3Answer answer = pop3_client_status(client, error);

        if (answer == POP3_OK)
                answer = read_body(client, &body, max_octets, error);
        if (answer == POP3_OK)
                *ret_octets = body.octets;
        return answer;
}

void
pop3_client_send_retr(Pop3Client *client, guint32 number)
{
        stream_printf(client->stream, "RETR %u\r\n", number);
}

void
pop3_client_send_top(Pop3Client *client, guint32 number, guint lines)
{
        stream_printf(client->stream, "TOP %u %u\r\n", number, lines);
}

void
pop3_client_send_dele(Pop3Client *client, guint32 number)
{
        stream_printf(client->stream, "DELE %u\r\n", number);
}

void
pop3_client_flush(Pop3Client *client)
{
        pop3_client_begin_reply(client);
        pop3_client_set_deadline(client);
        (void) stream_flush(client->stream); /* a failure sticks: the next read says it */
}

Pop3Answer
pop3_client_read_dele(Pop3Client *client, GError **error)
{
        return pop3_client_status(client, error);
}

Pop3Answer
pop3_client_quit(Pop3Client *client, GError **error)
{
        stream_printf(client->stream, "QUIT\r\n");
        return pop3_client_status(client, error);
}

/* sending.c -- long answers, piece by piece while the reader takes them. */
#include "pop3/internal.h"

#define PIECE_OCTETS ((gsize) 16 * 1024)
#define LIST_OCTETS ((gsize) 8 * 1024)

void
pop3_sending_end(Pop3Session *s)
{
        g_clear_pointer(&s->sending.message, store_message_close);
}

static Pop3Step
finish(Pop3Session *s)
{
        pop3_sending_end(s);
        s->phase = POP3_PHASE_COMMAND;
        return POP3_STEP_DONE;
}

/* LIST and UIDL -------------------------------------------------------------------------------------------------- */

gsize
pop3_list_line(const Pop3Session *s, SendingKind kind, guint32 i, char *ret_line)
{
        char id[MAILDROP_UIDL_OCTETS];
        int len;

        if (kind == SENDING_LIST)
                len = g_snprintf(ret_line, POP3_LIST_LINE_MAX, "%u %" G_GUINT64_FORMAT "\r\n", i + 1,
                                 store_maildrop_size(s->drop, i));
        else
                len = g_snprintf(ret_line, POP3_LIST_LINE_MAX, "%u %s\r\n", i + 1, store_maildrop_uidl(s->drop, i, id));
        return (gsize) len;
}

void
pop3_send_list(Pop3Session *s, SendingKind kind)
{
        s->sending = (Sending){.kind = kind};
        s->phase = POP3_PHASE_SENDING;
        stream_printf(s->session.stream, "+OK %u messages\r\n", store_maildrop_undeleted(s->drop));
}

static Pop3Step
send_list_piece(Pop3Session *s)
{
        Sending *out = &s->sending;
        guint32 count = store_maildrop_count(s->drop);
        char *piece = (char *) stream_reserve(s->session.stream, LIST_OCTETS);
        gsize used = 0;

        if (piece == NULL)
                return finish(s);
        while (out->next < count && used + POP3_LIST_LINE_MAX <= LIST_OCTETS) {
                guint32 i = out->next++;
                if (!store_maildrop_is_deleted(s->drop, i))
                        used += pop3_list_line(s, out->kind, i, piece + used);
        }
        stream_commit(s->session.stream, used);
        if (out->next < count)
                return POP3_STEP_DONE;
        stream_write(s->session.stream, span_of(".\r\n"));
        return finish(s);
}

/* RETR and TOP --------------------------------------------------------------------------------------------------- */

void
pop3_send_message(Pop3Session *s, guint32 i, SendingKind kind, guint64 lines)
{
        g_autoptr(GError) error = NULL;
        guint64 size = store_maildrop_size(s->drop, i);
        MaildropMessage *message;

        if (!store_maildrop_message(s->drop, i, &message, &error)) {
                pop3_log_fault(s, "open", error);
                pop3_err(s, "[SYS/TEMP] can't read this message");
                return;
        }
        s->sending = (Sending){.kind = kind, .message = message, .left = size};
        dot_init(&s->sending.dots);
        top_init(&s->sending.top, lines);
        s->phase = POP3_PHASE_SENDING;
        if (kind == SENDING_MESSAGE)
                s->n_retrieved++;
        stream_printf(s->session.stream, "+OK %" G_GUINT64_FORMAT " octets\r\n", size);
}

/* Half an answer is worse than none: the client must not take it for whole. */
static Pop3Step
give_up(Pop3Session *s, const GError *error)
{
        pop3_log_fault(s, "read", error);
        stream_fail(s->session.stream, "message can't be read");
        return finish(s);
}

/* Read straight into the output; only where dots must be stuffed octets move again. */
static Pop3Step
send_message_piece(Pop3Session *s)
{
        g_autoptr(GError) error = NULL;
        Sending *out = &s->sending;
        Stream *stream = s->session.stream;
        gsize want = (gsize) MIN(out->left, PIECE_OCTETS);
        guint8 *piece = stream_reserve(stream, DOT_ROOM(want));

        if (piece == NULL)
                return finish(s);
        gssize got = want > 0 ? store_message_read(out->message, piece, want, &error) : 0;
        if (got < 0 || (got == 0 && want > 0))
                return give_up(s, error);

        gsize len = out->kind == SENDING_TOP ? top_take(&out->top, piece, (gsize) got) : (gsize) got;
        out->left = len == (gsize) got ? out->left - len : 0;
        stream_commit(stream, dot_stuff(&out->dots, piece, len));
        if (out->left > 0)
                return POP3_STEP_DONE;
        stream_write(stream, dot_ending(&out->dots));
        stream_write(stream, span_of(".\r\n"));
        return finish(s);
}

Pop3Step
pop3_step_sending(Pop3Session *s)
{
        switch (s->sending.kind) {
        case SENDING_LIST:
        case SENDING_UIDL:
                return send_list_piece(s);
        case SENDING_MESSAGE:
        case SENDING_TOP:
                break;
        }
        return send_message_piece(s);
}

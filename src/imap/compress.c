/* compress.c -- COMPRESS (RFC 4978). */
#include "imap/internal.h"

/* Its OK is the last that goes out plainly. It may have to wait for news that are told before it, so the switch is a
 * phase of its own, which comes when all that is written. What the client has sent behind its command is taken as
 * compressed, as the RFC has it: commands that somebody slipped in there are noise and end the connection. */
void
imap_compress(ImapSession *s, ImapArgs *args)
{
        Span name;

        if (!args_space(args) || !args_atom(args, &name) || !args_end(args) || !span_is(name, "DEFLATE")) {
                imap_bad(s, "syntax: COMPRESS DEFLATE");
                return;
        }
        if (stream_is_compressed(s->session.stream)) {
                imap_no(s, "COMPRESSIONACTIVE", "DEFLATE is on already");
                return;
        }
        if (!stream_prepare_compression(s->session.stream)) {
                imap_no(s, "LIMIT", "too many connections are compressed now");
                return;
        }
        imap_ok(s, "", "compressed from here on");
        if (s->phase != IMAP_PHASE_CLOSE)
                s->phase = IMAP_PHASE_COMPRESS;
}

ImapStep
imap_step_compress(ImapSession *s)
{
        (void) stream_flush(s->session.stream); /* noise behind the command must not take the OK along */
        stream_begin_compression(s->session.stream);
        s->phase = IMAP_PHASE_COMMAND;
        return IMAP_STEP_DONE;
}

/* data.c -- the decoder of DATA and BDAT. */
#include "smtp/data.h"

/* One call of data_feed(): [run, at) is decided, unchanged and not yet handed on. */
typedef struct Feed {
        DataDecoder *decoder;
        const guint8 *run;
        const guint8 *at;
        const guint8 *end;
        const guint8
                *lf; /* first LF at or behind `at`, or end; looked for once, so that bare CRs cost no second look */
        DataSink sink;
        gpointer data;
} Feed;

static const Span NEWLINE = {(const guint8 *) "\r\n", 2};

void
data_init(DataDecoder *decoder, gboolean has_dots, gboolean normalise)
{
        *decoder = (DataDecoder){.state = DATA_LINE_START, .has_dots = has_dots, .normalise = normalise};
}

/* Hand on what is decided; what lies between `at` and `next` is dropped. */
static void
feed_flush(Feed *f, const guint8 *next)
{
        if (f->at > f->run)
                f->sink(span_make(f->run, (gsize) (f->at - f->run)), f->data);
        f->run = f->at = next;
}

/* A bare CR or LF at `at`. */
static void
feed_bare(Feed *f)
{
        f->decoder->has_bare = TRUE;
        if (!f->decoder->normalise) {
                f->at++;
                return;
        }
        feed_flush(f, f->at + 1);
        f->sink(NEWLINE, f->data);
}

/* A CR that was kept back turns out to be bare. */
static void
emit_bare_cr(DataDecoder *decoder, DataSink sink, gpointer data)
{
        decoder->has_bare = TRUE;
        sink(decoder->normalise ? NEWLINE : span_slice(NEWLINE, 0, 1), data);
}

/* `at` is at the start of a line (RFC 5321 §4.5.2). */
static void
feed_line_start(Feed *f)
{
        DataDecoder *d = f->decoder;

        if (!d->has_dots || *f->at != '.') {
                d->state = DATA_TEXT;
                return;
        }
        feed_flush(f, f->at + 1);
        d->state = DATA_DOT;
}

static void
feed_dot(Feed *f)
{
        if (*f->at != '\r') {
                f->decoder->state = DATA_TEXT; /* the dot was stuffing */
                return;
        }
        feed_flush(f, f->at + 1);
        f->decoder->state = DATA_DOT_CR;
}

static void
feed_dot_cr(Feed *f)
{
        if (*f->at == '\n') {
                feed_flush(f, f->at + 1);
                f->decoder->state = DATA_DONE;
                return;
        }
        emit_bare_cr(f->decoder, f->sink, f->data);
        f->decoder->state = DATA_TEXT;
}

static void
feed_cr(Feed *f)
{
        if (*f->at == '\n') {
                f->sink(NEWLINE, f->data);
                feed_flush(f, f->at + 1);
                f->decoder->state = DATA_LINE_START;
                return;
        }
        emit_bare_cr(f->decoder, f->sink, f->data);
        f->decoder->state = DATA_TEXT;
}

/* To the end of the line, or of the piece. */
static void
feed_text(Feed *f)
{
        if (f->lf == NULL || f->lf < f->at) {
                f->lf = memchr(f->at, '\n', (gsize) (f->end - f->at));
                if (f->lf == NULL)
                        f->lf = f->end;
        }

        const guint8 *cr = memchr(f->at, '\r', (gsize) (f->lf - f->at));
        if (cr == NULL) {
                f->at = f->lf;
                if (f->at < f->end)
                        feed_bare(f);
                return;
        }
        f->at = cr;
        if (cr + 1 == f->end) {
                feed_flush(f, cr + 1);
                f->decoder->state = DATA_CR;
        } else if (cr + 1 == f->lf) {
                f->at = cr + 2;
                f->decoder->state = DATA_LINE_START;
        } else {
                feed_bare(f);
        }
}

gsize
data_feed(DataDecoder *decoder, Span piece, DataSink sink, gpointer data)
{
        if (piece.len == 0)
                return 0;

        Feed f = {.decoder = decoder,
                  .run = piece.data,
                  .at = piece.data,
                  .end = piece.data + piece.len,
                  .sink = sink,
                  .data = data};

        while (f.at < f.end && decoder->state != DATA_DONE)
                switch (decoder->state) {
                case DATA_LINE_START:
                        feed_line_start(&f);
                        break;
                case DATA_DOT:
                        feed_dot(&f);
                        break;
                case DATA_DOT_CR:
                        feed_dot_cr(&f);
                        break;
                case DATA_TEXT:
                        feed_text(&f);
                        break;
                case DATA_CR:
                        feed_cr(&f);
                        break;
                case DATA_DONE:
                        break;
                }
        feed_flush(&f, f.at);
        return (gsize) (f.at - piece.data);
}

void
data_finish(DataDecoder *decoder, DataSink sink, gpointer data)
{
        if (decoder->state == DATA_CR)
                emit_bare_cr(decoder, sink, data);
        if (decoder->state == DATA_TEXT || (decoder->state == DATA_CR && !decoder->normalise))
                sink(NEWLINE, data);
        decoder->state = DATA_DONE;
}

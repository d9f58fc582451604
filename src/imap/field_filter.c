/* field_filter.c -- header fields by name, line by line. */
#include "imap/field_filter.h"

enum {
        AT_LINE = 0,     /* nothing of this line has been seen; the field before was kept, or ... */
        AT_LINE_DROPPED, /* ... was not */
        IN_NAME,         /* held: the line so far */
        KEEP,
        DROP,
        DONE,
};

void
field_filter_init(FieldFilter *f, const Span *names, gsize n_names, gboolean is_not)
{
        *f = (FieldFilter){.names = names, .n_names = n_names, .is_not = is_not, .state = AT_LINE_DROPPED};
}

gboolean
field_filter_is_done(const FieldFilter *f)
{
        return f->state == DONE;
}

/* RFC 5322 §4.5: white space may stand before the colon. */
static gboolean
is_wanted(const FieldFilter *f)
{
        Span name = {f->held, f->n_held};

        while (name.len > 0 && (name.data[name.len - 1] == ' ' || name.data[name.len - 1] == '\t'))
                name.len--;
        for (gsize i = 0; i < name.len; i++)
                if (name.data[i] <= 0x20 || name.data[i] >= 0x7f)
                        return FALSE; /* no field */
        if (name.len == 0)
                return FALSE;
        for (gsize i = 0; i < f->n_names; i++)
                if (span_equal_nocase(name, f->names[i]))
                        return !f->is_not;
        return f->is_not;
}

/* The line is decided: what was held is given or not. */
static gsize
decide(FieldFilter *f, gboolean is_kept, guint8 *out)
{
        gsize n = is_kept ? f->n_held : 0;

        memcpy(out, f->held, n);
        f->n_held = 0;
        f->state = is_kept ? KEEP : DROP;
        return n;
}

/* A line ended in what should have been a name: it was the empty one, or no field. */
static void
end_line_in_name(FieldFilter *f)
{
        gboolean is_empty = f->n_held == 0 || (f->n_held == 1 && f->held[0] == '\r');

        f->state = is_empty ? DONE : AT_LINE_DROPPED;
        f->n_held = 0;
}

/* One octet of a name; it was taken unless the state has changed to KEEP or DROP. */
static gsize
feed_name(FieldFilter *f, guint8 octet, guint8 *out)
{
        if (octet == ':')
                return decide(f, is_wanted(f), out);
        if (octet == '\n') {
                end_line_in_name(f);
                return 0;
        }
        if (f->n_held == sizeof(f->held))
                return decide(f, f->is_not, out); /* longer than any name that is asked for */
        f->held[f->n_held++] = octet;
        return 0;
}

static void
begin_line(FieldFilter *f, guint8 octet)
{
        gboolean is_continued = octet == ' ' || octet == '\t';

        if (!is_continued)
                f->state = IN_NAME;
        else
                f->state = f->state == AT_LINE ? KEEP : DROP;
}

/* The rest of a line, as far as it is there. */
static gsize
feed_rest(FieldFilter *f, Scan *in, guint8 *out)
{
        const guint8 *from = in->at;
        const guint8 *lf = memchr(from, '\n', scan_left(in));
        gsize len = lf != NULL ? (gsize) (lf - from) + 1 : scan_left(in);
        gboolean is_kept = f->state == KEEP;

        in->at += len;
        if (lf != NULL)
                f->state = is_kept ? AT_LINE : AT_LINE_DROPPED;
        if (is_kept)
                memcpy(out, from, len);
        return is_kept ? len : 0;
}

gsize
field_filter_feed(FieldFilter *f, Span piece, guint8 *out)
{
        Scan in = scan_from(piece);
        gsize n = 0;

        while (!scan_at_end(&in) && f->state != DONE) {
                if (f->state == AT_LINE || f->state == AT_LINE_DROPPED)
                        begin_line(f, *in.at);
                if (f->state == KEEP || f->state == DROP) {
                        n += feed_rest(f, &in, out + n);
                        continue;
                }
                n += feed_name(f, *in.at, out + n);
                if (f->state != KEEP && f->state != DROP)
                        in.at++;
        }
        return n;
}

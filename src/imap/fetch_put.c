/* fetch_put.c -- items of FETCH that need no reading of the message.
 *
 * Answers have thousands of these, a few octets each: what is short goes into the output together.
 */
#include "imap/fetch.h"

#define HEAD_OCTETS 40  /* "* 4294967295 UIDFETCH (" */
#define SHORT_OCTETS 48 /* a short item with its label, and "\\Recent "; but for its other flags */
#define LABEL_MAX 4096  /* a longer one is written by itself */

static void
put_span(gpointer to, Span piece)
{
        imap_put_span(to, piece);
}

static guint8 *
write_label(guint8 *at, FetchTask *t, Span label)
{
        if (t->has_put)
                *at++ = ' ';
        t->has_put = TRUE;
        at = imap_write_span(at, label);
        *at++ = ' ';
        return at;
}

void
imap_fetch_put_label(ImapSession *s, FetchTask *t, Span label)
{
        if (t->has_put)
                imap_put(s, " ");
        t->has_put = TRUE;
        imap_put_span(s, label);
        imap_put(s, " ");
}

/* Summaries ------------------------------------------------------------------------------------------------------- */

gboolean
imap_fetch_need_summary(ImapSession *s, FetchTask *t)
{
        if (t->has_summary)
                return TRUE;
        if (t->cursor == NULL)
                t->cursor = store_summary_cursor(imap_store(s), t->items.summary);
        t->has_summary = summary_cursor_get(t->cursor, t->view, t->index, &t->summary, imap_fetch_error(t));
        return t->has_summary;
}

static gboolean
put_structure(ImapSession *s, FetchTask *t, gboolean is_extended)
{
        if (!imap_fetch_need_summary(s, t))
                return FALSE;
        if (summary_write_bodystructure(t->summary.structure, is_extended, put_span, s))
                return TRUE;
        if (t->error == NULL)
                (void) fault(&t->error, FAULT_INTERNAL, "structure of a message can't be read");
        return FALSE;
}

/* When its summary can't be read the message is shown as octets that nobody knows, so that it can still be fetched and
 * removed. */
static void
put_body(ImapSession *s, FetchTask *t, gboolean is_extended)
{
        if (put_structure(s, t, is_extended))
                return;
        imap_put(s, "(\"application\" \"octet-stream\" NIL NIL NIL \"binary\" ");
        imap_put_number(s, view_entry(t->view, t->index)->size);
        imap_put(s, ")");
}

static void
put_envelope(ImapSession *s, FetchTask *t)
{
        if (imap_fetch_need_summary(s, t) && t->summary.envelope.len > 0)
                imap_put_span(s, t->summary.envelope);
        else
                imap_put(s, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
}

static void
put_preview(ImapSession *s, FetchTask *t)
{
        if (imap_fetch_need_summary(s, t))
                imap_put_string(s, t->summary.preview);
        else
                imap_put(s, "NIL");
}

/* Fields ---------------------------------------------------------------------------------------------------------- */

/* Those of the prefix come first. */
static FieldsAnswer
find_fields(const FetchTask *t, const Section *section, FoundFields *found)
{
        SummaryCut cuts[COPY_CUTS_MAX];
        guint n = MIN(t->summary.n_cuts, COPY_CUTS_MAX);

        for (guint i = 0; i < n; i++)
                cuts[i] = (SummaryCut){t->summary.cuts[i].offset, t->summary.cuts[i].len};
        if (!lines_find_fields(t->summary.prefix, &section->fields, found))
                return FIELDS_UNKNOWN;
        return summary_find_fields(t->summary.fields, &section->fields, cuts, n, found);
}

/* The octets [from, from + left) of the fields, behind each other. */
static guint8 *
write_window(guint8 *at, const FoundFields *found, guint64 from, guint64 left)
{
        for (guint i = 0; i < found->n && left > 0; i++) {
                Span shown = found->fields[i];
                gsize skipped = (gsize) MIN(from, shown.len);
                shown = span_slice(shown, skipped, skipped + (gsize) MIN(left, shown.len - skipped));
                from -= skipped;
                left -= shown.len;
                at = imap_write_span(at, shown);
        }
        return at;
}

static guint8 *
write_fields(guint8 *at, const FoundFields *found)
{
        for (guint i = 0; i < found->n; i++)
                at = imap_write_span(at, found->fields[i]);
        return at;
}

/* RFC 9051 §6.4.5.1: the empty line is part of it. */
static void
put_found(ImapSession *s, FetchTask *t, const FetchItem *item, FoundFields *found)
{
        Span label = item->label;
        guint64 from = item->has_partial ? MIN(item->from, found->octets + 2) : 0;
        guint64 left = found->octets + 2 - from;

        found->fields[found->n++] = span_make("\r\n", 2);
        if (item->has_partial)
                left = MIN(left, item->count);
        if (label.len > LABEL_MAX) {
                imap_fetch_put_label(s, t, label);
                label = SPAN_EMPTY;
        }
        gsize room = label.len + 2 + IMAP_NUMBER_OCTETS + 4 + (gsize) left;
        guint8 *start = stream_reserve(s->session.stream, room), *at = start;
        if (start == NULL)
                return;
        if (label.len > 0)
                at = write_label(at, t, label);
        *at++ = '{';
        at = imap_write_number(at, left);
        at = imap_write_span(at, span_make("}\r\n", 3));
        guint8 *literal = at;
        at = item->has_partial ? write_window(at, found, from, left) : write_fields(at, found);
        imap_replace_nuls(literal, (gsize) (at - literal));
        stream_commit(s->session.stream, (gsize) (at - start));
}

gboolean
imap_fetch_put_known_fields(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        const Section *section = &item->section;
        FoundFields found;

        found.n = 0;
        found.octets = 0;
        if (section->n_path > 0 || !section->has_names || section->is_not || !imap_fetch_need_summary(s, t) ||
            find_fields(t, section, &found) != FIELDS_KNOWN || found.n == FOUND_FIELDS_MAX)
                return FALSE;
        put_found(s, t, item, &found);
        return TRUE;
}

/* Short items ------------------------------------------------------------------------------------------------------ */

gboolean
imap_fetch_is_short(FetchKind kind)
{
        return kind <= FETCH_SAVEDATE && kind != FETCH_EMAILID;
}

static guint8 *
write_modseq(guint8 *at, guint64 modseq)
{
        *at++ = '(';
        at = imap_write_number(at, modseq);
        *at++ = ')';
        return at;
}

/* What short items are of. */
typedef struct ShortSource {
        const View *view;
        const ViewEntry *entry;
        guint64 flags;
        gboolean is_recent;
} ShortSource;

static ShortSource
short_source(const ImapSession *s, const FetchTask *t)
{
        const ViewEntry *entry = view_entry(t->view, t->index);

        return (ShortSource){t->view, entry, view_flags(t->view, t->index), imap_is_recent(s, entry->uid)};
}

static guint8 *
write_short(guint8 *at, const ShortSource *from, FetchKind kind)
{
        const ViewEntry *entry = from->entry;

        switch (kind) {
        case FETCH_UID:
                return imap_write_number(at, entry->uid);
        case FETCH_FLAGS:
                return imap_write_entry_flags(at, from->view, from->flags, from->is_recent);
        case FETCH_INTERNALDATE:
                return imap_write_date_time(at, entry->received);
        case FETCH_SIZE:
                return imap_write_number(at, entry->size);
        case FETCH_MODSEQ:
                return write_modseq(at, entry->modseq);
        case FETCH_SAVEDATE:
                return imap_write_date_time(at, entry->saved);
        case FETCH_THREADID: /* RFC 8474 §5.2: NIL where there are none */
                return imap_write_span(at, span_make("NIL", 3));
        default:
                g_assert_not_reached();
        }
}

static guint8 *
write_head(guint8 *at, const ImapSession *s, const FetchTask *t, guint32 uid)
{
        gboolean is_uidonly = (s->enabled & IMAP_ENABLED_UIDONLY) != 0;

        at = imap_write_span(at, span_make("* ", 2));
        at = imap_write_number(at, is_uidonly ? uid : t->index + 1);
        return imap_write_span(at, is_uidonly ? span_of(" UIDFETCH (") : span_of(" FETCH ("));
}

/* Items from t->item on that are short. Each is there once, however often it was asked for (fetch_item.c). */
static gsize
count_short(const FetchTask *t)
{
        gsize n = 0;

        while (t->item + n < t->items.n && imap_fetch_is_short(t->items.items[t->item + n].kind))
                n++;
        return n;
}

/* Their labels are words of ours. */
void
imap_fetch_put_short(ImapSession *s, FetchTask *t)
{
        const FetchItem *items = t->items.items + t->item;
        gsize n = count_short(t);
        const ShortSource from = short_source(s, t);
        gsize room = HEAD_OCTETS + n * SHORT_OCTETS + imap_flags_octets(from.flags);
        guint8 *start = stream_reserve(s->session.stream, room), *at = start;

        t->item += n;
        if (start == NULL)
                return;
        if (!t->is_begun)
                at = write_head(at, s, t, from.entry->uid);
        for (gsize i = 0; i < n; i++) {
                at = write_label(at, t, items[i].label);
                at = write_short(at, &from, items[i].kind);
        }
        g_assert((gsize) (at - start) <= room);
        stream_commit(s->session.stream, (gsize) (at - start));
}

/* Items ------------------------------------------------------------------------------------------------------------ */

static void
put_short(ImapSession *s, FetchTask *t, FetchKind kind)
{
        const ShortSource from = short_source(s, t);
        guint8 *at = stream_reserve(s->session.stream, SHORT_OCTETS + imap_flags_octets(from.flags));

        if (at != NULL)
                stream_commit(s->session.stream, (gsize) (write_short(at, &from, kind) - at));
}

static void
put_emailid(ImapSession *s, FetchTask *t)
{
        char id[EMAILID_OCTETS];

        if (!store_emailid(imap_store(s), t->view, t->index, id, imap_fetch_error(t))) {
                imap_put(s, "NIL");
                return;
        }
        imap_put(s, "(");
        imap_put(s, id);
        imap_put(s, ")");
}

void
imap_fetch_put_item(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        imap_fetch_put_label(s, t, item->label);
        switch (item->kind) {
        case FETCH_UID:
        case FETCH_FLAGS:
        case FETCH_INTERNALDATE:
        case FETCH_SIZE:
        case FETCH_MODSEQ:
        case FETCH_THREADID:
        case FETCH_SAVEDATE:
                put_short(s, t, item->kind);
                break;
        case FETCH_EMAILID:
                put_emailid(s, t);
                break;
        case FETCH_PREVIEW:
                put_preview(s, t);
                break;
        case FETCH_ENVELOPE:
                put_envelope(s, t);
                break;
        case FETCH_BODY:
        case FETCH_BODYSTRUCTURE:
                put_body(s, t, item->kind == FETCH_BODYSTRUCTURE);
                break;
        case FETCH_SECTION:
        case FETCH_BINARY:
        case FETCH_BINARY_SIZE:
                g_assert_not_reached();
        }
}

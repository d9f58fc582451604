/* fetch_put.c -- items of FETCH that need no reading of the message. */
#include "imap/fetch.h"

static void
put_span(gpointer to, Span piece)
{
        imap_put_span(to, piece);
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

static void
gather_field(gpointer to, Span piece)
{
        g_byte_array_append(to, piece.data, (guint) piece.len);
}

/* Those of the prefix come first; it has no empty line (blob/copy.h). */
static void
gather_prefix(FetchTask *t, const Section *section)
{
        guint8 out[COPY_PREFIX_MAX + FIELD_FILTER_HELD_MAX];
        Span prefix = span_slice(t->summary.prefix, 0, COPY_PREFIX_MAX);
        FieldFilter filter;

        if (prefix.len == 0)
                return;
        field_filter_init(&filter, section->names, section->n_names, section->is_not);
        g_byte_array_append(t->fields, out, (guint) field_filter_feed(&filter, prefix, out));
}

static FieldsAnswer
gather_fields(FetchTask *t, const Section *section)
{
        SummaryCut cuts[COPY_CUTS_MAX];
        guint n = MIN(t->summary.n_cuts, COPY_CUTS_MAX);

        for (guint i = 0; i < n; i++)
                cuts[i] = (SummaryCut){t->summary.cuts[i].offset, t->summary.cuts[i].len};
        if (t->fields == NULL)
                t->fields = g_byte_array_new();
        g_byte_array_set_size(t->fields, 0);
        gather_prefix(t, section);
        return summary_write_fields(t->summary.fields, section->names, section->n_names, section->is_not, cuts, n,
                                    gather_field, t->fields);
}

gboolean
imap_fetch_put_known_fields(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        const Section *section = &item->section;

        if (section->n_path > 0 || !section->has_names || section->is_not || !imap_fetch_need_summary(s, t) ||
            gather_fields(t, section) != FIELDS_KNOWN)
                return FALSE;
        g_byte_array_append(t->fields, (const guint8 *) "\r\n", 2); /* RFC 9051 §6.4.5.1: the empty line */
        Span all = span_make(t->fields->data, t->fields->len);
        imap_fetch_put_label(s, t, item->label);
        imap_put_literal(s, item->has_partial ? span_slice(span_slice(all, item->from, all.len), 0, item->count) : all,
                         FALSE);
        return TRUE;
}

/* Items ----------------------------------------------------------------------------------------------------------- */

const View *
imap_fetch_newest(const FetchTask *t, guint32 index, guint32 *ret_index)
{
        *ret_index = index;
        if (t->now == t->view)
                return t->view;
        guint32 uid = view_entry(t->view, index)->uid, now = view_index_of(t->now, uid);
        if (now >= view_count(t->now) || view_entry(t->now, now)->uid != uid)
                return t->view;
        *ret_index = now;
        return t->now;
}

static void
put_flags(ImapSession *s, FetchTask *t)
{
        guint32 index;
        const View *view = imap_fetch_newest(t, t->index, &index);

        imap_put_flags(s, view, view_flags(view, index));
}

static void
put_modseq(ImapSession *s, FetchTask *t)
{
        guint32 index;
        const View *view = imap_fetch_newest(t, t->index, &index);

        imap_put(s, "(");
        imap_put_number(s, view_entry(view, index)->modseq);
        imap_put(s, ")");
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
        const ViewEntry *entry = view_entry(t->view, t->index);

        imap_fetch_put_label(s, t, item->label);
        switch (item->kind) {
        case FETCH_UID:
                imap_put_number(s, entry->uid);
                break;
        case FETCH_FLAGS:
                put_flags(s, t);
                break;
        case FETCH_INTERNALDATE:
                imap_put_date_time(s, entry->received);
                break;
        case FETCH_SIZE:
                imap_put_number(s, entry->size);
                break;
        case FETCH_MODSEQ:
                put_modseq(s, t);
                break;
        case FETCH_EMAILID:
                put_emailid(s, t);
                break;
        case FETCH_THREADID: /* RFC 8474 §5.2: NIL where there are none */
                imap_put(s, "NIL");
                break;
        case FETCH_SAVEDATE:
                imap_put_date_time(s, entry->saved);
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

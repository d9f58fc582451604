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

/* RFC 9051 §6.4.5.1: the empty line is part of it. */
static void
put_found(ImapSession *s, const FetchItem *item, FoundFields *found)
{
        guint64 from = 0, left = G_MAXUINT64;

        found->fields[found->n++] = span_make("\r\n", 2);
        found->octets += 2;
        if (item->has_partial) {
                from = MIN(item->from, found->octets);
                left = item->count;
        }
        left = MIN(left, found->octets - from);
        imap_put_literal_head(s, left, FALSE);
        for (guint i = 0; i < found->n; i++) {
                Span shown =
                        span_slice(found->fields[i], (gsize) MIN(from, found->fields[i].len), found->fields[i].len);
                from -= found->fields[i].len - shown.len;
                shown.len = (gsize) MIN(shown.len, left);
                left -= shown.len;
                imap_put_without_nuls(s, shown);
        }
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
        imap_fetch_put_label(s, t, item->label);
        put_found(s, item, &found);
        return TRUE;
}

/* Items ----------------------------------------------------------------------------------------------------------- */

static void
put_modseq(ImapSession *s, FetchTask *t)
{
        imap_put(s, "(");
        imap_put_number(s, view_entry(t->view, t->index)->modseq);
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
                imap_put_entry_flags(s, t->view, t->index);
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

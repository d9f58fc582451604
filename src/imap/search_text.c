/* search_text.c -- what a test wants to know of one message. The summary answers nearly always; the header is read when
 * it does not know a field, or is damaged. */
#include "imap/find.h"

#include "mail/message.h"
#include "mail/text.h"

#define SCRATCH_MAX ((gsize) 8 * 1024 * 1024) /* a header of 1 MiB, its structure, its summary */
#define HEADER_READ_MAX (MESSAGE_HEADER_MAX + (gsize) 64 * 1024)
#define CUTS_MAX 32
#define PLAIN_MAX 512 /* octets of a field that is folded the short way */

void
find_message_init(FindMessage *m, Store *store, View *view, guint sections)
{
        *m = (FindMessage){.store = store, .view = view_ref(view)};
        m->cursor = store_summary_cursor(store, sections);
        m->scratch = arena_new(SCRATCH_MAX);
}

void
find_message_done(FindMessage *m)
{
        g_clear_pointer(&m->view, view_unref);
        g_clear_pointer(&m->cursor, summary_cursor_free);
        g_clear_pointer(&m->scratch, arena_free);
}

void
find_message_rest(FindMessage *m)
{
        summary_cursor_rest(m->cursor);
        arena_reset(m->scratch);
        m->has_summary = m->has_header = FALSE;
}

void
find_message_at(FindMessage *m, guint32 index)
{
        if (m->has_summary || m->has_header)
                arena_reset(m->scratch);
        m->index = index;
        m->has_summary = m->has_header = FALSE;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

/* Whether it is only this message that can't be read: gone, damaged. Otherwise the search ends. */
static gboolean
is_only_this(GError **error)
{
        return error != NULL && g_error_matches(*error, RESTANTE_ERROR, FAULT_INTERNAL);
}

/* FALSE: could not look, or (without an error) there is nothing to look at. */
static gboolean
get_summary(FindMessage *m, GError **error)
{
        GError *why = NULL;

        if (m->has_summary)
                return TRUE;
        if (summary_cursor_get(m->cursor, m->view, m->index, &m->summary, &why)) {
                m->has_summary = TRUE;
                return TRUE;
        }
        if (is_only_this(&why))
                g_clear_error(&why);
        else
                g_propagate_error(error, why);
        return FALSE;
}

static gboolean
read_header(FindMessage *m, GError **error)
{
        g_autoptr(StoredMessage) message = NULL;

        if (!store_message_of(m->store, m->view, m->index, &message, error))
                return FALSE;
        gsize size = MIN(stored_message_header_size(message), HEADER_READ_MAX), have = 0;
        guint8 *octets = arena_alloc(m->scratch, MAX(size, 1));
        if (octets == NULL)
                return fault(error, FAULT_INTERNAL, "header too large");
        while (have < size) {
                gssize n = stored_message_read(message, have, octets + have, size - have, error);
                if (n < 0)
                        return FALSE;
                if (n == 0)
                        break;
                have += (gsize) n;
        }
        m->header = span_make(octets, have);
        m->has_header = TRUE;
        return TRUE;
}

/* As get_summary(). */
static gboolean
get_header(FindMessage *m, GError **error)
{
        GError *why = NULL;

        if (m->has_header || read_header(m, &why))
                return TRUE;
        if (is_only_this(&why))
                g_clear_error(&why);
        else
                g_propagate_error(error, why);
        return FALSE;
}

/* Fields ----------------------------------------------------------------------------------------------------------- */

static gboolean
contains(Span text, Span needle)
{
        return needle.len == 0 ||
               (text.len >= needle.len && memmem(text.data, text.len, needle.data, needle.len) != NULL);
}

/* What decoding and folding make of a body of plain words on one line, which most are. FALSE: it is no such. */
static gboolean
fold_plain(Span body, guint8 *ret)
{
        for (gsize i = 0; i < body.len; i++) {
                guint8 octet = body.data[i];
                if (octet < 0x20 || octet > 0x7e || (octet == '=' && i + 1 < body.len && body.data[i + 1] == '?') ||
                    (octet == ' ' && i + 1 < body.len && body.data[i + 1] == ' '))
                        return FALSE;
                ret[i] = octet_lower(octet);
        }
        return TRUE;
}

/* Decoded and folded text of a field's body (RFC 9051 §6.4.4, HEADER; an empty needle: there is a field). */
static gboolean
body_contains(Arena *arena, Span body, Span needle)
{
        guint8 plain[PLAIN_MAX];

        body = span_trim(body);
        if (needle.len == 0)
                return TRUE;
        if (body.len <= sizeof(plain) && fold_plain(body, plain))
                return contains(span_make(plain, body.len), needle);
        return contains(text_fold(arena, header_decode(arena, body), HEADER_DECODED_MAX), needle);
}

static gboolean
fields_contain(Arena *arena, const FoundFields *found, Span needle)
{
        for (guint i = 0; i < found->n; i++) {
                Span field = found->fields[i];
                const guint8 *colon = memchr(field.data, ':', field.len);
                if (colon != NULL &&
                    body_contains(arena, span_slice(field, (gsize) (colon - field.data) + 1, field.len), needle))
                        return TRUE;
        }
        return FALSE;
}

static gboolean
header_contains(Arena *arena, Span octets, const FindLeaf *leaf)
{
        Header header;

        if (octets.len == 0 || !header_parse(arena, octets, &header))
                return FALSE;
        for (gsize i = 0; i < header.n_fields; i++) {
                const Field *field = &header.fields[i];
                if (span_equal_nocase(header_field_name(&header, field), leaf->name) &&
                    body_contains(arena, header_field_body(&header, field), leaf->text))
                        return TRUE;
        }
        return FALSE;
}

/* FALSE: the summary does not know. */
static gboolean
find_fields(const FindMessage *m, const FindLeaf *leaf, FoundFields *found)
{
        SummaryCut cuts[CUTS_MAX];
        guint n = MIN(m->summary.n_cuts, CUTS_MAX);

        for (guint i = 0; i < n; i++)
                cuts[i] = (SummaryCut){m->summary.cuts[i].offset, m->summary.cuts[i].len};
        found->n = 0;
        found->octets = 0;
        return lines_find_fields(m->summary.prefix, &leaf->field, found) &&
               summary_find_fields(m->summary.fields, &leaf->field, cuts, n, found) == FIELDS_KNOWN;
}

/* A fault comes back as an error that is set. */
static gboolean
test_field(FindMessage *m, const FindLeaf *leaf, GError **error)
{
        FoundFields found;

        if (!get_summary(m, error))
                return FALSE;
        if (find_fields(m, leaf, &found))
                return fields_contain(m->scratch, &found, leaf->text);
        return get_header(m, error) && header_contains(m->scratch, m->header, leaf);
}

/* Keys ------------------------------------------------------------------------------------------------------------- */

/* From the header, as at delivery. */
static gboolean
make_keys(FindMessage *m, SummaryKeys *ret, GError **error)
{
        Structure structure;
        Summary summary;

        return get_header(m, error) && message_parse(m->scratch, m->header, &structure) &&
               summary_make(m->scratch, m->header, &structure, &summary) && summary_keys_get(summary.keys, ret);
}

gboolean
find_message_keys(FindMessage *m, SummaryKeys *ret, GError **error)
{
        GError *why = NULL;

        if (get_summary(m, &why) && (summary_keys_get(m->summary.keys, ret) || make_keys(m, ret, &why)))
                return TRUE;
        if (why != NULL) {
                g_propagate_error(error, why);
                return FALSE;
        }
        *ret = (SummaryKeys){0};
        return TRUE;
}

/* Days are compared as the sender wrote them, whatever his zone (RFC 9051 §6.4.4, SENTON). */
static gboolean
test_sent(FindMessage *m, const FindLeaf *leaf, GError **error)
{
        SummaryKeys keys;

        if (!find_message_keys(m, &keys, error) || !keys.has_date)
                return FALSE;
        Usec local = keys.date + keys.zone * USEC_PER_MINUTE;
        return local >= leaf->from && local <= leaf->to;
}

static gboolean
test_emailid(FindMessage *m, const FindLeaf *leaf, GError **error)
{
        char id[EMAILID_OCTETS];
        GError *why = NULL;

        if (store_emailid(m->store, m->view, m->index, id, &why))
                return span_equal(leaf->text, span_of(id));
        if (is_only_this(&why))
                g_clear_error(&why);
        else
                g_propagate_error(error, why);
        return FALSE;
}

gboolean
find_message_test(FindMessage *m, const FindLeaf *leaf, gboolean *ret, GError **error)
{
        GError *why = NULL;
        gboolean is_true = FALSE;

        switch (leaf->test) {
        case FIND_SENT:
                is_true = test_sent(m, leaf, &why);
                break;
        case FIND_EMAILID:
                is_true = test_emailid(m, leaf, &why);
                break;
        case FIND_FIELD:
                is_true = test_field(m, leaf, &why);
                break;
        default:
                g_assert_not_reached();
        }
        if (why != NULL) {
                g_propagate_error(error, why);
                return FALSE;
        }
        *ret = is_true;
        return TRUE;
}

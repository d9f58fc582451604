/* summaries.c -- what is computed once of a message: made at delivery, and kept in the row of its body until it is
 * packed.
 *
 * Stored form: format (2), the lengths of envelope, structure, fields and keys (varints), the four, the preview, and at
 * last the XXH3 of all before it (64 bits, little-endian). Format 1 had no checksum.
 */
#include "store/internal.h"

#include "base/scan.h"
#include "mail/message.h"
#include "mail/summary.h"

#include <xxhash.h>

#define SUMMARY_FORMAT 2
#define SUMMARY_UNCHECKED 1 /* as it was written before */
#define CHECKSUM_OCTETS 8
#define WORK_OCTETS (8 * 1024 * 1024)            /* for one message: its structure and what is made of it */
#define MESSAGE_OCTETS_MAX ((guint64) 256 << 20) /* a longer one is not read for its summary */
#define SECTIONS 4

/* The stored form -------------------------------------------------------------------------------------------------- */

static gsize
put_varint(guint8 *at, guint64 value)
{
        gsize n = 0;

        for (; value >= 0x80; value >>= 7)
                at[n++] = (guint8) (value | 0x80);
        at[n++] = (guint8) value;
        return n;
}

static Span
summary_encode(Arena *arena, const Summary *summary)
{
        const Span *sections[SECTIONS] = {&summary->envelope, &summary->structure, &summary->fields, &summary->keys};
        guint8 head[1 + SECTIONS * 10] = {SUMMARY_FORMAT};
        gsize n = 1, len = summary->preview.len;

        for (guint i = 0; i < SECTIONS; i++) {
                n += put_varint(head + n, sections[i]->len);
                len += sections[i]->len;
        }
        guint8 *octets = arena_alloc(arena, n + len + CHECKSUM_OCTETS);
        if (octets == NULL)
                return SPAN_EMPTY;
        memcpy(octets, head, n);
        guint8 *at = octets + n;
        for (guint i = 0; i <= SECTIONS; i++) {
                const Span *part = i < SECTIONS ? sections[i] : &summary->preview;
                if (part->len > 0)
                        memcpy(at, part->data, part->len);
                at += part->len;
        }
        guint64 checksum = GUINT64_TO_LE(XXH3_64bits(octets, n + len));
        memcpy(at, &checksum, sizeof(checksum));
        return span_make(octets, n + len + CHECKSUM_OCTETS);
}

Span
store_summarise(Arena *arena, Span message)
{
        g_autoptr(Arena) work = arena_new(WORK_OCTETS);
        Structure structure;
        Summary summary;

        if (!message_parse(work, message, &structure) || !summary_make(work, message, &structure, &summary))
                return SPAN_EMPTY;
        return summary_encode(arena, &summary);
}

/* What stands between the format and the checksum. */
static gboolean
summary_open(Span stored, Scan *ret)
{
        guint64 checksum;
        Span content;

        if (stored.len > 0 && stored.data[0] == SUMMARY_UNCHECKED) {
                *ret = scan_from(span_slice(stored, 1, stored.len));
                return TRUE;
        }
        Scan s = scan_from(stored);
        if (stored.len <= CHECKSUM_OCTETS || stored.data[0] != SUMMARY_FORMAT ||
            !scan_take(&s, stored.len - CHECKSUM_OCTETS, &content) || !scan_u64(&s, &checksum) ||
            checksum != XXH3_64bits(content.data, content.len))
                return FALSE;
        *ret = scan_from(span_slice(content, 1, content.len));
        return TRUE;
}

gboolean
summary_decode(Span stored, StoredSummary *ret)
{
        Span *sections[SECTIONS] = {&ret->envelope, &ret->structure, &ret->fields, &ret->keys};
        guint64 lengths[SECTIONS];
        Scan s;

        if (!summary_open(stored, &s))
                return FALSE;
        for (guint i = 0; i < SECTIONS; i++)
                if (!scan_varint(&s, stored.len, &lengths[i]))
                        return FALSE;
        for (guint i = 0; i < SECTIONS; i++)
                if (!scan_take(&s, (gsize) lengths[i], sections[i]))
                        return FALSE;
        ret->preview = scan_rest(&s);
        return TRUE;
}

/* One that can't be summarised has none: *ret is empty. */
gboolean
summary_of_body(Store *store, Arena *arena, gint64 body, Span *ret, GError **error)
{
        g_autoptr(BlobBody) opened = blob_body_open(store->blob, body, error);

        if (opened == NULL)
                return FALSE;
        guint64 size = blob_body_size(opened);
        g_autofree guint8 *octets = size <= MESSAGE_OCTETS_MAX ? g_try_malloc((gsize) size + 1) : NULL;
        *ret = SPAN_EMPTY;
        if (octets == NULL)
                return TRUE;
        if (!blob_body_read(opened, 0, octets, (gsize) size, error))
                return FALSE;
        *ret = store_summarise(arena, span_make(octets, (gsize) size));
        return TRUE;
}

gboolean
summary_make_again(Store *store, Arena *arena, gint64 body, StoredSummary *ret, GError **error)
{
        Span stored;

        if (!summary_of_body(store, arena, body, &stored, error))
                return FALSE;
        return stored.len == 0 || summary_decode(stored, ret) ||
               fault(error, FAULT_INTERNAL, "a summary just made can't be read");
}

/* EMAILID ---------------------------------------------------------------------------------------------------------- */

/* 64 bits as 13 letters of base 32. */
static char *
put_letters(char *at, guint64 value)
{
        for (int i = 12; i >= 0; i--, value >>= 5)
                at[i] = "0123456789abcdefghjkmnpqrstvwxyz"[value & 31];
        return at + 13;
}

gboolean
store_emailid(Store *store, const View *view, guint32 index, char ret[EMAILID_OCTETS], GError **error)
{
        g_autoptr(SummaryCursor) cursor = store_summary_cursor(store, SUMMARY_COPY);
        StoredSummary copy;

        if (!summary_cursor_get(cursor, view, index, &copy, error))
                return FALSE;
        guint64 differs = XXH64(copy.prefix.data, copy.prefix.len, 0);
        for (guint i = 0; i < copy.n_cuts; i++)
                differs = XXH64(&copy.cuts[i], sizeof(Cut), differs);
        char *at = ret;
        *at++ = 'M';
        at = put_letters(at, (guint64) view_entry(view, index)->body);
        at = put_letters(at, differs);
        *at = '\0';
        return TRUE;
}

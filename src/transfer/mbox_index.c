/* mbox_index.c -- where the messages of an mbox file begin and end.
 *
 * A message begins with a From_ line at the beginning of the file or behind an empty line. Content-Length is believed
 * when behind so many octets the file ends or another From_ line follows, with at most two empty lines between (mboxcl,
 * mboxcl2). The key of a message is a checksum of its octets without the fields that programs change, and of how many
 * equal ones are before it: it stays when others are removed from the file.
 */
#include "transfer/internal.h"

#include <xxhash.h>

static gboolean
is_from_line(Span line)
{
        Usec date;

        return line.len <= MBOX_LINE_MAX && mbox_from_line(line, &date);
}

/* Believing Content-Length ----------------------------------------------------------------------------------------- */

/* Does the file end at `end`, or does a From_ line follow? The cursor stands before it then. */
static gboolean
ends_well(MboxCursor *c, guint64 end)
{
        gboolean is_whole;
        Span line;
        guint8 last;

        if (c->read(end, &last, 1, c->data) == 0)
                return end == 0 || c->read(end - 1, &last, 1, c->data) == 1;
        mbox_cursor_seek(c, end);
        for (guint i = 0; i < 3; i++) {
                guint64 before = mbox_cursor_place(c);
                if (!mbox_cursor_line(c, &line, &is_whole))
                        return TRUE;
                if (is_from_line(line)) {
                        mbox_cursor_seek(c, before);
                        return TRUE;
                }
                if (!mbox_is_empty_line(line))
                        return FALSE;
        }
        return FALSE;
}

/* Is there a From_ line in the body that nobody quoted? */
static gboolean
has_bare_from(MboxCursor *c, guint64 from, guint64 end)
{
        gboolean is_whole = TRUE, was_whole = TRUE;
        Span line;

        mbox_cursor_seek(c, from);
        while (mbox_cursor_place(c) < end && mbox_cursor_line(c, &line, &is_whole)) {
                if (was_whole && line.len >= 5 && memcmp(line.data, "From ", 5) == 0)
                        return TRUE;
                was_whole = is_whole;
        }
        return FALSE;
}

/* Keys ------------------------------------------------------------------------------------------------------------- */

static void
make_key(MboxCursor *c, MboxEntry *entry, Span header, GHashTable *counts)
{
        g_autoptr(GByteArray) kept = g_byte_array_new();
        XXH3_state_t *state = XXH3_createState();
        guint64 at = entry->body;
        MboxMeta meta;
        Span some;

        mbox_meta_parse(header, &meta, kept);
        mbox_meta_done(&meta);
        XXH3_128bits_reset(state);
        XXH3_128bits_update(state, kept->data, kept->len);
        while (at < entry->end) {
                mbox_cursor_seek(c, at);
                if (!mbox_cursor_some(c, entry->end - at, &some))
                        break;
                XXH3_128bits_update(state, some.data, some.len);
                at += some.len;
        }
        XXH128_hash_t hash = XXH3_128bits_digest(state);
        XXH3_freeState(state);
        g_autofree char *text = g_strdup_printf("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
                                                (guint64) hash.high64, (guint64) hash.low64);
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, text)) + 1;
        if (n > 1)
                g_snprintf(entry->key, sizeof(entry->key), "%s#%u", text, n);
        else
                g_strlcpy(entry->key, text, sizeof(entry->key));
        g_hash_table_insert(counts, g_steal_pointer(&text), GUINT_TO_POINTER(n));
}

/* Messages --------------------------------------------------------------------------------------------------------- */

/* The header, up to the empty line, which is passed over. A From_ line ends it too: the message has no body then. */
static void
read_header(MboxCursor *c, MboxEntry *entry, GByteArray *header)
{
        gboolean is_whole = TRUE, was_whole = TRUE, is_gathering = TRUE;
        Span line;

        g_byte_array_set_size(header, 0);
        entry->header = mbox_cursor_place(c);
        for (;;) {
                guint64 before = entry->header_end = mbox_cursor_place(c);

                if (!mbox_cursor_line(c, &line, &is_whole) || (was_whole && mbox_is_empty_line(line)))
                        break;
                if (was_whole && header->len == 0 && is_from_line(line) && before == entry->header) {
                        mbox_cursor_seek(c, before);
                        break;
                }
                is_gathering &= header->len + line.len <= MBOX_HEADER_MAX;
                if (is_gathering)
                        g_byte_array_append(header, line.data, (guint) line.len);
                was_whole = is_whole;
        }
        entry->body = mbox_cursor_place(c);
}

/* To the next From_ line behind an empty line, or the end. */
static void
find_end(MboxCursor *c, MboxEntry *entry)
{
        gboolean is_whole = TRUE, was_whole = TRUE, was_empty = TRUE;
        guint64 empty_at = entry->body; /* where the empty line before began */
        Span line;

        for (;;) {
                guint64 before = mbox_cursor_place(c);

                if (!mbox_cursor_line(c, &line, &is_whole)) {
                        entry->end = was_empty ? MAX(empty_at, entry->body) : before;
                        return;
                }
                if (was_whole && was_empty && is_from_line(line)) {
                        entry->end = MAX(empty_at, entry->body);
                        mbox_cursor_seek(c, before);
                        return;
                }
                was_empty = was_whole && mbox_is_empty_line(line);
                empty_at = before;
                was_whole = is_whole;
        }
}

static void
find_body(MboxCursor *c, MboxEntry *entry, Span header)
{
        MboxMeta meta;

        mbox_meta_parse(header, &meta, NULL);
        gint64 length = meta.octets < 0 ? meta.content_length : -1;
        mbox_meta_done(&meta);
        if (length >= 0 && (guint64) length < (guint64) G_MAXINT64 - entry->body &&
            ends_well(c, entry->body + (guint64) length)) {
                guint64 behind = mbox_cursor_place(c);
                entry->end = entry->body + (guint64) length;
                entry->is_unquoted = has_bare_from(c, entry->body, entry->end);
                mbox_cursor_seek(c, MAX(behind, entry->end));
                return;
        }
        mbox_cursor_seek(c, entry->body);
        find_end(c, entry);
}

/* FALSE: no more. */
static gboolean
next_message(MboxCursor *c, MboxEntry *entry, GByteArray *header, GHashTable *counts)
{
        gboolean is_whole;
        Span line;

        *entry = (MboxEntry){0};
        do { /* empty lines between, after a length that was believed */
                entry->from = mbox_cursor_place(c);
                if (!mbox_cursor_line(c, &line, &is_whole))
                        return FALSE;
        } while (mbox_is_empty_line(line));
        read_header(c, entry, header);
        find_body(c, entry, span_make(header->data, header->len));
        guint64 behind = mbox_cursor_place(c);
        make_key(c, entry, span_make(header->data, header->len), counts);
        mbox_cursor_seek(c, behind);
        return TRUE;
}

/* Empty, or a From_ line behind at most some empty ones. */
static gboolean
begins_like_mbox(MboxCursor *c)
{
        gboolean is_whole;
        Span line;

        while (mbox_cursor_place(c) < 1024 && mbox_cursor_line(c, &line, &is_whole))
                if (!mbox_is_empty_line(line))
                        return is_from_line(line);
        return TRUE;
}

gboolean
mbox_index(MboxRead read, gpointer data, GArray **ret, GError **error)
{
        g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(MboxEntry));
        g_autoptr(GByteArray) header = g_byte_array_new();
        g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        MboxCursor c;
        MboxEntry entry;

        mbox_cursor_init(&c, read, data);
        gboolean is_mbox = begins_like_mbox(&c);
        mbox_cursor_seek(&c, 0);
        while (is_mbox && entries->len < SOURCE_MESSAGES_MAX && next_message(&c, &entry, header, counts))
                g_array_append_val(entries, entry);
        mbox_cursor_done(&c);
        if (c.has_failed)
                return fault(error, FAULT_IO, "the file can't be read to its end");
        if (!is_mbox)
                return fault(error, FAULT_INPUT, "this is no mbox file: it does not begin with a From_ line");
        *ret = g_steal_pointer(&entries);
        return TRUE;
}

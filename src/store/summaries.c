/* summaries.c -- what is computed once of a message: made at delivery, kept in the row of its body, read along a view.
 *
 * Stored form: format (1), the lengths of envelope, structure, fields and keys (varints), the four, and the preview up
 * to the end.
 */
#include "store/internal.h"

#include "base/scan.h"
#include "mail/message.h"
#include "mail/summary.h"

#include <xxhash.h>

#define SUMMARY_FORMAT 1
#define WORK_OCTETS (8 * 1024 * 1024)            /* for one message: its structure and what is made of it */
#define MESSAGE_OCTETS_MAX ((guint64) 256 << 20) /* a longer one is not read for its summary */
#define AHEAD_MAX 64
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
        guint8 *octets = arena_alloc(arena, n + len);
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
        return span_make(octets, n + len);
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

gboolean
summary_decode(Span stored, StoredSummary *ret)
{
        Span *sections[SECTIONS] = {&ret->envelope, &ret->structure, &ret->fields, &ret->keys};
        Scan s = scan_from(stored);
        guint64 lengths[SECTIONS];
        guint8 format;

        if (!scan_u8(&s, &format) || format != SUMMARY_FORMAT)
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

/* The cursor ------------------------------------------------------------------------------------------------------- */

/* One look-up reads the rows of several messages, when they are asked for one after the other. */
struct SummaryCursor {
        Store *store;
        guint sections;
        gint64 mailbox;
        Arena *arena; /* what was read */
        StoredSummary ahead[AHEAD_MAX];
        gint64 bodies[AHEAD_MAX];
        guint32 uids[AHEAD_MAX];
        guint n, at; /* the last one given is before `at` */
};

#define CURSOR_OCTETS (80 * 1024 * 1024) /* at worst, with monstrous headers; some KiB a message as a rule */

SummaryCursor *
store_summary_cursor(Store *store, guint sections)
{
        SummaryCursor *cursor = g_new0(SummaryCursor, 1);

        cursor->store = store;
        cursor->sections = sections;
        cursor->arena = arena_new(CURSOR_OCTETS);
        return cursor;
}

void
summary_cursor_free(SummaryCursor *cursor)
{
        if (cursor == NULL)
                return;
        arena_free(cursor->arena);
        g_free(cursor);
}

void
summary_cursor_rest(SummaryCursor *cursor)
{
        cursor->n = cursor->at = 0;
        arena_free(cursor->arena);
        cursor->arena = arena_new(CURSOR_OCTETS);
}

DB_SQL(SUMMARIES, "SELECT e.uid, e.prefix, e.cuts, b.id, b.size, b.summary FROM entry e JOIN body b ON b.id = e.body"
                  " WHERE e.mailbox = ? AND e.uid >= ? ORDER BY e.uid LIMIT ?");
DB_SQL(COPIES_ONLY, "SELECT e.uid, e.prefix, e.cuts, b.id, b.size, NULL FROM entry e JOIN body b ON b.id = e.body"
                    " WHERE e.mailbox = ? AND e.uid >= ? ORDER BY e.uid LIMIT ?");

/* A summary that can't be read is like one that is not there. FALSE: the arena is over, or what makes a copy of the
 * body is damaged. */
static gboolean
cursor_take_row(SummaryCursor *cursor, const DbRows *row, GError **error)
{
        StoredSummary *summary = &cursor->ahead[cursor->n];
        gint64 uid = db_int(row, 0);

        *summary = (StoredSummary){.prefix = arena_copy(cursor->arena, db_bytes(row, 1))};
        if (!copy_decode_cuts(cursor->arena, db_bytes(row, 2), (guint64) db_int(row, 4), &summary->cuts,
                              &summary->n_cuts))
                return fault(error, FAULT_INTERNAL, "the cuts of entry %" G_GINT64_FORMAT " are damaged", uid);
        Span stored = arena_copy(cursor->arena, db_bytes(row, 5));
        if (arena_is_over(cursor->arena))
                return fault(error, FAULT_BUSY, "no memory for summaries of messages");
        cursor->bodies[cursor->n] = summary_decode(stored, summary) ? 0 : db_int(row, 3);
        cursor->uids[cursor->n++] = (guint32) uid;
        return TRUE;
}

static gboolean
cursor_read(SummaryCursor *cursor, const View *view, guint32 uid, guint most, GError **error)
{
        gboolean needs_sections = (cursor->sections & ~(guint) SUMMARY_COPY) != 0;
        DbStep step = DB_ROW_FAILED;

        cursor->n = cursor->at = 0;
        arena_reset(cursor->arena);
        g_autoptr(DbTxn) txn = db_begin_read(cursor->store->db, error);
        g_autoptr(DbRows) rows = txn == NULL ? NULL
                                             : db_query(txn, needs_sections ? &SUMMARIES : &COPIES_ONLY, error, "iii",
                                                        view_mailbox(view), (gint64) uid, (gint64) most);
        cursor->mailbox = view_mailbox(view);
        while (rows != NULL && cursor->n < most && (step = db_rows_next(rows, error)) == DB_ROW) {
                g_autoptr(GError) damage = NULL;
                if (cursor_take_row(cursor, rows, &damage))
                        continue;
                if (cursor->n > 0) /* complained of when it is asked for itself */
                        return TRUE;
                g_propagate_error(error, g_steal_pointer(&damage));
                return FALSE;
        }
        return step != DB_ROW_FAILED;
}

/* From the message itself. One that can't be summarised has empty sections. */
static gboolean
cursor_make(SummaryCursor *cursor, guint i, GError **error)
{
        g_autoptr(BlobBody) body = blob_body_open(cursor->store->blob, cursor->bodies[i], error);

        if (body == NULL)
                return FALSE;
        guint64 size = blob_body_size(body);
        g_autofree guint8 *octets = size <= MESSAGE_OCTETS_MAX ? g_try_malloc((gsize) size + 1) : NULL;
        if (octets == NULL)
                return TRUE;
        if (!blob_body_read(body, 0, octets, (gsize) size, error))
                return FALSE;
        Span stored = store_summarise(cursor->arena, span_make(octets, (gsize) size));
        if (stored.len > 0 && !summary_decode(stored, &cursor->ahead[i]))
                return fault(error, FAULT_INTERNAL, "a summary just made can't be read");
        cursor->bodies[i] = 0;
        return TRUE;
}

gboolean
summary_cursor_get(SummaryCursor *cursor, const View *view, guint32 index, StoredSummary *ret, GError **error)
{
        guint32 uid = view_entry(view, index)->uid;
        gboolean is_same = cursor->mailbox == view_mailbox(view);
        gboolean is_row = is_same && cursor->n > 0 && cursor->at == cursor->n && index > 0 &&
                          view_entry(view, index - 1)->uid == cursor->uids[cursor->n - 1];

        while (is_same && cursor->at < cursor->n && cursor->uids[cursor->at] < uid)
                cursor->at++;
        if (!is_same || cursor->at == cursor->n || cursor->uids[cursor->at] != uid)
                if (!cursor_read(cursor, view, uid, is_row ? AHEAD_MAX : 1 + 3 * (cursor->n == 0), error))
                        return FALSE;
        if (cursor->n == 0 || cursor->uids[cursor->at] != uid)
                return fault(error, FAULT_INTERNAL, "message %u of mailbox %" G_GINT64_FORMAT " is gone", uid,
                             view_mailbox(view));
        guint i = cursor->at++;
        if (cursor->bodies[i] != 0 && (cursor->sections & ~(guint) SUMMARY_COPY) != 0 && !cursor_make(cursor, i, error))
                return FALSE;
        *ret = cursor->ahead[i];
        return TRUE;
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

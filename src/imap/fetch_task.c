/* fetch_task.c -- the answer to a FETCH, at the reader's pace.
 *
 *      news of other messages -> for each message: "* 1 FETCH (", its items, ")" -> tagged answer
 *
 * The position is in the task, so that it can stop anywhere: between messages, before an item and in the octets of a
 * section. What has begun is always ended: an answer that would lack octets ends the connection instead.
 */
#include "imap/fetch.h"
#include "imap/messages.h"

#define PIECE_OCTETS ((gsize) 16 * 1024)
#define TURN_USEC (50 * USEC_PER_MS)
#define TURN_MESSAGES 64 /* between two looks at the clock */

gboolean
imap_fetch_is_chosen(const FetchTask *t, guint32 index)
{
        if (index < t->first || index > t->last)
                return FALSE;
        return !t->has_changed_since || view_entry(t->view, index)->modseq > t->changed_since;
}

/* Sections -------------------------------------------------------------------------------------------------------- */

static gboolean
is_binary(const FetchItem *item)
{
        return item->kind == FETCH_BINARY || item->kind == FETCH_BINARY_SIZE;
}

static void
end_section(FetchTask *t)
{
        section_close(&t->reader);
        t->is_reading = t->is_sending = FALSE;
}

/* An answer without octets. */
static void
end_without(ImapSession *s, FetchTask *t, const FetchItem *item, SectionAnswer answer)
{
        end_section(t);
        if (answer == SECTION_UNKNOWN_CTE) {
                t->has_unknown_cte = TRUE; /* RFC 3516 §4.3: NO at the end */
                return;
        }
        imap_fetch_put_label(s, t, item->label);
        imap_put(s, item->kind == FETCH_BINARY_SIZE ? "0" : "NIL");
}

static void
begin_sending(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        guint64 from = item->has_partial ? MIN(item->from, t->reader.size) : 0;
        guint64 size = t->reader.size - from;

        if (item->has_partial)
                size = MIN(size, item->count);
        imap_fetch_put_label(s, t, item->label);
        imap_put_literal_head(s, size, is_binary(item));
        t->skip = from - section_skip(&t->reader, from);
        t->left = size;
        t->is_sending = TRUE;
}

/* Half an answer is worse than none: the client must not take it for whole. */
static void
give_up(ImapSession *s, FetchTask *t, const GError *error)
{
        imap_log_fault(s, "read a message", error);
        stream_fail(s->session.stream, "message can't be read");
        t->left = 0;
}

static void
send_piece(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        g_autoptr(GError) error = NULL;
        gsize room = (gsize) CLAMP(t->skip + t->left, SECTION_ROOM_MIN, PIECE_OCTETS);
        guint8 *piece = stream_reserve(s->session.stream, room);

        if (piece == NULL) {
                t->left = 0;
                return;
        }
        gssize got = section_read(&t->reader, piece, room, &error);
        if (got <= 0) {
                give_up(s, t, error);
                return;
        }
        gsize skipped = (gsize) MIN(t->skip, (guint64) got);
        gsize len = (gsize) MIN(t->left, (guint64) got - skipped);
        if (skipped > 0)
                memmove(piece, piece + skipped, len);
        if (!is_binary(item))
                imap_replace_nuls(piece, len);
        stream_commit(s->session.stream, len);
        t->skip -= skipped;
        t->left -= len;
}

/* Measure, then send. FALSE: come back. */
static gboolean
go_on_reading(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        if (!t->is_sending) {
                SectionAnswer answer = section_measure(&t->reader, imap_fetch_error(t));
                if (answer == SECTION_AGAIN)
                        return FALSE;
                if (answer != SECTION_READY) {
                        end_without(s, t, item, answer);
                        return TRUE;
                }
                if (item->kind == FETCH_BINARY_SIZE) {
                        imap_fetch_put_label(s, t, item->label);
                        imap_put_number(s, t->reader.size);
                        end_section(t);
                        return TRUE;
                }
                begin_sending(s, t, item);
        }
        while (t->left > 0) {
                if (imap_is_full(s))
                        return FALSE;
                send_piece(s, t, item);
        }
        end_section(t);
        return TRUE;
}

static SectionAnswer
open_section(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        StoredMessage *message;
        Span structure = SPAN_EMPTY;

        if (item->section.n_path > 0 && imap_fetch_need_summary(s, t))
                structure = t->summary.structure;
        if (t->ahead == NULL)
                t->ahead = store_messages_ahead(imap_store(s), t->view);
        if (!messages_ahead_get(t->ahead, t->index, &message, imap_fetch_error(t)))
                return SECTION_FAILED;
        return section_open(&t->reader, message, &item->section, is_binary(item) ? SECTION_DECODED : SECTION_AS_STORED,
                            structure, imap_fetch_error(t));
}

static gboolean
begin_reading(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        SectionAnswer answer = open_section(s, t, item);

        if (answer != SECTION_READY) {
                end_without(s, t, item, answer);
                return TRUE;
        }
        t->is_reading = TRUE;
        return go_on_reading(s, t, item);
}

static gboolean
put_section(ImapSession *s, FetchTask *t, const FetchItem *item)
{
        if (t->is_reading)
                return go_on_reading(s, t, item);
        return (item->kind == FETCH_SECTION && imap_fetch_put_known_fields(s, t, item)) || begin_reading(s, t, item);
}

/* Messages -------------------------------------------------------------------------------------------------------- */

static gboolean
is_uidonly(const ImapSession *s)
{
        return (s->enabled & IMAP_ENABLED_UIDONLY) != 0;
}

static void
begin_message(ImapSession *s, FetchTask *t)
{
        t->has_put = FALSE;
        t->has_summary = FALSE;
        t->item = 0;
        imap_fetch_put_short(s, t);
        t->is_begun = TRUE;
}

/* An item that was not asked for. */
static void
put_row(ImapSession *s, FetchTask *t, FetchKind kind)
{
        const char *label = kind == FETCH_FLAGS ? "FLAGS" : kind == FETCH_MODSEQ ? "MODSEQ" : "UID";
        const FetchItem item = {.kind = kind, .label = span_of(label)};

        if ((t->items.kinds & 1U << kind) == 0)
                imap_fetch_put_item(s, t, &item);
}

/* What was set with this FETCH is told with it (RFC 9051 §6.4.5: BODY[]). */
static void
end_message(ImapSession *s, FetchTask *t)
{
        if (bit_of(t->news, t->index)) {
                put_row(s, t, FETCH_FLAGS);
                if ((s->enabled & IMAP_ENABLED_CONDSTORE) != 0)
                        put_row(s, t, FETCH_MODSEQ);
        }
        if (!t->has_put) /* nothing could be decoded: an answer has at least one item (RFC 9051 §9, msg-att) */
                put_row(s, t, is_uidonly(s) ? FETCH_FLAGS : FETCH_UID);
        imap_put(s, ")\r\n");
        t->is_begun = FALSE;
}

/* FALSE: the reader or a measuring must be waited for. */
static gboolean
put_message(ImapSession *s, FetchTask *t)
{
        if (!t->is_begun)
                begin_message(s, t);
        while (t->item < t->items.n) {
                const FetchItem *item = &t->items.items[t->item];
                if (imap_fetch_is_short(item->kind)) {
                        imap_fetch_put_short(s, t);
                        continue;
                }
                if (item->kind < FETCH_SECTION)
                        imap_fetch_put_item(s, t, item);
                else if (!put_section(s, t, item))
                        return FALSE;
                t->item++;
        }
        end_message(s, t);
        return TRUE;
}

/* On to the next message that is asked for; FALSE: there is none. */
static gboolean
find_message(FetchTask *t)
{
        while (t->range < t->n_ranges) {
                if (t->index < t->ranges[t->range].first)
                        t->index = t->ranges[t->range].first;
                while (t->index <= t->ranges[t->range].last) {
                        if (imap_fetch_is_chosen(t, t->index))
                                return TRUE;
                        t->index++;
                }
                t->range++;
        }
        return FALSE;
}

/* End ------------------------------------------------------------------------------------------------------------- */

/* Has something vanished that was asked for? Then that is why it can't be read (RFC 5530: EXPUNGEISSUED). */
static gboolean
has_vanished(ImapSession *s, const FetchTask *t)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(View) now = NULL;

        if (store_view_open(imap_store(s), view_mailbox(t->view), s->who.account, &now, &error) != STORE_DONE)
                return FALSE;
        for (gsize i = 0; i < t->n_ranges; i++)
                for (guint32 j = t->ranges[i].first; j <= t->ranges[i].last; j++) {
                        guint32 uid = view_entry(t->view, j)->uid, index = view_index_of(now, uid);
                        if (index >= view_count(now) || view_entry(now, index)->uid != uid)
                                return TRUE;
                }
        return FALSE;
}

static ImapTaskStep
end_fetch(ImapSession *s, FetchTask *t)
{
        if (t->is_unasked) {
                if (t->error != NULL && !has_vanished(s, t))
                        imap_log_fault(s, "read a message", t->error);
        } else if (t->error != NULL && has_vanished(s, t))
                imap_no(s, "EXPUNGEISSUED", "some of the messages have been removed");
        else if (t->error != NULL)
                imap_no_fault(s, "fetch", t->error);
        else if (t->has_unknown_cte)
                imap_no(s, "UNKNOWN-CTE", "a part can't be decoded");
        else
                imap_ok(s, t->code, "FETCH completed");
        return IMAP_TASK_DONE;
}

/* What others have changed, of messages that are not asked for. */
static gboolean
put_news(ImapSession *s, FetchTask *t)
{
        guint32 n = t->news != NULL ? view_count(t->view) : 0;
        gsize range = 0;

        for (; t->next_news < n; t->next_news++) {
                if (!bit_of(t->news, t->next_news))
                        continue;
                while (range < t->n_ranges && t->ranges[range].last < t->next_news)
                        range++;
                if (range < t->n_ranges && t->ranges[range].first <= t->next_news &&
                    imap_fetch_is_chosen(t, t->next_news))
                        continue;
                if (imap_is_full(s))
                        return FALSE;
                news_put(s, t->view, t->next_news, t->next_news, TRUE);
        }
        return TRUE;
}

/* Messages that are behind us, of all that were named. Not in the middle of an answer. */
static void
tell_progress(ImapSession *s, const FetchTask *t)
{
        guint64 done = 0, all = 0;

        for (gsize i = 0; i < t->n_ranges; i++) {
                guint64 count = (guint64) t->ranges[i].last - t->ranges[i].first + 1;
                all += count;
                if (i < t->range)
                        done += count;
                else if (i == t->range && t->index > t->ranges[i].first)
                        done += MIN(t->index - t->ranges[i].first, count);
        }
        if (!t->is_begun)
                imap_progress(s, done, all);
}

static ImapTaskStep
rest(ImapSession *s, FetchTask *t)
{
        tell_progress(s, t);
        if (t->cursor != NULL)
                summary_cursor_rest(t->cursor);
        messages_ahead_rest(t->ahead);
        t->has_summary = FALSE;
        return IMAP_TASK_AGAIN;
}

static ImapTaskStep
run(ImapSession *s, ImapTask *task)
{
        FetchTask *t = (FetchTask *) task;
        Usec until = clock_monotonic() + TURN_USEC;

        if (!put_news(s, t))
                return rest(s, t);
        for (guint n = 1; find_message(t); n++) {
                if (imap_is_full(s) || (n % TURN_MESSAGES == 0 && clock_monotonic() > until) || !put_message(s, t))
                        return rest(s, t);
                t->index++;
        }
        return end_fetch(s, t);
}

static void
free_fetch(ImapTask *task)
{
        FetchTask *t = (FetchTask *) task;

        section_close(&t->reader);
        summary_cursor_free(t->cursor);
        messages_ahead_free(t->ahead);
        view_unref(t->view);
        g_clear_error(&t->error);
        g_free(t->news);
        g_free(t);
}

void
imap_fetch_start(ImapSession *s, FetchTask *t)
{
        t->task = (ImapTask){.run = run, .free = free_fetch};
        imap_start_task(s, &t->task);
}

ImapTask *
imap_fetch_unasked(View *view, const FetchItems *items, const IndexRange *range)
{
        FetchTask *t = g_new0(FetchTask, 1);

        t->task = (ImapTask){.run = run, .free = free_fetch};
        t->is_unasked = TRUE;
        t->view = view_ref(view);
        t->items = *items;
        t->ranges = range;
        t->n_ranges = 1;
        t->last = G_MAXUINT32;
        return &t->task;
}

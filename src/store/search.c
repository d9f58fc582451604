/* search.c -- one search: entry by entry, asking the index for whole packs and reading what it leaves open. */
#include "store/search.h"

#include "store/internal.h"
#include "store/search_index.h"
#include "store/search_text.h"

#define NEEDLE_ARENA (64u << 10)
#define VERDICTS_MAX 4096 /* packs whose answers are remembered */
#define READER_SPAN_MAX (50 * USEC_PER_MS)
#define AHEAD_MAX 64     /* messages whose places are looked up together */
#define CLOCK_ENTRIES 64 /* entries between looks at the clock, when nothing was read */

/* What the index says of one pack. */
typedef struct Verdict {
        gint64 pack;
        gboolean is_known;        /* else its entries are read              */
        GroupAnswer body, header; /* of the bodies as they are, without a copy's prefix and cuts */
} Verdict;

typedef enum Decision {
        DECIDED_FAILED = 0,
        DECIDED_NO,
        DECIDED_YES,
        DECIDED_READ, /* the message must be read */
} Decision;

/* Where the next messages are that must be read. */
typedef struct Ahead {
        guint n, at;
        gint64 bodies[AHEAD_MAX];
        BlobPlace places[AHEAD_MAX];
} Ahead;

struct SearchTask {
        Store *store;
        View *view;
        SearchPart part;
        Arena *arena;
        Span needle;          /* folded */
        gboolean is_hopeless; /* longer than any text is compared with */
        TextFinder finder;
        GroupMatcher *matcher;
        guint8 *wanted;  /* one bit an entry; NULL: all */
        guint8 *matches; /* one bit an entry            */
        guint32 at;
        GHashTable *verdicts; /* by pack */
        const Verdict *last;

        SummaryCursor *cursor; /* of what is read                */
        SummaryCursor *copies; /* of what the index does not know */
        Ahead *ahead;          /* both within a step              */
        TextRoom *room;
        IndexReader *reader; /* within a step */
        Usec reader_since;
};

void
store_keep_search_index(Store *store, const char *dir)
{
        g_assert(store->search == NULL);
        store->search = search_index_new(store->db, dir);
}

gboolean
store_search_progress(Store *store, SearchProgress *ret, GError **error)
{
        *ret = (SearchProgress){.state = SEARCH_INDEX_NONE};
        return store->search == NULL || search_index_progress(store->search, ret, error);
}

static gboolean
bit_has(const guint8 *bits, guint32 i)
{
        return (bits[i / 8] >> (i % 8)) & 1;
}

static void
bit_add(guint8 *bits, guint32 i)
{
        bits[i / 8] |= (guint8) (1u << (i % 8));
}

static void
needle_prepare(SearchTask *task, Span needle)
{
        task->needle = text_fold(task->arena, needle, TEXT_NEEDLE_MAX + 1);
        task->is_hopeless =
                task->needle.len > TEXT_NEEDLE_MAX || !text_finder_init(&task->finder, task->arena, task->needle);
        if (!task->is_hopeless && task->needle.len > 0)
                task->matcher = group_matcher_new(task->needle);
}

SearchTask *
store_search_new(Store *store, View *view, SearchPart part, Span needle, const guint8 *wanted)
{
        SearchTask *task = g_new0(SearchTask, 1);
        guint32 count = view_count(view);

        task->store = store;
        task->view = view_ref(view);
        task->part = part;
        task->arena = arena_new(NEEDLE_ARENA);
        task->matches = g_malloc0(count / 8 + 1);
        task->verdicts = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
        needle_prepare(task, needle);
        if (wanted != NULL) {
                task->wanted = g_malloc0(count / 8 + 1);
                for (guint32 i = 0; i < count; i++)
                        if (wanted[i])
                                bit_add(task->wanted, i);
        }
        return task;
}

void
search_task_free(SearchTask *task)
{
        if (task == NULL)
                return;
        index_reader_free(task->reader);
        text_room_free(task->room);
        g_free(task->ahead);
        summary_cursor_free(task->cursor);
        summary_cursor_free(task->copies);
        g_hash_table_unref(task->verdicts);
        group_matcher_free(task->matcher);
        arena_free(task->arena);
        view_unref(task->view);
        g_free(task->matches);
        g_free(task->wanted);
        g_free(task);
}

/* Reading -----------------------------------------------------------------------------------------------------------
 */

static gboolean
piece_take(gpointer to, const TextPiece *piece)
{
        SearchTask *task = to;

        if (piece->is_first)
                text_finder_restart(&task->finder);
        return !text_find(&task->finder, piece->text);
}

/* As far as what the index says of this entry's pack is at hand. */
static gboolean
may_be_read(const SearchTask *task, const ViewEntry *entry)
{
        const Verdict *verdict = task->last;

        if (entry->pack == 0 || entry->slot >= GROUP_SLOTS_MAX)
                return TRUE;
        if (verdict == NULL || verdict->pack != entry->pack)
                return FALSE;
        return !verdict->is_known || slot_set_has(&verdict->body.maybe, entry->slot) ||
               (task->part == SEARCH_TEXT && slot_set_has(&verdict->header.maybe, entry->slot));
}

/* Of this entry and those behind it. */
static void
ahead_read(SearchTask *task, guint32 i)
{
        guint32 end = MIN(view_count(task->view) - i, 2 * AHEAD_MAX) + i;
        Ahead *ahead = task->ahead;

        ahead->n = ahead->at = 0;
        ahead->bodies[ahead->n++] = view_entry(task->view, i)->body;
        while (++i < end && ahead->n < AHEAD_MAX) {
                const ViewEntry *entry = view_entry(task->view, i);
                if ((task->wanted == NULL || bit_has(task->wanted, i)) && may_be_read(task, entry))
                        ahead->bodies[ahead->n++] = entry->body;
        }
        if (!blob_places(task->store->blob, ahead->bodies, ahead->n, ahead->places, NULL))
                ahead->n = 0; /* whoever opens the body says why */
}

/* NULL: not known. */
static const BlobPlace *
place_of(SearchTask *task, guint32 i)
{
        gint64 body = view_entry(task->view, i)->body;

        if (task->ahead == NULL)
                task->ahead = g_new0(Ahead, 1);
        Ahead *ahead = task->ahead;
        while (ahead->at < ahead->n && ahead->bodies[ahead->at] != body)
                ahead->at++;
        if (ahead->at == ahead->n)
                ahead_read(task, i);
        return ahead->at < ahead->n ? &ahead->places[ahead->at++] : NULL;
}

/* The cuts are of the header. */
static guint
sections_needed(const SearchTask *task)
{
        return task->part == SEARCH_TEXT ? SUMMARY_STRUCTURE | SUMMARY_COPY : SUMMARY_STRUCTURE;
}

/* What has gone or is damaged matches nothing. FALSE: could not look. */
static gboolean
entry_read(SearchTask *task, guint32 i, gboolean *ret, GError **error)
{
        g_autoptr(GError) cause = NULL;
        StoredSummary summary;
        guint what = task->part == SEARCH_TEXT ? TEXT_OF_HEADER | TEXT_OF_BODY : TEXT_OF_BODY;

        *ret = FALSE;
        if (task->cursor == NULL)
                task->cursor = store_summary_cursor(task->store, sections_needed(task));
        if (task->room == NULL)
                task->room = text_room_new();
        if (summary_cursor_get(task->cursor, task->view, i, &summary, &cause)) {
                SearchCopy copy = {.body = view_entry(task->view, i)->body,
                                   .structure = summary.structure,
                                   .prefix = summary.prefix,
                                   .cuts = summary.cuts,
                                   .n_cuts = summary.n_cuts,
                                   .place = place_of(task, i),
                                   .room = task->room};
                CopyText text = search_text_walk(task->store->blob, &copy, what, piece_take, task, &cause);
                *ret = text == COPY_TEXT_STOPPED;
        }
        if (cause == NULL || cause->code == FAULT_INTERNAL)
                return TRUE;
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
}

/* The prefix and the cuts of a copy; FALSE also when it has gone. */
static gboolean
entry_copy(SearchTask *task, guint32 i, StoredSummary *ret, GError **error)
{
        if (task->copies == NULL)
                task->copies = store_summary_cursor(task->store, SUMMARY_COPY);
        return summary_cursor_get(task->copies, task->view, i, ret, error);
}

static gboolean
prefix_has(SearchTask *task, Span prefix, gboolean *ret, GError **error)
{
        CopyText text = search_prefix_walk(prefix, piece_take, task, error);

        *ret = text == COPY_TEXT_STOPPED;
        return text != COPY_TEXT_FAILED;
}

/* Asking ------------------------------------------------------------------------------------------------------------
 */

/* The transaction of the index is short: a new one when it has been open for long. */
static IndexReader *
reader_fresh(SearchTask *task)
{
        Usec now = clock_monotonic();

        if (task->reader != NULL && now - task->reader_since > READER_SPAN_MAX)
                g_clear_pointer(&task->reader, index_reader_free);
        if (task->reader == NULL && task->store->search != NULL) {
                task->reader = index_reader_new(task->store->search);
                task->reader_since = now;
        }
        return task->reader;
}

static const Verdict *
verdict_of(SearchTask *task, gint64 pack)
{
        if (task->last != NULL && task->last->pack == pack)
                return task->last;
        Verdict *verdict = g_hash_table_lookup(task->verdicts, &pack);
        if (verdict == NULL) {
                IndexReader *reader = reader_fresh(task);
                if (g_hash_table_size(task->verdicts) >= VERDICTS_MAX)
                        g_hash_table_remove_all(task->verdicts);
                verdict = g_new0(Verdict, 1);
                verdict->pack = pack;
                verdict->is_known = reader != NULL &&
                                    index_reader_ask(reader, pack, task->matcher, &verdict->body, &verdict->header);
                g_hash_table_insert(task->verdicts, &verdict->pack, verdict);
        }
        task->last = verdict;
        return verdict;
}

/* What the index says of the body's own header holds for a copy whose cuts don't hide some of it; its prefix is looked
 * at here. */
static Decision
header_decide(SearchTask *task, guint32 i, gboolean is_in_header, GError **error)
{
        g_autoptr(GError) cause = NULL;
        StoredSummary copy;
        gboolean is_in_prefix = FALSE;

        if (!entry_copy(task, i, &copy, &cause))
                return DECIDED_READ; /* which says what it is */
        if (is_in_header && copy.n_cuts == 0)
                return DECIDED_YES;
        if (!prefix_has(task, copy.prefix, &is_in_prefix, error))
                return DECIDED_FAILED;
        return is_in_prefix ? DECIDED_YES : is_in_header ? DECIDED_READ : DECIDED_NO;
}

static Decision
entry_decide(SearchTask *task, guint32 i, GError **error)
{
        const ViewEntry *entry = view_entry(task->view, i);

        if (entry->pack == 0 || entry->slot >= GROUP_SLOTS_MAX)
                return DECIDED_READ;
        const Verdict *verdict = verdict_of(task, entry->pack);
        if (!verdict->is_known)
                return DECIDED_READ;
        if (slot_set_has(&verdict->body.yes, entry->slot))
                return DECIDED_YES;
        if (slot_set_has(&verdict->body.maybe, entry->slot))
                return DECIDED_READ;
        if (task->part == SEARCH_BODY)
                return DECIDED_NO;
        if (slot_set_has(&verdict->header.maybe, entry->slot))
                return DECIDED_READ;
        return header_decide(task, i, slot_set_has(&verdict->header.yes, entry->slot), error);
}

/* *ret_was_read: it took long. */
static gboolean
entry_look(SearchTask *task, guint32 i, gboolean *ret, gboolean *ret_was_read, GError **error)
{
        Decision decision = entry_decide(task, i, error);

        *ret = decision == DECIDED_YES;
        if (decision != DECIDED_READ)
                return decision != DECIDED_FAILED;
        *ret_was_read = TRUE;
        return entry_read(task, i, ret, error);
}

static SearchStep
entries_look(SearchTask *task, Usec deadline, GError **error)
{
        guint32 count = view_count(task->view);

        for (; task->at < count; task->at++) {
                gboolean is_match = task->needle.len == 0, was_read = FALSE;
                if (task->wanted != NULL && !bit_has(task->wanted, task->at))
                        continue;
                if (task->needle.len > 0 && !entry_look(task, task->at, &is_match, &was_read, error))
                        return SEARCH_FAILED;
                if (is_match)
                        bit_add(task->matches, task->at);
                if ((was_read || task->at % CLOCK_ENTRIES == 0) && clock_monotonic() >= deadline) {
                        task->at++;
                        return SEARCH_AGAIN;
                }
        }
        return SEARCH_DONE;
}

SearchStep
search_task_step(SearchTask *task, Usec span, GError **error)
{
        SearchStep step = task->is_hopeless ? SEARCH_DONE : entries_look(task, clock_in(span), error);

        g_clear_pointer(&task->reader, index_reader_free);
        g_clear_pointer(&task->ahead, g_free);
        g_clear_pointer(&task->room, text_room_free);
        if (task->cursor != NULL)
                summary_cursor_rest(task->cursor);
        if (task->copies != NULL)
                summary_cursor_rest(task->copies);
        return step;
}

gboolean
search_task_matches(const SearchTask *task, guint32 index)
{
        return bit_has(task->matches, index);
}

guint32
search_task_looked_at(const SearchTask *task)
{
        return task->at;
}

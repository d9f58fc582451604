/* core.c -- reading the state of a mailbox: all of it, or what has changed since the state before. */
#include "store/core.h"

#include <sys/mman.h>

DB_SQL(ROW_OF_MAILBOX, "SELECT account, uid_validity, uid_next, modseq, folded, forgotten, keywords FROM mailbox"
                       " WHERE id = ? AND deleted_at IS NULL");
DB_SQL(PAGES_OF_MAILBOX, "SELECT p.key, p.data, s.data FROM page p JOIN page_state s ON s.key = p.key"
                         " WHERE p.key >= ? AND p.key <= ? ORDER BY p.key");
DB_SQL(PAGE_BY_KEY, "SELECT p.key, p.data, s.data FROM page p JOIN page_state s ON s.key = p.key WHERE p.key = ?");
DB_SQL(STATE_BY_KEY, "SELECT data FROM page_state WHERE key = ?");
DB_SQL(TAIL_BEHIND, "SELECT uid, flags, modseq, size, body, received, saved, message FROM entry"
                    " WHERE mailbox = ? AND uid > ? ORDER BY uid");

/* Parts ------------------------------------------------------------------------------------------------------------ */

Keywords *
keywords_new(const char *text)
{
        Keywords *keywords = g_new0(Keywords, 1);
        const char *at = text != NULL ? text : "";

        keywords->refs = 1;
        keywords->text = g_strdup(at);
        while (*at != '\0' && keywords->n < FLAG_KEYWORDS_MAX) {
                gsize len = strcspn(at, " ");
                keywords->names[keywords->n++] = g_strndup(at, len);
                at += len + (at[len] == ' ');
        }
        return keywords;
}

Keywords *
keywords_ref(Keywords *keywords)
{
        g_atomic_int_inc(&keywords->refs);
        return keywords;
}

void
keywords_unref(Keywords *keywords)
{
        if (keywords == NULL || !g_atomic_int_dec_and_test(&keywords->refs))
                return;
        for (guint i = 0; i < keywords->n; i++)
                g_free(keywords->names[i]);
        g_free(keywords->text);
        g_free(keywords);
}

int
keywords_find(const Keywords *keywords, Span name)
{
        for (guint i = 0; i < keywords->n; i++)
                if (span_is(name, keywords->names[i]))
                        return (int) i;
        return -1;
}

guint64
keywords_flags(const Keywords *keywords)
{
        guint bits = FLAG_KEYWORD_FIRST + keywords->n;

        return FLAG_SYSTEM | ((bits < 64 ? (guint64) 1 << bits : 0) - ((guint64) 1 << FLAG_KEYWORD_FIRST));
}

/* Where the blocks of a large mailbox that is read whole are cut from: memory that the kernel gives at once. Given page
 * by page, as each is touched first, it takes longer than all that is read into it. */
struct Slab {
        gint refs; /* its blocks, and who cuts */
        gsize octets, used;
};

#define BLOCK_OCTETS_MAX (sizeof(Block) + PAGE_ENTRIES * sizeof(ViewEntry))
#define SLAB_BLOCKS_MAX 64
#define BLOCKS_BEFORE_SLAB 16

static void
slab_unref(Slab *slab)
{
        if (slab != NULL && g_atomic_int_dec_and_test(&slab->refs))
                (void) munmap(slab, slab->octets);
}

/* NULL: no memory; single blocks may do. */
static Slab *
slab_new(guint n_blocks)
{
        gsize octets = sizeof(Slab) + n_blocks * BLOCK_OCTETS_MAX;
        Slab *slab = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (slab == MAP_FAILED)
                return NULL;
        *slab = (Slab){.refs = 1, .octets = octets, .used = sizeof(Slab)};
        return slab;
}

static Block *
block_init(Block *block, Slab *slab, guint32 first)
{
        *block = (Block){.refs = 1, .slab = slab, .first = first, .all = G_MAXUINT64};
        return block;
}

Block *
block_new(guint32 first, guint room)
{
        return block_init(g_malloc(sizeof(Block) + room * sizeof(ViewEntry)), NULL, first);
}

/* The same, of a slab; *slab is followed by another when it is used up. The slabs of a mailbox grow with it, so that a
 * third of what they have is unused at most. */
static Block *
block_cut(Slab **slab, guint n_before, guint32 first, guint room)
{
        gsize octets = sizeof(Block) + room * sizeof(ViewEntry);

        if (n_before < BLOCKS_BEFORE_SLAB)
                return block_new(first, room);
        if (*slab == NULL || (*slab)->octets - (*slab)->used < octets) {
                slab_unref(*slab);
                *slab = slab_new(MIN(n_before / 2, SLAB_BLOCKS_MAX));
        }
        if (*slab == NULL)
                return block_new(first, room);
        Block *block = (Block *) (gpointer) ((guint8 *) *slab + (*slab)->used);
        (*slab)->used += octets;
        g_atomic_int_inc(&(*slab)->refs);
        return block_init(block, *slab, first);
}

static void
block_unref(gpointer data)
{
        Block *block = data;

        if (!g_atomic_int_dec_and_test(&block->refs))
                return;
        if (block->slab != NULL)
                slab_unref(block->slab);
        else
                g_free(block);
}

Block *
block_ref(Block *block)
{
        g_atomic_int_inc(&block->refs);
        return block;
}

GPtrArray *
blocks_new(void)
{
        return g_ptr_array_new_with_free_func(block_unref);
}

/* The entry that stands behind those it has is its too. */
static void
block_count(Block *block, guint place)
{
        const ViewEntry *entry = &block->entries[block->n];

        block->place[block->n++] = (guint8) place;
        block->unseen += (entry->flags & FLAG_SEEN) == 0;
        block->deleted += (entry->flags & FLAG_DELETED) != 0;
        block->octets += entry->size;
        block->any |= entry->flags;
        block->all &= entry->flags;
}

void
block_add(Block *block, const ViewEntry *entry, guint place)
{
        block->entries[block->n] = *entry;
        block_count(block, place);
}

/* Of a page's entries, which were read into it, those that are here, with their flags and MODSEQ. */
static void
block_take_here(Block *block, const State *states, guint n)
{
        for (guint i = 0; i < n; i++) {
                ViewEntry *entry = &block->entries[block->n];

                if (states[i].fate != FATE_HERE)
                        continue;
                if (block->n != i)
                        *entry = block->entries[i];
                entry->flags = states[i].flags;
                entry->modseq = states[i].modseq;
                block_count(block, i);
        }
}

Core *
core_ref(Core *core)
{
        g_atomic_int_inc(&core->refs);
        return core;
}

void
core_unref(Core *core)
{
        if (core == NULL || !g_atomic_int_dec_and_test(&core->refs))
                return;
        g_ptr_array_unref(core->blocks);
        keywords_unref(core->keywords);
        g_free(core->starts);
        g_free(core);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Core, core_unref)

gsize
core_octets(const Core *core)
{
        return sizeof(Core) + core->blocks->len * (sizeof(Block) + 16) + core->count * sizeof(ViewEntry);
}

const Block *
core_block_of(const Core *core, guint32 index, guint32 *ret_in_block)
{
        guint low = index / PAGE_ENTRIES, high = core->blocks->len;

        g_assert(index < core->count);
        /* in a mailbox that nothing has gone from it is this one; blocks have at most PAGE_ENTRIES, so never one before
         */
        if (core->starts[low] <= index && index < core->starts[low + 1])
                high = low + 1;
        while (high - low > 1) {
                guint middle = low + (high - low) / 2;
                if (core->starts[middle] <= index)
                        low = middle;
                else
                        high = middle;
        }
        *ret_in_block = index - core->starts[low];
        return core->blocks->pdata[low];
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static void
core_add(Core *core, Block *block)
{
        if (block->n > 0)
                g_ptr_array_add(core->blocks, block);
        else
                block_unref(block);
}

/* The block of the page in this row. states: room for PAGE_ENTRIES. slab: see block_cut(); NULL: it is a single one. */
static gboolean
add_page(Core *core, const DbRows *row, State *states, Slab **slab, GError **error)
{
        gint64 key = db_int(row, 0);
        guint32 first = (guint32) (key & G_MAXUINT32);
        guint n, n_states;

        if (!state_get(db_bytes(row, 2), states, &n_states))
                return page_damaged(key, error);
        Block *block = slab != NULL ? block_cut(slab, core->blocks->len, first, n_states) : block_new(first, n_states);
        if (!page_get(db_bytes(row, 1), first, block->entries, n_states, &n) || n != n_states) {
                block_unref(block);
                return page_damaged(key, error);
        }
        block_take_here(block, states, n);
        core_add(core, block);
        return TRUE;
}

static gboolean
read_pages(DbTxn *txn, Core *core, State *states, GError **error)
{
        gint64 key = core->mailbox << 32;
        Slab *slab = NULL;
        DbStep step;

        db_read_ahead(txn, "page_state", key, key | (gint64) core->folded); /* few: the first row waits for one */
        db_read_ahead(txn, "page", key, key | (gint64) core->folded);
        g_autoptr(DbRows) rows = db_query(txn, &PAGES_OF_MAILBOX, error, "ii", key, key | (gint64) core->folded);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && add_page(core, rows, states, &slab, error))
                continue;
        slab_unref(slab);
        return step == DB_ROW_END;
}

/* One page anew; it may be gone. */
static gboolean
read_page(DbTxn *txn, Core *core, guint32 first, State *states, GError **error)
{
        gint64 key = core->mailbox << 32 | first;

        g_autoptr(DbRows) rows = db_query(txn, &PAGE_BY_KEY, error, "i", key);
        switch (rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED) {
        case DB_ROW:
                return add_page(core, rows, states, NULL, error);
        case DB_ROW_END:
                return TRUE;
        case DB_ROW_FAILED:
        default:
                return FALSE;
        }
}

/* The same page with other flags, less what has gone. */
static gboolean
read_state(DbTxn *txn, Core *core, const Block *before, State *states, GError **error)
{
        gint64 key = core->mailbox << 32 | before->first;
        guint n;

        g_autoptr(DbRows) rows = db_query(txn, &STATE_BY_KEY, error, "i", key);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        if (step == DB_ROW_FAILED)
                return FALSE;
        if (step == DB_ROW_END || !state_get(db_bytes(rows, 0), states, &n) || before->place[before->n - 1] >= n)
                return page_damaged(key, error);
        Block *block = block_new(before->first, before->n);
        for (guint i = 0; i < before->n; i++) {
                const State *state = &states[before->place[i]];
                ViewEntry entry = before->entries[i];
                if (state->fate != FATE_HERE)
                        continue;
                entry.flags = state->flags;
                entry.modseq = state->modseq;
                block_add(block, &entry, before->place[i]);
        }
        core_add(core, block);
        return TRUE;
}

static gint
compare_marks(gconstpointer a, gconstpointer b)
{
        const Mark *x = a, *y = b;

        return x->number != y->number ? (x->number > y->number) - (x->number < y->number)
                                      : (x->kind > y->kind) - (x->kind < y->kind);
}

/* Pages that are marked, rising, one mark each: that of the higher kind. */
static void
marks_of_pages(GArray *marks)
{
        Mark *mark = (Mark *) (gpointer) marks->data;
        guint n = 0;

        g_array_sort(marks, compare_marks);
        for (guint i = 0; i < marks->len; i++) {
                if (mark[i].kind != MARK_STATE && mark[i].kind != MARK_PAGE && mark[i].kind != MARK_PACKED)
                        continue;
                if (n > 0 && mark[n - 1].number == mark[i].number)
                        n--;
                mark[n++] = mark[i];
        }
        g_array_set_size(marks, n);
}

/* The blocks of the state before and the marked pages, merged. */
static gboolean
merge_pages(DbTxn *txn, Core *core, const Core *before, const GArray *marks, State *states, GError **error)
{
        guint at = 0;

        for (guint i = 0; i <= before->n_page_blocks; i++) {
                Block *block = i < before->n_page_blocks ? before->blocks->pdata[i] : NULL;
                const Mark *mark;

                for (; at < marks->len; at++) { /* those without a block so far: new, or all gone */
                        mark = &g_array_index(marks, Mark, at);
                        if (block != NULL && mark->number >= block->first)
                                break;
                        if (mark->kind != MARK_STATE && !read_page(txn, core, (guint32) mark->number, states, error))
                                return FALSE;
                }
                if (block == NULL)
                        break;
                mark = at < marks->len ? &g_array_index(marks, Mark, at) : NULL;
                if (mark == NULL || mark->number != block->first) {
                        g_ptr_array_add(core->blocks, block_ref(block));
                        continue;
                }
                at++;
                if (!(mark->kind == MARK_STATE ? read_state(txn, core, block, states, error)
                                               : read_page(txn, core, block->first, states, error)))
                        return FALSE;
        }
        return TRUE;
}

/* The tail --------------------------------------------------------------------------------------------------------- */

typedef struct Tail {
        Core *core;
        Block *block; /* NULL or with room */
} Tail;

static void
tail_add(Tail *tail, const ViewEntry *entry)
{
        if (tail->block == NULL) {
                tail->block = block_new(0, PAGE_ENTRIES);
                g_ptr_array_add(tail->core->blocks, tail->block);
        }
        block_add(tail->block, entry, tail->block->n);
        if (tail->block->n == PAGE_ENTRIES)
                tail->block = NULL;
}

/* What the state before had of the tail and is still there: whole blocks as they are. Returns the last UID. */
static guint32
tail_reuse(Tail *tail, const Core *before)
{
        guint32 last = tail->core->folded;

        for (guint i = before->n_page_blocks; i < before->blocks->len; i++) {
                Block *block = before->blocks->pdata[i];
                if (block->entries[0].uid > tail->core->folded && block->n == PAGE_ENTRIES && tail->block == NULL) {
                        g_ptr_array_add(tail->core->blocks, block_ref(block));
                        last = block->entries[block->n - 1].uid;
                        continue;
                }
                for (guint k = 0; k < block->n; k++) {
                        if (block->entries[k].uid <= tail->core->folded)
                                continue;
                        tail_add(tail, &block->entries[k]);
                        last = block->entries[k].uid;
                }
        }
        return last;
}

static gboolean
read_tail(DbTxn *txn, Tail *tail, guint32 after, GError **error)
{
        Core *core = tail->core;
        DbStep step;

        g_autoptr(DbRows) rows = db_query(txn, &TAIL_BEHIND, error, "ii", core->mailbox, (gint64) after);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW) {
                const ViewEntry entry = {
                        .uid = (guint32) db_int(rows, 0),
                        .flags = (guint64) db_int(rows, 1),
                        .modseq = (guint64) db_int(rows, 2),
                        .size = (guint64) db_int(rows, 3),
                        .body = db_int(rows, 4),
                        .received = db_int(rows, 5),
                        .saved = db_int(rows, 6) != 0 ? db_int(rows, 6) : db_int(rows, 5),
                        .message = (Id) db_int(rows, 7),
                };
                tail_add(tail, &entry);
        }
        return step == DB_ROW_END;
}

/* The whole -------------------------------------------------------------------------------------------------------- */

static StoreAnswer
read_row(DbTxn *txn, Core *core, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &ROW_OF_MAILBOX, error, "i", core->mailbox);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step != DB_ROW)
                return step == DB_ROW_END ? STORE_NO_MAILBOX : STORE_FAILED;
        core->account = db_int(rows, 0);
        core->uid_validity = (guint32) db_int(rows, 1);
        core->uid_next = (guint64) db_int(rows, 2);
        core->modseq = (guint64) db_int(rows, 3);
        core->folded = (guint32) db_int(rows, 4);
        core->forgotten = (guint64) db_int(rows, 5);
        core->keywords = keywords_new(db_text(rows, 6));
        return STORE_DONE;
}

void
core_sum_up(Core *core)
{
        guint n = core->blocks->len;

        core->starts = g_new(guint32, n + 1);
        for (guint i = 0; i < n; i++) {
                const Block *block = core->blocks->pdata[i];
                core->starts[i] = core->count;
                core->count += block->n;
                core->unseen += block->unseen;
                core->deleted += block->deleted;
                core->octets += block->octets;
        }
        core->starts[n] = core->count;
        for (guint i = core->n_page_blocks; i < n; i++) {
                const Block *block = core->blocks->pdata[i];
                core->uid_next = MAX(core->uid_next, (guint64) block->entries[block->n - 1].uid + 1);
                core->modseq = MAX(core->modseq, block->entries[block->n - 1].modseq);
        }
}

/* What follows the row. MODSEQ of the tail rises with UIDs. */
static gboolean
read_entries(DbTxn *txn, Core *core, const Core *before, GArray *marks, GError **error)
{
        g_autofree State *states = g_new(State, PAGE_ENTRIES);
        Tail tail = {.core = core};
        guint32 after = core->folded;

        marks_of_pages(marks);
        if (!(before != NULL ? merge_pages(txn, core, before, marks, states, error)
                             : read_pages(txn, core, states, error)))
                return FALSE;
        core->n_page_blocks = core->blocks->len;
        if (before != NULL)
                after = tail_reuse(&tail, before);
        if (!read_tail(txn, &tail, after, error))
                return FALSE;
        core_sum_up(core);
        return TRUE;
}

StoreAnswer
core_read(DbTxn *txn, gint64 mailbox, Shown *shown, Core **ret, GError **error)
{
        g_autoptr(Core) core = g_new0(Core, 1);
        Core *before = NULL;

        core->refs = 1;
        core->mailbox = mailbox;
        core->blocks = blocks_new();
        StoreAnswer answer = read_row(txn, core, error); /* takes the snapshot */
        if (answer != STORE_DONE)
                return answer;
        g_autoptr(GArray) marks = shown_marks(shown, &before);
        g_autoptr(Core) last = before;
        if (last != NULL && marks->len == 0) {
                *ret = g_steal_pointer(&last);
                return STORE_DONE;
        }
        if (!read_entries(txn, core, last, marks, error))
                return STORE_FAILED;
        *ret = g_steal_pointer(&core);
        return STORE_DONE;
}

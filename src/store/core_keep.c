/* core_keep.c -- a newer state of a mailbox in which nothing has gone yet, for a session that may not be told so. */
#include "store/core.h"

/* Two states from the first entry to the last, and what is made of them. */
typedef struct Keeping {
        const Core *older, *newer;
        guint old_block, new_block;
        guint32 old_at, new_at; /* in these blocks */
        Core *core;
        Block *open; /* the last of its blocks, with room; NULL: none */
} Keeping;

static Block *
block_at(const Core *core, guint i)
{
        return i < core->blocks->len ? core->blocks->pdata[i] : NULL;
}

static void
add_entry(Keeping *k, const ViewEntry *entry)
{
        if (k->open == NULL) {
                k->open = block_new(0, PAGE_ENTRIES);
                g_ptr_array_add(k->core->blocks, k->open);
        }
        block_add(k->open, entry, k->open->n);
        if (k->open->n == PAGE_ENTRIES)
                k->open = NULL;
}

static void
add_block(Keeping *k, Block *block)
{
        g_ptr_array_add(k->core->blocks, block_ref(block));
        k->open = NULL;
}

static void
next_entry(const Block *block, guint *at_block, guint32 *at)
{
        if (++*at == block->n) {
                ++*at_block;
                *at = 0;
        }
}

/* The entry of the newer state, or the one that it lacks. What is new comes behind everything that was. */
static void
keep_entry(Keeping *k, const Block *old, const Block *new)
{
        const ViewEntry *was = old != NULL ? &old->entries[k->old_at] : NULL;
        const ViewEntry *is = new != NULL ? &new->entries[k->new_at] : NULL;

        gboolean has_gone = was != NULL && (is == NULL || is->uid != was->uid);
        add_entry(k, has_gone ? was : is);
        if (was != NULL)
                next_entry(old, &k->old_block, &k->old_at);
        if (!has_gone)
                next_entry(new, &k->new_block, &k->new_at);
}

static void
keep_entries(Keeping *k)
{
        for (;;) {
                Block *old = block_at(k->older, k->old_block), *new = block_at(k->newer, k->new_block);
                if (old == NULL && new == NULL)
                        return;
                if (old != new || k->old_at != 0 || k->new_at != 0) {
                        keep_entry(k, old, new);
                        continue;
                }
                add_block(k, old);
                k->old_block++;
                k->new_block++;
        }
}

Core *
core_keeping(const Core *older, const Core *newer)
{
        Core *core = g_new(Core, 1);
        Keeping k = {.older = older, .newer = newer, .core = core};

        *core = (Core){.refs = 1,
                       .mailbox = newer->mailbox,
                       .account = newer->account,
                       .uid_validity = newer->uid_validity,
                       .folded = newer->folded,
                       .uid_next = newer->uid_next,
                       .modseq = older->modseq,
                       .forgotten = newer->forgotten,
                       .keywords = keywords_ref(newer->keywords),
                       .blocks = blocks_new()};
        keep_entries(&k);
        core->n_page_blocks = core->blocks->len; /* none of them is read on from */
        core_sum_up(core);
        return core;
}

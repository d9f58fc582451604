/* core.h -- one state of a mailbox, shared by the views of all its readers. Private to the room.
 *
 * Immutable once made, but for its references. Blocks hold what is in the mailbox, in order of UIDs: each is of one page, or of entries of the tail. A newer
 * core shares the blocks that are the same.
 */
#pragma once

#include "store/internal.h"
#include "store/page.h"
#include "store/registry.h"

typedef struct Slab Slab;

typedef struct Block {
        gint refs;
        Slab *slab;     /* that it was cut from, or NULL */
        guint32 first;  /* of its page; 0: of the tail */
        guint32 n, unseen, deleted;
        guint64 octets; /* of the copies */
        guint64 any, all; /* flags that some entry has, that each has */
        guint8 place[PAGE_ENTRIES]; /* of its entries in the page: those that are gone stand between */
        ViewEntry entries[];
} Block;

typedef struct Keywords {
        gint refs;
        char *text;
        guint n;
        char *names[FLAG_KEYWORDS_MAX];
} Keywords;

struct Core {
        gint refs;
        gint64 mailbox, account; /* its owner */
        guint32 uid_validity, folded;
        guint64 uid_next, modseq;
        guint64 forgotten; /* MODSEQ up to which expunges may be forgotten */
        Keywords *keywords;
        GPtrArray *blocks;
        guint32 *starts;         /* index of the first entry of each block, and at last `count` */
        guint n_page_blocks;     /* they come first */
        guint32 count, unseen, deleted;
        guint64 octets;
};

/* core.c. STORE_NO_MAILBOX: it is not there. shown: whose marks say what to read; the last state is its too. */
StoreAnswer core_read(DbTxn *txn, gint64 mailbox, Shown *shown, Core **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* core_keep.c. As newer, with what has gone from it since older in its place: what stands in older keeps its index. Its MODSEQ is that of older, so
 * below that of everything that has gone. */
Core *core_keeping(const Core *older, const Core *newer) G_GNUC_WARN_UNUSED_RESULT;
const Block *core_block_of(const Core *core, guint32 index, guint32 *ret_in_block);

/* Making one: blocks with room for so many entries, and at last what they sum up to. */
GPtrArray *blocks_new(void);
Block *block_new(guint32 first, guint room);
Block *block_ref(Block *block);
void block_add(Block *block, const ViewEntry *entry, guint place);
void core_sum_up(Core *core);

Keywords *keywords_new(const char *text);
Keywords *keywords_ref(Keywords *keywords);
void keywords_unref(Keywords *keywords);
/* Of a mailbox that is there. */
Keywords *keywords_read(DbTxn *txn, gint64 mailbox, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The number of a name (ASCII case apart), or -1. */
int keywords_find(const Keywords *keywords, Span name);
/* The bits that mean something: system flags, and keywords that have a name. */
guint64 keywords_flags(const Keywords *keywords) G_GNUC_PURE;

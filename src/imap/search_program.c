/* search_program.c -- FindTree -> FindProgram.
 *
 * AND, OR and NOT are nothing but jumps: "a, and if so b; otherwise no". Written from the end to the beginning, because
 * a test must know where the one behind it stands; so all jumps go forward.
 */
#include "imap/find.h"

/* What a test costs, in some hundred instructions. Text is read from disk. */
static const guint32 COSTS[] = {
        [FIND_ALWAYS] = 0,   [FIND_FLAG] = 1,   [FIND_KEYWORD] = 1,  [FIND_NUMBERS] = 2,  [FIND_UIDS] = 2,
        [FIND_SIZE] = 1,     [FIND_MODSEQ] = 1, [FIND_RECEIVED] = 1, [FIND_SAVED] = 1,    [FIND_SENT] = 10,
        [FIND_EMAILID] = 60, [FIND_FIELD] = 20, [FIND_BODY] = 10000, [FIND_TEXT] = 10000,
};

/* A node that is being written. */
typedef struct Writing {
        guint16 node;
        guint16 next; /* child that comes next, the dearest first; 0: none */
        guint16 on_true, on_false;
        guint16 entry; /* of what has been written of it so far */
} Writing;

typedef struct Maker {
        Arena *arena;
        const FindTree *tree;
        const View *view;
        const GArray *saved;
        guint16 *first, *sibling; /* children of a node, dearest first; 0 ends */
        FindLeaf *leaves;
        guint at; /* leaves from here on are written */
        FindProgram *program;
} Maker;

/* Order ------------------------------------------------------------------------------------------------------------ */

typedef struct Priced {
        guint32 cost;
        guint16 node;
} Priced;

static int
compare_cost(gconstpointer a, gconstpointer b)
{
        const Priced *x = a, *y = b;

        if (x->cost != y->cost)
                return x->cost < y->cost ? -1 : 1;
        return (int) x->node - (int) y->node;
}

/* Lists of children. A parent stands before its children, so costs add up from the last node to the first. */
static gboolean
order_children(Maker *m)
{
        guint n = m->tree->n;
        Priced *priced = arena_new_array(m->arena, Priced, n);

        m->first = arena_new_array(m->arena, guint16, n);
        m->sibling = arena_new_array(m->arena, guint16, n);
        if (priced == NULL || m->first == NULL || m->sibling == NULL)
                return FALSE;
        for (guint i = n; i-- > 0;) {
                priced[i].node = (guint16) i;
                priced[i].cost += m->tree->nodes[i].test > FIND_NONE_OF ? COSTS[m->tree->nodes[i].test] : 0;
                if (i > 0)
                        priced[m->tree->nodes[i].parent].cost += priced[i].cost;
        }
        qsort(priced, n, sizeof(Priced), compare_cost);
        for (guint i = 0; i < n; i++) {
                guint16 node = priced[i].node, parent = m->tree->nodes[node].parent;
                if (node == 0)
                        continue;
                m->sibling[node] = m->first[parent];
                m->first[parent] = node;
        }
        return TRUE;
}

/* Sets ------------------------------------------------------------------------------------------------------------- */

static guint32
uid_of(const View *view, guint32 number)
{
        return view_entry(view, number - 1)->uid;
}

/* '*' is the last message, and "n:*" takes it in however large n is (RFC 9051 §9, seq-range). */
static gboolean
bind_numbers(const View *view, UidRange given, UidRange *ret)
{
        guint32 n = view_count(view);

        if (given.last == G_MAXUINT32)
                given = (UidRange){MIN(given.first, n), n};
        if (n == 0 || given.first > n)
                return FALSE;
        *ret = (UidRange){uid_of(view, given.first), uid_of(view, MIN(given.last, n))};
        return TRUE;
}

/* "n:*" stays open, for messages that come while a search is live. */
static gboolean
bind_uids(const View *view, UidRange given, UidRange *ret)
{
        guint32 n = view_count(view), last = n > 0 ? uid_of(view, n) : 0;

        if (given.last == G_MAXUINT32 && n > 0) {
                guint32 end = given.first == G_MAXUINT32 ? last : G_MAXUINT32;
                given = (UidRange){MIN(given.first, last), end};
        }
        *ret = given;
        return TRUE;
}

static int
compare_first(gconstpointer a, gconstpointer b)
{
        guint32 x = ((const UidRange *) a)->first, y = ((const UidRange *) b)->first;

        return x < y ? -1 : x > y;
}

/* Rising and apart. */
static guint32
merge_ranges(UidRange *ranges, guint32 n)
{
        guint32 merged = 0;

        qsort(ranges, n, sizeof(UidRange), compare_first);
        for (guint32 i = 0; i < n; i++)
                if (merged > 0 && ranges[i].first <= ranges[merged - 1].last)
                        ranges[merged - 1].last = MAX(ranges[merged - 1].last, ranges[i].last);
                else
                        ranges[merged++] = ranges[i];
        return merged;
}

/* A set as ranges of UIDs, rising and apart. FALSE: the arena is over. */
static gboolean
bind_set(Arena *arena, const FindNode *node, const View *view, const GArray *saved_now, const UidRange **ret,
         guint32 *ret_n)
{
        const GArray *saved = node->set.is_saved ? saved_now : NULL;
        const UidRange *given = saved != NULL ? (const UidRange *) saved->data : node->set.ranges;
        gsize n_given = saved != NULL ? saved->len : node->set.n;
        gboolean is_numbers = node->test == FIND_NUMBERS && !node->set.is_saved;
        UidRange *ranges = arena_new_array(arena, UidRange, MAX(n_given, 1));
        guint32 n = 0;

        if (ranges == NULL)
                return FALSE;
        for (gsize i = 0; i < n_given; i++)
                if (is_numbers ? bind_numbers(view, given[i], &ranges[n]) : bind_uids(view, given[i], &ranges[n]))
                        n++;
        *ret_n = merge_ranges(ranges, n);
        *ret = ranges;
        return TRUE;
}

gboolean
find_node_keep(Arena *arena, FindNode *node, const View *view, const GArray *saved)
{
        const UidRange *ranges;
        guint32 n;

        if (node->test != FIND_NUMBERS && !node->set.is_saved)
                return TRUE;
        if (!bind_set(arena, node, view, saved, &ranges, &n))
                return FALSE;
        node->test = FIND_UIDS;
        node->set = (ImapSet){.ranges = ranges, .n = n};
        return TRUE;
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

static guint
sections_of(FindTest test)
{
        if (test == FIND_FIELD)
                return SUMMARY_FIELDS | SUMMARY_COPY;
        return test == FIND_SENT ? SUMMARY_KEYS : 0;
}

/* The entry of a node without children: a leaf, or what is known already. FALSE: the arena is over. */
static gboolean
write_leaf(Maker *m, const Writing *w, guint16 *ret_entry)
{
        const FindNode *node = &m->tree->nodes[w->node];
        FindLeaf leaf = {.test = node->test,
                         .on_true = w->on_true,
                         .on_false = w->on_false,
                         .flag = node->flag,
                         .from = node->from,
                         .to = node->to,
                         .name = node->name,
                         .text = node->text};

        *ret_entry = w->on_true;
        if (node->test == FIND_ALWAYS)
                return TRUE;
        *ret_entry = w->on_false;
        if (node->test == FIND_KEYWORD) {
                int bit = view_keyword_bit(m->view, node->text);
                if (bit < 0)
                        return TRUE;
                leaf.test = FIND_FLAG;
                leaf.flag = (guint64) 1 << bit;
        }
        if (node->test == FIND_NUMBERS || node->test == FIND_UIDS) {
                leaf.test = FIND_UIDS;
                if (!bind_set(m->arena, node, m->view, m->saved, &leaf.ranges, &leaf.n_ranges))
                        return FALSE;
                if (leaf.n_ranges == 0)
                        return TRUE;
        }
        if (node->test == FIND_FIELD && !field_names_make(m->arena, &node->name, 1, &leaf.field))
                return FALSE;
        m->program->sections |= sections_of(leaf.test);
        m->program->has_text |= find_is_text(leaf.test);
        m->leaves[--m->at] = leaf;
        *ret_entry = (guint16) m->at;
        return TRUE;
}

static Writing
begin(const Maker *m, guint16 node, guint16 on_true, guint16 on_false)
{
        FindTest test = m->tree->nodes[node].test;

        return (Writing){.node = node,
                         .next = m->first[node],
                         .on_true = on_true,
                         .on_false = on_false,
                         .entry = test == FIND_ANY_OF ? on_false : on_true};
}

/* The child that is written next: behind it comes what has been written. */
static Writing
begin_child(const Maker *m, Writing *w)
{
        guint16 child = w->next;

        w->next = m->sibling[child];
        switch (m->tree->nodes[w->node].test) {
        case FIND_ANY_OF:
                return begin(m, child, w->on_true, w->entry);
        case FIND_NONE_OF:
                return begin(m, child, w->on_false, w->on_true);
        default:
                return begin(m, child, w->entry, w->on_false);
        }
}

/* No deeper than the parser's stack, where NOT of a negative key and the words of FUZZY add one each. */
#define WRITING_MAX (FIND_DEPTH_MAX + 4)

static gboolean
write_all(Maker *m)
{
        Writing open[WRITING_MAX];
        guint n = 1;

        open[0] = begin(m, 0, FIND_ACCEPT, FIND_REJECT);
        while (n > 0) {
                Writing *w = &open[n - 1];
                if (m->tree->nodes[w->node].test > FIND_NONE_OF && !write_leaf(m, w, &w->entry))
                        return FALSE;
                if (w->next != 0) {
                        g_assert(n < WRITING_MAX);
                        open[n] = begin_child(m, w);
                        n++;
                        continue;
                }
                if (--n > 0)
                        open[n - 1].entry = w->entry;
                else
                        m->program->start = w->entry;
        }
        return TRUE;
}

gboolean
find_program_make(Arena *arena, const FindTree *tree, const View *view, const GArray *saved, FindProgram *ret)
{
        FindProgram program = {0};
        Maker m = {.arena = arena, .tree = tree, .view = view, .saved = saved, .at = tree->n, .program = &program};

        m.leaves = arena_new_array(arena, FindLeaf, tree->n);
        if (m.leaves == NULL || !order_children(&m) || !write_all(&m))
                return FALSE;
        program.leaves = m.leaves;
        program.n = tree->n;
        *ret = program;
        return TRUE;
}

/* Tests that the view answers -------------------------------------------------------------------------------------- */

static gboolean
is_within(const FindLeaf *leaf, gint64 value)
{
        return value >= leaf->from && value <= leaf->to;
}

static gboolean
is_in_ranges(const FindLeaf *leaf, guint32 uid)
{
        guint32 from = 0, to = leaf->n_ranges;

        while (from < to) {
                guint32 middle = from + (to - from) / 2;
                if (leaf->ranges[middle].last < uid)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from < leaf->n_ranges && leaf->ranges[from].first <= uid;
}

gboolean
find_test_entry(const FindLeaf *leaf, const View *view, guint32 index)
{
        switch (leaf->test) {
        case FIND_FLAG:
                return (view_flags(view, index) & leaf->flag) != 0;
        case FIND_UIDS:
                return is_in_ranges(leaf, view_entry(view, index)->uid);
        case FIND_SIZE:
                return is_within(leaf, (gint64) view_entry(view, index)->size);
        case FIND_MODSEQ:
                return is_within(leaf, (gint64) view_entry(view, index)->modseq);
        case FIND_RECEIVED:
                return is_within(leaf, view_entry(view, index)->received);
        case FIND_SAVED:
                return is_within(leaf, view_entry(view, index)->saved);
        default:
                g_assert_not_reached();
        }
}

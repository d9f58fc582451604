/* threads.c -- see threads.h.
 *
 * Nodes have the numbers of their place in the forest, which during threads_add() is the only thing that knows who is
 * whose parent (step 1 of RFC 5256). From threads_arrange() on it is the nodes' own `parent`, and order() makes the
 * lists of children from it: walking all messages by date once gives every list in its order, and a dummy its place,
 * which is that of its first child. So steps 4 and 6 are one walk each.
 */
#include "imap/threads.h"

#include "imap/forest.h"

#include <stdio.h>

#define NODES_MAX (1u << 28)
#define DUMMIES_MIN 4096
#define FIRST_ROOM 256

typedef struct Node {
        guint32 number;            /* 0: a dummy                                            */
        guint32 parent;            /* 0: below the root                                     */
        guint32 first, last, next; /* children, and the sibling behind this one  */
        gboolean is_reply;
        Usec sent, received;
        guint64 subject;
} Node;

/* A table from hashes to nodes. The multiplier is random: nobody chooses ids that meet in one place. */
typedef struct Table {
        struct {
                guint64 key;
                guint32 node; /* 0: free */
        } * slots;
        guint32 n;
        guint bits;
        guint64 multiplier;
} Table;

struct Threads {
        ThreadAlgorithm algorithm;
        Forest forest;
        Node *nodes;
        guint32 n_nodes, room; /* the highest number in use; what nodes has place for */
        guint32 n_messages, n_dummies;
        guint32 first, last; /* below the root */
        Table ids;
        guint32 *by_date;    /* n_messages of them */
        guint32 at;          /* threads_text(): the node it is at, 0 at the end */
        gboolean is_closing; /* it has been written, and what is below it     */
        gboolean is_begun;
};

/* Table ------------------------------------------------------------------------------------------------------------ */

static gboolean
table_init(Table *t, guint bits)
{
        *t = (Table){.bits = bits, .multiplier = (((guint64) g_random_int() << 32) | g_random_int()) | 1};
        t->slots = g_try_malloc0_n((gsize) 1 << bits, sizeof(*t->slots));
        return t->slots != NULL;
}

static void
table_done(Table *t)
{
        g_free(t->slots);
        *t = (Table){0};
}

/* Where the key is, or where it would be. */
static gsize
table_find(const Table *t, guint64 key)
{
        gsize mask = ((gsize) 1 << t->bits) - 1, at = (gsize) ((key * t->multiplier) >> (64 - t->bits));

        while (t->slots[at].node != 0 && t->slots[at].key != key)
                at = (at + 1) & mask;
        return at;
}

static gboolean
table_grow(Table *t)
{
        Table larger = {0};

        if (!table_init(&larger, t->bits + 1))
                return FALSE;
        for (gsize i = 0; i < (gsize) 1 << t->bits; i++)
                if (t->slots[i].node != 0)
                        larger.slots[table_find(&larger, t->slots[i].key)] = t->slots[i];
        larger.n = t->n;
        table_done(t);
        *t = larger;
        return TRUE;
}

static guint32
table_get(const Table *t, guint64 key)
{
        return t->slots[table_find(t, key)].node;
}

static gboolean
table_set(Table *t, guint64 key, guint32 node)
{
        if (t->n >= (gsize) 1 << (t->bits - 1) && !table_grow(t))
                return FALSE;
        gsize at = table_find(t, key);
        t->n += t->slots[at].node == 0;
        t->slots[at].key = key;
        t->slots[at].node = node;
        return TRUE;
}

/* Gathering (step 1) ----------------------------------------------------------------------------------------------- */

Threads *
threads_new(ThreadAlgorithm algorithm)
{
        Threads *t = g_new0(Threads, 1);

        t->algorithm = algorithm;
        forest_init(&t->forest, NODES_MAX);
        return t;
}

void
threads_free(Threads *t)
{
        if (t == NULL)
                return;
        forest_done(&t->forest);
        table_done(&t->ids);
        g_free(t->nodes);
        g_free(t->by_date);
        g_free(t);
}

/* A node that is nothing yet: a dummy. 0 when there is no memory. */
static guint32
add_node(Threads *t)
{
        if (t->n_nodes + 1 >= t->room) {
                guint32 room = t->room > 0 ? t->room * 2 : FIRST_ROOM;
                Node *nodes = room <= NODES_MAX ? g_try_realloc_n(t->nodes, room, sizeof(Node)) : NULL;
                if (nodes == NULL)
                        return 0;
                t->nodes = nodes;
                t->room = room;
                t->nodes[0] = (Node){0};
        }
        t->nodes[++t->n_nodes] = (Node){0};
        return t->n_nodes;
}

static guint32
add_tree(Threads *t)
{
        guint32 node = add_node(t);

        if (node != 0 && t->algorithm != THREAD_ORDEREDSUBJECT && forest_add(&t->forest) != node)
                return 0;
        return node;
}

/* The message or dummy that is meant by a reference; 0: passed over, or no memory. */
static guint32
referred(Threads *t, guint64 id)
{
        guint32 node = table_get(&t->ids, id);

        if (node != 0)
                return node;
        if (t->n_dummies >= DUMMIES_MIN && t->n_dummies / 2 >= t->n_messages)
                return 0;
        node = add_tree(t);
        if (node == 0 || !table_set(&t->ids, id, node))
                return 0;
        t->n_dummies++;
        return node;
}

/* The node of a message: the dummy that stood for it, or a new one. Of several with one id only the first has it. */
static guint32
message_node(Threads *t, guint64 id)
{
        guint32 node = id != 0 ? table_get(&t->ids, id) : 0;

        if (node != 0 && t->nodes[node].number == 0) {
                t->n_dummies--;
                return node;
        }
        gboolean is_first = id != 0 && node == 0;
        node = add_tree(t);
        if (node != 0 && is_first && !table_set(&t->ids, id, node))
                return 0;
        return node;
}

/* Steps 1.A and 1.B: what the references say of each other, then who is the message's parent. */
static void
link_references(Threads *t, guint32 node, const ThreadMessage *m)
{
        guint32 parent = 0;

        for (guint i = 0; i < m->n_references; i++) {
                guint32 child = referred(t, m->references[i]);
                if (child == 0)
                        continue;
                if (parent != 0 && forest_parent(&t->forest, child) == 0)
                        (void) forest_link(&t->forest, parent, child);
                parent = child;
        }
        forest_cut(&t->forest, node); /* what others said of it counts less */
        if (parent != 0)
                (void) forest_link(&t->forest, parent, node);
}

gboolean
threads_add(Threads *t, const ThreadMessage *m)
{
        if (t->ids.slots == NULL && !table_init(&t->ids, 8))
                return FALSE;
        gboolean is_flat = t->algorithm == THREAD_ORDEREDSUBJECT;
        guint32 node = is_flat ? add_tree(t) : message_node(t, m->id);
        if (node == 0)
                return FALSE;
        t->nodes[node].number = m->number;
        t->nodes[node].is_reply = m->is_reply;
        t->nodes[node].sent = m->sent;
        t->nodes[node].received = m->received;
        t->nodes[node].subject = m->subject;
        t->n_messages++;
        if (!is_flat)
                link_references(t, node, m);
        return TRUE;
}

/* Arranging -------------------------------------------------------------------------------------------------------- */

static gboolean
is_dummy(const Threads *t, guint32 node)
{
        return t->nodes[node].number == 0;
}

static int
compare_sent(gconstpointer a, gconstpointer b, gpointer data)
{
        const Node *nodes = ((const Threads *) data)->nodes, *x = &nodes[*(const guint32 *) a],
                   *y = &nodes[*(const guint32 *) b];

        if (x->sent != y->sent)
                return x->sent < y->sent ? -1 : 1;
        return x->number < y->number ? -1 : x->number > y->number;
}

static gboolean
sort_by_date(Threads *t)
{
        guint32 n = 0;

        t->by_date = g_try_new(guint32, (gsize) t->n_messages + 1);
        if (t->by_date == NULL)
                return FALSE;
        for (guint32 i = 1; i <= t->n_nodes; i++)
                if (!is_dummy(t, i))
                        t->by_date[n++] = i;
        g_assert(n == t->n_messages);
        g_qsort_with_data(t->by_date, (int) n, sizeof(guint32), compare_sent, t);
        return TRUE;
}

static void
append(Threads *t, guint32 parent, guint32 node)
{
        guint32 *first = parent != 0 ? &t->nodes[parent].first : &t->first;
        guint32 *last = parent != 0 ? &t->nodes[parent].last : &t->last;

        if (*first == 0)
                *first = node;
        else
                t->nodes[*last].next = node;
        *last = node;
}

/* The lists of children, by date, and the one below the root (steps 4 and 6). */
static void
order(Threads *t)
{
        t->first = t->last = 0;
        for (guint32 i = 1; i <= t->n_nodes; i++)
                t->nodes[i].first = t->nodes[i].last = t->nodes[i].next = 0;
        for (guint32 i = 0; i < t->n_messages; i++) {
                guint32 node = t->by_date[i], parent = t->nodes[node].parent;
                if (parent != 0 && is_dummy(t, parent) && t->nodes[parent].first == 0)
                        append(t, 0, parent);
                append(t, parent, node);
        }
}

/* The nearest message above, or else the dummy that is topmost. The dummies on the way point there from then on, so
 * that nobody walks a way twice. */
static guint32
shortened_parent(Threads *t, guint32 node)
{
        guint32 found = t->nodes[node].parent;

        while (found != 0 && is_dummy(t, found) && t->nodes[found].parent != 0)
                found = t->nodes[found].parent;
        for (guint32 at = t->nodes[node].parent; at != found;) {
                guint32 above = t->nodes[at].parent;
                t->nodes[at].parent = found;
                at = above;
        }
        return found;
}

/* Step 3: only dummies below the root stay, and of these only those with two children and more. */
static void
prune(Threads *t)
{
        for (guint32 i = 1; i <= t->n_nodes; i++)
                if (!is_dummy(t, i))
                        t->nodes[i].parent = shortened_parent(t, i);
        order(t);
        for (guint32 i = 1; i <= t->n_nodes; i++)
                if (is_dummy(t, i) && t->nodes[i].first != 0 && t->nodes[i].first == t->nodes[i].last)
                        t->nodes[t->nodes[i].first].parent = 0;
        order(t);
}

static guint64
thread_subject(const Threads *t, guint32 top)
{
        return t->nodes[is_dummy(t, top) ? t->nodes[top].first : top].subject;
}

/* Step 5.B: whom the others of that subject join. */
static gboolean
fill_subjects(Threads *t, Table *subjects)
{
        for (guint32 top = t->first; top != 0; top = t->nodes[top].next) {
                guint64 subject = thread_subject(t, top);
                guint32 known = table_get(subjects, subject);
                if (subject == 0)
                        continue;
                gboolean is_better =
                        known == 0 || (!is_dummy(t, known) &&
                                       (is_dummy(t, top) || (t->nodes[known].is_reply && !t->nodes[top].is_reply)));
                if (is_better && !table_set(subjects, subject, top))
                        return FALSE;
        }
        return TRUE;
}

/* Step 5.C for one of them. The lists stay as they are; order() follows. */
static gboolean
join(Threads *t, Table *subjects, guint64 subject, guint32 with, guint32 top)
{
        if (is_dummy(t, top)) {
                g_assert(is_dummy(t, with)); /* or it would have taken its place */
                for (guint32 child = t->nodes[top].first; child != 0; child = t->nodes[child].next)
                        t->nodes[child].parent = with;
                return TRUE;
        }
        if (is_dummy(t, with) || (t->nodes[top].is_reply && !t->nodes[with].is_reply)) {
                t->nodes[top].parent = with;
                return TRUE;
        }
        guint32 both = add_node(t);
        if (both == 0)
                return FALSE;
        t->nodes[with].parent = t->nodes[top].parent = both;
        return table_set(subjects, subject, both);
}

/* Step 5: threads of one subject become one. */
static gboolean
merge_subjects(Threads *t)
{
        Table subjects;

        if (!table_init(&subjects, 8))
                return FALSE;
        gboolean done = fill_subjects(t, &subjects);
        for (guint32 top = t->first; top != 0 && done; top = t->nodes[top].next) {
                guint64 subject = thread_subject(t, top);
                guint32 with = subject != 0 ? table_get(&subjects, subject) : 0;
                if (with != 0 && with != top)
                        done = join(t, &subjects, subject, with, top);
        }
        table_done(&subjects);
        if (done)
                order(t);
        return done;
}

/* ORDEREDSUBJECT: all are children of the first of their subject. */
static gboolean
group_subjects(Threads *t)
{
        Table subjects;
        gboolean done = TRUE;

        if (!table_init(&subjects, 8))
                return FALSE;
        for (guint32 i = 0; i < t->n_messages && done; i++) {
                Node *node = &t->nodes[t->by_date[i]];
                node->parent = table_get(&subjects, node->subject);
                if (node->parent == 0)
                        done = table_set(&subjects, node->subject, t->by_date[i]);
        }
        table_done(&subjects);
        if (done)
                order(t);
        return done;
}

/* The node behind this one in document order; below `top` only. 0 at the end. */
static guint32
next_below(const Threads *t, guint32 top, guint32 node)
{
        if (t->nodes[node].first != 0)
                return t->nodes[node].first;
        while (node != top && t->nodes[node].next == 0)
                node = t->nodes[node].parent;
        return node != top ? t->nodes[node].next : 0;
}

static int
compare_received(gconstpointer a, gconstpointer b, gpointer data)
{
        const Node *nodes = ((const Threads *) data)->nodes, *x = &nodes[*(const guint32 *) a],
                   *y = &nodes[*(const guint32 *) b];

        return x->received < y->received ? -1 : x->received > y->received;
}

/* REFS: a thread that something has just come into is the last. */
static gboolean
order_by_arrival(Threads *t)
{
        g_autoptr(GArray) tops = g_array_new(FALSE, FALSE, sizeof(guint32));

        for (guint32 top = t->first; top != 0; top = t->nodes[top].next) {
                Usec latest = G_MININT64;
                for (guint32 at = top; at != 0; at = next_below(t, top, at))
                        if (!is_dummy(t, at))
                                latest = MAX(latest, t->nodes[at].received);
                t->nodes[top].received = latest;
                g_array_append_val(tops, top);
        }
        g_qsort_with_data(tops->data, (int) tops->len, sizeof(guint32), compare_received, t);
        t->first = t->last = 0;
        for (guint i = 0; i < tops->len; i++) {
                guint32 top = g_array_index(tops, guint32, i);
                t->nodes[top].next = 0;
                append(t, 0, top);
        }
        return TRUE;
}

gboolean
threads_arrange(Threads *t)
{
        if (!sort_by_date(t))
                return FALSE;
        if (t->algorithm == THREAD_ORDEREDSUBJECT)
                return group_subjects(t);
        for (guint32 i = 1; i <= t->n_nodes; i++)
                t->nodes[i].parent = forest_parent(&t->forest, i);
        forest_done(&t->forest);
        prune(t);
        return t->algorithm == THREAD_REFERENCES ? merge_subjects(t) : order_by_arrival(t);
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

/* Whether the node has parentheses of its own: it begins a thread, or is one of several children. */
static gboolean
is_branch(const Threads *t, guint32 node)
{
        guint32 parent = t->nodes[node].parent;

        return parent == 0 || t->nodes[parent].first != t->nodes[parent].last;
}

/* One node on the way down: "(3", " 6", "((", ... */
static gsize
write_down(Threads *t, char *out)
{
        const Node *node = &t->nodes[t->at];
        gboolean is_first_branch =
                node->parent != 0 && t->nodes[node->parent].first == t->at && !is_dummy(t, node->parent);
        gsize n = 0;

        if (is_first_branch)
                out[n++] = ' ';
        if (is_branch(t, t->at))
                out[n++] = '(';
        if (node->number != 0)
                n += (gsize) g_snprintf(out + n, 12, "%u", node->number);
        if (node->first != 0)
                t->at = node->first;
        else
                t->is_closing = TRUE;
        return n;
}

/* One step on the way up. */
static gsize
write_up(Threads *t, char *out)
{
        const Node *node = &t->nodes[t->at];
        gsize n = 0;

        if (is_branch(t, t->at))
                out[n++] = ')';
        t->is_closing = node->next == 0;
        t->at = node->next != 0 ? node->next : node->parent;
        return n;
}

#define STEP_OCTETS 16

gsize
threads_text(Threads *t, char *out, gsize room)
{
        gsize n = 0;

        g_assert(room >= 2 * STEP_OCTETS);
        if (!t->is_begun) {
                t->is_begun = TRUE;
                t->at = t->first;
        }
        while (t->at != 0 && room - n >= STEP_OCTETS)
                n += t->is_closing ? write_up(t, out + n) : write_down(t, out + n);
        return n;
}

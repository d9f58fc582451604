/* forest.h -- trees that are linked and cut apart while somebody asks for their roots.
 *
 * THREAD=REFERENCES may link no message below itself (RFC 5256 §3, step 1). Asking by walking up costs the square of a
 * long thread; here link, cut and the question cost its logarithm, amortized (a link-cut tree: each path of the forest
 * is kept as a splay tree by depth).
 *
 * Nodes are numbered from 1; 0 is none. Threads: one. Memory: 16 octets a node.
 */
#pragma once

#include <glib.h>

typedef struct ForestNode {
        guint32 parent;      /* as linked                                                        */
        guint32 up;          /* private: in the splay tree, or from its root to the path above   */
        guint32 left, right; /* private: what is above and below on the path                     */
} ForestNode;

typedef struct Forest {
        ForestNode *nodes;
        guint32 n, room, max; /* n: the highest number in use */
} Forest;

void forest_init(Forest *f, guint32 max_nodes);
void forest_done(Forest *f);

/* A new tree of one node: its number, or 0 when there are max_nodes or no memory is left. */
guint32 forest_add(Forest *f) G_GNUC_WARN_UNUSED_RESULT;

/* Put the root `child` below `parent`. FALSE, and nothing is done, when that would be a loop. */
gboolean forest_link(Forest *f, guint32 parent, guint32 child);

/* Make the node the root of a tree of its own. */
void forest_cut(Forest *f, guint32 node);

static inline guint32
forest_parent(const Forest *f, guint32 node)
{
        return f->nodes[node].parent;
}

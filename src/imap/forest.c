/* forest.c -- see forest.h. */
#include "imap/forest.h"

#include <string.h>

#define FIRST_ROOM 256

void
forest_init(Forest *f, guint32 max_nodes)
{
        *f = (Forest){.max = MIN(max_nodes, G_MAXUINT32 / 4)};
}

void
forest_done(Forest *f)
{
        g_free(f->nodes);
        *f = (Forest){0};
}

guint32
forest_add(Forest *f)
{
        if (f->n >= f->max)
                return 0;
        if (f->n + 1 >= f->room) {
                guint32 room = f->room > 0 ? f->room * 2 : FIRST_ROOM;
                ForestNode *nodes = g_try_realloc_n(f->nodes, room, sizeof(ForestNode));
                if (nodes == NULL)
                        return 0;
                f->nodes = nodes;
                f->room = room;
                f->nodes[0] = (ForestNode){0};
        }
        f->nodes[++f->n] = (ForestNode){0};
        return f->n;
}

/* Whether it is the root of its splay tree: nobody's child, or only the one whose path begins below another. */
static gboolean
is_top(const ForestNode *n, guint32 x)
{
        guint32 up = n[x].up;

        return up == 0 || (n[up].left != x && n[up].right != x);
}

static void
rotate(ForestNode *n, guint32 x)
{
        guint32 p = n[x].up, g = n[p].up;
        gboolean was_top = is_top(n, p);

        if (n[p].left == x) {
                n[p].left = n[x].right;
                if (n[x].right != 0)
                        n[n[x].right].up = p;
                n[x].right = p;
        } else {
                n[p].right = n[x].left;
                if (n[x].left != 0)
                        n[n[x].left].up = p;
                n[x].left = p;
        }
        n[p].up = x;
        n[x].up = g;
        if (was_top)
                return;
        if (n[g].left == p)
                n[g].left = x;
        else
                n[g].right = x;
}

static void
splay(ForestNode *n, guint32 x)
{
        while (!is_top(n, x)) {
                guint32 p = n[x].up;
                if (!is_top(n, p)) {
                        guint32 g = n[p].up;
                        gboolean is_straight = (n[p].left == x) == (n[g].left == p);
                        rotate(n, is_straight ? p : x);
                }
                rotate(n, x);
        }
}

/* One splay tree for the path from the root to x, with x on top and nothing below it. */
static void
expose(ForestNode *n, guint32 x)
{
        splay(n, x);
        n[x].right = 0;
        while (n[x].up != 0) {
                guint32 above = n[x].up;
                splay(n, above);
                n[above].right = x;
                splay(n, x);
        }
}

static guint32
root_of(ForestNode *n, guint32 x)
{
        expose(n, x);
        while (n[x].left != 0)
                x = n[x].left;
        splay(n, x); /* pays for the walk */
        return x;
}

gboolean
forest_link(Forest *f, guint32 parent, guint32 child)
{
        ForestNode *n = f->nodes;

        g_assert(n[child].parent == 0 && parent != 0);
        if (root_of(n, parent) == child)
                return FALSE;
        expose(n, child);
        n[child].up = parent;
        n[child].parent = parent;
        return TRUE;
}

void
forest_cut(Forest *f, guint32 node)
{
        ForestNode *n = f->nodes;

        if (n[node].parent == 0)
                return;
        expose(n, node);
        n[n[node].left].up = 0;
        n[node].left = 0;
        n[node].parent = 0;
}

/* RETURN and a search program, and the program made of it for an empty mailbox; the first octet says what is enabled.
 */
#include "imap/find.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The only view there is: nothing in it. */
guint32
view_count(const View *view)
{
        return 0;
}

const ViewEntry *
view_entry(const View *view, guint32 index)
{
        g_assert_not_reached();
}

guint64
view_flags(const View *view, guint32 index)
{
        g_assert_not_reached();
}

int
view_keyword_bit(const View *view, Span name)
{
        return name.len % 2 == 0 ? (int) (name.len % 40) + 8 : -1;
}

/* Jumps go forward and stay inside. */
static void
check_program(const FindProgram *p)
{
        for (guint i = 0; i < p->n; i++)
                if (p->leaves[i].on_true != p->leaves[i].on_false) {
                        g_assert(p->leaves[i].on_true > i &&
                                 (p->leaves[i].on_true < p->n || p->leaves[i].on_true >= FIND_REJECT));
                        g_assert(p->leaves[i].on_false > i &&
                                 (p->leaves[i].on_false < p->n || p->leaves[i].on_false >= FIND_REJECT));
                }
        g_assert(p->start < p->n || p->start >= FIND_REJECT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const guint64 everything[2] = {G_MAXUINT64, G_MAXUINT64};
        g_autoptr(GArray) recent = g_array_new(FALSE, FALSE, sizeof(UidRange));
        FindOptions options;
        FindTree tree, copy;
        FindProgram program;

        if (size < 1)
                return 0;
        g_autoptr(Arena) arena = arena_new((gsize) 512 * 1024), other = arena_new((gsize) 256 * 1024);
        ImapArgs a = {.scan = scan_from(span_make(data + 1, size - 1)), .arena = arena, .enabled = data[0]};
        g_array_append_val(recent, ((UidRange){3, 5}));
        a.recent = (data[0] & 0x40) != 0 ? recent : NULL;
        a.off = (data[0] & 0x80) != 0 ? everything : NULL;
        if (!find_parse_options(&a, FALSE, &options) || find_parse_program(&a, USEC_PER_DAY, &tree) != FIND_PARSED)
                return 0;
        g_assert(scan_at_end(&a.scan));
        g_assert(tree.n >= 2 && tree.n <= FIND_KEYS_MAX && tree.nodes[0].test == FIND_ALL_OF);
        for (guint i = 1; i < tree.n; i++)
                g_assert(tree.nodes[i].parent < i && tree.nodes[tree.nodes[i].parent].test <= FIND_NONE_OF);
        if (find_program_make(arena, &tree, (const View *) &a, NULL, &program))
                check_program(&program);
        if (find_tree_copy(other, &tree, &copy))
                g_assert(copy.n == tree.n);
        return 0;
}

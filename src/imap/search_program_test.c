#include "imap/find.h"

/* A view that is an array -------------------------------------------------------------------------------------------
 */

struct View {
        ViewEntry entries[40];
        guint32 n;
};

guint32
view_count(const View *view)
{
        return view->n;
}

const ViewEntry *
view_entry(const View *view, guint32 index)
{
        g_assert_cmpuint(index, <, view->n);
        return &view->entries[index];
}

guint64
view_flags(const View *view, guint32 index)
{
        return view_entry(view, index)->flags;
}

int
view_keyword_bit(const View *view, Span name)
{
        return span_is(name, "$Junk") ? 9 : -1;
}

/* Every third UID, from 10 on. */
static View
view_of(guint32 n)
{
        View view = {.n = n};

        for (guint32 i = 0; i < n; i++)
                view.entries[i] = (ViewEntry){.uid = 10 + 3 * i};
        return view;
}

static void
parse(Arena *arena, const char *text, FindTree *ret)
{
        ImapArgs a = {.scan = scan_from(span_of(text)), .arena = arena};

        g_assert_cmpint(find_parse_program(&a, 1000 * USEC_PER_SEC, ret), ==, FIND_PARSED);
}

/* The messages for which it says yes; texts and fields never match. */
static char *
found(const char *text, const View *view, const GArray *saved)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024);
        GString *out = g_string_new(NULL);
        FindProgram p;
        FindTree tree;

        parse(arena, text, &tree);
        g_assert_true(find_program_make(arena, &tree, view, saved, &p));
        for (guint32 i = 0; i < view->n; i++) {
                guint16 at = p.start;
                while (at < FIND_REJECT) {
                        const FindLeaf *leaf = &p.leaves[at];
                        gboolean is_true = find_is_cheap(leaf->test) && find_test_entry(leaf, view, i);
                        guint16 next = is_true ? leaf->on_true : leaf->on_false;
                        g_assert_cmpuint(next, >, at);
                        at = next;
                }
                if (at == FIND_ACCEPT)
                        g_string_append_printf(out, "%s%u", out->len > 0 ? " " : "", i + 1);
        }
        return g_string_free(out, FALSE);
}

#define FOUND(text, expected)                                                                                          \
        do {                                                                                                           \
                g_autofree char *got = found((text), &view, saved);                                                    \
                g_assert_cmpstr(got, ==, (expected));                                                                  \
        } while (0)

static void
tests(void)
{
        View view = view_of(4);
        const GArray *saved = NULL;

        view.entries[0].flags = FLAG_SEEN | FLAG_DELETED;
        view.entries[1].flags = FLAG_SEEN | (guint64) 1 << 9;
        view.entries[2].size = 100;
        view.entries[2].modseq = 7;
        view.entries[3].received = USEC_PER_DAY;
        view.entries[3].saved = 5 * USEC_PER_DAY;
        FOUND("ALL", "1 2 3 4");
        FOUND("SEEN", "1 2");
        FOUND("UNSEEN", "3 4");
        FOUND("SEEN UNDELETED", "2");
        FOUND("OR DELETED UNSEEN", "1 3 4");
        FOUND("KEYWORD $junk", "2");
        FOUND("KEYWORD none", "");
        FOUND("UNKEYWORD none", "1 2 3 4");
        FOUND("LARGER 99", "3");
        FOUND("LARGER 100", "");
        FOUND("SMALLER 100", "1 2 4");
        FOUND("MODSEQ 7", "3");
        FOUND("ON 2-Jan-1970", "4");
        FOUND("BEFORE 2-Jan-1970", "1 2 3");
        FOUND("SAVEDSINCE 2-Jan-1970", "4");
        FOUND("RECENT", "");
        FOUND("OLD", "1 2 3 4");
        FOUND("NOT (SEEN OR DELETED KEYWORD $Junk)", "3 4");
}

static void
sets(void)
{
        View view = view_of(10); /* 10 13 16 19 22 25 28 31 34 37 */
        g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(UidRange));
        const GArray *saved = NULL;

        FOUND("2:4,7", "2 3 4 7");
        FOUND("7,4:2,3", "2 3 4 7");
        FOUND("9:*", "9 10");
        FOUND("*:9", "9 10");
        FOUND("*", "10");
        FOUND("50:*", "10");
        FOUND("50:60", "");
        FOUND("8:60", "8 9 10");
        FOUND("UID 10,16:22", "1 3 4 5");
        FOUND("UID 11:12", "");
        FOUND("UID 34:*", "9 10");
        FOUND("UID 100:*", "10");
        FOUND("UID *", "10");
        FOUND("UID 100:200", "");
        FOUND("$", "");
        FOUND("NOT $", "1 2 3 4 5 6 7 8 9 10");
        const UidRange some[] = {{13, 16}, {37, 37}};
        g_array_append_vals(ranges, some, 2);
        saved = ranges;
        FOUND("$", "2 3 10");
        FOUND("UID $ 3:*", "3 10");
        view.n = 0;
        FOUND("1:*", "");
        FOUND("*", "");
        FOUND("UID *", "");
}

/* Numbers and "$" as they were, when more has come and "$" is another. */
static void
kept(void)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024);
        View view = view_of(3), later = view_of(6);
        FindTree tree;
        FindProgram p;

        parse(arena, "OR 2:* UID 19:*", &tree);
        for (guint i = 0; i < tree.n; i++)
                g_assert_true(find_node_keep(arena, (FindNode *) &tree.nodes[i], &view, NULL));
        g_assert_true(find_program_make(arena, &tree, &later, NULL, &p));
        g_assert_cmpuint(p.leaves[p.start].n_ranges, ==, 1);
        g_assert_cmpuint(p.leaves[p.start].ranges[0].first, ==, 13);
        g_assert_cmpuint(p.leaves[p.start].ranges[0].last, ==, 16);
}

static void
cheap_first(void)
{
        static const struct {
                const char *text;
                FindTest first, last;
        } rows[] = {
                {"BODY x SUBJECT y SEEN", FIND_FLAG, FIND_BODY},
                {"OR BODY x (TEXT z SENTON 1-Jan-2020)", FIND_BODY, FIND_TEXT},
                {"BODY x (BODY y SEEN) UID 1:*", FIND_UIDS, FIND_BODY},
                {"OR TEXT x OR SUBJECT y FLAGGED", FIND_FLAG, FIND_TEXT},
                {"EMAILID x SUBJECT y", FIND_FIELD, FIND_EMAILID},
        };
        View view = view_of(3);

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Arena) arena = arena_new(512 * 1024);
                FindTree tree;
                FindProgram p;
                parse(arena, rows[i].text, &tree);
                g_assert_true(find_program_make(arena, &tree, &view, NULL, &p));
                g_assert_cmpint(p.leaves[p.start].test, ==, rows[i].first);
                g_assert_cmpint(p.leaves[p.n - 1].test, ==, rows[i].last);
                g_assert_cmpint(p.has_text, ==,
                                strstr(rows[i].text, "BODY") != NULL || strstr(rows[i].text, "TEXT") != NULL);
        }
}

/* The tree word by word. */
static gboolean
evaluate(const FindTree *tree, guint node, guint64 flags)
{
        const FindNode *n = &tree->nodes[node];
        gboolean is_true = n->test != FIND_ANY_OF;

        if (n->test == FIND_FLAG)
                return (flags & n->flag) != 0;
        if (n->test == FIND_ALWAYS || n->test == FIND_UIDS) /* RECENT: nothing is */
                return n->test == FIND_ALWAYS;
        for (guint i = node + 1; i < tree->n; i++)
                if (tree->nodes[i].parent == node) {
                        gboolean below = evaluate(tree, i, flags);
                        if (n->test == FIND_NONE_OF)
                                return !below;
                        is_true = n->test == FIND_ALL_OF ? is_true && below : is_true || below;
                }
        return is_true;
}

static void
add_random_key(GString *to, GRand *random, guint depth)
{
        static const char *const keys[] = {"SEEN",    "UNSEEN", "DELETED", "UNDELETED",
                                           "FLAGGED", "DRAFT",  "ALL",     "RECENT"};
        gint what = g_rand_int_range(random, 0, depth < 8 ? 9 : 5);

        switch (what) {
        case 5:
                g_string_append(to, "NOT ");
                add_random_key(to, random, depth + 1);
                break;
        case 6:
                g_string_append(to, "OR ");
                add_random_key(to, random, depth + 1);
                g_string_append_c(to, ' ');
                add_random_key(to, random, depth + 1);
                break;
        case 7:
        case 8:
                g_string_append_c(to, '(');
                for (gint n = g_rand_int_range(random, 1, 4); n > 0; n--) {
                        add_random_key(to, random, depth + 1);
                        g_string_append(to, n > 1 ? " " : "");
                }
                g_string_append_c(to, ')');
                break;
        default:
                g_string_append(to, keys[g_rand_int_range(random, 0, G_N_ELEMENTS(keys))]);
        }
}

static void
as_the_tree(void)
{
        g_autoptr(GRand) random = g_rand_new_with_seed(9051);
        View view = view_of(32);

        for (guint32 i = 0; i < 32; i++)
                view.entries[i].flags = i;
        for (guint round = 0; round < 5000; round++) {
                g_autoptr(Arena) arena = arena_new(512 * 1024);
                g_autoptr(GString) text = g_string_new(NULL);
                g_autoptr(GString) expected = g_string_new(NULL);
                FindTree tree;
                add_random_key(text, random, 0);
                parse(arena, text->str, &tree);
                for (guint32 i = 0; i < 32; i++)
                        if (evaluate(&tree, 0, i))
                                g_string_append_printf(expected, "%s%u", expected->len > 0 ? " " : "", i + 1);
                g_autofree char *got = found(text->str, &view, NULL);
                g_assert_cmpstr(got, ==, expected->str);
        }
}

static void
deepest(void)
{
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *got = NULL;
        View view = view_of(2);

        for (guint i = 0; i < FIND_DEPTH_MAX - 2; i++)
                g_string_append(text, "NOT ");
        g_string_append(text, "FUZZY UNSEEN");
        got = found(text->str, &view, NULL);
        g_assert_cmpstr(got, ==, "1 2");
}

static void
small_arena(void)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024), small = arena_new(100);
        View view = view_of(2);
        FindTree tree;
        FindProgram p;

        parse(arena, "OR SEEN 1:5", &tree);
        g_assert_false(find_program_make(small, &tree, &view, NULL, &p));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/search_program/RFC 9051 §6.4.4: what the view answers", tests);
        g_test_add_func("/imap/search_program/RFC 9051 §9, 5182 §2.1: sets, '*' and $", sets);
        g_test_add_func("/imap/search_program/RFC 5267 §4.3: numbers are those of the command", kept);
        g_test_add_func("/imap/search_program/cheap tests come first", cheap_first);
        g_test_add_func("/imap/search_program/any tree: as it reads", as_the_tree);
        g_test_add_func("/imap/search_program/the deepest tree", deepest);
        g_test_add_func("/imap/search_program/a small arena", small_arena);
        return g_test_run();
}

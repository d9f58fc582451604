#include "imap/find.h"

#define NOW (1000000 * USEC_PER_SEC)
#define DAY(n) ((n) *USEC_PER_DAY)

/* The tree as text: "&" all of, "|" any of, "!" not, leaves by their test and arguments. */
static void
write_leaf(GString *to, const FindNode *n)
{
        switch (n->test) {
        case FIND_ALWAYS:
                g_string_append(to, "always");
                break;
        case FIND_FLAG:
                g_string_append_printf(to, "flag%" G_GUINT64_FORMAT, n->flag);
                break;
        case FIND_KEYWORD:
        case FIND_EMAILID:
                g_string_append_printf(to, "%s=%.*s", n->test == FIND_KEYWORD ? "keyword" : "emailid",
                                       (int) n->text.len, (const char *) n->text.data);
                break;
        case FIND_NUMBERS:
        case FIND_UIDS:
                g_string_append(to, n->test == FIND_NUMBERS ? "numbers" : "uids");
                for (gsize i = 0; i < n->set.n; i++)
                        g_string_append_printf(to, ",%u:%u", n->set.ranges[i].first, n->set.ranges[i].last);
                g_string_append(to, n->set.is_saved ? "$" : "");
                break;
        case FIND_FIELD:
                g_string_append_printf(to, "%.*s~", (int) n->name.len, (const char *) n->name.data);
                g_string_append_len(to, (const char *) n->text.data, (gssize) n->text.len);
                break;
        case FIND_BODY:
        case FIND_TEXT:
                g_string_append(to, n->test == FIND_BODY ? "body~" : "text~");
                g_string_append_len(to, (const char *) n->text.data, (gssize) n->text.len);
                break;
        default: {
                static const char *const names[] = {[FIND_SIZE] = "size",
                                                    [FIND_MODSEQ] = "modseq",
                                                    [FIND_RECEIVED] = "received",
                                                    [FIND_SAVED] = "saved",
                                                    [FIND_SENT] = "sent"};
                g_string_append_printf(to, "%s[", names[n->test]);
                if (n->from != G_MININT64)
                        g_string_append_printf(to, "%" G_GINT64_FORMAT, n->from);
                g_string_append(to, ",");
                if (n->to != G_MAXINT64)
                        g_string_append_printf(to, "%" G_GINT64_FORMAT, n->to);
                g_string_append(to, "]");
        }
        }
}

static void
write_tree(GString *to, const FindTree *t, guint node)
{
        static const char marks[] = "&|!";
        gboolean is_first = TRUE;

        if (t->nodes[node].test > FIND_NONE_OF) {
                write_leaf(to, &t->nodes[node]);
                return;
        }
        g_string_append_printf(to, "%c(", marks[t->nodes[node].test]);
        for (guint i = node + 1; i < t->n; i++)
                if (t->nodes[i].parent == node) {
                        g_string_append(to, is_first ? "" : " ");
                        write_tree(to, t, i);
                        is_first = FALSE;
                }
        g_string_append(to, ")");
}

static FindParse
parse(Arena *arena, Span text, guint enabled, FindTree *ret)
{
        ImapArgs a = {.scan = scan_from(text), .arena = arena, .enabled = enabled};

        return find_parse_program(&a, NOW, ret);
}

static void
check(const char *text, const char *expected)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024);
        g_autoptr(GString) got = g_string_new(NULL);
        FindTree tree;

        g_assert_cmpint(parse(arena, span_of(text), 0, &tree), ==, FIND_PARSED);
        write_tree(got, &tree, 0);
        g_assert_cmpstr(got->str, ==, expected);
}

static void
keys(void)
{
        static const char *const rows[][2] = {
                {"ALL", "&(always)"},
                {"aNsWeReD", "&(flag2)"},
                {"UNSEEN DELETED", "&(!(flag1) flag8)"},
                {"UNANSWERED UNDELETED UNDRAFT UNFLAGGED DRAFT FLAGGED SEEN",
                 "&(!(flag2) !(flag8) !(flag16) !(flag4) flag16 flag4 flag1)"},
                {"KEYWORD $Junk", "&(keyword=$Junk)"},
                {"UNKEYWORD x", "&(!(keyword=x))"},
                {"FROM Smith", "&(From~smith)"},
                {"SUBJECT \"Two  Words\"", "&(Subject~two words)"},
                {"TO {3}\r\nJoe CC \"\"", "&(To~joe Cc~)"},
                {"BCC x HEADER X-Spam \"Yes\"", "&(Bcc~x X-Spam~yes)"},
                {"HEADER \"no field\" x", "&(!(always))"},
                {"BODY Text TEXT Text", "&(body~Text text~Text)"},
                {"SMALLER 10 LARGER 5", "&(size[,9] size[6,])"},
                {"LARGER 0 SMALLER 0", "&(size[1,] size[,-1])"},
                {"BEFORE 2-Jan-1970 ON 1-Jan-1970 SINCE \"3-Jan-1970\"",
                 "&(received[,86399999999] received[0,86399999999] received[172800000000,])"},
                {"SENTBEFORE 2-Jan-1970 SENTON 1-Jan-1970 SENTSINCE 1-Jan-1970",
                 "&(sent[,86399999999] sent[0,86399999999] sent[0,])"},
                {"SAVEDBEFORE 2-Jan-1970 SAVEDON 1-Jan-1970 SAVEDSINCE 1-Jan-1970 SAVEDATESUPPORTED",
                 "&(saved[,86399999999] saved[0,86399999999] saved[0,] always)"},
                {"OLDER 1000000 YOUNGER 999999", "&(received[,0] received[1000000,])"},
                {"MODSEQ 620162338", "&(modseq[620162338,])"},
                {"MODSEQ \"/flags/\\\\draft\" all 620162338", "&(modseq[620162338,])"},
                {"EMAILID M6d99ac3275bb4e THREADID x", "&(emailid=M6d99ac3275bb4e !(always))"},
                {"NEW OLD RECENT", "&(&(uids !(flag1)) !(uids) uids)"},
                {"OR NEW NOT OLD", "&(|(&(uids !(flag1)) !(!(uids))))"},
                {"1:3,5 UID 7:* $ UID $", "&(numbers,1:3,5:5 uids,7:4294967295 numbers$ uids$)"},
                {"*", "&(numbers,4294967295:4294967295)"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
                check(rows[i][0], rows[i][1]);
}

static void
nesting(void)
{
        static const char *const rows[][2] = {
                {"NOT SEEN", "&(!(flag1))"},
                {"NOT NOT UNSEEN", "&(!(!(!(flag1))))"},
                {"OR SEEN DRAFT ALL", "&(|(flag1 flag16) always)"},
                {"OR OR SEEN DRAFT NOT DELETED ALL", "&(|(|(flag1 flag16) !(flag8)) always)"},
                {"(SEEN)", "&(&(flag1))"},
                {"(SEEN DRAFT) ALL", "&(&(flag1 flag16) always)"},
                {"NOT (SEEN OR DRAFT (DELETED))", "&(!(&(flag1 |(flag16 &(flag8)))))"},
                {"OR (SEEN) (DRAFT)", "&(|(&(flag1) &(flag16)))"},
                {"OR $ 1,3000:3021 TEXT x", "&(|(numbers$ numbers,1:1,3000:3021) text~x)"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
                check(rows[i][0], rows[i][1]);
}

static void
fuzzy(void)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024);
        FindTree tree;

        check("FUZZY SUBJECT \"IMAP break\"", "&(&(Subject~imap Subject~break))");
        check("FUZZY (SUBJECT a FROM b) FROM c", "&(&(&(Subject~a) &(From~b)) From~c)");
        check("FUZZY BODY \"  \"", "&(&(body~  ))");
        check("FUZZY SEEN", "&(flag1)");
        g_assert_cmpint(parse(arena, span_of("FUZZY OR TEXT \"b a\" NOT SUBJECT c"), 0, &tree), ==, FIND_PARSED);
        g_assert_true(tree.has_fuzzy);
        g_assert_cmpuint(tree.n_phrases, ==, 1); /* what must not be there has no relevancy */
        g_assert_cmpuint(tree.phrases[0].n_words, ==, 2);
        g_assert_true(span_equal(tree.phrases[0].node.text, span_of("b a")));
        g_assert_cmpint(parse(arena, span_of("SUBJECT a"), 0, &tree), ==, FIND_PARSED);
        g_assert_false(tree.has_fuzzy);
}

static void
what_is_in_it(void)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024);
        FindTree tree;

        g_assert_cmpint(parse(arena, span_of("UID 1 $ MODSEQ 1"), 0, &tree), ==, FIND_PARSED);
        g_assert_true(tree.has_modseq);
        g_assert_false(tree.has_numbers);
        g_assert_cmpint(parse(arena, span_of("NOT 5"), 0, &tree), ==, FIND_PARSED);
        g_assert_true(tree.has_numbers);
        g_assert_false(tree.has_modseq);
}

static void
syntax(void)
{
        static const char *const rows[] = {
                "",
                " ALL",
                "ALL ",
                "ALL  ALL",
                "(ALL",
                "ALL)",
                "()",
                "NOT",
                "NOT ",
                "OR SEEN",
                "OR SEEN ",
                "(OR SEEN) ALL",
                "FUZZY",
                "NOT)",
                "SMALLER x",
                "SMALLER",
                "FROM",
                "FROM (x)",
                "HEADER X",
                "ON 30-Feb-2020",
                "ON today",
                "KEYWORD \\Seen",
                "UID x",
                "UID 0",
                "OLDER 0",
                "MODSEQ \"/x\" all 1",
                "MODSEQ \"/flags/a\" some 1",
                "MODSEQ \"/flags/\" all 1",
                "WHATEVER",
                "CHARSET",
                "CHARSET UTF-8",
                "CHARSET \"\" ALL",
                "CHARSET UTF-8 ",
                "FROM \"\xff\"",
                "SEENX",
                "UNDELETED,",
                "\\Seen",
                "18446744073709551616",
                "LARGER 9223372036854775808",
        };
        g_autoptr(Arena) arena = arena_new(512 * 1024);
        FindTree tree;

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (parse(arena, span_of(rows[i]), 0, &tree) != FIND_BAD)
                        g_error("taken: %s", rows[i]);
        }
}

static void
charsets(void)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024);
        FindTree tree;

        check("CHARSET UTF-8 SUBJECT {2}\r\n\xc3\x84", "&(Subject~a\xcc\x88)");
        check("CHARSET US-ASCII SUBJECT x", "&(Subject~x)");
        check("CHARSET KOI8-R BODY {2}\r\n\xc1\xc2", "&(body~\xd0\xb0\xd0\xb1)");
        check("charset iso-8859-1 SUBJECT {1}\r\n\xc4", "&(Subject~a\xcc\x88)");
        check("CHARSET ISO-2022-JP BODY {8}\r\n\x1b$B$\"\x1b(B", "&(body~\xe3\x81\x82)");
        g_assert_cmpint(parse(arena, span_of("CHARSET X-NONE ALL"), 0, &tree), ==, FIND_BAD_CHARSET);
        g_assert_cmpint(parse(arena, span_of("CHARSET UTF-8 ALL"), IMAP_ENABLED_UTF8, &tree), ==, FIND_BAD);
        g_assert_cmpint(parse(arena, span_of("CHARSET UTF-8 ALL"), IMAP_ENABLED_REV2, &tree), ==, FIND_PARSED);
        g_assert_cmpint(parse(arena, span_of("CHARSET UTF-8 SUBJECT {1}\r\n\xc4"), 0, &tree), ==, FIND_BAD);
}

static char *
repeated(const char *before, const char *text, guint times, const char *after)
{
        GString *s = g_string_new(before);

        while (times-- > 0)
                g_string_append(s, text);
        return g_string_free(g_string_append(s, after), FALSE);
}

static void
limits(void)
{
        static const struct {
                const char *before, *text;
                guint times;
                const char *after;
                FindParse answer;
        } rows[] = {
                {"ALL", " ALL", FIND_KEYS_MAX - 2, "", FIND_PARSED},
                {"ALL", " ALL", FIND_KEYS_MAX - 1, "", FIND_TOO_MUCH},
                {"", "NOT ", FIND_DEPTH_MAX - 1, "ALL", FIND_PARSED},
                {"", "NOT ", FIND_DEPTH_MAX, "ALL", FIND_TOO_MUCH},
                {"", "(", FIND_DEPTH_MAX, "", FIND_TOO_MUCH},
                {"", "(", 100000, "", FIND_TOO_MUCH},
                {"", "OR ", FIND_DEPTH_MAX, "", FIND_TOO_MUCH},
                {"", "FUZZY ", FIND_DEPTH_MAX, "ALL", FIND_TOO_MUCH},
                {"SUBJECT ", "x", FIND_STRING_MAX, "", FIND_PARSED},
                {"SUBJECT ", "x", FIND_STRING_MAX + 1, "", FIND_TOO_MUCH},
                {"FUZZY SUBJECT \"", "x ", FIND_STRING_MAX / 2, "\"", FIND_PARSED},
                {"1", ",1", 9999, "", FIND_PARSED},
                {"1", ",1", 10000, "", FIND_BAD},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Arena) arena = arena_new(512 * 1024);
                g_autofree char *text = repeated(rows[i].before, rows[i].text, rows[i].times, rows[i].after);
                FindTree tree;
                g_assert_cmpint(parse(arena, span_of(text), 0, &tree), ==, rows[i].answer);
        }
}

static void
options(void)
{
        static const struct {
                const char *text;
                guint what; /* 0: refused */
                gboolean is_extended;
                const char *rest;
        } rows[] = {
                {"ALL", RETURN_ALL, FALSE, "ALL"},
                {"RETURN () ALL", RETURN_ALL, TRUE, "ALL"},
                {"RETURN (MIN) x", RETURN_MIN, TRUE, "x"},
                {"return (max min count SAVE) x", RETURN_MAX | RETURN_MIN | RETURN_COUNT | RETURN_SAVE, TRUE, "x"},
                {"RETURN (UPDATE) x", RETURN_UPDATE, TRUE, "x"},
                {"RETURN (CONTEXT ALL RELEVANCY) x", RETURN_CONTEXT | RETURN_ALL | RETURN_RELEVANCY, TRUE, "x"},
                {"RETURN (PARTIAL 1:500) x", RETURN_PARTIAL, TRUE, "x"},
                {"RETURN (PARTIAL -1:-100 COUNT) x", RETURN_PARTIAL | RETURN_COUNT, TRUE, "x"},
                {"RETURN (PARTIAL 1:500 ALL) x", 0, FALSE, ""},
                {"RETURN (PARTIAL 1:500 PARTIAL 1:2) x", 0, FALSE, ""},
                {"RETURN (PARTIAL 1:-5) x", 0, FALSE, ""},
                {"RETURN (PARTIAL -1:5) x", 0, FALSE, ""},
                {"RETURN (PARTIAL 0:5) x", 0, FALSE, ""},
                {"RETURN (PARTIAL 1:*) x", 0, FALSE, ""},
                {"RETURN (PARTIAL 5) x", 0, FALSE, ""},
                {"RETURN (PARTIAL) x", 0, FALSE, ""},
                {"RETURN (SOME) x", 0, FALSE, ""},
                {"RETURN (MIN MAX", 0, FALSE, ""},
                {"RETURN (MIN ) x", 0, FALSE, ""},
                {"RETURN (MIN)", 0, FALSE, ""},
                {"RETURN MIN x", 0, FALSE, ""},
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                ImapArgs a = {.scan = scan_from(span_of(rows[i].text)), .arena = arena};
                FindOptions o;
                gboolean is_good = find_parse_options(&a, FALSE, &o);
                g_assert_cmpint(is_good, ==, rows[i].what != 0);
                if (!is_good)
                        continue;
                g_assert_cmpuint(o.what, ==, rows[i].what);
                g_assert_cmpint(o.is_extended, ==, rows[i].is_extended);
                g_assert_true(span_equal(scan_rest(&a.scan), span_of(rows[i].rest)));
        }
}

static void
partial(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = {.scan = scan_from(span_of("RETURN (PARTIAL -500:-400) x")), .arena = arena};
        FindOptions o;

        g_assert_true(find_parse_options(&a, FALSE, &o));
        g_assert_true(o.is_from_end && o.first == 400 && o.last == 500);
        g_assert_true(span_equal(o.partial, span_of("-500:-400")));
}

static void
copies(void)
{
        g_autoptr(Arena) arena = arena_new(512 * 1024), other = arena_new(65536), small = arena_new(64);
        g_autofree char *text = g_strdup("OR SUBJECT x UID 1,5:6 KEYWORD y");
        g_autoptr(GString) got = g_string_new(NULL);
        FindTree tree, copy;

        g_assert_cmpint(parse(arena, span_of(text), 0, &tree), ==, FIND_PARSED);
        g_assert_true(find_tree_copy(other, &tree, &copy));
        g_assert_false(find_tree_copy(small, &tree, &copy));
        memset(text, '?', strlen(text));
        arena_reset(arena);
        write_tree(got, &copy, 0);
        g_assert_cmpstr(got->str, ==, "&(|(Subject~x uids,1:1,5:6) keyword=y)");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/search_parse/RFC 9051 §6.4.4, 3501, 5032, 7162, 8474, 8514: every key", keys);
        g_test_add_func("/imap/search_parse/RFC 9051 §6.4.4: NOT, OR and parentheses", nesting);
        g_test_add_func("/imap/search_parse/RFC 6203 §3: FUZZY is all words anywhere", fuzzy);
        g_test_add_func("/imap/search_parse/what a tree holds is known", what_is_in_it);
        g_test_add_func("/imap/search_parse/RFC 9051 §9: anything else is refused", syntax);
        g_test_add_func("/imap/search_parse/RFC 9051 §6.4.4, 6855 §3: CHARSET", charsets);
        g_test_add_func("/imap/search_parse/1,000 keys, depth 50, strings of 1,000 octets", limits);
        g_test_add_func("/imap/search_parse/RFC 4731 §3.1, 5182, 5267, 9394: RETURN", options);
        g_test_add_func("/imap/search_parse/RFC 9394 §4: the order of a partial range says nothing", partial);
        g_test_add_func("/imap/search_parse/a copy stands alone", copies);
        return g_test_run();
}

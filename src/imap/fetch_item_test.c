#include "imap/fetch_item.h"

#include <glib.h>

static gboolean
parse(Arena *arena, const char *text, FetchItems *items, FetchModifiers *modifiers)
{
        ImapArgs a = {.scan = scan_from(span_of(text)), .arena = arena};

        return imap_fetch_items_parse(&a, items) && imap_fetch_modifiers_parse(&a, modifiers);
}

/* "KIND" for items that have no section, their label for the others. */
static char *
labels(const FetchItems *items)
{
        GString *all = g_string_new(NULL);

        for (gsize i = 0; i < items->n; i++) {
                const FetchItem *item = &items->items[i];
                g_string_append_printf(all, "%s%.*s", i > 0 ? " " : "", (int) item->label.len,
                                       (const char *) item->label.data);
        }
        return g_string_free(all, FALSE);
}

static void
test_items(void)
{
        static const struct {
                const char *text, *labels;
                gboolean sets_seen;
                guint summary;
        } cases[] = {
                {"ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE", FALSE, SUMMARY_ENVELOPE},
                {"fast", "FLAGS INTERNALDATE RFC822.SIZE", FALSE, 0},
                {"FULL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY", FALSE, SUMMARY_ENVELOPE | SUMMARY_STRUCTURE},
                {"FLAGS", "FLAGS", FALSE, 0},
                {"(UID flags Uid)", "UID FLAGS", FALSE, 0},
                {"(RFC822.SIZE MODSEQ EMAILID THREADID SAVEDATE)", "RFC822.SIZE MODSEQ EMAILID THREADID SAVEDATE",
                 FALSE, 0},
                {"BODY", "BODY", FALSE, SUMMARY_STRUCTURE},
                {"(BODY BODYSTRUCTURE)", "BODY BODYSTRUCTURE", FALSE, SUMMARY_STRUCTURE},
                {"BODY[]", "BODY[]", TRUE, 0},
                {"BODY.PEEK[]<0.2048>", "BODY[]<0>", FALSE, 0},
                {"body.peek[header]", "BODY[HEADER]", FALSE, 0},
                {"BODY[TEXT]", "BODY[TEXT]", TRUE, 0},
                {"BODY[1]", "BODY[1]", TRUE, SUMMARY_STRUCTURE},
                {"BODY[4.1.MIME]", "BODY[4.1.MIME]", TRUE, SUMMARY_STRUCTURE},
                {"BODY[4.2.HEADER]<5.1>", "BODY[4.2.HEADER]<5>", TRUE, SUMMARY_STRUCTURE},
                {"BODY[4294967295.TEXT]", "BODY[4294967295.TEXT]", TRUE, SUMMARY_STRUCTURE},
                {"BODY.PEEK[HEADER.FIELDS (From \"To\" X-A)]", "BODY[HEADER.FIELDS (From To X-A)]", FALSE,
                 SUMMARY_FIELDS | SUMMARY_COPY},
                {"BODY.PEEK[HEADER.FIELDS.NOT (\"a b\" \"c\\\"\")]", "BODY[HEADER.FIELDS.NOT (\"a b\" \"c\\\"\")]",
                 FALSE, 0},
                {"BODY.PEEK[1.header.fields ({4}\r\nFrom)]", "BODY[1.HEADER.FIELDS (From)]", FALSE, SUMMARY_STRUCTURE},
                {"(RFC822 RFC822.HEADER RFC822.TEXT)", "RFC822 RFC822.HEADER RFC822.TEXT", TRUE, 0},
                {"RFC822.HEADER", "RFC822.HEADER", FALSE, 0},
                {"BINARY[1.2]<3.4>", "BINARY[1.2]<3>", TRUE, SUMMARY_STRUCTURE},
                {"BINARY.PEEK[]", "BINARY[]", FALSE, 0},
                {"BINARY.SIZE[1]", "BINARY.SIZE[1]", FALSE, SUMMARY_STRUCTURE},
                {"PREVIEW", "PREVIEW", FALSE, SUMMARY_PREVIEW},
                {"(PREVIEW (LAZY) UID)", "PREVIEW UID", FALSE, SUMMARY_PREVIEW},
                {"PREVIEW (LAZY)", "PREVIEW", FALSE, SUMMARY_PREVIEW},
                {"PREVIEW (CHANGEDSINCE 1)", "PREVIEW", FALSE, SUMMARY_PREVIEW},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Arena) arena = arena_new(65536);
                FetchModifiers modifiers;
                FetchItems items;
                g_test_message("%s", cases[i].text);
                g_assert_true(parse(arena, cases[i].text, &items, &modifiers));
                g_autofree char *got = labels(&items);
                g_assert_cmpstr(got, ==, cases[i].labels);
                g_assert_cmpint(items.sets_seen, ==, cases[i].sets_seen);
                g_assert_cmpuint(items.summary, ==, cases[i].summary);
        }
}

static void
test_sections(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        FetchModifiers modifiers;
        FetchItems items;

        g_assert_true(parse(arena, "BODY[3.1.2.HEADER.FIELDS.NOT (A B)]<7.9>", &items, &modifiers));
        const FetchItem *item = &items.items[0];
        g_assert_cmpint(item->kind, ==, FETCH_SECTION);
        g_assert_cmpuint(item->section.n_path, ==, 3);
        g_assert_cmpuint(item->section.path[0], ==, 3);
        g_assert_cmpuint(item->section.path[2], ==, 2);
        g_assert_cmpint(item->section.part, ==, SECTION_HEADER);
        g_assert_true(item->section.has_names && item->section.is_not);
        g_assert_cmpuint(item->section.n_names, ==, 2);
        g_assert_true(item->has_partial);
        g_assert_cmpuint(item->from, ==, 7);
        g_assert_cmpuint(item->count, ==, 9);
        g_assert_true(parse(arena, "RFC822.TEXT", &items, &modifiers));
        g_assert_cmpint(items.items[0].section.part, ==, SECTION_TEXT);
}

static void
test_refused(void)
{
        static const char *const texts[] = {
                "",
                "()",
                "(",
                "FLAGS)",
                "(FLAGS",
                "(FLAGS  UID)",
                "(FLAGS )",
                "( FLAGS)",
                "NOTHING",
                "(ALL)",
                "ALLE",
                "BODYX",
                "FLAGS[]",
                "BODY[",
                "BODY[]]",
                "BODY[0]",
                "BODY[1.]",
                "BODY[.1]",
                "BODY[1..2]",
                "BODY[MIME]",
                "BODY[1.FOO]",
                "BODY[HEADER.FIELDS]",
                "BODY[HEADER.FIELDS ()]",
                "BODY[HEADER.FIELDS (a]",
                "BODY[HEADER.FIELDS (\"\")]",
                "BODY[HEADER.FIELDS (\"\xc3\xa9\")]",
                "BODY[4294967296]",
                "BODY[]<>",
                "BODY[]<1>",
                "BODY[]<1.0>",
                "BODY[]<1.2",
                "BODY[]<99999999999999999999.1>",
                "BINARY[HEADER]",
                "BINARY[1.TEXT]",
                "BINARY",
                "BINARY.SIZE[1]<0.1>",
                "FLAGS ()",
                "FLAGS (CHANGEDSINCE)",
                "FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)",
                "FLAGS (PARTIAL 0:1)",
                "FLAGS (PARTIAL 1:-1)",
                "FLAGS (PARTIAL -1:1)",
                "FLAGS (PARTIAL 1)",
                "FLAGS (PARTIAL 1:*)",
                "FLAGS (VANISHED VANISHED)",
                "FLAGS (PARTIAL 1:2) ",
                "FLAGS (PARTIAL 1:4294967296)",
                "FLAGS (CHANGEDSINCE 9223372036854775808)",
                "FLAGS (FOO)",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(Arena) arena = arena_new(65536);
                FetchModifiers modifiers;
                FetchItems items;
                g_test_message("%s", texts[i]);
                g_assert_false(parse(arena, texts[i], &items, &modifiers));
        }
}

static void
test_modifiers(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        FetchModifiers m;
        FetchItems items;

        g_assert_true(parse(arena, "FLAGS", &items, &m));
        g_assert_true(!m.has_changed_since && !m.has_vanished && !m.has_partial);
        g_assert_true(parse(arena, "(FLAGS) (changedsince 9223372036854775807 VANISHED)", &items, &m));
        g_assert_true(m.has_changed_since && m.has_vanished);
        g_assert_cmpuint(m.changed_since, ==, G_MAXINT64);
        g_assert_true(parse(arena, "FLAGS (PARTIAL -9:-3 CHANGEDSINCE 0)", &items, &m));
        g_assert_true(m.has_partial && m.from_end);
        g_assert_cmpuint(m.first, ==, 3);
        g_assert_cmpuint(m.last, ==, 9);
        g_assert_true(parse(arena, "FLAGS (PARTIAL 1:10)", &items, &m));
        g_assert_true(m.has_partial && !m.from_end && m.first == 1 && m.last == 10);
}

static void
test_needed(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = {.scan = scan_from(span_of("(ENVELOPE FLAGS)")), .arena = arena};
        FetchItems items;

        g_assert_true(imap_fetch_items_parse(&a, &items));
        g_assert_true(imap_fetch_items_need(&a, &items, FETCH_FLAGS));
        g_assert_true(imap_fetch_items_need(&a, &items, FETCH_UID));
        g_autofree char *got = labels(&items);
        g_assert_cmpstr(got, ==, "UID ENVELOPE FLAGS");
}

/* Long lists are refused, not kept. */
static void
test_limits(void)
{
        static const struct {
                const char *before, *each, *after;
                guint good, bad;
        } cases[] = {
                {"(UID", " BODY[]", ")", FETCH_ITEMS_MAX - 1, FETCH_ITEMS_MAX},
                {"BODY[1", ".1", "]", SECTION_PATH_MAX - 1, SECTION_PATH_MAX},
                {"BODY[HEADER.FIELDS (a", " b", ")]", SECTION_NAMES_MAX - 1, SECTION_NAMES_MAX},
                {"BODY[HEADER.FIELDS (a", "b", ")]", SECTION_NAME_OCTETS_MAX - 1, SECTION_NAME_OCTETS_MAX},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                for (guint is_bad = 0; is_bad < 2; is_bad++) {
                        g_autoptr(Arena) arena = arena_new(1024 * 1024);
                        g_autoptr(GString) text = g_string_new(cases[i].before);
                        FetchModifiers modifiers;
                        FetchItems items;
                        for (guint n = is_bad ? cases[i].bad : cases[i].good; n > 0; n--)
                                g_string_append(text, cases[i].each);
                        g_string_append(text, cases[i].after);
                        g_assert_cmpint(parse(arena, text->str, &items, &modifiers), ==, !is_bad);
                }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/fetch-item/items (RFC 9051 §6.4.5, 3501 §6.4.5, 3516, 8970)", test_items);
        g_test_add_func("/imap/fetch-item/sections (RFC 9051 §6.4.5.1)", test_sections);
        g_test_add_func("/imap/fetch-item/refused", test_refused);
        g_test_add_func("/imap/fetch-item/modifiers (RFC 7162 §3.1.4, 9394 §3.4)", test_modifiers);
        g_test_add_func("/imap/fetch-item/items that are needed besides", test_needed);
        g_test_add_func("/imap/fetch-item/limits", test_limits);
        return g_test_run();
}

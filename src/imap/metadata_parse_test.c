/* The arguments of GETMETADATA and SETMETADATA (RFC 5464 §4.2, §4.3). */
#include "imap/harness.h"
#include "imap/names.h"

static void
test_get(void)
{
        static const struct {
                const char *text;
                gsize mailbox, n;
                gboolean has_max;
                guint64 max;
                guint depth;
        } rows[] = {
                {" \"\" /shared/comment", 0, 1, FALSE, 0, 0},
                {" INBOX (/shared/comment /private/comment)", 5, 2, FALSE, 0, 0},
                {" (MAXSIZE 1024) INBOX /private/a", 5, 1, TRUE, 1024, 0},
                {" INBOX (DEPTH 1 MAXSIZE 0) (/private/filters/values)", 5, 1, TRUE, 0, 1},
                {" (DEPTH infinity) INBOX /private/a", 5, 1, FALSE, 0, G_MAXUINT},
                {" INBOX (\"/private/a\" {9}\r\n/shared/b)", 5, 2, FALSE, 0, 0},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                ImapArgs args = harness_args(span_of(rows[i].text), 0);
                MetadataAsked r;
                gboolean is_bad;
                g_test_message("%s", rows[i].text);
                g_assert_true(imap_getmetadata_parse(&args, &r, &is_bad));
                g_assert_true(r.mailbox.len == rows[i].mailbox && r.n == rows[i].n);
                g_assert_true(r.has_max == rows[i].has_max && r.max == rows[i].max && r.depth == rows[i].depth);
                arena_free(args.arena);
        }
}

static void
test_set(void)
{
        ImapArgs args = harness_args(
                span_of(" INBOX (/private/a \"x\" /private/b NIL /shared/c ~{3}\r\na\001b /shared/d \"\")"), 0);
        MetadataSettings r;
        gboolean is_bad;

        g_assert_true(imap_setmetadata_parse(&args, &r, &is_bad));
        g_assert_cmpuint(r.n, ==, 4);
        g_assert_cmpstr(r.entries[0].entry, ==, "/private/a");
        g_assert_true(span_is(r.entries[0].value, "x"));
        g_assert_null(r.entries[1].value.data); /* NIL removes it, */
        g_assert_cmpuint(r.entries[2].value.len, ==, 3);
        g_assert_nonnull(r.entries[3].value.data); /* an empty one stands */
        arena_free(args.arena);
}

static void
test_wrong(void)
{
        static const struct {
                const char *text;
                gboolean is_set, is_bad_name;
        } rows[] = {
                {"", FALSE, FALSE},
                {" INBOX", FALSE, FALSE},
                {" INBOX ()", FALSE, FALSE},
                {" INBOX comment", FALSE, FALSE},
                {" INBOX /other/comment", FALSE, FALSE},
                {" INBOX /shared/a//b", FALSE, FALSE},
                {" INBOX /shared/", FALSE, FALSE},
                {" INBOX \"/shared/a*\"", FALSE, FALSE},
                {" (DEPTH 2) INBOX /shared/a", FALSE, FALSE},
                {" (MAXSIZE) INBOX /shared/a", FALSE, FALSE},
                {" INBOX /shared/a /shared/b", FALSE, FALSE},
                {" &x /shared/a", FALSE, TRUE},
                {" INBOX", TRUE, FALSE},
                {" INBOX ()", TRUE, FALSE},
                {" INBOX (/shared/a)", TRUE, FALSE},
                {" INBOX (/shared/a x)", TRUE, FALSE},
                {" INBOX (/shared/a \"x\") x", TRUE, FALSE},
                {" INBOX (/other/a \"x\")", TRUE, FALSE},
                {" &x (/shared/a \"x\")", TRUE, TRUE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                ImapArgs args = harness_args(span_of(rows[i].text), 0);
                MetadataAsked asked;
                MetadataSettings settings;
                gboolean is_bad;
                g_test_message("%s", rows[i].text);
                g_assert_false(rows[i].is_set ? imap_setmetadata_parse(&args, &settings, &is_bad)
                                              : imap_getmetadata_parse(&args, &asked, &is_bad));
                g_assert_cmpint(is_bad, ==, rows[i].is_bad_name);
                arena_free(args.arena);
        }
}

/* A hundred entries, and no more. */
static void
test_many(void)
{
        g_autoptr(GString) text = g_string_new(" INBOX (/shared/a");

        for (guint i = 1; i <= 100; i++) {
                g_autofree char *whole = g_strconcat(text->str, ")", NULL);
                ImapArgs args = harness_args(span_of(whole), 0);
                MetadataAsked r;
                gboolean is_bad;
                g_assert_true(imap_getmetadata_parse(&args, &r, &is_bad));
                g_assert_cmpuint(r.n, ==, i);
                arena_free(args.arena);
                g_string_append(text, " /shared/a");
        }
        g_string_append(text, ")");
        ImapArgs args = harness_args(span_of(text->str), 0);
        MetadataAsked r;
        gboolean is_bad;
        g_assert_false(imap_getmetadata_parse(&args, &r, &is_bad));
        arena_free(args.arena);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/metadata_parse/GETMETADATA (RFC 5464 §4.2)", test_get);
        g_test_add_func("/imap/metadata_parse/SETMETADATA (RFC 5464 §4.3)", test_set);
        g_test_add_func("/imap/metadata_parse/what is wrong", test_wrong);
        g_test_add_func("/imap/metadata_parse/many entries", test_many);
        return g_test_run();
}

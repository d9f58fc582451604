#include "imap/append_text.h"

#include <glib.h>

/* What a stretch says, as text: "mailbox=INBOX begin(1,a,5) url(/x) end". */
static char *
said(const AppendText *text)
{
        GString *out = g_string_new(NULL);

        if (text->number != 0)
                g_string_append_printf(out, "number=%u ", text->number);
        if (text->has_mailbox)
                g_string_append_printf(out, "mailbox=%.*s ", (int) text->mailbox.len,
                                       (const char *) text->mailbox.data);
        for (gsize i = 0; i < text->n_actions; i++) {
                const AppendAction *action = &text->actions[i];
                switch (action->what) {
                case APPEND_BEGIN:
                        g_string_append_printf(out, "begin(%" G_GUINT64_FORMAT, action->flags);
                        for (gsize j = 0; j < action->n_keywords; j++)
                                g_string_append_printf(out, ",%.*s", (int) action->keywords[j].len,
                                                       (const char *) action->keywords[j].data);
                        g_string_append_printf(out, ",%" G_GINT64_FORMAT ") ", action->received / USEC_PER_SEC);
                        break;
                case APPEND_URL:
                        g_string_append_printf(out, "url(%.*s) ", (int) action->url.len,
                                               (const char *) action->url.data);
                        break;
                case APPEND_END:
                        g_string_append(out, "end ");
                        break;
                }
        }
        return g_strchomp(g_string_free(out, FALSE));
}

typedef struct Case {
        AppendPlace place;
        const char *stretch;
        const char *literal; /* "", "{" or "~{" behind it */
        AppendWants wants;
        AppendPlace next;
        const char *said;
} Case;

static const Case CASES[] = {
        /* RFC 9051 §6.3.12 */
        {APPEND_AT_MAILBOX, " saved-messages (\\Seen) ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS,
         "mailbox=saved-messages begin(1,0)"},
        {APPEND_AFTER_OCTETS, "", "", APPEND_COMPLETE, APPEND_AT_MESSAGE, "end"},
        {APPEND_AT_MAILBOX, " INBOX ", "~{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS, "mailbox=INBOX begin(0,0)"},
        {APPEND_AT_MAILBOX, " INBOX (\\Deleted $Junk) \" 1-Jan-1970 00:00:09 +0000\" ", "{", APPEND_WANTS_OCTETS,
         APPEND_AFTER_OCTETS, "mailbox=INBOX begin(8,$Junk,9)"},
        {APPEND_AT_MAILBOX, " INBOX () ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS, "mailbox=INBOX begin(0,0)"},
        {APPEND_AT_MAILBOX, " ", "{", APPEND_WANTS_STRING, APPEND_AT_MAILBOX, ""},
        {APPEND_AT_MAILBOX, " {5}\r\nInbox ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS,
         "mailbox=Inbox begin(0,0)"},
        /* RFC 3502 §6.3.11 */
        {APPEND_AFTER_OCTETS, " (\\Draft) ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS, "end begin(16,0)"},
        {APPEND_AFTER_OCTETS, " ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS, "end begin(0,0)"},
        /* RFC 4469 §5 */
        {APPEND_AT_MAILBOX, " Drafts (\\Seen) CATENATE (URL \"/a/;UID=1\" TEXT ", "{", APPEND_WANTS_OCTETS,
         APPEND_AFTER_PART, "mailbox=Drafts begin(1,0) url(/a/;UID=1)"},
        {APPEND_AFTER_PART, " TEXT ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_PART, ""},
        {APPEND_AFTER_PART, " URL ", "{", APPEND_WANTS_STRING, APPEND_AT_PART, ""},
        {APPEND_AFTER_PART, " URL {2}\r\n/x)", "", APPEND_COMPLETE, APPEND_AT_MESSAGE, "url(/x) end"},
        {APPEND_AFTER_PART, ") (\\Seen) CATENATE (URL /y)", "", APPEND_COMPLETE, APPEND_AT_MESSAGE,
         "end begin(1,0) url(/y) end"},
        {APPEND_AFTER_PART, ") ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS, "end begin(0,0)"},
        /* RFC 6855 §4 */
        {APPEND_AT_MAILBOX, " INBOX UTF8 (", "~{", APPEND_WANTS_OCTETS, APPEND_AFTER_UTF8, "mailbox=INBOX begin(0,0)"},
        {APPEND_AFTER_UTF8, ")", "", APPEND_COMPLETE, APPEND_AT_MESSAGE, "end"},
        {APPEND_AFTER_UTF8, ") UTF8 (", "~{", APPEND_WANTS_OCTETS, APPEND_AFTER_UTF8, "end begin(0,0)"},
        /* RFC 8508 §3.2 */
        {APPEND_AT_NUMBER, " 4 Drafts (\\Seen \\Draft) ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS,
         "number=4 mailbox=Drafts begin(17,0)"},
        {APPEND_AT_NUMBER, " * Drafts ", "{", APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS,
         "number=4294967295 mailbox=Drafts begin(0,0)"},
        {APPEND_AT_NUMBER, " 4 ", "{", APPEND_WANTS_STRING, APPEND_AT_MAILBOX, "number=4"},
        /* the end without a message is for the command to refuse */
        {APPEND_AT_MAILBOX, " INBOX", "", APPEND_COMPLETE, APPEND_AT_MESSAGE, "mailbox=INBOX"},
        /* wrong */
        {APPEND_AT_MAILBOX, "", "", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " ", "", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " ", "~{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, "  INBOX ", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX x", "", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX (\\Seen", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX (\\Seen)", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX (\\Recent) ", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX \"yesterday\" ", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX \"01-Jan-1970 00:00:09 +0000\" (\\Seen) ", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX CATENATE ()", "", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX CATENATE (URL)", "", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX CATENATE (TEXT x)", "", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX CATENATE (URL /x ", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX CATENATE (URL /x", "", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX UTF8 (", "{", APPEND_WRONG},
        {APPEND_AT_MAILBOX, " INBOX UTF8 (x", "~{", APPEND_WRONG},
        {APPEND_AFTER_UTF8, "", "", APPEND_WRONG},
        {APPEND_AFTER_OCTETS, " ", "", APPEND_WRONG},
        {APPEND_AFTER_OCTETS, "x", "", APPEND_WRONG},
        {APPEND_AFTER_OCTETS, ")", "", APPEND_WRONG},
        {APPEND_AFTER_PART, "", "", APPEND_WRONG},
        {APPEND_AT_NUMBER, " 1:2 Drafts ", "{", APPEND_WRONG},
        {APPEND_AT_NUMBER, " 1,2 Drafts ", "{", APPEND_WRONG},
        {APPEND_AT_NUMBER, " $ Drafts ", "{", APPEND_WRONG},
        {APPEND_AT_NUMBER, " 0 Drafts ", "{", APPEND_WRONG},
        {APPEND_AT_NUMBER, " Drafts ", "{", APPEND_WRONG},
};

static void
test_stretches(void)
{
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                const Case *c = &CASES[i];
                g_autoptr(Arena) arena = arena_new(65536);
                ImapArgs a = {.scan = scan_from(span_of(c->stretch)), .arena = arena, .enabled = IMAP_ENABLED_UTF8};
                AppendText text = {0};
                g_test_message("'%s%s'", c->stretch, c->literal);
                AppendWants wants = append_text_parse(&a, c->place, c->literal[0] != '\0', c->literal[0] == '~', &text);
                g_assert_cmpint(wants, ==, c->wants);
                if (wants == APPEND_WRONG)
                        continue;
                g_autofree char *got = said(&text);
                g_assert_cmpstr(got, ==, c->said);
                g_assert_cmpint(text.place, ==, c->next);
        }
}

static void
test_utf8_is_enabled_first(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = {.scan = scan_from(span_of(" INBOX UTF8 (")), .arena = arena};
        AppendText text;

        g_assert_cmpint(append_text_parse(&a, APPEND_AT_MAILBOX, TRUE, TRUE, &text), ==, APPEND_WRONG);
}

static void
test_bad_name(void)
{
        g_autoptr(Arena) arena = arena_new(65536);
        ImapArgs a = {.scan = scan_from(span_of(" &x ")), .arena = arena};
        AppendText text;

        g_assert_cmpint(append_text_parse(&a, APPEND_AT_MAILBOX, TRUE, FALSE, &text), ==, APPEND_WANTS_OCTETS);
        g_assert_true(text.is_bad_name && !text.has_mailbox);
}

/* A list of parts without end is refused. */
static void
test_many_parts(void)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        g_autoptr(GString) stretch = g_string_new(" INBOX CATENATE (URL /x");
        AppendText text;

        for (guint i = 0; i < APPEND_ACTIONS_MAX; i++)
                g_string_append(stretch, " URL /x");
        g_string_append_c(stretch, ')');
        ImapArgs a = {.scan = scan_from(span_make(stretch->str, stretch->len)), .arena = arena};
        g_assert_cmpint(append_text_parse(&a, APPEND_AT_MAILBOX, FALSE, FALSE, &text), ==, APPEND_WRONG);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/append-text/stretches (RFC 9051 §6.3.12, 3502, 4469, 6855 §4, 8508)", test_stretches);
        g_test_add_func("/imap/append-text/UTF8 is enabled first (RFC 6855 §4)", test_utf8_is_enabled_first);
        g_test_add_func("/imap/append-text/bad name", test_bad_name);
        g_test_add_func("/imap/append-text/many parts", test_many_parts);
        return g_test_run();
}

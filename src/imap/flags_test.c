#include "imap/talk_test.h"

#define DONE "s OK STORE completed\r\n"

static void
fill(TalkSite *site, guint n)
{
        for (guint i = 0; i < n; i++)
                talk_add(site, "INBOX", "()", "Subject: a\r\n\r\nb\r\n");
}

static void
test_actions(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 3);
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "s STORE 1,3 +FLAGS (\\Seen $Forwarded)",
             "* 1 FETCH (FLAGS (\\Seen $Forwarded))\r\n* 3 FETCH (FLAGS (\\Seen $Forwarded))\r\n" DONE);
        talk(&site.joe, "s STORE 1 -FLAGS \\Seen", "* 1 FETCH (FLAGS ($Forwarded))\r\n" DONE);
        talk(&site.joe, "s STORE 1:2 FLAGS (\\Flagged \\Deleted)",
             "* 1 FETCH (FLAGS (\\Flagged \\Deleted))\r\n* 2 FETCH (FLAGS (\\Flagged \\Deleted))\r\n" DONE);
        /* what is so already is told too */
        talk(&site.joe, "s STORE 2 +FLAGS (\\Flagged)", "* 2 FETCH (FLAGS (\\Flagged \\Deleted))\r\n" DONE);
        talk(&site.joe, "s STORE 2 FLAGS ()", "* 2 FETCH (FLAGS ())\r\n" DONE);
        talk(&site.joe, "s UID STORE 3:* -FLAGS ($forwarded)", "* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n" DONE);
        talk(&site.joe, "s UID STORE 77 +FLAGS (\\Seen)", DONE);
        talk(&site.joe, "s STORE 1 +FLAGS.SILENT (\\Draft)", DONE);
        talk(&site.joe, "s FETCH 1 FLAGS",
             "* 1 FETCH (FLAGS (\\Flagged \\Deleted \\Draft))\r\ns OK FETCH completed\r\n");
        talk_close(&site);
}

static void
test_refused(void)
{
        static const char *const bad[] = {
                "s STORE",
                "s STORE 1",
                "s STORE 1 FLAGS",
                "s STORE 1 =FLAGS (\\Seen)",
                "s STORE 1 FLAGS (\\Seen) x",
                "s STORE 1 FLAGS (\\Recent)",
                "s STORE 1 FLAGS (\\Nothing)",
                "s STORE 1 (UNCHANGEDSINCE) FLAGS (\\Seen)",
                "s STORE 1 (FOO 1) FLAGS (\\Seen)",
                "s STORE 1 FLAGS ((\\Seen))",
                "s STORE 2 FLAGS (\\Seen)",
                "s STORE 0 FLAGS (\\Seen)",
        };
        TalkSite site;

        talk_open(&site);
        fill(&site, 1);
        talk_select(&site.joe, "INBOX");
        for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
                harness_say(&site.joe, span_of("n NOOP\r\n"));
                g_autofree char *line = g_strconcat(bad[i], "\r\n", NULL);
                harness_say(&site.joe, span_of(line));
                g_test_message("%s", bad[i]);
                g_assert_true(g_str_has_prefix(site.joe.output->str, "s BAD "));
        }
        talk_ends(&site.joe, "e EXAMINE INBOX", "\r\n");
        talk(&site.joe, "s STORE 1 FLAGS (\\Seen)", "s NO the mailbox was opened for reading only\r\n");
        talk_close(&site);
}

static void
test_keywords(void)
{
        TalkSite site;
        g_autoptr(GString) many = g_string_new("s STORE 1 +FLAGS.SILENT (");
        g_autofree char *too_long = NULL;
        char name[KEYWORD_OCTETS_MAX + 2];

        talk_open(&site);
        fill(&site, 1);
        talk_select(&site.joe, "INBOX");
        for (guint i = 0; i < FLAG_KEYWORDS_MAX; i++)
                g_string_append_printf(many, "%sk%u", i > 0 ? " " : "", i);
        g_string_append_c(many, ')');
        talk(&site.joe, many->str, DONE);
        talk(&site.joe, "s STORE 1 +FLAGS (another)", "s NO [LIMIT] too many keywords in this mailbox\r\n");
        talk(&site.joe, "s STORE 1 FLAGS (K7)", "* 1 FETCH (FLAGS (k7))\r\n" DONE);
        memset(name, 'a', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        too_long = g_strdup_printf("s STORE 1 +FLAGS (%s)", name);
        talk(&site.joe, too_long, "s NO [LIMIT] keyword too long\r\n");
        talk_close(&site);
}

/* RFC 7162 §3.1.3 */
static void
test_unchanged_since(void)
{
        TalkSite site;
        guint64 modseq;

        talk_open(&site);
        fill(&site, 4);
        talk_select(&site.joe, "INBOX");
        talk_select(&site.other, "INBOX");
        modseq = view_highest_modseq(site.joe.session->selected->view);
        talk_ends(&site.other, "s STORE 2,3 +FLAGS.SILENT (\\Flagged)", DONE);
        g_autofree char *store =
                g_strdup_printf("s STORE 1:4 (UNCHANGEDSINCE %" G_GUINT64_FORMAT ") +FLAGS.SILENT (\\Deleted)", modseq);
        g_autofree char *end = g_strdup_printf("s OK [MODIFIED 2:3] STORE completed\r\n");
        talk_ends(&site.joe, store, end);
        /* CONDSTORE is on by now: MODSEQ of what was changed, flags of what another has changed */
        g_assert_nonnull(strstr(site.joe.output->str, "* 1 FETCH (MODSEQ ("));
        g_assert_nonnull(strstr(site.joe.output->str, "* 2 FETCH (FLAGS (\\Flagged) MODSEQ ("));
        g_assert_nonnull(strstr(site.joe.output->str, "* OK [HIGHESTMODSEQ "));
        g_autofree char *again =
                g_strdup_printf("s UID STORE 2,4 (UNCHANGEDSINCE %" G_GUINT64_FORMAT ") FLAGS.SILENT ()", modseq);
        talk_ends(&site.joe, again, "s OK [MODIFIED 2,4] STORE completed\r\n");
        talk_close(&site);
}

/* Flags that another session changes meanwhile are told, also by .SILENT (RFC 9051 §6.4.6). */
static void
test_others(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 3);
        talk_select(&site.joe, "INBOX");
        talk_select(&site.other, "INBOX");
        talk_ends(&site.other, "s STORE 1,3 +FLAGS.SILENT (\\Answered)", DONE);
        talk(&site.joe, "s STORE 1:2 +FLAGS.SILENT (\\Seen)",
             "* 1 FETCH (FLAGS (\\Seen \\Answered))\r\n* 3 FETCH (FLAGS (\\Answered))\r\n" DONE);
        talk(&site.joe, "n NOOP", "n OK nothing done\r\n");
        talk_ends(&site.other, "n NOOP",
                  "* 1 FETCH (FLAGS (\\Seen \\Answered))\r\n* 2 FETCH (FLAGS (\\Seen))\r\nn OK nothing done\r\n");
        /* a removal is not told by STORE, its numbers stay (RFC 9051 §7.5.1) */
        talk_ends(&site.other, "x STORE 1 +FLAGS.SILENT (\\Deleted)", "x OK STORE completed\r\n");
        talk_ends(&site.other, "x EXPUNGE", "x OK EXPUNGE completed\r\n");
        talk_ends(&site.joe, "s STORE 2:3 +FLAGS (\\Draft)", DONE);
        g_assert_true(
                g_str_has_prefix(site.joe.output->str,
                                 "* 2 FETCH (FLAGS (\\Seen \\Draft))\r\n* 3 FETCH (FLAGS (\\Answered \\Draft))\r\n"));
        g_assert_null(strstr(site.joe.output->str, "EXPUNGE"));
        talk_ends(&site.joe, "n NOOP", "n OK nothing done\r\n");
        g_assert_true(g_str_has_prefix(site.joe.output->str, "* 1 EXPUNGE\r\n"));
        talk_close(&site);
}

/* RFC 4314 §4: the flags that one has the right for; NO when there is none. */
static void
test_rights(void)
{
        static const struct {
                const char *rights, *store, *answer;
        } cases[] = {
                {"lr", "s STORE 1 +FLAGS (\\Seen)", "s NO [NOPERM] no right to change these flags\r\n"},
                {"lrs", "s STORE 1 +FLAGS (\\Seen \\Deleted \\Flagged)", "* 1 FETCH (FLAGS (\\Seen))\r\n" DONE},
                {"lrs", "s STORE 1 +FLAGS (\\Deleted)", "s NO [NOPERM] no right to change these flags\r\n"},
                {"lrs", "s STORE 1 +FLAGS (k)", "s NO [NOPERM] no right to change these flags\r\n"},
                {"lrt", "s STORE 1 +FLAGS (\\Seen \\Deleted k)", "* 1 FETCH (FLAGS (\\Seen \\Deleted))\r\n" DONE},
                {"lrw", "s STORE 1 FLAGS (\\Flagged k)", "* 1 FETCH (FLAGS (\\Seen \\Flagged \\Deleted k))\r\n" DONE},
                {"lrt", "s STORE 1 FLAGS ()", "* 1 FETCH (FLAGS (\\Seen \\Flagged k))\r\n" DONE},
                {"lrs", "s STORE 1 FLAGS (\\Draft)", "* 1 FETCH (FLAGS (\\Flagged k))\r\n" DONE},
        };
        TalkSite site;

        talk_open(&site);
        fill(&site, 1);
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_assert_cmpint(test_grant(&site.site, &site.joe_account, "INBOX", "ann@ex.org", cases[i].rights), ==,
                                MAILBOX_DONE);
                talk_select(&site.ann, "~joe/INBOX");
                if (strcmp(cases[i].rights, "lr") == 0)
                        talk_ends(&site.ann, cases[i].store, "s NO the mailbox was opened for reading only\r\n");
                else
                        talk(&site.ann, cases[i].store, cases[i].answer);
        }
        talk_close(&site);
}

/* \Seen is each reader's own. */
static void
test_seen_of_readers(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 1);
        g_assert_cmpint(test_grant(&site.site, &site.joe_account, "INBOX", "ann@ex.org", "lrsw"), ==, MAILBOX_DONE);
        talk_select(&site.ann, "~joe/INBOX");
        talk_select(&site.joe, "INBOX");
        talk(&site.ann, "s STORE 1 +FLAGS (\\Seen \\Flagged)", "* 1 FETCH (FLAGS (\\Seen \\Flagged))\r\n" DONE);
        talk_ends(&site.joe, "n NOOP", "n OK nothing done\r\n");
        talk(&site.joe, "s FETCH 1 FLAGS", "* 1 FETCH (FLAGS (\\Flagged))\r\ns OK FETCH completed\r\n");
        talk_close(&site);
}

/* RFC 9738 §3.1: the highest ones. */
static void
test_limit(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 5);
        talk_select(&site.joe, "INBOX");
        site.joe.door->settings.message_limit = 2;
        talk(&site.joe, "s STORE 1:2,4 +FLAGS (\\Seen)",
             "* 2 FETCH (FLAGS (\\Seen))\r\n* 4 FETCH (FLAGS (\\Seen))\r\ns OK [MESSAGELIMIT 2 2] STORE completed\r\n");
        talk(&site.joe, "s STORE 1,5 +FLAGS.SILENT (\\Seen)", DONE);
        talk_close(&site);
}

/* A slow reader gets all of it, in order. */
static void
test_slow_reader(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 200);
        talk_select(&site.joe, "INBOX");
        site.joe.output_max = 100;
        talk_ends(&site.joe, "s STORE 1:* +FLAGS (\\Seen $a-keyword-of-some-length $and-another-one-that-is-longer)",
                  DONE);
        g_autofree char *answer = talk_without_flag_lists(site.joe.output->str);
        g_auto(GStrv) lines = g_strsplit(answer, "\r\n", -1);
        for (guint i = 0; i < 200; i++) {
                g_autofree char *begin = g_strdup_printf("* %u FETCH (FLAGS (\\Seen $a-", i + 1);
                g_assert_true(g_str_has_prefix(lines[i], begin));
        }
        talk_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/imap/flags/actions (RFC 9051 §6.4.6)", test_actions);
        g_test_add_func("/imap/flags/refused", test_refused);
        g_test_add_func("/imap/flags/keywords", test_keywords);
        g_test_add_func("/imap/flags/UNCHANGEDSINCE (RFC 7162 §3.1.3)", test_unchanged_since);
        g_test_add_func("/imap/flags/what others change", test_others);
        g_test_add_func("/imap/flags/rights (RFC 4314 §4)", test_rights);
        g_test_add_func("/imap/flags/Seen of readers", test_seen_of_readers);
        g_test_add_func("/imap/flags/MESSAGELIMIT (RFC 9738 §3.1)", test_limit);
        g_test_add_func("/imap/flags/slow reader", test_slow_reader);
        return g_test_run();
}

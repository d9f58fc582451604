#include "imap/talk_test.h"

static void
fill(TalkSite *site, guint n)
{
        for (guint i = 0; i < n; i++)
                talk_add(site, "INBOX", i % 2 == 0 ? "(\\Seen k)" : "(\\Flagged)", "Subject: a\r\n\r\nb\r\n");
}

static guint32
validity(TalkSite *site, const char *mailbox)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(View) view = NULL;
        const Mailbox *found = test_mailbox(&site->site, &site->joe_account, mailbox);

        g_assert_cmpint(store_view_open(site->site.store, found->id, site->joe_account.account, &view, &error), ==,
                        STORE_DONE);
        return view_uid_validity(view);
}

/* "%u" is the UIDVALIDITY of Archive. */
static void
talk_validity(TalkSite *site, const char *say, const char *format)
{
        g_autofree char *number = g_strdup_printf("%u", validity(site, "Archive"));
        g_auto(GStrv) pieces = g_strsplit(format, "%u", -1);
        g_autofree char *answer = g_strjoinv(number, pieces);

        talk(&site->joe, say, answer);
}

/* RFC 9585: with a span of nothing, each slice is told. */
static void
test_progress(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 4);
        talk_select(&site.joe, "INBOX");
        site.joe.session->progress_span = 0;
        talk_ends(&site.joe, "s STORE 2:3 +FLAGS.SILENT (\\Deleted)", "s OK STORE completed\r\n");
        talk(&site.joe, "x EXPUNGE",
             "* OK [INPROGRESS (\"x\" 2 NIL)] at work\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nx OK EXPUNGE completed\r\n");
        /* UIDs that are not there any more count, too */
        talk_validity(&site, "m MOVE 1:2 Archive",
                      "* OK [INPROGRESS (\"m\" 2 4)] at work\r\n* OK [COPYUID %u 1,4 1:2] moved\r\n* 2 EXPUNGE\r\n* 1 "
                      "EXPUNGE\r\nm OK MOVE completed\r\n");
        talk_close(&site);
}

static void
test_copy(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 4);
        talk_select(&site.joe, "INBOX");
        talk_validity(&site, "c COPY 2:3 Archive", "c OK [COPYUID %u 2:3 1:2] COPY completed\r\n");
        talk_validity(&site, "c UID COPY 4,1 archive", "c NO [TRYCREATE] no such mailbox\r\n");
        talk_validity(&site, "c UID COPY 4,1,99 Archive", "c OK [COPYUID %u 1,4 3:4] COPY completed\r\n");
        talk_validity(&site, "c UID COPY 99 Archive", "c OK COPY completed\r\n");
        talk_validity(&site, "c COPY 5 Archive", "c BAD no such message\r\n");
        talk_validity(&site, "c COPY 1 &x", "c NO [CANNOT] not a name that can be used\r\n");
        talk_validity(&site, "c COPY 1", "c BAD syntax: [UID] COPY numbers mailbox\r\n");
        talk_validity(&site, "c COPY 1 Archive x", "c BAD syntax: [UID] COPY numbers mailbox\r\n");
        /* flags and dates go along (RFC 9051 §6.4.7) */
        talk_select(&site.joe, "Archive");
        talk(&site.joe, "f FETCH 1:2 (FLAGS INTERNALDATE)",
             "* 1 FETCH (FLAGS (\\Flagged) INTERNALDATE \"17-Jul-1996 02:44:25 +0000\")\r\n"
             "* 2 FETCH (FLAGS (\\Seen k) INTERNALDATE \"17-Jul-1996 02:44:25 +0000\")\r\n"
             "f OK FETCH completed\r\n");
        /* into the same mailbox */
        talk_validity(&site, "c COPY 1 Archive", "* 5 EXISTS\r\nc OK [COPYUID %u 1 5] COPY completed\r\n");
        talk_close(&site);
}

static void
test_move(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 4);
        talk_select(&site.joe, "INBOX");
        talk_validity(&site, "m MOVE 2:3 Archive",
                      "* OK [COPYUID %u 2:3 1:2] moved\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nm OK MOVE completed\r\n");
        talk_validity(&site, "m UID MOVE 77 Archive", "m OK MOVE completed\r\n");
        talk(&site.joe, "m MOVE 1 Nowhere", "m NO [TRYCREATE] no such mailbox\r\n");
        talk_ends(&site.joe, "e EXAMINE INBOX", "\r\n");
        talk(&site.joe, "m MOVE 1 Archive", "m NO the mailbox was opened for reading only\r\n");
        talk_ends(&site.joe, "q ENABLE QRESYNC", "q OK enabled\r\n");
        talk_select(&site.joe, "INBOX");
        harness_say(&site.joe, span_of("m UID MOVE 4 Archive\r\n"));
        g_assert_nonnull(strstr(site.joe.output->str, "* VANISHED 4\r\nm OK [HIGHESTMODSEQ "));
        talk_close(&site);
}

static void
test_expunge(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 5);
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "x EXPUNGE", "x OK EXPUNGE completed\r\n");
        talk(&site.joe, "s STORE 1,3,5 +FLAGS.SILENT (\\Deleted)", "s OK STORE completed\r\n");
        talk(&site.joe, "x UID EXPUNGE 2:3", "* 3 EXPUNGE\r\nx OK EXPUNGE completed\r\n");
        talk(&site.joe, "x EXPUNGE", "* 4 EXPUNGE\r\n* 1 EXPUNGE\r\nx OK EXPUNGE completed\r\n");
        talk(&site.joe, "x EXPUNGE 1", "x BAD EXPUNGE has no arguments\r\n");
        talk(&site.joe, "x UID EXPUNGE", "x BAD syntax: EXPUNGE, UID EXPUNGE numbers\r\n");
        talk_ends(&site.joe, "e EXAMINE INBOX", "\r\n");
        talk(&site.joe, "x EXPUNGE", "x NO the mailbox was opened for reading only\r\n");
        talk_ends(&site.joe, "q ENABLE QRESYNC", "q OK enabled\r\n");
        talk_select(&site.joe, "INBOX");
        talk_ends(&site.joe, "s STORE 1 +FLAGS.SILENT (\\Deleted)", "s OK STORE completed\r\n");
        harness_say(&site.joe, span_of("x EXPUNGE\r\n"));
        g_assert_true(g_str_has_prefix(site.joe.output->str, "* VANISHED 2\r\nx OK [HIGHESTMODSEQ "));
        talk_close(&site);
}

/* RFC 4314 §4 */
static void
test_rights(void)
{
        static const struct {
                const char *source, *target, *say, *answer;
        } cases[] = {
                {"lrs", "l", "c COPY 1 ~joe/Archive", "c NO [NOPERM] no right to do that\r\n"},
                {"lrs", "", "c COPY 1 ~joe/Archive", "c NO [TRYCREATE] no such mailbox\r\n"},
                {"lrst", "li", "m MOVE 1 ~joe/Archive", "m NO [NOPERM] no right to remove messages\r\n"},
                {"lrse", "li", "m MOVE 1 ~joe/Archive", "m NO [NOPERM] no right to remove messages\r\n"},
                {"lrste", "lr", "m MOVE 1 ~joe/Archive", "m NO [NOPERM] no right to do that\r\n"},
                {"lrst", "l", "x EXPUNGE", "x NO [NOPERM] no right to remove messages\r\n"},
                {"lrse", "l", "x EXPUNGE", "x OK EXPUNGE completed\r\n"},
        };
        TalkSite site;

        talk_open(&site);
        fill(&site, 2);
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                const Viewer *joe = &site.joe_account;
                g_assert_cmpint(test_grant(&site.site, joe, "INBOX", "ann@ex.org", cases[i].source), ==, MAILBOX_DONE);
                g_assert_cmpint(test_grant(&site.site, joe, "Archive", "ann@ex.org", cases[i].target), ==,
                                MAILBOX_DONE);
                talk_select(&site.ann, "~joe/INBOX");
                talk(&site.ann, cases[i].say, cases[i].answer);
        }
        /* without s and w in the target flags stay behind */
        g_assert_cmpint(test_grant(&site.site, &site.joe_account, "Archive", "ann@ex.org", "lrit"), ==, MAILBOX_DONE);
        talk_ends(&site.ann, "c COPY 1:2 ~joe/Archive", "] COPY completed\r\n");
        talk_select(&site.joe, "Archive");
        talk(&site.joe, "f FETCH 1:2 (FLAGS)",
             "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS ())\r\nf OK FETCH completed\r\n");
        talk_close(&site);
}

static void
test_limit(void)
{
        TalkSite site;

        talk_open(&site);
        fill(&site, 5);
        talk_select(&site.joe, "INBOX");
        site.joe.door->settings.message_limit = 2;
        talk(&site.joe, "c COPY 1:3 Archive", "c NO [MESSAGELIMIT 2 2] too many messages at once\r\n");
        talk_validity(&site, "m MOVE 1:3 Archive",
                      "* OK [COPYUID %u 2:3 1:2] moved\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nm OK [MESSAGELIMIT 2 2] MOVE "
                      "completed\r\n");
        site.joe.door->settings.message_limit = 0;
        talk_ends(&site.joe, "s STORE 1:3 +FLAGS.SILENT (\\Deleted)", "s OK STORE completed\r\n");
        site.joe.door->settings.message_limit = 2;
        talk(&site.joe, "x UID EXPUNGE 1:9",
             "* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nx OK [MESSAGELIMIT 2 4] EXPUNGE completed\r\n");
        talk_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/imap/copy/COPY (RFC 9051 §6.4.7, 4315 §3)", test_copy);
        g_test_add_func("/imap/copy/MOVE (RFC 6851)", test_move);
        g_test_add_func("/imap/copy/how far it is (RFC 9585)", test_progress);
        g_test_add_func("/imap/copy/EXPUNGE (RFC 9051 §6.4.3, §6.4.9)", test_expunge);
        g_test_add_func("/imap/copy/rights (RFC 4314 §4)", test_rights);
        g_test_add_func("/imap/copy/MESSAGELIMIT (RFC 9738 §3)", test_limit);
        return g_test_run();
}

#include "imap/site_test.h"

#define FLAG_LINES                                                                                                     \
        "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n"                                                  \
        "* OK [PERMANENTFLAGS (\\* \\Seen \\Answered \\Flagged \\Deleted \\Draft)] kept\r\n"

static void
test_select(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 3);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a SELECT inbox\r\n"));
        g_autofree char *expected = g_strdup_printf(
                "* 3 EXISTS\r\n" FLAG_LINES "* OK [UNSEEN 1] first without \\Seen\r\n"
                "* OK [UIDVALIDITY %u] UIDs valid\r\n* OK [UIDNEXT 4] next UID\r\n"
                "* OK [HIGHESTMODSEQ %" G_GUINT64_FORMAT "] highest\r\n",
                view_uid_validity(h.session->selected->view), view_highest_modseq(h.session->selected->view));
        g_assert_true(g_str_has_prefix(h.output->str, expected));
        g_assert_true(g_str_has_suffix(h.output->str, "a OK [READ-WRITE] selected\r\n"));
        harness_expect(&h, "b SELECT nowhere\r\n",
                       "* OK [CLOSED] that was the mailbox before\r\nb NO [NONEXISTENT] no such mailbox\r\n");
        harness_expect(&h, "c CLOSE\r\n", "c BAD select a mailbox first\r\n");
        harness_say(&h, span_of("d EXAMINE INBOX\r\n"));
        g_assert_nonnull(strstr(h.output->str, "* OK [PERMANENTFLAGS ()] kept\r\n"));
        g_assert_true(g_str_has_suffix(h.output->str, "d OK [READ-ONLY] selected\r\n"));
        harness_expect(&h, "e UNSELECT\r\n", "e OK no mailbox is selected\r\n");
        harness_expect(&h, "f NOOP\r\n", "f OK nothing done\r\n");
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_rev2(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 1);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a ENABLE IMAP4rev2\r\nb SELECT INBOX\r\n"));
        g_assert_null(strstr(h.output->str, "RECENT"));
        g_assert_null(strstr(h.output->str, "UNSEEN"));
        g_assert_nonnull(strstr(h.output->str, "\r\n* LIST () \"/\" INBOX\r\nb OK [READ-WRITE] selected\r\n"));
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_syntax(void)
{
        static const char *const rows[] = {
                "a SELECT\r\n",
                "a SELECT INBOX x\r\n",
                "a SELECT INBOX ()\r\n",
                "a SELECT INBOX (FOO)\r\n",
                "a SELECT INBOX (CONDSTORE\r\n",
                "a SELECT INBOX (QRESYNC (1 1))\r\n", /* not enabled */
        };
        static const char *const enabled[] = {
                "a SELECT INBOX (QRESYNC)\r\n",
                "a SELECT INBOX (QRESYNC (1))\r\n",
                "a SELECT INBOX (QRESYNC (1 0))\r\n",
                "a SELECT INBOX (QRESYNC (1 1 *))\r\n",
                "a SELECT INBOX (QRESYNC (1 1 1:*))\r\n",
                "a SELECT INBOX (QRESYNC (1 1 1:5 (1)))\r\n",
                "a SELECT INBOX (QRESYNC (1 1 1:5 (1 1))\r\n",
                "a SELECT INBOX (QRESYNC (1 1) QRESYNC (1 1))\r\n",
        };
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 0);
        imap_site_log_in(&site, &h);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
                harness_expect(&h, rows[i], "a BAD syntax: mailbox [(parameters)]\r\n");
        harness_expect(&h, "a SELECT \"caf\xe9\"\r\n", "a NO [CANNOT] not a name that can be used\r\n");
        harness_say(&h, span_of("b ENABLE QRESYNC\r\n"));
        g_assert_cmpstr(h.output->str, ==, "* ENABLED CONDSTORE QRESYNC\r\nb OK enabled\r\n");
        for (gsize i = 0; i < G_N_ELEMENTS(enabled); i++)
                harness_expect(&h, enabled[i], "a BAD syntax: mailbox [(parameters)]\r\n");
        harness_close(&h);
        imap_site_close(&site);
}

/* What others do is told with the next answer; EXPUNGE not while numbers are in use. */
static void
test_telling(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 3);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a SELECT INBOX\r\n"));
        imap_site_deliver(&site, 1);
        harness_expect(&h, "b NOOP\r\n", "* 4 EXISTS\r\nb OK nothing done\r\n");
        imap_site_flag(&site, 2, 3, FLAG_SEEN | FLAG_DELETED);
        harness_expect(&h, "c CHECK\r\n",
                       "* 2 FETCH (FLAGS (\\Seen \\Deleted))\r\n* 3 FETCH (FLAGS (\\Seen \\Deleted))\r\nc OK nothing "
                       "done\r\n");
        imap_site_expunge(&site);
        imap_site_deliver(&site, 1);
        harness_expect(&h, "d FETCH 4 UID\r\n", "* 4 FETCH (UID 4)\r\n* 5 EXISTS\r\nd OK FETCH completed\r\n");
        harness_expect(&h, "e CHECK\r\n", "* 3 EXPUNGE\r\n* 2 EXPUNGE\r\ne OK nothing done\r\n");
        harness_expect(&h, "f NOOP\r\n", "f OK nothing done\r\n");
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_vanished(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 9);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a ENABLE QRESYNC\r\nb SELECT INBOX\r\n"));
        imap_site_flag(&site, 2, 3, FLAG_DELETED);
        imap_site_flag(&site, 5, 5, FLAG_DELETED);
        imap_site_flag(&site, 7, 9, FLAG_DELETED);
        imap_site_expunge(&site);
        imap_site_flag(&site, 4, 4, FLAG_SEEN);
        g_autofree char *expected = g_strdup_printf("* VANISHED 2:3,5,7:9\r\n* 2 FETCH (UID 4 FLAGS (\\Seen) MODSEQ "
                                                    "(%" G_GUINT64_FORMAT "))\r\nc OK nothing done\r\n",
                                                    imap_site_modseq(&site));
        harness_expect(&h, "c NOOP\r\n", expected);
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_uidonly(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 3);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a ENABLE UIDONLY\r\nb SELECT INBOX\r\n"));
        imap_site_flag(&site, 1, 1, FLAG_DELETED);
        imap_site_expunge(&site);
        imap_site_flag(&site, 3, 3, FLAG_SEEN);
        harness_expect(&h, "c NOOP\r\n", "* VANISHED 1\r\n* 3 UIDFETCH (FLAGS (\\Seen))\r\nc OK nothing done\r\n");
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_new_keyword(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 1);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a SELECT INBOX\r\n"));
        imap_site_keyword(&site, 1, "$Forwarded");
        harness_expect(&h, "b NOOP\r\n",
                       "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded)\r\n"
                       "* OK [PERMANENTFLAGS (\\* \\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded)] kept\r\n"
                       "* 1 FETCH (FLAGS ($Forwarded))\r\nb OK nothing done\r\n");
        harness_close(&h);
        imap_site_close(&site);
}

/* A telling longer than the output takes goes on when the reader has read, and the tagged line comes last. */
static void
test_long_telling(void)
{
        ImapSite site;
        Harness h = {0};
        guint lines = 0;

        imap_site_open(&site, 5000);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a SELECT INBOX\r\n"));
        imap_site_flag(&site, 1, 5000, FLAG_FLAGGED);
        h.output_max = 3000;
        harness_say(&h, span_of("b NOOP\r\nc NOOP\r\n"));
        for (const char *at = h.output->str; (at = strstr(at, " FETCH (FLAGS (\\Flagged))\r\n")) != NULL; at++)
                lines++;
        g_assert_cmpuint(lines, ==, 5000);
        g_assert_true(g_str_has_suffix(h.output->str, "b OK nothing done\r\nc OK nothing done\r\n"));
        imap_site_flag(&site, 1, 5000, FLAG_DELETED);
        imap_site_expunge(&site);
        harness_say(&h, span_of("d NOOP\r\n"));
        g_assert_true(g_str_has_prefix(h.output->str, "* 5000 EXPUNGE\r\n* 4999 EXPUNGE\r\n"));
        g_assert_true(g_str_has_suffix(h.output->str, "* 2 EXPUNGE\r\n* 1 EXPUNGE\r\nd OK nothing done\r\n"));
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_idle(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 1);
        imap_site_log_in(&site, &h);
        harness_expect(&h, "a IDLE\r\n", "+ idling\r\n"); /* without a mailbox too */
        harness_expect(&h, "done\r\n", "a OK it was quiet\r\n");
        harness_say(&h, span_of("b SELECT INBOX\r\n"));
        harness_expect(&h, "c IDLE\r\n", "+ idling\r\n");
        imap_site_deliver(&site, 1);
        imap_site_wait_woken(&h);
        harness_expect(&h, "", "* 2 EXISTS\r\n");
        imap_site_flag(&site, 1, 1, FLAG_DELETED);
        imap_site_expunge(&site);
        imap_site_wait_woken(&h);
        harness_say(&h, span_of("DONE\r\n"));
        g_assert_true(g_str_has_suffix(h.output->str, "* 1 EXPUNGE\r\nc OK it was quiet\r\n"));
        harness_expect(&h, "d IDLE\r\ne NOOP\r\nf NOOP\r\n",
                       "+ idling\r\nd BAD DONE was wanted\r\nf OK nothing done\r\n");
        imap_site_deliver(&site, 1);
        harness_expect(&h, "g IDLE\r\n", "+ idling\r\n* 2 EXISTS\r\n"); /* what came before */
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_resync(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 10);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a ENABLE QRESYNC\r\nb SELECT INBOX\r\n"));
        guint32 validity = view_uid_validity(h.session->selected->view);
        guint64 before = view_highest_modseq(h.session->selected->view);
        imap_site_flag(&site, 3, 4, FLAG_DELETED);
        imap_site_expunge(&site);
        imap_site_flag(&site, 6, 6, FLAG_SEEN);
        guint64 after = imap_site_modseq(&site);
        const struct {
                const char *params, *vanished;
                gboolean has_fetch;
        } rows[] = {
                {"", "3:4", TRUE},           {" 1:10", "3:4", TRUE},    {" 1:3", "3", FALSE},
                {" 4:6", "4", TRUE},         {" 1:2,5:10", NULL, TRUE}, {" 1:10 (1:10 1:10)", "3:4", TRUE},
                {" (1:2 1:2)", "3:4", TRUE}, {" (3 5)", NULL, TRUE}, /* nothing is missing up to UID 5 */
                {" 7:10", NULL, FALSE},
        };
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *say = g_strdup_printf("c SELECT INBOX (QRESYNC (%u %" G_GUINT64_FORMAT "%s))\r\n",
                                                       validity, before, rows[i].params);
                g_autofree char *vanished = g_strdup_printf("* VANISHED (EARLIER) %s\r\n", rows[i].vanished);
                g_autofree char *fetch =
                        g_strdup_printf("* 4 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (%" G_GUINT64_FORMAT "))\r\n", after);
                g_autofree char *end =
                        g_strconcat(rows[i].vanished != NULL ? vanished : "", rows[i].has_fetch ? fetch : "",
                                    "c OK [READ-WRITE] selected\r\n", NULL);
                harness_say(&h, span_of(say));
                g_assert_cmpint(strstr(h.output->str, "VANISHED") != NULL, ==, rows[i].vanished != NULL);
                if (!g_str_has_suffix(h.output->str, end))
                        g_error("%s: %s", say, h.output->str);
        }
        g_autofree char *other = g_strdup_printf("d SELECT INBOX (QRESYNC (%u 1))\r\n", validity - 1);
        harness_say(&h, span_of(other));
        g_assert_null(strstr(h.output->str, "VANISHED"));
        g_assert_null(strstr(h.output->str, "FETCH"));
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_close(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 4);
        imap_site_log_in(&site, &h);
        imap_site_flag(&site, 2, 2, FLAG_DELETED);
        harness_say(&h, span_of("a SELECT INBOX\r\n"));
        harness_expect(&h, "b UNSELECT\r\n", "b OK no mailbox is selected\r\n");
        harness_say(&h, span_of("c EXAMINE INBOX\r\n"));
        g_assert_true(g_str_has_prefix(h.output->str, "* 4 EXISTS\r\n"));
        harness_expect(&h, "d CLOSE\r\n", "d OK closed\r\n");
        harness_say(&h, span_of("e SELECT INBOX\r\n"));
        g_assert_true(g_str_has_prefix(h.output->str, "* 4 EXISTS\r\n"));
        harness_expect(&h, "f CLOSE\r\n", "f OK closed\r\n");
        harness_say(&h, span_of("g SELECT INBOX\r\n"));
        g_assert_true(g_str_has_prefix(h.output->str, "* 3 EXISTS\r\n"));
        harness_close(&h);
        imap_site_close(&site);
}

/* Rights of a shared mailbox decide what is permanent (RFC 4314 §5.2). */
static void
test_rights(void)
{
        static const struct {
                const char *rights, *expected, *code;
        } rows[] = {
                {"lr", "* OK [PERMANENTFLAGS ()] kept", "[READ-ONLY]"},
                {"lrs", "* OK [PERMANENTFLAGS (\\Seen)] kept", "[READ-WRITE]"},
                {"lrt", "* OK [PERMANENTFLAGS (\\Deleted)] kept", "[READ-WRITE]"},
                {"lrw", "* OK [PERMANENTFLAGS (\\* \\Answered \\Flagged \\Draft)] kept", "[READ-WRITE]"},
                {"lri", "* OK [PERMANENTFLAGS ()] kept", "[READ-WRITE]"},
        };
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 1);
        Viewer ann = test_account(&site.site, "ann@ex.org", NULL, NULL);
        h.account = ann.account;
        h.local = "ann";
        imap_site_log_in(&site, &h);
        harness_expect(&h, "a SELECT ~joe/INBOX\r\n", "a NO [NONEXISTENT] no such mailbox\r\n");
        g_assert_cmpint(test_grant(&site.site, &site.joe, "INBOX", "ann@ex.org", "l"), ==, MAILBOX_DONE);
        harness_expect(&h, "a SELECT ~joe/INBOX\r\n", "a NO [NOPERM] no right to do that\r\n");
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_assert_cmpint(test_grant(&site.site, &site.joe, "INBOX", "ann@ex.org", rows[i].rights), ==,
                                MAILBOX_DONE);
                harness_say(&h, span_of("a SELECT ~joe/INBOX\r\n"));
                g_assert_nonnull(strstr(h.output->str, rows[i].expected));
                g_assert_nonnull(strstr(h.output->str, rows[i].code));
        }
        harness_close(&h);
        imap_site_close(&site);
}

static void
test_removed(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 1);
        test_create(&site.site, &site.joe, "Work");
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("a SELECT Work\r\n"));
        g_assert_cmpint(test_delete(&site.site, &site.joe, "Work"), ==, MAILBOX_DONE);
        harness_say(&h, span_of("b NOOP\r\n"));
        g_assert_true(g_str_has_prefix(h.output->str, "* BYE the mailbox has been removed\r\n"));
        g_assert_true(h.is_closed);
        harness_close(&h);
        imap_site_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/imap/select/RFC 3501 6.3.1: SELECT and EXAMINE", test_select);
        g_test_add_func("/imap/select/RFC 9051 6.3.2: SELECT of IMAP4rev2", test_rev2);
        g_test_add_func("/imap/select/syntax", test_syntax);
        g_test_add_func("/imap/select/RFC 9051 7.5.1: what others do is told", test_telling);
        g_test_add_func("/imap/select/RFC 7162 3.2.10: VANISHED", test_vanished);
        g_test_add_func("/imap/select/RFC 9586: UIDONLY", test_uidonly);
        g_test_add_func("/imap/select/RFC 9051 7.3.5: new keywords are told first", test_new_keyword);
        g_test_add_func("/imap/select/long tellings wait for their reader", test_long_telling);
        g_test_add_func("/imap/select/RFC 9051 6.3.13: IDLE", test_idle);
        g_test_add_func("/imap/select/RFC 7162 3.2.5: QRESYNC", test_resync);
        g_test_add_func("/imap/select/RFC 9051 6.4.1: CLOSE removes, UNSELECT does not", test_close);
        g_test_add_func("/imap/select/RFC 4314 5.2: rights", test_rights);
        g_test_add_func("/imap/select/a mailbox that is removed", test_removed);
        return g_test_run();
}

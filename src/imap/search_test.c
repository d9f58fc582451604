#include "imap/site_test.h"

#include <string.h>

/* Five messages that differ in what is searched. All came at the same moment. */
static const char *const MAILS[] = {
        "Date: Mon, 1 Feb 2021 23:30:00 -0200\r\nFrom: Ann Smith <ann@ex.org>\r\nTo: joe@ex.org\r\nSubject: lunch\r\n"
        "Message-ID: <1@x>\r\n\r\nfizzle at noon\r\n",
        "Date: Tue, 2 Feb 2021 10:00:00 +0000\r\nFrom: Bob <bob@ex.org>\r\nTo: joe@ex.org\r\nCc: carl@ex.org\r\n"
        "Subject: Re: lunch\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\n\r\nyes\r\n",
        "Date: Wed, 3 Feb 2021 10:00:00 +0000\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@ex.org>\r\nTo: joe@ex.org\r\n"
        "Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\nX-Spam: yes\r\nMessage-ID: <3@x>\r\n\r\nbreak the IMAP\r\n",
        "From: Zoe <zoe@ex.org>\r\nTo: ann@ex.org\r\nBcc: secret@ex.org\r\nSubject: IMAP break\r\nMessage-ID: "
        "<4@x>\r\n\r\n"
        "IMAP break, two  words\r\nacross lines\r\n",
        "Date: Thu, 4 Feb 2021 10:00:00 +0000\r\nFrom: ann@ex.org\r\nSubject: Re: [list] lunch\r\nMessage-ID: <5@x>\r\n"
        "References: <1@x> <2@x>\r\n\r\nno\r\n",
};

typedef struct Case {
        ImapSite site;
        Harness h;
} Case;

static void
case_open(Case *c)
{
        imap_site_open(&c->site, 0);
        for (gsize i = 0; i < G_N_ELEMENTS(MAILS); i++)
                imap_site_put(&c->site, MAILS[i]);
        c->h = (Harness){0};
        imap_site_log_in(&c->site, &c->h);
        harness_say(&c->h, span_of("s SELECT INBOX\r\n"));
        g_assert_nonnull(strstr(c->h.output->str, "s OK"));
}

static void
case_close(Case *c)
{
        harness_close(&c->h);
        imap_site_close(&c->site);
}

static void
say(Case *c, const char *command, const char *answer)
{
        g_autofree char *line = g_strconcat("a ", command, "\r\n", NULL);
        g_autofree char *expected = g_strconcat(answer, "a OK done\r\n", NULL);

        harness_expect(&c->h, line, expected);
}

static void
finds(Case *c, const char *keys, const char *numbers)
{
        g_autofree char *command = g_strconcat("SEARCH ", keys, NULL);
        g_autofree char *answer = g_strconcat("* SEARCH", numbers, "\r\n", NULL);

        say(c, command, answer);
}

static void
test_keys(void)
{
        static const char *const rows[][2] = {
                {"ALL", " 1 2 3 4 5"},
                {"SUBJECT lunch", " 1 2 5"},
                {"SUBJECT LUNCH NOT FROM bob", " 1 5"},
                {"FROM Smith", " 1"},
                {"CHARSET UTF-8 FROM {5+}\r\nJ\xc3\xb6RG", " 3"},
                {"CHARSET ISO-8859-1 SUBJECT {4+}\r\nR\xfc\xdf"
                 "e",
                 " 3"},
                {"SUBJECT GRUSSE", ""},
                {"CC carl", " 2"},
                {"BCC secret", " 4"},
                {"TO joe", " 1 2 3"},
                {"HEADER X-Spam \"\"", " 3"},
                {"HEADER X-Spam no", ""},
                {"HEADER References <1@X>", " 2 5"},
                {"HEADER Cc \"\"", " 2"},
                {"SENTON 1-Feb-2021", " 1"},
                {"SENTBEFORE 2-Feb-2021", " 1"},
                {"SENTSINCE 3-Feb-2021", " 3 5"},
                {"SINCE 1-Jan-1970", " 1 2 3 4 5"},
                {"BEFORE 1-Jan-1970", ""},
                {"ON 1-Jan-1970", " 1 2 3 4 5"},
                {"OLDER 60", " 1 2 3 4 5"},
                {"YOUNGER 60", ""},
                {"SAVEDON 1-Jan-1970", " 1 2 3 4 5"},
                {"SAVEDSINCE 1-Jan-2000", ""},
                {"SAVEDATESUPPORTED 1:2", " 1 2"},
                {"UNSEEN NEW", " 1 2 3 4 5"},
                {"EMAILID none", ""},
                {"NOT THREADID none", " 1 2 3 4 5"},
                {"BODY fizzle", " 1"},
                {"BODY \"two words across\"", " 4"},
                {"BODY lunch", ""},
                {"TEXT LUNCH", " 1 2 5"},
                {"OR BODY yes BODY no", " 1 2 5"},
                {"NOT BODY imap UID 3:*", " 5"},
                {"OR (BODY imap SUBJECT imap) (TEXT carl BODY yes)", " 2 4"},
                {"FUZZY SUBJECT \"break imap\"", " 4"},
                {"FUZZY BODY \"imap break\"", " 3 4"},
                {"UID 2:3,5", " 2 3 5"},
                {"4:*", " 4 5"},
                {"50:60", ""},
        };
        Case c;

        case_open(&c);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
                finds(&c, rows[i][0], rows[i][1]);
        case_close(&c);
}

static void
test_flags(void)
{
        Case c;

        case_open(&c);
        imap_site_flag(&c.site, 2, 3, FLAG_SEEN | FLAG_FLAGGED);
        imap_site_keyword(&c.site, 4, "$Junk");
        harness_say(&c.h, span_of("n NOOP\r\n"));
        finds(&c, "UNSEEN", " 1 4 5");
        finds(&c, "SEEN UNFLAGGED", "");
        finds(&c, "KEYWORD $JUNK", " 4");
        finds(&c, "UNKEYWORD $Junk SEEN", " 2 3");
        finds(&c, "KEYWORD never", "");
        case_close(&c);
}

static void
test_extended(void)
{
        static const char *const rows[][2] = {
                {"SEARCH RETURN () SUBJECT lunch", "* ESEARCH (TAG \"a\") ALL 1:2,5\r\n"},
                {"UID SEARCH RETURN (MIN MAX COUNT) SUBJECT lunch",
                 "* ESEARCH (TAG \"a\") UID MIN 1 MAX 5 COUNT 3\r\n"},
                {"SEARCH RETURN (MIN COUNT ALL) SUBJECT none", "* ESEARCH (TAG \"a\") COUNT 0\r\n"},
                {"SEARCH RETURN (PARTIAL 2:3) SUBJECT lunch", "* ESEARCH (TAG \"a\") PARTIAL (2:3 2,5)\r\n"},
                {"SEARCH RETURN (PARTIAL 3:9) SUBJECT lunch", "* ESEARCH (TAG \"a\") PARTIAL (3:9 5)\r\n"},
                {"SEARCH RETURN (PARTIAL 4:9) SUBJECT lunch", "* ESEARCH (TAG \"a\") PARTIAL (4:9 NIL)\r\n"},
                {"SEARCH RETURN (PARTIAL -1:-2) SUBJECT lunch", "* ESEARCH (TAG \"a\") PARTIAL (-1:-2 2,5)\r\n"},
                {"SEARCH RETURN (PARTIAL -3:-9 MIN) SUBJECT lunch",
                 "* ESEARCH (TAG \"a\") MIN 1 PARTIAL (-3:-9 1)\r\n"},
                {"SEARCH RETURN (SAVE) SUBJECT lunch", ""},
                {"SEARCH $ NOT 1", "* SEARCH 2 5\r\n"},
                {"SEARCH RETURN (SAVE MIN MAX) ALL", "* ESEARCH (TAG \"a\") MIN 1 MAX 5\r\n"},
                {"UID SEARCH UID $", "* SEARCH 1 5\r\n"},
                {"SEARCH RETURN (SAVE MIN COUNT) 2:4", "* ESEARCH (TAG \"a\") MIN 2 COUNT 3\r\n"},
                {"SEARCH $", "* SEARCH 2 3 4\r\n"},
                {"SEARCH RETURN (SAVE PARTIAL 2:3 MIN) ALL", "* ESEARCH (TAG \"a\") MIN 1 PARTIAL (2:3 2:3)\r\n"},
                {"SEARCH $", "* SEARCH 1 2 3\r\n"},
                {"SEARCH RETURN (RELEVANCY ALL) FUZZY BODY \"imap break\"",
                 "* ESEARCH (TAG \"a\") ALL 3:4 RELEVANCY (25 100)\r\n"},
                /* all words in the subject, not as written; only one of two words in the subject */
                {"SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT \"break imap\"",
                 "* ESEARCH (TAG \"a\") ALL 3:4 RELEVANCY (25 50)\r\n"},
                {"SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT \"lunch fizzle\"",
                 "* ESEARCH (TAG \"a\") ALL 1 RELEVANCY (25)\r\n"},
                {"SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT lunch",
                 "* ESEARCH (TAG \"a\") ALL 1:2,5 RELEVANCY (100 100 100)\r\n"},
        };
        Case c;

        case_open(&c);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
                say(&c, rows[i][0], rows[i][1]);
        harness_say(&c.h, span_of("e ENABLE IMAP4rev2\r\n"));
        say(&c, "SEARCH SUBJECT lunch", "* ESEARCH (TAG \"a\") ALL 1:2,5\r\n");
        say(&c, "SEARCH SUBJECT none", "* ESEARCH (TAG \"a\")\r\n");
        case_close(&c);
}

static void
test_refused(void)
{
        static const char *const rows[][2] = {
                {"SEARCH", "a BAD syntax: SEARCH [RETURN (options)] [CHARSET charset] key...\r\n"},
                {"SEARCH RETURN (ALL PARTIAL 1:2) ALL",
                 "a BAD syntax: SEARCH [RETURN (options)] [CHARSET charset] key...\r\n"},
                {"SEARCH RETURN (RELEVANCY) ALL", "a BAD RELEVANCY is of FUZZY searches\r\n"},
                {"SORT (RELEVANCY) UTF-8 ALL", "a BAD RELEVANCY is of FUZZY searches\r\n"},
                {"SORT (DATE) ALL", "a BAD syntax: SORT [RETURN (options)] (criteria) charset key...\r\n"},
                {"THREAD SOME UTF-8 ALL", "a BAD syntax: THREAD algorithm charset key...\r\n"},
                {"ESEARCH IN (selected-delayed) ALL",
                 "a BAD syntax: ESEARCH [IN (mailboxes)] [RETURN (options)] keys\r\n"},
                {"ESEARCH IN (personal) RETURN (SAVE) ALL", "a BAD SAVE is of the selected mailbox\r\n"},
                {"UIDBATCHES 0", "a BAD syntax: UIDBATCHES size [first:last]\r\n"},
                {"UIDBATCHES 500 2:1", "a BAD [CLIENTBUG] the first batch comes first\r\n"},
                {"UIDBATCHES 499", "a NO [TOOFEW] a batch has at least 500 messages\r\n"},
                {"CANCELUPDATE", "a BAD syntax: CANCELUPDATE \"tag\"...\r\n"},
        };
        Case c;

        case_open(&c);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *line = g_strconcat("a ", rows[i][0], "\r\n", NULL);
                harness_expect(&c.h, line, rows[i][1]);
        }
        say(&c, "SEARCH RETURN (SAVE) ALL", "");
        harness_say(&c.h, span_of("b SEARCH RETURN (SAVE) CHARSET X-NONE ALL\r\n"));
        g_assert_true(g_str_has_prefix(c.h.output->str, "b NO [BADCHARSET (UTF-8 US-ASCII "));
        say(&c, "SEARCH $", "* SEARCH\r\n"); /* RFC 5182 §2.1: a NO saves nothing */
        case_close(&c);
}

static void
test_modseq(void)
{
        Case c;

        case_open(&c);
        imap_site_flag(&c.site, 2, 2, FLAG_SEEN);
        guint64 modseq = imap_site_modseq(&c.site);
        g_autofree char *line = g_strdup_printf("a SEARCH MODSEQ %" G_GUINT64_FORMAT "\r\n", modseq);
        g_autofree char *answer = g_strdup_printf("* SEARCH 2 (MODSEQ %" G_GUINT64_FORMAT ")\r\na OK done\r\n", modseq);
        harness_say(&c.h, span_of("e ENABLE CONDSTORE\r\nn NOOP\r\n"));
        harness_expect(&c.h, line, answer);
        g_autofree char *extended =
                g_strdup_printf("a UID SEARCH RETURN (MIN) MODSEQ %" G_GUINT64_FORMAT "\r\n", modseq);
        g_autofree char *told = g_strdup_printf(
                "* ESEARCH (TAG \"a\") UID MIN 2 MODSEQ %" G_GUINT64_FORMAT "\r\na OK done\r\n", modseq);
        harness_expect(&c.h, extended, told);
        case_close(&c);
}

static void
test_sort(void)
{
        static const char *const rows[][2] = {
                {"SORT (SUBJECT) UTF-8 ALL", "* SORT 3 4 1 2 5\r\n"},
                {"SORT (REVERSE SUBJECT) UTF-8 ALL", "* SORT 1 2 5 4 3\r\n"},
                {"SORT (FROM) UTF-8 ALL", "* SORT 1 5 2 3 4\r\n"},
                {"SORT (DISPLAYFROM) UTF-8 ALL", "* SORT 1 5 2 3 4\r\n"},
                {"SORT (CC DATE) UTF-8 2:5", "* SORT 4 3 5 2\r\n"},
                {"UID SORT (REVERSE DATE) US-ASCII SUBJECT lunch", "* SORT 5 2 1\r\n"},
                {"SORT (ARRIVAL) UTF-8 SUBJECT none", "* SORT\r\n"},
                {"SORT RETURN () (REVERSE DATE) UTF-8 ALL", "* ESEARCH (TAG \"a\") ALL 5,3,2,1,4\r\n"},
                {"UID SORT RETURN (MIN MAX COUNT) (SUBJECT) UTF-8 ALL",
                 "* ESEARCH (TAG \"a\") UID MIN 3 MAX 5 COUNT 5\r\n"},
                {"SORT RETURN (PARTIAL 1:2) (REVERSE DATE) UTF-8 ALL", "* ESEARCH (TAG \"a\") PARTIAL (1:2 5,3)\r\n"},
                {"SORT RETURN (PARTIAL -1:-2) (DATE) UTF-8 ALL", "* ESEARCH (TAG \"a\") PARTIAL (-1:-2 3,5)\r\n"},
                {"SORT (RELEVANCY) UTF-8 FUZZY BODY \"imap break\"", "* SORT 4 3\r\n"},
                {"SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY BODY \"imap break\"",
                 "* ESEARCH (TAG \"a\") ALL 4,3 RELEVANCY (100 25)\r\n"},
        };
        Case c;

        case_open(&c);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
                say(&c, rows[i][0], rows[i][1]);
        case_close(&c);
}

static void
test_thread(void)
{
        static const char *const rows[][2] = {
                {"THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (4)(1 (2)(5))(3)\r\n"},
                {"THREAD REFERENCES UTF-8 ALL", "* THREAD (4)(1 2 5)(3)\r\n"},
                {"UID THREAD REFS UTF-8 2:5", "* THREAD (4)(2 5)(3)\r\n"},
                {"THREAD REFERENCES US-ASCII SUBJECT none", "* THREAD\r\n"},
        };
        Case c;

        case_open(&c);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
                say(&c, rows[i][0], rows[i][1]);
        case_close(&c);
}

static void
test_several_mailboxes(void)
{
        Case c;
        char answer[200];

        case_open(&c);
        harness_say(&c.h, span_of("x UNSELECT\r\n"));
        g_assert_nonnull(strstr(c.h.output->str, "x OK"));
        guint32 validity = 0;
        {
                g_autoptr(GError) error = NULL;
                g_autoptr(View) view = NULL;
                g_assert_cmpint(store_view_open(c.site.site.store, c.site.inbox, c.site.joe.account, &view, &error), ==,
                                STORE_DONE);
                validity = view_uid_validity(view);
        }
        g_snprintf(answer, sizeof(answer), "* ESEARCH (TAG \"a\" MAILBOX INBOX UIDVALIDITY %u) UID ALL 1:2,5\r\n",
                   validity);
        say(&c, "ESEARCH IN (personal) SUBJECT lunch", answer);
        say(&c, "ESEARCH IN (mailboxes (inbox INBOX none) inboxes subtree inbox) SUBJECT lunch", answer);
        say(&c, "ESEARCH IN (subtree-one \"INBOX\") SUBJECT none", "");
        harness_expect(&c.h, "a ESEARCH ALL\r\n", "a BAD no mailbox is selected\r\n");
        harness_say(&c.h, span_of("s SELECT INBOX\r\n"));
        g_snprintf(answer, sizeof(answer), "* ESEARCH (TAG \"a\" MAILBOX INBOX UIDVALIDITY %u) UID MIN 1 COUNT 3\r\n",
                   validity);
        say(&c, "ESEARCH IN (selected personal) RETURN (MIN COUNT) SUBJECT lunch", answer);
        say(&c, "ESEARCH RETURN (COUNT MIN) SUBJECT lunch", answer);
        case_close(&c);
}

static void
test_live(void)
{
        Case c;

        case_open(&c);
        harness_expect(&c.h, "b UID SEARCH RETURN (UPDATE COUNT) UNSEEN SUBJECT lunch\r\n",
                       "* ESEARCH (TAG \"b\") UID COUNT 3\r\nb OK done\r\n");
        harness_expect(&c.h, "b SEARCH RETURN (UPDATE) ALL\r\n", "b BAD a search with that tag is live\r\n");
        harness_expect(&c.h, "d SORT RETURN (UPDATE ALL) (REVERSE DATE) UTF-8 SUBJECT lunch\r\n",
                       "* ESEARCH (TAG \"d\") ALL 5,2,1\r\nd OK done\r\n");
        imap_site_flag(&c.site, 2, 2, FLAG_SEEN);
        harness_expect(
                &c.h, "n NOOP\r\n",
                "* 2 FETCH (FLAGS (\\Seen))\r\n* ESEARCH (TAG \"b\") UID REMOVEFROM (0 2)\r\nn OK nothing done\r\n");
        imap_site_put(&c.site,
                      "Date: Tue, 2 Feb 2021 09:00:00 +0000\r\nSubject: lunch\r\nMessage-ID: <6@x>\r\n\r\nx\r\n");
        imap_site_put(&c.site,
                      "Date: Tue, 2 Feb 2022 09:00:00 +0000\r\nSubject: dinner\r\nMessage-ID: <7@x>\r\n\r\nx\r\n");
        harness_expect(&c.h, "n NOOP\r\n",
                       "* 7 EXISTS\r\n* ESEARCH (TAG \"b\") UID ADDTO (0 6)\r\n* ESEARCH (TAG \"d\") ADDTO (3 6)\r\nn "
                       "OK nothing done\r\n");
        imap_site_flag(&c.site, 1, 1, FLAG_DELETED);
        imap_site_flag(&c.site, 5, 5, FLAG_DELETED);
        imap_site_expunge(&c.site);
        harness_say(&c.h, span_of("n NOOP\r\n"));
        g_assert_true(g_str_has_prefix(c.h.output->str, "* ESEARCH (TAG \"b\") UID REMOVEFROM (0 1,5)\r\n"
                                                        "* ESEARCH (TAG \"d\") REMOVEFROM (4 1 1 5)\r\n"
                                                        "* 5 EXPUNGE\r\n* 1 EXPUNGE\r\n"));
        harness_expect(&c.h, "k CANCELUPDATE \"b\" \"d\" \"z\"\r\n", "k OK no further updates of these\r\n");
        imap_site_flag(&c.site, 2, 2, 0);
        harness_expect(&c.h, "n NOOP\r\n", "* 1 FETCH (FLAGS ())\r\nn OK nothing done\r\n");
        case_close(&c);
}

static void
test_too_many_live(void)
{
        Case c;

        case_open(&c);
        for (guint i = 0; i < 8; i++) {
                g_autofree char *line = g_strdup_printf("t%u SEARCH RETURN (UPDATE) ALL\r\n", i);
                g_autofree char *answer = g_strdup_printf("t%u OK done\r\n", i);
                harness_expect(&c.h, line, answer);
        }
        harness_expect(
                &c.h, "t8 SEARCH RETURN (UPDATE COUNT) ALL\r\n",
                "* ESEARCH (TAG \"t8\") COUNT 5\r\n* NO [NOUPDATE \"t8\"] changes will not be told\r\nt8 OK done\r\n");
        case_close(&c);
}

static void
test_batches(void)
{
        ImapSite site;
        Harness h = {0};

        imap_site_open(&site, 1200);
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("s SELECT INBOX\r\n"));
        harness_expect(&h, "a UIDBATCHES 500\r\n",
                       "* UIDBATCHES (TAG \"a\") 1200:701,700:201,200:1\r\na OK that is all\r\n");
        harness_expect(&h, "a UIDBATCHES 500 2:2\r\n", "* UIDBATCHES (TAG \"a\") 700:201\r\na OK that is all\r\n");
        harness_expect(&h, "a UIDBATCHES 500 3:9\r\n", "* UIDBATCHES (TAG \"a\") 200:1\r\na OK that is all\r\n");
        harness_expect(&h, "a UIDBATCHES 500 4:9\r\n", "* UIDBATCHES (TAG \"a\")\r\na OK that is all\r\n");
        harness_expect(&h, "a UIDBATCHES 4294967295\r\n", "* UIDBATCHES (TAG \"a\") 1200:1\r\na OK that is all\r\n");
        harness_expect(&h, "a UIDBATCHES 600\r\n", "* UIDBATCHES (TAG \"a\") 1200:601,600:1\r\na OK that is all\r\n");
        /* they cover what is gone from the beginning, too */
        imap_site_flag(&site, 1, 200, FLAG_DELETED);
        imap_site_expunge(&site);
        harness_say(&h, span_of("n NOOP\r\n"));
        harness_expect(&h, "a UIDBATCHES 500\r\n", "* UIDBATCHES (TAG \"a\") 1200:701,700:1\r\na OK that is all\r\n");
        harness_close(&h);
        imap_site_close(&site);
}

/* Answers longer than what the output takes go on where they stopped. */
static void
test_long_answers(void)
{
        ImapSite site;
        Harness h = {0};
        g_autoptr(GString) numbers = g_string_new("* SEARCH"), set = g_string_new("* ESEARCH (TAG \"a\") ALL ");
        g_autoptr(GString) scores = g_string_new("* ESEARCH (TAG \"a\") RELEVANCY (");

        imap_site_open(&site, 0);
        for (guint i = 1; i <= 750; i++)
                imap_site_put(&site, i % 2 == 1 ? IMAP_SITE_MESSAGE : "Subject: two\r\n\r\nx\r\n");
        imap_site_log_in(&site, &h);
        harness_say(&h, span_of("s SELECT INBOX\r\n"));
        for (guint i = 0; i < 6; i++) /* output counts as full from 64 KiB on */
                harness_say(&h, span_of("x COPY 1:* INBOX\r\n"));
        g_assert_nonnull(strstr(h.output->str, "* 48000 EXISTS"));
        for (guint i = 1; i <= 48000; i += 2) {
                g_string_append_printf(numbers, " %u", i);
                g_string_append_printf(set, "%s%u", i > 1 ? "," : "", i);
                g_string_append(scores, i > 1 ? " 100" : "100");
        }
        g_string_append(numbers, "\r\na OK done\r\n");
        g_string_append(set, "\r\na OK done\r\n");
        g_string_append(scores, ")\r\na OK done\r\n");
        h.output_max = 1000;
        harness_expect(&h, "a SEARCH SUBJECT one\r\n", numbers->str);
        harness_expect(&h, "a SEARCH RETURN (ALL) SUBJECT one\r\n", set->str);
        harness_expect(&h, "a SEARCH RETURN (RELEVANCY) FUZZY SUBJECT one\r\n", scores->str);
        harness_close(&h);
        imap_site_close(&site);
}

/* What is asked of a tree is asked below the name, not of names that begin like it. */
static void
test_trees(void)
{
        static const char *const names[] = {"Work", "Work/a", "Work/a/b", "Workers", "Wor"};
        static const struct {
                const char *in, *found;
        } rows[] = {
                {"subtree Work", "Work,Work/a,Work/a/b,"},
                {"subtree-one Work", "Work,Work/a,"},
                {"mailboxes Work", "Work,"},
                {"mailboxes (Workers Work/a)", "Workers,Work/a,"},
                {"subtree (Work/a Wor)", "Work/a,Work/a/b,Wor,"},
        };
        Case c;

        case_open(&c);
        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *line =
                        g_strdup_printf("x CREATE %s\r\nx COPY %u %s\r\n", names[i], (guint) i % 5 + 1, names[i]);
                harness_say(&c.h, span_of(line));
        }
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *line = g_strdup_printf("a ESEARCH IN (%s) ALL\r\n", rows[i].in);
                g_autoptr(GString) found = g_string_new(NULL);
                harness_say(&c.h, span_of(line));
                for (const char *at = c.h.output->str; (at = strstr(at, " MAILBOX ")) != NULL;) {
                        at += strlen(" MAILBOX ");
                        g_string_append_printf(found, "%.*s,", (int) strcspn(at, " "), at);
                }
                g_assert_cmpstr(found->str, ==, rows[i].found);
        }
        case_close(&c);
}

static void
test_no_numbers(void)
{
        Case c;

        case_open(&c);
        harness_say(&c.h, span_of("e ENABLE UIDONLY\r\n"));
        g_assert_nonnull(strstr(c.h.output->str, "e OK"));
        harness_expect(&c.h, "a UID SEARCH 1:3\r\n", "a BAD [UIDREQUIRED] UIDs only were asked for\r\n");
        say(&c, "UID SEARCH UID 1:3", "* SEARCH 1 2 3\r\n");
        case_close(&c);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/imap/search/RFC 9051 §6.4.4, 3501, 5032, 6203, 8474, 8514: keys", test_keys);
        g_test_add_func("/imap/search/RFC 9051 §6.4.4: flags and keywords", test_flags);
        g_test_add_func("/imap/search/RFC 4731, 5182, 6203, 9394: what is told and saved", test_extended);
        g_test_add_func("/imap/search/what is refused", test_refused);
        g_test_add_func("/imap/search/RFC 7162 §3.1.5, 4731 §3.2: MODSEQ", test_modseq);
        g_test_add_func("/imap/search/RFC 5256 §3, 5267 §3, 5957: SORT", test_sort);
        g_test_add_func("/imap/search/RFC 5256 §3, §4: THREAD", test_thread);
        g_test_add_func("/imap/search/RFC 7377 §2: several mailboxes", test_several_mailboxes);
        g_test_add_func("/imap/search/RFC 7377 §2.2: trees of mailboxes", test_trees);
        g_test_add_func("/imap/search/long answers", test_long_answers);
        g_test_add_func("/imap/search/RFC 5267 §4.3: live searches", test_live);
        g_test_add_func("/imap/search/RFC 5267 §4.3.1: too many of them", test_too_many_live);
        g_test_add_func("/imap/search/RFC 10022: batches", test_batches);
        g_test_add_func("/imap/search/RFC 9586 §3: no sequence numbers", test_no_numbers);
        return g_test_run();
}

#include "imap/talk_test.h"

#define OK "f OK FETCH completed\r\n"

static const char SIMPLE[] = "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
                             "From: Fred <fred@ex.org>\r\n"
                             "Subject: lunch\r\n"
                             "To: joe@ex.org\r\n"
                             "\r\n"
                             "Hello Joe,\r\n"
                             "noon?\r\n";

static const char MULTI[] = "From: a@ex.org\r\n"
                            "MIME-Version: 1.0\r\n"
                            "X-Odd: 1\r\n"
                            "Content-Type: multipart/mixed; boundary=x\r\n"
                            "\r\n"
                            "--x\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n"
                            "Content-Transfer-Encoding: base64\r\n"
                            "\r\n"
                            "aGVsbG8sIHdvcmxk\r\n"
                            "--x\r\n"
                            "Content-Type: message/rfc822\r\n"
                            "\r\n"
                            "Subject: inner\r\n"
                            "To: b@ex.org\r\n"
                            "\r\n"
                            "deep\r\n"
                            "--x\r\n"
                            "Content-Transfer-Encoding: x-unknown\r\n"
                            "\r\n"
                            "???\r\n"
                            "--x--\r\n";

static void
open_two(TalkSite *site)
{
        talk_open(site);
        talk_add(site, "INBOX", "(\\Flagged)", SIMPLE);
        talk_add(site, "INBOX", "()", MULTI);
        talk_select(&site->joe, "INBOX");
}

static void
test_items(void)
{
        TalkSite site;

        open_two(&site);
        talk(&site.joe, "f FETCH 1 FAST",
             "* 1 FETCH (FLAGS (\\Flagged) INTERNALDATE \"17-Jul-1996 02:44:25 +0000\" RFC822.SIZE 117)\r\n" OK);
        talk(&site.joe, "f UID FETCH 1:* (FLAGS)",
             "* 1 FETCH (UID 1 FLAGS (\\Flagged))\r\n* 2 FETCH (UID 2 FLAGS ())\r\n" OK);
        talk(&site.joe, "f UID FETCH 77 (FLAGS)", OK);
        talk(&site.joe, "f FETCH 1 ENVELOPE",
             "* 1 FETCH (ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800\" \"lunch\" ((\"Fred\" NIL \"fred\" \"ex.org\")) "
             "((\"Fred\" NIL \"fred\" \"ex.org\")) ((\"Fred\" NIL \"fred\" \"ex.org\")) ((NIL NIL \"joe\" \"ex.org\")) "
             "NIL NIL NIL "
             "NIL))\r\n" OK);
        talk(&site.joe, "f FETCH 1 (UID PREVIEW (LAZY) THREADID)",
             "* 1 FETCH (UID 1 PREVIEW \"Hello Joe, noon?\" THREADID NIL)\r\n" OK);
        talk_ends(&site.joe, "f FETCH 2 BODYSTRUCTURE", "\r\n" OK);
        g_assert_true(
                g_ascii_strncasecmp(site.joe.output->str, "* 2 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" (", 43) == 0);
        talk_ends(&site.joe, "f FETCH 2 BODY", "\"mixed\"))\r\n" OK);
        harness_say(&site.joe, span_of("f FETCH 1:2 (EMAILID SAVEDATE)\r\n"));
        g_assert_true(g_str_has_prefix(site.joe.output->str, "* 1 FETCH (EMAILID ("));
        g_assert_nonnull(strstr(site.joe.output->str, ") SAVEDATE \""));
        talk(&site.joe, "f FETCH 3 FLAGS", "f BAD no such message\r\n");
        talk(&site.joe, "f FETCH 1 NOTHING", "f BAD syntax: [UID] FETCH numbers items [(modifiers)]\r\n");
        talk_close(&site);
}

static void
test_sections(void)
{
        static const struct {
                const char *item, *answer;
        } cases[] = {
                {"1 BODY.PEEK[HEADER.FIELDS (To SUBJECT)]",
                 "* 1 FETCH (BODY[HEADER.FIELDS (To SUBJECT)] {34}\r\nSubject: lunch\r\nTo: joe@ex.org\r\n\r\n)\r\n"},
                {"1 BODY.PEEK[HEADER.FIELDS (To Subject)]<3.6>",
                 "* 1 FETCH (BODY[HEADER.FIELDS (To Subject)]<3> {6}\r\nject: )\r\n"},
                {"1 BODY.PEEK[HEADER.FIELDS (Nothing)]", "* 1 FETCH (BODY[HEADER.FIELDS (Nothing)] {2}\r\n\r\n)\r\n"},
                {"2 BODY.PEEK[HEADER.FIELDS (X-Odd)]",
                 "* 2 FETCH (BODY[HEADER.FIELDS (X-Odd)] {12}\r\nX-Odd: 1\r\n\r\n)\r\n"},
                {"2 BODY.PEEK[HEADER.FIELDS.NOT (content-type From)]<0.4>",
                 "* 2 FETCH (BODY[HEADER.FIELDS.NOT (content-type From)]<0> {4}\r\nMIME)\r\n"},
                {"2 BODY.PEEK[HEADER.FIELDS.NOT (content-type From)]<20.14>",
                 "* 2 FETCH (BODY[HEADER.FIELDS.NOT (content-type From)]<20> {11}\r\n-Odd: 1\r\n\r\n)\r\n"},
                {"1 BODY.PEEK[TEXT]", "* 1 FETCH (BODY[TEXT] {19}\r\nHello Joe,\r\nnoon?\r\n)\r\n"},
                {"1 BODY.PEEK[1]", "* 1 FETCH (BODY[1] {19}\r\nHello Joe,\r\nnoon?\r\n)\r\n"},
                {"1 BODY.PEEK[]<110.100>", "* 1 FETCH (BODY[]<110> {7}\r\nnoon?\r\n)\r\n"},
                {"1 BODY.PEEK[]<999.1>", "* 1 FETCH (BODY[]<999> {0}\r\n)\r\n"},
                {"1 BODY.PEEK[2]", "* 1 FETCH (BODY[2] NIL)\r\n"},
                {"2 BODY.PEEK[1]", "* 2 FETCH (BODY[1] {16}\r\naGVsbG8sIHdvcmxk)\r\n"},
                {"2 BODY.PEEK[2.MIME]", "* 2 FETCH (BODY[2.MIME] {32}\r\nContent-Type: message/rfc822\r\n\r\n)\r\n"},
                {"2 BODY.PEEK[2.HEADER]",
                 "* 2 FETCH (BODY[2.HEADER] {32}\r\nSubject: inner\r\nTo: b@ex.org\r\n\r\n)\r\n"},
                {"2 BODY.PEEK[2.HEADER.FIELDS (to)]",
                 "* 2 FETCH (BODY[2.HEADER.FIELDS (to)] {16}\r\nTo: b@ex.org\r\n\r\n)\r\n"},
                {"2 BODY.PEEK[2.TEXT]", "* 2 FETCH (BODY[2.TEXT] {4}\r\ndeep)\r\n"},
                {"2 BODY.PEEK[2.1]", "* 2 FETCH (BODY[2.1] {4}\r\ndeep)\r\n"},
                {"2 BINARY.PEEK[1]", "* 2 FETCH (BINARY[1] ~{12}\r\nhello, world)\r\n"},
                {"2 BINARY.PEEK[1]<7.3>", "* 2 FETCH (BINARY[1]<7> ~{3}\r\nwor)\r\n"},
                {"2 (BINARY.SIZE[1] BINARY.SIZE[2.1])", "* 2 FETCH (BINARY.SIZE[1] 12 BINARY.SIZE[2.1] 4)\r\n"},
                {"1 RFC822.HEADER", "* 1 FETCH (RFC822.HEADER {98}\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\nFrom: "
                                    "Fred <fred@ex.org>\r\nSubject: lunch\r\n"
                                    "To: joe@ex.org\r\n\r\n)\r\n"},
        };
        TalkSite site;

        open_two(&site);
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *say = g_strconcat("f FETCH ", cases[i].item, NULL);
                g_autofree char *answer = g_strconcat(cases[i].answer, OK, NULL);
                talk(&site.joe, say, answer);
        }
        /* RFC 3516 §4.3 */
        talk(&site.joe, "f FETCH 2 (UID BINARY.PEEK[3])",
             "* 2 FETCH (UID 2)\r\nf NO [UNKNOWN-CTE] a part can't be decoded\r\n");
        talk_close(&site);
}

/* What is asked for again and again is told once, of a message with as many and as long keywords as there may be. */
static void
test_items_again(void)
{
        g_autoptr(GString) say = g_string_new("f FETCH 1 (");
        g_autofree char *keyword = g_strnfill(KEYWORD_OCTETS_MAX - 2, 'k');
        TalkSite site;

        open_two(&site);
        for (guint i = 0; i < FLAG_KEYWORDS_MAX; i++) {
                g_autofree char *store = g_strdup_printf("s STORE 1 +FLAGS.SILENT (%s%02u)", keyword, i);
                talk_ends(&site.joe, store, "s OK STORE completed\r\n");
        }
        for (guint i = 0; i < 500; i++)
                g_string_append(say, i % 5 != 4 ? "FLAGS " : "UID ");
        g_string_append(say, "RFC822.SIZE)");
        harness_say(&site.joe, span_of(say->str));
        harness_say(&site.joe, span_of("\r\n"));
        guint n_flags = 0;
        for (const char *at = site.joe.output->str; (at = strstr(at, "FLAGS (\\Flagged ")) != NULL; at++)
                n_flags++;
        g_assert_cmpuint(n_flags, ==, 1);
        g_assert_true(g_str_has_suffix(site.joe.output->str, OK));
        talk_close(&site);
}

/* Fields that are there more than once, folded, in odd case, empty, or not at all. */
static void
test_fields(void)
{
        static const char message[] = "subject : folded\r\n\there\r\nReceived: one\r\nTO: a@ex.org\r\nX-Odd: 1\r\n"
                                      "Received: two\r\nTo: b@ex.org\r\nCC:\r\nx-odd: 2\r\n 3\r\n\r\nTo: body\r\n";
        static const struct {
                const char *item, *octets;
        } cases[] = {
                {"[HEADER.FIELDS (sUBJECT)]", "subject : folded\r\n\there\r\n\r\n"},
                {"[HEADER.FIELDS (Cc TO From)]", "TO: a@ex.org\r\nTo: b@ex.org\r\nCC:\r\n\r\n"},
                {"[HEADER.FIELDS (To To)]", "TO: a@ex.org\r\nTo: b@ex.org\r\n\r\n"},
                {"[HEADER.FIELDS (From X-None)]", "\r\n"},
                {"[HEADER.FIELDS (To RECEIVED)]",
                 "Received: one\r\nTO: a@ex.org\r\nReceived: two\r\nTo: b@ex.org\r\n\r\n"},
                {"[HEADER.FIELDS (X-ODD Cc)]", "X-Odd: 1\r\nCC:\r\nx-odd: 2\r\n 3\r\n\r\n"},
                {"[HEADER.FIELDS.NOT (to Received X-Odd)]", "subject : folded\r\n\there\r\nCC:\r\n\r\n"},
                {"[HEADER.FIELDS (To Cc)]<0.3>", "TO:"},
                {"[HEADER.FIELDS (To Cc)]<12.6>", "\r\nTo: "},
                {"[HEADER.FIELDS (To Cc)]<28.99>", "CC:\r\n\r\n"},
                {"[HEADER.FIELDS (To Cc)]<32.1>", "\n"},
                {"[HEADER.FIELDS (To Cc)]<34.5>", "\n"},
                {"[HEADER.FIELDS (To Cc)]<35.5>", ""},
                {"[HEADER.FIELDS (To Cc)]<9999.5>", ""},
        };
        TalkSite site;

        talk_open(&site);
        talk_add(&site, "INBOX", "()", message);
        talk_select(&site.joe, "INBOX");
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                const char *partial = strchr(cases[i].item, '<'), *dot = strrchr(cases[i].item, '.');
                gsize len = partial != NULL ? (gsize) (dot - cases[i].item) : strlen(cases[i].item);
                g_autofree char *say = g_strconcat("f FETCH 1 (UID BODY.PEEK", cases[i].item, " FLAGS)", NULL);
                g_autofree char *answer = g_strdup_printf("* 1 FETCH (UID 1 BODY%.*s%s {%zu}\r\n%s FLAGS ())\r\n" OK,
                                                          (int) len, cases[i].item, partial != NULL ? ">" : "",
                                                          strlen(cases[i].octets), cases[i].octets);
                talk(&site.joe, say, answer);
        }
        talk_close(&site);
}

/* RFC 9051 §4.3.1: no literal has a NUL. */
static void
test_nuls(void)
{
        static const char append[] = "a APPEND INBOX ~{28+}\r\nSubject: a\0b\r\nTo: x\r\n\r\nc\0d\r\n\r\n";
        TalkSite site;

        talk_open(&site);
        harness_say(&site.other, span_make(append, sizeof(append) - 1));
        g_assert_true(g_str_has_suffix(site.other.output->str, "] APPEND completed\r\n"));
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "f FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]",
             "* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: a\x80"
             "b\r\n\r\n)\r\n" OK);
        talk(&site.joe, "f FETCH 1 BODY.PEEK[TEXT]",
             "* 1 FETCH (BODY[TEXT] {5}\r\nc\x80"
             "d\r\n)\r\n" OK);
        talk_close(&site);
}

static void
pack(TalkSite *site)
{
        g_autoptr(GError) error = NULL;

        for (guint i = 0; i < 3; i++)
                g_assert_true(store_pack(site->site.store, NULL, NULL, &error));
        g_assert_no_error(error);
}

/* Packed messages are answered as they were before, by old sessions and new ones, to slow readers too, and where others
 * stand between them. */
static void
test_packed(void)
{
        static const char command[] =
                "f FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Subject X-None)] "
                "BODY.PEEK[HEADER.FIELDS (Subject Date)]<3.9> BODY.PEEK[] ENVELOPE BODY.PEEK[HEADER.FIELDS.NOT (To)] "
                "BODY.PEEK[1])\r\n";
        TalkSite site;

        talk_open(&site);
        for (guint i = 0; i < 131; i++) {
                g_autofree char *text =
                        g_strdup_printf("subject: number %u\r\nX-%u: x\r\nTo: joe@ex.org\r\n%s\r\n%u\r\n", i, i,
                                        i % 3 == 0 ? "Subject: again\r\n" : "", i);
                talk_add(&site, "INBOX", i % 5 == 0 ? "(\\Flagged $Junk)" : "()", text);
        }
        talk_select(&site.joe, "INBOX");
        harness_say(&site.joe, span_of(command));
        g_autofree char *before = g_strdup(site.joe.output->str);
        g_assert_true(g_str_has_suffix(before, OK));
        pack(&site);
        talk_select(&site.other, "INBOX");
        for (guint i = 0; i < 2; i++) { /* the second time nothing is unpacked */
                harness_say(&site.joe, span_of(command));
                g_assert_cmpstr(site.joe.output->str, ==, before);
                harness_say(&site.other, span_of(command));
                g_assert_cmpstr(site.other.output->str, ==, before);
        }
        site.joe.output_max = 1000;
        harness_say(&site.joe, span_of(command));
        g_assert_cmpstr(site.joe.output->str, ==, before);

        talk_add(&site, "Archive", "()", "Subject: first\r\n\r\n1\r\n");
        talk_ends(&site.other, "c COPY 2,130,5 Archive", "\r\n");
        talk_add(&site, "Archive", "()", "Subject: last\r\n\r\n3\r\n");
        talk_select(&site.other, "Archive");
        talk(&site.other, "f FETCH 1:* (BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[TEXT])",
             "* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {18}\r\nSubject: first\r\n\r\n BODY[TEXT] {3}\r\n1\r\n)\r\n"
             "* 2 FETCH (BODY[HEADER.FIELDS (Subject)] {21}\r\nsubject: number 1\r\n\r\n BODY[TEXT] {3}\r\n1\r\n)\r\n"
             "* 3 FETCH (BODY[HEADER.FIELDS (Subject)] {21}\r\nsubject: number 4\r\n\r\n BODY[TEXT] {3}\r\n4\r\n)\r\n"
             "* 4 FETCH (BODY[HEADER.FIELDS (Subject)] {39}\r\nsubject: number 129\r\nSubject: again\r\n\r\n "
             "BODY[TEXT] "
             "{5}\r\n129\r\n)\r\n"
             "* 5 FETCH (BODY[HEADER.FIELDS (Subject)] {17}\r\nSubject: last\r\n\r\n BODY[TEXT] {3}\r\n3\r\n)\r\n" OK);
        talk_close(&site);
}

static void
test_seen(void)
{
        TalkSite site;

        open_two(&site);
        talk_select(&site.other, "INBOX");
        talk(&site.joe, "f FETCH 1 BODY.PEEK[1]<0.1>", "* 1 FETCH (BODY[1]<0> {1}\r\nH)\r\n" OK);
        talk(&site.joe, "f FETCH 1 BODY[1]<0.1>", "* 1 FETCH (BODY[1]<0> {1}\r\nH FLAGS (\\Seen \\Flagged))\r\n" OK);
        talk(&site.joe, "f FETCH 1 BODY[1]<0.1>", "* 1 FETCH (BODY[1]<0> {1}\r\nH)\r\n" OK);
        talk(&site.joe, "f UID FETCH 2 (FLAGS BINARY[2.1])",
             "* 2 FETCH (UID 2 FLAGS (\\Seen) BINARY[2.1] ~{4}\r\ndeep)\r\n" OK);
        talk_ends(&site.other, "n NOOP",
                  "* 1 FETCH (FLAGS (\\Seen \\Flagged))\r\n* 2 FETCH (FLAGS (\\Seen))\r\nn OK nothing done\r\n");
        talk_close(&site);
        open_two(&site);
        talk_ends(&site.joe, "e EXAMINE INBOX", "\r\n");
        talk(&site.joe, "f FETCH 1 BODY[1]<0.1>", "* 1 FETCH (BODY[1]<0> {1}\r\nH)\r\n" OK);
        talk(&site.joe, "f FETCH 1 FLAGS", "* 1 FETCH (FLAGS (\\Flagged))\r\n" OK);
        talk_close(&site);
}

/* What others did meanwhile counts, told or not. */
static void
test_seen_taken_away(void)
{
        TalkSite site;

        open_two(&site);
        talk_ends(&site.joe, "s STORE 1:2 +FLAGS.SILENT (\\Seen)", "s OK STORE completed\r\n");
        talk_select(&site.other, "INBOX");
        talk_ends(&site.other, "s STORE 1 -FLAGS.SILENT (\\Seen)", "s OK STORE completed\r\n");
        talk(&site.joe, "f FETCH 1 BODY[1]<0.1>", "* 1 FETCH (BODY[1]<0> {1}\r\nH FLAGS (\\Seen \\Flagged))\r\n" OK);
        talk_ends(&site.other, "s STORE 2 -FLAGS.SILENT (\\Seen)", "s OK STORE completed\r\n");
        talk_ends(&site.other, "s STORE 1 +FLAGS.SILENT (\\Deleted)", "s OK STORE completed\r\n");
        talk_ends(&site.other, "x EXPUNGE", "x OK EXPUNGE completed\r\n");
        talk_ends(&site.joe, "f FETCH 1:2 (UID BODY[2.1])", "\r\n");
        g_assert_nonnull(strstr(site.joe.output->str, "* 2 FETCH (UID 2 BODY[2.1] {4}\r\ndeep FLAGS (\\Seen))\r\n"));
        talk_close(&site);
}

static void
test_news(void)
{
        TalkSite site;

        open_two(&site);
        talk_select(&site.other, "INBOX");
        talk_ends(&site.other, "s STORE 1 +FLAGS.SILENT (\\Draft)", "s OK STORE completed\r\n");
        talk(&site.joe, "f FETCH 2 BODY[2.1]",
             "* 1 FETCH (FLAGS (\\Flagged \\Draft))\r\n* 2 FETCH (BODY[2.1] {4}\r\ndeep FLAGS (\\Seen))\r\n" OK);
        /* removals wait, and the numbers stay */
        talk_ends(&site.other, "s STORE 1 +FLAGS.SILENT (\\Deleted)", "s OK STORE completed\r\n");
        talk_ends(&site.other, "x EXPUNGE", "x OK EXPUNGE completed\r\n");
        talk_add(&site, "INBOX", "()", SIMPLE);
        talk_ends(&site.joe, "f FETCH 2 (UID BODY.PEEK[2.1])", OK);
        g_assert_true(g_str_has_prefix(site.joe.output->str, "* 2 FETCH (UID 2 BODY[2.1] {4}\r\ndeep)\r\n"));
        g_assert_null(strstr(site.joe.output->str, "EXPUNGE"));
        talk_close(&site);
}

/* RFC 4314 §4: without s nothing becomes \Seen. */
static void
test_rights(void)
{
        TalkSite site;

        open_two(&site);
        g_assert_cmpint(test_grant(&site.site, &site.joe_account, "INBOX", "ann@ex.org", "lri"), ==, MAILBOX_DONE);
        talk_select(&site.ann, "~joe/INBOX");
        talk(&site.ann, "f FETCH 1 BODY[1]<0.1>", "* 1 FETCH (BODY[1]<0> {1}\r\nH)\r\n" OK);
        g_assert_cmpint(test_grant(&site.site, &site.joe_account, "INBOX", "ann@ex.org", "lrs"), ==, MAILBOX_DONE);
        talk_select(&site.ann, "~joe/INBOX");
        talk(&site.ann, "f FETCH 1 BODY[1]<0.1>", "* 1 FETCH (BODY[1]<0> {1}\r\nH FLAGS (\\Seen \\Flagged))\r\n" OK);
        talk_ends(&site.joe, "n NOOP", "n OK nothing done\r\n");
        talk(&site.joe, "f FETCH 1 FLAGS", "* 1 FETCH (FLAGS (\\Flagged))\r\n" OK);
        talk_close(&site);
}

/* RFC 7162 §3.1.4, §3.2.6 */
static void
test_condstore(void)
{
        TalkSite site;

        open_two(&site);
        guint64 modseq = view_highest_modseq(site.joe.session->selected->view);
        talk_ends(&site.other, "s SELECT INBOX", "\r\n");
        talk_ends(&site.other, "s STORE 1 +FLAGS.SILENT (\\Draft)", "s OK STORE completed\r\n");
        g_autofree char *fetch = g_strdup_printf("f FETCH 1:* FLAGS (CHANGEDSINCE %" G_GUINT64_FORMAT ")", modseq);
        talk_ends(&site.joe, "n NOOP", "n OK nothing done\r\n");
        talk_ends(&site.joe, fetch, "))\r\n" OK);
        g_assert_nonnull(strstr(site.joe.output->str, "* 1 FETCH (MODSEQ ("));
        g_assert_nonnull(strstr(site.joe.output->str, " FLAGS (\\Flagged \\Draft))\r\n"));
        g_assert_null(strstr(site.joe.output->str, "* 2 FETCH"));
        g_assert_true(g_str_has_prefix(site.joe.output->str, "* OK [HIGHESTMODSEQ "));
        talk(&site.joe, "f UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)",
             "f BAD VANISHED needs QRESYNC, UID FETCH and CHANGEDSINCE\r\n");
        talk_ends(&site.joe, "q ENABLE QRESYNC", "q OK enabled\r\n");
        talk_ends(&site.other, "s STORE 2 +FLAGS.SILENT (\\Deleted)", "s OK STORE completed\r\n");
        talk_ends(&site.other, "x EXPUNGE", "x OK EXPUNGE completed\r\n");
        talk_ends(&site.joe, "n NOOP", "* VANISHED 2\r\nn OK nothing done\r\n");
        g_autofree char *vanished =
                g_strdup_printf("f UID FETCH 1:9 FLAGS (CHANGEDSINCE %" G_GUINT64_FORMAT " VANISHED)", modseq);
        talk_ends(&site.joe, vanished, OK);
        g_assert_true(g_str_has_prefix(site.joe.output->str, "* VANISHED (EARLIER) 2\r\n* 1 FETCH (UID 1 MODSEQ ("));
        talk_close(&site);
}

/* RFC 9394 §3.4, RFC 9738 §3.1 */
static void
test_pages(void)
{
        TalkSite site;

        talk_open(&site);
        for (guint i = 0; i < 6; i++)
                talk_add(&site, "INBOX", "()", SIMPLE);
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "f UID FETCH 2:* UID (PARTIAL 2:3)", "* 3 FETCH (UID 3)\r\n* 4 FETCH (UID 4)\r\n" OK);
        talk(&site.joe, "f UID FETCH 1:* UID (PARTIAL -1:-2)", "* 5 FETCH (UID 5)\r\n* 6 FETCH (UID 6)\r\n" OK);
        talk(&site.joe, "f UID FETCH 1:2,5 UID (PARTIAL -2:-3)", "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n" OK);
        talk(&site.joe, "f UID FETCH 1:* UID (PARTIAL 7:9)", OK);
        site.joe.door->settings.message_limit = 2;
        talk(&site.joe, "f FETCH 1:* UID",
             "* 5 FETCH (UID 5)\r\n* 6 FETCH (UID 6)\r\nf OK [MESSAGELIMIT 2 5] FETCH completed\r\n");
        talk(&site.joe, "f FETCH 1,2:3,5 UID",
             "* 3 FETCH (UID 3)\r\n* 5 FETCH (UID 5)\r\nf OK [MESSAGELIMIT 2 3] FETCH completed\r\n");
        talk(&site.joe, "f FETCH 1:2 UID", "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n" OK);
        talk(&site.joe, "f UID FETCH 1:* UID (PARTIAL 1:3)", "f NO [MESSAGELIMIT 2] too many messages in one page\r\n");
        talk_close(&site);
}

/* RFC 9586 §3 */
static void
test_uidonly(void)
{
        TalkSite site;

        open_two(&site);
        talk_ends(&site.joe, "e ENABLE UIDONLY", "e OK enabled\r\n");
        talk_ends(&site.joe, "f FETCH 1 FLAGS", "\r\n");
        g_assert_true(g_str_has_prefix(site.joe.output->str, "f BAD [UIDREQUIRED] "));
        talk(&site.joe, "f UID FETCH 1:2 (FLAGS BODY[TEXT]<0.2>)",
             "* 1 UIDFETCH (FLAGS (\\Seen \\Flagged) BODY[TEXT]<0> {2}\r\nHe)\r\n"
             "* 2 UIDFETCH (FLAGS (\\Seen) BODY[TEXT]<0> {2}\r\n--)\r\n" OK);
        talk(&site.joe, "s UID STORE 2 +FLAGS (k)", "* 2 UIDFETCH (FLAGS (\\Seen k))\r\ns OK STORE completed\r\n");
        talk_close(&site);
}

/* A slow reader gets what a fast one gets, wherever the answer stops. */
static void
test_slow_reader(void)
{
        static const char command[] =
                "f FETCH 1:* (UID ENVELOPE BODYSTRUCTURE PREVIEW BODY.PEEK[] BODY.PEEK[HEADER.FIELDS.NOT (From)]<3.9> "
                "BINARY.PEEK[1] BODY.PEEK[HEADER.FIELDS (From Subject)])\r\n";
        g_autoptr(GString) big = g_string_new("Subject: big\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        TalkSite site;

        while (big->len < 300000)
                g_string_append(big, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw\r\n");
        talk_open(&site);
        for (guint i = 0; i < 20; i++)
                talk_add(&site, "INBOX", "()", i == 10 ? big->str : MULTI);
        talk_select(&site.joe, "INBOX");
        harness_say(&site.joe, span_of(command));
        g_autofree char *fast = g_strdup(site.joe.output->str);
        g_assert_true(g_str_has_suffix(fast, OK));
        site.joe.output_max = 1000;
        harness_say(&site.joe, span_of(command));
        g_assert_cmpstr(site.joe.output->str, ==, fast);
        talk_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/imap/fetch/items (RFC 9051 §6.4.5, 8474, 8514, 8970)", test_items);
        g_test_add_func("/imap/fetch/items that are asked for again and again are told once", test_items_again);
        g_test_add_func("/imap/fetch/sections (RFC 9051 §6.4.5.1, 3516)", test_sections);
        g_test_add_func("/imap/fetch/fields repeated, folded, absent (RFC 9051 §6.4.5.1)", test_fields);
        g_test_add_func("/imap/fetch/no NUL in a literal (RFC 9051 §4.3.1)", test_nuls);
        g_test_add_func("/imap/fetch/packed messages are answered as before", test_packed);
        g_test_add_func("/imap/fetch/BODY[] sets Seen (RFC 9051 §6.4.5)", test_seen);
        g_test_add_func("/imap/fetch/BODY[] sets Seen that another client took away, told or not (RFC 9051 §6.4.5)",
                        test_seen_taken_away);
        g_test_add_func("/imap/fetch/what others change", test_news);
        g_test_add_func("/imap/fetch/rights (RFC 4314 §4)", test_rights);
        g_test_add_func("/imap/fetch/CHANGEDSINCE and VANISHED (RFC 7162 §3.1.4, §3.2.6)", test_condstore);
        g_test_add_func("/imap/fetch/pages (RFC 9394 §3.4, 9738 §3.1)", test_pages);
        g_test_add_func("/imap/fetch/UIDONLY (RFC 9586 §3)", test_uidonly);
        g_test_add_func("/imap/fetch/slow reader", test_slow_reader);
        return g_test_run();
}

#include "imap/talk_test.h"

#define MESSAGE "Subject: a\r\n\r\nb\r\n" /* 17 octets */

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

/* "%u" is the UIDVALIDITY of INBOX, also in what is said. */
static void
talk_validity(TalkSite *site, Harness *h, const char *say, const char *format)
{
        g_autofree char *number = g_strdup_printf("%u", validity(site, "INBOX"));
        g_auto(GStrv) said = g_strsplit(say, "%u", -1);
        g_auto(GStrv) pieces = g_strsplit(format, "%u", -1);
        g_autofree char *text = g_strjoinv(number, said);
        g_autofree char *answer = g_strjoinv(number, pieces);

        talk(h, text, answer);
}

static void
test_append(void)
{
        TalkSite site;

        talk_open(&site);
        talk(&site.joe, "a APPEND INBOX (\\Seen k) \"17-Jul-1996 02:44:25 -0700\" {17}", "+ OK\r\n");
        talk_validity(&site, &site.joe, MESSAGE, "a OK [APPENDUID %u 1] APPEND completed\r\n");
        talk_validity(&site, &site.joe, "a APPEND {5+}\r\ninbox {17+}\r\n" MESSAGE,
                      "a OK [APPENDUID %u 2] APPEND completed\r\n");
        /* RFC 3502: several messages */
        talk_validity(&site, &site.joe, "a APPEND INBOX (\\Flagged) {17+}\r\n" MESSAGE " {18+}\r\n" MESSAGE "c",
                      "a OK [APPENDUID %u 3:4] APPEND completed\r\n");
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "f FETCH 1:* (FLAGS RFC822.SIZE)",
             "* 1 FETCH (FLAGS (\\Seen k) RFC822.SIZE 17)\r\n* 2 FETCH (FLAGS () RFC822.SIZE 17)\r\n"
             "* 3 FETCH (FLAGS (\\Flagged) RFC822.SIZE 17)\r\n* 4 FETCH (FLAGS () RFC822.SIZE 18)\r\nf OK FETCH "
             "completed\r\n");
        talk(&site.joe, "f FETCH 1 INTERNALDATE",
             "* 1 FETCH (INTERNALDATE \"17-Jul-1996 09:44:25 +0000\")\r\nf OK FETCH completed\r\n");
        talk_validity(&site, &site.joe, "a APPEND INBOX {17+}\r\n" MESSAGE,
                      "* 5 EXISTS\r\na OK [APPENDUID %u 5] APPEND completed\r\n");
        talk_close(&site);
}

/* Octets are kept: bare line feeds, NULs (as 0x80 outside BINARY), no line end. */
static void
test_octets(void)
{
        static const char octets[] = "a APPEND INBOX ~{12+}\r\nA: b\n\nc\0d\re\xff\r\n";
        TalkSite site;

        talk_open(&site);
        harness_say(&site.joe, span_make(octets, sizeof(octets) - 1));
        g_assert_nonnull(strstr(site.joe.output->str, "a OK [APPENDUID "));
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "f FETCH 1 BODY.PEEK[]",
             "* 1 FETCH (BODY[] {12}\r\nA: b\n\nc\x80"
             "d\re\xff)\r\nf OK FETCH completed\r\n");
        harness_say(&site.joe, span_of("f FETCH 1 BINARY.PEEK[]\r\n"));
        static const char expected[] = "* 1 FETCH (BINARY[] ~{12}\r\nA: b\n\nc\0d\re\xff)\r\nf OK FETCH completed\r\n";
        g_assert_true(span_equal(span_make(site.joe.output->str, site.joe.output->len),
                                 span_make(expected, sizeof(expected) - 1)));
        talk_close(&site);
}

static void
test_refused(void)
{
        static const struct {
                const char *say, *answer;
        } cases[] = {
                {"a APPEND Nowhere {17}", "a NO [TRYCREATE] no such mailbox\r\n"},
                {"a APPEND Nowhere {17+}\r\n" MESSAGE, "a NO [TRYCREATE] no such mailbox\r\n"},
                {"a APPEND &x {17+}\r\n" MESSAGE, "a NO [CANNOT] not a name that can be used\r\n"},
                {"a APPEND INBOX {1000001}", "a NO [TOOBIG] message too large\r\n"},
                {"a APPEND INBOX {9223372036854775807}", "a NO [TOOBIG] message too large\r\n"},
                {"a APPEND INBOX {0+}\r\n", "a NO an empty message\r\n"},
                {"a APPEND INBOX", "a BAD syntax: APPEND mailbox [(flags)] [date] literal [...]\r\n"},
                {"a APPEND INBOX {17+}\r\n" MESSAGE " x",
                 "a BAD syntax: APPEND mailbox [(flags)] [date] literal [...]\r\n"},
                {"a APPEND INBOX (\\Recent) {17}", "a BAD syntax: APPEND mailbox [(flags)] [date] literal [...]\r\n"},
                {"a APPEND INBOX UTF8 (~{17}", "a BAD syntax: APPEND mailbox [(flags)] [date] literal [...]\r\n"},
        };
        TalkSite site;

        talk_open(&site);
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                talk(&site.joe, cases[i].say, cases[i].answer);
                talk(&site.joe, "n NOOP", "n OK nothing done\r\n");
        }
        talk_select(&site.joe, "INBOX");
        g_assert_cmpuint(view_count(site.joe.session->selected->view), ==, 0);
        site.joe.door->settings.message_limit = 1;
        talk(&site.joe, "a APPEND INBOX {17+}\r\n" MESSAGE " {17}",
             "a NO [MESSAGELIMIT 1] too many messages at once\r\n");
        talk(&site.joe, "n NOOP", "n OK nothing done\r\n");
        talk_close(&site);
}

/* RFC 6855 §4 */
static void
test_utf8(void)
{
        TalkSite site;

        talk_open(&site);
        talk_ends(&site.joe, "e ENABLE UTF8=ACCEPT", "e OK enabled\r\n");
        talk_validity(&site, &site.joe, "a APPEND INBOX UTF8 (~{17+}\r\n" MESSAGE ")",
                      "a OK [APPENDUID %u 1] APPEND completed\r\n");
        talk_close(&site);
}

/* RFC 4314 §4: i for APPEND; flags by s, w and t. */
static void
test_rights(void)
{
        TalkSite site;

        talk_open(&site);
        g_assert_cmpint(test_grant(&site.site, &site.joe_account, "INBOX", "ann@ex.org", "lr"), ==, MAILBOX_DONE);
        talk(&site.ann, "a APPEND ~joe/INBOX {17}", "a NO [NOPERM] no right to do that\r\n");
        g_assert_cmpint(test_grant(&site.site, &site.joe_account, "INBOX", "ann@ex.org", "lrit"), ==, MAILBOX_DONE);
        talk_validity(&site, &site.ann, "a APPEND ~joe/INBOX (\\Seen \\Deleted \\Flagged k) {17+}\r\n" MESSAGE,
                      "a OK [APPENDUID %u 1] APPEND completed\r\n");
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "f FETCH 1 FLAGS", "* 1 FETCH (FLAGS (\\Deleted))\r\nf OK FETCH completed\r\n");
        talk_close(&site);
}

/* RFC 4469 §5 */
static void
test_catenate(void)
{
        static const struct {
                const char *say, *answer;
        } refused[] = {
                {"c APPEND INBOX CATENATE (URL \"/INBOX;UIDVALIDITY=7/;UID=1\")",
                 "c NO [BADURL \"/INBOX;UIDVALIDITY=7/;UID=1\"] there is no such thing here\r\n"},
                {"c APPEND INBOX CATENATE (URL /INBOX/;UID=99)",
                 "c NO [BADURL \"/INBOX/;UID=99\"] there is no such thing here\r\n"},
                {"c APPEND INBOX CATENATE (URL /Nowhere/;UID=1 TEXT {4}",
                 "c NO [BADURL \"/Nowhere/;UID=1\"] there is no such thing here\r\n"},
                {"c APPEND INBOX CATENATE (URL /INBOX/;UID=1/;SECTION=9)",
                 "c NO [BADURL \"/INBOX/;UID=1/;SECTION=9\"] there is no such thing here\r\n"},
                {"c APPEND INBOX CATENATE (URL \"a\\\"b\")", "c NO [BADURL \"\"] there is no such thing here\r\n"},
                {"c APPEND INBOX CATENATE (URL imap://elsewhere/INBOX/;UID=1)",
                 "c NO [BADURL \"imap://elsewhere/INBOX/;UID=1\"] there is no such thing here\r\n"},
                {"c APPEND INBOX CATENATE (URL /INBOX/;UID=1/;PARTIAL=99.1)", "c NO an empty message\r\n"},
        };
        TalkSite site;

        talk_open(&site);
        talk_add(&site, "INBOX", "()", "Subject: a\r\nX: y\r\n\r\nbody\r\n");
        for (gsize i = 0; i < G_N_ELEMENTS(refused); i++)
                talk(&site.joe, refused[i].say, refused[i].answer);
        talk_validity(&site, &site.joe,
                      "c APPEND INBOX (\\Draft) CATENATE (TEXT {6+}\r\nA: b\r\n"
                      " URL {52+}\r\n/INBOX;UIDVALIDITY=%u/;UID=1/;SECTION=HEADER TEXT {3+}\r\n..."
                      " URL /INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=1.3)",
                      "c OK [APPENDUID %u 2] APPEND completed\r\n");
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "f FETCH 2 (FLAGS BODY.PEEK[])",
             "* 2 FETCH (FLAGS (\\Draft) BODY[] {32}\r\nA: b\r\nSubject: a\r\nX: y\r\n\r\n...ody)\r\nf OK FETCH "
             "completed\r\n");
        talk_close(&site);
}

/* RFC 8508 §3 */
static void
test_replace(void)
{
        TalkSite site;

        talk_open(&site);
        talk(&site.joe, "r REPLACE 1 INBOX {17}", "r BAD select a mailbox first\r\n");
        for (guint i = 0; i < 3; i++)
                talk_add(&site, "INBOX", "()", MESSAGE);
        talk_select(&site.joe, "INBOX");
        talk_validity(&site, &site.joe, "r REPLACE 2 INBOX (\\Draft) {17+}\r\n" MESSAGE,
                      "* OK [APPENDUID %u 4] replacement is there\r\n* 2 EXPUNGE\r\n* 3 EXISTS\r\n"
                      "r OK REPLACE completed\r\n");
        talk_validity(&site, &site.joe, "r UID REPLACE 4 INBOX {17+}\r\n" MESSAGE,
                      "* OK [APPENDUID %u 5] replacement is there\r\n* 3 EXPUNGE\r\n* 3 EXISTS\r\n"
                      "r OK REPLACE completed\r\n");
        talk(&site.joe, "r UID REPLACE 4 INBOX {17}", "r NO no such message\r\n");
        talk(&site.joe, "r REPLACE 4 INBOX {17}", "r BAD no such message\r\n");
        talk(&site.joe, "r REPLACE 1 INBOX {17+}\r\n" MESSAGE " {17}", "r BAD REPLACE takes one message\r\n");
        talk_ends(&site.joe, "r REPLACE * Archive {17+}\r\n" MESSAGE, "* 3 EXPUNGE\r\nr OK REPLACE completed\r\n");
        talk_ends(&site.joe, "e EXAMINE INBOX", "\r\n");
        talk(&site.joe, "r REPLACE 1 INBOX {17}", "r NO the mailbox was opened for reading only\r\n");
        talk_close(&site);
}

/* The session ends, or another command comes, in the middle of it: nothing is left. */
static void
test_broken_off(void)
{
        TalkSite site;

        talk_open(&site);
        harness_say(&site.joe, span_of("a APPEND INBOX {1000+}\r\nhalf of "));
        harness_say(&site.other, span_of("a APPEND INBOX {17+}\r\n" MESSAGE " {99999999999}\r\n"));
        g_assert_nonnull(strstr(site.other.output->str, "a NO [TOOBIG] "));
        g_assert_null(site.other.session->append);
        talk_select(&site.ann, "INBOX");
        talk_close(&site);
}

/* A quota is looked at before octets are asked for (RFC 9208 §4.3: OVERQUOTA). */
static void
test_quota(void)
{
        TalkSite site;
        Harness h;

        talk_open(&site);
        const Viewer small = test_account(&site.site, "small@ex.org", "quota", "40");
        talk_log_in(&site, &h, &small, "small");
        talk_ends(&h, "a APPEND INBOX {17+}\r\n" MESSAGE, "] APPEND completed\r\n");
        talk(&h, "a APPEND INBOX {24}", "a NO [OVERQUOTA] the quota does not allow that\r\n");
        talk(&h, "a APPEND INBOX {17+}\r\n" MESSAGE " {17}", "a NO [OVERQUOTA] the quota does not allow that\r\n");
        talk_ends(&h, "a APPEND INBOX {17+}\r\n" MESSAGE, "] APPEND completed\r\n");
        harness_close(&h);
        talk_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/imap/append/APPEND (RFC 9051 §6.3.12, 3502, 4315 §3)", test_append);
        g_test_add_func("/imap/append/octets are kept", test_octets);
        g_test_add_func("/imap/append/refused (RFC 7889 §4, 9738)", test_refused);
        g_test_add_func("/imap/append/UTF8 (RFC 6855 §4)", test_utf8);
        g_test_add_func("/imap/append/rights (RFC 4314 §4)", test_rights);
        g_test_add_func("/imap/append/CATENATE (RFC 4469)", test_catenate);
        g_test_add_func("/imap/append/REPLACE (RFC 8508)", test_replace);
        g_test_add_func("/imap/append/broken off", test_broken_off);
        g_test_add_func("/imap/append/quota", test_quota);
        return g_test_run();
}

/* NOTIFY over a real store. */
#include "imap/talk_test.h"

#define MESSAGE "From: ann@ex.org\r\nSubject: one\r\n\r\nhello\r\n"

/* What is told without a word from the client. */
static void
hear(Harness *h, const char *expected)
{
        for (guint i = 0; i < 5000 && g_atomic_int_get(&h->is_woken) == 0; i++)
                g_usleep(1000);
        harness_say(h, SPAN_EMPTY);
        g_assert_cmpstr(h->output->str, ==, expected);
}

static void
hear_match(Harness *h, const char *expression)
{
        for (guint i = 0; i < 5000 && g_atomic_int_get(&h->is_woken) == 0; i++)
                g_usleep(1000);
        harness_say(h, SPAN_EMPTY);
        if (!g_regex_match_simple(expression, h->output->str, G_REGEX_DOTALL, 0))
                g_error("'%s' was told, not '%s'", h->output->str, expression);
}

/* All watches of what was done have been called: commits wait for them. */
static void
hear_nothing(Harness *h)
{
        harness_say(h, SPAN_EMPTY);
        g_assert_cmpstr(h->output->str, ==, "");
}

static void
test_other_mailboxes(void)
{
        TalkSite site;

        talk_open(&site);
        talk(&site.joe, "n NOTIFY SET (mailboxes Archive (MessageNew MessageExpunge)) (personal NONE)",
             "n OK you will hear of it\r\n");
        talk_add(&site, "INBOX", "()", MESSAGE);
        hear_nothing(&site.joe);
        talk_add(&site, "Archive", "()", MESSAGE);
        hear_match(&site.joe, "^\\* STATUS Archive \\(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \\d+ UNSEEN 1\\)\r\n$");
        talk_select(&site.other, "Archive");
        talk_ends(&site.other, "a STORE 1 +FLAGS (\\Seen)", "completed\r\n");
        hear(&site.joe, ""); /* flags were not asked for */
        talk_ends(&site.other, "b STORE 1 +FLAGS (\\Deleted)", "completed\r\n");
        talk_ends(&site.other, "c EXPUNGE", "completed\r\n");
        hear_match(&site.joe, "^\\* STATUS Archive \\(MESSAGES 0 UIDNEXT 2 UIDVALIDITY \\d+ UNSEEN 0\\)\r\n$");
        talk(&site.joe, "n NOTIFY NONE", "n OK you will hear of nothing\r\n");
        talk_add(&site, "Archive", "()", MESSAGE);
        hear_nothing(&site.joe);
        talk_close(&site);
}

static void
test_status_first(void)
{
        TalkSite site;

        talk_open(&site);
        talk_add(&site, "Archive", "(\\Seen)", MESSAGE);
        harness_say(&site.joe, span_of("n NOTIFY SET STATUS (selected NONE) (personal (MessageNew MessageExpunge "
                                       "FlagChange))\r\n"));
        g_assert_true(g_regex_match_simple(
                "^\\* STATUS Archive \\(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \\d+ UNSEEN 0 HIGHESTMODSEQ \\d+\\)\r\n"
                "\\* STATUS INBOX \\(MESSAGES 0 UIDNEXT 1 UIDVALIDITY \\d+ UNSEEN 0 HIGHESTMODSEQ \\d+\\)\r\n"
                "n OK you will hear of it\r\n$",
                site.joe.output->str, 0, 0));
        talk_select(&site.other, "Archive");
        talk_ends(&site.other, "a STORE 1 -FLAGS (\\Seen)", "completed\r\n");
        hear_match(&site.joe, "^\\* STATUS Archive \\(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \\d+ UNSEEN 1 HIGHESTMODSEQ");
        talk_close(&site);
}

static void
test_selected(void)
{
        TalkSite site;

        talk_open(&site);
        talk_add(&site, "INBOX", "()", MESSAGE);
        talk_select(&site.joe, "INBOX");
        talk(&site.joe,
             "n NOTIFY SET (selected (MessageNew (BODY.PEEK[HEADER.FIELDS (Subject)] PREVIEW) MessageExpunge "
             "FlagChange))",
             "n OK you will hear of it\r\n");
        talk_add(&site, "INBOX", "()", MESSAGE);
        hear(&site.joe, "* 2 EXISTS\r\n* 2 FETCH (UID 2 BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: one\r\n\r\n "
                        "PREVIEW \"hello\")\r\n");
        talk_select(&site.other, "INBOX");
        talk_ends(&site.other, "a STORE 1 +FLAGS (\\Deleted)", "completed\r\n");
        hear(&site.joe, "* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n");
        talk_ends(&site.other, "b EXPUNGE", "completed\r\n");
        hear(&site.joe, "* 1 EXPUNGE\r\n");
        /* what was there when it was selected is not new */
        talk_ends(&site.joe, "c UNSELECT", "selected\r\n");
        talk_add(&site, "INBOX", "()", MESSAGE);
        talk_select(&site.joe, "INBOX");
        hear_nothing(&site.joe);
        /* and in IDLE */
        talk(&site.joe, "d IDLE", "+ idling\r\n");
        talk_add(&site, "INBOX", "()", MESSAGE);
        hear(&site.joe, "* 3 EXISTS\r\n* 3 FETCH (UID 4 BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: one\r\n\r\n "
                        "PREVIEW \"hello\")\r\n");
        talk(&site.joe, "DONE", "d OK it was quiet\r\n");
        /* one's own messages are known */
        talk_add_by(&site.joe, "INBOX", "()", MESSAGE);
        g_assert_true(g_str_has_prefix(site.joe.output->str, "* 4 EXISTS\r\nadd OK ["));
        talk_ends(&site.joe, "e COPY 1:2 INBOX", "COPY completed\r\n");
        g_assert_true(g_str_has_prefix(site.joe.output->str, "* 6 EXISTS\r\ne OK ["));
        hear_nothing(&site.joe);
        talk_add(&site, "INBOX", "()", MESSAGE);
        hear_match(&site.joe, "^\\* 7 EXISTS\r\n\\* 7 FETCH \\(UID 8 [^*]*$");
        talk_close(&site);
}

/* Numbers hold still until a command; what comes is told all the same. */
static void
test_selected_delayed(void)
{
        TalkSite site;

        talk_open(&site);
        for (guint i = 0; i < 3; i++)
                talk_add(&site, "INBOX", "()", MESSAGE);
        talk_select(&site.joe, "INBOX");
        talk(&site.joe, "n NOTIFY SET (selected-delayed (MessageNew (UID) MessageExpunge FlagChange))",
             "n OK you will hear of it\r\n");
        talk_select(&site.other, "INBOX");
        talk_ends(&site.other, "a STORE 1 +FLAGS (\\Deleted)", "completed\r\n");
        hear(&site.joe, "* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n");
        talk_ends(&site.other, "b EXPUNGE", "completed\r\n");
        hear(&site.joe, "");
        talk_add(&site, "INBOX", "()", MESSAGE);
        hear(&site.joe, "* 4 EXISTS\r\n* 4 FETCH (UID 4)\r\n");
        talk_ends(&site.other, "c STORE 1 +FLAGS (\\Flagged)", "completed\r\n");
        hear(&site.joe, "* 2 FETCH (UID 2 FLAGS (\\Flagged))\r\n");
        talk(&site.joe, "d NOOP", "* 1 EXPUNGE\r\nd OK nothing done\r\n");
        talk(&site.joe, "e FETCH 1:3 UID",
             "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 3)\r\n* 3 FETCH (UID 4)\r\ne OK FETCH completed\r\n");
        talk_close(&site);
}

static void
test_names(void)
{
        TalkSite site;

        talk_open(&site);
        talk(&site.joe, "n NOTIFY SET (personal (MailboxName SubscriptionChange))", "n OK you will hear of it\r\n");
        talk_ends(&site.other, "a CREATE Work", "created\r\n");
        hear(&site.joe, "* LIST (\\HasNoChildren) \"/\" Work\r\n");
        talk_ends(&site.other, "b RENAME Work Play", "renamed\r\n");
        hear(&site.joe, "* LIST (\\HasNoChildren) \"/\" Play (\"OLDNAME\" (Work))\r\n");
        talk_ends(&site.other, "c SUBSCRIBE Play", "subscribed\r\n");
        hear(&site.joe, "* LIST (\\Subscribed \\HasNoChildren) \"/\" Play\r\n");
        talk_ends(&site.other, "d DELETE Play", "deleted\r\n");
        hear(&site.joe, "* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \"/\" Play\r\n");
        talk_ends(&site.other, "e UNSUBSCRIBE Play", "no longer subscribed\r\n");
        hear(&site.joe, "* LIST (\\NonExistent \\HasNoChildren) \"/\" Play\r\n");
        talk_close(&site);
}

/* §6.4: what is subscribed is looked at again whenever it may have changed. */
static void
test_subscribed(void)
{
        TalkSite site;

        talk_open(&site);
        talk(&site.joe, "n NOTIFY SET (subscribed (MessageNew MessageExpunge SubscriptionChange))",
             "n OK you will hear of it\r\n");
        talk_add(&site, "Archive", "()", MESSAGE);
        hear_nothing(&site.joe);
        talk_ends(&site.other, "a SUBSCRIBE Archive", "subscribed\r\n");
        hear_match(&site.joe, "^\\* LIST \\(\\\\Subscribed \\\\HasNoChildren\\) \"/\" Archive\r\n"
                              "\\* STATUS Archive \\(MESSAGES 1 UIDNEXT 2 [^)]*\\)\r\n$");
        talk_add(&site, "Archive", "()", MESSAGE);
        hear_match(&site.joe, "^\\* STATUS Archive \\(MESSAGES 2 UIDNEXT 3 [^)]*\\)\r\n$");
        talk_ends(&site.other, "b UNSUBSCRIBE Archive", "subscribed\r\n");
        hear(&site.joe, "* LIST (\\HasNoChildren) \"/\" Archive\r\n");
        talk_add(&site, "Archive", "()", MESSAGE);
        hear_nothing(&site.joe);
        talk_close(&site);
}

/* Mailboxes of others: granted, changed, taken away. */
static void
test_others(void)
{
        TalkSite site;

        talk_open(&site);
        test_create(&site.site, &site.ann_account, "Team");
        test_create(&site.site, &site.ann_account, "Seen");
        g_assert_cmpint(test_grant(&site.site, &site.ann_account, "Seen", "joe", "l"), ==, MAILBOX_DONE);
        talk(&site.joe, "n NOTIFY SET (subtree ~ann (MessageNew MessageExpunge MailboxName))",
             "* LIST (\\NoAccess) \"/\" ~ann/Seen\r\nn OK you will hear of it\r\n");
        talk_ends(&site.ann, "a SETACL Team joe lrs", "wish\r\n");
        hear_match(&site.joe, "^\\* LIST \\(\\\\HasNoChildren\\) \"/\" ~ann/Team\r\n"
                              "\\* STATUS ~ann/Team \\(MESSAGES 0 [^)]*\\)\r\n$");
        talk_add_by(&site.ann, "Team", "()", MESSAGE);
        hear_match(&site.joe, "^\\* STATUS ~ann/Team \\(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \\d+ UNSEEN 1\\)\r\n$");
        talk_ends(&site.ann, "b DELETEACL Team joe", "wish\r\n");
        hear(&site.joe, "* LIST (\\NonExistent \\HasNoChildren) \"/\" ~ann/Team\r\n");
        /* of whom nothing was seen before */
        talk(&site.ann, "c NOTIFY SET (subtree ~joe (MailboxName))", "c OK you will hear of it\r\n");
        talk_ends(&site.joe, "d SETACL Archive ann l", "wish\r\n");
        hear(&site.ann, "* LIST (\\Noselect \\HasNoChildren) \"/\" ~joe/Archive\r\n");
        talk_close(&site);
}

static void
test_annotations(void)
{
        TalkSite site;

        talk_open(&site);
        talk(&site.joe, "n NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))",
             "n OK you will hear of it\r\n");
        talk_ends(&site.other, "a SETMETADATA Archive (/shared/comment \"x\")", "kept\r\n");
        hear(&site.joe, "* METADATA Archive /shared/comment\r\n");
        talk_ends(&site.other, "b SETMETADATA Archive (/shared/comment \"y\")", "kept\r\n");
        hear(&site.joe, "* METADATA Archive /shared/comment\r\n");
        talk_ends(&site.other, "c SETMETADATA Archive (/shared/comment NIL)", "kept\r\n");
        hear(&site.joe, "* METADATA Archive /shared/comment\r\n");
        talk_ends(&site.other, "d SETMETADATA \"\" (/private/comment \"x\")", "kept\r\n");
        hear(&site.joe, "* METADATA \"\" /private/comment\r\n");
        /* those of a mailbox that goes are not told */
        talk_ends(&site.other, "e SETMETADATA Archive (/private/comment \"x\")", "kept\r\n");
        hear(&site.joe, "* METADATA Archive /private/comment\r\n");
        talk_ends(&site.other, "f DELETE Archive", "deleted\r\n");
        talk_ends(&site.other, "g SETMETADATA INBOX (/private/comment \"x\")", "kept\r\n");
        hear(&site.joe, "* METADATA INBOX /private/comment\r\n");
        talk_close(&site);
}

static void
test_refused(void)
{
        TalkSite site;

        talk_open(&site);
        talk_ends(&site.joe, "a NOTIFY SET (selected (MessageNew MessageExpunge AnnotationChange))",
                  "MailboxMetadataChange ServerMetadataChange)] an event that is not there\r\n");
        g_assert_true(g_str_has_prefix(site.joe.output->str, "a NO [BADEVENT (MessageNew MessageExpunge "));
        talk(&site.joe, "b NOTIFY SET (selected (MessageNew))",
             "b BAD syntax: NOTIFY NONE, or NOTIFY SET [STATUS] (filter (events))...\r\n");
        talk_close(&site);
}

/* Thousands of changes at once are not told one by one (§5.8). */
static void
test_overflow(void)
{
        TalkSite site;

        talk_open(&site);
        for (guint i = 0; i < 1100; i++) {
                g_autofree char *name = g_strdup_printf("Tree/%u", i);
                test_create(&site.site, &site.joe_account, name);
        }
        talk(&site.joe, "n NOTIFY SET (personal (MailboxName))", "n OK you will hear of it\r\n");
        g_assert_cmpint(test_rename(&site.site, &site.joe_account, "Tree", "Wood"), ==, MAILBOX_DONE);
        hear_match(&site.joe, "\\* OK \\[NOTIFICATIONOVERFLOW\\] [^\r]*\r\n$");
        test_create(&site.site, &site.joe_account, "More");
        hear_nothing(&site.joe);
        talk_close(&site);
}

/* A thousand mailboxes for a slow reader: nothing is lost, nothing is told twice. */
static void
test_slow_reader(void)
{
        TalkSite site;

        talk_open(&site);
        for (guint i = 0; i < 1000; i++) {
                g_autofree char *name = g_strdup_printf("Tree/a mailbox with a name of some length %04u", i);
                test_create(&site.site, &site.joe_account, name);
        }
        site.joe.output_max = 1000;
        harness_say(&site.joe, span_of("n NOTIFY SET STATUS (subtree Tree (MessageNew MessageExpunge))\r\n"));
        g_assert_true(g_str_has_suffix(site.joe.output->str, "n OK you will hear of it\r\n"));
        g_auto(GStrv) lines = g_strsplit(site.joe.output->str, "* STATUS ", -1);
        g_assert_cmpuint(g_strv_length(lines), ==, 1 + 1001);
        talk_add(&site, "\"Tree/a mailbox with a name of some length 0500\"", "()", MESSAGE);
        hear_match(&site.joe,
                   "^\\* STATUS \"Tree/a mailbox with a name of some length 0500\" \\(MESSAGES 1 [^)]*\\)\r\n$");
        talk_close(&site);
}

int
main(int argc, char *argv[])
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/notify/messages of other mailboxes (RFC 5465 §5.2, §5.3)", test_other_mailboxes);
        g_test_add_func("/imap/notify/STATUS of each first (RFC 5465 §3.1)", test_status_first);
        g_test_add_func("/imap/notify/the selected mailbox, with FETCH (RFC 5465 §5.2)", test_selected);
        g_test_add_func("/imap/notify/selected-delayed (RFC 5465 §6.1)", test_selected_delayed);
        g_test_add_func("/imap/notify/names and subscriptions (RFC 5465 §5.4, §5.5)", test_names);
        g_test_add_func("/imap/notify/subscribed mailboxes (RFC 5465 §6.4)", test_subscribed);
        g_test_add_func("/imap/notify/mailboxes of others (RFC 5465 §5.9)", test_others);
        g_test_add_func("/imap/notify/annotations (RFC 5465 §5.6, §5.7)", test_annotations);
        g_test_add_func("/imap/notify/what is refused (RFC 5465 §3.1)", test_refused);
        g_test_add_func("/imap/notify/too much at once (RFC 5465 §5.8)", test_overflow);
        g_test_add_func("/imap/notify/a thousand mailboxes", test_slow_reader);
        return g_test_run();
}

/* LIST over a real store: trees of others, slow readers, large trees. */
#include "imap/talk_test.h"

static void
test_others(void)
{
        TalkSite site;

        talk_open(&site);
        test_create(&site.site, &site.ann_account, "Team/Plans");
        test_create(&site.site, &site.ann_account, "Seen");
        test_create(&site.site, &site.ann_account, "Hidden");
        g_assert_cmpint(test_grant(&site.site, &site.ann_account, "Team/Plans", "joe", "lrs"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_grant(&site.site, &site.ann_account, "Seen", "anyone", "l"), ==, MAILBOX_DONE);
        talk(&site.joe, "a LIST \"\" ~*",
             "* LIST (\\Noselect \\HasChildren) \"/\" ~ann\r\n"
             "* LIST (\\Noselect \\HasNoChildren) \"/\" ~ann/Seen\r\n"
             "* LIST (\\Noselect \\HasChildren) \"/\" ~ann/Team\r\n"
             "* LIST (\\HasNoChildren) \"/\" ~ann/Team/Plans\r\na OK that is all\r\n");
        talk(&site.joe, "b LIST \"\" %",
             "* LIST (\\HasNoChildren) \"/\" Archive\r\n* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
             "* LIST (\\Noselect \\HasChildren) \"/\" ~ann\r\nb OK that is all\r\n");
        talk(&site.joe, "c LIST ~ann/ % RETURN (MYRIGHTS STATUS (MESSAGES))",
             "* LIST (\\Noselect \\HasNoChildren) \"/\" ~ann/Seen\r\n* MYRIGHTS ~ann/Seen l\r\n"
             "* LIST (\\NonExistent \\HasChildren) \"/\" ~ann/Team\r\nc OK that is all\r\n");
        talk(&site.joe, "d LIST ~ann/Team \"\"", "* LIST (\\Noselect) \"/\" ~ann/\r\nd OK that is the delimiter\r\n");
        g_assert_cmpint(test_alias(&site.site, &site.joe_account, "Plans", "~ann/Team/Plans"), ==, MAILBOX_DONE);
        talk(&site.joe, "e LIST \"\" P*", "* LIST (\\HasNoChildren) \"/\" Plans\r\ne OK that is all\r\n");
        talk(&site.joe, "f SUBSCRIBE ~ann/Team/Plans", "f OK subscribed\r\n");
        talk(&site.joe, "g LIST (SUBSCRIBED) \"\" *",
             "* LIST (\\Subscribed \\HasNoChildren) \"/\" ~ann/Team/Plans\r\ng OK that is all\r\n");
        talk(&site.joe, "h LSUB ~ann/ %", "* LSUB (\\Noselect) \"/\" ~ann/Team\r\nh OK that is all\r\n");
        talk_close(&site);
}

/* Rows go while the client reads, and are made again. */
static void
test_slow_reader(void)
{
        TalkSite site;
        const guint n = 3000;

        talk_open(&site);
        for (guint i = 0; i < n; i++) {
                g_autofree char *name = g_strdup_printf("A mailbox with a name of some length/%04u", i);
                test_create(&site.site, &site.joe_account, name);
        }
        site.joe.output_max = 1000;
        harness_say(&site.joe, span_of("a LIST \"\" \"A m*\" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))\r\n"));
        const char *at = site.joe.output->str;
        g_assert_true(
                g_str_has_prefix(at, "* LIST (\\HasChildren) \"/\" \"A mailbox with a name of some length\"\r\n"));
        at = strstr(strchr(at, '\n'), "* LIST");
        for (guint i = 0; i < n; i++) {
                g_autofree char *lines = g_strdup_printf(
                        "* LIST (\\HasNoChildren) \"/\" \"A mailbox with a name of some length/%04u\"\r\n"
                        "* STATUS \"A mailbox with a name of some length/%04u\" (MESSAGES 0 UIDNEXT 1 UNSEEN 0)\r\n",
                        i, i);
                g_assert_true(g_str_has_prefix(at, lines));
                at += strlen(lines);
        }
        g_assert_cmpstr(at, ==, "a OK that is all\r\n");
        talk_close(&site);
}

static void
test_metadata(void)
{
        TalkSite site;

        talk_open(&site);
        talk(&site.joe, "a SETMETADATA Archive (/private/comment \"old \\\"things\\\"\")", "a OK kept\r\n");
        talk(&site.joe, "b LIST \"\" * RETURN (METADATA (/private/comment \"/shared/comment\"))",
             "* LIST (\\HasNoChildren) \"/\" Archive\r\n"
             "* METADATA Archive (/private/comment \"old \\\"things\\\"\" /shared/comment NIL)\r\n"
             "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
             "* METADATA INBOX (/private/comment NIL /shared/comment NIL)\r\nb OK that is all\r\n");
        talk_close(&site);
}

/* RFC 9051 §6.3.9.8: what is told of levels whose own mailboxes match nothing. */
static void
test_recursive(void)
{
        static const char *const subscribed[] = {"foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22", "eps2/mamba"};
        TalkSite site;

        talk_open(&site);
        for (gsize i = 0; i < G_N_ELEMENTS(subscribed); i++) {
                test_create(&site.site, &site.joe_account, subscribed[i]);
                g_assert_cmpint(test_subscribe(&site.site, &site.joe_account, subscribed[i], TRUE), ==, MAILBOX_DONE);
        }
        g_assert_cmpint(test_subscribe(&site.site, &site.joe_account, "eps2", TRUE), ==, MAILBOX_DONE);
        g_assert_cmpint(test_delete(&site.site, &site.joe_account, "foo2"), ==, MAILBOX_DONE);
        talk(&site.joe, "a LIST (RECURSIVEMATCH SUBSCRIBED) \"\" *2",
             "* LIST (\\Subscribed \\HasNoChildren) \"/\" baz2/bar2\r\n"
             "* LIST (\\Subscribed \\HasNoChildren) \"/\" baz2/bar22\r\n"
             "* LIST (\\Subscribed \\HasChildren) \"/\" eps2 (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
             "* LIST (\\NonExistent \\HasChildren) \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
             "* LIST (\\Subscribed \\HasNoChildren) \"/\" foo2/bar2\r\na OK that is all\r\n");
        talk(&site.joe, "b LIST (RECURSIVEMATCH SUBSCRIBED SPECIAL-USE) \"\" %", "b OK that is all\r\n");
        talk_close(&site);
}

/* RFC 4314 §4, and the mailbox that the session has selected. */
static void
test_renamed_and_removed(void)
{
        TalkSite site;

        talk_open(&site);
        talk_select(&site.joe, "Archive");
        talk(&site.joe, "a RENAME Archive Old", "a OK renamed\r\n");
        talk_add(&site, "Old", "()", "Subject: a\r\n\r\nb\r\n");
        talk(&site.joe, "b NOOP", "* 1 EXISTS\r\nb OK nothing done\r\n");
        talk(&site.other, "c DELETE Old", "c OK deleted\r\n");
        talk_ends(&site.joe, "d NOOP", "* BYE the mailbox has been removed\r\nd OK nothing done\r\n");
        talk_close(&site);
}

int
main(int argc, char *argv[])
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/list/mailboxes of others, aliases (RFC 2342, RFC 4314 §4)", test_others);
        g_test_add_func("/imap/list/thousands for a slow reader, each once", test_slow_reader);
        g_test_add_func("/imap/list/metadata with each (RFC 9590)", test_metadata);
        g_test_add_func("/imap/list/what is below a level (RFC 9051 §6.3.9.7)", test_recursive);
        g_test_add_func("/imap/list/the mailbox that is selected, renamed and removed", test_renamed_and_removed);
        return g_test_run();
}

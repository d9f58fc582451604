/* The arguments of NOTIFY. */
#include "imap/harness.h"
#include "imap/notify.h"

static void
assert_parsed(const char *text, NotifyParsed expected)
{
        ImapArgs args = harness_args(span_of(text), 0);
        NotifySpec spec;

        g_test_message("%s", text);
        g_assert_cmpint(notify_parse(&args, &spec), ==, expected);
        arena_free(args.arena);
}

static void
test_syntax(void)
{
        static const char *const wrong[] = {
                "",
                " ",
                " NONE x",
                " SET",
                " SET STATUS",
                " SET ()",
                " SET (personal)",
                " SET (personal ())",
                " SET (somewhere (MessageNew MessageExpunge))",
                " SET (personal (MessageNew MessageExpunge)",
                " SET (personal (MessageNew MessageExpunge)) ",
                " SET (subtree (MessageNew MessageExpunge))",
                " SET (mailboxes () NONE)",
                /* §5: together or not at all */
                " SET (personal (MessageNew))",
                " SET (personal (MessageExpunge))",
                " SET (personal (FlagChange))",
                " SET (selected (MessageNew FlagChange))",
                /* §6.1, §8: what the selected mailbox may be asked for, once, and others not */
                " SET (selected (MailboxName))",
                " SET (selected NONE) (selected-delayed NONE)",
                " SET (personal (MessageNew (UID) MessageExpunge))",
        };
        static const char *const right[] = {
                " NONE",
                " none",
                " SET (selected NONE)",
                " SET STATUS (personal (MessageNew MessageExpunge FlagChange))",
                " set (selected-delayed (MessageNew (UID BODY.PEEK[HEADER.FIELDS (From)]) MessageExpunge FlagChange))",
                " SET (subtree Lists (MailboxName)) (mailboxes (INBOX \"a b\" {1}\r\nc) (SubscriptionChange))",
                " SET (subscribed (MailboxMetadataChange ServerMetadataChange)) (inboxes NONE)",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
                assert_parsed(wrong[i], NOTIFY_PARSED_BAD);
        for (gsize i = 0; i < G_N_ELEMENTS(right); i++)
                assert_parsed(right[i], NOTIFY_PARSED_OK);
        assert_parsed(" SET (selected (MessageNew MessageExpunge AnnotationChange))", NOTIFY_PARSED_BAD_EVENT);
        assert_parsed(" SET (personal (Whatever))", NOTIFY_PARSED_BAD_EVENT);
        assert_parsed(" SET (mailboxes &x (MailboxName))", NOTIFY_PARSED_BAD_NAME);
}

static void
assert_events(const char *text, const char *name, gboolean is_subscribed, guint expected)
{
        ImapArgs args = harness_args(span_of(text), 0);
        const Mailbox mailbox = {.id = 1, .name = name, .is_subscribed = is_subscribed};
        NotifySpec spec;

        g_test_message("%s: %s", text, name);
        g_assert_cmpint(notify_parse(&args, &spec), ==, NOTIFY_PARSED_OK);
        g_assert_cmpuint(notify_events_of(&spec, &mailbox), ==, expected);
        arena_free(args.arena);
}

static void
test_filters(void)
{
        const guint both = NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE;

        assert_events(" SET (personal (MessageNew MessageExpunge))", "a/b", FALSE, both);
        assert_events(" SET (personal (MessageNew MessageExpunge))", "~ann/b", TRUE, 0);
        assert_events(" SET (inboxes (MessageNew MessageExpunge))", "INBOX", FALSE, both);
        assert_events(" SET (subscribed (MessageNew MessageExpunge))", "~ann/b", TRUE, both);
        assert_events(" SET (subscribed (MessageNew MessageExpunge))", "a", FALSE, 0);
        assert_events(" SET (subtree inbox (MailboxName))", "INBOX/a", FALSE, NOTIFY_MAILBOX_NAME);
        assert_events(" SET (subtree (x a) (MailboxName))", "a/b/c", FALSE, NOTIFY_MAILBOX_NAME);
        assert_events(" SET (subtree a (MailboxName))", "ab", FALSE, 0);
        assert_events(" SET (mailboxes a (MailboxName))", "a/b", FALSE, 0);
        assert_events(" SET (mailboxes \"a%\" (MailboxName))", "ab", FALSE, 0); /* §6.6: no wildcards */
        assert_events(" SET (selected (MessageNew MessageExpunge))", "a", TRUE, 0);
        /* more than one group: all they say, up to NONE (§5) */
        assert_events(" SET (mailboxes a (MailboxName)) (personal (SubscriptionChange))", "a", FALSE,
                      NOTIFY_MAILBOX_NAME | NOTIFY_SUBSCRIPTION_CHANGE);
        assert_events(" SET (mailboxes a NONE) (personal (MailboxName))", "a", FALSE, 0);
        assert_events(" SET (mailboxes a NONE) (personal (MailboxName))", "b", FALSE, NOTIFY_MAILBOX_NAME);
}

static void
test_caps(void)
{
        g_autoptr(GString) groups = g_string_new(" SET"), names = g_string_new(" SET (mailboxes (a");

        for (guint i = 0; i <= NOTIFY_GROUPS_MAX; i++)
                g_string_append(groups, " (personal NONE)");
        assert_parsed(groups->str, NOTIFY_PARSED_TOO_MANY);
        for (guint i = 0; i < NOTIFY_NAMES_MAX; i++)
                g_string_append(names, " a");
        g_string_append(names, ") NONE)");
        assert_parsed(names->str, NOTIFY_PARSED_TOO_MANY);
}

int
main(int argc, char *argv[])
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/notify_parse/what is a NOTIFY (RFC 5465 §8)", test_syntax);
        g_test_add_func("/imap/notify_parse/which mailboxes are meant (RFC 5465 §6)", test_filters);
        g_test_add_func("/imap/notify_parse/too many groups and names", test_caps);
        return g_test_run();
}

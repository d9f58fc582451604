/* talk_test.h -- sessions over a real store: two accounts, joe and ann of ex.org, joe with the mailboxes INBOX and
 * Archive.
 *
 *      TalkSite site;
 *      talk_open(&site);
 *      talk_add(&site, "INBOX", "(\\Seen)", "Subject: a\r\n\r\nb\r\n");
 *      talk_select(&site.joe, "INBOX");
 *      talk(&site.joe, "a FETCH 1 FLAGS", "* 1 FETCH (FLAGS (\\Seen))\r\na OK FETCH completed\r\n");
 */
#pragma once

#include "imap/harness.h"

#include "store/testing.h"

typedef struct TalkSite {
        TestSite site;
        Viewer joe_account, ann_account;
        Harness joe, ann, other; /* other: a second session of joe's */
} TalkSite;

/* Lists of flags, which come whenever there is a new keyword, are another's affair (select.c). */
static inline char *
talk_without_flag_lists(const char *answer)
{
        g_auto(GStrv) lines = g_strsplit(answer, "\r\n", -1);
        guint n = 0;

        for (guint i = 0; lines[i] != NULL; i++) {
                if (g_str_has_prefix(lines[i], "* FLAGS (") || g_str_has_prefix(lines[i], "* OK [PERMANENTFLAGS "))
                        g_free(lines[i]);
                else
                        lines[n++] = lines[i];
        }
        lines[n] = NULL;
        return g_strjoinv("\r\n", lines);
}

/* One command (its CRLF is added) and the whole answer. */
static inline void
talk(Harness *h, const char *say, const char *answer)
{
        g_autofree char *line = g_strconcat(say, "\r\n", NULL);

        g_test_message("%s", say);
        harness_say(h, span_of(line));
        g_autofree char *got = talk_without_flag_lists(h->output->str);
        g_assert_cmpstr(got, ==, answer);
}

/* The answer begins or ends so. */
static inline void
talk_ends(Harness *h, const char *say, const char *end)
{
        g_autofree char *line = g_strconcat(say, "\r\n", NULL);

        harness_say(h, span_of(line));
        if (!g_str_has_suffix(h->output->str, end))
                g_error("'%s' was answered with '%s', not with '%s'", say, h->output->str, end);
}

static inline void
talk_log_in(TalkSite *site, Harness *h, const Viewer *who, const char *local)
{
        *h = (Harness){
                .store = site->site.store, .directory = site->site.directory, .account = who->account, .local = local};
        harness_open(h);
        talk_ends(h, "in LOGIN x right", "\r\n");
        g_assert_nonnull(strstr(h->output->str, "in OK "));
}

static inline void
talk_open(TalkSite *site)
{
        test_site_open(&site->site);
        test_domain(&site->site, "ex.org");
        site->joe_account = test_account(&site->site, "joe@ex.org", NULL, NULL);
        site->ann_account = test_account(&site->site, "ann@ex.org", NULL, NULL);
        const Mailbox *inbox = test_mailbox(&site->site, &site->joe_account, "INBOX");
        g_assert_nonnull(inbox);
        if (test_create_as(&site->site, &site->joe_account, "Archive", 0) != MAILBOX_DONE)
                (void) test_mailbox(&site->site, &site->joe_account, "Archive");
        talk_log_in(site, &site->joe, &site->joe_account, "joe");
        talk_log_in(site, &site->other, &site->joe_account, "joe");
        talk_log_in(site, &site->ann, &site->ann_account, "ann");
}

static inline void
talk_close(TalkSite *site)
{
        harness_close(&site->joe);
        harness_close(&site->other);
        harness_close(&site->ann);
        test_site_close(&site->site);
}

static inline void
talk_add_by(Harness *h, const char *mailbox, const char *flags, const char *message)
{
        g_autofree char *command = g_strdup_printf("add APPEND %s %s \"17-Jul-1996 02:44:25 +0000\" {%zu+}\r\n%s",
                                                   mailbox, flags, strlen(message), message);

        talk_ends(h, command, "] APPEND completed\r\n");
}

/* By joe's second session. */
static inline void
talk_add(TalkSite *site, const char *mailbox, const char *flags, const char *message)
{
        talk_add_by(&site->other, mailbox, flags, message);
}

static inline void
talk_select(Harness *h, const char *mailbox)
{
        g_autofree char *command = g_strconcat("sel SELECT ", mailbox, NULL);

        talk_ends(h, command, "\r\n");
        g_assert_nonnull(strstr(h->output->str, "sel OK ["));
}

/* \Recent (RFC 3501 §2.3.2). */
#include "imap/site_test.h"

static void
log_in(ImapSite *site, Harness *h)
{
        *h = (Harness){.keeps_recent = TRUE};
        imap_site_log_in(site, h);
}

/* What of an answer is about it. */
static void
expect(Harness *h, const char *say, const char *about)
{
        g_autofree char *line = g_strconcat(say, "\r\n", NULL);

        harness_say(h, span_of(line));
        if (strstr(h->output->str, about) == NULL)
                g_error("'%s' was answered with '%s', without '%s'", say, h->output->str, about);
}

/* Who comes first has it, until he leaves; who comes then does not. */
static void
test_first_session(void)
{
        ImapSite site;
        Harness first, second;

        imap_site_open(&site, 2);
        log_in(&site, &first);
        log_in(&site, &second);
        expect(&first, "a STATUS INBOX (RECENT)", "(RECENT 2)");
        expect(&first, "a SELECT INBOX", "* 2 EXISTS\r\n* 2 RECENT\r\n");
        expect(&second, "a SELECT INBOX", "* 2 EXISTS\r\n* 0 RECENT\r\n");
        expect(&second, "a STATUS INBOX (RECENT)", "(RECENT 0)");
        harness_expect(&first, "a FETCH 1:2 FLAGS\r\n",
                       "* 1 FETCH (FLAGS (\\Recent))\r\n* 2 FETCH (FLAGS (\\Recent))\r\na OK FETCH completed\r\n");
        harness_expect(&second, "a FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS ())\r\na OK FETCH completed\r\n");
        harness_expect(&first, "a STORE 1 FLAGS (\\Seen)\r\n",
                       "* 1 FETCH (FLAGS (\\Recent \\Seen))\r\na OK STORE completed\r\n");
        expect(&first, "a SELECT INBOX", "* 0 RECENT\r\n");
        harness_close(&first);
        harness_close(&second);
        imap_site_close(&site);
}

/* RFC 3501 §7.3.2: RECENT comes with EXISTS; of two sessions the first that is told has it. */
static void
test_arrival(void)
{
        ImapSite site;
        Harness first, second;

        imap_site_open(&site, 1);
        log_in(&site, &first);
        log_in(&site, &second);
        expect(&first, "a SELECT INBOX", "* 1 RECENT\r\n");
        expect(&second, "a SELECT INBOX", "* 0 RECENT\r\n");
        imap_site_deliver(&site, 1);
        harness_expect(&second, "a NOOP\r\n", "* 2 EXISTS\r\n* 1 RECENT\r\na OK nothing done\r\n");
        harness_expect(&first, "a NOOP\r\n", "* 2 EXISTS\r\na OK nothing done\r\n");
        imap_site_deliver(&site, 2);
        harness_expect(&first, "a NOOP\r\n", "* 4 EXISTS\r\n* 3 RECENT\r\na OK nothing done\r\n");
        harness_expect(&second, "a NOOP\r\n", "* 4 EXISTS\r\na OK nothing done\r\n");
        harness_expect(&first, "a SEARCH RECENT\r\n", "* SEARCH 1 3 4\r\na OK done\r\n");
        harness_expect(&second, "a SEARCH RECENT\r\n", "* SEARCH 2\r\na OK done\r\n");
        harness_expect(&first, "a FETCH 2:3 FLAGS\r\n",
                       "* 2 FETCH (FLAGS ())\r\n* 3 FETCH (FLAGS (\\Recent))\r\na OK FETCH completed\r\n");
        imap_site_flag(&site, 3, 3, FLAG_DELETED);
        imap_site_expunge(&site);
        harness_expect(&first, "a NOOP\r\n", "* 3 EXPUNGE\r\na OK nothing done\r\n");
        imap_site_deliver(&site, 1);
        harness_expect(&first, "a NOOP\r\n", "* 4 EXISTS\r\na OK nothing done\r\n"); /* three still */
        harness_close(&first);
        harness_close(&second);
        imap_site_close(&site);
}

/* RFC 3501 §6.3.2: EXAMINE shows and does not take. */
static void
test_examine(void)
{
        ImapSite site;
        Harness looks, takes;

        imap_site_open(&site, 1);
        log_in(&site, &looks);
        log_in(&site, &takes);
        expect(&looks, "a EXAMINE INBOX", "* 1 RECENT\r\n");
        expect(&looks, "a EXAMINE INBOX", "* 1 RECENT\r\n");
        expect(&takes, "a SELECT INBOX", "* 1 RECENT\r\n");
        expect(&looks, "a FETCH 1 FLAGS", "(\\Recent)"); /* as it was when it came */
        expect(&looks, "a EXAMINE INBOX", "* 0 RECENT\r\n");
        imap_site_deliver(&site, 1);
        expect(&looks, "a NOOP", "* 2 EXISTS\r\n* 1 RECENT\r\n");
        expect(&takes, "a NOOP", "* 2 EXISTS\r\n* 2 RECENT\r\n");
        harness_close(&looks);
        harness_close(&takes);
        imap_site_close(&site);
}

/* RFC 3501 §6.4.4: NEW is (RECENT UNSEEN), OLD is NOT RECENT. */
static void
test_search(void)
{
        ImapSite site;
        Harness h;

        imap_site_open(&site, 2);
        log_in(&site, &h);
        expect(&h, "a SELECT INBOX", "* 2 RECENT\r\n");
        expect(&h, "a SELECT INBOX", "* 0 RECENT\r\n");
        imap_site_deliver(&site, 2);
        imap_site_flag(&site, 4, 4, FLAG_SEEN);
        expect(&h, "a NOOP", "* 4 EXISTS\r\n* 2 RECENT\r\n");
        harness_expect(&h, "a SEARCH RECENT\r\n", "* SEARCH 3 4\r\na OK done\r\n");
        harness_expect(&h, "a SEARCH NEW\r\n", "* SEARCH 3\r\na OK done\r\n");
        harness_expect(&h, "a SEARCH OLD\r\n", "* SEARCH 1 2\r\na OK done\r\n");
        harness_expect(&h, "a SEARCH OR NEW 1\r\n", "* SEARCH 1 3\r\na OK done\r\n");
        harness_expect(&h, "a SEARCH NOT NEW\r\n", "* SEARCH 1 2 4\r\na OK done\r\n");
        harness_expect(&h, "a UID SEARCH RETURN (COUNT) RECENT\r\n",
                       "* ESEARCH (TAG \"a\") UID COUNT 2\r\na OK done\r\n");
        harness_close(&h);
        imap_site_close(&site);
}

/* RFC 9051 has none; a session that speaks it was told all the same. */
static void
test_rev2(void)
{
        ImapSite site;
        Harness rev2, rev1;

        imap_site_open(&site, 1);
        log_in(&site, &rev2);
        log_in(&site, &rev1);
        harness_say(&rev2, span_of("a ENABLE IMAP4rev2\r\nb SELECT INBOX\r\nc FETCH 1 FLAGS\r\n"));
        g_assert_nonnull(strstr(rev2.output->str, "* 1 FETCH (FLAGS ())\r\n"));
        g_assert_null(strcasestr(rev2.output->str, "recent"));
        expect(&rev1, "a SELECT INBOX", "* 0 RECENT\r\n");
        imap_site_deliver(&site, 1);
        harness_expect(&rev2, "d NOOP\r\n", "* 2 EXISTS\r\nd OK nothing done\r\n");
        harness_expect(&rev2, "d SEARCH RETURN (COUNT) RECENT\r\n", "* ESEARCH (TAG \"d\") COUNT 0\r\nd OK done\r\n");
        harness_close(&rev2);
        harness_close(&rev1);
        imap_site_close(&site);
}

/* It is written when the site tidies; before that a crash makes messages recent once more. */
static void
test_kept(void)
{
        ImapSite site;
        Harness h;
        g_autoptr(GError) error = NULL;

        imap_site_open(&site, 3);
        log_in(&site, &h);
        expect(&h, "a SELECT INBOX", "* 3 RECENT\r\n");
        harness_close(&h);
        Store *other = store_new(site.site.db, site.site.blob, site.site.directory);
        g_assert_cmpuint(store_recent(other, site.inbox, 0), ==, 1);
        store_free(other);
        g_assert_true(store_recent_keep(site.site.store, &error));
        g_assert_true(store_recent_keep(site.site.store, &error));
        other = store_new(site.site.db, site.site.blob, site.site.directory);
        g_assert_cmpuint(store_recent(other, site.inbox, 0), ==, 4);
        g_assert_cmpuint(store_recent(other, site.inbox, 3), ==, 4);
        g_assert_cmpuint(store_recent(other, site.inbox, 9), ==, 4);
        g_assert_cmpuint(store_recent(other, site.inbox, 0), ==, 9);
        g_assert_cmpuint(store_recent(other, 4711, 9), ==, G_MAXUINT32); /* no such mailbox: nothing is */
        store_free(other);
        imap_site_close(&site);
}

/* Sessions that take turns have many ranges; above a thousand the rest is others'. */
static void
test_many_turns(void)
{
        ImapSite site;
        Harness first, second;

        imap_site_open(&site, 0);
        log_in(&site, &first);
        log_in(&site, &second);
        expect(&first, "a SELECT INBOX", "* 0 RECENT\r\n");
        expect(&second, "a SELECT INBOX", "* 0 RECENT\r\n");
        for (guint i = 0; i < 1002; i++) {
                imap_site_deliver(&site, 1);
                harness_say(&first, span_of("a NOOP\r\n"));
                imap_site_deliver(&site, 1);
                harness_say(&second, span_of("a NOOP\r\n"));
        }
        g_assert_cmpuint(imap_recent(first.session)->len, ==, 1000);
        g_assert_cmpuint(imap_recent_count(first.session), ==, 1000);
        g_assert_cmpuint(imap_recent_count(second.session), >=, 1000);
        harness_close(&first);
        harness_close(&second);
        imap_site_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/recent/the first session that may write has it (RFC 3501 §2.3.2)", test_first_session);
        g_test_add_func("/imap/recent/RECENT comes with EXISTS (RFC 3501 §7.3.2)", test_arrival);
        g_test_add_func("/imap/recent/EXAMINE shows and does not take (RFC 3501 §6.3.2)", test_examine);
        g_test_add_func("/imap/recent/SEARCH RECENT, NEW and OLD (RFC 3501 §6.4.4)", test_search);
        g_test_add_func("/imap/recent/IMAP4rev2 has none", test_rev2);
        g_test_add_func("/imap/recent/the number is kept", test_kept);
        g_test_add_func("/imap/recent/sessions that take turns", test_many_turns);
        return g_test_run();
}

#include "imap/message_url.h"

#include <glib.h>

static void
test_good(void)
{
        static const struct {
                const char *url, *mailbox;
                guint32 uid_validity, uid;
                gsize n_path;
                PartSection part;
                guint64 from, count;
        } cases[] = {
                {"/INBOX/;UID=1", "INBOX", 0, 1, 0, SECTION_WHOLE, 0, G_MAXUINT64},
                /* RFC 4469 §5 writes it both ways */
                {"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "Drafts", 385759045, 20, 0, SECTION_HEADER, 0,
                 G_MAXUINT64},
                {"/INBOX;UIDVALIDITY=785799047/;UID=113330;section=1.5.9", "INBOX", 785799047, 113330, 3, SECTION_WHOLE,
                 0, G_MAXUINT64},
                {"/A/B%20c/;uid=7/;SECTION=2.MIME/;PARTIAL=3.4", "A/B c", 0, 7, 1, SECTION_MIME, 3, 4},
                {"/%C3%A9;UIDVALIDITY=1/;UID=4294967295/;PARTIAL=9", "\xc3\xa9", 1, G_MAXUINT32, 0, SECTION_WHOLE, 9,
                 G_MAXUINT64},
                {"/a%3bb/;UID=1/;SECTION=HEADER.FIELDS%20(From%20To)", "a;b", 0, 1, 0, SECTION_HEADER, 0, G_MAXUINT64},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Arena) arena = arena_new(65536);
                MessageUrl url;
                g_test_message("%s", cases[i].url);
                g_assert_true(message_url_parse(arena, span_of(cases[i].url), &url));
                g_assert_true(span_equal(url.mailbox, span_of(cases[i].mailbox)));
                g_assert_cmpuint(url.uid_validity, ==, cases[i].uid_validity);
                g_assert_cmpuint(url.uid, ==, cases[i].uid);
                g_assert_cmpuint(url.section.n_path, ==, cases[i].n_path);
                g_assert_cmpint(url.section.part, ==, cases[i].part);
                g_assert_cmpuint(url.from, ==, cases[i].from);
                g_assert_cmpuint(url.count, ==, cases[i].count);
        }
}

static void
test_bad(void)
{
        static const char *const urls[] = {
                "",
                "/",
                "/;UID=1",
                "//;UID=1/",
                "INBOX/;UID=1",
                "/INBOX",
                "/INBOX;UID=1",
                "/INBOX/;UID=",
                "/INBOX/;UID=0",
                "/INBOX/;UID=4294967296",
                "/INBOX;UIDVALIDITY=/;UID=1",
                "/INBOX;UIDVALIDITY=0/;UID=1",
                "/INBOX;UIDVALIDITY=1;UID=1",
                "/INBOX/;UID=1x",
                "/INBOX/;UID=1/",
                "/INBOX/;UID=1/;SECTION=FOO",
                "/INBOX/;UID=1/;SECTION=1./;PARTIAL=1",
                "/INBOX/;UID=1/;PARTIAL=",
                "/INBOX/;UID=1/;PARTIAL=1.",
                "/INBOX/;UID=1/;PARTIAL=1.0",
                "/%/;UID=1",
                "/%4/;UID=1",
                "/a%00b/;UID=1",
                "/%FF/;UID=1",
                "imap://other.example/INBOX/;UID=1",
                "//other.example/;UID=1x",
                "/IN%0",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(urls); i++) {
                g_autoptr(Arena) arena = arena_new(65536);
                MessageUrl url;
                g_test_message("%s", urls[i]);
                g_assert_false(message_url_parse(arena, span_of(urls[i]), &url));
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/message-url/good (RFC 5092 §7, 4469 §5)", test_good);
        g_test_add_func("/imap/message-url/bad", test_bad);
        return g_test_run();
}

#include "mail/span_test.h"
#include "mail/summary_test.h"

static SummaryKeys
keys_of(Arena *arena, const char *message)
{
        SummaryKeys keys;

        g_assert_true(summary_keys_get(summary_of(arena, message).keys, &keys));
        return keys;
}

static void
test_date(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        SummaryKeys keys = keys_of(arena, "Date: Sun, 22 Nov 2026 12:00:00 +0130\r\n\r\n");

        g_assert_true(keys.has_date);
        g_assert_cmpint(keys.date, ==, (Usec) 1795343400 * USEC_PER_SEC);
        g_assert_cmpint(keys.zone, ==, 90);
        keys = keys_of(arena, "Date: Thu, 1 Jan 1970 00:00:00 -1100\r\n\r\n");
        g_assert_cmpint(keys.date, ==, 11 * 3600 * USEC_PER_SEC);
        g_assert_cmpint(keys.zone, ==, -660);
        keys = keys_of(arena, "Date: Wed, 31 Dec 1969 23:59:59 +0000\r\n\r\n");
        g_assert_cmpint(keys.date, ==, -USEC_PER_SEC);
        g_assert_false(keys_of(arena, "Date: yesterday\r\n\r\n").has_date);
        g_assert_false(keys_of(arena, "Subject: x\r\n\r\n").has_date);
}

static void
test_subject(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        SummaryKeys keys = keys_of(arena, "Subject: Re: [list]  =?utf-8?q?Stra=C3=9Fe?= \xc3\xa4\r\n\r\n");

        /* RFC 5051: titlecase, then decomposition; the sharp s has no simple titlecase of its own. */
        assert_span(keys.subject, "STRA\xc3\x9f"
                                  "E A\xcc\x88");
        g_assert_true(keys.is_reply);
        keys = keys_of(arena, "Subject: plain\r\n\r\n");
        assert_span(keys.subject, "PLAIN");
        g_assert_false(keys.is_reply);
        assert_span(keys_of(arena, "").subject, "");
}

static void
test_addresses(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        SummaryKeys keys =
                keys_of(arena, "From: =?utf-8?q?J=C3=B6rg?= <Joe@example.org>, other@x\r\nTo: A group: first@b;\r\n"
                               "Cc: (x) \"c c\"@d\r\n\r\n");

        assert_span(keys.from, "JOE");
        assert_span(keys.display_from, "JO\xcc\x88RG");
        assert_span(keys.to, "A GROUP"); /* the first one of the ENVELOPE is the start of the group */
        assert_span(keys.display_to, "A GROUP");
        assert_span(keys.cc, "C C");
        keys = keys_of(arena, "From: joe@example.org\r\nTo: broken\r\n\r\n");
        assert_span(keys.display_from, "JOE@EXAMPLE.ORG");
        assert_span(keys.display_to, "BROKEN");
        assert_span(keys.cc, "");
}

static void
test_message_ids(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        guint64 a = summary_hash_message_id(span_of("<a@b>")), c = summary_hash_message_id(span_of("<c@d>"));
        SummaryKeys keys =
                keys_of(arena, "Message-ID: <a@b>\r\nReferences: junk <c@d>\r\n\t<e@f> <> <a@b> <open\r\n\r\n");

        g_assert_true(a != 0 && c != 0 && a != c);
        g_assert_cmpuint(keys.message_id, ==, a);
        g_assert_cmpuint(keys.n_references, ==, 3);
        g_assert_cmpuint(keys.references[0], ==, c);
        g_assert_cmpuint(keys.references[2], ==, a);
        g_assert_cmpuint(summary_hash_message_id(span_of("none")), ==, 0);
        g_assert_cmpuint(summary_hash_message_id(span_of("<>")), ==, 0);

        /* RFC 5256 §3: quoting does not count; folding in the middle of an id is undone. */
        g_assert_cmpuint(summary_hash_message_id(span_of("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>")), ==,
                         summary_hash_message_id(span_of("<01KF8JCEOCBS0045PS@xxx.yyy.com>")));
        g_assert_cmpuint(summary_hash_message_id(span_of("< a@\r\n b >")), ==, a);
        g_assert_cmpuint(summary_hash_message_id(span_of("<A@b>")), !=, a);

        /* In-Reply-To counts only without References, its first valid id. */
        keys = keys_of(arena, "In-Reply-To: your message of <> Monday <c@d> <a@b>\r\n\r\n");
        g_assert_cmpuint(keys.n_references, ==, 1);
        g_assert_cmpuint(keys.references[0], ==, c);
        g_assert_cmpuint(keys.message_id, ==, 0);
        keys = keys_of(arena, "In-Reply-To: <c@d>\r\nReferences: <a@b>\r\n\r\n");
        g_assert_true(keys.n_references == 1 && keys.references[0] == a);
}

static void
test_last_references(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) header = g_string_new("References:");
        const guint n = 2 * SUMMARY_REFERENCES_MAX + 7;

        for (guint i = 0; i < n; i++)
                g_string_append_printf(header, "\r\n <%u@x>", i);
        g_string_append(header, "\r\n\r\n");
        SummaryKeys keys = keys_of(arena, header->str);
        g_assert_cmpuint(keys.n_references, ==, SUMMARY_REFERENCES_MAX);
        for (guint i = 0; i < SUMMARY_REFERENCES_MAX; i++) {
                g_autofree char *id = g_strdup_printf("<%u@x>", n - SUMMARY_REFERENCES_MAX + i);

                g_assert_cmpuint(keys.references[i], ==, summary_hash_message_id(span_of(id)));
        }
}

/* Long texts are cut between characters. */
static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) header = g_string_new("Subject: ");

        for (guint i = 0; i < 100000; i++)
                g_string_append(header, "\xe2\x82\xac"); /* three octets each */
        SummaryKeys keys = keys_of(arena, header->str);
        g_assert_cmpuint(keys.subject.len, ==, SUMMARY_KEY_MAX - SUMMARY_KEY_MAX % 3);
}

static void
try_keys(Span section)
{
        SummaryKeys keys;

        if (summary_keys_get(section, &keys))
                g_assert_true(keys.n_references <= SUMMARY_REFERENCES_MAX && keys.subject.len <= section.len);
}

static void
test_damaged(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span section = summary_of(arena, "Date: Sun, 22 Nov 2026 12:00:00 +0130\r\nSubject: x\r\nFrom: a@b\r\n"
                                         "Message-ID: <a@b>\r\nReferences: <c@d> <e@f>\r\n\r\n")
                               .keys;
        SummaryKeys keys;

        try_damaged(section, try_keys);
        g_assert_false(summary_keys_get(SPAN_EMPTY, &keys));
        for (gsize i = 0; i < section.len; i++)
                g_assert_false(summary_keys_get(span_slice(section, 0, i), &keys));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/keys/sent-date RFC 5256 §2.2", test_date);
        g_test_add_func("/mail/keys/subject RFC 5256 §2.1 RFC 5051 §2", test_subject);
        g_test_add_func("/mail/keys/addresses RFC 5256 §3 RFC 5957 §3", test_addresses);
        g_test_add_func("/mail/keys/message-ids RFC 5256 §3", test_message_ids);
        g_test_add_func("/mail/keys/the-last-references-are-kept", test_last_references);
        g_test_add_func("/mail/keys/limits", test_limits);
        g_test_add_func("/mail/keys/damaged-sections-are-answered", test_damaged);
        return g_test_run();
}

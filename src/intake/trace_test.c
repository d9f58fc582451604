/* trace_test.c -- what happened is found again by id, Message-ID, sender and recipient; refusals are counted and
 * bounded. */
#include "intake/fixture.h"

#include "db/textkey.h"

static gsize
find(Site *site, const TraceFilter *filter, const TraceRecord **ret)
{
        g_autoptr(GError) error = NULL;
        gsize n;

        g_assert_true(trace_find(site->db, site->arena, filter, ret, &n, &error));
        g_assert_no_error(error);
        return n;
}

static void
test_found(Site *site, gconstpointer data)
{
        const TraceRecord *found;

        g_autoptr(Submission) sub = site_begin(site, "A@b.example");
        (void) site_rcpt(site, sub, "joe@ex.org");
        (void) site_rcpt(site, sub, "SALES@ex.org");
        site_data(sub, "Message-ID: <One.1@b.example>\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\nx\r\n");
        site_accept(sub);
        g_assert_cmpint(site_send(site, "", "ann@ex.org", "Subject: other\r\n\r\n"), ==, INTAKE_ACCEPTED);

        g_assert_cmpuint(find(site, &(TraceFilter){.message = submission_id(sub)}, &found), ==, 1);
        g_assert_cmpstr(found->subject, ==, "grüße");
        g_assert_cmpstr(found->message_id, ==, "One.1@b.example");
        g_assert_cmpstr(found->sender, ==, "A@b.example");
        g_assert_cmpstr(found->origin, ==, "stranger");
        g_assert_cmpstr(found->client, ==, "192.0.2.1");
        g_assert_cmpuint(found->n_recipients, ==, 2);
        g_assert_cmpstr(found->recipients[1].recipient, ==, "SALES@ex.org");
        g_assert_cmpstr(found->recipients[1].outcome, ==, "deliver");
        g_assert_cmpstr(found->recipients[1].target, ==, "joe@ex.org");
        g_assert_cmpstr(found->recipients[1].status, ==, "2.0.0");
        g_assert_cmpuint(found->recipients[1].n_steps, >, 0);

        g_assert_cmpuint(find(site, &(TraceFilter){.message_id = "<One.1@b.example>"}, &found), ==, 1);
        g_assert_cmpuint(find(site, &(TraceFilter){.message_id = "One.1@b.example"}, &found), ==, 1);
        g_assert_cmpuint(find(site, &(TraceFilter){.to = "sales@EX.org"}, &found), ==, 1);
        g_assert_cmpuint(find(site, &(TraceFilter){.to = "sales@ex.org", .from = "x@y.example"}, &found), ==, 0);
        g_assert_cmpuint(find(site, &(TraceFilter){.from = "a@B.example"}, &found), ==, 1);
        g_assert_cmpuint(find(site, &(TraceFilter){.to = "nobody@ex.org"}, &found), ==, 0);
        g_assert_cmpuint(find(site, &(TraceFilter){0}, &found), ==, 2);
        g_assert_cmpstr(found[0].subject, ==, "other");
        g_assert_cmpuint(find(site, &(TraceFilter){.max = 1}, &found), ==, 1);
        g_assert_cmpuint(find(site, &(TraceFilter){.since = clock_real() + USEC_PER_HOUR}, &found), ==, 0);
}

/* More rows than one slice of the search, and a message that was tried again under another name. */
static void
test_found_far_back(Site *site, gconstpointer data)
{
        static DbSql COPIES = {"INSERT INTO trace (message, at, origin, sender, size, lines)"
                               " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"
                               " SELECT message + i, at + i, origin, 'other@b.example', size, lines FROM trace, n"};
        static DbSql HASHES = {"INSERT INTO trace_key (message, hashes) SELECT t.message, k.hashes"
                               " FROM trace t, trace_key k WHERE t.message > k.message"};
        g_autoptr(GError) error = NULL;
        const TraceRecord *found;
        guint8 later[TEXTKEY_OCTETS];

        g_autoptr(Submission) sub = site_begin(site, "a@b.example");
        (void) site_rcpt(site, sub, "joe@ex.org");
        site_data(sub, "Message-ID: <1@b.example>\r\n\r\nx\r\n");
        site_accept(sub);
        DbTxn *txn = db_begin(site->db, &error);
        g_assert_true(db_run(txn, &COPIES, &error, "") && db_run(txn, &HASHES, &error, ""));
        textkey_put(later, span_of("ann@ex.org"));
        for (guint i = 0; i < 3; i++)
                g_assert_true(trace_put_later(txn, submission_id(sub), span_make(later, sizeof(later)),
                                              "[[\"ann@ex.org\",\"deliver\",\"ann@ex.org\",\"2.0.0\"]]", &error));
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);

        g_assert_cmpuint(find(site, &(TraceFilter){.from = "a@b.example"}, &found), ==, 1);
        g_assert_cmpuint(find(site, &(TraceFilter){.message_id = "1@b.example"}, &found), ==, 1);
        g_assert_cmpuint(find(site, &(TraceFilter){.to = "Ann@ex.org"}, &found), ==, 1);
        g_assert_cmpuint(found->message, ==, submission_id(sub));
        g_assert_cmpuint(found->n_recipients, ==, 4);
        g_assert_cmpuint(find(site, &(TraceFilter){.to = "joe@ex.org", .max = 7}, &found), ==, 7);
        g_assert_cmpuint(found->message, ==, submission_id(sub) + 12000);
        g_assert_cmpuint(find(site, &(TraceFilter){.to = "joe@ex.org", .from = "a@b.example"}, &found), ==, 1);
}

static void
test_refusals(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const TraceRecord *found;

        for (guint i = 0; i < 3; i++)
                g_assert_cmpint(site_send(site, "a@b.example", "nobody@ex.org", "\r\n"), ==, INTAKE_REFUSED);
        g_assert_cmpuint(find(site, &(TraceFilter){.to = "nobody@ex.org"}, &found), ==, 0);
        g_assert_true(intake_flush_refusals(site->intake, &error));
        g_assert_cmpuint(find(site, &(TraceFilter){.to = "Nobody@ex.org"}, &found), ==, 1);
        g_assert_cmpuint(found->times, ==, 3);
        g_assert_cmpuint(found->message, ==, 0);
        g_assert_cmpstr(found->recipients[0].status, ==, "5.1.1");
        g_assert_cmpstr(found->client, ==, "192.0.2.1");
        g_assert_true(intake_flush_refusals(site->intake, &error));
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM refusal"), ==, 1);
}

static void
test_refusals_bounded(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");

        for (guint i = 0; i < 1500; i++) {
                g_autofree char *name = g_strdup_printf("n%u@ex.org", i);
                (void) site_rcpt(site, sub, name);
                arena_reset(site->arena);
        }
        g_assert_true(intake_flush_refusals(site->intake, &error));
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM refusal"), ==, 1001);
        g_assert_cmpint(site_number(site, "SELECT sum(times) FROM refusal"), ==, 1500);
}

static void
test_purge(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gboolean more = TRUE;
        guint calls = 0;

        for (guint i = 0; i < 400; i++)
                g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org ann@ex.org", "Message-ID: <1@x>\r\n\r\n"),
                                ==, INTAKE_ACCEPTED);
        (void) site_send(site, "a@b.example", "nobody@ex.org", "\r\n");
        g_assert_true(intake_flush_refusals(site->intake, &error));
        g_assert_true(trace_purge(site->db, clock_real() - USEC_PER_DAY, &more, &error));
        g_assert_false(more);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM trace"), ==, 400);
        for (more = TRUE; more; calls++)
                g_assert_true(trace_purge(site->db, clock_real() + 1, &more, &error));
        g_assert_cmpuint(calls, >=, 2); /* in slices */
        g_assert_cmpint(site_number(site, "SELECT (SELECT count(*) FROM trace) + (SELECT count(*) FROM trace_later)"
                                          " + (SELECT count(*) FROM trace_key) + (SELECT count(*) FROM refusal)"),
                        ==, 0);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 400);
}

static void
test_lines(Site *site, gconstpointer data)
{
        const char *const steps[] = {"a \"quoted\" step", "bad \xff octet", "tab\there"};
        const TraceRecipient first = {"joe@ex.org", "deliver", "joe@ex.org", "2.0.0", steps, 3};
        const TraceRecipient second = {"ann@ex.org", "reject", "ann@ex.org", "5.1.1", NULL, 0};
        g_autoptr(GString) lines = g_string_new(NULL);

        trace_add_line(lines, &first, "last");
        trace_add_line(lines, &second, NULL);
        g_assert_cmpstr(lines->str, ==,
                        "[[\"joe@ex.org\",\"deliver\",\"joe@ex.org\",\"2.0.0\",\"a \\u0022quoted\\u0022 step\",\"bad "
                        "\\u005cxff octet\","
                        "\"tab\\u0009here\",\"last\"],[\"ann@ex.org\",\"reject\",\"ann@ex.org\",\"5.1.1\"]]");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/intake/trace/" path, Site, NULL, site_init, fn, site_done)
        ADD("found by id, Message-ID, sender, recipient", test_found);
        ADD("found behind many others and under a later name", test_found_far_back);
        ADD("refusals are counted", test_refusals);
        ADD("refusals are bounded", test_refusals_bounded);
        ADD("purged in slices", test_purge);
        ADD("steps are JSON whatever is in them RFC 8259 §7", test_lines);
        return g_test_run();
}

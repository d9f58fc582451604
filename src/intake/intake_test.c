/* intake_test.c -- what comes of a message, from its recipients to mailboxes, queue, DSNs and answers. */
#include "intake/fixture.h"

#include "base/thread.h"

#define MESSAGE "From: <a@b.example>\r\nTo: joe@ex.org\r\nSubject: hello\r\nMessage-ID: <1@b.example>\r\n\r\nbody\r\n"

static guint
count_of(const char *text, const char *part)
{
        guint n = 0;

        for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
                n++;
        return n;
}

static void
change(Site *site, const char *sql)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin(site->db, &error);

        {
                g_autoptr(DbRows) rows = db_query_text(txn, sql, &error, "");
                g_assert_cmpint(db_rows_next(rows, &error), ==, DB_ROW_END);
        }
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
}

/* Final delivery --------------------------------------------------------------------------------------------------- */

static void
test_delivery(Site *site, gconstpointer data)
{
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_auto(GStrv) inbox = site_inbox(site, "joe@ex.org");
        g_assert_cmpuint(g_strv_length(inbox), ==, 1);
        g_assert_true(g_str_has_prefix(inbox[0],
                                       "Return-Path: <a@b.example>\r\nDelivered-To: joe@ex.org\r\n"
                                       "Received: from client.example ([192.0.2.1]) by mx.ex.org with ESMTP"));
        g_assert_nonnull(strstr(inbox[0], "<joe@ex.org>;"));
        g_assert_true(g_str_has_suffix(inbox[0], "\r\n" MESSAGE));
        g_assert_cmpuint(site_verify(site), ==, 1);
}

static void
test_for_clause(Site *site, gconstpointer data)
{
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org ann@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_auto(GStrv) joe = site_inbox(site, "joe@ex.org");
        g_auto(GStrv) ann = site_inbox(site, "ann@ex.org");
        g_assert_null(strstr(joe[0], "ann@ex.org"));
        g_assert_null(strstr(ann[0], "Delivered-To: joe@ex.org"));
        g_assert_null(strstr(ann[0], "for <"));
        g_assert_cmpint(site_number(site, "SELECT refs FROM body"), ==, 2);
}

static void
test_merged(Site *site, gconstpointer data)
{
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org sales@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 1);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM " TRACE_LINES
                                          " WHERE target = 'joe@ex.org' AND outcome = 'deliver'"),
                        ==, 2);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM " TRACE_LINES " WHERE recipient = 'sales@ex.org'"), ==,
                        1);
}

static void
test_fields_cut(Site *site, gconstpointer data)
{
        const char *message =
                "Return-Path: <forged@b.example>\r\nDelivered-To: ann@ex.org\r\nDelivered-To: joe@ex.org\r\n"
                "return-path:\r\n <folded@b.example>\r\nDelivered-To: x@elsewhere.example\r\nSubject: "
                "s\r\n\r\nReturn-Path: body\r\n";

        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org ann@ex.org", message), ==, INTAKE_ACCEPTED);
        g_auto(GStrv) joe = site_inbox(site, "joe@ex.org");
        g_auto(GStrv) ann = site_inbox(site, "ann@ex.org");
        g_assert_true(g_str_has_suffix(
                joe[0], "\r\nDelivered-To: joe@ex.org\r\nDelivered-To: x@elsewhere.example\r\nSubject: s\r\n\r\n"
                        "Return-Path: body\r\n"));
        g_assert_cmpuint(count_of(joe[0], "eturn-"), ==, 2); /* ours, and the body's */
        g_assert_null(strstr(joe[0], "ann@ex.org"));
        g_assert_null(strstr(joe[0], "folded"));
        g_assert_null(strstr(ann[0], "joe@ex.org"));
        site_verify(site);
}

static void
test_subaddress(Site *site, gconstpointer data)
{
        g_autofree char *sql =
                g_strdup_printf("INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, %" G_GINT64_FORMAT
                                ", 'news', 5, 0)",
                                site_account_id(site, "joe@ex.org"));
        change(site, sql);
        g_assert_cmpint(site_send(site, "a@b.example", "joe+news@ex.org joe+other@ex.org joe@ex.org", MESSAGE), ==,
                        INTAKE_ACCEPTED);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 1);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM entry e JOIN mailbox m ON m.id = e.mailbox WHERE name = 'news'"), ==, 1);
}

static void
test_hundred(Site *site, gconstpointer data)
{
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");

        for (guint i = 0; i < 100; i++) {
                g_autofree char *address = g_strdup_printf("u%u@ex.org", i);
                site_account(site, address, NULL);
                g_assert_cmpint(site_rcpt(site, sub, address).verdict, ==, INTAKE_ACCEPTED);
        }
        site_data(sub, MESSAGE);
        site_accept(sub);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM body"), ==, 1);
        g_assert_cmpint(site_number(site, "SELECT refs FROM body"), ==, 100);
        g_assert_cmpuint(site_verify(site), ==, 100);
}

/* Messages that are odd -------------------------------------------------------------------------------------------- */

static void
test_odd_messages(Site *site, gconstpointer data)
{
        static const struct {
                const char *sent, *stored; /* behind our Received */
        } CASES[] = {
                {"no header at all\r\n", "\r\nno header at all\r\n"},
                {"", "\r\n"},
                {"\r\nbody after an empty header\r\n", "\r\nbody after an empty header\r\n"},
                {"Subject: only a header\r\n", "Subject: only a header\r\n"},
                {"Subject: no end of line", "Subject: no end of line"},
                {"Subject: bare LF\n\nbody\n", "Subject: bare LF\n\nbody\n"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org", CASES[i].sent), ==, INTAKE_ACCEPTED);
                g_auto(GStrv) inbox = site_inbox(site, "joe@ex.org");
                const char *date = strstr(inbox[i], "<joe@ex.org>;");
                g_assert_cmpstr(strstr(date, "\r\n") != NULL ? strchr(strstr(date, "+0000"), '\n') + 1 : "", ==,
                                CASES[i].stored);
        }
        site_verify(site);
}

static void
test_nuls_and_long_line(Site *site, gconstpointer data)
{
        g_autofree guint8 *line = g_malloc0(1024 * 1024);

        for (int is_fetch = 0; is_fetch < 2; is_fetch++) {
                site->standing.origin = is_fetch ? ORIGIN_FETCH : ORIGIN_STRANGER;
                for (int fill = 0; fill < 2; fill++) {
                        g_autoptr(Submission) sub = site_begin(site, "a@b.example");
                        memset(line, fill ? 'x' : 0, 1024 * 1024);
                        g_assert_cmpint(site_rcpt(site, sub, "joe@ex.org").verdict, ==, INTAKE_ACCEPTED);
                        g_assert_true(intake_add(sub, span_make(line, 1024 * 1024)));
                        site_accept(sub);
                        g_assert_cmpint(intake_reply(sub).verdict, ==, INTAKE_ACCEPTED);
                }
        }
        g_assert_cmpuint(site_verify(site), ==, 4);
}

static char *
with_fields(const char *field, guint n)
{
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < n; i++)
                g_string_append(text, field);
        g_string_append(text, "\r\nbody\r\n");
        return g_string_free(text, FALSE);
}

static void
check_refused(Site *site, const char *field, guint n, const char *code)
{
        g_autofree char *text = with_fields(field, n);
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");
        char status[16];

        g_assert_cmpint(site_rcpt(site, sub, "joe@ex.org").verdict, ==, INTAKE_ACCEPTED);
        site_data(sub, text);
        site_accept(sub);
        g_assert_cmpint(intake_reply(sub).verdict, ==, code != NULL ? INTAKE_REFUSED : INTAKE_ACCEPTED);
        if (code != NULL)
                g_assert_cmpstr(status_text(intake_reply(sub).status, status, sizeof(status)), ==, code);
}

static void
test_limits(Site *site, gconstpointer data)
{
        check_refused(site, "Received: from a by b; now\r\n", 100, NULL);
        check_refused(site, "Received: from a by b; now\r\n", 101, "5.4.6");
        check_refused(site, "A: b\r\n", 10000, "5.6.0");
        check_refused(site, "Return-Path: <x>\r\nA: b\r\n", 31, NULL);
        check_refused(site, "Return-Path: <x>\r\nA: b\r\n", 32, "5.6.0");
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 2);

        site->standing.origin = ORIGIN_FETCH; /* nobody can be told: nothing is lost */
        check_refused(site, "Received: from a by b; now\r\n", 101, NULL);
        check_refused(site, "A: b\r\n", 10000, NULL);
        check_refused(site, "Return-Path: <x>\r\nA: b\r\n", 400, NULL);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 2);
        g_assert_cmpuint(site_count(site, "postmaster@ex.org"), ==, 3);
        site_verify(site);
}

static void
test_too_large(Site *site, gconstpointer data)
{
        char status[16];

        site->max_size = 1000;
        site_reopen(site);
        g_autofree char *text = with_fields("A: b\r\n", 200);
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");
        (void) site_rcpt(site, sub, "joe@ex.org");
        g_assert_false(intake_add(sub, span_of(text)));
        g_assert_false(intake_add(sub, span_of(text)));
        site_accept(sub);
        g_assert_cmpint(intake_reply(sub).verdict, ==, INTAKE_REFUSED);
        g_assert_cmpstr(status_text(intake_reply(sub).status, status, sizeof(status)), ==, "5.3.4");
        g_assert_cmpuint(intake_reply(sub).status.code, ==, 552);
}

/* Recipients ------------------------------------------------------------------------------------------------------- */

static void
test_rcpt(Site *site, gconstpointer data)
{
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");
        IntakeReply reply = site_rcpt(site, sub, "nobody@ex.org");

        g_assert_cmpint(reply.verdict, ==, INTAKE_REFUSED);
        g_assert_true(reply.is_unknown);
        g_assert_cmpuint(reply.status.code, ==, 550);
        g_assert_cmpuint(reply.status.detail, ==, 1);
        reply = site_rcpt(site, sub, "x@far.example");
        g_assert_cmpint(reply.verdict, ==, INTAKE_REFUSED);
        g_assert_false(reply.is_unknown);
        g_assert_cmpuint(reply.status.subject, ==, 7);
        g_assert_cmpuint(submission_n_recipients(sub), ==, 0);
        g_assert_cmpint(site_rcpt(site, sub, "postmaster").verdict, ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(submission_n_recipients(sub), ==, 1);
        g_assert_true(directory_flush_unknown(site->directory, NULL));
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM unknown_name WHERE local = 'nobody'"), ==, 1);
}

static void
test_too_many_recipients(Site *site, gconstpointer data)
{
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");

        for (guint i = 0; i < 1000; i++)
                g_assert_cmpint(site_rcpt(site, sub, "joe@ex.org").verdict, ==, INTAKE_ACCEPTED);
        IntakeReply reply = site_rcpt(site, sub, "joe@ex.org");
        g_assert_cmpint(reply.verdict, ==, INTAKE_DEFERRED);
        g_assert_cmpuint(reply.status.code, ==, 452);
        site_data(sub, MESSAGE);
        site_accept(sub);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 1);
}

/* Catch-all -------------------------------------------------------------------------------------------------------- */

static void
test_catch_all(Site *site, gconstpointer data)
{
        const char *message = "Received: from evil; now\r\nX-Rcpt-To: evil@ex.org\r\nSubject: "
                              "s\r\nx-rcpt-to:\r\n\tevil@ex.org\r\n\r\nb\r\n";

        site_account(site, "default@ex.org", NULL);
        site_domain_set(site, "ex.org", "unknown", "deliver:default@ex.org");
        g_assert_cmpint(site_send(site, "a@b.example", "x@ex.org Y@ex.org joe@ex.org x@ex.org", message), ==,
                        INTAKE_ACCEPTED);
        g_auto(GStrv) inbox = site_inbox(site, "default@ex.org");
        g_assert_cmpuint(g_strv_length(inbox), ==, 2);
        g_assert_nonnull(strstr(
                inbox[0], "Delivered-To: default@ex.org\r\nX-Rcpt-To: x@ex.org\r\nReceived: from client.example"));
        g_assert_nonnull(strstr(
                inbox[1], "Delivered-To: default@ex.org\r\nX-Rcpt-To: Y@ex.org\r\nReceived: from client.example"));
        for (guint i = 0; i < 2; i++) {
                g_assert_null(strstr(inbox[i], "evil@ex.org"));
                g_assert_cmpuint(count_of(inbox[i], "-Rcpt-To"), ==, 1);
                g_assert_true(g_str_has_suffix(inbox[i], "\r\nReceived: from evil; now\r\nSubject: s\r\n\r\nb\r\n"));
        }
        g_auto(GStrv) joe = site_inbox(site, "joe@ex.org"); /* no catch-all copy: the field is data there */
        g_assert_cmpuint(count_of(joe[0], "evil@ex.org"), ==, 2);
        g_assert_cmpint(site_number(site, "SELECT refs FROM body"), ==, 3);
        site_verify(site);
}

/* Queue ------------------------------------------------------------------------------------------------------------ */

static void
test_relay(Site *site, gconstpointer data)
{
        const QueueRow *rows;

        site->standing =
                (Standing){.origin = ORIGIN_CLIENT, .may_send = TRUE, .account = site_account_id(site, "joe@ex.org")};
        g_assert_cmpint(site_send(site, "joe@ex.org", "x@far.example ann@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);
        g_assert_cmpstr(rows[0].next_hop, ==, "mx(far.example)");
        g_assert_cmpstr(rows[0].recipient, ==, "x@far.example");
        g_assert_cmpstr(rows[0].sender, ==, "joe@ex.org");
        g_autofree char *text = site_queue_text(site, &rows[0]);
        g_assert_true(g_str_has_prefix(text, "Received: from client.example"));
        g_assert_cmpuint(count_of(text, "Received:"), ==, 1);
        g_assert_true(g_str_has_suffix(text, "\r\n" MESSAGE));
        g_assert_cmpuint(site_count(site, "ann@ex.org"), ==, 1);
        g_assert_cmpint(site_number(site, "SELECT refs FROM body"), ==, 2);
        site_verify(site);
}

static void
test_loop(Site *site, gconstpointer data)
{
        const QueueRow *rows;
        char status[16];

        site_alias(site, "away@ex.org", "x@far.example", NULL);
        site_alias(site, "gone@ex.org", "x@far.example", NULL);
        g_assert_cmpint(site_send(site, "a@b.example", "away@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);
        g_autofree char *text = site_queue_text(site, &rows[0]);

        g_autoptr(Submission) back = site_begin(site, "a@b.example");
        g_assert_cmpint(site_rcpt(site, back, "AWAY@ex.org").verdict, ==, INTAKE_ACCEPTED);
        site_data(back, text);
        site_accept(back);
        g_assert_cmpint(intake_reply(back).verdict, ==, INTAKE_REFUSED);
        g_assert_cmpstr(status_text(intake_reply(back).status, status, sizeof(status)), ==, "5.4.6");
        g_assert_cmpint(site_send(site, "a@b.example", "gone@ex.org", text), ==,
                        INTAKE_ACCEPTED); /* another recipient is no loop */
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org", text), ==, INTAKE_ACCEPTED);
        site->standing.origin = ORIGIN_FETCH; /* can't be refused, and ends at the postmaster */
        g_assert_cmpint(site_send(site, "a@b.example", "away@ex.org", text), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_count(site, "postmaster@ex.org"), ==, 1);
}

/* An alias whose second member waits for an account that is not there yet. */
static void
make_waiting(Site *site)
{
        site_domain(site, "later.org", "deliver:box@later.org");
        site_alias(site, "both@ex.org", "joe@ex.org", "new@later.org");
        g_assert_cmpint(site_send(site, "a@b.example", "both@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
}

static void
retry(Site *site)
{
        g_autoptr(GError) error = NULL;

        change(site, "UPDATE queue SET next_attempt = 1");
        g_assert_true(intake_retry_local(site->intake, &error));
        g_assert_no_error(error);
}

static void
test_local_retry(Site *site, gconstpointer data)
{
        const TraceRecord *found;
        const QueueRow *rows;
        gsize n;

        make_waiting(site);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 1);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);
        g_assert_cmpstr(rows[0].next_hop, ==, "local");
        retry(site);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);
        g_assert_cmpuint(rows[0].attempts, ==, 1);
        g_assert_nonnull(rows[0].last_reply);
        site_verify(site);

        site_account(site, "box@later.org", NULL);
        retry(site);
        g_assert_cmpuint(site_queue(site, &rows), ==, 0);
        g_auto(GStrv) box = site_inbox(site, "box@later.org");
        g_assert_cmpuint(g_strv_length(box), ==, 1);
        g_assert_true(g_str_has_prefix(
                box[0], "Return-Path: <a@b.example>\r\nDelivered-To: box@later.org\r\nX-Rcpt-To: new@later.org\r\n"
                        "Received: from client.example"));
        g_assert_cmpuint(count_of(box[0], "Received:"), ==, 1);
        g_assert_true(g_str_has_suffix(box[0], "\r\n" MESSAGE));
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 1);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM trace"), ==, 1);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM " TRACE_LINES), ==, 3);
        g_assert_true(trace_find(site->db, site->arena, &(TraceFilter){.to = "new@later.org"}, &found, &n, NULL));
        g_assert_cmpuint(n, ==, 1);
        g_assert_cmpuint(found->n_recipients, ==, 3); /* both tries of one recipient */
        g_assert_cmpstr(found->recipients[2].target, ==, "box@later.org");
        g_assert_cmpuint(site_verify(site), ==, 2);
}

static void
test_local_expires(Site *site, gconstpointer data)
{
        const QueueRow *rows;

        make_waiting(site);
        change(site, "UPDATE queue SET created = 1");
        retry(site);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1); /* the DSN */
        g_assert_cmpstr(rows[0].next_hop, ==, "mx(b.example)");
        g_assert_cmpstr(rows[0].sender, ==, "");
        g_autofree char *text = site_queue_text(site, &rows[0]);
        g_assert_nonnull(strstr(text, "\r\nStatus: 5.4.7\r\n"));
        g_assert_nonnull(strstr(text, MESSAGE));
        site_verify(site);
}

/* Quota ------------------------------------------------------------------------------------------------------------ */

static void
test_quota_alone(Site *site, gconstpointer data)
{
        char status[16];

        site_account(site, "small@ex.org", "300");
        g_assert_cmpint(site_send(site, "a@b.example", "small@ex.org", "A: b\r\n\r\n"), ==, INTAKE_ACCEPTED);
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");
        g_assert_cmpint(site_rcpt(site, sub, "small@ex.org").verdict, ==, INTAKE_ACCEPTED);
        site_data(sub, MESSAGE);
        site_accept(sub);
        g_assert_cmpint(intake_reply(sub).verdict, ==, INTAKE_DEFERRED);
        g_assert_cmpuint(intake_reply(sub).status.code, ==, 452);
        g_assert_cmpstr(status_text(intake_reply(sub).status, status, sizeof(status)), ==, "4.2.2");
        g_assert_cmpuint(site_verify(site), ==, 1);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM trace"), ==, 1);
}

static void
test_quota_among_others(Site *site, gconstpointer data)
{
        const QueueRow *rows;

        site_account(site, "small@ex.org", "100");
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org small@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 1);
        g_assert_cmpuint(site_count(site, "small@ex.org"), ==, 0);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);
        g_autofree char *text = site_queue_text(site, &rows[0]);
        g_assert_nonnull(strstr(text, "Final-Recipient: rfc822; small@ex.org\r\nAction: failed\r\nStatus: 5.2.2\r\n"));
        g_assert_null(strstr(text, "joe@ex.org\r\nAction"));
        g_assert_cmpint(
                site_number(site, "SELECT count(*) FROM " TRACE_LINES " WHERE outcome = 'bounce' AND status = '5.2.2'"),
                ==, 1);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM " TRACE_LINES " WHERE status LIKE '4%'"), ==, 0);
        site_verify(site);
        /* and where no DSN may go, the postmaster gets it */
        g_assert_cmpint(site_send(site, "", "joe@ex.org small@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_count(site, "postmaster@ex.org"), ==, 1);
        site_verify(site);
}

static void
test_lmtp(Site *site, gconstpointer data)
{
        const QueueRow *rows;

        site->standing.origin = ORIGIN_LMTP;
        site_account(site, "small@ex.org", "100");
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");
        (void) site_rcpt(site, sub, "joe@ex.org");
        (void) site_rcpt(site, sub, "small@ex.org");
        (void) site_rcpt(site, sub, "ann@ex.org");
        site_data(sub, MESSAGE);
        site_accept(sub);
        g_assert_cmpint(intake_answer(sub, 0).verdict, ==, INTAKE_ACCEPTED);
        g_assert_cmpint(intake_answer(sub, 1).verdict, ==, INTAKE_DEFERRED);
        g_assert_cmpuint(intake_answer(sub, 1).status.code, ==, 452);
        g_assert_cmpint(intake_answer(sub, 2).verdict, ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_queue(site, &rows), ==, 0); /* the client was told: no DSN */
        g_assert_cmpuint(site_verify(site), ==, 2);
}

/* Bounces ---------------------------------------------------------------------------------------------------------- */

static void
check_bounce(Site *site, const char *sender, const char *message, guint dsns, guint to_postmaster)
{
        const QueueRow *rows;
        gsize dsns_before = site_queue(site, &rows);
        guint before = site_count(site, "postmaster@ex.org");

        g_assert_cmpint(site_send(site, sender, "nobody@ex.org", message), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_queue(site, &rows) - dsns_before, ==, dsns);
        g_assert_cmpuint(site_count(site, "postmaster@ex.org") - before, ==, to_postmaster);
        site_verify(site);
}

static void
test_bounce_policy(Site *site, gconstpointer data)
{
        site_domain_set(site, "ex.org", "unknown", "bounce");
        check_bounce(site, "a@b.example", MESSAGE, 1, 0);
        check_bounce(site, "A@B.example", MESSAGE, 0, 1); /* one a day */
        check_bounce(site, "", MESSAGE, 0, 1);
        check_bounce(site, "c@b.example", "Precedence: bulk\r\n" MESSAGE, 0, 1);
        check_bounce(site, "c@b.example", "List-Id: <l.b.example>\r\n" MESSAGE, 0, 1);
        check_bounce(site, "c@b.example", "Auto-Submitted: auto-replied\r\n" MESSAGE, 0, 1);
        check_bounce(site, "c@b.example", "X-Spam-Flag: YES\r\n" MESSAGE, 0, 1);
        check_bounce(site, "c@b.example", "Auto-Submitted: no\r\nPrecedence: normal\r\n" MESSAGE, 1, 0);
        check_bounce(site, "joe@ex.org", MESSAGE, 0, 0); /* the DSN of a sender here stays here */
        g_auto(GStrv) joe = site_inbox(site, "joe@ex.org");
        g_assert_true(g_str_has_prefix(joe[0], "Return-Path: <>\r\nDelivered-To: joe@ex.org\r\n"));
        g_assert_nonnull(strstr(joe[0], "Final-Recipient: rfc822; nobody@ex.org"));
}

static void
test_bounce_limit(Site *site, gconstpointer data)
{
        site_domain_set(site, "ex.org", "unknown", "bounce");
        for (guint i = 0; i < 22; i++) {
                g_autofree char *sender = g_strdup_printf("s%u@b%u.example", i, i);
                check_bounce(site, sender, MESSAGE, i < 20, i >= 20);
        }
}

/* Two at once pass the first look at the limits; the second finds out in the transaction. */
static void
test_bounce_limit_at_once(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const QueueRow *rows;
        Submission *subs[2];

        site_domain_set(site, "ex.org", "unknown", "bounce");
        for (guint i = 0; i < 2; i++) {
                subs[i] = site_begin(site, "a@b.example");
                (void) site_rcpt(site, subs[i], "nobody@ex.org");
                site_data(subs[i], MESSAGE);
        }
        g_assert_true(intake_accept(subs, 2, &error));
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);
        g_assert_cmpuint(site_count(site, "postmaster@ex.org"), ==, 1);
        for (guint i = 0; i < 2; i++) {
                g_assert_cmpint(intake_reply(subs[i]).verdict, ==, INTAKE_ACCEPTED);
                submission_free(subs[i]);
        }
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM bounce_sent"), ==, 1);
        site_verify(site);
}

static void
test_dsn_undeliverable(Site *site, gconstpointer data)
{
        const QueueRow *rows;

        site_domain(site, "b.org", "reject");
        site_domain_set(site, "ex.org", "unknown", "bounce");
        g_assert_cmpint(site_send(site, "ghost@b.org", "nobody@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_queue(site, &rows), ==, 0);
        g_auto(GStrv) inbox = site_inbox(site, "postmaster@ex.org");
        g_assert_cmpuint(g_strv_length(inbox), ==, 1);
        g_assert_nonnull(strstr(inbox[0], "To: <ghost@b.org>"));
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM trace WHERE origin = 'generated'"), ==, 1);
}

static void
test_discard(Site *site, gconstpointer data)
{
        site_domain_set(site, "ex.org", "unknown", "discard");
        g_assert_cmpint(site_send(site, "a@b.example", "nobody@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM " TRACE_LINES " WHERE outcome = 'discard' AND "
                                          "recipient = 'nobody@ex.org'"),
                        ==, 1);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM body"), ==, 0);
}

/* What fetch asks for ---------------------------------------------------------------------------------------------- */

static void
test_fetch_ways(Site *site, gconstpointer data)
{
        const QueueRow *rows;
        Address unknown = site_address(site, "nobody@ex.org");

        site->standing.origin = ORIGIN_FETCH;
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");
        g_assert_cmpint(intake_recipient_postmaster(sub, &unknown, "no recipient found").verdict, ==, INTAKE_ACCEPTED);
        site_data(sub, MESSAGE);
        site_accept(sub);
        g_assert_cmpuint(site_count(site, "postmaster@ex.org"), ==, 1);
        g_assert_cmpint(
                site_number(site, "SELECT count(*) FROM " TRACE_LINES " WHERE steps LIKE '%no recipient found%'"), ==,
                1);

        g_autoptr(Submission) bounced = site_begin(site, "a@b.example");
        g_assert_cmpint(
                intake_recipient_bounce(bounced, &unknown, STATUS(550, 5, 1, 1), "no such mailbox here").verdict, ==,
                INTAKE_ACCEPTED);
        site_data(bounced, MESSAGE);
        site_accept(bounced);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);

        g_autoptr(Submission) dropped = site_begin(site, "a@b.example");
        g_assert_cmpint(intake_recipient_discard(dropped, &unknown, "source says so").verdict, ==, INTAKE_ACCEPTED);
        site_data(dropped, MESSAGE);
        site_accept(dropped);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM " TRACE_LINES " WHERE outcome = 'discard'"), ==, 1);
        site_verify(site);
}

static gboolean
note_setting(DbTxn *txn, Submission *sub, gpointer data, GError **error)
{
        DB_SQL(NOTE,
               "INSERT INTO setting (name, value) VALUES (?, 'seen') ON CONFLICT (name) DO UPDATE SET value = 'again'");

        return db_run(txn, &NOTE, error, "s", (const char *) data) &&
               (strcmp(data, "fail") != 0 || fault(error, FAULT_INTERNAL, "on purpose"));
}

static void
test_batch(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        static const char *const NAMES[] = {"one", "two", "three"};
        Submission *subs[3];

        site_account(site, "small@ex.org", "100");
        for (guint i = 0; i < 3; i++) {
                subs[i] = site_begin(site, "a@b.example");
                (void) site_rcpt(site, subs[i], i == 1 ? "small@ex.org" : "joe@ex.org");
                site_data(subs[i], MESSAGE);
                intake_also(subs[i], note_setting, (gpointer) NAMES[i]);
        }
        g_assert_true(intake_accept(subs, 3, &error));
        g_assert_cmpint(intake_reply(subs[0]).verdict, ==, INTAKE_ACCEPTED);
        g_assert_cmpint(intake_reply(subs[1]).verdict, ==, INTAKE_DEFERRED);
        g_assert_cmpint(intake_reply(subs[2]).verdict, ==, INTAKE_ACCEPTED);
        for (guint i = 0; i < 3; i++)
                submission_free(subs[i]);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 2);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM setting WHERE value = 'seen'"), ==,
                        2); /* not of the one not taken */
        site_verify(site);
}

/* More recipients than one transaction takes: what is on disk stays answered when a later slice fails. */
static void
test_slices(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Submission *subs[3];

        for (guint i = 0; i < 3; i++) {
                subs[i] = site_begin(site, "a@b.example");
                for (guint j = 0; j < 300; j++)
                        (void) site_rcpt(site, subs[i], i == 1 ? "ann@ex.org" : "joe@ex.org");
                site_data(subs[i], MESSAGE);
                intake_also(subs[i], note_setting, (gpointer) (i == 1 ? "fail" : "fine"));
        }
        g_assert_true(intake_accept(subs, 3, &error));
        g_assert_no_error(error);
        g_assert_cmpint(intake_reply(subs[0]).verdict, ==, INTAKE_ACCEPTED);
        g_assert_cmpint(intake_reply(subs[1]).verdict, ==, INTAKE_FAILED);
        g_assert_cmpint(intake_answer(subs[2], 299).verdict, ==, INTAKE_FAILED);
        for (guint i = 0; i < 3; i++)
                submission_free(subs[i]);
        g_assert_cmpuint(site_verify(site), ==, 1);
}

static void
test_also_fails(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Submission) sub = site_begin(site, "a@b.example");

        (void) site_rcpt(site, sub, "joe@ex.org");
        site_data(sub, MESSAGE);
        intake_also(sub, note_setting, (gpointer) "fail");
        g_assert_false(intake_accept(&sub, 1, &error));
        g_assert_error(error, RESTANTE_ERROR, FAULT_INTERNAL);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM setting"), ==, 0);
        g_assert_cmpint(site_number(site, "SELECT count(*) FROM trace"), ==, 0);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 0);
        site_verify(site);
}

static void
test_counted_bouncer(Site *site, gconstpointer data)
{
        const KeyValue pairs[] = {{"after", "2"}};

        SITE_CHANGE(site, directory_bouncer_add(site->directory, txn, "joe@ex.org", pairs, 1, NULL));
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org", MESSAGE), ==, INTAKE_REFUSED);
}

/* What is decided at RCPT is kept only while nothing changes: a new alias, a policy, a bouncer that another message
 * closes. */
static void
test_changed_since_rcpt(Site *site, gconstpointer data)
{
        const KeyValue pairs[] = {{"after", "1"}};

        g_autoptr(Submission) moved = site_begin(site, "a@b.example");
        g_assert_cmpint(site_rcpt(site, moved, "joe@ex.org").verdict, ==, INTAKE_ACCEPTED);
        site_data(moved, MESSAGE);
        site_alias(site, "joe@ex.org", "ann@ex.org", NULL);
        site_accept(moved);
        g_assert_cmpint(intake_reply(moved).verdict, ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 0);
        g_assert_cmpuint(site_count(site, "ann@ex.org"), ==, 1);

        SITE_CHANGE(site, directory_bouncer_add(site->directory, txn, "ann@ex.org", pairs, 1, NULL));
        g_autoptr(Submission) late = site_begin(site, "a@b.example");
        g_assert_cmpint(site_rcpt(site, late, "ann@ex.org").verdict, ==, INTAKE_ACCEPTED);
        site_data(late, MESSAGE);
        g_assert_cmpint(site_send(site, "a@b.example", "ann@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        site_accept(late);
        g_assert_cmpint(intake_reply(late).verdict, ==, INTAKE_REFUSED);
        g_assert_cmpuint(site_count(site, "ann@ex.org"), ==, 2);
}

/* Durability ------------------------------------------------------------------------------------------------------- */

static void
test_kept(Site *site, gconstpointer data)
{
        for (guint i = 0; i < 20; i++) {
                g_autofree char *text = g_strdup_printf("Subject: %u\r\n\r\n", i);
                g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org", text), ==, INTAKE_ACCEPTED);
                Submission *never = site_begin(site, "a@b.example"); /* dropped in the middle */
                (void) site_rcpt(site, never, "joe@ex.org");
                site_data(never, text);
                submission_free(never);
                if (i % 5 == 0)
                        site_reopen(site);
        }
        site_reopen(site);
        g_auto(GStrv) inbox = site_inbox(site, "joe@ex.org");
        g_assert_cmpuint(g_strv_length(inbox), ==, 20);
        for (guint i = 0; i < 20; i++) {
                g_autofree char *subject = g_strdup_printf("\r\nSubject: %u\r\n\r\n", i);
                g_assert_true(g_str_has_suffix(inbox[i], subject));
        }
        g_assert_cmpuint(site_verify(site), ==, 20);
}

typedef struct Sender {
        Site *site;
        guint accepted;
} Sender;

/* To two accounts, one of them small, and to nobody under the policy `bounce`. */
static void
send_many(gpointer data)
{
        Sender *sender = data;
        const IntakeOrigin origin = {
                .standing = {.origin = ORIGIN_STRANGER}, .protocol = "ESMTP", .client = "192.0.2.1"};
        const Address from = {span_of("a"), span_of("b.example")}, domain = {SPAN_EMPTY, span_of("ex.org")};
        static const char *const NAMES[] = {"joe", "small", "nobody"};

        for (guint i = 0; i < 25; i++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(Submission) sub = intake_begin(sender->site->intake, &origin, &from, 0, &error);
                for (guint j = 0; j < G_N_ELEMENTS(NAMES); j++) {
                        const Address to = {span_of(NAMES[j]), domain.domain};
                        g_assert_cmpint(intake_recipient(sub, &to).verdict, ==, INTAKE_ACCEPTED);
                }
                site_data(sub, MESSAGE);
                g_assert_true(intake_accept(&sub, 1, &error));
                sender->accepted += intake_reply(sub).verdict == INTAKE_ACCEPTED;
        }
}

static void
test_at_once(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const QueueRow *rows;
        Sender senders[8];
        Thread *threads[G_N_ELEMENTS(senders)];

        site_account(site, "small@ex.org", "5000");
        site_domain_set(site, "ex.org", "unknown", "bounce");
        for (guint i = 0; i < G_N_ELEMENTS(senders); i++) {
                senders[i] = (Sender){.site = site};
                threads[i] = thread_new("sender", send_many, &senders[i], &error);
        }
        for (guint i = 0; i < G_N_ELEMENTS(senders); i++) {
                thread_take_join(threads[i]);
                g_assert_cmpuint(senders[i].accepted, ==, 25);
        }
        g_assert_cmpuint(site_count(site, "joe@ex.org"), ==, 200);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1); /* one DSN a day */
        guint small = site_count(site, "small@ex.org");
        g_assert_cmpuint(small, >, 10);
        g_assert_cmpuint(small, <, 40);
        g_assert_cmpint(site_number(site, "SELECT max(octets) FROM mailbox WHERE messages < 100"), <=, 5000);
        g_assert_cmpuint(site_count(site, "postmaster@ex.org"), ==, 199);
        site_verify(site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/intake/" path, Site, NULL, site_init, fn, site_done)
        ADD("delivery/Return-Path, Delivered-To, Received, then the message as sent RFC 5321 §4.4", test_delivery);
        ADD("delivery/no copy names another recipient RFC 5321 §7.2", test_for_clause);
        ADD("delivery/recipients of one mailbox get one copy, all traced", test_merged);
        ADD("delivery/incoming Return-Path and others' Delivered-To are not shown", test_fields_cut);
        ADD("delivery/a sub-address reaches its folder where there is one RFC 5233", test_subaddress);
        ADD("delivery/a hundred recipients share one body", test_hundred);
        ADD("odd/headless, empty, cut off, bare LF", test_odd_messages);
        ADD("odd/NULs and a line of 1 MB", test_nuls_and_long_line);
        ADD("odd/too many hops, fields and cuts RFC 5321 §6.3", test_limits);
        ADD("odd/too large RFC 1870 §6.3", test_too_large);
        ADD("rcpt/unknown, abroad, bare postmaster RFC 5321 §4.5.1", test_rcpt);
        ADD("rcpt/too many RFC 5321 §4.5.3.1.10", test_too_many_recipients);
        ADD("catch-all/a copy a recipient, with only our envelope header", test_catch_all);
        ADD("queue/a copy sent on has one Received of its own", test_relay);
        ADD("queue/our own token for the same recipient is a loop", test_loop);
        ADD("queue/a deferred member is tried again", test_local_retry);
        ADD("queue/what waited too long is reported", test_local_expires);
        ADD("quota/alone: 452 4.2.2, nothing kept", test_quota_alone);
        ADD("quota/among others: a DSN, or the postmaster", test_quota_among_others);
        ADD("quota/LMTP answers each RFC 2033 §4.2", test_lmtp);
        ADD("bounce/only where it can't hit a third party RFC 3834 §2", test_bounce_policy);
        ADD("bounce/twenty an hour", test_bounce_limit);
        ADD("bounce/limits hold for two at once", test_bounce_limit_at_once);
        ADD("bounce/a DSN that can't be delivered ends at the postmaster RFC 3461 §6.2", test_dsn_undeliverable);
        ADD("discard is traced", test_discard);
        ADD("fetch/postmaster, bounce, discard", test_fetch_ways);
        ADD("batch/one refused message holds up no other", test_batch);
        ADD("batch/slices of many recipients", test_slices);
        ADD("at once/quotas, limits and counts hold", test_at_once);
        ADD("also/its failure keeps nothing", test_also_fails);
        ADD("bouncer/counts messages", test_counted_bouncer);
        ADD("rcpt/a decision does not outlive what it was made from", test_changed_since_rcpt);
        ADD("what was accepted is there after opening again", test_kept);
        return g_test_run();
}

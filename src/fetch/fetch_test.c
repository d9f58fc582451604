/* fetch_test.c -- sources, sessions with a provider that has faults, and what is then in the mailboxes. */
#include "fetch/fetch.h"

#include "fetch/provider_test.h"
#include "intake/fixture.h"

#include <signal.h>

#define RECEIVED "Received: from x by mx.prov with ESMTP id 1; Thu, 1 Jan 2026 00:00:00 +0000\r\n"

typedef struct House {
        Site site;
        Provider provider;
        Fetch *fetch;
        GString *reports; /* "outcome [reason];" of each message */
} House;

static const guint16 OWN_PORTS[] = {2110, 0};

static void
house_open(House *h)
{
        static const guint8 KEY[32] = "another key of thirty-two octets";
        const FetchSettings settings = {.hostname = "mx.ex.org",
                                        .is_loopback_site = TRUE,
                                        .seal_key = span_make(KEY, sizeof(KEY)),
                                        .own_ports = OWN_PORTS,
                                        .max_size = 10 * 1024 * 1024};
        g_autoptr(GError) error = NULL;

        h->fetch = fetch_new(h->site.db, h->site.directory, h->site.router, h->site.intake, &settings, &error);
        g_assert_no_error(error);
}

static void
house_init(House *h, gconstpointer data)
{
        site_init(&h->site, NULL);
        provider_start(&h->provider);
        h->reports = g_string_new(NULL);
        house_open(h);
}

static void
house_done(House *h, gconstpointer data)
{
        fetch_free(h->fetch);
        provider_stop(&h->provider);
        g_string_free(h->reports, TRUE);
        site_done(&h->site, NULL);
}

/* Pairs in one string, divided by '|'. NULL as password: unchanged, or none. */
static Change
source_change(House *h, gboolean is_new, const char *name, const char *text, const char *password, GError **error)
{
        g_auto(GStrv) parts = g_strsplit(text, "|", 0);
        KeyValue pairs[24];
        gsize n = 0;

        for (char **part = parts; *part != NULL && **part != '\0'; part++) {
                char *equals = strchr(*part, '=');
                *equals = '\0';
                pairs[n++] = (KeyValue){*part, equals + 1};
        }
        g_autoptr(DbTxn) txn = db_begin(h->site.db, error);
        g_assert_nonnull(txn);
        Change answer = is_new ? fetch_source_add(h->fetch, txn, name, pairs, n, password, error)
                               : fetch_source_set(h->fetch, txn, name, pairs, n, password, error);
        if (answer == CHANGE_DONE)
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), error), ==, DB_COMMITTED);
        return answer;
}

/* The source S of ROUTING §9, with more pairs. */
static void
source_add(House *h, const char *more)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text =
                g_strdup_printf("host=127.0.0.1|port=%u|tls=none|user=all@ex.org|%s", h->provider.port, more);

        g_assert_cmpint(source_change(h, TRUE, "s", text, "secret", &error), ==, CHANGE_DONE);
        g_assert_no_error(error);
}

#define MULTIDROP "domains=ex.org|recipe=header X-Envelope-To"

static void
source_set(House *h, const char *text)
{
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(source_change(h, FALSE, "s", text, NULL, &error), ==, CHANGE_DONE);
        g_assert_no_error(error);
}

static void
note_report(const FetchReport *report, gpointer data)
{
        House *h = data;

        g_string_append_printf(h->reports, "%s%s%s;", report->outcome, report->reason != NULL ? ": " : "",
                               report->reason != NULL ? report->reason : "");
}

static FetchSummary
run(House *h)
{
        g_autoptr(GError) error = NULL;
        FetchSummary summary;

        g_string_truncate(h->reports, 0);
        g_assert_cmpint(fetch_run(h->fetch, "s", note_report, h, &summary, &error), ==, FETCH_DONE);
        g_assert_no_error(error);
        provider_rest(&h->provider);
        return summary;
}

static char *
run_fails(House *h)
{
        g_autoptr(GError) error = NULL;
        FetchSummary summary;

        g_string_truncate(h->reports, 0);
        g_assert_cmpint(fetch_run(h->fetch, "s", note_report, h, &summary, &error), ==, FETCH_FAILED);
        g_assert_nonnull(error);
        provider_rest(&h->provider);
        return g_strdup(error->message);
}

/* A message for one recipient, written by the provider above its Received line. */
static void
put_mail(House *h, const char *uidl, const char *recipient, const char *subject)
{
        g_autofree char *text =
                g_strdup_printf("Return-Path: <a@b.example>\r\nX-Envelope-To: %s\r\n" RECEIVED
                                "From: a@b.example\r\nTo: list@b.example\r\nSubject: %s\r\n\r\nbody of %s\r\n",
                                recipient, subject, subject);

        provider_put(&h->provider, uidl, text);
}

static const SourceRow *
show(House *h)
{
        g_autoptr(GError) error = NULL;
        const SourceRow *rows;
        gsize n;

        g_assert_true(fetch_sources(h->fetch, h->site.arena, "s", &rows, &n, &error));
        g_assert_cmpuint(n, ==, 1);
        return rows;
}

static const char *
shown(const SourceRow *row, const char *key)
{
        for (gsize i = 0; i < row->n_pairs; i++)
                if (strcmp(row->pairs[i].key, key) == 0)
                        return row->pairs[i].value;
        return NULL;
}

DB_SQL(COUNT_SEEN, "SELECT count(*) FROM source_seen");
DB_SQL(SECRET, "SELECT length(secret) FROM source");

static gint64
ask_int(House *h, const DbSql *sql)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(h->site.db, &error);
        gint64 n = -1;

        g_assert_cmpint(db_get_int(txn, sql, &n, &error, ""), ==, DB_ROW);
        return n;
}

/* Sources ---------------------------------------------------------------------------------------------------------- */

static void
test_source_changes(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        source_add(h, MULTIDROP "|recipe=header Delivered-To prefix=ex.org|poll=60|keep=7|max-size=1000,headers");
        g_assert_cmpstr(shown(show(h), "host"), ==, "127.0.0.1");
        g_assert_cmpstr(shown(show(h), "keep"), ==, "7");
        g_assert_cmpstr(shown(show(h), "recipe"), ==, "header X-Envelope-To");
        g_assert_cmpint(ask_int(h, &SECRET), ==, 24 + 6 + 16); /* sealed: nonce, octets, tag */

        source_set(h, "keep=|recipe=header X-Rcpt-To|hops=1");
        g_assert_cmpstr(shown(show(h), "keep"), ==, "off");
        g_assert_cmpstr(shown(show(h), "recipe"), ==, "header X-Rcpt-To");
        g_assert_cmpstr(shown(show(h), "hops"), ==, "1");
        source_set(h, "owner=joe@ex.org"); /* from many addressees to one */
        g_assert_null(shown(show(h), "domains"));
        g_assert_null(shown(show(h), "recipe"));
        source_set(h, "domains=ex.org|recipe=guess to");
        g_assert_null(shown(show(h), "owner"));

        g_assert_cmpint(source_change(h, TRUE, "s", "host=x", "secret", &error), ==, CHANGE_EXISTS);
        g_assert_cmpint(source_change(h, FALSE, "other", "poll=60", NULL, &error), ==, CHANGE_MISSING);
        SITE_CHANGE(&h->site, fetch_source_remove(h->fetch, txn, "s", NULL));
        g_autoptr(DbTxn) txn = db_begin(h->site.db, &error);
        g_assert_cmpint(fetch_source_remove(h->fetch, txn, "s", &error), ==, CHANGE_MISSING);
}

static void
test_default_ports(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(source_change(h, TRUE, "s", "host=mail.example|user=u|owner=joe@ex.org", "p", &error), ==,
                        CHANGE_DONE);
        g_assert_cmpstr(shown(show(h), "port"), ==, "995");
        source_set(h, "tls=starttls");
        g_assert_cmpstr(shown(show(h), "port"), ==, "110");
        source_set(h, "port=1110");
        source_set(h, "tls=strict");
        g_assert_cmpstr(shown(show(h), "port"), ==, "1110");
}

/* What is wrong is said, with what would be right; nothing is kept. */
static void
test_source_refusals(House *h, gconstpointer data)
{
        static const char *const GOOD = "host=127.0.0.1|port=3110|tls=none|user=u|owner=joe@ex.org";
        static const char *const WRONG[][2] = {
                {"colour=red", "it has type, host, port"},
                {"type=imap", "not yet"},
                {"type=odmr", "not yet"},
                {"type=nntp", "pop3"},
                {"host=", "host= is missing"},
                {"host=a b", "host name"},
                {"host=[127.0.0.1]", "host name"},
                {"user=", "user= is missing"},
                {"port=0", "1 to 65535"},
                {"port=65536", "1 to 65535"},
                {"tls=maybe", "strict, starttls or none"},
                {"host=mail.example", "allow-plaintext=yes"},
                {"allow-plaintext=perhaps", "yes or no"},
                {"port=2110", "this very server"},
                {"host=localhost|port=2110", "this very server"},
                {"host=127.9.9.9|port=2110", "this very server"},
                {"host=::1|port=2110", "this very server"},
                {"host=MX.ex.org|port=2110|allow-plaintext=yes", "this very server"},
                {"poll=9", "10 to 604800"},
                {"poll=soon", "10 to 604800"},
                {"folders=INBOX", "no folders"},
                {"owner=", "either owner="},
                {"domains=ex.org|recipe=guess to|owner=ann@ex.org", "not both"},
                {"owner=joe", "LOCAL@DOMAIN"},
                {"owner=nobody@ex.org", "no such account"},
                {"recipe=guess to", "owner="},
                {"owner=|domains=ex.org", "recipe= is missing"},
                {"owner=|domains=ex.org|recipe=header", "wants the name"},
                {"owner=|domains=a b|recipe=guess to", "REMOTE:LOCAL"},
                {"owner=|domains=ex.org,|recipe=guess to", "REMOTE:LOCAL"},
                {"owner=|domains=a.org:|recipe=guess to", "REMOTE:LOCAL"},
                {"hops=21", "0 to 20"},
                {"max-recipients=0", "1 to 100"},
                {"unknown=reject", "policy"},
                {"fallback=nobody", "LOCAL@DOMAIN"},
                {"foreign=deliver", "ignore or postmaster"},
                {"keep=0", "number of days"},
                {"keep=sometimes", "number of days"},
                {"max-size=big", "octets"},
                {"max-size=0", "octets"},
                {"max-size=10,burn", "octets"},
                {"user=a\nb", "one line"},
        };
        g_autoptr(GError) none = NULL, no_password = NULL, bad_name = NULL;

        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_autofree char *text = g_strconcat(GOOD, "|", WRONG[i][0], NULL);
                g_autoptr(GError) error = NULL;

                g_assert_cmpint(source_change(h, TRUE, "s", text, "secret", &error), ==, CHANGE_INVALID);
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
                if (strstr(error->message, WRONG[i][1]) == NULL)
                        g_error("%s: %s", WRONG[i][0], error->message);
        }
        g_assert_cmpint(source_change(h, TRUE, "s", GOOD, NULL, &no_password), ==, CHANGE_INVALID);
        g_assert_cmpint(source_change(h, TRUE, "../s", GOOD, "p", &bad_name), ==, CHANGE_INVALID);
        g_assert_cmpint(source_change(h, TRUE, "s", GOOD, "p", &none), ==, CHANGE_DONE);
}

static void
test_secret_is_bound(House *h, gconstpointer data)
{
        DB_SQL(MOVE, "UPDATE source SET secret = (SELECT secret FROM source WHERE name = 's') WHERE name = 't'");
        g_autoptr(GError) error = NULL;
        g_autofree char *text =
                g_strdup_printf("host=127.0.0.1|port=%u|tls=none|user=u|owner=joe@ex.org", h->provider.port);
        FetchSummary summary;

        source_add(h, "owner=joe@ex.org");
        g_assert_cmpint(source_change(h, TRUE, "t", text, "other", &error), ==, CHANGE_DONE);
        g_autoptr(DbTxn) txn = db_begin(h->site.db, &error);
        g_assert_true(db_run(txn, &MOVE, &error, ""));
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        g_assert_cmpint(fetch_run(h->fetch, "t", NULL, NULL, &summary, &error), ==, FETCH_FAILED);
        g_assert_nonnull(strstr(error->message, "does not open"));
        g_assert_cmpuint(h->provider.n_passes, ==, 0);
}

/* Where mail goes -------------------------------------------------------------------------------------------------- */

static void
test_each_to_his_own(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP);
        put_mail(h, "1", "joe@ex.org", "one");
        put_mail(h, "2", "ann@ex.org", "two");
        put_mail(h, "3", "sales@ex.org", "three");
        FetchSummary s = run(h);

        g_assert_cmpuint(s.seen, ==, 3);
        g_assert_cmpuint(s.fetched, ==, 3);
        g_assert_cmpuint(s.deleted, ==, 3);
        g_assert_cmpuint(s.left, ==, 0);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
        g_auto(GStrv) joe = site_inbox(&h->site, "joe@ex.org");
        g_auto(GStrv) ann = site_inbox(&h->site, "ann@ex.org");
        g_assert_cmpuint(g_strv_length(joe), ==, 2);
        g_assert_cmpuint(g_strv_length(ann), ==, 1);
        g_assert_true(g_str_has_prefix(ann[0], "Return-Path: <a@b.example>\r\nDelivered-To: ann@ex.org\r\n"));
        g_assert_nonnull(strstr(ann[0], "body of two"));
        g_assert_null(strstr(ann[0], "joe"));
        g_assert_cmpstr(h->reports->str, ==, "deliver joe@ex.org;deliver ann@ex.org;expand;");
        g_assert_cmpint(ask_int(h, &COUNT_SEEN), ==, 3);
        (void) run(h);
        g_assert_cmpint(ask_int(h, &COUNT_SEEN), ==, 0); /* the listing shows them no more */
}

static void
test_owner_takes_all(House *h, gconstpointer data)
{
        source_add(h, "owner=joe@ex.org");
        put_mail(h, "1", "ann@ex.org", "one");
        put_mail(h, "2", "nobody@other.org", "two");
        provider_put(&h->provider, "3", "no header at all\r\n");
        g_assert_cmpuint(run(h).fetched, ==, 3);
        g_assert_cmpuint(site_count(&h->site, "joe@ex.org"), ==, 3);
        g_assert_cmpuint(site_count(&h->site, "ann@ex.org"), ==, 0);
}

typedef struct FateCase {
        const char *more, *recipient; /* settings; what the provider wrote */
        const char *outcome;          /* beginning of the report */
        guint postmaster;             /* copies there */
        gboolean stays;               /* at the provider */
} FateCase;

static const FateCase FATES[] = {
        {MULTIDROP, "nobody@ex.org", "postmaster: nobody has the address nobody@ex.org", 1, FALSE},
        {MULTIDROP "|unknown=discard", "nobody@ex.org", "discard", 0, FALSE},
        {MULTIDROP "|unknown=leave", "nobody@ex.org", "left: nobody has", 0, TRUE},
        {MULTIDROP "|unknown=policy", "nobody@ex.org", "bounce", 0, FALSE},
        {MULTIDROP, "victim@other.org", "postmaster: X-Envelope-To names victim@other.org", 1, FALSE},
        {MULTIDROP "|fallback=leave", "victim@other.org", "left: X-Envelope-To names", 0, TRUE},
        {MULTIDROP "|fallback=leave|foreign=postmaster", "victim@other.org", "postmaster", 1, FALSE},
        {MULTIDROP "|fallback=ann@ex.org", "garbage", "deliver ann@ex.org: X-Envelope-To holds no address", 0, FALSE},
        {MULTIDROP, "joe@ex.org, ann@ex.org", "postmaster: more than 1 recipients", 1, FALSE},
        {MULTIDROP "|max-recipients=9", "joe@ex.org, ann@ex.org", "deliver joe@ex.org, deliver ann@ex.org", 0, FALSE},
        {MULTIDROP "|max-recipients=9|unknown=leave", "joe@ex.org, nobody@ex.org", "deliver joe@ex.org, postmaster", 1,
         FALSE},
        {"domains=remote.example:ex.org|recipe=header X-Envelope-To", "joe@remote.example", "deliver joe@ex.org", 0,
         FALSE},
        {"domains=remote.example:nowhere.example|recipe=header X-Envelope-To", "joe@remote.example",
         "postmaster: relaying denied", 1, FALSE},
        {MULTIDROP "|hops=1", "joe@ex.org", "postmaster: fewer than 2 Received lines", 1, FALSE},
        {MULTIDROP "|unknown=policy", "burnt@ex.org", "bounce", 0, FALSE},
        {MULTIDROP, "burnt@ex.org", "bounce", 0, FALSE},
};

static void
test_fates(House *h, gconstpointer data)
{
        guint postmaster = 0;

        SITE_CHANGE(&h->site, directory_bouncer_add(h->site.directory, txn, "burnt@ex.org", NULL, 0, NULL));
        for (gsize i = 0; i < G_N_ELEMENTS(FATES); i++) {
                const FateCase *c = &FATES[i];
                g_autofree char *uidl = g_strdup_printf("u%zu", i);

                source_add(h, c->more);
                put_mail(h, uidl, c->recipient, uidl);
                FetchSummary s = run(h);
                if (!g_str_has_prefix(h->reports->str, c->outcome))
                        g_error("%s, %s: %s", c->more, c->recipient, h->reports->str);
                guint there = site_count(&h->site, "postmaster@ex.org");
                if (strcmp(c->outcome, "bounce") != 0) /* whose guard decides between a DSN and the postmaster */
                        g_assert_cmpuint(there, ==, postmaster + c->postmaster);
                postmaster = there;
                g_assert_cmpuint(s.fetched, ==, !c->stays);
                g_assert_cmpuint(s.left, ==, c->stays);
                g_assert_cmpuint(h->provider.mail->len, ==, c->stays);
                g_ptr_array_set_size(h->provider.mail, 0);
                SITE_CHANGE(&h->site, fetch_source_remove(h->fetch, txn, "s", NULL));
        }
        const QueueRow *rows;
        gsize n = site_queue(&h->site, &rows);
        for (gsize i = 0; i < n; i++) /* nothing but DSNs to the sender leaves */
                g_assert_cmpstr(rows[i].recipient, ==, "a@b.example");
}

/* The catch-all of the domain decides only where the source leaves it to the domain. */
static void
test_domain_policy(House *h, gconstpointer data)
{
        site_domain_set(&h->site, "ex.org", "unknown", "deliver:ann@ex.org");
        source_add(h, MULTIDROP);
        put_mail(h, "1", "nobody@ex.org", "one");
        (void) run(h);
        g_assert_cmpuint(site_count(&h->site, "postmaster@ex.org"), ==, 1);
        source_set(h, "unknown=policy");
        put_mail(h, "2", "nobody@ex.org", "two");
        (void) run(h);
        g_assert_cmpuint(site_count(&h->site, "postmaster@ex.org"), ==, 1);
        g_auto(GStrv) ann = site_inbox(&h->site, "ann@ex.org");
        g_assert_cmpuint(g_strv_length(ann), ==, 1);
        g_assert_nonnull(strstr(ann[0], "X-Rcpt-To: nobody@ex.org\r\n"));
}

/* ROUTING §9: no header, only NULs (a dot for them here), a 1 MB line, bare LF, no final newline. */
static void
test_odd_messages(House *h, gconstpointer data)
{
        g_autofree char *line = g_strnfill(1 << 20, 'x');
        g_autofree char *long_line = g_strconcat("X-Envelope-To: joe@ex.org\r\n" RECEIVED "\r\n", line, "\r\n", NULL);
        g_autofree char *long_header = g_strconcat("X-A: ", line, "\r\n", RECEIVED "\r\nb\r\n", NULL);
        g_autoptr(GString) fields = g_string_new(NULL);
        static const char *const ODD[] = {"",      "\r\n",        "only a body\r\n", "X: y",
                                          ".\r\n", "..\r\n.\r\n", "a\nb\n\nc\n",     "\r\r\r"};

        for (guint i = 0; i < 10000; i++)
                g_string_append_printf(fields, "F%u: x\r\n", i);
        source_add(h, MULTIDROP);
        for (gsize i = 0; i < G_N_ELEMENTS(ODD); i++) {
                g_autofree char *uidl = g_strdup_printf("odd%zu", i);
                provider_put(&h->provider, uidl, ODD[i]);
        }
        provider_put(&h->provider, "line", long_line);
        provider_put(&h->provider, "header", long_header);
        provider_put(&h->provider, "fields", fields->str);
        put_mail(h, "last", "ann@ex.org", "the next ones go on");
        g_assert_cmpuint(run(h).fetched, ==, G_N_ELEMENTS(ODD) + 4);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
        g_assert_cmpuint(site_count(&h->site, "postmaster@ex.org"), ==, G_N_ELEMENTS(ODD) + 2);
        g_assert_cmpuint(site_count(&h->site, "joe@ex.org"), ==, 1);
        g_assert_cmpuint(site_count(&h->site, "ann@ex.org"), ==, 1);
        (void) site_verify(&h->site);
}

/* Nothing is lost, nothing doubled -----------------------------------------------------------------------------------
 */

static void
put_many(House *h, guint n)
{
        for (guint i = 0; i < n; i++) {
                g_autofree char *uidl = g_strdup_printf("m%u", i);
                put_mail(h, uidl, i % 2 == 0 ? "joe@ex.org" : "ann@ex.org", uidl);
        }
}

static void
assert_each_once(House *h, guint n)
{
        g_assert_cmpuint(site_count(&h->site, "joe@ex.org"), ==, (n + 1) / 2);
        g_assert_cmpuint(site_count(&h->site, "ann@ex.org"), ==, n / 2);
        g_assert_cmpuint(site_count(&h->site, "postmaster@ex.org"), ==, 0);
        g_assert_cmpuint(site_verify(&h->site), ==, n);
}

/* Over several batches and more than one window, pipelined and in lock-step. */
static void
test_batches(House *h, gconstpointer data)
{
        h->provider.no_pipelining = GPOINTER_TO_INT(data);
        source_add(h, MULTIDROP);
        put_many(h, 300);
        FetchSummary s = run(h);
        g_assert_cmpuint(s.fetched, ==, 300);
        g_assert_cmpuint(s.deleted, ==, 300);
        g_assert_cmpuint(h->provider.n_retr, ==, 300);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
        assert_each_once(h, 300);
}

typedef struct Break {
        const char *title;
        int in_retr;
        gboolean at_dele, at_quit, lose_quit_reply, forgets, no_top, no_pipelining, no_uidl;
} Break;

/* Each breaks the first session somewhere else; the second must finish it. */
static const Break BREAKS[] = {
        {"in the first RETR", .in_retr = 1},
        {"in the 70th RETR", .in_retr = 70},
        {"in the 70th RETR, lock-step", .in_retr = 70, .no_pipelining = TRUE},
        {"in the 70th RETR, no UIDL", .in_retr = 70, .no_uidl = TRUE},
        {"at the first DELE", .at_dele = TRUE},
        {"at the first DELE, no TOP", .at_dele = TRUE, .no_top = TRUE},
        {"at the first DELE, no UIDL", .at_dele = TRUE, .no_uidl = TRUE},
        {"at the first DELE, no UIDL, no TOP", .at_dele = TRUE, .no_uidl = TRUE, .no_top = TRUE},
        {"at QUIT, nothing deleted", .at_quit = TRUE},
        {"at QUIT, nothing deleted, no TOP, lock-step", .at_quit = TRUE, .no_top = TRUE, .no_pipelining = TRUE},
        {"before QUIT's reply", .lose_quit_reply = TRUE},
        {"+OK to QUIT, but nothing deleted", .forgets = TRUE},
};

static void
test_break(House *h, const Break *b)
{
        g_autoptr(GError) ignored = NULL;
        FetchSummary s;

        source_add(h, MULTIDROP);
        put_many(h, 100);
        Provider *p = &h->provider;
        p->no_top = b->no_top;
        p->no_pipelining = b->no_pipelining;
        p->no_uidl = b->no_uidl;
        p->close_in_retr = b->in_retr;
        p->close_at_dele = b->at_dele;
        p->close_at_quit = b->at_quit;
        p->lose_quit_reply = b->lose_quit_reply;
        p->forget_to_delete = b->forgets;
        (void) !fetch_run(h->fetch, "s", note_report, h, &s, &ignored);
        provider_rest(p);
        p->close_in_retr = 0;
        p->close_at_dele = p->close_at_quit = p->lose_quit_reply = p->forget_to_delete = FALSE;
        guint before = p->n_retr;
        s = run(h);
        if (!b->no_top && b->in_retr == 0) /* what is here is known by its TOP: nothing is fetched twice */
                g_assert_cmpuint(p->n_retr, ==, b->at_dele ? 100 : before);
        if (p->mail->len > 0)
                g_error("%s: %u left there", b->title, p->mail->len);
        assert_each_once(h, 100);
        (void) run(h);
        g_assert_cmpint(ask_int(h, &COUNT_SEEN), ==, 0);
}

static void
test_breaks(House *h, gconstpointer data)
{
        for (gsize i = 0; i < G_N_ELEMENTS(BREAKS); i++) {
                House other;

                house_init(&other, NULL);
                test_break(&other, &BREAKS[i]);
                house_done(&other, NULL);
        }
}

/* A unique-id that comes again with another message is a new message: by its size, or by its header alone. */
static void
test_reused_uidl(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP);
        h->provider.forget_to_delete = TRUE;
        put_mail(h, "1", "joe@ex.org", "one");
        put_mail(h, "2", "joe@ex.org", "two");
        (void) run(h);
        g_ptr_array_set_size(h->provider.mail, 0);
        put_mail(h, "1", "joe@ex.org", "longer");
        put_mail(h, "2", "joe@ex.org", "six");
        h->provider.forget_to_delete = FALSE;
        g_assert_cmpuint(run(h).fetched, ==, 2);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
        g_assert_cmpuint(site_count(&h->site, "joe@ex.org"), ==, 4);
}

/* Doubled and missing unique-ids: each message once, be they alike to the last octet. */
static void
test_doubled_uidls(House *h, gconstpointer data)
{
        h->provider.no_uidl = GPOINTER_TO_INT(data);
        source_add(h, MULTIDROP);
        for (guint i = 0; i < 3; i++) {
                put_mail(h, "same", "joe@ex.org", "alike");
                put_mail(h, "same", "ann@ex.org", "other");
        }
        h->provider.close_at_quit = TRUE;
        g_assert_cmpuint(run(h).fetched, ==, 6);
        put_mail(h, "same", "joe@ex.org", "alike");
        h->provider.close_at_quit = FALSE;
        g_assert_cmpuint(run(h).fetched, ==, 1);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
        g_assert_cmpuint(site_count(&h->site, "joe@ex.org"), ==, 4);
        g_assert_cmpuint(site_count(&h->site, "ann@ex.org"), ==, 3);
}

/* A server that writes Status fields when a message was read, so that header and size... differ only in what does not
 * count. */
static void
test_volatile_fields(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP);
        h->provider.close_at_quit = TRUE;
        provider_put(&h->provider, "1",
                     "X-Envelope-To: joe@ex.org\r\n" RECEIVED
                     "Status: O\r\nX-UIDL: aaaa\r\n bbbb\r\nS: x\r\n\r\nb\r\n");
        (void) run(h);
        g_ptr_array_set_size(h->provider.mail, 0);
        provider_put(&h->provider, "1",
                     "X-Envelope-To: joe@ex.org\r\n" RECEIVED
                     "Status: R\r\nX-UIDL: cccc\r\n dddd\r\nS: x\r\n\r\nb\r\n");
        h->provider.close_at_quit = FALSE;
        g_assert_cmpuint(run(h).fetched, ==, 0);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
        g_assert_cmpuint(site_count(&h->site, "joe@ex.org"), ==, 1);
}

/* keep, max-size, what stays ------------------------------------------------------------------------------------------
 */

static void
test_keep_forever(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP "|keep=forever");
        put_many(h, 5);
        g_assert_cmpuint(run(h).fetched, ==, 5);
        put_mail(h, "new", "ann@ex.org", "new");
        FetchSummary s = run(h);
        g_assert_cmpuint(s.fetched, ==, 1);
        g_assert_cmpuint(s.deleted, ==, 0);
        g_assert_cmpuint(h->provider.n_retr, ==, 6);
        g_assert_cmpuint(h->provider.n_top, ==, 0);
        g_assert_cmpint(ask_int(h, &COUNT_SEEN), ==, 6);

        /* A listing that shows nothing for once makes nothing new. */
        GPtrArray *mail = h->provider.mail;
        h->provider.mail = g_ptr_array_new_with_free_func(provider_mail_free);
        (void) run(h);
        g_ptr_array_unref(h->provider.mail);
        h->provider.mail = mail;
        g_assert_cmpuint(run(h).fetched, ==, 0);

        source_set(h, "keep=off");
        g_assert_cmpuint(run(h).deleted, ==, 6);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
        g_assert_cmpuint(h->provider.n_retr, ==, 6);
}

DB_SQL(AGE_SEEN, "UPDATE source_seen SET first_seen = first_seen - ?");

static void
age_seen(House *h, Usec by)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin(h->site.db, &error);

        g_assert_true(db_run(txn, &AGE_SEEN, &error, "i", (gint64) by));
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
}

static void
test_keep_days(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP "|keep=3");
        put_many(h, 4);
        g_assert_cmpuint(run(h).fetched, ==, 4);
        age_seen(h, 2 * USEC_PER_DAY);
        g_assert_cmpuint(run(h).deleted, ==, 0);
        age_seen(h, USEC_PER_DAY);
        g_assert_cmpuint(run(h).deleted, ==, 4);
        g_assert_cmpuint(h->provider.n_retr, ==, 4);
        assert_each_once(h, 4);
}

static void
put_large(House *h, const char *uidl)
{
        g_autofree char *body = g_strnfill(5000, 'x');
        g_autofree char *text =
                g_strconcat("X-Envelope-To: joe@ex.org\r\n" RECEIVED "Subject: large\r\n\r\n", body, "\r\n", NULL);

        provider_put(&h->provider, uidl, text);
}

static void
test_max_size(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP "|max-size=4096");
        put_large(h, "large");
        put_mail(h, "small", "joe@ex.org", "small");
        FetchSummary s = run(h);
        g_assert_cmpuint(s.fetched, ==, 1);
        g_assert_cmpuint(s.left, ==, 1);
        g_assert_cmpstr(h->reports->str, ==, "left: larger than max-size;deliver joe@ex.org;");
        s = run(h);
        g_assert_cmpstr(h->reports->str, ==, ""); /* said once */
        g_assert_cmpuint(s.left, ==, 1);
        g_assert_cmpuint(h->provider.n_retr, ==, 1);
        source_set(h, "max-size=4096,headers");
        g_assert_cmpuint(run(h).fetched, ==, 1);
        g_assert_cmpuint(run(h).fetched, ==, 0);
        g_auto(GStrv) joe = site_inbox(&h->site, "joe@ex.org");
        g_assert_nonnull(strstr(joe[1], "Only the header"));
        g_assert_null(strstr(joe[1], "xxxx"));
        g_assert_cmpuint(h->provider.mail->len, ==, 1);
        source_set(h, "max-size="); /* the limit is gone: the whole of it comes */
        g_assert_cmpuint(run(h).fetched, ==, 1);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);

        source_set(h, "max-size=4096,delete");
        put_large(h, "again");
        s = run(h);
        g_assert_cmpuint(s.fetched, ==, 0);
        g_assert_cmpuint(s.deleted, ==, 1);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
}

/* LIST's sizes may be anything: only what really came counts. */
static void
test_lying_sizes(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP "|max-size=4096,delete");
        h->provider.size_lie = -4900;
        put_large(h, "large");
        g_assert_cmpuint(run(h).left, ==, 1);
        g_assert_cmpstr(h->reports->str, ==, "left: larger than max-size;");
        g_assert_cmpuint(h->provider.mail->len, ==, 1); /* never deleted on the word of a liar */
}

static void
test_quota(House *h, gconstpointer data)
{
        site_account(&h->site, "full@ex.org", "1");
        source_add(h, MULTIDROP);
        put_mail(h, "1", "full@ex.org", "one");
        put_mail(h, "2", "joe@ex.org", "two");
        FetchSummary s = run(h);
        g_assert_cmpuint(s.fetched, ==, 1);
        g_assert_cmpuint(s.left, ==, 1);
        g_assert_cmpuint(h->provider.mail->len, ==, 1);
        const KeyValue more = {"quota", "100000"};
        SITE_CHANGE(&h->site, directory_account_set(h->site.directory, txn, "full@ex.org", &more, 1, NULL));
        g_assert_cmpuint(run(h).fetched, ==, 1);
        g_assert_cmpuint(site_count(&h->site, "full@ex.org"), ==, 1);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
}

static void
test_refused_retr(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP);
        h->provider.refuse_uidl = "m1";
        put_many(h, 4);
        FetchSummary s = run(h);
        g_assert_cmpuint(s.fetched, ==, 3);
        g_assert_cmpuint(s.left, ==, 1);
        h->provider.refuse_uidl = NULL;
        g_assert_cmpuint(run(h).fetched, ==, 1);
        assert_each_once(h, 4);
}

/* A message at which the connection breaks each time comes last, and is left alone in the end: the others go on. */
static void
test_breaking_message(House *h, gconstpointer data)
{
        source_add(h, MULTIDROP);
        put_many(h, 10);
        h->provider.break_at_uidl = "m0";
        for (guint i = 0; i < 3; i++)
                g_free(run_fails(h));
        g_assert_cmpuint(site_count(&h->site, "joe@ex.org"), ==, 4);
        g_assert_cmpuint(site_count(&h->site, "ann@ex.org"), ==, 5);
        g_assert_cmpstr(h->reports->str, ==, "left: the connection breaks at this message each time;");
        h->provider.break_at_uidl = NULL;
        (void) run(h);
        assert_each_once(h, 10);
}

/* Logins
 * --------------------------------------------------------------------------------------------------------------- */

static void
test_wrong_password(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        source_add(h, MULTIDROP);
        h->provider.password = "changed";
        put_many(h, 1);
        g_autofree char *why = run_fails(h);
        g_assert_nonnull(strstr(why, "[AUTH] wrong"));
        g_assert_nonnull(show(h)->stopped);
        g_assert_cmpint(source_change(h, FALSE, "s", "", "changed", &error), ==, CHANGE_DONE);
        g_assert_null(show(h)->stopped);
        g_assert_cmpuint(run(h).fetched, ==, 1);
        g_assert_nonnull(strstr(show(h)->last_result, "1 fetched"));
}

static void
test_busy_and_missing(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        FetchSummary s;

        g_assert_cmpint(fetch_run(h->fetch, "s", NULL, NULL, &s, &error), ==, FETCH_MISSING);
        source_add(h, MULTIDROP);
        h->provider.pass_reply = "-ERR [IN-USE] another session\r\n";
        g_autofree char *why = run_fails(h);
        g_assert_nonnull(strstr(why, "IN-USE"));
        g_assert_null(show(h)->stopped);
}

static void
test_nobody_there(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, but nobody listens */

        g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(getsockname(fd, (struct sockaddr *) &address, &len), ==, 0);
        g_autofree char *text =
                g_strdup_printf("host=127.0.0.1|port=%u|tls=none|user=u|owner=joe@ex.org", ntohs(address.sin_port));
        g_assert_cmpint(source_change(h, TRUE, "s", text, "secret", &error), ==, CHANGE_DONE);
        g_autofree char *why = run_fails(h);
        g_assert_nonnull(strstr(why, "127.0.0.1"));
        close(fd);
}

/* The schedule
 * ---------------------------------------------------------------------------------------------------------- */

static guint
wait_for_mail(House *h, const char *account, guint wanted)
{
        Usec until = clock_in(60 * USEC_PER_SEC);
        guint n;

        while ((n = site_count(&h->site, account)) < wanted && clock_monotonic() < until)
                g_usleep(20000);
        return n;
}

static void
test_polling(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        put_mail(h, "1", "joe@ex.org", "one");
        g_assert_true(fetch_start(h->fetch, &error));
        source_add(h, MULTIDROP "|poll=10"); /* seen by threads that run already */
        g_assert_cmpuint(wait_for_mail(h, "joe@ex.org", 1), ==, 1);
        g_assert_cmpint(show(h)->next_run, >, 0);
        fetch_stop(h->fetch, clock_in(60 * USEC_PER_SEC));
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
}

#define DB_READERS 32 /* that a database has at once */

static void
stop_soon(gpointer data)
{
        House *h = data;

        fetch_stop(h->fetch, clock_in(60 * USEC_PER_SEC));
}

/* An end that comes while the list of sources is read is not missed: all readers are taken, so that the reading waits.
 */
static void
test_stop_while_reading(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        DbTxn *readers[DB_READERS];

        for (guint i = 0; i < DB_READERS; i++) {
                readers[i] = db_begin_read(h->site.db, &error);
                g_assert_no_error(error);
        }
        g_assert_true(fetch_start(h->fetch, &error));
        g_usleep(100000); /* begins to read, */
        Thread *stop = thread_new("stop", stop_soon, h, &error);
        g_assert_no_error(error);
        g_usleep(100000); /* and is told to end: were it slower, there were nothing to miss */
        for (guint i = 0; i < DB_READERS; i++)
                db_txn_free(readers[i]);
        thread_take_join(stop);
}

/* A server that says nothing more does not hold up the end of ours. */
static void
test_stop(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        h->provider.stalls_at_retr = TRUE;
        put_many(h, 3);
        source_add(h, MULTIDROP);
        g_assert_true(fetch_start(h->fetch, &error));
        while (!g_atomic_int_get(&h->provider.is_stalling))
                g_usleep(10000);
        Usec began = clock_monotonic();
        fetch_stop(h->fetch, clock_in(50 * USEC_PER_MS));
        g_assert_cmpint(clock_monotonic() - began, <, 50 * USEC_PER_SEC); /* a reply may take 60 s */
        g_assert_cmpuint(h->provider.mail->len, ==, 3);
        g_assert_null(show(h)->stopped);
}

static void
run_in_vain(gpointer data)
{
        House *h = data;
        FetchSummary summary;

        g_assert_cmpint(fetch_run(h->fetch, "s", note_report, h, &summary, NULL), ==, FETCH_FAILED);
}

/* After a reload somebody else fetches the same account: what commits late would be there twice. */
static void
test_late_batch(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        put_mail(h, "1", "joe@ex.org", "one");
        source_add(h, MULTIDROP);
        DbTxn *turn = db_begin(h->site.db, &error); /* the batch waits for it */
        g_assert_no_error(error);
        Thread *late = thread_new("late", run_in_vain, h, &error);
        g_assert_no_error(error);
        g_usleep(500000);
        fetch_stop(h->fetch, clock_monotonic());
        g_assert_cmpint(db_take_commit(turn, &error), ==, DB_COMMITTED);
        thread_take_join(late);
        g_assert_cmpuint(site_count(&h->site, "joe@ex.org"), ==, 0);
        g_assert_cmpint(ask_int(h, &COUNT_SEEN), ==, 0);
        g_assert_cmpuint(h->provider.mail->len, ==, 1);
}

static gboolean
provider_was_asked(House *h)
{
        MUTEX_SCOPE(&h->provider.lock);
        return h->provider.is_busy;
}

static void
run_well(gpointer data)
{
        (void) run(data);
}

/* Whoever adds a source and runs it at once meets the first run of the schedule. */
static void
test_by_hand_beside_the_schedule(House *h, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        put_many(h, 3);
        source_add(h, MULTIDROP);
        DbTxn *turn = db_begin(h->site.db, &error); /* the batch of the schedule waits for it */
        g_assert_no_error(error);
        g_assert_true(fetch_start(h->fetch, &error));
        while (!provider_was_asked(h))
                g_usleep(1000);
        Thread *by_hand = thread_new("by-hand", run_well, h, &error);
        g_assert_no_error(error);
        g_usleep(100000); /* comes meanwhile: were it slower, it had nothing to wait for */
        g_assert_cmpint(db_take_commit(turn, &error), ==, DB_COMMITTED);
        thread_take_join(by_hand);
        fetch_stop(h->fetch, USEC_NEVER);
        g_assert_cmpuint(h->provider.mail->len, ==, 0);
        g_assert_cmpuint(h->provider.n_sessions, ==, 2);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        (void) signal(SIGPIPE, SIG_IGN); /* as in the server */
#define ADD(path, fn, data) g_test_add("/fetch/" path, House, data, house_init, fn, house_done)
        ADD("source/keys", test_source_changes, NULL);
        ADD("source/default ports follow tls", test_default_ports, NULL);
        ADD("source/what is wrong is said", test_source_refusals, NULL);
        ADD("source/a secret opens only in its own row", test_secret_is_bound, NULL);
        ADD("run/each to his own mailbox", test_each_to_his_own, NULL);
        ADD("run/an owner takes all", test_owner_takes_all, NULL);
        ADD("run/unknown, foreign, fallback", test_fates, NULL);
        ADD("run/the domain decides with unknown=policy only", test_domain_policy, NULL);
        ADD("run/odd messages stop nobody", test_odd_messages, NULL);
        ADD("run/by hand waits for a run of the schedule", test_by_hand_beside_the_schedule, NULL);
        ADD("run/batches pipelined", test_batches, NULL);
        ADD("run/batches in lock-step", test_batches, GINT_TO_POINTER(TRUE));
        ADD("run/breaks anywhere: nothing lost, nothing doubled", test_breaks, NULL);
        ADD("run/a unique-id used again is a new message", test_reused_uidl, NULL);
        ADD("run/doubled unique-ids", test_doubled_uidls, NULL);
        ADD("run/no unique-ids", test_doubled_uidls, GINT_TO_POINTER(TRUE));
        ADD("run/fields that servers rewrite do not count", test_volatile_fields, NULL);
        ADD("run/keep forever", test_keep_forever, NULL);
        ADD("run/keep for days", test_keep_days, NULL);
        ADD("run/max-size", test_max_size, NULL);
        ADD("run/sizes that lie", test_lying_sizes, NULL);
        ADD("run/over quota stays at the provider", test_quota, NULL);
        ADD("run/-ERR to one RETR", test_refused_retr, NULL);
        ADD("run/a message that breaks the connection", test_breaking_message, NULL);
        ADD("run/a wrong password stops the source", test_wrong_password, NULL);
        ADD("run/busy, missing", test_busy_and_missing, NULL);
        ADD("run/nobody there", test_nobody_there, NULL);
        ADD("schedule/polls", test_polling, NULL);
        ADD("schedule/the end is heard while sources are read", test_stop_while_reading, NULL);
        ADD("schedule/the end does not wait for a stalling server", test_stop, NULL);
        ADD("schedule/what comes after the end is not committed", test_late_batch, NULL);
        return g_test_run();
}

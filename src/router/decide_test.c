/* decide_test.c -- the rows of ROUTING.md: an address, who brings it, and what becomes of it. */
#include "base/thread.h"
#include "directory/testing.h"
#include "router/router.h"

typedef struct Site {
        TestSite t;
        Router *router;
} Site;

static void
site_open(Site *site)
{
        static const char *const LITERALS[] = {"[192.0.2.1]", "[IPv6:2001:DB8::1]", NULL};
        const RouterSettings settings = {
                .hostname = "mx.ex.org",
                .primary_domain = "ex.org",
                .literals = LITERALS,
                .postmaster = "boss@ex.org",
        };

        test_site_open(&site->t);
        site->router = router_new(site->t.directory, site->t.db, &settings);
        test_make(&site->t, TEST_DOMAIN, "ex.org", NULL);
        test_make(&site->t, TEST_ACCOUNT, "joe@ex.org", NULL);
        test_make(&site->t, TEST_ACCOUNT, "ann@ex.org", NULL);
        test_make(&site->t, TEST_ACCOUNT, "boss@ex.org", NULL);
}

static void
site_close(Site *site)
{
        router_free(site->router);
        test_site_close(&site->t);
}

static void
record(Site *site, const char *text)
{
        GError *error = NULL;
        DbTxn *txn = db_begin(site->t.db, &error);

        g_assert_cmpint(router_record_add(site->router, txn, text, 0, &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_assert_no_error(error);
}

static const Standing STRANGER = {.origin = ORIGIN_STRANGER};
static const Standing CLIENT = {.origin = ORIGIN_CLIENT, .account = 1, .may_send = TRUE};
static const Standing MUTE = {.origin = ORIGIN_CLIENT, .account = 1};
static const Standing FETCH = {.origin = ORIGIN_FETCH};
static const Standing LMTP = {.origin = ORIGIN_LMTP};
static const Standing GENERATED = {.origin = ORIGIN_GENERATED};

static void
write_leaf(Site *site, GString *out, const Route *leaf)
{
        Span text = address_text(site->t.arena, &leaf->address);
        char status[12];

        g_snprintf(status, sizeof(status), "%u.%u.%u", leaf->status.class, leaf->status.subject, leaf->status.detail);
        g_string_append_printf(out, "%s%s", out->len > 0 ? "; " : "", route_kind_name(leaf->kind));
        if (leaf->kind == ROUTE_DELIVER || leaf->kind == ROUTE_RELAY)
                g_string_append_printf(out, " %.*s", (int) text.len, (const char *) text.data);
        if (leaf->detail.len > 0)
                g_string_append_printf(out, " +%.*s", (int) leaf->detail.len, (const char *) leaf->detail.data);
        if (leaf->next_hop != NULL)
                g_string_append_printf(out, " > %s", leaf->next_hop);
        if (leaf->kind == ROUTE_REJECT || leaf->kind == ROUTE_DEFER || leaf->kind == ROUTE_BOUNCE)
                g_string_append_printf(out, " %u %s", leaf->status.code, status);
        if (leaf->envelope_header != NULL)
                g_string_append_printf(out, " (%s)", leaf->envelope_header);
}

/* The leaves as text: "deliver joe@ex.org; relay x@far.example > mx(far.example)". */
static char *
outcome(Site *site, const char *rcpt, const Standing *who)
{
        GError *error = NULL;
        const Route *leaves = NULL;
        gsize n = 0;
        GString *out = g_string_new(NULL);
        Address address = test_address(&site->t, rcpt);

        if (!router_resolve(site->router, site->t.arena, &address, who, &leaves, &n, &error))
                g_error("%s: %s", rcpt, error->message);
        for (gsize i = 0; i < n; i++) {
                write_leaf(site, out, &leaves[i]);
                g_assert_cmpuint(leaves[i].n_steps, >, 0);
        }
        return g_string_free(out, FALSE);
}

static Route
decide(Site *site, const char *rcpt, const Standing *who)
{
        GError *error = NULL;
        Route route = {0};
        Address address = test_address(&site->t, rcpt);

        RouteKind kind = router_decide(site->router, site->t.arena, &address, who, &route, &error);
        g_assert_no_error(error);
        g_assert_cmpint(kind, ==, route.kind);
        return route;
}

static void
expect(Site *site, const char *rcpt, const Standing *who, const char *wanted)
{
        g_autofree char *got = outcome(site, rcpt, who);

        if (strcmp(got, wanted) != 0) {
                Route route = decide(site, rcpt, who);

                for (gsize i = 0; i < route.n_steps; i++)
                        g_printerr("# %s\n", route.steps[i]);
                g_error("%s from a %s: %s, not %s", rcpt, origin_name(who->origin), got, wanted);
        }
}

static void
test_accounts(void)
{
        Site site;

        site_open(&site);
        expect(&site, "joe@ex.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "joe@EX.ORG.", &STRANGER, "deliver joe@ex.org");
        expect(&site, "JOE@ex.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "\"joe\"@ex.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "joe@[192.0.2.1]", &STRANGER, "deliver joe@ex.org");
        expect(&site, "joe@[IPv6:2001:db8:0::1]", &STRANGER, "deliver joe@ex.org");
        expect(&site, "nobody@ex.org", &STRANGER, "reject 550 5.1.1");
        g_assert_true(decide(&site, "nobody@ex.org", &STRANGER).is_unknown);
        expect(&site, "joe@mx.ex.org", &CLIENT, "reject 550 5.1.1");
        site_close(&site);
}

static void
test_sub_addresses(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_ALIAS, "sales@ex.org", "joe@ex.org ann@ex.org");
        test_make(&site.t, TEST_ALIAS, "joe+exact@ex.org", "ann@ex.org");
        test_make(&site.t, TEST_BOUNCER, "gone@ex.org", NULL);
        expect(&site, "joe+news@ex.org", &STRANGER, "deliver joe@ex.org +news");
        expect(&site, "Joe+News+More@ex.org", &STRANGER, "deliver joe@ex.org +News+More");
        expect(&site, "joe+exact@ex.org", &STRANGER, "deliver ann@ex.org");
        expect(&site, "joe+@ex.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "+joe@ex.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "who+news@ex.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "sales+x@ex.org", &STRANGER, "deliver joe@ex.org; deliver ann@ex.org");
        expect(&site, "gone+x@ex.org", &STRANGER, "reject 550 5.1.1");
        site_close(&site);
}

static void
test_aliases(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_DOMAIN, "two.org", NULL);
        test_make(&site.t, TEST_ALIAS, "sales@ex.org", "joe@ex.org far@other.example");
        test_make(&site.t, TEST_ALIAS, "joe@ex.org", "joe@ex.org ann@ex.org");
        test_make(&site.t, TEST_ALIAS, "sa*@ex.org", "ann@ex.org");
        test_make(&site.t, TEST_ALIAS, "sale*@ex.org", "boss@ex.org");
        test_make(&site.t, TEST_ALIAS, "help@*", "boss@ex.org");
        test_make(&site.t, TEST_ALIAS, "self@ex.org", "self@ex.org boss@ex.org");
        test_make(&site.t, TEST_ALIAS, "ring1@ex.org", "ring2@ex.org");
        test_make(&site.t, TEST_ALIAS, "ring2@ex.org", "ring1@ex.org");
        test_make(&site.t, TEST_ALIAS, "dia@ex.org", "boss@ex.org BOSS@ex.org boss@EX.ORG");

        expect(&site, "joe@ex.org", &STRANGER, "deliver joe@ex.org; deliver ann@ex.org");
        expect(&site, "sales@ex.org", &STRANGER,
               "relay far@other.example > mx(other.example); deliver joe@ex.org; deliver ann@ex.org");
        expect(&site, "SALES@ex.org", &FETCH,
               "relay far@other.example > mx(other.example); deliver joe@ex.org; deliver ann@ex.org");
        expect(&site, "sa@ex.org", &STRANGER, "deliver ann@ex.org");
        expect(&site, "sax@ex.org", &STRANGER, "deliver ann@ex.org");
        expect(&site, "salesman@ex.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "s@ex.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "help@ex.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "help@two.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "help@three.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "self@ex.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "ring1@ex.org", &STRANGER, "reject 550 5.4.6");
        expect(&site, "dia@ex.org", &STRANGER, "deliver boss@ex.org");
        site_close(&site);
}

/* bouncer > alias > group > account (ROUTING 1) */
static void
test_order_at_one_address(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_BOUNCER, "joe@ex.org", "code=551 text=moved");
        expect(&site, "joe@ex.org", &STRANGER, "reject 551 5.1.1");
        g_assert_cmpstr(decide(&site, "joe@ex.org", &STRANGER).text, ==, "moved");
        g_assert_false(decide(&site, "joe@ex.org", &STRANGER).is_unknown);
        test_make(&site.t, TEST_GROUP, "ann@ex.org", "boss@ex.org");
        expect(&site, "ann@ex.org", &STRANGER, "deliver boss@ex.org");
        site_close(&site);
}

static void
test_bouncers(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=deliver:boss@ex.org");
        test_make(&site.t, TEST_BOUNCER, "john@ex.org", NULL);
        test_make(&site.t, TEST_BOUNCER, "old@ex.org", "until=2001-01-01");
        test_make(&site.t, TEST_BOUNCER, "joe@ex.org", "until=2999-01-01");
        test_make(&site.t, TEST_BOUNCER, "ann@ex.org", "after=2");
        expect(&site, "john@ex.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "john+x@ex.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "old@ex.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "joe@ex.org", &STRANGER, "deliver joe@ex.org");
        for (int i = 0; i < 2; i++) {
                GError *error = NULL;
                Route route = decide(&site, "Ann+x@ex.org", &STRANGER);
                DbTxn *txn = db_begin(site.t.db, &error);

                g_assert_cmpint(route.kind, ==, ROUTE_DELIVER);
                g_assert_true(route.is_counted_bouncer);
                g_assert_true(directory_bouncer_count(site.t.directory, txn, &route.bouncer, &error));
                g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        }
        expect(&site, "ann@ex.org", &STRANGER, "reject 550 5.1.1");
        site_close(&site);
}

static void
test_counted_once(void)
{
        Site site;
        GError *error = NULL;
        const Route *leaves;
        gsize n, counted = 0;

        site_open(&site);
        test_make(&site.t, TEST_ALIAS, "burnt@ex.org", "joe@ex.org ann@ex.org boss@ex.org");
        test_make(&site.t, TEST_BOUNCER, "burnt@ex.org", "after=5");
        Address address = test_address(&site.t, "burnt@ex.org");
        g_assert_true(router_resolve(site.router, site.t.arena, &address, &STRANGER, &leaves, &n, &error));
        g_assert_cmpuint(n, ==, 3);
        for (gsize i = 0; i < n; i++)
                counted += leaves[i].is_counted_bouncer && address_equal(&leaves[i].bouncer, &address);
        g_assert_cmpuint(counted, ==, 1);
        site_close(&site);
}

static void
test_groups(void)
{
        Site site;
        Address ann, far;

        site_open(&site);
        ann = test_address(&site.t, "Ann@ex.org");
        far = test_address(&site.t, "far@other.example");
        test_make(&site.t, TEST_GROUP, "open@ex.org", "joe@ex.org far@other.example post=anyone");
        test_make(&site.t, TEST_GROUP, "staff@ex.org", "joe@ex.org post=authenticated");
        test_make(&site.t, TEST_GROUP, "club@ex.org", "joe@ex.org ann@ex.org post=members");
        test_make(&site.t, TEST_ALIAS, "both@ex.org", "club@ex.org boss@ex.org");

        Standing from_ann = {.origin = ORIGIN_STRANGER, .sender = &ann},
                 from_far = {.origin = ORIGIN_STRANGER, .sender = &far};
        Standing fetched_ann = {.origin = ORIGIN_FETCH, .sender = &ann};
        expect(&site, "open@ex.org", &STRANGER, "deliver joe@ex.org; relay far@other.example > mx(other.example)");
        expect(&site, "staff@ex.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "staff@ex.org", &from_ann, "reject 550 5.7.1");
        expect(&site, "staff@ex.org", &FETCH, "reject 550 5.7.1");
        expect(&site, "staff@ex.org", &LMTP, "reject 550 5.7.1");
        expect(&site, "staff@ex.org", &MUTE, "deliver joe@ex.org");
        expect(&site, "club@ex.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "club@ex.org", &from_far, "reject 550 5.7.1");
        expect(&site, "club@ex.org", &fetched_ann, "reject 550 5.7.1");
        expect(&site, "club@ex.org", &from_ann, "deliver joe@ex.org; deliver ann@ex.org");
        expect(&site, "both@ex.org", &from_far, "reject 550 5.7.1; deliver boss@ex.org");
        site_close(&site);
}

static void
test_disabled(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_ACCOUNT_SET, "joe@ex.org", "disabled=yes");
        Route disabled = decide(&site, "joe@ex.org", &STRANGER), unknown = decide(&site, "nobody@ex.org", &STRANGER);
        g_assert_cmpint(disabled.kind, ==, ROUTE_REJECT);
        g_assert_cmpuint(disabled.status.code, ==, unknown.status.code);
        g_assert_cmpstr(disabled.text, ==, unknown.text);
        site_close(&site);
}

static void
test_postmaster(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_DOMAIN, "two.org", NULL);
        test_make(&site.t, TEST_DOMAIN, "three.org", "kind=alias:two.org");
        test_make(&site.t, TEST_ALIAS, "p*@two.org", "joe@ex.org");
        record(&site, "<p*@ex.org> = reject");
        record(&site, "<postmaster@two.org> = reject");
        record(&site, "far.example = near.example");
        expect(&site, "postmaster", &STRANGER, "deliver boss@ex.org");
        expect(&site, "PostMaster@ex.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "abuse@two.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "postmaster@two.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "postmaster@three.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "postmaster+x@two.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "postmaster@mx.ex.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "postmaster@[192.0.2.1]", &STRANGER, "deliver boss@ex.org");
        expect(&site, "postmaster@far.example", &CLIENT, "relay postmaster@near.example > mx(near.example)");
        expect(&site, "pxy@two.org", &STRANGER, "deliver joe@ex.org");
        test_make(&site.t, TEST_ALIAS, "postmaster@two.org", "ann@ex.org");
        expect(&site, "postmaster@two.org", &STRANGER, "deliver ann@ex.org");
        expect(&site, "postmaster@ex.org", &STRANGER, "deliver boss@ex.org");
        site_close(&site);
}

static void
test_postmaster_of_a_domain(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_DOMAIN, "two.org", NULL);
        test_make(&site.t, TEST_ALIAS, "postmaster@two.org", "ann@ex.org");
        expect(&site, "postmaster@two.org", &STRANGER, "deliver ann@ex.org");
        expect(&site, "abuse@two.org", &STRANGER, "deliver ann@ex.org");
        test_make(&site.t, TEST_ALIAS, "abuse@two.org", "joe@ex.org");
        expect(&site, "abuse@two.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "abuse@ex.org", &STRANGER, "deliver boss@ex.org");
        site_close(&site);
}

static void
test_no_postmaster(void)
{
        TestSite t;
        const RouterSettings settings = {.hostname = "mx.ex.org"};

        test_site_open(&t);
        Site site = {t, router_new(t.directory, t.db, &settings)};
        expect(&site, "postmaster@mx.ex.org", &STRANGER, "defer 451 4.3.5");
        expect(&site, "postmaster", &STRANGER, "defer 451 4.3.5");
        site_close(&site);
}

static void
test_reserved(void)
{
        static const char *const NAMES[] = {"admin", "administrator", "hostmaster", "webmaster", "security",
                                            "root",  "mailer-daemon", "Root",       "admin+x"};
        static const char *const POLICIES[] = {"unknown=deliver:joe@ex.org", "unknown=bounce", "unknown=discard"};
        Site site;

        site_open(&site);
        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
                g_autofree char *rcpt = g_strconcat(NAMES[i], "@ex.org", NULL);

                expect(&site, rcpt, &STRANGER, "reject 550 5.1.1");
        }
        for (gsize p = 0; p < G_N_ELEMENTS(POLICIES); p++) {
                test_make(&site.t, TEST_DOMAIN_SET, "ex.org", POLICIES[p]);
                for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
                        g_autofree char *rcpt = g_strconcat(NAMES[i], "@ex.org", NULL);

                        expect(&site, rcpt, &STRANGER, "deliver boss@ex.org");
                        g_assert_false(decide(&site, rcpt, &STRANGER).is_unknown);
                }
        }
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=reject");
        test_make(&site.t, TEST_ALIAS, "*@ex.org", "joe@ex.org");
        test_make(&site.t, TEST_ALIAS, "root@ex.org", "ann@ex.org");
        expect(&site, "admin@ex.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "root@ex.org", &STRANGER, "deliver ann@ex.org");
        site_close(&site);
}

static void
test_policies(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=bounce");
        expect(&site, "z@ex.org", &STRANGER, "bounce 550 5.1.1");
        g_assert_true(decide(&site, "z@ex.org", &STRANGER).is_unknown);
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=discard");
        expect(&site, "z@ex.org", &STRANGER, "discard");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=deliver:boss@ex.org");
        expect(&site, "z@ex.org", &STRANGER, "deliver boss@ex.org (X-Rcpt-To)");
        expect(&site, "z+y@ex.org", &STRANGER, "deliver boss@ex.org (X-Rcpt-To)");
        g_assert_true(decide(&site, "z@ex.org", &STRANGER).is_unknown);
        expect(&site, "joe@ex.org", &STRANGER, "deliver joe@ex.org");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "envelope-header=X-Envelope-To:");
        expect(&site, "z@ex.org", &STRANGER, "deliver boss@ex.org (X-Envelope-To)");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "envelope-header=off");
        expect(&site, "z@ex.org", &STRANGER, "deliver boss@ex.org");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org",
                  "envelope-header= unknown=deliver:joe@ex.org,ann@ex.org,far@other.example");
        expect(&site, "z@ex.org", &STRANGER,
               "deliver joe@ex.org (X-Rcpt-To); deliver ann@ex.org (X-Rcpt-To); relay far@other.example > "
               "mx(other.example) (X-Rcpt-To)");
        site_close(&site);
}

static void
test_policy_targets(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_DOMAIN, "two.org", "unknown=deliver:joe@ex.org");
        test_make(&site.t, TEST_ALIAS, "all@ex.org", "joe@ex.org ann@ex.org");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=deliver:default@ex.org");
        expect(&site, "z@ex.org", &STRANGER, "defer 451 4.3.5");
        expect(&site, "default@ex.org", &STRANGER, "defer 451 4.3.5");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=deliver:joe@ex.org,default@ex.org");
        expect(&site, "z@ex.org", &STRANGER, "defer 451 4.3.5");
        test_make(&site.t, TEST_ACCOUNT, "default@ex.org", NULL);
        expect(&site, "z@ex.org", &STRANGER, "deliver joe@ex.org (X-Rcpt-To); deliver default@ex.org (X-Rcpt-To)");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=deliver:all@ex.org");
        expect(&site, "z@ex.org", &STRANGER, "deliver joe@ex.org (X-Rcpt-To); deliver ann@ex.org (X-Rcpt-To)");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=deliver:x%y.example@gate.example.via");
        expect(&site, "z@ex.org", &STRANGER, "relay x@y.example > gate.example (X-Rcpt-To)");
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=deliver:u@two.org");
        expect(&site, "z@ex.org", &STRANGER, "defer 451 4.3.5"); /* another catch-all is no address */
        site_close(&site);
}

static void
test_catchall_alias(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_ALIAS, "*@ex.org", "joe@ex.org far@other.example");
        test_make(&site.t, TEST_BOUNCER, "john@ex.org", NULL);
        expect(&site, "z@ex.org", &STRANGER,
               "deliver joe@ex.org (X-Rcpt-To); relay far@other.example > mx(other.example) (X-Rcpt-To)");
        expect(&site, "ann@ex.org", &STRANGER, "deliver ann@ex.org");
        expect(&site, "john@ex.org", &STRANGER, "reject 550 5.1.1");
        site_close(&site);
}

static void
test_new_names_at_once(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_DOMAIN_SET, "ex.org", "unknown=deliver:boss@ex.org");
        expect(&site, "z@ex.org", &STRANGER, "deliver boss@ex.org (X-Rcpt-To)");
        test_make(&site.t, TEST_ACCOUNT, "z@ex.org", NULL);
        expect(&site, "z@ex.org", &STRANGER, "deliver z@ex.org");
        test_make(&site.t, TEST_ALIAS, "z@ex.org", "ann@ex.org");
        expect(&site, "z@ex.org", &STRANGER, "deliver ann@ex.org");
        test_make(&site.t, TEST_BOUNCER, "z@ex.org", NULL);
        expect(&site, "z@ex.org", &STRANGER, "reject 550 5.1.1");
        record(&site, "<z@ex.org> = joe@ex.org");
        expect(&site, "z@ex.org", &STRANGER, "deliver joe@ex.org");
        site_close(&site);
}

static void
test_domain_kinds(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_DOMAIN, "alias.org", "kind=alias:ex.org");
        test_make(&site.t, TEST_DOMAIN, "*.sub.org", "kind=alias:ex.org");
        test_make(&site.t, TEST_DOMAIN, "back.org", "kind=relay:[11.22.33.44]");
        test_make(&site.t, TEST_DOMAIN, "port.org", "kind=relay:host.example:26");
        test_make(&site.t, TEST_DOMAIN, "mail.org", "kind=relay:mx(inner.example)");
        test_make(&site.t, TEST_DOMAIN, "kept.org", "kind=hold:customers");
        test_make(&site.t, TEST_DOMAIN, "*.kept.org", "kind=relay:far.example");
        test_make(&site.t, TEST_DOMAIN, "x.kept.org", "kind=local");
        expect(&site, "joe@alias.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "nobody@alias.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "joe@a.sub.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "joe@a.b.sub.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "joe@sub.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "z@back.org", &STRANGER, "relay z@back.org > [11.22.33.44]");
        expect(&site, "z@back.org", &FETCH, "relay z@back.org > [11.22.33.44]");
        expect(&site, "z@port.org", &STRANGER, "relay z@port.org > host.example:26");
        expect(&site, "z@mail.org", &STRANGER, "relay z@mail.org > mx(inner.example)");
        expect(&site, "z@kept.org", &STRANGER, "hold > customers");
        expect(&site, "z@y.kept.org", &STRANGER, "relay z@y.kept.org > far.example");
        expect(&site, "z@x.kept.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "v%far.example@back.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "far.example!v@back.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "\"v@far.example\"@back.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "v%far.example@back.org", &CLIENT, "relay v%far.example@back.org > [11.22.33.44]");
        site_close(&site);
}

static void
test_foreign(void)
{
        Site site;

        site_open(&site);
        test_make(&site.t, TEST_ALIAS, "out@ex.org", "far@other.example");
        expect(&site, "far@other.example", &STRANGER, "reject 550 5.7.1");
        expect(&site, "far@other.example", &FETCH, "reject 550 5.7.1");
        expect(&site, "far@other.example", &LMTP, "reject 550 5.7.1");
        expect(&site, "far@other.example", &MUTE, "reject 550 5.7.1");
        expect(&site, "far@other.example", &CLIENT, "relay far@other.example > mx(other.example)");
        expect(&site, "far@other.example", &GENERATED, "relay far@other.example > mx(other.example)");
        expect(&site, "far@[203.0.113.9]", &CLIENT, "relay far@[203.0.113.9] > [203.0.113.9]");
        expect(&site, "far@[IPv6:2001:db8::9]", &CLIENT, "relay far@[ipv6:2001:db8::9] > [2001:db8::9]");
        expect(&site, "out@ex.org", &STRANGER, "relay far@other.example > mx(other.example)");
        expect(&site, "out@ex.org", &FETCH, "relay far@other.example > mx(other.example)");
        expect(&site, "out@ex.org", &LMTP, "relay far@other.example > mx(other.example)");
        expect(&site, "out@ex.org", &MUTE, "relay far@other.example > mx(other.example)");
        site_close(&site);
}

static void
test_smart_host(void)
{
        Site site;
        const RouterSettings settings = {
                .hostname = "mx.ex.org", .smart_host = "smart.example:587", .postmaster = "boss@ex.org"};

        site_open(&site);
        router_free(site.router);
        site.router = router_new(site.t.directory, site.t.db, &settings);
        expect(&site, "far@other.example", &CLIENT, "relay far@other.example > smart.example:587");
        expect(&site, "far@other.example", &STRANGER, "reject 550 5.7.1");
        site_close(&site);
}

/* Records --------------------------------------------------------------------------------------------------------- */

static void
test_records(void)
{
        Site site;

        site_open(&site);
        record(&site, "friend.com = friend.com@firewall.friend.com.via");
        record(&site, "<sales@ex.org> = joe@ex.org");
        record(&site, "<*@old.example> = *@ex.org");
        record(&site, "*.old.example = *.new.example");
        record(&site, "<*@far.com> = *%far.com@other-host:26._via");
        record(&site, "<sup-*@ex.org> = ann+*@ex.org");
        record(&site, "<info@*.shop.example> = *@ex.org");
        record(&site, "<trash@ex.org> = discard");
        record(&site, "<trap@ex.org> = spamtrap");
        record(&site, "<closed@ex.org> = reject");
        record(&site, "gate.example = [192.0.2.9]:2525.via");
        expect(&site, "x@friend.com", &CLIENT, "relay x@friend.com > firewall.friend.com");
        expect(&site, "a%b@friend.com", &CLIENT, "relay a%b@friend.com > firewall.friend.com");
        expect(&site, "Sales@EX.org", &STRANGER, "deliver joe@ex.org");
        expect(&site, "ann@old.example", &STRANGER, "deliver ann@ex.org");
        expect(&site, "x@a.old.example", &CLIENT, "relay x@a.new.example > mx(a.new.example)");
        expect(&site, "x@far.com", &CLIENT, "relay x@far.com > other-host:26");
        expect(&site, "sup-x@ex.org", &STRANGER, "deliver ann@ex.org +x");
        expect(&site, "info@joe.shop.example", &STRANGER, "deliver joe@ex.org");
        expect(&site, "trash@ex.org", &STRANGER, "discard");
        expect(&site, "trap@ex.org", &STRANGER, "discard");
        expect(&site, "closed@ex.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "x@gate.example", &CLIENT, "relay x@[192.0.2.9] > [192.0.2.9]:2525");
        site_close(&site);
}

static void
test_record_order(void)
{
        Site site;
        GError *error = NULL;

        site_open(&site);
        record(&site, "<a*@ex.org> = joe@ex.org");
        record(&site, "<ab@ex.org> = ann@ex.org");
        expect(&site, "ab@ex.org", &STRANGER, "deliver joe@ex.org");
        DbTxn *txn = db_begin(site.t.db, &error);
        g_assert_cmpint(router_record_remove(site.router, txn, 2, NULL, &error), ==, CHANGE_DONE);
        g_assert_cmpint(router_record_add(site.router, txn, "<ab@*> = boss@ex.org", 1, &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        expect(&site, "ab@ex.org", &STRANGER, "deliver boss@ex.org");
        expect(&site, "ac@ex.org", &STRANGER, "deliver joe@ex.org");
        site_close(&site);
}

static void
test_who_relays(void)
{
        Site site;

        site_open(&site);
        record(&site, "<one@a.example> = one%a.example@h.example.via");
        record(&site, "NoRelay: <two@a.example> = two%a.example@h.example.via");
        record(&site, "<*@b.example> = *%b.example@h.example.via");
        record(&site, "Relay: <*@c.example> = *%c.example@h.example.via");
        record(&site, "RelayAll: d.example = d.example@h.example.via");
        record(&site, "NoRelay:e.example=e.example@h.example.via");
        record(&site, "<out@ex.org> = x@far.example");
        record(&site, "<*@f.example> = *@far.example");
        expect(&site, "one@a.example", &STRANGER, "relay one@a.example > h.example");
        expect(&site, "one@a.example", &FETCH, "relay one@a.example > h.example");
        expect(&site, "two@a.example", &STRANGER, "reject 550 5.7.1");
        expect(&site, "two@a.example", &CLIENT, "relay two@a.example > h.example");
        expect(&site, "x@b.example", &STRANGER, "reject 550 5.7.1");
        expect(&site, "x@b.example", &FETCH, "reject 550 5.7.1");
        expect(&site, "x@b.example", &MUTE, "reject 550 5.7.1");
        expect(&site, "x@b.example", &CLIENT, "relay x@b.example > h.example");
        expect(&site, "x@c.example", &STRANGER, "relay x@c.example > h.example");
        expect(&site, "v%far.example@c.example", &STRANGER, "relay v%far.example@c.example > h.example");
        expect(&site, "x@d.example", &STRANGER, "relay x@d.example > h.example");
        expect(&site, "x@e.example", &STRANGER, "reject 550 5.7.1");
        expect(&site, "out@ex.org", &STRANGER, "relay x@far.example > mx(far.example)");
        expect(&site, "x@f.example", &STRANGER, "reject 550 5.7.1");
        expect(&site, "x@f.example", &CLIENT, "relay x@far.example > mx(far.example)");
        site_close(&site);
}

/* What a star stands for is never split into local part and domain again. */
static void
test_smuggled_percent(void)
{
        Site site;

        site_open(&site);
        record(&site, "Relay: <*@g.example> = *@h.example.via");
        record(&site, "Relay: k.example = h.example.via");
        expect(&site, "v%far.example@g.example", &STRANGER, "relay v%far.example@h.example > h.example");
        expect(&site, "v%far.example@k.example", &STRANGER, "relay v%far.example@h.example > h.example");
        site_close(&site);
}

static void
test_via_from_outside(void)
{
        static const char *const FORMS[] = {"victim%other.org@evil.com.via", "x@ex.org.via", "x@h._via", "x@VIA.via"};
        Site site;

        site_open(&site);
        record(&site, "friend.com = friend.com@h.example.via");
        for (gsize i = 0; i < G_N_ELEMENTS(FORMS); i++) {
                expect(&site, FORMS[i], &STRANGER, "reject 550 5.7.1");
                expect(&site, FORMS[i], &FETCH, "reject 550 5.7.1");
                expect(&site, FORMS[i], &MUTE, "reject 550 5.7.1");
                expect(&site, FORMS[i], &CLIENT, "reject 550 5.1.2");
        }
        site_close(&site);
}

static void
test_table_loops(void)
{
        Site site;
        GError *error = NULL;

        site_open(&site);
        g_assert_null(router_table_loop(site.router, site.t.arena, &error));
        record(&site, "a.dom = b.dom");
        g_assert_null(router_table_loop(site.router, site.t.arena, &error));
        record(&site, "b.dom = a.dom");
        g_assert_nonnull(strstr(router_table_loop(site.router, site.t.arena, &error), "a.dom = b.dom"));
        g_assert_no_error(error);
        expect(&site, "x@a.dom", &STRANGER, "reject 550 5.4.6");
        expect(&site, "x@b.dom", &CLIENT, "reject 550 5.4.6");
        site_close(&site);
}

static void
test_growing_record(void)
{
        Site site;
        GError *error = NULL;

        site_open(&site);
        record(&site, "<*@a.dom> = x*@a.dom");
        g_assert_nonnull(router_table_loop(site.router, site.t.arena, &error));
        expect(&site, "x@a.dom", &STRANGER, "reject 550 5.4.6");
        record(&site, "<*@c.dom> = 0123456789-0123456789-0123456789-0123456789-0123456789-*@ex.org");
        expect(&site, "01234567890123456789@c.dom", &STRANGER, "reject 550 5.1.3");
        site_close(&site);
}

static void
test_record_depth(void)
{
        Site site;

        site_open(&site);
        for (int i = 0; i < 33; i++) {
                g_autofree char *text = g_strdup_printf("d%d.dom = d%d.dom", i, i + 1);

                record(&site, text);
        }
        record(&site, "d33.dom = ex.org");
        expect(&site, "joe@d1.dom", &STRANGER, "reject 550 5.4.6");
        expect(&site, "joe@d2.dom", &STRANGER, "deliver joe@ex.org");
        site_close(&site);
}

/* Expansion ------------------------------------------------------------------------------------------------------- */

static void
test_alias_chain(void)
{
        Site site;

        site_open(&site);
        for (int i = 1; i <= 33; i++) {
                g_autofree char *name = g_strdup_printf("a%d@ex.org", i);
                g_autofree char *target = i < 33 ? g_strdup_printf("a%d@ex.org", i + 1) : g_strdup("joe@ex.org");

                test_make(&site.t, TEST_ALIAS, name, target);
        }
        expect(&site, "a1@ex.org", &STRANGER, "reject 550 5.4.6");
        expect(&site, "a2@ex.org", &STRANGER, "deliver joe@ex.org");
        site_close(&site);
}

static void
test_expansion_limit(void)
{
        Site site;
        g_autoptr(GString) groups = g_string_new(NULL);

        site_open(&site);
        for (int g = 0; g < 10; g++) {
                g_autoptr(GString) members = g_string_new(NULL);
                g_autofree char *name = g_strdup_printf("g%d@ex.org", g);

                for (int i = 0; i < 999; i++)
                        g_string_append_printf(members, "%su%d-%d@far.example", i > 0 ? " " : "", g, i);
                test_make(&site.t, TEST_GROUP, name, members->str);
                g_string_append_printf(groups, "%s%s", g > 0 ? " " : "", name);
        }
        test_make(&site.t, TEST_ALIAS, "all@ex.org", groups->str);
        test_make(&site.t, TEST_ALIAS, "more@ex.org", "all@ex.org joe@ex.org");

        GError *error = NULL;
        const Route *leaves;
        gsize n;
        Address address = test_address(&site.t, "all@ex.org");
        g_assert_true(router_resolve(site.router, site.t.arena, &address, &STRANGER, &leaves, &n, &error));
        g_assert_cmpuint(n, ==, 9990);
        expect(&site, "more@ex.org", &STRANGER, "reject 550 5.4.6");
        site_close(&site);
}

static void
test_small_arena(void)
{
        Site site;
        GError *error = NULL;
        Route route = {.kind = ROUTE_HOLD};
        g_autoptr(Arena) arena = arena_new(64);

        site_open(&site);
        Address address = test_address(&site.t, "joe@ex.org");
        g_assert_cmpint(router_decide(site.router, arena, &address, &STRANGER, &route, &error), ==, ROUTE_FAILED);
        g_assert_error(error, RESTANTE_ERROR, FAULT_FULL);
        g_assert_cmpint(route.kind, ==, ROUTE_HOLD);
        g_error_free(error);
        site_close(&site);
}

/* Relay forms ----------------------------------------------------------------------------------------------------- */

/* Ways in which servers were made to relay: `%`, `!`, quoted names, routes, literals, .via, mixtures. */
static const char *const RELAY_FORMS[] = {
        "v@other.org",
        "v%other.org@ex.org",
        "v%other.org@mx.ex.org",
        "v%other.org@[192.0.2.1]",
        "v%other.org%x.org@ex.org",
        "v%other.org@other.org",
        "\"v@other.org\"@ex.org",
        "\"v%other.org\"@ex.org",
        "\"v@other.org\"@[192.0.2.1]",
        "\"v@other.org\"@other.org",
        "other.org!v@ex.org",
        "other.org!v@[192.0.2.1]",
        "x.org!other.org!v@ex.org",
        "other.org!v%x.org@ex.org",
        "other.org!v",
        "@ex.org:v@other.org",
        "@ex.org,@x.org:v@other.org",
        "@[192.0.2.1]:v@other.org",
        "@ex.org:v%other.org@ex.org",
        "v@[203.0.113.9]",
        "v@[IPv6:2001:db8::9]",
        "v@[192.0.2.2]",
        "v%other.org@[203.0.113.9]",
        "v%[203.0.113.9]@ex.org",
        "v@other.org.via",
        "v%other.org@evil.com.via",
        "v%other.org@ex.org.via",
        "v@evil.com._via",
        "v%other.org@[203.0.113.9]",
        "v%other.org.via@ex.org",
        "\"v@evil.com.via\"@ex.org",
        "v%evil.com.via@ex.org",
        "evil.com.via!v@ex.org",
        "joe%ex.org@other.org",
        "postmaster@other.org",
        "postmaster%other.org@ex.org",
        "abuse@other.org",
        "joe+v@other.org",
        "joe+v%other.org@ex.org",
        "\"joe+v@other.org\"@ex.org",
        "+v%other.org@ex.org",
        "v@ex.org.other.org",
        "v@sub.ex.org",
        "v@xex.org",
        "v@ex.orgx",
        "v@org",
        "v@mx.ex.org.",
        "v@EX.ORG.other.org",
        "SRS0=aaa=bb=other.org=v@ex.org",
        "SRS1=aaa=x.org==bbb=cc=other.org=v@ex.org",
        "srs0+aaa=bb=other.org=v@ex.org",
        "prvs=1234=v@other.org",
        "v=other.org@ex.org",
        "v#other.org@ex.org",
        "v/other.org@ex.org",
        "\"v other.org\"@ex.org",
        "\"<v@other.org>\"@ex.org",
        "\",v@other.org\"@ex.org",
        "\"v\\@other.org\"@ex.org",
        "\"@other.org:v\"@ex.org",
        "\"v@other.org,joe@ex.org\"@ex.org",
        "mailto:v@other.org",
        "v@xn--tda.ex.org",
        "v@friend.com",
        "v@a.old.example",
};

static void
try_forms(Site *site, const Standing *who)
{
        guint n_parsed = 0;

        for (gsize i = 0; i < G_N_ELEMENTS(RELAY_FORMS); i++) {
                Address address;
                GError *error = NULL;
                const Route *leaves = NULL;
                gsize n = 0;

                if (address_parse(site->t.arena, span_of(RELAY_FORMS[i]), TRUE, &address) != ADDRESS_OK)
                        continue; /* refused by its syntax */
                n_parsed++;
                g_assert_true(router_resolve(site->router, site->t.arena, &address, who, &leaves, &n, &error));
                for (gsize k = 0; k < n; k++)
                        if (leaves[k].kind == ROUTE_RELAY || leaves[k].kind == ROUTE_HOLD)
                                g_error("%s from a %s leaves to %s", RELAY_FORMS[i], origin_name(who->origin),
                                        leaves[k].next_hop);
        }
        g_assert_cmpuint(n_parsed, >=, 50);
}

static void
test_nothing_leaves(void)
{
        static const char *const POLICIES[] = {"unknown=reject", "unknown=deliver:joe@ex.org", "unknown=bounce",
                                               "unknown=discard"};
        const Standing *const ORIGINS[] = {&STRANGER, &FETCH, &LMTP, &MUTE};
        Site site;

        site_open(&site);
        g_assert_cmpuint(G_N_ELEMENTS(RELAY_FORMS), >=, 60);
        test_make(&site.t, TEST_DOMAIN, "kept.org", "kind=relay:inner.example");
        record(&site, "friend.com = friend.com@firewall.friend.com.via");
        record(&site, "*.old.example = *.new.example");
        for (gsize p = 0; p < G_N_ELEMENTS(POLICIES); p++) {
                test_make(&site.t, TEST_DOMAIN_SET, "ex.org", POLICIES[p]);
                for (gsize o = 0; o < G_N_ELEMENTS(ORIGINS); o++)
                        try_forms(&site, ORIGINS[o]);
        }
        test_make(&site.t, TEST_ALIAS, "*@ex.org", "ann@ex.org");
        for (gsize o = 0; o < G_N_ELEMENTS(ORIGINS); o++)
                try_forms(&site, ORIGINS[o]);
        site_close(&site);
}

static void
test_relay_codes(void)
{
        Site site;

        site_open(&site);
        expect(&site, "a%other.org@ex.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "other.org!a@ex.org", &STRANGER, "reject 550 5.1.1");
        expect(&site, "a%other.org@ex.org", &CLIENT, "reject 550 5.1.1");
        expect(&site, "@ex.org:v@other.org", &STRANGER, "reject 550 5.7.1");
        expect(&site, "SRS0=aaa=bb=other.org=v@ex.org", &STRANGER, "reject 550 5.1.1");
        site_close(&site);
}

/* Side by side ---------------------------------------------------------------------------------------------------- */

typedef struct Reader {
        Site *site;
        Thread *thread;
        gint *stop;
        guint n;
} Reader;

/* z is made and removed all the time: it is there or not, and joe always is. */
static void
read_on(gpointer data)
{
        Reader *reader = data;
        Arena *arena = arena_new(1024 * 1024);
        Address joe = {span_of("joe"), span_of("ex.org")}, z = {span_of("z"), span_of("ex.org")};

        while (!g_atomic_int_get(reader->stop)) {
                Route route;
                GError *error = NULL;

                g_assert_cmpint(router_decide(reader->site->router, arena, &joe, &STRANGER, &route, &error), ==,
                                ROUTE_DELIVER);
                RouteKind kind = router_decide(reader->site->router, arena, &z, &STRANGER, &route, &error);
                g_assert_true(kind == ROUTE_DELIVER || kind == ROUTE_REJECT);
                arena_reset(arena);
                reader->n++;
        }
        arena_free(arena);
}

static void
remove_account(Site *site, const char *address)
{
        GError *error = NULL;
        gint64 id;
        DbTxn *txn = db_begin(site->t.db, &error);

        g_assert_cmpint(directory_account_remove(site->t.directory, txn, address, &id, &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
}

static void
test_changes_beside_readers(void)
{
        Site site;
        gint stop = 0;
        Reader readers[3] = {0};

        site_open(&site);
        for (gsize i = 0; i < G_N_ELEMENTS(readers); i++) {
                readers[i] = (Reader){.site = &site, .stop = &stop};
                readers[i].thread = thread_new("reader", read_on, &readers[i], NULL);
                g_assert_nonnull(readers[i].thread);
        }
        for (int i = 0; i < 100; i++) {
                test_make(&site.t, TEST_ACCOUNT, "z@ex.org", NULL);
                expect(&site, "z@ex.org", &STRANGER, "deliver z@ex.org");
                remove_account(&site, "z@ex.org");
                expect(&site, "z@ex.org", &STRANGER, "reject 550 5.1.1");
        }
        g_atomic_int_set(&stop, 1);
        for (gsize i = 0; i < G_N_ELEMENTS(readers); i++) {
                thread_take_join(readers[i].thread);
                g_assert_cmpuint(readers[i].n, >, 0);
        }
        site_close(&site);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/router/accounts-by-any-spelling RFC 5321 §2.4", test_accounts);
        g_test_add_func("/router/sub-addresses RFC 5233", test_sub_addresses);
        g_test_add_func("/router/aliases-of-all-forms", test_aliases);
        g_test_add_func("/router/bouncer-before-alias-before-group-before-account", test_order_at_one_address);
        g_test_add_func("/router/bouncers-by-date-and-number", test_bouncers);
        g_test_add_func("/router/a-counted-bouncer-stands-on-one-leaf", test_counted_once);
        g_test_add_func("/router/who-may-write-to-a-group", test_groups);
        g_test_add_func("/router/disabled-reads-like-unknown", test_disabled);
        g_test_add_func("/router/postmaster-always-exists RFC 5321 §4.5.1", test_postmaster);
        g_test_add_func("/router/postmaster-of-a-domain RFC 2142", test_postmaster_of_a_domain);
        g_test_add_func("/router/postmaster-without-account-is-deferred", test_no_postmaster);
        g_test_add_func("/router/reserved-names-are-never-caught", test_reserved);
        g_test_add_func("/router/policies", test_policies);
        g_test_add_func("/router/policy-target-that-does-not-exist-defers", test_policy_targets);
        g_test_add_func("/router/catch-all-alias", test_catchall_alias);
        g_test_add_func("/router/a-change-acts-at-the-next-message", test_new_names_at_once);
        g_test_add_func("/router/domain-kinds", test_domain_kinds);
        g_test_add_func("/router/only-clients-relay RFC 5321 §3.6.2", test_foreign);
        g_test_add_func("/router/smart-host", test_smart_host);
        g_test_add_func("/router/records", test_records);
        g_test_add_func("/router/first-record-from-the-top-wins", test_record_order);
        g_test_add_func("/router/records-and-who-relays", test_who_relays);
        g_test_add_func("/router/a-star-never-becomes-a-domain", test_smuggled_percent);
        g_test_add_func("/router/via-from-outside-is-no-domain", test_via_from_outside);
        g_test_add_func("/router/table-loops RFC 5321 §6.3", test_table_loops);
        g_test_add_func("/router/records-that-grow", test_growing_record);
        g_test_add_func("/router/32-rewritings-and-not-one-more", test_record_depth);
        g_test_add_func("/router/alias-chain-of-33", test_alias_chain);
        g_test_add_func("/router/10000-addresses-of-one-expansion", test_expansion_limit);
        g_test_add_func("/router/no-room-is-a-fault", test_small_arena);
        g_test_add_func("/router/60-relay-forms-and-nothing-leaves", test_nothing_leaves);
        g_test_add_func("/router/relay-forms-and-their-codes", test_relay_codes);
        g_test_add_func("/router/changes-beside-readers", test_changes_beside_readers);
        return g_test_run();
}

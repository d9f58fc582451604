/* rule_test.c -- records, policies and next hops as people type them. */
#include "directory/testing.h"
#include "router/internal.h"

static void
test_records_right(void)
{
        static const char *const RIGHT[] = {
                "friend.com = friend.com@firewall.friend.com.via",
                "  <sales@example.com> =joe@example.com ",
                "<sales@example.com> = <joe@example.com>",
                "<*@old.example> = *@new.example",
                "*.old.example = *.new.example",
                "<*@friend.com> = *%friend.com@other-host:26.via",
                "<*@friend.com> = *%friend.com@other-host._via",
                "NoRelay:friend.com=mx(hub.example).via",
                "relayall: <a=b@x.example> = a@[192.0.2.1]:25.via",
                "Relay: <*@x.example> = *@[2001:db8::1].via",
                "x.example = reject",
                "x.example = Discard",
                "<x@y.example> = spamtrap",
                "b\xc3\xbc"
                "cher.example = books.example",
                "*.b\xc3\xbc"
                "cher.example = *.books.example",
                "x.example = hub.example@gate.example",
                "[192.0.2.7] = ex.org",
                "* = ex.org",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(RIGHT); i++) {
                g_autoptr(Arena) arena = arena_new(64 * 1024);
                GError *error = NULL;

                if (!router_record_check(arena, RIGHT[i], &error))
                        g_error("%s", error->message);
        }
}

static void
test_records_wrong(void)
{
        static const char *const WRONG[] = {
                "",
                "=",
                "a.example",
                "a.example =",
                "= a.example",
                "<@a.example> = b@c.example",
                "<a@> = b@c.example",
                "<a> = b@c.example",
                "<a@b.example = c@d.example",
                "<*@*.a.example> = b@c.example",
                "<a**@b.example> = c@d.example",
                "<a@b.example> = c",
                "<a@b.example> = d.example",
                "<a@b.example> = *@d.example",
                "<*@b.example> = x@*.d.example",
                "<*@b.example> = x%*@host.via",
                "<*@b.example> = *@*.d.example",
                "a.example = *.b.example",
                "a.example = b@*.via",
                "a.example = c@host:0.via",
                "a.example = c@host:65536.via",
                "a.example = c@.via",
                "a.example = c@ho st.via",
                "a.example = c@[1.2.3].via",
                "<\"a b\"@c.example> = d@e.example",
                "a..example = b.example",
                "<a@b.example> = c@d..example",
                "<a@b.example> = c%@host.via",
                "<a@b.example> = %c.example@host.via",
                "a.example = b.example\x01",
                "a.example = (b)@gate.example",
                "x.example = refuse me",
                "Relay Relay: a.example = b.example",
        };
        g_autofree char *longer = g_strnfill(2000, 'a');

        for (gsize i = 0; i <= G_N_ELEMENTS(WRONG); i++) {
                g_autoptr(Arena) arena = arena_new(64 * 1024);
                g_autoptr(GError) error = NULL;
                const char *text = i < G_N_ELEMENTS(WRONG) ? WRONG[i] : longer;

                if (router_record_check(arena, text, &error))
                        g_error("%s was taken", text);
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        }
}

static void
test_next_hops(void)
{
        static const char *const RIGHT[] = {"host",
                                            "host.example",
                                            "host.example:26",
                                            "[192.0.2.1]",
                                            "[192.0.2.1]:65535",
                                            "[2001:db8::1]:25",
                                            "[IPv6:2001:db8::1]",
                                            "mx(ex.org)",
                                            "MX(ex.org)"};
        static const char *const WRONG[] = {"",
                                            ":25",
                                            "host:",
                                            "host:0",
                                            "host:65536",
                                            "host:25x",
                                            "host:25:25",
                                            "[192.0.2]",
                                            "[host]",
                                            "[192.0.2.1",
                                            "192.0.2.1",
                                            "mx(",
                                            "mx()",
                                            "mx(a)b",
                                            "mx([192.0.2.1])",
                                            "mx(a):25",
                                            "a b",
                                            "-a",
                                            "a@b",
                                            "h\n",
                                            "b\xc3\xbc"
                                            "cher",
                                            NULL};

        for (gsize i = 0; i < G_N_ELEMENTS(RIGHT); i++)
                if (!router_next_hop_check(RIGHT[i], NULL))
                        g_error("%s was refused", RIGHT[i]);
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_autoptr(GError) error = NULL;

                if (router_next_hop_check(WRONG[i], &error))
                        g_error("%s was taken", WRONG[i]);
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
        }
}

static void
test_policies_right(void)
{
        static const struct {
                const char *text;
                gsize n;
                PolicyWord first;
                gsize n_targets;
        } CASES[] = {
                {"reject", 1, POLICY_REJECT, 0},
                {"Bounce", 1, POLICY_BOUNCE, 0},
                {" discard ", 1, POLICY_DISCARD, 0},
                {"deliver:a@ex.org", 1, POLICY_DELIVER, 1},
                {"deliver: a@ex.org , b@ex.org,reject@ex.org", 1, POLICY_DELIVER, 3},
                {"deliver:a@ex.org,b@ex.org,reject", 2, POLICY_DELIVER, 2},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(Arena) arena = arena_new(64 * 1024);
                const Policy *policies;
                gsize n;
                GError *error = NULL;

                if (!router_policy_parse(arena, CASES[i].text, &policies, &n, &error))
                        g_error("%s: %s", CASES[i].text, error->message);
                g_assert_cmpuint(n, ==, CASES[i].n);
                g_assert_cmpint(policies[0].word, ==, CASES[i].first);
                g_assert_cmpuint(policies[0].n_targets, ==, CASES[i].n_targets);
        }
}

static void
test_policies_wrong(void)
{
        static const struct {
                const char *text, *says;
        } CASES[] = {
                {"", "missing"},
                {"reject,", "missing"},
                {"refuse", "reject, bounce, deliver"},
                {"deliver", "deliver:joe@ex.org"},
                {"deliver:", "deliver:joe@ex.org"},
                {"deliver:joe", "is no address"},
                {"deliver:joe@ex.org/by-name", "not there yet"},
                {"reject:now", "nothing behind a colon"},
                {"a@ex.org", "reject, bounce, deliver"},
                {"reject,a@ex.org", "reject, bounce, deliver"},
                {"forward:a@far.org", "not there yet"},
                {"readdress:new.org", "not there yet"},
                {"relay:old.example,verify", "not there yet"},
                {"outbox", "not there yet"},
                {"create", "not there yet"},
                {"create:tmpl", "not there yet"},
                {"hold", "not there yet"},
                {"deliver:a@ex.org\n", "one line"},
        };
        g_autoptr(GString) many = g_string_new("deliver:a@b");

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(Arena) arena = arena_new(64 * 1024);
                g_autoptr(GError) error = NULL;
                const Policy *policies;
                gsize n;

                if (router_policy_parse(arena, CASES[i].text, &policies, &n, &error))
                        g_error("%s was taken", CASES[i].text);
                g_assert_error(error, RESTANTE_ERROR, FAULT_INPUT);
                if (strstr(error->message, CASES[i].says) == NULL)
                        g_error("%s: %s", CASES[i].text, error->message);
        }
        for (int i = 0; i < POLICY_TARGETS_MAX; i++)
                g_string_append(many, ",a@b");
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        const Policy *policies;
        gsize n;
        g_assert_false(router_policy_parse(arena, many->str, &policies, &n, NULL));
}

static void
test_warnings(void)
{
        TestSite t;
        const RouterSettings settings = {.hostname = "mx.ex.org"};

        test_site_open(&t);
        g_autoptr(Router) router = router_new(t.directory, t.db, &settings);
        test_make(&t, TEST_DOMAIN, "ex.org", NULL);
        g_assert_null(router_policy_warnings(router, t.arena, "ex.org", "reject")[0]);
        const char *const *w = router_policy_warnings(router, t.arena, "ex.org", "deliver:joe@ex.org,far@far.org");
        g_assert_nonnull(strstr(w[0], "harvested"));
        g_assert_nonnull(strstr(w[1], "joe@ex.org does not exist yet"));
        g_assert_nonnull(strstr(w[2], "far@far.org is elsewhere"));
        g_assert_null(w[3]);
        test_make(&t, TEST_ACCOUNT, "joe@ex.org", NULL);
        w = router_policy_warnings(router, t.arena, "ex.org", "deliver:joe@ex.org,reject");
        g_assert_nonnull(strstr(w[1], "first policy"));
        g_assert_null(w[2]);
        g_clear_pointer(&router, router_free);
        test_site_close(&t);
}

static void
test_domain_check(void)
{
        static const struct {
                const char *pairs;
                Change answer;
        } CASES[] = {
                {"unknown=bounce kind=relay:host:26", CHANGE_DONE},
                {"unknown=", CHANGE_DONE},
                {"kind=local next-hop=", CHANGE_DONE},
                {"unknown=create", CHANGE_INVALID},
                {"kind=relay:a..b", CHANGE_INVALID},
                {"next-hop=:25", CHANGE_INVALID},
                {"kind=relay:MX.ex.org", CHANGE_INVALID},
                {"next-hop=mx.ex.org:25", CHANGE_INVALID},
                {"kind=relay:mx.ex.org.far.example", CHANGE_DONE},
        };
        TestSite t;
        const RouterSettings settings = {.hostname = "mx.ex.org"};

        test_site_open(&t);
        g_autoptr(Router) router = router_new(t.directory, t.db, &settings);
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(GError) error = NULL;
                gsize n;
                const KeyValue *pairs = test_pairs(&t, CASES[i].pairs, &n);

                g_assert_cmpint(router_domain_check(router, pairs, n, &error), ==, CASES[i].answer);
                g_assert_true((error == NULL) == (CASES[i].answer == CHANGE_DONE));
        }
        g_clear_pointer(&router, router_free);
        test_site_close(&t);
}

static void
test_record_changes(void)
{
        TestSite t;
        const RouterSettings settings = {.hostname = "mx.ex.org"};
        GError *error = NULL;
        const RouteRecord *at;
        gsize n;

        test_site_open(&t);
        g_autoptr(Router) router = router_new(t.directory, t.db, &settings);
        DbTxn *txn = db_begin(t.db, &error);
        g_assert_cmpint(router_record_add(router, txn, "a.example = b.example", 0, &error), ==, CHANGE_DONE);
        g_assert_cmpint(router_record_add(router, txn, " c.example = d.example ", 1, &error), ==, CHANGE_DONE);
        g_assert_cmpint(router_record_add(router, txn, "e.example = f.example", 99, &error), ==, CHANGE_DONE);
        g_assert_cmpint(router_record_add(router, txn, "c.example = d.example", 0, NULL), ==, CHANGE_EXISTS);
        g_assert_cmpint(router_record_add(router, txn, "c.example", 0, NULL), ==, CHANGE_INVALID);
        g_assert_cmpint(router_record_remove(router, txn, 9, NULL, NULL), ==, CHANGE_MISSING);
        g_assert_cmpint(router_record_remove(router, txn, 0, "x = y", NULL), ==, CHANGE_MISSING);
        g_assert_cmpint(router_record_remove(router, txn, 0, " a.example = b.example", &error), ==, CHANGE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_assert_true(router_records(router, t.arena, &at, &n, &error));
        g_assert_cmpuint(n, ==, 2);
        g_assert_cmpstr(at[0].record, ==, "c.example = d.example");
        g_assert_cmpuint(at[1].position, ==, 2);
        g_assert_cmpstr(at[1].record, ==, "e.example = f.example");
        g_clear_pointer(&router, router_free);
        test_site_close(&t);
}

static void
test_words(void)
{
        Origin origin;

        for (int i = ORIGIN_STRANGER; i <= ORIGIN_GENERATED; i++) {
                g_assert_true(origin_from_name(origin_name((Origin) i), &origin));
                g_assert_cmpint(origin, ==, i);
        }
        g_assert_false(origin_from_name("friend", &origin));
        g_assert_false(origin_from_name(NULL, &origin));
        g_assert_cmpstr(route_kind_name(ROUTE_DELIVER), ==, "deliver");
        g_assert_cmpstr(route_kind_name(ROUTE_DISCARD), ==, "discard");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/router/records/right-ones", test_records_right);
        g_test_add_func("/router/records/wrong-ones-are-told", test_records_wrong);
        g_test_add_func("/router/records/added-and-removed-by-position-or-text", test_record_changes);
        g_test_add_func("/router/next-hops", test_next_hops);
        g_test_add_func("/router/policies/right-ones", test_policies_right);
        g_test_add_func("/router/policies/wrong-ones-are-told", test_policies_wrong);
        g_test_add_func("/router/policies/warnings", test_warnings);
        g_test_add_func("/router/policies/what-only-the-router-can-judge", test_domain_check);
        g_test_add_func("/router/words", test_words);
        return g_test_run();
}

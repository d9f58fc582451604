#include "fetch/internal.h"

#include "base/error.h"

#define RECEIVED "Received: from x by mx.prov with ESMTP id 1; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
#define INNER "Received: from mx.prov by store.prov with LMTP id 2; Thu, 1 Jan 2026 00:00:01 +0000\r\n"
#define TAIL "From: a@b.example\r\nTo: list@other.org\r\nSubject: x\r\n\r\nbody X-Envelope-To: ann@ex.org\r\n"

static const DomainMap DOMAINS[] = {{"ex.org", "ex.org"}, {"old.example", "ex.org"}};

/* One look-up, as text: "joe@ex.org ann@ex.org", "none", "many" or "foreign". */
static char *
find(const char *const *recipes, gsize n_recipes, guint hops, guint max, Span header)
{
        g_autoptr(Arena) arena = arena_new(4 << 20);
        g_autoptr(GString) text = g_string_new(NULL);
        Recipe parsed[4];
        const Address *found;
        gsize n;
        const char *reason;

        for (gsize i = 0; i < n_recipes; i++) {
                g_autoptr(GError) error = NULL;
                g_assert_true(recipe_parse(arena, recipes[i], &parsed[i], &error));
        }
        MultidropSettings settings = {parsed, n_recipes, DOMAINS, G_N_ELEMENTS(DOMAINS), hops, max};
        MultidropAnswer answer = multidrop_find(arena, header, &settings, &found, &n, &reason);

        g_assert_true((answer == MULTIDROP_FOUND) == (reason == NULL));
        g_assert_true((answer == MULTIDROP_FOUND) == (n > 0));
        if (answer != MULTIDROP_FOUND)
                return g_strdup(answer == MULTIDROP_NONE ? "none" : answer == MULTIDROP_TOO_MANY ? "many" : "foreign");
        for (gsize i = 0; i < n; i++) {
                Span one = address_text(arena, &found[i]);
                g_string_append_printf(text, "%s%.*s", i > 0 ? " " : "", (int) one.len, (const char *) one.data);
        }
        return g_strdup(text->str);
}

typedef struct Case {
        const char *recipe;
        guint hops, max;
        const char *above, *below; /* of the first Received line */
        const char *wanted;
} Case;

/* Rows of ROUTING §9 and their neighbours. */
static const Case CASES[] = {
        {"header Envelope-to", 0, 1, "Envelope-to: <joe@ex.org>\r\n", "", "joe@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to: joe@ex.org\r\n", "", "joe@ex.org"},
        {"header Envelope-to", 0, 1, "ENVELOPE-TO: JOE@EX.ORG\r\n", "", "JOE@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to:\r\n joe@ex.org\r\n", "", "joe@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to:\n\tJoe <joe@ex.org>\n", "", "joe@ex.org"},
        {"header Envelope-to:", 0, 1, "Envelope-to: joe@ex.org\r\n", "", "joe@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to: \"joe\"@ex.org (Joe)\r\n", "", "joe@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to : joe@ex.org\r\n", "", "joe@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to: joe@ex.org.\r\n", "", "joe@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to: joe@OLD.example\r\n", "", "joe@ex.org"},
        {"header Envelope", 0, 1, "Envelope-to: joe@ex.org\r\n", "", "none"},
        {"header X-Envelope-To", 0, 1, "Envelope-to: joe@ex.org\r\n", "", "none"},
        {"header X-Envelope-To", 0, 1, "", "X-Envelope-To: ann@ex.org\r\n", "none"},
        {"header X-Envelope-To", 0, 1, "X-Envelope-To: joe@ex.org\r\n", "X-Envelope-To: ann@ex.org\r\n", "joe@ex.org"},
        {"header X-Envelope-To", 0, 1, "X-Envelope-To: ann@ex.org\r\n", "", "ann@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to: joe@ex.org, ann@ex.org\r\n", "", "many"},
        {"header Envelope-to", 0, 50, "Envelope-to: joe@ex.org, ann@ex.org\r\n", "", "joe@ex.org ann@ex.org"},
        {"header Envelope-to", 0, 1, "Envelope-to: joe@ex.org, JOE@ex.org, joe@old.example\r\n", "", "joe@ex.org"},
        {"header Envelope-to", 0, 50, "Envelope-to: joe@ex.org, victim@other.org\r\n", "", "joe@ex.org"},
        {"header X-Envelope-To", 0, 1, "X-Envelope-To: victim@other.org\r\n", "", "foreign"},
        {"header X-Envelope-To", 0, 1, "X-Envelope-To: joe@sub.ex.org\r\n", "", "foreign"},
        {"header X-Envelope-To", 0, 1, "X-Envelope-To: victim%other.org@ex.org\r\n", "", "victim%other.org@ex.org"},
        {"header X-Envelope-To", 0, 1, "X-Envelope-To: joe\r\n", "", "none"},
        {"header X-Envelope-To", 0, 1, "X-Envelope-To: <>\r\n", "", "none"},
        {"header X-Envelope-To", 0, 1, "X-Envelope-To:\r\n", "", "none"},
        /* a provider with an inner hop writes two Received lines */
        {"header X-Envelope-To", 1, 1, INNER "X-Envelope-To: joe@ex.org\r\n", "X-Envelope-To: ann@ex.org\r\n",
         "joe@ex.org"},
        {"header X-Envelope-To", 1, 1, "X-Envelope-To: joe@ex.org\r\n", "", "none"},
        {"header X-Envelope-To", 0, 1, INNER "X-Envelope-To: joe@ex.org\r\n", "", "none"},
        /* nth counts within the block */
        {"header Delivered-To nth=2", 0, 1, "Delivered-To: ann@ex.org\r\nDelivered-To: joe@ex.org\r\n", "",
         "joe@ex.org"},
        {"header Delivered-To nth=2", 0, 1, "Delivered-To: joe@ex.org\r\n", "Delivered-To: ann@ex.org\r\n", "none"},
        {"header Delivered-To", 0, 1, "Delivered-To: box@prov\r\nDelivered-To: joe@ex.org\r\n", "", "joe@ex.org"},
        /* qmail's prefix, with its dash or without */
        {"header Delivered-To prefix=ex.org", 0, 1, "Delivered-To: ex.org-m.muster@ex.org\r\n", "", "m.muster@ex.org"},
        {"header Delivered-To prefix=ex.org-", 0, 1, "Delivered-To: EX.org-m.muster@ex.org\r\n", "", "m.muster@ex.org"},
        {"header Delivered-To prefix=ex.org", 0, 1, "Delivered-To: ex.orgm.muster@ex.org\r\n", "", "none"},
        {"header Delivered-To prefix=joe", 0, 1, "Delivered-To: joey@ex.org\r\n", "", "none"},
        {"header Delivered-To prefix=ex.org", 0, 1, "Delivered-To: ex.org-@ex.org\r\n", "", "none"},
        {"header Delivered-To prefix=u+", 0, 1, "Delivered-To: u+joe@ex.org\r\n", "", "joe@ex.org"},
        /* the `for` clause of the provider */
        {"received by=mx.prov", 0, 1, "Received: from x by mx.prov with ESMTP id 1 for joe@ex.org; date\r\n", "",
         "joe@ex.org"},
        {"received by=a.prov,MX.prov", 0, 1,
         "Received: from x (y [1.2.3.4])\r\n\tby mx.prov. (8.1) with ESMTP id 1\r\n\tfor <joe@ex.org>; date\r\n", "",
         "joe@ex.org"},
        {"received by=mx.prov", 0, 1, "Received: by mx.prov id 1 for <\"joe\"@ex.org> (x); date\r\n", "", "joe@ex.org"},
        {"received by=mx.prov", 0, 1, "", "Received: from y by evil for <ann@ex.org>; date\r\n", "none"},
        {"received by=mx.prov", 0, 1, "", "Received: from y by mx.prov for <ann@ex.org>; date\r\n", "none"},
        {"received by=mx.prov", 1, 1, "", "Received: from y by mx.prov for <ann@ex.org>; date\r\n", "none"},
        {"received by=mx.prov", 1, 1, INNER "Received: from y by mx.prov for <joe@ex.org>; date\r\n", "", "joe@ex.org"},
        {"received by=mx.prov", 0, 1, "Received: from by by mx.prov for <joe@ex.org>; date\r\n", "", "joe@ex.org"},
        {"received by=mx.prov", 0, 1, "Received: from x (by mx.prov for <ann@ex.org>) by evil; date\r\n", "", "none"},
        {"received by=mx.prov", 0, 1, "Received: from for by mx.prov; date for ann@ex.org\r\n", "", "none"},
        {"received by=mx.prov", 0, 1, "Received: from x by mx.prov for <victim@other.org>; date\r\n", "", "foreign"},
        {"received by=mx.prov", 0, 1, "Received: (((((((((((\r\n", "", "none"},
        /* guessing reads what the sender typed */
        {"guess to,cc", 0, 1, "", "Cc: joe@ex.org\r\n", "joe@ex.org"},
        {"guess to,cc", 0, 1, "", "Cc: joe@ex.org, ann@ex.org\r\n", "many"},
        {"guess to,cc", 0, 9, "", "Cc: staff: joe@ex.org, Ann <ann@old.example>;\r\n", "joe@ex.org ann@ex.org"},
        {"guess cc,resent-to", 0, 9, "", "Cc: ann@ex.org\r\nResent-To: joe@ex.org\r\n", "joe@ex.org"},
        {"guess cc", 0, 9, "", "X-Cc: ann@ex.org\r\n", "none"},
};

static void
test_cases(void)
{
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                const Case *c = &CASES[i];
                g_autofree char *text = g_strconcat(c->above, RECEIVED, c->below, TAIL, NULL);
                g_autofree char *found = find(&c->recipe, 1, c->hops, c->max, span_of(text));

                if (strcmp(found, c->wanted) != 0)
                        g_error("row %zu (%s): found %s, wanted %s in\n%s", i, c->recipe, found, c->wanted, text);
        }
}

static void
test_order_of_recipes(void)
{
        static const char *const RECIPES[] = {"header X-Rcpt-To", "header Envelope-to", "guess to"};
        static const char *const WANTED[][2] = {
                {"X-Rcpt-To: joe@ex.org\r\nEnvelope-to: ann@ex.org\r\n", "joe@ex.org"},
                {"Envelope-to: ann@ex.org\r\nX-Rcpt-To: joe@ex.org\r\n", "joe@ex.org"},
                {"X-Rcpt-To: victim@other.org\r\nEnvelope-to: ann@ex.org\r\n", "ann@ex.org"},
                {"X-Rcpt-To: joe@ex.org, ann@ex.org\r\nEnvelope-to: ann@ex.org\r\n", "many"},
                {"X-Other: joe@ex.org\r\n", "third@ex.org"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(WANTED); i++) {
                g_autofree char *text = g_strconcat(WANTED[i][0], RECEIVED, "To: third@ex.org\r\n\r\n", NULL);
                g_autofree char *found = find(RECIPES, 3, 0, 1, span_of(text));

                g_assert_cmpstr(found, ==, WANTED[i][1]);
        }
}

/* What a sender may put into his message: everything below the provider's Received line is his. */
static const char *const FORGERIES[] = {
        "X-Envelope-To: ann@ex.org\r\n",
        "x-envelope-to: <ann@ex.org>\r\n",
        "X-Envelope-To:ann@ex.org\r\nX-Envelope-To: ann@ex.org\r\n",
        "X-Envelope-To :\r\n ann@ex.org\r\n",
        "X-Envelope-To: ann@ex.org\r\n" RECEIVED,
        RECEIVED "X-Envelope-To: ann@ex.org\r\n",
        "X-Envelope-To: ann@ex.org\n" RECEIVED,
        "\r\nX-Envelope-To: ann@ex.org\r\n",
        "\r\n\r\nX-Envelope-To: ann@ex.org\r\n" RECEIVED "\r\n",
        "\nX-Envelope-To: ann@ex.org\r\n",
        "\rX-Envelope-To: ann@ex.org\r\n" RECEIVED,
        "X-A: b\rX-Envelope-To: ann@ex.org\r" RECEIVED,
        "X-A: b\nX-Envelope-To: ann@ex.org\n\n",
        " X-Envelope-To: ann@ex.org\r\n",
        "\tX-Envelope-To: ann@ex.org\r\n" RECEIVED,
        " by mx.prov for <ann@ex.org>; date\r\n",
        "From ann@ex.org Thu Jan  1 00:00:00 2026\r\nX-Envelope-To: ann@ex.org\r\n" RECEIVED,
        "no field at all\r\nX-Envelope-To: ann@ex.org\r\n" RECEIVED,
        ": X-Envelope-To: ann@ex.org\r\n",
        "X-Envelope-To: joe@ex.org, ann@ex.org\r\n",
        "Envelope-to: ann@ex.org\r\nDelivered-To: ann@ex.org\r\nX-Original-To: ann@ex.org\r\n",
        "Return-Path: <ann@ex.org>\r\nDelivered-To: ann@ex.org\r\nX-Envelope-To: ann@ex.org\r\n" INNER RECEIVED,
        "Received: from evil by mx.prov with ESMTP id 9 for <ann@ex.org>; date\r\n",
        "Received: from evil by mx.prov for ann@ex.org; date\r\nX-Envelope-To: ann@ex.org\r\n",
        "Received: by mx.prov for <ann@ex.org>\r\n" RECEIVED RECEIVED,
        "Resent-To: ann@ex.org\r\nResent-Cc: ann@ex.org\r\n",
        "To: ann@ex.org\r\nCc: ann@ex.org\r\nBcc: ann@ex.org\r\n",
        "Content-Type: message/rfc822\r\n\r\nX-Envelope-To: ann@ex.org\r\n" RECEIVED "\r\n",
        "X-Envelope-To: =?utf-8?q?ann=40ex.org?=\r\n",
        "X-Envelope-To: \"x\\\" <ann@ex.org>\r\n",
        "X-Envelope-To: ann@ex.org\r\nX-Envelope-To: victim@other.org\r\n",
};

/* 2 times 31 messages, by each kind of recipe that reads an envelope: no name of the sender's is ever found. */
static void
test_forgeries(void)
{
        static const char *const RECIPES[] = {"header X-Envelope-To", "received by=mx.prov",
                                              "header X-Envelope-To nth=2"};
        static const char *const OURS[] = {"X-Envelope-To: joe@ex.org\r\n",
                                           "Received: from x by mx.prov with ESMTP id 1 for <joe@ex.org>; date\r\n",
                                           NULL};

        for (gsize i = 0; i < G_N_ELEMENTS(FORGERIES); i++)
                for (gsize r = 0; r < G_N_ELEMENTS(RECIPES); r++) {
                        g_autofree char *bare = g_strconcat(RECEIVED, FORGERIES[i], TAIL, NULL);
                        g_autofree char *found = find(&RECIPES[r], 1, 0, 9, span_of(bare));

                        g_assert_cmpstr(found, ==, "none");
                        if (OURS[r] == NULL)
                                continue;
                        g_autofree char *headed = g_strconcat(OURS[r], RECEIVED, FORGERIES[i], TAIL, NULL);
                        g_autofree char *own = find(&RECIPES[r], 1, 0, 9, span_of(headed));
                        g_assert_cmpstr(own, ==, "joe@ex.org");
                }
}

/* A message without a single Received line has no block, whatever it says. */
static void
test_no_block(void)
{
        static const char *const RECIPES[] = {"header X-Envelope-To", "received by=mx.prov"};
        g_autofree char *text = g_strconcat("X-Envelope-To: joe@ex.org\r\n", TAIL, NULL);
        static const guint8 NULS[300];

        for (gsize r = 0; r < G_N_ELEMENTS(RECIPES); r++) {
                g_autofree char *found = find(&RECIPES[r], 1, 0, 1, span_of(text));
                g_autofree char *nothing = find(&RECIPES[r], 1, 0, 1, SPAN_EMPTY);
                g_autofree char *nuls = find(&RECIPES[r], 1, 0, 1, span_make(NULS, sizeof(NULS)));

                g_assert_cmpstr(found, ==, "none");
                g_assert_cmpstr(nothing, ==, "none");
                g_assert_cmpstr(nuls, ==, "none");
        }
}

static void
test_huge_header(void)
{
        static const char *const RECIPE = "header X-Envelope-To";
        g_autoptr(GString) text = g_string_new("X-Envelope-To: joe@ex.org\r\nX-Long: ");
        g_autoptr(GString) list = g_string_new("X-Envelope-To: joe@ex.org");

        for (gsize i = 0; i < 1 << 20; i++)
                g_string_append_c(text, 'a');
        g_string_append(text, "\r\n" RECEIVED TAIL);
        g_autofree char *found = find(&RECIPE, 1, 0, 1, span_make(text->str, text->len));
        g_assert_cmpstr(found, ==, "none"); /* its Received line lies beyond the limit of headers */

        for (gsize i = 0; i < 9000; i++)
                g_string_append_printf(list, ",\r\n u%zu@ex.org", i);
        g_string_append(list, "\r\n" RECEIVED TAIL);
        g_autofree char *many = find(&RECIPE, 1, 0, 100, span_make(list->str, list->len));
        g_assert_cmpstr(many, ==, "many");
}

static void
assert_sender(const char *text, guint hops, const char *wanted)
{
        g_autoptr(Arena) arena = arena_new(1 << 20);
        Header header;
        Address sender;

        g_assert_true(header_parse(arena, span_of(text), &header));
        multidrop_sender(arena, &header, hops, &sender);
        Span found = address_text(arena, &sender);
        g_autofree char *shown = span_dup(found);
        g_assert_cmpstr(shown, ==, wanted);
}

static void
test_sender(void)
{
        assert_sender("Return-Path: <a@b.example>\r\n" RECEIVED TAIL, 0, "a@b.example");
        assert_sender("X: y\r\nReturn-path: a@b.example\r\n" RECEIVED TAIL, 0, "a@b.example");
        assert_sender("Return-Path: <>\r\n" RECEIVED TAIL, 0, "");
        assert_sender("Return-Path: garbage\r\n" RECEIVED TAIL, 0, "");
        assert_sender("Return-Path: <postmaster>\r\n" RECEIVED TAIL, 0, "");
        assert_sender(RECEIVED "Return-Path: <victim@other.org>\r\n" TAIL, 0, "");
        assert_sender("Return-Path: <victim@other.org>\r\n" TAIL, 0, "");
        assert_sender(INNER "Return-Path: <a@b.example>\r\n" RECEIVED TAIL, 1, "a@b.example");
        assert_sender("Return-Path: <a@b.example>\r\nReturn-Path: <victim@other.org>\r\n" RECEIVED TAIL, 0,
                      "a@b.example");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/fetch/multidrop/cases of routing", test_cases);
        g_test_add_func("/fetch/multidrop/the first recipe that yields an address wins", test_order_of_recipes);
        g_test_add_func("/fetch/multidrop/forged headers are never found", test_forgeries);
        g_test_add_func("/fetch/multidrop/no Received line, no block", test_no_block);
        g_test_add_func("/fetch/multidrop/huge headers are bounded", test_huge_header);
        g_test_add_func("/fetch/multidrop/the sender is the Return-Path of the block", test_sender);
        return g_test_run();
}

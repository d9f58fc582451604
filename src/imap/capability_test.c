/* Each capability, switched off for a client and for an account: it is gone for them and there for others. */
#include "imap/talk_test.h"

#define CLIENT "id ID (\"name\" \"Broken\" \"version\" \"1\")\r\n"

/* What shows that a capability is there: the answer to `say` has `sign`. When it is off the answer has no `sign`, and
 * is BAD unless `is_mild`. */
typedef struct Probe {
        const char *capability, *say, *sign;
        gboolean is_mild;
} Probe;

#define MESSAGE "{3+}\r\nx:y"

static const Probe PROBES[] = {
        {"IMAP4rev1", "a LSUB \"\" *", "a OK"},
        {"IMAP4rev1", "a CHECK", "a OK"},
        {"IMAP4rev1", "a FETCH 1 RFC822.HEADER", "a OK"},
        {"IMAP4rev1", "a FETCH 1 RFC822", "a OK"},
        {"IMAP4rev1", "a FETCH 1 RFC822.TEXT", "a OK"},
        {"IMAP4rev1", "a SEARCH RECENT", "a OK"},
        {"IMAP4rev1", "a SEARCH NEW", "a OK"},
        {"IMAP4rev1", "a SEARCH OLD", "a OK"},
        {"IMAP4rev1", "a STATUS INBOX (RECENT)", "a OK"},
        {"IMAP4rev1", "a SELECT INBOX", " RECENT", TRUE},
        {"IMAP4rev2", "a ENABLE IMAP4rev2", "* ENABLED IMAP4rev2", TRUE},
        {"STARTTLS", "a STARTTLS", "already logged in"},
        {"ID", "a ID NIL", "* ID"},
        {"ENABLE", "a ENABLE CONDSTORE", "a OK"},
        {"ENABLE", "a CAPABILITY", " IMAP4rev2", TRUE},
        {"IDLE", "a IDLE\r\nDONE", "+ idling"},
        {"UNSELECT", "a UNSELECT", "a OK"},
        {"CONDSTORE", "a SELECT INBOX", "HIGHESTMODSEQ", TRUE},
        {"CONDSTORE", "a SELECT INBOX (CONDSTORE)", "a OK"},
        {"CONDSTORE", "a FETCH 1 MODSEQ", "a OK"},
        {"CONDSTORE", "a FETCH 1 FLAGS (CHANGEDSINCE 1)", "a OK"},
        {"CONDSTORE", "a SEARCH MODSEQ 1", "a OK"},
        {"CONDSTORE", "a STORE 1 (UNCHANGEDSINCE 1) FLAGS ()", "a OK"},
        {"CONDSTORE", "a STATUS INBOX (HIGHESTMODSEQ)", "a OK"},
        {"CONDSTORE", "a ENABLE CONDSTORE", "ENABLED CONDSTORE", TRUE},
        {"CONDSTORE", "a CAPABILITY", " QRESYNC", TRUE},
        {"QRESYNC", "a ENABLE QRESYNC", " QRESYNC\r\n", TRUE},
        {"QRESYNC", "e ENABLE QRESYNC\r\na SELECT INBOX (QRESYNC (1 1))", "a OK"},
        {"UIDPLUS", "a UID EXPUNGE 1", "a OK"},
        {"UIDPLUS", "a COPY 1 INBOX", "COPYUID", TRUE},
        {"UIDPLUS", "a MOVE 1 INBOX", "COPYUID", TRUE},
        {"UIDPLUS", "a APPEND INBOX " MESSAGE, "APPENDUID", TRUE},
        {"UIDPLUS", "a REPLACE 1 INBOX " MESSAGE, "APPENDUID", TRUE},
        {"MOVE", "a MOVE 1 INBOX", "a OK"},
        {"MOVE", "a UID MOVE 1 INBOX", "a OK"},
        {"MULTIAPPEND", "a APPEND INBOX " MESSAGE " " MESSAGE, "a OK"},
        {"CATENATE", "a APPEND INBOX CATENATE (TEXT " MESSAGE ")", "a OK"},
        {"REPLACE", "a REPLACE 1 INBOX " MESSAGE, "a OK"},
        {"REPLACE", "a UID REPLACE * INBOX " MESSAGE, "a OK"},
        {"BINARY", "a FETCH 1 BINARY[]", "a OK"},
        {"BINARY", "a FETCH 1 BINARY.PEEK[1]", "a OK"},
        {"BINARY", "a FETCH 1 BINARY.SIZE[1]", "a OK"},
        {"BINARY", "a APPEND INBOX ~" MESSAGE, "a OK"},
        {"BINARY", "a APPEND INBOX CATENATE (TEXT ~" MESSAGE ")", "a OK"},
        {"APPENDLIMIT", "a STATUS INBOX (APPENDLIMIT)", "a OK"},
        {"OBJECTID", "a FETCH 1 EMAILID", "a OK"},
        {"OBJECTID", "a FETCH 1 THREADID", "a OK"},
        {"OBJECTID", "a SEARCH EMAILID x", "a OK"},
        {"OBJECTID", "a SEARCH THREADID x", "a OK"},
        {"OBJECTID", "a STATUS INBOX (MAILBOXID)", "a OK"},
        {"OBJECTID", "a SELECT INBOX", "MAILBOXID", TRUE},
        {"OBJECTID", "a CREATE With-id", "MAILBOXID", TRUE},
        {"SAVEDATE", "a FETCH 1 SAVEDATE", "a OK"},
        {"SAVEDATE", "a SEARCH SAVEDATESUPPORTED", "a OK"},
        {"SAVEDATE", "a SEARCH SAVEDSINCE 1-Jan-2020", "a OK"},
        {"SAVEDATE", "a SEARCH SAVEDBEFORE 1-Jan-2020", "a OK"},
        {"SAVEDATE", "a SEARCH SAVEDON 1-Jan-2020", "a OK"},
        {"PREVIEW", "a FETCH 1 PREVIEW", "a OK"},
        {"PREVIEW", "a FETCH 1 (PREVIEW (LAZY))", "a OK"},
        {"MESSAGELIMIT", "a FETCH 1:* FLAGS", "MESSAGELIMIT", TRUE},
        {"MESSAGELIMIT", "a SEARCH UIDAFTER 1", "a OK"},
        {"MESSAGELIMIT", "a SEARCH UIDBEFORE 3", "a OK"},
        {"UIDONLY", "a ENABLE UIDONLY", "ENABLED UIDONLY", TRUE},
        {"UTF8=ACCEPT", "a ENABLE UTF8=ACCEPT", "ENABLED UTF8=ACCEPT", TRUE},
        {"UTF8=ACCEPT", "e ENABLE UTF8=ACCEPT IMAP4rev2\r\na APPEND INBOX UTF8 (~" MESSAGE ")", "a OK"},
        {"ESEARCH", "a SEARCH RETURN () ALL", "a OK"},
        {"ESEARCH", "a UID SEARCH RETURN (MIN MAX COUNT) ALL", "a OK"},
        {"ESEARCH", "a ESEARCH IN (personal) ALL", "a OK"},
        {"SEARCHRES", "a SEARCH RETURN (SAVE) ALL", "a OK"},
        {"SEARCHRES", "a FETCH $ FLAGS", "a OK"},
        {"SEARCHRES", "a SEARCH $", "a OK"},
        {"WITHIN", "a SEARCH OLDER 1", "a OK"},
        {"WITHIN", "a SEARCH YOUNGER 1", "a OK"},
        {"PARTIAL", "a FETCH 1:2 FLAGS (PARTIAL 1:1)", "a OK"},
        {"PARTIAL", "a SEARCH RETURN (PARTIAL -1:-1) ALL", "a OK"},
        {"SEARCH=FUZZY", "a SEARCH FUZZY SUBJECT one", "a OK"},
        {"SEARCH=FUZZY", "a SEARCH RETURN (RELEVANCY) FUZZY SUBJECT one", "a OK"},
        {"SEARCH=FUZZY", "a SORT (RELEVANCY) UTF-8 FUZZY SUBJECT one", "a OK"},
        {"MULTISEARCH", "a ESEARCH IN (personal) ALL", "a OK"},
        {"CONTEXT=SEARCH", "a SEARCH RETURN (CONTEXT) ALL", "a OK"},
        {"CONTEXT=SEARCH", "a SEARCH RETURN (UPDATE) ALL", "a OK"},
        {"CONTEXT=SORT", "a SORT RETURN (CONTEXT) (DATE) UTF-8 ALL", "a OK"},
        {"CONTEXT=SORT", "a SORT RETURN (UPDATE) (DATE) UTF-8 ALL", "a OK"},
        {"SORT", "a SORT (DATE) UTF-8 ALL", "a OK"},
        {"SORT", "a UID SORT (DATE) UTF-8 ALL", "a OK"},
        {"SORT", "a CAPABILITY", "SORT", TRUE},
        {"SORT=DISPLAY", "a SORT (DISPLAYFROM) UTF-8 ALL", "a OK"},
        {"SORT=DISPLAY", "a SORT (REVERSE DISPLAYTO) UTF-8 ALL", "a OK"},
        {"ESORT", "a SORT RETURN (COUNT) (DATE) UTF-8 ALL", "a OK"},
        {"THREAD=ORDEREDSUBJECT", "a THREAD ORDEREDSUBJECT UTF-8 ALL", "a OK"},
        {"THREAD=REFERENCES", "a THREAD REFERENCES UTF-8 ALL", "a OK"},
        {"THREAD=REFS", "a UID THREAD REFS UTF-8 ALL", "a OK"},
        {"NAMESPACE", "a NAMESPACE", "a OK"},
        {"CHILDREN", "a LIST \"\" *", "HasNoChildren", TRUE},
        {"CHILDREN", "a LIST \"\" * RETURN (CHILDREN)", "a OK"},
        {"LIST-EXTENDED", "a LIST \"\" (INBOX Archive)", "a OK"},
        {"LIST-EXTENDED", "a LIST (SUBSCRIBED) \"\" *", "a OK"},
        {"LIST-EXTENDED", "a LIST () \"\" *", "a OK"},
        {"LIST-EXTENDED", "a LIST \"\" * RETURN (SUBSCRIBED)", "a OK"},
        {"LIST-EXTENDED", "a LIST \"\" * RETURN (STATUS (MESSAGES))", "a OK"},
        {"LIST-STATUS", "a LIST \"\" * RETURN (STATUS (MESSAGES))", "a OK"},
        {"LIST-MYRIGHTS", "a LIST \"\" * RETURN (MYRIGHTS)", "a OK"},
        {"LIST-METADATA", "a LIST \"\" * RETURN (METADATA (/shared/comment))", "a OK"},
        {"SPECIAL-USE", "a LIST \"\" *", "\\Sent", TRUE},
        {"SPECIAL-USE", "a LIST (SPECIAL-USE) \"\" *", "a OK"},
        {"SPECIAL-USE", "a LIST \"\" * RETURN (SPECIAL-USE)", "a OK"},
        {"CREATE-SPECIAL-USE", "a CREATE Drafts (USE (\\Drafts))", "a OK"},
        {"STATUS=SIZE", "a STATUS INBOX (SIZE)", "a OK"},
        {"ACL", "a SETACL INBOX anyone l", "a OK"},
        {"ACL", "a DELETEACL INBOX anyone", "a OK"},
        {"ACL", "a GETACL INBOX", "a OK"},
        {"ACL", "a LISTRIGHTS INBOX anyone", "a OK"},
        {"ACL", "a MYRIGHTS INBOX", "a OK"},
        {"ACL", "a LIST \"\" * RETURN (MYRIGHTS)", "a OK"},
        {"RIGHTS=kxte", "a MYRIGHTS INBOX", "kxte", TRUE},
        {"RIGHTS=kxte", "a LISTRIGHTS INBOX anyone", " k x t e", TRUE},
        {"RIGHTS=kxte", "a SETACL INBOX anyone +k", "a OK"},
        {"METADATA", "a GETMETADATA \"\" /shared/comment", "a OK"},
        {"METADATA", "a SETMETADATA INBOX (/private/comment \"x\")", "a OK"},
        {"METADATA", "a NOTIFY SET (personal (MailboxMetadataChange))", "a OK", TRUE},
        {"METADATA", "a NOTIFY SET (personal (No))", "MetadataChange", TRUE},
        {"QUOTA", "a GETQUOTAROOT INBOX", "a OK"},
        {"QUOTA", "a GETQUOTA x", "a NO"},
        {"QUOTA", "a SETQUOTA x ()", "a NO"},
        {"QUOTA=RES-STORAGE", "a GETQUOTAROOT INBOX", "STORAGE", TRUE},
        {"QUOTA=RES-STORAGE", "a STATUS INBOX (DELETED-STORAGE)", "a OK"},
        {"QUOTA=RES-MESSAGE", "a GETQUOTAROOT INBOX", "MESSAGE", TRUE},
        {"NOTIFY", "a NOTIFY NONE", "a OK"},
        {"UIDBATCHES", "a UIDBATCHES 1000", "a OK"},
        {"COMPRESS=DEFLATE", "a COMPRESS X", "a BAD syntax"},
        {"UNAUTHENTICATE", "a UNAUTHENTICATE", "a OK"},
};

/* Those whose being off is shown by tests of their own, or by nothing but the list (I18NLEVEL=1). */
static const char *const ELSEWHERE[] = {"LITERAL+",      "LITERAL-",   "SASL-IR",
                                        "LOGINDISABLED", "INPROGRESS", "I18NLEVEL=1"};

typedef struct SwitchSite {
        TestSite site;
        Viewer joe, ann;
} SwitchSite;

/* With limits, so that there are some to be told. */
static Viewer
add_account(SwitchSite *s, const char *address)
{
        const KeyValue limits[] = {{"quota", "1000000"}, {"quota-messages", "1000"}};
        Viewer viewer = {.address = address, .client = "127.0.0.1"};
        g_autoptr(GError) error = NULL;
        DbTxn *txn = db_begin(s->site.db, &error);

        g_assert_cmpint(directory_account_add(s->site.directory, txn, address, NULL, limits, G_N_ELEMENTS(limits),
                                              &viewer.account, &error),
                        ==, CHANGE_DONE);
        test_commit(txn);
        g_assert_no_error(error);
        g_assert_nonnull(test_mailbox(&s->site, &viewer, "INBOX"));
        (void) test_create_as(&s->site, &viewer, "Sent", USE_SENT);
        return viewer;
}

static void
open_site(SwitchSite *s)
{
        test_site_open(&s->site);
        test_domain(&s->site, "ex.org");
        s->joe = add_account(s, "joe@ex.org");
        s->ann = add_account(s, "ann@ex.org");
}

static gboolean has_limit; /* MESSAGELIMIT is shown */

/* Logged in, with `say` before it. What was said is in h->output. */
static void
open_session(SwitchSite *s, Harness *h, const char *const *off, gboolean is_ann, const char *say)
{
        g_autofree char *all = g_strconcat(say, "in LOGIN x right\r\n", NULL);

        *h = (Harness){.store = s->site.store,
                       .directory = s->site.directory,
                       .account = is_ann ? s->ann.account : s->joe.account,
                       .local = is_ann ? "ann" : "joe",
                       .keeps_recent = TRUE,
                       .settings = {.off = off, .message_limit = has_limit ? 2 : 0}};
        harness_open(h);
        harness_say(h, span_of(all));
        g_assert_nonnull(strstr(h->output->str, "in OK [CAPABILITY "));
}

static void
fill_inbox(SwitchSite *s, gboolean is_ann)
{
        Harness h;

        open_session(s, &h, NULL, is_ann, "");
        for (guint i = 0; i < 3; i++)
                harness_say(&h, span_of("a APPEND INBOX {20+}\r\nSubject: one\r\n\r\ntwo\r\n"));
        g_assert_nonnull(strstr(h.output->str, "a OK"));
        harness_close(&h);
}

/* Of the list that was told last. */
static gboolean
is_listed(const Harness *h, const char *capability)
{
        const char *list = g_strrstr(h->output->str, "CAPABILITY ");
        g_autofree char *alone = g_strconcat(" ", capability, " ", NULL);
        g_autofree char *last = g_strconcat(" ", capability, "]", NULL);
        g_autofree char *end = g_strconcat(" ", capability, "\r\n", NULL);
        g_autofree char *valued = g_strconcat(" ", capability, "=", NULL);

        g_assert_nonnull(list);
        return strstr(list, alone) != NULL || strstr(list, last) != NULL || strstr(list, end) != NULL ||
               (strchr(capability, '=') == NULL && strstr(list, valued) != NULL &&
                g_str_has_suffix(capability, "LIMIT"));
}

static void
probe(Harness *h, const Probe *p, gboolean is_on)
{
        g_autofree char *line = g_strconcat(p->say, "\r\n", NULL);

        harness_say(h, span_of("sel SELECT INBOX\r\n"));
        g_assert_nonnull(strstr(h->output->str, "sel OK"));
        harness_say(h, span_of(line));
        if ((strstr(h->output->str, p->sign) != NULL) != is_on)
                g_error("%s is %s: '%s' was answered with '%s'", p->capability, is_on ? "on" : "off", p->say,
                        h->output->str);
        if (!is_on && !p->is_mild && strstr(h->output->str, "a BAD ") == NULL)
                g_error("%s is off: '%s' was answered with '%s'", p->capability, p->say, h->output->str);
}

/* Probes in a session that has begun; each finds a session that has enabled nothing. */
static guint
probe_all(SwitchSite *s, const char *capability, const char *const *off, gboolean is_ann, const char *say,
          gboolean is_on)
{
        guint n = 0;

        for (gsize i = 0; i < G_N_ELEMENTS(PROBES); i++) {
                Harness h;
                if (strcmp(PROBES[i].capability, capability) != 0)
                        continue;
                open_session(s, &h, off, is_ann, say);
                probe(&h, &PROBES[i], is_on);
                harness_close(&h);
                n++;
        }
        return n;
}

static gboolean
is_shown_elsewhere(const char *capability)
{
        for (gsize i = 0; i < G_N_ELEMENTS(ELSEWHERE); i++)
                if (strcmp(ELSEWHERE[i], capability) == 0)
                        return TRUE;
        return g_str_has_prefix(capability, "AUTH=");
}

static void
test_one(SwitchSite *s, const char *capability)
{
        g_autofree char *by_client = g_strconcat(capability, " client=Broken/*", NULL);
        g_autofree char *by_account = g_strconcat(capability, " account=ann@*", NULL);
        const char *const off[] = {by_client, by_account, NULL};
        gboolean is_before_login = g_str_has_prefix(capability, "AUTH=") || strcmp(capability, "SASL-IR") == 0 ||
                                   strcmp(capability, "STARTTLS") == 0 || strcmp(capability, "LITERAL-") == 0;
        Harness h;

        g_test_message("%s", capability);
        has_limit = strcmp(capability, "MESSAGELIMIT") == 0;
        open_session(s, &h, off, FALSE, "");
        g_assert_cmpint(is_listed(&h, capability), ==, !is_before_login);
        harness_close(&h);
        open_session(s, &h, off, FALSE, CLIENT);
        g_assert_false(is_listed(&h, capability));
        harness_close(&h);
        open_session(s, &h, off, TRUE, "");
        g_assert_false(is_listed(&h, capability));
        harness_close(&h);
        guint n = probe_all(s, capability, off, FALSE, "", TRUE);
        (void) probe_all(s, capability, off, FALSE, CLIENT, FALSE);
        (void) probe_all(s, capability, off, TRUE, "", FALSE);
        g_assert_true(n > 0 || is_shown_elsewhere(capability));
}

static void
test_each(void)
{
        SwitchSite s;

        open_site(&s);
        fill_inbox(&s, FALSE);
        fill_inbox(&s, TRUE);
        for (gsize i = 0; imap_capability(i) != NULL; i++)
                if (strcmp(imap_capability(i)->name, "LOGINDISABLED") != 0)
                        test_one(&s, imap_capability(i)->name);
        has_limit = FALSE;
        test_site_close(&s.site);
}

/* LITERAL+ and LITERAL- (RFC 7888) -------------------------------------------------------------------------------- */

/* What comes unasked is passed over and never read as a command. */
static void
test_literals(void)
{
        static const char *const no_plus[] = {"LITERAL+", NULL}, *const none[] = {"LITERAL+", "LITERAL-", NULL};
        g_autofree char *long_text = g_strnfill(5000, 'x');
        g_autofree char *say = g_strconcat("a STATUS {5000+}\r\n", long_text, " (MESSAGES)\r\nb NOOP\r\n", NULL);
        SwitchSite s;
        Harness h;

        open_site(&s);
        open_session(&s, &h, no_plus, FALSE, "");
        g_assert_true(is_listed(&h, "LITERAL-"));
        harness_expect(&h, say, "a BAD [TOOBIG] LITERAL- allows 4096 octets\r\nb OK nothing done\r\n");
        harness_expect(&h, "a SUBSCRIBE {5+}\r\nINBOX\r\n", "a OK subscribed\r\n");
        harness_close(&h);
        open_session(&s, &h, none, FALSE, "");
        g_assert_false(is_listed(&h, "LITERAL-"));
        harness_expect(&h, "a SUBSCRIBE {5+}\r\nINBOX\r\nb NOOP\r\n",
                       "a BAD literals are asked for first\r\nb OK nothing done\r\n");
        harness_expect(&h, "a SUBSCRIBE {5}\r\nINBOX\r\n", "+ OK\r\na OK subscribed\r\n");
        harness_close(&h);
        test_site_close(&s.site);
}

/* Before login ---------------------------------------------------------------------------------------------------- */

static void
test_before_login(void)
{
        static const char *const off[] = {"SASL-IR client=Broken*", "AUTH=PLAIN client=Broken*", "IDLE", NULL};
        Harness h = {.settings.off = off};

        harness_open(&h);
        g_assert_true(is_listed(&h, "SASL-IR") && is_listed(&h, "AUTH=PLAIN") && !is_listed(&h, "IDLE"));
        harness_expect(&h, "a AUTHENTICATE LOGIN am9l\r\n*\r\n",
                       "+ UGFzc3dvcmQ6\r\na BAD authentication cancelled\r\n");
        harness_say(&h, span_of(CLIENT));
        g_assert_true(!is_listed(&h, "SASL-IR") && !is_listed(&h, "AUTH=PLAIN") && is_listed(&h, "AUTH=LOGIN"));
        harness_expect(&h, "a AUTHENTICATE PLAIN\r\n", "a NO [CANNOT] mechanism not supported\r\n");
        harness_expect(&h, "a AUTHENTICATE LOGIN am9l\r\n",
                       "a BAD syntax: AUTHENTICATE mechanism [initial-response]\r\n");
        harness_say(&h, span_of("a ID NIL\r\n")); /* another client now */
        g_assert_true(is_listed(&h, "SASL-IR") && is_listed(&h, "AUTH=PLAIN"));
        harness_close(&h);
}

/* Applied anew ---------------------------------------------------------------------------------------------------- */

/* RFC 2971: ID may come behind login, too. Told again only when something is another. */
static void
test_told_again(void)
{
        static const char *const off[] = {"MOVE client=Broken*", NULL};
        SwitchSite s;
        Harness h;

        open_site(&s);
        open_session(&s, &h, off, FALSE, "");
        g_assert_true(is_listed(&h, "MOVE"));
        harness_expect(&h, "a ID (\"name\" \"Fine\")\r\n",
                       "* ID (\"name\" \"Restante\")\r\na OK pleased to meet you\r\n");
        harness_say(&h, span_of(CLIENT));
        g_assert_nonnull(strstr(h.output->str, "\r\n* CAPABILITY "));
        g_assert_false(is_listed(&h, "MOVE"));
        harness_say(&h, span_of("a CAPABILITY\r\n"));
        g_assert_false(is_listed(&h, "MOVE"));
        harness_say(&h, span_of("a UNAUTHENTICATE\r\nb LOGIN x right\r\n")); /* the client is the same */
        g_assert_false(is_listed(&h, "MOVE"));
        harness_close(&h);
        test_site_close(&s.site);
}

/* RFC 5161 §3.1: there is no way to take back what has been enabled. */
static void
test_enabled_stays(void)
{
        static const char *const off[] = {"CONDSTORE client=Broken*", "ENABLE client=Broken*", NULL};
        SwitchSite s;
        Harness h;

        open_site(&s);
        open_session(&s, &h, off, FALSE, "");
        harness_say(&h, span_of("a ENABLE QRESYNC\r\n" CLIENT));
        g_assert_true(is_listed(&h, "QRESYNC") && is_listed(&h, "CONDSTORE"));
        g_assert_false(is_listed(&h, "ENABLE"));
        g_assert_false(is_listed(&h, "UIDONLY"));
        harness_say(&h, span_of("a SELECT INBOX (QRESYNC (1 1))\r\n"));
        g_assert_nonnull(strstr(h.output->str, "HIGHESTMODSEQ"));
        g_assert_nonnull(strstr(h.output->str, "a OK"));
        harness_close(&h);
        test_site_close(&s.site);
}

/* What stands on something else goes with it. */
static void
test_needs(void)
{
        static const struct {
                const char *off;
                const char *gone[7];
        } rows[] = {
                {"CONDSTORE", {"QRESYNC"}},
                {"ENABLE", {"IMAP4rev2", "QRESYNC", "UTF8=ACCEPT", "UIDONLY"}},
                {"ESEARCH", {"SEARCHRES", "MULTISEARCH", "CONTEXT=SEARCH"}},
                {"SORT", {"SORT=DISPLAY", "ESORT", "CONTEXT=SORT"}},
                {"LIST-EXTENDED", {"LIST-STATUS", "LIST-MYRIGHTS", "LIST-METADATA"}},
                {"SPECIAL-USE", {"CREATE-SPECIAL-USE"}},
                {"ACL", {"RIGHTS=kxte", "LIST-MYRIGHTS"}},
                {"METADATA", {"LIST-METADATA"}},
                {"QUOTA", {"QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"}},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                const char *const off[] = {rows[i].off, NULL};
                Harness h = {.settings.off = off};
                harness_open(&h);
                harness_log_in(&h);
                for (gsize j = 0; rows[i].gone[j] != NULL; j++) {
                        g_test_message("%s without %s", rows[i].gone[j], rows[i].off);
                        g_assert_false(is_listed(&h, rows[i].gone[j]));
                }
                harness_close(&h);
        }
}

/* A command of several capabilities is there while one of them is. */
static void
test_shared_commands(void)
{
        static const char *const off[] = {
                "THREAD=REFS",    "THREAD=REFERENCES",           "THREAD=ORDEREDSUBJECT client=Broken*",
                "CONTEXT=SEARCH", "CONTEXT=SORT client=Broken*", NULL};
        SwitchSite s;
        Harness h;

        open_site(&s);
        open_session(&s, &h, off, FALSE, "");
        harness_say(&h, span_of("s SELECT INBOX\r\n"));
        harness_expect(&h, "a THREAD REFS UTF-8 ALL\r\n", "a BAD syntax: THREAD algorithm charset key...\r\n");
        harness_expect(&h, "a THREAD ORDEREDSUBJECT UTF-8 ALL\r\n", "* THREAD\r\na OK done\r\n");
        harness_expect(&h, "a CANCELUPDATE \"x\"\r\n", "a OK no further updates of these\r\n");
        harness_say(&h, span_of(CLIENT));
        harness_expect(&h, "a THREAD ORDEREDSUBJECT UTF-8 ALL\r\n", "a BAD unknown command\r\n");
        harness_expect(&h, "a CANCELUPDATE \"x\"\r\n", "a BAD unknown command\r\n");
        harness_close(&h);
        test_site_close(&s.site);
}

/* Only IMAP4rev2 is left: it needs no ENABLE (RFC 9051 §6.3.1). One of the two stays whatever the rules say. */
static void
test_revisions(void)
{
        static const char *const rev2_only[] = {"IMAP4rev1", "ENABLE", NULL};
        static const char *const none[] = {"IMAP4rev1 account=joe*", "IMAP4rev2 client=Broken*", NULL};
        SwitchSite s;
        Harness h;

        open_site(&s);
        open_session(&s, &h, rev2_only, FALSE, "");
        g_assert_true(is_listed(&h, "IMAP4rev2") && !is_listed(&h, "IMAP4rev1"));
        harness_say(&h, span_of("a SELECT inbox\r\nb SEARCH ALL\r\n"));
        g_assert_nonnull(strstr(h.output->str, "* LIST () \"/\" INBOX (\"OLDNAME\" (inbox))\r\na OK"));
        g_assert_null(strstr(h.output->str, "RECENT"));
        g_assert_nonnull(strstr(h.output->str, "* ESEARCH (TAG \"b\")\r\nb OK"));
        harness_close(&h);
        open_session(&s, &h, none, FALSE, CLIENT);
        g_assert_true(is_listed(&h, "IMAP4rev1") && !is_listed(&h, "IMAP4rev2"));
        harness_close(&h);
        open_session(&s, &h, none, FALSE, "");
        harness_say(&h, span_of(CLIENT)); /* it speaks IMAP4rev2 already */
        g_assert_true(!strstr(h.output->str, "CAPABILITY"));
        harness_close(&h);
        test_site_close(&s.site);
}

/* INPROGRESS (RFC 9585) comes after seconds: here the time is set. */
static void
test_progress(void)
{
        static const char *const off[] = {"INPROGRESS client=Broken*", NULL};
        Harness h = {.settings.off = off};

        harness_open(&h);
        g_string_truncate(h.output, 0);
        imap_progress(h.session, 1, 2);
        harness_run(&h);
        g_assert_nonnull(strstr(h.output->str, "[INPROGRESS ("));
        harness_say(&h, span_of(CLIENT));
        h.session->progress_due = 0;
        imap_progress(h.session, 1, 2);
        harness_expect(&h, "a NOOP\r\n", "a OK nothing done\r\n");
        harness_close(&h);
}

/* Rules ----------------------------------------------------------------------------------------------------------- */

static void
test_rules(void)
{
        static const char *const good[] = {"quota=res-message",
                                           "MOVE client=Old Mail/1*",
                                           "IMAP4rev1 account=joe@ex.org",
                                           "IMAP4rev2 account=ann@ex.org",
                                           "LITERAL+",
                                           "THREAD=REFS account=*@ex.org",
                                           NULL};
        static const char *const bad[][2] = {
                {"CONDSTOR", "'CONDSTOR': there is no capability of that name; is it CONDSTORE that is meant?"},
                {"THREAD", "'THREAD': there is no capability of that name; is it THREAD=ORDEREDSUBJECT that is meant?"},
                {"X", "'X': there is no capability of that name; is it QRESYNC that is meant?"},
                {"LOGINDISABLED", "'LOGINDISABLED' is no extension"},
                {"MOVE user=joe", "'user=joe': give client=NAME/VERSION or account=ADDRESS"},
        };
        static const char *const revisions[][2] = {
                {"IMAP4rev1", "IMAP4rev2"},
                {"IMAP4rev1 client=A*", "IMAP4rev2"},
                {"IMAP4rev2 account=joe@ex.org", "imap4REV1 account=joe@ex.org"},
        };
        GError *error = NULL;

        g_assert_true(imap_check_off(good, &error));
        for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
                const char *const rules[] = {bad[i][0], NULL};
                g_assert_false(imap_check_off(rules, &error));
                g_assert_true(g_str_has_prefix(error->message, bad[i][1]));
                g_clear_error(&error);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(revisions); i++) {
                const char *const rules[] = {revisions[i][0], revisions[i][1], NULL};
                g_assert_false(imap_check_off(rules, &error));
                g_assert_cmpstr(error->message, ==, "IMAP4rev1 and IMAP4rev2 can't both be off: leave one of them");
                g_clear_error(&error);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/capability/each is off for a client and for an account, and on for others", test_each);
        g_test_add_func("/imap/capability/literals without LITERAL+ and LITERAL- (RFC 7888 §4, §5)", test_literals);
        g_test_add_func("/imap/capability/SASL-IR and AUTH= before login", test_before_login);
        g_test_add_func("/imap/capability/the list is told again when ID changes it (RFC 2971)", test_told_again);
        g_test_add_func("/imap/capability/what is enabled stays (RFC 5161 §3.1)", test_enabled_stays);
        g_test_add_func("/imap/capability/what needs another goes with it", test_needs);
        g_test_add_func("/imap/capability/commands of several", test_shared_commands);
        g_test_add_func("/imap/capability/IMAP4rev1 off is IMAP4rev2 without ENABLE (RFC 9051 §6.3.1)", test_revisions);
        g_test_add_func("/imap/capability/INPROGRESS off (RFC 9585)", test_progress);
        g_test_add_func("/imap/capability/rules are checked", test_rules);
        return g_test_run();
}

/* acl_test.c -- who may do what to a mailbox (RFC 4314), and what is not told to whom it is not there. */
#include "store/testing.h"
#include "store/tree.h"

#include <sqlite3.h>

typedef struct Fixture {
        TestSite site;
        Viewer ann, joe, max; /* ann owns */
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
        test_site_open(&f->site);
        test_domain(&f->site, "ex.org");
        test_domain(&f->site, "far.org");
        f->ann = test_account(&f->site, "Ann@ex.org", NULL, NULL);
        f->joe = test_account(&f->site, "joe@ex.org", NULL, NULL);
        f->max = test_account(&f->site, "max@far.org", NULL, NULL);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
        test_site_close(&f->site);
}

static const char *
rights(Fixture *f, const Viewer *who, const char *name)
{
        const Mailbox *m = NULL;
        char text[16];

        if (test_find(&f->site, who, name, 0, &m) != MAILBOX_DONE)
                return "-";
        return arena_strdup(f->site.arena, rights_text(m->rights, text));
}

static void
grant(Fixture *f, const char *name, const char *identifier, const char *text)
{
        g_assert_cmpint(test_grant(&f->site, &f->ann, name, identifier, text), ==, MAILBOX_DONE);
}

static char *
acl(Fixture *f, const Viewer *who, const char *name)
{
        g_autoptr(GError) error = NULL;
        GString *s = g_string_new(NULL);
        const AclEntry *at;
        gsize n;
        char text[16];

        g_assert_cmpint(store_acl(f->site.store, f->site.arena, who, span_of(name), &at, &n, &error), ==, MAILBOX_DONE);
        for (gsize i = 0; i < n; i++)
                g_string_append_printf(s, "%s%s=%s", i > 0 ? " " : "", at[i].identifier,
                                       rights_text(at[i].rights, text));
        return g_string_free(s, FALSE);
}

#define expect_acl(f, who, name, wanted)                                                                               \
        do {                                                                                                           \
                g_autofree char *found_ = acl(f, who, name);                                                           \
                g_assert_cmpstr(found_, ==, wanted);                                                                   \
        } while (0)

/* RFC 4314 §2.1, §2.1.1 */
static void
test_letters(void)
{
        static const struct {
                const char *text, *written;
        } CASES[] = {{"", ""},    {"lr", "lr"}, {"aetxkpiwsrl", "lrswipkxtea"}, {"ll", "l"},
                     {"c", "kx"}, {"d", "te"},  {"lrswipcda", "lrswipkxtea"}};
        static const char *const WRONG[] = {"L", "lr ", "z", "0", "l\xc3\xa4"};
        char text[16];
        guint bits;

        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_assert_true(rights_parse(span_of(CASES[i].text), &bits));
                g_assert_cmpstr(rights_text(bits, text), ==, CASES[i].written);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                g_assert_false(rights_parse(span_of(WRONG[i]), &bits));
        g_assert_false(rights_parse(span_make("l\0", 2), &bits));
}

static void
test_identifiers(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_group(t, "Team@ex.org", "joe@ex.org");
        test_group(t, "all@far.org", "team@ex.org");
        test_create(t, &f->ann, "M");
        g_assert_cmpstr(rights(f, &f->joe, "~ann/M"), ==, "-");
        grant(f, "M", "joe", "lr"); /* in the owner's domain */
        g_assert_cmpstr(rights(f, &f->joe, "~Ann/M"), ==, "lr");
        g_assert_cmpstr(rights(f, &f->joe, "~ann@EX.org/M"), ==, "lr");
        g_assert_cmpstr(rights(f, &f->max, "~ann/M"), ==, "-"); /* ann@far.org is nobody */
        grant(f, "M", "MAX@far.org", "lw");
        g_assert_cmpstr(rights(f, &f->max, "~ann@ex.org/M"), ==, "lw");
        grant(f, "M", "team", "s");
        g_assert_cmpstr(rights(f, &f->joe, "~ann/M"), ==, "lrs"); /* both together */
        grant(f, "M", "all@far.org", "i");
        g_assert_cmpstr(rights(f, &f->joe, "~ann/M"), ==, "lrsi"); /* a group in a group */
        grant(f, "M", "anyone", "p");
        g_assert_cmpstr(rights(f, &f->max, "~ann@ex.org/M"), ==, "lwp");
        grant(f, "M", "-joe", "ri"); /* RFC 4314 §2: taken away from what is granted */
        g_assert_cmpstr(rights(f, &f->joe, "~ann/M"), ==, "lsp");
        grant(f, "M", "-anyone", "l");
        g_assert_cmpstr(rights(f, &f->joe, "~ann/M"), ==, "-");
        g_assert_cmpstr(rights(f, &f->ann, "M"), ==, "lrswipkxtea"); /* the owner keeps l, r and a */
        expect_acl(f, &f->ann, "M",
                   "ann@ex.org=lrswipkxtea all@far.org=i anyone=p -anyone=l joe@ex.org=lr -joe@ex.org=ri "
                   "max@far.org=lw team@ex.org=s");
        grant(f, "M", "-anyone", "");
        grant(f, "M", "team@ex.org", "");
        expect_acl(f, &f->ann, "M",
                   "ann@ex.org=lrswipkxtea all@far.org=i anyone=p joe@ex.org=lr -joe@ex.org=ri max@far.org=lw");
}

static void
test_bad_identifiers(Fixture *f, gconstpointer data)
{
        static const char *const WRONG[] = {"",    "-", "nobody", "nobody@ex.org", "--joe",
                                            "a b", "@", "joe@",   "joe@none.org"};
        TestSite *t = &f->site;

        test_create(t, &f->ann, "M");
        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                g_assert_cmpint(test_grant(t, &f->ann, "M", WRONG[i], "lr"), ==, MAILBOX_BAD_NAME);
        g_assert_cmpint(test_grant(t, &f->ann, "M", "nobody", ""), ==, MAILBOX_DONE); /* removing what is not there */
}

static void
test_owner(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;

        test_create(t, &f->ann, "M");
        grant(f, "M", "owner", "lrs");
        g_assert_cmpstr(rights(f, &f->ann, "M"), ==, "lrsa");
        g_assert_cmpint(test_delete(t, &f->ann, "M"), ==, MAILBOX_NO_RIGHT);
        g_assert_cmpint(test_create_as(t, &f->ann, "M/below", 0), ==, MAILBOX_NO_RIGHT);
        expect_acl(f, &f->ann, "M", "ann@ex.org=lrsa");
        g_assert_cmpint(
                store_acl_set(t->store, &f->ann, span_of("M"), span_of("ann@ex.org"), ACL_ADD, RIGHT_CREATE, &error),
                ==, MAILBOX_DONE);
        g_assert_cmpstr(rights(f, &f->ann, "M"), ==, "lrska");
        grant(f, "M", "ANN", "");
        g_assert_cmpstr(rights(f, &f->ann, "M"), ==, "lra");
        grant(f, "M", "owner", "lrswipkxtea");
        g_assert_cmpint(
                store_acl_set(t->store, &f->ann, span_of("M"), span_of("owner"), ACL_REMOVE, RIGHT_POST, &error), ==,
                MAILBOX_DONE);
        g_assert_cmpstr(rights(f, &f->ann, "M"), ==, "lrswikxtea");
}

static void
test_add_and_remove(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;

        test_create(t, &f->ann, "M");
        grant(f, "M", "joe", "lr");
        g_assert_cmpint(store_acl_set(t->store, &f->ann, span_of("M"), span_of("joe"), ACL_ADD, RIGHT_WRITE, &error),
                        ==, MAILBOX_DONE);
        g_assert_cmpint(store_acl_set(t->store, &f->ann, span_of("M"), span_of("joe"), ACL_REMOVE, RIGHT_READ, &error),
                        ==, MAILBOX_DONE);
        expect_acl(f, &f->ann, "M", "ann@ex.org=lrswipkxtea joe@ex.org=lw");
        g_assert_cmpint(store_acl_set(t->store, &f->ann, span_of("M"), span_of("joe"), ACL_REMOVE, RIGHTS_ALL, &error),
                        ==, MAILBOX_DONE);
        expect_acl(f, &f->ann, "M", "ann@ex.org=lrswipkxtea");
}

/* RFC 4314 §4: a new mailbox has the rights of the one above it, missing levels too. */
static void
test_inheritance(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_create(t, &f->ann, "P");
        grant(f, "P", "joe", "lrk");
        grant(f, "P", "-max@far.org", "r");
        test_create(t, &f->ann, "P/a/b");
        expect_acl(f, &f->ann, "P/a/b", "ann@ex.org=lrswipkxtea joe@ex.org=lrk -max@far.org=r");
        expect_acl(f, &f->ann, "P/a", "ann@ex.org=lrswipkxtea joe@ex.org=lrk -max@far.org=r");
        test_create(t, &f->joe, "~ann/P/c");
        const Mailbox *m = test_mailbox(t, &f->joe, "~ann/P/c");
        g_assert_cmpint(m->owner, ==, f->ann.account);
        g_assert_cmpuint(m->rights, ==, RIGHT_LOOKUP | RIGHT_READ | RIGHT_CREATE);
        test_create(t, &f->ann, "Q");
        expect_acl(f, &f->ann, "Q", "ann@ex.org=lrswipkxtea");
        g_assert_cmpint(test_rename(t, &f->ann, "P/a", "Q/a"), ==, MAILBOX_DONE); /* and keeps them */
        expect_acl(f, &f->ann, "Q/a/b", "ann@ex.org=lrswipkxtea joe@ex.org=lrk -max@far.org=r");
}

static void
test_other_users(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_group(t, "team@ex.org", "joe@ex.org");
        test_create(t, &f->ann, "Open");
        test_create(t, &f->ann, "Team/Plans/May");
        test_create(t, &f->ann, "Hidden/Deep");
        test_create(t, &f->max, "News");
        grant(f, "Open", "anyone", "lr");
        grant(f, "Team/Plans/May", "team", "lr");
        grant(f, "Hidden", "joe", "r"); /* without l it is not there */
        g_assert_cmpint(test_grant(t, &f->max, "News", "joe@ex.org", "lr"), ==, MAILBOX_DONE);
        test_expect_list(t, &f->joe, "", FALSE, TRUE,
                         "INBOX ~ann+- ~ann/Open ~ann/Team+- ~ann/Team/Plans+- ~ann/Team/Plans/May ~max@far.org+- "
                         "~max@far.org/News");
        test_expect_list(t, &f->joe, "", FALSE, FALSE, "INBOX");
        test_expect_list(t, &f->joe, "~ann/T", FALSE, FALSE, "~ann/Team+- ~ann/Team/Plans+- ~ann/Team/Plans/May");
        test_expect_list(t, &f->max, "~", FALSE, FALSE, "~ann@ex.org+- ~ann@ex.org/Open");
        grant(f, "Open", "-joe", "l");
        test_expect_list(t, &f->joe, "~ann/O", FALSE, FALSE, "");
        g_assert_true(test_mailbox(t, &f->joe, "~max@far.org/News")->has_children == FALSE);
        grant(f, "Team", "joe", "lr");
        g_assert_true(test_mailbox(t, &f->joe, "~ann/Team")->has_children);
        grant(f, "Hidden", "joe", "lr");
        g_assert_false(test_mailbox(t, &f->joe, "~ann/Hidden")->has_children); /* none that he may see */
}

/* The matrix --------------------------------------------------------------------------------------------------------
 */

/* Each function on "~ann/P/M" by joe, with exactly l and `granted` on it and l, k on P. */
typedef MailboxAnswer (*Doing)(Fixture *f, const char *name);

static MailboxAnswer
do_create_below(Fixture *f, const char *name)
{
        g_autofree char *below = g_strdup_printf("%s/new", name);

        return test_create_as(&f->site, &f->joe, below, 0);
}

static MailboxAnswer
do_delete(Fixture *f, const char *name)
{
        return test_delete(&f->site, &f->joe, name);
}

static MailboxAnswer
do_rename(Fixture *f, const char *name)
{
        return test_rename(&f->site, &f->joe, name, "~ann/P/other");
}

static MailboxAnswer
do_rename_below(Fixture *f, const char *name)
{
        g_autofree char *below = g_strdup_printf("%s/moved", name);

        return test_rename(&f->site, &f->joe, "~ann/P/X", below);
}

static MailboxAnswer
do_subscribe(Fixture *f, const char *name)
{
        return test_subscribe(&f->site, &f->joe, name, TRUE);
}

static MailboxAnswer
do_alias(Fixture *f, const char *name)
{
        return test_alias(&f->site, &f->joe, "mine", name);
}

static MailboxAnswer
do_get_acl(Fixture *f, const char *name)
{
        const AclEntry *at;
        gsize n;

        return store_acl(f->site.store, f->site.arena, &f->joe, span_of(name), &at, &n, NULL);
}

static MailboxAnswer
do_set_acl(Fixture *f, const char *name)
{
        return test_grant(&f->site, &f->joe, name, "max@far.org", "lr");
}

static MailboxAnswer
do_get_metadata(Fixture *f, const char *name)
{
        const Span asked = span_of("/private/comment");
        const MetadataEntry *at;
        gsize n;

        return store_metadata(f->site.store, f->site.arena, &f->joe, span_of(name), &asked, 1, 0, &at, &n, NULL);
}

static MailboxAnswer
do_set_private(Fixture *f, const char *name)
{
        const MetadataEntry entry = {"/private/comment", span_of("mine")};

        return store_metadata_set(f->site.store, &f->joe, span_of(name), &entry, 1, NULL);
}

static MailboxAnswer
do_set_shared(Fixture *f, const char *name)
{
        const MetadataEntry entry = {"/shared/comment", span_of("ours")};

        return store_metadata_set(f->site.store, &f->joe, span_of(name), &entry, 1, NULL);
}

static MailboxAnswer
do_quota(Fixture *f, const char *name)
{
        QuotaUse use;

        return store_quota(f->site.store, f->site.arena, &f->joe, span_of(name), &use, NULL);
}

static const struct Row {
        const char *title;
        Doing fn;
        guint any_of;         /* one of these rights makes it possible; 0: l alone does */
        MailboxAnswer hidden; /* what is said where nothing may be seen */
} MATRIX[] = {
        {"CREATE below", do_create_below, RIGHT_CREATE, MAILBOX_NO_RIGHT},
        {"DELETE", do_delete, RIGHT_DELETE_MAILBOX, MAILBOX_MISSING},
        {"RENAME of it", do_rename, RIGHT_DELETE_MAILBOX, MAILBOX_MISSING},
        {"RENAME to below it", do_rename_below, RIGHT_CREATE, MAILBOX_NO_RIGHT},
        {"SUBSCRIBE", do_subscribe, 0, MAILBOX_MISSING},
        {"an alias for it", do_alias, 0, MAILBOX_MISSING},
        {"GETACL", do_get_acl, RIGHT_ADMINISTER, MAILBOX_MISSING},
        {"SETACL", do_set_acl, RIGHT_ADMINISTER, MAILBOX_MISSING},
        {"GETMETADATA", do_get_metadata, RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST,
         MAILBOX_MISSING},
        {"SETMETADATA private", do_set_private, RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST,
         MAILBOX_MISSING},
        {"SETMETADATA shared", do_set_shared, RIGHT_WRITE, MAILBOX_MISSING},
        {"GETQUOTAROOT", do_quota, RIGHT_READ, MAILBOX_MISSING},
};

static void
make_tree(Fixture *f)
{
        static const char *const NAMES[] = {"P", "P/M", "P/X", "H", "H/M"};

        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
                test_create(&f->site, &f->ann, NAMES[i]);
        grant(f, "P", "joe", "lk");
        grant(f, "P/X", "joe", "lx");
}

static void
expect_answer(Fixture *f, const struct Row *row, const char *name, const char *granted, MailboxAnswer wanted)
{
        MailboxAnswer answer = row->fn(f, name);

        if (answer != wanted)
                g_error("%s of %s with %s: %d, not %d", row->title, name, granted, answer, wanted);
}

/* One row, all rights; a fresh site each, since what may be done is done. */
static void
test_matrix_row(Fixture *f, gconstpointer data)
{
        const struct Row *row = data;

        for (guint i = 0; i < 11; i++) {
                guint bit = 1u << i;
                gboolean may = row->any_of == 0 || (row->any_of & bit) != 0;
                char both[16], alone[16];

                make_tree(f);
                rights_text(bit | RIGHT_LOOKUP, both);
                rights_text(bit & ~(guint) RIGHT_LOOKUP, alone);
                grant(f, "P/M", "joe", alone);
                expect_answer(f, row, "~ann/P/M", alone, row->hidden);
                grant(f, "P/M", "joe", both);
                expect_answer(f, row, "~ann/P/M", both, may ? MAILBOX_DONE : MAILBOX_NO_RIGHT);
                tear_down(f, NULL);
                set_up(f, NULL);
        }
}

/* SELECT and what else names the rights it needs. */
static void
test_needed(Fixture *f, gconstpointer data)
{
        const Mailbox *m;
        char text[16];

        make_tree(f);
        for (guint granted = 0; granted <= RIGHTS_ALL; granted++) {
                guint needed = g_test_rand_int() & RIGHTS_ALL;

                if (granted % 16 != 0 && granted != RIGHTS_ALL)
                        continue;
                grant(f, "P/M", "joe", rights_text(granted | RIGHT_LOOKUP, text));
                g_assert_cmpint(test_find(&f->site, &f->joe, "~ann/P/M", needed, &m), ==,
                                (needed & ~(granted | RIGHT_LOOKUP)) == 0 ? MAILBOX_DONE : MAILBOX_NO_RIGHT);
                grant(f, "P/M", "joe", rights_text(granted & ~(guint) RIGHT_LOOKUP, text));
                g_assert_cmpint(test_find(&f->site, &f->joe, "~ann/P/M", needed, &m), ==, MAILBOX_MISSING);
        }
}

/* Not there = not seen ----------------------------------------------------------------------------------------------
 */

static GString *statements; /* run by any connection since it was emptied */

static int
note_statement(unsigned kind, void *context, void *statement, void *text)
{
        if (statements != NULL && text != NULL)
                g_string_append_printf(statements, "%s\n", sqlite3_sql(statement));
        return 0;
}

static int
trace_connection(sqlite3 *handle, const char **message, const struct sqlite3_api_routines *api)
{
        return sqlite3_trace_v2(handle, SQLITE_TRACE_STMT, note_statement, NULL);
}

static char *
statements_of(Fixture *f, const struct Row *row, const char *name, MailboxAnswer wanted)
{
        (void) row->fn(f, name); /* what is asked of the directory is known from here on */
        statements = g_string_new(NULL);
        expect_answer(f, row, name, "nothing", wanted);
        g_assert_cmpuint(statements->len, >, 0);
        return g_string_free(g_steal_pointer(&statements), FALSE);
}

static MailboxAnswer
do_find(Fixture *f, const char *name)
{
        const Mailbox *m;

        return test_find(&f->site, &f->joe, name, RIGHT_READ, &m);
}

/* A hidden mailbox, one that never was, one of somebody who is not here: the same answer, the same statements. */
static void
test_same_work(Fixture *f, gconstpointer data)
{
        static const struct Row FIND = {"SELECT", do_find, 0, MAILBOX_MISSING};

        make_tree(f);
        for (gsize i = 0; i <= G_N_ELEMENTS(MATRIX); i++) {
                const struct Row *row = i < G_N_ELEMENTS(MATRIX) ? &MATRIX[i] : &FIND;
                g_autofree char *hidden = statements_of(f, row, "~ann/H/M", row->hidden);
                g_autofree char *missing = statements_of(f, row, "~ann/N/M", row->hidden);

                if (row->fn == do_create_below || row->fn == do_rename_below)
                        continue; /* those look for a level that stands: how many there are above it shows */
                g_assert_cmpstr(hidden, ==, missing);
                if (row->fn == do_rename)
                        continue; /* to a place that is somebody's */
                g_autofree char *nobody = statements_of(f, row, "~nobody/H/M", row->hidden);
                g_assert_cmpstr(hidden, ==, nobody);
        }
}

/* Administrators ----------------------------------------------------------------------------------------------------
 */

static void
test_administrator(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        Viewer boss = test_account(t, "boss@far.org", "admin-rights", "read-mail");
        Viewer writer = test_account(t, "writer@far.org", "admin-rights", "write-mail");
        Viewer chief = test_account(t, "chief@ex.org", "admin", "ex.org"); /* without the right */
        const Mailbox *m = NULL;

        test_create(t, &f->ann, "Secret");
        g_assert_cmpstr(rights(f, &boss, "~ann@ex.org/Secret"), ==, "lr");
        g_assert_cmpstr(rights(f, &writer, "~ann@ex.org/Secret"), ==, "lrswipkxte");
        g_assert_cmpstr(rights(f, &chief, "~ann/Secret"), ==, "-");
        g_assert_cmpint(test_delete(t, &boss, "~ann@ex.org/Secret"), ==, MAILBOX_NO_RIGHT);
        g_assert_cmpint(test_restore(t, &boss, "~ann@ex.org/Secret"), ==, MAILBOX_NO_RIGHT);
        g_assert_cmpint(test_delete(t, &writer, "~ann@ex.org/Secret"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_restore(t, &writer, "~ann@ex.org/Secret"), ==, MAILBOX_DONE);
        g_assert_cmpint(test_find(t, &boss, "~ann@ex.org/Secret", RIGHT_ADMINISTER, &m), ==, MAILBOX_NO_RIGHT);
        g_assert_cmpint(test_find(t, &boss, "~ann@ex.org/None", 0, &m), ==, MAILBOX_MISSING);
        test_expect_list(t, &boss, "", FALSE, TRUE, "INBOX"); /* never in lists */
        test_expect_list(t, &boss, "~", FALSE, TRUE, "");
        g_assert_cmpstr(rights(f, &boss, "Secret"), ==, "-");
        test_create(t, &boss, "Own");
        g_assert_cmpstr(rights(f, &boss, "Own"), ==, "lrswipkxtea");
}

/* It is made when its owner or an administrator looks for it, and only then. */
static void
test_administrator_and_inbox(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        Viewer boss = test_account(t, "boss@far.org", "admin-rights", "read-mail");
        Viewer late = test_account(t, "late@ex.org", NULL, NULL);
        const Mailbox *m = NULL;

        g_assert_cmpint(test_find(t, &f->joe, "~late/INBOX", RIGHT_READ, &m), ==, MAILBOX_MISSING);
        g_assert_cmpint(test_find(t, &boss, "~nobody@ex.org/INBOX", RIGHT_READ, &m), ==, MAILBOX_MISSING);
        g_assert_cmpstr(rights(f, &boss, "~late@ex.org/inbox"), ==, "lr");
        g_assert_cmpint(test_find(t, &f->joe, "~late/INBOX", RIGHT_READ, &m), ==, MAILBOX_MISSING);
        test_expect_list(t, &late, "", FALSE, TRUE, "INBOX");
}

static guint
rights_now(Fixture *f, const Viewer *who, gint64 mailbox, gboolean through_alias)
{
        g_autoptr(GError) error = NULL;
        guint rights = 0;

        g_assert_true(store_rights_now(f->site.store, who, mailbox, through_alias, &rights, &error));
        g_assert_no_error(error);
        return rights;
}

/* What a session asks that has a mailbox open: the stamp is another one after each change, and only then. */
static void
test_rights_now(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        Viewer boss = test_account(t, "boss@far.org", "admin-rights", "read-mail");

        test_create(t, &f->ann, "M");
        grant(f, "M", "joe", "lrs");
        gint64 id = test_mailbox(t, &f->ann, "M")->id;
        guint64 stamp = store_rights_stamp(t->store);
        g_assert_cmpuint(rights_now(f, &f->ann, id, FALSE), ==, RIGHTS_ALL);
        g_assert_cmpuint(rights_now(f, &f->joe, id, FALSE), ==, RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN);
        g_assert_cmpuint(rights_now(f, &boss, id, FALSE), ==, RIGHT_LOOKUP | RIGHT_READ);
        g_assert_cmpuint(rights_now(f, &boss, id, TRUE), ==, 0); /* the office opens no alias */
        g_assert_cmpint(test_rename(t, &f->ann, "M", "N"), ==, MAILBOX_DONE);
        g_assert_cmpuint(rights_now(f, &f->joe, id, FALSE), ==, RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN);
        g_assert_cmpuint(store_rights_stamp(t->store), ==, stamp);
        grant(f, "N", "joe", "l");
        g_assert_cmpuint(store_rights_stamp(t->store), !=, stamp);
        g_assert_cmpuint(rights_now(f, &f->joe, id, FALSE), ==, RIGHT_LOOKUP);
        stamp = store_rights_stamp(t->store);
        g_assert_cmpint(test_grant(t, &f->joe, "~ann/N", "joe", "lr"), ==, MAILBOX_NO_RIGHT);
        g_assert_cmpuint(store_rights_stamp(t->store), ==, stamp);
        (void) test_account(t, "new@ex.org", NULL, NULL);
        g_assert_cmpuint(store_rights_stamp(t->store), !=, stamp);
        g_assert_cmpint(test_delete(t, &f->ann, "N"), ==, MAILBOX_DONE);
        g_assert_cmpuint(rights_now(f, &f->ann, id, FALSE), ==, 0);
        const Viewer gone = {.account = 999999, .address = "gone@ex.org", .client = "127.0.0.1"};
        g_assert_cmpuint(rights_now(f, &gone, id, FALSE), ==, 0);
}

static void
open_as_administrator(void)
{
        Fixture f = {0};

        set_up(&f, NULL);
        Viewer boss = test_account(&f.site, "boss@ex.org", "admin-rights", "read-mail");
        test_create(&f.site, &f.ann, "Secret");
        test_create(&f.site, &f.ann, "Shared");
        grant(&f, "Shared", "boss", "lr");
        (void) test_mailbox(&f.site, &boss, "~ann/Secret");
        (void) test_mailbox(&f.site, &boss, "~ann/Shared"); /* by its owner's leave: not logged */
        tear_down(&f, NULL);
}

/* Each opening by the office is one line of the log. */
static void
test_openings_are_logged(void)
{
        if (g_test_subprocess()) {
                open_as_administrator();
                return;
        }
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        g_test_trap_assert_stderr(
                "*store.admin_open who=boss@ex.org owner=ann@ex.org mailbox=Secret client=127.0.0.1*");
        g_test_trap_assert_stderr_unmatched("*mailbox=Shared*");
}

static void
test_entries_limit(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;
        DB_SQL(MANY, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
                     " INSERT INTO acl (mailbox, identifier, is_negative, rights) SELECT ?, 'u' || i || '@ex.org', 0, "
                     "1 FROM n");
        const AclEntry *at;
        gsize n;

        test_create(t, &f->ann, "M");
        DbTxn *txn = db_begin(t->db, &error);
        g_assert_true(db_run(txn, &MANY, &error, "i", test_mailbox(t, &f->ann, "M")->id));
        test_commit(txn);
        grant(f, "M", "joe", "l");
        g_assert_cmpint(test_grant(t, &f->ann, "M", "max@far.org", "l"), ==, MAILBOX_LIMIT);
        grant(f, "M", "joe", "lr");
        g_assert_cmpint(store_acl(t->store, t->arena, &f->ann, span_of("M"), &at, &n, &error), ==, MAILBOX_DONE);
        g_assert_cmpuint(n, ==, 1001);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        sqlite3_auto_extension((void (*)(void)) trace_connection);
#define ADD(title, fn) g_test_add("/store/acl/" title, Fixture, NULL, set_up, fn, tear_down)
        g_test_add_func("/store/acl/letters RFC 4314 §2.1", test_letters);
        ADD("accounts-groups-anyone-and-negative RFC 4314 §2", test_identifiers);
        ADD("unknown-identifiers", test_bad_identifiers);
        ADD("the-owner-keeps-l-r-a", test_owner);
        ADD("add-and-remove RFC 4314 §3.1", test_add_and_remove);
        ADD("inheritance RFC 4314 §4", test_inheritance);
        ADD("other-users-mailboxes-in-lists RFC 4314 §4", test_other_users);
        for (gsize i = 0; i < G_N_ELEMENTS(MATRIX); i++) {
                g_autofree char *path = g_strdup_printf("/store/acl/matrix RFC 4314 §4/%s", MATRIX[i].title);

                g_test_add(path, Fixture, &MATRIX[i], set_up, test_matrix_row, tear_down);
        }
        ADD("needed-rights RFC 4314 §4", test_needed);
        ADD("not-there-and-not-seen-are-the-same-work RFC 4314 §6", test_same_work);
        ADD("administrators-open-by-name-and-see-nothing-in-lists", test_administrator);
        ADD("administrators-and-an-inbox-that-is-not-made-yet", test_administrator_and_inbox);
        ADD("rights-of-who-has-it-open RFC 4314 §4", test_rights_now);
        g_test_add_func("/store/acl/openings-by-administrators-are-logged", test_openings_are_logged);
        ADD("1000-entries-and-not-one-more", test_entries_limit);
        return g_test_run();
}

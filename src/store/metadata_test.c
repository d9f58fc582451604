/* metadata_test.c -- annotations (RFC 5464), special uses by them (RFC 6154 §4), quota roots (RFC 9208). */
#include "store/testing.h"

typedef struct Fixture {
        TestSite site;
        Viewer ann, joe;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
        test_site_open(&f->site);
        test_domain(&f->site, "ex.org");
        f->ann = test_account(&f->site, "Ann@ex.org", "quota", "5000");
        f->joe = test_account(&f->site, "joe@ex.org", NULL, NULL);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
        test_site_close(&f->site);
}

static MailboxAnswer
set(Fixture *f, const Viewer *who, const char *name, const char *entry, const char *value)
{
        g_autoptr(GError) error = NULL;
        const MetadataEntry e = {entry, value != NULL ? span_of(value) : SPAN_EMPTY};
        MailboxAnswer answer = store_metadata_set(f->site.store, who, span_of(name), &e, 1, &error);

        g_assert_no_error(error);
        return answer;
}

/* "entry=value ..." */
static char *
get(Fixture *f, const Viewer *who, const char *name, const char *asked, guint depth)
{
        g_autoptr(GError) error = NULL;
        GString *s = g_string_new(NULL);
        g_auto(GStrv) words = g_strsplit(asked, " ", -1);
        const MetadataEntry *at;
        Span entries[8];
        gsize n = 0, n_found;

        for (; words[n] != NULL; n++)
                entries[n] = span_of(words[n]);
        MailboxAnswer answer = store_metadata(f->site.store, f->site.arena, who, span_of(name), entries, n, depth, &at,
                                              &n_found, &error);
        g_assert_no_error(error);
        if (answer != MAILBOX_DONE) {
                g_string_printf(s, "(%d)", answer);
                return g_string_free(s, FALSE);
        }
        for (gsize i = 0; i < n_found; i++) {
                g_assert_nonnull(at[i].value.data);
                g_string_append_printf(s, "%s%s=%.*s", i > 0 ? " " : "", at[i].entry, (int) at[i].value.len,
                                       (const char *) at[i].value.data);
        }
        return g_string_free(s, FALSE);
}

#define expect(f, who, name, asked, depth, wanted)                                                                     \
        do {                                                                                                           \
                g_autofree char *found_ = get(f, who, name, asked, depth);                                             \
                g_assert_cmpstr(found_, ==, wanted);                                                                   \
        } while (0)

static void
test_private_and_shared(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_create(t, &f->ann, "M");
        g_assert_cmpint(test_grant(t, &f->ann, "M", "joe", "lr"), ==, MAILBOX_DONE);
        g_assert_cmpint(set(f, &f->ann, "M", "/Private/Comment", "Ann's"), ==, MAILBOX_DONE);
        g_assert_cmpint(set(f, &f->joe, "~ann/M", "/private/comment", "Joe's"), ==, MAILBOX_DONE);
        g_assert_cmpint(set(f, &f->ann, "M", "/shared/comment", "ours"), ==, MAILBOX_DONE);
        g_assert_cmpint(set(f, &f->joe, "~ann/M", "/shared/comment", "mine"), ==, MAILBOX_NO_RIGHT);
        expect(f, &f->ann, "M", "/private/comment /shared/comment", 0, "/shared/comment=ours /private/comment=Ann's");
        expect(f, &f->joe, "~ann/M", "/PRIVATE/COMMENT /shared/comment", 0,
               "/shared/comment=ours /private/comment=Joe's");
        g_assert_cmpint(set(f, &f->joe, "~ann/M", "/private/comment", ""), ==, MAILBOX_DONE); /* empty is a value */
        expect(f, &f->joe, "~ann/M", "/private/comment", 0, "/private/comment=");
        g_assert_cmpint(set(f, &f->joe, "~ann/M", "/private/comment", NULL), ==, MAILBOX_DONE); /* NIL is none */
        expect(f, &f->joe, "~ann/M", "/private/comment", 0, "");
        g_assert_cmpint(test_rename(t, &f->ann, "M", "N"), ==, MAILBOX_DONE);
        expect(f, &f->ann, "N", "/private/comment", 0, "/private/comment=Ann's");
        expect(f, &f->ann, "M", "/private/comment", 0, "(2)");
        expect(f, &f->ann, "INBOX", "/private/comment", 0, ""); /* also before its first look */
}

static void
test_depth(Fixture *f, gconstpointer data)
{
        static const char *const ENTRIES[] = {"/private/filters/values", "/private/filters/values/small",
                                              "/private/filters/values/boss", "/private/filters/values/boss/x",
                                              "/private/filters/valuesx"};

        for (gsize i = 0; i < G_N_ELEMENTS(ENTRIES); i++)
                g_assert_cmpint(set(f, &f->joe, "", ENTRIES[i], "v"), ==, MAILBOX_DONE);
        expect(f, &f->joe, "", "/private/filters/values", 0, "/private/filters/values=v");
        expect(f, &f->joe, "", "/private/filters/values", 1,
               "/private/filters/values=v /private/filters/values/boss=v /private/filters/values/small=v");
        expect(f, &f->joe, "", "/private/filters/values", G_MAXUINT,
               "/private/filters/values=v /private/filters/values/boss=v /private/filters/values/boss/x=v "
               "/private/filters/values/small=v");
        expect(f, &f->joe, "", "/private", 1, "");
        expect(f, &f->ann, "", "/private", G_MAXUINT, "");
}

static void
test_bad_entries(Fixture *f, gconstpointer data)
{
        static const char *const WRONG[] = {"",           "comment",           "/comment",       "/private",
                                            "/private/",  "/private//x",       "/private/a/",    "/private/a*",
                                            "/private/%", "/private/\xc3\xa4", "/private/a\x01", "/privatex/a"};
        g_autofree char *long_entry = g_strnfill(300, 'x');

        for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++)
                g_assert_cmpint(set(f, &f->joe, "", WRONG[i], "v"), ==, MAILBOX_BAD_NAME);
        memcpy(long_entry, "/private/", 9);
        g_assert_cmpint(set(f, &f->joe, "", long_entry, "v"), ==, MAILBOX_BAD_NAME);
        expect(f, &f->joe, "", "/private/a//b", 0, "(5)");
        g_assert_cmpint(set(f, &f->joe, "", "/shared/admin", "me"), ==, MAILBOX_NO_RIGHT);
}

static void
test_limits(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autofree char *big = g_strnfill(METADATA_OCTETS_MAX + 1, 'x');

        test_create(t, &f->joe, "M");
        g_assert_cmpint(set(f, &f->joe, "M", "/private/comment", big), ==, MAILBOX_TOO_LONG);
        big[METADATA_OCTETS_MAX] = '\0';
        g_assert_cmpint(set(f, &f->joe, "M", "/private/comment", big), ==, MAILBOX_DONE);
        for (int i = 1; i < METADATA_ENTRIES_MAX; i++) {
                g_autofree char *entry = g_strdup_printf("/private/vendor/x/%d", i);

                g_assert_cmpint(set(f, &f->joe, "M", entry, "v"), ==, MAILBOX_DONE);
        }
        g_assert_cmpint(set(f, &f->joe, "M", "/private/more", "v"), ==, MAILBOX_LIMIT);
        g_assert_cmpint(set(f, &f->joe, "M", "/private/comment", "other"), ==, MAILBOX_DONE);
        g_assert_cmpint(set(f, &f->joe, "M", "/shared/more", "v"), ==, MAILBOX_DONE);
}

/* RFC 5464 §4.3: all or none. */
static void
test_all_or_none(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;
        const MetadataEntry entries[] = {{"/private/comment", span_of("a")},
                                         {"/private/specialuse", span_of("\\None")}};

        test_create(t, &f->joe, "M");
        g_assert_cmpint(store_metadata_set(t->store, &f->joe, span_of("M"), entries, 2, &error), ==, MAILBOX_BAD_USE);
        expect(f, &f->joe, "M", "/private", G_MAXUINT, "");
}

static void
test_special_use(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;

        test_create(t, &f->joe, "M");
        g_assert_cmpint(set(f, &f->joe, "M", "/private/specialuse", "\\sent \\Archive"), ==, MAILBOX_DONE);
        expect(f, &f->joe, "M", "/private/specialuse", 0, "/private/specialuse=\\Archive \\Sent");
        g_assert_cmpuint(test_mailbox(t, &f->joe, "M")->special_use, ==, USE_SENT | USE_ARCHIVE);
        g_assert_cmpint(set(f, &f->joe, "M", "/private/specialuse", "Sent"), ==, MAILBOX_BAD_USE);
        g_assert_cmpint(set(f, &f->joe, "M", "/private/specialuse", "\\All"), ==, MAILBOX_BAD_USE);
        g_assert_cmpint(set(f, &f->joe, "M", "/private/specialuse", NULL), ==, MAILBOX_DONE);
        expect(f, &f->joe, "M", "/private/specialuse", 0, "");
        g_assert_cmpint(set(f, &f->joe, "", "/private/specialuse", "\\Sent"), ==, MAILBOX_BAD_USE);
        test_create(t, &f->ann, "S");
        g_assert_cmpint(test_grant(t, &f->ann, "S", "joe", "lrw"), ==, MAILBOX_DONE);
        g_assert_cmpint(set(f, &f->joe, "~ann/S", "/private/specialuse", "\\Sent"), ==, MAILBOX_BAD_USE);
}

static void
test_alias_entry(Fixture *f, gconstpointer data)
{
        static const char ENTRY[] = "/private/vendor/restante/alias";
        TestSite *t = &f->site;

        test_create(t, &f->ann, "Team");
        test_create(t, &f->joe, "Own");
        g_assert_cmpint(set(f, &f->joe, "T", ENTRY, "~ann/Team"), ==, MAILBOX_MISSING);
        g_assert_cmpint(test_grant(t, &f->ann, "Team", "joe", "lr"), ==, MAILBOX_DONE);
        g_assert_cmpint(set(f, &f->joe, "T", ENTRY, "~ann@ex.org/Team"), ==, MAILBOX_DONE);
        expect(f, &f->joe, "T", ENTRY, 0, "/private/vendor/restante/alias=~ann/Team");
        g_assert_cmpint(test_rename(t, &f->ann, "Team", "Crew"), ==, MAILBOX_DONE);
        expect(f, &f->joe, "T", "/private/vendor", G_MAXUINT, "/private/vendor/restante/alias=~ann/Crew");
        expect(f, &f->joe, "Own", ENTRY, 0, "");
        g_assert_cmpint(set(f, &f->joe, "T", ENTRY, "Own"), ==, MAILBOX_DONE);
        expect(f, &f->joe, "T", ENTRY, 0, "/private/vendor/restante/alias=Own");
        g_assert_cmpint(set(f, &f->joe, "T", ENTRY, NULL), ==, MAILBOX_DONE);
        expect(f, &f->joe, "T", ENTRY, 0, "(2)");
}

static void
test_quota(Fixture *f, gconstpointer data)
{
        TestSite *t = &f->site;
        g_autoptr(GError) error = NULL;
        QuotaUse use;

        test_create(t, &f->ann, "M");
        g_assert_cmpint(test_grant(t, &f->ann, "M", "joe", "lr"), ==, MAILBOX_DONE);
        g_assert_cmpint(store_quota(t->store, t->arena, &f->joe, span_of("~ann/M"), &use, &error), ==, MAILBOX_DONE);
        g_assert_cmpstr(use.root, ==, "Ann@ex.org"); /* shared mailboxes count against their owner */
        g_assert_cmpuint(use.octets_limit, ==, 5000);
        g_assert_cmpuint(use.octets, ==, 0);
        g_assert_cmpint(store_quota(t->store, t->arena, &f->joe, span_of("inbox"), &use, &error), ==, MAILBOX_DONE);
        g_assert_cmpstr(use.root, ==, "joe@ex.org");
        g_assert_cmpuint(use.octets_limit, ==, 0);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(title, fn) g_test_add("/store/metadata/" title, Fixture, NULL, set_up, fn, tear_down)
        ADD("private-and-shared RFC 5464 §3.3", test_private_and_shared);
        ADD("depth RFC 5464 §4.2.2", test_depth);
        ADD("bad-entries RFC 5464 §3.2.1", test_bad_entries);
        ADD("limits RFC 5464 §4.3", test_limits);
        ADD("all-or-none RFC 5464 §4.3", test_all_or_none);
        ADD("special-use RFC 6154 §4", test_special_use);
        ADD("the-target-of-an-alias", test_alias_entry);
        ADD("quota-root RFC 9208 §3", test_quota);
        return g_test_run();
}

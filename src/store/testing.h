/* testing.h -- a site with accounts and mailboxes, for the tests of names and rights. */
#pragma once

#include "base/testing.h"
#include "store/mailbox.h"

typedef struct TestSite {
        char *dir;
        Db *db;
        Blob *blob;
        Directory *directory;
        Store *store;
        Arena *arena;
} TestSite;

static inline void
test_site_open(TestSite *site)
{
        g_autoptr(GError) error = NULL;

        site->dir = test_dir_make();
        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        site->blob = blob_open(site->dir, site->db, &error);
        g_assert_no_error(error);
        site->directory = directory_new(site->db);
        site->store = store_new(site->db, site->blob, site->directory);
        site->arena = arena_new(256 * 1024 * 1024);
}

static inline void
test_site_close(TestSite *site)
{
        store_free(site->store);
        directory_free(site->directory);
        blob_close(site->blob);
        db_close(site->db);
        arena_free(site->arena);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

static inline void
test_commit(DbTxn *txn)
{
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
}

static inline void
test_domain(TestSite *site, const char *name)
{
        g_autoptr(GError) error = NULL;
        DbTxn *txn = db_begin(site->db, &error);

        g_assert_cmpint(directory_domain_add(site->directory, txn, name, NULL, 0, &error), ==, CHANGE_DONE);
        test_commit(txn);
}

/* key, value: one setting, or NULL. */
static inline Viewer
test_account(TestSite *site, const char *address, const char *key, const char *value)
{
        g_autoptr(GError) error = NULL;
        const KeyValue pairs[] = {{"admin", "server"}, {key, value}};
        gboolean is_admin = key != NULL && strcmp(key, "admin-rights") == 0;
        Viewer viewer = {.address = address, .client = "127.0.0.1"};
        DbTxn *txn = db_begin(site->db, &error);

        g_assert_cmpint(directory_account_add(site->directory, txn, address, NULL, is_admin ? pairs : pairs + 1,
                                              key == NULL ? 0
                                              : is_admin  ? 2
                                                          : 1,
                                              &viewer.account, &error),
                        ==, CHANGE_DONE);
        test_commit(txn);
        return viewer;
}

static inline void
test_group(TestSite *site, const char *address, const char *member)
{
        g_autoptr(GError) error = NULL;
        DbTxn *txn = db_begin(site->db, &error);

        g_assert_cmpint(directory_group_add(site->directory, txn, address, &member, 1, NULL, 0, &error), ==,
                        CHANGE_DONE);
        test_commit(txn);
}

/* Functions of mailbox.h without their error, which must not be set. */
static inline MailboxAnswer
test_create_as(TestSite *site, const Viewer *who, const char *name, guint special_use)
{
        g_autoptr(GError) error = NULL;
        const Mailbox *made = NULL;
        MailboxAnswer answer =
                store_mailbox_create(site->store, site->arena, who, span_of(name), special_use, &made, &error);

        g_assert_no_error(error);
        g_assert_true((answer == MAILBOX_DONE) == (made != NULL));
        return answer;
}

static inline void
test_create(TestSite *site, const Viewer *who, const char *name)
{
        g_assert_cmpint(test_create_as(site, who, name, 0), ==, MAILBOX_DONE);
}

static inline MailboxAnswer
test_delete(TestSite *site, const Viewer *who, const char *name)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_mailbox_delete(site->store, who, span_of(name), &error);

        g_assert_no_error(error);
        return answer;
}

static inline MailboxAnswer
test_rename(TestSite *site, const Viewer *who, const char *from, const char *to)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_mailbox_rename(site->store, who, span_of(from), span_of(to), &error);

        g_assert_no_error(error);
        return answer;
}

static inline MailboxAnswer
test_restore(TestSite *site, const Viewer *who, const char *name)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_mailbox_restore(site->store, who, span_of(name), NULL, SPAN_EMPTY, &error);

        g_assert_no_error(error);
        return answer;
}

static inline MailboxAnswer
test_subscribe(TestSite *site, const Viewer *who, const char *name, gboolean is_subscribed)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_mailbox_subscribe(site->store, who, span_of(name), is_subscribed, &error);

        g_assert_no_error(error);
        return answer;
}

static inline MailboxAnswer
test_alias(TestSite *site, const Viewer *who, const char *name, const char *target)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_mailbox_alias(site->store, who, span_of(name), span_of(target), &error);

        g_assert_no_error(error);
        return answer;
}

static inline MailboxAnswer
test_find(TestSite *site, const Viewer *who, const char *name, guint needed, const Mailbox **ret)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_mailbox(site->store, site->arena, who, span_of(name), needed, ret, &error);

        g_assert_no_error(error);
        return answer;
}

static inline const Mailbox *
test_mailbox(TestSite *site, const Viewer *who, const char *name)
{
        const Mailbox *found = NULL;

        g_assert_cmpint(test_find(site, who, name, 0, &found), ==, MAILBOX_DONE);
        return found;
}

static inline MailboxAnswer
test_grant(TestSite *site, const Viewer *who, const char *name, const char *identifier, const char *rights)
{
        g_autoptr(GError) error = NULL;
        guint bits = 0;

        g_assert_true(rights_parse(span_of(rights), &bits));
        MailboxAnswer answer =
                store_acl_set(site->store, who, span_of(name), span_of(identifier), ACL_REPLACE, bits, &error);
        g_assert_no_error(error);
        return answer;
}

/* "name[flags] ..." in order; flags: + children, s subscribed, - no mailbox, a alias. g_free. */
static inline char *
test_list(TestSite *site, const Viewer *who, const char *prefix, gboolean subscribed_only, gboolean include_others)
{
        g_autoptr(GError) error = NULL;
        const MailboxQuery query = {
                .prefix = span_of(prefix), .subscribed_only = subscribed_only, .include_others = include_others};
        GString *s = g_string_new(NULL);
        const Mailbox *at;
        gsize n;

        g_assert_true(store_mailboxes(site->store, site->arena, who, &query, &at, &n, &error));
        for (gsize i = 0; i < n; i++)
                g_string_append_printf(s, "%s%s%s%s%s%s", i > 0 ? " " : "", at[i].name, at[i].has_children ? "+" : "",
                                       at[i].is_subscribed ? "s" : "", at[i].id == 0 ? "-" : "",
                                       at[i].is_alias ? "a" : "");
        return g_string_free(s, FALSE);
}

#define test_expect_list(site, who, prefix, subscribed_only, include_others, wanted)                                   \
        do {                                                                                                           \
                g_autofree char *found_ = test_list(site, who, prefix, subscribed_only, include_others);               \
                g_assert_cmpstr(found_, ==, wanted);                                                                   \
        } while (0)

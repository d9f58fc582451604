/* testing.h -- a site in a temporary directory, for the tests of this room and of those above it. */
#pragma once

#include "base/testing.h"
#include "directory/directory.h"

typedef struct TestSite {
        char *dir;
        Db *db;
        Directory *directory;
        Arena *arena;
} TestSite;

static inline void
test_site_open(TestSite *site)
{
        GError *error = NULL;

        site->dir = test_dir_make();
        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        site->directory = directory_new(site->db);
        site->arena = arena_new(16 * 1024 * 1024);
}

static inline void
test_site_close(TestSite *site)
{
        directory_free(site->directory);
        db_close(site->db);
        arena_free(site->arena);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

/* "a=b c=d" -> pairs in the arena; a value can't hold a space. */
static inline const KeyValue *
test_pairs(TestSite *site, const char *text, gsize *ret_n)
{
        g_auto(GStrv) words = g_strsplit(text != NULL ? text : "", " ", -1);
        KeyValue *pairs = arena_new_array(site->arena, KeyValue, g_strv_length(words) + 1);

        *ret_n = 0;
        for (gsize i = 0; words[i] != NULL; i++) {
                char *sign = strchr(words[i], '=');

                if (sign == NULL)
                        continue;
                pairs[*ret_n].key = arena_strndup(site->arena, span_make(words[i], (gsize) (sign - words[i])));
                pairs[(*ret_n)++].value = arena_strdup(site->arena, sign + 1);
        }
        return pairs;
}

typedef enum TestObject {
        TEST_DOMAIN,
        TEST_DOMAIN_SET,
        TEST_ACCOUNT,
        TEST_ACCOUNT_SET,
        TEST_ALIAS,
        TEST_GROUP,
        TEST_BOUNCER
} TestObject;

/* One change in a transaction of its own. rest: pairs, or targets of an alias; a group's members, then its pairs. */
static inline Change
test_change(TestSite *site, TestObject object, const char *name, const char *rest, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin(site->db, error);
        gsize n_pairs = 0, n_words = 0;
        const KeyValue *pairs = test_pairs(site, rest, &n_pairs);
        g_auto(GStrv) words = g_strsplit(rest != NULL ? rest : "", " ", -1);
        Change answer = CHANGE_FAILED;

        g_assert_nonnull(txn);
        while (words[n_words] != NULL && strchr(words[n_words], '=') == NULL && *words[n_words] != '\0')
                n_words++;
        const char *const *targets = (const char *const *) words;
        switch (object) {
        case TEST_DOMAIN:
                answer = directory_domain_add(site->directory, txn, name, pairs, n_pairs, error);
                break;
        case TEST_DOMAIN_SET:
                answer = directory_domain_set(site->directory, txn, name, pairs, n_pairs, error);
                break;
        case TEST_ACCOUNT:
                answer = directory_account_add(site->directory, txn, name, NULL, pairs, n_pairs, NULL, error);
                break;
        case TEST_ACCOUNT_SET:
                answer = directory_account_set(site->directory, txn, name, pairs, n_pairs, error);
                break;
        case TEST_ALIAS:
                answer = directory_alias_add(site->directory, txn, name, targets, n_words, error);
                break;
        case TEST_GROUP:
                answer = directory_group_add(site->directory, txn, name, targets, n_words, pairs, n_pairs, error);
                break;
        case TEST_BOUNCER:
                answer = directory_bouncer_add(site->directory, txn, name, pairs, n_pairs, error);
                break;
        }
        if (answer != CHANGE_DONE)
                return answer;
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), error), ==, DB_COMMITTED);
        return CHANGE_DONE;
}

static inline void
test_make(TestSite *site, TestObject object, const char *name, const char *rest)
{
        GError *error = NULL;
        Change answer = test_change(site, object, name, rest, &error);

        g_assert_no_error(error);
        g_assert_cmpint(answer, ==, CHANGE_DONE);
}

static inline Address
test_address(TestSite *site, const char *text)
{
        Address address = {SPAN_EMPTY, SPAN_EMPTY};

        if (address_parse(site->arena, span_of(arena_strdup(site->arena, text)), TRUE, &address) != ADDRESS_OK)
                g_error("%s is no address", text);
        return address;
}

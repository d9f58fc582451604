/* internal.h -- what the files of this room share. */
#pragma once

#include "base/thread.h"
#include "directory/cache.h"
#include "directory/directory.h"

struct Directory {
        Db *db;
        Cache cache;
        guint64 generation; /* atomic */

        Mutex postmaster_mutex; /* directory.postmaster, a leaf */
        char *postmaster;       /* address, or NULL */

        Mutex scram_mutex; /* directory.scram, a leaf */
        guint64 scram_at;  /* generation for which has_scram is known; 0: none */
        gboolean has_scram;

        Mutex watches_mutex;          /* directory.watches, a leaf; see watch.c */
        Cond watches_called;          /* called_now is no longer what it was */
        GHashTable *watches;          /* gint64 -> GPtrArray of AccountWatch */
        GPtrArray *watches_pending;   /* to be called */
        AccountWatch *watches_called_now;

        Mutex unknown_mutex; /* directory.unknown, a leaf */
        GHashTable *unknown; /* char * "local@domain" -> Guessed */
};

#define DIRECTORY_CACHE_OCTETS ((gsize) 8 * 1024 * 1024)
#define UNKNOWN_IN_MEMORY_MAX 5000
#define UNKNOWN_KEPT_MAX 10000

/* local_key@domain as cache key; FALSE when it is longer than any address. */
gboolean directory_key(const Address *address, guint8 buffer[RECORD_KEY_MAX], Span *ret);

/* watch.c */
void directory_watches_init(Directory *directory);
void directory_watches_done(Directory *directory);
/* directory_touch() for what was changed of this account, or its removal: wakes who watches it. */
void directory_touch_account(Directory *directory, DbTxn *txn, gint64 account);

/* directory.c: the change is on disk. The cache first: who sees the new generation must not find an old record. */
void directory_publish(Directory *directory);

/* FOUND_NOT, or FOUND with *ret in the arena: from the cache, else from the database. */
Found directory_look_up(Directory *directory, Arena *arena, RecordKind kind, Span key, const void **ret, GError **error);

/* Loaders of look_up.c that stand in membership.c. */
gboolean directory_load_groups(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error);
gboolean directory_load_admin(DbTxn *txn, Arena *arena, Span key, const void **ret, GError **error);

/* Targets of one alias row, in order. */
gboolean directory_load_targets(DbTxn *txn, Arena *arena, gint64 alias, AddressList *ret, GError **error);

/* Answers of changes: sets *error and returns the answer. */
Change directory_refuse(GError **error, Change answer, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* .via and ._via are no domains: the route table's sign for next hops. */
gboolean directory_is_via(Span domain) G_GNUC_PURE;

/* "ex.org" or "*.ex.org" as people type it -> lower-case A-label form. */
Change directory_read_domain(Arena *arena, const char *text, const char **ret, GError **error);

/* A local domain of exactly this name, for an address to be defined in it. */
Change directory_need_local(DbTxn *txn, Span name, GError **error);

typedef enum AliasForm {
        ALIAS_EXACT = 0,
        ALIAS_PREFIX,     /* PREFIX*@DOMAIN */
        ALIAS_CATCHALL,   /* *@DOMAIN       */
        ALIAS_EVERYWHERE, /* LOCAL@*        */
} AliasForm;

/* What an alias stands for: address.local without the star; address.domain "*" for ALIAS_EVERYWHERE. */
Change directory_read_alias(Arena *arena, const char *text, AliasForm *ret_form, Address *ret, GError **error);

/* A template of this name (template.c). */
Change directory_need_template(DbTxn *txn, const char *name, GError **error);
/* A number of octets or messages; empty: QUOTA_OF_TEMPLATE. */
Change directory_read_quota(const char *key, const char *value, gint64 *ret, GError **error);

/* yes|no */
Change directory_read_boolean(const char *key, const char *value, gboolean *ret, GError **error);

/* What is in a row of the account table, its template's quotas included. */
#define TEMPLATE_QUOTA(column)                                                                                         \
        "(SELECT t." column " FROM account_template t WHERE t.name = coalesce(account.template, 'default'))"
#define ACCOUNT_COLUMNS                                                                                                \
        "id, local, domain, password, may_send, is_disabled, quota, quota_messages, atrn,"                             \
        " coalesce(template, 'default'), " TEMPLATE_QUOTA("quota") ", " TEMPLATE_QUOTA("quota_messages")
#define ACCOUNT_COLUMNS_N 12
void directory_read_account(const DbRows *rows, Arena *arena, Account *ret);
void directory_read_bouncer(const DbRows *rows, int code_column, Arena *arena, Bouncer *ret);
#define BOUNCER_COLUMNS "code, text, until, after, seen"
#define DOMAIN_COLUMNS                                                                                                 \
        "id, name, kind, target, unknown, envelope_header, next_hop, source_address, helo_name, bounce_template, etrn,"           \
        " template, scram"
void directory_read_domain_row(const DbRows *rows, Arena *arena, Domain *ret);
GroupPost directory_post_from(const char *text);

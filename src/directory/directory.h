/* directory.h -- who exists and who may: domains, accounts, aliases, groups, bouncers, unknown names.
 *
 * It knows what is defined, not where mail goes (router) nor whether a password is right (auth). Policies (`unknown`) and next hops
 * are kept as text here; the router reads them.
 *
 * Look-ups need no transaction: they are answered from a bounded cache (64 MiB would be too much: 8 MiB at most) that every
 * committed change of the directory empties, so a new account takes effect at the next message. A look-up that can't be
 * made is a fault, never "unknown".
 *
 * Changes take the caller's DbTxn; they answer what an administrator must be told. Names are compared without ASCII case.
 *
 * Threads  any. Memory: results live in the caller's arena.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "db/db.h"
#include "mail/address.h"

typedef struct Directory Directory;

Directory *directory_new(Db *db) G_GNUC_WARN_UNUSED_RESULT;
void directory_free(Directory *directory);      /* NULL is fine; unknown names not yet written are dropped */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Directory, directory_free)

/* The account that collects the postmaster's mail: it can't be removed. Before any other thread uses the directory, or any time. */
void directory_set_postmaster(Directory *directory, const char *address);

typedef enum Found {
        FOUND_FAILED = 0,       /* could not look: defer, never "unknown" */
        FOUND_NOT,
        FOUND,
} Found;

/* Domains ---------------------------------------------------------------------------------------------------------- */

typedef enum DomainKind {
        DOMAIN_LOCAL = 0,
        DOMAIN_ALIAS,           /* target: the canonical domain */
        DOMAIN_RELAY,           /* target: next hop             */
        DOMAIN_HOLD,            /* target: name of the queue    */
} DomainKind;

typedef struct Domain {
        gint64 id;
        const char *name;               /* A-label; a leading "*." matches subdomains */
        DomainKind kind;
        const char *target;
        const char *unknown;            /* policy list as text, "reject" by default */
        const char *envelope_header;    /* as set: NULL, "off" or a field name; see router for the default */
        const char *next_hop, *source_address, *helo_name, *bounce_template;    /* NULL: not set */
        gboolean etrn;
        const char *template_name;      /* of its new accounts; NULL: "default" */
        gboolean scram;                 /* its accounts keep keys of SCRAM beside the hash of their password */
} Domain;

/* Exact name first, then the longest "*." that covers it. */
Found directory_domain(Directory *directory, Arena *arena, Span name, const Domain **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All of them, by name. */
gboolean directory_domains(Directory *directory, Arena *arena, const Domain **ret, gsize *ret_n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* Addresses -------------------------------------------------------------------------------------------------------- */

typedef struct Account {
        gint64 id;
        Address address;                /* as defined */
        gboolean has_password, may_send, is_disabled;
        guint64 password_mark;          /* another one when the password is another one; 0: none. Not to be shown */
        gint64 quota_octets, quota_messages;    /* in force, its own or its template's; 0: none */
        gint64 own_quota_octets, own_quota_messages;    /* as set for it alone; QUOTA_OF_TEMPLATE: nothing is */
        const char *atrn;               /* domains, comma separated, or NULL */
        const char *template_name;      /* "default" when no other was named */
} Account;
#define QUOTA_OF_TEMPLATE ((gint64) -1)

typedef enum GroupPost {
        POST_ANYONE = 0,
        POST_MEMBERS,
        POST_AUTHENTICATED,
} GroupPost;

typedef struct Bouncer {
        guint16 code;                   /* 5yz; 550 by default */
        const char *text;               /* NULL: the usual */
        Usec until;                     /* rejects from this date on; 0: always */
        guint after;                    /* rejects after so many messages; 0: at once */
        guint seen;
        gboolean is_active;             /* by date and number, at look-up */
} Bouncer;

/* What is defined at one address; a part that is NULL is not. Order of meaning: bouncer, alias, group, account (ROUTING 1). */
typedef struct Entry {
        const Bouncer *bouncer;
        const Address *alias;           /* targets */
        gsize n_alias;
        const Address *group;           /* members */
        gsize n_group;
        GroupPost group_post;
        const Account *account;
} Entry;

/* Exactly this address in a local domain (canonical name), LOCAL@* included where nothing exact is there. FOUND_NOT: nothing. */
Found directory_entry(Directory *directory, Arena *arena, const Address *address, Entry *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* Longest prefix alias PREFIX*@DOMAIN that covers the local part; *@DOMAIN. Targets. */
Found directory_prefix(Directory *directory, Arena *arena, const Address *address, const Address **ret, gsize *ret_n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
Found directory_catchall(Directory *directory, Arena *arena, Span domain, const Address **ret, gsize *ret_n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* What an account is asked for at its login. */
typedef struct LoginSecrets {
        const char *password_hash;      /* NULL: none set                                                */
        const char *scram;              /* keys of that password, as auth made them; NULL: none          */
        gboolean wants_scram;           /* its domain has them kept                                      */
} LoginSecrets;
/* The account one logs in to with this name: its address, or an exact alias whose only target it is. */
Found directory_login(Directory *directory, Arena *arena, Span name, const Account **ret, const LoginSecrets **ret_secrets, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* What a name typed at a login stands for, whether it exists or not: an address, its domain the canonical one. FOUND_NOT: no address, or
 * no domain of ours. */
Found directory_login_address(Directory *directory, Arena *arena, Span name, Address *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Does any domain have keys of SCRAM kept? FALSE also when it can't be looked up. Cheap: asked at every greeting. */
gboolean directory_has_scram(Directory *directory);
/* Octets of this site that nobody can guess and that never change, by their use; made when first asked for. */
#define DIRECTORY_KEY_OCTETS 32
gboolean directory_site_key(Directory *directory, const char *use, guint8 ret[DIRECTORY_KEY_OCTETS], GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
Found directory_account_by_id(Directory *directory, Arena *arena, gint64 id, const Account **ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* The groups an address is a member of, directly or through aliases and other groups; without those it is not in. Local parts in lower case. */
#define DIRECTORY_GROUPS_MAX 1000
gboolean directory_groups_of(Directory *directory, Arena *arena, const Address *address, const Address **ret, gsize *ret_n,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Administrators: what an account may do to the accounts of a domain, or of all ("*"). */
typedef enum AdminRight {
        ADMIN_READ_MAIL = 1 << 0,       /* open any mailbox of theirs by name, and change nothing */
        ADMIN_WRITE_MAIL = 1 << 1,      /* the same, and change what is in it and the mailbox itself */
} AdminRight;
typedef struct AdminScope {
        const char *domain;
        guint rights;
} AdminScope;
#define ADMIN_SCOPES_MAX 100
/* *ret_n 0: it is none. */
gboolean directory_admin_scopes(Directory *directory, Arena *arena, gint64 account, const AdminScope **ret, gsize *ret_n,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* What it may do to the accounts of this domain. */
gboolean directory_admin_rights(Directory *directory, Arena *arena, gint64 account, Span domain, guint *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* "read-mail,..." in the arena, "" for none. */
const char *directory_admin_rights_text(Arena *arena, guint rights);

/* Changes ------------------------------------------------------------------------------------------------------------
 *
 * Every answer but CHANGE_DONE comes with *error set: a sentence for the administrator (FAULT_INPUT for all but CHANGE_FAILED). */

typedef enum Change {
        CHANGE_FAILED = 0,      /* a fault */
        CHANGE_DONE,
        CHANGE_EXISTS,          /* add: already there                              */
        CHANGE_MISSING,         /* set, remove: not there; add: its domain is not  */
        CHANGE_INVALID,         /* a value is wrong: the error text says which and what would be right */
        CHANGE_IN_USE,          /* remove: something still needs it (accounts of a domain, postmaster) */
} Change;

/* Settings of objects as people give them: key=value. The keys with their manual are in the tables below; unknown keys and wrong
 * values are CHANGE_INVALID. */
typedef struct KeyValue {
        const char *key, *value;
} KeyValue;
typedef struct KeyManual {
        const char *key, *form, *manual;
} KeyManual;
extern const KeyManual DIRECTORY_DOMAIN_KEYS[], DIRECTORY_ACCOUNT_KEYS[], DIRECTORY_GROUP_KEYS[], DIRECTORY_BOUNCER_KEYS[],
        DIRECTORY_TEMPLATE_KEYS[];

Change directory_domain_add(Directory *directory, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
Change directory_domain_set(Directory *directory, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
Change directory_domain_remove(Directory *directory, DbTxn *txn, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* password_hash: from auth_hash_password(), or NULL: nobody can log in yet. Local part: RFC 5321 dot-string, UTF-8 allowed; '+', '*',
 * '%', '!' and '/' are refused in names of accounts. */
Change directory_account_add(Directory *directory, DbTxn *txn, const char *address, const char *password_hash, const KeyValue *pairs,
                             gsize n, gint64 *ret_id, GError **error) G_GNUC_WARN_UNUSED_RESULT;
Change directory_account_set(Directory *directory, DbTxn *txn, const char *address, const KeyValue *pairs, gsize n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
Change directory_account_password(Directory *directory, DbTxn *txn, const char *address, const char *password_hash, gint64 *ret_id,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Keeps the SCRAM keys of a password, when that is still the account's and its domain has them kept; else does nothing. A new password
 * has none until then; a domain that no longer wants them loses those of all its accounts. */
gboolean directory_keep_scram(Directory *directory, DbTxn *txn, gint64 account, const char *password_hash, const char *scram,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same in a transaction of its own. */
gboolean directory_write_scram(Directory *directory, gint64 account, const char *password_hash, const char *scram, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* Removes the account's row; the caller removes its mailboxes in the same transaction, and what was granted to it (store_remove_account(),
 * store_forget_address()). *ret_id says which. */
Change directory_account_remove(Directory *directory, DbTxn *txn, const char *address, gint64 *ret_id, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* Forms: LOCAL@DOMAIN, PREFIX*@DOMAIN, *@DOMAIN, LOCAL@*. At most DIRECTORY_TARGETS_MAX targets: one transaction must stay short. */
#define DIRECTORY_TARGETS_MAX 1000
Change directory_alias_add(Directory *directory, DbTxn *txn, const char *address, const char *const *targets, gsize n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
Change directory_group_add(Directory *directory, DbTxn *txn, const char *address, const char *const *members, gsize n, const KeyValue *pairs,
                           gsize n_pairs, GError **error) G_GNUC_WARN_UNUSED_RESULT;
Change directory_bouncer_add(Directory *directory, DbTxn *txn, const char *address, const KeyValue *pairs, gsize n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* Whatever alias, group or bouncer stands at that address. The caller forgets what was granted to a group (store_forget_address()). */
Change directory_alias_remove(Directory *directory, DbTxn *txn, const char *address, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Templates: what a new account gets, and the quotas of accounts that have none of their own. "default" is always there. Names of mailboxes
 * are kept as text; the store knows what is right (store/mailbox.h). */
typedef struct TemplateItem {
        const char *name, *value;       /* alias: its target; special use: "sent", "drafts", ... */
} TemplateItem;
typedef struct TemplateList {
        const TemplateItem *at;
        gsize n;
} TemplateList;
typedef struct Template {
        const char *name;
        gint64 quota_octets, quota_messages;    /* 0: none */
        TemplateList mailboxes, subscribed, aliases, special_uses;
} Template;
#define TEMPLATE_ITEMS_MAX 100  /* of each kind */
Change directory_template_add(Directory *directory, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
Change directory_template_set(Directory *directory, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* CHANGE_IN_USE: a domain or an account has it, or it is the default one. */
Change directory_template_remove(Directory *directory, DbTxn *txn, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* In the caller's transaction, so that an account can be made by it. */
Found directory_template(DbTxn *txn, Arena *arena, const char *name, Template *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
Found directory_template_of(DbTxn *txn, Arena *arena, gint64 account, Template *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* All of them, by name. */
gboolean directory_templates(Directory *directory, Arena *arena, const Template **ret, gsize *ret_n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* Lists for administrators, in pages: rows after `after` (NULL: from the start), at most `max`. */
typedef struct AliasRow {
        const char *address, *kind;     /* alias, group, bouncer, prefix, catchall */
        const Address *targets;
        gsize n_targets;
        Bouncer bouncer;
        GroupPost post;
} AliasRow;
gboolean directory_list_accounts(Directory *directory, Arena *arena, const char *domain, const char *after, gsize max,
                                 const Account **ret, gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean directory_list_aliases(Directory *directory, Arena *arena, const char *domain, const char *after, gsize max,
                                const AliasRow **ret, gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A message was accepted for an address with a bouncer that counts (`after`). In the message's own transaction. */
gboolean directory_bouncer_count(Directory *directory, DbTxn *txn, const Address *address, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The work list of unknown names: counted in memory, written now and then (directory_flush_unknown, by housekeeping and at close); at
 * most the 10,000 most frequent per domain are kept. */
void directory_count_unknown(Directory *directory, const Address *address, const Address *sender);
gboolean directory_flush_unknown(Directory *directory, GError **error) G_GNUC_WARN_UNUSED_RESULT;
typedef struct UnknownName {
        const char *address, *first_sender, *last_sender;       /* senders: NULL when not known */
        guint64 times, spam;
        Usec first, last;
} UnknownName;
/* The most frequent first, of one domain (as address_parse_domain() writes it) or of all (NULL), at most max; what was not written yet is
 * not among them. */
gboolean directory_list_unknown(Directory *directory, Arena *arena, const char *domain, gsize max, const UnknownName **ret, gsize *ret_n,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Rises with every committed change; other caches compare it. */
guint64 directory_generation(const Directory *directory);

/* Tell me when an account changes: fn(data) is called after each commit that sets it, gives it another password or removes it, soon, on
 * whichever thread commits; it does no more than wake a session, which then looks again. After account_watch_free() returned fn is not
 * running and will not be called. */
typedef struct AccountWatch AccountWatch;
AccountWatch *directory_watch_account(Directory *directory, gint64 account, void (*fn)(gpointer data), gpointer data) G_GNUC_WARN_UNUSED_RESULT;
void account_watch_free(AccountWatch *watch);   /* NULL is fine */
/* A change outside this room (route table, server settings) that routing depends on: call in its transaction. */
void directory_touch(Directory *directory, DbTxn *txn);

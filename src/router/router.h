/* router.h -- decide what happens to one recipient (ROUTING.md).
 *
 * Pure decisions: reads the directory, the route table and the settings, writes nothing, opens no socket. The SMTP door asks
 * early (at RCPT) through intake, and intake asks again when something has changed until the message is there. Total: every
 * address gets an answer.
 *
 * Threads  any; a Router never changes after router_new() but for its cached route table, which follows directory_generation().
 * Memory   everything a Route points to lives in the caller's arena.
 * RFC      5321 §3.6.2 (relaying), §4.5.1 (postmaster), §6.3 (loops); 5233 (user+detail).
 */
#pragma once

#include "base/arena.h"
#include "directory/directory.h"
#include "mail/address.h"
#include "mail/status.h"

typedef struct Router Router;

/* Where this server takes mail by SMTP or LMTP; 0.0.0.0 and :: are all addresses of the machine. */
typedef struct RouterListener {
        const char *address;
        guint16 port;
} RouterListener;

typedef struct RouterSettings {
        const char *hostname;           /* A-label                                                             */
        const char *primary_domain;     /* where bare postmaster and IP literals of ours go; NULL: hostname    */
        const char *const *literals;    /* our addresses, "[192.0.2.1]" or "192.0.2.1", NULL-terminated, or NULL; those
                                           of the listeners count without being named here                     */
        const RouterListener *listeners;
        gsize n_listeners;
        const char *smart_host;         /* next hop for what is not ours, or NULL: mx(domain)                  */
        const char *postmaster;         /* address of the postmaster's account                                 */
} RouterSettings;

Router *router_new(Directory *directory, Db *db, const RouterSettings *settings) G_GNUC_WARN_UNUSED_RESULT;
void router_free(Router *router);        /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Router, router_free)

/* Standing of who brings the message. */
typedef enum Origin {
        ORIGIN_STRANGER = 0,    /* MX port, nobody logged in                                              */
        ORIGIN_CLIENT,          /* authenticated, or the local command line: may relay when may_send      */
        ORIGIN_FETCH,           /* external: never relayed to strangers, never trusted for groups         */
        ORIGIN_LMTP,            /* a trusted local server hands in                                        */
        ORIGIN_GENERATED,       /* ours: DSNs, notices: goes anywhere                                     */
} Origin;
const char *origin_name(Origin origin);                 /* "stranger", "client", "fetch", "lmtp", "generated" */
gboolean origin_from_name(const char *name, Origin *ret);

typedef struct Standing {
        Origin origin;
        gint64 account;         /* of an authenticated client, else 0    */
        gboolean may_send;      /* that account may send abroad          */
        const Address *sender;  /* for groups of members only; may be NULL */
} Standing;

/* The answer for one recipient, the words of ROUTING.md §2. */
typedef enum RouteKind {
        ROUTE_FAILED = 0,       /* could not look: the GError says why; the door answers 451 4.3.0          */
        ROUTE_DELIVER,          /* ours: `account`, `detail`; envelope_header set for a catch-all copy      */
        ROUTE_EXPAND,           /* an alias or group: route each of `members` instead                       */
        ROUTE_RELAY,            /* queue for `next_hop`, to `address`                                       */
        ROUTE_HOLD,             /* keep in hold queue `next_hop`                                            */
        ROUTE_REJECT,           /* 5yz now: `status`, `text`                                                */
        ROUTE_DEFER,            /* 4yz now: the client comes back                                           */
        ROUTE_BOUNCE,           /* accept, then a DSN under the guard of ROUTING §6                         */
        ROUTE_DISCARD,          /* accept and drop                                                          */
} RouteKind;
const char *route_kind_name(RouteKind kind);            /* "deliver", ... as in JSON */

typedef struct Route {
        RouteKind kind;
        gint64 account;
        Address address;                /* DELIVER: final address; RELAY: address to send to; else what was decided about */
        Span detail;                    /* sub-address `news` of joe+news, or empty                         */
        const char *envelope_header;    /* DELIVER, EXPAND, RELAY from a catch-all: name of the field, or NULL */
        const Address *members;         /* EXPAND                                                           */
        gsize n_members;
        const char *next_hop;           /* RELAY: HOST[:PORT], [IP][:PORT] or mx(DOMAIN); HOLD: queue       */
        Status status;                  /* REJECT, DEFER, BOUNCE                                            */
        const char *text;               /* what a stranger may read                                         */
        gboolean is_unknown;            /* the address is nobody's: counted, work list                      */
        gboolean is_counted_bouncer;    /* a bouncer with `after` stands at `bouncer`: directory_bouncer_count, once a message; of
                                           the leaves of one recipient only one has it */
        Address bouncer;
        const char *const *steps;       /* what was looked at, one sentence each                            */
        gsize n_steps;
} Route;

/* A leaf with all it points to in another arena; NULL when that has no room. */
const Route *route_copy(Arena *arena, const Route *leaf) G_GNUC_WARN_UNUSED_RESULT;

/* Decide for one recipient.
 *
 * rcpt   already parsed; its domain is a lower-case A-label, or it is a bare postmaster.
 * who    standing of the sender; only an authenticated one (or a record that says so) may get ROUTE_RELAY.
 * ret    filled unless the answer is ROUTE_FAILED, then untouched.
 *
 * An EXPAND's members are decided by calling this again, with the depth kept by router_resolve(). */
RouteKind router_decide(Router *router, Arena *arena, const Address *rcpt, const Standing *who, Route *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;

/* One recipient all the way down: expansions followed, cycle-free, depth 32, at most 10,000 addresses (beyond: 5.4.6). Leaves hold no EXPAND.
 * `envelope_header` of an expanding catch-all is handed down to its leaves. Members that are refused are leaves of kind REJECT. At
 * RCPT a caller that gets a single REJECT or DEFER leaf answers it. */
gboolean router_resolve(Router *router, Arena *arena, const Address *rcpt, const Standing *who, const Route **ret_leaves,
                        gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Is there somebody at the address of the postmaster (RouterSettings.postmaster)? Until there is, mail for postmaster and abuse waits
 * outside with 451. FALSE: a fault. */
gboolean router_has_postmaster(Router *router, Arena *arena, gboolean *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Does everything at this address lead back to it (5.4.6), in whatever circle? FALSE: a fault. */
gboolean router_leads_back(Router *router, Arena *arena, const Address *address, gboolean *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* Would it, if an alias or group of these members stood there? */
gboolean router_would_lead_back(Router *router, Arena *arena, const Address *address, const Address *members, gsize n, gboolean *ret,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Policies (domain unknown=, source unknown=) ------------------------------------------------------------------------- */

typedef enum PolicyWord {
        POLICY_REJECT = 0, POLICY_BOUNCE, POLICY_DELIVER, POLICY_DISCARD,
        /* later words of ROUTING §3 are refused when saved, saying so: forward, readdress, relay, outbox, create, hold */
} PolicyWord;
typedef struct Policy {
        PolicyWord word;
        const Address *targets;         /* DELIVER */
        gsize n_targets;
} Policy;
/* FALSE with FAULT_INPUT: what is wrong and what would be right. The targets point into text. */
gboolean router_policy_parse(Arena *arena, const char *text, const Policy **ret, gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Things an administrator should know about a policy of this domain (target missing: deferred with 451 until it exists; addresses can
 * be harvested), NULL-terminated. */
const char *const *router_policy_warnings(Router *router, Arena *arena, const char *domain, const char *text);

/* One domain takes mail for every name: the sentence for it; how: "unknown=deliver:joe@ex.org". */
const char *router_catch_all_warning(Arena *arena, const char *domain, const char *how);
/* A next hop of a relay domain that is this very server (a listener may have changed since it was saved), or NULL. */
const char *router_relay_warning(const Router *router, Arena *arena, const Domain *domain);

/* The pairs of a domain that only the router can judge: unknown=, kind=relay:NEXTHOP, next-hop=. What must go in a circle is refused
 * (ROUTING §3). CHANGE_DONE or CHANGE_INVALID with
 * FAULT_INPUT; call before directory_domain_add() and directory_domain_set(), which keep them as text. */
Change router_domain_check(Router *router, const KeyValue *pairs, gsize n, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Route table -------------------------------------------------------------------------------------------------------- */

/* Is this a record, `PATTERN = TARGET` with an optional NoRelay:, Relay: or RelayAll: before it? FAULT_INPUT says what is wrong. */
gboolean router_record_check(Arena *arena, const char *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct RouteRecord {
        gint64 id;
        guint position;                 /* from 1 */
        const char *record;
} RouteRecord;
Change router_record_add(Router *router, DbTxn *txn, const char *record, guint position, GError **error) G_GNUC_WARN_UNUSED_RESULT;     /* 0: last */
Change router_record_remove(Router *router, DbTxn *txn, guint position, const char *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;  /* by either */
gboolean router_records(Router *router, Arena *arena, const RouteRecord **ret, gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A loop the saved table can run into, or a record that sends to this very server, as text for a warning, or NULL. */
const char *router_table_loop(Router *router, Arena *arena, GError **error);

/* Next hops as text: HOST[:PORT] | [IP][:PORT] | mx(DOMAIN). */
gboolean router_next_hop_check(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Is it this very server, as far as that is known without asking the DNS? own: hostname, literals and listeners. Mail sent there would go
 * round and round. */
gboolean router_next_hop_is_own(const RouterSettings *own, const char *text) G_GNUC_WARN_UNUSED_RESULT;

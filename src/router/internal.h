/* internal.h -- what the files of this room share. */
#pragma once

#include "base/thread.h"
#include "router/router.h"

#define ROUTER_DEPTH_MAX 32      /* rewritings of one address, expansions below one another */
#define ROUTER_EXPAND_MAX 10000  /* addresses of one expansion                              */
#define ROUTER_RECORDS_MAX 10000 /* of the table                                            */
#define RECORD_TEXT_MAX 1000
#define POLICIES_MAX 16
#define POLICY_TARGETS_MAX 100

typedef struct Table Table;

struct Router {
        Directory *directory;
        Db *db;
        Arena *arena; /* of the settings; unchanged after router_new() */
        Span hostname, primary_domain;
        RouterSettings own; /* hostname, literals and listeners: what leads back here */
        const char *smart_host;
        Address postmaster; /* empty: none is set */

        Mutex mutex;  /* router.table, a leaf */
        Table *table; /* NULL: not loaded yet */
};

/* Records --------------------------------------------------------------------------------------------------------- */

/* Text with at most one star; the literal parts are lower case. */
typedef struct Glob {
        Span before, after;
        gboolean has_star;
} Glob;

typedef enum RecordTarget {
        TARGET_ADDRESS = 0, /* goes on with to_local@to_domain */
        TARGET_VIA,         /* leaves to `host` as to_local@to_domain */
        TARGET_REJECT,
        TARGET_DISCARD,
        TARGET_SPAMTRAP,
} RecordTarget;

typedef struct RouteRule {
        guint position;
        const char *text;     /* of the record, for steps */
        Glob local, domain;   /* pattern; a record without brackets has the local part `*` */
        gboolean keeps_local; /* a record without brackets: to_local's star is the whole local part */
        gboolean relays_anybody;
        RecordTarget target;
        Glob to_local, to_domain;
        const char *host; /* TARGET_VIA: next hop */
        guint next;       /* 1 + the next rule of the same chain, 0: none */
} RouteRule;

/* Read a record; FAULT_INPUT says what is wrong. text must live as long as the arena. */
gboolean rule_parse(Arena *arena, const char *text, RouteRule *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the star of the pattern stands for, when it matches. */
gboolean rule_matches(const RouteRule *rule, const Address *address, Span *ret_star);

/* The address a matching record makes of it; FALSE when a part gets too long or wrong. */
gboolean rule_rewrite(const RouteRule *rule, Arena *arena, const Address *address, Span star, Address *ret);

/* ".via" or "._via" behind a host; *ret_host is what stands before it. */
gboolean via_strip(Span domain, Span *ret_host);

/* Table ----------------------------------------------------------------------------------------------------------- */

struct Table {
        guint refs;         /* atomic; by the compiler and not by GLib, whose atomics thread sanitizers do not see */
        guint64 generation; /* of the directory, before it was loaded */
        Arena *arena;
        RouteRule *rules;
        gsize n;
        GHashTable *by_domain; /* Span * -> 1 + first rule with this very domain */
        guint first_wild;      /* 1 + first rule with a star in the domain, 0: none */
};

/* A reference to the table as it stands. NULL: a fault. */
Table *table_get(Router *router, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void table_unref(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_unref)

/* The first rule from the top that matches, or NULL. */
const RouteRule *table_match(const Table *table, const Address *address, Span *ret_star);

/* Decisions ------------------------------------------------------------------------------------------------------- */

typedef enum WalkFlags {
        WALK_OURS = 1 << 0,       /* an administrator named this address: it may leave, whoever sent */
        WALK_VIA = 1 << 1,        /* ... in a policy: .via is understood */
        WALK_SKIP_LISTS = 1 << 2, /* the alias or group here is being expanded: only an account beside it counts */
        WALK_NO_POLICY = 1 << 3,  /* asked by a policy: what nobody defined stays unknown */
} WalkFlags;

/* router_decide() with flags. before: steps that led here. *ret_flags: for the members of an EXPAND. */
RouteKind router_walk(Router *router, Arena *arena, const Address *rcpt, const Standing *who, WalkFlags flags,
                      const Route *before, Route *ret, WalkFlags *ret_flags, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Is this domain an address literal of ours? */
gboolean own_literal(const RouterSettings *own, Span domain);

/* Is it postmaster, or one of the names that are never caught by a policy (ROUTING 3)? */
gboolean name_is_reserved(Span local);

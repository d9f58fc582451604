/* internal.h -- what the files of intake/ share.
 *
 * A Submission is what a door brings. A Plan is what will be done with one or several of them in one transaction: of
 * each a Message, of each Message its leaves (one address of a recipient's expansion and what becomes of it), of the
 * leaves copies and queue rows. What the transaction finds different (a quota filled meanwhile, a bounce too many)
 * changes the leaves, and the plan is drawn again.
 */
#pragma once

#include "base/text.h"
#include "intake/intake.h"
#include "intake/trace.h"
#include "mail/compose.h"
#include "mail/message.h"

struct Intake {
        Db *db;
        Blob *blob;
        Directory *directory;
        Router *router;
        Store *store;
        Queue *queue;
        char *hostname;
        guint64 max_size;
        guint max_recipients, max_received;
        guint8 loop_key[32];
        TraceRefusals *refusals;
};

#define ROUTING_OCTETS ((gsize) 16 * 1024 * 1024) /* of one message's routes: 10,000 leaves */

/* Submissions (submission.c) --------------------------------------------------------------------------------------- */

typedef enum Fate { /* what the door asked for */
                    FATE_ROUTE = 0,
                    FATE_POSTMASTER,
                    FATE_BOUNCE,
                    FATE_DISCARD,
} Fate;

typedef struct Recipient {
        Address address; /* as in RCPT, before any rewriting */
        Fate fate;
        Status status;   /* FATE_BOUNCE */
        const char *why; /* FATE_*: for the trace and the DSN */
        IntakeReply answer;
        const Route *route; /* FATE_ROUTE: as decided at RCPT, or NULL... */
        guint64 generation; /* ... with the directory of then... */
        Usec routed_at;     /* ... and when (monotonic) */
} Recipient;

struct Submission {
        Intake *intake;
        Arena *arena;
        Id id;
        IntakeOrigin origin;
        Address sender;
        guint needs;
        Recipient *recipients;
        guint n, room;
        Arena *routes;      /* of the recipients; NULL: none is kept */
        BlobWriter *writer; /* from the first octet on, until the body is appended... */
        guint64 size;       /* ... when this says its octets */
        GError *broken;     /* the writer's fault */
        IntakeAlso also;
        gpointer also_data;
        const QueueRow *retried;      /* a queue row tried again: its body is stored and named, its trace begun */
        const char *inherited_header; /* of such a row: name of the envelope header it carries, or NULL */
        gboolean is_expired;          /* of such a row: what is not taken now is given up */
        IntakeReply reply;
};

#define POSTMASTER ((Address){.local = {(const guint8 *) "postmaster", 10}, .domain = SPAN_EMPTY})

/* The decision of RCPT, while nothing it was made from has changed; NULL: decide again. */
const Route *submission_route(const Submission *sub, const Recipient *recipient);
/* A message of ours: a DSN or a notice, to one recipient, from the null sender. */
Submission *submission_generate(Intake *intake, Id id, const Address *recipient, Span message, guint needs,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Text that lives as long as the submission and is never NULL. */
const char *submission_text(Submission *sub, const char *text, Status status);
void submission_trace_refused(Submission *sub, const Address *recipient, Status status, const char *text);

/* Facts: what a message's header says that intake must know (facts.c) ---------------------------------------------- */

typedef struct Facts {
        Header header; /* a copy in the arena */
        gsize shift;   /* from offsets in it to offsets in the shared body: what opens that before it */
        gsize ours;    /* octets of our Received at the start of the shared body */
        guint n_received, n_return_path, n_delivered_to;
        gboolean is_automatic;            /* list, bulk, auto-submitted or spam-flagged: never bounced by guess */
        const char *message_id, *subject; /* for the trace; NULL: none */
        const Span *tokens;               /* what may be loop tokens in the id clauses of Received */
        gsize n_tokens;
} Facts;

/* text: the start of the message, its whole header in it. FALSE: too complex. */
gboolean facts_read(Arena *arena, Span text, Facts *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Fields that a copy may have to cut, at most. */
gsize facts_count_cuttable(const Facts *facts, const char *envelope_header);

/* Delivered-To fields that name one of these addresses, at most COPY_CUTS_MAX. */
typedef struct DeliveredTo {
        const Field *field;
        Address address;
} DeliveredTo;
guint facts_delivered_to(Arena *arena, const Facts *facts, const Address *addresses, gsize n,
                         DeliveredTo ret[COPY_CUTS_MAX]);

/* What one copy does not show: fields of the envelope header's name (NULL: none); on final delivery also Return-Path,
 * and those Delivered-To fields that name neither of its own two addresses. Ranges beyond COPY_CUTS_MAX stay: plan.c
 * refuses such mail before. */
typedef struct CutRule {
        const char *envelope_header;
        gboolean is_final;
        const Address *own, *own_recipient;
        const DeliveredTo *delivered_to;
        guint n_delivered_to;
} CutRule;
void facts_cuts(const Facts *facts, const CutRule *rule, Cut cuts[COPY_CUTS_MAX], guint *n);
gboolean cuts_add(Cut cuts[COPY_CUTS_MAX], guint *n, gsize offset, gsize len); /* behind the last one */

/* Our Received, and the loop token in the id clause of those copies that are sent on (received.c) ------------------ */

#define TOKEN_DIGITS 20 /* hexadecimal, behind the message's id and a dash */
void loop_token(const Intake *intake, Arena *arena, const Address *recipient, char ret[TOKEN_DIGITS + 1]);
Span received_find_token(Span body); /* in the body of a Received field; empty: none */
void received_compose(Composer *c, Arena *arena, const Submission *sub, Usec now,
                      const char *token); /* NULL: no token */

/* The guard of bounces (bounce_guard.c) ---------------------------------------------------------------------------- */

typedef enum GuardAnswer {
        GUARD_FAILED = 0,
        GUARD_ALLOWED, /* claim it in the transaction */
        GUARD_TRUSTED, /* the sender is who he says: no limits */
        GUARD_DENIED,
} GuardAnswer;

typedef struct GuardCase {
        const Address *sender;
        Origin origin;
        Span domain; /* in whose name it would be sent */
        gboolean is_automatic;
        Usec now;
} GuardCase;

#define GUARD_OVER_LIMIT "not bounced: one DSN a day to a sender, twenty an hour for a domain"

GuardAnswer bounce_guard_check(Intake *intake, Arena *arena, const GuardCase *guarded, const char **ret_why,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Counts it: ALLOWED or DENIED. */
GuardAnswer bounce_guard_claim(DbTxn *txn, Arena *arena, const GuardCase *guarded,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Queue rows with next hop `local` (retry.c): when they are tried again, and how long. */
#define LOCAL_RETRY_FIRST (5 * USEC_PER_MINUTE)
#define LOCAL_RETRY_MOST (4 * USEC_PER_HOUR)
#define LOCAL_RETRY_SPAN (5 * USEC_PER_DAY)

/* Plans (plan.c) --------------------------------------------------------------------------------------------------- */

typedef struct Leaf {
        guint recipient;
        RouteKind kind; /* the route's, or what it has become */
        const Route *route;
        const Address *address; /* final, or the one asked for */
        const char *mailbox;    /* DELIVER: chosen by the rules */
        Status status;          /* of the answer, as it stands */
        const char *text;
        const char *note;       /* last step of the trace, or NULL */
        const Account *account; /* DELIVER */
        gboolean is_over_quota;
        gboolean is_postmaster; /* stands in for what could not be bounced */
        gboolean is_replaced;   /* by leaves of the postmaster */
        gboolean is_answered;   /* the door's reply says it: no DSN, no retry */
        gboolean is_reported;   /* in the DSN */
} Leaf;

/* Ranks: that of a recipient is the best of its leaves. */
typedef enum Rank {
        RANK_NONE = 0,
        RANK_REFUSED,
        RANK_DEFERRED,
        RANK_TAKEN,
} Rank;
Rank leaf_rank(const Leaf *leaf);

typedef struct CopyOut { /* one mailbox entry or queue row */
        Copy copy;
        guint leaf;          /* the first of those merged */
        gsize prefix_at;     /* while composing */
        const char *sent_to; /* queue rows: text of the recipient... */
        const char *next_hop, *held;
} CopyOut;

typedef struct Message {
        Intake *intake;
        Submission *sub;
        Arena *arena;
        Usec now;
        Facts facts;
        const char *const *names; /* of the recipients, as text */
        const char *sender;       /* as text */
        Span original;            /* what a DSN about it returns, while the writer is there; else its header */
        GArray *leaves;           /* Leaf */
        GArray *deliveries;       /* CopyOut */
        GArray *sendings;         /* CopyOut */
        GString *trace_lines;
        Span trace_hashes;
        Composer *prefixes; /* all of them, one behind the other */
        Span head;          /* what opens the shared body */
        guint64 body_size;  /* with it */
        BlobPlace place;
        Span summary;       /* what is computed once of the body */
        gboolean is_appended;
        gboolean is_kept;      /* something of it is taken: else the replies say all */
        Submission *report;    /* the DSN about it, owned */
        const char *no_report; /* why there may be none: the postmaster gets it */
        GuardAnswer guard;     /* about that DSN */
        GuardCase guarded;
} Message;

static inline Leaf *
leaf_at(const Message *m, guint i)
{
        return &g_array_index(m->leaves, Leaf, i);
}

typedef struct Plan {
        Intake *intake;
        GPtrArray *messages; /* those brought, then the DSNs about them */
        guint n_brought;
} Plan;

Plan *plan_new(Intake *intake) G_GNUC_WARN_UNUSED_RESULT;
void plan_free(Plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)
/* Read its header, route its recipients, apply the rules. */
gboolean plan_add(Plan *plan, Submission *sub, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Settle what becomes of each leaf, and who must be told; then the copies. */
gboolean plan_draw(Plan *plan, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Bodies on disk, before anything names them. */
gboolean plan_store_bodies(Plan *plan, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean plan_is_empty(const Plan *plan);

/* One more leaf of this recipient; note: last step of its trace. */
gboolean message_route_to_postmaster(Message *m, guint recipient, const char *note,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* What becomes of each leaf, and the answers (settle.c). *ret_report: a DSN is needed, and allowed. */
gboolean message_settle(Message *m, gboolean *ret_report, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* It can't be taken now; an expired one is given up. */
void leaf_defer(const Message *m, Leaf *leaf, Status status, const char *text);

/* Copies of a settled message, with prefixes and cuts (copies.c). */
gboolean message_make_copies(Message *m, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The transaction (carry_out.c). */
typedef enum Carried {
        CARRIED_FAILED = 0,
        CARRIED_CHANGED, /* nothing kept; leaves changed: draw the plan again */
        CARRIED_DONE,    /* on disk */
} Carried;
Carried plan_carry_out(Plan *plan, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Rules (rules.c): the mailbox of a DELIVER leaf. */
gboolean rules_apply(Intake *intake, Arena *arena, Leaf *leaf, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The failure of a reported leaf as final: an answer that would have been temporary is none any more (dsn.c). */
Status dsn_status(const Leaf *leaf);
/* DSNs (dsn.c): one about all reported leaves of a message. */
Submission *dsn_about(const Message *m, GError **error) G_GNUC_WARN_UNUSED_RESULT;

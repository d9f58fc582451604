/* run.h -- what the files of one session share: run.c (the session), receive.c (one message), batch.c (committing).
 *
 *      connect, login, LIST and UIDL -> a plan for each message -> TOP of those that must be known again -> RETR, commit, DELE -> QUIT
 *
 * Commands are sent ahead of their replies where the server allows it; each waits in `ops` for its reply. While a batch is committed the
 * server works on the messages of the next.
 */
#pragma once

#include "fetch/internal.h"

#define WINDOW_MESSAGES 64
#define WINDOW_OCTETS   ((guint64) 1024 * 1024)
#define BATCH_MESSAGES  64
#define BATCH_OCTETS    ((guint64) 4 * 1024 * 1024)
#define OPS_MAX         256 /* RETR or TOP of the window, and the DELE of a whole batch behind them */

typedef enum ItemPlan {
        ITEM_SKIP = 0,
        ITEM_CHECK,     /* TOP: is it the one we know?                          */
        ITEM_FETCH,     /* RETR                                                 */
        ITEM_HEADERS,   /* over max-size, of which the header is wanted: TOP    */
} ItemPlan;

/* One line of the listing, beside Run.messages. */
typedef struct Item {
        ItemPlan plan;
        gboolean is_plain;      /* its unique-id stands once in the listing */
        SeenRow *row;           /* claimed by it, or NULL                   */
} Item;

typedef enum OpKind { OP_TOP = 0, OP_FETCH, OP_DELE } OpKind;
typedef struct Op {
        OpKind kind;
        guint32 item;
} Op;

/* The message that is being received. */
typedef struct Current {
        guint32 item;
        gboolean is_header_only;        /* TOP that checks */
        gboolean has_begun;             /* its header is complete and was read */
        gboolean is_unwanted;           /* the rest is passed over */
        gboolean is_known;              /* it is here already */
        gboolean is_broken;             /* could not be stored */
        guint64 octets, hash;
        Submission *sub;
        Outcome outcome;                /* in Run.arena */
} Current;

/* One that waits for the commit. */
typedef struct BatchEntry {
        struct Run *run;
        Submission *sub;
        SeenRow *row;
        guint32 item;
        guint64 octets;
        char *recipient, *word, *reason;
} BatchEntry;

typedef struct Run {
        RunJob *job;
        const Source *source;
        Pop3Client *client;
        Arena *arena;           /* of the current message */
        IntakeOrigin origin;
        guint64 max_size;
        Usec now;               /* real, at the start */
        Pop3Message *messages;
        Item *items;
        guint32 n;
        Seen *seen;
        Op ops[OPS_MAX];
        guint ops_head, n_ops;
        guint n_tops;           /* of them, TOPs that check */
        guint n_fetches;        /* of them, RETRs and TOPs that fetch */
        guint64 octets_ahead;   /* announced, of those */
        guint32 next_check, next_fetch, suspect;
        GArray *doomed;         /* guint32: items that may go at the provider */
        guint n_doomed_sent;
        GArray *left;           /* rows of messages that stay, not written yet */
        GByteArray *header;     /* of the current message, as far as it came */
        Current current;
        BatchEntry batch[BATCH_MESSAGES];
        guint n_batch;
        guint64 batch_octets;
} Run;

/* receive.c: the reply to a RETR or TOP. POP3_FAILED: the connection is gone. */
Pop3Answer run_receive(Run *run, const Op *op, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* batch.c */
void run_batch_add(Run *run);       /* takes the current message */
gboolean run_batch_is_full(const Run *run);
/* Everything of the batch is on disk or left where it was; DELEs are noted. FALSE: a fault, nothing of it is kept. */
gboolean run_batch_commit(Run *run, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void run_batch_drop(Run *run);

/* It stays at the provider: noted in its row (written by run_left_flush, if not before), reported and logged. */
void run_leave(Run *run, guint32 item, guint64 hash, SeenState state, const char *recipient, const char *reason);
GArray *run_left_new(void) G_GNUC_WARN_UNUSED_RESULT;
void run_left_flush(Run *run);
void run_report(Run *run, guint32 item, const char *recipient, const char *outcome, const char *reason, Id message, guint64 size);
/* It is here: may it go at the provider? Then its DELE is noted. */
void run_doom_if_due(Run *run, guint32 item);
gboolean run_is_due(const Run *run, const SeenRow *row);

/* run.c: a message that is not here. hash: of its header, 0: not known yet. */
void run_plan_new(Run *run, guint32 item, guint64 hash);

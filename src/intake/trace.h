/* trace.h -- why each message went where it went: one record a message, written in its transaction; refusals in
 * batches.
 *
 * Kept 30 days and under 10 % of the disk. Refusals are batched, at most 1,000 rows a minute and then "and N more".
 *
 * Threads  any. Memory: results in the caller's arena.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "db/db.h"

typedef struct TraceFilter {
        Id message;             /* 0: any                            */
        const char *message_id; /* of the header, with or without <> */
        const char *to, *from;  /* addresses, case ignored           */
        Usec since;             /* 0: any                            */
        gsize max;              /* newest first; 0: 100              */
} TraceFilter;

typedef struct TraceRecipient {
        const char *recipient, *outcome, *target, *status;
        const char *const *steps;
        gsize n_steps;
} TraceRecipient;

typedef struct TraceRecord {
        Id message; /* 0: a refusal, no message was taken */
        Usec at;
        const char *origin, *client, *helo, *account, *sender, *message_id, *subject;
        guint64 size;
        const TraceRecipient *recipients;
        gsize n_recipients;
        guint times; /* refusals: how often */
} TraceRecord;

gboolean trace_find(Db *db, Arena *arena, const TraceFilter *filter, const TraceRecord **ret, gsize *ret_n,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Refusals: gathered in memory, equal ones counted, written by trace_flush_refusals(). */
typedef struct TraceRefusals TraceRefusals;
TraceRefusals *trace_refusals_new(void) G_GNUC_WARN_UNUSED_RESULT;
void trace_refusals_free(TraceRefusals *refusals);

typedef struct TraceRefusal {
        const char *client, *sender, *recipient, *status, *text; /* NULL is fine */
} TraceRefusal;
void trace_refusal(TraceRefusals *refusals, const TraceRefusal *refusal);
gboolean trace_flush_refusals(TraceRefusals *refusals, Db *db, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writing, inside the message's transaction (intake). message_id without <>. */
typedef struct TraceMessage {
        Id message;
        Usec at;
        const char *origin, *client, *helo, *account, *sender, *message_id, *subject;
        guint64 size;
        const char *lines; /* from trace_add_line() */
        Span hashes;       /* of sender, Message-ID and each recipient, by which trace_find() looks it up: textkey_put() */
} TraceMessage;
gboolean trace_put_message(DbTxn *txn, const TraceMessage *message, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What became of one recipient: one more line of the text that the record keeps, which is best made before the
 * transaction begins. */
void trace_add_line(GString *lines, const TraceRecipient *line, const char *last); /* last: one more step, or NULL */
/* Lines of a message that was traced before. */
gboolean trace_put_later(DbTxn *txn, Id message, Span hashes, const char *lines,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Housekeeping: drop what is older than `before` (at most 1,000 rows a call, *ret_more). */
gboolean trace_purge(Db *db, Usec before, gboolean *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;

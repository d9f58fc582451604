/* queue.h -- what still has to leave: one row a recipient, kept until delivered, bounced or removed.
 *
 * Adding happens in the message's own transaction. Sending is relay's affair (later); next hop `local` means: try the
 * local delivery again (intake).
 *
 * Threads  any. Memory: results in the caller's arena. Disk: table queue.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "blob/copy.h"
#include "db/db.h"
#include "mail/address.h"

typedef struct Queue Queue;

Queue *queue_new(Db *db, Blob *blob) G_GNUC_WARN_UNUSED_RESULT;
void queue_free(Queue *queue);

enum { /* QueueRow.needs */
       QUEUE_NEEDS_8BIT = 1,
       QUEUE_NEEDS_UTF8 = 2,
};

typedef struct QueueRow {
        gint64 id; /* 0 when adding */
        Id message;
        Copy copy;          /* its body is named, reference counted in */
        const char *sender; /* "" for the null sender */
        const char *recipient;
        const char *next_hop; /* HOST[:PORT], [IP][:PORT], mx(DOMAIN) or "local" */
        const char *held;     /* NULL, or the name of the hold queue, or "admin" */
        guint needs;
        Usec created, next_attempt;
        guint attempts;
        const char *last_reply; /* NULL: not tried */
} QueueRow;

gboolean queue_add(Queue *queue, DbTxn *txn, const QueueRow *row, gint64 *ret_id,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Filters of queue list; NULL: any. Pages: rows with id > after, at most max. */
typedef struct QueueFilter {
        const char *sender, *recipient, *next_hop, *held;
        Id message; /* 0: any */
        gint64 after;
        gsize max;
} QueueFilter;
gboolean queue_list(Queue *queue, Arena *arena, const QueueFilter *filter, const QueueRow **ret, gsize *ret_n,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum QueueAnswer {
        QUEUE_FAILED = 0,
        QUEUE_DONE,
        QUEUE_MISSING,
} QueueAnswer;
QueueAnswer queue_get(Queue *queue, Arena *arena, gint64 id, const QueueRow **ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Due rows (not held, next_attempt <= now), for the local retry and later relay; at most max. */
gboolean queue_due(Queue *queue, Arena *arena, const char *next_hop, Usec now, gsize max, const QueueRow **ret,
                   gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Done with it (QUEUE_MISSING: somebody else was first), or tried in vain. In the caller's transaction; the body's
 * reference goes with the row. */
QueueAnswer queue_remove(Queue *queue, DbTxn *txn, gint64 id, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean queue_tried(Queue *queue, DbTxn *txn, gint64 id, Usec next_attempt, const char *reply,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* retry.c -- queue rows with next hop `local`: routed again as if they had just come, body and trace being there
 * already. */
#include "intake/internal.h"

#define RETRY_PAGE 100

DB_SQL(TRACE_ORIGIN, "SELECT origin, client FROM trace WHERE message = ?");

/* Who brought it, as far as routing must know. */
static gboolean
read_origin(Intake *intake, Id message, IntakeOrigin *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(intake->db, error);

        *ret = (IntakeOrigin){.standing = {.origin = ORIGIN_STRANGER}, .protocol = "local"};
        if (txn == NULL)
                return FALSE;
        g_autoptr(DbRows) rows = db_query(txn, &TRACE_ORIGIN, error, "i", (gint64) message);
        if (rows == NULL)
                return FALSE;
        DbStep step = db_rows_next(rows, error);
        if (step == DB_ROW && db_text(rows, 0) != NULL)
                (void) origin_from_name(db_text(rows, 0), &ret->standing.origin);
        ret->standing.may_send = ret->standing.origin == ORIGIN_CLIENT || ret->standing.origin == ORIGIN_GENERATED;
        return step != DB_ROW_FAILED;
}

/* The row goes in the transaction that brings its mail home. */
static gboolean
remove_row(DbTxn *txn, Submission *sub, gpointer data, GError **error)
{
        switch (queue_remove(sub->intake->queue, txn, sub->retried->id, error)) {
        case QUEUE_DONE:
                return TRUE;
        case QUEUE_MISSING:
                return fault(error, FAULT_BUSY, "queue row %" G_GINT64_FORMAT " was removed meanwhile",
                             sub->retried->id);
        case QUEUE_FAILED:
        default:
                return FALSE;
        }
}

static const char *
header_name(Arena *arena, Span prefix)
{
        Scan s = scan_from(prefix);
        Span name;

        return scan_until(&s, ':', &name) ? arena_strndup(arena, name) : NULL;
}

static gboolean
row_address(Arena *arena, const char *text, Address *ret, GError **error)
{
        *ret = (Address){SPAN_EMPTY, SPAN_EMPTY};
        if (*text == '\0' || address_parse(arena, span_of(text), TRUE, ret) == ADDRESS_OK)
                return TRUE;
        if (span_is(span_of(text), "postmaster")) {
                *ret = POSTMASTER;
                return TRUE;
        }
        return fault(error, FAULT_INTERNAL, "a queue row has an address that is none");
}

static Submission *
submission_of_row(Intake *intake, Arena *arena, const QueueRow *row, GError **error)
{
        IntakeOrigin origin;
        Address sender, recipient;

        if (!read_origin(intake, row->message, &origin, error) || !row_address(arena, row->sender, &sender, error) ||
            !row_address(arena, row->recipient, &recipient, error))
                return NULL;
        g_autoptr(Submission) sub = intake_begin(intake, &origin, &sender, row->needs, error);
        if (sub == NULL)
                return NULL;
        sub->id = row->message;
        sub->retried = row;
        sub->size = row->copy.body_size;
        sub->inherited_header = header_name(sub->arena, row->copy.prefix);
        sub->is_expired = clock_real() - row->created > LOCAL_RETRY_SPAN;
        sub->recipients = g_new0(Recipient, 1);
        sub->n = sub->room = 1;
        sub->recipients[0].address = address_copy(sub->arena, &recipient);
        intake_also(sub, remove_row, NULL);
        return g_steal_pointer(&sub);
}

/* 5, 10, 20 minutes ... 4 hours, spread a little so that rows of one outage do not come back together. */
static Usec
next_attempt(const QueueRow *row)
{
        Usec pause = MIN(LOCAL_RETRY_FIRST << MIN(row->attempts, 10), LOCAL_RETRY_MOST);

        return clock_real() + pause + (Usec) random_below((guint32) (pause / 8));
}

static gboolean
note_attempt(Intake *intake, const QueueRow *row, const char *reply, GError **error)
{
        for (;;) {
                g_autoptr(DbTxn) txn = db_begin(intake->db, error);
                if (txn == NULL || !queue_tried(intake->queue, txn, row->id, next_attempt(row), reply, error))
                        return FALSE;
                DbCommit commit = db_take_commit(g_steal_pointer(&txn), error);
                if (commit != DB_AGAIN)
                        return commit == DB_COMMITTED;
        }
}

static gboolean
retry_row(Intake *intake, Arena *arena, const QueueRow *row, GError **error)
{
        g_autoptr(GError) why = NULL;

        g_autoptr(Submission) sub = submission_of_row(intake, arena, row, &why);
        if (sub != NULL && intake_accept(&sub, 1, &why))
                return sub->reply.verdict == INTAKE_ACCEPTED || note_attempt(intake, row, sub->reply.text, error);
        return note_attempt(intake, row, why->message, error);
}

gboolean
intake_retry_local(Intake *intake, GError **error)
{
        Usec now = clock_real(); /* rows that wait for later are not met again in this pass */
        gsize n = RETRY_PAGE;

        while (n == RETRY_PAGE) {
                g_autoptr(Arena) arena = arena_new(ROUTING_OCTETS);
                const QueueRow *rows;

                if (!queue_due(intake->queue, arena, "local", now, RETRY_PAGE, &rows, &n, error))
                        return FALSE;
                for (gsize i = 0; i < n; i++)
                        if (!retry_row(intake, arena, &rows[i], error))
                                return FALSE;
        }
        return TRUE;
}

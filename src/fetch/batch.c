/* batch.c -- messages that commit together, and the rows that say what was done with them. */
#include "fetch/run.h"

#define LEFT_ROWS 256

void
run_report(Run *run, guint32 item, const char *recipient, const char *outcome, const char *reason, Id message,
           guint64 size)
{
        const FetchReport report = {run->messages[item].uidl, recipient, outcome, reason, message, size};

        if (run->job->report != NULL)
                run->job->report(&report, run->job->data);
}

static SeenRow *
claim_row(Run *run, guint32 i, guint64 hash, SeenState state)
{
        Item *item = &run->items[i];

        if (item->row != NULL)
                item->row->is_claimed = FALSE; /* its own row of before may be taken over */
        item->row = seen_add(run->seen, &run->messages[i], item->is_plain, hash, state);
        return item->row;
}

/* In a transaction. After a reload another Fetch may be reading the same mailboxes: what it takes must not be taken
 * twice. */
static gboolean
put_row(DbTxn *txn, const Run *run, const SeenRow *row, const char *outcome, GError **error)
{
        if (g_atomic_int_get(&run->job->fetch->is_abandoned))
                return fault(error, FAULT_IO, "broken off");
        return seen_put(txn, run->source->id, row, outcome, error);
}

/* Left messages --------------------------------------------------------------------------------------------------- */

typedef struct Left {
        const SeenRow *row; /* of Run.seen */
        char *reason;
} Left;

static void
left_clear(gpointer data)
{
        g_free(((Left *) data)->reason);
}

GArray *
run_left_new(void)
{
        GArray *left = g_array_new(FALSE, FALSE, sizeof(Left));

        g_array_set_clear_func(left, left_clear);
        return left;
}

static DbCommit
left_put(const Run *run, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin(run->job->fetch->db, error);

        if (txn == NULL)
                return DB_FAILED;
        for (guint i = 0; i < run->left->len; i++) {
                const Left *left = &g_array_index(run->left, Left, i);
                if (!put_row(txn, run, left->row, left->reason, error))
                        return DB_FAILED;
        }
        return db_take_commit(g_steal_pointer(&txn), error);
}

/* Rows that can't be written cost nothing but another look at the next poll. */
void
run_left_flush(Run *run)
{
        g_autoptr(GError) error = NULL;

        if (run->left->len == 0)
                return;
        while (left_put(run, &error) == DB_AGAIN)
                continue;
        if (error != NULL)
                g_debug("source %s: %s", run->source->name, error->message);
        g_array_set_size(run->left, 0);
}

void
run_leave(Run *run, guint32 item, guint64 hash, SeenState state, const char *recipient, const char *reason)
{
        const char *why = reason != NULL ? reason : "not taken";
        const Left left = {claim_row(run, item, hash, state), g_strdup(why)};

        g_array_append_val(run->left, left);
        if (run->left->len >= LEFT_ROWS)
                run_left_flush(run);
        run->job->summary.left++;
        run_report(run, item, recipient, "left", why, 0, run->messages[item].size);
        log_event(&FETCH_EVENTS[EVENT_FETCH_LEFT], "source=%s uidl=%s size=%" G_GUINT64_FORMAT " reason=%s",
                  run->source->name, log_text(span_of(run->messages[item].uidl)), run->messages[item].size,
                  log_text(span_of(why)));
}

gboolean
run_is_due(const Run *run, const SeenRow *row)
{
        if (row->state != SEEN_DONE || run->source->keep == KEEP_FOREVER)
                return FALSE;
        return run->source->keep == KEEP_OFF ||
               run->now - row->first_seen >= (Usec) run->source->keep_days * USEC_PER_DAY;
}

void
run_doom_if_due(Run *run, guint32 item)
{
        if (run_is_due(run, run->items[item].row))
                g_array_append_val(run->doomed, item);
}

/* The batch ------------------------------------------------------------------------------------------------------- */

static void
entry_clear(BatchEntry *entry)
{
        submission_free(entry->sub);
        g_free(entry->recipient);
        g_free(entry->word);
        g_free(entry->reason);
        *entry = (BatchEntry){0};
}

void
run_batch_drop(Run *run)
{
        for (guint i = 0; i < run->n_batch; i++)
                entry_clear(&run->batch[i]);
        run->n_batch = 0;
        run->batch_octets = 0;
}

/* In the transaction of the message. */
static gboolean
put_outcome(DbTxn *txn, Submission *sub, gpointer data, GError **error)
{
        const BatchEntry *entry = data;

        return put_row(txn, entry->run, entry->row, entry->word, error);
}

void
run_batch_add(Run *run)
{
        Current *current = &run->current;
        BatchEntry *entry = &run->batch[run->n_batch++];
        SeenState state = run->items[current->item].plan == ITEM_HEADERS ? SEEN_HEADERS : SEEN_DONE;

        *entry = (BatchEntry){
                .run = run,
                .sub = g_steal_pointer(&current->sub),
                .row = claim_row(run, current->item, current->hash, state),
                .item = current->item,
                .octets = current->octets,
                .recipient = g_strdup(current->outcome.recipient),
                .word = g_strdup(current->outcome.word),
                .reason = g_strdup(current->outcome.reason),
        };
        run->batch_octets += current->octets;
        intake_also(entry->sub, put_outcome, entry);
}

gboolean
run_batch_is_full(const Run *run)
{
        guint most = run->job->memory->is_careful ? 1 : BATCH_MESSAGES;

        return run->n_batch >= most || run->batch_octets >= BATCH_OCTETS;
}

/* Accepted: on disk. Anything else stays at the provider; for a day when it was refused for good. */
static void
settle(Run *run, BatchEntry *entry)
{
        IntakeReply reply = intake_reply(entry->sub);

        if (reply.verdict != INTAKE_ACCEPTED) {
                run_leave(run, entry->item, entry->row->hash, reply.verdict == INTAKE_REFUSED ? SEEN_LEFT : SEEN_WAIT,
                          entry->recipient, reply.text);
                return;
        }
        run->job->summary.fetched++;
        run->job->summary.octets += entry->octets;
        run_report(run, entry->item, entry->recipient, entry->word, entry->reason, submission_id(entry->sub),
                   entry->octets);
        run_doom_if_due(run, entry->item);
}

gboolean
run_batch_commit(Run *run, GError **error)
{
        Submission *subs[BATCH_MESSAGES];

        if (run->n_batch == 0)
                return TRUE;
        for (guint i = 0; i < run->n_batch; i++)
                subs[i] = run->batch[i].sub;
        gboolean is_kept = intake_accept(subs, run->n_batch, error);
        for (guint i = 0; is_kept && i < run->n_batch; i++)
                settle(run, &run->batch[i]);
        run->job->memory->is_careful = !is_kept;
        run_batch_drop(run);
        return is_kept;
}

/* run.c -- one session with a provider: see run.h for its way.
 *
 * Invariant: a message is deleted at the provider only after the transaction that holds it, and the row that says so,
 * is on disk. A break anywhere leaves either nothing or both; the next session finds the row, makes sure by LIST's size
 * and TOP that the message is still the same, and deletes it without fetching.
 */
#include "fetch/run.h"

#include "base/text.h"

#define MESSAGE_ARENA_OCTETS ((gsize) 8 * 1024 * 1024)
#define NO_ITEM G_MAXUINT32
#define LEFT_REST USEC_PER_DAY
#define WAIT_REST (5 * USEC_PER_MINUTE)
#define BREAKS_MAX 3

/* Planning --------------------------------------------------------------------------------------------------------- */

/* Not taken lately, for a reason that will not have gone yet. A person who asks gets another try. */
static gboolean
is_resting(const Run *run, const SeenRow *row)
{
        Usec age = run->now - row->first_seen;
        Usec rest = row->state == SEEN_LEFT ? LEFT_REST : row->state == SEEN_WAIT ? WAIT_REST : 0;

        return !run->job->is_manual && age >= 0 && age < rest;
}

static void
drop_oversized(Run *run, guint32 i)
{
        const Pop3Message *message = &run->messages[i];

        g_array_append_val(run->doomed, i);
        run_report(run, i, "", "discard", "larger than max-size", 0, message->size);
        log_event(&FETCH_EVENTS[EVENT_FETCH_DROPPED], "source=%s uidl=%s size=%" G_GUINT64_FORMAT, run->source->name,
                  log_text(span_of(message->uidl)), message->size);
}

/* One notice: the row remembers that it was given. */
static void
plan_oversized(Run *run, guint32 i, guint64 hash)
{
        const SeenRow *row = run->items[i].row;

        if (run->source->oversize == OVERSIZE_DELETE && run->messages[i].size > run->source->max_size) {
                drop_oversized(run, i);
        } else if (run->source->oversize == OVERSIZE_HEADERS) {
                if (row == NULL || row->state != SEEN_HEADERS)
                        run->items[i].plan = ITEM_HEADERS;
        } else if (row == NULL || row->state != SEEN_LEFT) {
                run_leave(run, i, hash, SEEN_LEFT, "", "larger than max-size");
        } else {
                run->job->summary.left++;
        }
}

void
run_plan_new(Run *run, guint32 i, guint64 hash)
{
        Item *item = &run->items[i];

        item->plan = ITEM_SKIP;
        if (run->messages[i].size > run->max_size)
                plan_oversized(run, i, hash);
        else if (item->row != NULL && is_resting(run, item->row))
                run->job->summary.left++;
        else
                item->plan = ITEM_FETCH;
}

static void
plan_item(Run *run, guint32 i)
{
        const Pop3Message *message = &run->messages[i];
        Item *item = &run->items[i];
        SeenRow *row = seen_find(run->seen, message->uidl, message->size, NULL);

        if (!item->is_plain && (row != NULL || message->size > run->max_size)) {
                item->plan = ITEM_CHECK;
        } else if (row == NULL) {
                run_plan_new(run, i, 0);
        } else if (run_is_due(run, row)) {
                item->plan = ITEM_CHECK;
        } else {
                row->is_claimed = TRUE;
                item->row = row;
                if (row->state != SEEN_DONE)
                        run_plan_new(run, i, row->hash);
        }
}

static guint64
suspect_id(const Pop3Message *message)
{
        return ((guint64) g_str_hash(message->uidl) << 32) ^ message->size;
}

/* A unique-id that stands twice in a listing is none. */
static void
find_plain(Run *run)
{
        g_autoptr(GHashTable) first = g_hash_table_new(g_str_hash, g_str_equal);

        for (guint32 i = 0; i < run->n; i++) {
                const char *uidl = run->messages[i].uidl;
                gpointer other;

                if (uidl[0] == '\0')
                        continue;
                run->items[i].is_plain = !g_hash_table_lookup_extended(first, uidl, NULL, &other);
                if (run->items[i].is_plain)
                        g_hash_table_insert(first, (gpointer) uidl, GUINT_TO_POINTER(i));
                else
                        run->items[GPOINTER_TO_UINT(other)].is_plain = FALSE;
        }
}

static void
plan(Run *run)
{
        find_plain(run);
        for (guint32 i = 0; i < run->n; i++) {
                plan_item(run, i);
                if (run->job->memory->n_breaks > 0 && suspect_id(&run->messages[i]) == run->job->memory->suspect)
                        run->suspect = i;
        }
}

/* Talking ---------------------------------------------------------------------------------------------------------- */

static void
push_op(Run *run, OpKind kind, guint32 item)
{
        run->ops[(run->ops_head + run->n_ops++) % OPS_MAX] = (Op){kind, item};
        run->n_tops += kind == OP_TOP;
        run->n_fetches += kind == OP_FETCH;
        if (kind == OP_FETCH)
                run->octets_ahead += run->messages[item].size;
}

static Op
pop_op(Run *run)
{
        Op op = run->ops[run->ops_head];

        run->ops_head = (run->ops_head + 1) % OPS_MAX;
        run->n_ops--;
        run->n_tops -= op.kind == OP_TOP;
        run->n_fetches -= op.kind == OP_FETCH;
        if (op.kind == OP_FETCH)
                run->octets_ahead -= run->messages[op.item].size;
        return op;
}

static gboolean
send_dele(Run *run)
{
        if (run->n_doomed_sent == run->doomed->len || run->n_ops >= OPS_MAX)
                return FALSE;
        guint32 item = g_array_index(run->doomed, guint32, run->n_doomed_sent++);
        pop3_client_send_dele(run->client, run->messages[item].number);
        push_op(run, OP_DELE, item);
        return TRUE;
}

static gboolean
send_check(Run *run)
{
        while (run->next_check < run->n && run->items[run->next_check].plan != ITEM_CHECK)
                run->next_check++;
        if (run->next_check == run->n || run->n_tops >= WINDOW_MESSAGES || run->n_ops >= OPS_MAX)
                return FALSE;
        pop3_client_send_top(run->client, run->messages[run->next_check].number, 0);
        push_op(run, OP_TOP, run->next_check++);
        return TRUE;
}

static gboolean
is_wanted(const Run *run, guint32 item)
{
        return run->items[item].plan == ITEM_FETCH || run->items[item].plan == ITEM_HEADERS;
}

/* The one at which the connection broke comes last, so that it does not stop the others. */
static guint32
next_wanted(Run *run)
{
        while (run->next_fetch < run->n && (run->next_fetch == run->suspect || !is_wanted(run, run->next_fetch)))
                run->next_fetch++;
        if (run->next_fetch < run->n)
                return run->next_fetch;
        return run->suspect != NO_ITEM && is_wanted(run, run->suspect) ? run->suspect : NO_ITEM;
}

static gboolean
send_fetch(Run *run)
{
        guint32 item = next_wanted(run);

        if (item == NO_ITEM || run->n_fetches >= WINDOW_MESSAGES || run->n_ops >= OPS_MAX)
                return FALSE;
        if (run->n_fetches > 0 && run->octets_ahead + run->messages[item].size > WINDOW_OCTETS)
                return FALSE;
        if (run->items[item].plan == ITEM_HEADERS)
                pop3_client_send_top(run->client, run->messages[item].number, 0);
        else
                pop3_client_send_retr(run->client, run->messages[item].number);
        push_op(run, OP_FETCH, item);
        if (item == run->next_fetch)
                run->next_fetch++;
        else
                run->suspect = NO_ITEM;
        return TRUE;
}

static gboolean
send_next(Run *run)
{
        if (send_dele(run))
                return TRUE;
        if (g_atomic_int_get(&run->job->fetch->is_stopping))
                return FALSE;
        if (send_check(run))
                return TRUE;
        return run->next_check == run->n && run->n_tops == 0 && send_fetch(run);
}

/* As much as the server lets us say at once. */
static void
send_ahead(Run *run)
{
        if (pop3_client_has_pipelining(run->client))
                while (send_next(run))
                        continue;
        else if (run->n_ops == 0)
                (void) send_next(run);
}

/* A message at which the connection breaks again and again is left alone for a day. */
static void
note_break(Run *run, const Op *op)
{
        RunMemory *memory = run->job->memory;
        guint64 id = suspect_id(&run->messages[op->item]);

        if (op->kind != OP_FETCH)
                return;
        memory->n_breaks = memory->suspect == id ? memory->n_breaks + 1 : 1;
        memory->suspect = id;
        if (memory->n_breaks < BREAKS_MAX)
                return;
        memory->n_breaks = 0;
        run_leave(run, op->item, 0, SEEN_LEFT, "", "the connection breaks at this message each time");
}

static gboolean
take_reply(Run *run, GError **error)
{
        Op op = pop_op(run);
        Pop3Answer answer;

        if (op.kind == OP_DELE) {
                answer = pop3_client_read_dele(run->client, error);
                run->job->summary.deleted += answer == POP3_OK;
                return answer != POP3_FAILED;
        }
        answer = run_receive(run, &op, error);
        if (answer == POP3_FAILED)
                note_break(run, &op);
        return answer != POP3_FAILED;
}

/* Until there is nothing more to ask. What came whole before a break is kept. */
static gboolean
talk(Run *run, GError **error)
{
        for (;;) {
                send_ahead(run);
                if (run->n_ops == 0 && run->n_batch == 0)
                        return TRUE;
                if (run->n_ops == 0 || run_batch_is_full(run)) {
                        pop3_client_flush(run->client);
                        if (!run_batch_commit(run, error))
                                return FALSE;
                        continue;
                }
                if (!take_reply(run, error)) {
                        g_autoptr(GError) also = NULL; /* the break is the news; what is not kept comes again */
                        if (!run_batch_commit(run, &also))
                                g_debug("source %s: %s", run->source->name, also->message);
                        return FALSE;
                }
        }
}

/* The session ------------------------------------------------------------------------------------------------------ */

/* What was refused, in words for an administrator. */
static RunEnd
turned_away(Run *run, Pop3Answer answer, const char *what, GError **error)
{
        if (answer == POP3_FAILED)
                return RUN_FAILED;
        if (answer == POP3_NOT_OFFERED)
                (void) fault(error, FAULT_IO, "%s: the server offers no way that we know", what);
        else
                (void) fault(error, answer == POP3_BUSY ? FAULT_BUSY : FAULT_IO, "%s: the server says: %s", what,
                             pop3_client_reply(run->client));
        return answer == POP3_BUSY ? RUN_BUSY : answer == POP3_AUTH_FAILED ? RUN_AUTH_FAILED : RUN_FAILED;
}

static RunEnd
connect_server(Run *run, GError **error)
{
        const Source *source = run->source;
        const Pop3ClientSettings settings = {
                .host = source->host,
                .port = source->port,
                .tls = source->tls,
                .tls_context = source->tls != POP3_TLS_NONE ? run->job->fetch->tls : NULL,
                .allow_private = TRUE, /* an administrator named it */
        };

        if (source->tls != POP3_TLS_NONE && run->job->fetch->tls == NULL) {
                (void) fault(error, FAULT_INPUT, "no certificates to check the server's with are known here");
                return RUN_FAILED;
        }
        Pop3Answer answer = pop3_client_connect(&settings, &run->client, error);
        if (answer != POP3_OK)
                return answer == POP3_BUSY ? RUN_BUSY : RUN_FAILED;
        if (fetch_note_client(run->job->fetch, run->client))
                return RUN_DONE;
        (void) fault(error, FAULT_BUSY, "this server is being stopped");
        return RUN_BUSY;
}

static RunEnd
log_in(Run *run, GError **error)
{
        char *password = secret_open(run->job->fetch->key, run->source->name, run->source->secret, error);

        if (password == NULL)
                return RUN_FAILED;
        Pop3Answer answer = pop3_client_login(run->client, run->source->user, password, error);
        text_wipe(password, strlen(password));
        g_free(password);
        return answer == POP3_OK ? RUN_DONE : turned_away(run, answer, "login", error);
}

static gboolean
load(Run *run, GError **error)
{
        run->items = g_try_new0(Item, MAX(run->n, 1));
        if (run->items == NULL)
                return fault(error, FAULT_BUSY, "no memory for a listing of %u messages", run->n);
        run->seen = seen_load(run->job->fetch->db, run->source->id, error);
        run->job->summary.seen = run->n;
        return run->seen != NULL;
}

/* Rows of messages that are gone. A mailbox that shows nothing at all where mail is to stay is rather a fault of the
 * server's. */
static void
forget_gone(Run *run)
{
        g_autoptr(GError) error = NULL;

        if (run->next_check < run->n || run->n_tops > 0 || (run->n == 0 && run->source->keep != KEEP_OFF))
                return;
        if (!seen_drop_unclaimed(run->job->fetch->db, run->source->id, run->seen, &error))
                g_debug("source %s: %s", run->source->name, error->message);
}

static RunEnd
session(Run *run, GError **error)
{
        RunEnd end = connect_server(run, error);

        if (end == RUN_DONE)
                end = log_in(run, error);
        if (end != RUN_DONE)
                return end;
        Pop3Answer answer = pop3_client_list(run->client, &run->messages, &run->n, error);
        if (answer != POP3_OK)
                return turned_away(run, answer, "listing", error);
        if (!load(run, error))
                return RUN_FAILED;
        plan(run);
        gboolean is_done = talk(run, error);
        if (is_done) {
                g_autoptr(GError) late = NULL; /* everything is safe: what was not deleted will be next time */
                if (pop3_client_quit(run->client, &late) == POP3_FAILED)
                        g_debug("source %s: %s", run->source->name, late->message);
                run->job->memory->n_breaks = 0;
        }
        run_left_flush(run);
        forget_gone(run);
        return is_done ? RUN_DONE : RUN_FAILED;
}

static void
run_free(Run *run)
{
        run_batch_drop(run);
        submission_free(run->current.sub);
        if (run->client != NULL)
                fetch_forget_client(run->job->fetch, run->client);
        pop3_client_free(run->client);
        seen_free(run->seen);
        arena_free(run->arena);
        g_array_unref(run->doomed);
        g_byte_array_unref(run->header);
        g_array_unref(run->left);
        g_free(run->items);
        g_free(run->messages);
        g_free(run);
}

RunEnd
run_source(RunJob *job, GError **error)
{
        Run *run = g_new0(Run, 1);
        guint64 limit = job->fetch->max_size > 0 ? job->fetch->max_size : G_MAXINT64;

        run->job = job;
        run->source = job->source;
        run->arena = arena_new(MESSAGE_ARENA_OCTETS);
        run->origin = (IntakeOrigin){.standing = {.origin = ORIGIN_FETCH},
                                     .protocol = "POP3",
                                     .helo = job->source->host,
                                     .source = job->source->name};
        run->max_size = job->source->max_size > 0 ? MIN(job->source->max_size, limit) : limit;
        run->now = clock_real();
        run->suspect = NO_ITEM;
        run->doomed = g_array_new(FALSE, FALSE, sizeof(guint32));
        run->header = g_byte_array_new();
        run->left = run_left_new();
        RunEnd end = session(run, error);
        run_free(run);
        /* Broken off by ourselves is no fault of the provider's. */
        return end == RUN_FAILED && g_atomic_int_get(&job->fetch->is_stopping) ? RUN_BUSY : end;
}

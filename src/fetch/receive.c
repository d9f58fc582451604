/* receive.c -- one message as it comes: its header first, which says who sent it and whom it is for; then the rest goes
 * to intake. */
#include "fetch/run.h"

#include "base/text.h"

static const Item *
current_item(const Run *run)
{
        return &run->items[run->current.item];
}

/* The octets up to and with the empty line, 0: not there yet. from: where to go on searching. */
static gsize
header_end(Span text, gsize from)
{
        const guint8 *at;

        if (text.len >= 2 && text.data[0] == '\r' && text.data[1] == '\n')
                return 2;
        from = from > 3 ? from - 3 : 0;
        at = from < text.len ? memmem(text.data + from, text.len - from, "\r\n\r\n", 4) : NULL;
        return at != NULL ? (gsize) (at - text.data) + 4 : 0;
}

/* A message that is here already, though its row could not be told by the listing alone. */
static gboolean
is_known(Run *run, Span text)
{
        const Pop3Message *message = &run->messages[run->current.item];
        Item *item = &run->items[run->current.item];
        SeenRow *row = seen_find(run->seen, message->uidl, message->size, &run->current.hash);

        if (row == NULL || row->state != SEEN_DONE)
                return FALSE;
        row->is_claimed = TRUE;
        item->row = row;
        return TRUE;
}

static void
add_octets(Run *run, Span octets)
{
        Current *current = &run->current;

        if (intake_add(current->sub, octets))
                return;
        current->is_broken = current->is_unwanted = TRUE;
}

/* The header is whole: read it, ask for the recipients, begin. */
static void
begin_message(Run *run, Span text)
{
        Current *current = &run->current;
        g_autoptr(GError) error = NULL;
        Header header = {.text = SPAN_EMPTY};
        Address sender;

        current->has_begun = TRUE;
        current->hash = seen_header_hash(text);
        current->is_known = is_known(run, text);
        if (current->is_header_only || current->is_known) {
                current->is_unwanted = TRUE;
                return;
        }
        if (!header_parse(run->arena, text, &header)) { /* too complex: nothing in it is believed */
                arena_reset(run->arena);
                header = (Header){.text = SPAN_EMPTY};
        }
        multidrop_sender(run->arena, &header, run->source->multidrop.hops, &sender);
        current->sub = intake_begin(run->job->fetch->intake, &run->origin, &sender, 0, &error);
        if (current->sub == NULL) {
                current->outcome = (Outcome){
                        .kind = OUTCOME_WAIT, .recipient = "", .reason = arena_strdup(run->arena, error->message)};
                current->is_unwanted = TRUE;
                return;
        }
        outcome_decide(run->job->fetch, run->source, run->arena, &header, &sender, current->sub, &current->outcome);
        current->is_unwanted = current->outcome.kind != OUTCOME_TAKEN;
        if (!current->is_unwanted)
                add_octets(run, text);
}

/* The header may come in pieces. Mostly it does not: then nothing is copied. */
static void
take_header(Run *run, Span piece)
{
        Span text = piece;
        gsize from = run->header->len;

        if (from > 0) {
                g_byte_array_append(run->header, piece.data, (guint) piece.len);
                text = span_make(run->header->data, run->header->len);
        }
        if (header_end(text, from) > 0 || text.len >= MESSAGE_HEADER_MAX)
                begin_message(run, text);
        else if (from == 0)
                g_byte_array_append(run->header, piece.data, (guint) piece.len);
}

static gboolean
take_piece(Span piece, gpointer data)
{
        Run *run = data;
        Current *current = &run->current;

        current->octets += piece.len;
        if (current->octets > run->max_size && !current->is_header_only)
                current->is_unwanted = TRUE;
        if (current->is_unwanted)
                return FALSE;
        if (!current->has_begun)
                take_header(run, piece);
        else
                add_octets(run, piece);
        return !current->is_unwanted;
}

/* The end of a message without an empty line, or without anything. */
static void
finish_header(Run *run)
{
        const Current *current = &run->current;

        if (!current->has_begun && (current->is_header_only || current->octets <= run->max_size))
                begin_message(run, span_make(run->header->data, run->header->len));
}

/* What a recipient of a header alone must know. */
static void
add_notice(Run *run)
{
        g_autofree char *text = g_strdup_printf(
                "\r\n[Only the header of this message was fetched: it has %" G_GUINT64_FORMAT
                " octets, and this source takes %" G_GUINT64_FORMAT ".\r\nThe whole message is still in the"
                " mailbox of %s at %s.]\r\n",
                run->messages[run->current.item].size, run->max_size, run->source->user, run->source->host);

        add_octets(run, span_of(text));
}

static void
settle_check(Run *run)
{
        Current *current = &run->current;
        Item *item = &run->items[current->item];
        const Pop3Message *message = &run->messages[current->item];

        if (current->is_known) {
                item->plan = ITEM_SKIP;
                run_doom_if_due(run, current->item);
                return;
        }
        SeenRow *row = seen_find(run->seen, message->uidl, message->size, &current->hash);
        if (row != NULL) {
                row->is_claimed = TRUE;
                item->row = row;
        }
        run_plan_new(run, current->item, current->hash);
}

static void
settle_message(Run *run)
{
        Current *current = &run->current;
        const Outcome *outcome = &current->outcome;

        if (current->is_known)
                run_doom_if_due(run, current->item);
        else if (current->octets > run->max_size)
                run_leave(run, current->item, current->hash, SEEN_LEFT, "", "larger than max-size");
        else if (current->is_broken)
                run_leave(run, current->item, current->hash, SEEN_WAIT, outcome->recipient, "it could not be stored");
        else if (outcome->kind != OUTCOME_TAKEN)
                run_leave(run, current->item, current->hash, outcome->kind == OUTCOME_LEAVE ? SEEN_LEFT : SEEN_WAIT,
                          outcome->recipient, outcome->reason);
        else
                run_batch_add(run);
}

static void
settle_refusal(Run *run, const Op *op)
{
        g_autofree char *reason = NULL;

        if (op->kind == OP_TOP) { /* no TOP here: the whole message will tell */
                run_plan_new(run, op->item, 0);
                return;
        }
        reason = g_strdup_printf("the server does not give it: %s", pop3_client_reply(run->client));
        run_leave(run, op->item, 0, SEEN_WAIT, "", reason);
}

/* Twice the limit and more is no honest mistake any more: the connection is given up. */
static guint64
patience(const Run *run, const Op *op)
{
        guint64 limit = op->kind == OP_TOP ? MESSAGE_HEADER_MAX : run->max_size;

        return limit + MAX(limit, (guint64) 64 * 1024 * 1024);
}

Pop3Answer
run_receive(Run *run, const Op *op, GError **error)
{
        guint64 octets;

        arena_reset(run->arena);
        g_byte_array_set_size(run->header, 0);
        run->current = (Current){.item = op->item, .is_header_only = op->kind == OP_TOP};
        Pop3Answer answer = pop3_client_read_message(run->client, patience(run, op), take_piece, run, &octets, error);
        if (answer == POP3_OK) {
                finish_header(run);
                if (current_item(run)->plan == ITEM_HEADERS && run->current.sub != NULL && !run->current.is_unwanted)
                        add_notice(run);
                if (op->kind == OP_TOP)
                        settle_check(run);
                else
                        settle_message(run);
        } else if (answer != POP3_FAILED) {
                settle_refusal(run, op);
        }
        submission_free(g_steal_pointer(&run->current.sub));
        return answer;
}

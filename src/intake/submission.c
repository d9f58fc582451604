#include "intake/internal.h"

#define PER_RECIPIENT_OCTETS 512
#define SMALL_TEXTS_OCTETS ((gsize) 16 * 1024)
#define ROUTE_AGE_MAX (10 * USEC_PER_SEC) /* some decisions depend on the time too */

static const IntakeReply RECIPIENT_OK = {.verdict = INTAKE_ACCEPTED, .status = {250, 2, 1, 5}, .text = "recipient ok"};

Submission *
intake_begin(Intake *intake, const IntakeOrigin *origin, const Address *sender, guint needs, GError **error)
{
        g_autoptr(Submission) sub = g_new0(Submission, 1);
        Arena *arena = arena_new(SMALL_TEXTS_OCTETS + (gsize) intake->max_recipients * PER_RECIPIENT_OCTETS);

        sub->intake = intake;
        sub->arena = arena;
        sub->id = id_new();
        sub->needs = needs;
        sub->sender = address_copy(arena, sender);
        sub->origin = (IntakeOrigin){
                .standing = origin->standing,
                .protocol = arena_strdup(arena, origin->protocol),
                .client = arena_strdup(arena, origin->client),
                .helo = arena_strdup(arena, origin->helo),
                .account = arena_strdup(arena, origin->account),
                .tls = arena_strdup(arena, origin->tls),
                .source = arena_strdup(arena, origin->source),
        };
        sub->origin.standing.sender = &sub->sender;
        if (arena_is_over(arena)) {
                (void) fault(error, FAULT_INPUT, "sender and client have names too long to take mail from them");
                return NULL;
        }
        return g_steal_pointer(&sub);
}

void
submission_free(Submission *sub)
{
        if (sub == NULL)
                return;
        blob_writer_free(sub->writer);
        g_clear_error(&sub->broken);
        g_free(sub->recipients);
        arena_free(sub->routes);
        arena_free(sub->arena);
        g_free(sub);
}

Submission *
submission_generate(Intake *intake, Id id, const Address *recipient, Span message, guint needs, GError **error)
{
        const IntakeOrigin origin = {.standing = {.origin = ORIGIN_GENERATED, .may_send = TRUE}, .protocol = "local"};
        const Address null_sender = {SPAN_EMPTY, SPAN_EMPTY};

        g_autoptr(Submission) sub = intake_begin(intake, &origin, &null_sender, needs, error);
        if (sub == NULL)
                return NULL;
        sub->id = id;
        sub->recipients = g_new0(Recipient, 1);
        sub->n = sub->room = 1;
        sub->recipients[0].address = address_copy(sub->arena, recipient);
        if (!intake_add(sub, message)) {
                g_propagate_error(error, g_steal_pointer(&sub->broken));
                return NULL;
        }
        return g_steal_pointer(&sub);
}

Id
submission_id(const Submission *sub)
{
        return sub->id;
}

const char *
submission_text(Submission *sub, const char *text, Status status)
{
        const char *kept = text != NULL ? arena_strdup(sub->arena, text) : NULL;

        return kept != NULL ? kept : status_meaning(status);
}

/* Recipients ------------------------------------------------------------------------------------------------------- */

/* Anything of it that we can take makes it accepted; else what may get better counts before what will not. */
static IntakeReply
leaves_answer(const Route *leaves, gsize n)
{
        const Route *refused = NULL, *deferred = NULL;

        for (gsize i = 0; i < n; i++) {
                if (leaves[i].kind == ROUTE_REJECT)
                        refused = refused != NULL ? refused : &leaves[i];
                else if (leaves[i].kind == ROUTE_DEFER)
                        deferred = deferred != NULL ? deferred : &leaves[i];
                else
                        return RECIPIENT_OK;
        }
        if (deferred != NULL)
                return (IntakeReply){INTAKE_DEFERRED, deferred->status, deferred->text, FALSE};
        if (refused != NULL)
                return (IntakeReply){INTAKE_REFUSED, refused->status, refused->text, refused->is_unknown};
        return (IntakeReply){INTAKE_REFUSED, STATUS(550, 5, 2, 4), "the group has no members", FALSE};
}

static gboolean
recipient_keep(Submission *sub, const Recipient *recipient)
{
        if (sub->n == sub->room) {
                sub->room = MIN(MAX(4, sub->room * 2), sub->intake->max_recipients);
                sub->recipients = g_renew(Recipient, sub->recipients, sub->room);
        }
        Recipient kept = *recipient;
        kept.address = address_copy(sub->arena, &recipient->address);
        kept.why = arena_strdup(sub->arena, recipient->why);
        if (arena_is_over(sub->arena))
                return FALSE;
        sub->recipients[sub->n++] = kept;
        return TRUE;
}

static IntakeReply
recipient_take(Submission *sub, const Recipient *recipient)
{
        if (sub->n >= sub->intake->max_recipients || !recipient_keep(sub, recipient))
                return (IntakeReply){INTAKE_DEFERRED, STATUS(452, 4, 5, 3), "too many recipients", FALSE};
        return RECIPIENT_OK;
}

/* The decision, for when the message is there. One that counts messages changes with each of them. Where there is no room
 * for it, it is made again. */
static void
route_keep(Submission *sub, Recipient *recipient, const Route *leaf, guint64 generation)
{
        if (leaf->is_counted_bouncer)
                return;
        if (sub->routes == NULL)
                sub->routes = arena_new((gsize) sub->intake->max_recipients * PER_RECIPIENT_OCTETS);
        recipient->route = route_copy(sub->routes, leaf);
        recipient->generation = generation;
        recipient->routed_at = clock_monotonic();
}

const Route *
submission_route(const Submission *sub, const Recipient *recipient)
{
        if (recipient->route == NULL || recipient->generation != directory_generation(sub->intake->directory) ||
            clock_monotonic() - recipient->routed_at > ROUTE_AGE_MAX)
                return NULL;
        return recipient->route;
}

/* Nobody's address: counted, however it is answered. */
static gboolean
all_unknown(const Route *leaves, gsize n)
{
        for (gsize i = 0; i < n; i++)
                if (!leaves[i].is_unknown)
                        return FALSE;
        return n > 0;
}

void
submission_trace_refused(Submission *sub, const Address *recipient, Status refusal, const char *text)
{
        g_autoptr(Arena) arena = arena_new(16 * 1024);
        char status[16];
        TraceRefusal row = {
                .client = sub->origin.client,
                .sender = arena_strndup(arena, address_text(arena, &sub->sender)),
                .recipient = arena_strndup(arena, address_text(arena, recipient)),
                .status = status_text(refusal, status, sizeof(status)),
                .text = text,
        };

        trace_refusal(sub->intake->refusals, &row);
}

IntakeReply
intake_recipient(Submission *sub, const Address *recipient)
{
        Intake *intake = sub->intake;
        g_autoptr(Arena) arena = arena_new(ROUTING_OCTETS);
        g_autoptr(GError) error = NULL;
        const Route *leaves;
        gsize n;

        if (sub->n >= intake->max_recipients)
                return recipient_take(sub, NULL);
        guint64 generation = directory_generation(intake->directory);
        if (!router_resolve(intake->router, arena, recipient, &sub->origin.standing, &leaves, &n, &error))
                return (IntakeReply){INTAKE_FAILED, STATUS(451, 4, 3, 0), "this can't be looked up at present", FALSE};
        if (all_unknown(leaves, n))
                directory_count_unknown(intake->directory, recipient, &sub->sender);

        IntakeReply reply = leaves_answer(leaves, n);
        if (reply.verdict == INTAKE_ACCEPTED) {
                Recipient taken = {.address = *recipient};
                if (n == 1)
                        route_keep(sub, &taken, &leaves[0], generation);
                return recipient_take(sub, &taken);
        }
        submission_trace_refused(sub, recipient, reply.status, reply.text);
        reply.text = submission_text(sub, reply.text, reply.status);
        return reply;
}

IntakeReply
intake_recipient_postmaster(Submission *sub, const Address *original, const char *reason)
{
        return recipient_take(sub, &(Recipient){.address = *original, .fate = FATE_POSTMASTER, .why = reason});
}

IntakeReply
intake_recipient_bounce(Submission *sub, const Address *original, Status status, const char *text)
{
        return recipient_take(sub,
                              &(Recipient){.address = *original, .fate = FATE_BOUNCE, .status = status, .why = text});
}

IntakeReply
intake_recipient_discard(Submission *sub, const Address *original, const char *reason)
{
        return recipient_take(sub, &(Recipient){.address = *original, .fate = FATE_DISCARD, .why = reason});
}

guint
submission_n_recipients(const Submission *sub)
{
        return sub->n;
}

/* The body --------------------------------------------------------------------------------------------------------- */

gboolean
intake_add(Submission *sub, Span octets)
{
        if (sub->broken != NULL)
                return FALSE;
        if (sub->writer == NULL)
                sub->writer = blob_writer_new(sub->intake->blob, sub->intake->max_size);
        return blob_writer_add(sub->writer, octets, &sub->broken);
}

guint64
submission_size(const Submission *sub)
{
        return sub->writer != NULL ? blob_writer_size(sub->writer) : sub->size;
}

gboolean
submission_view(Submission *sub, guint64 max, Span *ret, GError **error)
{
        if (sub->writer != NULL)
                return blob_writer_view(sub->writer, max, ret, error);
        *ret = SPAN_EMPTY;
        return TRUE;
}

void
intake_also(Submission *sub, IntakeAlso fn, gpointer data)
{
        sub->also = fn;
        sub->also_data = data;
}

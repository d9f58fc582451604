/* plan.c -- what will be done with each message: its header read, its recipients routed, its body stored. */
#include "intake/internal.h"

#define HEADER_VIEW (MESSAGE_HEADER_MAX + 1024)
#define RETURNED_MAX ((gsize) 50 * 1024) /* a longer message comes back as its header (ROUTING.md §6) */

static void
message_free(gpointer data)
{
        Message *m = data;

        submission_free(m->report);
        composer_free(m->prefixes);
        g_string_free(m->trace_lines, TRUE);
        g_array_unref(m->leaves);
        g_array_unref(m->deliveries);
        g_array_unref(m->sendings);
        arena_free(m->arena);
        g_free(m);
}

static Message *
message_new(Submission *sub)
{
        Message *m = g_new0(Message, 1);

        m->intake = sub->intake;
        m->sub = sub;
        m->now = clock_real();
        m->arena = arena_new(ROUTING_OCTETS);
        m->trace_lines = g_string_new(NULL);
        m->leaves = g_array_new(FALSE, TRUE, sizeof(Leaf));
        m->deliveries = g_array_new(FALSE, TRUE, sizeof(CopyOut));
        m->sendings = g_array_new(FALSE, TRUE, sizeof(CopyOut));
        return m;
}

Plan *
plan_new(Intake *intake)
{
        Plan *plan = g_new0(Plan, 1);

        plan->intake = intake;
        plan->messages = g_ptr_array_new_with_free_func(message_free);
        return plan;
}

void
plan_free(Plan *plan)
{
        if (plan == NULL)
                return;
        g_ptr_array_unref(plan->messages);
        g_free(plan);
}

static gboolean
too_complex(GError **error)
{
        return fault(error, FAULT_BUSY, "a message needs more memory than one may have");
}

/* Routing ---------------------------------------------------------------------------------------------------------- */

void
leaf_defer(const Message *m, Leaf *leaf, Status status, const char *text)
{
        leaf->kind = ROUTE_DEFER;
        leaf->status = status;
        leaf->text = text;
        if (!m->sub->is_expired)
                return;
        if (leaf->is_postmaster) {
                leaf->kind = ROUTE_DISCARD;
                leaf->note = "dropped: not even the postmaster could take it for days";
        } else {
                leaf->kind = ROUTE_REJECT;
                leaf->status = STATUS(550, 5, 4, 7);
        }
}

static gboolean
add_leaf(Message *m, guint recipient, const Route *route, gboolean is_postmaster, const char *note, GError **error)
{
        const Address *asked = &m->sub->recipients[recipient].address;
        Leaf leaf = {
                .recipient = recipient,
                .kind = route->kind,
                .route = route,
                .address = address_is_null(&route->address) ? asked : &route->address,
                .status = route->status,
                .text = route->text,
                .note = note,
                .is_postmaster = is_postmaster,
        };

        if (leaf.kind == ROUTE_DELIVER) {
                if (!rules_apply(m->intake, m->arena, &leaf, error))
                        return FALSE;
                if (directory_account_by_id(m->intake->directory, m->arena, route->account, &leaf.account, error) ==
                    FOUND_FAILED)
                        return FALSE;
        }
        /* What the postmaster gets may wait but never be refused: nobody else is left to tell. */
        if (leaf.kind == ROUTE_DEFER || (is_postmaster && leaf.kind == ROUTE_REJECT))
                leaf_defer(m, &leaf, leaf.status, leaf.text);
        g_array_append_val(m->leaves, leaf);
        return TRUE;
}

static gboolean
route_address(Message *m, guint recipient, const Address *address, const Standing *who, gboolean is_postmaster,
              const char *note, GError **error)
{
        const Route *leaves;
        gsize n;

        if (!router_resolve(m->intake->router, m->arena, address, who, &leaves, &n, error))
                return FALSE;
        for (gsize i = 0; i < n; i++)
                if (!add_leaf(m, recipient, &leaves[i], is_postmaster, note, error))
                        return FALSE;
        return TRUE;
}

gboolean
message_route_to_postmaster(Message *m, guint recipient, const char *note, GError **error)
{
        const Standing ours = {.origin = ORIGIN_GENERATED};

        return route_address(m, recipient, &POSTMASTER, &ours, TRUE, note, error);
}

/* A decision that is not the router's: the door's, or about the message as a whole. */
static gboolean
add_decided(Message *m, guint recipient, RouteKind kind, Status status, const char *text, GError **error)
{
        Route *route = arena_new0(m->arena, Route);

        if (route == NULL)
                return too_complex(error);
        route->kind = kind;
        route->status = status;
        route->text = text;
        return add_leaf(m, recipient, route, FALSE, text, error);
}

/* Has this site sent this message on for the same recipient before (ROUTING.md §6)? */
static gboolean
is_looping(Message *m, const Address *recipient)
{
        char token[TOKEN_DIGITS + 1];

        if (m->facts.n_tokens == 0 || m->sub->retried != NULL)
                return FALSE;
        loop_token(m->intake, m->arena, recipient, token);
        for (gsize i = 0; i < m->facts.n_tokens; i++)
                if (span_is(m->facts.tokens[i], token))
                        return TRUE;
        return FALSE;
}

typedef struct Refusal { /* the same for whatever the recipient is */
        Status status;
        const char *text;
} Refusal;

static const Refusal TOO_LARGE = {{552, 5, 3, 4}, "the message is too large"};
static const Refusal TOO_MANY_HOPS = {{554, 5, 4, 6}, "too many Received fields: the message goes round in a circle"};
static const Refusal HEADER_TOO_LARGE = {{554, 5, 6, 0}, "the header has too many or too large fields"};
static const Refusal LOOPING = {{554, 5, 4, 6}, "the message goes round in a circle"};

/* What a source brings can't be refused: it goes to the postmaster, but for what is too large. */
static gboolean
refuse_recipient(Message *m, guint i, const Refusal *refusal, GError **error)
{
        if (m->sub->origin.standing.origin == ORIGIN_FETCH && refusal != &TOO_LARGE)
                return message_route_to_postmaster(m, i, refusal->text, error);
        return add_decided(m, i, ROUTE_REJECT, refusal->status, refusal->text, error);
}

static gboolean
route_recipient(Message *m, guint i, GError **error)
{
        const Recipient *r = &m->sub->recipients[i];

        switch (r->fate) {
        case FATE_POSTMASTER:
                return message_route_to_postmaster(m, i, r->why, error);
        case FATE_BOUNCE:
                return add_decided(m, i, ROUTE_BOUNCE, r->status, r->why, error);
        case FATE_DISCARD:
                return add_decided(m, i, ROUTE_DISCARD, STATUS(250, 2, 0, 0), r->why, error);
        case FATE_ROUTE:
        default:
                break;
        }
        if (is_looping(m, &r->address))
                return refuse_recipient(m, i, &LOOPING, error);
        const Route *kept = submission_route(m->sub, r);
        if (kept != NULL)
                return add_leaf(m, i, kept, FALSE, NULL, error);
        return route_address(m, i, &r->address, &m->sub->origin.standing, FALSE, NULL, error);
}

/* Fields that must be cut where they would lead a reader astray can be too many for a copy. */
static gboolean
has_too_many_cuts(const Message *m)
{
        const char *counted = NULL;

        if (facts_count_cuttable(&m->facts, NULL) >= COPY_CUTS_MAX)
                return TRUE;
        for (guint i = 0; i < m->leaves->len; i++) {
                const char *name = leaf_at(m, i)->route->envelope_header;
                if (name == NULL || (counted != NULL && strcmp(name, counted) == 0))
                        continue;
                counted = name;
                if (facts_count_cuttable(&m->facts, name) >= COPY_CUTS_MAX)
                        return TRUE;
        }
        return FALSE;
}

/* All recipients have one answer. */
static gboolean
refuse_whole(Message *m, const Refusal *refusal, GError **error)
{
        g_array_set_size(m->leaves, 0);
        for (guint i = 0; i < m->sub->n; i++)
                if (!refuse_recipient(m, i, refusal, error))
                        return FALSE;
        return TRUE;
}

/* The start of a body that is stored already. */
static gboolean
read_stored(Message *m, Span *ret, GError **error)
{
        const Copy *copy = &m->sub->retried->copy;
        gsize len = (gsize) MIN(copy->body_size, (guint64) HEADER_VIEW);
        guint8 *text = arena_alloc(m->arena, len);

        if (text == NULL)
                return too_complex(error);
        g_autoptr(BlobBody) body = blob_body_open(m->intake->blob, copy->body, error);
        if (body == NULL || !blob_body_read(body, 0, text, len, error))
                return FALSE;
        *ret = span_make(text, len);
        return TRUE;
}

static gboolean
message_read(Message *m, GError **error)
{
        const QueueRow *retried = m->sub->retried;
        guint64 size = retried != NULL ? retried->copy.body_size : submission_size(m->sub);
        Span text;

        if (!(retried != NULL ? read_stored(m, &text, error) : submission_view(m->sub, HEADER_VIEW, &text, error)))
                return FALSE;
        if (!facts_read(m->arena, text, &m->facts))
                return too_complex(error);
        m->original = size <= RETURNED_MAX ? text : m->facts.header.text;
        return TRUE;
}

/* Our Received opens the body; a message without a header gets the empty line that ends it. */
static gboolean
message_open_body(Message *m, GError **error)
{
        g_autoptr(Composer) c = composer_new(4096);

        if (m->sub->retried != NULL) {
                m->facts.ours = m->facts.header.n_fields > 0 ? m->facts.header.fields[0].end : 0;
                m->body_size = m->sub->retried->copy.body_size;
                return TRUE;
        }
        received_compose(c, m->arena, m->sub, m->now, NULL);
        m->facts.ours = composer_result(c).len;
        if (m->facts.header.body_offset == 0)
                compose_end_header(c);
        m->head = arena_copy(m->arena, composer_result(c));
        m->facts.shift = m->head.len;
        m->body_size = m->head.len + submission_size(m->sub);
        return (!composer_is_over(c) && m->head.len > 0) || too_complex(error);
}

/* Envelope addresses as text, for the trace and the queue. */
static gboolean
message_name(Message *m, GError **error)
{
        const char **names = arena_new_array(m->arena, const char *, MAX(m->sub->n, 1));

        m->sender = arena_strndup(m->arena, address_text(m->arena, &m->sub->sender));
        for (guint i = 0; names != NULL && i < m->sub->n; i++)
                names[i] = arena_strndup(m->arena, address_text(m->arena, &m->sub->recipients[i].address));
        m->names = names;
        return !arena_is_over(m->arena) || too_complex(error);
}

static gboolean
message_route(Message *m, GError **error)
{
        const Facts *facts = &m->facts;

        if (!message_name(m, error))
                return FALSE;

        if (m->sub->broken != NULL) /* over its limit: plan_add() has sorted out faults */
                return refuse_whole(m, &TOO_LARGE, error);
        if (!message_read(m, error) || !message_open_body(m, error))
                return FALSE;
        if (facts->header.is_truncated)
                return refuse_whole(m, &HEADER_TOO_LARGE, error);
        if (facts->n_received > m->intake->max_received && m->sub->retried == NULL)
                return refuse_whole(m, &TOO_MANY_HOPS, error);
        for (guint i = 0; i < m->sub->n; i++)
                if (!route_recipient(m, i, error))
                        return FALSE;
        return !has_too_many_cuts(m) || refuse_whole(m, &HEADER_TOO_LARGE, error);
}

gboolean
plan_add(Plan *plan, Submission *sub, GError **error)
{
        if (sub->broken != NULL && !blob_writer_is_over(sub->writer)) {
                g_propagate_error(error, g_error_copy(sub->broken));
                return FALSE;
        }
        Message *m = message_new(sub);
        g_ptr_array_add(plan->messages, m);
        plan->n_brought++;
        return message_route(m, error);
}

/* Drawing --------------------------------------------------------------------------------------------------------- */

static gboolean
draw_report(Plan *plan, Message *m, GError **error)
{
        gboolean needs_report;

        m->report = dsn_about(m, error);
        if (m->report == NULL)
                return FALSE;
        Message *dsn = message_new(m->report);
        g_ptr_array_add(plan->messages, dsn);
        return message_route(dsn, error) && message_settle(dsn, &needs_report, error) &&
               message_make_copies(dsn, error);
}

gboolean
plan_draw(Plan *plan, GError **error)
{
        gboolean needs_report;

        g_ptr_array_set_size(plan->messages, (gint) plan->n_brought); /* DSNs of an earlier drawing go */
        for (guint i = 0; i < plan->n_brought; i++) {
                Message *m = plan->messages->pdata[i];

                submission_free(g_steal_pointer(&m->report));
                if (!message_settle(m, &needs_report, error))
                        return FALSE;
                if (!m->is_kept)
                        continue;
                if (!message_make_copies(m, error) || (needs_report && !draw_report(plan, m, error)))
                        return FALSE;
        }
        return TRUE;
}

gboolean
plan_is_empty(const Plan *plan)
{
        for (guint i = 0; i < plan->messages->len; i++)
                if (((const Message *) plan->messages->pdata[i])->is_kept)
                        return FALSE;
        return TRUE;
}

/* Bodies ----------------------------------------------------------------------------------------------------------- */

/* Once for all copies. A message that there is no memory for is summarised by who asks. */
static void
message_summarise(Message *m, BlobWriter *writer)
{
        gsize size = m->head.len + (gsize) blob_writer_size(writer);
        g_autofree guint8 *body = g_try_malloc(size);
        Span octets;

        if (body == NULL || m->deliveries->len == 0 || !blob_writer_view(writer, G_MAXUINT64, &octets, NULL))
                return;
        if (m->head.len > 0)
                memcpy(body, m->head.data, m->head.len);
        if (octets.len > 0)
                memcpy(body + m->head.len, octets.data, octets.len);
        m->summary = store_summarise(m->arena, span_make(body, size));
}

static gboolean
message_append(Message *m, GError **error)
{
        BlobWriter *writer = g_steal_pointer(&m->sub->writer);

        if (writer == NULL)
                writer = blob_writer_new(m->intake->blob, 0);
        m->original = m->facts.header.text; /* what the writer showed goes with it */
        m->sub->size = blob_writer_size(writer);
        message_summarise(m, writer);
        m->is_appended = blob_take_append(writer, m->head, &m->place, error);
        return m->is_appended;
}

gboolean
plan_store_bodies(Plan *plan, GError **error)
{
        for (guint i = 0; i < plan->messages->len; i++) {
                Message *m = plan->messages->pdata[i];
                gboolean is_named = m->is_kept && m->deliveries->len + m->sendings->len > 0;

                if (!is_named || m->is_appended || m->sub->retried != NULL)
                        continue;
                if (!message_append(m, error))
                        return FALSE;
        }
        return TRUE;
}

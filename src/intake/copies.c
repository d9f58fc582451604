/* copies.c -- from settled leaves to mailbox entries and queue rows: merged, each with the prefix and the cuts of its
 * own. */
#include "intake/internal.h"

#include "db/textkey.h"

#define PREFIX_OCTETS 2048 /* of one copy: three fields with an address each */

/* One copy for all recipients that end in the same mailbox, or at the same address elsewhere; but one for each where
 * the recipient itself is written into the copy. */
typedef struct CopyKey {
        gint64 account;
        const char *place;   /* mailbox, or next hop */
        const char *sent_to; /* queue rows; else "" */
        const char *written; /* recipient in the envelope header; else "" */
} CopyKey;

static guint
key_hash(gconstpointer data)
{
        const CopyKey *key = data;

        return (guint) key->account * 31 + g_str_hash(key->place) * 17 + g_str_hash(key->sent_to) * 7 +
               g_str_hash(key->written);
}

static gboolean
key_equal(gconstpointer a, gconstpointer b)
{
        const CopyKey *x = a, *y = b;

        return x->account == y->account && strcmp(x->place, y->place) == 0 && strcmp(x->sent_to, y->sent_to) == 0 &&
               strcmp(x->written, y->written) == 0;
}

typedef struct Maker {
        Message *m;
        Composer *c;
        GHashTable *made; /* CopyKey -> 1 + index of the copy */
        const char *return_path;
        DeliveredTo delivered_to[COPY_CUTS_MAX];
        guint n_delivered_to;
        const char *cut_header; /* whose cuts `cuts` are, when they depend on nothing else */
        gboolean has_cuts;
        const Cut *cuts;
        guint n_cuts;
} Maker;

static gboolean
out_of_memory(GError **error)
{
        return fault(error, FAULT_BUSY, "a message's copies need more memory than one may have");
}

static const char *
address_string(Arena *arena, const Address *address)
{
        return arena_strndup(arena, address_text(arena, address));
}

typedef enum Made {
        MADE_FAILED = 0,
        MADE_NEW,
        MADE_BEFORE,
} Made;

/* Note a copy of this kind as made; was there one before? */
static Made
make_once(Maker *maker, const Leaf *leaf, gint64 account, const char *place, const char *sent_to, GError **error)
{
        Message *m = maker->m;
        CopyKey key = {account, place, sent_to, ""};

        if (leaf->route->envelope_header != NULL)
                key.written = m->names[leaf->recipient];
        CopyKey *kept = arena_new0(m->arena, CopyKey);
        if (kept == NULL || place == NULL || sent_to == NULL) {
                (void) out_of_memory(error);
                return MADE_FAILED;
        }
        *kept = key;
        return g_hash_table_add(maker->made, kept) ? MADE_NEW : MADE_BEFORE;
}

static const char *
envelope_header_of(const Maker *maker, const Leaf *leaf)
{
        return leaf->route->envelope_header != NULL ? leaf->route->envelope_header : maker->m->sub->inherited_header;
}

/* Recipient as at RCPT, before any rewriting; of a row tried again, what the first try wrote. */
static void
compose_envelope_header(Maker *maker, const Leaf *leaf)
{
        const Message *m = maker->m;

        if (leaf->route->envelope_header != NULL)
                compose_field_raw(maker->c, leaf->route->envelope_header,
                                  address_text(m->arena, &m->sub->recipients[leaf->recipient].address));
        else if (m->sub->inherited_header != NULL)
                compose_octets(maker->c, m->sub->retried->copy.prefix);
}

/* Cuts ------------------------------------------------------------------------------------------------------------- */

static gboolean
cuts_of_delivery(Maker *maker, const Leaf *leaf, Copy *copy, GError **error)
{
        Message *m = maker->m;
        CutRule rule = {
                .envelope_header = envelope_header_of(maker, leaf),
                .is_final = TRUE,
                .own = leaf->address,
                .own_recipient = &m->sub->recipients[leaf->recipient].address,
                .delivered_to = maker->delivered_to,
                .n_delivered_to = maker->n_delivered_to,
        };
        Cut cuts[COPY_CUTS_MAX];
        guint n = 0;

        if (!maker->has_cuts || maker->n_delivered_to > 0 || g_strcmp0(maker->cut_header, rule.envelope_header) != 0) {
                facts_cuts(&m->facts, &rule, cuts, &n);
                maker->cuts = (const Cut *) arena_copy(m->arena, span_make(cuts, n * sizeof(Cut))).data;
                maker->n_cuts = n;
                maker->cut_header = rule.envelope_header;
                maker->has_cuts = TRUE;
        }
        copy->cuts = maker->cuts;
        copy->n_cuts = maker->n_cuts;
        return maker->n_cuts == 0 || maker->cuts != NULL || out_of_memory(error);
}

/* Our shared Received is not shown: the copy has one of its own, with the loop token. */
static gboolean
cuts_of_sending(Maker *maker, const Leaf *leaf, Copy *copy, GError **error)
{
        Message *m = maker->m;
        const CutRule rule = {.envelope_header = envelope_header_of(maker, leaf)};
        Cut cuts[COPY_CUTS_MAX];
        guint n = 0;

        if (m->facts.ours > 0)
                (void) cuts_add(cuts, &n, 0, m->facts.ours);
        facts_cuts(&m->facts, &rule, cuts, &n);
        copy->cuts = (const Cut *) arena_copy(m->arena, span_make(cuts, n * sizeof(Cut))).data;
        copy->n_cuts = n;
        return n == 0 || copy->cuts != NULL || out_of_memory(error);
}

/* Copies ----------------------------------------------------------------------------------------------------------- */

static void
end_prefix(Maker *maker, CopyOut *out)
{
        out->copy.prefix.len = composer_result(maker->c).len - out->prefix_at;
        out->copy.body_size = maker->m->body_size;
}

static gboolean
make_delivery(Maker *maker, guint i, GError **error)
{
        Message *m = maker->m;
        const Leaf *leaf = leaf_at(m, i);
        CopyOut out = {.leaf = i, .prefix_at = composer_result(maker->c).len};

        Made made = make_once(maker, leaf, leaf->route->account, leaf->mailbox, "", error);
        if (made != MADE_NEW)
                return made == MADE_BEFORE;
        compose_octets(maker->c, span_of(maker->return_path));
        compose_field_raw(maker->c, "Delivered-To", address_text(m->arena, leaf->address));
        compose_envelope_header(maker, leaf);
        end_prefix(maker, &out);
        if (!cuts_of_delivery(maker, leaf, &out.copy, error))
                return FALSE;
        g_array_append_val(m->deliveries, out);
        return TRUE;
}

static gboolean
make_sending(Maker *maker, guint i, GError **error)
{
        Message *m = maker->m;
        const Leaf *leaf = leaf_at(m, i);
        CopyOut out = {
                .leaf = i,
                .prefix_at = composer_result(maker->c).len,
                .sent_to = address_string(m->arena, leaf->address),
                .next_hop = leaf->route->next_hop,
        };
        char token[TOKEN_DIGITS + 1];

        if (leaf->kind == ROUTE_HOLD) {
                out.held = leaf->route->next_hop;
                out.next_hop = arena_printf(m->arena, "mx(%.*s)", (int) leaf->address->domain.len,
                                            (const char *) leaf->address->domain.data);
        }
        Made made = make_once(maker, leaf, 0, out.next_hop, out.sent_to, error);
        if (made != MADE_NEW)
                return made == MADE_BEFORE;
        loop_token(m->intake, m->arena, &m->sub->recipients[leaf->recipient].address, token);
        compose_envelope_header(maker, leaf);
        received_compose(maker->c, m->arena, m->sub, m->now, token);
        end_prefix(maker, &out);
        if (!cuts_of_sending(maker, leaf, &out.copy, error))
                return FALSE;
        g_array_append_val(m->sendings, out);
        return TRUE;
}

/* What can't be taken now is routed again later. The whole body is kept, and of the prefix only the envelope header
 * that an expanded catch-all would write: its name and the recipient are not known then. */
static gboolean
make_local(Maker *maker, guint i, GError **error)
{
        Message *m = maker->m;
        const Leaf *leaf = leaf_at(m, i);
        CopyOut out = {
                .leaf = i,
                .prefix_at = composer_result(maker->c).len,
                .sent_to = address_string(m->arena, leaf->is_postmaster ? &POSTMASTER : leaf->address),
                .next_hop = "local",
        };

        Made made = make_once(maker, leaf, 0, out.next_hop, out.sent_to, error);
        if (made != MADE_NEW)
                return made == MADE_BEFORE;
        compose_envelope_header(maker, leaf);
        end_prefix(maker, &out);
        g_array_append_val(m->sendings, out);
        return TRUE;
}

static gboolean
make_copy(Maker *maker, guint i, GError **error)
{
        const Leaf *leaf = leaf_at(maker->m, i);

        if (leaf->is_replaced || leaf->is_answered || leaf->is_reported)
                return TRUE;
        switch (leaf->kind) {
        case ROUTE_DELIVER:
                return make_delivery(maker, i, error);
        case ROUTE_RELAY:
        case ROUTE_HOLD:
                return make_sending(maker, i, error);
        case ROUTE_DEFER:
                return make_local(maker, i, error);
        default:
                return TRUE; /* discarded */
        }
}

/* Addresses of this message whose naming in another's copy would tell of a hidden recipient. */
static gboolean
find_delivered_to(Maker *maker, GError **error)
{
        Message *m = maker->m;
        gsize n = 0;

        if (m->facts.n_delivered_to == 0)
                return TRUE;
        Address *ours = arena_new_array(m->arena, Address, m->sub->n + m->leaves->len);
        if (ours == NULL)
                return out_of_memory(error);
        for (guint i = 0; i < m->sub->n; i++)
                ours[n++] = m->sub->recipients[i].address;
        for (guint i = 0; i < m->leaves->len; i++)
                ours[n++] = *leaf_at(m, i)->address;
        maker->n_delivered_to = facts_delivered_to(m->arena, &m->facts, ours, n, maker->delivered_to);
        return TRUE;
}

/* The trace -------------------------------------------------------------------------------------------------------- */

static gboolean
trace_leaf(Message *m, const Leaf *leaf, GError **error)
{
        char status[16];
        const char *target = address_string(m->arena, leaf->address);
        Status said = leaf->is_reported ? dsn_status(leaf) : leaf->status; /* as the sender is told */

        if (leaf->kind == ROUTE_RELAY || leaf->kind == ROUTE_HOLD)
                target = arena_printf(m->arena, "%s via %s", target, leaf->route->next_hop);
        if (target == NULL)
                return out_of_memory(error);
        const TraceRecipient line = {
                .recipient = m->names[leaf->recipient],
                .outcome = route_kind_name(leaf->is_reported ? ROUTE_BOUNCE : leaf->kind),
                .target = target,
                .status = status_text(said.code != 0 ? said : STATUS(250, 2, 0, 0), status, sizeof(status)),
                .steps = leaf->route->steps,
                .n_steps = leaf->route->n_steps,
        };
        trace_add_line(m->trace_lines, &line, leaf->note);
        return TRUE;
}

/* What the trace is searched by: see textkey.h. */
static gboolean
make_trace_hashes(Message *m, GError **error)
{
        guint8 *hashes = arena_alloc(m->arena, (m->sub->n + 2) * TEXTKEY_OCTETS);
        gsize n = 0;

        if (hashes == NULL)
                return out_of_memory(error);
        if (*m->sender != '\0')
                textkey_put(hashes + TEXTKEY_OCTETS * n++, span_of(m->sender));
        if (m->facts.message_id != NULL)
                textkey_put(hashes + TEXTKEY_OCTETS * n++, span_of(m->facts.message_id));
        for (guint i = 0; i < m->sub->n; i++)
                textkey_put(hashes + TEXTKEY_OCTETS * n++, span_of(m->names[i]));
        m->trace_hashes = span_make(hashes, TEXTKEY_OCTETS * n);
        return TRUE;
}

static void
place_prefixes(GArray *copies, Span all)
{
        for (guint i = 0; i < copies->len; i++) {
                CopyOut *out = &g_array_index(copies, CopyOut, i);
                out->copy.prefix = span_slice(all, out->prefix_at, out->prefix_at + out->copy.prefix.len);
        }
}

static const char *
compose_return_path(const Message *m)
{
        g_autoptr(Composer) c = composer_new(PREFIX_OCTETS);

        compose_field_address(c, "Return-Path", &m->sub->sender);
        return arena_strndup(m->arena, composer_result(c));
}

gboolean
message_make_copies(Message *m, GError **error)
{
        Maker maker = {.m = m, .return_path = compose_return_path(m)};

        g_array_set_size(m->deliveries, 0);
        g_array_set_size(m->sendings, 0);
        g_string_truncate(m->trace_lines, 0);
        composer_free(m->prefixes);
        m->prefixes = maker.c = composer_new((gsize) m->leaves->len * PREFIX_OCTETS);
        if (maker.return_path == NULL || !find_delivered_to(&maker, error))
                return maker.return_path != NULL ? FALSE : out_of_memory(error);

        g_autoptr(GHashTable) made = g_hash_table_new(key_hash, key_equal);
        maker.made = made;
        for (guint i = 0; i < m->leaves->len; i++)
                if (!make_copy(&maker, i, error) || !trace_leaf(m, leaf_at(m, i), error))
                        return FALSE;
        if (composer_is_over(m->prefixes) || !make_trace_hashes(m, error))
                return composer_is_over(m->prefixes) ? out_of_memory(error) : FALSE;
        place_prefixes(m->deliveries, composer_result(m->prefixes));
        place_prefixes(m->sendings, composer_result(m->prefixes));
        return TRUE;
}

/* carry_out.c -- the one transaction. Everything is composed before; inside it a copy costs one short statement. */
#include "intake/internal.h"

static void
refuse_quota(Message *m, Leaf *leaf)
{
        leaf_defer(m, leaf, STATUS(452, 4, 2, 2), "the mailbox is full");
        leaf->is_over_quota = TRUE;
}

/* All leaves that this copy stands for. */
static void
refuse_delivery(Message *m, const CopyOut *out)
{
        const Leaf *first = leaf_at(m, out->leaf);
        gint64 account = first->route->account;

        for (guint i = out->leaf; i < m->leaves->len; i++) {
                Leaf *leaf = leaf_at(m, i);
                if (leaf->kind == ROUTE_DELIVER && !leaf->is_replaced && leaf->route->account == account)
                        refuse_quota(m, leaf);
        }
}

static gboolean
put_delivery(Message *m, DbTxn *txn, const CopyOut *out, gboolean *ret_changed, GError **error)
{
        const Leaf *leaf = leaf_at(m, out->leaf);
        StoreDelivery delivery = {
                .account = leaf->route->account,
                .mailbox = leaf->mailbox,
                .copy = &out->copy,
                .message = m->sub->id,
                .received = m->now,
        };
        gint64 uid;

        if (leaf->account != NULL) {
                delivery.quota_octets = (guint64) leaf->account->quota_octets;
                delivery.quota_messages = (guint64) leaf->account->quota_messages;
        }
        StoreAnswer answer = store_deliver(m->intake->store, txn, &delivery, &uid, error);
        if (answer == STORE_NO_MAILBOX) { /* the folder went since the rules chose it */
                delivery.mailbox = "INBOX";
                answer = store_deliver(m->intake->store, txn, &delivery, &uid, error);
        }
        if (answer == STORE_OVER_QUOTA) {
                refuse_delivery(m, out);
                *ret_changed = TRUE;
                return TRUE;
        }
        return answer == STORE_DONE ||
               (answer == STORE_NO_MAILBOX && fault(error, FAULT_INTERNAL, "an account without INBOX"));
}

static gboolean
put_sending(Message *m, DbTxn *txn, const CopyOut *out, GError **error)
{
        const QueueRow *retried = m->sub->retried;
        QueueRow row = {
                .message = m->sub->id,
                .copy = out->copy,
                .sender = m->sender,
                .recipient = out->sent_to,
                .next_hop = out->next_hop,
                .held = out->held,
                .needs = m->sub->needs,
                .created = retried != NULL ? retried->created : m->now,
                .next_attempt = strcmp(out->next_hop, "local") == 0 ? m->now + LOCAL_RETRY_FIRST : m->now,
        };

        return queue_add(m->intake->queue, txn, &row, NULL, error);
}

/* A name for the body and as many references as it will have. */
static gboolean
name_body(Message *m, DbTxn *txn, GError **error)
{
        gint64 refs = (gint64) m->deliveries->len + m->sendings->len, body;

        if (refs == 0)
                return TRUE;
        if (m->sub->retried != NULL) {
                body = m->sub->retried->copy.body;
                if (!blob_ref(txn, body, refs, error))
                        return FALSE;
        } else if (!blob_name(txn, &m->place, refs, m->summary, &body, error)) {
                return FALSE;
        }
        for (guint i = 0; i < m->deliveries->len; i++)
                g_array_index(m->deliveries, CopyOut, i).copy.body = body;
        for (guint i = 0; i < m->sendings->len; i++)
                g_array_index(m->sendings, CopyOut, i).copy.body = body;
        return TRUE;
}

static gboolean
count_bouncers(Message *m, DbTxn *txn, GError **error)
{
        for (guint i = 0; i < m->leaves->len; i++) {
                const Leaf *leaf = leaf_at(m, i);
                if (leaf->route->is_counted_bouncer && leaf_rank(leaf) == RANK_TAKEN &&
                    !directory_bouncer_count(m->intake->directory, txn, &leaf->route->bouncer, error))
                        return FALSE;
        }
        return TRUE;
}

static gboolean
claim_report(Message *m, DbTxn *txn, gboolean *ret_changed, GError **error)
{
        if (m->report == NULL || m->guard != GUARD_ALLOWED)
                return TRUE;
        switch (bounce_guard_claim(txn, m->arena, &m->guarded, error)) {
        case GUARD_ALLOWED:
        case GUARD_TRUSTED:
                return TRUE;
        case GUARD_DENIED:
                m->no_report = GUARD_OVER_LIMIT;
                *ret_changed = TRUE;
                return TRUE;
        case GUARD_FAILED:
        default:
                return FALSE;
        }
}

/* The trace -------------------------------------------------------------------------------------------------------- */

static gboolean
trace_message(Message *m, DbTxn *txn, GError **error)
{
        const Submission *sub = m->sub;
        TraceMessage row = {
                .message = sub->id,
                .at = m->now,
                .origin = origin_name(sub->origin.standing.origin),
                .client = sub->origin.client,
                .helo = sub->origin.helo,
                .account = sub->origin.account != NULL ? sub->origin.account : sub->origin.source,
                .sender = m->sender,
                .message_id = m->facts.message_id,
                .subject = m->facts.subject,
                .size = submission_size(sub),
                .lines = m->trace_lines->str,
                .hashes = m->trace_hashes,
        };

        return sub->retried != NULL ? trace_put_later(txn, sub->id, m->trace_hashes, row.lines, error)
                                    : trace_put_message(txn, &row, error);
}

/* The transaction -------------------------------------------------------------------------------------------------- */

static gboolean
carry_message(Message *m, DbTxn *txn, gboolean *ret_changed, GError **error)
{
        if (!name_body(m, txn, error))
                return FALSE;
        for (guint i = 0; i < m->deliveries->len; i++)
                if (!put_delivery(m, txn, &g_array_index(m->deliveries, CopyOut, i), ret_changed, error))
                        return FALSE;
        for (guint i = 0; i < m->sendings->len; i++)
                if (!put_sending(m, txn, &g_array_index(m->sendings, CopyOut, i), error))
                        return FALSE;
        if (!count_bouncers(m, txn, error) || !claim_report(m, txn, ret_changed, error) ||
            !trace_message(m, txn, error))
                return FALSE;
        return m->sub->also == NULL || *ret_changed || m->sub->also(txn, m->sub, m->sub->also_data, error);
}

static gboolean
carry_messages(Plan *plan, DbTxn *txn, gboolean *ret_changed, GError **error)
{
        *ret_changed = FALSE;
        for (guint i = 0; i < plan->messages->len; i++) {
                Message *m = plan->messages->pdata[i];
                if (m->is_kept && !carry_message(m, txn, ret_changed, error))
                        return FALSE;
        }
        return TRUE;
}

typedef struct Carrying {
        Plan *plan;
        gboolean is_changed;
} Carrying;

static gboolean
carry(DbTxn *txn, gpointer data, GError **error)
{
        Carrying *c = data;

        return carry_messages(c->plan, txn, &c->is_changed, error) && !c->is_changed;
}

Carried
plan_carry_out(Plan *plan, GError **error)
{
        Carrying carrying = {.plan = plan};
        g_autoptr(GError) cause = NULL;

        if (db_write(plan->intake->db, carry, &carrying, &cause) == DB_COMMITTED)
                return CARRIED_DONE;
        if (cause == NULL && carrying.is_changed)
                return CARRIED_CHANGED;
        g_propagate_error(error, g_steal_pointer(&cause));
        return CARRIED_FAILED;
}

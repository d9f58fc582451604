/* settle.c -- what becomes of each leaf, and who must be told: the door's answer, a DSN, or the postmaster. */
#include "intake/internal.h"

/* Does somebody wait for our answer, and for one to each recipient? */
static gboolean
somebody_waits(const Message *m)
{
        return m->sub->origin.standing.origin != ORIGIN_GENERATED && m->sub->retried == NULL;
}

static gboolean
each_is_answered(const Message *m)
{
        return m->sub->origin.standing.origin == ORIGIN_LMTP;
}

Rank
leaf_rank(const Leaf *leaf)
{
        if (leaf->is_replaced)
                return RANK_NONE;
        switch (leaf->kind) {
        case ROUTE_REJECT:
                return RANK_REFUSED;
        case ROUTE_DEFER:
                return RANK_DEFERRED;
        default:
                return RANK_TAKEN;
        }
}

static void
answer_recipients(Message *m, Rank *ranks)
{
        Submission *sub = m->sub;

        for (guint i = 0; i < sub->n; i++)
                sub->recipients[i].answer =
                        (IntakeReply){INTAKE_REFUSED, STATUS(550, 5, 2, 4), "the group has no members", FALSE};
        for (guint i = 0; i < m->leaves->len; i++) {
                const Leaf *leaf = leaf_at(m, i);
                Rank rank = leaf_rank(leaf);

                if (rank <= ranks[leaf->recipient])
                        continue;
                ranks[leaf->recipient] = rank;
                sub->recipients[leaf->recipient].answer =
                        rank == RANK_TAKEN ? (IntakeReply){INTAKE_ACCEPTED, STATUS(250, 2, 0, 0), "taken", FALSE}
                                           : (IntakeReply){rank == RANK_DEFERRED ? INTAKE_DEFERRED : INTAKE_REFUSED,
                                                           leaf->status, submission_text(sub, leaf->text, leaf->status),
                                                           leaf->route->is_unknown};
        }
}

/* The answer for the whole, when nothing is taken: what may get better counts before what will not. */
static IntakeReply
common_answer(const Submission *sub)
{
        const IntakeReply *reply = NULL;

        for (guint i = 0; i < sub->n; i++)
                if (reply == NULL ||
                    (reply->verdict == INTAKE_REFUSED && sub->recipients[i].answer.verdict == INTAKE_DEFERRED))
                        reply = &sub->recipients[i].answer;
        return reply != NULL ? *reply
                             : (IntakeReply){INTAKE_REFUSED, STATUS(554, 5, 5, 1), "no valid recipients", FALSE};
}

/* Somebody must be told that this leaf failed. Over quota is temporary only where a client is left to try again. */
static gboolean
must_report(const Message *m, const Leaf *leaf)
{
        return leaf->kind == ROUTE_REJECT || leaf->kind == ROUTE_BOUNCE ||
               (leaf->kind == ROUTE_DEFER && leaf->is_over_quota && !leaf->is_postmaster && m->sub->retried == NULL);
}

/* Which leaves the door's answers cover, which need a DSN. */
static gboolean
sort_leaves(Message *m, const Rank *ranks)
{
        gboolean any_taken = FALSE, any_reported = FALSE;

        for (guint i = 0; i < m->sub->n; i++)
                any_taken |= ranks[i] == RANK_TAKEN;
        m->is_kept = FALSE;
        for (guint i = 0; i < m->leaves->len; i++) {
                Leaf *leaf = leaf_at(m, i);
                gboolean is_lost = ranks[leaf->recipient] != RANK_TAKEN;

                if (leaf->is_replaced)
                        continue;
                if (somebody_waits(m))
                        leaf->is_answered = is_lost && (each_is_answered(m) || !any_taken);
                else
                        leaf->is_answered =
                                !any_taken && leaf->kind == ROUTE_DEFER && m->sub->retried != NULL; /* its row stays */
                leaf->is_reported = !leaf->is_answered && must_report(m, leaf);
                any_reported |= leaf->is_reported;
                m->is_kept |= !leaf->is_answered;
        }
        m->sub->reply = m->is_kept ? (IntakeReply){INTAKE_ACCEPTED, STATUS(250, 2, 0, 0), "taken", FALSE}
                                   : common_answer(m->sub);
        return any_reported;
}

static GuardCase
guard_case(const Message *m, const Leaf *leaf)
{
        return (GuardCase){
                .sender = &m->sub->sender,
                .origin = m->sub->origin.standing.origin,
                .domain = m->sub->recipients[leaf->recipient].address.domain,
                .is_automatic = m->facts.is_automatic,
                .now = m->now,
        };
}

static gboolean
may_report(Message *m, gboolean *ret, GError **error)
{
        guint first = 0;

        if (m->no_report == NULL) {
                while (!leaf_at(m, first)->is_reported)
                        first++;
                m->guarded = guard_case(m, leaf_at(m, first));
                m->guard = bounce_guard_check(m->intake, m->arena, &m->guarded, &m->no_report, error);
                if (m->guard == GUARD_FAILED)
                        return FALSE;
        }
        *ret = m->no_report == NULL;
        return TRUE;
}

/* The postmaster instead of a DSN. */
static gboolean
replace_reported(Message *m, GError **error)
{
        guint n = m->leaves->len;

        for (guint i = 0; i < n; i++) {
                Leaf *leaf = leaf_at(m, i);
                if (!leaf->is_reported)
                        continue;
                leaf->is_reported = FALSE;
                leaf->is_replaced = TRUE;
                leaf->note = m->no_report;
                if (!message_route_to_postmaster(m, leaf->recipient, m->no_report, error))
                        return FALSE;
        }
        return TRUE;
}

/* *ret_report: a DSN is needed, and allowed. */
gboolean
message_settle(Message *m, gboolean *ret_report, GError **error)
{
        for (;;) {
                g_autofree Rank *ranks = g_new0(Rank, m->sub->n);
                gboolean may = FALSE;

                answer_recipients(m, ranks);
                *ret_report = sort_leaves(m, ranks);
                if (!*ret_report)
                        return TRUE;
                if (!may_report(m, &may, error))
                        return FALSE;
                if (may)
                        return TRUE;
                if (!replace_reported(m, error)) /* never reported themselves: the next round ends */
                        return FALSE;
        }
}

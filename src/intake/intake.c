#include "intake/internal.h"

#define RECIPIENTS_DEFAULT 1000
#define RECEIVED_DEFAULT 100
#define SLICE_RECIPIENTS 500 /* of several messages that go into one transaction */

Intake *
intake_new(const IntakeRooms *rooms, const IntakeSettings *settings)
{
        Intake *intake = g_new0(Intake, 1);

        intake->db = rooms->db;
        intake->blob = rooms->blob;
        intake->directory = rooms->directory;
        intake->router = rooms->router;
        intake->store = rooms->store;
        intake->queue = rooms->queue;
        intake->hostname = g_strdup(settings->hostname);
        intake->max_size = settings->max_size;
        intake->max_recipients = settings->max_recipients != 0 ? settings->max_recipients : RECIPIENTS_DEFAULT;
        intake->max_received = settings->max_received != 0 ? settings->max_received : RECEIVED_DEFAULT;
        memcpy(intake->loop_key, settings->loop_key.data, MIN(settings->loop_key.len, sizeof(intake->loop_key)));
        intake->refusals = trace_refusals_new();
        return intake;
}

void
intake_free(Intake *intake)
{
        g_autoptr(GError) lost = NULL; /* refused mail is its sender's to keep */

        if (intake == NULL)
                return;
        if (!intake_flush_refusals(intake, &lost))
                g_debug("refusals not traced: %s", lost->message);
        trace_refusals_free(intake->refusals);
        text_wipe(intake->loop_key, sizeof(intake->loop_key));
        g_free(intake->hostname);
        g_free(intake);
}

gboolean
intake_flush_refusals(Intake *intake, GError **error)
{
        return trace_flush_refusals(intake->refusals, intake->db, error);
}

/* Taking ----------------------------------------------------------------------------------------------------------- */

/* Take responsibility for some messages (RFC 5321 §6.1).
 *
 *     route every recipient -> rules -> settle and copy -> bodies on disk -> ONE transaction
 *
 * The transaction can find what the plan did not know, a quota filled or a bounce too many; then nothing of it is kept,
 * the leaves in question say so, and the plan is drawn again. Each round answers at least one leaf more, so it ends. */
static gboolean
accept_together(Submission *const *subs, gsize n, GError **error)
{
        g_autoptr(Plan) plan = plan_new(subs[0]->intake);

        for (gsize i = 0; i < n; i++)
                if (!plan_add(plan, subs[i], error))
                        return FALSE;
        for (;;) {
                if (!plan_draw(plan, error))
                        return FALSE;
                if (plan_is_empty(plan))
                        return TRUE; /* all refused: nothing to keep */
                if (!plan_store_bodies(plan, error))
                        return FALSE;
                switch (plan_carry_out(plan, error)) {
                case CARRIED_DONE:
                        return TRUE;
                case CARRIED_CHANGED:
                        break;
                case CARRIED_FAILED:
                default:
                        return FALSE;
                }
        }
}

static void
trace_refused(Submission *sub)
{
        for (guint i = 0; i < sub->n && sub->reply.verdict != INTAKE_ACCEPTED; i++) {
                const Recipient *r = &sub->recipients[i];
                submission_trace_refused(sub, &r->address, r->answer.status, r->answer.text);
        }
}

static void
answer_fault(Submission *sub)
{
        const IntakeReply fault_reply = {INTAKE_FAILED, STATUS(451, 4, 3, 0), "this can't be done at present", FALSE};

        sub->reply = fault_reply;
        for (guint i = 0; i < sub->n; i++)
                sub->recipients[i].answer = fault_reply;
}

/* How many of them go into one transaction. */
static gsize
slice_length(Submission *const *subs, gsize n)
{
        gsize recipients = subs[0]->n, i = 1;

        while (i < n && recipients + subs[i]->n <= SLICE_RECIPIENTS)
                recipients += subs[i++]->n;
        return i;
}

gboolean
intake_accept(Submission *const *subs, gsize n, GError **error)
{
        gsize from = 0;

        while (from < n) {
                g_autoptr(GError) fault_of_slice = NULL;
                gsize len = slice_length(subs + from, n - from);

                if (!accept_together(subs + from, len, &fault_of_slice)) {
                        if (from == 0) {
                                g_propagate_error(error, g_steal_pointer(&fault_of_slice));
                                return FALSE;
                        }
                        for (gsize i = from; i < n; i++) /* what is kept stays answered */
                                answer_fault(subs[i]);
                        return TRUE;
                }
                for (gsize i = from; i < from + len; i++)
                        trace_refused(subs[i]);
                from += len;
        }
        return TRUE;
}

IntakeReply
intake_reply(const Submission *sub)
{
        return sub->reply;
}

IntakeReply
intake_answer(const Submission *sub, guint i)
{
        g_assert(i < sub->n);
        return sub->recipients[i].answer;
}

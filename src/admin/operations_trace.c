/* operations_trace.c -- trace ID | MESSAGE-ID | --to | --from | --since. */
#include "admin/operations.h"
#include "intake/trace.h"

#define TRACE_MAX 10000

static json_t *
trace_json(const TraceRecord *r)
{
        json_t *recipients = json_array();

        for (gsize i = 0; i < r->n_recipients; i++) {
                const TraceRecipient *t = &r->recipients[i];
                json_array_append_new(recipients,
                                      json_pack("{s:o, s:o, s:o, s:o, s:o}", "recipient", json_text(t->recipient),
                                                "outcome", json_text(t->outcome), "target", json_text(t->target),
                                                "status", json_text(t->status), "steps",
                                                json_strings(t->steps, t->n_steps)));
        }
        json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "id", json_id(r->message),
                              "at", json_time(r->at), "origin", json_text(r->origin), "client", json_text(r->client),
                              "helo", json_text(r->helo), "account", json_text(r->account), "sender",
                              json_text(r->sender), "message_id", json_text(r->message_id), "subject",
                              json_text(r->subject), "size", (json_int_t) r->size, "recipients", recipients);
        if (r->message == 0)
                json_put(o, "times", json_integer(r->times));
        return o;
}

static gboolean
trace_filter(AdminCall *call, TraceFilter *ret, AdminResult *ret_result)
{
        const char *what = admin_arg(call, "ID|MESSAGE-ID", 0);
        const char *max = admin_option(call, "--max");
        guint64 number = 100;

        ret->to = admin_option(call, "--to");
        ret->from = admin_option(call, "--from");
        if (what != NULL && !id_parse(span_of(what), &ret->message))
                ret->message_id = what;
        if (!admin_since(call, &ret->since, ret_result))
                return FALSE;
        if (max != NULL && (!span_to_number(span_of(max), TRACE_MAX, &number) || number == 0)) {
                *ret_result = admin_usage(call, "--max %s: give a number from 1 to %d", max, TRACE_MAX);
                return FALSE;
        }
        ret->max = (gsize) number;
        if (what == NULL && ret->to == NULL && ret->from == NULL && admin_option(call, "--since") == NULL &&
            max == NULL) {
                *ret_result = admin_usage(
                        call,
                        "which message? Give its id or Message-ID, --to, --from or --since; or --max for the newest");
                return FALSE;
        }
        return TRUE;
}

static AdminResult
trace_run(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        AdminResult result = ADMIN_DONE;
        const TraceRecord *records;
        TraceFilter filter = {0};
        gsize n;

        if (!trace_filter(call, &filter, &result))
                return result;
        /* Refusals wait in batches: those of the last seconds belong to the answer. */
        if (!intake_flush_refusals(admin_rooms(call)->intake, &error)) {
                admin_warn(call, "the newest refusals are missing: %s", error->message);
                g_clear_error(&error);
        }
        if (!trace_find(admin_rooms(call)->db, admin_arena(call), &filter, &records, &n, &error))
                return admin_refuse(call, "%s", error->message);
        for (gsize i = 0; i < n; i++)
                admin_row(call, trace_json(&records[i]));
        if (n == 0 && (filter.message != 0 || filter.message_id != NULL))
                return admin_refuse(call, "no trace of %s: it did not come here, or is older than what is kept",
                                    admin_arg(call, "ID|MESSAGE-ID", 0));
        return ADMIN_DONE;
}

const Operation TRACE = {
        .noun = "trace",
        .summary = "say what became of a message, and why",
        .manual = "Shows how each message came in and what was decided for each recipient, step by step, newest first. "
                  "The id stands in the reply to the sender, in the Received field and in the log. Mail that was "
                  "refused is shown too, without an id.",
        .example = "restante trace --to joe@uk.example.com --since 2h",
        .args = {{"ID|MESSAGE-ID", TRUE, FALSE, "an id of this server, or the message's Message-ID"}},
        .options = {{"--to", "ADDRESS", "recipient, as the sender gave it"},
                    {"--from", "ADDRESS", "sender of the envelope"},
                    {"--since", "TIME", ADMIN_SINCE},
                    {"--max", "N", "at most so many; 100 without it"}},
        .columns = {{"id", "id"},
                    {"at", "time", COLUMN_TIME},
                    {"origin", "origin"},
                    {"client", "client"},
                    {"helo", "helo"},
                    {"account", "account"},
                    {"sender", "sender", COLUMN_SENDER},
                    {"message_id", "message-id"},
                    {"subject", "subject"},
                    {"size", "size", COLUMN_SIZE},
                    {"recipients", "recipients"}},
        .is_list = TRUE,
        .run = trace_run,
};

/* operations_queue.c -- queue list|show. */
#include "admin/operations.h"

#define LIST_PAGE 500

static json_t *
queue_json(const QueueRow *r)
{
        return json_pack("{s:I, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:I, s:o}", "id", (json_int_t) r->id, "sender",
                         json_text(r->sender), "recipient", json_text(r->recipient), "next_hop", json_text(r->next_hop),
                         "next_attempt", json_time(r->next_attempt), "attempts", (int) r->attempts, "last_reply",
                         json_text(r->last_reply), "held", json_text(r->held), "message", json_id(r->message), "size",
                         (json_int_t) copy_size(&r->copy), "created", json_time(r->created));
}

static AdminResult
queue_list_run(AdminCall *call)
{
        QueueFilter filter = {.sender = admin_option(call, "--sender"),
                              .recipient = admin_option(call, "--recipient"),
                              .next_hop = admin_option(call, "--next-hop"),
                              .max = LIST_PAGE};
        gsize n;

        do {
                g_autoptr(GError) error = NULL;
                const QueueRow *page;

                arena_reset(admin_arena(call));
                if (!queue_list(admin_rooms(call)->queue, admin_arena(call), &filter, &page, &n, &error))
                        return admin_refuse(call, "%s", error->message);
                for (gsize i = 0; i < n; i++)
                        admin_row(call, queue_json(&page[i]));
                if (n > 0)
                        filter.after = page[n - 1].id;
        } while (n == LIST_PAGE);
        return ADMIN_DONE;
}

static AdminResult
queue_show_run(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *text = admin_arg(call, "ID", 0);
        const QueueRow *row;
        guint64 id;

        if (!span_to_number(span_of(text), G_MAXINT64, &id))
                return admin_usage(call, "'%s' is no id, as `restante queue list` shows them", text);
        switch (queue_get(admin_rooms(call)->queue, admin_arena(call), (gint64) id, &row, &error)) {
        case QUEUE_FAILED:
                return admin_refuse(call, "%s", error->message);
        case QUEUE_MISSING:
                return admin_refuse(call, "there is no row %s in the queue", text);
        case QUEUE_DONE:
                break;
        }
        admin_result(call, queue_json(row));
        return ADMIN_DONE;
}

const Operation QUEUE_LIST = {
        .noun = "queue",
        .verb = "list",
        .summary = "show what still has to leave",
        .manual = "One row for each recipient that is still to be served, oldest first.",
        .example = "restante queue list --recipient joe@new.example",
        .options = {{"--sender", "ADDRESS", "only mail from it; '' for delivery status notifications"},
                    {"--recipient", "ADDRESS", "only mail to it"},
                    {"--next-hop", "NEXTHOP", "only mail that leaves this way"}},
        .columns = {{"id", "id", COLUMN_NUMBER},
                    {"sender", "sender", COLUMN_SENDER},
                    {"recipient", "recipient"},
                    {"next_hop", "next hop"},
                    {"size", "size", COLUMN_SIZE},
                    {"next_attempt", "next attempt", COLUMN_TIME},
                    {"attempts", "tried", COLUMN_NUMBER},
                    {"held", "held"},
                    {"last_reply", "last reply"}},
        .is_list = TRUE,
        .run = queue_list_run,
};

const Operation QUEUE_SHOW = {
        .noun = "queue",
        .verb = "show",
        .summary = "show one row of the queue",
        .manual = "Everything that is known about one recipient's copy. `restante trace MESSAGE` tells where the "
                  "message came from.",
        .example = "restante queue show 17",
        .args = {{"ID", FALSE, FALSE, "as `queue list` shows it"}},
        .columns = {{"id", "id", COLUMN_NUMBER},
                    {"message", "message"},
                    {"sender", "sender", COLUMN_SENDER},
                    {"recipient", "recipient"},
                    {"next_hop", "next hop"},
                    {"size", "size", COLUMN_SIZE},
                    {"created", "created", COLUMN_TIME},
                    {"next_attempt", "next attempt", COLUMN_TIME},
                    {"attempts", "tried", COLUMN_NUMBER},
                    {"held", "held"},
                    {"last_reply", "last reply"}},
        .run = queue_show_run,
};

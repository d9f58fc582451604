/* operations_route.c -- route add|list|remove|explain. */
#include "admin/operations.h"

/* A record may be typed as one word or as several. */
static const char *
record_text(AdminCall *call)
{
        GString *s = g_string_new(NULL);

        for (gsize i = 0; i < admin_n_args(call, "RECORD"); i++)
                g_string_append_printf(s, "%s%s", i > 0 ? " " : "", admin_arg(call, "RECORD", i));
        const char *text = arena_strdup(admin_arena(call), s->str);
        g_string_free(s, TRUE);
        return text;
}

typedef struct RecordChange {
        const char *record;
        guint position;
} RecordChange;

static Change
route_add_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const RecordChange *change = data;

        return router_record_add(admin_rooms(call)->router, txn, change->record, change->position, error);
}

static AdminResult
route_list(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const RouteRecord *records;
        gsize n;

        if (!router_records(admin_rooms(call)->router, admin_arena(call), &records, &n, &error))
                return admin_refuse(call, "%s", error->message);
        for (gsize i = 0; i < n; i++)
                admin_row(call, json_pack("{s:i, s:o}", "position", (int) records[i].position, "record",
                                          json_text(records[i].record)));
        return ADMIN_DONE;
}

static gboolean
route_position(AdminCall *call, const char *text, guint *ret, AdminResult *ret_result)
{
        guint64 number = 0;

        if (text != NULL && (!span_to_number(span_of(text), 100000, &number) || number == 0)) {
                *ret_result = admin_usage(
                        call, "--at %s: a position is a number from 1, as `restante route list` shows it", text);
                return FALSE;
        }
        *ret = (guint) number;
        return TRUE;
}

static AdminResult
route_add(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        AdminResult result = ADMIN_DONE;
        RecordChange data = {.record = record_text(call)};

        if (!route_position(call, admin_option(call, "--at"), &data.position, &result))
                return result;
        if (!router_record_check(admin_arena(call), data.record, &error))
                return admin_refuse(call, "%s", error->message);
        json_t *after = json_text(data.record);
        AdminChange change = {.object = data.record, .after = after, .fn = route_add_fn, .data = &data};
        result = admin_change(call, &change);
        json_decref(after);
        if (result != ADMIN_DONE)
                return result;

        const char *loop = router_table_loop(admin_rooms(call)->router, admin_arena(call), &error);
        if (loop != NULL)
                admin_warn(call, "%s", loop);
        else if (error != NULL)
                admin_warn(call, "whether the table can loop is not known: %s", error->message);
        admin_result(call, json_pack("{s:o}", "record", json_text(data.record)));
        return ADMIN_DONE;
}

static Change
route_remove_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const RecordChange *change = data;

        return router_record_remove(admin_rooms(call)->router, txn, change->position,
                                    change->position != 0 ? NULL : change->record, error);
}

static AdminResult
route_remove(AdminCall *call)
{
        RecordChange data = {.record = record_text(call)};
        guint64 position;

        if (span_to_number(span_of(data.record), 100000, &position))
                data.position = (guint) position;
        if (data.position == 0 && strchr(data.record, '=') == NULL)
                return admin_usage(call, "'%s' is neither a position nor a record, as `restante route list` shows them",
                                   data.record);
        json_t *before = json_text(data.record);
        AdminChange change = {.object = data.record, .before = before, .fn = route_remove_fn, .data = &data};
        AdminResult result = admin_change(call, &change);

        json_decref(before);
        if (result == ADMIN_DONE)
                admin_result(call, json_pack("{s:o}", "removed", json_text(data.record)));
        return result;
}

/* What was decided, without what does not apply to its kind. */
static json_t *
route_json(AdminCall *call, const Route *r)
{
        Arena *arena = admin_arena(call);
        json_t *o = json_pack("{s:s}", "kind", route_kind_name(r->kind));
        char status[16];

        if (r->kind == ROUTE_DELIVER || r->kind == ROUTE_RELAY)
                json_put(o, r->kind == ROUTE_DELIVER ? "account" : "address", json_address(arena, &r->address));
        if (r->kind == ROUTE_DELIVER && r->detail.len > 0)
                json_put(o, "detail", json_span(r->detail));
        if (r->kind == ROUTE_EXPAND)
                json_put(o, "members", json_addresses(arena, r->members, r->n_members));
        if (r->kind == ROUTE_RELAY || r->kind == ROUTE_HOLD)
                json_put(o, r->kind == ROUTE_RELAY ? "next_hop" : "queue", json_text(r->next_hop));
        if (r->envelope_header != NULL)
                json_put(o, "envelope_header", json_text(r->envelope_header));
        if (r->kind == ROUTE_REJECT || r->kind == ROUTE_DEFER || r->kind == ROUTE_BOUNCE) {
                json_put(o, "code", json_integer(r->status.code));
                json_put(o, "status", json_string(status_text(r->status, status, sizeof(status))));
                json_put(o, "text", json_text(r->text));
        }
        return o;
}

static json_t *
route_leaves(AdminCall *call, const Address *address, const Standing *who)
{
        g_autoptr(GError) error = NULL;
        json_t *array = json_array();
        const Route *leaves;
        gsize n;

        if (!router_resolve(admin_rooms(call)->router, admin_arena(call), address, who, &leaves, &n, &error)) {
                admin_warn(call, "the targets could not be looked up: %s", error->message);
                return array;
        }
        for (gsize i = 0; i < n; i++) {
                json_t *leaf = route_json(call, &leaves[i]);
                json_put(leaf, "steps", json_strings(leaves[i].steps, leaves[i].n_steps));
                json_array_append_new(array, leaf);
        }
        return array;
}

static AdminResult
route_explain(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *text = admin_arg(call, "ADDRESS", 0);
        const char *origin = admin_option(call, "--origin");
        Standing who = {.origin = ORIGIN_STRANGER};
        AdminResult result = ADMIN_DONE;
        Address address = {0};
        Route route;

        if (origin != NULL && !origin_from_name(origin, &who.origin))
                return admin_usage(call, "--origin %s: it is one of stranger, client, fetch, lmtp, generated", origin);
        who.may_send = who.origin == ORIGIN_CLIENT;
        if (span_is(span_of(text), "postmaster"))
                address.local = span_of(text);
        else if (!admin_address(call, text, &address, &result))
                return result;
        if (router_decide(admin_rooms(call)->router, admin_arena(call), &address, &who, &route, &error) == ROUTE_FAILED)
                return admin_refuse(call, "%s could not be looked up, such mail is deferred with 451: %s", text,
                                    error->message);

        json_t *decision = route_json(call, &route);
        if (route.kind == ROUTE_EXPAND)
                json_put(decision, "leaves", route_leaves(call, &address, &who));
        admin_result(call, json_pack("{s:o, s:s, s:o, s:o}", "address", json_address(admin_arena(call), &address),
                                     "origin", origin_name(who.origin), "decision", decision, "steps",
                                     json_strings(route.steps, route.n_steps)));
        return ADMIN_DONE;
}

const Operation ROUTE_ADD = {
        .noun = "route",
        .verb = "add",
        .summary = "add a rewriting record to the route table",
        .manual = "A record is PATTERN = TARGET. The table is read from top to bottom, the first record that matches "
                  "rewrites the address, and reading begins again. `<sales@example.com> = joe@example.com` rewrites "
                  "one address, `<*@old.example> = *@new.example` a domain, `friend.com = "
                  "friend.com@firewall.friend.com.via` sends a domain's mail to a host. The targets reject and discard "
                  "end there. A record with `*` or a whole domain relays only for clients; Relay: before it relays for "
                  "anybody. Put the record in quotes, so that the shell leaves `<`, `*` and `>` alone.",
        .example = "restante route add '<*@old.example> = *@new.example'",
        .args = {{"RECORD", FALSE, TRUE, "PATTERN = TARGET"}},
        .options = {{"--at", "POSITION", "where in the table, from 1; at its end without it"}},
        .columns = {{"record", "record"}},
        .run = route_add,
};

const Operation ROUTE_LIST = {
        .noun = "route",
        .verb = "list",
        .summary = "show the route table in its order",
        .manual = "Shows the rewriting records, first match first.",
        .example = "restante route list",
        .columns = {{"position", "position", COLUMN_NUMBER}, {"record", "record"}},
        .is_list = TRUE,
        .run = route_list,
};

const Operation ROUTE_REMOVE = {
        .noun = "route",
        .verb = "remove",
        .summary = "remove a record from the route table",
        .manual = "By its position or by its text.",
        .example = "restante route remove 1",
        .args = {{"RECORD", FALSE, TRUE, "a position, or the record as `route list` shows it"}},
        .run = route_remove,
};

const Operation ROUTE_EXPLAIN = {
        .noun = "route",
        .verb = "explain",
        .summary = "say what would happen to an address, and why",
        .manual = "Asks the same function that decides for arriving mail, and shows each step of it. Nothing is sent.",
        .example = "restante route explain joe@uk.example.com --origin client",
        .args = {{"ADDRESS", FALSE, FALSE, "the recipient"}},
        .options = {{"--origin", "stranger|client|fetch|lmtp|generated", "who brings the mail; stranger without it"}},
        .columns = {{"address", "address"}, {"origin", "origin"}, {"decision", "decision"}, {"steps", "steps"}},
        .run = route_explain,
};

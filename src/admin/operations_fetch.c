/* operations_fetch.c -- fetch add|list|show|set|remove|run. */
#include "admin/operations.h"

/* Keys as settings write them (max-size) under the names JSON gives them (max_size). */
static json_t *
source_json(const SourceRow *s)
{
        json_t *pairs = json_pairs(s->pairs, s->n_pairs);
        json_t *o = json_pack("{s:o}", "name", json_text(s->name));
        const char *key;
        json_t *value;

        json_object_foreach(pairs, key, value)
        {
                g_autofree char *name = g_strdelimit(g_strdup(key), "-", '_');
                json_object_set(o, name, value);
        }
        json_decref(pairs);
        json_put(o, "stopped", json_text(s->stopped));
        json_put(o, "last_run", json_time(s->last_run));
        json_put(o, "last_result", json_text(s->last_result));
        json_put(o, "next_run", json_time(s->next_run));
        return o;
}

static gboolean
source_find(AdminCall *call, const SourceRow **ret, AdminResult *ret_result)
{
        g_autoptr(GError) error = NULL;
        const SourceRow *rows;
        gsize n;

        *ret = NULL;
        if (!fetch_sources(admin_rooms(call)->fetch, admin_arena(call), admin_arg(call, "NAME", 0), &rows, &n,
                           &error)) {
                *ret_result = admin_refuse(call, "%s", error->message);
                return FALSE;
        }
        if (n > 0)
                *ret = &rows[0];
        return TRUE;
}

static AdminResult
fetch_show_run(AdminCall *call)
{
        AdminResult result = ADMIN_DONE;
        const SourceRow *row;

        if (!source_find(call, &row, &result))
                return result;
        if (row == NULL)
                return admin_refuse(call, "there is no source %s", admin_arg(call, "NAME", 0));
        admin_result(call, source_json(row));
        return ADMIN_DONE;
}

static AdminResult
fetch_list_run(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const SourceRow *rows;
        gsize n;

        if (!fetch_sources(admin_rooms(call)->fetch, admin_arena(call), NULL, &rows, &n, &error))
                return admin_refuse(call, "%s", error->message);
        for (gsize i = 0; i < n; i++)
                admin_row(call, source_json(&rows[i]));
        return ADMIN_DONE;
}

static Change
fetch_add_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        return fetch_source_add(admin_rooms(call)->fetch, txn, admin_arg(call, "NAME", 0), pairs, n,
                                admin_password(call), error);
}

static Change
fetch_set_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);

        return fetch_source_set(admin_rooms(call)->fetch, txn, admin_arg(call, "NAME", 0), pairs, n,
                                admin_password(call), error);
}

static Change
fetch_remove_fn(AdminCall *call, DbTxn *txn, gpointer data, GError **error)
{
        return fetch_source_remove(admin_rooms(call)->fetch, txn, admin_arg(call, "NAME", 0), error);
}

/* with_pairs: what was given is what it is afterwards. */
static AdminResult
source_changed(AdminCall *call, const SourceRow *before, gboolean with_pairs, ChangeFn fn)
{
        const KeyValue *pairs;
        gsize n = admin_pairs(call, &pairs);
        json_t *was = before != NULL ? json_pairs(before->pairs, before->n_pairs) : NULL;
        json_t *is = with_pairs ? json_pairs(pairs, n) : NULL;
        AdminChange change = {.object = admin_arg(call, "NAME", 0), .before = was, .after = is, .fn = fn};

        if (is != NULL && admin_password(call) != NULL)
                json_put(is, "password", json_string("changed"));
        AdminResult result = admin_change(call, &change);
        json_decref(was);
        json_decref(is);
        return result;
}

/* An address of a domain that is not here is nobody's. */
static void
source_warn_domains(AdminCall *call)
{
        admin_warn_domains(call, admin_pair(call, "domains"), "until it is, its mail goes to the postmaster");
}

static AdminResult
fetch_add_run(AdminCall *call)
{
        AdminResult result = source_changed(call, NULL, TRUE, fetch_add_fn);

        if (result == ADMIN_DONE)
                source_warn_domains(call);
        return result == ADMIN_DONE ? fetch_show_run(call) : result;
}

static AdminResult
fetch_set_run(AdminCall *call)
{
        AdminResult result = ADMIN_DONE;
        const SourceRow *before;
        const KeyValue *pairs;

        if (admin_pairs(call, &pairs) == 0 && admin_option(call, "--password") == NULL)
                return admin_usage(call, "nothing to set: give at least one KEY=VALUE, or --password");
        if (admin_option(call, "--password") != NULL && admin_password(call) == NULL)
                return admin_refuse(call, "no password came: it is read as one line from standard input");
        if (!source_find(call, &before, &result))
                return result;
        result = source_changed(call, before, TRUE, fetch_set_fn);
        if (result == ADMIN_DONE)
                source_warn_domains(call);
        return result == ADMIN_DONE ? fetch_show_run(call) : result;
}

static AdminResult
fetch_remove_run(AdminCall *call)
{
        AdminResult result = ADMIN_DONE;
        const SourceRow *before;

        if (!source_find(call, &before, &result))
                return result;
        result = source_changed(call, before, FALSE, fetch_remove_fn);
        if (result == ADMIN_DONE)
                admin_result(call, json_pack("{s:s}", "removed", admin_arg(call, "NAME", 0)));
        return result;
}

static void
fetch_report_row(const FetchReport *report, gpointer data)
{
        admin_row(data, json_pack("{s:o, s:o, s:o, s:o, s:I, s:o}", "id", json_id(report->message), "recipient",
                                  json_text(report->recipient), "outcome", json_text(report->outcome), "reason",
                                  json_text(report->reason), "size", (json_int_t) report->size, "uidl",
                                  json_text(report->uidl)));
}

static AdminResult
fetch_run_run(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *name = admin_arg(call, "NAME", 0);
        FetchSummary s = {0};

        switch (fetch_run(admin_rooms(call)->fetch, name, fetch_report_row, call, &s, &error)) {
        case FETCH_FAILED:
                return admin_refuse(call, "%s", error->message);
        case FETCH_MISSING:
                return admin_refuse(call, "there is no source %s", name);
        case FETCH_RUNNING:
                return admin_refuse(
                        call,
                        "%s is still being fetched by a run that began before; `restante fetch show %s` says "
                        "how that ended",
                        name, name);
        case FETCH_DONE:
                break;
        }
        admin_result(call,
                     json_pack("{s:s, s:i, s:i, s:i, s:i, s:I, s:f}", "source", name, "seen", (int) s.seen, "fetched",
                               (int) s.fetched, "deleted", (int) s.deleted, "left", (int) s.left, "octets",
                               (json_int_t) s.octets, "seconds", (double) s.took / (double) USEC_PER_SEC));
        return ADMIN_DONE;
}

const Operation FETCH_ADD = {
        .noun = "fetch",
        .verb = "add",
        .summary = "fetch mail from an external account",
        .manual = "A source is an account at another server whose mail is fetched and delivered here: either all of it "
                  "to one account (owner=), or, for a provider that collects the mail of a whole domain, each message "
                  "to its real recipient (domains= and recipe=). The password is one line from standard input; on a "
                  "terminal it is asked for. It is kept sealed.",
        .example = "restante fetch add provider host=pop.provider.example user=default@uk.example.com \\\n"
                   "      domains=uk.example.com recipe='header X-Rcpt-To' unknown=policy < password",
        .args = {{"NAME", FALSE, FALSE, "a name for the source"}},
        .keys = FETCH_KEYS,
        .columns = {{"last_run", "last run", COLUMN_TIME}, {"next_run", "next run", COLUMN_TIME}},
        .wants_password = TRUE,
        .run = fetch_add_run,
};

const Operation FETCH_LIST = {
        .noun = "fetch",
        .verb = "list",
        .summary = "list external accounts",
        .manual = "Lists the sources, when each was fetched last, and what came of it. One that is stopped says why; "
                  "`fetch set` starts it again.",
        .example = "restante fetch list",
        .columns = {{"name", "source"},
                    {"type", "type"},
                    {"host", "host"},
                    {"user", "user"},
                    {"last_run", "last run", COLUMN_TIME},
                    {"last_result", "result"},
                    {"next_run", "next run", COLUMN_TIME},
                    {"stopped", "stopped"}},
        .is_list = TRUE,
        .run = fetch_list_run,
};

const Operation FETCH_SHOW = {
        .noun = "fetch",
        .verb = "show",
        .summary = "show an external account",
        .manual = "Shows the settings and the state of a source; never its password.",
        .example = "restante fetch show provider",
        .args = {{"NAME", FALSE, FALSE, "the source"}},
        .columns = {{"last_run", "last run", COLUMN_TIME}, {"next_run", "next run", COLUMN_TIME}},
        .run = fetch_show_run,
};

const Operation FETCH_SET = {
        .noun = "fetch",
        .verb = "set",
        .summary = "change settings of an external account",
        .manual = "Changes the keys that are given and leaves the others. recipe= replaces all recipes. A source that "
                  "was stopped, say by a wrong password, starts again.",
        .example = "restante fetch set provider poll=300",
        .args = {{"NAME", FALSE, FALSE, "the source"}},
        .options = {{"--password", NULL, "read a new password from standard input"}},
        .keys = FETCH_KEYS,
        .columns = {{"last_run", "last run", COLUMN_TIME}, {"next_run", "next run", COLUMN_TIME}},
        .wants_password = TRUE,
        .password_option = "--password",
        .run = fetch_set_run,
};

const Operation FETCH_REMOVE = {
        .noun = "fetch",
        .verb = "remove",
        .summary = "stop fetching from an external account",
        .manual = "Forgets the source, and what was fetched from it. Mail that was fetched stays.",
        .example = "restante fetch remove provider",
        .args = {{"NAME", FALSE, FALSE, "the source"}},
        .run = fetch_remove_run,
};

const Operation FETCH_RUN = {
        .noun = "fetch",
        .verb = "run",
        .summary = "fetch now, and show what came and where it went",
        .manual = "Polls the source at once, waits for the end, and prints a line for every message as it comes. If a "
                  "run of "
                  "the schedule is under way, its end is waited for first; what that fetched `restante trace` shows.",
        .example = "restante fetch run provider",
        .args = {{"NAME", FALSE, FALSE, "the source"}},
        .columns = {{"id", "id", COLUMN_TEXT, 13},
                    {"recipient", "recipient", COLUMN_TEXT, 30},
                    {"outcome", "outcome", COLUMN_TEXT, 36},
                    {"size", "size", COLUMN_SIZE},
                    {"reason", "reason"},
                    {"octets", "octets", COLUMN_SIZE},
                    {"seconds", "seconds"}},
        .rows = "messages",
        .run = fetch_run_run,
};

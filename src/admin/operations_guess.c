/* operations_guess.c -- guess list|release, unknown list. */
#include "admin/operations.h"

#define GUESS_ROWS   1000
#define UNKNOWN_ROWS 10000

/* The work list is the directory's; this only shows it. */
static const char SELECT_UNKNOWN[] = "SELECT local, domain, times, first, last, first_sender, last_sender, spam FROM unknown_name "
                                     "WHERE (?1 IS NULL OR domain = ?1) ORDER BY times DESC, domain, local LIMIT ?2";

static AdminResult
guess_list(AdminCall *call)
{
        g_autofree GuessRow *rows = NULL;
        gsize n = admin_rooms(call)->guesses != NULL ? guesses_list(admin_rooms(call)->guesses, GUESS_ROWS, &rows) : 0;

        for (gsize i = 0; i < n; i++)
                admin_row(call, json_pack("{s:o, s:i, s:i, s:I}", "client", json_text(rows[i].client), "unknown", (int) rows[i].unknown,
                                          "accepted", (int) rows[i].accepted, "refused_for",
                                          (json_int_t) (rows[i].refused_for / USEC_PER_SEC)));
        return ADMIN_DONE;
}

static AdminResult
guess_release(AdminCall *call)
{
        const char *client = admin_arg(call, "CLIENT", 0);

        if (client == NULL && admin_option(call, "--all") == NULL)
                return admin_usage(call, "which client? Give its address, or --all");
        if (admin_rooms(call)->guesses == NULL || !guesses_release(admin_rooms(call)->guesses, client))
                return client == NULL ? ADMIN_DONE : admin_refuse(call, "%s is not counted", client);
        log_event(&ADMIN_EVENTS[ADMIN_EVENT_CHANGED], "who=%s operation=\"guess release\" object=%s", admin_who(call),
                  client != NULL ? client : "all");
        admin_result(call, json_pack("{s:s}", "released", client != NULL ? client : "all"));
        return ADMIN_DONE;
}

static gboolean
unknown_rows(AdminCall *call, const char *domain, json_t *array, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(admin_rooms(call)->db, error);
        g_autoptr(DbRows) rows = txn != NULL ? db_query_text(txn, SELECT_UNKNOWN, error, "si", domain, (gint64) UNKNOWN_ROWS) : NULL;
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                Span local = db_bytes(rows, 0), name = db_bytes(rows, 1);
                json_array_append_new(array, json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:I}", "address",
                                                       json_text(arena_printf(admin_arena(call), "%.*s@%.*s", (int) local.len,
                                                                              (const char *) local.data, (int) name.len,
                                                                              (const char *) name.data)),
                                                       "times", (json_int_t) db_int(rows, 2), "first", json_time(db_int(rows, 3)), "last",
                                                       json_time(db_int(rows, 4)), "first_sender", json_text(db_text(rows, 5)),
                                                       "last_sender", json_text(db_text(rows, 6)), "spam", (json_int_t) db_int(rows, 7)));
        }
        return step == DB_ROW_END;
}

static AdminResult
unknown_list(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *domain = admin_arg(call, "DOMAIN", 0);
        json_t *array = json_array();
        json_t *row;
        gsize i;
        Span label = SPAN_EMPTY;

        if (domain != NULL && address_parse_domain(admin_arena(call), span_of(domain), &label) != ADDRESS_OK) {
                json_decref(array);
                return admin_refuse(call, "%s is no domain name", domain);
        }
        /* What was counted in memory since the last writing belongs to the list. */
        if (!directory_flush_unknown(admin_rooms(call)->directory, &error)) {
                admin_warn(call, "the newest names are missing: %s", error->message);
                g_clear_error(&error);
        }
        gboolean is_read = unknown_rows(call, domain != NULL ? arena_strndup(admin_arena(call), label) : NULL, array, &error);
        if (is_read)
                json_array_foreach(array, i, row) admin_row(call, json_incref(row));
        json_decref(array);
        return is_read ? ADMIN_DONE : admin_refuse(call, "%s", error->message);
}

const Operation GUESS_LIST = {
        .noun = "guess",
        .verb = "list",
        .summary = "list clients that guess addresses",
        .manual = "Clients whose recipients were refused as unknown, with how many, and for how many seconds they are still refused.",
        .example = "restante guess list",
        .columns = {{"client", "client"},
                    {"unknown", "unknown", COLUMN_NUMBER},
                    {"accepted", "accepted", COLUMN_NUMBER},
                    {"refused_for", "refused for (s)", COLUMN_NUMBER}},
        .is_list = TRUE,
        .run = guess_list,
};

const Operation GUESS_RELEASE = {
        .noun = "guess",
        .verb = "release",
        .summary = "let a client in again",
        .manual = "Forgets what was counted for a client address, so that it may connect at once.",
        .example = "restante guess release 192.0.2.7",
        .args = {{"CLIENT", TRUE, FALSE, "address, as `guess list` shows it"}},
        .options = {{"--all", NULL, "every client"}},
        .run = guess_release,
};

const Operation UNKNOWN_LIST = {
        .noun = "unknown",
        .verb = "list",
        .summary = "the work list of names that nobody has",
        .manual = "Names that mail was sent to although nobody defined them, most frequent first: each may deserve an account, an alias or "
                  "a bouncer.",
        .example = "restante unknown list uk.example.com",
        .args = {{"DOMAIN", TRUE, FALSE, "only this one"}},
        .columns = {{"address", "address"},
                    {"times", "times", COLUMN_NUMBER},
                    {"first", "first", COLUMN_TIME},
                    {"last", "last", COLUMN_TIME},
                    {"last_sender", "last sender"}},
        .is_list = TRUE,
        .run = unknown_list,
};

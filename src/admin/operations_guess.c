/* operations_guess.c -- guess list|release, unknown list. */
#include "admin/operations.h"
#include "net/address.h"

#define GUESS_ROWS 1000
#define UNKNOWN_ROWS 10000

static AdminResult
guess_list(AdminCall *call)
{
        g_autofree GuessRow *rows = NULL;
        gsize n = admin_rooms(call)->guesses != NULL ? guesses_list(admin_rooms(call)->guesses, GUESS_ROWS, &rows) : 0;

        for (gsize i = 0; i < n; i++)
                admin_row(call, json_pack("{s:o, s:i, s:i, s:I}", "client", json_text(rows[i].client), "unknown",
                                          (int) rows[i].unknown, "accepted", (int) rows[i].accepted, "refused_for",
                                          (json_int_t) (rows[i].refused_for / USEC_PER_SEC)));
        return ADMIN_DONE;
}

/* As the list shows them, a /64 of IPv6 included. */
static gboolean
guess_is_client(const char *text)
{
        g_auto(GStrv) parts = g_strsplit(text, "/", 2);
        struct sockaddr_storage address;
        socklen_t len;

        return parts[0] != NULL && net_address_parse(parts[0], 0, &address, &len);
}

static AdminResult
guess_release(AdminCall *call)
{
        const char *client = admin_arg(call, "CLIENT", 0);

        if (client == NULL && admin_option(call, "--all") == NULL)
                return admin_usage(call, "which client? Give its address, or --all");
        if (client != NULL && !guess_is_client(client))
                return admin_refuse(call, "'%s' is no address of a client, such as 192.0.2.1 or 2001:db8::1", client);
        if (admin_rooms(call)->guesses == NULL || !guesses_release(admin_rooms(call)->guesses, client))
                return client == NULL ? ADMIN_DONE : admin_refuse(call, "%s is not counted", client);
        log_event(&ADMIN_EVENTS[ADMIN_EVENT_CHANGED], "who=%s operation=\"guess release\" object=%s", admin_who(call),
                  client != NULL ? client : "all");
        admin_result(call, json_pack("{s:s}", "released", client != NULL ? client : "all"));
        return ADMIN_DONE;
}

static AdminResult
unknown_list(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        const char *domain = admin_arg(call, "DOMAIN", 0);
        const UnknownName *names;
        Span label = SPAN_EMPTY;
        gsize n;

        AdminResult result = ADMIN_DONE;

        if (domain != NULL && address_parse_domain(admin_arena(call), span_of(domain), &label) != ADDRESS_OK)
                return admin_refuse(call, "'%s' is no domain name", domain);
        /* What was counted in memory since the last writing belongs to the list. */
        if (!directory_flush_unknown(admin_rooms(call)->directory, &error)) {
                admin_warn(call, "the newest names are missing: %s", error->message);
                g_clear_error(&error);
        }
        if (!directory_list_unknown(admin_rooms(call)->directory, admin_arena(call),
                                    domain != NULL ? arena_strndup(admin_arena(call), label) : NULL, UNKNOWN_ROWS,
                                    &names, &n, &error))
                return admin_refuse(call, "%s", error->message);
        if (n == 0 && domain != NULL && !admin_has_domain(call, domain, &result))
                return result; /* one that is gone may have left names */
        for (gsize i = 0; i < n; i++)
                admin_row(call, json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:I}", "address", json_text(names[i].address),
                                          "times", (json_int_t) names[i].times, "first", json_time(names[i].first),
                                          "last", json_time(names[i].last), "first_sender",
                                          json_text(names[i].first_sender), "last_sender",
                                          json_text(names[i].last_sender), "spam", (json_int_t) names[i].spam));
        return ADMIN_DONE;
}

const Operation GUESS_LIST = {
        .noun = "guess",
        .verb = "list",
        .summary = "list clients that guess addresses",
        .manual = "Clients whose recipients were refused as unknown, with how many, and for how many seconds they are "
                  "still refused.",
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
        .manual = "Names that mail was sent to although nobody defined them, most frequent first: each may deserve an "
                  "account, an alias or a bouncer.",
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

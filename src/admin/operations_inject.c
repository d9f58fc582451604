/* operations_inject.c -- inject [-f SENDER] RECIPIENT... < message: the local door.
 *
 * Lines may end in LF or CRLF; they are stored with CRLF. Whoever has no rights on this site sends as himself.
 */
#include "admin/operations.h"
#include "base/text.h"

#include <pwd.h>

#define PIECE_OCTETS (32 * 1024)

/* name@hostname of the caller. */
static const char *
inject_own_address(AdminCall *call)
{
        struct passwd entry, *found = NULL;
        char buffer[4096];
        const char *name = NULL;

        if (getpwuid_r((uid_t) admin_uid(call), &entry, buffer, sizeof(buffer), &found) == 0 && found != NULL)
                name = found->pw_name;
        if (name == NULL)
                name = arena_printf(admin_arena(call), "uid-%u", admin_uid(call));
        return arena_printf(admin_arena(call), "%s@%s", name, admin_rooms(call)->hostname);
}

static gboolean
inject_sender(AdminCall *call, Address *ret, AdminResult *ret_result)
{
        const char *own = inject_own_address(call);
        const char *wanted = admin_option(call, "-f");

        if (wanted != NULL && !admin_is_full(call) && !span_is(span_of(own), wanted)) {
                *ret_result = admin_refuse(call, "you may send as %s only", own);
                return FALSE;
        }
        if (wanted != NULL && (wanted[0] == '\0' || strcmp(wanted, "<>") == 0)) {
                *ret = (Address){SPAN_EMPTY, SPAN_EMPTY};
                return TRUE;
        }
        return admin_address(call, wanted != NULL ? wanted : own, ret, ret_result);
}

/* Line ends become CRLF; *was_cr: the last octet of the piece before was a CR. */
static gboolean
inject_add(Submission *sub, Span piece, gboolean *was_cr)
{
        Span lf = span_of("\n"), cr = span_of("\r");

        while (piece.len > 0) {
                const guint8 *at = memchr(piece.data, '\n', piece.len);
                gsize n = at != NULL ? (gsize) (at - piece.data) : piece.len;
                gboolean ends_cr = n > 0 ? piece.data[n - 1] == '\r' : *was_cr;

                if (n > 0 && !intake_add(sub, span_make(piece.data, n)))
                        return FALSE;
                if (at == NULL) {
                        *was_cr = ends_cr;
                        return TRUE;
                }
                if ((!ends_cr && !intake_add(sub, cr)) || !intake_add(sub, lf))
                        return FALSE;
                *was_cr = FALSE;
                piece = span_slice(piece, n + 1, piece.len);
        }
        return TRUE;
}

/* All of standard input. What intake can't take is said by intake_accept(). */
static gboolean
inject_body(AdminCall *call, Submission *sub, GError **error)
{
        g_autofree guint8 *buffer = g_malloc(PIECE_OCTETS);
        gboolean is_taken = TRUE, was_cr = FALSE, ends_line = TRUE;
        gssize n;

        while ((n = admin_read(call, buffer, PIECE_OCTETS, error)) > 0) {
                is_taken = is_taken && inject_add(sub, span_make(buffer, (gsize) n), &was_cr);
                ends_line = buffer[n - 1] == '\n';
        }
        if (n == 0 && !ends_line && is_taken)
                (void) !intake_add(sub, span_of(was_cr ? "\n" : "\r\n"));
        return n == 0;
}

static json_t *
reply_json(const char *recipient, const IntakeReply *reply)
{
        char status[16];

        return json_pack("{s:o, s:b, s:i, s:s, s:o}", "recipient", json_text(recipient), "accepted",
                         reply->verdict == INTAKE_ACCEPTED, "code", (int) reply->status.code, "status",
                         status_text(reply->status, status, sizeof(status)), "text", json_text(reply->text));
}

static const char *
reply_text(Arena *arena, const IntakeReply *reply)
{
        char status[16];

        return arena_printf(arena, "%u %s %s", reply->status.code, status_text(reply->status, status, sizeof(status)),
                            reply->text);
}

/* RCPT of this door. Which argument became the submission's which recipient stands in order. */
static AdminResult
inject_recipients(AdminCall *call, Submission *sub, json_t *replies, const char ***ret_order)
{
        gsize n = admin_n_args(call, "RECIPIENT");
        const char **order = arena_new_array(admin_arena(call), const char *, n + 1);
        const char *first_refusal = NULL;
        AdminResult result = ADMIN_DONE;

        for (gsize i = 0; i < n; i++) {
                const char *text = admin_arg(call, "RECIPIENT", i);
                Address address = {0};

                if (span_is(span_of(text), "postmaster"))
                        address.local = span_of(text);
                else if (!admin_address(call, text, &address, &result))
                        return result;
                guint before = submission_n_recipients(sub);
                IntakeReply reply = intake_recipient(sub, &address);
                if (reply.verdict == INTAKE_ACCEPTED && submission_n_recipients(sub) > before) {
                        order[before] = text;
                        continue;
                }
                if (reply.verdict != INTAKE_ACCEPTED) {
                        const char *why = reply_text(admin_arena(call), &reply);
                        admin_warn(call, "%s: %s", text, why);
                        first_refusal = first_refusal != NULL ? first_refusal : why;
                }
                json_array_append_new(replies, reply_json(text, &reply));
        }
        *ret_order = order;
        if (submission_n_recipients(sub) == 0)
                return admin_refuse(call, "no recipient was accepted: %s",
                                    first_refusal != NULL ? first_refusal : "none was given");
        return ADMIN_DONE;
}

/* The body, the one transaction, and what it answered. */
static AdminResult
inject_message(AdminCall *call, Submission *sub, json_t *replies, const char *const *order)
{
        g_autoptr(GError) error = NULL;

        if (!inject_body(call, sub, &error) || !intake_accept(&sub, 1, &error))
                return admin_refuse(call, "%s", error->message);
        IntakeReply whole = intake_reply(sub);
        if (whole.verdict != INTAKE_ACCEPTED)
                return admin_refuse(call, "%s", reply_text(admin_arena(call), &whole));
        for (guint i = 0; i < submission_n_recipients(sub); i++) {
                IntakeReply reply = intake_answer(sub, i);
                json_array_append_new(replies, reply_json(order[i], &reply));
        }
        admin_result(call, json_pack("{s:o, s:I, s:O}", "id", json_id(submission_id(sub)), "size",
                                     (json_int_t) submission_size(sub), "recipients", replies));
        return ADMIN_DONE;
}

static AdminResult
inject_run(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Submission) sub = NULL;
        AdminResult result = ADMIN_DONE;
        const char **order = NULL;
        Address sender;

        if (!inject_sender(call, &sender, &result))
                return result;
        IntakeOrigin origin = {.standing = {.origin = ORIGIN_CLIENT, .may_send = TRUE, .sender = &sender},
                               .protocol = "local",
                               .helo = admin_who(call),
                               .account = NULL};
        guint needs = text_is_ascii(sender.local) ? 0 : QUEUE_NEEDS_UTF8;
        sub = intake_begin(admin_rooms(call)->intake, &origin, &sender, needs, &error);
        if (sub == NULL)
                return admin_refuse(call, "%s", error->message);

        json_t *replies = json_array();
        result = inject_recipients(call, sub, replies, &order);
        if (result == ADMIN_DONE)
                result = inject_message(call, sub, replies, order);
        json_decref(replies);
        return result;
}

const Operation INJECT = {
        .noun = "inject",
        .summary = "send a message from this machine",
        .manual = "Reads a message from standard input and takes it in like mail of a client that has logged in. What "
                  "it answers is on disk. Without -f the sender is the calling user at this host; users other than "
                  "root and the server's own may send as themselves only. Recipients that are refused are named; when "
                  "all are, nothing is kept.\n\n`restante sendmail`, also installed as sendmail, does the same with "
                  "the options that programs expect of that name.",
        .example = "restante inject -f joe@uk.example.com ann@uk.example.com < message",
        .args = {{"RECIPIENT", FALSE, TRUE, "addresses, here or elsewhere"}},
        .options = {{"-f", "SENDER", "the envelope's sender; '' for none"}},
        .columns = {{"id", "id"}, {"size", "size", COLUMN_SIZE}, {"recipients", "recipients"}},
        .wants_message = TRUE,
        .is_for_everyone = TRUE,
        .run = inject_run,
};

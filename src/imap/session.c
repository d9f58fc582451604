/* session.c -- one IMAP session: gathers a command with its literals, runs it, answers (RFC 9051 §2.2, §4.3, §7.1).
 *
 *      line -> tag, word, row of the table -> literals, each asked for or refused -> run -> task -> tagged answer
 *
 * A line that ends in "{n}" or "{n+}" announces a literal. Whatever happens to the command, what follows such a line is
 * never read as another command: the octets of a refused literal are passed over, or the connection ends. Otherwise a
 * message that quotes commands would give them.
 *
 * The ledger: a command (with its literals) and what is made of it have GATHERED_* and ARENA_* octets.
 */
#include "imap/internal.h"

#define ERRORS_MAX 20
#define STRANGE_MAX 100        /* commands before login */
#define LITERALS_MAX 1000      /* of a command          */
#define LITERAL_MINUS_MAX 4096 /* RFC 7888 §5 */
#define LINE_BEFORE_LOGIN ((gsize) 16 * 1024)
#define LINE_AFTER_LOGIN ((gsize) 64 * 1024 - 2)
#define GATHERED_BEFORE_LOGIN ((gsize) 24 * 1024)
#define GATHERED_AFTER_LOGIN ((gsize) 448 * 1024)
#define ARENA_BEFORE_LOGIN ((gsize) 24 * 1024)
#define ARENA_AFTER_LOGIN ((gsize) 512 * 1024)
#define PROGRESS_SPAN (5 * USEC_PER_SEC)
#define LITERAL_RATE 500 /* octets a second, from the 30th second on */
#define LITERAL_RATE_FROM ((guint64) 65536)

static gboolean
is_in(const ImapSession *s)
{
        return (s->state & IMAP_STATE_IN) != 0;
}

/* Answers --------------------------------------------------------------------------------------------------------- */

/* The UID commands name no sequence numbers that would be wrong (RFC 9051 §7.5.1). */
static gboolean
may_expunge(const ImapSession *s)
{
        return s->command != NULL && (s->command->may_expunge || (s->is_uid && s->command->has_uid));
}

/* What is new is told before the tagged line, so that it belongs to this command (RFC 9051 §7). */
static void
answer(ImapSession *s, const char *word, const char *code, const char *text)
{
        gboolean has_code = code[0] != '\0';
        g_autofree char *line =
                g_strconcat(s->tag, word, has_code ? "[" : "", code, has_code ? "] " : "", text, "\r\n", NULL);

        g_assert(!s->is_answered);
        s->is_answered = TRUE;
        if (s->phase != IMAP_PHASE_CLOSE)
                (void) imap_tell_changes(s, may_expunge(s));
        if (s->telling != NULL)
                imap_end_telling_with(s, line);
        else
                imap_put(s, line);
}

/* Errors are forgiven by what goes well, after login: a client that is used for weeks makes some. */
void
imap_ok(ImapSession *s, const char *code, const char *text)
{
        if (is_in(s))
                s->errors = 0;
        answer(s, " OK ", code, text);
}

void
imap_no(ImapSession *s, const char *code, const char *text)
{
        answer(s, " NO ", code, text);
}

void
imap_count_error(ImapSession *s)
{
        if (++s->errors < ERRORS_MAX || s->phase == IMAP_PHASE_CLOSE)
                return;
        log_event(&IMAP_EVENTS[IMAP_EVENT_CLOSED], "client=%s why=%s", s->client, log_text(span_of("too many errors")));
        imap_bye(s, "too many errors");
}

static void
bad(ImapSession *s, const char *code, const char *text)
{
        answer(s, " BAD ", code, text);
        imap_count_error(s);
}

void
imap_bad(ImapSession *s, const char *text)
{
        bad(s, "", text);
}

void
imap_bad_syntax(ImapSession *s)
{
        g_autofree char *text = g_strconcat("syntax: ", s->command->form, NULL);

        imap_bad(s, text);
}

void
imap_bad_arguments(ImapSession *s, gboolean is_bad_name)
{
        if (is_bad_name)
                imap_no_mailbox(s, MAILBOX_BAD_NAME, NULL, "read a name");
        else
                imap_bad_syntax(s);
}

void
imap_bye(ImapSession *s, const char *text)
{
        imap_put(s, "* BYE ");
        imap_put(s, text);
        imap_put(s, "\r\n");
        s->phase = IMAP_PHASE_CLOSE;
}

void
imap_log_fault(const ImapSession *s, const char *doing, const GError *error)
{
        log_event(&IMAP_EVENTS[IMAP_EVENT_FAULT], "client=%s account=%s doing=%s error=%s", s->client,
                  log_text(span_of(s->address)), doing, log_text(span_of(error != NULL ? error->message : "unknown")));
}

void
imap_no_fault(ImapSession *s, const char *doing, const GError *error)
{
        imap_log_fault(s, doing, error);
        if (g_error_matches(error, RESTANTE_ERROR, FAULT_FULL))
                imap_no(s, "UNAVAILABLE", "the server's disk is full: what is there can be deleted, nothing new is kept");
        else if (error == NULL || g_error_matches(error, RESTANTE_ERROR, FAULT_INTERNAL))
                imap_no(s, "SERVERBUG", "something is wrong here; it has been logged");
        else
                imap_no(s, "UNAVAILABLE", "can't do that now, try again later");
}

void
imap_no_mailbox(ImapSession *s, MailboxAnswer answer, const GError *error, const char *doing)
{
        switch (answer) {
        case MAILBOX_FAILED:
        case MAILBOX_DONE:
                imap_no_fault(s, doing, error);
                break;
        case MAILBOX_MISSING:
                imap_no(s, "NONEXISTENT", "no such mailbox");
                break;
        case MAILBOX_NO_RIGHT:
                imap_no(s, "NOPERM", "no right to do that");
                break;
        case MAILBOX_EXISTS:
                imap_no(s, "ALREADYEXISTS", "there is a mailbox of that name");
                break;
        case MAILBOX_BAD_NAME:
                imap_no(s, "CANNOT", "not a name that can be used");
                break;
        case MAILBOX_IN_USE:
                imap_no(s, "CANNOT", "not possible with this mailbox");
                break;
        case MAILBOX_LIMIT:
                imap_no(s, "LIMIT", "too many of them");
                break;
        case MAILBOX_TOO_LONG:
                imap_no(s, "METADATA MAXSIZE " G_STRINGIFY(METADATA_OCTETS_MAX), "value too long");
                break;
        case MAILBOX_BAD_USE:
                imap_no(s, "USEATTR", "no mailbox can be made for that use");
                break;
        }
}

void
imap_no_change(ImapSession *s, ChangeAnswer answer, const GError *error, const char *doing)
{
        switch (answer) {
        case CHANGED_FAILED:
        case CHANGED_DONE:
                imap_no_fault(s, doing, error);
                break;
        case CHANGED_NO_MAILBOX:
                imap_no(s, "TRYCREATE", "no such mailbox");
                break;
        case CHANGED_OVER_QUOTA:
                imap_no(s, "OVERQUOTA", "the quota does not allow that");
                break;
        case CHANGED_TOO_MANY_KEYWORDS:
                imap_no(s, "LIMIT", "too many keywords in this mailbox");
                break;
        case CHANGED_UID_SPACE:
                imap_no(s, "LIMIT", "no UIDs are left in this mailbox");
                break;
        }
}

/* Running --------------------------------------------------------------------------------------------------------- */

static void
free_task(ImapSession *s)
{
        ImapTask *task = g_steal_pointer(&s->task);

        if (task != NULL)
                task->free(task);
}

/* Nothing of a command stays. */
static void
release_command(ImapSession *s)
{
        free_task(s);
        imap_append_free(s);
        g_clear_pointer(&s->gathered, g_byte_array_unref);
        g_clear_pointer(&s->arena, arena_free);
        s->command = NULL;
        s->is_uid = FALSE;
        s->is_answered = FALSE;
}

/* Answered, all of it has come, and nothing of the answer waits. */
static void
end_answered(ImapSession *s)
{
        if (!s->is_answered || s->gathering != IMAP_GATHERING_NOTHING || s->task != NULL || s->telling != NULL)
                return;
        release_command(s);
        if (s->phase == IMAP_PHASE_COMMAND && session_is_stopping(&s->session))
                imap_bye(s, "shutting down, come back soon");
}

void
imap_start_task(ImapSession *s, ImapTask *task)
{
        g_assert(s->task == NULL && !s->is_answered);
        s->task = task;
        s->phase = IMAP_PHASE_TASK;
        imap_begin_progress(s);
}

void
imap_begin_progress(ImapSession *s)
{
        s->progress_due = clock_in(s->progress_span);
}

void
imap_progress(ImapSession *s, guint64 done, guint64 total)
{
        if (clock_monotonic() < s->progress_due || (total > 0 && done >= total) || !imap_has(s, "INPROGRESS"))
                return;
        s->progress_due = clock_in(s->progress_span);
        imap_put(s, "* OK [INPROGRESS (");
        imap_put_string(s, span_of(s->tag));
        imap_put(s, " ");
        imap_put_number(s, done);
        imap_put(s, " ");
        if (total > 0)
                imap_put_number(s, total);
        else
                imap_put(s, "NIL");
        imap_put(s, ")] at work\r\n");
}

/* It goes on when its output has drained, or at once when others had a chance to run. */
static ImapStep
step_task(ImapSession *s)
{
        if (s->task->run(s, s->task) == IMAP_TASK_AGAIN) {
                if (!imap_is_full(s))
                        session_wake(&s->session);
                return IMAP_STEP_AGAIN;
        }
        if (s->phase == IMAP_PHASE_TASK)
                s->phase = IMAP_PHASE_COMMAND;
        free_task(s);
        return IMAP_STEP_DONE;
}

ImapArgs
imap_args(const ImapSession *s, Arena *arena, Span text)
{
        return (ImapArgs){.scan = scan_from(text),
                          .arena = arena,
                          .enabled = s->enabled,
                          .off = s->capabilities_off,
                          .recent = imap_recent(s)};
}

/* FALSE has answered: the mailbox that the command is for may not be read any more. A command that has begun is
 * finished. */
static gboolean
keeps_access(ImapSession *s)
{
        g_autoptr(GError) error = NULL;
        ImapAccess access = imap_ask_access(s, &error);

        if (access == IMAP_ACCESS_HELD || s->command == NULL || s->command->states != IMAP_STATE_SELECTED)
                return TRUE;
        if (access == IMAP_ACCESS_LOST)
                imap_no(s, "NOPERM", "the mailbox may not be read any more");
        else
                imap_no_fault(s, "look for rights", error);
        return FALSE;
}

static void
run_command(ImapSession *s)
{
        Span text = span_make(s->gathered->data, s->gathered->len);

        s->gathering = IMAP_GATHERING_NOTHING;
        s->arena = arena_new(is_in(s) ? ARENA_AFTER_LOGIN : ARENA_BEFORE_LOGIN);
        if (keeps_access(s)) { /* literals may have taken their time */
                ImapArgs args = imap_args(s, s->arena, text);
                s->command->run(s, &args);
        }
        g_assert(s->is_answered || s->phase != IMAP_PHASE_COMMAND);
}

/* Gathering ------------------------------------------------------------------------------------------------------- */

/* "{n}", "{n+}" or "~{n}" at the end of a line. */
typedef struct LiteralMark {
        Span before; /* of the line */
        guint64 size;
        gboolean is_sync, is_binary, is_too_large;
} LiteralMark;

static gboolean
find_literal(Span line, LiteralMark *ret)
{
        gsize at = line.len;

        if (at == 0 || line.data[--at] != '}')
                return FALSE;
        gboolean is_sync = at == 0 || line.data[at - 1] != '+';
        gsize end = is_sync ? at : at - 1;
        for (at = end; at > 0 && octet_in(&CLASS_DIGIT, line.data[at - 1]);)
                at--;
        if (at == end || at == 0 || line.data[at - 1] != '{')
                return FALSE;
        guint64 size = 0;
        gboolean is_too_large = !span_to_number(span_slice(line, at, end), G_MAXINT64, &size);
        gboolean is_binary = at > 1 && line.data[at - 2] == '~';
        *ret = (LiteralMark){span_slice(line, 0, at - (is_binary ? 2 : 1)), size, is_sync, is_binary, is_too_large};
        return TRUE;
}

static gsize
gathered_max(const ImapSession *s)
{
        return is_in(s) ? GATHERED_AFTER_LOGIN : GATHERED_BEFORE_LOGIN;
}

/* What is passed over rather than cutting the client off: what it might have been allowed. */
static guint64
skip_max(const ImapSession *s)
{
        return is_in(s) ? imap_settings(s)->max_size * 2 + GATHERED_AFTER_LOGIN : GATHERED_BEFORE_LOGIN;
}

static void
expect_octets(ImapSession *s, const LiteralMark *mark)
{
        s->literal_left = mark->size;
        s->phase = IMAP_PHASE_LITERAL;
        if (mark->size >= LITERAL_RATE_FROM)
                session_set_minimum_rate(&s->session, LITERAL_RATE);
        if (mark->is_sync)
                imap_put(s, "+ OK\r\n");
}

/* The command has been answered; a client that waits for "+" drops the rest of it (RFC 9051 §7.6), another sends it all
 * the same. */
static void
pass_over(ImapSession *s, const LiteralMark *mark)
{
        s->gathering = IMAP_GATHERING_REFUSED;
        if (s->phase == IMAP_PHASE_CLOSE)
                return;
        if (mark->is_sync) {
                s->gathering = IMAP_GATHERING_NOTHING;
        } else if (mark->is_too_large || mark->size > skip_max(s)) {
                imap_bye(s, "literal too large");
        } else {
                s->is_streaming = FALSE;
                expect_octets(s, mark);
        }
}

static void
refuse_literal(ImapSession *s, const LiteralMark *mark, const char *code, const char *text)
{
        bad(s, code, text);
        pass_over(s, mark);
}

static void
gather_literal(ImapSession *s, const LiteralMark *mark)
{
        gsize used = s->gathered->len + 64;

        if (mark->size > gathered_max(s) || used + mark->size > gathered_max(s)) {
                refuse_literal(s, mark, "TOOBIG", "literal too large");
                return;
        }
        g_autofree char *announced =
                g_strdup_printf("%s{%" G_GUINT64_FORMAT "}\r\n", mark->is_binary ? "~" : "", mark->size);
        g_byte_array_append(s->gathered, (const guint8 *) announced, (guint) strlen(announced));
        s->is_streaming = FALSE;
        expect_octets(s, mark);
}

static void
take_literal(ImapSession *s, const LiteralMark *mark)
{
        const ImapCommand *c = s->command;

        if (mark->is_too_large)
                refuse_literal(s, mark, "TOOBIG", "literal too large");
        else if (++s->n_literals > LITERALS_MAX)
                refuse_literal(s, mark, "TOOBIG", "too many literals");
        else if (!mark->is_sync && !imap_has(s, "LITERAL+ LITERAL-"))
                refuse_literal(s, mark, "", "literals are asked for first");
        else if (!mark->is_sync && mark->size > LITERAL_MINUS_MAX && !imap_has(s, "LITERAL+"))
                refuse_literal(s, mark, "TOOBIG", "LITERAL- allows 4096 octets");
        else if (c->literal == NULL)
                gather_literal(s, mark);
        else
                switch (c->literal(s, span_make(s->gathered->data, s->gathered->len), mark->size, mark->is_binary,
                                   mark->is_sync)) {
                case IMAP_LITERAL_GATHER:
                        gather_literal(s, mark);
                        break;
                case IMAP_LITERAL_STREAM:
                        g_byte_array_set_size(s->gathered, 0);
                        s->is_streaming = TRUE;
                        expect_octets(s, mark);
                        break;
                case IMAP_LITERAL_REFUSED:
                        g_assert(s->is_answered);
                        pass_over(s, mark);
                        break;
                }
}

/* Beginning ------------------------------------------------------------------------------------------------------- */

static const ImapCommand *
find_command(Span word)
{
        for (const ImapCommand *c = IMAP_COMMANDS; c->word != NULL; c++)
                if (span_is(word, c->word))
                        return c;
        return NULL;
}

static gboolean
scan_tag(Scan *scan, char *ret, gsize size)
{
        const guint8 *mark = scan_mark(scan);

        while (scan_peek(scan) >= 0 && scan_peek(scan) != '+' && args_is_astring_octet((guint8) scan_peek(scan)))
                scan_skip(scan, 1);
        Span tag = scan_since(scan, mark);
        if (tag.len == 0 || tag.len >= size || (!scan_at_end(scan) && scan_peek(scan) != ' '))
                return FALSE;
        span_to_text(tag, ret);
        return TRUE;
}

static gboolean
scan_command_word(Scan *scan, Span *ret)
{
        const guint8 *mark = scan_mark(scan);

        while (scan_peek(scan) >= 0 && scan_peek(scan) != ' ' && scan_peek(scan) != '{')
                scan_skip(scan, 1);
        *ret = scan_since(scan, mark);
        return ret->len > 0;
}

/* Which command it is; NULL: *ret_why says why not. */
static const ImapCommand *
choose(const ImapSession *s, Scan *scan, gboolean *ret_is_uid, const char **ret_why)
{
        Span word;

        *ret_why = "unknown command";
        *ret_is_uid = FALSE;
        if (!scan_octet(scan, ' ') || !scan_command_word(scan, &word))
                return NULL;
        if (span_is(word, "UID")) {
                *ret_is_uid = TRUE;
                if (!scan_octet(scan, ' ') || !scan_command_word(scan, &word))
                        return NULL;
        }
        const ImapCommand *c = find_command(word);
        if (c == NULL || (*ret_is_uid && !c->has_uid) || (c->capability != NULL && !imap_has(s, c->capability)))
                return NULL;
        if (*ret_is_uid && c->is_numberless && !imap_has(s, "UIDPLUS")) /* UID EXPUNGE */
                return NULL;
        if ((s->enabled & IMAP_ENABLED_UIDONLY) != 0 && c->has_uid && !*ret_is_uid && !c->is_numberless) {
                *ret_why = "[UIDREQUIRED] UIDs only, as you wished";
                return NULL;
        }
        if ((c->states & s->state) == 0) {
                *ret_why = !is_in(s)                            ? "log in first"
                           : (c->states & IMAP_STATE_NONE) != 0 ? "already logged in"
                                                                : "select a mailbox first";
                return NULL;
        }
        return c;
}

/* The first line of a command: FALSE has answered. */
static gboolean
begin_command(ImapSession *s, Span *line)
{
        Scan scan = scan_from(*line);
        gboolean is_uid = FALSE;
        const char *why = "a command begins with a tag";

        s->n_literals = 0;
        if (!scan_tag(&scan, s->tag, sizeof(s->tag)))
                g_strlcpy(s->tag, "*", sizeof(s->tag));
        else
                s->command = choose(s, &scan, &is_uid, &why);
        if (!keeps_access(s))
                return FALSE;
        if (s->command == NULL) {
                imap_bad(s, why);
                return FALSE;
        }
        s->is_uid = is_uid;
        s->gathered = g_byte_array_sized_new((guint) MAX(scan_left(&scan), 16));
        s->gathering = IMAP_GATHERING_ARGS;
        *line = scan_rest(&scan);
        return TRUE;
}

static void
refuse_strangers(ImapSession *s)
{
        if (is_in(s) || ++s->n_strange <= STRANGE_MAX)
                return;
        log_event(&IMAP_EVENTS[IMAP_EVENT_CLOSED], "client=%s why=%s", s->client,
                  log_text(span_of("too many commands before login")));
        imap_bye(s, "too many commands before login");
}

/* The literal that a refused command announces, if it does. */
static void
pass_line(ImapSession *s, gboolean has_literal, const LiteralMark *mark)
{
        if (has_literal)
                pass_over(s, mark);
        else
                s->gathering = IMAP_GATHERING_NOTHING;
}

/* Some clients send a space too many, which means nothing (RFC 9051 §2.2 has none). Behind a literal only the rest of
 * the line is looked at. */
static Span
without_trailing_spaces(Span line)
{
        while (line.len > 0 && line.data[line.len - 1] == ' ')
                line.len--;
        return line;
}

static void
take_line(ImapSession *s, Span line)
{
        LiteralMark mark;

        if (s->gathering == IMAP_GATHERING_NOTHING) {
                refuse_strangers(s);
                if (s->phase == IMAP_PHASE_CLOSE)
                        return;
                if (!begin_command(s, &line))
                        s->gathering = IMAP_GATHERING_REFUSED;
        }
        gboolean has_literal = find_literal(line, &mark);
        if (s->gathering == IMAP_GATHERING_REFUSED) {
                pass_line(s, has_literal, &mark);
                return;
        }
        Span text = has_literal ? mark.before : without_trailing_spaces(line);
        if (s->gathered->len + text.len > gathered_max(s)) {
                imap_bad(s, "command too long");
                pass_line(s, has_literal, &mark);
                return;
        }
        g_byte_array_append(s->gathered, text.data, (guint) text.len);
        if (has_literal)
                take_literal(s, &mark);
        else
                run_command(s);
}

/* The loop -------------------------------------------------------------------------------------------------------- */

static ImapStep
step_command(ImapSession *s)
{
        Span line;

        switch (stream_line(s->session.stream, is_in(s) ? LINE_AFTER_LOGIN : LINE_BEFORE_LOGIN, FALSE, &line)) {
        case STREAM_AGAIN:
                return s->gathering == IMAP_GATHERING_NOTHING ? imap_step_notify(s) : IMAP_STEP_AGAIN;
        case STREAM_TOO_LONG: /* it may have announced a literal: what comes next is unknown */
                imap_bye(s, "line too long");
                break;
        case STREAM_OK:
                take_line(s, line);
                break;
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = IMAP_PHASE_CLOSE;
                break;
        }
        return IMAP_STEP_DONE;
}

static void
take_octets(ImapSession *s, Span octets)
{
        if (s->gathering == IMAP_GATHERING_REFUSED)
                return;
        if (s->is_streaming)
                s->command->literal_octets(s, octets);
        else
                g_byte_array_append(s->gathered, octets.data, (guint) octets.len);
}

static ImapStep
step_literal(ImapSession *s)
{
        Span octets;

        if (s->literal_left == 0) {
                session_set_minimum_rate(&s->session, 0);
                s->phase = IMAP_PHASE_COMMAND;
                return IMAP_STEP_DONE;
        }
        switch (stream_some(s->session.stream, FALSE, &octets)) {
        case STREAM_AGAIN:
                return IMAP_STEP_AGAIN;
        case STREAM_OK:
                octets = span_slice(octets, 0, MIN(s->literal_left, octets.len));
                take_octets(s, octets);
                stream_consume(s->session.stream, octets.len);
                s->literal_left -= octets.len;
                break;
        case STREAM_TOO_LONG:
        case STREAM_FAILED:
        case STREAM_CLOSED:
                s->phase = IMAP_PHASE_CLOSE;
                break;
        }
        return IMAP_STEP_DONE;
}

static ImapStep
step(ImapSession *s)
{
        if (s->telling != NULL)
                return imap_step_telling(s);
        if (imap_notify_is_busy(s))
                return imap_step_notify(s);
        switch ((ImapPhase) s->phase) {
        case IMAP_PHASE_COMMAND:
                return step_command(s);
        case IMAP_PHASE_LITERAL:
                return step_literal(s);
        case IMAP_PHASE_SASL:
                return imap_step_sasl(s);
        case IMAP_PHASE_IDLE:
                return imap_step_idle(s);
        case IMAP_PHASE_TASK:
                return step_task(s);
        case IMAP_PHASE_HANDSHAKE:
                return imap_step_handshake(s);
        case IMAP_PHASE_COMPRESS:
                return imap_step_compress(s);
        case IMAP_PHASE_DELAY:
                return IMAP_STEP_AGAIN; /* just begun */
        case IMAP_PHASE_CLOSE:
                break;
        }
        return IMAP_STEP_DONE;
}

gboolean
imap_session_is_amid(const Session *session)
{
        const ImapSession *s = (const ImapSession *) session;

        return s->phase == IMAP_PHASE_TASK || s->phase == IMAP_PHASE_LITERAL ||
               (s->phase == IMAP_PHASE_COMMAND && s->gathering != IMAP_GATHERING_NOTHING);
}

/* Between commands, or while one is still coming; BYE is a line of its own. */
static gboolean
may_end_now(const ImapSession *s)
{
        return s->telling == NULL && !imap_notify_is_busy(s) &&
               (s->phase == IMAP_PHASE_COMMAND || s->phase == IMAP_PHASE_LITERAL || s->phase == IMAP_PHASE_IDLE);
}

/* Whose account has been removed or disabled, or has another password, is told so and is gone (RFC 9051 §7.1.5). A
 * command that has begun is finished. */
static gboolean
is_held(ImapSession *s)
{
        g_autoptr(GError) error = NULL;

        if (s->hold == NULL || !may_end_now(s))
                return TRUE;
        switch (auth_hold_look(s->hold, &error)) {
        case AUTH_STANDING_HELD:
                return TRUE;
        case AUTH_STANDING_ENDED:
                log_event(&IMAP_EVENTS[IMAP_EVENT_CLOSED], "client=%s account=%s why=%s", s->client,
                          log_text(span_of(s->address)), log_text(span_of(AUTH_ENDED_TEXT)));
                imap_bye(s, AUTH_ENDED_TEXT);
                break;
        case AUTH_STANDING_FAILED:
                imap_log_fault(s, "look for the account", error);
                imap_bye(s, "[UNAVAILABLE] can't look for your account now, come back later");
                break;
        }
        return FALSE;
}

SessionNext
imap_session_run(Session *session)
{
        ImapSession *s = (ImapSession *) session;

        if (s->phase == IMAP_PHASE_DELAY)
                imap_end_delay(s);
        while (s->phase != IMAP_PHASE_CLOSE) {
                end_answered(s);
                if (stream_is_failed(session->stream) || !is_held(s))
                        return SESSION_CLOSE;
                if (stream_is_full(session->stream) || step(s) == IMAP_STEP_AGAIN)
                        return SESSION_PARK;
        }
        return SESSION_CLOSE;
}

gboolean
imap_session_open(Session *session)
{
        ImapSession *s = (ImapSession *) session;
        g_autoptr(Arena) arena = arena_new(ARENA_BEFORE_LOGIN);
        StreamPeer peer;

        s->progress_span = PROGRESS_SPAN;
        stream_peer(session->stream, &peer);
        g_strlcpy(s->client, peer.text, sizeof(s->client));
        s->is_loopback = peer.is_loopback;
        s->state = IMAP_STATE_NONE;
        (void) imap_apply_off(s);
        stream_printf(session->stream, "* OK [%s] %s IMAP Restante\r\n", imap_capabilities(s, arena),
                      imap_settings(s)->hostname);
        return TRUE;
}

void
imap_session_close(Session *session)
{
        ImapSession *s = (ImapSession *) session;

        release_command(s);
        imap_stop_telling(s);
        imap_forget_login(s);
        g_clear_pointer(&s->client_id, g_free);
}

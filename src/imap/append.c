/* append.c -- APPEND and REPLACE (RFC 9051 §6.3.12; 3502, 4315, 4469, 6855, 7889, 8508).
 *
 *      stretch of arguments -> mailbox, rights, quota -> "+" -> octets into a writer -> next stretch ... -> one commit
 *
 * Whatever can be refused is refused before the octets are asked for.
 */
#include "imap/append.h"

#define ARENA_OCTETS ((gsize) 512 * 1024)
#define TOTAL_FACTOR 4 /* of the largest message: all that one command may bring */

/* State ----------------------------------------------------------------------------------------------------------- */

static void
clear_message(gpointer data)
{
        g_clear_pointer(&((Append *) data)->writer, blob_writer_free);
}

static ImapAppend *
state_of(ImapSession *s, gboolean is_replace)
{
        ImapAppend *p = s->append;

        if (p != NULL)
                return p;
        p = g_new0(ImapAppend, 1);
        p->arena = arena_new(ARENA_OCTETS);
        p->is_replace = is_replace;
        p->place = is_replace ? APPEND_AT_NUMBER : APPEND_AT_MAILBOX;
        p->messages = g_array_new(FALSE, FALSE, sizeof(Append));
        g_array_set_clear_func(p->messages, clear_message);
        s->append = p;
        return p;
}

void
imap_append_free(ImapSession *s)
{
        ImapAppend *p = g_steal_pointer(&s->append);

        if (p == NULL)
                return;
        g_array_unref(p->messages);
        arena_free(p->arena);
        g_clear_error(&p->fault);
        g_free(p);
}

static Append *
current(const ImapAppend *p)
{
        return p->messages->len > 0 ? &g_array_index(p->messages, Append, p->messages->len - 1) : NULL;
}

BlobWriter *
append_writer(const ImapAppend *p)
{
        return current(p)->writer;
}

/* Refusals -------------------------------------------------------------------------------------------------------- */

static gboolean
refuse(ImapSession *s, const char *code, const char *text)
{
        imap_no(s, code, text);
        return FALSE;
}

gboolean
append_has_room(ImapSession *s, ImapAppend *p, guint64 octets)
{
        g_autoptr(GError) error = NULL;
        guint64 max = imap_settings(s)->max_size;

        if (octets > max || blob_writer_size(append_writer(p)) + octets > max)
                return refuse(s, "TOOBIG", "message too large"); /* RFC 7889 §4 */
        if (p->octets + octets > max * TOTAL_FACTOR)
                return refuse(s, "TOOBIG", "too much for one command");
        ChangeAnswer answer =
                store_has_room(imap_store(s), p->target->id, p->octets + octets, p->messages->len, &error);
        if (answer != CHANGED_DONE) {
                imap_no_change(s, answer, error, "append");
                return FALSE;
        }
        p->octets += octets;
        return TRUE;
}

/* Target ---------------------------------------------------------------------------------------------------------- */

static gboolean
open_target(ImapSession *s, ImapAppend *p, Span name)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_mailbox(imap_store(s), p->arena, &s->who, name, RIGHT_INSERT, &p->target, &error);

        if (answer == MAILBOX_DONE && p->target->id != 0)
                return TRUE;
        if (answer == MAILBOX_MISSING || answer == MAILBOX_DONE)
                return refuse(s, "TRYCREATE", "no such mailbox");
        imap_no_mailbox(s, answer, error, "append");
        return FALSE;
}

/* RFC 8508 §3.2: the message must be there, and be removable. */
static gboolean
find_replaced(ImapSession *s, ImapAppend *p, guint32 number)
{
        const ImapSelected *selected = s->selected;
        guint32 n = view_count(selected->view), index;

        if (number == G_MAXUINT32)
                index = n > 0 ? n - 1 : 0;
        else
                index = s->is_uid ? view_index_of(selected->view, number) : number - 1;
        if (index >= n || (s->is_uid && number != G_MAXUINT32 && view_entry(selected->view, index)->uid != number)) {
                if (s->is_uid)
                        return refuse(s, "", "no such message");
                imap_bad(s, "no such message");
                return FALSE;
        }
        if (selected->is_read_only)
                return refuse(s, "", "the mailbox was opened for reading only");
        if ((selected->rights & RIGHT_DELETE_MESSAGES) == 0 || (selected->rights & RIGHT_EXPUNGE) == 0)
                return refuse(s, "NOPERM", "no right to remove messages");
        p->replaced = view_entry(selected->view, index)->uid;
        return TRUE;
}

/* Messages -------------------------------------------------------------------------------------------------------- */

/* The text goes when the octets come. */
static gboolean
keep_keywords(ImapAppend *p, const AppendAction *begin, Append *message)
{
        Span *kept = arena_new_array(p->arena, Span, begin->n_keywords);

        if (begin->n_keywords > 0 && kept == NULL)
                return FALSE;
        for (gsize i = 0; i < begin->n_keywords; i++)
                kept[i] = arena_copy(p->arena, begin->keywords[i]);
        message->keywords = kept;
        message->n_keywords = begin->n_keywords;
        return !arena_is_over(p->arena);
}

/* RFC 4314 §4: flags that the right is missing for are left out. */
static gboolean
begin_message(ImapSession *s, ImapAppend *p, const AppendAction *begin)
{
        Append message = {.received = begin->received};
        gboolean may_keywords;
        char code[LIMIT_CODE_OCTETS];

        if (messages_are_over_limit(s, p->messages->len + 1)) {
                g_snprintf(code, sizeof(code), "MESSAGELIMIT %u", imap_message_limit(s));
                return refuse(s, code, "too many messages at once");
        }
        if (p->is_replace && p->messages->len > 0) {
                imap_bad(s, "REPLACE takes one message");
                return FALSE;
        }
        if (p->messages->len > 0 && !imap_has(s, "MULTIAPPEND")) {
                imap_bad(s, "one message at a time");
                return FALSE;
        }
        message.flags = begin->flags & flags_permitted(p->target->rights, &may_keywords);
        if (!flags_are_short(begin->keywords, begin->n_keywords))
                return refuse(s, "LIMIT", "keyword too long");
        if (may_keywords && !keep_keywords(p, begin, &message))
                return refuse(s, "LIMIT", "too complex");
        message.writer = store_writer_new(imap_store(s));
        g_array_append_val(p->messages, message);
        return TRUE;
}

static gboolean
end_message(ImapSession *s, const ImapAppend *p)
{
        if (p->fault == NULL && blob_writer_size(append_writer(p)) == 0)
                return refuse(s, "", "an empty message");
        return TRUE;
}

static gboolean
act(ImapSession *s, ImapAppend *p, const AppendAction *action)
{
        switch (action->what) {
        case APPEND_BEGIN:
                return begin_message(s, p, action);
        case APPEND_URL:
                return append_url(s, p, action->url);
        case APPEND_END:
                return end_message(s, p);
        }
        return FALSE;
}

/* What a stretch says. FALSE has answered. */
static gboolean
carry_out(ImapSession *s, ImapAppend *p, const AppendText *text)
{
        if (text->is_bad_name)
                return refuse(s, "CANNOT", "not a name that can be used");
        if (text->number != 0 && !find_replaced(s, p, text->number))
                return FALSE;
        if (text->has_mailbox && !open_target(s, p, text->mailbox))
                return FALSE;
        p->place = text->place;
        for (gsize i = 0; i < text->n_actions; i++)
                if (!act(s, p, &text->actions[i]))
                        return FALSE;
        return TRUE;
}

/* Literals -------------------------------------------------------------------------------------------------------- */

static ImapArgs
args_of(ImapSession *s, const ImapAppend *p, Span text)
{
        return imap_args(s, p->arena, text);
}

static ImapLiteral
take_stretch(ImapSession *s, ImapAppend *p, Span gathered, guint64 size, gboolean is_binary)
{
        ImapArgs a = args_of(s, p, gathered);
        AppendText text;

        switch (append_text_parse(&a, p->place, TRUE, is_binary, &text)) {
        case APPEND_WANTS_STRING:
                return IMAP_LITERAL_GATHER;
        case APPEND_WANTS_OCTETS:
                if (carry_out(s, p, &text) && append_has_room(s, p, size))
                        return IMAP_LITERAL_STREAM;
                break;
        case APPEND_WRONG:
        case APPEND_COMPLETE:
                imap_bad_syntax(s);
                break;
        }
        imap_append_free(s);
        return IMAP_LITERAL_REFUSED;
}

ImapLiteral
imap_append_literal(ImapSession *s, Span gathered, guint64 size, gboolean is_binary, gboolean is_sync)
{
        return take_stretch(s, state_of(s, FALSE), gathered, size, is_binary);
}

ImapLiteral
imap_replace_literal(ImapSession *s, Span gathered, guint64 size, gboolean is_binary, gboolean is_sync)
{
        return take_stretch(s, state_of(s, TRUE), gathered, size, is_binary);
}

/* A fault is answered at the end: what comes is passed over until then. */
void
imap_append_octets(ImapSession *s, Span octets)
{
        ImapAppend *p = s->append;

        if (p->fault == NULL)
                (void) !blob_writer_add(append_writer(p), octets, &p->fault);
}

/* The end --------------------------------------------------------------------------------------------------------- */

/* RFC 4315 §3: "APPENDUID 38505 3955:3957" */
static char *
appenduid(const ImapAppend *p, guint32 uid_validity)
{
        g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(UidRange));
        GString *code = g_string_new(NULL);

        for (guint i = 0; i < p->messages->len; i++) {
                guint32 uid = g_array_index(p->messages, Append, i).ret_uid;
                UidRange *last = uids->len > 0 ? &g_array_index(uids, UidRange, uids->len - 1) : NULL;
                if (last != NULL && last->last + 1 == uid)
                        last->last = uid;
                else
                        g_array_append_val(uids, ((UidRange){uid, uid}));
        }
        g_string_printf(code, "APPENDUID %u ", uid_validity);
        messages_append_ranges(code, uids);
        return g_string_free(code, FALSE);
}

/* FALSE has answered. The old message goes in the commit in which the new one comes, also when that is in another
 * mailbox. */
static gboolean
commit(ImapSession *s, ImapAppend *p, guint32 *ret_uid_validity)
{
        const UidRange old = {p->replaced, p->replaced};
        const Replaced replaced = {s->selected != NULL ? s->selected->mailbox : 0, {&old, 1}};
        g_autoptr(GError) error = NULL;

        ChangeAnswer answer =
                store_append(imap_store(s), p->target->id, s->who.account, (Append *) (gpointer) p->messages->data,
                             p->messages->len, p->is_replace ? &replaced : NULL, ret_uid_validity, &error);
        if (answer == CHANGED_DONE) {
                const Append *all = (const Append *) (gpointer) p->messages->data;
                imap_notify_own(s, p->target->id, all[0].ret_uid, all[p->messages->len - 1].ret_uid);
                return TRUE;
        }
        imap_no_change(s, answer, error, "append");
        return FALSE;
}

static void
finish(ImapSession *s, ImapAppend *p)
{
        guint32 uid_validity;

        if (p->fault != NULL) {
                imap_no_fault(s, "append", p->fault);
                return;
        }
        if (!commit(s, p, &uid_validity))
                return;
        g_autofree char *code = appenduid(p, uid_validity);
        if (p->is_replace && imap_has(s, "UIDPLUS")) { /* RFC 8508 §3.3: before the old one vanishes */
                imap_put(s, "* OK [");
                imap_put(s, code);
                imap_put(s, "] replacement is there\r\n");
        }
        imap_ok(s, p->is_replace ? "" : imap_code(s, "UIDPLUS", code),
                p->is_replace ? "REPLACE completed" : "APPEND completed");
}

static void
run(ImapSession *s, ImapArgs *args, gboolean is_replace)
{
        ImapAppend *p = state_of(s, is_replace);
        ImapArgs a = args_of(s, p, scan_rest(&args->scan));
        AppendText text;

        if (append_text_parse(&a, p->place, FALSE, FALSE, &text) != APPEND_COMPLETE) {
                imap_bad_syntax(s);
        } else if (carry_out(s, p, &text)) {
                if (p->messages->len > 0)
                        finish(s, p);
                else
                        imap_bad_syntax(s);
        }
        imap_append_free(s);
}

void
imap_append(ImapSession *s, ImapArgs *args)
{
        run(s, args, FALSE);
}

void
imap_replace(ImapSession *s, ImapArgs *args)
{
        run(s, args, TRUE);
}

/* mailboxes.c -- CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE (RFC 9051 §6.3.4 to §6.3.8, §6.3.10; 6154
 * §3, 8474 §4.1, 4314 §4).
 */
#include "imap/names.h"

#include "base/text.h"

#define LOOK_ARENA_MAX ((gsize) 64 * 1024 * 1024)

static gboolean
is_rev2(const ImapSession *s)
{
        return (s->enabled & IMAP_ENABLED_REV2) != 0;
}

/* A name and nothing behind it. FALSE has answered. */
static gboolean
read_only_name(ImapSession *s, ImapArgs *args, const char *syntax, Span *ret)
{
        gboolean is_bad = FALSE;

        gboolean has_name = args_space(args) && args_mailbox(args, ret, &is_bad);
        if (is_bad)
                imap_no_mailbox(s, MAILBOX_BAD_NAME, NULL, "read a name");
        else if (!has_name || !args_end(args))
                imap_bad(s, syntax);
        else
                return TRUE;
        return FALSE;
}

/* CREATE ---------------------------------------------------------------------------------------------------------- */

/* RFC 6154 §3: "USE (" \Sent... ")". What is well-formed and no use that we know is refused by name (§6.1). */
static gboolean
read_uses(ImapArgs *a, guint *ret_uses, gboolean *ret_is_unknown)
{
        if (!args_open(a))
                return FALSE;
        do {
                const guint8 *mark = scan_mark(&a->scan);
                SpecialUse use;
                Span word;
                if (!scan_octet(&a->scan, '\\') || !args_atom(a, &word))
                        return FALSE;
                if (special_use_parse(scan_since(&a->scan, mark), &use))
                        *ret_uses |= use;
                else
                        *ret_is_unknown = TRUE;
        } while (args_space(a));
        return args_close(a);
}

static gboolean
read_create_params(const ImapSession *s, ImapArgs *a, guint *ret_uses, gboolean *ret_is_unknown)
{
        if (args_end(a))
                return TRUE;
        return imap_has(s, "CREATE-SPECIAL-USE") && args_space(a) && args_open(a) && args_word(a, "USE") &&
               args_space(a) && read_uses(a, ret_uses, ret_is_unknown) && args_close(a) && args_end(a);
}

/* The name as it is kept, when the client would not know it otherwise (RFC 9051 §6.3.9.7). */
static void
put_created(ImapSession *s, const Mailbox *mailbox, Span name)
{
        gboolean ends_with_delimiter = name.len > 1 && name.data[name.len - 1] == '/';
        Span as_named = ends_with_delimiter ? span_slice(name, 0, name.len - 1) : name;

        if (is_rev2(s) && !span_equal(as_named, span_of(mailbox->name)))
                imap_list_put(s, mailbox, &as_named);
}

static void
answer_created(ImapSession *s, const Mailbox *mailbox)
{
        char code[64];

        g_snprintf(code, sizeof(code), "MAILBOXID (%s)", mailbox->mailbox_id);
        imap_ok(s, imap_code(s, "OBJECTID", code), "created");
}

void
imap_create(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const Mailbox *mailbox = NULL;
        gboolean is_bad = FALSE, is_unknown_use = FALSE;
        MailboxAnswer answer;
        guint uses = 0;
        Span name;

        gboolean has_name = args_space(args) && args_mailbox(args, &name, &is_bad);
        if (!is_bad && (!has_name || !read_create_params(s, args, &uses, &is_unknown_use))) {
                imap_bad(s, "syntax: CREATE mailbox [(USE (uses))]");
                return;
        }
        if (is_bad)
                answer = MAILBOX_BAD_NAME;
        else if (is_unknown_use)
                answer = MAILBOX_BAD_USE;
        else
                answer = store_mailbox_create(imap_store(s), s->arena, &s->who, name, uses, &mailbox, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "create");
                return;
        }
        put_created(s, mailbox, name);
        answer_created(s, mailbox);
}

/* DELETE ---------------------------------------------------------------------------------------------------------- */

/* What this session has removed itself is no surprise to it: it has nothing selected then. */
static void
leave_removed(ImapSession *s)
{
        g_autoptr(View) view = NULL;

        if (s->selected == NULL ||
            store_view_open(imap_store(s), s->selected->mailbox, s->who.account, &view, NULL) != STORE_NO_MAILBOX)
                return;
        imap_unselect(s);
        imap_put_closed(s, "that was the mailbox that is selected");
}

/* A level that is there because of what is below it. The look is the same whether there is one or not. */
static gboolean
is_level(ImapSession *s, Span name)
{
        g_autoptr(Arena) arena = arena_new(LOOK_ARENA_MAX);
        const MailboxQuery query = {.prefix = name};
        const Mailbox *list = NULL;
        gsize n = 0;

        if (!store_mailboxes(imap_store(s), arena, &s->who, &query, &list, &n, NULL))
                return FALSE;
        for (gsize i = 0; i < n; i++)
                if (list[i].id == 0 && list[i].has_children && span_equal(span_of(list[i].name), name))
                        return TRUE;
        return FALSE;
}

void
imap_delete(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        Span name;

        if (!read_only_name(s, args, "syntax: DELETE mailbox", &name))
                return;
        MailboxAnswer answer = store_mailbox_delete(imap_store(s), &s->who, name, &error);
        if (answer == MAILBOX_MISSING && is_level(s, name)) {
                imap_no(s, imap_code(s, "IMAP4rev2", "HASCHILDREN"), "nothing is here but what is below it");
        } else if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "delete");
        } else {
                leave_removed(s);
                imap_ok(s, "", "deleted");
        }
}

/* RENAME ---------------------------------------------------------------------------------------------------------- */

/* The mailbox that is selected stays it, whatever it is called. */
static void
rename_selected(ImapSession *s, Span from, Span to)
{
        Span name = s->selected != NULL ? span_of(s->selected->name) : SPAN_EMPTY;

        if (name.len < from.len || !span_equal(span_slice(name, 0, from.len), from) || span_is(from, "INBOX") ||
            (name.len > from.len && name.data[from.len] != '/'))
                return;
        char *renamed = g_strdup_printf("%.*s%s", (int) to.len, (const char *) to.data, s->selected->name + from.len);
        g_free(s->selected->name);
        s->selected->name = renamed;
}

/* RFC 9051 §6.3.6, §6.3.9.7 */
static void
put_renamed(ImapSession *s, Span from, Span to)
{
        const Mailbox *mailbox = NULL;

        if (is_rev2(s) &&
            store_mailbox(imap_store(s), s->arena, &s->who, to, RIGHT_LOOKUP, &mailbox, NULL) == MAILBOX_DONE)
                imap_list_put(s, mailbox, &from);
}

void
imap_rename(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        gboolean is_bad = FALSE;
        Span from, to;

        gboolean has_names = args_space(args) && args_mailbox(args, &from, &is_bad) && args_space(args) &&
                             args_mailbox(args, &to, &is_bad) && args_end(args);
        if (!is_bad && !has_names) {
                imap_bad(s, "syntax: RENAME mailbox new-name");
                return;
        }
        MailboxAnswer answer =
                is_bad ? MAILBOX_BAD_NAME : store_mailbox_rename(imap_store(s), &s->who, from, to, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "rename");
                return;
        }
        rename_selected(s, from, to);
        put_renamed(s, from, to);
        imap_ok(s, "", "renamed");
}

/* SUBSCRIBE ------------------------------------------------------------------------------------------------------- */

static void
subscribe(ImapSession *s, ImapArgs *args, const char *syntax, gboolean is_subscribed)
{
        g_autoptr(GError) error = NULL;
        Span name;

        if (!read_only_name(s, args, syntax, &name))
                return;
        MailboxAnswer answer = store_mailbox_subscribe(imap_store(s), &s->who, name, is_subscribed, &error);
        if (answer == MAILBOX_DONE)
                imap_ok(s, "", is_subscribed ? "subscribed" : "no longer subscribed");
        else
                imap_no_mailbox(s, answer, error, "subscribe");
}

void
imap_subscribe(ImapSession *s, ImapArgs *args)
{
        subscribe(s, args, "syntax: SUBSCRIBE mailbox", TRUE);
}

void
imap_unsubscribe(ImapSession *s, ImapArgs *args)
{
        subscribe(s, args, "syntax: UNSUBSCRIBE mailbox", FALSE);
}

/* NAMESPACE ------------------------------------------------------------------------------------------------------- */

/* One's own, other users', and none that is nobody's (RFC 2342). */
void
imap_namespace(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args)) {
                imap_bad(s, "NAMESPACE has no arguments");
                return;
        }
        imap_put(s, "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) NIL\r\n");
        imap_ok(s, "", "that is all");
}

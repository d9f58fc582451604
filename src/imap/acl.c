/* acl.c -- SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314).
 *
 * What may not be seen is not there: its answers are those of a name that nothing has, after the same look.
 */
#include "imap/names.h"

#include "base/text.h"

/* RFC 4314 §2.1.1: who knows only RFC 2086 sees the obsolete rights too. */
void
imap_acl_put_rights(ImapSession *s, guint rights)
{
        char letters[20];

        (void) rights_text(rights, letters);
        if ((rights & (RIGHT_CREATE | RIGHT_DELETE_MAILBOX)) != 0)
                g_strlcat(letters, "c", sizeof(letters));
        if ((rights & (RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE)) != 0)
                g_strlcat(letters, "d", sizeof(letters));
        imap_put_astring(s, span_of(letters));
}

/* " mailbox"; FALSE: not there, *ret_is_bad: a name that is none. */
static gboolean
read_name(ImapArgs *a, Span *ret, gboolean *ret_is_bad)
{
        *ret_is_bad = FALSE;
        return args_space(a) && args_mailbox(a, ret, ret_is_bad);
}

static void
answer_syntax(ImapSession *s, gboolean is_bad, const char *syntax)
{
        if (is_bad)
                imap_no_mailbox(s, MAILBOX_BAD_NAME, NULL, "read a name");
        else
                imap_bad(s, syntax);
}

/* Identifiers are UTF-8 (§3). */
static gboolean
read_identifier(ImapArgs *a, Span *ret)
{
        return args_space(a) && args_astring(a, ret) && ret->len > 0 && text_is_utf8(*ret);
}

/* Changing -------------------------------------------------------------------------------------------------------- */

/* "+lr", "-lr" or "lr". A letter that is none is BAD (§3.1). */
static gboolean
read_change(ImapArgs *a, AclAction *ret_action, guint *ret_rights)
{
        Span text;

        if (!args_space(a) || !args_astring(a, &text))
                return FALSE;
        guint8 sign = text.len > 0 ? text.data[0] : 0;
        *ret_action = sign == '+' ? ACL_ADD : sign == '-' ? ACL_REMOVE : ACL_REPLACE;
        if (*ret_action != ACL_REPLACE)
                text = span_slice(text, 1, text.len);
        return rights_parse(text, ret_rights);
}

static void
change(ImapSession *s, Span name, Span identifier, AclAction action, guint rights)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer = store_acl_set(imap_store(s), &s->who, name, identifier, action, rights, &error);

        if (answer == MAILBOX_DONE)
                imap_ok(s, "", "granted as you wish");
        else if (answer == MAILBOX_BAD_NAME)
                imap_no(s, "CANNOT", "nobody is called so");
        else
                imap_no_mailbox(s, answer, error, "change rights");
}

void
imap_setacl(ImapSession *s, ImapArgs *args)
{
        Span name, identifier;
        AclAction action;
        gboolean is_bad;
        guint rights;

        if (read_name(args, &name, &is_bad) && read_identifier(args, &identifier) &&
            read_change(args, &action, &rights) && args_end(args))
                change(s, name, identifier, action, rights);
        else
                answer_syntax(s, is_bad, "syntax: SETACL mailbox identifier [+|-]rights");
}

void
imap_deleteacl(ImapSession *s, ImapArgs *args)
{
        Span name, identifier;
        gboolean is_bad;

        if (read_name(args, &name, &is_bad) && read_identifier(args, &identifier) && args_end(args))
                change(s, name, identifier, ACL_REPLACE, 0);
        else
                answer_syntax(s, is_bad, "syntax: DELETEACL mailbox identifier");
}

/* Looking --------------------------------------------------------------------------------------------------------- */

void
imap_getacl(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const AclEntry *entries;
        gboolean is_bad;
        Span name;
        gsize n;

        if (!read_name(args, &name, &is_bad) || !args_end(args)) {
                answer_syntax(s, is_bad, "syntax: GETACL mailbox");
                return;
        }
        MailboxAnswer answer = store_acl(imap_store(s), s->arena, &s->who, name, &entries, &n, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "look at rights");
                return;
        }
        imap_put(s, "* ACL ");
        imap_put_mailbox(s, name);
        for (gsize i = 0; i < n; i++) {
                imap_put(s, " ");
                imap_put_astring(s, span_of(entries[i].identifier));
                imap_put(s, " ");
                imap_acl_put_rights(s, entries[i].rights);
        }
        imap_put(s, "\r\n");
        imap_ok(s, "", "that is all");
}

static gboolean
names_owner(const AclEntry *owner, Span identifier)
{
        const char *at = strrchr(owner->identifier, '@');
        Span local = at != NULL ? span_make(owner->identifier, (gsize) (at - owner->identifier)) : SPAN_EMPTY;

        return span_is(identifier, "owner") || span_is(identifier, owner->identifier) ||
               span_equal_nocase(identifier, local);
}

/* §3.7: what is always granted, then what can be granted one by one. The owner keeps l, r and a (store/mailbox.h). */
void
imap_listrights(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const AclEntry *entries;
        Span name, identifier;
        gboolean is_bad;
        gsize n;

        if (!read_name(args, &name, &is_bad) || !read_identifier(args, &identifier) || !args_end(args)) {
                answer_syntax(s, is_bad, "syntax: LISTRIGHTS mailbox identifier");
                return;
        }
        MailboxAnswer answer = store_acl(imap_store(s), s->arena, &s->who, name, &entries, &n, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "look at rights");
                return;
        }
        imap_put(s, "* LISTRIGHTS ");
        imap_put_mailbox(s, name);
        imap_put(s, " ");
        imap_put_astring(s, identifier);
        imap_put(s, names_owner(&entries[0], identifier) ? " lra s w i p k x t e c d\r\n"
                                                         : " \"\" l r s w i p k x t e a c d\r\n");
        imap_ok(s, "", "that is all");
}

void
imap_myrights(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const Mailbox *mailbox = NULL;
        gboolean is_bad;
        Span name;

        if (!read_name(args, &name, &is_bad) || !args_end(args)) {
                answer_syntax(s, is_bad, "syntax: MYRIGHTS mailbox");
                return;
        }
        MailboxAnswer answer = store_mailbox(imap_store(s), s->arena, &s->who, name, RIGHT_LOOKUP, &mailbox, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "look at rights");
                return;
        }
        imap_put(s, "* MYRIGHTS ");
        imap_put_mailbox(s, name);
        imap_put(s, " ");
        imap_acl_put_rights(s, mailbox->rights);
        imap_put(s, "\r\n");
        imap_ok(s, "", "that is all");
}
